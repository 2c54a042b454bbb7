/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_USER_H
#define _DEVIRT_USER_H

#include <linux/types.h>

struct device;
struct devirt_irq;
struct devirt_partition;
struct devirt_resource;
struct devirt_user;

struct devirt_user *devirt_user_watch(struct devirt_resource *res, struct device *dev,
				      const struct devirt_irq *irq, void *ioctl);
void devirt_user_unwatch(struct devirt_user *user);
void devirt_user_gone(struct devirt_user *user);
bool devirt_user_kill(struct devirt_user *user);
void devirt_user_release(struct devirt_partition *part);
void devirt_user_ioctl(struct device *dev, unsigned int cmd, unsigned long arg);
void devirt_user_closing(struct device *dev);
void devirt_user_rerouted(void);

#endif /* _DEVIRT_USER_H */
