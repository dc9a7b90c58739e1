// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests that MS_INVALIDATE writes the modified pages, drops the
 * cached pages, and makes the next access read the device. A page that is
 * locked, pinned or referenced must not be dropped.
 *
 * Usage: msync_invalidate MNT DOOR TEST, see msync.h
 */
#include "msync.h"

#include <linux/aio_abi.h>

#define NR	16UL		/* number of pages of a file */
#define ALL	0xffffUL
#define RANGE	0x03fcUL	/* mask of pages 2 to 9 */

static const int ways[] = {
	MS_INVALIDATE, MS_INVALIDATE | MS_SYNC, MS_INVALIDATE | MS_ASYNC,
};

static const char * const way_names[] = {
	"MS_INVALIDATE", "MS_INVALIDATE|MS_SYNC", "MS_INVALIDATE|MS_ASYNC",
};

#define WAYS	3

static void file_name(char *name, int way)
{
	sprintf(name, "f%d", way);
}

/* ---- dropped ------------------------------------------------------------ */

static void drop_range(int way)
{
	const char *what = way_names[way];
	struct peer peer, private;
	char name[16], *map, *ro;
	int fd;

	file_name(name, way);
	fd = new_file(name, NR);
	map = map_file(fd, NR);
	ro = map_at(NULL, fd, 0, NR, PROT_READ, MAP_SHARED);
	touch(map, NR);
	touch(ro, NR);
	peer = peer_start(name, NR, RW, MAP_SHARED);
	peer_ask(&peer, P_TOUCH, 0, 0);
	private = peer_start(name, NR, RW, MAP_PRIVATE);
	peer_ask(&private, P_TOUCH, 0, 0);
	peer_ask(&private, P_STORE, 4, 9);

	/*
	 * Modify pages in this process, in the peer, and outside the range.
	 * Leave other pages clean.
	 */
	store(map + 2 * PAGE, 3, 2);
	peer_ask(&peer, P_STORE, 5, 2);
	put_page_gen(map + 12 * PAGE, 2);
	expect_resident(map, NR, ALL, "before");

	CHECK(!call(map + 2 * PAGE, 8 * PAGE - 100, ways[way]));
	expect_resident(map, NR, ALL & ~RANGE, what);
	expect_resident(ro, NR, ALL & ~RANGE, "mapped a second time");
	SAME(peer_ask(&peer, P_RESIDENT, 0, 0), ALL & ~RANGE);
	/*
	 * The private copy of a page is not a cached page of the file, so it
	 * stays.
	 */
	SAME(peer_ask(&private, P_RESIDENT, 0, 0), (ALL & ~RANGE) | 1 << 4);
	SAME(peer_ask(&private, P_GEN, 4, 0), 9);

	SAME(peer_ask(&peer, P_GEN, 4, 0), 2);
	SAME(peer_ask(&private, P_GEN, 3, 0), 2);
	expect(map + 2 * PAGE, 4, 2, "read again");
	expect(ro + 6 * PAGE, 6, 1, "never modified");
	expect(map + 12 * PAGE, 1, 2, "outside");
	peer_end(&peer);
	peer_end(&private);
	unmap(map, NR);
	unmap(ro, NR);
	CHECK(!close(fd));
}

static void drop_in_ways(int nr)
{
	char name[16];
	int i;

	for (i = 0; i < nr; i++)
		drop_range(i);
	crash();
	for (i = 0; i < nr; i++) {
		file_name(name, i);
		expect_file(name, 0, 2, 1);
		expect_file(name, 2, 4, 2);
		expect_file(name, 6, 10, 1);
	}
}

static void test_drop(void)
{
	drop_in_ways(WAYS);
}

/* With msync=bsd, MS_INVALIDATE and MS_ASYNC cannot be combined. */
static void test_bsd_drop(void)
{
	drop_in_ways(WAYS - 1);
}

/*
 * The range has several files and mappings, and more pages than a record takes.
 */
