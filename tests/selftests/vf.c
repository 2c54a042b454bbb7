// SPDX-License-Identifier: GPL-2.0
/*
 * Kind vf: pools of virtual functions, made when they are wanted and removed
 * when they aren't, and those that an admin made.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "one.h"
#include "pf.h"

static void reset(void)
{
	if (pf_vfs(IGB) > 0)
		pf_set_vfs(IGB, 0);
	if (pf_vfs(NVME) > 0)
		pf_set_vfs(NVME, 0);
	pci_bind(IGB, "igb");
	pci_bind(NVME, "nvme");
	file_write("\n", "/sys/bus/pci/devices/" IGB "/driver_override");
	command("udevadm settle");
}

static void __attribute__((constructor)) set_up(void)
{
	/* The driver that the host would use for them, and must not get. */
	command("modprobe igbvf");
	tap_reset = reset;
}

TEST("the pool is made for the first VF and removed with the last")
{
	struct devirt_record a = rec_vf(IGB, DEVIRT_VF_ANY, 3), b = rec_vf(IGB, 2, 0);
	int one, two, fd;
	struct vfio vfio;

	CHECK_EQ(pf_vfs(IGB), 0);
	one = lease_one("one", &a);
	CHECK_EQ(pf_vfs(IGB), 3);
	CHECK_EQ(a.vf.index, 0);
	CHECK_EQ(a.vf.pool, 3);
	CHECK_EQ(a.vf.flags, DEVIRT_VF_POOL_MADE);
	CHECK_STR(pci_text(&a.vf.addr), pf_vf(IGB, 0));
	CHECK_STR(pci_driver(pf_vf(IGB, 0)), "vfio-pci");
	CHECK_EQ(a.vf.vfio.group, pci_group(pf_vf(IGB, 0)));
	CHECK_STR(a.vf.vfio.driver, "");
	two = lease_one("two", &b);
	CHECK_EQ(b.vf.index, 2);
	CHECK_EQ(b.vf.pool, 3);
	CHECK_STR(pci_text(&b.vf.addr), pf_vf(IGB, 2));
	CHECK(EVENTUALLY(!(fd = vfio_open(&vfio, pci_text(&b.vf.addr)))), "%s", strerror(-fd));
	vfio_close(&vfio);
	close(one);
	CHECK_EQ(pf_vfs(IGB), 3);
	CHECK_STR(pci_driver(pf_vf(IGB, 2)), "vfio-pci");
	close(two);
	CHECK_EQ(pf_vfs(IGB), 0);
	CHECK_STR(pci_driver(IGB), "igb");
}

