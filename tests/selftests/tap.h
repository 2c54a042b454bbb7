/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests in TAP. A program is a row of
 *
 *	TEST("what it proves")
 *	{
 *		REQUIRE(fd >= 0);		the test ends here if not
 *		CHECK(a == b, "a is %d", a);	the test goes on, and has failed
 *	}
 *
 * each of which runs in a process of its own, so that whatever it holds is
 * closed when it ends, however it ends. A test has failed as well if the host
 * isn't then as it was before (lib/host.h), or if a partition is left over.
 * Include it once in a program: it has main().
 */
#ifndef TAP_H
#define TAP_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

#define TAP_TESTS_MAX	200
#ifndef TAP_SECONDS
#define TAP_SECONDS	120
#endif
/* Worth telling who looks for what takes the time. */
#define TAP_LONG	5

struct tap_test {
	const char *about;
	void (*fn)(void);
};

/* What a test's process tells the one that started it. */
struct tap_result {
	bool failed;
	bool skipped;
	char why[256];
};

static struct tap_test tap_tests[TAP_TESTS_MAX];
static unsigned int tap_count;
static struct tap_result *tap_result;
/* Called before the first test, and after each, to make the host plain. */
static void (*tap_reset)(void) __attribute__((unused));

static inline void tap_add(const char *about, void (*fn)(void))
{
	if (tap_count == TAP_TESTS_MAX)
		abort();
	tap_tests[tap_count++] = (struct tap_test){ about, fn };
}

static void tap_note(const char *file, int line, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 4, 5), unused));

static void tap_note(const char *file, int line, const char *what, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	tap_result->failed = true;
	printf("# %s:%d: %s%s%s\n", file, line, what, text[0] ? ": " : "", text);
	fflush(stdout);
}

#define CHECK(condition, ...)	({						\
	bool tap_good = (condition);						\
	if (!tap_good)								\
		tap_note(__FILE__, __LINE__, "not true: " #condition, "" __VA_ARGS__);	\
	tap_good; })

#define REQUIRE(condition, ...)	do {						\
	if (!CHECK(condition, ##__VA_ARGS__))					\
		exit(1);							\
} while (0)

/* The two are evaluated once and compared as numbers. */
#define CHECK_EQ(got, want)	({						\
	long long tap_got = (got), tap_want = (want);				\
	if (tap_got != tap_want)						\
		tap_note(__FILE__, __LINE__, #got, "%lld instead of %lld",	\
			 tap_got, tap_want);					\
	tap_got == tap_want; })

#define REQUIRE_EQ(got, want)	do {						\
	if (!CHECK_EQ(got, want))						\
		exit(1);							\
} while (0)

#define CHECK_STR(got, want)	({						\
	const char *tap_got = (got), *tap_want = (want);			\
	if (strcmp(tap_got, tap_want))						\
		tap_note(__FILE__, __LINE__, #got, "\"%s\" instead of \"%s\"",	\
			 tap_got, tap_want);					\
	!strcmp(tap_got, tap_want); })

#define SKIP(...)	do {							\
	tap_result->skipped = true;						\
	snprintf(tap_result->why, sizeof(tap_result->why), __VA_ARGS__);	\
	exit(0);								\
} while (0)

/* A condition that comes true in a while; false after ten seconds. */
#define EVENTUALLY(condition)	({						\
	bool tap_come = false;							\
	for (int tap_try = 0; tap_try < 1000 && !(tap_come = (condition)); tap_try++)	\
		tap_pause(10);							\
	tap_come; })

#define TAP_NAME2(prefix, line)	prefix##line
#define TAP_NAME(prefix, line)	TAP_NAME2(prefix, line)

#define TEST(about)								\
	static void TAP_NAME(test_, __LINE__)(void);				\
	static void __attribute__((constructor)) TAP_NAME(tap_add_, __LINE__)(void)	\
	{									\
		tap_add(about, TAP_NAME(test_, __LINE__));			\
	}									\
	static void TAP_NAME(test_, __LINE__)(void)

static inline void tap_pause(int ms)
{
	struct timespec time = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&time, NULL);
}

static inline int tap_partitions(void)
{
	DIR *dir = opendir("/sys/class/devirt");
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

static inline void tap_run(struct tap_test *test)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The debug kernel takes several times as long. */
		alarm(TAP_SECONDS * (strcmp(getenv("DEVIRT_KERNEL") ?: "", "debug") ? 1 : 4));
		test->fn();
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		tap_note(__FILE__, __LINE__, "fork", "%s", strerror(errno));
		return;
	}
	/* And whatever it has started; that belongs to us by now. */
	kill(-pid, SIGKILL);
	while (waitpid(-pid, NULL, 0) > 0)
		;
	if (WIFSIGNALED(status))
		tap_note(__FILE__, __LINE__, "the test was killed", "%s",
			 strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		tap_result->failed = true;
}

int main(int argc, char **argv)
{
	struct host before, after;
	unsigned int i, failed = 0;
	time_t begin;
	bool left;

	setvbuf(stdout, NULL, _IOLBF, 0);
	tap_result = mmap(NULL, sizeof(*tap_result), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tap_result == MAP_FAILED)
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (tap_reset)
		tap_reset();
	host_take(&before, false);
	printf("TAP version 13\n1..%u\n", tap_count);
	for (i = 0; i < tap_count; i++) {
		/* Names of tests may be given: only those that contain one. */
		if (argc > 1 && !strstr(tap_tests[i].about, argv[1])) {
			printf("ok %u - %s # SKIP not asked for\n", i + 1, tap_tests[i].about);
			continue;
		}
		memset(tap_result, 0, sizeof(*tap_result));
		begin = time(NULL);
		tap_run(&tap_tests[i]);
		left = !CHECK(EVENTUALLY(!tap_partitions()), "a partition is left over");
		if (tap_reset)
			tap_reset();
		host_take(&after, false);
		if (host_diff(&before, &after, stdout, "# "))
			tap_note(tap_tests[i].about, 0, "the host has changed", "%s", "");
		host_free(&after);
		failed += tap_result->failed;
		printf("%sok %u - %s%s%s\n", tap_result->failed ? "not " : "", i + 1,
		       tap_tests[i].about, tap_result->skipped ? " # SKIP " : "",
		       tap_result->why);
		if (time(NULL) - begin >= TAP_LONG)
			printf("# that took %ld s\n", (long)(time(NULL) - begin));
		if (left) {
			/* It would only be in the way of all the others. */
			printf("Bail out! A partition is left over.\n");
			return 1;
		}
	}
	return failed || !tap_count;
}

#endif
