/* SPDX-License-Identifier: GPL-2.0 */
/* Leases of one thing: partitions with one record. */
#ifndef ONE_H
#define ONE_H

#include <poll.h>

#include "lease.h"
#include "tap.h"

static int __attribute__((unused)) lease_one(const char *name, struct devirt_record *rec)
{
	int part = lease_new(name, rec, 1);

	REQUIRE(part >= 0, "%s: %s, reason %u, \"%s\"", name, strerror(-part), rec->reason,
		rec->detail);
	return part;
}

/* The same where the outputs don't matter. */
static int __attribute__((unused)) lease_of(const char *name, struct devirt_record rec)
{
	return lease_one(name, &rec);
}

static void __attribute__((unused)) refused(struct devirt_record rec, int err,
					    unsigned int reason, const char *detail)
{
	int part = lease_create("refused");

	CHECK_EQ(lease_apply(part, 0, &rec, 1, NULL), err);
	CHECK_EQ(rec.reason, reason);
	CHECK_STR(rec.detail, detail);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_NEW);
	close(part);
}

/* Is there an event of that kind about that? */
static bool __attribute__((unused)) told(int part, unsigned int type, const char *detail)
{
	struct pollfd poller = { part, POLLIN, 0 };
	struct devirt_event event;

	while (poll(&poller, 1, 0) == 1 && read(part, &event, sizeof(event)) == sizeof(event)) {
		if (event.type == type && !strcmp(event.detail, detail))
			return true;
	}
	return false;
}

#endif
