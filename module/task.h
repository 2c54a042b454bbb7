/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_TASK_H
#define _DEVIRT_TASK_H

#include <linux/cpumask.h>

struct devirt_task;
struct pid;
struct task_struct;

/**
 * enum devirt_look - what a look at a task found
 * @DEVIRT_LOOK_FINE: it is where it belongs
 * @DEVIRT_LOOK_LATER: it can't be moved yet: look again
 * @DEVIRT_LOOK_DRIFTED: somebody took it from its home, and it is back
 */
enum devirt_look {
	DEVIRT_LOOK_FINE,
	DEVIRT_LOOK_LATER,
	DEVIRT_LOOK_DRIFTED,
};

int devirt_task_init(void);
void devirt_task_exit(void);

int devirt_task_update(const struct cpumask *leased);
enum devirt_look devirt_task_look(struct task_struct *task);
void devirt_task_look_all(void);
bool devirt_task_helper_name(const struct task_struct *task, int *nr);
int devirt_task_confine(struct pid *process, const struct cpumask *home);

struct devirt_task *devirt_task_alloc(gfp_t gfp);
void devirt_task_free(struct devirt_task *rec);
int devirt_task_pin(struct devirt_task **spare, unsigned int cpu,
		    const struct cpumask *heir, const bool *stopped);

#endif /* _DEVIRT_TASK_H */
