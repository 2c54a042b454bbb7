/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notes of the tasks that we have placed. Only for task.c and arrival.c.
 */
#ifndef _DEVIRT_NOTE_H
#define _DEVIRT_NOTE_H

#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>

enum {
	DEVIRT_ORIG,		/* what it would have without us */
	DEVIRT_APPLIED,		/* what we gave it */
	DEVIRT_HOME,		/* leased CPUs that are its place; empty: the host */
	DEVIRT_HEIR,		/* the same for its children */
	DEVIRT_MASKS
};

/**
 * struct devirt_task - a task that we have placed
 * @node: in the table
 * @todo: in the list of what is being worked on
 * @task: the task, with a reference
 * @work: places a child that must not stay where its parent is
 * @busy: somebody uses it without the lock, @work counts: don't free it
 * @ended: the task has ended: free it when it isn't busy
 * @asked: somebody asked for just what we gave it: that is what it would have
 * @drifted: somebody took it from its home, and nobody was told yet
 * @bits: DEVIRT_MASKS CPU masks
 */
struct devirt_task {
	struct hlist_node node;
	struct list_head todo;
	struct task_struct *task;
	struct callback_head work;
	unsigned int busy;
	bool ended;
	bool asked;
	bool drifted;
	unsigned long bits[];
};

/* Guards the table and the notes in it; taken in the fork and exit tracepoints. */
extern spinlock_t devirt_notes_lock;
/* One placing at a time. Outside of devirt_notes_lock and of the scheduler's locks. */
extern struct mutex devirt_place_lock;
/* Leased CPUs. Under devirt_place_lock; the probes read it without. */
extern cpumask_var_t devirt_place_leased;

static inline struct cpumask *devirt_task_mask(struct devirt_task *rec, int which)
{
	return to_cpumask(rec->bits + which * (cpumask_size() / sizeof(long)));
}

/*
 * A kernel thread that the kernel has bound, and a workqueue's worker, are where
 * they have to be.
 */
static inline bool devirt_task_movable(const struct task_struct *task)
{
	return !(task->flags & PF_KTHREAD) ||
	       !(task->flags & (PF_NO_SETAFFINITY | PF_WQ_WORKER));
}

bool devirt_task_settled(const struct task_struct *task);
struct devirt_task *devirt_note_find(struct task_struct *task);
void devirt_note_add(struct devirt_task *rec, struct task_struct *task);
void devirt_note_idle(struct devirt_task *rec, bool forget);
void devirt_note_end(struct task_struct *task);
bool devirt_note_place(struct devirt_task *rec);
bool devirt_note_plain(struct devirt_task *rec);
void devirt_note_all(struct list_head *todo);
bool devirt_note_none(void);
bool devirt_note_placing(void);

#endif /* _DEVIRT_NOTE_H */
