// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process's vCPUs, found by its file descriptors: KVM has no list of whose they
 * are, and a descriptor keeps its vCPU alive while we look at it. And where its
 * guest wants its interrupts, as KVM has noted it beside each eventfd that it
 * takes them from. Needs nothing of KVM's module, which may not even be loaded.
 */
#include <linux/bsearch.h>
#include <linux/dcache.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/kvm_irqfd.h>
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

#ifdef CONFIG_X86
/*
 * The vCPU that a message goes to. With a physical destination that is its APIC
 * id, which is KVM's number for it. A logical one is the guest's choice; up to
 * eight vCPUs all guests that are known count them in order, a bit for each. Of
 * several the first.
 */
static s64 devirt_msi_vcpu(struct kvm *kvm, const struct kvm_kernel_irq_routing_entry *entry)
{
	u32 dest = entry->msi.address_lo >> 12 & 0xff;
	struct kvm_vcpu *vcpu;

	if (!(entry->msi.address_lo & BIT(2)))
		return dest | (kvm->arch.x2apic_format ? entry->msi.address_hi & ~0xffU : 0);
	if (!dest || atomic_read(&kvm->online_vcpus) > 8)
		return DEVIRT_ROUTE_UNKNOWN;
	vcpu = kvm_get_vcpu(kvm, __ffs(dest));
	return vcpu ? vcpu->vcpu_id : DEVIRT_ROUTE_UNKNOWN;
}
#else
static s64 devirt_msi_vcpu(struct kvm *kvm, const struct kvm_kernel_irq_routing_entry *entry)
{
	return DEVIRT_ROUTE_UNKNOWN;
}
#endif

/**
 * struct devirt_kvm_routing - a look at where interrupts go
 * @kvm: the guest that was looked at last
 * @routes: which interrupts, sorted by their tokens
 * @count: how many
 */
struct devirt_kvm_routing {
	struct kvm *kvm;
	struct devirt_route *routes;
	u32 count;
};

static int devirt_route_compare(const void *key, const void *elt)
{
	const struct devirt_route *route = elt;

	return key < route->token ? -1 : key > route->token;
}

static void devirt_kvm_route(struct kvm_vcpu *vcpu, void *arg)
{
	struct devirt_kvm_routing *routing = arg;
	struct kvm *kvm = vcpu->kvm;
	struct kvm_kernel_irqfd *irqfd;
	struct devirt_route *route;
	unsigned long flags;

	if (kvm == routing->kvm)
		return;
	routing->kvm = kvm;
	spin_lock_irqsave(&kvm->irqfds.lock, flags);
	list_for_each_entry(irqfd, &kvm->irqfds.items, list) {
		route = bsearch(irqfd->eventfd, routing->routes, routing->count,
				sizeof(*route), devirt_route_compare);
		if (route && irqfd->irq_entry.type == KVM_IRQ_ROUTING_MSI)
			route->vcpu = devirt_msi_vcpu(kvm, &irqfd->irq_entry);
	}
	spin_unlock_irqrestore(&kvm->irqfds.lock, flags);
}

/**
 * devirt_kvm_routes - which vCPUs a guest wants its interrupts at
 * @process: the VMM
 * @routes: the interrupts, sorted by their tokens; the vCPUs are filled in where
 *	they can be known
 * @count: how many
 *
 * Any context in which spinlocks may be taken; linear in its descriptors.
 */
void devirt_kvm_routes(struct pid *process, struct devirt_route *routes, u32 count)
{
	struct devirt_kvm_routing routing = { .routes = routes, .count = count };

	devirt_kvm_vcpus(process, devirt_kvm_route, &routing);
}
