// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests that operations on the filesystem and on other files do
 * not change an atomic file on the device.
 *
 * Usage: atomic_others MNT DOOR TEST, see atomic.h.
 */
#include "atomic.h"

#include <linux/falloc.h>
#include <sys/statvfs.h>

/* ---- operations that do not commit -------------------------------------- */

static void other_sync(int fd)
{
	(void)fd;
	sync();
}

static void other_syncfs(int fd)
{
	CHECK(!syncfs(fd));
}

static void other_fsync(int fd)
{
	int gd = open_file("other", O_CREAT), dir = open(".", O_RDONLY);

	(void)fd;
	write_gen(gd, 0, 3, 2);
	CHECK(!fsync(gd) && !fsync(dir));
	CHECK(!close(gd) && !close(dir));
}

static void other_msync(int fd)
{
	int gd = open_file("other", O_CREAT);
	char *map;

	(void)fd;
	CHECK(!ftruncate(gd, 4 * PAGE));
	map = map_file(gd, 4);
	store(map, 4, 3);
	CHECK(!call(map, 4 * PAGE, MS_SYNC));
	unmap(map, 4);
	CHECK(!close(gd));
}

static void other_remount(int fd)
{
	(void)fd;
	FAILS(mount(NULL, run.mnt, NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK(!mount(NULL, run.mnt, NULL, MS_REMOUNT, getenv("OPTIONS")));
}

static void other_umount(int fd)
{
	(void)fd;
	FAILS(umount(run.mnt), EBUSY);
}

static void other_freeze(int fd)
{
	CHECK(!ioctl(fd, FIFREEZE, 0));
	CHECK(!ioctl(fd, FITHAW, 0));
}

static void other_caches(int fd)
{
	(void)fd;
	drop_caches();
	sync();
	drop_caches();
}

/*
 * Return the number of dirty pages. The C library may lack cachestat(2), so
 * this function uses the number of the system call.
 */
static unsigned long nr_dirty(int fd)
{
	__u64 range[2] = { }, stat[5];

	CHECK(!syscall(451, fd, range, stat, 0));
	return stat[1];
}

/* Let the periodic writeback write the dirty pages of another file. */
static void other_kupdate(int fd)
{
	int gd = open_file("other", O_CREAT), i;
	static const char * const set[][2] = {
		{ "/proc/sys/vm/dirty_expire_centisecs", "3000\n" },
		{ "/proc/sys/vm/dirty_writeback_centisecs", "0\n" },
	};

	/*
	 * Make the pages dirty, because an earlier sync(2) may have spilled
	 * them or may still be spilling them.
	 */
	write_gen(fd, 0, NR, 2);
	write_gen(gd, 0, 3, 2);
	write_proc(set[0][0], "1\n");
	write_proc(set[1][0], "5\n");
	for (i = 0; nr_dirty(gd); i++) {
		CHECK(i < 200);
		usleep(50000);
	}
	usleep(200000);
	write_proc(set[1][0], set[1][1]);
	write_proc(set[0][0], set[0][1]);
	/* Make all data durable that the writeback has prepared. */
	CHECK(!close(gd) && !syncfs(fd));
}

static void other_spill(int fd)
{
	spill(fd);
	/* Each page has a fresh block besides its committed block. */
	SAME(fstat_of(fd).st_blocks, 2 * NR * PAGE / 512);
	drop_caches();
	SAME(fstat_of(fd).st_blocks, 2 * NR * PAGE / 512);
}

/* Spill the pages, drop them from memory and read them back. */
static void other_again(int fd)
{
	struct io before, after;

	spill(fd);
	drop_caches();
	/* Dropping caches has started a checkpoint, so wait for its writes. */
	set_attr("checkpoint", "1\n");
	before = disk_io(need_env("DISK"));
	memory_has("f", NR, 2);
	after = disk_io(need_env("DISK"));
	SAME(after.writes, before.writes);
}

static void other_checkpoint(int fd)
{
	(void)fd;
	settle();
}

static void other_looks(int fd)
{
	struct {
		struct fiemap map;
		struct fiemap_extent ext[64];
	} f = { .map = {
		.fm_length = FIEMAP_MAX_OFFSET,
		.fm_extent_count = 64,
		.fm_flags = FIEMAP_FLAG_SYNC,
	} };

	CHECK(!ioctl(fd, FS_IOC_FIEMAP, &f.map));
	CHECK(f.map.fm_mapped_extents > 0);
	SAME(lseek(fd, 0, SEEK_HOLE), NR * PAGE);
	SAME(lseek(fd, 0, SEEK_DATA), 0);
}

static void other_metadata(int fd)
{
	static const struct timespec past[2] = { { 1000, 1 }, { 1000, 2 } };

	CHECK(!fchmod(fd, 0600) && !futimens(fd, past));
	CHECK(!link("f", "linked") && !unlink("linked"));
	CHECK(!syncfs(fd));
}

static void other_locks(int fd)
{
	char *map = map_file(fd, NR);

	/* Pin and populate the mapping in all ways except MAP_SYNC. */
	CHECK(!mlock(map, NR * PAGE) && !munlock(map, NR * PAGE));
	CHECK(!madvise(map, NR * PAGE, MADV_DONTNEED));
	CHECK(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	unmap(map, NR);
}

static const struct {
	const char *name;
	void (*fn)(int fd);
} others[] = {
	{ "sync", other_sync },
	{ "syncfs", other_syncfs },
	{ "fsync of another file", other_fsync },
	{ "msync of another file", other_msync },
	{ "remounting", other_remount },
	{ "umount", other_umount },
	{ "freezing", other_freeze },
	{ "drop_caches", other_caches },
	{ "periodic writeback", other_kupdate },
	{ "FIEMAP", other_looks },
	{ "chmod", other_metadata },
	{ "madvise", other_locks },
	{ "spilling", other_spill },
	{ "sync, spilled", other_sync },
	{ "reading what is spilled", other_again },
	{ "a checkpoint", other_checkpoint },
};

static void test_others(void)
{
	int fd = atomic_file("f", NR);
	char *map = map_file(fd, NR);
	unsigned int i;

	store(map, NR, 2);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		others[i].fn(fd);
		expect(map, NR, 2, others[i].name);
		disk_has("f", others[i].name, NR, 1);
	}
	/*
	 * Check that the copy shows a commit. If a copy never showed a commit,
	 * the checks above would prove nothing.
	 */
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	disk_has("f", "msync", NR, 2);
	unmap(map, NR);
	CHECK(!close(fd));
}

/* Dirty so many pages that the flusher must write some of them. */
static void test_pressure(void)
{
	const char *limit = "/proc/sys/vm/dirty_bytes";
	const unsigned long nr = 3000;
	int fd = atomic_file("f", nr);
	blkcnt_t was = fstat_of(fd).st_blocks, is;
	char *map = map_file(fd, nr), cmd[256];
	double began = now();
	unsigned long i;

	write_proc(limit, "4194304\n");
	write_proc("/proc/sys/vm/dirty_background_bytes", "1048576\n");
	for (i = 0; i < nr; i++)
		put_page_gen(map + i * PAGE, 2);
	write_gen(fd, 0, nr / 2, 2);
	is = fstat_of(fd).st_blocks;
	printf("pressure: %lu of %lu pages spilled, %.1f s\n",
	       (unsigned long)(is - was) / 8, nr, now() - began);
	CHECK((is - was) / 8 > 1000);
	drop_caches();
	disk_has("f", "many dirty pages", nr, 1);
	/* On the device, the blocks of the spilled pages are still free. */
	snprintf(cmd, sizeof(cmd), "fsck.msyncfs -n %s", need_env("COPY"));
	copy_disk();
	CHECK(!system(cmd));
	expect(map, nr, 2, "spilled and read again");
	CHECK(!call(map, nr * PAGE, MS_SYNC));
	disk_has("f", "many dirty pages, committed", nr, 2);
	write_proc("/proc/sys/vm/dirty_ratio", "20\n");
	write_proc("/proc/sys/vm/dirty_background_ratio", "10\n");
	unmap(map, nr);
	CHECK(!close(fd));
}

/*
 * Make many holes and spill many pages. The overlay keeps them in a tree. The
 * test makes trees of many sizes.
 */
static void test_sizes(void)
{
	const unsigned long most = 4099, stride = 1597;
	int fd = atomic_file("f", most);
	char *map = map_file(fd, most);
	blkcnt_t was = fstat_of(fd).st_blocks;
	unsigned long nr, i;

	for (nr = 1000; nr < most; nr += 150) {
		/*
		 * Spread the holes. So entries are added to all nodes of the
		 * tree, and nodes become full at different times.
		 */
		for (i = 0; i < nr; i++)
			CHECK(!fallocate(fd, FALLOC_FL_PUNCH_HOLE |
					 FALLOC_FL_KEEP_SIZE,
					 i * stride % most * PAGE, PAGE));
		store(map, nr, nr);
		spill(fd);
		SAME(fstat_of(fd).st_blocks, was + nr * PAGE / 512);
		CHECK(!rollback(fd));
		SAME(fstat_of(fd).st_blocks, was);
	}
	/*
	 * The filesystem may free the blocks of the last rollback a moment
	 * later.
	 */
	sleep(1);
	expect(map, most, 1, "rolled back");
	unmap(map, most);
	CHECK(!close(fd));
}

/* While the filesystem is frozen, nothing is written and a commit waits. */
static void test_freeze(void)
{
	int fd = atomic_file("f", NR), dir = open(run.mnt, O_RDONLY), status;
	char *map = map_file(fd, NR);
	struct io before, after;
	pid_t pid;

	CHECK(dir >= 0);
	store(map, NR, 2);
	CHECK(!ioctl(dir, FIFREEZE, 0));
	before = disk_io(need_env("DISK"));
	spill(fd);
	sync();
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK(!call(map, NR * PAGE, MS_SYNC));
		_exit(0);
	}
	usleep(500000);
	after = disk_io(need_env("DISK"));
	SAME(waitpid(pid, &status, WNOHANG), 0);
	SAME(after.writes, before.writes);
	disk_has("f", "frozen", NR, 1);
	CHECK(!ioctl(dir, FITHAW, 0));
	wait_for(pid);
	disk_has("f", "thawed", NR, 2);
	unmap(map, NR);
	CHECK(!close(fd) && !close(dir));
}

static bool read_only(void)
{
	struct statvfs st;

	CHECK(!statvfs(run.mnt, &st));
	return st.f_flag & ST_RDONLY;
}

/*
 * After a forced remount read-only (SysRq-U), nothing is written and a commit
 * fails. After a remount read-write, a commit succeeds.
 */
static void test_emergency(void)
{
	int fd = atomic_file("f", NR), sysrq = open("/proc/sysrq-trigger", O_WRONLY);
	char *map = map_file(fd, NR);
	struct io before, after;
	unsigned int i;

	CHECK(sysrq >= 0);
	store(map, NR, 2);
	CHECK(write(sysrq, "u", 1) == 1);
	for (i = 0; i < 500 && !read_only(); i++)
		usleep(20000);
	CHECK(read_only());
	before = disk_io(need_env("DISK"));
	FAILS(call(map, NR * PAGE, MS_SYNC), EROFS);
	store(map, 1, 3);
	FAILS(call(map, NR * PAGE, MS_SYNC), EROFS);
	sync();
	usleep(500000);
	after = disk_io(need_env("DISK"));
	SAME(after.writes, before.writes);
	disk_has("f", "read-only", NR, 1);
	CHECK(!mount(NULL, run.mnt, NULL, MS_REMOUNT, NULL));
	store(map, NR, 2);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	disk_has("f", "writable", NR, 2);
	unmap(map, NR);
	CHECK(!close(fd) && !close(sysrq));
}

static const struct test tests[] = {
	{ "others", test_others },
	{ "pressure", test_pressure },
	{ "sizes", test_sizes },
	{ "freeze", test_freeze },
	{ "emergency", test_emergency },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
