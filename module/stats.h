/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_STATS_H
#define _DEVIRT_STATS_H

#include <linux/devirt.h>

struct devirt_core_base;
struct devirt_partition;

struct devirt_core_base *devirt_core_base_alloc(void);
void devirt_core_base_free(struct devirt_core_base *base);
void devirt_core_base_take(struct devirt_core_base *base, unsigned int cpu);

/**
 * struct devirt_stats_result - what DEVIRT_STATS hands out
 * @cpus: an entry for each CPU record
 * @cpu_count: how many
 * @intruders: what isn't the guest's
 * @intruder_count: how many
 * @unnamed: intrusions that are in none of @intruders
 */
struct devirt_stats_result {
	struct devirt_cpu_stats *cpus;
	u32 cpu_count;
	struct devirt_intruder *intruders;
	u32 intruder_count;
	u64 unnamed;
};

int devirt_stats_take(struct devirt_partition *part, struct devirt_stats_result *result);
void devirt_stats_free(struct devirt_stats_result *result);

#endif /* _DEVIRT_STATS_H */
