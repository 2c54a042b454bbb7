// SPDX-License-Identifier: GPL-2.0-only
/*
 * A leased device's interrupts: where each of its vectors is handled. How many were
 * is irq_count.c's.
 *
 * A VMM gets and frees vectors by VFIO_DEVICE_SET_IRQS, and again whenever the
 * guest reloads its driver. user.c sees each such call, and when it is done, all
 * vectors that there are now are put where they belong. A vector that is placed
 * is exempt from balancing, so that nobody else moves it: neither irqbalance nor
 * hostirq.c, nor a write to /proc/irq.
 *
 * A message's interrupt number is gone when VFIO frees it, and with it all that
 * was set. But the line of a legacy interrupt is the host's: it gets back what
 * it had as soon as VFIO leaves it.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vfio_pci_core.h>
#include <linux/xarray.h>

#include "compat/compat.h"
#include "cpu.h"
#include "function.h"
#include "hook.h"
#include "hostirq.h"
#include "irq.h"
#include "irq_count.h"
#include "kvm.h"
#include "partition.h"
#include "resource.h"

/* The most that a device without MSI-X can have. */
#define DEVIRT_MSI_MAX		32

/* Numbers of leased devices' interrupts; the entry is the struct devirt_irqs. */
static DEFINE_XARRAY(leased_irqs);

/* -------------------------------------------------------------- description */

/**
 * devirt_irq_check - is this where a description's interrupts may be?
 * @res: the resource, whose refusal is noted
 * @irq: what its record says
 *
 * May sleep. Return: 0; -EINVAL, -EOPNOTSUPP.
 */
int devirt_irq_check(struct devirt_resource *res, const struct devirt_irq *irq)
{
	u32 i;

	if (irq->policy > DEVIRT_IRQ_FIXED)
		return devirt_refuse(res, DEVIRT_REASON_UNSUPPORTED, -EOPNOTSUPP, "irq.policy");
	if (irq->policy != DEVIRT_IRQ_FIXED) {
		if (irq->cpu)
			return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "irq.cpu");
		return 0;
	}
	for (i = 0; i < res->set->count; i++) {
		const struct devirt_record *rec = &res->set->res[i]->rec;

		if (rec->kind == DEVIRT_KIND_CPU && rec->cpu.cpu == irq->cpu)
			return 0;
	}
	return devirt_refuse(res, DEVIRT_REASON_IRQ_CPU, -EINVAL, "%u", irq->cpu);
}

static bool devirt_is_home(const struct devirt_record *rec, const struct devirt_irq *irq)
{
	if (rec->kind != DEVIRT_KIND_CPU)
		return false;
	switch (irq->policy) {
	case DEVIRT_IRQ_FOLLOW:
		return rec->cpu.role == DEVIRT_ROLE_VCPU;
	case DEVIRT_IRQ_FIXED:
		return rec->cpu.cpu == irq->cpu;
	default:
		return false;
	}
}

/**
 * devirt_irqs_create - get ready for a function's interrupts
 * @res: its resource; all of its description is checked
 * @pdev: the function; the caller keeps references to it and to the partition
 * @irq: where they belong
 *
 * All memory that is needed later is taken here. May sleep. Return: to be given
 * to devirt_irqs_free(); NULL if there is no memory.
 */
struct devirt_irqs *devirt_irqs_create(struct devirt_resource *res, struct pci_dev *pdev,
				       const struct devirt_irq *irq)
{
	struct devirt_irqs *irqs;
	u32 i, count = 0, n = 0;

	for (i = 0; i < res->set->count; i++)
		count += devirt_is_home(&res->set->res[i]->rec, irq);
	irqs = kzalloc(struct_size(irqs, homes, count), GFP_KERNEL);
	if (!irqs)
		return NULL;
	irqs->count = count;
	irqs->part = res->part;
	irqs->pdev = pdev;
	irqs->index = res->index;
	irqs->policy = irq->policy;
	irqs->type = VFIO_PCI_NUM_IRQS;
	irqs->max = max(pci_msix_vec_count(pdev), DEVIRT_MSI_MAX);
	INIT_LIST_HEAD(&irqs->entry);
	mutex_init(&irqs->lock);
	raw_spin_lock_init(&irqs->count_lock);
	for (i = 0; i < res->set->count; i++) {
		const struct devirt_record *rec = &res->set->res[i]->rec;

		if (!devirt_is_home(rec, irq))
			continue;
		irqs->homes[n].vcpu = rec->cpu.vcpu;
		irqs->homes[n++].cpu = rec->cpu.cpu;
	}
	irqs->vectors = kvcalloc(irqs->max, sizeof(*irqs->vectors), GFP_KERNEL);
	if (!irqs->vectors)
		goto err_free;
	for (i = 0; i < irqs->max; i++)
		irqs->vectors[i].home = DEVIRT_HOME_NONE;
	irqs->routes = kvcalloc(irqs->max, sizeof(*irqs->routes), GFP_KERNEL);
	if (!irqs->routes)
		goto err_vectors;
	if (!zalloc_cpumask_var(&irqs->loose, GFP_KERNEL))
		goto err_routes;
	return irqs;

err_routes:
	kvfree(irqs->routes);
err_vectors:
	kvfree(irqs->vectors);
err_free:
	kfree(irqs);
	return NULL;
}

