// SPDX-License-Identifier: GPL-2.0
/* devirt events: what happens to a partition, as it happens. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"

static void print_json(const struct devirt_event *event)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "event", json_text(devirt_event_name(event->type)));
	json_object_object_add(object, "sequence", json_object_new_int64(event->sequence));
	json_object_object_add(object, "time_ns", json_object_new_int64(event->time_ns));
	json_object_object_add(object, "value", json_object_new_int64(event->value));
	if (event->record != DEVIRT_INDEX_NONE)
		json_object_object_add(object, "record", json_object_new_int64(event->record));
	if (event->pid)
		json_object_object_add(object, "pid", json_object_new_int64(event->pid));
	if (event->cpu != DEVIRT_INDEX_NONE)
		json_object_object_add(object, "cpu", json_object_new_int64(event->cpu));
	if (event->detail[0])
		json_object_object_add(object, "detail", json_text(event->detail));
	/* one line each, so that a program can read them as they come */
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static void print_text(const struct devirt_event *event)
{
	unsigned long long value = event->value;

	printf("%6llu.%06llu  %-10s", (unsigned long long)event->time_ns / 1000000000,
	       (unsigned long long)event->time_ns % 1000000000 / 1000,
	       devirt_event_name(event->type));
	switch (event->type) {
	case DEVIRT_EVENT_LOST:
		printf("  %llu events were not read in time", value);
		break;
	case DEVIRT_EVENT_APPLIED:
		printf("  %llu resources", value);
		break;
	case DEVIRT_EVENT_ATTACHED:
		printf("  pid %u is the VMM", event->pid);
		break;
	case DEVIRT_EVENT_PINNED:
		printf("  vCPU %llu, thread %u, to CPU %u", value, event->pid, event->cpu);
		break;
	case DEVIRT_EVENT_QUARANTINE:
		printf("  record %u: %s", event->record, strerror((int)value < 0 ? -(int)value :
								   (int)value));
		break;
	default:
		if (event->record != DEVIRT_INDEX_NONE)
			printf("  record %u", event->record);
	}
	printf("%s%s\n", event->detail[0] ? ": " : "", event->detail);
}

/* Waits for events, or the end. Returns how many were printed; 0 at the end;
 * -errno
 */
static int print_some(int partition, int timeout_ms)
{
	struct pollfd pollfd = { .fd = partition, .events = POLLIN };
	struct devirt_event events[16];
	int n;

	n = TEMP_FAILURE_RETRY(poll(&pollfd, 1, timeout_ms));
	if (n < 0)
		return -errno;
	if (!n)
		return -ETIMEDOUT;
	n = devirt_read_events(partition, events, ARRAY_SIZE(events));
	for (int i = 0; i < n; i++) {
		if (opt.json)
			print_json(&events[i]);
		else
			print_text(&events[i]);
	}
	fflush(stdout);
	return n;
}

static int events_command(int argc, char **argv)
{
	int device, partition, status, n;

	if (argc != 1)
		return fail_usage("%s", argc ? "one partition at a time" : "which partition?");
	device = need_module(&status);
	if (device < 0)
		return status;
	partition = devirt_open_partition(device, argv[0], DEVIRT_OPEN_OBSERVE);
	if (partition < 0) {
		status = fail_open(partition, argv[0]);
		close(device);
		return status;
	}
	do {
		n = print_some(partition, opt.follow ? -1 : opt.max_wait * 1000);
	} while (opt.follow && n > 0);
	if (n == -ETIMEDOUT)
		status = fail(EXIT_REFUSED, &(struct problem){ .error = ETIMEDOUT },
			      "partition '%s': no event in %d s", argv[0], opt.max_wait);
	else if (n < 0)
		status = fail(EXIT_REFUSED, &(struct problem){ .error = -n },
			      "partition '%s': %s", argv[0], strerror(-n));
	else
		status = EXIT_OK;
	close(partition);
	close(device);
	return status;
}

static const char *const options[] = { "--json", "--follow", "--wait=", NULL };

const struct command command_events = {
	.name = "events",
	.args = "NAME",
	.help = "Print what happens to a partition",
	.options = options,
	.run = events_command,
};
