// SPDX-License-Identifier: GPL-2.0-only
/*
 * A match: an entry of reserve=, from text to what is compared with a function.
 *
 *	match		one condition, or several joined by '+', which all must hold
 *	condition	[DOMAIN:]BUS:DEV.FN			its address
 *			path:[DOMAIN:]BUS:DEV.FN[/DEV.FN]...	its place: a root bus, and
 *								each bridge below
 *			VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE]	what it is
 *			serial:XX-XX-XX-XX-XX-XX-XX-XX[.FN]	which one of its sort
 *
 * All numbers are hexadecimal, and written as lspci does. Nothing is allocated.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>

#include "compat/compat.h"
#else
#include <errno.h>
#include <string.h>

#define DEVIRT_EXPORT_FOR_TEST(...)
#endif

#include "match.h"

/* What is left of the text. */
struct devirt_scan {
	const char *at;
	const char *end;
};

static int devirt_scan_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* All hexadecimal digits that follow; there must be @min to @max of them. */
static bool devirt_scan_hex(struct devirt_scan *scan, int min, int max, __u64 *value)
{
	int digits = 0;

	*value = 0;
	for (; scan->at < scan->end && devirt_scan_digit(*scan->at) >= 0; scan->at++) {
		if (++digits > max)
			return false;
		*value = *value << 4 | devirt_scan_digit(*scan->at);
	}
	return digits >= min;
}

static bool devirt_scan_char(struct devirt_scan *scan, char c)
{
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

static bool devirt_scan_word(struct devirt_scan *scan, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len))
		return false;
	scan->at += len;
	return true;
}

static bool devirt_scan_id(struct devirt_scan *scan, __u16 *id)
{
	__u64 value;

	if (!devirt_scan_hex(scan, 4, 4, &value))
		return false;
	*id = value;
	return true;
}

static bool devirt_scan_function(struct devirt_scan *scan, __u8 *function)
{
	__u64 value;

	if (!devirt_scan_char(scan, '.') || !devirt_scan_hex(scan, 1, 1, &value) || value > 7)
		return false;
	*function = value;
	return true;
}

/* "1f.7" */
static bool devirt_scan_devfn(struct devirt_scan *scan, __u8 *devfn)
{
	__u8 function;
	__u64 device;

	if (!devirt_scan_hex(scan, 2, 2, &device) || device > 0x1f ||
	    !devirt_scan_function(scan, &function))
		return false;
	*devfn = device << 3 | function;
	return true;
}

/* "[0000:]01:" */
static bool devirt_scan_bus(struct devirt_scan *scan, struct devirt_bus_addr *addr)
{
	struct devirt_scan start = *scan;
	__u64 value;

	memset(addr, 0, sizeof(*addr));
	if (devirt_scan_hex(scan, 4, 8, &value) && devirt_scan_char(scan, ':'))
		addr->domain = value;
	else
		*scan = start;
	if (!devirt_scan_hex(scan, 2, 2, &value) || !devirt_scan_char(scan, ':'))
		return false;
	addr->bus = value;
	return true;
}

static const char *devirt_match_path(struct devirt_match *match, struct devirt_scan *scan)
{
	if (!devirt_scan_bus(scan, &match->facts.root))
		return "path: wants a root bus and a function on it, path:00:02.0";
	do {
		if (match->facts.hops == DEVIRT_MATCH_HOPS)
			return "path: goes through too many bridges";
		if (!devirt_scan_devfn(scan, &match->facts.path[match->facts.hops]))
			return "path: wants a device and function behind each bridge, path:00:02.0/00.0";
		match->facts.hops++;
	} while (devirt_scan_char(scan, '/'));
	return NULL;
}

static const char *devirt_match_serial(struct devirt_match *match, struct devirt_scan *scan)
{
	__u64 value;
	int i;

	for (i = 0; i < 8; i++) {
		if ((i && !devirt_scan_char(scan, '-')) || !devirt_scan_hex(scan, 2, 2, &value))
			return "serial: wants eight bytes, serial:52-54-00-ff-ff-de-01-00";
		match->facts.serial = match->facts.serial << 8 | value;
	}
	if (!match->facts.serial)
		return "serial: of zero says that there is none";
	if (scan->at == scan->end || *scan->at != '.')
		return NULL;
	if (!devirt_scan_function(scan, &match->function))
		return "serial: wants a function from .0 to .7, or none, behind it";
	match->what |= DEVIRT_MATCH_FUNCTION;
	return NULL;
}

