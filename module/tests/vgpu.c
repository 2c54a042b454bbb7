// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: VFs of a graphics card, which emulated machines don't have. It binds
 * igb's VFs and lets VFIO have them, as a vendor's driver does its own:
 *
 * - Each VF has NVIDIA's attributes. Four types share what the card has; it can be
 *   opened only while it has a type, and the type can't be changed while it is
 *   open. What can't be written gets the errnos that NVIDIA's driver gives.
 * - The PF has Intel's attributes: xe's for video memory and the execution
 *   quantum, i915's for contexts and doorbells.
 *
 * Parameters that can be written at any time: "refuse", the errno that every write
 * of an attribute gets, and "unfit", the one that every VF's probe gets.
 */
#define pr_fmt(fmt) "devirt_vgpu: " fmt

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "compat/vfio.h"

#define VGPU_PF		0x10c9
#define VGPU_VF		0x10ca
#define VGPU_VFS	7
#define VGPU_CARD	3

static int refuse;
module_param(refuse, int, 0600);
MODULE_PARM_DESC(refuse, "errno that writes of attributes get, 0: none");
static int unfit;
module_param(unfit, int, 0600);
MODULE_PARM_DESC(unfit, "errno that probes get, 0: none");

/* ------------------------------------------------------------------ a VF */

/**
 * struct vgpu - a VF
 * @core: what VFIO knows of it; its driver data
 * @type: that it has, or NULL
 * @open: a VMM has it
 */
struct vgpu {
	struct vfio_pci_core_device core;
	const struct vgpu_type *type;
	bool open;
};

static const struct vgpu_type {
	unsigned int id;
	unsigned int size;
	const char *name;
} vgpu_types[] = {
	{ 1101, 1, "DEVIRT T8-1Q" },
	{ 1102, 2, "DEVIRT T8-2Q" },
	{ 1104, 4, "DEVIRT T8-4Q" },
	{ 1108, 8, "DEVIRT T8-8Q" },
};

/* What the card has left, for all its VFs. */
static unsigned int vgpu_left = 8;
/* Of that, and of all VFs. */
static DEFINE_MUTEX(vgpu_lock);

static struct vgpu *to_vgpu(struct device *dev)
{
	return container_of(dev_get_drvdata(dev), struct vgpu, core);
}

static ssize_t creatable_vgpu_types_show(struct device *dev, struct device_attribute *attr,
					 char *buf)
{
	int len = sysfs_emit(buf, "ID  : vGPU Name\n"), i;

	mutex_lock(&vgpu_lock);
	for (i = 0; i < ARRAY_SIZE(vgpu_types); i++) {
		if (vgpu_types[i].size <= vgpu_left)
			len += sysfs_emit_at(buf, len, "%u : %s\n", vgpu_types[i].id,
					     vgpu_types[i].name);
	}
	mutex_unlock(&vgpu_lock);
	return len;
}
static DEVICE_ATTR_RO(creatable_vgpu_types);

static ssize_t current_vgpu_type_show(struct device *dev, struct device_attribute *attr,
				      char *buf)
{
	struct vgpu *vgpu = to_vgpu(dev);
	unsigned int id;

	mutex_lock(&vgpu_lock);
	id = vgpu->type ? vgpu->type->id : 0;
	mutex_unlock(&vgpu_lock);
	return sysfs_emit(buf, "%u\n", id);
}

static int vgpu_set_type(struct vgpu *vgpu, unsigned int id)
{
	const struct vgpu_type *type = NULL;
	int i;

	if (vgpu->open)
		return -EPERM;
	if (!id) {
		vgpu_left += vgpu->type ? vgpu->type->size : 0;
		vgpu->type = NULL;
		return 0;
	}
	if (vgpu->type)
		return -EBUSY;
	for (i = 0; i < ARRAY_SIZE(vgpu_types); i++) {
		if (vgpu_types[i].id == id)
			type = &vgpu_types[i];
	}
	if (!type)
		return -EINVAL;
	if (type->size > vgpu_left)
		return -ENOSPC;
	vgpu->type = type;
	vgpu_left -= type->size;
	return 0;
}

