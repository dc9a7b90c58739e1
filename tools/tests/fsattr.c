// SPDX-License-Identifier: GPL-2.0
/*
 * This program checks what other programs expect of a local filesystem: times,
 * owners, counters, and operations on the whole filesystem.
 *
 * Usage: fsattr DIR [TEST]
 */
#include "check.h"

#include <linux/fs.h>
#include <linux/msyncfs.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static int later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec ||
	       (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static int equal(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/*
 * Set the times that a program can set. A program cannot set the time of birth.
 */
static void set_times(int fd)
{
	struct timespec t[2] = { { 1000000001, 123456789 }, { -5, 7 } };
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	struct stat st;
	struct statx stx;

	CHECK(!statx(AT_FDCWD, "f", 0, STATX_BTIME, &stx));
	CHECK(stx.stx_mask & STATX_BTIME);
	CHECK(stx.stx_btime.tv_sec > 1600000000 || stx.stx_btime.tv_sec >= 0);

	CHECK(!futimens(fd, t));
	st = fstat_of(fd);
	CHECK(equal(st.st_atim, t[0]) && equal(st.st_mtim, t[1]));
	CHECK(!futimens(fd, now));
	st = fstat_of(fd);
	CHECK(later(st.st_atim, t[0]) && equal(st.st_mtim, t[1]));
}

/* Check that both times have changed since @st. Update @st. */
static void expect_modified(int fd, struct stat *st)
{
	struct stat was = *st;

	*st = fstat_of(fd);
	CHECK(later(st->st_mtim, was.st_mtim) && later(st->st_ctim, was.st_ctim));
}

/* Write, truncate, and store through a mapping. Each must change the times. */
static void times_of_changes(int fd)
{
	struct stat st = fstat_of(fd);
	char *map;

	usleep(20000);
	CHECK(pwrite(fd, "more", 4, 0) == 4);
	expect_modified(fd, &st);

	/*
	 * truncate(2) passes only the size to the filesystem, without
	 * ATTR_MTIME. So the filesystem itself must change the times.
	 */
	usleep(20000);
	CHECK(!truncate("f", 2));
	expect_modified(fd, &st);

	/* This is the last page that a file can have. */
	CHECK(pwrite(fd, "end", 3, 0x7fffffffffffe000) == 3);
	CHECK(!fsync(fd));
	CHECK(fstat_of(fd).st_size == 0x7fffffffffffe003);
	CHECK(!ftruncate(fd, 4));

	st = fstat_of(fd);
	usleep(20000);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[0] = 'M';
	CHECK(!msync(map, 4096, MS_SYNC));
	expect_modified(fd, &st);
	CHECK(!munmap(map, 4096));
}

/*
 * With relatime, the first read after a change updates the time of access. The
 * next read does not update it.
 */
static void times_of_reads(int fd)
{
	struct stat st, st2;
	char buf[4];

	usleep(20000);
	CHECK(pwrite(fd, "more", 4, 0) == 4);
	st = fstat_of(fd);
	usleep(20000);
	CHECK(pread(fd, buf, 4, 0) == 4);
	st2 = fstat_of(fd);
	CHECK(later(st2.st_atim, st.st_mtim));
	usleep(20000);
	CHECK(pread(fd, buf, 4, 0) == 4);
	st = fstat_of(fd);
	CHECK(equal(st.st_atim, st2.st_atim));
}

/*
 * A change of attributes does not change the modification time of the file. A
 * new or removed name changes the modification time of the directory.
 */
static void times_of_names(int fd)
{
	struct stat st = fstat_of(fd), st2;

	usleep(20000);
	CHECK(!fchmod(fd, 0600));
	st2 = fstat_of(fd);
	CHECK(later(st2.st_ctim, st.st_ctim) && equal(st2.st_mtim, st.st_mtim));

	st = stat_of(".");
	usleep(20000);
	put_file("g", "");
	st2 = stat_of(".");
	CHECK(later(st2.st_mtim, st.st_mtim));
	usleep(20000);
	CHECK(!unlink("g"));
	CHECK(later(stat_of(".").st_mtim, st2.st_mtim));
}

static void test_times(void)
{
	int fd = make_file("f", "time");

	set_times(fd);
	times_of_changes(fd);
	times_of_reads(fd);
	times_of_names(fd);
	CHECK(!close(fd));
}

/* Run @fn as user 1000 and return its result. */
static int as_user(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		if (setgid(1000) || setuid(1000))
			_exit(99);
		_exit(fn());
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_denied(void)
{
	return open("private", O_RDONLY) < 0 ? errno : 0;
}

static int write_suid(void)
{
	int fd = open("suid", O_WRONLY);

	return fd < 0 || write(fd, "x", 1) != 1;
}

static int unlink_sticky(void)
{
	return unlink("sticky/root") ? errno : 0;
}

static void test_owners(void)
{
	struct stat st;

	put_file("private", "mine");
	CHECK(!chmod("private", 0600));
	SAME(stat_of("private").st_mode, S_IFREG | 0600);
	SAME(as_user(open_denied), EACCES);
	CHECK(!chown("private", 1000, 70000));
	st = stat_of("private");
	SAME(st.st_uid, 1000);
	SAME(st.st_gid, 70000);
	SAME(as_user(open_denied), 0);
	CHECK(!chown("private", -1, -1));

	/*
	 * A write to a file clears the set-user-ID bit of the file. A chown
	 * clears it, too.
	 */
	put_file("suid", "s");
	CHECK(!chown("suid", 1000, 1000) && !chmod("suid", 06755));
	SAME(stat_of("suid").st_mode, S_IFREG | 06755);
	SAME(as_user(write_suid), 0);
	SAME(stat_of("suid").st_mode, S_IFREG | 0755);

	CHECK(!mkdir("sgid", 0755) && !chown("sgid", 0, 500));
	CHECK(!chmod("sgid", 02775));
	put_file("sgid/f", "");
	SAME(stat_of("sgid/f").st_gid, 500);
	CHECK(!mkdir("sgid/d", 0755));
	SAME(stat_of("sgid/d").st_gid, 500);
	CHECK(stat_of("sgid/d").st_mode & S_ISGID);

	CHECK(!mkdir("sticky", 0755) && !chmod("sticky", 01777));
	put_file("sticky/root", "");
	SAME(as_user(unlink_sticky), EPERM);
}

static void test_statfs(void)
{
	static char buf[1 << 20];
	unsigned long long before, with;
	struct statfs sf;
	int fd, i;

	CHECK(!statfs(".", &sf));
	SAME(sf.f_type, 0x4d53594e);
	SAME(sf.f_bsize, 4096);
	SAME(sf.f_namelen, 255);
	CHECK(sf.f_bavail <= sf.f_bfree && sf.f_bfree < sf.f_blocks);

	put_file("stays", "");		/* gives the directory a block */
	before = free_blocks();
	fd = make_file("big", NULL);
	for (i = 0; i < 16; i++)
		CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf));
	/* Written data counts before it has blocks. */
	CHECK(fstat_of(fd).st_blocks >= (long)(16 * sizeof(buf) / 512));
	/* Reserved blocks are not free. */
	CHECK(!statfs(".", &sf));
	CHECK(sf.f_bfree <= before - 4096);
	with = free_blocks();
	CHECK(with <= before - 4096 && with >= before - 4096 - 64);
	SAME(fstat_of(fd).st_blocks / 8 + 1, before - with);
	CHECK(!ftruncate(fd, 4096));
	SAME(before - free_blocks(), 1 + fstat_of(fd).st_blocks / 8);
	CHECK(!close(fd));
	CHECK(!unlink("big"));
	SAME(free_blocks(), before);

	/* An unlinked file keeps its blocks until it is closed. */
	fd = make_file("open", NULL);
	CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf));
	CHECK(!unlink("open"));
	CHECK(free_blocks() <= before - 257);
	CHECK(!close(fd));
	SAME(free_blocks(), before);
}

