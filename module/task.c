// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's tasks and the leased cores: user tasks leave the cores, a VMM's
 * threads are put where they belong, and each gets its own affinity back.
 *
 * For every task that we have placed there is a note of the affinity it would
 * have without us, and of the one we gave it. A child inherits its parent's
 * affinity, so it inherits the note as well (by the fork tracepoint): else all
 * that is started meanwhile would be kept off the cores for ever. When leased
 * cores change, each affinity is computed anew from what the task would have,
 * so leases may nest and overlap in any order. A task whose affinity is not the
 * one we gave it was changed by somebody else, and that is what it has then.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/delay.h>
#include <linux/hashtable.h>
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

#include "compat/compat.h"
#include "task.h"
#include "vcpu.h"

/* Tasks that were forked while we looked are found by looking again. */
#define DEVIRT_TASK_PASSES	16
/* Room for tasks that are forked between counting and looking. */
#define DEVIRT_TASK_SLACK	64
/* From the last lease to the end of tracing. */
#define DEVIRT_TASK_QUIET	(2 * HZ)

enum {
	DEVIRT_ORIG,		/* what it would have without us */
	DEVIRT_APPLIED,		/* what we gave it */
	DEVIRT_HOME,		/* leased CPUs that are its place; empty: the host */
	DEVIRT_HEIR,		/* the same for its children */
	DEVIRT_MASKS
};

/**
 * struct devirt_task - a task that we have placed
 * @node: in tasks
 * @todo: in the list of what is being worked on
 * @task: the task, with a reference
 * @work: places a child that must not stay where its parent is
 * @busy: somebody uses it without the lock, @work counts: don't free it
 * @ended: the task has ended: free it when it isn't busy
 * @bits: DEVIRT_MASKS CPU masks
 */
struct devirt_task {
	struct hlist_node node;
	struct list_head todo;
	struct task_struct *task;
	struct callback_head work;
	unsigned int busy;
	bool ended;
	unsigned long bits[];
};

static DEFINE_HASHTABLE(tasks, 12);
/* Guards tasks and the notes in it; taken in the fork and exit tracepoints. */
static DEFINE_SPINLOCK(tasks_lock);
/* One placing at a time. Outside of tasks_lock and of the scheduler's locks. */
static DEFINE_MUTEX(task_mutex);
static cpumask_var_t task_leased;	/* under task_mutex */
static bool task_tracing;		/* under task_mutex */
static struct tracepoint *tp_fork, *tp_exit;

static struct cpumask *devirt_task_mask(struct devirt_task *rec, int which)
{
	return to_cpumask(rec->bits + which * (cpumask_size() / sizeof(long)));
}

/**
 * devirt_task_alloc - room for a note
 * @gfp: how to allocate
 *
 * Return: the note or NULL. devirt_task_free() frees what wasn't used.
 */
struct devirt_task *devirt_task_alloc(gfp_t gfp)
{
	struct devirt_task *rec;

	rec = kzalloc(sizeof(*rec) + DEVIRT_MASKS * cpumask_size(), gfp);
	if (rec)
		INIT_LIST_HEAD(&rec->todo);
	return rec;
}

/**
 * devirt_task_free - free a note that is in no table
 * @rec: the note or NULL
 */
void devirt_task_free(struct devirt_task *rec)
{
	if (rec && rec->task)
		put_task_struct(rec->task);
	kfree(rec);
}

static struct devirt_task *devirt_task_find(struct task_struct *task)
{
	struct devirt_task *rec;

	lockdep_assert_held(&tasks_lock);
	hash_for_each_possible(tasks, rec, node, (unsigned long)task) {
		if (rec->task == task)
			return rec;
	}
	return NULL;
}

static void devirt_task_add(struct devirt_task *rec, struct task_struct *task)
{
	lockdep_assert_held(&tasks_lock);
	rec->task = get_task_struct(task);
	hash_add(tasks, &rec->node, (unsigned long)task);
}

/*
 * Ends a use without the lock; frees the note if its task ended meanwhile, or if
 * it is to be forgotten and this was its last use: who uses it still may find
 * that it is needed again. Under task_mutex.
 */
