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
}

static void print_json(const struct devirt_device *devices, size_t count,
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
	json_print(object);
}

static int devices_command(int argc, char **argv)
{
	struct devirt_device *devices;
	struct held held;
	int device, ret;
	size_t count;

	(void)argv;
	if (argc)
		return fail_usage("it takes no argument");
	ret = devirt_device_list(&devices, &count);
	if (ret)
		return fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			    "the PCI functions can't be listed: %s", strerror(-ret));
	/* without the module nothing is leased */
	device = try_module();
	if (held_read(&held, device))
		memset(&held, 0, sizeof(held));
	if (opt.json)
		print_json(devices, count, &held);
	else if (!count)
		printf("This machine has no PCI functions.\n");
	else
		print_table(devices, count, &held);
	held_free(&held);
	free(devices);
	if (device >= 0)
		close(device);
	return EXIT_OK;
}

static const char *const options[] = { "--json", "--all", NULL };

const struct command command_devices = {
	.name = "devices",
	.args = "",
	.help = "List what PCI functions could be leased",
	.options = options,
	.run = devices_command,
};
