// SPDX-License-Identifier: GPL-2.0
/* Tables, JSON, and numbers as people write them. */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "cli.h"

/* ----------------------------------------------------------------- tables */

/* What is put together in memory is for stdout. */
static int output_fd(FILE *file)
{
	int fd = fileno(file);

	return fd < 0 ? STDOUT_FILENO : fd;
}

size_t output_width(FILE *file)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long width;

	if (isatty(output_fd(file)) && !ioctl(output_fd(file), TIOCGWINSZ, &size) &&
	    size.ws_col >= 40)
		return size.ws_col;
	width = columns ? strtol(columns, NULL, 10) : 0;
	return width >= 40 && width <= 1000 ? width : 80;
}

size_t output_height(FILE *file)
{
	struct winsize size;

	if (isatty(output_fd(file)) && !ioctl(output_fd(file), TIOCGWINSZ, &size))
		return size.ws_row;
	return 0;
}

bool colors_wanted(FILE *file)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(output_fd(file)) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

struct libscols_table *table_new(const char *const headings[])
{
	struct libscols_table *table;
	struct libscols_column *column;

	scols_init_debug(0);
	table = scols_new_table();
	if (!table)
		return NULL;
	for (; *headings; headings++) {
		size_t length = strlen(*headings);
		char heading[32];
		int flags = 0;

		snprintf(heading, sizeof(heading), "%s", *headings);
		if (length && heading[length - 1] == '>')
			flags = SCOLS_FL_RIGHT;
		else if (length && heading[length - 1] == '~')
			flags = SCOLS_FL_WRAP;
		if (flags)
			heading[length - 1] = '\0';
		column = scols_table_new_column(table, heading, 0, flags);
		if (!column) {
			scols_unref_table(table);
			return NULL;
		}
		/* smartcols would break within words: fold() breaks, and this
		 * makes it keep to the lines that it finds
		 */
		if (flags == SCOLS_FL_WRAP) {
			scols_column_set_safechars(column, "\n");
			scols_column_set_wrapfunc(column, scols_wrapnl_chunksize,
						  scols_wrapnl_nextchunk, NULL);
		}
	}
	return table;
}

struct libscols_line *table_line(struct libscols_table *table)
{
	return table ? scols_table_new_line(table, NULL) : NULL;
}

void table_cell(struct libscols_line *line, size_t column, const char *format, ...)
{
	char *text;
	va_list args;

	if (!line)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (text && scols_line_refer_data(line, column, text))
		free(text);
}

void table_color(struct libscols_line *line, size_t column, const char *color)
{
	struct libscols_cell *cell = line ? scols_line_get_cell(line, column) : NULL;

	if (cell)
		scols_cell_set_color(cell, color);
}

/* Breaks a text between words into lines of @width. */
static void fold(char *text, size_t width)
{
	char *start = text, *blank = NULL;

	for (char *at = text; *at; at++) {
		if (*at == '\n') {
			start = at + 1;
			blank = NULL;
			continue;
		}
		if (*at == ' ')
			blank = at;
		if ((size_t)(at - start) >= width && blank) {
			*blank = '\n';
			start = blank + 1;
			blank = NULL;
		}
	}
}

/* The width that the other columns leave for the one that may be wrapped. */
static void fold_column(struct libscols_table *table, size_t width)
{
	size_t columns = scols_table_get_ncols(table), lines = scols_table_get_nlines(table);
	size_t wrapped = columns, used = 0;

	for (size_t c = 0; c < columns; c++) {
		struct libscols_column *column = scols_table_get_column(table, c);
		size_t most;

		if (scols_column_get_flags(column) & SCOLS_FL_WRAP) {
			wrapped = c;
			continue;
		}
		most = strlen(scols_cell_get_data(scols_column_get_header(column)));
		for (size_t l = 0; l < lines; l++) {
			const char *data = scols_cell_get_data(scols_line_get_cell(
					   scols_table_get_line(table, l), c));

			if (data && strlen(data) > most)
				most = strlen(data);
		}
		used += most + 1;
	}
	if (wrapped == columns)
		return;
	width = width > used + 20 ? width - used : 20;
	for (size_t l = 0; l < lines; l++) {
		struct libscols_line *line = scols_table_get_line(table, l);
		const char *data = scols_cell_get_data(scols_line_get_cell(line, wrapped));
		char *text = data ? strdup(data) : NULL;

		if (!text)
			continue;
		fold(text, width);
		if (scols_line_refer_data(line, wrapped, text))
			free(text);
	}
}

