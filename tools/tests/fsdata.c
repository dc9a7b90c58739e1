// SPDX-License-Identifier: GPL-2.0
/*
 * This program checks the content of files through all ways of access: read and
 * write, direct I/O, mappings, holes, splicing.
 *
 * Usage: fsdata DIR [TEST]
 */
#include "check.h"

#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE 4096

static char zeros[1 << 20];

static int is_zero(const char *p, size_t n)
{
	for (; n; n--)
		if (*p++)
			return 0;
	return 1;
}

static int open_new(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);

	CHECK(fd >= 0);
	return fd;
}

static char *map_file(int fd, size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void fill(int fd, off_t at, size_t n, int c)
{
	static char buf[1 << 20];

	CHECK(n <= sizeof(buf));
	memset(buf, c, n);
	SAME(pwrite(fd, buf, n, at), n);
}

/* Check that all bytes from @at to @at + @n (exclusive) are @c. */
static void expect(int fd, off_t at, size_t n, int c)
{
	static char buf[1 << 20];
	size_t i;

	CHECK(n <= sizeof(buf));
	SAME(pread(fd, buf, n, at), n);
	for (i = 0; i < n; i++)
		if (buf[i] != (char)c) {
			fprintf(stderr, "byte %lld is %#x, not %#x: ",
				(long long)(at + i), buf[i] & 255, c);
			CHECK(buf[i] == (char)c);
		}
}

/* Drop the cache, so that the next read comes from the disk. */
static void drop(int fd)
{
	CHECK(!fsync(fd));
	CHECK(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

static void test_truncate(void)
{
	int fd = open_new("f");
	char *map;
	int round;

	fill(fd, 0, 3 * PAGE, 'a');
	CHECK(!ftruncate(fd, PAGE + 100));
	SAME(fstat_of(fd).st_size, PAGE + 100);
	CHECK(!ftruncate(fd, 3 * PAGE));
	expect(fd, 0, PAGE + 100, 'a');
	expect(fd, PAGE + 100, 2 * PAGE - 100, 0);
	drop(fd);
	expect(fd, PAGE + 100, 2 * PAGE - 100, 0);

	/*
	 * A program can store bytes beyond the end of the file through a
	 * mapping. These bytes are not part of the file.
	 */
	for (round = 0; round < 3; round++) {
		CHECK(!ftruncate(fd, 0));
		fill(fd, 0, 100, 'b');
		map = map_file(fd, PAGE);
		memset(map + 100, 'X', PAGE - 100);
		if (round)
			CHECK(!msync(map, PAGE, MS_SYNC));
		if (round == 2)
			drop(fd);
		CHECK(!ftruncate(fd, 2 * PAGE));
		expect(fd, 0, 100, 'b');
		expect(fd, 100, 2 * PAGE - 100, 0);
		CHECK(is_zero(map + 100, PAGE - 100));
		CHECK(!munmap(map, PAGE));
		drop(fd);
		expect(fd, 100, 2 * PAGE - 100, 0);
	}
	/*
	 * Bytes that were stored beyond the end must also become zeros if a
	 * write extends the file.
	 */
	CHECK(!ftruncate(fd, 50));
	map = map_file(fd, PAGE);
	memset(map + 50, 'Y', 1000);
	fill(fd, 2000, 10, 'c');
	expect(fd, 50, 1950, 0);
	CHECK(!munmap(map, PAGE));
	drop(fd);
	expect(fd, 50, 1950, 0);
	expect(fd, 2000, 10, 'c');

	FAILS(ftruncate(fd, -1), EINVAL);
	CHECK(!close(fd));
	CHECK(!truncate("f", 7));
	SAME(stat_of("f").st_size, 7);
}

/*
 * A store to a private mapping changes only this mapping. A store to a shared
 * mapping changes the file.
 */
static void private_stores(int fd, char *shared)
{
	char *private = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE, fd, 0);

	CHECK(private != MAP_FAILED);
	private[5] = 'P';
	CHECK(!msync(private, 2 * PAGE, MS_SYNC));
	shared[10] = 'S';
	expect(fd, 5, 1, 'a');
	expect(fd, 10, 1, 'S');
	fill(fd, PAGE + 20, 1, 'W');
	CHECK(shared[PAGE + 20] == 'W' && private[PAGE + 20] == 'W');
	CHECK(!munmap(private, 2 * PAGE));
	drop(fd);
	expect(fd, 5, 1, 'a');
	expect(fd, 10, 1, 'S');
}

/*
 * Truncate the file to one page. An access to the second page of a mapping must
 * fail.
 */
static void beyond_end(int fd, char *shared)
{
	volatile char c;

	signal(SIGBUS, jump_back);
	CHECK(!ftruncate(fd, PAGE));
	if (!sigsetjmp(jump, 1)) {
		c = shared[PAGE];
		CHECK(!"SIGBUS for a load beyond the end");
	}
	if (!sigsetjmp(jump, 1)) {
		shared[PAGE] = 'x';
		CHECK(!"SIGBUS for a store beyond the end");
	}
	CHECK(shared[0] == 'a');
	signal(SIGBUS, SIG_DFL);
	(void)c;
}

/* Write to a page of the file. The buffer is a mapping of the same page. */
static void write_own_mapping(void)
{
	int fd = open_new("self");
	char *shared;

	fill(fd, 0, 4 * PAGE, 's');
	drop(fd);
	shared = map_file(fd, 4 * PAGE);
	SAME(pwrite(fd, shared, 3 * PAGE, 100), 3 * PAGE);
	expect(fd, 0, 3 * PAGE, 's');
	CHECK(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	SAME(pwrite(fd, shared + PAGE, PAGE, PAGE), PAGE);
	CHECK(!munmap(shared, 4 * PAGE) && !close(fd));
}

static void test_mmap(void)
{
	int fd = open_new("f"), status;
	char *shared, *ro;
	pid_t pid;

	fill(fd, 0, 2 * PAGE, 'a');
	shared = map_file(fd, 2 * PAGE);
	private_stores(fd, shared);

	/* A store of another process is visible to this process. */
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		shared[30] = 'C';
		_exit(msync(shared, PAGE, MS_SYNC));
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	CHECK(shared[30] == 'C');

	beyond_end(fd, shared);

	/* Call msync on a read-only mapping, and on an unmapped range. */
	ro = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(ro != MAP_FAILED);
	CHECK(!msync(ro, PAGE, MS_SYNC | MS_INVALIDATE));
	CHECK(!munmap(ro, PAGE) && !munmap(shared, 2 * PAGE));
	FAILS(msync(shared, PAGE, MS_SYNC), ENOMEM);
	CHECK(!close(fd));
	write_own_mapping();
}

static void test_sparse(void)
{
	const off_t far = 5LL << 30;
	int fd = open_new("f");

	fill(fd, far, 10, 'z');
	SAME(fstat_of(fd).st_size, far + 10);
	CHECK(!fsync(fd));
	CHECK(fstat_of(fd).st_blocks <= 8 * 8);
	expect(fd, 1 << 20, 1 << 20, 0);
	expect(fd, far - PAGE, PAGE, 0);
	SAME(lseek(fd, 0, SEEK_DATA), far);
	drop(fd);
	expect(fd, far, 10, 'z');
	CHECK(!ftruncate(fd, 1LL << 40));
	fill(fd, (1LL << 40) - 5, 10, 'y');
	CHECK(!fsync(fd));
	CHECK(!ftruncate(fd, 0));
	CHECK(!fsync(fd));
	SAME(fstat_of(fd).st_blocks, 0);
	CHECK(!close(fd));
}

static void test_seek(void)
{
	int fd = open_new("f");
	int synced;

	for (synced = 0; synced < 2; synced++) {
		CHECK(!ftruncate(fd, 0));
		CHECK(!ftruncate(fd, 100 * PAGE));
		fill(fd, 10 * PAGE, PAGE, 'a');
		fill(fd, 20 * PAGE, 3 * PAGE, 'b');
		if (synced)
			CHECK(!fsync(fd));
		SAME(lseek(fd, 0, SEEK_DATA), 10 * PAGE);
		SAME(lseek(fd, 10 * PAGE, SEEK_HOLE), 11 * PAGE);
		SAME(lseek(fd, 10 * PAGE + 5, SEEK_DATA), 10 * PAGE + 5);
		SAME(lseek(fd, 11 * PAGE, SEEK_DATA), 20 * PAGE);
		SAME(lseek(fd, 20 * PAGE, SEEK_HOLE), 23 * PAGE);
		SAME(lseek(fd, 0, SEEK_HOLE), 0);
		FAILS(lseek(fd, 23 * PAGE, SEEK_DATA), ENXIO);
		SAME(lseek(fd, 50 * PAGE, SEEK_HOLE), 50 * PAGE);
		FAILS(lseek(fd, 100 * PAGE, SEEK_HOLE), ENXIO);
	}
	/* A block that is allocated but not written counts as a hole. */
	CHECK(!fallocate(fd, 0, 40 * PAGE, 10 * PAGE));
	fill(fd, 45 * PAGE, PAGE, 'c');
	SAME(lseek(fd, 45 * PAGE, SEEK_DATA), 45 * PAGE);
	SAME(lseek(fd, 46 * PAGE, SEEK_HOLE), 46 * PAGE);
	CHECK(!fsync(fd));
	SAME(lseek(fd, 45 * PAGE, SEEK_DATA), 45 * PAGE);
	CHECK(!close(fd));
}

/*
 * Preallocate blocks within the size and beyond it. Return the number of
 * blocks.
 */
static blkcnt_t allocate_ahead(int fd)
{
	blkcnt_t blocks;

	CHECK(!fallocate(fd, 0, 0, 64 * PAGE));
	SAME(fstat_of(fd).st_size, 64 * PAGE);
	CHECK(!fsync(fd));
	blocks = fstat_of(fd).st_blocks;
	CHECK(blocks >= 64 * 8 && blocks <= 68 * 8);
	expect(fd, 0, 64 * PAGE, 0);
	fill(fd, 10 * PAGE, 10 * PAGE, 'a');
	CHECK(!fsync(fd));
	SAME(fstat_of(fd).st_blocks, blocks);

	CHECK(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 64 * PAGE, 16 * PAGE));
	SAME(fstat_of(fd).st_size, 64 * PAGE);
	CHECK(!fsync(fd));
	CHECK(fstat_of(fd).st_blocks >= blocks + 16 * 8);
	CHECK(!ftruncate(fd, 64 * PAGE));	/* frees blocks beyond the size */
	CHECK(!fsync(fd));
	SAME(fstat_of(fd).st_blocks, blocks);
	return blocks;
}

/* Punch a hole that begins and ends in the middle of pages. */
static void punch_hole(int fd, blkcnt_t blocks)
{
	CHECK(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 11 * PAGE + 100, 4 * PAGE));
	expect(fd, 10 * PAGE, PAGE + 100, 'a');
	expect(fd, 11 * PAGE + 100, 4 * PAGE, 0);
	expect(fd, 15 * PAGE + 100, 5 * PAGE - 100, 'a');
	CHECK(!fsync(fd));
	SAME(fstat_of(fd).st_blocks, blocks - 3 * 8);
	drop(fd);
	expect(fd, 11 * PAGE + 100, 4 * PAGE, 0);
	expect(fd, 15 * PAGE + 100, 5 * PAGE - 100, 'a');
	FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP);
}

