// SPDX-License-Identifier: GPL-2.0
/*
 * What msync returns and what is durable when it does, for each flag and each
 * kind of mapping. MS_INVALIDATE on pages, MS_ASYNC on a slow device, errors
 * and races are in files of their own.
 *
 * Usage: msync MNT DOOR TEST, see msync.h
 */
#include "msync.h"

#include <linux/io_uring.h>

/* ---- arguments ---------------------------------------------------------- */

static const int good_flags[] = {
	0, MS_ASYNC, MS_SYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE,
	MS_ASYNC | MS_INVALIDATE,
};

#define NR_GOOD	(sizeof(good_flags) / sizeof(good_flags[0]))

static void test_einval(void)
{
	static const int bad_flags[] = {
		MS_SYNC | MS_ASYNC, MS_SYNC | MS_ASYNC | MS_INVALIDATE,
		8, 8 | MS_SYNC, 0x100 | MS_ASYNC, 0x40000000 | MS_SYNC,
		~(MS_SYNC | MS_ASYNC | MS_INVALIDATE), -1,
	};
	static const unsigned int bad_offsets[] = { 1, 8, 2048, PAGE - 1 };
	int fd = new_file("f", 4);
	char *map = map_file(fd, 4), *nowhere = reserve(1);
	unsigned int i, j;

	unmap(nowhere, 1);
	store(map, 4, 2);
	for (i = 0; i < sizeof(bad_flags) / sizeof(bad_flags[0]); i++) {
		FAILS(call(map, 4 * PAGE, bad_flags[i]), EINVAL);
		FAILS(call(map, 0, bad_flags[i]), EINVAL);
		FAILS(call(nowhere, PAGE, bad_flags[i]), EINVAL);
	}
	for (i = 0; i < sizeof(bad_offsets) / sizeof(bad_offsets[0]); i++)
		for (j = 0; j < NR_GOOD; j++) {
			FAILS(call(map + bad_offsets[i], PAGE, good_flags[j]),
			      EINVAL);
			FAILS(call(map + bad_offsets[i], 0, good_flags[j]),
			      EINVAL);
		}
	expect_resident(map, 4, 0xf, "after EINVAL");
	expect(map, 4, 2, "after EINVAL");
	unmap(map, 4);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 4, 1);
}

/* Nothing is done, whatever is there. */
static void test_empty(void)
{
	int fd = new_file("f", 4);
	char *map = map_file(fd, 4), *nowhere = reserve(1);
	unsigned int i;

	unmap(nowhere, 1);
	store(map, 4, 2);
	for (i = 0; i < NR_GOOD; i++) {
		CHECK(!call(map, 0, good_flags[i]));
		CHECK(!call(map + PAGE, 0, good_flags[i]));
		CHECK(!call(nowhere, 0, good_flags[i]));
		CHECK(!call(NULL, 0, good_flags[i]));
	}
	expect_resident(map, 4, 0xf, "after length 0");
	unmap(map, 4);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 4, 1);
}

/*
 * Pages 0 and 3 of the range are mapped, and so is 6, behind its end. With
 * @first_hole the range begins in a hole, and ends in one.
 */
static void hole(const char *name, int flags, bool first_hole)
{
	int fd = new_file(name, 3), i;
	char *area = reserve(9), *from = area + PAGE;

	unmap(area, 9);
	for (i = 0; i < 3; i++)
		store(map_file_at(area + (1 + 3 * i) * PAGE, fd, i, 1), 1, 2);
	if (first_hole)
		from -= PAGE;
	FAILS(call(from, area + 6 * PAGE - from, flags), ENOMEM);
	if (flags & MS_INVALIDATE) {
		expect_resident(area + PAGE, 1, 0, "before the hole");
		expect_resident(area + 4 * PAGE, 1, 0, "behind the hole");
		expect_resident(area + 7 * PAGE, 1, 1, "behind the range");
	}
	/* Mapped and with nothing to write before the hole, nothing behind. */
	FAILS(call(area + 7 * PAGE, 2 * PAGE, flags), ENOMEM);
	for (i = 0; i < 3; i++)
		unmap(area + (1 + 3 * i) * PAGE, 1);
	CHECK(!close(fd));
}

