/* SPDX-License-Identifier: GPL-2.0 */
/* Functions that are reserved for guests, and the file that says which. */
#ifndef DEVIRT_RESERVE_H
#define DEVIRT_RESERVE_H

#include <stdbool.h>
#include <stdio.h>
#include "../../module/match.h"
#include "cli.h"
#include "libdevirt.h"

#define RESERVE_CONF	DEVIRT_CONF_DIR "/reserve.conf"
#define RESERVE_OUTPUT	"/etc/modprobe.d/devirt-reserve.conf"
/* What sysfs can show of a parameter: a page, less the end of the line and of the text.
 * The module takes no more, so that it can be asked what it was loaded with.
 */
#define RESERVE_PARAMETER_MAX	4094

/**
 * struct reserve_entry - a line of the file
 * @text: the entry
 * @line: its line
 * @match: what it means
 * @refused: it must not be reserved
 * @why: and the reason: "the host needs 0000:01:00.0: nvme0n1 is mounted on /"
 */
struct reserve_entry {
	char *text;
	int line;
	struct devirt_match match;
	bool refused;
	char *why;
};

struct reserve {
	struct reserve_entry *v;
	size_t count;
};

/**
 * struct reserve_error - what is wrong with the file
 * @problem: with its line, if it is one
 * @message: in words; free()
 */
struct reserve_error {
	struct problem problem;
	char *message;
};

/* Reads the file; one that isn't there has no entries. Returns 0, or the exit
 * status; reserve_load() after telling what is wrong.
 */
int reserve_read(struct reserve *reserve, struct reserve_error *bad);
int reserve_load(struct reserve *reserve);
void reserve_free(struct reserve *reserve);

/* What the module compares an entry with. */
void reserve_facts(const struct devirt_device *device, struct devirt_facts *facts);
/* "path:00:01.0/00.0"; NULL if it is too deep; free() */
char *reserve_path(const struct devirt_facts *facts);
/* "serial:..."; NULL if it has none; free() */
char *reserve_serial(const struct devirt_facts *facts);
/* Has the module reserved it? */
bool reserve_active(const struct devirt_pci_addr *addr);
/* What the host needs it for: a file system that is mounted from it, swap, a
 * disk that is a part of another. NULL if nothing; free()
 */
char *reserve_needed(const struct devirt_device *device);

/**
 * struct reserve_host - this host's functions
 * @devices: what they are
 * @facts: the same, for the entries
 * @count: how many there are
 */
struct reserve_host {
	struct devirt_device *devices;
	struct devirt_facts *facts;
	size_t count;
};

/* Returns 0 or -errno. */
int reserve_host_read(struct reserve_host *host);
void reserve_host_free(struct reserve_host *host);
/* Is function @i one of those that the entry is about? */
bool reserve_means(const struct reserve_entry *entry, const struct reserve_host *host, size_t i);

/* Refuses entries that would take a disk from the host. Returns how many. */
size_t reserve_refuse(struct reserve *reserve, const struct reserve_host *host);

/* The module's reserve= of the entries that aren't refused; NULL: there are none */
char *reserve_parameter(const struct reserve *reserve);
/* The module's options, as lines for modprobe.d; or these in RESERVE_OUTPUT. Returns
 * 0, or the exit status after telling why not.
 */
int reserve_write_option(const struct reserve *reserve, const struct reserve_host *host,
			 FILE *file);
int reserve_write(const struct reserve *reserve, const struct reserve_host *host);

#endif
