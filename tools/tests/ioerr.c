// SPDX-License-Identifier: GPL-2.0
/*
 * This program tests mappings on a device with I/O errors. Reads or writes
 * fail, on a part of the device or on the whole device, for a while or forever.
 * Acknowledged data must survive. If msync cannot write the pages, it must
 * return an error and leave the pages dirty. A read of unreadable data must
 * fail instead of returning old data.
 *
 * Usage: ioerr MNT DOOR TEST, see msync.h. The program prints lines "kernel
 * log: TEXT". scripts/guest/ioerr.sh checks that each TEXT is in the kernel
 * log.
 */
#include "msync.h"
#include "msyncfs_format.h"

#include <endian.h>
#include <stdarg.h>

#define NR	16UL
#define LARGE	1200UL		/* pages; more than a record takes */
#define FAR	1000UL		/* a page whose pointer is in a map node */

/* ---- the device --------------------------------------------------------- */

static struct {
	uint64_t blocks, log_start, log_blocks;
} geo;

static void read_geo(void)
{
	struct msyncfs_disk_super *ds = aligned_alloc(PAGE, PAGE);
	int fd = open(need_env("DISK"), O_RDONLY | O_DIRECT);

	CHECK(fd >= 0 && ds);
	SAME(pread(fd, ds, PAGE, 0), PAGE);
	geo.blocks = le64toh(ds->blocks);
	geo.log_start = le64toh(ds->log_start);
	geo.log_blocks = le64toh(ds->log_blocks);
	CHECK(geo.log_blocks && geo.log_start < geo.blocks);
	CHECK(!close(fd));
	free(ds);
}

struct dm_tables {
	struct dm_ioctl head;
	char data[1024];
};

static void dm_add(struct dm_tables *t, size_t *at, uint64_t first, uint64_t end,
		   const char *type, const char *how)
{
	struct dm_target_spec *spec = (void *)(t->data + *at);
	size_t room;

	if (first >= end)
		return;
	CHECK(*at + sizeof(*spec) + 256 <= sizeof(t->data));
	room = sizeof(t->data) - *at - sizeof(*spec);
	spec->sector_start = first;
	spec->length = end - first;
	strcpy(spec->target_type, type);
	snprintf((char *)(spec + 1), room, "%s %llu%s", need_env("DISK"),
		 (unsigned long long)first, how);
	spec->next = sizeof(*spec) + 256;
	*at += spec->next;
	t->head.target_count++;
}

/*
 * Make @nr blocks from @first on fail. If @how is "error", reads and writes
 * fail, but flushes succeed. Otherwise @how is a feature of dm-flakey.
 */
static void dm_fail(uint64_t first, uint64_t nr, const char *how)
{
	uint64_t sectors = strtoull(need_env("SECTORS"), NULL, 0);
	struct dm_tables t = { };
	char flakey[64];
	size_t at = 0;

	snprintf(flakey, sizeof(flakey), " 0 3600 1 %s", how);
	dm_add(&t, &at, 0, first * 8, "linear", "");
	if (!strcmp(how, "error"))
		dm_add(&t, &at, first * 8, (first + nr) * 8, "error", "");
	else
		dm_add(&t, &at, first * 8, (first + nr) * 8, "flakey", flakey);
	dm_add(&t, &at, (first + nr) * 8, sectors, "linear", "");
	dm_send(DM_TABLE_LOAD, need_env("DM"), 0, &t.head, sizeof(t));
	dm_suspend(need_env("DM"), 0);
	dm_resume(need_env("DM"));
}

static void fail_log(const char *how)
{
	dm_fail(geo.log_start, geo.log_blocks, how);
}

static void fail_all(const char *how)
{
	dm_fail(0, geo.blocks, how);
}

