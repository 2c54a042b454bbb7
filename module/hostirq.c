// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's interrupts, and its unbound workqueues, and the leased cores: what
 * can move leaves the cores and gets its own affinity back.
 *
 * The same rule as for tasks (task.c): remember the affinity that an interrupt
 * would have without us and the one we gave it, compute anew when leased cores
 * change, and believe anybody who changed it meanwhile. Probes tell when somebody
 * sets an affinity, as irqbalance does, or a driver asks for an interrupt: that
 * one leaves the cores as well.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/task_work.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "cpu.h"
#include "hook.h"
#include "hostattr.h"
#include "hostirq.h"
#include "irq.h"
#include "note.h"
#include "partition.h"

#define DEVIRT_WQ_CPUMASK	"devices/virtual/workqueue/cpumask"
/* From a change that a probe has told to looking at it. */
#define DEVIRT_HOSTIRQ_LATE	msecs_to_jiffies(10)
/* So many ticks a CPU may need to free the vector of an interrupt that has left. */
#define DEVIRT_HOSTIRQ_BUSY	10
#define DEVIRT_WQ_TEXT		2400	/* hexadecimal digits and commas for 8192 CPUs */

/**
 * struct devirt_hostirq - an interrupt that we have moved
 * @entry: in hostirqs
 * @work: or on its way there: runs when who asked for it has set its affinity
 * @irq: its number
 * @orig: what it would have without us
 * @applied: what we gave it
 */
struct devirt_hostirq {
	struct list_head entry;
	struct callback_head work;
	unsigned int irq;
	cpumask_var_t orig;
	cpumask_var_t applied;
};

/*
 * Inside cpu.c's lock, which guards the rest, and inside VFIO's (irq.c). Whoever
 * writes an attribute may wait for VFIO's, so none is written with this one held.
 */
static DEFINE_MUTEX(hostirq_lock);
static LIST_HEAD(hostirqs);
/* Cores are leased: what has to leave them is in hostirqs. */
static bool hostirq_keeping;
static cpumask_var_t wq_orig, wq_applied;
static bool wq_moved;

static void devirt_hostirq_free(struct devirt_hostirq *rec)
{
	free_cpumask_var(rec->applied);
	free_cpumask_var(rec->orig);
	kfree(rec);
}

static struct devirt_hostirq *devirt_hostirq_alloc(gfp_t gfp)
{
	struct devirt_hostirq *rec = kzalloc(sizeof(*rec), gfp);

	if (!rec)
		return NULL;
	if (!zalloc_cpumask_var(&rec->orig, gfp))
		goto err_free;
	if (!zalloc_cpumask_var(&rec->applied, gfp))
		goto err_orig;
	return rec;

err_orig:
	free_cpumask_var(rec->orig);
err_free:
	kfree(rec);
	return NULL;
}

/*
 * Can it be moved? Not if it is per CPU, managed by its driver, exempt from
 * balancing, or, unless @idle, not in use.
 */
static bool devirt_irq_can_move(unsigned int irq, struct irq_data *data, bool idle)
{
	return data && (idle || irqd_is_started(data)) && !irqd_is_per_cpu(data) &&
	       !irqd_affinity_is_managed(data) &&
	       !irq_check_status_bit(irq, IRQ_NO_BALANCING | IRQ_PER_CPU | IRQ_PER_CPU_DEVID);
}

/**
 * devirt_hostirq_movable - can an interrupt leave a CPU?
 * @irq: its number
 *
 * Any context. Return: false if it is per CPU, managed by its driver, exempt
 * from balancing, or not in use.
 */
bool devirt_hostirq_movable(unsigned int irq)
{
	bool movable;

	rcu_read_lock();
	movable = devirt_irq_can_move(irq, irq_get_irq_data(irq), false);
	rcu_read_unlock();
	return movable;
}

/* What is left of a mask without leased CPUs; if nothing is, all the others. */
static void devirt_irq_spare(struct cpumask *mask, const struct cpumask *from,
			     const struct cpumask *leased)
{
	cpumask_andnot(mask, from, leased);
	if (!cpumask_intersects(mask, cpu_online_mask))
		cpumask_andnot(mask, cpu_online_mask, leased);
}

/* What an interrupt may use now. False if it can't be moved, as above. */
static bool devirt_irq_mask(unsigned int irq, struct cpumask *mask, bool idle)
{
	struct irq_data *data;
	bool movable = false;

	rcu_read_lock();
	data = irq_get_irq_data(irq);
	if (devirt_irq_can_move(irq, data, idle)) {
		cpumask_copy(mask, devirt_irq_affinity(data));
		movable = true;
	}
	rcu_read_unlock();
	return movable;
}

