// SPDX-License-Identifier: GPL-2.0
/*
 * Loading the module and reserving functions, where each allocation of the module's
 * own part fails once; see nth.h. The rest of it is the kernel's, loading any module
 * and finding any device.
 */
#include "module.h"
#include "nth.h"

static void reset(void)
{
	/* Without parameters, as it was. */
	module_unload();
	module_load("");
	if (access("/sys/bus/pci/devices/" EDU, F_OK))
		file_write("1", "/sys/bus/pci/rescan");
}

static void __attribute__((constructor)) set_reset(void)
{
	tap_reset = reset;
}

static int prepare_unloaded(void)
{
	REQUIRE_EQ(module_unload(), 0);
	return 0;
}

static int load_reserving(int fd)
{
	return module_load("reserve=" EDU);
}

/* It is the guests', or the host's: not in between. */
static void reserved_or_not(void)
{
	bool reserved = !strcmp(module_parameter("reserved"), EDU);

	CHECK_STR(pci_override(EDU), reserved ? "vfio-pci" : "(null)");
	if (!reserved)
		CHECK_STR(pci_driver(EDU), "");
}

static void plain(int fd, int err)
{
	CHECK_EQ(module_loaded(), !err);
	if (!err) {
		reserved_or_not();
		REQUIRE_EQ(module_unload(), 0);
	}
	CHECK_STR(pci_override(EDU), "(null)");
	CHECK_STR(pci_driver(EDU), "");
	REQUIRE_EQ(module_load(""), 0);
}

TEST("loading the module, with a function to reserve")
{
	nth_setup("do_one_initcall");
	nth_all("loading", prepare_unloaded, load_reserving, plain);
}

static int prepare_unplugged(void)
{
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" EDU "/remove"), 0);
	return 0;
}

static int plug(int fd)
{
	int err = file_write("1", "/sys/bus/pci/rescan");

	/* Not the caller's to be told. */
	return err ?: strcmp(module_parameter("reserved"), EDU) ? -ENOMEM : 0;
}

static void plugged(int fd, int err)
{
	reserved_or_not();
}

/* Its host driver would have it then, as without a reservation; the log says why. */
TEST("a function to reserve that is plugged in")
{
	REQUIRE_EQ(module_unload(), 0);
	REQUIRE_EQ(module_load("reserve=" EDU), 0);
	nth_setup("devirt_reserve_notify");
	nth_all("plugging", prepare_unplugged, plug, plugged);
	command("rmmod devirt_spare");
}
