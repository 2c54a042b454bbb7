// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs: which thread of which VMM runs where.
 *
 * When a thread of an attached process is about to enter a vCPU, hook.c's probe
 * calls devirt_vcpu_entering(). Nothing can sleep there, so it leaves a piece of
 * task work, which KVM runs before it enters the guest. That work pins the
 * thread.
 *
 * That probe is in place only while there is a vCPU that has been made, but has
 * no thread yet. Those that a VMM has when it is attached are found by its
 * descriptors, those that it makes later by a probe of their making. When every
 * one has its thread, nothing of us is left on the way into a guest. When such a
 * thread ends, its vCPU waits for another.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/kref.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "hook.h"
#include "kvm.h"
#include "partition.h"
#include "task.h"
#include "vcpu.h"

/**
 * struct devirt_thread_work - what the scheduler has counted for a thread
 * @run_ns: how long it ran
 * @wait_ns: how long it could have run
 * @preempted: how often it had to make way
 * @migrations: how often it changed its CPU
 */
struct devirt_thread_work {
	u64 run_ns;
	u64 wait_ns;
	u64 preempted;
	u64 migrations;
};

/**
 * struct devirt_slot - a vCPU and its CPU
 * @vmm: whose
 * @index: of its record in the description
 * @vcpu: KVM's number
 * @cpu: where it runs
 * @thread: the thread that is pinned, or NULL; under vmms_lock, read by RCU
 * @base: what the thread had done when it was pinned; under vmms_lock
 * @work: pins the thread
 * @queued: @work is on its way
 * @awaited: the vCPU has been made, @thread is to come; under vmms_lock
 * @made: notes that it has been made
 * @making: @made is on its way
 * @spare: room for the thread's note, so that pinning needs no memory
 */
struct devirt_slot {
	struct devirt_vmm *vmm;
	u32 index;
	u32 vcpu;
	u32 cpu;
	struct pid __rcu *thread;
	struct devirt_thread_work base;
	struct callback_head work;
	atomic_t queued;
	bool awaited;
	struct callback_head made;
	atomic_t making;
	struct devirt_task *spare;
};

/**
 * struct devirt_vmm - a process that runs a partition's vCPUs
 * @ref: one for the partition, one for each piece of work on its way
 * @node: in vmms
 * @part: the partition, with a reference
 * @pid: the process
 * @emulator: CPUs for its other threads; empty: the host's
 * @waiting: slots that are awaited
 * @watching: vCPUs that it makes are noticed
 * @stopped: nothing is pinned any more
 * @rcu: frees it
 * @count: of slots
 * @slots: one for each vCPU
 */
struct devirt_vmm {
	struct kref ref;
	struct list_head node;
	struct devirt_partition *part;
	struct pid *pid;
	cpumask_var_t emulator;
	unsigned int waiting;
	bool watching;
	bool stopped;
	struct rcu_head rcu;
	u32 count;
	struct devirt_slot slots[] __counted_by(count);
};

static LIST_HEAD(vmms);
/* Inside a partition's lock; task.c's may not be taken inside. */
static DEFINE_MUTEX(vmms_lock);

static void devirt_vmm_free(struct rcu_head *rcu)
{
	struct devirt_vmm *vmm = container_of(rcu, struct devirt_vmm, rcu);
	u32 i;

	for (i = 0; i < vmm->count; i++)
		devirt_task_free(vmm->slots[i].spare);
	free_cpumask_var(vmm->emulator);
	kfree(vmm);
}

static void devirt_vmm_destroy(struct kref *ref)
{
	struct devirt_vmm *vmm = container_of(ref, struct devirt_vmm, ref);
	u32 i;

	for (i = 0; i < vmm->count; i++)
		put_pid(rcu_dereference_protected(vmm->slots[i].thread, true));
	put_pid(vmm->pid);
	/* The probe may still be looking at it. */
	call_rcu(&vmm->rcu, devirt_vmm_free);
}

static void devirt_vmm_put(struct devirt_vmm *vmm)
{
	struct devirt_partition *part = vmm->part;

	if (kref_put(&vmm->ref, devirt_vmm_destroy))
		devirt_partition_put(part);
}

