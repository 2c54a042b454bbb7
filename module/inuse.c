// SPDX-License-Identifier: GPL-2.0-only
/*
 * In use: does the host still need a device? Looks at everything below it in
 * the device tree: disks, network interfaces, displays.
 *
 * A disk is opened exclusively, which is how the kernel itself keeps a mount,
 * swap, md and dm apart. The one who takes the device keeps that open until the
 * driver is off, so that no mount slips in after the check.
 */
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/fb.h>
#include <linux/if_addr.h>
#include <linux/inetdevice.h>
#include <linux/kdev_t.h>
#include <linux/list.h>
#include <linux/major.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>
#if IS_ENABLED(CONFIG_DRM)
#include <drm/drm_device.h>
#include <drm/drm_file.h>
#endif

#include "compat/compat.h"
#include "inuse.h"
#include "resource.h"

#define DEVIRT_DRM_MAJOR	226

/* Openers that go by themselves, like udev's probing of a new disk. */
#define DEVIRT_OPEN_TRIES	20
#define DEVIRT_OPEN_PAUSE_MS	50

/**
 * struct devirt_held_disk - a disk that is open exclusively
 * @entry: in the list of its walk
 * @bdev: the whole disk
 */
struct devirt_held_disk {
	struct list_head entry;
	struct devirt_bdev bdev;
};

/**
 * struct devirt_inuse_walk - a look at all below a device
 * @res: whose refusal is noted
 * @held: disks that are open
 */
struct devirt_inuse_walk {
	struct devirt_resource *res;
	struct list_head *held;
};

static bool devirt_dev_is(struct device *dev, const char *class)
{
	return dev->class && !strcmp(dev->class->name, class);
}

/* ------------------------------------------------------------------ disks */

static int devirt_claimed_name(struct device *dev, void *data)
{
	struct devirt_record *rec = data;
	size_t len = strlen(rec->detail);

	if (devirt_dev_is(dev, "block") && dev_to_bdev(dev)->bd_holder)
		scnprintf(rec->detail + len, sizeof(rec->detail) - len, "%s%s",
			  len ? " " : "", dev_name(dev));
	return 0;
}

/*
 * Who exactly: some of its partitions, or else the disk. (Its own holder says
 * nothing: it is set too while a partition has one.)
 */
static int devirt_refuse_claimed(struct devirt_resource *res, struct device *disk)
{
	devirt_refuse(res, DEVIRT_REASON_BLOCK_CLAIMED, -EBUSY, "%s", "");
	device_for_each_child(disk, &res->rec, devirt_claimed_name);
	if (!res->rec.detail[0])
		devirt_refuse(res, DEVIRT_REASON_BLOCK_CLAIMED, -EBUSY, "%s", dev_name(disk));
	return -EBUSY;
}

static int devirt_hold_disk(struct devirt_inuse_walk *walk, struct device *dev)
{
	struct devirt_held_disk *disk;
	int tries, err;

	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return -ENOMEM;
	err = devirt_bdev_open(&disk->bdev, dev->devt, walk);
	if (err) {
		kfree(disk);
		/* An empty drive has nothing that could be mounted. */
		if (err == -ENXIO || err == -ENOMEDIUM)
			return 0;
		if (err == -EBUSY)
			return devirt_refuse_claimed(walk->res, dev);
		return devirt_refuse(walk->res, DEVIRT_REASON_INTERNAL, err, "%s",
				     dev_name(dev));
	}
	list_add(&disk->entry, walk->held);
	for (tries = 0; disk_openers(dev_to_disk(dev)) > 1; tries++) {
		if (tries == DEVIRT_OPEN_TRIES)
			return devirt_refuse(walk->res, DEVIRT_REASON_BLOCK_OPEN, -EBUSY, "%s",
					     dev_name(dev));
		msleep(DEVIRT_OPEN_PAUSE_MS);
	}
	return 0;
}

static int devirt_inuse_block(struct devirt_inuse_walk *walk, struct device *dev)
{
	unsigned int subsys, ctrl, ns;
	struct device *head;
	char name[DISK_NAME_LEN];
	int err;

	/* Partitions are their disk's. */
	if (!dev->type || strcmp(dev->type->name, "disk"))
		return 0;
	if (!(dev_to_disk(dev)->flags & GENHD_FL_HIDDEN))
		return devirt_hold_disk(walk, dev);

	/*
	 * With NVMe multipath the controller only has a hidden path. The disk
	 * that people mount hangs on the subsystem, which isn't below us.
	 */
	if (sscanf(dev_name(dev), "nvme%uc%un%u", &subsys, &ctrl, &ns) != 3)
		return 0;
	snprintf(name, sizeof(name), "nvme%un%u", subsys, ns);
	head = class_find_device_by_name(dev->class, name);
	if (!head)
		return 0;
	err = devirt_hold_disk(walk, head);
	put_device(head);
	return err;
}

/* ------------------------------------------------------ network interfaces */

