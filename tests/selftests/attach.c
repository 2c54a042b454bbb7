// SPDX-License-Identifier: GPL-2.0
/*
 * Which vCPU thread runs where. The kernel's own kvm:kvm_entry trace, by CPU,
 * is what tells, from before the first entry on.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include "lease.h"
#include "minivm.h"
#include "tap.h"

static struct minivm *vm;

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = minivm_reset;
}

/* vCPU 0 on the first, and so on; CPUs 2 to 5. */
static int lease_cpus(const char *name, int vcpus)
{
	struct devirt_record recs[4];
	int i, part;

	for (i = 0; i < 4; i++)
		recs[i] = i < vcpus ? rec_cpu(2 + i, DEVIRT_ROLE_VCPU, i) : rec_cpu(2 + i, 0, 0);
	part = lease_new(name, recs, 4);
	REQUIRE(part >= 0, "%s", strerror(-part));
	return part;
}

static int probes_at(const char *symbol)
{
	char line[256];
	FILE *file = fopen("/sys/kernel/debug/kprobes/list", "r");
	int count = 0;

	REQUIRE(file);
	while (fgets(line, sizeof(line), file))
		count += !!strstr(line, symbol);
	fclose(file);
	return count;
}

/* On the way into a guest. */
static int probes(void)
{
	return probes_at("kvm_arch_vcpu_ioctl_run");
}

static void pinned(int vcpus)
{
	struct devirt_record recs[4];
	int part = lease_cpus("pinned", vcpus), i;
	unsigned long on;
	struct devirt_get get;

	vm = minivm_new(vcpus);
	REQUIRE(entries_begin(), "no kvm:kvm_entry");
	minivm_start(vm);
	REQUIRE_EQ(vm->error, 0);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	CHECK_EQ(probes(), 1);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 50) || vm->error));
	CHECK_EQ(vm->error, 0);
	for (i = 0; i < CPUS; i++) {
		on = entries_on(i);
		if (i >= 2 && i < 2 + vcpus)
			CHECK(on >= 50, "%lu entries on CPU %d", on, i);
		else
			CHECK(on == 0, "%lu entries on CPU %d", on, i);
	}
	for (i = 0; i < vcpus; i++)
		CHECK_EQ(mask_of(vm->tids[i]), 1 << (2 + i));
	CHECK_EQ(lease_get(part, &get, recs, 4), 0);
	CHECK_EQ(get.vmm, vm->pid);
	for (i = 0; i < 4; i++)
		CHECK_EQ(recs[i].cpu.thread, i < vcpus ? vm->tids[i] : 0);
	/* All are where they belong, so nobody looks at VM entries any more. */
	CHECK(EVENTUALLY(!probes()));
	minivm_stop(vm);
	CHECK_EQ(lease_get(part, &get, recs, 4), 0);
	CHECK_EQ(get.vmm, 0);
	CHECK_EQ(recs[0].cpu.thread, 0);
}

TEST("a guest of 1 vCPU: every VM entry, from the first, is on its CPU")
{
	pinned(1);
}

TEST("a guest of 2 vCPUs: every VM entry, from the first, is on its CPU")
{
	pinned(2);
}

TEST("a guest of 4 vCPUs: every VM entry, from the first, is on its CPU")
{
	pinned(4);
}

static bool kvm_known(void)
{
	struct devirt_query query = { .size = sizeof(query) };

	REQUIRE_EQ(lease_ioctl(lease_device(), DEVIRT_QUERY, &query), 0);
	return query.facts & DEVIRT_FACT_KVM;
}

static void wait_for_kvm(void *arg)
{
	while (access("/dev/kvm", F_OK) || !vm->run)
		tap_pause(10);
	minivm_main(vm);
}

