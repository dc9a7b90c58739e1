// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of MS_ASYNC: it starts the work of MS_SYNC and does not wait for it,
 * and the data becomes durable without another call. Also tests of all flags on
 * a device that fails.
 *
 * Usage: msync_async MNT DOOR TEST, see msync.h
 */
#include "msync.h"

#define NR	16UL
#define LARGE	1200UL		/* pages; half a record takes fewer */

/* ---- durable soon ------------------------------------------------------- */

/*
 * The background commits changes after 5 s. If data is durable sooner, the call
 * has started the commit. A try that took longer proves nothing and is
 * repeated.
 */
#define BACKGROUND	4.5
#define ATTEMPTS	(slowness() == 1 ? 8 : 4)
#define LEAST		600UL	/* pages; a record takes fewer */

struct soon {
	const char *what;
	unsigned long nr;	/* pages */
	bool zero;		/* no flags */
	bool fresh;		/* there are no blocks yet */
	bool twice;		/* store and call a second time at once */
	bool two;		/* a second file in the range */
	bool hole;		/* and an unmapped address */
};

static void soon_call(const struct soon *s, char *map, uint64_t gen)
{
	unsigned long nr = s->two ? 2 * s->nr : s->nr;
	int flags = s->zero ? 0 : MS_ASYNC;

	store(map, nr, gen);
	if (s->hole)
		FAILS(call(map, (nr + 1) * PAGE, flags), ENOMEM);
	else
		CHECK(!call(map, nr * PAGE, flags));
}

static int soon_file(const struct soon *s, const char *name)
{
	int fd;

	if (!s->fresh)
		return new_file(name, s->nr);
	fd = open_file(name, O_CREAT | O_EXCL);
	CHECK(!ftruncate(fd, s->nr * PAGE));
	CHECK(!fsync(fd));
	return fd;
}

static bool is_gen(const char *name, unsigned long nr, uint64_t gen)
{
	char *buf = malloc(nr * PAGE);
	int fd = open_file(name, 0);
	unsigned long i;

	CHECK(buf);
	SAME(pread(fd, buf, nr * PAGE, 0), nr * PAGE);
	for (i = 0; i < nr && page_gen(buf + i * PAGE) == gen; i++)
		;
	CHECK(!close(fd));
	free(buf);
	return i == nr;
}

/* On a slow machine, the test may end without a result. */
static void cannot_tell(const char *what)
{
	printf("%s: too slow a machine to tell\n", what);
	if (slowness() == 1)
		exit(1);
}

static void soon(struct soon *s)
{
	unsigned long pages;
	char f[32], g[32], *area;
	double start, called, took;
	int i, fd, gd, missed = 0;
	bool durable;

	for (i = 0; i < ATTEMPTS && missed < 3; i++) {
		pages = 2 * s->nr + 1;
		snprintf(f, sizeof(f), "f%d", i);
		snprintf(g, sizeof(g), "g%d", i);
		fd = soon_file(s, f);
		gd = soon_file(s, g);
		area = reserve(pages);
		map_file_at(area, fd, 0, s->nr);
		map_file_at(area + s->nr * PAGE, gd, 0, s->nr);
		if (s->hole)
			unmap(area + (s->two ? 2 * s->nr : s->nr) * PAGE, 1);
		settle();

		start = now();
		soon_call(s, area, 2);
		if (s->twice)
			soon_call(s, area, 3);
		called = now() - start;
		usleep(500000 << missed);
		CHECK(!munmap(area, pages * PAGE));
		CHECK(!close(fd) && !close(gd));
		crash();
		took = now() - start;
		durable = is_gen(f, s->nr, s->twice ? 3 : 2) &&
			  (!s->two || is_gen(g, s->nr, s->twice ? 3 : 2));
		CHECK(!unlink(f) && !unlink(g));
		printf("%s: called %.2f s, crash after %.1f s: %s\n", s->what,
		       called, took, durable ? "durable" : "not durable");
		if (took > BACKGROUND) {
			if (s->nr / 2 >= LEAST)
				s->nr /= 2;
			continue;
		}
		if (durable)
			return;
		missed++;
	}
	if (!missed) {
		cannot_tell(s->what);
		return;
	}
	fprintf(stderr, "%s: not durable\n", s->what);
	exit(1);
}

