// SPDX-License-Identifier: LGPL-2.1-or-later
/* Cores and nodes, through hwloc. */
#define _GNU_SOURCE
#include <errno.h>
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libdevirt.h"
#include "sysfs.h"

struct devirt_topology {
	hwloc_topology_t hwloc;
	struct devirt_core *cores;
	size_t core_count;
	int *nodes;
	size_t node_count;
	bool is_host;
};

/* The first node whose memory is local. hwloc reports none where sysfs has no
 * nodes at all; then all is node 0.
 */
static int node_of(hwloc_const_nodeset_t nodeset)
{
	int node = nodeset ? hwloc_bitmap_first(nodeset) : 0;

	return node < 0 ? 0 : node;
}

static int by_first_cpu(const void *a, const void *b)
{
	const struct devirt_core *left = a, *right = b;

	return (left->cpus[0] > right->cpus[0]) - (left->cpus[0] < right->cpus[0]);
}

static void add_core(struct devirt_topology *topology, hwloc_obj_t obj)
{
	struct devirt_core *core = &topology->cores[topology->core_count];
	int cpu;

	memset(core, 0, sizeof(*core));
	core->node = node_of(obj->nodeset);
	hwloc_bitmap_foreach_begin(cpu, obj->cpuset) {
		if (core->count < DEVIRT_CORE_THREADS)
			core->cpus[core->count++] = cpu;
	} hwloc_bitmap_foreach_end();
	if (core->count)
		topology->core_count++;
}

static int read_cores(struct devirt_topology *topology)
{
	hwloc_obj_type_t type = HWLOC_OBJ_CORE;
	int count = hwloc_get_nbobjs_by_type(topology->hwloc, type);
	hwloc_obj_t obj = NULL;

	/* some virtual machines tell of no cores: each CPU is one then */
	if (count <= 0) {
		type = HWLOC_OBJ_PU;
		count = hwloc_get_nbobjs_by_type(topology->hwloc, type);
	}
	if (count <= 0)
		return -ENODATA;
	topology->cores = calloc(count, sizeof(*topology->cores));
	if (!topology->cores)
		return -ENOMEM;
	while ((obj = hwloc_get_next_obj_by_type(topology->hwloc, type, obj)))
		add_core(topology, obj);
	qsort(topology->cores, topology->core_count, sizeof(*topology->cores), by_first_cpu);
	return topology->core_count ? 0 : -ENODATA;
}

static int read_nodes(struct devirt_topology *topology)
{
	int count = hwloc_get_nbobjs_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE);
	hwloc_obj_t obj = NULL;

	if (count < 1)
		count = 1;
	topology->nodes = calloc(count, sizeof(*topology->nodes));
	if (!topology->nodes)
		return -ENOMEM;
	while ((obj = hwloc_get_next_obj_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE, obj))) {
		size_t at = topology->node_count++;

		/* by number, whatever order hwloc has them in */
		for (; at && topology->nodes[at - 1] > (int)obj->os_index; at--)
			topology->nodes[at] = topology->nodes[at - 1];
		topology->nodes[at] = obj->os_index;
	}
	if (!topology->node_count)
		topology->node_count = 1;
	return 0;
}

