// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests O_DIRECT while other threads change the same file. The
 * page fault of a buffer is delayed (userfaultfd), the device is slow, or msync
 * runs at the same time.
 *
 * Usage: direct_busy DIR [TEST]
 */
#include "direct.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define LARGE	20000UL		/* pages; more than a record takes */
#define LIMIT	100		/* seconds; a test that takes longer hangs */

/* ---- buffers that stall ------------------------------------------------- */

static struct stall {
	int uffd;
	char *buf;		/* a fault on this buffer is delayed */
	char *data;		/* content of the buffer after the fault */
	unsigned long nr;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int stalled, released;
} stall = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.cond = PTHREAD_COND_INITIALIZER,
};

static void set_flag(int *flag)
{
	pthread_mutex_lock(&stall.lock);
	*flag = 1;
	pthread_cond_broadcast(&stall.cond);
	pthread_mutex_unlock(&stall.lock);
}

/* Wait until @flag is set. Return false after LIMIT seconds. */
static int wait_flag(int *flag)
{
	struct timespec t;
	int set, err = 0;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += LIMIT;
	pthread_mutex_lock(&stall.lock);
	while (!*flag && !err)
		err = pthread_cond_timedwait(&stall.cond, &stall.lock, &t);
	set = *flag;
	pthread_mutex_unlock(&stall.lock);
	return set;
}

/*
 * Receive the first fault on the buffer. Answer it when the test sets
 * stall.released. The answer fills all pages of the buffer.
 */
static void *stall_thread(void *arg)
{
	struct uffdio_copy copy = {};
	struct uffd_msg msg;

	(void)arg;
	SAME(read(stall.uffd, &msg, sizeof(msg)), sizeof(msg));
	CHECK(msg.event == UFFD_EVENT_PAGEFAULT);
	set_flag(&stall.stalled);
	while (!wait_flag(&stall.released))
		;
	copy.dst = (unsigned long)stall.buf;
	copy.src = (unsigned long)stall.data;
	copy.len = stall.nr * PAGE;
	CHECK(!ioctl(stall.uffd, UFFDIO_COPY, &copy));
	return NULL;
}

static void stall_begin(unsigned long nr)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	stall.nr = nr;
	stall.buf = map_pages(-1, nr);
	stall.data = map_pages(-1, nr);
	stall.stalled = 0;
	stall.released = 0;
	stall.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	CHECK(stall.uffd >= 0);
	CHECK(!ioctl(stall.uffd, UFFDIO_API, &api));
	reg.range.start = (unsigned long)stall.buf;
	reg.range.len = nr * PAGE;
	CHECK(!ioctl(stall.uffd, UFFDIO_REGISTER, &reg));
	CHECK(!pthread_create(&stall.thread, NULL, stall_thread, NULL));
}

static void stall_end(void)
{
	CHECK(!pthread_join(stall.thread, NULL));
	CHECK(!close(stall.uffd));
	unmap_pages(stall.buf, stall.nr);
	unmap_pages(stall.data, stall.nr);
}

struct job {
	pthread_t thread;
	int fd, done;
	char *map;
	unsigned long first, nr, gen;
};

static void job_start(struct job *job, void *(*fn)(void *))
{
	CHECK(!pthread_create(&job->thread, NULL, fn, job));
}

/* Wait for the job. The job must finish even while the fault is delayed. */
static void job_wait(struct job *job, const char *what)
{
	double t = now();

	if (!wait_flag(&job->done)) {
		fprintf(stderr, "%s hangs while an O_DIRECT buffer is not there\n",
			what);
		exit(1);
	}
	CHECK(!pthread_join(job->thread, NULL));
	printf("%s: %.2f s\n", what, now() - t);
}

static void *store_and_msync(void *arg)
{
	struct job *job = arg;

	stamp_pages(job->map + job->first * PAGE, 1, job->first, job->nr,
		    job->gen);
	CHECK(!msync(job->map, (job->first + job->nr) * PAGE, MS_SYNC));
	set_flag(&job->done);
	return NULL;
}

