/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * devirt: lease host hardware to a virtual machine.
 *
 * This file is the whole contract between the kernel module and userspace.
 *
 * Open /dev/devirt, make a partition with DEVIRT_CREATE, describe what it shall
 * hold as an array of struct devirt_record and hand that to DEVIRT_APPLY: it
 * takes every resource of the array, or none. The partition's file descriptor
 * is the lease. When its last copy is closed, however that happens, the host is
 * as it was. Only DEVIRT_APPLY_PERSIST makes a lease outlive its descriptor.
 *
 * Rules that hold for every structure and every ioctl here:
 *
 * - A structure starts with its size in bytes, set by the caller. A smaller one
 *   is taken as if the rest were zero (EINVAL below the first published size),
 *   a larger one is taken if the part that this kernel does not know is zero
 *   (E2BIG otherwise). Outputs are written as far as the caller's size goes.
 * - Reserved fields and unused bytes must be zero (EINVAL).
 * - A flag, kind, role or other value that this kernel does not know is refused
 *   with EOPNOTSUPP; an ioctl that it does not know with ENOTTY.
 * - A number, once used, is never given another meaning.
 * - Every ioctl needs CAP_SYS_ADMIN in the initial user namespace (EPERM),
 *   checked at each call and not only at open.
 * - EFAULT: a pointer could not be read or written. Nothing has changed then.
 * - ENOMEM: no memory. Nothing has changed then.
 */
#ifndef _UAPI_LINUX_DEVIRT_H
#define _UAPI_LINUX_DEVIRT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DEVIRT_IOC_TYPE		0xDE

/** DEVIRT_API_VERSION - raised whenever something is added to this file. */
#define DEVIRT_API_VERSION	3

/** DEVIRT_NAME_MAX - bytes of a partition's name, the closing NUL included. */
#define DEVIRT_NAME_MAX		64
/** DEVIRT_DRIVER_MAX - bytes of a driver's name, the closing NUL included. */
#define DEVIRT_DRIVER_MAX	32
/** DEVIRT_MDEV_MAX - bytes of a parent's or type's name, the closing NUL included. */
#define DEVIRT_MDEV_MAX		32
/** DEVIRT_DETAIL_MAX - bytes of a detail text, the closing NUL included. */
#define DEVIRT_DETAIL_MAX	128
/** DEVIRT_RECORDS_MAX - the most records in one description. */
#define DEVIRT_RECORDS_MAX	1024
/** DEVIRT_NODE_ANY - value of a node field: wherever. */
#define DEVIRT_NODE_ANY		(-1)
/** DEVIRT_INDEX_NONE - value of an index output: there is none. */
#define DEVIRT_INDEX_NONE	0xffffffffU

/* ------------------------------------------------------------------ kinds */

#define DEVIRT_KIND_PCI		1	/* a whole PCI function */
#define DEVIRT_KIND_VF		2	/* an SR-IOV virtual function */
#define DEVIRT_KIND_MDEV	3	/* a mediated device: a slice of a parent that makes such */
#define DEVIRT_KIND_MEMORY	4	/* huge pages of one size on one node */
#define DEVIRT_KIND_CPU		5	/* one logical CPU */

/* ----------------------------------------------------------------- states */

/* Of a record (struct devirt_record.state) and of a partition
 * (struct devirt_get.state). A partition is as far as its slowest record.
 */
#define DEVIRT_STATE_NEW	0	/* nothing applied yet */
#define DEVIRT_STATE_HELD	1	/* leased */
#define DEVIRT_STATE_DRAINING	2	/* released; a VMM still uses the device */
#define DEVIRT_STATE_QUARANTINE	3	/* back, but unfit for a host driver */
#define DEVIRT_STATE_RELEASED	4	/* given back */

/* ---------------------------------------------------------------- reasons */

/* Why a record was refused (struct devirt_record.reason). The errno that goes
 * with it is in struct devirt_record.error, as a negative number, and is what
 * the ioctl returned. The names in .detail are separated by single blanks.
 */
#define DEVIRT_REASON_NONE		0  /* not refused */
#define DEVIRT_REASON_INVALID		1  /* EINVAL: a field is out of range; detail: its name */
#define DEVIRT_REASON_UNSUPPORTED	2  /* EOPNOTSUPP: unknown kind, flag, role; detail: which field */
#define DEVIRT_REASON_OWNED		3  /* EBUSY: in a partition already; detail: its name */
#define DEVIRT_REASON_DUPLICATE		4  /* EEXIST: named twice in this description */
#define DEVIRT_REASON_NO_MEMORY		5  /* ENOMEM: the kernel ran out of memory */
#define DEVIRT_REASON_QUARANTINED	6  /* EBUSY: in quarantine since an earlier lease */
#define DEVIRT_REASON_INTERNAL		7  /* another errno, passed on as it came; detail: from what */

