// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kind vf: a virtual function of a PF's pool.
 *
 * A pool is all VFs that a PF has at a time; hardware can only make and remove
 * them together. If a PF has none, the first lease makes the pool, and it goes
 * when the last VF of it is returned. New VFs get their driver override before
 * any driver probes them, so no host driver ever touches one. A pool that was
 * there before stays, and its VFs go back to the drivers that they had.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "cpu.h"
#include "function.h"
#include "irq.h"
#include "partition.h"
#include "resource.h"
#include "sriov.h"
#include "vfset.h"

/**
 * struct devirt_pool - the VFs of one PF, while somebody wants some
 * @entry: in pools
 * @users: resources that want a VF of it, under pools_lock
 * @pf: the PF, with a reference
 * @lock: making, taking from and removing the pool; one at a time
 * @size: VFs to make, if it must be made
 * @held: VFs of it that are leased
 * @made: we have made it
 * @making: we are at it now
 */
struct devirt_pool {
	struct list_head entry;
	unsigned int users;
	struct pci_dev *pf;
	struct mutex lock;
	unsigned int size;
	unsigned int held;
	bool made;
	bool making;
};

struct devirt_vf {
	struct devirt_resource res;
	struct devirt_pool *pool;
	struct devirt_function fn;
	struct devirt_vfset vfset;
};

static LIST_HEAD(pools);
/* Inside a pool's lock and inside a device's; nothing is taken inside. */
static DEFINE_MUTEX(pools_lock);

static struct devirt_vf *to_devirt_vf(struct devirt_resource *res)
{
	return container_of(res, struct devirt_vf, res);
}

static u64 devirt_vf_id(struct pci_dev *pf, u32 index)
{
	return devirt_function_id(pf) << 16 | index;
}

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

static struct devirt_pool *devirt_pool_get(struct pci_dev *pf)
{
	struct devirt_pool *pool, *fresh;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return NULL;
	mutex_init(&fresh->lock);
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

static void devirt_pool_put(struct devirt_pool *pool)
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
 * devirt_sriov_wanted - is somebody about to lease a VF of this PF?
 * @pf: the PF
 *
 * May sleep.
 */
bool devirt_sriov_wanted(struct pci_dev *pf)
{
	bool wanted;

	mutex_lock(&pools_lock);
	wanted = devirt_pool_find(pf);
	mutex_unlock(&pools_lock);
	return wanted;
}

/* The VF of that index, with a reference, or NULL. */
static struct pci_dev *devirt_pool_vf(struct devirt_pool *pool, u32 index)
{
	struct pci_dev *vf = NULL;

