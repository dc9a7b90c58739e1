// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests untorn writes (RWF_ATOMIC) through the system calls: what
 * statx(2) reports, which writes are refused, what other processes see, and the
 * number of disk commands. The crash explorer tests crashes.
 *
 * Usage: untorn DIR [TEST]
 */
#include "direct.h"

#include <linux/msyncfs.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* Older headers do not have these. */
#undef STATX_WRITE_ATOMIC
#define STATX_WRITE_ATOMIC	0x10000U
#define ATTR_WRITE_ATOMIC	0x400000ULL
#ifndef RWF_ATOMIC
#define RWF_ATOMIC		0x40
#endif

#define MAX	(1UL << 20)	/* of a filesystem with a large log */
#define PAGES	256UL

/* The fields of struct statx that the tests use, in the kernel's layout. */
union answer {
	struct {
		uint32_t mask, blksize;
		uint64_t attributes;
	};
	struct {
		char	 skip[0xa8];
		uint32_t min, max, segments, read_align, max_opt;
	};
	char all[256];
};

static union answer ask(const char *name)
{
	union answer a = { };

	CHECK(!syscall(SYS_statx, AT_FDCWD, name, 0, STATX_WRITE_ATOMIC, &a));
	return a;
}

static ssize_t untorn_flags(int fd, const void *buf, size_t len, off_t pos,
			    int flags)
{
	struct iovec iov = { (void *)buf, len };

	return pwritev2(fd, &iov, 1, pos, RWF_ATOMIC | flags);
}

static ssize_t untorn(int fd, const void *buf, size_t len, off_t pos)
{
	return untorn_flags(fd, buf, len, pos, 0);
}

static void test_statx(void)
{
	union answer a;

	put_file("f", NULL);
	a = ask("f");
	CHECK(a.mask & STATX_WRITE_ATOMIC);
	CHECK(a.attributes & ATTR_WRITE_ATOMIC);
	SAME(a.min, PAGE);
	SAME(a.max, MAX);
	SAME(a.segments, 1);
	/* 0 says that all lengths are equally fast. */
	SAME(a.max_opt, 0);
	a = ask(".");
	CHECK(!(a.attributes & ATTR_WRITE_ATOMIC));
	SAME(a.max, 0);
}

static void test_refused(void)
{
	int fd = stamped_file("f", 1, 64), dfd = open_direct("f", 0), afd;
	char *buf = map_pages(-1, 2 * PAGES);
	struct rlimit old, rl;
	struct iovec two[2] = { { buf, PAGE }, { buf + PAGE, PAGE } };

	FAILS(untorn(dfd, buf, 2048, 0), EINVAL);
	FAILS(untorn(dfd, buf, 3 * PAGE, 0), EINVAL);
	FAILS(untorn(dfd, buf, 2 * PAGE, PAGE), EINVAL);
	FAILS(untorn(dfd, buf, PAGE, 512), EINVAL);
	FAILS(untorn(dfd, buf, 2 * MAX, 0), EINVAL);
	FAILS(pwritev2(dfd, two, 2, 0, RWF_ATOMIC), EINVAL);
	FAILS(preadv2(dfd, two, 1, 0, RWF_ATOMIC), EOPNOTSUPP);
	FAILS(untorn(fd, buf, PAGE, 0), EOPNOTSUPP);
	FAILS(untorn(dfd, (void *)64, PAGE, 0), EFAULT);
	unmap_pages(buf + 3 * PAGE, 1);
	FAILS(untorn(dfd, buf, 4 * PAGE, 0), EFAULT);

	/* A part of the write would be possible, but it would not be whole. */
	CHECK(!getrlimit(RLIMIT_FSIZE, &old));
	rl = old;
	rl.rlim_cur = 66 * PAGE;
	CHECK(!setrlimit(RLIMIT_FSIZE, &rl));
	FAILS(untorn(dfd, buf + 4 * PAGE, 4 * PAGE, 64 * PAGE), EFBIG);
	CHECK(!setrlimit(RLIMIT_FSIZE, &old));

	/* The end of the file is a good position only for the first write. */
	afd = open_direct("f", O_APPEND);
	stamp_pages(buf + 4 * PAGE, 1, 64, 2, 1);
	SAME(untorn(afd, buf + 4 * PAGE, 2 * PAGE, 0), 2 * PAGE);
	FAILS(untorn(afd, buf + 4 * PAGE, 4 * PAGE, 0), EINVAL);
	SAME(fstat_of(fd).st_size, 66 * PAGE);
	close(afd);
	buf = map_pages(fd, 66);
	check_pages(buf, 1, 0, 66, 1);
}

