// SPDX-License-Identifier: GPL-2.0
/*
 * read() and poll() of a partition's descriptor.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "lease.h"
#include "tap.h"

static struct devirt_record page(void)
{
	return rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY);
}

static int new_partition(bool wait)
{
	int part = lease_create("events");

	REQUIRE(part >= 0, "%s", strerror(-part));
	if (!wait)
		fcntl(part, F_SETFL, O_NONBLOCK);
	return part;
}

static void apply(int part)
{
	struct devirt_record rec = page();

	REQUIRE_EQ(lease_apply(part, 0, &rec, 1, NULL), 0);
}

static short polled(int fd)
{
	struct pollfd poller = { fd, POLLIN, 0 };

	poll(&poller, 1, 0);
	return poller.revents;
}

/* The next event's type; 0 at the end, or -errno. */
static int next(int fd, struct devirt_event *event)
{
	ssize_t len = read(fd, event, sizeof(*event));

	if (len < 0)
		return -errno;
	if (!len)
		return 0;
	CHECK_EQ(len, sizeof(*event));
	CHECK_EQ(event->size, sizeof(*event));
	CHECK_EQ(event->reserved, 0);
	return event->type;
}

TEST("an event for apply, attach and release, numbered from 1, in the order of time")
{
	int part = new_partition(false);
	struct devirt_event event;
	unsigned long long last;

	CHECK_EQ(next(part, &event), -EAGAIN);
	CHECK_EQ(polled(part), 0);
	apply(part);
	CHECK_EQ(polled(part), POLLIN);
	CHECK_EQ(next(part, &event), DEVIRT_EVENT_APPLIED);
	CHECK_EQ(event.sequence, 1);
	CHECK_EQ(event.value, 1);
	CHECK_EQ(event.pid, getpid());
	CHECK_EQ(event.record, DEVIRT_INDEX_NONE);
	CHECK_EQ(event.cpu, DEVIRT_INDEX_NONE);
	last = event.time_ns;
	CHECK_EQ(polled(part), 0);
	CHECK_EQ(lease_attach(part, getpid()), 0);
	CHECK_EQ(next(part, &event), DEVIRT_EVENT_ATTACHED);
	CHECK_EQ(event.sequence, 2);
	CHECK_EQ(event.pid, getpid());
	CHECK(event.time_ns >= last);
	last = event.time_ns;
	CHECK_EQ(next(part, &event), -EAGAIN);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(polled(part), POLLIN | POLLHUP);
	CHECK_EQ(next(part, &event), DEVIRT_EVENT_RELEASED);
	CHECK_EQ(event.sequence, 3);
	CHECK(event.time_ns >= last);
	/* All is read and nothing is held: the end, and it stays the end. */
	CHECK_EQ(polled(part), POLLHUP);
	CHECK_EQ(next(part, &event), 0);
	CHECK_EQ(next(part, &event), 0);
}

TEST("who watches a partition that is closed before anything was applied is told of the end")
{
	int part = new_partition(false), seen = lease_open("events", DEVIRT_OPEN_OBSERVE);
	struct devirt_event event;

	REQUIRE(seen >= 0, "%s", strerror(-seen));
	fcntl(seen, F_SETFL, O_NONBLOCK);
	CHECK_EQ(polled(seen), 0);
	close(part);
	CHECK_EQ(polled(seen), POLLHUP);
	CHECK_EQ(next(seen, &event), 0);
	CHECK_EQ(lease_state(seen), DEVIRT_STATE_RELEASED);
}

TEST("a failed and a dry apply are no events")
{
	struct devirt_record recs[2] = { page() };
	int part = new_partition(false);
	struct devirt_event event;
	unsigned int failed;

	CHECK_EQ(lease_apply(part, DEVIRT_APPLY_DRY_RUN, recs, 1, NULL), 0);
	recs[0].kind = 0;
	CHECK_EQ(lease_apply(part, 0, recs, 1, NULL), -EOPNOTSUPP);
	recs[0] = recs[1] = rec_most(0);
	CHECK_EQ(lease_apply(part, 0, recs, 2, &failed), -ENOMEM);
	CHECK_EQ(failed, 1);
	CHECK_EQ(next(part, &event), -EAGAIN);
	CHECK_EQ(polled(part), 0);
}

