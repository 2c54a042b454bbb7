// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pool: all VFs that a PF has at a time. Hardware can only make and remove them
 * together. Somebody else may have made it, then it stays; or the first lease did,
 * and it goes with the last; or it was sized ahead, and goes when that is said.
 *
 * New VFs of ours get their driver override before any driver probes them, so no
 * host driver ever touches one.
 *
 * What can happen to a PF while VFs of it are leased: drivers that know of assigned
 * VFs refuse to remove them, and leave them where they are when they go themselves.
 * A driver that comes back and overlooks them is shown them, and they are set anew.
 * A PF that is removed leaves its VFs behind too; they are removed when the last lease
 * ends, and until then no driver gets a PF that comes back in its place. Other drivers
 * remove their VFs nevertheless, and VFIO then waits, with locks held, for who uses
 * them: so that isn't for ever, that process is ended if it doesn't let go after a
 * while.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/delay.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "cpu.h"
#include "function.h"
#include "partition.h"
#include "pool.h"
#include "reserve.h"
#include "resource.h"
#include "user.h"
#include "vfset.h"

/* How long until a PF's lock is tried again. */
#define DEVIRT_POOL_PAUSE_MS	5

/* No driver has this name: for a PF whose former VFs are still in use. */
#define DEVIRT_NO_PF_DRIVER	"devirt-former-vfs"

static unsigned int unplug_grace_ms = 1000;
module_param(unplug_grace_ms, uint, 0644);
MODULE_PARM_DESC(unplug_grace_ms,
		 "how long a VMM may keep a VF that is being removed before it is killed; 0: for ever");

static LIST_HEAD(pools);
/* Inside a pool's lock and inside a device's; nothing is taken inside. */
static DEFINE_MUTEX(pools_lock);

static struct devirt_pool *devirt_pool_find(struct pci_dev *pf)
{
	struct devirt_pool *pool;

	lockdep_assert_held(&pools_lock);
	list_for_each_entry(pool, &pools, entry) {
		if (pool->pf == pf)
			return pool;
	}
	return NULL;
}

static void devirt_pool_work(struct work_struct *work);

/**
 * devirt_pool_get - the pool of a PF
 * @pf: the PF
 *
 * May sleep. Return: the pool, for devirt_pool_put(); NULL for lack of memory.
 */
struct devirt_pool *devirt_pool_get(struct pci_dev *pf)
{
	struct devirt_pool *pool, *fresh;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return NULL;
	mutex_init(&fresh->lock);
	INIT_LIST_HEAD(&fresh->leased);
	INIT_WORK(&fresh->work, devirt_pool_work);
	fresh->pf = pf;

	mutex_lock(&pools_lock);
	pool = devirt_pool_find(pf);
	if (!pool) {
		pool = fresh;
		fresh = NULL;
		pci_dev_get(pf);
		list_add(&pool->entry, &pools);
	}
	pool->users++;
	mutex_unlock(&pools_lock);
	kfree(fresh);
	return pool;
}

/**
 * devirt_pool_put - undo devirt_pool_get()
 * @pool: the pool
 *
 * May sleep.
 */
void devirt_pool_put(struct devirt_pool *pool)
{
	bool last;

	mutex_lock(&pools_lock);
	last = !--pool->users;
	if (last)
		list_del(&pool->entry);
	mutex_unlock(&pools_lock);
	if (!last)
		return;
	pci_dev_put(pool->pf);
	mutex_destroy(&pool->lock);
	kfree(pool);
}

/**
 * devirt_pool_keep - does it stay when none of its VFs is leased?
 * @pool: the pool, with its lock held
 * @keep: yes, from now on, or no longer
 *
 * While it does it has a reference for that, beside the caller's. May sleep.
 */
void devirt_pool_keep(struct devirt_pool *pool, bool keep)
{
	lockdep_assert_held(&pool->lock);
	if (pool->kept == keep)
		return;
	pool->kept = keep;
	mutex_lock(&pools_lock);
	pool->users += keep ? 1 : -1;
	mutex_unlock(&pools_lock);
}