#define DEVIRT_REASON_NO_DEVICE		16 /* ENODEV: no such PCI function */
#define DEVIRT_REASON_NOT_ENDPOINT	17 /* EINVAL: a bridge, not a function one can lease */
#define DEVIRT_REASON_IS_VF		18 /* EINVAL: a VF; lease it by its PF with DEVIRT_KIND_VF */
#define DEVIRT_REASON_NO_IOMMU		19 /* EOPNOTSUPP: no IOMMU group (IOMMU off or absent) */
#define DEVIRT_REASON_NO_INTREMAP	20 /* EPERM: interrupts are not remapped, a guest could forge them */
#define DEVIRT_REASON_GROUP_SHARED	21 /* EBUSY: others of its IOMMU group are in use; detail: addresses */
#define DEVIRT_REASON_VFS_ENABLED	22 /* EBUSY: a PF with VFs can't be leased whole; detail: how many */
#define DEVIRT_REASON_BLOCK_CLAIMED	23 /* EBUSY: a disk is mounted, swap or part of another; detail: names */
#define DEVIRT_REASON_BLOCK_OPEN	24 /* EBUSY: a disk is open in some process; detail: names */
#define DEVIRT_REASON_NET_ADDRESS	25 /* EBUSY: a network interface has an address; detail: names */
#define DEVIRT_REASON_NET_UPPER		26 /* EBUSY: an interface is in a bond, bridge, VLAN; detail: "IF UPPER" */
#define DEVIRT_REASON_DISPLAY		27 /* EBUSY: a display or framebuffer is open; detail: names */
#define DEVIRT_REASON_VFIO_BUSY		28 /* EBUSY: a process uses it through VFIO, outside any lease */
#define DEVIRT_REASON_NO_VFIO		29 /* ENOENT: the vfio-pci driver can't be loaded */
#define DEVIRT_REASON_BIND		30 /* errno of the bind: vfio-pci refused the device */
#define DEVIRT_REASON_IRQ_CPU		31 /* EINVAL: irq.cpu is no CPU of this description; detail: it */

#define DEVIRT_REASON_NOT_PF		32 /* EINVAL: the function has no SR-IOV capability */
#define DEVIRT_REASON_PF_DRIVER		33 /* ENOENT: the PF has no driver that makes VFs; detail: its driver */
#define DEVIRT_REASON_PF_OWNED		34 /* EBUSY: the PF itself is leased; detail: the partition */
#define DEVIRT_REASON_VF_INDEX		35 /* ERANGE: no VF of that index; detail: how many there are */
#define DEVIRT_REASON_POOL_SMALL	36 /* ENOSPC: all VFs of the pool are taken; detail: how many there are */
#define DEVIRT_REASON_POOL_FAILED	37 /* errno of the PF driver: it made no VFs; detail: asked made */

#define DEVIRT_REASON_SETTING_KIND	38 /* EOPNOTSUPP: the PF's driver can't set that; detail: which */
#define DEVIRT_REASON_SETTING_VALUE	39 /* ERANGE: it can, but not to this; detail: see below */
#define DEVIRT_REASON_SETTING_FAILED	40 /* errno of the driver; detail: see below */
#define DEVIRT_REASON_VGPU_TYPE		41 /* ENOENT: the VF offers no such type; detail: those it offers */
#define DEVIRT_REASON_VGPU_FULL		42 /* ENOSPC: the card has no room for the type; detail: see below */
#define DEVIRT_REASON_POOL_BUSY		43 /* EBUSY: VFs of it are leased or used; detail: see below */
#define DEVIRT_REASON_POOL_SIZE		44 /* EBUSY: it has another size, and must go first; detail: its size */

/* SETTING_VALUE: "SETTING LIMIT", and if others have the rest of what all VFs share,
 * "HOLDER AMOUNT" for each. SETTING_FAILED: "SETTING", of an NVMe controller
 * "SETTING status 0xSTATUS". VGPU_FULL: "HOLDER TYPE" for each. A HOLDER is a
 * partition, the PF's address, or "PF/INDEX": a VF that nobody leases.
 */
/* POOL_BUSY: "INDEX lease PARTITION", "INDEX driver NAME" or "INDEX vfio": a process */

#define DEVIRT_REASON_NO_NODE		48 /* ENODEV: no such node, or it has no memory */
#define DEVIRT_REASON_PAGE_SIZE		49 /* EINVAL: the kernel has no huge pages of that size; detail: sizes */
#define DEVIRT_REASON_PAGES_SHORT	50 /* ENOMEM: not that many; memory.available says how many */

#define DEVIRT_REASON_NO_CPU		64 /* ENODEV: no such CPU */
#define DEVIRT_REASON_CPU_OFFLINE	65 /* ENODEV: the CPU is offline */
#define DEVIRT_REASON_SIBLING		66 /* EBUSY: an SMT sibling is not in this description; detail: which */
#define DEVIRT_REASON_LAST_CPU		67 /* EBUSY: the host would be left without a CPU */
#define DEVIRT_REASON_VCPU_TWICE	68 /* EEXIST: two CPUs for the same vCPU; detail: the other CPU */
#define DEVIRT_REASON_NO_CPUFREQ	69 /* EOPNOTSUPP: min_khz, but no driver sets the CPU's frequency */
#define DEVIRT_REASON_FREQUENCY		70 /* ERANGE: min_khz is out of the CPU's range; detail: "MIN MAX" */