static void test_async(void)
{
	struct soon cases[] = {
		{ .what = "16 pages", .nr = NR },
		{ .what = "twice", .nr = NR, .twice = true },
		{ .what = "new pages of two files", .nr = NR, .fresh = true,
		  .two = true },
		{ .what = "before a hole", .nr = NR, .hole = true },
		{ .what = "more than a record", .nr = LARGE },
		{ .what = "more than a record, new", .nr = LARGE,
		  .fresh = true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		soon(&cases[i]);
}

/* A call without flags does the same. */
static void test_zero(void)
{
	struct soon s = { .what = "flags 0", .nr = NR, .zero = true,
				       .twice = true };

	soon(&s);
}

/* ---- a device that takes its time --------------------------------------- */

/* Fail with a message unless the child ends in time. */
static void wait_child(pid_t pid, double seconds, const char *what)
{
	double end = now() + seconds;
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		CHECK(got >= 0);
		if (got)
			break;
		if (now() > end) {
			dm_resume(need_env("DM"));
			fprintf(stderr, "%s waits for the device\n", what);
			exit(1);
		}
		usleep(10000);
	}
	SAME(status, 0);
}

/* The device stands still. A call that waited for it would not return. */
static void nowait(unsigned long missed, int *verdict)
{
	int fd = new_file("f", NR), gd = new_file("g", LARGE);
	char *map = map_file(fd, NR), *large = map_file(gd, LARGE);
	double start;
	pid_t pid;

	/* Bring the metadata that the calls need into memory. */
	store(large, LARGE, 2);
	CHECK(!call(large, LARGE * PAGE, MS_SYNC));
	store(map, NR, 2);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	settle();
	touch(large, LARGE);
	touch(map, NR);

	start = now();
	dm_stop(need_env("DM"));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		store(map, NR, 3);
		CHECK(!call(map, NR * PAGE, MS_ASYNC));
		/* A call that is in progress does not hold up the next one. */
		store(map, NR, 4);
		CHECK(!call(map, NR * PAGE, MS_ASYNC));
		expect(map, NR, 4, "as stored");
		store(large, LARGE, 3);
		CHECK(!call(large, LARGE * PAGE, MS_ASYNC));
		_exit(0);
	}
	wait_child(pid, 30, "MS_ASYNC");
	printf("three calls: %.2f s\n", now() - start);
	dm_resume(need_env("DM"));
	usleep(500000 << missed);
	unmap(map, NR);
	unmap(large, LARGE);
	CHECK(!close(fd) && !close(gd));
	crash();
	*verdict = -1;
	if (now() - start <= BACKGROUND)
		*verdict = is_gen("f", NR, 4) && is_gen("g", LARGE, 3);
	CHECK(!unlink("f") && !unlink("g"));
}

static void test_nowait(void)
{
	int i, verdict, missed = 0;

	for (i = 0; i < ATTEMPTS && missed < 3; i++) {
		nowait(missed, &verdict);
		if (verdict == 1)
			return;
		if (!verdict)
			missed++;
	}
	if (!missed) {
		cannot_tell("after the device went on");
		return;
	}
	fprintf(stderr, "not durable soon after the device went on\n");
	exit(1);
}

/* Return the number of writes that the slow device has not completed. */
static unsigned int writes_in_flight(void)
{
	unsigned int reads, writes;
	struct dm_request r;

	dm_status(&r);
	SAME(sscanf(r.params, "%u %u", &reads, &writes), 2);
	return writes;
}

#define DELAY	4.0		/* seconds that a write takes */

static void dm_slow(double seconds)
{
	const char *disk = need_env("DISK");
	char params[256];

	/* Reads, writes, flushes. */
	snprintf(params, sizeof(params), "%s 0 0 %s 0 %u %s 0 0", disk, disk,
		 (unsigned int)(seconds * 1000), disk);
	dm_table("delay", params);
}

