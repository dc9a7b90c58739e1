// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for fs/atomic.c and fs/overlay.c: an atomic file is, after a crash
 * at any moment, what it was at its last commit. The file is compared, page by
 * page and in its size, with a model that the same changes are made to; and no
 * block may be lost or promised for nothing, whatever has happened.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>
#include <linux/writeback.h>

#include "files.h"
#include "iolog.h"

#define BLOCKS		1400
#define LOG_BLOCKS	256	/* a record takes 63 images, 31 of them copied */
#define FILE_PAGES	64
#define MAX_PAGES	544
#define MAX_IO		120
#define OUT		(MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH)

/**
 * struct model - what the file should be
 * @pages: its size
 * @fill: what each page is full of
 */
struct model {
	unsigned int	pages;
	u8		fill[MAX_PAGES];
};

/**
 * struct atomic_fixture - a mounted device with an atomic file
 * @fake: device
 * @log: what it sees
 * @sbi: the mount
 * @file: the file
 * @old: what it was when it was committed
 * @now: what it is
 * @space: blocks available at that time
 */
struct atomic_fixture {
	struct msyncfs_fake	*fake;
	struct iolog		*log;
	struct msyncfs_sb_info	*sbi;
	struct file		*file;
	struct model		old;
	struct model		now;
	u64			space;
};

/* ---- the file and the model ------------------------------------------------ */

static void set_pages(struct kunit *test, struct atomic_fixture *fx,
		      unsigned int first, unsigned int nr, u8 fill)
{
	files_write(test, fx->file, first, nr, fill);
	memset(fx->now.fill + first, fill, nr);
	fx->now.pages = max(fx->now.pages, first + nr);
}

static void set_size(struct kunit *test, struct atomic_fixture *fx,
		     unsigned int pages)
{
	KUNIT_ASSERT_EQ(test, files_truncate(fx->file, (loff_t)pages *
					     PAGE_SIZE), 0);
	if (pages < fx->now.pages)
		memset(fx->now.fill + pages, 0, fx->now.pages - pages);
	fx->now.pages = pages;
}

static void punch(struct kunit *test, struct atomic_fixture *fx,
		  unsigned int first, unsigned int nr)
{
	KUNIT_ASSERT_EQ(test, vfs_fallocate(fx->file, FALLOC_FL_PUNCH_HOLE |
					    FALLOC_FL_KEEP_SIZE,
					    (loff_t)first * PAGE_SIZE,
					    (loff_t)nr * PAGE_SIZE), 0);
	memset(fx->now.fill + first, 0, nr);
}

/* The first page that is not as the model says, its size, or -1: all are. */
static int differs(struct atomic_fixture *fx, const struct model *m)
{
	unsigned int i;

	if (i_size_read(file_inode(fx->file)) != (loff_t)m->pages * PAGE_SIZE)
		return MAX_PAGES;
	for (i = 0; i < m->pages; i++)
		if (files_read(fx->file, i) != m->fill[i])
			return i;
	return -1;
}

/* Nothing is promised or held any more, and as many blocks are there as before. */
static void expect_settled(struct kunit *test, struct atomic_fixture *fx,
			   bool space)
{
	struct super_block *sb = fx->fake->sb;

	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(sb), 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->reserved, 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->firm, 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->claimed, 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->pending, 0);
	if (space)
		KUNIT_EXPECT_EQ(test, msyncfs_alloc_avail(sb), fx->space);
}

static void open_file(struct atomic_fixture *fx)
{
	fx->sbi = MSYNCFS_SB(fx->fake->sb);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_CREAT | O_RDWR);
}

/* FILE_PAGES pages full of 1, durable, home, and the file atomic. */
static void prepare(struct kunit *test, struct atomic_fixture *fx)
{
	files_quiet(fx->fake);
	set_size(test, fx, 0);
	set_pages(test, fx, 0, FILE_PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
	if (!fx->sbi->atomic)
		KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(file_inode(fx->file),
							 true), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	fx->old = fx->now;
	fx->space = msyncfs_alloc_avail(fx->fake->sb);
	iolog_reset(fx->log);
}

static struct atomic_fixture *setup(struct kunit *test, unsigned int features,
				    const char *options)
{
	struct atomic_fixture *fx = kunit_kzalloc(test, sizeof(*fx),
						  GFP_KERNEL);
	char opts[32] = "";

	KUNIT_ASSERT_NOT_NULL(test, fx);
	if (options)
		strscpy(opts, options, sizeof(opts));
	fx->fake = msyncfs_fake_create(test, BLOCKS, LOG_BLOCKS, features);
	fx->log = iolog_start(fx->fake, OUT);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, opts), 0);
	open_file(fx);
	prepare(test, fx);
	return fx;
}

