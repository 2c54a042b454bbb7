// SPDX-License-Identifier: GPL-2.0-only
/*
 * Partitions: what one guest gets, by whom, and until when.
 *
 * A partition goes NEW -> HELD -> (DRAINING) -> RELEASED and is retired then,
 * which means that its name is free again. A failed apply goes back to NEW. A
 * resource that can't return to the host leaves it in QUARANTINE, where another
 * release tries again.
 *
 * Locks, outer first:
 *
 *	registry_lock		which partitions there are
 *	devirt_partition.lock	state of one, for moments only
 *	claims_lock (claim.c)	who owns what
 *	devirt_log.lock		events, in any context
 *
 * None of them is held over slow work. While a description is being applied or
 * released the resources are that one task's or worker's alone, which .applying
 * and the states see to. So two guests start in parallel. The kinds have locks
 * of their own (a PF's pool, the huge page counts, the host's tasks), taken
 * inside none of the above.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/ctype.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include "class.h"
#include "compat/compat.h"
#include "partition.h"
#include "stats.h"
#include "user.h"

/* Between two looks at whether a VMM has let go of a device. */
#define DEVIRT_DRAIN_DELAY	msecs_to_jiffies(20)

static LIST_HEAD(registry);
static DEFINE_MUTEX(registry_lock);
static unsigned int registry_count;
struct workqueue_struct *devirt_wq;

static const struct devirt_resource_ops *const devirt_kinds[] = {
	[DEVIRT_KIND_PCI] = &devirt_pci_ops,
	[DEVIRT_KIND_VF] = &devirt_vf_ops,
	[DEVIRT_KIND_MDEV] = &devirt_mdev_ops,
	[DEVIRT_KIND_MEMORY] = &devirt_memory_ops,
	[DEVIRT_KIND_CPU] = &devirt_cpu_ops,
};

static const struct devirt_resource_ops *devirt_kind(u32 kind)
{
	return kind < ARRAY_SIZE(devirt_kinds) ? devirt_kinds[kind] : NULL;
}

static const char *const devirt_states[] = {
	[DEVIRT_STATE_NEW] = "new",
	[DEVIRT_STATE_HELD] = "held",
	[DEVIRT_STATE_DRAINING] = "draining",
	[DEVIRT_STATE_QUARANTINE] = "quarantine",
	[DEVIRT_STATE_RELEASED] = "released",
};

/**
 * devirt_state_name - a state as people read it
 * @state: DEVIRT_STATE_*
 */
const char *devirt_state_name(u32 state)
{
	return devirt_states[state];
}

/**
 * devirt_partition_name - the name, for messages
 * @part: the partition
 */
const char *devirt_partition_name(struct devirt_partition *part)
{
	return part->name;
}

static void devirt_partition_destroy(struct kref *ref)
{
	struct devirt_partition *part = container_of(ref, struct devirt_partition, ref);

	put_pid(part->owner);
	mutex_destroy(&part->lock);
	kfree(part);
	module_put(THIS_MODULE);
}

/**
 * devirt_partition_put - drop a reference
 * @part: the partition
 */
void devirt_partition_put(struct devirt_partition *part)
{
	kref_put(&part->ref, devirt_partition_destroy);
}

static bool devirt_name_valid(const char *name)
{
	size_t i, len = strnlen(name, DEVIRT_NAME_MAX);

	if (!len || len == DEVIRT_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (i = 0; i < len; i++) {
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("_-.", name[i])))
			return false;
	}
	return !memchr_inv(name + len, 0, DEVIRT_NAME_MAX - len);
}

static struct devirt_partition *devirt_partition_find(const char *name)
{
	struct devirt_partition *part;

	lockdep_assert_held(&registry_lock);
	list_for_each_entry(part, &registry, node) {
		if (!strcmp(part->name, name))
			return part;
	}
	return NULL;
}

/* Last step of a partition's life: nobody can find it any more. */
static void devirt_partition_retire(struct devirt_partition *part)
{
	bool mine;

	mutex_lock(&part->lock);
	mine = !part->retired;
	part->retired = true;
	mutex_unlock(&part->lock);
	if (!mine)
		return;

	/* The name must leave sysfs before it can be taken again. */
	devirt_class_remove(part);
	mutex_lock(&registry_lock);
	list_del(&part->node);
	registry_count--;
	mutex_unlock(&registry_lock);
	devirt_partition_put(part);
}

