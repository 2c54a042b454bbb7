// SPDX-License-Identifier: GPL-2.0
/*
 * 200 SIGKILLs at random moments of a lease's life, and what the host looks like
 * after each.
 *
 * A runner does what `devirt run` does: creates a partition, applies a
 * description with all kinds, starts a VMM, attaches it, and releases when that
 * is done. Three of them live at a time, with different things, since most of a
 * lease's life is waiting for devices; after each three the host is compared.
 *
 * A moment is a phase of a life and a time in it, both drawn. Durations differ
 * with what else the machine does, and so must not decide which phases are
 * killed in: who is to die in a phase stays there, unless the kernel is at work
 * in it. There the moment is drawn from as long as that took last.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "lease.h"
#include "minivm.h"
#include "nvme.h"
#include "pf.h"
#define TAP_SECONDS	400
#include "rounds.h"
#include "tap.h"

#define KILLS		201
#define RUNNERS		3
#define ALL		0x3f
/* This VF of igb has the driver of a vendor of graphics cards. */
#define VGPU		3

enum phase {
	BEFORE, CREATED, APPLYING, APPLIED, ATTACHED, RUNNING, RELEASING, RELEASED, PHASES
};

static const char *const phases[] = {
	"before", "created", "applying", "applied", "attached", "running", "releasing", "released"
};

/* How often in which, of all: most where most is half done. */
static const unsigned int weights[PHASES] = { 1, 1, 6, 3, 1, 2, 3, 1 };

static bool in_kernel(enum phase phase)
{
	return phase == APPLYING || phase == RELEASING;
}

struct runner {
	int number;
	pid_t pid;
	volatile enum phase phase;
	/* When it was there, and the one it doesn't outlive: PHASES if it is spared. */
	volatile long entered[PHASES];
	enum phase last;
	struct devirt_record recs[8];
	int count;
	bool vfio;
	volatile int error;
	unsigned int reason;
	struct minivm vm;
};

static struct runner *runners;
static unsigned long long state = 0x5eed;

