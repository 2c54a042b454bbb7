// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's tasks and the leased cores: user tasks and kernel threads leave the
 * cores, a VMM's threads are put where they belong, and each gets its own
 * affinity back.
 *
 * For every task that we have placed there is a note of the affinity it would
 * have without us, and of the one we gave it. A child inherits its parent's
 * affinity, so it inherits the note as well (by a tracepoint): else all
 * that is started meanwhile would be kept off the cores for ever. When leased
 * cores change, each affinity is computed anew from what the task would have,
 * so leases may nest and overlap in any order. A task whose affinity is not the
 * one we gave it was changed by somebody else, and that is what it has then.
 *
 * Not ours are kernel threads that the kernel has bound, and the workers of
 * workqueues, which go by their queue's CPUs (hostirq.c).
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "arrival.h"
#include "compat/compat.h"
#include "guard.h"
#include "note.h"
#include "partition.h"
#include "task.h"
#include "vcpu.h"

/* Tasks that were forked while we looked are found by looking again. */
#define DEVIRT_TASK_PASSES	16
/* Room for tasks that are forked between counting and looking. */
#define DEVIRT_TASK_SLACK	64
/* From the last lease to the end of tracing. */
#define DEVIRT_TASK_QUIET	(2 * HZ)

static bool task_tracing;		/* under devirt_place_lock */
static struct tracepoint *tp_new, *tp_exit;

static bool devirt_task_place_all(struct list_head *todo)
{
	struct devirt_task *rec, *next;
	bool changed = false;

	list_for_each_entry_safe(rec, next, todo, todo) {
		list_del_init(&rec->todo);
		changed |= devirt_note_place(rec);
		devirt_note_idle(rec, devirt_note_plain(rec));
	}
	return changed;
}

/*
 * Place all that are noted. Again while that changes something: a child that is
 * forked meanwhile inherits its parent's note as it was before.
 */
static void devirt_task_replace(void)
{
	LIST_HEAD(todo);
	int pass;

	for (pass = 0; pass < DEVIRT_TASK_PASSES; pass++) {
		devirt_note_all(&todo);
		if (!devirt_task_place_all(&todo))
			break;
	}
}

/* May it run on a leased core, and can that be changed, now or later? */
static bool devirt_task_reaches(struct task_struct *task)
{
	return !(task->flags & PF_EXITING) && devirt_task_movable(task) &&
	       cpumask_intersects(&task->cpus_mask, devirt_place_leased);
}

static bool devirt_task_misplaced(struct task_struct *task)
{
	return devirt_task_reaches(task) && devirt_task_settled(task);
}

/* @later: there are some that can't be moved yet */
static unsigned int devirt_task_count(bool *later)
{
	struct task_struct *process, *task;
	unsigned int count = 0;

	rcu_read_lock();
	for_each_process_thread(process, task) {
		if (devirt_task_misplaced(task))
			count++;
		else if (devirt_task_reaches(task))
			*later = true;
	}
	rcu_read_unlock();
	return count;
}

static void devirt_task_free_list(struct list_head *list)
{
	struct devirt_task *rec, *next;

	list_for_each_entry_safe(rec, next, list, todo) {
		list_del(&rec->todo);
		devirt_task_free(rec);
	}
}

static int devirt_task_alloc_list(struct list_head *list, unsigned int count)
{
	while (count--) {
		struct devirt_task *rec = devirt_task_alloc(GFP_KERNEL);

		if (!rec) {
			devirt_task_free_list(list);
			return -ENOMEM;
		}
		list_add(&rec->todo, list);
	}
	return 0;
}

/* A task is to be placed; it gets a note if it has none. Under RCU. */
static void devirt_task_note(struct task_struct *task, const struct cpumask *home,
			     struct list_head *spare, struct list_head *todo)
{
	struct devirt_task *rec;
	unsigned long flags;

