// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests the return value of msync, the durability of the data, and
 * the times of the file. The other msync programs test other mappings,
 * MS_INVALIDATE, MS_ASYNC, errors and races.
 *
 * Usage: msync MNT DOOR TEST, see msync.h
 */
#include "msync.h"

/* ---- arguments ---------------------------------------------------------- */

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
	for (i = 0; i < ARRAY_SIZE(bad_flags); i++) {
		FAILS(call(map, 4 * PAGE, bad_flags[i]), EINVAL);
		FAILS(call(map, 0, bad_flags[i]), EINVAL);
		FAILS(call(nowhere, PAGE, bad_flags[i]), EINVAL);
	}
	for (i = 0; i < ARRAY_SIZE(bad_offsets); i++)
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

/* A call of length 0 does nothing, for mapped and for unmapped addresses. */
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
 * Pages 1, 4 and 7 of @area are mapped. The range has pages 1 to 5 and ends in
 * a hole. If @first_hole is set, the range begins at page 0, which is a hole.
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
	/*
	 * This call starts with a mapped page that has no stores. A hole
	 * follows it.
	 */
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
	/*
	 * With the mount option msync=bsd, the error is ENOMEM, too. The option
	 * makes some flags invalid only for memory of its mount, and unmapped
	 * memory belongs to no mount.
	 */
	for (i = 0; i < NR_GOOD; i++) {
		FAILS(call(nowhere, PAGE, good_flags[i]), ENOMEM);
		FAILS(call(nowhere, 4 * PAGE, good_flags[i]), ENOMEM);
	}
	/* A PROT_NONE mapping counts as mapped. */
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

/*
 * If a range wraps around the end of the address space, msync syncs nothing. If
 * a range only leaves the address space, msync syncs its mapped pages.
 */
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
			/* This is the last page that 32 bits can address. */
			FAILS(call((void *)0xfffff000, PAGE, good_flags[i]),
			      ENOMEM);
			continue;
		}
		FAILS(call(map, -addr, good_flags[i]), ENOMEM);
		FAILS(call(map, -addr + PAGE, good_flags[i]), ENOMEM);
		FAILS(call(map, -PAGE, good_flags[i]), ENOMEM);
		/*
		 * If the length -1 is rounded up to pages, the result is 0. A
		 * stock kernel may treat this length like 0.
		 */
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

#define SPAN	20UL		/* pages in each file */

/*
 * Map two files side by side. Different protections, locks and advice split the
 * mappings.
 */
static char *map_both(int fd, int gd)
{
	char *area = reserve(2 * SPAN + 1);

	map_file_at(area, fd, 0, SPAN);
	map_file_at(area + SPAN * PAGE, gd, 0, SPAN);
	/* Map page 1 of the first file a second time. */
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

	/*
	 * Sync a part of a file without blocks. The length is rounded up to
	 * whole pages. On the device, the pages outside the range stay zero.
	 */
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

/*
 * The file also has a mapping that can never store, and this mapping is older
 * than the mapping that stores. Each store after a call must be part of the next
 * call.
 */
static void test_readers(void)
{
	int fd = new_file("f", SPAN);
	char *private = map_at(NULL, fd, 0, SPAN, PROT_READ, MAP_PRIVATE), *map;
	int gen;

	touch(private, SPAN);
	map = map_file(fd, SPAN);
	for (gen = 2; gen < 6; gen++) {
		store(map, SPAN, gen);
		CHECK(!call(map, SPAN * PAGE, MS_SYNC));
	}
	unmap(map, SPAN);
	unmap(private, SPAN);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, SPAN, gen - 1);
}

/* One call makes one record and one flush. */
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

#define FILES	20UL
#define TURNED	100UL		/* pages of a file, mapped in reverse order */

/*
 * Map many pieces of many files. The table that msync keeps for the ranges must
 * grow.
 */
static void map_pieces(char *area)
{
	char name[16];
	unsigned long i;
	int fd;

	for (i = 0; i < FILES; i++) {
		sprintf(name, "f%lu", i);
		fd = open_file(name, 0);
		map_file_at(area + i * PAGE, fd, 1, 1);
		CHECK(!close(fd));
	}
	fd = open_file("turned", 0);
	for (i = 0; i < TURNED; i++)
		map_file_at(area + (FILES + i) * PAGE, fd, TURNED - 1 - i, 1);
	CHECK(!close(fd));
}

static void test_many(void)
{
	char *area = reserve(FILES + TURNED), name[16];
	unsigned long i, commits, size = (FILES + TURNED) * PAGE;

	for (i = 0; i < FILES; i++) {
		sprintf(name, "f%lu", i);
		CHECK(!close(new_file(name, 3)));
	}
	CHECK(!close(new_file("turned", TURNED)));
	map_pieces(area);
	settle();
	store(area, FILES + TURNED, 2);
	commits = counter("commits");
	CHECK(!call(area, size, MS_SYNC));
	if (door.full) {
		SAME(counter("commits"), commits + 1);
		store(area, FILES + TURNED, 3);
		CHECK(!call(area, size, MS_INVALIDATE));
		for (i = 0; i < FILES + TURNED; i++)
			expect_resident(area + i * PAGE, 1, 0, "many pieces");
		expect(area, FILES + TURNED, 3, "read again");
	}
	unmap(area, FILES + TURNED);
	crash();
	for (i = 0; i < FILES; i++) {
		sprintf(name, "f%lu", i);
		expect_file(name, 0, 1, 1);
		expect_file(name, 1, 1, door.full ? 3 : 2);
		expect_file(name, 2, 1, 1);
	}
	expect_file("turned", 0, TURNED, door.full ? 3 : 2);
}

