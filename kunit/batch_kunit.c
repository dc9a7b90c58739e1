// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the ioctls of f2fs that start, commit and abort a batch. A
 * crash, an abort or a close before the commit restores the old content of the
 * file. A crash after the commit does not change the new content.
 */
#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>
#include <linux/writeback.h>
#include <linux/msyncfs.h>
#include <uapi/linux/f2fs.h>

#include "model.h"

KUNIT_ARRAY_PARAM_DESC(change, model_changes, name);

#define MAX_IO	120

static int batch(struct file *file, unsigned int cmd)
{
	return file->f_op->unlocked_ioctl(file, cmd, 0);
}

static int start(struct file *file)
{
	return batch(file, F2FS_IOC_START_ATOMIC_WRITE);
}

static int commit(struct file *file)
{
	return batch(file, F2FS_IOC_COMMIT_ATOMIC_WRITE);
}

static int abort_batch(struct file *file)
{
	return batch(file, F2FS_IOC_ABORT_ATOMIC_WRITE);
}

/* Make the file of model_prepare() an ordinary file, and start a batch. */
static void begin(struct kunit *test, struct atomic_fixture *fx)
{
	struct inode *inode = file_inode(fx->file);

	if (!fx->sbi->options.atomic)
		KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(inode, false), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	fx->space = msyncfs_space_avail(fx->fake->sb);
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, start(fx->file), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
}

static void again(struct kunit *test, struct atomic_fixture *fx)
{
	model_prepare(test, fx);
	begin(test, fx);
}

static struct atomic_fixture *setup(struct kunit *test, unsigned int features)
{
	struct atomic_fixture *fx = model_setup(test, features, NULL);

	begin(test, fx);
	return fx;
}

/* ---- commit, abort, close, crash ----------------------------------------- */

static void batch_commit(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	struct inode *inode;
	unsigned int mode;

	for (mode = 0; mode < SPILL_MODES; mode++) {
		model_change(test, fx, row, mode);
		model_crash(test, fx, UINT_MAX);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->old), -1,
				    "not committed, mode %u", mode);
		model_settled(test, fx, true);
		fx->now = fx->old;

		again(test, fx);
		model_change(test, fx, row, mode);
		KUNIT_EXPECT_EQ(test, commit(fx->file), 0);
		inode = file_inode(fx->file);
		KUNIT_EXPECT_FALSE(test, msyncfs_is_atomic(inode));
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
		/* Nothing is left for a sync. */
		iolog_reset(fx->log);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
		KUNIT_EXPECT_EQ(test, commit(fx->file), -EINVAL);
		KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 0);
		model_crash(test, fx, 0);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->now), -1,
				    "committed, mode %u", mode);
		model_settled(test, fx, false);
		again(test, fx);
	}
}

/* Close one of several descriptors of the process that started the batch. */
static void do_flush(struct kunit *test, struct atomic_fixture *fx)
{
	struct file *file = fx->file;

	/* A child of this process closes its copy of the descriptor. */
	KUNIT_EXPECT_EQ(test, file->f_op->flush(file, fx), 0);
	KUNIT_EXPECT_TRUE(test, msyncfs_is_atomic(file_inode(file)));
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	KUNIT_EXPECT_EQ(test, file->f_op->flush(file, current->files), 0);
}

static void do_release(struct kunit *test, struct atomic_fixture *fx)
{
	struct file *other = msyncfs_fake_open(fx->fake, "f", O_RDWR);

	msyncfs_fake_close(fx->fake, fx->file);
	fx->file = other;
}

static void do_abort(struct kunit *test, struct atomic_fixture *fx)
{
	KUNIT_EXPECT_EQ(test, abort_batch(fx->file), 0);
}

/* No write is necessary, so a frozen filesystem does not delay a close. */
static void do_frozen(struct kunit *test, struct atomic_fixture *fx)
{
	struct super_block *sb = fx->fake->sb;

	KUNIT_ASSERT_EQ(test, msyncfs_kunit_freeze(sb), 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	do_flush(test, fx);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	KUNIT_ASSERT_EQ(test, msyncfs_kunit_thaw(sb), 0);
}

static const struct end_row {
	const char	*name;
	void		(*end)(struct kunit *test, struct atomic_fixture *fx);
} end_rows[] = {
	{ "abort", do_abort },
	{ "close", do_flush },
	{ "release", do_release },
	{ "close, frozen", do_frozen },
};

KUNIT_ARRAY_PARAM_DESC(end, end_rows, name);

static void batch_end(struct kunit *test)
{
	const struct end_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	const struct change_row *change;
	unsigned int i, mode;

	for (i = 0; i < ARRAY_SIZE(model_changes) * SPILL_TWICE; i++) {
		change = &model_changes[i / SPILL_TWICE];
		mode = i % SPILL_TWICE;
		model_change(test, fx, change, mode);
		row->end(test, fx);
		KUNIT_EXPECT_FALSE(test,
				   msyncfs_is_atomic(file_inode(fx->file)));
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->old), -1,
				    "%s, mode %u", change->name, mode);
		model_settled(test, fx, true);
		model_crash(test, fx, 0);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->old), -1,
				    "%s, mode %u, crash", change->name, mode);
		fx->now = fx->old;
		again(test, fx);
	}
}