#define DEVIRT_REASON_NO_PARENT		80 /* ENODEV: no such parent; detail: those there are */
#define DEVIRT_REASON_NO_TYPE		81 /* ENOENT: it makes no such type; detail: those it makes */
#define DEVIRT_REASON_TYPE_FULL		82 /* ENOSPC: no instance left; detail: see devirt_record_mdev */
#define DEVIRT_REASON_UUID_TAKEN	83 /* EEXIST: a mediated device has that UUID; detail: its parent */
#define DEVIRT_REASON_MDEV_FAILED	84 /* errno of the parent's driver: it made none; detail: the type */

/* ---------------------------------------------------------------- records */

/**
 * struct devirt_pci_addr - where a PCI function is
 * @domain: PCI segment
 * @bus: bus number
 * @devfn: device number in bits 7 to 3, function number in bits 2 to 0
 * @reserved: must be zero
 */
struct devirt_pci_addr {
	__u32 domain;
	__u8 bus;
	__u8 devfn;
	__u16 reserved;
};

/**
 * struct devirt_vfio - how userspace opens a leased device (output only)
 * @group: IOMMU group: /dev/vfio/<group>
 * @device: VFIO device: /dev/vfio/devices/vfio<device>; DEVIRT_INDEX_NONE where
 *	the kernel has no VFIO device files
 * @flags: DEVIRT_VFIO_*
 * @reserved: zero
 * @driver: the driver that had the device before; empty for none
 */
struct devirt_vfio {
	__u32 group;
	__u32 device;
	__u32 flags;
	__u32 reserved;
	char driver[DEVIRT_DRIVER_MAX];
};

/** DEVIRT_VFIO_NO_RESET - the device offers no reset; it returns unreset. */
#define DEVIRT_VFIO_NO_RESET	(1U << 0)

/* Where a device's interrupts are handled (struct devirt_irq.policy) */
#define DEVIRT_IRQ_FOLLOW	0	/* each by the vCPU that the guest routes it to */
#define DEVIRT_IRQ_HOUSEKEEPING	1	/* on CPUs that nobody leases */
#define DEVIRT_IRQ_FIXED	2	/* on one CPU of this description */

/**
 * struct devirt_irq - where a leased device's interrupts are handled
 * @policy: DEVIRT_IRQ_*
 * @cpu: with DEVIRT_IRQ_FIXED the CPU, else zero
 *
 * Applied whenever a VMM sets up the device's interrupts (VFIO_DEVICE_SET_IRQS),
 * before that call returns to it, and again when the guest moves one. With
 * DEVIRT_IRQ_FOLLOW a vector goes to the CPU of the vCPU that KVM's routing names,
 * else the partition's vCPUs take turns; in a partition without vCPUs it stays
 * where the kernel puts it. Those on a CPU of the partition nobody else can move:
 * writes to /proc/irq fail. With DEVIRT_IRQ_HOUSEKEEPING, in a partition without
 * vCPUs, and where a legacy line is shared with another device, they are treated
 * as the host's: off all CPUs that are leased, else wherever somebody puts them.
 */
struct devirt_irq {
	__u32 policy;
	__u32 cpu;
};

/**
 * struct devirt_record_pci - DEVIRT_KIND_PCI: a whole function
 * @addr: which
 * @vfio: output
 * @irq: where its interrupts are handled
 */
struct devirt_record_pci {
	struct devirt_pci_addr addr;
	struct devirt_vfio vfio;
	struct devirt_irq irq;
};

/* What is set of a VF (struct devirt_vf_settings.set) */
#define DEVIRT_VF_SET_MAC		(1U << 0)	/* net.mac */
#define DEVIRT_VF_SET_VLAN		(1U << 1)	/* net.vlan and net.qos */
#define DEVIRT_VF_SET_SPOOFCHK		(1U << 2)	/* net.spoofchk */
#define DEVIRT_VF_SET_TRUST		(1U << 3)	/* net.trust */
#define DEVIRT_VF_SET_RATE		(1U << 4)	/* net.min_mbps and net.max_mbps */
#define DEVIRT_VF_SET_LINK		(1U << 5)	/* net.link */
#define DEVIRT_VF_SET_QUEUES		(1U << 8)	/* nvme.queues */
#define DEVIRT_VF_SET_VECTORS		(1U << 9)	/* nvme.vectors */
#define DEVIRT_VF_SET_VGPU		(1U << 16)	/* gpu.type */
#define DEVIRT_VF_SET_VRAM		(1U << 17)	/* gpu.vram */
#define DEVIRT_VF_SET_CONTEXTS		(1U << 18)	/* gpu.contexts */
#define DEVIRT_VF_SET_DOORBELLS		(1U << 19)	/* gpu.doorbells */
#define DEVIRT_VF_SET_QUANTUM		(1U << 20)	/* gpu.quantum_ms */

#define DEVIRT_VF_LINK_AUTO		0	/* as the PF's */
#define DEVIRT_VF_LINK_UP		1
#define DEVIRT_VF_LINK_DOWN		2