/**
 * devirt_irqs_free - undo devirt_irqs_create()
 * @irqs: the interrupts; a grace period after devirt_irqs_remove(), if they were
 *	ever added
 *
 * Any context.
 */
void devirt_irqs_free(struct devirt_irqs *irqs)
{
	if (!irqs)
		return;
	free_cpumask_var(irqs->loose);
	kvfree(irqs->routes);
	kvfree(irqs->vectors);
	kfree(irqs);
}

/**
 * devirt_irqs_remove - undo devirt_irqs_add()
 * @irqs: the interrupts
 */
void devirt_irqs_remove(struct devirt_irqs *irqs)
{
	u32 i;

	devirt_irqs_uncount(irqs);
	/* Numbers that somebody kept us from looking at. */
	for (i = 0; i < irqs->max; i++) {
		if (irqs->vectors[i].irq)
			xa_cmpxchg(&leased_irqs, irqs->vectors[i].irq, irqs, NULL, 0);
	}
}

/**
 * devirt_irq_is_leased - is it an interrupt of a leased device?
 * @irq: its number
 *
 * Any context.
 */
bool devirt_irq_is_leased(unsigned int irq)
{
	return xa_load(&leased_irqs, irq);
}

/* ------------------------------------------------------ what the VMM asks for */

/**
 * devirt_irqs_note - what a VMM has asked VFIO for
 * @irqs: the interrupts
 * @arg: its struct vfio_irq_set
 *
 * It may have changed since VFIO has read it, and be nonsense. All that it
 * decides is which of its own vCPUs the VMM's vectors follow.
 *
 * In the VMM's context; may sleep. Return: false if it was about no vectors.
 */
bool devirt_irqs_note(struct devirt_irqs *irqs, const void __user *arg)
{
	const size_t size = offsetofend(struct vfio_irq_set, count);
	struct eventfd_ctx *ctx;
	struct vfio_irq_set set;
	s32 *fds = NULL;
	u32 i;

	if (copy_from_user(&set, arg, size))
		return true;
	if (set.index > VFIO_PCI_MSIX_IRQ_INDEX ||
	    !(set.flags & VFIO_IRQ_SET_ACTION_TRIGGER))
		return false;
	/* Without a count it disables, with one it has them fired. */
	if (!(set.flags & VFIO_IRQ_SET_DATA_EVENTFD) && set.count)
		return false;
	if (irqs->policy != DEVIRT_IRQ_FOLLOW)
		return true;
	if (set.start > irqs->max || set.count > irqs->max - set.start)
		return true;
	/* Before the lock: this may wait for as long as the VMM likes. */
	if (set.count) {
		fds = vmemdup_user(arg + size, set.count * sizeof(*fds));
		if (IS_ERR(fds))
			fds = NULL;
	}
	mutex_lock(&irqs->lock);
	if (set.index != irqs->type || !set.count) {
		for (i = 0; i < irqs->max; i++)
			irqs->vectors[i].token = NULL;
	}
	irqs->type = set.index;
	for (i = 0; fds && i < set.count; i++) {
		ctx = fds[i] < 0 ? NULL : eventfd_ctx_fdget(fds[i]);
		if (IS_ERR(ctx))
			ctx = NULL;
		irqs->vectors[set.start + i].token = ctx;
		if (ctx)
			eventfd_ctx_put(ctx);
	}
	mutex_unlock(&irqs->lock);
	kvfree(fds);
	return true;
}

static int devirt_route_order(const void *a, const void *b)
{
	const struct devirt_route *left = a, *right = b;

	return left->token < right->token ? -1 : left->token > right->token;
}

