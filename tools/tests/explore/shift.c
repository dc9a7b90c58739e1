// SPDX-License-Identifier: GPL-2.0
/*
 * This file has the workload "shift". It writes pages of a file, cuts ranges out of the
 * file and inserts ranges. Each step is one record. So after a power failure the file must
 * be as after one of the steps, which is not before the last acknowledged step.
 */
#include "explore.h"

#include <fcntl.h>
#include <linux/falloc.h>

#define NAME	"film"
#define PAGES	1300		/* the map has up to three leaves */
#define STEPS	200

/**
 * struct world - the content of the file
 * @size: length in pages
 * @stamp: the step that has written the page; 0 means that it has zeros
 */
struct world {
	unsigned int	size;
	unsigned int	stamp[PAGES];
};

#define WRITE_MAX	20		/* pages of one write */

static char buf[WRITE_MAX * PAGE];

static void write_pages(struct world *w, int fd, unsigned int s, struct choice *c)
{
	unsigned int at = choose(c, w->size + 1), nr = 1 + choose(c, WRITE_MAX), i;

	nr = nr < PAGES - at ? nr : PAGES - at;
	for (i = 0; i < nr; i++) {
		cell_fill(buf + i * PAGE, s, 0);
		w->stamp[at + i] = s;
	}
	if (w->size < at + nr)
		w->size = at + nr;
	CHECK(fd < 0 || pwrite(fd, buf, nr * PAGE, at * PAGE) == (ssize_t)(nr * PAGE));
}

static void insert(struct world *w, int fd, unsigned int at, unsigned int nr)
{
	memmove(w->stamp + at + nr, w->stamp + at, (w->size - at) * sizeof(*w->stamp));
	memset(w->stamp + at, 0, nr * sizeof(*w->stamp));
	w->size += nr;
	CHECK(fd < 0 || !fallocate(fd, FALLOC_FL_INSERT_RANGE, at * PAGE, nr * PAGE));
}

static void collapse(struct world *w, int fd, unsigned int at, unsigned int nr)
{
	memmove(w->stamp + at, w->stamp + at + nr, (w->size - at - nr) * sizeof(*w->stamp));
	w->size -= nr;
	memset(w->stamp + w->size, 0, nr * sizeof(*w->stamp));
	CHECK(fd < 0 || !fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, at * PAGE, nr * PAGE));
}

/* Make step @s in @w and, if @fd is a file, in the file. */
static void step(struct world *w, unsigned int s, int fd)
{
	struct choice c = choice_of(s);
	unsigned int what = choose(&c, 3), at, nr;
	char text[24];

	if (!what || w->size < 2) {
		write_pages(w, fd, s, &c);
	} else {
		at = choose(&c, w->size - 1);
		nr = 1 + choose(&c, choose(&c, 3) ? 40 : 500);
		if (what == 1 && w->size + nr <= PAGES)
			insert(w, fd, at, nr);
		else
			collapse(w, fd, at, nr < w->size - at ? nr : 1);
	}
	/* The pages of a write are one record if nothing else syncs them. */
	if (fd < 0 || (what && choose(&c, 3)))
		return;
	CHECK(!fsync(fd));
	snprintf(text, sizeof(text), "%u", s);
	ack(text);
}

/**
 * shift_work - run the workload in the current directory
 */
void shift_work(void)
{
	static struct world w;
	int fd = open(NAME, O_RDWR | O_CREAT | O_EXCL, 0644);
	int dir = open(".", O_RDONLY);
	unsigned int s;

	CHECK(fd >= 0 && dir >= 0 && !fsync(fd) && !fsync(dir));
	ack("0");
	for (s = 1; s <= STEPS; s++)
		step(&w, s, fd);
	CHECK(!close(fd) && !close(dir));
}

/* Read the file into @got. */
static void read_world(struct world *got)
{
	static char page[PAGE], want[PAGE];
	int fd = open(NAME, O_RDONLY);
	unsigned int i, s;
	ssize_t n;

	CHECK(fd >= 0);
	for (i = 0; (n = read(fd, page, PAGE)) > 0; i++) {
		CHECK(n == (ssize_t)PAGE && i < PAGES);
		for (s = 0; s <= STEPS; s++) {
			memset(want, 0, PAGE);
			if (s)
				cell_fill(want, s, 0);
			if (!memcmp(page, want, PAGE))
				break;
		}
		got->stamp[i] = s;
	}
	CHECK(!n && !close(fd));
	got->size = i;
}

/**
 * shift_check - check the file in the current directory
 * @acked: text of the last acknowledgment, the number of a step
 */
void shift_check(const char *acked)
{
	unsigned int first = strtoul(acked, NULL, 10), s;
	static struct world w, got;

	read_world(&got);
	for (s = 0; s <= STEPS; s++) {
		if (s)
			step(&w, s, -1);
		if (s >= first && !memcmp(&w, &got, sizeof(w)))
			return;
	}
	fprintf(stderr, "the file is that of no step from %u on\n", first);
	exit(1);
}
