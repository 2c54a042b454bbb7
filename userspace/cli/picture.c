// SPDX-License-Identifier: GPL-2.0
/*
 * The machine as a picture: a frame for each node, a box for each core with its
 * hardware threads, and the devices that hang there. Where boxes for all cores
 * would be too many to look at, a line for each partition takes their place.
 */
#define _GNU_SOURCE
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/sysfs.h"
#include "cli.h"
#include "machine.h"

#define BOXES_MAX	40	/* cores; ten rows or so */
#define WIDTH_MAX	120
#define LABEL_MAX	28	/* what is said of a CPU */

#define NO_COLOR	""
#define DIM		"\033[2m"
#define BOLD		"\033[1m"

/* Corners of the frame, of the boxes; lines; a branch. */
struct shapes {
	const char *top_left, *top_right, *bottom_left, *bottom_right;
	const char *box_top_left, *box_top_right, *box_bottom_left, *box_bottom_right;
	const char *across, *down, *branch, *more;
};

static const struct shapes utf8 = {
	"┌", "┐", "└", "┘", "╭", "╮", "╰", "╯", "─", "│", "└─", "…",
};

static const struct shapes ascii = {
	"+", "+", "+", "+", ".", ".", "'", "'", "-", "|", "`-", "~",
};

struct picture {
	const struct machine *machine;
	const struct shapes *shapes;
	FILE *file;
	bool colors;
	bool boxes;
	size_t width;		/* of all */
	size_t at;		/* columns of the line that are written */
	int digits;		/* of a CPU's number */
	size_t label;		/* columns of what is said of a CPU */
};

/* ------------------------------------------------------------------ lines */

