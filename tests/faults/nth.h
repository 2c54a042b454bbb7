/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every allocation fails once: the first, the second and so on until an
 * operation makes no more of them; or every third, with FAULTS_STEP=3. Each time
 * it succeeds or returns an error, and the host is as before when the descriptor
 * is closed. Splats and leaks are scripts/vm's to find.
 *
 * The faults are the calling task's alone (/proc/self/task/TID/fail-nth), so
 * they hit all that an ioctl does, the PCI core's, VFIO's and a driver's
 * allocations among it (and copies from and to the caller), and not the worker
 * that gives things back. A few are spared, see nth_setup(). Where an operation is
 * mostly the kernel's own they hit one function of it only (nth_setup("function")).
 */
#ifndef NTH_H
#define NTH_H

#include <dirent.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "lease.h"
#include "tap.h"

/* Far more than any operation makes: one that never ends has gone wrong. */
#define FAULTS_MAX	20000
/* A full look at the host takes about as long as an operation. */
#define LOOK_EVERY	16
#define SLABS		"/sys/kernel/slab"
#define SPARE		"/sys/module/devirt_spare/parameters/"

static int nth_fd;
static const char *nth_only;
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

/* @only: the one function that they hit, or NULL: all of an operation. */
static void nth_spare_functions(const char *only)
{
	char was[64];

	nth_only = only;
	if (file_read(was, sizeof(was), SPARE "only") >= 0) {
		if (!strcmp(was, only ?: "(null)"))
			return;
		REQUIRE_EQ(command("rmmod devirt_spare"), 0);
	}
	command("modprobe vfio-pci");
	REQUIRE_EQ(command("insmod /devirt/build/%s/devirt_spare.ko symbols=" SPARED " %s%s",
			   getenv("DEVIRT_KERNEL") ?: "debug", only ? "only=" : "", only ?: ""), 0);
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

static void nth_setup(const char *only)
{
	char path[64];

	REQUIRE(!access("/sys/kernel/debug/failslab", F_OK), "no fault injection: for debug only");
	/* Also where the kernel would rather wait for memory. */
	REQUIRE_EQ(file_write("N", "/sys/kernel/debug/failslab/ignore-gfp-wait"), 0);
	REQUIRE_EQ(file_write("0", "/sys/kernel/debug/failslab/verbose"), 0);
	if (getenv("FAULTS_STEP"))
		nth_step = atoi(getenv("FAULTS_STEP"));
	REQUIRE(nth_step > 0);
	nth_spare_functions(only);
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

	if (nth_only) {
		REQUIRE_EQ(file_write(text, SPARE "nth"), 0);
		return;
	}
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

	if (nth_only) {
		REQUIRE(file_number(SPARE "calls") > 0, "nothing calls %s", nth_only);
		fired = !file_number(SPARE "left");
		REQUIRE_EQ(file_write("0", SPARE "nth"), 0);
		return fired;
	}
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

#endif
