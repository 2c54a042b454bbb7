/* SPDX-License-Identifier: GPL-2.0 */
/* The module itself: loaded and unloaded, which is how a host begins and ends. */
#ifndef MODULE_H
#define MODULE_H

#include <stdbool.h>

/* 0 or -errno; "reserve=... keep=..." */
int module_load(const char *parameters);
/* -EAGAIN if it is in use for a second. */
int module_unload(void);
bool module_loaded(void);
/* What a parameter is, without its end of line; "?" if it can't be read. */
const char *module_parameter(const char *name);

#endif
