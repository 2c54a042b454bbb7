/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_HOOK_H
#define _DEVIRT_HOOK_H

#include <linux/devirt.h>

int devirt_hook_init(void);
void devirt_hook_exit(void);
u32 devirt_hook_facts(void);

int devirt_hook_arm(void);
void devirt_hook_disarm(void);

#endif /* _DEVIRT_HOOK_H */
