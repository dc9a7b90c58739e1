// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for shadows of maps. The pages of a set are so far apart that the
 * map nodes alone do not fit a record. The set must nevertheless be committed
 * as a whole. After any I/O error and any power failure, the file must have its
 * old or its new content, and no block may be lost.
 */
#include <kunit/test.h>

#include "files.h"
#include "iolog.h"

#define BLOCKS		2400
#define LOG_BLOCKS	256	/* 63 images fit a record */
#define LARGE		(80 * MSYNCFS_GROUP_BLOCKS)	/* 80 bitmap blocks */
#define PAGES		72	/* each page has its own leaf */
#define MAX_IO		100
#define OUT		(MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH)

/**
 * struct wide_row - a file with pages that are far apart
 * @name: description
 * @step: distance between two pages, in pages
 * @atomic: the file is atomic
 * @spill: the pages are spilled before the commit
 * @blocks: size of the device; 0: BLOCKS
 */
struct wide_row {
	const char	*name;
	u64		step;
	bool		atomic;
	bool		spill;
	u64		blocks;
};

static const struct wide_row wide_rows[] = {
	{ "ordinary, one level", MSYNCFS_NODE_PTRS, false, false },
	{ "ordinary, two levels", 128 * MSYNCFS_NODE_PTRS, false, false },
	{ "ordinary, three levels", 300000, false, false },
	{ "ordinary, large device", 300000, false, false, LARGE },
	{ "atomic, one level", MSYNCFS_NODE_PTRS, true, false },
	{ "atomic, three levels", 300000, true, false },
	{ "atomic, spilled", MSYNCFS_NODE_PTRS, true, true },
};

KUNIT_ARRAY_PARAM_DESC(wide, wide_rows, name);

static const struct wide_row set_rows[] = {
	{ "small device", MSYNCFS_NODE_PTRS, true, false },
	{ "large device", MSYNCFS_NODE_PTRS, true, false, LARGE },
};

KUNIT_ARRAY_PARAM_DESC(set, set_rows, name);

struct wide_fixture {
	const struct wide_row	*row;
	struct msyncfs_fake	*fake;
	struct iolog		*log;
	struct msyncfs_sb_info	*sbi;
	struct file		*file;
	u64			space;
	u8			fill[PAGES];	/* page content; 0: a hole */
	loff_t			size;
};

static pgoff_t page_at(const struct wide_fixture *fx, unsigned int i)
{
	return i * fx->row->step;
}

static void open_file(struct wide_fixture *fx)
{
	fx->sbi = MSYNCFS_SB(fx->fake->sb);
	fx->file = msyncfs_fake_open(fx->fake, "f",
				     O_CREAT | O_RDWR | O_LARGEFILE);
	files_quiet(fx->fake);
}

static void store(struct kunit *test, struct wide_fixture *fx, u8 fill)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		files_write(test, fx->file, page_at(fx, i), 1, fill);
	if (fx->row->spill) {
		KUNIT_EXPECT_EQ(test, filemap_flush(fx->file->f_mapping), 0);
		invalidate_mapping_pages(fx->file->f_mapping, 0, ULONG_MAX);
		files_write(test, fx->file, page_at(fx, 3), 1, fill);
	}
}

/*
 * Compare the file with @fill, which has one byte for each page. Return the
 * number of the first page that differs, PAGES for a wrong size, or -1.
 */
static int differs(struct wide_fixture *fx, const u8 *fill, loff_t size)
{
	unsigned int i;
	int found;

	if (i_size_read(file_inode(fx->file)) != size)
		return PAGES;
	for (i = 0; i < PAGES; i++) {
		found = files_read(fx->file, page_at(fx, i));
		if (found != (page_at(fx, i) < size >> PAGE_SHIFT ? fill[i] :
								    -ENODATA))
			return i;
	}
	return -1;
}

static int differs_all(struct wide_fixture *fx, u8 fill)
{
	u8 all[PAGES];

	memset(all, fill, PAGES);
	return differs(fx, all, fx->size);
}

static void expect_settled(struct kunit *test, struct wide_fixture *fx)
{
	struct super_block *sb = fx->fake->sb;

	files_settled(test, sb);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(sb), fx->space);
}

static void crash(struct kunit *test, struct wide_fixture *fx, unsigned int keep)
{
	iolog_power_off(fx->log);
	msyncfs_fake_close(fx->fake, fx->file);
	msyncfs_fake_crash(fx->fake, iolog_keep, &keep);
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	open_file(fx);
}