/* The power fails; @keep says what of the cache is kept. */
static void crash(struct kunit *test, struct atomic_fixture *fx,
		  unsigned int keep)
{
	iolog_power_off(fx->log);
	msyncfs_fake_close(fx->fake, fx->file);
	msyncfs_fake_crash(fx->fake, iolog_keep, &keep);
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	open_file(fx);
}

/* What memory pressure does. */
static int spill(struct atomic_fixture *fx)
{
	int err = filemap_flush(fx->file->f_mapping);

	invalidate_mapping_pages(fx->file->f_mapping, 0, ULONG_MAX);
	return err;
}

/* ---- changes --------------------------------------------------------------- */

static void do_overwrite(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_pages(test, fx, 3, 5, fill);
	set_pages(test, fx, 40, 1, fill);
}

static void do_overwrite_all(struct kunit *test, struct atomic_fixture *fx,
			     u8 fill)
{
	set_pages(test, fx, 0, FILE_PAGES, fill);
}

static void do_append(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_pages(test, fx, FILE_PAGES, 7, fill);
}

static void do_sparse(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_pages(test, fx, 1, 1, fill);
	set_pages(test, fx, 440, 20, fill);
	set_pages(test, fx, 520, 1, fill);
}

static void do_large(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_pages(test, fx, 20, 150, fill);
	set_pages(test, fx, 500, 10, fill);
}

static void do_shrink(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_size(test, fx, 10);
}

static void do_rewrite(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_size(test, fx, 0);
	set_pages(test, fx, 2, 4, fill);
}

static void do_regrow(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_pages(test, fx, 10, 10, fill);
	set_size(test, fx, 15);
	set_size(test, fx, FILE_PAGES + 6);
	set_pages(test, fx, 30, 2, fill);
}

static void do_punch(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_pages(test, fx, 20, 10, fill);
	punch(test, fx, 5, 20);
	set_pages(test, fx, 8, 2, fill);
}

static void do_empty(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_pages(test, fx, 20, 10, fill);
	set_size(test, fx, 0);
}

/**
 * struct change_row - a way to change the file
 * @name: what it is
 * @make: makes it, to the file and to the model
 */
struct change_row {
	const char	*name;
	void		(*make)(struct kunit *test, struct atomic_fixture *fx,
				u8 fill);
};

static const struct change_row change_rows[] = {
	{ "overwrite", do_overwrite },
	{ "overwrite all", do_overwrite_all },
	{ "append", do_append },
	{ "sparse", do_sparse },
	{ "large", do_large },
	{ "shrink", do_shrink },
	{ "rewrite", do_rewrite },
	{ "regrow", do_regrow },
	{ "punch", do_punch },
	{ "empty", do_empty },
};

KUNIT_ARRAY_PARAM_DESC(change, change_rows, name);

/* How often the pages are spilled while the change is made. */
enum { SPILL_NEVER, SPILL_ONCE, SPILL_TWICE, SPILL_MODES };

static void make_change(struct kunit *test, struct atomic_fixture *fx,
			const struct change_row *row, unsigned int mode)
{
	row->make(test, fx, 2);
	if (mode == SPILL_NEVER)
		return;
	spill(fx);
	if (mode == SPILL_TWICE) {
		row->make(test, fx, 3);
		spill(fx);
	}
	/* Something dirty over something spilled. */
	if (fx->now.pages > 4)
		set_pages(test, fx, 4, 1, 4);
}

/* ---- crash, commit, discard -------------------------------------------------- */

