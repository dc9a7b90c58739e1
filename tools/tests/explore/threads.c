// SPDX-License-Identifier: GPL-2.0
/*
 * This file is a workload of several threads. Each thread makes numbered steps.
 * In each step, one call makes the step durable. When this call has returned,
 * the thread acknowledges the step. The workload can also run on machines that
 * are killed, because it continues from the state on disk.
 *
 *	sets	Each step stores a number into all pages of a set. One msync
 *		makes the pages durable. A set has 8 pages. The last set has 160
 *		pages, which are scattered over a file. After a crash, all pages
 *		of a set must have the number of the same step.
 *	tails	Each step appends some bytes with write(2), then calls fsync.
 *	names	Step 3k creates and fsyncs file f<k>. Step 3k+1 renames f<k> to
 *		g<k>. Step 3k+2 removes an old file. Each step syncs the
 *		directory.
 *	new	Each step makes a file of a few pages, calls msync once, then
 *		syncs the directory.
 *	order	One thread stores a number into one page after another. Then it
 *		stores the next number into all pages, and so on. Another thread
 *		calls msync. The pages on disk must have the content that the
 *		pages in memory had at one moment.
 *	swaps	Each step exchanges two names in two directories that several
 *		threads share, and renames a name. No sync. Each file must have
 *		one name.
 *	churn	Each step makes files, links, symbolic links and directories
 *		with random names, and removes others. No sync. What is left
 *		after a crash is any of them.
 *
 * Usage: explore threads work DIR CHANNEL SECONDS NUMBERS
 *        explore threads check DIR NUMBERS
 *
 * NUMBERS says how many steps of each thread are done. "-" means that no steps
 * are done. "work" continues after these steps. After each step "work" appends
 * "ack NUMBERS" to the file CHANNEL. If SECONDS is 0, "work" never ends.
 *
 * "check" checks that DIR has the content of these steps, and prints "found
 * NUMBERS". DIR may also have later steps. DIR may have a part of a step that
 * was in progress, except in "sets" and "order". For "sets" and "order",
 * background writeback must be off (vm.dirty_writeback_centisecs=0).
 */
#include "explore.h"
#include "threads.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>

