// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kind memory: huge pages of one size, added to the pool of a node.
 *
 * The pool's size is a number that everybody may change, so we add and subtract
 * and never set it back to a number we remember: what an admin adds meanwhile
 * stays theirs. Without a node the kernel spreads the pages; which node gave how
 * many is noted, so that each gets back what it gave.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "hostattr.h"
#include "partition.h"
#include "resource.h"

/* How often to compact and try again, as long as that helps. */
#define DEVIRT_COMPACT_TRIES	3
#define DEVIRT_PATH_MAX		96

/**
 * struct devirt_memory - pages of one size
 * @res: the resource
 * @given: by node: how many pages it gave
 */
struct devirt_memory {
	struct devirt_resource res;
	unsigned long *given;
};

/* Between reading a pool's size and writing it; nothing of ours inside. */
static DEFINE_MUTEX(hugepage_lock);

static struct devirt_memory *to_devirt_memory(struct devirt_resource *res)
{
	return container_of(res, struct devirt_memory, res);
}

static void devirt_pages_path(char *path, u64 page_size, int node, const char *attr)
{
	if (node == NUMA_NO_NODE)
		snprintf(path, DEVIRT_PATH_MAX, "kernel/mm/hugepages/hugepages-%llukB/%s",
			 page_size >> 10, attr);
	else
		snprintf(path, DEVIRT_PATH_MAX,
			 "devices/system/node/node%d/hugepages/hugepages-%llukB/%s",
			 node, page_size >> 10, attr);
}

static int devirt_pages_read(u64 page_size, int node, unsigned long *pages)
{
	char path[DEVIRT_PATH_MAX];

	devirt_pages_path(path, page_size, node, "nr_hugepages");
	return devirt_hostattr_read_ulong(path, pages);
}

static int devirt_pages_write(u64 page_size, int node, unsigned long pages)
{
	char path[DEVIRT_PATH_MAX];

	devirt_pages_path(path, page_size, node, "nr_hugepages");
	return devirt_hostattr_write_ulong(path, pages);
}

/* An architecture has few sizes: ask for each whether the kernel has it. */
static void devirt_refuse_page_size(struct devirt_resource *res)
{
	unsigned long pages;
	int shift;

	devirt_refuse(res, DEVIRT_REASON_PAGE_SIZE, -EINVAL, "%s", "");
	for (shift = PAGE_SHIFT + 1; shift < 40; shift++) {
		size_t len = strlen(res->rec.detail);

		if (!devirt_pages_read(1ULL << shift, NUMA_NO_NODE, &pages))
			scnprintf(res->rec.detail + len, sizeof(res->rec.detail) - len, "%s%llu",
				  len ? " " : "", 1ULL << shift);
	}
}

static int devirt_memory_check(struct devirt_resource *res)
{
	struct devirt_record_memory *rec = &res->rec.memory;
	unsigned long pages;
	int node = res->rec.node;

	if (res->rec.flags)
		return devirt_refuse(res, DEVIRT_REASON_UNSUPPORTED, -EOPNOTSUPP, "flags");
	if (devirt_record_unused(&res->rec, sizeof(*rec)))
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "raw");
	/* More pages than memory has bytes would overflow sums below. */
	if (!rec->pages || rec->pages > totalram_pages())
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "memory.pages");
	if (node < DEVIRT_NODE_ANY)
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "node");
	if (node != DEVIRT_NODE_ANY && (node >= nr_node_ids || !node_state(node, N_MEMORY)))
		return devirt_refuse(res, DEVIRT_REASON_NO_NODE, -ENODEV, "%d", node);
	if (!is_power_of_2(rec->page_size) || rec->page_size <= PAGE_SIZE ||
	    devirt_pages_read(rec->page_size, node, &pages)) {
		devirt_refuse_page_size(res);
		return -EINVAL;
	}
	rec->before = pages;
	rec->available = 0;
	to_devirt_memory(res)->given = kcalloc(nr_node_ids, sizeof(unsigned long), GFP_KERNEL);
	return to_devirt_memory(res)->given ? 0 : -ENOMEM;
}

static void devirt_memory_drop(struct devirt_resource *res)
{
	kfree(to_devirt_memory(res)->given);
}

static int devirt_refuse_short(struct devirt_resource *res, u64 available)
{
	res->rec.memory.available = available;
	return devirt_refuse(res, DEVIRT_REASON_PAGES_SHORT, -ENOMEM, "%llu of %llu", available,
			     res->rec.memory.pages);
}

/*
 * Is there memory for as many at all? Growing a pool until it fails takes
 * seconds and the host's page cache with it, for nothing. This is an upper
 * bound: what can be had in pages of that size shows when they are taken.
 */