/* Not committed: as if nothing had happened. Committed: all of it. */
static void atomic_crash(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int mode;

	for (mode = 0; mode < SPILL_MODES; mode++) {
		make_change(test, fx, row, mode);
		KUNIT_EXPECT_EQ_MSG(test, differs(fx, &fx->now), -1,
				    "in memory, mode %u", mode);
		crash(test, fx, UINT_MAX);
		KUNIT_EXPECT_EQ_MSG(test, differs(fx, &fx->old), -1,
				    "not committed, mode %u", mode);
		expect_settled(test, fx, true);
		fx->now = fx->old;

		prepare(test, fx);
		make_change(test, fx, row, mode);
		/* One page is asked for, all are committed. */
		KUNIT_EXPECT_EQ(test, vfs_fsync_range(fx->file, 0,
						      PAGE_SIZE - 1, 1), 0);
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
		KUNIT_EXPECT_EQ(test, fx->sbi->nr_split, 0);
		crash(test, fx, 0);
		KUNIT_EXPECT_EQ_MSG(test, differs(fx, &fx->now), -1,
				    "committed, mode %u", mode);
		expect_settled(test, fx, false);
		prepare(test, fx);
	}
}

/* The same without a crash: the commit leaves nothing promised. */
static void atomic_commit(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int mode;

	for (mode = 0; mode < SPILL_MODES; mode++) {
		make_change(test, fx, row, mode);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		expect_settled(test, fx, false);
		invalidate_mapping_pages(fx->file->f_mapping, 0, ULONG_MAX);
		KUNIT_EXPECT_EQ_MSG(test, differs(fx, &fx->now), -1,
				    "mode %u", mode);
		/* A second one has nothing to do. */
		iolog_reset(fx->log);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
		prepare(test, fx);
	}
}

/* Rolled back, and closed: what was committed is there again, blocks and all. */
static void atomic_discard(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int mode;

	for (mode = 0; mode < SPILL_MODES; mode++) {
		make_change(test, fx, row, mode);
		KUNIT_EXPECT_EQ(test,
				msyncfs_atomic_rollback(file_inode(fx->file)),
				0);
		KUNIT_EXPECT_EQ_MSG(test, differs(fx, &fx->old), -1,
				    "rolled back, mode %u", mode);
		fx->now = fx->old;
		expect_settled(test, fx, true);

		make_change(test, fx, row, mode);
		msyncfs_fake_close(fx->fake, fx->file);
		open_file(fx);
		KUNIT_EXPECT_EQ_MSG(test, differs(fx, &fx->old), -1,
				    "closed, mode %u", mode);
		fx->now = fx->old;
		expect_settled(test, fx, true);
		/* And it goes on from there. */
		make_change(test, fx, row, mode);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_EQ(test, differs(fx, &fx->now), -1);
		prepare(test, fx);
	}
}

/* With the mount option, the last close commits. */
static void atomic_mount_option(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, "atomic");
	struct file *again;

	KUNIT_EXPECT_TRUE(test, msyncfs_is_atomic(file_inode(fx->file)));
	again = msyncfs_fake_open(fx->fake, "f", O_RDONLY);
	make_change(test, fx, row, SPILL_ONCE);
	msyncfs_fake_close(fx->fake, fx->file);
	/* Not the last one. */
	KUNIT_EXPECT_TRUE(test, files_dirty(again) ||
			  msyncfs_overlay_pending(file_inode(again)));
	msyncfs_fake_close(fx->fake, again);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs(fx, &fx->now), -1);
	expect_settled(test, fx, false);
}

/* ---- what others do ---------------------------------------------------------- */

static void do_sync(struct kunit *test, struct atomic_fixture *fx)
{
	struct super_block *sb = fx->fake->sb;

	down_read(&sb->s_umount);
	KUNIT_EXPECT_EQ(test, sync_filesystem(sb), 0);
	up_read(&sb->s_umount);
}

static void do_writeback(struct kunit *test, struct atomic_fixture *fx)
{
	struct super_block *sb = fx->fake->sb;

	down_read(&sb->s_umount);
	writeback_inodes_sb(sb, WB_REASON_SYNC);
	up_read(&sb->s_umount);
	KUNIT_EXPECT_EQ(test, filemap_write_and_wait(fx->file->f_mapping), 0);
	do_sync(test, fx);
}

static void do_other_file(struct kunit *test, struct atomic_fixture *fx)
{
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);

	files_write(test, g, 0, 40, 9);
	KUNIT_EXPECT_EQ(test, vfs_fsync(g, 0), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	msyncfs_fake_close(fx->fake, g);
}

