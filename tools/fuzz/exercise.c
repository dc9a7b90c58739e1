// SPDX-License-Identifier: GPL-2.0
/*
 * This file does every kind of operation on a mounted filesystem whose content may be
 * damaged. No result is expected of an operation, except on a filesystem that fsck has
 * repaired: there no operation may report damage.
 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/msyncfs.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_PATHS	96
#define MAX_DEPTH	6
#define MAX_ENTRIES	600	/* entries of one directory that are read */
#define MAX_WINDOW	(16 * BLK)

static struct {
	struct rng	rng;
	const char	*mnt;
	bool		strict;
	unsigned int	faults;		/* results that a repaired filesystem must not give */
	char		*paths[MAX_PATHS];
	mode_t		modes[MAX_PATHS];
	unsigned int	nr;
} ex;

static char buf[MAX_WINDOW] __aligned(BLK);

static u64 below(u64 n)
{
	return rng_below(&ex.rng, n);
}

/* Look at the result of an operation. */
static long did(const char *what, const char *path, long result)
{
	if (result == -1 && ex.strict && (errno == EUCLEAN || errno == EIO)) {
		printf("fuzz: %s of %s: %s\n", what, path, strerror(errno));
		ex.faults++;
	}
	return result;
}

/* ---- a mapping that may have no pages ---- */

static sigjmp_buf jump;

static void jump_back(int sig)
{
	(void)sig;
	siglongjmp(jump, 1);
}

static void use_mapping(const char *path, char *p, size_t len, bool writable)
{
	volatile size_t i;

	if (!sigsetjmp(jump, 0)) {
		for (i = 0; i < len; i += BLK) {
			if (writable)
				p[i] ^= 1;
			else
				(void)*(volatile char *)(p + i);
		}
	}
	if (writable) {
		did("msync", path, msync(p, len, MS_SYNC));
		did("msync", path, msync(p, len, MS_INVALIDATE));
	}
}

static void map_file(const char *path, int fd, off_t at, bool writable)
{
	size_t len = (1 + below(4)) * BLK;
	char *p;

	p = mmap(NULL, len, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, at & ~4095LL);
	if (p == MAP_FAILED)
		return;
	use_mapping(path, p, len, writable);
	munmap(p, len);
}

/* ---- one file ---- */

/* Return a position: near the start, near the end, at an edge of the map, anywhere. */
static off_t some_pos(const struct stat *st)
{
	static const u64 edges[] = {
		447, 448, 448 + 1, 504, 448 * 504 - 1, 448 * 504, 448ULL * 504 * 504,
		448ULL * 504 * 504 * 504,
	};
	off_t size = st->st_size;

	switch (below(5)) {
	case 0: case 1:
		return below(20 * BLK);
	case 2:
		return size > 5 * BLK ? size - below(5 * BLK) : 0;
	case 3:
		return edges[below(ARRAY_SIZE(edges))] * BLK - below(BLK);
	default:
		return size > 0 ? below(size) : 0;
	}
}

static void look_at_extents(const char *path, int fd, const struct stat *st)
{
	struct {
		struct fiemap		fm;
		struct fiemap_extent	fe[8];
	} map = { .fm = { .fm_length = ~0ULL, .fm_extent_count = 8 } };
	off_t at = some_pos(st);

	if (lseek(fd, at, SEEK_DATA) < 0 && errno == EUCLEAN)
		did("SEEK_DATA", path, -1);
	if (lseek(fd, at, SEEK_HOLE) < 0 && errno == EUCLEAN)
		did("SEEK_HOLE", path, -1);
	did("FIEMAP", path, ioctl(fd, FS_IOC_FIEMAP, &map));
}

static void fallocate_file(const char *path, int fd, off_t at)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
	};
	off_t len = 1 + below(below(2) ? 6 * BLK : 1ULL << 40);
	int mode = modes[below(ARRAY_SIZE(modes))];

	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) {
		at &= ~4095LL;
		len = (len | 4095) + 1;
	}
	did("fallocate", path, fallocate(fd, mode, at, len));
}

static void write_direct(const char *path, off_t at)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return;
	did("direct read", path, pread(fd, buf, 2 * BLK, at & ~4095LL));
	did("direct write", path, pwrite(fd, buf, 2 * BLK, at & ~4095LL));
	close(fd);
}

static void atomic_file(const char *path, int fd, off_t at)
{
	__u32 on = below(2), is = 0;

	did("SET_ATOMIC", path, ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on));
	did("GET_ATOMIC", path, ioctl(fd, MSYNCFS_IOC_GET_ATOMIC, &is));
	did("write", path, pwrite(fd, buf, 1 + below(3 * BLK), at));
	if (is && below(2))
		did("ROLLBACK", path, ioctl(fd, MSYNCFS_IOC_ROLLBACK));
}

