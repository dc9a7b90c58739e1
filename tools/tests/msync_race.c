// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests msync while mappings and the file change, while signals
 * arrive, and in processes that are killed. No call may hang. Acknowledged data
 * must be there after a crash, and stores must not be lost.
 *
 * Usage: msync_race MNT DOOR TEST, see msync.h
 */
#include "msync.h"

#include <linux/falloc.h>
#include <pthread.h>
#include <sys/time.h>
#include <sys/uio.h>

static const int all_flags[] = {
	MS_SYNC, MS_ASYNC, MS_INVALIDATE, 0, MS_SYNC | MS_INVALIDATE,
	MS_ASYNC | MS_INVALIDATE,
};

#define NR_FLAGS	6

static void seed(unsigned long n)
{
	rnd = 0x9e3779b97f4a7c15UL * (n + 1);
}

/*
 * Return whether all data is durable after a successful call with these flags.
 */
static bool acknowledges(int flags)
{
	return (flags & MS_SYNC) || (door.full && (flags & MS_INVALIDATE));
}

/* ---- mappings that change ----------------------------------------------- */

#define PAGES		64UL
#define STABLE		8UL	/* first pages; their mapping never changes */
#define STORERS		2UL
#define OWN		(STABLE / STORERS)
#define SECONDS		4

static struct race {
	char *area;		/* a mapping of the file, PAGES long */
	char *aside;		/* addresses to which pages are moved */
	int fd;
	int stop;
	volatile uint64_t acked[STORERS];
	volatile unsigned long calls, enomem, ebusy, faults, changes;
} race;

static bool stopped(void)
{
	return __atomic_load_n(&race.stop, __ATOMIC_RELAXED);
}

static void count(volatile unsigned long *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

/*
 * Make a call. It must succeed, or fail with an error that a change of the
 * mappings can cause.
 */
static void race_call(char *from, size_t len, int flags)
{
	int ret = call(from, len, flags);

	count(&race.calls);
	if (!ret)
		return;
	if (errno == ENOMEM) {
		count(&race.enomem);
		return;
	}
	if (errno == EBUSY && (flags & MS_INVALIDATE)) {
		count(&race.ebusy);
		return;
	}
	fprintf(stderr, "flags %d: ", flags);
	check_failed(__FILE__, __LINE__, "msync while mappings change");
}

/* Each storer thread has its own pages in the range and knows their content. */
static void *storer(void *arg)
{
	unsigned long me = (unsigned long)arg;
	char *mine = race.area + me * OWN * PAGE;
	uint64_t gen = 1;
	int flags, ret;

	seed(me);
	while (!stopped()) {
		store(mine, OWN, ++gen);
		flags = all_flags[below(NR_FLAGS)];
		errno = 0;
		ret = call(race.area, PAGES * PAGE, flags);
		count(&race.calls);
		if (ret && errno == EBUSY && (flags & MS_INVALIDATE)) {
			count(&race.ebusy);
		} else {
			if (ret)
				SAME(errno, ENOMEM);
			if (acknowledges(flags))
				race.acked[me] = gen;
		}
		expect(mine, OWN, gen, "stored a moment ago");
	}
	return NULL;
}

static void *caller(void *arg)
{
	unsigned long at;

	seed((unsigned long)arg);
	while (!stopped()) {
		at = below(PAGES);
		race_call(race.area + at * PAGE, below(2 * PAGES * PAGE),
			  all_flags[below(NR_FLAGS)]);
	}
	return NULL;
}

/* Store to random pages. Often the page is not mapped. */
static void *toucher(void *arg)
{
	volatile unsigned long i = 0;

	seed((unsigned long)arg);
	while (!stopped()) {
		if (sigsetjmp(jump, 1)) {
			count(&race.faults);
			continue;
		}
		i = STABLE + below(PAGES - STABLE);
		put_page_gen(race.area + i * PAGE, i);
	}
	return NULL;
}

static void map_again(unsigned long at, unsigned long n, int flags)
{
	map_at(race.area + at * PAGE, race.fd, at, n, RW,
	       flags);
}

static void change(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ,
				     RW };
	unsigned long at = STABLE + below(PAGES - STABLE);
	unsigned long n = 1 + below(PAGES - at);
	char *p = race.area + at * PAGE, *q = race.aside + at * PAGE;

	switch (below(8)) {
	case 0:
		CHECK(!munmap(p, n * PAGE));
		break;
	case 1:
		/*
		 * Move the pages to other addresses and back. mremap() fails if
		 * the range has several mappings.
		 */
		if (mremap(p, n * PAGE, n * PAGE,
			   MREMAP_MAYMOVE | MREMAP_FIXED, q) != MAP_FAILED)
			mremap(q, n * PAGE, n * PAGE,
			       MREMAP_MAYMOVE | MREMAP_FIXED, p);
		break;
	case 2:
		mprotect(p, n * PAGE, prots[below(3)]);
		break;
	case 3:
		CHECK(!ftruncate(race.fd, at * PAGE + below(PAGE)));
		CHECK(!ftruncate(race.fd, PAGES * PAGE));
		break;
	case 4:
		CHECK(!fallocate(race.fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 at * PAGE, n * PAGE));
		break;
	case 5:
		if (!mlock(p, PAGE))
			munlock(p, PAGE);
		break;
	case 6:
		map_again(at, n, MAP_PRIVATE);
		break;
	}
	map_again(at, n, MAP_SHARED);
	count(&race.changes);
}

