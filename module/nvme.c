// SPDX-License-Identifier: GPL-2.0-only
/*
 * Admin commands to the controller of an NVMe PF, whose driver stays on it.
 *
 * The kernel exports how to send one, nvme_submit_sync_cmd(), but not which
 * queue is a controller's: that is in a structure of the driver's own. It also
 * exports nvme_get_features(), which takes the controller, and its first step is
 * to get a request from that queue. So it is called once, with a probe at that
 * step. Whoever holds a reference to a queue can use it as long as he likes:
 * once the driver has left, it gives no requests any more.
 *
 * The driver may not be loaded at all, so its functions are looked up when they
 * are called. A command ends when the controller answers or when the driver, by
 * its own time limits, has given the controller up.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nvme.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "hook.h"
#include "nvme.h"

#define DEVIRT_NVME_DRIVER	"nvme"

/* Commands and answers that <linux/nvme.h> doesn't name. */
#define DEVIRT_NVME_VIRT_MGMT	0x1c
#define DEVIRT_NVME_CNS_PRIMARY	0x14
#define DEVIRT_NVME_CNS_LIST	0x15

/* One asks for a queue at a time. Inside a pool's lock; devices' are inside it. */
static DEFINE_MUTEX(nvme_lock);
/* Who asks, and what was found: only the one who asks touches that. */
static struct task_struct *nvme_asking;
static struct request_queue *nvme_found;

/**
 * devirt_nvme_requested - somebody gets a request from a queue
 * @queue: the queue
 *
 * Called by a probe, in any context.
 */
void devirt_nvme_requested(struct request_queue *queue)
{
	if (READ_ONCE(nvme_asking) == current && !nvme_found)
		nvme_found = queue;
}
NOKPROBE_SYMBOL(devirt_nvme_requested);

/* With the PF locked. */
static bool devirt_nvme_driven(struct pci_dev *pf)
{
	return pf->driver && !strcmp(pf->driver->name, DEVIRT_NVME_DRIVER);
}

/**
 * devirt_nvme_is - does the host's NVMe driver have this PF?
 * @pf: the PF
 *
 * May sleep; takes the device lock.
 */
bool devirt_nvme_is(struct pci_dev *pf)
{
	bool is;

	device_lock(&pf->dev);
	is = devirt_nvme_driven(pf);
	device_unlock(&pf->dev);
	return is;
}

static int devirt_nvme_child(struct device *dev, void *data)
{
	struct device **found = data;

	if (!dev->class || strcmp(dev->class->name, "nvme"))
		return 0;
	*found = dev;
	return 1;
}

static struct request_queue *devirt_nvme_ask(struct pci_dev *pf)
{
	typeof(&nvme_get_features) get_features = symbol_get(nvme_get_features);
	struct request_queue *queue = NULL;
	struct device *ctrl = NULL;
	u32 result;

	if (!get_features)
		return NULL;
	/* Its driver can't leave, and the controller and its queue not go, meanwhile. */
	device_lock(&pf->dev);
	if (devirt_nvme_driven(pf))
		device_for_each_child(&pf->dev, &ctrl, devirt_nvme_child);
	if (ctrl) {
		nvme_found = NULL;
		WRITE_ONCE(nvme_asking, current);
		get_features(dev_get_drvdata(ctrl), NVME_FEAT_NUM_QUEUES, 0, NULL, 0, &result);
		WRITE_ONCE(nvme_asking, NULL);
		/* What it answers matters not; whether it lives, a command will tell. */
		if (nvme_found && blk_get_queue(nvme_found))
			queue = nvme_found;
	}
	device_unlock(&pf->dev);
	symbol_put(nvme_get_features);
	return queue;
}

static int devirt_nvme_find(struct devirt_nvme *nvme, struct pci_dev *pf)
{
	int err;

	err = devirt_hook_arm(DEVIRT_HOOK_BLOCK_REQUEST);
	if (err)
		return err;
	mutex_lock(&nvme_lock);
	nvme->queue = devirt_nvme_ask(pf);
	mutex_unlock(&nvme_lock);
	devirt_hook_disarm(DEVIRT_HOOK_BLOCK_REQUEST);
	return nvme->queue ? 0 : -ENODEV;
}

/**
 * devirt_nvme_open - get ready to talk to a PF's controller
 * @nvme: filled in; undone by devirt_nvme_close()
 * @pf: the PF
 *
 * May sleep, also for as long as the controller is being reset; takes the device
 * lock. Return: 0; -ENODEV if the host's driver doesn't have it, or its controller
 * is dead; -EOPNOTSUPP if the kernel can't place probes; -ENOMEM.
 */
