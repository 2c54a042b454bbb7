// SPDX-License-Identifier: GPL-2.0
/* devirt stat: what the leased CPUs have done, once or again and again. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "stat.h"
#include "watch.h"

/* --------------------------------------------------------------- sampling */

static int read_one(struct stat_one *one, int partition)
{
	int ret;

	memset(one, 0, sizeof(*one));
	ret = devirt_get_partition(partition, &one->get, NULL);
	if (!ret)
		ret = devirt_get_stats(partition, &one->stats, &one->cpus, &one->intruders);
	return ret;
}

static void free_all(struct stat_all *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free(all->v[i].cpus);
		free(all->v[i].intruders);
	}
	free(all->v);
	memset(all, 0, sizeof(*all));
}

/* Every partition there is now; one that ends meanwhile is left out. */
static int read_all(struct stat_all *all, int device)
{
	char **names;
	size_t count;
	int fd, ret;

	ret = devirt_list_partitions(&names, &count);
	if (ret)
		return ret;
	all->v = calloc(count + 1, sizeof(*all->v));
	if (!all->v)
		ret = -ENOMEM;
	for (size_t i = 0; i < count && !ret; i++) {
		fd = devirt_open_partition(device, names[i], DEVIRT_OPEN_OBSERVE);
		ret = fd < 0 ? fd : read_one(&all->v[all->count], fd);
		if (fd >= 0)
			close(fd);
		if (!ret)
			all->count++;
		else if (ret == -ENOENT || ret == -ENXIO)
			ret = 0;
	}
	devirt_free_names(names, count);
	return ret;
}

/* One partition, or all of them where @partition is -1. */
static int sample(struct stat_all *all, int device, int partition)
{
	int ret;

	memset(all, 0, sizeof(*all));
	if (partition < 0) {
		ret = read_all(all, device);
	} else {
		all->v = calloc(1, sizeof(*all->v));
		ret = all->v ? read_one(&all->v[0], partition) : -ENOMEM;
		all->count = !ret;
	}
	all->time_ns = watch_now();
	if (ret)
		free_all(all);
	return ret;
}

static int fail_sample(int error, const char *name)
{
	struct problem problem = { .error = -error };
	const char *whose = name ? name : "the partitions";

	if (error == -ENOTTY) {
		problem.remedy = "load the module of this release";
		return fail(EXIT_NO_MODULE, &problem,
			    "the module that is loaded has no statistics: it is older than this tool");
	}
	return fail(EXIT_REFUSED, &problem, "the statistics of %s can't be read: %s", whose,
		    strerror(-error));
}

/* --------------------------------------------------------------- printing */

static void print_json(const struct stat_all *now, bool one)
{
	struct json_object *object, *array;

	if (one) {
		object = stat_json(&now->v[0]);
	} else {
		object = json_object_new_object();
		array = json_object_new_array();
		for (size_t i = 0; i < now->count; i++)
			json_object_array_add(array, stat_json(&now->v[i]));
		json_object_object_add(object, "partitions", array);
	}
	/* when, so that a program can tell how many there were in a second */
	json_object_object_add(object, "time_ns", json_object_new_uint64(now->time_ns));
	if (opt.watch)
		json_print_line(object);
	else
		json_print(object);
}

static const struct stat_one *same_partition(const struct stat_all *before, const char *name)
{
	for (size_t i = 0; i < before->count; i++)
		if (!strcmp(before->v[i].get.name, name))
			return &before->v[i];
	return NULL;
}

static void print_tables(FILE *file, const struct stat_all *now, const struct stat_all *before)
{
	if (!now->count)
		fprintf(file, "No partition exists.\n");
	for (size_t i = 0; i < now->count; i++) {
		if (i)
			fprintf(file, "\n");
		stat_print(file, &now->v[i], same_partition(before, now->v[i].get.name));
	}
}

