// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kind mdev: a mediated device, a slice that a parent makes of itself.
 *
 * Parents make and remove them by sysfs alone, where a type says how many of it
 * are left. That number is the driver's: types of one parent may share what they
 * are made of, so only making one tells whether there is room.
 *
 * While one is leased its driver's module can't be unloaded. That somebody else
 * removes the device, or takes its driver away, can't be prevented; it is told.
 * VFIO lets the last user close it before it goes, so whoever removes one that is
 * open waits. That is never us: it is left for a worker, which may.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/kref.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uuid.h>
#include <linux/vfio.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "function.h"
#include "hostattr.h"
#include "mdev.h"
#include "partition.h"
#include "resource.h"
#include "user.h"

#define DEVIRT_MDEV_PARENTS	"class/mdev_bus"
#define DEVIRT_MDEV_TYPES	DEVIRT_MDEV_PARENTS "/%s/mdev_supported_types"
#define DEVIRT_MDEV_PATH	192
/* How long a removal may take before it counts as one that waits for a user. */
#define DEVIRT_MDEV_PATIENCE	HZ

/**
 * struct devirt_removal - a mediated device that is being removed
 * @ref: one for who wants it gone, one for the work
 * @work: removes it
 * @done: that has ended
 * @started: it has begun
 * @waited: somebody has waited for it in vain
 * @uuid: which
 * @ret: 0 or a negative errno
 */
struct devirt_removal {
	struct kref ref;
	struct work_struct work;
	struct completion done;
	bool started;
	bool waited;
	uuid_t uuid;
	int ret;
};

/**
 * struct devirt_mdev - a mediated device that is leased
 * @res: its resource
 * @entry: in mdevs, from its check until it is dropped
 * @dev: it, with a reference, while it is leased and there; changes under mdevs_lock
 * @driver: the module of its driver, with a reference
 * @user: who uses it
 * @removal: to come, or under way
 * @told: that somebody else has changed it
 */
struct devirt_mdev {
	struct devirt_resource res;
	struct list_head entry;
	struct device *dev;
	struct module *driver;
	struct devirt_user *user;
	struct devirt_removal *removal;
	bool told;
};

static LIST_HEAD(mdevs);
/* Who has which UUID. A leaf: inside devices' locks, and nothing of ours is taken inside. */
static DEFINE_MUTEX(mdevs_lock);
static struct workqueue_struct *mdev_wq;

static struct devirt_mdev *to_devirt_mdev(struct devirt_resource *res)
{
	return container_of(res, struct devirt_mdev, res);
}

static const uuid_t *devirt_mdev_uuid(const struct devirt_mdev *mdev)
{
	return (const uuid_t *)mdev->res.rec.mdev.uuid;
}

/* ---------------------------------------------------------------- the bus */

#if IS_ENABLED(CONFIG_VFIO_MDEV)

static int devirt_mdev_probe(struct mdev_device *mdev)
{
	return -ENODEV;
}

static void devirt_mdev_remove(struct mdev_device *mdev)
{
}

/* Registered for a moment: it is the drivers who are told which bus it is. */
static struct mdev_driver mdev_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.probe = devirt_mdev_probe,
	.remove = devirt_mdev_remove,
	.driver = {
		.name = "devirt",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
	},
};

/* The device of that UUID, with a reference, or NULL. */
static struct device *devirt_mdev_find(const uuid_t *uuid)
{
	char name[UUID_STRING_LEN + 1];

	snprintf(name, sizeof(name), "%pUb", uuid);
	return bus_find_device_by_name(mdev_driver.driver.bus, NULL, name);
}

/*
 * It was removed. Its parent may be freed from now on, and with it what the last
 * reference needs, so that mustn't be ours; whoever removes it still has one.
 */
static void devirt_mdev_removed(struct device *dev)
{
	struct devirt_mdev *mdev;

	mutex_lock(&mdevs_lock);
	list_for_each_entry(mdev, &mdevs, entry) {
		if (mdev->dev != dev)
			continue;
		mdev->dev = NULL;
		devirt_user_gone(mdev->user);
		put_device(dev);
	}
	mutex_unlock(&mdevs_lock);
}

