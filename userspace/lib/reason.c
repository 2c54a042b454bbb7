// SPDX-License-Identifier: LGPL-2.1-or-later
/* Why a record was refused, in words, and what to do about it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "libdevirt.h"
#include "reason_card.h"
#include "sysfs.h"

/* What the explanation of one record is put together from. */
struct explanation {
	const struct devirt_record *record;
	int device;
	const char *what;	/* "0000:01:00.0" */
	char detail[DEVIRT_DETAIL_MAX];
	char **message;
	char **remedy;
};

#define MESSAGE(e, ...)	dv_append((e)->message, __VA_ARGS__)
#define REMEDY(e, ...)	dv_append((e)->remedy, __VA_ARGS__)

char *devirt_describe_record(const struct devirt_record *record)
{
	char addr[DEVIRT_ADDR_TEXT], *text = NULL;

	switch (record->kind) {
	case DEVIRT_KIND_PCI:
		dv_append(&text, "%s", devirt_addr_format(&record->pci.addr, addr));
		break;
	case DEVIRT_KIND_VF:
		devirt_addr_format(&record->vf.pf, addr);
		if (record->vf.index == DEVIRT_VF_ANY)
			dv_append(&text, "a VF of %s", addr);
		else
			dv_append(&text, "VF %u of %s", record->vf.index, addr);
		break;
	case DEVIRT_KIND_MDEV:
		dv_append(&text, "%.*s of %.*s", DEVIRT_MDEV_MAX, record->mdev.type,
			  DEVIRT_MDEV_MAX, record->mdev.parent);
		break;
	case DEVIRT_KIND_MEMORY: {
		unsigned long long size = record->memory.page_size;
		bool giga = size && !(size & ((1ULL << 30) - 1));

		dv_append(&text, "%llu page%s of %llu%c",
			  (unsigned long long)record->memory.pages,
			  record->memory.pages == 1 ? "" : "s", size >> (giga ? 30 : 20), giga ? 'G' : 'M');
		if (record->node != DEVIRT_NODE_ANY)
			dv_append(&text, " on node %d", record->node);
		break;
	}
	case DEVIRT_KIND_CPU:
		dv_append(&text, "CPU %u", record->cpu.cpu);
		break;
	default:
		dv_append(&text, "a resource of kind %u", record->kind);
	}
	return text;
}

static bool has_vfs(const struct devirt_record *record)
{
	struct devirt_device device;

	return record->kind == DEVIRT_KIND_PCI &&
	       !devirt_device_read(&record->pci.addr, &device) && device.vfs_total;
}

/* The end of many a remedy: a function with VFs need not be given up whole. */
static void or_a_vf(struct explanation *e)
{
	if (has_vfs(e->record))
		REMEDY(e, ", or lease a VF of it instead");
}

static void owned(struct explanation *e, const char *thing)
{
	struct devirt_get get;
	bool known = false;
	char *owner = NULL;
	int fd;

	fd = e->device < 0 ? -1 :
	     devirt_open_partition(e->device, e->detail, DEVIRT_OPEN_OBSERVE);
	if (fd >= 0) {
		known = !devirt_get_partition(fd, &get, NULL);
		close(fd);
	}
	/* the partition that is just being applied */
	if (known && get.state == DEVIRT_STATE_NEW) {
		MESSAGE(e, "%s is asked for twice, whole and in part", thing);
		REMEDY(e, "name it once");
		return;
	}
	MESSAGE(e, "%s is in use: partition '%s' has it", thing, e->detail);
	if (!known) {
		REMEDY(e, "see 'devirt show %s'", e->detail);
	} else if (get.state == DEVIRT_STATE_DRAINING) {
		owner = get.vmm ? devirt_process_name(get.vmm) : NULL;
		REMEDY(e, "it is released, and free as soon as %s ends",
		       owner ? owner : "its VMM");
	} else if (get.persistent) {
		REMEDY(e, "give it back with 'devirt release %s'", e->detail);
	} else {
		owner = get.owner ? devirt_process_name(get.owner) : NULL;
		REMEDY(e, "it is given back when %s ends", owner ? owner : "its owner");
	}
	free(owner);
}

