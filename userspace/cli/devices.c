// SPDX-License-Identifier: GPL-2.0
/* devirt devices: what could be leased, and what is in the way. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "held.h"
#include "reserve.h"

/* "lab" or "in use: nvme0n1p2 is mounted on /"; free(). NULL: it is free. */
static char *state_of(const struct devirt_device *device, const struct held *held)
{
	const char *partition = held_function(held, &device->addr);
	char *users = NULL, *text = NULL;

	if (partition) {
		if (asprintf(&text, "leased: %s", partition) < 0)
			text = NULL;
		return text;
	}
	if (!device->is_endpoint || devirt_device_users(&device->addr, &users) || !users)
		return reserve_active(&device->addr) ? strdup("reserved") : NULL;
	if (asprintf(&text, "in use: %s", users) < 0)
		text = NULL;
	free(users);
	return text;
}

static unsigned int free_vfs(const struct devirt_device *device, const struct held *held)
{
	unsigned int leased = held_vfs(held, &device->addr);

	return device->vfs > leased ? device->vfs - leased : 0;
}

/* What graphics cards offer their VFs, below the table. */
static void print_types(const struct devirt_device *device)
{
	struct devirt_vgpu_type *types;
	char addr[DEVIRT_ADDR_TEXT];
	size_t count;

	if (!device->vfs || devirt_vgpu_types(&device->addr, &types, &count))
		return;
	for (size_t i = 0; i < count; i++)
		printf("%s %s: vgpu-type=%u, %s\n", i ? "   " : "VFs of",
		       devirt_addr_format(&device->addr, addr), types[i].id, types[i].name);
	free(types);
}

static struct json_object *json_types(const struct devirt_device *device)
{
	struct json_object *array = json_object_new_array(), *one;
	struct devirt_vgpu_type *types = NULL;
	size_t count = 0;

	if (device->vfs)
		devirt_vgpu_types(&device->addr, &types, &count);
	for (size_t i = 0; i < count; i++) {
		one = json_object_new_object();
		json_object_object_add(one, "id", json_object_new_int64(types[i].id));
		json_object_object_add(one, "name", json_text(types[i].name));
		json_object_object_add(one, "vfs", json_object_new_int64(types[i].vfs));
		json_object_array_add(array, one);
	}
	free(types);
	return array;
}

static void print_table(const struct devirt_device *devices, size_t count,
			const struct held *held)
{
	static const char *const headings[] = { "ADDRESS", "KIND", "NAME", "DRIVER", "NODE>",
						"GROUP>", "VFS>", "USE~", NULL };
	struct libscols_table *table = table_new(headings);
	char addr[DEVIRT_ADDR_TEXT];
	bool vfs = false;

	for (size_t i = 0; i < count; i++) {
		const struct devirt_device *device = &devices[i];
		struct libscols_line *line;
		char *state;

		if (!opt.all && (!device->is_endpoint || device->is_vf))
			continue;
		line = table_line(table);
		state = state_of(device, held);
		table_cell(line, 0, "%s", devirt_addr_format(&device->addr, addr));
		table_cell(line, 1, "%s", device->kind);
		/* a controller may have many disks: the first will do */
		table_cell(line, 2, "%.*s%s", (int)strcspn(device->names, " "),
			   device->names[0] ? device->names : "-",
			   strchr(device->names, ' ') ? "+" : "");
		table_cell(line, 3, "%s", device->driver[0] ? device->driver : "-");
		table_cell(line, 4, device->node < 0 ? "-" : "%d", device->node);
		table_cell(line, 5, device->group < 0 ? "-" : "%d", device->group);
		if (device->vfs_total) {
			vfs = true;
			table_cell(line, 6, "%u/%u/%u", free_vfs(device, held), device->vfs,
				   device->vfs_total);
		} else {
			table_cell(line, 6, "-");
		}
		if (state && !strncmp(state, "in use", 6))
			table_color(line, 7, "brown");
		else if (!state && device->group < 0 && device->is_endpoint)
			table_color(line, 7, "red");
		if (device->is_vf)
			table_cell(line, 7, "%s%sVF of %s", state ? state : "", state ? "; " : "",
				   devirt_addr_format(&device->pf, addr));
		else
			table_cell(line, 7, "%s", state ? state :
				   device->group < 0 && device->is_endpoint ? "no IOMMU group" :
				   device->is_endpoint ? "free" : "-");
		free(state);
	}
	table_print(table, stdout);
	if (vfs)
		printf("VFS: free, made, and how many there can be.\n");
	for (size_t i = 0; i < count; i++)
		print_types(&devices[i]);
}

/* "web 2, lab 1": which partitions have how many of a type; free(). NULL: none. */
static char *holders_of(const struct held *held, const struct devirt_mdev_type *type)
{
	char *text = NULL;
	size_t size;
	FILE *file;

	file = open_memstream(&text, &size);
	if (!file)
		return NULL;
	for (size_t i = 0; i < held->count; i++) {
		unsigned int count = held_mdevs(&held->v[i], type);

		if (count)
			fprintf(file, "%s%s %u", ftell(file) ? ", " : "", held->v[i].get.name, count);
	}
	fclose(file);
	if (text && !*text) {
		free(text);
		text = NULL;
	}
	return text;
}

