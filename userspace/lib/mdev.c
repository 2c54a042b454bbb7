// SPDX-License-Identifier: LGPL-2.1-or-later
/* Mediated devices: parents, and the types that they make. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libdevirt.h"
#include "sysfs.h"

#define PARENTS	"/sys/class/mdev_bus"

int devirt_uuid_parse(const char *text, uint8_t uuid[16])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	char digits[3] = "";
	int byte = 0;

	if (strlen(text) != sizeof(form) - 1)
		return -EINVAL;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return -EINVAL;
	for (size_t i = 0; form[i]; i += 2) {
		i += form[i] == '-';
		memcpy(digits, text + i, 2);
		uuid[byte++] = strtoul(digits, NULL, 16);
	}
	return 0;
}

char *devirt_uuid_format(const uint8_t uuid[16], char text[DEVIRT_UUID_TEXT])
{
	char *at = text;

	for (int i = 0; i < 16; i++)
		at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			      uuid[i]);
	return text;
}

bool devirt_uuid_is_null(const uint8_t uuid[16])
{
	static const uint8_t none[16];

	return !memcmp(uuid, none, sizeof(none));
}

/* The size that begins at @text, "16 MB", "1024M", "2GiB"; 0 where there is none. */
static uint64_t size_at(const char *text, const char **end)
{
	static const char units[] = "KMGT";
	uint64_t number = 0;
	const char *unit;

	for (; isdigit((unsigned char)*text); text++)
		number = number < 1ULL << 30 ? number * 10 + (*text - '0') : number;
	*end = text;
	text += *text == ' ';
	unit = *text ? strchr(units, toupper((unsigned char)*text)) : NULL;
	if (!unit)
		return 0;
	text++;
	if (*text == 'i')
		text++;
	if (*text == 'B' || *text == 'b')
		text++;
	/* "4 Monitors" is no size */
	if (isalnum((unsigned char)*text))
		return 0;
	return number << (10 * (unit - units + 1));
}

/*
 * How much memory a type has is said in words alone. NVIDIA's have a number of
 * such words, and its framebuffer is what counts; else it is the largest size.
 */
static uint64_t memory_in(const char *text)
{
	const char *named = strstr(text, "framebuffer="), *end;
	uint64_t most = 0, size;

	if (named)
		return size_at(named + strlen("framebuffer="), &end);
	while (*text) {
		if (!isdigit((unsigned char)*text)) {
			text++;
			continue;
		}
		size = size_at(text, &end);
		if (size > most)
			most = size;
		text = end;
	}
	return most;
}

int devirt_mdev_read_type(const char *parent, const char *name, struct devirt_mdev_type *type)
{
	long long number = 0;
	char **devices;
	size_t count;
	int ret;

	memset(type, 0, sizeof(*type));
	if (strlen(parent) >= sizeof(type->parent) || strlen(name) >= sizeof(type->type))
		return -ENAMETOOLONG;
	strcpy(type->parent, parent);
	strcpy(type->type, name);
	ret = dv_read_number(&number, PARENTS "/%s/mdev_supported_types/%s/available_instances",
			     parent, name);
	if (ret < 0)
		return ret;
	type->available = number;
	dv_read(type->name, sizeof(type->name), PARENTS "/%s/mdev_supported_types/%s/name", parent,
		name);
	dv_read(type->api, sizeof(type->api), PARENTS "/%s/mdev_supported_types/%s/device_api",
		parent, name);
	dv_read(type->description, sizeof(type->description),
		PARENTS "/%s/mdev_supported_types/%s/description", parent, name);
	/* some have a line for each property */
	for (char *at = type->description; (at = strchr(at, '\n')); at++)
		*at = ' ';
	type->memory = memory_in(type->description);
	if (!type->memory)
		type->memory = memory_in(type->name);
	type->node = DEVIRT_NODE_ANY;
	if (!dv_read_number(&number, PARENTS "/%s/numa_node", parent) && number >= 0)
		type->node = number;
	ret = dv_list(&devices, &count, PARENTS "/%s/mdev_supported_types/%s/devices", parent,
		      name);
	if (ret)
		return ret;
	type->made = count;
	devirt_free_names(devices, count);
	return 0;
}

static int add_parent(struct devirt_mdev_type **types, size_t *count, const char *parent)
{
	char **names;
	size_t found;
	int ret;

	ret = dv_list(&names, &found, PARENTS "/%s/mdev_supported_types", parent);
	if (ret)
		return ret;
	for (size_t i = 0; i < found && !ret; i++) {
		struct devirt_mdev_type *more;

		more = reallocarray(*types, *count + 1, sizeof(*more));
		if (!more) {
			ret = -ENOMEM;
			break;
		}
		*types = more;
		/* what goes while it is looked at was never there */
		if (!devirt_mdev_read_type(parent, names[i], &more[*count]))
			(*count)++;
	}
	devirt_free_names(names, found);
	return ret;
}

int devirt_mdev_types(struct devirt_mdev_type **types, size_t *count)
{
	char **parents;
	size_t found;
	int ret;

	*types = NULL;
	*count = 0;
	ret = dv_list(&parents, &found, PARENTS);
	for (size_t i = 0; i < found && !ret; i++)
		ret = add_parent(types, count, parents[i]);
	devirt_free_names(parents, found);
	if (ret) {
		free(*types);
		*types = NULL;
		*count = 0;
	}
	return ret;
}
