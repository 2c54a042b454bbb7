// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics of leased CPUs: what their threads have done, and what else ran.
 *
 * All of it is counted by somebody anyway: the scheduler, KVM, the interrupt
 * core; and guard.c, which counts tasks. We only remember where an interrupt's
 * count was when the CPU was leased, and read when we are asked.
 */
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "cpu.h"
#include "guard.h"
#include "hostirq.h"
#include "irq.h"
#include "partition.h"
#include "stats.h"
#include "vcpu.h"

/**
 * struct devirt_core_base - counts of a CPU when it was leased
 * @arch: of the kernel's own interrupts
 * @count: how many there are in @irqs
 * @irqs: by number
 */
struct devirt_core_base {
	u32 arch[DEVIRT_ARCH_IRQS];
	unsigned int count;
	u32 irqs[] __counted_by(count);
};

/**
 * devirt_core_base_alloc - room for the counts of a CPU
 *
 * May sleep. Return: NULL if there is no memory.
 */
struct devirt_core_base *devirt_core_base_alloc(void)
{
	unsigned int count = devirt_nr_irqs();
	struct devirt_core_base *base;

	base = kvzalloc(struct_size(base, irqs, count), GFP_KERNEL);
	if (base)
		base->count = count;
	return base;
}

/**
 * devirt_core_base_free - undo devirt_core_base_alloc()
 * @base: the room or NULL
 */
void devirt_core_base_free(struct devirt_core_base *base)
{
	kvfree(base);
}

/* How often @irq was handled on @cpu; zero if there is no such interrupt. */
static u32 devirt_irq_handled(unsigned int irq, unsigned int cpu)
{
	struct irq_data *data;
	u32 count = 0;

	rcu_read_lock();
	data = irq_get_irq_data(irq);
	if (data)
		count = irq_desc_kstat_cpu(irq_data_to_desc(data), cpu);
	rcu_read_unlock();
	return count;
}

/**
 * devirt_core_base_take - what is counted for a CPU begins now
 * @base: room for the counts
 * @cpu: the CPU
 */
void devirt_core_base_take(struct devirt_core_base *base, unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < DEVIRT_ARCH_IRQS; i++)
		base->arch[i] = devirt_arch_irqs(cpu, i);
	for (i = 0; i < base->count; i++)
		base->irqs[i] = devirt_irq_handled(i, cpu);
}

/* The name that its handler has; false if it has none. Under RCU. */
static bool devirt_irq_name(struct irq_desc *desc, char *name, size_t size)
{
	unsigned long flags;
	bool named;

	raw_spin_lock_irqsave(&desc->lock, flags);
	named = desc->action && desc->action->name;
	if (named)
		strscpy(name, desc->action->name, size);
	raw_spin_unlock_irqrestore(&desc->lock, flags);
	return named;
}

/* Appends an entry, or only counts it where there is no room. */
static void devirt_stats_add(struct devirt_stats_result *result, u32 room,
			     const struct devirt_intruder *intruder)
{
	if (result->intruder_count < room)
		result->intruders[result->intruder_count] = *intruder;
	result->intruder_count++;
}

static void devirt_stats_arch(struct devirt_stats_result *result, u32 room,
			      const struct devirt_core_base *base, unsigned int cpu)
{
	static const char *const names[DEVIRT_ARCH_IRQS] = {
		[DEVIRT_ARCH_IRQ_TIMER] = "local timer",
		[DEVIRT_ARCH_IRQ_RESCHEDULE] = "reschedule",
		[DEVIRT_ARCH_IRQ_CALL] = "function call",
		[DEVIRT_ARCH_IRQ_TLB] = "TLB shootdown",
	};
	unsigned int i;

	for (i = 0; i < DEVIRT_ARCH_IRQS; i++) {
		struct devirt_intruder intruder = {
			.cpu = cpu,
			.kind = i == DEVIRT_ARCH_IRQ_TIMER ? DEVIRT_INTRUDER_TICK :
							     DEVIRT_INTRUDER_MANAGED,
			/* The kernel's counters wrap at 32 bits, and so does this. */
			.count = devirt_arch_irqs(cpu, i) - base->arch[i],
		};

		strscpy(intruder.name, names[i], sizeof(intruder.name));
		if (intruder.count)
			devirt_stats_add(result, room, &intruder);
	}
}

/* One interrupt on all CPUs: to find it takes longer than to read its counts. */
static void devirt_stats_irq(struct devirt_stats_result *result, u32 room,
			     struct devirt_set *set, unsigned int irq)
{
	struct devirt_intruder intruder = { .pid = irq };
	const struct devirt_core_base *base;
	struct irq_data *data;
	u32 i, count, before;

