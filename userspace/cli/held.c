// SPDX-License-Identifier: GPL-2.0
/* What all partitions hold now. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "held.h"

static int read_one(struct held_partition *partition, int device, const char *name)
{
	int fd, ret;

	fd = devirt_open_partition(device, name, DEVIRT_OPEN_OBSERVE);
	if (fd < 0)
		return fd;
	ret = devirt_get_partition(fd, &partition->get, &partition->records);
	close(fd);
	return ret;
}

int held_read(struct held *held, int device)
{
	char **names;
	size_t count;
	int ret;

	memset(held, 0, sizeof(*held));
	if (device < 0)
		return 0;
	ret = devirt_list_partitions(&names, &count);
	if (ret)
		return ret;
	held->v = calloc(count + 1, sizeof(*held->v));
	if (!held->v)
		ret = -ENOMEM;
	for (size_t i = 0; i < count && !ret; i++) {
		ret = read_one(&held->v[held->count], device, names[i]);
		if (!ret)
			held->count++;
		else if (ret == -ENOENT || ret == -ENXIO)
			ret = 0;
	}
	devirt_free_names(names, count);
	if (ret)
		held_free(held);
	return ret;
}

void held_free(struct held *held)
{
	for (size_t i = 0; i < held->count; i++)
		devirt_records_clear(&held->v[i].records);
	free(held->v);
	memset(held, 0, sizeof(*held));
}

static bool given_back(const struct devirt_record *record)
{
	return record->state == DEVIRT_STATE_RELEASED;
}

const char *held_cpu(const struct held *held, unsigned int cpu)
{
	for (size_t i = 0; i < held->count; i++) {
		const struct devirt_records *records = &held->v[i].records;

		for (uint32_t k = 0; k < records->count; k++)
			if (records->v[k].kind == DEVIRT_KIND_CPU &&
			    records->v[k].cpu.cpu == cpu && !given_back(&records->v[k]))
				return held->v[i].get.name;
	}
	return NULL;
}

const char *held_function(const struct held *held, const struct devirt_pci_addr *addr)
{
	for (size_t i = 0; i < held->count; i++) {
		const struct devirt_records *records = &held->v[i].records;

		for (uint32_t k = 0; k < records->count; k++) {
			const struct devirt_record *record = &records->v[k];

			if (given_back(record))
				continue;
			if ((record->kind == DEVIRT_KIND_PCI &&
			     devirt_addr_equal(&record->pci.addr, addr)) ||
			    (record->kind == DEVIRT_KIND_VF &&
			     devirt_addr_equal(&record->vf.addr, addr)))
				return held->v[i].get.name;
		}
	}
	return NULL;
}

unsigned int held_vfs(const struct held *held, const struct devirt_pci_addr *pf)
{
	unsigned int count = 0;

	for (size_t i = 0; i < held->count; i++) {
		const struct devirt_records *records = &held->v[i].records;

		for (uint32_t k = 0; k < records->count; k++)
			count += records->v[k].kind == DEVIRT_KIND_VF &&
				 devirt_addr_equal(&records->v[k].vf.pf, pf) &&
				 !given_back(&records->v[k]);
	}
	return count;
}

unsigned int held_mdevs(const struct held_partition *partition,
			const struct devirt_mdev_type *type)
{
	unsigned int count = 0;

	for (uint32_t i = 0; i < partition->records.count; i++) {
		const struct devirt_record *record = &partition->records.v[i];

		count += record->kind == DEVIRT_KIND_MDEV && !given_back(record) &&
			 !strcmp(record->mdev.parent, type->parent) &&
			 !strcmp(record->mdev.type, type->type);
	}
	return count;
}
