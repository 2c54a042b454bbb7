/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_POWER_H
#define _DEVIRT_POWER_H

#include <linux/list.h>
#include <linux/pm_qos.h>
#include <linux/types.h>

struct devirt_resource;

/**
 * struct devirt_power - what a leased CPU was asked to do with its power
 * @node: in the list of all that ask for something
 * @cpu: which
 * @min_khz: the lowest frequency; 0: as the host has it
 * @latency: the request for a wake-up latency, while it is active
 * @freq: the request for @min_khz, while it is active
 */
struct devirt_power {
	struct list_head node;
	unsigned int cpu;
	u32 min_khz;
	struct dev_pm_qos_request latency;
	struct freq_qos_request freq;
};

int devirt_power_check(struct devirt_resource *res);
int devirt_power_acquire(struct devirt_power *power, struct devirt_resource *res);
void devirt_power_release(struct devirt_power *power);

int devirt_power_init(void);
void devirt_power_exit(void);

#endif /* _DEVIRT_POWER_H */
