// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes states that a power failure could leave on a disk. A state
 * belongs to a point of the recording. The state has all writes that completed
 * before the last flush before this point. It also has all FUA writes. A write
 * that completed after that flush may be missing, or some of its sectors may be
 * missing. Such writes may reach the disk in any order, because the cache keeps
 * no order. The state may also have a part of the next write.
 */
#include "explore.h"

enum { WHOLE, SUBSET, TORN, ALL_BUT_ONE, ONLY_ONE, MIXED, WAYS };

static const char * const way_names[WAYS] = {
	"all there", "some there", "some there in part", "all but one there",
	"only one there", "there in any order and part",
};

/* This is the content of the disk, with a hash that is kept up to date. */
struct content {
	const unsigned char	*src[FS_SECTORS];
	uint64_t		of[FS_SECTORS];
	uint64_t		hash;
};

/**
 * struct walk - a position in the recording of a slice
 * @s: slice
 * @at: the fields below cover the events before this event
 * @from: first event that no flush covers
 * @ack: the last acknowledgment
 * @durable: content that is certainly on disk
 * @fua: for each sector, one more than the last event that wrote it by FUA
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
 * Put sector @i of event @nr, unless a later FUA write of the sector completed.
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
		if (!is_flush(ev))
			continue;
		for (; w->from < w->at; w->from++)
			put_event(w, &w->durable, w->from);
		w->from = w->at + 1;
	}
}

/*
 * Put some sectors of the event: the first ones, the last ones, or any of them.
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

/* Put a part of the write that is in progress. */
static void put_next(struct walk *w, struct content *c, struct choice *ch)
{
	uint64_t i, n, place;

	if (w->at == w->s->nr || !w->s->event[w->at].nr)
		return;
	n = w->s->event[w->at].nr;
	place = choose(ch, n + 1);
	for (i = 0; i < n; i++)
		if (place == n ? choose(ch, 2) : i < place)
			put_sector(c, &w->s->event[w->at], i);
}

/* Fill in the numbers of the pending writes. Return how many there are. */
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
 * Return the number of prefixes. From the first acknowledgment on, each write
 * has one state behind it. If flushes and acknowledgments follow the write, the
 * state comes after them. Its content is the same there, but more operations
 * are acknowledged.
 */
unsigned long states_prefixes(const struct slice *s)
{
	unsigned long i, n = 1;

	for (i = s->first; i < s->nr; i++)
		n += !!s->event[i].nr;
	return n;
}

/*
 * Choose any point, or move it to the next flush, before which most writes are
 * pending.
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
	if (way != WHOLE && !choose(&ch, 4))
		put_next(w, &c, &ch);

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
 * @content: hashes of the contents of these states
 * @state: hashes of the content together with the last acknowledgment
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
 * Return true if this content was checked with the same acknowledgment. Set
 * st->again if it was checked only with another acknowledgment.
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
 * Check one set of candidates in the order of the recording. Return the number
 * of new contents, or -1 if @fn wants no more states.
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
 * @want: number of different contents, if there are so many
 * @prefixes: make only states that have all writes up to some event
 * @fn: called for each state; returns true when it wants no more states
 * @ctx: for @fn
 *
 * The function first makes some random states. Then it makes the prefixes,
 * which have all writes up to some event. If the number of prefixes exceeds
 * four fifths of @want, the function makes only @want / 2 of them. At the end
 * it makes random states. If a content occurs a second time with another
 * acknowledgment, @fn is called for it once more.
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

/* Make only the state with this number. */
void states_one(const struct slice *s, uint64_t seed, unsigned long number,
		struct state *st)
{
	struct candidate ca = { number, cut_of(s, seed, number) };
	struct walk *w = walk_start(s);

	build(w, seed, &ca, st);
	free(w);
}