/* Make a file whose pages are full of 1, durable and home. */
static struct wide_fixture *setup(struct kunit *test,
				  const struct wide_row *row)
{
	struct wide_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->row = row;
	fx->fake = msyncfs_fake_create(test, row->blocks ?: BLOCKS, LOG_BLOCKS,
				       MSYNCFS_FAKE_CACHE);
	fx->log = iolog_start(fx->fake, OUT);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	open_file(fx);
	if (row->atomic)
		KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(file_inode(fx->file),
							 true), 0);
	store(test, fx, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	memset(fx->fill, 1, PAGES);
	fx->size = i_size_read(file_inode(fx->file));
	fx->space = msyncfs_space_avail(fx->fake->sb);
	iolog_reset(fx->log);
	return fx;
}

/* A commit writes one record, and frees the old blocks. */
static void shadow_commit(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, test->param_value);
	u64 commits = fx->sbi->log->nr_commits;
	blkcnt_t blocks = file_inode(fx->file)->i_blocks;
	u8 round;

	for (round = 2; round < 5; round++) {
		store(test, fx, round);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
		KUNIT_EXPECT_EQ(test, fx->sbi->log->nr_commits, ++commits);
		KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 0);
		KUNIT_EXPECT_EQ(test, differs_all(fx, round), -1);
		KUNIT_EXPECT_EQ(test, file_inode(fx->file)->i_blocks, blocks);
		/* A set of one page needs no shadow. */
		files_write(test, fx->file, page_at(fx, 7), 1, round);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		commits++;
	}
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs_all(fx, 4), -1);
	expect_settled(test, fx);
}

/* After a shadow has become the map, lookups find the new blocks. */
static void shadow_known(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, test->param_value);
	unsigned int i;
	u64 old[3];

	for (i = 0; i < ARRAY_SIZE(old); i++)
		old[i] = files_block(test, fx->file, page_at(fx, i));
	KUNIT_EXPECT_NE(test, MSYNCFS_I(file_inode(fx->file))->i_known.run[2].len,
			0);
	store(test, fx, 2);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	for (i = 0; i < ARRAY_SIZE(old); i++)
		KUNIT_EXPECT_NE(test, files_block(test, fx->file,
						  page_at(fx, i)), old[i]);
	invalidate_mapping_pages(fx->file->f_mapping, 0, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, differs_all(fx, 2), -1);
}

/*
 * Let the power fail at each I/O in turn. Each time, other blocks of the
 * volatile cache survive.
 */
static void shadow_crash(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, test->param_value);
	unsigned int at, seen_old = 0, seen_new = 0;
	bool cut = true;
	u8 now = 1;
	int err;

	for (at = 0; cut && at < MAX_IO; at++) {
		store(test, fx, now + 1);
		iolog_reset(fx->log);
		iolog_cut(fx->log, at);
		err = files_sync(fx->file);
		cut = fx->log->cut;
		crash(test, fx, at * 7919 + 1);
		if (differs_all(fx, now + 1) >= 0) {
			/*
			 * @err may be 0: after the power failure, the fake
			 * device still reports success.
			 */
			KUNIT_EXPECT_TRUE_MSG(test, cut, "cut at %u: %d", at,
					      err);
			KUNIT_EXPECT_EQ_MSG(test, differs_all(fx, now), -1,
					    "cut at %u", at);
			seen_old++;
		} else {
			now++;
			seen_new++;
		}
		expect_settled(test, fx);
		iolog_reset(fx->log);
	}
	KUNIT_EXPECT_FALSE(test, cut);
	KUNIT_EXPECT_GE(test, seen_old, 3);
	KUNIT_EXPECT_GE(test, seen_new, 1);
}

/*
 * Let each write fail in turn. The sync returns the error, and the next sync
 * succeeds.
 */
