// SPDX-License-Identifier: GPL-2.0
/*
 * Settings of a network card's VF: there before anybody can open it, there while
 * it is leased, and what was there before is put back. With igb, and where that
 * can't do a thing, or can't fail, with a driver of ours.
 */
#include <pthread.h>

#include "pf.h"
#include "one.h"

#define PLAIN	"link/ether 00:00:00:00:00:00 brd ff:ff:ff:ff:ff:ff, spoof checking on, link-state auto, trust off"
/* Of ours nothing is set at first. */
#define NOTHING	"link/ether 00:00:00:00:00:00 brd ff:ff:ff:ff:ff:ff, spoof checking off, link-state auto, trust off, query_rss off"

static void reset(void)
{
	pf_reset(IGB, "igb");
	command("ip link set dev %s down", pf_netif(IGB));
	if (!access("/sys/module/" TEST_DRIVER, F_OK))
		command("rmmod " TEST_DRIVER);
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

static struct devirt_record wanted(unsigned int index, unsigned int pool, unsigned int set)
{
	struct devirt_record rec = rec_vf(IGB, index, pool);

	rec.vf.settings.set = set;
	if (set & DEVIRT_VF_SET_MAC)
		memcpy(rec.vf.settings.net.mac, "\x52\x54\x00\x12\x34\x56", 6);
	if (set & DEVIRT_VF_SET_VLAN) {
		rec.vf.settings.net.vlan = 42;
		rec.vf.settings.net.qos = 3;
	}
	if (set & DEVIRT_VF_SET_TRUST)
		rec.vf.settings.net.trust = 1;
	if (set & DEVIRT_VF_SET_RATE)
		rec.vf.settings.net.max_mbps = 100;
	if (set & DEVIRT_VF_SET_LINK)
		rec.vf.settings.net.link = DEVIRT_VF_LINK_DOWN;
	return rec;
}

#define MAC_VLAN	(DEVIRT_VF_SET_MAC | DEVIRT_VF_SET_VLAN)
#define OF_IGB		(MAC_VLAN | DEVIRT_VF_SET_SPOOFCHK | DEVIRT_VF_SET_TRUST)
#define ALL		(OF_IGB | DEVIRT_VF_SET_RATE | DEVIRT_VF_SET_LINK)

TEST("settings are there while the VF is leased, and those of before come back")
{
	struct devirt_record rec = wanted(1, 0, OF_IGB), held;
	struct devirt_get get;
	char before[512];
	int part;

	REQUIRE_EQ(pf_set_vfs(IGB, 2), 0);
	/* No driver of the VF's may give it an address of its own. */
	REQUIRE_EQ(pci_bind(pf_vf(IGB, 1), NULL), 0);
	REQUIRE_EQ(command("ip link set dev %s vf 1 mac 52:54:00:aa:bb:cc vlan 7 qos 1 trust on",
			   pf_netif(IGB)), 0);
	snprintf(before, sizeof(before), "%s", pf_setting(IGB, 1));
	REQUIRE(strstr(before, "52:54:00:aa:bb:cc") && strstr(before, "vlan 7, qos 1"), "%s", before);

	part = lease_one("set", &rec);
	CHECK_STR(pf_setting(IGB, 1), "link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff, vlan 42, qos 3, spoof checking off, link-state auto, trust on");
	CHECK_STR(pf_setting(IGB, 0), PLAIN);
	REQUIRE_EQ(lease_get(part, &get, &held, 1), 0);
	CHECK(!memcmp(&held.vf.settings, &rec.vf.settings, sizeof(rec.vf.settings)));
	close(part);
	CHECK_STR(pf_setting(IGB, 1), before);

	/* Only what is asked for: the VLAN of before stays. */
	rec = wanted(1, 0, DEVIRT_VF_SET_MAC);
	part = lease_one("set", &rec);
	CHECK_STR(pf_setting(IGB, 1), "link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff, vlan 7, qos 1, spoof checking on, link-state auto, trust on");
	close(part);
	CHECK_STR(pf_setting(IGB, 1), before);
}

TEST("a VF that returns to a pool of ours is without them, while the others stay leased")
{
	struct devirt_record a = rec_vf(IGB, 0, 2), b = wanted(1, 2, OF_IGB);
	int one = lease_new("one", &a, 1), two;

	REQUIRE(one >= 0, "%s", strerror(-one));
	two = lease_one("set", &b);
	CHECK(strstr(pf_setting(IGB, 1), "52:54:00:12:34:56"));
	close(two);
	CHECK_STR(pf_setting(IGB, 1), PLAIN);
	CHECK_EQ(pf_vfs(IGB), 2);
	close(one);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a later record that is refused takes the settings back")
{
	struct devirt_record recs[3] = { wanted(0, 0, OF_IGB) };
	int part = lease_create("fails");
	unsigned int failed;

	REQUIRE_EQ(pf_pool(IGB, 1, NULL), 0);
	recs[1] = recs[2] = rec_most(0);
	CHECK_EQ(lease_apply(part, 0, recs, 3, &failed), -ENOMEM);
	CHECK_EQ(failed, 2);
	/* When it was taken: the one before it had been had. */
	CHECK_EQ(recs[1].memory.available, recs[1].memory.pages);
	CHECK_STR(pf_setting(IGB, 0), PLAIN);
	close(part);
}

TEST("what no card could mean is refused, by the name of the field")
{
	struct devirt_record rec;

	rec = wanted(0, 1, 0);
	rec.vf.settings.set = 1U << 31;
	refused(rec, -EOPNOTSUPP, DEVIRT_REASON_UNSUPPORTED, "settings.set");
	rec = wanted(0, 1, 0);
	rec.vf.settings.reserved = 1;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.reserved");
	rec = wanted(0, 1, DEVIRT_VF_SET_VLAN);
	rec.vf.settings.net.reserved = 1;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings");
	rec = wanted(0, 1, 0);
	rec.vf.settings.net.vlan = 5;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings");
	rec = wanted(0, 1, DEVIRT_VF_SET_VLAN);
	rec.vf.settings.net.trust = 1;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.net.trust");
	rec = wanted(0, 1, DEVIRT_VF_SET_VLAN);
	rec.vf.settings.net.vlan = 4095;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.net.vlan");
	rec = wanted(0, 1, DEVIRT_VF_SET_VLAN);
	rec.vf.settings.net.qos = 8;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.net.qos");
	/* A priority without the tag that it is a part of. */
	rec = wanted(0, 1, DEVIRT_VF_SET_VLAN);
	rec.vf.settings.net.vlan = 0;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.net.qos");
	rec = wanted(0, 1, DEVIRT_VF_SET_TRUST);
	rec.vf.settings.net.trust = 2;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.net.trust");
	rec = wanted(0, 1, DEVIRT_VF_SET_LINK);
	rec.vf.settings.net.link = 3;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.net.link");
	rec = wanted(0, 1, DEVIRT_VF_SET_MAC);
	memset(rec.vf.settings.net.mac, 0, 6);
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.net.mac");
	/* Of a group. */
	rec.vf.settings.net.mac[0] = 1;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.net.mac");
	rec = wanted(0, 1, DEVIRT_VF_SET_RATE);
	rec.vf.settings.net.min_mbps = 200;
	refused(rec, -EINVAL, DEVIRT_REASON_INVALID, "settings.net.min_mbps");
	/* None of these has made a pool. */
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("what the card can't do is refused before a pool is made, by its name")
{
	struct devirt_record nvme = rec_vf(NVME, 0, 1);

	refused(wanted(0, 1, DEVIRT_VF_SET_LINK), -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "link");
	refused(wanted(0, 1, ALL), -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "link");
	nvme.vf.settings = wanted(0, 1, DEVIRT_VF_SET_VLAN).vf.settings;
	refused(nvme, -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "vlan");
	CHECK_EQ(pf_vfs(IGB), 0);
	CHECK_EQ(pf_vfs(NVME), 0);
}

TEST("a rate beyond the link's speed is refused with that, and nothing stays set")
{
	struct devirt_record rec = wanted(0, 0, MAC_VLAN | DEVIRT_VF_SET_RATE);
	int part;

	REQUIRE_EQ(pf_pool(IGB, 1, NULL), 0);
	/* A card that is down can have its VFs set, but this one not their rate. */
	refused(rec, -EINVAL, DEVIRT_REASON_SETTING_FAILED, "rate");
	CHECK_STR(pf_setting(IGB, 0), PLAIN);
	REQUIRE_EQ(command("ip link set dev %s up", pf_netif(IGB)), 0);
	CHECK(EVENTUALLY(file_number("/sys/class/net/%s/carrier", pf_netif(IGB)) == 1));
	part = lease_one("set", &rec);
	CHECK(strstr(pf_setting(IGB, 0), "max_tx_rate 100Mbps") ||
	      strstr(pf_setting(IGB, 0), "tx rate 100"), "%s", pf_setting(IGB, 0));
	close(part);
	CHECK_STR(pf_setting(IGB, 0), PLAIN);
	rec.vf.settings.net.max_mbps = 2000;
	refused(rec, -ERANGE, DEVIRT_REASON_SETTING_VALUE, "rate 1000");
	CHECK_STR(pf_setting(IGB, 0), PLAIN);
}

static void ours(int netdevs, int pool)
{
	REQUIRE_EQ(test_driver(IGB, netdevs), 0);
	if (pool)
		REQUIRE_EQ(pf_pool(IGB, pool, NULL), 0);
}

/* How many of igb's interfaces with that port show VF 0 as it is wanted. */
static int set_on_port(int port)
{
	char line[512];
	int count = -1;
	FILE *pipe;

	snprintf(line, sizeof(line),
		 "for at in /sys/bus/pci/devices/" IGB "/net/*; do"
		 " [ $(cat $at/dev_port) = %d ] && ip link show dev ${at##*/};"
		 " done | grep -c 'vf 0 .*52:54:00:12:34:56.*vlan 42, qos 3.*trust on'", port);
	pipe = popen(line, "re");
	if (!pipe || fscanf(pipe, "%d", &count) != 1)
		count = -1;
	if (pipe)
		pclose(pipe);
	return count;
}

TEST("a PF without an interface, or with several")
{
	struct devirt_record rec = wanted(0, 1, ALL);
	int part;

	ours(0, 0);
	refused(rec, -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "mac");
	/* Of two ports it is the first, though it came last; the third is no port. */
	ours(3, 0);
	part = lease_one("set", &rec);
	CHECK_EQ(set_on_port(0), 1);
	CHECK_EQ(set_on_port(1), 0);
	close(part);
}

TEST("all of them with a driver that has all; and one that isn't ready is asked again")
{
	struct devirt_record rec = wanted(0, 0, ALL);
	int part;

	ours(1, 1);
	REQUIRE_EQ(test_driver_set("again", 3), 0);
	rec.vf.settings.net.min_mbps = 10;
	part = lease_one("set", &rec);
	CHECK_EQ(test_driver_get("again"), 0);
	CHECK(strstr(pf_setting(IGB, 0), "52:54:00:12:34:56"), "%s", pf_setting(IGB, 0));
	CHECK(strstr(pf_setting(IGB, 0), "vlan 42, qos 3"), "%s", pf_setting(IGB, 0));
	CHECK(strstr(pf_setting(IGB, 0), "max_tx_rate 100Mbps, min_tx_rate 10Mbps"), "%s",
	      pf_setting(IGB, 0));
	CHECK(strstr(pf_setting(IGB, 0), "link-state disable, trust on"), "%s",
	      pf_setting(IGB, 0));
	close(part);
	CHECK_STR(pf_setting(IGB, 0), NOTHING);
	/* Not for ever. */
	REQUIRE_EQ(test_driver_set("again", 1000), 0);
	refused(rec, -EAGAIN, DEVIRT_REASON_SETTING_FAILED, "mac");
}

TEST("a rate that isn't given stays as the host has it, beside one that is")
{
	struct devirt_record rec = wanted(0, 0, DEVIRT_VF_SET_RATE);
	int part;

	ours(1, 1);
	REQUIRE_EQ(command("ip link set dev %s vf 0 min_tx_rate 5 max_tx_rate 500",
			   pf_netif(IGB)), 0);
	part = lease_one("max", &rec);
	CHECK(strstr(pf_setting(IGB, 0), "max_tx_rate 100Mbps, min_tx_rate 5Mbps"), "%s",
	      pf_setting(IGB, 0));
	close(part);
	rec.vf.settings.net.max_mbps = 0;
	rec.vf.settings.net.min_mbps = 20;
	part = lease_one("min", &rec);
	CHECK(strstr(pf_setting(IGB, 0), "max_tx_rate 500Mbps, min_tx_rate 20Mbps"), "%s",
	      pf_setting(IGB, 0));
	close(part);
	CHECK(strstr(pf_setting(IGB, 0), "max_tx_rate 500Mbps, min_tx_rate 5Mbps"), "%s",
	      pf_setting(IGB, 0));
}

TEST("a setting that fails undoes those before it; one that can't be undone is told")
{
	struct devirt_record rec = wanted(0, 0, ALL);
	int part;

	ours(1, 1);
	REQUIRE_EQ(test_driver_set("refuse", DEVIRT_VF_SET_TRUST), 0);
	refused(rec, -EIO, DEVIRT_REASON_SETTING_FAILED, "trust");
	REQUIRE_EQ(test_driver_set("refuse", 0), 0);
	CHECK_STR(pf_setting(IGB, 0), NOTHING);

	part = lease_one("set", &rec);
	REQUIRE_EQ(test_driver_set("refuse", DEVIRT_VF_SET_MAC | DEVIRT_VF_SET_LINK), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK(drifted(part, "not put back: mac link"));
	CHECK(strstr(pf_setting(IGB, 0), "52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff, spoof checking off, link-state disable, trust off"),
	      "%s", pf_setting(IGB, 0));
}

TEST("a PF's driver that comes back without the settings gets them again")
{
	struct devirt_record rec = wanted(0, 2, ALL);
	char with[512];
	int part;

	ours(1, 0);
	part = lease_one("set", &rec);
	snprintf(with, sizeof(with), "%s", pf_setting(IGB, 0));
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/" TEST_DRIVER "/unbind"), 0);
	CHECK(drifted(part, "its PF's driver has left"));
	CHECK_EQ(pf_vfs(IGB), 2);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/" TEST_DRIVER "/bind"), 0);
	CHECK(EVENTUALLY(drifted(part, "its settings were lost, and made again")));
	command("udevadm settle");
	CHECK_STR(pf_setting(IGB, 0), with);
	CHECK_STR(pf_setting(IGB, 1), NOTHING);
	/* And without them when it can't. */
	REQUIRE_EQ(test_driver_set("refuse", DEVIRT_VF_SET_VLAN), 0);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/" TEST_DRIVER "/unbind"), 0);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/" TEST_DRIVER "/bind"), 0);
	CHECK(EVENTUALLY(drifted(part, "its settings are lost: vlan: -5")));
	CHECK_EQ(lease_state(part), DEVIRT_STATE_HELD);
	close(part);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("and the VF ends with what an admin had set before the lease, not with what that driver found")
{
	struct devirt_record rec = wanted(0, 0, MAC_VLAN);
	char before[512];
	int part;

	ours(1, 1);
	REQUIRE_EQ(command("ip link set dev %s vf 0 mac 52:54:00:aa:bb:cc vlan 7", pf_netif(IGB)),
		   0);
	snprintf(before, sizeof(before), "%s", pf_setting(IGB, 0));
	REQUIRE(strstr(before, "52:54:00:aa:bb:cc") && strstr(before, "vlan 7"), "%s", before);
	part = lease_one("set", &rec);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/" TEST_DRIVER "/unbind"), 0);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/" TEST_DRIVER "/bind"), 0);
	CHECK(EVENTUALLY(drifted(part, "its settings were lost, and made again")));
	/* Its interface may be getting its name. */
	command("udevadm settle");
	close(part);
	CHECK_STR(pf_setting(IGB, 0), before);
}

TEST("a PF's driver that has left can't be told: that is an event")
{
	struct devirt_record rec = wanted(0, 2, MAC_VLAN);
	int part;

	ours(1, 0);
	part = lease_one("set", &rec);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/" TEST_DRIVER "/unbind"), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK(drifted(part, "not put back: mac vlan"));
	CHECK_EQ(pf_vfs(IGB), 0);
}

static void *lease_in_thread(void *arg)
{
	return (void *)(long)lease_new("slow", arg, 1);
}

/* A VF that has vfio-pci already can be opened by anybody who may. */
TEST("nobody opens the VF before it is set")
{
	struct devirt_record rec = wanted(0, 0, DEVIRT_VF_SET_VLAN);
	struct vfio vfio;
	char addr[64];
	pthread_t thread;
	void *part;
	int err;

	ours(1, 1);
	snprintf(addr, sizeof(addr), "%s", pf_vf(IGB, 0));
	CHECK(EVENTUALLY(!(err = vfio_open(&vfio, addr))), "%s", strerror(-err));
	vfio_close(&vfio);
	REQUIRE_EQ(test_driver_set("wait", 1), 0);
	pthread_create(&thread, NULL, lease_in_thread, &rec);
	REQUIRE(EVENTUALLY(test_driver_get("wait") == 2));
	err = vfio_open(&vfio, addr);
	CHECK(err < 0, "it could be opened");
	REQUIRE_EQ(test_driver_set("wait", 0), 0);
	pthread_join(thread, &part);
	REQUIRE((long)part >= 0, "%s", strerror(-(long)part));
	CHECK(strstr(pf_setting(IGB, 0), "vlan 42, qos 3"), "%s", pf_setting(IGB, 0));
	CHECK(EVENTUALLY(!(err = vfio_open(&vfio, addr))), "%s", strerror(-err));
	vfio_close(&vfio);
	close((long)part);
	CHECK_STR(pf_setting(IGB, 0), NOTHING);
}
