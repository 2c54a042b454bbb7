// SPDX-License-Identifier: GPL-2.0
/* The keys of a partition file's sections: what each means, and which values it may
 * have.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "config_key.h"
#include "value.h"

/* ----------------------------------------------------------------- values */

static int number_key(struct parser *p, const char *key, const char *text,
		      unsigned long least, unsigned long most, unsigned int *value)
{
	if (value_number(text, least, most, value))
		return 1;
	return refuse(p, p->line, NULL, "%s=%s: a number from %lu to %lu is wanted", key, text,
		      least, most);
}

static int node_key(struct parser *p, const char *text, int *node, int *line)
{
	unsigned int number;

	if (!number_key(p, "node", text, 0, 1023, &number))
		return 0;
	*node = number;
	*line = p->line;
	return 1;
}

static int bool_key(struct parser *p, const char *key, const char *text, bool *value)
{
	if (value_yes(text, value))
		return 1;
	return refuse(p, p->line, NULL, "%s=%s: yes or no is wanted", key, text);
}

static int list_key(struct parser *p, const char *key, const char *text,
		    struct config_list *list)
{
	char *copy = strdup(text), *part, *next = NULL;
	unsigned int first, last;
	int ret = 1;

	if (!copy)
		return refuse(p, p->line, NULL, "out of memory");
	list->line = p->line;
	list->count = 0;
	/* strtok() passes over what is empty */
	if (!*text || *text == ',' || text[strlen(text) - 1] == ',' || strstr(text, ",,"))
		ret = refuse(p, p->line, NULL, "%s=%s: a list like 2,3,6-7 is wanted", key, text);
	for (part = strtok_r(copy, ",", &next); part && ret; part = strtok_r(NULL, ",", &next)) {
		char *dash;

		while (isspace((unsigned char)*part))
			part++;
		dash = strchr(part, '-');
		if (dash)
			*dash++ = '\0';
		if (!value_number(part, 0, 65535, &first) ||
		    !value_number(dash ? dash : part, 0, 65535, &last) || last < first) {
			ret = refuse(p, p->line, NULL, "%s=%s: a list like 2,3,6-7 is wanted",
				     key, text);
			break;
		}
		for (; first <= last && ret; first++) {
			for (size_t i = 0; i < list->count && ret; i++)
				if (list->cpus[i] == first)
					ret = refuse(p, p->line, NULL, "%s=%s: CPU %u is named twice",
						     key, text, first);
			if (list->count == CONFIG_CPUS_MAX)
				ret = refuse(p, p->line, NULL, "%s=: more than %d CPUs", key,
					     CONFIG_CPUS_MAX);
			else
				list->cpus[list->count++] = first;
		}
	}
	free(copy);
	return ret;
}

static int latency_key(struct parser *p, const char *text, unsigned int *us)
{
	static const struct value_unit units[] = { { "ms", 1000 }, { "us", 1 }, { NULL, 0 } };

	*us = value_units(text, units, 1000000);
	if (*us)
		return 1;
	return refuse(p, p->line, "leave it out for the host's own",
		      "latency=%s: a time with its unit is wanted, 1us to 1000ms, such as 20us",
		      text);
}

static int frequency_key(struct parser *p, const char *text, unsigned int *khz)
{
	static const struct value_unit units[] = {
		{ "GHz", 1000000 }, { "MHz", 1000 }, { "kHz", 1 }, { NULL, 0 },
	};

	*khz = value_units(text, units, 100000000);
	if (*khz)
		return 1;
	return refuse(p, p->line, "'devirt check' says what the CPUs have",
		      "min-frequency=%s: a frequency with its unit is wanted, such as 2.4GHz or 1800MHz",
		      text);
}

static int text_key(struct parser *p, const char *key, const char *text, char **value)
{
	if (!*text)
		return refuse(p, p->line, NULL, "%s= has no value", key);
	*value = strdup(text);
	return *value ? 1 : refuse(p, p->line, NULL, "out of memory");
}

/* ------------------------------------------------------------------- keys */

/* An address, or the name of a network interface. */
static int address_key(struct parser *p, const char *key, const char *text)
{
	p->device->addr_line = p->line;
	if (!devirt_addr_parse(text, &p->device->addr))
		return 1;
	/* interfaces have no ':', so this is an address that went wrong */
	if (!*text || strchr(text, ':') || strchr(text, '/') || strlen(text) > 15 ||
	    !strcspn(text, "."))
		return refuse(p, p->line, "'devirt devices' lists them",
			      "%s=%s: neither a PCI address like 0000:01:00.0 nor a network interface",
			      key, text);
	return text_key(p, key, text, &p->device->netif);
}

static int irqs_key(struct parser *p, const char *text)
{
	struct config_device *device = p->device;
	const char *number = text;

	device->irq_line = p->line;
	if (!strcmp(text, "follow")) {
		device->irq.policy = DEVIRT_IRQ_FOLLOW;
		return 1;
	}
	if (!strcmp(text, "housekeeping")) {
		device->irq.policy = DEVIRT_IRQ_HOUSEKEEPING;
		return 1;
	}
	if (!strncasecmp(text, "vcpu", 4)) {
		device->irq_is_vcpu = true;
		number += 4;
		number += strspn(number, " ");
	}
	device->irq.policy = DEVIRT_IRQ_FIXED;
	if (value_number(number, 0, 65535, &device->irq.cpu))
		return 1;
	return refuse(p, p->line, NULL,
		      "irqs=%s: follow, housekeeping, a CPU like 3 or a vCPU like vcpu0 is wanted",
		      text);
}

