// SPDX-License-Identifier: GPL-2.0
/* Tests of libdevirt that need neither root nor the module. Prints TAP. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libdevirt.h"

static int tests, failures;

static void check(int ok, const char *name, const char *about)
{
	printf("%sok %d - %s%s%s\n", ok ? "" : "not ", ++tests, name, *about ? ": " : "", about);
	failures += !ok;
}

static void addresses(void)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "0000:01:00.0", "0000:01:00.0" },
		{ "01:00.0", "0000:01:00.0" },
		{ "1:0.7", "0000:01:00.7" },
		{ "0000:ff:1f.7", "0000:ff:1f.7" },
		{ "10000:e1:00.0", "10000:e1:00.0" },
		{ "ABCD:Ef:1a.1", "abcd:ef:1a.1" },
		{ "", NULL }, { "01", NULL }, { "01:00", NULL }, { "01:00.8", NULL },
		{ "01:20.0", NULL }, { "100:00.0", NULL }, { "01:00.0 ", NULL },
		{ " 01:00.0", NULL }, { "0000:01:00.00", NULL }, { ":01:00.0", NULL },
		{ "0:0:0:0.0", NULL }, { "-1:00.0", NULL }, { "0x1:00.0", NULL },
		{ "123456789:01:00.0", NULL },
	};
	char text[DEVIRT_ADDR_TEXT];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct devirt_pci_addr addr;
		int ret = devirt_addr_parse(cases[i].text, &addr);

		check(cases[i].wanted ? !ret && !strcmp(devirt_addr_format(&addr, text),
							cases[i].wanted) : ret == -EINVAL,
		      "address", cases[i].text);
	}
}

static void names(void)
{
	static const char *const good[] = { "a", "lab", "A-1_x.y", "_", "1" };
	static const char *const bad[] = { "", ".a", "-a", "a/b", "a b", "\303\244", "a\n" };
	char text[DEVIRT_NAME_MAX + 1];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		check(devirt_name_valid(good[i]), "name", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		check(!devirt_name_valid(bad[i]), "no name", i == 6 ? "" : bad[i]);
	memset(text, 'a', sizeof(text));
	text[DEVIRT_NAME_MAX] = '\0';
	check(!devirt_name_valid(text), "name without room for its NUL", "");
	text[DEVIRT_NAME_MAX - 1] = '\0';
	check(devirt_name_valid(text), "longest name", "");
}

static void records(void)
{
	struct devirt_pci_addr addr;
	struct devirt_records all = { 0 };
	int ret = 0;

	devirt_addr_parse("01:00.0", &addr);
	check(devirt_records_add_cpu(&all, 3, DEVIRT_ROLE_VCPU, 1, 0) == 0, "first record", "");
	check(devirt_records_add_pci(&all, &addr) == 1, "second record", "");
	check(devirt_records_add_vf(&all, &addr, DEVIRT_VF_ANY, 4) == 2, "third record", "");
	check(devirt_records_add_memory(&all, 1, 2 << 20, 5) == 3, "fourth record", "");
	check(all.v[0].kind == DEVIRT_KIND_CPU && all.v[0].cpu.cpu == 3 && all.v[0].cpu.vcpu == 1 &&
	      all.v[2].vf.pool == 4 && all.v[3].node == 1 && all.v[3].memory.pages == 5,
	      "what was added is there", "");
	for (int i = 4; i <= DEVIRT_RECORDS_MAX; i++)
		ret = devirt_records_add_pci(&all, &addr);
	check(ret == -E2BIG && all.count == DEVIRT_RECORDS_MAX, "no more than the module takes", "");
	devirt_records_clear(&all);
	check(!all.v && !all.count, "cleared", "");
}

/* Every reason has a word, a sentence that names the thing, and mostly a remedy. */
static void reasons(void)
{
	static const struct {
		uint32_t kind, first, last;
		const char *detail, *what;
	} ranges[] = {
		{ DEVIRT_KIND_PCI, 1, DEVIRT_REASON_INTERNAL, "lab", "0fff:f1:00.0" },
		{ DEVIRT_KIND_PCI, DEVIRT_REASON_NO_DEVICE, DEVIRT_REASON_IRQ_CPU, "nvme9n1 x",
		  "0fff:f1:00.0" },
		{ DEVIRT_KIND_VF, DEVIRT_REASON_NOT_PF, DEVIRT_REASON_POOL_FAILED, "4 2",
		  "0fff:f1:00.0" },
		{ DEVIRT_KIND_MEMORY, DEVIRT_REASON_NO_NODE, DEVIRT_REASON_PAGES_SHORT, "2M 1G",
		  "512 pages of 2M" },
		{ DEVIRT_KIND_CPU, DEVIRT_REASON_NO_CPU, DEVIRT_REASON_FREQUENCY, "3", "CPU 5" },
		{ DEVIRT_KIND_MDEV, DEVIRT_REASON_NO_PARENT, DEVIRT_REASON_MDEV_FAILED,
		  "0 web vgpu-8 2 - vgpu-4 1", "vgpu-8 of 0fff:f1:00.0" },
		{ DEVIRT_KIND_CPU, 9999, 9999, "", "CPU 5" },
	};
	struct devirt_record record;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		for (uint32_t reason = ranges[i].first; reason <= ranges[i].last; reason++) {
			const char *word = devirt_reason_name(reason);
			char *message, *remedy;
			int ret;

			memset(&record, 0, sizeof(record));
			record.kind = ranges[i].kind;
			record.reason = reason;
			record.error = -EBUSY;
			record.node = DEVIRT_NODE_ANY;
			if (record.kind == DEVIRT_KIND_PCI || record.kind == DEVIRT_KIND_VF)
				devirt_addr_parse("0fff:f1:00.0", &record.pci.addr);
			if (record.kind == DEVIRT_KIND_MDEV) {
				strcpy(record.mdev.parent, "0fff:f1:00.0");
				strcpy(record.mdev.type, "vgpu-8");
			}
			if (record.kind == DEVIRT_KIND_CPU)
				record.cpu.cpu = 5;
			if (record.kind == DEVIRT_KIND_MEMORY) {
				record.memory.page_size = 2 << 20;
				record.memory.pages = 512;
			}
			strcpy(record.detail, ranges[i].detail);
			ret = devirt_explain_record(-1, &record, &message, &remedy);
			check(!ret && strstr(message, ranges[i].what) &&
			      (remedy || reason == DEVIRT_REASON_INVALID) &&
			      (reason == 9999) == !strcmp(word, "unknown"), word,
			      message ? message : "");
			free(message);
			free(remedy);
		}
	}
	/* not closed with NUL, as no kernel would send it */
	memset(record.detail, 'x', sizeof(record.detail));
	record.reason = DEVIRT_REASON_OWNED;
	{
		char *message, *remedy;

		check(!devirt_explain_record(-1, &record, &message, &remedy), "endless detail", "");
		free(message);
		free(remedy);
	}
}

