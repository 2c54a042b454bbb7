/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _DEVIRT_POOL_H
#define _DEVIRT_POOL_H

#include <linux/devirt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

struct devirt_function;
struct devirt_resource;
struct pci_dev;

/**
 * struct devirt_pool - the VFs of one PF, while somebody wants some
 * @entry: in pools
 * @users: resources that want a VF of it, one for @kept, one for @work; under
 *	pools_lock
 * @pf: the PF, with a reference
 * @lock: making, taking from and removing the pool; one at a time
 * @leased: its VFs that are leased; changed with both locks held
 * @size: VFs to make, if it must be made
 * @held: VFs of it that are leased, or about to be
 * @made: we have made it
 * @kept: it stays when none is leased: somebody has sized it ahead, or couldn't be
 *	made to let go
 * @changing: we are making or removing it now
 * @leaving: the PF's driver is away
 * @lost: somebody else has removed VFs of it
 * @gone: the PF has been removed; its VFs may still be there
 * @work: what follows from a change of the PF's
 */
struct devirt_pool {
	struct list_head entry;
	unsigned int users;
	struct pci_dev *pf;
	struct mutex lock;
	struct list_head leased;
	unsigned int size;
	unsigned int held;
	bool made;
	bool kept;
	bool changing;
	bool leaving;
	bool lost;
	bool gone;
	struct work_struct work;
};

/**
 * struct devirt_pool_vf - a VF that is leased
 * @entry: in @leased of its pool
 * @pool: that
 * @res: the resource
 * @fn: the function
 * @ending: ends who still uses it when it must go
 */
struct devirt_pool_vf {
	struct list_head entry;
	struct devirt_pool *pool;
	struct devirt_resource *res;
	struct devirt_function *fn;
	struct delayed_work ending;
};

int devirt_pool_init(void);
void devirt_pool_exit(void);

struct devirt_pool *devirt_pool_get(struct pci_dev *pf);
void devirt_pool_put(struct devirt_pool *pool);
int devirt_pool_lock(struct devirt_resource *res, struct devirt_pool *pool);
bool devirt_pool_wanted(struct pci_dev *pf);
struct pci_dev *devirt_pool_next(struct pci_dev *pf, struct pci_dev *from);
struct pci_dev *devirt_pool_vf(struct pci_dev *pf, u32 index);
int devirt_pool_driver(struct devirt_resource *res, struct pci_dev *pf);
int devirt_pool_make(struct devirt_resource *res, struct devirt_pool *pool);
int devirt_pool_remove(struct devirt_pool *pool);
bool devirt_pool_busy(struct devirt_pool *pool);
void devirt_pool_keep(struct devirt_pool *pool, bool keep);
void devirt_pool_abandon(struct devirt_pool *pool);
void devirt_pool_leased(struct devirt_pool *pool, struct devirt_pool_vf *vf,
			struct devirt_resource *res, struct devirt_function *fn);
void devirt_pool_returned(struct devirt_pool_vf *vf);

/* pool_ahead.c */
int devirt_pool_resize(struct devirt_pool_size *arg);

#endif /* _DEVIRT_POOL_H */