static const char *devirt_match_id(struct devirt_match *match, struct devirt_scan *scan)
{
	if (!devirt_scan_id(scan, &match->facts.vendor) || !devirt_scan_char(scan, ':') ||
	    !devirt_scan_id(scan, &match->facts.device))
		return "neither an address (0000:01:00.0), an id (8086:10c9), path: nor serial:";
	if (!devirt_scan_char(scan, ':'))
		return NULL;
	if (!devirt_scan_id(scan, &match->facts.subvendor) || !devirt_scan_char(scan, ':') ||
	    !devirt_scan_id(scan, &match->facts.subdevice))
		return "an id has two or four numbers of four digits, 8086:10c9:1028:0001";
	match->what |= DEVIRT_MATCH_SUBID;
	return NULL;
}

/* One condition. Returns what is wrong with it, or NULL. */
static const char *devirt_match_condition(struct devirt_match *match, struct devirt_scan *scan)
{
	const char *why;
	__u32 what;

	if (scan->at == scan->end)
		return "it says nothing";
	if (devirt_scan_word(scan, "path:")) {
		what = DEVIRT_MATCH_PATH;
	} else if (devirt_scan_word(scan, "serial:")) {
		what = DEVIRT_MATCH_SERIAL;
	} else {
		what = memchr(scan->at, '.', scan->end - scan->at) ? DEVIRT_MATCH_ADDR :
								     DEVIRT_MATCH_ID;
	}
	if (match->what & what)
		return "it says the same thing twice";
	match->what |= what;
	switch (what) {
	case DEVIRT_MATCH_PATH:
		why = devirt_match_path(match, scan);
		break;
	case DEVIRT_MATCH_SERIAL:
		why = devirt_match_serial(match, scan);
		break;
	case DEVIRT_MATCH_ADDR:
		why = devirt_scan_bus(scan, &match->facts.at) &&
		      devirt_scan_devfn(scan, &match->facts.at.devfn) ? NULL :
		      "an address is BUS:DEV.FN, 0000:01:00.0 or 01:00.0";
		break;
	default:
		why = devirt_match_id(match, scan);
		break;
	}
	if (!why && scan->at != scan->end)
		why = "there is more behind it than belongs to it";
	return why;
}

/**
 * devirt_match_parse - read a match
 * @match: filled in
 * @text: the text, which need not be closed
 * @len: bytes of it
 * @why: what is wrong, in words, if something is
 *
 * Any context. Return: 0 or -EINVAL.
 */
int devirt_match_parse(struct devirt_match *match, const char *text, size_t len,
		       const char **why)
{
	const char *end = text + len;
	struct devirt_scan scan;

	memset(match, 0, sizeof(*match));
	scan.at = text;
	for (;;) {
		scan.end = memchr(scan.at, '+', end - scan.at);
		if (!scan.end)
			scan.end = end;
		*why = devirt_match_condition(match, &scan);
		if (*why)
			return -EINVAL;
		if (scan.end == end)
			return 0;
		scan.at = scan.end + 1;
	}
}
DEVIRT_EXPORT_FOR_TEST(devirt_match_parse);

static bool devirt_match_same_bus(const struct devirt_bus_addr *a,
				  const struct devirt_bus_addr *b)
{
	return a->domain == b->domain && a->bus == b->bus;
}

/**
 * devirt_match_fits - is this the function, or one of those, that is meant?
 * @match: what it must be
 * @facts: what it is
 *
 * Any context.
 */
bool devirt_match_fits(const struct devirt_match *match, const struct devirt_facts *facts)
{
	__u32 what = match->what;

	if (what & DEVIRT_MATCH_ADDR &&
	    (!devirt_match_same_bus(&match->facts.at, &facts->at) ||
	     match->facts.at.devfn != facts->at.devfn))
		return false;
	if (what & DEVIRT_MATCH_PATH &&
	    (!devirt_match_same_bus(&match->facts.root, &facts->root) ||
	     match->facts.hops != facts->hops ||
	     memcmp(match->facts.path, facts->path, facts->hops)))
		return false;
	if (what & DEVIRT_MATCH_ID &&
	    (match->facts.vendor != facts->vendor || match->facts.device != facts->device))
		return false;
	if (what & DEVIRT_MATCH_SUBID &&
	    (match->facts.subvendor != facts->subvendor ||
	     match->facts.subdevice != facts->subdevice))
		return false;
	if (what & DEVIRT_MATCH_SERIAL && match->facts.serial != facts->serial)
		return false;
	if (what & DEVIRT_MATCH_FUNCTION && match->function != (facts->at.devfn & 7))
		return false;
	return what;
}
DEVIRT_EXPORT_FOR_TEST(devirt_match_fits);
