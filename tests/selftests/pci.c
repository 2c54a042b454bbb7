// SPDX-License-Identifier: GPL-2.0
/*
 * Kind pci: whole functions, their way to vfio-pci and back, and what stands in
 * the way of leasing them.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "lease.h"
#include "tap.h"

#define SCRATCH	"/tmp/devirt-pci"

/* The disk of an NVMe controller, as /dev has it. False: it has none yet. */
static bool disk_seen(const char *addr, char *name, size_t size)
{
	char ctrl[64], path[300], ns[64];
	unsigned int a, b, c;

	pci_child(addr, "nvme", "nvme", ctrl, sizeof(ctrl));
	snprintf(path, sizeof(path), "nvme/%s", ctrl);
	pci_child(addr, path, "nvme", ns, sizeof(ns));
	if (sscanf(ns, "nvme%uc%un%u", &a, &b, &c) == 3)
		snprintf(ns, sizeof(ns), "nvme%un%u", a, c);
	snprintf(name, size, "%s", ns);
	return ctrl[0] && ns[0];
}

static void disk_of(const char *addr, char *name, size_t size)
{
	REQUIRE(EVENTUALLY(disk_seen(addr, name, size)), "%s has no disk", addr);
}

static void reset(void)
{
	char disk[64];
	int try;

	/* Starting programs takes long in an emulated machine: only if need be. */
	if (!access(SCRATCH, F_OK))
		command("umount -l " SCRATCH "; rm -rf " SCRATCH);
	if (!access("/sys/class/net/devirt-test", F_OK))
		command("ip link del devirt-test");
	file_write("/sbin/modprobe", "/proc/sys/kernel/modprobe");
	if (access("/sys/bus/pci/drivers/vfio-pci", F_OK))
		command("modprobe vfio-pci");
	if (file_number("/sys/bus/pci/devices/" IGB "/sriov_numvfs") > 0)
		file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_numvfs");
	pci_bind(IGB, "igb");
	pci_bind(NVME, "nvme");
	pci_bind(DISK, "nvme");
	pci_bind(PAIR_A, "e1000");
	pci_bind(PAIR_B, "e1000");
	pci_bind(EDU, NULL);
	file_write("\n", "/sys/bus/pci/devices/" IGB "/driver_override");
	file_write("\n", "/sys/bus/pci/devices/" EDU "/driver_override");
	/* Whatever udev does with new interfaces and disks, it does now. */
	command("udevadm settle");
	for (try = 0; try < 100 && !disk_seen(DISK, disk, sizeof(disk)); try++)
		tap_pause(50);
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

static int lease(const char *name, const char *addr)
{
	struct devirt_record rec = rec_pci(addr);
	int part = lease_new(name, &rec, 1);

	REQUIRE(part >= 0, "%s: %s", addr, strerror(-part));
	return part;
}

/* It could be leased; which takes no time to find out. */
static void leasable(const char *addr)
{
	struct devirt_record rec = rec_pci(addr);
	int part = lease_create("dry"), err;

	err = lease_apply(part, DEVIRT_APPLY_DRY_RUN, &rec, 1, NULL);
	CHECK(!err, "%s: %s, reason %u, \"%s\"", addr, strerror(-err), rec.reason, rec.detail);
	close(part);
}

/* Is refused: for this reason, naming this, and keeps its driver. */
static void refused_record(struct devirt_record *recs, int count, int which, int err,
			   unsigned int reason, const char *detail)
{
	int part = lease_create("refused");
	unsigned int failed = 99;
	char driver[64];

	snprintf(driver, sizeof(driver), "%s", pci_driver(pci_text(&recs[which].pci.addr)));
	CHECK_EQ(lease_apply(part, 0, recs, count, &failed), err);
	CHECK_EQ(failed, which);
	CHECK_EQ(recs[which].reason, reason);
	CHECK_EQ(recs[which].error, err);
	CHECK_STR(recs[which].detail, detail);
	CHECK_STR(pci_driver(pci_text(&recs[which].pci.addr)), driver);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
	close(part);
}

static void refused(const char *addr, int err, unsigned int reason, const char *detail)
{
	struct devirt_record rec = rec_pci(addr);

	refused_record(&rec, 1, 0, err, reason, detail);
}

static void interface(const char *addr, char *name, size_t size)
{
	pci_child(addr, "net", "", name, size);
	REQUIRE(name[0], "%s has no interface", addr);
}

/* ------------------------------------------------------------ there and back */

TEST("a network card goes to vfio-pci and comes back to igb")
{
	struct devirt_record rec = rec_pci(IGB);
	int part = lease_new("card", &rec, 1), fd;
	char path[64], name[64];
	struct vfio vfio;

	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_STR(pci_driver(IGB), "vfio-pci");
	CHECK_STR(rec.pci.vfio.driver, "igb");
	CHECK_EQ(rec.pci.vfio.group, pci_group(IGB));
	CHECK_EQ(rec.pci.vfio.flags & DEVIRT_VFIO_NO_RESET, 0);
	snprintf(path, sizeof(path), "/dev/vfio/%u", rec.pci.vfio.group);
	CHECK(EVENTUALLY(!access(path, R_OK)), "%s", path);
	if (!access("/dev/vfio/devices", F_OK)) {
		snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%u", rec.pci.vfio.device);
		CHECK(EVENTUALLY(!access(path, R_OK)), "%s", path);
	} else {
		CHECK_EQ(rec.pci.vfio.device, DEVIRT_INDEX_NONE);
	}
	/* It is of use: a VMM can open it. */
	fd = vfio_open(&vfio, IGB);
	CHECK(!fd, "%s", strerror(-fd));
	if (!fd)
		vfio_close(&vfio);
	close(part);
	CHECK_STR(pci_driver(IGB), "igb");
	CHECK_STR(pci_override(IGB), "(null)");
	pci_child(IGB, "net", "", name, sizeof(name));
	CHECK(name[0], "no interface");
}

TEST("a driver override that was there is there again")
{
	int part;

	REQUIRE_EQ(file_write("igb", "/sys/bus/pci/devices/" IGB "/driver_override"), 0);
	part = lease("override", IGB);
	CHECK_STR(pci_override(IGB), "vfio-pci");
	close(part);
	CHECK_STR(pci_override(IGB), "igb");
	CHECK_STR(pci_driver(IGB), "igb");
	/* Also one that the driver which it has doesn't fit. */
	REQUIRE_EQ(file_write("something-else", "/sys/bus/pci/devices/" IGB "/driver_override"), 0);
	part = lease("override", IGB);
	close(part);
	CHECK_STR(pci_override(IGB), "something-else");
	CHECK_STR(pci_driver(IGB), "igb");
}

TEST("a function without a driver has none afterwards")
{
	struct devirt_record rec = rec_pci(EDU);
	int part;

	CHECK_STR(pci_driver(EDU), "");
	part = lease_new("driverless", &rec, 1);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_STR(rec.pci.vfio.driver, "");
	CHECK_STR(pci_driver(EDU), "vfio-pci");
	close(part);
	CHECK_STR(pci_driver(EDU), "");
	/* One that usually has a driver, and that somebody has taken off. */
	REQUIRE_EQ(pci_bind(IGB, NULL), 0);
	part = lease("driverless", IGB);
	close(part);
	CHECK_STR(pci_driver(IGB), "");
}

TEST("a function that was vfio-pci's already stays that")
{
	struct devirt_record rec = rec_pci(EDU);
	int part;

	REQUIRE_EQ(pci_bind(EDU, "vfio-pci"), 0);
	part = lease_new("vfio", &rec, 1);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_STR(rec.pci.vfio.driver, "vfio-pci");
	CHECK_STR(pci_driver(EDU), "vfio-pci");
	close(part);
	CHECK_STR(pci_driver(EDU), "vfio-pci");
	CHECK_STR(pci_override(EDU), "(null)");
}

TEST("an idle disk goes to vfio-pci and comes back, whole")
{
	char disk[64], before[512] = "a", after[512] = "b";
	int part, fd;

	disk_of(DISK, disk, sizeof(disk));
	command("dd if=/dev/%s of=" SCRATCH ".before bs=64k count=16", disk);
	part = lease("disk", DISK);
	CHECK_STR(pci_driver(DISK), "vfio-pci");
	close(part);
	CHECK_STR(pci_driver(DISK), "nvme");
	disk_of(DISK, disk, sizeof(disk));
	command("udevadm settle");
	CHECK_EQ(command("dd if=/dev/%s of=" SCRATCH ".after bs=64k count=16", disk), 0);
	CHECK_EQ(command("cmp " SCRATCH ".before " SCRATCH ".after"), 0);
	fd = open(SCRATCH ".before", O_RDONLY);
	CHECK(pread(fd, before, 512, 1024) == 512);
	fd = open(SCRATCH ".after", O_RDONLY);
	CHECK(pread(fd, after, 512, 1024) == 512);
	CHECK(!memcmp(before, after, 512));
	command("rm -f " SCRATCH ".before " SCRATCH ".after");
}

TEST("power management is as it was")
{
	char before[2][16], text[16];
	int i, part;

	for (i = 0; i < 2; i++) {
		snprintf(before[i], sizeof(before[i]), i ? "on" : "auto");
		REQUIRE_EQ(file_write(before[i], "/sys/bus/pci/devices/" EDU "/power/control"), 0);
		part = lease("power", EDU);
		close(part);
		file_read(text, sizeof(text), "/sys/bus/pci/devices/" EDU "/power/control");
		CHECK_STR(text, before[i]);
	}
}

TEST("several functions come back, whichever was taken first")
{
	struct devirt_record recs[] = { rec_pci(IGB), rec_pci(DISK), rec_pci(EDU) };
	int part = lease_new("three", recs, 3);

	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_STR(pci_driver(IGB), "vfio-pci");
	CHECK_STR(pci_driver(DISK), "vfio-pci");
	CHECK_STR(pci_driver(EDU), "vfio-pci");
	close(part);
	CHECK_STR(pci_driver(IGB), "igb");
	CHECK_STR(pci_driver(DISK), "nvme");
	CHECK_STR(pci_driver(EDU), "");
}

TEST("a function that was bound to something else meanwhile gets its own driver back")
{
	int part = lease("drift", EDU);
	struct devirt_event event;

	fcntl(part, F_SETFL, O_NONBLOCK);
	CHECK(read(part, &event, sizeof(event)) == sizeof(event));
	REQUIRE_EQ(file_write(EDU, "/sys/bus/pci/drivers/vfio-pci/unbind"), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK_STR(pci_driver(EDU), "");
	part = lease("drift", IGB);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/vfio-pci/unbind"), 0);
	REQUIRE_EQ(file_write("igb", "/sys/bus/pci/devices/" IGB "/driver_override"), 0);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/igb/bind"), 0);
	fcntl(part, F_SETFL, O_NONBLOCK);
	CHECK(read(part, &event, sizeof(event)) == sizeof(event));
	CHECK_EQ(lease_release(part), 0);
	CHECK_STR(pci_driver(IGB), "igb");
	CHECK_STR(pci_override(IGB), "(null)");
	CHECK(read(part, &event, sizeof(event)) == sizeof(event));
	CHECK_EQ(event.type, DEVIRT_EVENT_DRIFT);
	CHECK_EQ(event.record, 0);
	CHECK_STR(event.detail, "rebound");
}

TEST("a function that is unplugged meanwhile is no longer held, and told of")
{
	int part = lease("unplug", EDU);
	struct devirt_event event;

	fcntl(part, F_SETFL, O_NONBLOCK);
	CHECK(read(part, &event, sizeof(event)) == sizeof(event));
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" EDU "/remove"), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
	CHECK(read(part, &event, sizeof(event)) == sizeof(event));
	CHECK_EQ(event.type, DEVIRT_EVENT_DRIFT);
	CHECK_STR(event.detail, "unplugged");
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/rescan"), 0);
	CHECK_STR(pci_driver(EDU), "");
	leasable(EDU);
}

TEST("a function whose driver was unloaded meanwhile has none afterwards")
{
	struct devirt_record recs[2] = { rec_pci(PAIR_A), rec_pci(PAIR_B) };
	int part = lease_new("unload", recs, 2);

	REQUIRE(part >= 0);
	/* A lease that kept its driver in use would be a mistake of ours. */
	REQUIRE_EQ(command("rmmod e1000"), 0);
	close(part);
	CHECK_STR(pci_driver(PAIR_A), "");
	CHECK_STR(pci_driver(PAIR_B), "");
	REQUIRE_EQ(command("modprobe e1000"), 0);
}

/* A driver that takes any function, if it is told to. */
static const char *any_driver(void)
{
	static const char *const drivers[] = { "uio_pci_generic", "pci-stub" };
	char path[64];
	int i;

	for (i = 0; i < 2; i++) {
		command("modprobe %s", drivers[i]);
		snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", drivers[i]);
		if (!access(path, F_OK))
			return drivers[i];
	}
	return NULL;
}

TEST("a function whose override names another driver gets back both, driver and override")
{
	const char *driver = any_driver();
	int part;

	if (!driver)
		SKIP("no driver that takes any function");
	REQUIRE_EQ(pci_bind(EDU, driver), 0);
	/* It fits this driver by the override only, which somebody has changed. */
	REQUIRE_EQ(file_write("nobody", "/sys/bus/pci/devices/" EDU "/driver_override"), 0);
	part = lease("changed", EDU);
	CHECK_STR(pci_driver(EDU), "vfio-pci");
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
	CHECK_STR(pci_driver(EDU), driver);
	CHECK_STR(pci_override(EDU), "nobody");
	close(part);
}

/* --------------------------------------------------------------- not leasable */

TEST("a bridge is refused")
{
	refused(BRIDGE, -EINVAL, DEVIRT_REASON_NOT_ENDPOINT, BRIDGE);
	refused("0000:00:01.0", -EINVAL, DEVIRT_REASON_NOT_ENDPOINT, "0000:00:01.0");
}

TEST("a VF is refused: it is leased by its PF")
{
	char vf[64], link[256];
	ssize_t len;

	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 0);
	len = readlink("/sys/bus/pci/devices/" IGB "/virtfn0", link, sizeof(link) - 1);
	REQUIRE(len > 0);
	link[len] = '\0';
	snprintf(vf, sizeof(vf), "%s", strrchr(link, '/') + 1);
	refused(vf, -EINVAL, DEVIRT_REASON_IS_VF, IGB);
	/* And a PF that has VFs, since they'd lose their PF driver. */
	refused(IGB, -EBUSY, DEVIRT_REASON_VFS_ENABLED, "1");
	REQUIRE_EQ(file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 0);
	leasable(IGB);
}

TEST("one of two functions in a group is refused while the other is in use")
{
	struct devirt_record both[] = { rec_pci(PAIR_A), rec_pci(PAIR_B) };
	int part, other;

	refused(PAIR_A, -EBUSY, DEVIRT_REASON_GROUP_SHARED, PAIR_B);
	refused(PAIR_B, -EBUSY, DEVIRT_REASON_GROUP_SHARED, PAIR_A);
	part = lease_new("both", both, 2);
	CHECK(part >= 0, "both: %s", strerror(-part));
	CHECK_STR(pci_driver(PAIR_A), "vfio-pci");
	CHECK_STR(pci_driver(PAIR_B), "vfio-pci");
	close(part);
	CHECK_STR(pci_driver(PAIR_A), "e1000");
	CHECK_STR(pci_driver(PAIR_B), "e1000");
	/* Nobody drives the other: nobody is harmed. */
	REQUIRE_EQ(pci_bind(PAIR_B, NULL), 0);
	part = lease("one", PAIR_A);
	CHECK_STR(pci_driver(PAIR_B), "");
	/* But it isn't another guest's then. */
	refused(PAIR_B, -EBUSY, DEVIRT_REASON_GROUP_SHARED, PAIR_A);
	close(part);
	/* The same the other way round. */
	REQUIRE_EQ(pci_bind(PAIR_A, NULL), 0);
	part = lease("one", PAIR_B);
	other = lease_create("other");
	both[0] = rec_pci(PAIR_A);
	CHECK_EQ(lease_apply(other, 0, both, 1, NULL), -EBUSY);
	CHECK_EQ(both[0].reason, DEVIRT_REASON_GROUP_SHARED);
}

TEST("without vfio-pci, and with no way to load it, it is refused")
{
	REQUIRE_EQ(file_write("/bin/false", "/proc/sys/kernel/modprobe"), 0);
	REQUIRE_EQ(command("rmmod vfio-pci"), 0);
	refused(IGB, -ENOENT, DEVIRT_REASON_NO_VFIO, "vfio-pci");
	REQUIRE_EQ(file_write("/sbin/modprobe", "/proc/sys/kernel/modprobe"), 0);
	/* And is loaded when it is needed. */
	close(lease("loads", IGB));
	CHECK_STR(pci_driver(IGB), "igb");
}

/* ---------------------------------------------------------------------- in use */

TEST("a disk that is mounted is refused, naming it")
{
	char disk[64], link[64];

	disk_of(DISK, disk, sizeof(disk));
	REQUIRE(!mkdir(SCRATCH, 0700));
	REQUIRE_EQ(command("mount LABEL=DEVIRT-DATA " SCRATCH), 0);
	snprintf(link, sizeof(link), "%s", disk);
	/* The file system may be on a partition of it, whose name begins the same. */
	struct devirt_record rec = rec_pci(DISK);
	int part = lease_create("mounted");

	CHECK_EQ(lease_apply(part, 0, &rec, 1, NULL), -EBUSY);
	CHECK_EQ(rec.reason, DEVIRT_REASON_BLOCK_CLAIMED);
	CHECK(!strncmp(rec.detail, link, strlen(link)), "\"%s\"", rec.detail);
	CHECK_STR(pci_driver(DISK), "nvme");
	/* Still mounted, still in order. */
	CHECK_EQ(command("ls " SCRATCH " && touch " SCRATCH "/devirt-test"), 0);
	REQUIRE_EQ(command("umount " SCRATCH), 0);
	CHECK_EQ(lease_apply(part, DEVIRT_APPLY_DRY_RUN, &rec, 1, NULL), 0);
}

TEST("a disk that is swapped to is refused")
{
	char disk[64];

	disk_of(NVME, disk, sizeof(disk));
	REQUIRE_EQ(command("mkswap -f /dev/%s && swapon /dev/%s", disk, disk), 0);
	refused(NVME, -EBUSY, DEVIRT_REASON_BLOCK_CLAIMED, disk);
	REQUIRE_EQ(command("swapoff /dev/%s && wipefs -a /dev/%s", disk, disk), 0);
	command("udevadm settle");
	leasable(NVME);
}

TEST("a disk that a device-mapper volume is on is refused")
{
	char disk[64];

	disk_of(NVME, disk, sizeof(disk));
	REQUIRE_EQ(command("dmsetup create devirt-test --table '0 2048 linear /dev/%s 0'", disk), 0);
	command("udevadm settle");
	refused(NVME, -EBUSY, DEVIRT_REASON_BLOCK_CLAIMED, disk);
	REQUIRE_EQ(command("dmsetup remove --retry devirt-test"), 0);
	command("udevadm settle");
	leasable(NVME);
}

TEST("a disk that a loop device is on is refused")
{
	char disk[64];
	int status;

	disk_of(NVME, disk, sizeof(disk));
	status = command("modprobe loop; losetup /dev/loop7 /dev/%s || losetup --find /dev/%s",
			 disk, disk);
	if (status)
		SKIP("no loop devices");
	refused(NVME, -EBUSY, DEVIRT_REASON_BLOCK_OPEN, disk);
	REQUIRE_EQ(command("losetup -D"), 0);
	command("udevadm settle");
	leasable(NVME);
}

TEST("a disk that is open in a process is refused")
{
	char disk[64], path[80];
	int fd;

	disk_of(NVME, disk, sizeof(disk));
	snprintf(path, sizeof(path), "/dev/%s", disk);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	REQUIRE(fd >= 0);
	refused(NVME, -EBUSY, DEVIRT_REASON_BLOCK_OPEN, disk);
	close(fd);
	/* Exclusively: then it is somebody's as a mounted one is. */
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	REQUIRE(fd >= 0);
	refused(NVME, -EBUSY, DEVIRT_REASON_BLOCK_CLAIMED, disk);
	close(fd);
	leasable(NVME);
}

TEST("a network interface with an address is refused, with only a link-local one it isn't")
{
	char name[64];

	interface(IGB, name, sizeof(name));
	REQUIRE_EQ(command("ip addr add 192.0.2.1/24 dev %s", name), 0);
	refused(IGB, -EBUSY, DEVIRT_REASON_NET_ADDRESS, name);
	REQUIRE_EQ(command("ip addr del 192.0.2.1/24 dev %s", name), 0);
	REQUIRE_EQ(command("ip addr add 2001:db8::1/64 dev %s nodad", name), 0);
	refused(IGB, -EBUSY, DEVIRT_REASON_NET_ADDRESS, name);
	REQUIRE_EQ(command("ip addr del 2001:db8::1/64 dev %s", name), 0);
	/* What a router says would give it another one as soon as it is up. */
	REQUIRE_EQ(file_write("0", "/proc/sys/net/ipv6/conf/%s/accept_ra", name), 0);
	REQUIRE_EQ(command("ip link set %s up && ip addr add fe80::1/64 dev %s nodad", name, name),
		   0);
	leasable(IGB);
}

TEST("a network interface in a bridge, a bond or below a VLAN is refused, naming that")
{
	static const char *const uppers[] = {
		"ip link add devirt-test type bridge && ip link set %s master devirt-test",
		"ip link add devirt-test type bond && ip link set %s down && "
			"ip link set %s master devirt-test",
		"ip link add link %s name devirt-test type vlan id 7",
		"ip link add link %s name devirt-test type macvlan",
	};
	char name[64], detail[160];
	int i, some = 0;

	interface(IGB, name, sizeof(name));
	REQUIRE_EQ(file_write("0", "/proc/sys/net/ipv6/conf/%s/accept_ra", name), 0);
	snprintf(detail, sizeof(detail), "%s devirt-test", name);
	for (i = 0; i < 4; i++) {
		char line[256];

		snprintf(line, sizeof(line), uppers[i], name, name);
		if (command("%s", line)) {
			printf("# can't: %s\n", line);
			command("ip link del devirt-test");
			continue;
		}
		refused(IGB, -EBUSY, DEVIRT_REASON_NET_UPPER, detail);
		REQUIRE_EQ(command("ip link del devirt-test"), 0);
		some++;
	}
	CHECK(some >= 2, "%d kinds only", some);
	leasable(IGB);
}

TEST("a function that a process uses by VFIO, outside of any lease, is refused")
{
	struct vfio vfio;
	int part;

	REQUIRE_EQ(pci_bind(EDU, "vfio-pci"), 0);
	CHECK(EVENTUALLY(!(part = vfio_open(&vfio, EDU))), "%s", strerror(-part));
	refused(EDU, -EBUSY, DEVIRT_REASON_VFIO_BUSY, EDU);
	vfio_close(&vfio);
	leasable(EDU);
}

TEST("and one whose group it is in is refused because of that one, by its name")
{
	struct vfio vfio;
	int err;

	REQUIRE_EQ(pci_bind(PAIR_A, NULL), 0);
	REQUIRE_EQ(pci_bind(PAIR_B, "vfio-pci"), 0);
	CHECK(EVENTUALLY(!(err = vfio_open(&vfio, PAIR_B))), "%s", strerror(-err));
	refused(PAIR_A, -EBUSY, DEVIRT_REASON_GROUP_SHARED, PAIR_B);
	vfio_close(&vfio);
}

/* -------------------------------------------------------------------- draining */

static int *ready;

/* A VMM: has the device open until it is killed. */
static void vmm(void *arg)
{
	struct vfio vfio;
	int i;

	close_range(3, ~0U, 0);
	for (i = 0; i < 100 && vfio_open(&vfio, arg); i++)
		tap_pause(20);
	*ready = i < 100 ? 1 : -1;
	pause();
}

static pid_t start_vmm(const char *addr)
{
	pid_t pid;

	ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = spawn(vmm, (void *)addr);
	REQUIRE(EVENTUALLY(*(volatile int *)ready));
	REQUIRE_EQ(*ready, 1);
	return pid;
}

static void draining(const char *addr, const char *driver, struct devirt_record rec)
{
	int part = lease_new("draining", &rec, 1), other, seen;
	struct devirt_record again = rec;
	struct devirt_event event;
	char state[32];
	pid_t pid;

	REQUIRE(part >= 0, "%s", strerror(-part));
	if (rec.kind == DEVIRT_KIND_VF)
		addr = pci_text(&rec.vf.addr);
	pid = start_vmm(addr);
	seen = lease_open("draining", DEVIRT_OPEN_OBSERVE);
	fcntl(seen, F_SETFL, O_NONBLOCK);
	close(part);
	file_read(state, sizeof(state), "/sys/class/devirt/draining/state");
	CHECK_STR(state, "draining");
	CHECK_EQ(lease_state(seen), DEVIRT_STATE_DRAINING);
	CHECK(read(seen, &event, sizeof(event)) == sizeof(event));
	CHECK_EQ(event.type, DEVIRT_EVENT_DRAINING);
	CHECK_EQ(event.record, 0);
	CHECK_STR(pci_driver(addr), "vfio-pci");
	/* It is nobody else's yet, and neither is the name. */
	other = lease_create("other");
	CHECK_EQ(lease_apply(other, 0, &again, 1, NULL), -EBUSY);
	CHECK_EQ(again.reason, DEVIRT_REASON_OWNED);
	CHECK_EQ(lease_create("draining"), -EEXIST);
	CHECK(read(seen, &event, sizeof(event)) < 0 && errno == EAGAIN);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* Back by itself. */
	CHECK(EVENTUALLY(lease_state(seen) == DEVIRT_STATE_RELEASED));
	CHECK(read(seen, &event, sizeof(event)) == sizeof(event));
	CHECK_EQ(event.type, DEVIRT_EVENT_RELEASED);
	CHECK_STR(pci_driver(addr), driver);
	CHECK_EQ(lease_apply(other, 0, &again, 1, NULL), 0);
}

TEST("a device in use when its lease ends is drained, and comes back by itself")
{
	draining(IGB, "igb", rec_pci(IGB));
}

TEST("a VF in use when its lease ends is drained, and comes back by itself")
{
	draining(IGB, "", rec_vf(IGB, 0, 2));
}

TEST("what isn't in use comes back at once while the rest is draining")
{
	struct devirt_record recs[] = { rec_pci(DISK), rec_pci(EDU), rec_memory(2 * MIB, 2, 0),
					rec_cpu(4, 0, 0), rec_cpu(5, 0, 0) };
	long before = file_number("/proc/sys/vm/nr_hugepages");
	int part = lease_new("partly", recs, 5), seen, other;
	struct devirt_get get;
	pid_t pid;

	REQUIRE(part >= 0);
	pid = start_vmm(EDU);
	seen = lease_open("partly", DEVIRT_OPEN_OBSERVE);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_DRAINING);
	CHECK_EQ(file_number("/proc/sys/vm/nr_hugepages"), before);
	CHECK_STR(pci_driver(DISK), "nvme");
	CHECK_STR(pci_driver(EDU), "vfio-pci");
	CHECK_EQ(lease_get(seen, &get, recs, 5), 0);
	CHECK_EQ(recs[0].state, DEVIRT_STATE_RELEASED);
	CHECK_EQ(recs[1].state, DEVIRT_STATE_DRAINING);
	CHECK_EQ(recs[2].state, DEVIRT_STATE_RELEASED);
	/* Another may have it already. */
	recs[3] = rec_cpu(4, 0, 0);
	recs[4] = rec_cpu(5, 0, 0);
	other = lease_new("other", &recs[3], 2);
	CHECK(other >= 0, "%s", strerror(-other));
	/* Releasing it again changes nothing. */
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_DRAINING);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(EVENTUALLY(lease_state(part) == DEVIRT_STATE_RELEASED));
	CHECK_STR(pci_driver(EDU), "");
}

TEST("a VMM that ends before its lease leaves nothing to drain")
{
	int part = lease("ends", IGB), seen;
	pid_t pid = start_vmm(IGB);

	seen = lease_open("ends", DEVIRT_OPEN_OBSERVE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(part);
	CHECK_EQ(lease_state(seen), DEVIRT_STATE_RELEASED);
	CHECK_STR(pci_driver(IGB), "igb");
}
