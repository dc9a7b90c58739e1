// SPDX-License-Identifier: GPL-2.0
/*
 * This program changes and reads one file in a long random sequence, in all
 * possible ways. It makes the same changes in a buffer, the model, and compares
 * each read with the model.
 *
 * Usage: fswalk DIR [TEST]
 */
#include "check.h"

#include <linux/falloc.h>
#include <stdbool.h>
#include <sys/mman.h>

#define PAGE	4096
#define MODEL	(160 * PAGE)

static unsigned char model[MODEL];
static char step_text[128];

/* The file, its model, and the range of the current step. */
static struct walk {
	int fd;
	int dfd;		/* for O_DIRECT; negative if unsupported */
	unsigned char *map;
	off_t size;
	off_t at, end;
	size_t n;
	int fill;
} w;

static void compare(const unsigned char *have, off_t at, size_t n, const char *how)
{
	size_t i;

	if (!memcmp(have, model + at, n))
		return;
	for (i = 0; have[i] == model[at + i]; i++)
		;
	fprintf(stderr, "after %s: byte %lld by %s is %#x, not %#x\n",
		step_text, (long long)(at + i), how, have[i], model[at + i]);
	exit(1);
}

/* Drop the cache, so that the next read comes from the disk. */
static void drop(void)
{
	CHECK(!fsync(w.fd));
	CHECK(!posix_fadvise(w.fd, 0, 0, POSIX_FADV_DONTNEED));
}

/* Extend the model: the file now reaches at least to the end of the range. */
static void extended(void)
{
	if (w.end > w.size)
		w.size = w.end;
}

static off_t end_within(void)
{
	return w.end < w.size ? w.end : w.size;
}

static void write_to(int fd)
{
	static char buf[MODEL] __attribute__((aligned(PAGE)));

	memset(buf, w.fill, w.n);
	SAME(pwrite(fd, buf, w.n, w.at), w.n);
	memset(model + w.at, w.fill, w.n);
	extended();
}

static void step_write(void)
{
	write_to(w.fd);
}

static void step_write_direct(void)
{
	write_to(w.dfd < 0 ? w.fd : w.dfd);
}

static void read_from(int fd, const char *how)
{
	static unsigned char buf[MODEL] __attribute__((aligned(PAGE)));
	ssize_t n;

	if (w.at >= w.size)
		return;
	n = pread(fd, buf, w.n, w.at);
	SAME(n, end_within() - w.at);
	compare(buf, w.at, n, how);
}

static void step_read(void)
{
	read_from(w.fd, "read");
}

static void step_read_direct(void)
{
	if (w.dfd < 0)
		read_from(w.fd, "read");
	else
		read_from(w.dfd, "a direct read");
}

static void step_store(void)
{
	if (w.at >= w.size)
		return;
	memset(w.map + w.at, w.fill, end_within() - w.at);
	memset(model + w.at, w.fill, end_within() - w.at);
}

static void step_load(void)
{
	if (w.at < w.size)
		compare(w.map + w.at, w.at, end_within() - w.at, "the mapping");
}

static void step_truncate(void)
{
	CHECK(!ftruncate(w.fd, w.at));
	if (w.at < w.size)
		memset(model + w.at, 0, w.size - w.at);
	w.size = w.at;
}

static void step_punch(void)
{
	CHECK(!fallocate(w.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, w.at,
			 w.n));
	memset(model + w.at, 0, w.n);
}

static void step_zero(void)
{
	CHECK(!fallocate(w.fd, FALLOC_FL_ZERO_RANGE, w.at, w.n));
	memset(model + w.at, 0, w.n);
	extended();
}

static void step_allocate(void)
{
	CHECK(!fallocate(w.fd, 0, w.at, w.n));
	extended();
}

static void step_msync(void)
{
	CHECK(!msync(w.map + (w.at & ~(PAGE - 1L)), w.n, MS_SYNC));
}

/* Copy the range to another part of the same file. The parts do not overlap. */
static void step_copy(void)
{
	off_t at = w.at, to = (at + MODEL / 2) % MODEL;
	size_t n = w.n > MODEL / 4 ? MODEL / 4 : w.n;

	if (at + (off_t)n > w.size || to + n > MODEL ||
	    llabs(to - at) < (off_t)n)
		return;
	SAME(copy_file_range(w.fd, &at, w.fd, &to, n, 0), n);
	memmove(model + to - n, model + at - n, n);
	if (to > w.size)
		w.size = to;
}

static void step_sync(void)
{
	CHECK(!(below(2) ? fsync(w.fd) : fdatasync(w.fd)));
}

/* A step with several entries is chosen more often. */
static void (* const steps[])(void) = {
	step_write, step_write_direct, step_read, step_read_direct,
	step_store, step_store, step_store, step_load, step_truncate,
	step_punch, step_zero, step_allocate, step_msync, drop, step_copy,
	step_sync,
};

/* Choose a range. If @pages is set, the range consists of whole pages. */
static void choose_range(bool pages)
{
	w.at = below(MODEL);
	w.n = 1 + below(below(2) ? 3 * PAGE : 20 * PAGE);
	if (pages) {
		w.at &= ~(PAGE - 1L);
		w.n = (w.n + PAGE - 1) & ~(PAGE - 1L);
	}
	if (w.at + (off_t)w.n > MODEL)
		w.n = MODEL - w.at;
	w.end = w.at + w.n;
}

static void compare_all(const char *how)
{
	static unsigned char got[MODEL];

	SAME(fstat_of(w.fd).st_size, w.size);
	SAME(pread(w.fd, got, MODEL, 0), w.size);
	compare(got, 0, w.size, how);
}

static void walk(unsigned long seed, int nr)
{
	unsigned int op;
	char name[32];
	int i;

	rnd = seed * 0x9e3779b97f4a7c15UL + 1;
	memset(model, 0, sizeof(model));
	snprintf(name, sizeof(name), "walk%lu", seed);
	w = (struct walk){ .fd = make_file(name, NULL) };
	w.dfd = open(name, O_RDWR | O_DIRECT);
	w.map = mmap(NULL, MODEL, PROT_READ | PROT_WRITE, MAP_SHARED, w.fd, 0);
	CHECK(w.map != MAP_FAILED);
	for (i = 0; i < nr; i++) {
		op = below(ARRAY_SIZE(steps));
		choose_range(steps[op] == step_write_direct ||
			     steps[op] == step_read_direct);
		w.fill = 1 + i % 255;
		snprintf(step_text, sizeof(step_text),
			 "seed %lu step %d: op %u at %lld, %zu bytes, size %lld",
			 seed, i, op, (long long)w.at, w.n, (long long)w.size);
		steps[op]();
		SAME(fstat_of(w.fd).st_size, w.size);
		if (i % 16 == 0)
			compare_all("reading all of it");
	}
	drop();
	snprintf(step_text, sizeof(step_text), "seed %lu, all steps", seed);
	compare_all("reading it from the disk");
	CHECK(!munmap(w.map, MODEL) && !close(w.fd));
	if (w.dfd >= 0)
		CHECK(!close(w.dfd));
}

static void test_walk(void)
{
	unsigned long seed;

	for (seed = 1; seed <= 4; seed++)
		walk(seed, 1500);
}

static const struct test tests[] = {
	{ "walk", test_walk },
	{ }
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