static void disks(struct explanation *e, bool claimed)
{
	char names[DEVIRT_DETAIL_MAX], *name, *next = NULL;
	bool mount = false, swap = false, other = false;

	MESSAGE(e, "%s is in use: ", e->what);
	strcpy(names, e->detail);
	for (name = strtok_r(names, " ", &next); name; name = strtok_r(NULL, " ", &next)) {
		char *use = claimed ? dv_disk_use(name) : NULL;

		mount |= use && !strncmp(use, "is mounted", 10);
		swap |= use && !strncmp(use, "is swap", 7);
		other |= !use || !strncmp(use, "is a part", 9);
		MESSAGE(e, "%s/dev/%s %s", name == names ? "" : ", ", name,
			use ? use : claimed ? "is claimed" : "is open in a process");
		free(use);
	}
	if (!claimed) {
		REMEDY(e, "end the process ('fuser -v' on the disk names it)");
		or_a_vf(e);
		return;
	}
	if (mount)
		REMEDY(e, "unmount it");
	if (swap)
		REMEDY(e, "%sswapoff it", *e->remedy ? " and " : "");
	if (other)
		REMEDY(e, "%stake it out of what it is a part of", *e->remedy ? " and " : "");
	or_a_vf(e);
}

static void interfaces(struct explanation *e, bool upper)
{
	char netif[DEVIRT_DETAIL_MAX], master[DEVIRT_DETAIL_MAX];
	char *users = NULL;

	if (upper && sscanf(e->detail, "%127s %127s", netif, master) == 2) {
		MESSAGE(e, "%s is in use: %s is a part of %s", e->what, netif, master);
		REMEDY(e, "take %s out of %s", netif, master);
	} else {
		/* which address it is helps to tell whether it may go */
		if (e->record->kind == DEVIRT_KIND_PCI)
			devirt_device_users(&e->record->pci.addr, &users);
		if (users)
			MESSAGE(e, "%s is in use: %s", e->what, users);
		else
			MESSAGE(e, "%s is in use: %s has an address", e->what, e->detail);
		REMEDY(e, "remove the address (ip address flush dev %s)", e->detail);
		free(users);
	}
	or_a_vf(e);
}

static void vfio_busy(struct explanation *e)
{
	struct devirt_device device;
	char *users = NULL;

	if (e->record->kind == DEVIRT_KIND_PCI &&
	    !devirt_device_read(&e->record->pci.addr, &device) && device.group >= 0)
		devirt_vfio_users(device.group, DEVIRT_INDEX_NONE, &users);
	MESSAGE(e, "%s is in use through VFIO, outside any lease: %s", e->what,
		users ? users : "by a process");
	REMEDY(e, "end that process first");
	free(users);
}

static void pages_short(struct explanation *e)
{
	const struct devirt_record *record = e->record;
	unsigned long long size = record->memory.page_size;

	MESSAGE(e, "%s are not to be had: the kernel could give %llu", e->what,
		(unsigned long long)record->memory.available);
	if (size >= 1ULL << 30)
		REMEDY(e, "ask for less, use page=2M, or reserve them at boot: hugepagesz=1G hugepages=%llu",
		       (unsigned long long)record->memory.pages);
	else
		REMEDY(e, "ask for less, take another node, or free memory: "
		       "echo 1 > /proc/sys/vm/compact_memory helps where it is only scattered");
}

static void page_size(struct explanation *e)
{
	char names[DEVIRT_DETAIL_MAX], *name, *next = NULL;

	MESSAGE(e, "%s: this kernel has no huge pages of that size", e->what);
	if (!e->detail[0])
		return;
	strcpy(names, e->detail);
	REMEDY(e, "it has");
	for (name = strtok_r(names, " ", &next); name; name = strtok_r(NULL, " ", &next)) {
		unsigned long long size = strtoull(name, NULL, 10);

		if (size >= 1ULL << 30)
			REMEDY(e, " %lluG", size >> 30);
		else if (size >= 1ULL << 20)
			REMEDY(e, " %lluM", size >> 20);
		else
			REMEDY(e, " %s", name);
	}
}

