// SPDX-License-Identifier: GPL-2.0
/*
 * The contract: whatever is wrong with a call, it is refused with the errno
 * that <linux/devirt.h> promises, the record says why, and the host doesn't
 * change (tap.h looks). What records have in them is records.c's.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "lease.h"
#include "tap.h"

union arg {
	unsigned int size;
	struct devirt_query query;
	struct devirt_create create;
	struct devirt_open open;
	struct devirt_apply apply;
	struct devirt_get get;
	struct devirt_attach attach;
	struct devirt_release release;
	struct devirt_stats stats;
	struct devirt_pool_size pool;
	unsigned char bytes[512];
};

static struct devirt_record one_page;
static int pidfd = -1;

/*
 * Every ioctl: a valid argument, and what that returns on a new partition: a
 * descriptor (1), 0 or an errno.
 */
static const struct call {
	const char *name;
	unsigned long cmd;
	size_t size;
	bool partition;
	bool output;
	int result;
} calls[] = {
	{ "QUERY", DEVIRT_QUERY, sizeof(struct devirt_query), false, true, 0 },
	{ "CREATE", DEVIRT_CREATE, sizeof(struct devirt_create), false, false, 1 },
	{ "OPEN", DEVIRT_OPEN, sizeof(struct devirt_open), false, false, 1 },
	{ "APPLY", DEVIRT_APPLY, sizeof(struct devirt_apply), true, true, 0 },
	{ "GET", DEVIRT_GET, sizeof(struct devirt_get), true, true, 0 },
	{ "ATTACH", DEVIRT_ATTACH, sizeof(struct devirt_attach), true, false, -ENXIO },
	{ "RELEASE", DEVIRT_RELEASE, sizeof(struct devirt_release), true, false, -ENXIO },
	{ "STATS", DEVIRT_STATS, sizeof(struct devirt_stats), true, true, 0 },
	/* That function can have no VFs, and that is said in its outputs. */
	{ "POOL", DEVIRT_POOL, sizeof(struct devirt_pool_size), false, true, -EINVAL },
};

#define CALLS	(sizeof(calls) / sizeof(calls[0]))

static void fill(const struct call *call, union arg *arg)
{
	memset(arg, 0, sizeof(*arg));
	arg->size = call->size;
	switch (call->cmd) {
	case DEVIRT_CREATE:
		strcpy(arg->create.name, "another");
		break;
	case DEVIRT_OPEN:
		strcpy(arg->open.name, "uapi");
		arg->open.flags = DEVIRT_OPEN_OBSERVE;
		break;
	case DEVIRT_APPLY:
		one_page = rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY);
		arg->apply.flags = DEVIRT_APPLY_DRY_RUN;
		arg->apply.records = (uintptr_t)&one_page;
		arg->apply.count = 1;
		arg->apply.record_size = sizeof(one_page);
		break;
	case DEVIRT_GET:
		arg->get.record_size = sizeof(one_page);
		break;
	case DEVIRT_ATTACH:
		if (pidfd < 0)
			pidfd = syscall(SYS_pidfd_open, getpid(), 0);
		arg->attach.pidfd = pidfd;
		break;
	case DEVIRT_POOL:
		arg->pool.pf = pci_addr(EDU);
		break;
	case DEVIRT_STATS:
		arg->stats.cpu_size = sizeof(struct devirt_cpu_stats);
		arg->stats.intruder_size = sizeof(struct devirt_intruder);
		break;
	}
}

/* As calls[].result has it. */
static int issue(const struct call *call, int part, void *arg)
{
	int ret = lease_ioctl(call->partition ? part : lease_device(), call->cmd, arg);

	if (ret > 0) {
		close(ret);
		ret = 1;
	}
	return ret;
}

static int new_partition(void)
{
	int part = lease_create("uapi");

	REQUIRE(part >= 0, "create: %s", strerror(-part));
	return part;
}

/* A page of its own, with a hole after it. */
static char *page_before_hole(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(page != MAP_FAILED);
	munmap(page + 4096, 4096);
	return page;
}

