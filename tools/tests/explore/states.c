// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes states that a power failure could leave on a disk. Each state
 * has a point in the recording, at which the power fails. The state has all
 * writes that were complete when a flush was sent that was complete before this
 * point. It also has all FUA writes that completed before this point. The other
 * writes that completed before this point may be missing, or some of their
 * sectors may be missing. These writes may reach the disk in any order, because
 * the cache of the disk keeps no order. The state may also have any part of the
 * writes that were in progress at this point.
 */
#include "explore.h"

enum { WHOLE, SUBSET, TORN, ALL_BUT_ONE, ONLY_ONE, MIXED, WAYS };

static const char * const way_names[WAYS] = {
	"all there", "some there", "some there in part", "all but one there",
	"only one there", "there in any order and part",
};

/* This is the content of the disk. Each change also updates the hash. */
struct content {
	const unsigned char	*src[FS_SECTORS];
	uint64_t		of[FS_SECTORS];
	uint64_t		hash;
};

/**
 * struct walk - a position in the recording of a slice
 * @s: slice
 * @at: position; the fields below describe the events before event @at
 * @from: first event that no flush covers; a flush covers the events before
 *	its @sent
 * @ack: event of the last acknowledgment
 * @durable: content that is certainly on disk
 * @fua: for each sector, the number of the last event that wrote the sector by
 *	FUA, plus one; 0 means no such event
 */
struct walk {
	const struct slice	*s;
	unsigned long		at, from, ack;
	struct content		durable;
	uint32_t		fua[FS_SECTORS];
};

static uint64_t place_hash(uint64_t sector, uint64_t of)
{
	return of ? mix(of ^ sector * 0xd6e8feb86659fd93ULL) : 0;
}

static void put_sector(struct content *c, const struct event *ev, uint64_t i)
{
	uint64_t sector = ev->sector + i;

	c->hash ^= place_hash(sector, c->of[sector]);
	c->of[sector] = ev->hash[i];
	c->src[sector] = ev->hash[i] ? ev->data + i * SECTOR : NULL;
	c->hash ^= place_hash(sector, c->of[sector]);
}

/*
 * Put sector @i of event @nr into @c. Do nothing if a later FUA write of the
 * same sector has completed, because the newer content is on disk.
 */
static void put_pending(struct walk *w, struct content *c, unsigned long nr, uint64_t i)
{
	const struct event *ev = &w->s->event[nr];

	if (w->fua[ev->sector + i] <= nr)
		put_sector(c, ev, i);
}

static void put_event(struct walk *w, struct content *c, unsigned long nr)
{
	uint64_t i;

	for (i = 0; i < w->s->event[nr].nr; i++)
		put_pending(w, c, nr, i);
}

static struct walk *walk_start(const struct slice *s)
{
	struct walk *w = calloc(1, sizeof(*w));

	CHECK(w);
	w->s = s;
	return w;
}

static int is_flush(const struct event *ev)
{
	return !ev->data;
}

/* Move the walk forward to event @cut. */
static void walk_to(struct walk *w, unsigned long cut)
{
	uint64_t i;

	for (; w->at < cut; w->at++) {
		const struct event *ev = &w->s->event[w->at];

		if (ev->ack)
			w->ack = w->at;
		for (i = 0; ev->fua && i < ev->nr; i++) {
			w->fua[ev->sector + i] = w->at + 1;
			put_sector(&w->durable, ev, i);
		}
		for (; is_flush(ev) && w->from < ev->sent; w->from++)
			put_event(w, &w->durable, w->from);
	}
}

/*
 * Put some sectors of event @nr into @c. Choose the first sectors, the last
 * sectors, or any sectors of the event.
 */
static void put_torn(struct walk *w, struct content *c, unsigned long nr,
		     struct choice *ch)
{
	uint64_t n = w->s->event[nr].nr, way = choose(ch, 3), i;
	uint64_t place = n ? choose(ch, n + 1) : 0;

	for (i = 0; i < n; i++)
		if (way == 0 ? i < place : way == 1 ? i >= place : choose(ch, 2))
			put_pending(w, c, nr, i);
}

#define MAX_IN_PROGRESS 256

/*
 * Put parts of some writes that are in progress into @c: their first sectors,
 * any sectors, or all sectors.
 */
static void put_in_progress(struct walk *w, struct content *c, struct choice *ch)
{
	unsigned long nr;
	uint64_t i, n, place;

	for (nr = w->at; nr < w->s->nr && nr < w->at + MAX_IN_PROGRESS; nr++) {
		n = w->s->event[nr].nr;
		if (!n || w->s->event[nr].sent > w->at || (nr > w->at && choose(ch, 2)))
			continue;
		place = choose(ch, n + 2);
		for (i = 0; i < n; i++)
			if (place == n ? choose(ch, 2) : i < place)
				put_sector(c, &w->s->event[nr], i);
	}
}

