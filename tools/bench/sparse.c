// SPDX-License-Identifier: GPL-2.0
/*
 * One dirty page in mappings of different sizes. The file is sparse. It has the
 * same number of blocks in each size, and they are evenly spread over the file.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define BLOCKS	256UL

static unsigned long offset_of(unsigned long nr)
{
	return nr * 7 % BLOCKS * (size() / BLOCKS);
}

static void make_sparse(void)
{
	unsigned long i;

	open_file();
	check(!ftruncate(fd, size()), "truncate");
	for (i = 0; i < BLOCKS; i++)
		check(pwrite(fd, buf, PAGE, offset_of(i)) == PAGE, "write");
	check(!fsync(fd), "fsync");
}

static void map_sparse(void)
{
	unsigned long i;

	open_file();
	map = mmap(NULL, size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED, "mmap");
	for (i = 0; i < BLOCKS; i++)
		(void)*(volatile char *)(map + offset_of(i));
}

static void dirty_one(unsigned long nr)
{
	map[offset_of(nr) + 100]++;
}

#define IN	.calls = 101, .make = make_sparse, .ready = map_sparse, \
		.before = dirty_one, .call = sync_map

const struct workload sparse_workloads[] = {
	{ "in-1m", "1 page of a mapping of 1 MiB", "call", 2, .mib = 1, IN },
	{ "in-1g", "1 page of a sparse mapping of 1 GiB", "call", 9,
	  .mib = 1024, .against = "in-1m", IN },
	{ "in-1t", "1 page of a sparse mapping of 1 TiB", "call", 9,
	  .mib = 1024 * 1024, .against = "in-1m", IN },
	{},
};
