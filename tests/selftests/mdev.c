// SPDX-License-Identifier: GPL-2.0
/*
 * Kind mdev: mediated devices of the kernel's sample parents. mbochs is a display
 * of three sizes, which share its memory: 4, 16 and 64 MB of 24 here. mdpy has
 * four displays, mtty 24 serial ports.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "device.h"
#include "lease.h"
#include "tap.h"

#define TYPES		"/sys/class/mdev_bus/%s/mdev_supported_types/%s-%s/"
#define UUID_A		"7b1bd2c4-3f5e-4a1d-9d3c-0a1b2c3d4e5f"
#define UUID_B		"8c2ce3d5-4a6f-4b2e-8e4d-1b2c3d4e5f60"
#define FAIL_MODULE	"devirt_fail_call"
#define PARENT_MODULE	"devirt_mdev"

static long left_of(const char *parent, const char *type)
{
	return file_number(TYPES "available_instances", parent, parent, type);
}

static void reset(void)
{
	if (!access("/sys/module/" FAIL_MODULE, F_OK))
		command("rmmod " FAIL_MODULE);
	if (!access("/sys/module/" PARENT_MODULE, F_OK))
		command("rmmod " PARENT_MODULE);
	if (left_of("mbochs", "small") != 6 || left_of("mdpy", "vga") != 4 ||
	    left_of("mtty", "1") != 24)
		command("for i in /sys/bus/mdev/devices/*/remove; do echo 1 >$i; done;"
			"modprobe mbochs count=24; modprobe mdpy; modprobe mtty");
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

static bool exists(const char *uuid)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s", uuid);
	return !access(path, F_OK);
}

static struct devirt_record small(const char *uuid)
{
	return rec_mdev("mbochs", "mbochs-small", uuid);
}

static struct devirt_record medium(const char *uuid)
{
	return rec_mdev("mbochs", "mbochs-medium", uuid);
}

static int lease(const char *name, struct devirt_record *rec)
{
	int part = lease_new(name, rec, 1);

	REQUIRE(part >= 0, "%s: %s (%u, \"%s\")", name, strerror(-part), rec->reason, rec->detail);
	REQUIRE(fcntl(part, F_SETFL, O_NONBLOCK) == 0);
	return part;
}

/* The description's last record is refused, and nothing is left of the others. */
static const char *refused_all(struct devirt_record *recs, unsigned int count, int err,
			       unsigned int reason)
{
	static char detail[DEVIRT_DETAIL_MAX];
	int part = lease_create("refused");
	unsigned int failed;

	CHECK_EQ(lease_apply(part, 0, recs, count, &failed), err);
	CHECK_EQ(failed, count - 1);
	CHECK_EQ(recs[count - 1].reason, reason);
	CHECK_EQ(recs[count - 1].error, err);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
	close(part);
	snprintf(detail, sizeof(detail), "%s", recs[count - 1].detail);
	return detail;
}

static const char *refused(struct devirt_record rec, int err, unsigned int reason)
{
	return refused_all(&rec, 1, err, reason);
}

static bool ended(int part)
{
	struct pollfd fd = { .fd = part, .events = POLLIN };

	return poll(&fd, 1, 0) >= 0 && fd.revents & POLLHUP;
}

static pid_t vmm_of(int part)
{
	struct devirt_get get;

	lease_get(part, &get, NULL, 0);
	return get.vmm;
}

/* ------------------------------------------------------------ there and back */

