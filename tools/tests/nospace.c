// SPDX-License-Identifier: GPL-2.0
/*
 * This program fills a filesystem. If there is no space, the write or the store
 * must fail. A later fsync or msync must not fail. Accepted data must never be
 * lost. The space of deleted files must be usable again.
 *
 * Usage: nospace DIR TEST		fills the whole filesystem of DIR
 *        nospace DIR verify		checks after a new mount the files that
 *					the tests "mapped" and "written" made
 */
#include "check.h"

#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096

static void stamp(uint64_t *page, uint64_t nr)
{
	unsigned int i;

	for (i = 0; i < PAGE / 8; i++)
		page[i] = nr * 0x9e3779b97f4a7c15ULL + i;
}

/* Append pages until there is no space. Return the number of pages. */
static unsigned long fill_by_write(const char *name)
{
	static uint64_t page[PAGE / 8];
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	unsigned long nr = 0;
	ssize_t n;

	CHECK(fd >= 0);
	for (;; nr++) {
		stamp(page, nr);
		n = write(fd, page, PAGE);
		if (n != PAGE)
			break;
	}
	CHECK(n == -1 && errno == ENOSPC);
	/*
	 * The space of the written pages is already reserved, so fsync() cannot
	 * fail.
	 */
	CHECK(!fsync(fd));
	SAME(fstat_of(fd).st_size, nr * PAGE);
	CHECK(!close(fd));
	return nr;
}

/*
 * Store to pages of a sparse file until a store ends in SIGBUS. Return the
 * number of pages.
 */
static unsigned long fill_by_mmap(const char *name)
{
	static volatile unsigned long nr;
	static uint64_t page[PAGE / 8];
	size_t size = (free_blocks() + 1000) * PAGE;
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	char *map;

	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, size));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	signal(SIGBUS, jump_back);
	nr = 0;
	if (!sigsetjmp(jump, 1)) {
		for (; nr < size / PAGE; nr++) {
			stamp(page, nr);
			memcpy(map + nr * PAGE, page, PAGE);
		}
		CHECK(!"SIGBUS when there is no space");
	}
	signal(SIGBUS, SIG_DFL);
	CHECK(!msync(map, size, MS_SYNC));
	CHECK(!fsync(fd));
	CHECK(!munmap(map, size) && !close(fd));
	CHECK(!truncate(name, nr * PAGE));
	return nr;
}

static void verify(const char *name)
{
	static uint64_t page[PAGE / 8], want[PAGE / 8];
	int fd = open(name, O_RDONLY);
	unsigned long nr, pages;

	CHECK(fd >= 0);
	pages = fstat_of(fd).st_size / PAGE;
	CHECK(pages > 100);
	for (nr = 0; nr < pages; nr++) {
		stamp(want, nr);
		SAME(read(fd, page, PAGE), PAGE);
		if (memcmp(page, want, PAGE))
			fprintf(stderr, "%s: page %lu of %lu: ", name, nr, pages);
		CHECK(!memcmp(page, want, PAGE));
	}
	CHECK(!close(fd));
}

static void refill(const char *name, unsigned long (*fill)(const char *))
{
	unsigned long long before, after;
	unsigned long nr, first = 0;
	int i;

	put_file("there", "x");
	before = free_blocks();
	for (i = 0; i < 3; i++) {
		nr = fill(name);
		printf("round %d: %lu pages of %llu free blocks\n", i, nr, before);
		/*
		 * Map nodes, the inode and a small reserve take the remaining
		 * blocks.
		 */
		CHECK(nr <= before && nr + 64 + before / 50 > before);
		CHECK(free_blocks() <= 64 + before / 50);
		if (!i)
			first = nr;
		CHECK(nr + 8 >= first && nr <= first + 8);
		verify(name);
		if (i == 2)
			break;
		CHECK(!unlink(name));
		after = free_blocks();
		SAME(after, before);
	}
}

static void files(void)
{
	unsigned long long before;
	unsigned int i, n;
	char name[32];
	int fd;

	CHECK(!mkdir("files", 0755) && !chdir("files"));
	before = free_blocks();
	for (n = 0;; n++) {
		snprintf(name, sizeof(name), "%u", n);
		fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
		if (fd < 0)
			break;
		CHECK(!close(fd));
	}
	CHECK(errno == ENOSPC);
	printf("%u files in %llu free blocks\n", n, before);
	CHECK(n > before * 8 / 10);
	CHECK(mkdir("d", 0755) && errno == ENOSPC);
	CHECK(symlink("0", "s") && errno == ENOSPC);
	/* Names can always be removed and renamed. */
	CHECK(!rename("0", "zero"));
	CHECK(!chmod("zero", 0600));
	CHECK(!unlink("zero"));
	for (i = 1; i < n; i++) {
		snprintf(name, sizeof(name), "%u", i);
		CHECK(!unlink(name));
	}
	CHECK(!chdir("..") && !rmdir("files"));
	CHECK(free_blocks() >= before);
}

int main(int argc, char **argv)
{
	if (argc != 3 || chdir(argv[1])) {
		fprintf(stderr, "usage: nospace DIR written|mapped|files|verify\n");
		return 2;
	}
	if (!strcmp(argv[2], "written")) {
		refill("written", fill_by_write);
	} else if (!strcmp(argv[2], "mapped")) {
		refill("mapped", fill_by_mmap);
	} else if (!strcmp(argv[2], "files")) {
		files();
	} else if (!strcmp(argv[2], "verify")) {
		verify(access("written", F_OK) ? "mapped" : "written");
	} else {
		fprintf(stderr, "nospace: no such test: %s\n", argv[2]);
		return 2;
	}
	return 0;
}