static struct devirt_vmm *devirt_vmm_find(struct pid *pid)
{
	struct devirt_vmm *vmm;

	list_for_each_entry_rcu(vmm, &vmms, node, lockdep_is_held(&vmms_lock)) {
		if (vmm->pid == pid)
			return vmm;
	}
	return NULL;
}

static bool devirt_is_vcpu(const struct devirt_resource *res)
{
	return res->rec.kind == DEVIRT_KIND_CPU && res->rec.cpu.role == DEVIRT_ROLE_VCPU;
}

static int devirt_vmm_fill(struct devirt_vmm *vmm, struct devirt_set *set)
{
	u32 i, n = 0;

	for (i = 0; i < set->count; i++) {
		struct devirt_record *rec = &set->res[i]->rec;
		struct devirt_slot *slot;

		if (rec->kind == DEVIRT_KIND_CPU && rec->cpu.role == DEVIRT_ROLE_EMULATOR)
			cpumask_set_cpu(rec->cpu.cpu, vmm->emulator);
		if (!devirt_is_vcpu(set->res[i]))
			continue;
		slot = &vmm->slots[n++];
		slot->vmm = vmm;
		slot->index = i;
		slot->vcpu = rec->cpu.vcpu;
		slot->cpu = rec->cpu.cpu;
		slot->spare = devirt_task_alloc(GFP_KERNEL);
		if (!slot->spare)
			return -ENOMEM;
	}
	return 0;
}

/* A vCPU has been made, or lost its thread: wait for one. May sleep. */
static int devirt_slot_await(struct devirt_slot *slot)
{
	struct devirt_vmm *vmm = slot->vmm;
	int err = 0;

	lockdep_assert_held(&vmms_lock);
	if (slot->awaited || rcu_access_pointer(slot->thread) || READ_ONCE(vmm->stopped))
		return 0;
	if (!vmm->waiting) {
		err = devirt_hook_arm(DEVIRT_HOOK_RUN_VCPU);
		if (err)
			return err;
	}
	vmm->waiting++;
	slot->awaited = true;
	return 0;
}

/* It has its thread, or will never have one. May sleep. */
static void devirt_slot_arrived(struct devirt_slot *slot)
{
	lockdep_assert_held(&vmms_lock);
	if (slot->awaited && !--slot->vmm->waiting)
		devirt_hook_disarm(DEVIRT_HOOK_RUN_VCPU);
	slot->awaited = false;
}

/**
 * struct devirt_vmm_seen - which of its vCPUs a VMM has already
 * @vmm: the VMM
 * @slots: a bit for each slot
 */
struct devirt_vmm_seen {
	struct devirt_vmm *vmm;
	unsigned long *slots;
};

static void devirt_vmm_see(struct kvm_vcpu *vcpu, void *arg)
{
	struct devirt_vmm_seen *seen = arg;
	u32 i;

	for (i = 0; i < seen->vmm->count; i++) {
		if (seen->vmm->slots[i].vcpu == vcpu->vcpu_id)
			__set_bit(i, seen->slots);
	}
}

/* The vCPUs that it has made before it was attached. */
static int devirt_vmm_look(struct devirt_vmm *vmm)
{
	struct devirt_vmm_seen seen = { .vmm = vmm };
	unsigned int i;
	int err = 0;

	seen.slots = bitmap_zalloc(vmm->count, GFP_KERNEL);
	if (!seen.slots)
		return -ENOMEM;
	devirt_kvm_vcpus(vmm->pid, devirt_vmm_see, &seen);
	mutex_lock(&vmms_lock);
	for_each_set_bit(i, seen.slots, vmm->count) {
		err = devirt_slot_await(&vmm->slots[i]);
		if (err)
			break;
	}
	mutex_unlock(&vmms_lock);
	bitmap_free(seen.slots);
	return err;
}

