// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's blklogwrites driver, or dm-log-writes in a guest, records a disk. The
 * recording has the writes and flushes in the order in which they completed.
 * This file splits a recording into slices.
 */
#include "explore.h"

#include <sys/mman.h>

#define LOG_MAGIC	0x6a736677736872ULL
#define LOG_FLUSH	1
#define LOG_FUA		2
#define LOG_DISCARD	4
#define LOG_MARK	8

struct log_super {
	uint64_t magic, version, nr_entries;
	uint32_t sectorsize;
};

struct log_entry {
	uint64_t sector, nr_sectors, flags, data_len;
};

/*
 * Hash a sector. Return 0 if the sector is all zeros. At the beginning of the
 * recording all sectors are zeros.
 */
static uint64_t hash_sector(const unsigned char *data)
{
	const uint64_t *word = (const void *)data;
	uint64_t hash = 0, any = 0;
	unsigned int i;

	for (i = 0; i < SECTOR / 8; i++) {
		hash = (hash ^ word[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
		any |= word[i];
	}
	return any ? mix(hash) | 1 : 0;
}

static struct event *add_event(struct slice *s)
{
	if (!(s->nr % 1024)) {
		s->event = realloc(s->event, (s->nr + 1024) * sizeof(*s->event));
		CHECK(s->event);
	}
	return memset(&s->event[s->nr++], 0, sizeof(*s->event));
}

static void add_write(struct slice *s, uint64_t sector, uint64_t nr, int fua,
		      const unsigned char *data)
{
	struct event *ev = add_event(s);
	uint64_t i;

	ev->sector = sector;
	ev->nr = nr;
	ev->fua = fua;
	ev->data = data;
	ev->hash = malloc(nr * sizeof(*ev->hash));
	CHECK(ev->hash);
	for (i = 0; i < nr; i++)
		ev->hash[i] = hash_sector(data + i * SECTOR);
}

/* Add an acknowledgment. The text is "ack LOAD VARIANT TEXT". */
static void add_ack(struct slice *s, const char *text)
{
	struct event *ev = add_event(s);
	char load[32], variant[32];
	int at;

	CHECK(sscanf(text, "ack %31s %31s %n", load, variant, &at) == 2);
	if (!s->first) {
		memcpy(s->load, load, sizeof(load));
		memcpy(s->variant, variant, sizeof(variant));
		s->first = s->nr;
	}
	CHECK(!s->whole && !strcmp(s->load, load) && !strcmp(s->variant, variant));
	ev->ack = text + at;
	ev->data = (const void *)text;
}

static void add_flush(struct slice *s)
{
	/* Skip a flush if no event of the slice follows its last flush. */
	if (s->nr && (s->event[s->nr - 1].data || s->event[s->nr - 1].ack))
		add_event(s);
}

static void add_entry(struct slice *slices, unsigned int max,
		      const struct log_entry *e, const unsigned char *data)
{
	uint64_t first = e->sector, end = e->sector + e->nr_sectors, start;
	unsigned int i;

	for (i = 0; e->flags & LOG_FLUSH && i < max; i++)
		add_flush(&slices[i]);
	for (i = 0; data && i < max; i++) {
		start = slice_start(i);
		if (first >= start && end <= start + FS_SECTORS)
			add_write(&slices[i], first - start, e->nr_sectors,
				  !!(e->flags & LOG_FUA), data);
		else if (first == start + FS_SECTORS && !memcmp(data, "ack ", 4))
			add_ack(&slices[i], (const char *)data);
		else if (first == start + FS_SECTORS && !memcmp(data, "end ", 4))
			slices[i].whole = 1;
		else
			CHECK(end <= start || first >= start + SLICE_SECTORS);
	}
}

/**
 * record_read - read the recording of a disk
 * @path: path of the recording, which is a file or a block device
 * @slices: table to which the slices are added
 * @nr: number of entries of @slices that are already in use
 *
 * The function skips a slice that has no acknowledgment or no end.
 *
 * Return: the new number of entries of @slices in use.
 */
unsigned int record_read(const char *path, struct slice *slices, unsigned int nr)
{
	static struct slice all[MAX_SLICES];
	const struct log_super *super;
	const unsigned char *log;
	uint64_t at, size;
	unsigned int i;
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	log = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(log != MAP_FAILED && !close(fd));
	super = (const void *)log;
	if (size < SECTOR || super->magic != LOG_MAGIC)
		return nr;
	CHECK(super->version == 1 && super->sectorsize == SECTOR);
	memset(all, 0, sizeof(all));
	/*
	 * The header has a number of entries, but the recorder updates this
	 * number only from time to time. So do not use the number.
	 */
	for (at = SECTOR; at + SECTOR <= size;) {
		const struct log_entry *e = (const void *)(log + at);
		const unsigned char *data = NULL;

		if (!e->nr_sectors && !e->flags)
			break;
		at += SECTOR;
		if (!(e->flags & (LOG_DISCARD | LOG_MARK)) && e->nr_sectors) {
			data = log + at;
			at += e->nr_sectors * SECTOR;
			if (at > size)
				break;
		}
		add_entry(all, MAX_SLICES, e, data);
	}
	for (i = 0; i < MAX_SLICES; i++) {
		if (!all[i].first || !all[i].whole)
			continue;
		CHECK(nr < MAX_SLICES);
		slices[nr++] = all[i];
	}
	return nr;
}