static void reset(void)
{
	/* Before the first look at the host. */
	command("modprobe mbochs");
	nvme_share(NVME);
	vgpu_unload();
	file_write("1", "/sys/bus/pci/devices/" IGB "/sriov_drivers_autoprobe");
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

/* A VF with an address and a VLAN of its own. */
static struct devirt_record rec_net(int n)
{
	struct devirt_record rec = rec_vf(IGB, n, 0);

	rec.vf.settings.set = DEVIRT_VF_SET_MAC | DEVIRT_VF_SET_VLAN | DEVIRT_VF_SET_TRUST;
	memcpy(rec.vf.settings.net.mac, "\x52\x54\x00\x0a\x00", 5);
	rec.vf.settings.net.mac[5] = n;
	rec.vf.settings.net.vlan = 10 + n;
	rec.vf.settings.net.trust = 1;
	return rec;
}

static struct devirt_record rec_queues(void)
{
	struct devirt_record rec = rec_vf(NVME, DEVIRT_VF_ANY, 2);

	rec.vf.settings.set = DEVIRT_VF_SET_QUEUES | DEVIRT_VF_SET_VECTORS;
	rec.vf.settings.nvme.queues = 3;
	rec.vf.settings.nvme.vectors = 2;
	return rec;
}

/* All kinds, each runner its own things; what takes long only now and then. */
static void describe(struct runner *runner, int batch)
{
	int n = runner->number, count = 0;

	runner->recs[count++] = rec_memory(2 * MIB, 4 + n, 0);
	if (n < 2) {
		runner->recs[count++] = rec_cpu(2 + 2 * n, DEVIRT_ROLE_VCPU, 0);
		runner->recs[count++] = rec_cpu(3 + 2 * n, DEVIRT_ROLE_EMULATOR, 0);
	}
	runner->recs[count++] = rec_net(n);
	if (n == 0) {
		runner->recs[count++] = rec_pci(EDU);
		runner->recs[count++] = rec_vgpu(VGPU, 1102);
	}
	if (n == 2)
		runner->recs[count++] = rec_mdev("mbochs", "mbochs-small", NULL);
	if (n == 1 && batch % 8 == 1)
		runner->recs[count++] = rec_pci(DISK);
	if (n == 2 && batch % 5 == 2)
		runner->recs[count++] = rec_queues();
	runner->count = count;
	runner->vfio = (batch + n) % 3 == 0;
}

static const struct devirt_record *a_record(const struct runner *runner, unsigned int kind)
{
	int i;

	for (i = 0; i < runner->count; i++) {
		if (runner->recs[i].kind == kind)
			return &runner->recs[i];
	}
	return NULL;
}

/* Its mediated device, if it has one, or else its VF. */
static int open_device(struct runner *runner, struct vfio *vfio)
{
	const struct devirt_record *mdev = a_record(runner, DEVIRT_KIND_MDEV);

	if (mdev)
		return vfio_open_mdev(vfio, uuid_text(mdev->mdev.uuid));
	return vfio_open(vfio, pci_text(&a_record(runner, DEVIRT_KIND_VF)->vf.addr));
}

static void start_vmm(struct runner *runner)
{
	struct vfio vfio;
	int try, err = -1;

	if (fork())
		return;
	runner->vm.pid = getpid();
	close_range(3, ~0U, 0);
	for (try = 0; runner->vfio && try < 50 && err; try++) {
		err = open_device(runner, &vfio);
		if (err)
			tap_pause(10);
	}
	minivm_main(&runner->vm);
}

static long now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* To the next phase, if it isn't to die in this one. */
static void go_on(struct runner *runner, enum phase phase)
{
	while (runner->phase == runner->last && !in_kernel(runner->last))
		tap_pause(1);
	if (phase == PHASES)
		_exit(0);
	runner->phase = phase;
	runner->entered[phase] = now_ms();
}

static void run(struct runner *runner)
{
	char name[16];
	int part, err;
	unsigned int failed = 0;

	setpgid(0, 0);
	snprintf(name, sizeof(name), "kill%d", runner->number);
	part = lease_create(name);
	go_on(runner, CREATED);
	if (part < 0) {
		runner->error = part;
		_exit(1);
	}
	go_on(runner, APPLYING);
	err = lease_apply(part, 0, runner->recs, runner->count, &failed);
	if (err) {
		runner->reason = runner->recs[failed].reason;
		runner->error = err;
		_exit(1);
	}
	go_on(runner, APPLIED);
	start_vmm(runner);
	while (!runner->vm.tids[0] && !runner->vm.error)
		tap_pause(1);
	err = lease_attach(part, runner->vm.pid);
	go_on(runner, ATTACHED);
	runner->vm.run = true;
	while (!minivm_ran(&runner->vm, 20) && !runner->vm.error)
		tap_pause(1);
	go_on(runner, RUNNING);
	tap_pause(30);
	runner->vm.stop = true;
	if (err || runner->vm.error)
		runner->error = err ?: -runner->vm.error;
	wait(NULL);
	go_on(runner, RELEASING);
	/* The ways to give it back: by the ioctl, by closing, by ending. */
	if (runner->number == 0)
		lease_release(part);
	if (runner->number == 1)
		close(part);
	go_on(runner, RELEASED);
	go_on(runner, PHASES);
}

static void start(struct runner *runner, int number, int batch, enum phase last)
{
	pid_t pid;

	memset(runner, 0, sizeof(*runner));
	runner->number = number;
	runner->vm.vcpus = 1;
	runner->last = last;
	runner->entered[BEFORE] = now_ms();
	describe(runner, batch);
	/* Not by way of what they share: both of them would write it. */
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(runner);
	}
	REQUIRE(pid > 0);
	setpgid(pid, pid);
	runner->pid = pid;
}

static bool gone(int number)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/devirt/kill%d", number);
	return access(path, F_OK);
}

static bool same_host(const struct host *before, const char *what)
{
	struct host after;
	int differences;

	host_take(&after, false);
	differences = host_diff(before, &after, stdout, "# ");
	host_free(&after);
	return CHECK(!differences, "%d differences after %s", differences, what);
}

static enum phase draw_phase(void)
{
	unsigned int sum = 0, drawn;
	int phase;

	for (phase = 0; phase < PHASES; phase++)
		sum += weights[phase];
	drawn = prng(&state) % sum;
	for (phase = 0; drawn >= weights[phase]; phase++)
		drawn -= weights[phase];
	return phase;
}

/* How long each phase took that it got to the end of. */
static void take_lengths(const struct runner *runner, long *lengths)
{
	int phase;

	for (phase = 0; phase + 1 < PHASES && runner->entered[phase + 1]; phase++)
		lengths[phase] = runner->entered[phase + 1] - runner->entered[phase];
}