TEST("an unknown ioctl is refused with ENOTTY on both descriptors")
{
	int part = new_partition();
	union arg arg = {};
	unsigned long nr;
	size_t i;

	for (nr = 0; nr < 256; nr++) {
		bool device = nr <= 2 || nr == 8, partition = nr >= 3 && nr <= 7;

		if (!device)
			CHECK(lease_ioctl(lease_device(), _IO(DEVIRT_IOC_TYPE, nr), &arg) ==
			      -ENOTTY, "device %lu", nr);
		if (!partition)
			CHECK(lease_ioctl(part, _IO(DEVIRT_IOC_TYPE, nr), &arg) == -ENOTTY,
			      "partition %lu", nr);
	}
	/* The same number with a direction, a size or another type is another ioctl. */
	for (i = 0; i < CALLS; i++) {
		int fd = calls[i].partition ? part : lease_device();
		unsigned long cmd = calls[i].cmd;

		fill(&calls[i], &arg);
		CHECK_EQ(lease_ioctl(fd, _IOC(_IOC_READ, DEVIRT_IOC_TYPE, _IOC_NR(cmd), 8), &arg),
			 -ENOTTY);
		CHECK_EQ(lease_ioctl(fd, _IOC(_IOC_WRITE, DEVIRT_IOC_TYPE, _IOC_NR(cmd), 0), &arg),
			 -ENOTTY);
		CHECK_EQ(lease_ioctl(fd, _IO(DEVIRT_IOC_TYPE + 1, _IOC_NR(cmd)), &arg), -ENOTTY);
	}
}

TEST("a valid argument is taken by each ioctl, so the refusals below mean something")
{
	int part = new_partition();
	union arg arg;
	size_t i;

	for (i = 0; i < CALLS; i++) {
		fill(&calls[i], &arg);
		CHECK(issue(&calls[i], part, &arg) == calls[i].result, "%s", calls[i].name);
	}
}

TEST("a size: too short is EINVAL, longer is fine with zeros and E2BIG otherwise")
{
	static const unsigned int sizes[] = { 0, 1, 3, 4, 5, 7, 4097, 65536, 1U << 31, ~0U };
	char *page = page_before_hole();
	int part = new_partition(), ret;
	union arg arg;
	size_t i, j;

	for (i = 0; i < CALLS; i++) {
		const struct call *call = &calls[i];

		for (j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			fill(call, &arg);
			arg.size = sizes[j];
			ret = issue(call, part, &arg);
			CHECK(ret == (sizes[j] < call->size ? -EINVAL : -E2BIG), "%s size %u: %d",
			      call->name, sizes[j], ret);
		}
		fill(call, &arg);
		arg.size = call->size - 1;
		CHECK(issue(call, part, &arg) == -EINVAL, "%s one byte short", call->name);

		fill(call, &arg);
		arg.size = call->size + 8;
		CHECK(issue(call, part, &arg) == call->result, "%s long with zeros", call->name);

		for (j = 0; j < 8; j++) {
			fill(call, &arg);
			arg.size = call->size + 8;
			arg.bytes[call->size + j] = 1;
			CHECK(issue(call, part, &arg) == -E2BIG, "%s long with byte %zu set",
			      call->name, j);
		}
		/* As large as may be, to the last byte. */
		memset(page, 0, 4096);
		fill(call, &arg);
		memcpy(page, &arg, call->size);
		*(unsigned int *)page = 4096;
		CHECK(issue(call, part, page) == call->result, "%s a page", call->name);
		page[4095] = 1;
		*(unsigned int *)page = 4096;
		CHECK(issue(call, part, page) == -E2BIG, "%s a page, last byte set", call->name);
	}
}

