// SPDX-License-Identifier: GPL-2.0
/*
 * Settings of a graphics card's VF, with module/tests/vgpu.c for the card: igb's
 * VFs have NVIDIA's attributes, and igb's PF has Intel's.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "device.h"
#include "one.h"
#include "pf.h"
#include "trace.h"

#define DRIVER	VGPU_DRIVER
#define REFUSE	"/sys/module/" DRIVER "/parameters/refuse"
#define UNFIT	"/sys/module/" DRIVER "/parameters/unfit"

static void __attribute__((constructor)) set_up(void)
{
	command("modprobe vfio-pci");
	tap_reset = vgpu_unload;
}

static void card(void)
{
	/* Loaded for VFs that were seen before. The first driver gets new ones. */
	command("udevadm settle");
	command("modprobe -r igbvf");
	REQUIRE_EQ(vgpu_load(), 0);
}

static long type_of(int index)
{
	return file_number("/sys/bus/pci/devices/" IGB "/virtfn%d/nvidia/current_vgpu_type",
			   index);
}

static int set_type(int index, const char *type)
{
	return file_write(type, "/sys/bus/pci/devices/" IGB "/virtfn%d/nvidia/current_vgpu_type",
			  index);
}

TEST("a type is set, can't be changed while a VMM has the VF, and is 0 when it is returned")
{
	struct devirt_get get = { .size = sizeof(get) };
	struct devirt_record rec = rec_vgpu(1, 1104);
	struct vfio vfio;
	int part, fd = -1;

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 2), 0);
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 1)), DRIVER)));
	/* Without a type nobody can open it. */
	CHECK(vfio_open(&vfio, pf_vf(IGB, 1)) < 0);
	part = lease_new("vgpu", &rec, 1);
	REQUIRE(part >= 0, "%s: %u %s", strerror(-part), rec.reason, rec.detail);
	CHECK_EQ(type_of(1), 1104);
	CHECK_EQ(type_of(0), 0);
	/* The vendor's driver is what VFIO has it by. */
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), DRIVER);
	CHECK_STR(rec.vf.vfio.driver, DRIVER);
	CHECK_EQ(rec.vf.vfio.group, pci_group(pf_vf(IGB, 1)));
	CHECK(EVENTUALLY(!(fd = vfio_open(&vfio, pf_vf(IGB, 1)))), "%s", strerror(-fd));
	CHECK_EQ(set_type(1, "0"), -EPERM);
	CHECK_EQ(set_type(1, "1101"), -EPERM);
	CHECK_EQ(device_enable(&vfio), 0);
	CHECK_EQ(device_ioctl(&vfio), 0);
	CHECK_EQ(lease_get(part, &get, &rec, 1), 0);
	CHECK_EQ(get.vmm, getpid());
	/* Returned, but it isn't over yet. */
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_DRAINING);
	CHECK_EQ(type_of(1), 1104);
	vfio_close(&vfio);
	CHECK(EVENTUALLY(lease_state(part) == DEVIRT_STATE_RELEASED));
	CHECK_EQ(type_of(1), 0);
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), DRIVER);
	CHECK_STR(pci_override(pf_vf(IGB, 1)), "(null)");
	close(part);
	CHECK_EQ(pf_vfs(IGB), 2);
}

