// SPDX-License-Identifier: GPL-2.0
/* devirt args: the options that QEMU needs for a partition. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "lease.h"

static void print_quoted(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_=,.:/@%+";

	if (*word && strspn(word, plain) == strlen(word)) {
		printf("%s", word);
		return;
	}
	putchar('\'');
	for (; *word; word++)
		printf(*word == '\'' ? "'\\''" : "%c", *word);
	putchar('\'');
}

static void print_words(const struct words *words)
{
	struct json_object *array;

	if (opt.json) {
		array = json_object_new_array();
		for (size_t i = 0; i < words->count; i++)
			json_object_array_add(array, json_text(words->v[i]));
		json_print(array);
		return;
	}
	for (size_t i = 0; i < words->count; i++) {
		bool option = words->v[i][0] == '-';

		/* an option and its value on a line, or all on one */
		if (i)
			putchar(option && !opt.one_line ? '\n' : ' ');
		print_quoted(words->v[i]);
	}
	if (words->count)
		putchar('\n');
}

/* Of the partition that is held. Returns -ENOENT if there is none. */
static int held_options(struct words *words, int device, const char *name,
			const struct config *config)
{
	struct devirt_topology *topology = NULL;
	struct devirt_records records = { 0 };
	const char **sections = NULL;
	struct devirt_get get;
	int fd, ret;

	fd = devirt_open_partition(device, name, DEVIRT_OPEN_OBSERVE);
	if (fd < 0)
		return fd == -ENOENT ? fd : fail_open(fd, name);
	ret = devirt_get_partition(fd, &get, &records);
	close(fd);
	if (ret || get.state != DEVIRT_STATE_HELD) {
		devirt_records_clear(&records);
		return ret && ret != -ENXIO ? fail_open(ret, name) : -ENOENT;
	}
	sections = lease_sections(config, &records);
	ret = sections ? devirt_topology_load(&topology, NULL) : -ENOMEM;
	if (ret)
		ret = fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			   "the machine's topology can't be read");
	else
		ret = qemu_options(words, &records, sections, topology);
	devirt_topology_free(topology);
	devirt_records_clear(&records);
	free(sections);
	return ret;
}

static int planned_options(struct words *words, int device, const struct config *config)
{
	const char **sections;
	struct plan plan;
	int status;

	status = plan_make(&plan, config, device);
	if (status)
		return status;
	sections = calloc(plan.records.count + 1, sizeof(*sections));
	for (uint32_t i = 0; sections && i < plan.records.count; i++)
		sections[i] = plan.items[i].section;
	status = sections ? qemu_options(words, &plan.records, sections, plan.topology) :
			    fail_memory();
	free(sections);
	plan_free(&plan);
	return status;
}

static int args(int argc, char **argv)
{
	char name[DEVIRT_NAME_MAX], *path = NULL;
	struct config *config = NULL;
	struct words words = { 0 };
	int device, status;

	if (argc != 1)
		return fail_usage("%s", argc ? "one partition at a time" : "which partition?");
	status = config_name(argv[0], &path, name);
	if (status)
		return status;
	/* a partition that is held needs no file, but its names are there */
	device = opt.topology ? -ENOENT : try_module();
	if (!access(path, F_OK) || device < 0) {
		status = config_load(&config, argv[0]);
		if (status)
			goto out;
	}
	status = device < 0 ? -ENOENT : held_options(&words, device, name, config);
	if (status == -ENOENT)
		status = config ? planned_options(&words, device, config) :
				  config_load(&config, argv[0]);
	if (!status)
		print_words(&words);
out:
	words_free(&words);
	config_free(config);
	free(path);
	if (device >= 0)
		close(device);
	return status;
}

static const char *const options[] = { "--json", "--one-line", "--topology=", NULL };

const struct command command_args = {
	.name = "args",
	.args = "NAME",
	.help = "Print the options that QEMU needs",
	.options = options,
	.run = args,
};