TEST("KVM may come after the attach: it is noticed, the VMM's vCPUs are pinned, and query tells")
{
	int part = lease_cpus("early", 2), i;
	pid_t pid;

	/* Known, and asked before, so that the answer is one that is remembered. */
	CHECK(kvm_known());
	REQUIRE_EQ(command("rmmod kvm_amd kvm"), 0);
	CHECK(!kvm_known());
	vm = minivm_new(2);
	pid = spawn(wait_for_kvm, NULL);
	CHECK_EQ(lease_attach(part, pid), 0);
	CHECK_EQ(probes_at("kvm_arch_vcpu_create"), 0);
	REQUIRE_EQ(command("modprobe kvm_amd"), 0);
	CHECK_EQ(probes_at("kvm_arch_vcpu_create"), 1);
	CHECK(kvm_known());
	command("udevadm settle");
	REQUIRE(entries_begin());
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 50) || vm->error));
	CHECK_EQ(vm->error, 0);
	for (i = 0; i < CPUS; i++) {
		if (i == 2 || i == 3)
			CHECK(entries_on(i) >= 50);
		else
			CHECK_EQ(entries_on(i), 0);
	}
	vm->stop = true;
	REQUIRE_EQ(waitpid(pid, NULL, 0), pid);
	close(part);
}

TEST("a guest that isn't attached runs on the host's CPUs only")
{
	int part = lease_cpus("other", 2), i;
	unsigned long off = 0;

	vm = minivm_new(2);
	REQUIRE(entries_begin());
	minivm_start(vm);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 50)));
	for (i = 0; i < 2; i++)
		off += entries_on(i);
	CHECK(off >= 100, "%lu", off);
	for (i = 2; i < CPUS; i++)
		CHECK_EQ(entries_on(i), 0);
	CHECK(EVENTUALLY(!probes()));
	minivm_stop(vm);
	close(part);
}

TEST("a guest that runs already is pinned at its next VM entry")
{
	int part = lease_cpus("late", 2), i;
	unsigned long host[2];

	vm = minivm_new(2);
	minivm_start(vm);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 20)));
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	CHECK(EVENTUALLY(mask_of(vm->tids[0]) == 4 && mask_of(vm->tids[1]) == 8));
	REQUIRE(entries_begin());
	for (i = 0; i < 2; i++)
		host[i] = vm->exits[i];
	CHECK(EVENTUALLY(minivm_ran(vm, 50 + host[0] + host[1])));
	for (i = 0; i < CPUS; i++)
		CHECK(i == 2 || i == 3 || !entries_on(i), "CPU %d", i);
	minivm_stop(vm);
}

TEST("a vCPU that is made later is on its CPU from its first entry, and nobody waits till then")
{
	int part = lease_cpus("later", 3), i;

	vm = minivm_new(3);
	vm->late = 1;
	minivm_start(vm);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	CHECK_EQ(probes(), 1);
	REQUIRE(entries_begin());
	vm->run = true;
	CHECK(EVENTUALLY(vm->exits[0] > 20 && vm->exits[1] > 20));
	CHECK(EVENTUALLY(!probes()));
	vm->more = true;
	CHECK(EVENTUALLY(vm->exits[2] > 20));
	CHECK_EQ(vm->error, 0);
	CHECK_EQ(mask_of(vm->tids[2]), 1 << 4);
	for (i = 0; i < CPUS; i++)
		CHECK(i >= 2 && i < 5 ? entries_on(i) > 20 : !entries_on(i), "CPU %d: %lu", i,
		      entries_on(i));
	CHECK(EVENTUALLY(!probes()));
	minivm_stop(vm);
}

TEST("a thread that takes over a vCPU is put where the vCPU belongs")
{
	int part = lease_cpus("over", 2);
	struct devirt_record recs[4];
	struct devirt_get get;
	pid_t before;

	vm = minivm_new(2);
	minivm_start(vm);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 20)));
	CHECK(EVENTUALLY(!probes()));
	before = vm->tids[0];
	vm->swap = true;
	REQUIRE(EVENTUALLY(!vm->swap && vm->tids[0] && vm->tids[0] != before));
	CHECK(EVENTUALLY(mask_of(vm->tids[0]) == 4), "%#lx", mask_of(vm->tids[0]));
	CHECK(EVENTUALLY(!lease_get(part, &get, recs, 4) &&
			 (pid_t)recs[0].cpu.thread == vm->tids[0]));
	CHECK(EVENTUALLY(!probes()));
	minivm_stop(vm);
	CHECK(EVENTUALLY(!probes()));
}

