// SPDX-License-Identifier: LGPL-2.1-or-later
/* Building descriptions: arrays of struct devirt_record. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "libdevirt.h"

static struct devirt_record *add(struct devirt_records *records, uint32_t kind, int *index)
{
	struct devirt_record *record;

	if (records->count >= DEVIRT_RECORDS_MAX) {
		*index = -E2BIG;
		return NULL;
	}
	if (records->count == records->space) {
		uint32_t space = records->space ? records->space * 2 : 16;
		struct devirt_record *v = reallocarray(records->v, space, sizeof(*v));

		if (!v) {
			*index = -ENOMEM;
			return NULL;
		}
		records->v = v;
		records->space = space;
	}
	*index = records->count++;
	record = &records->v[*index];
	/* the contract wants zero in all that a kind doesn't use */
	memset(record, 0, sizeof(*record));
	record->kind = kind;
	record->node = DEVIRT_NODE_ANY;
	return record;
}

int devirt_records_add_pci(struct devirt_records *records, const struct devirt_pci_addr *addr)
{
	struct devirt_record *record;
	int index;

	record = add(records, DEVIRT_KIND_PCI, &index);
	if (record)
		record->pci.addr = *addr;
	return index;
}

int devirt_records_add_vf(struct devirt_records *records, const struct devirt_pci_addr *pf,
			  uint32_t vf, uint32_t pool)
{
	struct devirt_record *record;
	int index;

	record = add(records, DEVIRT_KIND_VF, &index);
	if (record) {
		record->vf.pf = *pf;
		record->vf.index = vf;
		record->vf.pool = pool;
	}
	return index;
}

int devirt_records_add_mdev(struct devirt_records *records, const char *parent,
			    const char *type, const uint8_t *uuid)
{
	struct devirt_record *record;
	int index;

	if (strlen(parent) >= DEVIRT_MDEV_MAX || strlen(type) >= DEVIRT_MDEV_MAX)
		return -ENAMETOOLONG;
	record = add(records, DEVIRT_KIND_MDEV, &index);
	if (record) {
		strcpy(record->mdev.parent, parent);
		strcpy(record->mdev.type, type);
		if (uuid)
			memcpy(record->mdev.uuid, uuid, sizeof(record->mdev.uuid));
	}
	return index;
}

int devirt_records_add_memory(struct devirt_records *records, int node,
			      uint64_t page_size, uint64_t pages)
{
	struct devirt_record *record;
	int index;

	record = add(records, DEVIRT_KIND_MEMORY, &index);
	if (record) {
		record->node = node;
		record->memory.page_size = page_size;
		record->memory.pages = pages;
	}
	return index;
}

int devirt_records_add_cpu(struct devirt_records *records, uint32_t cpu, uint32_t role,
			   uint32_t vcpu, uint32_t flags)
{
	struct devirt_record *record;
	int index;

	record = add(records, DEVIRT_KIND_CPU, &index);
	if (record) {
		record->flags = flags;
		record->cpu.cpu = cpu;
		record->cpu.role = role;
		record->cpu.vcpu = vcpu;
	}
	return index;
}

void devirt_records_clear(struct devirt_records *records)
{
	free(records->v);
	memset(records, 0, sizeof(*records));
}
