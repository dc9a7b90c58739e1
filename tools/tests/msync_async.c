// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests that MS_ASYNC starts the work of MS_SYNC without waiting
 * for it, and that the data becomes durable without another call. It also tests
 * all flags on a device that fails.
 *
 * Usage: msync_async MNT DOOR TEST, see msync.h
 */
#include "msync.h"

#define NR	16UL
#define LARGE	1200UL		/* pages; too many for a copied set */

/* ---- durable soon ------------------------------------------------------- */

/*
 * The filesystem commits changes in the background after 5 s. If data is
 * durable earlier, the call has started the commit. An attempt that takes
 * longer than BACKGROUND proves nothing, so the test makes another attempt.
 */
#define BACKGROUND	4.5
#define ATTEMPTS	(slowness() == 1 ? 8 : 4)
#define LEAST		600UL	/* pages; more than a record takes */

struct soon {
	const char *what;
	unsigned long nr;	/* pages */
	bool zero;		/* call without flags */
	bool fresh;		/* the file has no blocks yet */
	bool twice;		/* store and call again immediately */
	bool two;		/* the range has a second file */
	bool hole;		/* the range has an unmapped address, too */
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

/*
 * Report that the machine was too slow for a result. This is an error unless
 * $SLOW says that the machine is slow.
 */
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

/* A call without flags starts the commit like MS_ASYNC. */
static void test_zero(void)
{
	struct soon s = { .what = "flags 0", .nr = NR, .zero = true,
				       .twice = true };

	soon(&s);
}

/* ---- a slow device ------------------------------------------------------ */

/* Wait for the child. Fail with a message if it does not end in time. */
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

/* Suspend the device. A call that waited for the device would not return. */
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
		/*
		 * The first call is in progress. It must not delay the next
		 * call.
		 */
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

	/* Delay writes. Do not delay reads and flushes. */
	snprintf(params, sizeof(params), "%s 0 0 %s 0 %u %s 0 0", disk, disk,
		 (unsigned int)(seconds * 1000), disk);
	dm_table("delay", params);
}

/*
 * Each write takes 4 s, and the commit needs @rounds writes in sequence.
 * fdatasync() begins in the middle of the first write. It must start no write.
 * It must return when the writes of the commit are done.
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
	CHECK(done >= DELAY * 0.9);	/* the writes were slow */
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
	/*
	 * Make three attempts, because other programs may keep the machine
	 * busy.
	 */
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
	/*
	 * The commit first writes the pages, then the record that refers to
	 * them.
	 */
	slow_file("large", LARGE, 2);
	set_attr("checkpoint_pause", "0\n");
}

/*
 * All processes leave the filesystem after the call. The unmount must wait for
 * the commit.
 */
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
		/* The writes are so slow that none of them has completed. */
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
 * If the commit fails, the call fails, the pages stay dirty, and each open file
 * description gets the error once. A second call must succeed and make the data
 * durable.
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

	/* The first call has returned the error to this file description. */
	CHECK(!call(map, NR * PAGE, flags));
	CHECK(!fsync(fd));
	/* The other file description gets the error from the next call. */
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
 * The commit fails after the call with MS_ASYNC has returned 0. The next call
 * must return the error.
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

/*
 * Test an error in a range with two files. The pages of both files must stay
 * dirty, and both files must get the error.
 */
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
 * Crash after the error, without a second call. The file must have the content
 * that was durable before the error.
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
