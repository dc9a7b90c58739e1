/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tests of msync use these helpers. They call msync, make files in which
 * each page contains a generation number, and simulate a crash.
 *
 * Usage of each program: PROGRAM MNT DOOR TEST. A door is a way in which a call
 * reaches the filesystem:
 *
 *	stock		msync(2) without the hook
 *	unhooked	msync(2) after the hook was removed
 *	hook		msync(2) with msyncfs_hook
 *	ioctl		MSYNCFS_IOC_MSYNC
 *	stock32, hook32, ioctl32	stock, hook and ioctl, as 32-bit calls
 *
 * The script scripts/guest/msync-doors sets the environment:
 *
 *	OPTIONS		mount options of MNT
 *	DM		name of the mounted device-mapper device
 *	DISK, SECTORS	the disk below DM, and the size of the disk
 *	DISK2		another disk, which MNT does not use
 *	SLOW_DM		not empty if the kernel has dm-delay
 *	PIN		name of a device-mapper device on DISK2
 *	OTHERS		directories of other filesystems and mounts
 *
 * The periodic writeback is off, so only the calls of a test make data durable.
 */
#ifndef MSYNCFS_TESTS_MSYNC_H
#define MSYNCFS_TESTS_MSYNC_H

#include "devices.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/msyncfs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define PAGE	4096UL
#define RW	(PROT_READ | PROT_WRITE)
#define LIMIT	100		/* seconds; a test that takes longer hangs */

enum how { SYSCALL, IOCTL };

static struct {
	const char *name;
	enum how how;
	bool full;		/* all flags have their documented effect */
	bool compat;		/* the calls use int $0x80 */
} door;

static struct {
	const char *mnt, *test;
	char dir[64];
	int door_fd;
} run = { .door_fd = -1 };

/*
 * These are all combinations of flags that are valid by default. The mount
 * option msync=bsd makes some of these combinations invalid.
 */
static const int good_flags[] = {
	0, MS_ASYNC, MS_SYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE,
	MS_ASYNC | MS_INVALIDATE,
};

#define NR_GOOD	ARRAY_SIZE(good_flags)

/* ---- the call ----------------------------------------------------------- */

#define I386_IOCTL	54
#define I386_MSYNC	144

static inline long int80(unsigned long nr, unsigned long a, unsigned long b,
			 unsigned long c)
{
	long ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (nr), "b" (a), "c" (b), "d" (c)
		     : "memory", "r8", "r9", "r10", "r11");
	ret = (int)ret;
	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	return ret;
}

static inline int call_ioctl(int fd, void *arg)
{
	if (door.compat)
		return int80(I386_IOCTL, fd, MSYNCFS_IOC_MSYNC,
			     (unsigned long)arg);
	return ioctl(fd, MSYNCFS_IOC_MSYNC, arg);
}

/* Call msync() through the door. */
static inline int call(const void *addr, size_t len, int flags)
{
	/* A 32-bit call cannot address the stack. */
	static struct msyncfs_msync m[64];
	static unsigned int next;
	struct msyncfs_msync *arg;

	if (door.how == SYSCALL && door.compat)
		return int80(I386_MSYNC, (unsigned long)addr, len, flags);
	if (door.how == SYSCALL)
		return syscall(SYS_msync, addr, len, flags);
	arg = &m[__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % 64];
	*arg = (struct msyncfs_msync){
		.addr = (unsigned long)addr, .len = len, .flags = flags,
	};
	return call_ioctl(run.door_fd, arg);
}

/* ---- pages -------------------------------------------------------------- */

static inline void put_page_gen(char *page, uint64_t gen)
{
	static const unsigned int at[] = { 0, 1024, 2048, PAGE - 8 };
	unsigned int i;

	for (i = 0; i < 4; i++)
		memcpy(page + at[i], &gen, sizeof(gen));
}

/*
 * Return the generation of the page. The whole page must be of one generation.
 */
static inline uint64_t page_gen(const char *page)
{
	uint64_t first, gen;
	unsigned int at;

	memcpy(&first, page, sizeof(first));
	for (at = 1024; at <= PAGE; at += 1024) {
		memcpy(&gen, page + (at < 3072 ? at : PAGE - 8), sizeof(gen));
		if (gen != first) {
			fprintf(stderr, "a page of generations %lu and %lu\n",
				first, gen);
			exit(1);
		}
	}
	return first;
}

static inline void store(char *map, unsigned long nr, uint64_t gen)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		put_page_gen(map + i * PAGE, gen);
}