TEST("an argument that can't be read is EFAULT")
{
	char *hole = page_before_hole() + 4096;
	int part = new_partition();
	union arg arg;
	size_t i, j;

	for (i = 0; i < CALLS; i++) {
		void *bad[] = {
			NULL, (void *)1, hole, hole - 1, hole - 3,
			(void *)0x7ffffffff000UL, (void *)0x800000000000UL,
			(void *)0xffff888000000000UL, (void *)0xffffffff81000000UL,
			(void *)-1L,
		};

		for (j = 0; j < sizeof(bad) / sizeof(bad[0]); j++)
			CHECK(issue(&calls[i], part, bad[j]) == -EFAULT, "%s at %p", calls[i].name,
			      bad[j]);
		/* The size can be read, the last byte can't. */
		fill(&calls[i], &arg);
		memcpy(hole - calls[i].size + 1, &arg, calls[i].size - 1);
		CHECK(issue(&calls[i], part, hole - calls[i].size + 1) == -EFAULT,
		      "%s over the edge", calls[i].name);
		/* And up to the very edge it can. */
		memcpy(hole - calls[i].size, &arg, calls[i].size);
		CHECK(issue(&calls[i], part, hole - calls[i].size) == calls[i].result,
		      "%s at the edge", calls[i].name);
	}
}

TEST("an argument that can't be written is EFAULT where there is an output, and else fine")
{
	char *page = page_before_hole();
	int part = new_partition(), ret;
	union arg arg;
	size_t i;

	for (i = 0; i < CALLS; i++) {
		mprotect(page, 4096, PROT_READ | PROT_WRITE);
		fill(&calls[i], &arg);
		memcpy(page, &arg, sizeof(arg));
		mprotect(page, 4096, PROT_READ);
		ret = issue(&calls[i], part, page);
		/* An apply that has succeeded says so: its output holds no news then. */
		if (calls[i].output && calls[i].cmd != DEVIRT_APPLY)
			CHECK(ret == -EFAULT, "%s: %d", calls[i].name, ret);
		else
			CHECK(ret == calls[i].result, "%s: %d", calls[i].name, ret);
	}
}

TEST("a pool isn't made, nor removed, if its answer can't be written")
{
	struct devirt_pool_size pool = {
		.size = sizeof(pool), .pf = pci_addr(IGB), .count = 1,
	};
	char *page = page_before_hole();

	memcpy(page, &pool, sizeof(pool));
	mprotect(page, 4096, PROT_READ);
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_POOL, page), -EFAULT);
	CHECK_EQ(file_number("/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 0);
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_POOL, &pool), 0);
	pool.count = 0;
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	memcpy(page, &pool, sizeof(pool));
	mprotect(page, 4096, PROT_READ);
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_POOL, page), -EFAULT);
	CHECK_EQ(file_number("/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 1);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_POOL, page), 0);
}

TEST("attach and release do the same from memory that can't be written")
{
	struct devirt_record rec = rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY);
	char *page = page_before_hole();
	int part = new_partition();
	union arg arg;

	REQUIRE_EQ(lease_apply(part, 0, &rec, 1, NULL), 0);
	fill(&calls[5], &arg);
	memcpy(page, &arg, sizeof(arg));
	mprotect(page, 4096, PROT_READ);
	CHECK_EQ(lease_ioctl(part, DEVIRT_ATTACH, page), 0);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	fill(&calls[6], &arg);
	memcpy(page, &arg, sizeof(arg));
	mprotect(page, 4096, PROT_READ);
	CHECK_EQ(lease_ioctl(part, DEVIRT_RELEASE, page), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
}

TEST("an array of records that can't be read or written is EFAULT, and nothing is held")
{
	char *hole = page_before_hole() + 4096, *ro;
	struct devirt_record rec = rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY), recs[2] = { rec, rec };
	struct devirt_apply apply = {
		.size = sizeof(apply), .count = 2, .record_size = sizeof(rec),
	};
	long before = file_number("/proc/sys/vm/nr_hugepages");
	int part = new_partition();
	struct devirt_get get;
	size_t i;

	ro = page_before_hole();
	memcpy(ro, recs, sizeof(recs));
	mprotect(ro, 4096, PROT_READ);
	/* The first is whole, the second isn't. */
	memcpy(hole - sizeof(recs) + 1, recs, sizeof(recs) - 1);
	unsigned long bad[] = {
		0, 1, (uintptr_t)hole, (uintptr_t)ro, (uintptr_t)hole - sizeof(recs) + 1,
		0x800000000000UL, 0xffff888000000000UL, ~0UL, ~0UL - 287,
	};

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		apply.records = bad[i];
		CHECK(lease_ioctl(part, DEVIRT_APPLY, &apply) == -EFAULT, "records at %#lx",
		      bad[i]);
		CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
	}
	CHECK_EQ(file_number("/proc/sys/vm/nr_hugepages"), before);
	REQUIRE_EQ(lease_apply(part, 0, recs, 2, NULL), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (bad[i] == (uintptr_t)hole - sizeof(recs) + 1)
			continue;
		CHECK(lease_get(part, &get, (void *)bad[i], 2) == -EFAULT, "get to %#lx", bad[i]);
	}
	CHECK_EQ(lease_get(part, &get, recs, 2), 0);
}

