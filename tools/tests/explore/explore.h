/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files of the crash explorer share these declarations.
 *
 *	loads.c		has the workloads, as operations on the model
 *	model.c		has the model: the required content after n operations
 *	found.c		describes a mounted filesystem in terms of the model
 *	real.c		makes the operations on the real filesystem
 *	threads.c	has the workload without a model: several threads; churn.c
 *			has two kinds of them
 *	databases.c	has the workloads with databases
 *	attrs.c		has the workload with extended attributes
 *	shift.c		has the workload that cuts ranges out of a file
 *	disk.c		is a disk whose writes and flushes are recorded
 *	record.c	reads a recording
 *	states.c	makes disk states that a power failure could leave
 *	check.c		puts states on a device, mounts and checks them
 *	work.c		runs workloads on a disk that is being recorded
 *	main.c		has the commands
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "../check.h"

#include <stdint.h>

#define SECTOR		512UL
#define BLOCK		4096UL
#define PAGE		4096UL

/* A recorded disk has one filesystem. */
#define FS_SECTORS	(16UL * 2048)
#define MAX_SLICES	256

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* This is a source of random choices. The same seed gives the same choices. */
struct choice {
	uint64_t x;
};

static inline struct choice choice_of(uint64_t seed)
{
	return (struct choice){ .x = mix(seed + 0x9e3779b97f4a7c15ULL) };
}

static inline uint64_t choose(struct choice *c, uint64_t n)
{
	c->x += 0x9e3779b97f4a7c15ULL;
	return mix(c->x) % n;
}

/* ---- workloads ---- */

/**
 * struct load - a workload
 * @name: name of the workload
 * @run: runs the workload in the current directory, on the model and, if the
 *	variable working is set, on the real filesystem; NULL means that
 *	threads.c, databases.c or @work runs the workload
 * @databases: databases.c runs the workload
 * @work: runs a workload that has a model of its own, in the current directory
 * @check: checks the current directory after a power failure; @acked is the text of
 *	the last acknowledgment. It returns only if the content is right
 * @flakey: the workload can make the device fail
 * @atomic: the workload runs on a filesystem mounted with the option "atomic"
 * @log: size of the log, as text for mkfs; NULL means the smallest log
 * @gap: two neighbouring pages of the model are this number of pages apart in
 *	the real file; 0 means 1
 */
struct load {
	const char	*name;
	void		(*run)(void);
	int		databases;
	void		(*work)(void);
	void		(*check)(const char *acked);
	int		flakey;
	int		atomic;
	const char	*log;
	unsigned long	gap;
};

extern const struct load loads[];
const struct load *load_find(const char *name);

/* work.c provides these functions to the workloads. */
void ack(const char *text);
void device_fails(int on);
void put_text(const char *path, const char *text);
void put_setting(const char *name, const char *text);

/* ---- model ---- */

#define CELL		512UL		/* bytes of one cell of content */
#define MAX_CELLS	4096UL		/* maximum number of cells of a file */
#define PAGE_CELLS	(PAGE / CELL)
#define NO_ALT		UINT32_MAX

/**
 * struct cell - content of 512 bytes of a file
 * @stamp: number of the operation that wrote the content; 0 means zeros
 * @alt: number of another operation, whose content may be on disk instead of
 *	the content of @stamp; NO_ALT means that no other content is possible
 * @len: number of bytes that the operation wrote; zeros follow
 */
struct cell {
	uint32_t	stamp;
	uint32_t	alt;
	uint32_t	len;
};

/**
 * struct node - a file or directory of the model
 * @dir: the node is a directory
 * @nlink: number of names of the node
 * @size: size on disk, in bytes
 * @vsize: size in memory, in bytes
 * @room: number of entries of each of @cell, @vcell and @dirty; all content
 *	behind these entries is zeros
 * @cell: content on disk
 * @vcell: content in memory
 * @dirty: for each entry of @vcell, whether its content is not yet on disk; not
 *	used for an atomic file
 * @atomic: the ioctl made the file atomic
 * @fd: descriptor of the real file; -1 means that the file is not open
 * @map: address of the mapping of the real file
 */
