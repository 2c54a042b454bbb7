/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_VCPU_H
#define _DEVIRT_VCPU_H

#include <linux/types.h>

struct devirt_cpu_stats;
struct devirt_partition;
struct devirt_set;
struct devirt_vmm;
struct pid;
struct task_struct;

struct devirt_vmm *devirt_vmm_create(struct devirt_partition *part,
				     struct devirt_set *set, struct pid *pid);
void devirt_vmm_stop(struct devirt_vmm *vmm);
bool devirt_vmm_replaceable(struct devirt_vmm *vmm, struct pid *pid);
bool devirt_vmm_is(const struct devirt_partition *part, struct pid *pid);
bool devirt_vmm_is_any(struct pid *pid);
bool devirt_vmm_lives(const struct devirt_partition *part);
u32 devirt_vmm_pid(struct devirt_vmm *vmm);
void devirt_vmm_stats(struct devirt_vmm *vmm, struct devirt_cpu_stats *stats, u32 count);
u32 devirt_vmm_thread(struct devirt_vmm *vmm, u32 index);
void devirt_vcpu_entering(u32 vcpu);
void devirt_vcpu_created(u32 vcpu);
void devirt_vcpu_remasked(struct task_struct *task);
void devirt_vcpu_thread_ended(struct task_struct *task);

#endif /* _DEVIRT_VCPU_H */
