// SPDX-License-Identifier: GPL-2.0
/*
 * Records: whatever is wrong with one, it is refused, says which field it is and
 * why, and nothing is held, of the others neither. uapi.c is about the ioctls'
 * own arguments.
 */
#include <stdint.h>

#include "lease.h"
#include "tap.h"

static int new_partition(void)
{
	int part = lease_create("records");

	REQUIRE(part >= 0, "create: %s", strerror(-part));
	return part;
}

/* The record is refused for this reason, and nothing is held. */
static void refused(const char *what, struct devirt_record rec, int err, unsigned int reason,
		    const char *detail)
{
	struct devirt_record recs[2] = { rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY), rec };
	unsigned int failed = 77;
	int part = new_partition(), ret, i;

	/* What was asked for before it isn't kept, and a dry run says the same. */
	for (i = 0; i < 2; i++) {
		recs[1] = rec;
		ret = lease_apply(part, i ? 0 : DEVIRT_APPLY_DRY_RUN, recs, 2, &failed);
		CHECK(ret == err, "%s: %s instead of %s", what, strerror(-ret), strerror(-err));
		CHECK(failed == 1, "%s: record %u", what, failed);
		CHECK(recs[1].reason == reason, "%s: reason %u instead of %u", what,
		      recs[1].reason, reason);
		CHECK(recs[1].error == err, "%s: error %d instead of %d", what, recs[1].error, err);
		CHECK(recs[0].reason == DEVIRT_REASON_NONE, "%s: reason %u of the other", what,
		      recs[0].reason);
		if (detail)
			CHECK(!strcmp(recs[1].detail, detail), "%s: detail \"%s\"", what,
			      recs[1].detail);
		CHECK(lease_state(part) == DEVIRT_STATE_NEW, "%s: state", what);
	}
	close(part);
}

#define REFUSED(rec, change, err, reason, detail) do {				\
	struct devirt_record r = rec;						\
	change;									\
	refused(#rec " " #change, r, err, reason, detail);			\
} while (0)

#define INVALID(rec, change, field) \
	REFUSED(rec, change, -EINVAL, DEVIRT_REASON_INVALID, field)
#define UNSUPPORTED(rec, change, field) \
	REFUSED(rec, change, -EOPNOTSUPP, DEVIRT_REASON_UNSUPPORTED, field)

/* Every word after what the kind uses. */
static void unused_words(struct devirt_record rec, size_t size)
{
	size_t i;

	for (i = (size + 7) / 8; i < 16; i++)
		INVALID(rec, r.raw[i] = 1, "raw");
}

TEST("a record of an unknown kind, with flags or reserved words, is refused")
{
	struct devirt_record page = rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY);
	int i;

	UNSUPPORTED(page, r.kind = 0, "kind");
	UNSUPPORTED(page, r.kind = DEVIRT_KIND_CPU + 1, "kind");
	UNSUPPORTED(page, r.kind = ~0U, "kind");
	INVALID(page, r.reserved[0] = 1, "reserved");
	INVALID(page, r.reserved[1] = 1U << 31, "reserved");
	for (i = 0; i < 32; i++) {
		UNSUPPORTED(page, r.flags = 1U << i, "flags");
		UNSUPPORTED(rec_pci(IGB), r.flags = 1U << i, "flags");
		UNSUPPORTED(rec_vf(IGB, DEVIRT_VF_ANY, 0), r.flags = 1U << i, "flags");
		if (1U << i != DEVIRT_RECORD_SHARE_CORE)
			UNSUPPORTED(rec_cpu(5, 0, 0), r.flags = 1U << i, "flags");
	}
}

TEST("kind pci: each field out of range is refused")
{
	INVALID(rec_pci(IGB), r.pci.addr.reserved = 1, "addr.reserved");
	INVALID(rec_pci(IGB), r.pci.addr.domain = 1U << 31, "addr.domain");
	INVALID(rec_pci(IGB), r.pci.addr.domain = ~0U, "addr.domain");
	REFUSED(rec_pci(IGB), r.pci.addr.domain = 0x7fffffff, -ENODEV, DEVIRT_REASON_NO_DEVICE,
		NULL);
	REFUSED(rec_pci("0000:ff:1f.7"), , -ENODEV, DEVIRT_REASON_NO_DEVICE, "0000:ff:1f.7");
	unused_words(rec_pci(IGB), sizeof(struct devirt_record_pci));
}