static void test_large(void)
{
	unsigned long nr = 1500, i;
	int fd = new_file("f", nr), gd = new_file("g", NR);
	char *area = reserve(nr + NR), *g = area + nr * PAGE;

	map_file_at(area, fd, 0, nr);
	map_file_at(g, gd, 0, NR);
	store(area, nr + NR, 2);
	CHECK(!mprotect(area + 7 * PAGE, PAGE, PROT_READ));
	CHECK(!call(area, (nr + NR) * PAGE, MS_INVALIDATE));
	for (i = 0; i < nr; i += 50)
		expect_resident(area + i * PAGE, 50, 0, "MS_INVALIDATE");
	expect_resident(g, NR, 0, "MS_INVALIDATE, the second file");
	expect(area, nr + NR, 2, "read again");
	unmap(area, nr + NR);
	CHECK(!close(fd) && !close(gd));
	crash();
	expect_file("f", 0, nr, 2);
	expect_file("g", 0, NR, 2);
}

/* ---- home blocks -------------------------------------------------------- */

/* The test looks at this page. */
#define SEEN	4UL

static void test_home(void)
{
	int fd = new_file("f", NR), i;
	char *map = map_file(fd, NR), buf[PAGE];
	unsigned long long block;
	struct peer peer;

	block = physical(fd, SEEN);
	SAME(disk_gen(block), 1);
	touch(map, NR);
	peer = peer_start("f", NR, RW, MAP_SHARED);
	peer_ask(&peer, P_TOUCH, 0, 0);
	for (i = 0; i < WAYS; i++) {
		unsigned long gen = 10 + i, old = i ? gen - 1 : 1;

		poke(block, gen);
		expect(map + SEEN * PAGE, 1, old, "before any call");
		CHECK(!call(map, NR * PAGE, MS_SYNC));
		expect(map + SEEN * PAGE, 1, old, "after MS_SYNC");
		CHECK(!call(map + (SEEN + 1) * PAGE, 4 * PAGE, ways[i]));
		expect(map + SEEN * PAGE, 1, old, "the page before the range");
		SAME(pread(fd, buf, PAGE, SEEN * PAGE), PAGE);
		expect(buf, 1, old, "read(2) before");
		CHECK(!call(map + SEEN * PAGE, PAGE, ways[i]));
		if (!door.full) {
			expect(map + SEEN * PAGE, 1, 1, "flags that do nothing");
			break;
		}
		if (i == 1) {
			SAME(peer_ask(&peer, P_GEN, SEEN, 0), gen);
		} else if (i == 2) {
			SAME(pread(fd, buf, PAGE, SEEN * PAGE), PAGE);
			expect(buf, 1, gen, "read(2)");
		}
		expect(map + SEEN * PAGE, 1, gen, way_names[i]);
		SAME(peer_ask(&peer, P_GEN, SEEN, 0), gen);
		expect(map + (SEEN - 1) * PAGE, 1, 1, "the page before");
		expect(map + (SEEN + 1) * PAGE, 1, 1, "the page behind");
	}
	/* A call writes dirty pages home, not only to the log. */
	for (i = 0; i < WAYS && door.full; i++) {
		unsigned long gen = 20 + 2 * i;

		put_page_gen(map + SEEN * PAGE, gen);
		CHECK(!call(map, NR * PAGE, ways[i]));
		SAME(disk_gen(block), gen);
		/*
		 * Change the home block. If the next read used the image in the
		 * log, it would miss this change.
		 */
		poke(block, gen + 1);
		expect_resident(map + SEEN * PAGE, 1, 0, way_names[i]);
		expect(map + SEEN * PAGE, 1, gen + 1, "from the storage");
	}
	peer_end(&peer);
	unmap(map, NR);
	CHECK(!close(fd));
}

/*
 * The page is clean because it was synced. Its content is in the log but not
 * yet in the home block. The call must write the content home.
 */