/*
 * Zero a range of written data, pages that were stored to through a mapping,
 * and a range beyond the end.
 */
static void zero_range(int fd)
{
	char *map = map_file(fd, 64 * PAGE);

	memset(map + 16 * PAGE, 'm', 2 * PAGE);
	CHECK(!fallocate(fd, FALLOC_FL_ZERO_RANGE, 16 * PAGE + 7, PAGE));
	expect(fd, 16 * PAGE, 7, 'm');
	expect(fd, 16 * PAGE + 7, PAGE, 0);
	expect(fd, 17 * PAGE + 7, PAGE - 7, 'm');
	CHECK(is_zero(map + 16 * PAGE + 7, PAGE));
	CHECK(!fallocate(fd, FALLOC_FL_ZERO_RANGE, 63 * PAGE, 3 * PAGE));
	SAME(fstat_of(fd).st_size, 66 * PAGE);
	CHECK(!fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			 65 * PAGE, 3 * PAGE));
	SAME(fstat_of(fd).st_size, 66 * PAGE);
	drop(fd);
	expect(fd, 16 * PAGE + 7, PAGE, 0);
	expect(fd, 17 * PAGE + 7, PAGE - 7, 'm');
	CHECK(!munmap(map, 64 * PAGE));
}

static void test_fallocate(void)
{
	int fd = open_new("f");

	punch_hole(fd, allocate_ahead(fd));
	zero_range(fd);
	FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	FAILS(fallocate(fd, 0, -1, PAGE), EINVAL);
	FAILS(fallocate(fd, 0, 0, 1LL << 50), ENOSPC);
	SAME(fstat_of(fd).st_size, 66 * PAGE);
	CHECK(!close(fd));
}

