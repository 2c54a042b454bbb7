// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings of a graphics card's VF. The drivers of these have no kernel interface
 * for them but attributes in sysfs, each vendor his own. The table says which: a
 * further vendor is a few lines in it.
 *
 * NVIDIA's are attributes of the VF, made by the driver that VFIO also opens it
 * by. So that driver stays on it, where any other VF gets vfio-pci. A type is
 * written before the VF is opened, and 0 when it is closed; the driver refuses
 * both while a VMM has it. What it offers depends on what is left of the card.
 * Intel's are attributes of the PF, a folder for each VF, which counts from 1.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/kernel.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "function.h"
#include "hostattr.h"
#include "pool.h"
#include "resource.h"
#include "vfset.h"

/* Of an attribute's path below /sys. */
#define DEVIRT_ATTR_PATH	128
/* Of a list of types: sysfs gives no more. */
#define DEVIRT_ATTR_LIST	PAGE_SIZE
/* How many drm/cardN are tried. */
#define DEVIRT_ATTR_CARDS	16

/**
 * struct devirt_attr - how a vendor's driver has one of the settings
 * @bit: which, DEVIRT_VF_SET_*
 * @of_vf: it is an attribute of the VF, and else of the PF
 * @path: below the function's folder; %u: with @cards a card's number, and then
 *	the VF's, from 1
 * @cards: the folder is that of a card, whose number nobody knows
 * @offered: of the VF: the attribute with the numbers that can be written now,
 *	each in a line that begins with it; NULL if all can
 * @by_zero: from one value to another only by way of 0
 */
struct devirt_attr {
	u32 bit;
	bool of_vf;
	const char *path;
	bool cards;
	const char *offered;
	bool by_zero;
};

static const struct devirt_attr devirt_attrs[] = {
	/* NVIDIA, from vGPU 17 on */
	{
		.bit = DEVIRT_VF_SET_VGPU, .of_vf = true, .by_zero = true,
		.path = "nvidia/current_vgpu_type", .offered = "nvidia/creatable_vgpu_types",
	},
	/* Intel xe */
	{ .bit = DEVIRT_VF_SET_VRAM, .path = "sriov_admin/vf%u/profile/vram_quota" },
	{ .bit = DEVIRT_VF_SET_QUANTUM, .path = "sriov_admin/vf%u/profile/exec_quantum_ms" },
	/* Intel i915, where it has SR-IOV */
	{
		.bit = DEVIRT_VF_SET_VRAM, .cards = true,
		.path = "drm/card%u/iov/vf%u/gt/lmem_quota",
	}, {
		.bit = DEVIRT_VF_SET_CONTEXTS, .cards = true,
		.path = "drm/card%u/iov/vf%u/gt/contexts_quota",
	}, {
		.bit = DEVIRT_VF_SET_DOORBELLS, .cards = true,
		.path = "drm/card%u/iov/vf%u/gt/doorbells_quota",
	}, {
		.bit = DEVIRT_VF_SET_QUANTUM, .cards = true,
		.path = "drm/card%u/iov/vf%u/gt/exec_quantum_ms",
	},
};

static const u32 devirt_attr_bits[] = {
	DEVIRT_VF_SET_VGPU, DEVIRT_VF_SET_VRAM, DEVIRT_VF_SET_CONTEXTS,
	DEVIRT_VF_SET_DOORBELLS, DEVIRT_VF_SET_QUANTUM
};

/**
 * struct devirt_attr_before - what a setting was
 * @attr: whose it is
 * @path: where
 * @value: what was there
 */
struct devirt_attr_before {
	const struct devirt_attr *attr;
	char path[DEVIRT_ATTR_PATH];
	u64 value;
};

static u64 devirt_attr_want(const struct devirt_vf_settings *want, u32 bit)
{
	switch (bit) {
	case DEVIRT_VF_SET_VGPU:
		return want->gpu.type;
	case DEVIRT_VF_SET_VRAM:
		return want->gpu.vram;
	case DEVIRT_VF_SET_CONTEXTS:
		return want->gpu.contexts;
	case DEVIRT_VF_SET_DOORBELLS:
		return want->gpu.doorbells;
	default:
		return want->gpu.quantum_ms;
	}
}

static int devirt_attr_get(const char *path, u64 *value)
{
	char buf[32];
	ssize_t len = devirt_hostattr_read(path, buf, sizeof(buf));

	return len < 0 ? len : kstrtou64(buf, 10, value);
}

static int devirt_attr_put(const char *path, u64 value)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%llu", value);
	return devirt_hostattr_write(path, buf);
}

