// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserved functions: kept for guests from the moment that they appear.
 *
 * What the parameter reserve= names (match.c) is given to vfio-pci by a driver
 * override when it is added to its bus, before any driver has probed it: at boot,
 * if the module comes with the initramfs, and when it is plugged in later. What
 * has a host driver already when the module is loaded is taken from it like for a
 * lease: if nobody uses it. A lease takes a reserved function as it is, and it is
 * reserved again afterwards. When the module goes they return to the host.
 *
 * What keep= names is never reserved, whatever the other parameter says. It is for
 * the host's own disks: at boot nothing is mounted from which one could tell.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/device.h>
#include <linux/kmod.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "function.h"
#include "inuse.h"
#include "match.h"
#include "reserve.h"
#include "resource.h"

/* With the end of its line that is a page. */
#define DEVIRT_TEXT_MAX		4094

/* As the kernel's own for text, which takes less than sysfs can show. */
static int devirt_text_set(const char *text, const struct kernel_param *kp)
{
	char **arg = kp->arg, *copy;

	if (strlen(text) > DEVIRT_TEXT_MAX) {
		pr_err("%s=: it is longer than %d bytes\n", kp->name, DEVIRT_TEXT_MAX);
		return -ENOSPC;
	}
	copy = kstrdup(text, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	kfree(*arg);
	*arg = copy;
	return 0;
}

static void devirt_text_free(void *arg)
{
	kfree(*(char **)arg);
}

static const struct kernel_param_ops devirt_text_ops = {
	.set = devirt_text_set,
	.get = param_get_charp,
	.free = devirt_text_free,
};

static char *reserve;
module_param_cb(reserve, &devirt_text_ops, &reserve, 0444);
MODULE_PARM_DESC(reserve, "functions to keep off host drivers, separated by commas: ADDRESS, VENDOR:DEVICE, path:..., serial:..., or several joined by + that all must hold");
static char *keep;
module_param_cb(keep, &devirt_text_ops, &keep, 0444);
MODULE_PARM_DESC(keep, "functions that are never reserved, in the same way");

/**
 * struct devirt_entry - one of the parameters' entries
 * @text: in the parameter; not closed
 * @len: bytes of it
 * @match: what it means
 */
struct devirt_entry {
	const char *text;
	int len;
	struct devirt_match match;
};

/**
 * struct devirt_entries - those of one parameter
 * @v: array
 * @count: how many
 */
struct devirt_entries {
	struct devirt_entry *v;
	size_t count;
};

/**
 * struct devirt_reserved - a function that is reserved
 * @node: in reserved
 * @entry: why
 * @fn: the function, with what it had before
 * @settled: nobody is at work on it
 * @gone: it was unplugged while somebody was
 */
struct devirt_reserved {
	struct list_head node;
	const struct devirt_entry *entry;
	struct devirt_function fn;
	bool settled;
	bool gone;
};

static struct devirt_entries wanted, kept;
static LIST_HEAD(reserved);
/* A leaf: a driver that is probed may add devices, which comes back here. */
static DEFINE_MUTEX(reserved_lock);

/* --------------------------------------------------------- the parameters */

static void devirt_entries_free(struct devirt_entries *entries)
{
	kfree(entries->v);
	entries->v = NULL;
	entries->count = 0;
}

static int devirt_entries_parse(struct devirt_entries *entries, const char *name,
				const char *text)
{
	struct devirt_entry *entry;
	const char *at, *why;
	size_t count = 1;

	if (!text || !*text)
		return 0;
	for (at = text; *at; at++)
		count += *at == ',';
	entries->v = kcalloc(count, sizeof(*entries->v), GFP_KERNEL);
	if (!entries->v)
		return -ENOMEM;
	for (at = text; entries->count < count; at += entry->len + 1) {
		entry = &entries->v[entries->count++];
		entry->text = at;
		entry->len = strcspn(at, ",");
		if (devirt_match_parse(&entry->match, at, entry->len, &why)) {
			pr_err("%s=: entry %zu, \"%.*s\": %s\n", name, entries->count,
			       entry->len, at, why);
			devirt_entries_free(entries);
			return -EINVAL;
		}
	}
	return 0;
}

/* The entry that means this function, or NULL. */
static const struct devirt_entry *devirt_entries_find(const struct devirt_entries *entries,
						      const struct devirt_facts *facts)
{
	size_t i;

	for (i = 0; i < entries->count; i++) {
		if (devirt_match_fits(&entries->v[i].match, facts))
			return &entries->v[i];
	}
	return NULL;
}

/* ----------------------------------------------------------- the functions */

static void devirt_facts_of(struct pci_dev *pdev, struct devirt_facts *facts)
{
	u8 path[DEVIRT_MATCH_HOPS];
	struct pci_dev *at;
	unsigned int hops = 0;

	memset(facts, 0, sizeof(*facts));
	facts->at.domain = pci_domain_nr(pdev->bus);
	facts->at.bus = pdev->bus->number;
	facts->at.devfn = pdev->devfn;
	facts->root.domain = facts->at.domain;
	for (at = pdev; at; at = pci_upstream_bridge(at)) {
		facts->root.bus = at->bus->number;
		if (hops < DEVIRT_MATCH_HOPS)
			path[DEVIRT_MATCH_HOPS - 1 - hops] = at->devfn;
		hops++;
	}
	if (hops <= DEVIRT_MATCH_HOPS) {
		facts->hops = hops;
		memcpy(facts->path, path + DEVIRT_MATCH_HOPS - hops, hops);
	}
	facts->vendor = pdev->vendor;
	facts->device = pdev->device;
	facts->subvendor = pdev->subsystem_vendor;
	facts->subdevice = pdev->subsystem_device;
	facts->serial = pci_get_dsn(pdev);
}

/* The entry that it shall be reserved for, or NULL. */
static const struct devirt_entry *devirt_reserve_wanted(struct pci_dev *pdev)
{
	const struct devirt_entry *entry, *stay;
	struct devirt_facts facts;

	if (!wanted.count)
		return NULL;
	devirt_facts_of(pdev, &facts);
	entry = devirt_entries_find(&wanted, &facts);
	if (!entry)
		return NULL;
	if (pdev->is_virtfn) {
		pci_warn(pdev, "devirt: a VF, not reserved for %.*s: it is its PF's pool's\n",
			 entry->len, entry->text);
		return NULL;
	}
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		pci_warn(pdev, "devirt: a bridge, not reserved for %.*s\n", entry->len,
			 entry->text);
		return NULL;
	}
	stay = devirt_entries_find(&kept, &facts);
	if (stay) {
		pci_warn(pdev, "devirt: not reserved for %.*s: the host needs it (keep=%.*s)\n",
			 entry->len, entry->text, stay->len, stay->text);
		return NULL;
	}
	return entry;
}