/* What was made ahead doesn't stay if somebody else has removed it since. */
static void devirt_pool_forget(struct devirt_pool *pool)
{
	lockdep_assert_held(&pool->lock);
	if (READ_ONCE(pool->lost) && (!pci_num_vf(pool->pf) || !READ_ONCE(pool->made)))
		devirt_pool_keep(pool, false);
}

/**
 * devirt_pool_lock - take its lock, unless killed while waiting for that
 * @res: the resource, whose refusal is noted
 * @pool: the pool
 *
 * Somebody else may be making it: minutes, on a slow host, for a hundred VFs. May
 * sleep. Return: 0 or -EINTR.
 */
int devirt_pool_lock(struct devirt_resource *res, struct devirt_pool *pool)
{
	if (mutex_lock_killable(&pool->lock))
		return devirt_refuse(res, DEVIRT_REASON_INTERNAL, -EINTR, "waiting for the pool");
	devirt_pool_forget(pool);
	return 0;
}

/**
 * devirt_pool_wanted - does somebody lease a VF of this PF, or will soon?
 * @pf: the PF
 *
 * May sleep.
 */
bool devirt_pool_wanted(struct pci_dev *pf)
{
	bool wanted;

	mutex_lock(&pools_lock);
	wanted = devirt_pool_find(pf);
	mutex_unlock(&pools_lock);
	return wanted;
}

/**
 * devirt_pool_next - one VF after the other
 * @pf: their PF
 * @from: the one before, whose reference is taken over; NULL: none
 *
 * Return: the VF, with a reference, or NULL.
 */
struct pci_dev *devirt_pool_next(struct pci_dev *pf, struct pci_dev *from)
{
	struct pci_dev *vf = from;

	for_each_pci_dev(vf) {
		if (vf->is_virtfn && pci_physfn(vf) == pf)
			return vf;
	}
	return NULL;
}

/**
 * devirt_pool_vf - a VF by its index
 * @pf: its PF
 * @index: which
 *
 * Return: the VF, with a reference, or NULL.
 */
struct pci_dev *devirt_pool_vf(struct pci_dev *pf, u32 index)
{
	struct pci_dev *vf = NULL;

	while ((vf = devirt_pool_next(pf, vf))) {
		if (pci_iov_vf_id(vf) == index)
			return vf;
	}
	return NULL;
}

/* ------------------------------------------------------ making and removing */

/* Who is where a PF was; with a reference, or NULL. Nobody is being added now. */
static struct pci_dev *devirt_pool_successor(struct pci_dev *pf)
{
	struct pci_dev *pdev;

	pci_lock_rescan_remove();
	pdev = pci_get_domain_bus_and_slot(pci_domain_nr(pf->bus), pf->bus->number, pf->devfn);
	pci_unlock_rescan_remove();
	return pdev;
}

/* VFs whose PF was removed before them. */
static void devirt_pool_orphans(struct devirt_pool *pool)
{
	struct pci_dev *vf, *pf = pool->pf, *successor;

	while ((vf = devirt_pool_next(pool->pf, NULL))) {
		pci_stop_and_remove_bus_device_locked(vf);
		pci_dev_put(vf);
		/* The VF's own, which only the PF's removal of its VFs would put. */
		pci_dev_put(pf);
	}
	successor = devirt_pool_successor(pf);
	/* The registers are its by now; and this one must not be freed with VFs. */
	if (successor && pci_num_vf(successor))
		pci_dev_get(pf);
	else
		pci_disable_sriov(pf);
	pci_dev_put(successor);
	/* From here on one that comes isn't kept from its driver; see below. */
	successor = devirt_pool_successor(pf);
	if (!successor)
		return;
	devirt_override_set(successor, devirt_reserve_override(successor));
	if (device_attach(&successor->dev) < 0)
		pci_warn(successor, "devirt: no driver takes it\n");
	pci_dev_put(successor);
}

/*
 * Whoever adds or removes functions has the one lock, and who changes VFs the PF's too.
 * The kernel takes them in one order for the PF's sriov_numvfs and in the other where
 * it removes a device, so here nobody waits for the second with the first.
 */
