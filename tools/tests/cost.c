// SPDX-License-Identifier: GPL-2.0
/*
 * Measure the cost of one msync. The figures come from the counters in
 * /sys/dev/block/M:N/stat.
 *
 * Usage: cost prepare FILE		makes FILE of 64 MiB with all blocks
 *        cost single FILE		checks the cost of one call in each case
 *        cost many FILE CALLS		makes CALLS calls, each after stores to
 *					64 scattered pages; prints the number of
 *					KiB that the stores made dirty
 *        cost atomic FILE		makes FILE an atomic file
 *        cost group DIR DISK COMMITS THREADS CALLS
 *					each thread stores to a page of its own
 *					file and calls msync, CALLS times. DISK
 *					(e.g. vda) has the counter of flushes,
 *					the sysfs file COMMITS the number of
 *					records
 *
 * "single" prints one line "case|calls|writes|KiB|flushes|bound" for each case.
 * The figures are the largest figures of all calls of the case. It also prints
 * a line "over: ..." for each bound that a call exceeded. If a call exceeded a
 * bound, the exit status is 1. The caller must ensure that nothing else writes
 * to the disk, not even the checkpoint.
 *
 * "group" prints the number of calls, flushes and records, and the mean time of
 * a call in microseconds. The kernel does not count FUA writes. On a disk with
 * FUA, each record without a flush is one FUA write.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/msyncfs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "clock.h"

#define PAGE 4096UL
#define PAGES 16384UL
#define SIZE (PAGES * PAGE)

struct io {
	unsigned long writes, kib, flushes;
};

struct bound {
	const char *name, *text;
	unsigned long writes, kib, flushes;
};

static const char *path;
static char stat_path[64];
static unsigned long rnd = 88172645463325252UL;
static int fd, over;
static char *map;

static unsigned long next_random(void)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd;
}

/*
 * Read the counters that the kernel's Documentation/block/stat.rst describes.
 * The kernel also counts each flush as a write, so subtract the flushes.
 */
static struct io io_now(void)
{
	unsigned long f[17] = { };
	struct io io;
	int i;
	FILE *s;

	s = fopen(stat_path, "r");
	if (!s)
		err(1, "%s", stat_path);
	for (i = 0; i < 17 && fscanf(s, "%lu", &f[i]) == 1; i++)
		;
	fclose(s);
	if (i < 17)
		errx(1, "%s has only %d fields", stat_path, i);
	io.flushes = f[15];
	io.writes = f[4] - f[15];
	io.kib = f[6] / 2;
	return io;
}

static void open_file(int flags)
{
	struct stat st;

	fd = open(path, O_RDWR | flags, 0600);
	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	snprintf(stat_path, sizeof(stat_path), "/sys/dev/block/%u:%u/stat",
		 major(st.st_dev), minor(st.st_dev));
}

static void map_file(void)
{
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err(1, "%s: mmap", path);
}

/* Store to @nr pages of the file. No two of these pages are neighbours. */
static void dirty_scattered(unsigned long nr)
{
	unsigned long step = PAGES / nr, i;

	for (i = 0; i < nr; i++)
		map[(i * step + next_random() % (step - 1)) * PAGE + 100]++;
}

static void call_msync(void)
{
	if (msync(map, SIZE, MS_SYNC))
		err(1, "%s: msync", path);
}

static void call_fsync(void)
{
	if (fsync(fd))
		err(1, "%s: fsync", path);
}

static void nothing(void) {}
static void dirty_1(void) { dirty_scattered(1); }
static void dirty_64(void) { dirty_scattered(64); }
static void dirty_512(void) { dirty_scattered(512); }

/*
 * Wait until the clock differs from the time of the file on disk, then store to
 * a page. The store changes the time, so the sync must also write the inode.
 */
static void dirty_1_later(void)
{
	usleep(20000);
	dirty_1();
}

static off_t end_of_file = SIZE;
static char *tail_map;

/* Append a page. Store to it through a mapping. */
static void append_mapped(void)
{
	if (ftruncate(fd, end_of_file + PAGE))
		err(1, "%s: extending", path);
	tail_map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			end_of_file);
	if (tail_map == MAP_FAILED)
		err(1, "%s: mmap", path);
	memset(tail_map, 'x', PAGE);
	end_of_file += PAGE;
}

static void append_written(void)
{
	static char buf[PAGE] = "appended";

	if (pwrite(fd, buf, PAGE, end_of_file) != PAGE)
		err(1, "%s: write", path);
	end_of_file += PAGE;
}

static void sync_tail(void)
{
	if (msync(tail_map, PAGE, MS_SYNC))
		err(1, "%s: msync", path);
	if (munmap(tail_map, PAGE))
		err(1, "%s: munmap", path);
}

static void measure(const struct bound *b, int calls, void (*prepare)(void),
		    void (*call)(void))
{
	struct io before, after, io, max = { };
	int i;

	for (i = 0; i < calls; i++) {
		prepare();
		before = io_now();
		call();
		after = io_now();
		io.writes = after.writes - before.writes;
		io.kib = after.kib - before.kib;
		io.flushes = after.flushes - before.flushes;
		if (io.writes > max.writes)
			max.writes = io.writes;
		if (io.kib > max.kib)
			max.kib = io.kib;
		if (io.flushes > max.flushes)
			max.flushes = io.flushes;
		/*
		 * Without a flush, the data would be durable only on a disk
		 * without a cache.
		 */
		if (b->flushes && !io.flushes) {
			printf("over: %s: call %d: no flush at all\n", b->name, i);
			over = 1;
		}
	}
	printf("%s|%d|%lu|%lu|%lu|%s\n", b->name, calls, max.writes, max.kib,
	       max.flushes, b->text);
	if (max.writes > b->writes || max.kib > b->kib ||
	    max.flushes > b->flushes) {
		printf("over: %s: %lu writes, %lu KiB, %lu flushes\n", b->name,
		       max.writes, max.kib, max.flushes);
		over = 1;
	}
}

