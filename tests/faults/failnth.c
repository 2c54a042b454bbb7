// SPDX-License-Identifier: GPL-2.0
/* Operations of a lease, each of whose allocations fails once; see nth.h. */
#include <fcntl.h>
#include <sys/eventfd.h>

#include "device.h"
#include "nvme.h"
#include "pf.h"
#include "nth.h"

/* ------------------------------------------------------------- operations */

static int prepare_new(void)
{
	int part = lease_create("faults");

	REQUIRE(part >= 0, "%s", strerror(-part));
	return part;
}

static int device = -1, created = -1;

static int prepare_device(void)
{
	if (device < 0)
		device = lease_device();
	REQUIRE(device >= 0, "%s", strerror(-device));
	return device;
}

static int create(int fd)
{
	struct devirt_create arg = { .size = sizeof(arg), .name = "faults" };

	created = lease_ioctl(fd, DEVIRT_CREATE, &arg);
	return created;
}

static void close_created(int fd, int err)
{
	if (created >= 0)
		close(created);
}

static void close_part(int fd, int err)
{
	close(fd);
}

static bool disk_there(void)
{
	char controller[32], path[64], disk[32];

	pci_child(DISK, "nvme", "nvme", controller, sizeof(controller));
	snprintf(path, sizeof(path), "nvme/%s", controller);
	pci_child(DISK, path, "nvme", disk, sizeof(disk));
	return controller[0] && disk[0];
}

/* Its driver has it again. */
static int prepare_disk(void)
{
	REQUIRE(EVENTUALLY(disk_there()));
	return prepare_new();
}

static struct devirt_record recs[8];
static unsigned int count;

static int apply(int fd)
{
	/* The outputs of the last one are ignored, but index any is an output. */
	struct devirt_record mine[8];

	memcpy(mine, recs, sizeof(mine));
	return lease_apply(fd, 0, mine, count, NULL);
}

/* A refused partition is as new: without faults it takes the same. */
static void apply_again(int fd, int err)
{
	if (err < 0)
		CHECK_EQ(apply(fd), 0);
	close(fd);
}

static void describe(unsigned int n, const struct devirt_record *what)
{
	memcpy(recs, what, n * sizeof(*what));
	count = n;
}

static int prepare_held(void)
{
	int part = prepare_new();

	REQUIRE_EQ(apply(part), 0);
	return part;
}

static int get(int fd)
{
	struct devirt_record got[8];
	struct devirt_get arg;

	return lease_get(fd, &arg, got, 8);
}

static int stats(int fd)
{
	static struct devirt_cpu_stats cpus[CPUS];
	static struct devirt_intruder intruders[256];
	struct devirt_stats arg = {
		.size = sizeof(arg),
		.cpus = (unsigned long)cpus, .cpu_count = CPUS, .cpu_size = sizeof(cpus[0]),
		.intruders = (unsigned long)intruders, .intruder_count = 256,
		.intruder_size = sizeof(intruders[0]),
	};

	return lease_ioctl(fd, DEVIRT_STATS, &arg);
}

static int attach(int fd)
{
	return lease_attach(fd, getpid());
}

static void describe_all(void)
{
	struct devirt_record all[] = {
		rec_cpu(2, DEVIRT_ROLE_VCPU, 0), rec_cpu(3, DEVIRT_ROLE_EMULATOR, 0),
		rec_memory(2 * MIB, 2, 0), rec_pci(EDU), rec_vf(NVME, DEVIRT_VF_ANY, 1),
	};

	describe(5, all);
}

TEST("create")
{
	nth_setup(NULL);
	nth_all("create", prepare_device, create, close_created);
}

TEST("apply of CPUs")
{
	struct devirt_record cpus[] = { rec_cpu(2, DEVIRT_ROLE_VCPU, 0),
					rec_cpu(3, DEVIRT_ROLE_NONE, 0) };

	nth_setup(NULL);
	cpus[0].cpu.latency_us = 20;
	describe(2, cpus);
	nth_all("apply of CPUs", prepare_new, apply, apply_again);
}

