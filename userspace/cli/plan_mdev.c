// SPDX-License-Identifier: GPL-2.0
/* The plan: which type of which parent each mediated device is. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "planner.h"

/* What the records before take of a type counts as gone. */
static unsigned int left_of(const struct plan *plan, const struct devirt_mdev_type *type)
{
	unsigned int taken = 0;

	for (uint32_t i = 0; i < plan->records.count; i++) {
		const struct devirt_record *record = &plan->records.v[i];

		taken += record->kind == DEVIRT_KIND_MDEV &&
			 !strcmp(record->mdev.parent, type->parent) &&
			 !strcmp(record->mdev.type, type->type);
	}
	return type->available > taken ? type->available - taken : 0;
}

bool plan_mdev_fits(const struct config_device *device, const struct devirt_mdev_type *type)
{
	if (device->parent && strcmp(device->parent, type->parent))
		return false;
	if (device->type)
		return !strcmp(device->type, type->type);
	return type->memory >= device->memory;
}

/*
 * Of those that fit: one that is left rather than one that isn't (for which the
 * module says who has the rest), then the smallest, then the nearest.
 */
static bool better(const struct plan *plan, const struct devirt_mdev_type *a,
		   const struct devirt_mdev_type *b)
{
	bool left = left_of(plan, a), other = left_of(plan, b);

	if (left != other)
		return left;
	if (a->memory != b->memory)
		return a->memory < b->memory;
	return plan->near != DEVIRT_NODE_ANY && a->node == plan->near && b->node != plan->near;
}

/* "mbochs-small of mbochs has 4M, ..."; free() */
static char *sizes_text(const struct config_device *device, const struct devirt_mdev_type *types,
			size_t count)
{
	char *text = NULL, *size;
	size_t length;
	FILE *file;

	file = open_memstream(&text, &length);
	if (!file)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!types[i].memory ||
		    (device->parent && strcmp(device->parent, types[i].parent)))
			continue;
		size = size_text(types[i].memory);
		fprintf(file, "%s%s of %s has %s", ftell(file) ? ", " : "", types[i].type,
			types[i].parent, size ? size : "?");
		free(size);
	}
	fclose(file);
	return text;
}

static int none_fits(const struct plan *plan, const struct config_device *device,
		     const struct devirt_mdev_type *types, size_t count)
{
	char *size, *sizes;
	int status;

	if (device->type)
		return plan_fail(plan, device->type_line, "'devirt devices' lists them",
				 "no parent makes mediated devices of type %s", device->type);
	size = size_text(device->memory);
	sizes = sizes_text(device, types, count);
	status = plan_fail(plan, device->memory_line,
			   "ask for less, or name a type: 'devirt devices' lists them",
			   "no type of mediated device has %s of memory%s%s", size ? size : "that much",
			   sizes && *sizes ? ": " : "", sizes ? sizes : "");
	free(sizes);
	free(size);
	return status;
}

static int add(struct plan *plan, const struct config_device *device, const char *parent,
	       const char *type, int node, const char *why)
{
	int index = devirt_records_add_mdev(&plan->records, parent, type,
					    device->uuid_line ? device->uuid : NULL);

	return plan_item(plan, index, device->name, node, "%s", why);
}

static int plan_one(struct plan *plan, const struct config_device *device,
		    const struct devirt_mdev_type *types, size_t count)
{
	const struct devirt_mdev_type *best = NULL;
	char why[400], *size;

	for (size_t i = 0; i < count; i++)
		if (plan_mdev_fits(device, &types[i]) &&
		    (!best || better(plan, &types[i], best)))
			best = &types[i];
	/* what is named exactly the module answers for */
	if (!best && device->type && device->parent)
		return add(plan, device, device->parent, device->type, DEVIRT_NODE_ANY,
			   "named in the file");
	if (!best)
		return none_fits(plan, device, types, count);
	if (device->type) {
		snprintf(why, sizeof(why), "named in the file%s%s",
			 best->description[0] ? ": " : "", best->description);
	} else {
		size = size_text(best->memory);
		snprintf(why, sizeof(why), "the smallest that is left and has enough, %s",
			 size ? size : "");
		free(size);
	}
	return add(plan, device, best->parent, best->type, best->node, why);
}

int plan_mdev_node(const struct plan *plan, const struct config_device *device)
{
	struct devirt_mdev_type *types;
	int node = DEVIRT_NODE_ANY;
	size_t count;

	if (!devirt_topology_is_host(plan->topology) || devirt_mdev_types(&types, &count))
		return node;
	for (size_t i = 0; i < count && node == DEVIRT_NODE_ANY; i++)
		if (plan_mdev_fits(device, &types[i]))
			node = types[i].node;
	free(types);
	return node;
}

int plan_mdevs(struct plan *plan)
{
	const struct config *config = plan->config;
	struct devirt_mdev_type *types = NULL;
	bool is_host = devirt_topology_is_host(plan->topology);
	size_t count = 0;
	int ret, status = 0;

	for (size_t i = 0; i < config->device_count && !status; i++) {
		const struct config_device *device = &config->devices[i];

		if (!device->is_mdev)
			continue;
		if (is_host && !types) {
			ret = devirt_mdev_types(&types, &count);
			if (ret)
				return fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
					    "the mediated devices can't be listed: %s",
					    strerror(-ret));
		}
		if (!is_host && (!device->parent || !device->type))
			status = plan_fail(plan, device->line, "give parent= and type=",
					   "mediated devices can't be looked up on another machine");
		else
			status = plan_one(plan, device, types, count);
	}
	free(types);
	return status;
}
