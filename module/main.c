// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: /dev/devirt, the partition descriptors, and the ioctls of both.
 * Everything that comes from userspace is copied in and checked here; what is
 * called from here sees kernel memory only.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "class.h"
#include "compat/compat.h"
#include "cpu.h"
#include "function.h"
#include "guard.h"
#include "hook.h"
#include "hostattr.h"
#include "mdev.h"
#include "partition.h"
#include "pool.h"
#include "power.h"
#include "reserve.h"
#include "stats.h"
#include "task.h"
#include "vcpu.h"

/* An ioctl argument of any kind; it starts with its size. */
union devirt_arg {
	u32 size;
	struct devirt_query query;
	struct devirt_create create;
	struct devirt_open open;
	struct devirt_apply apply;
	struct devirt_get get;
	struct devirt_attach attach;
	struct devirt_release release;
	struct devirt_stats stats;
	struct devirt_pool_size pool;
};

/**
 * struct devirt_handle - one descriptor of a partition
 * @part: the partition
 * @lease: this is the one that DEVIRT_CREATE made
 * @observe: it may look on only
 * @seen: the last event it has read
 * @read_lock: one read at a time, so that none gets an event twice
 */
struct devirt_handle {
	struct devirt_partition *part;
	bool lease;
	bool observe;
	u64 seen;
	struct mutex read_lock;
};

/**
 * struct devirt_ioctl - an entry of an ioctl table
 * @cmd: the ioctl
 * @size: of its argument
 * @min: the argument's size when it was first published
 * @change: not for observers
 * @output: the argument has outputs, so it must be writable
 * @fn: does it; what it changes in the outputs is copied back, also when it
 *	fails, except with -EFAULT
 */
struct devirt_ioctl {
	unsigned int cmd;
	size_t size;
	size_t min;
	bool change;
	bool output;
	long (*fn)(struct devirt_handle *handle, union devirt_arg *arg);
};

/* MIN names the last field of the argument as it was first published. */
#define DEVIRT_IOCTL(_cmd, _struct, _min, _change, _output, _fn) {	\
	.cmd = _cmd, .size = sizeof(struct _struct),			\
	.min = offsetofend(struct _struct, _min),			\
	.change = _change, .output = _output, .fn = _fn }

static const struct file_operations devirt_partition_fops;

static long devirt_handle_fd(struct devirt_partition *part, bool lease, bool observe, u64 seen)
{
	struct devirt_handle *handle;
	struct file *file;
	int fd, err;

	handle = kzalloc(sizeof(*handle), GFP_KERNEL);
	if (!handle)
		return -ENOMEM;
	handle->part = part;
	handle->lease = lease;
	handle->observe = observe;
	handle->seen = seen;
	mutex_init(&handle->read_lock);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto err_free;
	}
	file = anon_inode_getfile("[devirt]", &devirt_partition_fops, handle,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_fd;
	}
	fd_install(fd, file);
	return fd;

err_fd:
	put_unused_fd(fd);
err_free:
	mutex_destroy(&handle->read_lock);
	kfree(handle);
	return err;
}

static long devirt_ioctl_query(struct devirt_handle *handle, union devirt_arg *arg)
{
	struct devirt_query *query = &arg->query;

	if (query->flags)
		return -EOPNOTSUPP;
	if (query->reserved)
		return -EINVAL;
	query->api_version = DEVIRT_API_VERSION;
	query->record_size = sizeof(struct devirt_record);
	query->event_size = sizeof(struct devirt_event);
	query->records_max = DEVIRT_RECORDS_MAX;
	query->kinds = BIT(DEVIRT_KIND_PCI) | BIT(DEVIRT_KIND_VF) |
		       BIT(DEVIRT_KIND_MDEV) | BIT(DEVIRT_KIND_MEMORY) | BIT(DEVIRT_KIND_CPU);
	query->facts = devirt_function_facts() | devirt_hook_facts();
	query->partitions = devirt_partition_count();
	return 0;
}

static long devirt_ioctl_create(struct devirt_handle *handle, union devirt_arg *arg)
{
	struct devirt_partition *part;
	long fd;

	if (arg->create.flags)
		return -EOPNOTSUPP;
	part = devirt_partition_create(arg->create.name);
	if (IS_ERR(part))
		return PTR_ERR(part);
	fd = devirt_handle_fd(part, true, false, 0);
	if (fd < 0) {
		devirt_partition_orphan(part);
		devirt_partition_put(part);
	}
	return fd;
}