/* Ask KVM which vCPUs its guest wants them at; the number of routes. */
static u32 devirt_irqs_ask(struct devirt_irqs *irqs, struct pid *vmm)
{
	u32 i, n = 0;

	lockdep_assert_held(&irqs->lock);
	for (i = 0; i < irqs->max && irqs->policy == DEVIRT_IRQ_FOLLOW; i++) {
		if (!irqs->vectors[i].token)
			continue;
		irqs->routes[n].token = irqs->vectors[i].token;
		irqs->routes[n].vector = i;
		irqs->routes[n++].vcpu = DEVIRT_ROUTE_UNKNOWN;
	}
	if (n && vmm) {
		sort(irqs->routes, n, sizeof(*irqs->routes), devirt_route_order, NULL);
		devirt_kvm_routes(vmm, irqs->routes, n);
	}
	return n;
}

static int devirt_irqs_home_of(const struct devirt_irqs *irqs, s64 vcpu)
{
	u32 i;

	for (i = 0; i < irqs->count && vcpu != DEVIRT_ROUTE_UNKNOWN; i++) {
		if (irqs->homes[i].vcpu == vcpu)
			return i;
	}
	return DEVIRT_HOME_NONE;
}

/* --------------------------------------------------------------- placing them */

/* Is it exempt from balancing, on just that CPU? Then nobody has moved it. */
static bool devirt_irq_is_at(unsigned int irq, unsigned int cpu)
{
	struct irq_data *data;
	bool at;

	rcu_read_lock();
	data = irq_get_irq_data(irq);
	at = data && cpumask_equal(devirt_irq_affinity(data), cpumask_of(cpu));
	rcu_read_unlock();
	return at && irq_check_status_bit(irq, IRQ_NO_BALANCING);
}

/* Does somebody else use the line? His interrupts don't belong on our CPU. */
static bool devirt_irq_is_shared(unsigned int irq)
{
	const struct irqaction *action;
	struct irq_data *data;
	bool shared;

	rcu_read_lock();
	data = irq_get_irq_data(irq);
	action = data ? READ_ONCE(irq_data_to_desc(data)->action) : NULL;
	shared = action && READ_ONCE(action->next);
	rcu_read_unlock();
	return shared;
}

/* What is placed on a CPU, and still there, goes where it would be without us. */
static void devirt_irq_loosen(struct devirt_irqs *irqs, unsigned int irq, int home)
{
	if (home == DEVIRT_HOME_NONE || !devirt_irq_is_at(irq, irqs->homes[home].cpu))
		return;
	irq_clear_status_flags(irq, IRQ_NO_BALANCING);
	if (devirt_hostirq_lend(irq, irqs->loose, NULL))
		pci_warn(irqs->pdev, "devirt: interrupt %u keeps its affinity\n", irq);
}

static int devirt_irq_fix(struct devirt_irqs *irqs, unsigned int irq, unsigned int cpu)
{
	int err;

	/* First, so that it isn't taken for the host's on a leased CPU. */
	irq_set_status_flags(irq, IRQ_NO_BALANCING);
	err = devirt_hostirq_lend(irq, cpumask_of(cpu), irqs->placed ? NULL : irqs->loose);
	if (err)
		irq_clear_status_flags(irq, IRQ_NO_BALANCING);
	return err;
}

/* VFIO has freed it, or uses the line no more. */
static void devirt_vector_forget(struct devirt_irqs *irqs, struct devirt_vector *vec)
{
	unsigned long flags;

	xa_cmpxchg(&leased_irqs, vec->irq, irqs, NULL, 0);
	raw_spin_lock_irqsave(&irqs->count_lock, flags);
	vec->irq = 0;
	vec->home = DEVIRT_HOME_NONE;
	raw_spin_unlock_irqrestore(&irqs->count_lock, flags);
}

/* It is on its home now, and counted from now on. */
static void devirt_vector_settle(struct devirt_irqs *irqs, struct devirt_vector *vec, int home)
{
	unsigned long flags;
	u32 total = 0, here = 0;

	raw_spin_lock_irqsave(&irqs->count_lock, flags);
	devirt_vector_count(irqs, vec);
	/* A line was the host's before, but a message's number is a new one. */
	if (home != DEVIRT_HOME_NONE && (vec->irq == vec->now || vec->now == irqs->line))
		devirt_irq_handled(vec->now, irqs->homes[home].cpu, &total, &here);
	vec->irq = vec->now;
	vec->home = home;
	vec->seen = total;
	vec->seen_here = here;
	raw_spin_unlock_irqrestore(&irqs->count_lock, flags);
}

/* The number that VFIO has for it now, or 0. */
static unsigned int devirt_irqs_number(struct devirt_irqs *irqs, int type, u32 i)
{
	int irq = 0;

	switch (type) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		irq = i ? 0 : irqs->pdev->irq;
		break;
	case VFIO_PCI_MSI_IRQ_INDEX:
	case VFIO_PCI_MSIX_IRQ_INDEX:
		irq = pci_irq_vector(irqs->pdev, i);
		break;
	}
	return max(irq, 0);
}

