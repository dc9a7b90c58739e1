/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rows that the transactions of databases.c write. sqlite.c and lmdb.c store
 * them in a database.
 *
 * Transaction @txn inserts ROWS rows. Some transactions also replace the rows of
 * an earlier transaction, and some delete them. So the content of the database
 * after @txn transactions follows from this number alone.
 */
#ifndef DATABASES_H
#define DATABASES_H

#include <stdint.h>

#define ROWS		3U	/* rows that a transaction inserts */
#define MAX_VALUE	900U	/* bytes */
#define MAP_SIZE	(64UL << 20)

/**
 * struct row - a row of the table
 * @key: key; the keys of neighbouring rows are far apart
 * @stamp: transaction that wrote the row; 0 if there is no such row
 * @len: number of bytes in @value
 * @value: content, which follows from @key and @stamp
 */
struct row {
	uint32_t	key, stamp, len;
	unsigned char	value[MAX_VALUE];
};

/**
 * struct store - a kind of database
 * @name: name of the kind
 * @open: open the database at a path; a mode selects how it is used
 * @begin: begin a transaction
 * @put: insert or replace a row; delete the row if its stamp is 0
 * @commit: commit the transaction, which sets the number of the last transaction
 * @sync: make all transactions durable
 * @last: get the number of the last transaction
 * @check: check the structure of the database, and call a function for each row
 * @close: close the database
 */
struct store {
	const char	*name;
	void		(*open)(const char *path, const char *mode);
	void		(*begin)(void);
	void		(*put)(const struct row *row);
	void		(*commit)(uint32_t txn);
	void		(*sync)(void);
	uint32_t	(*last)(void);
	void		(*check)(void (*found)(uint32_t key, const void *value, size_t len));
	void		(*close)(void);
};

extern const struct store sqlite, lmdb;

#endif /* DATABASES_H */
