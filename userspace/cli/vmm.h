/* SPDX-License-Identifier: GPL-2.0 */
/* The VMM's process. */
#ifndef DEVIRT_VMM_H
#define DEVIRT_VMM_H

#include <signal.h>
#include <sys/types.h>

/**
 * struct vmm - the VMM's process
 * @pid: of it
 * @pidfd: of it
 * @socket: handshake: the child waits for a byte, and says if it can't execute
 * @signals: what to pass on, as a signalfd
 * @mask: signal mask as it was before
 */
struct vmm {
	pid_t pid;
	int pidfd;
	int socket;
	int signals;
	sigset_t mask;
};

/* Can it be executed? 0, or EXIT_NOT_FOUND or EXIT_NO_EXEC with errno set. */
int vmm_find(const char *program);
/* A child that executes nothing yet. 0 or -errno */
int vmm_fork(struct vmm *vmm, char **argv);
/* Lets it go on. 0, or -errno if it can't be executed. */
int vmm_start(struct vmm *vmm);
/* Waits for its end and passes signals on. Returns what a shell would: its exit
 * status, or 128 and the signal's number.
 */
int vmm_wait(struct vmm *vmm);
/* Ends a child that was not started, and gives back all that vmm_fork() took. */
void vmm_close(struct vmm *vmm);

#endif
