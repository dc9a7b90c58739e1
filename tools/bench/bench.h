/* SPDX-License-Identifier: GPL-2.0 */
/* The parts that the programs of "make bench" share. */
#ifndef MSYNCFS_BENCH_H
#define MSYNCFS_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096UL
#define MIB		(1UL << 20)
#define MAX_UPDATE	64UL

/**
 * struct workload - one workload, which is one row of the table
 * @name: name for T= of make bench, and name of the column in bench.csv
 * @what: description, without commas and bars
 * @unit: the thing that the result is the time of, for example one call
 * @seconds: run time on all six filesystems together, in seconds on a slow core
 * @mib: size in MiB of the file that make_file() makes
 * @pages: number of pages in one call
 * @span: number of different pages, spread over the file, to which the calls
 *	store; 0 means all pages
 * @calls: number of measured calls
 * @threads: number of threads that make calls at the same time
 * @per: number of units in one call, or in each thread of a call; 0 means 1
 * @against: another workload of the same table or NULL; make bench also prints
 *	the ratio of the two results on the same filesystem
 * @setup: setup of a database, see db.c
 * @mean: the result is the mean time of the calls; otherwise it is the median
 * @make: makes the files, before the filesystem is unmounted and mounted again
 * @ready: opens and maps the files
 * @before: runs before each call; its time is not measured
 * @call: the measured call
 * @raw: the measured call on a raw disk, which replaces @call there
 */
struct workload {
	const char *name, *what, *unit;
	unsigned int seconds;
	unsigned long mib, pages, span, calls, threads, per;
	const char *against, *setup;
	bool mean;
	void (*make)(void);
	void (*ready)(void);
	void (*before)(unsigned long nr);
	void (*call)(unsigned long nr);
	void (*raw)(unsigned long nr);
};

/* An array of these ends with an entry without a name. */
extern const struct workload map_workloads[], wal_workloads[];
extern const struct workload name_workloads[], update_workloads[];
extern const struct workload thread_workloads[], sparse_workloads[];
extern const struct workload io_workloads[];

/* In measure.c. */

/* The workload that runs. */
extern const struct workload *w;
/* The file or the disk. */
extern int fd;
/* MAX_UPDATE + 1 pages and the pages of one call, to write from. */
extern char *buf;

/**
 * check() - end the program unless a step of the workload has succeeded
 * @ok: the step has succeeded
 * @what: name of the step, for the message
 */
void check(bool ok, const char *what);

/**
 * bench_main() - the main function of a program with workloads
 * @tables: arrays of workloads, whose last entry has no name
 * @nr: number of arrays
 * @argc: number of arguments
 * @argv: arguments, see bench.c
 *
 * Return: the exit status.
 */
int bench_main(const struct workload *const *tables, size_t nr, int argc, char **argv);

/* In files.c. */

/* The mapping of the file. */
extern char *map;
extern unsigned long end_of_file;

/**
 * new_file() - make a file and fill it with data
 * @name: name of the file
 * @bytes: size in bytes, a multiple of MIB
 *
 * Return: an open descriptor.
 */
int new_file(const char *name, unsigned long bytes);

/* Make the file of the workload. */
void make_file(void);

/* Open the file of the workload. */
void open_file(void);

/**
 * map_of() - map a file for reads and stores
 * @name: name of the file
 * @bytes: size of the file in bytes
 *
 * Each page is read, so that later calls find it in memory and mapped.
 *
 * Return: the address of the mapping.
 */
char *map_of(const char *name, unsigned long bytes);

/* Open and map the file of the workload as map_of() does. */
void map_file(void);

/*
 * Write the pages of a call to the raw disk. The descriptor has O_DSYNC, so the
 * kernel writes with FUA and sends a flush after the write.
 */
void raw_write(unsigned long nr);

/* Return the size of the workload's file in bytes. */
unsigned long size(void);

/* In map.c. */

/*
 * Return the address of page @i of call @nr. The pages of a call are evenly
 * spread over the file. The next call uses different pages.
 */
char *page_of(unsigned long nr, unsigned long i);

/* Call msync for the whole file. */
void sync_map(unsigned long nr);

#endif /* MSYNCFS_BENCH_H */
