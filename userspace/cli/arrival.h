/* SPDX-License-Identifier: GPL-2.0 */
/* Functions that aren't there yet. */
#ifndef DEVIRT_ARRIVAL_H
#define DEVIRT_ARRIVAL_H

#include "config.h"

/* Waits until all functions that the partition asks for are there, those of which
 * VFs are wanted with a driver; for as long as it takes. Started by systemd (with
 * Type=notify) it says that the boot can go on when one isn't there, or when one
 * that is has no driver after opt.max_wait seconds. Returns 0, or the exit status
 * after telling what failed.
 */
int arrival_wait(const struct config *config);
/* Tells systemd, where that has started this, e.g. "READY=1\nSTATUS=...". */
void arrival_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