static void *sync_other(void *arg)
{
	struct job *job = arg;
	int fd = make_file("other", "something");

	CHECK(!fsync(fd));
	CHECK(!close(fd));
	sync();
	set_flag(&job->done);
	return NULL;
}

static void *write_stalled(void *arg)
{
	struct job *job = arg;

	SAME(pwrite(job->fd, stall.buf, stall.nr * PAGE, 0), stall.nr * PAGE);
	set_flag(&job->done);
	return NULL;
}

static void *read_stalled(void *arg)
{
	struct job *job = arg;

	SAME(pread(job->fd, stall.buf, stall.nr * PAGE, 0), stall.nr * PAGE);
	set_flag(&job->done);
	return NULL;
}

/* A writer waits for its buffer. It must not delay other threads. */
static void stalled_write(int flags)
{
	int fd = stamped_file("f", 1, LARGE), dfd = open_direct("f", flags);
	struct job writer = { .fd = dfd }, other = {}, store = {
		.map = map_pages(fd, LARGE), .first = 64, .nr = LARGE - 64,
		.gen = 2,
	};

	take_home();
	stall_begin(64);
	stamp_pages(stall.data, 1, 0, 64, 3);
	job_start(&writer, write_stalled);
	CHECK(wait_flag(&stall.stalled));

	job_start(&store, store_and_msync);
	job_start(&other, sync_other);
	job_wait(&other, "sync");
	job_wait(&store, "msync");

	CHECK(!writer.done);
	set_flag(&stall.released);
	job_wait(&writer, "the write itself");
	stall_end();
	check_pages(store.map, 1, 0, 64, 3);
	drop(fd);
	check_pages(store.map, 1, 0, 64, 3);
	check_pages(store.map + 64 * PAGE, 1, 64, LARGE - 64, 2);
	unmap_pages(store.map, LARGE);
	CHECK(!close(dfd) && !close(fd) && !unlink("f") && !unlink("other"));
}

static void test_stalled_write(void)
{
	stalled_write(0);
	stalled_write(O_DSYNC);
}

/* Return the block of a page. *@len gets the length of its run in pages. */
static unsigned long long physical(int fd, unsigned long at,
				   unsigned long *len)
{
	struct {
		struct fiemap map;
		struct fiemap_extent ext;
	} f = { .map = {
		.fm_start = at * PAGE,
		.fm_length = ~0ULL >> 1,
		.fm_extent_count = 1,
	} };

	CHECK(!ioctl(fd, FS_IOC_FIEMAP, &f.map));
	if (!f.map.fm_mapped_extents) {
		*len = 0;
		return 0;
	}
	CHECK(f.ext.fe_logical <= at * PAGE);
	*len = (f.ext.fe_logical + f.ext.fe_length) / PAGE - at;
	return (f.ext.fe_physical + at * PAGE - f.ext.fe_logical) / PAGE;
}

static int has_block(int fd, unsigned long long block)
{
	unsigned long at, len;
	unsigned long long b;

	for (at = 0; ; at += len) {
		b = physical(fd, at, &len);
		if (!len)
			return 0;
		if (block >= b && block < b + len)
			return 1;
	}
}

/*
 * Store generation 2 to the pages of the file and call msync. So the pages move
 * to fresh blocks. Then make other files until one of them gets @block, which
 * was a block of the file before.
 */
static void move_away(struct job *store, int fd, unsigned long long block)
{
	unsigned long i;
	char name[16];
	int gd, has;

	job_start(store, store_and_msync);
	job_wait(store, "msync");
	take_home();
	CHECK(!has_block(fd, block));
	for (i = 2; ; i++) {
		CHECK(i < 8);	/* fails if no file gets the block */
		snprintf(name, sizeof(name), "g%lu", i);
		gd = stamped_file(name, i, LARGE);
		has = has_block(gd, block);
		CHECK(!close(gd));
		if (has)
			break;
	}
	printf("block %llu is file %lu's now\n", block, i);
	take_home();
}

