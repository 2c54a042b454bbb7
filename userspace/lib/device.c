// SPDX-License-Identifier: LGPL-2.1-or-later
/* PCI functions, as sysfs tells. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "libdevirt.h"
#include "sysfs.h"

#define PCI_DIR		"/sys/bus/pci/devices"
#define HEADER_TYPE	0x0e	/* in configuration space */

static const char *kind_of(uint32_t class_code)
{
	static const struct {
		uint32_t value;
		uint32_t mask;
		const char *kind;
	} kinds[] = {
		{ 0x010800, 0xffff00, "nvme" },
		{ 0x010000, 0xff0000, "storage" },
		{ 0x020000, 0xff0000, "net" },
		{ 0x0d0000, 0xff0000, "wireless" },
		{ 0x030000, 0xff0000, "display" },
		{ 0x040000, 0xff0000, "media" },
		{ 0x050000, 0xff0000, "memory" },
		{ 0x060000, 0xff0000, "bridge" },
		{ 0x070000, 0xff0000, "serial" },
		{ 0x0c0300, 0xffff00, "usb" },
		{ 0x0c0000, 0xff0000, "bus" },
		{ 0x100000, 0xff0000, "crypto" },
		{ 0x0b0000, 0xff0000, "processor" },
		{ 0x120000, 0xff0000, "accel" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if ((class_code & kinds[i].mask) == kinds[i].value)
			return kinds[i].kind;
	return "other";
}

/* Names of the class devices that are a part of the function. */
static void add_names(struct devirt_device *device, const char *class_name)
{
	long long hidden;
	char **names;
	size_t count;

	if (dv_list(&names, &count, "/sys/class/%s", class_name))
		return;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(device->names);

		/* whole disks, not their partitions, nor the paths of one disk */
		if (!strcmp(class_name, "block") &&
		    (dv_exists("/sys/class/block/%s/partition", names[i]) ||
		     (!dv_read_number(&hidden, "/sys/class/block/%s/hidden", names[i]) &&
		      hidden)))
			continue;
		/* card0 is the device, card0-HDMI-A-1 one of its plugs */
		if (!strcmp(class_name, "drm") &&
		    (strncmp(names[i], "card", 4) || strchr(names[i], '-')))
			continue;
		if (!dv_belongs_to(class_name, names[i], &device->addr))
			continue;
		if (length + strlen(names[i]) + 2 > sizeof(device->names))
			break;
		if (length)
			device->names[length++] = ' ';
		strcpy(device->names + length, names[i]);
	}
	devirt_free_names(names, count);
}

static bool is_endpoint(const char *addr, uint32_t class_code)
{
	char path[PATH_MAX];
	unsigned char header = 0;
	int fd;

	if (class_code >> 16 == 0x06)
		return false;
	snprintf(path, sizeof(path), PCI_DIR "/%s/config", addr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	if (pread(fd, &header, 1, HEADER_TYPE) != 1)
		header = 0;
	close(fd);
	return !(header & 0x7f);
}

int devirt_device_read(const struct devirt_pci_addr *addr, struct devirt_device *device)
{
	char text[DEVIRT_ADDR_TEXT], link[64];
	long long number;

	memset(device, 0, sizeof(*device));
	device->addr = *addr;
	device->node = DEVIRT_NODE_ANY;
	device->group = -1;
	devirt_addr_format(addr, text);
	if (dv_read_number(&number, PCI_DIR "/%s/class", text))
		return -ENODEV;
	device->class_code = number;
	if (!dv_read_number(&number, PCI_DIR "/%s/vendor", text))
		device->vendor = number;
	if (!dv_read_number(&number, PCI_DIR "/%s/device", text))
		device->device = number;
	if (!dv_read_number(&number, PCI_DIR "/%s/numa_node", text) && number >= 0)
		device->node = number;
	if (!dv_read_number(&number, PCI_DIR "/%s/sriov_totalvfs", text))
		device->vfs_total = number;
	if (!dv_read_number(&number, PCI_DIR "/%s/sriov_numvfs", text))
		device->vfs = number;
	if (!dv_link_name(link, sizeof(link), PCI_DIR "/%s/iommu_group", text))
		device->group = atoi(link);
	if (!dv_link_name(link, sizeof(link), PCI_DIR "/%s/physfn", text))
		device->is_vf = !devirt_addr_parse(link, &device->pf);
	dv_link_name(device->driver, sizeof(device->driver), PCI_DIR "/%s/driver", text);
	device->is_endpoint = is_endpoint(text, device->class_code);
	snprintf(device->kind, sizeof(device->kind), "%s", kind_of(device->class_code));
	if (!device->is_endpoint)
		return 0;
	add_names(device, "net");
	add_names(device, "block");
	add_names(device, "drm");
	return 0;
}

static int by_address(const void *left, const void *right)
{
	const struct devirt_pci_addr *a = &((const struct devirt_device *)left)->addr;
	const struct devirt_pci_addr *b = &((const struct devirt_device *)right)->addr;

	if (a->domain != b->domain)
		return a->domain < b->domain ? -1 : 1;
	return (a->bus << 8 | a->devfn) - (b->bus << 8 | b->devfn);
}

int devirt_device_list(struct devirt_device **devices, size_t *count)
{
	struct devirt_pci_addr addr;
	size_t n, found = 0;
	char **names;
	int ret;

	*devices = NULL;
	*count = 0;
	ret = dv_list(&names, &n, PCI_DIR);
	if (ret)
		return ret;
	*devices = calloc(n + 1, sizeof(**devices));
	if (!*devices) {
		ret = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		if (devirt_addr_parse(names[i], &addr))
			continue;
		/* one that is unplugged meanwhile is no error */
		if (!devirt_device_read(&addr, *devices + found))
			found++;
	}
	*count = found;
	qsort(*devices, found, sizeof(**devices), by_address);
out:
	devirt_free_names(names, n);
	return ret;
}

int devirt_device_by_netif(const char *netif, struct devirt_pci_addr *addr)
{
	char path[PATH_MAX], target[PATH_MAX], *name;

	memset(addr, 0, sizeof(*addr));
	if (!*netif || strchr(netif, '/') || netif[0] == '.')
		return -EINVAL;
	if (!dv_exists("/sys/class/net/%s", netif))
		return -ENODEV;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", netif);
	if (!realpath(path, target))
		return -ENODEV;
	/* a virtio interface is a part of a virtio device of a PCI function */
	while ((name = strrchr(target, '/'))) {
		if (!devirt_addr_parse(name + 1, addr))
			return 0;
		*name = '\0';
	}
	return -ENODEV;
}

int devirt_device_vf(const struct devirt_pci_addr *pf, unsigned int index,
		     struct devirt_pci_addr *addr)
{
	char text[DEVIRT_ADDR_TEXT], link[64];

	devirt_addr_format(pf, text);
	if (dv_link_name(link, sizeof(link), PCI_DIR "/%s/virtfn%u", text, index))
		return -ENODEV;
	return devirt_addr_parse(link, addr);
}
