// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes to leased cores while they are leased: tasks that are given other
 * CPUs (a cpuset that is written anew, a move to another control group, taskset,
 * a task by itself), and kernel threads that are new.
 *
 * Probes (hook.c) see who is given CPUs by whom, before it has them, and nothing
 * can sleep there. So a look at just that task is left as task work of the
 * caller, which does it before its system call returns. A kernel thread does no
 * task work: devirt_wq looks a moment later.
 */
#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/workqueue.h>

#include "arrival.h"
#include "compat/compat.h"
#include "hook.h"
#include "note.h"
#include "partition.h"
#include "task.h"
#include "vcpu.h"

/*
 * When to look. The first may be before the task has its new CPUs. The later ones
 * are for kernel threads that can't be moved yet.
 */
static const unsigned int look_delays[] = { 1, HZ / 20, HZ / 4, HZ / 2, HZ };
#define DEVIRT_LOOKS	ARRAY_SIZE(look_delays)
#define DEVIRT_LOOKS_MIN	2

/**
 * struct devirt_look_at - a look at a task, to come
 * @task: the task, with a reference
 * @work: for who can do task work
 * @later: else
 * @tries: how many looks there have been
 */
struct devirt_look_at {
	struct task_struct *task;
	struct callback_head work;
	struct delayed_work later;
	unsigned int tries;
};

static atomic_t looks = ATOMIC_INIT(0);

static void devirt_look_all(struct work_struct *work)
{
	devirt_task_look_all();
}
static DECLARE_DELAYED_WORK(look_all_work, devirt_look_all);

/**
 * devirt_arrival_all - look at all tasks
 * @delay: in so many jiffies
 *
 * For when it can't be told which has come. Any context.
 */
void devirt_arrival_all(unsigned long delay)
{
	/* Who wants it sooner gets it sooner. */
	if (delay <= 1)
		mod_delayed_work(devirt_wq, &look_all_work, delay);
	else
		queue_delayed_work(devirt_wq, &look_all_work, delay);
}

/**
 * devirt_arrival_look_now - look at a task now
 * @task: the task, with a reference
 *
 * Posts an event if it is a vCPU's thread that was taken from its CPU. May sleep.
 * Return: true if it can't be moved yet.
 */
bool devirt_arrival_look_now(struct task_struct *task)
{
	enum devirt_look found = devirt_task_look(task);

	if (found == DEVIRT_LOOK_DRIFTED)
		devirt_vcpu_remasked(task);
	return found == DEVIRT_LOOK_LATER;
}

static void devirt_look_free(struct devirt_look_at *look)
{
	put_task_struct(look->task);
	kfree(look);
	atomic_dec(&looks);
}

static void devirt_look_later(struct work_struct *work)
{
	struct devirt_look_at *look = container_of(to_delayed_work(work),
						   struct devirt_look_at, later);
	bool again = devirt_arrival_look_now(look->task);

	look->tries++;
	if (look->tries < DEVIRT_LOOKS && (again || look->tries < DEVIRT_LOOKS_MIN))
		queue_delayed_work(devirt_wq, &look->later, look_delays[look->tries]);
	else
		devirt_look_free(look);
}

static void devirt_look_work(struct callback_head *work)
{
	struct devirt_look_at *look = container_of(work, struct devirt_look_at, work);

	if (devirt_arrival_look_now(look->task))
		queue_delayed_work(devirt_wq, &look->later, look_delays[0]);
	else
		devirt_look_free(look);
}

/**
 * devirt_arrival_look - look at a task soon
 * @task: the task
 *
 * Before the current system call returns, or a little later. Any context.
 */
void devirt_arrival_look(struct task_struct *task)
{
	struct devirt_look_at *look = kmalloc(sizeof(*look), GFP_ATOMIC | __GFP_NOWARN);

	if (!look) {
		devirt_arrival_all(1);
		return;
	}
	look->task = get_task_struct(task);
	look->tries = 0;
	INIT_DELAYED_WORK(&look->later, devirt_look_later);
	init_task_work(&look->work, devirt_look_work);
	atomic_inc(&looks);
	if (current->flags & (PF_KTHREAD | PF_USER_WORKER) ||
	    task_work_add(current, &look->work, TWA_RESUME))
		queue_delayed_work(devirt_wq, &look->later, look_delays[0]);
}

/* Somebody is about to give a task these CPUs, and may do that. */
static void devirt_arrival_given(struct task_struct *task, const struct cpumask *mask,
				 bool allowed)
{
	struct devirt_task *rec;
	unsigned long flags;

	if (!devirt_task_movable(task))
		return;
	spin_lock_irqsave(&devirt_notes_lock, flags);
	rec = devirt_note_find(task);
	/* What it has already, but until now by us. */
	if (rec && allowed && cpumask_equal(mask, devirt_task_mask(rec, DEVIRT_APPLIED)))
		WRITE_ONCE(rec->asked, true);
	spin_unlock_irqrestore(&devirt_notes_lock, flags);
	if (rec || cpumask_intersects(mask, devirt_place_leased))
		devirt_arrival_look(task);
}

/**
 * devirt_arrival_allowed - the kernel is about to give a task some CPUs
 * @task: the task
 * @mask: the CPUs
 *
 * Called from the probe: preemption off, may not sleep.
 */
void devirt_arrival_allowed(struct task_struct *task, const struct cpumask *mask)
{
	if (!devirt_note_placing())
		devirt_arrival_given(task, mask, true);
}

/* As sched_setaffinity() will check it. */
static bool devirt_arrival_permitted(struct task_struct *task)
{
	const struct cred *theirs = __task_cred(task);

	return uid_eq(current_euid(), theirs->euid) || uid_eq(current_euid(), theirs->uid) ||
	       ns_capable_noaudit(theirs->user_ns, CAP_SYS_NICE);
}

/**
 * devirt_arrival_affinity - a user is about to give a task some CPUs
 * @nr: the task's number as the current task sees it; 0 is itself
 * @mask: the CPUs
 *
 * Called from the probe: preemption off, may not sleep.
 */
void devirt_arrival_affinity(pid_t nr, const struct cpumask *mask)
{
	struct task_struct *task;

	rcu_read_lock();
	task = nr ? pid_task(find_vpid(nr), PIDTYPE_PID) : current;
	if (task)
		devirt_arrival_given(task, mask, devirt_arrival_permitted(task));
	rcu_read_unlock();
}

/**
 * devirt_arrival_begin - cores are going to be leased
 *
 * May sleep. Return: 0 or an errno of devirt_hook_arm().
 */
int devirt_arrival_begin(void)
{
	int err = devirt_hook_arm(DEVIRT_HOOK_ALLOWED);

	if (err)
		return err;
	err = devirt_hook_arm(DEVIRT_HOOK_AFFINITY);
	if (err)
		devirt_hook_disarm(DEVIRT_HOOK_ALLOWED);
	return err;
}

/** devirt_arrival_end - no core is leased any more. May sleep. */
void devirt_arrival_end(void)
{
	devirt_hook_disarm(DEVIRT_HOOK_AFFINITY);
	devirt_hook_disarm(DEVIRT_HOOK_ALLOWED);
}

/** devirt_arrival_exit - wait for all looks. The probes are gone. May sleep. */
void devirt_arrival_exit(void)
{
	while (atomic_read(&looks))
		msleep(20);
	cancel_delayed_work_sync(&look_all_work);
}