static __attribute__((format(printf, 1, 2))) void kernel_log(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("kernel log: ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
}

/* ---- files -------------------------------------------------------------- */

static unsigned long inode_of(int fd)
{
	return fstat_of(fd).st_ino;
}

static unsigned long long block_of(int fd, unsigned long index)
{
	return physical(fd, index) / PAGE;
}

/* Unmount. The next mount has empty caches, so it must read the device. */
static void leave(void)
{
	CHECK(!chdir("/"));
	CHECK(!close(run.door_fd));
	unmount(run.mnt);
}

static void enter(void)
{
	CHECK(!mount("/dev/mapper/msync", run.mnt, "msyncfs", 0,
		     getenv("OPTIONS")));
	open_door();
	CHECK(!chdir(run.dir));
}

/* Check whether a load from @at ends in SIGBUS. */
static bool faults(const char *at)
{
	bool hit = true;

	signal(SIGBUS, jump_back);
	if (!sigsetjmp(jump, 1)) {
		(void)*(const volatile char *)at;
		hit = false;
	}
	signal(SIGBUS, SIG_DFL);
	return hit;
}

/*
 * Make a file with @nr pages of generation 2, and write them home. *@fd and
 * *@other become two descriptors of the file.
 */
static char *begin(const char *name, unsigned long nr, int *fd, int *other)
{
	char *map;

	*fd = new_file(name, nr);
	*other = open_file(name, 0);
	map = map_file(*fd, nr);
	store(map, nr, 2);
	CHECK(!call(map, nr * PAGE, MS_SYNC));
	settle();
	return map;
}

/*
 * Repair the device and check the file. The next msync must succeed. The
 * descriptor @other must get the error once.
 */
static void healed(const char *name, char *map, unsigned long nr, int fd,
		   int other, uint64_t gen)
{
	int late;

	dm_healthy();
	expect(map, nr, gen, "after EIO");
	CHECK(!call(map, nr * PAGE, MS_SYNC));
	CHECK(!fsync(fd));
	FAILS(fsync(other), EIO);
	CHECK(!fsync(other));
	late = open_file(name, 0);
	CHECK(!fsync(late));
	unmap(map, nr);
	CHECK(!close(fd) && !close(other) && !close(late));
	crash();
	expect_file(name, 0, nr, gen);
}

/*
 * Call msync until the filesystem stops, then repair the device. After a new
 * mount, acknowledged data must be there.
 */
static void given_up(const char *name, char *map, unsigned long nr, int fd,
		     int other)
{
	char byte = 1;

	FAILS(call(map, nr * PAGE, MS_SYNC), EIO);
	FAILS(call(map, nr * PAGE, MS_SYNC), EIO);
	expect(map, nr, 3, "given up");
	kernel_log("read-only from now on");
	dm_healthy();
	/*
	 * The device works again, but calls fail until the filesystem is
	 * unmounted.
	 */
	FAILS(call(map, nr * PAGE, MS_SYNC), EIO);
	FAILS(fsync(other), EIO);
	FAILS(pwrite(fd, &byte, 1, 0), EROFS);
	expect(map, nr, 3, "given up, and the device works");
	unmap(map, nr);
	CHECK(!close(fd) && !close(other));
	leave();
	enter();
	expect_file(name, 0, nr, 2);
}

/* ---- writes ------------------------------------------------------------- */

/* The log cannot be written. */
static void test_log(void)
{
	static const char * const how[] = { "error", "error_writes" };
	char name[16];
	int fd, other;
	unsigned int i;
	char *map;

	for (i = 0; i < ARRAY_SIZE(how); i++) {
		snprintf(name, sizeof(name), "f%u", i);
		map = begin(name, NR, &fd, &other);
		store(map, NR, 3);
		fail_log(how[i]);
		FAILS(call(map, NR * PAGE, MS_SYNC), EIO);
		healed(name, map, NR, fd, other, 3);
	}
	kernel_log("log record");
}

static void test_log_good(void)
{
	int fd, other;
	char *map = begin("f", NR, &fd, &other);

	store(map, NR, 3);
	fail_log("error");
	FAILS(call(map, NR * PAGE, MS_SYNC), EIO);
	kernel_log("the log cannot be written");
	given_up("f", map, NR, fd, other);
}

/*
 * Writes and flushes fail, and the test unmounts the filesystem while they
 * fail.
 */
static void test_all_good(void)
{
	int fd, other;
	char *map = begin("f", NR, &fd, &other);

	store(map, NR, 3);
	fail_all("error_writes");
	FAILS(call(map, NR * PAGE, MS_SYNC), EIO);
	FAILS(call(map, NR * PAGE, MS_SYNC), EIO);
	FAILS(call(map, NR * PAGE, MS_SYNC), EIO);
	unmap(map, NR);
	CHECK(!close(fd) && !close(other));
	leave();
	dm_healthy();
	enter();
	expect_file("f", 0, NR, 2);
}

/* A set does not fit a record, and its fresh blocks cannot be written. */
static void test_fresh(void)
{
	uint64_t data = geo.log_start + geo.log_blocks;
	int fd, other;
	char *map = begin("f", LARGE, &fd, &other);

	store(map, LARGE, 3);
	dm_fail(data, geo.blocks - data, "error_writes");
	FAILS(call(map, LARGE * PAGE, MS_SYNC), EIO);
	kernel_log("inode %lu: page 0: blocks ", inode_of(fd));
	healed("f", map, LARGE, fd, other, 3);
}

static void checkpoint_fails(void)
{
	char path[256];
	int fd;

	sysfs_path(path, sizeof(path), "checkpoint");
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	FAILS(write(fd, "1\n", 2), EIO);
	CHECK(!close(fd));
}

/*
 * The log works, but a checkpoint cannot write the images home. Calls must
 * still succeed.
 */
static void checkpoint(uint64_t first, uint64_t nr, int fd, int other, char *map)
{
	set_attr("checkpoint_pause", "1");
	store(map, NR, 3);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	/* With "error", flushes succeed, so the filesystem does not stop. */
	dm_fail(first, nr, "error");
	checkpoint_fails();
	store(map, NR, 4);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	checkpoint_fails();
	CHECK(!fsync(fd) && !fsync(other));
	unmap(map, NR);
	CHECK(!close(fd) && !close(other));
	/*
	 * The log has the data. The unmount cannot write this data home, so the
	 * next mount must replay it.
	 */
	leave();
	dm_healthy();
	enter();
	expect_file("f", 0, NR, 4);
}

static void test_home(void)
{
	int fd, other;
	char *map = begin("f", NR, &fd, &other);
	unsigned long long first = block_of(fd, 0);

	SAME(block_of(fd, NR - 1), first + NR - 1);
	kernel_log("checkpoint: home blocks %llu+", first);
	kernel_log("unmount: the log could not be emptied");
	checkpoint(first, NR, fd, other, map);
}

static void fsck_leaves(void)
{
	int status = system("fsck.msyncfs -y /dev/mapper/msync");

	CHECK(WIFEXITED(status));
	SAME(WEXITSTATUS(status), 4);	/* problems are left */
}

/*
 * One home block can neither be read nor written. Nobody gets an error, even if
 * the log is written many times, and over unmount, fsck and mount.
 */
static void test_block(void)
{
	unsigned long i, nr = 256, rounds = 3 * geo.log_blocks / 256;
	int fd, other, big;
	char *map = begin("f", NR, &fd, &other), *fill;
	unsigned long long bad = block_of(fd, 3);

	big = new_file("big", nr);
	fill = map_file(big, nr);
	settle();
	dm_fail(bad, 1, "error");
	store(map, NR, 3);
	CHECK(!call(map, NR * PAGE, MS_SYNC));
	for (i = 0; i < rounds; i++) {
		store(fill, nr, i + 1);
		CHECK(!call(fill, nr * PAGE, MS_SYNC));
	}
	expect(map, NR, 3, "a bad block");
	checkpoint_fails();
	kernel_log("checkpoint: home blocks ");
	unmap(map, NR);
	unmap(fill, nr);
	CHECK(!fsync(fd) && !fsync(other) && !fsync(big));
	CHECK(!close(fd) && !close(other) && !close(big));
	leave();
	kernel_log("unmount: the log could not be emptied");
	fsck_leaves();
	enter();
	kernel_log("replay: 1 home blocks cannot be written");
	expect_file("f", 0, NR, 3);
	crash();
	expect_file("f", 0, NR, 3);
	expect_file("big", 0, nr, rounds);
	dm_healthy();
	settle();
	leave();
	enter();
	expect_file("f", 0, NR, 3);
}

static void test_tail(void)
{
	int fd, other;
	char *map = begin("f", NR, &fd, &other);

	kernel_log("cannot write the log tail to block ");
	checkpoint(MSYNCFS_SLOT_BLKNO, MSYNCFS_NR_SLOTS, fd, other, map);
}

/* ---- reads -------------------------------------------------------------- */

/* A read of unreadable data fails. No other call gets an error. */
static void unreadable(int fd, unsigned long index)
{
	char *map = map_file(fd, index + NR), byte;

	FAILS(pread(fd, &byte, 1, index * PAGE), EIO);
	CHECK(faults(map + index * PAGE));
	CHECK(faults(map + (index + NR - 1) * PAGE));
	/* A write to a part of the page must first read the page. */
	FAILS(pwrite(fd, "x", 1, index * PAGE + 1), EIO);
	CHECK(!call(map, (index + NR) * PAGE, MS_SYNC));
	dm_healthy();
	CHECK(!faults(map + index * PAGE));
	expect(map + index * PAGE, NR, 3, "read at last");
	store(map + index * PAGE, NR, 4);
	CHECK(!call(map, (index + NR) * PAGE, MS_SYNC));
	unmap(map, index + NR);
	CHECK(!close(fd));
	crash();
	expect_file("f", index, NR, 4);
}

static int make_unreadable(unsigned long index)
{
	int fd = open_file("f", O_CREAT | O_EXCL);
	char *map;

	CHECK(!ftruncate(fd, (index + NR) * PAGE));
	map = map_file(fd, index + NR);
	/* Store two generations, the second over the first. */
	store(map + index * PAGE, NR, 2);
	CHECK(!call(map, (index + NR) * PAGE, MS_SYNC));
	settle();
	store(map + index * PAGE, NR, 3);
	CHECK(!call(map, (index + NR) * PAGE, MS_SYNC));
	settle();
	unmap(map, index + NR);
	CHECK(!close(fd));
	leave();
	enter();
	return open_file("f", 0);
}

static void test_read(void)
{
	int fd = make_unreadable(0);
	unsigned long long first = block_of(fd, 0);

	SAME(block_of(fd, NR - 1), first + NR - 1);
	dm_fail(first, NR, "error");
	kernel_log("inode %lu: page 0: block %llu: cannot be read",
		   inode_of(fd), first);
	kernel_log("inode %lu: page %lu: block %llu: cannot be read",
		   inode_of(fd), NR - 1, first + NR - 1);
	unreadable(fd, 0);
}

static void test_map(void)
{
	int fd = make_unreadable(FAR);

	fail_all("error_reads");
	kernel_log("map of inode %lu: cannot be read", inode_of(fd));
	unreadable(fd, FAR);
}

/* ---- recovery ----------------------------------------------------------- */

static void mount_fails(int want)
{
	FAILS(mount("/dev/mapper/msync", run.mnt, "msyncfs", 0, NULL), want);
}

/*
 * Store the generations 3 to @last, with an msync after each one. Then unmount
 * without a checkpoint.
 */
static void leave_records(char *map, int fd, uint64_t last)
{
	__u32 down = MSYNCFS_SHUTDOWN_NOLOGFLUSH;
	uint64_t gen;

	set_attr("checkpoint_pause", "1");
	for (gen = 3; gen <= last; gen++) {
		store(map, NR, gen);
		CHECK(!call(map, NR * PAGE, MS_SYNC));
	}
	unmap(map, NR);
	CHECK(!close(fd));
	CHECK(!ioctl(run.door_fd, MSYNCFS_IOC_SHUTDOWN, &down));
	leave();
}

/* If the mount fails, the log must stay for the next mount. */
static void test_mount(void)
{
	int fd, other;
	char *map = begin("f", NR, &fd, &other);
	unsigned long long first = block_of(fd, 0);

	SAME(block_of(fd, NR - 1), first + NR - 1);
	CHECK(!close(other));
	leave_records(map, fd, 3);

	dm_fail(0, 1, "error");
	mount_fails(EIO);
	kernel_log("block 0: the superblock cannot be read");
	dm_fail(MSYNCFS_SLOT_BLKNO, MSYNCFS_NR_SLOTS, "error_reads");
	mount_fails(EIO);
	kernel_log("block %u: log tail: cannot be read", MSYNCFS_SLOT_BLKNO);
	fail_log("error_reads");
	mount_fails(EIO);
	kernel_log("the log cannot be read");
	dm_fail(first, NR, "error_writes");
	mount_fails(EIO);
	kernel_log("replay: home blocks %llu+", first);
	dm_fail(MSYNCFS_SLOT_BLKNO, MSYNCFS_NR_SLOTS, "error_writes");
	mount_fails(EIO);
	kernel_log("cannot flush the device after the replay");
	dm_fail(geo.log_start + geo.log_blocks, 1, "error");
	mount_fails(EIO);
	kernel_log("cannot be read");
	dm_healthy();
	enter();
	expect_file("f", 0, NR, 3);
}

/* Write a block of the device if @write, else read it into @buf. */
static void device_block(uint64_t blkno, void *buf, bool write)
{
	int fd = open("/dev/mapper/msync", O_RDWR | O_DIRECT);

	CHECK(fd >= 0);
	if (write)
		SAME(pwrite(fd, buf, PAGE, blkno * PAGE), PAGE);
	else
		SAME(pread(fd, buf, PAGE, blkno * PAGE), PAGE);
	CHECK(!close(fd));
}

/*
 * One block of the log cannot be read. The mount fails only if a durable record
 * has this block. fsck overwrites a block that no record has.
 */
static void test_unreadable(void)
{
	uint64_t last = geo.log_start + geo.log_blocks - 1;
	char *buf = aligned_alloc(PAGE, PAGE), *map;
	int fd, other, status;

	CHECK(buf);
	memset(buf, 7, PAGE);
	map = begin("f", NR, &fd, &other);
	unmap(map, NR);
	CHECK(!close(fd) && !close(other));
	/* After a mount, the first record is at the start of the log. */
	leave();
	device_block(last, buf, true);
	enter();
	fd = open_file("f", 0);
	leave_records(map_file(fd, NR), fd, 4);

	dm_fail(geo.log_start, 1, "error_reads");
	mount_fails(EUCLEAN);
	kernel_log("(cannot be read) but was durable: block %llu",
		   (unsigned long long)geo.log_start);
	dm_fail(last, 1, "error_reads");
	enter();
	kernel_log("log: block %llu cannot be read", (unsigned long long)last);
	expect_file("f", 0, NR, 4);
	leave();

	status = system("fsck.msyncfs -y /dev/mapper/msync");
	CHECK(WIFEXITED(status));
	SAME(WEXITSTATUS(status), 1);
	dm_healthy();
	device_block(last, buf, false);
	CHECK(!buf[0] && !memcmp(buf, buf + 1, PAGE - 1));
	SAME(system("fsck.msyncfs -n /dev/mapper/msync"), 0);
	free(buf);
	enter();
	expect_file("f", 0, NR, 4);
}

/* ---- temporary failures ------------------------------------------------- */

struct progress {
	uint64_t stored, acked;		/* newest generations */
	uint64_t errors;
	bool stop;
};

/*
 * The filesystem has stopped after two failures in a row. All later stores
 * would fail, so end the process.
 */
static void end_of_storm(int sig)
{
	(void)sig;
	_exit(0);
}

/* Store one generation after another until the parent sets @p->stop. */
static void storm(const char *name, volatile struct progress *p)
{
	int fd = open_file(name, 0);
	char *map = map_file(fd, NR);
	uint64_t gen;

	signal(SIGBUS, end_of_storm);
	for (gen = 3; !p->stop; gen++) {
		p->stored = gen;
		store(map, NR, gen);
		if (!call(map, NR * PAGE, MS_SYNC)) {
			p->acked = gen;
			continue;
		}
		CHECK(errno == EIO);
		p->errors++;
		/*
		 * Wait, because a second failure in a row would stop the
		 * filesystem.
		 */
		usleep(100000);
	}
	/* The last call succeeds unless the filesystem has stopped. */
	if (!call(map, NR * PAGE, MS_SYNC))
		p->acked = p->stored;
	exit(0);
}

/*
 * Let writes to the log fail for a moment, again and again. Meanwhile a process
 * stores without a pause.
 */
static void test_storm(void)
{
	volatile struct progress *p;
	int fd, other, round;
	uint64_t gen;
	char *map;
	pid_t pid;

	p = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	for (round = 0; round < 3; round++) {
		char name[16];
		int i;

		snprintf(name, sizeof(name), "f%d", round);
		map = begin(name, NR, &fd, &other);
		unmap(map, NR);
		CHECK(!close(fd) && !close(other));
		memset((void *)p, 0, sizeof(*p));
		p->acked = 2;
		pid = fork();
		CHECK(pid >= 0);
		if (!pid)
			storm(name, p);
		for (i = 0; i < 4; i++) {
			usleep(150000);
			fail_log(i % 2 ? "error" : "error_writes");
			usleep(20000);
			dm_healthy();
		}
		usleep(150000);
		p->stop = true;
		wait_for(pid);
		leave();
		enter();
		fd = open_file(name, 0);
		map = map_file(fd, NR);
		gen = page_gen(map);
		printf("%llu stored, %llu acknowledged, %llu found, %llu errors\n",
		       (unsigned long long)p->stored,
		       (unsigned long long)p->acked, (unsigned long long)gen,
		       (unsigned long long)p->errors);
		expect(map, NR, gen, "of one generation");
		CHECK(gen >= p->acked && gen <= p->stored);
		unmap(map, NR);
		CHECK(!close(fd));
	}
}

static const struct test tests[] = {
	{ "log", test_log },
	{ "log_good", test_log_good },
	{ "all_good", test_all_good },
	{ "fresh", test_fresh },
	{ "home", test_home },
	{ "block", test_block },
	{ "tail", test_tail },
	{ "read", test_read },
	{ "map", test_map },
	{ "mount", test_mount },
	{ "unreadable", test_unreadable },
	{ "storm", test_storm },
	{ }
};

int main(int argc, char **argv)
{
	read_geo();
	return msync_main(argc, argv, tests);
}