static void do_times(struct kunit *test, struct atomic_fixture *fx)
{
	struct inode *inode = file_inode(fx->file);

	KUNIT_EXPECT_EQ(test, write_inode_now(inode, 1), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
}

static void do_freeze(struct kunit *test, struct atomic_fixture *fx)
{
	struct super_block *sb = fx->fake->sb;

	KUNIT_ASSERT_EQ(test, freeze_super(sb, FREEZE_HOLDER_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, thaw_super(sb, FREEZE_HOLDER_KERNEL), 0);
}

static const struct other_row {
	const char	*name;
	void		(*run)(struct kunit *test, struct atomic_fixture *fx);
} other_rows[] = {
	{ "sync", do_sync },
	{ "writeback", do_writeback },
	{ "another file", do_other_file },
	{ "times", do_times },
	{ "freeze", do_freeze },
};

KUNIT_ARRAY_PARAM_DESC(other, other_rows, name);

static void atomic_others(struct kunit *test)
{
	const struct other_row *row = test->param_value;
	struct atomic_fixture *fx;
	unsigned int i;

	fx = setup(test, MSYNCFS_FAKE_CACHE | MSYNCFS_FAKE_FUA, NULL);
	for (i = 0; i < ARRAY_SIZE(change_rows); i++) {
		change_rows[i].make(test, fx, 2);
		row->run(test, fx);
		KUNIT_EXPECT_EQ_MSG(test, differs(fx, &fx->now), -1, "%s",
				    change_rows[i].name);
		crash(test, fx, UINT_MAX);
		KUNIT_EXPECT_EQ_MSG(test, differs(fx, &fx->old), -1, "%s",
				    change_rows[i].name);
		prepare(test, fx);
	}
}

/**
 * struct other - something that another thread does
 * @fx: fixture
 * @what: does it
 * @ret: what @what returned
 * @done: it has
 * @task: the thread
 */
struct other {
	struct atomic_fixture	*fx;
	loff_t			(*what)(struct atomic_fixture *fx);
	loff_t			ret;
	bool			done;
	struct task_struct	*task;
};

static loff_t other_sync(struct atomic_fixture *fx)
{
	return files_sync(fx->file);
}

static loff_t other_close(struct atomic_fixture *fx)
{
	msyncfs_fake_close(fx->fake, fx->file);
	return 0;
}

static loff_t other_freeze(struct atomic_fixture *fx)
{
	return freeze_super(fx->fake->sb, FREEZE_HOLDER_KERNEL);
}

static loff_t other_seek(struct atomic_fixture *fx)
{
	return vfs_llseek(fx->file, FILE_PAGES * PAGE_SIZE, SEEK_DATA);
}

static int other_thread(void *data)
{
	struct other *o = data;

	o->ret = o->what(o->fx);
	WRITE_ONCE(o->done, true);
	while (!kthread_should_stop())
		usleep_range(500, 1000);
	return 0;
}

static void other_start(struct kunit *test, struct other *o)
{
	o->task = kthread_run(other_thread, o, "msyncfs-other");
	KUNIT_ASSERT_FALSE(test, IS_ERR(o->task));
}

static void other_end(struct kunit *test, struct other *o, loff_t want)
{
	unsigned int i;

	for (i = 0; i < 2000 && !READ_ONCE(o->done); i++)
		msleep(20);
	KUNIT_EXPECT_TRUE(test, o->done);
	kthread_stop(o->task);
	KUNIT_EXPECT_EQ(test, o->ret, want);
}

/* A frozen filesystem is not written to; the commit comes after the thaw. */
static void atomic_frozen(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct super_block *sb = fx->fake->sb;
	struct other s = { .fx = fx, .what = other_sync };

	do_large(test, fx, 2);
	KUNIT_ASSERT_EQ(test, freeze_super(sb, FREEZE_HOLDER_KERNEL), 0);
	iolog_reset(fx->log);
	other_start(test, &s);
	KUNIT_EXPECT_EQ(test, filemap_flush(fx->file->f_mapping), 0);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(s.done));
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, thaw_super(sb, FREEZE_HOLDER_KERNEL), 0);
	other_end(test, &s, 0);

	/* With nothing to commit, there is nothing to wait for. */
	KUNIT_ASSERT_EQ(test, freeze_super(sb, FREEZE_HOLDER_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, thaw_super(sb, FREEZE_HOLDER_KERNEL), 0);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs(fx, &fx->now), -1);
}