/* Somebody else changes a device that is leased: say so, once. */
static int devirt_mdev_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	const char *how = action == BUS_NOTIFY_DEL_DEVICE ? "removed" :
			  action == BUS_NOTIFY_UNBOUND_DRIVER ? "unbound" : NULL;
	struct devirt_mdev *mdev;

	if (action == BUS_NOTIFY_REMOVED_DEVICE)
		devirt_mdev_removed(data);
	if (!how)
		return NOTIFY_DONE;
	mutex_lock(&mdevs_lock);
	list_for_each_entry(mdev, &mdevs, entry) {
		if (mdev->dev != data || mdev->told)
			continue;
		mdev->told = true;
		devirt_event(mdev->res.part, DEVIRT_EVENT_DRIFT, .record = &mdev->res.index,
			     .detail = how);
	}
	mutex_unlock(&mdevs_lock);
	return NOTIFY_OK;
}

static struct notifier_block devirt_mdev_nb = {
	.notifier_call = devirt_mdev_notify,
};

int devirt_mdev_init(void)
{
	int err = -ENOMEM;

	/* Unbound, and of its own: a removal may wait for a guest's end. */
	mdev_wq = alloc_workqueue("devirt_mdev", WQ_UNBOUND, 0);
	if (!mdev_wq)
		return -ENOMEM;
	err = mdev_register_driver(&mdev_driver);
	if (err)
		goto err_wq;
	mdev_unregister_driver(&mdev_driver);
	err = bus_register_notifier(mdev_driver.driver.bus, &devirt_mdev_nb);
	if (err)
		goto err_wq;
	return 0;

err_wq:
	destroy_workqueue(mdev_wq);
	return err;
}

void devirt_mdev_exit(void)
{
	bus_unregister_notifier(mdev_driver.driver.bus, &devirt_mdev_nb);
	destroy_workqueue(mdev_wq);
}

#else

/* Without it there is no parent either, so that check refuses all. */
static struct device *devirt_mdev_find(const uuid_t *uuid)
{
	return NULL;
}

int devirt_mdev_init(void)
{
	return 0;
}

void devirt_mdev_exit(void)
{
}

#endif

/* ---------------------------------------------------------------- refusals */

static void devirt_mdev_path(char *path, const struct devirt_record_mdev *rec, const char *name)
{
	int len = snprintf(path, DEVIRT_MDEV_PATH, DEVIRT_MDEV_TYPES, rec->parent);

	if (name)
		snprintf(path + len, DEVIRT_MDEV_PATH - len, "/%s/%s", rec->type, name);
}

/* Refuse with the names in a folder. */
static int devirt_mdev_refuse_names(struct devirt_resource *res, u32 reason, int err,
				    const char *path)
{
	char names[DEVIRT_DETAIL_MAX];

	devirt_hostattr_list(path, names, sizeof(names));
	return devirt_refuse(res, reason, err, "%s", names);
}

/* Whole words or nothing, so that what is there can be read. */
__printf(2, 3)
static void devirt_mdev_append(struct devirt_resource *res, const char *fmt, ...)
{
	size_t len = strlen(res->rec.detail), room = sizeof(res->rec.detail) - len;
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(res->rec.detail + len, room, fmt, args) >= room)
		memset(res->rec.detail + len, 0, room);
	va_end(args);
}

/* Leased ones of a parent and type, of one partition or (NULL) of all. */
static unsigned int devirt_mdev_count(const struct devirt_record_mdev *rec,
				      const struct devirt_partition *part)
{
	const struct devirt_mdev *mdev;
	unsigned int count = 0;

	lockdep_assert_held(&mdevs_lock);
	list_for_each_entry(mdev, &mdevs, entry)
		count += mdev->dev && (!part || mdev->res.part == part) &&
			 !strcmp(mdev->res.rec.mdev.parent, rec->parent) &&
			 !strcmp(mdev->res.rec.mdev.type, rec->type);
	return count;
}

/* Of those before it in the list, has one been told of already? */
static bool devirt_mdev_counted(const struct devirt_mdev *mdev)
{
	const struct devirt_record_mdev *rec = &mdev->res.rec.mdev, *other;
	const struct devirt_mdev *before;

	list_for_each_entry(before, &mdevs, entry) {
		other = &before->res.rec.mdev;
		if (before == mdev)
			return false;
		if (before->dev && before->res.part == mdev->res.part &&
		    !strcmp(other->parent, rec->parent) && !strcmp(other->type, rec->type))
			return true;
	}
	return false;
}

