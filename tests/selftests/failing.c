// SPDX-License-Identifier: GPL-2.0
/*
 * Devices and drivers that fail while they are leased or given back. Emulated
 * ones never do, so a module of the tests (module/tests/fail_call.c) makes calls
 * of the kernel's functions fail.
 */
#include <fcntl.h>

#include "lease.h"
#include "tap.h"

#define FAIL_MODULE	"devirt_fail_call"

static void unfail(void)
{
	command("rmmod " FAIL_MODULE " 2>/dev/null");
}

static void reset(void)
{
	unfail();
	if (file_number("/sys/bus/pci/devices/" IGB "/sriov_numvfs") > 0)
		file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_numvfs");
}

static void __attribute__((constructor)) set_reset(void)
{
	/* Also after a test that ended early. */
	tap_reset = reset;
}

static void fail(const char *symbol, int value)
{
	const char *kernel = getenv("DEVIRT_KERNEL") ?: "6.12";

	REQUIRE_EQ(command("insmod /devirt/build/%s/" FAIL_MODULE ".ko symbol=%s value=%d",
			   kernel, symbol, value), 0);
}

/*
 * VFIO resets a function when its last user closes it, so one that nobody used,
 * or that it has reset, returns without another. This is the function below all
 * ways to reset one.
 */
#define RESET	"__pci_reset_function_locked"

static void use(const char *addr)
{
	struct vfio vfio;

	REQUIRE_EQ(vfio_open(&vfio, addr), 0);
	vfio_close(&vfio);
}

static long failures(void)
{
	return file_number("/sys/module/" FAIL_MODULE "/parameters/count");
}

/* The partition that was left in quarantine, opened again; it can be released. */
static int reopen(const char *name)
{
	int part = lease_open(name, 0);

	REQUIRE(part >= 0, "%s", strerror(-part));
	return part;
}

TEST("a function whose reset fails is kept off every driver, and comes back when it works again")
{
	struct devirt_record rec = rec_pci(DISK), again, held;
	struct devirt_get get;
	unsigned int failed;
	int part, other;

	part = lease_new("unfit", &rec, 1);
	REQUIRE(part >= 0, "%s", strerror(-part));
	fail(RESET, -EIO);
	use(DISK);
	close(part);

	CHECK(failures() >= 2, "the reset wasn't tried");
	CHECK_STR(pci_driver(DISK), "");
	/* Not even one that is asked to probe it. */
	file_write(DISK, "/sys/bus/pci/drivers_probe");
	CHECK_STR(pci_driver(DISK), "");

	part = reopen("unfit");
	REQUIRE_EQ(lease_get(part, &get, &held, 1), 0);
	CHECK_EQ(get.state, DEVIRT_STATE_QUARANTINE);
	CHECK_EQ(held.state, DEVIRT_STATE_QUARANTINE);
	CHECK_EQ(held.error, -EIO);
	CHECK(strstr(held.detail, DISK), "%s", held.detail);

	/* Nobody else gets it, and is told why. */
	other = lease_create("next");
	again = rec_pci(DISK);
	CHECK_EQ(lease_apply(other, 0, &again, 1, &failed), -EBUSY);
	CHECK_EQ(failed, 0);
	CHECK_EQ(again.reason, DEVIRT_REASON_QUARANTINED);
	CHECK_STR(again.detail, "unfit");
	close(other);

	/* Releasing it again tries again, for as long as it takes. */
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_QUARANTINE);
	CHECK_STR(pci_driver(DISK), "");
	unfail();
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
	CHECK_STR(pci_driver(DISK), "nvme");
	close(part);
}

