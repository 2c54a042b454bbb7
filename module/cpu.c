// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kind cpu: a logical CPU, taken from the host.
 *
 * Moving the host's tasks takes a look at every one of them, so all CPUs of a
 * description are taken at once, by the first of its CPU records, and given
 * back with it. The others are only there.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/topology.h>

#include "arrival.h"
#include "compat/compat.h"
#include "cpu.h"
#include "guard.h"
#include "hostirq.h"
#include "partition.h"
#include "power.h"
#include "resource.h"
#include "stats.h"
#include "task.h"

struct devirt_cpu {
	struct devirt_resource res;
	cpumask_var_t mine;	/* of the first record: the CPUs of all */
	struct devirt_core_base *base;
	struct devirt_power power;
};

/*
 * Which CPUs are leased, one change at a time. Outside of task.c's lock. The
 * hotplug callback only reads the mask: the lock may be held by somebody who
 * waits for hotplug to end.
 */
static DEFINE_MUTEX(leased_lock);
static cpumask_var_t leased;
static cpumask_var_t leased_scratch;	/* under leased_lock */
static enum cpuhp_state leased_hotplug, leased_gone;

static struct devirt_cpu *to_devirt_cpu(struct devirt_resource *res)
{
	return container_of(res, struct devirt_cpu, res);
}

static struct devirt_resource *devirt_cpu_first(struct devirt_resource *res)
{
	u32 i;

	for (i = 0; i < res->set->count; i++) {
		if (res->set->res[i]->ops == res->ops)
			return res->set->res[i];
	}
	return res;
}

static int devirt_cpu_check(struct devirt_resource *res)
{
	struct devirt_record_cpu *rec = &res->rec.cpu;
	struct devirt_cpu *cpu = to_devirt_cpu(res);
	struct devirt_record_cpu *other;
	u32 i;
	int err;

	if (res->rec.flags & ~DEVIRT_RECORD_SHARE_CORE)
		return devirt_refuse(res, DEVIRT_REASON_UNSUPPORTED, -EOPNOTSUPP, "flags");
	if (devirt_record_unused(&res->rec, sizeof(*rec)))
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "raw");
	if (rec->role > DEVIRT_ROLE_EMULATOR)
		return devirt_refuse(res, DEVIRT_REASON_UNSUPPORTED, -EOPNOTSUPP, "cpu.role");
	if (rec->role != DEVIRT_ROLE_VCPU && rec->vcpu)
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "cpu.vcpu");
	if (rec->cpu >= nr_cpu_ids || !cpu_possible(rec->cpu))
		return devirt_refuse(res, DEVIRT_REASON_NO_CPU, -ENODEV, "%u", rec->cpu);
	if (!cpu_online(rec->cpu))
		return devirt_refuse(res, DEVIRT_REASON_CPU_OFFLINE, -ENODEV, "%u", rec->cpu);
	err = devirt_power_check(res);
	if (err)
		return err;
	for (i = 0; i < res->index && rec->role == DEVIRT_ROLE_VCPU; i++) {
		other = &res->set->res[i]->rec.cpu;
		if (res->set->res[i]->ops == res->ops && other->role == rec->role &&
		    other->vcpu == rec->vcpu)
			return devirt_refuse(res, DEVIRT_REASON_VCPU_TWICE, -EEXIST, "%u",
					     other->cpu);
	}
	rec->thread = 0;
	err = devirt_claim(res, DEVIRT_CLAIM_CPU, rec->cpu);
	if (err)
		return err;
	if (!zalloc_cpumask_var(&cpu->mine, GFP_KERNEL))
		return -ENOMEM;
	cpu->base = devirt_core_base_alloc();
	if (!cpu->base) {
		free_cpumask_var(cpu->mine);
		return -ENOMEM;
	}
	res->rec.node = cpu_to_node(rec->cpu);
	return 0;
}

static void devirt_cpu_drop(struct devirt_resource *res)
{
	struct devirt_cpu *cpu = to_devirt_cpu(res);

	devirt_core_base_free(cpu->base);
	free_cpumask_var(cpu->mine);
}

/* With the host's CPUs that would be left; @mask is scratch. */
static int devirt_cpu_last(struct devirt_resource *res, const struct cpumask *mine,
			   struct cpumask *mask)
{
	lockdep_assert_held(&leased_lock);
	cpumask_andnot(mask, cpu_online_mask, leased);
	cpumask_andnot(mask, mask, mine);
	if (!cpumask_empty(mask))
		return 0;
	return devirt_refuse(res, DEVIRT_REASON_LAST_CPU, -EBUSY, "%u", res->rec.cpu.cpu);
}