/* Name of a partition that has a VF of the record's function; free(). */
static char *vf_partition(const struct explanation *e)
{
	struct devirt_records records = { 0 };
	struct devirt_get get;
	char **names, *found = NULL;
	size_t count;

	if (e->device < 0 || devirt_list_partitions(&names, &count))
		return NULL;
	for (size_t i = 0; i < count && !found; i++) {
		int fd = devirt_open_partition(e->device, names[i], DEVIRT_OPEN_OBSERVE);

		if (fd < 0)
			continue;
		if (devirt_get_partition(fd, &get, &records))
			records.count = 0;
		close(fd);
		for (uint32_t k = 0; k < records.count && !found; k++)
			if (records.v[k].kind == DEVIRT_KIND_VF &&
			    devirt_addr_equal(&records.v[k].vf.pf, &e->record->pci.addr))
				found = strdup(names[i]);
	}
	devirt_records_clear(&records);
	devirt_free_names(names, count);
	return found;
}

static void vfs_enabled(struct explanation *e)
{
	char *partition = vf_partition(e);

	MESSAGE(e, "%s has %s VFs, so it can't be leased whole", e->what, e->detail);
	REMEDY(e, "lease a VF of it, or ");
	if (partition)
		REMEDY(e, "wait until partition '%s' has given its VFs back", partition);
	else
		REMEDY(e, "remove the VFs: echo 0 > /sys/bus/pci/devices/%s/sriov_numvfs", e->what);
	free(partition);
}

static void irq_cpu(struct explanation *e)
{
	MESSAGE(e, "%s: its interrupts can't go to CPU %s, which isn't one of this partition's",
		e->what, e->detail);
	REMEDY(e, "lease that CPU too, or say irqs=follow or irqs=housekeeping");
}

/* "800 MHz", "2.4 GHz" */
static const char *frequency(unsigned long khz, char text[32])
{
	if (khz >= 1000000)
		snprintf(text, 32, "%g GHz", khz / 1e6);
	else
		snprintf(text, 32, "%g MHz", khz / 1e3);
	return text;
}

static void out_of_range(struct explanation *e)
{
	char wanted[32], least[32], most[32];
	unsigned long min, max;

	frequency(e->record->cpu.min_khz, wanted);
	if (sscanf(e->detail, "%lu %lu", &min, &max) == 2) {
		MESSAGE(e, "%s can't run at %s or more: it has %s to %s", e->what, wanted,
			frequency(min, least), frequency(max, most));
		REMEDY(e, "ask for a min-frequency= in that range");
	} else {
		MESSAGE(e, "%s can't run at %s or more", e->what, wanted);
		REMEDY(e, "ask for a lower min-frequency=; 'devirt check' says what it has");
	}
}