/*
 * The range contains the end of the file, which lies in the middle of a page.
 */
static void test_eof(void)
{
	int fd = new_file("f", 2), i;
	char *map = map_file(fd, 4);
	unsigned int j;

	CHECK(!ftruncate(fd, PAGE + 1032));
	for (i = 0; i < (int)NR_GOOD; i++) {
		put_page_gen(map, 2 + i);
		memset(map + PAGE, 'a' + i, PAGE);
		CHECK(!call(map, 4 * PAGE, good_flags[i]));
		CHECK(!call(map + 2 * PAGE, 2 * PAGE, good_flags[i]));
		CHECK(map[PAGE + 1031] == 'a' + i);
		SAME(fstat_of(fd).st_size, PAGE + 1032);
		signal(SIGBUS, jump_back);
		if (!sigsetjmp(jump, 1)) {
			map[2 * PAGE] = 'x';
			CHECK(!"SIGBUS beyond the end");
		}
		signal(SIGBUS, SIG_DFL);
	}
	if (door.full) {
		/*
		 * Drop the page and read it back from the device. It must have
		 * zeros behind the end of the file.
		 */
		CHECK(!call(map, 4 * PAGE, MS_INVALIDATE));
		for (j = 1032; j < PAGE; j++)
			CHECK(!map[PAGE + j]);
	}
	CHECK(!call(map, 4 * PAGE, MS_SYNC));
	unmap(map, 4);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 1, 1 + NR_GOOD);
	SAME(stat_of("f").st_size, PAGE + 1032);
	CHECK(!truncate("f", 2 * PAGE));
	fd = open_file("f", 0);
	map = map_file(fd, 2);
	for (j = 0; j < PAGE; j++)
		SAME(map[PAGE + j], j < 1032 ? 'a' + (int)NR_GOOD - 1 : 0);
	unmap(map, 2);
	CHECK(!close(fd));
}

/*
 * Make pages dirty through one mapping. Sync them through another mapping: a
 * read-only shared mapping, a mapping of a file opened read-only, or a private
 * mapping.
 */
static void test_readonly(void)
{
	static const char * const names[] = { "ro", "prot", "private" };
	char *maps[3], *other;
	int fd, ro, i;

	for (i = 0; i < 3; i++) {
		fd = new_file(names[i], 4);
		ro = open(names[i], i ? O_RDWR : O_RDONLY);
		CHECK(ro >= 0);
		maps[i] = map_at(NULL, ro, 0, 4, PROT_READ,
				 i == 2 ? MAP_PRIVATE : MAP_SHARED);
		other = map_file(fd, 4);
		store(other, 4, 2);
		CHECK(!call(maps[i], 4 * PAGE, MS_SYNC));
		unmap(maps[i], 4);
		unmap(other, 4);
		CHECK(!close(fd) && !close(ro));
	}
	crash();
	/*
	 * Without the hook, Linux syncs a mapping only if it can be made
	 * writable and shared. A mapping of a file that was opened read-only
	 * cannot be made writable.
	 */
	expect_file("ro", 0, 4, door.full ? 2 : 1);
	expect_file("prot", 0, 4, 2);
	expect_file("private", 0, 4, 1);
}

/* ---- 0 and MS_ASYNC ----------------------------------------------------- */

/*
 * Without the hook, these calls return 0 and start no write. msync_async and
 * msync_invalidate test the calls with the hook.
 */
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

/* ---- times -------------------------------------------------------------- */

static bool before(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec ||
	       (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/*
 * Return a time that is later than all updates before this call and earlier
 * than all updates after it.
 */
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

/* Store to a page that is dirty and writable. Such a store causes no fault. */
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
	/* No page is dirty, so no time changes. */
	CHECK(!call(map, 4 * PAGE, flags));
	CHECK(!call(map, 4 * PAGE, MS_SYNC));
	CHECK(!fsync(fd));
	expect_times(fd, st, "msync with nothing dirty");
}

/*
 * Make a single store. Its fault or the first msync updates the times of the
 * file. Later calls without a new store must not change the times.
 */
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

	/* A user of the ioctl can pass values that msync(2) cannot pass. */
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

	/*
	 * Call through the mapped file, through a directory, and through a
	 * descriptor opened read-only.
	 */
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

/*
 * With length 0, the call syncs the whole mapping that contains the address,
 * and no other mapping.
 */
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
		/*
		 * Map the halves of the file in reverse order, so that the
		 * kernel does not merge the two mappings.
		 */
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
	/*
	 * An unmapped address belongs to no mount, so msync=bsd does not apply
	 * to it. An unaligned address is invalid on every mount.
	 */
	for (i = 0; i < 4; i++) {
		CHECK(!call(nowhere, 0, flags[i]));
		FAILS(call(area + 3, 0, flags[i]), EINVAL);
	}
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
	/*
	 * The mount option does not apply to memory that does not belong to the
	 * mount.
	 */
	anon = map_at(NULL, -1, 0, 1, PROT_READ, MAP_PRIVATE);
	CHECK(!call(anon, PAGE, MS_ASYNC));
	CHECK(!call(anon, PAGE, MS_ASYNC | MS_INVALIDATE));
	unmap(anon, 1);
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
	{ "readers", test_readers },
	{ "record", test_record },
	{ "many", test_many },
	{ "eof", test_eof },
	{ "readonly", test_readonly },
	{ "nothing", test_nothing },
	{ "times", test_times },
	{ "ioctl", test_ioctl },
	{ "shutdown", test_shutdown },
	{ "bsd_empty", test_bsd_empty },
	{ "bsd_zero", test_bsd_zero },
	{ "bsd_einval", test_bsd_einval },
	{ "bsd_hole", test_hole },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