/*
 * Check that all @nr pages are of generation @gen. @what names the pages in the
 * message.
 */
static inline void expect(const char *map, unsigned long nr, uint64_t gen,
			  const char *what)
{
	unsigned long i;
	uint64_t got;

	errno = 0;
	for (i = 0; i < nr; i++) {
		got = page_gen(map + i * PAGE);
		if (got == gen)
			continue;
		fprintf(stderr, "%s: page %lu of %lu is of generation %lu, not %lu\n",
			what, i, nr, got, gen);
		exit(1);
	}
}

static inline int open_file(const char *name, int flags)
{
	int fd = open(name, O_RDWR | flags, 0644);

	CHECK(fd >= 0);
	return fd;
}

static inline void expect_file(const char *name, unsigned long first,
			       unsigned long nr, uint64_t gen)
{
	char *buf = malloc(nr * PAGE);
	int fd = open_file(name, 0);

	CHECK(buf);
	SAME(pread(fd, buf, nr * PAGE, first * PAGE), nr * PAGE);
	expect(buf, nr, gen, name);
	CHECK(!close(fd));
	free(buf);
}

/* Make a file of @nr pages of generation 1. The content is durable. */
static inline int new_file(const char *name, unsigned long nr)
{
	char *buf = calloc(nr, PAGE);
	int fd = open_file(name, O_CREAT | O_EXCL);

	CHECK(buf);
	store(buf, nr, 1);
	SAME(write(fd, buf, nr * PAGE), nr * PAGE);
	CHECK(!fsync(fd));
	free(buf);
	return fd;
}

/*
 * Map pages at @at. If @at is NULL, the kernel chooses the address. A 32-bit
 * call can pass only a low address, so then the kernel chooses a low address.
 */
static inline char *map_at(void *at, int fd, unsigned long first,
			   unsigned long nr, int prot, int flags)
{
	char *p;

	if (at)
		flags |= MAP_FIXED;
	else if (door.compat)
		flags |= MAP_32BIT;
	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	p = mmap(at, nr * PAGE, prot, flags, fd, first * PAGE);
	CHECK(p != MAP_FAILED);
	return p;
}

static inline char *map_file(int fd, unsigned long nr)
{
	return map_at(NULL, fd, 0, nr, RW, MAP_SHARED);
}

static inline char *map_file_at(void *at, int fd, unsigned long first,
				unsigned long nr)
{
	return map_at(at, fd, first, nr, RW, MAP_SHARED);
}

/* Reserve addresses for @nr pages, so that nothing else is mapped there. */
static inline char *reserve(unsigned long nr)
{
	return map_at(NULL, -1, 0, nr, PROT_NONE, MAP_PRIVATE);
}

static inline void unmap(char *p, unsigned long nr)
{
	CHECK(!munmap(p, nr * PAGE));
}

/*
 * Return a mask of the pages that are in memory. Bit 0 stands for the first
 * page. The mask covers at most 64 pages.
 */
static inline uint64_t resident(char *map, unsigned long nr)
{
	unsigned char vec[64];
	uint64_t bits = 0;
	unsigned long i;

	CHECK(nr <= 64);
	CHECK(!mincore(map, nr * PAGE, vec));
	for (i = 0; i < nr; i++)
		bits |= (uint64_t)(vec[i] & 1) << i;
	return bits;
}

static inline void expect_resident(char *map, unsigned long nr, uint64_t want,
				   const char *what)
{
	uint64_t got = resident(map, nr);

	if (got == want)
		return;
	fprintf(stderr, "%s: pages in memory: %#lx, not %#lx\n", what, got,
		want);
	exit(1);
}

static inline void touch(const char *map, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		*(const volatile char *)(map + i * PAGE);
}

/* ---- the mount ---------------------------------------------------------- */

static inline void sysfs_path(char *path, size_t size, const char *attr)
{
	struct stat st = stat_of(run.mnt);
	char dev[64], target[256];
	ssize_t n;

	snprintf(dev, sizeof(dev), "/sys/dev/block/%u:%u", major(st.st_dev),
		 minor(st.st_dev));
	n = readlink(dev, target, sizeof(target) - 1);
	CHECK(n > 0);
	target[n] = 0;
	snprintf(path, size, "/sys/fs/msyncfs/%s/%s", strrchr(target, '/') + 1,
		 attr);
}

