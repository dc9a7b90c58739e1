// SPDX-License-Identifier: GPL-2.0
/*
 * States that a power failure could leave on a disk. QEMU's blklogwrites driver
 * recorded every write and flush of a guest in the order of their completion
 * (the format of Linux's dm-log-writes). A state is a point of that record:
 * all writes that completed before the last flush up to it are there; of those
 * after it, any may be missing, or there only in some of their sectors.
 *
 * Usage: powerfail disk IMAGE FS-SECTORS	makes a disk with two partitions,
 *						the second of 2048 sectors
 *        powerfail states LOG OUT COUNT SEED FS-SECTORS
 *
 * "states" writes COUNT images of the first partition one after another into
 * OUT (sparse), and prints for each a line "NUMBERS|what it is": NUMBERS from
 * the last "ack NUMBERS" that had been written to the second partition.
 */
#include "check.h"

#include <stdint.h>
#include <sys/mman.h>

#define SECTOR 512ULL
#define FS_START 2048ULL	/* first partition, in sectors */
#define ACK_SECTORS 2048ULL

#define LOG_MAGIC 0x6a736677736872ULL
#define LOG_FLUSH 1
#define LOG_FUA 2
#define LOG_DISCARD 4
#define LOG_MARK 8

struct log_super {
	uint64_t magic, version, nr_entries;
	uint32_t sectorsize;
};

struct log_entry {
	uint64_t sector, nr_sectors, flags, data_len;
};

struct event {
	uint64_t sector, nr, flags;
	const unsigned char *data;	/* in the log; NULL: none */
	int is_ack;
};

static struct event *events;
static unsigned long nr_events;
static uint64_t fs_sectors, rnd;
static unsigned char *durable, *state;

static uint64_t below(uint64_t n)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd % n;
}

/* ---- the disk ---- */

static void put_partition(unsigned char *e, uint32_t start, uint32_t sectors)
{
	memset(e, 0, 16);
	e[4] = 0x83;
	memcpy(e + 8, &start, 4);
	memcpy(e + 12, &sectors, 4);
}

static void make_disk(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	unsigned char mbr[SECTOR] = { };

	CHECK(fd >= 0);
	put_partition(mbr + 446, FS_START, fs_sectors);
	put_partition(mbr + 462, FS_START + fs_sectors, ACK_SECTORS);
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	CHECK(write(fd, mbr, SECTOR) == (ssize_t)SECTOR);
	CHECK(!ftruncate(fd, (FS_START + fs_sectors + ACK_SECTORS) * SECTOR));
	CHECK(!close(fd));
}

/* ---- the record ---- */

static void read_log(const char *path)
{
	const struct log_super *super;
	const unsigned char *log;
	uint64_t at, size, ss;
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	size = fstat_of(fd).st_size;
	log = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(log != MAP_FAILED && !close(fd));
	super = (const void *)log;
	CHECK(super->magic == LOG_MAGIC && super->version == 1);
	ss = super->sectorsize;
	CHECK(ss == SECTOR);
	/* Its count of entries is only brought up to date now and then. */
	for (at = ss; at + ss <= size;) {
		const struct log_entry *e = (const void *)(log + at);
		struct event *ev;

		if (!(nr_events % 1024)) {
			events = realloc(events, (nr_events + 1024) * sizeof(*events));
			CHECK(events);
		}
		ev = &events[nr_events++];
		ev->sector = e->sector;
		ev->nr = e->nr_sectors;
		ev->flags = e->flags;
		at += ss;
		ev->data = NULL;
		if (!(e->flags & (LOG_DISCARD | LOG_MARK)) && e->nr_sectors) {
			CHECK(at + ev->nr * ss <= size);
			ev->data = log + at;
			at += ev->nr * ss;
		}
		ev->is_ack = ev->data && ev->sector == FS_START + fs_sectors &&
			     !memcmp(ev->data, "ack ", 4);
	}
}

static int is_flush(const struct event *ev)
{
	return ev->flags & LOG_FLUSH;
}

/* ---- the states ---- */

/* Applies those sectors of a write for which @keep says so. */
static void apply(unsigned char *image, const struct event *ev, int torn)
{
	uint64_t i, s;

	if (!ev->data)
		return;
	for (i = 0; i < ev->nr; i++) {
		s = ev->sector + i;
		if (s < FS_START || s >= FS_START + fs_sectors)
			continue;
		if (torn && below(2))
			continue;
		memcpy(image + (s - FS_START) * SECTOR, ev->data + i * SECTOR, SECTOR);
	}
}