static void test_clean(void)
{
	int fd = new_file("f", NR);
	char *map = map_file(fd, NR);
	unsigned long long block = physical(fd, SEEN);

	set_attr("checkpoint_pause", "1\n");
	put_page_gen(map + SEEN * PAGE, 2);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	SAME(disk_gen(block), 1);
	CHECK(!call(map, NR * PAGE, MS_INVALIDATE));
	expect_resident(map, NR, 0, "MS_INVALIDATE of what is clean");
	SAME(disk_gen(block), 2);
	expect(map + SEEN * PAGE, 1, 2, "read again");
	set_attr("checkpoint_pause", "0\n");
	unmap(map, NR);
	CHECK(!close(fd));
	crash();
	expect_file("f", SEEN, 1, 2);
}

/* ---- locked by the caller ----------------------------------------------- */

enum lock_how { MLOCK, MLOCKALL, MAPPED_LOCKED, ONFAULT, LOCKS };

static const char * const lock_names[] = {
	"mlock", "mlockall", "MAP_LOCKED", "MLOCK_ONFAULT",
};

static void lock_page(char *page, int fd, enum lock_how how)
{
	switch (how) {
	case MLOCK:
		CHECK(!mlock(page, PAGE));
		break;
	case MLOCKALL:
		CHECK(!mlockall(MCL_CURRENT));
		break;
	case MAPPED_LOCKED:
		map_at(page, fd, 0, 1, RW,
		       MAP_SHARED | MAP_LOCKED);
		break;
	default:
		CHECK(!mlock2(page, PAGE, MLOCK_ONFAULT));
	}
}

/*
 * The range has 4 pages of f, then 2 pages of g. The first page of g is locked.
 */
static void locked(enum lock_how how, const char *f, const char *g)
{
	int fd = new_file(f, 4), gd = new_file(g, 2), i;
	char *area = reserve(6), *lock = area + 4 * PAGE;

	map_file_at(area, fd, 0, 4);
	map_file_at(lock, gd, 0, 2);
	lock_page(lock, gd, how);
	store(area, 6, 2);
	for (i = 0; i < WAYS; i++) {
		/*
		 * Without the hook, Linux syncs the pages before the locked
		 * page.
		 */
		if (!door.full && (ways[i] & MS_SYNC))
			continue;
		FAILS(call(area, 6 * PAGE, ways[i]), EBUSY);
		FAILS(call(lock, PAGE, ways[i]), EBUSY);
		/*
		 * The range ends in a hole behind the locked page. The error is
		 * EBUSY, not ENOMEM.
		 */
		FAILS(call(lock, 1 << 24, ways[i]), EBUSY);
		expect_resident(area, 6, 0x3f, lock_names[how]);
		/* A call on a range without locked pages succeeds. */
		if (i == WAYS - 1 && how != MLOCKALL)
			CHECK(!call(lock + PAGE, PAGE, ways[i]));
	}
	expect(area, 6, 2, "as stored");
	if (how == MLOCKALL)
		CHECK(!munlockall());
	unmap(area, 6);
	CHECK(!close(fd) && !close(gd));
}

static void test_locked(void)
{
	char f[16], g[16], *map;
	enum lock_how how;
	int i, fd;

	for (how = 0; how < LOCKS; how++) {
		sprintf(f, "f%d", how);
		sprintf(g, "g%d", how);
		locked(how, f, g);
	}
	/*
	 * A lock makes only calls with MS_INVALIDATE fail. After the unlock,
	 * these calls succeed.
	 */
	fd = new_file("h", 4);
	map = map_file(fd, 4);
	lock_page(map, fd, MLOCK);
	store(map, 4, 2);
	CHECK(!call(map, 4 * PAGE, 0));
	CHECK(!call(map, 4 * PAGE, MS_ASYNC));
	CHECK(!call(map, 4 * PAGE, MS_SYNC));
	CHECK(!munlock(map, PAGE));
	for (i = 0; i < WAYS; i++)
		CHECK(!call(map, 4 * PAGE, ways[i]));
	if (door.full)
		expect_resident(map, 4, 0, "unlocked");
	unmap(map, 4);
	CHECK(!close(fd));
	crash();
	for (how = 0; how < LOCKS; how++) {
		sprintf(f, "f%d", how);
		sprintf(g, "g%d", how);
		expect_file(f, 0, 4, 1);
		expect_file(g, 0, 1, 1);
	}
	expect_file("h", 0, 4, 2);
}