static void devirt_task_idle(struct devirt_task *rec, bool forget)
{
	unsigned long flags;
	bool gone;

	lockdep_assert_held(&task_mutex);
	spin_lock_irqsave(&tasks_lock, flags);
	rec->busy--;
	gone = (rec->ended || forget) && !rec->busy;
	if (gone)
		hash_del(&rec->node);
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (gone)
		devirt_task_free(rec);
}

/* The affinity that a task shall have now. Under task_mutex. */
static void devirt_task_target(struct devirt_task *rec, struct cpumask *target)
{
	lockdep_assert_held(&task_mutex);
	if (!cpumask_empty(devirt_task_mask(rec, DEVIRT_HOME))) {
		cpumask_copy(target, devirt_task_mask(rec, DEVIRT_HOME));
		return;
	}
	cpumask_andnot(target, devirt_task_mask(rec, DEVIRT_ORIG), task_leased);
	/* It only wanted leased CPUs: for now it may run on all others. */
	if (!cpumask_intersects(target, cpu_active_mask))
		cpumask_andnot(target, cpu_possible_mask, task_leased);
}

/*
 * Put a task where it belongs. Under task_mutex, with rec busy. May sleep.
 * Return: whether that changed anything.
 */
static bool devirt_task_place(struct devirt_task *rec)
{
	struct cpumask *applied = devirt_task_mask(rec, DEVIRT_APPLIED);
	struct cpumask *home = devirt_task_mask(rec, DEVIRT_HOME);
	struct cpumask *orig = devirt_task_mask(rec, DEVIRT_ORIG);
	struct task_struct *task = rec->task;
	cpumask_var_t target;
	bool changed;

	lockdep_assert_held(&task_mutex);
	/* Its home was given back. */
	if (!cpumask_subset(home, task_leased)) {
		cpumask_clear(home);
		cpumask_clear(devirt_task_mask(rec, DEVIRT_HEIR));
	}
	/* Somebody else has decided meanwhile: that is what it would have. */
	if (!cpumask_equal(&task->cpus_mask, applied))
		cpumask_copy(orig, &task->cpus_mask);

	/*
	 * Never fails with masks on the stack; else it is a few bytes, which
	 * the allocator doesn't refuse to a caller that may wait.
	 */
	if (!alloc_cpumask_var(&target, GFP_KERNEL | __GFP_NOFAIL))
		return false;
	devirt_task_target(rec, target);
	if (!cpumask_equal(&task->cpus_mask, target))
		set_cpus_allowed_ptr(task, target);
	changed = !cpumask_equal(applied, &task->cpus_mask);
	cpumask_copy(applied, &task->cpus_mask);
	free_cpumask_var(target);
	return changed;
}

/* It has what it would have without us: nothing to remember any more. */
static bool devirt_task_plain(struct devirt_task *rec)
{
	return cpumask_empty(devirt_task_mask(rec, DEVIRT_HOME)) &&
	       cpumask_empty(devirt_task_mask(rec, DEVIRT_HEIR)) &&
	       !cpumask_intersects(devirt_task_mask(rec, DEVIRT_ORIG), task_leased);
}

static bool devirt_task_place_all(struct list_head *todo)
{
	struct devirt_task *rec, *next;
	bool changed = false;

	list_for_each_entry_safe(rec, next, todo, todo) {
		list_del_init(&rec->todo);
		changed |= devirt_task_place(rec);
		devirt_task_idle(rec, devirt_task_plain(rec));
	}
	return changed;
}

/* All that are noted. Under task_mutex. */
static void devirt_task_known(struct list_head *todo)
{
	struct devirt_task *rec;
	unsigned long flags;
	int bucket;

	spin_lock_irqsave(&tasks_lock, flags);
	hash_for_each(tasks, bucket, rec, node) {
		rec->busy++;
		list_add_tail(&rec->todo, todo);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
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
		devirt_task_known(&todo);
		if (!devirt_task_place_all(&todo))
			break;
	}
}

static bool devirt_task_misplaced(struct task_struct *task)
{
	return !(task->flags & (PF_KTHREAD | PF_EXITING)) &&
	       cpumask_intersects(&task->cpus_mask, task_leased);
}

