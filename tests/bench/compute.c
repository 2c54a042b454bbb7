// SPDX-License-Identifier: GPL-2.0
/*
 * compute N: a VMM whose guest only computes, on N vCPUs, and has no timer and
 * no device: whatever makes it leave the guest or its core is the host's.
 *
 * Prints "vcpu I thread TID" for each and "running" when all have computed; for
 * every line of input it prints how far each has counted; at the end of its
 * input it ends.
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
#include <unistd.h>

#define VCPUS_MAX	16
#define GUEST_CODE	0x1000
#define GUEST_COUNTERS	0x2000	/* a cache line each */
#define GUEST_MEMORY	0x10000

/* Real mode: incl 0x2000; jmp back. The data segment says whose counter. */
static const unsigned char guest_code[] = {
	0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xf9
};

struct vcpu {
	int index;
	int fd;
	volatile pid_t thread;
};

static struct vcpu vcpus[VCPUS_MAX];
static char *memory;

static unsigned int counter(int index)
{
	return *(volatile unsigned int *)(memory + GUEST_COUNTERS + 64 * index);
}

static void *run_vcpu(void *arg)
{
	struct kvm_regs regs = { .rip = GUEST_CODE, .rflags = 2 };
	struct vcpu *vcpu = arg;
	struct kvm_sregs sregs;
	char name[16];

	snprintf(name, sizeof(name), "vCPU %d", vcpu->index);
	pthread_setname_np(pthread_self(), name);
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		err(1, "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.ds.base = 64 * vcpu->index;
	sregs.ds.selector = 4 * vcpu->index;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) || ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		err(1, "KVM_SET_REGS");
	vcpu->thread = gettid();
	for (;;) {
		if (!ioctl(vcpu->fd, KVM_RUN, NULL))
			errx(1, "the guest has stopped");
		if (errno != EINTR)
			err(1, "KVM_RUN");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), n = argc == 2 ? atoi(argv[1]) : 0, vm, i;
	pthread_t thread;

	if (n < 1 || n > VCPUS_MAX)
		errx(2, "usage: compute N");
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
	for (i = 0; i < n; i++) {
		vcpus[i].index = i;
		vcpus[i].fd = ioctl(vm, KVM_CREATE_VCPU, i);
		if (vcpus[i].fd < 0)
			err(1, "KVM_CREATE_VCPU");
		if (pthread_create(&thread, NULL, run_vcpu, &vcpus[i]))
			errx(1, "pthread_create");
	}
	for (i = 0; i < n; i++) {
		while (!counter(i))
			usleep(1000);
		printf("vcpu %d thread %d\n", i, vcpus[i].thread);
	}
	printf("running\n");
	fflush(stdout);
	while ((i = getchar()) != EOF) {
		if (i != '\n')
			continue;
		for (i = 0; i < n; i++)
			printf("%u%c", counter(i), i == n - 1 ? '\n' : ' ');
		fflush(stdout);
	}
	return 0;
}