static const struct bound bounds[] = {
	{ "1 dirty page", "1 w, 8 KiB, 1 f", 1, 8, 1 },
	{ "1 dirty page and its times", "1 w, 12 KiB, 1 f", 1, 12, 1 },
	{ "64 scattered", "2 w, 272 KiB, 1 f", 2, 272, 1 },
	{ "512 scattered", "2125 KiB, 1 f", 1000, 2048 * 103 / 100 + 16, 1 },
	{ "1 page appended, mapped", "2 w, 28 KiB, 1 f", 2, 28, 1 },
	{ "1 page appended, written", "2 w, 28 KiB, 1 f", 2, 28, 1 },
	{ "nothing dirty", "0 w, 0 f", 0, 0, 0 },
	{ "nothing dirty, fsync", "0 w, 0 f", 0, 0, 0 },
};

static void single(void)
{
	open_file(0);
	map_file();
	dirty_64();
	call_msync();
	call_fsync();
	measure(&bounds[0], 40, dirty_1, call_msync);
	measure(&bounds[1], 10, dirty_1_later, call_fsync);
	measure(&bounds[2], 20, dirty_64, call_msync);
	measure(&bounds[3], 5, dirty_512, call_msync);
	measure(&bounds[6], 10, nothing, call_msync);
	call_fsync();
	measure(&bounds[7], 10, nothing, call_fsync);
	append_mapped();
	sync_tail();
	measure(&bounds[4], 20, append_mapped, sync_tail);
	measure(&bounds[5], 20, append_written, call_fsync);
	measure(&bounds[6], 5, nothing, call_msync);
}

static void many(unsigned long calls)
{
	unsigned long i;

	open_file(0);
	map_file();
	for (i = 0; i < calls; i++) {
		dirty_64();
		call_msync();
	}
	printf("%lu\n", calls * 64 * (PAGE / 1024));
}

static void prepare(void)
{
	static char buf[1 << 20];
	unsigned long i;

	open_file(O_CREAT | O_TRUNC);
	for (i = 0; i < SIZE / sizeof(buf); i++) {
		memset(buf, 'a' + i % 26, sizeof(buf));
		if (write(fd, buf, sizeof(buf)) != (ssize_t)sizeof(buf))
			err(1, "%s: write", path);
	}
	call_fsync();
}

static void make_atomic(void)
{
	__u32 on = 1;

	open_file(0);
	if (ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on))
		err(1, "%s: MSYNCFS_IOC_SET_ATOMIC", path);
}

/* ---- several threads ---------------------------------------------------- */

#define GROUP_PAGES	64UL

static pthread_barrier_t barrier;
static unsigned long group_calls;

static char *group_file(unsigned long nr)
{
	static char buf[GROUP_PAGES * PAGE];
	char name[4096];
	char *p;
	int f;

	snprintf(name, sizeof(name), "%s/%lu", path, nr);
	f = open(name, O_RDWR | O_CREAT, 0600);
	if (f < 0 || pwrite(f, buf, sizeof(buf), 0) != sizeof(buf) || fsync(f))
		err(1, "%s", name);
	p = mmap(NULL, sizeof(buf), PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	if (p == MAP_FAILED)
		err(1, "%s: mmap", name);
	close(f);
	return p;
}

static void *group_thread(void *p)
{
	unsigned long i;
	char *page;

	pthread_barrier_wait(&barrier);
	for (i = 0; i < group_calls; i++) {
		page = (char *)p + i % GROUP_PAGES * PAGE;
		page[i % PAGE]++;
		if (msync(p, GROUP_PAGES * PAGE, MS_SYNC))
			err(1, "%s: msync", path);
	}
	pthread_barrier_wait(&barrier);
	return NULL;
}

static unsigned long number_in(const char *name)
{
	unsigned long n;
	FILE *f;

	f = fopen(name, "r");
	if (!f || fscanf(f, "%lu", &n) != 1)
		err(1, "%s", name);
	fclose(f);
	return n;
}

static void group(const char *disk, const char *commits, unsigned long nr,
		  unsigned long calls)
{
	struct io before, after;
	unsigned long records;
	pthread_t thread;
	unsigned long i;
	double t;

	snprintf(stat_path, sizeof(stat_path), "/sys/class/block/%s/stat", disk);
	group_calls = calls;
	pthread_barrier_init(&barrier, NULL, nr + 1);
	for (i = 0; i < nr; i++)
		if (pthread_create(&thread, NULL, group_thread, group_file(i)))
			errx(1, "no thread");
	before = io_now();
	records = number_in(commits);
	t = now();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	t = now() - t;
	after = io_now();
	printf("%lu %lu %lu %.0f\n", nr * calls, after.flushes - before.flushes,
	       number_in(commits) - records, t / calls * 1e6);
}

static unsigned long number(const char *s)
{
	return strtoul(s, NULL, 0);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: cost prepare|single|atomic|many|group PATH ...");
	path = argv[2];
	if (!strcmp(argv[1], "prepare"))
		prepare();
	else if (!strcmp(argv[1], "single"))
		single();
	else if (!strcmp(argv[1], "atomic"))
		make_atomic();
	else if (!strcmp(argv[1], "many") && argc == 4)
		many(number(argv[3]));
	else if (!strcmp(argv[1], "group") && argc == 7)
		group(argv[3], argv[4], number(argv[5]), number(argv[6]));
	else
		errx(2, "usage: cost prepare|single|atomic|many|group PATH ...");
	return over;
}
