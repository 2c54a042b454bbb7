// SPDX-License-Identifier: GPL-2.0
/*
 * claim PF N: leases N VFs of a PF by the bare ioctls, as a VMM that speaks to
 * /dev/devirt itself would; prints how many nanoseconds that took; waits for a
 * line of input; gives them back, and prints that too. What starting a process
 * costs isn't in it.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/devirt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct devirt_create create = { .size = sizeof(create), .name = "bench-claim" };
	struct devirt_release release = { .size = sizeof(release) };
	struct devirt_apply apply = { .size = sizeof(apply) };
	unsigned int domain, bus, slot, function;
	struct devirt_record *records;
	int device, partition, i, n;
	long long start;

	if (argc != 3 ||
	    sscanf(argv[1], "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		errx(2, "usage: claim PF N");
	n = atoi(argv[2]);
	records = calloc(n, sizeof(*records));
	if (!records)
		err(1, "calloc");
	for (i = 0; i < n; i++) {
		records[i].kind = DEVIRT_KIND_VF;
		records[i].vf.pf.domain = domain;
		records[i].vf.pf.bus = bus;
		records[i].vf.pf.devfn = slot << 3 | function;
		records[i].vf.index = DEVIRT_VF_ANY;
		records[i].vf.pool = n;
	}
	apply.records = (uintptr_t)records;
	apply.count = n;
	apply.record_size = sizeof(*records);

	start = now();
	device = open("/dev/devirt", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/devirt");
	partition = ioctl(device, DEVIRT_CREATE, &create);
	if (partition < 0)
		err(1, "DEVIRT_CREATE");
	if (ioctl(partition, DEVIRT_APPLY, &apply) < 0)
		err(1, "DEVIRT_APPLY: record %u, reason %u, %s", apply.failed,
		    apply.failed < (unsigned int)n ? records[apply.failed].reason : 0,
		    apply.failed < (unsigned int)n ? records[apply.failed].detail : "");
	printf("%lld\n", now() - start);
	fflush(stdout);

	getchar();
	start = now();
	if (ioctl(partition, DEVIRT_RELEASE, &release) < 0)
		err(1, "DEVIRT_RELEASE");
	close(partition);
	close(device);
	printf("%lld\n", now() - start);
	return 0;
}