int devirt_topology_load(struct devirt_topology **result, const char *file)
{
	static const char synthetic[] = "synthetic:";
	struct devirt_topology *topology;
	int ret;

	*result = NULL;
	topology = calloc(1, sizeof(*topology));
	if (!topology)
		return -ENOMEM;
	if (hwloc_topology_init(&topology->hwloc)) {
		free(topology);
		return -ENOMEM;
	}
	ret = -EINVAL;
	if (file && !strncmp(file, synthetic, sizeof(synthetic) - 1)) {
		if (hwloc_topology_set_synthetic(topology->hwloc, file + sizeof(synthetic) - 1))
			goto fail;
	} else if (file) {
		if (hwloc_topology_set_xml(topology->hwloc, file))
			goto fail;
		/* a host's PCI functions come from sysfs, a file's from the file */
		hwloc_topology_set_io_types_filter(topology->hwloc,
						   HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
	}
	if (hwloc_topology_load(topology->hwloc))
		goto fail;
	topology->is_host = hwloc_topology_is_thissystem(topology->hwloc);
	ret = read_cores(topology);
	if (!ret)
		ret = read_nodes(topology);
	if (ret)
		goto fail;
	*result = topology;
	return 0;
fail:
	devirt_topology_free(topology);
	return ret;
}

void devirt_topology_free(struct devirt_topology *topology)
{
	if (!topology)
		return;
	hwloc_topology_destroy(topology->hwloc);
	free(topology->cores);
	free(topology->nodes);
	free(topology);
}

bool devirt_topology_is_host(const struct devirt_topology *topology)
{
	return topology->is_host;
}

const struct devirt_core *devirt_topology_cores(const struct devirt_topology *topology,
						size_t *count)
{
	*count = topology->core_count;
	return topology->cores;
}

const struct devirt_core *devirt_topology_core_of(const struct devirt_topology *topology,
						  unsigned int cpu)
{
	for (size_t i = 0; i < topology->core_count; i++)
		for (unsigned int k = 0; k < topology->cores[i].count; k++)
			if (topology->cores[i].cpus[k] == cpu)
				return &topology->cores[i];
	return NULL;
}

const int *devirt_topology_nodes(const struct devirt_topology *topology, size_t *count)
{
	*count = topology->node_count;
	return topology->nodes;
}

uint64_t devirt_topology_node_memory(const struct devirt_topology *topology, int node)
{
	hwloc_obj_t obj = NULL;

	while ((obj = hwloc_get_next_obj_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE, obj)))
		if ((int)obj->os_index == node)
			return obj->attr->numanode.local_memory;
	return 0;
}

int devirt_topology_pci_node(const struct devirt_topology *topology,
			     const struct devirt_pci_addr *addr)
{
	char text[DEVIRT_ADDR_TEXT];
	long long node;
	hwloc_obj_t obj;

	devirt_addr_format(addr, text);
	if (topology->is_host) {
		if (dv_read_number(&node, "/sys/bus/pci/devices/%s/numa_node", text) || node < 0)
			return DEVIRT_NODE_ANY;
		return node;
	}
	obj = hwloc_get_pcidev_by_busid(topology->hwloc, addr->domain, addr->bus,
					addr->devfn >> 3, addr->devfn & 7);
	obj = obj ? hwloc_get_non_io_ancestor_obj(topology->hwloc, obj) : NULL;
	/* below the whole machine it is as near to all nodes */
	if (!obj || hwloc_bitmap_weight(obj->nodeset) != 1)
		return DEVIRT_NODE_ANY;
	return node_of(obj->nodeset);
}

int devirt_node_pages(int node, uint64_t page_size, uint64_t *total, uint64_t *available)
{
	unsigned long long kib = page_size / 1024;
	long long all, unused;
	char dir[128];

	if (node == DEVIRT_NODE_ANY)
		snprintf(dir, sizeof(dir), "/sys/kernel/mm/hugepages/hugepages-%llukB", kib);
	else
		snprintf(dir, sizeof(dir),
			 "/sys/devices/system/node/node%d/hugepages/hugepages-%llukB", node, kib);
	if (dv_read_number(&all, "%s/nr_hugepages", dir) ||
	    dv_read_number(&unused, "%s/free_hugepages", dir))
		return -ENOENT;
	if (total)
		*total = all;
	if (available)
		*available = unused;
	return 0;
}

int devirt_node_free_memory(int node, uint64_t *bytes)
{
	char text[4096], *line;
	unsigned long long kib;
	int ret;

	*bytes = 0;
	ret = dv_read(text, sizeof(text), "/sys/devices/system/node/node%d/meminfo", node);
	if (ret < 0)
		ret = dv_read(text, sizeof(text), "/proc/meminfo");
	if (ret < 0)
		return ret;
	line = strstr(text, "MemFree:");
	if (!line || sscanf(line, "MemFree: %llu", &kib) != 1)
		return -EPROTO;
	*bytes = kib * 1024;
	return 0;
}