struct node {
	int		dir;
	unsigned int	nlink;
	uint64_t	size, vsize;
	unsigned long	room;
	struct cell	*cell, *vcell;
	unsigned char	*dirty;
	int		atomic;
	int		fd;
	char		*map;
};

/* This is a name in the model, or a name that was found on disk. */
struct name {
	char		path[60];
	struct node	*node;
};

struct tree {
	struct name	*name;
	unsigned int	nr, room;
};

extern struct choice model_choice;	/* for workloads; same in each run */
extern int working;			/* also run on the real filesystem */
extern unsigned long model_ops;		/* number of operations so far */
extern unsigned long model_gap;		/* gap of the workload, at least 1 */

/*
 * Return the position in the real file of byte @byte in the model. The real
 * file has data only in every model_gap-th page.
 */
static inline uint64_t file_pos(uint64_t byte)
{
	return byte / PAGE * model_gap * PAGE + byte % PAGE;
}

/*
 * Convert the size of a real file to its size in the model. A real file may end
 * in a page that the model has, or in the gap behind such a page.
 */
static inline uint64_t model_size(uint64_t size)
{
	uint64_t rest = size % (model_gap * PAGE);

	return size / (model_gap * PAGE) * PAGE + (rest < PAGE ? rest : PAGE);
}

void model_start(const struct load *load, uint64_t seed, int work);
struct node *model_find(const char *path);
void model_check(const struct load *load, uint64_t seed, unsigned long acked);

struct node *f_create(const char *path);
void f_open(struct node *n, const char *path, int trunc);
void f_write(struct node *n, unsigned long cell, unsigned long nr);
void f_store(struct node *n, unsigned long cell, unsigned long nr);
void f_direct(struct node *n, unsigned long cell, unsigned long nr);
void f_untorn(struct node *n, unsigned long page, unsigned long nr, int durable);
void f_msync(struct node *n, unsigned long cell, unsigned long nr);
void f_async(struct node *n, unsigned long cell, unsigned long nr);
void f_invalidate(struct node *n, unsigned long cell, unsigned long nr);
void f_fsync(struct node *n);
void f_fail_sync(struct node *n);
void f_truncate(struct node *n, uint64_t size);
void f_punch(struct node *n, unsigned long cell, unsigned long nr);
void f_zero(struct node *n, unsigned long cell, unsigned long nr);
void f_allocate(struct node *n, uint64_t size);
void f_close(struct node *n);
void f_atomic(struct node *n, int on);
void f_rollback(struct node *n, int durable);
void f_spill(struct node *n, unsigned long cell, unsigned long nr, int evict);
void f_write_dsync(struct node *n, unsigned long cell, unsigned long nr);
void d_mkdir(const char *path);
void d_unlink(const char *path, int keep);
void d_rmdir(const char *path);
void d_rename(const char *from, const char *to);
void d_exchange(const char *a, const char *b);
void d_move(const char *from, const char *to);
void d_truncate(const char *path, uint64_t size);
void d_link(const char *from, const char *to);
void d_sync(const char *dir);
void d_sync_both(const char *a, const char *b);
void s_checkpoint(void);
void s_ballast(const char *path, unsigned long left);
void s_drop(void);
void s_sync(int fs);
void s_pressure(struct node *n, int on);
#define PRESSURE_PAGES	64	/* under pressure, fewer pages can be dirty */

/* model.c provides these helpers for found.c. */
struct node *node_new(int dir);
void node_room(struct node *n, unsigned long cells);
struct name *tree_add(struct tree *t, const char *path, struct node *n);
void cell_fill(void *buf, uint32_t stamp, uint32_t index);

/* found.c */
void found_read(struct tree *t);

/* real.c makes the operations of the model on the real filesystem. */
void real_open(struct node *n, const char *path, int flags);
void real_close(struct node *n);
void real_write(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp,
		int flags);
void real_store(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp);
void real_direct(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp);
void real_untorn(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp,
		 int flags);
