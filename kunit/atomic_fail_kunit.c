// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for atomic files: an error or a power failure at each I/O of a
 * spill or a commit, and a full filesystem.
 */
#include <kunit/test.h>

#include "model.h"

KUNIT_ARRAY_PARAM_DESC(change, model_changes, name);

#define MAX_IO	120

/* ---- failures ----------------------------------------------------------- */

/*
 * Expect the old content or the new content, not a mixture. Return 1 for the
 * new content.
 */
static int old_or_new(struct kunit *test, struct atomic_fixture *fx,
		      const struct change_row *row, unsigned int at)
{
	int from_old = model_differs(fx, &fx->old);
	int from_new = model_differs(fx, &fx->now);

	KUNIT_EXPECT_TRUE_MSG(test, from_old < 0 || from_new < 0,
			      "%s, I/O %u: page %d is not old, page %d not new",
			      row->name, at, from_old, from_new);
	return from_new < 0;
}

/*
 * Let each I/O of the spill and of the commit fail in turn. Half of the rounds
 * repeat a failed commit.
 */
static void atomic_errors(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int at, mode;
	bool failed, acked;

	for (mode = 0; mode < SPILL_MODES; mode += SPILL_TWICE) {
		for (at = 0, failed = true; failed; at++) {
			KUNIT_ASSERT_LT(test, at, MAX_IO);
			iolog_fail(fx->log, at, 1, MSYNCFS_FAKE_FAILS);
			model_change(test, fx, row, mode);
			acked = !files_sync(fx->file);
			failed = fx->log->failed;
			iolog_fail(fx->log, IOLOG_NEVER, 0,
				   MSYNCFS_FAKE_FAILS);
			KUNIT_EXPECT_EQ_MSG(test,
					    model_differs(fx, &fx->now), -1,
					    "in memory, I/O %u", at);
			if (!acked && at % 2)
				acked = !files_sync(fx->file);
			if (acked)
				model_settled(test, fx, false);
			model_crash(test, fx, at % 3 ? UINT_MAX : 0);
			if (acked)
				KUNIT_EXPECT_EQ_MSG(test,
						    model_differs(fx, &fx->now),
						    -1, "I/O %u", at);
			else
				old_or_new(test, fx, row, at);
			model_settled(test, fx, false);
			model_prepare(test, fx);
		}
	}
}

/*
 * The write of a record reports an error, but the record is on the device. A
 * later rollback restores the content that is in this record. The reason is
 * that the next commit writes the failed record again.
 */
static void atomic_error_rollback(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct inode *inode = file_inode(fx->file);
	struct model flight;

	model_punch(test, fx, 2);
	flight = fx->now;
	iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_LANDS);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
	model_regrow(test, fx, 3);
	model_spill(fx);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(inode), 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &flight), -1);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &flight), -1);
	model_settled(test, fx, false);
}

/* Let the power fail at each I/O of a spill and a commit in turn. */
static void atomic_power(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int at, mode, keep;
	bool cut, acked;
	int new;

	for (mode = 0; mode < SPILL_MODES; mode += SPILL_TWICE) {
		for (at = 0, cut = true; cut; at++) {
			KUNIT_ASSERT_LT(test, at, MAX_IO);
			keep = at % 3 == 2 ? UINT_MAX : at % 3 * (at + 7);
			iolog_cut(fx->log, at);
			model_change(test, fx, row, mode);
			acked = !files_sync(fx->file) && !fx->log->cut;
			cut = fx->log->cut;
			model_crash(test, fx, keep);
			new = old_or_new(test, fx, row, at);
			if (acked)
				KUNIT_EXPECT_EQ(test, new, 1);
			model_settled(test, fx, false);
			model_prepare(test, fx);
		}
	}
}

/* ---- space -------------------------------------------------------------- */

static int write_page(struct file *file, pgoff_t index, void *buf)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	ssize_t ret = kernel_write(file, buf, PAGE_SIZE, &pos);

	return ret < 0 ? ret : 0;
}

/*
 * On a full filesystem, write(2) to a clean page fails. A commit does not fail.
 */
static void atomic_nospace(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	u8 *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	unsigned int i, nr;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	nr = msyncfs_space_avail(fx->fake->sb) - 30;
	for (i = 0; i < nr && !write_page(g, i, buf); i++)
		;
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	memset(buf, 2, PAGE_SIZE);
	for (i = 0; i < MODEL_PAGES; i++) {
		err = write_page(fx->file, i, buf);
		if (err)
			break;
		fx->now.fill[i] = 2;
	}
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_GE(test, i, 10);
	KUNIT_EXPECT_LE(test, i, 40);
	/*
	 * A spill writes the dirty pages and drops them from memory. The device
	 * has no space for another page, but the commit must succeed.
	 */
	KUNIT_EXPECT_EQ(test, model_spill(fx), 0);
	KUNIT_EXPECT_EQ(test, write_page(g, nr + 100, buf), -ENOSPC);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	/* The commit has freed the old blocks, so writes succeed again. */
	for (; i < MODEL_PAGES; i++) {
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
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	model_settled(test, fx, false);
}

static struct kunit_case atomic_fail_cases[] = {
	KUNIT_CASE_PARAM_ATTR(atomic_errors, change_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(atomic_error_rollback),
	KUNIT_CASE_PARAM_ATTR(atomic_power, change_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(atomic_nospace),
	{}
};

static struct kunit_suite atomic_fail_suite = {
	.name		= "msyncfs_atomic_fail",
	.test_cases	= atomic_fail_cases,
};

kunit_test_suite(atomic_fail_suite);
