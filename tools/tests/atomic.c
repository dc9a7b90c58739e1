// SPDX-License-Identifier: GPL-2.0
/*
 * Atomic files: nothing but msync, fsync and O_DSYNC changes one on the device;
 * and what ioctls, rollback and the last close make of it.
 *
 * What the device holds is told from a copy of it, made while it stands still and
 * mounted like a disk after a power failure: the file under test stays as it is,
 * open and mapped.
 *
 * Usage: atomic MNT DOOR TEST, see msync.h. Besides, in the environment:
 *
 *	COPY		block device of the size of DM, for the copy
 *	SEED, ROUNDS	of the test random
 */
#include "msync.h"

#include <linux/falloc.h>
#include <pthread.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#define NR	16UL		/* pages of a file, if nothing else is said */
#define COPY_MNT "/tmp/copy"

/* ---- what is on the device ----------------------------------------------- */

static void copy_disk(void)
{
	size_t size = strtoull(need_env("SECTORS"), NULL, 0) * 512, at, n;
	int in = open(need_env("DISK"), O_RDONLY | O_DIRECT);
	int out = open(need_env("COPY"), O_WRONLY | O_DIRECT);
	static char *buf;

	n = 1 << 20;
	if (!buf)
		buf = aligned_alloc(PAGE, n);
	CHECK(in >= 0 && out >= 0 && buf);
	dm_stop(need_env("DM"));
	for (at = 0; at < size; at += n) {
		if (n > size - at)
			n = size - at;
		SAME(pread(in, buf, n, at), n);
		SAME(pwrite(out, buf, n, at), n);
	}
	dm_resume(need_env("DM"));
	CHECK(!fsync(out) && !close(in) && !close(out));
}

/* What a mount would find after a crash now, in the directory this returns. */
static const char *look(void)
{
	static char dir[128];

	copy_disk();
	if (mkdir(COPY_MNT, 0755))
		CHECK(errno == EEXIST);
	CHECK(!mount(need_env("COPY"), COPY_MNT, "msyncfs", 0, NULL));
	snprintf(dir, sizeof(dir), "%s%s", COPY_MNT, run.dir + strlen(run.mnt));
	return dir;
}

static void look_away(void)
{
	unmount(COPY_MNT);
}

static char *read_all(const char *dir, const char *name, off_t *size)
{
	char path[256], *buf;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		fprintf(stderr, "%s: ", path);
	CHECK(fd >= 0);
	*size = fstat_of(fd).st_size;
	buf = malloc(*size + 1);
	CHECK(buf);
	SAME(read(fd, buf, *size), *size);
	CHECK(!close(fd));
	return buf;
}

/* @name in @dir has @nr pages, the first @new of generation @gen, then 1. */
static void found_part(const char *dir, const char *name, const char *when,
		       unsigned long nr, unsigned long new, uint64_t gen)
{
	char what[320], *buf;
	off_t size;

	snprintf(what, sizeof(what), "%s: %s on the device", when, name);
	buf = read_all(dir, name, &size);
	if (size != (off_t)(nr * PAGE))
		fprintf(stderr, "%s: ", what);
	SAME(size, nr * PAGE);
	expect(buf, new, gen, what);
	expect(buf + new * PAGE, nr - new, 1, what);
	free(buf);
}

static void found(const char *dir, const char *name, const char *when,
		  unsigned long nr, uint64_t gen)
{
	found_part(dir, name, when, nr, nr, gen);
}

/* After a crash now the file @name would have @nr pages of generation @gen. */
static void disk_has(const char *name, const char *when, unsigned long nr,
		     uint64_t gen)
{
	found(look(), name, when, nr, gen);
	look_away();
}

/* ---- files ---------------------------------------------------------------- */

static int atomic_ioctl(int fd, __u32 on)
{
	return ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on);
}

static __u32 is_atomic(int fd)
{
	__u32 on = 7;

	CHECK(!ioctl(fd, MSYNCFS_IOC_GET_ATOMIC, &on));
	return on;
}

static int rollback(int fd)
{
	return ioctl(fd, MSYNCFS_IOC_ROLLBACK);
}

/* An atomic file of @nr pages, generation 1, durable. */
static int atomic_file(const char *name, unsigned long nr)
{
	int fd = new_file(name, nr);

	CHECK(!atomic_ioctl(fd, 1));
	return fd;
}

/* As it is for everybody who reads it now. */
static void memory_has(const char *name, unsigned long nr, uint64_t gen)
{
	SAME(stat_of(name).st_size, nr * PAGE);
	expect_file(name, 0, nr, gen);
}

