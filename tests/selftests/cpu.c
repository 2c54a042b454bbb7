// SPDX-License-Identifier: GPL-2.0
/*
 * Kind cpu: cores taken from the host's tasks, interrupts and workqueues, and
 * given back to them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

#include "device.h"
#include "tap.h"

#define WORKQUEUES	"/sys/devices/virtual/workqueue/cpumask"
#define ALL		0x3f

#define IGB_LINK	"dev $(ls /sys/bus/pci/devices/" IGB "/net) "

static void reset(void)
{
	int cpu;

	/* A link that is up gets addresses by itself, and is in use then. */
	command("ip link set " IGB_LINK "down");

	for (cpu = 1; cpu < CPUS; cpu++)
		file_write("1", "/sys/devices/system/cpu/cpu%d/online", cpu);
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

static unsigned long workqueues(void)
{
	char text[64];

	file_read(text, sizeof(text), WORKQUEUES);
	return strtoul(text, NULL, 16);
}

static void refused(struct devirt_record *recs, int count, int which, int err,
		    unsigned int reason, const char *detail)
{
	int part = lease_create("refused");
	unsigned int failed = 99;

	CHECK_EQ(lease_apply(part, 0, recs, count, &failed), err);
	CHECK_EQ(failed, which);
	CHECK_EQ(recs[which].reason, reason);
	CHECK_STR(recs[which].detail, detail);
	CHECK_EQ(workqueues(), ALL);
	close(part);
}

TEST("half a core is refused, naming the sibling, unless it may be shared")
{
	struct devirt_record rec = rec_cpu(3, 0, 0);
	int part;

	refused(&rec, 1, 0, -EBUSY, DEVIRT_REASON_SIBLING, "2");
	rec = rec_cpu(3, 0, 0);
	rec.flags = DEVIRT_RECORD_SHARE_CORE;
	part = lease_new("shared", &rec, 1);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_EQ(mask_of(0), ALL & ~8);
	CHECK_EQ(rec.node, 0);
}

TEST("whose other half another partition has is refused as well")
{
	struct devirt_record rec = rec_cpu(3, 0, 0);
	int part;

	rec.flags = DEVIRT_RECORD_SHARE_CORE;
	part = lease_new("first", &rec, 1);
	REQUIRE(part >= 0);
	rec = rec_cpu(2, 0, 0);
	part = lease_create("second");
	CHECK_EQ(lease_apply(part, 0, &rec, 1, NULL), -EBUSY);
	CHECK_EQ(rec.reason, DEVIRT_REASON_SIBLING);
}

TEST("the last CPU of the host is refused, also if others have the rest")
{
	struct devirt_record recs[CPUS];
	int i, part;

	for (i = 0; i < CPUS; i++)
		recs[i] = rec_cpu(i, 0, 0);
	refused(recs, CPUS, 5, -EBUSY, DEVIRT_REASON_LAST_CPU, "5");
	part = lease_mask("most", 0x3c);
	REQUIRE(part >= 0);
	recs[0] = rec_cpu(0, 0, 0);
	recs[1] = rec_cpu(1, 0, 0);
	i = lease_create("rest");
	CHECK_EQ(lease_apply(i, 0, recs, 2, NULL), -EBUSY);
	CHECK_EQ(recs[1].reason, DEVIRT_REASON_LAST_CPU);
	/* All but one is possible. */
	recs[0] = rec_cpu(1, 0, 0);
	recs[0].flags = DEVIRT_RECORD_SHARE_CORE;
	CHECK_EQ(lease_apply(i, 0, recs, 1, NULL), 0);
	CHECK_EQ(mask_of(0), 1);
}

TEST("a vCPU named twice is refused, naming the other CPU")
{
	struct devirt_record recs[] = { rec_cpu(4, DEVIRT_ROLE_VCPU, 7),
					rec_cpu(5, DEVIRT_ROLE_VCPU, 7) };

	refused(recs, 2, 1, -EEXIST, DEVIRT_REASON_VCPU_TWICE, "4");
}

