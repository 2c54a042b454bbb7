/* SPDX-License-Identifier: GPL-2.0 */
/* Waiting for as long as nobody ends it: what stat --watch and events share. */
#ifndef DEVIRT_WATCH_H
#define DEVIRT_WATCH_H

#include <poll.h>
#include <stdbool.h>

/* From now on SIGINT and SIGTERM end the next wait instead of the process. */
void watch_begin(void);

/* Like poll(), for @seconds, or for ever if that is negative. -EINTR: it is to
 * end; -EAGAIN: the terminal has another size.
 */
int watch_wait(struct pollfd *fds, nfds_t count, double seconds);

/* Now, in nanoseconds of the events' clock. */
unsigned long long watch_now(void);

#endif
