/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libdevirt: lease host hardware to a virtual machine.
 *
 * Thin wrappers of the ioctls in <linux/devirt.h>, which is the contract and
 * documents every structure; and what a VMM or a manager needs around them:
 * building descriptions, PCI addresses, the text of a refusal, and the host's
 * devices and topology.
 *
 * Functions that return int return 0 or more, or a negative errno. Nothing here
 * prints, keeps global state or starts a thread. Strings and arrays handed out
 * through a pointer belong to the caller, who frees them with free() unless a
 * function of its own is named.
 */
#ifndef LIBDEVIRT_H
#define LIBDEVIRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/devirt.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef DEVIRT_EXPORT
#define DEVIRT_EXPORT __attribute__((visibility("default")))
#endif

/** DEVIRT_DEVICE - the device that everything starts from. */
#define DEVIRT_DEVICE		"/dev/devirt"

/* ----------------------------------------------------------------- ioctls */

/**
 * devirt_open_device() - open /dev/devirt, close-on-exec
 *
 * Return: a descriptor. -ENOENT, -ENODEV: the module isn't loaded. -EACCES: not
 * permitted.
 */
DEVIRT_EXPORT int devirt_open_device(void);

/** devirt_query_module() - DEVIRT_QUERY; fills @query, size included */
DEVIRT_EXPORT int devirt_query_module(int device, struct devirt_query *query);

/**
 * devirt_create_partition() - DEVIRT_CREATE
 * @device: from devirt_open_device()
 * @name: the new partition's
 *
 * Return: the lease: the partition's descriptor, close-on-exec.
 */
DEVIRT_EXPORT int devirt_create_partition(int device, const char *name);

/**
 * devirt_open_partition() - DEVIRT_OPEN
 * @device: from devirt_open_device()
 * @name: the partition's
 * @flags: DEVIRT_OPEN_*
 *
 * Return: another descriptor of it, close-on-exec.
 */
DEVIRT_EXPORT int devirt_open_partition(int device, const char *name, uint32_t flags);

/**
 * devirt_apply_records() - DEVIRT_APPLY: take all of them, or none
 * @partition: descriptor
 * @flags: DEVIRT_APPLY_*
 * @records: the description; outputs are filled in
 * @count: how many
 * @failed: set to the index of the record that was refused, @count for none;
 *	may be NULL. devirt_explain_record() says why in words.
 */
DEVIRT_EXPORT int devirt_apply_records(int partition, uint32_t flags,
				       struct devirt_record *records, uint32_t count,
				       uint32_t *failed);

struct devirt_records;

/**
 * devirt_get_partition() - DEVIRT_GET, as often as it takes to get all
 * @partition: descriptor
 * @get: filled in; .records isn't valid afterwards
 * @records: set to what is held; may be NULL. Whatever it had is replaced.
 */
DEVIRT_EXPORT int devirt_get_partition(int partition, struct devirt_get *get,
				       struct devirt_records *records);

/**
 * devirt_size_pool() - DEVIRT_POOL: make VFs ahead, or remove them
 * @device: from devirt_open_device()
 * @pf: the physical function
 * @count: how many it shall have, 0 for none
 * @pool: filled in: how many it has, who made them, or why not
 *
 * For devirt_explain_record() the reason belongs into a record of DEVIRT_KIND_VF with
 * index DEVIRT_VF_ANY, and DEVIRT_VF_POOL_MADE in its flags unless the host made them.
 *
 * Return: -ENOTTY where the module is older than this library; .reason is zero then.
 */
DEVIRT_EXPORT int devirt_size_pool(int device, const struct devirt_pci_addr *pf,
				   uint32_t count, struct devirt_pool_size *pool);
/** devirt_look_pool() - the same, but changes nothing */
DEVIRT_EXPORT int devirt_look_pool(int device, const struct devirt_pci_addr *pf,
				   struct devirt_pool_size *pool);

/** devirt_attach_process() - DEVIRT_ATTACH: the process of @pidfd is the VMM */
DEVIRT_EXPORT int devirt_attach_process(int partition, int pidfd);

/**
 * devirt_get_stats() - DEVIRT_STATS, as often as it takes to get all
 * @partition: descriptor
 * @stats: filled in; .cpu_count and .intruder_count say how many there are, the
 *	addresses in it aren't valid afterwards
 * @cpus: set to an array of the leased CPUs; free()
 * @intruders: set to an array of what else ran there; free()
 *
 * Return: -ENOTTY where the module is older than this library.
 */
DEVIRT_EXPORT int devirt_get_stats(int partition, struct devirt_stats *stats,
				   struct devirt_cpu_stats **cpus,
				   struct devirt_intruder **intruders);

/** devirt_release_partition() - DEVIRT_RELEASE */
DEVIRT_EXPORT int devirt_release_partition(int partition);