TEST("a CPU that is offline is refused; its sibling can be had alone")
{
	struct devirt_record recs[] = { rec_cpu(4, 0, 0), rec_cpu(5, 0, 0) };
	int part;

	REQUIRE_EQ(file_write("0", "/sys/devices/system/cpu/cpu5/online"), 0);
	refused(recs, 2, 1, -ENODEV, DEVIRT_REASON_CPU_OFFLINE, "5");
	part = lease_mask("alone", 0x10);
	CHECK(part >= 0, "%s", strerror(-part));
	close(part);
	REQUIRE_EQ(file_write("1", "/sys/devices/system/cpu/cpu5/online"), 0);
}

TEST("a leased CPU can't be unplugged, and can again afterwards")
{
	int part = lease_mask("plugged", 0x30);

	REQUIRE(part >= 0);
	CHECK_EQ(file_write("0", "/sys/devices/system/cpu/cpu5/online"), -EBUSY);
	CHECK_EQ(file_number("/sys/devices/system/cpu/cpu5/online"), 1);
	/* Others can, while it is leased. */
	CHECK_EQ(file_write("0", "/sys/devices/system/cpu/cpu3/online"), 0);
	CHECK_EQ(file_write("1", "/sys/devices/system/cpu/cpu3/online"), 0);
	close(part);
	CHECK_EQ(file_write("0", "/sys/devices/system/cpu/cpu5/online"), 0);
	CHECK_EQ(file_write("1", "/sys/devices/system/cpu/cpu5/online"), 0);
}

#define SLEEPERS	500

static void *sleep_on(void *arg)
{
	pause();
	return NULL;
}

static volatile bool *burn_stop;

static void burn(void *arg)
{
	while (!*burn_stop)
		;
}

/* CPU on which a task ran last. */
static int cpu_of(pid_t tid)
{
	char text[1024], *at;
	int i;

	if (file_read(text, sizeof(text), "/proc/%d/stat", tid))
		return -1;
	at = strrchr(text, ')');
	for (i = 2; at && i < 39; i++)
		at = strchr(at + 1, ' ');
	return at ? atoi(at + 1) : -1;
}

TEST("many sleeping threads and some busy ones leave the core, and return")
{
	static const unsigned long masks[] = { ALL, 0x30, 0x10, 0x33, 0x0f };
	pthread_attr_t attr;
	pthread_t thread;
	struct dirent *entry;
	pid_t busy[5];
	int part, i, on, bad, count;
	DIR *dir;

	burn_stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < 5; i++) {
		busy[i] = spawn(burn, NULL);
		REQUIRE_EQ(set_mask(busy[i], masks[i]), 0);
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	for (i = 0; i < SLEEPERS; i++)
		REQUIRE(!pthread_create(&thread, &attr, sleep_on, NULL));
	part = lease_mask("leave", 0x30);
	REQUIRE(part >= 0, "%s", strerror(-part));

	dir = opendir("/proc/self/task");
	for (on = bad = count = 0; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		bad += mask_of(atoi(entry->d_name)) != 0x0f;
	}
	CHECK(count > SLEEPERS, "%d", count);
	CHECK_EQ(bad, 0);
	/* Who only wanted leased CPUs runs on the others. */
	CHECK_EQ(mask_of(busy[0]), 0x0f);
	CHECK_EQ(mask_of(busy[1]), 0x0f);
	CHECK_EQ(mask_of(busy[2]), 0x0f);
	CHECK_EQ(mask_of(busy[3]), 0x03);
	CHECK_EQ(mask_of(busy[4]), 0x0f);
	for (i = 0; i < 5; i++) {
		on = cpu_of(busy[i]);
		CHECK(on >= 0 && on < 4, "busy %d is on CPU %d", i, on);
	}
	close(part);
	rewinddir(dir);
	for (bad = 0; (entry = readdir(dir));)
		bad += entry->d_name[0] != '.' && mask_of(atoi(entry->d_name)) != ALL;
	CHECK_EQ(bad, 0);
	closedir(dir);
	for (i = 0; i < 5; i++)
		CHECK_EQ(mask_of(busy[i]), masks[i]);
	*burn_stop = true;
}

static pid_t *shared;

static void grandparent(void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		shared[0] = getpid();
		pause();
	}
	/* Leaves the child to somebody else. */
	shared[1] = pid;
}