static void devirt_pool_lock_pf(struct pci_dev *pf)
{
	for (;;) {
		pci_lock_rescan_remove();
		if (device_trylock(&pf->dev))
			return;
		pci_unlock_rescan_remove();
		msleep(DEVIRT_POOL_PAUSE_MS);
	}
}

static void devirt_pool_unlock_pf(struct pci_dev *pf)
{
	device_unlock(&pf->dev);
	pci_unlock_rescan_remove();
}

/* As the PF's sriov_numvfs attribute does it. @again: of VFs that are there. */
static int devirt_pool_configure(struct devirt_pool *pool, unsigned int count, bool again)
{
	struct pci_dev *pf = pool->pf;
	int ret;

	lockdep_assert_held(&pool->lock);
	if (READ_ONCE(pool->gone)) {
		ret = count ? -ENODEV : 0;
		WRITE_ONCE(pool->changing, true);
		if (!count && pci_num_vf(pf))
			devirt_pool_orphans(pool);
		WRITE_ONCE(pool->changing, false);
		goto out;
	}
	devirt_pool_lock_pf(pf);
	/* From here on those that appear are ours, and not before. */
	WRITE_ONCE(pool->changing, true);
	if (count && !again && pci_num_vf(pf)) {
		ret = -EBUSY;
	} else if (!pf->driver || !pf->driver->sriov_configure) {
		ret = -ENOENT;
		/* The driver left and its VFs stayed: only the core can help. */
		if (!count && pci_num_vf(pf)) {
			pci_disable_sriov(pf);
			ret = 0;
		}
	} else {
		ret = pf->driver->sriov_configure(pf, count);
	}
	WRITE_ONCE(pool->changing, false);
	devirt_pool_unlock_pf(pf);
out:
	/* The PF's driver shares out its interrupts anew. */
	devirt_cpu_settle();
	return ret;
}

/**
 * devirt_pool_driver - has the PF a driver that makes VFs?
 * @res: the resource, whose refusal is noted
 * @pf: the PF
 *
 * May sleep; takes the device lock. Return: 0 or -ENOENT.
 */
int devirt_pool_driver(struct devirt_resource *res, struct pci_dev *pf)
{
	int err = 0;

	device_lock(&pf->dev);
	if (!pf->driver || !pf->driver->sriov_configure)
		err = devirt_refuse(res, DEVIRT_REASON_PF_DRIVER, -ENOENT, "%s",
				    pf->driver ? pf->driver->name : "");
	device_unlock(&pf->dev);
	return err;
}

/**
 * devirt_pool_make - make as many VFs as @size of the pool says
 * @res: the resource, whose refusal is noted
 * @pool: the pool, with its lock held; there are no VFs
 *
 * May sleep; takes the device lock. Return: 0, also if there are fewer, or if somebody
 * else has just made some, of which @made isn't set; or the errno of the PF's driver,
 * -EIO if it has none, and there are none.
 */
int devirt_pool_make(struct devirt_resource *res, struct devirt_pool *pool)
{
	int ret;

	lockdep_assert_held(&pool->lock);
	ret = devirt_pool_configure(pool, pool->size, false);
	if (ret == -EBUSY && pci_num_vf(pool->pf))
		return 0;
	if (ret >= 0 && pci_num_vf(pool->pf)) {
		WRITE_ONCE(pool->made, true);
		WRITE_ONCE(pool->lost, false);
		return 0;
	}
	return devirt_refuse(res, DEVIRT_REASON_POOL_FAILED, ret < 0 ? ret : -EIO, "%u %d",
			     pool->size, pci_num_vf(pool->pf));
}

/**
 * devirt_pool_remove - remove all VFs
 * @pool: the pool, with its lock held; nobody uses a VF
 *
 * May sleep; takes the device lock. Return: 0 or the errno of the PF's driver.
 */
int devirt_pool_remove(struct devirt_pool *pool)
{
	int err = 0;

	lockdep_assert_held(&pool->lock);
	if (pci_num_vf(pool->pf))
		err = devirt_pool_configure(pool, 0, false);
	if (err < 0)
		return err;
	WRITE_ONCE(pool->made, false);
	pool->size = 0;
	return 0;
}

/**
 * devirt_pool_busy - does a process use a VF of it, leased or not?
 * @pool: the pool
 *
 * Removing it would wait for that one. May sleep.
 */
