// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests msync on private mappings, anonymous memory, other
 * filesystems and other mounts. In some tests, the range also has shared
 * mappings of files of the mount.
 *
 * Usage: msync_other MNT DOOR TEST, see msync.h
 */
#include "msync.h"

#include <linux/io_uring.h>

static void test_private(void)
{
	int fd = new_file("f", 4);
	char *private = map_at(NULL, fd, 0, 4, RW,
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
	/*
	 * The calls drop pages of the shared mapping. They do not drop the
	 * private copies.
	 */
	for (i = 0; i < NR_GOOD; i++) {
		CHECK(!call(shared, 4 * PAGE, good_flags[i]));
		expect(private, 2, 7, "stored privately, the file synced");
		expect(shared, 4, 1, "the file");
	}
	SAME(counter("commits"), commits);
	expect(private + 2 * PAGE, 2, 1, "not stored to");
	expect_file("f", 0, 4, 1);

	/*
	 * The unmodified pages of the private mapping must show the new content
	 * of the file.
	 */
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

/* Make a file of one page in each directory of $OTHERS. */
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
 * The range has f, anonymous memory, shared anonymous memory, tmpfs, a private
 * mapping of f, the files of $OTHERS, and g. Only the first page and the last
 * page are shared mappings of files of the mount.
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
	map_at(area + PAGE, -1, 0, 1, RW, MAP_PRIVATE);
	map_at(area + 2 * PAGE, -1, 0, 1, RW, MAP_SHARED);
	map_file_at(area + 3 * PAGE, td, 0, 1);
	map_at(area + 4 * PAGE, fd, 0, 1, RW, MAP_PRIVATE);
	for (i = 0; i < nr; i++, at += PAGE)
		others[i].map = map_file_at(at, others[i].fd, 0, 1);
	map_file_at(at, gd, 0, 1);

	for (j = 0; j < NR_GOOD; j++) {
		store(area, pages, 2 + j);
		CHECK(!call(area, pages * PAGE, good_flags[j]));
		/* msync must drop none of the pages 1 to 4. */
		expect_resident(area + PAGE, 4, 0xf, "what is no msyncfs");
		for (i = 0; i < nr; i++)
			if (!others[i].msyncfs)
				expect_resident(others[i].map, 1, 1,
						others[i].dir);
		expect(area, pages, 2 + j, "as stored");
	}
	/* Background writeback may write a page before the call does. */
	before = disk_io(need_env("DISK2"));
	for (i = 0; i < nr; i++)
		put_page_gen(others[i].map, 20);
	put_page_gen(area, 20);
	put_page_gen(at, 20);
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

/* The file has no fsync operation, so vfs_fsync_range() returns EINVAL. */
static void no_fsync(void)
{
	struct io_uring_params params = { };
	int ring = syscall(SYS_io_uring_setup, 4, &params);
	char *map;

	CHECK(ring >= 0);
	map = mmap(NULL, PAGE, RW, MAP_SHARED, ring,
		   IORING_OFF_SQES);
	CHECK(map != MAP_FAILED);
	FAILS(msync(map, PAGE, MS_SYNC), EINVAL);
	FAILS(call(map, PAGE, MS_SYNC), EINVAL);
	CHECK(!call(map, PAGE, MS_ASYNC));
	CHECK(!call(map, PAGE, MS_INVALIDATE));
	CHECK(!call(map, PAGE, 0));
	CHECK(!munmap(map, PAGE) && !close(ring));
}

/*
 * On [vdso], [vvar], [stack] and [heap], the ioctl must return the same as
 * msync(2).
 */
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
	char *area = reserve(2 * size / PAGE), *map;
	unsigned int i;

	map = (char *)(((unsigned long)area + size - 1) & -size);
	map = mmap(map, size, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB |
		   MAP_FIXED, -1, 0);
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
	CHECK(!munmap(area, 2 * size));
}

static void test_special(void)
{
	special();
	huge_pages();
	if (!door.compat)
		no_fsync();
}

static const struct test tests[] = {
	{ "private", test_private },
	{ "other", test_other },
	{ "special", test_special },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
