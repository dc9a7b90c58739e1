// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for background writeback (mm/writeback.c). It must not keep an
 * msync of the same file waiting for long, and the pages that it has captured
 * must not fill the memory. Pages under writeback do not wait for space.
 */
#include <kunit/test.h>
#include <linux/backing-dev.h>
#include <linux/bio.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/pagemap.h>

#include "files.h"
#include "mm/sync.h"

#define BLOCKS		8192
#define LOG_BLOCKS	256	/* 63 images fit a record */
#define PORTIONS	6
#define PAGES		(PORTIONS * MSYNCFS_PORTION)

/**
 * struct wb_fixture - a mounted device with an empty file, and another thread
 * @fake: device
 * @log: log of the mount
 * @file: the file
 * @task: the other thread
 * @done: completed when the other thread ends
 * @dirty: number of dirty pages that the other thread has found, or the result
 *	of its sync
 */
struct wb_fixture {
	struct msyncfs_fake	*fake;
	struct msyncfs_log	*log;
	struct file		*file;
	struct task_struct	*task;
	struct completion	done;
	unsigned long		dirty;
};

static int wb_init(struct kunit *test)
{
	struct wb_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_mount(test, BLOCKS, LOG_BLOCKS);
	fx->log = MSYNCFS_SB(fx->fake->sb)->log;
	fx->file = msyncfs_fake_open(fx->fake, "f", O_CREAT | O_RDWR);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	files_quiet(fx->fake);
	init_completion(&fx->done);
	test->priv = fx;
	return 0;
}

static int flush(struct file *file)
{
	return filemap_flush(file->f_mapping);
}

static void thread_start(struct kunit *test, int (*run)(void *fx))
{
	struct wb_fixture *fx = test->priv;
	struct task_struct *task = kthread_create(run, fx, "msyncfs-other");

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	fx->task = get_task_struct(task);
}

static void thread_end(struct wb_fixture *fx)
{
	wait_for_completion(&fx->done);
	put_task_struct(fx->task);
}

/* Sleep until the other thread waits. */
static void thread_waits(struct task_struct *task)
{
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		msleep(20);
		if (READ_ONCE(task->__state) & TASK_UNINTERRUPTIBLE)
			return;
	}
}

/* ---- i_commit_lock ------------------------------------------------------- */

static int lock_thread(void *data)
{
	struct wb_fixture *fx = data;
	struct mutex *lock = &MSYNCFS_I(file_inode(fx->file))->i_commit_lock;

	mutex_lock(lock);
	fx->dirty = files_dirty(fx->file);
	mutex_unlock(lock);
	complete(&fx->done);
	return 0;
}

/*
 * At the first I/O, let the other thread wait for i_commit_lock. At the later
 * ones, sleep, so that the other thread runs.
 */
static enum msyncfs_fake_fate lock_hook(struct msyncfs_fake *fake,
					struct bio *bio, unsigned int ops)
{
	struct wb_fixture *fx = fake->hook_ctx;

	if (fx->dirty == ULONG_MAX) {
		fx->dirty = ULONG_MAX - 1;
		wake_up_process(fx->task);
		thread_waits(fx->task);
	} else {
		msleep(20);
	}
	return MSYNCFS_FAKE_DONE;
}

/* A task that needs i_commit_lock waits for two portions at most. */
static void writeback_lets_go(struct kunit *test)
{
	struct wb_fixture *fx = test->priv;

	files_write(test, fx->file, 0, PAGES, 1);
	thread_start(test, lock_thread);
	fx->dirty = ULONG_MAX;
	fx->fake->hook_ctx = fx;
	fx->fake->hook = lock_hook;
	KUNIT_EXPECT_EQ(test, flush(fx->file), 0);
	thread_end(fx);
	fx->fake->hook = NULL;
	KUNIT_EXPECT_GE(test, fx->dirty, PAGES - 2 * MSYNCFS_PORTION);
	KUNIT_EXPECT_LE(test, fx->dirty, PAGES - MSYNCFS_PORTION);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	files_expect(test, fx->file, 0, PAGES, 1);
}

/* ---- space first --------------------------------------------------------- */

#define FULL_PAGES	400	/* set that goes to fresh blocks */
#define FULL_AVAIL	100	/* available blocks on the full filesystem */
#define FULL_FREED	350	/* blocks that are freed, but not recycled */

