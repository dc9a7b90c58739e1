// SPDX-License-Identifier: GPL-2.0
/*
 * This program has the workloads of "make bench". Each workload gives one row
 * of a table. scripts/bench-guest runs each workload in a guest on a new
 * filesystem.
 *
 * Usage: bench list		print the workloads: NAME|SECONDS|UNIT|DESCRIPTION
 *        bench make NAME PLACE	make the files of a workload; the caller then
 *				unmounts the filesystem and mounts it again
 *        bench run NAME PLACE	run a workload and print nanoseconds
 *
 * If $PERF_CONTROL and $PERF_ACK are fifos of "perf record --control", perf
 * records while a call runs. Standard error then gets the times of the calls
 * for "perf report --time".
 *
 * PLACE is an empty directory or a raw disk. If PLACE is a raw disk and the
 * workload has no @raw function, "bench run" prints nothing.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/msyncfs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096UL
#define MIB		(1UL << 20)
#define FILES		1000UL
#define LOG_PAGES	4096UL
#define MAX_UPDATE	64UL
#define NS		1000000000UL
#define ENOUGH_NS	(8 * NS)

/**
 * struct workload - one workload, which is one row of the table
 * @name: name for T= of make bench, and name of the column in bench.csv
 * @what: description, without commas and bars
 * @unit: the thing that the result is the time of, for example one call
 * @seconds: run time on all six filesystems together, in seconds on a slow core
 * @mib: size in MiB of the file that make_file() makes
 * @pages: number of pages in one call
 * @span: number of different pages, spread over the file, to which the calls
 *	store; 0 means all pages
 * @calls: number of measured calls
 * @per: number of units in one call; 0 means 1
 * @mean: the result is the mean time of the calls; otherwise it is the median
 * @make: makes the files, before the filesystem is unmounted and mounted again
 * @ready: opens and maps the files
 * @before: runs before each call; its time is not measured
 * @call: the measured call
 * @raw: the measured call on a raw disk, which replaces @call there
 */
struct workload {
	const char *name, *what, *unit;
	unsigned int seconds;
	unsigned long mib, pages, span, calls, per;
	bool mean;
	void (*make)(void);
	void (*ready)(void);
	void (*before)(unsigned long nr);
	void (*call)(unsigned long nr);
	void (*raw)(unsigned long nr);
};

static const struct workload *w;
static char *map, *tail, *buf;
static unsigned long end_of_file, log_page;
static int fd, log_fd = -1;

static unsigned long size(void)
{
	return w->mib * MIB;
}

static void check(bool ok, const char *what)
{
	if (!ok)
		err(1, "%s: %s", w->name, what);
}

/* ---- files that are written and mapped ----------------------------------- */

static int new_file(const char *name, unsigned long bytes)
{
	static char data[MIB];
	int f = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	check(f >= 0, name);
	memset(data, 'x', sizeof(data));
	for (; bytes; bytes -= sizeof(data))
		check(write(f, data, sizeof(data)) == sizeof(data), name);
	check(!fsync(f), "fsync");
	return f;
}

static void make_file(void)
{
	close(new_file("file", size()));
}

static void open_file(void)
{
	struct stat st;

	fd = open("file", O_RDWR | O_CREAT, 0600);
	check(fd >= 0 && !fstat(fd, &st), "file");
	end_of_file = st.st_size;
}

/*
 * Map the file. Read each page, so that later calls find it in memory and
 * mapped.
 */
static void map_file(void)
{
	volatile char *p;

	open_file();
	map = mmap(NULL, size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED, "mmap");
	for (p = map; p < map + size(); p += PAGE)
		(void)*p;
}

/*
 * Return the address of page @i of call @nr. The pages of a call are evenly
 * spread over the file. The next call uses different pages.
 */
static char *page_of(unsigned long nr, unsigned long i)
{
	unsigned long span = w->span ? w->span : size() / PAGE;
	unsigned long step = span / w->pages;
	unsigned long place = i * step + nr * 7 % step;

	return map + place * (size() / span);
}

static void dirty(unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < w->pages; i++)
		page_of(nr, i)[100]++;
}

