// SPDX-License-Identifier: GPL-2.0
/* This host's functions, as entries of reserve.conf see them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/sysfs.h"
#include "cli.h"
#include "reserve.h"

#define PCI_DIR		"/sys/bus/pci/devices"
#define PARAMETERS	"/sys/module/devirt/parameters"
#define CAP_SERIAL	3	/* extended capability */

static uint64_t read_serial(const char *addr)
{
	unsigned char space[4096];
	char path[PATH_MAX];
	unsigned int at = 0x100, tries;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), PCI_DIR "/%s/config", addr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = pread(fd, space, sizeof(space), 0);
	close(fd);
	if (got != sizeof(space))
		return 0;
	for (tries = 0; at >= 0x100 && at <= sizeof(space) - 12 && tries < 1024; tries++) {
		uint64_t serial = 0;

		if ((space[at] | space[at + 1] << 8) == CAP_SERIAL) {
			for (int i = 11; i >= 4; i--)
				serial = serial << 8 | space[at + i];
			return serial;
		}
		at = (space[at + 2] | space[at + 3] << 8) >> 4 & ~3U;
	}
	return 0;
}

static uint16_t read_id(const char *addr, const char *name)
{
	long long number;

	return dv_read_number(&number, PCI_DIR "/%s/%s", addr, name) ? 0 : number;
}

void reserve_facts(const struct devirt_device *device, struct devirt_facts *facts)
{
	char text[DEVIRT_ADDR_TEXT], link[64], target[PATH_MAX], *part, *rest;
	struct devirt_pci_addr addr;
	unsigned int domain, bus;
	size_t hops = 0;

	memset(facts, 0, sizeof(*facts));
	devirt_addr_format(&device->addr, text);
	facts->at.domain = device->addr.domain;
	facts->at.bus = device->addr.bus;
	facts->at.devfn = device->addr.devfn;
	facts->root.domain = device->addr.domain;
	facts->vendor = device->vendor;
	facts->device = device->device;
	facts->subvendor = read_id(text, "subsystem_vendor");
	facts->subdevice = read_id(text, "subsystem_device");
	facts->serial = read_serial(text);
	snprintf(link, sizeof(link), PCI_DIR "/%s", text);
	if (!realpath(link, target))
		return;
	/* /sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0 */
	for (part = strtok_r(target, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
		if (sscanf(part, "pci%x:%x", &domain, &bus) == 2)
			facts->root.bus = bus;
		else if (!devirt_addr_parse(part, &addr) && hops++ < DEVIRT_MATCH_HOPS)
			facts->path[hops - 1] = addr.devfn;
	}
	facts->hops = hops <= DEVIRT_MATCH_HOPS ? hops : 0;
}

char *reserve_path(const struct devirt_facts *facts)
{
	char *text = NULL;

	if (!facts->hops)
		return NULL;
	if (facts->root.domain)
		dv_append(&text, "path:%04x:%02x:", facts->root.domain, facts->root.bus);
	else
		dv_append(&text, "path:%02x:", facts->root.bus);
	for (int i = 0; i < facts->hops; i++)
		dv_append(&text, "%s%02x.%d", i ? "/" : "", facts->path[i] >> 3,
			  facts->path[i] & 7);
	return text;
}

char *reserve_serial(const struct devirt_facts *facts)
{
	char *text = NULL;

	if (!facts->serial)
		return NULL;
	dv_append(&text, "serial:");
	for (int i = 7; i >= 0; i--)
		dv_append(&text, "%02x%s", (unsigned int)(facts->serial >> 8 * i & 0xff),
			  i ? "-" : "");
	return text;
}

bool reserve_active(const struct devirt_pci_addr *addr)
{
	char text[4096], one[DEVIRT_ADDR_TEXT], *at;
	size_t length;

	devirt_addr_format(addr, one);
	length = strlen(one);
	if (dv_read(text, sizeof(text), PARAMETERS "/reserved") < 0)
		return false;
	for (at = text; (at = strstr(at, one)); at += length)
		if ((at == text || at[-1] == ' ') && (!at[length] || at[length] == ' '))
			return true;
	return false;
}

char *reserve_needed(const struct devirt_device *device)
{
	char *users = NULL;

	/* an interface's address is the admin's to give up */
	if (!strcmp(device->kind, "net") || !strcmp(device->kind, "wireless") ||
	    !strcmp(device->kind, "display") || device->is_vf ||
	    !strcmp(device->driver, "vfio-pci"))
		return NULL;
	return devirt_device_users(&device->addr, &users) ? NULL : users;
}

int reserve_host_read(struct reserve_host *host)
{
	int ret;

	memset(host, 0, sizeof(*host));
	ret = devirt_device_list(&host->devices, &host->count);
	if (ret)
		return ret;
	host->facts = calloc(host->count + 1, sizeof(*host->facts));
	if (!host->facts) {
		reserve_host_free(host);
		return -ENOMEM;
	}
	for (size_t i = 0; i < host->count; i++)
		reserve_facts(&host->devices[i], &host->facts[i]);
	return 0;
}

void reserve_host_free(struct reserve_host *host)
{
	free(host->devices);
	free(host->facts);
	memset(host, 0, sizeof(*host));
}

bool reserve_means(const struct reserve_entry *entry, const struct reserve_host *host, size_t i)
{
	return host->devices[i].is_endpoint && !host->devices[i].is_vf &&
	       devirt_match_fits(&entry->match, &host->facts[i]);
}

static void refuse_one(struct reserve_entry *entry, const struct reserve_host *host)
{
	char addr[DEVIRT_ADDR_TEXT], *users;

	for (size_t i = 0; i < host->count; i++) {
		if (!reserve_means(entry, host, i))
			continue;
		users = reserve_needed(&host->devices[i]);
		if (!users)
			continue;
		entry->refused = true;
		dv_append(&entry->why, "the host needs %s: %s",
			  devirt_addr_format(&host->devices[i].addr, addr), users);
		free(users);
		return;
	}
}

size_t reserve_refuse(struct reserve *reserve, const struct reserve_host *host)
{
	size_t refused = 0;

	for (size_t i = 0; i < reserve->count; i++) {
		refuse_one(&reserve->v[i], host);
		refused += reserve->v[i].refused;
	}
	return refused;
}
