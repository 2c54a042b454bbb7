// SPDX-License-Identifier: GPL-2.0
/* DEVIRT_STATS: what leased CPUs have done, beside what the kernel itself says. */
#include <sched.h>
#include <sys/syscall.h>

#include "lease.h"
#include "minivm.h"
#include "tap.h"

#define ROOM	256

static struct devirt_cpu_stats cpus[CPUS];
static struct devirt_intruder intruders[ROOM];
static struct devirt_stats all;
static struct minivm *vm;

static int take(int part)
{
	all = (struct devirt_stats){
		.size = sizeof(all),
		.cpus = (unsigned long)cpus, .cpu_count = CPUS, .cpu_size = sizeof(cpus[0]),
		.intruders = (unsigned long)intruders, .intruder_count = ROOM,
		.intruder_size = sizeof(intruders[0]),
	};
	memset(cpus, 0, sizeof(cpus));
	memset(intruders, 0, sizeof(intruders));
	return lease_ioctl(part, DEVIRT_STATS, &all);
}

/* vCPU 0 on CPU 2, vCPU 1 on CPU 3; 4 and 5 for nobody. */
static int lease_two(const char *name)
{
	struct devirt_record recs[] = {
		rec_cpu(2, DEVIRT_ROLE_VCPU, 0), rec_cpu(3, DEVIRT_ROLE_VCPU, 1),
		rec_cpu(4, 0, 0), rec_cpu(5, 0, 0),
	};
	int part = lease_new(name, recs, 4);

	REQUIRE(part >= 0, "%s", strerror(-part));
	return part;
}

static unsigned long long intruder_count(int cpu, unsigned int kind, const char *name)
{
	unsigned long long count = 0;
	unsigned int i;

	for (i = 0; i < all.intruder_count; i++) {
		if ((int)intruders[i].cpu == cpu && intruders[i].kind == kind &&
		    (!name || !strcmp(intruders[i].name, name)))
			count += intruders[i].count;
	}
	return count;
}

/* Fields of it: time on a CPU, time waiting for one. */
static unsigned long long schedstat(pid_t tid, int field)
{
	char text[256];
	unsigned long long value[3] = {};

	REQUIRE_EQ(file_read(text, sizeof(text), "/proc/%d/schedstat", tid), 0);
	REQUIRE_EQ(sscanf(text, "%llu %llu %llu", &value[0], &value[1], &value[2]), 3);
	return value[field];
}

TEST("a partition that holds nothing, or no CPUs, has no entries")
{
	struct devirt_record rec = rec_pci(EDU);
	int part = lease_create("none");

	REQUIRE(part >= 0);
	CHECK_EQ(take(part), 0);
	CHECK_EQ(all.cpu_count, 0);
	CHECK_EQ(all.intruder_count, 0);
	CHECK_EQ(all.held_ns, 0);
	REQUIRE_EQ(lease_apply(part, 0, &rec, 1, NULL), 0);
	CHECK_EQ(take(part), 0);
	CHECK_EQ(all.cpu_count, 0);
	CHECK_EQ(all.intruder_count, 0);
	CHECK(all.held_ns > 0);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(take(part), 0);
	CHECK_EQ(all.cpu_count, 0);
	CHECK_EQ(all.held_ns, 0);
}

TEST("each leased CPU has an entry, in the order of the description")
{
	int part = lease_two("order"), i;

	CHECK_EQ(take(part), 0);
	REQUIRE_EQ(all.cpu_count, 4);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(cpus[i].record, i);
		CHECK_EQ(cpus[i].cpu, 2 + i);
		CHECK_EQ(cpus[i].role, i < 2 ? DEVIRT_ROLE_VCPU : DEVIRT_ROLE_NONE);
		CHECK_EQ(cpus[i].vcpu, i == 1);
		CHECK_EQ(cpus[i].thread, 0);
		CHECK_EQ(cpus[i].run_ns, 0);
		CHECK_EQ(cpus[i].exits, 0);
	}
}

