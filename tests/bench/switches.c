// SPDX-License-Identifier: GPL-2.0
/*
 * switches CPU N ROUNDS: two threads on one CPU hand a token to and fro through
 * pipes, which makes the kernel switch between them N times in each round.
 * Prints for each round how many nanoseconds that took and how many switches the
 * kernel counted.
 */
#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int there[2], back[2];

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

static void pass(int from, int to)
{
	char token;

	if (read(from, &token, 1) != 1 || write(to, &token, 1) != 1)
		err(1, "pipe");
}

static void *partner(void *arg)
{
	for (;;)
		pass(there[0], back[1]);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long count, rounds, i;
	pthread_t thread;
	long long start;
	cpu_set_t set;
	long before;

	if (argc != 4)
		errx(2, "usage: switches CPU N ROUNDS");
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	count = strtoul(argv[2], NULL, 0);
	rounds = strtoul(argv[3], NULL, 0);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "CPU %s", argv[1]);
	if (pipe(there) || pipe(back))
		err(1, "pipe");
	if (pthread_create(&thread, NULL, partner, NULL))
		errx(1, "pthread_create");
	while (rounds--) {
		before = switches();
		start = now();
		for (i = 0; i < count / 2; i++) {
			if (write(there[1], "", 1) != 1)
				err(1, "pipe");
			if (read(back[0], &(char){ 0 }, 1) != 1)
				err(1, "pipe");
		}
		printf("%lld %ld\n", now() - start, switches() - before);
		fflush(stdout);
	}
	return 0;
}