/* The folder of VF number @index of @pf, or of @pf itself. Return: its length. */
static int devirt_attr_folder(struct pci_dev *pf, bool of_vf, u32 index, char *path)
{
	int len = scnprintf(path, DEVIRT_ATTR_PATH, "bus/pci/devices/%s/", pci_name(pf));

	if (of_vf)
		len += scnprintf(path + len, DEVIRT_ATTR_PATH - len, "virtfn%u/", index);
	return len;
}

/* Where a VF has the attribute, and what is in it. Return: 0 or an errno. */
static int devirt_attr_at(const struct devirt_attr *attr, struct pci_dev *pf, u32 index,
			  char *path, u64 *value)
{
	int len = devirt_attr_folder(pf, attr->of_vf, index, path), err;
	unsigned int card = 0;

	do {
		if (attr->cards)
			scnprintf(path + len, DEVIRT_ATTR_PATH - len, attr->path, card,
				  index + 1);
		else
			scnprintf(path + len, DEVIRT_ATTR_PATH - len, attr->path, index + 1);
		err = devirt_attr_get(path, value);
	} while (err == -ENOENT && attr->cards && ++card < DEVIRT_ATTR_CARDS);
	return err;
}

/* Whose driver has the setting? Return: 0; the errno of the refusal. */
static int devirt_attr_find(struct devirt_vfset *vs, u32 bit, struct devirt_attr_before *at)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(devirt_attrs); i++) {
		if (devirt_attrs[i].bit != bit)
			continue;
		err = devirt_attr_at(&devirt_attrs[i], vs->pf, vs->index, at->path, &at->value);
		if (err == -ENOENT)
			continue;
		if (err)
			return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_FAILED, err, bit);
		at->attr = &devirt_attrs[i];
		return 0;
	}
	return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_KIND, -EOPNOTSUPP, bit);
}

/* Who has something of the card: "PARTITION TYPE", or "PF/INDEX TYPE". */
static bool devirt_attr_holders(struct devirt_vfset *vs, const struct devirt_attr *attr)
{
	char path[DEVIRT_ATTR_PATH];
	bool any = false;
	u64 value;
	u32 i;

	for (i = 0; i < pci_num_vf(vs->pf); i++) {
		if (i == vs->index || devirt_attr_at(attr, vs->pf, i, path, &value) || !value)
			continue;
		any = true;
		devirt_vfset_holder(vs, i, value);
	}
	return any;
}

/* Of a list like "ID : NAME", the next line's. Return: false at the end. */
static bool devirt_attr_next(char **at, u64 *number)
{
	char *line, colon;

	while ((line = strsep(at, "\n"))) {
		if (sscanf(line, "%llu %c", number, &colon) == 2 && colon == ':')
			return true;
	}
	return false;
}

/*
 * Does the VF offer that value? What it offers shrinks as the card fills up, so if
 * anybody has something of it, that may be why it doesn't.
 */
static int devirt_attr_offers(struct devirt_vfset *vs, const struct devirt_attr *attr)
{
	u64 want = devirt_attr_want(vs->want, attr->bit), number;
	char path[DEVIRT_ATTR_PATH], word[24];
	char *list, *copy, *at;
	int len, err = 0;
	ssize_t got;

	if (!attr->offered || !want)
		return 0;
	list = kmalloc(2 * DEVIRT_ATTR_LIST, GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	copy = list + DEVIRT_ATTR_LIST;
	len = devirt_attr_folder(vs->pf, attr->of_vf, vs->index, path);
	scnprintf(path + len, sizeof(path) - len, "%s", attr->offered);
	got = devirt_hostattr_read(path, list, DEVIRT_ATTR_LIST);
	if (got < 0) {
		err = devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_FAILED, got, attr->bit);
		goto out;
	}
	strscpy(copy, list, DEVIRT_ATTR_LIST);
	at = copy;
	while (devirt_attr_next(&at, &number)) {
		if (number == want)
			goto out;
	}
	err = devirt_refuse(vs->res, DEVIRT_REASON_VGPU_FULL, -ENOSPC, "%s", "");
	if (devirt_attr_holders(vs, attr))
		goto out;
	err = devirt_refuse(vs->res, DEVIRT_REASON_VGPU_TYPE, -ENOENT, "%s", "");
	at = list;
	while (devirt_attr_next(&at, &number)) {
		snprintf(word, sizeof(word), "%llu", number);
		devirt_vfset_word(vs, word);
	}
out:
	kfree(list);
	return err;
}

/* Can't tell what it offers: it isn't there, or doesn't have its own driver. */
static bool devirt_attr_unknown(struct devirt_vfset *vs)
{
	struct pci_dev *vf = devirt_pool_vf(vs->pf, vs->index);
	char driver[DEVIRT_DRIVER_MAX];

	if (!vf)
		return true;
	devirt_function_driver(vf, driver);
	pci_dev_put(vf);
	return !driver[0] || !strcmp(driver, DEVIRT_VFIO_DRIVER);
}

