// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCI function: may it be leased, its way to vfio-pci, and back to exactly
 * the driver, driver override and power policy that it had. What a whole
 * function (pci.c) and a VF (sriov.c) have in common.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/kmod.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/vfio_pci_core.h>

#include "compat/compat.h"
#include "cpu.h"
#include "function.h"
#include "inuse.h"
#include "partition.h"
#include "resource.h"
#include "user.h"
#include "vfset.h"

/* No driver has this name, so none binds a function that is unfit. */
#define DEVIRT_NO_DRIVER	"devirt-quarantine"

static struct device_driver *devirt_vfio_driver(void)
{
	return driver_find(DEVIRT_VFIO_DRIVER, &pci_bus_type);
}

/**
 * devirt_function_driver - the name of the driver that a function has
 * @pdev: the function
 * @name: DEVIRT_DRIVER_MAX bytes; empty for none
 *
 * Waits for a driver that is at it just now. May sleep; takes the device lock.
 */
void devirt_function_driver(struct pci_dev *pdev, char *name)
{
	name[0] = '\0';
	device_lock(&pdev->dev);
	if (pdev->dev.driver)
		strscpy(name, pdev->dev.driver->name, DEVIRT_DRIVER_MAX);
	device_unlock(&pdev->dev);
}

static bool devirt_function_has(struct pci_dev *pdev, const char *name)
{
	bool has;

	device_lock(&pdev->dev);
	has = pdev->dev.driver && !strcmp(pdev->dev.driver->name, name);
	device_unlock(&pdev->dev);
	return has;
}

/**
 * devirt_function_find - the function at an address
 * @res: the resource, whose refusal is noted
 * @addr: where
 *
 * May sleep. Return: the function, with a reference; ERR_PTR(-EINVAL) if the
 * address has no valid form, ERR_PTR(-ENODEV) if there is no function.
 */
struct pci_dev *devirt_function_find(struct devirt_resource *res,
				     const struct devirt_pci_addr *addr)
{
	struct pci_dev *pdev;

	if (addr->reserved)
		return ERR_PTR(devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL,
					     "addr.reserved"));
	if (addr->domain > INT_MAX)
		return ERR_PTR(devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL,
					     "addr.domain"));
	pdev = pci_get_domain_bus_and_slot(addr->domain, addr->bus, addr->devfn);
	if (!pdev)
		return ERR_PTR(devirt_refuse(res, DEVIRT_REASON_NO_DEVICE, -ENODEV,
					     "%04x:%02x:%02x.%d", addr->domain, addr->bus,
					     PCI_SLOT(addr->devfn), PCI_FUNC(addr->devfn)));
	return pdev;
}

/**
 * devirt_function_isolated - can a guest that has it reach nothing else?
 * @res: the resource, whose refusal is noted
 * @pdev: the function, or the PF of one that is yet to be made
 *
 * May sleep. Return: the number of its iommu group, or the errno of the refusal:
 * -EOPNOTSUPP without an IOMMU, -EPERM if interrupts are not remapped.
 */
int devirt_function_isolated(struct devirt_resource *res, struct pci_dev *pdev)
{
	struct iommu_group *group = iommu_group_get(&pdev->dev);
	int ret;

	if (!group)
		return devirt_refuse(res, DEVIRT_REASON_NO_IOMMU, -EOPNOTSUPP, "%s",
				     pci_name(pdev));
	ret = iommu_group_id(group);
	if (!devirt_msi_isolated(&pdev->dev, group))
		ret = devirt_refuse(res, DEVIRT_REASON_NO_INTREMAP, -EPERM, "%s",
				    pci_name(pdev));
	iommu_group_put(group);
	return ret;
}

/**
 * devirt_function_check - can this function be leased at all? Claim it
 * @res: the resource, whose refusal is noted
 * @fn: filled in; undone by devirt_function_drop()
 * @pdev: the function; the reference stays the caller's
 * @vfio: outputs that are known by now are filled in
 *
 * May sleep. Return: 0 or the errno of the refusal.
 */
int devirt_function_check(struct devirt_resource *res, struct devirt_function *fn,
			  struct pci_dev *pdev, struct devirt_vfio *vfio)
{
	int err;

