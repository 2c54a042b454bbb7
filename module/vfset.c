// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings of a VF: what belongs to its lease, is set before the VF can be
 * opened, and undone when it returns. Here is what all kinds of cards have in
 * common: which fields there are, and when something is set. How is a matter of
 * the back-ends, vfset_*.c; which one is told by the bits that are set.
 */
#include <linux/kernel.h>
#include <linux/bits.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "function.h"
#include "partition.h"
#include "resource.h"
#include "vfset.h"

static const struct devirt_vfset_ops *const devirt_vfset_backends[] = {
	&devirt_vfset_net_ops,
	&devirt_vfset_nvme_ops,
	&devirt_vfset_attr_ops,
};

/**
 * struct devirt_vfset_field - a field of struct devirt_vf_settings
 * @bit: DEVIRT_VF_SET_*
 * @offset: where
 * @size: how many bytes
 * @max: the highest value that it may have, of those that are numbers
 * @name: as in refusals
 */
struct devirt_vfset_field {
	u32 bit;
	u16 offset;
	u16 size;
	u64 max;
	const char *name;
};

#define DEVIRT_VFSET_FIELD(_bit, _member, _max) {			\
	.bit = DEVIRT_VF_SET_##_bit, .max = _max, .name = #_member,	\
	.offset = offsetof(struct devirt_vf_settings, _member),		\
	.size = sizeof_field(struct devirt_vf_settings, _member) }

static const struct devirt_vfset_field devirt_vfset_fields[] = {
	DEVIRT_VFSET_FIELD(MAC, net.mac, U64_MAX),
	DEVIRT_VFSET_FIELD(VLAN, net.vlan, 4094),
	DEVIRT_VFSET_FIELD(VLAN, net.qos, 7),
	DEVIRT_VFSET_FIELD(SPOOFCHK, net.spoofchk, 1),
	DEVIRT_VFSET_FIELD(TRUST, net.trust, 1),
	DEVIRT_VFSET_FIELD(RATE, net.min_mbps, S32_MAX),
	DEVIRT_VFSET_FIELD(RATE, net.max_mbps, S32_MAX),
	DEVIRT_VFSET_FIELD(LINK, net.link, DEVIRT_VF_LINK_DOWN),
	DEVIRT_VFSET_FIELD(QUEUES, nvme.queues, U16_MAX),
	DEVIRT_VFSET_FIELD(VECTORS, nvme.vectors, U16_MAX),
	DEVIRT_VFSET_FIELD(VGPU, gpu.type, U32_MAX),
	DEVIRT_VFSET_FIELD(VRAM, gpu.vram, U64_MAX),
	DEVIRT_VFSET_FIELD(CONTEXTS, gpu.contexts, U32_MAX),
	DEVIRT_VFSET_FIELD(DOORBELLS, gpu.doorbells, U32_MAX),
	DEVIRT_VFSET_FIELD(QUANTUM, gpu.quantum_ms, U32_MAX),
};

/* As devirt.conf calls them: in details and events. */
static const char *const devirt_vfset_names[] = {
	[ilog2(DEVIRT_VF_SET_MAC)] = "mac",
	[ilog2(DEVIRT_VF_SET_VLAN)] = "vlan",
	[ilog2(DEVIRT_VF_SET_SPOOFCHK)] = "spoof-check",
	[ilog2(DEVIRT_VF_SET_TRUST)] = "trust",
	[ilog2(DEVIRT_VF_SET_RATE)] = "rate",
	[ilog2(DEVIRT_VF_SET_LINK)] = "link",
	[ilog2(DEVIRT_VF_SET_QUEUES)] = "queues",
	[ilog2(DEVIRT_VF_SET_VECTORS)] = "vectors",
	[ilog2(DEVIRT_VF_SET_VGPU)] = "vgpu-type",
	[ilog2(DEVIRT_VF_SET_VRAM)] = "vram",
	[ilog2(DEVIRT_VF_SET_CONTEXTS)] = "contexts",
	[ilog2(DEVIRT_VF_SET_DOORBELLS)] = "doorbells",
	[ilog2(DEVIRT_VF_SET_QUANTUM)] = "quantum",
};

static const char *devirt_vfset_name(u32 bit)
{
	return devirt_vfset_names[ilog2(bit)];
}

/* Who knows any of these bits. */
static const struct devirt_vfset_ops *devirt_vfset_backend(u32 set)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(devirt_vfset_backends); i++) {
		if (devirt_vfset_backends[i]->mask & set)
			return devirt_vfset_backends[i];
	}
	return NULL;
}