static void sync_map(unsigned long nr)
{
	(void)nr;
	check(!msync(map, size(), MS_SYNC), "msync");
}

static void dirty_and_sync(unsigned long nr)
{
	dirty(nr);
	sync_map(nr);
}

/* Store to the same pages as dirty(), but first make all pages holes. */
static void dirty_new(unsigned long nr)
{
	check(!ftruncate(fd, 0) && !fsync(fd) && !ftruncate(fd, size()), "truncate");
	dirty(nr);
}

static void append(unsigned long nr)
{
	unsigned long bytes = w->pages * PAGE;

	if (nr)
		check(!munmap(tail, bytes), "munmap");
	check(!ftruncate(fd, end_of_file + bytes), "truncate");
	tail = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, end_of_file);
	check(tail != MAP_FAILED, "mmap");
	memset(tail, 'x', bytes);
	end_of_file += bytes;
}

static void sync_tail(unsigned long nr)
{
	(void)nr;
	check(!msync(tail, w->pages * PAGE, MS_SYNC), "msync");
}

/*
 * The descriptor has O_DSYNC, so the kernel writes with FUA and sends a flush
 * after the write.
 */
static void raw_write(unsigned long nr)
{
	unsigned long bytes = w->pages * PAGE;

	check(pwrite(fd, buf, bytes, nr * bytes % (64 * MIB)) == (ssize_t)bytes, "write");
}

/* ---- a write-ahead log ---------------------------------------------------- */

static void wal(unsigned long offset)
{
	check(pwrite(fd, buf, PAGE, offset) == PAGE, "write");
	check(!fdatasync(fd), "fdatasync");
}

static void wal_append(unsigned long nr)
{
	(void)nr;
	wal(end_of_file);
	end_of_file += PAGE;
}

static void wal_overwrite(unsigned long nr)
{
	wal(nr * PAGE);
}

/* ---- many files ------------------------------------------------------------ */

static const char *name_of(const char *prefix, unsigned long nr)
{
	static char name[2][32];
	static int turn;

	turn = !turn;
	snprintf(name[turn], sizeof(name[turn]), "%s%lu", prefix, nr);
	return name[turn];
}

static void create(unsigned long nr)
{
	int f = open(name_of("f", nr), O_RDWR | O_CREAT | O_EXCL, 0600);

	check(f >= 0 && !close(f), "create");
}

static void create_synced(unsigned long nr)
{
	int f = open(name_of("f", nr), O_RDWR | O_CREAT | O_EXCL, 0600);

	check(f >= 0 && write(f, buf, PAGE) == PAGE && !fsync(f) && !close(f),
	      "create");
}

static void stat_one(unsigned long nr)
{
	struct stat st;

	check(!stat(name_of("f", nr), &st), "stat");
}

static void rename_one(unsigned long nr)
{
	check(!rename(name_of("f", nr), name_of("renamed", nr)), "rename");
}

static void unlink_one(unsigned long nr)
{
	check(!unlink(name_of("f", nr)), "unlink");
}

static void make_files(void)
{
	unsigned long i;

	for (i = 0; i < FILES; i++)
		create(i);
	sync();
}

static void stat_files(void)
{
	unsigned long i;

	for (i = 0; i < FILES; i++)
		stat_one(i);
}

/* ---- an update that happens in full or not at all --------------------------- */

static void make_update(void)
{
	make_file();
	close(new_file("log", LOG_PAGES * PAGE));
}

/*
 * Only msyncfs has atomic files. On other filesystems the program keeps a redo
 * log.
 */
static void ready_update(void)
{
	__u32 on = 1;

	map_file();
	if (!ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on))
		return;
	log_fd = open("log", O_RDWR);
	check(log_fd >= 0, "log");
}

/*
 * Append a header and the pages to the redo log. At the end of the log file,
 * start again at its beginning.
 */
static void log_update(void)
{
	unsigned long bytes = (w->pages + 1) * PAGE;

	if (log_page + w->pages + 1 > LOG_PAGES)
		log_page = 0;
	check(pwrite(log_fd, buf, bytes, log_page * PAGE) == (ssize_t)bytes &&
	      !fdatasync(log_fd), "log");
	log_page += w->pages + 1;
}

