// SPDX-License-Identifier: GPL-2.0
/*
 * Pools: sized ahead, changed by somebody else, and what becomes of leased VFs when
 * their PF goes away. Nothing may wait for ever for who holds one.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "device.h"
#include "module.h"
#include "pf.h"
#include "one.h"

static void reset(void)
{
	if (access("/sys/bus/pci/devices/" IGB, F_OK))
		file_write("1", "/sys/bus/pci/rescan");
	pf_reset(NVME, "nvme");
	pf_reset(IGB, "igb");
	if (!access("/sys/module/" TEST_DRIVER, F_OK))
		command("rmmod " TEST_DRIVER);
}

static void __attribute__((constructor)) set_up(void)
{
	command("modprobe igbvf");
	tap_reset = reset;
}

static void size_refused(const char *pf, unsigned int count, int err, unsigned int reason,
			 const char *detail)
{
	struct devirt_pool_size out;

	CHECK_EQ(pf_pool(pf, count, &out), err);
	CHECK_EQ(out.error, err);
	CHECK_EQ(out.reason, reason);
	CHECK_STR(out.detail, detail);
}

/* No driver of this machine but vfio-pci's users has it. */
static bool free_vf(const char *addr)
{
	return !strcmp(pci_driver(addr), "vfio-pci") || !pci_driver(addr)[0];
}

TEST("a pool that is sized ahead stays when the last lease ends, until it is told to go")
{
	struct devirt_record rec = rec_vf(IGB, DEVIRT_VF_ANY, 0);
	struct devirt_pool_size out;
	int part;

	CHECK_EQ(pf_origin(IGB), DEVIRT_POOL_NONE);
	CHECK_EQ(pf_pool(IGB, 3, &out), 0);
	CHECK_EQ(out.count, 3);
	CHECK_EQ(out.origin, DEVIRT_POOL_AHEAD);
	CHECK_EQ(out.reason, DEVIRT_REASON_NONE);
	CHECK_EQ(pf_vfs(IGB), 3);
	command("udevadm settle");
	CHECK_STR(pci_driver(pf_vf(IGB, 2)), "vfio-pci");
	part = lease_one("ahead", &rec);
	CHECK_EQ(rec.vf.pool, 3);
	CHECK_EQ(rec.vf.flags, DEVIRT_VF_POOL_MADE);
	CHECK_STR(rec.vf.vfio.driver, "");
	close(part);
	CHECK_EQ(pf_vfs(IGB), 3);
	CHECK_STR(pci_driver(pf_vf(IGB, 0)), "vfio-pci");
	/* Once more is no error. */
	CHECK_EQ(pf_pool(IGB, 3, NULL), 0);
	CHECK_EQ(pf_pool(IGB, 0, &out), 0);
	CHECK_EQ(out.count, 0);
	CHECK_EQ(out.origin, DEVIRT_POOL_NONE);
	CHECK_EQ(pf_vfs(IGB), 0);
	CHECK_EQ(pf_pool(IGB, 0, NULL), 0);
}

TEST("a pool that a lease has made is kept if that is said later on")
{
	struct devirt_record rec = rec_vf(NVME, 0, 2);
	int part = lease_one("first", &rec);

	CHECK_EQ(pf_origin(NVME), DEVIRT_POOL_LEASES);
	CHECK_EQ(pf_pool(NVME, 2, NULL), 0);
	CHECK_EQ(pf_origin(NVME), DEVIRT_POOL_AHEAD);
	close(part);
	CHECK_EQ(pf_vfs(NVME), 2);
	CHECK_EQ(pf_pool(NVME, 0, NULL), 0);
	CHECK_EQ(pf_vfs(NVME), 0);
}

