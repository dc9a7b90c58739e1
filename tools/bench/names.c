// SPDX-License-Identifier: GPL-2.0
/* Workloads with many files. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define FILES	1000UL

static const char *name_of(const char *prefix, unsigned long nr)
{
	static char name[2][32];
	static int turn;

	turn = !turn;
	snprintf(name[turn], sizeof(name[turn]), "%s%lu", prefix, nr);
	return name[turn];
}

static void create(unsigned long nr)
{
	int f = open(name_of("f", nr), O_RDWR | O_CREAT | O_EXCL, 0600);

	check(f >= 0 && !close(f), "create");
}

static void create_synced(unsigned long nr)
{
	int f = open(name_of("f", nr), O_RDWR | O_CREAT | O_EXCL, 0600);

	check(f >= 0 && write(f, buf, PAGE) == PAGE && !fsync(f) && !close(f),
	      "create");
}

static void stat_one(unsigned long nr)
{
	struct stat st;

	check(!stat(name_of("f", nr), &st), "stat");
}

static void rename_one(unsigned long nr)
{
	check(!rename(name_of("f", nr), name_of("renamed", nr)), "rename");
}

static void unlink_one(unsigned long nr)
{
	check(!unlink(name_of("f", nr)), "unlink");
}

/* Make files with data. Each call gets files with other names. */
static void make_new(unsigned long nr)
{
	unsigned long i;
	int f;

	for (i = nr * FILES; i < (nr + 1) * FILES; i++) {
		f = open(name_of("f", i), O_RDWR | O_CREAT | O_EXCL, 0600);
		check(f >= 0 && write(f, buf, PAGE) == PAGE && !close(f), "create");
	}
}

static void sync_new(unsigned long nr)
{
	(void)nr;
	sync();
}

static void make_files(void)
{
	unsigned long i;

	for (i = 0; i < FILES; i++)
		create(i);
	sync();
}

static void stat_files(void)
{
	unsigned long i;

	for (i = 0; i < FILES; i++)
		stat_one(i);
}

const struct workload name_workloads[] = {
	{ "create-sync", "create; write 4 KiB; fsync", "file", 2,
	  .calls = 101, .call = create_synced },
	{ "create", "create 1000 empty files", "file", 4,
	  .calls = FILES, .mean = true, .call = create },
	{ "stat", "stat 1000 files; nothing cached", "file", 3,
	  .calls = FILES, .mean = true, .make = make_files, .call = stat_one },
	{ "rename", "rename 1000 files", "file", 5,
	  .calls = FILES, .mean = true, .make = make_files,
	  .ready = stat_files, .call = rename_one },
	{ "unlink", "unlink 1000 files", "file", 5,
	  .calls = FILES, .mean = true, .make = make_files,
	  .ready = stat_files, .call = unlink_one },
	{ "sync-new", "sync of 1000 new files of 4 KiB", "file", 14,
	  .calls = 5, .per = FILES, .before = make_new, .call = sync_new },
	{},
};
