// SPDX-License-Identifier: GPL-2.0
/*
 * dirstress - fill one large directory, then empty it
 *
 * Usage: dirstress DIRECTORY [ENTRIES]
 *
 * Makes ENTRIES files (100,000 without an argument) in a new subdirectory of
 * DIRECTORY and looks all of them up. Lists the directory while another thread
 * removes every second file. Renames the remaining files and removes them.
 * Prints the cost of each 10,000 entries. Fails if the cost grows with the
 * number of entries, or if a call returns a wrong result.
 *
 * Exit status: 0 for success, 1 for a failure, 2 if the program could not run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define BATCH		10000
/*
 * The test fails if the last batch takes more than this many times as long as
 * the fastest batch.
 */
#define GROWTH		6.0

static int dirfd_;
static unsigned int entries = 100000;
static unsigned int failures;

/* Print an error. Print at most twenty errors. */
#define fail(...)							\
	do {								\
		if (__atomic_add_fetch(&failures, 1,			\
				       __ATOMIC_RELAXED) <= 20) {	\
			printf("dirstress: " __VA_ARGS__);		\
			printf("\n");					\
		}							\
	} while (0)

/*
 * Make names of different lengths. @kind is the first letter: old names and new
 * names have different first letters.
 */
static const char *name(char *buf, char kind, unsigned int i)
{
	sprintf(buf, "%c%06u%.*s", kind, i, (int)(i % 24),
		"-abcdefghijklmnopqrstuvw");
	return buf;
}

/*
 * Call @each for the entries @from, @from + @step, and so on. Report the time
 * of each batch.
 */
static void run(const char *what, unsigned int from, unsigned int step,
		void (*each)(unsigned int i))
{
	double start = now() * 1e3, best = 0, last = 0;
	unsigned int i, n = 0;

	printf("%-8s", what);
	for (i = from; i < entries; i += step) {
		each(i);
		if (++n % BATCH)
			continue;
		last = now() * 1e3 - start;
		printf(" %.0f", last);
		fflush(stdout);
		if (!best || last < best)
			best = last;
		start = now() * 1e3;
	}
	printf(" ms per %d\n", BATCH);
	/*
	 * A difference of a few milliseconds is noise, even if the last batch
	 * took many times as long as the fastest batch.
	 */
	if (n >= 4 * BATCH && last > best * GROWTH && last > 200)
		fail("%s: %.0f ms per %d at the end, %.0f at best", what, last,
		     BATCH, best);
}

static void create_one(unsigned int i)
{
	char buf[64];
	int fd = openat(dirfd_, name(buf, 'f', i), O_CREAT | O_EXCL | O_WRONLY,
			0600);

	if (fd < 0)
		fail("create %s: %s", buf, strerror(errno));
	else
		close(fd);
}

static void stat_one(unsigned int i)
{
	struct stat st;
	char buf[64];

	if (fstatat(dirfd_, name(buf, 'f', i), &st, 0))
		fail("stat %s: %s", buf, strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		fail("stat %s: mode %o, %lu links", buf, st.st_mode,
		     (unsigned long)st.st_nlink);
}

static void rename_one(unsigned int i)
{
	char from[64], to[64];

	if (renameat(dirfd_, name(from, 'f', i), dirfd_, name(to, 'r', i)))
		fail("rename %s: %s", from, strerror(errno));
}

static void unlink_one(unsigned int i)
{
	char buf[64];

	if (unlinkat(dirfd_, name(buf, 'r', i), 0))
		fail("unlink %s: %s", buf, strerror(errno));
}

/* Remove the files with even numbers. */
static void *remove_even(void *arg)
{
	unsigned int i;
	char buf[64];

	for (i = 0; i < entries; i += 2)
		if (unlinkat(dirfd_, name(buf, 'f', i), 0))
			fail("unlink %s: %s", buf, strerror(errno));
	return arg;
}

/*
 * List the directory. Each entry must be listed exactly once. If @even_may_miss
 * is set, entries with even numbers may be missing. @kind is the first letter
 * of the names.
 */
static void read_all(const char *what, char kind, bool even_may_miss)
{
	unsigned char *seen = calloc(entries, 1);
	double start = now() * 1e3;
	unsigned int i, n = 0;
	struct dirent *de;
	DIR *dir;

	dir = fdopendir(openat(dirfd_, ".", O_RDONLY | O_DIRECTORY));
	if (!dir || !seen) {
		perror("dirstress: opendir");
		exit(2);
	}
	while (errno = 0, (de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		i = strtoul(de->d_name + 1, NULL, 10);
		if (de->d_name[0] != kind || i >= entries) {
			fail("readdir: unexpected %s", de->d_name);
			continue;
		}
		if (de->d_type != DT_REG && de->d_type != DT_UNKNOWN)
			fail("readdir: %s has type %d", de->d_name, de->d_type);
		if (seen[i]++)
			fail("readdir: %s came twice", de->d_name);
		n++;
	}
	if (errno)
		fail("readdir: %s", strerror(errno));
	for (i = 0; i < entries; i++)
		if (!seen[i] && !(even_may_miss && i % 2 == 0))
			fail("readdir: number %u did not come", i);
	printf("%-8s %u entries, %.0f ms\n", what, n, now() * 1e3 - start);
	closedir(dir);
	free(seen);
}

static void list_while_removing(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, remove_even, NULL)) {
		fprintf(stderr, "dirstress: no thread\n");
		exit(2);
	}
	read_all("list-rm", 'f', true);
	read_all("list-rm", 'f', true);
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	char path[4096];

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: dirstress DIRECTORY [ENTRIES]\n");
		return 2;
	}
	if (argc == 3)
		entries = strtoul(argv[2], NULL, 0);
	if (!entries || entries > 999999) {
		fprintf(stderr, "dirstress: 1 to 999999 entries\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/dirstress.%d", argv[1], getpid());
	if (mkdir(path, 0700)) {
		fprintf(stderr, "dirstress: %s: %s\n", path, strerror(errno));
		return 2;
	}
	dirfd_ = open(path, O_RDONLY | O_DIRECTORY);
	if (dirfd_ < 0) {
		perror("dirstress: open");
		return 2;
	}

	run("create", 0, 1, create_one);
	run("stat", 0, 1, stat_one);
	read_all("list", 'f', false);
	if (rmdir(path) == 0 || errno != ENOTEMPTY)
		fail("rmdir of a full directory: %s", strerror(errno));
	list_while_removing();
	run("rename", 1, 2, rename_one);
	read_all("list", 'r', true);
	run("unlink", 1, 2, unlink_one);
	close(dirfd_);
	if (rmdir(path))
		fail("rmdir: %s", strerror(errno));

	if (failures) {
		printf("dirstress: %u failures\n", failures);
		return 1;
	}
	printf("dirstress: %u entries, all right\n", entries);
	return 0;
}
