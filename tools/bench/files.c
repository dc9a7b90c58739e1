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

void map_file(void)
{
	volatile char *p;

	open_file();
	map = mmap(NULL, size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED, "mmap");
	for (p = map; p < map + size(); p += PAGE)
		(void)*p;
}

void raw_write(unsigned long nr)
{
	unsigned long bytes = w->pages * PAGE;

	check(pwrite(fd, buf, bytes, nr * bytes % (64 * MIB)) == (ssize_t)bytes, "write");
}