/*
 * After it is retired, so that whoever waits for the end can use the name again; and
 * after its last event, so that a reader that sees the end has seen that.
 */
static void devirt_partition_ended(struct devirt_partition *part)
{
	WRITE_ONCE(part->state, DEVIRT_STATE_RELEASED);
	wake_up_all(&part->log.wait);
}

static void devirt_partition_draining(struct devirt_partition *part)
{
	struct devirt_set *set = part->set;
	u32 i;

	for (i = 0; i < set->count; i++) {
		if (set->res[i]->rec.state == DEVIRT_STATE_DRAINING)
			devirt_event(part, DEVIRT_EVENT_DRAINING, .record = &i);
	}
}

static void devirt_partition_quarantined(struct devirt_partition *part)
{
	struct devirt_set *set = part->set;
	u32 i;

	for (i = 0; i < set->count; i++) {
		struct devirt_resource *res = set->res[i];

		if (res->rec.state != DEVIRT_STATE_QUARANTINE)
			continue;
		pr_warn("partition %s: record %u can't return to the host: %s: %pe\n",
			part->name, i, res->rec.detail, ERR_PTR(res->rec.error));
		devirt_event(part, DEVIRT_EVENT_QUARANTINE, .record = &i,
			     .value = -res->rec.error, .detail = res->rec.detail);
	}
}

/* Everything is back: after an apply that failed, or for good. */
static void devirt_partition_returned(struct devirt_partition *part)
{
	struct devirt_set *set = part->set;
	struct pid *owner;
	bool again;

	mutex_lock(&part->lock);
	part->set = NULL;
	owner = part->owner;
	part->owner = NULL;
	WRITE_ONCE(part->persistent, false);
	/* Another can be applied, unless nobody is left to do that. */
	again = part->applying && !part->orphan;
	part->applying = false;
	if (again)
		WRITE_ONCE(part->state, DEVIRT_STATE_NEW);
	mutex_unlock(&part->lock);
	devirt_set_drop(set);
	devirt_set_free(set);
	put_pid(owner);
	if (again)
		return;
	devirt_partition_retire(part);
	devirt_event(part, DEVIRT_EVENT_RELEASED);
	devirt_partition_ended(part);
}

static void devirt_partition_release_work(struct work_struct *work)
{
	struct devirt_partition *part = container_of(to_delayed_work(work),
						     struct devirt_partition,
						     release_work);
	struct devirt_set *set = part->set;
	struct devirt_vmm *vmm;
	bool first;
	int state;

	mutex_lock(&part->lock);
	vmm = part->vmm;
	part->vmm = NULL;
	mutex_unlock(&part->lock);
	if (vmm)
		devirt_vmm_stop(vmm);
	devirt_user_release(part);

	first = !devirt_set_draining(set);
	state = devirt_set_release(set);

	if (state != DEVIRT_STATE_RELEASED) {
		mutex_lock(&part->lock);
		WRITE_ONCE(part->state, state);
		mutex_unlock(&part->lock);
	}
	switch (state) {
	case DEVIRT_STATE_RELEASED:
		devirt_partition_returned(part);
		break;
	case DEVIRT_STATE_DRAINING:
		if (first) {
			devirt_partition_draining(part);
			devirt_class_changed(part);
		}
		/* This work's reference goes on to its next run. */
		queue_delayed_work(devirt_wq, &part->release_work, DEVIRT_DRAIN_DELAY);
		return;
	case DEVIRT_STATE_QUARANTINE:
		devirt_partition_quarantined(part);
		devirt_class_changed(part);
		break;
	}
	devirt_partition_put(part);
}

/* With part->lock held and something to release; the caller flushes. */
static void devirt_partition_start_release(struct devirt_partition *part)
{
	lockdep_assert_held(&part->lock);
	WRITE_ONCE(part->state, DEVIRT_STATE_DRAINING);
	kref_get(&part->ref);
	queue_delayed_work(devirt_wq, &part->release_work, 0);
}