TEST("one of each parent, with a UUID that was chosen: a VMM can use it, and then it is gone")
{
	static const char *const types[][2] = {
		{ "mbochs", "medium" }, { "mdpy", "xga" }, { "mtty", "2" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const char *parent = types[i][0], *type = types[i][1];
		long before = left_of(parent, type);
		char name[32], path[128];
		struct devirt_record rec;
		struct vfio vfio;
		int part, err;

		snprintf(name, sizeof(name), "%s-%s", parent, type);
		rec = rec_mdev(parent, name, UUID_A);
		REQUIRE(before > 0, "%s: %ld", name, before);
		part = lease("slice", &rec);
		snprintf(path, sizeof(path), TYPES "devices/" UUID_A, parent, parent, type);
		CHECK(!access(path, F_OK), "%s", path);
		CHECK(left_of(parent, type) < before);
		CHECK_STR(uuid_text(rec.mdev.uuid), UUID_A);
		CHECK_EQ(rec.mdev.vfio.group, mdev_group(UUID_A));
		CHECK_EQ(rec.mdev.vfio.flags, 0);
		CHECK_STR(rec.mdev.vfio.driver, "");
		CHECK_EQ(rec.node, DEVIRT_NODE_ANY);
		if (!access("/dev/vfio/devices", F_OK)) {
			snprintf(path, sizeof(path), "/sys/bus/mdev/devices/" UUID_A
				 "/vfio-dev/vfio%u", rec.mdev.vfio.device);
			CHECK(!access(path, F_OK), "%s", path);
		} else {
			CHECK_EQ(rec.mdev.vfio.device, DEVIRT_INDEX_NONE);
		}
		CHECK(EVENTUALLY(!(err = vfio_open_mdev(&vfio, UUID_A))), "%s", strerror(-err));
		if (!err) {
			CHECK_EQ(device_ioctl(&vfio), 0);
			vfio_close(&vfio);
		}
		close(part);
		CHECK(!exists(UUID_A), "%s is left over", name);
		CHECK_EQ(left_of(parent, type), before);
	}
}

TEST("without a UUID each gets a random one; what was got can be applied again")
{
	struct devirt_record recs[2] = { small(NULL), small(NULL) }, got[2];
	int part = lease_new("random", recs, 2);
	struct devirt_get get;
	char first[64], text[256], line[128];
	int i;

	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK(memcmp(recs[0].mdev.uuid, recs[1].mdev.uuid, 16) != 0);
	for (i = 0; i < 2; i++) {
		CHECK(exists(uuid_text(recs[i].mdev.uuid)));
		/* Version 4, which is random, of the usual variant. */
		CHECK_EQ(recs[i].mdev.uuid[6] >> 4, 4);
		CHECK_EQ(recs[i].mdev.uuid[8] >> 6, 2);
	}
	snprintf(first, sizeof(first), "%s", uuid_text(recs[0].mdev.uuid));
	REQUIRE_EQ(file_read(text, sizeof(text), "/sys/class/devirt/random/resources"), 0);
	snprintf(line, sizeof(line), "mdev %s mbochs-small of mbochs held", first);
	CHECK_STR(text, line);
	REQUIRE_EQ(lease_get(part, &get, got, 2), 0);
	CHECK(!memcmp(got, recs, sizeof(got)));
	close(part);
	CHECK(!exists(first));
	part = lease_new("again", got, 2);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK(exists(first));
	CHECK(!memcmp(got[1].mdev.uuid, recs[1].mdev.uuid, 16));
	close(part);
}

TEST("a dry run makes none, and chooses no UUID")
{
	struct devirt_record rec = small(NULL);
	int part = lease_create("dry");

	CHECK_EQ(lease_apply(part, DEVIRT_APPLY_DRY_RUN, &rec, 1, NULL), 0);
	CHECK_STR(uuid_text(rec.mdev.uuid), "00000000-0000-0000-0000-000000000000");
	CHECK_EQ(left_of("mbochs", "small"), 6);
	close(part);
}

/* ----------------------------------------------------------------- refusals */

static bool has_words(const char *text, const char *const *words)
{
	for (; *words; words++) {
		const char *at = strstr(text, *words);

		if (!at || (at > text && at[-1] != ' ') ||
		    (at[strlen(*words)] && at[strlen(*words)] != ' '))
			return false;
	}
	return true;
}

TEST("a parent or a type that isn't there is refused with those that are")
{
	const char *detail;

	detail = refused(rec_mdev("0000:00:02.0", "i915-GVTg_V5_4", NULL), -ENODEV,
			 DEVIRT_REASON_NO_PARENT);
	CHECK(has_words(detail, (const char *[]){ "mbochs", "mdpy", "mtty", NULL }), "%s", detail);
	detail = refused(rec_mdev("mbochs", "mbochs-huge", NULL), -ENOENT, DEVIRT_REASON_NO_TYPE);
	CHECK(has_words(detail, (const char *[]){ "mbochs-small", "mbochs-medium",
						  "mbochs-large", NULL }), "%s", detail);
	/* Something else in that folder is no type either. */
	refused(rec_mdev("mtty", "mtty-3", NULL), -ENOENT, DEVIRT_REASON_NO_TYPE);
}

TEST("names that no folder has, and fields that must be zero, are refused")
{
	static const char *const bad[] = { "", ".", "..", "../mdev_bus", "a/b", ".hidden", "a b" };
	struct devirt_record rec;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_STR(refused(rec_mdev(bad[i], "mbochs-small", NULL), -EINVAL,
				  DEVIRT_REASON_INVALID), "mdev.parent");
		CHECK_STR(refused(rec_mdev("mbochs", bad[i], NULL), -EINVAL,
				  DEVIRT_REASON_INVALID), "mdev.type");
	}
	rec = small(NULL);
	memset(rec.mdev.parent, 'x', sizeof(rec.mdev.parent));
	CHECK_STR(refused(rec, -EINVAL, DEVIRT_REASON_INVALID), "mdev.parent");
	rec = small(NULL);
	rec.mdev.type[31] = 'x';
	CHECK_STR(refused(rec, -EINVAL, DEVIRT_REASON_INVALID), "mdev.type");
	rec = small(NULL);
	rec.flags = DEVIRT_RECORD_SHARE_CORE;
	CHECK_STR(refused(rec, -EOPNOTSUPP, DEVIRT_REASON_UNSUPPORTED), "flags");
}

