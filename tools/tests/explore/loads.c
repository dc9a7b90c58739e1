// SPDX-License-Identifier: GPL-2.0
/*
 * This file has the workloads. For the same choices a workload makes the same
 * operations, so the check can run the workload on the model alone. After a
 * truncation or an operation on names, the next acknowledged operation must be
 * a sync of a changed file or directory. A sync of a clean file acknowledges
 * nothing.
 */
#include "explore.h"

#define PAGES(n) ((n) * PAGE_CELLS)

static uint64_t pick(uint64_t n)
{
	return choose(&model_choice, n);
}

static void store_page(struct node *n, unsigned long page)
{
	f_store(n, PAGES(page), PAGES(1));
}

/* Make a file of @pages pages that are all holes. */
static struct node *sparse(const char *path, unsigned long pages)
{
	struct node *n = f_create(path);

	f_truncate(n, pages * PAGE);
	d_sync(".");
	return n;
}

/*
 * Store to sets of scattered pages of two files. Some sets are synced by two
 * calls. Each of the two calls covers a part of the range.
 */
static void run_sets(void)
{
	struct node *n[2] = { sparse("a", 192), sparse("b", 192) };
	unsigned int step, i;

	for (step = 0; step < 70; step++) {
		struct node *f = n[step % 2];
		unsigned int set = pick(5), size = 2 + pick(20);

		for (i = 0; i < size; i++)
			store_page(f, (set + i * 9) % 96);
		if (step % 5 == 4) {
			/* Only the second msync covers these pages. */
			for (i = 0; i < 6; i++)
				store_page(f, 96 + (set + i * 11) % 96);
			f_msync(f, 0, PAGES(96));
			f_msync(f, PAGES(96), PAGES(96));
		} else {
			f_msync(f, 0, PAGES(192));
		}
	}
}

/*
 * Append to a file and truncate the file to any size. Then make the file larger
 * by a truncation or by a write.
 */
static void run_append(void)
{
	struct node *n = f_create("log");
	unsigned int step;

	f_write(n, 0, 3);
	f_fsync(n);
	for (step = 0; step < 100; step++) {
		if (n->size > 300 * PAGE / 4 || !pick(5)) {
			f_truncate(n, CELL + pick(n->size - CELL) / 8 * 8);
			if (pick(2))
				f_truncate(n, n->size + pick(5 * PAGE) / 8 * 8);
			f_fsync(n);
		}
		f_write(n, (n->vsize + CELL - 1) / CELL, 1 + pick(25));
		f_fsync(n);
	}
}

/* Punch holes, fill them, and allocate blocks without data. */
static void run_punch(void)
{
	struct node *n = f_create("holes");
	unsigned int step, i;

	f_write(n, 0, PAGES(64));
	f_fsync(n);
	for (step = 0; step < 60; step++) {
		f_punch(n, pick(PAGES(56)), 1 + pick(PAGES(8)));
		if (pick(2))
			f_allocate(n, 64 * PAGE);
		f_fsync(n);
		for (i = pick(12); i; i--)
			f_store(n, PAGES(pick(64)) + pick(8), 1);
		store_page(n, pick(64));
		f_msync(n, 0, PAGES(64));
	}
}

/*
 * Write the new version of a file under another name. Then rename the new
 * version over the old version.
 */
static void run_rename(void)
{
	struct node *n;
	char name[8];
	unsigned int step;

	d_mkdir("d");
	d_sync(".");
	for (step = 0; step < 60; step++) {
		n = f_create("d/new");
		f_write(n, 0, 1 + pick(40));
		f_fsync(n);
		snprintf(name, sizeof(name), "%s%llu", pick(2) ? "" : "d/",
			 (unsigned long long)pick(4));
		d_rename("d/new", name);
		d_sync("d");
	}
}

/*
 * Make and remove files. Few other blocks are free, so the filesystem soon uses
 * the blocks of the removed files again. Some of these blocks become fresh
 * blocks. Others become the homes of images.
 */
static void run_reuse(void)
{
	char name[8], old[8];
	unsigned int step;
	struct node *n;

	s_ballast("ballast", 330);
	d_sync(".");
	for (step = 0; step < 70; step++) {
		snprintf(name, sizeof(name), "f%u", step);
		n = f_create(name);
		f_write(n, 0, PAGES(1 + pick(64)));
		f_fsync(n);
		store_page(n, pick(n->size / PAGE));
		f_msync(n, 0, n->size / CELL);
		if (step < 3)
			continue;
		snprintf(old, sizeof(old), "f%u", step - 3);
		d_unlink(old, 0);
		if (!pick(3))
			d_sync(".");
		if (!pick(4))
			s_checkpoint();
	}
}