/**
 * struct devirt_vf_net - settings of a network card's VF
 * @mac: its address
 * @vlan: the VLAN that it is in without knowing, 1 to 4094; 0: none
 * @qos: priority in that VLAN, 0 to 7
 * @spoofchk: 1: it can only send from its own address
 * @trust: 1: it may be promiscuous and change its address
 * @link: DEVIRT_VF_LINK_*
 * @reserved: must be zero
 * @min_mbps: bandwidth that it has in any case, in Mbit/s; 0: as the host has it
 * @max_mbps: bandwidth that it can have at most, in Mbit/s; 0: as the host has it
 */
struct devirt_vf_net {
	__u8 mac[6];
	__u16 vlan;
	__u8 qos;
	__u8 spoofchk;
	__u8 trust;
	__u8 link;
	__u32 reserved;
	__u32 min_mbps;
	__u32 max_mbps;
};

/**
 * struct devirt_vf_nvme - resources of an NVMe controller's VF
 * @queues: how many pairs of queues, its admin queue's included
 * @vectors: how many interrupt vectors
 *
 * With any of them the secondary controller is brought online for the lease. The
 * other is then what it has, or the least that it works with.
 */
struct devirt_vf_nvme {
	__u32 queues;
	__u32 vectors;
};

/**
 * struct devirt_vf_gpu - quotas of a graphics card's VF
 * @type: the vendor's number of the vGPU type. The VF keeps its own driver, by which
 *	VFIO opens it
 * @contexts: how many contexts
 * @doorbells: how many doorbells
 * @quantum_ms: for how long it runs before it is another's turn, in ms
 * @vram: bytes of video memory
 */
struct devirt_vf_gpu {
	__u32 type;
	__u32 contexts;
	__u32 doorbells;
	__u32 quantum_ms;
	__aligned_u64 vram;
};

/**
 * struct devirt_vf_settings - what a VF shall be while it is leased
 * @set: DEVIRT_VF_SET_*: which of the fields count; the others must be zero
 * @reserved: must be zero
 * @net: of a network card
 * @nvme: of an NVMe controller
 * @gpu: of a graphics card
 * @raw: all of the union
 *
 * Set before the VF can be opened through VFIO, undone after its reset.
 */
struct devirt_vf_settings {
	__u32 set;
	__u32 reserved;
	union {
		struct devirt_vf_net net;
		struct devirt_vf_nvme nvme;
		struct devirt_vf_gpu gpu;
		__aligned_u64 raw[4];
	};
};

/** DEVIRT_VF_ANY - value of devirt_record_vf.index: one that is free. */
#define DEVIRT_VF_ANY		0xffffffffU

/**
 * struct devirt_record_vf - DEVIRT_KIND_VF: a virtual function
 * @pf: the physical function
 * @addr: output: the VF's own address
 * @index: which VF, from 0; or DEVIRT_VF_ANY; output: the one that was taken
 * @pool: how many VFs to make if the PF has none yet; 0: as many as it can.
 *	Output: how many it has
 * @flags: output: DEVIRT_VF_POOL_MADE
 * @reserved: must be zero
 * @vfio: output
 * @irq: where its interrupts are handled
 * @settings: what it shall be
 */
struct devirt_record_vf {
	struct devirt_pci_addr pf;
	struct devirt_pci_addr addr;
	__u32 index;
	__u32 pool;
	__u32 flags;
	__u32 reserved;
	struct devirt_vfio vfio;
	struct devirt_irq irq;
	struct devirt_vf_settings settings;
};

/** DEVIRT_VF_POOL_MADE - devirt made the pool, and removes it after the last VF. */
#define DEVIRT_VF_POOL_MADE	(1U << 0)

/**
 * struct devirt_record_mdev - DEVIRT_KIND_MDEV: a mediated device
 * @parent: the device that makes it, by its name in /sys/class/mdev_bus, closed
 *	and filled up with NUL
 * @type: one of the parent's types, by its name in mdev_supported_types, closed
 *	and filled up with NUL
 * @uuid: which UUID it gets, in the order of its text; zero: a random one.
 *	Output: the one that it has
 * @vfio: output; the group is DEVIRT_INDEX_NONE where the kernel has no groups for it
 *
 * Types of one parent may share what they are made of. So the detail of
 * DEVIRT_REASON_TYPE_FULL says how many of the type are left, and then who has any
 * of the parent's, as "PARTITION TYPE COUNT"; PARTITION is "-" for those that
 * aren't leased. What doesn't fit is left out.
 *
 * While it is leased its driver's module can't be unloaded. If somebody else removes
 * it, or unbinds its driver, DEVIRT_EVENT_DRIFT tells that ("removed", "unbound").
 */
struct devirt_record_mdev {
	char parent[DEVIRT_MDEV_MAX];
	char type[DEVIRT_MDEV_MAX];
	__u8 uuid[16];
	struct devirt_vfio vfio;
};

/**
 * struct devirt_record_memory - DEVIRT_KIND_MEMORY: huge pages
 * @page_size: bytes in a page: 2097152 or 1073741824 on x86-64
 * @pages: how many to add to the pool of the record's node
 * @available: output: how many the kernel could give; less than @pages only
 *	with DEVIRT_REASON_PAGES_SHORT, and then nothing was kept. An upper bound
 *	where there isn't memory for @pages, so that it wasn't even tried
 * @before: output: how many the pool had before
 *
 * The record's node says where; with DEVIRT_NODE_ANY the kernel spreads them.
 */
