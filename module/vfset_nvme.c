// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings of an NVMe VF. Its controller is a "secondary" one: off line, until
 * the PF's "primary" one has given it queues and interrupt vectors out of what
 * all of them share, and has put it on line. A lease does that, and returning it
 * leaves it with exactly what it had.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/nvme.h>
#include <linux/pci.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "function.h"
#include "nvme.h"
#include "resource.h"
#include "vfset.h"

/* With fewer it can't be put on line: a pair for commands to the controller, and
 * one for data; one interrupt can serve both.
 */
static const u16 devirt_nvme_least[DEVIRT_NVME_TYPES] = { 2, 1 };

static const u32 devirt_nvme_bits[DEVIRT_NVME_TYPES] = {
	DEVIRT_VF_SET_QUEUES, DEVIRT_VF_SET_VECTORS
};

/**
 * struct devirt_nvme_before - what a secondary controller was
 * @nvme: how to talk to the PF's
 * @cntlid: its number
 * @has: its queues and vectors
 * @online: it was on line
 */
struct devirt_nvme_before {
	struct devirt_nvme nvme;
	u16 cntlid;
	u16 has[DEVIRT_NVME_TYPES];
	bool online;
};

/* Any of these settings: for what is about the controller as a whole. */
static u32 devirt_nvme_bit(struct devirt_vfset *vs)
{
	return vs->want->set & DEVIRT_VF_SET_QUEUES ?: DEVIRT_VF_SET_VECTORS;
}

/* What an NVMe command came to, as a refusal. */
static int devirt_nvme_failed(struct devirt_vfset *vs, u32 bit, int ret)
{
	size_t len;
	int err;

	err = devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_FAILED, ret < 0 ? ret : -EIO, bit);
	if (ret > 0) {
		len = strlen(vs->res->rec.detail);
		scnprintf(vs->res->rec.detail + len, sizeof(vs->res->rec.detail) - len,
			  " status 0x%x", ret);
	}
	return err;
}

/*
 * Of the list, the controller of VF number @index. Return: 0 or what the command
 * came to; *found is NULL if there is none.
 */
static int devirt_nvme_entry(struct devirt_nvme *nvme, u32 index,
			     const struct devirt_nvme_secondary **found)
{
	unsigned int i, count, first = 0;
	int ret;

	*found = NULL;
	do {
		ret = devirt_nvme_identify_list(nvme, first);
		if (ret)
			return ret;
		count = min_t(unsigned int, nvme->list->count,
			      ARRAY_SIZE(nvme->list->entries));
		for (i = 0; i < count; i++) {
			const struct devirt_nvme_secondary *entry = &nvme->list->entries[i];

			if (le16_to_cpu(entry->vf) == index + 1) {
				*found = entry;
				return 0;
			}
			first = max(first, le16_to_cpu(entry->cntlid) + 1U);
		}
	} while (count == ARRAY_SIZE(nvme->list->entries) && first <= U16_MAX);
	return 0;
}

/* Who has the rest? To be appended to the refusal. */
static void devirt_nvme_holders(struct devirt_vfset *vs, struct devirt_nvme *nvme,
				enum devirt_nvme_type type, unsigned int primary)
{
	unsigned int i, count;
	char word[32];
	u32 index;

	if (primary) {
		snprintf(word, sizeof(word), "%s %u", pci_name(vs->pf), primary);
		devirt_vfset_word(vs, word);
	}
	if (devirt_nvme_identify_list(nvme, 0))
		return;
	for (i = 0; i < min_t(unsigned int, nvme->list->count,
			      ARRAY_SIZE(nvme->list->entries)); i++) {
		const struct devirt_nvme_secondary *entry = &nvme->list->entries[i];

		count = le16_to_cpu(entry->has[type]);
		index = le16_to_cpu(entry->vf) - 1;
		if (!count || index == vs->index)
			continue;
		devirt_vfset_holder(vs, index, count);
	}
}

/* What it shall have: what is asked for, else what it has, if it works with that. */
static u16 devirt_nvme_target(struct devirt_vfset *vs, enum devirt_nvme_type type, u16 has)
{
	if (vs->want->set & devirt_nvme_bits[type])
		return type == DEVIRT_NVME_QUEUES ? vs->want->nvme.queues :
						    vs->want->nvme.vectors;
	return max(has, devirt_nvme_least[type]);
}

/* Is there as much as it shall have? @has: what it has now. */
static int devirt_nvme_room(struct devirt_vfset *vs, struct devirt_nvme *nvme,
			    enum devirt_nvme_type type, u16 has)
{
	u32 bit = devirt_nvme_bits[type], limit, room, taken, primary;
	u16 want = devirt_nvme_target(vs, type, has);
	const struct devirt_nvme_shares *shares;
	int ret;

	ret = devirt_nvme_identify_primary(nvme);
	if (ret > 0)
		return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_KIND, -EOPNOTSUPP, bit);
	if (ret < 0)
		return devirt_nvme_failed(vs, bit, ret);
	shares = &nvme->primary->shares[type];
	if (!(nvme->primary->types & BIT(type)) || !shares->total)
		return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_KIND, -EOPNOTSUPP, bit);
	if (want < devirt_nvme_least[type])
		return devirt_vfset_limit(vs, bit, devirt_nvme_least[type]);
	if (want <= has)
		return 0;

	primary = le16_to_cpu(shares->primary);
	room = le32_to_cpu(shares->total) + has;
	taken = le32_to_cpu(shares->secondary) + primary;
	room = room > taken ? room - taken : 0;
	limit = min_t(u32, room, le16_to_cpu(shares->most));
	if (want <= limit)
		return 0;
	devirt_vfset_limit(vs, bit, limit);
	/* And not for what one VF can have. */
	if (limit == room)
		devirt_nvme_holders(vs, nvme, type, primary);
	return -ERANGE;
}