static void put(struct picture *p, const char *color, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes ASCII text, which is as wide as it has bytes, but not over the edge. */
static void put(struct picture *p, const char *color, const char *format, ...)
{
	size_t room = p->width > p->at + 2 ? p->width - p->at - 2 : 0, length;
	char *text;
	va_list args;
	int ret;

	va_start(args, format);
	ret = vasprintf(&text, format, args);
	va_end(args);
	if (ret < 0)
		return;
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	length = strlen(text);
	if (p->colors && *color)
		fputs(color, p->file);
	if (length > room && room)
		fprintf(p->file, "%.*s%s", (int)room - 1, text, p->shapes->more);
	else if (room)
		fputs(text, p->file);
	if (p->colors && *color)
		fputs("\033[0m", p->file);
	p->at += length > room ? room : length;
	free(text);
}

/* A shape, of which each is @columns wide. */
static void shape(struct picture *p, const char *what, size_t columns)
{
	fputs(what, p->file);
	p->at += columns;
}

static void repeat(struct picture *p, const char *what, size_t count)
{
	while (count--)
		shape(p, what, 1);
}

static void begin_line(struct picture *p)
{
	p->at = 0;
	shape(p, p->shapes->down, 1);
	repeat(p, " ", 1);
}

static void end_line(struct picture *p)
{
	while (p->at + 1 < p->width)
		repeat(p, " ", 1);
	shape(p, p->shapes->down, 1);
	fputc('\n', p->file);
}

static void frame_top(struct picture *p, const char *title)
{
	p->at = 0;
	shape(p, p->shapes->top_left, 1);
	repeat(p, p->shapes->across, 1);
	put(p, BOLD, " %s ", title);
	while (p->at + 1 < p->width)
		repeat(p, p->shapes->across, 1);
	shape(p, p->shapes->top_right, 1);
	fputc('\n', p->file);
}

static void frame_bottom(struct picture *p)
{
	p->at = 0;
	shape(p, p->shapes->bottom_left, 1);
	while (p->at + 1 < p->width)
		repeat(p, p->shapes->across, 1);
	shape(p, p->shapes->bottom_right, 1);
	fputc('\n', p->file);
}

/* ------------------------------------------------------------------- CPUs */

static const char *color_of(const struct picture *p, const struct held_partition *partition)
{
	static const char *const colors[] = {
		"\033[32m", "\033[36m", "\033[35m", "\033[33m", "\033[34m",
	};

	return partition ? colors[(partition - p->machine->held.v) % ARRAY_SIZE(colors)] :
			   NO_COLOR;
}

/* "lab vCPU 3", or "host". A long name is cut, so that the role stays. */
static const struct held_partition *label(const struct picture *p, unsigned int cpu,
					  char text[128])
{
	const struct held_partition *partition;
	const struct devirt_record *record;
	char role[32];
	size_t name, room;

	partition = machine_cpu(p->machine, cpu, &record);
	if (!partition) {
		strcpy(text, "host");
		return NULL;
	}
	if (record->cpu.role == DEVIRT_ROLE_VCPU)
		snprintf(role, sizeof(role), "vCPU %u", record->cpu.vcpu);
	else
		snprintf(role, sizeof(role), "%s",
			 record->cpu.role == DEVIRT_ROLE_EMULATOR ? "emulator" : "idle");
	name = strlen(partition->get.name);
	room = LABEL_MAX - strlen(role) - 1;
	snprintf(text, 128, "%.*s%s %s", (int)(name > room ? room - 1 : room),
		 partition->get.name, name > room ? "~" : "", role);
	return partition;
}

static void measure(struct picture *p)
{
	const struct devirt_core *cores;
	unsigned int last = 0;
	char text[128];
	size_t count;

	cores = devirt_topology_cores(p->machine->topology, &count);
	p->boxes = count <= BOXES_MAX;
	for (size_t i = 0; i < count; i++) {
		for (unsigned int k = 0; k < cores[i].count; k++) {
			if (cores[i].cpus[k] > last)
				last = cores[i].cpus[k];
			label(p, cores[i].cpus[k], text);
			if (strlen(text) > p->label)
				p->label = strlen(text);
		}
	}
	p->digits = snprintf(NULL, 0, "%u", last);
	/* the picture doesn't jump when the first partition comes */
	if (p->label < 10)
		p->label = 10;
}

/* One line of the boxes of a row of cores. */
static void row_edge(struct picture *p, size_t count, bool top)
{
	begin_line(p);
	for (size_t i = 0; i < count; i++) {
		shape(p, top ? p->shapes->box_top_left : p->shapes->box_bottom_left, 1);
		repeat(p, p->shapes->across, p->digits + p->label + 3);
		shape(p, top ? p->shapes->box_top_right : p->shapes->box_bottom_right, 1);
		repeat(p, " ", 1);
	}
	end_line(p);
}

static void row_of_boxes(struct picture *p, const struct devirt_core *const *cores, size_t count)
{
	unsigned int threads = 0;
	char text[128];

	for (size_t i = 0; i < count; i++)
		if (cores[i]->count > threads)
			threads = cores[i]->count;
	row_edge(p, count, true);
	for (unsigned int k = 0; k < threads; k++) {
		begin_line(p);
		for (size_t i = 0; i < count; i++) {
			const struct held_partition *partition;
			const char *color = NO_COLOR;

			shape(p, p->shapes->down, 1);
			if (k < cores[i]->count) {
				partition = label(p, cores[i]->cpus[k], text);
				if (partition)
					color = color_of(p, partition);
				put(p, NO_COLOR, " %*u ", p->digits, cores[i]->cpus[k]);
				put(p, partition ? color : DIM, "%-*s", (int)p->label, text);
				repeat(p, " ", 1);
			} else {
				repeat(p, " ", p->digits + p->label + 3);
			}
			shape(p, p->shapes->down, 1);
			repeat(p, " ", 1);
		}
		end_line(p);
	}
	row_edge(p, count, false);
}

static void boxes(struct picture *p, int node)
{
	size_t box = p->digits + p->label + 6, most = (p->width - 3) / box, count, n = 0;
	const struct devirt_core *cores, **row;

	cores = devirt_topology_cores(p->machine->topology, &count);
	if (!most)
		most = 1;
	row = calloc(most, sizeof(*row));
	if (!row)
		return;
	for (size_t i = 0; i < count; i++) {
		if (cores[i].node == node)
			row[n++] = &cores[i];
		if (n && (n == most || i + 1 == count)) {
			row_of_boxes(p, row, n);
			n = 0;
		}
	}
	free(row);
}

/* What a partition, or the host, has of a node, where there is no room for a box
 * for each core.
 */
static void holder(struct picture *p, int node, const struct held_partition *partition)
{
	unsigned int *cpus = NULL, vcpus = 0, emulators = 0, idle = 0;
	const struct devirt_core *cores;
	const struct devirt_record *record;
	size_t core_count, count = 0;
	char *list;

	cores = devirt_topology_cores(p->machine->topology, &core_count);
	cpus = calloc(core_count * DEVIRT_CORE_THREADS, sizeof(*cpus));
	if (!cpus)
		return;
	/* threads are numbered core by core on some machines only */
	for (unsigned int k = 0; k < DEVIRT_CORE_THREADS; k++) {
		for (size_t i = 0; i < core_count; i++) {
			if (cores[i].node != node || k >= cores[i].count ||
			    machine_cpu(p->machine, cores[i].cpus[k], &record) != partition)
				continue;
			cpus[count++] = cores[i].cpus[k];
			if (!partition)
				continue;
			vcpus += record->cpu.role == DEVIRT_ROLE_VCPU;
			emulators += record->cpu.role == DEVIRT_ROLE_EMULATOR;
			idle += record->cpu.role == DEVIRT_ROLE_NONE;
		}
	}
	/* list_text() wants them sorted */
	for (size_t i = 1; i < count; i++)
		for (size_t k = i; k && cpus[k] < cpus[k - 1]; k--) {
			unsigned int other = cpus[k];

			cpus[k] = cpus[k - 1];
			cpus[k - 1] = other;
		}
	list = count ? list_text(cpus, count) : NULL;
	free(cpus);
	if (!list)
		return;
	begin_line(p);
	put(p, partition ? color_of(p, partition) : DIM, "%-12.*s", LABEL_MAX,
	    partition ? partition->get.name : "host");
	put(p, NO_COLOR, " CPU%s %s", count > 1 ? "s" : "", list);
	if (partition) {
		put(p, NO_COLOR, ": %u vCPU%s", vcpus, vcpus == 1 ? "" : "s");
		if (emulators)
			put(p, NO_COLOR, ", %u emulator", emulators);
		if (idle)
			put(p, NO_COLOR, ", %u idle", idle);
	}
	end_line(p);
	free(list);
}

/* ---------------------------------------------------------------- devices */

static void device(struct picture *p, const struct devirt_device *device)
{
	const char *owner = held_function(&p->machine->held, &device->addr);
	unsigned int leased = held_vfs(&p->machine->held, &device->addr);
	const char *name = device->names[0] ? device->names : "-";
	char addr[DEVIRT_ADDR_TEXT];

	begin_line(p);
	put(p, NO_COLOR, "%s  %-8s %-10.*s %-10s ", devirt_addr_format(&device->addr, addr),
	    device->kind, (int)strcspn(name, " "), name,
	    device->driver[0] ? device->driver : "-");
	for (size_t i = 0; owner && i < p->machine->held.count; i++)
		if (!strcmp(owner, p->machine->held.v[i].get.name))
			put(p, color_of(p, &p->machine->held.v[i]), "%s", owner);
	if (!owner && device->vfs)
		put(p, NO_COLOR, "%u of %u VFs free",
		    device->vfs > leased ? device->vfs - leased : 0, device->vfs);
	else if (!owner)
		put(p, DIM, "no VFs yet, up to %u", device->vfs_total);
	end_line(p);
	for (size_t i = 0; i < p->machine->held.count; i++) {
		size_t count;
		unsigned int *vfs = machine_vfs(p->machine, i, &device->addr, &count);
		char *list = vfs && count ? list_text(vfs, count) : NULL;

		if (list) {
			begin_line(p);
			repeat(p, " ", 2);
			shape(p, p->shapes->branch, 2);
			put(p, NO_COLOR, " VF%s %s  ", count > 1 ? "s" : "", list);
			put(p, color_of(p, &p->machine->held.v[i]), "%s",
			    p->machine->held.v[i].get.name);
			end_line(p);
		}
		free(list);
		free(vfs);
	}
}

/* Those of a node; with the only node also those that are on none. */
static size_t devices(struct picture *p, int node, bool only, bool print)
{
	size_t count = 0;

	for (size_t i = 0; i < p->machine->device_count; i++) {
		const struct devirt_device *one = &p->machine->devices[i];

		if (!machine_shows(p->machine, one) ||
		    (one->node != node && !(only && one->node == DEVIRT_NODE_ANY)))
			continue;
		count++;
		if (print)
			device(p, one);
	}
	return count;
}

/* -------------------------------------------------------------- the whole */

static void node(struct picture *p, int number, bool only)
{
	uint64_t memory = devirt_topology_node_memory(p->machine->topology, number) >> 20;
	unsigned int cpus = 0, whole = 0;
	const struct devirt_core *cores;
	char title[96], size[32] = "";
	size_t count;

	cores = devirt_topology_cores(p->machine->topology, &count);
	for (size_t i = 0; i < count; i++) {
		cpus += cores[i].node == number ? cores[i].count : 0;
		whole += cores[i].node == number;
	}
	if (memory >= 10240)
		snprintf(size, sizeof(size), ", %llu GiB",
			 (unsigned long long)(memory + 512) >> 10);
	else if (memory)
		snprintf(size, sizeof(size), ", %.1f GiB", memory / 1024.0);
	snprintf(title, sizeof(title), "node %d: %u CPU%s on %u core%s%s", number, cpus,
		 cpus == 1 ? "" : "s", whole, whole == 1 ? "" : "s", size);
	frame_top(p, title);
	if (p->boxes) {
		boxes(p, number);
	} else {
		holder(p, number, NULL);
		for (size_t i = 0; i < p->machine->held.count; i++)
			holder(p, number, &p->machine->held.v[i]);
	}
	devices(p, number, only, true);
	frame_bottom(p);
}

/* A list of CPUs that sysfs keeps; nothing where that is empty. */
static void note(struct picture *p, const char *name, const char *words)
{
	char list[256];

	if (dv_read(list, sizeof(list), "/sys/devices/system/cpu/%s", name) > 0 &&
	    list[strspn(list, "0123456789,-")] == '\0')
		fprintf(p->file, "%s: %s.\n", words, list);
}

void picture_print(const struct machine *machine, FILE *file)
{
	struct picture p = { .machine = machine, .file = file, .shapes = &ascii };
	const int *nodes;
	size_t count;

	setlocale(LC_CTYPE, "");
	if (!strcmp(nl_langinfo(CODESET), "UTF-8"))
		p.shapes = &utf8;
	p.colors = colors_wanted(file);
	p.width = output_width(file);
	if (p.width > WIDTH_MAX)
		p.width = WIDTH_MAX;
	measure(&p);
	nodes = devirt_topology_nodes(machine->topology, &count);
	for (size_t i = 0; i < count; i++)
		node(&p, nodes[i], count == 1);
	if (count > 1 && devices(&p, DEVIRT_NODE_ANY, false, false)) {
		frame_top(&p, "on no node");
		devices(&p, DEVIRT_NODE_ANY, false, true);
		frame_bottom(&p);
	}
	if (!devirt_topology_is_host(machine->topology))
		return;
	note(&p, "offline", "Offline");
	note(&p, "nohz_full", "Without the timer tick (nohz_full)");
}
