// SPDX-License-Identifier: GPL-2.0
/*
 * Scarce memory: a host that has little of it, in small pieces, so that asking
 * for more huge pages than can be had fails soon, and when they are taken.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lease.h"

#define LEFT_PAGES	192	/* of 2M, besides the one large ring */
#define ENOUGH_PAGES	48	/* which the small ones leave, for the host to live on */
#define RINGS		512

static int large = -1, small[RINGS];
static unsigned int small_count;

/* What can be had with all that can be pushed out, as huge pages of 2M. */
static long long available(void)
{
	return file_value("/proc/meminfo", "MemAvailable") / (2 * MIB >> 10);
}

/*
 * A packet socket's ring: memory that the kernel gives in blocks of that size,
 * and can't move. The socket, or -errno.
 */
static int ring(size_t size, unsigned int blocks)
{
	struct tpacket_req req = {
		.tp_block_size = size, .tp_block_nr = blocks,
		.tp_frame_size = size, .tp_frame_nr = blocks,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/*
 * Until memory_grow(), or the end of the process. Two small blocks after each
 * other are the halves of a huge page: of each two one is freed.
 */
void memory_shrink(void)
{
	long long excess;
	unsigned int i;

	/* What a boot that is just over, or a cache, still gives back later. */
	command("udevadm settle");
	file_write("3", "/proc/sys/vm/drop_caches");
	excess = available() - LEFT_PAGES;
	if (excess > 0)
		large = ring(2 * MIB, excess);
	if (excess > 0 && large < 0)
		fprintf(stderr, "a ring of %lld blocks: %s\n", excess, strerror(-large));
	while (available() > ENOUGH_PAGES && small_count < RINGS) {
		small[small_count] = ring(MIB, 1);
		if (small[small_count] < 0)
			break;
		small_count++;
	}
	for (i = 0; i < small_count; i += 2) {
		close(small[i]);
		small[i] = -1;
	}
}

/* All of it free again. */
void memory_grow(void)
{
	while (small_count) {
		if (small[--small_count] >= 0)
			close(small[small_count]);
	}
	if (large >= 0)
		close(large);
	large = -1;
}

/*
 * More than half of the memory there is, in huge pages: once it can be had, and a
 * second time it is refused when it is taken, but not when it is checked. Unlike
 * what memory_shrink() leaves, this costs the kernel no search.
 */
struct devirt_record rec_most(int node)
{
	return rec_memory(2 * MIB, available() * 11 / 20, node);
}

/* More huge pages than can be had after memory_shrink(), but not than are free. */
struct devirt_record rec_scattered(int node)
{
	return rec_memory(2 * MIB, available() - 4, node);
}
