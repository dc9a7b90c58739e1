// SPDX-License-Identifier: GPL-2.0
/*
 * This program measures msync(MS_SYNC) of one thread. The file has no holes.
 *
 * Usage: path prepare FILE		makes FILE of 64 MiB
 *        path time FILE PAGES CALLS	prints the median time of a call
 *					with PAGES scattered dirty pages, in ns
 *        path once FILE SWITCH		makes one call with one dirty page;
 *					SWITCH is a file of tracefs that gets 1
 *					before the call and 0 after it
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"

#define PAGE 4096UL
#define PAGES 16384UL
#define SIZE (PAGES * PAGE)

static const char *path;
static char *map;
static int fd;

static void open_file(int flags)
{
	fd = open(path, O_RDWR | flags, 0600);
	if (fd < 0)
		err(1, "%s", path);
}

static void prepare(void)
{
	static char buf[1 << 20];
	unsigned long done;

	open_file(O_CREAT | O_TRUNC);
	memset(buf, 'x', sizeof(buf));
	for (done = 0; done < SIZE; done += sizeof(buf))
		if (write(fd, buf, sizeof(buf)) != (ssize_t)sizeof(buf))
			err(1, "%s: write", path);
	if (fsync(fd))
		err(1, "%s: fsync", path);
}

static void map_file(void)
{
	open_file(0);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err(1, "%s: mmap", path);
}

/*
 * Store to @nr pages that are evenly spread. Each @round stores to other pages.
 */
static void dirty(unsigned long nr, unsigned long round)
{
	unsigned long step = PAGES / nr, i;

	for (i = 0; i < nr; i++)
		map[(i * step + round * 7 % step) * PAGE + 100]++;
}

static void call(void)
{
	if (msync(map, SIZE, MS_SYNC))
		err(1, "%s: msync", path);
}

static void measure(unsigned long nr, unsigned long calls)
{
	unsigned long *ns = calloc(calls, sizeof(*ns)), i;

	if (!ns)
		err(1, "no memory");
	map_file();
	for (i = 0; i < calls; i++) {
		dirty(nr, i);
		ns[i] = now_ns();
		call();
		ns[i] = now_ns() - ns[i];
	}
	qsort(ns, calls, sizeof(*ns), by_ns);
	printf("%lu\n", ns[calls / 2]);
	free(ns);
}

static void flip(int tracing, const char *value)
{
	if (write(tracing, value, 1) != 1)
		err(1, "tracing");
}

static void once(const char *name)
{
	int tracing = open(name, O_WRONLY);

	if (tracing < 0)
		err(1, "%s", name);
	map_file();
	/* The first call must load the caches, so it is not measured. */
	dirty(1, 0);
	call();
	dirty(1, 1);
	flip(tracing, "1");
	call();
	flip(tracing, "0");
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: path prepare|time|once FILE ...");
	path = argv[2];
	if (!strcmp(argv[1], "prepare"))
		prepare();
	else if (!strcmp(argv[1], "time") && argc == 5)
		measure(strtoul(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
	else if (!strcmp(argv[1], "once") && argc == 4)
		once(argv[3]);
	else
		errx(2, "usage: path prepare|time|once FILE ...");
	return 0;
}
