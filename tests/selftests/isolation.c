// SPDX-License-Identifier: GPL-2.0
/*
 * Leased cores stay the guest's: kernel threads leave them, whoever is put there
 * during the lease leaves again at once, and what runs there nevertheless is
 * named. Afterwards each task has what it was given.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "lease.h"
#include "minivm.h"
#include "tap.h"

#define ALL		0x3f
#define GROUPS		"/sys/fs/cgroup"
#define KPROBES		"/sys/kernel/debug/kprobes/enabled"

/* task->flags, as /proc/PID/stat has it. */
#define FLAG_WORKER	0x00000020
#define FLAG_KTHREAD	0x00200000
#define FLAG_BOUND	0x04000000

static void remove_group(const char *name)
{
	char task[32];
	FILE *file;

	command("cat " GROUPS "/%s/cgroup.procs >/tmp/procs", name);
	file = fopen("/tmp/procs", "r");
	while (file && fgets(task, sizeof(task), file))
		file_write(task, GROUPS "/cgroup.procs");
	if (file)
		fclose(file);
	command("rmdir " GROUPS "/%s", name);
}

static void reset(void)
{
	int cpu;

	file_write("1", KPROBES);
	for (cpu = 1; cpu < CPUS; cpu++)
		file_write("1", "/sys/devices/system/cpu/cpu%d/online", cpu);
	command("rmmod devirt_kthreads");
	remove_group("one");
	remove_group("two");
	file_write("-cpuset", GROUPS "/cgroup.subtree_control");
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

/* Whose events can be looked for without waiting. */
static int lease_watched(const char *name, unsigned long mask)
{
	int part = lease_mask(name, mask);

	REQUIRE(part >= 0, "%s", strerror(-part));
	fcntl(part, F_SETFL, O_NONBLOCK);
	return part;
}

static unsigned long flags_of(pid_t pid)
{
	char text[1024], *at;
	unsigned long flags = 0;

	if (file_read(text, sizeof(text), "/proc/%d/stat", pid))
		return 0;
	at = strrchr(text, ')');
	if (at)
		sscanf(at, ") %*c %*d %*d %*d %*d %*d %lu", &flags);
	return flags;
}

/* Can it be given other CPUs, without its workqueue's doing? */
static bool movable(pid_t pid)
{
	return !(flags_of(pid) & (FLAG_BOUND | FLAG_WORKER));
}

/* The next process, and with @kernel only kernel threads; 0 at the end. */
static pid_t next_process(DIR *dir, bool kernel)
{
	struct dirent *entry;
	pid_t pid;

	while ((entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid && (!kernel || flags_of(pid) & FLAG_KTHREAD))
			return pid;
	}
	return 0;
}

static pid_t process_named(const char *name)
{
	DIR *dir = opendir("/proc");
	pid_t pid, found = 0;
	char comm[64];

	while (!found && (pid = next_process(dir, false))) {
		if (file_read(comm, sizeof(comm), "/proc/%d/comm", pid))
			continue;
		comm[strcspn(comm, "\n")] = '\0';
		if (!strcmp(comm, name))
			found = pid;
	}
	closedir(dir);
	return found;
}

/* Kernel threads that could leave @mask and haven't. */
static int kthreads_on(unsigned long mask)
{
	DIR *dir = opendir("/proc");
	pid_t pid;
	int on = 0;

	while ((pid = next_process(dir, true)))
		on += movable(pid) && mask_of(pid) & mask;
	closedir(dir);
	return on;
}

#define KTHREADS	"/sys/module/devirt_kthreads/parameters/"

/* @go: does the one that puts itself on a CPU do so at once? */
static void load_kthreads_that(int bound, int self, bool go)
{
	REQUIRE_EQ(command("insmod /devirt/build/%s/devirt_kthreads.ko bound=%d self=%d go=%d",
			   getenv("DEVIRT_KERNEL"), bound, self, go), 0);
}

static void load_kthreads(int bound, int self)
{
	load_kthreads_that(bound, self, true);
}

static void child(void *arg)
{
	pause();
}

static void burn(void *arg)
{
	for (;;)
		;
}

static const char *new_group(const char *name, const char *cpus)
{
	file_write("+cpuset", GROUPS "/cgroup.subtree_control");
	command("mkdir -p " GROUPS "/%s", name);
	REQUIRE_EQ(file_write(cpus, GROUPS "/%s/cpuset.cpus", name), 0);
	return name;
}

static void join(const char *group, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", pid);
	REQUIRE_EQ(file_write(text, GROUPS "/%s/cgroup.procs", group), 0);
}

/* Events of a type that are there to read; the last one in @event. */
static int events(int part, unsigned int type, const char *detail, struct devirt_event *last)
{
	struct devirt_event event;
	int count = 0;

	while (read(part, &event, sizeof(event)) == sizeof(event)) {
		if (event.type != type || strncmp(event.detail, detail, strlen(detail)))
			continue;
		if (last)
			*last = event;
		count++;
	}
	return count;
}

/* ----------------------------------------------------------- kernel threads */

TEST("kernel threads that can move leave the core, and each has its own affinity after")
{
	static unsigned long before[1 << 16];
	DIR *dir = opendir("/proc");
	int part, count = 0, left = 0;
	pid_t pid;

	while ((pid = next_process(dir, true))) {
		if (movable(pid) && pid < 1 << 16)
			before[pid] = mask_of(pid);
	}
	part = lease_watched("kthreads", 0x30);
	rewinddir(dir);
	while ((pid = next_process(dir, true))) {
		if (pid >= 1 << 16 || !movable(pid) || !(before[pid] & 0x30))
			continue;
		count++;
		left += !(mask_of(pid) & 0x30);
	}
	/* kthreadd and kswapd0, for two. */
	CHECK(count > 3, "%d", count);
	CHECK_EQ(left, count);
	close(part);
	rewinddir(dir);
	while ((pid = next_process(dir, true))) {
		char comm[64] = "";

		file_read(comm, sizeof(comm), "/proc/%d/comm", pid);
		/* An interrupt's follows that, when it runs next. */
		if (pid < 1 << 16 && before[pid] && movable(pid) && strncmp(comm, "irq/", 4))
			CHECK(mask_of(pid) == before[pid], "%s: %#lx", comm, mask_of(pid));
	}
	closedir(dir);
}

TEST("bound kernel threads stay where they are, also those of the core")
{
	pid_t bound;
	int part;

	load_kthreads(4, 5);
	bound = process_named("dvt-bound");
	REQUIRE(bound);
	part = lease_watched("bound", 0x30);
	CHECK_EQ(mask_of(bound), 0x10);
	CHECK_EQ(mask_of(process_named("dvt-free")), 0x0f);
	CHECK_EQ(mask_of(process_named("dvt-self")), 0x0f);
	close(part);
	CHECK_EQ(mask_of(bound), 0x10);
	CHECK_EQ(mask_of(process_named("dvt-free")), ALL);
	CHECK_EQ(mask_of(process_named("dvt-self")), 0x20);
}

TEST("kernel threads that are made during a lease leave the core, and can return after")
{
	int part = lease_watched("new", 0x30);

	load_kthreads(4, 5);
	CHECK(EVENTUALLY(!(mask_of(process_named("dvt-free")) & 0x30)));
	CHECK(EVENTUALLY(!(mask_of(process_named("dvt-self")) & 0x30)));
	CHECK(EVENTUALLY(!(mask_of(process_named("dvt-new")) & 0x30)));
	CHECK_EQ(mask_of(process_named("dvt-bound")), 0x10);
	CHECK_EQ(kthreads_on(0x30), 0);
	close(part);
	CHECK_EQ(mask_of(process_named("dvt-free")), ALL);
	CHECK_EQ(mask_of(process_named("dvt-self")), 0x20);
	CHECK_EQ(mask_of(process_named("dvt-bound")), 0x10);
	/* It wasn't started yet, and may be left for a moment longer for that. */
	CHECK(EVENTUALLY(mask_of(process_named("dvt-new")) == ALL));
}

TEST("kernel threads that end during a lease leave nothing behind")
{
	int part, round;

	load_kthreads(1, 4);
	part = lease_watched("end", 0x30);
	for (round = 0; round < 5; round++) {
		CHECK_EQ(command("rmmod devirt_kthreads"), 0);
		load_kthreads(1, 4);
	}
	CHECK_EQ(command("rmmod devirt_kthreads"), 0);
	close(part);
}

TEST("kernel threads in leases that overlap in time")
{
	int order, parts[2];
	pid_t free, self;

	load_kthreads(1, 4);
	free = process_named("dvt-free");
	self = process_named("dvt-self");
	REQUIRE(EVENTUALLY(mask_of(self) == 0x10));
	for (order = 0; order < 4; order++) {
		int first = order & 1, last = !!(order & 2);

		parts[first] = lease_watched(first ? "b" : "a", first ? 0x30 : 0x0c);
		CHECK_EQ(mask_of(free), first ? 0x0f : 0x33);
		CHECK_EQ(mask_of(self), first ? 0x0f : 0x10);
		parts[!first] = lease_watched(first ? "a" : "b", first ? 0x0c : 0x30);
		CHECK_EQ(mask_of(free), 0x03);
		CHECK_EQ(mask_of(self), 0x03);
		/* The one that isn't started yet stays for a second. */
		CHECK(EVENTUALLY(!kthreads_on(0x3c)));
		close(parts[!last]);
		CHECK_EQ(mask_of(free), last ? 0x0f : 0x33);
		CHECK_EQ(mask_of(self), last ? 0x0f : 0x10);
		close(parts[last]);
		CHECK_EQ(mask_of(free), ALL);
		CHECK_EQ(mask_of(self), 0x10);
	}
}

TEST("vhost's thread runs on the CPUs for the VMM's other threads, from before and later")
{
	struct devirt_record recs[] = {
		rec_cpu(2, DEVIRT_ROLE_VCPU, 0), rec_cpu(3, DEVIRT_ROLE_VCPU, 1),
		rec_cpu(4, DEVIRT_ROLE_EMULATOR, 0), rec_cpu(5, DEVIRT_ROLE_EMULATOR, 0),
	};
	int part, i, fd[2];
	char name[32];
	pid_t pid[2] = {};

	command("modprobe vhost_net");
	if (access("/dev/vhost-net", F_OK))
		SKIP("this kernel has no vhost");
	snprintf(name, sizeof(name), "vhost-%d", getpid());
	part = lease_new("vhost", recs, 4);
	REQUIRE(part >= 0, "%s", strerror(-part));
	for (i = 0; i < 2; i++) {
		fd[i] = open("/dev/vhost-net", O_RDWR);
		REQUIRE(fd[i] >= 0, "%s", strerror(errno));
	}
	REQUIRE_EQ(ioctl(fd[0], VHOST_SET_OWNER), 0);
	REQUIRE_EQ(lease_attach(part, getpid()), 0);
	REQUIRE_EQ(ioctl(fd[1], VHOST_SET_OWNER), 0);
	for (i = 0; i < 2; i++) {
		DIR *dir = opendir(i ? "/proc/self/task" : "/proc");
		pid_t tid;
		char comm[64];

		/* A kernel thread, or on newer kernels a thread of ours. */
		while ((tid = next_process(dir, false))) {
			file_read(comm, sizeof(comm), "/proc/%d/comm", tid);
			if (strncmp(comm, name, strlen(name)))
				continue;
			CHECK(EVENTUALLY(mask_of(tid) == 0x30), "%d: %#lx", tid, mask_of(tid));
			if (tid != pid[0])
				pid[!!pid[0]] = tid;
		}
		closedir(dir);
	}
	CHECK(pid[0] && pid[1]);
	close(part);
	CHECK_EQ(mask_of(pid[0]), ALL);
	CHECK_EQ(mask_of(pid[1]), ALL);
	close(fd[0]);
	close(fd[1]);
}

/* --------------------------------------------------------------- re-masking */

TEST("who gives itself a leased CPU is off it when the call returns, and has it after")
{
	pid_t other = spawn(child, NULL);
	int part = lease_watched("self", 0x30);

	REQUIRE_EQ(set_mask(0, 0x30), 0);
	CHECK_EQ(mask_of(0), 0x0f);
	REQUIRE_EQ(set_mask(0, 0x18), 0);
	CHECK_EQ(mask_of(0), 0x08);
	REQUIRE_EQ(set_mask(other, 0x14), 0);
	CHECK_EQ(mask_of(other), 0x04);
	close(part);
	CHECK_EQ(mask_of(0), 0x18);
	CHECK_EQ(mask_of(other), 0x14);
}

TEST("who asks for just the CPUs that it was left has only those after, and who fails to doesn't")
{
	pid_t other = spawn(child, NULL), beggar;
	int part = lease_watched("same", 0x30);

	REQUIRE_EQ(set_mask(other, 0x0f), 0);
	beggar = fork();
	if (!beggar) {
		if (setuid(65534) || set_mask(getppid(), 0x0f) != -EPERM)
			_exit(1);
		_exit(0);
	}
	waitpid(beggar, &beggar, 0);
	CHECK_EQ(beggar, 0);
	CHECK_EQ(mask_of(0), 0x0f);
	close(part);
	CHECK_EQ(mask_of(other), 0x0f);
	CHECK_EQ(mask_of(0), ALL);
}

TEST("a cpuset that is written anew during a lease, over all of its tasks")
{
	pid_t pids[20];
	int part, i, bad;

	new_group("one", "0-5");
	for (i = 0; i < 20; i++) {
		pids[i] = spawn(child, NULL);
		join("one", pids[i]);
	}
	REQUIRE_EQ(set_mask(pids[0], 0x11), 0);
	part = lease_watched("cpuset", 0x30);
	/* As it was: that is what systemd writes with each change of a unit. */
	REQUIRE_EQ(file_write("0-4", GROUPS "/one/cpuset.cpus"), 0);
	REQUIRE_EQ(file_write("0-5", GROUPS "/one/cpuset.cpus"), 0);
	for (bad = 0, i = 1; i < 20; i++)
		bad += mask_of(pids[i]) != 0x0f;
	CHECK_EQ(bad, 0);
	CHECK_EQ(mask_of(pids[0]) & 0x30, 0);
	REQUIRE_EQ(file_write("3-5", GROUPS "/one/cpuset.cpus"), 0);
	for (bad = 0, i = 1; i < 20; i++)
		bad += mask_of(pids[i]) != 0x08;
	CHECK_EQ(bad, 0);
	close(part);
	for (bad = 0, i = 1; i < 20; i++)
		bad += mask_of(pids[i]) != 0x38;
	CHECK_EQ(bad, 0);
	/* To just what is left to the host: that is theirs after, too. */
	REQUIRE_EQ(file_write("0-5", GROUPS "/one/cpuset.cpus"), 0);
	part = lease_watched("cpuset", 0x30);
	REQUIRE_EQ(file_write("0-3", GROUPS "/one/cpuset.cpus"), 0);
	close(part);
	for (bad = 0, i = 1; i < 20; i++)
		bad += mask_of(pids[i]) != 0x0f;
	CHECK_EQ(bad, 0);
}

TEST("a task that is moved between control groups during a lease")
{
	pid_t pid = spawn(child, NULL);
	int part;

	new_group("one", "1-5");
	new_group("two", "4-5");
	join("one", pid);
	CHECK_EQ(mask_of(pid), 0x3e);
	part = lease_watched("groups", 0x30);
	CHECK_EQ(mask_of(pid), 0x0e);
	join("two", pid);
	CHECK_EQ(mask_of(pid), 0x0f);
	join("one", pid);
	CHECK_EQ(mask_of(pid), 0x0e);
	join("two", pid);
	close(part);
	CHECK_EQ(mask_of(pid), 0x30);
}

TEST("a pinned vCPU that is re-masked goes back, and each time is one drift event")
{
	struct devirt_record recs[] = { rec_cpu(4, DEVIRT_ROLE_VCPU, 0),
					rec_cpu(5, DEVIRT_ROLE_EMULATOR, 0) };
	int part = lease_new("drift", recs, 2);
	struct minivm *vm = minivm_new(1);
	struct devirt_event event;

	REQUIRE(part >= 0, "%s", strerror(-part));
	fcntl(part, F_SETFL, O_NONBLOCK);
	minivm_start(vm);
	REQUIRE_EQ(vm->error, 0);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	REQUIRE(EVENTUALLY(minivm_ran(vm, 5)));
	CHECK_EQ(events(part, DEVIRT_EVENT_DRIFT, "", NULL), 0);

	REQUIRE_EQ(set_mask(vm->tids[0], 0x03), 0);
	CHECK_EQ(mask_of(vm->tids[0]), 0x10);
	CHECK_EQ(events(part, DEVIRT_EVENT_DRIFT, "vCPU re-masked", &event), 1);
	CHECK_EQ(event.record, 0);
	CHECK_EQ(event.cpu, 4);
	CHECK_EQ(event.pid, vm->tids[0]);
	REQUIRE_EQ(set_mask(vm->tids[0], ALL), 0);
	CHECK_EQ(mask_of(vm->tids[0]), 0x10);
	CHECK_EQ(events(part, DEVIRT_EVENT_DRIFT, "vCPU re-masked", NULL), 1);
	/* To where it is: nothing has changed. */
	REQUIRE_EQ(set_mask(vm->tids[0], 0x10), 0);
	CHECK_EQ(events(part, DEVIRT_EVENT_DRIFT, "", NULL), 0);
	/* By a cpuset, as libvirt has one for each domain. */
	new_group("one", "0-1");
	join("one", vm->pid);
	CHECK_EQ(mask_of(vm->tids[0]), 0x10);
	CHECK_EQ(events(part, DEVIRT_EVENT_DRIFT, "vCPU re-masked", NULL), 1);
	/* Others of the VMM go back too, which is nobody's loss. */
	CHECK_EQ(mask_of(vm->pid), 0x20);
	REQUIRE_EQ(set_mask(vm->pid, 0x02), 0);
	CHECK_EQ(mask_of(vm->pid), 0x20);
	CHECK_EQ(events(part, DEVIRT_EVENT_DRIFT, "", NULL), 0);
	close(part);
	CHECK_EQ(mask_of(vm->pid), 0x02);
	minivm_stop(vm);
}

TEST("tasks of a CPU that goes offline during a lease don't come to the leased one")
{
	pid_t bound = spawn(burn, NULL), both = spawn(burn, NULL), idle = spawn(child, NULL);
	int part;

	REQUIRE_EQ(set_mask(bound, 0x08), 0);
	REQUIRE_EQ(set_mask(idle, 0x08), 0);
	REQUIRE_EQ(set_mask(both, 0x18), 0);
	part = lease_watched("offline", 0x30);
	CHECK_EQ(mask_of(both), 0x08);
	REQUIRE_EQ(file_write("0", "/sys/devices/system/cpu/cpu3/online"), 0);
	CHECK(EVENTUALLY(mask_of(bound) == 0x07), "%#lx", mask_of(bound));
	CHECK(EVENTUALLY(mask_of(both) == 0x07), "%#lx", mask_of(both));
	REQUIRE_EQ(file_write("1", "/sys/devices/system/cpu/cpu3/online"), 0);
	CHECK(EVENTUALLY(mask_of(both) == 0x08), "%#lx", mask_of(both));
	CHECK_EQ(mask_of(bound) & 0x30, 0);
	close(part);
	/* The kernel had to give it others; this one it didn't. */
	CHECK_EQ(mask_of(bound), ALL);
	CHECK_EQ(mask_of(both), 0x18);
	CHECK_EQ(mask_of(idle), 0x08);
}

/* -------------------------------------------------------------------- guard */

static unsigned long long intrusions(int part, unsigned int cpu, struct devirt_intruder *named,
				     const char *name)
{
	struct devirt_cpu_stats cpus[CPUS];
	struct devirt_intruder intruders[512];
	struct devirt_stats stats = {
		.size = sizeof(stats),
		.cpus = (unsigned long)cpus, .cpu_count = CPUS, .cpu_size = sizeof(cpus[0]),
		.intruders = (unsigned long)intruders, .intruder_count = 512,
		.intruder_size = sizeof(intruders[0]),
	};
	unsigned long long total = 0;
	unsigned int i;

	REQUIRE_EQ(lease_ioctl(part, DEVIRT_STATS, &stats), 0);
	for (i = 0; i < stats.cpu_count; i++) {
		if (cpus[i].cpu == cpu)
			total = cpus[i].intrusions;
	}
	if (!named)
		return total;
	memset(named, 0, sizeof(*named));
	for (i = 0; i < stats.intruder_count; i++) {
		if (intruders[i].cpu == cpu && !strcmp(intruders[i].name, name))
			*named = intruders[i];
	}
	return total;
}

TEST("what can't leave is named, with its kind, each time counted, and told once")
{
	struct devirt_intruder named;
	struct devirt_event event;
	unsigned long long before;
	pid_t bound;
	int part;

	load_kthreads(4, 1);
	bound = process_named("dvt-bound");
	part = lease_watched("named", 0x30);
	CHECK(EVENTUALLY(events(part, DEVIRT_EVENT_INTRUSION, "dvt-bound", &event)));
	CHECK_EQ(event.cpu, 4);
	CHECK_EQ(event.record, 0);
	CHECK_EQ(event.pid, bound);
	before = intrusions(part, 4, &named, "dvt-bound");
	CHECK_EQ(named.kind, DEVIRT_INTRUDER_BOUND);
	CHECK_EQ(named.pid, bound);
	CHECK(named.count > 0 && named.count <= intrusions(part, 4, NULL, NULL));
	CHECK(EVENTUALLY(intrusions(part, 4, &named, "dvt-bound") > before && named.count > 20));
	CHECK_EQ(events(part, DEVIRT_EVENT_INTRUSION, "dvt-bound", NULL), 0);
	intrusions(part, 5, &named, "dvt-bound");
	CHECK_EQ(named.count, 0);
	close(part);
	/* A new lease counts anew. */
	part = lease_watched("anew", 0x30);
	before = intrusions(part, 4, NULL, NULL);
	CHECK(before < 20, "%llu", before);
	CHECK(EVENTUALLY(events(part, DEVIRT_EVENT_INTRUSION, "dvt-bound", NULL) == 1));
}

TEST("who comes unseen is counted and sent away: a user task, and a kernel thread")
{
	struct devirt_intruder named;
	struct devirt_event event;
	pid_t user = spawn(burn, NULL), self;
	int part = lease_watched("unseen", 0x30);
	unsigned long long born;

	/* The kernel's own switch for probes: nobody sees that it is re-masked. */
	REQUIRE_EQ(file_write("0", KPROBES), 0);
	REQUIRE_EQ(set_mask(user, 0x10), 0);
	CHECK(EVENTUALLY(mask_of(user) == 0x0f));
	CHECK(EVENTUALLY(events(part, DEVIRT_EVENT_INTRUSION, "isolation", &event)));
	CHECK_EQ(event.cpu, 4);
	CHECK_EQ(event.pid, user);
	intrusions(part, 4, &named, "isolation");
	CHECK_EQ(named.kind, DEVIRT_INTRUDER_USER);
	CHECK(named.count > 0);

	/* When a new thread, which may be on any CPU at first, isn't looked at any more. */
	load_kthreads_that(1, 5, false);
	self = process_named("dvt-self");
	CHECK(EVENTUALLY(mask_of(self) == 0x0f));
	sleep(1);
	intrusions(part, 5, &named, "dvt-self");
	born = named.count;
	REQUIRE_EQ(file_write("1", KTHREADS "go"), 0);
	CHECK(EVENTUALLY(file_number(KTHREADS "gone") == 1));
	CHECK(EVENTUALLY((intrusions(part, 5, &named, "dvt-self"), named.count > born)));
	CHECK_EQ(named.kind, DEVIRT_INTRUDER_KTHREAD);
	CHECK(EVENTUALLY(mask_of(self) == 0x0f));
	REQUIRE_EQ(file_write("1", KPROBES), 0);
	close(part);
	CHECK_EQ(mask_of(user), 0x10);
	CHECK_EQ(mask_of(self), 0x20);
}

/* Has a process that sleeps run for a moment. */
static void wake(pid_t pid)
{
	kill(pid, SIGSTOP);
	kill(pid, SIGCONT);
}

TEST("the guest's own threads are no intruders, and the VMM's are on the vCPU's core")
{
	struct devirt_record recs[] = { rec_cpu(4, DEVIRT_ROLE_VCPU, 0),
					rec_cpu(5, DEVIRT_ROLE_EMULATOR, 0) };
	int part = lease_new("own", recs, 2);
	struct minivm *vm = minivm_new(1);
	struct devirt_intruder named;
	unsigned long long count;
	unsigned long exits;

	REQUIRE(part >= 0, "%s", strerror(-part));
	vm->fork = true;
	minivm_start(vm);
	REQUIRE_EQ(vm->error, 0);
	REQUIRE_EQ(lease_attach(part, vm->pid), 0);
	vm->run = true;
	REQUIRE(EVENTUALLY(minivm_ran(vm, 200) && vm->children[0]));
	REQUIRE(EVENTUALLY(mask_of(vm->children[0]) == 0x20));
	wake(vm->children[0]);
	/* It began where its parent was. */
	intrusions(part, 4, &named, "isolation");
	count = named.count;
	exits = vm->exits[0] + 200;
	REQUIRE(EVENTUALLY(minivm_ran(vm, exits)));
	intrusions(part, 4, &named, "isolation");
	CHECK_EQ(named.count, count);
	intrusions(part, 5, &named, "isolation");
	CHECK_EQ(named.count, 0);
	/* One that isn't the vCPU's. */
	REQUIRE_EQ(file_write("0", KPROBES), 0);
	REQUIRE_EQ(set_mask(vm->children[0], 0x10), 0);
	wake(vm->children[0]);
	CHECK(EVENTUALLY(mask_of(vm->children[0]) == 0x20));
	intrusions(part, 4, &named, "isolation");
	CHECK(named.count > count);
	CHECK_EQ(named.kind, DEVIRT_INTRUDER_USER);
	close(part);
	minivm_stop(vm);
}
