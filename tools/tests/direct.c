// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests O_DIRECT with unusual buffers: mappings of the same file
 * or of another file, vectors, and unmapped memory. It also tests asynchronous
 * requests.
 *
 * Usage: direct DIR [TEST]
 */
#include "direct.h"

#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* ---- buffers that are mappings ------------------------------------------ */

/* Use a mapping of the file itself as the buffer of a write. */
static void write_self(int fd, int dfd, char *map)
{
	unsigned long i;

	/*
	 * The buffer and the written range have no page in common. In the first
	 * write the pages of the buffer are not in memory, in the second write
	 * they are dirty.
	 */
	SAME(pwrite(dfd, map + 16 * PAGE, 16 * PAGE, 0), 16 * PAGE);
	check_pages(map, 1, 16, 16, 1);
	stamp_pages(map + 16 * PAGE, 1, 16, 16, 2);
	SAME(pwrite(dfd, map + 16 * PAGE, 16 * PAGE, 0), 16 * PAGE);
	check_pages(map, 1, 16, 16, 2);
	drop(fd);
	check_pages(map, 1, 16, 16, 2);

	/*
	 * The buffer and the written range are the same pages. These pages are
	 * clean in the first round, dirty in the second round, and not in
	 * memory in the third round.
	 */
	for (i = 0; i < 3; i++) {
		if (i == 1)
			stamp_pages(map + 32 * PAGE, 1, 32, 16, 3);
		if (i == 2)
			drop(fd);
		SAME(pwrite(dfd, map + 32 * PAGE, 16 * PAGE, 32 * PAGE),
		     16 * PAGE);
		check_pages(map + 32 * PAGE, 1, 32, 16, i ? 3 : 1);
	}

	/* The buffer and the written range have some pages in common. */
	stamp_pages(map, 1, 0, 64, 4);
	drop(fd);
	SAME(pwrite(dfd, map + 4 * PAGE, 16 * PAGE, 0), 16 * PAGE);
	check_pages(map, 1, 4, 16, 4);
	check_pages(map + 16 * PAGE, 1, 16, 48, 4);
	drop(fd);
	check_pages(map, 1, 4, 16, 4);
	check_pages(map + 16 * PAGE, 1, 16, 48, 4);
}

/*
 * Read a range of the file into a mapping of the same file. First the buffer
 * has other pages than the range, then it has the pages of the range.
 */
static void read_self(int fd, int dfd, char *map)
{
	char *buf = map_pages(-1, 64);

	stamp_pages(map, 1, 0, 64, 5);
	drop(fd);
	take_home();
	SAME(pread(dfd, map + 32 * PAGE, 16 * PAGE, 0), 16 * PAGE);
	check_pages(map + 32 * PAGE, 1, 0, 16, 5);
	CHECK(!msync(map, 64 * PAGE, MS_SYNC));
	SAME(pread(dfd, map + 8 * PAGE, 16 * PAGE, 8 * PAGE), 16 * PAGE);
	drop(fd);
	SAME(pread(fd, buf, 64 * PAGE, 0), 64 * PAGE);
	check_pages(buf, 1, 0, 32, 5);
	check_pages(buf + 32 * PAGE, 1, 0, 16, 5);
	check_pages(buf + 48 * PAGE, 1, 48, 16, 5);
	unmap_pages(buf, 64);
}

/* The buffer is a mapping of the file itself. */
static void test_self(void)
{
	int fd = stamped_file("f", 1, 64), dfd = open_direct("f", 0);
	char *map = map_pages(fd, 64);

	write_self(fd, dfd, map);
	read_self(fd, dfd, map);
	unmap_pages(map, 64);
	CHECK(!close(dfd) && !close(fd));
}

/*
 * The buffer is a mapping of another file. The kernel cannot pin the whole
 * buffer in one step, because the buffer is too large. Both files have holes.
 */
