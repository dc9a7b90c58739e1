// SPDX-License-Identifier: GPL-2.0
/*
 * Threads call msync without a pause while another program loads and unloads
 * the module that replaces the system call. The module must not make a call
 * fail or delay a call.
 *
 * Usage: hookstorm STOP DIR...
 *
 * Runs four threads for each DIR until the file STOP exists. Each thread has
 * its own file. All threads make the same calls: MS_SYNC of two pages,
 * MS_ASYNC, MS_INVALIDATE, and two calls that must fail.
 */
#include "check.h"

#include <pthread.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define PAGES 8
#define THREADS 4
#define STALL_MS 5000

struct worker {
	const char *dir;
	int nr;
	unsigned long calls;
	long longest_ms;
	pthread_t thread;
};

static const char *stop;

/*
 * Make one call. If @want is 0, the call must succeed. If @want is an errno,
 * the call must fail with this errno.
 */
static void call(struct worker *w, void *addr, size_t len, int flags, int want)
{
	double start = now();
	int got = msync(addr, len, flags) ? errno : 0;
	long ms = (now() - start) * 1e3;

	if (ms > w->longest_ms)
		w->longest_ms = ms;
	errno = 0;
	SAME(got, want);
	w->calls++;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	char name[256], *map;
	int fd;

	snprintf(name, sizeof(name), "%s/hookstorm%d", w->dir, w->nr);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, PAGES * PAGE));
	map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	while (access(stop, F_OK)) {
		map[0]++;
		map[5 * PAGE]++;
		call(w, map, PAGES * PAGE, MS_SYNC, 0);
		map[PAGE]++;
		call(w, map, PAGES * PAGE, MS_ASYNC, 0);
		call(w, map, PAGES * PAGE, MS_INVALIDATE, 0);
		call(w, map + 1, PAGE, MS_SYNC, EINVAL);
		call(w, map, PAGES * PAGE, MS_SYNC | MS_ASYNC, EINVAL);
	}
	SAME((unsigned char)map[PAGE], (unsigned char)map[0]);
	CHECK(!munmap(map, PAGES * PAGE));
	CHECK(!close(fd));
	return NULL;
}

int main(int argc, char **argv)
{
	struct worker w[16] = {};
	unsigned long calls = 0;
	long longest = 0;
	int i, nr;

	if (argc < 3 || argc > 2 + 16 / THREADS) {
		fprintf(stderr, "usage: %s STOP DIR...\n", argv[0]);
		return 2;
	}
	stop = argv[1];
	nr = (argc - 2) * THREADS;
	for (i = 0; i < nr; i++) {
		w[i].dir = argv[2 + i / THREADS];
		w[i].nr = i;
		CHECK(!pthread_create(&w[i].thread, NULL, work, &w[i]));
	}
	for (i = 0; i < nr; i++) {
		CHECK(!pthread_join(w[i].thread, NULL));
		calls += w[i].calls;
		if (w[i].longest_ms > longest)
			longest = w[i].longest_ms;
	}
	printf("%lu calls by %d threads, the longest %ld ms\n", calls, nr,
	       longest);
	CHECK(longest < STALL_MS);
	return 0;
}
