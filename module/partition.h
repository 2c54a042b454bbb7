/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_PARTITION_H
#define _DEVIRT_PARTITION_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "event.h"
#include "resource.h"
#include "vcpu.h"

struct device;
struct devirt_stats_result;
struct pid;

/**
 * struct devirt_partition - what one guest gets
 * @ref: one for the registry, one a handle, one while work is queued
 * @node: in the registry, until it is retired
 * @name: unique among those in the registry
 * @lock: guards what follows, held only for moments
 * @state: DEVIRT_STATE_*
 * @applying: somebody is at work on a description
 * @persistent: the lease outlives its descriptor
 * @orphan: the descriptor that made it is closed
 * @retired: no longer in the registry
 * @set: what it holds, or NULL
 * @owner: who applied, or NULL
 * @vmm: whose vCPUs are pinned
 * @since: when it was applied, CLOCK_BOOTTIME in nanoseconds
 * @release_work: returns @set; runs until nothing is draining
 * @log: its events
 * @dev: its class device
 */
struct devirt_partition {
	struct kref ref;
	struct list_head node;
	char name[DEVIRT_NAME_MAX];
	struct mutex lock;
	u32 state;
	bool applying;
	bool persistent;
	bool orphan;
	bool retired;
	struct devirt_set *set;
	struct pid *owner;
	struct devirt_vmm *vmm;
	u64 since;
	struct delayed_work release_work;
	struct devirt_log log;
	struct device *dev;
};

/* For slow work of any kind. Unbound: none of it runs on a leased core. */
extern struct workqueue_struct *devirt_wq;

int devirt_partition_init(void);
void devirt_partition_exit(void);

struct devirt_partition *devirt_partition_create(const char *name);
struct devirt_partition *devirt_partition_open(const char *name, bool observe);
void devirt_partition_put(struct devirt_partition *part);
void devirt_partition_orphan(struct devirt_partition *part);
int devirt_partition_apply(struct devirt_partition *part, u32 flags,
			   struct devirt_record *recs, u32 count, u32 *failed,
			   int (*report)(void *arg, const struct devirt_record *recs),
			   void *arg);
int devirt_partition_release(struct devirt_partition *part);
int devirt_partition_attach(struct devirt_partition *part, struct pid *pid);
int devirt_partition_get(struct devirt_partition *part, struct devirt_get *get,
			 struct devirt_record *recs);
int devirt_partition_stats(struct devirt_partition *part, struct devirt_stats *stats,
			   struct devirt_stats_result *result);
int devirt_partition_describe(struct devirt_partition *part, char *buf, size_t size);
u32 devirt_partition_count(void);
const char *devirt_partition_name(struct devirt_partition *part);
const char *devirt_state_name(u32 state);
bool devirt_partition_empty(struct devirt_partition *part);

#endif /* _DEVIRT_PARTITION_H */
