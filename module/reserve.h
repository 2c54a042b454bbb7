/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_RESERVE_H
#define _DEVIRT_RESERVE_H

int devirt_reserve_init(void);
void devirt_reserve_exit(void);

#endif /* _DEVIRT_RESERVE_H */