static void child(void *arg)
{
	pause();
}

TEST("what is forked during a lease has its full affinity afterwards")
{
	pid_t pid, parent;
	int part, i;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE_EQ(set_mask(0, 0x3c), 0);
	part = lease_mask("fork", 0x30);
	REQUIRE(part >= 0);
	pid = spawn(child, NULL);
	/* Whose parent is dead by the time it is given back. */
	parent = fork();
	if (!parent) {
		close(part);
		grandparent(NULL);
		_exit(0);
	}
	waitpid(parent, NULL, 0);
	CHECK(EVENTUALLY(shared[0]));
	CHECK_EQ(mask_of(pid), 0x0c);
	CHECK_EQ(mask_of(shared[0]), 0x0c);
	/* The children have the descriptor too. */
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(mask_of(0), 0x3c);
	CHECK_EQ(mask_of(pid), 0x3c);
	CHECK_EQ(mask_of(shared[0]), 0x3c);
	for (i = 0; i < 2; i++)
		kill(i ? pid : shared[0], SIGKILL);
}

static void fork_all_the_time(void *arg)
{
	pid_t *pids = arg;
	int i;

	for (i = 0; i < 300; i++) {
		pid_t pid = fork();

		if (!pid) {
			pause();
			_exit(0);
		}
		pids[1 + i] = pid;
		pids[0] = i + 1;
	}
	pause();
}

TEST("what is forked just when a lease begins or ends isn't lost sight of")
{
	pid_t *pids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = spawn(fork_all_the_time, pids);
	int part, i, rounds = 0, bad = 0;

	while (pids[0] < 300 || rounds < 5) {
		part = lease_mask("race", 0x30);
		REQUIRE(part >= 0, "%s", strerror(-part));
		if (pids[0] == 300) {
			for (i = 1; i <= 300; i++)
				bad += mask_of(pids[i]) != 0x0f;
		}
		/* The children have no copy of it: it is close-on-exec, they were there before. */
		close(part);
		rounds++;
	}
	CHECK_EQ(bad, 0);
	/* One that was forked while it ended has it when it first runs. */
	for (bad = 0, i = 1; i <= 300; i++)
		bad += !EVENTUALLY(mask_of(pids[i]) == ALL);
	CHECK_EQ(bad, 0);
	CHECK_EQ(mask_of(pid), ALL);
	for (i = 1; i <= 300; i++)
		kill(pids[i], SIGKILL);
}

TEST("who changes an affinity during a lease is believed")
{
	pid_t keeps = spawn(child, NULL), asks = spawn(child, NULL);
	int part = lease_mask("ask", 0x30);

	REQUIRE(part >= 0);
	REQUIRE_EQ(set_mask(asks, 0x02), 0);
	CHECK_EQ(mask_of(asks), 0x02);
	close(part);
	CHECK_EQ(mask_of(asks), 0x02);
	CHECK_EQ(mask_of(keeps), ALL);
}

TEST("leases that overlap in time end in any order")
{
	static const char *const names[] = { "a", "b" };
	pid_t pids[3] = { spawn(child, NULL), spawn(child, NULL), spawn(child, NULL) };
	int order, parts[2];

	REQUIRE_EQ(set_mask(pids[1], 0x0c), 0);
	REQUIRE_EQ(set_mask(pids[2], 0x14), 0);
	for (order = 0; order < 4; order++) {
		int first = order & 1, last = !!(order & 2);

		parts[first] = lease_mask(names[first], first ? 0x30 : 0x0c);
		REQUIRE(parts[first] >= 0);
		CHECK_EQ(mask_of(pids[0]), first ? 0x0f : 0x33);
		parts[!first] = lease_mask(names[!first], !first ? 0x30 : 0x0c);
		REQUIRE(parts[!first] >= 0);
		CHECK_EQ(mask_of(pids[0]), 0x03);
		CHECK_EQ(mask_of(pids[1]), 0x03);
		CHECK_EQ(mask_of(pids[2]), 0x03);
		CHECK_EQ(workqueues(), 0x03);
		close(parts[!last]);
		CHECK_EQ(mask_of(pids[0]), last ? 0x0f : 0x33);
		CHECK_EQ(mask_of(pids[1]), last ? 0x0c : 0x33);
		CHECK_EQ(mask_of(pids[2]), last ? 0x04 : 0x10);
		CHECK_EQ(workqueues(), last ? 0x0f : 0x33);
		close(parts[last]);
		CHECK_EQ(mask_of(pids[0]), ALL);
		CHECK_EQ(mask_of(pids[1]), 0x0c);
		CHECK_EQ(mask_of(pids[2]), 0x14);
		CHECK_EQ(workqueues(), ALL);
	}
}

