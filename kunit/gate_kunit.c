// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the gate (R7): while the filesystem is frozen or read-only,
 * nothing changes the device. After the thaw or the remount, all changes can
 * become durable. No task waits for the thaw while it holds a lock.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/fs_context.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "fs/vfs/vfs.h"
#include "model.h"

#define PAGES	4

/* Let the timers of the log run now. */
static void run_timers(struct atomic_fixture *fx)
{
	struct msyncfs_log *log = fx->sbi->log;

	mod_delayed_work(fx->sbi->wq, &log->commit_work, 0);
	mod_delayed_work(fx->sbi->wq, &log->checkpoint_timer, 0);
	queue_work(fx->sbi->wq, &log->checkpoint_work);
	flush_delayed_work(&log->commit_work);
	flush_delayed_work(&log->checkpoint_timer);
	flush_work(&log->checkpoint_work);
}

static void freeze(struct kunit *test, struct atomic_fixture *fx)
{
	KUNIT_ASSERT_EQ(test, msyncfs_kunit_freeze(fx->fake->sb),
			0);
	iolog_reset(fx->log);
}

/* Open the atomic file for reading, as the VFS allows while it is frozen. */
static void reopen(struct atomic_fixture *fx)
{
	fx->file = msyncfs_fake_open(fx->fake, "f", O_RDONLY);
}

/* Expect that nothing has changed the device, and thaw the filesystem. */
static void thaw(struct kunit *test, struct atomic_fixture *fx)
{
	try_to_writeback_inodes_sb(fx->fake->sb, WB_REASON_SYNC);
	run_timers(fx);
	msleep(200);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_kunit_thaw(fx->fake->sb),
			0);
}

/* Freeze the filesystem. The other task must wait for the thaw, and succeed. */
static void expect_wait(struct kunit *test, struct atomic_fixture *fx,
			struct other *o)
{
	freeze(test, fx);
	other_start(test, o);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o->done));
	thaw(test, fx);
	other_end(test, o, 0);
}

/* Use an ordinary file of PAGES pages instead of the atomic file. */
static void use_ordinary(struct kunit *test, struct atomic_fixture *fx)
{
	msyncfs_fake_close(fx->fake, fx->file);
	fx->file = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	files_write(test, fx->file, 0, PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
}

/*
 * Store to a page as the end of an O_DIRECT read does: the page was pinned
 * through a mapping before the freeze.
 */
static void store_pinned(struct kunit *test, struct atomic_fixture *fx,
			 pgoff_t index, u8 fill)
{
	struct folio *folio = filemap_get_folio(fx->file->f_mapping, index);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	memset(folio_address(folio), fill, PAGE_SIZE);
	folio_lock(folio);
	folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
}

static loff_t do_fsync(struct atomic_fixture *fx)
{
	return vfs_fsync(fx->file, 0);
}

static loff_t do_close(struct atomic_fixture *fx)
{
	msyncfs_fake_close(fx->fake, fx->file);
	return 0;
}

/* ---- frozen -------------------------------------------------------------- */

static void gate_pinned(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct other o = { .fx = fx, .what = do_fsync };

	use_ordinary(test, fx);
	freeze(test, fx);
	store_pinned(test, fx, 1, 2);
	other_start(test, &o);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(o.done));
	/* Reads go on. */
	files_expect(test, fx->file, 0, 1, 1);
	files_expect(test, fx->file, 1, 1, 2);
	thaw(test, fx);
	other_end(test, &o, 0);
	model_crash(test, fx, 0);
	msyncfs_fake_close(fx->fake, fx->file);
	fx->file = msyncfs_fake_open(fx->fake, "g", O_RDWR);
	files_expect(test, fx->file, 0, 1, 1);
	files_expect(test, fx->file, 1, 1, 2);
}

/* Background writeback takes the page before the thaw. */
static void gate_writeback(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int i;

	use_ordinary(test, fx);
	freeze(test, fx);
	store_pinned(test, fx, 1, 2);
	thaw(test, fx);
	for (i = 0; i < 500 && !fx->log->nr; i++)
		msleep(20);
	KUNIT_EXPECT_GT(test, fx->log->nr, 0);
	files_settled(test, fx->fake->sb);
}

