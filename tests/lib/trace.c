// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lease.h"
#include "trace.h"

#define TRACING	"/sys/kernel/tracing/"
#define PROBE	"devirt_test/probe"

int trace_event(const char *event, bool on)
{
	return file_write(on ? "1" : "0", TRACING "events/%s/enable", event);
}

int trace_probe(const char *function)
{
	char line[256];
	int err;

	/* Of a test that didn't come to its end. */
	trace_unprobe();
	snprintf(line, sizeof(line), "p:" PROBE " %s", function);
	err = file_write(line, TRACING "kprobe_events");
	if (!err)
		err = trace_event(PROBE, true);
	trace_clear();
	return err;
}

void trace_unprobe(void)
{
	trace_event(PROBE, false);
	file_write("-:" PROBE, TRACING "kprobe_events");
}

void trace_clear(void)
{
	close(open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
}

int trace_count(const char *what, const char *which)
{
	FILE *file = fopen(TRACING "trace", "re");
	char line[1024];
	int count = 0;

	/* "None" would be what some tests hope for. */
	if (!file) {
		perror(TRACING "trace");
		abort();
	}
	while (fgets(line, sizeof(line), file))
		count += line[0] != '#' && strstr(line, what) && strstr(line, which);
	fclose(file);
	return count;
}