static long devirt_ioctl_open(struct devirt_handle *handle, union devirt_arg *arg)
{
	bool observe = arg->open.flags & DEVIRT_OPEN_OBSERVE;
	bool past = arg->open.flags & DEVIRT_OPEN_PAST;
	struct devirt_partition *part;
	long fd;

	if (arg->open.flags & ~(DEVIRT_OPEN_OBSERVE | DEVIRT_OPEN_PAST))
		return -EOPNOTSUPP;
	part = devirt_partition_open(arg->open.name, observe);
	if (IS_ERR(part))
		return PTR_ERR(part);
	fd = devirt_handle_fd(part, false, observe, past ? 0 : devirt_log_head(&part->log));
	if (fd < 0)
		devirt_partition_put(part);
	return fd;
}

static long devirt_ioctl_pool(struct devirt_handle *handle, union devirt_arg *arg)
{
	if (arg->pool.flags & ~DEVIRT_POOL_LOOK)
		return -EOPNOTSUPP;
	return devirt_pool_resize(&arg->pool);
}

/**
 * struct devirt_user_records - where userspace has its records
 * @addr: the array
 * @stride: from one to the next
 * @count: how many
 */
struct devirt_user_records {
	void __user *addr;
	size_t stride;
	u32 count;
};

static int devirt_records_check(u32 count, u32 record_size, u32 min)
{
	if (count < min || count > DEVIRT_RECORDS_MAX)
		return -EINVAL;
	if (record_size < offsetofend(struct devirt_record, detail))
		return -EINVAL;
	return record_size > PAGE_SIZE ? -E2BIG : 0;
}

static int devirt_records_read(const struct devirt_user_records *user,
			       struct devirt_record *recs)
{
	u32 i;
	int err;

	for (i = 0; i < user->count; i++) {
		err = copy_struct_from_user(&recs[i], sizeof(*recs),
					    user->addr + i * user->stride, user->stride);
		if (err)
			return err;
	}
	return 0;
}

static int devirt_records_write(void *arg, const struct devirt_record *recs)
{
	const struct devirt_user_records *user = arg;
	size_t size = min(user->stride, sizeof(*recs));
	u32 i;

	for (i = 0; i < user->count; i++) {
		if (copy_to_user(user->addr + i * user->stride, &recs[i], size))
			return -EFAULT;
	}
	return 0;
}

static long devirt_ioctl_apply(struct devirt_handle *handle, union devirt_arg *arg)
{
	struct devirt_apply *apply = &arg->apply;
	struct devirt_user_records user = {
		.addr = u64_to_user_ptr(apply->records),
		.stride = apply->record_size,
		.count = apply->count,
	};
	struct devirt_record *recs;
	int err;

	if (apply->flags & ~(DEVIRT_APPLY_DRY_RUN | DEVIRT_APPLY_PERSIST))
		return -EOPNOTSUPP;
	if (apply->reserved)
		return -EINVAL;
	err = devirt_records_check(apply->count, apply->record_size, 1);
	if (err)
		return err;
	recs = kvcalloc(apply->count, sizeof(*recs), GFP_KERNEL);
	if (!recs)
		return -ENOMEM;
	err = devirt_records_read(&user, recs);
	if (err)
		goto out;
	/* Before anything is taken: can the answer be written at all? */
	err = devirt_records_write(&user, recs);
	if (err)
		goto out;
	err = devirt_partition_apply(handle->part, apply->flags, recs, apply->count,
				     &apply->failed, devirt_records_write, &user);
	/* A success was reported before the lease began, a refusal is now. */
	if ((err || apply->flags & DEVIRT_APPLY_DRY_RUN) && err != -EFAULT &&
	    devirt_records_write(&user, recs))
		err = -EFAULT;
out:
	kvfree(recs);
	return err;
}

static long devirt_ioctl_get(struct devirt_handle *handle, union devirt_arg *arg)
{
	struct devirt_get *get = &arg->get;
	struct devirt_user_records user = {
		.addr = u64_to_user_ptr(get->records),
		.stride = get->record_size,
	};
	struct devirt_record *recs;
	int err;

	if (get->flags)
		return -EOPNOTSUPP;
	/* Room for more than there can be is no error: fewer are written. */
	get->count = min_t(u32, get->count, DEVIRT_RECORDS_MAX);
	err = devirt_records_check(get->count, get->record_size, 0);
	if (err)
		return err;
	recs = kvcalloc(get->count + 1, sizeof(*recs), GFP_KERNEL);
	if (!recs)
		return -ENOMEM;
	err = devirt_partition_get(handle->part, get, recs);
	if (!err) {
		user.count = get->count;
		err = devirt_records_write(&user, recs);
	}
	kvfree(recs);
	return err;
}

static long devirt_ioctl_attach(struct devirt_handle *handle, union devirt_arg *arg)
{
	struct pid *pid;
	int err;

	if (arg->attach.flags)
		return -EOPNOTSUPP;
	if (arg->attach.reserved)
		return -EINVAL;
	pid = devirt_pidfd_get(arg->attach.pidfd);
	if (IS_ERR(pid))
		return PTR_ERR(pid);
	err = devirt_partition_attach(handle->part, pid);
	put_pid(pid);
	return err;
}

