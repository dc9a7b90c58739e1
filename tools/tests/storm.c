// SPDX-License-Identifier: GPL-2.0
/*
 * One thread calls msync for a given number of dirty pages. At the same time,
 * other threads store to the file without a pause. This program only produces
 * the load. The trace events of the filesystem show how long each store waited
 * for the thaw. The caller reads these events.
 *
 * Usage: storm FILE PAGES CALLS [THREADS]
 *
 * The other threads store to 64 of the pages that msync captures, so nearly
 * each store meets a page that was write-protected.
 */
#include "check.h"

#include <pthread.h>
#include <sys/mman.h>

#define PAGE 4096UL

static unsigned long pages;
static volatile int stop;
static unsigned long stores;
static char *map;

static void *storer(void *arg)
{
	unsigned long n = (unsigned long)arg, step = pages / 64 ? pages / 64 : 1;

	for (; !stop; n++) {
		((volatile char *)map)[n % 64 * step % pages * PAGE + 8]++;
		__atomic_fetch_add(&stores, 1, __ATOMIC_RELAXED);
		/*
		 * On a machine with one processor, let the other threads run.
		 */
		if (!(n % 16))
			usleep(200);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long calls, threads, i, c;
	pthread_t t[16];
	int fd;

	if (argc < 4)
		return 2;
	pages = strtoul(argv[2], NULL, 0);
	calls = strtoul(argv[3], NULL, 0);
	threads = argc > 4 ? strtoul(argv[4], NULL, 0) : 3;
	CHECK(pages && threads <= 16);
	fd = open(argv[1], O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, pages * PAGE));
	map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (i = 0; i < pages; i++)
		map[i * PAGE] = 1;
	CHECK(!msync(map, pages * PAGE, MS_SYNC));
	for (i = 0; i < threads; i++)
		CHECK(!pthread_create(&t[i], NULL, storer, (void *)(i * 7)));
	for (c = 0; c < calls; c++) {
		for (i = 0; i < pages; i++)
			map[i * PAGE]++;
		CHECK(!msync(map, pages * PAGE, MS_SYNC));
	}
	stop = 1;
	for (i = 0; i < threads; i++)
		CHECK(!pthread_join(t[i], NULL));
	printf("%lu calls, %lu stores\n", calls, stores);
	return 0;
}
