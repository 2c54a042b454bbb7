// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a pidfd to its process. The kernel has a function for that but doesn't
 * export it. What it does is stable, though: a pidfd is a file of pidfs, whose
 * inode points at the pid, or before there was a pidfs an anonymous inode named
 * "[pidfd]", whose file does.
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/pid.h>
#include <linux/string.h>

#include "compat.h"

/**
 * devirt_pidfd_get - the process that a pidfd is for
 * @fd: the pidfd
 *
 * May sleep. Return: its pid with a reference; ERR_PTR(-EBADF) if it isn't a
 * pidfd, ERR_PTR(-ESRCH) if the process has been waited for.
 */
struct pid *devirt_pidfd_get(int fd)
{
	struct file *file = fget(fd);
	struct pid *pid = NULL;

	if (!file)
		return ERR_PTR(-EBADF);
#ifdef PID_FS_MAGIC
	if (file_inode(file)->i_sb->s_magic == PID_FS_MAGIC)
		pid = file_inode(file)->i_private;
#endif
	if (!pid && file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	    !strcmp(file->f_path.dentry->d_name.name, "[pidfd]"))
		pid = file->private_data;
	get_pid(pid);
	fput(file);
	if (!pid)
		return ERR_PTR(-EBADF);
	if (!pid_has_task(pid, PIDTYPE_TGID)) {
		put_pid(pid);
		return ERR_PTR(-ESRCH);
	}
	return pid;
}