int devirt_nvme_open(struct devirt_nvme *nvme, struct pci_dev *pf)
{
	int err;

	nvme->buf = kzalloc(NVME_IDENTIFY_DATA_SIZE, GFP_KERNEL);
	if (!nvme->buf)
		return -ENOMEM;
	err = devirt_nvme_find(nvme, pf);
	if (err)
		devirt_nvme_close(nvme);
	return err;
}

/**
 * devirt_nvme_reopen - the driver was away: talk to the controller that it has now
 * @nvme: that was opened once, even if this has failed since
 * @pf: the PF
 *
 * May sleep; takes the device lock. Return: as devirt_nvme_open().
 */
int devirt_nvme_reopen(struct devirt_nvme *nvme, struct pci_dev *pf)
{
	if (nvme->queue)
		blk_put_queue(nvme->queue);
	nvme->queue = NULL;
	return devirt_nvme_find(nvme, pf);
}

/**
 * devirt_nvme_close - undo devirt_nvme_open()
 * @nvme: that was opened; again does nothing
 *
 * May sleep.
 */
void devirt_nvme_close(struct devirt_nvme *nvme)
{
	if (nvme->queue)
		blk_put_queue(nvme->queue);
	nvme->queue = NULL;
	kfree(nvme->buf);
	nvme->buf = NULL;
}

static int devirt_nvme_submit(struct devirt_nvme *nvme, struct nvme_command *cmd, bool answer)
{
	typeof(&nvme_submit_sync_cmd) submit;
	int ret;

	if (!nvme->queue)
		return -ENODEV;
	submit = symbol_get(nvme_submit_sync_cmd);
	if (!submit)
		return -ENODEV;
	ret = submit(nvme->queue, cmd, answer ? nvme->buf : NULL,
		     answer ? NVME_IDENTIFY_DATA_SIZE : 0);
	symbol_put(nvme_submit_sync_cmd);
	return ret;
}

static int devirt_nvme_identify(struct devirt_nvme *nvme, u8 what, u16 first)
{
	struct nvme_command cmd = {
		.identify.opcode = nvme_admin_identify,
		.identify.cns = what,
		.identify.ctrlid = cpu_to_le16(first),
	};

	memset(nvme->buf, 0, NVME_IDENTIFY_DATA_SIZE);
	return devirt_nvme_submit(nvme, &cmd, true);
}

/**
 * devirt_nvme_identify_primary - what does the PF's controller have to share out?
 * @nvme: the controller; @nvme->primary is filled in
 *
 * May sleep. Return: 0, a negative errno, or the NVMe status.
 */
int devirt_nvme_identify_primary(struct devirt_nvme *nvme)
{
	BUILD_BUG_ON(offsetof(struct devirt_nvme_primary, shares) != 32);
	BUILD_BUG_ON(sizeof(struct devirt_nvme_shares) != 32);
	return devirt_nvme_identify(nvme, DEVIRT_NVME_CNS_PRIMARY, 0);
}

/**
 * devirt_nvme_identify_list - which controllers do its VFs have?
 * @nvme: the controller; @nvme->list is filled in, in the order of their numbers
 * @first: from this number on
 *
 * May sleep. Return: 0, a negative errno, or the NVMe status.
 */
int devirt_nvme_identify_list(struct devirt_nvme *nvme, u16 first)
{
	BUILD_BUG_ON(sizeof(struct devirt_nvme_secondary) != 32);
	BUILD_BUG_ON(sizeof(struct devirt_nvme_list) != NVME_IDENTIFY_DATA_SIZE);
	return devirt_nvme_identify(nvme, DEVIRT_NVME_CNS_LIST, first);
}

/**
 * devirt_nvme_manage - do something with a VF's controller
 * @nvme: the PF's controller
 * @cntlid: number of the VF's
 * @action: what
 * @type: what to assign
 * @count: how many of it
 *
 * Allocates nothing. May sleep. Return: 0, a negative errno (-ENODEV if the
 * driver has left the PF), or the NVMe status.
 */
int devirt_nvme_manage(struct devirt_nvme *nvme, u16 cntlid, enum devirt_nvme_action action,
		       enum devirt_nvme_type type, u16 count)
{
	struct nvme_command cmd = {
		.common.opcode = DEVIRT_NVME_VIRT_MGMT,
		.common.cdw10 = cpu_to_le32(cntlid << 16 | type << 8 | action),
		.common.cdw11 = cpu_to_le32(count),
	};

	return devirt_nvme_submit(nvme, &cmd, false);
}
