// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests that a rollback and the last close of an atomic file
 * discard the changes that were not committed.
 *
 * Usage: atomic_rollback MNT DOOR TEST, see atomic.h.
 */
#include "atomic.h"

#include <linux/falloc.h>

/* ---- rollback ----------------------------------------------------------- */

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
	(void)fd;
	(void)map;
	write_direct("f", 2, 4, 2);
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

/* A rollback restores content, size and free space. Mappings stay valid. */
static void test_rollback(void)
{
	int fd = atomic_file("f", NR), how;
	char *map = map_file(fd, NR);
	unsigned int i;

	for (how = 0; how < 2; how++)
		for (i = 0; i < ARRAY_SIZE(changes); i++)
			back_from(&changes[i], how, fd, map);
	disk_has("f", "after rollbacks", NR, 1);
	/* After a rollback, a program can change and commit the file. */
	store(map, NR, 4);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	store(map, NR, 5);
	CHECK(!rollback(fd));
	expect(map, NR, 4, "rolled back to the last commit");
	disk_has("f", "committed after rollbacks", NR, 4);
	unmap(map, NR);
	CHECK(!close(fd));
}

/*
 * Commit each kind of change. A crash after the commit must leave the committed
 * file.
 */
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

/* ---- the last close ----------------------------------------------------- */

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

/*
 * A file with a mapping stays in use, even if only a part of the file is mapped
 * or the mapping is private.
 */
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

/*
 * A child inherits the mapping. The child commits after the parent has closed
 * and unmapped the file.
 */
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

/* Kill a process in the middle of an update. */
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

/* With the mount option "atomic", the last close commits. */
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

	/*
	 * atomic_file() makes this file atomic by the ioctl, too. So the last
	 * close of the file discards the changes.
	 */
	fd = atomic_file("g", NR);
	write_gen(fd, 0, NR, 2);
	CHECK(!close(fd));
	memory_has("g", NR, 1);
	/*
	 * The ioctl clears the flag of the file. Because of the mount option,
	 * the file is still atomic.
	 */
	fd = open_file("g", 0);
	CHECK(!atomic_ioctl(fd, 0));
	SAME(is_atomic(fd), 1);
	write_gen(fd, 0, NR, 3);
	disk_has("g", "mount option, open", NR, 1);
	CHECK(!close(fd));
	disk_has("g", "mount option, closed", NR, 3);

	/*
	 * Stop the filesystem while the file is open. This is like a crash
	 * before the last close.
	 */
	fd = open_file("g", 0);
	write_gen(fd, 0, NR, 4);
	sync();
	CHECK(!ioctl(fd, MSYNCFS_IOC_SHUTDOWN, &(__u32){ 2 }));
	CHECK(!close(fd));
	crash();
	memory_has("f", NR, 2);
	memory_has("g", NR, 3);
}

/*
 * A pipe has a reference to a clean page, and the inode was never dirty since it was
 * read from the device. Only the size has changed.
 */
static void test_held(void)
{
	off_t at = 0;
	int fd, ends[2];

	CHECK(!close(atomic_file("f", NR)));
	drop_caches();
	fd = open_file("f", O_NOATIME);
	CHECK(!pipe(ends));
	SAME(splice(fd, &at, ends[1], NULL, PAGE, 0), PAGE);
	CHECK(!ftruncate(fd, 2 * NR * PAGE));
	CHECK(!rollback(fd));
	SAME(fstat_of(fd).st_size, NR * PAGE);
	CHECK(!close(ends[0]) && !close(ends[1]) && !close(fd));
	memory_has("f", NR, 1);
}

static const struct test tests[] = {
	{ "rollback", test_rollback },
	{ "held", test_held },
	{ "commit", test_commit },
	{ "close", test_close },
	{ "option_close", test_option_close },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
