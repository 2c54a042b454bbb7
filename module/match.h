/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A match: by what a PCI function is told, before it has a driver and wherever
 * its bus number has moved to. Plain C: the module and the tool are built with the
 * same match.c, so that what one accepts the other does.
 */
#ifndef _DEVIRT_MATCH_H
#define _DEVIRT_MATCH_H

#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#include <stddef.h>
#endif

/* The most functions from the root bus to a device, itself included. */
#define DEVIRT_MATCH_HOPS	8

/* What of a match counts (struct devirt_match.what) */
#define DEVIRT_MATCH_ADDR	(1U << 0)	/* at: 0000:01:00.0 */
#define DEVIRT_MATCH_PATH	(1U << 1)	/* root and path: path:00:02.0/00.0 */
#define DEVIRT_MATCH_ID		(1U << 2)	/* vendor and device: 8086:10c9 */
#define DEVIRT_MATCH_SUBID	(1U << 3)	/* subvendor and subdevice too */
#define DEVIRT_MATCH_SERIAL	(1U << 4)	/* serial: serial:52-54-00-ff-ff-de-01-00 */
#define DEVIRT_MATCH_FUNCTION	(1U << 5)	/* and the function of that card: ... .1 */

/**
 * struct devirt_bus_addr - a bus number, or a function on it
 * @domain: PCI segment
 * @bus: bus number
 * @devfn: device and function
 */
struct devirt_bus_addr {
	__u32 domain;
	__u8 bus;
	__u8 devfn;
};

/**
 * struct devirt_facts - what a function is
 * @at: its address
 * @root: bus that it hangs below
 * @path: device and function of each bridge from there on, and its own
 * @hops: how many; 0: too many
 * @vendor: id
 * @device: id
 * @subvendor: id
 * @subdevice: id
 * @serial: its Device Serial Number; 0: it has none
 */
struct devirt_facts {
	struct devirt_bus_addr at;
	struct devirt_bus_addr root;
	__u8 path[DEVIRT_MATCH_HOPS];
	__u8 hops;
	__u16 vendor;
	__u16 device;
	__u16 subvendor;
	__u16 subdevice;
	__u64 serial;
};

/**
 * struct devirt_match - what a function must be
 * @what: DEVIRT_MATCH_*: which of @facts count
 * @function: number of the function of the card with that serial number
 * @facts: what it must be then
 */
struct devirt_match {
	__u32 what;
	__u8 function;
	struct devirt_facts facts;
};

int devirt_match_parse(struct devirt_match *match, const char *text, size_t len,
		       const char **why);
bool devirt_match_fits(const struct devirt_match *match, const struct devirt_facts *facts);

#endif /* _DEVIRT_MATCH_H */
