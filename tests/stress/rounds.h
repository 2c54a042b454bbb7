/* SPDX-License-Identifier: GPL-2.0 */
/* How much of what takes hundreds of rounds. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include <stdlib.h>

/* All of them, or a third with STRESS_SHARE=3 in the environment. */
static inline int rounds_of(int all)
{
	const char *share = getenv("STRESS_SHARE");
	int divisor = share ? atoi(share) : 1;

	return divisor > 1 && divisor < all ? all / divisor : all;
}

#endif