	for_each_pci_dev(vf) {
		if (vf->is_virtfn && pci_physfn(vf) == pool->pf &&
		    pci_iov_vf_id(vf) == index)
			return vf;
	}
	return NULL;
}

/* As the PF's sriov_numvfs attribute does it. */
static int devirt_pool_configure(struct devirt_pool *pool, unsigned int count)
{
	struct pci_dev *pf = pool->pf;
	int ret;

	device_lock(&pf->dev);
	if (!pf->driver || !pf->driver->sriov_configure) {
		ret = -ENOENT;
		/* The driver left and its VFs stayed: only the core can help. */
		if (!count && pci_num_vf(pf)) {
			pci_disable_sriov(pf);
			ret = 0;
		}
	} else {
		ret = pf->driver->sriov_configure(pf, count);
	}
	device_unlock(&pf->dev);
	/* The PF's driver shares out its interrupts anew. */
	devirt_cpu_settle();
	return ret;
}

static int devirt_pool_make(struct devirt_resource *res, struct devirt_pool *pool)
{
	int ret;

	lockdep_assert_held(&pool->lock);
	WRITE_ONCE(pool->making, true);
	ret = devirt_pool_configure(pool, pool->size);
	WRITE_ONCE(pool->making, false);
	if (ret >= 0 && pci_num_vf(pool->pf)) {
		pool->made = true;
		return 0;
	}
	return devirt_refuse(res, DEVIRT_REASON_POOL_FAILED, ret < 0 ? ret : -EIO, "%u %d",
			     pool->size, pci_num_vf(pool->pf));
}

/* Does a process use a VF of it, leased or not? Removing it would wait. */
static bool devirt_pool_busy(struct devirt_pool *pool)
{
	struct pci_dev *vf = NULL;

	for_each_pci_dev(vf) {
		if (vf->is_virtfn && pci_physfn(vf) == pool->pf && devirt_function_busy(vf)) {
			pci_dev_put(vf);
			return true;
		}
	}
	return false;
}

static int devirt_vf_driver_check(struct devirt_resource *res, struct pci_dev *pf)
{
	int err = 0;

	device_lock(&pf->dev);
	if (!pf->driver || !pf->driver->sriov_configure)
		err = devirt_refuse(res, DEVIRT_REASON_PF_DRIVER, -ENOENT, "%s",
				    pf->driver ? pf->driver->name : "");
	device_unlock(&pf->dev);
	return err;
}

/* Claim VF number index, and the function itself if it is there for good. */
static int devirt_vf_claim(struct devirt_resource *res, struct devirt_vf *vf, u32 index)
{
	struct devirt_pool *pool = vf->pool;
	struct pci_dev *pdev;
	int err;

	err = devirt_claim(res, DEVIRT_CLAIM_VF, devirt_vf_id(pool->pf, index));
	if (err || !pci_num_vf(pool->pf) || pool->made)
		return err;

	/* Not our pool: this VF has a history, and perhaps a user. */
	pdev = devirt_pool_vf(pool, index);
	if (!pdev) {
		err = devirt_refuse(res, DEVIRT_REASON_VF_INDEX, -ERANGE, "%d",
				    pci_num_vf(pool->pf));
		goto err_unclaim;
	}
	err = devirt_function_check(res, &vf->fn, pdev, &res->rec.vf.vfio);
	pci_dev_put(pdev);
	if (!err && res->rec.vf.index == DEVIRT_VF_ANY) {
		err = devirt_function_veto(res, &vf->fn);
		if (err)
			devirt_function_drop(&vf->fn);
	}
	if (err)
		goto err_unclaim;
	return 0;

err_unclaim:
	devirt_unclaim(res);
	return err;
}

/* Does the same description name this VF later on? */
static bool devirt_vf_named(struct devirt_resource *res, u32 index)
{
	struct devirt_record_vf *mine = &res->rec.vf, *other;
	u32 i;

	for (i = res->index + 1; i < res->set->count; i++) {
		other = &res->set->res[i]->rec.vf;
		if (res->set->res[i]->ops == res->ops && other->index == index &&
		    !memcmp(&other->pf, &mine->pf, sizeof(mine->pf)))
			return true;
	}
	return false;
}

static int devirt_vf_choose(struct devirt_resource *res, struct devirt_vf *vf, u32 limit)
{
	u32 index;
	int err;

	if (res->rec.vf.index != DEVIRT_VF_ANY) {
		if (res->rec.vf.index >= limit)
			return devirt_refuse(res, DEVIRT_REASON_VF_INDEX, -ERANGE, "%u", limit);
		return devirt_vf_claim(res, vf, res->rec.vf.index);
	}
	for (index = 0; index < limit; index++) {
		if (devirt_vf_named(res, index))
			continue;
		err = devirt_vf_claim(res, vf, index);
		if (!err) {
			res->rec.vf.index = index;
			/* What the ones before were refused for. */
			res->rec.reason = DEVIRT_REASON_NONE;
			res->rec.error = 0;
			memset(res->rec.detail, 0, sizeof(res->rec.detail));
			return 0;
		}
		if (err == -ENOMEM)
			return err;
	}
	return devirt_refuse(res, DEVIRT_REASON_POOL_SMALL, -ENOSPC, "%u", limit);
}

static int devirt_vf_check(struct devirt_resource *res)
{
	struct devirt_record_vf *rec = &res->rec.vf;
	struct devirt_vf *vf = to_devirt_vf(res);
	char owner[DEVIRT_NAME_MAX];
	struct pci_dev *pf;
	u32 total, limit;
	int err;

	if (res->rec.flags)
		return devirt_refuse(res, DEVIRT_REASON_UNSUPPORTED, -EOPNOTSUPP, "flags");
	if (rec->reserved)
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "vf.reserved");
	if (devirt_record_unused(&res->rec, sizeof(*rec)))
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "raw");
	err = devirt_irq_check(res, &rec->irq);
	if (err)
		return err;
	err = devirt_vfset_valid(res);
	if (err)
		return err;
	pf = devirt_function_find(res, &rec->pf);
	if (IS_ERR(pf))
		return PTR_ERR(pf);
	total = pf->is_physfn ? pci_sriov_get_totalvfs(pf) : 0;
	if (!total) {
		err = devirt_refuse(res, DEVIRT_REASON_NOT_PF, -EINVAL, "%s", pci_name(pf));
		goto err_pf;
	}
	if (rec->pool > total) {
		err = devirt_refuse(res, DEVIRT_REASON_VF_INDEX, -ERANGE, "%u", total);
		goto err_pf;
	}
	err = devirt_vf_driver_check(res, pf);
	if (err)
		goto err_pf;
	/* Before a pool is made for nothing: its VFs are no better off. */
	err = devirt_function_isolated(res, pf);
	if (err < 0)
		goto err_pf;
	vf->pool = devirt_pool_get(pf);
	if (!vf->pool) {
		err = -ENOMEM;
		goto err_pf;
	}
	/* After the pool is known: devirt_pci_check() looks the other way round. */
	if (devirt_claim_mine(res, DEVIRT_CLAIM_FUNCTION, devirt_function_id(pf))) {
		err = devirt_refuse(res, DEVIRT_REASON_DUPLICATE, -EEXIST, "%s", pci_name(pf));
		goto err_pool;
	}
	if (devirt_claim_holder(res, DEVIRT_CLAIM_FUNCTION, devirt_function_id(pf), owner)) {
		err = devirt_refuse(res, DEVIRT_REASON_PF_OWNED, -EBUSY, "%s", owner);
		goto err_pool;
	}

	mutex_lock(&vf->pool->lock);
	limit = pci_num_vf(pf);
	if (!limit) {
		limit = rec->pool ?: total;
		vf->pool->size = max(vf->pool->size, limit);
		limit = vf->pool->size;
	}
	err = devirt_vf_choose(res, vf, limit);
	mutex_unlock(&vf->pool->lock);
	if (err)
		goto err_pool;
	err = devirt_vfset_check(&vf->vfset, res, pf);
	if (err)
		goto err_function;
	if (vf->vfset.ops)
		vf->fn.vfset = &vf->vfset;
	res->rec.node = dev_to_node(&pf->dev);
	pci_dev_put(pf);
	return 0;