static ssize_t current_vgpu_type_store(struct device *dev, struct device_attribute *attr,
				       const char *buf, size_t count)
{
	unsigned int id;
	int err;

	err = kstrtouint(buf, 10, &id);
	if (err)
		return err;
	mutex_lock(&vgpu_lock);
	err = READ_ONCE(refuse) ? -READ_ONCE(refuse) : vgpu_set_type(to_vgpu(dev), id);
	mutex_unlock(&vgpu_lock);
	return err ?: count;
}
static DEVICE_ATTR_RW(current_vgpu_type);

static struct attribute *vgpu_attrs[] = {
	&dev_attr_creatable_vgpu_types.attr,
	&dev_attr_current_vgpu_type.attr,
	NULL
};

static const struct attribute_group vgpu_group = {
	.name = "nvidia",
	.attrs = vgpu_attrs,
};

static const struct attribute_group *vgpu_groups[] = { &vgpu_group, NULL };

static int vgpu_open(struct vfio_device *vdev)
{
	struct vgpu *vgpu = container_of(vdev, struct vgpu, core.vdev);
	int err;

	mutex_lock(&vgpu_lock);
	err = vgpu->type ? 0 : -ENODEV;
	vgpu->open = !err;
	mutex_unlock(&vgpu_lock);
	if (err)
		return err;
	err = vfio_pci_core_enable(&vgpu->core);
	if (err) {
		mutex_lock(&vgpu_lock);
		vgpu->open = false;
		mutex_unlock(&vgpu_lock);
		return err;
	}
	vfio_pci_core_finish_enable(&vgpu->core);
	return 0;
}

static void vgpu_close(struct vfio_device *vdev)
{
	struct vgpu *vgpu = container_of(vdev, struct vgpu, core.vdev);

	vfio_pci_core_close_device(vdev);
	mutex_lock(&vgpu_lock);
	vgpu->open = false;
	mutex_unlock(&vgpu_lock);
}

static const struct vfio_device_ops vgpu_ops = {
	.name = "devirt-vgpu",
	.open_device = vgpu_open,
	.close_device = vgpu_close,
	DEVIRT_VFIO_OPS_PCI
};

static int vgpu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vgpu *vgpu;
	int err;

	if (READ_ONCE(unfit))
		return -READ_ONCE(unfit);
	vgpu = vfio_alloc_device(vgpu, core.vdev, &pdev->dev, &vgpu_ops);
	if (IS_ERR(vgpu))
		return PTR_ERR(vgpu);
	dev_set_drvdata(&pdev->dev, &vgpu->core);
	err = vfio_pci_core_register_device(&vgpu->core);
	if (err)
		vfio_put_device(&vgpu->core.vdev);
	return err;
}

static void vgpu_remove(struct pci_dev *pdev)
{
	struct vgpu *vgpu = to_vgpu(&pdev->dev);

	vfio_pci_core_unregister_device(&vgpu->core);
	mutex_lock(&vgpu_lock);
	vgpu_left += vgpu->type ? vgpu->type->size : 0;
	vgpu->type = NULL;
	mutex_unlock(&vgpu_lock);
	vfio_put_device(&vgpu->core.vdev);
}

static const struct pci_device_id vgpu_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, VGPU_VF) },
	{ }
};

static struct pci_driver vgpu_driver = {
	.name = "devirt_vgpu",
	.id_table = vgpu_ids,
	.probe = vgpu_probe,
	.remove = vgpu_remove,
	.dev_groups = vgpu_groups,
	.err_handler = &vfio_pci_core_err_handlers,
	.driver_managed_dma = true,
};

/* ---------------------------------------------------------------- the PF */

enum { VRAM, QUANTUM, CONTEXTS, DOORBELLS, QUOTAS };

/* An attribute that the PF has for each of its VFs: what is written is rounded up to
 * a multiple of its unit; more than one VF can have gets an error.
 */
