// SPDX-License-Identifier: GPL-2.0
/*
 * Which CPUs. Cores are given whole, since siblings share caches and timing and
 * the kernel refuses half a core; on one node, since memory of another is slow;
 * and not CPU 0's while there is another, since the host's own work is there.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "planner.h"

/* A core, while the plan is made. */
struct candidate {
	const struct devirt_core *core;
	const char *owner;	/* a partition that has some of it */
	bool first;		/* CPU 0's */
	bool taken;		/* by this plan */
	bool picked;		/* set aside for counted CPUs, see pick() */
};

struct cpu_plan {
	struct plan *plan;
	const struct config_cpus *cpus;
	struct candidate *v;
	size_t count;
	unsigned int smt;	/* threads in the host's cores; the least */
	unsigned int threads;	/* vCPUs to a core */
	unsigned int vcpus;
	bool named;		/* cpus= is a list */
};

static struct candidate *candidate_of(struct cpu_plan *p, unsigned int cpu)
{
	const struct devirt_core *core = devirt_topology_core_of(p->plan->topology, cpu);

	for (size_t i = 0; i < p->count; i++)
		if (p->v[i].core == core)
			return &p->v[i];
	return NULL;
}

static int find_candidates(struct cpu_plan *p)
{
	const struct devirt_core *cores;

	cores = devirt_topology_cores(p->plan->topology, &p->count);
	p->v = calloc(p->count, sizeof(*p->v));
	if (!p->v)
		return fail_memory();
	p->smt = DEVIRT_CORE_THREADS;
	for (size_t i = 0; i < p->count; i++) {
		p->v[i].core = &cores[i];
		if (cores[i].count < p->smt)
			p->smt = cores[i].count;
		for (unsigned int k = 0; k < cores[i].count; k++) {
			if (!cores[i].cpus[k])
				p->v[i].first = true;
			if (!p->v[i].owner)
				p->v[i].owner = held_cpu(&p->plan->held, cores[i].cpus[k]);
		}
	}
	return 0;
}

/* How many CPUs the host would keep. */
static unsigned int host_cpus(const struct cpu_plan *p)
{
	unsigned int count = 0;

	for (size_t i = 0; i < p->count; i++)
		if (!p->v[i].owner && !p->v[i].taken && !p->v[i].picked)
			count += p->v[i].core->count;
		else if (!p->v[i].owner && p->cpus->share_core)
			count += p->v[i].core->count - p->threads;
	return count;
}

/* ------------------------------------------------------------ named CPUs */

static int take_named(struct cpu_plan *p, const struct config_list *list, const char *key)
{
	bool shared = p->cpus->share_core;

	for (size_t i = 0; i < list->count; i++) {
		struct candidate *candidate = candidate_of(p, list->cpus[i]);
		const char *owner = held_cpu(&p->plan->held, list->cpus[i]);

		if (!candidate)
			return plan_fail(p->plan, list->line, "'lscpu -e' lists the CPUs",
					 "%s=: there is no CPU %u, or it is offline", key,
					 list->cpus[i]);
		if (owner)
			return plan_fail(p->plan, list->line, "take another",
					 "%s=: partition '%s' has CPU %u", key, owner,
					 list->cpus[i]);
		if (candidate->owner && !shared)
			return plan_fail(p->plan, list->line, "take another, or say share-core=yes",
					 "%s=: partition '%s' has a sibling of CPU %u", key,
					 candidate->owner, list->cpus[i]);
		if (candidate->first && !candidate->taken)
			plan_note(p->plan, "CPU %u is on CPU 0's core, where the host's own work is",
				  list->cpus[i]);
		candidate->taken = true;
	}
	return 0;
}

/* ---------------------------------------------------------- counted CPUs */

static bool usable(const struct cpu_plan *p, const struct candidate *candidate)
{
	return !candidate->owner && !candidate->taken && !candidate->picked &&
	       candidate->core->count >= p->threads;
}

static size_t count_free(const struct cpu_plan *p, int node, bool with_first)
{
	size_t count = 0;

	for (size_t i = 0; i < p->count; i++)
		count += usable(p, &p->v[i]) && (with_first || !p->v[i].first) &&
			 (node == DEVIRT_NODE_ANY || p->v[i].core->node == node);
	return count;
}

