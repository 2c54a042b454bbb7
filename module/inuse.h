/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_INUSE_H
#define _DEVIRT_INUSE_H

#include <linux/list.h>

struct devirt_resource;
struct device;

int devirt_inuse_check(struct devirt_resource *res, struct device *dev);
int devirt_inuse_hold(struct devirt_resource *res, struct device *dev,
		      struct list_head *held);
void devirt_inuse_drop(struct list_head *held);

#endif /* _DEVIRT_INUSE_H */