static const struct quota_kind {
	const char *name;
	u64 unit;
	u64 max;
	int error;
} quota_kinds[QUOTAS] = {
	[VRAM] = { "vram_quota", 1 << 20, 1 << 30, -ENOSPC },
	[QUANTUM] = { "exec_quantum_ms", 1, 100000, -EINVAL },
	[CONTEXTS] = { "contexts_quota", 1, 1024, -ENOSPC },
	[DOORBELLS] = { "doorbells_quota", 4, 240, -EIO },
};

static struct quota {
	struct kobj_attribute attr;
	const struct quota_kind *kind;
	u64 value;
} quotas[VGPU_VFS][QUOTAS];

/* Folders: "sriov_admin" and "drm/cardN/iov", in each "vfN/profile" or "vfN/gt". */
static struct kobject *folders[3 + 1 + 4 * VGPU_VFS];
static int folder_count;
static struct pci_dev *quota_pf;

static ssize_t quota_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct quota *quota = container_of(attr, struct quota, attr);

	return sysfs_emit(buf, "%llu\n", READ_ONCE(quota->value));
}

static ssize_t quota_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			   size_t count)
{
	struct quota *quota = container_of(attr, struct quota, attr);
	u64 value;
	int err;

	err = kstrtou64(buf, 10, &value);
	if (err)
		return err;
	if (READ_ONCE(refuse))
		return -READ_ONCE(refuse);
	if (value > quota->kind->max)
		return quota->kind->error;
	WRITE_ONCE(quota->value, roundup(value, quota->kind->unit));
	return count;
}

static struct kobject *folder(const char *name, struct kobject *parent)
{
	struct kobject *kobj = parent ? kobject_create_and_add(name, parent) : NULL;

	if (kobj)
		folders[folder_count++] = kobj;
	return kobj;
}

static int quota_add(struct kobject *kobj, int vf, int kind)
{
	struct quota *quota = &quotas[vf][kind];

	if (!kobj)
		return -ENOMEM;
	sysfs_attr_init(&quota->attr.attr);
	quota->attr.attr.name = quota_kinds[kind].name;
	quota->attr.attr.mode = 0600;
	quota->attr.show = quota_show;
	quota->attr.store = quota_store;
	quota->kind = &quota_kinds[kind];
	return sysfs_create_file(kobj, &quota->attr.attr);
}

static void quotas_exit(void)
{
	while (folder_count)
		kobject_put(folders[--folder_count]);
	pci_dev_put(quota_pf);
}

static int quotas_init(void)
{
	struct kobject *xe, *i915, *kobj;
	char name[8];
	int vf, err;

	quota_pf = pci_get_device(PCI_VENDOR_ID_INTEL, VGPU_PF, NULL);
	if (!quota_pf)
		return -ENODEV;
	snprintf(name, sizeof(name), "card%d", VGPU_CARD);
	xe = folder("sriov_admin", &quota_pf->dev.kobj);
	i915 = folder("iov", folder(name, folder("drm", &quota_pf->dev.kobj)));
	for (vf = 0; vf < VGPU_VFS; vf++) {
		snprintf(name, sizeof(name), "vf%d", vf + 1);
		kobj = folder("profile", folder(name, xe));
		err = quota_add(kobj, vf, VRAM) ?: quota_add(kobj, vf, QUANTUM);
		if (err)
			goto err_exit;
		kobj = folder("gt", folder(name, i915));
		err = quota_add(kobj, vf, CONTEXTS) ?: quota_add(kobj, vf, DOORBELLS);
		if (err)
			goto err_exit;
	}
	return 0;

err_exit:
	quotas_exit();
	return err;
}

static int __init vgpu_init(void)
{
	int err;

	err = quotas_init();
	if (err)
		return err;
	err = pci_register_driver(&vgpu_driver);
	if (err)
		quotas_exit();
	return err;
}

static void __exit vgpu_exit(void)
{
	pci_unregister_driver(&vgpu_driver);
	quotas_exit();
}

module_init(vgpu_init);
module_exit(vgpu_exit);

MODULE_DESCRIPTION("VFs of a graphics card without hardware, for tests");
MODULE_LICENSE("GPL");
