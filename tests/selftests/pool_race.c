// SPDX-License-Identifier: GPL-2.0
/*
 * Two at a time: VFs that somebody makes or removes just when a lease does, and
 * functions that are added to the bus meanwhile. One of the two has to wait in a PF's
 * driver (module/tests/pf.c), so that the moment is the same each time.
 */
#include <fcntl.h>
#include <sys/wait.h>

#include "one.h"
#include "pf.h"

static void reset(void)
{
	pf_reset(NVME, "nvme");
	pf_reset(IGB, "igb");
	if (!access("/sys/module/" TEST_DRIVER, F_OK))
		command("rmmod " TEST_DRIVER);
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

/* Setting it waits for test_driver_set("wait", 0). */
static struct devirt_record rec_slow(const char *pf, unsigned int pool)
{
	struct devirt_record rec = rec_vf(pf, 0, pool);

	rec.vf.settings.set = DEVIRT_VF_SET_TRUST;
	rec.vf.settings.net.trust = 1;
	return rec;
}

/* A lease that another process is making. */
struct making {
	struct devirt_record recs[3];
	unsigned int count;
	int done[2];
	pid_t pid;
};

/* Holds it until it is told that it need not. */
static void make(void *arg)
{
	struct making *making = arg;
	int part = lease_new("making", making->recs, making->count);
	char c;

	close(making->done[1]);
	if (part < 0) {
		printf("# %s\n", strerror(-part));
		_exit(1);
	}
	_exit(read(making->done[0], &c, 1) < 0);
}

static void begin(struct making *making)
{
	REQUIRE_EQ(test_driver_set("wait", 1), 0);
	REQUIRE_EQ(pipe(making->done), 0);
	making->pid = spawn(make, making);
	close(making->done[0]);
	REQUIRE(EVENTUALLY(test_driver_get("wait") == 2));
}

/* Lets it be made, and ends it. */
static void finish(struct making *making)
{
	int status = -1;

	REQUIRE_EQ(test_driver_set("wait", 0), 0);
	close(making->done[1]);
	CHECK(EVENTUALLY(waitpid(making->pid, &status, WNOHANG) == making->pid), "it hangs");
	CHECK(status == 0, "it wasn't made");
}

TEST("VFs can't be removed while one of them is being set for a lease")
{
	struct making making = { .recs = { rec_slow(IGB, 2) }, .count = 1 };

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	begin(&making);
	CHECK(pf_set_vfs(IGB, 0) < 0, "they could");
	CHECK_EQ(pf_vfs(IGB), 2);
	finish(&making);
	CHECK_EQ(pf_vfs(IGB), 0);
}

static void set_two(void *pf)
{
	_exit(pf_set_vfs(pf, 2) != 0);
}

TEST("VFs that the host is making when a lease wants to are the host's")
{
	struct making making = {
		.recs = { rec_slow(NVME, 2), rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY),
			  rec_vf(IGB, DEVIRT_VF_ANY, 0) },
		.count = 3,
	};
	int status = -1;
	pid_t pid;

	REQUIRE_EQ(test_driver(NVME, 1), 0);
	begin(&making);
	/* igb wants a lock for it that setting the other one's VF has. */
	pid = spawn(set_two, IGB);
	/* Now it has the PF's own lock, so that even looking at it would wait. */
	tap_pause(500);
	finish(&making);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(pf_vfs(IGB), 2);
	CHECK_EQ(pf_origin(IGB), DEVIRT_POOL_HOST);
}

TEST("a pool that goes with its last lease while another one is being made is made anew")
{
	struct making making = {
		.recs = { rec_slow(IGB, 2), rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY),
			  rec_vf(NVME, DEVIRT_VF_ANY, 0) },
		.count = 3,
	};
	int part = lease_of("last", rec_vf(NVME, 1, 2));

	REQUIRE_EQ(test_driver(IGB, 1), 0);
	begin(&making);
	/* That process has its descriptor too. */
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(pf_vfs(NVME), 0);
	finish(&making);
	CHECK_EQ(pf_vfs(NVME), 0);
}

static void rescan(void *unused)
{
	for (;;)
		file_write("1", "/sys/bus/pci/rescan");
}

TEST("VFs come and go while somebody has the bus scanned")
{
	int i, pid = spawn(rescan, NULL);

	for (i = 0; i < 5; i++) {
		CHECK_EQ(pf_pool(IGB, IGB_VFS, NULL), 0);
		CHECK(!access("/sys/bus/pci/devices/" IGB "/virtfn6/resource0", F_OK));
		CHECK_EQ(pf_pool(IGB, 0, NULL), 0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