static void explain_device(struct explanation *e)
{
	switch (e->record->reason) {
	case DEVIRT_REASON_NO_DEVICE:
		MESSAGE(e, "%s: there is no such PCI function", e->what);
		REMEDY(e, "'devirt devices' lists them");
		break;
	case DEVIRT_REASON_NOT_ENDPOINT:
		MESSAGE(e, "%s is a bridge, which can't be leased", e->what);
		REMEDY(e, "lease the functions behind it; 'devirt devices' lists them");
		break;
	case DEVIRT_REASON_IS_VF:
		MESSAGE(e, "%s is a VF, which can't be leased by its own address", e->what);
		REMEDY(e, "lease it by its physical function, with a [vf NAME] section");
		break;
	case DEVIRT_REASON_NO_IOMMU:
		MESSAGE(e, "%s is in no IOMMU group: the IOMMU is off or there is none", e->what);
		REMEDY(e, "turn it on in the firmware (VT-d, AMD-Vi) and, with Intel, boot with intel_iommu=on; see 'devirt check'");
		break;
	case DEVIRT_REASON_NO_INTREMAP:
		MESSAGE(e, "%s: interrupts are not remapped, so that a guest could forge them", e->what);
		REMEDY(e, "turn interrupt remapping (x2APIC) on in the firmware; see 'devirt check'");
		break;
	case DEVIRT_REASON_GROUP_SHARED:
		MESSAGE(e, "%s shares its IOMMU group with what is in use: %s", e->what, e->detail);
		REMEDY(e, "lease these too or unbind their drivers, or plug the device into another slot");
		break;
	case DEVIRT_REASON_VFS_ENABLED:
		vfs_enabled(e);
		break;
	case DEVIRT_REASON_BLOCK_CLAIMED:
		disks(e, true);
		break;
	case DEVIRT_REASON_BLOCK_OPEN:
		disks(e, false);
		break;
	case DEVIRT_REASON_NET_ADDRESS:
		interfaces(e, false);
		break;
	case DEVIRT_REASON_NET_UPPER:
		interfaces(e, true);
		break;
	case DEVIRT_REASON_DISPLAY:
		MESSAGE(e, "%s is in use: the display %s is open", e->what, e->detail);
		REMEDY(e, "stop the display server and the console on it");
		break;
	case DEVIRT_REASON_VFIO_BUSY:
		vfio_busy(e);
		break;
	case DEVIRT_REASON_NO_VFIO:
		MESSAGE(e, "%s: the vfio-pci driver can't be loaded", e->what);
		REMEDY(e, "see what 'modprobe vfio-pci' says");
		break;
	case DEVIRT_REASON_BIND:
		MESSAGE(e, "%s: vfio-pci refused it: %s", e->what, strerror(-e->record->error));
		REMEDY(e, "the kernel log says more (dmesg)");
		break;
	case DEVIRT_REASON_IRQ_CPU:
		irq_cpu(e);
		break;
	}
}

static void pool_busy(struct explanation *e, const char *pf)
{
	unsigned int index = 0;
	int end = 0;
	struct devirt_device vf;
	char addr[DEVIRT_ADDR_TEXT] = "ADDRESS", *users = NULL;
	const char *who;

	MESSAGE(e, "%s: its VFs can't be removed: ", pf);
	if (sscanf(e->detail, "%u %n", &index, &end) != 1 || !end) {
		MESSAGE(e, "somebody is about to lease one");
		REMEDY(e, "try again");
		return;
	}
	who = e->detail + end;
	memset(&vf, 0, sizeof(vf));
	vf.group = -1;
	if (!devirt_device_vf(&e->record->vf.pf, index, &vf.addr)) {
		devirt_addr_format(&vf.addr, addr);
		devirt_device_read(&vf.addr, &vf);
	}
	if (!strncmp(who, "lease ", 6)) {
		MESSAGE(e, "partition '%s' has VF %u", who + 6, index);
		REMEDY(e, "wait until it has given it back; see 'devirt show %s'", who + 6);
	} else if (!strncmp(who, "driver ", 7)) {
		MESSAGE(e, "the host's driver %s has VF %u", who + 7, index);
		REMEDY(e, "unbind it: echo %s > /sys/bus/pci/drivers/%s/unbind", addr, who + 7);
	} else {
		if (vf.group >= 0)
			devirt_vfio_users(vf.group, DEVIRT_INDEX_NONE, &users);
		MESSAGE(e, "VF %u is in use through VFIO, outside any lease: %s", index,
			users ? users : "by a process");
		REMEDY(e, "end that process first");
		free(users);
	}
}

static void explain_setting(struct explanation *e, const char *pf)
{
	char name[DEVIRT_DETAIL_MAX];
	unsigned long long limit;

	switch (e->record->reason) {
	case DEVIRT_REASON_SETTING_KIND:
		MESSAGE(e, "%s: its '%s' can't be set: the driver of %s doesn't offer that",
			e->what, e->detail, pf);
		REMEDY(e, "leave it out of the [vf NAME] section, or take another card");
		break;
	case DEVIRT_REASON_SETTING_VALUE:
		if (sscanf(e->detail, "%127s %llu", name, &limit) == 2)
			MESSAGE(e, "%s: its '%s' can't be as asked: %s goes as far as %llu",
				e->what, name, pf, limit);
		else
			MESSAGE(e, "%s: its '%s' can't be as asked", e->what, e->detail);
		REMEDY(e, "ask for less");
		break;
	case DEVIRT_REASON_SETTING_FAILED:
		MESSAGE(e, "%s: its '%s' couldn't be set: the driver of %s says: %s", e->what,
			e->detail, pf, strerror(-e->record->error));
		REMEDY(e, "the kernel log says more (dmesg); some cards want to be up (ip link set ... up)");
		break;
	}
}

