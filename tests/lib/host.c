// SPDX-License-Identifier: GPL-2.0
/*
 * The host's state, as facts that can be compared: drivers, driver overrides, VF
 * counts, power policy and vendors' vGPU types of PCI functions, what an NVMe
 * controller has given its VFs, mediated devices and how many of each type are left,
 * huge pages, CPUs, and the affinity of every task, every interrupt and of workqueues.
 *
 * A task or an interrupt that is in only one of two snapshots is no difference:
 * they come and go. Interrupts are told by their name, since a driver that
 * leaves and returns gets other numbers. Whatever else is only in one of them
 * is a difference.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"
#include "lease.h"
#include "nvme.h"

static void add(struct host *host, const char *value, const char *note, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void *must(void *memory)
{
	if (!memory) {
		perror("memory");
		abort();
	}
	return memory;
}

static void add(struct host *host, const char *value, const char *note, const char *fmt, ...)
{
	struct host_line *line;
	char key[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(key, sizeof(key), fmt, args);
	va_end(args);
	if (!(host->count & (host->count + 1)))
		host->lines = must(realloc(host->lines,
					   2 * (host->count + 1) * sizeof(*host->lines)));
	line = &host->lines[host->count++];
	line->key = must(strdup(key));
	line->value = must(strdup(value));
	line->note = must(strdup(note));
}

/* A file's text without the last newline; false if it can't be read. */
static bool slurp(int dir, const char *path, char *buf, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t len;

	if (fd < 0)
		return false;
	while (done < size - 1 && (len = read(fd, buf + done, size - 1 - done)) > 0)
		done += len;
	close(fd);
	if (done && buf[done - 1] == '\n')
		done--;
	buf[done] = '\0';
	return done || len == 0;
}

static DIR *open_dir(const char *path)
{
	DIR *dir = opendir(path);

	if (!dir && errno != ENOENT && errno != ESRCH)
		perror(path);
	return dir;
}

static void take_pci(struct host *host)
{
	static const char *const attrs[] = {
		"driver_override", "sriov_numvfs", "power/control", "nvidia/current_vgpu_type",
	};
	DIR *dir = open_dir("/sys/bus/pci/devices");
	char path[600], text[512];
	struct dirent *entry;
	ssize_t len;
	size_t i;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/driver", entry->d_name);
		len = readlinkat(dirfd(dir), path, text, sizeof(text) - 1);
		text[len > 0 ? len : 0] = '\0';
		add(host, strrchr(text, '/') ? strrchr(text, '/') + 1 : "-", "",
		    "pci/%s/driver", entry->d_name);
		for (i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
			snprintf(path, sizeof(path), "%s/%s", entry->d_name, attrs[i]);
			if (slurp(dirfd(dir), path, text, sizeof(text)))
				add(host, text, "", "pci/%s/%s", entry->d_name, attrs[i]);
		}
	}
	if (dir)
		closedir(dir);
}

/* What is set of the VFs of network cards that have some. */
static void take_vfs(struct host *host)
{
	DIR *dir = open_dir("/sys/class/net");
	char path[600], text[512], *name, *value;
	struct dirent *entry;
	ssize_t len;
	FILE *pipe;
	int vf;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/device/sriov_numvfs", entry->d_name);
		if (entry->d_name[0] == '.' || !slurp(dirfd(dir), path, text, sizeof(text)) ||
		    !atoi(text))
			continue;
		/* Its interface may get another name, the function doesn't. */
		snprintf(path, sizeof(path), "%s/device", entry->d_name);
		len = readlinkat(dirfd(dir), path, text, sizeof(text) - 1);
		if (len < 0)
			continue;
		text[len] = '\0';
		name = strdup(strrchr(text, '/') + 1);
		snprintf(path, sizeof(path), "ip link show dev %s", entry->d_name);
		pipe = popen(path, "re");
		while (pipe && fgets(text, sizeof(text), pipe)) {
			text[strcspn(text, "\n")] = '\0';
			if (sscanf(text, " vf %d", &vf) != 1)
				continue;
			value = strstr(text, "link/");
			add(host, value ? value : text, "", "pci/%s/vf%d", name, vf);
		}
		if (pipe)
			pclose(pipe);
		free(name);
	}
	if (dir)
		closedir(dir);
}

