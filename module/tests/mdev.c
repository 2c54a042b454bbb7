// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: a parent of mediated devices that can be freed while its driver stays
 * loaded, as i915 frees its own when it is unbound. Its one type makes devices that
 * can do nothing. While the parameter "there" is 0 the parent isn't.
 */
#include <linux/device.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "compat/vfio.h"

/**
 * struct test_parent - all of it, which is freed at once
 * @parent: as the mdev core knows it
 * @type: its only one
 * @types: that, as the core wants it
 */
struct test_parent {
	struct mdev_parent parent;
	struct mdev_type type;
	struct mdev_type *types;
};

struct test_mdev {
	struct vfio_device vdev;
};

static struct platform_device *test_device;
static struct test_parent *test_parent;

static int test_open(struct vfio_device *vdev)
{
	return 0;
}

static void test_close(struct vfio_device *vdev)
{
}

static long test_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	return -ENOTTY;
}

static const struct vfio_device_ops test_ops = {
	.name = "devirt_mdev",
	.release = devirt_vfio_release,
	.open_device = test_open,
	.close_device = test_close,
	.ioctl = test_ioctl,
	DEVIRT_VFIO_OPS_EMULATED_IOMMUFD
	DEVIRT_VFIO_OPS_EMULATED_DETACH
};

static int test_probe(struct mdev_device *mdev)
{
	struct test_mdev *test;
	int err;

	test = vfio_alloc_device(test_mdev, vdev, &mdev->dev, &test_ops);
	if (IS_ERR(test))
		return PTR_ERR(test);
	err = vfio_register_emulated_iommu_dev(&test->vdev);
	if (err)
		vfio_put_device(&test->vdev);
	else
		dev_set_drvdata(&mdev->dev, test);
	return err;
}

static void test_remove(struct mdev_device *mdev)
{
	struct test_mdev *test = dev_get_drvdata(&mdev->dev);

	vfio_unregister_group_dev(&test->vdev);
	vfio_put_device(&test->vdev);
}

static struct mdev_driver test_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = 4,
	.probe = test_probe,
	.remove = test_remove,
	.driver = {
		.name = "devirt_mdev",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
	},
};

static int test_make(void)
{
	struct test_parent *test;
	int err;

	test = kzalloc(sizeof(*test), GFP_KERNEL);
	if (!test)
		return -ENOMEM;
	test->type.sysfs_name = "one";
	test->type.pretty_name = "Devirt's test";
	test->types = &test->type;
	err = mdev_register_parent(&test->parent, &test_device->dev, &test_driver, &test->types,
				   1);
	if (err)
		kfree(test);
	else
		test_parent = test;
	return err;
}

static void test_free(void)
{
	mdev_unregister_parent(&test_parent->parent);
	kfree(test_parent);
	test_parent = NULL;
}

static int test_there_set(const char *text, const struct kernel_param *kp)
{
	bool there;
	int err;

	err = kstrtobool(text, &there);
	if (err || !test_device || there == !!test_parent)
		return err;
	if (there)
		return test_make();
	test_free();
	return 0;
}

static const struct kernel_param_ops test_there_ops = {
	.set = test_there_set,
};
module_param_cb(there, &test_there_ops, NULL, 0200);

static int __init test_init(void)
{
	int err;

	test_device = platform_device_register_simple("devirt_mdev", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(test_device))
		return PTR_ERR(test_device);
	err = mdev_register_driver(&test_driver);
	if (err)
		goto err_device;
	err = test_make();
	if (err)
		goto err_driver;
	return 0;

err_driver:
	mdev_unregister_driver(&test_driver);
err_device:
	platform_device_unregister(test_device);
	return err;
}

static void __exit test_exit(void)
{
	if (test_parent)
		test_free();
	mdev_unregister_driver(&test_driver);
	platform_device_unregister(test_device);
}

module_init(test_init);
module_exit(test_exit);
MODULE_DESCRIPTION("Mediated devices of a parent that can be freed, for devirt's tests");
MODULE_LICENSE("GPL");
