// SPDX-License-Identifier: GPL-2.0
/* devirt show: the partitions there are, or what one holds. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "held.h"
#include "lease.h"

/* "4 CPUs, 2G, 1 device, 2 VFs"; free() */
static char *summary(const struct devirt_records *records)
{
	unsigned int cpus = 0, devices = 0, vfs = 0, mdevs = 0;
	uint64_t bytes = 0;
	char *text = NULL, *size;
	size_t length;
	FILE *file;

	for (uint32_t i = 0; i < records->count; i++) {
		const struct devirt_record *record = &records->v[i];

		/* of one that is draining only what is left */
		if (record->state == DEVIRT_STATE_RELEASED)
			continue;
		cpus += record->kind == DEVIRT_KIND_CPU;
		devices += record->kind == DEVIRT_KIND_PCI;
		vfs += record->kind == DEVIRT_KIND_VF;
		mdevs += record->kind == DEVIRT_KIND_MDEV;
		if (record->kind == DEVIRT_KIND_MEMORY)
			bytes += record->memory.page_size * record->memory.pages;
	}
	file = open_memstream(&text, &length);
	if (!file)
		return NULL;
	if (cpus)
		fprintf(file, ", %u CPU%s", cpus, cpus > 1 ? "s" : "");
	size = size_text(bytes);
	if (bytes)
		fprintf(file, ", %s", size ? size : "");
	free(size);
	if (devices)
		fprintf(file, ", %u device%s", devices, devices > 1 ? "s" : "");
	if (vfs)
		fprintf(file, ", %u VF%s", vfs, vfs > 1 ? "s" : "");
	if (mdevs)
		fprintf(file, ", %u mdev%s", mdevs, mdevs > 1 ? "s" : "");
	fclose(file);
	if (text && *text)
		memmove(text, text + 2, strlen(text + 2) + 1);
	return text;
}

static void color_state(struct libscols_line *line, size_t column, uint32_t state)
{
	if (state == DEVIRT_STATE_HELD)
		table_color(line, column, "green");
	else if (state == DEVIRT_STATE_DRAINING)
		table_color(line, column, "brown");
	else if (state == DEVIRT_STATE_QUARANTINE)
		table_color(line, column, "red");
}

static struct json_object *partition_json(const struct devirt_get *get)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", json_text(get->name));
	json_object_object_add(object, "state", json_text(devirt_state_name(get->state)));
	json_object_object_add(object, "persistent", json_object_new_boolean(get->persistent));
	json_object_object_add(object, "vmm", get->vmm ? json_object_new_int64(get->vmm) : NULL);
	json_object_object_add(object, "owner", get->owner && !get->persistent ?
			       json_object_new_int64(get->owner) : NULL);
	return object;
}

static void print_all_json(const struct held *held)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < held->count; i++) {
		struct json_object *partition = partition_json(&held->v[i].get);
		char *text = summary(&held->v[i].records);

		json_object_object_add(partition, "summary", json_text(text));
		json_object_array_add(array, partition);
		free(text);
	}
	json_object_object_add(object, "partitions", array);
	json_print(object);
}

static int show_all(int device)
{
	static const char *const headings[] = { "NAME", "STATE", "KEPT", "VMM>", "OWNER>",
						"RESOURCES~", NULL };
	struct libscols_table *table;
	struct held held;
	int ret;

	ret = held_read(&held, device);
	if (ret)
		return fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			    "the partitions can't be read: %s", strerror(-ret));
	if (opt.json) {
		print_all_json(&held);
		goto out;
	}
	if (!held.count) {
		printf("No partition is leased.\n");
		goto out;
	}
	table = table_new(headings);
	for (size_t i = 0; i < held.count; i++) {
		const struct devirt_get *get = &held.v[i].get;
		struct libscols_line *line = table_line(table);
		char *text = summary(&held.v[i].records);

		table_cell(line, 0, "%s", get->name);
		table_cell(line, 1, "%s", devirt_state_name(get->state));
		color_state(line, 1, get->state);
		table_cell(line, 2, "%s", get->persistent ? "yes" : "no");
		/* names of processes would make it too wide; 'show NAME' has them */
		table_cell(line, 3, get->vmm ? "%u" : "-", get->vmm);
		/* who created one that is kept has ended, and its pid is another's */
		if (get->owner && !get->persistent)
			table_cell(line, 4, "%u", get->owner);
		else
			table_cell(line, 4, "-");
		table_cell(line, 5, "%s", text && *text ? text : "-");
		free(text);
	}
	table_print(table, stdout);
out:
	held_free(&held);
	return EXIT_OK;
}