TEST("kind vf: each field out of range is refused")
{
	INVALID(rec_vf(IGB, 0, 0), r.vf.pf.reserved = 1, "addr.reserved");
	INVALID(rec_vf(IGB, 0, 0), r.vf.pf.domain = 1U << 31, "addr.domain");
	INVALID(rec_vf(IGB, 0, 0), r.vf.reserved = 1, "vf.reserved");
	REFUSED(rec_vf("0000:ff:1f.7", 0, 0), , -ENODEV, DEVIRT_REASON_NO_DEVICE, "0000:ff:1f.7");
	REFUSED(rec_vf(EDU, 0, 0), , -EINVAL, DEVIRT_REASON_NOT_PF, EDU);
	REFUSED(rec_vf(BRIDGE, 0, 0), , -EINVAL, DEVIRT_REASON_NOT_PF, BRIDGE);
	REFUSED(rec_vf(IGB, IGB_VFS, 0), , -ERANGE, DEVIRT_REASON_VF_INDEX, "7");
	REFUSED(rec_vf(IGB, 3, 3), , -ERANGE, DEVIRT_REASON_VF_INDEX, "3");
	REFUSED(rec_vf(IGB, DEVIRT_VF_ANY - 1, 0), , -ERANGE, DEVIRT_REASON_VF_INDEX, "7");
	REFUSED(rec_vf(IGB, 0, IGB_VFS + 1), , -ERANGE, DEVIRT_REASON_VF_INDEX, "7");
	REFUSED(rec_vf(IGB, 0, ~0U), , -ERANGE, DEVIRT_REASON_VF_INDEX, "7");
	unused_words(rec_vf(IGB, 0, 0), sizeof(struct devirt_record_vf));
}

TEST("kind memory: each field out of range is refused")
{
	static const unsigned long long sizes[] = {
		0, 1, 3, 4096, 8192, 2 * MIB - 1, 2 * MIB + 1, 3 * MIB, 4 * MIB, 1ULL << 40,
		1ULL << 63, ~0ULL,
	};
	/* Not every kernel can make pages of 1G at run time. */
	bool giga = !access("/sys/kernel/mm/hugepages/hugepages-1048576kB", F_OK);
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		REFUSED(rec_memory(sizes[i], 1, 0), , -EINVAL, DEVIRT_REASON_PAGE_SIZE,
			giga ? "2097152 1073741824" : "2097152");
	INVALID(rec_memory(2 * MIB, 0, 0), , "memory.pages");
	INVALID(rec_memory(2 * MIB, ~0ULL, 0), , "memory.pages");
	INVALID(rec_memory(2 * MIB, 1ULL << 43, 0), , "memory.pages");
	INVALID(rec_memory(2 * MIB, 1, -2), , "node");
	INVALID(rec_memory(2 * MIB, 1, INT32_MIN), , "node");
	REFUSED(rec_memory(2 * MIB, 1, 1), , -ENODEV, DEVIRT_REASON_NO_NODE, "1");
	REFUSED(rec_memory(2 * MIB, 1, INT32_MAX), , -ENODEV, DEVIRT_REASON_NO_NODE, "2147483647");
	unused_words(rec_memory(2 * MIB, 1, 0), sizeof(struct devirt_record_memory));
}

TEST("kind cpu: each field out of range is refused")
{
	REFUSED(rec_cpu(CPUS, 0, 0), , -ENODEV, DEVIRT_REASON_NO_CPU, "6");
	REFUSED(rec_cpu(1U << 31, 0, 0), , -ENODEV, DEVIRT_REASON_NO_CPU, NULL);
	REFUSED(rec_cpu(~0U, 0, 0), , -ENODEV, DEVIRT_REASON_NO_CPU, NULL);
	UNSUPPORTED(rec_cpu(5, DEVIRT_ROLE_EMULATOR + 1, 0), , "cpu.role");
	UNSUPPORTED(rec_cpu(5, ~0U, 0), , "cpu.role");
	INVALID(rec_cpu(5, DEVIRT_ROLE_NONE, 1), , "cpu.vcpu");
	INVALID(rec_cpu(5, DEVIRT_ROLE_EMULATOR, ~0U), , "cpu.vcpu");
	INVALID(rec_cpu(5, 0, 0), r.cpu.latency_us = 0x7fffffff, "cpu.latency_us");
	INVALID(rec_cpu(5, 0, 0), r.cpu.latency_us = ~0U, "cpu.latency_us");
	REFUSED(rec_cpu(5, 0, 0), r.cpu.min_khz = 1, -EOPNOTSUPP, DEVIRT_REASON_NO_CPUFREQ, "5");
	unused_words(rec_cpu(5, 0, 0), sizeof(struct devirt_record_cpu));
}

