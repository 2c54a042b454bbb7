/* SPDX-License-Identifier: GPL-2.0 */
/* From what the user asks for to what the kernel is asked for. */
#ifndef DEVIRT_PLANNER_H
#define DEVIRT_PLANNER_H

#include "config.h"
#include "held.h"
#include "libdevirt.h"

/**
 * struct plan_item - what goes with one record
 * @section: name of the section it comes from: "data", "cpus"
 * @node: where it is, or DEVIRT_NODE_ANY
 * @why: why this one was chosen
 */
struct plan_item {
	char *section;
	int node;
	char *why;
};

/**
 * struct plan - a description, and how it came about
 * @config: what was asked for
 * @topology: the machine that it is for
 * @held: what others have
 * @records: for DEVIRT_APPLY: CPUs, memory, functions, VFs, mediated devices
 * @items: one for each record
 * @notes: what couldn't be had the way it should be
 * @near: node that everything is to be near to, or DEVIRT_NODE_ANY
 * @near_why: why that one
 */
struct plan {
	const struct config *config;
	struct devirt_topology *topology;
	struct held held;
	struct devirt_records records;
	struct plan_item *items;
	size_t item_space;
	char **notes;
	size_t note_count;
	int near;
	char *near_why;
};

/* Returns 0, or the exit status after it has told what can't be had. @device:
 * of the module, or -1.
 */
int plan_make(struct plan *plan, const struct config *config, int device);
void plan_free(struct plan *plan);

/* For the parts of the planner. Out of memory is found by plan_make() from
 * plan.records and items, so that these need no check.
 */
void plan_note(struct plan *plan, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* What belongs to record @index, which devirt_records_add_*() returned. Returns
 * 0, or the exit status.
 */
int plan_item(struct plan *plan, int index, const char *section, int node,
	      const char *format, ...) __attribute__((format(printf, 5, 6)));
int plan_fail(const struct plan *plan, int line, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Adds the CPUs' records. */
int plan_cpus(struct plan *plan);
/* Adds the mediated devices' records. */
int plan_mdevs(struct plan *plan);
/* Is it one of those that are wanted, whether any is left or not? */
bool plan_mdev_fits(const struct config_device *device, const struct devirt_mdev_type *type);
/* The node of a mediated device's parent, or DEVIRT_NODE_ANY. */
int plan_mdev_node(const struct plan *plan, const struct config_device *device);

#endif
