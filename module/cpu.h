/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_CPU_H
#define _DEVIRT_CPU_H

struct devirt_core_base;
struct devirt_resource;

void devirt_cpu_settle(void);
const struct devirt_core_base *devirt_cpu_base(struct devirt_resource *res);
int devirt_cpu_init(void);
void devirt_cpu_exit(void);

#endif /* _DEVIRT_CPU_H */