TEST("apply of memory, on a node and anywhere")
{
	struct devirt_record memory[] = { rec_memory(2 * MIB, 2, 0),
					  rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY) };

	nth_setup(NULL);
	describe(2, memory);
	nth_all("apply of memory", prepare_new, apply, apply_again);
}

TEST("apply of a function without a driver")
{
	struct devirt_record pci = rec_pci(EDU);

	nth_setup(NULL);
	describe(1, &pci);
	nth_all("apply of a function", prepare_new, apply, apply_again);
}

TEST("apply of a disk's controller")
{
	struct devirt_record pci = rec_pci(DISK);

	nth_setup(NULL);
	describe(1, &pci);
	/* Not again when it failed: the driver takes a second to come back. */
	nth_all("apply of a disk's controller", prepare_disk, apply, close_part);
}

TEST("apply of a VF, whose pool has to be made")
{
	struct devirt_record vf = rec_vf(NVME, DEVIRT_VF_ANY, 1);

	nth_setup(NULL);
	describe(1, &vf);
	nth_all("apply of a VF", prepare_new, apply, close_part);
}

/* A pool that is there already, so that only the settings are new. */
static void nth_settings(const char *what, struct devirt_record *vf)
{
	const char *pf = pci_text(&vf->vf.pf);
	char addr[16];

	snprintf(addr, sizeof(addr), "%s", pf);
	REQUIRE_EQ(pf_pool(addr, 1, NULL), 0);
	nth_setup(NULL);
	describe(1, vf);
	nth_all(what, prepare_new, apply, apply_again);
	REQUIRE_EQ(pf_pool(addr, 0, NULL), 0);
}

TEST("apply of a network card's VF with settings")
{
	struct devirt_record vf = rec_vf(IGB, 0, 0);

	vf.vf.settings.set = DEVIRT_VF_SET_MAC | DEVIRT_VF_SET_VLAN | DEVIRT_VF_SET_SPOOFCHK |
			     DEVIRT_VF_SET_TRUST;
	memcpy(vf.vf.settings.net.mac, "\x52\x54\x00\x0a\x00\x01", 6);
	vf.vf.settings.net.vlan = 10;
	vf.vf.settings.net.trust = 1;
	nth_settings("apply of a network card's VF", &vf);
}

TEST("apply of an NVMe controller's VF with settings")
{
	struct devirt_record vf = rec_vf(NVME, 0, 0);

	REQUIRE_EQ(nvme_share(NVME), 0);
	vf.vf.settings.set = DEVIRT_VF_SET_QUEUES | DEVIRT_VF_SET_VECTORS;
	vf.vf.settings.nvme.queues = 3;
	vf.vf.settings.nvme.vectors = 2;
	nth_settings("apply of an NVMe controller's VF", &vf);
}

TEST("apply of a graphics card's VF with a type, by the vendor's driver")
{
	struct devirt_record vf = rec_vgpu(0, 1104);

	/* The first driver gets new VFs. */
	command("udevadm settle; modprobe -r igbvf");
	REQUIRE_EQ(vgpu_load(), 0);
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	nth_setup(NULL);
	describe(1, &vf);
	nth_all("apply of a graphics card's VF", prepare_new, apply, apply_again);
	REQUIRE_EQ(pf_set_vfs(IGB, 0), 0);
	REQUIRE_EQ(command("rmmod " VGPU_DRIVER), 0);
}

static int size_pool(int fd)
{
	struct devirt_pool_size arg = { .size = sizeof(arg), .pf = pci_addr(NVME), .count = 1 };

	return lease_ioctl(fd, DEVIRT_POOL, &arg);
}

static void drop_pool(int fd, int err)
{
	CHECK_EQ(pf_pool(NVME, 0, NULL), 0);
}

