// SPDX-License-Identifier: GPL-2.0
/*
 * Run transactions on a SQLite or LMDB database, and check what a crash has left
 * of them.
 *
 * Usage: databases KIND work PATH COUNT [MODE [PAUSE]]
 *	runs COUNT transactions after the last one of the database. Prints
 *	"ack NUMBER" when transaction NUMBER is durable. With PAUSE, it waits for a
 *	byte on stdin after each such line
 *   or: databases KIND check PATH ACKED [MODE]
 *	checks the database, which must have transaction ACKED, and prints the
 *	number of its last transaction
 *
 * KIND is sqlite or lmdb. The MODE of SQLite is a journal mode, and wal also
 * sets synchronous=FULL. The MODE of LMDB is a list of words: writemap, nosync
 * (mdb_env_sync after every fifth transaction), atomic (an atomic file).
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "databases.h"

#define SYNC_EVERY	5U	/* transactions for each sync, with nosync */

static uint32_t mix(uint32_t x)
{
	x = (x ^ (x >> 16)) * 0x85ebca6bU;
	x = (x ^ (x >> 13)) * 0xc2b2ae35U;
	return x ^ (x >> 16);
}

/* The row @i of transaction @txn, as transaction @stamp writes it. */
static void row_make(struct row *row, uint32_t txn, uint32_t i, uint32_t stamp)
{
	uint32_t n;

	row->key = (txn * ROWS + i) * 2654435761U;
	row->stamp = stamp;
	row->len = 4 + mix(row->key ^ stamp) % (MAX_VALUE - 3);
	for (n = 0; n < row->len; n++)
		row->value[n] = mix(row->key + stamp * 31 + n / 4) >> 8 * (n % 4);
}

/* The transaction whose rows transaction @txn replaces or deletes; 0: none. */
static uint32_t replaces(uint32_t txn)
{
	return txn % 7 ? 0 : txn - 1;
}

static uint32_t deletes(uint32_t txn)
{
	return txn % 5 || txn < 10 ? 0 : txn - 8;
}

/* The last transaction up to @last that wrote row @txn; 0: it is deleted. */
static uint32_t stamp_of(uint32_t txn, uint32_t last)
{
	if (txn + 8 <= last && deletes(txn + 8) == txn)
		return 0;
	if (txn + 1 <= last && replaces(txn + 1) == txn)
		return txn + 1;
	return txn;
}

static void transaction(const struct store *db, uint32_t txn)
{
	struct row row;
	uint32_t i;

	db->begin();
	for (i = 0; i < ROWS; i++) {
		row_make(&row, txn, i, txn);
		db->put(&row);
		if (replaces(txn)) {
			row_make(&row, replaces(txn), i, txn);
			db->put(&row);
		}
		if (deletes(txn)) {
			row_make(&row, deletes(txn), i, 0);
			db->put(&row);
		}
	}
	db->commit(txn);
}

static void acked(uint32_t txn, int pause)
{
	char byte;

	printf("ack %u\n", txn);
	fflush(stdout);
	if (pause && read(0, &byte, 1) != 1)
		exit(0);
}

static void work(const struct store *db, const char *path, uint32_t count, const char *mode,
		 int pause)
{
	int nosync = !!strstr(mode, "nosync");
	uint32_t txn, last;

	db->open(path, mode);
	last = db->last();
	for (txn = last + 1; txn <= last + count; txn++) {
		transaction(db, txn);
		if (nosync && txn % SYNC_EVERY && txn < last + count)
			continue;
		if (nosync)
			db->sync();
		acked(txn, pause);
	}
	db->close();
}

/* ---- check ---- */

static struct row *want;
static uint32_t nr_want, nr_found;

static int by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void found(uint32_t key, const void *value, size_t len)
{
	struct row *row = &want[nr_found++];

	if (nr_found > nr_want)
		errx(1, "more rows than the %u of the transactions", nr_want);
	if (row->key != key)
		errx(1, "row %u: key %u, want %u", nr_found, key, row->key);
	if (row->len != len || memcmp(row->value, value, len))
		errx(1, "row %u of transaction %u has another content", nr_found, row->stamp);
}

static void check(const struct store *db, const char *path, uint32_t promise, const char *mode)
{
	uint32_t last, txn, i;

	db->open(path, mode);
	last = db->last();
	if (last < promise)
		errx(1, "transaction %u is acknowledged, the last one is %u", promise, last);
	want = calloc(last * ROWS + 1, sizeof(*want));
	if (!want)
		err(1, "memory");
	for (txn = 1; txn <= last; txn++)
		for (i = 0; i < ROWS && stamp_of(txn, last); i++)
			row_make(&want[nr_want++], txn, i, stamp_of(txn, last));
	qsort(want, nr_want, sizeof(*want), by_key);
	db->check(found);
	if (nr_found != nr_want)
		errx(1, "%u rows, want %u", nr_found, nr_want);
	db->close();
	printf("%u\n", last);
}

int main(int argc, char **argv)
{
	const struct store *db = &sqlite;

	if (argc < 5)
		errx(2, "usage: databases sqlite|lmdb work|check PATH NUMBER [MODE [PAUSE]]");
	if (!strcmp(argv[1], lmdb.name))
		db = &lmdb;
	if (!strcmp(argv[2], "work"))
		work(db, argv[3], strtoul(argv[4], NULL, 10), argc > 5 ? argv[5] : "", argc > 6);
	else
		check(db, argv[3], strtoul(argv[4], NULL, 10), argc > 5 ? argv[5] : "");
	return 0;
}
