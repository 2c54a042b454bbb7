// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who uses a leased device: the process that does, through VFIO, is its
 * partition's VMM, and whenever it sets up interrupts these are placed (irq.c).
 *
 * The first process that makes any ioctl of one of the partition's VFIO devices
 * is the VMM, whoever's it is. Another one, while the first lives, is not; that
 * is told once, and nothing is done to it. A child of the VMM is another process.
 *
 * Probes of hook.c see the ioctl begin, where nothing can sleep. What there is to
 * do they leave to a piece of task work, which runs when the ioctl is done and
 * before the VMM sees its end. A device has a few of those for threads that make
 * ioctls at the same time; when all are on their way, or the thread is exiting,
 * a worker does it a moment later.
 */
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/vfio.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "hook.h"
#include "irq.h"
#include "partition.h"
#include "resource.h"
#include "user.h"
#include "vcpu.h"

/* Until the next try, when somebody has the device locked. */
#define DEVIRT_USER_DELAY	msecs_to_jiffies(10)
/* So many threads of a VMM may make ioctls of one device at the same time. */
#define DEVIRT_CALLS	4

/**
 * struct devirt_call - an ioctl that is under way
 * @work: does what is to be done after it
 * @user: whose
 * @busy: @work is on its way
 * @irqs: it sets up interrupts
 * @arg: its argument
 */
struct devirt_call {
	struct callback_head work;
	struct devirt_user *user;
	atomic_t busy;
	bool irqs;
	unsigned long arg;
};

/**
 * struct devirt_told - a process that was told of
 * @entry: in its user's list
 * @pid: the process, which isn't the VMM
 * @rcu: frees it
 */
struct devirt_told {
	struct list_head entry;
	struct pid *pid;
	struct rcu_head rcu;
};

/**
 * struct devirt_user - the use of one leased device
 * @ref: one for the device, one for each piece of work on its way
 * @node: in users
 * @part: the partition, with a reference
 * @dev: the device, with a reference if it is a function: another one's driver may
 *	go with its lease
 * @index: of its record
 * @irqs: its interrupts; NULL if it isn't a PCI function, and has none of its own
 * @hooked: the probes of vfio-pci are armed for it
 * @hook: or the probe of its own driver
 * @released: the partition is being given back, or the device is gone
 * @round: of the last time that this was tried
 * @lock: guards @told, @vmm and @last
 * @told: processes that aren't the VMM, read by RCU
 * @vmm: the process that has set up interrupts last, or NULL
 * @last: the process that has made an ioctl last, or NULL
 * @calls: ioctls that are under way
 * @reroute: places interrupts when their routes have changed
 * @rerouting: it is on its way
 * @later: does what no call can do
 * @changes: that @later ends
 * @rcu: frees it
 */
struct devirt_user {
	struct kref ref;
	struct hlist_node node;
	struct devirt_partition *part;
	struct device *dev;
	u32 index;
	struct devirt_irqs *irqs;
	bool hooked;
	struct devirt_hook_at *hook;
	bool released;
	int round;
	struct mutex lock;
	struct list_head told;
	struct pid *vmm;
	struct pid *last;
	struct devirt_call calls[DEVIRT_CALLS];
	struct callback_head reroute;
	atomic_t rerouting;
	struct delayed_work later;
	atomic_t changes;
	struct rcu_head rcu;
};

/* By the address of the device. */
static DEFINE_HASHTABLE(users, 6);
static DEFINE_SPINLOCK(users_lock);

static void devirt_user_free(struct rcu_head *rcu)
{
	struct devirt_user *user = container_of(rcu, struct devirt_user, rcu);

	devirt_irqs_free(user->irqs);
	kfree(user);
}

static void devirt_user_destroy(struct kref *ref)
{
	struct devirt_user *user = container_of(ref, struct devirt_user, ref);
	struct devirt_told *told, *next;

	list_for_each_entry_safe(told, next, &user->told, entry) {
		put_pid(told->pid);
		kfree_rcu(told, rcu);
	}
	put_pid(user->vmm);
	put_pid(user->last);
	if (user->irqs)
		put_device(user->dev);
	mutex_destroy(&user->lock);
	/* The probes may still be looking at it. */
	call_rcu(&user->rcu, devirt_user_free);
}

static void devirt_user_put(struct devirt_user *user)
{
	struct devirt_partition *part = user->part;

	if (kref_put(&user->ref, devirt_user_destroy))
		devirt_partition_put(part);
}

static struct devirt_user *devirt_user_find(const struct device *dev)
{
	struct devirt_user *user;

	hash_for_each_possible_rcu(users, user, node, (unsigned long)dev) {
		if (user->dev == dev)
			return user;
	}
	return NULL;
}

/* ------------------------------------------------------------------ the VMM */

