// SPDX-License-Identifier: GPL-2.0
/* Reading reserve.conf. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/sysfs.h"
#include "cli.h"
#include "reserve.h"

static int bad_file(struct reserve_error *bad, int error)
{
	bad->problem.error = error;
	bad->message = strdup(strerror(error));
	return EXIT_USAGE;
}

static int no_memory(struct reserve_error *bad)
{
	bad_file(bad, ENOMEM);
	return EXIT_REFUSED;
}

static int bad_line(struct reserve_error *bad, int line, const char *text, const char *why)
{
	bad->problem.error = EINVAL;
	bad->problem.line = line;
	bad->problem.remedy = "'devirt reserve DEVICE' prints entries that mean it";
	dv_append(&bad->message, "'%s': %s", text, why);
	return EXIT_USAGE;
}

static int add_entry(struct reserve *reserve, const char *text, int line,
		     struct reserve_error *bad)
{
	struct reserve_entry *entry = reallocarray(reserve->v, reserve->count + 1,
						   sizeof(*entry));
	const char *why;

	if (!entry)
		return no_memory(bad);
	reserve->v = entry;
	entry += reserve->count;
	memset(entry, 0, sizeof(*entry));
	if (devirt_match_parse(&entry->match, text, strlen(text), &why))
		return bad_line(bad, line, text, why);
	entry->line = line;
	entry->text = strdup(text);
	if (!entry->text)
		return no_memory(bad);
	reserve->count++;
	return 0;
}

int reserve_read(struct reserve *reserve, struct reserve_error *bad)
{
	static const char blanks[] = " \t\r\n";
	char *text = NULL;
	size_t space = 0;
	int line = 0, status = 0;
	FILE *file;

	memset(reserve, 0, sizeof(*reserve));
	memset(bad, 0, sizeof(*bad));
	bad->problem.file = RESERVE_CONF;
	file = fopen(RESERVE_CONF, "re");
	if (!file && errno == ENOENT)
		return 0;
	if (!file)
		return bad_file(bad, errno);
	while (!status && getline(&text, &space, file) >= 0) {
		char *at = text + strspn(text, blanks), *end;

		line++;
		at[strcspn(at, "#")] = '\0';
		for (end = at + strlen(at); end > at && strchr(blanks, end[-1]); end--)
			end[-1] = '\0';
		if (*at)
			status = add_entry(reserve, at, line, bad);
	}
	if (!status && ferror(file))
		status = bad_file(bad, errno);
	free(text);
	fclose(file);
	if (status)
		reserve_free(reserve);
	return status;
}

int reserve_load(struct reserve *reserve)
{
	struct reserve_error bad;
	int status = reserve_read(reserve, &bad);

	if (status)
		fail(status, &bad.problem, "%s", bad.message ? bad.message : "out of memory");
	free(bad.message);
	return status;
}

void reserve_free(struct reserve *reserve)
{
	for (size_t i = 0; i < reserve->count; i++) {
		free(reserve->v[i].text);
		free(reserve->v[i].why);
	}
	free(reserve->v);
	memset(reserve, 0, sizeof(*reserve));
}
