// SPDX-License-Identifier: GPL-2.0
/* Waiting for what isn't there yet, by the kernel's own events. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "arrival.h"
#include "cli.h"
#include "planner.h"

/* Events of the kernel; those of udev are another group. */
#define UEVENTS		1

/* See sd_notify(3). */
void arrival_notify(const char *format, ...)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	char text[512];
	va_list args;
	size_t length;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(addr.sun_path))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	length = strlen(path);
	memcpy(addr.sun_path, path, length);
	/* an abstract one */
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&addr,
		   offsetof(struct sockaddr_un, sun_path) + length) < 0)
		warn("telling systemd: %s", strerror(errno));
	close(fd);
}

static int listen_for_events(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = UEVENTS };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static long long now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Is it about a function, its driver or its interface, or does a driver make mediated
 * devices from now on? "bind@/devices/..." and then KEY=value, each closed.
 */
static bool concerns(const char *event, size_t length)
{
	static const char *const keys[] = {
		"SUBSYSTEM=pci", "SUBSYSTEM=net", "MDEV_STATE=registered",
	};

	for (size_t at = 0; at < length; at += strlen(event + at) + 1)
		for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
			if (!strcmp(event + at, keys[i]))
				return true;
	return false;
}

/* Returns 1 if something has changed, 0 when the time is over, or -errno. */
static int next_event(int fd, long long until)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	char event[8192];

	for (;;) {
		long long left = until < 0 ? -1 : until - now_ms();
		ssize_t got;
		int ret;

		ret = poll(&poller, 1, until < 0 ? -1 : left > 0 ? left : 0);
		if (!ret)
			return 0;
		if (ret < 0 && errno != EINTR)
			return -errno;
		got = recv(fd, event, sizeof(event) - 1, 0);
		/* there were more than fit: who knows which */
		if (got < 0 && errno == ENOBUFS)
			return 1;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got > 0) {
			event[got] = '\0';
			if (concerns(event, got))
				return 1;
		}
	}
}

/* A parent that is there without the type won't get it: the plan says so. */
static char *mdev_missing(const struct config_device *wanted, bool *soon)
{
	struct devirt_mdev_type *types;
	struct devirt_device function;
	struct devirt_pci_addr addr;
	char *words = NULL, *size;
	bool found = false;
	size_t count;
	int ret;

	/* what went wrong the plan says too */
	if (devirt_mdev_types(&types, &count))
		return NULL;
	for (size_t i = 0; i < count && !found; i++)
		found = wanted->parent ? !strcmp(wanted->parent, types[i].parent) :
					 plan_mdev_fits(wanted, &types[i]);
	free(types);
	if (found)
		return NULL;
	if (wanted->parent) {
		*soon = devirt_addr_parse(wanted->parent, &addr) ||
			!devirt_device_read(&addr, &function);
		ret = asprintf(&words, "%s to make mediated devices", wanted->parent);
	} else if (wanted->type) {
		ret = asprintf(&words, "mediated devices of type %s", wanted->type);
	} else {
		size = size_text(wanted->memory);
		ret = asprintf(&words, "mediated devices with %s of memory",
			       size ? size : "that much");
		free(size);
	}
	return ret < 0 ? NULL : words;
}

char *arrival_missing(const struct config_device *wanted, bool *soon)
{
	struct devirt_pci_addr addr = wanted->addr;
	char text[DEVIRT_ADDR_TEXT], *words = NULL;
	struct devirt_device device;

	*soon = true;
	if (wanted->is_mdev)
		return mdev_missing(wanted, soon);
	if (wanted->netif && devirt_device_by_netif(wanted->netif, &addr)) {
		if (asprintf(&words, "interface %s", wanted->netif) < 0)
			words = NULL;
		return words;
	}
	devirt_addr_format(&addr, text);
	if (devirt_device_read(&addr, &device)) {
		*soon = false;
		words = strdup(text);
	} else if (wanted->is_vf && !device.driver[0] &&
		   asprintf(&words, "a driver of %s", text) < 0) {
		words = NULL;
	}
	return words;
}

int arrival_wait(const char *who, arrival_look *look, void *data)
{
	long long until = now_ms() + opt.max_wait * 1000LL;
	bool told = false;
	int fd, ret;

	fd = listen_for_events();
	if (fd < 0)
		return fail(EXIT_REFUSED, &(struct problem){ .error = errno },
			    "the kernel's events can't be heard: %s", strerror(errno));
	for (;;) {
		bool soon = true;
		char *what = look(data, &soon);

		if (!what)
			break;
		if (!told && (!soon || now_ms() >= until)) {
			arrival_notify("READY=1\nSTATUS=waits for %s", what);
			warn("%s waits for %s", who, what);
			told = true;
		}
		free(what);
		ret = next_event(fd, told ? -1 : until);
		if (ret < 0) {
			close(fd);
			return fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
				    "waiting for the kernel's events: %s", strerror(-ret));
		}
	}
	close(fd);
	return 0;
}