/* Which numbers and homes they should have. */
static void devirt_irqs_look(struct devirt_irqs *irqs, int type, u32 routes)
{
	u32 i;
	int home;

	for (i = 0; i < irqs->max; i++) {
		irqs->vectors[i].now = devirt_irqs_number(irqs, type, i);
		irqs->vectors[i].want = irqs->count ? i % irqs->count : DEVIRT_HOME_NONE;
	}
	for (i = 0; i < routes; i++) {
		home = devirt_irqs_home_of(irqs, irqs->routes[i].vcpu);
		if (home != DEVIRT_HOME_NONE)
			irqs->vectors[irqs->routes[i].vector].want = home;
	}
	if (type == VFIO_PCI_INTX_IRQ_INDEX && devirt_irq_is_shared(irqs->pdev->irq))
		irqs->vectors[0].want = DEVIRT_HOME_NONE;
}

/* Those that are gone; the line first of all, while we know what it had. */
static void devirt_irqs_forget(struct devirt_irqs *irqs, int type)
{
	struct devirt_vector *vec;
	u32 i;

	if (irqs->line && (type != VFIO_PCI_INTX_IRQ_INDEX ||
			   irqs->vectors[0].want == DEVIRT_HOME_NONE)) {
		devirt_irq_loosen(irqs, irqs->line, irqs->vectors[0].home);
		irqs->line = 0;
	}
	irqs->placed = 0;
	for (i = 0; i < irqs->max; i++) {
		vec = &irqs->vectors[i];
		if (vec->irq && vec->irq != vec->now)
			devirt_vector_forget(irqs, vec);
		irqs->placed += vec->home != DEVIRT_HOME_NONE;
	}
}

/* Put one where it belongs; was there anything to do? */
static bool devirt_vector_place(struct devirt_irqs *irqs, struct devirt_vector *vec, int type)
{
	int home = vec->want, err;

	if (!vec->now)
		return false;
	if (home != DEVIRT_HOME_NONE && vec->irq == vec->now && vec->home == home &&
	    devirt_irq_is_at(vec->irq, irqs->homes[home].cpu))
		return false;
	if (home == DEVIRT_HOME_NONE && vec->irq == vec->now && vec->home == home)
		return false;
	/* Without memory it is only taken for somebody else's. */
	xa_store(&leased_irqs, vec->now, irqs, GFP_KERNEL);
	if (home != DEVIRT_HOME_NONE) {
		err = devirt_irq_fix(irqs, vec->now, irqs->homes[home].cpu);
		if (err) {
			pci_warn(irqs->pdev, "devirt: interrupt %u can't be placed: %pe\n",
				 vec->now, ERR_PTR(err));
			home = DEVIRT_HOME_NONE;
		} else if (type == VFIO_PCI_INTX_IRQ_INDEX) {
			irqs->line = vec->now;
		}
	}
	irqs->placed -= vec->home != DEVIRT_HOME_NONE;
	irqs->placed += home != DEVIRT_HOME_NONE;
	devirt_vector_settle(irqs, vec, home);
	return home != DEVIRT_HOME_NONE;
}

/*
 * Take all locks that keep its vectors from being freed. @core is its driver, or
 * NULL if that isn't VFIO. Nobody waits here: who unbinds the device holds its
 * lock until the VMM has closed it; and who opens or closes it resets it only if
 * it gets that lock at once, so that it must be free for whoever has VFIO's.
 */
static int devirt_irqs_lock_core(struct devirt_irqs *irqs, struct vfio_pci_core_device **core)
{
	struct device *dev = &irqs->pdev->dev;
	struct vfio_pci_core_device *vfio = NULL;

	lockdep_assert_held(&irqs->lock);
	if (!device_trylock(dev))
		return -EAGAIN;
	if (dev->driver && !strcmp(dev->driver->name, DEVIRT_VFIO_DRIVER))
		vfio = pci_get_drvdata(irqs->pdev);
	if (vfio && (vfio->vdev.dev != dev || vfio->pdev != irqs->pdev))
		vfio = NULL;
	if (vfio && !mutex_trylock(&vfio->vdev.dev_set->lock)) {
		device_unlock(dev);
		return -EAGAIN;
	}
	if (vfio)
		mutex_lock(&vfio->igate);
	*core = vfio;
	return 0;
}