/* Check that the reader got old or new content of the file. */
static void check_read(const char *buf)
{
	unsigned long i, gen;

	for (i = 0; i < 64; i++) {
		gen = check_stamps(buf + i * PAGE, 1, i);
		CHECK(gen == 1 || gen == 2);
	}
}

/*
 * A reader waits for its buffer. While it waits, the pages of the file move to
 * fresh blocks, and another file gets the old blocks. The reader must not see
 * the content of the other file.
 */
static void test_stalled_read(void)
{
	int fd = stamped_file("f", 1, LARGE), dfd = open_direct("f", 0);
	struct job reader = { .fd = dfd }, store = {
		.map = map_pages(fd, LARGE), .nr = LARGE, .gen = 2,
	};
	unsigned long long block;
	unsigned long len;

	take_home();
	/*
	 * The first block is likely to become an inode, so look for the block
	 * of page 32.
	 */
	block = physical(fd, 32, &len);
	CHECK(len);
	stall_begin(64);
	job_start(&reader, read_stalled);
	CHECK(wait_flag(&stall.stalled));
	move_away(&store, fd, block);
	CHECK(!reader.done);
	set_flag(&stall.released);
	job_wait(&reader, "the read itself");
	check_read(stall.buf);
	stall_end();
	unmap_pages(store.map, LARGE);
	CHECK(!close(dfd) && !close(fd));
}

/*
 * This test is like test_stalled_read(), but the device delays the read, not a
 * page fault. $SLOW is a command that makes reads of the device slow.
 */
static void test_slow_read(void)
{
	int fd = stamped_file("f", 1, LARGE), dfd = open_direct("f", 0);
	const char *slow = getenv("SLOW");
	struct job reader = { .fd = dfd }, store = {
		.map = map_pages(fd, LARGE), .nr = LARGE, .gen = 2,
	};
	unsigned long long block;
	unsigned long len;

	take_home();
	block = physical(fd, 32, &len);
	CHECK(len);
	/*
	 * Bring all pages of the file into memory. Then only the read under
	 * test has to wait for the device.
	 */
	check_pages(store.map, 1, 0, LARGE, 1);
	CHECK(slow && !system(slow));
	/* Replace the buffer by memory whose faults are not delayed. */
	stall.nr = 64;
	stall.buf = map_pages(-1, 64);
	memset(stall.buf, 0, 64 * PAGE);
	job_start(&reader, read_stalled);
	usleep(300000);
	CHECK(!reader.done);
	move_away(&store, fd, block);
	job_wait(&reader, "the read itself");
	check_read(stall.buf);
	unmap_pages(stall.buf, 64);
	unmap_pages(store.map, LARGE);
	CHECK(!close(dfd) && !close(fd));
}

/* ---- with msync at the same time ---------------------------------------- */

#define RACE_PAGES	3000UL
#define RACE_SECONDS	6

static unsigned long stored[RACE_PAGES];
static int stop;
static char *race_map;

static int stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void *race_reader(void *arg)
{
	unsigned long rnd = (unsigned long)arg * 7919 + 1, at, n, i, reads = 0;
	unsigned long seen[64];
	char *buf = map_pages(-1, 64);
	int dfd = open_direct("f", 0);

	while (!stopped()) {
		rnd = rnd * 6364136223846793005UL + 1442695040888963407UL;
		n = 1 + (rnd >> 40) % 64;
		at = (rnd >> 20) % (RACE_PAGES - n);
		for (i = 0; i < n; i++)
			seen[i] = __atomic_load_n(&stored[at + i],
						  __ATOMIC_ACQUIRE);
		SAME(pread(dfd, buf, n * PAGE, at * PAGE), n * PAGE);
		for (i = 0; i < n; i++)
			if (check_stamps(buf + i * PAGE, 1, at + i) < seen[i]) {
				fprintf(stderr, "page %lu: older than generation %lu\n",
					at + i, seen[i]);
				exit(1);
			}
		reads++;
	}
	CHECK(!close(dfd));
	return (void *)reads;
}