TEST("VFs that the lease makes get their own driver, beside others that get vfio-pci")
{
	struct devirt_record recs[2] = { rec_vgpu(0, 1101), rec_vf(IGB, 1, 2) };
	int part;

	card();
	part = lease_new("made", recs, 2);
	REQUIRE(part >= 0, "%s: %u %s", strerror(-part), recs[0].reason, recs[0].detail);
	CHECK_STR(pci_driver(pf_vf(IGB, 0)), DRIVER);
	CHECK_EQ(type_of(0), 1101);
	CHECK_STR(recs[0].vf.vfio.driver, "");
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), "vfio-pci");
	close(part);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a type that an admin has set comes back, as do vfio-pci and no driver where he has set that")
{
	int part;

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 2), 0);
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 1)), DRIVER)));
	/* igbvf, which udev loads for them, would take the one that has no driver below. */
	command("udevadm settle");
	REQUIRE_EQ(set_type(0, "1101"), 0);
	part = lease_of("other", rec_vgpu(0, 1102));
	CHECK_EQ(type_of(0), 1102);
	close(part);
	CHECK_EQ(type_of(0), 1101);
	part = lease_of("same", rec_vgpu(0, 1101));
	CHECK_EQ(type_of(0), 1101);
	close(part);
	CHECK_EQ(type_of(0), 1101);

	REQUIRE_EQ(pci_bind(pf_vf(IGB, 1), "vfio-pci"), 0);
	REQUIRE_EQ(file_write("vfio-pci", "/sys/bus/pci/devices/%s/driver_override", pf_vf(IGB, 1)),
		   0);
	part = lease_of("vfio", rec_vgpu(1, 1102));
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), DRIVER);
	CHECK_EQ(type_of(1), 1102);
	close(part);
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), "vfio-pci");
	CHECK_STR(pci_override(pf_vf(IGB, 1)), "vfio-pci");
	REQUIRE_EQ(file_write("\n", "/sys/bus/pci/devices/%s/driver_override", pf_vf(IGB, 1)), 0);
	REQUIRE_EQ(pci_bind(pf_vf(IGB, 1), NULL), 0);
	part = lease_of("none", rec_vgpu(1, 1102));
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), DRIVER);
	close(part);
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), "");
}

TEST("a full card names who has it, and a type that it doesn't know those that it does")
{
	int big, small;

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 4), 0);
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 3)), DRIVER)));
	refused(rec_vgpu(0, 1105), -ENOENT, DEVIRT_REASON_VGPU_TYPE, "1101 1102 1104 1108");
	refused(rec_vgpu(0, 0), -EINVAL, DEVIRT_REASON_INVALID, "settings.gpu.type");
	big = lease_of("big", rec_vgpu(0, 1104));
	small = lease_of("small", rec_vgpu(1, 1101));
	REQUIRE_EQ(set_type(3, "1101"), 0);
	refused(rec_vgpu(2, 1104), -ENOSPC, DEVIRT_REASON_VGPU_FULL,
		"big 1104 small 1101 " IGB "/3 1101");
	close(small);
	close(big);
	big = lease_of("now", rec_vgpu(2, 1104));
	close(big);
}

TEST("two of one description that don't fit together are refused, and nothing is left")
{
	struct devirt_record recs[3] = { rec_vgpu(0, 1104), rec_vgpu(1, 1102), rec_vgpu(2, 1104) };
	int part = lease_create("three");
	unsigned int failed = 9;

	card();
	CHECK_EQ(lease_apply(part, 0, recs, 3, &failed), -ENOSPC);
	REQUIRE(failed < 3, "%u", failed);
	CHECK_EQ(recs[failed].reason, DEVIRT_REASON_VGPU_FULL);
	CHECK(!strncmp(recs[failed].detail, "three ", 6), "%s", recs[failed].detail);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("each refusal of the vendor's driver comes with its own errno, and nothing is left")
{
	static const int errors[] = { EBUSY, EPERM, EINVAL, ENOSPC, EIO, ENODEV };
	unsigned int i;
	char text[16];

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 0)), DRIVER)));
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		snprintf(text, sizeof(text), "%d", errors[i]);
		REQUIRE_EQ(file_write(text, REFUSE), 0);
		refused(rec_vgpu(0, 1102), -errors[i], DEVIRT_REASON_SETTING_FAILED, "vgpu-type");
		CHECK_EQ(type_of(0), 0);
		CHECK_STR(pci_driver(pf_vf(IGB, 0)), DRIVER);
	}
}

TEST("what the driver doesn't take back is told")
{
	int part;

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 0)), DRIVER)));
	part = lease_of("stays", rec_vgpu(0, 1102));
	REQUIRE_EQ(file_write("5", REFUSE), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK(told(part, DEVIRT_EVENT_DRIFT, "not put back: vgpu-type"));
	CHECK_EQ(type_of(0), 1102);
	close(part);
}

