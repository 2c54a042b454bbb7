// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: a PF's driver that does what real ones do only now and then. Bind it
 * by its driver override. Its parameters can be written at any time:
 *
 *	netdevs		interfaces of a PF that is bound from now on; of two the first
 *			has the second port, and a third one can't set VFs
 *	fewer		so many VFs less than asked for
 *	careless	removes VFs although some are assigned
 *	reject		takes no device any more
 *	again		so many settings are refused with EAGAIN
 *	refuse		setting this bit (DEVIRT_VF_SET_*) fails with EIO
 *	wait		while it is 1 setting something waits; 2 says that it does
 */
#include <linux/delay.h>
#include <linux/devirt.h>
#include <linux/etherdevice.h>
#include <linux/if_link.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/pci.h>

#define TEST_VFS	16
#define TEST_NETDEVS	3

static unsigned int netdevs = 1, fewer, again, refuse, wait;
static bool careless, reject;
module_param(netdevs, uint, 0644);
module_param(fewer, uint, 0644);
module_param(again, uint, 0644);
module_param(refuse, uint, 0644);
module_param(wait, uint, 0644);
module_param(careless, bool, 0644);
module_param(reject, bool, 0644);

struct test_pf {
	struct net_device *ndev[TEST_NETDEVS];
};

struct test_port {
	struct ifla_vf_info vf[TEST_VFS];
};

