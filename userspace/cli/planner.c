// SPDX-License-Identifier: GPL-2.0
/* The plan: devices, memory, and where all of it should be near to. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/sysfs.h"
#include "cli.h"
#include "planner.h"

void plan_note(struct plan *plan, const char *format, ...)
{
	char **notes = reallocarray(plan->notes, plan->note_count + 1, sizeof(*notes));
	va_list args;
	char *text;

	if (!notes)
		return;
	plan->notes = notes;
	va_start(args, format);
	if (vasprintf(&text, format, args) >= 0)
		notes[plan->note_count++] = text;
	va_end(args);
}

int plan_item(struct plan *plan, int index, const char *section, int node,
	      const char *format, ...)
{
	struct plan_item *item;
	va_list args;
	int ret;

	if (index == -E2BIG)
		return fail(EXIT_USAGE, &(struct problem){ .error = E2BIG,
			    .file = plan->config->path },
			    "more than %d resources in one partition", DEVIRT_RECORDS_MAX);
	if (index < 0)
		return fail_memory();
	if ((size_t)index >= plan->item_space) {
		size_t space = plan->item_space ? plan->item_space * 2 : 32;
		struct plan_item *items = reallocarray(plan->items, space, sizeof(*items));

		if (!items)
			return fail_memory();
		memset(items + plan->item_space, 0, (space - plan->item_space) * sizeof(*items));
		plan->items = items;
		plan->item_space = space;
	}
	item = &plan->items[index];
	item->node = node;
	item->section = strdup(section);
	va_start(args, format);
	ret = vasprintf(&item->why, format, args);
	va_end(args);
	if (ret < 0)
		item->why = NULL;
	return item->section && item->why ? 0 : fail_memory();
}

int plan_fail(const struct plan *plan, int line, const char *remedy, const char *format, ...)
{
	struct problem problem = { .file = plan->config->path, .line = line, .remedy = remedy };
	char *message;
	va_list args;
	int status;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	va_end(args);
	status = message ? fail(EXIT_REFUSED, &problem, "%s", message) : fail_memory();
	free(message);
	return status;
}

/* ---------------------------------------------------------------- devices */

/* The function that a section names. On another machine's topology there is no
 * sysfs to look names up in.
 */
static int resolve(const struct plan *plan, const struct config_device *device,
		   struct devirt_pci_addr *addr, struct devirt_device *found)
{
	char text[DEVIRT_ADDR_TEXT];
	int ret;

	memset(found, 0, sizeof(*found));
	*addr = device->addr;
	if (!devirt_topology_is_host(plan->topology)) {
		if (device->netif)
			return plan_fail(plan, device->addr_line, "give its PCI address",
					 "the interface %s can't be looked up on another machine",
					 device->netif);
		return 0;
	}
	if (device->netif) {
		ret = devirt_device_by_netif(device->netif, addr);
		if (ret)
			return plan_fail(plan, device->addr_line,
					 "give its PCI address: a function that is leased has no interface",
					 "there is no network interface %s with a PCI function",
					 device->netif);
	}
	ret = devirt_device_read(addr, found);
	if (ret)
		return plan_fail(plan, device->addr_line, "'devirt devices' lists them",
				 "%s: there is no such PCI function",
				 devirt_addr_format(addr, text));
	return 0;
}

static int near_device(struct plan *plan, const struct config_device *device)
{
	struct devirt_pci_addr addr;
	struct devirt_device found;
	int status;

	if (device->is_mdev) {
		plan->near = plan_mdev_node(plan, device);
	} else {
		status = resolve(plan, device, &addr, &found);
		if (status)
			return status;
		plan->near = devirt_topology_pci_node(plan->topology, &addr);
	}
	if (plan->near != DEVIRT_NODE_ANY &&
	    asprintf(&plan->near_why, "near %s", device->name) < 0)
		return fail_memory();
	return 0;
}