/* ---- flags of chattr(1) --------------------------------------------------- */

static int flags_of(int fd)
{
	int flags;

	CHECK(!ioctl(fd, FS_IOC_GETFLAGS, &flags));
	return flags;
}

static int set_flags(int fd, int flags)
{
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static uint64_t attributes(const char *name)
{
	struct statx stx;

	CHECK(!statx(AT_FDCWD, name, 0, STATX_BASIC_STATS, &stx));
	CHECK(stx.stx_attributes_mask & STATX_ATTR_NODUMP);
	return stx.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND |
				     STATX_ATTR_NODUMP);
}

/* Return the signal that ends a process that stores to @map. */
static int signal_of_store(char *map)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		*(volatile char *)map = 'S';
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void flags_immutable(void)
{
	int fd = make_file("i", "text"), one = 1;
	char *map, buf[4];

	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[0] = 'T';
	CHECK(!set_flags(fd, FS_IMMUTABLE_FL | FS_NODUMP_FL));
	CHECK(attributes("i") == (STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP));
	FAILS(set_flags(fd, FS_IMMUTABLE_FL), EPERM);
	FAILS(pwrite(fd, "x", 1, 0), EPERM);
	FAILS(ftruncate(fd, 1), EPERM);
	FAILS(truncate("i", 1), EPERM);
	FAILS(fallocate(fd, 0, 0, 8192), EPERM);
	FAILS(fchmod(fd, 0600), EPERM);
	FAILS(futimens(fd, NULL), EPERM);
	FAILS(open("i", O_RDWR), EPERM);
	FAILS(unlink("i"), EPERM);
	FAILS(rename("i", "j"), EPERM);
	FAILS(link("i", "j"), EPERM);
	FAILS(ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &one), EPERM);
	FAILS(ioctl(fd, MSYNCFS_IOC_ROLLBACK), EPERM);
	SAME(signal_of_store(map), SIGBUS);
	CHECK(!fsync(fd));
	CHECK(pread(fd, buf, 4, 0) == 4 && !memcmp(buf, "Text", 4));
	CHECK(!set_flags(fd, 0));
	SAME(signal_of_store(map), 0);
	CHECK(pwrite(fd, "x", 1, 1) == 1);
	CHECK(!munmap(map, 4096) && !close(fd) && !unlink("i"));
}