void real_msync(struct node *n, unsigned long cell, unsigned long nr);
void real_msync_flags(struct node *n, unsigned long cell, unsigned long nr, int flags);
void real_fail_sync(struct node *n);
void real_zero(struct node *n, unsigned long cell, unsigned long nr, int mode);
void real_atomic(struct node *n, int on);
void real_rollback(struct node *n);
void real_spill(struct node *n, unsigned long cell, unsigned long nr, int evict);
void real_syncfs(const char *dir);
void real_pressure(struct node *n, int on);
void real_sync_dir(const char *dir);
void real_checkpoint(void);
void real_drop(void);
void real_ballast(struct node *n, unsigned long left);

/* threads.c */
int threads_main(int argc, char **argv);
void threads_work(unsigned int seconds);
void threads_check(const char *acked);

/* databases.c */
void databases_work(const char *load);
void databases_check(const char *load, const char *acked);

/* attrs.c */
void attrs_work(void);
void attrs_check(const char *acked);

/* shift.c */
void shift_work(void);
void shift_check(const char *acked);

/* ---- recording ---- */

const char *disk_start(FILE *record, int fua, uint64_t seed);
void disk_ack(const char *workload, const char *text);
void disk_stop(void);

/**
 * struct event - a write, flush or acknowledgment of the recorded disk
 * @sector: first sector of the write
 * @nr: number of sectors
 * @data: content of a write, or text of an acknowledgment; NULL means a flush
 * @hash: hash of each sector; 0 means that the sector is zeros
 * @fua: the write was durable when it completed
 * @sent: number of events before the write or flush was sent; the event itself
 *	stands where it completed
 * @ack: text of an acknowledgment, whose @nr is 0; otherwise NULL
 */
struct event {
	uint64_t		sector, nr;
	const unsigned char	*data;
	uint64_t		*hash;
	int			fua;
	unsigned long		sent;
	const char		*ack;
};

/**
 * struct slice - the recording of one filesystem
 * @load: workload that ran on the filesystem
 * @variant: variant of the workload, see main.c; "-" means no variant
 * @event: array of the events
 * @nr: number of events
 * @first: the event after the first acknowledgment; states are made only from
 *	this event on
 * @whole: the recording includes the end of the workload
 */
struct slice {
	char		load[32], variant[32];
	struct event	*event;
	unsigned long	nr, first;
	int		whole;
};

unsigned int record_read(const char *path, struct slice *slices, unsigned int nr);

/* ---- states ---- */

/**
 * struct state - a state that a power failure could leave
 * @slice: slice of the state
 * @number: number of the state; the prefixes of the events have the numbers
 *	from 0 on, random states have the numbers after the prefixes
 * @cut: the events before event @cut had completed; others may be in progress
 * @loose: number of completed writes that no flush covers
 * @how: text that says which of the @loose writes the state has
 * @promise: event of the last acknowledgment
 * @acked: text of the last acknowledgment
 * @again: an earlier state had the same content, but its last acknowledgment
 *	was different
 * @src: content of each sector; NULL means zeros
 * @hash: hash of the whole content
 */
struct state {
	const struct slice	*slice;
	unsigned long		number, cut, loose;
	const char		*how;
	unsigned long		promise;
	const char		*acked;
	int			again;
	const unsigned char	*src[FS_SECTORS];
	uint64_t		hash;
};

unsigned long states_prefixes(const struct slice *s);
void states_all(const struct slice *s, uint64_t seed, unsigned long want, int prefixes,
		int (*fn)(const struct state *st, void *ctx), void *ctx);
void states_one(const struct slice *s, uint64_t seed, unsigned long number,
		struct state *st);

/* ---- check ---- */

struct checker;
struct checker *checker_new(const char *dev, const char *mnt, uint64_t seed);
enum { CHECK_BEFORE = 1, CHECK_WRITE = 2 };
const char *check_state(struct checker *ck, const struct state *st, int also);
const char *check_device(struct checker *ck, const char *load, const char *variant,
			 const char *acked, int also);
int check_wrote(const struct checker *ck);
void break_rule(const char *variant);
const char *variant_fs(const char *variant);

/* ---- work ---- */
void state_write(int fd, const struct state *st);
void work_recover(FILE *record, const struct state *st);
void work(FILE *record, uint64_t seed, int argc, char **argv);

#endif /* EXPLORE_H */