static bool node_exists(const struct plan *plan, int node)
{
	const int *nodes;
	size_t count;

	nodes = devirt_topology_nodes(plan->topology, &count);
	for (size_t i = 0; i < count; i++)
		if (nodes[i] == node)
			return true;
	return false;
}

/* What the CPUs and the memory should be near to: what is said, else the first
 * device.
 */
static int find_near(struct plan *plan)
{
	const struct config *config = plan->config;

	plan->near = DEVIRT_NODE_ANY;
	if (config->cpus.line && config->cpus.node != CONFIG_UNSET) {
		if (!node_exists(plan, config->cpus.node))
			return plan_fail(plan, config->cpus.node_line, NULL,
					 "there is no node %d", config->cpus.node);
		plan->near = config->cpus.node;
		plan->near_why = strdup("node= says so");
		return plan->near_why ? 0 : fail_memory();
	}
	if (config->cpus.near)
		return near_device(plan, config_device(config, config->cpus.near));
	if (config->device_count)
		return near_device(plan, &config->devices[0]);
	return 0;
}

static void device_why(const struct devirt_device *found, bool is_host, char text[192])
{
	if (!is_host)
		snprintf(text, 192, "named in the file");
	else if (found->names[0])
		snprintf(text, 192, "named in the file: %s %.100s (%.31s)", found->kind,
			 found->names, found->driver);
	else
		snprintf(text, 192, "named in the file: %s (%s)", found->kind,
			 found->driver[0] ? found->driver : "no driver");
}

/* One function by its address and by its interface is still one. */
static int find_doubles(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->records.count; i++) {
		const struct devirt_record *record = &plan->records.v[i];
		const struct config_device *device;

		for (uint32_t k = 0; k < i; k++) {
			const struct devirt_record *other = &plan->records.v[k];

			/* functions are before VFs in the array */
			if (other->kind != DEVIRT_KIND_PCI ||
			    (record->kind != DEVIRT_KIND_PCI && record->kind != DEVIRT_KIND_VF) ||
			    !devirt_addr_equal(&other->pci.addr, record->kind == DEVIRT_KIND_PCI ?
					       &record->pci.addr : &record->vf.pf))
				continue;
			device = config_device(plan->config, plan->items[i].section);
			return plan_fail(plan, device ? device->addr_line : 0, "name it once",
					 "[device %s] names that function already",
					 plan->items[k].section);
		}
	}
	return 0;
}

/* The CPU that a vCPU runs on, or one that was named: it must be ours. */
static int plan_irq(struct plan *plan, const struct config_device *device,
		    struct devirt_irq *irq)
{
	unsigned int vcpus = 0, cpus[CONFIG_CPUS_MAX], count = 0;
	char *list;
	int status;

	*irq = device->irq;
	if (irq->policy != DEVIRT_IRQ_FIXED)
		return 0;
	for (uint32_t i = 0; i < plan->records.count; i++) {
		const struct devirt_record *record = &plan->records.v[i];

		if (record->kind != DEVIRT_KIND_CPU)
			continue;
		vcpus += record->cpu.role == DEVIRT_ROLE_VCPU;
		if (count < ARRAY_SIZE(cpus))
			cpus[count++] = record->cpu.cpu;
		if (device->irq_is_vcpu ? record->cpu.role == DEVIRT_ROLE_VCPU &&
					  record->cpu.vcpu == device->irq.cpu :
					  record->cpu.cpu == device->irq.cpu) {
			irq->cpu = record->cpu.cpu;
			return 0;
		}
	}
	if (device->irq_is_vcpu)
		return plan_fail(plan, device->irq_line, "vCPUs are counted from 0",
				 "irqs=vcpu%u, but this partition has %u vCPU%s", device->irq.cpu,
				 vcpus, vcpus == 1 ? "" : "s");
	list = list_text(cpus, count);
	status = plan_fail(plan, device->irq_line,
			   "take one of them, or name a vCPU: irqs=vcpu0",
			   "irqs=%u, but CPU %u isn't one of this partition's, which are %s",
			   device->irq.cpu, device->irq.cpu, list ? list : "others");
	free(list);
	return status;
}