TEST("a vCPU that the description doesn't name runs on the host's CPUs")
{
	int part = lease_cpus("partly", 1), i;
	unsigned long other = 0;

	vm = minivm_new(2);
	REQUIRE(entries_begin());
	minivm_start(vm);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 50)));
	CHECK(entries_on(2) >= 50);
	for (i = 3; i < CPUS; i++)
		CHECK_EQ(entries_on(i), 0);
	for (i = 0; i < 2; i++)
		other += entries_on(i);
	CHECK(other >= 50, "%lu", other);
	minivm_stop(vm);
}

TEST("what a vCPU's thread starts doesn't stay on its core")
{
	int part = lease_cpus("fork", 2), i;

	vm = minivm_new(2);
	vm->fork = true;
	minivm_start(vm);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	CHECK(EVENTUALLY(vm->children[0] && vm->children[1]));
	for (i = 0; i < 2; i++)
		CHECK(EVENTUALLY(mask_of(vm->children[i]) == 0x3), "%#lx",
		      mask_of(vm->children[i]));
	/* And is free to go everywhere afterwards, as its parent. */
	close(part);
	for (i = 0; i < 2; i++) {
		CHECK_EQ(mask_of(vm->children[i]), 0x3f);
		CHECK_EQ(mask_of(vm->tids[i]), 0x3f);
	}
	minivm_stop(vm);
}

/*
 * One lease ends and the next begins before a vCPU's child has run for the first
 * time: its parent, of a real-time class, keeps it from the only CPU it may use.
 * Return: whether that came about, for the kernel helps it after a second.
 */
static bool child_comes_late(void)
{
	struct sched_param fifo = { .sched_priority = 1 };
	struct devirt_record rec = rec_cpu(2, DEVIRT_ROLE_VCPU, 0);
	cpu_set_t set;
	bool late;
	int part;

	rec.flags = DEVIRT_RECORD_SHARE_CORE;
	part = lease_new("first", &rec, 1);
	REQUIRE(part >= 0);
	vm = minivm_new(1);
	minivm_start(vm);
	CPU_ZERO(&set);
	CPU_SET(2, &set);
	REQUIRE(!sched_setaffinity(vm->tids[0], sizeof(set), &set));
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	REQUIRE(EVENTUALLY(mask_of(vm->tids[0]) == 4));
	REQUIRE(!sched_setscheduler(vm->tids[0], SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo));
	vm->busy = true;
	vm->fork = true;
	while (!vm->children[0])
		tap_pause(1);
	REQUIRE_EQ(lease_release(part), 0);
	close(part);
	late = !vm->awake[0];
	part = lease_new("second", &rec, 1);
	REQUIRE(part >= 0);
	CHECK(EVENTUALLY(vm->awake[0]));
	CHECK_EQ(mask_of(vm->children[0]), 0x3b);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(mask_of(vm->children[0]), 4);
	close(part);
	minivm_stop(vm);
	minivm_free(vm);
	return late;
}

TEST("a child that first runs in the next lease has its affinity after that")
{
	int tries = 20;

	while (!child_comes_late() && --tries)
		;
	CHECK(tries, "it always ran before");
}

TEST("a VMM's other threads run on the CPUs for them, if there are any")
{
	struct devirt_record recs[] = {
		rec_cpu(2, DEVIRT_ROLE_VCPU, 0), rec_cpu(3, DEVIRT_ROLE_VCPU, 1),
		rec_cpu(4, DEVIRT_ROLE_EMULATOR, 0), rec_cpu(5, DEVIRT_ROLE_EMULATOR, 0),
	};
	int part = lease_new("emulator", recs, 4), i;

	REQUIRE(part >= 0);
	vm = minivm_new(2);
	vm->fork = true;
	minivm_start(vm);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	CHECK_EQ(mask_of(vm->pid), 0x30);
	CHECK_EQ(mask_of(vm->tids[0]), 0x30);
	vm->run = true;
	CHECK(EVENTUALLY(vm->children[0] && vm->children[1]));
	CHECK_EQ(mask_of(vm->tids[0]), 4);
	CHECK_EQ(mask_of(vm->tids[1]), 8);
	CHECK_EQ(mask_of(vm->pid), 0x30);
	for (i = 0; i < 2; i++)
		CHECK(EVENTUALLY(mask_of(vm->children[i]) == 0x30), "%#lx",
		      mask_of(vm->children[i]));
	close(part);
	CHECK_EQ(mask_of(vm->pid), 0x3f);
	CHECK_EQ(mask_of(vm->tids[0]), 0x3f);
	CHECK_EQ(mask_of(vm->children[0]), 0x3f);
	minivm_stop(vm);
}

