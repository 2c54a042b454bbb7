// SPDX-License-Identifier: GPL-2.0
/* The VMM's process: started stopped, signals passed on, its end waited for. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli.h"
#include "vmm.h"

static const int passed_on[] = {
	SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT,
};

static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) ? -errno : 0;
}

int vmm_find(const char *program)
{
	const char *path = getenv("PATH");
	char *copy, *dir, *next = NULL, file[PATH_MAX];
	int ret = -ENOENT, one;

	if (strchr(program, '/')) {
		ret = executable(program);
	} else if (*program) {
		copy = strdup(path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
		for (dir = copy ? strtok_r(copy, ":", &next) : NULL; dir;
		     dir = strtok_r(NULL, ":", &next)) {
			snprintf(file, sizeof(file), "%s/%s", dir, program);
			one = executable(file);
			if (!one) {
				ret = 0;
				break;
			}
			/* as shells do: what is there but isn't ours counts more */
			if (one == -EACCES)
				ret = one;
		}
		free(copy);
	}
	errno = -ret;
	return !ret ? 0 : ret == -ENOENT || ret == -ENOTDIR ? EXIT_NOT_FOUND : EXIT_NO_EXEC;
}

static void run_child(struct vmm *vmm, int socket, pid_t parent, char **argv)
	__attribute__((noreturn));

static void run_child(struct vmm *vmm, int socket, pid_t parent, char **argv)
{
	int error;
	char go;

	/* The lease must not outlive devirt by a VMM that nobody watches. If
	 * devirt ended before this line, the signal was missed: look.
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent)
		_exit(EXIT_RUN);
	/* end of file: devirt gave up, or ended */
	if (TEMP_FAILURE_RETRY(read(socket, &go, 1)) != 1)
		_exit(EXIT_RUN);
	sigprocmask(SIG_SETMASK, &vmm->mask, NULL);
	execvp(argv[0], argv);
	error = errno;
	send(socket, &error, sizeof(error), MSG_NOSIGNAL);
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NO_EXEC);
}

int vmm_fork(struct vmm *vmm, char **argv)
{
	pid_t parent = getpid();
	int pair[2], error;
	sigset_t set;

	memset(vmm, 0, sizeof(*vmm));
	vmm->pidfd = vmm->socket = vmm->signals = -1;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		sigaddset(&set, passed_on[i]);
	sigaddset(&set, SIGCHLD);
	/* A stderr that is closed must not cost the guest its lease; this one
	 * is blocked but not looked at.
	 */
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, &vmm->mask);
	sigdelset(&set, SIGPIPE);
	vmm->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (vmm->signals < 0)
		goto fail;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		goto fail;
	vmm->socket = pair[0];
	vmm->pid = fork();
	if (!vmm->pid) {
		close(pair[0]);
		run_child(vmm, pair[1], parent, argv);
	}
	error = errno;
	close(pair[1]);
	errno = error;
	if (vmm->pid < 0)
		goto fail;
	vmm->pidfd = syscall(SYS_pidfd_open, vmm->pid, 0);
	if (vmm->pidfd < 0)
		goto fail;
	return 0;
fail:
	error = -errno;
	vmm_close(vmm);
	return error;
}

static int reap(struct vmm *vmm)
{
	pid_t pid = vmm->pid;
	int status;

	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) != pid)
		return EXIT_RUN;
	vmm->pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int vmm_start(struct vmm *vmm)
{
	int error = 0;
	ssize_t got;

	/* somebody ended it already: vmm_wait() tells how */
	if (send(vmm->socket, "g", 1, MSG_NOSIGNAL) != 1)
		return 0;
	/* close-on-exec: end of file is success */
	got = TEMP_FAILURE_RETRY(read(vmm->socket, &error, sizeof(error)));
	close(vmm->socket);
	vmm->socket = -1;
	if (got != sizeof(error))
		return 0;
	reap(vmm);
	return -error;
}

static void pass_on(struct vmm *vmm, const struct signalfd_siginfo *info)
{
	/* What comes from the terminal went to the VMM too, which is in the
	 * same process group; twice would be once too often.
	 */
	bool from_terminal = info->ssi_code == SI_KERNEL;

	if (!from_terminal)
		kill(vmm->pid, info->ssi_signo);
	/* stop with it, so that the shell sees the job stop */
	if (info->ssi_signo == SIGTSTP)
		raise(SIGSTOP);
}

int vmm_wait(struct vmm *vmm)
{
	struct pollfd fds[2] = {
		{ .fd = vmm->pidfd, .events = POLLIN },
		{ .fd = vmm->signals, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return reap(vmm);
		if (fds[0].revents)
			return reap(vmm);
		if (!(fds[1].revents & POLLIN))
			continue;
		if (read(vmm->signals, &info, sizeof(info)) == sizeof(info) &&
		    info.ssi_signo != SIGCHLD)
			pass_on(vmm, &info);
	}
}

void vmm_close(struct vmm *vmm)
{
	if (vmm->socket >= 0)
		close(vmm->socket);
	/* without its byte the child ends by itself */
	if (vmm->pid > 0)
		reap(vmm);
	if (vmm->pidfd >= 0)
		close(vmm->pidfd);
	if (vmm->signals >= 0)
		close(vmm->signals);
	vmm->socket = vmm->pidfd = vmm->signals = -1;
	sigprocmask(SIG_SETMASK, &vmm->mask, NULL);
}
