/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_HOSTIRQ_H
#define _DEVIRT_HOSTIRQ_H

struct cpumask;

const struct cpumask *devirt_hostirq_asked(unsigned int irq, const struct cpumask *mask);
void devirt_hostirq_requested(void);
bool devirt_hostirq_movable(unsigned int irq);
int devirt_hostirq_lend(unsigned int irq, const struct cpumask *mask, struct cpumask *before);
void devirt_hostirq_exit(void);
int devirt_hostirq_update(const struct cpumask *leased);

#endif /* _DEVIRT_HOSTIRQ_H */