#define MAX_EXTENTS 64

static struct {
	struct fiemap fm;
	struct fiemap_extent fe[MAX_EXTENTS];
} fie;

static unsigned int fiemap(int fd, unsigned int flags)
{
	memset(&fie, 0, sizeof(fie));
	fie.fm.fm_length = ~0ULL;
	fie.fm.fm_flags = flags;
	fie.fm.fm_extent_count = MAX_EXTENTS;
	CHECK(!ioctl(fd, FS_IOC_FIEMAP, &fie));
	return fie.fm.fm_mapped_extents;
}

static void test_fiemap(void)
{
	int fd = open_new("f"), disk;
	struct stat st;
	char buf[PAGE], dev[64];
	unsigned int n, i;
	unsigned long long sum = 0;

	CHECK(!ftruncate(fd, 100 * PAGE));
	SAME(fiemap(fd, 0), 0);
	fill(fd, 0, 4 * PAGE, 'a');
	fill(fd, 50 * PAGE, 2 * PAGE, 'b');
	CHECK(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 80 * PAGE, 5 * PAGE));
	n = fiemap(fd, FIEMAP_FLAG_SYNC);
	CHECK(n >= 3 && n < MAX_EXTENTS);
	for (i = 0; i < n; i++) {
		struct fiemap_extent *e = &fie.fe[i];

		sum += e->fe_length;
		CHECK(e->fe_physical && !(e->fe_physical % PAGE));
		SAME(!!(e->fe_flags & FIEMAP_EXTENT_LAST), i == n - 1);
		SAME(!!(e->fe_flags & FIEMAP_EXTENT_UNWRITTEN),
		     e->fe_logical >= 80 * PAGE);
	}
	SAME(sum, 11 * PAGE);
	SAME(fie.fe[0].fe_logical, 0);

	/*
	 * The content of the file must lie on the device at the offset that
	 * FIEMAP reports.
	 */
	CHECK(!fstat(fd, &st));
	snprintf(dev, sizeof(dev), "/tmp/fiemap-dev-%d", getpid());
	if (!mknod(dev, S_IFBLK | 0600, st.st_dev)) {
		disk = open(dev, O_RDONLY | O_DIRECT);
		CHECK(!unlink(dev));
		if (disk >= 0) {
			static char aligned[PAGE] __attribute__((aligned(PAGE)));

			SAME(pread(disk, aligned, PAGE, fie.fe[0].fe_physical), PAGE);
			memset(buf, 'a', PAGE);
			CHECK(!memcmp(aligned, buf, PAGE));
			CHECK(!close(disk));
		}
	}
	CHECK(!close(fd));
}

