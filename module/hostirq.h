/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_HOSTIRQ_H
#define _DEVIRT_HOSTIRQ_H

struct cpumask;

bool devirt_hostirq_movable(unsigned int irq);
int devirt_hostirq_update(const struct cpumask *leased);

#endif /* _DEVIRT_HOSTIRQ_H */
