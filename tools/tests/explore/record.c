// SPDX-License-Identifier: GPL-2.0
/*
 * This file splits a recording into slices. A slice is the recording of one
 * disk, as a list of events.
 */
#include "explore.h"
#include "recording.h"

#include <sys/mman.h>

#define MAX_SENT 1024

/**
 * struct sent - a write or flush that has arrived, but has not been answered
 * @e: entry of its arrival
 * @at: number of events before its arrival
 */
struct sent {
	const struct entry	*e;
	unsigned long		at;
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

static struct event *add_event(struct slice *s, unsigned long sent)
{
	struct event *ev;

	if (!(s->nr % 1024)) {
		s->event = realloc(s->event, (s->nr + 1024) * sizeof(*s->event));
		CHECK(s->event);
	}
	ev = memset(&s->event[s->nr++], 0, sizeof(*s->event));
	ev->sent = sent;
	return ev;
}

static void add_write(struct slice *s, const struct sent *sent)
{
	struct event *ev = add_event(s, sent->at);
	uint64_t i;

	ev->sector = sent->e->sector;
	ev->nr = sent->e->nr;
	ev->fua = sent->e->fua;
	ev->data = (const void *)(sent->e + 1);
	CHECK(ev->nr && ev->sector + ev->nr <= FS_SECTORS);
	ev->hash = malloc(ev->nr * sizeof(*ev->hash));
	CHECK(ev->hash);
	for (i = 0; i < ev->nr; i++)
		ev->hash[i] = hash_sector(ev->data + i * SECTOR);
}

/* Add an acknowledgment. The text is "LOAD VARIANT TEXT". */
static void add_ack(struct slice *s, const char *text)
{
	struct event *ev = add_event(s, s->nr);
	char load[32], variant[32];
	int at;

	CHECK(sscanf(text, "%31s %31s %n", load, variant, &at) == 2);
	if (!s->first) {
		memcpy(s->load, load, sizeof(load));
		memcpy(s->variant, variant, sizeof(variant));
		s->first = s->nr;
	}
	CHECK(!strcmp(s->load, load) && !strcmp(s->variant, variant));
	ev->ack = text + at;
	ev->data = (const void *)text;
}

/* Add a write or flush, at the point where it was answered. */
static void add_done(struct slice *s, struct sent *sent, unsigned int *nr, uint64_t id)
{
	unsigned int i;

	for (i = 0; i < *nr && sent[i].e->id != id; i++)
		;
	CHECK(i < *nr);
	if (sent[i].e->type == ENTRY_FLUSH)
		add_event(s, sent[i].at);
	else
		add_write(s, &sent[i]);
	sent[i] = sent[--*nr];
}

/*
 * Read the slice that begins at @at. Return the position behind the slice. If
 * the recording has no whole slice there, return @size.
 */
static uint64_t read_slice(const unsigned char *log, uint64_t at, uint64_t size,
			   struct slice *s)
{
	static struct sent sent[MAX_SENT];
	const struct entry *e;
	unsigned int nr = 0;

	for (memset(s, 0, sizeof(*s)); at + sizeof(*e) <= size;) {
		e = (const void *)(log + at);
		at += sizeof(*e);
		switch (e->type) {
		case ENTRY_WRITE:
		case ENTRY_FLUSH:
			at += e->nr * SECTOR;
			CHECK(nr < MAX_SENT);
			sent[nr++] = (struct sent){ e, s->nr };
			break;
		case ENTRY_DONE:
			add_done(s, sent, &nr, e->id);
			break;
		case ENTRY_ACK:
			at += SECTOR;
			add_ack(s, (const char *)(e + 1));
			break;
		case ENTRY_END:
			CHECK(!nr);
			s->whole = 1;
			return at + SECTOR;
		default:
			CHECK(!e->type);
			return size;
		}
	}
	return size;
}

/**
 * record_read - read a recording
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
	const unsigned char *log;
	uint64_t at = 0, size;
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	log = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(log != MAP_FAILED && !close(fd));
	while (at < size) {
		CHECK(nr < MAX_SLICES);
		at = read_slice(log, at, size, &slices[nr]);
		nr += slices[nr].first && slices[nr].whole;
	}
	return nr;
}
