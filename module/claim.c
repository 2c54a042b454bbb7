// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims: who owns what. A thing is named by a class and a number, and at most
 * one resource has claimed it. Kinds claim while they check, before anything on
 * the host changes, so of two partitions that want the same thing one is
 * refused at once and the other one isn't disturbed.
 */
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "partition.h"
#include "resource.h"

struct devirt_claim {
	struct hlist_node node;		/* in claims */
	struct list_head entry;		/* in res->claims */
	struct devirt_resource *res;
	enum devirt_claim_class class;
	u64 id;
};

static DEFINE_HASHTABLE(claims, 8);
static DEFINE_MUTEX(claims_lock);	/* a leaf: nothing is taken inside */

static struct devirt_claim *devirt_claim_find(struct devirt_resource *res,
					      enum devirt_claim_class class, u64 id)
{
	struct devirt_claim *claim;

	lockdep_assert_held(&claims_lock);
	hash_for_each_possible(claims, claim, node, id) {
		if (claim->class != class || claim->id != id)
			continue;
		/*
		 * A dry run must not make somebody's real apply fail, so its
		 * claims only count within its own description.
		 */
		if (claim->res->set->dry && claim->res->set != res->set)
			continue;
		return claim;
	}
	return NULL;
}

/**
 * devirt_claim - claim a thing for a resource
 * @res: the resource
 * @class: what sort of thing
 * @id: its number within the class
 *
 * May sleep. Return: 0; -EBUSY if another partition has it and -EEXIST if the
 * same description has it already, the refusal noted; -ENOMEM.
 */
int devirt_claim(struct devirt_resource *res, enum devirt_claim_class class, u64 id)
{
	struct devirt_claim *claim, *other;
	int err = 0;

	claim = kzalloc(sizeof(*claim), GFP_KERNEL);
	if (!claim)
		return -ENOMEM;
	claim->res = res;
	claim->class = class;
	claim->id = id;

	mutex_lock(&claims_lock);
	other = devirt_claim_find(res, class, id);
	if (!other) {
		hash_add(claims, &claim->node, id);
		list_add(&claim->entry, &res->claims);
	} else if (other->res->set == res->set) {
		err = devirt_refuse(res, DEVIRT_REASON_DUPLICATE, -EEXIST, "%u",
				    other->res->index);
	} else if (other->res->rec.state == DEVIRT_STATE_QUARANTINE) {
		err = devirt_refuse(res, DEVIRT_REASON_QUARANTINED, -EBUSY, "%s",
				    devirt_partition_name(other->res->part));
	} else {
		err = devirt_refuse(res, DEVIRT_REASON_OWNED, -EBUSY, "%s",
				    devirt_partition_name(other->res->part));
	}
	mutex_unlock(&claims_lock);
	if (err)
		kfree(claim);
	return err;
}
DEVIRT_EXPORT_FOR_TEST(devirt_claim);

/**
 * devirt_claim_holder - has anybody claimed this thing?
 * @res: who asks
 * @class: what sort of thing
 * @id: its number within the class
 * @name: DEVIRT_NAME_MAX bytes for the partition that has it
 *
 * May sleep. The answer may be outdated at once: only devirt_claim() decides.
 */
bool devirt_claim_holder(struct devirt_resource *res, enum devirt_claim_class class,
			 u64 id, char *name)
{
	struct devirt_claim *claim;

	mutex_lock(&claims_lock);
	claim = devirt_claim_find(res, class, id);
	if (claim)
		strscpy(name, devirt_partition_name(claim->res->part), DEVIRT_NAME_MAX);
	mutex_unlock(&claims_lock);
	return claim;
}

/**
 * devirt_claim_mine - has the same description claimed this thing?
 * @res: any resource of the description
 * @class: what sort of thing
 * @id: its number within the class
 *
 * May sleep.
 */
bool devirt_claim_mine(struct devirt_resource *res, enum devirt_claim_class class, u64 id)
{
	struct devirt_claim *claim;
	bool mine;

	mutex_lock(&claims_lock);
	claim = devirt_claim_find(res, class, id);
	mine = claim && claim->res->set == res->set;
	mutex_unlock(&claims_lock);
	return mine;
}

/**
 * devirt_unclaim - give up all that a resource has claimed
 * @res: the resource
 *
 * May sleep.
 */
void devirt_unclaim(struct devirt_resource *res)
{
	struct devirt_claim *claim, *next;

	mutex_lock(&claims_lock);
	list_for_each_entry_safe(claim, next, &res->claims, entry) {
		hash_del(&claim->node);
		list_del(&claim->entry);
		kfree(claim);
	}
	mutex_unlock(&claims_lock);
}