/* There is no such VF, or a card can't have as many as are asked for: of a pool as a
 * whole no index is wrong.
 */
static void vf_index(struct explanation *e, const char *pf)
{
	const struct devirt_record_vf *vf = &e->record->vf;
	unsigned int most = strtoul(e->detail, NULL, 10);

	if (vf->index == DEVIRT_VF_ANY || (vf->index < most && vf->pool > most)) {
		MESSAGE(e, "%s can have at most %s VFs", pf, e->detail);
		REMEDY(e, "ask for fewer");
		return;
	}
	MESSAGE(e, "%s doesn't exist: it has %s VFs, counted from 0", e->what, e->detail);
	REMEDY(e, "take a smaller index or index=any");
}

static void pool_size(struct explanation *e, const char *pf)
{
	bool ours = e->record->vf.flags & DEVIRT_VF_POOL_MADE;

	MESSAGE(e, "%s has %s VF%s already, ", pf, e->detail, strcmp(e->detail, "1") ? "s" : "");
	if (ours)
		MESSAGE(e, "and a card can't have more or fewer until these are gone");
	else
		MESSAGE(e, "made by the host, whose drivers may have had them");
	REMEDY(e, "remove them first: devirt vfs %s 0", pf);
}

static void explain_vf(struct explanation *e)
{
	char pf[DEVIRT_ADDR_TEXT];

	devirt_addr_format(&e->record->vf.pf, pf);
	switch (e->record->reason) {
	case DEVIRT_REASON_NOT_PF:
		MESSAGE(e, "%s can't make VFs: it has no SR-IOV capability", pf);
		REMEDY(e, "lease it whole with a [device NAME] section, or turn SR-IOV on in the firmware");
		break;
	case DEVIRT_REASON_PF_DRIVER:
		if (e->detail[0])
			MESSAGE(e, "%s: its driver, %s, makes no VFs", pf, e->detail);
		else
			MESSAGE(e, "%s has no driver, which it takes to make VFs", pf);
		REMEDY(e, "bind the driver of the vendor to it");
		break;
	case DEVIRT_REASON_PF_OWNED:
		owned(e, pf);
		break;
	case DEVIRT_REASON_VF_INDEX:
		vf_index(e, pf);
		break;
	case DEVIRT_REASON_POOL_SMALL:
		MESSAGE(e, "%s: all %s VFs are taken", pf, e->detail);
		REMEDY(e, "release one, or raise pool= once no partition has any; see 'devirt devices'");
		break;
	case DEVIRT_REASON_POOL_FAILED: {
		unsigned int asked, made;

		/* vfio-pci has the function for it, but unless told otherwise does nothing */
		if (e->record->error == -ENOENT) {
			MESSAGE(e, "%s is with vfio-pci, which makes no VFs: it is reserved as a whole",
				pf);
			REMEDY(e, "take it out of /etc/devirt/reserve.conf, and boot");
			break;
		}
		if (sscanf(e->detail, "%u %u", &asked, &made) == 2)
			MESSAGE(e, "%s: its driver was asked for %u VFs and made %u: %s", pf,
				asked, made, strerror(-e->record->error));
		else
			MESSAGE(e, "%s: its driver made no VFs: %s", pf,
				strerror(-e->record->error));
		REMEDY(e, "ask for fewer VFs (pool=); the kernel log says more (dmesg)");
		break;
	}
	case DEVIRT_REASON_SETTING_KIND:
	case DEVIRT_REASON_SETTING_VALUE:
	case DEVIRT_REASON_SETTING_FAILED:
	case DEVIRT_REASON_VGPU_TYPE:
	case DEVIRT_REASON_VGPU_FULL:
		if (!dv_explain_card(e->record, e->what, e->detail, e->message, e->remedy))
			explain_setting(e, pf);
		break;
	case DEVIRT_REASON_POOL_BUSY:
		pool_busy(e, pf);
		break;
	case DEVIRT_REASON_POOL_SIZE:
		pool_size(e, pf);
		break;
	}
}

