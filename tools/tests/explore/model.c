// SPDX-License-Identifier: GPL-2.0
/*
 * This file is the model of a filesystem. The model knows the content that must
 * be on disk after n operations.
 *
 * Operations on names, and truncations, become durable in their order. A store
 * to a file becomes durable with the next sync of its range. So after a crash
 * the disk must have the content of the model after the first k operations. Let
 * operation A be the last acknowledged operation. Let B be the first operation
 * after A that the workload acknowledges on completion. Then k is at least the
 * number of A and at most the number of B. A workload makes the same
 * operations in each run, so the check can run the workload on the model alone.
 *
 * Changes of an atomic file, including changes of its size, become durable only
 * by a commit of this file. So the model has one content in memory and one
 * content on disk for the file. Only a commit changes the content on disk.
 */
#include "explore.h"

#include <sys/mman.h>
#include <sys/uio.h>

struct choice model_choice;
int working;
unsigned long model_ops;
unsigned long model_gap = 1;

static struct tree model;
static struct tree found;
static unsigned long acked;
static int checking;
static int all_atomic;			/* set by the mount option */

static const struct cell ZEROS = { .alt = NO_ALT };

/* ---- content ---- */

static uint64_t spread(uint32_t x)
{
	return (x & 0x7f) | (x & 0x3f80) << 1 | (x & 0x1fc000) << 2 |
	       (x & 0xfe00000) << 3 | 0x80808080;
}

/*
 * Fill a cell with the content of operation @stamp. No byte is zero, so the
 * content differs from the zeros that may follow it.
 */
void cell_fill(void *buf, uint32_t stamp, uint32_t index)
{
	uint64_t *word = buf, first = spread(stamp) | spread(index) << 32;
	unsigned int i;

	word[0] = first;
	for (i = 1; i < CELL / 8; i++)
		word[i] = (first * 0x9e3779b97f4a7c15ULL + i * 0xbf58476d1ce4e5b9ULL) |
			  0x0101010101010101ULL;
}

/* ---- trees ---- */

struct node *node_new(int dir)
{
	struct node *n = calloc(1, sizeof(*n));

	CHECK(n);
	n->dir = dir;
	n->fd = -1;
	return n;
}

/*
 * Allocate memory for @cells cells of a file. node_new() allocates no cells,
 * because most files of large directories have no content.
 */
void node_room(struct node *n, unsigned long cells)
{
	CHECK(cells <= MAX_CELLS);
	if (cells <= n->room)
		return;
	cells = (cells + 255) / 256 * 256;
	n->cell = realloc(n->cell, cells * sizeof(*n->cell));
	n->vcell = realloc(n->vcell, cells * sizeof(*n->vcell));
	n->dirty = realloc(n->dirty, cells);
	CHECK(n->cell && n->vcell && n->dirty);
	for (; n->room < cells; n->room++) {
		n->cell[n->room] = ZEROS;
		n->vcell[n->room] = ZEROS;
		n->dirty[n->room] = 0;
	}
}

static void node_free(struct node *n)
{
	free(n->cell);
	free(n->vcell);
	free(n->dirty);
	free(n);
}

static struct name *tree_find(const struct tree *t, const char *path)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (!strcmp(t->name[i].path, path))
			return &t->name[i];
	return NULL;
}

struct name *tree_add(struct tree *t, const char *path, struct node *n)
{
	struct name *name;

	if (t->nr == t->room) {
		t->room = t->room * 2 + 64;
		t->name = realloc(t->name, t->room * sizeof(*t->name));
		CHECK(t->name);
	}
	name = &t->name[t->nr++];
	snprintf(name->path, sizeof(name->path), "%s", path);
	name->node = n;
	n->nlink++;
	return name;
}

struct node *model_find(const char *path)
{
	struct name *name = tree_find(&model, path);

	return name ? name->node : NULL;
}

static struct node *must_find(const char *path)
{
	struct node *n = model_find(path);