unsigned long long done[THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int channel = -1;	/* -1: acknowledge on the recorded disk */
static time_t deadline;

void complain(const char *what, unsigned int nr, long long have, long long want)
{
	printf("%s %u: %lld, want %lld\n", what, nr, have, want);
	exit(1);
}

/* ---- acknowledgements ---- */

static size_t ack_text(char *buf, size_t size)
{
	size_t len = 0;
	int i;

	len += snprintf(buf, size, "ack");
	for (i = 0; i < THREADS; i++)
		len += snprintf(buf + len, size - len, " %llu", done[i]);
	len += snprintf(buf + len, size - len, "\n");
	return len;
}

static void ack_locked(void)
{
	static char buf[SECTOR];
	size_t len = ack_text(buf, sizeof(buf));

	if (channel < 0) {
		buf[len - 1] = 0;
		ack(buf + 4);
		return;
	}
	CHECK(write(channel, buf, len) == (ssize_t)len);
	/* Wait until the line has left this machine. */
	CHECK(!tcdrain(channel) || errno == ENOTTY || errno == EINVAL);
}

void ack_step(unsigned int thread, unsigned long long step)
{
	CHECK(!pthread_mutex_lock(&lock));
	done[thread] = step;
	ack_locked();
	CHECK(!pthread_mutex_unlock(&lock));
}

int on(void)
{
	return !deadline || time(NULL) < deadline;
}

/* ---- sets ---- */

#define SET_FILE (512 * PAGE)

struct set_page {
	uint64_t step, place, check;
	uint64_t fill[PAGE / 8 - 3];
};

static void set_name(char *name, unsigned int nr)
{
	sprintf(name, "set%u", nr);
}

/* With a log of 4 MiB, the pages of the last set are too many to be copied. */
static unsigned int set_pages(unsigned int nr)
{
	return nr == SETS - 1 ? 160 : 8;
}

/*
 * Return the index of the page that is number @i of the set. Every step uses
 * the same pages.
 */
static unsigned long set_place(unsigned int nr, unsigned int i)
{
	if (nr == SETS - 1)
		return i * 3;
	return i * 64 + mix(nr * 100 + i) % 60;
}

static void set_fill(struct set_page *p, uint64_t step, uint64_t place)
{
	unsigned int i;

	p->step = step;
	p->place = place;
	p->check = mix(step * 4096 + place);
	for (i = 0; i < PAGE / 8 - 3; i++)
		p->fill[i] = p->check + i;
}

static int set_good(const struct set_page *p, uint64_t place)
{
	unsigned int i;

	if (p->place != place || p->check != mix(p->step * 4096 + place))
		return 0;
	for (i = 0; i < PAGE / 8 - 3; i++)
		if (p->fill[i] != p->check + i)
			return 0;
	return 1;
}

static unsigned long long set_check(unsigned int nr, unsigned long long want)
{
	struct set_page page;
	unsigned long long step = 0;
	unsigned int i;
	char name[16];
	int fd;

	set_name(name, nr);
	fd = open(name, O_RDONLY);
	if (fd < 0) {
		if (want)
			complain("set", nr, 0, want);
		return 0;
	}
	for (i = 0; i < set_pages(nr); i++) {
		unsigned long place = set_place(nr, i);
		ssize_t n = pread(fd, &page, PAGE, place * PAGE);

		CHECK(n >= 0);
		if (n != (ssize_t)PAGE)
			memset(&page, 0, PAGE);
		if ((page.step || page.check) && !set_good(&page, place)) {
			printf("set %u: page %lu is damaged (step %llu)\n", nr,
			       place, (unsigned long long)page.step);
			exit(1);
		}
		if (i && page.step != step) {
			printf("set %u: page %u is of step %llu, not %llu: not atomic\n",
			       nr, i, (unsigned long long)page.step, step);
			exit(1);
		}
		step = page.step;
	}
	CHECK(!close(fd));
	if (step < want)
		complain("set", nr, step, want);
	return step;
}

static void *set_work(void *arg)
{
	unsigned int nr = (unsigned long)arg, i;
	unsigned long long step = done[nr];
	char name[16], *map;
	int fd;

	set_name(name, nr);
	fd = open(name, O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, SET_FILE));
	map = mmap(NULL, SET_FILE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	while (on()) {
		step++;
		for (i = 0; i < set_pages(nr); i++) {
			unsigned long place = set_place(nr, i);

			set_fill((struct set_page *)(map + place * PAGE), step, place);
		}
		CHECK(!msync(map, SET_FILE, MS_SYNC));
		ack_step(nr, step);
	}
	return NULL;
}

/* ---- tails ---- */

#define TAIL_MAX (3UL << 20)

static unsigned char tail_byte(unsigned int nr, off_t at)
{
	return mix(nr * 77777777ULL + at / 8) >> (at % 8 * 8);
}

/*
 * Return the length of the file after @steps steps. Each step appends between 1
 * and 6000 bytes.
 */
static off_t tail_end(unsigned int nr, unsigned long long steps)
{
	unsigned long long i;
	off_t end = 0;

	for (i = 0; i < steps; i++)
		end += 1 + mix(nr * 1000 + i) % 6000;
	return end;
}

/* Return the number of complete steps. All bytes of the file must be right. */
static unsigned long long tail_check(unsigned int nr, unsigned long long want)
{
	static unsigned char buf[65536];
	off_t at = 0, end = 0, size;
	unsigned long long step;
	char name[16];
	ssize_t n, i;
	int fd;

	sprintf(name, "tail%u", nr);
	fd = open(name, O_RDONLY);
	if (fd < 0) {
		if (want)
			complain("tail", nr, 0, want);
		return 0;
	}
	size = fstat_of(fd).st_size;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++)
			if (buf[i] != tail_byte(nr, at + i)) {
				printf("tail %u: wrong byte at %lld of %lld\n",
				       nr, (long long)(at + i), (long long)size);
				exit(1);
			}
		at += n;
	}
	CHECK(!n && at == size);
	CHECK(!close(fd));
	for (step = 0; end <= size; step++)
		end += 1 + mix(nr * 1000 + step) % 6000;
	step--;
	if (step < want)
		complain("tail", nr, step, want);
	return step;
}