TEST("the number of records: 0, 1025 and 65,536 are EINVAL, 1024 is fine")
{
	static const unsigned int counts[] = { 0, 1025, 65536, 1U << 31, ~0U };
	struct devirt_record *recs;
	int part = new_partition();
	unsigned int failed;
	size_t i;

	recs = calloc(65536, sizeof(*recs));
	REQUIRE(recs);
	for (i = 0; i < 65536; i++)
		recs[i] = rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		CHECK(lease_apply(part, 0, recs, counts[i], &failed) == -EINVAL, "count %u",
		      counts[i]);
	CHECK_EQ(lease_apply(part, DEVIRT_APPLY_DRY_RUN, recs, 1024, &failed), 0);
	CHECK_EQ(failed, 1024);
	/* And the last one of them is looked at as well. */
	recs[1023].kind = 99;
	CHECK_EQ(lease_apply(part, 0, recs, 1024, &failed), -EOPNOTSUPP);
	CHECK_EQ(failed, 1023);
	CHECK_EQ(recs[1023].reason, DEVIRT_REASON_UNSUPPORTED);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
}

TEST("the size of a record: short is EINVAL, long is fine with zeros and E2BIG otherwise")
{
	static const struct {
		unsigned int size;
		int err;
	} sizes[] = {
		{ 0, -EINVAL }, { 1, -EINVAL }, { sizeof(struct devirt_record) - 1, -EINVAL },
		{ 4097, -E2BIG }, { 1U << 31, -E2BIG }, { ~0U, -E2BIG },
	};
	struct devirt_record rec = rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY);
	char wide[2][sizeof(rec) + 16] = {};
	struct devirt_apply apply = {
		.size = sizeof(apply), .flags = DEVIRT_APPLY_DRY_RUN, .count = 2,
		.records = (uintptr_t)wide, .record_size = sizeof(wide[0]),
	};
	struct devirt_get get = { .size = sizeof(get), .records = (uintptr_t)wide, .count = 2 };
	int part = new_partition();
	size_t i;

	memcpy(wide[0], &rec, sizeof(rec));
	memcpy(wide[1], &rec, sizeof(rec));
	CHECK_EQ(lease_ioctl(part, DEVIRT_APPLY, &apply), 0);
	wide[1][sizeof(rec) + 15] = 1;
	CHECK_EQ(lease_ioctl(part, DEVIRT_APPLY, &apply), -E2BIG);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		apply.record_size = sizes[i].size;
		CHECK(lease_ioctl(part, DEVIRT_APPLY, &apply) == sizes[i].err, "apply %u",
		      sizes[i].size);
		get.record_size = sizes[i].size;
		CHECK(lease_ioctl(part, DEVIRT_GET, &get) == sizes[i].err, "get %u",
		      sizes[i].size);
	}
}

