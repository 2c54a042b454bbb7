/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device as a VMM uses it through VFIO: its registers and its interrupts. And
 * the host's view of these. Whatever returns an int returns -errno on failure.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <linux/vfio.h>
#include <stdbool.h>

#include "lease.h"

#define VECTORS_MAX	32

int device_irqs(const struct vfio *vfio, unsigned int index, unsigned int start,
		unsigned int count, const int *fds);
int device_irqs_off(const struct vfio *vfio, unsigned int index);
int device_irq_count(const struct vfio *vfio, unsigned int index);
int device_ioctl(const struct vfio *vfio);
int device_enable(const struct vfio *vfio);
int device_write(const struct vfio *vfio, unsigned int reg, unsigned int value);
unsigned int device_read(const struct vfio *vfio, unsigned int reg);

int irqs_of(const char *addr, int *irqs);
int line_of(const char *addr);
unsigned long irq_affinity(int irq);
int irq_write(int irq, unsigned long mask);
bool irq_used(int irq);
bool irq_movable(int irq);
int irq_effective(int irq);
unsigned long irq_handled(int irq, int cpu);

/* edu's registers. */
#define EDU_RAISE	0x60
#define EDU_ACK		0x64

#endif