	CHECK(n);
	return n;
}

/* Free a node without names, unless the real file is open. */
static void put_node(struct node *n)
{
	if (!n->nlink && n->fd < 0)
		node_free(n);
}

static void drop_name(const char *path)
{
	struct name *name = tree_find(&model, path);

	CHECK(name);
	name->node->nlink--;
	*name = model.name[--model.nr];
}

/* ---- comparison ---- */

static int cell_is(const struct cell *have, const struct cell *want)
{
	if (have->stamp == want->stamp && have->len == want->len)
		return 1;
	return want->alt != NO_ALT && have->stamp == want->alt &&
	       (have->len == CELL || !have->stamp);
}

static int node_is(const struct node *have, const struct node *want,
		   const char *path, int say)
{
	unsigned long i;

	if (have->dir != want->dir) {
		if (say)
			printf("%s is of another type; ", path);
		return 0;
	}
	if (want->dir)
		return 1;
	if (have->atomic != want->atomic) {
		if (say)
			printf("%s: %s an atomic file; ", path, want->atomic ? "not" : "is");
		return 0;
	}
	if (have->nlink != want->nlink || have->size != want->size) {
		if (say)
			printf("%s: %u links and %llu bytes, not %u and %llu; ", path,
			       have->nlink, (unsigned long long)have->size,
			       want->nlink, (unsigned long long)want->size);
		return 0;
	}
	for (i = 0; i * CELL < want->size; i++) {
		const struct cell *h = i < have->room ? &have->cell[i] : &ZEROS;
		const struct cell *w = i < want->room ? &want->cell[i] : &ZEROS;

		if (cell_is(h, w))
			continue;
		if (say)
			printf("%s: sector %lu is of operation %u (%u bytes), not %u (%u); ",
			       path, i, h->stamp, h->len, w->stamp, w->len);
		return 0;
	}
	return 1;
}

/*
 * Compare the tree that found_read() read with the current state of the model.
 */
static int model_is_found(int say)
{
	unsigned int i;

	for (i = 0; i < model.nr; i++) {
		struct name *name = tree_find(&found, model.name[i].path);

		if (!name) {
			if (say)
				printf("%s is missing; ", model.name[i].path);
			return 0;
		}
		if (!node_is(name->node, model.name[i].node, name->path, say))
			return 0;
	}
	for (i = 0; say && i < found.nr && model.nr != found.nr; i++)
		if (!tree_find(&model, found.name[i].path))
			printf("%s should not be there; ", found.name[i].path);
	return model.nr == found.nr;
}

/*
 * Finish an operation. If @durable is set, this operation and all earlier
 * operations are durable.
 */
static void op_done(int durable)
{
	char text[32];

	model_ops++;
	if (working && durable) {
		snprintf(text, sizeof(text), "%lu", model_ops);
		ack(text);
	}
	if (!checking || model_ops < acked)
		return;
	if (model_is_found(0))
		exit(0);
	if (model_ops == acked) {
		printf("not as after %lu operations (", acked);
		model_is_found(1);
	}
	if (durable && model_ops > acked) {
		printf("), nor as after any up to %lu (", model_ops);
		model_is_found(1);
		printf(")\n");
		exit(1);
	}
}

void model_start(const struct load *load, uint64_t seed, int work)
{
	all_atomic = load->atomic;
	model_gap = load->gap ? load->gap : 1;
	model_choice = choice_of(seed);
	model_ops = 0;
	model.nr = 0;
	working = work;
	op_done(1);
}

/*
 * Check the content of the current directory. Exit with the result as the
 * status.
 */
void model_check(const struct load *load, uint64_t seed, unsigned long nr)
{
	model_gap = load->gap ? load->gap : 1;
	found_read(&found);
	acked = nr;
	checking = 1;
	model_start(load, seed, 0);
	load->run();
	/*
	 * The workload ended, but no state of the model is equal to the tree.
	 */
	printf(")\n");
	exit(1);
}

