// SPDX-License-Identifier: GPL-2.0
/*
 * All VFs that the NVMe PF can have, each in a partition of its own: made by the
 * first lease, leased by eight processes at the same time, all in use through VFIO
 * at once (a command to each controller, its answer by DMA and an interrupt), and
 * returned in any order, half of them while they are still open. Then all is as it
 * was.
 *
 *	scripts/vm --machine many -- tests/run stress many-vfs	127 VFs
 *	scripts/vm -- tests/run stress many-vfs			4
 */
#include <linux/vfio.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "device.h"
#include "lease.h"
#include "nvme.h"

#define TAP_SECONDS	1500
#include "tap.h"

#define PROCESSES	8
#define VFS_MAX		256
#define IOVA		0x100000ULL
#define PAGE		4096

/* NVMe's registers. */
enum { CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30, TAIL = 0x1000, HEAD = 0x1004 };

/* Of all processes: how many have come how far, and what went wrong. */
static struct shared {
	volatile int steps[3];
	volatile int errors;
	volatile unsigned char seen[65536];
} *shared;

struct slice {
	int part;
	struct devirt_record rec;
	struct vfio vfio;
	int event;
	unsigned char *memory;
};

static int wrong(const char *what, int index, int err)
{
	__sync_fetch_and_add(&shared->errors, 1);
	printf("# VF %d: %s: %s\n", index, what, err < 0 ? strerror(-err) : "no");
	return 0;
}

/* Waits for all processes. */
static void together(int step, int count)
{
	__sync_fetch_and_add(&shared->steps[step], 1);
	while (shared->steps[step] < count)
		tap_pause(20);
}

static int take(struct slice *slice, int index)
{
	char name[32];

	snprintf(name, sizeof(name), "many-%d", index);
	slice->rec = rec_vf(NVME, DEVIRT_VF_ANY, 0);
	slice->rec.vf.settings.set = DEVIRT_VF_SET_QUEUES | DEVIRT_VF_SET_VECTORS;
	slice->rec.vf.settings.nvme.queues = 2;
	slice->rec.vf.settings.nvme.vectors = 1;
	slice->vfio.device = -1;
	slice->part = lease_new(name, &slice->rec, 1);
	if (slice->part >= 0)
		return 1;
	printf("# reason %u, \"%s\"\n", slice->rec.reason, slice->rec.detail);
	return wrong("lease", index, slice->part);
}

/* Identify Controller: asked and answered in memory, told by an interrupt. */
static int use(struct slice *slice, int index)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = IOVA, .size = 4 * PAGE,
	};
	struct pollfd poller = { .events = POLLIN };
	unsigned char *queue, *answer, *data;
	unsigned int number;
	int err = 0;

	if (!EVENTUALLY(!(err = vfio_open(&slice->vfio, pci_text(&slice->rec.vf.addr)))))
		return wrong("open", index, err);
	slice->memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			     -1, 0);
	map.vaddr = (unsigned long)slice->memory;
	if (ioctl(slice->vfio.container, VFIO_IOMMU_MAP_DMA, &map))
		return wrong("map", index, -errno);
	queue = slice->memory;
	answer = queue + PAGE;
	data = queue + 2 * PAGE;
	slice->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = device_irqs(&slice->vfio, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1, &slice->event);
	if (!err)
		err = device_enable(&slice->vfio);
	if (err)
		return wrong("set up", index, err);
	device_write(&slice->vfio, AQA, 1 << 16 | 1);
	device_write(&slice->vfio, ASQ, IOVA);
	device_write(&slice->vfio, ASQ + 4, 0);
	device_write(&slice->vfio, ACQ, IOVA + PAGE);
	device_write(&slice->vfio, ACQ + 4, 0);
	device_write(&slice->vfio, CC, 4 << 20 | 6 << 16 | 1);
	if (!EVENTUALLY(device_read(&slice->vfio, CSTS) & 3) ||
	    (device_read(&slice->vfio, CSTS) & 3) != 1)
		return wrong("the controller isn't ready", index, 0);
	queue[0] = 0x06;
	queue[2] = 1;
	*(unsigned long long *)(queue + 24) = IOVA + 2 * PAGE;
	queue[40] = 1;
	device_write(&slice->vfio, TAIL, 1);
	poller.fd = slice->event;
	if (poll(&poller, 1, 60000) != 1)
		return wrong("no interrupt", index, 0);
	/* Its status, the first time around. */
	if ((answer[14] | answer[15] << 8) != 1)
		return wrong("the command failed", index, 0);
	device_write(&slice->vfio, HEAD, 1);
	if (memcmp(data + 4, "DEVIRT-SRIOV", 12))
		return wrong("that isn't its serial number", index, 0);
	number = data[78] | data[79] << 8;
	if (__sync_lock_test_and_set(&shared->seen[number], 1))
		return wrong("another VF has its number", index, 0);
	return 1;
}

static void give(struct slice *slice, bool open)
{
	if (open && slice->part >= 0)
		close(slice->part);
	if (slice->vfio.device >= 0)
		vfio_close(&slice->vfio);
	if (!open && slice->part >= 0)
		close(slice->part);
}

static void process(int number, int total)
{
	struct slice slices[VFS_MAX / PROCESSES + 1], other;
	unsigned long long seed = number + 1;
	int count = 0, index, i, k;

	for (index = number; index < total; index += PROCESSES)
		take(&slices[count++], index);
	together(0, PROCESSES);
	for (i = 0; i < count; i++) {
		if (slices[i].part >= 0)
			use(&slices[i], number + i * PROCESSES);
	}
	together(1, PROCESSES + 1);
	for (i = count - 1; i > 0; i--) {
		k = prng(&seed) % (i + 1);
		other = slices[i];
		slices[i] = slices[k];
		slices[k] = other;
	}
	for (i = 0; i < count; i++)
		give(&slices[i], prng(&seed) % 2);
}

TEST("every VF leased and returned by eight processes, all in use at the same time")
{
	long total = file_number("/sys/bus/pci/devices/" NVME "/sriov_totalvfs");
	int number, status, fd;
	struct nvme_vf vf;

	REQUIRE(total > 0 && total <= VFS_MAX, "%ld", total);
	REQUIRE_EQ(nvme_share(NVME), 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	for (number = 0; number < PROCESSES; number++) {
		if (!fork()) {
			process(number, total);
			exit(0);
		}
	}
	while (shared->steps[1] < PROCESSES)
		tap_pause(20);
	CHECK_EQ(file_number("/sys/bus/pci/devices/" NVME "/sriov_numvfs"), total);
	CHECK_EQ(tap_partitions(), total);
	together(1, PROCESSES + 1);
	for (number = 0; number < PROCESSES; number++) {
		CHECK(wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status), "%#x", status);
	}
	CHECK_EQ(shared->errors, 0);
	CHECK(EVENTUALLY(!tap_partitions()));
	CHECK(EVENTUALLY(!file_number("/sys/bus/pci/devices/" NVME "/sriov_numvfs")));
	fd = nvme_open(NVME);
	for (number = 0; number < total; number++) {
		REQUIRE_EQ(nvme_read_vf(fd, number, &vf), 0);
		CHECK(!vf.online && !vf.has[NVME_QUEUES] && !vf.has[NVME_VECTORS], "VF %d", number);
	}
	printf("# %ld VFs\n", total);
}
