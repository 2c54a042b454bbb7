// SPDX-License-Identifier: GPL-2.0
/*
 * slice PF N ROUNDS: each VF of a pool of N is leased in a partition of its own, and
 * all are returned in another order; so many times, by the bare ioctls. Prints for
 * each VF how many nanoseconds that took, and how many of them this process ran:
 * "apply ran release ran". An NVMe controller's VFs get their queues by the lease.
 */
#include <err.h>
#include <linux/devirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lease.h"
#include "nvme.h"

static long long at(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

struct slice {
	int part;
	/* Beginning and end, by the clock and of what this process ran. */
	long long applied[2], released[2];
};

static void take(struct slice *slice, const char *pf, int index, bool nvme)
{
	struct devirt_record rec = rec_vf(pf, index, 0);
	char name[32];

	snprintf(name, sizeof(name), "slice-%d", index);
	if (nvme) {
		rec.vf.settings.set = DEVIRT_VF_SET_QUEUES | DEVIRT_VF_SET_VECTORS;
		rec.vf.settings.nvme.queues = 2;
		rec.vf.settings.nvme.vectors = 1;
	}
	slice->part = lease_create(name);
	if (slice->part < 0)
		errx(1, "%s: %s", name, strerror(-slice->part));
	slice->applied[0] = -at(CLOCK_MONOTONIC);
	slice->applied[1] = -at(CLOCK_PROCESS_CPUTIME_ID);
	if (lease_apply(slice->part, 0, &rec, 1, NULL))
		errx(1, "%s: reason %u, \"%s\"", name, rec.reason, rec.detail);
	slice->applied[1] += at(CLOCK_PROCESS_CPUTIME_ID);
	slice->applied[0] += at(CLOCK_MONOTONIC);
}

static void give(struct slice *slice)
{
	int err;

	slice->released[0] = -at(CLOCK_MONOTONIC);
	slice->released[1] = -at(CLOCK_PROCESS_CPUTIME_ID);
	err = lease_release(slice->part);
	if (err)
		errx(1, "release: %s", strerror(-err));
	slice->released[1] += at(CLOCK_PROCESS_CPUTIME_ID);
	slice->released[0] += at(CLOCK_MONOTONIC);
	close(slice->part);
}

int main(int argc, char **argv)
{
	struct slice *slices;
	int n, rounds, i;
	bool nvme;
	int fd;

	if (argc != 4)
		errx(2, "usage: slice PF N ROUNDS");
	n = atoi(argv[2]);
	rounds = atoi(argv[3]);
	slices = calloc(n, sizeof(*slices));
	if (!slices || n < 1)
		errx(1, "%d VFs", n);
	fd = nvme_open(argv[1]);
	nvme = fd >= 0;
	if (nvme) {
		close(fd);
		if (nvme_share(argv[1]))
			errx(1, "%s: it doesn't share its queues", argv[1]);
	}
	while (rounds--) {
		for (i = 0; i < n; i++)
			take(&slices[i], argv[1], i, nvme);
		/* Another order than that in which they were taken. */
		for (i = 0; i < n; i += 2)
			give(&slices[i]);
		for (i = 1; i < n; i += 2)
			give(&slices[i]);
		for (i = 0; i < n; i++)
			printf("%lld %lld %lld %lld\n", slices[i].applied[0],
			       slices[i].applied[1], slices[i].released[0],
			       slices[i].released[1]);
	}
	return 0;
}
