// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading sysfs and procfs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "libdevirt.h"
#include "sysfs.h"

static int make_path(char path[PATH_MAX], const char *format, va_list args)
{
	int length = vsnprintf(path, PATH_MAX, format, args);

	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int dv_read(char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	size_t length = 0;
	va_list args;
	ssize_t got;
	int fd, ret;

	va_start(args, format);
	ret = make_path(path, format, args);
	va_end(args);
	text[0] = '\0';
	if (ret)
		return ret;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		got = read(fd, text + length, size - 1 - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			ret = -errno;
			break;
		}
		if (!got)
			break;
		length += got;
	}
	close(fd);
	if (ret)
		length = 0;
	while (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return ret ? ret : (int)length;
}

int dv_read_number(long long *number, const char *format, ...)
{
	char path[PATH_MAX], text[64], *end;
	va_list args;
	int ret;

	va_start(args, format);
	ret = make_path(path, format, args);
	va_end(args);
	if (ret)
		return ret;
	ret = dv_read(text, sizeof(text), "%s", path);
	if (ret < 0)
		return ret;
	errno = 0;
	/* not base 0, which would take 010 for eight */
	*number = strtoll(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	return errno || end == text ? -EINVAL : 0;
}

int dv_link_name(char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX], *name;
	va_list args;
	ssize_t length;
	int ret;

	text[0] = '\0';
	va_start(args, format);
	ret = make_path(path, format, args);
	va_end(args);
	if (ret)
		return ret;
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	strcpy(text, name);
	return 0;
}

bool dv_exists(const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int ret;

	va_start(args, format);
	ret = make_path(path, format, args);
	va_end(args);
	return !ret && !access(path, F_OK);
}

static int no_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int dv_list(char ***names, size_t *count, const char *format, ...)
{
	struct dirent **entries;
	char path[PATH_MAX];
	va_list args;
	int ret, n;

	*names = NULL;
	*count = 0;
	va_start(args, format);
	ret = make_path(path, format, args);
	va_end(args);
	if (ret)
		return ret;
	n = scandir(path, &entries, no_dots, versionsort);
	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	*names = calloc(n + 1, sizeof(**names));
	for (int i = 0; i < n; i++) {
		char *name = *names ? strdup(entries[i]->d_name) : NULL;

		if (name)
			(*names)[(*count)++] = name;
		else
			ret = -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	if (!*names)
		ret = -ENOMEM;
	if (ret) {
		devirt_free_names(*names, *count);
		*names = NULL;
		*count = 0;
	}
	return ret;
}

void devirt_free_names(char **names, size_t count)
{
	for (size_t i = 0; names && i < count; i++)
		free(names[i]);
	free(names);
}

static bool path_has(const char *path, const char *component)
{
	size_t length = strlen(component);
	const char *at = path;

	while ((at = strstr(at, component))) {
		if (at > path && at[-1] == '/' && (at[length] == '/' || !at[length]))
			return true;
		at += length;
	}
	return false;
}

/*
 * With native multipath, NVMe namespaces hang below a virtual subsystem device
 * and not below a controller; the subsystem has links to its controllers.
 */
static bool subsystem_has(const char *path, const char *addr)
{
	static const char marker[] = "/nvme-subsystem/";
	const char *at = strstr(path, marker);
	char subsystem[64], target[PATH_MAX], link[PATH_MAX];
	char **names;
	size_t count;
	bool found = false;

	if (!at || sscanf(at + sizeof(marker) - 1, "%63[^/]", subsystem) != 1)
		return false;
	if (dv_list(&names, &count, "/sys/class/nvme-subsystem/%s", subsystem))
		return false;
	for (size_t i = 0; i < count && !found; i++) {
		if (strncmp(names[i], "nvme", 4))
			continue;
		snprintf(link, sizeof(link), "/sys/class/nvme/%s", names[i]);
		found = realpath(link, target) && path_has(target, addr);
	}
	devirt_free_names(names, count);
	return found;
}

bool dv_belongs_to(const char *class_name, const char *name,
		   const struct devirt_pci_addr *addr)
{
	char path[PATH_MAX], target[PATH_MAX], text[DEVIRT_ADDR_TEXT];

	snprintf(path, sizeof(path), "/sys/class/%s/%s", class_name, name);
	if (!realpath(path, target))
		return false;
	devirt_addr_format(addr, text);
	return path_has(target, text) || subsystem_has(target, text);
}

int dv_append(char **text, const char *format, ...)
{
	char *more, *both;
	va_list args;
	int ret;

	va_start(args, format);
	ret = vasprintf(&more, format, args);
	va_end(args);
	if (ret < 0)
		return -ENOMEM;
	if (!*text) {
		*text = more;
		return 0;
	}
	ret = asprintf(&both, "%s%s", *text, more);
	free(more);
	if (ret < 0)
		return -ENOMEM;
	free(*text);
	*text = both;
	return 0;
}
