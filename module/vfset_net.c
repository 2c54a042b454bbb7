// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings of a network card's VF, by the operations of its PF's interface that
 * "ip link set IF vf N" uses. What an operation's driver can't tell beforehand
 * can't be put back, and is told as lost.
 */
#include <linux/delay.h>
#include <linux/device/class.h>
#include <linux/errno.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/rtnetlink.h>
#include <linux/string.h>

#include "compat/compat.h"
#include "compat/netdev.h"
#include "resource.h"
#include "vfset.h"

/* A driver whose VF is still in reset says EAGAIN: so often, and so long apart. */
#define DEVIRT_NET_TRIES	10
#define DEVIRT_NET_PAUSE_MS	100

/* What a driver leaves there if it doesn't know. */
#define DEVIRT_NET_UNKNOWN	((__u32)-1)

static bool devirt_net_can(const struct net_device_ops *ops, u32 bit)
{
	switch (bit) {
	case DEVIRT_VF_SET_MAC:
		return ops->ndo_set_vf_mac;
	case DEVIRT_VF_SET_VLAN:
		return ops->ndo_set_vf_vlan;
	case DEVIRT_VF_SET_SPOOFCHK:
		return ops->ndo_set_vf_spoofchk;
	case DEVIRT_VF_SET_TRUST:
		return ops->ndo_set_vf_trust;
	case DEVIRT_VF_SET_RATE:
		return ops->ndo_set_vf_rate;
	case DEVIRT_VF_SET_LINK:
		return ops->ndo_set_vf_link_state;
	default:
		return false;
	}
}

static int devirt_net_match(struct device *dev, void *data)
{
	struct net_device **best = data, *ndev;

	if (!dev->class || strcmp(dev->class->name, "net"))
		return 0;
	ndev = to_net_dev(dev);
	if (ndev->reg_state != NETREG_REGISTERED || !ndev->netdev_ops->ndo_get_vf_config)
		return 0;
	if (!*best || ndev->dev_port < (*best)->dev_port ||
	    (ndev->dev_port == (*best)->dev_port && ndev->ifindex < (*best)->ifindex))
		*best = ndev;
	return 0;
}

/*
 * The PF's interface, which stays until devirt_net_unlock(); or NULL, and nothing
 * is locked. A PF can have several: those of its VFs' switch ports can't set VFs,
 * and of several ports it is the first one.
 */
static struct net_device *devirt_net_lock(struct pci_dev *pf)
{
	struct net_device *ndev = NULL;

	rtnl_lock();
	device_for_each_child(&pf->dev, &ndev, devirt_net_match);
	if (ndev)
		devirt_netdev_lock(ndev);
	else
		rtnl_unlock();
	return ndev;
}

static void devirt_net_unlock(struct net_device *ndev)
{
	devirt_netdev_unlock(ndev);
	rtnl_unlock();
}

static int devirt_net_check(struct devirt_vfset *vs)
{
	const struct devirt_vf_net *want = &vs->want->net;
	unsigned long set = vs->want->set;
	struct net_device *ndev;
	unsigned int bit;

	if (set & DEVIRT_VF_SET_MAC && !is_valid_ether_addr(want->mac))
		return devirt_refuse(vs->res, DEVIRT_REASON_INVALID, -EINVAL,
				     "settings.net.mac");
	if (want->max_mbps && want->min_mbps > want->max_mbps)
		return devirt_refuse(vs->res, DEVIRT_REASON_INVALID, -EINVAL,
				     "settings.net.min_mbps");
	/* A priority is a part of the VLAN's tag. */
	if (want->qos && !want->vlan)
		return devirt_refuse(vs->res, DEVIRT_REASON_INVALID, -EINVAL,
				     "settings.net.qos");
	ndev = devirt_net_lock(vs->pf);
	for_each_set_bit(bit, &set, BITS_PER_TYPE(vs->want->set)) {
		if (!ndev || !devirt_net_can(ndev->netdev_ops, BIT(bit)))
			break;
	}
	if (ndev)
		devirt_net_unlock(ndev);
	if (bit < BITS_PER_TYPE(vs->want->set))
		return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_KIND, -EOPNOTSUPP, BIT(bit));
	return 0;
}

/* As the kernel asks for it. */
static int devirt_net_config(struct net_device *ndev, u32 index, struct ifla_vf_info *info)
{
	memset(info, 0, sizeof(*info));
	info->vf = index;
	info->spoofchk = DEVIRT_NET_UNKNOWN;
	info->trusted = DEVIRT_NET_UNKNOWN;
	info->rss_query_en = DEVIRT_NET_UNKNOWN;
	info->vlan_proto = htons(ETH_P_8021Q);
	return ndev->netdev_ops->ndo_get_vf_config(ndev, index, info);
}

/**
 * devirt_net_overlooks - doesn't a PF's driver know of its VFs?
 * @pf: the PF, which has some
 *
 * May sleep; takes rtnl, and so not under the device's lock. Return: true if it is a
 * network card's driver that has nothing to say of the first one.
 */
bool devirt_net_overlooks(struct pci_dev *pf)
{
	struct net_device *ndev = devirt_net_lock(pf);
	struct ifla_vf_info info;
	int err;

	if (!ndev)
		return false;
	err = devirt_net_config(ndev, 0, &info);
	devirt_net_unlock(ndev);
	return err == -EINVAL;
}