TEST("the vendor's driver leaves while the VF is leased: that is told, and nothing waits")
{
	int part;

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 0)), DRIVER)));
	part = lease_of("left", rec_vgpu(0, 1102));
	REQUIRE_EQ(pci_bind(pf_vf(IGB, 0), NULL), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK(told(part, DEVIRT_EVENT_DRIFT, "rebound"));
	CHECK_STR(pci_driver(pf_vf(IGB, 0)), DRIVER);
	CHECK_EQ(type_of(0), 0);
	close(part);
}

TEST("another driver has the VF when the lease ends: its own gets it back")
{
	int part;

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 0)), DRIVER)));
	part = lease_of("rebound", rec_vgpu(0, 1102));
	command("modprobe igbvf");
	REQUIRE_EQ(pci_bind(pf_vf(IGB, 0), "igbvf"), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK(told(part, DEVIRT_EVENT_DRIFT, "rebound"));
	CHECK_STR(pci_driver(pf_vf(IGB, 0)), DRIVER);
	close(part);
	command("modprobe -r igbvf");
}

/* A driver that wants it, all the time, as one does that udev loads. */
static pid_t wanting(const char *driver, const char *bdf)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (;;)
		file_write(bdf, "/sys/bus/pci/drivers/%s/bind", driver);
}

TEST("no other driver comes between while the VF goes back to its own")
{
	int part, round;
	char bdf[16];
	pid_t pid;

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	snprintf(bdf, sizeof(bdf), "%s", pf_vf(IGB, 0));
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(bdf), DRIVER)));
	command("modprobe igbvf");
	pid = wanting("igbvf", bdf);
	/* By its own driver, and by vfio-pci. */
	for (round = 0; round < 20; round++) {
		part = lease_of("wanted", round & 1 ? rec_vf(IGB, 0, 1) : rec_vgpu(0, 1102));
		pci_bind(bdf, NULL);
		CHECK_EQ(lease_release(part), 0);
		CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
		CHECK_STR(pci_driver(bdf), DRIVER);
		CHECK_STR(pci_override(bdf), "(null)");
		close(part);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	command("modprobe -r igbvf");
}

/* From now on, what any function's driver override is set to is noted. */
static void overrides_watch(void)
{
	/* Kernels that have the newer one have the other for other buses. */
	if (trace_probe("__device_set_driver_override to=+0(%si):string"))
		REQUIRE_EQ(trace_probe("driver_set_override to=+0(%dx):string"), 0);
}

TEST("a function that its driver doesn't take back is in quarantine until it does")
{
	struct devirt_record rec = rec_vf(IGB, 0, 1);
	struct devirt_event event;
	int part, other, seen;
	char state[32], bdf[16];

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	snprintf(bdf, sizeof(bdf), "%s", pf_vf(IGB, 0));
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(bdf), DRIVER)));
	part = lease_of("unfit", rec);
	seen = lease_open("unfit", DEVIRT_OPEN_OBSERVE);
	fcntl(seen, F_SETFL, O_NONBLOCK);
	REQUIRE_EQ(file_write("5", UNFIT), 0);
	overrides_watch();
	close(part);
	CHECK_EQ(lease_state(seen), DEVIRT_STATE_QUARANTINE);
	/* On its way there it's at no moment free for any driver that matches. */
	CHECK(trace_count(" probe:", "to=\"devirt-quarantine\"") > 0, "does the count work?");
	CHECK_EQ(trace_count(" probe:", "to=\"\""), 0);
	trace_unprobe();
	CHECK_STR(pci_driver(bdf), "");
	file_read(state, sizeof(state), "/sys/class/devirt/unfit/state");
	CHECK_STR(state, "quarantine");
	REQUIRE(read(seen, &event, sizeof(event)) == sizeof(event));
	CHECK_EQ(event.type, DEVIRT_EVENT_QUARANTINE);
	CHECK_EQ(event.record, 0);
	CHECK(event.value > 0 && event.detail[0], "%lld \"%s\"", (long long)event.value,
	      event.detail);
	/* Nobody else gets it, and trying again changes nothing. */
	other = lease_create("other");
	CHECK_EQ(lease_apply(other, 0, &rec, 1, NULL), -EBUSY);
	CHECK_EQ(rec.reason, DEVIRT_REASON_QUARANTINED);
	CHECK_STR(rec.detail, "unfit");
	part = lease_open("unfit", 0);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_QUARANTINE);
	CHECK_STR(pci_driver(bdf), "");
	/* The admin has found what was wrong. */
	REQUIRE_EQ(file_write("0", UNFIT), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
	CHECK_STR(pci_driver(bdf), DRIVER);
	CHECK_STR(pci_override(bdf), "(null)");
	CHECK_EQ(lease_apply(other, 0, &rec, 1, NULL), 0);
	close(other);
	close(part);
	CHECK_STR(pci_driver(bdf), DRIVER);
}

