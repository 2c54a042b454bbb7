/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock of a network interface's own that newer kernels hold around some
 * drivers' operations, inside rtnl.
 */
#ifndef _DEVIRT_COMPAT_NETDEV_H
#define _DEVIRT_COMPAT_NETDEV_H

#include <linux/netdevice.h>
#ifdef DEVIRT_HAVE_NETDEV_LOCK_OPS
#include <net/netdev_lock.h>
#endif

static inline void devirt_netdev_lock(struct net_device *ndev)
{
#ifdef DEVIRT_HAVE_NETDEV_LOCK_OPS
	netdev_lock_ops(ndev);
#endif
}

static inline void devirt_netdev_unlock(struct net_device *ndev)
{
#ifdef DEVIRT_HAVE_NETDEV_LOCK_OPS
	netdev_unlock_ops(ndev);
#endif
}

#endif /* _DEVIRT_COMPAT_NETDEV_H */
