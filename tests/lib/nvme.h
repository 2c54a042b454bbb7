/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The controllers of an NVMe PF's VFs, as the PF's own controller tells and sets
 * them: by the ioctl that nvme-cli uses, and not by anything of devirt's.
 * Whatever returns an int returns -errno, or an NVMe status, on failure.
 */
#ifndef NVME_H
#define NVME_H

#include <stdbool.h>

enum { NVME_QUEUES, NVME_VECTORS, NVME_TYPES };

/* What can be done to one, with NVMe's numbers. */
enum { NVME_PRIMARY = 1, NVME_OFFLINE = 7, NVME_ASSIGN = 8, NVME_ONLINE = 9 };

struct nvme_vf {
	unsigned int cntlid;
	bool online;
	unsigned int has[NVME_TYPES];
};

/* What can be shared out, in all, to one VF, and of it to VFs and the PF now. */
struct nvme_shares {
	unsigned int total;
	unsigned int most;
	unsigned int secondary;
	unsigned int primary;
};

int nvme_open(const char *pf);
int nvme_read_vf(int fd, unsigned int index, struct nvme_vf *vf);
int nvme_read_shares(int fd, struct nvme_shares shares[NVME_TYPES]);
int nvme_manage(int fd, unsigned int cntlid, unsigned int action, unsigned int type,
		unsigned int count);
int nvme_assign(int fd, unsigned int index, unsigned int queues, unsigned int vectors,
		bool online);
int nvme_share(const char *pf);

#endif
