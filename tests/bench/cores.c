// SPDX-License-Identifier: GPL-2.0
/*
 * cores ROUNDS CPU...: leases these CPUs by the bare ioctls and gives them back,
 * so many times. Prints for each round how many nanoseconds applying and
 * releasing took. Beside them it can be a CPU whose sibling stays the host's.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/devirt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
	struct devirt_create create = { .size = sizeof(create), .name = "bench-cores" };
	struct devirt_release release = { .size = sizeof(release) };
	struct devirt_apply apply = { .size = sizeof(apply) };
	int device, partition, i, rounds, n = argc - 2;
	struct devirt_record *records;
	long long start, applied;

	if (argc < 3)
		errx(2, "usage: cores ROUNDS CPU...");
	rounds = atoi(argv[1]);
	device = open("/dev/devirt", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "/dev/devirt");
	while (rounds--) {
		records = calloc(n, sizeof(*records));
		if (!records)
			err(1, "calloc");
		for (i = 0; i < n; i++) {
			records[i].kind = DEVIRT_KIND_CPU;
			records[i].flags = DEVIRT_RECORD_SHARE_CORE;
			records[i].cpu.cpu = atoi(argv[2 + i]);
			records[i].cpu.role = DEVIRT_ROLE_VCPU;
			records[i].cpu.vcpu = i;
		}
		apply.records = (uintptr_t)records;
		apply.count = n;
		apply.record_size = sizeof(*records);
		partition = ioctl(device, DEVIRT_CREATE, &create);
		if (partition < 0)
			err(1, "DEVIRT_CREATE");
		start = now();
		if (ioctl(partition, DEVIRT_APPLY, &apply) < 0)
			err(1, "DEVIRT_APPLY: record %u", apply.failed);
		applied = now() - start;
		/* Whoever watches sees the lease now. */
		printf("%lld ", applied);
		fflush(stdout);
		if (getchar() == EOF)
			errx(1, "no input");
		start = now();
		if (ioctl(partition, DEVIRT_RELEASE, &release) < 0)
			err(1, "DEVIRT_RELEASE");
		printf("%lld\n", now() - start);
		fflush(stdout);
		close(partition);
		free(records);
	}
	return 0;
}