static void test_hole(void)
{
	char *nowhere = reserve(4);
	unsigned int i;

	unmap(nowhere, 4);
	for (i = 0; i < NR_GOOD; i++) {
		FAILS(call(nowhere, PAGE, good_flags[i]), ENOMEM);
		FAILS(call(nowhere, 4 * PAGE, good_flags[i]), ENOMEM);
	}
	/* Mapped, but not to be touched: there all the same. */
	nowhere = reserve(4);
	for (i = 0; i < NR_GOOD; i++)
		CHECK(!call(nowhere, 4 * PAGE, good_flags[i]));

	hole("sync", MS_SYNC, false);
	hole("sync2", MS_SYNC, true);
	if (door.full) {
		hole("invalidate", MS_INVALIDATE, false);
		hole("invalidate2", MS_INVALIDATE | MS_SYNC, true);
	}
	crash();
	expect_file("sync", 0, 3, 2);
	expect_file("sync2", 0, 3, 2);
	if (door.full) {
		expect_file("invalidate", 0, 3, 2);
		expect_file("invalidate2", 0, 3, 2);
	}
}

/* A range that wraps syncs nothing, one that leaves the address space does. */
static void test_wrap(void)
{
	unsigned long top = 1UL << 47, addr;
	int fd = new_file("f", 2), gd = new_file("g", 2);
	char *map = map_file(fd, 2), *gmap = map_file(gd, 2);
	unsigned int i;

	store(map, 2, 2);
	store(gmap, 2, 2);
	addr = (unsigned long)map;
	for (i = 0; i < NR_GOOD; i++) {
		if (door.compat) {
			/* The last that 32 bits can say. */
			FAILS(call((void *)0xfffff000, PAGE, good_flags[i]),
			      ENOMEM);
			continue;
		}
		FAILS(call(map, -addr, good_flags[i]), ENOMEM);
		FAILS(call(map, -addr + PAGE, good_flags[i]), ENOMEM);
		FAILS(call(map, -PAGE, good_flags[i]), ENOMEM);
		/* Rounded up this is 0, which a kernel may well take it for. */
		if (door.full) {
			FAILS(call(map, -1UL, good_flags[i]), ENOMEM);
			FAILS(call(map, -PAGE + 1, good_flags[i]), ENOMEM);
		}
		FAILS(call((void *)top, PAGE, good_flags[i]), ENOMEM);
		FAILS(call((void *)-PAGE, PAGE - 1, good_flags[i]), ENOMEM);
		FAILS(call((void *)0xffff888000000000, 2 * PAGE, good_flags[i]),
		      ENOMEM);
	}
	expect_resident(map, 2, 3, "after ranges that wrap");
	unmap(map, 2);

	addr = (unsigned long)gmap;
	if (door.compat)
		FAILS(call(gmap, 0xfffff000, MS_SYNC), ENOMEM);
	else
		FAILS(call(gmap, top + 16 * PAGE - addr, MS_SYNC), ENOMEM);
	unmap(gmap, 2);
	CHECK(!close(fd) && !close(gd));
	crash();
	expect_file("f", 0, 2, 1);
	expect_file("g", 0, 2, 2);
}

/* ---- MS_SYNC ------------------------------------------------------------ */

#define SPAN	20UL		/* pages of each of two files in one range */

/* Two files side by side, with all that splits mappings and is none. */
static char *map_both(int fd, int gd)
{
	char *area = reserve(2 * SPAN + 1);

	map_file_at(area, fd, 0, SPAN);
	map_file_at(area + SPAN * PAGE, gd, 0, SPAN);
	/* A page of the first file that is in the range once more. */
	map_file_at(area + 2 * SPAN * PAGE, fd, 1, 1);
	store(area, 2 * SPAN, 2);
	put_page_gen(area + 2 * SPAN * PAGE, 3);
	CHECK(!mprotect(area + 4 * PAGE, PAGE, PROT_READ));
	CHECK(!mprotect(area + 6 * PAGE, PAGE, PROT_NONE));
	CHECK(!mlock(area + 9 * PAGE, 2 * PAGE));
	CHECK(!madvise(area + (SPAN + 5) * PAGE, PAGE, MADV_RANDOM));
	return area;
}

static void expect_both(void)
{
	expect_file("f", 0, 1, 2);
	expect_file("f", 1, 1, 3);
	expect_file("f", 2, SPAN - 2, 2);
	expect_file("g", 0, SPAN, 2);
}