/**
 * devirt_wait_released() - wait until nothing of a partition is held any more
 * @partition: descriptor
 * @timeout_ms: at most so long; -1: for ever
 *
 * Return: 0, or -ETIMEDOUT.
 */
DEVIRT_EXPORT int devirt_wait_released(int partition, int timeout_ms);

/**
 * devirt_read_events() - read() of a partition, whatever the module's event size
 * @partition: descriptor
 * @events: filled in
 * @count: how many fit
 *
 * Return: how many were read; 0 when the partition holds nothing and all is
 * read; -EAGAIN where the descriptor is O_NONBLOCK and there are none.
 */
DEVIRT_EXPORT int devirt_read_events(int partition, struct devirt_event *events, size_t count);

/**
 * devirt_list_partitions() - the names of all partitions, sorted
 * @names: set to an array of @count names; free with devirt_free_names()
 * @count: set
 *
 * Return: 0, also where the module isn't loaded (@count is 0 then).
 */
DEVIRT_EXPORT int devirt_list_partitions(char ***names, size_t *count);
DEVIRT_EXPORT void devirt_free_names(char **names, size_t count);

/** devirt_name_valid() - can this be a partition's name? */
DEVIRT_EXPORT bool devirt_name_valid(const char *name);

/* ---------------------------------------------------------------- records */

/**
 * struct devirt_records - a description that grows; start with all zero
 * @v: the records
 * @count: how many there are
 * @space: how many fit
 */
struct devirt_records {
	struct devirt_record *v;
	uint32_t count;
	uint32_t space;
};

/* Each adds one record and returns its index, -ENOMEM, or -E2BIG beyond
 * DEVIRT_RECORDS_MAX.
 */
DEVIRT_EXPORT int devirt_records_add_pci(struct devirt_records *records,
					 const struct devirt_pci_addr *addr);
/** devirt_records_add_vf() - @index may be DEVIRT_VF_ANY, @pool 0 */
DEVIRT_EXPORT int devirt_records_add_vf(struct devirt_records *records,
					const struct devirt_pci_addr *pf,
					uint32_t index, uint32_t pool);
/** devirt_records_add_mdev() - @uuid: which, or NULL for a random one */
DEVIRT_EXPORT int devirt_records_add_mdev(struct devirt_records *records, const char *parent,
					  const char *type, const uint8_t *uuid);
/** devirt_records_add_memory() - @node may be DEVIRT_NODE_ANY */
DEVIRT_EXPORT int devirt_records_add_memory(struct devirt_records *records, int node,
					    uint64_t page_size, uint64_t pages);
/** devirt_records_add_cpu() - @flags: DEVIRT_RECORD_SHARE_CORE or 0 */
DEVIRT_EXPORT int devirt_records_add_cpu(struct devirt_records *records, uint32_t cpu,
					 uint32_t role, uint32_t vcpu, uint32_t flags);
DEVIRT_EXPORT void devirt_records_clear(struct devirt_records *records);

/* ------------------------------------------------------------- addresses */

/** DEVIRT_ADDR_TEXT - bytes of a PCI address as text, the closing NUL included. */
#define DEVIRT_ADDR_TEXT	20

/**
 * devirt_addr_parse() - "0000:01:00.0" or "01:00.0"
 * Return: 0, or -EINVAL if @text isn't exactly that.
 */
DEVIRT_EXPORT int devirt_addr_parse(const char *text, struct devirt_pci_addr *addr);
/** devirt_addr_format() - always with the domain. Return: @text */
DEVIRT_EXPORT char *devirt_addr_format(const struct devirt_pci_addr *addr,
				       char text[DEVIRT_ADDR_TEXT]);
DEVIRT_EXPORT bool devirt_addr_equal(const struct devirt_pci_addr *a,
				     const struct devirt_pci_addr *b);

/** DEVIRT_UUID_TEXT - bytes of a UUID as text, the closing NUL included. */
#define DEVIRT_UUID_TEXT	37

/** devirt_uuid_parse() - Return: 0, or -EINVAL if @text isn't exactly a UUID. */
DEVIRT_EXPORT int devirt_uuid_parse(const char *text, uint8_t uuid[16]);
/** devirt_uuid_format() - in lower case. Return: @text */
DEVIRT_EXPORT char *devirt_uuid_format(const uint8_t uuid[16], char text[DEVIRT_UUID_TEXT]);
DEVIRT_EXPORT bool devirt_uuid_is_null(const uint8_t uuid[16]);

/* ------------------------------------------------------------------ words */

/* Stable lower-case words for the numbers of the contract, "unknown" for those
 * that this library doesn't know.
 */