static void update(unsigned long nr)
{
	unsigned long i;

	if (log_fd >= 0)
		log_update();
	for (i = 0; i < w->pages; i++)
		memcpy(page_of(nr, i), buf + (i + 1) * PAGE, PAGE);
	sync_map(nr);
}

/* ---- the table --------------------------------------------------------------- */

#define OVERWRITE	.mib = 64, .make = make_file, .ready = map_file, \
			.before = dirty, .call = sync_map, .raw = raw_write
#define MANY		.mib = 256, .pages = 64, .mean = true, .make = make_file, \
			.ready = map_file, .call = dirty_and_sync
#define APPEND		.calls = 101, .ready = open_file, .before = append, \
			.call = sync_tail
#define UPDATE		.mib = 64, .calls = 101, .make = make_update, \
			.ready = ready_update, .call = update

static const struct workload workloads[] = {
	{ "1", "1 page overwritten", "call", 10,
	  .pages = 1, .calls = 101, OVERWRITE },
	{ "8", "8 scattered pages overwritten", "call", 10,
	  .pages = 8, .calls = 101, OVERWRITE },
	{ "64", "64 scattered pages overwritten", "call", 10,
	  .pages = 64, .calls = 101, OVERWRITE },
	{ "512", "512 scattered pages overwritten", "call", 20,
	  .pages = 512, .calls = 31, OVERWRITE },
	{ "new", "64 of 65536 pages: stores and msync; checkpoints", "call", 90,
	  .calls = 2560, MANY },
	{ "hot", "64 of 256 pages: stores and msync; checkpoints", "call", 80,
	  .calls = 2560, .span = 256, MANY },
	{ "append-1", "1 page appended", "call", 5, .pages = 1, APPEND },
	{ "append-16", "16 pages appended", "call", 5, .pages = 16, APPEND },
	{ "dirty", "first store to a clean page", "page", 10,
	  .mib = 64, .pages = 64, .calls = 101, .per = 64, .make = make_file,
	  .ready = map_file, .before = sync_map, .call = dirty },
	{ "seq", "64 MiB overwritten", "call", 20,
	  .pages = 16384, .calls = 5, OVERWRITE },
	{ "seq-new", "64 MiB new", "call", 20,
	  .mib = 64, .pages = 16384, .calls = 5, .make = make_file,
	  .ready = map_file, .before = dirty_new, .call = sync_map },
	{ "wal-append", "log: append 4 KiB; fdatasync", "call", 5,
	  .calls = 101, .ready = open_file, .call = wal_append },
	{ "wal-over", "log: overwrite 4 KiB; fdatasync", "call", 5,
	  .mib = 16, .pages = 1, .calls = 101, .make = make_file,
	  .ready = open_file, .call = wal_overwrite, .raw = raw_write },
	{ "create-sync", "create; write 4 KiB; fsync", "file", 5,
	  .calls = 101, .call = create_synced },
	{ "create", "create 1000 empty files", "file", 5,
	  .calls = FILES, .mean = true, .call = create },
	{ "stat", "stat 1000 files; nothing cached", "file", 5,
	  .calls = FILES, .mean = true, .make = make_files, .call = stat_one },
	{ "rename", "rename 1000 files", "file", 5,
	  .calls = FILES, .mean = true, .make = make_files,
	  .ready = stat_files, .call = rename_one },
	{ "unlink", "unlink 1000 files", "file", 5,
	  .calls = FILES, .mean = true, .make = make_files,
	  .ready = stat_files, .call = unlink_one },
	{ "update-8", "8 pages; all or nothing", "update", 10,
	  .pages = 8, UPDATE },
	{ "update-64", "64 pages; all or nothing", "update", 10,
	  .pages = 64, UPDATE },
};

#define WORKLOADS	ARRAY_SIZE(workloads)

static void list(void)
{
	for (w = workloads; w < workloads + WORKLOADS; w++)
		printf("%s|%u|%s|%s\n", w->name, w->seconds, w->unit, w->what);
}

/* ---- measuring ----------------------------------------------------------------- */

/*
 * Tell perf to record from now on, or to stop. Wait until perf has done this.
 */
