// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard: sees what runs on leased cores without being the guest's, counts it
 * by name, and sends away what can move.
 *
 * It is a probe at the scheduler's switch from one task to another, in place only
 * while cores are leased. That is called with the run queue locked and interrupts
 * off, on every CPU: on one that isn't leased it finds a NULL and returns. On a
 * leased one all that it needs is the CPU's own. What takes more, it leaves to an
 * interrupt of its own, and that to devirt_wq.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/cpumask.h>
#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "arrival.h"
#include "compat/compat.h"
#include "guard.h"
#include "partition.h"
#include "task.h"

#define DEVIRT_GUARD_NAMES	32

/**
 * struct devirt_guard_name - tasks of a name that ran on a leased CPU
 * @name: theirs, filled up with NUL
 * @kind: DEVIRT_INTRUDER_*
 * @pid: the latest
 * @count: how often
 */
struct devirt_guard_name {
	char name[TASK_COMM_LEN];
	u32 kind;
	u32 pid;
	u64 count;
};

/**
 * struct devirt_guard - what the guard knows about a CPU
 * @thread: at home here, with a reference, so that no other has its address
 * @tgid: a process whose threads, and children, are at home here; or 0
 * @total: intrusions
 * @unnamed: those for which there was no room in @names
 * @used: of @names
 * @evict: a task that shall leave, with a reference; NULL when it has been seen to
 * @kick: wakes the worker
 * @part: whose the CPU is; NULL: it isn't leased; under guard_lock
 * @record: its record there
 * @posted: so many of @names have been told; under guard_lock
 * @names: written by the CPU itself
 *
 * Once a CPU has one it stays until the module goes, so that anybody may read it.
 */
struct devirt_guard {
	struct task_struct *thread;
	pid_t tgid;
	u64 total;
	u64 unnamed;
	unsigned int used;
	struct task_struct *evict;
	struct irq_work kick;
	struct devirt_partition *part;
	u32 record;
	unsigned int posted;
	struct devirt_guard_name names[DEVIRT_GUARD_NAMES];
};

static DEFINE_PER_CPU(struct devirt_guard *, guards);
/* The same while the CPU is leased, else NULL; changed by the CPU itself. */
static DEFINE_PER_CPU(struct devirt_guard *, guard_on);
/* Inside cpu.c's lock, outside of events'. */
static DEFINE_MUTEX(guard_lock);
static struct tracepoint *tp_switch;
static bool guard_tracing;	/* under cpu.c's lock */

static u32 devirt_guard_kind(const struct task_struct *task)
{
	if (!(task->flags & PF_KTHREAD))
		return DEVIRT_INTRUDER_USER;
	return task->flags & PF_NO_SETAFFINITY && task->nr_cpus_allowed == 1 ?
	       DEVIRT_INTRUDER_BOUND : DEVIRT_INTRUDER_KTHREAD;
}

/* Is it the guest's? Under the run queue's lock, which RCU waits for. */
static bool devirt_guard_own(const struct devirt_guard *guard, const struct task_struct *task)
{
	pid_t tgid = READ_ONCE(guard->tgid);
	int nr;

	if (task == READ_ONCE(guard->thread))
		return true;
	if (!tgid)
		return false;
	return task->tgid == tgid || rcu_dereference_sched(task->real_parent)->tgid == tgid ||
	       (task->flags & PF_KTHREAD && devirt_task_helper_name(task, &nr));
}

/* Return: whether it is the first of that name. */
static bool devirt_guard_count(struct devirt_guard *guard, const struct task_struct *task)
{
	unsigned int i, used = guard->used;
	char name[TASK_COMM_LEN] = {};
	bool first = false;

	WRITE_ONCE(guard->total, guard->total + 1);
	memcpy(name, task->comm, sizeof(name) - 1);
	memset(name + strlen(name), 0, sizeof(name) - strlen(name));
	for (i = 0; i < used; i++) {
		if (!memcmp(guard->names[i].name, name, sizeof(name)))
			break;
	}
	if (i == DEVIRT_GUARD_NAMES) {
		WRITE_ONCE(guard->unnamed, guard->unnamed + 1);
		return false;
	}
	if (i == used) {
		memcpy(guard->names[i].name, name, sizeof(name));
		guard->names[i].count = 0;
		first = true;
	}
	WRITE_ONCE(guard->names[i].kind, devirt_guard_kind(task));
	WRITE_ONCE(guard->names[i].pid, task->pid);
	WRITE_ONCE(guard->names[i].count, guard->names[i].count + 1);
	if (first) {
		/* Filled in before others find it: devirt_guard_tell(). */
		smp_store_release(&guard->used, used + 1);
	}
	return first;
}