/* Dirty pages go to blocks that nothing on the device refers to. */
static void spill(int fd)
{
	CHECK(!sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	CHECK(!sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
			       SYNC_FILE_RANGE_WRITE |
			       SYNC_FILE_RANGE_WAIT_AFTER));
}

static void write_gen(int fd, unsigned long first, unsigned long nr,
		      uint64_t gen)
{
	char *buf = calloc(nr, PAGE);

	CHECK(buf);
	store(buf, nr, gen);
	SAME(pwrite(fd, buf, nr * PAGE, first * PAGE), nr * PAGE);
	free(buf);
}

static unsigned long long space(void)
{
	struct statfs sf;

	CHECK(!statfs(".", &sf));
	return sf.f_bfree;
}

static void write_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		fprintf(stderr, "%s: ", path);
	CHECK(fd >= 0);
	SAME(write(fd, text, strlen(text)), strlen(text));
	CHECK(!close(fd));
}

static void drop_caches(void)
{
	write_proc("/proc/sys/vm/drop_caches", "3\n");
}

/* ---- ioctls --------------------------------------------------------------- */

/* Who may write to a file, but does not own it. */
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
	/* Other sizes are other commands, and there is none after these. */
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

/* The same structures as 32-bit system calls. */
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

/* The flag, and what is committed with it. */
static void test_flag(void)
{
	int fd = new_file("f", NR), gd = atomic_file("g", NR);
	char *map = map_file(fd, NR);

	store(map, NR, 2);
	CHECK(!atomic_ioctl(fd, 1));
	disk_has("f", "SET_ATOMIC", NR, 2);
	store(map, NR, 3);
	CHECK(!atomic_ioctl(fd, 1));	/* what it is already: commits, too */
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

/* On a mount for reading only; and after a stop. */
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

/* ---- rollback ------------------------------------------------------------- */

static void by_store(int fd, char *map)
{
	(void)fd;
	store(map, NR, 2);
}

static void by_write(int fd, char *map)
{
	(void)map;
	write_gen(fd, 3, 7, 2);
}

static void by_append(int fd, char *map)
{
	(void)map;
	write_gen(fd, NR, 5, 2);
}

static void by_shrink(int fd, char *map)
{
	(void)map;
	CHECK(!ftruncate(fd, 2 * PAGE + 100));
}

static void by_empty(int fd, char *map)
{
	(void)map;
	CHECK(!ftruncate(fd, 0));
}

static void by_grow(int fd, char *map)
{
	(void)map;
	CHECK(!ftruncate(fd, 3 * NR * PAGE));
}

static void by_punch(int fd, char *map)
{
	(void)map;
	CHECK(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 2 * PAGE + 100, 5 * PAGE));
}

static void by_zero(int fd, char *map)
{
	(void)map;
	CHECK(!fallocate(fd, FALLOC_FL_ZERO_RANGE, PAGE, (NR + 3) * PAGE));
}

static void by_truncate_name(int fd, char *map)
{
	(void)fd;
	(void)map;
	CHECK(!truncate("f", PAGE));
}

static void by_open_trunc(int fd, char *map)
{
	int gd = open_file("f", O_TRUNC);

	(void)fd;
	(void)map;
	write_gen(gd, 0, 2, 2);
	CHECK(!close(gd));
}

static void by_direct(int fd, char *map)
{
	int gd = open_file("f", O_DIRECT);
	char *buf = aligned_alloc(PAGE, 4 * PAGE);

	(void)fd;
	(void)map;
	CHECK(buf);
	memset(buf, 0, 4 * PAGE);
	store(buf, 4, 2);
	SAME(pwrite(gd, buf, 4 * PAGE, 2 * PAGE), 4 * PAGE);
	free(buf);
	CHECK(!close(gd));
}

static void by_all(int fd, char *map)
{
	by_store(fd, map);
	by_punch(fd, map);
	by_append(fd, map);
	by_shrink(fd, map);
	by_grow(fd, map);
	store(map, 4, 3);
	by_write(fd, map);
}

static const struct change {
	const char *name;
	void (*fn)(int fd, char *map);
} changes[] = {
	{ "a store", by_store },
	{ "write", by_write },
	{ "appending", by_append },
	{ "ftruncate", by_shrink },
	{ "ftruncate to 0", by_empty },
	{ "extending", by_grow },
	{ "PUNCH_HOLE", by_punch },
	{ "ZERO_RANGE", by_zero },
	{ "truncate", by_truncate_name },
	{ "O_TRUNC", by_open_trunc },
	{ "O_DIRECT", by_direct },
	{ "all of them", by_all },
};