TEST("interrupts that can be moved leave the core, and return")
{
	unsigned long before[512] = {}, mask;
	int irq, part, moved = 0, i;

	for (irq = 1; irq < 512; irq++) {
		if (irq_movable(irq))
			before[irq] = irq_affinity(irq);
	}
	/* One that is nowhere else. */
	for (irq = 511; irq > 0 && !before[irq]; irq--)
		;
	REQUIRE(irq > 0);
	REQUIRE_EQ(irq_write(irq, 0x20), 0);
	part = lease_mask("irqs", 0x30);
	REQUIRE(part >= 0);
	for (i = 1; i < 512; i++) {
		mask = irq_affinity(i);
		if (before[i] && mask) {
			CHECK(!(mask & 0x30), "irq %d: %#lx", i, mask);
			moved++;
		}
	}
	CHECK(moved > 5, "%d", moved);
	CHECK_EQ(irq_affinity(irq), 0x0f);
	close(part);
	CHECK_EQ(irq_affinity(irq), 0x20);
	REQUIRE_EQ(irq_write(irq, before[irq]), 0);
	for (i = 1; i < 512; i++)
		CHECK(!before[i] || irq_affinity(i) == before[i], "irq %d: %#lx", i, irq_affinity(i));
}

TEST("an interrupt that is moved onto the core during a lease leaves it, and is there afterwards")
{
	unsigned long before;
	int irq = 511, part;

	while (irq > 0 && !irq_movable(irq))
		irq--;
	REQUIRE(irq > 0);
	before = irq_affinity(irq);
	part = lease_mask("onto", 0x30);
	REQUIRE(part >= 0);
	/* As irqbalance does. It is off again when the write returns. */
	REQUIRE_EQ(irq_write(irq, 0x30), 0);
	CHECK_EQ(irq_affinity(irq), 0x0f);
	REQUIRE_EQ(irq_write(irq, 0x12), 0);
	CHECK_EQ(irq_affinity(irq), 0x02);
	/* Just what it has: that it was asked for can't be seen by its affinity. */
	REQUIRE_EQ(irq_write(irq, 0x2), 0);
	CHECK_EQ(irq_affinity(irq), 0x02);
	close(part);
	CHECK_EQ(irq_affinity(irq), 0x02);
	part = lease_mask("onto", 0x30);
	REQUIRE(part >= 0);
	REQUIRE_EQ(irq_write(irq, 0x12), 0);
	CHECK_EQ(irq_affinity(irq), 0x02);
	close(part);
	CHECK_EQ(irq_affinity(irq), 0x12);
	REQUIRE_EQ(irq_write(irq, before), 0);
}

/* Looks at an interrupt until it is killed, or finds it on a leased CPU. */
static void look_for(void *arg)
{
	while (!(irq_affinity(*(int *)arg) & 0x30))
		;
}

TEST("nor is it there in between, for however short")
{
	int irq = 511, part, i, status = 0;
	unsigned long before;
	pid_t looker;

	while (irq > 0 && !irq_movable(irq))
		irq--;
	REQUIRE(irq > 0);
	before = irq_affinity(irq);
	part = lease_mask("between", 0x30);
	REQUIRE(part >= 0);
	looker = spawn(look_for, &irq);
	for (i = 0; i < 500; i++)
		REQUIRE_EQ(irq_write(irq, i & 1 ? 0x30 : 0x22), 0);
	CHECK_EQ(waitpid(looker, &status, WNOHANG), 0);
	CHECK_EQ(irq_affinity(irq), 0x0f);
	/* It has the lease's descriptor as well. */
	kill(looker, SIGKILL);
	waitpid(looker, &status, 0);
	close(part);
	CHECK_EQ(irq_affinity(irq), 0x30);
	REQUIRE_EQ(irq_write(irq, before), 0);
}