	memset(vfio, 0, sizeof(*vfio));
	vfio->device = DEVIRT_INDEX_NONE;
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return devirt_refuse(res, DEVIRT_REASON_NOT_ENDPOINT, -EINVAL, "%s",
				     pci_name(pdev));
	err = devirt_function_isolated(res, pdev);
	if (err < 0)
		return err;
	vfio->group = err;

	err = devirt_claim(res, DEVIRT_CLAIM_FUNCTION, devirt_function_id(pdev));
	if (err)
		return err;
	if (!devirt_vfio_driver())
		request_module(DEVIRT_VFIO_DRIVER);
	if (!devirt_vfio_driver())
		return devirt_refuse(res, DEVIRT_REASON_NO_VFIO, -ENOENT, "%s",
				     DEVIRT_VFIO_DRIVER);
	/* Who unbinds it from a process has its lock until that lets go: not to be waited for. */
	if (device_trylock(&pdev->dev))
		device_unlock(&pdev->dev);
	else if (devirt_function_busy(pdev))
		return devirt_refuse(res, DEVIRT_REASON_VFIO_BUSY, -EBUSY, "%s",
				     pci_name(pdev));
	if (!pdev->reset_methods[0])
		vfio->flags |= DEVIRT_VFIO_NO_RESET;
	devirt_function_driver(pdev, vfio->driver);
	res->rec.node = dev_to_node(&pdev->dev);
	fn->pdev = pci_dev_get(pdev);
	return 0;
}

/* Is it bound to a driver that uses the host's own DMA mappings? */
static int devirt_group_hosted(struct device *dev, void *data)
{
	struct device_driver *drv = READ_ONCE(dev->driver);

	return drv && dev_is_pci(dev) && !to_pci_driver(drv)->driver_managed_dma;
}

/**
 * devirt_function_busy - does a process use it, or its group, through VFIO?
 * @pdev: the function
 *
 * The kernel counts a group's users, but those are processes as well as host
 * drivers. There are never both, so one host driver tells which.
 *
 * May sleep.
 */
bool devirt_function_busy(struct pci_dev *pdev)
{
	struct iommu_group *group = iommu_group_get(&pdev->dev);
	bool busy;

	if (!group)
		return false;
	busy = iommu_group_dma_owner_claimed(group) &&
	       !iommu_group_for_each_dev(group, NULL, devirt_group_hosted);
	iommu_group_put(group);
	return busy;
}

/**
 * devirt_function_shut - let nobody open it through VFIO
 * @pdev: the function
 * @shut: for devirt_function_reopen(), which must follow unless this is -EAGAIN
 *
 * By claiming its group. That fails where another of the group has its host
 * driver, but then VFIO can't open this one either. May sleep. Return: 0; -EAGAIN
 * if somebody has opened it; -ENOMEM if nobody has, but could.
 */
int devirt_function_shut(struct pci_dev *pdev, struct iommu_group **shut)
{
	struct iommu_group *group = iommu_group_get(&pdev->dev);
	int err = group ? iommu_group_claim_dma_owner(group, pdev) : 0;

	*shut = NULL;
	if (!err) {
		*shut = group;
		return 0;
	}
	iommu_group_put(group);
	if (devirt_function_busy(pdev))
		return -EAGAIN;
	return err == -ENOMEM ? err : 0;
}

/**
 * devirt_function_reopen - undo devirt_function_shut()
 * @shut: what that said
 *
 * The function may have been removed meanwhile, and then isn't in its group any more.
 */
void devirt_function_reopen(struct iommu_group *shut)
{
	if (!shut)
		return;
	iommu_group_release_dma_owner(shut);
	iommu_group_put(shut);
}