static void *tail_work(void *arg)
{
	static __thread char buf[6001];
	unsigned int nr = (unsigned long)arg;
	unsigned long long step = done[nr];
	char name[16];
	off_t at, end;
	int fd;

	sprintf(name, "tail%u", nr);
	fd = open(name, O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	at = tail_end(nr, step);
	/* Remove the bytes of an unfinished step. */
	CHECK(!ftruncate(fd, at));
	while (on() && at < (off_t)TAIL_MAX) {
		end = at + 1 + mix(nr * 1000 + step) % 6000;
		for (off_t i = at; i < end; i++)
			buf[i - at] = tail_byte(nr, i);
		CHECK(pwrite(fd, buf, end - at, at) == end - at);
		CHECK(!(step % 2 ? fsync(fd) : fdatasync(fd)));
		at = end;
		ack_step(nr, ++step);
	}
	return NULL;
}

/* ---- names ---- */

#define KEEP 6	/* step 3k+2 removes g<k-KEEP> */

static void name_content(char *buf, unsigned int nr, unsigned long long k)
{
	memset(buf, 0, 64);
	sprintf(buf, "thread %u file %llu %llx", nr, k,
		(unsigned long long)mix(nr * 5000 + k));
}

/*
 * Return true if the name g<k> exists after @steps steps. The function has_f()
 * returns this for the name f<k>.
 */
static int has_g(unsigned long long steps, unsigned long long k)
{
	return steps > 3 * k + 1 && steps <= 3 * (k + KEEP) + 2;
}

static int has_f(unsigned long long steps, unsigned long long k)
{
	return steps > 3 * k && steps <= 3 * k + 1;
}

/*
 * Return true if the directory has exactly the names that it must have after
 * @steps steps.
 */
static int names_are(unsigned int nr, unsigned long long steps,
		     const unsigned long long *f, unsigned int nf,
		     const unsigned long long *g, unsigned int ng)
{
	unsigned long long k, first = steps / 3 > KEEP + 2 ? steps / 3 - KEEP - 2 : 0;
	unsigned int i, want_f = 0, want_g = 0;

	(void)nr;
	for (k = first; k <= steps / 3; k++) {
		want_f += has_f(steps, k);
		want_g += has_g(steps, k);
	}
	for (i = 0; i < nf; i++)
		if (!has_f(steps, f[i]))
			return 0;
	for (i = 0; i < ng; i++)
		if (!has_g(steps, g[i]))
			return 0;
	return want_f == nf && want_g == ng;
}

static void name_check_content(unsigned int nr, const char *dir, char kind,
			       unsigned long long k, int must)
{
	char path[64], want[64], got[65] = "";
	ssize_t n;
	int fd;

	sprintf(path, "%s/%c%llu", dir, kind, k);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	n = read(fd, got, sizeof(got));
	CHECK(n >= 0);
	CHECK(!close(fd));
	name_content(want, nr, k);
	if (!n && !must)
		return;
	if (n != 64 || memcmp(got, want, 64)) {
		printf("names %u: %s does not hold its text (%zd bytes)\n", nr, path, n);
		exit(1);
	}
}

static unsigned long long name_check(unsigned int nr, unsigned long long want)
{
	unsigned long long f[64], g[64], k, steps, top = 0;
	unsigned int nf = 0, ng = 0, i;
	struct dirent *de;
	char dir[16];
	DIR *d;

	sprintf(dir, "names%u", nr);
	d = opendir(dir);
	if (!d) {
		if (want)
			complain("names", nr, 0, want);
		return 0;
	}
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		k = strtoull(de->d_name + 1, NULL, 10);
		if (nf == 64 || ng == 64) {
			printf("names %u: too many entries\n", nr);
			exit(1);
		}
		if (de->d_name[0] == 'f')
			f[nf++] = k;
		else
			g[ng++] = k;
		if (k > top)
			top = k;
	}
	CHECK(!closedir(d));
	/*
	 * Find the number of steps after which the directory has exactly these
	 * names. If the largest number in a name is @top, only four numbers of
	 * steps are possible.
	 */
	for (steps = 3 * top; steps <= 3 * top + 3; steps++)
		if (names_are(nr, steps, f, nf, g, ng))
			break;
	if (steps > 3 * top + 3) {
		printf("names %u: %u + %u names, the last %llu: after no number of steps\n",
		       nr, nf, ng, top);
		exit(1);
	}
	/*
	 * If a step removes nothing, the directory has the same names before
	 * and after the step.
	 */
	if (steps < want && names_are(nr, want, f, nf, g, ng))
		steps = want;
	if (steps < want)
		complain("names", nr, steps, want);
	for (i = 0; i < nf; i++)
		name_check_content(nr, dir, 'f', f[i], want > 3 * f[i]);
	for (i = 0; i < ng; i++)
		name_check_content(nr, dir, 'g', g[i], 1);
	return steps;
}

void sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK(!fsync(fd));
	CHECK(!close(fd));
}

static void name_step(unsigned int nr, const char *dir, unsigned long long step)
{
	unsigned long long k = step / 3;
	char a[64], b[64], text[64];
	int fd;

	sprintf(a, "%s/f%llu", dir, k);
	sprintf(b, "%s/g%llu", dir, k);
	switch (step % 3) {
	case 0:
		fd = open(a, O_RDWR | O_CREAT | O_TRUNC, 0644);
		CHECK(fd >= 0);
		name_content(text, nr, k);
		CHECK(write(fd, text, 64) == 64);
		CHECK(!fsync(fd));
		CHECK(!close(fd));
		break;
	case 1:
		CHECK(!rename(a, b));
		break;
	case 2:
		if (k < KEEP)
			break;
		sprintf(b, "%s/g%llu", dir, k - KEEP);
		CHECK(!unlink(b) || errno == ENOENT);
		break;
	}
	sync_dir(dir);
}

static void *name_work(void *arg)
{
	unsigned int nr = (unsigned long)arg;
	unsigned long long step = done[nr], k = step / 3;
	char dir[16], name[64];

	sprintf(dir, "names%u", nr);
	CHECK(!mkdir(dir, 0755) || errno == EEXIST);
	sync_dir(".");
	/* A file may be empty if the step that made it was not acknowledged. */
	sprintf(name, "%s/f%llu", dir, k);
	if (step % 3 == 1 && stat_of(name).st_size != 64)
		step--;
	for (; on(); ack_step(nr, ++step))
		name_step(nr, dir, step);
	return NULL;
}

/* ---- new files ---- */

#define NEW_KEEP 5
#define NEW_PAGES 6

static void new_name(char *name, unsigned int nr, unsigned long long step)
{
	sprintf(name, "new%u.%llu", nr, step % (NEW_KEEP + 3));
}

/*
 * Return the number of pages in the file of step @step that have the content of
 * this step.
 */
static unsigned int new_pages(unsigned int nr, unsigned long long step)
{
	struct set_page page;
	unsigned int i, good = 0;
	char name[32];
	int fd;

	new_name(name, nr, step);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		return 0;
	for (i = 0; i < NEW_PAGES; i++)
		if (pread(fd, &page, PAGE, i * PAGE) == (ssize_t)PAGE &&
		    page.step == step + 1 && set_good(&page, i))
			good++;
	CHECK(!close(fd));
	return good;
}

/*
 * Read the step number in page 0 of each file. Return the number of the newest
 * step, plus one.
 */
static unsigned long long new_last(unsigned int nr)
{
	unsigned long long slot, last = 0;
	struct set_page page;
	char name[32];
	int fd;

	for (slot = 0; slot < NEW_KEEP + 3; slot++) {
		new_name(name, nr, slot);
		fd = open(name, O_RDONLY);
		if (fd < 0)
			continue;
		if (pread(fd, &page, PAGE, 0) == (ssize_t)PAGE &&
		    set_good(&page, 0) && page.step > last)
			last = page.step;
		CHECK(!close(fd));
	}
	return last;
}