static void flags_append(void)
{
	int fd = make_file("a", "text"), on = 1;

	/* An atomic file could lose on rollback what was appended. */
	CHECK(!ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on));
	CHECK(!set_flags(fd, FS_APPEND_FL));
	CHECK(attributes("a") == STATX_ATTR_APPEND);
	FAILS(ioctl(fd, MSYNCFS_IOC_ROLLBACK), EPERM);
	on = 0;
	FAILS(ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on), EPERM);
	FAILS(ftruncate(fd, 1), EPERM);
	FAILS(unlink("a"), EPERM);
	FAILS(open("a", O_WRONLY), EPERM);
	CHECK(!close(fd));
	fd = open("a", O_WRONLY | O_APPEND);
	CHECK(fd >= 0 && write(fd, "+", 1) == 1 && !fsync(fd));
	SAME(fstat_of(fd).st_size, 5);
	CHECK(!set_flags(fd, 0) && !close(fd) && !unlink("a"));
}

/* A new inode gets flags from its directory. */
static void flags_dir(void)
{
	const int all = FS_SYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL;
	int fd, file;

	CHECK(!mkdir("d", 0755));
	fd = open("d", O_RDONLY);
	CHECK(fd >= 0 && !set_flags(fd, all));
	SAME(flags_of(fd), all);
	file = make_file("d/f", "text");
	SAME(flags_of(file), all & ~FS_DIRSYNC_FL);
	CHECK(!close(file) && !mkdir("d/e", 0755) && !symlink("f", "d/s"));
	file = open("d/e", O_RDONLY);
	SAME(flags_of(file), all);
	CHECK(!close(file));

	CHECK(!set_flags(fd, FS_APPEND_FL));
	put_file("d/g", "new");
	FAILS(unlink("d/f"), EPERM);
	FAILS(rename("d/f", "f"), EPERM);
	CHECK(!set_flags(fd, FS_IMMUTABLE_FL));
	FAILS(open("d/h", O_CREAT | O_RDWR, 0644), EPERM);
	FAILS(unlink("d/f"), EPERM);
	CHECK(!set_flags(fd, 0) && !close(fd));
	CHECK(!unlink("d/f") && !unlink("d/g") && !unlink("d/s"));
	CHECK(!rmdir("d/e") && !rmdir("d"));
}