TEST("all VFs of a pool in one partition, any and by index")
{
	struct devirt_record recs[IGB_VFS];
	unsigned int i, seen = 0;
	int part;

	for (i = 0; i < IGB_VFS; i++)
		recs[i] = rec_vf(IGB, i % 2 ? DEVIRT_VF_ANY : IGB_VFS - 1 - i, 0);
	part = lease_new("seven", recs, IGB_VFS);
	REQUIRE(part >= 0, "%s", strerror(-part));
	/* Without a number it is as large as can be. */
	CHECK_EQ(pf_vfs(IGB), IGB_VFS);
	for (i = 0; i < IGB_VFS; i++) {
		CHECK(!(seen & 1 << recs[i].vf.index), "VF %u twice", recs[i].vf.index);
		seen |= 1 << recs[i].vf.index;
		CHECK_STR(pci_driver(pci_text(&recs[i].vf.addr)), "vfio-pci");
	}
	CHECK_EQ(seen, (1 << IGB_VFS) - 1);
	close(part);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a VF that another partition has is refused, and so is one more than there are")
{
	/* The larger number of a description counts. */
	struct devirt_record recs[2] = { rec_vf(IGB, DEVIRT_VF_ANY, 1), rec_vf(IGB, 1, 2) };
	int part = lease_new("both", recs, 2);

	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_EQ(recs[0].vf.index, 0);
	CHECK_EQ(pf_vfs(IGB), 2);
	refused(rec_vf(IGB, 1, 0), -EBUSY, DEVIRT_REASON_OWNED, "both");
	refused(rec_vf(IGB, 2, 0), -ERANGE, DEVIRT_REASON_VF_INDEX, "2");
	refused(rec_vf(IGB, DEVIRT_VF_ANY, 0), -ENOSPC, DEVIRT_REASON_POOL_SMALL, "2");
	refused(rec_vf(IGB, DEVIRT_VF_ANY, 7), -ENOSPC, DEVIRT_REASON_POOL_SMALL, "2");
	CHECK_EQ(pf_vfs(IGB), 2);
}

TEST("a pool that was there stays, and its VFs get their drivers back")
{
	struct devirt_record recs[2] = { rec_vf(IGB, 0, 0), rec_vf(IGB, 2, 7) };
	char first[64], third[64];
	int part;

	REQUIRE_EQ(pf_set_vfs(IGB, 3), 0);
	snprintf(first, sizeof(first), "%s", pf_vf(IGB, 0));
	snprintf(third, sizeof(third), "%s", pf_vf(IGB, 2));
	CHECK(EVENTUALLY(!strcmp(pci_driver(first), "igbvf")));
	REQUIRE_EQ(pci_bind(third, NULL), 0);
	part = lease_new("theirs", recs, 2);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_EQ(pf_vfs(IGB), 3);
	CHECK_EQ(recs[0].vf.pool, 3);
	CHECK_EQ(recs[0].vf.flags, 0);
	CHECK_STR(recs[0].vf.vfio.driver, "igbvf");
	CHECK_STR(recs[1].vf.vfio.driver, "");
	CHECK_STR(pci_driver(first), "vfio-pci");
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), "igbvf");
	CHECK(pf_set_vfs(IGB, 0) < 0, "the admin could remove them");
	close(part);
	CHECK_EQ(pf_vfs(IGB), 3);
	CHECK_STR(pci_driver(first), "igbvf");
	CHECK_STR(pci_driver(third), "");
	CHECK_STR(pci_override(first), "(null)");
	CHECK_EQ(pf_set_vfs(IGB, 0), 0);
}

TEST("all VFs that a host's driver has, taken and returned at the same time")
{
	struct devirt_record recs[IGB_VFS];
	char addr[IGB_VFS][64];
	unsigned int i;
	int part;

	REQUIRE_EQ(pf_set_vfs(IGB, IGB_VFS), 0);
	for (i = 0; i < IGB_VFS; i++) {
		snprintf(addr[i], sizeof(addr[i]), "%s", pf_vf(IGB, i));
		CHECK(EVENTUALLY(!strcmp(pci_driver(addr[i]), "igbvf")));
		recs[i] = rec_vf(IGB, i, 0);
	}
	part = lease_new("at-once", recs, IGB_VFS);
	REQUIRE(part >= 0, "%s", strerror(-part));
	for (i = 0; i < IGB_VFS; i++) {
		CHECK_STR(pci_driver(addr[i]), "vfio-pci");
		CHECK_STR(recs[i].vf.vfio.driver, "igbvf");
		CHECK_STR(pci_text(&recs[i].vf.addr), addr[i]);
		CHECK_EQ(recs[i].vf.vfio.group, pci_group(addr[i]));
	}
	CHECK(pf_set_vfs(IGB, 0) < 0, "the admin could remove them");
	close(part);
	for (i = 0; i < IGB_VFS; i++) {
		CHECK_STR(pci_driver(addr[i]), "igbvf");
		CHECK_STR(pci_override(addr[i]), "(null)");
	}
	CHECK_EQ(pf_set_vfs(IGB, 0), 0);
}

TEST("any VF of a pool that was there is one that nobody uses")
{
	struct devirt_record rec = rec_vf(IGB, DEVIRT_VF_ANY, 0);
	char name[64];
	int part;

	REQUIRE_EQ(pf_set_vfs(IGB, 2), 0);
	CHECK(EVENTUALLY((pci_child(pf_vf(IGB, 0), "net", "", name, sizeof(name)), name[0])));
	command("udevadm settle");
	pci_child(pf_vf(IGB, 0), "net", "", name, sizeof(name));
	REQUIRE_EQ(command("ip addr add 192.0.2.1/24 dev %s", name), 0);
	part = lease_one("free", &rec);
	CHECK_EQ(rec.vf.index, 1);
	CHECK_EQ(rec.reason, DEVIRT_REASON_NONE);
	CHECK_STR(rec.detail, "");
	/* By its index it is refused for what it is. */
	refused(rec_vf(IGB, 0, 0), -EBUSY, DEVIRT_REASON_NET_ADDRESS, name);
	close(part);
}