static bool differs(const char *name)
{
	static char buf[NR * PAGE], want[NR * PAGE];
	int fd = open_file(name, 0);
	bool same;

	store(want, NR, 1);
	same = fstat_of(fd).st_size == NR * PAGE &&
	       read(fd, buf, sizeof(buf)) == sizeof(buf) &&
	       !memcmp(buf, want, sizeof(buf));
	CHECK(!close(fd));
	return !same;
}

static void back_from(const struct change *c, int how, int fd, char *map)
{
	unsigned long long before = space();
	struct stat was = fstat_of(fd);
	char when[64];

	snprintf(when, sizeof(when), "rolled back: %s%s", c->name,
		 how ? ", spilled" : "");
	c->fn(fd, map);
	if (how)
		spill(fd);
	if (!differs("f"))
		fprintf(stderr, "%s: ", when);
	CHECK(differs("f"));
	CHECK(!rollback(fd));
	if (differs("f") || space() != before)
		fprintf(stderr, "%s: ", when);
	SAME(space(), before);
	expect(map, NR, 1, when);
	memory_has("f", NR, 1);
	SAME(fstat_of(fd).st_blocks, was.st_blocks);
}

/* Content, size and space are as they were; mappings are good. */
static void test_rollback(void)
{
	int fd = atomic_file("f", NR), how;
	char *map = map_file(fd, NR);
	unsigned int i;

	for (how = 0; how < 2; how++)
		for (i = 0; i < ARRAY_SIZE(changes); i++)
			back_from(&changes[i], how, fd, map);
	disk_has("f", "after rollbacks", NR, 1);
	/* And from there it goes on. */
	store(map, NR, 4);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	store(map, NR, 5);
	CHECK(!rollback(fd));
	expect(map, NR, 4, "rolled back to the last commit");
	disk_has("f", "committed after rollbacks", NR, 4);
	unmap(map, NR);
	CHECK(!close(fd));
}

/* What each of them leaves behind is committed as a whole. */
static void test_commit(void)
{
	unsigned int i, how;

	for (how = 0; how < 2; how++)
		for (i = 0; i < ARRAY_SIZE(changes); i++) {
			char name[8], cmd[256];
			int fd = atomic_file("f", NR);
			char *map = map_file(fd, NR);

			changes[i].fn(fd, map);
			if (how)
				spill(fd);
			CHECK(!fsync(fd));
			snprintf(name, sizeof(name), "f%u.%u", i, how);
			snprintf(cmd, sizeof(cmd), "cp f %s.mem", name);
			CHECK(!system(cmd));
			unmap(map, NR);
			CHECK(!close(fd) && !rename("f", name));
		}
	sync();
	crash();
	for (how = 0; how < 2; how++)
		for (i = 0; i < ARRAY_SIZE(changes); i++) {
			char cmd[256];

			snprintf(cmd, sizeof(cmd), "cmp f%u.%u f%u.%u.mem", i,
				 how, i, how);
			if (system(cmd)) {
				fprintf(stderr, "not what was committed: %s\n",
					changes[i].name);
				exit(1);
			}
		}
}

/* ---- the last close ------------------------------------------------------- */

static void close_plain(void)
{
	int fd = open_file("f", 0);
	char *map = map_file(fd, NR);

	store(map, NR, 2);
	spill(fd);
	store(map, 3, 2);
	unmap(map, NR);
	memory_has("f", NR, 2);
	CHECK(!close(fd));
	memory_has("f", NR, 1);
}

/* A mapping is enough, and a part of one; also a private one. */
static void close_mapped(void)
{
	int fd = open_file("f", 0);
	char *map = map_file(fd, NR), *private;

	store(map, NR, 2);
	CHECK(!close(fd));
	memory_has("f", NR, 2);
	unmap(map, 4);
	unmap(map + 8 * PAGE, NR - 8);
	memory_has("f", NR, 2);
	fd = open_file("f", 0);
	private = map_at(NULL, fd, 0, 1, RW, MAP_PRIVATE);
	CHECK(!close(fd));
	unmap(map + 4 * PAGE, 4);
	memory_has("f", NR, 2);
	put_page_gen(private, 9);
	unmap(private, 1);
	memory_has("f", NR, 1);
}

static void close_other(void)
{
	int fd = open_file("f", 0), gd = dup(fd), ro = open("f", O_RDONLY);

	CHECK(gd >= 0 && ro >= 0);
	write_gen(fd, 0, NR, 2);
	CHECK(!close(fd));
	memory_has("f", NR, 2);
	CHECK(!close(gd));
	memory_has("f", NR, 2);
	CHECK(!close(ro));
	memory_has("f", NR, 1);
}

