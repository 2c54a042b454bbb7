// SPDX-License-Identifier: GPL-2.0
/*
 * exits KIND N ROUNDS: a VMM with one vCPU that leaves the guest N times in each
 * round, and does nothing else: KIND `kernel`, which KVM itself answers (CPUID),
 * or `user`, which the VMM does (an output). Prints for each round how many
 * nanoseconds that took and how many exits KVM counted. What happens once, when
 * the vCPU first runs, is over by then.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define GUEST_CODE	0x1000
#define GUEST_OUT	(GUEST_CODE + 9)
#define GUEST_MEMORY	0x10000
#define WARM_UP		1000

/* Real mode, 32-bit operands. */
static const unsigned char guest_code[] = {
	0x66, 0x31, 0xc0,	/* again: xor %eax, %eax */
	0x0f, 0xa2,		/* cpuid */
	0x66, 0x4e,		/* dec %esi */
	0x75, 0xf7,		/* jnz again */
	0xe6, 0x10,		/* out: out %al, $0x10 */
	0xeb, 0xfc,		/* jmp out */
};

static int vm, vcpu;
static struct kvm_run *run;
static unsigned long count, rounds;
static bool user;

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* How many exits KVM has counted. */
static unsigned long exits(void)
{
	unsigned long number;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/exits", getpid(), vm);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%lu", &number) != 1)
		err(1, "%s", path);
	fclose(file);
	return number;
}

static void enter(void)
{
	while (ioctl(vcpu, KVM_RUN, NULL)) {
		if (errno != EINTR)
			err(1, "KVM_RUN");
	}
	if (run->exit_reason != KVM_EXIT_IO)
		errx(1, "exit reason %u", run->exit_reason);
}

static void leave(unsigned long times)
{
	struct kvm_regs regs = { .rflags = 2, .rip = GUEST_CODE, .rsi = times };

	if (user) {
		while (times--)
			enter();
		return;
	}
	if (ioctl(vcpu, KVM_SET_REGS, &regs))
		err(1, "KVM_SET_REGS");
	enter();
}

/* In a thread that is made for it, as every VMM has. */
static void *run_vcpu(void *arg)
{
	struct kvm_regs regs = { .rflags = 2, .rip = GUEST_OUT };
	struct kvm_sregs sregs;
	unsigned long before;
	long long start, took;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		err(1, "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		err(1, "KVM_SET_SREGS");
	leave(WARM_UP);
	sleep(3);
	while (rounds--) {
		before = exits();
		start = now();
		leave(count);
		took = now() - start;
		printf("%lld %lu\n", took, exits() - before);
		fflush(stdout);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	pthread_t thread;
	char *memory;

	if (argc != 4 || (strcmp(argv[1], "kernel") && strcmp(argv[1], "user")))
		errx(2, "usage: exits kernel|user N ROUNDS");
	user = !strcmp(argv[1], "user");
	count = strtoul(argv[2], NULL, 0);
	rounds = strtoul(argv[3], NULL, 0);
	if (kvm < 0)
		err(1, "/dev/kvm");
	memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	memcpy(memory + GUEST_CODE, guest_code, sizeof(guest_code));
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		err(1, "KVM_CREATE_VM");
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &(struct kvm_userspace_memory_region){
			.memory_size = GUEST_MEMORY, .userspace_addr = (unsigned long)memory }))
		err(1, "KVM_SET_USER_MEMORY_REGION");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		err(1, "KVM_CREATE_VCPU");
	run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED,
		   vcpu, 0);
	if (run == MAP_FAILED)
		err(1, "mmap of the vCPU");
	if (pthread_create(&thread, NULL, run_vcpu, NULL))
		errx(1, "pthread_create");
	pthread_join(thread, NULL);
	return 0;
}