struct devirt_record_memory {
	__aligned_u64 page_size;
	__aligned_u64 pages;
	__aligned_u64 available;
	__aligned_u64 before;
};

#define DEVIRT_ROLE_NONE	0	/* off the host, for nobody (an SMT sibling) */
#define DEVIRT_ROLE_VCPU	1	/* runs one vCPU */
#define DEVIRT_ROLE_EMULATOR	2	/* runs the VMM's other threads */

/**
 * struct devirt_record_cpu - DEVIRT_KIND_CPU: a logical CPU
 * @cpu: its number
 * @role: DEVIRT_ROLE_*
 * @vcpu: with DEVIRT_ROLE_VCPU the KVM vCPU id that it runs, else zero. On x86
 *	VMMs give KVM the vCPU's APIC id, which has gaps where the guest's cores
 *	or threads aren't powers of two
 * @latency_us: how long the CPU may take to wake up, in microseconds: keeps it
 *	out of deeper idle states; 0: as the host has it
 * @min_khz: the lowest frequency that it may run at; 0: as the host has it
 * @thread: output: the thread that is pinned here, in the caller's PID
 *	namespace; 0 while there is none
 */
struct devirt_record_cpu {
	__u32 cpu;
	__u32 role;
	__u32 vcpu;
	__u32 latency_us;
	__u32 min_khz;
	__u32 thread;
};

/** DEVIRT_RECORD_SHARE_CORE - cpu: take it although a sibling stays the host's. */
#define DEVIRT_RECORD_SHARE_CORE	(1U << 0)

/**
 * struct devirt_record - one resource of a partition
 * @kind: DEVIRT_KIND_*
 * @flags: DEVIRT_RECORD_*
 * @node: memory: the node, or DEVIRT_NODE_ANY; otherwise ignored. Output: the
 *	node it is on, DEVIRT_NODE_ANY if it has none
 * @state: output: DEVIRT_STATE_*; on input ignored
 * @reason: output: DEVIRT_REASON_*; on input ignored
 * @error: output: the negative errno that goes with @reason; on input ignored
 * @reserved: must be zero
 * @pci: DEVIRT_KIND_PCI
 * @vf: DEVIRT_KIND_VF
 * @mdev: DEVIRT_KIND_MDEV
 * @memory: DEVIRT_KIND_MEMORY
 * @cpu: DEVIRT_KIND_CPU
 * @raw: all of the union; what the kind doesn't use must be zero
 * @detail: output: names the thing that @reason is about; on input ignored
 *
 * Outputs inside the union are ignored on input, so what DEVIRT_GET returned
 * can be applied again.
 */
struct devirt_record {
	__u32 kind;
	__u32 flags;
	__s32 node;
	__u32 state;
	__u32 reason;
	__s32 error;
	__u32 reserved[2];
	union {
		struct devirt_record_pci pci;
		struct devirt_record_vf vf;
		struct devirt_record_mdev mdev;
		struct devirt_record_memory memory;
		struct devirt_record_cpu cpu;
		__aligned_u64 raw[16];
	};
	char detail[DEVIRT_DETAIL_MAX];
};

/* ---------------------------------------------------------------- queries */

/* Facts about this host (struct devirt_query.facts) */
#define DEVIRT_FACT_IOMMU	(1U << 0)	/* PCI functions are in IOMMU groups */
#define DEVIRT_FACT_INTREMAP	(1U << 1)	/* interrupts are remapped */
#define DEVIRT_FACT_KVM		(1U << 2)	/* KVM is loaded, vCPUs can be pinned */
#define DEVIRT_FACT_VFIO_PCI	(1U << 3)	/* the vfio-pci driver is loaded */
#define DEVIRT_FACT_VFIO_CDEV	(1U << 4)	/* VFIO has device files (iommufd) */

/**
 * struct devirt_query - argument of DEVIRT_QUERY
 * @size: size of this structure
 * @flags: must be zero
 * @api_version: output: DEVIRT_API_VERSION of the module
 * @record_size: output: size of struct devirt_record in the module
 * @event_size: output: size of struct devirt_event in the module
 * @records_max: output: DEVIRT_RECORDS_MAX of the module
 * @kinds: output: bit N is set if kind N can be leased
 * @facts: output: DEVIRT_FACT_*
 * @partitions: output: how many there are now
 * @reserved: must be zero
 */
struct devirt_query {
	__u32 size;
	__u32 flags;
	__u32 api_version;
	__u32 record_size;
	__u32 event_size;
	__u32 records_max;
	__u32 kinds;
	__u32 facts;
	__u32 partitions;
	__u32 reserved;
};

/**
 * DEVIRT_QUERY - what this module offers and knows (on /dev/devirt)
 *
 * Errors: only the general ones.
 */
#define DEVIRT_QUERY		_IO(DEVIRT_IOC_TYPE, 0x00)

/**
 * struct devirt_create - argument of DEVIRT_CREATE
 * @size: size of this structure
 * @flags: must be zero
 * @name: unique; 1 to 63 of letters, digits, '_', '-', '.', not beginning with
 *	'.' or '-', closed and filled up with NUL
 */