TEST("flags that nobody knows are EOPNOTSUPP, reserved fields EINVAL")
{
	int part = new_partition(), bit;
	union arg arg;
	size_t i;

	for (i = 0; i < CALLS; i++) {
		for (bit = 0; bit < 32; bit++) {
			/* Flags are the second word of each argument. */
			fill(&calls[i], &arg);
			arg.query.flags |= 1U << bit;
			if ((calls[i].cmd == DEVIRT_APPLY && bit < 2) ||
			    (calls[i].cmd == DEVIRT_OPEN && bit < 2) ||
			    (calls[i].cmd == DEVIRT_POOL && bit < 1))
				continue;
			CHECK(issue(&calls[i], part, &arg) == -EOPNOTSUPP, "%s bit %d",
			      calls[i].name, bit);
		}
	}
	fill(&calls[3], &arg);
	arg.apply.reserved = 1;
	CHECK_EQ(lease_ioctl(part, DEVIRT_APPLY, &arg), -EINVAL);
	fill(&calls[5], &arg);
	arg.attach.reserved = 1;
	CHECK_EQ(lease_ioctl(part, DEVIRT_ATTACH, &arg), -EINVAL);
	fill(&calls[0], &arg);
	arg.query.reserved = 1;
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_QUERY, &arg), -EINVAL);
}

TEST("query says what there is")
{
	struct devirt_query query = { .size = sizeof(query) };
	struct devirt_record edu = rec_pci(EDU);
	char vfio[64] = "", path[256];
	int part;

	REQUIRE_EQ(lease_ioctl(lease_device(), DEVIRT_QUERY, &query), 0);
	CHECK_EQ(query.api_version, DEVIRT_API_VERSION);
	CHECK_EQ(query.record_size, sizeof(struct devirt_record));
	CHECK_EQ(query.event_size, sizeof(struct devirt_event));
	CHECK_EQ(query.records_max, DEVIRT_RECORDS_MAX);
	CHECK_EQ(query.kinds, 1 << DEVIRT_KIND_PCI | 1 << DEVIRT_KIND_VF |
		 1 << DEVIRT_KIND_MDEV | 1 << DEVIRT_KIND_MEMORY | 1 << DEVIRT_KIND_CPU);
	CHECK_EQ(query.facts & (DEVIRT_FACT_IOMMU | DEVIRT_FACT_INTREMAP | DEVIRT_FACT_KVM |
				DEVIRT_FACT_VFIO_PCI),
		 DEVIRT_FACT_IOMMU | DEVIRT_FACT_INTREMAP | DEVIRT_FACT_KVM | DEVIRT_FACT_VFIO_PCI);
	CHECK_EQ(query.partitions, 0);
	part = lease_new("query", &edu, 1);
	REQUIRE(part >= 0, "%s", strerror(-part));
	pci_child(EDU, "vfio-dev", "vfio", vfio, sizeof(vfio));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/" EDU "/vfio-dev/%s/dev", vfio);
	CHECK_EQ(!!(query.facts & DEVIRT_FACT_VFIO_CDEV), !access(path, F_OK));
	REQUIRE_EQ(lease_ioctl(lease_device(), DEVIRT_QUERY, &query), 0);
	CHECK_EQ(query.partitions, 1);
	close(part);
	REQUIRE_EQ(lease_ioctl(lease_device(), DEVIRT_QUERY, &query), 0);
	CHECK_EQ(query.partitions, 0);
}

TEST("a name that isn't one is EINVAL")
{
	static const char *const bad[] = {
		"", ".", "..", ".a", "-", "-a", "a b", "a/b", "/", "a\n", "a\t", "\x80", "caf\xc3\xa9",
		"a:b", "a%s", "a\\", "a*", "a\"", "\x01", "a\x7f",
	};
	static const char *const good[] = { "a", "A", "0", "_", "a.b", "a-b", "a.", "a-", "9_.-" };
	struct devirt_create create = { .size = sizeof(create) };
	struct devirt_open arg = { .size = sizeof(arg) };
	size_t i;
	int fd;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(lease_create(bad[i]) == -EINVAL, "create \"%s\"", bad[i]);
		CHECK(lease_open(bad[i], 0) == -EINVAL, "open \"%s\"", bad[i]);
	}
	/* Not closed; and something after the end. */
	memset(create.name, 'a', sizeof(create.name));
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_CREATE, &create), -EINVAL);
	memcpy(arg.name, create.name, sizeof(arg.name));
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_OPEN, &arg), -EINVAL);
	create.name[10] = '\0';
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_CREATE, &create), -EINVAL);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		fd = lease_create(good[i]);
		CHECK(fd >= 0, "create \"%s\": %s", good[i], strerror(-fd));
		close(fd);
	}
	memset(create.name, 'a', sizeof(create.name));
	create.name[DEVIRT_NAME_MAX - 1] = '\0';
	fd = lease_ioctl(lease_device(), DEVIRT_CREATE, &create);
	CHECK(fd >= 0, "63 letters: %s", strerror(-fd));
	close(fd);
	CHECK_EQ(lease_open("nobody", 0), -ENOENT);
	CHECK_EQ(lease_open("nobody", DEVIRT_OPEN_OBSERVE), -ENOENT);
}