static void devirt_reserved_free(struct devirt_reserved *res)
{
	kfree(res->fn.override);
	pci_dev_put(res->fn.pdev);
	kfree(res);
}

static struct devirt_reserved *devirt_reserved_find(struct pci_dev *pdev)
{
	struct devirt_reserved *res;

	lockdep_assert_held(&reserved_lock);
	list_for_each_entry(res, &reserved, node) {
		if (res->fn.pdev == pdev)
			return res;
	}
	return NULL;
}

/* Off its host driver, if nobody uses it. The override is there. */
static int devirt_reserve_take(struct devirt_reserved *res)
{
	struct pci_dev *pdev = res->fn.pdev;
	struct devirt_resource *idle;
	LIST_HEAD(disks);
	int err = -EBUSY;

	/* Its record takes down what is in the way. */
	idle = kzalloc(sizeof(*idle), GFP_KERNEL);
	if (!idle)
		return -ENOMEM;
	if (pci_num_vf(pdev))
		devirt_refuse(idle, DEVIRT_REASON_VFS_ENABLED, err, "it has %d VFs",
			      pci_num_vf(pdev));
	else if (devirt_function_busy(pdev))
		devirt_refuse(idle, DEVIRT_REASON_VFIO_BUSY, err, "a process has it, through VFIO");
	else
		err = devirt_inuse_hold(idle, &pdev->dev, &disks);
	if (!err)
		device_release_driver(&pdev->dev);
	else
		pci_warn(pdev, "devirt: not reserved for %.*s: %s has it, and it is in use (%s)\n",
			 res->entry->len, res->entry->text, res->fn.driver, idle->rec.detail);
	devirt_inuse_drop(&disks);
	kfree(idle);
	return err;
}