/*
 * Fill @nr with the event numbers of the pending writes. Return the number of
 * pending writes.
 */
static unsigned long pending(const struct walk *w, unsigned long *nr, unsigned long max)
{
	unsigned long i, n = 0;

	for (i = w->from; i < w->at && n < max; i++)
		if (w->s->event[i].nr && !w->s->event[i].fua)
			nr[n++] = i;
	return n;
}

static void shuffle(unsigned long *nr, unsigned long n, struct choice *ch)
{
	unsigned long i, k, x;

	for (i = n; i > 1; i--) {
		k = choose(ch, i);
		x = nr[i - 1];
		nr[i - 1] = nr[k];
		nr[k] = x;
	}
}

#define MAX_PENDING 4096

static void put_some(struct walk *w, struct content *c, int way, struct choice *ch)
{
	static unsigned long nr[MAX_PENDING];
	unsigned long n = pending(w, nr, MAX_PENDING), i, one;
	uint64_t odds = 1 + choose(ch, 3);

	one = n ? choose(ch, n) : 0;
	if (way == MIXED)
		shuffle(nr, n, ch);
	for (i = 0; i < n; i++) {
		if (way == WHOLE ||
		    (way == ALL_BUT_ONE && i != one) ||
		    (way == ONLY_ONE && i == one) ||
		    (way == SUBSET && choose(ch, 4) < odds))
			put_event(w, c, nr[i]);
		else if (way == TORN || way == MIXED || way == ALL_BUT_ONE) {
			if (choose(ch, 4) < odds)
				put_torn(w, c, nr[i], ch);
			else if (way != ALL_BUT_ONE && choose(ch, 2))
				put_event(w, c, nr[i]);
		}
	}
}

/* ---- choice of states ---- */

struct candidate {
	unsigned long	number, cut;
};

/*
 * Return the number of prefixes. One prefix ends after the first
 * acknowledgment, and each later write adds one prefix. A prefix includes the
 * flushes and acknowledgments that directly follow its last write. These
 * flushes and acknowledgments do not change the content of the prefix, but more
 * operations are acknowledged.
 */
unsigned long states_prefixes(const struct slice *s)
{
	unsigned long i, n = 1;

	for (i = s->first; i < s->nr; i++)
		n += !!s->event[i].nr;
	return n;
}

/*
 * Choose a random point of the recording. In two of three cases, move the point
 * forward to the next flush, because most writes are pending there.
 */
static unsigned long random_cut(const struct slice *s, struct choice *ch)
{
	unsigned long cut = s->first + choose(ch, s->nr - s->first + 1);

	if (choose(ch, 3))
		while (cut < s->nr && !is_flush(&s->event[cut]))
			cut++;
	return cut;
}

static struct choice state_choice(uint64_t seed, unsigned long number)
{
	return choice_of(seed ^ mix(number));
}

static unsigned long prefix_cut(const struct slice *s, unsigned long number)
{
	unsigned long i;

	for (i = s->first; number; i++)
		number -= !!s->event[i].nr;
	while (i < s->nr && !s->event[i].nr)
		i++;
	return i;
}

static unsigned long cut_of(const struct slice *s, uint64_t seed, unsigned long number)
{
	struct choice ch = state_choice(seed, number);

	if (number < states_prefixes(s))
		return prefix_cut(s, number);
	return random_cut(s, &ch);
}

static void build(struct walk *w, uint64_t seed, const struct candidate *ca,
		  struct state *st)
{
	static struct content c;
	struct choice ch = state_choice(seed, ca->number);
	unsigned long i;
	int way = WHOLE;

	walk_to(w, ca->cut);
	c = w->durable;
	if (ca->number >= states_prefixes(w->s)) {
		random_cut(w->s, &ch);
		way = 1 + choose(&ch, WAYS - 1);
	}
	put_some(w, &c, way, &ch);
	if (way != WHOLE && choose(&ch, 2))
		put_in_progress(w, &c, &ch);

	st->slice = w->s;
	st->number = ca->number;
	st->cut = ca->cut;
	st->how = way_names[way];
	st->promise = w->ack;
	st->acked = w->s->event[w->ack].ack;
	st->hash = c.hash;
	memcpy(st->src, c.src, sizeof(st->src));
	for (st->loose = 0, i = w->from; i < w->at; i++)
		st->loose += w->s->event[i].nr && !w->s->event[i].fua;
}

/* ---- checked states ---- */

struct hashes {
	uint64_t	*hash;
	size_t		nr, room;
};

/**
 * struct seen - states that have been checked
 * @content: hash of the content of each state
 * @state: hash of the content and the last acknowledgment of each state
 */
struct seen {
	struct hashes	content, state;
};