static void record_line(struct libscols_table *table, const struct devirt_record *record,
			const char *section)
{
	struct libscols_line *line = table_line(table);
	char *resource = record_resource(record), *choice = record_choice(record);
	char *wishes = record_wishes(record);
	const char *also = wishes ? "; " : "", *wish = wishes ? wishes : "";
	const struct devirt_vfio *vfio =
		record->kind == DEVIRT_KIND_PCI ? &record->pci.vfio :
		record->kind == DEVIRT_KIND_VF ? &record->vf.vfio :
		record->kind == DEVIRT_KIND_MDEV ? &record->mdev.vfio : NULL;
	char uuid[DEVIRT_UUID_TEXT];

	table_cell(line, 0, "%s%s%s", resource ? resource : "", vfio && section ? " " : "",
		   vfio && section ? section : "");
	table_cell(line, 1, "%s", choice ? choice : "");
	if (record->node == DEVIRT_NODE_ANY)
		table_cell(line, 2, "-");
	else
		table_cell(line, 2, "%d", record->node);
	table_cell(line, 3, "%s", devirt_state_name(record->state));
	color_state(line, 3, record->state);
	if (vfio && record->kind == DEVIRT_KIND_VF)
		table_cell(line, 4, "VFIO group %u, VF %u of %u%s%.*s%s%s",
			   vfio->group, record->vf.index, record->vf.pool,
			   vfio->driver[0] ? ", from " : "", DEVIRT_DRIVER_MAX, vfio->driver,
			   also, wish);
	else if (vfio && record->kind == DEVIRT_KIND_MDEV)
		table_cell(line, 4, "%s, VFIO group %u", devirt_uuid_format(record->mdev.uuid, uuid),
			   vfio->group);
	else if (vfio)
		table_cell(line, 4, "VFIO group %u%s%.*s%s%s", vfio->group,
			   vfio->driver[0] ? ", from " : "", DEVIRT_DRIVER_MAX, vfio->driver,
			   also, wish);
	else if (record->kind == DEVIRT_KIND_MEMORY)
		table_cell(line, 4, "beside %llu that were there",
			   (unsigned long long)record->memory.before);
	else if (record->kind == DEVIRT_KIND_CPU && record->cpu.thread)
		table_cell(line, 4, "thread %u%s%s", record->cpu.thread, also, wish);
	else
		table_cell(line, 4, "%s", wishes ? wishes : "-");
	free(wishes);
	free(resource);
	free(choice);
}

static void print_one(const struct devirt_get *get, const struct devirt_records *records,
		      const char *const *sections)
{
	static const char *const headings[] = { "RESOURCE", "WHAT", "NODE>", "STATE",
						"MORE~", NULL };
	char *vmm = get->vmm ? devirt_process_name(get->vmm) : NULL;
	char *owner = get->owner && !get->persistent ? devirt_process_name(get->owner) : NULL;
	struct libscols_table *table;

	printf("%s: %s\n", get->name, devirt_state_name(get->state));
	if (get->state == DEVIRT_STATE_DRAINING)
		printf("Until: nobody uses its devices\n");
	else
		printf("Until: %s%s\n", owner ? "the end of " : get->persistent ?
		       "it is released" : "its descriptor is closed", owner ? owner : "");
	printf("VMM:   %s\n", vmm ? vmm : "none yet");
	free(vmm);
	free(owner);
	if (!records->count)
		return;
	table = table_new(headings);
	for (uint32_t i = 0; i < records->count; i++)
		record_line(table, &records->v[i], sections ? sections[i] : NULL);
	table_print(table, stdout);
}

static void print_one_json(const struct devirt_get *get, const struct devirt_records *records,
			   const char *const *sections)
{
	struct json_object *object = partition_json(get);
	struct json_object *array = json_object_new_array();

	for (uint32_t i = 0; i < records->count; i++)
		json_object_array_add(array, json_record(&records->v[i],
							 sections ? sections[i] : NULL, true));
	json_object_object_add(object, "records", array);
	json_print(object);
}

static int show_one(int device, const char *argument)
{
	char name[DEVIRT_NAME_MAX], *path;
	struct devirt_records records = { 0 };
	struct config *config = NULL;
	const char **sections;
	struct devirt_get get;
	int fd, ret, status;

	status = config_name(argument, &path, name);
	if (status)
		return status;
	fd = devirt_open_partition(device, name, DEVIRT_OPEN_OBSERVE);
	if (fd < 0) {
		free(path);
		return fail_open(fd, name);
	}
	ret = devirt_get_partition(fd, &get, &records);
	close(fd);
	if (ret) {
		free(path);
		return fail_open(ret, name);
	}
	/* only for the sections' names, so a file that is gone is no error */
	if (!access(path, F_OK))
		status = config_load(&config, argument);
	free(path);
	if (status)
		goto out;
	sections = lease_sections(config, &records);
	if (opt.json)
		print_one_json(&get, &records, sections);
	else
		print_one(&get, &records, sections);
	free(sections);
out:
	config_free(config);
	devirt_records_clear(&records);
	return status;
}

static int show(int argc, char **argv)
{
	int device, status;

	if (argc > 1)
		return fail_usage("one partition at a time");
	device = need_module(&status);
	if (device < 0)
		return status;
	status = argc ? show_one(device, argv[0]) : show_all(device);
	close(device);
	return status;
}

static const char *const options[] = { "--json", NULL };

const struct command command_show = {
	.name = "show",
	.args = "[NAME]",
	.help = "List partitions, or what one holds",
	.options = options,
	.run = show,
};