TEST("who releases what a failed apply left in quarantine can't apply to that partition again")
{
	long before = file_number("/proc/sys/vm/nr_hugepages");
	struct devirt_record recs[3] = { rec_vf(IGB, 0, 1) }, page = rec_memory(2 * MIB, 1, 0);
	char bdf[16], state[32];
	int part, again;

	card();
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	snprintf(bdf, sizeof(bdf), "%s", pf_vf(IGB, 0));
	REQUIRE(EVENTUALLY(!strcmp(pci_driver(bdf), DRIVER)));
	REQUIRE_EQ(file_write("5", UNFIT), 0);
	recs[1] = recs[2] = rec_most(0);
	part = lease_create("closed");
	CHECK_EQ(lease_apply(part, 0, recs, 3, NULL), -ENOMEM);
	CHECK_STR(pci_driver(bdf), "");
	close(part);
	again = lease_open("closed", 0);
	REQUIRE(again >= 0, "%s", strerror(-again));
	file_read(state, sizeof(state), "/sys/class/devirt/closed/state");
	CHECK_STR(state, "quarantine");
	CHECK_EQ(lease_apply(again, 0, &page, 1, NULL), -EBUSY);
	REQUIRE_EQ(file_write("0", UNFIT), 0);
	CHECK_EQ(lease_release(again), 0);
	CHECK_STR(pci_driver(bdf), DRIVER);
	/* Nobody could find it, and nothing would return what it held. */
	CHECK_EQ(lease_open("closed", DEVIRT_OPEN_OBSERVE), -ENOENT);
	CHECK_EQ(lease_apply(again, 0, &page, 1, NULL), -EBUSY);
	CHECK_EQ(lease_state(again), DEVIRT_STATE_RELEASED);
	close(again);
	CHECK_EQ(file_number("/proc/sys/vm/nr_hugepages"), before);
}

