// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs: which thread of which VMM runs where.
 *
 * When a thread of an attached process is about to enter a vCPU, hook.c's probe
 * calls devirt_vcpu_entering(). Nothing can sleep there, so it leaves a piece of
 * task work, which KVM runs before it enters the guest. That work pins the
 * thread. When every vCPU of every attached VMM has its thread, the probe is
 * taken out, and nothing of us is left on the way into a guest.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/task_work.h>

#include "compat/compat.h"
#include "hook.h"
#include "partition.h"
#include "task.h"
#include "vcpu.h"

/**
 * struct devirt_slot - a vCPU and its CPU
 * @vmm: whose
 * @index: of its record in the description
 * @vcpu: KVM's number
 * @cpu: where it runs
 * @thread: the thread that is pinned, or NULL; under vmms_lock, read by RCU
 * @work: pins the thread
 * @queued: @work is on its way
 * @spare: room for the thread's note, so that pinning needs no memory
 */
struct devirt_slot {
	struct devirt_vmm *vmm;
	u32 index;
	u32 vcpu;
	u32 cpu;
	struct pid __rcu *thread;
	struct callback_head work;
	atomic_t queued;
	struct devirt_task *spare;
};

/**
 * struct devirt_vmm - a process that runs a partition's vCPUs
 * @ref: one for the partition, one for each piece of work on its way
 * @node: in vmms
 * @part: the partition, with a reference
 * @pid: the process
 * @emulator: CPUs for its other threads; empty: the host's
 * @waiting: slots that have no thread yet
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
	vmm->waiting = count;
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
		err = devirt_hook_arm();
		if (err)
			goto err_unlock;
	}
	vmm->pid = get_pid(pid);
	vmm->part = part;
	kref_get(&part->ref);
	list_add_rcu(&vmm->node, &vmms);
	mutex_unlock(&vmms_lock);

	if (!cpumask_empty(vmm->emulator)) {
		err = devirt_task_confine(pid, vmm->emulator);
		if (err) {
			devirt_vmm_stop(vmm);
			return ERR_PTR(err);
		}
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
	/* Seen by devirt_task_pin() once task.c's lock was taken after this. */
	WRITE_ONCE(vmm->stopped, true);
	mutex_lock(&vmms_lock);
	list_del_rcu(&vmm->node);
	if (vmm->waiting)
		devirt_hook_disarm();
	vmm->waiting = 0;
	mutex_unlock(&vmms_lock);
	devirt_vmm_put(vmm);
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
	return vmm->pid == pid || !pid_has_task(vmm->pid, PIDTYPE_TGID);
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
		if (!old && vmm->waiting && !--vmm->waiting)
			devirt_hook_disarm();
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
		if (slot->vcpu != vcpu || rcu_access_pointer(slot->thread) == task_pid(current))
			continue;
		if (atomic_xchg_acquire(&slot->queued, 1))
			continue;
		/* The partition let go of it a moment ago. */
		if (!kref_get_unless_zero(&vmm->ref)) {
			atomic_set(&slot->queued, 0);
			continue;
		}
		init_task_work(&slot->work, devirt_slot_pin);
		if (task_work_add(current, &slot->work, TWA_RESUME)) {
			/* It is exiting. */
			atomic_set(&slot->queued, 0);
			devirt_vmm_put(vmm);
		}
	}
out:
	rcu_read_unlock();
}