/**
 * devirt_vmm_create - a process becomes a partition's VMM
 * @part: the partition
 * @set: what it holds
 * @pid: the process
 *
 * May sleep. Return: the VMM, to be given to devirt_vmm_stop(); or an ERR_PTR:
 * -EBUSY if it is another partition's VMM, -ENOMEM, -EOPNOTSUPP if no probe can
 * be placed.
 */
struct devirt_vmm *devirt_vmm_create(struct devirt_partition *part,
				     struct devirt_set *set, struct pid *pid)
{
	struct devirt_vmm *vmm, *other;
	u32 i, count = 0;
	int err;

	for (i = 0; i < set->count; i++)
		count += devirt_is_vcpu(set->res[i]);
	vmm = kzalloc(struct_size(vmm, slots, count), GFP_KERNEL);
	if (!vmm)
		return ERR_PTR(-ENOMEM);
	vmm->count = count;
	kref_init(&vmm->ref);
	if (!zalloc_cpumask_var(&vmm->emulator, GFP_KERNEL)) {
		kfree(vmm);
		return ERR_PTR(-ENOMEM);
	}
	err = devirt_vmm_fill(vmm, set);
	if (err)
		goto err_free;

	mutex_lock(&vmms_lock);
	other = devirt_vmm_find(pid);
	if (other && other->part != part) {
		err = -EBUSY;
		goto err_unlock;
	}
	if (count) {
		err = devirt_hook_arm(DEVIRT_HOOK_NEW_VCPU);
		if (err)
			goto err_unlock;
		vmm->watching = true;
	}
	vmm->pid = get_pid(pid);
	vmm->part = part;
	kref_get(&part->ref);
	list_add_rcu(&vmm->node, &vmms);
	mutex_unlock(&vmms_lock);

	if (count)
		err = devirt_vmm_look(vmm);
	if (!err && !cpumask_empty(vmm->emulator))
		err = devirt_task_confine(pid, vmm->emulator);
	if (err) {
		devirt_vmm_stop(vmm);
		return ERR_PTR(err);
	}
	return vmm;

err_unlock:
	mutex_unlock(&vmms_lock);
err_free:
	devirt_vmm_free(&vmm->rcu);
	return ERR_PTR(err);
}

/**
 * devirt_vmm_stop - pin no more threads, and forget the VMM
 * @vmm: the VMM
 *
 * Threads that are pinned stay until their CPUs are given back. May sleep.
 */
void devirt_vmm_stop(struct devirt_vmm *vmm)
{
	u32 i;

	/* Seen by devirt_task_pin() once task.c's lock was taken after this. */
	WRITE_ONCE(vmm->stopped, true);
	mutex_lock(&vmms_lock);
	list_del_rcu(&vmm->node);
	if (vmm->waiting)
		devirt_hook_disarm(DEVIRT_HOOK_RUN_VCPU);
	if (vmm->watching)
		devirt_hook_disarm(DEVIRT_HOOK_NEW_VCPU);
	for (i = 0; i < vmm->count; i++)
		vmm->slots[i].awaited = false;
	vmm->waiting = 0;
	mutex_unlock(&vmms_lock);
	devirt_vmm_put(vmm);
}

/* Has it a thread that hasn't ended? A process may have ended and be waited for. */
static bool devirt_process_lives(struct pid *pid)
{
	struct task_struct *task;
	bool lives;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	lives = task && atomic_read(&task->signal->live);
	rcu_read_unlock();
	return lives;
}

/**
 * devirt_vmm_replaceable - may another process take its place?
 * @vmm: the VMM
 * @pid: the other process
 *
 * Return: true if it is the same process or has ended.
 */
bool devirt_vmm_replaceable(struct devirt_vmm *vmm, struct pid *pid)
{
	return vmm->pid == pid || !devirt_process_lives(vmm->pid);
}

/**
 * devirt_vmm_is - is a process a partition's VMM?
 * @part: the partition
 * @pid: the process
 *
 * Any context.
 */
bool devirt_vmm_is(const struct devirt_partition *part, struct pid *pid)
{
	struct devirt_vmm *vmm;
	bool is;

	rcu_read_lock();
	vmm = devirt_vmm_find(pid);
	is = vmm && vmm->part == part;
	rcu_read_unlock();
	return is;
}

