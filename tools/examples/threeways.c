// SPDX-License-Identifier: GPL-2.0
/*
 * This program shows three ways to make a store durable. msync(MS_SYNC) takes
 * an address. fsync() and fdatasync() take a descriptor. fdatasync() need not
 * make the time stamps durable.
 *
 * Usage: threeways [FILE]
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 4096

static void store(char *page, int nr)
{
	if (snprintf(page, SIZE, "reading no. %d: 21.%d degrees", nr, nr) < 0)
		err(1, "snprintf");
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "threeways.data";
	char *page;
	int fd;

	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		err(1, "%s", path);
	if (ftruncate(fd, SIZE))
		err(1, "%s: setting its size", path);
	page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		err(1, "%s: mmap", path);

	store(page, 1);
	if (msync(page, SIZE, MS_SYNC))
		err(1, "%s: msync(MS_SYNC)", path);
	printf("1: stored, msync(MS_SYNC)\n");

	store(page, 2);
	if (msync(page, SIZE, MS_ASYNC) || fsync(fd))
		err(1, "%s: msync(MS_ASYNC) and fsync", path);
	printf("2: stored, msync(MS_ASYNC), fsync()\n");

	store(page, 3);
	if (msync(page, SIZE, MS_ASYNC) || fdatasync(fd))
		err(1, "%s: msync(MS_ASYNC) and fdatasync", path);
	printf("3: stored, msync(MS_ASYNC), fdatasync()\n");

	if (close(fd) || munmap(page, SIZE))
		err(1, "%s: closing", path);
	return 0;
}
