// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for atomic files: after a crash at any time, the file has the
 * content of its last commit. The suite makes the same changes to a model, and
 * compares the pages and the size of the file with the model. No block may be
 * lost or stay promised. atomic_others_kunit.c tests activity of other tasks.
 * atomic_fail_kunit.c tests failures.
 */
#include <kunit/test.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "model.h"

KUNIT_ARRAY_PARAM_DESC(change, model_changes, name);

/* ---- crash, commit, discard --------------------------------------------- */

/*
 * A crash before the commit discards all changes. A crash after the commit
 * discards no change.
 */
static void atomic_crash(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int mode;

	for (mode = 0; mode < SPILL_MODES; mode++) {
		model_change(test, fx, row, mode);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->now), -1,
				    "in memory, mode %u", mode);
		model_crash(test, fx, UINT_MAX);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->old), -1,
				    "not committed, mode %u", mode);
		model_settled(test, fx, true);
		fx->now = fx->old;

		model_prepare(test, fx);
		model_change(test, fx, row, mode);
		/* The call names one page and commits the whole file. */
		KUNIT_EXPECT_EQ(test, vfs_fsync_range(fx->file, 0,
						      PAGE_SIZE - 1, 1), 0);
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
		KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 0);
		model_crash(test, fx, 0);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->now), -1,
				    "committed, mode %u", mode);
		model_settled(test, fx, false);
		model_prepare(test, fx);
	}
}

/* Without a crash, the commit leaves no block promised. */
static void atomic_commit(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int mode;

	for (mode = 0; mode < SPILL_MODES; mode++) {
		model_change(test, fx, row, mode);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		model_settled(test, fx, false);
		invalidate_mapping_pages(fx->file->f_mapping, 0, ULONG_MAX);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->now), -1,
				    "mode %u", mode);
		/* A second commit has nothing to do. */
		iolog_reset(fx->log);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
		model_prepare(test, fx);
	}
}

/*
 * A rollback or the last close restores the committed content of the file. The
 * file has its committed blocks again.
 */
static void atomic_discard(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int mode;

	for (mode = 0; mode < SPILL_MODES; mode++) {
		model_change(test, fx, row, mode);
		KUNIT_EXPECT_EQ(test,
				msyncfs_atomic_rollback(file_inode(fx->file)),
				0);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->old), -1,
				    "rolled back, mode %u", mode);
		fx->now = fx->old;
		model_settled(test, fx, true);

		model_change(test, fx, row, mode);
		msyncfs_fake_close(fx->fake, fx->file);
		model_open(fx);
		KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->old), -1,
				    "closed, mode %u", mode);
		fx->now = fx->old;
		model_settled(test, fx, true);
		/*
		 * After the rollback or the close, the file can be changed
		 * again.
		 */
		model_change(test, fx, row, mode);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
		model_prepare(test, fx);
	}
}

/* With the mount option "atomic", the last close of a file commits the file. */
static void atomic_mount_option(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx;
	struct file *again;

	fx = model_setup(test, MSYNCFS_FAKE_CACHE, "atomic");
	KUNIT_EXPECT_TRUE(test, msyncfs_is_atomic(file_inode(fx->file)));
	again = msyncfs_fake_open(fx->fake, "f", O_RDONLY);
	model_change(test, fx, row, SPILL_ONCE);
	msyncfs_fake_close(fx->fake, fx->file);
	/*
	 * The file is still open as @again, so the first close commits nothing.
	 */
	KUNIT_EXPECT_TRUE(test, files_dirty(again) ||
			  msyncfs_overlay_uncommitted(file_inode(again)));
	msyncfs_fake_close(fx->fake, again);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	model_settled(test, fx, false);
}

/* ---- several files at once ---------------------------------------------- */

static const struct set_row {
	const char	*name;
	unsigned int	pages;	/* size of each file */
	bool		spilled;
} set_rows[] = {
	{ "copied", 5, false },
	{ "copied, spilled", 5, true },
	{ "fresh", 50, false },
	{ "fresh, spilled", 50, true },
};

KUNIT_ARRAY_PARAM_DESC(set, set_rows, name);

/*
 * One call syncs an ordinary file and an atomic file. The call commits the
 * whole atomic file.
 */
