/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tests of atomic files use these helpers. The helpers make atomic files
 * and look at the content of the files on the device.
 *
 * A test looks at a copy of the device. While the test makes the copy, all I/O
 * of the device waits. The test then mounts the copy like a disk after a power
 * failure. The file under test stays open and mapped on the original device.
 *
 * Usage of each program: PROGRAM MNT DOOR TEST, see msync.h. The environment
 * also has:
 *
 *	COPY		block device for the copy, of the same size as DM
 */
#ifndef MSYNCFS_TESTS_ATOMIC_H
#define MSYNCFS_TESTS_ATOMIC_H

#include "msync.h"

#include <sys/statfs.h>

#define NR	16UL		/* number of pages in most files */
#define COPY_MNT "/tmp/copy"

/* ---- content of the device ---------------------------------------------- */

static inline void copy_disk(void)
{
	size_t size = strtoull(need_env("SECTORS"), NULL, 0) * 512, at, n;
	int in = open(need_env("DISK"), O_RDONLY | O_DIRECT);
	int out = open(need_env("COPY"), O_WRONLY | O_DIRECT);
	static char *buf;

	n = 1 << 20;
	if (!buf)
		buf = aligned_alloc(PAGE, n);
	CHECK(in >= 0 && out >= 0 && buf);
	dm_stop(need_env("DM"));
	for (at = 0; at < size; at += n) {
		if (n > size - at)
			n = size - at;
		SAME(pread(in, buf, n, at), n);
		SAME(pwrite(out, buf, n, at), n);
	}
	dm_resume(need_env("DM"));
	CHECK(!fsync(out) && !close(in) && !close(out));
}

/*
 * Mount a copy of the device. Return the path at which the copy has the
 * directory of the test.
 */
static inline const char *look(void)
{
	static char dir[128];

	copy_disk();
	if (mkdir(COPY_MNT, 0755))
		CHECK(errno == EEXIST);
	CHECK(!mount(need_env("COPY"), COPY_MNT, "msyncfs", 0, NULL));
	snprintf(dir, sizeof(dir), "%s%s", COPY_MNT, run.dir + strlen(run.mnt));
	return dir;
}

static inline void look_away(void)
{
	unmount(COPY_MNT);
}

static inline char *read_all(const char *dir, const char *name, off_t *size)
{
	char path[256], *buf;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		fprintf(stderr, "%s: ", path);
	CHECK(fd >= 0);
	*size = fstat_of(fd).st_size;
	buf = malloc(*size + 1);
	CHECK(buf);
	SAME(read(fd, buf, *size), *size);
	CHECK(!close(fd));
	return buf;
}

/*
 * Check that file @name in @dir has @nr pages. The first @new pages must be of
 * generation @gen, and the other pages must be of generation 1.
 */
static inline void found_part(const char *dir, const char *name,
			      const char *when, unsigned long nr,
			      unsigned long new, uint64_t gen)
{
	char what[320], *buf;
	off_t size;

	snprintf(what, sizeof(what), "%s: %s on the device", when, name);
	buf = read_all(dir, name, &size);
	if (size != (off_t)(nr * PAGE))
		fprintf(stderr, "%s: ", what);
	SAME(size, nr * PAGE);
	expect(buf, new, gen, what);
	expect(buf + new * PAGE, nr - new, 1, what);
	free(buf);
}

static inline void found(const char *dir, const char *name, const char *when,
			 unsigned long nr, uint64_t gen)
{
	found_part(dir, name, when, nr, nr, gen);
}

/*
 * Check that a crash now would leave @nr pages of generation @gen in file
 * @name.
 */
static inline void disk_has(const char *name, const char *when,
			    unsigned long nr, uint64_t gen)
{
	found(look(), name, when, nr, gen);
	look_away();
}

/* ---- files -------------------------------------------------------------- */

static inline int atomic_ioctl(int fd, __u32 on)
{
	return ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on);
}

static inline __u32 is_atomic(int fd)
{
	__u32 on = 7;

	CHECK(!ioctl(fd, MSYNCFS_IOC_GET_ATOMIC, &on));
	return on;
}

static inline int rollback(int fd)
{
	return ioctl(fd, MSYNCFS_IOC_ROLLBACK);
}

/* Make an atomic file of @nr pages of generation 1. The content is durable. */
static inline int atomic_file(const char *name, unsigned long nr)
{
	int fd = new_file(name, nr);

	CHECK(!atomic_ioctl(fd, 1));
	return fd;
}

/* Check that readers of the file see @nr pages of generation @gen. */
static inline void memory_has(const char *name, unsigned long nr, uint64_t gen)
{
	SAME(stat_of(name).st_size, nr * PAGE);
	expect_file(name, 0, nr, gen);
}

/*
 * Spill the dirty pages of the file: write them to fresh blocks. Nothing on the
 * device refers to these blocks.
 */
static inline void spill(int fd)
{
	CHECK(!sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	CHECK(!sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
			       SYNC_FILE_RANGE_WRITE |
			       SYNC_FILE_RANGE_WAIT_AFTER));
}

static inline void write_gen(int fd, unsigned long first, unsigned long nr,
			     uint64_t gen)
{
	char *buf = calloc(nr, PAGE);

	CHECK(buf);
	store(buf, nr, gen);
	SAME(pwrite(fd, buf, nr * PAGE, first * PAGE), nr * PAGE);
	free(buf);
}

/* Write pages with O_DIRECT. */
static inline void write_direct(const char *name, unsigned long first,
				unsigned long nr, uint64_t gen)
{
	int fd = open_file(name, O_DIRECT);
	char *buf = aligned_alloc(PAGE, nr * PAGE);

	CHECK(buf);
	memset(buf, 0, nr * PAGE);
	store(buf, nr, gen);
	SAME(pwrite(fd, buf, nr * PAGE, first * PAGE), nr * PAGE);
	free(buf);
	CHECK(!close(fd));
}

static inline unsigned long long space(void)
{
	struct statfs sf;

	CHECK(!statfs(".", &sf));
	return sf.f_bfree;
}

static inline void write_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		fprintf(stderr, "%s: ", path);
	CHECK(fd >= 0);
	SAME(write(fd, text, strlen(text)), strlen(text));
	CHECK(!close(fd));
}

static inline void drop_caches(void)
{
	write_proc("/proc/sys/vm/drop_caches", "3\n");
}

#endif /* MSYNCFS_TESTS_ATOMIC_H */