TEST("a UUID is one device's: the description's, a partition's, an admin's")
{
	struct devirt_record twice[2] = { small(UUID_A), rec_mdev("mdpy", "mdpy-vga", UUID_A) };
	struct devirt_record rec = rec_mdev("mdpy", "mdpy-vga", UUID_A);
	int part;

	CHECK_STR(refused_all(twice, 2, -EEXIST, DEVIRT_REASON_DUPLICATE), "0");
	part = lease("holder", &rec);
	CHECK_STR(refused(small(UUID_A), -EBUSY, DEVIRT_REASON_OWNED), "holder");
	close(part);
	REQUIRE_EQ(file_write(UUID_A, TYPES "create", "mtty", "mtty", "1"), 0);
	CHECK_STR(refused(small(UUID_A), -EEXIST, DEVIRT_REASON_UUID_TAKEN), "mtty");
	CHECK(exists(UUID_A), "the admin's is gone");
	REQUIRE_EQ(file_write("1", "/sys/bus/mdev/devices/" UUID_A "/remove"), 0);
}

TEST("a type that is full: how many are left, and who has what of the parent")
{
	struct devirt_record recs[7], one[2] = { small(NULL), small(NULL) };
	struct devirt_record two = medium(NULL);
	int first, second, i;

	for (i = 0; i < 7; i++)
		recs[i] = small(NULL);
	CHECK_STR(refused_all(recs, 7, -ENOSPC, DEVIRT_REASON_TYPE_FULL), "6");
	/* Each for itself there is room, together there isn't: the driver knows. */
	for (i = 0; i < 3; i++)
		recs[i] = small(NULL);
	recs[3] = medium(NULL);
	CHECK_STR(refused_all(recs, 4, -ENOSPC, DEVIRT_REASON_TYPE_FULL),
		  "0 refused mbochs-small 3");
	CHECK_EQ(left_of("mbochs", "small"), 6);

	first = lease_new("first", one, 2);
	REQUIRE(first >= 0, "%s", strerror(-first));
	second = lease("second", &two);
	CHECK_STR(refused(small(NULL), -ENOSPC, DEVIRT_REASON_TYPE_FULL),
		  "0 first mbochs-small 2 second mbochs-medium 1");
	CHECK_STR(refused(rec_mdev("mbochs", "mbochs-large", NULL), -ENOSPC,
			  DEVIRT_REASON_TYPE_FULL),
		  "0 first mbochs-small 2 second mbochs-medium 1");
	close(first);
	REQUIRE_EQ(file_write(UUID_A, TYPES "create", "mbochs", "mbochs", "small"), 0);
	REQUIRE_EQ(file_write(UUID_B, TYPES "create", "mbochs", "mbochs", "small"), 0);
	CHECK_STR(refused(small(NULL), -ENOSPC, DEVIRT_REASON_TYPE_FULL),
		  "0 second mbochs-medium 1 - mbochs-small 2");
	close(second);
	/* One that counts devices and not what they are made of. */
	for (i = 0; i < 5; i++)
		recs[i] = rec_mdev("mdpy", "mdpy-vga", NULL);
	CHECK_STR(refused_all(recs, 5, -ENOSPC, DEVIRT_REASON_TYPE_FULL), "4");
	for (i = 0; i < 5; i++)
		recs[i] = rec_mdev("mdpy", i & 1 ? "mdpy-vga" : "mdpy-hd", NULL);
	refused_all(recs, 5, -ENOSPC, DEVIRT_REASON_TYPE_FULL);
	CHECK_EQ(left_of("mdpy", "vga"), 4);
}

