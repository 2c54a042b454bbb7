// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the order in which a set takes and returns its resources, with fake
 * kinds that fail wherever they are told to, and claims between two sets.
 */
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "compat/compat.h"
#include "partition.h"
#include "resource.h"

#define FAKE_KIND	1
#define FAKE_COUNT	5
#define NOWHERE		FAKE_COUNT

enum fake_step { CHECK = 'c', VETO = 'v', ACQUIRE = 'a', RELEASE = 'r', DROP = 'd' };

/* What the fake kind was asked to do, as text: "c0 c1 a0 ...". */
struct fake_world {
	spinlock_t lock;		/* of the text */
	char log[256];
	size_t len;
	bool beside;
	int together;			/* that many have to be inside at the same time */
	atomic_t inside;
	wait_queue_head_t wait;
	bool alone;			/* they were not */
	u32 fail_check, fail_veto, fail_acquire, fail_too;
	int fail_errno;
	bool explain;			/* refuse with a reason of the kind's own */
	int release[FAKE_COUNT];	/* what release returns, once */
	struct devirt_partition *part, *other;
	struct devirt_record recs[FAKE_COUNT];
};

static struct fake_world *fake;

static void fake_log(enum fake_step step, u32 index)
{
	spin_lock(&fake->lock);
	fake->len += scnprintf(fake->log + fake->len, sizeof(fake->log) - fake->len,
			       "%s%c%u", fake->len ? " " : "", step, index);
	spin_unlock(&fake->lock);
}

/* Returns once as many as are expected are in here. */
static void fake_meet(void)
{
	if (!fake->together)
		return;
	atomic_inc(&fake->inside);
	wake_up_all(&fake->wait);
	if (!wait_event_timeout(fake->wait, atomic_read(&fake->inside) >= fake->together,
				10 * HZ))
		WRITE_ONCE(fake->alone, true);
}

static int fake_fail(struct devirt_resource *res, u32 where)
{
	if (res->index != where)
		return 0;
	if (fake->explain)
		return devirt_refuse(res, DEVIRT_REASON_NO_DEVICE, fake->fail_errno, "fake %u",
				     res->index);
	return fake->fail_errno;
}

static int fake_check(struct devirt_resource *res)
{
	int err;

	fake_log(CHECK, res->index);
	/* The claim comes first, so that a failure has one to give up. */
	err = devirt_claim(res, DEVIRT_CLAIM_FAKE, res->rec.cpu.cpu);
	return err ?: fake_fail(res, fake->fail_check);
}

static int fake_veto(struct devirt_resource *res)
{
	fake_log(VETO, res->index);
	return fake_fail(res, fake->fail_veto);
}

static int fake_acquire(struct devirt_resource *res)
{
	fake_log(ACQUIRE, res->index);
	fake_meet();
	return fake_fail(res, fake->fail_acquire) ?: fake_fail(res, fake->fail_too);
}

static int fake_release(struct devirt_resource *res)
{
	int ret = fake->release[res->index];

	fake_log(RELEASE, res->index);
	fake_meet();
	fake->release[res->index] = 0;
	return ret;
}

static void fake_drop(struct devirt_resource *res)
{
	fake_log(DROP, res->index);
}

static bool fake_beside(struct devirt_resource *a, struct devirt_resource *b)
{
	return fake->beside;
}

static const struct devirt_resource_ops fake_ops = {
	.kind = FAKE_KIND,
	.name = "fake",
	.size = sizeof(struct devirt_resource),
	.beside = fake_beside,
	.check = fake_check,
	.veto = fake_veto,
	.acquire = fake_acquire,
	.release = fake_release,
	.drop = fake_drop,
};

static const struct devirt_resource_ops *fake_kind(u32 kind)
{
	return kind == FAKE_KIND ? &fake_ops : NULL;
}

static struct devirt_set *fake_set(struct kunit *test, struct devirt_partition *part)
{
	struct devirt_set *set;
	u32 failed;

	set = devirt_set_create(part, fake->recs, FAKE_COUNT, fake_kind, &failed);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, set);
	KUNIT_ASSERT_EQ(test, failed, FAKE_COUNT);
	return set;
}

static void fake_restart(void)
{
	fake->len = 0;
	fake->log[0] = '\0';
}

