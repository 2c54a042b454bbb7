/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels. Everything else is written for the newest one.
 * DEVIRT_HAVE_* come from compat/Kbuild.probe.
 */
#ifndef _DEVIRT_COMPAT_H
#define _DEVIRT_COMPAT_H

#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hardirq.h>
#include <linux/iommu.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/irqnr.h>
#include <linux/pci.h>
#include <linux/slab.h>

/*
 * Internal functions that the KUnit module calls; exported only on kernels that
 * have KUnit.
 */
#if IS_ENABLED(CONFIG_KUNIT)
#define DEVIRT_EXPORT_FOR_TEST(symbol)	EXPORT_SYMBOL_GPL(symbol)
#else
#define DEVIRT_EXPORT_FOR_TEST(...)
#endif

/* Of the tracepoint task_newtask. */
#ifdef DEVIRT_HAVE_CLONE_FLAGS_U64
#define DEVIRT_CLONE_FLAGS	u64
#else
#define DEVIRT_CLONE_FLAGS	unsigned long
#endif

/* User threads that live in the kernel; once it was only io_uring that had some. */
#ifndef PF_USER_WORKER
#define PF_USER_WORKER	PF_IO_WORKER
#endif

#ifndef __counted_by
#define __counted_by(...)
#endif

static inline struct class *devirt_class_create(const char *name)
{
#ifdef DEVIRT_HAVE_CLASS_CREATE_NAME
	return class_create(name);
#else
	return class_create(THIS_MODULE, name);
#endif
}

static inline unsigned int devirt_nr_irqs(void)
{
#ifdef DEVIRT_HAVE_GET_NR_IRQS
	return irq_get_nr_irqs();
#else
	return nr_irqs;
#endif
}

/* Interrupts that the kernel sends itself (devirt_arch_irqs()). */
enum {
	DEVIRT_ARCH_IRQ_TIMER,
	DEVIRT_ARCH_IRQ_RESCHEDULE,
	DEVIRT_ARCH_IRQ_CALL,
	DEVIRT_ARCH_IRQ_TLB,
	DEVIRT_ARCH_IRQS
};

/**
 * devirt_arch_irqs - how many of the kernel's own interrupts a CPU has had
 * @cpu: the CPU
 * @which: DEVIRT_ARCH_IRQ_*
 *
 * Return: the count, which wraps; zero where the architecture doesn't tell.
 */
static inline u32 devirt_arch_irqs(unsigned int cpu, unsigned int which)
{
#if defined(CONFIG_X86) && defined(DEVIRT_HAVE_IRQ_STAT_COUNTS)
	static const enum irq_stat_counts index[DEVIRT_ARCH_IRQS] = {
		[DEVIRT_ARCH_IRQ_TIMER] = IRQ_COUNT_APIC_TIMER,
		[DEVIRT_ARCH_IRQ_RESCHEDULE] = IRQ_COUNT_RESCHEDULE,
		[DEVIRT_ARCH_IRQ_CALL] = IRQ_COUNT_CALL_FUNCTION,
		[DEVIRT_ARCH_IRQ_TLB] = IRQ_COUNT_TLB,
	};

	return READ_ONCE(per_cpu(irq_stat, cpu).counts[index[which]]);
#elif defined(CONFIG_X86)
	const irq_cpustat_t *stat = &per_cpu(irq_stat, cpu);

	switch (which) {
	case DEVIRT_ARCH_IRQ_TIMER:
		return READ_ONCE(stat->apic_timer_irqs);
	case DEVIRT_ARCH_IRQ_RESCHEDULE:
		return READ_ONCE(stat->irq_resched_count);
	case DEVIRT_ARCH_IRQ_CALL:
		return READ_ONCE(stat->irq_call_count);
	default:
		return READ_ONCE(stat->irq_tlb_count);
	}
#else
	return 0;
#endif
}

/**
 * devirt_regs_set_argument_1 - change what a function is called with
 * @regs: registers at its entry
 * @value: its second argument from now on
 *
 * The counterpart of regs_get_kernel_argument(), which no kernel has.
 */
static inline void devirt_regs_set_argument_1(struct pt_regs *regs, unsigned long value)
{
#if defined(CONFIG_X86_64)
	regs->si = value;
#elif defined(CONFIG_ARM64)
	regs->regs[1] = value;
#else
#error "where is the second argument?"
#endif
}

/**
 * devirt_irq_affinity - the CPUs that an interrupt has been given
 * @data: the interrupt's; under RCU
 *
 * One without remapping (the IOMMU's own, for one) moves when it fires next. What
 * it will have then is what it was given.
 */
static inline const struct cpumask *devirt_irq_affinity(struct irq_data *data)
{
#ifdef CONFIG_GENERIC_PENDING_IRQ
	if (irqd_is_setaffinity_pending(data))
		return irq_data_to_desc(data)->pending_mask;
#endif
	return irq_data_get_affinity_mask(data);
}

/**
 * devirt_override_get - a copy of a function's driver override
 * @pdev: the function
 * @name: the copy, or NULL for none; the caller frees it
 *
 * May sleep; takes the device lock. Return: 0 or -ENOMEM.
 */