/* Read all attributes of any inode. */
static void read_attrs(const char *path)
{
	static char names[65536];
	ssize_t len = llistxattr(path, names, sizeof(names)), at;

	if (did("listxattr", path, len) <= 0)
		return;
	for (at = 0; at < len; at += strlen(names + at) + 1)
		did("getxattr", path, lgetxattr(path, names + at, buf, sizeof(buf)));
}

static void change_attrs(const char *path)
{
	static const char * const names[] = {
		"user.small", "trusted.long", "security.label", "user.number3", "user.big",
		"user.new", "trusted.new", "security.new", "user.huge", "trusted.whole",
	};
	static const unsigned int lengths[] = { 0, 8, 200, 512, 513, 4032, 9000, 65536 };
	const char *name = names[below(ARRAY_SIZE(names))];
	unsigned int n;

	for (n = 1 + below(3); n; n--) {
		if (below(3))
			did("setxattr", path, lsetxattr(path, name, buf,
							lengths[below(ARRAY_SIZE(lengths))], 0));
		else
			did("removexattr", path, lremovexattr(path, name));
		name = names[below(ARRAY_SIZE(names))];
	}
	if (!below(4))
		did("removexattr", path, lremovexattr(path, "system.posix_acl_access"));
}

static void change_file(const char *path, int fd, const struct stat *st)
{
	off_t at = some_pos(st);

	switch (below(10)) {
	case 0:
		did("write", path, pwrite(fd, buf, 1 + below(sizeof(buf)), at));
		break;
	case 1:
		did("truncate", path, ftruncate(fd, at));
		break;
	case 2:
		fallocate_file(path, fd, at);
		break;
	case 3:
		map_file(path, fd, at, true);
		break;
	case 4:
		atomic_file(path, fd, at);
		break;
	case 5:
		write_direct(path, at);
		break;
	case 6:
		did("fsync", path, below(2) ? fsync(fd) : fdatasync(fd));
		break;
	case 7:
		did("truncate", path, ftruncate(fd, 0));
		break;
	case 8:
		change_attrs(path);
		break;
	default:
		did("fchmod", path, fchmod(fd, st->st_mode & 07777));
		did("fchown", path, fchown(fd, below(9), -1));
	}
}

static void use_file(const char *path)
{
	struct stat st;
	unsigned int n;
	int fd;

	fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
	if (did("open", path, fd) < 0)
		return;
	if (!did("stat", path, fstat(fd, &st))) {
		did("read", path, pread(fd, buf, sizeof(buf), 0));
		did("read", path, pread(fd, buf, BLK, some_pos(&st)));
		look_at_extents(path, fd, &st);
		map_file(path, fd, some_pos(&st), false);
		for (n = below(4); n; n--)
			change_file(path, fd, &st);
	}
	if (below(2))
		did("fsync", path, fsync(fd));
	close(fd);
}

/* ---- the tree ---- */

static void note_path(const char *path, mode_t mode)
{
	if (ex.nr == MAX_PATHS)
		return;
	ex.paths[ex.nr] = strdup(path);
	ex.modes[ex.nr++] = mode;
}

/* Read a directory and everything below it. */
static void walk(const char *path, unsigned int depth)
{
	unsigned int n = 0;
	struct dirent *de;
	struct stat st;
	char sub[4096];
	DIR *dir = opendir(path);

	did("opendir", path, dir ? 0 : -1);
	if (!dir)
		return;
	while (n++ < MAX_ENTRIES && (errno = 0, de = readdir(dir))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (n > 40 && ex.nr >= MAX_PATHS)
			continue;
		if (snprintf(sub, sizeof(sub), "%s/%s", path, de->d_name) >= 3000 ||
		    did("stat", sub, lstat(sub, &st)))
			continue;
		note_path(sub, st.st_mode);
		read_attrs(sub);
		if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH && ex.nr < MAX_PATHS)
			walk(sub, depth + 1);
		else if (S_ISLNK(st.st_mode))
			did("readlink", sub, readlink(sub, buf, sizeof(buf)));
	}
	if (errno)
		did("readdir", path, -1);
	closedir(dir);
}

static unsigned int some_path(void)
{
	return below(ex.nr);
}

/* Return a directory, most times. */
static const char *some_dir(void)
{
	unsigned int i, tries;

	for (tries = 0; tries < 8; tries++) {
		i = some_path();
		if (S_ISDIR(ex.modes[i]))
			return ex.paths[i];
	}
	return ex.mnt;
}

static void new_path(char *path)
{
	int len = 1 + below(below(4) ? 8 : 200);

	snprintf(path, 4096, "%s/n%0*llu", some_dir(), len, below(1000));
}

