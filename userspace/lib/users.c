// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who uses a device: mounts, swap, holders, interfaces, processes. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libmount.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "libdevirt.h"
#include "sysfs.h"

static void also(char **text, const char *words)
{
	dv_append(text, "%s%s", *text ? ", " : "", words);
}

/* ------------------------------------------------------------------ disks */

static char *mounted_on(dev_t number)
{
	struct libmnt_table *table;
	struct libmnt_fs *fs;
	char *text = NULL;

	table = mnt_new_table();
	if (table && !mnt_table_parse_mtab(table, NULL)) {
		/* by number: one disk has many names */
		fs = mnt_table_find_devno(table, number, MNT_ITER_FORWARD);
		if (fs && mnt_fs_get_target(fs))
			dv_append(&text, "is mounted on %s", mnt_fs_get_target(fs));
	}
	mnt_unref_table(table);
	return text;
}

static bool is_swap(dev_t number)
{
	char line[PATH_MAX + 64], path[PATH_MAX];
	bool found = false;
	struct stat st;
	FILE *file;

	file = fopen("/proc/swaps", "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%4095s", path) != 1 || path[0] != '/')
			continue;
		found = !stat(path, &st) && S_ISBLK(st.st_mode) && st.st_rdev == number;
	}
	fclose(file);
	return found;
}

/* "dm-0" means little to people: device mapper and md know better names. */
static void friendly_name(const char *name, char text[128])
{
	char mapped[100];

	if (dv_read(mapped, sizeof(mapped), "/sys/class/block/%s/dm/name", name) > 0)
		snprintf(text, 128, "%s (%.20s)", mapped, name);
	else
		snprintf(text, 128, "%.100s", name);
}

char *dv_disk_use(const char *name)
{
	unsigned int major_number, minor_number;
	char number[32], holder[128];
	char *text = NULL, *mount;
	char **names;
	size_t count;

	if (strchr(name, '/') ||
	    dv_read(number, sizeof(number), "/sys/class/block/%s/dev", name) < 0 ||
	    sscanf(number, "%u:%u", &major_number, &minor_number) != 2)
		return NULL;
	mount = mounted_on(makedev(major_number, minor_number));
	if (mount)
		return mount;
	if (is_swap(makedev(major_number, minor_number)))
		return strdup("is swap space");
	if (dv_list(&names, &count, "/sys/class/block/%s/holders", name))
		return NULL;
	if (count) {
		friendly_name(names[0], holder);
		dv_append(&text, "is a part of %s", holder);
	}
	devirt_free_names(names, count);
	return text;
}

/* Something has it exclusively that can't be seen from here. */
static bool is_claimed(const char *name)
{
	char path[PATH_MAX];
	int fd;

	/* opening a drive without a medium makes it look for one */
	if (dv_exists("/sys/class/block/%s/device/media", name) || !strncmp(name, "sr", 2))
		return false;
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EBUSY;
}

static void add_disks(const struct devirt_pci_addr *addr, char **text)
{
	const char *claimed = NULL;
	char **names;
	size_t count;

	if (dv_list(&names, &count, "/sys/class/block"))
		return;
	for (size_t i = 0; i < count; i++) {
		char *use;

		if (!dv_belongs_to("block", names[i], addr))
			continue;
		use = dv_disk_use(names[i]);
		if (use)
			dv_append(text, "%s%s %s", *text ? ", " : "", names[i], use);
		else if (is_claimed(names[i]))
			claimed = names[i];
		free(use);
	}
	/* a whole disk counts as claimed when one of its partitions is */
	if (claimed && !*text)
		dv_append(text, "%s is claimed, perhaps mounted in another namespace", claimed);
	devirt_free_names(names, count);
}

/* ------------------------------------------------------------- interfaces */

static void add_addresses(const char *netif, char **text)
{
	struct ifaddrs *all, *one;
	char host[NI_MAXHOST];

	if (getifaddrs(&all))
		return;
	for (one = all; one; one = one->ifa_next) {
		socklen_t length;

		if (strcmp(one->ifa_name, netif) || !one->ifa_addr)
			continue;
		if (one->ifa_addr->sa_family == AF_INET)
			length = 16;
		else if (one->ifa_addr->sa_family == AF_INET6)
			length = 28;
		else
			continue;
		if (getnameinfo(one->ifa_addr, length, host, sizeof(host), NULL, 0,
				NI_NUMERICHOST))
			continue;
		/* the kernel makes link-local ones by itself: that is no use */
		if (!strncmp(host, "fe80:", 5))
			continue;
		dv_append(text, "%s%s has address %s", *text ? ", " : "", netif, host);
	}
	freeifaddrs(all);
}