static netdev_tx_t test_xmit(struct sk_buff *skb, struct net_device *ndev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

/* Where a setting of a VF is kept, or an errno. */
static struct ifla_vf_info *test_vf(struct net_device *ndev, int vf, unsigned int bit)
{
	struct test_port *port = netdev_priv(ndev);

	if (vf >= pci_num_vf(to_pci_dev(ndev->dev.parent)))
		return ERR_PTR(-EINVAL);
	while (READ_ONCE(wait)) {
		WRITE_ONCE(wait, 2);
		msleep(20);
	}
	if (again) {
		again--;
		return ERR_PTR(-EAGAIN);
	}
	return bit & refuse ? ERR_PTR(-EIO) : &port->vf[vf];
}

static int test_mac(struct net_device *ndev, int vf, u8 *mac)
{
	struct ifla_vf_info *info = test_vf(ndev, vf, DEVIRT_VF_SET_MAC);

	if (IS_ERR(info))
		return PTR_ERR(info);
	ether_addr_copy(info->mac, mac);
	return 0;
}

static int test_vlan(struct net_device *ndev, int vf, u16 vlan, u8 qos, __be16 proto)
{
	struct ifla_vf_info *info = test_vf(ndev, vf, DEVIRT_VF_SET_VLAN);

	if (IS_ERR(info))
		return PTR_ERR(info);
	info->vlan = vlan;
	info->qos = qos;
	info->vlan_proto = proto;
	return 0;
}

static int test_spoofchk(struct net_device *ndev, int vf, bool on)
{
	struct ifla_vf_info *info = test_vf(ndev, vf, DEVIRT_VF_SET_SPOOFCHK);

	if (IS_ERR(info))
		return PTR_ERR(info);
	info->spoofchk = on;
	return 0;
}

static int test_trust(struct net_device *ndev, int vf, bool on)
{
	struct ifla_vf_info *info = test_vf(ndev, vf, DEVIRT_VF_SET_TRUST);

	if (IS_ERR(info))
		return PTR_ERR(info);
	info->trusted = on;
	return 0;
}

static int test_rate(struct net_device *ndev, int vf, int min, int max)
{
	struct ifla_vf_info *info = test_vf(ndev, vf, DEVIRT_VF_SET_RATE);

	if (IS_ERR(info))
		return PTR_ERR(info);
	info->min_tx_rate = min;
	info->max_tx_rate = max;
	return 0;
}

static int test_link(struct net_device *ndev, int vf, int state)
{
	struct ifla_vf_info *info = test_vf(ndev, vf, DEVIRT_VF_SET_LINK);

	if (IS_ERR(info))
		return PTR_ERR(info);
	info->linkstate = state;
	return 0;
}

static int test_config(struct net_device *ndev, int vf, struct ifla_vf_info *info)
{
	struct test_port *port = netdev_priv(ndev);

	if (vf >= pci_num_vf(to_pci_dev(ndev->dev.parent)))
		return -EINVAL;
	*info = port->vf[vf];
	info->vf = vf;
	return 0;
}

static const struct net_device_ops test_ops = {
	.ndo_start_xmit = test_xmit,
	.ndo_set_vf_mac = test_mac,
	.ndo_set_vf_vlan = test_vlan,
	.ndo_set_vf_spoofchk = test_spoofchk,
	.ndo_set_vf_trust = test_trust,
	.ndo_set_vf_rate = test_rate,
	.ndo_set_vf_link_state = test_link,
	.ndo_get_vf_config = test_config,
};

/* Of a port of the card's own switch. */
static const struct net_device_ops test_other_ops = {
	.ndo_start_xmit = test_xmit,
};

static void test_remove_netdevs(struct test_pf *pf)
{
	int i;

	for (i = 0; i < TEST_NETDEVS && pf->ndev[i]; i++) {
		unregister_netdev(pf->ndev[i]);
		free_netdev(pf->ndev[i]);
	}
}

static int test_add_netdev(struct pci_dev *pdev, struct test_pf *pf, int i)
{
	struct net_device *ndev = alloc_etherdev(sizeof(struct test_port));
	struct test_port *port;
	int err, vf;

	if (!ndev)
		return -ENOMEM;
	port = netdev_priv(ndev);
	for (vf = 0; vf < TEST_VFS; vf++)
		port->vf[vf].vlan_proto = htons(ETH_P_8021Q);
	SET_NETDEV_DEV(ndev, &pdev->dev);
	ndev->netdev_ops = i < 2 ? &test_ops : &test_other_ops;
	ndev->dev_port = i < 2 && netdevs > 1 ? 1 - i : 0;
	strscpy(ndev->name, "devirt%d", sizeof(ndev->name));
	eth_hw_addr_random(ndev);
	err = register_netdev(ndev);
	if (err)
		free_netdev(ndev);
	else
		pf->ndev[i] = ndev;
	return err;
}

static int test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct test_pf *pf = devm_kzalloc(&pdev->dev, sizeof(*pf), GFP_KERNEL);
	int i, err;

	if (!pf)
		return -ENOMEM;
	if (reject)
		return -EIO;
	err = pcim_enable_device(pdev);
	if (err)
		return err;
	pci_set_master(pdev);
	for (i = 0; i < min_t(int, netdevs, TEST_NETDEVS); i++) {
		err = test_add_netdev(pdev, pf, i);
		if (err) {
			test_remove_netdevs(pf);
			return err;
		}
	}
	pci_set_drvdata(pdev, pf);
	return 0;
}

static int test_configure(struct pci_dev *pdev, int count)
{
	int err;

	if (!count) {
		if (!careless && pci_vfs_assigned(pdev))
			return -EPERM;
		pci_disable_sriov(pdev);
		return 0;
	}
	count -= fewer;
	if (count <= 0)
		return -ENOSPC;
	err = pci_enable_sriov(pdev, count);
	return err ?: count;
}

static void test_remove(struct pci_dev *pdev)
{
	test_remove_netdevs(pci_get_drvdata(pdev));
	if (careless || !pci_vfs_assigned(pdev))
		pci_disable_sriov(pdev);
}

/* None: whoever wants it says so. */
static const struct pci_device_id test_ids[] = {
	{ }
};

static struct pci_driver test_driver = {
	.name = "devirt_pf",
	.id_table = test_ids,
	.probe = test_probe,
	.remove = test_remove,
	.sriov_configure = test_configure,
};
module_pci_driver(test_driver);

MODULE_DESCRIPTION("A PF's driver that does what others seldom do, for tests");
MODULE_LICENSE("GPL");