static int sync_thread(void *data)
{
	struct wb_fixture *fx = data;

	fx->dirty = files_sync(fx->file);
	complete(&fx->done);
	return 0;
}

/*
 * On a full filesystem, a set needs blocks that a commit must recycle first.
 * During this commit, no page of the set is under writeback (B6).
 */
static void writeback_space_first(struct kunit *test)
{
	struct wb_fixture *fx = test->priv;
	struct super_block *sb = fx->fake->sb;
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	unsigned int i, nr;

	files_write(test, fx->file, 0, FULL_PAGES, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	nr = msyncfs_space_avail(sb) - FULL_AVAIL;
	files_write(test, g, 0, nr, 1);
	KUNIT_ASSERT_EQ(test, files_sync(g), 0);
	files_settled(test, sb);
	KUNIT_ASSERT_EQ(test, files_truncate(g, (loff_t)(nr - FULL_FREED) *
					     PAGE_SIZE), 0);
	files_write(test, fx->file, 0, FULL_PAGES, 2);

	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_WRITE);
	thread_start(test, sync_thread);
	wake_up_process(fx->task);
	for (i = 0; i < 500 && !msyncfs_fake_held(fx->fake); i++)
		msleep(20);
	KUNIT_EXPECT_GT(test, msyncfs_fake_held(fx->fake), 0);
	KUNIT_EXPECT_FALSE(test, mapping_tagged(fx->file->f_mapping,
						PAGECACHE_TAG_WRITEBACK));
	msyncfs_fake_release(fx->fake);
	thread_end(fx);
	KUNIT_EXPECT_EQ(test, fx->dirty, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&MSYNCFS_SB(sb)->log->nr_split), 0);
	files_expect(test, fx->file, 0, FULL_PAGES, 2);
	files_settled(test, sb);
	msyncfs_fake_close(fx->fake, g);
}

/* ---- early commits ------------------------------------------------------- */

/**
 * struct early_row - what background writeback writes
 * @name: description
 * @blocks: the pages have blocks already, so they are copied
 * @nr: number of pages
 * @commits: a commit must start
 */
struct early_row {
	const char	*name;
	bool		blocks;
	unsigned int	nr;
	bool		commits;
};

static const struct early_row early_rows[] = {
	{ "few pages", false, 80, false },
	{ "many pages", false, 120, true },
	{ "few images", true, 20, false },
	{ "half a record", true, 31, true },
};

KUNIT_ARRAY_PARAM_DESC(early, early_rows, name);

/*
 * A commit starts when the transaction keeps many pages in memory, or when it
 * has half of the images of a record. Otherwise the timer of the commit runs.
 */
static void writeback_commits_early(struct kunit *test)
{
	const struct early_row *row = test->param_value;
	struct wb_fixture *fx = test->priv;
	struct delayed_work *work = &fx->log->commit_work;
	u64 before;

	if (row->blocks) {
		files_write(test, fx->file, 0, row->nr, 1);
		KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	}
	fx->log->pin_max = 100;
	files_write(test, fx->file, 0, row->nr, 2);
	cancel_delayed_work_sync(work);
	before = fx->log->nr_commits;
	KUNIT_EXPECT_EQ(test, flush(fx->file), 0);
	KUNIT_EXPECT_EQ(test, timer_pending(&work->timer), !row->commits);
	flush_work(&work->work);
	KUNIT_EXPECT_EQ(test, fx->log->nr_commits - before, row->commits);
}

static int writeback_thread(void *data)
{
	struct wb_fixture *fx = data;

	flush(fx->file);
	complete(&fx->done);
	return 0;
}

/* If the commit takes long, writeback waits, and does not pin more pages. */
static void writeback_waits(struct kunit *test)
{
	struct wb_fixture *fx = test->priv;
	unsigned long left = PAGES - 2 * MSYNCFS_PORTION;
	unsigned int i;

	fx->log->pin_max = MSYNCFS_PORTION;
	files_write(test, fx->file, 0, PAGES, 1);
	thread_start(test, writeback_thread);
	mutex_lock(&fx->log->commit_mutex);
	wake_up_process(fx->task);
	for (i = 0; i < 1000 && files_dirty(fx->file) > left; i++)
		msleep(20);
	/* The thread must stay where it is, so look once more. */
	msleep(200);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), left);
	mutex_unlock(&fx->log->commit_mutex);
	wake_up_all(&fx->log->commit_wait);
	thread_end(fx);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	files_expect(test, fx->file, 0, PAGES, 1);
}

