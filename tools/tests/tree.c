// SPDX-License-Identifier: GPL-2.0
/*
 * This program computes the content of a tree of files from a number and builds
 * the tree. A later run computes the content again and compares the tree with
 * it.
 *
 * Usage: tree build DIR SEED
 *        tree check DIR SEED	prints the first difference, exit status 1
 *        tree sync FILE MIB		stores to every page, calls msync
 *        tree sum FILE MIB		checks the content that "sync" stored
 *        tree again FILE MIB		stores to all pages of an atomic file
 *					that "sync" has made, and calls msync;
 *					reports the progress on stderr
 *        tree dirty FILE MIB		stores like "again", but calls no msync
 *					and never ends
 *        tree sum2 FILE MIB		checks the content that "again" stored
 *        tree shutdown DIR FLAGS	calls the ioctl MSYNCFS_IOC_SHUTDOWN
 */
#include "check.h"

#include <limits.h>
#include <linux/fs.h>
#include <linux/msyncfs.h>
#include <linux/types.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#define PAGE 4096UL
#define SHUTDOWN _IOR('X', 125, __u32)
#define DIRS 12
#define FILES 25

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static uint64_t seed;

static uint64_t of(unsigned int d, unsigned int f, unsigned int what)
{
	return mix(seed * 1000003 + d * 65536 + f * 64 + what);
}

static size_t size_of(unsigned int d, unsigned int f)
{
	return of(d, f, 0) % (f % 8 ? 20000 : 3000000);
}

static void content(unsigned int d, unsigned int f, off_t at, char *buf, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		/* Every fourth file has holes of 64 KiB. */
		if (f % 4 == 1 && (at + i) / 65536 % 2)
			buf[i] = 0;
		else
			buf[i] = of(d, f, 1) + (at + i) / 7 + (at + i) % 251;
	}
}

static void name_of(char *buf, unsigned int d, unsigned int f)
{
	snprintf(buf, NAME_MAX, "dir%u/file-%u-%0*u", d, f, (int)(f * 7 % 200), d);
}

static void build_file(unsigned int d, unsigned int f)
{
	static char buf[65536];
	size_t size = size_of(d, f), n;
	struct timespec t[2];
	char name[NAME_MAX];
	off_t at;
	char *map;
	int fd;

	name_of(name, d, f);
	fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, size));
	map = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : NULL;
	CHECK(map != MAP_FAILED);
	for (at = 0; at < (off_t)size; at += n) {
		n = size - at < sizeof(buf) ? size - at : sizeof(buf);
		if (f % 4 == 1 && at / 65536 % 2)
			continue;
		content(d, f, at, buf, n);
		if (f % 2)
			SAME(pwrite(fd, buf, n, at), n);
		else
			memcpy(map + at, buf, n);
	}
	if (size)
		CHECK(!munmap(map, size));
	CHECK(!fchmod(fd, of(d, f, 2) & 0777));
	CHECK(!fchown(fd, of(d, f, 3) & 0xffff, of(d, f, 4) & 0xffffff));
	t[0].tv_sec = of(d, f, 5) & 0x7fffffff;
	t[1].tv_sec = -(time_t)(of(d, f, 6) & 0x7fffffff);
	t[0].tv_nsec = of(d, f, 7) % 1000000000;
	t[1].tv_nsec = of(d, f, 8) % 1000000000;
	CHECK(!futimens(fd, t));
	CHECK(!close(fd));
}

static void check_file(unsigned int d, unsigned int f)
{
	static char buf[65536], want[65536];
	size_t size = size_of(d, f), n;
	char name[NAME_MAX];
	struct stat st;
	off_t at;
	int fd;

	name_of(name, d, f);
	st = stat_of(name);
	SAME(st.st_size, size);
	SAME(st.st_mode, S_IFREG | (of(d, f, 2) & 0777));
	SAME(st.st_uid, of(d, f, 3) & 0xffff);
	SAME(st.st_gid, of(d, f, 4) & 0xffffff);
	SAME(st.st_mtim.tv_sec, -(time_t)(of(d, f, 6) & 0x7fffffff));
	SAME(st.st_mtim.tv_nsec, of(d, f, 8) % 1000000000);
	SAME(st.st_nlink, f ? 1 : 2);
	fd = open(name, O_RDONLY);
	CHECK(fd >= 0);
	for (at = 0; at < (off_t)size; at += n) {
		n = size - at < sizeof(buf) ? size - at : sizeof(buf);
		SAME(pread(fd, buf, n, at), n);
		content(d, f, at, want, n);
		if (memcmp(buf, want, n))
			fprintf(stderr, "%s, bytes from %lld: ", name, (long long)at);
		CHECK(!memcmp(buf, want, n));
	}
	CHECK(!close(fd));
}

/* Make or check a long symbolic link, part of which has a block of its own. */
static void long_link(unsigned int d, int make)
{
	char name[64], target[4096], is[4096];
	int len = 3600 + 45 * d;

	snprintf(name, sizeof(name), "long%u", d);
	memset(target, 'a' + d, len);
	target[len] = 0;
	if (make)
		CHECK(!symlink(target, name));
	CHECK(readlink(name, is, sizeof(is)) == len && !memcmp(is, target, len));
}

/* Set or check the flags of a directory. */
static void dir_flags(const char *name, unsigned int d, int make)
{
	int fd = open(name, O_RDONLY), flags = d % 2 ? FS_NODUMP_FL : FS_NOATIME_FL;
	int is;

	CHECK(fd >= 0);
	if (make)
		CHECK(!ioctl(fd, FS_IOC_SETFLAGS, &flags));
	CHECK(!ioctl(fd, FS_IOC_GETFLAGS, &is) && is == flags);
	CHECK(!close(fd));
}