/* Of a pool as a whole, as 'devirt vfs' asks for one, or of a VF of it. */
static void pools(void)
{
	static const struct {
		uint32_t reason, index, pool, flags;
		const char *detail, *message, *remedy;
	} cases[] = {
		{ DEVIRT_REASON_VF_INDEX, DEVIRT_VF_ANY, 0, 0, "7",
		  "0fff:f1:00.0 can have at most 7 VFs", "ask for fewer" },
		{ DEVIRT_REASON_VF_INDEX, 3, 9, 0, "7",
		  "0fff:f1:00.0 can have at most 7 VFs", "ask for fewer" },
		{ DEVIRT_REASON_VF_INDEX, 5, 4, 0, "2",
		  "VF 5 of 0fff:f1:00.0 doesn't exist: it has 2 VFs, counted from 0",
		  "take a smaller index or index=any" },
		{ DEVIRT_REASON_POOL_SIZE, DEVIRT_VF_ANY, 0, DEVIRT_VF_POOL_MADE, "2",
		  "0fff:f1:00.0 has 2 VFs already, and a card can't have more or fewer until these are gone",
		  "remove them first: devirt vfs 0fff:f1:00.0 0" },
		{ DEVIRT_REASON_POOL_SIZE, DEVIRT_VF_ANY, 0, 0, "1",
		  "0fff:f1:00.0 has 1 VF already, made by the host, whose drivers may have had them",
		  "remove them first: devirt vfs 0fff:f1:00.0 0" },
		{ DEVIRT_REASON_POOL_FAILED, DEVIRT_VF_ANY, 0, 0, "4 2",
		  "0fff:f1:00.0: its driver was asked for 4 VFs and made 2: No space left on device",
		  "ask for fewer VFs (pool=); the kernel log says more (dmesg)" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct devirt_record record = { .kind = DEVIRT_KIND_VF };
		char *message, *remedy;
		int ret;

		devirt_addr_parse("0fff:f1:00.0", &record.vf.pf);
		record.reason = cases[i].reason;
		record.error = -ENOSPC;
		record.vf.index = cases[i].index;
		record.vf.pool = cases[i].pool;
		record.vf.flags = cases[i].flags;
		strcpy(record.detail, cases[i].detail);
		ret = devirt_explain_record(-1, &record, &message, &remedy);
		check(!ret && !strcmp(message, cases[i].message) &&
		      remedy && !strcmp(remedy, cases[i].remedy), "pool", message ? message : "");
		free(message);
		free(remedy);
	}
}

static void words(void)
{
	check(!strcmp(devirt_kind_name(DEVIRT_KIND_CPU), "cpu"), "kind", "");
	check(!strcmp(devirt_kind_name(0), "unknown"), "no kind", "");
	check(!strcmp(devirt_state_name(DEVIRT_STATE_RELEASED), "released"), "state", "");
	check(!strcmp(devirt_state_name(77), "unknown"), "no state", "");
	check(!strcmp(devirt_event_name(DEVIRT_EVENT_DRIFT), "drift"), "event", "");
	check(!strcmp(devirt_role_name(3), "unknown"), "no role", "");
	check(!strcmp(devirt_event_name(DEVIRT_EVENT_USER), "user"), "last event", "");
	check(!strcmp(devirt_event_name(DEVIRT_EVENT_USER + 1), "unknown"), "no event", "");
	check(!strcmp(devirt_irq_policy_name(DEVIRT_IRQ_FIXED), "fixed"), "policy", "");
	check(!strcmp(devirt_irq_policy_name(DEVIRT_IRQ_FIXED + 1), "unknown"), "no policy", "");
	check(!strcmp(devirt_intruder_name(0), "unknown"), "no intruder", "");
	for (uint32_t kind = DEVIRT_INTRUDER_USER; kind <= DEVIRT_INTRUDER_TICK; kind++)
		check(strcmp(devirt_intruder_name(kind), "unknown") != 0, "intruder",
		      devirt_intruder_name(kind));
	check(devirt_intruder_movable(DEVIRT_INTRUDER_IRQ) &&
	      !devirt_intruder_movable(DEVIRT_INTRUDER_MANAGED) &&
	      !devirt_intruder_movable(99), "what can move", "");
}

static void topology(void)
{
	struct devirt_topology *topology;
	const struct devirt_core *cores;
	size_t count;

	check(!devirt_topology_load(&topology, "synthetic:node:2 core:2 pu:2"), "synthetic", "");
	check(!devirt_topology_is_host(topology), "is not this machine", "");
	cores = devirt_topology_cores(topology, &count);
	check(count == 4 && cores[3].node == 1 && cores[3].count == 2 && cores[3].cpus[1] == 7,
	      "cores", "");
	check(devirt_topology_core_of(topology, 5) == &cores[2], "core of a CPU", "");
	check(!devirt_topology_core_of(topology, 8), "no such CPU", "");
	devirt_topology_nodes(topology, &count);
	check(count == 2, "nodes", "");
	devirt_topology_free(topology);
	check(!devirt_topology_load(&topology, NULL), "this machine", "");
	check(devirt_topology_is_host(topology), "is this machine", "");
	devirt_topology_free(topology);
	check(devirt_topology_load(&topology, "/dev/null") == -EINVAL && !topology, "no topology", "");
}

static void no_module(void)
{
	struct devirt_intruder *intruders;
	struct devirt_cpu_stats *cpus;
	struct devirt_query query;
	struct devirt_stats stats;

	check(devirt_query_module(-1, &query) == -EBADF, "no descriptor", "");
	check(devirt_create_partition(-1, "a/b") == -EINVAL, "name is checked first", "");
	check(devirt_wait_released(-1, 0) == -ETIMEDOUT, "nothing to wait for", "");
	check(devirt_get_stats(-1, &stats, &cpus, &intruders) == -EBADF && !cpus && !intruders,
	      "no statistics", "");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	addresses();
	names();
	records();
	reasons();
	pools();
	words();
	topology();
	no_module();
	printf("1..%d\n", tests);
	return failures != 0;
}