static void shadow_error(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, test->param_value);
	unsigned int at, failed;
	u8 now = 1;

	for (at = 0; at < MAX_IO; at++) {
		store(test, fx, now + 1);
		iolog_reset(fx->log);
		fx->log->mask = MSYNCFS_FAKE_WRITE;
		iolog_fail(fx->log, at, 1, MSYNCFS_FAKE_FAILS);
		if (!files_sync(fx->file))
			break;
		failed = fx->log->failed;
		KUNIT_EXPECT_EQ_MSG(test, failed, 1, "write %u", at);
		KUNIT_EXPECT_GE_MSG(test, files_dirty(fx->file), 1, "write %u",
				    at);
		KUNIT_EXPECT_EQ(test, differs_all(fx, now + 1), -1);
		iolog_reset(fx->log);
		KUNIT_EXPECT_EQ_MSG(test, files_sync(fx->file), 0, "write %u",
				    at);
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
		crash(test, fx, 0);
		now++;
		KUNIT_EXPECT_EQ_MSG(test, differs_all(fx, now), -1, "write %u",
				    at);
		expect_settled(test, fx);
	}
	KUNIT_EXPECT_GE(test, at, 2);
	KUNIT_EXPECT_LT(test, at, MAX_IO);
	fx->log->mask = OUT;
}

/* If a map node cannot be read, the sync fails, and a later sync succeeds. */
static void shadow_read_error(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, &wide_rows[0]);

	store(test, fx, 2);
	invalidate_bdev(fx->fake->sb->s_bdev);
	msyncfs_fake_fail(fx->fake, MSYNCFS_FAKE_READ, 5, 1000);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), PAGES);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->held, 0);
	msyncfs_fake_fail(fx->fake, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs_all(fx, 2), -1);
	expect_settled(test, fx);
}

#define HOLES_END	300000	/* the last page */

/*
 * Truncate the file, so that leaves are freed. Write pages again. The last of
 * these pages lies beyond the old end of the file. Then punch a hole that
 * covers whole leaves. Set @want[i] to the byte that fills page page_at(i)
 * after these changes.
 */
static void change_holes(struct kunit *test, struct wide_fixture *fx, u8 fill,
			 u8 *want)
{
	loff_t cut_at = (loff_t)(page_at(fx, 50) + 1) << PAGE_SHIFT;
	unsigned int i;

	memcpy(want, fx->fill, PAGES);
	KUNIT_ASSERT_EQ(test, files_truncate(fx->file, cut_at), 0);
	memset(want + 51, 0, PAGES - 51);
	for (i = 0; i < PAGES; i += 1 + (i > 60)) {
		files_write(test, fx->file, page_at(fx, i), 1, fill);
		want[i] = fill;
	}
	files_write(test, fx->file, HOLES_END, 1, 9);
	KUNIT_ASSERT_EQ(test, files_punch(fx->file, page_at(fx, 5),
					  10 * MSYNCFS_NODE_PTRS), 0);
	memset(want + 5, 0, 10);
}

/* Truncate the file to size 0, and expect that it has no block. */
static void expect_nothing_left(struct kunit *test, struct wide_fixture *fx)
{
	KUNIT_ASSERT_EQ(test, files_truncate(fx->file, 0), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, file_inode(fx->file)->i_blocks, 0);
	msyncfs_fake_close(fx->fake, fx->file);
	KUNIT_EXPECT_EQ(test, files_unlink(fx->fake, "f"), 0);
	open_file(fx);
	fx->space += 2 * PAGES;
	expect_settled(test, fx);
}

/*
 * Change an atomic file in several ways before one commit: truncate it, let its
 * map grow, and punch a hole. Let the power fail at each I/O of the commit.
 */
static void shadow_holes(struct kunit *test)
{
	static const struct wide_row row = {
		"atomic", MSYNCFS_NODE_PTRS, true, false
	};
	const loff_t size = (loff_t)(HOLES_END + 1) << PAGE_SHIFT;
	struct wide_fixture *fx = setup(test, &row);
	u8 want[PAGES];
	unsigned int at;
	bool cut = true;
	int err = 0;

	for (at = 0; cut && at < MAX_IO; at++) {
		change_holes(test, fx, 2 + at, want);
		iolog_reset(fx->log);
		iolog_cut(fx->log, at);
		err = files_sync(fx->file);
		cut = fx->log->cut;
		KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 0);
		crash(test, fx, at * 7919 + 1);
		if (differs(fx, want, size) == -1) {
			files_expect(test, fx->file, HOLES_END, 1, 9);
			break;
		}
		KUNIT_EXPECT_TRUE_MSG(test, cut, "cut at %u: %d", at, err);
		KUNIT_EXPECT_EQ_MSG(test, differs(fx, fx->fill, fx->size), -1,
				    "cut at %u", at);
		expect_settled(test, fx);
	}
	KUNIT_EXPECT_GE(test, at, 3);
	KUNIT_EXPECT_LT(test, at, MAX_IO);
	expect_nothing_left(test, fx);
}

