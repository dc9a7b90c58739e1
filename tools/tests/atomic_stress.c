// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests atomic files on a full filesystem, compares random
 * operations with a model, and runs many threads at the same time.
 *
 * Usage: atomic_stress MNT DOOR TEST, see atomic.h. The environment also has:
 *
 *	SEED, ROUNDS	for the test "random"
 */
#include "atomic.h"

#include <linux/falloc.h>
#include <pthread.h>

/* ---- no space ----------------------------------------------------------- */

#define LARGE	2500UL		/* pages; more than SPARE or a record */
#define SPARE	1500ULL		/* blocks; fill_up() leaves them free */

/*
 * Store to pages until there is no space. Return the number of pages that were
 * stored to.
 */
static unsigned long store_until_full(char *map, uint64_t gen)
{
	static volatile unsigned long nr;

	signal(SIGBUS, jump_back);
	nr = 0;
	if (!sigsetjmp(jump, 1)) {
		for (; nr < LARGE; nr++)
			put_page_gen(map + nr * PAGE, gen);
		CHECK(!"SIGBUS when there is no space");
	}
	signal(SIGBUS, SIG_DFL);
	return nr;
}

static void fill_up(void)
{
	int fd = open_file("filler", O_CREAT);
	char *buf = calloc(64, PAGE);

	CHECK(buf);
	while (space() > SPARE)
		SAME(write(fd, buf, 64 * PAGE), 64 * PAGE);
	CHECK(!fsync(fd) && !close(fd));
	settle();
	free(buf);
}

static unsigned long run_out(int fd, char *map, uint64_t gen)
{
	unsigned long nr = store_until_full(map, gen);

	if (nr < SPARE / 2 || nr > SPARE)
		fprintf(stderr, "%lu pages stored: ", nr);
	CHECK(nr >= SPARE / 2 && nr <= SPARE);
	FAILS(pwrite(fd, "x", 1, (LARGE - 1) * PAGE), ENOSPC);
	FAILS(ftruncate(fd, (LARGE - 2) * PAGE + 100), ENOSPC);
	SAME(fstat_of(fd).st_size, LARGE * PAGE);
	/*
	 * A dirty page already has a reservation, so another write to it needs
	 * no space.
	 */
	put_page_gen(map, gen);
	SAME(pwrite(fd, &gen, sizeof(gen), 0), sizeof(gen));
	return nr;
}

/* If there is no space, the store must fail. The commit must not fail. */
static void test_nospace(void)
{
	int fd = atomic_file("f", LARGE);
	unsigned long long before;
	char *map = map_file(fd, LARGE);
	unsigned long nr;

	fill_up();
	before = space();
	nr = run_out(fd, map, 2);
	disk_has("f", "no space", LARGE, 1);
	CHECK(!rollback(fd));
	expect(map, LARGE, 1, "no space, rolled back");
	SAME(space(), before);

	nr = run_out(fd, map, 3);
	spill(fd);
	drop_caches();
	FAILS(pwrite(fd, "x", 1, (LARGE - 1) * PAGE), ENOSPC);
	CHECK(!call(map, PAGE, MS_SYNC));
	found_part(look(), "f", "no space, spilled", LARGE, nr, 3);
	look_away();

	nr = run_out(fd, map, 4);
	CHECK(!call(map, PAGE, MS_SYNC));
	found_part(look(), "f", "no space", LARGE, nr, 4);
	look_away();
	unmap(map, LARGE);
	CHECK(!close(fd));
}

/* ---- random operations --------------------------------------------------- */

#define R_SIZE	(24 * PAGE)

static struct {
	char now[R_SIZE], then[R_SIZE];		/* zeros from the size on */
	off_t size, then_size;
	char *map;
	int fd;
	unsigned int op, nr;
} r;

static void r_open(void)
{
	r.fd = open_file("f", 0);
	r.map = map_file(r.fd, R_SIZE / PAGE);
}

