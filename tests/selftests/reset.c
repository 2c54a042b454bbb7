// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest has used is reset before the host gets it back, and what nobody
 * has used isn't kept waiting for a reset. VFIO resets a function when its last
 * user closes it, if it can; devirt sees to it that it was done.
 */
#include "lease.h"
#include "tap.h"
#include "trace.h"

static char vf[32];

/* From now on, every function level reset that anybody does is counted. */
static void resets_watch(void)
{
	REQUIRE_EQ(trace_probe("pcie_flr"), 0);
}

/* How many there were since the last call. */
static int resets(void)
{
	int count = trace_count(" probe:", "");

	trace_clear();
	return count;
}

static int lease_vf(void)
{
	struct devirt_record rec = rec_vf(IGB, 0, 0);
	int part = lease_new("reset", &rec, 1);

	REQUIRE(part >= 0, "%s", strerror(-part));
	snprintf(vf, sizeof(vf), "%s", pci_text(&rec.vf.addr));
	CHECK_STR(pci_driver(vf), "vfio-pci");
	return part;
}

/* One VF, with the host's driver, and its lease. */
static int begin(void)
{
	int part;

	REQUIRE_EQ(command("modprobe igbvf"), 0);
	REQUIRE(!file_write("1", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"));
	part = lease_vf();
	resets_watch();
	return part;
}

static void end(int part)
{
	CHECK_EQ(lease_release(part), 0);
	CHECK_STR(pci_driver(vf), "igbvf");
	close(part);
}

static void clean_up(void)
{
	trace_unprobe();
	CHECK(!file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"));
}

TEST("what nobody has opened returns without a reset")
{
	int part = begin();

	end(part);
	CHECK_EQ(resets(), 0);
	clean_up();
}

TEST("what was used is reset between its user and the host, once")
{
	struct vfio vfio;
	int part = begin();

	REQUIRE_EQ(vfio_open(&vfio, vf), 0);
	CHECK(resets() > 0, "VFIO resets what it opens: does the count work?");
	vfio_close(&vfio);
	end(part);
	CHECK_EQ(resets(), 1);
	clean_up();
}

TEST("what VFIO couldn't reset is reset before the host has it")
{
	struct vfio vfio;
	int part = begin();

	REQUIRE_EQ(vfio_open(&vfio, vf), 0);
	REQUIRE(!file_write("\n", "/sys/bus/pci/devices/%s/reset_method", vf));
	resets();
	vfio_close(&vfio);
	CHECK_EQ(resets(), 0);
	REQUIRE(!file_write("default", "/sys/bus/pci/devices/%s/reset_method", vf));
	end(part);
	CHECK_EQ(resets(), 1);
	clean_up();
}

TEST("what has left vfio-pci in between is reset, whatever VFIO knows of it now")
{
	struct vfio vfio;
	int part = begin();

	REQUIRE_EQ(vfio_open(&vfio, vf), 0);
	REQUIRE(!file_write("\n", "/sys/bus/pci/devices/%s/reset_method", vf));
	vfio_close(&vfio);
	REQUIRE(!file_write("default", "/sys/bus/pci/devices/%s/reset_method", vf));
	/* VFIO's new binding has forgotten what the old one couldn't do. */
	REQUIRE(!file_write(vf, "/sys/bus/pci/drivers/vfio-pci/unbind"));
	REQUIRE(!file_write(vf, "/sys/bus/pci/drivers/vfio-pci/bind"));
	resets();
	end(part);
	CHECK_EQ(resets(), 1);
	clean_up();
}
