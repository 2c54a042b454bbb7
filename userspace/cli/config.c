// SPDX-License-Identifier: GPL-2.0
/* Reading a partition file: inih takes the lines apart, this knows the sections, and
 * config_key.c their keys.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli.h"
#include "config.h"
#include "config_key.h"

/* inih says nothing of a section without keys, and not every build of it says
 * which line a key is in. So the lines are handed to it one by one, and behind
 * each heading one more with this key.
 */
#define MARKER	"\001"

int refuse(struct parser *p, int line, const char *remedy, const char *format, ...)
{
	va_list args;

	if (p->error)
		return 0;
	va_start(args, format);
	if (vasprintf(&p->error, format, args) < 0)
		p->error = NULL;
	va_end(args);
	p->error_line = line;
	p->remedy = remedy ? strdup(remedy) : NULL;
	return 0;
}

/* --------------------------------------------------------------- sections */

static const struct section {
	const char *name;
	bool named;		/* "[vf NAME]" */
	int (*key)(struct parser *p, const char *key, const char *text);
	const char *keys;
} sections[] = {
	{ "partition", false, config_partition_key, "description" },
	{ "device", true, config_device_key, "address, irqs" },
	{ "vf", true, config_vf_key,
	  "pf, index, pool, irqs, mac, vlan, qos, spoof-check, trust, min-rate, max-rate, link, "
	  "queues, vectors, vgpu-type, vram, contexts, doorbells, quantum" },
	{ "mdev", true, config_mdev_key, "parent, type, memory-at-least, uuid" },
	{ "cpus", false, config_cpus_key,
	  "count, cores, cpus, threads, emulator, emulator-cpus, near, node, share-core, latency, min-frequency" },
	{ "memory", false, config_memory_key, "size, page, node" },
};

static const struct section *find_section(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (!strcmp(sections[i].name, name))
			return &sections[i];
	return NULL;
}