struct devirt_create {
	__u32 size;
	__u32 flags;
	char name[DEVIRT_NAME_MAX];
};

/**
 * DEVIRT_CREATE - make an empty partition (on /dev/devirt)
 *
 * Returns a new file descriptor, close-on-exec: the lease.
 *
 * Errors: EEXIST: a partition has that name, perhaps one that is draining.
 * EINVAL: not a valid name. EMFILE, ENFILE: no descriptor free.
 */
#define DEVIRT_CREATE		_IO(DEVIRT_IOC_TYPE, 0x01)

/** DEVIRT_OPEN_OBSERVE - look on: get, attach, read and poll work, release and apply don't. */
#define DEVIRT_OPEN_OBSERVE	(1U << 0)
/** DEVIRT_OPEN_PAST - read events from the oldest that is kept, not only those to come. */
#define DEVIRT_OPEN_PAST	(1U << 1)

/**
 * struct devirt_open - argument of DEVIRT_OPEN
 * @size: size of this structure
 * @flags: DEVIRT_OPEN_*
 * @name: the partition's
 */
struct devirt_open {
	__u32 size;
	__u32 flags;
	char name[DEVIRT_NAME_MAX];
};

/**
 * DEVIRT_OPEN - another descriptor of a partition (on /dev/devirt)
 *
 * Returns a new file descriptor, close-on-exec. Closing it releases nothing.
 *
 * Errors: ENOENT: no partition has that name. EBUSY: it isn't persistent, so
 * its own descriptor is the only one that may change it (DEVIRT_OPEN_OBSERVE
 * works). EINVAL: not a valid name. EMFILE, ENFILE: no descriptor free.
 */
#define DEVIRT_OPEN		_IO(DEVIRT_IOC_TYPE, 0x02)

/** DEVIRT_APPLY_DRY_RUN - only check; nothing is changed or held afterwards. */
#define DEVIRT_APPLY_DRY_RUN	(1U << 0)
/** DEVIRT_APPLY_PERSIST - keep the lease when the descriptor closes. */
#define DEVIRT_APPLY_PERSIST	(1U << 1)

/**
 * struct devirt_apply - argument of DEVIRT_APPLY
 * @size: size of this structure
 * @flags: DEVIRT_APPLY_*
 * @records: address of an array of struct devirt_record, read and written
 * @count: how many, 1 to DEVIRT_RECORDS_MAX
 * @record_size: bytes from one to the next: sizeof(struct devirt_record)
 * @failed: output: index of the record that was refused, @count if none was
 * @reserved: must be zero
 */
struct devirt_apply {
	__u32 size;
	__u32 flags;
	__aligned_u64 records;
	__u32 count;
	__u32 record_size;
	__u32 failed;
	__u32 reserved;
};

/**
 * DEVIRT_APPLY - take every resource of a description, or none (on a partition)
 *
 * On success the outputs of all records are filled in. When a record is
 * refused, @failed is its index, its .reason, .error and .detail say why, and
 * the host is as it was. A partition can be applied once.
 *
 * Errors: EBUSY: applied already, another apply is under way, or see the
 * record's reason. EINVAL: @count or @record_size out of range, or see the
 * reason. EPERM: an observing descriptor, or see the reason. Any other: see
 * the reason.
 */
#define DEVIRT_APPLY		_IO(DEVIRT_IOC_TYPE, 0x03)

/**
 * struct devirt_get - argument of DEVIRT_GET
 * @size: size of this structure
 * @flags: must be zero
 * @records: address of an array of struct devirt_record to fill; may be zero
 *	if @count is
 * @count: how many fit; output: how many there are
 * @record_size: bytes from one to the next: sizeof(struct devirt_record)
 * @state: output: DEVIRT_STATE_* of the partition
 * @persistent: output: 1 if the lease outlives its descriptor
 * @vmm: output: process id of the VMM, in the caller's PID namespace; 0 if there
 *	is none or it has ended
 * @owner: output: process id that applied, in the caller's PID namespace; 0 if it
 *	has ended
 * @name: output: the partition's name
 */
struct devirt_get {
	__u32 size;
	__u32 flags;
	__aligned_u64 records;
	__u32 count;
	__u32 record_size;
	__u32 state;
	__u32 persistent;
	__u32 vmm;
	__u32 owner;
	char name[DEVIRT_NAME_MAX];
};

/**
 * DEVIRT_GET - what is held, with outputs (on a partition)
 *
 * Errors: EMSGSIZE: the array is too small; @count says how many there are.
 * EINVAL: @record_size out of range. A partition that holds nothing (new, or
 * released) has count 0.
 */
#define DEVIRT_GET		_IO(DEVIRT_IOC_TYPE, 0x04)

/**
 * struct devirt_attach - argument of DEVIRT_ATTACH
 * @size: size of this structure
 * @flags: must be zero
 * @pidfd: a pidfd of the VMM's process
 * @reserved: must be zero
 */
struct devirt_attach {
	__u32 size;
	__u32 flags;
	__s32 pidfd;
	__u32 reserved;
};