static void test_sync(void)
{
	int fd = new_file("f", SPAN), gd = new_file("g", SPAN), hd;
	char *area = map_both(fd, gd), *map;

	CHECK(!call(area, (2 * SPAN + 1) * PAGE, MS_SYNC));
	unmap(area, 2 * SPAN + 1);

	/* Only the range, rounded up to whole pages; blocks that are new. */
	hd = open_file("h", O_CREAT | O_EXCL);
	CHECK(!ftruncate(hd, 8 * PAGE));
	CHECK(!fsync(hd));
	map = map_file(hd, 8);
	store(map, 8, 2);
	CHECK(!call(map + 2 * PAGE, 2 * PAGE + 1, MS_SYNC));
	unmap(map, 8);
	CHECK(!close(fd) && !close(gd) && !close(hd));
	crash();
	expect_both();
	expect_file("h", 0, 2, 0);
	expect_file("h", 2, 3, 2);
	expect_file("h", 5, 3, 0);
}

/* One call, one record, one flush. */
static void test_record(void)
{
	int fd = new_file("f", SPAN), gd = new_file("g", SPAN);
	const char *disk = need_env("DISK");
	unsigned long commits;
	struct io before, after;
	char *area;

	settle();
	set_attr("checkpoint_pause", "1\n");
	area = map_both(fd, gd);
	commits = counter("commits");
	before = disk_io(disk);
	CHECK(!call(area, (2 * SPAN + 1) * PAGE, MS_SYNC));
	after = disk_io(disk);
	commits = counter("commits") - commits;
	printf("%lu pages of two files: %lu records, %lu writes, %lu KiB, %lu flushes\n",
	       2 * SPAN, commits, after.writes - before.writes,
	       after.kib - before.kib, after.flushes - before.flushes);
	if (door.full) {
		SAME(commits, 1);
		SAME(after.flushes - before.flushes, 1);
		CHECK(after.writes - before.writes <= 2);
		CHECK(after.kib - before.kib <= (2 * SPAN + 10) * PAGE / 1024);
	}
	before = disk_io(disk);
	CHECK(!call(area, (2 * SPAN + 1) * PAGE, MS_SYNC));
	after = disk_io(disk);
	SAME(after.writes, before.writes);
	SAME(after.flushes, before.flushes);
	set_attr("checkpoint_pause", "0\n");
	unmap(area, 2 * SPAN + 1);
	CHECK(!close(fd) && !close(gd));
	crash();
	expect_both();
}

/* ---- 0 and MS_ASYNC ----------------------------------------------------- */

/* That it gets durable is for msync_async to show; here that it does nothing. */
static void test_nothing(void)
{
	static const int flags[] = { 0, MS_ASYNC, MS_INVALIDATE,
				     MS_ASYNC | MS_INVALIDATE };
	int fd = new_file("f", 4);
	char *map = map_file(fd, 4);
	unsigned int i;

	CHECK(!door.full);
	store(map, 4, 2);
	for (i = 0; i < 4; i++)
		CHECK(!call(map, 4 * PAGE, flags[i]));
	expect_resident(map, 4, 0xf, "after flags that do nothing");
	unmap(map, 4);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 4, 1);
}

/* ---- other mappings ----------------------------------------------------- */