static long devirt_ioctl_release(struct devirt_handle *handle, union devirt_arg *arg)
{
	if (arg->release.flags)
		return -EOPNOTSUPP;
	return devirt_partition_release(handle->part);
}

static int devirt_array_write(u64 addr, u32 stride, const void *from, u32 count, size_t size)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (copy_to_user(u64_to_user_ptr(addr) + (size_t)i * stride, from + i * size,
				 min_t(size_t, stride, size)))
			return -EFAULT;
	}
	return 0;
}

static long devirt_ioctl_stats(struct devirt_handle *handle, union devirt_arg *arg)
{
	struct devirt_stats_result result = {};
	struct devirt_stats *stats = &arg->stats;
	u32 cpu_room = stats->cpu_count, intruder_room = stats->intruder_count;
	int err;

	if (stats->flags)
		return -EOPNOTSUPP;
	if (stats->cpu_size < offsetofend(struct devirt_cpu_stats, intrusions) ||
	    stats->intruder_size < offsetofend(struct devirt_intruder, name))
		return -EINVAL;
	if (stats->cpu_size > PAGE_SIZE || stats->intruder_size > PAGE_SIZE)
		return -E2BIG;
	err = devirt_partition_stats(handle->part, stats, &result);
	if (err)
		goto out;
	stats->cpu_count = result.cpu_count;
	stats->intruder_count = result.intruder_count;
	if (cpu_room < result.cpu_count || intruder_room < result.intruder_count)
		err = -EMSGSIZE;
	if (!err)
		err = devirt_array_write(stats->cpus, stats->cpu_size, result.cpus,
					 result.cpu_count, sizeof(*result.cpus));
	if (!err)
		err = devirt_array_write(stats->intruders, stats->intruder_size,
					 result.intruders, result.intruder_count,
					 sizeof(*result.intruders));
out:
	devirt_stats_free(&result);
	return err;
}

static const struct devirt_ioctl devirt_device_ioctls[] = {
	DEVIRT_IOCTL(DEVIRT_QUERY, devirt_query, reserved, false, true, devirt_ioctl_query),
	DEVIRT_IOCTL(DEVIRT_CREATE, devirt_create, name, false, false, devirt_ioctl_create),
	DEVIRT_IOCTL(DEVIRT_OPEN, devirt_open, name, false, false, devirt_ioctl_open),
	DEVIRT_IOCTL(DEVIRT_POOL, devirt_pool_size, detail, false, true, devirt_ioctl_pool),
};

static const struct devirt_ioctl devirt_partition_ioctls[] = {
	DEVIRT_IOCTL(DEVIRT_APPLY, devirt_apply, reserved, true, true, devirt_ioctl_apply),
	DEVIRT_IOCTL(DEVIRT_GET, devirt_get, name, false, true, devirt_ioctl_get),
	DEVIRT_IOCTL(DEVIRT_ATTACH, devirt_attach, reserved, false, false, devirt_ioctl_attach),
	DEVIRT_IOCTL(DEVIRT_RELEASE, devirt_release, flags, true, false, devirt_ioctl_release),
	DEVIRT_IOCTL(DEVIRT_STATS, devirt_stats, unnamed, false, true, devirt_ioctl_stats),
};

static long devirt_ioctl_call(const struct devirt_ioctl *ioctl,
			      struct devirt_handle *handle, void __user *user)
{
	union devirt_arg arg = {};
	u32 size;
	long ret;
	int err;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < ioctl->min)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&arg, ioctl->size, user, size);
	if (err)
		return err;
	/* The caller may change it between the two copies. */
	arg.size = size;
	/* A pool that was made can't be unmade because nobody can be told of it. */
	if (ioctl->fn == devirt_ioctl_pool &&
	    copy_to_user(user, &arg, min_t(size_t, size, ioctl->size)))
		return -EFAULT;

	ret = ioctl->fn(handle, &arg);
	/* What only has inputs must not fail after it was done. */
	if (!ioctl->output)
		return ret;
	/*
	 * An apply that has succeeded must not report a failure: its only
	 * output says that no record failed, which the caller knows by then.
	 */
	if (copy_to_user(user, &arg, min_t(size_t, size, ioctl->size)) &&
	    !(ioctl->fn == devirt_ioctl_apply && !ret))
		return -EFAULT;
	return ret;
}

static long devirt_ioctl(const struct devirt_ioctl *table, size_t count,
			 struct devirt_handle *handle, unsigned int cmd, unsigned long arg)
{
	size_t i;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	for (i = 0; i < count; i++) {
		if (table[i].cmd != cmd)
			continue;
		if (table[i].change && handle->observe)
			return -EPERM;
		return devirt_ioctl_call(&table[i], handle, (void __user *)arg);
	}
	return -ENOTTY;
}