TEST("what the parent's driver fails with is passed on")
{
	REQUIRE_EQ(command("insmod /devirt/build/%s/" FAIL_MODULE ".ko symbol=mbochs_probe value=-5",
			   getenv("DEVIRT_KERNEL") ?: "6.12"), 0);
	CHECK_STR(refused(small(UUID_A), -EIO, DEVIRT_REASON_MDEV_FAILED), "mbochs-small");
	CHECK(!exists(UUID_A));
	CHECK_EQ(file_number("/sys/module/" FAIL_MODULE "/parameters/count"), 1);
}

/* ------------------------------------------------------------------ rollback */

TEST("an apply that fails after some were made removes them again")
{
	/* Each for itself there is room: only making the last one tells. */
	struct devirt_record recs[4] = { small(UUID_A), small(NULL), small(NULL), medium(UUID_B) };
	int part;

	refused_all(recs, 4, -ENOSPC, DEVIRT_REASON_TYPE_FULL);
	CHECK(!exists(UUID_A));
	CHECK(!exists(UUID_B));
	CHECK_EQ(left_of("mbochs", "small"), 6);
	/* And they can be had again. */
	recs[3] = small(UUID_B);
	part = lease_new("again", recs, 4);
	CHECK(part >= 0, "%s", strerror(-part));
	close(part);
	CHECK_EQ(left_of("mbochs", "small"), 6);
}

static void hold_one(void *arg)
{
	struct devirt_record rec = small(UUID_A);

	lease("killed", &rec);
	*(volatile int *)arg = 1;
	pause();
}

TEST("a SIGKILL of the owner gives it back")
{
	volatile int *ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = spawn(hold_one, (void *)ready);

	REQUIRE(EVENTUALLY(*ready));
	CHECK(exists(UUID_A));
	kill(pid, SIGKILL);
	REQUIRE_EQ(waitpid(pid, NULL, 0), pid);
	CHECK(EVENTUALLY(!exists(UUID_A)));
}

static pthread_barrier_t barrier;

static void *lease_at_once(void *arg)
{
	struct devirt_record rec = small(NULL);
	char name[16];
	long part;

	snprintf(name, sizeof(name), "at-once%ld", (long)arg);
	pthread_barrier_wait(&barrier);
	part = lease_new(name, &rec, 1);
	pthread_barrier_wait(&barrier);
	if (part >= 0)
		close(part);
	return (void *)(part >= 0 || rec.reason == DEVIRT_REASON_TYPE_FULL ? part : -EIO);
}

