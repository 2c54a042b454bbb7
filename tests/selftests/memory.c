// SPDX-License-Identifier: GPL-2.0
/*
 * Kind memory: huge pages, added to the host's pools and taken out again.
 */
#include <sys/time.h>

#include "lease.h"
#include "tap.h"

#define POOL_2M	"/sys/devices/system/node/node0/hugepages/hugepages-2048kB/"
#define POOL_1G	"/sys/devices/system/node/node0/hugepages/hugepages-1048576kB/"

static long pool(const char *attr)
{
	return file_number(POOL_2M "%s", attr);
}

static void reset(void)
{
	memory_grow();
	file_write("0", POOL_2M "nr_hugepages");
	file_write("0", POOL_1G "nr_hugepages");
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

/* Refused while it was taken: nothing is kept, and the count is told. */
static void runs_short(struct devirt_record rec)
{
	unsigned long long pages = rec.memory.pages, available;
	struct devirt_record recs[3] = { rec_memory(2 * MIB, 2, 0), rec, rec_cpu(5, 0, 0) };
	int part = lease_create("short");
	long before = pool("nr_hugepages");
	char detail[64];
	unsigned int failed;

	recs[2].flags = DEVIRT_RECORD_SHARE_CORE;
	CHECK_EQ(lease_apply(part, 0, recs, 3, &failed), -ENOMEM);
	CHECK_EQ(failed, 1);
	CHECK_EQ(recs[1].reason, DEVIRT_REASON_PAGES_SHORT);
	CHECK_EQ(recs[1].error, -ENOMEM);
	available = recs[1].memory.available;
	CHECK(available < pages, "%llu", available);
	snprintf(detail, sizeof(detail), "%llu of %llu", available, pages);
	CHECK_STR(recs[1].detail, detail);
	CHECK_EQ(recs[2].reason, DEVIRT_REASON_NONE);
	CHECK_EQ(pool("nr_hugepages"), before);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
	close(part);
}

TEST("pages of 2M on node 0 are in its pool while they are leased")
{
	struct devirt_record rec = rec_memory(2 * MIB, 16, 0);
	long before = pool("nr_hugepages"), free = pool("free_hugepages");
	int part = lease_new("node", &rec, 1);

	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_EQ(rec.memory.available, 16);
	CHECK_EQ(rec.memory.before, before);
	CHECK_EQ(rec.node, 0);
	CHECK_EQ(pool("nr_hugepages"), before + 16);
	CHECK_EQ(pool("free_hugepages"), free + 16);
	close(part);
	CHECK_EQ(pool("nr_hugepages"), before);
	CHECK_EQ(pool("free_hugepages"), free);
}

TEST("pages of 2M on any node")
{
	struct devirt_record rec = rec_memory(2 * MIB, 16, DEVIRT_NODE_ANY);
	long before = pool("nr_hugepages");
	int part = lease_new("any", &rec, 1);

	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_EQ(rec.memory.available, 16);
	CHECK_EQ(pool("nr_hugepages"), before + 16);
	close(part);
	CHECK_EQ(pool("nr_hugepages"), before);
}

TEST("a page of 1G")
{
	struct devirt_record rec = rec_memory(1024 * MIB, 1, 0);
	int part = lease_create("giga"), err = lease_apply(part, 0, &rec, 1, NULL);

	if (access(POOL_1G, F_OK)) {
		CHECK_EQ(err, -EINVAL);
		CHECK_EQ(rec.reason, DEVIRT_REASON_PAGE_SIZE);
		SKIP("this kernel can't make pages of 1G at run time");
	}

	if (err == -ENOMEM) {
		/* No such stretch is free: then it says so. */
		CHECK_EQ(rec.reason, DEVIRT_REASON_PAGES_SHORT);
		CHECK_EQ(rec.memory.available, 0);
		CHECK_EQ(file_number(POOL_1G "nr_hugepages"), 0);
		return;
	}
	CHECK_EQ(err, 0);
	CHECK_EQ(rec.memory.available, 1);
	CHECK_EQ(file_number(POOL_1G "nr_hugepages"), 1);
	close(part);
	CHECK_EQ(file_number(POOL_1G "nr_hugepages"), 0);
}

static long long tried(void)
{
	return file_value("/proc/vmstat", "htlb_buddy_alloc_fail");
}

TEST("more pages than can be had: it says how many there could be, and keeps none")
{
	long long before = tried();

	REQUIRE(before >= 0);
	memory_shrink();
	runs_short(rec_scattered(0));
	runs_short(rec_scattered(DEVIRT_NODE_ANY));
	CHECK(tried() > before);
}

/* Trying would cost the host its page cache, and seconds, for nothing. */
TEST("more pages than there is memory for are refused without a try, in a dry run too")
{
	struct devirt_record rec = rec_memory(2 * MIB, 1 << 15, 0);
	long long before = tried();
	int part = lease_create("far");

	REQUIRE(before >= 0);
	runs_short(rec);
	runs_short(rec_memory(2 * MIB, 1 << 15, DEVIRT_NODE_ANY));
	if (!access(POOL_1G, F_OK))
		runs_short(rec_memory(1024 * MIB, 64, 0));
	CHECK_EQ(lease_apply(part, DEVIRT_APPLY_DRY_RUN, &rec, 1, NULL), -ENOMEM);
	CHECK_EQ(rec.reason, DEVIRT_REASON_PAGES_SHORT);
	CHECK(rec.memory.available > 0 && rec.memory.available < 1 << 15);
	CHECK_EQ(tried(), before);
}

TEST("pages that an admin adds or takes meanwhile stay the admin's")
{
	struct devirt_record rec = rec_memory(2 * MIB, 8, 0);
	int part;

	REQUIRE_EQ(file_write("3", POOL_2M "nr_hugepages"), 0);
	part = lease_new("admin", &rec, 1);
	REQUIRE(part >= 0);
	CHECK_EQ(rec.memory.before, 3);
	CHECK_EQ(pool("nr_hugepages"), 11);
	REQUIRE_EQ(file_write("16", POOL_2M "nr_hugepages"), 0);
	close(part);
	CHECK_EQ(pool("nr_hugepages"), 8);

	rec = rec_memory(2 * MIB, 8, 0);
	part = lease_new("admin", &rec, 1);
	REQUIRE(part >= 0);
	CHECK_EQ(pool("nr_hugepages"), 16);
	/* More are gone than are left: not below zero then. */
	REQUIRE_EQ(file_write("5", POOL_2M "nr_hugepages"), 0);
	close(part);
	CHECK_EQ(pool("nr_hugepages"), 0);
	CHECK_EQ(pool("surplus_hugepages"), 0);
}

TEST("leases of several partitions add up, and end in any order")
{
	struct devirt_record a = rec_memory(2 * MIB, 4, 0), b = rec_memory(2 * MIB, 8, 0);
	struct devirt_record c = rec_memory(2 * MIB, 16, DEVIRT_NODE_ANY);
	int one = lease_new("one", &a, 1), two = lease_new("two", &b, 1);
	int three = lease_new("three", &c, 1);

	REQUIRE(one >= 0 && two >= 0 && three >= 0);
	CHECK_EQ(pool("nr_hugepages"), 28);
	CHECK_EQ(b.memory.before, 4);
	close(two);
	CHECK_EQ(pool("nr_hugepages"), 20);
	close(one);
	CHECK_EQ(pool("nr_hugepages"), 16);
	close(three);
	CHECK_EQ(pool("nr_hugepages"), 0);
}

TEST("several records of one partition")
{
	struct devirt_record recs[] = { rec_memory(2 * MIB, 4, 0), rec_memory(2 * MIB, 2, 0),
					rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY) };
	int part = lease_new("several", recs, 3);

	REQUIRE(part >= 0);
	CHECK_EQ(pool("nr_hugepages"), 7);
	CHECK_EQ(recs[1].memory.before, 4);
	close(part);
	CHECK_EQ(pool("nr_hugepages"), 0);
}

