// SPDX-License-Identifier: GPL-2.0
/*
 * All or nothing: a description with all kinds, of which the record at each
 * position is refused, either when it is checked or when it is taken. Nothing
 * is kept then (tap.h compares the host), and the one that failed is told.
 */
#include "lease.h"
#include "pf.h"
#include "tap.h"

#define KINDS	6

static void reset(void)
{
	if (file_number("/sys/bus/pci/devices/" IGB "/sriov_numvfs") > 0)
		file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_numvfs");
	file_write("1", "/sys/bus/pci/devices/" IGB "/sriov_drivers_autoprobe");
	command("udevadm settle");
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

/* With @bad at position @at. */
static void describe(struct devirt_record *recs, int at, struct devirt_record bad)
{
	const struct devirt_record good[KINDS] = {
		rec_memory(2 * MIB, 3, 0), rec_cpu(4, DEVIRT_ROLE_VCPU, 0), rec_pci(EDU),
		rec_vf(IGB, DEVIRT_VF_ANY, 0), rec_cpu(5, DEVIRT_ROLE_NONE, 0), rec_pci(DISK),
	};
	int i;

	for (i = 0; i <= KINDS; i++)
		recs[i] = i < at ? good[i] : i > at ? good[i - 1] : bad;
}

static void fails(int part, int at, struct devirt_record bad, int err, unsigned int reason)
{
	/* Of the test, as each has a process of its own: a look at the host takes long. */
	static struct host before;
	struct devirt_record recs[KINDS + 1];
	unsigned int failed = 99;
	struct host after;
	int i;

	if (!before.count)
		host_take(&before, false);
	describe(recs, at, bad);
	CHECK(lease_apply(part, 0, recs, KINDS + 1, &failed) == err, "at %d", at);
	CHECK(failed == (unsigned int)at, "record %u instead of %d", failed, at);
	for (i = 0; i <= KINDS; i++) {
		CHECK(recs[i].reason == (i == at ? reason : DEVIRT_REASON_NONE),
		      "reason %u of %d, which failed at %d", recs[i].reason, i, at);
		CHECK(recs[i].error == (i == at ? err : 0), "error %d of %d", recs[i].error, i);
	}
	CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
	host_take(&after, false);
	CHECK(!host_diff(&before, &after, stdout, "# "), "the host has changed, by %d", at);
	host_free(&after);
}

static void make_pool(void)
{
	/* There already, of VFs without a driver: a pool takes seconds to make. */
	REQUIRE_EQ(file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_drivers_autoprobe"), 0);
	REQUIRE_EQ(file_write("2", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 0);
	command("udevadm settle");
}

TEST("a record that is refused when it is checked, at each position")
{
	int part = lease_create("rollback"), at;

	make_pool();
	for (at = 0; at <= KINDS; at++) {
		fails(part, at, rec_cpu(99, 0, 0), -ENODEV, DEVIRT_REASON_NO_CPU);
		fails(part, at, rec_pci(BRIDGE), -EINVAL, DEVIRT_REASON_NOT_ENDPOINT);
		fails(part, at, rec_vf(EDU, 0, 0), -EINVAL, DEVIRT_REASON_NOT_PF);
		fails(part, at, rec_memory(3, 1, 0), -EINVAL, DEVIRT_REASON_PAGE_SIZE);
		/* Not the record itself, but what all of them together ask for. */
		fails(part, at, rec_cpu(3, 0, 0), -EBUSY, DEVIRT_REASON_SIBLING);
		fails(part, at, rec_pci(PAIR_A), -EBUSY, DEVIRT_REASON_GROUP_SHARED);
	}
}

TEST("a record that is refused when it is taken, at each position")
{
	struct devirt_record recs[KINDS + 1], rate = rec_vf(IGB, 1, 0);
	int part = lease_create("rollback"), at;

	make_pool();
	/* igb gives its VFs no rate while it has no link. */
	command("ip link set dev %s down", pf_netif(IGB));
	rate.vf.settings.set = DEVIRT_VF_SET_RATE;
	rate.vf.settings.net.max_mbps = 100;
	for (at = 0; at <= KINDS; at++)
		fails(part, at, rate, -EINVAL, DEVIRT_REASON_SETTING_FAILED);
	/* And all of it can be had, by the same partition. */
	describe(recs, KINDS, rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY));
	CHECK_EQ(lease_apply(part, 0, recs, KINDS + 1, NULL), 0);
	close(part);
}
