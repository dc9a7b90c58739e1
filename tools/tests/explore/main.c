// SPDX-License-Identifier: GPL-2.0
/*
 * This file has the commands of the crash explorer. All commands on the same
 * recording need the same SEED.
 *
 * Usage: explore work RECORD SEED LOAD...
 *	runs workloads, and writes the recordings of their disks to RECORD. A
 *	LOAD may end with a variant. With !RULE the module breaks the rule RULE.
 *	With @FS the workload uses the filesystem FS. With +fua the disk has FUA.
 *	With +dm the workload uses a device-mapper device
 *   or: explore recover RECORD SEED COUNT RECORD...
 *	mounts COUNT states of the later RECORDs on disks that are recorded in
 *	the first RECORD
 *   or: explore check SEED STATES WORKER WORKERS DEVICE RECORD...
 *	checks STATES distinct states on DEVICE. This process checks every
 *	WORKERS-th state, from number WORKER on. If the workload has a variant
 *	!RULE or @FS, bad states are expected. Then the check of the workload
 *	ends at the first bad state
 *   or: explore image SEED SLICE NUMBER FILE RECORD...
 *	writes a state into FILE and prints "LOAD VARIANT ACKED" of the state
 *   or: explore replay DEVICE SEED LOAD VARIANT ACKED...
 *	checks the state on DEVICE
 *   or: explore list
 *	prints the names of the workloads
 *   or: explore threads ...
 *	runs or checks the workload of threads.c
 */
#include "explore.h"

#include <sys/mount.h>

#define MNT	"/mnt"
#define MAX_BAD	5	/* bad states of one slice that are reported */

static struct slice slices[MAX_SLICES];
static unsigned int nr_slices;

static void read_records(int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		nr_slices = record_read(argv[i], slices, nr_slices);
	CHECK(nr_slices);
}

static FILE *open_record(const char *path)
{
	FILE *f = fopen(path, "r+");

	CHECK(f);
	return f;
}

/* ---- check ---- */

/* Return true if the workload must lead to bad states. */
static int is_broken(const struct slice *s)
{
	return *s->variant == '!' || *s->variant == '@';
}

/*
 * Return true if the variant acknowledges an operation before it is durable.
 * Only prefixes can show this error.
 */
static int prefixes_show(const struct slice *s)
{
	return !strcmp(s->variant, "!ack");
}

/*
 * Return the weight of a slice. The weight is the number of its prefixes plus
 * 100, for the random states.
 */
static unsigned long weight(const struct slice *s)
{
	return is_broken(s) ? 0 : states_prefixes(s) + 100;
}

/**
 * struct progress - progress of this process, which is one of several workers
 * @ck: checker
 * @slice: number of the current slice
 * @worker: number of this worker
 * @workers: number of workers; each worker makes all states of a slice, and
 *	checks every @workers-th of them
 * @bad: number of bad states that this worker found in the slice
 * @nr: number of states made for the slice
 * @distinct: number of different contents among the @nr states
 * @prefixes: number of prefixes among the @nr states
 * @mine: number of states with a new content that this worker checked
 * @again: number of states that this worker checked although their content was
 *	not new, because their last acknowledgment was different
 * @wrote: number of states among @mine and @again to which this worker wrote
 * @all: number of states of all slices that this worker checked
 * @start: time when the checks started
 * @said: time of the last report of progress
 */
struct progress {
	struct checker	*ck;
	unsigned int	slice, worker, workers, bad;
	unsigned long	nr, distinct, prefixes, mine, again, wrote, all;
	double		start, said;
};

static void say_progress(struct progress *p, const struct state *st)
{
	double t = now();

	if (t - p->said < 2)
		return;
	p->said = t;
	printf("progress %lu %.1f %s%s\n", p->all, p->all / (t - p->start),
	       st->slice->load, *st->slice->variant == '-' ? "" : st->slice->variant);
}

/* Check one state. Return true if no more states of the slice are needed. */
static int check_one(const struct state *st, void *ctx)
{
	static const int also[8] = { CHECK_BEFORE, 0, 0, 0, CHECK_WRITE };
	struct progress *p = ctx;
	const char *bad;

	p->prefixes += st->number < states_prefixes(st->slice);
	p->distinct += !st->again;
	/*
	 * After MAX_BAD bad states of the slice, check no more of its states.
	 * But count all states, because the next slices need the count.
	 */
	if (p->nr++ % p->workers != p->worker || p->bad == MAX_BAD)
		return 0;
	bad = check_state(p->ck, st, also[(p->mine + p->again) % 8]);
	p->wrote += check_wrote(p->ck);
	if (st->again)
		p->again++;
	else
		p->mine++;
	p->all++;
	say_progress(p, st);
	if (!bad)
		return 0;
	p->bad++;
	printf("%s %u %s %s %lu %lu |", is_broken(st->slice) ? "caught" : "bad", p->slice,
	       st->slice->load, st->slice->variant, st->number, p->nr);
	printf("event %lu of %lu, %lu writes not flushed, %s; acknowledged %s: %s\n",
	       st->cut, st->slice->nr, st->loose, st->how, st->acked, bad);
	return is_broken(st->slice);
}