/*
 * Each write takes 4 s, and the commit needs @rounds of them in sequence. The
 * test waits from the middle of the first write on. The rest must not take
 * longer than the writes that are left.
 */
static bool slow(char *map, unsigned long nr, int fd, uint64_t gen, int rounds)
{
	double start = now(), called, done;
	unsigned int writes;

	store(map, nr, gen);
	CHECK(!call(map, nr * PAGE, MS_ASYNC));
	called = now() - start;
	writes = writes_in_flight();
	if (now() - start < DELAY / 2)
		usleep((start + DELAY / 2 - now()) * 1e6);
	CHECK(!fdatasync(fd));
	done = now() - start;
	printf("%lu pages: called %.2f s, then %u writes under way, durable after %.2f s\n",
	       nr, called, writes, done);
	CHECK(done >= DELAY * 0.9);	/* otherwise nothing was slow */
	return called < DELAY / 2 && writes && done < DELAY * (rounds + 0.4);
}

static void slow_file(const char *name, unsigned long nr, int rounds)
{
	int fd = new_file(name, nr), i;
	char *map = map_file(fd, nr);
	bool good = false;

	/* Bring the metadata that the calls need into memory. */
	store(map, nr, 2);
	CHECK(!call(map, nr * PAGE, MS_SYNC));
	settle();
	touch(map, nr);
	dm_slow(DELAY);
	/* Try three times, because others may keep the machine busy. */
	for (i = 0; i < 3 && !good; i++)
		good = slow(map, nr, fd, 3 + i, rounds);
	dm_healthy();
	errno = 0;
	CHECK(good);
	unmap(map, nr);
	CHECK(!close(fd));
}

static void test_slow(void)
{
	set_attr("checkpoint_pause", "1\n");
	slow_file("small", NR, 1);
	/* The pages are written first, then the record that refers to them. */
	slow_file("large", LARGE, 2);
	set_attr("checkpoint_pause", "0\n");
}

/* All processes leave after the call. The unmount waits for the commit. */
static void test_umount(void)
{
	static const unsigned long sizes[] = { LARGE, NR };
	unsigned int i;
	char *map, name[16];
	int fd;

	for (i = 0; i < (*(getenv("SLOW_DM") ?: "") ? 6 : 4); i++) {
		unsigned long nr = sizes[i % 2];

		sprintf(name, "f%u", i);
		fd = new_file(name, nr);
		map = map_file(fd, nr);
		settle();
		/* Writes are so slow that all of them are in progress. */
		if (i >= 4)
			dm_slow(1);
		store(map, nr, 2);
		CHECK(!call(map, nr * PAGE, MS_ASYNC));
		unmap(map, nr);
		CHECK(!close(fd));
		CHECK(!chdir("/") && !close(run.door_fd));
		unmount(run.mnt);
		if (i >= 4)
			dm_healthy();
		CHECK(!mount(need_env("DEVICE"), run.mnt, "msyncfs", 0,
			     getenv("OPTIONS")));
		open_door();
		CHECK(!chdir(run.dir));
		expect_file(name, 0, nr, 2);
	}
}

/* ---- a device that fails ------------------------------------------------ */

static void dm_broken(void)
{
	char params[128];

	snprintf(params, sizeof(params), "%s 0 0 3600 1 error_writes",
		 need_env("DISK"));
	dm_table("flakey", params);
}

/*
 * The call fails, the pages stay dirty, and each open file description gets the
 * error once. The next call succeeds, and the data is durable.
 */