static void devirt_irqs_unlock_core(struct devirt_irqs *irqs, struct vfio_pci_core_device *core)
{
	if (core)
		mutex_unlock(&core->igate);
	/* In this order: who waits for VFIO's wants the device's next. */
	device_unlock(&irqs->pdev->dev);
	if (core)
		mutex_unlock(&core->vdev.dev_set->lock);
}

/* Notice, or don't, that the guest wants one at another vCPU. */
static void devirt_irqs_watch(struct devirt_irqs *irqs, bool watch)
{
	lockdep_assert_held(&irqs->lock);
	if (watch && !irqs->watching)
		WRITE_ONCE(irqs->watching, !devirt_hook_arm(DEVIRT_HOOK_IRQ_ROUTING));
	if (!watch && irqs->watching) {
		devirt_hook_disarm(DEVIRT_HOOK_IRQ_ROUTING);
		WRITE_ONCE(irqs->watching, false);
	}
}

/**
 * devirt_irqs_followed - does it matter where the guest routes them?
 * @irqs: the interrupts
 *
 * Any context.
 */
bool devirt_irqs_followed(const struct devirt_irqs *irqs)
{
	return READ_ONCE(irqs->watching);
}

/* What there is now, and whether hostirq.c has to look at it; was any placed? */
static bool devirt_irqs_pass(struct devirt_irqs *irqs, int type, u32 routes, bool *settle)
{
	unsigned int line = irqs->line;
	struct devirt_vector *vec;
	bool changed = false;
	u32 i;

	devirt_irqs_look(irqs, type, routes);
	devirt_irqs_forget(irqs, type);
	*settle = line && !irqs->line;
	for (i = 0; i < irqs->max; i++) {
		vec = &irqs->vectors[i];
		changed |= devirt_vector_place(irqs, vec, type);
		*settle |= vec->irq && vec->home == DEVIRT_HOME_NONE;
	}
	return changed;
}

/**
 * devirt_irqs_place - put all that there are now where they belong
 * @irqs: the interrupts
 * @vmm: the process whose guest they are for, or NULL
 *
 * May sleep. Return: 0; -EAGAIN if somebody has the device locked: call again.
 */
int devirt_irqs_place(struct devirt_irqs *irqs, struct pid *vmm)
{
	bool changed = false, settle = false;
	struct vfio_pci_core_device *core;
	unsigned int placed;
	u32 routes;
	int err;

	mutex_lock(&irqs->lock);
	if (irqs->stopped) {
		mutex_unlock(&irqs->lock);
		return 0;
	}
	routes = devirt_irqs_ask(irqs, vmm);
	err = devirt_irqs_lock_core(irqs, &core);
	if (!err) {
		changed = devirt_irqs_pass(irqs, core ? core->irq_type : VFIO_PCI_NUM_IRQS,
					   routes, &settle);
		devirt_irqs_unlock_core(irqs, core);
		/* With one home there is nothing to follow. */
		devirt_irqs_watch(irqs, routes && irqs->count > 1);
	}
	placed = irqs->placed;
	mutex_unlock(&irqs->lock);
	if (settle)
		devirt_cpu_settle();
	if (changed)
		devirt_event(irqs->part, DEVIRT_EVENT_IRQS, .record = &irqs->index,
			     .value = placed);
	return err;
}

/**
 * devirt_irqs_release - place nothing any more, and free what is placed
 * @irqs: the interrupts
 *
 * Allocates nothing. Before the CPUs are given back; if the device is in use
 * still, hostirq.c has its interrupts then. Call it again later: messages may
 * have to wait for whoever has the device locked. May sleep.
 */
void devirt_irqs_release(struct devirt_irqs *irqs)
{
	struct vfio_pci_core_device *core = NULL;
	struct devirt_vector *vec;
	int err;
	u32 i;

	mutex_lock(&irqs->lock);
	irqs->stopped = true;
	devirt_irqs_watch(irqs, false);
	if (irqs->line)
		devirt_irq_loosen(irqs, irqs->line, irqs->vectors[0].home);
	err = devirt_irqs_lock_core(irqs, &core);
	for (i = 0; i < irqs->max; i++) {
		vec = &irqs->vectors[i];
		if (!vec->irq || (err && vec->irq != irqs->line))
			continue;
		if (core && vec->irq == devirt_irqs_number(irqs, core->irq_type, i))
			devirt_irq_loosen(irqs, vec->irq, vec->home);
		devirt_vector_forget(irqs, vec);
	}
	irqs->line = 0;
	if (!err)
		devirt_irqs_unlock_core(irqs, core);
	mutex_unlock(&irqs->lock);
}
