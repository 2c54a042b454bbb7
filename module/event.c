// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: what happened to a partition, for read() and poll(). A ring of the
 * latest; each reader keeps its own place in it and is told when it was too
 * slow. The ring is a part of the partition, so posting cannot fail and is
 * allowed anywhere.
 */
#include <linux/ktime.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "event.h"
#include "partition.h"

/**
 * devirt_log_init - make an empty log
 * @log: the log
 */
void devirt_log_init(struct devirt_log *log)
{
	spin_lock_init(&log->lock);
	init_waitqueue_head(&log->wait);
}

/**
 * devirt_log_head - number of the latest event, where a new reader begins
 * @log: the log
 */
u64 devirt_log_head(struct devirt_log *log)
{
	unsigned long flags;
	u64 head;

	spin_lock_irqsave(&log->lock, flags);
	head = log->head;
	spin_unlock_irqrestore(&log->lock, flags);
	return head;
}

/**
 * devirt_log_next - the event after the last one seen
 * @log: the log
 * @seen: number of the last event seen, moved on
 * @event: filled in
 *
 * Any context. Return: false if there is none.
 */
bool devirt_log_next(struct devirt_log *log, u64 *seen, struct devirt_event *event)
{
	unsigned long flags;
	bool found = false;

	spin_lock_irqsave(&log->lock, flags);
	if (log->head - *seen > DEVIRT_LOG_SIZE) {
		u64 oldest = log->head - DEVIRT_LOG_SIZE + 1;

		memset(event, 0, sizeof(*event));
		event->size = sizeof(*event);
		event->type = DEVIRT_EVENT_LOST;
		event->time_ns = ktime_get_boottime_ns();
		event->sequence = oldest - 1;
		event->value = oldest - 1 - *seen;
		event->record = DEVIRT_INDEX_NONE;
		event->cpu = DEVIRT_INDEX_NONE;
		*seen = oldest - 1;
		found = true;
	} else if (log->head != *seen) {
		(*seen)++;
		*event = log->ring[*seen % DEVIRT_LOG_SIZE];
		found = true;
	}
	spin_unlock_irqrestore(&log->lock, flags);
	return found;
}

/**
 * devirt_event_post - see devirt_event()
 * @part: the partition
 * @type: DEVIRT_EVENT_*
 * @args: the rest
 */
void devirt_event_post(struct devirt_partition *part, u32 type,
		       const struct devirt_event_args *args)
{
	struct devirt_log *log = &part->log;
	struct devirt_event *event;
	unsigned long flags;

	spin_lock_irqsave(&log->lock, flags);
	log->head++;
	event = &log->ring[log->head % DEVIRT_LOG_SIZE];
	memset(event, 0, sizeof(*event));
	event->size = sizeof(*event);
	event->type = type;
	event->time_ns = ktime_get_boottime_ns();
	event->sequence = log->head;
	event->value = args->value;
	event->record = args->record ? *args->record : DEVIRT_INDEX_NONE;
	event->pid = args->pid;
	event->cpu = args->cpu ? *args->cpu : DEVIRT_INDEX_NONE;
	if (args->detail)
		strscpy(event->detail, args->detail, sizeof(event->detail));
	spin_unlock_irqrestore(&log->lock, flags);
	wake_up_all(&log->wait);
}