static long devirt_device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return devirt_ioctl(devirt_device_ioctls, ARRAY_SIZE(devirt_device_ioctls),
			    NULL, cmd, arg);
}

static long devirt_partition_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return devirt_ioctl(devirt_partition_ioctls, ARRAY_SIZE(devirt_partition_ioctls),
			    file->private_data, cmd, arg);
}

static bool devirt_handle_next(struct devirt_handle *handle, struct devirt_event *event)
{
	return devirt_log_next(&handle->part->log, &handle->seen, event);
}

static ssize_t devirt_partition_read(struct file *file, char __user *buf, size_t size,
				     loff_t *pos)
{
	struct devirt_handle *handle = file->private_data;
	struct devirt_partition *part = handle->part;
	struct devirt_event event;
	ssize_t done = 0;
	int err;

	if (size < sizeof(event))
		return -EINVAL;
	err = mutex_lock_interruptible(&handle->read_lock);
	if (err)
		return err;
	for (;;) {
		u64 seen = handle->seen;

		if (devirt_handle_next(handle, &event)) {
			if (copy_to_user(buf + done, &event, sizeof(event))) {
				handle->seen = seen;
				err = -EFAULT;
				break;
			}
			done += sizeof(event);
			if (size - done < sizeof(event))
				break;
			continue;
		}
		/* The end is posted before the state changes: look again. */
		if (done || (devirt_partition_empty(part) &&
			     devirt_log_head(&part->log) == handle->seen))
			break;
		if (file->f_flags & O_NONBLOCK) {
			err = -EAGAIN;
			break;
		}
		err = wait_event_interruptible(part->log.wait,
					       devirt_log_head(&part->log) != handle->seen ||
					       devirt_partition_empty(part));
		if (err)
			break;
	}
	mutex_unlock(&handle->read_lock);
	return done ?: err;
}

static __poll_t devirt_partition_poll(struct file *file, poll_table *wait)
{
	struct devirt_handle *handle = file->private_data;
	struct devirt_partition *part = handle->part;
	__poll_t mask = 0;

	poll_wait(file, &part->log.wait, wait);
	if (devirt_log_head(&part->log) != READ_ONCE(handle->seen))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (devirt_partition_empty(part))
		mask |= EPOLLHUP;
	return mask;
}

static int devirt_partition_close(struct inode *inode, struct file *file)
{
	struct devirt_handle *handle = file->private_data;

	if (handle->lease)
		devirt_partition_orphan(handle->part);
	devirt_partition_put(handle->part);
	mutex_destroy(&handle->read_lock);
	kfree(handle);
	return 0;
}

static const struct file_operations devirt_partition_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = devirt_partition_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = devirt_partition_read,
	.poll = devirt_partition_poll,
	.release = devirt_partition_close,
	.llseek = noop_llseek,
};

static const struct file_operations devirt_device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = devirt_device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice devirt_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "devirt",
	.fops = &devirt_device_fops,
	.mode = 0600,
};

static int (*const devirt_inits[])(void) = {
	devirt_hostattr_init,
	devirt_class_init,
	devirt_set_init,
	devirt_partition_init,
	devirt_task_init,
	devirt_guard_init,
	devirt_power_init,
	devirt_cpu_init,
	devirt_pool_init,
	devirt_mdev_init,
	devirt_hook_init,
	devirt_reserve_init,
};

static void (*const devirt_exits[])(void) = {
	devirt_hostattr_exit,
	devirt_class_exit,
	devirt_set_exit,
	devirt_partition_exit,
	devirt_task_exit,
	devirt_guard_exit,
	devirt_power_exit,
	devirt_cpu_exit,
	devirt_pool_exit,
	devirt_mdev_exit,
	devirt_hook_exit,
	devirt_reserve_exit,
};

static int __init devirt_init(void)
{
	size_t i;
	int err;

	BUILD_BUG_ON(ARRAY_SIZE(devirt_inits) != ARRAY_SIZE(devirt_exits));
	for (i = 0; i < ARRAY_SIZE(devirt_inits); i++) {
		err = devirt_inits[i]();
		if (err)
			goto err_exit;
	}
	/* Last: from here on userspace can call. */
	err = misc_register(&devirt_device);
	if (err)
		goto err_exit;
	return 0;

err_exit:
	while (i-- > 0)
		devirt_exits[i]();
	return err;
}

static void __exit devirt_exit(void)
{
	size_t i = ARRAY_SIZE(devirt_exits);

	misc_deregister(&devirt_device);
	while (i-- > 0)
		devirt_exits[i]();
}

module_init(devirt_init);
module_exit(devirt_exit);

MODULE_DESCRIPTION("Lease host hardware to virtual machines");
MODULE_AUTHOR("The devirt maintainers");
MODULE_LICENSE("GPL");
