/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ioctls of <linux/devirt.h>, called directly and not by way of libdevirt:
 * a test of the contract must not share its mistakes. Whatever returns an int
 * returns -errno on failure.
 */
#ifndef LEASE_H
#define LEASE_H

#include <linux/devirt.h>
#include <stdbool.h>
#include <sys/types.h>

/* The machine's devices, see tests/vm/machines/default. */
#define IGB		"0000:01:00.0"
#define IGB_VFS		7
#define NVME		"0000:02:00.0"
#define NVME_VFS	4
#define DISK		"0000:03:00.0"
#define BRIDGE		"0000:04:00.0"
#define PAIR_A		"0000:05:01.0"
#define PAIR_B		"0000:05:02.0"
#define EDU		"0000:00:05.0"
#define CPUS		6

#define MIB		(1ULL << 20)

int lease_ioctl(int fd, unsigned long cmd, void *arg);
int lease_device(void);
int lease_create(const char *name);
int lease_open(const char *name, unsigned int flags);
int lease_apply(int fd, unsigned int flags, struct devirt_record *recs, unsigned int count,
		unsigned int *failed);
int lease_get(int fd, struct devirt_get *get, struct devirt_record *recs, unsigned int count);
int lease_state(int fd);
int lease_attach(int fd, pid_t pid);
int lease_release(int fd);
int lease_new(const char *name, struct devirt_record *recs, unsigned int count);
int lease_mask(const char *name, unsigned long mask);

struct devirt_pci_addr pci_addr(const char *text);
const char *pci_text(const struct devirt_pci_addr *addr);
int lease_events(int part, unsigned int type, struct devirt_event *last);
const char *uuid_text(const __u8 *uuid);
struct devirt_record rec_pci(const char *addr);
struct devirt_record rec_vf(const char *pf, unsigned int index, unsigned int pool);
struct devirt_record rec_mdev(const char *parent, const char *type, const char *uuid);
struct devirt_record rec_memory(unsigned long long page_size, unsigned long long pages, int node);
struct devirt_record rec_cpu(unsigned int cpu, unsigned int role, unsigned int vcpu);

int file_read(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
long file_number(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
long long file_value(const char *path, const char *key);
int file_write(const char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int command(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *pci_driver(const char *addr);
const char *pci_override(const char *addr);
int pci_bind(const char *addr, const char *driver);
int pci_group(const char *addr);
int mdev_group(const char *uuid);
void pci_child(const char *addr, const char *path, const char *prefix, char *name, size_t size);

void memory_shrink(void);
void memory_grow(void);
struct devirt_record rec_most(int node);
struct devirt_record rec_scattered(int node);

unsigned long mask_of(pid_t tid);
int set_mask(pid_t tid, unsigned long mask);
pid_t spawn(void (*fn)(void *arg), void *arg);
int send_fd(int sock, int fd);
int recv_fd(int sock);
unsigned long long prng(unsigned long long *state);

/* A process's VFIO container, group and device, as a VMM opens them. */
struct vfio {
	int container;
	int group;
	int device;
};

int vfio_open(struct vfio *vfio, const char *addr);
int vfio_open_mdev(struct vfio *vfio, const char *uuid);
void vfio_close(struct vfio *vfio);

#endif
