/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_CPU_H
#define _DEVIRT_CPU_H

void devirt_cpu_settle(void);
int devirt_cpu_init(void);
void devirt_cpu_exit(void);

#endif /* _DEVIRT_CPU_H */