/* Each write is seen through the mapping, by read(2) and with O_DIRECT. */
static void check_all(int fd, int dfd, const char *map, unsigned long first,
		      unsigned long nr, unsigned long gen)
{
	char *buf = map_pages(-1, nr);
	unsigned int i;

	check_pages(map + first * PAGE, 1, first, nr, gen);
	for (i = 0; i < 2; i++) {
		SAME(pread(i ? dfd : fd, buf, nr * PAGE, first * PAGE),
		     nr * PAGE);
		check_pages(buf, 1, first, nr, gen);
	}
	unmap_pages(buf, nr);
}

static void test_seen(void)
{
	int fd = stamped_file("f", 1, 64), dfd = open_direct("f", 0);
	char *map = map_pages(fd, 4 * PAGES), *buf = map_pages(-1, PAGES);
	unsigned long nr, gen = 2;

	for (nr = 1; nr <= PAGES; nr *= 2, gen++) {
		/* Over data that is dirty or clean, and behind the end. */
		put_stamps(map, 1, 0, gen);
		stamp_pages(buf, 1, 0, nr, gen);
		SAME(untorn(dfd, buf, nr * PAGE, 0), nr * PAGE);
		check_all(fd, dfd, map, 0, nr, gen);
		stamp_pages(buf, 1, 2 * PAGES, nr, gen);
		SAME(untorn(dfd, buf, nr * PAGE, 2 * MAX), nr * PAGE);
		check_all(fd, dfd, map, 2 * PAGES, nr, gen);
		SAME(fstat_of(fd).st_size, (2 * PAGES + nr) * PAGE);
		take_home();
		drop(fd);
		check_all(fd, dfd, map, 0, nr, gen);
		check_all(fd, dfd, map, 2 * PAGES, nr, gen);
		CHECK(!ftruncate(fd, 64 * PAGE + 100));
	}
}

/* Another process has the file mapped, and stores to pages of the write. */
static void test_mapped(void)
{
	int fd = stamped_file("f", 1, 64), dfd = open_direct("f", 0), status;
	char *map = map_pages(fd, 64), *buf = map_pages(-1, 64);
	unsigned long *count = (unsigned long *)map_pages(-1, 1), i;
	pid_t child;

	unmap_pages((char *)count, 1);
	count = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(count != MAP_FAILED);
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		/* The last 8 bytes of a page belong to this process. */
		for (;;) {
			unsigned long n = ++*(volatile unsigned long *)count;

			memcpy(map + (n % 32 + 1) * PAGE - 8, &n, 8);
			if (!(n % 1000))
				CHECK(!msync(map, 32 * PAGE, MS_SYNC));
		}
	}
	for (i = 2; i < 400; i++) {
		stamp_pages(buf, 1, 0, 32, i);
		SAME(untorn_flags(dfd, buf, 32 * PAGE, 0,
				  i % 8 ? 0 : RWF_DSYNC), 32 * PAGE);
		check_pages(map, 1, 0, 32, i);
	}
	CHECK(!kill(child, SIGKILL));
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(*count > 100);
	take_home();
	drop(fd);
	check_pages(map, 1, 0, 32, i - 1);
}