/*
 * The locked page is anonymous memory, which does not belong to the filesystem.
 */
static void test_locked_anon(void)
{
	int fd = new_file("f", 4), i;
	char *area = reserve(6);

	map_file_at(area, fd, 0, 4);
	map_at(area + 4 * PAGE, -1, 0, 2, RW, MAP_PRIVATE);
	CHECK(!mlock(area + 5 * PAGE, PAGE));
	store(area, 6, 2);
	for (i = 0; i < WAYS; i++) {
		if (!door.full && (ways[i] & MS_SYNC))
			continue;
		FAILS(call(area, 6 * PAGE, ways[i]), EBUSY);
		expect_resident(area, 6, 0x3f, "a locked page that is no file's");
	}
	unmap(area, 6);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, 4, 1);
}

/* ---- locked or pinned by somebody else ---------------------------------- */

/*
 * The private mapping must be read-only. In a writable private mapping, mlock()
 * would make a copy of the page.
 */
static void held_by_peer(int way, int flags)
{
	char name[32], *map;
	struct peer peer;
	int fd;

	sprintf(name, "f%d_%s", way, flags == MAP_SHARED ? "s" : "p");
	fd = new_file(name, NR);
	map = map_file(fd, NR);
	touch(map, NR);
	peer = peer_start(name, NR, flags == MAP_SHARED ? RW : PROT_READ,
			  flags);
	peer_ask(&peer, P_TOUCH, 0, 0);
	peer_ask(&peer, P_LOCK, 5, 0);
	store(map + 2 * PAGE, 6, 2);
	FAILS(call(map + 2 * PAGE, 8 * PAGE, ways[way]), EBUSY);
	expect_resident(map, NR, (ALL & ~RANGE) | 1 << 5, way_names[way]);
	SAME(peer_ask(&peer, P_RESIDENT, 0, 0), (ALL & ~RANGE) | 1 << 5);
	SAME(peer_ask(&peer, P_GEN, 5, 0), 2);
	expect(map + 2 * PAGE, 6, 2, "read again");
	/*
	 * The locked page still belongs to the file, because the peer sees a
	 * store of this process.
	 */
	put_page_gen(map + 5 * PAGE, 3);
	SAME(peer_ask(&peer, P_GEN, 5, 0), 3);
	/* The lock does not matter for other pages of the file. */
	CHECK(!call(map + 10 * PAGE, 6 * PAGE, ways[way]));
	FAILS(call(map + 2 * PAGE, 8 * PAGE, ways[way]), EBUSY);

	peer_ask(&peer, P_UNLOCK, 5, 0);
	CHECK(!call(map + 2 * PAGE, 8 * PAGE, ways[way]));
	expect_resident(map + 2 * PAGE, 8, 0, "unlocked");
	/*
	 * Lock the page again, so that the last call fails, too. The caller
	 * then crashes the filesystem. The crash must not lose the data of the
	 * failed call.
	 */
	peer_ask(&peer, P_LOCK, 5, 0);
	store(map + 2 * PAGE, 6, 4);
	FAILS(call(map, NR * PAGE, ways[way]), EBUSY);
	peer_end(&peer);
	unmap(map, NR);
	CHECK(!close(fd));
}

/*
 * The caller has locked the page in a second mapping outside the range. Such a
 * lock must have the same effect as a lock by another process.
 */
