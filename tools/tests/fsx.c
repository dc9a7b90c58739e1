// SPDX-License-Identifier: GPL-2.0
/*
 * This program makes random operations on a file and on a model of the file in
 * memory. It compares each read, each access through the mapping and each size
 * with the model. At a difference it prints the last operations and ends with
 * status 1. The same options and the same seed repeat a run.
 *
 * Usage: fsx [OPTION]... FILE
 *
 *	-a	the file is atomic by the ioctl: a commit changes the committed
 *		content, and a rollback or the last close returns to it
 *	-A	the file is atomic by the mount option: the last close commits
 *	-b N	the operations use the file from page N on; below is a hole
 *	-l N	the operations use N pages (default 64)
 *	-n N	number of operations (default 1000)
 *	-p N	N processes, each with a file of its own; process I uses the file
 *		FILE.I and the seed SEED + I
 *	-s SEED	seed (default: random); it is printed
 *	-t N	end after N seconds instead of a number of operations
 */
#include "check.h"

#include <getopt.h>
#include <linux/falloc.h>
#include <linux/msyncfs.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE	4096UL
#define LOGGED	60		/* operations in the report */
#define SECTOR	512UL

enum op { READ, WRITE, DSYNC, MAP_READ, MAP_STORE, MSYNC, TRUNCATE, PUNCH, ZERO,
	ALLOC, COLLAPSE, INSERT, DIRECT_READ, DIRECT_WRITE, FSYNC, FDATASYNC, WRITEBACK, DROP,
	SEEK, REOPEN, CLOSE, ROLLBACK, NR_OPS };

static struct {
	unsigned long base, max, nr, seconds, seed;
	bool atomic, by_ioctl, hook;
} opt;

static struct {
	char path[512];
	/* The content from @base on. It is zero behind the size. */
	char *now, *committed;
	off_t size, committed_size;
	int fd, direct;
	char *map, *buf;
	unsigned long done;
} f;

/* The last operations. @arg are flags; @size is the size after the operation. */
static struct entry {
	enum op op;
	const char *name;
	off_t at, len, size;
	int arg;
} last[LOGGED];

/* Print the last operations. Mark those whose range contains byte @bad. */
static void print_log(off_t bad)
{
	unsigned long i = f.done >= LOGGED ? f.done - LOGGED + 1 : 0;

	for (; i <= f.done; i++) {
		const struct entry *e = &last[i % LOGGED];

		fprintf(stderr, "%c %6lu %-22s at %#lx ",
			bad >= e->at && bad < e->at + e->len ? '*' : ' ', i, e->name, e->at);
		fprintf(stderr, "len %#lx flags %#x, size %#lx\n", e->len, e->arg, e->size);
	}
}

static _Noreturn void failed(const char *what, off_t bad)
{
	print_log(bad);
	fprintf(stderr, "%s: SEED=%lu, operation %lu: %s: %s\n", f.path, opt.seed,
		f.done, last[f.done % LOGGED].name, what);
	exit(1);
}

/* Fail with errno unless @ok. */
static void must(bool ok)
{
	if (!ok)
		failed(strerror(errno), last[f.done % LOGGED].at);
}

/* Compare @len bytes at @at with the model. */
static void compare(const char *got, off_t at, size_t len)
{
	size_t i, first = len, end = 0, nr = 0;
	char what[160];

	if (!memcmp(got, f.now + at, len))
		return;
	for (i = 0; i < len; i++) {
		if (got[i] == f.now[at + i])
			continue;
		if (first == len)
			first = i;
		end = i + 1;
		nr++;
	}
	if (!nr)
		failed("the content was different for a moment", at);
	snprintf(what, sizeof(what), "%zu bytes from %#zx to %#zx differ: %#04x, not %#04x",
		 nr, at + first, at + end, (unsigned char)got[first],
		 (unsigned char)f.now[at + first]);
	failed(what, at + first);
}

static void check_size(void)
{
	off_t size = fstat_of(f.fd).st_size - opt.base;
	char what[80];

	if (size == f.size)
		return;
	snprintf(what, sizeof(what), "the size is 0x%lx, not 0x%lx", size, f.size);
	failed(what, f.size);
}

static void check_all(void)
{
	must(pread(f.fd, f.buf, opt.max, opt.base) == f.size);
	compare(f.buf, 0, f.size);
}

static void resize(off_t size)
{
	if (size < f.size)
		memset(f.now + size, 0, f.size - size);
	f.size = size;
}