	spin_lock_irqsave(&devirt_notes_lock, flags);
	rec = devirt_note_find(task);
	if (!rec && !list_empty(spare) && !(task->flags & PF_EXITING)) {
		rec = list_first_entry(spare, struct devirt_task, todo);
		list_del_init(&rec->todo);
		cpumask_copy(devirt_task_mask(rec, DEVIRT_ORIG), &task->cpus_mask);
		cpumask_copy(devirt_task_mask(rec, DEVIRT_APPLIED), &task->cpus_mask);
		devirt_note_add(rec, task);
	}
	if (rec && list_empty(&rec->todo)) {
		if (home) {
			cpumask_copy(devirt_task_mask(rec, DEVIRT_HOME), home);
			cpumask_copy(devirt_task_mask(rec, DEVIRT_HEIR), home);
		}
		rec->busy++;
		list_add_tail(&rec->todo, todo);
	}
	spin_unlock_irqrestore(&devirt_notes_lock, flags);
}

static bool devirt_task_noted(struct task_struct *task)
{
	unsigned long flags;
	bool noted;

	spin_lock_irqsave(&devirt_notes_lock, flags);
	noted = devirt_note_find(task);
	spin_unlock_irqrestore(&devirt_notes_lock, flags);
	return noted;
}

/**
 * devirt_task_helper_name - has it the name of a VMM's kernel thread?
 * @task: the task
 * @nr: set to the process id in it
 *
 * Any context.
 */
