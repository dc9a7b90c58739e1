// SPDX-License-Identifier: GPL-2.0
/* The file that most workloads write, map or read. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

char *map;
unsigned long end_of_file;

unsigned long size(void)
{
	return w->mib * MIB;
}

int new_file(const char *name, unsigned long bytes)
{
	static char data[MIB];
	int f = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	check(f >= 0, name);
	memset(data, 'x', sizeof(data));
	for (; bytes; bytes -= sizeof(data))
		check(write(f, data, sizeof(data)) == sizeof(data), name);
	check(!fsync(f), "fsync");
	return f;
}

void make_file(void)
{
	close(new_file("file", size()));
}

void open_file(void)
{
	struct stat st;

	fd = open("file", O_RDWR | O_CREAT, 0600);
	check(fd >= 0 && !fstat(fd, &st), "file");
	end_of_file = st.st_size;
}

static char *map_all(int f, unsigned long bytes)
{
	char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	volatile char *p;

	check(start != MAP_FAILED, "mmap");
	for (p = start; p < start + bytes; p += PAGE)
		(void)*p;
	return start;
}

char *map_of(const char *name, unsigned long bytes)
{
	int f = open(name, O_RDWR);
	char *start;

	check(f >= 0, name);
	start = map_all(f, bytes);
	close(f);
	return start;
}

void map_file(void)
{
	open_file();
	map = map_all(fd, size());
}

void raw_write(unsigned long nr)
{
	unsigned long bytes = w->pages * PAGE;

	check(pwrite(fd, buf, bytes, nr * bytes % (64 * MIB)) == (ssize_t)bytes, "write");
}
