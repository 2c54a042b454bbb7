// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"

static int set_irqs(const struct vfio *vfio, struct vfio_irq_set *set)
{
	return ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, set) ? -errno : 0;
}

/* Vectors from @start on each get an eventfd, or none where that is -1. */
int device_irqs(const struct vfio *vfio, unsigned int index, unsigned int start,
		unsigned int count, const int *fds)
{
	char room[sizeof(struct vfio_irq_set) + VECTORS_MAX * sizeof(*fds)];
	struct vfio_irq_set *set = (void *)room;

	set->argsz = sizeof(*set) + count * sizeof(*fds);
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = index;
	set->start = start;
	set->count = count;
	memcpy(set->data, fds, count * sizeof(*fds));
	return set_irqs(vfio, set);
}

int device_irqs_off(const struct vfio *vfio, unsigned int index)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
	};

	return set_irqs(vfio, &set);
}

int device_irq_count(const struct vfio *vfio, unsigned int index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	return ioctl(vfio->device, VFIO_DEVICE_GET_IRQ_INFO, &info) ? -errno : (int)info.count;
}

/* Any of them. */
int device_ioctl(const struct vfio *vfio)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	return ioctl(vfio->device, VFIO_DEVICE_GET_INFO, &info) ? -errno : 0;
}

static off_t region(const struct vfio *vfio, unsigned int index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	return ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &info) ? -1 : (off_t)info.offset;
}

/* Its registers answer, and it may send messages. */
int device_enable(const struct vfio *vfio)
{
	off_t config = region(vfio, VFIO_PCI_CONFIG_REGION_INDEX);
	unsigned short command;

	if (pread(vfio->device, &command, 2, config + PCI_COMMAND) != 2)
		return -errno;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	return pwrite(vfio->device, &command, 2, config + PCI_COMMAND) == 2 ? 0 : -errno;
}

int device_write(const struct vfio *vfio, unsigned int reg, unsigned int value)
{
	return pwrite(vfio->device, &value, 4,
		      region(vfio, VFIO_PCI_BAR0_REGION_INDEX) + reg) == 4 ? 0 : -errno;
}

unsigned int device_read(const struct vfio *vfio, unsigned int reg)
{
	unsigned int value = 0;

	if (pread(vfio->device, &value, 4,
		  region(vfio, VFIO_PCI_BAR0_REGION_INDEX) + reg) != 4)
		abort();
	return value;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Numbers of a function's messages, in order: how many. */
int irqs_of(const char *addr, int *irqs)
{
	struct dirent *entry;
	char path[128];
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/msi_irqs", addr);
	dir = opendir(path);
	while (dir && count < VECTORS_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			irqs[count++] = atoi(entry->d_name);
	}
	if (dir)
		closedir(dir);
	qsort(irqs, count, sizeof(*irqs), compare);
	return count;
}

/* The number of its legacy line, while it has no messages. */
int line_of(const char *addr)
{
	return file_number("/sys/bus/pci/devices/%s/irq", addr);
}

/* The CPUs it may be handled on; 0 if there is no such interrupt. */
unsigned long irq_affinity(int irq)
{
	char text[64];

	if (file_read(text, sizeof(text), "/proc/irq/%d/smp_affinity", irq))
		return 0;
	return strtoul(text, NULL, 16);
}

/* What an admin writes to say where it may be handled; 0 or -errno. */
int irq_write(int irq, unsigned long mask)
{
	char text[32];

	snprintf(text, sizeof(text), "%lx", mask);
	return file_write(text, "/proc/irq/%d/smp_affinity", irq);
}

/* Has somebody asked for it? Then there is a folder of that name. */
bool irq_used(int irq)
{
	struct dirent *entry;
	char path[64];
	bool used = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/irq/%d", irq);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		used |= entry->d_type == DT_DIR && entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return used;
}

/* May an admin move it? Then it may be written as it is. */
bool irq_movable(int irq)
{
	unsigned long mask = irq_affinity(irq);

	return mask && irq_used(irq) && !irq_write(irq, mask);
}

/* The CPU it is handled on, -errno if that can't be told. */
int irq_effective(int irq)
{
	return file_number("/proc/irq/%d/effective_affinity_list", irq);
}

/* How often it was, on a CPU, from /proc/interrupts. */
unsigned long irq_handled(int irq, int cpu)
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned long count = 0;
	char line[1024], *at;
	int i;

	while (file && fgets(line, sizeof(line), file)) {
		if (strtol(line, &at, 10) != irq || *at != ':')
			continue;
		at++;
		for (i = 0; i <= cpu; i++)
			count = strtoul(at, &at, 10);
		break;
	}
	if (file)
		fclose(file);
	return count;
}
