// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many interrupts of leased devices were handled where they belong, and how
 * many elsewhere.
 *
 * The kernel counts each interrupt by its number, and forgets that with the number.
 * So what has come is added up just before vectors may be freed, and whenever
 * somebody asks.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/minmax.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>

#include "compat/compat.h"
#include "irq.h"
#include "irq_count.h"

static LIST_HEAD(all_irqs);
static DEFINE_SPINLOCK(all_irqs_lock);

/**
 * devirt_irqs_add - from now on they are counted
 * @irqs: the interrupts
 */
void devirt_irqs_add(struct devirt_irqs *irqs)
{
	spin_lock(&all_irqs_lock);
	list_add_tail_rcu(&irqs->entry, &all_irqs);
	spin_unlock(&all_irqs_lock);
}

/**
 * devirt_irqs_uncount - undo devirt_irqs_add()
 * @irqs: the interrupts
 */
void devirt_irqs_uncount(struct devirt_irqs *irqs)
{
	spin_lock(&all_irqs_lock);
	list_del_rcu(&irqs->entry);
	spin_unlock(&all_irqs_lock);
}

/**
 * devirt_irq_handled - how often was an interrupt handled?
 * @irq: its number
 * @cpu: a CPU
 * @total: set to how often on all CPUs
 * @here: set to how often on that one
 *
 * Any context. Return: false if there is no such interrupt.
 */
bool devirt_irq_handled(unsigned int irq, unsigned int cpu, u32 *total, u32 *here)
{
	struct irq_data *data;

	rcu_read_lock();
	data = irq_get_irq_data(irq);
	if (data) {
		/* In this order: it is counted on the CPU first. */
		*total = READ_ONCE(irq_data_to_desc(data)->tot_count);
		*here = irq_desc_kstat_cpu(irq_data_to_desc(data), cpu);
	}
	rcu_read_unlock();
	return data;
}

/**
 * devirt_vector_count - add to its home's counts what came since the last time
 * @irqs: the interrupts, with the lock of the counts held
 * @vec: one of them
 */
void devirt_vector_count(struct devirt_irqs *irqs, struct devirt_vector *vec)
{
	struct devirt_home *home;
	u32 total, here, all, some;

	lockdep_assert_held(&irqs->count_lock);
	if (!vec->irq || vec->home == DEVIRT_HOME_NONE)
		return;
	home = &irqs->homes[vec->home];
	if (!devirt_irq_handled(vec->irq, home->cpu, &total, &here))
		return;
	all = total - vec->seen;
	/* One that came between the two looks is for the next time. */
	some = min(here - vec->seen_here, all);
	home->here += some;
	home->away += all - some;
	vec->seen = total;
	vec->seen_here += some;
}

static void devirt_irqs_count_all(struct devirt_irqs *irqs)
{
	u32 i;

	for (i = 0; i < irqs->max; i++)
		devirt_vector_count(irqs, &irqs->vectors[i]);
}

/**
 * devirt_irqs_changing - vectors may be freed now
 * @irqs: the interrupts
 *
 * They are counted as long as they have their numbers, and not again before
 * devirt_irqs_changed(). Any context.
 */
void devirt_irqs_changing(struct devirt_irqs *irqs)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&irqs->count_lock, flags);
	if (!irqs->changing++)
		devirt_irqs_count_all(irqs);
	raw_spin_unlock_irqrestore(&irqs->count_lock, flags);
}

/**
 * devirt_irqs_changed - it is known which vectors there are
 * @irqs: the interrupts
 * @changes: so many calls of devirt_irqs_changing() are over
 *
 * Any context.
 */
void devirt_irqs_changed(struct devirt_irqs *irqs, unsigned int changes)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&irqs->count_lock, flags);
	irqs->changing -= changes;
	raw_spin_unlock_irqrestore(&irqs->count_lock, flags);
}

/**
 * devirt_irq_count - how many interrupts belonged on a CPU
 * @part: the partition whose devices they are of
 * @cpu: the CPU
 * @home: those that were handled on it
 * @away: those that were handled elsewhere
 *
 * All since they were leased, also of vectors that are gone. Any context.
 */
void devirt_irq_count(struct devirt_partition *part, unsigned int cpu, u64 *home, u64 *away)
{
	struct devirt_irqs *irqs;
	unsigned long flags;
	u32 i;

	*home = 0;
	*away = 0;
	rcu_read_lock();
	list_for_each_entry_rcu(irqs, &all_irqs, entry) {
		if (irqs->part != part)
			continue;
		raw_spin_lock_irqsave(&irqs->count_lock, flags);
		if (!irqs->changing)
			devirt_irqs_count_all(irqs);
		for (i = 0; i < irqs->count; i++) {
			if (irqs->homes[i].cpu != cpu)
				continue;
			*home += irqs->homes[i].here;
			*away += irqs->homes[i].away;
		}
		raw_spin_unlock_irqrestore(&irqs->count_lock, flags);
	}
	rcu_read_unlock();
}