/* "c0 c1 ...": a step of the resources from..to, either direction. */
static void expect_steps(char *text, size_t size, enum fake_step step, int from, int to)
{
	size_t len = strlen(text);
	int i, by = from <= to ? 1 : -1;

	for (i = from; i != to + by; i += by)
		len += scnprintf(text + len, size - len, "%s%c%d", len ? " " : "", step, i);
}

/* Nobody holds any of the things: another set can have them all. */
static void expect_unclaimed(struct kunit *test)
{
	struct devirt_set *set = fake_set(test, fake->other);
	u32 failed = FAKE_COUNT;
	u32 check = fake->fail_check, veto = fake->fail_veto;

	fake->fail_check = NOWHERE;
	fake->fail_veto = NOWHERE;
	KUNIT_EXPECT_EQ(test, devirt_set_check(set, false, &failed), 0);
	devirt_set_drop(set);
	devirt_set_free(set);
	fake->fail_check = check;
	fake->fail_veto = veto;
}

static void set_takes_in_order(struct kunit *test)
{
	struct devirt_set *set = fake_set(test, fake->part);
	u32 failed = FAKE_COUNT;
	char want[256] = "";
	u32 i;

	KUNIT_EXPECT_EQ(test, devirt_set_check(set, false, &failed), 0);
	KUNIT_EXPECT_EQ(test, devirt_set_acquire(set, &failed), 0);
	KUNIT_EXPECT_EQ(test, failed, FAKE_COUNT);
	expect_steps(want, sizeof(want), CHECK, 0, FAKE_COUNT - 1);
	expect_steps(want, sizeof(want), VETO, 0, FAKE_COUNT - 1);
	expect_steps(want, sizeof(want), ACQUIRE, 0, FAKE_COUNT - 1);
	KUNIT_EXPECT_STREQ(test, fake->log, want);
	for (i = 0; i < FAKE_COUNT; i++)
		KUNIT_EXPECT_EQ(test, set->res[i]->rec.state, DEVIRT_STATE_HELD);

	fake_restart();
	KUNIT_EXPECT_EQ(test, devirt_set_release(set), DEVIRT_STATE_RELEASED);
	KUNIT_EXPECT_STREQ(test, fake->log, "r4 d4 r3 d3 r2 d2 r1 d1 r0 d0");
	devirt_set_free(set);
	expect_unclaimed(test);
}

/* Which step fails, at which record; all combinations. */
static void set_fails_anywhere(struct kunit *test)
{
	static const enum fake_step steps[] = { CHECK, VETO, ACQUIRE };
	u32 s, at;

	for (s = 0; s < ARRAY_SIZE(steps); s++) {
		for (at = 0; at < FAKE_COUNT; at++) {
			struct devirt_set *set = fake_set(test, fake->part);
			u32 failed = FAKE_COUNT;
			char want[256] = "";
			int err;

			fake->fail_check = steps[s] == CHECK ? at : NOWHERE;
			fake->fail_veto = steps[s] == VETO ? at : NOWHERE;
			fake->fail_acquire = steps[s] == ACQUIRE ? at : NOWHERE;
			fake->fail_errno = -ENODEV;
			fake->explain = true;
			fake_restart();

			err = devirt_set_check(set, false, &failed);
			if (steps[s] == ACQUIRE) {
				KUNIT_ASSERT_EQ(test, err, 0);
				fake_restart();
				err = devirt_set_acquire(set, &failed);
				expect_steps(want, sizeof(want), ACQUIRE, 0, at);
			} else {
				expect_steps(want, sizeof(want), CHECK, 0,
					     steps[s] == CHECK ? at : FAKE_COUNT - 1);
				if (steps[s] == VETO)
					expect_steps(want, sizeof(want), VETO, 0, at);
				if (steps[s] == VETO)
					expect_steps(want, sizeof(want), DROP, FAKE_COUNT - 1, 0);
				else if (at)
					expect_steps(want, sizeof(want), DROP, at - 1, 0);
			}
			/* What the caller is told: which record, which errno, why. */
			KUNIT_EXPECT_EQ(test, err, -ENODEV);
			KUNIT_EXPECT_EQ(test, failed, at);
			KUNIT_EXPECT_EQ(test, set->res[at]->rec.reason, DEVIRT_REASON_NO_DEVICE);
			KUNIT_EXPECT_EQ(test, set->res[at]->rec.error, -ENODEV);
			KUNIT_EXPECT_NE(test, set->res[at]->rec.detail[0], 0);
			KUNIT_EXPECT_STREQ(test, fake->log, want);

			if (steps[s] == ACQUIRE) {
				u32 i;

				/* Only what was taken is returned, last taken first. */
				fake_restart();
				want[0] = '\0';
				KUNIT_EXPECT_EQ(test, devirt_set_release(set),
						DEVIRT_STATE_RELEASED);
				for (i = at; i-- > 0;) {
					expect_steps(want, sizeof(want), RELEASE, i, i);
					expect_steps(want, sizeof(want), DROP, i, i);
				}
				KUNIT_EXPECT_STREQ(test, fake->log, want);
				devirt_set_drop(set);
			}
			devirt_set_free(set);
			expect_unclaimed(test);
		}
	}
}

