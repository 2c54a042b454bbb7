/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_EVENT_H
#define _DEVIRT_EVENT_H

#include <linux/devirt.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

struct devirt_partition;

/** DEVIRT_LOG_SIZE - how many events a partition keeps for slow readers. */
#define DEVIRT_LOG_SIZE	64

/**
 * struct devirt_log - the latest events of a partition
 * @lock: guards @head and @ring; taken in any context
 * @head: sequence number of the latest event
 * @ring: event number N is in slot N modulo the size
 * @wait: readers
 */
struct devirt_log {
	spinlock_t lock;
	u64 head;
	struct devirt_event ring[DEVIRT_LOG_SIZE];
	wait_queue_head_t wait;
};

void devirt_log_init(struct devirt_log *log);
u64 devirt_log_head(struct devirt_log *log);
bool devirt_log_next(struct devirt_log *log, u64 *seen, struct devirt_event *event);

/**
 * struct devirt_event_args - what an event says beside its type
 * @record: index of the record, or NULL
 * @cpu: a CPU, or NULL
 * @pid: a process id in the initial namespace
 * @value: see the type
 * @detail: text or NULL
 */
struct devirt_event_args {
	const u32 *record;
	const u32 *cpu;
	u32 pid;
	u64 value;
	const char *detail;
};

void devirt_event_post(struct devirt_partition *part, u32 type,
		       const struct devirt_event_args *args);

/**
 * devirt_event - post an event of a partition
 * @part: the partition
 * @type: DEVIRT_EVENT_*
 * @...: fields of struct devirt_event_args, as designated initializers
 *
 * Any context. Allocates nothing.
 */
#define devirt_event(part, type, ...)	\
	devirt_event_post(part, type, &(const struct devirt_event_args){ __VA_ARGS__ })

#endif /* _DEVIRT_EVENT_H */