/* There is no room: how many are left, and who has the parent's, of any type. */
static int devirt_mdev_full(struct devirt_resource *res)
{
	struct devirt_record_mdev type = res->rec.mdev;
	char path[DEVIRT_MDEV_PATH], names[256], *rest = names, *name;
	struct devirt_mdev *mdev;
	unsigned long left = 0;
	unsigned int ours;
	int all;

	devirt_mdev_path(path, &type, "available_instances");
	devirt_hostattr_read_ulong(path, &left);
	devirt_refuse(res, DEVIRT_REASON_TYPE_FULL, -ENOSPC, "%lu", left);

	mutex_lock(&mdevs_lock);
	list_for_each_entry(mdev, &mdevs, entry) {
		const struct devirt_record_mdev *rec = &mdev->res.rec.mdev;

		if (mdev->dev && !strcmp(rec->parent, type.parent) && !devirt_mdev_counted(mdev))
			devirt_mdev_append(res, " %s %s %u",
					   devirt_partition_name(mdev->res.part), rec->type,
					   devirt_mdev_count(rec, mdev->res.part));
	}
	mutex_unlock(&mdevs_lock);

	/* And those that are nobody's lease. */
	devirt_mdev_path(path, &type, NULL);
	devirt_hostattr_list(path, names, sizeof(names));
	while ((name = strsep(&rest, " ")) && *name) {
		strscpy(type.type, name, sizeof(type.type));
		devirt_mdev_path(path, &type, "devices");
		all = devirt_hostattr_list(path, NULL, 0);
		mutex_lock(&mdevs_lock);
		ours = devirt_mdev_count(&type, NULL);
		mutex_unlock(&mdevs_lock);
		if (all > 0 && all > ours)
			devirt_mdev_append(res, " - %s %u", type.type, all - ours);
	}
	return -ENOSPC;
}

/* ------------------------------------------------------------------- check */

/* The name of a folder in sysfs, closed and filled up with NUL. */
static bool devirt_mdev_name_valid(const char *name)
{
	size_t len = strnlen(name, DEVIRT_MDEV_MAX);

	return len && len < DEVIRT_MDEV_MAX && name[0] != '.' && !strpbrk(name, "/\n ") &&
	       !memchr_inv(name + len, 0, DEVIRT_MDEV_MAX - len);
}

/* How many can be made, as its driver says; or the errno of the refusal. */
static int devirt_mdev_available(struct devirt_resource *res, unsigned long *count)
{
	struct devirt_record_mdev *rec = &res->rec.mdev;
	char path[DEVIRT_MDEV_PATH];
	int err;

	devirt_mdev_path(path, rec, "available_instances");
	err = devirt_hostattr_read_ulong(path, count);
	if (err != -ENOENT && err != -ENOTDIR)
		return err;
	devirt_mdev_path(path, rec, NULL);
	if (devirt_hostattr_list(path, NULL, 0) < 0)
		return devirt_mdev_refuse_names(res, DEVIRT_REASON_NO_PARENT, -ENODEV,
						DEVIRT_MDEV_PARENTS);
	return devirt_mdev_refuse_names(res, DEVIRT_REASON_NO_TYPE, -ENOENT, path);
}