err_function:
	devirt_function_drop(&vf->fn);
err_pool:
	devirt_pool_put(vf->pool);
	vf->pool = NULL;
err_pf:
	pci_dev_put(pf);
	return err;
}

static int devirt_vf_veto(struct devirt_resource *res)
{
	struct devirt_vf *vf = to_devirt_vf(res);

	return vf->fn.pdev ? devirt_function_veto(res, &vf->fn) : 0;
}

/* Bring the VF that was claimed to vfio-pci; the pool is there. */
static int devirt_vf_take(struct devirt_resource *res, struct devirt_vf *vf)
{
	struct devirt_record_vf *rec = &res->rec.vf;
	struct pci_dev *pdev;
	int err;

	if (!vf->fn.pdev) {
		pdev = devirt_pool_vf(vf->pool, rec->index);
		if (!pdev)
			return devirt_refuse(res, DEVIRT_REASON_VF_INDEX, -ERANGE, "%d",
					     pci_num_vf(vf->pool->pf));
		err = devirt_function_check(res, &vf->fn, pdev, &rec->vfio);
		pci_dev_put(pdev);
		if (err)
			return err;
		err = devirt_function_veto(res, &vf->fn);
		if (err)
			goto err_drop;
	}
	err = devirt_function_take(res, &vf->fn, &rec->vfio, &rec->irq);
	if (err)
		goto err_drop;
	if (vf->pool->made)
		memset(rec->vfio.driver, 0, sizeof(rec->vfio.driver));
	/* The PF's driver refuses to remove its VFs now. */
	pci_set_dev_assigned(vf->fn.pdev);
	return 0;

err_drop:
	devirt_function_drop(&vf->fn);
	return err;
}

