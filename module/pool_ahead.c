// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizing a PF's pool ahead: VFs that stay when none is leased, until it is said that
 * they shall go.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/pci.h>

#include "compat/compat.h"
#include "function.h"
#include "partition.h"
#include "pool.h"
#include "resource.h"

/* Who is in the way of removing it: a lease, a process, a host's driver. */
static int devirt_pool_taken(struct devirt_resource *res, struct devirt_pool *pool)
{
	struct devirt_pool_vf *leased;
	struct pci_dev *vf = NULL;
	int err = 0;

	lockdep_assert_held(&pool->lock);
	list_for_each_entry(leased, &pool->leased, entry)
		return devirt_refuse(res, DEVIRT_REASON_POOL_BUSY, -EBUSY, "%u lease %s",
				     leased->res->rec.vf.index,
				     devirt_partition_name(leased->res->part));
	if (pool->held)
		return devirt_refuse(res, DEVIRT_REASON_POOL_BUSY, -EBUSY, "%s", "");
	while (!err && (vf = devirt_pool_next(pool->pf, vf))) {
		if (devirt_function_busy(vf))
			err = devirt_refuse(res, DEVIRT_REASON_POOL_BUSY, -EBUSY, "%d vfio",
					    pci_iov_vf_id(vf));
		/* Who unbinds one that is used has its lock until that process lets go. */
		if (err)
			break;
		device_lock(&vf->dev);
		if (vf->driver && strcmp(vf->driver->name, DEVIRT_VFIO_DRIVER))
			err = devirt_refuse(res, DEVIRT_REASON_POOL_BUSY, -EBUSY, "%d driver %s",
					    pci_iov_vf_id(vf), vf->driver->name);
		device_unlock(&vf->dev);
	}
	pci_dev_put(vf);
	return err;
}

static int devirt_pool_none(struct devirt_resource *res, struct devirt_pool *pool)
{
	int err;

	lockdep_assert_held(&pool->lock);
	err = devirt_pool_taken(res, pool);
	if (err)
		return err;
	err = devirt_pool_remove(pool);
	if (err)
		return devirt_refuse(res, DEVIRT_REASON_INTERNAL, err, "removing the VFs of %s",
				     pci_name(pool->pf));
	devirt_pool_keep(pool, false);
	return 0;
}

static int devirt_pool_some(struct devirt_resource *res, struct devirt_pool *pool, u32 count)
{
	int before = pci_num_vf(pool->pf), made = before, err;

	lockdep_assert_held(&pool->lock);
	if (!before) {
		pool->size = count;
		err = devirt_pool_make(res, pool);
		if (err)
			return err;
		made = pci_num_vf(pool->pf);
	}
	/* Asking again for what is there is fine, as long as it is ours. */
	if (!pool->made || (before && before != count))
		return devirt_refuse(res, DEVIRT_REASON_POOL_SIZE, -EBUSY, "%d", made);
	if (made != count) {
		devirt_refuse(res, DEVIRT_REASON_POOL_FAILED, -ENOSPC, "%u %d", count, made);
		devirt_pool_abandon(pool);
		return -ENOSPC;
	}
	devirt_pool_keep(pool, true);
	return 0;
}

static int devirt_pool_check(struct devirt_resource *res, struct pci_dev *pf, u32 count)
{
	u32 total = pf->is_physfn ? pci_sriov_get_totalvfs(pf) : 0;
	int err;

	if (!total)
		return devirt_refuse(res, DEVIRT_REASON_NOT_PF, -EINVAL, "%s", pci_name(pf));
	if (count > total)
		return devirt_refuse(res, DEVIRT_REASON_VF_INDEX, -ERANGE, "%u", total);
	if (!count)
		return 0;
	err = devirt_pool_driver(res, pf);
	if (!err)
		err = devirt_function_isolated(res, pf);
	return err < 0 ? err : 0;
}

static void devirt_pool_look(struct devirt_pool *pool, struct devirt_pool_size *arg)
{
	lockdep_assert_held(&pool->lock);
	arg->count = pci_num_vf(pool->pf);
	if (!arg->count)
		arg->origin = DEVIRT_POOL_NONE;
	else if (!pool->made)
		arg->origin = DEVIRT_POOL_HOST;
	else
		arg->origin = pool->kept ? DEVIRT_POOL_AHEAD : DEVIRT_POOL_LEASES;
}

/**
 * devirt_pool_resize - DEVIRT_POOL
 * @arg: its argument; outputs are filled in
 *
 * May sleep; takes the device lock. Return: 0, the errno of the refusal, or -EINTR: killed
 * while it waited for somebody else who makes or removes the pool.
 */
int devirt_pool_resize(struct devirt_pool_size *arg)
{
	bool look = arg->flags & DEVIRT_POOL_LOOK;
	char owner[DEVIRT_NAME_MAX];
	struct devirt_resource res = {};
	struct devirt_pool *pool;
	struct pci_dev *pf;
	int err;

	pf = devirt_function_find(&res, &arg->pf);
	if (IS_ERR(pf)) {
		err = PTR_ERR(pf);
		goto out;
	}
	err = devirt_pool_check(&res, pf, look ? 0 : arg->count);
	if (err)
		goto out_pf;
	pool = devirt_pool_get(pf);
	if (!pool) {
		err = devirt_refuse(&res, DEVIRT_REASON_NO_MEMORY, -ENOMEM, "pool");
		goto out_pf;
	}
	err = devirt_pool_lock(&res, pool);
	if (err)
		goto out_pool;
	/* After the pool is known: devirt_pci_check() looks the other way round. */
	if (!look && devirt_claim_holder(&res, DEVIRT_CLAIM_FUNCTION, devirt_function_id(pf),
					 owner))
		err = devirt_refuse(&res, DEVIRT_REASON_PF_OWNED, -EBUSY, "%s", owner);
	else if (!look && arg->count)
		err = devirt_pool_some(&res, pool, arg->count);
	else if (!look)
		err = devirt_pool_none(&res, pool);
	devirt_pool_look(pool, arg);
	mutex_unlock(&pool->lock);
out_pool:
	devirt_pool_put(pool);
out_pf:
	pci_dev_put(pf);
out:
	arg->reason = res.rec.reason;
	arg->error = res.rec.error;
	memcpy(arg->detail, res.rec.detail, sizeof(arg->detail));
	return err;
}