static void run_links(void)
{
	unsigned int step;

	d_mkdir("d");
	d_sync(".");
	for (step = 0; step < 120; step++) {
		char name[8], other[8];
		struct node *n;

		snprintf(name, sizeof(name), "d/%llu", (unsigned long long)pick(6));
		snprintf(other, sizeof(other), "%llu", (unsigned long long)pick(6));
		n = model_find(name);
		if (!n) {
			n = f_create(name);
			f_write(n, 0, 1 + pick(12));
			f_fsync(n);
		} else if (!model_find(other)) {
			d_link(name, other);
			d_sync(".");
		} else if (pick(3)) {
			d_unlink(pick(2) ? name : other, 0);
			if (pick(2))
				d_unlink(model_find(name) ? name : other, 0);
			d_sync_both("d", ".");
		} else if (model_find(other) != n) {
			d_rename(name, other);
			d_sync(".");
		}
	}
}

/* Make directories whose leaves split and merge. Make and remove empty ones. */
static void run_dirs(void)
{
	char name[60];
	unsigned int i;

	d_mkdir("big");
	f_create("file");
	d_sync(".");
	for (i = 0; i < 240; i++) {
		snprintf(name, sizeof(name), "big/%u-with-a-name-that-is-not-short", i);
		if (i % 8)
			d_link("file", name);
		else
			d_mkdir(name);
		if (i % 6 == 5)
			d_sync("big");
	}
	for (i = 0; i < 240; i++) {
		snprintf(name, sizeof(name), "big/%u-with-a-name-that-is-not-short", i);
		if (i % 8)
			d_unlink(name, 0);
		else
			d_rmdir(name);
		if (i % 6 == 5)
			d_sync("big");
	}
}

/*
 * Make many changes of names in a tree of directories before each sync: names are
 * made, removed, linked, renamed, exchanged and replaced, directories are made,
 * moved and removed.
 */
static void tree_change(void)
{
	char a[32], b[32], dir[16], to[16];

	snprintf(dir, sizeof(dir), "d%llu", (unsigned long long)pick(4));
	snprintf(to, sizeof(to), "d%llu", (unsigned long long)pick(4));
	snprintf(a, sizeof(a), "%s/%llu", dir, (unsigned long long)pick(5));
	snprintf(b, sizeof(b), "%s/%llu", to, (unsigned long long)pick(5));
	if (!model_find(dir)) {
		d_mkdir(dir);
	} else if (!model_find(to)) {
		if (pick(2))
			d_move(dir, to);
		else
			d_mkdir(to);
	} else if (!model_find(a)) {
		f_close(f_create(a));
	} else if (!model_find(b)) {
		if (pick(3))
			d_rename(a, b);
		else
			d_link(a, b);
	} else if (model_find(a) != model_find(b)) {
		if (pick(2))
			d_exchange(a, b);
		else
			d_rename(a, b);
	} else {
		d_unlink(a, 0);
	}
}

static void tree_remove(const char *dir)
{
	char name[32];
	unsigned int i;

	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%s/%u", dir, i);
		if (model_find(name))
			d_unlink(name, 0);
	}
	d_rmdir(dir);
}

static void run_tree(void)
{
	unsigned int step, i;
	char dir[16];

	for (step = 0; step < 60; step++) {
		for (i = 1 + pick(30); i; i--)
			tree_change();
		snprintf(dir, sizeof(dir), "d%llu", (unsigned long long)pick(4));
		if (!pick(6) && model_find(dir))
			tree_remove(dir);
		s_sync(1);
		if (!pick(8))
			s_checkpoint();
	}
}

/* Write so many records, of all sizes, that the log wraps many times. */
static void run_wrap(void)
{
	struct node *n = sparse("a", 256);
	unsigned int step, i, size;

	for (step = 0; step < 130; step++) {
		size = 1 + pick(30);
		for (i = 0; i < size; i++)
			store_page(n, (step * 5 + i * 3) % 256);
		f_msync(n, 0, PAGES(256));
		if (!pick(12))
			s_checkpoint();
	}
}

