// SPDX-License-Identifier: GPL-2.0
/*
 * reserve= and keep=: functions that are kept off their host drivers from the
 * moment that they are added, or that the module is loaded, until it goes. (At
 * boot and with real hot-plugging: tests/hosts/reserve.t.)
 */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lease.h"
#include "module.h"
#include "pf.h"
#include "tap.h"

#define PARAMETERS	"/sys/module/devirt/parameters/"
#define SCRATCH		"/tmp/devirt-reserve"
/* Both disks' controllers are of this sort, and EDU of that. */
#define NVME_ID		"1b36:0010"
#define EDU_ID		"1234:11e8"
#define PORT		"0000:00:03.0"
/* Where the root port that DISK is behind has it. */
#define DISK_PATH	"path:00:03.0/00.0"

/* Loaded anew with these; the test ends here if that fails. */
static void reload(const char *parameters)
{
	REQUIRE_EQ(module_unload(), 0);
	REQUIRE_EQ(module_load(parameters), 0);
}

static void reset(void)
{
	umount2(SCRATCH, MNT_DETACH);
	rmdir(SCRATCH);
	if (file_number("/sys/bus/pci/devices/" IGB "/sriov_numvfs") > 0)
		file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_numvfs");
	/* Without parameters, as it was. */
	module_unload();
	if (!access("/sys/module/" TEST_DRIVER, F_OK)) {
		pf_reset(IGB, "igb");
		command("rmmod " TEST_DRIVER);
	}
	if (access("/sys/bus/pci/devices/" DISK, F_OK))
		file_write("1", "/sys/bus/pci/rescan");
	command("ip address flush dev $(ls /sys/bus/pci/devices/" IGB "/net) 2>/dev/null");
	module_load("");
	command("udevadm settle");
}

static void __attribute__((constructor)) set_reset(void)
{
	tap_reset = reset;
}

/* --------------------------------------------------------- the kernel's log */

static int log_from_now(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	REQUIRE(fd >= 0, "%s", strerror(errno));
	lseek(fd, 0, SEEK_END);
	return fd;
}

/* What the kernel said since; to be freed. */
static char *log_since(int fd)
{
	char *text = calloc(1, 1 << 18), line[8192];
	size_t length = 0;
	ssize_t got;

	while ((got = read(fd, line, sizeof(line) - 1)) > 0 || (got < 0 && errno == EPIPE)) {
		if (got > 0 && length + got < (1 << 18)) {
			memcpy(text + length, line, got);
			length += got;
		}
	}
	close(fd);
	return text;
}

static void said(int fd, const char *words)
{
	char *text = log_since(fd);

	CHECK(strstr(text, words), "no \"%s\" in:\n%s", words, text);
	free(text);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of their addresses; the bus has who was plugged in last at its end. */
static const char *all_reserved(void)
{
	static char sorted[512];
	char *text = strdup(module_parameter("reserved")), *words[32], *at;
	size_t count = 0, i;

	for (at = strtok(text, " "); at && count < 32; at = strtok(NULL, " "))
		words[count++] = at;
	qsort(words, count, sizeof(*words), by_text);
	sorted[0] = '\0';
	for (i = 0; i < count; i++) {
		strcat(sorted, i ? " " : "");
		strcat(sorted, words[i]);
	}
	free(text);
	return sorted;
}

/* -------------------------------------------------------------- parameters */

TEST("a bad entry is an error that names it, and nothing is loaded or changed")
{
	static const struct {
		const char *parameters;
		const char *words;
	} bad[] = {
		{ "reserve=igb", "reserve=: entry 1, \"igb\": " },
		{ "reserve=0000:03:00.0,8086:10c9:1", "entry 2, \"8086:10c9:1\": " },
		{ "reserve=0000:03:00.0,", "entry 2, \"\": it says nothing" },
		{ "reserve=0000:03:00.0 keep=path:", "keep=: entry 1, \"path:\": " },
		{ "reserve=0000:03:00.8", "entry 1, \"0000:03:00.8\": an address is" },
	};
	unsigned int i;

	REQUIRE_EQ(module_unload(), 0);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int log = log_from_now();

		CHECK_EQ(module_load(bad[i].parameters), -EINVAL);
		said(log, bad[i].words);
		CHECK(!module_loaded());
		CHECK_STR(pci_driver(DISK), "nvme");
		CHECK_STR(pci_override(DISK), "(null)");
	}
	/* What is only to be read. */
	CHECK_EQ(module_load("reserved=" DISK), -EPERM);
}

