// SPDX-License-Identifier: GPL-2.0
/*
 * This program reads data through a mapping. Another process writes the data
 * with write(2). Linux uses the same page cache for mappings and for write(2),
 * so the mapping shows the data at once. A portable program calls
 * msync(MS_INVALIDATE) before it reads.
 *
 * Usage: seen [FILE]
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 4096

static const char news[] = "gate changed to B22";

/* This function plays the other process. It uses its own descriptor. */
static void writer(const char *path)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		err(1, "%s", path);
	if (pwrite(fd, news, sizeof(news), 0) != sizeof(news))
		err(1, "%s: write", path);
	if (close(fd))
		err(1, "%s: close", path);
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "seen.data";
	int fd, status;
	char *page;
	pid_t pid;

	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		err(1, "%s", path);
	if (ftruncate(fd, SIZE))
		err(1, "%s: setting its size", path);
	page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		err(1, "%s: mmap", path);
	strcpy(page, "gate A4");
	printf("the mapping says \"%s\"\n", page);

	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		writer(path);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "the writer failed");

	if (msync(page, SIZE, MS_INVALIDATE))
		err(1, "%s: msync(MS_INVALIDATE)", path);
	if (strcmp(page, news))
		errx(1, "%s: \"%s\" is not what was written", path, page);
	printf("after write(2) elsewhere and MS_INVALIDATE: \"%s\"\n", page);

	if (close(fd) || munmap(page, SIZE))
		err(1, "%s: closing", path);
	return 0;
}