/*
 * A freeze does not write the times of a file without links. So an fsync that
 * comes after the freeze has something to commit. The last close deletes the
 * file.
 */
static void gate_unlinked(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct other o = { .fx = fx, .what = do_fsync };
	struct other c = { .fx = fx, .what = do_close };
	u64 space = msyncfs_space_avail(fx->fake->sb);

	use_ordinary(test, fx);
	KUNIT_ASSERT_EQ(test, files_unlink(fx->fake, "g"), 0);
	inode_set_mtime(file_inode(fx->file), 1, 0);
	mark_inode_dirty(file_inode(fx->file));
	expect_wait(test, fx, &o);

	freeze(test, fx);
	other_start(test, &c);
	other_end(test, &c, 0);
	thaw(test, fx);
	model_open(fx);
	files_settled(test, fx->fake->sb);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fx->fake->sb), space);
}

/*
 * The last close of a file that is atomic by the mount option commits the file.
 * On a frozen filesystem it must not wait, because an open waits for it.
 */
static void gate_close(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE,
						"atomic");
	struct other c = { .fx = fx, .what = do_close };
	unsigned int i;

	model_overwrite(test, fx, 2);
	freeze(test, fx);
	other_start(test, &c);
	for (i = 0; i < 50 && !READ_ONCE(c.done); i++)
		msleep(20);
	KUNIT_EXPECT_TRUE(test, c.done);
	if (READ_ONCE(c.done)) {
		reopen(fx);
		KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	}
	thaw(test, fx);
	other_end(test, &c, 0);
	KUNIT_EXPECT_EQ(test, vfs_fsync(fx->file, 0), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
}

/* A last close that rolls the file back writes nothing. */
static void gate_rollback(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);

	model_large(test, fx, 2);
	KUNIT_ASSERT_EQ(test, model_spill(fx), 0);
	freeze(test, fx);
	msyncfs_fake_close(fx->fake, fx->file);
	reopen(fx);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	thaw(test, fx);
	model_settled(test, fx, true);
}

/* A set that goes to fresh blocks stays dirty until the thaw. */
static void gate_fresh(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct other o = { .fx = fx, .what = do_fsync };

	model_large(test, fx, 2);
	expect_wait(test, fx, &o);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
}

/* ---- read-only ----------------------------------------------------------- */

/* Remount the filesystem as mount(2) and SysRq-U do. Return the error. */
static int remount(struct kunit *test, struct atomic_fixture *fx,
		   unsigned int flags)
{
	struct super_block *sb = fx->fake->sb;
	struct fs_context fc = {
		.purpose	= FS_CONTEXT_FOR_RECONFIGURE,
		.root		= fx->fake->mnt->mnt_root,
		.sb_flags	= flags,
		.sb_flags_mask	= SB_RDONLY,
	};
	int err;

	KUNIT_ASSERT_EQ(test, sb->s_type->init_fs_context(&fc), 0);
	down_write(&sb->s_umount);
	err = fc.ops->reconfigure(&fc);
	if (!err)
		sb->s_flags = (sb->s_flags & ~SB_RDONLY) | (flags & SB_RDONLY);
	up_write(&sb->s_umount);
	fc.ops->free(&fc);
	iolog_reset(fx->log);
	return err;
}

static void gate_forced(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);

	model_overwrite(test, fx, 2);
	/* Without force, the remount is refused. */
	KUNIT_EXPECT_EQ(test, remount(test, fx, SB_RDONLY), -EBUSY);
	KUNIT_ASSERT_EQ(test, remount(test, fx, SB_RDONLY | SB_FORCE), 0);
	/* The remount may have spilled the other pages. */
	store_pinned(test, fx, 20, 3);
	fx->now.fill[20] = 3;
	KUNIT_EXPECT_EQ(test, vfs_fsync(fx->file, 0), -EROFS);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	filemap_flush(fx->file->f_mapping);
	run_timers(fx);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);

	KUNIT_ASSERT_EQ(test, remount(test, fx, 0), 0);
	KUNIT_EXPECT_EQ(test, vfs_fsync(fx->file, 0), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
}