DEVIRT_EXPORT const char *devirt_kind_name(uint32_t kind);
DEVIRT_EXPORT const char *devirt_state_name(uint32_t state);
DEVIRT_EXPORT const char *devirt_role_name(uint32_t role);
DEVIRT_EXPORT const char *devirt_reason_name(uint32_t reason);
DEVIRT_EXPORT const char *devirt_event_name(uint32_t type);
DEVIRT_EXPORT const char *devirt_irq_policy_name(uint32_t policy);
DEVIRT_EXPORT const char *devirt_intruder_name(uint32_t kind);
/** devirt_intruder_movable() - can such a thing be kept off a leased CPU? */
DEVIRT_EXPORT bool devirt_intruder_movable(uint32_t kind);

/**
 * devirt_describe_record() - what the record is about, in a few words
 *
 * For example "0000:01:00.0", "VF 3 of 0000:02:00.0", "CPU 5".
 *
 * Return: a string, or NULL for lack of memory.
 */
DEVIRT_EXPORT char *devirt_describe_record(const struct devirt_record *record);

/**
 * devirt_explain_record() - why a record was refused, and what to do
 * @device: from devirt_open_device(), to find out who has it; or -1
 * @record: after DEVIRT_APPLY
 * @message: set to a sentence that names the thing and the reason
 * @remedy: set to what to do about it; NULL where there is nothing to say
 *
 * The names in .detail are looked up: where a disk is mounted, who owns the
 * partition, which process has a VFIO group open.
 */
DEVIRT_EXPORT int devirt_explain_record(int device, const struct devirt_record *record,
					char **message, char **remedy);

/* ---------------------------------------------------------------- devices */

/**
 * struct devirt_device - a PCI function of this host, as sysfs tells
 * @addr: where
 * @vendor: PCI vendor id
 * @device: PCI device id
 * @class_code: PCI class, 24 bits
 * @node: NUMA node, or DEVIRT_NODE_ANY
 * @group: IOMMU group, or -1
 * @vfs_total: how many VFs it can have; 0: it isn't a physical function
 * @vfs: how many it has
 * @is_endpoint: a function that could be leased; false for bridges
 * @is_vf: a virtual function
 * @pf: its physical function, if @is_vf
 * @kind: one word: "net", "nvme", "storage", "display", "usb", ...
 * @driver: bound driver; empty for none
 * @names: what the host calls it (interface, disks), separated by blanks
 */
struct devirt_device {
	struct devirt_pci_addr addr;
	uint16_t vendor;
	uint16_t device;
	uint32_t class_code;
	int node;
	int group;
	unsigned int vfs_total;
	unsigned int vfs;
	bool is_endpoint;
	bool is_vf;
	struct devirt_pci_addr pf;
	char kind[16];
	char driver[DEVIRT_DRIVER_MAX];
	char names[128];
};

/** devirt_device_read() - one function. Return: -ENODEV if there is none there. */
DEVIRT_EXPORT int devirt_device_read(const struct devirt_pci_addr *addr,
				     struct devirt_device *device);
/** devirt_device_list() - all functions, by address; @devices: free() */
DEVIRT_EXPORT int devirt_device_list(struct devirt_device **devices, size_t *count);
/** devirt_device_by_netif() - address of the function behind a network interface */
DEVIRT_EXPORT int devirt_device_by_netif(const char *netif, struct devirt_pci_addr *addr);
/**
 * struct devirt_vgpu_type - a vGPU type that a card's VFs offer
 * @id: the vendor's number of it
 * @vfs: how many of the VFs that are there offer it now
 * @name: the vendor's name of it
 */
struct devirt_vgpu_type {
	uint32_t id;
	uint32_t vfs;
	char name[64];
};

/** devirt_vgpu_types() - those that a PF's VFs offer now, by number; @types: free() */
DEVIRT_EXPORT int devirt_vgpu_types(const struct devirt_pci_addr *pf,
				    struct devirt_vgpu_type **types, size_t *count);
/** devirt_vgpu_type() - number of a type, by its name or the last word of that */
DEVIRT_EXPORT int devirt_vgpu_type(const struct devirt_pci_addr *pf, const char *name,
				   unsigned int *id);
/** devirt_device_vf() - address of VF @index. Return: -ENODEV if it isn't there. */
DEVIRT_EXPORT int devirt_device_vf(const struct devirt_pci_addr *pf, unsigned int index,
				   struct devirt_pci_addr *addr);

/**
 * struct devirt_mdev_type - a type of mediated device that a parent makes
 * @parent: its name in /sys/class/mdev_bus
 * @type: the type's in mdev_supported_types
 * @name: what its driver calls it, or empty
 * @description: what its driver says of it, on one line, or empty
 * @api: what VMMs open it as: "vfio-pci"
 * @available: how many more can be made
 * @made: how many there are
 * @memory: bytes that it has, as far as @description or @name tells; 0: not told
 * @node: NUMA node of the parent, or DEVIRT_NODE_ANY
 */
