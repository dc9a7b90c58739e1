// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for home blocks that cannot be written. Their images stay in the
 * log, and no other block suffers. The suite also lets the power fail at each
 * I/O of a checkpoint and of a mount that keep such images.
 */
#include <kunit/test.h>
#include <linux/pagemap.h>

#include "fails.h"
#include "files.h"
#include "fs/map/map.h"

#define MAX_IO		40	/* no case does more I/Os */

/**
 * struct home_row - blocks that cannot be written
 * @name: description
 * @inode: the block of the inode; otherwise blocks of pages
 * @nr: number of blocks
 * @stuck: the images of the blocks stay in the log; otherwise there are too many
 */
struct home_row {
	const char	*name;
	bool		inode;
	unsigned int	nr;
	bool		stuck;
};

static const struct home_row home_rows[] = {
	{ "data", false, 1, true },
	{ "two blocks", false, 2, true },
	{ "too many blocks", false, 3, false },
	{ "inode", true, 1, true },
};

KUNIT_ARRAY_PARAM_DESC(home, home_rows, name);

/* Make home blocks bad, and write the pages that belong to them. */
static void bad_home(struct kunit *test, struct fail_fixture *fx,
		     const struct home_row *row)
{
	u64 bad = row->inode ? file_inode(fx->file)->i_ino :
			       files_block(test, fx->file, 10);

	iolog_bad(fx->log, bad, row->nr);
	files_write(test, fx->file, 10, row->nr, 2);
	if (row->inode)
		files_write(test, fx->file, FILE_PAGES, 1, 2);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
}

/* Write more to @g than the log has room for. Return the first error. */
static int fill_log(struct kunit *test, struct file *g)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < 3 * LOG_BLOCKS / 30 && !err; i++) {
		files_write(test, g, 0, 30, i);
		err = files_sync(g);
	}
	return err;
}

static void expect_bad_home(struct kunit *test, struct fail_fixture *fx,
			    const struct home_row *row)
{
	KUNIT_EXPECT_EQ(test, invalidate_inode_pages2(fx->file->f_mapping), 0);
	files_expect(test, fx->file, 0, 10, 1);
	files_expect(test, fx->file, 10, row->nr, 2);
	files_expect(test, fx->file, 10 + row->nr,
		     FILE_PAGES - 10 - row->nr, 1);
	if (row->inode)
		files_expect(test, fx->file, FILE_PAGES, 1, 2);
}

/*
 * A home block cannot be written. Other files do not suffer, and the file can be
 * read and written. The checkpoint succeeds when the block can be written again.
 */
static void stuck_home(struct kunit *test)
{
	const struct home_row *row = test->param_value;
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	struct msyncfs_sb_info *sbi = fx->sbi;

	files_write(test, g, 0, 30, 1);
	fail_prepare(test, fx);
	bad_home(test, fx, row);
	KUNIT_EXPECT_EQ(test, fill_log(test, g), row->stuck ? 0 : -EIO);
	KUNIT_EXPECT_FALSE(test, fail_aborted(fx));
	expect_bad_home(test, fx, row);
	if (row->stuck) {
		KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
		KUNIT_EXPECT_EQ(test, msyncfs_image_stuck(sbi, 0, U64_MAX),
				row->nr);
		KUNIT_EXPECT_LE(test, sbi->log->used, 8);
		KUNIT_EXPECT_EQ(test, msyncfs_home_range(file_inode(g), 0,
							 LLONG_MAX), 0);
		KUNIT_EXPECT_EQ(test, msyncfs_home_range(file_inode(fx->file),
							 0, LLONG_MAX),
				row->inode ? 0 : -EIO);
		expect_bad_home(test, fx, row);
	}
	iolog_bad(fx->log, 0, 0);
	KUNIT_EXPECT_EQ(test, files_sync(g), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_image_stuck(sbi, 0, U64_MAX), 0);
	KUNIT_EXPECT_EQ(test, sbi->log->used, 0);
	expect_bad_home(test, fx, row);
	msyncfs_fake_close(fx->fake, g);
	fail_crash(test, fx, 0);
	expect_bad_home(test, fx, row);
}

/*
 * A mount finds images whose home blocks cannot be written. It keeps the images,
 * and the unmount does, too.
 */
static void stuck_mount(struct kunit *test)
{
	const struct home_row *row = test->param_value;
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct file *g;

	fail_prepare(test, fx);
	bad_home(test, fx, row);
	fail_power_off(fx, 0);
	if (!row->stuck) {
		KUNIT_EXPECT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL),
				-EIO);
		iolog_bad(fx->log, 0, 0);
	}
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fail_open(fx);
	files_quiet(fx->fake);
	KUNIT_EXPECT_EQ(test, msyncfs_image_stuck(fx->sbi, 0, U64_MAX),
			row->stuck ? row->nr : 0);
	expect_bad_home(test, fx, row);
	g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	KUNIT_EXPECT_EQ(test, fill_log(test, g), 0);
	msyncfs_fake_close(fx->fake, g);
	expect_bad_home(test, fx, row);
	fail_crash(test, fx, 0);
	expect_bad_home(test, fx, row);

	msyncfs_fake_close(fx->fake, fx->again);
	msyncfs_fake_close(fx->fake, fx->file);
	msyncfs_fake_umount(fx->fake);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fail_open(fx);
	expect_bad_home(test, fx, row);
	iolog_bad(fx->log, 0, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->used, 0);
	fail_crash(test, fx, 0);
	expect_bad_home(test, fx, row);
}

