// SPDX-License-Identifier: GPL-2.0
/* Waiting for as long as nobody ends it. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <time.h>
#include "watch.h"

static volatile sig_atomic_t ended;
/* The signals are let in while it waits only, so that none slips in between. */
static sigset_t waiting;

static void on_signal(int number)
{
	if (number != SIGWINCH)
		ended = 1;
}

void watch_begin(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGWINCH };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sigaddset(&blocked, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, &waiting);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigdelset(&waiting, numbers[i]);
}

int watch_wait(struct pollfd *fds, nfds_t count, double seconds)
{
	struct timespec time = {
		.tv_sec = seconds,
		.tv_nsec = (seconds - (time_t)seconds) * 1e9,
	};
	int ret;

	ret = ppoll(fds, count, seconds < 0 ? NULL : &time, &waiting);
	if (ret >= 0)
		return ret;
	if (errno != EINTR)
		return -errno;
	return ended ? -EINTR : -EAGAIN;
}

unsigned long long watch_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}
