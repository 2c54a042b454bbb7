/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_HOOK_H
#define _DEVIRT_HOOK_H

#include <linux/types.h>

/**
 * enum devirt_hook - a function of the kernel that somebody waits for
 * @DEVIRT_HOOK_RUN_VCPU: a thread enters a vCPU: devirt_vcpu_entering()
 * @DEVIRT_HOOK_NEW_VCPU: a vCPU is made: devirt_vcpu_created()
 * @DEVIRT_HOOK_IRQ_AFFINITY: an interrupt's affinity is set: devirt_hostirq_asked()
 * @DEVIRT_HOOK_IRQ_REQUEST: an interrupt is asked for: devirt_hostirq_requested()
 * @DEVIRT_HOOK_VFIO_IOCTL: a VFIO device is used: devirt_user_ioctl()
 * @DEVIRT_HOOK_VFIO_CLOSE: it is closed: devirt_user_closing()
 * @DEVIRT_HOOK_IRQ_ROUTING: a guest's interrupts go elsewhere: devirt_user_rerouted()
 * @DEVIRT_HOOK_ALLOWED: the kernel gives a task CPUs: devirt_arrival_allowed()
 * @DEVIRT_HOOK_AFFINITY: a user gives a task CPUs: devirt_arrival_affinity()
 * @DEVIRT_HOOK_BLOCK_REQUEST: a request is got from a queue: devirt_nvme_requested()
 * @DEVIRT_HOOKS: how many there are
 */
enum devirt_hook {
	DEVIRT_HOOK_RUN_VCPU,
	DEVIRT_HOOK_NEW_VCPU,
	DEVIRT_HOOK_IRQ_AFFINITY,
	DEVIRT_HOOK_IRQ_REQUEST,
	DEVIRT_HOOK_VFIO_IOCTL,
	DEVIRT_HOOK_VFIO_CLOSE,
	DEVIRT_HOOK_IRQ_ROUTING,
	DEVIRT_HOOK_ALLOWED,
	DEVIRT_HOOK_AFFINITY,
	DEVIRT_HOOK_BLOCK_REQUEST,
	DEVIRT_HOOKS
};

int devirt_hook_init(void);
void devirt_hook_exit(void);

int devirt_hook_arm(enum devirt_hook id);
void devirt_hook_disarm(enum devirt_hook id);
u32 devirt_hook_facts(void);

struct devirt_hook_at;

struct devirt_hook_at *devirt_hook_vfio_ioctl_at(void *ioctl);
void devirt_hook_at_free(struct devirt_hook_at *at);

#endif /* _DEVIRT_HOOK_H */
