// SPDX-License-Identifier: GPL-2.0
/*
 * The VMM is recognised: it is the process that uses a partition's device
 * through VFIO. Nobody attaches anything here, but where that is the test.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "device.h"
#include "minivm.h"
#include "tap.h"

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = minivm_reset;
}

/**
 * struct actor - a process that uses a device when it is told to
 * @pid: the process
 * @addr: the device
 * @fd: of the device, if it doesn't open it itself
 * @uid: who it is
 * @go: so many ioctls are asked for
 * @done: so many it has made
 * @vm: a guest that it runs after its first ioctl, or NULL
 * @error: what went wrong
 */
struct actor {
	pid_t pid;
	char addr[32];
	int fd;
	int uid;
	volatile int go;
	volatile int done;
	struct minivm *vm;
	volatile int error;
};

static void act(void *arg)
{
	struct actor *actor = arg;
	struct vfio vfio = { .device = actor->fd };

	/* Not the lease, or it would live as long as this. */
	dup2(actor->fd, 3);
	if (actor->fd >= 0)
		vfio.device = 3;
	close_range(actor->fd >= 0 ? 4 : 3, ~0U, 0);
	if (actor->uid && (setgid(actor->uid) || setuid(actor->uid)))
		actor->error = -errno;
	if (actor->uid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		while (actor->done == actor->go)
			tap_pause(2);
		if (vfio.device < 0)
			actor->error = vfio_open(&vfio, actor->addr);
		if (!actor->error)
			actor->error = device_ioctl(&vfio);
		actor->done++;
		if (actor->vm)
			minivm_main(actor->vm);
	}
}

static struct actor *actor_new(const char *addr, int fd)
{
	struct actor *actor = mmap(NULL, sizeof(*actor), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	REQUIRE(actor != MAP_FAILED);
	strcpy(actor->addr, addr);
	actor->fd = fd;
	return actor;
}

/* It makes @count ioctls. */
static void make(struct actor *actor, int count)
{
	if (!actor->pid)
		actor->pid = spawn(act, actor);
	actor->go += count;
	REQUIRE(EVENTUALLY(actor->done == actor->go));
	REQUIRE_EQ(actor->error, 0);
}

static void end(struct actor *actor)
{
	kill(actor->pid, SIGKILL);
	waitpid(actor->pid, NULL, 0);
}

/* edu, and CPUs 2 and 3 for the vCPUs 0 and 1. */
static int lease_edu(const char *name)
{
	struct devirt_record recs[] = {
		rec_pci(EDU), rec_cpu(2, DEVIRT_ROLE_VCPU, 0), rec_cpu(3, DEVIRT_ROLE_VCPU, 1),
	};
	int part = lease_new(name, recs, 3);

	REQUIRE(part >= 0, "%s", strerror(-part));
	REQUIRE(fcntl(part, F_SETFL, O_NONBLOCK) == 0);
	return part;
}

static pid_t vmm_of(int part)
{
	struct devirt_get get;

	lease_get(part, &get, NULL, 0);
	return get.vmm;
}

TEST("the first user is the VMM, before its ioctl returns; a vCPU that it has is on its CPU")
{
	struct actor *actor = actor_new(EDU, -1);
	struct devirt_event event = {};
	int part = lease_edu("first"), i;

	REQUIRE_EQ(vmm_of(part), 0);
	actor->vm = minivm_new(2);
	actor->vm->run = true;
	REQUIRE(entries_begin());
	make(actor, 1);
	CHECK_EQ(vmm_of(part), actor->pid);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_ATTACHED, &event), 1);
	CHECK_EQ(event.pid, actor->pid);
	CHECK(EVENTUALLY(minivm_ran(actor->vm, 50) || actor->vm->error));
	CHECK_EQ(actor->vm->error, 0);
	for (i = 0; i < CPUS; i++)
		CHECK((entries_on(i) >= 50) == (i == 2 || i == 3) &&
		      (i == 2 || i == 3 || !entries_on(i)), "CPU %d: %lu", i, entries_on(i));
	end(actor);
	CHECK_EQ(vmm_of(part), 0);
}

/* Makes an ioctl once the guest's vCPUs are all there. */
static struct vfio late_vfio;
static struct minivm *late_vm;

