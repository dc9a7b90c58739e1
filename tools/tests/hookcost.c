// SPDX-License-Identifier: GPL-2.0
/*
 * This program measures the cost of one msync on a file of another filesystem.
 * The unit is nanoseconds of a clock that counts instructions. The caller
 * compares the cost with and without the hook.
 *
 * Usage: hookcost DIR
 *
 * Prints lines "ROW NS RESULT". NS is the least cost of many calls, and RESULT
 * is the result of all these calls. Work in the background makes some calls
 * slower, on ext4 perhaps most calls. Such work makes no call faster, so the
 * least cost does not include such work.
 */
#include "check.h"

#include <limits.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define PAGES 512
#define CALLS 101

/* A row describes the stores before each call, and the measured call. */
static const struct row {
	const char *name;
	unsigned int dirty;	/* number of scattered pages to store to */
	size_t start, len;	/* in pages; a hole follows the mapping */
	int flags;
} rows[] = {
	{ "sync-1",		1, 0, PAGES, MS_SYNC },
	{ "sync-64",		64, 0, PAGES, MS_SYNC },
	{ "sync-clean",		0, 0, PAGES, MS_SYNC },
	{ "sync-hole",		1, 0, PAGES + 1, MS_SYNC },
	{ "async",		1, 0, PAGES, MS_ASYNC },
	{ "invalidate",		1, 0, PAGES, MS_INVALIDATE },
	{ "sync-invalidate",	1, 0, PAGES, MS_SYNC | MS_INVALIDATE },
	{ "no-flags",		1, 0, PAGES, 0 },
	{ "nothing",		1, 0, 0, MS_SYNC },
	{ "unmapped",		0, PAGES, 1, MS_SYNC },
	{ "both",		0, 0, PAGES, MS_SYNC | MS_ASYNC },
	{}
};

static void measure(char *map, const struct row *row)
{
	unsigned long ns, least = ULONG_MAX;
	int result = 0, got;
	unsigned int i, n;

	for (n = 0; n < CALLS; n++) {
		for (i = 0; i < row->dirty; i++)
			map[i * (PAGES / 64) * PAGE]++;
		ns = now_ns();
		got = msync(map + row->start * PAGE, row->len * PAGE,
			    row->flags) ? errno : 0;
		ns = now_ns() - ns;
		if (ns < least)
			least = ns;
		errno = 0;
		if (n)
			SAME(got, result);
		result = got;
	}
	printf("%s %lu %s\n", row->name, least,
	       result ? strerrorname_np(result) : "0");
}

int main(int argc, char **argv)
{
	const struct row *row;
	char name[256], *map;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 2;
	}
	snprintf(name, sizeof(name), "%s/hookcost", argv[1]);
	fd = open(name, O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, PAGES * PAGE));
	map = mmap(NULL, (PAGES + 1) * PAGE, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(map != MAP_FAILED);
	CHECK(!munmap(map + PAGES * PAGE, PAGE));
	CHECK(mmap(map, PAGES * PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, fd, 0) == map);
	memset(map, 1, PAGES * PAGE);
	CHECK(!msync(map, PAGES * PAGE, MS_SYNC));
	for (row = rows; row->name; row++)
		measure(map, row);
	return 0;
}
