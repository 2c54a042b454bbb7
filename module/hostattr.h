/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_HOSTATTR_H
#define _DEVIRT_HOSTATTR_H

#include <linux/types.h>

int devirt_hostattr_init(void);
void devirt_hostattr_exit(void);

ssize_t devirt_hostattr_read(const char *path, char *buf, size_t size);
int devirt_hostattr_list(const char *path, char *buf, size_t size);
int devirt_hostattr_write(const char *path, const char *value);
int devirt_hostattr_read_ulong(const char *path, unsigned long *value);
int devirt_hostattr_write_ulong(const char *path, unsigned long value);

#endif /* _DEVIRT_HOSTATTR_H */
