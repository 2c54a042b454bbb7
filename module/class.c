// SPDX-License-Identifier: GPL-2.0-only
/*
 * The class: /sys/class/devirt/NAME, a device per partition, so that people and
 * udev can see what there is without a descriptor.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "class.h"
#include "compat/compat.h"
#include "partition.h"

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct devirt_partition *part = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", devirt_state_name(READ_ONCE(part->state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t persistent_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct devirt_partition *part = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", READ_ONCE(part->persistent));
}
static DEVICE_ATTR_RO(persistent);

/* One line a resource. A page holds about a hundred; DEVIRT_GET has them all. */
static ssize_t resources_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return devirt_partition_describe(dev_get_drvdata(dev), buf, PAGE_SIZE);
}
static DEVICE_ATTR_RO(resources);

static struct attribute *devirt_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_persistent.attr,
	&dev_attr_resources.attr,
	NULL
};
ATTRIBUTE_GROUPS(devirt);

static struct class *devirt_class;

/**
 * devirt_class_add - give a partition its class device
 * @part: the partition
 *
 * May sleep. Return: 0 or the errno of device_create().
 */
int devirt_class_add(struct devirt_partition *part)
{
	struct device *dev;

	dev = device_create_with_groups(devirt_class, NULL, MKDEV(0, 0), part,
					devirt_groups, "%s", part->name);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	part->dev = dev;
	return 0;
}

/**
 * devirt_class_remove - take the class device away
 * @part: the partition; its lock must not be held, readers may be waiting for it
 *
 * May sleep.
 */
void devirt_class_remove(struct devirt_partition *part)
{
	if (part->dev)
		device_unregister(part->dev);
	part->dev = NULL;
}

/**
 * devirt_class_changed - tell udev of a new state
 * @part: the partition
 *
 * May sleep. A uevent that can't be sent for lack of memory is lost: the state
 * attribute says the same.
 */
void devirt_class_changed(struct devirt_partition *part)
{
	char state[40];
	char *envp[2] = { state };

	if (!part->dev)
		return;
	snprintf(state, sizeof(state), "DEVIRT_STATE=%s",
		 devirt_state_name(READ_ONCE(part->state)));
	kobject_uevent_env(&part->dev->kobj, KOBJ_CHANGE, envp);
	sysfs_notify(&part->dev->kobj, NULL, "state");
}

int devirt_class_init(void)
{
	devirt_class = devirt_class_create("devirt");
	return PTR_ERR_OR_ZERO(devirt_class);
}

void devirt_class_exit(void)
{
	class_destroy(devirt_class);
}