/* ---- while pages are captured ------------------------------------------------ */

/*
 * Somebody is about to commit, or spill, and has got this far: no page is dirty,
 * and nothing says yet that it will be in the next record.
 */
static struct msyncfs_capture *captured(struct kunit *test,
					struct atomic_fixture *fx)
{
	struct inode *inode = file_inode(fx->file);
	struct msyncfs_capture *cap;

	mutex_lock(&MSYNCFS_I(inode)->i_commit_lock);
	cap = msyncfs_capture(inode, 0, ULONG_MAX, ULONG_MAX, ULONG_MAX);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	return cap;
}

/* It comes to nothing. */
static void uncaptured(struct msyncfs_capture *cap)
{
	struct inode *inode = cap->inode;

	msyncfs_capture_redirty(cap, 0);
	msyncfs_capture_put(cap);
	mutex_unlock(&MSYNCFS_I(inode)->i_commit_lock);
}

/* The last close waits for it, and discards what is dirty then. */
static void atomic_captured_close(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct other o = { .fx = fx, .what = other_close };
	struct inode *inode = file_inode(fx->file);
	struct msyncfs_capture *cap;

	ihold(inode);
	do_overwrite(test, fx, 2);
	cap = captured(test, fx);
	other_start(test, &o);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o.done));
	uncaptured(cap);
	other_end(test, &o, 0);
	KUNIT_EXPECT_EQ(test, write_inode_now(inode, 1), 0);
	iput(inode);
	open_file(fx);
	KUNIT_EXPECT_EQ(test, differs(fx, &fx->old), -1);
	expect_settled(test, fx, true);
}

/* A sync does not return for it while a freeze waits for who has captured it. */
static void atomic_captured_freeze(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct other f = { .fx = fx, .what = other_freeze };
	struct other s = { .fx = fx, .what = other_sync };
	struct msyncfs_inode_info *mi = MSYNCFS_I(file_inode(fx->file));
	struct super_block *sb = fx->fake->sb;
	struct msyncfs_capture *cap;
	unsigned int i;

	do_overwrite(test, fx, 2);
	sb_start_intwrite(sb);
	cap = captured(test, fx);
	/* The freeze begins with a sync, which must not wait. */
	mutex_unlock(&mi->i_commit_lock);
	other_start(test, &f);
	/* It announces that it waits some time before nobody else gets in. */
	for (i = 0; i < 500 && sb_start_intwrite_trylock(sb); i++) {
		sb_end_intwrite(sb);
		msleep(20);
	}
	KUNIT_ASSERT_LT(test, i, 500);
	mutex_lock(&mi->i_commit_lock);
	other_start(test, &s);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(f.done));
	KUNIT_EXPECT_FALSE(test, READ_ONCE(s.done));
	uncaptured(cap);
	sb_end_intwrite(sb);
	other_end(test, &f, 0);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(s.done));
	KUNIT_EXPECT_EQ(test, thaw_super(sb, FREEZE_HOLDER_KERNEL), 0);
	other_end(test, &s, 0);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs(fx, &fx->now), -1);
}

/* What has no block yet is data all the time. */
static void atomic_captured_seek(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct other o = { .fx = fx, .what = other_seek };
	struct msyncfs_inode_info *mi = MSYNCFS_I(file_inode(fx->file));
	LIST_HEAD(taken);

	set_pages(test, fx, FILE_PAGES + 9, 2, 2);
	mutex_lock(&mi->i_commit_lock);
	down_write(&mi->i_freeze);
	msyncfs_resv_take(&mi->vfs_inode, &taken);
	up_write(&mi->i_freeze);
	other_start(test, &o);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o.done));
	msyncfs_resv_return(&mi->vfs_inode, &taken);
	mutex_unlock(&mi->i_commit_lock);
	other_end(test, &o, (FILE_PAGES + 9) * PAGE_SIZE);
}

/* ---- failures --------------------------------------------------------------- */

