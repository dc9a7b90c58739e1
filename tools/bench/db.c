// SPDX-License-Identifier: GPL-2.0
/*
 * The workloads of "make bench" with a database. Each transaction inserts four
 * rows with scattered keys into a table of 10,000 rows. The usage is the same
 * as of bench.c. Only "make bench" builds this program, because it needs the
 * libraries of the databases.
 */
#include <err.h>
#include <lmdb.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define ROWS		10000UL
#define ROWS_PER_TXN	4UL
#define VALUE		100
#define MAP_SIZE	(256 * MIB)

static char value[VALUE];

/* A key that no other @nr has. The keys of following numbers are far apart. */
static uint32_t key_of(unsigned long nr)
{
	return nr * 2654435761UL;
}

/* ---- SQLite --------------------------------------------------------------- */

static struct sqlite3 *db;
static struct sqlite3_stmt *insert;

static void sql(const char *text)
{
	char *message;

	if (sqlite3_exec(db, text, NULL, NULL, &message))
		errx(1, "%s: %s: %s", w->name, text, message);
}

/* Insert @rows rows. The first row has number @first. */
static void sql_insert(unsigned long first, unsigned long rows)
{
	unsigned long i;

	sql("BEGIN");
	for (i = first; i < first + rows; i++) {
		if (sqlite3_bind_int64(insert, 1, key_of(i)) ||
		    sqlite3_bind_blob(insert, 2, value, VALUE, SQLITE_STATIC) ||
		    sqlite3_step(insert) != SQLITE_DONE || sqlite3_reset(insert))
			errx(1, "%s: %s", w->name, sqlite3_errmsg(db));
	}
	sql("COMMIT");
}

static void sql_open(void)
{
	if (sqlite3_open("file", &db))
		errx(1, "%s: open: %s", w->name, sqlite3_errmsg(db));
	sql(w->setup);
	sql("CREATE TABLE IF NOT EXISTS t (key INTEGER PRIMARY KEY, value BLOB)");
	if (sqlite3_prepare_v2(db, "INSERT INTO t VALUES (?, ?)", -1, &insert, NULL))
		errx(1, "%s: insert: %s", w->name, sqlite3_errmsg(db));
}

static void sql_make(void)
{
	sql_open();
	sql_insert(0, ROWS);
	if (sqlite3_finalize(insert) || sqlite3_close(db))
		errx(1, "%s: close: %s", w->name, sqlite3_errmsg(db));
}

static void sql_txn(unsigned long nr)
{
	sql_insert(ROWS + nr * ROWS_PER_TXN, ROWS_PER_TXN);
}

/* ---- LMDB ----------------------------------------------------------------- */

static struct MDB_env *env;
static MDB_dbi table;

static void ok(int error, const char *what)
{
	if (error)
		errx(1, "%s: %s: %s", w->name, what, mdb_strerror(error));
}

static void lmdb_insert(unsigned long first, unsigned long rows)
{
	MDB_val v = { VALUE, value }, k;
	unsigned long i;
	uint32_t key;
	MDB_txn *txn;

	ok(mdb_txn_begin(env, NULL, 0, &txn), "begin");
	if (!table)
		ok(mdb_dbi_open(txn, NULL, 0, &table), "table");
	for (i = first; i < first + rows; i++) {
		key = key_of(i);
		k = (MDB_val){ sizeof(key), &key };
		ok(mdb_put(txn, table, &k, &v, 0), "insert");
	}
	ok(mdb_txn_commit(txn), "commit");
}

static void lmdb_open(void)
{
	bool writemap = !strcmp(w->setup, "writemap");

	ok(mdb_env_create(&env), "env");
	ok(mdb_env_set_mapsize(env, MAP_SIZE), "map size");
	ok(mdb_env_open(env, ".", writemap ? MDB_WRITEMAP : 0, 0600), "open");
}

static void lmdb_make(void)
{
	lmdb_open();
	lmdb_insert(0, ROWS);
	mdb_env_close(env);
}

static void lmdb_txn(unsigned long nr)
{
	lmdb_insert(ROWS + nr * ROWS_PER_TXN, ROWS_PER_TXN);
}

/* ---- the table ------------------------------------------------------------ */

#define SQLITE	.calls = 1000, .mean = true, .make = sql_make, .ready = sql_open, \
		.call = sql_txn
#define LMDB	.calls = 1000, .mean = true, .make = lmdb_make, .ready = lmdb_open, \
		.call = lmdb_txn

/* Debian's SQLite has no mapping by default. */
static const struct workload db_workloads[] = {
	{ "sqlite-wal", "SQLite; write-ahead log; 4 rows", "txn", 15,
	  .setup = "PRAGMA journal_mode = WAL", SQLITE },
	{ "sqlite-wal-map", "SQLite; the same; mmap_size 256 MiB", "txn", 18,
	  .setup = "PRAGMA mmap_size = 268435456; PRAGMA journal_mode = WAL", SQLITE },
	{ "sqlite-undo", "SQLite; rollback journal; 4 rows", "txn", 55,
	  .setup = "PRAGMA journal_mode = DELETE", SQLITE },
	{ "sqlite-undo-map", "SQLite; the same; mmap_size 256 MiB", "txn", 61,
	  .setup = "PRAGMA mmap_size = 268435456; PRAGMA journal_mode = DELETE", SQLITE },
	{ "lmdb", "LMDB; 4 rows", "txn", 28, .setup = "", LMDB },
	{ "lmdb-map", "LMDB; WRITEMAP; 4 rows", "txn", 33, .setup = "writemap", LMDB },
	{},
};

int main(int argc, char **argv)
{
	static const struct workload *const tables[] = { db_workloads };

	return bench_main(tables, ARRAY_SIZE(tables), argc, argv);
}
