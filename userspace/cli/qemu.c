// SPDX-License-Identifier: GPL-2.0
/* What a lease means as QEMU's options. Only what the lease decides: devices,
 * memory, and how the vCPUs are arranged; machine, accelerator and CPU model
 * are the user's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "lease.h"

#define GUEST_NODES	64

/* The guest's arrangement, as it follows from the host's. */
struct arrangement {
	unsigned int vcpus;
	unsigned int threads;
	unsigned int sockets;
	const struct devirt_record **vcpu;	/* by number */
	const struct devirt_record *memory[GUEST_NODES];
	unsigned int memories;
};

int words_add(struct words *words, const char *format, ...)
{
	char **v = reallocarray(words->v, words->count + 2, sizeof(*v));
	va_list args;
	int ret;

	if (!v)
		return -ENOMEM;
	words->v = v;
	va_start(args, format);
	ret = vasprintf(&v[words->count], format, args);
	va_end(args);
	if (ret < 0) {
		v[words->count] = NULL;
		return -ENOMEM;
	}
	v[++words->count] = NULL;
	return 0;
}

void words_free(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->v[i]);
	free(words->v);
	memset(words, 0, sizeof(*words));
}

static const struct devirt_core *core_of(const struct devirt_topology *topology,
					 const struct devirt_record *record)
{
	return record ? devirt_topology_core_of(topology, record->cpu.cpu) : NULL;
}

/* Pairs of vCPUs on one core are told as threads, so that the guest's scheduler
 * knows what it shares.
 */
static unsigned int find_threads(const struct arrangement *a,
				 const struct devirt_topology *topology)
{
	if (!a->vcpus || a->vcpus % 2)
		return 1;
	for (unsigned int i = 0; i < a->vcpus; i += 2) {
		const struct devirt_core *core = core_of(topology, a->vcpu[i]);

		if (!core || core != core_of(topology, a->vcpu[i + 1]))
			return 1;
	}
	return 2;
}

static int guest_node(const struct arrangement *a, const struct devirt_topology *topology,
		      unsigned int vcpu)
{
	const struct devirt_core *core = core_of(topology, a->vcpu[vcpu]);

	for (unsigned int i = 0; core && i < a->memories; i++)
		if (a->memory[i]->node == core->node)
			return i;
	return 0;
}

/*
 * Several sockets only where each has as many cores, and a power of two of
 * them: a vCPU's id, by which the kernel pins it, is its APIC id, and only then
 * these have no gaps.
 */
static unsigned int find_sockets(const struct arrangement *a,
				 const struct devirt_topology *topology)
{
	unsigned int share;

	if (a->memories < 2 || a->vcpus % a->memories)
		return 1;
	share = a->vcpus / a->memories;
	if (share < a->threads || share & (share - 1))
		return 1;
	for (unsigned int i = 0; i < a->vcpus; i++)
		if (guest_node(a, topology, i) != (int)(i / share))
			return 1;
	return a->memories;
}

static int arrange(struct arrangement *a, const struct devirt_records *records,
		   const struct devirt_topology *topology)
{
	memset(a, 0, sizeof(*a));
	a->vcpu = calloc(records->count + 1, sizeof(*a->vcpu));
	if (!a->vcpu)
		return -ENOMEM;
	for (uint32_t i = 0; i < records->count; i++) {
		const struct devirt_record *record = &records->v[i];

		if (record->kind == DEVIRT_KIND_MEMORY && a->memories < GUEST_NODES)
			a->memory[a->memories++] = record;
		if (record->kind != DEVIRT_KIND_CPU || record->cpu.role != DEVIRT_ROLE_VCPU)
			continue;
		a->vcpus++;
		if (record->cpu.vcpu < records->count)
			a->vcpu[record->cpu.vcpu] = record;
	}
	a->threads = find_threads(a, topology);
	a->sockets = find_sockets(a, topology);
	return 0;
}

static unsigned long long bytes_of(const struct devirt_record *record)
{
	return record->memory.page_size * record->memory.pages;
}

/* QEMU takes sizes with a unit; whole pages are whole mebibytes at least. */
static char *mebibytes(unsigned long long bytes)
{
	char *text;

	return asprintf(&text, "%lluM", bytes >> 20) < 0 ? NULL : text;
}

/* "0-3,8": the vCPUs of a guest's node, as several cpus= options. */
static int add_node(struct words *words, const struct arrangement *a,
		    const struct devirt_topology *topology, unsigned int node)
{
	char *text = NULL;
	unsigned int i, last;
	size_t size;
	FILE *file;
	int ret;

	file = open_memstream(&text, &size);
	if (!file)
		return -ENOMEM;
	fprintf(file, "node,nodeid=%u", node);
	for (i = 0; i < a->vcpus; i = last + 1) {
		last = i;
		if (guest_node(a, topology, i) != (int)node)
			continue;
		while (last + 1 < a->vcpus && guest_node(a, topology, last + 1) == (int)node)
			last++;
		if (last > i)
			fprintf(file, ",cpus=%u-%u", i, last);
		else
			fprintf(file, ",cpus=%u", i);
	}
	fprintf(file, ",memdev=devirt-mem%u", node);
	fclose(file);
	ret = words_add(words, "-numa");
	if (!ret)
		ret = words_add(words, "%s", text);
	free(text);
	return ret;
}