bool devirt_pool_busy(struct devirt_pool *pool)
{
	struct pci_dev *vf = NULL;

	while ((vf = devirt_pool_next(pool->pf, vf))) {
		if (devirt_function_busy(vf)) {
			pci_dev_put(vf);
			return true;
		}
	}
	return false;
}

/**
 * devirt_pool_abandon - remove VFs that were made in vain
 * @pool: the pool, with its lock held; no VF is leased
 *
 * Others could open them meanwhile, and removing them would wait for those: then they
 * stay, as if they had been made ahead. May sleep; takes the device lock.
 */
void devirt_pool_abandon(struct devirt_pool *pool)
{
	int err = devirt_pool_busy(pool) ? -EBUSY : devirt_pool_remove(pool);

	if (!err)
		return;
	pci_warn(pool->pf, "devirt: its VFs aren't wanted, and can't be removed now: %d\n", err);
	devirt_pool_keep(pool, true);
}

/* --------------------------------------------------------------- its leases */

/* VFIO is still waiting for the user of a VF that has to go. */
static void devirt_pool_end(struct work_struct *work)
{
	struct devirt_pool_vf *vf = container_of(to_delayed_work(work), struct devirt_pool_vf,
						 ending);

	if (!devirt_function_busy(vf->fn->pdev))
		return;
	if (devirt_user_kill(vf->fn->user))
		devirt_event(vf->res->part, DEVIRT_EVENT_DRIFT, .record = &vf->res->index,
			     .detail = "removed: its VMM kept it, and was killed");
}

/**
 * devirt_pool_leased - a VF is leased from now on
 * @pool: its pool
 * @vf: filled in; until devirt_pool_returned()
 * @res: the resource
 * @fn: the function
 *
 * May sleep.
 */
void devirt_pool_leased(struct devirt_pool *pool, struct devirt_pool_vf *vf,
			struct devirt_resource *res, struct devirt_function *fn)
{
	vf->pool = pool;
	vf->res = res;
	vf->fn = fn;
	INIT_DELAYED_WORK(&vf->ending, devirt_pool_end);
	mutex_lock(&pool->lock);
	mutex_lock(&pools_lock);
	list_add_tail(&vf->entry, &pool->leased);
	mutex_unlock(&pools_lock);
	mutex_unlock(&pool->lock);
}

/**
 * devirt_pool_returned - a VF isn't leased any more, as far as its pool goes
 * @vf: the VF; may have been returned
 *
 * May sleep.
 */
void devirt_pool_returned(struct devirt_pool_vf *vf)
{
	struct devirt_pool *pool = vf->pool;

	if (!pool)
		return;
	mutex_lock(&pool->lock);
	mutex_lock(&pools_lock);
	list_del(&vf->entry);
	mutex_unlock(&pools_lock);
	mutex_unlock(&pool->lock);
	cancel_delayed_work_sync(&vf->ending);
	vf->pool = NULL;
}

static void devirt_pool_tell(struct devirt_pool *pool, const char *detail)
{
	struct devirt_pool_vf *vf;

	lockdep_assert_held(&pools_lock);
	list_for_each_entry(vf, &pool->leased, entry)
		devirt_event(vf->res->part, DEVIRT_EVENT_DRIFT, .record = &vf->res->index,
			     .detail = detail);
}

/* ---------------------------------------------------------- changes of a PF */

static void devirt_pool_queue(struct devirt_pool *pool)
{
	lockdep_assert_held(&pools_lock);
	if (queue_work(devirt_wq, &pool->work))
		pool->users++;
}