static void take_mdev_types(struct host *host, const char *parent)
{
	char path[600], text[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/mdev_bus/%s/mdev_supported_types", parent);
	dir = open_dir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/available_instances", entry->d_name);
		if (slurp(dirfd(dir), path, text, sizeof(text)))
			add(host, text, "", "mdev-type/%s/%s", parent, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static void take_nvme(struct host *host)
{
	int fd = nvme_open(NVME), i;
	struct nvme_vf vf;
	char text[64];

	for (i = 0; fd >= 0 && !nvme_read_vf(fd, i, &vf); i++) {
		snprintf(text, sizeof(text), "%s %u %u", vf.online ? "online" : "offline",
			 vf.has[NVME_QUEUES], vf.has[NVME_VECTORS]);
		add(host, text, "", "nvme/%d", i);
	}
	if (fd >= 0)
		close(fd);
}

static void take_mdevs(struct host *host)
{
	DIR *dir = open_dir("/sys/class/mdev_bus");
	char path[600], text[512];
	struct dirent *entry;
	ssize_t len;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			take_mdev_types(host, entry->d_name);
	}
	if (dir)
		closedir(dir);
	dir = open_dir("/sys/bus/mdev/devices");
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/mdev_type", entry->d_name);
		len = readlinkat(dirfd(dir), path, text, sizeof(text) - 1);
		text[len > 0 ? len : 0] = '\0';
		add(host, strrchr(text, '/') ? strrchr(text, '/') + 1 : "-", "", "mdev/%s",
		    entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static void take_pages(struct host *host)
{
	DIR *nodes = open_dir("/sys/devices/system/node"), *sizes;
	struct dirent *node, *size;
	char path[600], text[64];

	while (nodes && (node = readdir(nodes))) {
		if (strncmp(node->d_name, "node", 4) || !isdigit(node->d_name[4]))
			continue;
		snprintf(path, sizeof(path), "/sys/devices/system/node/%s/hugepages",
			 node->d_name);
		sizes = open_dir(path);
		while (sizes && (size = readdir(sizes))) {
			if (size->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/nr_hugepages", size->d_name);
			if (slurp(dirfd(sizes), path, text, sizeof(text)))
				add(host, text, "", "%s/%s", node->d_name, size->d_name);
		}
		if (sizes)
			closedir(sizes);
	}
	if (nodes)
		closedir(nodes);
}

/* Names of interrupt number @irq in the text of /proc/interrupts, or "". */
static void irq_name(const char *table, const char *irq, char *name, size_t size)
{
	const char *line = table, *end;
	char head[300];

	name[0] = '\0';
	snprintf(head, sizeof(head), "%s:", irq);
	for (; line && *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		while (*line == ' ')
			line++;
		if (strncmp(line, head, strlen(head)))
			continue;
		/* After the counts: chip, its own number, what asked for it. */
		line += strlen(head);
		while (line < end && (*line == ' ' || isdigit(*line)))
			line++;
		while (line < end && *line != ' ')
			line++;
		while (line < end && *line == ' ')
			line++;
		while (line < end && *line != ' ')
			line++;
		while (line < end && *line == ' ')
			line++;
		snprintf(name, size, "%.*s", (int)(end - line), line);
		return;
	}
}

static int compare_numbers(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static int is_number(const struct dirent *entry)
{
	return isdigit(entry->d_name[0]);
}

static void take_irqs(struct host *host)
{
	char path[300], text[512], name[256], key[300];
	struct dirent **irqs;
	size_t first = host->count, j;
	char *table;
	int i, count, same;

	table = must(malloc(1 << 18));
	if (!slurp(AT_FDCWD, "/proc/interrupts", table, 1 << 18))
		perror("/proc/interrupts");
	count = scandir("/proc/irq", &irqs, is_number, compare_numbers);
	if (count < 0)
		perror("/proc/irq");
	for (i = 0; i < count; i++) {
		irq_name(table, irqs[i]->d_name, name, sizeof(name));
		snprintf(path, sizeof(path), "/proc/irq/%s/smp_affinity", irqs[i]->d_name);
		if (name[0] && slurp(AT_FDCWD, path, text, sizeof(text))) {
			snprintf(key, sizeof(key), "irq/%s", name);
			/* A driver may give all of its vectors one name. */
			for (same = 0, j = first; j < host->count; j++) {
				if (!strncmp(host->lines[j].key, key, strlen(key)) &&
				    host->lines[j].key[strlen(key)] == '#')
					same++;
			}
			add(host, text, irqs[i]->d_name, "%s#%d", key, same);
		}
		free(irqs[i]);
	}
	if (count >= 0)
		free(irqs);
	free(table);
}

/*
 * Without a look at when it was started: tests/run sees to it that numbers are
 * not used again soon. For the hundreds of looks that a test takes, reading one
 * file less of each task is a lot.
 */
static void take_task(struct host *host, int task, bool names)
{
	unsigned long mask[1024 / sizeof(long)] = {};
	char path[64], text[2 * sizeof(mask) + 1], name[64] = "", *at = text;
	int size, i;

	size = syscall(SYS_sched_getaffinity, task, sizeof(mask), mask);
	if (size < 0)
		return;
	for (i = size / (int)sizeof(long) - 1; i > 0 && !mask[i]; i--)
		;
	at += sprintf(at, "%lx", mask[i]);
	while (i-- > 0)
		at += sprintf(at, "%016lx", mask[i]);
	if (names) {
		snprintf(path, sizeof(path), "/proc/%d/comm", task);
		slurp(AT_FDCWD, path, name, sizeof(name));
	}
	add(host, text, name, "task/%d", task);
}

/*
 * All tasks of a control group and of those in it: a file for each group, where
 * /proc has a directory for each task. The kernel's own are in the topmost one.
 */
static void take_tasks(struct host *host, const char *group, bool names)
{
	DIR *dir = open_dir(group);
	struct dirent *entry;
	char path[4096];
	FILE *file;
	int task;

	snprintf(path, sizeof(path), "%s/cgroup.threads", group);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &task) == 1)
		take_task(host, task, names);
	if (file)
		fclose(file);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", group, entry->d_name);
		take_tasks(host, path, names);
	}
	if (dir)
		closedir(dir);
}

static void take_file(struct host *host, const char *path, const char *key)
{
	char text[4096];

	if (slurp(AT_FDCWD, path, text, sizeof(text)))
		add(host, text, "", "%s", key);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(((const struct host_line *)a)->key, ((const struct host_line *)b)->key);
}

/**
 * host_take - look at the host
 * @host: filled in; to be freed by host_free()
 * @names: with the names of tasks, for people
 */
void host_take(struct host *host, bool names)
{
	size_t first;

	memset(host, 0, sizeof(*host));
	take_pci(host);
	take_vfs(host);
	take_nvme(host);
	take_mdevs(host);
	take_pages(host);
	take_irqs(host);
	first = host->count;
	take_tasks(host, "/sys/fs/cgroup", names);
	if (host->count == first) {
		fprintf(stderr, "no tasks in /sys/fs/cgroup\n");
		abort();
	}
	take_file(host, "/sys/devices/virtual/workqueue/cpumask", "workqueue/cpumask");
	take_file(host, "/proc/irq/default_smp_affinity", "irq-default");
	take_file(host, "/sys/devices/system/cpu/online", "cpu/online");
	qsort(host->lines, host->count, sizeof(*host->lines), compare_lines);
}

/**
 * host_write - print a snapshot
 * @host: the snapshot
 * @file: where to
 */
void host_write(const struct host *host, FILE *file)
{
	size_t i;

	for (i = 0; i < host->count; i++)
		fprintf(file, "%s = %s%s%s\n", host->lines[i].key, host->lines[i].value,
			host->lines[i].note[0] ? "\t# " : "", host->lines[i].note);
}

/**
 * host_read - read what host_write() has printed
 * @host: filled in
 * @file: where from
 *
 * Return: false if it isn't a snapshot.
 */
bool host_read(struct host *host, FILE *file)
{
	char line[8192], *value, *note;

	memset(host, 0, sizeof(*host));
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		value = strstr(line, " = ");
		if (!value)
			return false;
		*value = '\0';
		value += 3;
		note = strstr(value, "\t# ");
		if (note)
			*note = '\0';
		add(host, value, note ? note + 3 : "", "%s", line);
	}
	/* An empty file is no snapshot: whoever made it has failed. */
	return host->count;
}

static bool comes_and_goes(const char *key)
{
	return !strncmp(key, "task/", 5) || !strncmp(key, "irq/", 4);
}

/* " (NAME)", of the task as it is now if that wasn't noted, or "". */
static void name_of(const struct host_line *line, char *name, size_t size)
{
	char path[600], text[64];
	const char *tid = strrchr(line->key, '/');

	snprintf(text, sizeof(text), "%s", line->note);
	if (!text[0] && !strncmp(line->key, "task/", 5)) {
		snprintf(path, sizeof(path), "/proc%s/comm", tid);
		slurp(AT_FDCWD, path, text, sizeof(text));
	}
	snprintf(name, size, text[0] ? " (%s)" : "%s", text);
}

#define PF_WQ_WORKER	0x20

static bool one_cpu(const char *mask)
{
	const char *digit = mask + strspn(mask, "0,");

	return *digit && strchr("1248", *digit) && !digit[1 + strspn(digit + 1, "0,")];
}

/*
 * The rescuer of a workqueue goes where it is needed. Once it has helped a CPU's
 * workers it stays on that CPU until it helps others, and on older kernels also
 * the other way round: that is no lease's doing. Being kept off some CPUs is.
 */
static bool rescued(const struct host *host, const struct host_line *from,
		    const struct host_line *to)
{
	char path[600], text[1024], *at;
	const char *all = "";
	unsigned long flags;
	size_t i;

	snprintf(path, sizeof(path), "/proc%s/stat", strrchr(from->key, '/'));
	if (!slurp(AT_FDCWD, path, text, sizeof(text)))
		return false;
	at = strrchr(text, ')');
	if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %lu", &flags) != 1 ||
	    !(flags & PF_WQ_WORKER))
		return false;
	for (i = 0; i < host->count; i++) {
		if (!strcmp(host->lines[i].key, "workqueue/cpumask"))
			all = host->lines[i].value;
	}
	return (one_cpu(from->value) || !strcmp(from->value, all)) &&
	       (one_cpu(to->value) || !strcmp(to->value, all));
}

/**
 * host_diff - print how two snapshots differ
 * @a: the first
 * @b: the second
 * @file: where to
 * @prefix: of each line
 *
 * Return: how many differences there are.
 */
int host_diff(const struct host *a, const struct host *b, FILE *file, const char *prefix)
{
	size_t i = 0, j = 0;
	int order, count = 0;
	char name[80];

	while (i < a->count || j < b->count) {
		const struct host_line *from = i < a->count ? &a->lines[i] : NULL;
		const struct host_line *to = j < b->count ? &b->lines[j] : NULL;

		order = !from ? 1 : !to ? -1 : strcmp(from->key, to->key);
		if (order <= 0)
			i++;
		if (order >= 0)
			j++;
		if (!order && !strcmp(from->value, to->value))
			continue;
		if (order && comes_and_goes(order < 0 ? from->key : to->key))
			continue;
		name_of(order <= 0 ? from : to, name, sizeof(name));
		/*
		 * The thread of an interrupt follows its affinity, but only when
		 * it runs next: the interrupt itself says what that will be.
		 */
		if (!strncmp(name, " (irq/", 6))
			continue;
		if (!order && !strncmp(from->key, "task/", 5) && rescued(a, from, to))
			continue;
		fprintf(file, "%s%s%s: %s -> %s\n", prefix, order <= 0 ? from->key : to->key,
			name, order <= 0 ? from->value : "nothing",
			order >= 0 ? to->value : "nothing");
		count++;
	}
	return count;
}

/**
 * host_free - free a snapshot
 * @host: the snapshot
 */
void host_free(struct host *host)
{
	size_t i;

	for (i = 0; i < host->count; i++) {
		free(host->lines[i].key);
		free(host->lines[i].value);
		free(host->lines[i].note);
	}
	free(host->lines);
	memset(host, 0, sizeof(*host));
}