TEST("of nine that want one of the last six at the same time, six get one")
{
	pthread_t threads[9];
	int got = 0, full = 0;
	void *part;
	long i;

	pthread_barrier_init(&barrier, NULL, 10);
	lease_device();
	for (i = 0; i < 9; i++)
		pthread_create(&threads[i], NULL, lease_at_once, (void *)i);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < 9; i++) {
		pthread_join(threads[i], &part);
		got += (long)part >= 0;
		full += (long)part == -ENOSPC;
	}
	CHECK_EQ(got, 6);
	CHECK_EQ(full, 3);
	/* One whose removal takes longer than a close may wait drains. */
	CHECK(EVENTUALLY(left_of("mbochs", "small") == 6), "%ld", left_of("mbochs", "small"));
}

/* ------------------------------------------------------------------- in use */

TEST("one that a VMM has open stays until it is closed, and nobody waits for that")
{
	struct devirt_record rec = small(UUID_A);
	int part = lease("drains", &rec), err;
	struct devirt_event event = {};
	struct vfio vfio;

	REQUIRE(EVENTUALLY(!(err = vfio_open_mdev(&vfio, UUID_A))), "%s", strerror(-err));
	REQUIRE_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_DRAINING);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_DRAINING, &event), 1);
	CHECK_EQ(event.record, 0);
	CHECK(exists(UUID_A));
	CHECK_EQ(device_ioctl(&vfio), 0);
	CHECK_STR(refused(small(UUID_A), -EBUSY, DEVIRT_REASON_OWNED), "drains");
	vfio_close(&vfio);
	CHECK(EVENTUALLY(ended(part)));
	CHECK(!exists(UUID_A));
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_DRIFT, &event), 0);
}

TEST("its driver's module can't be unloaded while it is leased, and can afterwards")
{
	struct devirt_record rec = rec_mdev("mtty", "mtty-1", UUID_A);
	struct devirt_event event = {};
	int part = lease("pins", &rec);

	CHECK(command("rmmod mtty") != 0, "it was possible");
	CHECK(exists(UUID_A));
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_DRIFT, &event), 0);
	close(part);
	CHECK_EQ(command("rmmod mtty"), 0);
	refused(rec_mdev("mtty", "mtty-1", NULL), -ENODEV, DEVIRT_REASON_NO_PARENT);
	CHECK_EQ(command("modprobe mtty"), 0);
}

TEST("somebody removes it while it is leased: that is told, and the lease ends as any other")
{
	struct devirt_record rec = small(UUID_A);
	struct devirt_event event = {};
	int part = lease("robbed", &rec);

	REQUIRE_EQ(file_write("1", "/sys/bus/mdev/devices/" UUID_A "/remove"), 0);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_DRIFT, &event), 1);
	CHECK_EQ(event.record, 0);
	CHECK_STR(event.detail, "removed");
	CHECK_EQ(lease_state(part), DEVIRT_STATE_HELD);
	CHECK(!exists(UUID_A));
	CHECK(command("rmmod mbochs") != 0, "its driver could go");
	REQUIRE_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
	CHECK_EQ(left_of("mbochs", "small"), 6);
}

TEST("a parent that is freed while a device of it is leased: nothing of it is used after that")
{
	struct devirt_record rec = rec_mdev("devirt_mdev", "platform-one", UUID_A);
	struct devirt_event event = {};
	int part;

	REQUIRE_EQ(command("insmod /devirt/build/%s/" PARENT_MODULE ".ko",
			   getenv("DEVIRT_KERNEL")), 0);
	part = lease("freed", &rec);
	REQUIRE_EQ(file_write("0", "/sys/module/" PARENT_MODULE "/parameters/there"), 0);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_DRIFT, &event), 1);
	CHECK_STR(event.detail, "removed");
	/* What is there anew isn't taken for it. */
	REQUIRE_EQ(file_write("1", "/sys/module/" PARENT_MODULE "/parameters/there"), 0);
	REQUIRE_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_RELEASED);
	part = lease("anew", &rec);
	close(part);
	CHECK(!exists(UUID_A));
	CHECK_EQ(file_number(TYPES "available_instances", "devirt_mdev", "platform", "one"), 4);
}

