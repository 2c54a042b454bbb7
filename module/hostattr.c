// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host attributes: the one place that reads and writes other subsystems' sysfs
 * files. Only for what has no exported function: huge page counts, compaction,
 * the workqueue CPU mask, mediated devices.
 *
 * They are reached through a sysfs mount of our own and with the kernel's
 * credentials, so it matters neither which root, mount namespace or user the
 * caller has, nor that a kernel thread may have no root at all. Writing is done
 * by a worker: it has no signals. The pool of huge pages stops growing when its
 * caller has one pending, and the mask of workqueues can't be changed by a task
 * that is being killed, since that needs new threads.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mount.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "hostattr.h"

static struct vfsmount *sysfs_mnt;
static const struct cred *kernel_creds;
static struct workqueue_struct *hostattr_wq;

static struct file *devirt_hostattr_open(const char *path, int flags)
{
	return file_open_root_mnt(sysfs_mnt, path, flags, 0);
}

/**
 * devirt_hostattr_read - read an attribute
 * @path: below /sys, without a leading slash
 * @buf: where to; closed with NUL, a trailing newline is cut
 * @size: of @buf
 *
 * May sleep. Return: bytes without the NUL, or a negative errno: -ENOENT if
 * there is no such attribute.
 */
ssize_t devirt_hostattr_read(const char *path, char *buf, size_t size)
{
	const struct cred *old = override_creds(kernel_creds);
	struct file *file = devirt_hostattr_open(path, O_RDONLY);
	loff_t pos = 0;
	ssize_t len;

	if (IS_ERR(file)) {
		len = PTR_ERR(file);
		goto out;
	}
	len = kernel_read(file, buf, size - 1, &pos);
	fput(file);
	if (len >= 0) {
		if (len && buf[len - 1] == '\n')
			len--;
		buf[len] = '\0';
	}
out:
	revert_creds(old);
	return len;
}

/**
 * struct devirt_hostattr_names - the names in a folder
 * @ctx: for iterate_dir()
 * @buf: where to, or NULL
 * @size: of @buf
 * @len: used of it
 * @count: how many names there are
 */
struct devirt_hostattr_names {
	struct dir_context ctx;
	char *buf;
	size_t size;
	size_t len;
	int count;
};

static bool devirt_hostattr_name(struct dir_context *ctx, const char *name, int len,
				 loff_t offset, u64 ino, unsigned int type)
{
	struct devirt_hostattr_names *names = container_of(ctx, struct devirt_hostattr_names, ctx);

	if (name[0] == '.')
		return true;
	names->count++;
	/* Whole names only. */
	if (names->len + len + 2 <= names->size)
		names->len += scnprintf(names->buf + names->len, names->size - names->len, "%s%.*s",
					names->len ? " " : "", len, name);
	return true;
}

/**
 * devirt_hostattr_list - the names in a folder, separated by blanks
 * @path: below /sys, without a leading slash
 * @buf: where to; as many as fit, closed with NUL; may be NULL if @size is 0
 * @size: of @buf
 *
 * May sleep. Return: how many there are, or a negative errno: -ENOENT if there is
 * no such folder; @buf is empty then.
 */
int devirt_hostattr_list(const char *path, char *buf, size_t size)
{
	const struct cred *old = override_creds(kernel_creds);
	struct file *file = devirt_hostattr_open(path, O_RDONLY | O_DIRECTORY);
	struct devirt_hostattr_names names = {
		.ctx.actor = devirt_hostattr_name,
		.buf = buf,
		.size = size,
	};
	int err;

	if (size)
		buf[0] = '\0';
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto out;
	}
	err = iterate_dir(file, &names.ctx);
	fput(file);
out:
	revert_creds(old);
	return err ?: names.count;
}

/**
 * struct devirt_hostattr_write - a write that a worker does
 * @work: its work
 * @path: which attribute
 * @value: the text
 * @ret: 0 or a negative errno
 */
struct devirt_hostattr_write {
	struct work_struct work;
	const char *path;
	const char *value;
	int ret;
};

static void devirt_hostattr_write_work(struct work_struct *work)
{
	struct devirt_hostattr_write *job = container_of(work, struct devirt_hostattr_write,
							 work);
	const struct cred *old = override_creds(kernel_creds);
	struct file *file = devirt_hostattr_open(job->path, O_WRONLY);
	loff_t pos = 0;
	ssize_t len;

	if (IS_ERR(file)) {
		len = PTR_ERR(file);
		goto out;
	}
	len = kernel_write(file, job->value, strlen(job->value), &pos);
	fput(file);
out:
	revert_creds(old);
	job->ret = len < 0 ? len : 0;
}

/**
 * devirt_hostattr_write - write an attribute
 * @path: below /sys, without a leading slash
 * @value: the text
 *
 * Some attributes take a value in part and report success: read it back where
 * that matters. May sleep. Return: 0 or a negative errno.
 */
int devirt_hostattr_write(const char *path, const char *value)
{
	struct devirt_hostattr_write job = { .path = path, .value = value };

	INIT_WORK_ONSTACK(&job.work, devirt_hostattr_write_work);
	queue_work(hostattr_wq, &job.work);
	flush_work(&job.work);
	destroy_work_on_stack(&job.work);
	return job.ret;
}

/**
 * devirt_hostattr_read_ulong - read an attribute that is a decimal number
 * @path: below /sys, without a leading slash
 * @value: the number
 *
 * May sleep. Return: 0 or a negative errno.
 */
int devirt_hostattr_read_ulong(const char *path, unsigned long *value)
{
	char buf[32];
	ssize_t len = devirt_hostattr_read(path, buf, sizeof(buf));

	return len < 0 ? len : kstrtoul(buf, 10, value);
}

/**
 * devirt_hostattr_write_ulong - write a decimal number to an attribute
 * @path: below /sys, without a leading slash
 * @value: the number
 *
 * May sleep. Return: 0 or a negative errno.
 */
int devirt_hostattr_write_ulong(const char *path, unsigned long value)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%lu", value);
	return devirt_hostattr_write(path, buf);
}

int devirt_hostattr_init(void)
{
	struct file_system_type *type = get_fs_type("sysfs");
	struct cred *cred;
	int err;

	if (!type)
		return -ENODEV;
	/* sysfs is never a module: get_fs_type() has taken no reference. */
	sysfs_mnt = kern_mount(type);
	if (IS_ERR(sysfs_mnt))
		return PTR_ERR(sysfs_mnt);
	err = -ENOMEM;
	cred = prepare_kernel_cred(&init_task);
	if (!cred)
		goto err_mnt;
	kernel_creds = cred;
	/* Unbound: allocating huge pages takes seconds, on no leased core. */
	hostattr_wq = alloc_workqueue("devirt_hostattr", WQ_UNBOUND, 0);
	if (!hostattr_wq)
		goto err_cred;
	return 0;

err_cred:
	put_cred(kernel_creds);
err_mnt:
	kern_unmount(sysfs_mnt);
	return err;
}

void devirt_hostattr_exit(void)
{
	destroy_workqueue(hostattr_wq);
	put_cred(kernel_creds);
	kern_unmount(sysfs_mnt);
}