static int devirt_pool_remove(struct devirt_pool *pool);

static int devirt_vf_acquire(struct devirt_resource *res)
{
	struct devirt_record_vf *rec = &res->rec.vf;
	struct devirt_vf *vf = to_devirt_vf(res);
	struct devirt_pool *pool = vf->pool;
	int err = 0;

	mutex_lock(&pool->lock);
	if (!pci_num_vf(pool->pf))
		err = READ_ONCE(res->set->failed) ? -ECANCELED : devirt_pool_make(res, pool);
	/* Nobody else's return removes the pool from here on. */
	if (!err)
		pool->held++;
	mutex_unlock(&pool->lock);
	if (err)
		return err;
	err = devirt_vf_take(res, vf);
	if (err)
		goto err_held;
	rec->addr.domain = pci_domain_nr(vf->fn.pdev->bus);
	rec->addr.bus = vf->fn.pdev->bus->number;
	rec->addr.devfn = vf->fn.pdev->devfn;
	rec->pool = pci_num_vf(pool->pf);
	rec->flags = pool->made ? DEVIRT_VF_POOL_MADE : 0;
	return 0;

err_held:
	mutex_lock(&pool->lock);
	if (!--pool->held && pool->made)
		devirt_pool_remove(pool);
	mutex_unlock(&pool->lock);
	return err;
}

static int devirt_pool_remove(struct devirt_pool *pool)
{
	int err;

	lockdep_assert_held(&pool->lock);
	err = devirt_pool_configure(pool, 0);
	if (err < 0)
		return err;
	pool->made = false;
	pool->size = 0;
	return 0;
}

/* Of a pool of ours, which goes with its last. */
static int devirt_vf_leave(struct devirt_resource *res, struct devirt_vf *vf)
{
	struct devirt_pool *pool = vf->pool;
	struct pci_dev *pdev = vf->fn.pdev;
	int err = 0;

	lockdep_assert_held(&pool->lock);
	if (pool->held == 1 && devirt_pool_busy(pool))
		return -EAGAIN;
	pci_clear_dev_assigned(pdev);
	/* No reset: VFIO did that when it was closed, and it ends now. */
	if (pool->held == 1)
		err = devirt_pool_remove(pool);
	if (err) {
		devirt_refuse(res, DEVIRT_REASON_INTERNAL, err, "removing the VFs of %s",
			      pci_name(pool->pf));
		pci_set_dev_assigned(pdev);
	}
	return err;
}

/* Of a pool that stays the VF has been unset by devirt_function_give(). */
static int devirt_vf_unset(struct devirt_vf *vf)
{
	bool shut;
	int err;

	if (!vf->fn.vfset)
		return 0;
	err = devirt_function_shut(vf->fn.pdev, &shut);
	if (err)
		return err;
	devirt_vfset_unset(vf->fn.vfset);
	devirt_function_reopen(vf->fn.pdev, shut);
	return 0;
}