static void held_by_self(const char *name)
{
	int fd = new_file(name, NR);
	char *map = map_file(fd, NR), *lock = map_file_at(NULL, fd, 5, 1);

	CHECK(!mlock(lock, PAGE));
	touch(map, NR);
	store(map + 2 * PAGE, 6, 2);
	FAILS(call(map + 2 * PAGE, 8 * PAGE, MS_INVALIDATE), EBUSY);
	expect_resident(map, NR, (ALL & ~RANGE) | 1 << 5, "locked elsewhere");
	expect(lock, 1, 2, "the locked page");
	unmap(lock, 1);
	CHECK(!call(map + 2 * PAGE, 8 * PAGE, MS_INVALIDATE));
	expect_resident(map, NR, ALL & ~RANGE, "not locked any more");
	unmap(map, NR);
	CHECK(!close(fd));
}

static void test_locked_other(void)
{
	char name[32];
	int i, j;

	for (i = 0; i < WAYS; i++) {
		held_by_peer(i, MAP_SHARED);
		held_by_peer(i, MAP_PRIVATE);
	}
	held_by_self("self");
	crash();
	expect_file("self", 2, 6, 2);
	for (i = 0; i < WAYS; i++)
		for (j = 0; j < 2; j++) {
			sprintf(name, "f%d_%s", i, j ? "s" : "p");
			expect_file(name, 0, 2, 1);
			expect_file(name, 2, 6, 4);
			expect_file(name, 8, 8, 1);
		}
}

/*
 * O_DIRECT transfers a page of the mapping to or from a device that is stopped.
 * The page is pinned until the device goes on. io_uring cannot pin the page,
 * because it refuses to register a shared mapping of a file.
 */
struct transfer {
	aio_context_t ctx;
	int fd;
};

static struct transfer pin_start(char *page, bool read)
{
	struct transfer t = { };
	char path[64];
	struct iocb cb = { }, *list[1] = { &cb };

	snprintf(path, sizeof(path), "/dev/mapper/%s", need_env("PIN"));
	t.fd = open(path, O_RDWR | O_DIRECT);
	CHECK(t.fd >= 0);
	CHECK(!syscall(SYS_io_setup, 1, &t.ctx));
	cb.aio_fildes = t.fd;
	cb.aio_lio_opcode = read ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE;
	cb.aio_buf = (unsigned long)page;
	cb.aio_nbytes = PAGE;
	dm_stop(need_env("PIN"));
	SAME(syscall(SYS_io_submit, t.ctx, 1, list), 1);
	return t;
}

static void pin_end(struct transfer *t)
{
	struct io_event event;

	dm_resume(need_env("PIN"));
	SAME(syscall(SYS_io_getevents, t->ctx, 1, 1, &event, NULL), 1);
	SAME(event.res, PAGE);
	CHECK(!syscall(SYS_io_destroy, t->ctx));
	CHECK(!close(t->fd));
}

static void pinned(int way, bool read)
{
	unsigned long gen = 100 + 10 * way + read;
	unsigned long long block;
	char name[16], *map;
	struct transfer t;
	int fd;

	file_name(name, way);
	fd = new_file(name, NR);
	block = physical(fd, 2);
	map = map_file(fd, NR);
	touch(map, NR);
	store(map + 2 * PAGE, 6, 2);
	put_page_gen(map + 5 * PAGE, gen);
	if (read) {
		/*
		 * Write the page to the other device. The read below then
		 * transfers this content into the page.
		 */
		t = pin_start(map + 5 * PAGE, false);
		pin_end(&t);
		put_page_gen(map + 5 * PAGE, 3);
	}
	t = pin_start(map + 5 * PAGE, read);
	FAILS(call(map + 2 * PAGE, 8 * PAGE, ways[way]), EBUSY);
	expect_resident(map, NR, (ALL & ~RANGE) | 1 << 5, way_names[way]);
	expect(map + 5 * PAGE, 1, read ? 3 : gen, "the pinned page");
	SAME(disk_gen(block), 2);
	pin_end(&t);
	/*
	 * The page must have the content of the other device. The page must
	 * still belong to the file.
	 */
	expect(map + 5 * PAGE, 1, gen, "what was transferred");
	expect(map + 2 * PAGE, 3, 2, "read again");
	CHECK(!call(map + 2 * PAGE, 8 * PAGE, ways[way]));
	expect_resident(map, NR, ALL & ~RANGE, "not pinned any more");
	expect(map + 5 * PAGE, 1, gen, "what was transferred, read again");
	unmap(map, NR);
	CHECK(!close(fd));
	crash();
	expect_file(name, 2, 3, 2);
	expect_file(name, 5, 1, gen);
	expect_file(name, 6, 2, 2);
	CHECK(!unlink(name));
}

