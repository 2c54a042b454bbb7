// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lease.h"
#include "minivm.h"

#define GUEST_CODE	0x1000
#define GUEST_MEMORY	0x10000

/* Real mode: out %al, $0x10; jmp back. */
static const unsigned char guest_code[] = { 0xe6, 0x10, 0xeb, 0xfc };

struct vcpu {
	struct minivm *vm;
	int index;
	int fd;
	int run_size;
};

static void nap(void)
{
	nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
}

static void *run_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;
	struct minivm *vm = vcpu->vm;
	struct kvm_regs regs = { .rip = GUEST_CODE, .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_run *run;
	pid_t child;

	vm->tids[vcpu->index] = gettid();
	run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED || ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		goto err;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) || ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		goto err;
	while (!vm->run && !vm->stop)
		nap();
	while (!vm->stop && !(vm->swap && vcpu->index == 0)) {
		if (ioctl(vcpu->fd, KVM_RUN, NULL)) {
			if (errno == EINTR)
				continue;
			goto err;
		}
		if (run->exit_reason != KVM_EXIT_IO) {
			errno = 1000 + run->exit_reason;
			goto err;
		}
		/* Not too often: the machine is emulated, and others are at work. */
		if (++vm->exits[vcpu->index] % 8 == 0 && !vm->busy)
			nap();
		if (vm->fork && !vm->children[vcpu->index]) {
			child = fork();
			if (!child) {
				vm->awake[vcpu->index] = true;
				pause();
				_exit(0);
			}
			vm->children[vcpu->index] = child;
		}
	}
	return NULL;
err:
	vm->error = errno;
	vm->stop = true;
	return NULL;
}

/* The VMM itself; doesn't return. */
void minivm_main(struct minivm *vm)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), fd = -1, i;
	struct vcpu vcpus[MINIVM_VCPUS];
	pthread_t threads[MINIVM_VCPUS];
	void *memory;

	memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (kvm < 0 || memory == MAP_FAILED)
		goto err;
	memcpy((char *)memory + GUEST_CODE, guest_code, sizeof(guest_code));
	fd = ioctl(kvm, KVM_CREATE_VM, 0);
	if (fd < 0)
		goto err;
	if (ioctl(fd, KVM_SET_USER_MEMORY_REGION, &(struct kvm_userspace_memory_region){
			.memory_size = GUEST_MEMORY,
			.userspace_addr = (unsigned long)memory }))
		goto err;
	for (i = 0; i < vm->vcpus; i++) {
		while (i >= vm->vcpus - vm->late && !vm->more && !vm->stop)
			nap();
		vcpus[i] = (struct vcpu){ .vm = vm, .index = i };
		vcpus[i].fd = ioctl(fd, KVM_CREATE_VCPU, i);
		vcpus[i].run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
		if (vcpus[i].fd < 0)
			goto err;
		pthread_create(&threads[i], NULL, run_vcpu, &vcpus[i]);
	}
	for (i = 0; i < vm->vcpus; i++) {
		pthread_join(threads[i], NULL);
		while (i == 0 && vm->swap && !vm->stop) {
			vm->tids[0] = 0;
			vm->swap = false;
			pthread_create(&threads[0], NULL, run_vcpu, &vcpus[0]);
			pthread_join(threads[0], NULL);
		}
	}
	_exit(vm->error ? 1 : 0);
err:
	vm->error = errno;
	_exit(1);
}

/* A VMM to be, which may be started. */
struct minivm *minivm_new(int vcpus)
{
	struct minivm *vm = mmap(NULL, sizeof(*vm), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (vm == MAP_FAILED)
		abort();
	vm->vcpus = vcpus;
	return vm;
}

/* Starts it; its vCPUs wait until .run is set. */
void minivm_start(struct minivm *vm)
{
	pid_t pid = fork();
	int i;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Not the lease, or it would live as long as the VMM. */
		close_range(3, ~0U, 0);
		minivm_main(vm);
	}
	vm->pid = pid;
	for (i = 0; i < vm->vcpus - vm->late; i++) {
		while (!vm->tids[i] && !vm->error)
			nap();
	}
}

/* Has every vCPU left the guest that often? */
bool minivm_ran(const struct minivm *vm, unsigned long exits)
{
	int i;

	for (i = 0; i < vm->vcpus; i++) {
		if (vm->exits[i] < exits)
			return false;
	}
	return true;
}

/* Ends it, and waits for that. */
void minivm_stop(struct minivm *vm)
{
	int i;

	vm->stop = true;
	for (i = 0; i < vm->vcpus; i++) {
		if (vm->children[i])
			kill(vm->children[i], SIGKILL);
	}
	waitpid(vm->pid, NULL, 0);
}

void minivm_free(struct minivm *vm)
{
	munmap(vm, sizeof(*vm));
}

/* After a test that may have been killed: KVM is there, and nothing is traced. */
void minivm_reset(void)
{
	entries_end();
	if (access("/dev/kvm", F_OK))
		command("modprobe kvm_amd && udevadm settle");
}

/* ----------------------------------------------------------------- entries */

#define INSTANCE	"/sys/kernel/tracing/instances/devirt-test"

/* From now on; false if the kernel can't. */
bool entries_begin(void)
{
	rmdir(INSTANCE);
	return !mkdir(INSTANCE, 0700) &&
	       !file_write("1", INSTANCE "/events/kvm/kvm_entry/enable");
}

unsigned long entries_on(int cpu)
{
	char path[128], line[128];
	unsigned long count = 0, some;
	FILE *file;

	snprintf(path, sizeof(path), INSTANCE "/per_cpu/cpu%d/stats", cpu);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "entries: %lu", &some) == 1 ||
		    sscanf(line, "overrun: %lu", &some) == 1)
			count += some;
	}
	if (file)
		fclose(file);
	return count;
}

void entries_end(void)
{
	file_write("0", INSTANCE "/events/enable");
	rmdir(INSTANCE);
}