/**
 * devirt_partition_create - make an empty partition
 * @name: DEVIRT_NAME_MAX bytes
 *
 * May sleep. Return: the partition, with a reference; or an ERR_PTR: -EINVAL,
 * -EEXIST, -ENOMEM.
 */
struct devirt_partition *devirt_partition_create(const char *name)
{
	struct devirt_partition *part;
	int err;

	if (!devirt_name_valid(name))
		return ERR_PTR(-EINVAL);
	part = kzalloc(sizeof(*part), GFP_KERNEL);
	if (!part)
		return ERR_PTR(-ENOMEM);
	kref_init(&part->ref);
	mutex_init(&part->lock);
	memcpy(part->name, name, DEVIRT_NAME_MAX);
	INIT_DELAYED_WORK(&part->release_work, devirt_partition_release_work);
	devirt_log_init(&part->log);
	__module_get(THIS_MODULE);

	mutex_lock(&registry_lock);
	err = -EEXIST;
	if (devirt_partition_find(name))
		goto err_unlock;
	/* Inside the lock, so that nobody opens a partition half made. */
	err = devirt_class_add(part);
	if (err)
		goto err_unlock;
	kref_get(&part->ref);
	list_add_tail(&part->node, &registry);
	registry_count++;
	mutex_unlock(&registry_lock);
	return part;

err_unlock:
	mutex_unlock(&registry_lock);
	devirt_partition_put(part);
	return ERR_PTR(err);
}

/**
 * devirt_partition_open - find a partition by its name
 * @name: DEVIRT_NAME_MAX bytes
 * @observe: only to look on
 *
 * May sleep. Return: the partition, with a reference; or an ERR_PTR: -EINVAL,
 * -ENOENT; -EBUSY if it is held by its descriptor and @observe is false.
 */
struct devirt_partition *devirt_partition_open(const char *name, bool observe)
{
	struct devirt_partition *part;
	int err = 0;

	if (!devirt_name_valid(name))
		return ERR_PTR(-EINVAL);
	mutex_lock(&registry_lock);
	part = devirt_partition_find(name);
	if (!part) {
		err = -ENOENT;
	} else if (!observe) {
		mutex_lock(&part->lock);
		if (!part->persistent && !part->orphan)
			err = -EBUSY;
		mutex_unlock(&part->lock);
	}
	if (!err)
		kref_get(&part->ref);
	mutex_unlock(&registry_lock);
	return err ? ERR_PTR(err) : part;
}

/**
 * devirt_partition_orphan - the descriptor that made it is closed
 * @part: the partition
 *
 * Gives back what it holds unless it is persistent. May sleep.
 */
void devirt_partition_orphan(struct devirt_partition *part)
{
	bool release = false, retire = false;

	mutex_lock(&part->lock);
	part->orphan = true;
	if (part->state == DEVIRT_STATE_NEW) {
		retire = true;
	} else if (part->state == DEVIRT_STATE_HELD && !part->persistent) {
		devirt_partition_start_release(part);
		release = true;
	}
	mutex_unlock(&part->lock);

	if (release)
		flush_delayed_work(&part->release_work);
	if (!retire)
		return;
	devirt_partition_retire(part);
	devirt_partition_ended(part);
}

/**
 * devirt_partition_release - give back what it holds
 * @part: the partition
 *
 * Returns when all that nobody uses is back. May sleep. Return: 0; -ENXIO if
 * it holds nothing.
 */
int devirt_partition_release(struct devirt_partition *part)
{
	int err = 0;

	mutex_lock(&part->lock);
	switch (part->state) {
	case DEVIRT_STATE_HELD:
	case DEVIRT_STATE_QUARANTINE:
		devirt_partition_start_release(part);
		break;
	case DEVIRT_STATE_DRAINING:
		break;
	default:
		err = -ENXIO;
	}
	mutex_unlock(&part->lock);
	if (!err)
		flush_delayed_work(&part->release_work);
	return err;
}

/*
 * Give back the part of a description that was taken before one was refused.
 * What somebody began to use meanwhile makes the partition drain, like a
 * release would.
 */