static void commit(void)
{
	if (!opt.atomic)
		return;
	memcpy(f.committed, f.now, opt.max);
	f.committed_size = f.size;
}

static void roll_back(void)
{
	memcpy(f.now, f.committed, opt.max);
	f.size = f.committed_size;
}

/* Fill the buffer with bytes that depend on the operation and on the place. */
static void fill(off_t at, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		f.buf[i] = 1 + (f.done * 37 + (at + i) / SECTOR * 11 + at + i) % 255;
}

/* ---- operations --------------------------------------------------------- */

static void open_file(void)
{
	f.fd = open(f.path, O_RDWR | O_CREAT, 0644);
	f.direct = open(f.path, O_RDWR | O_DIRECT);
	f.map = mmap(NULL, opt.max, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, opt.base);
	must(f.fd >= 0 && f.direct >= 0 && f.map != MAP_FAILED);
}

static void close_file(int fd, int direct, char *map)
{
	must(!munmap(map, opt.max) && !close(direct) && !close(fd));
}

static void close_last(void)
{
	close_file(f.fd, f.direct, f.map);
	if (opt.atomic && opt.by_ioctl)
		roll_back();
	else
		commit();
}

/* Give the new file its size. */
static void create(void)
{
	__u32 on = 1;

	open_file();
	must(!ftruncate(f.fd, opt.base));
	if (opt.by_ioctl)
		must(!ioctl(f.fd, MSYNCFS_IOC_SET_ATOMIC, &on));
	must(!fsync(f.fd));
}

/*
 * Store to the last page behind the end of the file. If the file grows now, the
 * program must find zeros there.
 */
static void spoil_end(off_t at)
{
	off_t end = (f.size + PAGE - 1) & -PAGE;

	if (at > f.size && end > f.size && below(2))
		memset(f.map + f.size, 0xee, end - f.size);
}

static void do_write(struct entry *e)
{
	struct iovec iov = { f.buf, e->len };
	ssize_t n;

	fill(e->at, e->len);
	spoil_end(e->at);
	if (e->op == DIRECT_WRITE)
		n = pwrite(f.direct, f.buf, e->len, opt.base + e->at);
	else
		n = pwritev2(f.fd, &iov, 1, opt.base + e->at,
			     e->op == DSYNC ? RWF_DSYNC : 0);
	must(n == e->len);
	memcpy(f.now + e->at, f.buf, e->len);
	if (f.size < e->at + e->len)
		f.size = e->at + e->len;
	if (e->op == DSYNC)
		commit();
}

/* Cut the range at the end of the file. Return false if nothing is left. */
static bool inside(struct entry *e)
{
	if (e->at >= f.size)
		return false;
	if (e->at + e->len > f.size)
		e->len = f.size - e->at;
	return true;
}

static void do_read(struct entry *e)
{
	int fd = e->op == DIRECT_READ ? f.direct : f.fd;
	size_t len = e->len;

	memset(f.buf, 0xdd, len);
	if (!inside(e))
		e->len = 0;
	must(pread(fd, f.buf, len, opt.base + e->at) == e->len);
	compare(f.buf, e->at, e->len);
}

static void do_map(struct entry *e)
{
	if (!inside(e))
		return;
	if (e->op == MAP_STORE) {
		fill(e->at, e->len);
		memcpy(f.map + e->at, f.buf, e->len);
		memcpy(f.now + e->at, f.buf, e->len);
		return;
	}
	if (e->at + e->len == f.size)	/* The last page ends with zeros. */
		e->len = ((f.size + PAGE - 1) & -PAGE) - e->at;
	compare(f.map + e->at, e->at, e->len);
}

static void do_msync(struct entry *e)
{
	static const int flags[] = {
		0, MS_ASYNC, MS_SYNC, MS_SYNC, MS_INVALIDATE,
		MS_SYNC | MS_INVALIDATE, MS_ASYNC | MS_INVALIDATE,
	};
	struct msyncfs_msync m;
	bool by_ioctl = below(2);

	e->arg = flags[below(ARRAY_SIZE(flags))];
	e->len += e->at % PAGE;
	e->at &= -PAGE;
	m = (struct msyncfs_msync) {
		.addr = (unsigned long)f.map + e->at, .len = e->len, .flags = e->arg,
	};
	must(!(by_ioctl ? ioctl(f.fd, MSYNCFS_IOC_MSYNC, &m) :
			  msync(f.map + e->at, e->len, e->arg)));
	/* The kernel's own msync does nothing without MS_SYNC. */
	if (by_ioctl || opt.hook || e->arg & MS_SYNC)
		commit();
}

