// SPDX-License-Identifier: GPL-2.0
/*
 * crowd PROCESSES THREADS: so many processes, each of so many threads that sleep.
 * Says "ready" when all do, and ends all of them at the end of its input.
 */
#include <err.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void populate(int threads, int ready)
{
	pthread_attr_t attr;
	pthread_t thread;
	int i, error;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN);
	/* One is there already. */
	for (i = 1; i < threads; i++) {
		error = pthread_create(&thread, &attr, sleeper, NULL);
		if (error)
			errx(1, "thread %d: error %d", i, error);
	}
	if (write(ready, "", 1) != 1)
		err(1, "pipe");
	sleeper(NULL);
}

int main(int argc, char **argv)
{
	int ready[2], i, processes, threads;
	pid_t *pids;
	char byte;

	if (argc != 3)
		errx(2, "usage: crowd PROCESSES THREADS");
	processes = atoi(argv[1]);
	threads = atoi(argv[2]);
	pids = calloc(processes, sizeof(*pids));
	if (!pids || pipe(ready))
		err(1, "pipe");
	for (i = 0; i < processes; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			err(1, "process %d", i);
		if (!pids[i])
			populate(threads, ready[1]);
	}
	close(ready[1]);
	for (i = 0; i < processes; i++) {
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "a process has failed");
	}
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	for (i = 0; i < processes; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