/* Nobody has the UUID that was chosen, and nobody else gets it meanwhile. */
static int devirt_mdev_claim(struct devirt_mdev *mdev)
{
	struct devirt_resource *res = &mdev->res;
	struct devirt_mdev *other;
	struct device *dev;
	int err = 0;

	mutex_lock(&mdevs_lock);
	list_for_each_entry(other, &mdevs, entry) {
		if (uuid_is_null(devirt_mdev_uuid(mdev)) ||
		    !uuid_equal(devirt_mdev_uuid(other), devirt_mdev_uuid(mdev)))
			continue;
		if (other->res.set == res->set)
			err = devirt_refuse(res, DEVIRT_REASON_DUPLICATE, -EEXIST, "%u",
					    other->res.index);
		else if (!other->res.set->dry)
			err = devirt_refuse(res, other->res.rec.state == DEVIRT_STATE_QUARANTINE ?
					    DEVIRT_REASON_QUARANTINED : DEVIRT_REASON_OWNED, -EBUSY,
					    "%s", devirt_partition_name(other->res.part));
	}
	if (!err)
		list_add_tail(&mdev->entry, &mdevs);
	mutex_unlock(&mdevs_lock);
	if (err || uuid_is_null(devirt_mdev_uuid(mdev)))
		return err;

	dev = devirt_mdev_find(devirt_mdev_uuid(mdev));
	if (!dev)
		return 0;
	err = devirt_refuse(res, DEVIRT_REASON_UUID_TAKEN, -EEXIST, "%s",
			    dev->parent ? dev_name(dev->parent) : "");
	put_device(dev);
	mutex_lock(&mdevs_lock);
	list_del(&mdev->entry);
	mutex_unlock(&mdevs_lock);
	return err;
}

static int devirt_mdev_check(struct devirt_resource *res)
{
	struct devirt_record_mdev *rec = &res->rec.mdev;
	unsigned long available, wanted = 1;
	u32 i;
	int err;

	if (res->rec.flags)
		return devirt_refuse(res, DEVIRT_REASON_UNSUPPORTED, -EOPNOTSUPP, "flags");
	if (devirt_record_unused(&res->rec, sizeof(*rec)))
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "raw");
	if (!devirt_mdev_name_valid(rec->parent))
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "mdev.parent");
	if (!devirt_mdev_name_valid(rec->type))
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "mdev.type");
	memset(&rec->vfio, 0, sizeof(rec->vfio));
	rec->vfio.group = DEVIRT_INDEX_NONE;
	rec->vfio.device = DEVIRT_INDEX_NONE;
	res->rec.node = DEVIRT_NODE_ANY;

	err = devirt_mdev_available(res, &available);
	if (err)
		return err;
	/* Before one is made for nothing. Other types may still take the room. */
	for (i = 0; i < res->index; i++) {
		const struct devirt_record *other = &res->set->res[i]->rec;

		wanted += other->kind == DEVIRT_KIND_MDEV &&
			  !strcmp(other->mdev.parent, rec->parent) &&
			  !strcmp(other->mdev.type, rec->type);
	}
	if (wanted > available)
		return devirt_mdev_full(res);
	return devirt_mdev_claim(to_devirt_mdev(res));
}

static void devirt_mdev_drop(struct devirt_resource *res)
{
	mutex_lock(&mdevs_lock);
	list_del(&to_devirt_mdev(res)->entry);
	mutex_unlock(&mdevs_lock);
}

/* ----------------------------------------------------------------- removal */

static void devirt_removal_free(struct kref *ref)
{
	kfree(container_of(ref, struct devirt_removal, ref));
}

static void devirt_removal_put(struct devirt_removal *removal)
{
	if (removal)
		kref_put(&removal->ref, devirt_removal_free);
}

static void devirt_removal_work(struct work_struct *work)
{
	struct devirt_removal *removal = container_of(work, struct devirt_removal, work);
	char path[DEVIRT_MDEV_PATH];

	snprintf(path, sizeof(path), "bus/mdev/devices/%pUb/remove", &removal->uuid);
	removal->ret = devirt_hostattr_write(path, "1");
	complete(&removal->done);
	devirt_removal_put(removal);
}

static struct devirt_removal *devirt_removal_new(const uuid_t *uuid)
{
	struct devirt_removal *removal = kzalloc(sizeof(*removal), GFP_KERNEL);

	if (!removal)
		return NULL;
	kref_init(&removal->ref);
	INIT_WORK(&removal->work, devirt_removal_work);
	init_completion(&removal->done);
	removal->uuid = *uuid;
	return removal;
}

/* -EAGAIN while it isn't done: somebody opened it at the last moment. */
static int devirt_removal_run(struct devirt_removal *removal)
{
	if (!removal->started) {
		removal->started = true;
		removal->waited = false;
		reinit_completion(&removal->done);
		kref_get(&removal->ref);
		queue_work(mdev_wq, &removal->work);
	}
	if (!wait_for_completion_timeout(&removal->done,
					 removal->waited ? 0 : DEVIRT_MDEV_PATIENCE)) {
		removal->waited = true;
		return -EAGAIN;
	}
	removal->started = false;
	return removal->ret;
}

