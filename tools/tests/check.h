/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All test programs use these helpers: macros that check results, and
 * run_tests(). run_tests() runs tests from a table. Each test gets a directory
 * of its own.
 */
#ifndef MSYNCFS_TESTS_CHECK_H
#define MSYNCFS_TESTS_CHECK_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "clock.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * Fail unless @cond is true. The message also shows errno. If @cond does not
 * set errno, this value comes from an earlier call.
 */
#define CHECK(cond) do {						\
	if (!(cond))							\
		check_failed(__FILE__, __LINE__, #cond);		\
} while (0)

/* Fail unless @call returns -1 (or MAP_FAILED) with errno @want. */
#define FAILS(call, want) do {						\
	int want_ = (want);						\
									\
	errno = 0;							\
	if ((long)(call) != -1 || errno != want_) {			\
		fprintf(stderr, "want %s: ", strerrorname_np(want_));	\
		check_failed(__FILE__, __LINE__, #call);		\
	}								\
} while (0)

/* Fail unless both numbers are equal. */
#define SAME(a, b) do {							\
	long long a_ = (a), b_ = (b);					\
									\
	if (a_ != b_) {							\
		fprintf(stderr, "%lld, not %lld: ", a_, b_);		\
		check_failed(__FILE__, __LINE__, #a " == " #b);		\
	}								\
} while (0)

static inline _Noreturn void check_failed(const char *file, int line,
					  const char *what)
{
	int e = errno;
	const char *base = strrchr(file, '/');

	fprintf(stderr, "%s:%d: %s", base ? base + 1 : file, line, what);
	if (e)
		fprintf(stderr, " (%s)", strerror(e));
	fprintf(stderr, "\n");
	exit(1);
}

struct test {
	const char *name;
	void (*fn)(void);
};

/*
 * "PROGRAM DIR TEST" runs one test in DIR/TEST. "PROGRAM DIR" runs all tests.
 */
static inline int run_tests(int argc, char **argv, const struct test *tests)
{
	const struct test *t;
	int found = 0;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: %s DIR [TEST]\n", argv[0]);
		return 2;
	}
	umask(022);
	for (t = tests; t->name; t++) {
		if (argc == 3 && strcmp(argv[2], t->name))
			continue;
		found = 1;
		CHECK(!chdir(argv[1]));
		CHECK(!mkdir(t->name, 0755));
		CHECK(!chdir(t->name));
		t->fn();
		printf("%s: ok\n", t->name);
	}
	if (!found)
		fprintf(stderr, "%s: no such test: %s\n", argv[0], argv[2]);
	return !found;
}

static inline int make_file(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);

	CHECK(fd >= 0);
	if (text)
		CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static inline void put_file(const char *name, const char *text)
{
	CHECK(!close(make_file(name, text)));
}

static inline struct stat stat_of(const char *name)
{
	struct stat st;

	CHECK(!lstat(name, &st));
	return st;
}

static inline struct stat fstat_of(int fd)
{
	struct stat st;

	CHECK(!fstat(fd, &st));
	return st;
}

static inline int has_text(const char *name, const char *text)
{
	char buf[256];
	int fd = open(name, O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read(fd, buf, sizeof(buf));
	CHECK(n >= 0);
	CHECK(!close(fd));
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, n);
}

/* Sync the filesystem of the working directory, and return its free blocks. */
static inline unsigned long long free_blocks(void)
{
	struct statfs sf;
	int fd = open(".", O_RDONLY);

	CHECK(fd >= 0);
	CHECK(!syncfs(fd));
	CHECK(!fstatfs(fd, &sf));
	CHECK(!close(fd));
	return sf.f_bfree;
}

/*
 * Each thread has its own random numbers. It must set rnd to a number other
 * than 0 before its first call of below().
 */
static __thread unsigned long rnd;

/* Return a random number from 0 to @n - 1. */
static inline unsigned long below(unsigned long n)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd % n;
}

/*
 * To survive a SIGBUS, install jump_back() as its handler and put the access
 * into "if (!sigsetjmp(jump, 1))".
 */
static __thread sigjmp_buf jump;

static inline void jump_back(int sig)
{
	(void)sig;
	siglongjmp(jump, 1);
}

#endif /* MSYNCFS_TESTS_CHECK_H */