static void *use_late(void *arg)
{
	int i;

	for (i = 0; i < late_vm->vcpus; i++) {
		while (!late_vm->tids[i])
			tap_pause(2);
	}
	while (!late_vm->more)
		tap_pause(2);
	late_vm->error = -device_ioctl(&late_vfio);
	late_vm->run = true;
	return NULL;
}

static void late_main(void *arg)
{
	pthread_t thread;

	close_range(4, ~0U, 0);
	late_vfio.device = 3;
	pthread_create(&thread, NULL, use_late, NULL);
	minivm_main(late_vm);
}

TEST("vCPUs that are made before the device is used are pinned, from their first entry on")
{
	int part = lease_edu("before"), i;
	struct vfio vfio;

	late_vm = minivm_new(2);
	REQUIRE(entries_begin());
	REQUIRE_EQ(vfio_open(&vfio, EDU), 0);
	REQUIRE(part != 3 && vfio.device != 3);
	dup2(vfio.device, 3);
	late_vm->pid = spawn(late_main, NULL);
	for (i = 0; i < 2; i++)
		REQUIRE(EVENTUALLY(late_vm->tids[i] || late_vm->error));
	REQUIRE_EQ(vmm_of(part), 0);
	late_vm->more = true;
	CHECK(EVENTUALLY(minivm_ran(late_vm, 50) || late_vm->error));
	CHECK_EQ(late_vm->error, 0);
	CHECK_EQ(vmm_of(part), late_vm->pid);
	for (i = 0; i < CPUS; i++)
		CHECK((entries_on(i) >= 50) == (i == 2 || i == 3) &&
		      (i == 2 || i == 3 || !entries_on(i)), "CPU %d: %lu", i, entries_on(i));
	minivm_stop(late_vm);
}

TEST("a second user isn't the VMM while the first lives; it is told once, and is the next")
{
	struct actor *first = actor_new(EDU, -1), *second, *third;
	struct devirt_event event = {};
	int part = lease_edu("second");
	struct vfio vfio;

	/* This process only opens it: opening is no ioctl of the device. */
	REQUIRE_EQ(vfio_open(&vfio, EDU), 0);
	CHECK_EQ(vmm_of(part), 0);
	first = actor_new(EDU, vfio.device);
	second = actor_new(EDU, vfio.device);
	third = actor_new(EDU, vfio.device);
	make(first, 3);
	CHECK_EQ(vmm_of(part), first->pid);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_USER, &event), 0);
	make(second, 5);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_USER, &event), 1);
	CHECK_EQ(event.pid, second->pid);
	CHECK_EQ(event.record, 0);
	make(third, 5);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_USER, &event), 1);
	CHECK_EQ(event.pid, third->pid);
	make(second, 5);
	make(first, 5);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_USER, &event), 0);
	CHECK_EQ(vmm_of(part), first->pid);
	/* It has ended although nobody has waited for it yet. */
	kill(first->pid, SIGKILL);
	REQUIRE_EQ(waitid(P_PID, first->pid, &(siginfo_t){}, WEXITED | WNOWAIT), 0);
	make(second, 1);
	CHECK_EQ(vmm_of(part), second->pid);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_ATTACHED, &event), 1);
	CHECK_EQ(event.pid, second->pid);
	waitpid(first->pid, NULL, 0);
	end(second);
	make(third, 1);
	CHECK_EQ(vmm_of(part), third->pid);
	end(third);
}

TEST("who is attached is the VMM, whoever uses the device; then it isn't told either")
{
	struct actor *user = actor_new(EDU, -1), *vmm;
	struct devirt_event event = {};
	int part = lease_edu("attached");
	struct vfio vfio;

	REQUIRE_EQ(vfio_open(&vfio, EDU), 0);
	vmm = actor_new(EDU, vfio.device);
	user = actor_new(EDU, vfio.device);
	vmm->pid = spawn(act, vmm);
	REQUIRE_EQ(lease_attach(part, vmm->pid), 0);
	make(user, 2);
	CHECK_EQ(vmm_of(part), vmm->pid);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_USER, &event), 1);
	CHECK_EQ(event.pid, user->pid);
	make(vmm, 2);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_USER, &event), 0);
	/* And who was recognised is in the way of an attach. */
	end(vmm);
	make(user, 1);
	CHECK_EQ(vmm_of(part), user->pid);
	CHECK_EQ(lease_attach(part, getpid()), -EBUSY);
	CHECK_EQ(lease_attach(part, user->pid), 0);
	end(user);
}

