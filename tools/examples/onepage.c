// SPDX-License-Identifier: GPL-2.0
/*
 * This program changes one page of a large mapping. The program passes only the
 * changed range to msync(), so msync() writes only this range.
 *
 * Usage: onepage [FILE]
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (16L << 20)
#define SPOT (9L << 20)

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "onepage.data";
	long page_size = sysconf(_SC_PAGESIZE);
	char *base;
	int fd;

	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		err(1, "%s", path);
	if (ftruncate(fd, SIZE))
		err(1, "%s: setting its size", path);
	base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		err(1, "%s: mmap", path);
	if (close(fd))
		err(1, "%s: close", path);

	/* SPOT is a multiple of the page size, as msync() requires. */
	strcpy(base + SPOT, "row 2304: updated");
	if (msync(base + SPOT, page_size, MS_SYNC))
		err(1, "%s: msync(MS_SYNC)", path);
	printf("stored into page %ld of %ld, synced %ld bytes of %ld\n",
	       SPOT / page_size, SIZE / page_size, page_size, SIZE);

	if (munmap(base, SIZE))
		err(1, "%s: munmap", path);
	return 0;
}
