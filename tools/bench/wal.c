// SPDX-License-Identifier: GPL-2.0
/* A write-ahead log. */
#include <unistd.h>

#include "bench.h"

static void wal(unsigned long offset)
{
	check(pwrite(fd, buf, PAGE, offset) == PAGE, "write");
	check(!fdatasync(fd), "fdatasync");
}

static void wal_append(unsigned long nr)
{
	(void)nr;
	wal(end_of_file);
	end_of_file += PAGE;
}

static void wal_overwrite(unsigned long nr)
{
	wal(nr * PAGE);
}

const struct workload wal_workloads[] = {
	{ "wal-append", "log: append 4 KiB; fdatasync", "call", 2,
	  .calls = 101, .ready = open_file, .call = wal_append },
	{ "wal-over", "log: overwrite 4 KiB; fdatasync", "call", 3,
	  .mib = 16, .pages = 1, .calls = 101, .make = make_file,
	  .ready = open_file, .call = wal_overwrite, .raw = raw_write },
	{},
};
