// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a partition: its name, its states, and which descriptor keeps it.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "lease.h"
#include "tap.h"

static struct devirt_record page(void)
{
	return rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY);
}

static long pages(void)
{
	return file_number("/proc/sys/vm/nr_hugepages");
}

static int held(const char *name)
{
	struct devirt_record rec = page();
	int part = lease_new(name, &rec, 1);

	REQUIRE(part >= 0, "%s: %s", name, strerror(-part));
	return part;
}

static const char *sysfs(const char *name, const char *attr)
{
	static char text[256];

	if (file_read(text, sizeof(text), "/sys/class/devirt/%s/%s", name, attr))
		return "(none)";
	return text;
}

TEST("a name is unique, and free again once its descriptor is closed")
{
	int part = lease_create("one"), other;

	REQUIRE(part >= 0);
	CHECK_EQ(lease_create("one"), -EEXIST);
	other = lease_create("two");
	CHECK(other >= 0);
	close(part);
	part = lease_create("one");
	CHECK(part >= 0);
	/* The same for one that holds something. */
	close(part);
	part = held("one");
	CHECK_EQ(lease_create("one"), -EEXIST);
	close(part);
	part = held("one");
	/* A released one has no name any more, though its descriptor is open. */
	CHECK_EQ(lease_release(part), 0);
	other = held("one");
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
	CHECK_EQ(lease_state(other), DEVIRT_STATE_HELD);
}

TEST("descriptors are close-on-exec")
{
	int part = held("exec"), seen = lease_open("exec", DEVIRT_OPEN_OBSERVE);

	CHECK(fcntl(part, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(seen, F_GETFD) & FD_CLOEXEC);
}

TEST("a partition is applied once: again is EBUSY, held or released")
{
	struct devirt_record rec = page();
	int part = held("once");
	long before = pages();

	CHECK_EQ(lease_apply(part, 0, &rec, 1, NULL), -EBUSY);
	CHECK_EQ(lease_apply(part, DEVIRT_APPLY_DRY_RUN, &rec, 1, NULL), -EBUSY);
	CHECK_EQ(pages(), before);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_apply(part, 0, &rec, 1, NULL), -EBUSY);
	CHECK_EQ(pages(), before - 1);
	CHECK_EQ(lease_release(part), -ENXIO);
}

TEST("a failed apply leaves a partition that can be applied")
{
	struct devirt_record recs[3] = { page(), rec_cpu(99, 0, 0) };
	int part = lease_create("again");
	long before = pages();
	unsigned int failed;

	CHECK_EQ(lease_apply(part, 0, recs, 2, NULL), -ENODEV);
	/* Refused while it is taken, not when it is checked. */
	recs[1] = recs[2] = rec_most(0);
	CHECK_EQ(lease_apply(part, 0, recs, 3, &failed), -ENOMEM);
	CHECK_EQ(failed, 2);
	CHECK_EQ(recs[1].memory.available, recs[1].memory.pages);
	CHECK_EQ(pages(), before);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
	recs[0] = page();
	CHECK_EQ(lease_apply(part, 0, recs, 1, NULL), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_HELD);
	CHECK_EQ(pages(), before + 1);
}

