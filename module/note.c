// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notes: what a task that we have placed would have without us, what we gave it,
 * and how the one follows from the other.
 */
#include <linux/hashtable.h>
#include <linux/ktime.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "note.h"
#include "task.h"

static DEFINE_HASHTABLE(notes, 12);
DEFINE_SPINLOCK(devirt_notes_lock);
DEFINE_MUTEX(devirt_place_lock);
cpumask_var_t devirt_place_leased;
/* Who is just placing a task; under devirt_place_lock. */
static struct task_struct *note_placer;

/**
 * devirt_task_settled - may it be moved already?
 * @task: the task
 *
 * Who makes a kernel thread binds it to a CPU before it is first woken, and would
 * be undone if we moved it just then. A new one waits uninterruptibly for that,
 * and has slept by then; who doesn't, has been woken. After a second nobody binds
 * it any more.
 */
bool devirt_task_settled(const struct task_struct *task)
{
	if (!(task->flags & PF_KTHREAD))
		return true;
	if (READ_ONCE(task->nvcsw) && READ_ONCE(task->__state) != TASK_UNINTERRUPTIBLE)
		return true;
	return ktime_get_ns() - task->start_time >= NSEC_PER_SEC;
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

/**
 * devirt_note_find - the note of a task
 * @task: the task
 *
 * Under devirt_notes_lock. Return: the note or NULL.
 */
struct devirt_task *devirt_note_find(struct task_struct *task)
{
	struct devirt_task *rec;

	lockdep_assert_held(&devirt_notes_lock);
	hash_for_each_possible(notes, rec, node, (unsigned long)task) {
		if (rec->task == task)
			return rec;
	}
	return NULL;
}

/**
 * devirt_note_add - a task has a note from now on
 * @rec: the note, filled in
 * @task: the task, which has none
 *
 * Under devirt_notes_lock.
 */
void devirt_note_add(struct devirt_task *rec, struct task_struct *task)
{
	lockdep_assert_held(&devirt_notes_lock);
	rec->task = get_task_struct(task);
	hash_add(notes, &rec->node, (unsigned long)task);
}

/**
 * devirt_note_idle - the end of a use without devirt_notes_lock
 * @rec: the note, busy
 * @forget: it isn't needed any more
 *
 * Frees the note if its task ended meanwhile, or if it is to be forgotten and
 * this was its last use: who uses it still may find that it is needed again.
 * Under devirt_place_lock.
 */
void devirt_note_idle(struct devirt_task *rec, bool forget)
{
	unsigned long flags;
	bool gone;

	lockdep_assert_held(&devirt_place_lock);
	spin_lock_irqsave(&devirt_notes_lock, flags);
	rec->busy--;
	gone = (rec->ended || forget) && !rec->busy;
	if (gone)
		hash_del(&rec->node);
	spin_unlock_irqrestore(&devirt_notes_lock, flags);
	if (gone)
		devirt_task_free(rec);
}

/**
 * devirt_note_end - a task ends
 * @task: the task
 *
 * Its note goes, now or when nobody uses it any more. Any context.
 */
void devirt_note_end(struct task_struct *task)
{
	struct devirt_task *rec;
	unsigned long flags;
	bool gone = false;

	spin_lock_irqsave(&devirt_notes_lock, flags);
	rec = devirt_note_find(task);
	if (rec) {
		rec->ended = true;
		gone = !rec->busy;
		if (gone)
			hash_del(&rec->node);
	}
	spin_unlock_irqrestore(&devirt_notes_lock, flags);
	if (gone)
		devirt_task_free(rec);
}

/* The affinity that a task shall have now. */
static void devirt_note_target(struct devirt_task *rec, struct cpumask *target)
{
	if (!cpumask_empty(devirt_task_mask(rec, DEVIRT_HOME))) {
		cpumask_copy(target, devirt_task_mask(rec, DEVIRT_HOME));
		return;
	}
	cpumask_andnot(target, devirt_task_mask(rec, DEVIRT_ORIG), devirt_place_leased);
	/* It only wanted leased CPUs: for now it may run on all others. */
	if (!cpumask_intersects(target, cpu_active_mask))
		cpumask_andnot(target, cpu_possible_mask, devirt_place_leased);
}

/* Has somebody else decided since we placed it? That is what it would have then. */
static void devirt_note_believe(struct devirt_task *rec)
{
	struct cpumask *applied = devirt_task_mask(rec, DEVIRT_APPLIED);
	struct cpumask *orig = devirt_task_mask(rec, DEVIRT_ORIG);
	bool same = cpumask_equal(&rec->task->cpus_mask, applied);

	if (same && !READ_ONCE(rec->asked))
		return;
	WRITE_ONCE(rec->asked, false);
	/*
	 * All that we left it went offline, so that the kernel gave it others,
	 * which wouldn't have happened without us.
	 */
	if (!same && !cpumask_intersects(applied, cpu_active_mask) &&
	    cpumask_intersects(orig, cpu_active_mask))
		return;
	cpumask_copy(orig, &rec->task->cpus_mask);
	if (!same && !cpumask_empty(devirt_task_mask(rec, DEVIRT_HOME)))
		rec->drifted = true;
}

/**
 * devirt_note_place - put a task where it belongs
 * @rec: its note, busy
 *
 * Under devirt_place_lock. May sleep. Return: whether that changed anything.
 */
bool devirt_note_place(struct devirt_task *rec)
{
	struct cpumask *applied = devirt_task_mask(rec, DEVIRT_APPLIED);
	struct cpumask *home = devirt_task_mask(rec, DEVIRT_HOME);
	struct task_struct *task = rec->task;
	cpumask_var_t target;
	bool changed;
	int err = 0;

	lockdep_assert_held(&devirt_place_lock);
	if (!devirt_task_movable(task) || !devirt_task_settled(task))
		return false;
	/* Its home was given back. */
	if (!cpumask_subset(home, devirt_place_leased)) {
		cpumask_clear(home);
		cpumask_clear(devirt_task_mask(rec, DEVIRT_HEIR));
	}
	devirt_note_believe(rec);

	/*
	 * Never fails with masks on the stack; else it is a few bytes, which
	 * the allocator doesn't refuse to a caller that may wait.
	 */
	if (!alloc_cpumask_var(&target, GFP_KERNEL | __GFP_NOFAIL))
		return false;
	devirt_note_target(rec, target);
	if (!cpumask_equal(&task->cpus_mask, target)) {
		WRITE_ONCE(note_placer, current);
		err = set_cpus_allowed_ptr(task, target);
		WRITE_ONCE(note_placer, NULL);
	}
	changed = !cpumask_equal(applied, &task->cpus_mask);
	/*
	 * The kernel may leave it less: never more than its user asked for. More
	 * than that is somebody else's doing, a moment ago.
	 */
	if (!err && !cpumask_subset(&task->cpus_mask, target))
		cpumask_copy(applied, target);
	else
		cpumask_copy(applied, &task->cpus_mask);
	free_cpumask_var(target);
	return changed;
}

/** devirt_note_placing - is it us who just sets an affinity, in this task? */
bool devirt_note_placing(void)
{
	return READ_ONCE(note_placer) == current;
}

/**
 * devirt_note_plain - has it what it would have without us?
 * @rec: the note, after devirt_note_place()
 *
 * Under devirt_place_lock. Return: true if there is nothing to remember.
 */
bool devirt_note_plain(struct devirt_task *rec)
{
	if (!devirt_task_movable(rec->task))
		return true;
	return devirt_task_settled(rec->task) &&
	       cpumask_empty(devirt_task_mask(rec, DEVIRT_HOME)) &&
	       cpumask_empty(devirt_task_mask(rec, DEVIRT_HEIR)) &&
	       !cpumask_intersects(devirt_task_mask(rec, DEVIRT_ORIG), devirt_place_leased);
}

/**
 * devirt_note_all - all notes
 * @todo: they are added to this list, busy
 *
 * Under devirt_place_lock.
 */
void devirt_note_all(struct list_head *todo)
{
	struct devirt_task *rec;
	unsigned long flags;
	int bucket;

	spin_lock_irqsave(&devirt_notes_lock, flags);
	hash_for_each(notes, bucket, rec, node) {
		rec->busy++;
		list_add_tail(&rec->todo, todo);
	}
	spin_unlock_irqrestore(&devirt_notes_lock, flags);
}

/** devirt_note_none - is there no note left? */
bool devirt_note_none(void)
{
	bool none;

	spin_lock_irq(&devirt_notes_lock);
	none = hash_empty(notes);
	spin_unlock_irq(&devirt_notes_lock);
	return none;
}