TEST("without entries nothing is reserved; what is can be read, and not written")
{
	reload("reserve=");
	CHECK_STR(module_parameter("reserved"), "");
	CHECK_STR(module_parameter("reserve"), "");
	reload("reserve=" EDU ",ffff:0001 keep=ffff:0002");
	CHECK_STR(module_parameter("reserve"), EDU ",ffff:0001");
	CHECK_STR(module_parameter("keep"), "ffff:0002");
	CHECK_STR(module_parameter("reserved"), EDU);
	CHECK(file_write("x", PARAMETERS "reserve") < 0);
	CHECK(file_write("x", PARAMETERS "reserved") < 0);
}

/* ------------------------------------------------------- what is there already */

TEST("what nobody uses is taken from its driver, and returned when the module goes")
{
	int log = log_from_now();

	reload("reserve=" DISK "," EDU_ID);
	CHECK_STR(pci_driver(DISK), "vfio-pci");
	CHECK_STR(pci_override(DISK), "vfio-pci");
	CHECK_STR(pci_driver(EDU), "vfio-pci");
	CHECK_STR(pci_driver(NVME), "nvme");
	CHECK_STR(all_reserved(), EDU " " DISK);
	said(log, DISK ": devirt: reserved for " DISK);

	REQUIRE_EQ(module_unload(), 0);
	CHECK_STR(pci_driver(DISK), "nvme");
	CHECK_STR(pci_override(DISK), "(null)");
	CHECK_STR(pci_driver(EDU), "");
	CHECK_STR(pci_override(EDU), "(null)");
}

TEST("an id means all of a sort; with a path or a subsystem, the one")
{
	reload("reserve=" NVME_ID);
	CHECK_STR(all_reserved(), NVME " " DISK);
	reload("reserve=" NVME_ID "+" DISK_PATH);
	CHECK_STR(module_parameter("reserved"), DISK);
	/* The slot is right, the card another. */
	reload("reserve=8086:10c9+" DISK_PATH);
	CHECK_STR(module_parameter("reserved"), "");
	reload("reserve=" EDU_ID ":1af4:1100");
	CHECK_STR(module_parameter("reserved"), EDU);
	reload("reserve=" EDU_ID ":1af5:1100");
	CHECK_STR(module_parameter("reserved"), "");
	reload("reserve=" EDU_ID ":1af4:1101");
	CHECK_STR(module_parameter("reserved"), "");
}

TEST("what is in use stays the host's, and the log says what uses it")
{
	char interface[64];
	int log;

	mkdir(SCRATCH, 0700);
	REQUIRE_EQ(command("mount -o ro LABEL=DEVIRT-DATA " SCRATCH), 0);
	pci_child(IGB, "net", "", interface, sizeof(interface));
	REQUIRE_EQ(command("ip address add 192.0.2.1/24 dev %s", interface), 0);
	log = log_from_now();
	reload("reserve=" DISK ",8086:10c9," EDU);
	CHECK_STR(module_parameter("reserved"), EDU);
	CHECK_STR(pci_driver(DISK), "nvme");
	CHECK_STR(pci_override(DISK), "(null)");
	CHECK_STR(pci_driver(IGB), "igb");
	CHECK_STR(pci_override(IGB), "(null)");
	CHECK_EQ(umount(SCRATCH), 0);
	said(log, DISK ": devirt: not reserved for " DISK ": nvme has it, and it is in use (nvme");

	/* And what has VFs. */
	REQUIRE_EQ(command("ip address flush dev %s", interface), 0);
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 0);
	log = log_from_now();
	reload("reserve=" IGB);
	CHECK_STR(module_parameter("reserved"), "");
	CHECK_STR(pci_driver(IGB), "igb");
	said(log, "igb has it, and it is in use (it has 1 VFs)");
}