/* How often a step was taken. */
static int steps_of(enum fake_step step)
{
	int count = 0;
	char *at;

	for (at = fake->log; (at = strchr(at, step)); at++)
		count++;
	return count;
}

/* Neighbours of a kind that allows it: none waits for another's end. */
static void set_takes_beside(struct kunit *test)
{
	struct devirt_set *set = fake_set(test, fake->part);
	u32 failed = FAKE_COUNT, i;

	fake->beside = true;
	fake->together = FAKE_COUNT;
	KUNIT_ASSERT_EQ(test, devirt_set_check(set, false, &failed), 0);
	KUNIT_EXPECT_EQ(test, devirt_set_acquire(set, &failed), 0);
	KUNIT_EXPECT_EQ(test, failed, FAKE_COUNT);
	KUNIT_EXPECT_FALSE(test, fake->alone);
	KUNIT_EXPECT_EQ(test, steps_of(ACQUIRE), FAKE_COUNT);
	for (i = 0; i < FAKE_COUNT; i++)
		KUNIT_EXPECT_EQ(test, set->res[i]->rec.state, DEVIRT_STATE_HELD);

	/* What is in use keeps the others no longer here than elsewhere. */
	atomic_set(&fake->inside, 0);
	fake->release[2] = -EAGAIN;
	KUNIT_EXPECT_EQ(test, devirt_set_release(set), DEVIRT_STATE_DRAINING);
	KUNIT_EXPECT_FALSE(test, fake->alone);
	KUNIT_EXPECT_EQ(test, steps_of(RELEASE), FAKE_COUNT);
	KUNIT_EXPECT_EQ(test, steps_of(DROP), FAKE_COUNT - 1);
	KUNIT_EXPECT_EQ(test, set->res[2]->rec.state, DEVIRT_STATE_DRAINING);
	fake->together = 0;
	KUNIT_EXPECT_EQ(test, devirt_set_release(set), DEVIRT_STATE_RELEASED);
	KUNIT_EXPECT_EQ(test, steps_of(RELEASE), FAKE_COUNT + 1);
	KUNIT_EXPECT_EQ(test, steps_of(DROP), FAKE_COUNT);
	devirt_set_free(set);
	expect_unclaimed(test);
}

/* All pairs of them fail at the same time: one is told of, the others go back. */
static void set_fails_beside(struct kunit *test)
{
	u32 at, too, i;

	fake->beside = true;
	fake->explain = true;
	fake->fail_errno = -ENODEV;
	for (at = 0; at < FAKE_COUNT; at++) {
		for (too = at; too < FAKE_COUNT; too++) {
			struct devirt_set *set = fake_set(test, fake->part);
			u32 failed = FAKE_COUNT;

			fake_restart();
			fake->fail_acquire = at;
			fake->fail_too = too;
			fake->together = FAKE_COUNT;
			atomic_set(&fake->inside, 0);
			KUNIT_ASSERT_EQ(test, devirt_set_check(set, false, &failed), 0);
			KUNIT_EXPECT_EQ(test, devirt_set_acquire(set, &failed), -ENODEV);
			KUNIT_EXPECT_FALSE(test, fake->alone);
			KUNIT_EXPECT_EQ(test, failed, at);
			for (i = 0; i < FAKE_COUNT; i++) {
				KUNIT_EXPECT_EQ(test, set->res[i]->rec.reason,
						i == at ? DEVIRT_REASON_NO_DEVICE :
						DEVIRT_REASON_NONE);
				KUNIT_EXPECT_EQ(test, !set->res[i]->acquired, i == at || i == too);
			}
			fake->together = 0;
			KUNIT_EXPECT_EQ(test, devirt_set_release(set), DEVIRT_STATE_RELEASED);
			KUNIT_EXPECT_EQ(test, steps_of(RELEASE), FAKE_COUNT - (at == too ? 1 : 2));
			devirt_set_drop(set);
			KUNIT_EXPECT_EQ(test, steps_of(DROP), FAKE_COUNT);
			devirt_set_free(set);
			expect_unclaimed(test);
		}
	}
}

