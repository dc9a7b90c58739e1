// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes the base images: it makes filesystems in a ram disk, fills them, and
 * copies the ram disk. It copies some filesystems while they are mounted. Then the log has
 * records, and removed files that are open are on the orphan list.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <linux/msyncfs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DISK	"/dev/ram0"

static char data[64 * BLK] __aligned(BLK);

#define MUST(cond) do {							\
	if (!(cond))							\
		die("%s:%d: %s: %s", __FILE__, __LINE__, #cond, strerror(errno)); \
} while (0)

/*
 * mkfs.msyncfs takes the UUID from getrandom(). The linker takes this function instead of
 * the one of the C library. The same UUID gives the same places of names in directories,
 * so that a seed makes the same image everywhere.
 */
ssize_t getrandom(void *buf, size_t len, unsigned int flags)
{
	static struct rng rng;
	size_t i;

	(void)flags;
	for (i = 0; i < len; i++)
		((u8 *)buf)[i] = rng_next(&rng);
	return len;
}

static int make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	MUST(fd >= 0);
	return fd;
}

static void put(const char *path, off_t at, unsigned int blocks)
{
	int fd = make(path);

	MUST(pwrite(fd, data, blocks * BLK, at) == (ssize_t)blocks * BLK);
	MUST(!close(fd));
}

static void many(const char *dir, unsigned int nr, unsigned int len)
{
	char path[300];
	unsigned int i;

	MUST(!mkdir(dir, 0755));
	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/%0*u", dir, (int)len, i);
		MUST(!i || i % 8 ? !link("tree/linked", path) || !mknod(path, S_IFIFO | 0600, 0) :
		     !mkdir(path, 0700));
	}
}

static void store(const char *path, unsigned int page, unsigned int pages)
{
	int fd = open(path, O_RDWR);
	unsigned int i;
	char *p;

	MUST(fd >= 0);
	p = mmap(NULL, pages * BLK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page * BLK);
	MUST(p != MAP_FAILED);
	for (i = 0; i < pages; i++)
		p[i * BLK] ^= 0x55;
	MUST(!msync(p, pages * BLK, MS_SYNC));
	MUST(!munmap(p, pages * BLK));
	MUST(!close(fd));
}

static void atomic(const char *path)
{
	__u32 on = 1;
	int fd = make(path);

	MUST(!ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on));
	MUST(pwrite(fd, data, 9 * BLK, 0) == 9 * BLK);
	MUST(!fsync(fd));
	MUST(!close(fd));
}

static void attr(const char *path, const char *name, size_t len)
{
	MUST(!lsetxattr(path, name, data, len, 0));
}

/* Attributes in the inode, in a block of attributes and in blocks of their own. */
static void attrs(const char *path)
{
	char name[32];
	int i;

	attr(path, "user.small", 5);
	attr(path, "trusted.long", 9000);
	attr(path, "security.label", 40);
	for (i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "user.number%d", i);
		attr(path, name, 30 + 60 * i);
	}
	attr(path, "user.big", 700);
}

static void acl(const char *path, const char *name)
{
	static const __le16 value[] = {
		2, 0, 1, 7, ~0, ~0, 2, 6, 1000, 0, 2, 4, 1001, 0, 4, 5, ~0, ~0,
		16, 7, ~0, ~0, 32, 0, ~0, ~0,
	};

	/* The kernel may have no ACLs. */
	MUST(!setxattr(path, name, value, sizeof(value), 0) || errno == EOPNOTSUPP);
}

/* Make a removed file that stays open. */
static void orphan(unsigned int blocks, off_t at)
{
	int fd = make("removed");

	MUST(pwrite(fd, data, blocks * BLK, at) == (ssize_t)blocks * BLK);
	MUST(blocks == 1 || !fsetxattr(fd, "user.orphan", data, 1000 * blocks, 0));
	MUST(!unlink("removed"));
}

/* Every type of file. */
static void tree(void)
{
	MUST(!mkdir("tree", 0755));
	MUST(!mkdir("tree/a", 0755));
	MUST(!mkdir("tree/a/b", 0755));
	MUST(!mkdir("tree/a/b/c", 0755));
	MUST(!mkdir("tree/empty", 0755));
	acl("tree/a/b", "system.posix_acl_default");
	put("tree/linked", 0, 1);
	MUST(!link("tree/linked", "tree/a/linked"));
	put("tree/a/file", 0, 12);
	put("tree/a/b/sparse", 30 * BLK, 3);
	put("tree/a/b/sparse", 500 * BLK, 2);
	put("tree/a/b/c/file", 0, 2);
	MUST(!symlink("a/b/c/file", "tree/link"));
	memset(data, 'x', 3000);
	data[3000] = 0;
	MUST(!symlink(data, "tree/longlink"));
	memset(data, 'x', 4095);
	data[4095] = 0;
	MUST(!symlink(data, "tree/longestlink"));
	MUST(!mknod("tree/fifo", S_IFIFO | 0600, 0));
	MUST(!mknod("tree/null", S_IFCHR | 0600, 0x103));
	MUST(!fallocate(make("tree/unwritten"), 0, 0, 5 * BLK));
	atomic("tree/atomic");
	attrs("tree/a/file");
	attr("tree/a", "user.long", 4500);
	attr("tree/link", "trusted.long", 600);
	attr("tree/fifo", "security.mark", 20);
	attr("tree/fifo", "trusted.whole", 300);
	acl("tree/linked", "system.posix_acl_access");
}