static void *changer(void *arg)
{
	seed((unsigned long)arg);
	while (!stopped())
		change();
	return NULL;
}

static void test_race(void)
{
	static void *(* const fns[])(void *) = {
		storer, storer, caller, toucher, changer,
	};
	struct sigaction act = { .sa_handler = jump_back, .sa_flags = SA_NODEFER };
	double end = now() + SECONDS;
	pthread_t threads[5];
	unsigned long i;
	int fd;

	race.fd = new_file("f", PAGES);
	race.area = map_file(race.fd, PAGES);
	race.aside = reserve(PAGES);
	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	for (i = 0; i < 5; i++)
		CHECK(!pthread_create(&threads[i], NULL, fns[i], (void *)i));
	while (now() < end || !race.acked[0] || !race.acked[1] || !race.changes ||
	       !race.faults)
		usleep(10000);
	__atomic_store_n(&race.stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 5; i++)
		CHECK(!pthread_join(threads[i], NULL));
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	printf("%lu calls, %lu ENOMEM, %lu EBUSY, %lu changes, %lu faults, %lu and %lu durable\n",
	       race.calls, race.enomem, race.ebusy, race.changes, race.faults,
	       race.acked[0], race.acked[1]);
	unmap(race.area, PAGES);
	unmap(race.aside, PAGES);
	CHECK(!close(race.fd));
	crash();
	fd = open_file("f", 0);
	for (i = 0; i < STABLE; i++) {
		char page[PAGE];

		SAME(pread(fd, page, PAGE, i * PAGE), PAGE);
		if (page_gen(page) < race.acked[i / OWN])
			fprintf(stderr, "page %lu: generation %lu, acknowledged was %lu: ",
				i, page_gen(page), race.acked[i / OWN]);
		CHECK(page_gen(page) >= race.acked[i / OWN]);
	}
	CHECK(!close(fd));
}

/* ---- stores through the kernel ------------------------------------------ */

/**
 * struct writer - a thread that stores to its page through the kernel
 * @at: address of a number
 * @mem: /proc/self/mem, or -1 for process_vm_writev()
 * @stores: number of stores
 * @lost: number of stores that were lost
 */
struct writer {
	volatile uint64_t *at;
	int mem;
	unsigned long stores, lost;
};

