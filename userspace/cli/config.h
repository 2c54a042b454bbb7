/* SPDX-License-Identifier: GPL-2.0 */
/* A partition file: what the user asks for. devirt.conf(5) documents it. */
#ifndef DEVIRT_CONFIG_H
#define DEVIRT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "libdevirt.h"

#define CONFIG_UNSET	(-2)	/* of a node: not said (DEVIRT_NODE_ANY is -1) */
#define CONFIG_CPUS_MAX	1024

/**
 * struct config_device - a [device NAME], [vf NAME] or [mdev NAME] section
 * @name: the section's
 * @line: where it begins
 * @is_vf: it is a VF
 * @is_mdev: it is a mediated device; without either a whole function
 * @netif: pf= or address= was an interface's name: this; resolved later
 * @addr: of the function, or of the VF's physical function
 * @addr_line: where that was said; 0: it wasn't
 * @index: vf: which, or DEVIRT_VF_ANY
 * @pool: vf: how many to make, 0: all
 * @pool_line: where that was said
 * @settings: vf: what it shall be
 * @vgpu: vf: name of the vGPU type, to be resolved; NULL if it was a number
 * @vgpu_line: where that was said
 * @irq: where its interrupts shall be handled
 * @irq_is_vcpu: irq.cpu is a vCPU's number, not a CPU's
 * @irq_line: where that was said
 * @parent: mdev: who makes it, or NULL for any
 * @parent_line: where that was said
 * @type: mdev: which type, or NULL for one by @memory
 * @type_line: where that was said
 * @memory: mdev: bytes that it must have at least, or 0
 * @memory_line: where that was said
 * @uuid: mdev: which it gets; zero: a random one
 * @uuid_line: where that was said
 */
struct config_device {
	char name[33];
	int line;
	bool is_vf;
	bool is_mdev;
	char *netif;
	struct devirt_pci_addr addr;
	int addr_line;
	uint32_t index;
	uint32_t pool;
	int pool_line;
	struct devirt_vf_settings settings;
	char *vgpu;
	int vgpu_line;
	struct devirt_irq irq;
	bool irq_is_vcpu;
	int irq_line;
	char *parent;
	int parent_line;
	char *type;
	int type_line;
	uint64_t memory;
	int memory_line;
	uint8_t uuid[16];
	int uuid_line;
};

/* CPU numbers in the order in which they were written */
struct config_list {
	unsigned int cpus[CONFIG_CPUS_MAX];
	size_t count;
	int line;
};

/**
 * struct config_cpus - the [cpus] section
 * @line: where it begins; 0: there is none
 * @count: vCPUs wanted, or 0
 * @cores: whole cores wanted, or 0
 * @exact: or exactly these CPUs
 * @threads: vCPUs to a core: 1, 2; 0: not said
 * @emulator: CPUs wanted for the VMM's other threads, or 0
 * @emulator_exact: or exactly these
 * @near: name of the device to be near to, or NULL
 * @node: or the node to be on, or CONFIG_UNSET
 * @node_line: where that was said
 * @share_core: siblings stay the host's
 * @latency_us: of the vCPUs' CPUs, as devirt_record_cpu has it; 0: not said
 * @min_khz: the same
 */
struct config_cpus {
	int line;
	unsigned int count;
	unsigned int cores;
	struct config_list exact;
	unsigned int threads;
	int threads_line;
	unsigned int emulator;
	struct config_list emulator_exact;
	char *near;
	int near_line;
	int node;
	int node_line;
	bool share_core;
	unsigned int latency_us;
	unsigned int min_khz;
};

/**
 * struct config_memory - the [memory] section
 * @line: where it begins; 0: there is none
 * @size: bytes
 * @page: bytes in a page
 * @node: or CONFIG_UNSET
 */
struct config_memory {
	int line;
	uint64_t size;
	int size_line;
	uint64_t page;
	int node;
	int node_line;
};

struct config {
	char *path;
	char name[DEVIRT_NAME_MAX];
	char *description;
	struct config_device *devices;
	size_t device_count;
	struct config_cpus cpus;
	struct config_memory memory;
};

/* Reads the partition file that @argument names: NAME, or a path with a '/'.
 * Returns 0, or the exit status after it has told what is wrong.
 */
int config_load(struct config **config, const char *argument);
void config_free(struct config *config);

/* The path and the partition's name that @argument stands for. Returns 0, or
 * the exit status after it has told what is wrong.
 */
int config_name(const char *argument, char **path, char name[DEVIRT_NAME_MAX]);
const struct config_device *config_device(const struct config *config, const char *name);

#endif
