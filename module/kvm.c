// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process's vCPUs, found by its file descriptors: KVM has no list of whose they
 * are, and a descriptor keeps its vCPU alive while we look at it. Needs nothing
 * of KVM's module, which may not even be loaded.
 */
#include <linux/dcache.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/task.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "kvm.h"

/* KVM's name for the file of a vCPU; its number follows. */
#define DEVIRT_KVM_VCPU_FILE	"kvm-vcpu:"

/**
 * struct devirt_kvm_walk - a look at a process's descriptors
 * @fn: what to call
 * @arg: for it
 */
struct devirt_kvm_walk {
	devirt_kvm_fn fn;
	void *arg;
};

/*
 * A file of KVM's, and not one that happens to have such a name: its inode is
 * the kernel's anonymous one, or of that file system, and a module named kvm owns
 * it, or the kernel where KVM is built in.
 */
static bool devirt_is_vcpu_file(const struct file *file)
{
	const struct module *owner = file->f_op->owner;

	return str_has_prefix(file->f_path.dentry->d_name.name, DEVIRT_KVM_VCPU_FILE) &&
	       file->f_inode->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       (!owner || str_has_prefix(owner->name, "kvm"));
}

static int devirt_kvm_file(const void *data, struct file *file, unsigned int fd)
{
	const struct devirt_kvm_walk *walk = data;

	if (devirt_is_vcpu_file(file))
		walk->fn(file->private_data, walk->arg);
	return 0;
}

/**
 * devirt_kvm_vcpus - look at all vCPUs of a process
 * @process: the process; all its threads share their descriptors
 * @fn: called for each, in no order, with a lock held
 * @arg: for @fn
 *
 * Any context in which spinlocks may be taken; linear in its descriptors.
 */
void devirt_kvm_vcpus(struct pid *process, devirt_kvm_fn fn, void *arg)
{
	struct devirt_kvm_walk walk = { .fn = fn, .arg = arg };
	struct task_struct *task = get_pid_task(process, PIDTYPE_TGID);

	if (!task)
		return;
	task_lock(task);
	if (task->files)
		iterate_fd(task->files, 0, devirt_kvm_file, &walk);
	task_unlock(task);
	put_task_struct(task);
}
