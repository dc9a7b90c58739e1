// SPDX-License-Identifier: GPL-2.0
/*
 * This program writes a line of a log. msync(MS_ASYNC) does not wait for the
 * disk, and the line reaches the disk some time later. After fsync() the line
 * is durable.
 *
 * Usage: logline [FILE]
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 4096

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "logline.data";
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

	if (snprintf(page, SIZE, "worker %d is up", getpid()) < 0)
		err(1, "snprintf");
	if (msync(page, SIZE, MS_ASYNC))
		err(1, "%s: msync(MS_ASYNC)", path);
	printf("stored \"%s\"; MS_ASYNC: nothing promised yet\n", page);

	/* fsync() may use any descriptor of the file. */
	if (fsync(fd))
		err(1, "%s: fsync", path);
	printf("fsync() returned 0: now it is durable\n");

	if (close(fd) || munmap(page, SIZE))
		err(1, "%s: closing", path);
	return 0;
}