TEST("room for less than one event is EINVAL, for more gets as many as there are")
{
	struct devirt_event events[4];
	int part = new_partition(false);

	apply(part);
	CHECK_EQ(lease_attach(part, getpid()), 0);
	CHECK(read(part, events, 0) < 0 && errno == EINVAL);
	CHECK(read(part, events, sizeof(events[0]) - 1) < 0 && errno == EINVAL);
	/* A part of an event is never read. */
	CHECK_EQ(read(part, events, 2 * sizeof(events[0]) - 1), sizeof(events[0]));
	CHECK_EQ(events[0].sequence, 1);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(read(part, events, sizeof(events)), 2 * sizeof(events[0]));
	CHECK_EQ(events[0].sequence, 2);
	CHECK_EQ(events[1].sequence, 3);
}

TEST("a read to a bad address is EFAULT and loses no event")
{
	void *bad = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int part = new_partition(false);
	struct devirt_event event;

	apply(part);
	CHECK(read(part, bad, sizeof(event)) < 0 && errno == EFAULT);
	CHECK_EQ(next(part, &event), DEVIRT_EVENT_APPLIED);
}

TEST("each descriptor reads every event from its own opening on")
{
	int part = new_partition(false), early, late;
	struct devirt_event event;

	early = lease_open("events", DEVIRT_OPEN_OBSERVE);
	fcntl(early, F_SETFL, O_NONBLOCK);
	apply(part);
	late = lease_open("events", DEVIRT_OPEN_OBSERVE);
	fcntl(late, F_SETFL, O_NONBLOCK);
	CHECK_EQ(next(late, &event), -EAGAIN);
	CHECK_EQ(next(early, &event), DEVIRT_EVENT_APPLIED);
	CHECK_EQ(next(part, &event), DEVIRT_EVENT_APPLIED);
	CHECK_EQ(lease_attach(part, getpid()), 0);
	CHECK_EQ(next(late, &event), DEVIRT_EVENT_ATTACHED);
	CHECK_EQ(event.sequence, 2);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(next(late, &event), DEVIRT_EVENT_RELEASED);
	CHECK_EQ(next(late, &event), 0);
	CHECK_EQ(next(early, &event), DEVIRT_EVENT_ATTACHED);
	CHECK_EQ(polled(early), POLLIN | POLLHUP);
}

TEST("a descriptor opened for the past reads every event that is kept")
{
	int part = new_partition(false), past, i;
	struct devirt_event event;

	apply(part);
	CHECK_EQ(lease_attach(part, getpid()), 0);
	past = lease_open("events", DEVIRT_OPEN_OBSERVE | DEVIRT_OPEN_PAST);
	fcntl(past, F_SETFL, O_NONBLOCK);
	for (i = 0; i < 2; i++) {
		CHECK_EQ(polled(past), POLLIN);
		CHECK_EQ(next(past, &event), i ? DEVIRT_EVENT_ATTACHED : DEVIRT_EVENT_APPLIED);
		CHECK_EQ(event.sequence, i + 1);
	}
	CHECK_EQ(next(past, &event), -EAGAIN);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(next(past, &event), DEVIRT_EVENT_RELEASED);
	CHECK_EQ(next(past, &event), 0);
}