static void test_private(void)
{
	int fd = new_file("f", 4);
	char *private = map_at(NULL, fd, 0, 4, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE);
	char *shared = map_file(fd, 4);
	unsigned long commits;
	unsigned int i;

	settle();
	touch(private, 4);
	store(private, 2, 7);
	commits = counter("commits");
	for (i = 0; i < NR_GOOD; i++) {
		CHECK(!call(private, 4 * PAGE, good_flags[i]));
		expect(private, 2, 7, "stored privately");
	}
	/* Dropped from the shared mapping, and not from the private one. */
	for (i = 0; i < NR_GOOD; i++) {
		CHECK(!call(shared, 4 * PAGE, good_flags[i]));
		expect(private, 2, 7, "stored privately, the file synced");
		expect(shared, 4, 1, "the file");
	}
	SAME(counter("commits"), commits);
	expect(private + 2 * PAGE, 2, 1, "not stored to");
	expect_file("f", 0, 4, 1);

	/* What the file gets, the unmodified half of the private one shows. */
	store(shared, 4, 2);
	CHECK(!call(shared, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
	expect(private, 2, 7, "stored privately");
	expect(private + 2 * PAGE, 2, 2, "not stored to");
	unmap(private, 4);
	unmap(shared, 4);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 4, 2);
}

#define MAX_OTHERS	8

struct other {
	char dir[128], name[160];
	int fd;
	char *map;
	bool msyncfs;
};

/* A page of a file on each of $OTHERS. */
static int open_others(struct other *others)
{
	char *dirs = strdup(getenv("OTHERS") ?: ""), *dir, *save;
	char type[64];
	int nr = 0;
	FILE *f;

	CHECK(dirs);
	for (dir = strtok_r(dirs, " ", &save); dir;
	     dir = strtok_r(NULL, " ", &save)) {
		struct other *o = &others[nr++];
		char where[256];

		CHECK(nr <= MAX_OTHERS);
		snprintf(o->dir, sizeof(o->dir), "%s", dir);
		snprintf(o->name, sizeof(o->name), "%s/%s_%s", dir, door.name,
			 run.test);
		o->fd = new_file(o->name, 1);
		o->msyncfs = false;
		f = fopen("/proc/mounts", "r");
		CHECK(f);
		while (fscanf(f, "%*s %255s %63s %*[^\n]", where, type) == 2)
			if (!strcmp(where, dir))
				o->msyncfs = !strcmp(type, "msyncfs");
		fclose(f);
		printf("%s too%s\n", dir, o->msyncfs ? ", a second mount" : "");
	}
	free(dirs);
	return nr;
}

/*
 * [f][anonymous][anonymous, shared][tmpfs][f, private][others][g]: all but the
 * last and the first are treated as Linux treats them.
 */
static void test_other(void)
{
	struct other others[MAX_OTHERS];
	int nr = open_others(others), i;
	int fd = new_file("f", 1), gd = new_file("g", 1);
	int td = memfd_create("tmpfs", 0);
	unsigned long pages = nr + 6;
	char *area = reserve(pages), *at = area + 5 * PAGE;
	struct io before, after;
	unsigned int j;

	CHECK(td >= 0 && !ftruncate(td, PAGE));
	map_file_at(area, fd, 0, 1);
	map_at(area + PAGE, -1, 0, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	map_at(area + 2 * PAGE, -1, 0, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	map_file_at(area + 3 * PAGE, td, 0, 1);
	map_at(area + 4 * PAGE, fd, 0, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	for (i = 0; i < nr; i++, at += PAGE)
		others[i].map = map_file_at(at, others[i].fd, 0, 1);
	map_file_at(at, gd, 0, 1);

	for (j = 0; j < NR_GOOD; j++) {
		store(area, pages, 2 + j);
		CHECK(!call(area, pages * PAGE, good_flags[j]));
		/* Of these none may go. */
		expect_resident(area + PAGE, 4, 0xf, "what is no msyncfs");
		for (i = 0; i < nr; i++)
			if (!others[i].msyncfs)
				expect_resident(others[i].map, 1, 1,
						others[i].dir);
		expect(area, pages, 2 + j, "as stored");
	}
	for (i = 0; i < nr; i++)
		put_page_gen(others[i].map, 20);
	put_page_gen(area, 20);
	put_page_gen(at, 20);
	before = disk_io(need_env("DISK2"));
	CHECK(!call(area, pages * PAGE, MS_SYNC));
	after = disk_io(need_env("DISK2"));
	printf("MS_SYNC: %lu writes, %lu flushes on the disk of the others\n",
	       after.writes - before.writes, after.flushes - before.flushes);
	CHECK(after.writes - before.writes >= (unsigned long)nr);

	unmap(area, pages);
	CHECK(!close(fd) && !close(gd) && !close(td));
	for (i = 0; i < nr; i++) {
		CHECK(!close(others[i].fd));
		if (others[i].msyncfs)
			crash_mount(others[i].dir, NULL);
		expect_file(others[i].name, 0, 1, 20);
		CHECK(!unlink(others[i].name));
	}
	crash();
	expect_file("f", 0, 1, 20);
	expect_file("g", 0, 1, 20);
}

/* A file without fsync: EINVAL, as vfs_fsync_range() has it. */
static void no_fsync(void)
{
	struct io_uring_params params = { };
	int ring = syscall(SYS_io_uring_setup, 4, &params);
	char *map;

	CHECK(ring >= 0);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		   IORING_OFF_SQES);
	CHECK(map != MAP_FAILED);
	FAILS(msync(map, PAGE, MS_SYNC), EINVAL);
	FAILS(call(map, PAGE, MS_SYNC), EINVAL);
	CHECK(!call(map, PAGE, MS_ASYNC));
	CHECK(!call(map, PAGE, MS_INVALIDATE));
	CHECK(!call(map, PAGE, 0));
	CHECK(!munmap(map, PAGE) && !close(ring));
}

/* [vdso], [vvar], [stack], [heap]: whatever msync(2) itself says. */
static void special(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512], *name;
	unsigned int i, nr = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		name = strchr(line, '[');
		if (!name || sscanf(line, "%lx-%lx", &from, &to) != 2 ||
		    from >> 47 || (door.compat && to >> 32))
			continue;
		for (i = 0; i < NR_GOOD; i++)
			CHECK(!call((void *)from, to - from, good_flags[i]));
		name[strcspn(name, "\n")] = 0;
		printf("%s%s", nr++ ? " " : "also ", name);
	}
	printf("\n");
	CHECK(nr);
	fclose(f);
}

static void huge_pages(void)
{
	size_t size = 2 << 20;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB |
			 (door.compat ? MAP_32BIT : 0), -1, 0);
	unsigned int i;

	if (map == MAP_FAILED) {
		printf("no huge page to be had: %s\n", strerror(errno));
		return;
	}
	for (i = 0; i < NR_GOOD; i++) {
		put_page_gen(map, 5 + i);
		CHECK(!call(map, size, good_flags[i]));
		CHECK(!call(map + PAGE, PAGE, good_flags[i]));
		expect(map, 1, 5 + i, "a huge page");
	}
	CHECK(!munmap(map, size));
}

