// SPDX-License-Identifier: GPL-2.0
/*
 * Settings of an NVMe VF: queues and interrupt vectors, of what all share.
 */
#include "device.h"
#include "nvme.h"
#include "one.h"
#include "pf.h"

/* Of tests/vm/machines/default. */
#define QUEUES		12
#define QUEUES_MOST	6
#define VECTORS		8
#define VECTORS_MOST	4

static void reset(void)
{
	int fd, index;

	pci_bind(NVME, "nvme");
	fd = nvme_open(NVME);
	if (fd >= 0 && pf_vfs(NVME) > 0) {
		for (index = 0; index < NVME_VFS; index++)
			nvme_assign(fd, index, 0, 0, false);
		pf_set_vfs(NVME, 0);
	}
	close(fd);
	command("udevadm settle");
}

static void __attribute__((constructor)) set_up(void)
{
	int err = nvme_share(NVME);

	if (err)
		printf("# the PF keeps what can be shared: %d\n", err);
	/* A driver of the host would find most VFs off line. */
	file_write("0", "/sys/bus/pci/devices/" NVME "/sriov_drivers_autoprobe");
	tap_reset = reset;
}

static struct devirt_record rec_nvme(unsigned int index, unsigned int queues,
				     unsigned int vectors)
{
	struct devirt_record rec = rec_vf(NVME, index, NVME_VFS);

	if (queues)
		rec.vf.settings.set |= DEVIRT_VF_SET_QUEUES;
	if (vectors)
		rec.vf.settings.set |= DEVIRT_VF_SET_VECTORS;
	rec.vf.settings.nvme.queues = queues;
	rec.vf.settings.nvme.vectors = vectors;
	return rec;
}

/* What a VF's controller is, as the PF's tells. */
#define CHECK_VF(fd, index, want_online, want_queues, want_vectors) do {	\
	struct nvme_vf got = { 0 };						\
										\
	CHECK_EQ(nvme_read_vf(fd, index, &got), 0);				\
	CHECK_EQ(got.online, want_online);					\
	CHECK_EQ(got.has[NVME_QUEUES], want_queues);				\
	CHECK_EQ(got.has[NVME_VECTORS], want_vectors);				\
} while (0)

TEST("this machine has what these tests are about")
{
	struct nvme_shares shares[NVME_TYPES] = {};
	int fd = nvme_open(NVME);

	REQUIRE(fd >= 0, "%s", strerror(-fd));
	REQUIRE_EQ(nvme_read_shares(fd, shares), 0);
	CHECK_EQ(shares[NVME_QUEUES].total, QUEUES);
	CHECK_EQ(shares[NVME_QUEUES].most, QUEUES_MOST);
	CHECK_EQ(shares[NVME_VECTORS].total, VECTORS);
	CHECK_EQ(shares[NVME_VECTORS].most, VECTORS_MOST);
	CHECK_EQ(shares[NVME_QUEUES].primary, 0);
	CHECK_EQ(shares[NVME_VECTORS].primary, 0);
	CHECK_VF(fd, 0, false, 0, 0);
}

TEST("a VF of a pool that the lease makes is on line with what it asks for, and then it isn't")
{
	int fd = nvme_open(NVME), part;

	part = lease_of("made", rec_nvme(1, 4, 3));
	CHECK_VF(fd, 0, false, 0, 0);
	CHECK_VF(fd, 1, true, 4, 3);
	close(part);
	CHECK_VF(fd, 1, false, 0, 0);
	CHECK_EQ(pf_vfs(NVME), 0);
}