/* "0 web mbochs-small 2 - mbochs-large 1": how many are left, and who has what. */
static void type_full(struct explanation *e)
{
	char words[DEVIRT_DETAIL_MAX], *holder, *type, *count, *next = NULL;
	bool first = true, leased = false;

	strcpy(words, e->detail);
	count = strtok_r(words, " ", &next);
	MESSAGE(e, "no more room for %s: %s left", e->what, count ? count : "none");
	while ((holder = strtok_r(NULL, " ", &next)) && (type = strtok_r(NULL, " ", &next)) &&
	       (count = strtok_r(NULL, " ", &next))) {
		MESSAGE(e, "%s", first ? "; of its parent " : ", ");
		if (!strcmp(holder, "-"))
			MESSAGE(e, "%s %s leased by nobody", count, type);
		else
			MESSAGE(e, "partition '%s' has %s %s", holder, count, type);
		leased |= strcmp(holder, "-") != 0;
		first = false;
	}
	REMEDY(e, "%s, or ask for a smaller type or another parent; 'devirt devices' lists them",
	       leased ? "release one" : first ? "ask for fewer" : "remove one");
}

static void uuid_taken(struct explanation *e)
{
	char uuid[DEVIRT_UUID_TEXT];

	devirt_uuid_format(e->record->mdev.uuid, uuid);
	MESSAGE(e, "%s: a mediated device has the UUID %s already%s%s", e->what, uuid,
		e->detail[0] ? ", of parent " : "", e->detail);
	REMEDY(e, "leave uuid= out for a random one, or remove that device: echo 1 > /sys/bus/mdev/devices/%s/remove",
	       uuid);
}

static void explain_mdev(struct explanation *e)
{
	const struct devirt_record_mdev *mdev = &e->record->mdev;

	switch (e->record->reason) {
	case DEVIRT_REASON_NO_PARENT:
		MESSAGE(e, "%s: %.*s makes no mediated devices, or isn't there", e->what,
			DEVIRT_MDEV_MAX, mdev->parent);
		if (e->detail[0])
			REMEDY(e, "these do: %s", e->detail);
		else
			REMEDY(e, "nothing does here: load the driver of the card that shall");
		break;
	case DEVIRT_REASON_NO_TYPE:
		MESSAGE(e, "%s: there is no such type", e->what);
		if (e->detail[0])
			REMEDY(e, "it makes %s", e->detail);
		else
			REMEDY(e, "it makes none at present; the kernel log may say why (dmesg)");
		break;
	case DEVIRT_REASON_TYPE_FULL:
		type_full(e);
		break;
	case DEVIRT_REASON_UUID_TAKEN:
		uuid_taken(e);
		break;
	case DEVIRT_REASON_MDEV_FAILED:
		MESSAGE(e, "%s: its driver made none: %s", e->what, strerror(-e->record->error));
		REMEDY(e, "the kernel log says more (dmesg)");
		break;
	}
}