static unsigned int devirt_task_count(void)
{
	struct task_struct *process, *task;
	unsigned int count = 0;

	rcu_read_lock();
	for_each_process_thread(process, task) {
		if (devirt_task_misplaced(task))
			count++;
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

	spin_lock_irqsave(&tasks_lock, flags);
	rec = devirt_task_find(task);
	if (!rec && !list_empty(spare) && !(task->flags & PF_EXITING)) {
		rec = list_first_entry(spare, struct devirt_task, todo);
		list_del_init(&rec->todo);
		cpumask_copy(devirt_task_mask(rec, DEVIRT_ORIG), &task->cpus_mask);
		cpumask_copy(devirt_task_mask(rec, DEVIRT_APPLIED), &task->cpus_mask);
		devirt_task_add(rec, task);
	}
	if (rec && list_empty(&rec->todo)) {
		if (home) {
			cpumask_copy(devirt_task_mask(rec, DEVIRT_HOME), home);
			cpumask_copy(devirt_task_mask(rec, DEVIRT_HEIR), home);
		}
		rec->busy++;
		list_add_tail(&rec->todo, todo);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
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
		spin_lock_irqsave(&tasks_lock, flags);
		rec = devirt_task_find(task);
		home = rec && !cpumask_empty(devirt_task_mask(rec, DEVIRT_HOME));
		spin_unlock_irqrestore(&tasks_lock, flags);
		if (!home)
			devirt_task_note(task, NULL, spare, todo);
	}
	rcu_read_unlock();
}

/* ------------------------------------------------------------ tracepoints */

static void devirt_task_unqueue(struct callback_head *work)
{
	struct devirt_task *rec = container_of(work, struct devirt_task, work);

	mutex_lock(&task_mutex);
	devirt_task_place(rec);
	devirt_task_idle(rec, devirt_task_plain(rec));
	mutex_unlock(&task_mutex);
}

/* In the parent, before the child runs. Preemption is off. */
static void devirt_task_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct devirt_task *from, *rec;
	struct cpumask *heir;
	unsigned long flags;
	bool moved, met;

	spin_lock_irqsave(&tasks_lock, flags);
	from = devirt_task_find(parent);
	/* In the list of tasks it is already: devirt_task_evict() may have met it. */
	rec = devirt_task_find(child);
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
		devirt_task_add(rec, child);
	if (moved) {
		init_task_work(&rec->work, devirt_task_unqueue);
		rec->busy++;
		if (task_work_add(child, &rec->work, TWA_RESUME))
			rec->busy--;
	}
out:
	spin_unlock_irqrestore(&tasks_lock, flags);
}

