// SPDX-License-Identifier: GPL-2.0
/* devirt events: what happens to partitions, as it happens. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "watch.h"

/* How often to look for partitions that are new, where all are followed. */
#define LOOK_NS		200000000

/* A partition whose events are read. */
struct stream {
	char *name;
	int fd;
	struct devirt_records records;
};

struct streams {
	struct stream *v;
	size_t count;
	size_t longest;		/* of the names */
	int device;
	bool all;		/* also those that come */
};

/* ---------------------------------------------------------------- streams */

static int add_stream(struct streams *s, const char *name)
{
	struct stream *v = reallocarray(s->v, s->count + 1, sizeof(*v));
	struct devirt_get get;
	int fd;

	if (!v)
		return -ENOMEM;
	s->v = v;
	fd = devirt_open_partition(s->device, name, DEVIRT_OPEN_OBSERVE |
				   (opt.past ? DEVIRT_OPEN_PAST : 0));
	if (fd < 0)
		return fd;
	v = &s->v[s->count];
	memset(v, 0, sizeof(*v));
	v->name = strdup(name);
	if (!v->name) {
		close(fd);
		return -ENOMEM;
	}
	v->fd = fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	/* only for the names of what events are about */
	devirt_get_partition(fd, &get, &v->records);
	s->count++;
	if (strlen(name) > s->longest)
		s->longest = strlen(name);
	return 0;
}

static void drop_stream(struct streams *s, size_t index)
{
	free(s->v[index].name);
	close(s->v[index].fd);
	devirt_records_clear(&s->v[index].records);
	memmove(&s->v[index], &s->v[index + 1], (--s->count - index) * sizeof(*s->v));
}

static void free_streams(struct streams *s)
{
	while (s->count)
		drop_stream(s, s->count - 1);
	free(s->v);
}

/* Opens those that aren't open yet. */
static int look_for_more(struct streams *s)
{
	char **names;
	size_t count;
	int ret;

	ret = devirt_list_partitions(&names, &count);
	if (ret)
		return ret;
	for (size_t i = 0; i < count && !ret; i++) {
		bool known = false;

		for (size_t k = 0; k < s->count && !known; k++)
			known = !strcmp(s->v[k].name, names[i]);
		if (known)
			continue;
		ret = add_stream(s, names[i]);
		/* gone again */
		if (ret == -ENOENT)
			ret = 0;
	}
	devirt_free_names(names, count);
	return ret;
}

/* --------------------------------------------------------------- printing */

/* What record @index of the partition is, "CPU 3"; free(). NULL if unknown. */
static char *resource(const struct stream *stream, uint32_t index)
{
	return index < stream->records.count ? record_choice(&stream->records.v[index]) : NULL;
}

static void print_json(const struct stream *stream, const struct devirt_event *event)
{
	struct json_object *object = json_object_new_object();
	char *what = resource(stream, event->record);

	json_object_object_add(object, "event", json_text(devirt_event_name(event->type)));
	json_object_object_add(object, "partition", json_text(stream->name));
	json_object_object_add(object, "sequence", json_object_new_int64(event->sequence));
	json_object_object_add(object, "time_ns", json_object_new_int64(event->time_ns));
	json_object_object_add(object, "value", json_object_new_int64(event->value));
	if (event->record != DEVIRT_INDEX_NONE)
		json_object_object_add(object, "record", json_object_new_int64(event->record));
	if (what)
		json_object_object_add(object, "resource", json_text(what));
	if (event->pid)
		json_object_object_add(object, "pid", json_object_new_int64(event->pid));
	if (event->cpu != DEVIRT_INDEX_NONE)
		json_object_object_add(object, "cpu", json_object_new_int64(event->cpu));
	if (event->detail[0])
		json_object_object_add(object, "detail", json_text(event->detail));
	free(what);
	json_print_line(object);
}

static void print_text(const struct streams *s, const struct stream *stream,
		       const struct devirt_event *event)
{
	char *what = resource(stream, event->record), *text = NULL, *plain;
	unsigned long long value = event->value;
	char *process = event->pid ? devirt_process_name(event->pid) : NULL;
	const char *who = process ? process : "a process";
	bool detail = event->detail[0];
	size_t size;
	FILE *file;

	if (!what && event->record != DEVIRT_INDEX_NONE &&
	    asprintf(&what, "record %u", event->record) < 0)
		what = NULL;
	file = open_memstream(&text, &size);
	if (!file)
		goto out;
	fprintf(file, "%6llu.%06llu  ", (unsigned long long)event->time_ns / 1000000000,
		(unsigned long long)event->time_ns % 1000000000 / 1000);
	if (s->all)
		fprintf(file, "%-*s  ", (int)s->longest, stream->name);
	fprintf(file, "%-10s", devirt_event_name(event->type));
	switch (event->type) {
	case DEVIRT_EVENT_LOST:
		fprintf(file, "  %llu events were not read in time", value);
		break;
	case DEVIRT_EVENT_APPLIED:
		fprintf(file, "  %llu resources", value);
		break;
	case DEVIRT_EVENT_ATTACHED:
		fprintf(file, "  %s is the VMM", who);
		break;
	case DEVIRT_EVENT_PINNED:
		fprintf(file, "  vCPU %llu, thread %u, to CPU %u", value, event->pid, event->cpu);
		break;
	case DEVIRT_EVENT_QUARANTINE:
		fprintf(file, "  %s: %s", what ? what : "?", strerror(abs((int)value)));
		break;
	case DEVIRT_EVENT_INTRUSION:
		fprintf(file, "  CPU %u: %s", event->cpu, detail ? event->detail : "a task");
		if (event->pid)
			fprintf(file, " (pid %u)", event->pid);
		detail = false;
		break;
	case DEVIRT_EVENT_IRQS:
		fprintf(file, "  %llu interrupt%s of %s placed", value, value == 1 ? "" : "s",
			what ? what : "a device");
		break;
	case DEVIRT_EVENT_USER:
		fprintf(file, "  %s uses %s, but isn't the VMM", who, what ? what : "a device");
		break;
	default:
		if (what)
			fprintf(file, "  %s", what);
	}
	if (detail)
		fprintf(file, ": %s", event->detail);
	fclose(file);
	/* a task's name is whatever that task wants */
	plain = text ? plain_text(text) : NULL;
	printf("%s\n", plain ? plain : "");
	fflush(stdout);
	free(plain);
	free(text);
out:
	free(process);
	free(what);
}