static int add_memory(struct words *words, const struct arrangement *a,
		      const struct devirt_topology *topology)
{
	unsigned long long total = 0;
	int ret;

	for (unsigned int i = 0; i < a->memories; i++)
		total += bytes_of(a->memory[i]);
	ret = words_add(words, "-m");
	if (!ret)
		ret = words_add(words, "%lluM", total >> 20);
	for (unsigned int i = 0; i < a->memories && !ret; i++) {
		const struct devirt_record *record = a->memory[i];
		char *page = size_text(record->memory.page_size);
		char where[64] = "";

		if (record->node != DEVIRT_NODE_ANY)
			snprintf(where, sizeof(where), ",host-nodes=%d,policy=bind", record->node);
		ret = page ? words_add(words, "-object") : -ENOMEM;
		if (!ret)
			ret = words_add(words, "memory-backend-memfd,id=devirt-mem%u,size=%lluM,hugetlb=on,hugetlbsize=%s,prealloc=on%s",
					i, bytes_of(record) >> 20, page, where);
		free(page);
	}
	if (ret)
		return ret;
	if (a->memories == 1) {
		ret = words_add(words, "-machine");
		return ret ? ret : words_add(words, "memory-backend=devirt-mem0");
	}
	for (unsigned int i = 0; i < a->memories && !ret; i++)
		ret = add_node(words, a, topology, i);
	return ret;
}

/* The address of a function; false for a VF that isn't chosen yet. */
static bool address_of(const struct devirt_record *record, char text[DEVIRT_ADDR_TEXT])
{
	static const struct devirt_pci_addr none;
	struct devirt_pci_addr addr;

	if (record->kind == DEVIRT_KIND_PCI) {
		devirt_addr_format(&record->pci.addr, text);
		return true;
	}
	addr = record->vf.addr;
	if (devirt_addr_equal(&addr, &none) &&
	    (record->vf.index == DEVIRT_VF_ANY ||
	     devirt_device_vf(&record->vf.pf, record->vf.index, &addr)))
		return false;
	devirt_addr_format(&addr, text);
	return true;
}

/* How a VMM is told which device: its property, and its value. False for one that
 * isn't made yet, or not chosen.
 */
static bool device_of(const struct devirt_record *record, const char **property, char text[96])
{
	char uuid[DEVIRT_UUID_TEXT];

	if (record->kind == DEVIRT_KIND_MDEV) {
		*property = "sysfsdev";
		snprintf(text, 96, "/sys/bus/mdev/devices/%s",
			 devirt_uuid_format(record->mdev.uuid, uuid));
		return !devirt_uuid_is_null(record->mdev.uuid);
	}
	*property = "host";
	return address_of(record, text);
}

/* What QEMU calls the device. */
static void device_name(const struct devirt_record *record, char name[32])
{
	struct devirt_mdev_type type;

	/* of mediated devices there are some that aren't PCI's */
	if (record->kind == DEVIRT_KIND_MDEV &&
	    !devirt_mdev_read_type(record->mdev.parent, record->mdev.type, &type) &&
	    !strncmp(type.api, "vfio-", 5))
		snprintf(name, 32, "%s", type.api);
	else
		snprintf(name, 32, "vfio-pci");
}

static int add_devices(struct words *words, const struct devirt_records *records,
		       const char *const *sections)
{
	char value[96], name[32];
	const char *property;
	unsigned int unnamed = 0;
	int ret = 0;

	for (uint32_t i = 0; i < records->count && !ret; i++) {
		const struct devirt_record *record = &records->v[i];

		if (record->kind != DEVIRT_KIND_PCI && record->kind != DEVIRT_KIND_VF &&
		    record->kind != DEVIRT_KIND_MDEV)
			continue;
		if (!device_of(record, &property, value))
			return fail(EXIT_REFUSED, &(struct problem){ .error = ENXIO,
				    .record = i + 1, .remedy = "'devirt create' or 'devirt run' it" },
				    record->kind == DEVIRT_KIND_VF ?
				    "'%s' is a VF that is chosen when it is leased: its address isn't known yet" :
				    "'%s' is made when it is leased: its UUID isn't known yet",
				    sections[i] ? sections[i] : "?");
		device_name(record, name);
		ret = words_add(words, "-device");
		if (!ret && sections[i])
			ret = words_add(words, "%s,%s=%s,id=%s", name, property, value, sections[i]);
		else if (!ret)
			ret = words_add(words, "%s,%s=%s,id=devirt-dev%u", name, property, value,
					unnamed++);
	}
	return ret ? fail_memory() : 0;
}

int qemu_options(struct words *words, const struct devirt_records *records,
		 const char *const *sections, const struct devirt_topology *topology)
{
	struct arrangement a;
	int ret;

	if (arrange(&a, records, topology))
		return fail_memory();
	ret = 0;
	if (a.vcpus) {
		ret = words_add(words, "-smp");
		if (!ret)
			ret = words_add(words, "%u,sockets=%u,cores=%u,threads=%u", a.vcpus,
					a.sockets, a.vcpus / a.sockets / a.threads, a.threads);
	}
	if (!ret && a.memories)
		ret = add_memory(words, &a, topology);
	ret = ret ? fail_memory() : add_devices(words, records, sections);
	free(a.vcpu);
	return ret;
}

char *qemu_value(const struct devirt_records *records, const char *const *sections,
		 const char *key)
{
	unsigned long long bytes = 0;
	const char *property;
	unsigned int vcpus = 0;
	char value[96];
	char *text;

	for (uint32_t i = 0; i < records->count; i++) {
		const struct devirt_record *record = &records->v[i];

		if (record->kind == DEVIRT_KIND_MEMORY)
			bytes += bytes_of(record);
		else if (record->kind == DEVIRT_KIND_CPU)
			vcpus += record->cpu.role == DEVIRT_ROLE_VCPU;
		else if (sections[i] && !strcmp(sections[i], key))
			return strdup(device_of(record, &property, value) ? value : "");
	}
	if (!strcmp(key, "memory") && bytes)
		return mebibytes(bytes);
	if (!strcmp(key, "cpus") && vcpus)
		return asprintf(&text, "%u", vcpus) < 0 ? NULL : text;
	return NULL;
}