TEST("in a pool made ahead a VF that had a type is with vfio-pci again, and the pool can go")
{
	char bdf[16];
	int part;

	card();
	REQUIRE_EQ(pf_pool(IGB, 2, NULL), 0);
	snprintf(bdf, sizeof(bdf), "%s", pf_vf(IGB, 0));
	CHECK_STR(pci_driver(bdf), "vfio-pci");
	part = lease_of("ahead", rec_vgpu(0, 1102));
	CHECK_STR(pci_driver(bdf), DRIVER);
	close(part);
	CHECK_STR(pci_driver(bdf), "vfio-pci");
	CHECK_STR(pci_override(bdf), "vfio-pci");
	CHECK_EQ(pf_pool(IGB, 0, NULL), 0);
	/* The same in one that a lease has made, while another VF of it is leased. */
	struct devirt_record recs[2] = { rec_vgpu(0, 1102), rec_vf(IGB, 1, 2) };
	int first = lease_create("first"), second;

	second = lease_new("second", &recs[1], 1);
	REQUIRE(second >= 0, "%s", strerror(-second));
	REQUIRE_EQ(lease_apply(first, 0, &recs[0], 1, NULL), 0);
	CHECK_STR(pci_driver(bdf), DRIVER);
	close(first);
	CHECK_STR(pci_driver(bdf), "vfio-pci");
	close(second);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a VF whose driver has no types can't have one")
{
	refused(rec_vgpu(0, 1101), -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "vgpu-type");
	CHECK_EQ(pf_vfs(IGB), 0);
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	refused(rec_vgpu(0, 1101), -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "vgpu-type");
}

static struct devirt_record rec_quotas(unsigned int index, unsigned long long vram,
				       unsigned int contexts, unsigned int doorbells,
				       unsigned int quantum)
{
	struct devirt_record rec = rec_vf(IGB, index, 2);
	struct devirt_vf_settings *settings = &rec.vf.settings;

	settings->set = (vram ? DEVIRT_VF_SET_VRAM : 0) |
			(contexts ? DEVIRT_VF_SET_CONTEXTS : 0) |
			(doorbells ? DEVIRT_VF_SET_DOORBELLS : 0) |
			(quantum ? DEVIRT_VF_SET_QUANTUM : 0);
	settings->gpu.vram = vram;
	settings->gpu.contexts = contexts;
	settings->gpu.doorbells = doorbells;
	settings->gpu.quantum_ms = quantum;
	return rec;
}

/* As the card has them, of a VF that is counted from 1. */
#define CHECK_QUOTAS(vf, vram, contexts, doorbells, quantum) do {		\
	CHECK_EQ(file_number(PROFILE "vram_quota", vf), vram);			\
	CHECK_EQ(file_number(PROFILE "exec_quantum_ms", vf), quantum);		\
	CHECK_EQ(file_number(GT "contexts_quota", vf), contexts);		\
	CHECK_EQ(file_number(GT "doorbells_quota", vf), doorbells);		\
} while (0)

#define PROFILE	"/sys/bus/pci/devices/" IGB "/sriov_admin/vf%d/profile/"
#define GT	"/sys/bus/pci/devices/" IGB "/drm/card3/iov/vf%d/gt/"

TEST("quotas of a VF are set at the PF, and are afterwards what they were")
{
	struct devirt_record rec = rec_quotas(1, 256 * MIB, 64, 8, 20);
	int part;

	card();
	REQUIRE_EQ(file_write("1048576", PROFILE "vram_quota", 2), 0);
	REQUIRE_EQ(file_write("7", GT "contexts_quota", 2), 0);
	part = lease_new("quotas", &rec, 1);
	REQUIRE(part >= 0, "%s: %u %s", strerror(-part), rec.reason, rec.detail);
	CHECK_QUOTAS(2, 256 * (long)MIB, 64, 8, 20);
	CHECK_QUOTAS(1, 0, 0, 0, 0);
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), "vfio-pci");
	close(part);
	CHECK_QUOTAS(2, (long)MIB, 7, 0, 0);
	/* A driver may round up. */
	part = lease_of("rounded", rec_quotas(1, MIB + 1, 0, 5, 0));
	CHECK_QUOTAS(2, 2 * (long)MIB, 7, 8, 0);
	close(part);
	CHECK_QUOTAS(2, (long)MIB, 7, 0, 0);
}

TEST("a quota that the PF's driver refuses: which and why, and the others are put back")
{
	card();
	refused(rec_quotas(0, 2048 * MIB, 64, 8, 20), -ENOSPC, DEVIRT_REASON_SETTING_FAILED,
		"vram");
	refused(rec_quotas(0, 256 * MIB, 4096, 8, 20), -ENOSPC, DEVIRT_REASON_SETTING_FAILED,
		"contexts");
	refused(rec_quotas(0, 256 * MIB, 64, 999, 20), -EIO, DEVIRT_REASON_SETTING_FAILED,
		"doorbells");
	refused(rec_quotas(0, 256 * MIB, 64, 8, 200000), -EINVAL, DEVIRT_REASON_SETTING_FAILED,
		"quantum");
	CHECK_QUOTAS(1, 0, 0, 0, 0);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a PF whose driver has no quotas can't give any")
{
	refused(rec_quotas(0, MIB, 0, 0, 0), -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "vram");
	refused(rec_quotas(0, 0, 1, 0, 0), -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "contexts");
	refused(rec_quotas(0, 0, 0, 1, 0), -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "doorbells");
	refused(rec_quotas(0, 0, 0, 0, 1), -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "quantum");
}
