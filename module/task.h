/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_TASK_H
#define _DEVIRT_TASK_H

#include <linux/cpumask.h>

struct devirt_task;
struct pid;

int devirt_task_init(void);
void devirt_task_exit(void);

int devirt_task_update(const struct cpumask *leased);
int devirt_task_confine(struct pid *process, const struct cpumask *home);

struct devirt_task *devirt_task_alloc(gfp_t gfp);
void devirt_task_free(struct devirt_task *rec);
int devirt_task_pin(struct devirt_task **spare, unsigned int cpu,
		    const struct cpumask *heir, const bool *stopped);

#endif /* _DEVIRT_TASK_H */