/* Neither sync(2) nor a commit of another file commits a batch. */
static void batch_others(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	struct super_block *sb = fx->fake->sb;
	struct file *g;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(model_changes); i++) {
		model_changes[i].make(test, fx, 2);
		g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
		files_write(test, g, 0, 40, 9);
		KUNIT_EXPECT_EQ(test, vfs_fsync(g, 0), 0);
		msyncfs_fake_close(fx->fake, g);
		sb = fx->fake->sb;
		down_read(&sb->s_umount);
		writeback_inodes_sb(sb, WB_REASON_SYNC);
		KUNIT_EXPECT_EQ(test, sync_filesystem(sb), 0);
		up_read(&sb->s_umount);
		KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(sb), 0);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->now), -1, "%s",
				    model_changes[i].name);
		model_crash(test, fx, UINT_MAX);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->old), -1, "%s",
				    model_changes[i].name);
		again(test, fx);
	}
}

/* ---- cost ---------------------------------------------------------------- */

/* A commit is one write that bypasses the cache, also if the file grows. */
static void batch_cost(struct kunit *test)
{
	static const unsigned int first[] = { 5, MODEL_PAGES };
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE |
					  MSYNCFS_FAKE_FUA);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(first); i++) {
		model_write(test, fx, first[i], 16, 3);
		iolog_reset(fx->log);
		KUNIT_EXPECT_EQ(test, commit(fx->file), 0);
		KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
		KUNIT_EXPECT_TRUE(test, fx->log->io[0].opf & REQ_FUA);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_EQ(test, start(fx->file), 0);
		KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
	}
	KUNIT_EXPECT_EQ(test, abort_batch(fx->file), 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
}

/* ---- refusals ------------------------------------------------------------ */

static ssize_t write_byte(struct file *file)
{
	loff_t pos = 0;

	return kernel_write(file, "x", 1, &pos);
}

/* What other open files can do during a batch. */
static void batch_busy(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	struct file *other = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	struct inode *inode = file_inode(other);

	model_change(test, fx, &model_changes[0], SPILL_NEVER);
	KUNIT_EXPECT_EQ(test, start(fx->file), 0);
	KUNIT_EXPECT_EQ(test, start(other), -EBUSY);
	KUNIT_EXPECT_EQ(test, commit(other), -EBUSY);
	KUNIT_EXPECT_EQ(test, abort_batch(other), -EBUSY);
	KUNIT_EXPECT_EQ(test, write_byte(other), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_truncate(other, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, vfs_truncate(&other->f_path, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_punch(other, 0, 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_sync(other), -EAGAIN);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EAGAIN);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_set(inode, true), -EBUSY);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(inode), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_read(other, 3), 2);
	msyncfs_fake_close(fx->fake, other);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	KUNIT_EXPECT_EQ(test, commit(fx->file), 0);

	/* After the batch, all of this works again. */
	other = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	KUNIT_EXPECT_EQ(test, write_byte(other), 1);
	KUNIT_EXPECT_EQ(test, files_sync(other), 0);
	KUNIT_EXPECT_EQ(test, start(other), 0);
	KUNIT_EXPECT_EQ(test, write_byte(fx->file), -EBUSY);
	KUNIT_EXPECT_EQ(test, abort_batch(other), 0);
	KUNIT_EXPECT_EQ(test, abort_batch(other), 0);
}

static int start_as_nobody(struct kunit *test, struct file *file)
{
	struct cred *cred = prepare_creds();
	const struct cred *old;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->fsuid = KUIDT_INIT(1000);
	cap_clear(cred->cap_effective);
	old = override_creds(cred);
	err = start(file);
	revert_creds(old);
	put_cred(cred);
	return err;
}

static int start_with(struct atomic_fixture *fx, int flags)
{
	struct file *file = msyncfs_fake_open(fx->fake, "f", flags);
	int err = start(file);

	msyncfs_fake_close(fx->fake, file);
	return err;
}

