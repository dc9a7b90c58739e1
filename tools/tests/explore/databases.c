// SPDX-License-Identifier: GPL-2.0
/*
 * This file has the workloads that use a database. The program "databases"
 * (tools/databases) runs the transactions and checks the databases. Linked with
 * SQLite and LMDB, it is a program of its own.
 *
 * An acknowledgment has the number of the last durable transaction of each
 * database of the workload.
 */
#include "explore.h"

#include <sys/wait.h>

/**
 * struct database - a database of a workload
 * @load: workload
 * @kind: kind of database, as for the program
 * @path: path of the database
 * @count: number of transactions
 * @mode: mode, as for the program
 */
static const struct database {
	const char	*load, *kind, *path, *count, *mode;
} databases[] = {
	{ "sqlite", "sqlite", "db", "90", "DELETE" },
	{ "lmdb", "lmdb", "synced", "30", "writemap" },
	{ "lmdb", "lmdb", "plain", "30", "" },
	{ "lmdb", "lmdb", "atomic", "150", "writemap,nosync,atomic" },
	{ }
};

/* The numbers of the last durable transactions; each database has its place. */
static unsigned long durable[4];

static void say_durable(void)
{
	char text[80];

	snprintf(text, sizeof(text), "%lu %lu %lu %lu", durable[0], durable[1], durable[2],
		 durable[3]);
	ack(text);
}

/* Start the program. Return a stream of its output, and its input in *@in. */
static FILE *start(const struct database *db, pid_t *pid, int *in)
{
	int to[2], from[2];

	CHECK(!pipe(to) && !pipe(from));
	*pid = fork();
	CHECK(*pid >= 0);
	if (!*pid) {
		CHECK(dup2(to[0], 0) == 0 && dup2(from[1], 1) == 1);
		close(to[1]);
		close(from[0]);
		execlp("databases", "databases", db->kind, "work", db->path, db->count, db->mode,
		       "pause", NULL);
		exit(127);
	}
	close(to[0]);
	close(from[1]);
	*in = to[1];
	return fdopen(from[0], "r");
}

static void run_database(const struct database *db)
{
	int in, status;
	char line[32];
	pid_t pid;
	FILE *out = start(db, &pid, &in);

	while (fgets(line, sizeof(line), out)) {
		CHECK(sscanf(line, "ack %lu", &durable[db - databases]) == 1);
		say_durable();
		CHECK(write(in, "", 1) == 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	CHECK(!fclose(out) && !close(in));
}

/**
 * databases_work - run a workload with databases in the current directory
 * @load: name of the workload
 */
void databases_work(const char *load)
{
	const struct database *db;

	say_durable();
	for (db = databases; db->load; db++)
		if (!strcmp(db->load, load))
			run_database(db);
}

/**
 * databases_check - check the databases in the current directory
 * @load: name of the workload
 * @acked: last acknowledgment
 *
 * LMDB makes a new database in several steps that a crash may separate. So the
 * function checks a database only if a transaction of it is durable. The
 * function ends the process if a database is not as it must be.
 */
void databases_check(const char *load, const char *acked)
{
	const struct database *db;
	char line[200];

	CHECK(sscanf(acked, "%lu %lu %lu %lu", &durable[0], &durable[1], &durable[2],
		     &durable[3]) == 4);
	for (db = databases; db->load; db++) {
		if (strcmp(db->load, load) || !durable[db - databases])
			continue;
		snprintf(line, sizeof(line), "databases %s check %s %lu", db->kind, db->path,
			 durable[db - databases]);
		if (system(line))
			exit(1);
	}
}