TEST("a VF that is leased can't be torn down, by the PF's driver or its attribute")
{
	struct devirt_record rec = rec_vf(IGB, 0, 2);
	int part = lease_one("held", &rec);

	CHECK(pf_set_vfs(IGB, 0) < 0, "it was possible");
	CHECK_EQ(pf_vfs(IGB), 2);
	CHECK_STR(pci_driver(pf_vf(IGB, 0)), "vfio-pci");
	close(part);
	CHECK_EQ(pf_vfs(IGB), 0);
}

/* Of what was sent until now: uevents of VFs bound to @driver. */
static int bound_to(int sock, const char *driver)
{
	char buf[8192], *at;
	ssize_t len;
	int count = 0;

	while ((len = recv(sock, buf, sizeof(buf) - 1, MSG_DONTWAIT)) > 0) {
		bool bind = false, is = false;

		buf[len] = '\0';
		for (at = buf; at < buf + len; at += strlen(at) + 1) {
			bind |= !strcmp(at, "ACTION=bind");
			is |= !strncmp(at, "DRIVER=", 7) && !strcmp(at + 7, driver);
		}
		count += bind && is;
	}
	return count;
}

TEST("new VFs go straight to vfio-pci: the host's driver never gets one")
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int sock = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	struct devirt_record recs[2] = { rec_vf(IGB, 0, 2), rec_vf(IGB, 1, 2) };
	int part, size = 1 << 20;

	if (access("/sys/bus/pci/drivers/igbvf", F_OK))
		SKIP("no igbvf");
	REQUIRE(sock >= 0 && !bind(sock, (void *)&addr, sizeof(addr)));
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	/* That one would be seen. */
	REQUIRE_EQ(pf_set_vfs(IGB, 2), 0);
	CHECK(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 1)), "igbvf")));
	CHECK_EQ(bound_to(sock, "igbvf"), 2);
	REQUIRE_EQ(pf_set_vfs(IGB, 0), 0);
	command("udevadm settle");
	bound_to(sock, "");

	part = lease_new("straight", recs, 2);
	REQUIRE(part >= 0, "%s", strerror(-part));
	command("udevadm settle");
	CHECK_STR(pci_driver(pf_vf(IGB, 0)), "vfio-pci");
	close(part);
	command("udevadm settle");
	CHECK_EQ(bound_to(sock, "igbvf"), 0);
}

