// SPDX-License-Identifier: LGPL-2.1-or-later
/* vGPU types that a card's VFs offer by attributes of the vendor's driver. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libdevirt.h"
#include "sysfs.h"

/* Where vendors' drivers list them, below the VF's folder: "ID : NAME" lines. */
static const char *const lists[] = { "nvidia/creatable_vgpu_types" };

static int add(struct devirt_vgpu_type **types, size_t *count, unsigned int id, const char *name)
{
	struct devirt_vgpu_type *grown;
	size_t at = 0;

	while (at < *count && (*types)[at].id < id)
		at++;
	if (at < *count && (*types)[at].id == id) {
		(*types)[at].vfs++;
		return 0;
	}
	grown = reallocarray(*types, *count + 1, sizeof(**types));
	if (!grown)
		return -ENOMEM;
	*types = grown;
	memmove(&grown[at + 1], &grown[at], (*count - at) * sizeof(*grown));
	memset(&grown[at], 0, sizeof(*grown));
	grown[at].id = id;
	grown[at].vfs = 1;
	snprintf(grown[at].name, sizeof(grown[at].name), "%s", name);
	++*count;
	return 0;
}

static int add_list(struct devirt_vgpu_type **types, size_t *count, char *text)
{
	char *line, *next = NULL, *name;
	unsigned int id;
	int at, ret = 0;

	for (line = strtok_r(text, "\n", &next); line && !ret; line = strtok_r(NULL, "\n", &next)) {
		at = 0;
		if (sscanf(line, "%u : %n", &id, &at) != 1 || !at)
			continue;
		name = line + at;
		for (size_t end = strlen(name); end && name[end - 1] == ' ';)
			name[--end] = '\0';
		ret = add(types, count, id, name);
	}
	return ret;
}

int devirt_vgpu_types(const struct devirt_pci_addr *pf, struct devirt_vgpu_type **types,
		      size_t *count)
{
	char addr[DEVIRT_ADDR_TEXT], text[4096];
	struct devirt_pci_addr vf;
	int ret = 0;

	*types = NULL;
	*count = 0;
	for (unsigned int index = 0; !ret && !devirt_device_vf(pf, index, &vf); index++) {
		devirt_addr_format(&vf, addr);
		for (size_t i = 0; !ret && i < sizeof(lists) / sizeof(*lists); i++)
			if (dv_read(text, sizeof(text), "/sys/bus/pci/devices/%s/%s", addr,
				    lists[i]) >= 0)
				ret = add_list(types, count, text);
	}
	if (ret) {
		free(*types);
		*types = NULL;
		*count = 0;
	}
	return ret;
}

/* "NVIDIA A16-2Q", or without the vendor: "A16-2Q" */
static bool is_called(const struct devirt_vgpu_type *type, const char *name)
{
	const char *last = strrchr(type->name, ' ');

	return !strcasecmp(type->name, name) || (last && !strcasecmp(last + 1, name));
}

int devirt_vgpu_type(const struct devirt_pci_addr *pf, const char *name, unsigned int *id)
{
	struct devirt_vgpu_type *types;
	size_t count;
	int ret = devirt_vgpu_types(pf, &types, &count);

	if (ret)
		return ret;
	ret = -ENOENT;
	for (size_t i = 0; i < count && ret; i++) {
		if (is_called(&types[i], name)) {
			*id = types[i].id;
			ret = 0;
		}
	}
	free(types);
	return ret;
}
