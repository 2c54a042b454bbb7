/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A PF, its VFs, and what is set of them as the host sees it; and the drivers of
 * ours, module/tests/pf.c and vgpu.c.
 */
#ifndef PF_H
#define PF_H

#include <linux/devirt.h>
#include <stdbool.h>

#define TEST_DRIVER	"devirt_pf"
#define VGPU_DRIVER	"devirt_vgpu"

long pf_vfs(const char *pf);
int pf_set_vfs(const char *pf, int count);
const char *pf_vf(const char *pf, int index);
const char *pf_netif(const char *pf);
const char *pf_setting(const char *pf, int vf);
int pf_pool(const char *pf, unsigned int count, struct devirt_pool_size *out);
unsigned int pf_origin(const char *pf);
void pf_reset(const char *pf, const char *driver);

int test_driver(const char *pf, int netdevs);
int test_driver_set(const char *param, int value);
long test_driver_get(const char *param);

/* The driver of a card's vendor: igb's VFs have its attributes. Not 0: it can't be loaded. */
int vgpu_load(void);
/* Removes igb's VFs, and that driver if it is there. */
void vgpu_unload(void);
struct devirt_record rec_vgpu(unsigned int index, unsigned int type);

/* Reads events until one is a drift whose text begins like that; false: none yet. */
bool drifted(int part, const char *text);

#endif
