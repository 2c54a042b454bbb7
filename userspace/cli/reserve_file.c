// SPDX-License-Identifier: GPL-2.0
/* Reading reserve.conf. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "reserve.h"

static int fail_line(int line, const char *text, const char *why)
{
	struct problem problem = { .error = EINVAL, .file = RESERVE_CONF, .line = line };

	problem.remedy = "'devirt reserve DEVICE' prints entries that mean it";
	return fail(EXIT_USAGE, &problem, "'%s': %s", text, why);
}

static int add_entry(struct reserve *reserve, const char *text, int line)
{
	struct reserve_entry *entry = reallocarray(reserve->v, reserve->count + 1,
						   sizeof(*entry));
	const char *why;

	if (!entry)
		return fail_memory();
	reserve->v = entry;
	entry += reserve->count;
	memset(entry, 0, sizeof(*entry));
	if (devirt_match_parse(&entry->match, text, strlen(text), &why))
		return fail_line(line, text, why);
	entry->line = line;
	entry->text = strdup(text);
	if (!entry->text)
		return fail_memory();
	reserve->count++;
	return 0;
}

int reserve_load(struct reserve *reserve)
{
	static const char blanks[] = " \t\r\n";
	struct problem problem = { .file = RESERVE_CONF };
	char *text = NULL;
	size_t space = 0;
	int line = 0, status = 0;
	FILE *file;

	memset(reserve, 0, sizeof(*reserve));
	file = fopen(RESERVE_CONF, "re");
	if (!file && errno == ENOENT)
		return 0;
	if (!file) {
		problem.error = errno;
		return fail(EXIT_USAGE, &problem, "%s", strerror(errno));
	}
	while (!status && getline(&text, &space, file) >= 0) {
		char *at = text + strspn(text, blanks), *end;

		line++;
		at[strcspn(at, "#")] = '\0';
		for (end = at + strlen(at); end > at && strchr(blanks, end[-1]); end--)
			end[-1] = '\0';
		if (*at)
			status = add_entry(reserve, at, line);
	}
	if (!status && ferror(file)) {
		problem.error = errno;
		status = fail(EXIT_USAGE, &problem, "%s", strerror(errno));
	}
	free(text);
	fclose(file);
	if (status)
		reserve_free(reserve);
	return status;
}

void reserve_free(struct reserve *reserve)
{
	for (size_t i = 0; i < reserve->count; i++)
		free(reserve->v[i].text);
	free(reserve->v);
	memset(reserve, 0, sizeof(*reserve));
}
