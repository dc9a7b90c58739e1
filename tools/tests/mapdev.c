// SPDX-License-Identifier: GPL-2.0
/*
 * Map a block device and keep all its pages in memory, until a signal ends the
 * program. The pages stay in the page cache of the device, in which a
 * filesystem on this device also reads metadata.
 *
 * Usage: mapdev DEVICE
 *
 * The program prints a line when all pages are mapped.
 */
#include "check.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/fs.h>

int main(int argc, char **argv)
{
	unsigned long long bytes;
	void *map;
	int fd;

	CHECK(argc == 2);
	fd = open(argv[1], O_RDONLY);
	CHECK(fd >= 0 && !ioctl(fd, BLKGETSIZE64, &bytes));
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	CHECK(map != MAP_FAILED && !mlock(map, bytes));
	puts("mapped");
	fflush(stdout);
	for (;;)
		pause();
}
