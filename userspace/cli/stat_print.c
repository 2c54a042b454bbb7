// SPDX-License-Identifier: GPL-2.0
/* Statistics as tables and as JSON. */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "stat.h"

/* How a number is written: all of it, or how many a second. */
struct scale {
	double seconds;		/* 0: all of it */
	char text[32];
};

/* ---------------------------------------------------------------- numbers */

/* Five characters at most. */
static const char *count_text(double count, char text[32])
{
	static const char units[] = "kMGTPE";
	int unit = -1;

	if (count < 10 && count != (unsigned int)count) {
		snprintf(text, 32, count < 0.1 ? "<0.1" : "%.1f", count);
		return text;
	}
	if (count < 99999.5) {
		snprintf(text, 32, "%.0f", count);
		return text;
	}
	for (; count >= 999.5 && units[unit + 1]; unit++)
		count /= 1000;
	snprintf(text, 32, count < 99.95 ? "%.1f%c" : "%.0f%c", count, units[unit]);
	return text;
}

static const char *time_text(uint64_t ns, char text[32])
{
	uint64_t seconds = ns / 1000000000;

	if (ns < 1000)
		snprintf(text, 32, "%uns", (unsigned int)ns);
	else if (ns < 999500)
		snprintf(text, 32, ns < 99950 ? "%.1fus" : "%.0fus", ns / 1e3);
	else if (ns < 999500000)
		snprintf(text, 32, ns < 99950000 ? "%.1fms" : "%.0fms", ns / 1e6);
	else if (seconds < 60)
		snprintf(text, 32, "%.1fs", ns / 1e9);
	else if (seconds < 3600)
		snprintf(text, 32, "%um%02us", (unsigned int)(seconds / 60),
			 (unsigned int)(seconds % 60));
	else if (seconds < 86400)
		snprintf(text, 32, "%uh%02um", (unsigned int)(seconds / 3600),
			 (unsigned int)(seconds / 60 % 60));
	else
		snprintf(text, 32, "%llud%02uh", (unsigned long long)seconds / 86400,
			 (unsigned int)(seconds / 3600 % 24));
	return text;
}

static const char *number(struct scale *scale, uint64_t now, uint64_t before)
{
	if (!scale->seconds)
		return count_text(now, scale->text);
	/* a counter that began anew */
	return count_text((now < before ? now : now - before) / scale->seconds, scale->text);
}

/* A time; of each second it is a share. */
static const char *duration(struct scale *scale, uint64_t now, uint64_t before)
{
	double share;

	if (!scale->seconds)
		return time_text(now, scale->text);
	share = (now < before ? now : now - before) / scale->seconds / 1e7;
	/* so many and more are what rounding makes of all of it */
	snprintf(scale->text, sizeof(scale->text), "%.1f%%", share > 100 ? 100 : share);
	return scale->text;
}

/* ----------------------------------------------------------------- tables */

static const struct devirt_cpu_stats *same_cpu(const struct stat_one *before,
					       const struct devirt_cpu_stats *cpu)
{
	static const struct devirt_cpu_stats none;

	for (uint32_t i = 0; before && i < before->stats.cpu_count; i++)
		if (before->cpus[i].cpu == cpu->cpu)
			return &before->cpus[i];
	return &none;
}

static void cpu_line(struct libscols_table *table, const struct devirt_cpu_stats *now,
		     struct devirt_cpu_stats before, struct scale *scale)
{
	struct libscols_line *line = table_line(table);

	table_cell(line, 0, "%u", now->cpu);
	if (now->role == DEVIRT_ROLE_VCPU)
		table_cell(line, 1, "vCPU %u", now->vcpu);
	else
		table_cell(line, 1, "%s", now->role == DEVIRT_ROLE_EMULATOR ? "emulator" : "idle");
	if (now->thread != before.thread) {
		/* another thread's numbers begin with its own pinning */
		before.run_ns = 0;
		before.wait_ns = 0;
		before.preempted = 0;
		before.migrations = 0;
	}
	if (now->thread) {
		table_cell(line, 2, "%u", now->thread);
		/* as wide as they get, so that nothing moves about on a terminal */
		table_cell(line, 3, "%6s", duration(scale, now->run_ns, before.run_ns));
		table_cell(line, 4, "%6s", duration(scale, now->wait_ns, before.wait_ns));
		table_cell(line, 5, "%s", number(scale, now->preempted, before.preempted));
		table_cell(line, 6, "%s", number(scale, now->migrations, before.migrations));
	} else {
		for (size_t i = 2; i <= 6; i++)
			table_cell(line, i, "-");
	}
	if (now->thread && now->role == DEVIRT_ROLE_VCPU)
		table_cell(line, 7, "%5s", number(scale, now->exits, before.exits));
	else
		table_cell(line, 7, "-");
	table_cell(line, 8, "%5s", number(scale, now->irqs_home, before.irqs_home));
	table_cell(line, 9, "%5s", number(scale, now->irqs_away, before.irqs_away));
	table_cell(line, 10, "%s", number(scale, now->intrusions, before.intrusions));
	if (now->irqs_away != before.irqs_away)
		table_color(line, 9, "brown");
	if (now->thread && now->migrations != before.migrations)
		table_color(line, 6, "brown");
}

