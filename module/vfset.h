/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_VFSET_H
#define _DEVIRT_VFSET_H

#include <linux/devirt.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct devirt_resource;
struct devirt_vfset_ops;
struct pci_dev;

/**
 * struct devirt_vfset - what is set of a VF while it is leased
 * @ops: who sets it; NULL: nothing is to be set
 * @res: the resource, for refusals and events
 * @pf: the PF, which has a reference for as long as this is
 * @index: which of its VFs
 * @want: the settings, checked: fields that aren't named in .set are zero
 * @lock: one of @ops' functions at a time
 * @done: DEVIRT_VF_SET_* that are set now, and that @before is about
 * @before: @ops->size bytes of the back-end: what was there before; zero at first
 */
struct devirt_vfset {
	const struct devirt_vfset_ops *ops;
	struct devirt_resource *res;
	struct pci_dev *pf;
	u32 index;
	const struct devirt_vf_settings *want;
	struct mutex lock;
	u32 done;
	void *before;
};

/**
 * struct devirt_vfset_ops - a back-end: how VFs of one kind of card are set
 * @mask: DEVIRT_VF_SET_* that it knows; no other back-end does
 * @size: bytes of @before
 * @check: can the PF's driver set that, and to these values? The VF may not exist
 *	yet. No effect. Refuses by devirt_vfset_refuse().
 * @set: set what is wanted, having noted in @before what was there; adds each bit
 *	to @done as soon as something of it may have to be undone. When it fails,
 *	@unset is called for these. Also called when the PF's driver has come back
 *	and knows nothing any more: @done isn't zero then, and @before must stay.
 * @unset: put back what is in @done, and take out of it what is back. What stays
 *	in it is told as lost. Must not allocate.
 * @keeps: optional: the VF's own driver has the settings, and is the one by which
 *	VFIO opens it, so it keeps that. Only looks at the record.
 *
 * All may sleep, are called with @lock held and perhaps a pool's (sriov.c), but
 * without any device's lock or rtnl; for several VFs of a PF at a time. The PF's
 * driver may have gone, or go at any time: they look, and take what lock keeps it.
 * Between @set and @unset the VF can be in use; while they run it can't be opened.
 */
struct devirt_vfset_ops {
	u32 mask;
	size_t size;
	int (*check)(struct devirt_vfset *vs);
	int (*set)(struct devirt_vfset *vs);
	void (*unset)(struct devirt_vfset *vs);
	bool (*keeps)(struct devirt_vfset *vs);
};

extern const struct devirt_vfset_ops devirt_vfset_net_ops;
extern const struct devirt_vfset_ops devirt_vfset_nvme_ops;
extern const struct devirt_vfset_ops devirt_vfset_attr_ops;

int devirt_vfset_valid(struct devirt_resource *res);
int devirt_vfset_check(struct devirt_vfset *vs, struct devirt_resource *res,
		       struct pci_dev *pf);
int devirt_vfset_set(struct devirt_vfset *vs);
void devirt_vfset_again(struct devirt_vfset *vs);
void devirt_vfset_unset(struct devirt_vfset *vs);
void devirt_vfset_drop(struct devirt_vfset *vs);
bool devirt_vfset_keeps(struct devirt_vfset *vs);

bool devirt_net_overlooks(struct pci_dev *pf);

int devirt_vfset_refuse(struct devirt_vfset *vs, u32 reason, int err, u32 bit);
void devirt_vfset_word(struct devirt_vfset *vs, const char *word);
void devirt_vfset_holder(struct devirt_vfset *vs, u32 index, u64 amount);
int devirt_vfset_limit(struct devirt_vfset *vs, u32 bit, u64 limit);

#endif /* _DEVIRT_VFSET_H */
