// SPDX-License-Identifier: GPL-2.0
/*
 * This file has the threads "swaps" and "churn" of the workload in threads.c. They
 * change names and sync nothing, so their changes are in the records of other
 * threads.
 */
#include "explore.h"
#include "threads.h"

/* ---- swaps ---- */

#define SWAP_FILES 24	/* for each thread */

/*
 * A file keeps its number, but not its name: a thread exchanges the names of its
 * own files, in directories that all threads share.
 */
static void swap_name(char *name, unsigned int nr, unsigned int i, int moved)
{
	sprintf(name, "swap%u/%s%u.%u", i % 2, moved ? "moved" : "", nr, i);
}

/* Return the number in a file, SWAP_FILES if the file is empty. */
static unsigned int swap_number(const char *name)
{
	unsigned int number = UINT32_MAX;
	int fd = open(name, O_RDONLY);

	if (fd >= 0) {
		if (read(fd, &number, sizeof(number)) != sizeof(number))
			number = SWAP_FILES;
		CHECK(!close(fd));
	}
	return number;
}

/* Each file must have exactly one name, if the thread had made all files. */
unsigned long long swap_check(unsigned int nr, unsigned long long want)
{
	unsigned int seen[SWAP_FILES] = { }, number, i, moved, all = 0;
	char name[40];

	for (i = 0; i < SWAP_FILES; i++)
		for (moved = 0; moved < 2; moved++) {
			swap_name(name, nr, i, moved);
			number = swap_number(name);
			if (number == UINT32_MAX || (number == SWAP_FILES && !want))
				continue;
			if (number >= SWAP_FILES || seen[number]++)
				complain("swap: a second name of file", nr, number, 0);
			all++;
		}
	if (want && all != SWAP_FILES)
		complain("swap: files", nr, all, SWAP_FILES);
	return want;
}

/* Make the files that do not exist. The first step is done when all exist. */
static void swap_start(unsigned int nr)
{
	unsigned int i;
	char name[40], moved[40];
	int fd;

	CHECK(!mkdir("swap0", 0755) || errno == EEXIST);
	CHECK(!mkdir("swap1", 0755) || errno == EEXIST);
	for (i = 0; i < SWAP_FILES; i++) {
		swap_name(name, nr, i, 0);
		swap_name(moved, nr, i, 1);
		if (done[nr]) {
			CHECK(!rename(moved, name) || errno == ENOENT);
			continue;
		}
		CHECK(!unlink(moved) || errno == ENOENT);
		fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		CHECK(fd >= 0 && write(fd, &i, sizeof(i)) == sizeof(i));
		CHECK(!fsync(fd) && !close(fd));
	}
	sync_dir("swap0");
	sync_dir("swap1");
	ack_step(nr, done[nr] + 1);
}

void *swap_work(void *arg)
{
	unsigned int nr = (unsigned long)arg, i, k;
	struct choice ch = choice_of(nr + done[nr]);
	char a[40], b[40];

	swap_start(nr);
	for (; on(); usleep(500)) {
		i = choose(&ch, SWAP_FILES);
		k = choose(&ch, SWAP_FILES);
		swap_name(a, nr, i, 0);
		swap_name(b, nr, k, 0);
		if (i != k)
			CHECK(!renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE));
		swap_name(b, nr, i, 1);
		CHECK(!rename(a, b));
		CHECK(!rename(b, a));
	}
	return NULL;
}

/* ---- churn ---- */

static void churn_name(char *name, unsigned int nr, struct choice *ch)
{
	sprintf(name, "churn%u/%llu", nr % CHURNS, (unsigned long long)choose(ch, 40));
}

unsigned long long churn_check(unsigned int nr, unsigned long long want)
{
	(void)nr;	/* fsck checks what is left */
	return want;
}

void *churn_work(void *arg)
{
	unsigned int nr = (unsigned long)arg;
	struct choice ch = choice_of(nr + now_ns());
	char dir[16], a[32], b[32];
	int fd;

	sprintf(dir, "churn%u", nr % CHURNS);
	CHECK(!mkdir(dir, 0755) || errno == EEXIST);
	for (; on(); usleep(300)) {
		churn_name(a, nr, &ch);
		churn_name(b, nr + choose(&ch, 2), &ch);
		errno = 0;
		switch (choose(&ch, 8)) {
		case 0:
			mkdir(a, 0755);
			break;
		case 1:
			symlink(b, a);
			break;
		case 2:
			link(a, b);
			break;
		case 3:
			renameat2(AT_FDCWD, a, AT_FDCWD, b, choose(&ch, 4));
			break;
		case 4:
			rename(a, b);
			break;
		case 5:
			remove(a);
			break;
		case 6:
			truncate(a, choose(&ch, 5 * PAGE));
			break;
		default:
			fd = open(a, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
			if (fd >= 0) {
				CHECK(pwrite(fd, a, sizeof(a), choose(&ch, 3 * PAGE)) > 0 ||
				      errno == ENOSPC);
				CHECK(!close(fd));
			}
		}
		/* The names are random, so most errors are right. */
		CHECK(errno != EIO && errno != EROFS && errno != EUCLEAN);
	}
	return NULL;
}