static const char *intruder_words(uint32_t kind)
{
	switch (kind) {
	case DEVIRT_INTRUDER_USER:
		return "user task, moved away";
	case DEVIRT_INTRUDER_KTHREAD:
		return "kernel thread, moved away";
	case DEVIRT_INTRUDER_IRQ:
		return "interrupt that could be elsewhere";
	case DEVIRT_INTRUDER_BOUND:
		return "can't move: this CPU's kernel thread";
	case DEVIRT_INTRUDER_MANAGED:
		return "can't move: this CPU's interrupt";
	case DEVIRT_INTRUDER_TICK:
		return "can't move: the timer";
	}
	return "unknown";
}

/* For the order in which they are told: the CPU, what could be elsewhere, the
 * most.
 */
struct ranked {
	const struct devirt_intruder *intruder;
	uint64_t before;
	uint64_t more;
};

static int by_rank(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;
	bool a_moves = devirt_intruder_movable(a->intruder->kind);
	bool b_moves = devirt_intruder_movable(b->intruder->kind);

	if (a->intruder->cpu != b->intruder->cpu)
		return a->intruder->cpu < b->intruder->cpu ? -1 : 1;
	if (a_moves != b_moves)
		return a_moves ? -1 : 1;
	if (a->more != b->more)
		return a->more > b->more ? -1 : 1;
	return strcmp(a->intruder->name, b->intruder->name);
}

static uint64_t count_before(const struct stat_one *before, const struct devirt_intruder *intruder)
{
	for (uint32_t i = 0; before && i < before->stats.intruder_count; i++) {
		const struct devirt_intruder *other = &before->intruders[i];

		if (other->cpu == intruder->cpu && other->kind == intruder->kind &&
		    !strcmp(other->name, intruder->name) &&
		    /* two interrupts may have a name in common */
		    (other->pid == intruder->pid || (intruder->kind != DEVIRT_INTRUDER_IRQ &&
						     intruder->kind != DEVIRT_INTRUDER_MANAGED)))
			return other->count <= intruder->count ? other->count : 0;
	}
	return 0;
}

static void intruder_line(struct libscols_table *table, const struct ranked *ranked, bool first,
			  struct scale *scale)
{
	const struct devirt_intruder *intruder = ranked->intruder;
	bool irq = intruder->kind == DEVIRT_INTRUDER_IRQ ||
		   intruder->kind == DEVIRT_INTRUDER_MANAGED;
	struct libscols_line *line = table_line(table);

	if (first)
		table_cell(line, 0, "%u", intruder->cpu);
	table_cell(line, 1, "%5s", number(scale, intruder->count, ranked->before));
	if (intruder->pid)
		table_cell(line, 2, "%s (%s%u)", intruder->name, irq ? "IRQ " : "", intruder->pid);
	else
		table_cell(line, 2, "%s", intruder->name);
	table_cell(line, 3, "%s", intruder_words(intruder->kind));
	if (devirt_intruder_movable(intruder->kind))
		table_color(line, 3, "brown");
}

static void print_intruders(FILE *file, const struct stat_one *now, const struct stat_one *before,
			    struct scale *scale)
{
	static const char *const totals[] = { "CPU>", "COUNT>", "INTRUDER", "KIND~", NULL };
	static const char *const rates[] = { "CPU>", "PER-S>", "INTRUDER", "KIND~", NULL };
	struct ranked *ranked = calloc(now->stats.intruder_count + 1, sizeof(*ranked));
	struct libscols_table *table;
	size_t count = 0;

	if (!ranked)
		return;
	for (uint32_t i = 0; i < now->stats.intruder_count; i++) {
		const struct devirt_intruder *intruder = &now->intruders[i];
		uint64_t known = count_before(before, intruder);

		if (intruder->count == known)
			continue;
		ranked[count++] = (struct ranked){ intruder, known, intruder->count - known };
	}
	qsort(ranked, count, sizeof(*ranked), by_rank);
	if (count) {
		table = table_new(before ? rates : totals);
		for (size_t i = 0; i < count; i++)
			intruder_line(table, &ranked[i],
				      !i || ranked[i].intruder->cpu != ranked[i - 1].intruder->cpu,
				      scale);
		fprintf(file, "\n");
		table_print(table, file);
	} else {
		fprintf(file, before ? "No intruder.\n" : "No intruder so far.\n");
	}
	free(ranked);
	if (now->stats.unnamed && (!before || now->stats.unnamed != before->stats.unnamed))
		fprintf(file, "And %s%s by tasks of more names than are kept.\n",
			number(scale, now->stats.unnamed, before ? before->stats.unnamed : 0),
			before ? " a second" : "");
}