static void make_name(const char *old, const char *new)
{
	int fd;

	switch (below(5)) {
	case 0:
		did("mkdir", new, mkdir(new, 0755));
		break;
	case 1:
		fd = open(new, O_RDWR | O_CREAT, 0644);
		if (did("create", new, fd) >= 0) {
			did("write", new, write(fd, buf, 1 + below(3 * BLK)));
			close(fd);
		}
		break;
	case 2:
		did("symlink", new, symlink(old, new));
		break;
	case 3:
		did("link", new, link(old, new));
		break;
	default:
		did("mknod", new, mknod(new, S_IFIFO | 0644, 0));
	}
}

/* Keep some removed files open, so that they are orphans at the unmount. */
static void remove_name(const char *path, int *held, unsigned int *nr)
{
	struct stat st;

	if (did("stat", path, lstat(path, &st)))
		return;
	if (S_ISDIR(st.st_mode)) {
		did("rmdir", path, rmdir(path));
		return;
	}
	if (S_ISREG(st.st_mode) && *nr < 8 && below(2)) {
		held[*nr] = open(path, O_RDWR | O_NOFOLLOW);
		if (did("open", path, held[*nr]) >= 0)
			++*nr;
	}
	did("unlink", path, unlink(path));
}

static void change_names(int *held, unsigned int *nr)
{
	static const unsigned int flags[] = { 0, 0, 1 /* NOREPLACE */, 2 /* EXCHANGE */,
					      4 /* WHITEOUT */ };
	const char *a, *b;
	char new[4096];
	unsigned int n;

	for (n = 0; n < 24; n++) {
		a = ex.paths[some_path()];
		new_path(new);
		switch (below(3)) {
		case 0:
			make_name(a, new);
			break;
		case 1:
			b = below(2) ? new : ex.paths[some_path()];
			did("rename", a, syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b,
						 flags[below(ARRAY_SIZE(flags))]));
			break;
		default:
			remove_name(a, held, nr);
		}
	}
}

/* ---- the whole filesystem ---- */

static void put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

/* Bring everything home, so that later operations read it from the device. */
static void forget_all(void)
{
	did("sync", ex.mnt, (sync(), 0));
	put_text("/sys/fs/msyncfs/ram0/checkpoint", "1");
	put_text("/proc/sys/vm/drop_caches", "3");
}

static void use_filesystem(void)
{
	int fd = open(ex.mnt, O_RDONLY | O_DIRECTORY);
	struct statfs sf;

	did("statfs", ex.mnt, statfs(ex.mnt, &sf));
	if (fd < 0)
		return;
	did("syncfs", ex.mnt, syncfs(fd));
	if (below(3) == 0 && !did("freeze", ex.mnt, ioctl(fd, FIFREEZE, 0)))
		did("thaw", ex.mnt, ioctl(fd, FITHAW, 0));
	close(fd);
	if (below(6) == 0 && !mount(NULL, ex.mnt, NULL, MS_REMOUNT | MS_RDONLY, NULL))
		did("remount", ex.mnt, mount(NULL, ex.mnt, NULL, MS_REMOUNT, NULL));
}

static void forget_paths(void)
{
	while (ex.nr)
		free(ex.paths[--ex.nr]);
}

static void one_round(int *held, unsigned int *nr)
{
	unsigned int i;

	walk(ex.mnt, 0);
	note_path(ex.mnt, S_IFDIR);
	for (i = 0; i < ex.nr; i++)
		if (S_ISREG(ex.modes[i]) && below(100) < 60)
			use_file(ex.paths[i]);
		else if (below(100) < 15)
			change_attrs(ex.paths[i]);
	change_names(held, nr);
	use_filesystem();
	forget_paths();
}

/**
 * exercise() - do all kinds of operations
 * @mnt: where the filesystem is mounted
 * @seed: chooses the operations
 * @strict: the filesystem has no damage
 *
 * Return: the number of operations that reported damage although @strict is set.
 */
unsigned int exercise(const char *mnt, u64 seed, bool strict)
{
	struct sigaction bus = { .sa_handler = jump_back, .sa_flags = SA_NODEFER };
	unsigned int nr = 0;
	int held[8];

	sigaction(SIGBUS, &bus, NULL);
	ex.rng.x = ~seed;
	ex.mnt = mnt;
	ex.strict = strict;
	ex.faults = 0;
	one_round(held, &nr);
	forget_all();
	one_round(held, &nr);
	while (nr) {
		did("read", "a removed file", pread(held[nr - 1], buf, BLK, 0));
		did("write", "a removed file", pwrite(held[nr - 1], buf, 100, below(8 * BLK)));
		close(held[--nr]);
	}
	return ex.faults;
}