static int devirt_memory_veto(struct devirt_resource *res)
{
	struct devirt_record_memory *rec = &res->rec.memory;
	u64 bytes = (u64)max(si_mem_available(), 0L) << PAGE_SHIFT;
	unsigned long surplus = 0;
	char path[DEVIRT_PATH_MAX];
	u64 possible;

	if (res->rec.node != DEVIRT_NODE_ANY)
		bytes = min(bytes, (u64)node_present_pages(res->rec.node) << PAGE_SHIFT);
	/* Pages in use that have left the pool become the pool's again first. */
	devirt_pages_path(path, rec->page_size, res->rec.node, "surplus_hugepages");
	devirt_hostattr_read_ulong(path, &surplus);
	possible = div64_u64(bytes, rec->page_size) + surplus;
	return rec->pages > possible ? devirt_refuse_short(res, possible) : 0;
}

static void devirt_compact(int node)
{
	char path[DEVIRT_PATH_MAX];
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		if (node != DEVIRT_NODE_ANY && node != nid)
			continue;
		snprintf(path, sizeof(path), "devices/system/node/node%d/compact", nid);
		/* A kernel without compaction has no such file: go on. */
		devirt_hostattr_write(path, "1");
	}
}

/* What each node has now; -ENOENT on a kernel without NUMA. */
static int devirt_memory_nodes(u64 page_size, unsigned long *pages)
{
	int nid, err;

	for_each_node_state(nid, N_MEMORY) {
		err = devirt_pages_read(page_size, nid, &pages[nid]);
		if (err)
			return err;
	}
	return 0;
}

/* Take back what the nodes gave; runs also when only a part was given. */
static void devirt_memory_return(u64 page_size, const unsigned long *given)
{
	unsigned long pages;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		if (!given[nid] || devirt_pages_read(page_size, nid, &pages))
			continue;
		devirt_pages_write(page_size, nid,
				   pages > given[nid] ? pages - given[nid] : 0);
	}
}

static int devirt_memory_acquire(struct devirt_resource *res)
{
	struct devirt_record_memory *rec = &res->rec.memory;
	unsigned long *given = to_devirt_memory(res)->given;
	unsigned long before, now = 0, last, *after;
	int node = res->rec.node, nid, tries, err;

	/* Once more: other records have taken memory meanwhile. */
	err = devirt_memory_veto(res);
	if (err)
		return err;
	after = kcalloc(nr_node_ids, sizeof(*after), GFP_KERNEL);
	if (!after)
		return -ENOMEM;
	mutex_lock(&hugepage_lock);
	err = devirt_memory_nodes(rec->page_size, given);
	if (!err)
		err = devirt_pages_read(rec->page_size, node, &before);
	if (err)
		goto out;
	rec->before = before;

	for (tries = 0; tries <= DEVIRT_COMPACT_TRIES; tries++) {
		last = now;
		if (tries)
			devirt_compact(node);
		err = devirt_pages_write(rec->page_size, node, before + rec->pages);
		if (!err)
			err = devirt_pages_read(rec->page_size, node, &now);
		if (err || now >= before + rec->pages || (tries && now <= last))
			break;
	}
	/* Also after an error: a part may have been given. */
	if (devirt_memory_nodes(rec->page_size, after)) {
		/* Which node gave what can't be told: keep nothing. */
		memset(given, 0, nr_node_ids * sizeof(*given));
		devirt_pages_write(rec->page_size, node, before);
		err = err ?: -EIO;
		goto out;
	}
	for_each_node_state(nid, N_MEMORY)
		given[nid] = after[nid] > given[nid] ? after[nid] - given[nid] : 0;
	rec->available = now > before ? now - before : 0;
	if (!err && rec->available < rec->pages)
		err = devirt_refuse_short(res, rec->available);
	if (err)
		devirt_memory_return(rec->page_size, given);
out:
	mutex_unlock(&hugepage_lock);
	kfree(after);
	return err;
}

static int devirt_memory_release(struct devirt_resource *res)
{
	/*
	 * Pages that a VMM still has leave the pool all the same: the kernel
	 * counts them as surplus and frees them with their last user.
	 */
	mutex_lock(&hugepage_lock);
	devirt_memory_return(res->rec.memory.page_size, to_devirt_memory(res)->given);
	mutex_unlock(&hugepage_lock);
	return 0;
}

static int devirt_memory_describe(struct devirt_resource *res, char *buf, size_t size)
{
	return scnprintf(buf, size, "%llu pages of %llu kB on node %d", res->rec.memory.pages,
			 res->rec.memory.page_size >> 10, res->rec.node);
}

const struct devirt_resource_ops devirt_memory_ops = {
	.kind = DEVIRT_KIND_MEMORY,
	.name = "memory",
	.size = sizeof(struct devirt_memory),
	.check = devirt_memory_check,
	.veto = devirt_memory_veto,
	.acquire = devirt_memory_acquire,
	.release = devirt_memory_release,
	.drop = devirt_memory_drop,
	.describe = devirt_memory_describe,
};