static void r_close(void)
{
	unmap(r.map, R_SIZE / PAGE);
	CHECK(!close(r.fd));
	memcpy(r.now, r.then, R_SIZE);
	r.size = r.then_size;
}

static void r_same(const char *dir, const char *where, const char *want,
		   off_t want_size)
{
	off_t size, at;
	char *buf = read_all(dir, "f", &size);

	for (at = 0; at < size && at < want_size && buf[at] == want[at]; at++)
		;
	if (size != want_size || at < size) {
		fprintf(stderr, "round %u, after operation %u, in %s: ", r.nr,
			r.op, where);
		fprintf(stderr, "size %ld, not %ld; byte %ld is %d, not %d\n",
			size, want_size, at, buf[at], want[at]);
		exit(1);
	}
	free(buf);
}

static void r_resize(off_t size)
{
	if (size < r.size)
		memset(r.now + size, 0, r.size - size);
	r.size = size;
}

static void r_store(off_t at, size_t len, int c)
{
	if (at >= r.size)
		return;
	if (at + (off_t)len > r.size)
		len = r.size - at;
	memset(r.map + at, c, len);
	memset(r.now + at, c, len);
}

static void r_write(off_t at, size_t len, int c)
{
	static char buf[R_SIZE];

	memset(buf, c, len);
	SAME(pwrite(r.fd, buf, len, at), len);
	memset(r.now + at, c, len);
	if (r.size < at + (off_t)len)
		r.size = at + len;
}

static void r_zero(off_t at, size_t len)
{
	int keep = below(2) ? FALLOC_FL_KEEP_SIZE : 0;
	int how = below(2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE :
			     FALLOC_FL_ZERO_RANGE | keep;

	CHECK(!fallocate(r.fd, how, at, len));
	memset(r.now + at, 0, len);
	if (!(how & FALLOC_FL_KEEP_SIZE) && r.size < at + (off_t)len)
		r.size = at + len;
}

static void r_commit(void)
{
	switch (below(3)) {
	case 0:
		CHECK(!call(r.map + below(24) * PAGE, PAGE, MS_SYNC));
		break;
	case 1:
		CHECK(!fsync(r.fd));
		break;
	case 2:
		CHECK(!fdatasync(r.fd));
	}
	memcpy(r.then, r.now, R_SIZE);
	r.then_size = r.size;
}

static void r_rollback(void)
{
	CHECK(!rollback(r.fd));
	memcpy(r.now, r.then, R_SIZE);
	r.size = r.then_size;
}

static void r_step(void)
{
	off_t at = below(R_SIZE);
	size_t len = 1 + below(below(2) ? 2 * PAGE : R_SIZE);
	int c = 1 + below(100);

	if (len > R_SIZE - at)
		len = R_SIZE - at;
	if (below(2)) {		/* choose whole pages */
		at &= -PAGE;
		len = (len + PAGE - 1) & -PAGE;
	}
	switch (below(24)) {
	case 0 ... 4:
		r_store(at, len, c);
		break;
	case 5 ... 8:
		r_write(at, len, c);
		break;
	case 9 ... 10:
		CHECK(!ftruncate(r.fd, at));
		r_resize(at);
		break;
	case 11 ... 13:
		r_zero(at, len);
		break;
	case 14 ... 16:
		spill(r.fd);
		break;
	case 17:
		sync();
		drop_caches();
		break;
	case 18 ... 19:
		r_rollback();
		break;
	case 20 ... 21:
		r_commit();
		break;
	case 22:
		r_close();
		r_open();
		break;
	case 23:
		CHECK(!sync_file_range(r.fd, at, len, SYNC_FILE_RANGE_WRITE));
	}
}

/*
 * Make random operations on a file and on a model. Compare each read with the
 * model. Compare the file after a crash with the last commit of the model.
 */
static void test_random(void)
{
	const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");
	unsigned int nr = rounds && *rounds ? atoi(rounds) : 25;
	__u32 how = MSYNCFS_SHUTDOWN_NOLOGFLUSH;

	rnd = seed && *seed ? strtoull(seed, NULL, 0) : (unsigned long)time(NULL);
	printf("random: SEED=%lu\n", rnd);
	rnd = rnd * 0x9e3779b97f4a7c15ULL + 88172645463325252ULL;
	CHECK(!close(atomic_file("f", 4)));
	store(r.now, 4, 1);
	memcpy(r.then, r.now, R_SIZE);
	r.size = 4 * PAGE;
	r.then_size = r.size;
	for (r.nr = 0; r.nr < nr; r.nr++) {
		r_open();
		for (r.op = 0; r.op < 40; r.op++) {
			r_step();
			if (below(2))
				r_same(".", "memory", r.now, r.size);
		}
		if (below(2)) {
			settle();
			CHECK(!ioctl(r.fd, MSYNCFS_IOC_SHUTDOWN, &how));
		} else {
			CHECK(!ioctl(r.fd, MSYNCFS_IOC_SHUTDOWN, &how));
		}
		r_close();
		crash();
		r_same(".", "the file after a crash", r.then, r.then_size);
	}
}

/* ---- many threads ------------------------------------------------------- */

static volatile bool racing;

static int race_fd;
static char *race_map;

static void *race_store(void *arg)
{
	uint64_t gen;

	(void)arg;
	for (gen = 2; racing; gen++)
		put_page_gen(race_map + gen * 7 % NR * PAGE, gen);
	return NULL;
}

static void *race_write(void *arg)
{
	uint64_t gen;

	(void)arg;
	for (gen = 2; racing; gen++)
		write_gen(race_fd, gen * 5 % NR, 3, gen);
	return NULL;
}

static void *race_commit(void *arg)
{
	(void)arg;
	while (racing) {
		CHECK(!call(race_map, PAGE, MS_SYNC));
		CHECK(!fsync(race_fd));
	}
	return NULL;
}

static void *race_rollback(void *arg)
{
	(void)arg;
	while (racing) {
		CHECK(!rollback(race_fd));
		usleep(2000);
	}
	return NULL;
}

static void *race_spill(void *arg)
{
	(void)arg;
	while (racing) {
		spill(race_fd);
		drop_caches();
	}
	return NULL;
}

static void *race_resize(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; racing; i++) {
		CHECK(!ftruncate(race_fd, (NR + 3 + i % 7) * PAGE));
		CHECK(!fallocate(race_fd, FALLOC_FL_ZERO_RANGE,
				 i % NR * PAGE + 100, 2 * PAGE));
	}
	return NULL;
}

