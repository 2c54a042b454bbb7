/* SPDX-License-Identifier: GPL-2.0 */
/* The machine as a whole: its cores and devices, and who has them. */
#ifndef DEVIRT_MACHINE_H
#define DEVIRT_MACHINE_H

#include <stdio.h>
#include "held.h"
#include "libdevirt.h"

struct machine {
	struct devirt_topology *topology;
	struct held held;
	struct devirt_device *devices;
	size_t device_count;
};

/* The partition that has a CPU, or NULL for the host; its record in *record. */
const struct held_partition *machine_cpu(const struct machine *machine, unsigned int cpu,
					 const struct devirt_record **record);

/* Is it to be seen: a function with VFs, or one that is leased? */
bool machine_shows(const struct machine *machine, const struct devirt_device *device);

/* Which VFs of a function partition @index has; sorted, free(). */
unsigned int *machine_vfs(const struct machine *machine, size_t index,
			  const struct devirt_pci_addr *pf, size_t *count);

void picture_print(const struct machine *machine, FILE *file);

#endif