static struct devirt_hostirq *devirt_hostirq_find(unsigned int irq)
{
	struct devirt_hostirq *rec;

	list_for_each_entry(rec, &hostirqs, entry) {
		if (rec->irq == irq)
			return rec;
	}
	return NULL;
}

/* Notes of all that has to leave; nothing is moved yet. */
static int devirt_hostirq_note(const struct cpumask *leased, struct cpumask *mask)
{
	struct devirt_hostirq *rec;
	unsigned int irq;

	for (irq = 1; irq < devirt_nr_irqs(); irq++) {
		if (!devirt_irq_mask(irq, mask, false) || !cpumask_intersects(mask, leased) ||
		    devirt_hostirq_find(irq))
			continue;
		rec = devirt_hostirq_alloc(GFP_KERNEL);
		if (!rec)
			return -ENOMEM;
		rec->irq = irq;
		cpumask_copy(rec->orig, mask);
		cpumask_copy(rec->applied, mask);
		list_add(&rec->entry, &hostirqs);
	}
	return 0;
}

/* Uses no memory but @mask. */
static void devirt_hostirq_place(const struct cpumask *leased, struct cpumask *mask)
{
	struct devirt_hostirq *rec, *next;

	list_for_each_entry_safe(rec, next, &hostirqs, entry) {
		bool there;

		/* A line that is placed for a guest gets back what we gave it. */
		if (devirt_irq_is_leased(rec->irq) &&
		    irq_check_status_bit(rec->irq, IRQ_NO_BALANCING))
			continue;
		/* A line keeps its affinity while its driver is away. */
		there = devirt_irq_mask(rec->irq, mask, true);
		/* Freed meanwhile; or somebody else has decided. */
		if (there && !cpumask_equal(mask, rec->applied))
			cpumask_copy(rec->orig, mask);
		if (there) {
			devirt_irq_spare(rec->applied, rec->orig, leased);
			if (!cpumask_equal(mask, rec->applied) &&
			    irq_set_affinity(rec->irq, rec->applied))
				cpumask_copy(rec->applied, mask);
		}
		if (!there || !cpumask_intersects(rec->orig, leased)) {
			list_del(&rec->entry);
			devirt_hostirq_free(rec);
		}
	}
}

static int devirt_wq_read(char *text, struct cpumask *mask)
{
	ssize_t len = devirt_hostattr_read(DEVIRT_WQ_CPUMASK, text, DEVIRT_WQ_TEXT);

	return len < 0 ? len : cpumask_parse(text, mask);
}

/* A workqueue's rescuer; before they had a name of their own it was the queue's. */
static bool devirt_is_rescuer(struct task_struct *task)
{
	return task->flags & PF_WQ_WORKER &&
	       (!str_has_prefix(task->comm, "kworker/") || str_has_prefix(task->comm, "kworker/R"));
}

/*
 * A rescuer that is done with helping keeps CPUs that were unbound workqueues'
 * at that time, and nobody tells it when these change: those that helped while
 * cores were leased would be kept off the cores for ever.
 */
static void devirt_wq_tell_rescuers(const struct cpumask *from, const struct cpumask *to)
{
	struct task_struct *task;
	bool found;

	do {
		found = false;
		rcu_read_lock();
		for_each_process(task) {
			found = devirt_is_rescuer(task) && cpumask_equal(&task->cpus_mask, from);
			if (found) {
				get_task_struct(task);
				break;
			}
		}
		rcu_read_unlock();
		if (found) {
			found = !set_cpus_allowed_ptr(task, to);
			put_task_struct(task);
		}
	} while (found);
}

/* The CPUs of unbound workqueues; uses no memory but @mask and @text. */
static int devirt_wq_place(const struct cpumask *leased, struct cpumask *mask, char *text)
{
	int err = devirt_wq_read(text, mask);

	/* A kernel without the attribute keeps its workers where they are. */
	if (err)
		return err == -ENOENT ? 0 : err;
	if (!wq_moved || !cpumask_equal(mask, wq_applied)) {
		cpumask_copy(wq_orig, mask);
		cpumask_copy(wq_applied, mask);
	}
	devirt_irq_spare(mask, wq_orig, leased);
	if (!cpumask_equal(mask, wq_applied)) {
		snprintf(text, DEVIRT_WQ_TEXT, "%*pb", cpumask_pr_args(mask));
		err = devirt_hostattr_write(DEVIRT_WQ_CPUMASK, text);
		if (err)
			return err;
		if (cpumask_subset(wq_applied, mask))
			devirt_wq_tell_rescuers(wq_applied, mask);
		/* Only what was taken: else we'd believe it somebody else's. */
		cpumask_copy(wq_applied, mask);
	}
	wq_moved = cpumask_intersects(wq_orig, leased);
	return 0;
}