	rcu_read_lock();
	data = irq_get_irq_data(irq);
	for (i = 0; data && i < set->count; i++) {
		base = devirt_cpu_base(set->res[i]);
		if (!base)
			continue;
		intruder.cpu = set->res[i]->rec.cpu.cpu;
		count = irq_desc_kstat_cpu(irq_data_to_desc(data), intruder.cpu);
		before = irq < base->count ? base->irqs[irq] : 0;
		/* Freed since, and another has its number: it began at zero. */
		intruder.count = count < before ? count : count - before;
		if (!intruder.count || devirt_irq_is_leased(irq))
			continue;
		if (!devirt_irq_name(irq_data_to_desc(data), intruder.name,
				     sizeof(intruder.name)))
			snprintf(intruder.name, sizeof(intruder.name), "irq %u", irq);
		intruder.kind = devirt_hostirq_movable(irq) ? DEVIRT_INTRUDER_IRQ :
							      DEVIRT_INTRUDER_MANAGED;
		devirt_stats_add(result, room, &intruder);
	}
	rcu_read_unlock();
}

static void devirt_stats_intruders(struct devirt_set *set, struct devirt_stats_result *result,
				   u32 room)
{
	struct devirt_intruder intruder;
	unsigned int cpu, irq;
	bool any = false;
	u32 i, n;

	result->intruder_count = 0;
	for (i = 0; i < set->count; i++) {
		const struct devirt_core_base *base = devirt_cpu_base(set->res[i]);

		if (!base)
			continue;
		any = true;
		cpu = set->res[i]->rec.cpu.cpu;
		for (n = 0; devirt_guard_intruder(cpu, n, &intruder); n++)
			devirt_stats_add(result, room, &intruder);
		devirt_stats_arch(result, room, base, cpu);
	}
	for (irq = 0; any && irq < devirt_nr_irqs(); irq++)
		devirt_stats_irq(result, room, set, irq);
}

/* Again when there were more than expected. The partition's lock is held. */
static int devirt_stats_fill_intruders(struct devirt_set *set,
				       struct devirt_stats_result *result)
{
	u32 room = 16 * (1 + result->cpu_count);

	for (;;) {
		result->intruders = kvcalloc(room, sizeof(*result->intruders), GFP_KERNEL);
		if (!result->intruders)
			return -ENOMEM;
		devirt_stats_intruders(set, result, room);
		if (result->intruder_count <= room)
			return 0;
		room = result->intruder_count + 8;
		kvfree(result->intruders);
	}
}

static int devirt_stats_fill_cpus(struct devirt_partition *part,
				  struct devirt_stats_result *result)
{
	struct devirt_set *set = part->set;
	struct devirt_cpu_stats *stats;
	u32 i;

	for (i = 0; i < set->count; i++)
		result->cpu_count += devirt_cpu_base(set->res[i]) != NULL;
	result->cpus = kvcalloc(result->cpu_count + 1, sizeof(*result->cpus), GFP_KERNEL);
	if (!result->cpus)
		return -ENOMEM;
	stats = result->cpus;
	for (i = 0; i < set->count; i++) {
		const struct devirt_record *rec = &set->res[i]->rec;

		if (!devirt_cpu_base(set->res[i]))
			continue;
		stats->record = i;
		stats->cpu = rec->cpu.cpu;
		stats->role = rec->cpu.role;
		stats->vcpu = rec->cpu.vcpu;
		stats->intrusions = devirt_guard_intrusions(rec->cpu.cpu);
		result->unnamed += devirt_guard_unnamed(rec->cpu.cpu);
		devirt_irq_count(part, rec->cpu.cpu, &stats->irqs_home, &stats->irqs_away);
		stats++;
	}
	if (part->vmm)
		devirt_vmm_stats(part->vmm, result->cpus, result->cpu_count);
	return 0;
}

/**
 * devirt_stats_take - the statistics of a partition
 * @part: the partition; the caller holds its lock, and it holds its resources
 * @result: filled in; devirt_stats_free() frees it, also after an error
 *
 * May sleep. Return: 0 or -ENOMEM.
 */
int devirt_stats_take(struct devirt_partition *part, struct devirt_stats_result *result)
{
	int err;

	lockdep_assert_held(&part->lock);
	err = devirt_stats_fill_cpus(part, result);
	return err ?: devirt_stats_fill_intruders(part->set, result);
}

/**
 * devirt_stats_free - free a result
 * @result: the result
 */
void devirt_stats_free(struct devirt_stats_result *result)
{
	kvfree(result->intruders);
	kvfree(result->cpus);
}