static void record(const char *command)
{
	static int control = -1, ack = -1;
	char answer[16];

	if (control < 0) {
		control = open(getenv("PERF_CONTROL"), O_WRONLY);
		ack = open(getenv("PERF_ACK"), O_RDONLY);
	}
	check(write(control, command, strlen(command)) > 0 &&
	      read(ack, answer, sizeof(answer)) > 0, "perf");
}

/*
 * Call @call while perf records, and return the time. perf takes samples with
 * a constant period, and all calls may take the same time. So begin at a random
 * moment, or the samples would all hit the same functions. Do not sleep until
 * then, because a sleep would end together with the next sample. The recording
 * begins before the call and ends after it. The printed times let perf leave
 * out its own work.
 */
static unsigned long profiled(void (*call)(unsigned long nr), unsigned long nr)
{
	unsigned long begin, start, end;

	record("enable\n");
	begin = now_ns() + random() % 1000000;
	while ((start = now_ns()) < begin)
		;
	call(nr);
	end = now_ns();
	record("disable\n");
	fprintf(stderr, "%s%lu.%09lu,%lu.%09lu", nr ? " " : "",
		start / NS, start % NS, end / NS, end % NS);
	return end - start;
}

static unsigned long timed(void (*call)(unsigned long nr), unsigned long nr)
{
	unsigned long start = now_ns();

	call(nr);
	return now_ns() - start;
}

/* Sort the times @ns of all calls, and return the result of the workload. */
static unsigned long figure(unsigned long *ns, unsigned long calls)
{
	unsigned long i, sum = 0;

	qsort(ns, calls, sizeof(*ns), by_ns);
	for (i = 0; i < calls; i++)
		sum += ns[i];
	return (w->mean ? sum / calls : ns[calls / 2]) / (w->per ? w->per : 1);
}

/*
 * On a slow filesystem, make fewer calls, so that the benchmark ends in time.
 * For a profile, make more calls, because a short call gets few samples.
 */
static void measure(void (*before)(unsigned long nr), void (*call)(unsigned long nr))
{
	bool profile = getenv("PERF_CONTROL");
	unsigned long calls = w->calls * (profile && !w->mean ? 8 : 1);
	unsigned long *ns = calloc(calls, sizeof(*ns)), i;
	unsigned long end = now_ns() + ENOUGH_NS;

	check(ns, "memory");
	for (i = 0; i < calls && now_ns() < end; i++) {
		if (before)
			before(i);
		ns[i] = profile ? profiled(call, i) : timed(call, i);
	}
	printf("%lu\n", figure(ns, i));
	free(ns);
}

static void run(void)
{
	if (w->ready)
		w->ready();
	measure(w->before, w->call);
}

static void run_raw(const char *disk)
{
	if (!w->raw)
		return;
	fd = open(disk, O_RDWR | O_DIRECT | O_DSYNC);
	check(fd >= 0, disk);
	measure(NULL, w->raw);
}

static void find(const char *name)
{
	for (w = workloads; w < workloads + WORKLOADS; w++)
		if (!strcmp(w->name, name))
			return;
	errx(2, "no workload is named %s", name);
}

/*
 * Make the data for all writes. The first page is the header of a redo log
 * record.
 */
static void make_data(void)
{
	unsigned long bytes = (w->pages + MAX_UPDATE + 1) * PAGE;

	buf = aligned_alloc(PAGE, bytes);
	check(buf, "memory");
	memset(buf, 'y', bytes);
}

int main(int argc, char **argv)
{
	struct stat st;

	if (argc == 2 && !strcmp(argv[1], "list")) {
		list();
		return 0;
	}
	if (argc != 4)
		errx(2, "usage: bench list | make NAME PLACE | run NAME PLACE");
	find(argv[2]);
	make_data();
	check(!stat(argv[3], &st), argv[3]);
	if (S_ISBLK(st.st_mode)) {
		run_raw(argv[3]);
		return 0;
	}
	check(!chdir(argv[3]), argv[3]);
	if (!strcmp(argv[1], "run"))
		run();
	else if (w->make)
		w->make();
	return 0;
}