static bool devirt_user_told(struct devirt_user *user, struct pid *pid)
{
	struct devirt_told *told;
	bool found = false;

	rcu_read_lock();
	list_for_each_entry_rcu(told, &user->told, entry)
		found |= told->pid == pid;
	rcu_read_unlock();
	return found;
}

/* Is there nothing more to find out about a process that uses the device? */
static bool devirt_user_known(struct devirt_user *user, struct pid *pid)
{
	if (devirt_vmm_is(user->part, pid))
		return true;
	return devirt_user_told(user, pid) &&
	       (devirt_vmm_lives(user->part) || devirt_vmm_is_any(pid));
}

/* It isn't the VMM: say so once. */
static void devirt_user_tell(struct devirt_user *user, struct pid *pid)
{
	struct devirt_told *told, *next, *fresh;

	/* Without memory it is told again at its next ioctl. */
	fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
	mutex_lock(&user->lock);
	if (devirt_user_told(user, pid)) {
		mutex_unlock(&user->lock);
		kfree(fresh);
		return;
	}
	list_for_each_entry_safe(told, next, &user->told, entry) {
		if (pid_has_task(told->pid, PIDTYPE_TGID))
			continue;
		list_del_rcu(&told->entry);
		put_pid(told->pid);
		kfree_rcu(told, rcu);
	}
	if (fresh) {
		fresh->pid = get_pid(pid);
		list_add_rcu(&fresh->entry, &user->told);
	}
	mutex_unlock(&user->lock);
	devirt_event(user->part, DEVIRT_EVENT_USER, .record = &user->index,
		     .pid = pid_nr(pid));
}

static void devirt_user_recognise(struct devirt_user *user, struct pid *pid)
{
	int err = -EBUSY;

	if (devirt_user_known(user, pid))
		return;
	/* Whatever else it fails for, the next ioctl tries again. */
	if (!devirt_vmm_lives(user->part))
		err = devirt_partition_attach(user->part, pid);
	if (err == -EBUSY)
		devirt_user_tell(user, pid);
}

/* -------------------------------------------------------------- interrupts */

static void devirt_user_later(struct work_struct *work)
{
	struct devirt_user *user = container_of(to_delayed_work(work), struct devirt_user,
						later);
	unsigned int changes = atomic_xchg(&user->changes, 0);
	struct pid *vmm;
	int err;

	/* Who uses it the next ioctl tells. */
	if (!user->irqs) {
		devirt_user_put(user);
		return;
	}
	mutex_lock(&user->lock);
	vmm = get_pid(user->vmm);
	mutex_unlock(&user->lock);
	err = devirt_irqs_place(user->irqs, vmm);
	put_pid(vmm);
	if (err) {
		/* This work's reference goes on to its next run. */
		atomic_add(changes, &user->changes);
		if (queue_delayed_work(devirt_wq, &user->later, DEVIRT_USER_DELAY))
			return;
	} else {
		devirt_irqs_changed(user->irqs, changes);
	}
	devirt_user_put(user);
}

/* Place them in a worker. Any context; takes over the caller's reference. */
static void devirt_user_queue(struct devirt_user *user, unsigned int changes)
{
	atomic_add(changes, &user->changes);
	if (!queue_delayed_work(devirt_wq, &user->later, 0))
		devirt_user_put(user);
}

/* In the VMM. Takes over the caller's reference. */
static void devirt_user_place(struct devirt_user *user, unsigned int changes)
{
	struct pid *old, *vmm = task_tgid(current);

	mutex_lock(&user->lock);
	old = user->vmm;
	user->vmm = get_pid(vmm);
	mutex_unlock(&user->lock);
	put_pid(old);
	if (devirt_irqs_place(user->irqs, vmm)) {
		devirt_user_queue(user, changes);
		return;
	}
	devirt_irqs_changed(user->irqs, changes);
	devirt_user_put(user);
}

static void devirt_user_note(struct devirt_user *user, struct pid *pid)
{
	struct pid *old;

	if (READ_ONCE(user->last) == pid)
		return;
	mutex_lock(&user->lock);
	old = user->last;
	WRITE_ONCE(user->last, get_pid(pid));
	mutex_unlock(&user->lock);
	put_pid(old);
}

/**
 * devirt_user_kill - end the process that has used the device last
 * @user: the user
 *
 * For a device that is going away, where VFIO waits for that process with locks
 * held. May sleep. Return: false if there is none that is known.
 */
bool devirt_user_kill(struct devirt_user *user)
{
	struct pid *pid;
	bool found;

	mutex_lock(&user->lock);
	pid = get_pid(user->last);
	mutex_unlock(&user->lock);
	found = pid && !kill_pid(pid, SIGKILL, 1);
	put_pid(pid);
	return found;
}

