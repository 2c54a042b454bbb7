// SPDX-License-Identifier: GPL-2.0
/*
 * switches CPU COUNT - what a switch from one task to another costs: two
 * processes on one CPU hand a token to and fro, COUNT times. Prints the
 * nanoseconds that took, by the clock, which scripts/vm --clock icount makes one
 * of instructions.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void hand_over(int from, int to, long count, int first)
{
	char token = 0;

	if (first && write(to, &token, 1) != 1)
		exit(1);
	while (count-- > 0) {
		if (read(from, &token, 1) != 1 || write(to, &token, 1) != 1)
			exit(1);
	}
}

int main(int argc, char **argv)
{
	struct timespec begin, end;
	int there[2], back[2], status;
	cpu_set_t set;
	long count;
	pid_t pid;

	if (argc != 3)
		return 2;
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	/* A round is two switches. */
	count = atol(argv[2]) / 2;
	if (sched_setaffinity(0, sizeof(set), &set) || pipe(there) || pipe(back)) {
		perror(argv[0]);
		return 1;
	}
	pid = fork();
	if (!pid) {
		hand_over(there[0], back[1], count, 0);
		return 0;
	}
	hand_over(back[0], there[1], 1000, 1);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	hand_over(back[0], there[1], count - 1000 - 1, 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (read(back[0], &status, 1) != 1 || waitpid(pid, &status, 0) != pid || status)
		return 1;
	printf("%lld\n", (end.tv_sec - begin.tv_sec) * 1000000000LL +
			 end.tv_nsec - begin.tv_nsec);
	return 0;
}