static inline unsigned long counter(const char *attr)
{
	unsigned long value;
	char path[256];
	FILE *f;

	sysfs_path(path, sizeof(path), attr);
	f = fopen(path, "r");
	CHECK(f);
	SAME(fscanf(f, "%lu", &value), 1);
	fclose(f);
	return value;
}

static inline void set_attr(const char *attr, const char *value)
{
	char path[256];
	int fd;

	sysfs_path(path, sizeof(path), attr);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	SAME(write(fd, value, strlen(value)), strlen(value));
	CHECK(!close(fd));
}

/* Write all dirty pages and empty the log. */
static inline void settle(void)
{
	sync();
	set_attr("checkpoint", "1\n");
}

static inline void unmount(const char *mnt)
{
	int i;

	/*
	 * After a process was killed, the kernel may need a moment to close its
	 * files. While a file is open, the unmount fails with EBUSY.
	 */
	for (i = 0; umount2(mnt, 0); i++) {
		CHECK(errno == EBUSY && i < 50);
		usleep(100000);
	}
}

static inline void find_source(const char *mnt, char *dev)
{
	char line[512], where[256];
	FILE *f = fopen("/proc/mounts", "r");
	bool found = false;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		char source[64];

		if (sscanf(line, "%63s %255s", source, where) != 2 ||
		    strcmp(where, mnt))
			continue;
		strcpy(dev, source);
		found = true;
	}
	fclose(f);
	CHECK(found);
}

/*
 * Stop the filesystem on @mnt and mount it again. Everything that is not on the
 * device is lost. No file of the filesystem may be open, mapped or a current
 * directory.
 */