/* ---- operations on files ---- */

static int is_atomic(const struct node *n)
{
	return n->atomic || all_atomic;
}

struct node *f_create(const char *path)
{
	struct node *n = node_new(0);

	tree_add(&model, path, n);
	if (working)
		real_open(n, path, O_CREAT | O_EXCL);
	op_done(0);
	return n;
}

static void put_cells(struct node *n, unsigned long cell, unsigned long nr)
{
	unsigned long i;

	node_room(n, cell + nr);
	for (i = cell; i < cell + nr; i++) {
		n->vcell[i] = (struct cell){ model_ops + 1, NO_ALT, CELL };
		n->dirty[i] = 1;
	}
	if ((cell + nr) * CELL > n->vsize)
		n->vsize = (cell + nr) * CELL;
}

/* Write with write(2), which may extend the file. */
void f_write(struct node *n, unsigned long cell, unsigned long nr)
{
	if (working)
		real_write(n, cell, nr, model_ops + 1, 0);
	put_cells(n, cell, nr);
	op_done(0);
}

/* Store through the mapping. */
void f_store(struct node *n, unsigned long cell, unsigned long nr)
{
	CHECK((cell + nr) * CELL <= n->vsize);
	if (working)
		real_store(n, cell, nr, model_ops + 1);
	put_cells(n, cell, nr);
	op_done(0);
}

/*
 * Write clean sectors with O_DIRECT. Until the next fsync, each sector may have
 * its old or its new content on disk. A sector may be on disk before the write
 * returns. So the model allows both contents before the write starts. For an
 * atomic file, a write with O_DIRECT is an ordinary write.
 */
void f_direct(struct node *n, unsigned long cell, unsigned long nr)
{
	unsigned long i;

	if (is_atomic(n)) {
		if (working)
			real_direct(n, cell, nr, model_ops + 1);
		put_cells(n, cell, nr);
		op_done(0);
		return;
	}
	CHECK((cell + nr) * CELL <= n->vsize && n->size == n->vsize);
	node_room(n, cell + nr);
	for (i = cell; i < cell + nr; i++) {
		CHECK(!n->dirty[i]);
		n->cell[i].alt = model_ops + 1;
	}
	/* The sectors may be on disk before the write returns. */
	op_done(0);
	if (working)
		real_direct(n, cell, nr, model_ops);
	for (i = cell; i < cell + nr; i++) {
		n->vcell[i] = (struct cell){ model_ops, NO_ALT, CELL };
		n->dirty[i] = 2;
	}
}

/* Update the model of an atomic file: all its content is on disk now. */
static void settle_atomic(struct node *n)
{
	unsigned long i;

	for (i = 0; i < n->room; i++) {
		n->cell[i] = n->vcell[i];
		n->dirty[i] = 0;
	}
	n->size = n->vsize;
}

/*
 * Write pages with RWF_ATOMIC. In an ordinary file, the write becomes durable as
 * a whole, in its order. In an atomic file, it is an ordinary write. If @durable
 * is set, the write is durable when it returns.
 */
void f_untorn(struct node *n, unsigned long page, unsigned long nr, int durable)
{
	unsigned long cell = page * PAGE_CELLS, end = (page + nr) * PAGE_CELLS;

	if (working)
		real_untorn(n, cell, end - cell, model_ops + 1,
			    durable ? RWF_DSYNC : 0);
	put_cells(n, cell, end - cell);
	if (!is_atomic(n)) {
		for (; cell < end; cell++) {
			n->cell[cell] = n->vcell[cell];
			n->dirty[cell] = 0;
		}
		if (end * CELL > n->size)
			n->size = end * CELL;
	} else if (durable) {
		settle_atomic(n);
	}
	op_done(durable);
}

/*
 * Update the model of a file: the stores to a range are on disk now. Return
 * true if the file also has O_DIRECT writes that may not be on disk.
 */