/* Prints what can be read now. Returns how many events there were, 0 at the
 * partition's end, or -errno.
 */
static int print_some(const struct streams *s, struct stream *stream)
{
	struct devirt_event events[16];
	struct devirt_get get;
	int n;

	n = devirt_read_events(stream->fd, events, ARRAY_SIZE(events));
	for (int i = 0; i < n; i++) {
		if (events[i].type == DEVIRT_EVENT_APPLIED)
			devirt_get_partition(stream->fd, &get, &stream->records);
		if (opt.json)
			print_json(stream, &events[i]);
		else
			print_text(s, stream, &events[i]);
	}
	return n;
}

/* Prints until there was an event, or with --follow to the end. Returns 0, or
 * -errno: -EINTR when it is to end.
 */
static int follow(struct streams *s)
{
	/* What has happened needn't be waited for. */
	unsigned long long wait_ns = opt.past ? 0 : opt.max_wait * 1000000000ULL;
	unsigned long long end = watch_now() + wait_ns, look = 0;
	struct pollfd *fds = NULL, *more;
	int ret = 0, printed = 0;

	while (!ret && !ferror(stdout) && (opt.follow || opt.past || !printed) &&
	       (s->count || s->all)) {
		unsigned long long now = watch_now();
		bool last = !opt.follow && now >= end;
		double wait = opt.follow ? -1 : last ? 0 : (end - now) / 1e9;

		if (s->all && now >= look) {
			ret = look_for_more(s);
			if (ret)
				break;
			look = now + LOOK_NS;
		}
		if (s->all && (wait < 0 || wait > (look - now) / 1e9))
			wait = (look - now) / 1e9;
		more = reallocarray(fds, s->count + 1, sizeof(*fds));
		if (!more) {
			ret = -ENOMEM;
			break;
		}
		fds = more;
		for (size_t i = 0; i < s->count; i++)
			fds[i] = (struct pollfd){ .fd = s->v[i].fd, .events = POLLIN };
		ret = watch_wait(fds, s->count, wait);
		if (ret == -EAGAIN)
			ret = 0;
		if (!ret && last && opt.past)
			break;
		if (!ret && last)
			ret = -ETIMEDOUT;
		if (ret <= 0)
			continue;
		ret = 0;
		for (size_t i = s->count; i-- && !ret;) {
			int n;

			if (!fds[i].revents)
				continue;
			n = print_some(s, &s->v[i]);
			if (n > 0)
				printed += n;
			else if (!n)
				drop_stream(s, i);
			else if (n != -EAGAIN)
				ret = n;
		}
	}
	free(fds);
	return ret;
}

static int events_command(int argc, char **argv)
{
	const char *name = argc ? argv[0] : NULL;
	struct streams s = { .all = !name };
	int ret, status = EXIT_OK;

	if (argc > 1)
		return fail_usage("one partition at a time, or all without a name");
	s.device = need_module(&status);
	if (s.device < 0)
		return status;
	ret = name ? add_stream(&s, name) : 0;
	if (ret) {
		status = fail_open(ret, name);
		goto out;
	}
	watch_begin();
	ret = follow(&s);
	if (ret == -ETIMEDOUT && name)
		status = fail(EXIT_REFUSED, &(struct problem){ .error = ETIMEDOUT },
			      "partition '%s': no event in %d s", name, opt.max_wait);
	else if (ret == -ETIMEDOUT)
		status = fail(EXIT_REFUSED, &(struct problem){ .error = ETIMEDOUT },
			      "no event of any partition in %d s", opt.max_wait);
	else if (ret && ret != -EINTR)
		status = fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			      "the events of %s can't be read: %s",
			      name ? name : "the partitions", strerror(-ret));
out:
	free_streams(&s);
	close(s.device);
	return status;
}

static const char *const options[] = { "--json", "--follow", "--past", "--wait=", NULL };

const struct command command_events = {
	.name = "events",
	.args = "[NAME]",
	.help = "Print what happens to partitions",
	.options = options,
	.run = events_command,
};