/* Old or new, nothing in between; after success new. Returns which: 0, 1. */
static int old_or_new(struct kunit *test, struct atomic_fixture *fx,
		      const struct change_row *row, unsigned int at)
{
	int from_old = differs(fx, &fx->old), from_new = differs(fx, &fx->now);

	KUNIT_EXPECT_TRUE_MSG(test, from_old < 0 || from_new < 0,
			      "%s, I/O %u: page %d is not old, page %d not new",
			      row->name, at, from_old, from_new);
	return from_new < 0;
}

/* An error at each I/O of the spill and of the commit, which is tried again. */
static void atomic_errors(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int at, mode;
	bool failed, acked;

	for (mode = 0; mode < SPILL_MODES; mode += SPILL_TWICE) {
		for (at = 0, failed = true; failed; at++) {
			KUNIT_ASSERT_LT(test, at, MAX_IO);
			iolog_fail(fx->log, at, 1, MSYNCFS_FAKE_FAILS);
			make_change(test, fx, row, mode);
			acked = !files_sync(fx->file);
			failed = fx->log->failed;
			iolog_fail(fx->log, IOLOG_NEVER, 0,
				   MSYNCFS_FAKE_FAILS);
			KUNIT_EXPECT_EQ_MSG(test, differs(fx, &fx->now), -1,
					    "in memory, I/O %u", at);
			if (!acked && at % 2)
				acked = !files_sync(fx->file);
			if (acked)
				expect_settled(test, fx, false);
			crash(test, fx, at % 3 ? UINT_MAX : 0);
			if (acked)
				KUNIT_EXPECT_EQ_MSG(test,
						    differs(fx, &fx->now), -1,
						    "I/O %u", at);
			else
				old_or_new(test, fx, row, at);
			expect_settled(test, fx, false);
			prepare(test, fx);
		}
	}
}

/* An error of the record, then a rollback: to the commit that was in flight. */
static void atomic_error_rollback(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct inode *inode = file_inode(fx->file);
	struct model flight;

	do_punch(test, fx, 2);
	flight = fx->now;
	iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_LANDS);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
	do_regrow(test, fx, 3);
	spill(fx);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(inode), 0);
	KUNIT_EXPECT_EQ(test, differs(fx, &flight), -1);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs(fx, &flight), -1);
	expect_settled(test, fx, false);
}

/* The power fails at each I/O. */
static void atomic_power(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int at, mode, keep;
	bool cut, acked;
	int new;

	for (mode = 0; mode < SPILL_MODES; mode += SPILL_TWICE) {
		for (at = 0, cut = true; cut; at++) {
			KUNIT_ASSERT_LT(test, at, MAX_IO);
			keep = at % 3 == 2 ? UINT_MAX : at % 3 * (at + 7);
			iolog_cut(fx->log, at);
			make_change(test, fx, row, mode);
			acked = !files_sync(fx->file) && !fx->log->cut;
			cut = fx->log->cut;
			crash(test, fx, keep);
			new = old_or_new(test, fx, row, at);
			if (acked)
				KUNIT_EXPECT_EQ(test, new, 1);
			expect_settled(test, fx, false);
			prepare(test, fx);
		}
	}
}

/* ---- space ------------------------------------------------------------------- */

static int write_page(struct file *file, pgoff_t index, void *buf)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	ssize_t ret = kernel_write(file, buf, PAGE_SIZE, &pos);

	return ret < 0 ? ret : 0;
}

/* Who dirties a page is told that there is no space, not who commits it. */
static void atomic_nospace(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	u8 *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	unsigned int i, nr;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	nr = msyncfs_alloc_avail(fx->fake->sb) - 30;
	for (i = 0; i < nr && !write_page(g, i, buf); i++)
		;
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	memset(buf, 2, PAGE_SIZE);
	for (i = 0; i < FILE_PAGES; i++) {
		err = write_page(fx->file, i, buf);
		if (err)
			break;
		fx->now.fill[i] = 2;
	}
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_GE(test, i, 10);
	KUNIT_EXPECT_LE(test, i, 40);
	/* Some of it leaves memory, nothing else fits, and still: */
	KUNIT_EXPECT_EQ(test, spill(fx), 0);
	KUNIT_EXPECT_EQ(test, write_page(g, nr + 100, buf), -ENOSPC);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	/* The old blocks are free: on it goes. */
	for (; i < FILE_PAGES; i++) {
		err = write_page(fx->file, i, buf);
		if (err == -ENOSPC) {
			KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
			err = write_page(fx->file, i, buf);
		}
		KUNIT_EXPECT_EQ(test, err, 0);
		fx->now.fill[i] = 2;
	}
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	msyncfs_fake_close(fx->fake, g);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs(fx, &fx->now), -1);
	expect_settled(test, fx, false);
}

