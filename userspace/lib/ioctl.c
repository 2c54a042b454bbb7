// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ioctls, as functions that return a negative errno. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "libdevirt.h"
#include "sysfs.h"

static int call(int fd, unsigned long request, void *argument)
{
	int ret = ioctl(fd, request, argument);

	return ret < 0 ? -errno : ret;
}

int devirt_open_device(void)
{
	int fd = open(DEVIRT_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int devirt_query_module(int device, struct devirt_query *query)
{
	memset(query, 0, sizeof(*query));
	query->size = sizeof(*query);
	return call(device, DEVIRT_QUERY, query);
}

static int pool_call(int device, const struct devirt_pci_addr *pf, uint32_t flags,
		     uint32_t count, struct devirt_pool_size *pool)
{
	memset(pool, 0, sizeof(*pool));
	pool->size = sizeof(*pool);
	pool->flags = flags;
	pool->pf = *pf;
	pool->count = count;
	return call(device, DEVIRT_POOL, pool);
}

int devirt_size_pool(int device, const struct devirt_pci_addr *pf, uint32_t count,
		     struct devirt_pool_size *pool)
{
	return pool_call(device, pf, 0, count, pool);
}

int devirt_look_pool(int device, const struct devirt_pci_addr *pf,
		     struct devirt_pool_size *pool)
{
	return pool_call(device, pf, DEVIRT_POOL_LOOK, 0, pool);
}

bool devirt_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (!length || length >= DEVIRT_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (const char *c = name; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || strchr("_-.", *c)))
			return false;
	return true;
}

int devirt_create_partition(int device, const char *name)
{
	struct devirt_create create = { .size = sizeof(create) };

	if (!devirt_name_valid(name))
		return -EINVAL;
	memcpy(create.name, name, strlen(name));
	return call(device, DEVIRT_CREATE, &create);
}

int devirt_open_partition(int device, const char *name, uint32_t flags)
{
	struct devirt_open open = { .size = sizeof(open), .flags = flags };

	if (!devirt_name_valid(name))
		return -EINVAL;
	memcpy(open.name, name, strlen(name));
	return call(device, DEVIRT_OPEN, &open);
}

int devirt_apply_records(int partition, uint32_t flags, struct devirt_record *records,
			 uint32_t count, uint32_t *failed)
{
	struct devirt_apply apply = {
		.size = sizeof(apply),
		.flags = flags,
		.records = (uintptr_t)records,
		.count = count,
		.record_size = sizeof(*records),
		/* where the ioctl fails before it looks at any record */
		.failed = count,
	};
	int ret;

	ret = call(partition, DEVIRT_APPLY, &apply);
	if (failed)
		*failed = apply.failed > count ? count : apply.failed;
	return ret;
}

int devirt_get_partition(int partition, struct devirt_get *get, struct devirt_records *records)
{
	uint32_t space = 0;
	int ret;

	if (records)
		devirt_records_clear(records);
	for (;;) {
		memset(get, 0, sizeof(*get));
		get->size = sizeof(*get);
		get->record_size = sizeof(struct devirt_record);
		get->count = space;
		get->records = records ? (uintptr_t)records->v : 0;
		ret = call(partition, DEVIRT_GET, get);
		if (ret != -EMSGSIZE)
			break;
		if (!records) {
			/* the count is all that was asked for */
			ret = 0;
			break;
		}
		/* it can only have grown by an apply since the last try */
		if (get->count > DEVIRT_RECORDS_MAX || get->count <= space)
			return -EPROTO;
		space = get->count;
		devirt_records_clear(records);
		records->v = calloc(space, sizeof(*records->v));
		if (!records->v)
			return -ENOMEM;
		records->space = space;
	}
	if (ret < 0) {
		if (records)
			devirt_records_clear(records);
		return ret;
	}
	if (records)
		records->count = get->count < space ? get->count : space;
	get->records = 0;
	get->name[sizeof(get->name) - 1] = '\0';
	return 0;
}

int devirt_attach_process(int partition, int pidfd)
{
	struct devirt_attach attach = { .size = sizeof(attach), .pidfd = pidfd };

	return call(partition, DEVIRT_ATTACH, &attach);
}

int devirt_get_stats(int partition, struct devirt_stats *stats, struct devirt_cpu_stats **cpus,
		     struct devirt_intruder **intruders)
{
	uint32_t cpu_space = 0, intruder_space = 0;
	int ret;

	*cpus = NULL;
	*intruders = NULL;
	/* new names turn up all the time, so a try may be too small again */
	for (int tries = 0; tries < 16; tries++) {
		memset(stats, 0, sizeof(*stats));
		stats->size = sizeof(*stats);
		stats->cpus = (uintptr_t)*cpus;
		stats->cpu_count = cpu_space;
		stats->cpu_size = sizeof(**cpus);
		stats->intruders = (uintptr_t)*intruders;
		stats->intruder_count = intruder_space;
		stats->intruder_size = sizeof(**intruders);
		ret = call(partition, DEVIRT_STATS, stats);
		if (ret != -EMSGSIZE)
			break;
		free(*cpus);
		free(*intruders);
		cpu_space = stats->cpu_count;
		intruder_space = stats->intruder_count + stats->intruder_count / 4 + 16;
		*cpus = calloc(cpu_space + 1, sizeof(**cpus));
		*intruders = calloc(intruder_space, sizeof(**intruders));
		if (!*cpus || !*intruders) {
			ret = -ENOMEM;
			break;
		}
	}
	if (!ret && (stats->cpu_count > cpu_space || stats->intruder_count > intruder_space))
		ret = -EPROTO;
	if (ret < 0) {
		free(*cpus);
		free(*intruders);
		*cpus = NULL;
		*intruders = NULL;
		return ret;
	}
	for (uint32_t i = 0; i < stats->intruder_count; i++)
		(*intruders)[i].name[sizeof((*intruders)[i].name) - 1] = '\0';
	stats->cpus = 0;
	stats->intruders = 0;
	return 0;
}

int devirt_release_partition(int partition)
{
	struct devirt_release release = { .size = sizeof(release) };

	return call(partition, DEVIRT_RELEASE, &release);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int devirt_wait_released(int partition, int timeout_ms)
{
	/* no events asked for: POLLHUP alone ends the wait */
	struct pollfd pollfd = { .fd = partition };
	long long end = now_ms() + timeout_ms;
	int ret;

	for (;;) {
		long long left = timeout_ms < 0 ? -1 : end - now_ms();

		if (timeout_ms >= 0 && left < 0)
			left = 0;
		ret = poll(&pollfd, 1, left);
		if (ret < 0 && errno != EINTR)
			return -errno;
		if (ret > 0 && pollfd.revents & POLLNVAL)
			return -EBADF;
		if (ret > 0 && pollfd.revents & POLLHUP)
			return 0;
		if (timeout_ms >= 0 && now_ms() >= end)
			return -ETIMEDOUT;
	}
}

int devirt_read_events(int partition, struct devirt_event *events, size_t count)
{
	/* Each event begins with its size: a newer module's is longer, and the
	 * part that this library doesn't know is left out.
	 */
	size_t most = sizeof(struct devirt_event) * 2 * (count < 64 ? count : 64);
	char *buffer;
	ssize_t got;
	int n = 0;

	if (!count)
		return -EINVAL;
	buffer = malloc(most);
	if (!buffer)
		return -ENOMEM;
	/* twice the room could hold twice the events: ask for what fits */
	got = read(partition, buffer, sizeof(struct devirt_event) * (count < 64 ? count : 64));
	if (got < 0 && errno == EINVAL)
		got = read(partition, buffer, most);
	if (got < 0) {
		n = -errno;
		goto out;
	}
	for (ssize_t at = 0; at < got && (size_t)n < count;) {
		uint32_t size, known;

		if (got - at < (ssize_t)sizeof(size)) {
			n = -EPROTO;
			goto out;
		}
		memcpy(&size, buffer + at, sizeof(size));
		if (size < sizeof(size) || size > got - at) {
			n = -EPROTO;
			goto out;
		}
		known = size < sizeof(*events) ? size : sizeof(*events);
		memset(&events[n], 0, sizeof(*events));
		memcpy(&events[n], buffer + at, known);
		events[n].detail[sizeof(events[n].detail) - 1] = '\0';
		n++;
		at += size;
	}
out:
	free(buffer);
	return n;
}

int devirt_list_partitions(char ***names, size_t *count)
{
	return dv_list(names, count, "/sys/class/devirt");
}