struct devirt_mdev_type {
	char parent[DEVIRT_MDEV_MAX];
	char type[DEVIRT_MDEV_MAX];
	char name[64];
	char description[256];
	char api[32];
	unsigned int available;
	unsigned int made;
	uint64_t memory;
	int node;
};

/** devirt_mdev_types() - all of all parents, by name; @types: free() */
DEVIRT_EXPORT int devirt_mdev_types(struct devirt_mdev_type **types, size_t *count);
/** devirt_mdev_read_type() - one. Return: -ENOENT if there is no such. */
DEVIRT_EXPORT int devirt_mdev_read_type(const char *parent, const char *name,
					struct devirt_mdev_type *type);

/**
 * devirt_device_users() - what keeps a function in use on the host
 * @addr: which
 * @text: set to words such as "nvme0n1p2 is mounted on /", several separated
 *	by ", "; NULL if nothing does
 *
 * A look at mounts, swap, holders, addresses and VFIO from userspace, to tell
 * before trying. The module checks for itself and has the last word.
 */
DEVIRT_EXPORT int devirt_device_users(const struct devirt_pci_addr *addr, char **text);

/**
 * devirt_vfio_users() - which processes have an IOMMU group open
 * @group: number of /dev/vfio/<group>; @device: of /dev/vfio/devices/vfio<device>
 *	or DEVIRT_INDEX_NONE
 * @text: set to "qemu-system-x86 (pid 812)", several separated by ", "; or NULL
 */
DEVIRT_EXPORT int devirt_vfio_users(uint32_t group, uint32_t device, char **text);

/** devirt_process_name() - "qemu-system-x86 (pid 812)", or "pid 812" */
DEVIRT_EXPORT char *devirt_process_name(uint32_t pid);

/* --------------------------------------------------------------- topology */

struct devirt_topology;

/** DEVIRT_CORE_THREADS - the most hardware threads in a core. */
#define DEVIRT_CORE_THREADS	8

/**
 * struct devirt_core - a physical core
 * @node: NUMA node
 * @count: hardware threads that are online
 * @cpus: their CPU numbers, ascending
 */
struct devirt_core {
	int node;
	unsigned int count;
	unsigned int cpus[DEVIRT_CORE_THREADS];
};

/**
 * devirt_topology_load() - find out about cores and nodes
 * @topology: set; free with devirt_topology_free()
 * @file: an hwloc XML file; "synthetic:..." for hwloc's description of one; or
 *	NULL for this machine (or what HWLOC_XMLFILE, HWLOC_SYNTHETIC say)
 */
DEVIRT_EXPORT int devirt_topology_load(struct devirt_topology **topology, const char *file);
DEVIRT_EXPORT void devirt_topology_free(struct devirt_topology *topology);

/** devirt_topology_is_host() - is it this machine, so that sysfs tells the same? */
DEVIRT_EXPORT bool devirt_topology_is_host(const struct devirt_topology *topology);
/** devirt_topology_cores() - all cores, by their first CPU; valid until freed */
DEVIRT_EXPORT const struct devirt_core *
devirt_topology_cores(const struct devirt_topology *topology, size_t *count);
/** devirt_topology_core_of() - the core that CPU @cpu is a thread of, or NULL */
DEVIRT_EXPORT const struct devirt_core *
devirt_topology_core_of(const struct devirt_topology *topology, unsigned int cpu);
/** devirt_topology_nodes() - numbers of the nodes, ascending; valid until freed */
DEVIRT_EXPORT const int *
devirt_topology_nodes(const struct devirt_topology *topology, size_t *count);
/** devirt_topology_node_memory() - bytes of memory of a node; 0 if unknown */
DEVIRT_EXPORT uint64_t
devirt_topology_node_memory(const struct devirt_topology *topology, int node);
/** devirt_topology_pci_node() - a function's node, or DEVIRT_NODE_ANY */
DEVIRT_EXPORT int devirt_topology_pci_node(const struct devirt_topology *topology,
					   const struct devirt_pci_addr *addr);

/**
 * devirt_node_pages() - the host's huge pages of one size on one node
 * @node: which; DEVIRT_NODE_ANY: of all
 * @page_size: bytes
 * @total: set to how many there are; may be NULL
 * @available: set to how many of them are free; may be NULL
 *
 * Return: -ENOENT if the kernel has none of that size there.
 */
DEVIRT_EXPORT int devirt_node_pages(int node, uint64_t page_size,
				    uint64_t *total, uint64_t *available);
/** devirt_node_free_memory() - bytes that are free on a node of this machine */
DEVIRT_EXPORT int devirt_node_free_memory(int node, uint64_t *bytes);

#ifdef __cplusplus
}
#endif

#endif /* LIBDEVIRT_H */