static void devirt_partition_rollback(struct devirt_partition *part, struct devirt_set *set)
{
	mutex_lock(&part->lock);
	part->set = set;
	devirt_partition_start_release(part);
	mutex_unlock(&part->lock);
	flush_delayed_work(&part->release_work);
}

static void devirt_set_report(struct devirt_set *set, struct devirt_record *recs, bool refused)
{
	u32 i;

	for (i = 0; i < set->count; i++) {
		recs[i] = set->res[i]->rec;
		if (refused)
			recs[i].state = DEVIRT_STATE_NEW;
	}
}

/**
 * devirt_partition_apply - take every resource of a description, or none
 * @part: the partition
 * @flags: DEVIRT_APPLY_*
 * @recs: the description; outputs and the refusal are written here
 * @count: how many records
 * @failed: index of the record that was refused, or @count
 * @report: brings @recs to the caller; if that fails nothing is held
 * @arg: for @report
 *
 * May sleep. Return: 0; -EBUSY if it was applied already, is being applied or has
 * been closed; what @report returned; or the errno of the record refused.
 */
int devirt_partition_apply(struct devirt_partition *part, u32 flags,
			   struct devirt_record *recs, u32 count, u32 *failed,
			   int (*report)(void *arg, const struct devirt_record *recs),
			   void *arg)
{
	bool dry = flags & DEVIRT_APPLY_DRY_RUN;
	struct devirt_set *set;
	int err = 0;

	*failed = count;
	mutex_lock(&part->lock);
	/* One that is closed may still be opened while it drains, to release it. */
	if (part->applying || part->orphan || part->state != DEVIRT_STATE_NEW)
		err = -EBUSY;
	else
		part->applying = true;
	mutex_unlock(&part->lock);
	if (err)
		return err;

	set = devirt_set_create(part, recs, count, devirt_kind, failed);
	if (IS_ERR(set)) {
		err = PTR_ERR(set);
		goto err_idle;
	}
	err = devirt_set_check(set, dry, failed);
	if (err || dry) {
		devirt_set_drop(set);
		devirt_set_report(set, recs, err);
		goto err_free;
	}

	err = devirt_set_acquire(set, failed);
	devirt_set_report(set, recs, err);
	if (!err)
		err = report(arg, recs);
	if (err) {
		/* The worker frees the set and ends .applying. */
		devirt_partition_rollback(part, set);
		return err;
	}

	mutex_lock(&part->lock);
	part->set = set;
	part->owner = get_pid(task_tgid(current));
	part->since = ktime_get_boottime_ns();
	part->applying = false;
	WRITE_ONCE(part->persistent, flags & DEVIRT_APPLY_PERSIST);
	WRITE_ONCE(part->state, DEVIRT_STATE_HELD);
	/* With the lock held: a release that begins now takes the class device away. */
	devirt_event(part, DEVIRT_EVENT_APPLIED, .value = count,
		     .pid = task_tgid_nr(current));
	devirt_class_changed(part);
	mutex_unlock(&part->lock);
	return 0;

err_free:
	devirt_set_free(set);
err_idle:
	mutex_lock(&part->lock);
	part->applying = false;
	mutex_unlock(&part->lock);
	return err;
}

/**
 * devirt_partition_attach - say which process is the VMM
 * @part: the partition
 * @pid: the process
 *
 * May sleep. Return: 0; -ENXIO if nothing is held; or what devirt_vmm_create()
 * returned.
 */
int devirt_partition_attach(struct devirt_partition *part, struct pid *pid)
{
	struct devirt_vmm *vmm, *old = NULL;
	int err = 0;

	mutex_lock(&part->lock);
	if (part->state != DEVIRT_STATE_HELD) {
		err = -ENXIO;
	} else if (part->vmm && !devirt_vmm_replaceable(part->vmm, pid)) {
		err = -EBUSY;
	} else {
		vmm = devirt_vmm_create(part, part->set, pid);
		if (IS_ERR(vmm)) {
			err = PTR_ERR(vmm);
		} else {
			old = part->vmm;
			part->vmm = vmm;
		}
	}
	mutex_unlock(&part->lock);
	if (old)
		devirt_vmm_stop(old);
	if (err)
		return err;

	/* Only now: the old one's slots had to be free of threads. */
	devirt_event(part, DEVIRT_EVENT_ATTACHED, .pid = pid_nr(pid));
	return 0;
}

