/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_CLASS_H
#define _DEVIRT_CLASS_H

struct devirt_partition;

int devirt_class_init(void);
void devirt_class_exit(void);
int devirt_class_add(struct devirt_partition *part);
void devirt_class_remove(struct devirt_partition *part);
void devirt_class_changed(struct devirt_partition *part);

#endif /* _DEVIRT_CLASS_H */