static void *race_open(void *arg)
{
	int fd;

	(void)arg;
	while (racing) {
		fd = open_file("f", 0);
		sync();
		CHECK(!close(fd));
		CHECK(!close(atomic_file("g", 3)));
		fd = open_file("g", 0);
		write_gen(fd, 0, 3, 2);
		CHECK(!close(fd));
		memory_has("g", 3, 1);
		CHECK(!unlink("g"));
	}
	return NULL;
}

static void test_race(void)
{
	static void *(* const fns[])(void *) = {
		race_store, race_write, race_commit, race_rollback, race_spill,
		race_resize, race_open,
	};
	pthread_t threads[ARRAY_SIZE(fns)];
	off_t size, disk_size;
	char *mem, *disk;
	unsigned int i;

	race_fd = atomic_file("f", NR + 3);
	race_map = map_file(race_fd, NR + 3);
	racing = true;
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		CHECK(!pthread_create(&threads[i], NULL, fns[i], NULL));
	sleep(5 * slowness());
	racing = false;
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK(!call(race_map, PAGE, MS_SYNC));
	mem = read_all(".", "f", &size);
	disk = read_all(look(), "f", &disk_size);
	look_away();
	SAME(disk_size, size);
	CHECK(!memcmp(mem, disk, size));
	free(mem);
	free(disk);
	unmap(race_map, NR + 3);
	CHECK(!close(race_fd));
}

static const struct test tests[] = {
	{ "nospace", test_nospace },
	{ "random", test_random },
	{ "race", test_race },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