/* Sync sets that are too large to be copied. Their pages go to fresh blocks. */
static void run_large(void)
{
	struct node *n = sparse("a", 512), *other = sparse("b", 512);
	unsigned int step, i, size;

	for (step = 0; step < 24; step++) {
		struct node *f = step % 3 ? n : other;

		size = 33 + pick(200);
		for (i = 0; i < size; i++)
			store_page(f, (step * 31 + i * (step % 2 ? 1 : 3)) % 512);
		f_msync(f, 0, PAGES(512));
		store_page(f, pick(512));
		f_msync(f, 0, PAGES(512));
	}
}

/* Drop pages from the cache before the checkpoint has written them home. */
static void run_evict(void)
{
	struct node *n[3] = { sparse("a", 64), sparse("b", 64), sparse("c", 64) };
	unsigned int step, i;
	char name[8];

	for (step = 0; step < 60; step++) {
		struct node *f = n[pick(3)];

		for (i = 1 + pick(16); i; i--)
			/*
			 * Store to only a part of a page, so that the
			 * filesystem reads the rest of the page.
			 */
			f_store(f, PAGES(pick(64)) + pick(8), 1);
		f_msync(f, 0, PAGES(64));
		snprintf(name, sizeof(name), "n%u", step);
		f_write(f_create(name), 0, 5);
		f_fsync(model_find(name));
		if (step % 3 == 0)
			d_unlink(name, 0);
		s_drop();
	}
}

/* Keep several sets in progress at the same time. Drop pages from the cache. */
static void run_async(void)
{
	struct node *n[2] = { sparse("a", 96), sparse("b", 96) };
	unsigned int step, i, sets;

	for (step = 0; step < 60; step++) {
		for (sets = pick(4); sets; sets--) {
			for (i = 1 + pick(12); i; i--)
				store_page(n[sets % 2], pick(96));
			f_async(n[sets % 2], 0, PAGES(96));
		}
		for (i = 1 + pick(12); i; i--)
			store_page(n[step % 2], pick(96));
		if (step % 4)
			f_msync(n[step % 2], 0, PAGES(96));
		else
			f_invalidate(n[step % 2], 0, PAGES(96));
	}
}

/*
 * Write with O_DIRECT to blocks whose images are in the log. Also store to
 * pages that were written with O_DIRECT.
 */
static void run_direct(void)
{
	struct node *n = f_create("a");
	unsigned int step, i;

	f_write(n, 0, PAGES(40));
	f_fsync(n);
	f_truncate(n, 64 * PAGE);
	f_fsync(n);
	for (step = 0; step < 80; step++) {
		for (i = 1 + pick(8); i; i--)
			store_page(n, pick(64));
		f_msync(n, 0, PAGES(64));
		if (pick(2)) {
			f_direct(n, PAGES(pick(56)), PAGES(1 + pick(8)));
			if (pick(2)) {
				store_page(n, pick(64));
				f_msync(n, 0, PAGES(64));
			} else {
				f_fsync(n);
			}
		}
	}
}

#define UNTORN 256	/* pages */

/* Make an untorn write of any size. */
static void untorn(struct node *n, int durable)
{
	unsigned long nr = 1UL << pick(7);

	f_untorn(n, pick(UNTORN / nr) * nr, nr, durable);
}

/*
 * Make untorn writes of all sizes: over data, over holes and behind the end. Some
 * of their pages are dirty, and later calls sync some of them. One file is
 * ordinary, the other file is atomic.
 */
static void run_untorn(void)
{
	struct node *n = sparse("a", 40), *f = sparse("b", 64);
	unsigned int step, i;

	f_atomic(f, 1);
	for (step = 0; step < 60; step++) {
		for (i = 1 + pick(6); i; i--)
			store_page(n, pick(n->vsize / PAGE));
		for (i = 1 + pick(3); i; i--)
			untorn(n, 0);
		untorn(f, pick(2));
		if (pick(2))
			untorn(n, 1);
		i = pick(n->vsize / PAGE);
		store_page(n, i);
		f_msync(n, PAGES(i), PAGES(1));
		store_page(f, pick(f->vsize / PAGE));
		if (pick(2))
			f_rollback(f, 0);
		else
			f_msync(f, 0, PAGES(1));
		if (pick(4))
			continue;
		f_fsync(n);	/* the file must be clean */
		if (pick(2))
			f_punch(n, pick(PAGES(32)), 1 + pick(PAGES(64)));
		else
			f_truncate(n, 8 * CELL + pick(UNTORN * PAGE / 16) * 8);
		untorn(n, pick(2));
		f_fsync(n);
		s_checkpoint();
	}
	/* The unmount makes dirty pages durable. */
	store_page(n, 0);
	f_fsync(n);
}