static inline void crash_mount(const char *mnt, const char *options)
{
	__u32 flags = MSYNCFS_SHUTDOWN_NOLOGFLUSH;
	char dev[64];
	int fd;

	find_source(mnt, dev);
	fd = open(mnt, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	CHECK(!ioctl(fd, MSYNCFS_IOC_SHUTDOWN, &flags));
	CHECK(!close(fd));
	unmount(mnt);
	CHECK(!mount(dev, mnt, "msyncfs", 0, options));
}

static inline void open_door(void)
{
	run.door_fd = open(run.mnt, O_RDONLY | O_DIRECTORY);
	CHECK(run.door_fd >= 0);
}

static inline void crash(void)
{
	CHECK(!chdir("/"));
	CHECK(!close(run.door_fd));
	crash_mount(run.mnt, getenv("OPTIONS"));
	open_door();
	CHECK(!chdir(run.dir));
}

/* ---- blocks of the disk ------------------------------------------------- */

/* Write a page of a file home. Return the offset of its block on the disk. */
static inline unsigned long long physical(int fd, unsigned long index)
{
	struct {
		struct fiemap map;
		struct fiemap_extent ext;
	} f = { .map = {
		.fm_start = index * PAGE,
		.fm_length = PAGE,
		.fm_extent_count = 1,
	} };

	CHECK(!ioctl(fd, FS_IOC_FIEMAP, &f.map));
	SAME(f.map.fm_mapped_extents, 1);
	return f.ext.fe_physical + index * PAGE - f.ext.fe_logical;
}

static inline uint64_t disk_gen(unsigned long long at)
{
	char *buf = aligned_alloc(PAGE, PAGE);
	int fd = open(need_env("DISK"), O_RDONLY | O_DIRECT);
	uint64_t gen;

	CHECK(fd >= 0 && buf);
	SAME(pread(fd, buf, PAGE, at), PAGE);
	gen = page_gen(buf);
	CHECK(!close(fd));
	free(buf);
	return gen;
}

/* Change a block on the disk directly. The filesystem does not notice. */
static inline void poke(unsigned long long at, uint64_t gen)
{
	char *buf = aligned_alloc(PAGE, PAGE);
	int fd = open(need_env("DISK"), O_WRONLY | O_DIRECT | O_SYNC);

	CHECK(fd >= 0 && buf);
	memset(buf, 0, PAGE);
	put_page_gen(buf, gen);
	SAME(pwrite(fd, buf, PAGE, at), PAGE);
	CHECK(!close(fd));
	free(buf);
}

/* ---- another process ---------------------------------------------------- */

/* A peer is a process with its own mapping of a file. It executes orders. */
struct peer {
	pid_t pid;
	int to, from;
};

enum peer_op { P_TOUCH, P_RESIDENT, P_GEN, P_STORE, P_LOCK, P_UNLOCK, P_EXIT };

struct peer_order {
	enum peer_op op;
	unsigned long page;
	uint64_t gen;
};

static inline uint64_t peer_obey(char *map, unsigned long nr,
				 const struct peer_order *o)
{
	switch (o->op) {
	case P_TOUCH:
		touch(map, nr);
		break;
	case P_RESIDENT:
		return resident(map, nr);
	case P_GEN:
		return page_gen(map + o->page * PAGE);
	case P_STORE:
		put_page_gen(map + o->page * PAGE, o->gen);
		break;
	case P_LOCK:
		CHECK(!mlock(map + o->page * PAGE, PAGE));
		break;
	case P_UNLOCK:
		CHECK(!munlock(map + o->page * PAGE, PAGE));
		break;
	case P_EXIT:
		exit(0);
	}
	return 0;
}

/* Start a peer. @prot and @flags are for the mapping of the peer. */
static inline struct peer peer_start(const char *name, unsigned long nr,
				     int prot, int flags)
{
	struct peer_order o;
	struct peer p;
	int to[2], from[2], fd;
	uint64_t answer;
	char *map;

	CHECK(!pipe2(to, O_CLOEXEC) && !pipe2(from, O_CLOEXEC));
	p.pid = fork();
	CHECK(p.pid >= 0);
	if (!p.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		fd = open_file(name, 0);
		map = map_at(NULL, fd, 0, nr, prot, flags);
		while (read(to[0], &o, sizeof(o)) == sizeof(o)) {
			answer = peer_obey(map, nr, &o);
			SAME(write(from[1], &answer, sizeof(answer)),
			     sizeof(answer));
		}
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	p.to = to[1];
	p.from = from[0];
	return p;
}

static inline uint64_t peer_ask(struct peer *p, enum peer_op op,
				unsigned long page, uint64_t gen)
{
	struct peer_order o = { .op = op, .page = page, .gen = gen };
	uint64_t answer;

	SAME(write(p->to, &o, sizeof(o)), sizeof(o));
	SAME(read(p->from, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

static inline void wait_for(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	SAME(status, 0);
}

/*
 * Tell the peer to exit. Closing the pipe is not enough: other peers have the
 * pipe open, too, so the peer would not get an end of file.
 */
static inline void peer_end(struct peer *p)
{
	struct peer_order o = { .op = P_EXIT };

	SAME(write(p->to, &o, sizeof(o)), sizeof(o));
	close(p->to);
	close(p->from);
	wait_for(p->pid);
}

/* ---- main --------------------------------------------------------------- */

static inline void hangs(int sig)
{
	static const char text[] = "hangs\n";

	(void)sig;
	dm_let_go();
	if (write(2, text, sizeof(text) - 1))
		_exit(3);
	_exit(3);
}

/* Return the factor by which all timeouts are multiplied. */
static inline unsigned int slowness(void)
{
	const char *slow = getenv("SLOW");

	return slow && atoi(slow) > 0 ? atoi(slow) : 1;
}

static inline void set_alarm(void)
{
	signal(SIGALRM, hangs);
	alarm(LIMIT * slowness());
}

static inline void choose_door(const char *name)
{
	size_t n = strlen(name);

	door.name = name;
	door.compat = n > 2 && !strcmp(name + n - 2, "32");
	if (!strncmp(name, "ioctl", 5))
		door.how = IOCTL;
	else
		CHECK(!strncmp(name, "stock", 5) || !strncmp(name, "hook", 4) ||
		      !strcmp(name, "unhooked"));
	door.full = door.how == IOCTL || !strncmp(name, "hook", 4);
}

static inline int msync_main(int argc, char **argv, const struct test *tests)
{
	const struct test *t;

	if (argc != 4) {
		fprintf(stderr, "usage: %s MNT DOOR TEST\n", argv[0]);
		return 2;
	}
	setlinebuf(stdout);	/* to keep the last line of a failure */
	umask(022);
	choose_door(argv[2]);
	for (t = tests; t->name && strcmp(t->name, argv[3]); t++)
		;
	if (!t->name) {
		fprintf(stderr, "%s: no such test: %s\n", argv[0], argv[3]);
		return 2;
	}
	run.mnt = argv[1];
	atexit(dm_let_go);
	run.test = t->name;
	snprintf(run.dir, sizeof(run.dir), "%s/%s_%s", run.mnt, door.name,
		 t->name);
	CHECK(!mkdir(run.dir, 0755));
	open_door();
	CHECK(!chdir(run.dir));
	sync();
	set_alarm();
	t->fn();
	return 0;
}

#endif /* MSYNCFS_TESTS_MSYNC_H */
