// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lease.h"
#include "nvme.h"

/* The character device of a function's controller. */
int nvme_open(const char *pf)
{
	char name[64], path[80];
	int fd;

	pci_child(pf, "nvme", "nvme", name, sizeof(name));
	if (!name[0])
		return -ENODEV;
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int identify(int fd, unsigned int what, unsigned char buf[4096])
{
	struct nvme_admin_cmd cmd = {
		.opcode = 0x06,
		.addr = (uintptr_t)buf,
		.data_len = 4096,
		.cdw10 = what,
	};
	int ret;

	memset(buf, 0, 4096);
	ret = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &cmd);
	return ret < 0 ? -errno : ret;
}

static unsigned int le16(const unsigned char *at)
{
	return at[0] | at[1] << 8;
}

static unsigned int le32(const unsigned char *at)
{
	return le16(at) | le16(at + 2) << 16;
}

int nvme_read_vf(int fd, unsigned int index, struct nvme_vf *vf)
{
	unsigned char buf[4096], *at;
	int ret = identify(fd, 0x15, buf);

	if (ret)
		return ret;
	for (at = buf + 32; at < buf + 32 + 32 * buf[0]; at += 32) {
		if (le16(at + 8) != index + 1)
			continue;
		vf->cntlid = le16(at);
		vf->online = at[4] & 1;
		vf->has[NVME_QUEUES] = le16(at + 10);
		vf->has[NVME_VECTORS] = le16(at + 12);
		return 0;
	}
	return -ENOENT;
}

int nvme_read_shares(int fd, struct nvme_shares shares[NVME_TYPES])
{
	unsigned char buf[4096], *at;
	int ret = identify(fd, 0x14, buf), type;

	for (type = 0; !ret && type < NVME_TYPES; type++) {
		at = buf + 32 + 32 * type;
		shares[type] = (struct nvme_shares){
			.total = le32(at), .secondary = le32(at + 4), .primary = le16(at + 8),
			.most = le16(at + 12),
		};
	}
	return ret;
}

int nvme_manage(int fd, unsigned int cntlid, unsigned int action, unsigned int type,
		unsigned int count)
{
	struct nvme_admin_cmd cmd = {
		.opcode = 0x1c,
		.cdw10 = cntlid << 16 | type << 8 | action,
		.cdw11 = count,
	};
	int ret = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &cmd);

	return ret < 0 ? -errno : ret;
}

/* As an admin would. */
int nvme_assign(int fd, unsigned int index, unsigned int queues, unsigned int vectors,
		bool online)
{
	struct nvme_vf vf;
	int ret = nvme_read_vf(fd, index, &vf);

	if (!ret)
		ret = nvme_manage(fd, vf.cntlid, NVME_OFFLINE, 0, 0);
	if (!ret)
		ret = nvme_manage(fd, vf.cntlid, NVME_ASSIGN, NVME_QUEUES, queues);
	if (!ret)
		ret = nvme_manage(fd, vf.cntlid, NVME_ASSIGN, NVME_VECTORS, vectors);
	if (!ret && online)
		ret = nvme_manage(fd, vf.cntlid, NVME_ONLINE, 0, 0);
	return ret;
}

/*
 * At first all that can be shared out is the PF's. It lets go of that when it is
 * reset.
 */
int nvme_share(const char *pf)
{
	struct nvme_shares shares[NVME_TYPES];
	int fd = nvme_open(pf), ret, type, tries;
	char state[16], name[64];

	if (fd < 0)
		return fd;
	ret = nvme_read_shares(fd, shares);
	for (type = 0; !ret && type < NVME_TYPES; type++)
		ret = nvme_manage(fd, 0, NVME_PRIMARY, type, 0);
	close(fd);
	if (ret || (!shares[NVME_QUEUES].primary && !shares[NVME_VECTORS].primary))
		return ret;
	/* Without its driver: what that does about a reset lockdep doesn't like on 6.12. */
	ret = pci_bind(pf, NULL);
	if (!ret)
		ret = file_write("1", "/sys/bus/pci/devices/%s/reset", pf);
	if (!ret)
		ret = pci_bind(pf, "nvme");
	for (tries = 0; !ret && tries < 1000; tries++) {
		state[0] = '\0';
		pci_child(pf, "nvme", "nvme", name, sizeof(name));
		file_read(state, sizeof(state), "/sys/class/nvme/%s/state", name);
		if (!strncmp(state, "live", 4))
			return 0;
		usleep(10000);
	}
	return ret ?: -ETIMEDOUT;
}
