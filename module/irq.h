/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_IRQ_H
#define _DEVIRT_IRQ_H

#include <linux/types.h>

struct devirt_irq;
struct devirt_irqs;
struct devirt_partition;
struct devirt_resource;
struct pci_dev;
struct pid;

int devirt_irq_check(struct devirt_resource *res, const struct devirt_irq *irq);
struct devirt_irqs *devirt_irqs_create(struct devirt_resource *res, struct pci_dev *pdev,
				       const struct devirt_irq *irq);
void devirt_irqs_add(struct devirt_irqs *irqs);
void devirt_irqs_remove(struct devirt_irqs *irqs);
void devirt_irqs_free(struct devirt_irqs *irqs);
bool devirt_irqs_note(struct devirt_irqs *irqs, const void __user *arg);
int devirt_irqs_place(struct devirt_irqs *irqs, struct pid *vmm);
void devirt_irqs_release(struct devirt_irqs *irqs);
void devirt_irqs_changing(struct devirt_irqs *irqs);
void devirt_irqs_changed(struct devirt_irqs *irqs, unsigned int changes);
bool devirt_irqs_followed(const struct devirt_irqs *irqs);

void devirt_irq_count(struct devirt_partition *part, unsigned int cpu, u64 *home, u64 *away);
bool devirt_irq_is_leased(unsigned int irq);

#endif /* _DEVIRT_IRQ_H */
