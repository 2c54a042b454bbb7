/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_IRQ_COUNT_H
#define _DEVIRT_IRQ_COUNT_H

#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct devirt_partition;
struct devirt_route;
struct pci_dev;

/* Of a vector: on no CPU of the partition. */
#define DEVIRT_HOME_NONE	(-1)
/**
 * struct devirt_home - a CPU that vectors belong on
 * @vcpu: the vCPU that runs there
 * @cpu: the CPU
 * @here: interrupts of its vectors that were handled on it
 * @away: and those that were handled elsewhere
 */
struct devirt_home {
	u32 vcpu;
	u32 cpu;
	u64 here;
	u64 away;
};

/**
 * struct devirt_vector - one of a device's interrupts
 * @irq: its number in the host; 0: there is none now
 * @home: index into the homes, or DEVIRT_HOME_NONE
 * @token: the VMM's eventfd for it, which KVM knows it by; only compared
 * @seen: how often it had been handled when it was counted last
 * @seen_here: and how often on its home
 * @now: the number that it has by now
 * @want: the home that it should have by now
 */
struct devirt_vector {
	unsigned int irq;
	int home;
	const void *token;
	unsigned int now;
	int want;
	u32 seen;
	u32 seen_here;
};

/**
 * struct devirt_irqs - the interrupts of one leased function
 * @entry: in all_irqs
 * @part: whose; the caller has a reference
 * @pdev: the function; the caller has a reference
 * @index: of its record
 * @policy: DEVIRT_IRQ_*
 * @lock: guards what follows; outside of hook.c's, and of all of VFIO's
 * @stopped: it is being given back, so nothing is placed any more
 * @watching: changes of KVM's routing are noticed
 * @type: VFIO_PCI_*_IRQ_INDEX that the tokens are for
 * @line: the legacy line that is placed, or 0
 * @placed: how many vectors are
 * @loose: what those that are placed had before
 * @routes: room to look for vCPUs, @max of them
 * @max: vectors that it can have
 * @count_lock: guards @changing, the vectors and the counts in @homes; any context
 * @changing: so many calls are under way that may free vectors
 * @vectors: @max of them; written with @lock held as well
 * @count: of homes
 * @homes: of vectors, in the order in which they take turns
 */
struct devirt_irqs {
	struct list_head entry;
	struct devirt_partition *part;
	struct pci_dev *pdev;
	u32 index;
	u32 policy;
	struct mutex lock;
	bool stopped;
	bool watching;
	u32 type;
	unsigned int line;
	unsigned int placed;
	cpumask_var_t loose;
	struct devirt_route *routes;
	u32 max;
	raw_spinlock_t count_lock;
	unsigned int changing;
	struct devirt_vector *vectors;
	u32 count;
	struct devirt_home homes[] __counted_by(count);
};

void devirt_irqs_uncount(struct devirt_irqs *irqs);
bool devirt_irq_handled(unsigned int irq, unsigned int cpu, u32 *total, u32 *here);
void devirt_vector_count(struct devirt_irqs *irqs, struct devirt_vector *vec);

#endif /* _DEVIRT_IRQ_COUNT_H */