/* A task runs on this CPU now. Interrupts are off. */
static void devirt_guard_see(struct devirt_guard *guard, struct task_struct *task)
{
	bool tell;

	if (is_idle_task(task) || devirt_guard_own(guard, task))
		return;
	tell = devirt_guard_count(guard, task);
	if (!(task->flags & PF_EXITING) && !READ_ONCE(guard->evict) &&
	    (!(task->flags & PF_KTHREAD) ||
	     !(task->flags & (PF_NO_SETAFFINITY | PF_WQ_WORKER)))) {
		WRITE_ONCE(guard->evict, get_task_struct(task));
		tell = true;
	}
	if (tell)
		irq_work_queue(&guard->kick);
}

static void devirt_guard_switch(void *data, bool preempt, struct task_struct *prev,
				struct task_struct *next, unsigned int prev_state)
{
	struct devirt_guard *guard = __this_cpu_read(guard_on);

	if (guard)
		devirt_guard_see(guard, next);
}

/* ------------------------------------------------------- what takes more */

static void devirt_guard_tell(struct devirt_guard *guard, unsigned int cpu)
{
	struct devirt_guard_name *name;
	unsigned int used;

	/* As they were filled in: devirt_guard_count(). */
	used = smp_load_acquire(&guard->used);
	lockdep_assert_held(&guard_lock);
	for (; guard->part && guard->posted < used; guard->posted++) {
		name = &guard->names[guard->posted];
		devirt_event(guard->part, DEVIRT_EVENT_INTRUSION, .record = &guard->record,
			     .pid = READ_ONCE(name->pid), .cpu = &cpu, .detail = name->name);
	}
}

static void devirt_guard_work(struct work_struct *work)
{
	struct devirt_guard *guard;
	struct task_struct *task;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		guard = READ_ONCE(per_cpu(guards, cpu));
		if (!guard)
			continue;
		mutex_lock(&guard_lock);
		devirt_guard_tell(guard, cpu);
		mutex_unlock(&guard_lock);
		task = READ_ONCE(guard->evict);
		if (!task)
			continue;
		devirt_arrival_look_now(task);
		/* Until now no other could be put there. */
		smp_store_release(&guard->evict, NULL);
		put_task_struct(task);
	}
}
static DECLARE_WORK(guard_work, devirt_guard_work);

static void devirt_guard_kick(struct irq_work *kick)
{
	queue_work(devirt_wq, &guard_work);
}

/* ---------------------------------------------------------------- cpu.c */

/**
 * devirt_guard_prepare - CPUs are going to be leased
 * @cpus: which
 *
 * May sleep; under cpu.c's lock. devirt_guard_finish() undoes it. Return: 0,
 * -ENOMEM or an errno of the tracepoint; nothing has changed then.
 */
int devirt_guard_prepare(const struct cpumask *cpus)
{
	struct devirt_guard *guard;
	unsigned int cpu;
	int err;

	for_each_cpu(cpu, cpus) {
		if (per_cpu(guards, cpu))
			continue;
		guard = kzalloc_node(sizeof(*guard), GFP_KERNEL, cpu_to_node(cpu));
		if (!guard)
			return -ENOMEM;
		init_irq_work(&guard->kick, devirt_guard_kick);
		/* Filled in before others find it. */
		smp_store_release(&per_cpu(guards, cpu), guard);
	}
	if (guard_tracing)
		return 0;
	err = tracepoint_probe_register(tp_switch, devirt_guard_switch, NULL);
	if (!err)
		guard_tracing = true;
	return err;
}

/* On the CPU itself, interrupts off, so that no switch is under way. */
static void devirt_guard_on(void *data)
{
	struct devirt_guard *guard = data;

	guard->total = 0;
	guard->unnamed = 0;
	guard->used = 0;
	__this_cpu_write(guard_on, guard);
	/* Who is here already may stay for long without a switch. */
	devirt_guard_see(guard, current);
}

static void devirt_guard_off(void *data)
{
	__this_cpu_write(guard_on, NULL);
}

/**
 * devirt_guard_start - a CPU is leased now, and what could leave it has left
 * @cpu: which; online, and stays so
 * @part: to which partition
 * @record: index of its record there
 *
 * After devirt_guard_prepare(), under cpu.c's lock. May sleep.
 */
void devirt_guard_start(unsigned int cpu, struct devirt_partition *part, u32 record)
{
	struct devirt_guard *guard = per_cpu(guards, cpu);

	mutex_lock(&guard_lock);
	guard->part = part;
	guard->record = record;
	guard->posted = 0;
	devirt_guard_own_thread(cpu, NULL);
	devirt_guard_own_process(cpu, 0);
	smp_call_function_single(cpu, devirt_guard_on, guard, 1);
	mutex_unlock(&guard_lock);
}