void table_print(struct libscols_table *table, FILE *file)
{
	if (!table)
		return;
	fflush(file);
	fold_column(table, output_width(file));
	scols_table_set_stream(table, file);
	scols_table_enable_colors(table, colors_wanted(file));
	/* a table in a pipe or a log is as wide as on a terminal */
	scols_table_set_termforce(table, SCOLS_TERMFORCE_ALWAYS);
	scols_table_set_termwidth(table, output_width(file));
	scols_print_table(table);
	scols_unref_table(table);
}

/* ------------------------------------------------------------------- JSON */

int json_print(struct json_object *object)
{
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
	return EXIT_OK;
}

int json_print_line(struct json_object *object)
{
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
	json_object_put(object);
	return EXIT_OK;
}

/* Bytes of the UTF-8 character at @text, or 0 where there is none. */
static size_t utf8_length(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	size_t length = *c < 0x80 ? 1 : *c < 0xc2 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 :
			*c < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < length; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	/* overlong, surrogates, and beyond the last one */
	if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) ||
	    (*c == 0xf0 && c[1] < 0x90) || (*c == 0xf4 && c[1] > 0x8f))
		return 0;
	return length;
}

struct json_object *json_text(const char *text)
{
	struct json_object *object;
	char *copy, *at;

	if (!text)
		return NULL;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (at = copy; *at;) {
		size_t length = utf8_length(at);

		if (!length)
			*at = '?';
		at += length ? length : 1;
	}
	object = json_object_new_string(copy);
	free(copy);
	return object;
}

struct json_object *json_addr(const struct devirt_pci_addr *addr)
{
	char text[DEVIRT_ADDR_TEXT];

	return json_object_new_string(devirt_addr_format(addr, text));
}

static void add_vfio(struct json_object *object, const struct devirt_vfio *vfio)
{
	char driver[DEVIRT_DRIVER_MAX + 1];

	snprintf(driver, sizeof(driver), "%.*s", DEVIRT_DRIVER_MAX, vfio->driver);
	json_object_object_add(object, "vfio_group", json_object_new_int64(vfio->group));
	if (vfio->device != DEVIRT_INDEX_NONE)
		json_object_object_add(object, "vfio_device",
				       json_object_new_int64(vfio->device));
	json_object_object_add(object, "from_driver", json_text(driver[0] ? driver : NULL));
	json_object_object_add(object, "resets", json_object_new_boolean(
			       !(vfio->flags & DEVIRT_VFIO_NO_RESET)));
}

static void add_vf(struct json_object *object, const struct devirt_record_vf *vf, bool held)
{
	json_object_object_add(object, "pf", json_addr(&vf->pf));
	if (vf->index != DEVIRT_VF_ANY)
		json_object_object_add(object, "index", json_object_new_int64(vf->index));
	if (vf->pool)
		json_object_object_add(object, "pool", json_object_new_int64(vf->pool));
	if (!held)
		return;
	json_object_object_add(object, "address", json_addr(&vf->addr));
	json_object_object_add(object, "pool_made", json_object_new_boolean(
			       vf->flags & DEVIRT_VF_POOL_MADE));
	add_vfio(object, &vf->vfio);
}

static void add_mdev(struct json_object *object, const struct devirt_record_mdev *mdev, bool held)
{
	char uuid[DEVIRT_UUID_TEXT];

	json_object_object_add(object, "parent", json_text(mdev->parent));
	json_object_object_add(object, "type", json_text(mdev->type));
	if (!devirt_uuid_is_null(mdev->uuid))
		json_object_object_add(object, "uuid",
				       json_text(devirt_uuid_format(mdev->uuid, uuid)));
	if (!held)
		return;
	if (mdev->vfio.group != DEVIRT_INDEX_NONE)
		json_object_object_add(object, "vfio_group",
				       json_object_new_int64(mdev->vfio.group));
	if (mdev->vfio.device != DEVIRT_INDEX_NONE)
		json_object_object_add(object, "vfio_device",
				       json_object_new_int64(mdev->vfio.device));
}