static void add_interfaces(const struct devirt_pci_addr *addr, char **text)
{
	char **names, **links;
	size_t count, n;

	if (dv_list(&names, &count, "/sys/class/net"))
		return;
	for (size_t i = 0; i < count; i++) {
		if (!dv_belongs_to("net", names[i], addr))
			continue;
		add_addresses(names[i], text);
		if (dv_list(&links, &n, "/sys/class/net/%s", names[i]))
			continue;
		for (size_t k = 0; k < n; k++)
			if (!strncmp(links[k], "upper_", 6))
				dv_append(text, "%s%s is a part of %s", *text ? ", " : "",
					  names[i], links[k] + 6);
		devirt_free_names(links, n);
	}
	devirt_free_names(names, count);
}

/* -------------------------------------------------------------- processes */

char *devirt_process_name(uint32_t pid)
{
	char name[64];
	char *text = NULL;

	if (dv_read(name, sizeof(name), "/proc/%u/comm", pid) > 0)
		dv_append(&text, "%s (pid %u)", name, pid);
	else
		dv_append(&text, "pid %u", pid);
	return text;
}

static bool has_open(const char *pid, const char *const paths[2])
{
	char path[PATH_MAX], target[PATH_MAX];
	bool found = false;
	char **names;
	ssize_t length;
	size_t count;

	if (dv_list(&names, &count, "/proc/%s/fd", pid))
		return false;
	for (size_t i = 0; i < count && !found; i++) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, names[i]);
		length = readlink(path, target, sizeof(target) - 1);
		if (length <= 0)
			continue;
		target[length] = '\0';
		found = !strcmp(target, paths[0]) || !strcmp(target, paths[1]);
	}
	devirt_free_names(names, count);
	return found;
}

int devirt_vfio_users(uint32_t group, uint32_t device, char **text)
{
	char group_path[64], device_path[64] = "";
	const char *const paths[2] = { group_path, device_path };
	char **names;
	size_t count;
	int ret;

	*text = NULL;
	snprintf(group_path, sizeof(group_path), "/dev/vfio/%u", group);
	if (device != DEVIRT_INDEX_NONE)
		snprintf(device_path, sizeof(device_path), "/dev/vfio/devices/vfio%u", device);
	ret = dv_list(&names, &count, "/proc");
	if (ret)
		return ret;
	for (size_t i = 0; i < count; i++) {
		char *name;

		if (!isdigit((unsigned char)names[i][0]) || !has_open(names[i], paths))
			continue;
		name = devirt_process_name(strtoul(names[i], NULL, 10));
		if (name)
			also(text, name);
		free(name);
	}
	devirt_free_names(names, count);
	return 0;
}

int devirt_device_users(const struct devirt_pci_addr *addr, char **text)
{
	char address[DEVIRT_ADDR_TEXT], group[32], driver[64], **names;
	uint32_t vfio_device = DEVIRT_INDEX_NONE;
	char *users = NULL;
	size_t count;

	*text = NULL;
	add_disks(addr, text);
	add_interfaces(addr, text);
	devirt_addr_format(addr, address);
	if (dv_link_name(driver, sizeof(driver), "/sys/bus/pci/devices/%s/driver", address) ||
	    !strstr(driver, "vfio") ||
	    dv_link_name(group, sizeof(group), "/sys/bus/pci/devices/%s/iommu_group", address))
		return 0;
	if (!dv_list(&names, &count, "/sys/bus/pci/devices/%s/vfio-dev", address)) {
		if (count && !strncmp(names[0], "vfio", 4))
			vfio_device = strtoul(names[0] + 4, NULL, 10);
		devirt_free_names(names, count);
	}
	if (!devirt_vfio_users(strtoul(group, NULL, 10), vfio_device, &users) && users)
		dv_append(text, "%s%s has it open", *text ? ", " : "", users);
	free(users);
	return 0;
}