#define WRITERS 4
#define LINES 300

static void test_append(void)
{
	int count[WRITERS] = { };
	char line[64], got[33];
	int fd, i, w, status;
	FILE *f;

	CHECK(!close(open_new("f")));
	for (w = 0; w < WRITERS; w++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid)
			continue;
		fd = open("f", O_WRONLY | O_APPEND);
		for (i = 0; i < LINES; i++) {
			snprintf(line, sizeof(line), "writer %d line %-16d\n", w, i);
			if (write(fd, line, 31) != 31)
				_exit(1);
		}
		_exit(0);
	}
	for (w = 0; w < WRITERS; w++)
		CHECK(wait(&status) > 0 && !status);
	SAME(stat_of("f").st_size, WRITERS * LINES * 31);
	f = fopen("f", "r");
	CHECK(f);
	while (fgets(got, sizeof(got), f)) {
		CHECK(sscanf(got, "writer %d line %d", &w, &i) == 2);
		CHECK(w >= 0 && w < WRITERS);
		SAME(count[w]++, i);
	}
	CHECK(!fclose(f));
	for (w = 0; w < WRITERS; w++)
		SAME(count[w], LINES);

	/*
	 * On Linux, pwrite() to an O_APPEND descriptor appends and ignores the
	 * offset.
	 */
	fd = open("f", O_RDWR | O_APPEND);
	CHECK(fd >= 0);
	CHECK(pwrite(fd, "end", 3, 0) == 3);
	SAME(fstat_of(fd).st_size, WRITERS * LINES * 31 + 3);
	CHECK(!close(fd));
}

