// SPDX-License-Identifier: GPL-2.0
/*
 * A host that doesn't stand still: while partitions come and go, tasks are
 * started, moved and ended, interrupts are moved, asked for and freed, and a
 * guest runs. After each round every task and every interrupt has the affinity
 * that was last asked for, and everything else is as it was.
 */

/* Some 2 s a round. */
#define TAP_SECONDS	400

#include "device.h"
#include "minivm.h"
#include "rounds.h"
#include "tap.h"

#define ROUNDS	50
#define TASKS	24
#define ALL	0x3f
#define IRQS	512

/**
 * struct thing - a task or an interrupt, and what was asked for it
 * @id: process id, or number of the interrupt
 * @before: its affinity at first
 * @asked: the affinity that it should have without leases
 */
struct thing {
	int id;
	unsigned long before;
	unsigned long asked;
};

static struct thing tasks[TASKS], irqs[IRQS];
static int irq_count;
static unsigned long long state = 0xc0ffee;
static unsigned int moves, starts, rebinds;

static void reset(void)
{
	pci_bind(PAIR_A, "e1000");
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

static unsigned int some(unsigned int below)
{
	return prng(&state) % below;
}

static void sleeper(void *arg)
{
	for (;;)
		pause();
}

static void start_task(struct thing *task)
{
	task->id = spawn(sleeper, NULL);
	task->asked = ALL;
	starts++;
}

static void end_task(struct thing *task)
{
	kill(task->id, SIGKILL);
	waitpid(task->id, NULL, 0);
}

static void move_task(struct thing *task)
{
	unsigned long mask = 1 + some(ALL);

	REQUIRE_EQ(set_mask(task->id, mask), 0);
	task->asked = mask;
	moves++;
}

static void find_irqs(void)
{
	int irq;

	for (irq = 1; irq < IRQS; irq++) {
		if (irq_movable(irq))
			irqs[irq_count++] = (struct thing){ irq, irq_affinity(irq), irq_affinity(irq) };
	}
}

/* As irqbalance does. One without remapping moves only when it fires next. */
static void move_irq(struct thing *irq)
{
	unsigned long mask = 1 + some(ALL);

	if (!irq_write(irq->id, mask)) {
		irq->asked = mask;
		moves++;
	}
}

/* For ever: children that live for a moment, and children of theirs. */
static void fork_all_the_time(void *arg)
{
	for (;;) {
		if (!fork()) {
			if (!fork())
				tap_pause(3);
			_exit(0);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		tap_pause(1);
	}
}

/* One of the host's drivers leaves and returns, with its interrupt. */
static void rebind(void)
{
	pci_bind(PAIR_A, NULL);
	REQUIRE_EQ(pci_bind(PAIR_A, "e1000"), 0);
	rebinds++;
}

static void stir(int times)
{
	while (times--) {
		struct thing *task = &tasks[some(TASKS)];

		switch (some(8)) {
		case 0:
			end_task(task);
			start_task(task);
			break;
		case 1:
		case 2:
			move_irq(&irqs[some(irq_count)]);
			break;
		default:
			move_task(task);
		}
	}
}

static int lease_core(const char *name, int cpu)
{
	struct devirt_record recs[] = { rec_cpu(cpu, DEVIRT_ROLE_VCPU, 0),
					rec_cpu(cpu + 1, DEVIRT_ROLE_VCPU, 1) };
	int part = lease_new(name, recs, 2);

	REQUIRE(part >= 0, "%s: %s", name, strerror(-part));
	return part;
}

/* The tasks that were started meanwhile have its descriptor too. */
static void give_back(int part)
{
	CHECK_EQ(lease_release(part), 0);
	close(part);
}

static void all_as_asked(int round)
{
	int i;

	for (i = 0; i < TASKS; i++)
		CHECK(EVENTUALLY(mask_of(tasks[i].id) == tasks[i].asked),
		      "round %d: task %d has %#lx, not %#lx", round, tasks[i].id,
		      mask_of(tasks[i].id), tasks[i].asked);
	for (i = 0; i < irq_count; i++)
		CHECK(irq_affinity(irqs[i].id) == irqs[i].asked,
		      "round %d: interrupt %d has %#lx, not %#lx", round, irqs[i].id,
		      irq_affinity(irqs[i].id), irqs[i].asked);
}

/* Two leases that overlap in time, in one of four orders, and a guest. */
static void round_of_leases(int round)
{
	bool other_first = some(2), other_last = some(2);
	struct minivm *vm = minivm_new(2);
	int part, other = -1;

	minivm_start(vm);
	if (other_first)
		other = lease_core("other", 4);
	stir(4);
	part = lease_core("churn", 2);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	stir(8);
	if (other < 0)
		other = lease_core("other", 4);
	if (round % 10 == 5)
		rebind();
	stir(8);
	CHECK(EVENTUALLY(minivm_ran(vm, 5)));
	give_back(other_last ? part : other);
	stir(4);
	give_back(other_last ? other : part);
	stir(2);
	CHECK_EQ(vm->error, 0);
	minivm_stop(vm);
	minivm_free(vm);
}

TEST("leases on a host where tasks and interrupts come, move and go")
{
	struct host before, after;
	pid_t forker;
	int rounds = rounds_of(ROUNDS), i, round;

	find_irqs();
	REQUIRE(irq_count > 5, "%d", irq_count);
	host_take(&before, false);
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < TASKS; i++)
			start_task(&tasks[i]);
		forker = spawn(fork_all_the_time, NULL);
		round_of_leases(round);
		all_as_asked(round);
		kill(forker, SIGKILL);
		waitpid(forker, NULL, 0);
		for (i = 0; i < TASKS; i++)
			end_task(&tasks[i]);
		for (i = 0; i < irq_count; i++) {
			REQUIRE_EQ(irq_write(irqs[i].id, irqs[i].before), 0);
			irqs[i].asked = irqs[i].before;
		}
		host_take(&after, false);
		CHECK(!host_diff(&before, &after, stdout, "# "), "round %d", round);
		host_free(&after);
	}
	host_free(&before);
	printf("# %d rounds: %u tasks started, %u affinities set, %u drivers bound again\n", round,
	       starts, moves, rebinds);
}