/* ----------------------------------------------------------------- changes */

/* Who is setting affinities for us. */
static struct task_struct *hostirq_placer;
/* Task work on its way. */
static atomic_t hostirq_pending = ATOMIC_INIT(0);

static void devirt_hostirq_late(struct work_struct *work)
{
	devirt_cpu_settle();
}
static DECLARE_DELAYED_WORK(hostirq_late_work, devirt_hostirq_late);

/* Has an interrupt just these CPUs? */
static bool devirt_irq_has(unsigned int irq, const struct cpumask *mask)
{
	struct irq_data *data;
	bool has;

	rcu_read_lock();
	data = irq_get_irq_data(irq);
	has = data && cpumask_equal(devirt_irq_affinity(data), mask);
	rcu_read_unlock();
	return has;
}

static void devirt_hostirq_soon(struct callback_head *work)
{
	struct devirt_hostirq *rec = container_of(work, struct devirt_hostirq, work), *old;
	bool done, keep = false;

	mutex_lock(&hostirq_lock);
	/* Else the kernel has refused, or somebody was quicker. */
	done = devirt_irq_has(rec->irq, rec->applied);
	if (done) {
		old = devirt_hostirq_find(rec->irq);
		if (old) {
			list_del(&old->entry);
			devirt_hostirq_free(old);
		}
		keep = hostirq_keeping;
		if (keep) {
			list_add(&rec->entry, &hostirqs);
		} else if (!cpumask_equal(rec->orig, rec->applied)) {
			/* The lease has ended in between. */
			WRITE_ONCE(hostirq_placer, current);
			irq_set_affinity(rec->irq, rec->orig);
			WRITE_ONCE(hostirq_placer, NULL);
		}
	}
	mutex_unlock(&hostirq_lock);
	if (!keep)
		devirt_hostirq_free(rec);
	if (!done)
		devirt_cpu_settle();
	atomic_dec(&hostirq_pending);
}

/**
 * devirt_hostirq_requested - a driver is about to ask for an interrupt
 *
 * It leaves leased cores a moment later. From a probe; doesn't sleep.
 */
void devirt_hostirq_requested(void)
{
	mod_delayed_work(devirt_wq, &hostirq_late_work, DEVIRT_HOSTIRQ_LATE);
}

/**
 * devirt_hostirq_asked - somebody is about to set an interrupt's affinity
 * @irq: its number
 * @mask: what it shall have
 *
 * Leased cores aren't among it then, if the caller is from userspace; and get what
 * was asked for when they are leased no more. Where the kernel does it on its own,
 * or without memory, the interrupt leaves them a moment later. From a probe;
 * doesn't sleep. Return: what it shall have instead, valid until the current system
 * call has ended; @mask itself if that needn't change.
 */
const struct cpumask *devirt_hostirq_asked(unsigned int irq, const struct cpumask *mask)
{
	struct devirt_hostirq *rec;

	if (READ_ONCE(hostirq_placer) == current)
		return mask;
	devirt_hostirq_requested();
	if (current->flags & (PF_KTHREAD | PF_EXITING))
		return mask;
	rec = devirt_hostirq_alloc(GFP_ATOMIC | __GFP_NOWARN);
	if (!rec)
		return mask;
	rec->irq = irq;
	cpumask_copy(rec->orig, mask);
	cpumask_copy(rec->applied, mask);
	/* Nonsense is for the kernel to refuse. */
	if (cpumask_intersects(mask, cpu_online_mask))
		devirt_irq_spare(rec->applied, mask, devirt_place_leased);
	init_task_work(&rec->work, devirt_hostirq_soon);
	atomic_inc(&hostirq_pending);
	if (!task_work_add(current, &rec->work, TWA_RESUME))
		return rec->applied;
	atomic_dec(&hostirq_pending);
	devirt_hostirq_free(rec);
	return mask;
}

static int devirt_hostirq_watch(void)
{
	int err = devirt_hook_arm(DEVIRT_HOOK_IRQ_AFFINITY);

	if (err)
		return err;
	err = devirt_hook_arm(DEVIRT_HOOK_IRQ_REQUEST);
	if (err)
		devirt_hook_disarm(DEVIRT_HOOK_IRQ_AFFINITY);
	return err;
}

static void devirt_hostirq_unwatch(void)
{
	devirt_hook_disarm(DEVIRT_HOOK_IRQ_REQUEST);
	devirt_hook_disarm(DEVIRT_HOOK_IRQ_AFFINITY);
}

/* ---------------------------------------------------------------- outside */

/* Room that giving back needs, taken while it can still be refused. */
static cpumask_var_t scratch_mask;
static char *scratch_text;

