// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests the ioctls of atomic files, the calls that commit, and
 * operations on names.
 *
 * Usage: atomic MNT DOOR TEST, see atomic.h.
 */
#include "atomic.h"

#include <linux/falloc.h>

/* ---- ioctls ------------------------------------------------------------- */

/* Call the ioctls as a user who may write to the file but does not own it. */
static void not_owner(void)
{
	pid_t pid;
	int fd;

	CHECK(!chmod("f", 0666));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK(!setgid(65534) && !setuid(65534));
		fd = open("f", O_RDWR);
		CHECK(fd >= 0);
		FAILS(atomic_ioctl(fd, 1), EPERM);
		FAILS(atomic_ioctl(fd, 0), EPERM);
		FAILS(rollback(fd), EINVAL);
		SAME(is_atomic(fd), 0);
		_exit(0);
	}
	wait_for(pid);
}

static void bad_arguments(int fd)
{
	static const __u32 bad[] = { 2, 3, 1 << 8 | 1, 1u << 31, -1 };
	char *nowhere = reserve(1);
	unsigned int i;

	unmap(nowhere, 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		FAILS(atomic_ioctl(fd, bad[i]), EINVAL);
	FAILS(ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, NULL), EFAULT);
	FAILS(ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, nowhere), EFAULT);
	FAILS(ioctl(fd, MSYNCFS_IOC_GET_ATOMIC, NULL), EFAULT);
	FAILS(ioctl(fd, MSYNCFS_IOC_GET_ATOMIC, nowhere), EFAULT);
	/*
	 * The number of an ioctl contains the size of the argument. With these
	 * sizes, no such ioctl exists.
	 */
	FAILS(ioctl(fd, _IOW(MSYNCFS_IOC_MAGIC, 2, __u64), nowhere), ENOTTY);
	FAILS(ioctl(fd, _IOR(MSYNCFS_IOC_MAGIC, 3, __u64), nowhere), ENOTTY);
	FAILS(ioctl(fd, _IO(MSYNCFS_IOC_MAGIC, 5)), ENOTTY);
}

static void bad_descriptors(void)
{
	int ro = open("f", O_RDONLY), path = open("f", O_PATH);
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	int tmpfs = memfd_create("tmpfs", 0);
	__u32 on;

	CHECK(ro >= 0 && path >= 0 && dir >= 0 && tmpfs >= 0);
	FAILS(atomic_ioctl(ro, 1), EBADF);
	FAILS(rollback(ro), EBADF);
	SAME(is_atomic(ro), 0);
	FAILS(atomic_ioctl(dir, 1), EINVAL);
	FAILS(atomic_ioctl(dir, 0), EINVAL);
	FAILS(rollback(dir), EINVAL);
	SAME(is_atomic(dir), 0);
	FAILS(atomic_ioctl(path, 1), EBADF);
	FAILS(rollback(path), EBADF);
	FAILS(ioctl(path, MSYNCFS_IOC_GET_ATOMIC, &on), EBADF);
	FAILS(atomic_ioctl(tmpfs, 1), ENOTTY);
	FAILS(rollback(tmpfs), ENOTTY);
	CHECK(!close(ro) && !close(path) && !close(dir) && !close(tmpfs));
}

static void test_ioctl(void)
{
	int fd = new_file("f", NR), ro;

	bad_descriptors();
	bad_arguments(fd);
	not_owner();
	FAILS(rollback(fd), EINVAL);
	SAME(is_atomic(fd), 0);
	CHECK(!atomic_ioctl(fd, 0));

	CHECK(!atomic_ioctl(fd, 1));
	bad_arguments(fd);
	SAME(is_atomic(fd), 1);
	CHECK(!atomic_ioctl(fd, 1));
	CHECK(!rollback(fd));
	ro = open("f", O_RDONLY);
	CHECK(ro >= 0);
	SAME(is_atomic(ro), 1);
	FAILS(rollback(ro), EBADF);
	FAILS(atomic_ioctl(ro, 0), EBADF);
	CHECK(!close(fd) && !close(ro));
	memory_has("f", NR, 1);
}

/* Use the structures of the ioctls in 32-bit system calls. */
static void test_ioctl32(void)
{
	static __u32 value;
	int fd = new_file("f", NR);
	unsigned long arg = (unsigned long)&value;

	CHECK(arg == (__u32)arg);
	value = 1;
	FAILS(int80(I386_IOCTL, fd, MSYNCFS_IOC_ROLLBACK, 0), EINVAL);
	CHECK(!int80(I386_IOCTL, fd, MSYNCFS_IOC_SET_ATOMIC, arg));
	SAME(is_atomic(fd), 1);
	value = 7;
	CHECK(!int80(I386_IOCTL, fd, MSYNCFS_IOC_GET_ATOMIC, arg));
	SAME(value, 1);
	write_gen(fd, 0, NR, 2);
	CHECK(!int80(I386_IOCTL, fd, MSYNCFS_IOC_ROLLBACK, 0));
	memory_has("f", NR, 1);
	value = 2;
	FAILS(int80(I386_IOCTL, fd, MSYNCFS_IOC_SET_ATOMIC, arg), EINVAL);
	CHECK(!close(fd));
}

