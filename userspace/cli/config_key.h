/* SPDX-License-Identifier: GPL-2.0 */
/* The keys of a partition file's sections. */
#ifndef DEVIRT_CONFIG_KEY_H
#define DEVIRT_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "config.h"

/* A file that is being read. */
struct parser {
	struct config *config;
	FILE *file;
	char *text;
	size_t space;
	int line;		/* of the file */
	bool heading;		/* hand out the marker next */
	int *lines;		/* line of the file for each line that inih got */
	size_t line_count, line_space;

	char section[64];	/* kind of the section: "vf" */
	struct config_device *device;
	char seen[32][24];	/* keys of this section */
	size_t seen_count;
	int partition_line;

	int error_line;
	char *error;
	char *remedy;
};

/* Keeps the first error only. Returns 0, which tells inih of one. */
int refuse(struct parser *p, int line, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Take a key of the section that is being read. Return 1; 0 if the value is refused;
 * -1 if the section has no such key.
 */
int config_partition_key(struct parser *p, const char *key, const char *text);
int config_device_key(struct parser *p, const char *key, const char *text);
int config_vf_key(struct parser *p, const char *key, const char *text);
int config_mdev_key(struct parser *p, const char *key, const char *text);
int config_cpus_key(struct parser *p, const char *key, const char *text);
int config_memory_key(struct parser *p, const char *key, const char *text);

#endif