/**
 * DEVIRT_ATTACH - this process is the partition's VMM (on a partition)
 *
 * A process that uses one of the partition's devices through VFIO is attached by
 * that, before its ioctl of the device returns, so this is for partitions without
 * a device, and for pinning from before the device is opened. The first that makes
 * an ioctl of such a device is the VMM, privileged or not, until it ends; opening
 * the device, or having its descriptor, is no use of it. Any other process that
 * does meanwhile isn't, and a child of the VMM is another process: for each there
 * is one DEVIRT_EVENT_USER a device, and nothing else is done to it. The same if
 * it is another partition's VMM. When the VMM has ended the next user takes its
 * place. vCPUs that exist by then are pinned when they are entered next.
 *
 * From now on each of its threads that enters a vCPU which the description
 * names runs on that vCPU's CPU, from its first guest instruction on. Call it
 * before the VMM starts. A process that ended, or an earlier attach of the same
 * process, may be replaced.
 *
 * Errors: EBADF: not a pidfd. ESRCH: the process has ended. EBUSY: another
 * living process is attached, or the process is another partition's VMM.
 * ENXIO: the partition holds nothing. EOPNOTSUPP: this kernel can't place
 * probes, so nothing could be pinned.
 */
#define DEVIRT_ATTACH		_IO(DEVIRT_IOC_TYPE, 0x05)

/**
 * struct devirt_release - argument of DEVIRT_RELEASE
 * @size: size of this structure
 * @flags: must be zero
 */
struct devirt_release {
	__u32 size;
	__u32 flags;
};

/**
 * DEVIRT_RELEASE - give everything back (on a partition)
 *
 * Returns when all that nobody uses is back. What a VMM still uses is draining
 * then and comes back by itself as soon as it is closed; poll() reports POLLHUP
 * when that is done.
 *
 * Errors: ENXIO: the partition holds nothing. EPERM: an observing descriptor.
 */
#define DEVIRT_RELEASE		_IO(DEVIRT_IOC_TYPE, 0x06)

/** DEVIRT_POOL_LOOK - change nothing, only fill in the outputs. */
#define DEVIRT_POOL_LOOK	(1U << 0)

/* Who made the VFs that a PF has (struct devirt_pool_size.origin) */
#define DEVIRT_POOL_NONE	0	/* it has none */
#define DEVIRT_POOL_HOST	1	/* not devirt */
#define DEVIRT_POOL_LEASES	2	/* the first lease; they go with the last */
#define DEVIRT_POOL_AHEAD	3	/* DEVIRT_POOL */

/**
 * struct devirt_pool_size - argument of DEVIRT_POOL
 * @size: size of this structure
 * @flags: DEVIRT_POOL_LOOK
 * @pf: the physical function
 * @count: how many VFs it shall have; 0: none. Output: how many it has
 * @origin: output: DEVIRT_POOL_*
 * @reason: output: DEVIRT_REASON_*, of those of DEVIRT_KIND_VF
 * @error: output: the negative errno that goes with @reason
 * @detail: output: names the thing that @reason is about
 */
struct devirt_pool_size {
	__u32 size;
	__u32 flags;
	struct devirt_pci_addr pf;
	__u32 count;
	__u32 origin;
	__u32 reason;
	__s32 error;
	char detail[DEVIRT_DETAIL_MAX];
};

/**
 * DEVIRT_POOL - size a PF's pool of VFs ahead (on /dev/devirt)
 *
 * The VFs are kept off host drivers, and stay, whether leased or not, until this is
 * called with 0 or the module goes; when the PF's driver is loaded anew they are made
 * again. Hardware can't change the size of a pool that isn't empty, so that is
 * refused (asking again for what was made is fine), and so is removing one of which
 * a VF is leased, open, or bound to a host driver.
 *
 * Errors: see @reason.
 */
#define DEVIRT_POOL		_IO(DEVIRT_IOC_TYPE, 0x08)

/* ------------------------------------------------------------- statistics */

/**
 * struct devirt_cpu_stats - a leased CPU and the thread that belongs on it
 * @record: index of its record
 * @cpu: its number
 * @role: DEVIRT_ROLE_*
 * @vcpu: the vCPU, with DEVIRT_ROLE_VCPU
 * @thread: the thread that is pinned here, in the caller's PID namespace; 0 while
 *	there is none. What follows about a thread is zero then
 * @reserved: zero
 * @run_ns: how long the thread ran since it was pinned, nanoseconds
 * @wait_ns: how long it could have run but another did
 * @preempted: how often it had to make way for another
 * @migrations: how often it changed its CPU since it was pinned
 * @exits: how often its vCPU has left the guest since it was made
 * @irqs_home: interrupts of the partition's devices that belong on this CPU and
 *	were handled on it
 * @irqs_away: and those that were handled elsewhere
 * @intrusions: how often a task that isn't the guest's was switched to here
 */
struct devirt_cpu_stats {
	__u32 record;
	__u32 cpu;
	__u32 role;
	__u32 vcpu;
	__u32 thread;
	__u32 reserved;
	__aligned_u64 run_ns;
	__aligned_u64 wait_ns;
	__aligned_u64 preempted;
	__aligned_u64 migrations;
	__aligned_u64 exits;
	__aligned_u64 irqs_home;
	__aligned_u64 irqs_away;
	__aligned_u64 intrusions;
};

