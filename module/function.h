/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_FUNCTION_H
#define _DEVIRT_FUNCTION_H

#include <linux/devirt.h>
#include <linux/pci.h>

struct devirt_irq;
struct devirt_resource;
struct devirt_user;
struct devirt_vfset;

/* Whose driver a leased function has. */
#define DEVIRT_VFIO_DRIVER	"vfio-pci"

/**
 * struct devirt_function - a PCI function on its way between drivers
 * @pdev: the function, with a reference; NULL until devirt_function_check()
 * @driver: the host driver it had, empty for none
 * @override: the driver override it had, NULL for none
 * @runtime_auto: it was under runtime power management
 * @user: who uses it, while it is leased
 * @watched: it hasn't left vfio-pci since; changes with the device locked
 * @keeps: it has its own driver, and not vfio-pci, while it is leased
 * @kept: which
 * @vfset: what is set of it while it is leased; NULL for nothing
 */
struct devirt_function {
	struct pci_dev *pdev;
	char driver[DEVIRT_DRIVER_MAX];
	char *override;
	bool runtime_auto;
	struct devirt_user *user;
	bool watched;
	bool keeps;
	char kept[DEVIRT_DRIVER_MAX];
	struct devirt_vfset *vfset;
};

static inline u64 devirt_function_id(struct pci_dev *pdev)
{
	return (u64)pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
}

/* The claim of a VF, which may not exist yet. */
static inline u64 devirt_vf_id(struct pci_dev *pf, u32 index)
{
	return devirt_function_id(pf) << 16 | index;
}

u32 devirt_function_facts(void);
void devirt_function_driver(struct pci_dev *pdev, char *name);

struct pci_dev *devirt_function_find(struct devirt_resource *res,
				     const struct devirt_pci_addr *addr);
int devirt_function_isolated(struct devirt_resource *res, struct pci_dev *pdev);
int devirt_function_check(struct devirt_resource *res, struct devirt_function *fn,
			  struct pci_dev *pdev, struct devirt_vfio *vfio);
int devirt_function_veto(struct devirt_resource *res, struct devirt_function *fn);
int devirt_function_take(struct devirt_resource *res, struct devirt_function *fn,
			 struct devirt_vfio *vfio, const struct devirt_irq *irq);
bool devirt_function_busy(struct pci_dev *pdev);
int devirt_function_leave(struct devirt_function *fn, bool *clean);
int devirt_vfio_index(struct device *dev, void *data);
int devirt_function_shut(struct pci_dev *pdev, struct iommu_group **shut);
void devirt_function_reopen(struct iommu_group *shut);
int devirt_function_give(struct devirt_resource *res, struct devirt_function *fn);
void devirt_function_drop(struct devirt_function *fn);

#endif /* _DEVIRT_FUNCTION_H */