static int devirt_group_member(struct device *dev, void *data)
{
	struct devirt_resource *res = data;
	size_t len = strlen(res->rec.detail);
	char name[DEVIRT_NAME_MAX];
	struct pci_dev *pdev;

	if (dev_is_pci(dev)) {
		pdev = to_pci_dev(dev);
		if (devirt_claim_mine(res, DEVIRT_CLAIM_FUNCTION, devirt_function_id(pdev)) ||
		    pci_is_bridge(pdev))
			return 0;
		if (!READ_ONCE(dev->driver) &&
		    !devirt_claim_holder(res, DEVIRT_CLAIM_FUNCTION,
					 devirt_function_id(pdev), name))
			return 0;
	}
	scnprintf(res->rec.detail + len, sizeof(res->rec.detail) - len, "%s%s",
		  len ? " " : "", dev_name(dev));
	return 0;
}

/**
 * devirt_function_veto - is somebody using it, or another of its group?
 * @res: the resource, whose refusal is noted
 * @fn: the function
 *
 * All records of the description have claimed theirs. May sleep. Return: 0 or
 * the errno of the refusal.
 */
int devirt_function_veto(struct devirt_resource *res, struct devirt_function *fn)
{
	struct device *dev = &fn->pdev->dev;
	struct iommu_group *group = iommu_group_get(dev);
	int err = 0;

	if (!group)
		return devirt_refuse(res, DEVIRT_REASON_NO_IOMMU, -EOPNOTSUPP, "%s",
				     dev_name(dev));
	memset(res->rec.detail, 0, sizeof(res->rec.detail));
	iommu_group_for_each_dev(group, res, devirt_group_member);
	if (res->rec.detail[0]) {
		res->rec.reason = DEVIRT_REASON_GROUP_SHARED;
		res->rec.error = -EBUSY;
		err = -EBUSY;
	} else if (devirt_function_busy(fn->pdev)) {
		err = devirt_refuse(res, DEVIRT_REASON_VFIO_BUSY, -EBUSY, "%s",
				    dev_name(dev));
	}
	iommu_group_put(group);
	return err ?: devirt_inuse_check(res, dev);
}

/**
 * devirt_vfio_index - note the number of a VFIO device
 * @dev: a child of a device that VFIO has, perhaps its VFIO device
 * @data: struct devirt_vfio
 *
 * For device_for_each_child(). Return: 0.
 */
int devirt_vfio_index(struct device *dev, void *data)
{
	struct devirt_vfio *vfio = data;
	u32 index;

	/* Kernels without VFIO device files have the device, with no number. */
	if (MAJOR(dev->devt) && sscanf(dev_name(dev), "vfio%u", &index) == 1)
		vfio->device = index;
	return 0;
}

/* With the device lock held: its driver, whichever that was, leaves it. */
static void devirt_function_unbound(void *data)
{
	struct devirt_function *fn = data;

	fn->watched = false;
}

/* Notice if it leaves vfio-pci before we return it, even if it comes back. */
static void devirt_function_watch(struct devirt_function *fn)
{
	struct device *dev = &fn->pdev->dev;

	device_lock(dev);
	if (dev->driver && !strcmp(dev->driver->name, DEVIRT_VFIO_DRIVER))
		fn->watched = !devm_add_action(dev, devirt_function_unbound, fn);
	device_unlock(dev);
}

static void devirt_function_unwatch(struct devirt_function *fn)
{
	struct device *dev = &fn->pdev->dev;

	device_lock(dev);
	if (fn->watched)
		devm_remove_action(dev, devirt_function_unbound, fn);
	fn->watched = false;
	device_unlock(dev);
}

/*
 * Has no user left anything in it? VFIO resets a function when its last user
 * closes it, and notes where it couldn't; without a user there was nothing to
 * reset. That note is good for as long as this binding to vfio-pci, which the
 * watch tells. Wherever anything isn't as expected, it counts as used: a reset
 * costs a tenth of a second and is never wrong.
 *
 * Nobody may be able to open it meanwhile.
 */
static bool devirt_function_clean(struct devirt_function *fn)
{
	struct vfio_pci_core_device *core = NULL;
	struct pci_dev *pdev = fn->pdev;
	bool clean = false;

	device_lock(&pdev->dev);
	if (fn->watched)
		core = pci_get_drvdata(pdev);
	if (core && core->vdev.dev == &pdev->dev && core->pdev == pdev)
		clean = !READ_ONCE(core->needs_reset);
	device_unlock(&pdev->dev);
	return clean;
}

