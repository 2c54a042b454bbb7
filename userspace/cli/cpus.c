// SPDX-License-Identifier: GPL-2.0
/* devirt cpus: the machine's cores, who has them, and where devices hang. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "machine.h"

const struct held_partition *machine_cpu(const struct machine *machine, unsigned int cpu,
					 const struct devirt_record **record)
{
	for (size_t i = 0; i < machine->held.count; i++) {
		const struct devirt_records *records = &machine->held.v[i].records;

		for (uint32_t k = 0; k < records->count; k++) {
			if (records->v[k].kind != DEVIRT_KIND_CPU ||
			    records->v[k].cpu.cpu != cpu ||
			    records->v[k].state == DEVIRT_STATE_RELEASED)
				continue;
			*record = &records->v[k];
			return &machine->held.v[i];
		}
	}
	return NULL;
}

bool machine_shows(const struct machine *machine, const struct devirt_device *device)
{
	return !device->is_vf && (device->vfs_total || held_function(&machine->held, &device->addr));
}

static int by_number(const void *left, const void *right)
{
	const unsigned int *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

unsigned int *machine_vfs(const struct machine *machine, size_t index,
			  const struct devirt_pci_addr *pf, size_t *count)
{
	const struct devirt_records *records = &machine->held.v[index].records;
	unsigned int *vfs = calloc(records->count + 1, sizeof(*vfs));

	*count = 0;
	for (uint32_t i = 0; vfs && i < records->count; i++)
		if (records->v[i].kind == DEVIRT_KIND_VF &&
		    records->v[i].state != DEVIRT_STATE_RELEASED &&
		    devirt_addr_equal(&records->v[i].vf.pf, pf))
			vfs[(*count)++] = records->v[i].vf.index;
	if (vfs)
		qsort(vfs, *count, sizeof(*vfs), by_number);
	return vfs;
}

/* ------------------------------------------------------------------- JSON */

static struct json_object *cpu_json(const struct machine *machine, unsigned int cpu)
{
	struct json_object *object = json_object_new_object();
	const struct held_partition *partition;
	const struct devirt_record *record;

	json_object_object_add(object, "cpu", json_object_new_int(cpu));
	partition = machine_cpu(machine, cpu, &record);
	json_object_object_add(object, "partition",
			       json_text(partition ? partition->get.name : NULL));
	if (!partition)
		return object;
	json_object_object_add(object, "role", json_text(devirt_role_name(record->cpu.role)));
	if (record->cpu.role == DEVIRT_ROLE_VCPU)
		json_object_object_add(object, "vcpu", json_object_new_int64(record->cpu.vcpu));
	if (record->cpu.thread)
		json_object_object_add(object, "thread",
				       json_object_new_int64(record->cpu.thread));
	return object;
}

static struct json_object *device_json(const struct machine *machine,
				       const struct devirt_device *device)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	json_object_object_add(object, "address", json_addr(&device->addr));
	json_object_object_add(object, "kind", json_text(device->kind));
	json_object_object_add(object, "names", json_text(device->names));
	json_object_object_add(object, "driver",
			       json_text(device->driver[0] ? device->driver : NULL));
	json_object_object_add(object, "node",
			       device->node < 0 ? NULL : json_object_new_int(device->node));
	json_object_object_add(object, "partition",
			       json_text(held_function(&machine->held, &device->addr)));
	json_object_object_add(object, "vfs", json_object_new_int(device->vfs));
	json_object_object_add(object, "vfs_total", json_object_new_int(device->vfs_total));
	for (size_t i = 0; i < machine->held.count; i++) {
		size_t count;
		unsigned int *vfs = machine_vfs(machine, i, &device->addr, &count);

		for (size_t k = 0; vfs && k < count; k++) {
			struct json_object *vf = json_object_new_object();

			json_object_object_add(vf, "index", json_object_new_int64(vfs[k]));
			json_object_object_add(vf, "partition",
					       json_text(machine->held.v[i].get.name));
			json_object_array_add(array, vf);
		}
		free(vfs);
	}
	json_object_object_add(object, "vfs_leased", array);
	return object;
}

static struct json_object *node_json(const struct machine *machine, int node)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();
	const struct devirt_core *cores;
	size_t count;

	json_object_object_add(object, "node", json_object_new_int(node));
	json_object_object_add(object, "memory_bytes", json_object_new_uint64(
			       devirt_topology_node_memory(machine->topology, node)));
	cores = devirt_topology_cores(machine->topology, &count);
	for (size_t i = 0; i < count; i++) {
		struct json_object *core, *cpus;

		if (cores[i].node != node)
			continue;
		core = json_object_new_object();
		cpus = json_object_new_array();
		for (unsigned int k = 0; k < cores[i].count; k++)
			json_object_array_add(cpus, cpu_json(machine, cores[i].cpus[k]));
		json_object_object_add(core, "cpus", cpus);
		json_object_array_add(array, core);
	}
	json_object_object_add(object, "cores", array);
	return object;
}

static void print_json(const struct machine *machine)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();
	const int *nodes;
	size_t count;

	nodes = devirt_topology_nodes(machine->topology, &count);
	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, node_json(machine, nodes[i]));
	json_object_object_add(object, "nodes", array);
	array = json_object_new_array();
	for (size_t i = 0; i < machine->device_count; i++)
		if (machine_shows(machine, &machine->devices[i]))
			json_object_array_add(array, device_json(machine, &machine->devices[i]));
	json_object_object_add(object, "devices", array);
	json_print(object);
}

/* -------------------------------------------------------------- the whole */

static int cpus_command(int argc, char **argv)
{
	struct machine machine = { 0 };
	int device = -ENOENT, ret, status = EXIT_OK;

	(void)argv;
	if (argc)
		return fail_usage("it takes no argument");
	ret = devirt_topology_load(&machine.topology, opt.topology);
	if (ret)
		return fail(opt.topology ? EXIT_USAGE : EXIT_REFUSED,
			    &(struct problem){ .error = -ret, .file = opt.topology },
			    opt.topology ? "not a topology that hwloc can read" :
			    "the machine's topology can't be read");
	/* of another machine there are neither functions nor partitions here */
	if (devirt_topology_is_host(machine.topology)) {
		device = try_module();
		ret = devirt_device_list(&machine.devices, &machine.device_count);
		if (!ret)
			ret = held_read(&machine.held, device);
	}
	if (ret)
		status = fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			      "can't tell who has what: %s", strerror(-ret));
	else if (opt.json)
		print_json(&machine);
	else
		picture_print(&machine, stdout);
	if (!ret && (device == -EACCES || device == -EPERM))
		warn("who has what is only told to root");
	held_free(&machine.held);
	free(machine.devices);
	devirt_topology_free(machine.topology);
	if (device >= 0)
		close(device);
	return status;
}

static const char *const options[] = { "--json", "--topology=", NULL };

const struct command command_cpus = {
	.name = "cpus",
	.args = "",
	.help = "Draw the cores, and who has them",
	.options = options,
	.run = cpus_command,
};