static bool device_name_valid(const char *name)
{
	/* it becomes an id of QEMU's, which are such */
	if (!isalpha((unsigned char)*name) || strlen(name) >= sizeof(((struct config_device *)0)->name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-._", *name))
			return false;
	return true;
}

static int add_device(struct parser *p, const char *name, const char *kind)
{
	struct config *config = p->config;
	const struct config_device *other = config_device(config, name);
	struct config_device *devices;

	if (!device_name_valid(name))
		return refuse(p, p->line, NULL,
			      "'%s' can't name a section: a letter first, then letters, digits, '-', '.', '_', 32 at most",
			      name);
	if (other)
		return refuse(p, p->line, "give each device a name of its own",
			      "a section is named '%s' already, in line %d", name, other->line);
	devices = reallocarray(config->devices, config->device_count + 1, sizeof(*devices));
	if (!devices)
		return refuse(p, p->line, NULL, "out of memory");
	config->devices = devices;
	p->device = &devices[config->device_count++];
	memset(p->device, 0, sizeof(*p->device));
	strcpy(p->device->name, name);
	p->device->line = p->line;
	p->device->is_vf = !strcmp(kind, "vf");
	p->device->is_mdev = !strcmp(kind, "mdev");
	p->device->index = DEVIRT_VF_ANY;
	return 1;
}

static int begin_section(struct parser *p, const char *heading)
{
	const struct section *section;
	char kind[64], *name;
	int *line;

	snprintf(kind, sizeof(kind), "%s", heading);
	name = kind + strcspn(kind, " \t");
	if (*name)
		*name++ = '\0';
	name += strspn(name, " \t");
	p->section[0] = '\0';
	p->seen_count = 0;
	p->device = NULL;
	section = find_section(kind);
	if (!section)
		return refuse(p, p->line,
			      "there are [partition], [device NAME], [vf NAME], [mdev NAME], [cpus] and [memory]",
			      "unknown section [%s]", heading);
	if (section->named && !*name)
		return refuse(p, p->line, NULL, "[%s] wants a name: [%s NAME]", kind, kind);
	if (!section->named && *name)
		return refuse(p, p->line, NULL, "[%s] takes no name", kind);
	strcpy(p->section, kind);
	if (section->named)
		return add_device(p, name, kind);
	line = !strcmp(kind, "cpus") ? &p->config->cpus.line :
	       !strcmp(kind, "memory") ? &p->config->memory.line : &p->partition_line;
	if (*line)
		return refuse(p, p->line, "put all in one",
			      "there is a [%s] section already, in line %d", kind, *line);
	*line = p->line;
	return 1;
}

static int handle(void *user, const char *heading, const char *key, const char *value)
{
	struct parser *p = user;
	const struct section *section;
	char text[256];
	size_t length;
	int ret;

	if (!strcmp(key, MARKER))
		return begin_section(p, heading);
	if (!*heading)
		return refuse(p, p->line, NULL, "'%s' is before any section", key);
	/* what belongs to a section that was refused is passed over */
	section = find_section(p->section);
	if (!section)
		return 1;
	/* inih ends a value at " ;" but not at " #" */
	snprintf(text, sizeof(text), "%s", value);
	for (char *at = text; (at = strchr(at, '#')); at++) {
		if (at == text || isspace((unsigned char)at[-1])) {
			*at = '\0';
			break;
		}
	}
	for (length = strlen(text); length && isspace((unsigned char)text[length - 1]);)
		text[--length] = '\0';
	for (size_t i = 0; i < p->seen_count; i++)
		if (!strcmp(p->seen[i], key))
			return refuse(p, p->line, NULL, "%s= is given twice in [%s]", key, heading);
	ret = section->key(p, key, text);
	if (ret < 0) {
		char *remedy = NULL;

		if (asprintf(&remedy, "[%s] has %s", p->section, section->keys) < 0)
			remedy = NULL;
		ret = refuse(p, p->line, remedy, "unknown key '%s' in [%s]", key, heading);
		free(remedy);
		return ret;
	}
	if (p->seen_count < ARRAY_SIZE(p->seen))
		snprintf(p->seen[p->seen_count++], sizeof(p->seen[0]), "%s", key);
	return ret;
}

/* ------------------------------------------------------------------ lines */

static bool note_line(struct parser *p)
{
	if (p->line_count == p->line_space) {
		size_t space = p->line_space ? p->line_space * 2 : 64;
		int *lines = reallocarray(p->lines, space, sizeof(*lines));

		if (!lines)
			return false;
		p->lines = lines;
		p->line_space = space;
	}
	p->lines[p->line_count++] = p->line;
	return true;
}

/* What inih calls for the next line, like fgets(). */
static char *next_line(char *buffer, int size, void *user)
{
	struct parser *p = user;
	ssize_t length;
	char *text;

	if (p->heading) {
		p->heading = false;
		if (!note_line(p))
			return NULL;
		snprintf(buffer, size, "%s=\n", MARKER);
		return buffer;
	}
	length = getline(&p->text, &p->space, p->file);
	if (length < 0)
		return NULL;
	p->line++;
	if (!note_line(p)) {
		refuse(p, p->line, NULL, "out of memory");
		return NULL;
	}
	if (strlen(p->text) != (size_t)length) {
		refuse(p, p->line, NULL, "a NUL byte: this isn't a text file");
		return NULL;
	}
	/* inih would take an indented line for more of the value before it */
	text = p->text;
	if (p->line == 1 && !strncmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	text += strspn(text, " \t\r");
	if (strlen(text) + 2 > (size_t)size) {
		refuse(p, p->line, NULL, "the line is longer than %d characters", size - 3);
		return NULL;
	}
	strcpy(buffer, text);
	p->heading = text[0] == '[' && strchr(text, ']');
	return buffer;
}

/* --------------------------------------------------------------- the whole */

static void check_mdev(struct parser *p, const struct config_device *device)
{
	const struct config *config = p->config;

	if (!device->type_line && !device->memory_line)
		refuse(p, device->line, NULL, "[mdev %s] wants type= or memory-at-least=",
		       device->name);
	if (device->type_line && device->memory_line)
		refuse(p, device->memory_line, "keep one of them",
		       "type= and memory-at-least= say the same thing in different ways");
	for (size_t k = 0; device->uuid_line && &config->devices[k] != device; k++)
		if (config->devices[k].uuid_line &&
		    !memcmp(config->devices[k].uuid, device->uuid, sizeof(device->uuid)))
			refuse(p, device->uuid_line, "give each one of its own, or leave it out",
			       "[mdev %s] has that UUID already, in line %d",
			       config->devices[k].name, config->devices[k].uuid_line);
}

static void check_devices(struct parser *p)
{
	const struct config *config = p->config;

	for (size_t i = 0; i < config->device_count; i++) {
		struct config_device *device = &config->devices[i];
		const char *conflict;

		if (device->is_mdev) {
			check_mdev(p, device);
			continue;
		}
		if (!device->addr_line)
			refuse(p, device->line, NULL, "[%s %s] wants %s=", device->is_vf ? "vf" :
			       "device", device->name, device->is_vf ? "pf" : "address");
		conflict = setting_conflict(&device->settings);
		if (conflict)
			refuse(p, device->line, NULL, "[vf %s]: %s", device->name, conflict);
		if (device->irq.policy == DEVIRT_IRQ_FIXED && !config->cpus.line)
			refuse(p, device->irq_line, "add a [cpus] section, or say irqs=housekeeping",
			       "irqs=%s%u, but this partition has no CPUs",
			       device->irq_is_vcpu ? "vcpu" : "", device->irq.cpu);
		for (size_t k = 0; k < i; k++) {
			const struct config_device *other = &config->devices[k];

			if (other->is_mdev)
				continue;
			if (!!device->netif != !!other->netif ||
			    (device->netif ? strcmp(device->netif, other->netif) :
			     !devirt_addr_equal(&device->addr, &other->addr)))
				continue;
			if (!device->is_vf || !other->is_vf)
				refuse(p, device->addr_line, "name it once",
				       "[%s] in line %d names that function already", other->name,
				       other->line);
			else if (device->index == other->index && device->index != DEVIRT_VF_ANY)
				refuse(p, device->line, "take another index or index=any",
				       "VF %u is in [vf %s] already, in line %d", device->index,
				       other->name, other->line);
			else if (device->pool_line && other->pool_line &&
				 device->pool != other->pool)
				refuse(p, device->pool_line, "say pool= once",
				       "pool=%u, but line %d says %u for the same function",
				       device->pool, other->pool_line, other->pool);
		}
	}
}

static void check_cpus(struct parser *p)
{
	const struct config_cpus *cpus = &p->config->cpus;
	int ways = !!cpus->count + !!cpus->cores + !!cpus->exact.count;

	if (!cpus->line)
		return;
	if (!ways)
		refuse(p, cpus->line, NULL, "[cpus] wants count=, cores= or cpus=");
	if (ways > 1)
		refuse(p, cpus->line, "keep one of them",
		       "count=, cores= and cpus= say the same thing in different ways");
	if (cpus->threads && cpus->exact.count)
		refuse(p, cpus->threads_line, "the list says it all",
		       "threads= goes with count= or cores=, not with cpus=");
	if (cpus->threads == 2 && cpus->count % 2)
		refuse(p, cpus->threads_line, "ask for an even count, or threads=1",
		       "threads=2 can't be had with count=%u", cpus->count);
	if (cpus->threads == 2 && cpus->share_core)
		refuse(p, cpus->threads_line, NULL,
		       "threads=2 takes both siblings, so share-core=yes shares nothing");
	if (cpus->emulator && cpus->emulator_exact.count)
		refuse(p, cpus->emulator_exact.line, "keep one of them",
		       "emulator= and emulator-cpus= say the same thing in different ways");
	if (cpus->near && cpus->node != CONFIG_UNSET)
		refuse(p, cpus->node_line, "keep one of them",
		       "near= and node= say the same thing in different ways");
	if (cpus->near && !config_device(p->config, cpus->near))
		refuse(p, cpus->near_line, NULL,
		       "near=%s: no [device %s] or [vf %s] is in this file", cpus->near,
		       cpus->near, cpus->near);
	for (size_t i = 0; i < cpus->exact.count; i++)
		for (size_t k = 0; k < cpus->emulator_exact.count; k++)
			if (cpus->exact.cpus[i] == cpus->emulator_exact.cpus[k])
				refuse(p, cpus->emulator_exact.line, NULL,
				       "CPU %u is in cpus= and in emulator-cpus=",
				       cpus->exact.cpus[i]);
}

static void check_memory(struct parser *p)
{
	const struct config_memory *memory = &p->config->memory;
	char *page;

	if (!memory->line)
		return;
	if (!memory->size) {
		refuse(p, memory->line, NULL, "[memory] wants size=");
	} else if (memory->size % memory->page) {
		page = size_text(memory->page);
		refuse(p, memory->size_line, "round it up",
		       "size= isn't a multiple of the page size, %s", page ? page : "");
		free(page);
	}
}

const struct config_device *config_device(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->device_count; i++)
		if (!strcmp(config->devices[i].name, name))
			return &config->devices[i];
	return NULL;
}

/* What NAME.conf says if it is no partition's file, or NULL. */
static const char *other_file(const char *name)
{
	if (!strcmp(name, "reserve"))
		return "what is kept off host drivers";
	if (!strcmp(name, "vfs"))
		return "how many VFs are made ahead";
	return NULL;
}

int config_name(const char *argument, char **path, char name[DEVIRT_NAME_MAX])
{
	const char *base = strrchr(argument, '/');
	size_t length;
	char *text;
	int ret;

	*path = NULL;
	text = strdup(base ? base + 1 : argument);
	if (!text)
		return fail_memory();
	length = strlen(text);
	if (base && length > 5 && !strcmp(text + length - 5, ".conf"))
		text[length - 5] = '\0';
	if (!devirt_name_valid(text)) {
		ret = fail_open(-EINVAL, text);
		free(text);
		return ret;
	}
	if (!base && other_file(text)) {
		ret = fail(EXIT_USAGE, &(struct problem){ .error = EINVAL,
			   .remedy = "choose another name" },
			   "'%s' can't be a partition: " DEVIRT_CONF_DIR "/%s.conf says %s", text,
			   text, other_file(text));
		free(text);
		return ret;
	}
	strcpy(name, text);
	free(text);
	ret = base ? asprintf(path, "%s", argument) :
		     asprintf(path, DEVIRT_CONF_DIR "/%s.conf", name);
	if (ret < 0) {
		*path = NULL;
		return fail_memory();
	}
	return 0;
}

static int open_file(struct parser *p)
{
	struct problem problem = { .file = p->config->path };
	struct stat st;

	p->file = fopen(p->config->path, "re");
	if (!p->file) {
		problem.error = errno;
		if (errno == ENOENT)
			problem.remedy = "devirt.conf(5) says how to write one";
		return fail(EXIT_USAGE, &problem, "%s", strerror(problem.error));
	}
	if (!fstat(fileno(p->file), &st) && S_ISDIR(st.st_mode)) {
		problem.error = EISDIR;
		return fail(EXIT_USAGE, &problem, "%s", strerror(EISDIR));
	}
	return 0;
}

int config_load(struct config **result, const char *argument)
{
	struct parser p = { 0 };
	struct problem problem = { .error = EINVAL };
	struct config *config;
	int status, bad;

	*result = NULL;
	config = calloc(1, sizeof(*config));
	if (!config)
		return fail_memory();
	config->cpus.node = CONFIG_UNSET;
	config->memory.node = CONFIG_UNSET;
	config->memory.page = 2 << 20;
	p.config = config;
	status = config_name(argument, &config->path, config->name);
	if (!status)
		status = open_file(&p);
	if (status)
		goto out;
	bad = ini_parse_stream(next_line, &p, handle, &p);
	if (bad < 0)
		refuse(&p, 0, NULL, "out of memory");
	/* inih's own complaint, if it is about an earlier line */
	if (bad > 0 && (size_t)bad <= p.line_count &&
	    (!p.error || p.lines[bad - 1] < p.error_line)) {
		free(p.error);
		free(p.remedy);
		p.error = NULL;
		refuse(&p, p.lines[bad - 1], NULL, "neither a [section] nor key=value");
	}
	if (ferror(p.file))
		refuse(&p, p.line, NULL, "can't be read");
	if (!p.error) {
		check_devices(&p);
		check_cpus(&p);
		check_memory(&p);
	}
	if (!p.error && !config->device_count && !config->cpus.line && !config->memory.line)
		refuse(&p, 0, "add a [device NAME], [vf NAME], [mdev NAME], [cpus] or [memory] section",
		       "it asks for nothing");
	if (p.error) {
		problem.file = config->path;
		problem.line = p.error_line;
		problem.remedy = p.remedy;
		status = fail(EXIT_USAGE, &problem, "%s", p.error);
	}
out:
	free(p.error);
	free(p.remedy);
	free(p.text);
	free(p.lines);
	if (p.file)
		fclose(p.file);
	if (status)
		config_free(config);
	else
		*result = config;
	return status;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->device_count; i++) {
		free(config->devices[i].netif);
		free(config->devices[i].vgpu);
		free(config->devices[i].parent);
		free(config->devices[i].type);
	}
	free(config->devices);
	free(config->description);
	free(config->cpus.near);
	free(config->path);
	free(config);
}
