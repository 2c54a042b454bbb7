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

/* What the kernel takes as the text of a parameter. */
#define PARAMETER_MAX	1024

char *reserve_parameter(const struct reserve *reserve)
{
	char *text = NULL;

	for (size_t i = 0; i < reserve->count; i++)
		if (!reserve->v[i].refused)
			dv_append(&text, "%s%s", text ? "," : "", reserve->v[i].text);
	return text;
}

/* What must stay the host's, however it is called at the next boot: "path:..."
 * and "serial:..." of each function that a disk in use hangs on.
 */
static char *keep_parameter(const struct reserve_host *host)
{
	char *text = NULL;

	for (size_t i = 0; i < host->count; i++) {
		char *users, *path, *serial;

		if (!host->devices[i].is_endpoint)
			continue;
		users = reserve_needed(&host->devices[i]);
		if (!users)
			continue;
		path = reserve_path(&host->facts[i]);
		serial = reserve_serial(&host->facts[i]);
		if (path)
			dv_append(&text, "%s%s", text ? "," : "", path);
		if (serial)
			dv_append(&text, "%s%s.%x", text ? "," : "", serial,
				  host->devices[i].addr.devfn & 7);
		free(serial);
		free(path);
		free(users);
	}
	return text;
}

int reserve_write_option(const struct reserve *reserve, const struct reserve_host *host,
			 FILE *file)
{
	char *wanted = reserve_parameter(reserve), *keep = keep_parameter(host);
	int status = 0;

	if ((wanted && strlen(wanted) > PARAMETER_MAX) || (keep && strlen(keep) > PARAMETER_MAX))
		status = fail(EXIT_USAGE, &(struct problem){ .error = E2BIG, .file = RESERVE_CONF,
			      .remedy = "ids and serial numbers are shorter than paths, and an id means all of a sort" },
			      "the kernel takes no parameter of more than %d bytes", PARAMETER_MAX);
	else if (fprintf(file, "# made of " RESERVE_CONF " by 'devirt reserve': don't edit\n") < 0 ||
		 (wanted && fprintf(file, "options devirt reserve=%s%s%s\n", wanted,
				    keep ? " keep=" : "", keep ? keep : "") < 0))
		status = fail(EXIT_REFUSED, &(struct problem){ .error = errno }, "writing: %s",
			      strerror(errno));
	free(wanted);
	free(keep);
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