static void test_flags(void)
{
	static const int good[] = { FS_SYNC_FL, FS_IMMUTABLE_FL, FS_APPEND_FL,
				    FS_NODUMP_FL, FS_NOATIME_FL };
	int fd = make_file("f", "text");
	struct stat before = fstat_of(fd);
	struct fsxattr fsx;
	unsigned int i;

	SAME(flags_of(fd), 0);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK(!set_flags(fd, good[i]));
		SAME(flags_of(fd), good[i]);
		CHECK(!set_flags(fd, 0));
	}
	CHECK(later(fstat_of(fd).st_ctim, before.st_ctim));
	CHECK(equal(fstat_of(fd).st_mtim, before.st_mtim));
	FAILS(set_flags(fd, FS_COMPR_FL), EOPNOTSUPP);
	FAILS(set_flags(fd, FS_DIRSYNC_FL), EOPNOTSUPP);
	FAILS(set_flags(fd, 1), EOPNOTSUPP);
	SAME(flags_of(fd), 0);

	CHECK(!ioctl(fd, FS_IOC_FSGETXATTR, &fsx));
	SAME(fsx.fsx_xflags, 0);
	fsx.fsx_xflags = FS_XFLAG_NODUMP | FS_XFLAG_NOATIME;
	CHECK(!ioctl(fd, FS_IOC_FSSETXATTR, &fsx));
	SAME(flags_of(fd), FS_NODUMP_FL | FS_NOATIME_FL);
	CHECK(attributes("f") == STATX_ATTR_NODUMP);
	fsx.fsx_projid = 7;
	FAILS(ioctl(fd, FS_IOC_FSSETXATTR, &fsx), EOPNOTSUPP);
	CHECK(!close(fd));
	flags_immutable();
	flags_append();
	flags_dir();
}

static void test_unsupported(void)
{
	int fd = make_file("f", "text");
	char buf[8];

	FAILS(ioctl(fd, 0xdeadbeef, 0), ENOTTY);
	FAILS(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, 4096), EOPNOTSUPP);
	FAILS(setxattr("f", "system.x", "1", 1, 0), EOPNOTSUPP);
	FAILS(getxattr("f", "cheese.x", buf, 8), EOPNOTSUPP);
	CHECK(!close(fd));
	fd = open(".", O_RDONLY);
	CHECK(fd >= 0);
	FAILS(ioctl(fd, 0xdeadbeef, 0), ENOTTY);
	FAILS(read(fd, buf, 1), EISDIR);
	CHECK(!close(fd));
}

static volatile int written;

static void *write_frozen(void *arg)
{
	(void)arg;
	put_file("while-frozen", "x");
	written = 1;
	return NULL;
}

static void test_freeze(void)
{
	int fd = open(".", O_RDONLY), data = make_file("f", "before");
	pthread_t thread;
	char *map;

	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, data, 0);
	CHECK(map != MAP_FAILED);
	map[0] = 'B';
	CHECK(!syncfs(fd));
	CHECK(!ioctl(fd, FIFREEZE, 0));
	FAILS(ioctl(fd, FIFREEZE, 0), EBUSY);
	CHECK(!pthread_create(&thread, NULL, write_frozen, NULL));
	usleep(300000);
	if (written) {
		ioctl(fd, FITHAW, 0);
		CHECK(!"a file was made on a frozen filesystem");
	}
	CHECK(has_text("f", "Before"));
	CHECK(!ioctl(fd, FITHAW, 0));
	FAILS(ioctl(fd, FITHAW, 0), EINVAL);
	CHECK(!pthread_join(thread, NULL));
	CHECK(written);
	map[1] = 'E';
	CHECK(!msync(map, 4096, MS_SYNC));
	CHECK(!close(fd) && !close(data));
}

static void test_sync(void)
{
	int fd = make_file("f", "text"), dir = open(".", O_RDONLY);

	CHECK(!fsync(fd) && !fdatasync(fd));
	CHECK(!fsync(dir) && !fdatasync(dir));
	CHECK(pwrite(fd, "more", 4, 8192) == 4);
	CHECK(!sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
			       SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	CHECK(!syncfs(fd));
	sync();
	CHECK(!close(fd));
	fd = open("s", O_RDWR | O_CREAT | O_SYNC, 0644);
	CHECK(fd >= 0);
	CHECK(write(fd, "sync", 4) == 4);
	CHECK(!close(fd) && !close(dir));
}

static const struct test tests[] = {
	{ "times", test_times },
	{ "owners", test_owners },
	{ "statfs", test_statfs },
	{ "flags", test_flags },
	{ "unsupported", test_unsupported },
	{ "freeze", test_freeze },
	{ "sync", test_sync },
	{ }
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
