/* SPDX-License-Identifier: GPL-2.0 */
/* The clock of the tests and benchmarks. */
#ifndef MSYNCFS_CLOCK_H
#define MSYNCFS_CLOCK_H

#include <time.h>

/* Return the time in nanoseconds since an arbitrary start. */
static inline unsigned long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000UL + t.tv_nsec;
}

/* Return the time in seconds since an arbitrary start. */
static inline double now(void)
{
	return now_ns() / 1e9;
}

/* Compare two times for qsort(). */
static inline int by_ns(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a;
	unsigned long y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

#endif /* MSYNCFS_CLOCK_H */
