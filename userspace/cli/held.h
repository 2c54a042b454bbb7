/* SPDX-License-Identifier: GPL-2.0 */
/* What all partitions hold now. */
#ifndef DEVIRT_HELD_H
#define DEVIRT_HELD_H

#include "libdevirt.h"

/* One partition, as DEVIRT_GET tells. */
struct held_partition {
	struct devirt_get get;
	struct devirt_records records;
};

struct held {
	struct held_partition *v;
	size_t count;
};

/* Asks about every partition. One that ends meanwhile is left out. Returns 0 or
 * a negative errno; -1 for @device is no partition.
 */
int held_read(struct held *held, int device);
void held_free(struct held *held);

/* The partition that has it, or NULL. */
const char *held_cpu(const struct held *held, unsigned int cpu);
/* Whole functions by their own address, VFs too. */
const char *held_function(const struct held *held, const struct devirt_pci_addr *addr);
/* How many VFs of @pf are leased. */
unsigned int held_vfs(const struct held *held, const struct devirt_pci_addr *pf);

/* How many of a type of mediated device a partition has. */
unsigned int held_mdevs(const struct held_partition *partition,
			const struct devirt_mdev_type *type);

#endif