TEST("get tells what is held, of a new, a held and a released partition")
{
	struct devirt_record recs[3] = { page(), rec_cpu(4, DEVIRT_ROLE_VCPU, 0),
					 rec_cpu(5, 0, 0) };
	struct devirt_record out[4];
	int part = lease_create("get");
	struct devirt_get get;

	memset(out, 0xff, sizeof(out));
	CHECK_EQ(lease_get(part, &get, out, 4), 0);
	CHECK_EQ(get.count, 0);
	CHECK_EQ(get.state, DEVIRT_STATE_NEW);
	CHECK_EQ(get.owner, 0);
	CHECK_STR(get.name, "get");

	REQUIRE_EQ(lease_apply(part, 0, recs, 3, NULL), 0);
	CHECK_EQ(lease_get(part, &get, NULL, 0), -EMSGSIZE);
	CHECK_EQ(get.count, 3);
	CHECK_EQ(get.state, DEVIRT_STATE_HELD);
	CHECK_EQ(lease_get(part, &get, out, 2), -EMSGSIZE);
	CHECK_EQ(get.count, 3);
	CHECK(out[0].kind == 0xffffffff, "something was written all the same");
	CHECK_EQ(lease_get(part, &get, out, 4), 0);
	CHECK_EQ(get.count, 3);
	CHECK_EQ(get.owner, getpid());
	CHECK_EQ(get.vmm, 0);
	CHECK_EQ(get.persistent, 0);
	CHECK(!memcmp(out, recs, sizeof(recs)), "not what apply returned");
	CHECK(out[3].kind == 0xffffffff, "more was written than there is");
	/* More room than there can be records is no error. */
	CHECK_EQ(lease_get(part, &get, out, ~0U), 0);
	CHECK_EQ(get.count, 3);

	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_get(part, &get, out, 4), 0);
	CHECK_EQ(get.count, 0);
	CHECK_EQ(get.state, DEVIRT_STATE_RELEASED);
	CHECK_EQ(get.owner, 0);
}

TEST("a dry run holds nothing, and gets in nobody's way")
{
	struct devirt_record recs[3] = { page(), rec_cpu(5, 0, 0), rec_pci(EDU) };
	struct devirt_record same[3];
	int dry = lease_create("dry"), other = lease_create("other");
	unsigned int failed;
	long before = pages();

	recs[1].flags = DEVIRT_RECORD_SHARE_CORE;
	memcpy(same, recs, sizeof(same));
	CHECK_EQ(lease_apply(dry, DEVIRT_APPLY_DRY_RUN, recs, 3, &failed), 0);
	CHECK_EQ(failed, 3);
	CHECK_EQ(lease_state(dry), DEVIRT_STATE_NEW);
	CHECK_EQ(pages(), before);
	CHECK_STR(pci_driver(EDU), "");
	CHECK_EQ(lease_apply(other, 0, same, 3, NULL), 0);
	/* Now the same dry run is told who has it. */
	CHECK_EQ(lease_apply(dry, DEVIRT_APPLY_DRY_RUN, recs, 3, &failed), -EBUSY);
	CHECK_EQ(failed, 1);
	CHECK_EQ(recs[1].reason, DEVIRT_REASON_OWNED);
	CHECK_STR(recs[1].detail, "other");
	CHECK_EQ(lease_state(other), DEVIRT_STATE_HELD);
}

static volatile bool stop;

static void *dry_runs(void *arg)
{
	struct devirt_record rec;
	int part = lease_create("dry");

	while (!stop) {
		rec = rec_cpu(5, 0, 0);
		rec.flags = DEVIRT_RECORD_SHARE_CORE;
		lease_apply(part, DEVIRT_APPLY_DRY_RUN, &rec, 1, NULL);
	}
	close(part);
	return NULL;
}

TEST("dry runs all the time never make somebody's apply fail")
{
	struct devirt_record rec;
	pthread_t thread;
	int i, part, bad = 0;

	REQUIRE(!pthread_create(&thread, NULL, dry_runs, NULL));
	for (i = 0; i < 10; i++) {
		rec = rec_cpu(5, 0, 0);
		rec.flags = DEVIRT_RECORD_SHARE_CORE;
		part = lease_new("real", &rec, 1);
		bad += part < 0;
		close(part);
	}
	stop = true;
	pthread_join(thread, NULL);
	CHECK_EQ(bad, 0);
}