static int devirt_attr_check(struct devirt_vfset *vs, u32 bit)
{
	struct devirt_attr_before at = {};
	int err;

	if (bit == DEVIRT_VF_SET_VGPU && devirt_attr_unknown(vs))
		return 0;
	err = devirt_attr_find(vs, bit, &at);
	if (err || at.value == devirt_attr_want(vs->want, bit))
		return err;
	return devirt_attr_offers(vs, at.attr);
}

static int devirt_vfset_attr_check(struct devirt_vfset *vs)
{
	int i, err;

	if (vs->want->set & DEVIRT_VF_SET_VGPU && !vs->want->gpu.type)
		return devirt_refuse(vs->res, DEVIRT_REASON_INVALID, -EINVAL,
				     "settings.gpu.type");
	for (i = 0; i < ARRAY_SIZE(devirt_attr_bits); i++) {
		if (!(vs->want->set & devirt_attr_bits[i]))
			continue;
		err = devirt_attr_check(vs, devirt_attr_bits[i]);
		if (err)
			return err;
	}
	return 0;
}

static int devirt_attr_change(const struct devirt_attr_before *at, u64 from, u64 to)
{
	int err = 0;

	if (from == to)
		return 0;
	if (at->attr->by_zero && from && to)
		err = devirt_attr_put(at->path, 0);
	return err ?: devirt_attr_put(at->path, to);
}

static int devirt_attr_set(struct devirt_vfset *vs, u32 bit, struct devirt_attr_before *at)
{
	u64 want = devirt_attr_want(vs->want, bit), now;
	int err;

	/* Again, by a driver that has come back: what was before stays noted. */
	if (vs->done & bit) {
		err = devirt_attr_put(at->path, want);
		return err ? devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_FAILED, err, bit) : 0;
	}
	err = devirt_attr_find(vs, bit, at);
	if (err || at->value == want)
		return err;
	vs->done |= bit;
	err = devirt_attr_change(at, at->value, want);
	if (err) {
		/* Perhaps others were faster, since it was checked. */
		if (err == -ENOSPC || err == -EINVAL || err == -ENOENT) {
			int why = devirt_attr_offers(vs, at->attr);

			if (why)
				return why;
		}
		return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_FAILED, err, bit);
	}
	/* Drivers round up to what the hardware can do. Less is not what was asked. */
	err = devirt_attr_get(at->path, &now);
	if (err)
		return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_FAILED, err, bit);
	if (now < want || (at->attr->offered && now != want))
		return devirt_vfset_limit(vs, bit, now);
	return 0;
}

static int devirt_vfset_attr_set(struct devirt_vfset *vs)
{
	struct devirt_attr_before *before = vs->before;
	int i, err;

	for (i = 0; i < ARRAY_SIZE(devirt_attr_bits); i++) {
		if (!(vs->want->set & devirt_attr_bits[i]))
			continue;
		err = devirt_attr_set(vs, devirt_attr_bits[i], &before[i]);
		if (err)
			return err;
	}
	return 0;
}

static void devirt_vfset_attr_unset(struct devirt_vfset *vs)
{
	struct devirt_attr_before *before = vs->before;
	u64 now;
	int i, err;

	for (i = ARRAY_SIZE(devirt_attr_bits) - 1; i >= 0; i--) {
		if (!(vs->done & devirt_attr_bits[i]))
			continue;
		err = devirt_attr_get(before[i].path, &now);
		if (!err)
			err = devirt_attr_change(&before[i], now, before[i].value);
		/* Gone with its driver, and with all that this was told. */
		if (!err || err == -ENOENT || err == -ENODEV)
			vs->done &= ~devirt_attr_bits[i];
	}
}

/* The driver that has such an attribute is the one that VFIO opens it by. */
static bool devirt_vfset_attr_keeps(struct devirt_vfset *vs)
{
	return vs->want->set & DEVIRT_VF_SET_VGPU;
}

const struct devirt_vfset_ops devirt_vfset_attr_ops = {
	.mask = DEVIRT_VF_SET_VGPU | DEVIRT_VF_SET_VRAM | DEVIRT_VF_SET_CONTEXTS |
		DEVIRT_VF_SET_DOORBELLS | DEVIRT_VF_SET_QUANTUM,
	.size = sizeof(struct devirt_attr_before) * ARRAY_SIZE(devirt_attr_bits),
	.check = devirt_vfset_attr_check,
	.set = devirt_vfset_attr_set,
	.unset = devirt_vfset_attr_unset,
	.keeps = devirt_vfset_attr_keeps,
};