static char buf[64 * PAGE] __attribute__((aligned(PAGE)));

/* Write beyond the end and into a hole. */
static void direct_new(int fd, int dfd)
{
	memset(buf, 'd', sizeof(buf));
	SAME(pwrite(dfd, buf, 16 * PAGE, 0), 16 * PAGE);
	SAME(fstat_of(dfd).st_size, 16 * PAGE);
	expect(fd, 0, 16 * PAGE, 'd');
	SAME(pwrite(dfd, buf, 4 * PAGE, 32 * PAGE), 4 * PAGE);
	expect(fd, 16 * PAGE, 16 * PAGE, 0);
	memset(buf, 'x', sizeof(buf));
	SAME(pread(dfd, buf, sizeof(buf), 0), 36 * PAGE);
	CHECK(buf[0] == 'd' && is_zero(buf + 16 * PAGE, 16 * PAGE) &&
	      buf[36 * PAGE - 1] == 'd');
	FAILS(pwrite(dfd, buf + 1, PAGE, 0), EINVAL);
	FAILS(pwrite(dfd, buf, 100, 0), EINVAL);
	FAILS(pread(dfd, buf, PAGE, 7), EINVAL);
}

/* Write over dirty pages, committed pages and unwritten blocks. */
static void direct_over(int fd, int dfd)
{
	fill(fd, 0, 16 * PAGE, 'c');
	memset(buf, 'D', sizeof(buf));
	SAME(pwrite(dfd, buf, 4 * PAGE, 4 * PAGE), 4 * PAGE);
	expect(fd, 0, 4 * PAGE, 'c');
	expect(fd, 4 * PAGE, 4 * PAGE, 'D');
	expect(fd, 8 * PAGE, 8 * PAGE, 'c');
	CHECK(!fsync(fd));
	memset(buf, 'E', sizeof(buf));
	SAME(pwrite(dfd, buf, 16 * PAGE, 0), 16 * PAGE);
	memset(buf, 0, sizeof(buf));
	SAME(pread(dfd, buf, 16 * PAGE, 0), 16 * PAGE);
	CHECK(buf[0] == 'E' && buf[16 * PAGE - 1] == 'E');
	expect(fd, 0, 16 * PAGE, 'E');
	CHECK(!fallocate(fd, 0, 40 * PAGE, 8 * PAGE));
	memset(buf, 'U', sizeof(buf));
	SAME(pwrite(dfd, buf, 2 * PAGE, 42 * PAGE), 2 * PAGE);
	expect(fd, 40 * PAGE, 2 * PAGE, 0);
	expect(fd, 42 * PAGE, 2 * PAGE, 'U');
	expect(fd, 44 * PAGE, 4 * PAGE, 0);
}

/*
 * Read with O_DIRECT after a store through a mapping. The store is only in the
 * page cache, but the read must return it. A write with O_DIRECT must be
 * visible in the mapping.
 */
static void direct_mapped(int fd, int dfd)
{
	char *map = map_file(fd, 48 * PAGE);

	memset(map + 9 * PAGE, 'M', PAGE);
	SAME(pread(dfd, buf, PAGE, 9 * PAGE), PAGE);
	CHECK(buf[0] == 'M' && buf[PAGE - 1] == 'M');
	memset(buf, 'F', sizeof(buf));
	SAME(pwrite(dfd, buf, PAGE, 9 * PAGE), PAGE);
	CHECK(map[9 * PAGE] == 'F');
	CHECK(!munmap(map, 48 * PAGE));
}