TEST("what one partition has is refused to another, which is told by whom")
{
	struct devirt_record mine[] = { rec_cpu(4, 0, 0), rec_cpu(5, 0, 0), rec_pci(EDU) };
	int part = lease_new("mine", mine, 3), other = lease_create("theirs"), i;
	struct devirt_record rec;

	REQUIRE(part >= 0, "%s", strerror(-part));
	for (i = 0; i < 2; i++) {
		rec = i ? rec_cpu(5, 0, 0) : rec_pci(EDU);
		CHECK_EQ(lease_apply(other, 0, &rec, 1, NULL), -EBUSY);
		CHECK_EQ(rec.reason, DEVIRT_REASON_OWNED);
		CHECK_STR(rec.detail, "mine");
	}
	rec = rec_pci(EDU);
	close(part);
	CHECK_EQ(lease_apply(other, 0, &rec, 1, NULL), 0);
}

TEST("a persistent lease survives its descriptor, and another one can release it")
{
	struct devirt_record recs[3] = { page(), rec_pci(EDU), rec_vf(IGB, 0, 2) };
	int part = lease_create("keep"), other;
	long before = pages();
	struct devirt_get get;

	REQUIRE_EQ(lease_apply(part, DEVIRT_APPLY_PERSIST, recs, 3, NULL), 0);
	CHECK_EQ(lease_get(part, &get, recs, 3), 0);
	CHECK_EQ(get.persistent, 1);
	CHECK_STR(sysfs("keep", "persistent"), "1");
	close(part);
	CHECK_EQ(pages(), before + 1);
	CHECK_STR(pci_driver(EDU), "vfio-pci");
	CHECK_STR(sysfs("keep", "state"), "held");
	CHECK_EQ(lease_create("keep"), -EEXIST);

	/* Opening and closing changes nothing. */
	other = lease_open("keep", 0);
	REQUIRE(other >= 0, "%s", strerror(-other));
	close(other);
	CHECK_EQ(pages(), before + 1);

	other = lease_open("keep", 0);
	CHECK_EQ(lease_get(other, &get, recs, 3), 0);
	CHECK_EQ(get.count, 3);
	CHECK_EQ(lease_release(other), 0);
	CHECK_EQ(lease_state(other), DEVIRT_STATE_RELEASED);
	CHECK_EQ(pages(), before);
	CHECK_STR(sysfs("keep", "state"), "(none)");
	CHECK_EQ(lease_open("keep", 0), -ENOENT);
}