static u64 devirt_vfset_value(const struct devirt_vf_settings *want,
			      const struct devirt_vfset_field *field)
{
	const void *at = (const void *)want + field->offset;

	switch (field->size) {
	case 1:
		return *(const u8 *)at;
	case 2:
		return *(const u16 *)at;
	case 4:
		return *(const u32 *)at;
	case 8:
		return *(const u64 *)at;
	default:
		return 0;
	}
}

/**
 * devirt_vfset_valid - do the settings of a record make sense?
 * @res: the resource, whose refusal is noted
 *
 * Only looks at the record. Return: 0; -EOPNOTSUPP for bits that nobody knows;
 * -EINVAL for bits of two kinds of cards, a value out of range, or a field that
 * isn't zero although its bit isn't set.
 */
int devirt_vfset_valid(struct devirt_resource *res)
{
	const struct devirt_vf_settings *want = &res->rec.vf.settings;
	const struct devirt_vfset_ops *ops = NULL;
	struct devirt_vf_settings rest = *want;
	size_t i;

	if (want->reserved)
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "settings.reserved");
	for (i = 0; i < BITS_PER_TYPE(want->set); i++) {
		if (want->set & BIT(i) && !devirt_vfset_backend(BIT(i)))
			return devirt_refuse(res, DEVIRT_REASON_UNSUPPORTED, -EOPNOTSUPP,
					     "settings.set");
	}
	if (want->set)
		ops = devirt_vfset_backend(want->set);
	if (ops && want->set & ~ops->mask)
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "settings.set");

	for (i = 0; i < ARRAY_SIZE(devirt_vfset_fields); i++) {
		const struct devirt_vfset_field *field = &devirt_vfset_fields[i];

		if (!(want->set & field->bit))
			continue;
		if (devirt_vfset_value(want, field) > field->max)
			return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "settings.%s",
					     field->name);
		memset((void *)&rest + field->offset, 0, field->size);
	}
	if (!memchr_inv(rest.raw, 0, sizeof(rest.raw)))
		return 0;
	/* Name the field, if it is known of which kind the card is. */
	for (i = 0; ops && i < ARRAY_SIZE(devirt_vfset_fields); i++) {
		const struct devirt_vfset_field *field = &devirt_vfset_fields[i];

		if (field->bit & ops->mask &&
		    memchr_inv((void *)&rest + field->offset, 0, field->size))
			return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "settings.%s",
					     field->name);
	}
	return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "settings");
}

/**
 * devirt_vfset_check - can the VF be set like that?
 * @vs: filled in; undone by devirt_vfset_drop()
 * @res: the resource, its record valid and its index chosen; the refusal is noted
 * @pf: the PF; the caller keeps a reference for as long as @vs is used
 *
 * May sleep. Return: 0 or the errno of the refusal: nothing is to be undone then.
 */
int devirt_vfset_check(struct devirt_vfset *vs, struct devirt_resource *res,
		       struct pci_dev *pf)
{
	const struct devirt_vf_settings *want = &res->rec.vf.settings;
	int err;

	if (!want->set)
		return 0;
	vs->before = kzalloc(devirt_vfset_backend(want->set)->size, GFP_KERNEL);
	if (!vs->before)
		return -ENOMEM;
	vs->ops = devirt_vfset_backend(want->set);
	vs->res = res;
	vs->pf = pf;
	vs->index = res->rec.vf.index;
	vs->want = want;
	vs->done = 0;
	mutex_init(&vs->lock);
	mutex_lock(&vs->lock);
	err = vs->ops->check(vs);
	mutex_unlock(&vs->lock);
	if (err)
		devirt_vfset_drop(vs);
	return err;
}

static void devirt_vfset_undo(struct devirt_vfset *vs)
{
	char text[sizeof_field(struct devirt_event, detail)] = "not put back:";
	unsigned long lost;
	unsigned int bit;

	lockdep_assert_held(&vs->lock);
	if (!vs->done)
		return;
	vs->ops->unset(vs);
	if (!vs->done)
		return;
	lost = vs->done;
	for_each_set_bit(bit, &lost, ARRAY_SIZE(devirt_vfset_names)) {
		strlcat(text, " ", sizeof(text));
		strlcat(text, devirt_vfset_name(BIT(bit)), sizeof(text));
	}
	devirt_event(vs->res->part, DEVIRT_EVENT_DRIFT, .record = &vs->res->index,
		     .detail = text);
	vs->done = 0;
}

/**
 * devirt_vfset_set - set what is wanted of a VF
 * @vs: checked; NULL or one without a back-end: nothing is wanted
 *
 * Nobody can open the VF now. May sleep. Return: 0 or the errno of the refusal,
 * and everything is as it was.
 */
int devirt_vfset_set(struct devirt_vfset *vs)
{
	int err;

	if (!vs || !vs->ops)
		return 0;
	mutex_lock(&vs->lock);
	err = vs->ops->set(vs);
	if (err)
		devirt_vfset_undo(vs);
	mutex_unlock(&vs->lock);
	return err;
}

