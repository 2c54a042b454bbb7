// SPDX-License-Identifier: GPL-2.0
/* The module's options that are made of reserve.conf. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/sysfs.h"
#include "cli.h"
#include "reserve.h"

char *reserve_parameter(const struct reserve *reserve)
{
	char *text = NULL;

	for (size_t i = 0; i < reserve->count; i++)
		if (!reserve->v[i].refused)
			dv_append(&text, "%s%s", text ? "," : "", reserve->v[i].text);
	return text;
}

/* Could the entry mean that function at the next boot, when addresses and places may
 * be others?
 */
static bool could_mean(const struct reserve_entry *entry, const struct devirt_facts *facts)
{
	struct devirt_match match = entry->match;

	match.what &= ~(DEVIRT_MATCH_ADDR | DEVIRT_MATCH_PATH);
	return !match.what || devirt_match_fits(&match, facts);
}

/* The first of those that are to be in force, or NULL. */
static const struct reserve_entry *entry_for(const struct reserve *reserve,
					     const struct devirt_facts *facts)
{
	for (size_t i = 0; i < reserve->count; i++)
		if (!reserve->v[i].refused && could_mean(&reserve->v[i], facts))
			return &reserve->v[i];
	return NULL;
}

/**
 * struct keep - what must stay the host's, however it is called at the next boot
 * @text: "path:..." and "serial:..." of each function that a disk in use hangs on
 *	and that an entry could mean; NULL: there are none
 * @count: how many functions these are
 * @entry: what could mean the first of them
 */
struct keep {
	char *text;
	size_t count;
	const struct reserve_entry *entry;
};

static void find_keep(struct keep *keep, const struct reserve *reserve,
		      const struct reserve_host *host)
{
	memset(keep, 0, sizeof(*keep));
	for (size_t i = 0; i < host->count; i++) {
		const struct reserve_entry *entry = entry_for(reserve, &host->facts[i]);
		char *users, *path, *serial;

		if (!entry || !host->devices[i].is_endpoint)
			continue;
		users = reserve_needed(&host->devices[i]);
		if (!users)
			continue;
		path = reserve_path(&host->facts[i]);
		serial = reserve_serial(&host->facts[i]);
		if (path)
			dv_append(&keep->text, "%s%s", keep->text ? "," : "", path);
		if (serial)
			dv_append(&keep->text, "%s%s.%x", keep->text ? "," : "", serial,
				  host->devices[i].addr.devfn & 7);
		if (!keep->count++)
			keep->entry = entry;
		free(serial);
		free(path);
		free(users);
	}
}

static int fail_wanted(void)
{
	struct problem problem = {
		.error = E2BIG,
		.file = RESERVE_CONF,
		.remedy = "ids and serial numbers are shorter than paths, and an id means all of a sort",
	};

	return fail(EXIT_USAGE, &problem, "reserve= is too long, the kernel takes %d bytes",
		    RESERVE_PARAMETER_MAX);
}

static int fail_keep(const struct keep *keep)
{
	struct problem problem = { .error = E2BIG, .file = RESERVE_CONF };

	problem.line = keep->entry->line;
	problem.remedy = keep->entry->match.what & DEVIRT_MATCH_ID ?
		"add a serial number to the entry, so that it can't mean a disk" :
		"add an id (+8086:10c9) to the entry, so that it can't mean a disk";
	return fail(EXIT_USAGE, &problem,
		    "keep= is too long, the kernel takes %d bytes: %zu functions with disks in use would have to be named",
		    RESERVE_PARAMETER_MAX, keep->count);
}

int reserve_write_option(const struct reserve *reserve, const struct reserve_host *host,
			 FILE *file)
{
	char *wanted = reserve_parameter(reserve);
	struct keep keep;
	int status = 0;

	find_keep(&keep, reserve, host);
	if (wanted && strlen(wanted) > RESERVE_PARAMETER_MAX)
		status = fail_wanted();
	else if (keep.text && strlen(keep.text) > RESERVE_PARAMETER_MAX)
		status = fail_keep(&keep);
	else if (fprintf(file, "# made of " RESERVE_CONF " by 'devirt reserve': don't edit\n") < 0 ||
		 (wanted && fprintf(file, "options devirt reserve=%s%s%s\n", wanted,
				    keep.text ? " keep=" : "", keep.text ? keep.text : "") < 0))
		status = fail(EXIT_REFUSED, &(struct problem){ .error = errno }, "writing: %s",
			      strerror(errno));
	free(wanted);
	free(keep.text);
	return status;
}

int reserve_write(const struct reserve *reserve, const struct reserve_host *host)
{
	static const char fresh[] = RESERVE_OUTPUT ".new";
	struct problem problem = { .file = RESERVE_OUTPUT };
	int status;
	FILE *file;

	mkdir("/etc/modprobe.d", 0755);
	file = fopen(fresh, "we");
	if (!file) {
		problem.error = errno;
		return fail(EXIT_REFUSED, &problem, "%s", strerror(errno));
	}
	status = reserve_write_option(reserve, host, file);
	if (fclose(file) && !status) {
		problem.error = errno;
		status = fail(EXIT_REFUSED, &problem, "%s", strerror(errno));
	}
	if (!status && rename(fresh, RESERVE_OUTPUT)) {
		problem.error = errno;
		status = fail(EXIT_REFUSED, &problem, "%s", strerror(errno));
	}
	if (status) {
		unlink(fresh);
		return status;
	}
	if (!opt.json && !opt.quiet)
		printf("Written: " RESERVE_OUTPUT ".\n"
		       "Make the initramfs anew (update-initramfs -u), and boot.\n");
	return 0;
}