static void test_special(void)
{
	special();
	huge_pages();
	if (!door.compat)
		no_fsync();
}

/* ---- times -------------------------------------------------------------- */

static bool before(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec ||
	       (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* A moment later than that of any update so far. */
static struct timespec later(void)
{
	struct timespec t;

	usleep(60000);
	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	usleep(60000);
	return t;
}

static void expect_marked(int fd, struct timespec since, const char *what)
{
	struct stat st = fstat_of(fd);

	errno = 0;
	if (!before(st.st_mtim, since) && !before(st.st_ctim, since))
		return;
	fprintf(stderr, "%s: mtime %ld.%09ld, ctime %ld.%09ld, before the store at %ld.%09ld\n",
		what, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_ctim.tv_sec,
		st.st_ctim.tv_nsec, since.tv_sec, since.tv_nsec);
	exit(1);
}

static void expect_times(int fd, struct stat was, const char *what)
{
	struct stat st = fstat_of(fd);

	errno = 0;
	if (!memcmp(&st.st_mtim, &was.st_mtim, sizeof(st.st_mtim)) &&
	    !memcmp(&st.st_ctim, &was.st_ctim, sizeof(st.st_ctim)))
		return;
	fprintf(stderr, "%s: mtime %ld.%09ld -> %ld.%09ld, ctime %ld.%09ld -> %ld.%09ld\n",
		what, was.st_mtim.tv_sec, was.st_mtim.tv_nsec,
		st.st_mtim.tv_sec, st.st_mtim.tv_nsec, was.st_ctim.tv_sec,
		was.st_ctim.tv_nsec, st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	exit(1);
}

/* Stored to a page that is dirty and writable already: no fault tells. */
static void times_of_store(int fd, char *map, int flags, const char *what)
{
	struct timespec since;
	struct stat st;

	store(map, 4, 5);
	since = later();
	store(map, 4, 6);
	CHECK(!call(map, 4 * PAGE, flags));
	expect_marked(fd, since, what);
	CHECK(!call(map, 4 * PAGE, MS_SYNC));
	st = fstat_of(fd);
	later();
	/* Nothing is dirty: nothing to mark. */
	CHECK(!call(map, 4 * PAGE, flags));
	CHECK(!call(map, 4 * PAGE, MS_SYNC));
	CHECK(!fsync(fd));
	expect_times(fd, st, "msync with nothing dirty");
}

/* A single store is marked once, by the fault or by msync: not again later. */
static void times_of_one(int fd, char *map)
{
	struct timespec since;
	struct stat st;

	since = later();
	store(map, 1, 7);
	CHECK(!call(map, PAGE, MS_SYNC));
	expect_marked(fd, since, "one store");
	st = fstat_of(fd);
	later();
	CHECK(!fsync(fd));
	CHECK(!call(map, PAGE, MS_SYNC));
	expect_times(fd, st, "synced again");
}

static void times_of_write(int fd, char *map)
{
	const struct timespec past[2] = { { 1000000000, 7 }, { 1000000000, 8 } };
	char buf[PAGE] = { };
	struct stat st;
	int i;

	touch(map, 4);
	for (i = 0; i < 2; i++) {
		SAME(pwrite(fd, buf, PAGE, 0), PAGE);
		CHECK(!futimens(fd, past));
		st = fstat_of(fd);
		later();
		CHECK(i ? !call(map, 4 * PAGE, MS_SYNC) : !fsync(fd));
		expect_times(fd, st, i ? "msync of what write(2) wrote" :
			     "fsync of what write(2) wrote");
	}
	SAME(st.st_mtim.tv_sec, 1000000000);
}

static void test_times(void)
{
	int fd = new_file("f", 4);
	char *map = map_file(fd, 4);

	times_of_write(fd, map);
	times_of_one(fd, map);
	times_of_store(fd, map, MS_SYNC, "MS_SYNC");
	if (door.full) {
		times_of_store(fd, map, MS_ASYNC, "MS_ASYNC");
		times_of_store(fd, map, MS_INVALIDATE, "MS_INVALIDATE");
	}
	unmap(map, 4);
	CHECK(!close(fd));
}

/* ---- the ioctl itself --------------------------------------------------- */

static void test_ioctl(void)
{
	static struct msyncfs_msync m;
	static const int bits[] = { 1, 1 << 16, 1 << 31, -1 };
	int fd = new_file("f", 4), ro = open("f", O_RDONLY), td;
	int path = open("f", O_PATH);
	char *map = map_file(fd, 4), *nowhere = reserve(1);
	unsigned int i;

	CHECK(door.how == IOCTL && ro >= 0 && path >= 0);
	unmap(nowhere, 1);
	store(map, 4, 2);
	m = (struct msyncfs_msync){
		.addr = (unsigned long)map, .len = 4 * PAGE, .flags = MS_SYNC,
	};
	for (i = 0; i < 4; i++) {
		m.reserved = bits[i];
		FAILS(call_ioctl(run.door_fd, &m), EINVAL);
		FAILS(call_ioctl(fd, &m), EINVAL);
	}
	m.reserved = 0;
	FAILS(call_ioctl(fd, NULL), EFAULT);
	FAILS(call_ioctl(run.door_fd, nowhere), EFAULT);
	FAILS(call_ioctl(path, &m), EBADF);
	td = memfd_create("tmpfs", 0);
	FAILS(call_ioctl(td, &m), ENOTTY);

	/* What the system call cannot say. */
	m.addr = 1UL << 47;
	FAILS(call_ioctl(fd, &m), ENOMEM);
	m.addr = -PAGE;
	FAILS(call_ioctl(fd, &m), ENOMEM);
	m.addr = (unsigned long)map;
	m.len = -PAGE;
	FAILS(call_ioctl(fd, &m), ENOMEM);
	m.len = -1;
	FAILS(call_ioctl(fd, &m), ENOMEM);
	m.addr = 0;
	m.len = 0;
	CHECK(!call_ioctl(fd, &m));

	/* Through another file, a directory, and one for reading only. */
	m.len = PAGE;
	for (i = 0; i < 3; i++) {
		m.addr = (unsigned long)map + i * PAGE;
		CHECK(!call_ioctl(i == 0 ? fd : i == 1 ? run.door_fd : ro, &m));
	}
	unmap(map, 4);
	CHECK(!close(fd) && !close(ro) && !close(td) && !close(path));
	crash();
	expect_file("f", 0, 3, 2);
	expect_file("f", 3, 1, 1);
}

/* ---- after a shutdown --------------------------------------------------- */

static void test_shutdown(void)
{
	__u32 flags = MSYNCFS_SHUTDOWN_NOLOGFLUSH;
	int fd = new_file("f", 4);
	char *map = map_file(fd, 4);

	store(map, 4, 2);
	CHECK(!ioctl(fd, MSYNCFS_IOC_SHUTDOWN, &flags));
	FAILS(call(map, 4 * PAGE, MS_SYNC), EIO);
	if (door.full) {
		FAILS(call(map, 4 * PAGE, MS_SYNC | MS_INVALIDATE), EIO);
		FAILS(call(map, 4 * PAGE, MS_INVALIDATE), EIO);
	}
	expect(map, 4, 2, "what could not be written");
	unmap(map, 4);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 4, 1);
}

/* ---- with msync=bsd ----------------------------------------------------- */

/* Length 0 is the whole mapping that contains the address, and no other. */
static void test_bsd_empty(void)
{
	static const int flags[] = { MS_SYNC, 0, MS_INVALIDATE,
				     MS_INVALIDATE | MS_SYNC };
	char *area = reserve(24), *nowhere = area + 20 * PAGE;
	unsigned long commits;
	char name[16];
	int fd, i;

	unmap(area + 16 * PAGE, 8);
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		fd = new_file(name, 16);
		/* Not in the file's order: these do not become one. */
		map_file_at(area, fd, 8, 8);
		map_file_at(area + 8 * PAGE, fd, 0, 8);
		store(area, 16, 2);
		commits = counter("commits");
		CHECK(!call(area + 5 * PAGE, 0, flags[i]));
		CHECK(counter("commits") > commits);
		expect_resident(area, 16, flags[i] & MS_INVALIDATE ? 0xff00 :
				0xffff, "after length 0");
		CHECK(!close(fd));
	}
	for (i = 0; i < 4; i++) {
		FAILS(call(nowhere, 0, flags[i]), ENOMEM);
		FAILS(call(area + 3, 0, flags[i]), EINVAL);
	}
	FAILS(call(nowhere, 0, MS_ASYNC), ENOMEM);
	unmap(area, 16);
	area = map_at(NULL, -1, 0, 2, PROT_READ, MAP_PRIVATE);
	CHECK(!call(area, 0, MS_SYNC));
	unmap(area, 2);
	crash();
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		expect_file(name, 0, 8, 1);
		expect_file(name, 8, 8, 2);
	}
}