/* In an atomic file, the write is part of the next commit. */
static void test_atomic(void)
{
	int fd = stamped_file("f", 1, 64), dfd = open_direct("f", 0), on = 1;
	char *map = map_pages(fd, 128), *buf = map_pages(-1, 64);

	CHECK(!ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on));
	stamp_pages(buf, 1, 64, 64, 2);
	SAME(untorn(dfd, buf, 64 * PAGE, 64 * PAGE), 64 * PAGE);
	stamp_pages(buf, 1, 0, 16, 2);
	SAME(untorn(dfd, buf, 16 * PAGE, 0), 16 * PAGE);
	check_all(fd, dfd, map, 0, 16, 2);
	CHECK(!ioctl(fd, MSYNCFS_IOC_ROLLBACK));
	SAME(fstat_of(fd).st_size, 64 * PAGE);
	check_pages(map, 1, 0, 64, 1);
	SAME(untorn_flags(dfd, buf, 16 * PAGE, 0, RWF_DSYNC), 16 * PAGE);
	CHECK(!ioctl(fd, MSYNCFS_IOC_ROLLBACK));
	check_all(fd, dfd, map, 0, 16, 2);
}

struct io {
	unsigned long writes, kib, flushes;
};

/* The kernel counts each flush as a write, too. It does not count FUA. */
static struct io io_now(int fd)
{
	struct stat st = fstat_of(fd);
	unsigned long f[17] = { };
	char path[64];
	struct io io;
	FILE *s;
	int i;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat",
		 major(st.st_dev), minor(st.st_dev));
	s = fopen(path, "r");
	CHECK(s);
	for (i = 0; i < 17; i++)
		CHECK(fscanf(s, "%lu", &f[i]) == 1);
	fclose(s);
	io.flushes = f[15];
	io.writes = f[4] - f[15];
	io.kib = f[6] / 2;
	return io;
}

/* The log is so small that a record takes fewer pages. */
static void test_small_log(void)
{
	int fd = stamped_file("f", 1, 64), dfd = open_direct("f", 0);
	char *map = map_pages(fd, PAGES), *buf = map_pages(-1, 64);
	unsigned long max = ask("f").max / PAGE, i;

	printf("%lu pages\n", max);
	CHECK(max >= 1 && max < 64 && !(max & (max - 1)));
	FAILS(untorn(dfd, buf, 2 * max * PAGE, 0), EINVAL);
	for (i = 0; i < PAGES; i += max) {
		stamp_pages(buf, 1, i, max, 2);
		SAME(untorn(dfd, buf, max * PAGE, i * PAGE), max * PAGE);
	}
	check_all(fd, dfd, map, 0, 64, 2);
	check_all(fd, dfd, map, 64, PAGES - 64, 2);
}

/* The caller has paused the checkpoint. */
static void test_cost(void)
{
	int fd = stamped_file("f", 1, 64), dfd = open_direct("f", O_DSYNC);
	static const unsigned long first[] = { 0, 64, 512 };
	char *buf = map_pages(-1, 64);
	struct io before, after;
	unsigned long nr, i;

	for (nr = 1; nr <= 64; nr *= 8) {
		for (i = 0; i < ARRAY_SIZE(first); i++) {
			stamp_pages(buf, 1, first[i], nr, nr);
			before = io_now(fd);
			SAME(untorn(dfd, buf, nr * PAGE, first[i] * PAGE),
			     nr * PAGE);
			after = io_now(fd);
			printf("%lu pages at page %lu: %lu writes, %lu KiB, %lu flushes\n",
			       nr, first[i], after.writes - before.writes,
			       after.kib - before.kib,
			       after.flushes - before.flushes);
			SAME(after.writes - before.writes, 1);
			CHECK(after.flushes - before.flushes <= 1);
			/* Header, inode, bitmap, map: not the data once more. */
			CHECK(after.kib - before.kib <= 4 * nr + 32);
		}
	}
	/* Without O_DSYNC, the write itself sends nothing. */
	dfd = open_direct("f", 0);
	before = io_now(fd);
	SAME(untorn(dfd, buf, 64 * PAGE, 0), 64 * PAGE);
	after = io_now(fd);
	SAME(after.writes - before.writes, 0);
	CHECK(!fdatasync(fd));
	after = io_now(fd);
	SAME(after.writes - before.writes, 1);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "statx", test_statx },
		{ "refused", test_refused },
		{ "seen", test_seen },
		{ "mapped", test_mapped },
		{ "atomic", test_atomic },
		{ "small_log", test_small_log },
		{ "cost", test_cost },
		{ }
	};

	return run_tests(argc, argv, tests);
}