TEST("a VF returns to exactly what an admin gave it, on line or not")
{
	int fd = nvme_open(NVME), part;

	REQUIRE_EQ(pf_set_vfs(NVME, 2), 0);
	REQUIRE_EQ(nvme_assign(fd, 0, 3, 2, false), 0);
	REQUIRE_EQ(nvme_assign(fd, 1, 5, 1, true), 0);
	part = lease_of("less", rec_nvme(0, 2, 1));
	CHECK_VF(fd, 0, true, 2, 1);
	CHECK_VF(fd, 1, true, 5, 1);
	close(part);
	CHECK_VF(fd, 0, false, 3, 2);
	part = lease_of("more", rec_nvme(1, 6, 4));
	CHECK_VF(fd, 1, true, 6, 4);
	close(part);
	CHECK_VF(fd, 1, true, 5, 1);
	/* One setting says nothing of the other, but it has to work. */
	part = lease_of("queues", rec_nvme(0, 4, 0));
	CHECK_VF(fd, 0, true, 4, 2);
	close(part);
	part = lease_of("vectors", rec_nvme(1, 0, 3));
	CHECK_VF(fd, 1, true, 5, 3);
	close(part);
	CHECK_VF(fd, 0, false, 3, 2);
	CHECK_VF(fd, 1, true, 5, 1);
}

TEST("with one of the settings, the other is what it needs to work")
{
	int fd = nvme_open(NVME), part;

	part = lease_of("queues", rec_nvme(0, 3, 0));
	CHECK_VF(fd, 0, true, 3, 1);
	close(part);
	part = lease_of("vectors", rec_nvme(0, 0, 2));
	CHECK_VF(fd, 0, true, 2, 2);
	close(part);
	CHECK_VF(fd, 0, false, 0, 0);
}

TEST("without settings nothing is changed")
{
	int fd = nvme_open(NVME), part;

	REQUIRE_EQ(pf_set_vfs(NVME, 1), 0);
	REQUIRE_EQ(nvme_assign(fd, 0, 3, 2, false), 0);
	part = lease_of("plain", rec_nvme(0, 0, 0));
	CHECK_VF(fd, 0, false, 3, 2);
	close(part);
	CHECK_VF(fd, 0, false, 3, 2);
}

TEST("more than a VF can have, or than is left, is refused with the number and who has the rest")
{
	struct devirt_record both[2] = { rec_nvme(0, 6, 4), rec_nvme(1, 2, 1) };
	int fd = nvme_open(NVME), part;

	refused(rec_nvme(0, QUEUES_MOST + 1, 0), -ERANGE, DEVIRT_REASON_SETTING_VALUE,
		"queues 6");
	refused(rec_nvme(0, 2, VECTORS_MOST + 1), -ERANGE, DEVIRT_REASON_SETTING_VALUE,
		"vectors 4");
	refused(rec_nvme(0, 1, 0), -ERANGE, DEVIRT_REASON_SETTING_VALUE, "queues 2");
	CHECK_EQ(pf_vfs(NVME), 0);

	part = lease_new("both", both, 2);
	REQUIRE(part >= 0, "%s", strerror(-part));
	REQUIRE_EQ(nvme_assign(fd, 3, 2, 1, false), 0);
	refused(rec_nvme(2, 3, 1), -ERANGE, DEVIRT_REASON_SETTING_VALUE,
		"queues 2 both 6 both 2 " NVME "/3 2");
	refused(rec_nvme(2, 2, 3), -ERANGE, DEVIRT_REASON_SETTING_VALUE,
		"vectors 2 both 4 both 1 " NVME "/3 1");
	close(part);
	REQUIRE_EQ(nvme_assign(fd, 3, 0, 0, false), 0);
}

TEST("two of one description that don't fit together are refused, and nothing is left")
{
	struct devirt_record recs[3] = {
		rec_nvme(0, 6, 1), rec_nvme(1, 4, 1), rec_nvme(2, 4, 1)
	};
	int fd = nvme_open(NVME), part = lease_create("three");
	unsigned int failed = 9, i;

	CHECK_EQ(lease_apply(part, 0, recs, 3, &failed), -ERANGE);
	REQUIRE(failed < 3, "%u", failed);
	CHECK_EQ(recs[failed].reason, DEVIRT_REASON_SETTING_VALUE);
	CHECK(!strncmp(recs[failed].detail, "queues ", 7), "%s", recs[failed].detail);
	for (i = 0; i < NVME_VFS; i++)
		CHECK_VF(fd, i, false, 0, 0);
	CHECK_EQ(pf_vfs(NVME), 0);
}