static void write_state(int fd, off_t base)
{
	const unsigned long block = 4096;
	uint64_t at, size = fs_sectors * SECTOR;
	static const char zero[4096];

	for (at = 0; at < size; at += block)
		if (memcmp(state + at, zero, block))
			CHECK(pwrite(fd, state + at, block, base + at) == (ssize_t)block);
}

enum { ALL, NONE, SOME, TORN, MODES };
static const char * const mode_names[MODES] = {
	"all unflushed writes there", "no unflushed write there",
	"unflushed writes there at random", "unflushed writes there in part",
};

/* The state after events [0, cut); @from: first that no flush covers. */
static void make_state(unsigned long from, unsigned long cut, int mode)
{
	unsigned long i;

	memcpy(state, durable, fs_sectors * SECTOR);
	for (i = from; i < cut; i++) {
		if (mode == ALL || (mode == SOME && below(2)))
			apply(state, &events[i], 0);
		else if (mode == TORN)
			apply(state, &events[i], below(3));
	}
}

static int compare_cuts(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* Right before a flush, right after an "ack", or anywhere. */
static unsigned long choose_cut(unsigned long first)
{
	unsigned long cut = first + below(nr_events - first + 1), way = below(3);

	for (; way && cut < nr_events; cut++) {
		if (way == 1 && is_flush(&events[cut]))
			return cut;
		if (way == 2 && events[cut].is_ack)
			return cut + 1;
	}
	return cut;
}

static void print_state(unsigned long nr, const struct event *ack_ev,
			unsigned long cut, unsigned long loose, int mode)
{
	const char *text = (const char *)ack_ev->data + 4;

	printf("%.*s|state %lu: event %lu of %lu, %lu writes not flushed, %s\n",
	       (int)strcspn(text, "\n"), text, nr, cut, nr_events, loose,
	       mode_names[mode]);
}

static void make_states(const char *out, unsigned long count)
{
	unsigned long *cuts = calloc(count, sizeof(*cuts));
	unsigned long first, i, k, from = 0, at = 0, loose, flushes = 0, acks = 0;
	const struct event *last_ack = NULL;
	int fd = open(out, O_RDWR | O_CREAT | O_TRUNC, 0644), mode;

	CHECK(fd >= 0 && cuts);
	CHECK(!ftruncate(fd, count * fs_sectors * SECTOR));
	durable = calloc(fs_sectors, SECTOR);
	state = malloc(fs_sectors * SECTOR);
	CHECK(durable && state);

	for (first = 0; first < nr_events && !events[first].is_ack; first++)
		;
	CHECK(first < nr_events);
	for (i = first; i < nr_events; i++) {
		flushes += is_flush(&events[i]);
		acks += events[i].is_ack;
	}
	fprintf(stderr, "%lu writes, %lu flushes and %lu acknowledgements recorded\n",
		nr_events - first - flushes - acks, flushes, acks);
	for (k = 0; k < count; k++)
		cuts[k] = choose_cut(first + 1);
	qsort(cuts, count, sizeof(*cuts), compare_cuts);

	for (k = 0; k < count; k++) {
		for (; at < cuts[k]; at++) {
			if (events[at].is_ack)
				last_ack = &events[at];
			if (events[at].flags & LOG_FUA)
				apply(durable, &events[at], 0);
			if (!is_flush(&events[at]))
				continue;
			for (; from < at; from++)
				apply(durable, &events[from], 0);
			from = at + 1;
		}
		for (loose = 0, i = from; i < cuts[k]; i++)
			loose += events[i].data && !events[i].is_ack;
		mode = k % MODES;
		make_state(from, cuts[k], mode);
		write_state(fd, k * fs_sectors * SECTOR);
		print_state(k, last_ack, cuts[k], loose, mode);
	}
	CHECK(!close(fd));
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "disk")) {
		fs_sectors = strtoull(argv[3], NULL, 0);
		make_disk(argv[2]);
		return 0;
	}
	if (argc != 7 || strcmp(argv[1], "states")) {
		fprintf(stderr, "usage: powerfail disk IMAGE FS-SECTORS\n"
			"       powerfail states LOG OUT COUNT SEED FS-SECTORS\n");
		return 2;
	}
	fs_sectors = strtoull(argv[6], NULL, 0);
	rnd = strtoull(argv[5], NULL, 0) * 0x9e3779b97f4a7c15ULL | 1;
	read_log(argv[2]);
	make_states(argv[3], strtoul(argv[4], NULL, 0));
	return 0;
}