#ifdef DEVIRT_HAVE_EXIT_GROUP_DEAD
static void devirt_task_ended(void *data, struct task_struct *task, bool group_dead)
#else
static void devirt_task_ended(void *data, struct task_struct *task)
#endif
{
	struct devirt_task *rec;
	unsigned long flags;
	bool gone = false;

	spin_lock_irqsave(&tasks_lock, flags);
	rec = devirt_task_find(task);
	if (rec) {
		rec->ended = true;
		gone = !rec->busy;
		if (gone)
			hash_del(&rec->node);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (gone)
		devirt_task_free(rec);
	devirt_vcpu_thread_ended(task);
}

static int devirt_task_trace(void)
{
	int err;

	if (task_tracing)
		return 0;
	err = tracepoint_probe_register(tp_fork, devirt_task_fork, NULL);
	if (err)
		return err;
	err = tracepoint_probe_register(tp_exit, devirt_task_ended, NULL);
	if (err) {
		tracepoint_probe_unregister(tp_fork, devirt_task_fork, NULL);
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
	tracepoint_probe_unregister(tp_fork, devirt_task_fork, NULL);
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
	mutex_lock(&task_mutex);
	if (cpumask_empty(task_leased)) {
		devirt_task_replace();
		devirt_task_untrace();
	}
	mutex_unlock(&task_mutex);
}
static DECLARE_DELAYED_WORK(task_quiet_work, devirt_task_quiet);

/* ---------------------------------------------------------------- outside */

static int devirt_task_evict(void)
{
	LIST_HEAD(spare);
	LIST_HEAD(todo);
	unsigned int count;
	int pass, err;

	for (pass = 0; pass < DEVIRT_TASK_PASSES; pass++) {
		count = devirt_task_count();
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
	return 0;
}

/**
 * devirt_task_update - the leased cores have changed
 * @leased: all of them now
 *
 * Moves user tasks off them and lets others come back. Linear in the number of
 * tasks. May sleep. With fewer cores than before it allocates nothing and
 * cannot fail. Return: 0; -ENOMEM or an errno of the tracepoints: as before.
 */
int devirt_task_update(const struct cpumask *leased)
{
	cpumask_var_t before;
	bool more;
	int err = 0;

	mutex_lock(&task_mutex);
	more = !cpumask_subset(leased, task_leased);
	if (more && !alloc_cpumask_var(&before, GFP_KERNEL)) {
		err = -ENOMEM;
		goto out;
	}
	if (more) {
		err = devirt_task_trace();
		if (err)
			goto out_free;
		cpumask_copy(before, task_leased);
	}
	cpumask_copy(task_leased, leased);
	devirt_task_replace();
	if (more) {
		err = devirt_task_evict();
		if (err) {
			cpumask_copy(task_leased, before);
			devirt_task_replace();
		}
	}
	if (cpumask_empty(task_leased))
		schedule_delayed_work(&task_quiet_work, DEVIRT_TASK_QUIET);
out_free:
	if (more)
		free_cpumask_var(before);
out:
	mutex_unlock(&task_mutex);
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
	int err;

	rcu_read_lock();
	leader = pid_task(process, PIDTYPE_TGID);
	if (leader)
		count += get_nr_threads(leader);
	rcu_read_unlock();

	mutex_lock(&task_mutex);
	err = devirt_task_alloc_list(&spare, count);
	if (err)
		goto out;
	rcu_read_lock();
	leader = pid_task(process, PIDTYPE_TGID);
	if (leader) {
		for_each_thread(leader, task)
			devirt_task_note(task, home, &spare, &todo);
	}
	rcu_read_unlock();
	devirt_task_place_all(&todo);
	devirt_task_free_list(&spare);
out:
	mutex_unlock(&task_mutex);
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

	mutex_lock(&task_mutex);
	err = -ESHUTDOWN;
	if (READ_ONCE(*stopped) || !cpumask_test_cpu(cpu, task_leased))
		goto out;

	spin_lock_irqsave(&tasks_lock, flags);
	rec = devirt_task_find(current);
	if (!rec) {
		rec = *spare;
		*spare = NULL;
		cpumask_copy(devirt_task_mask(rec, DEVIRT_ORIG), current->cpus_ptr);
		cpumask_copy(devirt_task_mask(rec, DEVIRT_APPLIED), current->cpus_ptr);
		devirt_task_add(rec, current);
	}
	rec->busy++;
	cpumask_copy(devirt_task_mask(rec, DEVIRT_HOME), cpumask_of(cpu));
	cpumask_copy(devirt_task_mask(rec, DEVIRT_HEIR), heir);
	spin_unlock_irqrestore(&tasks_lock, flags);

	devirt_task_place(rec);
	err = cpumask_equal(&current->cpus_mask, cpumask_of(cpu)) ? 0 : -EINVAL;
	devirt_task_idle(rec, false);
out:
	mutex_unlock(&task_mutex);
	return err;
}

static void devirt_task_tracepoint(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "sched_process_fork"))
		tp_fork = tp;
	else if (!strcmp(tp->name, "sched_process_exit"))
		tp_exit = tp;
}

int devirt_task_init(void)
{
	for_each_kernel_tracepoint(devirt_task_tracepoint, NULL);
	if (!tp_fork || !tp_exit) {
		pr_err("this kernel has no scheduler tracepoints\n");
		return -EOPNOTSUPP;
	}
	return zalloc_cpumask_var(&task_leased, GFP_KERNEL) ? 0 : -ENOMEM;
}

void devirt_task_exit(void)
{
	bool pending;

	flush_delayed_work(&task_quiet_work);
	/* Children that have not yet run the work which places them. */
	do {
		mutex_lock(&task_mutex);
		devirt_task_replace();
		mutex_unlock(&task_mutex);
		spin_lock_irq(&tasks_lock);
		pending = !hash_empty(tasks);
		spin_unlock_irq(&tasks_lock);
		if (pending)
			msleep(20);
	} while (pending);
	/* That work, and vcpu.c's, may not have returned from here yet. */
	synchronize_rcu_tasks();
	free_cpumask_var(task_leased);
}