static int devirt_vf_release(struct devirt_resource *res)
{
	struct devirt_vf *vf = to_devirt_vf(res);
	struct devirt_pool *pool = vf->pool;
	struct pci_dev *pdev = vf->fn.pdev;
	int err = 0;

	if (!device_is_registered(&pdev->dev))
		devirt_event(res->part, DEVIRT_EVENT_DRIFT, .record = &res->index,
			     .detail = "unplugged");
	else if (devirt_function_busy(pdev))
		return -EAGAIN;

	/* A pool that was there before: while this one is held, nobody removes it. */
	if (!pool->made) {
		pci_clear_dev_assigned(pdev);
		err = devirt_function_give(res, &vf->fn);
		if (err) {
			pci_set_dev_assigned(pdev);
			return err;
		}
	}
	err = devirt_vf_unset(vf);
	if (err)
		return err;
	mutex_lock(&pool->lock);
	if (pool->made) {
		err = devirt_vf_leave(res, vf);
		if (err)
			goto out;
	}
	kfree(vf->fn.override);
	vf->fn.override = NULL;
	pool->held--;
out:
	mutex_unlock(&pool->lock);
	return err;
}

static void devirt_vf_drop(struct devirt_resource *res)
{
	struct devirt_vf *vf = to_devirt_vf(res);

	vf->fn.vfset = NULL;
	devirt_vfset_drop(&vf->vfset);
	devirt_function_drop(&vf->fn);
	devirt_pool_put(vf->pool);
}

/*
 * Host drivers take long to leave a VF, and to come back to it. But members of a
 * group return one after the other: each claims all of it meanwhile. VFs that are
 * yet to be made have no driver, and need no claim when they go.
 */
static bool devirt_vf_beside(struct devirt_resource *a, struct devirt_resource *b)
{
	return !to_devirt_vf(a)->fn.pdev || !to_devirt_vf(b)->fn.pdev ||
	       a->rec.vf.vfio.group != b->rec.vf.vfio.group;
}

static int devirt_vf_describe(struct devirt_resource *res, char *buf, size_t size)
{
	struct devirt_record_vf *rec = &res->rec.vf;

	return scnprintf(buf, size, "%04x:%02x:%02x.%d VF %u of %04x:%02x:%02x.%d",
			 rec->addr.domain, rec->addr.bus, PCI_SLOT(rec->addr.devfn),
			 PCI_FUNC(rec->addr.devfn), rec->index, rec->pf.domain, rec->pf.bus,
			 PCI_SLOT(rec->pf.devfn), PCI_FUNC(rec->pf.devfn));
}

const struct devirt_resource_ops devirt_vf_ops = {
	.kind = DEVIRT_KIND_VF,
	.name = "vf",
	.size = sizeof(struct devirt_vf),
	.beside = devirt_vf_beside,
	.check = devirt_vf_check,
	.veto = devirt_vf_veto,
	.acquire = devirt_vf_acquire,
	.release = devirt_vf_release,
	.drop = devirt_vf_drop,
	.describe = devirt_vf_describe,
};

/* A device appears; no driver has seen it yet, and udev hasn't either. */
static int devirt_sriov_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct device *dev = data;
	struct devirt_pool *pool;
	struct pci_dev *pdev;
	bool ours = false;

	if (action != BUS_NOTIFY_ADD_DEVICE)
		return NOTIFY_DONE;
	pdev = to_pci_dev(dev);
	if (!pdev->is_virtfn)
		return NOTIFY_DONE;
	mutex_lock(&pools_lock);
	pool = devirt_pool_find(pci_physfn(pdev));
	ours = pool && READ_ONCE(pool->making);
	mutex_unlock(&pools_lock);
	/*
	 * Without memory for the override a host driver may get it for a moment;
	 * taking it for the lease then unbinds that one, as with any other.
	 */
	if (ours && devirt_override_set(pdev, DEVIRT_VFIO_DRIVER))
		pci_warn(pdev, "devirt: no memory for its driver override\n");
	return NOTIFY_OK;
}

static struct notifier_block devirt_sriov_nb = {
	.notifier_call = devirt_sriov_notify,
};

int devirt_sriov_init(void)
{
	return bus_register_notifier(&pci_bus_type, &devirt_sriov_nb);
}

void devirt_sriov_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &devirt_sriov_nb);
}
