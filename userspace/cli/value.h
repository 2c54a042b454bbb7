/* SPDX-License-Identifier: GPL-2.0 */
/* Values as people write them: in partition files, other files and arguments. */
#ifndef VALUE_H
#define VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits only, within bounds; false leaves *value alone. */
bool value_number(const char *text, unsigned long least, unsigned long most, uint32_t *value);
/* "2G", "512MiB": bytes, more than none and at most 4 PiB. */
bool value_size(const char *text, uint64_t *bytes);
/* "yes" or "no" */
bool value_yes(const char *text, bool *yes);

/* A unit that a number may have, and what it is in the last one of the list, which
 * ends with a NULL.
 */
struct value_unit {
	const char *name;
	unsigned int factor;
};

/* "20us", "2.4GHz": a whole number of the last unit, from 1 to @most; otherwise 0. */
unsigned int value_units(const char *text, const struct value_unit *units, unsigned int most);

#endif
