/* SPDX-License-Identifier: GPL-2.0 */
/* The host's state: all that a lease changes and must give back. */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/**
 * struct host_line - one fact
 * @key: what it is about
 * @value: the fact
 * @note: for people, not compared
 */
struct host_line {
	char *key;
	char *value;
	char *note;
};

/**
 * struct host - facts, sorted by key
 * @lines: the facts
 * @count: how many
 */
struct host {
	struct host_line *lines;
	size_t count;
};

void host_take(struct host *host, bool names);
bool host_read(struct host *host, FILE *file);
void host_write(const struct host *host, FILE *file);
int host_diff(const struct host *a, const struct host *b, FILE *file, const char *prefix);
void host_free(struct host *host);

#endif
