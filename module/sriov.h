/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_SRIOV_H
#define _DEVIRT_SRIOV_H

#include <linux/types.h>

struct pci_dev;

int devirt_sriov_init(void);
void devirt_sriov_exit(void);
bool devirt_sriov_wanted(struct pci_dev *pf);

#endif /* _DEVIRT_SRIOV_H */