static void set_explains_every_errno(struct kunit *test)
{
	struct devirt_set *set = fake_set(test, fake->part);
	u32 failed = FAKE_COUNT;

	fake->fail_check = 2;
	fake->fail_errno = -EIO;
	KUNIT_EXPECT_EQ(test, devirt_set_check(set, false, &failed), -EIO);
	KUNIT_EXPECT_EQ(test, set->res[2]->rec.reason, DEVIRT_REASON_INTERNAL);
	KUNIT_EXPECT_EQ(test, set->res[2]->rec.error, -EIO);
	devirt_set_free(set);

	set = fake_set(test, fake->part);
	fake->fail_errno = -ENOMEM;
	KUNIT_EXPECT_EQ(test, devirt_set_check(set, false, &failed), -ENOMEM);
	KUNIT_EXPECT_EQ(test, set->res[2]->rec.reason, DEVIRT_REASON_NO_MEMORY);
	devirt_set_free(set);
}

static void set_drains(struct kunit *test)
{
	struct devirt_set *set = fake_set(test, fake->part);
	u32 failed = FAKE_COUNT;

	KUNIT_ASSERT_EQ(test, devirt_set_check(set, false, &failed), 0);
	KUNIT_ASSERT_EQ(test, devirt_set_acquire(set, &failed), 0);
	fake->release[3] = -EAGAIN;
	fake->release[1] = -EIO;
	fake_restart();
	/* The others don't wait for the one that is in use. */
	KUNIT_EXPECT_EQ(test, devirt_set_release(set), DEVIRT_STATE_DRAINING);
	KUNIT_EXPECT_STREQ(test, fake->log, "r4 d4 r3 r2 d2 r1 r0 d0");
	KUNIT_EXPECT_TRUE(test, devirt_set_draining(set));
	KUNIT_EXPECT_EQ(test, set->res[3]->rec.state, DEVIRT_STATE_DRAINING);
	KUNIT_EXPECT_EQ(test, set->res[1]->rec.state, DEVIRT_STATE_QUARANTINE);
	KUNIT_EXPECT_EQ(test, set->res[1]->rec.error, -EIO);

	fake->release[1] = -EIO;
	fake_restart();
	KUNIT_EXPECT_EQ(test, devirt_set_release(set), DEVIRT_STATE_QUARANTINE);
	KUNIT_EXPECT_STREQ(test, fake->log, "r3 d3 r1");
	KUNIT_EXPECT_FALSE(test, devirt_set_draining(set));

	fake_restart();
	KUNIT_EXPECT_EQ(test, devirt_set_release(set), DEVIRT_STATE_RELEASED);
	KUNIT_EXPECT_STREQ(test, fake->log, "r1 d1");
	devirt_set_free(set);
	expect_unclaimed(test);
}

static void set_refuses_the_unknown(struct kunit *test)
{
	struct devirt_set *set;
	u32 failed = FAKE_COUNT;

	fake->recs[3].kind = FAKE_KIND + 1;
	set = fake_set(test, fake->part);
	KUNIT_EXPECT_EQ(test, devirt_set_check(set, false, &failed), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, failed, 3);
	KUNIT_EXPECT_EQ(test, set->res[3]->rec.reason, DEVIRT_REASON_UNSUPPORTED);
	devirt_set_free(set);

	fake->recs[3].kind = FAKE_KIND;
	fake->recs[1].reserved[1] = 1;
	set = fake_set(test, fake->part);
	KUNIT_EXPECT_EQ(test, devirt_set_check(set, false, &failed), -EINVAL);
	KUNIT_EXPECT_EQ(test, failed, 1);
	KUNIT_EXPECT_EQ(test, set->res[1]->rec.reason, DEVIRT_REASON_INVALID);
	devirt_set_free(set);
	fake->recs[1].reserved[1] = 0;
	expect_unclaimed(test);
}