static void test_pinned(void)
{
	int i;

	for (i = 0; i < WAYS; i++) {
		pinned(i, false);
		pinned(i, true);
	}
}

/*
 * A pipe has a reference to a page of the mapping. The reference is like that of
 * ptrace(2), except that the pipe never stores to the page.
 */
static void test_referenced(void)
{
	int fd = new_file("f", NR), pipe_fd[2], i;
	char *map = map_file(fd, NR), page[PAGE];
	struct iovec iov = { map + 5 * PAGE, PAGE };

	CHECK(!pipe(pipe_fd));
	for (i = 0; i < WAYS; i++) {
		touch(map, NR);
		store(map + 2 * PAGE, 6, 2 + i);
		SAME(vmsplice(pipe_fd[1], &iov, 1, 0), PAGE);
		FAILS(call(map + 2 * PAGE, 8 * PAGE, ways[i]), EBUSY);
		expect_resident(map, NR, (ALL & ~RANGE) | 1 << 5, way_names[i]);
		/* The page still belongs to the file. */
		put_page_gen(map + 5 * PAGE, 20);
		SAME(read(pipe_fd[0], page, PAGE), PAGE);
		expect(page, 1, 20, "read from the pipe");
		CHECK(!call(map + 2 * PAGE, 8 * PAGE, ways[i]));
		expect_resident(map, NR, ALL & ~RANGE, "not referenced any more");
		expect(map + 5 * PAGE, 1, 20, "read again");
	}
	CHECK(!close(pipe_fd[0]) && !close(pipe_fd[1]));
	unmap(map, NR);
	CHECK(!close(fd));
	crash();
	expect_file("f", 5, 1, 20);
	expect_file("f", 6, 2, 4);
}

/*
 * The call returns EBUSY because a page is pinned, but the data must be
 * durable. The test then stops the filesystem.
 */
static void test_pinned_crash(void)
{
	struct transfer t;
	int fd, status;
	char *map;
	pid_t pid;

	fd = new_file("f", NR);
	map = map_file(fd, NR);
	store(map, NR, 2);
	t = pin_start(map + 5 * PAGE, false);
	FAILS(call(map, NR * PAGE, MS_INVALIDATE), EBUSY);
	expect_resident(map, NR, 1 << 5, "pinned");
	/* The data is durable. Stop the filesystem without writing the log. */
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		__u32 flags = MSYNCFS_SHUTDOWN_NOLOGFLUSH;

		_exit(ioctl(run.door_fd, MSYNCFS_IOC_SHUTDOWN, &flags) != 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	pin_end(&t);
	unmap(map, NR);
	CHECK(!close(fd));
	crash();
	expect_file("f", 0, NR, 2);
}

static const struct test tests[] = {
	{ "drop", test_drop },
	{ "bsd_drop", test_bsd_drop },
	{ "large", test_large },
	{ "home", test_home },
	{ "clean", test_clean },
	{ "locked", test_locked },
	{ "locked_anon", test_locked_anon },
	{ "locked_other", test_locked_other },
	{ "pinned", test_pinned },
	{ "referenced", test_referenced },
	{ "pinned_crash", test_pinned_crash },
	{ }
};

int main(int argc, char **argv)
{
	return msync_main(argc, argv, tests);
}