/* What ran on a leased CPU without being the guest's (struct devirt_intruder.kind) */
#define DEVIRT_INTRUDER_USER	1	/* a user task; it was moved away */
#define DEVIRT_INTRUDER_KTHREAD	2	/* a kernel thread; it was moved away */
#define DEVIRT_INTRUDER_BOUND	3	/* a kernel thread of this very CPU, which can't move */
#define DEVIRT_INTRUDER_IRQ	4	/* a device's interrupt that could be moved */
#define DEVIRT_INTRUDER_MANAGED	5	/* one that its driver binds to CPUs, or the kernel's own */
#define DEVIRT_INTRUDER_TICK	6	/* the local timer */

/**
 * struct devirt_intruder - something that isn't the guest's, on a leased CPU
 * @cpu: where
 * @kind: DEVIRT_INTRUDER_*
 * @pid: the latest task of that name, in the initial PID namespace; of an
 *	interrupt its number; else 0
 * @reserved: zero
 * @count: how often since the CPU was leased
 * @name: of the task, of the interrupt's handler, or of the kernel's interrupt
 */
struct devirt_intruder {
	__u32 cpu;
	__u32 kind;
	__u32 pid;
	__u32 reserved;
	__aligned_u64 count;
	char name[32];
};

/**
 * struct devirt_stats - argument of DEVIRT_STATS
 * @size: size of this structure
 * @flags: must be zero
 * @cpus: address of an array of struct devirt_cpu_stats to fill; may be zero if
 *	@cpu_count is
 * @intruders: address of an array of struct devirt_intruder to fill; may be zero
 *	if @intruder_count is
 * @cpu_count: how many fit; output: how many there are
 * @cpu_size: bytes from one to the next: sizeof(struct devirt_cpu_stats)
 * @intruder_count: how many fit; output: how many there are
 * @intruder_size: bytes from one to the next: sizeof(struct devirt_intruder)
 * @held_ns: output: for how long the CPUs have been leased, nanoseconds
 * @unnamed: output: intrusions that are counted but in no @intruders, for there
 *	were too many names
 */
struct devirt_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 cpus;
	__aligned_u64 intruders;
	__u32 cpu_count;
	__u32 cpu_size;
	__u32 intruder_count;
	__u32 intruder_size;
	__aligned_u64 held_ns;
	__aligned_u64 unnamed;
};

/**
 * DEVIRT_STATS - what the leased CPUs have done (on a partition)
 *
 * Only reads, costs nothing while nobody asks. A partition that holds no CPUs
 * has no entries.
 *
 * Errors: EMSGSIZE: an array is too small; the counts say how many there are.
 * EINVAL: @cpu_size or @intruder_size out of range.
 */
#define DEVIRT_STATS		_IO(DEVIRT_IOC_TYPE, 0x07)

/* ----------------------------------------------------------------- events */

#define DEVIRT_EVENT_LOST	1	/* value: how many events were overwritten unread */
#define DEVIRT_EVENT_APPLIED	2	/* value: how many records */
#define DEVIRT_EVENT_ATTACHED	3	/* pid: the VMM */
#define DEVIRT_EVENT_PINNED	4	/* a vCPU thread was pinned; pid, cpu, value: the vCPU */
#define DEVIRT_EVENT_RELEASED	5	/* everything is back */
#define DEVIRT_EVENT_DRAINING	6	/* released, but record is in use */
#define DEVIRT_EVENT_QUARANTINE	7	/* record is back but unfit; value: errno, detail: why */
#define DEVIRT_EVENT_DRIFT	8	/* record was changed from outside; detail: how */
#define DEVIRT_EVENT_INTRUSION	9	/* the first of that name on a CPU; cpu, pid, detail: the name */
#define DEVIRT_EVENT_IRQS	10	/* record's interrupts were placed; value: how many */
#define DEVIRT_EVENT_USER	11	/* pid uses record's device, but isn't the VMM: that is another */

/**
 * struct devirt_event - what read() of a partition returns, one or more at once
 * @size: size of this structure
 * @type: DEVIRT_EVENT_*
 * @time_ns: CLOCK_BOOTTIME, nanoseconds
 * @sequence: counts the partition's events from 1
 * @value: see the type
 * @record: index of the record it is about, DEVIRT_INDEX_NONE for none
 * @pid: see the type, in the initial PID namespace; 0 for none
 * @cpu: see the type; DEVIRT_INDEX_NONE for none
 * @reserved: zero
 * @detail: text, closed with NUL
 *
 * read() needs room for one event (EINVAL), waits for one unless the descriptor
 * is O_NONBLOCK (EAGAIN), and returns 0 when the partition holds nothing and
 * all is read. Each descriptor reads every event from its own opening on; with
 * DEVIRT_OPEN_PAST earlier ones first.
 */
struct devirt_event {
	__u32 size;
	__u32 type;
	__aligned_u64 time_ns;
	__aligned_u64 sequence;
	__aligned_u64 value;
	__u32 record;
	__u32 pid;
	__u32 cpu;
	__u32 reserved;
	char detail[64];
};

#endif /* _UAPI_LINUX_DEVIRT_H */
