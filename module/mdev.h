/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_MDEV_H
#define _DEVIRT_MDEV_H

int devirt_mdev_init(void);
void devirt_mdev_exit(void);

#endif /* _DEVIRT_MDEV_H */