TEST("interrupts of a driver that an admin binds during a lease stay off the core")
{
	int part, irq;

	pci_bind(PAIR_A, NULL);
	part = lease_mask("bind", 0x30);
	REQUIRE(part >= 0);
	REQUIRE_EQ(pci_bind(PAIR_A, "e1000"), 0);
	/* udev gives its network interface a name; that asks for it when it goes up. */
	command("udevadm settle");
	REQUIRE_EQ(command("ip link set $(ls /sys/bus/pci/devices/" PAIR_A "/net) up"), 0);
	irq = file_number("/sys/bus/pci/devices/" PAIR_A "/irq");
	REQUIRE(irq > 0);
	CHECK(irq_used(irq));
	CHECK(EVENTUALLY(irq_affinity(irq) == 0x0f), "%#lx", irq_affinity(irq));
	command("ip link set $(ls /sys/bus/pci/devices/" PAIR_A "/net) down");
	close(part);
}

TEST("workers of unbound workqueues leave the core; an admin's change stays")
{
	int part = lease_mask("work", 0x0c);

	REQUIRE(part >= 0);
	CHECK_EQ(workqueues(), 0x33);
	close(part);
	CHECK_EQ(workqueues(), ALL);
	REQUIRE_EQ(file_write("1f", WORKQUEUES), 0);
	part = lease_mask("work", 0x0c);
	CHECK_EQ(workqueues(), 0x13);
	close(part);
	CHECK_EQ(workqueues(), 0x1f);
	part = lease_mask("work", 0x0c);
	REQUIRE_EQ(file_write("3", WORKQUEUES), 0);
	close(part);
	CHECK_EQ(workqueues(), 0x03);
	REQUIRE_EQ(file_write("3f", WORKQUEUES), 0);
}

/* How many interrupts that can be moved have a CPU of @mask. */
static int irqs_on(unsigned long mask)
{
	char text[32];
	int irq, on = 0;

	for (irq = 1; irq < 512; irq++) {
		unsigned long now = irq_affinity(irq);

		if (!(now & mask) || !irq_used(irq))
			continue;
		snprintf(text, sizeof(text), "%lx", now);
		if (!file_write(text, "/proc/irq/%d/smp_affinity", irq))
			on++;
	}
	return on;
}

/* igb asks for its interrupts anew when VFs are made or removed. */
TEST("interrupts that drivers ask for during a lease stay off the core as well")
{
	struct devirt_record recs[] = { rec_cpu(4, 0, 0), rec_cpu(5, 0, 0),
					rec_vf(IGB, DEVIRT_VF_ANY, 2), rec_pci(DISK) };
	int mine, other;

	command("ip link set " IGB_LINK "up");
	CHECK(irqs_on(0x30) > 5);
	mine = lease_new("mine", recs, 3);
	REQUIRE(mine >= 0, "%s", strerror(-mine));
	CHECK_EQ(irqs_on(0x30), 0);
	close(mine);

	/* Another partition's pool, made and removed; and a driver that returns. */
	mine = lease_mask("mine", 0x30);
	REQUIRE(mine >= 0, "%s", strerror(-mine));
	other = lease_new("other", recs + 2, 2);
	REQUIRE(other >= 0, "%s", strerror(-other));
	CHECK_EQ(irqs_on(0x30), 0);
	close(other);
	CHECK_STR(pci_driver(DISK), "nvme");
	CHECK_EQ(irqs_on(0x30), 0);
	close(mine);
	CHECK(irqs_on(0x30) > 5);
}

TEST("CPUs in a description with other things, the CPUs first or last")
{
	struct devirt_record recs[] = {
		rec_cpu(4, 0, 0), rec_memory(2 * MIB, 1, 0), rec_vf(IGB, DEVIRT_VF_ANY, 2),
		rec_pci(EDU), rec_cpu(5, 0, 0),
	};
	int part = lease_new("mixed", recs, 5);

	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_EQ(mask_of(0), 0x0f);
	close(part);
	CHECK_EQ(mask_of(0), ALL);
}