/* Bring one setting of a VF to what @info says. */
static int devirt_net_apply(struct net_device *ndev, u32 index, u32 bit,
			    struct ifla_vf_info *info)
{
	const struct net_device_ops *ops = ndev->netdev_ops;

	if (!devirt_net_can(ops, bit))
		return -EOPNOTSUPP;
	switch (bit) {
	case DEVIRT_VF_SET_MAC:
		return ops->ndo_set_vf_mac(ndev, index, info->mac);
	case DEVIRT_VF_SET_VLAN:
		return ops->ndo_set_vf_vlan(ndev, index, info->vlan, info->qos,
					    info->vlan_proto);
	case DEVIRT_VF_SET_SPOOFCHK:
		if (info->spoofchk == DEVIRT_NET_UNKNOWN)
			return -ENODATA;
		return ops->ndo_set_vf_spoofchk(ndev, index, info->spoofchk);
	case DEVIRT_VF_SET_TRUST:
		if (info->trusted == DEVIRT_NET_UNKNOWN)
			return -ENODATA;
		return ops->ndo_set_vf_trust(ndev, index, info->trusted);
	case DEVIRT_VF_SET_RATE:
		return ops->ndo_set_vf_rate(ndev, index, info->min_tx_rate,
					    info->max_tx_rate);
	case DEVIRT_VF_SET_LINK:
		return ops->ndo_set_vf_link_state(ndev, index, info->linkstate);
	default:
		return -EOPNOTSUPP;
	}
}

/* What is wanted, as the operations take it: a rate that isn't stays as it was. */
static void devirt_net_wanted(const struct devirt_vf_net *want,
			      const struct ifla_vf_info *before, struct ifla_vf_info *info)
{
	memset(info, 0, sizeof(*info));
	ether_addr_copy(info->mac, want->mac);
	info->vlan = want->vlan;
	info->qos = want->qos;
	info->vlan_proto = htons(ETH_P_8021Q);
	info->spoofchk = want->spoofchk;
	info->trusted = want->trust;
	info->min_tx_rate = want->min_mbps ?: before->min_tx_rate;
	info->max_tx_rate = want->max_mbps ?: before->max_tx_rate;
	/* Ours are numbered like theirs. */
	info->linkstate = want->link;
}

/* The interface's speed, for a rate that it refused; 0 if it has none. */
static u32 devirt_net_speed(struct net_device *ndev)
{
	struct ethtool_link_ksettings link;

	if (__ethtool_get_link_ksettings(ndev, &link) ||
	    link.base.speed == (__u32)SPEED_UNKNOWN)
		return 0;
	return link.base.speed;
}

/* All settings once. @bit: which failed; @speed: if that was the rate. */
static int devirt_net_try(struct devirt_vfset *vs, u32 *failed, u32 *speed)
{
	unsigned long set = vs->want->set;
	struct ifla_vf_info wanted;
	struct net_device *ndev;
	unsigned int bit;
	int err = 0;

	*failed = BIT(__ffs(set));
	*speed = 0;
	ndev = devirt_net_lock(vs->pf);
	if (!ndev)
		return -ENODEV;
	/* The first time only: after that it is ours that is there. */
	if (!vs->done)
		err = devirt_net_config(ndev, vs->index, vs->before);
	devirt_net_wanted(&vs->want->net, vs->before, &wanted);
	for_each_set_bit(bit, &set, BITS_PER_TYPE(vs->want->set)) {
		if (err)
			break;
		vs->done |= BIT(bit);
		*failed = BIT(bit);
		err = devirt_net_apply(ndev, vs->index, BIT(bit), &wanted);
		if (err && BIT(bit) == DEVIRT_VF_SET_RATE)
			*speed = devirt_net_speed(ndev);
	}
	devirt_net_unlock(ndev);
	return err;
}

static int devirt_net_set(struct devirt_vfset *vs)
{
	u32 failed, speed, rate = vs->want->net.max_mbps;
	unsigned int i;
	int err;

	for (i = 0; i < DEVIRT_NET_TRIES; i++) {
		err = devirt_net_try(vs, &failed, &speed);
		if (err != -EAGAIN)
			break;
		msleep(DEVIRT_NET_PAUSE_MS);
	}
	if (!err)
		return 0;
	if (failed == DEVIRT_VF_SET_RATE && speed && rate > speed)
		return devirt_vfset_limit(vs, failed, speed);
	return devirt_vfset_refuse(vs, DEVIRT_REASON_SETTING_FAILED, err, failed);
}

static void devirt_net_unset(struct devirt_vfset *vs)
{
	struct net_device *ndev = devirt_net_lock(vs->pf);
	unsigned long done = vs->done;
	unsigned int bit;

	if (!ndev)
		return;
	for_each_set_bit(bit, &done, BITS_PER_TYPE(vs->done)) {
		if (!devirt_net_apply(ndev, vs->index, BIT(bit), vs->before))
			vs->done &= ~BIT(bit);
	}
	devirt_net_unlock(ndev);
}

const struct devirt_vfset_ops devirt_vfset_net_ops = {
	.mask = DEVIRT_VF_SET_MAC | DEVIRT_VF_SET_VLAN | DEVIRT_VF_SET_SPOOFCHK |
		DEVIRT_VF_SET_TRUST | DEVIRT_VF_SET_RATE | DEVIRT_VF_SET_LINK,
	.size = sizeof(struct ifla_vf_info),
	.check = devirt_net_check,
	.set = devirt_net_set,
	.unset = devirt_net_unset,
};