static void batch_refused(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	struct inode *inode = file_inode(fx->file);
	struct file *dir;
	unsigned long at;
	u32 features;

	KUNIT_EXPECT_EQ(test, commit(fx->file), 0);
	KUNIT_EXPECT_EQ(test, commit(fx->file), -EINVAL);
	KUNIT_EXPECT_EQ(test, start_with(fx, O_RDONLY), -EBADF);
	KUNIT_EXPECT_EQ(test, start_with(fx, O_RDWR | O_DIRECT), -EINVAL);
	KUNIT_EXPECT_EQ(test, start_with(fx, O_RDWR | O_DSYNC), -EINVAL);
	KUNIT_EXPECT_EQ(test, start_as_nobody(test, fx->file), -EACCES);
	dir = msyncfs_fake_open(fx->fake, ".", O_RDONLY | O_DIRECTORY);
	KUNIT_EXPECT_EQ(test, start(dir), -EBADF);
	inode_set_flags(inode, S_APPEND, S_APPEND);
	KUNIT_EXPECT_EQ(test, start(fx->file), -EPERM);
	inode_set_flags(inode, 0, S_APPEND);

	/* A file that becomes immutable stays as it was before the batch. */
	KUNIT_EXPECT_EQ(test, start(fx->file), 0);
	model_overwrite(test, fx, 5);
	inode_set_flags(inode, S_IMMUTABLE, S_IMMUTABLE);
	KUNIT_EXPECT_EQ(test, commit(fx->file), -EPERM);
	KUNIT_EXPECT_EQ(test, abort_batch(fx->file), 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	inode_set_flags(inode, 0, S_IMMUTABLE);

	files_flush_fput(test);
	at = files_map(test, NULL, 1, MAP_PRIVATE | MAP_ANONYMOUS);
	KUNIT_EXPECT_EQ(test, dir->f_op->unlocked_ioctl(dir,
							F2FS_IOC_GET_FEATURES,
							at), 0);
	KUNIT_EXPECT_EQ(test, get_user(features, (u32 __user *)at), 0);
	KUNIT_EXPECT_EQ(test, features, MSYNCFS_F2FS_ATOMIC_WRITE);

	/* The commit needs the log. */
	KUNIT_EXPECT_EQ(test, start(fx->file), 0);
	KUNIT_EXPECT_EQ(test, put_user(MSYNCFS_SHUTDOWN_NOLOGFLUSH,
				       (u32 __user *)at), 0);
	KUNIT_EXPECT_EQ(test, dir->f_op->unlocked_ioctl(dir,
							MSYNCFS_IOC_SHUTDOWN,
							at), 0);
	vm_munmap(at, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, commit(fx->file), -EIO);
	KUNIT_EXPECT_EQ(test, abort_batch(fx->file), -EIO);
}

/* ---- atomic files -------------------------------------------------------- */

static void on_atomic(struct kunit *test, const char *options)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE,
						options);
	struct inode *inode = file_inode(fx->file);

	KUNIT_EXPECT_EQ(test, start(fx->file), 0);
	model_overwrite(test, fx, 2);
	model_spill(fx);
	KUNIT_EXPECT_EQ(test, commit(fx->file), 0);
	KUNIT_EXPECT_TRUE(test, msyncfs_is_atomic(inode));
	fx->old = fx->now;
	/* A batch must not take over a change that somebody made before. */
	model_write(test, fx, 9, 1, 3);
	KUNIT_EXPECT_EQ(test, start(fx->file), -EBUSY);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(inode), 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	fx->now = fx->old;
	KUNIT_EXPECT_EQ(test, start(fx->file), 0);
	model_regrow(test, fx, 4);
	KUNIT_EXPECT_EQ(test, abort_batch(fx->file), 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	KUNIT_EXPECT_TRUE(test, msyncfs_is_atomic(inode));
	/* With the mount option, the last close would commit the batch. */
	KUNIT_EXPECT_EQ(test, start(fx->file), 0);
	model_regrow(test, fx, 4);
	msyncfs_fake_close(fx->fake, fx->file);
	model_open(fx);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	model_settled(test, fx, false);
}

static void batch_atomic_flag(struct kunit *test)
{
	on_atomic(test, NULL);
}

static void batch_mount_option(struct kunit *test)
{
	on_atomic(test, "atomic");
}

/* ---- mappings ------------------------------------------------------------ */