/**
 * devirt_guard_stop - a CPU isn't leased any more
 * @cpu: which; also one for which devirt_guard_start() was never called
 *
 * What was counted can still be read. Under cpu.c's lock. May sleep.
 */
void devirt_guard_stop(unsigned int cpu)
{
	struct devirt_guard *guard = per_cpu(guards, cpu);

	if (!guard)
		return;
	smp_call_function_single(cpu, devirt_guard_off, NULL, 1);
	mutex_lock(&guard_lock);
	devirt_guard_tell(guard, cpu);
	guard->part = NULL;
	devirt_guard_own_thread(cpu, NULL);
	mutex_unlock(&guard_lock);
}

/**
 * devirt_guard_finish - no CPU is leased any more
 *
 * Under cpu.c's lock. May sleep.
 */
void devirt_guard_finish(void)
{
	if (guard_tracing)
		tracepoint_probe_unregister(tp_switch, devirt_guard_switch, NULL);
	guard_tracing = false;
}

/**
 * devirt_guard_own_thread - a thread is at home on a leased CPU
 * @cpu: the CPU
 * @thread: the thread, or NULL for none; any other isn't any more
 *
 * Any context.
 */
void devirt_guard_own_thread(unsigned int cpu, struct task_struct *thread)
{
	struct devirt_guard *guard = per_cpu(guards, cpu);

	if (!guard)
		return;
	if (thread)
		get_task_struct(thread);
	thread = xchg(&guard->thread, thread);
	if (thread)
		put_task_struct(thread);
}

/**
 * devirt_guard_own_process - a process is at home on a leased CPU
 * @cpu: the CPU
 * @tgid: the process; any other isn't any more
 *
 * Any context.
 */
void devirt_guard_own_process(unsigned int cpu, pid_t tgid)
{
	struct devirt_guard *guard = per_cpu(guards, cpu);

	if (guard)
		WRITE_ONCE(guard->tgid, tgid);
}

/* ------------------------------------------------------------- statistics */

/**
 * devirt_guard_intrusions - how often a CPU was switched to what isn't the guest's
 * @cpu: the CPU
 *
 * Since it was leased. Any context.
 */
u64 devirt_guard_intrusions(unsigned int cpu)
{
	struct devirt_guard *guard = READ_ONCE(per_cpu(guards, cpu));

	return guard ? READ_ONCE(guard->total) : 0;
}

/**
 * devirt_guard_unnamed - how many of these are no intruder's
 * @cpu: the CPU
 *
 * For there were too many names. Any context.
 */
u64 devirt_guard_unnamed(unsigned int cpu)
{
	struct devirt_guard *guard = READ_ONCE(per_cpu(guards, cpu));

	return guard ? READ_ONCE(guard->unnamed) : 0;
}

/**
 * devirt_guard_intruder - tasks of one name that ran on a leased CPU
 * @cpu: the CPU
 * @i: which; from 0
 * @out: filled in
 *
 * Any context. Return: false if there are no more.
 */
bool devirt_guard_intruder(unsigned int cpu, unsigned int i, struct devirt_intruder *out)
{
	struct devirt_guard *guard = READ_ONCE(per_cpu(guards, cpu));
	struct devirt_guard_name *name;

	if (!guard)
		return false;
	/* As they were filled in: devirt_guard_count(). */
	if (i >= smp_load_acquire(&guard->used))
		return false;
	name = &guard->names[i];
	memset(out, 0, sizeof(*out));
	out->cpu = cpu;
	out->kind = READ_ONCE(name->kind);
	out->pid = READ_ONCE(name->pid);
	out->count = READ_ONCE(name->count);
	strscpy(out->name, name->name, sizeof(out->name));
	return true;
}

static void devirt_guard_tracepoint(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "sched_switch"))
		tp_switch = tp;
}

int devirt_guard_init(void)
{
	for_each_kernel_tracepoint(devirt_guard_tracepoint, NULL);
	if (!tp_switch) {
		pr_err("this kernel has no scheduler tracepoints\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

/* No CPU is leased. */
void devirt_guard_exit(void)
{
	struct devirt_guard *guard;
	unsigned int cpu;

	tracepoint_synchronize_unregister();
	for_each_possible_cpu(cpu) {
		guard = per_cpu(guards, cpu);
		if (guard)
			irq_work_sync(&guard->kick);
	}
	flush_work(&guard_work);
	for_each_possible_cpu(cpu) {
		guard = per_cpu(guards, cpu);
		devirt_guard_own_thread(cpu, NULL);
		per_cpu(guards, cpu) = NULL;
		kfree(guard);
	}
}
