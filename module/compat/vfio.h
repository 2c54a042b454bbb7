/* SPDX-License-Identifier: GPL-2.0-only */
/* What a driver has to fill in that lets VFIO have a device: for tests. */
#ifndef _DEVIRT_COMPAT_VFIO_H
#define _DEVIRT_COMPAT_VFIO_H

#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>

#ifdef DEVIRT_HAVE_VFIO_BIND_IOMMUFD
#define DEVIRT_VFIO_OPS_IOMMUFD						\
	.bind_iommufd = vfio_iommufd_physical_bind,			\
	.unbind_iommufd = vfio_iommufd_physical_unbind,			\
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
#define DEVIRT_VFIO_OPS_EMULATED_IOMMUFD				\
	.bind_iommufd = vfio_iommufd_emulated_bind,			\
	.unbind_iommufd = vfio_iommufd_emulated_unbind,			\
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
#else
#define DEVIRT_VFIO_OPS_IOMMUFD
#define DEVIRT_VFIO_OPS_EMULATED_IOMMUFD
#endif

#ifdef DEVIRT_HAVE_VFIO_DETACH_IOAS
#define DEVIRT_VFIO_OPS_DETACH						\
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
#define DEVIRT_VFIO_OPS_EMULATED_DETACH					\
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
#else
#define DEVIRT_VFIO_OPS_DETACH
#define DEVIRT_VFIO_OPS_EMULATED_DETACH
#endif

#ifdef DEVIRT_HAVE_VFIO_REGION_INFO_CAPS
#define DEVIRT_VFIO_OPS_REGION						\
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
#else
#define DEVIRT_VFIO_OPS_REGION
#endif

#ifdef DEVIRT_HAVE_VFIO_MATCH_UUID
#define DEVIRT_VFIO_OPS_MATCH						\
	.match_token_uuid = vfio_pci_core_match_token_uuid,
#else
#define DEVIRT_VFIO_OPS_MATCH
#endif

/* What a driver that has nothing to do then does when a device is released. */
#ifdef DEVIRT_HAVE_VFIO_FREE_DEVICE
#define devirt_vfio_release	vfio_free_device
#else
#define devirt_vfio_release	NULL
#endif

/* All of struct vfio_device_ops but for .name and .open_device. */
#define DEVIRT_VFIO_OPS_PCI						\
	.init = vfio_pci_core_init_dev,					\
	.release = vfio_pci_core_release_dev,				\
	.ioctl = vfio_pci_core_ioctl,					\
	.device_feature = vfio_pci_core_ioctl_feature,			\
	.read = vfio_pci_core_read,					\
	.write = vfio_pci_core_write,					\
	.mmap = vfio_pci_core_mmap,					\
	.request = vfio_pci_core_request,				\
	.match = vfio_pci_core_match,					\
	DEVIRT_VFIO_OPS_IOMMUFD						\
	DEVIRT_VFIO_OPS_DETACH						\
	DEVIRT_VFIO_OPS_REGION						\
	DEVIRT_VFIO_OPS_MATCH

#endif /* _DEVIRT_COMPAT_VFIO_H */
