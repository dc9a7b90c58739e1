// SPDX-License-Identifier: GPL-2.0
/*
 * Several threads that call msync at the same time. Each thread has its own
 * part of a file, or its own file. It stores to one page of it and calls msync
 * for all of it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define THREADS	8UL
#define ROUNDS	100UL
#define PART	(8 * MIB)

static char *parts[THREADS];
static unsigned long rounds_done;

static const char *part_name(unsigned long i)
{
	static char name[32];

	snprintf(name, sizeof(name), "file%lu", i);
	return name;
}

static void make_own(void)
{
	unsigned long i;

	for (i = 0; i < THREADS; i++)
		close(new_file(part_name(i), PART));
}

static void ready_own(void)
{
	unsigned long i;

	for (i = 0; i < THREADS; i++)
		parts[i] = map_of(part_name(i), PART);
}

static void ready_one(void)
{
	unsigned long i;

	map_file();
	for (i = 0; i < THREADS; i++)
		parts[i] = map + i * PART;
}

static void *thread(void *part)
{
	unsigned long i, page;

	for (i = 0; i < ROUNDS; i++) {
		page = (rounds_done + i) * 7 % (PART / PAGE);
		((char *)part)[page * PAGE + 100]++;
		check(!msync(part, PART, MS_SYNC), "msync");
	}
	return NULL;
}

static void run_threads(unsigned long nr)
{
	pthread_t threads[THREADS];
	unsigned long i;

	(void)nr;
	for (i = 0; i < w->threads; i++)
		check(!pthread_create(&threads[i], NULL, thread, parts[i]), "thread");
	for (i = 0; i < w->threads; i++)
		check(!pthread_join(threads[i], NULL), "thread");
	rounds_done += ROUNDS;
}

#define OWN	.per = ROUNDS, .calls = 3, .make = make_own, .ready = ready_own, \
		.call = run_threads
#define ONE	.per = ROUNDS, .calls = 3, .mib = THREADS * PART / MIB, \
		.make = make_file, .ready = ready_one, .call = run_threads

const struct workload thread_workloads[] = {
	{ "own-1", "1 thread: store to a page of its file; msync", "call", 7,
	  .threads = 1, OWN },
	{ "own-2", "2 threads with a file each", "call", 10, .threads = 2, OWN },
	{ "own-4", "4 threads with a file each", "call", 12, .threads = 4, OWN },
	{ "own-8", "8 threads with a file each", "call", 17, .threads = 8, OWN },
	{ "one-1", "1 thread: store to a page of its part of a file; msync", "call", 6,
	  .threads = 1, ONE },
	{ "one-2", "2 threads with parts of a file", "call", 8, .threads = 2, ONE },
	{ "one-4", "4 threads with parts of a file", "call", 11, .threads = 4, ONE },
	{ "one-8", "8 threads with parts of a file", "call", 14, .threads = 8, ONE },
	{},
};