/* How many VFs to make is said once for a function, by any of its sections. */
static int plan_pools(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->records.count; i++) {
		struct devirt_record *record = &plan->records.v[i];
		const struct config_device *device;
		unsigned int wanted = 0;
		uint32_t pool;

		if (record->kind != DEVIRT_KIND_VF)
			continue;
		device = config_device(plan->config, plan->items[i].section);
		pool = record->vf.pool;
		if (!pool || !device)
			continue;
		for (uint32_t k = 0; k < plan->records.count; k++) {
			struct devirt_record *other = &plan->records.v[k];

			if (other->kind != DEVIRT_KIND_VF ||
			    !devirt_addr_equal(&other->vf.pf, &record->vf.pf))
				continue;
			wanted++;
			if (other->vf.pool && other->vf.pool != pool)
				return plan_fail(plan, device->pool_line, "say pool= once",
						 "pool=%u, but [vf %s] says %u for the same function",
						 pool, plan->items[k].section, other->vf.pool);
			other->vf.pool = pool;
		}
		if (pool < wanted)
			return plan_fail(plan, device->pool_line, "make it larger",
					 "pool=%u is less than the %u VFs that are asked for", pool,
					 wanted);
	}
	return 0;
}

/* What the VFs offer, by name and number; NULL if nothing; free() */
static char *vgpu_offer(const struct devirt_pci_addr *pf)
{
	struct devirt_vgpu_type *types;
	char *text = NULL;
	size_t count;

	devirt_vgpu_types(pf, &types, &count);
	for (size_t i = 0; i < count; i++)
		dv_append(&text, "%s%s (%u)", text ? ", " : "", types[i].name, types[i].id);
	free(types);
	return text;
}

/* Has any VF another driver than vfio-pci, or none? */
static bool vf_unlike_vfio(const struct devirt_pci_addr *pf)
{
	struct devirt_device vf;
	struct devirt_pci_addr addr;

	for (unsigned int i = 0; !devirt_device_vf(pf, i, &addr); i++)
		if (!devirt_device_read(&addr, &vf) && strcmp(vf.driver, "vfio-pci"))
			return true;
	return false;
}

static int fail_vgpu(const struct plan *plan, const struct config_device *device,
		     const struct devirt_pci_addr *pf)
{
	char *there, *remedy = NULL, addr[DEVIRT_ADDR_TEXT];
	struct devirt_pci_addr vf;
	int status;

	devirt_addr_format(pf, addr);
	if (devirt_device_vf(pf, 0, &vf))
		return plan_fail(plan, device->vgpu_line,
				 "make its VFs first, or say the type's number",
				 "vgpu-type=%s: no VF of %s offers that", device->vgpu, addr);
	if (!vf_unlike_vfio(pf))
		return plan_fail(plan, device->vgpu_line, "say the type's number",
				 "vgpu-type=%s: the name can't be looked up now: all VFs of %s are with vfio-pci, and only the vendor's driver tells it",
				 device->vgpu, addr);
	there = vgpu_offer(pf);
	if (!there)
		return plan_fail(plan, device->vgpu_line, "say the type's number",
				 "vgpu-type=%s: the name can't be looked up now: the VFs of %s offer no type, since the card is full or their driver makes no vGPUs",
				 device->vgpu, addr);
	dv_append(&remedy, "they offer %s; the card may have no room for this one now", there);
	status = plan_fail(plan, device->vgpu_line, remedy, "vgpu-type=%s: no VF of %s offers that",
			   device->vgpu, addr);
	free(remedy);
	free(there);
	return status;
}

/* A type's name means what the card's VFs call so, so there must be some. */
static int plan_vgpu(struct plan *plan, const struct config_device *device,
		     const struct devirt_pci_addr *pf, struct devirt_record *record)
{
	unsigned int id = 0;

	if (!device->vgpu)
		return 0;
	if (devirt_vgpu_type(pf, device->vgpu, &id))
		return fail_vgpu(plan, device, pf);
	record->vf.settings.gpu.type = id;
	return 0;
}