static void error(int flags, const char *name)
{
	int fd = new_file(name, NR), other = open_file(name, 0), late, third;
	char *map = map_file(fd, NR), *second = map_file(other, NR);

	touch(second, NR);
	store(map, NR, 2);
	settle();
	store(map, NR, 3);
	dm_broken();
	FAILS(call(map, NR * PAGE, flags), EIO);
	dm_healthy();
	/* No page is lost or dropped. */
	expect_resident(map, NR, (1 << NR) - 1, "after EIO");
	expect(map, NR, 3, "after EIO");
	expect(second, NR, 3, "after EIO");

	/* The file description of this mapping got the error already. */
	CHECK(!call(map, NR * PAGE, flags));
	CHECK(!fsync(fd));
	/* The other file description gets the error from any call. */
	third = dup(other);
	FAILS(call(second, NR * PAGE, MS_SYNC), EIO);
	CHECK(!call(second, NR * PAGE, MS_SYNC));
	CHECK(!fsync(other) && !fsync(third));
	late = open_file(name, 0);
	CHECK(!fsync(late));
	unmap(map, NR);
	unmap(second, NR);
	CHECK(!close(fd) && !close(other) && !close(third) && !close(late));
	crash();
	expect_file(name, 0, NR, 3);
}

/*
 * The commit fails after MS_ASYNC has returned. The next call gets the error.
 */
static void error_async(int flags, const char *name)
{
	int fd = new_file(name, NR), other = open_file(name, 0);
	char *map = map_file(fd, NR);

	store(map, NR, 2);
	settle();
	store(map, NR, 3);
	dm_broken();
	CHECK(!call(map, NR * PAGE, flags));
	usleep(1500000);
	dm_healthy();
	expect(map, NR, 3, "after an error that nobody saw yet");
	FAILS(call(map, NR * PAGE, MS_SYNC), EIO);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	FAILS(fsync(other), EIO);
	CHECK(!fsync(other) && !fsync(fd));
	unmap(map, NR);
	CHECK(!close(fd) && !close(other));
	crash();
	expect_file(name, 0, NR, 3);
}

/* With two files in the range, both stay dirty and both get the error. */
static void error_two(void)
{
	int fd = new_file("two_f", NR), gd = new_file("two_g", NR);
	char *area = reserve(2 * NR);

	map_file_at(area, fd, 0, NR);
	map_file_at(area + NR * PAGE, gd, 0, NR);
	store(area, 2 * NR, 2);
	settle();
	store(area, 2 * NR, 3);
	dm_broken();
	FAILS(call(area, 2 * NR * PAGE, MS_SYNC), EIO);
	dm_healthy();
	expect(area, 2 * NR, 3, "after EIO");
	CHECK(!call(area, 2 * NR * PAGE, MS_SYNC));
	CHECK(!fsync(fd) && !fsync(gd));
	unmap(area, 2 * NR);
	CHECK(!close(fd) && !close(gd));
	crash();
	expect_file("two_f", 0, NR, 3);
	expect_file("two_g", 0, NR, 3);
}

/*
 * Without a retry, the file has the content that was durable before the error.
 */
static void error_crash(int flags, const char *name)
{
	__u32 down = MSYNCFS_SHUTDOWN_NOLOGFLUSH;
	int fd = new_file(name, NR);
	char *map = map_file(fd, NR);

	store(map, NR, 2);
	settle();
	store(map, NR, 3);
	dm_broken();
	FAILS(call(map, NR * PAGE, flags), EIO);
	unmap(map, NR);
	CHECK(!close(fd));
	CHECK(!ioctl(run.door_fd, MSYNCFS_IOC_SHUTDOWN, &down));
	dm_healthy();
	crash();
	expect_file(name, 0, NR, 2);
}

static void test_error(void)
{
	error(MS_SYNC, "sync");
	error_crash(MS_SYNC, "sync_crash");
	if (!door.full)
		return;
	error(MS_INVALIDATE, "invalidate");
	error(MS_INVALIDATE | MS_SYNC, "both");
	error_crash(MS_INVALIDATE, "invalidate_crash");
	error_async(MS_ASYNC, "async");
	error_two();
}

static const struct test tests[] = {
	{ "async", test_async },
	{ "zero", test_zero },
	{ "nowait", test_nowait },
	{ "slow", test_slow },
	{ "umount", test_umount },
	{ "error", test_error },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
