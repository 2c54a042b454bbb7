/* SPDX-License-Identifier: GPL-2.0 */
/* What the leased CPUs have done, and how it is told. */
#ifndef DEVIRT_STAT_H
#define DEVIRT_STAT_H

#include <stdio.h>
#include "libdevirt.h"

/**
 * struct stat_one - one partition's statistics at one time
 * @get: what DEVIRT_GET says of it
 * @stats: what DEVIRT_STATS says, how many there are included
 * @cpus: its CPUs
 * @intruders: what else ran there
 */
struct stat_one {
	struct devirt_get get;
	struct devirt_stats stats;
	struct devirt_cpu_stats *cpus;
	struct devirt_intruder *intruders;
};

/**
 * struct stat_all - the same of several partitions
 * @v: each
 * @count: how many
 * @time_ns: when, in nanoseconds of the events' clock
 */
struct stat_all {
	struct stat_one *v;
	size_t count;
	unsigned long long time_ns;
};

/* All numbers since the CPUs were leased; or, with @before, how many there were
 * in each second since then.
 */
void stat_print(FILE *file, const struct stat_one *now, const struct stat_one *before);
struct json_object *stat_json(const struct stat_one *one);

#endif