/* Keep files without names open. Truncate long files. */
static void run_orphans(void)
{
	struct node *n, *open[4] = { };
	unsigned int step, at;
	char name[8];

	for (step = 0; step < 60; step++) {
		at = pick(4);
		if (open[at])
			f_close(open[at]);
		open[at] = NULL;
		snprintf(name, sizeof(name), "f%u", step);
		n = f_create(name);
		f_write(n, 0, PAGES(1 + pick(30)));
		f_fsync(n);
		if (pick(4) == 0) {
			f_truncate(n, pick(n->size / 8) * 8 / CELL * CELL);
			f_fsync(n);
		}
		d_unlink(name, 1);
		d_sync(".");
		open[at] = n;
		if (pick(3) == 0) {
			f_write(n, 0, PAGES(2));
			f_fsync(n);
		}
	}
	for (at = 0; at < 4; at++)
		if (open[at])
			f_close(open[at]);
	d_mkdir("end");
	d_sync(".");
}

/*
 * The device fails from time to time. After a failed sync, the data is synced
 * again or overwritten. In an atomic file, it may also be rolled back. The disk
 * may have the data even though the sync failed.
 */
static void run_failed(void)
{
	struct node *n[2] = { sparse("a", 96), sparse("b", 96) };
	unsigned int step, i;

	f_atomic(n[1], 1);
	for (step = 0; step < 44; step++) {
		struct node *f = n[step / 2 % 2];

		for (i = 1 + pick(20); i; i--)
			store_page(f, pick(96));
		if (f->atomic && !pick(3))
			f_punch(f, PAGES(pick(80)), PAGES(1 + pick(16)));
		if (step % 3 == 1)
			f_fail_sync(f);
		if (step % 2)
			store_page(f, pick(96));
		if (f->atomic && step % 3 == 1 && pick(2))
			f_rollback(f, 1);
		store_page(f, pick(96));
		f_msync(f, 0, PAGES(96));
	}
}

/*
 * The filesystem is so full that a new file gets blocks only after an old file
 * is removed.
 */
static void run_full(void)
{
	unsigned int step, i;
	struct node *n;
	char name[8];

	s_ballast("ballast", 90);
	d_sync(".");
	n = sparse("sets", 64);
	for (step = 0; step < 60; step++) {
		snprintf(name, sizeof(name), "f%u", step % 2);
		if (model_find(name))
			d_unlink(name, 0);
		f_write(f_create(name), 0, PAGES(1 + pick(16)));
		f_fsync(model_find(name));
		for (i = 0; i < 10; i++)
			store_page(n, step % 8 + i * 3);
		f_msync(n, 0, PAGES(64));
		if (step % 16 == 15) {
			f_punch(n, 0, PAGES(64));
			f_fsync(n);
		}
	}
}

/* ---- atomic files ---- */

static struct node *atomic(const char *path, unsigned long pages)
{
	struct node *n = f_create(path);

	f_write(n, 0, PAGES(pages));
	f_fsync(n);
	f_atomic(n, 1);
	return n;
}

/* Store to an existing page. If the file is empty, write its first page. */
static void touch(struct node *n)
{
	if (n->vsize < PAGE)
		f_write(n, 0, PAGES(1));
	else
		store_page(n, pick(n->vsize / PAGE));
}

/* Make one change of at most @max pages in an atomic file. Do not commit it. */
static void change(struct node *n, unsigned long max)
{
	uint64_t room = n->vsize < max * PAGE ? max * PAGE - n->vsize : 0;
	unsigned long i;

	switch (pick(8)) {
	case 0:
		f_truncate(n, pick(n->vsize / 8 + 1) * 8 / CELL * CELL + 8 * pick(64));
		break;
	case 1:
		f_truncate(n, n->vsize + pick(room + 1) / 8 * 8);
		break;
	case 2:
		f_punch(n, pick(PAGES(max - 16)), 1 + pick(PAGES(16)));
		break;
	case 3:
		f_zero(n, pick(PAGES(max - 16)), 1 + pick(PAGES(16)));
		break;
	case 4:
		f_write(n, pick(PAGES(max - 8)), 1 + pick(PAGES(8)));
		break;
	case 5:
		f_direct(n, PAGES(pick(max - 8)), PAGES(1 + pick(8)));
		break;
	default:
		for (i = 1 + pick(12); i; i--)
			touch(n);
	}
}

/*
 * Make an operation that must not change any atomic file. @n is an ordinary
 * file.
 */
