// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for atomic files: no activity of other tasks changes an atomic
 * file on the device. While the pages of the file are captured, sync, close and
 * SEEK_DATA must wait.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/writeback.h>

#include "model.h"

/* ---- activity of other tasks -------------------------------------------- */

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

	KUNIT_ASSERT_EQ(test, msyncfs_kunit_freeze(sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_kunit_thaw(sb), 0);
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

	fx = model_setup(test, MSYNCFS_FAKE_CACHE | MSYNCFS_FAKE_FUA, NULL);
	for (i = 0; i < ARRAY_SIZE(model_changes); i++) {
		model_changes[i].make(test, fx, 2);
		row->run(test, fx);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->now), -1, "%s",
				    model_changes[i].name);
		model_crash(test, fx, UINT_MAX);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->old), -1, "%s",
				    model_changes[i].name);
		model_prepare(test, fx);
	}
}

/* ---- other threads ------------------------------------------------------- */

static loff_t other_sync(struct atomic_fixture *fx)
{
	return files_sync(fx->file);
}

static loff_t other_close(struct atomic_fixture *fx)
{
	msyncfs_fake_close(fx->fake, fx->file);
	return 0;
}

static loff_t other_seek(struct atomic_fixture *fx)
{
	return vfs_llseek(fx->file, MODEL_PAGES * PAGE_SIZE, SEEK_DATA);
}

/*
 * A commit waits while the filesystem is frozen, and continues after the thaw.
 * Nothing is written before the thaw.
 */
static void atomic_frozen(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct super_block *sb = fx->fake->sb;
	struct other s = { .fx = fx, .what = other_sync };

	model_large(test, fx, 2);
	KUNIT_ASSERT_EQ(test, msyncfs_kunit_freeze(sb), 0);
	iolog_reset(fx->log);
	other_start(test, &s);
	KUNIT_EXPECT_EQ(test, filemap_flush(fx->file->f_mapping), 0);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(s.done));
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_kunit_thaw(sb), 0);
	other_end(test, &s, 0);

	/* A call that has nothing to commit does not wait. */
	KUNIT_ASSERT_EQ(test, msyncfs_kunit_freeze(sb), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_kunit_thaw(sb), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
}

/* ---- while pages are captured ------------------------------------------- */

/*
 * Bring the file into the state that it has in the middle of a commit or a
 * spill. In this state, the pages are not dirty any more, but they are not
 * attached yet.
 */
static struct msyncfs_capture *captured(struct kunit *test,
					struct atomic_fixture *fx)
{
	struct inode *inode = file_inode(fx->file);
	struct msyncfs_capture *cap;

	mutex_lock(&MSYNCFS_I(inode)->i_commit_lock);
	cap = msyncfs_capture_pages(inode, 0, ULONG_MAX, ULONG_MAX, ULONG_MAX);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	return cap;
}

/* Give the capture back, as a failed commit does. */
static void uncaptured(struct msyncfs_capture *cap)
{
	struct inode *inode = cap->inode;

	msyncfs_capture_redirty(cap, 0);
	msyncfs_capture_put(cap);
	mutex_unlock(&MSYNCFS_I(inode)->i_commit_lock);
}

/*
 * The last close waits until the capture has ended. After the wait, the close
 * discards the changed pages.
 */
static void atomic_captured_close(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct other o = { .fx = fx, .what = other_close };
	struct inode *inode = file_inode(fx->file);
	struct msyncfs_capture *cap;

	ihold(inode);
	model_overwrite(test, fx, 2);
	cap = captured(test, fx);
	other_start(test, &o);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o.done));
	uncaptured(cap);
	other_end(test, &o, 0);
	KUNIT_EXPECT_EQ(test, write_inode_now(inode, 1), 0);
	iput(inode);
	model_open(fx);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	model_settled(test, fx, true);
}

/*
 * A freeze of the filesystem does not wait for the thread that has captured
 * pages. If the capture ends after the freeze, nothing is written. A sync waits
 * for the thaw.
 */
static void atomic_captured_freeze(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct other s = { .fx = fx, .what = other_sync };
	struct msyncfs_inode_info *mi = MSYNCFS_I(file_inode(fx->file));
	struct super_block *sb = fx->fake->sb;
	struct msyncfs_capture *cap;

	model_overwrite(test, fx, 2);
	cap = captured(test, fx);
	/*
	 * The freeze begins with a sync, and the sync would wait for this lock.
	 */
	mutex_unlock(&mi->i_commit_lock);
	KUNIT_ASSERT_EQ(test, msyncfs_kunit_freeze(sb), 0);
	mutex_lock(&mi->i_commit_lock);
	iolog_reset(fx->log);
	other_start(test, &s);
	uncaptured(cap);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(s.done));
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_kunit_thaw(sb), 0);
	other_end(test, &s, 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
}

/*
 * SEEK_DATA finds a dirty page without a block, even if a capture has taken the
 * reservation of the page.
 */
static void atomic_captured_seek(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct other o = { .fx = fx, .what = other_seek };
	struct msyncfs_inode_info *mi = MSYNCFS_I(file_inode(fx->file));
	LIST_HEAD(taken);

	model_write(test, fx, MODEL_PAGES + 9, 2, 2);
	mutex_lock(&mi->i_commit_lock);
	down_write(&mi->i_freeze);
	msyncfs_resv_take(&mi->vfs_inode, &taken);
	up_write(&mi->i_freeze);
	other_start(test, &o);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o.done));
	msyncfs_resv_return(&mi->vfs_inode, &taken);
	mutex_unlock(&mi->i_commit_lock);
	other_end(test, &o, (MODEL_PAGES + 9) * PAGE_SIZE);
}

static struct kunit_case atomic_others_cases[] = {
	KUNIT_CASE_PARAM(atomic_others, other_gen_params),
	KUNIT_CASE(atomic_frozen),
	KUNIT_CASE(atomic_captured_close),
	KUNIT_CASE(atomic_captured_freeze),
	KUNIT_CASE(atomic_captured_seek),
	{}
};

static struct kunit_suite atomic_others_suite = {
	.name		= "msyncfs_atomic_others",
	.test_cases	= atomic_others_cases,
};

kunit_test_suite(atomic_others_suite);
