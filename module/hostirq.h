/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_HOSTIRQ_H
#define _DEVIRT_HOSTIRQ_H

struct cpumask;

void devirt_hostirq_changed(void);
bool devirt_hostirq_movable(unsigned int irq);
void devirt_hostirq_exit(void);
int devirt_hostirq_update(const struct cpumask *leased);

#endif /* _DEVIRT_HOSTIRQ_H */
