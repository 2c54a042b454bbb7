/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The smallest VMM: a process with a KVM guest, whose vCPUs each run in a
 * thread of their own and do nothing but leave the guest again and again.
 */
#ifndef MINIVM_H
#define MINIVM_H

#include <stdbool.h>
#include <sys/types.h>

#define MINIVM_VCPUS	8

/**
 * struct minivm - shared between a VMM and who started it
 * @pid: the VMM
 * @vcpus: how many it has
 * @late: so many of them are made only when @more is set
 * @more: see @late
 * @swap: set it, and vCPU 0's thread ends and another one takes over
 * @run: set by minivm_run(): the vCPUs may enter the guest
 * @stop: set by minivm_stop()
 * @busy: the threads never sleep
 * @fork: each vCPU thread forks a child, which sleeps
 * @tids: the threads
 * @children: of each vCPU's thread
 * @awake: they have run
 * @exits: how often each vCPU has left the guest
 * @error: errno of what went wrong, or 0
 */
struct minivm {
	pid_t pid;
	int vcpus;
	int late;
	volatile bool more;
	volatile bool swap;
	volatile bool run;
	volatile bool stop;
	volatile bool busy;
	volatile bool fork;
	volatile pid_t tids[MINIVM_VCPUS];
	volatile pid_t children[MINIVM_VCPUS];
	volatile bool awake[MINIVM_VCPUS];
	volatile unsigned long exits[MINIVM_VCPUS];
	volatile int error;
};

struct minivm *minivm_new(int vcpus);
void minivm_start(struct minivm *vm);
void minivm_main(struct minivm *vm);
bool minivm_ran(const struct minivm *vm, unsigned long exits);
void minivm_stop(struct minivm *vm);
void minivm_free(struct minivm *vm);
void minivm_reset(void);

/* The kernel's own count of VM entries, by CPU, from kvm:kvm_entry. */
bool entries_begin(void);
unsigned long entries_on(int cpu);
void entries_end(void);

#endif
