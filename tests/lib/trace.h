/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's own trace: events, one probe of ours, and what they have told. */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>

/* One of the kernel's, "power/dev_pm_qos_add_request". 0 or -errno. */
int trace_event(const char *event, bool on);
/* From now on calls of that function are lines with " probe:". 0 or -errno. */
int trace_probe(const char *function);
void trace_unprobe(void);
/* Forgets the lines up to now. */
void trace_clear(void);
/* How many lines have both texts. */
int trace_count(const char *what, const char *which);

#endif
