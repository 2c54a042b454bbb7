/* SPDX-License-Identifier: GPL-2.0 */
/* Functions, and who makes mediated devices, that aren't there yet. */
#ifndef DEVIRT_ARRIVAL_H
#define DEVIRT_ARRIVAL_H

#include "config.h"

/* What is missing of a function that is wanted, in words, to be freed; NULL: nothing.
 * One of which VFs are wanted needs a driver, and so does a parent of mediated devices.
 * @soon is set: it is there, or may be, and has no driver yet, or will have another name.
 */
char *arrival_missing(const struct config_device *wanted, bool *soon);

/* What is missing of all, as above; called again after each change. */
typedef char *arrival_look(void *data, bool *soon);

/* Waits until nothing is missing of what @who wants, for as long as it takes. Started
 * by systemd (with Type=notify) it says that the boot can go on when something isn't
 * there, or when all that is missing would come soon and hasn't after opt.max_wait
 * seconds. Returns 0, or the exit status after telling what failed.
 */
int arrival_wait(const char *who, arrival_look *look, void *data);
/* Tells systemd, where that has started this, e.g. "READY=1\nSTATUS=...". */
void arrival_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