static void devirt_function_guard(struct devirt_function *fn);
static int devirt_function_restore(struct devirt_function *fn);

/* It has vfio-pci already, so anybody could open it: set what is to be set. */
static int devirt_function_set(struct devirt_resource *res, struct devirt_function *fn)
{
	struct iommu_group *shut;
	int err;

	if (!fn->vfset)
		return 0;
	err = devirt_function_shut(fn->pdev, &shut);
	if (err == -EAGAIN)
		return devirt_refuse(res, DEVIRT_REASON_VFIO_BUSY, -EBUSY, "%s",
				     pci_name(fn->pdev));
	if (err)
		return err;
	err = devirt_vfset_set(fn->vfset);
	devirt_function_reopen(shut);
	return err;
}

/*
 * The driver that belongs to it is the one that VFIO opens it by, and the only one
 * that has what is to be set. If it has vfio-pci or none, it gets its own.
 */
static int devirt_function_keep(struct devirt_resource *res, struct devirt_function *fn)
{
	struct pci_dev *pdev = fn->pdev;
	int err;

	fn->keeps = true;
	if (!fn->driver[0] || !strcmp(fn->driver, DEVIRT_VFIO_DRIVER)) {
		err = devirt_override_set(pdev, NULL);
		if (err)
			return err;
		device_release_driver(&pdev->dev);
		err = device_attach(&pdev->dev);
		if (err < 0)
			return devirt_refuse(res, DEVIRT_REASON_BIND, err, "%s", pci_name(pdev));
	}
	devirt_function_driver(pdev, fn->kept);
	return devirt_function_set(res, fn);
}

/**
 * devirt_function_take - bring it to vfio-pci
 * @res: the resource, whose refusal is noted
 * @fn: the function
 * @vfio: outputs are filled in
 * @irq: where its interrupts belong
 *
 * Its disks are kept open exclusively until the host's driver is off. May
 * sleep; takes the device and rtnl locks. Return: 0 or an errno; the function
 * has its own driver then.
 */
int devirt_function_take(struct devirt_resource *res, struct devirt_function *fn,
			 struct devirt_vfio *vfio, const struct devirt_irq *irq)
{
	struct pci_dev *pdev = fn->pdev;
	LIST_HEAD(disks);
	int err;

	err = devirt_override_get(pdev, &fn->override);
	if (err)
		return err;
	/* Before anybody can open it. */
	fn->user = devirt_user_watch(res, &pdev->dev, irq, NULL);
	if (IS_ERR(fn->user)) {
		err = PTR_ERR(fn->user);
		fn->user = NULL;
		goto err_free;
	}
	fn->runtime_auto = pdev->dev.power.runtime_auto;
	devirt_function_driver(pdev, fn->driver);
	strscpy(vfio->driver, fn->driver, sizeof(vfio->driver));

	if (devirt_vfset_keeps(fn->vfset)) {
		err = devirt_function_keep(res, fn);
		if (err)
			goto err_restore;
	} else if (strcmp(fn->driver, DEVIRT_VFIO_DRIVER)) {
		err = devirt_override_set(pdev, DEVIRT_VFIO_DRIVER);
		if (err)
			goto err_unwatch;
		/* Once more: what was idle when it was checked may not be now. */
		err = devirt_inuse_hold(res, &pdev->dev, &disks);
		if (!err && fn->driver[0])
			device_release_driver(&pdev->dev);
		devirt_inuse_drop(&disks);
		/* Without a driver nobody can open it. */
		if (!err)
			err = devirt_vfset_set(fn->vfset);
		if (!err) {
			err = device_attach(&pdev->dev);
			if (err >= 0 && !devirt_function_has(pdev, DEVIRT_VFIO_DRIVER))
				err = -ENODEV;
			if (err < 0)
				devirt_refuse(res, DEVIRT_REASON_BIND, err, "%s",
					      pci_name(pdev));
		}
		if (err < 0)
			goto err_restore;
	} else {
		err = devirt_function_set(res, fn);
		if (err)
			goto err_unwatch;
	}
	device_for_each_child(&pdev->dev, vfio, devirt_vfio_index);
	devirt_function_watch(fn);
	return 0;

err_restore:
	devirt_vfset_unset(fn->vfset);
	devirt_function_guard(fn);
	if (devirt_function_restore(fn)) {
		devirt_override_set(pdev, fn->override);
		pci_err(pdev, "devirt: not leased, but %s doesn't take it back\n", fn->driver);
	}
err_unwatch:
	devirt_user_unwatch(fn->user);
	fn->user = NULL;
err_free:
	kfree(fn->override);
	fn->override = NULL;
	return err;
}