static void test_other(void)
{
	unsigned long nr = 2500;
	int fd = stamped_file("f", 1, nr), dfd = open_direct("f", 0);
	int gd = make_file("g", NULL);
	char *map, *buf = map_pages(-1, nr);

	CHECK(!ftruncate(gd, nr * PAGE));
	map = map_pages(gd, nr);
	SAME(pread(dfd, map, nr * PAGE, 0), nr * PAGE);
	check_pages(map, 1, 0, nr, 1);
	drop(gd);
	take_home();
	check_pages(map, 1, 0, nr, 1);

	stamp_pages(map, 2, 0, nr, 2);
	drop(gd);
	SAME(pwrite(dfd, map, nr * PAGE, 0), nr * PAGE);
	drop(fd);
	SAME(pread(fd, buf, nr * PAGE, 0), nr * PAGE);
	check_pages(buf, 2, 0, nr, 2);

	/*
	 * Read from a hole and from preallocated blocks, then write into both.
	 */
	CHECK(!ftruncate(fd, 0) && !ftruncate(fd, nr * PAGE));
	CHECK(!fallocate(fd, 0, 100 * PAGE, 100 * PAGE));
	take_home();
	SAME(pread(dfd, map, 300 * PAGE, 0), 300 * PAGE);
	CHECK(!map[0] && !memcmp(map, map + 1, 300 * PAGE - 1));
	check_pages(map + 300 * PAGE, 2, 300, nr - 300, 2);
	SAME(pwrite(dfd, map + 300 * PAGE, 200 * PAGE, 50 * PAGE), 200 * PAGE);
	drop(fd);
	SAME(pread(fd, buf, 300 * PAGE, 0), 300 * PAGE);
	CHECK(!buf[0] && !memcmp(buf, buf + 1, 50 * PAGE - 1));
	check_pages(buf + 50 * PAGE, 2, 300, 200, 2);
	unmap_pages(map, nr);
	unmap_pages(buf, nr);
	CHECK(!close(dfd) && !close(fd) && !close(gd));
}

/* Test vectors of sectors, the end of the file and unmapped memory. */
static void test_edges(void)
{
	int fd = stamped_file("f", 1, 16), dfd = open_direct("f", 0);
	char *buf = map_pages(-1, 32), *map = map_pages(fd, 16);
	struct iovec v[33];
	ssize_t n;
	int i;

	take_home();
	/*
	 * The first eight entries of the vector are the sectors of the first
	 * page. The last entry has all other pages.
	 */
	for (i = 0; i < 8; i++)
		v[i] = (struct iovec){ buf + (31 - i) * PAGE + i * SECTOR,
				       SECTOR };
	v[8] = (struct iovec){ buf, 15 * PAGE };
	SAME(preadv(dfd, v, 9, 0), 16 * PAGE);
	check_pages(buf, 1, 1, 15, 1);
	for (i = 0; i < 8; i++)
		CHECK(!memcmp(v[i].iov_base, map, sizeof(struct stamp)));
	stamp_pages(map, 1, 0, 16, 2);
	CHECK(!msync(map, 16 * PAGE, MS_SYNC));
	for (i = 0; i < 8; i++)
		put_stamps((char *)v[i].iov_base - i * SECTOR, 1, 0, 3);
	SAME(pwritev(dfd, v, 9, 0), 16 * PAGE);
	check_pages(map, 1, 0, 1, 3);
	check_pages(map + PAGE, 1, 1, 15, 1);

	/*
	 * Read across the end of the file, which lies in the middle of a page.
	 */
	CHECK(!ftruncate(fd, 7 * PAGE + 1000));
	drop(fd);
	take_home();
	SAME(pread(dfd, buf, 32 * PAGE, 0), 7 * PAGE + 1000);
	check_pages(buf + PAGE, 1, 1, 6, 1);
	SAME(pread(dfd, buf, 32 * PAGE, 4 * PAGE), 3 * PAGE + 1000);
	check_pages(buf, 1, 4, 3, 1);
	SAME(pread(dfd, buf, PAGE, 8 * PAGE), 0);

	/* Part of the buffer is not mapped. */
	CHECK(!munmap(buf + 2 * PAGE, PAGE));
	n = pread(dfd, buf, 6 * PAGE, 0);
	SAME(n, 2 * PAGE);
	check_pages(buf, 1, 0, 1, 3);
	check_pages(buf + PAGE, 1, 1, 1, 1);
	stamp_pages(buf, 1, 0, 2, 4);
	n = pwrite(dfd, buf, 6 * PAGE, 0);
	SAME(n, 2 * PAGE);
	check_pages(map, 1, 0, 2, 4);
	check_pages(map + 2 * PAGE, 1, 2, 5, 1);
	FAILS(pread(dfd, buf + 2 * PAGE, PAGE, 0), EFAULT);
	FAILS(pwrite(dfd, buf + 2 * PAGE, PAGE, 0), EFAULT);
	unmap_pages(map, 16);
	unmap_pages(buf, 32);
	CHECK(!close(dfd) && !close(fd));
}

/* ---- asynchronous requests ---------------------------------------------- */

#define REQUESTS	16
#define REQ_PAGES	64UL

