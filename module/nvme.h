/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_NVME_H
#define _DEVIRT_NVME_H

#include <linux/types.h>

struct pci_dev;
struct request_queue;

/* What a primary controller shares out among its VFs' controllers. */
enum devirt_nvme_type {
	DEVIRT_NVME_QUEUES,
	DEVIRT_NVME_VECTORS,
	DEVIRT_NVME_TYPES
};

/* What to do with a secondary controller; the numbers are NVMe's. */
enum devirt_nvme_action {
	DEVIRT_NVME_OFFLINE = 7,
	DEVIRT_NVME_ASSIGN = 8,
	DEVIRT_NVME_ONLINE = 9,
};

/**
 * struct devirt_nvme_shares - how much there is of one type
 * @total: that can be shared out
 * @secondary: of it, assigned to secondary controllers
 * @primary: of it, kept by the primary controller
 * @own: that only the primary controller can have
 * @most: for one secondary controller
 * @step: amounts that suit the hardware are multiples of this
 */
struct devirt_nvme_shares {
	__le32 total;
	__le32 secondary;
	__le16 primary;
	__le16 own;
	__le16 most;
	__le16 step;
	u8 reserved[16];
};

/* Identify: the primary controller's capabilities. */
struct devirt_nvme_primary {
	__le16 cntlid;
	__le16 portid;
	u8 types;
	u8 reserved[27];
	struct devirt_nvme_shares shares[DEVIRT_NVME_TYPES];
};

/* Identify: one secondary controller. */
struct devirt_nvme_secondary {
	__le16 cntlid;
	__le16 primary;
	u8 state;
	u8 reserved[3];
	__le16 vf;
	__le16 has[DEVIRT_NVME_TYPES];
	u8 reserved2[18];
};

#define DEVIRT_NVME_IS_ONLINE	BIT(0)

/* Identify: the list of them, from a number on. */
struct devirt_nvme_list {
	u8 count;
	u8 reserved[31];
	struct devirt_nvme_secondary entries[127];
};

/**
 * struct devirt_nvme - how to talk to a PF's controller
 * @queue: of its admin commands, with a reference
 * @buf: what it last answered; NVME_IDENTIFY_DATA_SIZE bytes
 */
struct devirt_nvme {
	struct request_queue *queue;
	union {
		void *buf;
		const struct devirt_nvme_primary *primary;
		const struct devirt_nvme_list *list;
	};
};

bool devirt_nvme_is(struct pci_dev *pf);
int devirt_nvme_open(struct devirt_nvme *nvme, struct pci_dev *pf);
int devirt_nvme_reopen(struct devirt_nvme *nvme, struct pci_dev *pf);
void devirt_nvme_close(struct devirt_nvme *nvme);

int devirt_nvme_identify_primary(struct devirt_nvme *nvme);
int devirt_nvme_identify_list(struct devirt_nvme *nvme, u16 first);
int devirt_nvme_manage(struct devirt_nvme *nvme, u16 cntlid, enum devirt_nvme_action action,
		       enum devirt_nvme_type type, u16 count);

void devirt_nvme_requested(struct request_queue *queue);

#endif /* _DEVIRT_NVME_H */