TEST("a pool can't grow or shrink, and not go while a VF is leased, open or a driver's")
{
	struct devirt_record rec = rec_vf(IGB, 1, 0);
	struct vfio vfio;
	char addr[64];
	int part, err;

	REQUIRE_EQ(pf_pool(IGB, 2, NULL), 0);
	size_refused(IGB, 3, -EBUSY, DEVIRT_REASON_POOL_SIZE, "2");
	size_refused(IGB, 1, -EBUSY, DEVIRT_REASON_POOL_SIZE, "2");
	part = lease_one("holder", &rec);
	size_refused(IGB, 0, -EBUSY, DEVIRT_REASON_POOL_BUSY, "1 lease holder");
	close(part);
	CHECK_EQ(pf_vfs(IGB), 2);
	snprintf(addr, sizeof(addr), "%s", pf_vf(IGB, 0));
	CHECK(EVENTUALLY(!(err = vfio_open(&vfio, addr))), "%s", strerror(-err));
	size_refused(IGB, 0, -EBUSY, DEVIRT_REASON_POOL_BUSY, "0 vfio");
	/* And any VF is then another one. */
	rec = rec_vf(IGB, DEVIRT_VF_ANY, 0);
	part = lease_one("other", &rec);
	CHECK_EQ(rec.vf.index, 1);
	close(part);
	vfio_close(&vfio);
	REQUIRE_EQ(pf_pool(IGB, 0, NULL), 0);

	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	CHECK(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 0)), "igbvf")));
	CHECK_EQ(pf_origin(IGB), DEVIRT_POOL_HOST);
	size_refused(IGB, 0, -EBUSY, DEVIRT_REASON_POOL_BUSY, "0 driver igbvf");
	/* The host's drivers have it: it isn't what would have been made. */
	size_refused(IGB, 1, -EBUSY, DEVIRT_REASON_POOL_SIZE, "1");
	REQUIRE_EQ(pci_bind(pf_vf(IGB, 0), NULL), 0);
	CHECK_EQ(pf_pool(IGB, 0, NULL), 0);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("what can't have a pool, or not that large")
{
	struct devirt_record whole = rec_pci(IGB);
	struct devirt_pool_size arg = { .size = sizeof(arg), .pf = pci_addr(IGB), .flags = 2 };
	int part;

	size_refused(IGB, IGB_VFS + 1, -ERANGE, DEVIRT_REASON_VF_INDEX, "7");
	size_refused(DISK, 1, -EINVAL, DEVIRT_REASON_NOT_PF, DISK);
	size_refused("0000:1f:1f.7", 1, -ENODEV, DEVIRT_REASON_NO_DEVICE, "0000:1f:1f.7");
	part = lease_one("whole", &whole);
	size_refused(IGB, 1, -EBUSY, DEVIRT_REASON_PF_OWNED, "whole");
	close(part);
	REQUIRE_EQ(pci_bind(IGB, NULL), 0);
	size_refused(IGB, 1, -ENOENT, DEVIRT_REASON_PF_DRIVER, "");
	REQUIRE_EQ(pci_bind(IGB, "igb"), 0);
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_POOL, &arg), -EOPNOTSUPP);
	arg.flags = 0;
	arg.pf.reserved = 1;
	CHECK_EQ(lease_ioctl(lease_device(), DEVIRT_POOL, &arg), -EINVAL);
	CHECK_EQ(arg.reason, DEVIRT_REASON_INVALID);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a PF with a pool can't be leased whole")
{
	struct devirt_record whole = rec_pci(IGB);
	int part = lease_create("whole");

	REQUIRE_EQ(pf_pool(IGB, 1, NULL), 0);
	CHECK_EQ(lease_apply(part, 0, &whole, 1, NULL), -EBUSY);
	CHECK_EQ(whole.reason, DEVIRT_REASON_VFS_ENABLED);
	close(part);
}

TEST("a driver that makes fewer VFs than asked for, and one that makes none")
{
	struct devirt_record rec = rec_vf(IGB, 1, 4);
	struct devirt_pool_size out;
	int part;

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	REQUIRE_EQ(test_driver_set("fewer", 2), 0);
	/* Said ahead it is all of them or none. */
	CHECK_EQ(pf_pool(IGB, 4, &out), -ENOSPC);
	CHECK_EQ(out.reason, DEVIRT_REASON_POOL_FAILED);
	CHECK_STR(out.detail, "4 2");
	CHECK_EQ(pf_vfs(IGB), 0);
	/* For a lease those that there are will do, if its own is one of them. */
	part = lease_one("fewer", &rec);
	CHECK_EQ(rec.vf.pool, 2);
	close(part);
	part = lease_create("none");
	rec = rec_vf(IGB, 3, 4);
	CHECK_EQ(lease_apply(part, 0, &rec, 1, NULL), -ERANGE);
	CHECK_EQ(rec.reason, DEVIRT_REASON_VF_INDEX);
	CHECK_STR(rec.detail, "2");
	CHECK_EQ(pf_vfs(IGB), 0);
	rec = rec_vf(IGB, 0, 2);
	CHECK_EQ(lease_apply(part, 0, &rec, 1, NULL), -ENOSPC);
	CHECK_EQ(rec.reason, DEVIRT_REASON_POOL_FAILED);
	CHECK_STR(rec.detail, "2 0");
	close(part);
}

