// SPDX-License-Identifier: GPL-2.0
/*
 * This program checks what other programs expect of the names of a local
 * filesystem: files, directories, links and device nodes. fsattr.c tests
 * attributes and times. fsdata.c tests the content of files.
 *
 * Usage: fsops DIR [TEST]
 */
#include "check.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static char long_name[NAME_MAX + 2];

static void test_create(void)
{
	char buf[8];
	int fd;

	fd = make_file("a", "first");
	FAILS(open("a", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	FAILS(open("no/a", O_CREAT | O_RDWR, 0644), ENOENT);
	FAILS(open("a/b", O_CREAT | O_RDWR, 0644), ENOTDIR);
	FAILS(open("b", O_RDONLY), ENOENT);
	SAME(stat_of("a").st_nlink, 1);
	SAME(stat_of("a").st_mode, S_IFREG | 0644);

	memset(long_name, 'n', NAME_MAX + 1);
	FAILS(open(long_name, O_CREAT | O_RDWR, 0644), ENAMETOOLONG);
	long_name[NAME_MAX] = 0;
	put_file(long_name, "long");
	CHECK(has_text(long_name, "long"));
	put_file("\xff\x01 .\n\\", "odd");
	CHECK(has_text("\xff\x01 .\n\\", "odd"));

	/* An open file stays usable after its name is removed. */
	CHECK(!unlink("a"));
	FAILS(access("a", F_OK), ENOENT);
	FAILS(unlink("a"), ENOENT);
	SAME(fstat_of(fd).st_nlink, 0);
	CHECK(pwrite(fd, "still", 5, 5) == 5);
	CHECK(!fsync(fd));
	CHECK(pread(fd, buf, 8, 2) == 8 && !memcmp(buf, "rststill", 8));
	CHECK(!close(fd));

	fd = make_file("t", "0123456789");
	CHECK(!close(fd));
	fd = open("t", O_RDWR | O_TRUNC);
	CHECK(fd >= 0);
	SAME(fstat_of(fd).st_size, 0);
	CHECK(!close(fd));
}

static void test_dirs(void)
{
	CHECK(!mkdir("d", 0755));
	SAME(stat_of("d").st_nlink, 2);
	SAME(stat_of(".").st_nlink, 3);
	FAILS(mkdir("d", 0755), EEXIST);
	FAILS(mkdir("d/e/f", 0755), ENOENT);
	CHECK(!mkdir("d/e", 0700));
	SAME(stat_of("d").st_nlink, 3);
	SAME(stat_of("d/e").st_mode, S_IFDIR | 0700);
	SAME(stat_of("d/e/..").st_ino, stat_of("d").st_ino);
	FAILS(rmdir("d"), ENOTEMPTY);
	FAILS(unlink("d"), EISDIR);
	FAILS(rmdir("d/."), EINVAL);
	FAILS(open("d", O_RDWR), EISDIR);
	put_file("f", "x");
	FAILS(rmdir("f"), ENOTDIR);
	FAILS(link("d", "d2"), EPERM);

	/* After a directory was moved, its ".." is the new parent. */
	CHECK(!mkdir("g", 0755));
	CHECK(!rename("d/e", "g/e"));
	SAME(stat_of("d").st_nlink, 2);
	SAME(stat_of("g").st_nlink, 3);
	SAME(stat_of("g/e/..").st_ino, stat_of("g").st_ino);
	FAILS(rename("g", "g/e/g"), EINVAL);

	CHECK(!chdir("g/e"));
	CHECK(!rmdir("../../g/e"));
	FAILS(open("x", O_CREAT | O_RDWR, 0644), ENOENT);
	FAILS(mkdir("x", 0755), ENOENT);
	CHECK(!chdir("/"));
}

static int ren(const char *from, const char *to, unsigned int flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

/* Rename a file to a new name and over another file. Exchange two files. */
static void rename_files(void)
{
	ino_t a, b;
	int fd;

	put_file("a", "A");
	put_file("b", "B");
	FAILS(ren("a", "b", RENAME_NOREPLACE), EEXIST);
	CHECK(has_text("a", "A") && has_text("b", "B"));
	CHECK(!ren("a", "c", RENAME_NOREPLACE));
	FAILS(access("a", F_OK), ENOENT);
	CHECK(has_text("c", "A"));
	FAILS(ren("no", "c", 0), ENOENT);
	FAILS(ren("no", "c", RENAME_EXCHANGE), ENOENT);
	FAILS(ren("c", "no", RENAME_EXCHANGE), ENOENT);
	FAILS(ren("c", "b", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);

	/* A file that is replaced while it is open stays usable. */
	fd = open("b", O_RDONLY);
	CHECK(fd >= 0);
	CHECK(!rename("c", "b"));
	CHECK(has_text("b", "A"));
	SAME(fstat_of(fd).st_nlink, 0);
	CHECK(!close(fd));

	put_file("a", "A2");
	a = stat_of("a").st_ino;
	b = stat_of("b").st_ino;
	CHECK(!ren("a", "b", RENAME_EXCHANGE));
	SAME(stat_of("a").st_ino, b);
	SAME(stat_of("b").st_ino, a);

	/* If both names belong to one file, the rename does nothing. */
	CHECK(!link("a", "a2"));
	CHECK(!rename("a", "a2"));
	CHECK(!access("a", F_OK) && !access("a2", F_OK));
	SAME(stat_of("a").st_nlink, 2);
}

static void is_whiteout(const char *name)
{
	struct stat st = stat_of(name);

	CHECK(S_ISCHR(st.st_mode) && !(st.st_mode & 07777) && !st.st_rdev);
	SAME(st.st_nlink, 1);
}

/* Leave a whiteout at the old name. The caller has made a file "a". */
static void rename_whiteout(void)
{
	ino_t moved = stat_of("a").st_ino;

	put_file("over", "O");
	FAILS(ren("a", "over", RENAME_WHITEOUT | RENAME_EXCHANGE), EINVAL);
	FAILS(ren("a", "over", RENAME_WHITEOUT | RENAME_NOREPLACE), EEXIST);
	CHECK(!ren("a", "over", RENAME_WHITEOUT));
	SAME(stat_of("over").st_ino, moved);
	is_whiteout("a");
	CHECK(!mkdir("w1", 0755) && !mkdir("w2", 0755) && !mkdir("w1/sub", 0755));
	CHECK(!ren("w1/sub", "w2/sub", RENAME_WHITEOUT));
	is_whiteout("w1/sub");
	SAME(stat_of("w1").st_nlink, 2);
	SAME(stat_of("w2").st_nlink, 3);
	CHECK(!unlink("a") && !unlink("w1/sub"));
	CHECK(!ren("over", "a", 0));
	CHECK(!rmdir("w1") && !rmdir("w2/sub") && !rmdir("w2"));
}

/*
 * Rename directories. They must keep their entries and get a new parent. The
 * caller has made a file "a".
 */
static void rename_dirs(void)
{
	ino_t moved;

	CHECK(!mkdir("d1", 0755) && !mkdir("d2", 0755));
	CHECK(!mkdir("d1/sub", 0755));
	put_file("d2/file", "F");
	FAILS(rename("a", "d1"), EISDIR);
	FAILS(rename("d1", "a"), ENOTDIR);
	FAILS(rename("d2", "d1"), ENOTEMPTY);

	/* Exchange a directory with a file that is in another directory. */
	CHECK(!ren("d1/sub", "d2/file", RENAME_EXCHANGE));
	CHECK(has_text("d1/sub", "F"));
	CHECK(S_ISDIR(stat_of("d2/file").st_mode));
	SAME(stat_of("d1").st_nlink, 2);
	SAME(stat_of("d2").st_nlink, 3);
	SAME(stat_of("d2/file/..").st_ino, stat_of("d2").st_ino);
	CHECK(!mkdir("d1/dir", 0755));
	moved = stat_of("d1/dir").st_ino;
	CHECK(!ren("d1/dir", "d2/file", RENAME_EXCHANGE));
	SAME(stat_of("d2/file").st_ino, moved);
	SAME(stat_of("d2/file/..").st_ino, stat_of("d2").st_ino);
	SAME(stat_of("d1/dir/..").st_ino, stat_of("d1").st_ino);
	/* Rename over an empty directory. */
	CHECK(!mkdir("e", 0755));
	CHECK(!rename("d2/file", "e"));
	SAME(stat_of("e").st_ino, moved);
	SAME(stat_of("d2").st_nlink, 2);
}

static void test_rename(void)
{
	rename_files();
	rename_whiteout();
	rename_dirs();
}

static void test_links(void)
{
	struct stat before, after;

	put_file("a", "linked");
	before = stat_of("a");
	usleep(20000);
	CHECK(!link("a", "b"));
	after = stat_of("a");
	SAME(after.st_nlink, 2);
	SAME(stat_of("b").st_ino, after.st_ino);
	CHECK(after.st_ctim.tv_sec != before.st_ctim.tv_sec ||
	      after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
	FAILS(link("a", "b"), EEXIST);
	FAILS(link("no", "c"), ENOENT);
	CHECK(!unlink("a"));
	SAME(stat_of("b").st_nlink, 1);
	CHECK(has_text("b", "linked"));
}

static void test_symlinks(void)
{
	static char target[4097], buf[4097];
	struct stat st;
	int n;

	put_file("file", "pointed at");
	CHECK(!symlink("file", "short"));
	CHECK(has_text("short", "pointed at"));
	st = stat_of("short");
	CHECK(S_ISLNK(st.st_mode));
	SAME(st.st_size, 4);
	CHECK(readlink("short", buf, sizeof(buf)) == 4 && !memcmp(buf, "file", 4));
	FAILS(symlink("x", "short"), EEXIST);
	CHECK(!symlink("nowhere", "dangling"));
	FAILS(open("dangling", O_RDONLY), ENOENT);
	FAILS(readlink("file", buf, sizeof(buf)), EINVAL);
	CHECK(!symlink("loop", "loop"));
	FAILS(open("loop", O_RDONLY), ELOOP);

	for (n = 100; n <= 4095; n = n < 2700 ? n * 3 : n < 3582 ? 3582 :
						     n < 3584 ? n + 1 : n + 511) {
		memset(target, 'a' + n % 26, n);
		target[n] = 0;
		CHECK(!symlink(target, "long"));
		SAME(readlink("long", buf, sizeof(buf)), n);
		CHECK(!memcmp(target, buf, n));
		SAME(stat_of("long").st_blocks, n > 3583 ? 8 : 0);
		CHECK(!unlink("long"));
	}
	memset(target, 'z', 4095);
	target[4095] = 0;
	CHECK(!symlink(target, "longest"));
	CHECK(!rename("longest", "moved"));
	SAME(readlink("moved", buf, sizeof(buf)), 4095);
	CHECK(!memcmp(target, buf, 4095));
	CHECK(!link("moved", "longest"));
	memset(target, 'z', 4096);
	target[4096] = 0;
	FAILS(symlink(target, "longer"), ENAMETOOLONG);
	/* These long paths lead to the file: ./././file */
	for (n = 0; n < 2045; n++)
		memcpy(target + 2 * n, "./", 2);
	strcpy(target + 2 * n, "file");
	CHECK(!symlink(target, "long_detour"));
	CHECK(has_text("long_detour", "pointed at"));
	CHECK(!symlink(target + 2000, "detour"));
	CHECK(has_text("detour", "pointed at"));
}

static void test_nodes(void)
{
	char buf[4];
	struct stat st;
	pid_t pid;
	int fd, status;

	CHECK(!mknod("chr", S_IFCHR | 0600, makedev(1, 3)));
	CHECK(!mknod("blk", S_IFBLK | 0640, makedev(259, 70000)));
	CHECK(!mknod("fifo", S_IFIFO | 0644, 0));
	CHECK(!mknod("sock", S_IFSOCK | 0644, 0));
	CHECK(!mknod("reg", S_IFREG | 0644, 0));
	st = stat_of("chr");
	CHECK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	st = stat_of("blk");
	CHECK(st.st_mode == (S_IFBLK | 0640) && st.st_rdev == makedev(259, 70000));
	CHECK(S_ISSOCK(stat_of("sock").st_mode));
	CHECK(S_ISREG(stat_of("reg").st_mode));

	fd = open("chr", O_WRONLY);	/* the same device as /dev/null */
	CHECK(fd >= 0);
	CHECK(write(fd, "gone", 4) == 4);
	CHECK(!close(fd));

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		fd = open("fifo", O_WRONLY);
		_exit(!(fd >= 0 && write(fd, "pipe", 4) == 4));
	}
	fd = open("fifo", O_RDONLY);
	CHECK(fd >= 0);
	CHECK(read(fd, buf, 4) == 4 && !memcmp(buf, "pipe", 4));
	CHECK(!close(fd));
	CHECK(waitpid(pid, &status, 0) == pid && !status);
}

static void test_tmpfile(void)
{
	char name[64];
	int fd;

	fd = open(".", O_TMPFILE | O_RDWR, 0640);
	CHECK(fd >= 0);
	SAME(fstat_of(fd).st_nlink, 0);
	CHECK(write(fd, "unnamed", 7) == 7);
	CHECK(!fsync(fd));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK(!linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	SAME(fstat_of(fd).st_nlink, 1);
	CHECK(!close(fd));
	CHECK(has_text("named", "unnamed"));
	SAME(stat_of("named").st_mode, S_IFREG | 0640);

	fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	CHECK(fd >= 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	FAILS(linkat(AT_FDCWD, name, AT_FDCWD, "never", AT_SYMLINK_FOLLOW), ENOENT);
	CHECK(!close(fd));

	/* Link and unlink the file while it is open. */
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	CHECK(fd >= 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK(!linkat(AT_FDCWD, name, AT_FDCWD, "brief", AT_SYMLINK_FOLLOW));
	CHECK(!unlink("brief"));
	SAME(fstat_of(fd).st_nlink, 0);
	CHECK(write(fd, "x", 1) == 1);
	CHECK(!close(fd));
}

static volatile int stop;

static void *churn(void *arg)
{
	unsigned int i = 0;
	char name[32];

	(void)arg;
	while (!stop) {
		snprintf(name, sizeof(name), "churn/other%u", i++ % 700);
		if (unlink(name) && errno == ENOENT)
			put_file(name, NULL);
	}
	return NULL;
}

static void test_readdir(void)
{
	unsigned char seen[1000];
	struct dirent *de;
	pthread_t thread;
	char name[32];
	unsigned int i, pass;
	long where = 0;
	DIR *d;

	CHECK(!mkdir("churn", 0755));
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "churn/stays%u", i);
		put_file(name, NULL);
	}
	CHECK(!pthread_create(&thread, NULL, churn, NULL));
	for (pass = 0; pass < 5; pass++) {
		memset(seen, 0, sizeof(seen));
		d = opendir("churn");
		CHECK(d);
		while ((de = readdir(d))) {
			if (sscanf(de->d_name, "stays%u", &i) != 1)
				continue;
			CHECK(i < 1000);
			CHECK(!seen[i]);
			CHECK(de->d_type == DT_REG);
			seen[i] = 1;
		}
		CHECK(!closedir(d));
		for (i = 0; i < 1000; i++)
			CHECK(seen[i]);
	}
	stop = 1;
	CHECK(!pthread_join(thread, NULL));

	/* seekdir() returns to the entry at which telldir() was called. */
	d = opendir("churn");
	CHECK(d);
	for (i = 0; i < 300; i++)
		CHECK(readdir(d));
	where = telldir(d);
	de = readdir(d);
	CHECK(de);
	strcpy(name, de->d_name);
	for (i = 0; i < 100; i++)
		CHECK(readdir(d));
	seekdir(d, where);
	de = readdir(d);
	CHECK(de && !strcmp(de->d_name, name));
	rewinddir(d);
	for (i = 0; (de = readdir(d)); )
		i += !strcmp(de->d_name, ".") || !strcmp(de->d_name, "..");
	SAME(i, 2);
	CHECK(!closedir(d));
}

/*
 * Make 100,000 names of a few files. A late name must not cost more than an
 * early name.
 */
static void test_large_dir(void)
{
	const unsigned int n = 100000, part = n / 5;
	double t, took, first = 0, last = 0;
	unsigned int i, count;
	struct dirent *de;
	char name[64];
	DIR *d;

	CHECK(!mkdir("d", 0755));
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "base%u", i);
		put_file(name, NULL);
	}
	for (i = 0, t = now(); i < n; i++) {
		char base[16];

		snprintf(base, sizeof(base), "base%u", i % 4);
		snprintf(name, sizeof(name), "d/an entry with number %u", i);
		CHECK(!link(base, name));
		if ((i + 1) % part)
			continue;
		took = now() - t;
		t = now();
		if (i + 1 == part)
			first = took;
		last = took;
	}
	SAME(stat_of("base0").st_nlink, n / 4 + 1);
	printf("100000 entries: the first fifth %.1f s, the last %.1f s\n",
	       first, last);
	/*
	 * If the cost were quadratic, the last names would take nine times as
	 * long as the first. The bound is below nine, but high enough for a
	 * busy machine.
	 */
	CHECK(last < 6 * first + 2);

	d = opendir("d");
	CHECK(d);
	for (count = 0; (de = readdir(d)); )
		count += de->d_name[0] != '.';
	CHECK(!closedir(d));
	SAME(count, n);
	for (i = 0; i < n; i += 97) {
		snprintf(name, sizeof(name), "d/an entry with number %u", i);
		CHECK(!access(name, F_OK));
	}
	FAILS(access("d/an entry with number 100000", F_OK), ENOENT);
	for (i = 0, t = now(); i < n; i++) {
		snprintf(name, sizeof(name), "d/an entry with number %u", i);
		CHECK(!unlink(name));
	}
	printf("100000 entries removed in %.1f s\n", now() - t);
	SAME(stat_of("base0").st_nlink, 1);
	CHECK(!rmdir("d"));
}

static const struct test tests[] = {
	{ "create", test_create },
	{ "dirs", test_dirs },
	{ "rename", test_rename },
	{ "links", test_links },
	{ "symlinks", test_symlinks },
	{ "nodes", test_nodes },
	{ "tmpfile", test_tmpfile },
	{ "readdir", test_readdir },
	{ "large_dir", test_large_dir },
	{ }
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