static void tick(int signal)
{
}

TEST("a caller with a timer gets all of its pages")
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = {};
	int round, part, bad = 0;

	/* A pending signal keeps the kernel from adding pages for its task. */
	signal(SIGALRM, tick);
	for (round = 0; round < 5; round++) {
		struct devirt_record rec = rec_memory(2 * MIB, 64, 0);

		setitimer(ITIMER_REAL, &often, NULL);
		part = lease_new("timer", &rec, 1);
		setitimer(ITIMER_REAL, &never, NULL);
		bad += part < 0;
		close(part);
	}
	CHECK_EQ(bad, 0);
}

TEST("pages that somebody still uses leave the pool with their last user")
{
	struct devirt_record rec = rec_memory(2 * MIB, 4, 0);
	int part = lease_new("used", &rec, 1);
	size_t size = 4 * 2 * MIB;
	char *memory;

	REQUIRE(part >= 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	REQUIRE(memory != MAP_FAILED);
	memset(memory, 1, size);
	CHECK_EQ(pool("free_hugepages"), 0);
	close(part);
	/* The VMM still runs, and its memory is still there. */
	CHECK_EQ(memory[size - 1], 1);
	munmap(memory, size);
	CHECK_EQ(pool("nr_hugepages"), 0);
	CHECK_EQ(pool("surplus_hugepages"), 0);
}
