// SPDX-License-Identifier: GPL-2.0
/*
 * Many threads change a few common files at the same time. They store through
 * mappings, call msync, read and write, truncate, punch holes, and make, remove
 * and rename files. A thread checks only content that no other thread can
 * change. When the program has ended, fsck must find no error.
 *
 * Usage: stress DIR SECONDS [THREADS]
 */
#include "check.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define FILES 6
#define SIZE (96 * PAGE)

enum { STORE, MSYNC, WRITE, READ, TRUNCATE, PUNCH, ZERO, ALLOC, RENAME,
	EXCHANGE, UNLINK, LINK, FSYNC, DIRECT, DROP, SYNCFS, NR_OPS };

static const char * const op_names[NR_OPS] = {
	"stores", "msyncs", "writes", "reads", "truncates", "punches", "zeros",
	"allocs", "renames", "exchanges", "unlinks", "links", "fsyncs",
	"directs", "drops", "syncfs",
};

static unsigned long counts[NR_OPS];
static time_t deadline;

/*
 * Accept success, and the errors that other threads can cause. Fail at any
 * other error.
 */
static void tolerate(int failed, const char *what)
{
	if (!failed || errno == ENOENT || errno == EEXIST || errno == ENOSPC)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void mapped(int fd, int op)
{
	char *volatile map;
	unsigned long at, i;

	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	if (!sigsetjmp(jump, 1)) {
		for (i = 0; i < 8; i++) {
			at = below(SIZE);
			if (below(4))
				map[at] = i;
			else
				memset(map + (at & ~(PAGE - 1)), i, PAGE);
		}
	}
	if (op == MSYNC) {
		at = below(SIZE / PAGE) * PAGE;
		CHECK(!msync(map + at, SIZE - at, below(4) ? MS_SYNC : MS_ASYNC));
	}
	CHECK(!munmap(map, SIZE));
}

static void direct(const char *name)
{
	static __thread char buf[4 * PAGE] __attribute__((aligned(4096)));
	int fd = open(name, O_RDWR | O_DIRECT | O_CREAT, 0644);
	ssize_t n;

	if (fd < 0)
		return tolerate(1, "open O_DIRECT");
	if (below(2))
		n = pwrite(fd, buf, PAGE * (1 + below(4)), below(64) * PAGE);
	else
		n = pread(fd, buf, PAGE * (1 + below(4)), below(64) * PAGE);
	tolerate(n < 0, "direct I/O");
	CHECK(!close(fd));
}

/* Execute one operation on an open file. */
static void step_file(int fd, int op)
{
	static __thread char buf[8 * PAGE];
	off_t at = below(SIZE), n = 1 + below(sizeof(buf) - 1);

	switch (op) {
	case STORE:
	case MSYNC:
		mapped(fd, op);
		break;
	case WRITE:
		tolerate(pwrite(fd, buf, n, at) < 0, "write");
		break;
	case READ:
		tolerate(pread(fd, buf, n, at) < 0, "read");
		break;
	case TRUNCATE:
		tolerate(ftruncate(fd, at), "truncate");
		break;
	case PUNCH:
		tolerate(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, at, n), "punch");
		break;
	case ZERO:
		tolerate(fallocate(fd, FALLOC_FL_ZERO_RANGE, at, n), "zero range");
		break;
	case ALLOC:
		/* Atomic files have no fallocate(2) of this kind. */
		tolerate(fallocate(fd, below(2) ? FALLOC_FL_KEEP_SIZE : 0, at, n) &&
			 errno != EOPNOTSUPP, "fallocate");
		break;
	case FSYNC:
		tolerate(below(2) ? fsync(fd) : fdatasync(fd), "fsync");
		break;
	case DROP:
		CHECK(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		break;
	case SYNCFS:
		tolerate(!below(8) && syncfs(fd), "syncfs");
		break;
	}
}

static void step(void)
{
	int op = below(NR_OPS), fd;
	char name[16], other[16], kind;

	/*
	 * Direct I/O has its own files. If another thread uses a page, direct
	 * I/O cannot drop the page from the cache, and Linux returns EIO.
	 */
	kind = op == DIRECT || (op >= TRUNCATE && op <= LINK && below(2)) ?
	       'd' : 'f';
	snprintf(name, sizeof(name), "%c%lu", kind, below(FILES));
	snprintf(other, sizeof(other), "%c%lu", kind, below(FILES));
	__atomic_fetch_add(&counts[op], 1, __ATOMIC_RELAXED);
	switch (op) {
	case RENAME:
		return tolerate(rename(name, other), "rename");
	case EXCHANGE:
		return tolerate(renameat2(AT_FDCWD, name, AT_FDCWD, other,
					  RENAME_EXCHANGE), "exchange");
	case UNLINK:
		return tolerate(unlink(name), "unlink");
	case LINK:
		return tolerate(link(name, other), "link");
	case DIRECT:
		return direct(name);
	}
	fd = open(name, O_RDWR | O_CREAT, 0644);
	if (fd < 0)
		return tolerate(1, "open");
	step_file(fd, op);
	CHECK(!close(fd));
}

static void *worker(void *arg)
{
	rnd = 0x9e3779b97f4a7c15UL * (1 + (unsigned long)arg);
	while (time(NULL) < deadline)
		step();
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long i, threads = argc > 3 ? strtoul(argv[3], NULL, 0) : 8;
	pthread_t *t = calloc(threads, sizeof(*t));

	if (argc < 3 || !t || chdir(argv[1])) {
		fprintf(stderr, "usage: stress DIR SECONDS [THREADS]\n");
		return 2;
	}
	signal(SIGBUS, jump_back);
	deadline = time(NULL) + strtoul(argv[2], NULL, 0);
	for (i = 0; i < threads; i++)
		CHECK(!pthread_create(&t[i], NULL, worker, (void *)i));
	for (i = 0; i < threads; i++)
		CHECK(!pthread_join(t[i], NULL));
	for (i = 0; i < NR_OPS; i++)
		printf("%lu %s%s", counts[i], op_names[i], i + 1 < NR_OPS ? ", " : "\n");
	return 0;
}
