// SPDX-License-Identifier: GPL-2.0
/* Workloads that store to a mapping and call msync. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

static char *tail;

char *page_of(unsigned long nr, unsigned long i)
{
	unsigned long span = w->span ? w->span : size() / PAGE;
	unsigned long step = span / w->pages;
	unsigned long place = i * step + nr * 7 % step;

	return map + place * (size() / span);
}

static void dirty(unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < w->pages; i++)
		page_of(nr, i)[100]++;
}

void sync_map(unsigned long nr)
{
	(void)nr;
	check(!msync(map, size(), MS_SYNC), "msync");
}

static void dirty_and_sync(unsigned long nr)
{
	dirty(nr);
	sync_map(nr);
}

/* Store to the same pages as dirty(), but first make all pages holes. */
static void dirty_new(unsigned long nr)
{
	check(!ftruncate(fd, 0) && !fsync(fd) && !ftruncate(fd, size()), "truncate");
	dirty(nr);
}

static void append(unsigned long nr)
{
	unsigned long bytes = w->pages * PAGE;

	if (nr)
		check(!munmap(tail, bytes), "munmap");
	check(!ftruncate(fd, end_of_file + bytes), "truncate");
	tail = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, end_of_file);
	check(tail != MAP_FAILED, "mmap");
	memset(tail, 'x', bytes);
	end_of_file += bytes;
}

static void sync_tail(unsigned long nr)
{
	(void)nr;
	check(!msync(tail, w->pages * PAGE, MS_SYNC), "msync");
}

#define OVERWRITE	.mib = 64, .make = make_file, .ready = map_file, \
			.before = dirty, .call = sync_map, .raw = raw_write
#define MANY		.mib = 256, .pages = 64, .mean = true, .make = make_file, \
			.ready = map_file, .call = dirty_and_sync
#define APPEND		.calls = 101, .ready = open_file, .before = append, \
			.call = sync_tail

const struct workload map_workloads[] = {
	{ "1", "1 page overwritten", "call", 9,
	  .pages = 1, .calls = 101, OVERWRITE },
	{ "8", "8 scattered pages overwritten", "call", 9,
	  .pages = 8, .calls = 101, OVERWRITE },
	{ "64", "64 scattered pages overwritten", "call", 16,
	  .pages = 64, .calls = 101, OVERWRITE },
	{ "512", "512 scattered pages overwritten", "call", 25,
	  .pages = 512, .calls = 31, OVERWRITE },
	{ "new", "64 of 65536 pages: stores and msync; checkpoints", "call", 118,
	  .calls = 2560, MANY },
	{ "hot", "64 of 256 pages: stores and msync; checkpoints", "call", 110,
	  .calls = 2560, .span = 256, MANY },
	{ "steady-1", "1 page overwritten 20000 times; checkpoints", "call", 100,
	  .pages = 1, .calls = 20000, .mean = true, .mib = 64, .make = make_file,
	  .ready = map_file, .before = dirty, .call = sync_map },
	{ "append-1", "1 page appended", "call", 3, .pages = 1, APPEND },
	{ "append-16", "16 pages appended", "call", 3, .pages = 16, APPEND },
	{ "dirty", "first store to a clean page", "page", 14,
	  .mib = 64, .pages = 64, .calls = 101, .per = 64, .make = make_file,
	  .ready = map_file, .before = sync_map, .call = dirty },
	{ "seq", "64 MiB overwritten", "call", 19,
	  .pages = 16384, .calls = 5, OVERWRITE },
	{ "seq-new", "64 MiB new", "call", 26,
	  .mib = 64, .pages = 16384, .calls = 5, .make = make_file,
	  .ready = map_file, .before = dirty_new, .call = sync_map },
	{},
};
