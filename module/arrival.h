/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_ARRIVAL_H
#define _DEVIRT_ARRIVAL_H

#include <linux/types.h>

struct cpumask;
struct task_struct;

int devirt_arrival_begin(void);
void devirt_arrival_end(void);
void devirt_arrival_exit(void);

void devirt_arrival_look(struct task_struct *task);
bool devirt_arrival_look_now(struct task_struct *task);
void devirt_arrival_all(unsigned long delay);
void devirt_arrival_allowed(struct task_struct *task, const struct cpumask *mask);
void devirt_arrival_affinity(pid_t nr, const struct cpumask *mask);

#endif /* _DEVIRT_ARRIVAL_H */
