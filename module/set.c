// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set: the resources of one description, taken all or none.
 *
 * This is where the order of things is decided, and nothing else: first every
 * record is checked and claimed, then every one asked whether it is in use, and
 * only then is the first one taken. So most refusals come before any effect on
 * the host. Whatever was taken is returned in reverse order. Only neighbours of
 * a kind that allows it are taken, and returned, at the same time.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "resource.h"

/* So many at a time: each has a kernel thread meanwhile. */
#define DEVIRT_BESIDE_MAX	32

static struct workqueue_struct *devirt_set_wq;

/**
 * devirt_refuse - note in the record why it is refused
 * @res: the resource
 * @reason: DEVIRT_REASON_*
 * @err: the negative errno that goes with it
 * @fmt: names the thing that the reason is about, for the record's detail
 *
 * Any context. Return: @err, so that a check can end with it.
 */
int devirt_refuse(struct devirt_resource *res, u32 reason, int err, const char *fmt, ...)
{
	va_list args;

	res->rec.reason = reason;
	res->rec.error = err;
	va_start(args, fmt);
	vscnprintf(res->rec.detail, sizeof(res->rec.detail), fmt, args);
	va_end(args);
	return err;
}
DEVIRT_EXPORT_FOR_TEST(devirt_refuse);

/**
 * devirt_unrefuse - it isn't refused after all
 * @res: the resource
 *
 * Any context.
 */
void devirt_unrefuse(struct devirt_resource *res)
{
	res->rec.reason = DEVIRT_REASON_NONE;
	res->rec.error = 0;
	memset(res->rec.detail, 0, sizeof(res->rec.detail));
}

/* Whatever a kind forgot to explain still reaches the caller as a reason. */
static void devirt_set_explain(struct devirt_resource *res, int err, const char *what)
{
	if (res->rec.reason)
		return;
	if (err == -ENOMEM)
		devirt_refuse(res, DEVIRT_REASON_NO_MEMORY, err, "%s", what);
	else
		devirt_refuse(res, DEVIRT_REASON_INTERNAL, err, "%s", what);
}

/**
 * devirt_set_create - make the resources of a description, empty handed
 * @part: the partition
 * @recs: the records; the refusal is noted in the one that fails
 * @count: how many, at least 1
 * @kind: finds the ops of a kind, or NULL
 * @failed: index of the record that fails, @count if none
 *
 * May sleep. Return: the set, or an ERR_PTR: -ENOMEM, -EOPNOTSUPP for an
 * unknown kind, -EINVAL for a reserved field that isn't zero.
 */
struct devirt_set *devirt_set_create(struct devirt_partition *part,
				     const struct devirt_record *recs, u32 count,
				     devirt_kind_fn kind, u32 *failed)
{
	struct devirt_set *set;
	u32 i;

	*failed = count;
	set = kvzalloc(struct_size(set, res, count), GFP_KERNEL);
	if (!set)
		return ERR_PTR(-ENOMEM);
	set->count = count;

	for (i = 0; i < count; i++) {
		const struct devirt_resource_ops *ops = kind(recs[i].kind);
		struct devirt_resource *res;

		/* An unknown kind still gets a resource, to carry its refusal. */
		res = kzalloc(ops ? ops->size : sizeof(*res), GFP_KERNEL);
		if (!res)
			goto err_free;
		INIT_LIST_HEAD(&res->claims);
		res->ops = ops;
		res->part = part;
		res->set = set;
		res->index = i;
		res->rec = recs[i];
		res->rec.state = DEVIRT_STATE_NEW;
		devirt_unrefuse(res);
		set->res[i] = res;
	}
	return set;

err_free:
	devirt_set_free(set);
	return ERR_PTR(-ENOMEM);
}
DEVIRT_EXPORT_FOR_TEST(devirt_set_create);

/**
 * devirt_set_check - would all of it be granted?
 * @set: the set
 * @dry: nothing will be acquired
 * @failed: index of the record that is refused, untouched if none
 *
 * Nothing is changed but claims, which devirt_set_drop() undoes. Undone here
 * if it fails. May sleep. Return: 0 or the errno of the record refused.
 */
