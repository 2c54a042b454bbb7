// SPDX-License-Identifier: GPL-2.0
/* Taking a plan, telling what it is, and giving it back. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "lease.h"

static int fail_exists(const char *name, const struct devirt_get *get)
{
	struct problem problem = { .error = EEXIST };
	char *owner = NULL, *remedy = NULL;
	int status;

	if (get->state == DEVIRT_STATE_DRAINING) {
		owner = get->vmm ? devirt_process_name(get->vmm) : NULL;
		status = asprintf(&remedy, "it is released, and gone as soon as %s ends",
				  owner ? owner : "its VMM");
	} else if (get->persistent) {
		status = asprintf(&remedy, "give it back with 'devirt release %s'", name);
	} else {
		owner = get->owner ? devirt_process_name(get->owner) : NULL;
		status = asprintf(&remedy, "it is given back when %s ends",
				  owner ? owner : "its owner");
	}
	problem.remedy = status < 0 ? NULL : remedy;
	status = fail(EXIT_REFUSED, &problem, "partition '%s' exists already", name);
	free(owner);
	free(remedy);
	return status;
}

int lease_check_name(int device, const char *name)
{
	struct devirt_get get;
	int fd, ret;

	fd = devirt_open_partition(device, name, DEVIRT_OPEN_OBSERVE);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fail_open(fd, name);
	ret = devirt_get_partition(fd, &get, NULL);
	close(fd);
	return ret ? 0 : fail_exists(name, &get);
}

/* The kernel chose which VF: what the plan said of it is over. */
static void update_why(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->records.count; i++) {
		const struct devirt_record_vf *vf = &plan->records.v[i].vf;
		char *why;

		if (plan->records.v[i].kind != DEVIRT_KIND_VF)
			continue;
		if (asprintf(&why, "VF %u of %u%s", vf->index, vf->pool,
			     vf->flags & DEVIRT_VF_POOL_MADE ? ", which devirt made" : "") < 0)
			continue;
		free(plan->items[i].why);
		plan->items[i].why = why;
	}
}

int lease_take(struct plan *plan, int device, uint32_t flags, int *status)
{
	uint32_t failed;
	int fd, ret;

	fd = devirt_create_partition(device, plan->config->name);
	if (fd < 0) {
		/* made by another since lease_check_name() */
		*status = lease_check_name(device, plan->config->name);
		if (!*status)
			*status = fail_open(fd, plan->config->name);
		return -1;
	}
	ret = devirt_apply_records(fd, flags, plan->records.v, plan->records.count, &failed);
	if (ret >= 0) {
		update_why(plan);
		return fd;
	}
	*status = fail_apply(device, ret, plan->records.v, plan->records.count, failed);
	close(fd);
	return -1;
}

/* "0000:02:10.1 (qemu-system-x86 (pid 812))" for each record that is left. */
static void tell_users(int partition, const char *name)
{
	struct devirt_records records = { 0 };
	struct devirt_get get;

	if (devirt_get_partition(partition, &get, &records))
		return;
	for (uint32_t i = 0; i < records.count; i++) {
		const struct devirt_record *record = &records.v[i];
		const struct devirt_vfio *vfio;
		char *what, *users = NULL;

		if (record->state != DEVIRT_STATE_DRAINING)
			continue;
		what = record_choice(record);
		vfio = record->kind == DEVIRT_KIND_PCI ? &record->pci.vfio :
		       record->kind == DEVIRT_KIND_VF ? &record->vf.vfio :
		       record->kind == DEVIRT_KIND_MDEV ? &record->mdev.vfio : NULL;
		if (vfio)
			devirt_vfio_users(vfio->group, vfio->device, &users);
		warn("partition '%s': %s is still in use by %s", name, what ? what : "a resource",
		     users ? users : "a process");
		free(users);
		free(what);
	}
	devirt_records_clear(&records);
}

int lease_give_back(int partition, const char *name)
{
	struct problem problem = { 0 };
	int ret;

	ret = devirt_release_partition(partition);
	/* gone already: an admin or another release was faster */
	if (ret == -ENXIO)
		return 0;
	if (ret < 0) {
		problem.error = -ret;
		return fail(EXIT_REFUSED, &problem, "partition '%s' can't be released: %s", name,
			    strerror(-ret));
	}
	if (!opt.max_wait)
		return 0;
	ret = devirt_wait_released(partition, 1000);
	if (ret != -ETIMEDOUT)
		return 0;
	if (opt.max_wait > 1) {
		warn("partition '%s' is draining: a process still uses its devices; waiting up to %d s",
		     name, opt.max_wait);
		ret = devirt_wait_released(partition, (opt.max_wait - 1) * 1000);
		if (ret != -ETIMEDOUT)
			return 0;
	}
	tell_users(partition, name);
	problem.error = ETIMEDOUT;
	problem.remedy = "it comes back by itself when that process ends";
	return fail(EXIT_REFUSED, &problem, "partition '%s' is still draining", name);
}