static int settle(struct node *n, unsigned long cell, unsigned long nr)
{
	unsigned long i;
	int direct = 0;

	if (is_atomic(n)) {
		settle_atomic(n);
		return 0;
	}
	for (i = 0; i < n->room; i++) {
		direct |= n->dirty[i] == 2;
		if (n->dirty[i] != 1 || i < cell || i >= cell + nr)
			continue;
		n->cell[i] = n->vcell[i];
		n->dirty[i] = 0;
	}
	if (n->vsize > n->size)
		n->size = n->vsize;
	return direct;
}

static void settle_direct(struct node *n)
{
	unsigned long i;

	for (i = 0; i < n->room; i++) {
		if (n->dirty[i] != 2)
			continue;
		n->cell[i] = n->vcell[i];
		n->dirty[i] = 0;
	}
}

/*
 * Finish a sync. The record of the sync may become durable before the O_DIRECT
 * writes to the file are durable.
 */
static void synced(struct node *n, unsigned long cell, unsigned long nr)
{
	if (settle(n, cell, nr)) {
		op_done(0);
		settle_direct(n);
	}
	op_done(1);
}

/* Sync whole pages. At least one of the pages must be dirty. */
void f_msync(struct node *n, unsigned long cell, unsigned long nr)
{
	CHECK(!(cell % PAGE_CELLS) && !(nr % PAGE_CELLS));
	if (working)
		real_msync(n, cell, nr);
	synced(n, cell, nr);
}

/*
 * Call msync with MS_ASYNC. The call captures the pages and starts the commit,
 * but does not wait for the commit.
 */
void f_async(struct node *n, unsigned long cell, unsigned long nr)
{
	if (working)
		real_msync_flags(n, cell, nr, MS_ASYNC);
	CHECK(!settle(n, cell, nr));
	op_done(0);
}

/*
 * Call msync with MS_SYNC and MS_INVALIDATE. At least one page of the range
 * must be dirty.
 */
void f_invalidate(struct node *n, unsigned long cell, unsigned long nr)
{
	if (working)
		real_msync_flags(n, cell, nr, MS_SYNC | MS_INVALIDATE);
	synced(n, cell, nr);
}

void f_fsync(struct node *n)
{
	if (working)
		CHECK(!fsync(n->fd));
	synced(n, 0, MAX_CELLS);
}

/*
 * Sync while the device fails. Until the next sync, the disk may have the new
 * or the old content of the set.
 */
void f_fail_sync(struct node *n)
{
	if (working)
		real_fail_sync(n);
	settle(n, 0, MAX_CELLS);
	op_done(0);
}

static void cut_cell(struct cell *c, unsigned long at, uint64_t from)
{
	if (at * CELL >= from)
		*c = ZEROS;
	else if (c->len > from % CELL)
		c->len = from % CELL;
}

/*
 * Zero a range of bytes in memory. In an ordinary file, also zero the range on
 * disk.
 */
static void cut_cells(struct node *n, uint64_t from, uint64_t to)
{
	unsigned long i;

	for (i = from / CELL; i < n->room && i * CELL < to; i++) {
		if (!is_atomic(n))
			cut_cell(&n->cell[i], i, from);
		cut_cell(&n->vcell[i], i, from);
	}
}

static void set_size(struct node *n, uint64_t size)
{
	n->vsize = size;
	if (!is_atomic(n))
		n->size = size;
}

static void must_be_clean(const struct node *n)
{
	unsigned long i;

	if (is_atomic(n))
		return;
	CHECK(n->size == n->vsize);
	for (i = 0; i < n->room; i++)
		CHECK(!n->dirty[i]);
}

/*
 * Truncate a file. An ordinary file must be clean, because the truncation also
 * makes the page at the new end durable.
 */
void f_truncate(struct node *n, uint64_t size)
{
	must_be_clean(n);
	CHECK(!(size % CELL) || size % CELL >= 8);
	if (working)
		CHECK(!ftruncate(n->fd, file_pos(size)));
	cut_cells(n, size, MAX_CELLS * CELL);
	set_size(n, size);
	op_done(0);
}