/* Sets up to @need cores of a node aside; ascending, so that neighbours share
 * what caches they can. Returns how many.
 */
static size_t pick_on(struct cpu_plan *p, int node, size_t need, bool with_first)
{
	size_t count = 0;

	/* CPU 0's only when all others are taken */
	for (int first = 0; first <= with_first; first++) {
		for (size_t i = 0; i < p->count && count < need; i++) {
			if (!usable(p, &p->v[i]) || p->v[i].first != !!first ||
			    (node != DEVIRT_NODE_ANY && p->v[i].core->node != node))
				continue;
			p->v[i].picked = true;
			count++;
		}
	}
	return count;
}

static int freest_node(const struct cpu_plan *p, int except)
{
	size_t most = 0, n;
	const int *nodes;
	int best = DEVIRT_NODE_ANY;

	nodes = devirt_topology_nodes(p->plan->topology, &n);
	for (size_t i = 0; i < n; i++) {
		size_t count = nodes[i] == except ? 0 : count_free(p, nodes[i], false);

		if (count > most) {
			most = count;
			best = nodes[i];
		}
	}
	return best;
}

static const char *plural(size_t count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

static int fail_short(struct cpu_plan *p, size_t need, int node)
{
	size_t unused = count_free(p, node, true), leased = 0;
	char where[40] = "", others[64] = "";
	int line = p->cpus->line;

	for (size_t i = 0; i < p->count; i++)
		leased += p->v[i].owner &&
			  (node == DEVIRT_NODE_ANY || p->v[i].core->node == node);
	if (node != DEVIRT_NODE_ANY)
		snprintf(where, sizeof(where), " on node %d", node);
	if (leased)
		snprintf(others, sizeof(others), ", %zu %s leased", leased,
			 plural(leased, "is", "are"));
	if (unused >= need)
		return plan_fail(p->plan, line, leased ?
				 "ask for less, or release a partition ('devirt show' lists them)" :
				 "ask for less",
				 "%zu whole %s %s wanted, but the host needs one of the %zu that %s free%s",
				 need, plural(need, "core", "cores"), plural(need, "is", "are"),
				 unused, plural(unused, "is", "are"), others);
	return plan_fail(p->plan, line, node == DEVIRT_NODE_ANY ?
			 "ask for less, or release a partition ('devirt show' lists them)" :
			 "ask for less, or leave node= out",
			 "%zu whole %s%s %s wanted, but %zu %s free%s%s", need,
			 plural(need, "core", "cores"),
			 p->threads > 1 ? " with two threads" : "", plural(need, "is", "are"),
			 unused, plural(unused, "is", "are"), where, others);
}

/*
 * Sets @need cores aside. In this order: the node that is wanted, any other one
 * that has them all, several nodes, and only then CPU 0's core.
 */
static int pick(struct cpu_plan *p, size_t need, bool strict)
{
	int near = p->plan->near, node;
	const char *why = p->plan->near_why ? p->plan->near_why : "";
	size_t got = 0;

	if (near != DEVIRT_NODE_ANY && count_free(p, near, strict) >= need) {
		/* a node that was named outright may cost CPU 0's core */
		if (count_free(p, near, false) < need)
			plan_note(p->plan, "CPU 0's core is among them: node %d has no other left",
				  near);
		pick_on(p, near, need, strict);
		return host_cpus(p) ? 0 : fail_short(p, need, near);
	}
	if (strict)
		return fail_short(p, need, near);
	node = freest_node(p, near);
	if (node != DEVIRT_NODE_ANY && count_free(p, node, false) >= need) {
		if (near != DEVIRT_NODE_ANY)
			plan_note(p->plan, "CPUs are on node %d: node %d (%s) has only %zu of %zu cores free",
				  node, near, why, count_free(p, near, false), need);
		pick_on(p, node, need, false);
		return 0;
	}
	if (count_free(p, DEVIRT_NODE_ANY, false) >= need) {
		if (near != DEVIRT_NODE_ANY)
			got = pick_on(p, near, need, false);
		while (got < need)
			got += pick_on(p, freest_node(p, DEVIRT_NODE_ANY), need - got, false);
		plan_note(p->plan, "CPUs are on several nodes: no node has %zu cores free", need);
		return 0;
	}
	if (count_free(p, DEVIRT_NODE_ANY, true) < need)
		return fail_short(p, need, DEVIRT_NODE_ANY);
	got = pick_on(p, DEVIRT_NODE_ANY, need, true);
	if (!host_cpus(p)) {
		for (size_t i = 0; i < p->count; i++)
			p->v[i].picked = false;
		return fail_short(p, need, DEVIRT_NODE_ANY);
	}
	plan_note(p->plan, "CPU 0's core is among them, where the host's own work is: no other is left");
	return 0;
}

static struct candidate *next_picked(struct cpu_plan *p)
{
	struct candidate *last = NULL;

	/* of what was set aside, CPU 0's core is the least fit for a vCPU */
	for (size_t i = 0; i < p->count; i++) {
		if (!p->v[i].picked || p->v[i].taken)
			continue;
		if (!p->v[i].first)
			return &p->v[i];
		last = &p->v[i];
	}
	return last;
}

/* --------------------------------------------------------------- records */

static int add(struct cpu_plan *p, unsigned int cpu, uint32_t role, uint32_t vcpu,
	       const char *why)
{
	const struct devirt_core *core = devirt_topology_core_of(p->plan->topology, cpu);
	uint32_t flags = p->cpus->share_core ? DEVIRT_RECORD_SHARE_CORE : 0;
	struct devirt_record_cpu *record;
	int index;

	index = devirt_records_add_cpu(&p->plan->records, cpu, role, vcpu, flags);
	if (index >= 0 && role == DEVIRT_ROLE_VCPU) {
		record = &p->plan->records.v[index].cpu;
		record->latency_us = p->cpus->latency_us;
		record->min_khz = p->cpus->min_khz;
	}
	return plan_item(p->plan, index, "cpus", core ? core->node : DEVIRT_NODE_ANY, "%s", why);
}

static bool is_recorded(const struct cpu_plan *p, unsigned int cpu)
{
	const struct devirt_records *records = &p->plan->records;

	for (uint32_t i = 0; i < records->count; i++)
		if (records->v[i].kind == DEVIRT_KIND_CPU && records->v[i].cpu.cpu == cpu)
			return true;
	return false;
}

static const char *node_why(const struct cpu_plan *p, const struct devirt_core *core,
			    char text[96])
{
	if (p->plan->near == core->node && p->plan->near_why)
		snprintf(text, 96, "whole core, %.70s", p->plan->near_why);
	else if (p->plan->near != DEVIRT_NODE_ANY)
		snprintf(text, 96, "whole core, node %d has no more", p->plan->near);
	else
		snprintf(text, 96, "whole core, node %d is freest", core->node);
	if (p->cpus->share_core)
		memmove(text, text + 12, strlen(text + 12) + 1);
	return text;
}

static int add_counted_vcpus(struct cpu_plan *p)
{
	unsigned int vcpu = 0;
	int status = 0;
	char why[96];

	while (vcpu < p->vcpus && !status) {
		struct candidate *candidate = next_picked(p);

		if (!candidate)
			return fail_memory();
		candidate->taken = true;
		node_why(p, candidate->core, why);
		for (unsigned int k = 0; k < p->threads && !status; k++) {
			if (k)
				snprintf(why, sizeof(why), "sibling of CPU %u",
					 candidate->core->cpus[0]);
			status = add(p, candidate->core->cpus[k], DEVIRT_ROLE_VCPU, vcpu++, why);
		}
	}
	return status;
}

static int add_counted_emulators(struct cpu_plan *p)
{
	unsigned int left = p->cpus->emulator;
	int status = 0;
	char why[96];

	while (left && !status) {
		struct candidate *candidate = next_picked(p);

		if (!candidate)
			return fail_memory();
		candidate->taken = true;
		node_why(p, candidate->core, why);
		for (unsigned int k = 0; k < candidate->core->count && left && !status; k++) {
			if (k)
				snprintf(why, sizeof(why), "sibling of CPU %u",
					 candidate->core->cpus[0]);
			status = add(p, candidate->core->cpus[k], DEVIRT_ROLE_EMULATOR, 0, why);
			left--;
		}
	}
	return status;
}

static int add_named(struct cpu_plan *p, const struct config_list *list, uint32_t role)
{
	int status = 0;

	for (size_t i = 0; i < list->count && !status; i++)
		status = add(p, list->cpus[i], role, role == DEVIRT_ROLE_VCPU ? i : 0,
			     "named in the file");
	return status;
}

/* Siblings of what is leased are taken off the host with it. */
static int add_idle(struct cpu_plan *p)
{
	int status = 0;
	char why[96];

	for (size_t i = 0; i < p->count && !p->cpus->share_core; i++) {
		const struct devirt_core *core = p->v[i].core;
		unsigned int used = 0;

		if (!p->v[i].taken)
			continue;
		for (unsigned int k = 0; k < core->count; k++)
			if (is_recorded(p, core->cpus[k]))
				used = core->cpus[k];
		snprintf(why, sizeof(why), "sibling of CPU %u, kept idle", used);
		for (unsigned int k = 0; k < core->count && !status; k++)
			if (!is_recorded(p, core->cpus[k]))
				status = add(p, core->cpus[k], DEVIRT_ROLE_NONE, 0, why);
	}
	return status;
}

/* One vCPU for each thread where the numbers allow it: half the cores do. */
static int choose_threads(struct cpu_plan *p)
{
	const struct config_cpus *cpus = p->cpus;

	p->threads = cpus->threads;
	if (p->threads == 2 && p->smt < 2)
		return plan_fail(p->plan, cpus->threads_line, "say threads=1",
				 "threads=2 can't be had: a core of this machine has one thread");
	if (!p->threads)
		p->threads = p->smt >= 2 && !cpus->share_core &&
			     (cpus->cores || cpus->count % 2 == 0) ? 2 : 1;
	p->vcpus = cpus->cores ? cpus->cores * p->threads : cpus->count;
	return 0;
}

static void note_nodes(struct cpu_plan *p)
{
	const struct plan *plan = p->plan;

	for (uint32_t i = 1; i < plan->records.count; i++) {
		if (plan->items[i].node == plan->items[0].node)
			continue;
		plan_note(p->plan, "the CPUs that are named are on several nodes");
		return;
	}
	if (plan->near != DEVIRT_NODE_ANY && plan->records.count &&
	    plan->items[0].node != plan->near)
		plan_note(p->plan, "the CPUs that are named are on node %d, not on node %d (%s)",
			  plan->items[0].node, plan->near, plan->near_why);
}

int plan_cpus(struct plan *plan)
{
	struct cpu_plan p = { .plan = plan, .cpus = &plan->config->cpus };
	size_t need = 0;
	int status;

	if (!p.cpus->line)
		return 0;
	p.named = p.cpus->exact.count;
	status = find_candidates(&p);
	if (!status)
		status = choose_threads(&p);
	if (!status)
		status = take_named(&p, &p.cpus->exact, "cpus");
	if (!status)
		status = take_named(&p, &p.cpus->emulator_exact, "emulator-cpus");
	if (status)
		goto out;
	/* the emulator's belong to the guest as its vCPUs do: all or none */
	if (!p.named)
		need += (p.vcpus + p.threads - 1) / p.threads;
	need += (p.cpus->emulator + p.smt - 1) / p.smt;
	if (need)
		status = pick(&p, need, p.cpus->node != CONFIG_UNSET);
	else if (!host_cpus(&p) && !p.cpus->share_core)
		status = plan_fail(plan, p.cpus->exact.line, "leave one core out",
				   "the host would be left without a CPU");
	if (status)
		goto out;
	status = p.named ? add_named(&p, &p.cpus->exact, DEVIRT_ROLE_VCPU) :
			   add_counted_vcpus(&p);
	if (!status)
		status = add_named(&p, &p.cpus->emulator_exact, DEVIRT_ROLE_EMULATOR);
	if (!status)
		status = add_counted_emulators(&p);
	if (!status)
		status = add_idle(&p);
	if (!status && p.named)
		note_nodes(&p);
out:
	free(p.v);
	return status;
}
