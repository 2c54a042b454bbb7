/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A resource: one thing that a partition holds. Every kind is a struct
 * devirt_resource_ops; partition.c takes and returns resources by these alone
 * and knows nothing of the kinds.
 */
#ifndef _DEVIRT_RESOURCE_H
#define _DEVIRT_RESOURCE_H

#include <linux/devirt.h>
#include <linux/list.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct devirt_partition;
struct devirt_set;

/**
 * struct devirt_resource - one record of a description and what became of it
 * @ops: its kind
 * @part: the partition whose description it is in
 * @set: all resources of that description
 * @index: position in the description
 * @rec: the record; outputs and refusal are written here
 * @claims: what nobody else may have meanwhile (struct devirt_claim)
 * @checked: ops->check succeeded, so ops->drop is due
 * @acquired: ops->acquire succeeded, so ops->release is due
 * @work: takes or returns it beside others of its kind
 * @ret: what that came to
 *
 * A kind embeds it as the first member of its own structure.
 */
struct devirt_resource {
	const struct devirt_resource_ops *ops;
	struct devirt_partition *part;
	struct devirt_set *set;
	u32 index;
	struct devirt_record rec;
	struct list_head claims;
	bool checked;
	bool acquired;
	struct work_struct work;
	int ret;
};

/**
 * struct devirt_resource_ops - a kind of resource
 * @kind: DEVIRT_KIND_*
 * @name: of the kind, as the "resources" attribute and messages show it
 * @size: bytes of the structure that embeds struct devirt_resource
 * @beside: optional; may the two, which follow each other in a description, be
 *	acquired, and released, at the same time, each in a task of its own? For
 *	what spends its time waiting. Must only look; may not sleep.
 * @check: look at the record, find the thing, claim it; no effect on the host.
 *	On a refusal says why by devirt_refuse(). Undone by @drop.
 * @veto: optional; called when all records of the description are checked:
 *	is the thing in use? No effect on the host.
 * @acquire: take it. Leaves nothing behind when it fails. -ECANCELED if it
 *	gives up for another's failure (@failed of the set).
 * @release: give it back. Allocates nothing of its own. 0: it is back; -EAGAIN:
 *	somebody still uses it, call again later; any other: it can't return to
 *	the host (the record says why), calling again retries.
 * @drop: undo @check. Cannot fail.
 * @output: optional; bring outputs that change while it is held into @rec,
 *	a copy of the record.
 * @describe: write one line about it, without a newline, for people and sysfs.
 *
 * All are called in process context, may sleep, and run one at a time for one
 * partition, but for what @beside allows, and except @output and @describe,
 * which may run at any time and must only look. @release runs in a kernel
 * worker, never in the task that closes: that may be dying, and a dying task can
 * neither start threads nor wait.
 */
struct devirt_resource_ops {
	u32 kind;
	const char *name;
	size_t size;
	bool (*beside)(struct devirt_resource *a, struct devirt_resource *b);
	int (*check)(struct devirt_resource *res);
	int (*veto)(struct devirt_resource *res);
	int (*acquire)(struct devirt_resource *res);
	int (*release)(struct devirt_resource *res);
	void (*drop)(struct devirt_resource *res);
	void (*output)(struct devirt_resource *res, struct devirt_record *rec);
	int (*describe)(struct devirt_resource *res, char *buf, size_t size);
};

extern const struct devirt_resource_ops devirt_pci_ops;
extern const struct devirt_resource_ops devirt_vf_ops;
extern const struct devirt_resource_ops devirt_mdev_ops;
extern const struct devirt_resource_ops devirt_memory_ops;
extern const struct devirt_resource_ops devirt_cpu_ops;

/**
 * struct devirt_set - the resources of one description
 * @count: how many
 * @dry: a dry run: claims only hold against each other
 * @failed: one couldn't be acquired, so all will go back
 * @res: in the order of the description
 */
struct devirt_set {
	u32 count;
	bool dry;
	bool failed;
	struct devirt_resource *res[] __counted_by(count);
};

/* set.c: the order of things; the part that KUnit drives with fake kinds. */
int devirt_set_init(void);
void devirt_set_exit(void);

typedef const struct devirt_resource_ops *(*devirt_kind_fn)(u32 kind);

struct devirt_set *devirt_set_create(struct devirt_partition *part,
				     const struct devirt_record *recs, u32 count,
				     devirt_kind_fn kind, u32 *failed);
int devirt_set_check(struct devirt_set *set, bool dry, u32 *failed);
int devirt_set_acquire(struct devirt_set *set, u32 *failed);
int devirt_set_release(struct devirt_set *set);
bool devirt_set_draining(struct devirt_set *set);
void devirt_set_drop(struct devirt_set *set);
void devirt_set_free(struct devirt_set *set);

__printf(4, 5)
int devirt_refuse(struct devirt_resource *res, u32 reason, int err,
		  const char *fmt, ...);
void devirt_unrefuse(struct devirt_resource *res);

/**
 * devirt_record_unused - is anything set behind what a kind uses?
 * @rec: the record
 * @used: bytes of the union that the kind uses
 */
static inline bool devirt_record_unused(const struct devirt_record *rec, size_t used)
{
	return memchr_inv((const u8 *)rec->raw + used, 0, sizeof(rec->raw) - used);
}

/* claim.c: who owns what. */
enum devirt_claim_class {
	DEVIRT_CLAIM_FUNCTION,	/* a PCI function: devirt_claim_function() */
	DEVIRT_CLAIM_VF,	/* a VF that may not exist yet: PF and index */
	DEVIRT_CLAIM_CPU,	/* a logical CPU */
	DEVIRT_CLAIM_FAKE,	/* of the KUnit tests' kinds */
};

int devirt_claim(struct devirt_resource *res, enum devirt_claim_class class, u64 id);
bool devirt_claim_holder(struct devirt_resource *res, enum devirt_claim_class class,
			 u64 id, char *name);
bool devirt_claim_mine(struct devirt_resource *res, enum devirt_claim_class class, u64 id);
void devirt_unclaim(struct devirt_resource *res);

#endif /* _DEVIRT_RESOURCE_H */