TEST("keep= wins, a bridge is none to reserve, and the log says so")
{
	int log = log_from_now();

	reload("reserve=" NVME_ID "," PORT " keep=" DISK_PATH);
	CHECK_STR(module_parameter("reserved"), NVME);
	CHECK_STR(pci_driver(DISK), "nvme");
	CHECK_STR(pci_driver(PORT), "pcieport");
	said(log, DISK ": devirt: not reserved for " NVME_ID
	     ": the host needs it (keep=" DISK_PATH ")");
	log = log_from_now();
	reload("reserve=" PORT);
	said(log, PORT ": devirt: a bridge, not reserved for " PORT);
}

TEST("a VF is its PF's pool's, and the log says so")
{
	char name[256];
	ssize_t len;
	int log;

	reload("reserve=8086:10ca");
	log = log_from_now();
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 0);
	CHECK_STR(module_parameter("reserved"), "");
	len = readlink("/sys/bus/pci/devices/" IGB "/virtfn0", name, sizeof(name) - 1);
	REQUIRE(len > 0);
	name[len] = '\0';
	CHECK_STR(pci_override(strrchr(name, '/') + 1), "(null)");
	said(log, "devirt: a VF, not reserved for 8086:10ca: it is its PF's pool's");
}

TEST("a list of entries longer than the kernel takes as text, up to a page")
{
	char list[8192], parameters[8300];
	size_t len;

	strcpy(list, EDU);
	for (len = strlen(list); len < 4094 - 10; len += 10)
		strcat(list, ",ffff:0001");
	snprintf(parameters, sizeof(parameters), "reserve=%s", list);
	reload(parameters);
	CHECK_STR(module_parameter("reserved"), EDU);
	/* One more than that is told by its name, and nothing is loaded. */
	REQUIRE_EQ(module_unload(), 0);
	strcat(list, ",ffff:0001");
	snprintf(parameters, sizeof(parameters), "keep=%s", list);
	int log = log_from_now();

	CHECK(module_load(parameters) != 0, "it was loaded");
	said(log, "keep=: it is longer than 4094 bytes");
}

TEST("what had vfio-pci and an override before has them afterwards")
{
	REQUIRE_EQ(module_unload(), 0);
	REQUIRE_EQ(file_write("vfio-pci", "/sys/bus/pci/devices/" EDU "/driver_override"), 0);
	REQUIRE_EQ(file_write(EDU, "/sys/bus/pci/drivers_probe"), 0);
	REQUIRE_EQ(module_load("reserve=" EDU), 0);
	CHECK_STR(module_parameter("reserved"), EDU);
	REQUIRE_EQ(module_unload(), 0);
	CHECK_STR(pci_driver(EDU), "vfio-pci");
	CHECK_STR(pci_override(EDU), "vfio-pci");
	file_write(EDU, "/sys/bus/pci/drivers/vfio-pci/unbind");
	file_write("\n", "/sys/bus/pci/devices/" EDU "/driver_override");
}

/* ----------------------------------------------------------- what comes later */

static void replug(const char *addr)
{
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/%s/remove", addr), 0);
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/rescan"), 0);
	command("udevadm settle");
}