/* A store is part of the batch, also if it came before the start. */
static void batch_mapping(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	unsigned long at;
	u8 value;

	KUNIT_EXPECT_EQ(test, commit(fx->file), 0);
	files_flush_fput(test);
	at = files_map(test, fx->file, 8, MAP_SHARED);
	KUNIT_ASSERT_EQ(test, put_user((u8)7, (u8 __user *)at), 0);
	KUNIT_EXPECT_EQ(test, start(fx->file), 0);
	/* The start has made the earlier store durable. */
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	KUNIT_ASSERT_EQ(test, put_user((u8)8, (u8 __user *)at), 0);
	KUNIT_ASSERT_EQ(test, put_user((u8)8, (u8 __user *)(at + PAGE_SIZE)),
			0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EAGAIN);
	KUNIT_EXPECT_EQ(test, abort_batch(fx->file), 0);
	KUNIT_EXPECT_EQ(test, get_user(value, (u8 __user *)at), 0);
	KUNIT_EXPECT_EQ(test, value, 7);
	KUNIT_EXPECT_EQ(test, get_user(value, (u8 __user *)(at + PAGE_SIZE)),
			0);
	KUNIT_EXPECT_EQ(test, value, 1);
	vm_munmap(at, 8 * PAGE_SIZE);
}

/* ---- failures ------------------------------------------------------------ */

/*
 * Let each I/O of a batch fail in turn. The commit repeats a failed record. If
 * the commit fails nevertheless, an abort restores the old content.
 */
static void batch_errors(struct kunit *test)
{
	/* Not every device says -EIO. */
	static const blk_status_t status[] = { BLK_STS_IOERR, BLK_STS_NOSPC,
					       BLK_STS_MEDIUM };
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int at, mode;
	bool failed;
	int err;

	for (mode = 0; mode < SPILL_TWICE; mode++) {
		for (at = 0, failed = true; failed; at++) {
			KUNIT_ASSERT_LT(test, at, MAX_IO);
			fx->fake->status = status[(at + mode) %
						  ARRAY_SIZE(status)];
			iolog_fail(fx->log, at, 1, at % 2 ?
				   MSYNCFS_FAKE_FAILS : MSYNCFS_FAKE_LANDS);
			model_change(test, fx, row, mode);
			err = commit(fx->file);
			failed = fx->log->failed;
			iolog_fail(fx->log, IOLOG_NEVER, 0,
				   MSYNCFS_FAKE_FAILS);
			KUNIT_EXPECT_EQ_MSG(test,
					    model_differs(fx, &fx->now), -1,
					    "in memory, I/O %u", at);
			if (!err)
				KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
			else if (!msyncfs_log_dead(fx->sbi))
				do_abort(test, fx);
			if (!msyncfs_log_dead(fx->sbi)) {
				model_settled(test, fx, false);
				if (err)
					fx->now = fx->old;
			}
			model_crash(test, fx, at % 3 ? UINT_MAX : 0);
			if (err && model_differs(fx, &fx->old) < 0)
				fx->now = fx->old;
			KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->now),
					    -1, "I/O %u: %d", at, err);
			model_settled(test, fx, false);
			again(test, fx);
		}
	}
}

/* Let the power fail at each I/O of a batch in turn. */
static void batch_power(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int at, mode;
	bool cut, acked;

	for (mode = 0; mode < SPILL_TWICE; mode++) {
		for (at = 0, cut = true; cut; at++) {
			KUNIT_ASSERT_LT(test, at, MAX_IO);
			iolog_cut(fx->log, at);
			model_change(test, fx, row, mode);
			acked = !commit(fx->file) && !fx->log->cut;
			cut = fx->log->cut;
			model_crash(test, fx, at % 3 == 2 ? UINT_MAX :
				    at % 3 * (at + 7));
			if (!acked && model_differs(fx, &fx->old) < 0)
				fx->now = fx->old;
			KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->now),
					    -1, "I/O %u", at);
			model_settled(test, fx, false);
			again(test, fx);
		}
	}
}

static struct kunit_case batch_cases[] = {
	KUNIT_CASE_PARAM(batch_commit, change_gen_params),
	KUNIT_CASE_PARAM(batch_end, end_gen_params),
	KUNIT_CASE(batch_others),
	KUNIT_CASE(batch_cost),
	KUNIT_CASE(batch_busy),
	KUNIT_CASE(batch_refused),
	KUNIT_CASE(batch_atomic_flag),
	KUNIT_CASE(batch_mount_option),
	KUNIT_CASE(batch_mapping),
	KUNIT_CASE_PARAM_ATTR(batch_errors, change_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(batch_power, change_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite batch_suite = {
	.name		= "msyncfs_batch",
	.test_cases	= batch_cases,
};

kunit_test_suite(batch_suite);