TEST("release while the guest runs puts its threads back on the host's CPUs")
{
	int part = lease_cpus("release", 2), i;
	unsigned long exits;

	vm = minivm_new(2);
	minivm_start(vm);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 20)));
	CHECK_EQ(lease_release(part), 0);
	for (i = 0; i < 2; i++)
		CHECK_EQ(mask_of(vm->tids[i]), 0x3f);
	CHECK(EVENTUALLY(!probes()));
	/* It goes on to run, and isn't pinned again. */
	exits = vm->exits[0];
	CHECK(EVENTUALLY(vm->exits[0] > exits + 20));
	CHECK_EQ(vm->error, 0);
	CHECK_EQ(mask_of(vm->tids[0]), 0x3f);
	minivm_stop(vm);
}

TEST("an affinity that a thread had before is what it gets back")
{
	int part, i;
	cpu_set_t set;

	vm = minivm_new(2);
	minivm_start(vm);
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	CPU_SET(3, &set);
	for (i = 0; i < 2; i++)
		REQUIRE(!sched_setaffinity(vm->tids[i], sizeof(set), &set));
	part = lease_cpus("back", 2);
	CHECK_EQ(mask_of(vm->tids[0]), 2);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 20)));
	CHECK_EQ(mask_of(vm->tids[0]), 4);
	CHECK_EQ(mask_of(vm->tids[1]), 8);
	close(part);
	CHECK_EQ(mask_of(vm->tids[0]), 0xa);
	CHECK_EQ(mask_of(vm->tids[1]), 0xa);
	minivm_stop(vm);
}

static void sleeper(void *arg)
{
	/* Not the lease, or it would live as long as this. */
	close_range(3, ~0U, 0);
	pause();
}