/* One that a child has inherited; it commits when all others are gone. */
static void close_forked(void)
{
	int fd = open_file("f", 0), pipe_fd[2];
	char *map = map_file(fd, NR), c;
	pid_t pid;

	CHECK(!pipe(pipe_fd));
	store(map, NR, 2);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK(!close(fd) && !close(pipe_fd[1]));
		CHECK(read(pipe_fd[0], &c, 1) == 1);
		expect(map, NR, 2, "inherited");
		CHECK(!call(map, PAGE, MS_SYNC));
		_exit(0);
	}
	unmap(map, NR);
	CHECK(!close(fd));
	memory_has("f", NR, 2);
	disk_has("f", "mapped by a child", NR, 1);
	SAME(write(pipe_fd[1], "x", 1), 1);
	wait_for(pid);
	CHECK(!close(pipe_fd[0]) && !close(pipe_fd[1]));
	memory_has("f", NR, 2);
	disk_has("f", "committed by a child", NR, 2);
}

/* A process is killed after half an update. */
static void close_killed(void)
{
	int pipe_fd[2], fd, status;
	pid_t pid;
	char *map, c;

	CHECK(!pipe(pipe_fd));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		fd = open_file("f", 0);
		map = map_file(fd, NR);
		store(map, NR / 2, 3);
		SAME(write(pipe_fd[1], "x", 1), 1);
		pause();
	}
	SAME(read(pipe_fd[0], &c, 1), 1);
	expect_file("f", 0, NR / 2, 3);
	CHECK(!kill(pid, SIGKILL));
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(!close(pipe_fd[0]) && !close(pipe_fd[1]));
	memory_has("f", NR, 2);
}

static void test_close(void)
{
	unsigned long long before;

	CHECK(!close(atomic_file("f", NR)));
	before = space();
	close_plain();
	close_mapped();
	close_other();
	SAME(space(), before);
	disk_has("f", "last close", NR, 1);
	close_forked();
	close_killed();
	disk_has("f", "a process was killed", NR, 2);
}

/* With the mount option, the last close commits. */
static void test_option_close(void)
{
	int fd = new_file("f", NR);
	char *map;

	SAME(is_atomic(fd), 1);
	map = map_file(fd, NR);
	store(map, NR, 2);
	CHECK(!close(fd));
	sync();
	disk_has("f", "mount option, still mapped", NR, 1);
	fd = open_file("f", 0);
	store(map, NR, 9);
	CHECK(!rollback(fd));
	expect(map, NR, 1, "mount option, rolled back");
	store(map, NR, 2);
	CHECK(!close(fd));
	unmap(map, NR);
	disk_has("f", "mount option, last close", NR, 2);

	/* Made atomic besides: discards. */
	fd = atomic_file("g", NR);
	write_gen(fd, 0, NR, 2);
	CHECK(!close(fd));
	memory_has("g", NR, 1);
	/* The other way round it stays atomic by the mount. */
	fd = open_file("g", 0);
	CHECK(!atomic_ioctl(fd, 0));
	SAME(is_atomic(fd), 1);
	write_gen(fd, 0, NR, 3);
	disk_has("g", "mount option, open", NR, 1);
	CHECK(!close(fd));
	disk_has("g", "mount option, closed", NR, 3);

	/* Stopped with a file open: as after a crash at that moment. */
	fd = open_file("g", 0);
	write_gen(fd, 0, NR, 4);
	sync();
	CHECK(!ioctl(fd, MSYNCFS_IOC_SHUTDOWN, &(__u32){ 2 }));
	CHECK(!close(fd));
	crash();
	memory_has("f", NR, 2);
	memory_has("g", NR, 3);
}

/* ---- what does not commit --------------------------------------------------- */

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

/* Dirty pages of a file; cachestat(2), which the headers may not know. */
static unsigned long nr_dirty(int fd)
{
	__u64 range[2] = { }, stat[5];

	CHECK(!syscall(451, fd, range, stat, 0));
	return stat[1];
}

/* The periodic writeback, which takes what is dirty of another file. */
static void other_kupdate(int fd)
{
	int gd = open_file("other", O_CREAT), i;
	static const char * const set[][2] = {
		{ "/proc/sys/vm/dirty_expire_centisecs", "3000\n" },
		{ "/proc/sys/vm/dirty_writeback_centisecs", "0\n" },
	};

	/* A sync(2) may have spilled them, and may still be about to. */
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
	/* So that what it has prepared is durable. */
	CHECK(!close(gd) && !syncfs(fd));
}