static void test_bsd_zero(void)
{
	int fd = new_file("f", 8);
	char *map = map_file(fd, 8);

	store(map, 8, 2);
	CHECK(!call(map + 2 * PAGE, 4 * PAGE, 0));
	expect_resident(map, 8, 0xff, "after flags 0");
	unmap(map, 8);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 2, 1);
	expect_file("f", 2, 4, 2);
	expect_file("f", 6, 2, 1);
}

static void test_bsd_einval(void)
{
	int fd = new_file("f", 4);
	char *map = map_file(fd, 4), *anon;

	store(map, 4, 2);
	FAILS(call(map, 4 * PAGE, MS_ASYNC | MS_INVALIDATE), EINVAL);
	FAILS(call(map, 4 * PAGE, MS_ASYNC | MS_SYNC), EINVAL);
	FAILS(call(map + 1, 4 * PAGE, 0), EINVAL);
	expect_resident(map, 4, 0xf, "after EINVAL");
	/* One flag by itself is fine. */
	anon = map_at(NULL, -1, 0, 1, PROT_READ, MAP_PRIVATE);
	CHECK(!call(anon, PAGE, MS_ASYNC));
	CHECK(!call(anon, PAGE, MS_INVALIDATE));
	unmap(map, 4);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 4, 1);
}

static const struct test tests[] = {
	{ "einval", test_einval },
	{ "empty", test_empty },
	{ "hole", test_hole },
	{ "wrap", test_wrap },
	{ "sync", test_sync },
	{ "record", test_record },
	{ "nothing", test_nothing },
	{ "private", test_private },
	{ "other", test_other },
	{ "special", test_special },
	{ "times", test_times },
	{ "ioctl", test_ioctl },
	{ "shutdown", test_shutdown },
	{ "bsd_empty", test_bsd_empty },
	{ "bsd_zero", test_bsd_zero },
	{ "bsd_einval", test_bsd_einval },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