/**
 * devirt_vmm_is_any - is a process some partition's VMM?
 * @pid: the process
 *
 * Any context.
 */
bool devirt_vmm_is_any(struct pid *pid)
{
	bool is;

	rcu_read_lock();
	is = devirt_vmm_find(pid);
	rcu_read_unlock();
	return is;
}

/**
 * devirt_vmm_lives - has a partition a VMM that hasn't ended?
 * @part: the partition
 *
 * Any context.
 */
bool devirt_vmm_lives(const struct devirt_partition *part)
{
	struct devirt_vmm *vmm;
	bool lives = false;

	rcu_read_lock();
	list_for_each_entry_rcu(vmm, &vmms, node) {
		if (vmm->part == part && devirt_process_lives(vmm->pid))
			lives = true;
	}
	rcu_read_unlock();
	return lives;
}

/**
 * devirt_vmm_pid - its process id in the caller's PID namespace, 0 if it ended
 * @vmm: the VMM
 */
u32 devirt_vmm_pid(struct devirt_vmm *vmm)
{
	return pid_has_task(vmm->pid, PIDTYPE_TGID) ? pid_vnr(vmm->pid) : 0;
}

/**
 * devirt_vmm_thread - the thread that runs a record's vCPU
 * @vmm: the VMM
 * @index: of the record
 *
 * Return: its id in the caller's PID namespace, 0 if there is none or it ended.
 */
u32 devirt_vmm_thread(struct devirt_vmm *vmm, u32 index)
{
	u32 i, nr = 0;

	rcu_read_lock();
	for (i = 0; i < vmm->count; i++) {
		struct pid *thread = rcu_dereference(vmm->slots[i].thread);

		if (vmm->slots[i].index == index && thread &&
		    pid_has_task(thread, PIDTYPE_PID))
			nr = pid_vnr(thread);
	}
	rcu_read_unlock();
	return nr;
}

static void devirt_thread_work_read(const struct task_struct *task,
				    struct devirt_thread_work *work)
{
	work->run_ns = READ_ONCE(task->se.sum_exec_runtime);
#ifdef CONFIG_SCHED_INFO
	work->wait_ns = READ_ONCE(task->sched_info.run_delay);
#endif
	work->preempted = READ_ONCE(task->nivcsw);
	work->migrations = READ_ONCE(task->se.nr_migrations);
}

static void devirt_slot_stats(struct devirt_slot *slot, struct devirt_cpu_stats *stats)
{
	struct devirt_thread_work work = {};
	struct task_struct *task;
	struct pid *thread;

	lockdep_assert_held(&vmms_lock);
	thread = rcu_dereference_protected(slot->thread, lockdep_is_held(&vmms_lock));
	task = thread ? get_pid_task(thread, PIDTYPE_PID) : NULL;
	if (!task)
		return;
	devirt_thread_work_read(task, &work);
	put_task_struct(task);
	stats->thread = pid_vnr(thread);
	stats->run_ns = work.run_ns - slot->base.run_ns;
	stats->wait_ns = work.wait_ns - slot->base.wait_ns;
	stats->preempted = work.preempted - slot->base.preempted;
	stats->migrations = work.migrations - slot->base.migrations;
}

/**
 * struct devirt_exits - where the vCPUs' exits go
 * @stats: the entries
 * @count: how many
 */
struct devirt_exits {
	struct devirt_cpu_stats *stats;
	u32 count;
};

static void devirt_vcpu_exits(struct kvm_vcpu *vcpu, void *arg)
{
	struct devirt_exits *exits = arg;
	u32 i;

	for (i = 0; i < exits->count; i++) {
		if (exits->stats[i].role == DEVIRT_ROLE_VCPU &&
		    exits->stats[i].vcpu == vcpu->vcpu_id)
			exits->stats[i].exits = vcpu->stat.exits;
	}
}

/**
 * devirt_vmm_stats - what its vCPUs have done
 * @vmm: the VMM
 * @stats: entries whose .record, .role and .vcpu are set
 * @count: how many
 *
 * May sleep.
 */