TEST("an unprivileged user is the VMM the same")
{
	struct actor *actor = actor_new(EDU, -1);
	int part = lease_edu("plain");

	actor->uid = 1000;
	REQUIRE_EQ(command("chown 1000 /dev/vfio/%d && chmod 666 /dev/vfio/vfio",
			   pci_group(EDU)), 0);
	make(actor, 1);
	CHECK_EQ(vmm_of(part), actor->pid);
	end(actor);
}

static void fork_and_use(void *arg)
{
	struct actor *child = arg;
	struct vfio vfio = { .device = 3 };
	pid_t pid;

	dup2(child->fd, 3);
	close_range(4, ~0U, 0);
	child->error = device_ioctl(&vfio);
	child->fd = 3;
	pid = fork();
	if (!pid)
		act(child);
	child->pid = pid;
	pause();
}

TEST("a VMM's child is another process, and may become the VMM when its parent has ended")
{
	struct devirt_event event = {};
	int part = lease_edu("fork");
	struct actor *child;
	struct vfio vfio;
	pid_t parent;

	REQUIRE_EQ(vfio_open(&vfio, EDU), 0);
	child = actor_new(EDU, vfio.device);
	parent = spawn(fork_and_use, child);
	REQUIRE(EVENTUALLY(*(volatile pid_t *)&child->pid));
	CHECK_EQ(vmm_of(part), parent);
	make(child, 3);
	CHECK_EQ(vmm_of(part), parent);
	CHECK_EQ(lease_events(part, DEVIRT_EVENT_USER, &event), 1);
	CHECK_EQ(event.pid, child->pid);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	make(child, 1);
	CHECK_EQ(vmm_of(part), child->pid);
	kill(child->pid, SIGKILL);
}

TEST("another partition's VMM isn't this one's, and is told; who comes next is")
{
	struct devirt_record rec = rec_vf(IGB, 0, 1);
	struct actor *one = actor_new(EDU, -1), *both, *other;
	struct devirt_event event = {};
	int part = lease_edu("mine"), second;
	struct vfio vfio;

	second = lease_new("other", &rec, 1);
	REQUIRE(second >= 0 && fcntl(second, F_SETFL, O_NONBLOCK) == 0);
	REQUIRE_EQ(lease_get(second, &(struct devirt_get){}, &rec, 1), 0);
	REQUIRE_EQ(vfio_open(&vfio, pci_text(&rec.vf.addr)), 0);
	both = actor_new(EDU, vfio.device);
	other = actor_new(EDU, vfio.device);
	one->pid = spawn(act, one);
	REQUIRE_EQ(lease_attach(part, one->pid), 0);
	both->pid = spawn(act, both);
	/* It is the first one's, though it never uses its device. */
	end(one);
	REQUIRE_EQ(lease_attach(part, both->pid), 0);
	make(both, 4);
	CHECK_EQ(vmm_of(second), 0);
	CHECK_EQ(lease_events(second, DEVIRT_EVENT_USER, &event), 1);
	CHECK_EQ(event.pid, both->pid);
	make(other, 1);
	CHECK_EQ(vmm_of(second), other->pid);
	CHECK_EQ(vmm_of(part), both->pid);
	end(both);
	end(other);
}

static bool probed(const char *what)
{
	FILE *file = fopen("/sys/kernel/debug/kprobes/list", "r");
	char line[256];
	bool found = false;

	REQUIRE(file);
	while (fgets(line, sizeof(line), file))
		found |= !!strstr(line, what);
	fclose(file);
	return found;
}

TEST("the probes of VFIO come with a device; that of KVM's routing goes with its user")
{
	struct actor *actor = actor_new(EDU, -1);
	int part;

	part = lease_edu("after");
	CHECK(probed("vfio_pci_core_ioctl"));
	CHECK(probed("vfio_pci_core_close_device"));
	make(actor, 1);
	end(actor);
	REQUIRE_EQ(lease_release(part), 0);
	CHECK(EVENTUALLY(!probed("kvm_set_irq_routing")));
}
