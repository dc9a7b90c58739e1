// SPDX-License-Identifier: GPL-2.0
/*
 * Call msync while the kernel moves pages of the same mapping to other memory.
 * Meanwhile the PTEs of a page are migration entries, which the capture must
 * neither change nor take for dirty PTEs.
 *
 * Usage: migrate FILE ROUNDS
 *
 * write(2) changes the even pages, so no PTE becomes dirty, and an msync must
 * not change mtime. The odd pages are clean. One thread moves them with
 * MADV_SOFT_OFFLINE, which takes a page of memory each time.
 */
#include "check.h"

#include <pthread.h>
#include <sys/mman.h>

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

#define PAGE	4096UL
#define PAGES	64UL

static volatile char *map;
static volatile int stop;
static unsigned long moved;

static void *mover(void *arg)
{
	unsigned long i;

	(void)arg;
	for (i = 1; !stop; i = (i + 2) % PAGES)
		moved += !madvise((void *)(map + i * PAGE), PAGE,
				  MADV_SOFT_OFFLINE);
	return NULL;
}

static int same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int main(int argc, char **argv)
{
	unsigned long rounds, n, i;
	struct timespec before;
	pthread_t thread;
	int fd;

	CHECK(argc == 3);
	rounds = strtoul(argv[2], NULL, 0);
	fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, PAGES * PAGE));
	map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (i = 0; i < PAGES; i++)
		map[i * PAGE] = 1;
	CHECK(!msync((void *)map, PAGES * PAGE, MS_SYNC));
	CHECK(!pthread_create(&thread, NULL, mover, NULL));
	for (n = 0; n < rounds; n++) {
		for (i = 0; i < PAGES; i += 2)
			CHECK(pwrite(fd, &n, 1, i * PAGE) == 1);
		before = fstat_of(fd).st_mtim;
		usleep(4000);	/* the clock of the times is coarse */
		CHECK(!msync((void *)map, PAGES * PAGE, MS_SYNC));
		CHECK(same_time(before, fstat_of(fd).st_mtim));
		for (i = 1; i < PAGES; i += 2)
			CHECK(map[i * PAGE] == 1);
	}
	stop = 1;
	CHECK(!pthread_join(thread, NULL));
	printf("%lu pages moved during %lu calls\n", moved, rounds);
	CHECK(moved > rounds / 10);
	return 0;
}