/*
 * Truncate a small file to size 0, and write pages far from each other. The new
 * map has very many holes. In the first round, the old map has no node.
 */
static void shadow_regrown(struct kunit *test)
{
	static const struct wide_row row = { "atomic", 1000, true, false };
	struct wide_fixture *fx = setup(test, &row);
	unsigned int round;

	for (round = 0; round < 3; round++) {
		KUNIT_ASSERT_EQ(test, files_truncate(fx->file, 0), 0);
		files_write(test, fx->file, 0, 1 + round * 600, 5);
		KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
		KUNIT_ASSERT_EQ(test, files_truncate(fx->file, 0), 0);
		store(test, fx, 2 + round);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		crash(test, fx, 0);
		KUNIT_EXPECT_EQ(test, differs_all(fx, 2 + round), -1);
		expect_settled(test, fx);
	}
}

/*
 * On a full filesystem, a file can be truncated to size 0. The truncation frees
 * the blocks of the file.
 */
static void shadow_cut_when_full(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, &wide_rows[4]);
	struct file *g = msyncfs_fake_open(fx->fake, "g",
					   O_CREAT | O_RDWR | O_LARGEFILE);
	u64 left = msyncfs_space_avail(fx->fake->sb);

	files_write(test, g, 0, left - 5, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	left = msyncfs_space_avail(fx->fake->sb);
	KUNIT_ASSERT_EQ(test, msyncfs_reserve(fx->fake->sb, left), 0);
	KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 0), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, file_inode(fx->file)->i_blocks, 0);
	msyncfs_unreserve(fx->fake->sb, left);
	KUNIT_EXPECT_GE(test, msyncfs_space_avail(fx->fake->sb), 2 * PAGES);
	msyncfs_fake_close(fx->fake, g);
}

#define HOLES	200

/*
 * On a full filesystem, a hole can be punched in the middle of a leaf. The new
 * map nodes use the spare blocks.
 */
static void shadow_punch_when_full(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, &wide_rows[4]);
	struct file *g = msyncfs_fake_open(fx->fake, "g",
					   O_CREAT | O_RDWR | O_LARGEFILE);
	u64 left, held = 0;
	unsigned int i;

	for (i = 0; i < PAGES - 1; i++)
		files_write(test, fx->file, page_at(fx, i) + 1, 1, 1);
	files_write(test, fx->file, page_at(fx, 1) + 2, 2 * HOLES, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	files_write(test, g, 0, msyncfs_space_avail(fx->fake->sb) - 5, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	for (i = 1; i < PAGES - 1; i++) {
		left = msyncfs_space_avail(fx->fake->sb);
		KUNIT_ASSERT_EQ(test, msyncfs_reserve(fx->fake->sb, left), 0);
		held += left;
		KUNIT_ASSERT_EQ(test, files_punch(fx->file, page_at(fx, i) + 1,
						  1), 0);
		KUNIT_ASSERT_EQ_MSG(test, files_sync(fx->file), 0, "hole %u", i);
	}
	/* Many holes in one leaf need no more nodes than a single hole. */
	left = msyncfs_space_avail(fx->fake->sb);
	KUNIT_ASSERT_EQ(test, msyncfs_reserve(fx->fake->sb, left), 0);
	held += left;
	for (i = 0; i < HOLES; i++)
		KUNIT_ASSERT_EQ(test, files_punch(fx->file, page_at(fx, 1) + 3 +
						  2 * i, 1), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	msyncfs_unreserve(fx->fake->sb, held);
	KUNIT_EXPECT_GE(test, msyncfs_space_avail(fx->fake->sb), PAGES - 2);
	msyncfs_fake_close(fx->fake, g);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs_all(fx, 1), -1);
	KUNIT_EXPECT_EQ(test, files_read(fx->file, page_at(fx, 7) + 1), 0);
}

/* The set of an ordinary file and an atomic file goes into one record. */
static void shadow_set(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, test->param_value);
	struct file *g = msyncfs_fake_open(fx->fake, "g",
					   O_CREAT | O_RDWR | O_LARGEFILE);
	struct msyncfs_range ranges[2] = {
		{ .inode = file_inode(fx->file), .first = 0, .last = 0 },
		{ .inode = file_inode(g), .first = 0, .last = ULONG_MAX },
	};
	unsigned int i, at;
	bool cut = true;
	int want, err;
	u8 now = 1;

	for (i = 0; i < PAGES; i++)
		files_write(test, g, page_at(fx, i), 1, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	for (at = 0; cut && at < MAX_IO; at++) {
		store(test, fx, now + 1);
		for (i = 0; i < PAGES; i++)
			files_write(test, g, page_at(fx, i), 1, now + 1);
		if (ranges[0].inode > ranges[1].inode)
			swap(ranges[0], ranges[1]);
		iolog_reset(fx->log);
		iolog_cut(fx->log, at);
		err = msyncfs_sync_ranges(ranges, 2, true);
		cut = fx->log->cut;
		KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 0);
		msyncfs_fake_close(fx->fake, g);
		crash(test, fx, at * 7919 + 1);
		g = msyncfs_fake_open(fx->fake, "g", O_RDWR | O_LARGEFILE);
		ranges[0] = (struct msyncfs_range) {
			.inode = file_inode(fx->file), .first = 0, .last = 0
		};
		ranges[1] = (struct msyncfs_range) {
			.inode = file_inode(g), .first = 0, .last = ULONG_MAX
		};
		want = files_read(fx->file, 0);
		KUNIT_EXPECT_EQ(test, differs_all(fx, want), -1);
		for (i = 0; i < PAGES; i++)
			KUNIT_EXPECT_EQ_MSG(test, files_read(g, page_at(fx, i)),
					    want, "cut at %u: page %u", at, i);
		KUNIT_EXPECT_EQ(test, err, 0);
		if (!cut)
			KUNIT_EXPECT_EQ(test, want, now + 1);
		now = want;
	}
	KUNIT_EXPECT_FALSE(test, cut);
	msyncfs_fake_close(fx->fake, g);
}