/*
 * Reserve it if it shall be. @fresh: it is being added, so that no driver can have
 * it, and one is looked for afterwards in any case.
 */
static void devirt_reserve_one(struct pci_dev *pdev, bool fresh)
{
	const struct devirt_entry *entry = devirt_reserve_wanted(pdev);
	struct devirt_reserved *res;
	bool known;
	int err;

	if (!entry)
		return;
	res = kzalloc(sizeof(*res), GFP_KERNEL);
	if (!res) {
		pci_warn(pdev, "devirt: not reserved: no memory\n");
		return;
	}
	res->entry = entry;
	res->fn.pdev = pci_dev_get(pdev);
	mutex_lock(&reserved_lock);
	known = devirt_reserved_find(pdev);
	if (!known)
		list_add_tail(&res->node, &reserved);
	mutex_unlock(&reserved_lock);
	if (known) {
		devirt_reserved_free(res);
		return;
	}

	err = devirt_override_get(pdev, &res->fn.override);
	if (!err)
		err = devirt_override_set(pdev, DEVIRT_VFIO_DRIVER);
	if (err) {
		pci_warn(pdev, "devirt: not reserved: no memory\n");
	} else if (!fresh) {
		/* After the override: a driver that comes later can't have it. */
		devirt_function_driver(pdev, res->fn.driver);
		if (res->fn.driver[0] && strcmp(res->fn.driver, DEVIRT_VFIO_DRIVER))
			err = devirt_reserve_take(res);
		if (err)
			devirt_override_set(pdev, res->fn.override);
		else if (device_attach(&pdev->dev) < 0)
			pci_warn(pdev, "devirt: %s doesn't take it\n", DEVIRT_VFIO_DRIVER);
	}
	if (!err)
		pci_info(pdev, "devirt: reserved for %.*s\n", entry->len, entry->text);

	mutex_lock(&reserved_lock);
	res->settled = true;
	if (err || res->gone)
		list_del(&res->node);
	else
		res = NULL;
	mutex_unlock(&reserved_lock);
	if (res)
		devirt_reserved_free(res);
}

/* Unplugged: what comes in its place is another, and is looked at anew. */
static void devirt_reserve_forget(struct pci_dev *pdev)
{
	struct devirt_reserved *res;

	mutex_lock(&reserved_lock);
	res = devirt_reserved_find(pdev);
	if (res && !res->settled) {
		res->gone = true;
		res = NULL;
	} else if (res) {
		list_del(&res->node);
	}
	mutex_unlock(&reserved_lock);
	if (res)
		devirt_reserved_free(res);
}

/* Back to the host, which looks for a driver as if it had just been added. */
static void devirt_reserve_return(struct devirt_reserved *res)
{
	struct pci_dev *pdev = res->fn.pdev;
	bool clean;
	int err;

	/* Unplugged; or somebody has given it another driver meanwhile. */
	if (!device_is_registered(&pdev->dev) || !devirt_override_is(pdev, DEVIRT_VFIO_DRIVER))
		return;
	err = devirt_function_leave(&res->fn, &clean);
	if (devirt_override_set(pdev, res->fn.override))
		pci_warn(pdev, "devirt: no memory for its driver override, %s\n",
			 res->fn.override);
	if (err)
		pci_warn(pdev, "devirt: no longer reserved, but %s keeps it: a process uses it\n",
			 DEVIRT_VFIO_DRIVER);
	else if (device_attach(&pdev->dev) < 0)
		pci_warn(pdev, "devirt: no longer reserved, but the host's driver failed\n");
}