static void refused_setting(void *arg)
{
	struct devirt_record *rec = arg;
	int part = lease_create("refused");

	if (lease_apply(part, 0, rec, 1, NULL) != -EIO ||
	    rec->reason != DEVIRT_REASON_SETTING_FAILED)
		_exit(2);
}

TEST("VFs that a lease made and failed with stay while somebody has one, who isn't waited for")
{
	struct devirt_record rec = rec_vf(IGB, 0, 2);
	int err, status = -1;
	struct vfio vfio;
	pid_t pid;

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	REQUIRE_EQ(test_driver_set("refuse", DEVIRT_VF_SET_TRUST), 0);
	REQUIRE_EQ(test_driver_set("wait", 1), 0);
	rec.vf.settings.set = DEVIRT_VF_SET_TRUST;
	rec.vf.settings.net.trust = 1;
	pid = spawn(refused_setting, &rec);
	REQUIRE(EVENTUALLY(test_driver_get("wait") == 2));
	/* The other one; nobody has leased it. */
	CHECK(EVENTUALLY(!(err = vfio_open(&vfio, pf_vf(IGB, 1)))), "%s", strerror(-err));
	REQUIRE_EQ(test_driver_set("wait", 0), 0);
	CHECK(EVENTUALLY(waitpid(pid, &status, WNOHANG) == pid), "it waits");
	CHECK_EQ(status, 0);
	CHECK_EQ(pf_vfs(IGB), 2);
	CHECK_EQ(pf_origin(IGB), DEVIRT_POOL_AHEAD);
	size_refused(IGB, 0, -EBUSY, DEVIRT_REASON_POOL_BUSY, "1 vfio");
	vfio_close(&vfio);
	CHECK_EQ(pf_pool(IGB, 0, NULL), 0);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a VF that its host driver refuses to take back is kept off all, until it does")
{
	struct devirt_record rec = rec_vf(IGB, 0, 0);
	char addr[64];
	int part;

	REQUIRE_EQ(pf_set_vfs(IGB, 1), 0);
	snprintf(addr, sizeof(addr), "%s", pf_vf(IGB, 0));
	CHECK(EVENTUALLY(!strcmp(pci_driver(addr), "igbvf")));
	REQUIRE_EQ(test_driver(addr, 0), 0);
	part = lease_one("rejected", &rec);
	CHECK_STR(rec.vf.vfio.driver, TEST_DRIVER);
	REQUIRE_EQ(test_driver_set("reject", 1), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_QUARANTINE);
	CHECK_STR(pci_driver(addr), "");
	CHECK(strcmp(pci_override(addr), "(null)"), "any driver could have it");
	REQUIRE_EQ(test_driver_set("reject", 0), 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
	CHECK_STR(pci_driver(addr), TEST_DRIVER);
	REQUIRE_EQ(pci_bind(addr, NULL), 0);
}

TEST("sriov_numvfs written by somebody else while all VFs are free")
{
	struct devirt_record rec = rec_vf(IGB, 0, 0);
	int part;

	REQUIRE_EQ(pf_pool(IGB, 2, NULL), 0);
	CHECK_EQ(pf_set_vfs(IGB, 0), 0);
	CHECK_EQ(pf_origin(IGB), DEVIRT_POOL_NONE);
	/* The next one is the next lease's, and goes with it. */
	rec.vf.pool = 1;
	part = lease_one("next", &rec);
	CHECK_EQ(pf_origin(IGB), DEVIRT_POOL_LEASES);
	close(part);
	CHECK_EQ(pf_vfs(IGB), 0);
	/* Or that somebody's, and stays, with its VFs' drivers. */
	REQUIRE_EQ(pf_pool(IGB, 2, NULL), 0);
	CHECK_EQ(pf_set_vfs(IGB, 0), 0);
	CHECK_EQ(pf_set_vfs(IGB, 1), 0);
	CHECK(EVENTUALLY(!strcmp(pci_driver(pf_vf(IGB, 0)), "igbvf")));
	CHECK_EQ(pf_origin(IGB), DEVIRT_POOL_HOST);
	part = lease_one("theirs", &rec);
	close(part);
	CHECK_STR(pci_driver(pf_vf(IGB, 0)), "igbvf");
	CHECK_EQ(pf_vfs(IGB), 1);
}

TEST("a pool that is sized ahead is made again when the PF's driver has been reloaded")
{
	REQUIRE_EQ(pf_pool(IGB, 2, NULL), 0);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/igb/unbind"), 0);
	CHECK_EQ(pf_vfs(IGB), 0);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/igb/bind"), 0);
	CHECK(EVENTUALLY(pf_vfs(IGB) == 2));
	CHECK(EVENTUALLY(pf_origin(IGB) == DEVIRT_POOL_AHEAD));
	CHECK_STR(pci_driver(pf_vf(IGB, 1)), "vfio-pci");
}

TEST("the module takes what it has made with it")
{
	REQUIRE_EQ(pf_pool(NVME, 2, NULL), 0);
	REQUIRE_EQ(module_unload(), 0);
	CHECK_EQ(pf_vfs(NVME), 0);
	REQUIRE_EQ(module_load(""), 0);
}

/* ------------------------------------------------- a VF is open, its PF goes */

/* A process that holds the VF through VFIO, and doesn't care. */
struct holder {
	pid_t pid;
	char addr[64];
	int asked[2];		/* from it: opened; and whether VFIO asked it to let go */
	bool polite;
};

static void hold(void *arg)
{
	struct holder *holder = arg;
	struct vfio vfio;
	unsigned long long count;
	int fd = eventfd(0, EFD_CLOEXEC), err;
	char answer;

	close(holder->asked[0]);
	for (;;) {
		err = vfio_open(&vfio, holder->addr);
		if (!err)
			break;
		tap_pause(10);
	}
	err = device_irqs(&vfio, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, &fd) ?: device_ioctl(&vfio);
	answer = err ? 'e' : 'o';
	if (write(holder->asked[1], &answer, 1) != 1)
		exit(1);
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		exit(1);
	if (write(holder->asked[1], "r", 1) != 1)
		exit(1);
	if (holder->polite) {
		vfio_close(&vfio);
		exit(0);
	}
	for (;;)
		pause();
}

static char heard(struct holder *holder)
{
	char answer = '-';

	return read(holder->asked[0], &answer, 1) == 1 ? answer : '-';
}

static void start(struct holder *holder, const char *addr, bool polite)
{
	snprintf(holder->addr, sizeof(holder->addr), "%s", addr);
	holder->polite = polite;
	REQUIRE_EQ(pipe(holder->asked), 0);
	holder->pid = spawn(hold, holder);
	REQUIRE(holder->pid > 0);
	close(holder->asked[1]);
	REQUIRE_EQ(heard(holder), 'o');
	fcntl(holder->asked[0], F_SETFL, O_NONBLOCK);
}

static bool ended(struct holder *holder)
{
	int status;

	return waitpid(holder->pid, &status, WNOHANG) == holder->pid;
}

static bool alive(struct holder *holder)
{
	return !kill(holder->pid, 0) && !ended(holder);
}

static void stop(struct holder *holder)
{
	kill(holder->pid, SIGKILL);
	waitpid(holder->pid, NULL, 0);
}

TEST("sriov_numvfs is refused while a VF is held, whoever made the pool")
{
	struct devirt_record rec = rec_vf(IGB, 0, 2);
	struct holder holder;
	int part = lease_one("held", &rec);

	start(&holder, pci_text(&rec.vf.addr), false);
	CHECK(pf_set_vfs(IGB, 0) < 0, "it was possible");
	CHECK(pf_set_vfs(IGB, 3) < 0, "it was possible");
	CHECK_EQ(pf_vfs(IGB), 2);
	CHECK(alive(&holder));
	stop(&holder);
	close(part);
	CHECK(EVENTUALLY(pf_vfs(IGB) == 0));
}

TEST("a driver that removes its VFs nevertheless: who holds one is told, and lets go")
{
	struct devirt_record rec = rec_vf(IGB, 0, 1);
	struct holder holder;
	int part;

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	REQUIRE_EQ(test_driver_set("careless", 1), 0);
	part = lease_one("polite", &rec);
	start(&holder, pci_text(&rec.vf.addr), true);
	CHECK_EQ(pf_set_vfs(IGB, 0), 0);
	CHECK_EQ(heard(&holder), 'r');
	CHECK(EVENTUALLY(ended(&holder)));
	CHECK_EQ(pf_vfs(IGB), 0);
	CHECK(drifted(part, "unbound from vfio-pci"));
	CHECK_EQ(lease_release(part), 0);
	CHECK(drifted(part, "unplugged"));
}

TEST("and is killed after a while if it doesn't")
{
	struct devirt_record rec = rec_vf(IGB, 0, 1);
	struct holder holder;
	int part;

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	REQUIRE_EQ(test_driver_set("careless", 1), 0);
	part = lease_one("stubborn", &rec);
	start(&holder, pci_text(&rec.vf.addr), false);
	/* This returns when nobody holds it any more, which is before he has ended. */
	CHECK_EQ(pf_set_vfs(IGB, 0), 0);
	CHECK_EQ(heard(&holder), 'r');
	CHECK(EVENTUALLY(ended(&holder)), "it lives");
	CHECK_EQ(pf_vfs(IGB), 0);
	CHECK(drifted(part, "removed: its VMM kept it, and was killed"));
	CHECK_EQ(lease_release(part), 0);
}

TEST("the same when that driver leaves, and when the VF alone is unbound")
{
	struct devirt_record rec = rec_vf(IGB, 0, 2);
	struct holder holder;
	int part;

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	REQUIRE_EQ(test_driver_set("careless", 1), 0);
	part = lease_one("leaves", &rec);
	start(&holder, pci_text(&rec.vf.addr), false);
	CHECK_EQ(file_write(IGB, "/sys/bus/pci/drivers/" TEST_DRIVER "/unbind"), 0);
	CHECK(EVENTUALLY(ended(&holder)), "it lives");
	CHECK(drifted(part, "its PF's driver has left"));
	close(part);
	REQUIRE_EQ(file_write(IGB, "/sys/bus/pci/drivers/" TEST_DRIVER "/bind"), 0);
	rec = rec_vf(IGB, 0, 2);
	part = lease_one("unbound", &rec);
	start(&holder, pci_text(&rec.vf.addr), false);
	CHECK_EQ(file_write(pci_text(&rec.vf.addr), "/sys/bus/pci/drivers/vfio-pci/unbind"), 0);
	CHECK(EVENTUALLY(ended(&holder)), "it lives");
	CHECK(drifted(part, "unbound from vfio-pci"));
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a PF that is unbound or whose driver is unloaded leaves its VFs to who holds them")
{
	struct devirt_record rec = rec_vf(NVME, 0, 2);
	struct holder holder;
	int part = lease_one("unbound", &rec);

	start(&holder, pci_text(&rec.vf.addr), false);
	REQUIRE_EQ(file_write(NVME, "/sys/bus/pci/drivers/nvme/unbind"), 0);
	CHECK(drifted(part, "its PF's driver has left"));
	CHECK(alive(&holder));
	CHECK_EQ(pf_vfs(NVME), 2);
	REQUIRE_EQ(file_write(NVME, "/sys/bus/pci/drivers/nvme/bind"), 0);
	CHECK(drifted(part, "its PF's driver is back"));
	CHECK(alive(&holder));
	stop(&holder);
	close(part);
	CHECK(EVENTUALLY(pf_vfs(NVME) == 0));

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	rec = rec_vf(IGB, 0, 2);
	part = lease_one("unloaded", &rec);
	start(&holder, pci_text(&rec.vf.addr), false);
	CHECK_EQ(command("rmmod " TEST_DRIVER), 0);
	CHECK(drifted(part, "its PF's driver has left"));
	CHECK(alive(&holder));
	CHECK_EQ(pf_vfs(IGB), 2);
	stop(&holder);
	close(part);
	CHECK(EVENTUALLY(pf_vfs(IGB) == 0));
}

TEST("a PF that is removed leaves its VFs as well, and they go when their lease ends")
{
	struct devirt_record rec = rec_vf(IGB, 0, 2);
	struct holder holder;
	char addr[2][64];
	int part;

	/* Ours: igb leaks what it knows of its VFs (README). */
	REQUIRE_EQ(test_driver(IGB, 1), 0);
	part = lease_one("left", &rec);
	snprintf(addr[0], sizeof(addr[0]), "%s", pf_vf(IGB, 0));
	snprintf(addr[1], sizeof(addr[1]), "%s", pf_vf(IGB, 1));
	start(&holder, addr[0], false);
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" IGB "/remove"), 0);
	CHECK(drifted(part, "its PF has been removed"));
	CHECK(alive(&holder));
	CHECK_STR(pci_driver(addr[0]), "vfio-pci");
	stop(&holder);
	CHECK_EQ(lease_release(part), 0);
	CHECK(EVENTUALLY(access("/sys/bus/pci/devices/0000:01:10.0", F_OK)));
	CHECK(!pci_driver(addr[0])[0] && !pci_driver(addr[1])[0]);
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/rescan"), 0);
	CHECK(EVENTUALLY(!strcmp(pci_driver(IGB), "igb")));
	CHECK_EQ(pf_pool(IGB, 1, NULL), 0);
}

TEST("a PF that is back while its former VFs are held gets its driver when they are gone")
{
	struct devirt_record rec = rec_vf(IGB, 0, 2);
	struct holder holder;
	int part;

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	part = lease_one("former", &rec);
	start(&holder, pf_vf(IGB, 0), false);
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" IGB "/remove"), 0);
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/rescan"), 0);
	CHECK(drifted(part, "its PF is back, and has ended its VFs"));
	command("udevadm settle");
	CHECK_STR(pci_driver(IGB), "");
	/* New ones would have the addresses of those. */
	CHECK_EQ(pf_set_vfs(IGB, 2), -ENOENT);
	CHECK(alive(&holder));
	/* Its end doesn't wait for the reset of what isn't there any more. */
	kill(holder.pid, SIGKILL);
	CHECK(EVENTUALLY(ended(&holder)), "it can't be killed");
	CHECK_EQ(lease_release(part), 0);
	CHECK(EVENTUALLY(!strcmp(pci_driver(IGB), "igb")));
	CHECK_STR(pci_override(IGB), "(null)");
	CHECK_EQ(pf_pool(IGB, 2, NULL), 0);
	CHECK(free_vf(pf_vf(IGB, 0)));
}

TEST("who gives one VF back while another of the same PF is being taken from it isn't held up")
{
	struct devirt_record recs[2] = { rec_vf(IGB, 0, 2), rec_vf(IGB, 1, 2) };
	int status = -1, ready[2];
	pid_t pid;
	char c;

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	REQUIRE_EQ(test_driver_set("careless", 1), 0);
	REQUIRE_EQ(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		int part = lease_new("gives", recs, 2), fd = eventfd(0, EFD_CLOEXEC);
		unsigned long long count;
		struct vfio vfio;

		if (part < 0 || vfio_open(&vfio, pci_text(&recs[1].vf.addr)) ||
		    device_irqs(&vfio, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, &fd) ||
		    write(ready[1], "o", 1) != 1 || read(fd, &count, sizeof(count)) < 0)
			_exit(1);
		/* The first one is gone by now, and VFIO waits for this one. */
		if (lease_release(part) || lease_state(part) != DEVIRT_STATE_DRAINING)
			_exit(2);
		vfio_close(&vfio);
		_exit(EVENTUALLY(lease_state(part) == DEVIRT_STATE_RELEASED) ? 0 : 3);
	}
	REQUIRE_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(pf_set_vfs(IGB, 0), 0);
	CHECK(EVENTUALLY(waitpid(pid, &status, WNOHANG) == pid), "it hangs");
	CHECK_EQ(WEXITSTATUS(status), 0);
	CHECK_EQ(pf_vfs(IGB), 0);
}

TEST("a VMM that opens a VF just after it was bound anew isn't taken for one that kept it")
{
	struct devirt_record rec = rec_vf(IGB, 0, 2);
	struct holder holder;
	int part = lease_one("anew", &rec);

	REQUIRE_EQ(pci_bind(pci_text(&rec.vf.addr), NULL), 0);
	REQUIRE_EQ(file_write(pci_text(&rec.vf.addr), "/sys/bus/pci/drivers/vfio-pci/bind"), 0);
	start(&holder, pci_text(&rec.vf.addr), false);
	/* Twice as long as one may keep it (unplug_grace_ms). */
	tap_pause(2000);
	CHECK(alive(&holder), "it was killed");
	stop(&holder);
	close(part);
	CHECK(EVENTUALLY(pf_vfs(IGB) == 0));
}

static void unbind(void *addr)
{
	file_write(addr, "/sys/bus/pci/drivers/vfio-pci/unbind");
}

TEST("a VF that is being unbound from who uses it keeps nobody from the others, or from an answer")
{
	struct holder holder;
	char addr[64];
	pid_t pid;

	REQUIRE_EQ(pf_pool(IGB, 2, NULL), 0);
	snprintf(addr, sizeof(addr), "%s", pf_vf(IGB, 0));
	start(&holder, addr, false);
	pid = spawn(unbind, addr);
	CHECK(EVENTUALLY(heard(&holder) == 'r'));
	size_refused(IGB, 0, -EBUSY, DEVIRT_REASON_POOL_BUSY, "0 vfio");
	refused(rec_vf(IGB, 0, 0), -EBUSY, DEVIRT_REASON_VFIO_BUSY, addr);
	struct devirt_record any = rec_vf(IGB, DEVIRT_VF_ANY, 0);
	int part = lease_one("any", &any);

	CHECK_EQ(any.vf.index, 1);
	close(part);
	stop(&holder);
	waitpid(pid, NULL, 0);
	REQUIRE_EQ(pf_pool(IGB, 0, NULL), 0);
}

TEST("a PF that is reset while a VF of it is held")
{
	struct devirt_record rec = rec_vf(IGB, 0, 2);
	struct holder holder;
	int part = lease_one("reset", &rec);

	start(&holder, pci_text(&rec.vf.addr), false);
	CHECK_EQ(file_write("1", "/sys/bus/pci/devices/" IGB "/reset"), 0);
	CHECK(alive(&holder));
	CHECK_EQ(pf_vfs(IGB), 2);
	stop(&holder);
	close(part);
	CHECK(EVENTUALLY(pf_vfs(IGB) == 0));
}

TEST("a PF that is removed while its pool is free takes it along")
{
	REQUIRE_EQ(pf_pool(IGB, 2, NULL), 0);
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" IGB "/remove"), 0);
	CHECK(EVENTUALLY(access("/sys/bus/pci/devices/0000:01:10.0", F_OK)));
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/rescan"), 0);
	CHECK(EVENTUALLY(!strcmp(pci_driver(IGB), "igb")));
	CHECK_EQ(pf_origin(IGB), DEVIRT_POOL_NONE);
	/* A driver that leaves its VFs behind: we don't. */
	REQUIRE_EQ(pf_pool(NVME, 2, NULL), 0);
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/devices/" NVME "/remove"), 0);
	CHECK(EVENTUALLY(access("/sys/bus/pci/devices/0000:02:00.1", F_OK)));
	REQUIRE_EQ(file_write("1", "/sys/bus/pci/rescan"), 0);
	CHECK(EVENTUALLY(!strcmp(pci_driver(NVME), "nvme")));
	CHECK_EQ(pf_origin(NVME), DEVIRT_POOL_NONE);
}
