/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_GUARD_H
#define _DEVIRT_GUARD_H

#include <linux/devirt.h>
#include <linux/types.h>

struct cpumask;
struct devirt_partition;
struct task_struct;

int devirt_guard_init(void);
void devirt_guard_exit(void);

int devirt_guard_prepare(const struct cpumask *cpus);
void devirt_guard_start(unsigned int cpu, struct devirt_partition *part, u32 record);
void devirt_guard_stop(unsigned int cpu);
void devirt_guard_finish(void);

void devirt_guard_own_thread(unsigned int cpu, struct task_struct *thread);
void devirt_guard_own_process(unsigned int cpu, pid_t tgid);

u64 devirt_guard_intrusions(unsigned int cpu);
u64 devirt_guard_unnamed(unsigned int cpu);
bool devirt_guard_intruder(unsigned int cpu, unsigned int i, struct devirt_intruder *out);

#endif /* _DEVIRT_GUARD_H */