static void add_irq(struct json_object *object, const struct devirt_irq *irq)
{
	json_object_object_add(object, "irqs", json_text(devirt_irq_policy_name(irq->policy)));
	if (irq->policy == DEVIRT_IRQ_FIXED)
		json_object_object_add(object, "irqs_cpu", json_object_new_int64(irq->cpu));
}

struct json_object *json_record(const struct devirt_record *record, const char *section,
				bool held)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "kind", json_text(devirt_kind_name(record->kind)));
	if (section)
		json_object_object_add(object, "section", json_text(section));
	if (record->node != DEVIRT_NODE_ANY)
		json_object_object_add(object, "node", json_object_new_int(record->node));
	if (held)
		json_object_object_add(object, "state",
				       json_text(devirt_state_name(record->state)));
	switch (record->kind) {
	case DEVIRT_KIND_PCI:
		json_object_object_add(object, "address", json_addr(&record->pci.addr));
		if (held)
			add_vfio(object, &record->pci.vfio);
		add_irq(object, &record->pci.irq);
		break;
	case DEVIRT_KIND_VF:
		add_vf(object, &record->vf, held);
		if (record->vf.settings.set)
			json_object_object_add(object, "settings",
					       setting_json(&record->vf.settings));
		add_irq(object, &record->vf.irq);
		break;
	case DEVIRT_KIND_MDEV:
		add_mdev(object, &record->mdev, held);
		break;
	case DEVIRT_KIND_MEMORY:
		json_object_object_add(object, "page_size",
				       json_object_new_int64(record->memory.page_size));
		json_object_object_add(object, "pages",
				       json_object_new_int64(record->memory.pages));
		break;
	case DEVIRT_KIND_CPU:
		json_object_object_add(object, "cpu", json_object_new_int64(record->cpu.cpu));
		json_object_object_add(object, "role",
				       json_text(devirt_role_name(record->cpu.role)));
		if (record->cpu.role == DEVIRT_ROLE_VCPU)
			json_object_object_add(object, "vcpu",
					       json_object_new_int64(record->cpu.vcpu));
		if (record->cpu.latency_us)
			json_object_object_add(object, "latency_us",
					       json_object_new_int64(record->cpu.latency_us));
		if (record->cpu.min_khz)
			json_object_object_add(object, "min_khz",
					       json_object_new_int64(record->cpu.min_khz));
		if (held && record->cpu.thread)
			json_object_object_add(object, "thread",
					       json_object_new_int64(record->cpu.thread));
		break;
	}
	return object;
}

/* ------------------------------------------------------------------ words */

char *plain_text(const char *text)
{
	char *copy = strdup(text);

	for (char *at = copy; at && *at;) {
		size_t length = utf8_length(at);

		/* ESC, DEL, and C1: 0x80 to 0x9f, which UTF-8 begins with 0xc2 */
		if (!length || (unsigned char)*at < ' ' || *at == 0x7f ||
		    ((unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0)) {
			*at++ = '?';
			continue;
		}
		at += length;
	}
	return copy;
}

char *size_text(uint64_t bytes)
{
	static const struct {
		int shift;
		char unit;
	} units[] = { { 40, 'T' }, { 30, 'G' }, { 20, 'M' }, { 10, 'K' } };
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!bytes || bytes & ((1ULL << units[i].shift) - 1))
			continue;
		if (asprintf(&text, "%llu%c", (unsigned long long)bytes >> units[i].shift,
			     units[i].unit) < 0)
			return NULL;
		return text;
	}
	return asprintf(&text, "%llu", (unsigned long long)bytes) < 0 ? NULL : text;
}

char *list_text(const unsigned int *numbers, size_t count)
{
	char *text = NULL;
	size_t size, first, last;
	FILE *file;

	file = open_memstream(&text, &size);
	if (!file)
		return NULL;
	for (first = 0; first < count; first = last + 1) {
		for (last = first; last + 1 < count && numbers[last + 1] == numbers[last] + 1;)
			last++;
		fprintf(file, "%s%u", first ? "," : "", numbers[first]);
		if (last > first)
			fprintf(file, "%c%u", last > first + 1 ? '-' : ',', numbers[last]);
	}
	fclose(file);
	return text;
}