/* Not igb's: short of memory once, it does without MSI-X, and so without VFs, for ever. */
TEST("a pool that is sized ahead")
{
	nth_setup(NULL);
	nth_all("a pool", prepare_device, size_pool, drop_pool);
}

TEST("apply of a mediated device")
{
	struct devirt_record mdev = rec_mdev("mbochs", "mbochs-small", NULL);

	REQUIRE_EQ(command("modprobe mbochs"), 0);
	nth_setup(NULL);
	describe(1, &mdev);
	nth_all("apply of a mediated device", prepare_new, apply, apply_again);
	REQUIRE_EQ(command("rmmod mbochs"), 0);
}

TEST("get of all kinds")
{
	nth_setup(NULL);
	describe_all();
	nth_all("get", prepare_held, get, close_part);
}

TEST("stats of all kinds")
{
	nth_setup(NULL);
	describe_all();
	nth_all("stats", prepare_held, stats, close_part);
}

TEST("attach")
{
	struct devirt_record cpus[] = { rec_cpu(2, DEVIRT_ROLE_VCPU, 0),
					rec_cpu(3, DEVIRT_ROLE_EMULATOR, 0) };

	nth_setup(NULL);
	describe(2, cpus);
	nth_all("attach", prepare_held, attach, close_part);
}

static struct vfio vfio;

/* Opened, and used by nobody yet. */
static int prepare_open(void)
{
	int part = prepare_held();

	REQUIRE_EQ(vfio_open(&vfio, EDU), 0);
	return part;
}

/* Its interrupt is set up; this process is recognised by that, and it is placed. */
static int use(int fd)
{
	int event = eventfd(0, EFD_CLOEXEC), err;

	if (event < 0)
		return -errno;
	err = device_irqs(&vfio, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &event);
	close(event);
	return err;
}

/* Without faults it succeeds, and all that was to be done for it is done then. */
static void use_again(int fd, int err)
{
	struct devirt_get arg;
	int irq;

	device_irqs_off(&vfio, VFIO_PCI_MSI_IRQ_INDEX);
	CHECK_EQ(use(fd), 0);
	CHECK_EQ(irqs_of(EDU, &irq), 1);
	CHECK_EQ(irq_affinity(irq), 1 << 3);
	CHECK(lease_get(fd, &arg, NULL, 0) == -EMSGSIZE && arg.vmm == (unsigned int)getpid());
	vfio_close(&vfio);
	close(fd);
}

TEST("the first use of a device, and where its interrupts are")
{
	struct devirt_record all[] = { rec_pci(EDU), rec_cpu(2, DEVIRT_ROLE_VCPU, 0),
				       rec_cpu(3, DEVIRT_ROLE_NONE, 0) };

	all[0].pci.irq.policy = DEVIRT_IRQ_FIXED;
	all[0].pci.irq.cpu = 3;
	nth_setup(NULL);
	describe(3, all);
	nth_all("first use", prepare_open, use, use_again);
}

static int release(int fd)
{
	return lease_release(fd);
}

/*
 * It allocates nothing of its own in the caller: if the arguments arrive it
 * can't fail, and if they don't everything is held as before.
 */
TEST("release of all kinds")
{
	unsigned int nth, errors = 0;
	bool fired = true;

	nth_setup(NULL);
	describe_all();
	for (nth = 1; fired && nth < 100; nth++) {
		int fd = prepare_held(), err;

		nth_arm(nth);
		err = release(fd);
		fired = nth_fired();
		errors += err < 0;
		CHECK(!err || (fired && err == -EFAULT), "with fault %u: %s", nth, strerror(-err));
		CHECK_EQ(lease_state(fd), err ? DEVIRT_STATE_HELD : DEVIRT_STATE_RELEASED);
		close(fd);
		look(nth);
	}
	CHECK(!fired);
	printf("# release: each of %u allocations failed once, %u errors\n", nth - 2, errors);
}