/* The walk keeps the driver from leaving. Nonzero, which ends it, when found. */
static int devirt_function_bind_to(struct device_driver *drv, void *data)
{
	struct devirt_function *fn = data;

	if (strcmp(drv->name, fn->driver))
		return 0;
	return device_driver_attach(drv, &fn->pdev->dev) ?: 1;
}

/* To that very driver, even where another one would match as well. */
static int devirt_function_bind(struct devirt_function *fn)
{
	struct pci_dev *pdev = fn->pdev;
	int ret;

	if (!fn->driver[0] || devirt_function_has(pdev, fn->driver))
		return 0;
	ret = devirt_override_set(pdev, fn->driver);
	if (ret)
		return ret;
	ret = bus_for_each_drv(&pci_bus_type, NULL, fn, devirt_function_bind_to);
	if (!ret) {
		/* Unloaded meanwhile: loading it again is the admin's business. */
		pci_info(pdev, "devirt: its driver %s is gone\n", fn->driver);
		return 0;
	}
	devirt_cpu_settle();
	if (devirt_function_has(pdev, fn->driver))
		return 0;
	return ret < 0 ? ret : -ENODEV;
}

/*
 * Nobody may have it but who is to have it: a driver that is being loaded would take
 * it as soon as it has none. Without memory for the override that can still happen,
 * and is an error of devirt_function_bind() then.
 */
static void devirt_function_guard(struct devirt_function *fn)
{
	struct pci_dev *pdev = fn->pdev;

	devirt_override_set(pdev, DEVIRT_NO_DRIVER);
	/* Who is probing it just now has the lock, and who comes next finds the override. */
	if (!devirt_function_has(pdev, fn->driver) && !devirt_function_has(pdev, fn->kept))
		device_release_driver(&pdev->dev);
}

/* Away from its own driver, unless it came from there. */
static void devirt_function_unkeep(struct devirt_function *fn)
{
	if (fn->keeps && strcmp(fn->kept, fn->driver))
		device_release_driver(&fn->pdev->dev);
	fn->keeps = false;
	fn->kept[0] = '\0';
}

/*
 * Driver, override and power policy as they were, of one that is guarded. If its
 * driver doesn't take it the override stays that driver's, so that no other one does.
 * Can be called again.
 */
static int devirt_function_restore(struct devirt_function *fn)
{
	struct pci_dev *pdev = fn->pdev;
	int err;

	devirt_function_unkeep(fn);
	/* The override last: it may name another driver than the one that has it. */
	err = devirt_function_bind(fn) ?: devirt_override_set(pdev, fn->override);
	if (fn->runtime_auto)
		pm_runtime_allow(&pdev->dev);
	else
		pm_runtime_forbid(&pdev->dev);
	return err;
}

/**
 * devirt_function_leave - take it off vfio-pci, unless that is where it came from
 * @fn: the function
 * @clean: is it sure that no user has left anything in it?
 *
 * While its group is claimed nobody can open it, so what was found out stays true,
 * and unbinding doesn't wait for a user with the device locked. Afterwards no driver
 * gets it until its override is set. May sleep; takes the device lock. Return: 0, or
 * -EAGAIN while a process uses it.
 */
int devirt_function_leave(struct devirt_function *fn, bool *clean)
{
	struct iommu_group *shut;

	if (devirt_function_shut(fn->pdev, &shut) == -EAGAIN)
		return -EAGAIN;
	*clean = shut && devirt_function_clean(fn);
	devirt_function_guard(fn);
	devirt_function_reopen(shut);
	return 0;
}