int config_partition_key(struct parser *p, const char *key, const char *text)
{
	if (!strcmp(key, "description"))
		return text_key(p, key, text, &p->config->description);
	return -1;
}

int config_device_key(struct parser *p, const char *key, const char *text)
{
	if (!strcmp(key, "address"))
		return address_key(p, key, text);
	if (!strcmp(key, "irqs"))
		return irqs_key(p, text);
	return -1;
}

int config_vf_key(struct parser *p, const char *key, const char *text)
{
	const char *wanted;
	int ret;

	if (!strcmp(key, "pf"))
		return address_key(p, key, text);
	if (!strcmp(key, "index")) {
		if (!strcmp(text, "any"))
			return 1;
		if (value_number(text, 0, 65534, &p->device->index))
			return 1;
		return refuse(p, p->line, NULL, "index=%s: 'any' or a number from 0 is wanted",
			      text);
	}
	if (!strcmp(key, "pool")) {
		p->device->pool_line = p->line;
		return number_key(p, key, text, 1, 65535, &p->device->pool);
	}
	if (!strcmp(key, "irqs"))
		return irqs_key(p, text);
	if (!strcmp(key, "vgpu-type")) {
		p->device->vgpu_line = p->line;
		return setting_card_type(&p->device->settings, text) ||
		       text_key(p, key, text, &p->device->vgpu);
	}
	ret = setting_take(&p->device->settings, key, text, &wanted);
	return ret ? ret : refuse(p, p->line, NULL, "%s=%s: %s is wanted", key, text, wanted);
}

/* The name of a folder in sysfs. */
static int folder_key(struct parser *p, const char *key, const char *text, char **value)
{
	if (strlen(text) >= DEVIRT_MDEV_MAX || strpbrk(text, "/ \t") || text[0] == '.')
		return refuse(p, p->line, "'devirt devices' lists them",
			      "%s=%s: the name of a %s of mediated devices is wanted", key, text, key);
	return text_key(p, key, text, value);
}

int config_mdev_key(struct parser *p, const char *key, const char *text)
{
	struct config_device *device = p->device;

	if (!strcmp(key, "parent")) {
		device->parent_line = p->line;
		return folder_key(p, key, text, &device->parent);
	}
	if (!strcmp(key, "type")) {
		device->type_line = p->line;
		return folder_key(p, key, text, &device->type);
	}
	if (!strcmp(key, "memory-at-least")) {
		device->memory_line = p->line;
		if (value_size(text, &device->memory))
			return 1;
		return refuse(p, p->line, NULL,
			      "memory-at-least=%s: a size with its unit is wanted, such as 512M or 2G",
			      text);
	}
	if (!strcmp(key, "uuid")) {
		device->uuid_line = p->line;
		if (!devirt_uuid_parse(text, device->uuid) && !devirt_uuid_is_null(device->uuid))
			return 1;
		return refuse(p, p->line, "leave it out for a random one; uuidgen(1) makes one",
			      "uuid=%s: a UUID is wanted", text);
	}
	return -1;
}

int config_cpus_key(struct parser *p, const char *key, const char *text)
{
	struct config_cpus *cpus = &p->config->cpus;

	if (!strcmp(key, "count"))
		return number_key(p, key, text, 1, CONFIG_CPUS_MAX, &cpus->count);
	if (!strcmp(key, "cores"))
		return number_key(p, key, text, 1, CONFIG_CPUS_MAX, &cpus->cores);
	if (!strcmp(key, "cpus"))
		return list_key(p, key, text, &cpus->exact);
	if (!strcmp(key, "threads")) {
		cpus->threads_line = p->line;
		return number_key(p, key, text, 1, 2, &cpus->threads);
	}
	if (!strcmp(key, "emulator"))
		return number_key(p, key, text, 1, CONFIG_CPUS_MAX, &cpus->emulator);
	if (!strcmp(key, "emulator-cpus"))
		return list_key(p, key, text, &cpus->emulator_exact);
	if (!strcmp(key, "near")) {
		cpus->near_line = p->line;
		return text_key(p, key, text, &cpus->near);
	}
	if (!strcmp(key, "node"))
		return node_key(p, text, &cpus->node, &cpus->node_line);
	if (!strcmp(key, "share-core"))
		return bool_key(p, key, text, &cpus->share_core);
	if (!strcmp(key, "latency"))
		return latency_key(p, text, &cpus->latency_us);
	if (!strcmp(key, "min-frequency"))
		return frequency_key(p, text, &cpus->min_khz);
	return -1;
}

int config_memory_key(struct parser *p, const char *key, const char *text)
{
	struct config_memory *memory = &p->config->memory;

	if (!strcmp(key, "size")) {
		memory->size_line = p->line;
		if (value_size(text, &memory->size))
			return 1;
		return refuse(p, p->line, NULL,
			      "size=%s: a size with its unit is wanted, such as 512M or 2G", text);
	}
	if (!strcmp(key, "page")) {
		if (value_size(text, &memory->page) && !(memory->page & (memory->page - 1)))
			return 1;
		return refuse(p, p->line, NULL, "page=%s: a page size is wanted, 2M or 1G", text);
	}
	if (!strcmp(key, "node"))
		return node_key(p, text, &memory->node, &memory->node_line);
	return -1;
}