void devirt_vmm_stats(struct devirt_vmm *vmm, struct devirt_cpu_stats *stats, u32 count)
{
	struct devirt_exits exits = { .stats = stats, .count = count };
	u32 i, n;

	mutex_lock(&vmms_lock);
	for (i = 0; i < vmm->count; i++) {
		for (n = 0; n < count; n++) {
			if (stats[n].record == vmm->slots[i].index)
				devirt_slot_stats(&vmm->slots[i], &stats[n]);
		}
	}
	mutex_unlock(&vmms_lock);
	devirt_kvm_vcpus(vmm->pid, devirt_vcpu_exits, &exits);
}

/* In the vCPU's thread, just before it enters the guest. */
static void devirt_slot_pin(struct callback_head *work)
{
	struct devirt_slot *slot = container_of(work, struct devirt_slot, work);
	struct devirt_vmm *vmm = slot->vmm;
	struct pid *old = NULL;
	int err;

	err = devirt_task_pin(&slot->spare, slot->cpu, vmm->emulator, &vmm->stopped);
	mutex_lock(&vmms_lock);
	if (!err) {
		old = rcu_dereference_protected(slot->thread, lockdep_is_held(&vmms_lock));
		rcu_assign_pointer(slot->thread, get_pid(task_pid(current)));
		devirt_thread_work_read(current, &slot->base);
		devirt_slot_arrived(slot);
	}
	mutex_unlock(&vmms_lock);
	put_pid(old);
	atomic_set_release(&slot->queued, 0);

	if (!err)
		devirt_event(vmm->part, DEVIRT_EVENT_PINNED, .record = &slot->index,
			     .pid = task_pid_nr(current), .cpu = &slot->cpu,
			     .value = slot->vcpu);
	else if (err != -ESHUTDOWN)
		devirt_event(vmm->part, DEVIRT_EVENT_DRIFT, .record = &slot->index,
			     .pid = task_pid_nr(current), .cpu = &slot->cpu,
			     .detail = "vCPU can't be pinned");
	devirt_vmm_put(vmm);
}

/* In the task that made the vCPU, before it can be run. */
static void devirt_slot_made(struct callback_head *work)
{
	struct devirt_slot *slot = container_of(work, struct devirt_slot, made);
	struct devirt_vmm *vmm = slot->vmm;
	int err;

	atomic_set_release(&slot->making, 0);
	mutex_lock(&vmms_lock);
	err = devirt_slot_await(slot);
	mutex_unlock(&vmms_lock);
	if (err)
		devirt_event(vmm->part, DEVIRT_EVENT_DRIFT, .record = &slot->index,
			     .cpu = &slot->cpu, .detail = "vCPU can't be pinned");
	devirt_vmm_put(vmm);
}

/* Leave a piece of task work for a slot, unless it is on its way already. */
static void devirt_slot_queue(struct devirt_slot *slot, struct callback_head *work,
			      atomic_t *queued, task_work_func_t fn)
{
	if (atomic_xchg_acquire(queued, 1))
		return;
	/* The partition let go of it a moment ago. */
	if (!kref_get_unless_zero(&slot->vmm->ref)) {
		atomic_set(queued, 0);
		return;
	}
	init_task_work(work, fn);
	if (task_work_add(current, work, TWA_RESUME)) {
		/* It is exiting. */
		atomic_set(queued, 0);
		devirt_vmm_put(slot->vmm);
	}
}

/**
 * devirt_vcpu_entering - the current thread is about to run a vCPU
 * @vcpu: KVM's number of it
 *
 * Called from the probe: any context in which @current is the vCPU's thread,
 * preemption off. Takes no lock.
 */
void devirt_vcpu_entering(u32 vcpu)
{
	struct devirt_vmm *vmm;
	struct devirt_slot *slot;
	u32 i;

	rcu_read_lock();
	vmm = devirt_vmm_find(task_tgid(current));
	if (!vmm || READ_ONCE(vmm->stopped))
		goto out;
	for (i = 0; i < vmm->count; i++) {
		slot = &vmm->slots[i];
		if (slot->vcpu == vcpu && rcu_access_pointer(slot->thread) != task_pid(current))
			devirt_slot_queue(slot, &slot->work, &slot->queued, devirt_slot_pin);
	}
out:
	rcu_read_unlock();
}