static void base_plain(void)
{
	tree();
	many("names", 60, 30);
}

static void base_log(void)
{
	unsigned int i;

	tree();
	many("names", 20, 200);
	put("file", 0, 20);
	sync();
	for (i = 0; i < 8; i++)
		store("file", i, 1 + i);
	store("tree/atomic", 2, 3);
	MUST(!rename("tree/a/file", "names/moved"));
	MUST(!unlink("tree/a/linked"));
	orphan(3, 0);
	orphan(2, 460 * BLK);
	attr("names/moved", "trusted.long", 3000);
	attr("file", "user.huge", 65536);
	sync();
	MUST(!removexattr("names/moved", "user.number8"));
	attr("names/moved", "user.small", 600);
	put("tree/new", 0, 4);
	store("tree/new", 0, 4);
}

static void base_deep(void)
{
	static const u64 at[] = { 0, 448, 448 * 504, 448ULL * 504 * 504 + 5 };
	unsigned int i;

	tree();
	many("names", 300, 60);
	for (i = 0; i < ARRAY_SIZE(at); i++)
		put("deep", at[i] * BLK, 1);
	put("deeper", 448ULL * 504 * 504 * 504 * BLK, 2);
	put("wide", 0, 1);
	for (i = 1; i < 20; i++)
		put("wide", i * 400ULL * BLK, 1);
	MUST(!truncate("wide", 5000ULL * BLK));
}

static void base_full(void)
{
	int fd;

	tree();
	many("names", 40, 100);
	orphan(1, 0);
	fd = make("ballast");
	while (write(fd, data, 2 * BLK) > 0)
		;
	sync();
	fsync(fd);
	store("ballast", 3, 2);
}

static void base_orphans(void)
{
	unsigned int i;
	int fd;

	tree();
	for (i = 0; i < 12; i++)
		orphan(1 + i % 3, i % 4 ? i * BLK : 448ULL * 504 * BLK);
	/* A truncation that has a crash in the middle leaves such an orphan with links. */
	fd = make("cut");
	MUST(pwrite(fd, data, 20 * BLK, 0) == 20 * BLK);
	sync();
	MUST(!ftruncate(fd, BLK));
}

static const struct {
	unsigned int	mib;
	void		(*fill)(void);
	bool		mounted;	/* copy while mounted */
	bool		home;		/* before this, bring everything home */
	bool		mmp;		/* with multi-mount protection */
} recipes[NR_BASES] = {
	{ 2, base_plain, false, false, true },
	{ 2, base_log, true, false, false },
	{ 4, base_deep, false, false, false },
	{ 2, base_full, true, false, false },
	{ 2, base_orphans, true, true, true },
};

static void copy_disk(const char *path, size_t mib)
{
	int in = open(DISK, O_RDONLY | O_DIRECT), out = make(path);
	size_t n;

	MUST(in >= 0);
	for (n = 0; n < mib << 20; n += sizeof(data)) {
		MUST(read(in, data, sizeof(data)) == sizeof(data));
		MUST(write(out, data, sizeof(data)) == sizeof(data));
	}
	MUST(!fsync(out) && !close(out) && !close(in));
}

static void make_fs(size_t mib, bool mmp)
{
	struct image im = image_new((mib << 20) / BLK);
	char feature[] = "^mmp";
	char *argv[5] = { "mkfs", "-qfO", feature + mmp, "image" };

	device_is(&im);
	MUST(!mkfs_main(4, argv));
	MUST(!image_write(&im, DISK, 0));
	free(im.b);
}

static void checkpoint(void)
{
	int fd = open("/sys/fs/msyncfs/ram0/checkpoint", O_WRONLY);

	MUST(fd >= 0 && write(fd, "1", 1) == 1 && !close(fd));
}

static void make_base(const char *mnt, const char *dir, unsigned int i)
{
	char path[256];

	memset(data, 'd', sizeof(data));
	make_fs(recipes[i].mib, recipes[i].mmp);
	MUST(!mount(DISK, mnt, "msyncfs", 0, NULL) && !chdir(mnt));
	recipes[i].fill();
	if (recipes[i].home)
		checkpoint();
	snprintf(path, sizeof(path), "%s/base%u.img", dir, i);
	if (recipes[i].mounted)
		copy_disk(path, recipes[i].mib);
	else
		sync();
}

/**
 * populate() - make all base images
 * @mnt: directory on which the filesystems are mounted
 * @dir: directory of the images
 */
void populate(const char *mnt, const char *dir)
{
	unsigned int i;
	char path[256];
	int status;
	pid_t pid;

	for (i = 0; i < NR_BASES; i++) {
		/* The end of the child closes its files. */
		pid = fork();
		if (!pid) {
			make_base(mnt, dir, i);
			exit(0);
		}
		MUST(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
		MUST(!umount(mnt));
		snprintf(path, sizeof(path), "%s/base%u.img", dir, i);
		if (!recipes[i].mounted)
			copy_disk(path, recipes[i].mib);
		printf("fuzz: base image %u\n", i);
	}
}