/* ---- several files at once ----------------------------------------------------- */

static const struct set_row {
	const char	*name;
	unsigned int	pages;	/* of each of the two files */
	bool		spilled;
} set_rows[] = {
	{ "copied", 5, false },
	{ "copied, spilled", 5, true },
	{ "fresh", 50, false },
	{ "fresh, spilled", 50, true },
};

KUNIT_ARRAY_PARAM_DESC(set, set_rows, name);

/* An ordinary file in one call with an atomic one, of which all is taken. */
static void atomic_set_of_files(struct kunit *test)
{
	const struct set_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	struct msyncfs_range ranges[2] = {
		{ .inode = file_inode(fx->file), .first = 0, .last = 0 },
		{ .inode = file_inode(g), .first = 0, .last = 100 },
	};

	if (ranges[0].inode > ranges[1].inode)
		swap(ranges[0], ranges[1]);
	if (row->spilled) {
		set_pages(test, fx, 50, 10, 5);
		spill(fx);
		set_pages(test, fx, 52, 1, 6);
	}
	set_pages(test, fx, 1, row->pages, 2);
	files_write(test, g, 0, row->pages, 2);
	KUNIT_EXPECT_EQ(test, msyncfs_sync_ranges(ranges, 2, true), 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->nr_split, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	msyncfs_fake_close(fx->fake, g);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs(fx, &fx->now), -1);
	g = msyncfs_fake_open(fx->fake, "g", O_RDWR);
	files_expect(test, g, 0, row->pages, 2);
	expect_settled(test, fx, false);
}

/* ---- what it costs ------------------------------------------------------------ */

static void io_of(struct kunit *test, struct atomic_fixture *fx,
		  struct file *file, unsigned int nr, u64 *counts)
{
	files_write(test, file, 5, nr, 3);
	msyncfs_fake_reset_counts(fx->fake);
	KUNIT_ASSERT_EQ(test, files_sync(file), 0);
	counts[0] = fx->fake->writes;
	counts[1] = fx->fake->fuas;
	counts[2] = fx->fake->flushes;
	counts[3] = fx->fake->bytes;
}

/* As much as a commit of an ordinary file. */
static void atomic_cost(struct kunit *test)
{
	static const unsigned int pages[] = { 1, 16 };
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE |
					  MSYNCFS_FAKE_FUA, NULL);
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	u64 atomic[4], ordinary[4];
	unsigned int i;

	files_write(test, g, 0, FILE_PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	files_quiet(fx->fake);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		io_of(test, fx, fx->file, pages[i], atomic);
		io_of(test, fx, g, pages[i], ordinary);
		KUNIT_EXPECT_MEMEQ(test, atomic, ordinary, sizeof(atomic));
	}
}

/* ---- mappings ------------------------------------------------------------------ */

static void flush_fput(void *unused)
{
	flush_delayed_fput();
}

/* Shared pages go back, private copies stay; a store needs space. */
static void atomic_mapping(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct inode *inode = file_inode(fx->file);
	unsigned long shared, private;
	u8 value;

	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, flush_fput, NULL),
			0);
	shared = kunit_vm_mmap(test, fx->file, 0, 8 * PAGE_SIZE,
			       PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	private = kunit_vm_mmap(test, fx->file, 0, 8 * PAGE_SIZE,
				PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, shared, 0);
	KUNIT_ASSERT_NE(test, private, 0);
	KUNIT_ASSERT_EQ(test, put_user((u8)7, (u8 __user *)private), 0);
	KUNIT_ASSERT_EQ(test, put_user((u8)8, (u8 __user *)shared), 0);
	KUNIT_ASSERT_EQ(test, put_user((u8)8,
				       (u8 __user *)(shared + PAGE_SIZE)), 0);
	KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(inode, 0));
	spill(fx);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(inode), 0);
	KUNIT_EXPECT_EQ(test, get_user(value, (u8 __user *)shared), 0);
	KUNIT_EXPECT_EQ(test, value, 1);
	KUNIT_EXPECT_EQ(test, get_user(value, (u8 __user *)private), 0);
	KUNIT_EXPECT_EQ(test, value, 7);
	expect_settled(test, fx, true);

	/* Each commit takes the promise; the next store makes a new one. */
	KUNIT_ASSERT_EQ(test, put_user((u8)9, (u8 __user *)shared), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_FALSE(test, msyncfs_resv_test(inode, 0));
	KUNIT_ASSERT_EQ(test, put_user((u8)10, (u8 __user *)shared), 0);
	KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(inode, 0));
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, files_read(fx->file, 0), -EILSEQ);
	vm_munmap(shared, 8 * PAGE_SIZE);
	vm_munmap(private, 8 * PAGE_SIZE);
}