/*
 * The last record before a forced remount fails, but reaches the device. As
 * nothing may be written later, the remount invalidates the record (R5).
 */
static void gate_forced_failed(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct super_block *sb = fx->fake->sb;
	struct file *g;

	g = msyncfs_fake_open(fx->fake, "new", O_CREAT | O_RDWR);
	msyncfs_fake_close(fx->fake, g);
	iolog_reset(fx->log);
	iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_LANDS);
	down_write(&sb->s_umount);
	KUNIT_EXPECT_EQ(test, msyncfs_gate_close(sb, MSYNCFS_SB_RDONLY, true),
			0);
	sb->s_flags |= SB_RDONLY;
	up_write(&sb->s_umount);
	KUNIT_EXPECT_EQ(test, fx->log->failed, 1);
	KUNIT_EXPECT_FALSE(test, msyncfs_log_dead(fx->sbi));
	model_crash(test, fx, UINT_MAX);
	KUNIT_EXPECT_EQ(test, files_unlink(fx->fake, "new"), -ENOENT);
}

/* ---- label --------------------------------------------------------------- */

static void expect_label(struct kunit *test, struct msyncfs_fake *fake,
			 const char *label)
{
	struct msyncfs_disk_super *ds = kunit_kzalloc(test, MSYNCFS_BLOCK_SIZE,
						      GFP_KERNEL);
	const u64 blkno[] = { MSYNCFS_SUPER_BLKNO, fake->geo.blocks - 1 };
	struct msyncfs_geo geo;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, ds);
	for (i = 0; i < ARRAY_SIZE(blkno); i++) {
		msyncfs_fake_read(fake, blkno[i], ds);
		KUNIT_EXPECT_NULL(test, msyncfs_verify_super(ds, fake->geo.blocks,
							     &geo));
		KUNIT_EXPECT_STREQ(test, (char *)ds->label, label);
	}
}

/* A new label is durable at once. It does not change if the gate is closed. */
static void gate_label(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	static const char first[MSYNCFS_LABEL_LEN] = "first";
	static const char second[MSYNCFS_LABEL_LEN] = "second";
	struct msyncfs_fake *fake = fx->fake;

	KUNIT_EXPECT_EQ(test, msyncfs_set_label(fake->sb, first), 0);
	freeze(test, fx);
	KUNIT_EXPECT_EQ(test, msyncfs_set_label(fake->sb, second), -EFSFROZEN);
	thaw(test, fx);
	msyncfs_fake_fail(fake, MSYNCFS_FAKE_WRITE, 0, 1);
	KUNIT_EXPECT_EQ(test, msyncfs_set_label(fake->sb, second), -EIO);
	KUNIT_EXPECT_STREQ(test, (char *)fx->sbi->ds->label, first);
	msyncfs_fake_close(fake, fx->file);
	msyncfs_fake_crash(fake, NULL, NULL);
	expect_label(test, fake, first);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	KUNIT_EXPECT_STREQ(test, (char *)MSYNCFS_SB(fake->sb)->ds->label, first);
}

static struct kunit_case gate_cases[] = {
	KUNIT_CASE(gate_pinned),
	KUNIT_CASE(gate_writeback),
	KUNIT_CASE(gate_unlinked),
	KUNIT_CASE(gate_close),
	KUNIT_CASE(gate_rollback),
	KUNIT_CASE(gate_fresh),
	KUNIT_CASE(gate_forced),
	KUNIT_CASE(gate_forced_failed),
	KUNIT_CASE(gate_label),
	{}
};

static struct kunit_suite gate_suite = {
	.name		= "msyncfs_gate",
	.test_cases	= gate_cases,
};

kunit_test_suite(gate_suite);