int devirt_set_check(struct devirt_set *set, bool dry, u32 *failed)
{
	struct devirt_resource *res;
	int err;
	u32 i;

	set->dry = dry;
	for (i = 0; i < set->count; i++) {
		res = set->res[i];
		if (!res->ops) {
			err = devirt_refuse(res, DEVIRT_REASON_UNSUPPORTED, -EOPNOTSUPP, "kind");
			goto err_drop;
		}
		if (res->rec.reserved[0] || res->rec.reserved[1]) {
			err = devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "reserved");
			goto err_drop;
		}
		err = res->ops->check(res);
		if (err) {
			devirt_set_explain(res, err, "check");
			devirt_unclaim(res);
			goto err_drop;
		}
		res->checked = true;
	}
	for (i = 0; i < set->count; i++) {
		res = set->res[i];
		err = res->ops->veto ? res->ops->veto(res) : 0;
		if (err) {
			devirt_set_explain(res, err, "veto");
			goto err_drop;
		}
	}
	return 0;

err_drop:
	*failed = i;
	devirt_set_drop(set);
	return err;
}
DEVIRT_EXPORT_FOR_TEST(devirt_set_check);

/* May resource @i be taken, or returned, beside those from @first to before @end? */
static bool devirt_set_beside(struct devirt_set *set, u32 i, u32 first, u32 end)
{
	const struct devirt_resource_ops *ops = set->res[i]->ops;

	if (end - first == DEVIRT_BESIDE_MAX || !ops->beside)
		return false;
	for (; first < end; first++) {
		if (set->res[first]->ops != ops || !ops->beside(set->res[first], set->res[i]))
			return false;
	}
	return true;
}

/* Do @fn for the resources from @first to before @end, and wait for all. */
static void devirt_set_each(struct devirt_set *set, u32 first, u32 end, work_func_t fn)
{
	u32 i;

	for (i = first; i < end; i++)
		INIT_WORK(&set->res[i]->work, fn);
	for (i = first + 1; i < end; i++)
		queue_work(devirt_set_wq, &set->res[i]->work);
	/* One of them in the caller's own task: alone it is where it always was. */
	fn(&set->res[first]->work);
	for (i = first + 1; i < end; i++)
		flush_work(&set->res[i]->work);
}

static void devirt_set_acquire_one(struct work_struct *work)
{
	struct devirt_resource *res = container_of(work, struct devirt_resource, work);

	res->ret = READ_ONCE(res->set->failed) ? -ECANCELED : res->ops->acquire(res);
	if (res->ret) {
		WRITE_ONCE(res->set->failed, true);
		return;
	}
	res->acquired = true;
	res->rec.state = DEVIRT_STATE_HELD;
}

/* The first that failed, and not only because of another; its errno or 0. */
static int devirt_set_failed(struct devirt_set *set, u32 first, u32 end, u32 *failed)
{
	int err = 0;
	u32 i;

	for (i = first; i < end; i++) {
		struct devirt_resource *res = set->res[i];

		if (!res->ret)
			continue;
		if (!err || (err == -ECANCELED && res->ret != -ECANCELED)) {
			err = res->ret;
			*failed = i;
		}
	}
	/* Of several refusals one is told. */
	for (i = first; err && i < end; i++) {
		struct devirt_resource *res = set->res[i];

		if (i == *failed)
			devirt_set_explain(res, err, "acquire");
		else if (res->ret)
			devirt_unrefuse(res);
	}
	return err;
}

/**
 * devirt_set_acquire - take all of it
 * @set: the set, checked
 * @failed: index of the record that couldn't be had, untouched if none
 *
 * On failure what was taken is still held: the caller returns it by
 * devirt_set_release(), in a worker. May sleep. Return: 0 or that record's
 * errno.
 */