/* ------------------------------------------------------------------- lease */

static struct vfio_device *devirt_mdev_vfio_of(struct device *dev)
{
	if (!dev->class || strcmp(dev->class->name, "vfio-dev"))
		return NULL;
	return container_of(dev, struct vfio_device, device);
}

static int devirt_mdev_is_open(struct device *dev, void *data)
{
	struct vfio_device *vdev = devirt_mdev_vfio_of(dev);

	return vdev && READ_ONCE(vdev->open_count);
}

static int devirt_mdev_ioctl(struct device *dev, void *data)
{
	struct vfio_device *vdev = devirt_mdev_vfio_of(dev);
	void **ioctl = data;

	if (vdev)
		*ioctl = vdev->ops->ioctl;
	return 0;
}

static int devirt_mdev_create(struct devirt_mdev *mdev)
{
	struct devirt_resource *res = &mdev->res;
	char path[DEVIRT_MDEV_PATH], uuid[UUID_STRING_LEN + 1];
	unsigned long count;
	struct device *dev;
	int err;

	snprintf(uuid, sizeof(uuid), "%pUb", devirt_mdev_uuid(mdev));
	devirt_mdev_path(path, &res->rec.mdev, "create");
	err = devirt_hostattr_write(path, uuid);
	switch (err) {
	case 0:
		return 0;
	case -ENOMEM:
		return err;
	case -ENOSPC:
	case -EUSERS:
		return devirt_mdev_full(res);
	case -EEXIST:
		dev = devirt_mdev_find(devirt_mdev_uuid(mdev));
		devirt_refuse(res, DEVIRT_REASON_UUID_TAKEN, err, "%s",
			      dev && dev->parent ? dev_name(dev->parent) : "");
		put_device(dev);
		return err;
	case -ENOENT:
	case -ENOTDIR:
		/* Parent or type have gone since the check: that says which. */
		if (devirt_mdev_available(res, &count) && res->rec.reason)
			return res->rec.error;
		fallthrough;
	default:
		return devirt_refuse(res, DEVIRT_REASON_MDEV_FAILED, err, "%s", res->rec.mdev.type);
	}
}

/* Its driver stays loaded. */
static int devirt_mdev_hold(struct devirt_mdev *mdev, struct device *dev)
{
	int err = -ENODEV;

	device_lock(dev);
	if (dev->driver && try_module_get(dev->driver->owner)) {
		mdev->driver = dev->driver->owner;
		err = 0;
	}
	device_unlock(dev);
	return err;
}

static void devirt_mdev_outputs(struct devirt_mdev *mdev, struct device *dev)
{
	struct devirt_vfio *vfio = &mdev->res.rec.mdev.vfio;
	struct iommu_group *group = iommu_group_get(dev);

	if (group)
		vfio->group = iommu_group_id(group);
	iommu_group_put(group);
	device_for_each_child(dev, vfio, devirt_vfio_index);
	mdev->res.rec.node = dev->parent ? dev_to_node(dev->parent) : DEVIRT_NODE_ANY;
}