TEST("too little room is refused, saying how much is needed")
{
	int part = lease_two("room");

	CHECK_EQ(take(part), 0);
	all.cpu_count = 3;
	CHECK_EQ(lease_ioctl(part, DEVIRT_STATS, &all), -EMSGSIZE);
	CHECK_EQ(all.cpu_count, 4);
	/* The local timer comes sooner or later. */
	CHECK(EVENTUALLY(!take(part) && all.intruder_count));
	all.intruder_count = 0;
	CHECK_EQ(lease_ioctl(part, DEVIRT_STATS, &all), -EMSGSIZE);
	CHECK(all.intruder_count > 0);
}

TEST("bad arguments are refused")
{
	int part = lease_two("bad");

	CHECK_EQ(take(part), 0);
	all.flags = 1;
	CHECK_EQ(lease_ioctl(part, DEVIRT_STATS, &all), -EOPNOTSUPP);
	CHECK_EQ(take(part), 0);
	all.cpu_size = sizeof(cpus[0]) - 1;
	CHECK_EQ(lease_ioctl(part, DEVIRT_STATS, &all), -EINVAL);
	CHECK_EQ(take(part), 0);
	all.intruder_size = 1 << 20;
	CHECK_EQ(lease_ioctl(part, DEVIRT_STATS, &all), -E2BIG);
	CHECK_EQ(take(part), 0);
	all.cpus = 8;
	all.cpu_count = CPUS;
	all.intruder_count = ROOM;
	CHECK_EQ(lease_ioctl(part, DEVIRT_STATS, &all), -EFAULT);
}

TEST("a vCPU's thread: its times are the scheduler's, its exits are those that it saw")
{
	int part = lease_two("vcpu"), i;
	unsigned long long run, wait;
	unsigned long exits;

	vm = minivm_new(2);
	minivm_start(vm);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 200)));
	for (i = 0; i < 2; i++) {
		exits = vm->exits[i];
		CHECK_EQ(take(part), 0);
		run = schedstat(vm->tids[i], 0);
		wait = schedstat(vm->tids[i], 1);
		CHECK_EQ(cpus[i].thread, vm->tids[i]);
		/* Since it was pinned, which was soon after it began. */
		CHECK(cpus[i].run_ns > 0 && cpus[i].run_ns <= run, "%llu of %llu",
		      (unsigned long long)cpus[i].run_ns, run);
		CHECK(cpus[i].wait_ns <= wait, "%llu of %llu",
		      (unsigned long long)cpus[i].wait_ns, wait);
		/* Each is seen by the VMM; the kernel handles some by itself. */
		CHECK(cpus[i].exits >= exits, "%llu, not %lu",
		      (unsigned long long)cpus[i].exits, exits);
		CHECK_EQ(cpus[i].migrations, 0);
	}
	minivm_stop(vm);
	CHECK_EQ(take(part), 0);
	CHECK_EQ(cpus[0].thread, 0);
	CHECK_EQ(cpus[0].run_ns, 0);
	CHECK_EQ(cpus[0].exits, 0);
}

/* Column of CPU @cpu in the line of /proc/interrupts that begins with @head. */
static unsigned long long interrupts(const char *head, int cpu)
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned long long value = 0;
	char line[4096], *at;
	int i;

	REQUIRE(file);
	while (fgets(line, sizeof(line), file)) {
		at = line + strspn(line, " ");
		if (strncmp(at, head, strlen(head)))
			continue;
		at += strlen(head);
		for (i = 0; i <= cpu; i++)
			value = strtoull(at, &at, 10);
	}
	fclose(file);
	return value;
}

TEST("the local timer on a leased CPU is counted, as often as /proc/interrupts does")
{
	unsigned long long before = interrupts("LOC:", 2), begin, counted;
	int part = lease_two("tick");

	begin = interrupts("LOC:", 2);
	while (interrupts("LOC:", 2) < begin + 3)
		sched_yield();
	CHECK_EQ(take(part), 0);
	counted = intruder_count(2, DEVIRT_INTRUDER_TICK, "local timer");
	CHECK(counted >= 3, "%llu", counted);
	CHECK(counted <= interrupts("LOC:", 2) - before, "%llu", counted);
}

TEST("a new lease begins at zero")
{
	unsigned long long first, second;
	int part = lease_two("zero");

	tap_pause(1000);
	CHECK_EQ(take(part), 0);
	first = all.held_ns;
	close(part);
	part = lease_two("zero");
	CHECK_EQ(take(part), 0);
	second = all.held_ns;
	CHECK(second < first, "%llu, before %llu", second, first);
}