TEST("outputs are ignored on input: what get returned can be applied again")
{
	struct devirt_record recs[] = {
		rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY),
		rec_cpu(4, DEVIRT_ROLE_VCPU, 0),
		rec_cpu(5, DEVIRT_ROLE_NONE, 0),
		rec_vf(IGB, DEVIRT_VF_ANY, 2),
		rec_pci(EDU),
	};
	int part = new_partition(), i;
	struct devirt_get get;

	for (i = 0; i < 5; i++) {
		recs[i].state = ~0U;
		recs[i].reason = ~0U;
		recs[i].error = 1;
		memset(recs[i].detail, 0xff, sizeof(recs[i].detail));
	}
	recs[0].memory.available = ~0ULL;
	recs[0].memory.before = ~0ULL;
	recs[1].cpu.thread = ~0U;
	memset(&recs[3].vf.addr, 0xff, sizeof(recs[3].vf.addr));
	recs[3].vf.flags = ~0U;
	memset(&recs[3].vf.vfio, 0xff, sizeof(recs[3].vf.vfio));
	memset(&recs[4].pci.vfio, 0xff, sizeof(recs[4].pci.vfio));
	REQUIRE_EQ(lease_apply(part, 0, recs, 5, NULL), 0);
	for (i = 0; i < 5; i++) {
		CHECK_EQ(recs[i].state, DEVIRT_STATE_HELD);
		CHECK_EQ(recs[i].reason, DEVIRT_REASON_NONE);
		CHECK_EQ(recs[i].error, 0);
		CHECK_STR(recs[i].detail, "");
	}
	REQUIRE_EQ(lease_get(part, &get, recs, 5), 0);
	close(part);
	part = new_partition();
	CHECK_EQ(lease_apply(part, 0, recs, 5, NULL), 0);
}

TEST("a field named twice is a duplicate, and says of which record")
{
	struct devirt_record recs[2];
	unsigned int failed;
	int part = new_partition(), i;
	const struct {
		struct devirt_record a, b;
	} pairs[] = {
		{ rec_pci(EDU), rec_pci(EDU) },
		{ rec_cpu(5, 0, 0), rec_cpu(5, DEVIRT_ROLE_VCPU, 0) },
		{ rec_vf(IGB, 2, 0), rec_vf(IGB, 2, 0) },
	};

	for (i = 0; i < 3; i++) {
		recs[0] = pairs[i].a;
		recs[1] = pairs[i].b;
		CHECK_EQ(lease_apply(part, 0, recs, 2, &failed), -EEXIST);
		CHECK_EQ(failed, 1);
		CHECK_EQ(recs[1].reason, DEVIRT_REASON_DUPLICATE);
		CHECK_EQ(recs[1].error, -EEXIST);
		CHECK_STR(recs[1].detail, "0");
	}
}

TEST("3,000 dry runs of records of likely and unlikely values change nothing")
{
	static const unsigned long long values[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 255, 256, 4095, 4096, 65535, 65536, 2 * MIB,
		1ULL << 30, 1ULL << 31, 0xffffffff, 1ULL << 32, 1ULL << 63, ~0ULL,
	};
	static const char *const functions[] = { IGB, NVME, DISK, PAIR_A, PAIR_B, EDU, BRIDGE };
	unsigned long long state = 0x7654321;
	struct devirt_record recs[8];
	int part = new_partition(), round, i, good = 0, ret;

	for (round = 0; round < 3000; round++) {
		unsigned int count = 1 + prng(&state) % 8;

#define VALUE	(values[prng(&state) % (sizeof(values) / sizeof(values[0]))])
#define FUNCTION (functions[prng(&state) % (sizeof(functions) / sizeof(functions[0]))])
		for (i = 0; i < (int)count; i++) {
			switch (prng(&state) % 4) {
			case 0:
				recs[i] = rec_pci(FUNCTION);
				break;
			case 1:
				recs[i] = rec_vf(FUNCTION, VALUE, VALUE);
				break;
			case 2:
				recs[i] = rec_memory(VALUE, VALUE, VALUE);
				break;
			case 3:
				recs[i] = rec_cpu(VALUE, VALUE, VALUE);
				recs[i].flags = prng(&state) % 2;
				break;
			}
			if (prng(&state) % 8 == 0)
				((unsigned char *)&recs[i])[prng(&state) % sizeof(recs[i])] ^=
					1 << prng(&state) % 8;
		}
		ret = lease_apply(part, DEVIRT_APPLY_DRY_RUN, recs, count, NULL);
		good += !ret;
	}
	/* Otherwise they weren't likely enough to get anywhere. */
	CHECK(good > 10, "%d were fine", good);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
}