/* The power fails at each I/O of such a mount. */
static void stuck_mount_power(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	const struct home_row *row = &home_rows[1];
	unsigned int at, keep;
	bool cut = true;

	for (at = 0; cut; at++) {
		KUNIT_ASSERT_LT(test, at, MAX_IO);
		fail_prepare(test, fx);
		bad_home(test, fx, row);
		fail_power_off(fx, UINT_MAX);
		iolog_cut(fx->log, at);
		msyncfs_fake_do_mount(fx->fake, 0, NULL);
		cut = fx->log->cut;
		iolog_power_off(fx->log);
		keep = at % 3 ? at : UINT_MAX;
		msyncfs_fake_crash(fx->fake, iolog_keep, &keep);
		iolog_reset(fx->log);
		KUNIT_ASSERT_EQ_MSG(test,
				    msyncfs_fake_do_mount(fx->fake, 0, NULL),
				    0, "I/O %u", at);
		fail_open(fx);
		expect_bad_home(test, fx, row);
		iolog_bad(fx->log, 0, 0);
	}
	KUNIT_EXPECT_GE(test, at, 8);
}

static unsigned int late_calls;

/* The block is freed after the write of its image has failed. */
static bool late_freed(struct super_block *sb, u64 blkno, u64 tid)
{
	return late_calls++;
}

/*
 * A transaction frees the block between the failed write and the new record. The
 * new record must not have the image, because it is behind the record that frees
 * the block.
 */
static void stuck_freed_late(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	const struct msyncfs_log_hooks *hooks = fx->sbi->log->hooks;
	struct msyncfs_log_hooks late = *hooks;

	fail_prepare(test, fx);
	bad_home(test, fx, &home_rows[0]);
	late.freed = late_freed;
	late_calls = 0;
	fx->sbi->log->hooks = &late;
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	fx->sbi->log->hooks = hooks;
	KUNIT_EXPECT_EQ(test, late_calls, 2);
	KUNIT_EXPECT_EQ(test, msyncfs_image_stuck(fx->sbi, 0, U64_MAX), 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->used, 0);
	iolog_bad(fx->log, 0, 0);
}

/* The blocks that cannot be written are freed, so their images are not needed. */
static void stuck_freed(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct super_block *sb = fx->fake->sb;
	u64 space = fail_space(test, fx);

	fail_prepare(test, fx);
	bad_home(test, fx, &home_rows[1]);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_image_stuck(fx->sbi, 0, U64_MAX), 2);
	KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 0), 0);
	KUNIT_EXPECT_EQ(test, fail_space(test, fx), space);
	KUNIT_EXPECT_EQ(test, msyncfs_image_stuck(fx->sbi, 0, U64_MAX), 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->used, 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SPACE(sb)->freed, 0);
}

/* The power fails at each I/O while images are carried to a new record. */
static void stuck_power(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	const struct home_row *row = &home_rows[1];
	unsigned int at;
	bool cut = true;

	for (at = 0; cut; at++) {
		KUNIT_ASSERT_LT(test, at, MAX_IO);
		fail_prepare(test, fx);
		bad_home(test, fx, row);
		files_write(test, fx->file, 30, 3, 1);
		KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
		iolog_reset(fx->log);
		iolog_cut(fx->log, at);
		msyncfs_checkpoint(fx->fake->sb);
		files_write(test, fx->file, 40, 1, 1);
		files_sync(fx->file);
		msyncfs_checkpoint(fx->fake->sb);
		cut = fx->log->cut;
		iolog_bad(fx->log, 0, 0);
		fail_crash(test, fx, at % 3 ? at : UINT_MAX);
		expect_bad_home(test, fx, row);
	}
	KUNIT_EXPECT_GE(test, at, 10);
}

/* ---- suite -------------------------------------------------------------- */

static struct kunit_case stuck_cases[] = {
	KUNIT_CASE_PARAM(stuck_home, home_gen_params),
	KUNIT_CASE_PARAM(stuck_mount, home_gen_params),
	KUNIT_CASE_SLOW(stuck_mount_power),
	KUNIT_CASE(stuck_freed),
	KUNIT_CASE(stuck_freed_late),
	KUNIT_CASE_SLOW(stuck_power),
	{}
};

static struct kunit_suite stuck_suite = {
	.name		= "msyncfs_stuck",
	.test_cases	= stuck_cases,
};

kunit_test_suite(stuck_suite);