static void *writer(void *arg)
{
	struct writer *w = arg;
	uint64_t n;
	struct iovec from = { &n, sizeof(n) };
	struct iovec to = { (void *)(unsigned long)w->at, sizeof(n) };

	for (n = 1; !stopped(); n++) {
		if (w->mem >= 0)
			SAME(pwrite(w->mem, &n, sizeof(n), (off_t)w->at),
			     sizeof(n));
		else
			SAME(process_vm_writev(getpid(), &from, 1, &to, 1, 0),
			     sizeof(n));
		w->stores++;
		w->lost += *w->at != n;
	}
	return NULL;
}

static void *invalidator(void *arg)
{
	(void)arg;
	while (!stopped())
		race_call(race.area, PAGES * PAGE, MS_INVALIDATE);
	return NULL;
}

/*
 * ptrace(2), /proc/PID/mem and process_vm_writev(2) store to a page without the
 * mapping of the program. MS_INVALIDATE must not lose such stores.
 */
static void test_writers(void)
{
	struct writer w[] = {
		{ .mem = open("/proc/self/mem", O_RDWR) }, { .mem = -1 },
	};
	double end = now() + SECONDS;
	pthread_t threads[4];
	unsigned long i;

	CHECK(w[0].mem >= 0);
	race.fd = new_file("f", PAGES);
	race.area = map_file(race.fd, PAGES);
	for (i = 0; i < 2; i++) {
		w[i].at = (uint64_t *)(race.area + i * PAGE);
		CHECK(!pthread_create(&threads[i], NULL, writer, &w[i]));
		CHECK(!pthread_create(&threads[2 + i], NULL, invalidator, NULL));
	}
	while (now() < end || race.calls == race.ebusy)
		usleep(10000);
	__atomic_store_n(&race.stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
	printf("%lu calls, %lu EBUSY; lost %lu of %lu and %lu of %lu stores\n",
	       race.calls, race.ebusy, w[0].lost, w[0].stores, w[1].lost,
	       w[1].stores);
	SAME(w[0].lost + w[1].lost, 0);
	unmap(race.area, PAGES);
	CHECK(!close(w[0].mem) && !close(race.fd));
}

/* ---- signals ------------------------------------------------------------ */

static volatile unsigned long signals;

static void on_timer(int sig)
{
	(void)sig;
	signals++;
}

/*
 * A signal does not interrupt a commit that has begun, so the call never fails
 * with EINTR.
 */
static void test_signal(void)
{
	const struct itimerval often = { { 0, 3000 }, { 0, 3000 } };
	const struct itimerval never = { };
	struct sigaction act = { .sa_handler = on_timer };
	int fd = new_file("f", 32);
	char *map = map_file(fd, 32);
	unsigned long calls = 0;
	double end = now() + 2;

	alarm(0);		/* the timer sends SIGALRM, too */
	sigaction(SIGALRM, &act, NULL);
	CHECK(!setitimer(ITIMER_REAL, &often, NULL));
	while (now() < end || !signals) {
		store(map, 32, ++calls);
		CHECK(!call(map, 32 * PAGE, all_flags[calls % NR_FLAGS]));
		expect(map, 32, calls, "stored a moment ago");
	}
	CHECK(!call(map, 32 * PAGE, MS_SYNC));
	CHECK(!setitimer(ITIMER_REAL, &never, NULL));
	set_alarm();
	printf("%lu calls, %lu signals\n", calls, signals);
	unmap(map, 32);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 32, calls);
}

/* ---- processes that are killed ------------------------------------------ */

#define KIDS	4UL
#define ROUNDS	10UL
#define SET	32UL		/* pages of a set; it has one generation */

/*
 * Each child maps its own file and a common file. The last child calls
 * MS_ASYNC. The other children wait for their commits.
 */
