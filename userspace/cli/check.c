// SPDX-License-Identifier: GPL-2.0
/* devirt check: is this host ready, and what to change. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "../lib/sysfs.h"
#include "cli.h"
#include "planner.h"
#include "reserve.h"

enum state { OK, WARN, FAIL };

static const char *const state_names[] = { "ok", "warn", "fail" };

struct check {
	struct libscols_table *table;
	struct json_object *items;
	struct devirt_query query;
	int device;		/* of the module, or -errno */
	bool intel;
	bool x86;
	bool ready;
	const char *name;	/* of the partition that it is asked for, or NULL */
	unsigned int *cpus;	/* that are leased, or are likely to be; ascending */
	size_t cpu_count;
	const char *whose;	/* and why these */
	unsigned int min_khz;	/* the most that the partition asks for */
	char *remedy;
	char *parameters;	/* that are missing on the kernel's command line */
};

static void say(struct check *check, const char *item, enum state state, const char *remedy,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

static void say(struct check *check, const char *item, enum state state, const char *remedy,
		const char *format, ...)
{
	static const char *const colors[] = { "green", "brown", "red" };
	struct libscols_line *line;
	struct json_object *object;
	char *text;
	va_list args;
	int ret;

	va_start(args, format);
	ret = vasprintf(&text, format, args);
	va_end(args);
	if (ret < 0)
		return;
	if (state == FAIL)
		check->ready = false;
	if (opt.json) {
		object = json_object_new_object();
		json_object_object_add(object, "item", json_text(item));
		json_object_object_add(object, "state", json_text(state_names[state]));
		json_object_object_add(object, "found", json_text(text));
		json_object_object_add(object, "remedy", json_text(remedy));
		json_object_array_add(check->items, object);
	} else {
		line = table_line(check->table);
		table_cell(line, 0, "%s", item);
		table_cell(line, 1, "%s", state_names[state]);
		table_color(line, 1, colors[state]);
		table_cell(line, 2, "%s%s%s", text, remedy ? "; " : "", remedy ? remedy : "");
	}
	free(text);
}

static bool boot_parameter(const char *parameter)
{
	char text[4096];
	size_t length = strlen(parameter);

	if (dv_read(text, sizeof(text), "/proc/cmdline") < 0)
		return false;
	for (char *at = text; (at = strstr(at, parameter)); at += length)
		if ((at == text || at[-1] == ' ') &&
		    (!at[length] || strchr(" =,", at[length]) || parameter[length - 1] == '='))
			return true;
	return false;
}

/* ---------------------------------------------------------------- module */

static void check_module(struct check *check)
{
	int ret;

	check->device = devirt_open_device();
	if (check->device == -EACCES || check->device == -EPERM) {
		say(check, "module", WARN, "run this as root", "not permitted to ask it");
		return;
	}
	if (check->device < 0) {
		say(check, "module", FAIL, "load it with 'modprobe devirt'", "devirt isn't loaded");
		return;
	}
	ret = devirt_query_module(check->device, &check->query);
	if (ret < 0) {
		say(check, "module", FAIL, ret == -EPERM ? "run this as root" :
		    "load the module of this release", "it doesn't answer: %s", strerror(-ret));
		close(check->device);
		check->device = ret;
	} else if (check->query.api_version < DEVIRT_API_VERSION) {
		say(check, "module", FAIL, "load the module of this release",
		    "API version %u, but this tool needs %d", check->query.api_version,
		    DEVIRT_API_VERSION);
	} else {
		say(check, "module", OK, NULL, "loaded, API version %u, %u partition%s",
		    check->query.api_version, check->query.partitions,
		    check->query.partitions == 1 ? "" : "s");
	}
}

/* ------------------------------------------------------------- processor */

static void read_cpuinfo(struct check *check, bool *virtualizes)
{
	char line[8192];
	FILE *file;

	*virtualizes = false;
	file = fopen("/proc/cpuinfo", "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file) && strcmp(line, "\n")) {
		if (!strncmp(line, "vendor_id", 9)) {
			check->x86 = true;
			check->intel = strstr(line, "GenuineIntel");
		}
		if (!strncmp(line, "flags", 5))
			*virtualizes = strstr(line, " vmx") || strstr(line, " svm");
	}
	fclose(file);
}

static void check_kvm(struct check *check)
{
	bool virtualizes;

	read_cpuinfo(check, &virtualizes);
	if (dv_exists("/dev/kvm"))
		say(check, "KVM", OK, NULL, "/dev/kvm is there");
	else if (check->x86 && !virtualizes)
		say(check, "KVM", FAIL, "turn virtualization (VT-x, AMD-V) on in the firmware",
		    "the processor offers no virtualization");
	else
		say(check, "KVM", FAIL, !check->x86 ? "use a kernel with KVM" : check->intel ?
		    "modprobe kvm_intel" : "modprobe kvm_amd", "there is no /dev/kvm");
}

static size_t entries(const char *dir)
{
	char **names;
	size_t count;

	if (dv_list(&names, &count, "%s", dir))
		return 0;
	devirt_free_names(names, count);
	return count;
}

static void check_iommu(struct check *check)
{
	size_t groups = entries("/sys/kernel/iommu_groups");
	char type[32];

	if (!groups && check->intel && !boot_parameter("intel_iommu=on"))
		say(check, "IOMMU", FAIL,
		    "turn VT-d on in the firmware and boot with intel_iommu=on",
		    "no device is in an IOMMU group");
	else if (!groups)
		say(check, "IOMMU", FAIL, check->intel ? "turn VT-d on in the firmware" :
		    check->x86 ? "turn AMD-Vi (IOMMU) on in the firmware" :
		    "use a machine and a firmware that offer one",
		    "no device is in an IOMMU group");
	else
		say(check, "IOMMU", OK, NULL, "%zu groups", groups);
	if (!groups)
		return;
	if (dv_read(type, sizeof(type), "/sys/kernel/iommu_groups/0/type") > 0 &&
	    strncmp(type, "identity", 8))
		say(check, "IOMMU mode", OK,
		    "optional: iommu=pt makes the host's own devices faster",
		    "the host's devices are translated (%s)", type);
}

/* The kernel's facts where the module is loaded, the names of interrupt chips
 * where it isn't.
 */
static void check_remapping(struct check *check)
{
	char line[4096];
	bool found = false;
	FILE *file;

	if (check->device >= 0) {
		found = check->query.facts & DEVIRT_FACT_INTREMAP;
	} else if (!check->x86) {
		return;
	} else {
		file = fopen("/proc/interrupts", "re");
		while (file && !found && fgets(line, sizeof(line), file))
			found = strstr(line, " IR-") || strstr(line, "-IR-");
		if (file)
			fclose(file);
	}
	if (found)
		say(check, "interrupts", OK, NULL, "remapped");
	else
		say(check, "interrupts", FAIL,
		    "turn interrupt remapping (x2APIC) on in the firmware; remove intremap=off, nox2apic",
		    "not remapped: a guest could forge them");
}

static void check_vfio(struct check *check)
{
	char line[4096];
	struct utsname uts;
	bool found = false;
	FILE *file;

	if (dv_exists("/sys/bus/pci/drivers/vfio-pci")) {
		say(check, "vfio-pci", OK, NULL, "loaded");
		return;
	}
	uname(&uts);
	for (int i = 0; i < 2 && !found; i++) {
		char path[512];

		snprintf(path, sizeof(path), "/lib/modules/%.300s/modules.%s", uts.release,
			 i ? "builtin" : "dep");
		file = fopen(path, "re");
		while (file && !found && fgets(line, sizeof(line), file))
			found = strstr(line, "/vfio-pci.ko");
		if (file)
			fclose(file);
	}
	if (found)
		say(check, "vfio-pci", OK, NULL, "not loaded yet; devirt loads it when needed");
	else
		say(check, "vfio-pci", FAIL, "use a kernel with CONFIG_VFIO_PCI",
		    "this kernel has none");
}

/* Functions that share a group can only be leased together. */
static void check_groups(struct check *check)
{
	struct devirt_device *devices;
	unsigned int shared = 0;
	size_t count;

	if (devirt_device_list(&devices, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		char addr[DEVIRT_ADDR_TEXT], *members = NULL;
		unsigned int others = 0;
		bool first = true;

		if (!devices[i].is_endpoint || devices[i].group < 0)
			continue;
		for (size_t k = 0; k < count; k++) {
			if (!devices[k].is_endpoint || devices[k].group != devices[i].group)
				continue;
			if (k < i)
				first = false;
			others += k != i;
			dv_append(&members, " %s", devirt_addr_format(&devices[k].addr, addr));
		}
		if (first && others) {
			char item[32];

			snprintf(item, sizeof(item), "group %d", devices[i].group);
			shared++;
			say(check, item, WARN,
			    "these can only be leased together; another slot may separate them",
			    "several functions share it:%s", members ? members : "");
		}
		free(members);
	}
	if (!shared && count && entries("/sys/kernel/iommu_groups"))
		say(check, "groups", OK, NULL, "no function shares its IOMMU group");
	free(devices);
}

static void check_reserve_file(struct check *check, const struct reserve_error *bad)
{
	const char *message = bad->message ? bad->message : "out of memory";

	if (bad->problem.line)
		say(check, "reserved", FAIL, bad->problem.remedy, RESERVE_CONF ":%d: %s",
		    bad->problem.line, message);
	else
		say(check, "reserved", FAIL, bad->problem.remedy, RESERVE_CONF ": %s", message);
}

/* "; line 2, '01:00.0', is refused: the host needs ..." for each; free() */
static char *refused_text(const struct reserve *reserve)
{
	char *text = NULL;

	for (size_t i = 0; i < reserve->count; i++)
		if (reserve->v[i].refused)
			dv_append(&text, "; line %d of " RESERVE_CONF ", '%s', is refused: %s",
				  reserve->v[i].line, reserve->v[i].text,
				  reserve->v[i].why ? reserve->v[i].why : "the host needs it");
	return text;
}

/* Is what the module was loaded with what the file says, but for what is refused? */
static void check_reserve(struct check *check)
{
	char loaded[RESERVE_PARAMETER_MAX + 2], active[4096], *wanted, *refused = NULL;
	struct reserve_host host = { 0 };
	struct reserve_error bad;
	struct reserve reserve;
	size_t count = 0;

	if (reserve_read(&reserve, &bad)) {
		check_reserve_file(check, &bad);
		free(bad.message);
		return;
	}
	if (reserve.count && !reserve_host_read(&host)) {
		reserve_refuse(&reserve, &host);
		reserve_host_free(&host);
		refused = refused_text(&reserve);
	}
	wanted = reserve_parameter(&reserve);
	reserve_free(&reserve);
	if (dv_read(active, sizeof(active), "/sys/module/devirt/parameters/reserved") < 0 ||
	    dv_read(loaded, sizeof(loaded), "/sys/module/devirt/parameters/reserve") < 0)
		goto out;
	/* a parameter that isn't set */
	if (!strcmp(loaded, "(null)"))
		loaded[0] = '\0';
	for (char *at = active; *at; at++)
		count += at == active || at[-1] == ' ';
	if (wanted && strcmp(wanted, loaded))
		say(check, "reserved", WARN,
		    "run 'devirt reserve --write' and 'update-initramfs -u', and boot",
		    "the module was loaded without what " RESERVE_CONF " says%s",
		    refused ? refused : "");
	else if (count || loaded[0] || refused)
		say(check, "reserved", refused ? WARN : OK,
		    refused ? "unmount it, or take the line out" : NULL, "%zu function%s%s",
		    count, count == 1 ? "" : "s", refused ? refused : "");
out:
	free(wanted);
	free(refused);
}

/* ---------------------------------------------------------------- memory */

static void check_node_pages(struct check *check, int node)
{
	char **sizes, item[32], *text = NULL;
	uint64_t unused = 0;
	size_t count;

	devirt_node_free_memory(node, &unused);
	dv_append(&text, "%llu MiB free", (unsigned long long)unused >> 20);
	if (dv_list(&sizes, &count, "/sys/devices/system/node/node%d/hugepages", node))
		count = 0;
	for (size_t i = 0; i < count; i++) {
		unsigned long long kib;
		uint64_t total, available;
		char *size;

		if (sscanf(sizes[i], "hugepages-%llukB", &kib) != 1 ||
		    devirt_node_pages(node, kib * 1024, &total, &available))
			continue;
		size = size_text(kib * 1024);
		dv_append(&text, ", %llu of %llu pages of %s free",
			  (unsigned long long)available, (unsigned long long)total,
			  size ? size : "?");
		free(size);
	}
	snprintf(item, sizeof(item), "memory node %d", node);
	if (count)
		say(check, item, OK, NULL, "%s", text ? text : "");
	else
		say(check, item, WARN, "use a kernel with CONFIG_HUGETLBFS to lease memory",
		    "no huge pages; %s", text ? text : "");
	free(text);
	if (count)
		devirt_free_names(sizes, count);
}

/* ------------------------------------------------------------------- CPUs */

static void check_topology(struct check *check)
{
	struct devirt_topology *topology;
	const struct devirt_core *cores;
	size_t core_count, node_count;
	unsigned int smt = 1, cpus = 0;
	const int *nodes;

	if (devirt_topology_load(&topology, NULL)) {
		say(check, "CPUs", FAIL, NULL, "the topology can't be read");
		return;
	}
	cores = devirt_topology_cores(topology, &core_count);
	nodes = devirt_topology_nodes(topology, &node_count);
	for (size_t i = 0; i < core_count; i++) {
		cpus += cores[i].count;
		if (cores[i].count > smt)
			smt = cores[i].count;
	}
	if (core_count < 2)
		say(check, "CPUs", WARN, "CPUs can't be leased here; devices and memory can",
		    "one core, which the host needs");
	else
		say(check, "CPUs", OK, NULL, "%u on %zu cores", cpus, core_count);
	if (smt > 1)
		say(check, "SMT", OK, NULL, "on, %u threads to a core; cores are leased whole", smt);
	else
		say(check, "SMT", OK, NULL, "off: each core is one CPU");
	for (size_t i = 0; i < node_count; i++) {
		unsigned int count = 0;
		char item[32];

		for (size_t k = 0; k < core_count; k++)
			count += cores[k].node == nodes[i];
		if (node_count > 1) {
			snprintf(item, sizeof(item), "NUMA node %d", nodes[i]);
			say(check, item, OK, NULL, "%u cores", count);
		}
		check_node_pages(check, nodes[i]);
	}
	if (node_count == 1)
		say(check, "NUMA", OK, NULL, "one node: all is near to all");
	devirt_topology_free(topology);
}

/* --------------------------------------------------------------- quietness */

static int add_cpu(struct check *check, unsigned int cpu)
{
	unsigned int *cpus;
	size_t at;

	/* the first one keeps the time, so that its tick can't be stopped */
	if (!cpu)
		return 0;
	cpus = reallocarray(check->cpus, check->cpu_count + 1, sizeof(*cpus));
	if (!cpus)
		return fail_memory();
	check->cpus = cpus;
	for (at = check->cpu_count; at && cpus[at - 1] >= cpu; at--)
		if (cpus[at - 1] == cpu)
			return 0;
	memmove(cpus + at + 1, cpus + at, (check->cpu_count++ - at) * sizeof(*cpus));
	cpus[at] = cpu;
	return 0;
}

static int add_records(struct check *check, const struct devirt_records *records)
{
	int status = 0;

	for (uint32_t i = 0; i < records->count && !status; i++) {
		const struct devirt_record *record = &records->v[i];

		if (record->kind != DEVIRT_KIND_CPU || record->state == DEVIRT_STATE_RELEASED)
			continue;
		status = add_cpu(check, record->cpu.cpu);
		if (record->cpu.min_khz > check->min_khz)
			check->min_khz = record->cpu.min_khz;
	}
	return status;
}

/* Those of one partition: that it has, or would get. */
static int find_partition_cpus(struct check *check, const char *argument, int device)
{
	struct devirt_records records = { 0 };
	char name[DEVIRT_NAME_MAX], *path;
	struct config *config;
	struct devirt_get get;
	struct plan plan;
	int fd, status;

	status = config_name(argument, &path, name);
	if (status)
		return status;
	free(path);
	check->name = argument;
	fd = device < 0 ? device : devirt_open_partition(device, name, DEVIRT_OPEN_OBSERVE);
	if (fd >= 0) {
		status = devirt_get_partition(fd, &get, &records) ? 0 :
			 add_records(check, &records);
		devirt_records_clear(&records);
		close(fd);
		check->whose = "which it has";
		return status;
	}
	status = config_load(&config, argument);
	if (status)
		return status;
	status = plan_make(&plan, config, device);
	if (!status) {
		status = add_records(check, &plan.records);
		plan_free(&plan);
	}
	config_free(config);
	check->whose = "which it would get";
	return status;
}

/* Those that are leased now, else all that could be without need. */
static int find_likely_cpus(struct check *check, int device)
{
	struct devirt_topology *topology;
	const struct devirt_core *cores;
	struct held held;
	int status = 0;
	size_t count;

	if (!held_read(&held, device)) {
		for (size_t i = 0; i < held.count && !status; i++)
			status = add_records(check, &held.v[i].records);
		held_free(&held);
		check->whose = "which are leased now";
	}
	if (check->cpu_count || status || devirt_topology_load(&topology, NULL))
		return status;
	cores = devirt_topology_cores(topology, &count);
	for (size_t i = 0; i < count && !status; i++)
		for (unsigned int k = 0; k < cores[i].count && cores[i].cpus[0] && !status; k++)
			status = add_cpu(check, cores[i].cpus[k]);
	devirt_topology_free(topology);
	check->whose = "all but CPU 0's core";
	return status;
}

/* Is @cpu in a list as sysfs has them, "0-3,8"? */
static bool in_list(const char *list, unsigned int cpu)
{
	unsigned int first, last;
	int length;

	while (sscanf(list, "%u%n", &first, &length) == 1) {
		list += length;
		last = first;
		if (*list == '-' && sscanf(list, "-%u%n", &last, &length) == 1)
			list += length;
		if (cpu >= first && cpu <= last)
			return true;
		if (*list++ != ',')
			break;
	}
	return false;
}

static void check_tick(struct check *check)
{
	char quiet[4096], *wanted, *list = NULL;
	size_t ticking = 0;

	if (dv_read(quiet, sizeof(quiet), "/sys/devices/system/cpu/nohz_full") < 0) {
		say(check, "quiet CPUs", OK, NULL,
		    "this kernel can't stop the timer tick (no CONFIG_NO_HZ_FULL)");
		return;
	}
	for (size_t i = 0; i < check->cpu_count; i++)
		ticking += !in_list(quiet, check->cpus[i]);
	wanted = check->cpu_count ? list_text(check->cpus, check->cpu_count) : NULL;
	if (!wanted) {
		say(check, "quiet CPUs", OK, NULL, check->name ? "the partition has no CPUs" :
		    "no CPU can be leased");
	} else if (!ticking) {
		say(check, "quiet CPUs", OK, NULL, "no timer tick on CPUs %s (%s)", wanted,
		    check->whose);
	} else {
		/* what is quiet already stays so */
		for (unsigned int cpu = 0; cpu < 65536 && isdigit((unsigned char)*quiet); cpu++)
			if (in_list(quiet, cpu) && add_cpu(check, cpu))
				break;
		list = list_text(check->cpus, check->cpu_count);
		dv_append(&check->parameters, "nohz_full=%s rcu_nocbs=%s", list ? list : wanted,
			  list ? list : wanted);
		dv_append(&check->remedy, "optional: boot with %s", check->parameters);
		say(check, "quiet CPUs", OK, check->remedy,
		    "the timer tick interrupts %s of CPUs %s (%s)",
		    ticking < check->cpu_count ? "some" : "each", wanted, check->whose);
	}
	free(list);
	free(wanted);
}

/* Only its flags may be of use: "managed_irq,2-5" leaves the CPUs to the host. */
static bool isolates(void)
{
	char text[4096], *at, *flag, *next = NULL;
	bool others = false;

	if (dv_read(text, sizeof(text), "/proc/cmdline") < 0)
		return false;
	at = strstr(text, "isolcpus=");
	if (!at)
		return false;
	at += strlen("isolcpus=");
	at[strcspn(at, " ")] = '\0';
	for (flag = strtok_r(at, ",", &next); flag; flag = strtok_r(NULL, ",", &next)) {
		if (!strcmp(flag, "domain"))
			return true;
		others |= isalpha((unsigned char)*flag) != 0;
	}
	return !others;
}

/* ------------------------------------------------------------------- power */

static void check_idle(struct check *check)
{
	char driver[64], name[64], deepest[64] = "";
	long long latency, slowest = 0;
	unsigned int cpu = check->cpu_count ? check->cpus[0] : 0;

	if (dv_read(driver, sizeof(driver), "/sys/devices/system/cpu/cpuidle/current_driver") < 0 ||
	    !strcmp(driver, "none")) {
		say(check, "idle states", OK, NULL, "none to choose from: latency= changes nothing");
		return;
	}
	for (int i = 0; i < 16; i++) {
		if (dv_read(name, sizeof(name), "/sys/devices/system/cpu/cpu%u/cpuidle/state%d/name",
			    cpu, i) < 0 ||
		    dv_read_number(&latency, "/sys/devices/system/cpu/cpu%u/cpuidle/state%d/latency",
				   cpu, i))
			break;
		if (latency >= slowest) {
			slowest = latency;
			snprintf(deepest, sizeof(deepest), "%s", name);
		}
	}
	say(check, "idle states", OK, NULL,
	    "%s, down to %s, which takes %lldus to wake from; latency= in [cpus] limits that",
	    driver, deepest, slowest);
}

static void check_frequency(struct check *check)
{
	unsigned int cpu = check->cpu_count ? check->cpus[0] : 0;
	char driver[64], least[32], most[32], wanted[32];
	long long min, max;

	if (dv_read(driver, sizeof(driver), "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_driver",
		    cpu) < 0 ||
	    dv_read_number(&min, "/sys/devices/system/cpu/cpu%u/cpufreq/cpuinfo_min_freq", cpu) ||
	    dv_read_number(&max, "/sys/devices/system/cpu/cpu%u/cpufreq/cpuinfo_max_freq", cpu)) {
		say(check, "frequency", check->min_khz ? WARN : OK,
		    check->min_khz ? "leave min-frequency= out, or load the driver (acpi-cpufreq)" :
		    NULL, "no driver sets it, so that min-frequency= can't be had");
		return;
	}
	frequency_text(min, least);
	frequency_text(max, most);
	if (check->min_khz > max)
		say(check, "frequency", WARN, "lower min-frequency=", "%s, %s to %s, but %s is asked for",
		    driver, least, most, frequency_text(check->min_khz, wanted));
	else
		say(check, "frequency", OK, NULL, "%s, %s to %s; min-frequency= in [cpus] raises the least",
		    driver, least, most);
}

static void check_boot(struct check *check)
{
	check_idle(check);
	check_frequency(check);
	check_tick(check);
	if (boot_parameter("isolcpus=") && isolates())
		say(check, "isolcpus", WARN, "leave it out, so that the host has the cores while no guest does",
		    "it is set, which devirt doesn't need");
}

static int check_command(int argc, char **argv)
{
	static const char *const headings[] = { "ITEM", "STATE", "FOUND~", NULL };
	struct check check = { .ready = true };
	struct json_object *object;
	int device, status;

	if (argc > 1)
		return fail_usage("one partition at a time, or none");
	device = try_module();
	status = argc ? find_partition_cpus(&check, argv[0], device) :
			find_likely_cpus(&check, device);
	if (device >= 0)
		close(device);
	if (status)
		goto out;
	if (opt.json)
		check.items = json_object_new_array();
	else
		check.table = table_new(headings);
	check_module(&check);
	check_kvm(&check);
	check_iommu(&check);
	check_remapping(&check);
	check_vfio(&check);
	check_groups(&check);
	check_reserve(&check);
	check_topology(&check);
	check_boot(&check);
	if (check.device >= 0)
		close(check.device);
	if (opt.json) {
		object = json_object_new_object();
		json_object_object_add(object, "ready", json_object_new_boolean(check.ready));
		json_object_object_add(object, "items", check.items);
		json_object_object_add(object, "boot_parameters", json_text(check.parameters));
		json_print(object);
	} else {
		table_print(check.table, stdout);
		printf("%s\n", check.ready ? "This host is ready." :
		       "This host isn't ready: see what failed.");
	}
	status = check.ready ? EXIT_OK : EXIT_REFUSED;
out:
	free(check.cpus);
	free(check.parameters);
	free(check.remedy);
	return status;
}

static const char *const options[] = { "--json", NULL };

const struct command command_check = {
	.name = "check",
	.args = "[NAME]",
	.help = "Is this host ready, and what to change",
	.options = options,
	.run = check_command,
};