TEST("a PF that isn't NVMe, and one without its driver, have no such settings")
{
	struct devirt_record rec = rec_nvme(0, 2, 0);

	rec.vf.pf = pci_addr(IGB);
	refused(rec, -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "queues");
	rec = rec_nvme(0, 0, 2);
	rec.vf.pf = pci_addr(IGB);
	refused(rec, -EOPNOTSUPP, DEVIRT_REASON_SETTING_KIND, "vectors");
	REQUIRE_EQ(pci_bind(NVME, NULL), 0);
	refused(rec_nvme(0, 2, 0), -ENOENT, DEVIRT_REASON_PF_DRIVER, "");
	REQUIRE_EQ(pci_bind(NVME, "nvme"), 0);
}

/* NVMe's registers, and what brings a controller up. */
enum { CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30 };

static unsigned int starts(const char *addr)
{
	struct vfio vfio;
	int err = vfio_open(&vfio, addr);

	REQUIRE(!err, "%s", strerror(-err));
	REQUIRE_EQ(device_enable(&vfio), 0);
	device_write(&vfio, AQA, 1 << 16 | 1);
	device_write(&vfio, ASQ, 0x1000);
	device_write(&vfio, ASQ + 4, 0);
	device_write(&vfio, ACQ, 0x2000);
	device_write(&vfio, ACQ + 4, 0);
	device_write(&vfio, CC, 4 << 20 | 6 << 16 | 1);
	err = EVENTUALLY(device_read(&vfio, CSTS) & 3) ? (int)device_read(&vfio, CSTS) & 3 : 0;
	vfio_close(&vfio);
	return err;
}

TEST("a controller with settings starts for whoever opens it, again and again; one without fails")
{
	struct devirt_record recs[2] = { rec_nvme(0, 2, 1), rec_nvme(1, 0, 0) };
	int fd = nvme_open(NVME), part;

	part = lease_new("starts", recs, 2);
	REQUIRE(part >= 0, "%s", strerror(-part));
	/* Ready; a fatal status. */
	CHECK_EQ(starts(pci_text(&recs[0].vf.addr)), 1);
	CHECK_EQ(starts(pci_text(&recs[0].vf.addr)), 1);
	CHECK_EQ(starts(pci_text(&recs[1].vf.addr)), 2);
	close(part);
	CHECK_VF(fd, 0, false, 0, 0);
}

TEST("the PF's driver leaves and comes back meanwhile: all is put back by the new one")
{
	int fd, part = lease_of("again", rec_nvme(0, 3, 2));

	REQUIRE_EQ(pci_bind(NVME, NULL), 0);
	REQUIRE_EQ(pci_bind(NVME, "nvme"), 0);
	close(part);
	fd = nvme_open(NVME);
	CHECK_VF(fd, 0, false, 0, 0);
}

TEST("without the PF's driver nothing can be put back, which is told, and nothing waits for it")
{
	int fd, part = lease_of("gone", rec_nvme(0, 3, 2));

	REQUIRE_EQ(pci_bind(NVME, NULL), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK(told(part, DEVIRT_EVENT_DRIFT, "not put back: queues vectors"));
	close(part);
	REQUIRE_EQ(pci_bind(NVME, "nvme"), 0);
	/* Older kernels' driver comes up later. */
	REQUIRE(EVENTUALLY((fd = nvme_open(NVME)) >= 0));
	REQUIRE_EQ(nvme_assign(fd, 0, 0, 0, false), 0);
}

TEST("the PF is reset meanwhile: its VFs are off line, and return to what they were")
{
	int fd = nvme_open(NVME), part;
	struct nvme_vf vf = { 0 };

	/* The driver freezes its queues in who resets it, and thaws them in a worker. */
	if (!access("/proc/lockdep", F_OK))
		SKIP("lockdep warns of the host driver's reset");
	REQUIRE_EQ(pf_set_vfs(NVME, 1), 0);
	REQUIRE_EQ(nvme_assign(fd, 0, 3, 2, false), 0);
	part = lease_of("reset", rec_nvme(0, 4, 1));
	CHECK_VF(fd, 0, true, 4, 1);
	CHECK_EQ(file_write("1", "/sys/bus/pci/devices/" NVME "/reset"), 0);
	CHECK_EQ(nvme_read_vf(fd, 0, &vf), 0);
	CHECK(!vf.online, "it is on line");
	close(part);
	CHECK_VF(fd, 0, false, 3, 2);
}