static int has_hash(struct hashes *seen, uint64_t hash)
{
	size_t i;

	hash |= !hash;
	if (seen->nr * 2 >= seen->room) {
		struct hashes old = *seen;

		seen->room = old.room ? old.room * 2 : 4096;
		seen->hash = calloc(seen->room, sizeof(*seen->hash));
		CHECK(seen->hash);
		seen->nr = 0;
		for (i = 0; i < old.room; i++)
			if (old.hash[i])
				has_hash(seen, old.hash[i]);
		free(old.hash);
	}
	for (i = hash % seen->room; seen->hash[i]; i = (i + 1) % seen->room)
		if (seen->hash[i] == hash)
			return 1;
	seen->hash[i] = hash;
	seen->nr++;
	return 0;
}

/*
 * Return true if an earlier state had the same content and the same last
 * acknowledgment as @st. Otherwise set st->again to say whether an earlier
 * state had the same content.
 */
static int seen_before(struct seen *seen, struct state *st)
{
	if (has_hash(&seen->state, mix(st->hash ^ mix(st->promise + 1))))
		return 1;
	st->again = has_hash(&seen->content, st->hash);
	return 0;
}

/* ---- */

static int compare_cuts(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->cut != y->cut)
		return x->cut < y->cut ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

#define ROUND 256

/*
 * Sort one set of candidates by their points in the recording, and check them.
 * Return the number of new contents, or -1 if @fn wants no more states.
 */
static long one_round(const struct slice *s, uint64_t seed, struct candidate *ca,
		      unsigned long nr, struct seen *seen, unsigned long want,
		      int (*fn)(const struct state *st, void *ctx), void *ctx)
{
	static struct state st;
	struct walk *w = walk_start(s);
	unsigned long i;
	long fresh = 0;

	qsort(ca, nr, sizeof(*ca), compare_cuts);
	for (i = 0; i < nr && (unsigned long)fresh < want; i++) {
		build(w, seed, &ca[i], &st);
		if (seen_before(seen, &st))
			continue;
		fresh += !st.again;
		if (fn(&st, ctx)) {
			fresh = -1;
			break;
		}
	}
	free(w);
	return fresh;
}

/* Choose all prefixes, or only @want of them if there are more. */
static unsigned long choose_prefixes(const struct slice *s, struct choice *ch,
				     unsigned long want, struct candidate *ca)
{
	unsigned long nr = states_prefixes(s), i;

	for (i = 0; i < nr; i++)
		ca[i] = (struct candidate){ i, prefix_cut(s, i) };
	for (; nr > want; nr--)
		ca[choose(ch, nr)] = ca[nr - 1];
	return nr;
}

/**
 * states_all - make states of a slice
 * @s: slice
 * @seed: seed of the choices
 * @want: maximum number of different contents
 * @prefixes: make only prefixes
 * @fn: called for each state; returns true when it wants no more states
 * @ctx: argument for @fn
 *
 * A prefix is a state that has all writes up to some event. Unless @prefixes is
 * set, the function first makes some random states. Then it makes the prefixes.
 * If the number of prefixes exceeds four fifths of @want, the function makes
 * only @want / 2 of them. Unless @prefixes is set, it then makes more random
 * states. If two states have the same content, the function calls @fn for the
 * second state only if its last acknowledgment is different.
 */
void states_all(const struct slice *s, uint64_t seed, unsigned long want, int prefixes,
		int (*fn)(const struct state *st, void *ctx), void *ctx)
{
	unsigned long all = states_prefixes(s), next = all, have = 0, idle = 0, nr, i, round;
	struct choice ch = choice_of(seed);
	struct candidate *ca;
	struct seen seen = { };
	long fresh;

	ca = calloc(all > ROUND ? all : ROUND, sizeof(*ca));
	CHECK(ca);
	for (round = !!prefixes; have < want && idle < 8; round++) {
		if (round == 1) {
			nr = all <= want / 5 * 4 ? all : want / 2;
			nr = choose_prefixes(s, &ch, nr, ca);
		} else {
			nr = round ? want - have : want / 5;
			nr = nr < ROUND ? nr : ROUND;
			for (i = 0; i < nr; i++, next++)
				ca[i] = (struct candidate){ next, cut_of(s, seed, next) };
		}
		fresh = one_round(s, seed, ca, nr, &seen, want - have, fn, ctx);
		if (fresh < 0 || prefixes)
			break;
		have += fresh;
		idle = fresh ? 0 : idle + 1;
	}
	free(seen.content.hash);
	free(seen.state.hash);
	free(ca);
}

/* Make only the state with the number @number. */
void states_one(const struct slice *s, uint64_t seed, unsigned long number,
		struct state *st)
{
	struct candidate ca = { number, cut_of(s, seed, number) };
	struct walk *w = walk_start(s);

	build(w, seed, &ca, st);
	free(w);
}
