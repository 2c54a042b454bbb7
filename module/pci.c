// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kind pci: a whole PCI function.
 */
#include <linux/pci.h>

#include "compat/compat.h"
#include "function.h"
#include "irq.h"
#include "partition.h"
#include "pool.h"
#include "resource.h"

struct devirt_pci {
	struct devirt_resource res;
	struct devirt_function fn;
};

static struct devirt_pci *to_devirt_pci(struct devirt_resource *res)
{
	return container_of(res, struct devirt_pci, res);
}

static int devirt_pci_check(struct devirt_resource *res)
{
	struct devirt_record_pci *rec = &res->rec.pci;
	struct pci_dev *pdev;
	int err;

	if (res->rec.flags)
		return devirt_refuse(res, DEVIRT_REASON_UNSUPPORTED, -EOPNOTSUPP, "flags");
	if (devirt_record_unused(&res->rec, sizeof(*rec)))
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "raw");
	err = devirt_irq_check(res, &rec->irq);
	if (err)
		return err;
	pdev = devirt_function_find(res, &rec->addr);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	if (pdev->is_virtfn) {
		err = devirt_refuse(res, DEVIRT_REASON_IS_VF, -EINVAL, "%s",
				    pci_name(pci_physfn(pdev)));
		goto out;
	}
	err = devirt_function_check(res, &to_devirt_pci(res)->fn, pdev, &rec->vfio);
	if (err)
		goto out;
	/* After the claim: a VF of it is claimed the other way round. */
	if (pci_num_vf(pdev))
		err = devirt_refuse(res, DEVIRT_REASON_VFS_ENABLED, -EBUSY, "%d",
				    pci_num_vf(pdev));
	else if (devirt_pool_wanted(pdev))
		err = devirt_refuse(res, DEVIRT_REASON_VFS_ENABLED, -EBUSY, "0");
	if (err)
		devirt_function_drop(&to_devirt_pci(res)->fn);
out:
	pci_dev_put(pdev);
	return err;
}

static int devirt_pci_veto(struct devirt_resource *res)
{
	return devirt_function_veto(res, &to_devirt_pci(res)->fn);
}

static int devirt_pci_acquire(struct devirt_resource *res)
{
	return devirt_function_take(res, &to_devirt_pci(res)->fn, &res->rec.pci.vfio,
				    &res->rec.pci.irq);
}

static int devirt_pci_release(struct devirt_resource *res)
{
	return devirt_function_give(res, &to_devirt_pci(res)->fn);
}

static void devirt_pci_drop(struct devirt_resource *res)
{
	devirt_function_drop(&to_devirt_pci(res)->fn);
}

static int devirt_pci_describe(struct devirt_resource *res, char *buf, size_t size)
{
	struct devirt_record_pci *rec = &res->rec.pci;

	return scnprintf(buf, size, "%04x:%02x:%02x.%d %s", rec->addr.domain, rec->addr.bus,
			 PCI_SLOT(rec->addr.devfn), PCI_FUNC(rec->addr.devfn),
			 rec->vfio.driver[0] ? rec->vfio.driver : "-");
}

const struct devirt_resource_ops devirt_pci_ops = {
	.kind = DEVIRT_KIND_PCI,
	.name = "pci",
	.size = sizeof(struct devirt_pci),
	.check = devirt_pci_check,
	.veto = devirt_pci_veto,
	.acquire = devirt_pci_acquire,
	.release = devirt_pci_release,
	.drop = devirt_pci_drop,
	.describe = devirt_pci_describe,
};
