// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kind vf: a virtual function of a PF's pool (pool.c).
 *
 * If the PF has none, the first lease makes the pool, and it goes when the last
 * VF of it is returned, unless it was sized ahead. A pool that somebody else has
 * made stays, and its VFs go back to the drivers that they had.
 */
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "function.h"
#include "irq.h"
#include "partition.h"
#include "pool.h"
#include "resource.h"
#include "vfset.h"

/**
 * struct devirt_vf - a VF that is leased
 * @res: its resource
 * @pool: the VFs of its PF, of which it is one
 * @limit: how many of them are to be made, if they must be
 * @fn: it; without a function until there is a pool
 * @vfset: what is to be set
 * @leased: it, for the pool
 */
struct devirt_vf {
	struct devirt_resource res;
	struct devirt_pool *pool;
	u32 limit;
	struct devirt_function fn;
	struct devirt_vfset vfset;
	struct devirt_pool_vf leased;
};

static struct devirt_vf *to_devirt_vf(struct devirt_resource *res)
{
	return container_of(res, struct devirt_vf, res);
}

/* Claim VF number index, and the function itself if it is there for good. */
static int devirt_vf_claim(struct devirt_resource *res, struct devirt_vf *vf, u32 index)
{
	struct devirt_pool *pool = vf->pool;
	struct pci_dev *pdev;
	int err;

	err = devirt_claim(res, DEVIRT_CLAIM_VF, devirt_vf_id(pool->pf, index));
	if (err || !pci_num_vf(pool->pf) || (pool->made && !pool->kept))
		return err;

	/* Not made for a lease: this VF has a history, and perhaps a user. */
	pdev = devirt_pool_vf(pool->pf, index);
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
			devirt_unrefuse(res);
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
	err = devirt_pool_driver(res, pf);
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

	err = devirt_pool_lock(res, vf->pool);
	if (err)
		goto err_pool;
	limit = pci_num_vf(pf);
	vf->limit = limit;
	if (!limit) {
		vf->limit = rec->pool ?: total;
		vf->pool->size = max(vf->pool->size, vf->limit);
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
		pdev = devirt_pool_vf(vf->pool->pf, rec->index);
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
	/* The PF's driver refuses to remove its VFs now. */
	pci_set_dev_assigned(vf->fn.pdev);
	err = devirt_function_take(res, &vf->fn, &rec->vfio, &rec->irq);
	if (err)
		goto err_assigned;
	if (vf->pool->made)
		memset(rec->vfio.driver, 0, sizeof(rec->vfio.driver));
	devirt_pool_leased(vf->pool, &vf->leased, res, &vf->fn);
	return 0;

err_assigned:
	pci_clear_dev_assigned(vf->fn.pdev);
err_drop:
	devirt_function_drop(&vf->fn);
	return err;
}

static int devirt_vf_acquire(struct devirt_resource *res)
{
	struct devirt_record_vf *rec = &res->rec.vf;
	struct devirt_vf *vf = to_devirt_vf(res);
	struct devirt_pool *pool = vf->pool;
	int err;

	err = devirt_pool_lock(res, pool);
	if (err)
		return err;
	if (!pci_num_vf(pool->pf)) {
		/* Those that were there may have gone with the last lease, and their number. */
		pool->size = max3(pool->size, vf->limit, rec->index + 1);
		err = READ_ONCE(res->set->failed) ? -ECANCELED : devirt_pool_make(res, pool);
	}
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
	if (!--pool->held && pool->made && !pool->kept)
		devirt_pool_abandon(pool);
	mutex_unlock(&pool->lock);
	return err;
}

/* Does a pool of which this is the last that is leased go with it? */
static bool devirt_vf_last(struct devirt_pool *pool)
{
	lockdep_assert_held(&pool->lock);
	return pool->held == 1 && ((pool->made && !pool->kept) || READ_ONCE(pool->gone));
}

/* Of a pool of ours, or one that the PF has left behind. */
static int devirt_vf_leave(struct devirt_resource *res, struct devirt_vf *vf)
{
	struct devirt_pool *pool = vf->pool;
	struct pci_dev *pdev = vf->fn.pdev;
	int err = 0;

	lockdep_assert_held(&pool->lock);
	if (devirt_vf_last(pool) && devirt_pool_busy(pool))
		return -EAGAIN;
	pci_clear_dev_assigned(pdev);
	/* No reset: VFIO did that when it was closed, and the VF's user before it. */
	if (devirt_vf_last(pool))
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
	struct iommu_group *shut;
	int err;

	if (!vf->fn.vfset)
		return 0;
	err = devirt_function_shut(vf->fn.pdev, &shut);
	/* Without memory to keep others out it is unset nevertheless. */
	if (err == -EAGAIN)
		return err;
	devirt_vfset_unset(vf->fn.vfset);
	devirt_function_reopen(shut);
	return 0;
}

static int devirt_vf_release(struct devirt_resource *res)
{
	struct devirt_vf *vf = to_devirt_vf(res);
	struct devirt_pool *pool = vf->pool;
	struct pci_dev *pdev = vf->fn.pdev;
	bool ours;
	int err = 0;

	if (!device_is_registered(&pdev->dev))
		devirt_event(res->part, DEVIRT_EVENT_DRIFT, .record = &res->index,
			     .detail = "unplugged");
	else if (devirt_function_busy(pdev))
		return -EAGAIN;

	/* From here on nobody sets it again, or ends who uses it. */
	devirt_pool_returned(&vf->leased);
	ours = READ_ONCE(pool->made) || READ_ONCE(pool->gone);
	/*
	 * A pool that was there before: while this one is held, nobody removes it. And
	 * what had another driver than the rest of a pool gets vfio-pci again.
	 */
	if (!ours || (devirt_vfset_keeps(vf->fn.vfset) && !READ_ONCE(pool->gone))) {
		err = devirt_function_give(res, &vf->fn);
		if (err)
			return err;
	}
	if (!ours)
		pci_clear_dev_assigned(pdev);
	err = devirt_vf_unset(vf);
	if (err)
		return err;
	mutex_lock(&pool->lock);
	if (ours) {
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