/* Its driver is back, or has lost the VFs, or it is gone. */
static void devirt_pool_work(struct work_struct *work)
{
	struct devirt_pool *pool = container_of(work, struct devirt_pool, work);
	struct devirt_resource res = {};
	struct devirt_pool_vf *vf;
	int count;

	/*
	 * Until whoever changes them is done: that may wait for a VMM which in turn waits
	 * for the pool's lock, to give another VF back, and so not with it.
	 */
	device_lock(&pool->pf->dev);
	device_unlock(&pool->pf->dev);
	mutex_lock(&pool->lock);
	count = pci_num_vf(pool->pf);
	if (READ_ONCE(pool->gone)) {
		devirt_pool_keep(pool, false);
		if (pool->made && !pool->held && !devirt_pool_busy(pool))
			devirt_pool_remove(pool);
	} else if (!READ_ONCE(pool->leaving)) {
		devirt_pool_forget(pool);
		if (pool->kept && !count && devirt_pool_make(&res, pool))
			pci_warn(pool->pf, "devirt: its %u VFs can't be made again: %d\n",
				 pool->size, res.rec.error);
		/*
		 * Not every driver looks for VFs that were there before it: igb only
		 * if its parameter says so. One that has found them isn't asked, as
		 * some would take down what they have.
		 */
		if (count && devirt_net_overlooks(pool->pf) &&
		    devirt_pool_configure(pool, count, true) < 0)
			pci_warn(pool->pf, "devirt: its driver doesn't take over its VFs\n");
		list_for_each_entry(vf, &pool->leased, entry)
			devirt_vfset_again(vf->fn->vfset);
	}
	mutex_unlock(&pool->lock);
	devirt_pool_put(pool);
}

/* A VF appears; no driver has seen it yet, and udev hasn't either. */
static void devirt_pool_vf_added(struct pci_dev *pdev)
{
	struct devirt_pool *pool;
	bool ours;

	mutex_lock(&pools_lock);
	pool = devirt_pool_find(pci_physfn(pdev));
	ours = pool && READ_ONCE(pool->changing);
	/* Whoever makes it now: it isn't the pool any more that we have made. */
	if (pool && !ours)
		WRITE_ONCE(pool->made, false);
	mutex_unlock(&pools_lock);
	/*
	 * Without memory for the override a host driver may get it for a moment;
	 * taking it for the lease then unbinds that one, as with any other.
	 */
	if (ours && devirt_override_set(pdev, DEVIRT_VFIO_DRIVER))
		pci_warn(pdev, "devirt: no memory for its driver override\n");
}

/*
 * There is nothing behind them any more. Who resets one, as VFIO does when its user
 * ends, would wait for it to answer, for a minute in which that user can't be killed.
 * Without the device lock, which one who waits already would hold.
 */
static void devirt_pool_ended(struct pci_dev *pf)
{
	struct pci_dev *vf = NULL;

	while ((vf = devirt_pool_next(pf, vf))) {
		WRITE_ONCE(vf->error_state, pci_channel_io_perm_failure);
		/* Older kernels don't look at that while they wait. */
		WRITE_ONCE(vf->reset_methods[0], 0);
	}
}

/* Where a PF was whose VFs are still in use there is one again. */
static void devirt_pool_pf_added(struct pci_dev *pdev)
{
	struct devirt_pool *pool;
	bool former = false;

	mutex_lock(&pools_lock);
	list_for_each_entry(pool, &pools, entry) {
		if (!READ_ONCE(pool->gone) || !pci_num_vf(pool->pf) ||
		    devirt_function_id(pool->pf) != devirt_function_id(pdev))
			continue;
		former = true;
		devirt_pool_ended(pool->pf);
		devirt_pool_tell(pool, "its PF is back, and has ended its VFs");
	}
	mutex_unlock(&pools_lock);
	if (former && devirt_override_set(pdev, DEVIRT_NO_PF_DRIVER))
		pci_warn(pdev, "devirt: no memory for its driver override\n");
}

/* A VF loses its driver, and we haven't done that. The device is locked. */
static void devirt_pool_vf_unbound(struct pci_dev *pdev)
{
	struct devirt_pool *pool;
	struct devirt_pool_vf *vf;
	unsigned long grace = msecs_to_jiffies(unplug_grace_ms);

	mutex_lock(&pools_lock);
	pool = devirt_pool_find(pci_physfn(pdev));
	if (pool) {
		list_for_each_entry(vf, &pool->leased, entry) {
			if (vf->fn->pdev != pdev)
				continue;
			devirt_event(vf->res->part, DEVIRT_EVENT_DRIFT,
				     .record = &vf->res->index, .detail = "unbound from vfio-pci");
			if (grace)
				queue_delayed_work(devirt_wq, &vf->ending, grace);
		}
	}
	mutex_unlock(&pools_lock);
}