/* Puts @text where the last one was, without a flicker: each line over the old
 * one. What doesn't fit is left out, so that the beginning stays in sight. The
 * cursor is left behind it.
 */
static void redraw(const char *text, size_t height)
{
	size_t lines = 0, left = 0;

	for (const char *at = text; *at; at++)
		left += *at == '\n';
	printf("\033[H");
	while (*text && (height < 4 || left < height || lines < height - 2)) {
		size_t length = strcspn(text, "\n");

		printf("%.*s\033[K\n", (int)length, text);
		text += length + (text[length] == '\n');
		lines++;
	}
	if (*text)
		printf("(%zu more lines: they need a higher window)\033[K\r", left - lines);
	printf("\033[J");
}

static void print(const struct stat_all *now, const struct stat_all *before, bool one,
		  bool screen, bool again)
{
	char *text = NULL;
	size_t size;
	FILE *file;

	if (opt.json) {
		print_json(now, one);
		return;
	}
	if (!screen) {
		if (again)
			printf("\n");
		print_tables(stdout, now, before);
		fflush(stdout);
		return;
	}
	file = open_memstream(&text, &size);
	if (!file)
		return;
	print_tables(file, now, before);
	fclose(file);
	redraw(text, output_height(stdout));
	fflush(stdout);
	free(text);
}

/* ------------------------------------------------------------------ watch */

static bool is_screen(void)
{
	const char *term = getenv("TERM");

	return !opt.json && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
}

static int watch(int device, int partition, const char *name)
{
	struct stat_all now = { 0 }, before = { 0 };
	struct pollfd pollfd = { .fd = partition };
	bool screen = is_screen();
	int ret = 0, status = EXIT_OK;

	watch_begin();
	if (screen)
		printf("\033[2J");
	for (bool again = false;; again = true) {
		double left;

		if (ret != -EAGAIN) {
			free_all(&before);
			before = now;
			ret = sample(&now, device, partition);
			/* released meanwhile */
			if (partition >= 0 && ret == -ENXIO)
				break;
			if (ret) {
				status = fail_sample(ret, name);
				break;
			}
		}
		if (ret != -EAGAIN || screen)
			print(&now, &before, partition >= 0, screen, again);
		if (ferror(stdout))
			break;
		left = opt.watch - (watch_now() - now.time_ns) / 1e9;
		ret = watch_wait(&pollfd, partition >= 0, left < 0 ? 0 : left);
		if (ret == -EINTR)
			break;
		if (ret > 0) {
			if (!opt.json)
				printf("\n'%s' was released.\n", name);
			break;
		}
		if (ret < 0 && ret != -EAGAIN) {
			status = fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
				      "waiting for more: %s", strerror(-ret));
			break;
		}
	}
	if (screen)
		printf("\n");
	free_all(&now);
	free_all(&before);
	return status;
}

static int stat_command(int argc, char **argv)
{
	const char *name = argc ? argv[0] : NULL;
	struct stat_all now, none = { 0 };
	int device, partition = -1, ret, status = EXIT_OK;

	if (argc > 1)
		return fail_usage("one partition at a time, or all without a name");
	device = need_module(&status);
	if (device < 0)
		return status;
	if (name) {
		partition = devirt_open_partition(device, name, DEVIRT_OPEN_OBSERVE);
		if (partition < 0) {
			status = fail_open(partition, name);
			goto out;
		}
	}
	if (opt.watch) {
		status = watch(device, partition, name);
		goto out;
	}
	ret = sample(&now, device, partition);
	if (ret) {
		status = fail_sample(ret, name);
		goto out;
	}
	print(&now, &none, name, false, false);
	free_all(&now);
out:
	if (partition >= 0)
		close(partition);
	close(device);
	return status;
}

static const char *const options[] = { "--json", "--watch", NULL };

const struct command command_stat = {
	.name = "stat",
	.args = "[NAME]",
	.help = "Tell what the leased CPUs have done",
	.options = options,
	.run = stat_command,
};