static int check(char **argv, int records)
{
	uint64_t seed = strtoull(argv[0], NULL, 0);
	unsigned long states = strtoul(argv[1], NULL, 0), left = states, want;
	struct progress p = {
		.worker = strtoul(argv[2], NULL, 0),
		.workers = strtoul(argv[3], NULL, 0),
		.start = now(),
	};
	unsigned long weights = 0;
	unsigned int i;

	CHECK(p.workers);
	read_records(records, argv + 5);
	for (i = 0; i < nr_slices; i++)
		weights += weight(&slices[i]);
	printf("read %u slices in %.1f s\n", nr_slices, now() - p.start);
	p.start = now();
	p.ck = checker_new(argv[4], MNT, seed);
	for (i = 0; i < nr_slices; i++) {
		struct slice *s = &slices[i];

		/* Check at least one state of each slice. */
		want = is_broken(s) ? states : left * weight(s) / weights;
		want += !want;
		weights -= weight(s);
		p.slice = i;
		p.nr = 0;
		p.distinct = 0;
		p.prefixes = 0;
		p.mine = 0;
		p.again = 0;
		p.wrote = 0;
		p.bad = 0;
		break_rule(s->variant);
		states_all(s, seed + i, want, prefixes_show(s), check_one, &p);
		break_rule("-");
		if (!is_broken(s))
			left -= p.distinct < left ? p.distinct : left;
		printf("explored %s %s %lu %lu %lu %lu %lu %lu\n", s->load, s->variant,
		       p.distinct, p.prefixes, states_prefixes(s), p.mine, p.again,
		       p.wrote);
	}
	printf("done %lu %.1f\n", p.all, now() - p.start);
	return 0;
}

/* ---- image, replay, recover ---- */

static int image(char **argv, int records)
{
	static struct state st;
	unsigned int slice = strtoul(argv[1], NULL, 0);
	uint64_t seed = strtoull(argv[0], NULL, 0);

	read_records(records, argv + 4);
	CHECK(slice < nr_slices);
	states_one(&slices[slice], seed + slice, strtoul(argv[2], NULL, 0), &st);
	state_write(open(argv[3], O_RDWR | O_CREAT | O_TRUNC, 0644), &st);
	CHECK(!truncate(argv[3], FS_SECTORS * SECTOR));
	printf("%s %s %s\n", st.slice->load, st.slice->variant, st.acked);
	return 0;
}

static int replay(char **argv, int words)
{
	struct checker *ck = checker_new(argv[0], MNT, strtoull(argv[1], NULL, 0));
	char acked[SECTOR] = "";
	const char *bad;
	int i;

	for (i = 0; i < words; i++)
		snprintf(acked + strlen(acked), sizeof(acked) - strlen(acked), "%s ", argv[4 + i]);

	break_rule(argv[3]);
	bad = check_device(ck, argv[2], argv[3], acked, CHECK_BEFORE | CHECK_WRITE);
	printf("%s %s\n", bad ? "bad" : "good", bad ? bad : "");
	return 0;
}

static int recover(char **argv, int records)
{
	static struct state st;
	unsigned int count = strtoul(argv[2], NULL, 0), i;
	uint64_t seed = strtoull(argv[1], NULL, 0);
	struct choice ch = choice_of(seed);
	FILE *record = open_record(argv[0]);

	read_records(records, argv + 3);
	for (i = 0; i < count; i++) {
		const struct slice *s = &slices[i % nr_slices];

		states_one(s, seed, states_prefixes(s) + choose(&ch, 1000), &st);
		work_recover(record, &st);
		printf("recorded recovery %u of %u\n", i + 1, count);
	}
	return 0;
}

/* ---- */

static int list(void)
{
	const struct load *load;

	for (load = loads; load->name; load++)
		printf("%s%s", load == loads ? "" : " ", load->name);
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(cmd, "threads"))
		return threads_main(argc - 1, argv + 1);
	if (!strcmp(cmd, "list"))
		return list();
	if (!strcmp(cmd, "work") && argc > 4) {
		work(open_record(argv[2]), strtoull(argv[3], NULL, 0), argc - 4, argv + 4);
		return 0;
	}
	if (!strcmp(cmd, "check") && argc > 7)
		return check(argv + 2, argc - 7);
	if (!strcmp(cmd, "recover") && argc > 5)
		return recover(argv + 2, argc - 5);
	if (!strcmp(cmd, "image") && argc > 6)
		return image(argv + 2, argc - 6);
	if (!strcmp(cmd, "replay") && argc > 6)
		return replay(argv + 2, argc - 6);
	fputs("usage: explore work|recover|check|image|replay|list|threads ...\n", stderr);
	return 2;
}