static int devirt_reserve_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);

	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		devirt_reserve_one(pdev, true);
		return NOTIFY_OK;
	case BUS_NOTIFY_REMOVED_DEVICE:
		devirt_reserve_forget(pdev);
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

/* Before the pools', which may have to keep what is reserved even from vfio-pci. */
static struct notifier_block devirt_reserve_nb = {
	.notifier_call = devirt_reserve_notify,
	.priority = 1,
};

/**
 * devirt_reserve_override - what a function's override is while nobody leases it
 * @pdev: the function
 *
 * May sleep. Return: that of vfio-pci, or NULL if it isn't reserved.
 */
const char *devirt_reserve_override(struct pci_dev *pdev)
{
	bool found;

	mutex_lock(&reserved_lock);
	found = devirt_reserved_find(pdev);
	mutex_unlock(&reserved_lock);
	return found ? DEVIRT_VFIO_DRIVER : NULL;
}

/* ------------------------------------------------- what is reserved by now */

static int devirt_reserved_get(char *buf, const struct kernel_param *kp)
{
	struct devirt_reserved *res;
	int len = 0;

	mutex_lock(&reserved_lock);
	list_for_each_entry(res, &reserved, node) {
		if (res->settled)
			len += scnprintf(buf + len, PAGE_SIZE - len, "%s%s", len ? " " : "",
					 pci_name(res->fn.pdev));
	}
	mutex_unlock(&reserved_lock);
	return len + scnprintf(buf + len, PAGE_SIZE - len, "\n");
}

static int devirt_reserved_set(const char *text, const struct kernel_param *kp)
{
	return -EPERM;
}

static const struct kernel_param_ops devirt_reserved_ops = {
	.get = devirt_reserved_get,
	.set = devirt_reserved_set,
};
module_param_cb(reserved, &devirt_reserved_ops, NULL, 0444);
MODULE_PARM_DESC(reserved, "not to be set: addresses of what is reserved now");

/**
 * devirt_reserve_init - reserve what there is, and from now on what comes
 *
 * May sleep. Return: 0; -EINVAL for a parameter with a bad entry, which is named
 * in the log; -ENOMEM. That a function is in use is no error.
 */
int devirt_reserve_init(void)
{
	struct pci_dev *pdev = NULL;
	int err;

	err = devirt_entries_parse(&wanted, "reserve", reserve);
	if (!err)
		err = devirt_entries_parse(&kept, "keep", keep);
	if (!err)
		err = bus_register_notifier(&pci_bus_type, &devirt_reserve_nb);
	if (err) {
		devirt_entries_free(&wanted);
		devirt_entries_free(&kept);
		return err;
	}
	if (!wanted.count)
		return 0;
	for_each_pci_dev(pdev)
		devirt_reserve_one(pdev, false);
	/* It would find them by itself; but who would load it? */
	request_module(DEVIRT_VFIO_DRIVER);
	return 0;
}

/** devirt_reserve_exit - give all of them back. Nothing is leased. May sleep. */
void devirt_reserve_exit(void)
{
	struct devirt_reserved *res, *next;

	bus_unregister_notifier(&pci_bus_type, &devirt_reserve_nb);
	list_for_each_entry_safe(res, next, &reserved, node) {
		devirt_reserve_return(res);
		mutex_lock(&reserved_lock);
		list_del(&res->node);
		mutex_unlock(&reserved_lock);
		devirt_reserved_free(res);
	}
	devirt_entries_free(&wanted);
	devirt_entries_free(&kept);
}