/**
 * devirt_vfset_again - set it once more: the PF's driver knows nothing any more
 * @vs: may be NULL, or have nothing set
 *
 * What was there before stays what is put back in the end. What can't be set is
 * told by an event. May sleep.
 */
void devirt_vfset_again(struct devirt_vfset *vs)
{
	char text[sizeof_field(struct devirt_event, detail)];
	struct devirt_record *rec;

	if (!vs || !vs->ops)
		return;
	mutex_lock(&vs->lock);
	if (!vs->done)
		goto out;
	if (!vs->ops->set(vs)) {
		devirt_event(vs->res->part, DEVIRT_EVENT_DRIFT, .record = &vs->res->index,
			     .detail = "its settings were lost, and made again");
		goto out;
	}
	rec = &vs->res->rec;
	scnprintf(text, sizeof(text), "its settings are lost: %s: %d", rec->detail, rec->error);
	devirt_event(vs->res->part, DEVIRT_EVENT_DRIFT, .record = &vs->res->index,
		     .detail = text);
	/* It is still leased, and not refused. */
	devirt_unrefuse(vs->res);
out:
	mutex_unlock(&vs->lock);
}

/**
 * devirt_vfset_unset - put everything back that devirt_vfset_set() has set
 * @vs: may be NULL, or have nothing set
 *
 * Can't fail: what is lost is told by an event. May sleep.
 */
void devirt_vfset_unset(struct devirt_vfset *vs)
{
	if (!vs || !vs->ops)
		return;
	mutex_lock(&vs->lock);
	devirt_vfset_undo(vs);
	mutex_unlock(&vs->lock);
}

/**
 * devirt_vfset_keeps - shall the VF keep its own driver, and not get vfio-pci?
 * @vs: may be NULL, or nothing
 */
bool devirt_vfset_keeps(struct devirt_vfset *vs)
{
	return vs && vs->ops && vs->ops->keeps && vs->ops->keeps(vs);
}

/**
 * devirt_vfset_drop - undo devirt_vfset_check()
 * @vs: nothing is set
 */
void devirt_vfset_drop(struct devirt_vfset *vs)
{
	if (!vs->ops)
		return;
	mutex_destroy(&vs->lock);
	kfree(vs->before);
	vs->before = NULL;
	vs->ops = NULL;
}

/**
 * devirt_vfset_refuse - note that a setting is refused
 * @vs: what is being set
 * @reason: DEVIRT_REASON_SETTING_KIND or _FAILED
 * @err: the negative errno that goes with it
 * @bit: the setting, DEVIRT_VF_SET_*
 *
 * Return: @err.
 */
int devirt_vfset_refuse(struct devirt_vfset *vs, u32 reason, int err, u32 bit)
{
	return devirt_refuse(vs->res, reason, err, "%s", devirt_vfset_name(bit));
}

/**
 * devirt_vfset_limit - note that a setting is refused for its value
 * @vs: what is being set
 * @bit: the setting, DEVIRT_VF_SET_*
 * @limit: how far it could go
 *
 * Return: -ERANGE.
 */
int devirt_vfset_limit(struct devirt_vfset *vs, u32 bit, u64 limit)
{
	return devirt_refuse(vs->res, DEVIRT_REASON_SETTING_VALUE, -ERANGE, "%s %llu",
			     devirt_vfset_name(bit), limit);
}

/**
 * devirt_vfset_word - append a word to the detail of a refusal
 * @vs: what is refused
 * @word: which; left out if it doesn't fit as a whole
 */
void devirt_vfset_word(struct devirt_vfset *vs, const char *word)
{
	char *detail = vs->res->rec.detail;
	size_t len = strlen(detail);

	if (len + 1 + strlen(word) < sizeof(vs->res->rec.detail))
		scnprintf(detail + len, sizeof(vs->res->rec.detail) - len, "%s%s",
			  len ? " " : "", word);
}

/**
 * devirt_vfset_holder - append who has something: "PARTITION AMOUNT"
 * @vs: what is refused
 * @index: the VF that has it; "PF/INDEX" if nobody leases that
 * @amount: how much, or which
 *
 * May sleep.
 */
void devirt_vfset_holder(struct devirt_vfset *vs, u32 index, u64 amount)
{
	char name[DEVIRT_NAME_MAX], word[DEVIRT_NAME_MAX + 24];

	if (!devirt_claim_holder(vs->res, DEVIRT_CLAIM_VF, devirt_vf_id(vs->pf, index), name))
		snprintf(name, sizeof(name), "%s/%u", pci_name(vs->pf), index);
	snprintf(word, sizeof(word), "%s %llu", name, amount);
	devirt_vfset_word(vs, word);
}