static unsigned long long new_check(unsigned int nr, unsigned long long want)
{
	unsigned long long last = new_last(nr), step;
	unsigned int good;

	if (last < want)
		complain("new", nr, last, want);
	/*
	 * Page 0 of the newest step, @last - 1, is on disk. One msync makes all
	 * pages of a step durable. So the files of all steps before @last must
	 * be complete.
	 */
	for (step = last > NEW_KEEP ? last - NEW_KEEP : 0; step <= last; step++) {
		good = new_pages(nr, step);
		if (good == (step < last ? NEW_PAGES : 0))
			continue;
		printf("new %u: %u pages of file %llu are there, the last is %llu\n",
		       nr, good, step, last);
		exit(1);
	}
	return last;
}

static void *new_work(void *arg)
{
	unsigned int nr = (unsigned long)arg, i;
	unsigned long long step = done[nr];
	char name[32], old[40], *map;
	int fd;

	for (; on(); ack_step(nr, ++step)) {
		new_name(name, nr, step);
		sprintf(old, "%s.old", name);
		/*
		 * Rename the old file with this name. Make a new file, then
		 * remove the old file.
		 */
		CHECK(!rename(name, old) || errno == ENOENT);
		fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
		CHECK(fd >= 0);
		CHECK(!ftruncate(fd, NEW_PAGES * PAGE));
		map = mmap(NULL, NEW_PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
		CHECK(map != MAP_FAILED);
		CHECK(!unlink(old) || errno == ENOENT);
		for (i = 0; i < NEW_PAGES; i++)
			set_fill((struct set_page *)(map + i * PAGE), step + 1, i);
		CHECK(!msync(map, NEW_PAGES * PAGE, MS_SYNC));
		sync_dir(".");
		CHECK(!munmap(map, NEW_PAGES * PAGE) && !close(fd));
	}
	return NULL;
}

/* ---- order ---- */

/*
 * Return the number of pages of a file. With a log of 4 MiB, the pages of the
 * first file are copied. A capture locks 31 pages together, and the pages of
 * both files take several such steps. In one step, no store could come between
 * two pages, even if a capture did not freeze the file.
 */
static unsigned int order_pages(unsigned int nr)
{
	return nr == FIRST_ORDER ? 112 : 160;
}

/*
 * Return the address of the number in the page for store @i. The order of the
 * pages is neither ascending nor descending.
 */
static uint64_t *order_slot(unsigned int nr, void *map, unsigned int i)
{
	return (uint64_t *)((char *)map + i * 29 % order_pages(nr) * PAGE + 64);
}

static void *order_map(unsigned int nr, int create)
{
	char name[16];
	void *map;
	int fd;

	sprintf(name, "order%u", nr);
	fd = open(name, create ? O_RDWR | O_CREAT : O_RDONLY, 0644);
	if (fd < 0)
		return NULL;
	if (create)
		CHECK(!ftruncate(fd, order_pages(nr) * PAGE));
	else if (fstat_of(fd).st_size < (off_t)(order_pages(nr) * PAGE))
		return NULL;
	map = mmap(NULL, order_pages(nr) * PAGE,
		   create ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && !close(fd));
	return map;
}

static unsigned long long order_check(unsigned int nr, unsigned long long want)
{
	void *map = order_map(nr, 0);
	uint64_t first, last, now;
	unsigned int i;

	if (!map) {
		if (want)
			complain("order", nr, 0, want);
		return 0;
	}
	first = *order_slot(nr, map, 0);
	last = first;
	for (i = 1; i < order_pages(nr); i++, last = now) {
		now = *order_slot(nr, map, i);
		if (now <= last && now + 1 >= first)
			continue;
		printf("order %u: not one moment: store %u is %llu, %u is %llu, 0 is %llu\n",
		       nr, i, (unsigned long long)now, i - 1,
		       (unsigned long long)last, (unsigned long long)first);
		exit(1);
	}
	CHECK(!munmap(map, order_pages(nr) * PAGE));
	if (last < want)
		complain("order", nr, last, want);
	return last;
}

static void *order_store(void *arg)
{
	unsigned int nr = (unsigned long)arg;
	void *map = order_map(nr, 1);
	uint64_t n = *order_slot(nr, map, 0);
	unsigned int i;

	/*
	 * A crash may have interrupted a round. So first make this round again.
	 */
	for (; on(); n++) {
		for (i = 0; i < order_pages(nr); i++)
			__atomic_store_n(order_slot(nr, map, i), n, __ATOMIC_RELEASE);
		usleep(100);
	}
	return NULL;
}

static void *order_work(void *arg)
{
	unsigned int nr = (unsigned long)arg;
	void *map = order_map(nr, 1);
	uint64_t n;
	pthread_t storer;

	CHECK(map);
	CHECK(!pthread_create(&storer, NULL, order_store, arg));
	while (on()) {
		n = __atomic_load_n(order_slot(nr, map, order_pages(nr) - 1),
				    __ATOMIC_ACQUIRE);
		CHECK(!msync(map, order_pages(nr) * PAGE, MS_SYNC));
		if (n > done[nr])
			ack_step(nr, n);
	}
	CHECK(!pthread_join(storer, NULL));
	return NULL;
}

/* ---- */

static void parse(const char *text, unsigned long long *nr)
{
	char *end;
	int i;

	if (!strncmp(text, "ack ", 4))
		text += 4;
	for (i = 0; i < THREADS; i++, text = end) {
		nr[i] = strtoull(text, &end, 10);
		if (end == text)
			nr[i] = 0;
	}
}

/* Check the content of the current directory. Exit if the content is wrong. */
void threads_check(const char *promise)
{
	unsigned long long want[THREADS];
	unsigned int i;

	parse(promise, want);
	for (i = 0; i < SETS; i++)
		done[i] = set_check(i, want[i]);
	for (i = FIRST_TAIL; i < FIRST_NAME; i++)
		done[i] = tail_check(i, want[i]);
	for (i = FIRST_NAME; i < FIRST_NEW; i++)
		done[i] = name_check(i, want[i]);
	for (i = FIRST_NEW; i < FIRST_ORDER; i++)
		done[i] = new_check(i, want[i]);
	for (i = FIRST_ORDER; i < FIRST_SWAP; i++)
		done[i] = order_check(i, want[i]);
	for (i = FIRST_SWAP; i < FIRST_CHURN; i++)
		done[i] = swap_check(i, want[i]);
	for (i = FIRST_CHURN; i < THREADS; i++)
		done[i] = churn_check(i, want[i]);
}

/*
 * Continue after the steps that are done. Run for @seconds seconds, or without
 * end if @seconds is 0.
 */
void threads_work(unsigned int seconds)
{
	static void *(*const fn[THREADS])(void *) = {
		[0 ... FIRST_TAIL - 1] = set_work,
		[FIRST_TAIL ... FIRST_NAME - 1] = tail_work,
		[FIRST_NAME ... FIRST_NEW - 1] = name_work,
		[FIRST_NEW ... FIRST_ORDER - 1] = new_work,
		[FIRST_ORDER ... FIRST_SWAP - 1] = order_work,
		[FIRST_SWAP ... FIRST_CHURN - 1] = swap_work,
		[FIRST_CHURN ... THREADS - 1] = churn_work,
	};
	pthread_t t[THREADS];
	unsigned long i;

	if (seconds)
		deadline = time(NULL) + seconds;
	ack_locked();
	for (i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, fn[i], (void *)i));
	for (i = 0; i < THREADS; i++)
		CHECK(!pthread_join(t[i], NULL));
}

int threads_main(int argc, char **argv)
{
	char buf[SECTOR];

	if (argc == 4 && !strcmp(argv[1], "check")) {
		CHECK(!chdir(argv[2]));
		threads_check(argv[3]);
		ack_text(buf, sizeof(buf));
		printf("found%s", buf + 3);
		return 0;
	}
	if (argc != 6 || strcmp(argv[1], "work"))
		return 2;
	channel = open(argv[3], O_WRONLY | O_APPEND);
	CHECK(channel >= 0);
	CHECK(!chdir(argv[2]));
	parse(argv[5], done);
	threads_work(strtoul(argv[4], NULL, 0));
	return 0;
}