static void atomic_set_of_files(struct kunit *test)
{
	const struct set_row *row = test->param_value;
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	struct msyncfs_range ranges[2] = {
		{ .inode = file_inode(fx->file), .first = 0, .last = 0 },
		{ .inode = file_inode(g), .first = 0, .last = 100 },
	};

	if (ranges[0].inode > ranges[1].inode)
		swap(ranges[0], ranges[1]);
	if (row->spilled) {
		model_write(test, fx, 50, 10, 5);
		model_spill(fx);
		model_write(test, fx, 52, 1, 6);
	}
	model_write(test, fx, 1, row->pages, 2);
	files_write(test, g, 0, row->pages, 2);
	KUNIT_EXPECT_EQ(test, msyncfs_sync_ranges(ranges, 2, true), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	msyncfs_fake_close(fx->fake, g);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	g = msyncfs_fake_open(fx->fake, "g", O_RDWR);
	files_expect(test, g, 0, row->pages, 2);
	model_settled(test, fx, false);
}

/* ---- cost --------------------------------------------------------------- */

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

/*
 * A commit of an atomic file does the same I/O as a commit of an ordinary file.
 */
static void atomic_cost(struct kunit *test)
{
	static const unsigned int pages[] = { 1, 16 };
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE |
					  MSYNCFS_FAKE_FUA, NULL);
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	u64 atomic[4], ordinary[4];
	unsigned int i;

	files_write(test, g, 0, MODEL_PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	files_quiet(fx->fake);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		io_of(test, fx, fx->file, pages[i], atomic);
		io_of(test, fx, g, pages[i], ordinary);
		KUNIT_EXPECT_MEMEQ(test, atomic, ordinary, sizeof(atomic));
	}
}

/* ---- mappings ----------------------------------------------------------- */

/*
 * A rollback restores the pages of shared mappings. It does not change the
 * private copies of pages. A store to a shared mapping reserves space.
 */
static void atomic_mapping(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct inode *inode = file_inode(fx->file);
	unsigned long shared, private;
	u8 value;

	files_flush_fput(test);
	shared = files_map(test, fx->file, 8, MAP_SHARED);
	private = files_map(test, fx->file, 8, MAP_PRIVATE);
	KUNIT_ASSERT_EQ(test, put_user((u8)7, (u8 __user *)private), 0);
	KUNIT_ASSERT_EQ(test, put_user((u8)8, (u8 __user *)shared), 0);
	KUNIT_ASSERT_EQ(test, put_user((u8)8,
				       (u8 __user *)(shared + PAGE_SIZE)), 0);
	KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(inode, 0));
	model_spill(fx);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(inode), 0);
	KUNIT_EXPECT_EQ(test, get_user(value, (u8 __user *)shared), 0);
	KUNIT_EXPECT_EQ(test, value, 1);
	KUNIT_EXPECT_EQ(test, get_user(value, (u8 __user *)private), 0);
	KUNIT_EXPECT_EQ(test, value, 7);
	model_settled(test, fx, true);

	/*
	 * A commit uses the reservation. The next store makes a new
	 * reservation.
	 */
	KUNIT_ASSERT_EQ(test, put_user((u8)9, (u8 __user *)shared), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_FALSE(test, msyncfs_resv_test(inode, 0));
	KUNIT_ASSERT_EQ(test, put_user((u8)10, (u8 __user *)shared), 0);
	KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(inode, 0));
	vm_munmap(shared, 8 * PAGE_SIZE);
	vm_munmap(private, 8 * PAGE_SIZE);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, files_read(fx->file, 0), -EILSEQ);
}

/* ---- the flag ----------------------------------------------------------- */

static void atomic_flag(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct inode *inode = file_inode(fx->file);

	/* Setting the flag is durable. Clearing the flag is durable, too. */
	model_crash(test, fx, 0);
	inode = file_inode(fx->file);
	KUNIT_EXPECT_TRUE(test, msyncfs_is_atomic(inode));
	model_regrow(test, fx, 2);
	model_spill(fx);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_set(inode, false), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(inode), -EINVAL);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_FALSE(test, msyncfs_is_atomic(file_inode(fx->file)));
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	model_settled(test, fx, false);

	/* Setting the flag commits the dirty pages of the ordinary file. */
	model_overwrite(test, fx, 5);
	inode = file_inode(fx->file);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_set(inode, true), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	KUNIT_EXPECT_EQ(test, vfs_fallocate(fx->file, 0, 0, PAGE_SIZE),
			-EOPNOTSUPP);
}

/* truncate(2) of a file that is not open commits the new size. */
static void atomic_truncate_closed(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct path path = fx->file->f_path;

	path_get(&path);
	msyncfs_fake_close(fx->fake, fx->file);
	KUNIT_EXPECT_EQ(test, vfs_truncate(&path, 10 * PAGE_SIZE + 100), 0);
	path_put(&path);
	model_open(fx);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(fx->file)),
			10 * PAGE_SIZE + 100);
	/* A truncation of an open file is not committed. */
	KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 5 * PAGE_SIZE + 7), 0);
	KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 9 * PAGE_SIZE), 0);
	files_expect(test, fx->file, 0, 5, 1);
	files_expect(test, fx->file, 5, 1, -EILSEQ);
	files_expect(test, fx->file, 6, 3, 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(fx->file)),
			10 * PAGE_SIZE + 100);
	files_expect(test, fx->file, 0, 10, 1);
	model_settled(test, fx, false);
}

static struct kunit_case atomic_cases[] = {
	KUNIT_CASE_PARAM(atomic_crash, change_gen_params),
	KUNIT_CASE_PARAM(atomic_commit, change_gen_params),
	KUNIT_CASE_PARAM(atomic_discard, change_gen_params),
	KUNIT_CASE_PARAM(atomic_mount_option, change_gen_params),
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
