// SPDX-License-Identifier: GPL-2.0
/*
 * This program makes its stores durable and refreshes its mapping in one call.
 * msync(MS_SYNC | MS_INVALIDATE) makes the stores to the mapping durable and
 * removes stale pages from the mapping.
 *
 * Usage: refresh [FILE]
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 4096
#define HALF (SIZE / 2)

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "refresh.data";
	static const char theirs[] = "8 more ordered";
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

	strcpy(page, "stock 41 left");
	if (pwrite(fd, theirs, sizeof(theirs), HALF) != sizeof(theirs))
		err(1, "%s: write", path);
	if (msync(page, SIZE, MS_SYNC | MS_INVALIDATE))
		err(1, "%s: msync(MS_SYNC | MS_INVALIDATE)", path);
	if (strcmp(page, "stock 41 left") || strcmp(page + HALF, theirs))
		errx(1, "%s: the mapping shows something else", path);
	printf("stored \"%s\", now durable;\n", page);
	printf("write(2) put \"%s\" beside it, now in sight\n", page + HALF);

	if (close(fd) || munmap(page, SIZE))
		err(1, "%s: closing", path);
	return 0;
}
