// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: the first, the second and so on until an
 * operation makes no more of them; or every third, with FAULTS_STEP=3. Each time
 * it succeeds or returns an error, and the host is as before when the descriptor
 * is closed. Splats and leaks are scripts/vm's to find.
 *
 * The faults are the calling task's alone (/proc/self/task/TID/fail-nth), so
 * they hit all that an ioctl does, the PCI core's, VFIO's and a driver's
 * allocations among it (and copies from and to the caller), and not the worker
 * that gives things back. A few are spared, see nth_setup().
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "device.h"
#include "nvme.h"
#include "pf.h"
#include "tap.h"

/* Far more than any operation makes: one that never ends has gone wrong. */
#define FAULTS_MAX	20000
/* A full look at the host takes about as long as an operation. */
#define LOOK_EVERY	16
#define SLABS		"/sys/kernel/slab"

static int nth_fd;
/* From one allocation that fails to the next: FAULTS_STEP in the environment. */
static unsigned int nth_step = 1;
static struct host before;

/*
 * Not what these allocate, nor what they call: the kernel itself can't cope with
 * it. A device that pci_setup_device() couldn't name, or that pci_device_add()
 * could only half add, is warned about; the caller isn't told, and stops the
 * machine over what such a device has left behind. vfio_create_group() warns
 * about the group that it didn't make, unregister_irq_proc() about files that
 * register_irq_proc() couldn't, and iommu_group_release_dma_owner(), which VFIO
 * calls as well, about the host's own page table that it couldn't put back.
 */
#define SPARED	"pci_setup_device,pci_device_add,vfio_create_group,register_irq_proc," \
		"iommu_group_release_dma_owner"

static void nth_spare_functions(void)
{
	if (!access("/sys/module/devirt_spare", F_OK))
		return;
	command("modprobe vfio-pci");
	REQUIRE_EQ(command("insmod /devirt/build/%s/devirt_spare.ko symbols=" SPARED,
			   getenv("DEVIRT_KERNEL") ?: "debug"), 0);
}

/*
 * Nor the notes that kmemleak takes of each allocation, for which it has a
 * reserve; nor those by which ACPI's interpreter counts references: a thousand
 * a time, in one place, when a function's interrupt line is looked up.
 */
static void nth_spare_caches(void)
{
	struct dirent *entry;
	DIR *dir = opendir(SLABS);
	int chosen = 0;

	REQUIRE(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "kmemleak_object") &&
		    strcmp(entry->d_name, "Acpi-State"))
			chosen += !file_write("1", SLABS "/%s/failslab", entry->d_name);
	}
	closedir(dir);
	REQUIRE(chosen > 100, "%d caches", chosen);
	REQUIRE_EQ(file_number(SLABS "/kmalloc-64/failslab"), 1);
	REQUIRE_EQ(file_write("Y", "/sys/kernel/debug/failslab/cache-filter"), 0);
}

/*
 * udev opens each disk that appears, and takes longer for that than all the rest.
 * Its events have a listener nevertheless, for the sake of their allocations.
 */
static void nth_without_udev(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int sock = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	REQUIRE(sock >= 0 && !bind(sock, (void *)&addr, sizeof(addr)));
	command("udevadm control --exit 2>/dev/null");
}

static void nth_setup(void)
{
	char path[64];

	if (access("/sys/kernel/debug/failslab", F_OK))
		SKIP("this kernel has no fault injection");
	/* Also where the kernel would rather wait for memory. */
	REQUIRE_EQ(file_write("N", "/sys/kernel/debug/failslab/ignore-gfp-wait"), 0);
	REQUIRE_EQ(file_write("0", "/sys/kernel/debug/failslab/verbose"), 0);
	if (getenv("FAULTS_STEP"))
		nth_step = atoi(getenv("FAULTS_STEP"));
	REQUIRE(nth_step > 0);
	nth_spare_functions();
	nth_spare_caches();
	nth_without_udev();
	REQUIRE_EQ(file_write("N", "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait"), 0);
	REQUIRE_EQ(file_write("N", "/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem"), 0);
	REQUIRE_EQ(file_write("0", "/sys/kernel/debug/fail_page_alloc/min-order"), 0);
	REQUIRE_EQ(file_write("0", "/sys/kernel/debug/fail_page_alloc/verbose"), 0);
	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth", (long)syscall(SYS_gettid));
	nth_fd = open(path, O_RDWR | O_CLOEXEC);
	REQUIRE(nth_fd >= 0, "%s", strerror(errno));
	/* Most of an operation's time is spent waiting for grace periods. */
	REQUIRE_EQ(file_write("1", "/sys/kernel/rcu_expedited"), 0);
	/* The harness' limit is for tests that do one thing. */
	alarm(1500);
	host_take(&before, false);
}

static void nth_arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	REQUIRE_EQ(pwrite(nth_fd, text, len, 0), len);
}

/*
 * Did it fire in the operation? It counts down to zero. If it didn't it may hit
 * these calls, which is no answer and does no harm. Faults are off afterwards.
 */