static int devirt_mdev_acquire(struct devirt_resource *res)
{
	struct devirt_mdev *mdev = to_devirt_mdev(res);
	bool chosen = !uuid_is_null(devirt_mdev_uuid(mdev));
	void *ioctl = NULL;
	struct device *dev;
	int err;

	if (!chosen) {
		mutex_lock(&mdevs_lock);
		uuid_gen((uuid_t *)res->rec.mdev.uuid);
		mutex_unlock(&mdevs_lock);
	}
	mdev->removal = devirt_removal_new(devirt_mdev_uuid(mdev));
	if (!mdev->removal) {
		err = -ENOMEM;
		goto err_uuid;
	}
	err = devirt_mdev_create(mdev);
	if (err)
		goto err_removal;
	err = -ENODEV;
	dev = devirt_mdev_find(devirt_mdev_uuid(mdev));
	if (dev)
		err = devirt_mdev_hold(mdev, dev);
	if (err) {
		devirt_refuse(res, DEVIRT_REASON_MDEV_FAILED, err, "%s", res->rec.mdev.type);
		goto err_remove;
	}
	device_for_each_child(dev, &ioctl, devirt_mdev_ioctl);
	mdev->user = devirt_user_watch(res, dev, NULL, ioctl);
	if (IS_ERR(mdev->user)) {
		err = PTR_ERR(mdev->user);
		mdev->user = NULL;
		goto err_module;
	}
	devirt_mdev_outputs(mdev, dev);
	mutex_lock(&mdevs_lock);
	mdev->told = false;
	mdev->dev = dev;
	mutex_unlock(&mdevs_lock);
	return 0;

err_module:
	module_put(mdev->driver);
	mdev->driver = NULL;
err_remove:
	put_device(dev);
	if (devirt_removal_run(mdev->removal) == -EAGAIN)
		pr_warn("%pUb is in use, and will be removed after that\n",
			devirt_mdev_uuid(mdev));
err_removal:
	devirt_removal_put(mdev->removal);
	mdev->removal = NULL;
err_uuid:
	if (!chosen) {
		mutex_lock(&mdevs_lock);
		memset(res->rec.mdev.uuid, 0, sizeof(res->rec.mdev.uuid));
		mutex_unlock(&mdevs_lock);
	}
	return err;
}

/* It is gone. */
static void devirt_mdev_end(struct devirt_mdev *mdev)
{
	struct device *dev;

	mutex_lock(&mdevs_lock);
	dev = mdev->dev;
	mdev->dev = NULL;
	mutex_unlock(&mdevs_lock);
	/* Only one that went while it was being taken: nobody told us then. */
	put_device(dev);
	devirt_user_unwatch(mdev->user);
	mdev->user = NULL;
	devirt_removal_put(mdev->removal);
	mdev->removal = NULL;
	module_put(mdev->driver);
	mdev->driver = NULL;
}

static bool devirt_mdev_is_there(struct devirt_mdev *mdev)
{
	bool there;

	mutex_lock(&mdevs_lock);
	there = mdev->dev && device_is_registered(mdev->dev);
	mutex_unlock(&mdevs_lock);
	return there;
}

/* Is it there, and shall it go? From then on nobody else's change of it is told. */
static int devirt_mdev_going(struct devirt_mdev *mdev, bool *there)
{
	int err = 0;

	mutex_lock(&mdevs_lock);
	*there = mdev->dev && device_is_registered(mdev->dev);
	if (*there && !mdev->removal->started &&
	    device_for_each_child(mdev->dev, NULL, devirt_mdev_is_open))
		err = -EAGAIN;
	else
		mdev->told = true;
	mutex_unlock(&mdevs_lock);
	return err;
}

static int devirt_mdev_release(struct devirt_resource *res)
{
	struct devirt_mdev *mdev = to_devirt_mdev(res);
	bool there;
	int err;

	err = devirt_mdev_going(mdev, &there);
	if (!err && (there || mdev->removal->started))
		err = devirt_removal_run(mdev->removal);
	if (err == -EAGAIN)
		return err;
	if (err && devirt_mdev_is_there(mdev)) {
		/* Somebody else is at it, and hasn't finished. */
		if (err == -ENODEV || err == -ENOENT)
			return -EAGAIN;
		return devirt_refuse(res, DEVIRT_REASON_INTERNAL, err, "removing %pUb",
				     devirt_mdev_uuid(mdev));
	}
	devirt_mdev_end(mdev);
	return 0;
}

static int devirt_mdev_describe(struct devirt_resource *res, char *buf, size_t size)
{
	const struct devirt_record_mdev *rec = &res->rec.mdev;

	return scnprintf(buf, size, "%pUb %s of %s", rec->uuid, rec->type, rec->parent);
}

const struct devirt_resource_ops devirt_mdev_ops = {
	.kind = DEVIRT_KIND_MDEV,
	.name = "mdev",
	.size = sizeof(struct devirt_mdev),
	.check = devirt_mdev_check,
	.acquire = devirt_mdev_acquire,
	.release = devirt_mdev_release,
	.drop = devirt_mdev_drop,
	.describe = devirt_mdev_describe,
};