TEST("a reader that is too slow is told how many events it has lost")
{
	int part = new_partition(false), i, lost;
	unsigned long long last;
	struct devirt_event event;

	apply(part);
	CHECK_EQ(next(part, &event), DEVIRT_EVENT_APPLIED);
	for (i = 0; i < 200; i++)
		REQUIRE_EQ(lease_attach(part, getpid()), 0);
	REQUIRE_EQ(next(part, &event), DEVIRT_EVENT_LOST);
	lost = event.value;
	CHECK(lost > 0 && lost < 200, "%d", lost);
	CHECK_EQ(event.sequence, 1 + lost);
	last = event.sequence;
	for (i = 0; next(part, &event) == DEVIRT_EVENT_ATTACHED; i++)
		CHECK_EQ(event.sequence, ++last);
	CHECK_EQ(i + lost, 200);
	CHECK_EQ(last, 201);
	/* Fast enough again: nothing more is lost. */
	CHECK_EQ(lease_attach(part, getpid()), 0);
	CHECK_EQ(next(part, &event), DEVIRT_EVENT_ATTACHED);
	CHECK_EQ(event.sequence, 202);
}

static int wait_part;

static void *wait_read(void *arg)
{
	struct devirt_event event;

	return (void *)(long)next(wait_part, &event);
}

static bool asleep(pid_t tid)
{
	char text[512];

	file_read(text, sizeof(text), "/proc/self/task/%d/stat", tid);
	return strstr(text, ") S ");
}

static pid_t wait_tid;

static void *wait_read_tid(void *arg)
{
	wait_tid = gettid();
	return wait_read(arg);
}

TEST("a read waits for an event, and for the end")
{
	pthread_t thread;
	void *result;

	wait_part = new_partition(true);
	REQUIRE(!pthread_create(&thread, NULL, wait_read_tid, NULL));
	CHECK(EVENTUALLY(wait_tid && asleep(wait_tid)));
	apply(wait_part);
	pthread_join(thread, &result);
	CHECK_EQ((long)result, DEVIRT_EVENT_APPLIED);

	wait_tid = 0;
	REQUIRE(!pthread_create(&thread, NULL, wait_read_tid, NULL));
	CHECK(EVENTUALLY(wait_tid && asleep(wait_tid)));
	CHECK_EQ(lease_release(wait_part), 0);
	pthread_join(thread, &result);
	CHECK_EQ((long)result, DEVIRT_EVENT_RELEASED);
	CHECK_EQ((long)wait_read(NULL), 0);
}

TEST("poll sleeps until an event comes, and wakes up at the end")
{
	int part = new_partition(false), seen;
	struct devirt_event event;
	struct pollfd poller;
	pid_t pid;

	seen = lease_open("events", DEVIRT_OPEN_OBSERVE);
	pid = fork();
	if (!pid) {
		close(part);
		poller = (struct pollfd){ seen, POLLIN, 0 };
		if (poll(&poller, 1, 10000) != 1 || poller.revents != POLLIN)
			_exit(1);
		if (next(seen, &event) != DEVIRT_EVENT_APPLIED)
			_exit(2);
		do {
			poller.events = 0;
			if (poll(&poller, 1, 10000) != 1)
				_exit(3);
		} while (!(poller.revents & POLLHUP));
		_exit(0);
	}
	tap_pause(50);
	apply(part);
	tap_pause(50);
	close(part);
	int status;

	waitpid(pid, &status, 0);
	CHECK_EQ(WEXITSTATUS(status), 0);
}

static volatile unsigned int got[4096];

static void *share(void *arg)
{
	int part = *(int *)arg;
	struct devirt_event event;
	int type;

	while ((type = next(part, &event)) != 0) {
		if (type > 0 && type != DEVIRT_EVENT_LOST && event.sequence < 4096)
			__sync_fetch_and_add(&got[event.sequence], 1);
	}
	return NULL;
}

TEST("threads that read the same descriptor share the events: each is read once")
{
	int part = new_partition(true), i, twice = 0, never = 0;
	pthread_t threads[4];

	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, share, &part);
	apply(part);
	for (i = 0; i < 50; i++)
		CHECK_EQ(lease_attach(part, getpid()), 0);
	CHECK_EQ(lease_release(part), 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (i = 1; i <= 52; i++) {
		twice += got[i] > 1;
		never += !got[i];
	}
	CHECK_EQ(twice, 0);
	CHECK_EQ(never, 0);
}