static int devirt_cpu_veto(struct devirt_resource *res)
{
	struct devirt_record_cpu *rec = &res->rec.cpu;
	struct devirt_resource *first = devirt_cpu_first(res);
	struct cpumask *mine = to_devirt_cpu(first)->mine;
	unsigned int sibling;
	int err;

	for_each_cpu(sibling, topology_sibling_cpumask(rec->cpu)) {
		size_t len = strlen(res->rec.detail);

		if (res->rec.flags & DEVIRT_RECORD_SHARE_CORE ||
		    devirt_claim_mine(res, DEVIRT_CLAIM_CPU, sibling))
			continue;
		scnprintf(res->rec.detail + len, sizeof(res->rec.detail) - len, "%s%u",
			  len ? " " : "", sibling);
	}
	if (res->rec.detail[0]) {
		res->rec.reason = DEVIRT_REASON_SIBLING;
		res->rec.error = -EBUSY;
		return -EBUSY;
	}
	cpumask_set_cpu(rec->cpu, mine);
	mutex_lock(&leased_lock);
	err = devirt_cpu_last(res, mine, leased_scratch);
	mutex_unlock(&leased_lock);
	return err;
}

/* Under leased_lock: move the host's things for the mask of leased CPUs. */
static int devirt_cpu_update(void)
{
	int err = devirt_task_update(leased);

	return err ?: devirt_hostirq_update(leased);
}

/**
 * devirt_cpu_settle - drivers may have asked for interrupts
 *
 * A driver that binds, or makes VFs, gets new interrupts, which may be anywhere.
 * Call it after either: those that can be moved leave the leased CPUs. May
 * sleep; none of the CPUs' locks may be held.
 */
void devirt_cpu_settle(void)
{
	int err;

	mutex_lock(&leased_lock);
	err = devirt_hostirq_update(leased);
	mutex_unlock(&leased_lock);
	if (err)
		pr_warn("new interrupts stay on leased CPUs: %pe\n", ERR_PTR(err));
}

/* Before the first lease, and for each: see what comes. Under leased_lock. */
static int devirt_cpu_watch(const struct cpumask *mine)
{
	int err;

	if (cpumask_empty(leased)) {
		err = devirt_arrival_begin();
		if (err)
			return err;
	}
	err = devirt_guard_prepare(mine);
	if (err && cpumask_empty(leased))
		devirt_arrival_end();
	return err;
}

/* Under leased_lock. */
static void devirt_cpu_unwatch(void)
{
	if (!cpumask_empty(leased))
		return;
	devirt_guard_finish();
	devirt_arrival_end();
}

/* What could leave has left: whatever runs there now is counted. */
static void devirt_cpu_guard(struct devirt_set *set)
{
	struct devirt_resource *res;
	u32 i;

	for (i = 0; i < set->count; i++) {
		res = set->res[i];
		if (res->ops == &devirt_cpu_ops)
			devirt_guard_start(res->rec.cpu.cpu, res->part, i);
	}
}

/* All CPUs of a description, by the first. */
static int devirt_cpu_lease(struct devirt_resource *res)
{
	struct cpumask *mine = to_devirt_cpu(res)->mine;
	int err;

	mutex_lock(&leased_lock);
	err = devirt_cpu_last(res, mine, leased_scratch);
	if (err)
		goto out;
	err = devirt_cpu_watch(mine);
	if (err)
		goto out;

	/* From here on they can't be unplugged: devirt_cpu_offline(). */
	cpus_read_lock();
	cpumask_andnot(leased_scratch, mine, cpu_online_mask);
	if (cpumask_empty(leased_scratch))
		cpumask_or(leased, leased, mine);
	else
		err = devirt_refuse(res, DEVIRT_REASON_CPU_OFFLINE, -ENODEV, "%*pbl",
				    cpumask_pr_args(leased_scratch));
	cpus_read_unlock();
	if (err)
		goto out_unwatch;

	err = devirt_cpu_update();
	if (err) {
		cpumask_andnot(leased, leased, mine);
		devirt_cpu_update();
		goto out_unwatch;
	}
	devirt_cpu_guard(res->set);
	goto out;

out_unwatch:
	devirt_cpu_unwatch();
out:
	mutex_unlock(&leased_lock);
	return err;
}

