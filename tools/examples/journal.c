// SPDX-License-Identifier: GPL-2.0
/*
 * This program makes a journal record durable before it reports the record.
 * When msync(MS_SYNC) returns 0, the record is durable.
 *
 * Usage: journal [FILE]
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 4096

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "journal.data";
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
	/* The mapping keeps the file open after close(). */
	if (close(fd))
		err(1, "%s: close", path);

	if (snprintf(page, SIZE, "order 17: three seats, row F, paid") < 0)
		err(1, "snprintf");
	if (msync(page, SIZE, MS_SYNC))
		err(1, "%s: msync(MS_SYNC)", path);
	printf("stored \"%s\",\n", page);
	printf("msync(MS_SYNC) returned 0: it is durable\n");

	if (munmap(page, SIZE))
		err(1, "%s: munmap", path);
	return 0;
}