/* In the thread that made an ioctl, now that it is done. */
static void devirt_call_done(struct callback_head *work)
{
	struct devirt_call *call = container_of(work, struct devirt_call, work);
	struct devirt_user *user = call->user;
	unsigned long arg = call->arg;
	bool irqs = call->irqs;

	atomic_set_release(&call->busy, 0);
	devirt_user_note(user, task_tgid(current));
	devirt_user_recognise(user, task_tgid(current));
	if (!user->irqs) {
		devirt_user_put(user);
		return;
	}
	if (irqs && devirt_irqs_note(user->irqs, (void __user *)arg)) {
		devirt_user_place(user, 1);
		return;
	}
	devirt_irqs_changed(user->irqs, irqs);
	devirt_user_put(user);
}

static struct devirt_call *devirt_user_call(struct devirt_user *user)
{
	int i;

	for (i = 0; i < DEVIRT_CALLS; i++) {
		if (!atomic_xchg_acquire(&user->calls[i].busy, 1))
			return &user->calls[i];
	}
	return NULL;
}

/* An ioctl of the device begins; the caller gives its reference. */
static void devirt_user_begin(struct devirt_user *user, bool irqs, unsigned long arg)
{
	struct devirt_call *call = devirt_user_call(user);

	if (irqs)
		devirt_irqs_changing(user->irqs);
	if (call) {
		call->irqs = irqs;
		call->arg = arg;
		init_task_work(&call->work, devirt_call_done);
		if (!task_work_add(current, &call->work, TWA_RESUME))
			return;
		atomic_set(&call->busy, 0);
	}
	devirt_user_queue(user, irqs);
}

/**
 * devirt_user_ioctl - the current task makes an ioctl of a VFIO device
 * @dev: the device, leased or not
 * @cmd: VFIO_DEVICE_*
 * @arg: its argument
 *
 * Called from the probe, as it begins: any context in which @current makes it,
 * preemption off. Takes no sleeping lock.
 */
void devirt_user_ioctl(struct device *dev, unsigned int cmd, unsigned long arg)
{
	struct devirt_user *user;
	bool irqs;

	rcu_read_lock();
	user = devirt_user_find(dev);
	irqs = user && user->irqs && cmd == VFIO_DEVICE_SET_IRQS;
	if (user && !READ_ONCE(user->released) &&
	    (irqs || !devirt_user_known(user, task_tgid(current))) &&
	    kref_get_unless_zero(&user->ref))
		devirt_user_begin(user, irqs, arg);
	rcu_read_unlock();
}

/**
 * devirt_user_closing - a VFIO device is about to be closed by its last user
 * @dev: the device, leased or not
 *
 * Called from the probe, as devirt_user_ioctl().
 */
void devirt_user_closing(struct device *dev)
{
	struct devirt_user *user;

	rcu_read_lock();
	user = devirt_user_find(dev);
	if (user && user->irqs && kref_get_unless_zero(&user->ref)) {
		devirt_irqs_changing(user->irqs);
		/* Which gets nowhere before the device is closed. */
		devirt_user_queue(user, 1);
	}
	rcu_read_unlock();
}

/* In the VMM, when KVM has the new routes. */
static void devirt_user_follow(struct callback_head *work)
{
	struct devirt_user *user = container_of(work, struct devirt_user, reroute);

	atomic_set_release(&user->rerouting, 0);
	devirt_user_place(user, 0);
}

/**
 * devirt_user_rerouted - the current task changes where its guest's interrupts go
 *
 * Called from the probe, as devirt_user_ioctl().
 */
void devirt_user_rerouted(void)
{
	struct devirt_user *user;
	int i;

	rcu_read_lock();
	hash_for_each_rcu(users, i, user, node) {
		if (READ_ONCE(user->released) || !user->irqs || !devirt_irqs_followed(user->irqs) ||
		    !devirt_vmm_is(user->part, task_tgid(current)) ||
		    atomic_xchg_acquire(&user->rerouting, 1))
			continue;
		if (kref_get_unless_zero(&user->ref)) {
			init_task_work(&user->reroute, devirt_user_follow);
			if (!task_work_add(current, &user->reroute, TWA_RESUME))
				continue;
			devirt_user_queue(user, 0);
		}
		atomic_set(&user->rerouting, 0);
	}
	rcu_read_unlock();
}

/* ------------------------------------------------------------------ the lease */

/* A probe of a driver that isn't vfio-pci. */
static int devirt_user_hook_at(struct devirt_user *user, void *ioctl)
{
	struct devirt_hook_at *hook = devirt_hook_vfio_ioctl_at(ioctl);

	if (IS_ERR(hook))
		return PTR_ERR(hook);
	user->hook = hook;
	return 0;
}