static void remove_it(void *arg)
{
	close_range(3, ~0U, 0);
	_exit(file_write("1", "/sys/bus/mdev/devices/" UUID_A "/remove") ? 1 : 0);
}

TEST("the same while a VMM has it open: only who removes it waits, for the VMM's end")
{
	struct devirt_record rec = small(UUID_A);
	int part = lease("robbed", &rec), err, status = -1;
	struct devirt_event event = {};
	struct vfio vfio;
	pid_t pid;

	REQUIRE(EVENTUALLY(!(err = vfio_open_mdev(&vfio, UUID_A))), "%s", strerror(-err));
	pid = spawn(remove_it, NULL);
	CHECK(EVENTUALLY(lease_events(part, DEVIRT_EVENT_DRIFT, &event) == 1));
	CHECK_STR(event.detail, "removed");
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_EQ(device_ioctl(&vfio), 0);
	REQUIRE_EQ(lease_release(part), 0);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_DRAINING);
	vfio_close(&vfio);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK(EVENTUALLY(ended(part)));
	CHECK(!exists(UUID_A));
}

TEST("somebody takes its driver away: that is told, and it is removed at the end")
{
	struct devirt_record rec = small(UUID_A);
	struct devirt_event event = {};
	int part = lease("unbound", &rec);

	REQUIRE_EQ(file_write(UUID_A, "/sys/bus/mdev/drivers/mbochs/unbind"), 0);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_DRIFT, &event), 1);
	CHECK_STR(event.detail, "unbound");
	CHECK(exists(UUID_A));
	close(part);
	CHECK(!exists(UUID_A));
}

/* ------------------------------------------------------------------- the VMM */

static volatile int *made;

static void use(void *arg)
{
	struct vfio vfio = { .device = 3 };

	dup2(*(int *)arg, 3);
	close_range(4, ~0U, 0);
	*made += !device_ioctl(&vfio);
	pause();
}

static void uses(const char *parent, const char *type)
{
	struct devirt_record rec = rec_mdev(parent, type, UUID_A);
	int part = lease("used", &rec), err;
	struct devirt_event event = {};
	struct vfio vfio;
	pid_t vmm, other;

	made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(EVENTUALLY(!(err = vfio_open_mdev(&vfio, UUID_A))), "%s", strerror(-err));
	CHECK_EQ(vmm_of(part), 0);
	vmm = spawn(use, &vfio.device);
	REQUIRE(EVENTUALLY(*made == 1));
	CHECK_EQ(vmm_of(part), vmm);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_ATTACHED, &event), 1);
	CHECK_EQ(event.pid, vmm);
	other = spawn(use, &vfio.device);
	REQUIRE(EVENTUALLY(*made == 2));
	CHECK_EQ(vmm_of(part), vmm);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_USER, &event), 1);
	CHECK_EQ(event.pid, other);
	kill(vmm, SIGKILL);
	waitpid(vmm, NULL, 0);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	vfio_close(&vfio);
	close(part);
}

TEST("who makes the first ioctl of it is the VMM, whichever driver it has")
{
	uses("mbochs", "mbochs-small");
	uses("mdpy", "mdpy-vga");
	uses("mtty", "mtty-1");
}

TEST("a VMM can be attached as well")
{
	struct devirt_record rec = small(NULL);
	int part = lease("attached", &rec);

	CHECK_EQ(lease_attach(part, getpid()), 0);
	CHECK_EQ(vmm_of(part), getpid());
	close(part);
}