static int plan_devices(struct plan *plan, bool vfs)
{
	bool is_host = devirt_topology_is_host(plan->topology);

	for (size_t i = 0; i < plan->config->device_count; i++) {
		const struct config_device *device = &plan->config->devices[i];
		struct devirt_pci_addr addr;
		struct devirt_device found;
		struct devirt_irq irq;
		int index, node, status;
		char why[192];

		if (device->is_mdev || device->is_vf != vfs)
			continue;
		status = resolve(plan, device, &addr, &found);
		if (!status)
			status = plan_irq(plan, device, &irq);
		if (status)
			return status;
		node = devirt_topology_pci_node(plan->topology, &addr);
		device_why(&found, is_host, why);
		if (vfs)
			index = devirt_records_add_vf(&plan->records, &addr, device->index,
						      device->pool);
		else
			index = devirt_records_add_pci(&plan->records, &addr);
		if (index >= 0 && vfs) {
			plan->records.v[index].vf.irq = irq;
			plan->records.v[index].vf.settings = device->settings;
			status = plan_vgpu(plan, device, &addr, &plan->records.v[index]);
			if (status)
				return status;
		} else if (index >= 0) {
			plan->records.v[index].pci.irq = irq;
		}
		if (vfs && is_host && !found.vfs)
			snprintf(why, sizeof(why), "%s has no VFs yet: they will be made",
				 found.names[0] ? found.names : "it");
		else if (vfs && is_host)
			snprintf(why, sizeof(why), "one of the %u that %s has", found.vfs,
				 found.names[0] ? found.names : "it");
		status = plan_item(plan, index, device->name, node, "%s", why);
		if (status)
			return status;
	}
	return 0;
}

/* ----------------------------------------------------------------- memory */

static int add_memory(struct plan *plan, int node, uint64_t pages, const char *why)
{
	const struct config_memory *memory = &plan->config->memory;
	uint64_t bytes = pages * memory->page, unused;
	int index;

	if (node != DEVIRT_NODE_ANY) {
		uint64_t total = devirt_topology_node_memory(plan->topology, node);

		if (total && total < bytes)
			plan_note(plan, "node %d has %llu MiB of memory in all, less than is asked for",
				  node, (unsigned long long)total >> 20);
		else if (devirt_topology_is_host(plan->topology) &&
			 !devirt_node_free_memory(node, &unused) && unused < bytes)
			plan_note(plan, "node %d has %llu MiB free now: the kernel has to reclaim memory for it",
				  node, (unsigned long long)unused >> 20);
	}
	index = devirt_records_add_memory(&plan->records, node, memory->page, pages);
	return plan_item(plan, index, "memory", node, "%s", why);
}

static int most_free_node(const struct plan *plan)
{
	bool is_host = devirt_topology_is_host(plan->topology);
	const int *nodes;
	uint64_t most = 0;
	size_t count;
	int best;

	nodes = devirt_topology_nodes(plan->topology, &count);
	best = nodes[0];
	for (size_t i = 0; i < count; i++) {
		uint64_t bytes = 0;

		if (is_host)
			devirt_node_free_memory(nodes[i], &bytes);
		else
			bytes = devirt_topology_node_memory(plan->topology, nodes[i]);
		if (bytes > most) {
			most = bytes;
			best = nodes[i];
		}
	}
	return best;
}

/* How many vCPUs each node has; the nodes ascending. */
struct spread {
	int node[64];
	unsigned int vcpus[64];
	size_t count;
	unsigned int total;
};

static void find_spread(const struct plan *plan, struct spread *spread)
{
	const int *nodes;
	size_t count;

	memset(spread, 0, sizeof(*spread));
	nodes = devirt_topology_nodes(plan->topology, &count);
	for (size_t i = 0; i < count && spread->count < ARRAY_SIZE(spread->node); i++) {
		unsigned int vcpus = 0;

		for (uint32_t k = 0; k < plan->records.count; k++)
			vcpus += plan->records.v[k].kind == DEVIRT_KIND_CPU &&
				 plan->records.v[k].cpu.role == DEVIRT_ROLE_VCPU &&
				 plan->items[k].node == nodes[i];
		if (!vcpus)
			continue;
		spread->node[spread->count] = nodes[i];
		spread->vcpus[spread->count++] = vcpus;
		spread->total += vcpus;
	}
}