/* Setting or clearing the flag commits the file. */
static void test_flag(void)
{
	int fd = new_file("f", NR), gd = atomic_file("g", NR);
	char *map = map_file(fd, NR);

	store(map, NR, 2);
	CHECK(!atomic_ioctl(fd, 1));
	disk_has("f", "SET_ATOMIC", NR, 2);
	store(map, NR, 3);
	CHECK(!atomic_ioctl(fd, 1));	/* commits, although the flag is set */
	disk_has("f", "SET_ATOMIC again", NR, 3);
	unmap(map, NR);

	write_gen(gd, 0, NR, 2);
	spill(gd);
	write_gen(gd, 0, 2, 2);
	CHECK(!atomic_ioctl(gd, 0));
	disk_has("g", "SET_ATOMIC of 0", NR, 2);
	FAILS(rollback(gd), EINVAL);
	write_gen(gd, 0, NR, 3);
	CHECK(!close(fd) && !close(gd));
	memory_has("g", NR, 3);
	sync();
	disk_has("g", "an ordinary file again", NR, 3);
	crash();
	fd = open_file("f", 0);
	gd = open_file("g", 0);
	SAME(is_atomic(fd), 1);
	SAME(is_atomic(gd), 0);
	write_gen(fd, 0, NR, 4);
	CHECK(!close(fd) && !close(gd));
	memory_has("f", NR, 3);
}