int devirt_set_acquire(struct devirt_set *set, u32 *failed)
{
	u32 first, end;
	int err;

	WRITE_ONCE(set->failed, false);
	for (first = 0; first < set->count; first = end) {
		for (end = first + 1; end < set->count; end++) {
			if (!devirt_set_beside(set, end, first, end))
				break;
		}
		devirt_set_each(set, first, end, devirt_set_acquire_one);
		err = devirt_set_failed(set, first, end, failed);
		if (err)
			return err;
	}
	return 0;
}
DEVIRT_EXPORT_FOR_TEST(devirt_set_acquire);

static void devirt_set_release_one(struct work_struct *work)
{
	struct devirt_resource *res = container_of(work, struct devirt_resource, work);

	if (res->acquired)
		res->ret = res->ops->release(res);
}

/* What is said of a resource after its release; its state. */
static int devirt_set_released(struct devirt_resource *res)
{
	if (!res->ret) {
		res->acquired = false;
		res->checked = false;
		res->ops->drop(res);
		devirt_unclaim(res);
		res->rec.state = DEVIRT_STATE_RELEASED;
	} else if (res->ret == -EAGAIN) {
		res->rec.state = DEVIRT_STATE_DRAINING;
	} else {
		devirt_set_explain(res, res->ret, "release");
		res->rec.state = DEVIRT_STATE_QUARANTINE;
	}
	return res->rec.state;
}

/**
 * devirt_set_release - give back what is held, last taken first
 * @set: the set
 *
 * Goes on past what can't be returned yet, and can be called again for that.
 * Runs in a worker; may sleep. Return: DEVIRT_STATE_RELEASED, _DRAINING or
 * _QUARANTINE.
 */
int devirt_set_release(struct devirt_set *set)
{
	int state = DEVIRT_STATE_RELEASED, now;
	u32 first, end, i;

	for (end = set->count; end > 0; end = first) {
		for (first = end - 1; first > 0; first--) {
			if (!devirt_set_beside(set, first - 1, first, end))
				break;
		}
		devirt_set_each(set, first, end, devirt_set_release_one);
		for (i = end; i-- > first;) {
			if (!set->res[i]->acquired)
				continue;
			now = devirt_set_released(set->res[i]);
			if (now == DEVIRT_STATE_DRAINING || state == DEVIRT_STATE_RELEASED)
				state = now;
		}
	}
	return state;
}
DEVIRT_EXPORT_FOR_TEST(devirt_set_release);

/**
 * devirt_set_draining - was something in use when it was released last?
 * @set: the set
 */
bool devirt_set_draining(struct devirt_set *set)
{
	u32 i;

	for (i = 0; i < set->count; i++) {
		if (set->res[i]->rec.state == DEVIRT_STATE_DRAINING)
			return true;
	}
	return false;
}
DEVIRT_EXPORT_FOR_TEST(devirt_set_draining);

/**
 * devirt_set_drop - undo the check of all that is not held
 * @set: the set
 *
 * May sleep.
 */
void devirt_set_drop(struct devirt_set *set)
{
	u32 i;

	for (i = set->count; i-- > 0;) {
		struct devirt_resource *res = set->res[i];

		if (!res->checked || res->acquired)
			continue;
		res->checked = false;
		res->ops->drop(res);
		devirt_unclaim(res);
	}
}
DEVIRT_EXPORT_FOR_TEST(devirt_set_drop);

/**
 * devirt_set_free - free a set of which nothing is held or checked
 * @set: the set
 */
void devirt_set_free(struct devirt_set *set)
{
	u32 i;

	for (i = 0; i < set->count; i++)
		kfree(set->res[i]);
	kvfree(set);
}
DEVIRT_EXPORT_FOR_TEST(devirt_set_free);

int devirt_set_init(void)
{
	/* Not that of the releases, who would wait there for each other's. */
	devirt_set_wq = alloc_workqueue("devirt_set", WQ_UNBOUND, 0);
	return devirt_set_wq ? 0 : -ENOMEM;
}

void devirt_set_exit(void)
{
	destroy_workqueue(devirt_set_wq);
}