TEST("a persistent lease is released by its own descriptor as well")
{
	struct devirt_record rec = page();
	int part = lease_create("keep");
	long before = pages();

	REQUIRE_EQ(lease_apply(part, DEVIRT_APPLY_PERSIST, &rec, 1, NULL), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(pages(), before);
	CHECK_EQ(lease_open("keep", DEVIRT_OPEN_OBSERVE), -ENOENT);
}

TEST("a failed or a dry apply leaves nothing that persists")
{
	struct devirt_record recs[3] = { page() };
	int part = lease_create("fail");
	long before = pages();
	unsigned int failed;

	recs[1] = recs[2] = rec_most(0);
	CHECK_EQ(lease_apply(part, DEVIRT_APPLY_PERSIST, recs, 3, &failed), -ENOMEM);
	CHECK_EQ(failed, 2);
	recs[0] = page();
	CHECK_EQ(lease_apply(part, DEVIRT_APPLY_PERSIST | DEVIRT_APPLY_DRY_RUN, recs, 1, NULL), 0);
	close(part);
	CHECK_EQ(pages(), before);
	CHECK_EQ(lease_open("fail", DEVIRT_OPEN_OBSERVE), -ENOENT);
}

TEST("another's lease can be observed, not changed")
{
	struct devirt_record rec = page(), out;
	int part = held("seen"), seen;
	long before = pages();
	struct devirt_get get;

	CHECK_EQ(lease_open("seen", 0), -EBUSY);
	seen = lease_open("seen", DEVIRT_OPEN_OBSERVE);
	REQUIRE(seen >= 0, "%s", strerror(-seen));
	CHECK_EQ(lease_get(seen, &get, &out, 1), 0);
	CHECK_EQ(get.count, 1);
	CHECK_EQ(lease_apply(seen, 0, &rec, 1, NULL), -EPERM);
	CHECK_EQ(lease_release(seen), -EPERM);
	close(seen);
	CHECK_EQ(pages(), before);
	/* Looking on doesn't keep it. */
	seen = lease_open("seen", DEVIRT_OPEN_OBSERVE);
	close(part);
	CHECK_EQ(pages(), before - 1);
	CHECK_EQ(lease_state(seen), DEVIRT_STATE_RELEASED);
	CHECK_EQ(lease_get(seen, &get, NULL, 0), 0);
	CHECK_STR(get.name, "seen");
}

TEST("a lease lives until its last descriptor is closed: a copy by dup")
{
	int part = held("dup"), copy = dup(part);
	long before = pages();

	close(part);
	CHECK_STR(sysfs("dup", "state"), "held");
	CHECK_EQ(pages(), before);
	close(copy);
	CHECK_STR(sysfs("dup", "state"), "(none)");
	CHECK_EQ(pages(), before - 1);
}

static int channel[2];

static void holder(void *arg)
{
	int part = recv_fd(channel[1]);
	char byte = part >= 0;

	close(channel[0]);
	if (write(channel[1], &byte, 1) != 1 || read(channel[1], &byte, 1) < 0)
		_exit(1);
}

TEST("a lease lives until its last descriptor is closed: passed over a socket")
{
	long before = pages();
	int part;
	pid_t pid;
	char byte = 0;

	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
	pid = spawn(holder, NULL);
	part = held("passed");
	REQUIRE_EQ(send_fd(channel[0], part), 0);
	CHECK(read(channel[0], &byte, 1) == 1 && byte == 1);
	close(part);
	CHECK_STR(sysfs("passed", "state"), "held");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_STR(sysfs("passed", "state"), "(none)");
	CHECK_EQ(pages(), before);
	/* On its way, in no process at all: the socket keeps it, and its end ends it. */
	part = held("passed");
	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
	REQUIRE_EQ(send_fd(channel[0], part), 0);
	close(part);
	CHECK_STR(sysfs("passed", "state"), "held");
	close(channel[0]);
	close(channel[1]);
	CHECK(EVENTUALLY(pages() == before));
}

static void sleeper(void *arg)
{
	pause();
}

TEST("a lease lives until its last descriptor is closed: inherited by fork")
{
	int part = held("fork");
	long before = pages();
	pid_t pid = spawn(sleeper, NULL);

	close(part);
	CHECK_STR(sysfs("fork", "state"), "held");
	CHECK_EQ(pages(), before);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_STR(sysfs("fork", "state"), "(none)");
	CHECK_EQ(pages(), before - 1);
}

struct racer {
	pthread_barrier_t *barrier;
	int part;
	int result;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	struct devirt_record recs[2] = { page(), page() };

	pthread_barrier_wait(racer->barrier);
	racer->result = lease_apply(racer->part, 0, recs, 2, NULL);
	return NULL;
}

TEST("of threads that apply the same partition at once exactly one succeeds, 100 times")
{
	long before = pages();
	int round, i;

	for (round = 0; round < 100; round++) {
		pthread_barrier_t barrier;
		struct racer racers[3];
		pthread_t threads[3];
		int won = 0, lost = 0;

		pthread_barrier_init(&barrier, NULL, 3);
		for (i = 0; i < 3; i++) {
			racers[i].barrier = &barrier;
			racers[i].part = i ? racers[0].part : lease_create("race");
			REQUIRE(!pthread_create(&threads[i], NULL, race, &racers[i]));
		}
		for (i = 0; i < 3; i++) {
			pthread_join(threads[i], NULL);
			won += racers[i].result == 0;
			lost += racers[i].result == -EBUSY;
		}
		CHECK(won == 1 && lost == 2, "round %d: %d won, %d lost", round, won, lost);
		CHECK_EQ(pages(), before + 2);
		close(racers[0].part);
		CHECK_EQ(pages(), before);
	}
}

static void *race_release(void *arg)
{
	struct racer *racer = arg;

	pthread_barrier_wait(racer->barrier);
	racer->result = lease_release(racer->part);
	return NULL;
}

TEST("threads that release, get and close at once leave nothing behind, 50 times")
{
	struct devirt_get get;
	long before = pages();
	int round, i;

	for (round = 0; round < 50; round++) {
		pthread_barrier_t barrier;
		struct racer racers[2];
		pthread_t threads[2];
		int part = held("race");

		pthread_barrier_init(&barrier, NULL, 3);
		for (i = 0; i < 2; i++) {
			racers[i].barrier = &barrier;
			racers[i].part = part;
			REQUIRE(!pthread_create(&threads[i], NULL, race_release, &racers[i]));
		}
		pthread_barrier_wait(&barrier);
		lease_get(part, &get, NULL, 0);
		if (round % 2)
			close(part);
		for (i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		if (!(round % 2)) {
			CHECK(!racers[0].result || !racers[1].result, "%d %d", racers[0].result,
			      racers[1].result);
			close(part);
		}
		CHECK_EQ(pages(), before);
	}
}

TEST("sysfs shows each partition's state and resources")
{
	struct devirt_record recs[] = {
		rec_memory(2 * MIB, 3, 0), rec_cpu(4, DEVIRT_ROLE_VCPU, 1), rec_cpu(5, 0, 0),
		rec_pci(EDU), rec_vf(IGB, 2, 3),
	};
	char text[2048] = "", want[2048];
	int part = lease_create("sysfs"), fd;

	CHECK_STR(sysfs("sysfs", "state"), "new");
	CHECK_STR(sysfs("sysfs", "resources"), "");
	CHECK_STR(sysfs("sysfs", "persistent"), "0");
	REQUIRE_EQ(lease_apply(part, 0, recs, 5, NULL), 0);
	CHECK_STR(sysfs("sysfs", "state"), "held");
	fd = open("/sys/class/devirt/sysfs/resources", O_RDONLY);
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	snprintf(want, sizeof(want),
		 "memory 3 pages of 2048 kB on node 0 held\n"
		 "cpu 4 vcpu 1 held\n"
		 "cpu 5 idle held\n"
		 "pci " EDU " - held\n"
		 "vf %s VF 2 of " IGB " held\n", pci_text(&recs[4].vf.addr));
	CHECK_STR(text, want);
	/* Readable by all, writable by none. */
	CHECK(open("/sys/class/devirt/sysfs/state", O_WRONLY) < 0 || !geteuid());
	CHECK(file_write("new", "/sys/class/devirt/sysfs/state") < 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK_STR(sysfs("sysfs", "state"), "(none)");
}

/* The next uevent of @name: "ACTION STATE", or "" if none comes. */
static const char *uevent(int sock, const char *name)
{
	static char text[128];
	char buf[8192], path[256];
	const char *action, *state, *at;
	ssize_t len;

	snprintf(path, sizeof(path), "/devices/virtual/devirt/%s", name);
	for (;;) {
		struct pollfd poller = { sock, POLLIN, 0 };

		if (poll(&poller, 1, 10000) != 1)
			return "";
		len = recv(sock, buf, sizeof(buf) - 1, 0);
		if (len <= 0)
			return "";
		buf[len] = '\0';
		if (!strchr(buf, '@') || strcmp(strchr(buf, '@') + 1, path))
			continue;
		action = state = "";
		for (at = buf; at < buf + len; at += strlen(at) + 1) {
			if (!strncmp(at, "ACTION=", 7))
				action = at + 7;
			if (!strncmp(at, "DEVIRT_STATE=", 13))
				state = at + 13;
		}
		snprintf(text, sizeof(text), "%s %s", action, state);
		return text;
	}
}

TEST("uevents tell of a partition's beginning, its states and its end")
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int sock = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT), part;

	REQUIRE(sock >= 0 && !bind(sock, (void *)&addr, sizeof(addr)));
	part = held("uevent");
	CHECK_STR(uevent(sock, "uevent"), "add ");
	CHECK_STR(uevent(sock, "uevent"), "change held");
	close(part);
	CHECK_STR(uevent(sock, "uevent"), "remove ");
}