/* Test a read-only mount, and a mount that was shut down. */
static void test_readonly_mount(void)
{
	__u32 how = MSYNCFS_SHUTDOWN_NOLOGFLUSH, on;
	int fd = atomic_file("f", NR);

	CHECK(!close(fd));
	CHECK(!mount(NULL, run.mnt, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	FAILS(open("f", O_RDWR), EROFS);
	fd = open("f", O_RDONLY);
	CHECK(fd >= 0);
	SAME(is_atomic(fd), 1);
	FAILS(atomic_ioctl(fd, 0), EBADF);
	FAILS(rollback(fd), EBADF);
	CHECK(!close(fd));
	CHECK(!mount(NULL, run.mnt, NULL, MS_REMOUNT, NULL));

	fd = open_file("f", 0);
	write_gen(fd, 0, NR, 2);
	CHECK(!ioctl(fd, MSYNCFS_IOC_SHUTDOWN, &how));
	FAILS(rollback(fd), EIO);
	FAILS(atomic_ioctl(fd, 0), EIO);
	FAILS(ioctl(fd, MSYNCFS_IOC_GET_ATOMIC, &on), EIO);
	CHECK(!close(fd));
	crash();
	memory_has("f", NR, 1);
}

/* ---- operations that commit --------------------------------------------- */

/*
 * A commit covers the whole file, even if the range of the call is smaller. The
 * commit includes the size and the holes.
 */
static void test_whole(void)
{
	int fd = atomic_file("f", NR);
	char *map = map_file(fd, 2 * NR);

	store(map, NR, 2);
	CHECK(!call(map + 3 * PAGE, 1, MS_SYNC));
	disk_has("f", "msync of one page", NR, 2);

	CHECK(!ftruncate(fd, (NR + 4) * PAGE));
	store(map, NR + 4, 3);
	spill(fd);
	CHECK(!call(map, PAGE, MS_SYNC));
	disk_has("f", "msync before the end", NR + 4, 3);

	CHECK(!ftruncate(fd, NR * PAGE));
	disk_has("f", "ftruncate", NR + 4, 3);
	CHECK(!call(map, PAGE, MS_SYNC));
	disk_has("f", "msync after ftruncate", NR, 3);

	CHECK(!fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, NR * PAGE));
	disk_has("f", "ZERO_RANGE", NR, 3);
	CHECK(!sync_file_range(fd, 0, 0, 7));
	CHECK(!fdatasync(fd));
	disk_has("f", "fdatasync after ZERO_RANGE", NR, 0);
	unmap(map, 2 * NR);
	CHECK(!close(fd));
}

static void test_dsync(void)
{
	int fd = atomic_file("f", NR), gd = open_file("f", O_DSYNC);
	int ro = open("f", O_RDONLY);

	CHECK(ro >= 0);
	write_gen(fd, 0, NR - 1, 2);
	disk_has("f", "write", NR, 1);
	write_gen(gd, NR - 1, 1, 2);
	disk_has("f", "O_DSYNC write", NR, 2);
	/* A descriptor for reading is enough to commit the file. */
	write_gen(fd, 0, NR, 3);
	CHECK(!fsync(ro));
	disk_has("f", "fsync of a descriptor for reading", NR, 3);
	CHECK(!close(fd) && !close(gd) && !close(ro));
}

static unsigned long commits_of_mprotect(int fd)
{
	char *map = map_file(fd, NR);
	unsigned long commits;

	settle();
	store(map, NR, 2);
	CHECK(!mprotect(map + 5 * PAGE, 2 * PAGE, PROT_READ));
	commits = counter("commits");
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	commits = counter("commits") - commits;
	unmap(map, NR);
	return commits;
}

/*
 * msync(2) calls the filesystem once for each mapping. The first of these calls
 * commits the whole file, so the others have nothing to commit.
 */
static void test_vmas(void)
{
	int fd = atomic_file("f", NR), gd = new_file("g", NR);

	SAME(commits_of_mprotect(fd), 1);
	disk_has("f", "msync of three mappings", NR, 2);
	/*
	 * Without the hook, an ordinary file must need three commits. If it
	 * needed fewer, the check above would prove nothing.
	 */
	SAME(commits_of_mprotect(gd), door.full ? 1 : 3);
	CHECK(!close(fd) && !close(gd));
}

/* MS_ASYNC starts a commit. The commit is durable soon. */
static void test_async(void)
{
	int fd = atomic_file("f", NR), i;
	char *map = map_file(fd, NR);
	unsigned long commits;

	CHECK(door.full);
	settle();
	store(map, NR, 2);
	commits = counter("commits");
	CHECK(!call(map + PAGE, PAGE, MS_ASYNC));
	for (i = 0; counter("commits") == commits; i++) {
		CHECK(i < 200);
		usleep(50000);
	}
	SAME(counter("commits"), commits + 1);
	disk_has("f", "MS_ASYNC of one page", NR, 2);
	store(map, NR, 3);
	CHECK(!rollback(fd));
	expect(map, NR, 2, "rolled back to MS_ASYNC");
	store(map, NR, 4);
	CHECK(!call(map, PAGE, MS_INVALIDATE));
	expect_resident(map, 1, 0, "MS_INVALIDATE");
	disk_has("f", "MS_INVALIDATE", NR, 4);
	unmap(map, NR);
	CHECK(!close(fd));
}

/*
 * A read or write with O_DIRECT uses the page cache if the file is atomic. A
 * direct write to the device would change a part of the file on the device
 * before the commit.
 */
static void test_direct(void)
{
	int fd = atomic_file("f", NR), gd = open_file("f", O_DIRECT);
	char *map = map_file(fd, NR), *buf = aligned_alloc(PAGE, NR * PAGE);
	struct io before, after;

	CHECK(buf);
	touch(map, NR);
	settle();
	before = disk_io(need_env("DISK"));
	/* This store is half of an update. It must not reach the device. */
	store(map, 2, 2);
	write_direct("f", 2, 4, 2);
	expect(map + 2 * PAGE, 4, 2, "O_DIRECT write, mapped");
	SAME(pread(gd, buf, NR * PAGE, 0), NR * PAGE);
	expect(buf, 6, 2, "O_DIRECT read");
	expect(buf + 6 * PAGE, NR - 6, 1, "O_DIRECT read");
	after = disk_io(need_env("DISK"));
	SAME(after.writes, before.writes);
	SAME(after.flushes, before.flushes);
	disk_has("f", "O_DIRECT write", NR, 1);
	store(map + 6 * PAGE, NR - 6, 2);
	CHECK(!fsync(gd));
	disk_has("f", "O_DIRECT write, committed", NR, 2);
	unmap(map, NR);
	CHECK(!close(fd) && !close(gd));
	free(buf);
}

/* One call commits an atomic file and an ordinary file. */
static void test_both(void)
{
	int fd = atomic_file("f", NR), gd = new_file("g", NR);
	char *area = reserve(2 * NR);
	unsigned long commits;
	const char *dir;

	map_file_at(area, fd, 0, NR);
	map_file_at(area + NR * PAGE, gd, 0, NR);
	settle();
	store(area, 2 * NR, 2);
	commits = counter("commits");
	CHECK(!call(area + (NR - 1) * PAGE, 2 * PAGE, MS_SYNC));
	if (door.full)
		SAME(counter("commits") - commits, 1);
	dir = look();
	found(dir, "f", "one call", NR, 2);
	look_away();
	unmap(area, 2 * NR);
	CHECK(!close(fd) && !close(gd));
}

/* ---- names -------------------------------------------------------------- */

static void test_unlink(void)
{
	unsigned long long before;
	char *map;
	int fd, gd;

	put_file("there", "x");
	sync();
	before = space();
	fd = atomic_file("f", NR);
	gd = atomic_file("g", NR);
	map = map_file(fd, NR);
	store(map, NR, 2);
	spill(fd);
	CHECK(!unlink("f"));
	sync();
	expect(map, NR, 2, "unlinked");
	CHECK(!rollback(fd));
	expect(map, NR, 1, "unlinked and rolled back");
	store(map, NR, 3);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	CHECK(!fsync(fd));
	store(map, NR, 4);
	CHECK(!ftruncate(fd, 3 * PAGE));
	CHECK(!rollback(fd));
	expect(map, NR, 3, "unlinked, committed, and rolled back");
	store(map, NR, 5);
	unmap(map, NR);
	CHECK(!close(fd));

	/* Removing a name does not commit the content of the file. */
	write_gen(gd, 0, NR, 2);
	CHECK(!link("g", "h") && !unlink("g"));
	sync();
	disk_has("h", "linked and unlinked while dirty", NR, 1);
	CHECK(!unlink("h") && !close(gd));
	sync();
	SAME(space(), before);
}

static void test_rename(void)
{
	int fd = atomic_file("f", NR), gd = atomic_file("g", NR);
	unsigned long long before;
	char *map = map_file(fd, NR), *gmap = map_file(gd, NR);
	const char *dir;

	CHECK(!close(atomic_file("h", 1)));
	store(map, NR, 2);
	store(gmap, NR, 3);
	spill(gd);
	/* Rename over a dirty file that stays open, and over a clean file. */
	CHECK(!rename("f", "g") && !rename("g", "h"));
	sync();
	expect(map, NR, 2, "renamed");
	expect(gmap, NR, 3, "replaced");
	dir = look();
	found(dir, "h", "renamed while dirty", NR, 1);
	look_away();
	CHECK(!call(gmap, NR * PAGE, MS_SYNC));
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	disk_has("h", "renamed, then committed", NR, 2);
	store(gmap, NR, 4);
	unmap(gmap, NR);
	before = space();
	CHECK(!close(gd));
	sync();
	CHECK(space() > before);
	unmap(map, NR);
	CHECK(!close(fd));
	FAILS(access("g", F_OK), ENOENT);
	memory_has("h", NR, 2);
}

/* truncate(2) by name commits if no process has the file open. */
static void test_truncate(void)
{
	int fd = atomic_file("f", NR);
	off_t size;
	char *map;

	CHECK(!truncate("f", 3 * PAGE));
	memory_has("f", 3, 1);
	disk_has("f", "truncate while open", NR, 1);
	CHECK(!rollback(fd));
	memory_has("f", NR, 1);
	CHECK(!truncate("f", 3 * PAGE));
	CHECK(!close(fd));
	memory_has("f", NR, 1);

	CHECK(!truncate("f", 4 * PAGE));
	disk_has("f", "truncate while nobody has it open", 4, 1);
	CHECK(!truncate("f", 4 * PAGE - 8));
	CHECK(!truncate("f", 4 * PAGE));
	fd = open_file("f", 0);
	CHECK(!ftruncate(fd, 8 * PAGE));
	map = map_file(fd, 8);
	SAME(map[4 * PAGE - 1], 0);
	expect(map + 4 * PAGE, 4, 0, "extended");
	put_page_gen(map + 3 * PAGE, 1);
	CHECK(!fsync(fd));
	unmap(map, 8);
	CHECK(!close(fd));
	map = read_all(look(), "f", &size);
	look_away();
	SAME(size, 8 * PAGE);
	expect(map, 4, 1, "extended, on the device");
	expect(map + 4 * PAGE, 4, 0, "extended, on the device");
	free(map);
}

/*
 * Test that a program can replace the whole content of a file in place. It
 * needs no temporary file and no rename.
 */
static void test_replace(void)
{
	int fd;

	CHECK(!close(atomic_file("f", NR)));
	fd = open_file("f", O_TRUNC);
	disk_has("f", "O_TRUNC", NR, 1);
	write_gen(fd, 0, NR + 3, 2);
	spill(fd);
	sync();
	disk_has("f", "O_TRUNC and write", NR, 1);
	CHECK(!fsync(fd));
	disk_has("f", "O_TRUNC, write, fsync", NR + 3, 2);
	CHECK(!close(fd));
	memory_has("f", NR + 3, 2);
}

static const struct test tests[] = {
	{ "ioctl", test_ioctl },
	{ "ioctl32", test_ioctl32 },
	{ "flag", test_flag },
	{ "readonly", test_readonly_mount },
	{ "whole", test_whole },
	{ "dsync", test_dsync },
	{ "vmas", test_vmas },
	{ "async", test_async },
	{ "direct", test_direct },
	{ "both", test_both },
	{ "unlink", test_unlink },
	{ "rename", test_rename },
	{ "truncate", test_truncate },
	{ "replace", test_replace },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