TEST("a reserved PF that is back while its former VFs are held is reserved when they are gone")
{
	struct devirt_record rec = rec_vf(IGB, 0, 1);
	char name[64];
	int part;

	/* In use, and so the host's for now. (igb would leak what it knows of its VFs.) */
	REQUIRE_EQ(test_driver(IGB, 1), 0);
	pci_child(IGB, "net", "", name, sizeof(name));
	REQUIRE_EQ(command("ip address add 10.77.0.1/24 dev %s && ip link set %s up", name, name),
		   0);
	reload("reserve=8086:10c9");
	CHECK_STR(module_parameter("reserved"), "");
	part = lease_new("former", &rec, 1);
	REQUIRE(part >= 0, "%s", strerror(-part));
	replug(IGB);
	CHECK_STR(module_parameter("reserved"), IGB);
	CHECK_STR(pci_driver(IGB), "");
	close(part);
	CHECK(EVENTUALLY(!strcmp(pci_driver(IGB), "vfio-pci")));
	CHECK_STR(pci_override(IGB), "vfio-pci");
	/* That has the module too. */
	close(lease_device());
	REQUIRE_EQ(module_unload(), 0);
	CHECK(EVENTUALLY(!strcmp(pci_driver(IGB), "igb")));
	CHECK_STR(pci_override(IGB), "(null)");
}

TEST("what is added later is no host driver's for a moment, and another is")
{
	char *text;
	int log;

	reload("reserve=" DISK_PATH "+" NVME_ID);
	log = log_from_now();
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" DISK "/remove"), 0);
	CHECK_STR(module_parameter("reserved"), "");
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/rescan"), 0);
	command("udevadm settle");
	CHECK_STR(module_parameter("reserved"), DISK);
	CHECK_STR(pci_driver(DISK), "vfio-pci");
	text = log_since(log);
	CHECK(strstr(text, DISK ": devirt: reserved for "), "%s", text);
	CHECK(!strstr(text, "pci function " DISK), "nvme has had it:\n%s", text);
	free(text);

	/* The same without a reservation: the log would tell. */
	reload("");
	log = log_from_now();
	replug(DISK);
	CHECK(EVENTUALLY(!strcmp(pci_driver(DISK), "nvme")));
	said(log, "pci function " DISK);
}

/* ------------------------------------------------------------------- leases */

TEST("a lease takes a reserved function, and it is reserved again afterwards")
{
	struct devirt_record rec = rec_pci(DISK);
	struct vfio vfio;
	int part;

	reload("reserve=" DISK);
	part = lease_new("reserved", &rec, 1);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_STR(rec.pci.vfio.driver, "vfio-pci");
	CHECK_EQ(module_unload(), -EAGAIN);
	REQUIRE_EQ(vfio_open(&vfio, DISK), 0);
	vfio_close(&vfio);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
	close(part);
	CHECK_STR(pci_driver(DISK), "vfio-pci");
	CHECK_STR(pci_override(DISK), "vfio-pci");
	CHECK_STR(module_parameter("reserved"), DISK);
}

TEST("unplugged and plugged in again while it is leased: reserved again")
{
	struct devirt_record rec = rec_pci(DISK);
	int part;

	reload("reserve=" DISK);
	part = lease_new("unplugged", &rec, 1);
	REQUIRE(part >= 0, "%s", strerror(-part));
	replug(DISK);
	CHECK_STR(module_parameter("reserved"), DISK);
	CHECK_STR(pci_driver(DISK), "vfio-pci");
	close(part);
	CHECK(EVENTUALLY(!tap_partitions()));
	CHECK_STR(module_parameter("reserved"), DISK);
}

TEST("what a process uses through VFIO when the module goes stays there, and the log says so")
{
	struct vfio vfio;
	int log;

	reload("reserve=" DISK);
	REQUIRE_EQ(vfio_open(&vfio, DISK), 0);
	log = log_from_now();
	REQUIRE_EQ(module_unload(), 0);
	CHECK_STR(pci_driver(DISK), "vfio-pci");
	CHECK_STR(pci_override(DISK), "(null)");
	said(log, DISK ": devirt: no longer reserved, but vfio-pci keeps it: a process uses it");
	vfio_close(&vfio);
	pci_bind(DISK, "nvme");
	CHECK_STR(pci_driver(DISK), "nvme");
}