/* ---- the flag -------------------------------------------------------------------- */

static void atomic_flag(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct inode *inode = file_inode(fx->file);

	/* It lasts, and so does its absence. */
	crash(test, fx, 0);
	inode = file_inode(fx->file);
	KUNIT_EXPECT_TRUE(test, msyncfs_is_atomic(inode));
	do_regrow(test, fx, 2);
	spill(fx);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_set(inode, false), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(inode), -EINVAL);
	crash(test, fx, 0);
	KUNIT_EXPECT_FALSE(test, msyncfs_is_atomic(file_inode(fx->file)));
	KUNIT_EXPECT_EQ(test, differs(fx, &fx->now), -1);
	expect_settled(test, fx, false);

	/* An ordinary file's pages become part of the first commit. */
	do_overwrite(test, fx, 5);
	inode = file_inode(fx->file);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_set(inode, true), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs(fx, &fx->now), -1);
	KUNIT_EXPECT_EQ(test, vfs_fallocate(fx->file, 0, 0, PAGE_SIZE),
			-EOPNOTSUPP);
}

/* A truncation by name, of a file that is not open, is a commit of its own. */
static void atomic_truncate_closed(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct path path = fx->file->f_path;

	path_get(&path);
	msyncfs_fake_close(fx->fake, fx->file);
	KUNIT_EXPECT_EQ(test, vfs_truncate(&path, 10 * PAGE_SIZE + 100), 0);
	path_put(&path);
	open_file(fx);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(fx->file)),
			10 * PAGE_SIZE + 100);
	/* And not when it is. */
	KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 5 * PAGE_SIZE + 7), 0);
	KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 9 * PAGE_SIZE), 0);
	files_expect(test, fx->file, 0, 5, 1);
	files_expect(test, fx->file, 5, 1, -EILSEQ);
	files_expect(test, fx->file, 6, 3, 0);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(fx->file)),
			10 * PAGE_SIZE + 100);
	files_expect(test, fx->file, 0, 10, 1);
	expect_settled(test, fx, false);
}

static struct kunit_case atomic_cases[] = {
	KUNIT_CASE_PARAM(atomic_crash, change_gen_params),
	KUNIT_CASE_PARAM(atomic_commit, change_gen_params),
	KUNIT_CASE_PARAM(atomic_discard, change_gen_params),
	KUNIT_CASE_PARAM(atomic_mount_option, change_gen_params),
	KUNIT_CASE_PARAM(atomic_others, other_gen_params),
	KUNIT_CASE(atomic_frozen),
	KUNIT_CASE(atomic_captured_close),
	KUNIT_CASE(atomic_captured_freeze),
	KUNIT_CASE(atomic_captured_seek),
	KUNIT_CASE_PARAM_ATTR(atomic_errors, change_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(atomic_error_rollback),
	KUNIT_CASE_PARAM_ATTR(atomic_power, change_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(atomic_nospace),
	KUNIT_CASE_PARAM(atomic_set_of_files, set_gen_params),
	KUNIT_CASE(atomic_cost),
	KUNIT_CASE(atomic_mapping),
	KUNIT_CASE(atomic_flag),
	KUNIT_CASE(atomic_truncate_closed),
	{}
};

static struct kunit_suite atomic_suite = {
	.name		= "msyncfs_atomic",
	.test_cases	= atomic_cases,
};

kunit_test_suite(atomic_suite);