/*
 * If there is no space for new nodes, the set of an ordinary file is split, and
 * nr_split counts the split.
 */
static void shadow_no_space(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, &wide_rows[0]);
	struct file *g = msyncfs_fake_open(fx->fake, "g",
					   O_CREAT | O_RDWR | O_LARGEFILE);
	unsigned int fill = msyncfs_space_avail(fx->fake->sb) - PAGES - 20;

	files_write(test, g, 0, fill, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	store(test, fx, 2);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 1);
	msyncfs_fake_close(fx->fake, g);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs_all(fx, 2), -1);
}

/*
 * On a full filesystem, write(2) to a page of an atomic file fails. All pages
 * that were written before the failure are committed as a whole.
 */
static void shadow_no_space_atomic(struct kunit *test)
{
	struct wide_fixture *fx = setup(test, &wide_rows[4]);
	struct file *g = msyncfs_fake_open(fx->fake, "g",
					   O_CREAT | O_RDWR | O_LARGEFILE);
	unsigned int fill = msyncfs_space_avail(fx->fake->sb) - 2 * PAGES + 3;
	u8 *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	unsigned int i;
	loff_t pos;
	ssize_t ret;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	files_write(test, g, 0, fill, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	memset(buf, 2, PAGE_SIZE);
	for (i = 0; i < PAGES; i++) {
		pos = (loff_t)page_at(fx, i) << PAGE_SHIFT;
		ret = kernel_write(fx->file, buf, PAGE_SIZE, &pos);
		if (ret < 0)
			break;
		fx->fill[i] = 2;
	}
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	KUNIT_EXPECT_GE(test, i, PAGES - 10);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 0);
	msyncfs_fake_close(fx->fake, g);
	crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, differs(fx, fx->fill, fx->size), -1);
}

static struct kunit_case shadow_cases[] = {
	KUNIT_CASE_PARAM(shadow_commit, wide_gen_params),
	KUNIT_CASE_PARAM(shadow_known, wide_gen_params),
	KUNIT_CASE_PARAM_ATTR(shadow_crash, wide_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(shadow_error, wide_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(shadow_read_error),
	KUNIT_CASE(shadow_holes),
	KUNIT_CASE(shadow_regrown),
	KUNIT_CASE(shadow_cut_when_full),
	KUNIT_CASE(shadow_punch_when_full),
	KUNIT_CASE_PARAM(shadow_set, set_gen_params),
	KUNIT_CASE(shadow_no_space),
	KUNIT_CASE(shadow_no_space_atomic),
	{}
};

static struct kunit_suite shadow_suite = {
	.name = "msyncfs_shadow",
	.test_cases = shadow_cases,
};

kunit_test_suite(shadow_suite);