TEST("attach refuses what isn't a living process")
{
	struct devirt_attach attach = { .size = sizeof(attach) };
	int part = lease_cpus("refuse", 1), null = open("/dev/null", O_RDWR), pidfd;
	pid_t pid;

	attach.pidfd = -1;
	CHECK_EQ(lease_ioctl(part, DEVIRT_ATTACH, &attach), -EBADF);
	attach.pidfd = 1000;
	CHECK_EQ(lease_ioctl(part, DEVIRT_ATTACH, &attach), -EBADF);
	attach.pidfd = null;
	CHECK_EQ(lease_ioctl(part, DEVIRT_ATTACH, &attach), -EBADF);
	attach.pidfd = part;
	CHECK_EQ(lease_ioctl(part, DEVIRT_ATTACH, &attach), -EBADF);
	attach.pidfd = open("/proc/self", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(lease_ioctl(part, DEVIRT_ATTACH, &attach), -EBADF);

	pid = spawn(sleeper, NULL);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	attach.pidfd = pidfd;
	CHECK_EQ(lease_ioctl(part, DEVIRT_ATTACH, &attach), -ESRCH);
	CHECK(EVENTUALLY(!probes()));
}

TEST("attach needs something held")
{
	int part = lease_create("empty");

	CHECK_EQ(lease_attach(part, getpid()), -ENXIO);
	close(part);
	part = lease_cpus("empty", 1);
	CHECK_EQ(lease_release(part), 0);
	CHECK_EQ(lease_attach(part, getpid()), -ENXIO);
}

TEST("one VMM a partition, one partition a VMM, until the VMM has ended")
{
	struct devirt_record rec = rec_memory(2 * MIB, 1, DEVIRT_NODE_ANY);
	pid_t a = spawn(sleeper, NULL), b = spawn(sleeper, NULL), c = spawn(sleeper, NULL);
	int part = lease_cpus("mine", 1), other = lease_new("other", &rec, 1), seen;
	struct devirt_get get;

	CHECK_EQ(lease_attach(part, a), 0);
	CHECK_EQ(lease_attach(part, a), 0);
	CHECK_EQ(lease_attach(part, b), -EBUSY);
	CHECK_EQ(lease_attach(other, a), -EBUSY);
	CHECK_EQ(lease_attach(other, b), 0);
	lease_get(part, &get, NULL, 0);
	CHECK_EQ(get.vmm, a);
	kill(a, SIGKILL);
	waitpid(a, NULL, 0);
	/* Whoever looks on may say so as well. */
	seen = lease_open("mine", DEVIRT_OPEN_OBSERVE);
	CHECK_EQ(lease_attach(seen, c), 0);
	lease_get(part, &get, NULL, 0);
	CHECK_EQ(get.vmm, c);
	CHECK_EQ(lease_attach(other, c), -EBUSY);
	close(part);
	close(other);
	other = lease_cpus("other", 1);
	CHECK_EQ(lease_attach(other, c), 0);
}

TEST("after a VMM has ended the next one is pinned the same, five times")
{
	int part = lease_cpus("again", 2), round;

	for (round = 0; round < 5; round++) {
		vm = minivm_new(2);
		minivm_start(vm);
		REQUIRE_EQ(lease_attach(part, vm->pid), 0);
		vm->run = true;
		CHECK(EVENTUALLY(minivm_ran(vm, 5)));
		CHECK_EQ(mask_of(vm->tids[0]), 4);
		CHECK_EQ(mask_of(vm->tids[1]), 8);
		if (round % 2)
			kill(vm->pid, SIGKILL);
		minivm_stop(vm);
		minivm_free(vm);
	}
	CHECK(EVENTUALLY(!probes()));
}

TEST("two guests in two partitions, each on its own CPUs")
{
	struct devirt_record a[2] = { rec_cpu(2, DEVIRT_ROLE_VCPU, 0), rec_cpu(3, 0, 0) };
	struct devirt_record b[2] = { rec_cpu(4, DEVIRT_ROLE_VCPU, 0), rec_cpu(5, 0, 0) };
	int one = lease_new("one", a, 2), two = lease_new("two", b, 2), i;
	struct minivm *other;

	REQUIRE(one >= 0 && two >= 0);
	REQUIRE(entries_begin());
	vm = minivm_new(1);
	other = minivm_new(1);
	minivm_start(vm);
	minivm_start(other);
	REQUIRE_EQ(lease_attach(one, vm->pid), 0);
	REQUIRE_EQ(lease_attach(two, other->pid), 0);
	vm->run = other->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 50) && minivm_ran(other, 50)));
	for (i = 0; i < CPUS; i++)
		CHECK((entries_on(i) >= 50) == (i == 2 || i == 4), "CPU %d: %lu", i,
		      entries_on(i));
	CHECK_EQ(mask_of(vm->tids[0]), 4);
	CHECK_EQ(mask_of(other->tids[0]), 0x10);
	close(one);
	CHECK_EQ(mask_of(vm->tids[0]), 0xf);
	CHECK_EQ(mask_of(other->tids[0]), 0x10);
	minivm_stop(vm);
	minivm_stop(other);
}

TEST("a lease outlives its VMM's death, and a VMM its lease's")
{
	int part = lease_cpus("outlive", 1);

	vm = minivm_new(1);
	minivm_start(vm);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 5)));
	kill(vm->pid, SIGKILL);
	minivm_stop(vm);
	CHECK_EQ(lease_state(part), DEVIRT_STATE_HELD);
	vm = minivm_new(1);
	minivm_start(vm);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	close(part);
	vm->run = true;
	CHECK(EVENTUALLY(minivm_ran(vm, 5)));
	CHECK_EQ(mask_of(vm->tids[0]), 0x3f);
	CHECK(EVENTUALLY(!probes()));
	minivm_stop(vm);
}