TEST("SIGKILLs at random moments of a lease's life: the host is as it was after each")
{
	int batch, i, kills = 0, bad = 0, killed[PHASES] = {}, drawn[PHASES] = {};
	int wanted = rounds_of(KILLS), alone = 0, drained = 0;
	long lengths[RUNNERS][PHASES] = {}, after[RUNNERS];
	struct host before;
	char what[160];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	runners = mmap(NULL, RUNNERS * sizeof(*runners), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(runners != MAP_FAILED);
	REQUIRE_EQ(file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_drivers_autoprobe"), 0);
	REQUIRE_EQ(vgpu_load(), 0);
	REQUIRE_EQ(pf_set_vfs(IGB, VGPU + 1), 0);
	REQUIRE_EQ(file_write(VGPU_DRIVER, "/sys/bus/pci/devices/%s/driver_override",
			      pf_vf(IGB, VGPU)), 0);
	REQUIRE_EQ(pci_bind(pf_vf(IGB, VGPU), VGPU_DRIVER), 0);
	host_take(&before, false);

	/* Twice undisturbed: that it works at all, and how long it takes. */
	for (batch = 0; batch < 2; batch++) {
		for (i = 0; i < RUNNERS; i++)
			start(&runners[i], i, 2 + batch, PHASES);
		for (i = 0; i < RUNNERS; i++) {
			pid_t pid = waitpid(-1, NULL, 0);
			int which = pid == runners[0].pid ? 0 : pid == runners[1].pid ? 1 : 2;

			REQUIRE(!runners[which].error, "runner %d: %s, reason %u", which,
				strerror(-runners[which].error), runners[which].reason);
			CHECK_EQ(runners[which].phase, RELEASED);
			CHECK(EVENTUALLY(gone(which)));
			take_lengths(&runners[which], lengths[which]);
		}
		REQUIRE(same_host(&before, "an undisturbed life"));
	}
	for (i = 0; i < RUNNERS; i++)
		printf("# runner %d undisturbed: applied in %ld ms, released in %ld ms\n", i,
		       lengths[i][APPLYING], lengths[i][RELEASING]);

	for (batch = 0; kills < wanted; batch++) {
		int alive = RUNNERS;

		for (i = 0; i < RUNNERS; i++) {
			enum phase last = draw_phase();

			drawn[last]++;
			after[i] = prng(&state) % (lengths[i][last] + 1);
			start(&runners[i], i, batch, last);
		}
		for (i = 0; alive; i = (i + 1) % RUNNERS) {
			struct runner *runner = &runners[i];
			long entered = runner->entered[runner->last];

			if (!i)
				tap_pause(1);
			if (after[i] < 0 || (!runner->error &&
					     (!entered || now_ms() < entered + after[i])))
				continue;
			after[i] = -1;
			alive--;
			killed[runner->phase]++;
			/* Alternately alone, and with its VMM. */
			if ((batch + i) % 2) {
				kill(runner->pid, SIGKILL);
				alone++;
			} else {
				kill(-runner->pid, SIGKILL);
			}
			kills++;
			bad += !CHECK(!runner->error, "batch %d: runner %d: %s, reason %u", batch, i,
				      strerror(-runner->error), runner->reason);
		}
		snprintf(what, sizeof(what), "batch %d", batch);
		for (i = 0; i < RUNNERS; i++)
			waitpid(runners[i].pid, NULL, 0);
		for (i = 0; i < RUNNERS; i++) {
			unsigned long masks[2] = { mask_of(runners[i].vm.pid),
						   mask_of(runners[i].vm.tids[0]) };

			drained += !gone(i);
			/*
			 * A VMM that lives on keeps what it has open, and nothing
			 * else: its threads are the host's again. (One that was
			 * about to end doesn't matter any more.)
			 */
			if ((batch + i) % 2 && runners[i].vm.tids[0] && !runners[i].vm.stop)
				bad += !CHECK((!masks[0] || masks[0] == ALL) &&
					      (!masks[1] || masks[1] == ALL),
					      "%s: runner %d's VMM has %#lx, its vCPU %#lx",
					      what, i, masks[0], masks[1]);
		}
		for (i = 0; i < RUNNERS; i++) {
			kill(-runners[i].pid, SIGKILL);
			while (waitpid(-runners[i].pid, NULL, 0) > 0)
				;
		}
		for (i = 0; i < RUNNERS; i++)
			take_lengths(&runners[i], lengths[i]);
		for (i = 0; i < RUNNERS; i++)
			bad += !CHECK(EVENTUALLY(gone(i)), "%s: partition %d is still there", what, i);
		bad += !same_host(&before, what);
		if (bad) {
			for (i = 0; i < RUNNERS; i++)
				printf("# runner %d was %s\n", i, phases[runners[i].phase]);
			break;
		}
	}
	printf("# %d kills, %d of them of the runner alone, %d drained; when it was", kills, alone,
	       drained);
	for (i = 0; i < PHASES; i++)
		printf(" %s: %d of %d", phases[i], killed[i], drawn[i]);
	printf("\n");
	for (i = 0; i < PHASES; i++) {
		if (in_kernel(i))
			CHECK(killed[i], "none was killed while %s", phases[i]);
		else
			CHECK(killed[i] >= drawn[i], "%d of %d were killed when %s", killed[i],
			      drawn[i], phases[i]);
	}
}