TEST("a PF that is leased whole has no VFs to lease, and the other way round")
{
	struct devirt_record whole = rec_pci(IGB), rec = rec_vf(IGB, 0, 1);
	int part = lease_one("whole", &whole), other;

	refused(rec_vf(IGB, 0, 0), -EBUSY, DEVIRT_REASON_PF_OWNED, "whole");
	close(part);
	part = lease_one("part", &rec);
	other = lease_create("other");
	whole = rec_pci(IGB);
	CHECK_EQ(lease_apply(other, 0, &whole, 1, NULL), -EBUSY);
	CHECK_EQ(whole.reason, DEVIRT_REASON_VFS_ENABLED);
	CHECK_STR(whole.detail, "1");
	close(other);
	close(part);
	/* In one description it is one against the other. */
	struct devirt_record recs[2] = { rec_pci(IGB), rec_vf(IGB, 0, 0) };

	part = lease_create("both");
	CHECK_EQ(lease_apply(part, 0, recs, 2, NULL), -EEXIST);
	CHECK_EQ(recs[1].reason, DEVIRT_REASON_DUPLICATE);
	recs[0] = rec_vf(IGB, 0, 0);
	recs[1] = rec_pci(IGB);
	CHECK_EQ(lease_apply(part, 0, recs, 2, NULL), -EBUSY);
	CHECK_EQ(recs[1].reason, DEVIRT_REASON_VFS_ENABLED);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a PF without its driver has no VFs to lease")
{
	REQUIRE_EQ(pci_bind(IGB, NULL), 0);
	refused(rec_vf(IGB, 0, 0), -ENOENT, DEVIRT_REASON_PF_DRIVER, "");
	REQUIRE_EQ(pci_bind(IGB, "igb"), 0);
}

TEST("an NVMe controller's pool")
{
	struct devirt_record recs[2] = { rec_vf(NVME, 1, 2), rec_vf(NVME, DEVIRT_VF_ANY, 2) };
	int part = lease_new("nvme", recs, 2);

	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_EQ(pf_vfs(NVME), 2);
	CHECK_EQ(recs[1].vf.index, 0);
	CHECK_STR(pci_driver(pci_text(&recs[0].vf.addr)), "vfio-pci");
	CHECK_STR(pci_driver(NVME), "nvme");
	close(part);
	CHECK_EQ(pf_vfs(NVME), 0);
	CHECK_STR(pci_driver(NVME), "nvme");
}

static pthread_barrier_t barrier;

static void *lease_at_once(void *arg)
{
	struct devirt_record rec = rec_vf(IGB, DEVIRT_VF_ANY, 2);
	char name[16];
	long part;

	snprintf(name, sizeof(name), "pool%s", (char *)arg);
	pthread_barrier_wait(&barrier);
	part = lease_new(name, &rec, 1);
	pthread_barrier_wait(&barrier);
	if (part >= 0)
		close(part);
	return (void *)part;
}

TEST("two partitions want the first VF, and return the last one, at the same time")
{
	pthread_t threads[2];
	void *part;
	int i;

	pthread_barrier_init(&barrier, NULL, 3);
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, lease_at_once, i ? "1" : "0");
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], &part);
		CHECK((long)part >= 0, "%s", strerror(-(long)part));
	}
	CHECK_EQ(pf_vfs(IGB), 0);
}

static void driver_leaves(const char *pf, const char *driver)
{
	struct devirt_record rec = rec_vf(pf, 0, 1);
	int part = lease_one("leaves", &rec);

	REQUIRE_EQ(file_write(pf, "/sys/bus/pci/drivers/%s/unbind", driver), 0);
	CHECK_STR(pci_driver(pf), "");
	close(part);
	CHECK_EQ(pf_vfs(pf), 0);
	CHECK_STR(pci_driver(pf), "");
}

TEST("a PF whose driver leaves has no VFs once they are returned")
{
	driver_leaves(NVME, "nvme");
}

TEST("the same with a driver that would remove its VFs when it leaves")
{
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		SKIP("igb leaks what it knows of its VFs if it leaves while one is assigned");
	driver_leaves(IGB, "igb");
}

TEST("an apply that fails after the pool was made removes it again")
{
	struct devirt_record recs[4] = { rec_vf(IGB, 0, 2), rec_vf(IGB, 1, 2) };
	int part = lease_create("fails");
	unsigned int failed;

	recs[2] = recs[3] = rec_most(0);
	CHECK_EQ(lease_apply(part, 0, recs, 4, &failed), -ENOMEM);
	CHECK_EQ(failed, 3);
	/* When it was taken: the one before it had been had. */
	CHECK_EQ(recs[2].memory.available, recs[2].memory.pages);
	CHECK_EQ(pf_vfs(IGB), 0);
	close(part);
	/* One that was there stays. */
	REQUIRE_EQ(pf_set_vfs(IGB, 2), 0);
	CHECK(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 1)), "igbvf")));
	recs[0] = rec_vf(IGB, 0, 0);
	recs[1] = rec_vf(IGB, 1, 0);
	recs[2] = recs[3] = rec_most(0);
	part = lease_create("fails");
	CHECK_EQ(lease_apply(part, 0, recs, 4, &failed), -ENOMEM);
	CHECK_EQ(failed, 3);
	CHECK_EQ(pf_vfs(IGB), 2);
	CHECK_STR(pci_driver(pf_vf(IGB, 0)), "igbvf");
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), "igbvf");
}
