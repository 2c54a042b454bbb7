// SPDX-License-Identifier: GPL-2.0
/*
 * Scarce memory: a host that has little of it, in small pieces, so that asking
 * for more huge pages than can be had fails soon, and when they are taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lease.h"

#define LEFT_PAGES	384	/* of 2M, besides what is locked */
#define ENOUGH_PAGES	48	/* that the pipes leave, for the host to live on */
#define PIPES		256
#define PIPE_SIZE	(4 << 20)
#define PIPE_STEP	(1 << 14)

static void *locked = MAP_FAILED;
static size_t locked_size;
static int pipes[PIPES][2];
static unsigned int pipe_count;

/* What can be had with all that can be pushed out, as huge pages of 2M. */
static long long available(void)
{
	return file_value("/proc/meminfo", "MemAvailable") / (2 * MIB >> 10);
}

static bool pipe_add(void)
{
	if (pipe_count == PIPES || pipe2(pipes[pipe_count], O_CLOEXEC | O_NONBLOCK))
		return false;
	fcntl(pipes[pipe_count][0], F_SETPIPE_SZ, PIPE_SIZE);
	pipe_count++;
	return true;
}

/*
 * The kernel can't move what is in a pipe: of two that were filled in turns one
 * is emptied, which leaves half of the memory, and none of it in one piece.
 */
static void memory_scatter(void)
{
	static char buf[PIPE_SIZE];
	unsigned int i, at;

	while (available() > ENOUGH_PAGES && pipe_add() && pipe_add()) {
		for (at = 0; at < PIPE_SIZE; at += PIPE_STEP) {
			for (i = pipe_count - 2; i < pipe_count; i++) {
				if (write(pipes[i][1], buf, PIPE_STEP) != PIPE_STEP)
					break;
			}
		}
	}
	for (i = 0; i < pipe_count; i += 2) {
		while (read(pipes[i][0], buf, PIPE_SIZE) > 0)
			;
	}
}

/* Until memory_grow(), or the end of the process. */
void memory_shrink(void)
{
	long long excess = available() - LEFT_PAGES;

	if (excess > 0) {
		locked_size = excess * 2 * MIB;
		locked = mmap(NULL, locked_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
		if (locked == MAP_FAILED)
			fprintf(stderr, "locking %zu bytes: %s\n", locked_size, strerror(errno));
	}
	memory_scatter();
}

/* All of it free again. */
void memory_grow(void)
{
	while (pipe_count) {
		pipe_count--;
		close(pipes[pipe_count][0]);
		close(pipes[pipe_count][1]);
	}
	if (locked != MAP_FAILED)
		munmap(locked, locked_size);
	locked = MAP_FAILED;
}

/* More huge pages than can be had after memory_shrink(), but not than are free. */
struct devirt_record rec_scattered(int node)
{
	return rec_memory(2 * MIB, available() - 4, node);
}