/**
 * devirt_vcpu_created - the current task makes a vCPU
 * @vcpu: KVM's number of it
 *
 * Called from the probe, as devirt_vcpu_entering().
 */
void devirt_vcpu_created(u32 vcpu)
{
	struct devirt_vmm *vmm;
	struct devirt_slot *slot;
	u32 i;

	rcu_read_lock();
	vmm = devirt_vmm_find(task_tgid(current));
	for (i = 0; vmm && i < vmm->count; i++) {
		slot = &vmm->slots[i];
		if (slot->vcpu == vcpu)
			devirt_slot_queue(slot, &slot->made, &slot->making, devirt_slot_made);
	}
	rcu_read_unlock();
}

/**
 * devirt_vcpu_remasked - somebody took a task from its home, and it is back
 * @task: the task; an event is posted if it is a vCPU's thread
 *
 * May sleep.
 */
void devirt_vcpu_remasked(struct task_struct *task)
{
	struct devirt_slot *slot = NULL;
	struct devirt_vmm *vmm;
	u32 i;

	rcu_read_lock();
	vmm = devirt_vmm_find(task_tgid(task));
	for (i = 0; vmm && i < vmm->count; i++) {
		if (rcu_access_pointer(vmm->slots[i].thread) == task_pid(task))
			slot = &vmm->slots[i];
	}
	/* The partition may be letting go of it. */
	if (slot && !kref_get_unless_zero(&vmm->ref))
		slot = NULL;
	rcu_read_unlock();
	if (!slot)
		return;
	devirt_event(vmm->part, DEVIRT_EVENT_DRIFT, .record = &slot->index,
		     .pid = task_pid_nr(task), .cpu = &slot->cpu,
		     .detail = "vCPU re-masked");
	devirt_vmm_put(vmm);
}

/* Does it still run, and its process with it? */
static bool devirt_pid_lives(struct pid *pid)
{
	struct task_struct *task;
	bool lives;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_PID);
	lives = task && !(READ_ONCE(task->flags) & PF_EXITING) &&
		!(READ_ONCE(task->signal->flags) & SIGNAL_GROUP_EXIT);
	rcu_read_unlock();
	return lives;
}

static void devirt_slot_abandoned(struct devirt_slot *slot)
{
	struct pid *thread;

	lockdep_assert_held(&vmms_lock);
	thread = rcu_dereference_protected(slot->thread, lockdep_is_held(&vmms_lock));
	if (!thread || devirt_pid_lives(thread))
		return;
	rcu_assign_pointer(slot->thread, NULL);
	put_pid(thread);
	if (devirt_slot_await(slot))
		devirt_event(slot->vmm->part, DEVIRT_EVENT_DRIFT, .record = &slot->index,
			     .cpu = &slot->cpu, .detail = "vCPU can't be pinned again");
}

static void devirt_vcpu_reap(struct work_struct *work)
{
	struct devirt_vmm *vmm;
	u32 i;

	mutex_lock(&vmms_lock);
	list_for_each_entry(vmm, &vmms, node) {
		bool lives = devirt_pid_lives(vmm->pid);

		for (i = 0; i < vmm->count; i++) {
			if (lives)
				devirt_slot_abandoned(&vmm->slots[i]);
			else
				devirt_slot_arrived(&vmm->slots[i]);
		}
	}
	mutex_unlock(&vmms_lock);
}
static DECLARE_WORK(vcpu_reap_work, devirt_vcpu_reap);

/**
 * devirt_vcpu_thread_ended - a task ends
 * @task: the task, perhaps a VMM's thread
 *
 * A vCPU that it ran waits for another thread. Any context.
 */
void devirt_vcpu_thread_ended(struct task_struct *task)
{
	rcu_read_lock();
	if (devirt_vmm_find(task_tgid(task)))
		queue_work(devirt_wq, &vcpu_reap_work);
	rcu_read_unlock();
}