/**
 * devirt_partition_get - what is held
 * @part: the partition
 * @get: .count says how many fit; outputs are filled in
 * @recs: room for that many
 *
 * May sleep. Return: 0; -EMSGSIZE if too few fit.
 */
int devirt_partition_get(struct devirt_partition *part, struct devirt_get *get,
			 struct devirt_record *recs)
{
	u32 i, count, room = get->count;
	int err = 0;

	mutex_lock(&part->lock);
	count = part->set && !part->applying ? part->set->count : 0;
	get->count = count;
	get->state = part->applying ? DEVIRT_STATE_NEW : part->state;
	get->persistent = part->persistent;
	get->owner = part->owner && pid_has_task(part->owner, PIDTYPE_TGID) ?
		     pid_vnr(part->owner) : 0;
	get->vmm = part->vmm ? devirt_vmm_pid(part->vmm) : 0;
	memcpy(get->name, part->name, sizeof(get->name));
	if (room < count)
		err = -EMSGSIZE;
	for (i = 0; !err && i < count; i++) {
		struct devirt_resource *res = part->set->res[i];

		recs[i] = res->rec;
		if (res->ops->output && res->acquired)
			res->ops->output(res, &recs[i]);
	}
	mutex_unlock(&part->lock);
	return err;
}

/**
 * devirt_partition_stats - what its CPUs have done
 * @part: the partition
 * @stats: outputs are filled in, but for the counts
 * @result: empty; devirt_stats_free() frees what it is filled with
 *
 * May sleep. Return: 0 or -ENOMEM.
 */
int devirt_partition_stats(struct devirt_partition *part, struct devirt_stats *stats,
			   struct devirt_stats_result *result)
{
	int err = 0;

	mutex_lock(&part->lock);
	if (part->set && !part->applying && part->state == DEVIRT_STATE_HELD) {
		err = devirt_stats_take(part, result);
		stats->held_ns = ktime_get_boottime_ns() - part->since;
	}
	mutex_unlock(&part->lock);
	stats->unnamed = result->unnamed;
	return err;
}

/**
 * devirt_partition_describe - its resources for people, one a line
 * @part: the partition
 * @buf: where to
 * @size: of @buf
 *
 * May sleep. Return: bytes written.
 */
int devirt_partition_describe(struct devirt_partition *part, char *buf, size_t size)
{
	int len = 0;
	u32 i;

	mutex_lock(&part->lock);
	for (i = 0; part->set && !part->applying && i < part->set->count; i++) {
		struct devirt_resource *res = part->set->res[i];

		len += scnprintf(buf + len, size - len, "%s ", res->ops->name);
		len += res->ops->describe(res, buf + len, size - len);
		len += scnprintf(buf + len, size - len, " %s\n",
				 devirt_state_name(res->rec.state));
	}
	mutex_unlock(&part->lock);
	return len;
}

/**
 * devirt_partition_empty - does it hold nothing any more?
 * @part: the partition
 *
 * Any context. A new partition isn't empty in this sense: something may come.
 */
bool devirt_partition_empty(struct devirt_partition *part)
{
	return READ_ONCE(part->state) == DEVIRT_STATE_RELEASED;
}

/**
 * devirt_partition_count - how many there are
 */
u32 devirt_partition_count(void)
{
	return READ_ONCE(registry_count);
}

int devirt_partition_init(void)
{
	/*
	 * Unbound: a release waits for devices for tenths of a second, and must
	 * not do that on a leased core. Not WQ_MEM_RECLAIM: drivers that are
	 * bound again flush work of queues that are not either.
	 */
	devirt_wq = alloc_workqueue("devirt", WQ_UNBOUND, 0);
	return devirt_wq ? 0 : -ENOMEM;
}

void devirt_partition_exit(void)
{
	destroy_workqueue(devirt_wq);
}