/* ---- batches of folios --------------------------------------------------- */

#define BATCH	6

static int wait_thread(void *data)
{
	struct wb_fixture *fx = data;
	struct folio *folio = filemap_get_folio(fx->file->f_mapping, 3);

	folio_wait_writeback(folio);
	folio_put(folio);
	complete(&fx->done);
	return 0;
}

static bool has_tag(struct file *file, pgoff_t index, xa_mark_t tag)
{
	return xa_get_mark(&file->f_mapping->i_pages, index, tag);
}

static s64 under_writeback(struct wb_fixture *fx)
{
	return wb_stat_sum(&fx->fake->sb->s_bdi->wb, WB_WRITEBACK);
}

/* Lock and clean all folios of the batch. */
static void batch_clean(struct kunit *test, struct folio **folios)
{
	struct wb_fixture *fx = test->priv;
	pgoff_t i;

	for (i = 0; i < BATCH; i++) {
		folios[i] = filemap_lock_folio(fx->file->f_mapping, i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(folios[i]));
		KUNIT_ASSERT_TRUE(test, folio_clear_dirty_for_io(folios[i]));
	}
}

/* Make the folios of the batch dirty again, and release them. */
static void batch_release(struct folio **folios)
{
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		folio_lock(folios[i]);
		folio_clear_dirty(folios[i]);
		folio_mark_dirty(folios[i]);
		folio_unlock(folios[i]);
		folio_put(folios[i]);
	}
}

/*
 * Start and end the writeback of a batch. A task with a reference sets the dirty
 * flag of folio 2 after the batch was cleaned, reclaim wants folio 1, and a task
 * waits for folio 3.
 */
static void writeback_batch(struct kunit *test)
{
	struct wb_fixture *fx = test->priv;
	struct folio *folios[BATCH];
	struct bio *bio;
	pgoff_t i;

	files_write(test, fx->file, 0, BATCH, 1);
	batch_clean(test, folios);
	folio_set_dirty(folios[2]);
	msyncfs_start_writeback(folios, BATCH);
	KUNIT_EXPECT_EQ(test, under_writeback(fx), BATCH);
	bio = bio_alloc(fx->fake->sb->s_bdev, BATCH, REQ_OP_WRITE, GFP_KERNEL);
	for (i = 0; i < BATCH; i++) {
		KUNIT_EXPECT_TRUE(test, folio_test_writeback(folios[i]));
		KUNIT_EXPECT_TRUE(test, has_tag(fx->file, i,
						PAGECACHE_TAG_WRITEBACK));
		KUNIT_EXPECT_EQ(test, has_tag(fx->file, i, PAGECACHE_TAG_DIRTY),
				i == 2);
		bio_add_folio_nofail(bio, folios[i], PAGE_SIZE, 0);
		folio_unlock(folios[i]);
	}

	folio_set_reclaim(folios[1]);
	thread_start(test, wait_thread);
	wake_up_process(fx->task);
	thread_waits(fx->task);
	msyncfs_end_writeback(bio);
	bio_put(bio);
	thread_end(fx);
	KUNIT_EXPECT_EQ(test, under_writeback(fx), 0);
	KUNIT_EXPECT_FALSE(test, folio_test_reclaim(folios[1]));
	for (i = 0; i < BATCH; i++) {
		KUNIT_EXPECT_FALSE(test, folio_test_writeback(folios[i]));
		KUNIT_EXPECT_FALSE(test, has_tag(fx->file, i,
						 PAGECACHE_TAG_WRITEBACK));
	}
	batch_release(folios);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	files_expect(test, fx->file, 0, BATCH, 1);
}

static struct kunit_case wb_cases[] = {
	KUNIT_CASE(writeback_batch),
	KUNIT_CASE(writeback_lets_go),
	KUNIT_CASE(writeback_space_first),
	KUNIT_CASE_PARAM(writeback_commits_early, early_gen_params),
	KUNIT_CASE(writeback_waits),
	{}
};

static struct kunit_suite wb_suite = {
	.name		= "msyncfs_writeback",
	.init		= wb_init,
	.test_cases	= wb_cases,
};

kunit_test_suite(wb_suite);