void lease_print(const struct plan *plan, FILE *file)
{
	static const char *const headings[] = { "RESOURCE", "CHOICE", "NODE>", "WHY~", NULL };
	struct libscols_table *table = table_new(headings);

	for (uint32_t i = 0; i < plan->records.count; i++) {
		const struct devirt_record *record = &plan->records.v[i];
		const struct plan_item *item = &plan->items[i];
		struct libscols_line *line = table_line(table);
		char *resource = record_resource(record), *choice = record_choice(record);
		char *wishes = record_wishes(record);
		bool device = record->kind == DEVIRT_KIND_PCI ||
			      record->kind == DEVIRT_KIND_VF || record->kind == DEVIRT_KIND_MDEV;

		if (device)
			table_cell(line, 0, "%s %s", resource ? resource : "", item->section);
		else
			table_cell(line, 0, "%s", resource ? resource : "");
		table_cell(line, 1, "%s", choice ? choice : "");
		if (item->node == DEVIRT_NODE_ANY)
			table_cell(line, 2, "-");
		else
			table_cell(line, 2, "%d", item->node);
		table_cell(line, 3, "%s%s%s", item->why, wishes ? "; " : "",
			   wishes ? wishes : "");
		free(wishes);
		free(resource);
		free(choice);
	}
	table_print(table, file);
	for (size_t i = 0; i < plan->note_count; i++)
		fprintf(file, "Note: %s.\n", plan->notes[i]);
}

struct json_object *lease_json(const struct plan *plan, bool held)
{
	struct json_object *object = json_object_new_object();
	struct json_object *records = json_object_new_array();
	struct json_object *notes = json_object_new_array();

	json_object_object_add(object, "name", json_text(plan->config->name));
	if (plan->config->description)
		json_object_object_add(object, "description",
				       json_text(plan->config->description));
	for (uint32_t i = 0; i < plan->records.count; i++) {
		struct json_object *record = json_record(&plan->records.v[i],
							 plan->items[i].section, held);

		if (plan->items[i].node != DEVIRT_NODE_ANY)
			json_object_object_add(record, "node",
					       json_object_new_int(plan->items[i].node));
		json_object_object_add(record, "why", json_text(plan->items[i].why));
		json_object_array_add(records, record);
	}
	for (size_t i = 0; i < plan->note_count; i++)
		json_object_array_add(notes, json_text(plan->notes[i]));
	json_object_object_add(object, "records", records);
	json_object_object_add(object, "notes", notes);
	return object;
}

/* Does the section ask for what the record is? */
static bool asks_for_mdev(const struct config_device *device, const struct devirt_record_mdev *mdev)
{
	struct devirt_mdev_type type;

	if (device->uuid_line)
		return !memcmp(device->uuid, mdev->uuid, sizeof(mdev->uuid));
	if ((device->parent && strcmp(device->parent, mdev->parent)) ||
	    (device->type && strcmp(device->type, mdev->type)))
		return false;
	return !device->memory || (!devirt_mdev_read_type(mdev->parent, mdev->type, &type) &&
				   type.memory >= device->memory);
}

static bool asks_for(const struct config_device *device, const struct devirt_record *record)
{
	struct devirt_pci_addr addr = device->addr;

	if (device->is_mdev || record->kind == DEVIRT_KIND_MDEV)
		return device->is_mdev && record->kind == DEVIRT_KIND_MDEV &&
		       asks_for_mdev(device, &record->mdev);

	if (device->netif && devirt_device_by_netif(device->netif, &addr))
		/* a leased function has no interface: all that is left to
		 * compare is the kind
		 */
		return device->is_vf == (record->kind == DEVIRT_KIND_VF);
	if (record->kind == DEVIRT_KIND_PCI)
		return !device->is_vf && devirt_addr_equal(&addr, &record->pci.addr);
	return record->kind == DEVIRT_KIND_VF && device->is_vf &&
	       devirt_addr_equal(&addr, &record->vf.pf) &&
	       (device->index == DEVIRT_VF_ANY || device->index == record->vf.index);
}

const char **lease_sections(const struct config *config, const struct devirt_records *records)
{
	size_t devices = config ? config->device_count : 0;
	const char **sections = calloc(records->count + 1, sizeof(*sections));
	bool *used = calloc(devices + 1, sizeof(*used));

	if (!sections || !used) {
		free(sections);
		free(used);
		return NULL;
	}
	/* sections that name one thing first, so that "any" doesn't take it */
	for (int any = 0; any <= 1; any++) {
		for (uint32_t i = 0; i < records->count; i++) {
			for (size_t k = 0; k < devices && !sections[i]; k++) {
				const struct config_device *device = &config->devices[k];

				if (used[k] || !asks_for(device, &records->v[i]) ||
				    (!any && device->is_vf && device->index == DEVIRT_VF_ANY) ||
				    (!any && device->is_mdev && !device->uuid_line))
					continue;
				sections[i] = device->name;
				used[k] = true;
			}
		}
	}
	free(used);
	return sections;
}