static void test_direct(void)
{
	int fd = open_new("f"), dfd = open("f", O_RDWR | O_DIRECT);

	CHECK(dfd >= 0);
	direct_new(fd, dfd);
	direct_over(fd, dfd);
	direct_mapped(fd, dfd);
	drop(fd);
	expect(fd, 0, 9 * PAGE, 'E');
	expect(fd, 9 * PAGE, PAGE, 'F');
	expect(fd, 42 * PAGE, 2 * PAGE, 'U');
	expect(fd, 44 * PAGE, 4 * PAGE, 0);
	CHECK(!close(dfd));
	dfd = open("f", O_RDWR | O_DIRECT | O_DSYNC);
	CHECK(dfd >= 0);
	SAME(pwrite(dfd, buf, 2 * PAGE, 60 * PAGE), 2 * PAGE);
	SAME(fstat_of(fd).st_size, 62 * PAGE);
	CHECK(!close(dfd) && !close(fd));
}

static void test_vectors(void)
{
	char a[3], b[5000], c[7];
	struct iovec v[3] = {
		{ "one", 3 }, { zeros, 5000 }, { "seven..", 7 },
	}, r[3] = { { a, 3 }, { b, 5000 }, { c, 7 } };
	int fd = open_new("f");

	SAME(writev(fd, v, 3), 5010);
	SAME(preadv(fd, r, 3, 0), 5010);
	CHECK(!memcmp(a, "one", 3) && is_zero(b, 5000) && !memcmp(c, "seven..", 7));
	SAME(pwritev2(fd, v, 3, 10000, RWF_DSYNC), 5010);
	SAME(pwritev2(fd, v, 1, 0, RWF_APPEND), 3);
	SAME(fstat_of(fd).st_size, 15013);
	expect(fd, 5010, 4990, 0);
	FAILS(pwritev2(fd, v, 1, 0, 0x40000000), EOPNOTSUPP);
	CHECK(!close(fd));
}

static void test_splice(void)
{
	int in = open_new("in"), out = open_new("out"), p[2];
	off_t from, to;
	size_t left, n;
	int i;

	for (i = 0; i < 16; i++)
		fill(in, i * PAGE, PAGE, 'a' + i);
	CHECK(!pipe(p));
	for (from = 0, to = 0; from < 16 * PAGE; ) {
		ssize_t k = splice(in, &from, p[1], NULL, PAGE, 0);

		CHECK(k > 0);
		SAME(splice(p[0], NULL, out, &to, k, 0), k);
	}
	for (i = 0; i < 16; i++)
		expect(out, i * PAGE, PAGE, 'a' + i);

	CHECK(!ftruncate(out, 0) && !lseek(out, 0, SEEK_SET));
	for (from = 0, left = 16 * PAGE; left; left -= n) {
		n = sendfile(out, in, &from, left);
		CHECK((ssize_t)n > 0);
	}
	for (i = 0; i < 16; i++)
		expect(out, i * PAGE, PAGE, 'a' + i);

	CHECK(!ftruncate(out, 0));
	from = 100;
	to = 5;
	for (left = 10 * PAGE; left; left -= n) {
		n = copy_file_range(in, &from, out, &to, left, 0);
		CHECK((ssize_t)n > 0);
	}
	SAME(fstat_of(out).st_size, 10 * PAGE + 5);
	expect(out, 0, 5, 0);
	expect(out, 5, PAGE - 100, 'a');
	expect(out, 5 + PAGE - 100, PAGE, 'b');
	drop(out);
	expect(out, 5 + PAGE - 100, PAGE, 'b');
	CHECK(!close(in) && !close(out) && !close(p[0]) && !close(p[1]));
}

static const struct test tests[] = {
	{ "truncate", test_truncate },
	{ "mmap", test_mmap },
	{ "sparse", test_sparse },
	{ "seek", test_seek },
	{ "fallocate", test_fallocate },
	{ "fiemap", test_fiemap },
	{ "append", test_append },
	{ "direct", test_direct },
	{ "vectors", test_vectors },
	{ "splice", test_splice },
	{ }
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