static void other_spill(int fd)
{
	spill(fd);
	/* A block beside the committed one for each page. */
	SAME(fstat_of(fd).st_blocks, 2 * NR * PAGE / 512);
	drop_caches();
	SAME(fstat_of(fd).st_blocks, 2 * NR * PAGE / 512);
}

/* Spilled, out of memory, read again. */
static void other_again(int fd)
{
	struct io before, after;

	spill(fd);
	drop_caches();
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

	/* Not MAP_SYNC, but all that pins or populates. */
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
	/* The copy is one that can tell. */
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	disk_has("f", "msync", NR, 2);
	unmap(map, NR);
	CHECK(!close(fd));
}

/* So many dirty pages that the flusher has to make room. */
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
	/* Blocks that spilled pages are on are free on the device. */
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

/* So many holes and spilled pages that the tree of them takes every shape. */
static void test_sizes(void)
{
	const unsigned long most = 4099, stride = 1597;
	int fd = atomic_file("f", most);
	char *map = map_file(fd, most);
	blkcnt_t was = fstat_of(fd).st_blocks;
	unsigned long nr, i;

	for (nr = 1000; nr < most; nr += 150) {
		/* Here and there, so that its nodes are of any number of entries. */
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
	/* What has been thrown away is freed a little later. */
	sleep(1);
	expect(map, most, 1, "rolled back");
	unmap(map, most);
	CHECK(!close(fd));
}

/* While the filesystem is frozen nothing is written, and a commit waits. */
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

/* ---- what commits ----------------------------------------------------------- */

/* All of the file, whatever range is named, size and holes too. */
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
	/* Who may read it may commit it. */
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

/* The kernel calls once for each mapping; the first commits all of the file. */
static void test_vmas(void)
{
	int fd = atomic_file("f", NR), gd = new_file("g", NR);

	SAME(commits_of_mprotect(fd), 1);
	disk_has("f", "msync of three mappings", NR, 2);
	/* Or this would show nothing. */
	SAME(commits_of_mprotect(gd), door.full ? 1 : 3);
	CHECK(!close(fd) && !close(gd));
}

/* What it has started is durable soon. */
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

/* O_DIRECT goes through the page cache: it would expose half an update. */
static void test_direct(void)
{
	int fd = atomic_file("f", NR), gd = open_file("f", O_DIRECT);
	char *map = map_file(fd, NR), *buf = aligned_alloc(PAGE, NR * PAGE);
	struct io before, after;

	CHECK(buf);
	touch(map, NR);
	settle();
	before = disk_io(need_env("DISK"));
	/* Half an update, that would have to be committed for it. */
	store(map, 2, 2);
	by_direct(fd, map);
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

/* One call, an atomic file and an ordinary one. */
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

/* ---- names ------------------------------------------------------------------ */

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

	/* A name less is another operation: the content is as it was. */
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
	/* Over a dirty file that stays open, and one that is not. */
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

/* By name: a commit if nobody has it open, else not. */
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

/* The way to replace a file without another name. */
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

/* ---- no space ----------------------------------------------------------------- */

#define LARGE	2500UL		/* pages; more than a record takes, and the disk */
#define SPARE	1500ULL		/* blocks that are left */

/* Stores until there is no space: how many pages. */
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
	/* What is dirty has its space. */
	put_page_gen(map, gen);
	SAME(pwrite(fd, &gen, sizeof(gen), 0), sizeof(gen));
	return nr;
}

/* Whoever stores is told, in time, that there is no space; the commit never is. */
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

/* ---- anything, in any order ---------------------------------------------------- */

#define R_SIZE	(24 * PAGE)

static struct {
	char now[R_SIZE], then[R_SIZE];		/* zeros beyond the size */
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
	if (below(2)) {		/* whole pages */
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

/* Compared with a model: what is read, and after a crash what was committed. */
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

/* ---- all at once ---------------------------------------------------------------- */

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
	{ "ioctl", test_ioctl },
	{ "ioctl32", test_ioctl32 },
	{ "flag", test_flag },
	{ "readonly", test_readonly_mount },
	{ "rollback", test_rollback },
	{ "commit", test_commit },
	{ "close", test_close },
	{ "others", test_others },
	{ "pressure", test_pressure },
	{ "sizes", test_sizes },
	{ "freeze", test_freeze },
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
	{ "nospace", test_nospace },
	{ "random", test_random },
	{ "race", test_race },
	{ "option_close", test_option_close },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
