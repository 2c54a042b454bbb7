// SPDX-License-Identifier: GPL-2.0
/* Values as people write them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "value.h"

bool value_number(const char *text, unsigned long least, unsigned long most, uint32_t *value)
{
	unsigned long number = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		number = number * 10 + (*text - '0');
		if (number > most)
			return false;
	}
	if (number < least)
		return false;
	*value = number;
	return true;
}

bool value_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	uint64_t number = 0;
	const char *unit;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		number = number * 10 + (*text - '0');
		if (number > 1ULL << 40)
			return false;
	}
	/* a bare number would leave open which unit was meant */
	unit = *text ? strchr(units, *text) : NULL;
	if (!unit || (strcmp(text + 1, "") && strcmp(text + 1, "iB") && strcmp(text + 1, "B")))
		return false;
	/* 4 PiB is more than any machine has, and leaves room to multiply */
	for (; unit >= units; unit--)
		if (number > 1ULL << 52 || (number *= 1024) > 1ULL << 52)
			return false;
	*bytes = number;
	return number > 0;
}

bool value_yes(const char *text, bool *yes)
{
	*yes = !strcmp(text, "yes");
	return *yes || !strcmp(text, "no");
}

unsigned int value_units(const char *text, const struct value_unit *unit, unsigned int most)
{
	size_t digits = strspn(text, "0123456789.");
	double number;
	char *end;

	number = strtod(text, &end);
	if (!digits || end != text + digits || *text == '.' || text[digits - 1] == '.')
		return 0;
	end += strspn(end, " ");
	while (unit->name && strcasecmp(end, unit->name))
		unit++;
	if (!unit->name)
		return 0;
	number = number * unit->factor + 1e-6;
	/* what isn't a whole number of the last unit would be another than is said */
	if (number > most + 0.5 || number - (unsigned int)number > 1e-5)
		return 0;
	return number;
}