static int devirt_hostirq_reserve(void)
{
	int err = -ENOMEM;

	if (scratch_text)
		return 0;
	if (!zalloc_cpumask_var(&scratch_mask, GFP_KERNEL))
		return err;
	if (!zalloc_cpumask_var(&wq_orig, GFP_KERNEL))
		goto err_mask;
	if (!zalloc_cpumask_var(&wq_applied, GFP_KERNEL))
		goto err_orig;
	scratch_text = kmalloc(DEVIRT_WQ_TEXT, GFP_KERNEL);
	if (!scratch_text)
		goto err_applied;
	err = devirt_hostirq_watch();
	if (err)
		goto err_text;
	return 0;

err_text:
	kfree(scratch_text);
	scratch_text = NULL;
err_applied:
	free_cpumask_var(wq_applied);
err_orig:
	free_cpumask_var(wq_orig);
err_mask:
	free_cpumask_var(scratch_mask);
	return err;
}

static void devirt_hostirq_unreserve(void)
{
	devirt_hostirq_unwatch();
	kfree(scratch_text);
	scratch_text = NULL;
	free_cpumask_var(wq_applied);
	free_cpumask_var(wq_orig);
	free_cpumask_var(scratch_mask);
}

/**
 * devirt_hostirq_update - the leased cores have changed
 * @leased: all of them now
 *
 * One at a time: under cpu.c's lock. May sleep. With fewer cores than before it
 * allocates nothing and cannot fail. Return: 0 or an errno: call again with what
 * there was before.
 */
int devirt_hostirq_update(const struct cpumask *leased)
{
	int err, wq_err;

	if (cpumask_empty(leased) && !scratch_text)
		return 0;
	err = devirt_hostirq_reserve();
	if (err)
		return err;
	mutex_lock(&hostirq_lock);
	hostirq_keeping = !cpumask_empty(leased);
	/*
	 * Without memory for new notes the old ones are still placed: that is
	 * all that giving back needs.
	 */
	err = devirt_hostirq_note(leased, scratch_mask);
	WRITE_ONCE(hostirq_placer, current);
	devirt_hostirq_place(leased, scratch_mask);
	WRITE_ONCE(hostirq_placer, NULL);
	mutex_unlock(&hostirq_lock);
	wq_err = devirt_wq_place(leased, scratch_mask, scratch_text);
	if (wq_err)
		pr_warn("unbound workqueues keep their CPUs: %pe\n", ERR_PTR(wq_err));
	if (cpumask_empty(leased))
		devirt_hostirq_unreserve();
	return err ?: wq_err;
}

/*
 * At once. One that has just moved is busy for a moment, and irq_set_affinity()
 * alone would leave it until it fires next, where it is.
 */
static int devirt_hostirq_move(unsigned int irq, const struct cpumask *mask)
{
	int err, tries = DEVIRT_HOSTIRQ_BUSY;

	while ((err = irq_force_affinity(irq, mask)) == -EBUSY && --tries)
		schedule_timeout_uninterruptible(1);
	return err ? irq_set_affinity(irq, mask) : 0;
}

/**
 * devirt_hostirq_lend - set the affinity of a leased device's interrupt
 * @irq: its number
 * @mask: what it shall have
 * @before: what it would have without us is written here; or NULL
 *
 * From now on it isn't the host's, whatever was remembered of it. To return it
 * set @before again, and then call devirt_cpu_settle(). May sleep. Return: 0;
 * -ENOENT if there is no such interrupt; or the errno of irq_set_affinity().
 */
int devirt_hostirq_lend(unsigned int irq, const struct cpumask *mask, struct cpumask *before)
{
	struct devirt_hostirq *rec;
	struct irq_data *data;
	int err;

	mutex_lock(&hostirq_lock);
	rcu_read_lock();
	data = irq_get_irq_data(irq);
	if (data && before)
		cpumask_copy(before, devirt_irq_affinity(data));
	rcu_read_unlock();
	err = data ? 0 : -ENOENT;
	rec = devirt_hostirq_find(irq);
	if (rec) {
		/* VFIO has just asked for it, and it had to leave leased cores. */
		if (before && data && cpumask_equal(before, rec->applied))
			cpumask_copy(before, rec->orig);
		list_del(&rec->entry);
		devirt_hostirq_free(rec);
	}
	if (!err) {
		WRITE_ONCE(hostirq_placer, current);
		err = devirt_hostirq_move(irq, mask);
		WRITE_ONCE(hostirq_placer, NULL);
	}
	mutex_unlock(&hostirq_lock);
	return err;
}

/* After the last lease; task.c's exit waits for work that is just returning. */
void devirt_hostirq_exit(void)
{
	while (atomic_read(&hostirq_pending))
		msleep(20);
	cancel_delayed_work_sync(&hostirq_late_work);
}