/* Its own driver hears that the lease is over, while nobody can open it. */
static int devirt_function_let(struct devirt_resource *res, struct devirt_function *fn)
{
	struct iommu_group *shut;

	if (devirt_function_shut(fn->pdev, &shut))
		return -EAGAIN;
	if (!devirt_function_has(fn->pdev, fn->kept))
		devirt_event(res->part, DEVIRT_EVENT_DRIFT, .record = &res->index,
			     .detail = "rebound");
	devirt_function_guard(fn);
	devirt_vfset_unset(fn->vfset);
	devirt_function_unkeep(fn);
	devirt_function_reopen(shut);
	return 0;
}

/**
 * devirt_function_give - give it back
 * @res: the resource; what stands in the way is noted
 * @fn: the function
 *
 * Runs in a worker; may sleep; takes the device lock. Return: 0; -EAGAIN while
 * a process uses it; another errno if it can't be reset or bound: no driver
 * gets it then, and calling again tries again.
 */
int devirt_function_give(struct devirt_resource *res, struct devirt_function *fn)
{
	struct pci_dev *pdev = fn->pdev;
	bool clean = false;
	int err;

	if (!device_is_registered(&pdev->dev)) {
		devirt_event(res->part, DEVIRT_EVENT_DRIFT, .record = &res->index,
			     .detail = "unplugged");
		devirt_vfset_unset(fn->vfset);
		goto out;
	}
	if (devirt_function_busy(pdev))
		return -EAGAIN;
	if (fn->keeps) {
		err = devirt_function_let(res, fn);
		if (err)
			return err;
	} else if (devirt_function_has(pdev, DEVIRT_VFIO_DRIVER)) {
		err = devirt_function_leave(fn, &clean);
		if (err)
			return err;
	} else {
		if (READ_ONCE(pdev->dev.driver))
			devirt_event(res->part, DEVIRT_EVENT_DRIFT, .record = &res->index,
				     .detail = "rebound");
		devirt_function_guard(fn);
	}
	if (!clean &&
	    (!READ_ONCE(pdev->dev.driver) || !strcmp(fn->driver, DEVIRT_VFIO_DRIVER))) {
		err = pci_reset_function(pdev);
		if (err && err != -ENOTTY) {
			devirt_override_set(pdev, DEVIRT_NO_DRIVER);
			return devirt_refuse(res, DEVIRT_REASON_INTERNAL, err, "reset of %s",
					     pci_name(pdev));
		}
	}
	devirt_vfset_unset(fn->vfset);
	err = devirt_function_restore(fn);
	if (err) {
		devirt_override_set(pdev, DEVIRT_NO_DRIVER);
		return devirt_refuse(res, DEVIRT_REASON_INTERNAL, err, "%s binding %s",
				     fn->driver, pci_name(pdev));
	}
out:
	kfree(fn->override);
	fn->override = NULL;
	return 0;
}

/**
 * devirt_function_drop - undo devirt_function_check()
 * @fn: the function
 */
void devirt_function_drop(struct devirt_function *fn)
{
	devirt_user_unwatch(fn->user);
	fn->user = NULL;
	if (fn->pdev)
		devirt_function_unwatch(fn);
	pci_dev_put(fn->pdev);
	fn->pdev = NULL;
}

/**
 * devirt_function_facts - what this host offers for passing functions through
 *
 * May sleep. Return: DEVIRT_FACT_*.
 */
u32 devirt_function_facts(void)
{
	struct pci_dev *pdev = NULL;
	struct iommu_group *group;
	u32 facts = 0;

	for_each_pci_dev(pdev) {
		group = iommu_group_get(&pdev->dev);
		if (!group)
			continue;
		facts |= DEVIRT_FACT_IOMMU;
		if (devirt_msi_isolated(&pdev->dev, group))
			facts |= DEVIRT_FACT_INTREMAP;
		iommu_group_put(group);
		pci_dev_put(pdev);
		break;
	}
	if (devirt_vfio_driver())
		facts |= DEVIRT_FACT_VFIO_PCI;
	if (IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV))
		facts |= DEVIRT_FACT_VFIO_CDEV;
	return facts;
}