static void bystand(struct node *n, unsigned int step)
{
	char name[8];

	switch (pick(7)) {
	case 0:
		store_page(n, pick(32));
		f_msync(n, 0, PAGES(32));
		break;
	case 1:
		store_page(n, pick(32));
		s_sync(0);
		break;
	case 2:
		s_sync(1);
		break;
	case 3:
		snprintf(name, sizeof(name), "n%u", step % 4);
		if (model_find(name))
			d_unlink(name, 0);
		else
			f_write(f_create(name), 0, 9);
		s_sync(step % 2);
		break;
	case 4:
		s_checkpoint();
		break;
	case 5:
		s_drop();
		break;
	}
}

/*
 * Discard changes of atomic file @n, so that the file has the content of its
 * last commit. Use a rollback or a close. The rollback may happen while a new
 * commit is in progress.
 */
static void go_back(struct node *n, const char *path)
{
	if (!pick(3)) {
		touch(n);
		f_async(n, 0, MAX_CELLS);
		change(n, 96);
		f_rollback(n, 1);
		return;
	}
	change(n, 96);
	if (pick(2)) {
		f_rollback(n, 0);
		return;
	}
	f_close(n);
	if (n->size > PAGE && !pick(3))
		d_truncate(path, pick(n->size / 8) * 8 / CELL * CELL);
	f_open(n, path, !pick(3));
}

static void commit(struct node *n)
{
	touch(n);
	switch (pick(4)) {
	case 0:
		f_fsync(n);
		break;
	case 1:
		f_write_dsync(n, pick(PAGES(80)), 1 + pick(20));
		break;
	case 2:
		f_async(n, 0, PAGES(1));
		touch(n);
		f_msync(n, 0, PAGES(1));
		break;
	default:
		/*
		 * The range of the call is one page, but the call commits the
		 * whole file.
		 */
		f_msync(n, PAGES(pick(96)), PAGES(1));
	}
}

/*
 * Change two atomic files in turns. Between the changes, sync other files and
 * commit the atomic files.
 */
static void run_atomic(void)
{
	struct node *n[2] = { atomic("a", 48), atomic("b", 20) }, *other = sparse("c", 32);
	unsigned int step, i;

	for (step = 0; step < 70; step++) {
		struct node *f = n[step % 2];

		for (i = 1 + pick(4); i; i--) {
			change(f, 96);
			bystand(other, step);
		}
		if (step % 7 == 6)
			go_back(f, step % 2 ? "b" : "a");
		else
			commit(f);
		if (step % 24 == 23) {
			touch(f);
			f_atomic(f, 0);
			touch(f);
			f_atomic(f, 1);
		}
	}
}

/*
 * Store to parts of pages, so that the filesystem reads the rest of each page.
 */
static void store_some(struct node *n, unsigned long first, unsigned long nr)
{
	f_truncate(n, 256 * PAGE);
	for (; nr; nr--)
		f_store(n, PAGES(first + nr - 1) + pick(8), 1);
}

/*
 * Spill pages of atomic files before the commit. Spill all or some pages, one
 * or more times. The workload requests the spills. In every fourth step, a
 * shortage of memory also causes a spill.
 */
static void run_spill(void)
{
	struct node *n[2] = { atomic("a", 160), atomic("b", 64) }, *other = sparse("c", 32);
	unsigned int step, round;
	unsigned long first;

	for (step = 0; step < 36; step++) {
		struct node *f = n[step % 2];

		if (step % 4 == 3) {
			s_pressure(f, 1);
			store_some(f, pick(64), PRESSURE_PAGES + pick(100));
			s_pressure(f, 0);
		}
		for (round = pick(4); round; round--) {
			first = pick(64);
			store_some(f, first, 8 + pick(100));
			f_spill(f, PAGES(first), PAGES(pick(2) ? 256 : 8), pick(2));
			bystand(other, step);
			if (!pick(3))
				change(f, 256);
		}
		if (step % 5 == 4)
			go_back(f, step % 2 ? "b" : "a");
		else
			commit(f);
	}
}

#define WIDE 300	/* pages; a map node has at most two of them */
#define WIDE_GAP 257

/*
 * Store to pages that are in different map nodes. The number of map nodes is
 * either small, or larger than a record can take. Return one of the pages.
 */
static unsigned long store_wide(struct node *n)
{
	unsigned long first = pick(WIDE), i;

	for (i = pick(4) ? 64 + pick(WIDE / 2 - 64) : 1 + pick(20); i; i--)
		store_page(n, (first + i * 2) % WIDE);
	return (first + 2) % WIDE;
}