TEST("a quarantine is told by an event, with the errno and what failed")
{
	struct devirt_record rec = rec_pci(PAIR_A), pair[2] = { rec, rec_pci(PAIR_B) };
	struct devirt_event event;
	bool told = false;
	int part;

	part = lease_new("unfit", pair, 2);
	REQUIRE(part >= 0, "%s", strerror(-part));
	fail(RESET, -EIO);
	use(PAIR_A);
	use(PAIR_B);
	CHECK_EQ(lease_release(part), 0);
	fcntl(part, F_SETFL, O_NONBLOCK);
	while (read(part, &event, sizeof(event)) == sizeof(event)) {
		if (event.type != DEVIRT_EVENT_QUARANTINE)
			continue;
		told = true;
		CHECK_EQ(event.value, EIO);
		CHECK(event.record < 2, "record %u", event.record);
		CHECK(strstr(event.detail, "reset"), "%s", event.detail);
	}
	CHECK(told);
	unfail();
	CHECK_EQ(lease_release(part), 0);
	close(part);
}

TEST("when vfio-pci can't bind a function, its own driver has it again")
{
	struct devirt_record recs[] = { rec_cpu(2, DEVIRT_ROLE_VCPU, 0),
					rec_cpu(3, DEVIRT_ROLE_NONE, 0), rec_pci(DISK) };
	unsigned int failed;
	int part = lease_create("unbound");

	fail("vfio_pci_core_register_device", -ENOSPC);
	CHECK(lease_apply(part, 0, recs, 3, &failed) < 0);
	CHECK(failures() >= 1);
	CHECK_EQ(failed, 2);
	CHECK_EQ(recs[2].reason, DEVIRT_REASON_BIND);
	CHECK_STR(pci_driver(DISK), "nvme");
	unfail();
	/* The partition is as new: the next apply of it works. */
	CHECK_EQ(lease_apply(part, 0, recs, 3, &failed), 0);
	close(part);
}

TEST("VFs that vfio-pci can't bind, three at the same time, have their own driver again")
{
	struct devirt_record recs[4] = { rec_cpu(2, DEVIRT_ROLE_NONE, 0) };
	unsigned int failed, i;
	char addr[3][16];
	int part = lease_create("unbound");

	recs[0].flags = DEVIRT_RECORD_SHARE_CORE;
	REQUIRE_EQ(command("modprobe igbvf"), 0);
	REQUIRE_EQ(file_write("3", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 0);
	for (i = 0; i < 3; i++) {
		recs[1 + i] = rec_vf(IGB, i, 0);
		/* Each second address, see tests/vm/machines/default. */
		snprintf(addr[i], sizeof(addr[i]), "0000:01:10.%u", 2 * i);
		REQUIRE(EVENTUALLY(!strcmp(pci_driver(addr[i]), "igbvf")));
	}
	fail("vfio_pci_core_register_device", -ENOSPC);
	CHECK(lease_apply(part, 0, recs, 4, &failed) < 0);
	CHECK(failures() >= 1);
	CHECK(failed >= 1 && failed <= 3, "%u", failed);
	for (i = 0; i < 4; i++)
		CHECK_EQ(recs[i].reason, i == failed ? DEVIRT_REASON_BIND : DEVIRT_REASON_NONE);
	for (i = 0; i < 3; i++) {
		CHECK_STR(pci_driver(addr[i]), "igbvf");
		CHECK_STR(pci_override(addr[i]), "(null)");
	}
	unfail();
	CHECK_EQ(lease_apply(part, 0, recs, 4, &failed), 0);
	close(part);
	for (i = 0; i < 3; i++)
		CHECK_STR(pci_driver(addr[i]), "igbvf");
	CHECK_EQ(file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 0);
}

TEST("a PF whose driver makes no VFs is refused with what it said, and nothing is left")
{
	struct devirt_record recs[] = { rec_memory(2 * MIB, 3, DEVIRT_NODE_ANY),
					rec_vf(NVME, DEVIRT_VF_ANY, 2) };
	unsigned int failed;
	int part = lease_create("dry");

	fail("pci_sriov_configure_simple", -ENOSPC);
	CHECK_EQ(lease_apply(part, 0, recs, 2, &failed), -ENOSPC);
	CHECK(failures() >= 1);
	CHECK_EQ(failed, 1);
	CHECK_EQ(recs[1].reason, DEVIRT_REASON_POOL_FAILED);
	unfail();
	CHECK_EQ(file_number("/sys/bus/pci/devices/" NVME "/sriov_numvfs"), 0);
	close(part);
}