static void print_mdevs(const struct devirt_mdev_type *types, size_t count,
			const struct held *held)
{
	static const char *const headings[] = { "PARENT", "MEDIATED TYPE", "LEFT>", "MADE>",
						"NODE>", "WHAT~", NULL };
	struct libscols_table *table = table_new(headings);

	for (size_t i = 0; i < count; i++) {
		const struct devirt_mdev_type *type = &types[i];
		struct libscols_line *line = table_line(table);
		char *holders = holders_of(held, type);

		table_cell(line, 0, "%s", type->parent);
		table_cell(line, 1, "%s", type->type);
		table_cell(line, 2, "%u", type->available);
		table_cell(line, 3, "%u", type->made);
		table_cell(line, 4, type->node < 0 ? "-" : "%d", type->node);
		table_cell(line, 5, "%s%s%s", type->description[0] ? type->description : type->name,
			   holders ? "; leased: " : "", holders ? holders : "");
		free(holders);
	}
	printf("\n");
	table_print(table, stdout);
}

static struct json_object *mdevs_json(const struct devirt_mdev_type *types, size_t count,
				      const struct held *held)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		struct json_object *one = json_object_new_object();
		struct json_object *leased = json_object_new_array();
		const struct devirt_mdev_type *type = &types[i];

		json_object_object_add(one, "parent", json_text(type->parent));
		json_object_object_add(one, "type", json_text(type->type));
		json_object_object_add(one, "name", json_text(type->name[0] ? type->name : NULL));
		json_object_object_add(one, "description",
				       json_text(type->description[0] ? type->description : NULL));
		json_object_object_add(one, "api", json_text(type->api));
		json_object_object_add(one, "left", json_object_new_int64(type->available));
		json_object_object_add(one, "made", json_object_new_int64(type->made));
		json_object_object_add(one, "memory", type->memory ?
				       json_object_new_int64(type->memory) : NULL);
		json_object_object_add(one, "node", type->node < 0 ? NULL :
				       json_object_new_int(type->node));
		for (size_t k = 0; k < held->count; k++) {
			unsigned int mine = held_mdevs(&held->v[k], type);
			struct json_object *holder;

			if (!mine)
				continue;
			holder = json_object_new_object();
			json_object_object_add(holder, "partition",
					       json_text(held->v[k].get.name));
			json_object_object_add(holder, "count", json_object_new_int64(mine));
			json_object_array_add(leased, holder);
		}
		json_object_object_add(one, "leased", leased);
		json_object_array_add(array, one);
	}
	return array;
}

static void print_json(const struct devirt_device *devices, size_t count,
		       const struct devirt_mdev_type *types, size_t type_count,
		       const struct held *held)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		const struct devirt_device *device = &devices[i];
		struct json_object *one;
		char text[16], *users = NULL;

		if (!opt.all && (!device->is_endpoint || device->is_vf))
			continue;
		one = json_object_new_object();
		json_object_object_add(one, "address", json_addr(&device->addr));
		json_object_object_add(one, "kind", json_text(device->kind));
		json_object_object_add(one, "names", json_text(device->names));
		json_object_object_add(one, "driver",
				       json_text(device->driver[0] ? device->driver : NULL));
		snprintf(text, sizeof(text), "%04x:%04x", device->vendor, device->device);
		json_object_object_add(one, "id", json_text(text));
		snprintf(text, sizeof(text), "%06x", device->class_code & 0xffffff);
		json_object_object_add(one, "class", json_text(text));
		json_object_object_add(one, "node", device->node < 0 ? NULL :
				       json_object_new_int(device->node));
		json_object_object_add(one, "group", device->group < 0 ? NULL :
				       json_object_new_int(device->group));
		json_object_object_add(one, "vfs_total", json_object_new_int(device->vfs_total));
		json_object_object_add(one, "vfs", json_object_new_int(device->vfs));
		json_object_object_add(one, "vfs_free",
				       json_object_new_int(free_vfs(device, held)));
		json_object_object_add(one, "vgpu_types", json_types(device));
		json_object_object_add(one, "endpoint",
				       json_object_new_boolean(device->is_endpoint));
		json_object_object_add(one, "pf", device->is_vf ? json_addr(&device->pf) : NULL);
		json_object_object_add(one, "reserved",
				       json_object_new_boolean(reserve_active(&device->addr)));
		json_object_object_add(one, "partition",
				       json_text(held_function(held, &device->addr)));
		devirt_device_users(&device->addr, &users);
		json_object_object_add(one, "in_use", json_text(users));
		free(users);
		json_object_array_add(array, one);
	}
	json_object_object_add(object, "devices", array);
	json_object_object_add(object, "mdev_types", mdevs_json(types, type_count, held));
	json_print(object);
}

static int devices_command(int argc, char **argv)
{
	struct devirt_mdev_type *types;
	struct devirt_device *devices;
	size_t count, type_count;
	struct held held;
	int device, ret;

	(void)argv;
	if (argc)
		return fail_usage("it takes no argument");
	ret = devirt_device_list(&devices, &count);
	if (ret)
		return fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			    "the PCI functions can't be listed: %s", strerror(-ret));
	ret = devirt_mdev_types(&types, &type_count);
	if (ret) {
		free(devices);
		return fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			    "the mediated devices can't be listed: %s", strerror(-ret));
	}
	/* without the module nothing is leased */
	device = try_module();
	if (held_read(&held, device))
		memset(&held, 0, sizeof(held));
	if (opt.json)
		print_json(devices, count, types, type_count, &held);
	else if (!count)
		printf("This machine has no PCI functions.\n");
	else
		print_table(devices, count, &held);
	if (!opt.json && type_count)
		print_mdevs(types, type_count, &held);
	held_free(&held);
	free(types);
	free(devices);
	if (device >= 0)
		close(device);
	return EXIT_OK;
}

static const char *const options[] = { "--json", "--all", NULL };

const struct command command_devices = {
	.name = "devices",
	.args = "",
	.help = "List what could be leased",
	.options = options,
	.run = devices_command,
};