/* Memory is where the vCPUs are, in proportion, so that each can have its own
 * near to it.
 */
static int plan_memory(struct plan *plan)
{
	const struct config_memory *memory = &plan->config->memory;
	uint64_t pages = memory->line ? memory->size / memory->page : 0, left = pages;
	struct spread spread;
	int status = 0;

	if (!memory->line)
		return 0;
	if (memory->node != CONFIG_UNSET) {
		if (!node_exists(plan, memory->node))
			return plan_fail(plan, memory->node_line, NULL, "there is no node %d",
					 memory->node);
		return add_memory(plan, memory->node, pages, "node= says so");
	}
	find_spread(plan, &spread);
	if (!spread.count) {
		if (plan->near != DEVIRT_NODE_ANY)
			return add_memory(plan, plan->near, pages, plan->near_why);
		return add_memory(plan, most_free_node(plan), pages, "has the most free memory");
	}
	if (spread.count == 1 || pages < spread.count)
		return add_memory(plan, spread.node[0], pages, "the vCPUs are there");
	plan_note(plan, "memory is on %zu nodes, as the vCPUs are", spread.count);
	for (size_t i = 0; i < spread.count && !status; i++) {
		uint64_t share = pages * spread.vcpus[i] / spread.total;
		char why[64];

		/* each gets a page at least, the last one gets the rest */
		if (!share)
			share = 1;
		if (i + 1 == spread.count)
			share = left;
		left -= share;
		snprintf(why, sizeof(why), "%u of the %u vCPUs are there", spread.vcpus[i],
			 spread.total);
		status = add_memory(plan, spread.node[i], share, why);
	}
	return status;
}

/* -------------------------------------------------------------- the whole */

int plan_make(struct plan *plan, const struct config *config, int device)
{
	int ret, status;

	memset(plan, 0, sizeof(*plan));
	plan->config = config;
	ret = devirt_topology_load(&plan->topology, opt.topology);
	if (ret) {
		struct problem problem = { .error = -ret, .file = opt.topology };

		return fail(opt.topology ? EXIT_USAGE : EXIT_REFUSED, &problem,
			    opt.topology ? "not a topology that hwloc can read" :
			    "the machine's topology can't be read");
	}
	/* another machine's CPUs are leased by nobody here */
	ret = held_read(&plan->held, devirt_topology_is_host(plan->topology) ? device : -1);
	if (ret) {
		status = fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			      "can't tell what is leased already: %s", strerror(-ret));
		goto fail;
	}
	for (size_t i = 0; i < plan->held.count; i++)
		if (!strcmp(plan->held.v[i].get.name, config->name))
			plan_note(plan, "partition '%s' is leased now: this is what it would get beside that",
				  config->name);
	status = find_near(plan);
	if (!status)
		status = plan_cpus(plan);
	if (!status)
		status = plan_memory(plan);
	if (!status)
		status = plan_devices(plan, false);
	if (!status)
		status = plan_devices(plan, true);
	if (!status)
		status = plan_mdevs(plan);
	if (!status)
		status = find_doubles(plan);
	if (!status)
		status = plan_pools(plan);
	if (!status)
		return 0;
fail:
	plan_free(plan);
	return status;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->item_space; i++) {
		free(plan->items[i].section);
		free(plan->items[i].why);
	}
	for (size_t i = 0; i < plan->note_count; i++)
		free(plan->notes[i]);
	free(plan->items);
	free(plan->notes);
	free(plan->near_why);
	devirt_records_clear(&plan->records);
	held_free(&plan->held);
	devirt_topology_free(plan->topology);
	memset(plan, 0, sizeof(*plan));
}