const char *node_text(int node, char text[24])
{
	if (node == DEVIRT_NODE_ANY)
		return "any node";
	snprintf(text, 24, "node %d", node);
	return text;
}

char *record_resource(const struct devirt_record *record)
{
	char *text = NULL, *size;

	switch (record->kind) {
	case DEVIRT_KIND_CPU:
		if (record->cpu.role == DEVIRT_ROLE_VCPU) {
			if (asprintf(&text, "vCPU %u", record->cpu.vcpu) < 0)
				return NULL;
			return text;
		}
		return strdup(record->cpu.role == DEVIRT_ROLE_EMULATOR ? "emulator" : "idle");
	case DEVIRT_KIND_MEMORY:
		size = size_text(record->memory.page_size * record->memory.pages);
		if (!size)
			return NULL;
		if (asprintf(&text, "memory %s", size) < 0)
			text = NULL;
		free(size);
		return text;
	case DEVIRT_KIND_PCI:
		return strdup("device");
	case DEVIRT_KIND_VF:
		return strdup("vf");
	case DEVIRT_KIND_MDEV:
		return strdup("mdev");
	}
	return strdup(devirt_kind_name(record->kind));
}

const char *frequency_text(unsigned long khz, char text[32])
{
	if (khz % 1000)
		snprintf(text, 32, "%lukHz", khz);
	else if (khz < 1000000)
		snprintf(text, 32, "%luMHz", khz / 1000);
	else
		snprintf(text, 32, "%gGHz", khz / 1e6);
	return text;
}

char *record_wishes(const struct devirt_record *record)
{
	const struct devirt_irq *irq = record->kind == DEVIRT_KIND_PCI ? &record->pci.irq :
				       record->kind == DEVIRT_KIND_VF ? &record->vf.irq : NULL;
	char latency[32] = "", floor[48] = "", frequency[32], *text = NULL, *settings, *both;
	int ret = 0;

	if (irq && irq->policy == DEVIRT_IRQ_FIXED) {
		ret = asprintf(&text, "interrupts on CPU %u", irq->cpu);
	} else if (irq && irq->policy != DEVIRT_IRQ_FOLLOW) {
		ret = asprintf(&text, "interrupts: %s", devirt_irq_policy_name(irq->policy));
	} else if (record->kind == DEVIRT_KIND_CPU &&
		   (record->cpu.latency_us || record->cpu.min_khz)) {
		if (record->cpu.latency_us)
			snprintf(latency, sizeof(latency), "wakes in %uus",
				 record->cpu.latency_us);
		if (record->cpu.min_khz)
			snprintf(floor, sizeof(floor), "%sat least %s", *latency ? ", " : "",
				 frequency_text(record->cpu.min_khz, frequency));
		ret = asprintf(&text, "%s%s", latency, floor);
	}
	if (ret < 0)
		text = NULL;
	settings = record->kind == DEVIRT_KIND_VF ? setting_text(&record->vf.settings) : NULL;
	if (!settings || !text)
		return settings ? settings : text;
	ret = asprintf(&both, "%s; %s", settings, text);
	free(settings);
	free(text);
	return ret < 0 ? NULL : both;
}

char *record_choice(const struct devirt_record *record)
{
	char addr[DEVIRT_ADDR_TEXT], *text, *size;
	static const struct devirt_pci_addr none;
	int ret;

	if (record->kind == DEVIRT_KIND_MEMORY) {
		size = size_text(record->memory.page_size);
		ret = asprintf(&text, "%llu page%s of %s",
			       (unsigned long long)record->memory.pages,
			       record->memory.pages == 1 ? "" : "s", size ? size : "?");
		free(size);
		return ret < 0 ? NULL : text;
	}
	/* a VF that is held has an address of its own */
	if (record->kind != DEVIRT_KIND_VF || devirt_addr_equal(&record->vf.addr, &none))
		return devirt_describe_record(record);
	text = strdup(devirt_addr_format(&record->vf.addr, addr));
	return text;
}
