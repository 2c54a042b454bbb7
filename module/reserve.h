/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_RESERVE_H
#define _DEVIRT_RESERVE_H

struct pci_dev;

int devirt_reserve_init(void);
void devirt_reserve_exit(void);

const char *devirt_reserve_override(struct pci_dev *pdev);

#endif /* _DEVIRT_RESERVE_H */