static void devirt_cpu_unlease(struct devirt_resource *res)
{
	struct cpumask *mine = to_devirt_cpu(res)->mine;
	unsigned int cpu;

	mutex_lock(&leased_lock);
	for_each_cpu(cpu, mine)
		devirt_guard_stop(cpu);
	cpumask_andnot(leased, leased, mine);
	devirt_cpu_update();
	devirt_cpu_unwatch();
	mutex_unlock(&leased_lock);
}

static int devirt_cpu_acquire(struct devirt_resource *res)
{
	struct devirt_cpu *cpu = to_devirt_cpu(res);
	int err;

	err = devirt_power_acquire(&cpu->power, res);
	if (err)
		return err;
	if (res == devirt_cpu_first(res))
		err = devirt_cpu_lease(res);
	if (err)
		devirt_power_release(&cpu->power);
	else
		/* It was taken with the first, so what it counts begins here. */
		devirt_core_base_take(cpu->base, res->rec.cpu.cpu);
	return err;
}

static int devirt_cpu_release(struct devirt_resource *res)
{
	if (res == devirt_cpu_first(res))
		devirt_cpu_unlease(res);
	devirt_power_release(&to_devirt_cpu(res)->power);
	return 0;
}

/**
 * devirt_cpu_base - counts of a leased CPU when it was taken
 * @res: a resource of any kind
 *
 * Return: NULL if it isn't a CPU, or isn't held.
 */
const struct devirt_core_base *devirt_cpu_base(struct devirt_resource *res)
{
	return res->ops == &devirt_cpu_ops && res->acquired ? to_devirt_cpu(res)->base : NULL;
}

static void devirt_cpu_output(struct devirt_resource *res, struct devirt_record *rec)
{
	if (rec->cpu.role == DEVIRT_ROLE_VCPU && res->part->vmm)
		rec->cpu.thread = devirt_vmm_thread(res->part->vmm, res->index);
}

static int devirt_cpu_describe(struct devirt_resource *res, char *buf, size_t size)
{
	struct devirt_record_cpu *rec = &res->rec.cpu;

	switch (rec->role) {
	case DEVIRT_ROLE_VCPU:
		return scnprintf(buf, size, "%u vcpu %u", rec->cpu, rec->vcpu);
	case DEVIRT_ROLE_EMULATOR:
		return scnprintf(buf, size, "%u emulator", rec->cpu);
	default:
		return scnprintf(buf, size, "%u idle", rec->cpu);
	}
}

const struct devirt_resource_ops devirt_cpu_ops = {
	.kind = DEVIRT_KIND_CPU,
	.name = "cpu",
	.size = sizeof(struct devirt_cpu),
	.check = devirt_cpu_check,
	.veto = devirt_cpu_veto,
	.acquire = devirt_cpu_acquire,
	.release = devirt_cpu_release,
	.drop = devirt_cpu_drop,
	.output = devirt_cpu_output,
	.describe = devirt_cpu_describe,
};

/* A leased CPU stays: the guest's vCPU would land on the host's. */
static int devirt_cpu_offline(unsigned int cpu)
{
	if (!cpumask_test_cpu(cpu, leased))
		return 0;
	pr_warn("CPU %u is leased to a partition and can't go offline\n", cpu);
	return -EBUSY;
}

/* Another has come, or is gone, and the kernel moved who had only that one. */
static int devirt_cpu_changed(unsigned int cpu)
{
	if (!cpumask_empty(leased))
		devirt_arrival_all(1);
	return 0;
}

int devirt_cpu_init(void)
{
	int ret;

	if (!zalloc_cpumask_var(&leased, GFP_KERNEL))
		return -ENOMEM;
	if (!zalloc_cpumask_var(&leased_scratch, GFP_KERNEL)) {
		ret = -ENOMEM;
		goto err_leased;
	}
	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "devirt:leased",
					devirt_cpu_changed, devirt_cpu_offline);
	if (ret < 0)
		goto err_scratch;
	leased_hotplug = ret;
	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "devirt:gone", NULL,
					devirt_cpu_changed);
	if (ret < 0)
		goto err_hotplug;
	leased_gone = ret;
	return 0;

err_hotplug:
	cpuhp_remove_state_nocalls(leased_hotplug);
err_scratch:
	free_cpumask_var(leased_scratch);
err_leased:
	free_cpumask_var(leased);
	return ret;
}

void devirt_cpu_exit(void)
{
	cpuhp_remove_state_nocalls(leased_gone);
	cpuhp_remove_state_nocalls(leased_hotplug);
	devirt_hostirq_exit();
	free_cpumask_var(leased_scratch);
	free_cpumask_var(leased);
}