TEST("no descriptor free is EMFILE, and no partition is left")
{
	struct devirt_create create = { .size = sizeof(create), .name = "full" };
	int fd, first = lease_device();

	while ((fd = dup(first)) >= 0)
		;
	CHECK_EQ(lease_ioctl(first, DEVIRT_CREATE, &create), -EMFILE);
	CHECK_EQ(access("/sys/class/devirt/full", F_OK), -1);
}

/* ----------------------------------------------------------------- garbage */

TEST("3,000 arguments of garbage change nothing")
{
	unsigned long long state = 0x1234567;
	int part = new_partition(), round;
	union arg arg;
	size_t i;

	for (round = 0; round < 3000; round++) {
		const struct call *call = &calls[prng(&state) % CALLS];
		unsigned int how = prng(&state) % 4;

		for (i = 0; i < sizeof(arg); i++)
			arg.bytes[i] = prng(&state);
		/* Mostly with a size that is taken, so that the rest is looked at. */
		if (how)
			arg.size = call->size;
		if (how == 2)
			arg.query.flags = 0;
		if (how == 3) {
			/* But not the addresses (bytes 8 to 15), or we'd write to our own memory. */
			i = 4 + prng(&state) % (call->size - 4);
			fill(call, &arg);
			/* Nor what makes it a dry run: that would be a real one. */
			if (i / 8 != 1 && i != 4)
				arg.bytes[i] ^= 1 << prng(&state) % 8;
		}
		issue(call, part, &arg);
	}
	/* It was never something else but a new one. */
	CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
	CHECK_EQ(tap_partitions(), 1);
}

/* -------------------------------------------------------------- privileges */

static void drop_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	REQUIRE_EQ(syscall(SYS_capget, &head, data), 0);
	data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	REQUIRE_EQ(syscall(SYS_capset, &head, data), 0);
}

static void all_refused(int part)
{
	union arg arg;
	size_t i;

	for (i = 0; i < CALLS; i++) {
		fill(&calls[i], &arg);
		CHECK(issue(&calls[i], part, &arg) == -EPERM, "%s", calls[i].name);
	}
}

TEST("every ioctl needs CAP_SYS_ADMIN at each call, whoever opened the descriptor")
{
	int part = new_partition();

	lease_device();
	drop_admin();
	all_refused(part);
}

TEST("an ordinary user gets nowhere, not even with descriptors from root")
{
	int part = new_partition();

	lease_device();
	REQUIRE(!setgroups(0, NULL) && !setresgid(65534, 65534, 65534) &&
		!setresuid(65534, 65534, 65534));
	all_refused(part);
	CHECK(open("/dev/devirt", O_RDWR) < 0 && errno == EACCES);
}

TEST("root of another user namespace gets nowhere")
{
	int part = new_partition();

	lease_device();
	if (unshare(CLONE_NEWUSER))
		SKIP("no user namespaces: %s", strerror(errno));
	all_refused(part);
}

TEST("the device has no read, write or mapping")
{
	char byte;

	CHECK(read(lease_device(), &byte, 1) < 0 && errno == EINVAL);
	CHECK(write(lease_device(), &byte, 1) < 0 && errno == EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, lease_device(), 0) == MAP_FAILED &&
	      errno == ENODEV);
}