bool devirt_task_helper_name(const struct task_struct *task, int *nr)
{
	char name[TASK_COMM_LEN];

	memcpy(name, task->comm, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	return sscanf(name, "vhost-%d", nr) == 1 || sscanf(name, "kvm-pit/%d", nr) == 1;
}

/*
 * Older kernels have a kernel thread to help a VMM, named after the thread that
 * asked for it: its home is that of this thread's children. @process: only of
 * this one's, or NULL; @home: set to it, or NULL. Under devirt_place_lock.
 */
static bool devirt_task_helper(struct task_struct *task, struct pid *process,
			       struct cpumask *home)
{
	struct task_struct *asker;
	struct devirt_task *rec;
	unsigned long flags;
	bool helper = false;
	int nr;

	if (!(task->flags & PF_KTHREAD) || !devirt_task_helper_name(task, &nr))
		return false;
	rcu_read_lock();
	asker = pid_task(find_pid_ns(nr, &init_pid_ns), PIDTYPE_PID);
	if (asker && (!process || task_tgid(asker) == process)) {
		spin_lock_irqsave(&devirt_notes_lock, flags);
		rec = devirt_note_find(asker);
		helper = rec && !cpumask_empty(devirt_task_mask(rec, DEVIRT_HEIR));
		if (helper && home)
			cpumask_copy(home, devirt_task_mask(rec, DEVIRT_HEIR));
		spin_unlock_irqrestore(&devirt_notes_lock, flags);
	}
	rcu_read_unlock();
	return helper;
}

/* Whoever may run on a leased core and isn't at home there. */
static void devirt_task_strangers(struct list_head *spare, struct list_head *todo)
{
	struct task_struct *process, *task;
	struct devirt_task *rec;
	unsigned long flags;
	bool home;

	rcu_read_lock();
	for_each_process_thread(process, task) {
		if (!devirt_task_misplaced(task))
			continue;
		spin_lock_irqsave(&devirt_notes_lock, flags);
		rec = devirt_note_find(task);
		home = rec && !cpumask_empty(devirt_task_mask(rec, DEVIRT_HOME));
		spin_unlock_irqrestore(&devirt_notes_lock, flags);
		if (!home)
			devirt_task_note(task, NULL, spare, todo);
	}
	rcu_read_unlock();
}

/* ------------------------------------------------------------ tracepoints */

static void devirt_task_unqueue(struct callback_head *work)
{
	struct devirt_task *rec = container_of(work, struct devirt_task, work);

	mutex_lock(&devirt_place_lock);
	devirt_note_place(rec);
	devirt_note_idle(rec, devirt_note_plain(rec));
	mutex_unlock(&devirt_place_lock);
}

/*
 * In the parent, before the child runs. Preemption is off. Not by
 * sched_process_fork, which doesn't tell of the threads that the kernel itself
 * makes for a process: vhost's, io_uring's.
 */
static void devirt_task_new(void *data, struct task_struct *child, DEVIRT_CLONE_FLAGS how)
{
	struct task_struct *parent = current;
	/* Those don't do task work, or only when they end. */
	bool worker = child->flags & (PF_KTHREAD | PF_USER_WORKER);
	struct devirt_task *from, *rec;
	struct cpumask *heir;
	unsigned long flags;
	bool moved, met;

	/* A kernel thread chooses its CPUs itself, when it is on its way. */
	if (child->flags & PF_KTHREAD && !cpumask_empty(devirt_place_leased))
		devirt_arrival_look(child);
	spin_lock_irqsave(&devirt_notes_lock, flags);
	from = devirt_note_find(parent);
	/* In the list of tasks it is already: devirt_task_evict() may have met it. */
	rec = devirt_note_find(child);
	met = rec;
	/* The parent may have been placed between the copying and now. */
	moved = met || !cpumask_equal(&child->cpus_mask,
				      from ? devirt_task_mask(from, DEVIRT_APPLIED) :
					     &parent->cpus_mask);
	if (!from && !moved)
		goto out;
	if (!met) {
		rec = devirt_task_alloc(GFP_ATOMIC | __GFP_NOWARN);
		if (!rec) {
			pr_warn_ratelimited("no memory to note task %d: it keeps its parent's CPUs\n",
					    task_pid_nr(child));
			goto out;
		}
		cpumask_copy(devirt_task_mask(rec, DEVIRT_APPLIED), &child->cpus_mask);
	}
	if (from) {
		heir = devirt_task_mask(from, DEVIRT_HEIR);
		cpumask_copy(devirt_task_mask(rec, DEVIRT_ORIG),
			     devirt_task_mask(from, DEVIRT_ORIG));
		cpumask_copy(devirt_task_mask(rec, DEVIRT_HOME), heir);
		cpumask_copy(devirt_task_mask(rec, DEVIRT_HEIR), heir);
		/* A vCPU's thread has a child: that isn't a vCPU, so off it goes. */
		moved |= !cpumask_equal(devirt_task_mask(from, DEVIRT_HOME), heir);
	} else if (!met) {
		cpumask_copy(devirt_task_mask(rec, DEVIRT_ORIG), &parent->cpus_mask);
	}
	if (!met)
		devirt_note_add(rec, child);
	if (moved && worker) {
		devirt_arrival_look(child);
	} else if (moved) {
		init_task_work(&rec->work, devirt_task_unqueue);
		rec->busy++;
		if (task_work_add(child, &rec->work, TWA_RESUME))
			rec->busy--;
	}
out:
	spin_unlock_irqrestore(&devirt_notes_lock, flags);
}

#ifdef DEVIRT_HAVE_EXIT_GROUP_DEAD
static void devirt_task_ended(void *data, struct task_struct *task, bool group_dead)
#else
static void devirt_task_ended(void *data, struct task_struct *task)
#endif
{
	devirt_note_end(task);
	devirt_vcpu_thread_ended(task);
}

static int devirt_task_trace(void)
{
	int err;

	if (task_tracing)
		return 0;
	err = tracepoint_probe_register(tp_new, devirt_task_new, NULL);
	if (err)
		return err;
	err = tracepoint_probe_register(tp_exit, devirt_task_ended, NULL);
	if (err) {
		tracepoint_probe_unregister(tp_new, devirt_task_new, NULL);
		return err;
	}
	task_tracing = true;
	return 0;
}

static void devirt_task_untrace(void)
{
	if (!task_tracing)
		return;
	tracepoint_probe_unregister(tp_exit, devirt_task_ended, NULL);
	tracepoint_probe_unregister(tp_new, devirt_task_new, NULL);
	tracepoint_synchronize_unregister();
	task_tracing = false;
}

/*
 * A child that was copied while cores were leased may be on its way to the fork
 * tracepoint still, with the affinity of then. So the tracepoints stay for a
 * while after the last lease.
 */
static void devirt_task_quiet(struct work_struct *work)
{
	mutex_lock(&devirt_place_lock);
	if (cpumask_empty(devirt_place_leased)) {
		devirt_task_replace();
		devirt_task_untrace();
	}
	mutex_unlock(&devirt_place_lock);
}
static DECLARE_DELAYED_WORK(task_quiet_work, devirt_task_quiet);

/* ---------------------------------------------------------------- outside */

static int devirt_task_evict(void)
{
	LIST_HEAD(spare);
	LIST_HEAD(todo);
	unsigned int count;
	bool later;
	int pass, err;

	for (pass = 0; pass < DEVIRT_TASK_PASSES; pass++) {
		later = false;
		count = devirt_task_count(&later);
		if (!count)
			break;
		err = devirt_task_alloc_list(&spare, count + DEVIRT_TASK_SLACK);
		if (err)
			return err;
		devirt_task_strangers(&spare, &todo);
		devirt_task_free_list(&spare);
		if (list_empty(&todo))
			break;
		devirt_task_place_all(&todo);
	}
	if (later)
		devirt_arrival_all(HZ);
	return 0;
}

/**
 * devirt_task_look_all - tasks may have come to leased cores, unseen
 *
 * Places all that are noted, and makes all others leave. Linear in the number of
 * tasks. May sleep.
 */
void devirt_task_look_all(void)
{
	mutex_lock(&devirt_place_lock);
	devirt_task_replace();
	/* Without memory: the guard sees them. */
	if (!cpumask_empty(devirt_place_leased))
		devirt_task_evict();
	mutex_unlock(&devirt_place_lock);
}

/**
 * devirt_task_look - a task may have come to leased cores, or left its home
 * @task: the task, with a reference
 *
 * Puts it where it belongs. May sleep. Return: DEVIRT_LOOK_*.
 */
enum devirt_look devirt_task_look(struct task_struct *task)
{
	enum devirt_look found = DEVIRT_LOOK_FINE;
	struct devirt_task *rec;
	cpumask_var_t home;
	LIST_HEAD(spare);
	LIST_HEAD(todo);
	bool helper;

	if (!devirt_task_movable(task))
		return DEVIRT_LOOK_FINE;
	if (!alloc_cpumask_var(&home, GFP_KERNEL))
		return DEVIRT_LOOK_LATER;
	mutex_lock(&devirt_place_lock);
	if (!devirt_task_settled(task) || devirt_task_alloc_list(&spare, 1)) {
		found = DEVIRT_LOOK_LATER;
		goto out;
	}
	helper = devirt_task_helper(task, NULL, home);
	rcu_read_lock();
	if (helper || devirt_task_misplaced(task) || devirt_task_noted(task))
		devirt_task_note(task, helper ? home : NULL, &spare, &todo);
	rcu_read_unlock();
	rec = list_first_entry_or_null(&todo, struct devirt_task, todo);
	if (rec) {
		list_del_init(&rec->todo);
		devirt_note_place(rec);
		if (rec->drifted)
			found = DEVIRT_LOOK_DRIFTED;
		rec->drifted = false;
		devirt_note_idle(rec, devirt_note_plain(rec));
	}
	devirt_task_free_list(&spare);
out:
	mutex_unlock(&devirt_place_lock);
	free_cpumask_var(home);
	return found;
}

/**
 * devirt_task_update - the leased cores have changed
 * @leased: all of them now
 *
 * Moves tasks off them and lets others come back. Linear in the number of
 * tasks. May sleep. With fewer cores than before it allocates nothing and
 * cannot fail. Return: 0; -ENOMEM or an errno of the tracepoints: as before.
 */
int devirt_task_update(const struct cpumask *leased)
{
	cpumask_var_t before;
	bool more;
	int err = 0;

	mutex_lock(&devirt_place_lock);
	more = !cpumask_subset(leased, devirt_place_leased);
	if (more && !alloc_cpumask_var(&before, GFP_KERNEL)) {
		err = -ENOMEM;
		goto out;
	}
	if (more) {
		err = devirt_task_trace();
		if (err)
			goto out_free;
		cpumask_copy(before, devirt_place_leased);
	}
	cpumask_copy(devirt_place_leased, leased);
	devirt_task_replace();
	if (more) {
		err = devirt_task_evict();
		if (err) {
			cpumask_copy(devirt_place_leased, before);
			devirt_task_replace();
		}
	}
	if (cpumask_empty(devirt_place_leased))
		queue_delayed_work(devirt_wq, &task_quiet_work, DEVIRT_TASK_QUIET);
out_free:
	if (more)
		free_cpumask_var(before);
out:
	mutex_unlock(&devirt_place_lock);
	return err;
}

/**
 * devirt_task_confine - put all threads of a process on some leased CPUs
 * @process: the process
 * @home: where; its children too
 *
 * May sleep. Return: 0 or -ENOMEM, nothing changed.
 */
int devirt_task_confine(struct pid *process, const struct cpumask *home)
{
	struct task_struct *leader, *task;
	unsigned int count = DEVIRT_TASK_SLACK;
	LIST_HEAD(spare);
	LIST_HEAD(todo);
	unsigned int cpu;
	int err;

	rcu_read_lock();
	leader = pid_task(process, PIDTYPE_TGID);
	if (leader)
		count += get_nr_threads(leader);
	rcu_read_unlock();

	mutex_lock(&devirt_place_lock);
	err = devirt_task_alloc_list(&spare, count);
	if (err)
		goto out;
	rcu_read_lock();
	leader = pid_task(process, PIDTYPE_TGID);
	if (leader) {
		for_each_thread(leader, task)
			devirt_task_note(task, home, &spare, &todo);
	}
	for_each_cpu(cpu, home)
		devirt_guard_own_process(cpu, pid_nr(process));
	/* And its helpers, now that its threads have their notes. */
	for_each_process(task) {
		if (devirt_task_helper(task, process, NULL))
			devirt_task_note(task, home, &spare, &todo);
	}
	rcu_read_unlock();
	devirt_task_place_all(&todo);
	devirt_task_free_list(&spare);
out:
	mutex_unlock(&devirt_place_lock);
	return err;
}

/**
 * devirt_task_pin - put the current task on a leased CPU
 * @spare: room for its note, set to NULL if it was needed
 * @cpu: where
 * @heir: where its children belong
 * @stopped: looked at when nothing can change any more; if true, don't
 *
 * May sleep. Return: 0; -ESHUTDOWN if @stopped or the CPU isn't leased; or the
 * errno of set_cpus_allowed_ptr().
 */
int devirt_task_pin(struct devirt_task **spare, unsigned int cpu,
		    const struct cpumask *heir, const bool *stopped)
{
	struct devirt_task *rec;
	unsigned long flags;
	int err;

	mutex_lock(&devirt_place_lock);
	err = -ESHUTDOWN;
	if (READ_ONCE(*stopped) || !cpumask_test_cpu(cpu, devirt_place_leased))
		goto out;

	spin_lock_irqsave(&devirt_notes_lock, flags);
	rec = devirt_note_find(current);
	if (!rec) {
		rec = *spare;
		*spare = NULL;
		cpumask_copy(devirt_task_mask(rec, DEVIRT_ORIG), current->cpus_ptr);
		cpumask_copy(devirt_task_mask(rec, DEVIRT_APPLIED), current->cpus_ptr);
		devirt_note_add(rec, current);
	}
	rec->busy++;
	cpumask_copy(devirt_task_mask(rec, DEVIRT_HOME), cpumask_of(cpu));
	cpumask_copy(devirt_task_mask(rec, DEVIRT_HEIR), heir);
	spin_unlock_irqrestore(&devirt_notes_lock, flags);

	devirt_guard_own_thread(cpu, current);
	devirt_note_place(rec);
	/* What was done to it before it was at home is no drift. */
	rec->drifted = false;
	err = cpumask_equal(&current->cpus_mask, cpumask_of(cpu)) ? 0 : -EINVAL;
	devirt_note_idle(rec, false);
out:
	mutex_unlock(&devirt_place_lock);
	return err;
}

static void devirt_task_tracepoint(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "task_newtask"))
		tp_new = tp;
	else if (!strcmp(tp->name, "sched_process_exit"))
		tp_exit = tp;
}

int devirt_task_init(void)
{
	for_each_kernel_tracepoint(devirt_task_tracepoint, NULL);
	if (!tp_new || !tp_exit) {
		pr_err("this kernel has no tracepoints of tasks\n");
		return -EOPNOTSUPP;
	}
	return zalloc_cpumask_var(&devirt_place_leased, GFP_KERNEL) ? 0 : -ENOMEM;
}

void devirt_task_exit(void)
{
	flush_delayed_work(&task_quiet_work);
	devirt_arrival_exit();
	/* Children that have not yet run the work which places them. */
	for (;;) {
		mutex_lock(&devirt_place_lock);
		devirt_task_replace();
		mutex_unlock(&devirt_place_lock);
		if (devirt_note_none())
			break;
		msleep(20);
	}
	/* That work, and vcpu.c's, may not have returned from here yet. */
	synchronize_rcu_tasks();
	free_cpumask_var(devirt_place_leased);
}