/*
 * Make and remove files. They reuse the blocks that msync frees, so these
 * blocks get other content.
 */
static void *race_churn(void *arg)
{
	unsigned long rounds = 0;

	(void)arg;
	while (!stopped()) {
		CHECK(!close(stamped_file("g", 2, RACE_PAGES)));
		CHECK(!unlink("g"));
		take_home();
		rounds++;
	}
	return (void *)rounds;
}

/* Overwrite the second half of the file in place. */
static void *race_writer(void *arg)
{
	unsigned long first = RACE_PAGES / 2, n = 16, i, at, gen = 1;
	char *buf = map_pages(-1, 16);
	int dfd = open_direct("f", O_DSYNC);

	(void)arg;
	while (!stopped()) {
		gen++;
		for (at = first; at + n <= RACE_PAGES && !stopped(); at += n) {
			stamp_pages(buf, 1, at, n, gen);
			SAME(pwrite(dfd, buf, n * PAGE, at * PAGE), n * PAGE);
			for (i = 0; i < n; i++)
				__atomic_store_n(&stored[at + i], gen,
						 __ATOMIC_RELEASE);
		}
	}
	CHECK(!close(dfd));
	return (void *)gen;
}

/*
 * If @in_place is set, the main thread stores to the first half of the file and
 * calls msync, while another thread overwrites the second half with O_DIRECT.
 * If @in_place is not set, the main thread stores to all pages and calls msync.
 * A record cannot take copies of so many pages, so the pages move to fresh
 * blocks.
 */
static void race(int in_place)
{
	static void *(* const fns[])(void *) = { race_reader, race_reader,
						 race_churn, race_writer };
	static const char * const names[] = { "reads", "reads", "rounds of churn",
					      "overwrites" };
	unsigned long nr = in_place ? RACE_PAGES / 2 : RACE_PAGES, i, gen = 1;
	int fd = stamped_file("f", 1, RACE_PAGES), n = in_place ? 4 : 3, t;
	double end = now() + RACE_SECONDS;
	pthread_t threads[4];
	void *count;

	race_map = map_pages(fd, RACE_PAGES);
	for (i = 0; i < RACE_PAGES; i++)
		stored[i] = 1;
	stop = 0;
	for (t = 0; t < n; t++)
		CHECK(!pthread_create(&threads[t], NULL, fns[t],
				      (void *)(long)t));
	while (now() < end) {
		gen++;
		for (i = 0; i < nr; i++) {
			put_stamps(race_map + i * PAGE, 1, i, gen);
			__atomic_store_n(&stored[i], gen, __ATOMIC_RELEASE);
		}
		CHECK(!msync(race_map, nr * PAGE, MS_SYNC));
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (t = 0; t < n; t++) {
		CHECK(!pthread_join(threads[t], &count));
		printf("%lu %s\n", (unsigned long)count, names[t]);
	}
	printf("%lu msyncs\n", gen - 1);
	drop(fd);
	for (i = 0; i < RACE_PAGES; i++)
		SAME(check_stamps(race_map + i * PAGE, 1, i) >= stored[i], 1);
	unmap_pages(race_map, RACE_PAGES);
	CHECK(!close(fd) && !unlink("f"));
}

static void test_race(void)
{
	race(0);
	race(1);
}

static const struct test tests[] = {
	{ "stalled_write", test_stalled_write },
	{ "stalled_read", test_stalled_read },
	{ "race", test_race },
	{ "slow_read", test_slow_read },
	{ }
};

int main(int argc, char **argv)
{
	setlinebuf(stdout);	/* to keep the last line of a failure */
	return run_tests(argc, argv, tests);
}