static _Noreturn void kid(unsigned long me)
{
	static const int flags[KIDS][2] = {
		{ MS_SYNC, MS_SYNC },
		{ MS_INVALIDATE, MS_SYNC | MS_INVALIDATE },
		{ MS_SYNC, MS_INVALIDATE },
		{ MS_ASYNC, MS_ASYNC | MS_INVALIDATE },
	};
	char name[16], *area = reserve(SET + KIDS);
	uint64_t gen;
	int fd;

	sprintf(name, "own%lu", me);
	fd = open_file(name, 0);
	map_file_at(area, fd, 0, SET);
	fd = open_file("common", 0);
	map_file_at(area + SET * PAGE, fd, 0, KIDS);
	for (gen = page_gen(area) + 1;; gen++) {
		store(area, SET, gen);
		put_page_gen(area + (SET + me) * PAGE, gen);
		if (call(area, (SET + KIDS) * PAGE, flags[me][gen % 2]))
			_exit(1);
	}
}

static void kill_round(void)
{
	pid_t pids[KIDS];
	unsigned long i;
	int status;

	for (i = 0; i < KIDS; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (!pids[i])
			kid(i);
	}
	usleep((20000 + below(150000)) * slowness());
	for (i = 0; i < KIDS; i++) {
		CHECK(!kill(pids[i], SIGKILL));
		if (below(2))
			usleep(below(5000));
	}
	for (i = 0; i < KIDS; i++) {
		CHECK(waitpid(pids[i], &status, 0) == pids[i]);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
}

/*
 * After the children were killed, each file can still be synced with all flags.
 */
static void all_works(uint64_t gen)
{
	unsigned long i, j;
	char name[16], *map;
	int fd;

	for (i = 0; i < KIDS; i++) {
		sprintf(name, "own%lu", i);
		fd = open_file(name, 0);
		map = map_file(fd, SET);
		for (j = 0; j < 3; j++) {
			store(map, SET, gen);
			CHECK(!call(map, SET * PAGE, all_flags[j]));
			expect(map, SET, gen, "after the others were killed");
		}
		CHECK(!call(map, SET * PAGE, MS_SYNC));
		CHECK(!truncate(name, SET * PAGE));
		unmap(map, SET);
		CHECK(!close(fd));
	}
}

static uint64_t check_sets(void)
{
	uint64_t gen, sum = 0;
	char name[16], page[PAGE];
	unsigned long i;
	int fd;

	/*
	 * Do not check the child that calls MS_ASYNC. It stores again before
	 * its commit has ended, so its pages may have two generations.
	 */
	for (i = 0; i < KIDS - 1; i++) {
		sprintf(name, "own%lu", i);
		fd = open_file(name, 0);
		SAME(pread(fd, page, PAGE, 0), PAGE);
		gen = page_gen(page);
		expect_file(name, 0, SET, gen);
		CHECK(!close(fd));
		sum += gen;
	}
	return sum;
}

static void test_kill(void)
{
	uint64_t before, after = 0;
	unsigned long i;
	char name[16];

	seed(time(NULL));
	for (i = 0; i < KIDS; i++) {
		sprintf(name, "own%lu", i);
		CHECK(!close(new_file(name, SET)));
	}
	CHECK(!close(new_file("common", KIDS)));
	sync();
	for (i = 0; i < ROUNDS || after <= KIDS; i++) {
		before = check_sets();
		kill_round();
		/*
		 * When a child is killed, memory may have a set with two
		 * generations. On the disk, each set must have one generation.
		 */
		crash();
		after = check_sets();
		CHECK(after >= before);
	}
	printf("%lu rounds, %lu generations\n", i, after - (KIDS - 1));
	kill_round();
	all_works(after + 1000);
	/*
	 * Unmount while commits of killed processes are in progress. The
	 * unmount must wait for these commits.
	 */
	kill_round();
	CHECK(!chdir("/") && !close(run.door_fd));
	unmount(run.mnt);
	CHECK(!mount(need_env("DEVICE"), run.mnt, "msyncfs", 0,
		     getenv("OPTIONS")));
	open_door();
	CHECK(!chdir(run.dir));
	all_works(after + 1000000);
}

static const struct test tests[] = {
	{ "race", test_race },
	{ "writers", test_writers },
	{ "signal", test_signal },
	{ "kill", test_kill },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