static void build(void)
{
	char name[64], target[64];
	unsigned int d, f;

	for (d = 0; d < DIRS; d++) {
		snprintf(name, sizeof(name), "dir%u", d);
		CHECK(!mkdir(name, 0755));
		dir_flags(name, d, 1);
		for (f = 0; f < FILES; f++)
			build_file(d, f);
		name_of(target, d, 0);
		snprintf(name, sizeof(name), "hard%u", d);
		CHECK(!link(target, name));
		snprintf(name, sizeof(name), "sym%u", d);
		CHECK(!symlink(target, name));
		long_link(d, 1);
		snprintf(name, sizeof(name), "node%u", d);
		CHECK(!mknod(name, S_IFCHR | 0600, makedev(1, d)));
		/* A name that is added and then removed leaves no trace. */
		put_file("gone", "x");
		CHECK(!unlink("gone"));
	}
}

static void check(void)
{
	char name[64], target[64], buf[64];
	unsigned int d, f;

	for (d = 0; d < DIRS; d++) {
		for (f = 0; f < FILES; f++)
			check_file(d, f);
		name_of(target, d, 0);
		snprintf(name, sizeof(name), "hard%u", d);
		SAME(stat_of(name).st_ino, stat_of(target).st_ino);
		snprintf(name, sizeof(name), "sym%u", d);
		SAME(readlink(name, buf, sizeof(buf)), strlen(target));
		CHECK(!memcmp(buf, target, strlen(target)));
		long_link(d, 0);
		snprintf(name, sizeof(name), "node%u", d);
		CHECK(stat_of(name).st_rdev == makedev(1, d));
		snprintf(name, sizeof(name), "dir%u", d);
		SAME(stat_of(name).st_nlink, 2);
		dir_flags(name, d, 0);
	}
	FAILS(access("gone", F_OK), ENOENT);
}

static uint64_t version;

static void stamp(uint64_t *page, uint64_t nr)
{
	unsigned int i;

	for (i = 0; i < PAGE / 8; i += 8)
		page[i] = mix(nr * 512 + i + (version << 48));
}

/*
 * Store to all pages. Report the total time, and the time of the slowest store.
 * If @progress is set, report the progress on stderr.
 */
static void big_store(char *map, size_t size, int progress)
{
	double began = now(), last = began, worst = 0, t;
	size_t i, slow = 0, worst_at = 0;

	for (i = 0; i < size / PAGE; i++) {
		stamp((uint64_t *)(map + i * PAGE), i);
		t = now();
		if (t - last > worst) {
			worst = t - last;
			worst_at = i;
		}
		slow += t - last > 0.1;
		last = t;
		if (progress && (i + 1) % (64 << 20 >> 12) == 0)
			fprintf(stderr, "%zu MiB stored, %.1f s\n",
				(i + 1) >> 8, t - began);
	}
	printf("stored %zu MiB in %.1f s, ", size >> 20, last - began);
	printf("the longest store %.0f ms (at %zu MiB), ", worst * 1000,
	       worst_at >> 8);
	printf("%zu longer than 100 ms, ", slow);
	fflush(stdout);
}

static void big_again(const char *path, size_t size, int commit)
{
	__u32 on = 1;
	int fd = open(path, O_RDWR);
	double t;
	char *map;

	CHECK(fd >= 0);
	CHECK(!ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	big_store(map, size, 1);
	fprintf(stderr, "stored\n");
	while (!commit)
		pause();
	t = now();
	CHECK(!msync(map, PAGE, MS_SYNC));
	t = now() - t;
	printf("one msync in %.1f s\n", t);
	CHECK(!munmap(map, size) && !close(fd));
}

static void big_sync(const char *path, size_t size)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);
	double t;
	char *map;

	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, size));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	big_store(map, size, 0);
	t = now();
	CHECK(!msync(map, size, MS_SYNC));
	printf("one msync in %.1f s\n", now() - t);
	CHECK(!munmap(map, size) && !close(fd));
}

static void big_sum(const char *path, size_t size)
{
	static uint64_t want[PAGE / 8], got[PAGE / 8];
	int fd = open(path, O_RDONLY);
	size_t i;

	CHECK(fd >= 0);
	SAME(fstat_of(fd).st_size, size);
	for (i = 0; i < size / PAGE; i++) {
		stamp(want, i);
		SAME(read(fd, got, PAGE), PAGE);
		if (memcmp(want, got, PAGE))
			fprintf(stderr, "page %zu: ", i);
		CHECK(!memcmp(want, got, PAGE));
	}
	CHECK(!close(fd));
}

static void shut_down(const char *path, __u32 flags)
{
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	CHECK(!ioctl(fd, SHUTDOWN, &flags));
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: tree build|check|sync|sum|... PATH NUMBER\n");
		return 2;
	}
	seed = strtoul(argv[3], NULL, 0);
	umask(022);
	if (!strcmp(argv[1], "sync")) {
		big_sync(argv[2], seed << 20);
		return 0;
	}
	if (!strcmp(argv[1], "again") || !strcmp(argv[1], "dirty")) {
		version = 2;
		big_again(argv[2], seed << 20, *argv[1] == 'a');
		return 0;
	}
	if (!strcmp(argv[1], "sum") || !strcmp(argv[1], "sum2")) {
		version = argv[1][3] ? 2 : 0;
		big_sum(argv[2], seed << 20);
		return 0;
	}
	if (!strcmp(argv[1], "shutdown")) {
		shut_down(argv[2], seed);
		return 0;
	}
	CHECK(!chdir(argv[2]));
	if (!strcmp(argv[1], "build"))
		build();
	else if (!strcmp(argv[1], "check"))
		check();
	else
		return 2;
	return 0;
}
