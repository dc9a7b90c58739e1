// SPDX-License-Identifier: GPL-2.0
/* Reads, writes and read faults, with and without the file in memory. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define PIECE	(128 * 1024UL)

static char piece[PIECE];

static void drop_caches(void)
{
	int f = open("/proc/sys/vm/drop_caches", O_WRONLY);

	check(f >= 0 && write(f, "3", 1) == 1 && !close(f), "drop_caches");
}

static void sync_file(unsigned long nr)
{
	(void)nr;
	check(!fsync(fd) && !lseek(fd, 0, SEEK_SET), "fsync");
}

static void sync_and_drop(unsigned long nr)
{
	sync_file(nr);
	drop_caches();
}

static void read_all(unsigned long nr)
{
	unsigned long i;

	(void)nr;
	check(!lseek(fd, 0, SEEK_SET), "lseek");
	for (i = 0; i < size(); i += PIECE)
		check(read(fd, piece, PIECE) == PIECE, "read");
}

static void write_all(unsigned long nr)
{
	unsigned long i;

	(void)nr;
	for (i = 0; i < size(); i += PIECE)
		check(write(fd, piece, PIECE) == PIECE, "write");
}

static void write_and_sync(unsigned long nr)
{
	write_all(nr);
	check(!fsync(fd), "fsync");
}

static void empty_file(unsigned long nr)
{
	check(!ftruncate(fd, 0), "truncate");
	sync_file(nr);
}

/* All calls get different pages, in an order without a simple pattern. */
static unsigned long random_page(unsigned long nr)
{
	return nr * 7919 * PAGE % size();
}

static void read_random(unsigned long nr)
{
	check(pread(fd, buf, PAGE, random_page(nr)) == PAGE, "read");
}

static void write_random(unsigned long nr)
{
	check(pwrite(fd, buf, PAGE, random_page(nr)) == PAGE, "write");
}

static void map_again(unsigned long nr)
{
	if (nr)
		check(!munmap(map, size()), "munmap");
	map = mmap(NULL, size(), PROT_READ, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED, "mmap");
}

static void drop_and_map(unsigned long nr)
{
	if (nr)
		check(!munmap(map, size()), "munmap");
	drop_caches();
	map_again(0);
}

static void fault_all(unsigned long nr)
{
	volatile char *p;

	(void)nr;
	for (p = map; p < map + size(); p += PAGE)
		(void)*p;
}

static void open_hot(void)
{
	open_file();
	read_all(0);
}

static void open_direct(void)
{
	fd = open("file", O_RDWR | O_DIRECT);
	check(fd >= 0, "file");
}

#define FILE_64	.mib = 64, .make = make_file
#define ALL	FILE_64, .calls = 5, .per = 64
#define RANDOM	FILE_64, .calls = 1000, .mean = true
#define FAULTS	FILE_64, .calls = 5, .per = 64 * MIB / PAGE, .call = fault_all

const struct workload io_workloads[] = {
	{ "read", "sequential read", "MiB", 9, .ready = open_hot, .call = read_all, ALL },
	{ "read-cold", "sequential read; nothing cached", "MiB", 15,
	  .ready = open_file, .before = sync_and_drop, .call = read_all, ALL },
	{ "read-4k", "random read", "call", 7, .ready = open_hot, .call = read_random, RANDOM },
	{ "read-4k-cold", "random read; nothing cached", "call", 6,
	  .ready = open_file, .call = read_random, RANDOM },
	{ "fault", "first load from each page of a new mapping", "page", 6,
	  .ready = open_hot, .before = map_again, FAULTS },
	{ "fault-cold", "the same; nothing cached", "page", 15,
	  .ready = open_file, .before = drop_and_map, FAULTS },
	{ "write", "sequential write over a file", "MiB", 16,
	  .ready = open_hot, .before = sync_file, .call = write_all, ALL },
	{ "write-cold", "the same; nothing cached", "MiB", 16,
	  .ready = open_file, .before = sync_and_drop, .call = write_all, ALL },
	{ "write-4k", "random write over a file", "call", 8,
	  .ready = open_hot, .call = write_random, RANDOM },
	{ "write-4k-cold", "the same; nothing cached", "call", 5,
	  .ready = open_file, .call = write_random, RANDOM },
	{ "write-sync", "128 MiB new: write; fsync", "MiB", 18,
	  .mib = 128, .calls = 3, .per = 128, .ready = open_file,
	  .before = empty_file, .call = write_and_sync },
	{ "dio-read", "random read with O_DIRECT", "call", 5, .mib = 64, .calls = 301,
	  .make = make_file, .ready = open_direct, .call = read_random, .raw = read_random },
	{ "dio-write", "random write with O_DIRECT", "call", 5, .mib = 64, .calls = 301,
	  .make = make_file, .ready = open_direct, .call = write_random },
	{},
};