/* It has left its driver, so VFIO doesn't wait any more; somebody else may have it soon. */
static void devirt_pool_vf_left(struct pci_dev *pdev)
{
	struct devirt_pool *pool;
	struct devirt_pool_vf *vf;

	mutex_lock(&pools_lock);
	pool = devirt_pool_find(pci_physfn(pdev));
	if (pool) {
		list_for_each_entry(vf, &pool->leased, entry) {
			if (vf->fn->pdev == pdev)
				cancel_delayed_work(&vf->ending);
		}
	}
	mutex_unlock(&pools_lock);
}

static void devirt_pool_vf_removed(struct pci_dev *pdev)
{
	struct devirt_pool *pool;

	mutex_lock(&pools_lock);
	pool = devirt_pool_find(pci_physfn(pdev));
	if (pool && !READ_ONCE(pool->changing) && !READ_ONCE(pool->leaving)) {
		WRITE_ONCE(pool->lost, true);
		devirt_pool_queue(pool);
	}
	mutex_unlock(&pools_lock);
}

static void devirt_pool_pf_changed(struct pci_dev *pdev, unsigned long action)
{
	struct devirt_pool *pool;

	mutex_lock(&pools_lock);
	pool = devirt_pool_find(pdev);
	if (!pool)
		goto out;
	switch (action) {
	case BUS_NOTIFY_UNBIND_DRIVER:
		WRITE_ONCE(pool->leaving, true);
		devirt_pool_tell(pool, "its PF's driver has left");
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
		WRITE_ONCE(pool->leaving, false);
		devirt_pool_tell(pool, "its PF's driver is back");
		devirt_pool_queue(pool);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		WRITE_ONCE(pool->gone, true);
		devirt_pool_tell(pool, "its PF has been removed");
		devirt_pool_queue(pool);
		break;
	}
out:
	mutex_unlock(&pools_lock);
}

static int devirt_pool_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev((struct device *)data);

	if (!pdev->is_virtfn && !pdev->is_physfn)
		return NOTIFY_DONE;
	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		if (pdev->is_virtfn)
			devirt_pool_vf_added(pdev);
		else
			devirt_pool_pf_added(pdev);
		return NOTIFY_OK;
	case BUS_NOTIFY_DEL_DEVICE:
		if (pdev->is_virtfn)
			devirt_pool_vf_removed(pdev);
		return NOTIFY_OK;
	case BUS_NOTIFY_UNBIND_DRIVER:
		if (pdev->is_virtfn)
			devirt_pool_vf_unbound(pdev);
		else
			devirt_pool_pf_changed(pdev, action);
		return NOTIFY_OK;
	case BUS_NOTIFY_UNBOUND_DRIVER:
		if (pdev->is_virtfn)
			devirt_pool_vf_left(pdev);
		return NOTIFY_OK;
	case BUS_NOTIFY_BOUND_DRIVER:
	case BUS_NOTIFY_REMOVED_DEVICE:
		if (pdev->is_physfn)
			devirt_pool_pf_changed(pdev, action);
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

static struct notifier_block devirt_pool_nb = {
	.notifier_call = devirt_pool_notify,
};

int devirt_pool_init(void)
{
	return bus_register_notifier(&pci_bus_type, &devirt_pool_nb);
}

/* There are no leases any more; what was sized ahead goes with us. */
void devirt_pool_exit(void)
{
	struct devirt_pool *pool, *next;

	bus_unregister_notifier(&pci_bus_type, &devirt_pool_nb);
	flush_workqueue(devirt_wq);
	list_for_each_entry_safe(pool, next, &pools, entry) {
		mutex_lock(&pool->lock);
		if (pool->made && devirt_pool_busy(pool))
			pci_warn(pool->pf, "devirt: its VFs are in use, and stay\n");
		else if (pool->made && devirt_pool_remove(pool) < 0)
			pci_warn(pool->pf, "devirt: its VFs can't be removed\n");
		mutex_unlock(&pool->lock);
		devirt_pool_put(pool);
	}
}
