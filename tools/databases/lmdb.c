// SPDX-License-Identifier: GPL-2.0
/* The database of databases.c in LMDB. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <linux/msyncfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "databases.h"

static struct MDB_env *env;
static struct MDB_txn *txn;
static MDB_dbi table, last;

static void ok(int error, const char *what)
{
	if (error)
		errx(1, "LMDB: %s: %s", what, mdb_strerror(error));
}

static void lm_begin(void)
{
	ok(mdb_txn_begin(env, NULL, 0, &txn), "begin");
}

static void begin_read(void)
{
	ok(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
}

/* LMDB has created the file. Make it an atomic file. */
static void make_atomic(void)
{
	mdb_filehandle_t fd;
	__u32 on = 1;

	ok(mdb_env_get_fd(env, &fd), "descriptor");
	if (ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on))
		err(1, "LMDB: atomic");
}

static void lm_open(const char *path, const char *mode)
{
	unsigned int flags = 0;

	if (mkdir(path, 0700) && errno != EEXIST)
		err(1, "%s", path);
	if (strstr(mode, "writemap"))
		flags |= MDB_WRITEMAP;
	if (strstr(mode, "nosync"))
		flags |= MDB_NOSYNC;
	ok(mdb_env_create(&env), "env");
	ok(mdb_env_set_mapsize(env, MAP_SIZE), "map size");
	ok(mdb_env_set_maxdbs(env, 2), "tables");
	ok(mdb_env_open(env, path, flags, 0600), path);
	if (strstr(mode, "atomic"))
		make_atomic();
	lm_begin();
	ok(mdb_dbi_open(txn, "rows", MDB_CREATE, &table), "rows");
	ok(mdb_dbi_open(txn, "last", MDB_CREATE, &last), "last");
	ok(mdb_txn_commit(txn), "tables");
}

static void lm_put(const struct row *row)
{
	uint32_t key = htonl(row->key);
	MDB_val k = { sizeof(key), &key }, v = { row->len, (void *)row->value };

	if (row->stamp)
		ok(mdb_put(txn, table, &k, &v, 0), "put");
	else
		ok(mdb_del(txn, table, &k, NULL), "delete");
}

static void lm_commit(uint32_t nr)
{
	MDB_val k = { 1, "n" }, v = { sizeof(nr), &nr };

	ok(mdb_put(txn, last, &k, &v, 0), "last");
	ok(mdb_txn_commit(txn), "commit");
}

static void lm_sync(void)
{
	ok(mdb_env_sync(env, 1), "sync");
}

static uint32_t lm_last(void)
{
	MDB_val k = { 1, "n" }, v;
	uint32_t nr = 0;
	int error;

	begin_read();
	error = mdb_get(txn, last, &k, &v);
	if (!error)
		memcpy(&nr, v.mv_data, sizeof(nr));
	else if (error != MDB_NOTFOUND)
		ok(error, "last");
	mdb_txn_abort(txn);
	return nr;
}

/* Walk a whole table. Return the number of its entries. */
static size_t walk(MDB_dbi dbi, void (*found)(uint32_t key, const void *value, size_t len))
{
	MDB_cursor *cursor;
	MDB_val k, v;
	size_t nr = 0;
	uint32_t key;
	int error;

	ok(mdb_cursor_open(txn, dbi, &cursor), "cursor");
	while (!(error = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) {
		nr++;
		if (!found)
			continue;
		memcpy(&key, k.mv_data, sizeof(key));
		found(ntohl(key), v.mv_data, v.mv_size);
	}
	if (error != MDB_NOTFOUND)
		ok(error, "walk");
	mdb_cursor_close(cursor);
	return nr;
}

/* LMDB's own table 0 has the free pages. */
static void lm_check(void (*found)(uint32_t key, const void *value, size_t len))
{
	MDB_stat st;

	begin_read();
	ok(mdb_stat(txn, table, &st), "stat");
	if (walk(table, found) != st.ms_entries)
		errx(1, "LMDB: the table has not %zu entries", st.ms_entries);
	ok(mdb_stat(txn, 0, &st), "stat of free pages");
	if (walk(0, NULL) != st.ms_entries)
		errx(1, "LMDB: the list of free pages has not %zu entries", st.ms_entries);
	mdb_txn_abort(txn);
}

static void lm_close(void)
{
	mdb_env_close(env);
}

const struct store lmdb = {
	.name	= "lmdb",
	.open	= lm_open,
	.begin	= lm_begin,
	.put	= lm_put,
	.commit	= lm_commit,
	.sync	= lm_sync,
	.last	= lm_last,
	.check	= lm_check,
	.close	= lm_close,
};