/* Make all requests. Return how long their submission takes, in seconds. */
static double aio_all(aio_context_t ctx, int fd, int opcode, char *buf)
{
	struct io_event events[REQUESTS];
	struct iocb cbs[REQUESTS], *list[REQUESTS];
	double t = now();
	int i;

	memset(cbs, 0, sizeof(cbs));
	for (i = 0; i < REQUESTS; i++) {
		cbs[i].aio_fildes = fd;
		cbs[i].aio_lio_opcode = opcode;
		cbs[i].aio_buf = (unsigned long)(buf + i * REQ_PAGES * PAGE);
		cbs[i].aio_nbytes = REQ_PAGES * PAGE;
		cbs[i].aio_offset = i * REQ_PAGES * PAGE;
		list[i] = &cbs[i];
	}
	SAME(syscall(SYS_io_submit, ctx, REQUESTS, list), REQUESTS);
	t = now() - t;
	SAME(syscall(SYS_io_getevents, ctx, REQUESTS, REQUESTS, events, NULL),
	     REQUESTS);
	for (i = 0; i < REQUESTS; i++)
		SAME(events[i].res, REQ_PAGES * PAGE);
	return t;
}

static void test_aio(void)
{
	unsigned long nr = REQUESTS * REQ_PAGES;
	int fd = stamped_file("f", 1, nr), dfd = open_direct("f", 0);
	int sfd = open_direct("f", O_DSYNC), gd = make_file("g", NULL);
	char *buf = map_pages(-1, nr), *map;
	aio_context_t ctx = 0;

	CHECK(!ftruncate(gd, nr * PAGE));
	map = map_pages(gd, nr);
	CHECK(!syscall(SYS_io_setup, REQUESTS, &ctx));
	take_home();
	aio_all(ctx, dfd, IOCB_CMD_PREAD, buf);
	check_pages(buf, 1, 0, nr, 1);
	aio_all(ctx, dfd, IOCB_CMD_PREAD, map);
	drop(gd);
	check_pages(map, 1, 0, nr, 1);

	stamp_pages(map, 1, 0, nr, 2);
	drop(gd);
	aio_all(ctx, dfd, IOCB_CMD_PWRITE, map);
	drop(fd);
	aio_all(ctx, dfd, IOCB_CMD_PREAD, buf);
	check_pages(buf, 1, 0, nr, 2);
	stamp_pages(buf, 1, 0, nr, 3);
	aio_all(ctx, sfd, IOCB_CMD_PWRITE, buf);
	memset(buf, 0, nr * PAGE);
	aio_all(ctx, dfd, IOCB_CMD_PREAD, buf);
	check_pages(buf, 1, 0, nr, 3);
	CHECK(!syscall(SYS_io_destroy, ctx));
	unmap_pages(map, nr);
	unmap_pages(buf, nr);
	CHECK(!close(dfd) && !close(sfd) && !close(fd) && !close(gd));
}

/*
 * The device needs half a second for each request. $SLOW is a command that makes it
 * so slow. The submission of all requests must not wait for them.
 */
static void test_queued(void)
{
	unsigned long nr = REQUESTS * REQ_PAGES;
	int fd = stamped_file("f", 1, nr), dfd = open_direct("f", 0);
	const char *slow = getenv("SLOW");
	char *buf = map_pages(-1, nr);
	aio_context_t ctx = 0;
	double reads, writes;

	CHECK(!syscall(SYS_io_setup, REQUESTS, &ctx));
	drop(fd);
	take_home();
	/* Only a later write may leave the privileges of the file alone. */
	SAME(pread(dfd, buf, PAGE, 0), PAGE);
	SAME(pwrite(dfd, buf, PAGE, 0), PAGE);
	CHECK(slow && !system(slow));
	reads = aio_all(ctx, dfd, IOCB_CMD_PREAD, buf);
	check_pages(buf, 1, 0, nr, 1);
	stamp_pages(buf, 1, 0, nr, 2);
	writes = aio_all(ctx, dfd, IOCB_CMD_PWRITE, buf);
	printf("submission of %d reads: %.2f s, writes: %.2f s\n", REQUESTS, reads,
	       writes);
	CHECK(reads < 2 && writes < 2);
	memset(buf, 0, nr * PAGE);
	aio_all(ctx, dfd, IOCB_CMD_PREAD, buf);
	check_pages(buf, 1, 0, nr, 2);
	CHECK(!syscall(SYS_io_destroy, ctx));
	unmap_pages(buf, nr);
	CHECK(!close(dfd) && !close(fd));
}

static const struct test tests[] = {
	{ "self", test_self },
	{ "other", test_other },
	{ "edges", test_edges },
	{ "aio", test_aio },
	{ "queued", test_queued },
	{ }
};

int main(int argc, char **argv)
{
	setlinebuf(stdout);	/* to keep the last line of a failure */
	return run_tests(argc, argv, tests);
}