static void zero_cells(struct node *n, unsigned long cell, unsigned long nr, int mode)
{
	must_be_clean(n);
	if (working)
		real_zero(n, cell, nr, mode | FALLOC_FL_KEEP_SIZE);
	cut_cells(n, cell * CELL, (cell + nr) * CELL);
	op_done(0);
}

void f_punch(struct node *n, unsigned long cell, unsigned long nr)
{
	zero_cells(n, cell, nr, FALLOC_FL_PUNCH_HOLE);
}

void f_zero(struct node *n, unsigned long cell, unsigned long nr)
{
	zero_cells(n, cell, nr, FALLOC_FL_ZERO_RANGE);
}

/* Allocate blocks for the whole file. The file grows to @size. */
void f_allocate(struct node *n, uint64_t size)
{
	must_be_clean(n);
	if (working)
		CHECK(!posix_fallocate(n->fd, 0, file_pos(size)));
	set_size(n, size);
	op_done(0);
}

static void discard(struct node *n)
{
	unsigned long i;

	for (i = 0; i < n->room; i++) {
		n->vcell[i] = n->cell[i];
		n->dirty[i] = 0;
	}
	n->vsize = n->size;
}

/*
 * Close the file. The last close of an atomic file discards changes that were
 * not committed. But if the file is atomic only by the mount option, the last
 * close commits the changes.
 */
void f_close(struct node *n)
{
	if (working)
		real_close(n);
	if (n->atomic)
		discard(n);
	else if (all_atomic)
		settle_atomic(n);
	op_done(0);
	put_node(n);
}

/*
 * Open an existing file. If @trunc is set, the file must be atomic, and the
 * open makes the file empty.
 */
void f_open(struct node *n, const char *path, int trunc)
{
	if (working)
		real_open(n, path, trunc ? O_TRUNC : 0);
	if (!trunc)
		return;
	CHECK(is_atomic(n));
	cut_cells(n, 0, MAX_CELLS * CELL);
	set_size(n, 0);
	op_done(0);
}

/* ---- operations on atomic files ---- */

/*
 * Set or clear the flag of an atomic file. The ioctl first commits the content.
 */
void f_atomic(struct node *n, int on)
{
	CHECK(n->atomic != on);
	if (working)
		real_atomic(n, on);
	settle(n, 0, MAX_CELLS);
	op_done(0);
	n->atomic = on;
	op_done(1);
}

/*
 * Discard the changes since the last commit of the file. If @durable is set,
 * the last commit was in progress or had failed, and the rollback makes this
 * commit durable.
 */
void f_rollback(struct node *n, int durable)
{
	CHECK(is_atomic(n));
	if (working)
		real_rollback(n);
	discard(n);
	op_done(durable);
}

/*
 * Spill the dirty pages of the range, so that they may leave memory. If @evict
 * is set, all pages of the file leave memory.
 */
void f_spill(struct node *n, unsigned long cell, unsigned long nr, int evict)
{
	CHECK(is_atomic(n));
	if (working)
		real_spill(n, cell, nr, evict);
	op_done(0);
}

/*
 * Write with RWF_DSYNC. The write commits its own data and all earlier changes
 * of the file.
 */
void f_write_dsync(struct node *n, unsigned long cell, unsigned long nr)
{
	CHECK(is_atomic(n));
	if (working)
		real_write(n, cell, nr, model_ops + 1, RWF_DSYNC);
	put_cells(n, cell, nr);
	settle_atomic(n);
	op_done(1);
}

/*
 * Truncate the file at @path. No process has the file open, so the truncation
 * is also a commit.
 */
void d_truncate(const char *path, uint64_t size)
{
	struct node *n = must_find(path);

	CHECK(is_atomic(n) && size != n->size);
	if (working) {
		CHECK(n->fd < 0);
		CHECK(!truncate(path, file_pos(size)));
	}
	cut_cells(n, size, MAX_CELLS * CELL);
	n->vsize = size;
	settle_atomic(n);
	op_done(1);
}