/*
 * Remove pages, so that their map nodes become empty. Either punch at most @max
 * pages, or truncate the file.
 */
static void cut_wide(struct node *n, unsigned long max)
{
	if (pick(2)) {
		f_punch(n, pick(PAGES(WIDE - max)), 1 + pick(PAGES(max)));
		return;
	}
	f_truncate(n, pick(WIDE * PAGE / 8) * 8 / CELL * CELL);
	f_truncate(n, WIDE * PAGE);
}

/*
 * Sync sets that are scattered so widely that the filesystem makes a shadow of
 * the map. One file is ordinary. The other file is atomic. Between the syncs,
 * the atomic file is spilled, truncated and rolled back.
 */
static void run_wide(void)
{
	struct node *n = sparse("a", WIDE), *f = sparse("b", WIDE), *other = sparse("c", 32);
	unsigned int step, round;
	unsigned long page;

	f_atomic(f, 1);
	for (step = 0; step < 28; step++) {
		if (step % 2) {
			if (!pick(3)) {
				cut_wide(n, 8);
				f_fsync(n);
			}
			store_wide(n);
			f_msync(n, 0, PAGES(WIDE));
			continue;
		}
		for (round = pick(3); round; round--) {
			page = store_wide(f);
			if (pick(2))
				f_spill(f, 0, PAGES(pick(2) ? WIDE : page + 1), pick(2));
			if (pick(2))
				cut_wide(f, WIDE / 2);
			bystand(other, step);
		}
		store_wide(f);
		if (step % 8 == 6)
			f_rollback(f, 0);
		else
			f_msync(f, 0, PAGES(1));
	}
}

/* The mount option makes all files atomic. The workload sets no flag. */
static void run_option(void)
{
	struct node *n;
	unsigned int step, i;
	char name[8];

	d_mkdir("d");
	d_sync(".");
	for (step = 0; step < 60; step++) {
		snprintf(name, sizeof(name), "d/%u", step % 5);
		n = model_find(name);
		if (!n)
			n = f_create(name);
		else
			f_open(n, name, !pick(3));
		for (i = 1 + pick(3); i; i--)
			change(n, 64);
		switch (pick(4)) {
		case 0:
			f_fsync(n);
			break;
		case 1:
			d_unlink(name, 1);
			break;
		case 2:
			d_rename(name, "d/new");
			d_rename("d/new", name);
		}
		f_close(n);
		s_sync(step % 2);
	}
}

/*
 * When an atomic file is committed, each filled hole needs an image in the
 * record. These workloads fill many holes, so their log is larger than the
 * smallest log.
 */
#define HOLES_LOG "8M"

const struct load loads[] = {
	{ .name = "sets", .run = run_sets },
	{ .name = "append", .run = run_append },
	{ .name = "punch", .run = run_punch },
	{ .name = "rename", .run = run_rename },
	{ .name = "reuse", .run = run_reuse },
	{ .name = "links", .run = run_links },
	{ .name = "dirs", .run = run_dirs },
	{ .name = "tree", .run = run_tree },
	{ .name = "wrap", .run = run_wrap },
	{ .name = "large", .run = run_large },
	{ .name = "evict", .run = run_evict },
	{ .name = "async", .run = run_async },
	{ .name = "direct", .run = run_direct },
	{ .name = "untorn", .run = run_untorn, .log = "4M" },
	{ .name = "orphans", .run = run_orphans },
	{ .name = "full", .run = run_full },
	{ .name = "threads", .log = "4M" },
	{ .name = "failed", .run = run_failed, .flakey = 1 },
	{ .name = "atomic", .run = run_atomic, .log = HOLES_LOG },
	{ .name = "spill", .run = run_spill, .log = HOLES_LOG },
	{ .name = "wide", .run = run_wide, .gap = WIDE_GAP },
	{ .name = "sqlite", .databases = 1 },
	{ .name = "lmdb", .databases = 1 },
	{ .name = "xattr", .work = attrs_work, .check = attrs_check },
	{ .name = "shift", .work = shift_work, .check = shift_check, .log = "4M" },
	{ .name = "option", .run = run_option, .log = HOLES_LOG, .atomic = 1 },
	{ }
};

const struct load *load_find(const char *name)
{
	const struct load *load;

	for (load = loads; load->name; load++)
		if (!strcmp(load->name, name))
			return load;
	return NULL;
}