/* Those of vfio-pci. */
static int devirt_user_hook_pci(struct devirt_user *user)
{
	int err = devirt_hook_arm(DEVIRT_HOOK_VFIO_IOCTL);

	if (!err) {
		err = devirt_hook_arm(DEVIRT_HOOK_VFIO_CLOSE);
		if (err)
			devirt_hook_disarm(DEVIRT_HOOK_VFIO_IOCTL);
	}
	user->hooked = !err;
	return err;
}

/* Probes for it; without them nobody is recognised and nothing is placed. */
static int devirt_user_hook(struct devirt_user *user, void *ioctl)
{
	int err = user->irqs ? devirt_user_hook_pci(user) : devirt_user_hook_at(user, ioctl);

	if (err == -EOPNOTSUPP) {
		dev_warn(user->dev, "devirt: no probe of VFIO: its VMM has to be attached\n");
		err = 0;
	}
	return err;
}

/**
 * devirt_user_watch - notice who uses a device
 * @res: its resource, about to be acquired
 * @dev: the device, which nobody can have opened yet: a PCI function with vfio-pci,
 *	or one of another driver
 * @irq: where a function's interrupts belong; else NULL
 * @ioctl: the other driver's ioctl (struct vfio_device_ops); else NULL
 *
 * May sleep. Return: to be given to devirt_user_unwatch(); or ERR_PTR(-ENOMEM).
 */
struct devirt_user *devirt_user_watch(struct devirt_resource *res, struct device *dev,
				      const struct devirt_irq *irq, void *ioctl)
{
	struct devirt_user *user;
	int err = -ENOMEM, i;

	user = kzalloc(sizeof(*user), GFP_KERNEL);
	if (!user)
		return ERR_PTR(-ENOMEM);
	kref_init(&user->ref);
	user->part = res->part;
	user->dev = dev;
	user->index = res->index;
	mutex_init(&user->lock);
	INIT_LIST_HEAD(&user->told);
	INIT_DELAYED_WORK(&user->later, devirt_user_later);
	for (i = 0; i < DEVIRT_CALLS; i++)
		user->calls[i].user = user;
	if (irq) {
		user->irqs = devirt_irqs_create(res, to_pci_dev(dev), irq);
		if (!user->irqs)
			goto err_free;
	}
	err = devirt_user_hook(user, ioctl);
	if (err)
		goto err_irqs;

	kref_get(&user->part->ref);
	if (user->irqs) {
		get_device(dev);
		devirt_irqs_add(user->irqs);
	}
	spin_lock(&users_lock);
	hash_add_rcu(users, &user->node, (unsigned long)dev);
	spin_unlock(&users_lock);
	return user;

err_irqs:
	devirt_irqs_free(user->irqs);
err_free:
	mutex_destroy(&user->lock);
	kfree(user);
	return ERR_PTR(err);
}

/**
 * devirt_user_unwatch - undo devirt_user_watch()
 * @user: the user, or NULL
 *
 * May sleep.
 */
void devirt_user_unwatch(struct devirt_user *user)
{
	if (!user)
		return;
	WRITE_ONCE(user->released, true);
	if (user->irqs)
		devirt_irqs_release(user->irqs);
	spin_lock(&users_lock);
	hash_del_rcu(&user->node);
	spin_unlock(&users_lock);
	if (user->irqs)
		devirt_irqs_remove(user->irqs);
	devirt_hook_at_free(user->hook);
	user->hook = NULL;
	if (user->hooked) {
		devirt_hook_disarm(DEVIRT_HOOK_VFIO_CLOSE);
		devirt_hook_disarm(DEVIRT_HOOK_VFIO_IOCTL);
	}
	devirt_user_put(user);
}

/**
 * devirt_user_gone - the device was removed
 * @user: the user, or NULL
 *
 * Another device may be where it was. Any context.
 */
void devirt_user_gone(struct devirt_user *user)
{
	if (user)
		WRITE_ONCE(user->released, true);
}

/**
 * devirt_user_release - a partition is being given back
 * @part: the partition
 *
 * Nobody becomes its VMM any more, and its devices' interrupts leave its CPUs,
 * which are about to be the host's. Called each time that the release is tried.
 * May sleep.
 */
void devirt_user_release(struct devirt_partition *part)
{
	static atomic_t rounds = ATOMIC_INIT(0);
	int i, round = atomic_inc_return(&rounds);
	struct devirt_user *user, *found;

	/* Its own resources' users can't go meanwhile: that is for its caller. */
	do {
		found = NULL;
		rcu_read_lock();
		hash_for_each_rcu(users, i, user, node) {
			if (user->part == part && user->round != round &&
			    kref_get_unless_zero(&user->ref)) {
				found = user;
				break;
			}
		}
		rcu_read_unlock();
		if (found) {
			found->round = round;
			WRITE_ONCE(found->released, true);
			if (found->irqs)
				devirt_irqs_release(found->irqs);
			devirt_user_put(found);
		}
	} while (found);
}