/* ---- operations on names ---- */

void d_mkdir(const char *path)
{
	tree_add(&model, path, node_new(1));
	if (working)
		CHECK(!mkdir(path, 0755));
	op_done(0);
}

/* Remove a name. If @keep is set, the file stays open until f_close(). */
void d_unlink(const char *path, int keep)
{
	struct node *n = must_find(path);

	drop_name(path);
	if (working) {
		if (!keep && !n->nlink)
			real_close(n);
		CHECK(!unlink(path));
	}
	op_done(0);
	if (!keep)
		put_node(n);
}

void d_rmdir(const char *path)
{
	struct node *n = must_find(path);

	drop_name(path);
	if (working)
		CHECK(!rmdir(path));
	op_done(0);
	put_node(n);
}

void d_rename(const char *from, const char *to)
{
	struct node *n = must_find(from), *old = model_find(to);

	if (old)
		drop_name(to);
	tree_add(&model, to, n);
	drop_name(from);
	if (working) {
		if (old && !old->nlink)
			real_close(old);
		CHECK(!rename(from, to));
	}
	op_done(0);
	if (old)
		put_node(old);
}

/* Exchange two names. Neither may be a directory. */
void d_exchange(const char *a, const char *b)
{
	struct node *n = must_find(a), *other = must_find(b);

	tree_find(&model, a)->node = other;
	tree_find(&model, b)->node = n;
	if (working)
		CHECK(!renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE));
	op_done(0);
}

/* Rename a directory with all that is in it. The name @to must not exist. */
void d_move(const char *from, const char *to)
{
	size_t len = strlen(from);
	char path[sizeof(model.name->path)];
	unsigned int i;

	for (i = 0; i < model.nr; i++) {
		struct name *name = &model.name[i];

		if (strncmp(name->path, from, len) || (name->path[len] && name->path[len] != '/'))
			continue;
		CHECK(snprintf(path, sizeof(path), "%s%s", to, name->path + len) <
		      (int)sizeof(path));
		strcpy(name->path, path);
	}
	if (working)
		CHECK(!rename(from, to));
	op_done(0);
}

void d_link(const char *from, const char *to)
{
	tree_add(&model, to, must_find(from));
	if (working)
		CHECK(!link(from, to));
	op_done(0);
}

/* Sync @dir after an operation in it. */
void d_sync(const char *dir)
{
	if (working)
		real_sync_dir(dir);
	op_done(1);
}

/* Sync both directories after an operation in one or both of them. */
void d_sync_both(const char *a, const char *b)
{
	if (working) {
		real_sync_dir(a);
		real_sync_dir(b);
	}
	op_done(1);
}

/* ---- other operations ---- */

void s_checkpoint(void)
{
	if (working)
		real_checkpoint();
	op_done(0);
}

/* Make a file without data that takes all free blocks except @left blocks. */
void s_ballast(const char *path, unsigned long left)
{
	struct node *n = f_create(path);

	if (working)
		real_ballast(n, left);
	op_done(0);
}

void s_drop(void)
{
	if (working)
		real_drop();
	op_done(0);
}

/*
 * Sync all files except atomic files. The dirty pages must fit in one record.
 */
void s_sync(int fs)
{
	unsigned int i;

	if (working && fs)
		real_syncfs(".");
	else if (working)
		sync();
	for (i = 0; i < model.nr; i++)
		if (!model.name[i].node->dir && !is_atomic(model.name[i].node))
			CHECK(!settle(model.name[i].node, 0, MAX_CELLS));
	op_done(1);
}

/*
 * If @on is set, limit the memory for dirty pages, so that pages of @n are
 * spilled. Otherwise restore the limit.
 */
void s_pressure(struct node *n, int on)
{
	CHECK(is_atomic(n));
	if (working)
		real_pressure(n, on);
	op_done(0);
}