/* Find the VF's controller, and room for what it shall have. */
static int devirt_nvme_look(struct devirt_vfset *vs, struct devirt_nvme *nvme,
			    struct devirt_nvme_before *before)
{
	const struct devirt_nvme_secondary *entry;
	enum devirt_nvme_type type;
	int ret;

	ret = devirt_nvme_entry(nvme, vs->index, &entry);
	if (ret < 0)
		return devirt_nvme_failed(vs, devirt_nvme_bit(vs), ret);
	/* A controller that doesn't know the command, or has no such of its VFs. */
	if (ret > 0 || !entry)
		return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_KIND, -EOPNOTSUPP,
					   devirt_nvme_bit(vs));
	before->cntlid = le16_to_cpu(entry->cntlid);
	before->online = entry->state & DEVIRT_NVME_IS_ONLINE;
	for (type = 0; type < DEVIRT_NVME_TYPES; type++)
		before->has[type] = le16_to_cpu(entry->has[type]);
	for (type = 0; type < DEVIRT_NVME_TYPES; type++) {
		ret = devirt_nvme_room(vs, nvme, type, before->has[type]);
		if (ret)
			return ret;
	}
	return 0;
}

static int devirt_nvme_start(struct devirt_vfset *vs, struct devirt_nvme *nvme)
{
	int err;

	if (!devirt_nvme_is(vs->pf))
		return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_KIND, -EOPNOTSUPP,
					   devirt_nvme_bit(vs));
	err = devirt_nvme_open(nvme, vs->pf);
	return err && err != -ENOMEM ? devirt_nvme_failed(vs, devirt_nvme_bit(vs), err) : err;
}

static int devirt_vfset_nvme_check(struct devirt_vfset *vs)
{
	struct devirt_nvme_before now = {};
	int err;

	err = devirt_nvme_start(vs, &now.nvme);
	if (err)
		return err;
	err = devirt_nvme_look(vs, &now.nvme, &now);
	devirt_nvme_close(&now.nvme);
	return err;
}

/* Off line first: resources can't be changed under a controller that runs. */
static int devirt_nvme_apply(struct devirt_vfset *vs, struct devirt_nvme_before *before)
{
	struct devirt_nvme *nvme = &before->nvme;
	enum devirt_nvme_type type;
	u16 count;
	int ret;

	ret = devirt_nvme_manage(nvme, before->cntlid, DEVIRT_NVME_OFFLINE, 0, 0);
	if (ret)
		return devirt_nvme_failed(vs, devirt_nvme_bit(vs), ret);
	for (type = 0; type < DEVIRT_NVME_TYPES; type++) {
		count = devirt_nvme_target(vs, type, before->has[type]);
		ret = devirt_nvme_manage(nvme, before->cntlid, DEVIRT_NVME_ASSIGN, type, count);
		/* Perhaps others were faster, since it was checked. */
		if (ret > 0 && devirt_nvme_room(vs, nvme, type, before->has[type]))
			return vs->res->rec.error;
		if (ret)
			return devirt_nvme_failed(vs, devirt_nvme_bits[type], ret);
	}
	ret = devirt_nvme_manage(nvme, before->cntlid, DEVIRT_NVME_ONLINE, 0, 0);
	return ret ? devirt_nvme_failed(vs, devirt_nvme_bit(vs), ret) : 0;
}

static int devirt_vfset_nvme_set(struct devirt_vfset *vs)
{
	struct devirt_nvme_before *before = vs->before;
	int err;

	if (vs->done) {
		err = devirt_nvme_reopen(&before->nvme, vs->pf);
		if (err)
			return devirt_nvme_failed(vs, devirt_nvme_bit(vs), err);
		return devirt_nvme_apply(vs, before);
	}
	err = devirt_nvme_start(vs, &before->nvme);
	if (err)
		return err;
	err = devirt_nvme_look(vs, &before->nvme, before);
	if (err) {
		devirt_nvme_close(&before->nvme);
		return err;
	}
	vs->done = vs->want->set;
	return devirt_nvme_apply(vs, before);
}

static int devirt_nvme_restore(struct devirt_nvme_before *before)
{
	struct devirt_nvme *nvme = &before->nvme;
	enum devirt_nvme_type type;
	int ret;

	ret = devirt_nvme_manage(nvme, before->cntlid, DEVIRT_NVME_OFFLINE, 0, 0);
	for (type = 0; type < DEVIRT_NVME_TYPES && !ret; type++)
		ret = devirt_nvme_manage(nvme, before->cntlid, DEVIRT_NVME_ASSIGN, type,
					 before->has[type]);
	if (!ret && before->online)
		ret = devirt_nvme_manage(nvme, before->cntlid, DEVIRT_NVME_ONLINE, 0, 0);
	return ret;
}

static void devirt_vfset_nvme_unset(struct devirt_vfset *vs)
{
	struct devirt_nvme_before *before = vs->before;
	int ret;

	ret = devirt_nvme_restore(before);
	/* The driver has left, or left and come back: ask it then, as far as one can. */
	if (ret == -ENODEV && !devirt_nvme_reopen(&before->nvme, vs->pf))
		ret = devirt_nvme_restore(before);
	if (!ret)
		vs->done = 0;
	devirt_nvme_close(&before->nvme);
}

const struct devirt_vfset_ops devirt_vfset_nvme_ops = {
	.mask = DEVIRT_VF_SET_QUEUES | DEVIRT_VF_SET_VECTORS,
	.size = sizeof(struct devirt_nvme_before),
	.check = devirt_vfset_nvme_check,
	.set = devirt_vfset_nvme_set,
	.unset = devirt_vfset_nvme_unset,
};