static bool nth_fired(void)
{
	char text[16] = "";
	bool fired;
	int tries;

	fired = pread(nth_fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	for (tries = 0; pwrite(nth_fd, "0", 1, 0) != 1; tries++)
		REQUIRE(tries < 3, "%s", strerror(errno));
	return fired;
}

static void look(unsigned int nth)
{
	struct host now;

	CHECK(EVENTUALLY(!tap_partitions()), "a partition is left after fault %u", nth);
	host_take(&now, false);
	if (host_diff(&before, &now, stdout, "# ")) {
		CHECK(false, "the host has changed, by fault %u at the latest", nth);
		exit(1);
	}
	host_free(&now);
}

/**
 * nth_all - let every allocation of an operation fail
 * @what: the operation's name
 * @prepare: makes what it works on; without faults
 * @operate: the operation; returns 0 or -errno
 * @finish: ends it, given what @operate returned; without faults
 */
static void nth_all(const char *what, int (*prepare)(void), int (*operate)(int fd),
		    void (*finish)(int fd, int err))
{
	unsigned int nth, faults = 0, errors = 0;
	bool fired = true;

	for (nth = 1; fired && nth < FAULTS_MAX; nth += nth_step) {
		int fd = prepare(), err;

		nth_arm(nth);
		err = operate(fd);
		fired = nth_fired();
		faults += fired;
		errors += err < 0;
		if (!fired)
			CHECK(err >= 0, "%s without a fault: %s", what, strerror(-err));
		else if (err < 0)
			CHECK(err == -ENOMEM || err == -ENODEV || err == -EIO || err == -ENOSPC ||
			      err == -EBUSY || err == -EINVAL || err == -EFAULT ||
			      err == -ENOENT || err == -EOPNOTSUPP,
			      "%s with fault %u: %s", what, nth, strerror(-err));
		finish(fd, err);
		if (faults % LOOK_EVERY == 0)
			look(nth);
	}
	look(nth);
	CHECK(!fired, "%s makes more than %u allocations", what, FAULTS_MAX);
	CHECK(faults > 0, "not one fault in %s", what);
	CHECK(errors > 0, "%s never failed", what);
	printf("# %s: %u allocations failed, one of %u, %u errors\n", what, faults, nth_step,
	       errors);
}

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
	nth_setup();
	nth_all("create", prepare_device, create, close_created);
}

TEST("apply of CPUs")
{
	struct devirt_record cpus[] = { rec_cpu(2, DEVIRT_ROLE_VCPU, 0),
					rec_cpu(3, DEVIRT_ROLE_NONE, 0) };

	nth_setup();
	cpus[0].cpu.latency_us = 20;
	describe(2, cpus);
	nth_all("apply of CPUs", prepare_new, apply, apply_again);
}

TEST("apply of memory, on a node and anywhere")
{
	struct devirt_record memory[] = { rec_memory(2 * MIB, 2, 0),
					  rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY) };

	nth_setup();
	describe(2, memory);
	nth_all("apply of memory", prepare_new, apply, apply_again);
}

TEST("apply of a function without a driver")
{
	struct devirt_record pci = rec_pci(EDU);

	nth_setup();
	describe(1, &pci);
	nth_all("apply of a function", prepare_new, apply, apply_again);
}

TEST("apply of a disk's controller")
{
	struct devirt_record pci = rec_pci(DISK);

	nth_setup();
	describe(1, &pci);
	/* Not again when it failed: the driver takes a second to come back. */
	nth_all("apply of a disk's controller", prepare_disk, apply, close_part);
}

TEST("apply of a VF, whose pool has to be made")
{
	struct devirt_record vf = rec_vf(NVME, DEVIRT_VF_ANY, 1);

	nth_setup();
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
	nth_setup();
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
	struct devirt_record vf = rec_vf(IGB, 0, 0);

	/* The first driver gets new VFs. */
	command("udevadm settle; modprobe -r igbvf");
	REQUIRE_EQ(command("insmod /devirt/build/%s/devirt_vgpu.ko", getenv("DEVIRT_KERNEL")), 0);
	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	nth_setup();
	vf.vf.settings.set = DEVIRT_VF_SET_VGPU;
	vf.vf.settings.gpu.type = 1104;
	describe(1, &vf);
	nth_all("apply of a graphics card's VF", prepare_new, apply, apply_again);
	REQUIRE_EQ(pf_set_vfs(IGB, 0), 0);
	REQUIRE_EQ(command("rmmod devirt_vgpu"), 0);
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
	nth_setup();
	nth_all("a pool", prepare_device, size_pool, drop_pool);
}

TEST("apply of a mediated device")
{
	struct devirt_record mdev = rec_mdev("mbochs", "mbochs-small", NULL);

	REQUIRE_EQ(command("modprobe mbochs"), 0);
	nth_setup();
	describe(1, &mdev);
	nth_all("apply of a mediated device", prepare_new, apply, apply_again);
	REQUIRE_EQ(command("rmmod mbochs"), 0);
}

TEST("get of all kinds")
{
	nth_setup();
	describe_all();
	nth_all("get", prepare_held, get, close_part);
}

TEST("stats of all kinds")
{
	nth_setup();
	describe_all();
	nth_all("stats", prepare_held, stats, close_part);
}

TEST("attach")
{
	struct devirt_record cpus[] = { rec_cpu(2, DEVIRT_ROLE_VCPU, 0),
					rec_cpu(3, DEVIRT_ROLE_EMULATOR, 0) };

	nth_setup();
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
	nth_setup();
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

	nth_setup();
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
