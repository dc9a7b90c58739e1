/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tests of O_DIRECT use these helpers. They make files in which each sector
 * contains a stamp: the number of the file, the index of the page, and a
 * generation.
 */
#ifndef MSYNCFS_TESTS_DIRECT_H
#define MSYNCFS_TESTS_DIRECT_H

#include "check.h"

#include <glob.h>
#include <sys/mman.h>

#define PAGE	4096UL
#define SECTOR	512UL

struct stamp {
	unsigned long file, page, gen;
};

static inline void put_stamps(void *page, unsigned long file,
			      unsigned long index, unsigned long gen)
{
	struct stamp s = { file, index, gen };
	unsigned long at;

	for (at = 0; at < PAGE; at += SECTOR)
		memcpy((char *)page + at, &s, sizeof(s));
}

static inline void stamp_pages(char *p, unsigned long file, unsigned long first,
			       unsigned long nr, unsigned long gen)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		put_stamps(p + i * PAGE, file, first + i, gen);
}

/*
 * Check that @page has the content of page @index of file @file. Return the
 * oldest generation in its sectors.
 */
static inline unsigned long check_stamps(const void *page, unsigned long file,
					 unsigned long index)
{
	unsigned long at, gen = -1UL;
	struct stamp s;

	for (at = 0; at < PAGE; at += SECTOR) {
		memcpy(&s, (const char *)page + at, sizeof(s));
		if (s.file != file || s.page != index) {
			fprintf(stderr, "file %lu page %lu+%lu: is file %lu page %lu gen %lu\n",
				file, index, at, s.file, s.page, s.gen);
			exit(1);
		}
		if (s.gen < gen)
			gen = s.gen;
	}
	return gen;
}

static inline void check_pages(const char *p, unsigned long file,
			       unsigned long first, unsigned long nr,
			       unsigned long gen)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		SAME(check_stamps(p + i * PAGE, file, first + i), gen);
}

static inline char *map_pages(int fd, unsigned long nr)
{
	char *p = mmap(NULL, nr * PAGE, PROT_READ | PROT_WRITE,
		       fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static inline void unmap_pages(char *p, unsigned long nr)
{
	CHECK(!munmap(p, nr * PAGE));
}

static inline void drop(int fd)
{
	CHECK(!fsync(fd));
	CHECK(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

/*
 * Make a file of @nr pages of generation 1. The file is durable, and none of
 * its pages is in memory.
 */
static inline int stamped_file(const char *name, unsigned long file,
			       unsigned long nr)
{
	unsigned long i, n;
	char *buf = map_pages(-1, 256);
	int fd = make_file(name, NULL);

	for (i = 0; i < nr; i += n) {
		n = nr - i < 256 ? nr - i : 256;
		stamp_pages(buf, file, i, n, 1);
		SAME(pwrite(fd, buf, n * PAGE, i * PAGE), n * PAGE);
	}
	unmap_pages(buf, 256);
	drop(fd);
	return fd;
}

static inline int open_direct(const char *name, int flags)
{
	int fd = open(name, O_RDWR | O_DIRECT | flags);

	CHECK(fd >= 0);
	return fd;
}

/*
 * Write all images of the log home. Then O_DIRECT does not have to wait for a
 * checkpoint, and freed blocks can be used again.
 */
static inline void take_home(void)
{
	unsigned long i;
	glob_t g;
	int fd;

	sync();
	CHECK(!glob("/sys/fs/msyncfs/*/checkpoint", 0, NULL, &g));
	for (i = 0; i < g.gl_pathc; i++) {
		fd = open(g.gl_pathv[i], O_WRONLY);
		CHECK(fd >= 0);
		SAME(write(fd, "1\n", 2), 2);
		close(fd);
	}
	globfree(&g);
}

#endif /* MSYNCFS_TESTS_DIRECT_H */