static void explain_rest(struct explanation *e)
{
	const struct devirt_record *record = e->record;

	switch (record->reason) {
	case DEVIRT_REASON_INVALID:
		MESSAGE(e, "%s: the field '%s' is out of range", e->what, e->detail);
		break;
	case DEVIRT_REASON_UNSUPPORTED:
		MESSAGE(e, "%s: the module doesn't support this %s", e->what,
			e->detail[0] ? e->detail : "request");
		REMEDY(e, "use a module of the same release as this library");
		break;
	case DEVIRT_REASON_OWNED:
		owned(e, e->what);
		break;
	case DEVIRT_REASON_DUPLICATE:
		MESSAGE(e, "%s is asked for twice", e->what);
		REMEDY(e, "name it once");
		break;
	case DEVIRT_REASON_NO_MEMORY:
		MESSAGE(e, "%s: the kernel ran out of memory", e->what);
		REMEDY(e, "free some, and try again");
		break;
	case DEVIRT_REASON_QUARANTINED:
		MESSAGE(e, "%s is in quarantine: an earlier guest left it in a state that is unfit for use",
			e->what);
		REMEDY(e, "power it off and on, or reset it by hand; the kernel log says why (dmesg)");
		break;
	case DEVIRT_REASON_NO_NODE:
		MESSAGE(e, "%s: there is no node %d, or it has no memory", e->what, record->node);
		REMEDY(e, "'devirt check' lists the nodes");
		break;
	case DEVIRT_REASON_PAGE_SIZE:
		page_size(e);
		break;
	case DEVIRT_REASON_PAGES_SHORT:
		pages_short(e);
		break;
	case DEVIRT_REASON_NO_CPU:
		MESSAGE(e, "%s doesn't exist", e->what);
		REMEDY(e, "'lscpu -e' lists the CPUs");
		break;
	case DEVIRT_REASON_CPU_OFFLINE:
		MESSAGE(e, "%s is offline", e->what);
		REMEDY(e, "echo 1 > /sys/devices/system/cpu/cpu%u/online", record->cpu.cpu);
		break;
	case DEVIRT_REASON_SIBLING:
		MESSAGE(e, "%s shares its core with CPU %s, which would stay the host's", e->what,
			e->detail);
		REMEDY(e, "ask for that one too, or say share-core=yes");
		break;
	case DEVIRT_REASON_LAST_CPU:
		MESSAGE(e, "%s can't be taken: the host would be left without a CPU", e->what);
		REMEDY(e, "ask for fewer CPUs");
		break;
	case DEVIRT_REASON_VCPU_TWICE:
		MESSAGE(e, "%s: vCPU %u has a CPU already, %s", e->what, record->cpu.vcpu,
			e->detail);
		REMEDY(e, "give each vCPU one CPU");
		break;
	case DEVIRT_REASON_NO_CPUFREQ:
		MESSAGE(e, "%s: no driver sets its frequency, so that it can't be kept from falling",
			e->what);
		REMEDY(e, "leave min-frequency= out, or load the driver (acpi-cpufreq)");
		break;
	case DEVIRT_REASON_FREQUENCY:
		out_of_range(e);
		break;
	case DEVIRT_REASON_INTERNAL:
		MESSAGE(e, "%s: %s%s%s", e->what, e->detail, e->detail[0] ? ": " : "",
			strerror(-record->error));
		REMEDY(e, "the kernel log says more (dmesg)");
		break;
	default:
		MESSAGE(e, "%s was refused: %s (reason %u)", e->what,
			strerror(record->error ? -record->error : EIO), record->reason);
		REMEDY(e, "the module is newer than this library, which doesn't know that reason");
	}
}

int devirt_explain_record(int device, const struct devirt_record *record,
			  char **message, char **remedy)
{
	struct explanation e = {
		.record = record,
		.device = device,
		.message = message,
		.remedy = remedy,
	};
	char *what;

	*message = NULL;
	*remedy = NULL;
	what = devirt_describe_record(record);
	if (!what)
		return -ENOMEM;
	e.what = what;
	memcpy(e.detail, record->detail, sizeof(e.detail));
	e.detail[sizeof(e.detail) - 1] = '\0';
	if (record->reason >= DEVIRT_REASON_NO_DEVICE && record->reason <= DEVIRT_REASON_IRQ_CPU)
		explain_device(&e);
	else if (record->reason >= DEVIRT_REASON_NOT_PF &&
		 record->reason <= DEVIRT_REASON_POOL_SIZE)
		explain_vf(&e);
	else if (record->reason >= DEVIRT_REASON_NO_PARENT &&
		 record->reason <= DEVIRT_REASON_MDEV_FAILED)
		explain_mdev(&e);
	else
		explain_rest(&e);
	free(what);
	return *message ? 0 : -ENOMEM;
}