void stat_print(FILE *file, const struct stat_one *now, const struct stat_one *before)
{
	static const char *const headings[] = { "CPU>", "ROLE", "THREAD>", "RUN>", "WAIT>",
						"PREEMPT>", "MOVED>", "EXITS>", "IRQS>",
						"AWAY>", "INTRUDED>", NULL };
	char *vmm = now->get.vmm ? devirt_process_name(now->get.vmm) : NULL;
	char *vmm_plain = vmm ? plain_text(vmm) : NULL;
	struct libscols_table *table;
	struct scale scale = { 0 };

	/* its CPUs were leased anew */
	if (before && (now->stats.held_ns <= before->stats.held_ns || !before->stats.cpu_count))
		before = NULL;
	fprintf(file, "%s: %s, VMM: %s", now->get.name, devirt_state_name(now->get.state),
		vmm_plain ? vmm_plain : "none");
	free(vmm_plain);
	free(vmm);
	if (!now->stats.cpu_count) {
		fprintf(file, "\nIt has no CPUs.\n");
		return;
	}
	if (before)
		scale.seconds = (now->stats.held_ns - before->stats.held_ns) / 1e9;
	if (before)
		fprintf(file, "; per second, in the last %.1f s\n", scale.seconds);
	else
		fprintf(file, "; in %s\n", time_text(now->stats.held_ns, scale.text));
	table = table_new(headings);
	for (uint32_t i = 0; i < now->stats.cpu_count; i++)
		cpu_line(table, &now->cpus[i], *same_cpu(before, &now->cpus[i]), &scale);
	table_print(table, file);
	print_intruders(file, now, before, &scale);
}

/* ------------------------------------------------------------------- JSON */

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static struct json_object *cpu_json(const struct devirt_cpu_stats *cpu)
{
	struct json_object *object = json_object_new_object();

	add_number(object, "record", cpu->record);
	add_number(object, "cpu", cpu->cpu);
	json_object_object_add(object, "role", json_text(devirt_role_name(cpu->role)));
	if (cpu->role == DEVIRT_ROLE_VCPU)
		add_number(object, "vcpu", cpu->vcpu);
	json_object_object_add(object, "thread",
			       cpu->thread ? json_object_new_int64(cpu->thread) : NULL);
	add_number(object, "run_ns", cpu->run_ns);
	add_number(object, "wait_ns", cpu->wait_ns);
	add_number(object, "preempted", cpu->preempted);
	add_number(object, "migrations", cpu->migrations);
	add_number(object, "exits", cpu->exits);
	add_number(object, "irqs_home", cpu->irqs_home);
	add_number(object, "irqs_away", cpu->irqs_away);
	add_number(object, "intrusions", cpu->intrusions);
	return object;
}

static struct json_object *intruder_json(const struct devirt_intruder *intruder)
{
	bool irq = intruder->kind == DEVIRT_INTRUDER_IRQ ||
		   intruder->kind == DEVIRT_INTRUDER_MANAGED;
	struct json_object *object = json_object_new_object();

	add_number(object, "cpu", intruder->cpu);
	json_object_object_add(object, "kind", json_text(devirt_intruder_name(intruder->kind)));
	json_object_object_add(object, "movable", json_object_new_boolean(
			       devirt_intruder_movable(intruder->kind)));
	json_object_object_add(object, "name", json_text(intruder->name));
	if (intruder->pid)
		add_number(object, irq ? "irq" : "pid", intruder->pid);
	add_number(object, "count", intruder->count);
	return object;
}

struct json_object *stat_json(const struct stat_one *one)
{
	struct json_object *object = json_object_new_object();
	struct json_object *cpus = json_object_new_array();
	struct json_object *intruders = json_object_new_array();

	json_object_object_add(object, "name", json_text(one->get.name));
	json_object_object_add(object, "state", json_text(devirt_state_name(one->get.state)));
	json_object_object_add(object, "vmm",
			       one->get.vmm ? json_object_new_int64(one->get.vmm) : NULL);
	add_number(object, "held_ns", one->stats.held_ns);
	for (uint32_t i = 0; i < one->stats.cpu_count; i++)
		json_object_array_add(cpus, cpu_json(&one->cpus[i]));
	for (uint32_t i = 0; i < one->stats.intruder_count; i++)
		json_object_array_add(intruders, intruder_json(&one->intruders[i]));
	json_object_object_add(object, "cpus", cpus);
	json_object_object_add(object, "intruders", intruders);
	add_number(object, "unnamed", one->stats.unnamed);
	return object;
}
