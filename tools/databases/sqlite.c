// SPDX-License-Identifier: GPL-2.0
/* The database of databases.c in SQLite. */
#include <err.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "databases.h"

static struct sqlite3 *db;
static struct sqlite3_stmt *put, *delete, *set;

static void ok(int rc, const char *what)
{
	if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
		errx(1, "SQLite: %s: %s", what, sqlite3_errmsg(db));
}

static void sql(const char *text)
{
	ok(sqlite3_exec(db, text, NULL, NULL, NULL), text);
}

static sqlite3_stmt *prepare(const char *text)
{
	sqlite3_stmt *stmt;

	ok(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), text);
	return stmt;
}

static void run(sqlite3_stmt *stmt)
{
	ok(sqlite3_step(stmt), sqlite3_sql(stmt));
	ok(sqlite3_reset(stmt), sqlite3_sql(stmt));
}

static void sq_open(const char *path, const char *mode)
{
	char text[64];

	ok(sqlite3_open(path, &db), path);
	sqlite3_busy_timeout(db, 60000);
	snprintf(text, sizeof(text), "PRAGMA journal_mode = %s", *mode ? mode : "DELETE");
	sql(text);
	sql("PRAGMA synchronous = FULL");
	sql("CREATE TABLE IF NOT EXISTS t (key INTEGER PRIMARY KEY, value BLOB)");
	sql("CREATE TABLE IF NOT EXISTS last (one INTEGER PRIMARY KEY, txn INTEGER)");
	put = prepare("REPLACE INTO t VALUES (?, ?)");
	delete = prepare("DELETE FROM t WHERE key = ?");
	set = prepare("REPLACE INTO last VALUES (1, ?)");
}

static void sq_begin(void)
{
	sql("BEGIN IMMEDIATE");
}

static void sq_put(const struct row *row)
{
	sqlite3_stmt *stmt = row->stamp ? put : delete;

	ok(sqlite3_bind_int64(stmt, 1, row->key), "key");
	if (row->stamp)
		ok(sqlite3_bind_blob(stmt, 2, row->value, row->len, SQLITE_TRANSIENT), "value");
	run(stmt);
}

static void sq_commit(uint32_t txn)
{
	ok(sqlite3_bind_int64(set, 1, txn), "last");
	run(set);
	sql("COMMIT");
}

static void sq_sync(void)
{
}

static uint32_t sq_last(void)
{
	sqlite3_stmt *stmt = prepare("SELECT txn FROM last");
	uint32_t txn = 0;

	if (sqlite3_step(stmt) == SQLITE_ROW)
		txn = sqlite3_column_int64(stmt, 0);
	ok(sqlite3_finalize(stmt), "last");
	return txn;
}

static void sq_check(void (*found)(uint32_t key, const void *value, size_t len))
{
	sqlite3_stmt *stmt = prepare("PRAGMA integrity_check");
	int rc;

	if (sqlite3_step(stmt) != SQLITE_ROW)
		errx(1, "SQLite: integrity_check: %s", sqlite3_errmsg(db));
	if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok"))
		errx(1, "SQLite: integrity_check: %s", sqlite3_column_text(stmt, 0));
	ok(sqlite3_finalize(stmt), "integrity_check");
	stmt = prepare("SELECT key, value FROM t ORDER BY key");
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		found(sqlite3_column_int64(stmt, 0), sqlite3_column_blob(stmt, 1),
		      sqlite3_column_bytes(stmt, 1));
	ok(rc, "rows");
	ok(sqlite3_finalize(stmt), "rows");
}

static void sq_close(void)
{
	sqlite3_finalize(put);
	sqlite3_finalize(delete);
	sqlite3_finalize(set);
	ok(sqlite3_close(db), "close");
}

const struct store sqlite = {
	.name	= "sqlite",
	.open	= sq_open,
	.begin	= sq_begin,
	.put	= sq_put,
	.commit	= sq_commit,
	.sync	= sq_sync,
	.last	= sq_last,
	.check	= sq_check,
	.close	= sq_close,
};