static bool devirt_has_address(struct net_device *ndev)
{
	struct in_device *in_dev = __in_dev_get_rtnl(ndev);
	bool found = in_dev && rtnl_dereference(in_dev->ifa_list);
#if IS_ENABLED(CONFIG_IPV6)
	struct inet6_dev *in6_dev = __in6_dev_get(ndev);
	struct inet6_ifaddr *ifa;

	if (!found && in6_dev) {
		read_lock_bh(&in6_dev->lock);
		/* Every interface that is up has a link-local one by itself. */
		list_for_each_entry(ifa, &in6_dev->addr_list, if_list) {
			if (!(ipv6_addr_type(&ifa->addr) & IPV6_ADDR_LINKLOCAL))
				found = true;
		}
		read_unlock_bh(&in6_dev->lock);
	}
#endif
	return found;
}

static int devirt_inuse_net(struct devirt_inuse_walk *walk, struct device *dev)
{
	struct net_device *ndev = to_net_dev(dev), *upper;
	struct list_head *iter;
	int err = 0;

	rtnl_lock();
	if (devirt_has_address(ndev)) {
		err = devirt_refuse(walk->res, DEVIRT_REASON_NET_ADDRESS, -EBUSY, "%s",
				    netdev_name(ndev));
		goto out;
	}
	rcu_read_lock();
	iter = &ndev->adj_list.upper;
	upper = netdev_upper_get_next_dev_rcu(ndev, &iter);
	if (upper)
		err = devirt_refuse(walk->res, DEVIRT_REASON_NET_UPPER, -EBUSY, "%s %s",
				    netdev_name(ndev), netdev_name(upper));
	rcu_read_unlock();
out:
	rtnl_unlock();
	return err;
}

/* --------------------------------------------------------------- displays */

#if IS_ENABLED(CONFIG_DRM)
static int devirt_inuse_drm(struct devirt_inuse_walk *walk, struct device *dev)
{
	struct drm_minor *minor = dev_get_drvdata(dev);

	/* Connectors are of this class too, but only minors have a number. */
	if (MAJOR(dev->devt) != DEVIRT_DRM_MAJOR || !minor)
		return 0;
	if (!atomic_read(&minor->dev->open_count))
		return 0;
	return devirt_refuse(walk->res, DEVIRT_REASON_DISPLAY, -EBUSY, "%s", dev_name(dev));
}
#else
static int devirt_inuse_drm(struct devirt_inuse_walk *walk, struct device *dev)
{
	return 0;
}
#endif

#if IS_ENABLED(CONFIG_FB)
static int devirt_inuse_fb(struct devirt_inuse_walk *walk, struct device *dev)
{
	struct fb_info *info = dev_get_drvdata(dev);

	/* Its own reference, and none of an open file; nor the text console. */
	if (MAJOR(dev->devt) != FB_MAJOR || !info ||
	    (refcount_read(&info->count) <= 1 && !info->fbcon_par))
		return 0;
	return devirt_refuse(walk->res, DEVIRT_REASON_DISPLAY, -EBUSY, "%s", dev_name(dev));
}
#else
static int devirt_inuse_fb(struct devirt_inuse_walk *walk, struct device *dev)
{
	return 0;
}
#endif

static int devirt_inuse_one(struct device *dev, void *data)
{
	struct devirt_inuse_walk *walk = data;
	int err = 0;

	if (devirt_dev_is(dev, "block"))
		err = devirt_inuse_block(walk, dev);
	else if (devirt_dev_is(dev, "net"))
		err = devirt_inuse_net(walk, dev);
	else if (devirt_dev_is(dev, "drm"))
		err = devirt_inuse_drm(walk, dev);
	else if (devirt_dev_is(dev, "graphics"))
		err = devirt_inuse_fb(walk, dev);
	return err ?: device_for_each_child(dev, data, devirt_inuse_one);
}

/**
 * devirt_inuse_hold - refuse a device that the host uses, keep its disks
 * @res: the resource, whose refusal is noted
 * @dev: the device
 * @held: filled with what devirt_inuse_drop() lets go, also on failure
 *
 * May sleep; takes the rtnl lock. Return: 0; -EBUSY; -ENOMEM; or the errno of
 * opening a disk.
 */
int devirt_inuse_hold(struct devirt_resource *res, struct device *dev,
		      struct list_head *held)
{
	struct devirt_inuse_walk walk = { .res = res, .held = held };

	return device_for_each_child(dev, &walk, devirt_inuse_one);
}

/**
 * devirt_inuse_drop - let go of the disks
 * @held: what devirt_inuse_hold() has filled
 *
 * May sleep.
 */
void devirt_inuse_drop(struct list_head *held)
{
	struct devirt_held_disk *disk, *next;

	list_for_each_entry_safe(disk, next, held, entry) {
		devirt_bdev_close(&disk->bdev);
		kfree(disk);
	}
	INIT_LIST_HEAD(held);
}

/**
 * devirt_inuse_check - refuse a device that the host uses
 * @res: the resource, whose refusal is noted
 * @dev: the device
 *
 * May sleep. Return: as devirt_inuse_hold().
 */
int devirt_inuse_check(struct devirt_resource *res, struct device *dev)
{
	LIST_HEAD(held);
	int err = devirt_inuse_hold(res, dev, &held);

	devirt_inuse_drop(&held);
	return err;
}