static void do_zero(struct entry *e)
{
	static const int modes[] = {
		[PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		[ZERO] = FALLOC_FL_ZERO_RANGE,
		[ALLOC] = 0,
	};

	e->arg = modes[e->op] | (below(2) ? FALLOC_FL_KEEP_SIZE : 0);
	if (opt.atomic && e->op == ALLOC) {
		must(fallocate(f.fd, e->arg, opt.base + e->at, e->len) == -1 &&
		     errno == EOPNOTSUPP);
		return;
	}
	if (!(e->arg & FALLOC_FL_KEEP_SIZE))
		spoil_end(e->at + e->len);
	must(!fallocate(f.fd, e->arg, opt.base + e->at, e->len));
	if (e->op != ALLOC)
		memset(f.now + e->at, 0, e->len);
	if (!(e->arg & FALLOC_FL_KEEP_SIZE) && f.size < e->at + e->len)
		f.size = e->at + e->len;
}

static void do_shift(struct entry *e)
{
	char *at;

	e->at &= -PAGE;
	e->len = (e->len + PAGE - 1) & -PAGE;
	e->arg = e->op == INSERT ? FALLOC_FL_INSERT_RANGE : FALLOC_FL_COLLAPSE_RANGE;
	at = f.now + e->at;
	if (opt.atomic || e->at + (e->op == INSERT ? 0 : e->len) >= f.size) {
		must(fallocate(f.fd, e->arg, opt.base + e->at, e->len) == -1 &&
		     errno == (opt.atomic ? EOPNOTSUPP : EINVAL));
		return;
	}
	if (e->op == INSERT && f.size + e->len > (off_t)opt.max)
		return;
	spoil_end(f.size + 1);
	must(!fallocate(f.fd, e->arg, opt.base + e->at, e->len));
	if (e->op == INSERT) {
		memmove(at + e->len, at, f.size - e->at);
		memset(at, 0, e->len);
		f.size += e->len;
	} else {
		memmove(at, at + e->len, f.size - e->at - e->len);
		resize(f.size - e->len);
	}
}

static void do_truncate(struct entry *e)
{
	off_t size = e->at;

	e->at = size < f.size ? size : f.size;
	e->len = labs(size - f.size);
	spoil_end(size);
	must(!ftruncate(f.fd, opt.base + size));
	resize(size);
}

/* A range that the file calls a hole must have zeros only. */
static void do_seek(struct entry *e)
{
	off_t hole, data;

	if (!inside(e))
		return;
	hole = lseek(f.fd, opt.base + e->at, SEEK_HOLE);
	must(hole >= 0);
	data = lseek(f.fd, hole, SEEK_DATA);
	must(data >= 0 || errno == ENXIO);
	hole -= opt.base;
	data = data < 0 ? f.size : data - (off_t)opt.base;
	if (hole > f.size || data > f.size)
		failed("a hole behind the end of the file", e->at);
	memset(f.buf, 0, opt.max);
	if (data > hole)
		compare(f.buf, hole, data - hole);
}

static void do_reopen(struct entry *e)
{
	int fd = f.fd, direct = f.direct;
	char *map = f.map;

	if (e->op == CLOSE)
		close_last();
	open_file();
	if (e->op == REOPEN)
		close_file(fd, direct, map);
}

static void do_sync(struct entry *e)
{
	if (e->op == ROLLBACK) {
		if (!opt.atomic)
			return;
		must(!ioctl(f.fd, MSYNCFS_IOC_ROLLBACK));
		roll_back();
	} else if (e->op == WRITEBACK) {
		e->arg = SYNC_FILE_RANGE_WRITE | (below(2) ?
			 SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER : 0);
		must(!sync_file_range(f.fd, opt.base + e->at, e->len, e->arg));
	} else if (e->op == DROP) {
		must(!posix_fadvise(f.fd, opt.base, 0, POSIX_FADV_DONTNEED));
	} else {
		must(!(e->op == FSYNC ? fsync(f.fd) : fdatasync(f.fd)));
		commit();
	}
}

static const struct {
	const char *name;
	void (*fn)(struct entry *e);
	unsigned int weight;	/* 1 to 6 */
} ops[NR_OPS] = {
	[READ] = { "read", do_read, 3 },
	[WRITE] = { "write", do_write, 4 },
	[DSYNC] = { "write with RWF_DSYNC", do_write, 1 },
	[MAP_READ] = { "read of the mapping", do_map, 3 },
	[MAP_STORE] = { "store", do_map, 6 },
	[MSYNC] = { "msync", do_msync, 3 },
	[TRUNCATE] = { "truncate", do_truncate, 3 },
	[PUNCH] = { "punch hole", do_zero, 3 },
	[ZERO] = { "zero range", do_zero, 2 },
	[ALLOC] = { "fallocate", do_zero, 2 },
	[COLLAPSE] = { "collapse range", do_shift, 2 },
	[INSERT] = { "insert range", do_shift, 2 },
	[DIRECT_READ] = { "O_DIRECT read", do_read, 2 },
	[DIRECT_WRITE] = { "O_DIRECT write", do_write, 2 },
	[FSYNC] = { "fsync", do_sync, 1 },
	[FDATASYNC] = { "fdatasync", do_sync, 1 },
	[WRITEBACK] = { "sync_file_range", do_sync, 2 },
	[DROP] = { "drop the cache", do_sync, 2 },
	[SEEK] = { "seek", do_seek, 1 },
	[REOPEN] = { "open again, then close", do_reopen, 1 },
	[CLOSE] = { "close, then open", do_reopen, 1 },
	[ROLLBACK] = { "rollback", do_sync, 1 },
};

static void step(void)
{
	struct entry *e = &last[f.done % LOGGED];
	unsigned int op;

	do {
		op = below(NR_OPS);
	} while (below(6) >= ops[op].weight);
	*e = (struct entry) {
		.op = op, .name = ops[op].name, .at = below(opt.max), .size = f.size,
	};
	e->len = 1 + below(below(4) ? 4 * PAGE : opt.max);
	if (e->op == DIRECT_READ || e->op == DIRECT_WRITE) {
		e->at &= -SECTOR;
		e->len = (e->len + SECTOR - 1) & -SECTOR;
	}
	if (!below(3)) {	/* whole pages */
		e->at &= -PAGE;
		e->len = (e->len + PAGE - 1) & -PAGE;
	}
	if (e->len > (off_t)opt.max - e->at)
		e->len = opt.max - e->at;
	ops[op].fn(e);
	e->size = f.size;
	check_size();
	if (f.done % 16 == 15)
		check_all();
}

static int run_fsx(void)
{
	double until = now() + opt.seconds;

	rnd = opt.seed * 0x9e3779b97f4a7c15ULL + 88172645463325252ULL;
	f.now = calloc(1, opt.max);
	f.committed = calloc(1, opt.max);
	f.buf = aligned_alloc(PAGE, opt.max);
	CHECK(f.now && f.committed && f.buf);
	CHECK(!unlink(f.path) || errno == ENOENT);
	create();
	for (f.done = 0; f.done < opt.nr && (!opt.seconds || now() < until); f.done++)
		step();
	f.done--;
	close_last();
	open_file();
	check_size();
	check_all();
	close_file(f.fd, f.direct, f.map);
	CHECK(!unlink(f.path));
	printf("%s: SEED=%lu: %lu operations\n", f.path, opt.seed, f.done + 1);
	return 0;
}

static int run_processes(const char *path, unsigned long nr)
{
	unsigned long i;
	int st, rc = 0;

	for (i = 0; i < nr; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid)
			continue;
		snprintf(f.path, sizeof(f.path), "%s.%lu", path, i);
		opt.seed += i;
		exit(run_fsx());
	}
	while (wait(&st) > 0)
		rc |= st != 0;
	return rc;
}

int main(int argc, char **argv)
{
	unsigned long v[128] = { ['l'] = 64, ['n'] = 1000, ['s'] = now_ns() % 1000000000 };
	int o;

	while ((o = getopt(argc, argv, "aAb:l:n:p:s:t:")) != -1)
		v[o] = optarg ? strtoul(optarg, NULL, 0) : 1;
	if (v['?'] || optind != argc - 1) {
		fprintf(stderr, "usage: fsx [OPTION]... FILE\n");
		return 2;
	}
	opt.by_ioctl = v['a'];
	opt.atomic = v['a'] || v['A'];
	opt.hook = !access("/sys/kernel/livepatch/msyncfs_hook", F_OK);
	opt.base = v['b'] * PAGE;
	opt.max = v['l'] * PAGE;
	opt.nr = v['t'] ? -1UL : v['n'];
	opt.seed = v['s'];
	opt.seconds = v['t'];
	if (v['p'])
		return run_processes(argv[optind], v['p']);
	snprintf(f.path, sizeof(f.path), "%s", argv[optind]);
	return run_fsx();
}