static inline int devirt_override_get(struct pci_dev *pdev, char **name)
{
	const char *set;

	*name = NULL;
#ifdef DEVIRT_HAVE_DEVICE_DRIVER_OVERRIDE
	{
		char buf[PAGE_SIZE / 8];

		spin_lock(&pdev->dev.driver_override.lock);
		set = pdev->dev.driver_override.name;
		if (set)
			strscpy(buf, set, sizeof(buf));
		spin_unlock(&pdev->dev.driver_override.lock);
		if (!set)
			return 0;
		*name = kstrdup(buf, GFP_KERNEL);
	}
#else
	device_lock(&pdev->dev);
	set = pdev->driver_override;
	if (set)
		*name = kstrdup(set, GFP_KERNEL);
	device_unlock(&pdev->dev);
	if (!set)
		return 0;
#endif
	return *name ? 0 : -ENOMEM;
}

/**
 * devirt_override_is - is that a function's driver override?
 * @pdev: the function
 * @name: the driver
 *
 * May sleep; takes the device lock on some kernels.
 */
static inline bool devirt_override_is(struct pci_dev *pdev, const char *name)
{
	const char *set;
	bool is;

#ifdef DEVIRT_HAVE_DEVICE_DRIVER_OVERRIDE
	spin_lock(&pdev->dev.driver_override.lock);
	set = pdev->dev.driver_override.name;
	is = set && !strcmp(set, name);
	spin_unlock(&pdev->dev.driver_override.lock);
#else
	device_lock(&pdev->dev);
	set = pdev->driver_override;
	is = set && !strcmp(set, name);
	device_unlock(&pdev->dev);
#endif
	return is;
}

/**
 * devirt_override_set - set a function's driver override
 * @pdev: the function
 * @name: the driver, or NULL to clear it, which needs no memory
 *
 * May sleep; takes the device lock on some kernels. Return: 0 or -ENOMEM.
 */
static inline int devirt_override_set(struct pci_dev *pdev, const char *name)
{
#ifdef DEVIRT_HAVE_DEVICE_DRIVER_OVERRIDE
	return device_set_driver_override(&pdev->dev, name ?: "");
#else
	/* An empty name clears it; this function takes no NULL. */
	return driver_set_override(&pdev->dev, &pdev->driver_override, name ?: "",
				   name ? strlen(name) : 0);
#endif
}

/**
 * devirt_msi_isolated - can a guest that has this device forge no interrupt?
 * @dev: the device
 * @group: its IOMMU group
 */
static inline bool devirt_msi_isolated(struct device *dev, struct iommu_group *group)
{
#ifdef DEVIRT_HAVE_ISOLATED_MSI
	return iommu_group_has_isolated_msi(group);
#else
	return irq_domain_check_msi_remap() ||
	       device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP);
#endif
}

/**
 * struct devirt_bdev - a whole disk, open exclusively
 * @file: newer kernels
 * @bdev: older kernels
 */
struct devirt_bdev {
#ifdef DEVIRT_HAVE_BDEV_FILE
	struct file *file;
#else
	struct block_device *bdev;
#endif
};

/**
 * devirt_bdev_open - open a disk exclusively
 * @disk: filled in
 * @devt: its number
 * @holder: any address, unique to the caller
 *
 * May sleep. Return: 0; -EBUSY if it or a part of it is claimed; another errno
 * of the disk.
 */
static inline int devirt_bdev_open(struct devirt_bdev *disk, dev_t devt, void *holder)
{
#ifdef DEVIRT_HAVE_BDEV_FILE
	disk->file = bdev_file_open_by_dev(devt, BLK_OPEN_READ, holder, NULL);
	return PTR_ERR_OR_ZERO(disk->file);
#else
	disk->bdev = blkdev_get_by_dev(devt, FMODE_READ | FMODE_EXCL, holder);
	return PTR_ERR_OR_ZERO(disk->bdev);
#endif
}

/*
 * At once, and not when the task returns to userspace: an open disk keeps its
 * controller's number, and the controller would come back under another one.
 */
static inline void devirt_bdev_close(struct devirt_bdev *disk)
{
#ifdef DEVIRT_HAVE_BDEV_FILE
	__fput_sync(disk->file);
#else
	blkdev_put(disk->bdev, FMODE_READ | FMODE_EXCL);
#endif
}

struct pid;

struct pid *devirt_pidfd_get(int fd);

struct nvme_command;
struct nvme_ctrl;

/*
 * Exported by nvme-core, but in no public header: callers take them by
 * symbol_get(), for the module may not be loaded. The last argument's type has
 * changed from one pointer to another.
 */
int nvme_submit_sync_cmd(struct request_queue *q, struct nvme_command *cmd,
			 void *buffer, unsigned int bufflen);
int nvme_get_features(struct nvme_ctrl *ctrl, unsigned int fid, unsigned int dword11,
		      void *buffer, size_t buflen, void *result);

#endif /* _DEVIRT_COMPAT_H */
