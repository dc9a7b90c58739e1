// SPDX-License-Identifier: GPL-2.0
/* Find a workload in the tables, run it and print its result. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "clock.h"

#define NS		1000000000UL
#define ENOUGH_NS	(8 * NS)
#define ENOUGH_CALLS	100

const struct workload *w;
char *buf;
int fd;

void check(bool ok, const char *what)
{
	if (!ok)
		err(1, "%s: %s", w->name, what);
}

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

/* The commands of the disk. */
struct commands {
	long reads, writes, sectors, flushes;
};

static void read_commands(struct commands *c)
{
	static int stat_fd = -1;
	char text[512];
	ssize_t length;

	if (!getenv("DISK_STAT"))
		return;
	if (stat_fd < 0)
		stat_fd = open(getenv("DISK_STAT"), O_RDONLY);
	length = pread(stat_fd, text, sizeof(text) - 1, 0);
	check(length > 0, "DISK_STAT");
	text[length] = 0;
	/*
	 * Documentation/block/stat.rst of the kernel describes the fields. The
	 * kernel also counts each flush as a write.
	 */
	check(sscanf(text, "%ld %*d %*d %*d %ld %*d %ld %*d %*d %*d %*d %*d %*d %*d %*d %ld",
		     &c->reads, &c->writes, &c->sectors, &c->flushes) == 4, "DISK_STAT");
	c->writes -= c->flushes;
}

static void add_commands(struct commands *sum, const struct commands *before,
			 const struct commands *after)
{
	sum->reads += after->reads - before->reads;
	sum->writes += after->writes - before->writes;
	sum->sectors += after->sectors - before->sectors;
	sum->flushes += after->flushes - before->flushes;
}

/*
 * Sort the times @ns of all calls, and print the result of the workload. If
 * there are enough calls, print the median and the 99th percentile of them too.
 * Print the commands of one unit.
 */
static void print_result(unsigned long *ns, unsigned long calls,
			 const struct commands *sum_commands)
{
	unsigned long per = (w->per ? w->per : 1) * (w->threads ? w->threads : 1);
	double units = per * calls;
	unsigned long i, sum = 0;

	qsort(ns, calls, sizeof(*ns), by_ns);
	for (i = 0; i < calls; i++)
		sum += ns[i];
	printf("ns=%lu", (w->mean ? sum / calls : ns[calls / 2]) / per);
	if (calls >= ENOUGH_CALLS)
		printf(" median=%lu p99=%lu", ns[calls / 2], ns[calls * 99 / 100]);
	if (getenv("DISK_STAT"))
		printf(" reads=%.3f writes=%.3f kib=%.3f flushes=%.3f",
		       sum_commands->reads / units, sum_commands->writes / units,
		       sum_commands->sectors / 2 / units, sum_commands->flushes / units);
	printf("\n");
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
	struct commands start = {}, now = {}, sum = {};
	unsigned long end = now_ns() + ENOUGH_NS;

	check(ns, "memory");
	for (i = 0; i < calls && now_ns() < end; i++) {
		if (before)
			before(i);
		read_commands(&start);
		ns[i] = profile ? profiled(call, i) : timed(call, i);
		read_commands(&now);
		add_commands(&sum, &start, &now);
	}
	print_result(ns, i, &sum);
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

static void list(const struct workload *table)
{
	for (w = table; w->name; w++)
		printf("%s|%u|%s|%s|%s\n", w->name, w->seconds, w->unit, w->what,
		       w->against ? w->against : "");
}

static bool find(const struct workload *table, const char *name)
{
	for (w = table; w->name; w++)
		if (!strcmp(w->name, name))
			return true;
	return false;
}

int bench_main(const struct workload *const *tables, size_t nr, int argc, char **argv)
{
	struct stat st;
	size_t i;

	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (i = 0; i < nr; i++)
			list(tables[i]);
		return 0;
	}
	if (argc != 4)
		errx(2, "usage: list | make NAME PLACE | run NAME PLACE");
	for (i = 0; i < nr && !find(tables[i], argv[2]); i++)
		;
	if (i == nr)
		errx(2, "no workload is named %s", argv[2]);
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
