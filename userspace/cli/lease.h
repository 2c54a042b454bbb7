/* SPDX-License-Identifier: GPL-2.0 */
/* Taking a plan, giving it back, and what a VMM has to be told of it. */
#ifndef DEVIRT_LEASE_H
#define DEVIRT_LEASE_H

#include "config.h"
#include "libdevirt.h"
#include "planner.h"

/* Is the name free? To be asked before the plan is made, which would otherwise
 * complain that the CPUs are taken, by the very same partition. Returns 0, or
 * the exit status after telling who has it.
 */
int lease_check_name(int device, const char *name);

/* Makes the partition and applies the plan. Outputs are in plan->records then.
 * Returns the partition's descriptor, or -1 with *status set after telling why.
 */
int lease_take(struct plan *plan, int device, uint32_t flags, int *status);

/* Releases, and waits up to opt.max_wait seconds for what is still in use. Says
 * so after a second. Returns 0, or the exit status.
 */
int lease_give_back(int partition, const char *name);

/* The table of a plan, or of what was leased: resource, choice, node, why. */
void lease_print(const struct plan *plan, FILE *file);
struct json_object *lease_json(const struct plan *plan, bool held);

/* Words for a VMM's command line. */
struct words {
	char **v;
	size_t count;
};

/* The options that QEMU needs. @sections: a name for each record, for ids.
 * Returns 0, or the exit status after telling why.
 */
int qemu_options(struct words *words, const struct devirt_records *records,
		 const char *const *sections, const struct devirt_topology *topology);
/* What stands for @devirt.KEY@: a section's PCI address, cpus, memory; free().
 * NULL if there is no such thing.
 */
char *qemu_value(const struct devirt_records *records, const char *const *sections,
		 const char *key);
/* Returns 0 or -ENOMEM */
int words_add(struct words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void words_free(struct words *words);

/* The sections' names for records that DEVIRT_GET returned, which the kernel
 * doesn't know. @config may be NULL. Free the array with free(); the names with
 * the config.
 */
const char **lease_sections(const struct config *config, const struct devirt_records *records);

#endif