static void claims_exclude(struct kunit *test)
{
	struct devirt_set *held = fake_set(test, fake->part);
	struct devirt_set *late = fake_set(test, fake->other);
	u32 failed = FAKE_COUNT;

	KUNIT_ASSERT_EQ(test, devirt_set_check(held, false, &failed), 0);
	KUNIT_EXPECT_EQ(test, devirt_set_check(late, false, &failed), -EBUSY);
	KUNIT_EXPECT_EQ(test, failed, 0);
	KUNIT_EXPECT_EQ(test, late->res[0]->rec.reason, DEVIRT_REASON_OWNED);
	KUNIT_EXPECT_STREQ(test, late->res[0]->rec.detail, fake->part->name);
	devirt_set_free(late);
	devirt_set_drop(held);
	devirt_set_free(held);
	expect_unclaimed(test);
}

static void claims_find_duplicates(struct kunit *test)
{
	struct devirt_set *set;
	u32 failed = FAKE_COUNT;

	fake->recs[4].cpu.cpu = fake->recs[1].cpu.cpu;
	set = fake_set(test, fake->part);
	KUNIT_EXPECT_EQ(test, devirt_set_check(set, true, &failed), -EEXIST);
	KUNIT_EXPECT_EQ(test, failed, 4);
	KUNIT_EXPECT_EQ(test, set->res[4]->rec.reason, DEVIRT_REASON_DUPLICATE);
	KUNIT_EXPECT_STREQ(test, set->res[4]->rec.detail, "1");
	devirt_set_free(set);
}

static void dry_runs_disturb_nobody(struct kunit *test)
{
	struct devirt_set *dry = fake_set(test, fake->part);
	struct devirt_set *real = fake_set(test, fake->other);
	u32 failed = FAKE_COUNT;

	KUNIT_ASSERT_EQ(test, devirt_set_check(dry, true, &failed), 0);
	KUNIT_EXPECT_EQ(test, devirt_set_check(real, false, &failed), 0);
	devirt_set_drop(dry);
	/* But it is told what somebody really has. */
	KUNIT_EXPECT_EQ(test, devirt_set_check(dry, true, &failed), -EBUSY);
	devirt_set_drop(real);
	devirt_set_free(real);
	devirt_set_free(dry);
}

static int set_test_init(struct kunit *test)
{
	u32 i;

	fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	if (!fake)
		return -ENOMEM;
	fake->part = kunit_kzalloc(test, sizeof(*fake->part), GFP_KERNEL);
	fake->other = kunit_kzalloc(test, sizeof(*fake->other), GFP_KERNEL);
	if (!fake->part || !fake->other)
		return -ENOMEM;
	strscpy(fake->part->name, "part", sizeof(fake->part->name));
	strscpy(fake->other->name, "other", sizeof(fake->other->name));
	fake->fail_check = NOWHERE;
	fake->fail_veto = NOWHERE;
	fake->fail_acquire = NOWHERE;
	fake->fail_too = NOWHERE;
	spin_lock_init(&fake->lock);
	init_waitqueue_head(&fake->wait);
	for (i = 0; i < FAKE_COUNT; i++) {
		fake->recs[i].kind = FAKE_KIND;
		fake->recs[i].cpu.cpu = 100 + i;
	}
	return 0;
}

static struct kunit_case set_test_cases[] = {
	KUNIT_CASE(set_takes_in_order),
	KUNIT_CASE(set_fails_anywhere),
	KUNIT_CASE(set_takes_beside),
	KUNIT_CASE(set_fails_beside),
	KUNIT_CASE(set_explains_every_errno),
	KUNIT_CASE(set_drains),
	KUNIT_CASE(set_refuses_the_unknown),
	KUNIT_CASE(claims_exclude),
	KUNIT_CASE(claims_find_duplicates),
	KUNIT_CASE(dry_runs_disturb_nobody),
	{}
};

static struct kunit_suite set_test_suite = {
	.name = "devirt_set",
	.init = set_test_init,
	.test_cases = set_test_cases,
};
kunit_test_suite(set_test_suite);

MODULE_DESCRIPTION("KUnit tests of devirt's sets and claims");
MODULE_LICENSE("GPL");
