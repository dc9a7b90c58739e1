// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for fs/map/shift.c and fs/vfs/shift.c: a part of a file moves to
 * other indexes. A model in memory says what the map must be.
 */
#include <kunit/test.h>
#include <linux/falloc.h>
#include <linux/prandom.h>

#include "fake.h"
#include "files.h"
#include "fs/vfs/vfs.h"

#define SHIFT_BLOCKS	(4 * MSYNCFS_GROUP_BLOCKS)
#define SHIFT_LOG	2048
#define SHIFT_PAGES	6000	/* indexes in the model */
#define SOME_BLOCK	20000ULL

#define COLLAPSE	FALLOC_FL_COLLAPSE_RANGE
#define INSERT		FALLOC_FL_INSERT_RANGE

struct shift_fixture {
	struct msyncfs_fake	*fake;
	struct super_block	*sb;
	struct file		*file;
	struct inode		*inode;
	u64			free;	/* free blocks before a test */
	u64			*ptr;	/* the model: block of each index */
};

static int shift_init(struct kunit *test)
{
	struct shift_fixture *fx;

	fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->ptr = kunit_kcalloc(test, SHIFT_PAGES, sizeof(*fx->ptr), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx->ptr);
	fx->fake = msyncfs_fake_mount(test, SHIFT_BLOCKS, SHIFT_LOG);
	fx->sb = fx->fake->sb;
	fx->file = msyncfs_fake_open(fx->fake, "f", O_RDWR | O_CREAT);
	fx->inode = file_inode(fx->file);
	fx->free = msyncfs_space_avail(fx->sb);
	test->priv = fx;
	return 0;
}

/* ---- the map --------------------------------------------------------------- */

/* Sets a run of pointers. The blocks are not allocated. */
static void set_run(struct kunit *test, u64 index, u64 len, u64 blkno)
{
	struct shift_fixture *fx = test->priv;
	unsigned int credits = msyncfs_map_credits(fx->inode, index, len);
	struct msyncfs_op op;
	u64 i;

	mutex_lock(&MSYNCFS_I(fx->inode)->i_commit_lock);
	KUNIT_ASSERT_EQ(test, 0, msyncfs_op_begin(fx->sb, &op, credits, credits));
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_set(&op, fx->inode, index, len,
						 blkno, index & 1));
	msyncfs_op_add_inode(&op, fx->inode, true);
	msyncfs_op_end(&op);
	mutex_unlock(&MSYNCFS_I(fx->inode)->i_commit_lock);
	for (i = 0; i < len; i++)
		fx->ptr[index + i] = blkno + i;
}

/*
 * Moves [@first, @end) by @by in operations with @credits and @blocks. Returns the
 * number of operations. The WARN of msyncfs_op_charge() tells if an operation uses
 * more than its credits.
 */
static unsigned int do_shift(struct kunit *test, u64 first, u64 end, s64 by,
			     unsigned int credits, u64 blocks)
{
	struct shift_fixture *fx = test->priv;
	struct msyncfs_shift s = { .first = first, .end = end, .by = by };
	unsigned int ops = 0;
	struct msyncfs_op op;
	u64 left;

	while (s.first < s.end) {
		left = s.end - s.first;
		KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->sb), 0);
		mutex_lock(&MSYNCFS_I(fx->inode)->i_commit_lock);
		KUNIT_ASSERT_EQ(test, 0, msyncfs_op_begin(fx->sb, &op, credits,
							  blocks));
		KUNIT_EXPECT_EQ(test, 0, msyncfs_map_shift(&op, fx->inode, &s));
		msyncfs_op_add_inode(&op, fx->inode, true);
		msyncfs_op_end(&op);
		mutex_unlock(&MSYNCFS_I(fx->inode)->i_commit_lock);
		KUNIT_ASSERT_LT(test, s.end - s.first, left);
		ops++;
	}
	memmove(fx->ptr + first + by, fx->ptr + first,
		(end - first) * sizeof(*fx->ptr));
	if (by > 0)
		memset(fx->ptr + first, 0, by * sizeof(*fx->ptr));
	else
		memset(fx->ptr + end + by, 0, -by * sizeof(*fx->ptr));
	return ops;
}

/* Counts the leaves that the map of the model needs at a depth above 0. */
static u64 model_leaves(const u64 *ptr)
{
	u64 i, last = U64_MAX, leaves = 0;

	for (i = 0; i < SHIFT_PAGES; i++) {
		if (!ptr[i] || i / MSYNCFS_NODE_PTRS == last)
			continue;
		last = i / MSYNCFS_NODE_PTRS;
		leaves++;
	}
	return leaves;
}

/* Expects the map to be as the model, with no empty node. */
static void expect_model(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;
	u64 nodes = fx->free - msyncfs_space_avail(fx->sb);
	u64 i, data = 0, end = 0;
	struct msyncfs_extent ext;

	for (i = 0; i < SHIFT_PAGES; i++) {
		KUNIT_ASSERT_EQ(test, 0, msyncfs_map_lookup(fx->inode, i, 1, &ext));
		KUNIT_ASSERT_EQ_MSG(test, ext.blkno, fx->ptr[i], "index %llu", i);
		data += !!ext.blkno;
		if (ext.blkno)
			end = i + 1;
	}
	KUNIT_EXPECT_EQ(test, data + nodes,
			inode_get_bytes(fx->inode) >> MSYNCFS_BLOCK_SHIFT);
	if (MSYNCFS_I(fx->inode)->i_map_depth == 1)
		KUNIT_EXPECT_EQ(test, nodes, model_leaves(fx->ptr));
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_end(fx->inode, &i));
	KUNIT_EXPECT_EQ(test, i, end);
}

/* Removes the pointers, which lead to blocks that are not allocated. */
static void clear_map(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;
	struct msyncfs_op op;
	u64 next = 0;

	mutex_lock(&MSYNCFS_I(fx->inode)->i_commit_lock);
	KUNIT_ASSERT_EQ(test, 0, msyncfs_op_begin(fx->sb, &op, 250, 0));
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_set(&op, fx->inode, 0,
						 MSYNCFS_LAST_INDEX, 0, false));
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_free(&op, fx->inode, 0,
						  MSYNCFS_LAST_INDEX, &next));
	msyncfs_op_add_inode(&op, fx->inode, true);
	msyncfs_op_end(&op);
	mutex_unlock(&MSYNCFS_I(fx->inode)->i_commit_lock);
	KUNIT_EXPECT_EQ(test, next, MSYNCFS_LAST_INDEX + 1);
	KUNIT_EXPECT_EQ(test, inode_get_bytes(fx->inode), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fx->sb), fx->free);
}

/* Moves within the pointers of the inode, and then out of them: the map grows. */
static void shift_small(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;

	set_run(test, 5, 8, SOME_BLOCK);
	set_run(test, 20, 2, SOME_BLOCK + 50);
	KUNIT_EXPECT_EQ(test, 1, do_shift(test, 8, 22, 1, MSYNCFS_SHIFT_CREDITS,
					  MSYNCFS_SHIFT_BLOCKS));
	expect_model(test);
	do_shift(test, 5, 23, -4, MSYNCFS_SHIFT_CREDITS, MSYNCFS_SHIFT_BLOCKS);
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(fx->inode)->i_map_depth, 0);
	expect_model(test);
	do_shift(test, 2, 19, MSYNCFS_INODE_PTRS - 10, MSYNCFS_SHIFT_CREDITS,
		 MSYNCFS_SHIFT_BLOCKS);
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(fx->inode)->i_map_depth, 1);
	expect_model(test);
	clear_map(test);
}

/* Small operations move some leaves each. A map of depth 1 needs no more credits. */
static void shift_resumes(struct kunit *test)
{
	unsigned int ops;

	set_run(test, 0, 5000, SOME_BLOCK);
	ops = do_shift(test, 100, 5000, 900, 14, 6);
	KUNIT_EXPECT_GT(test, ops, 1);
	expect_model(test);
	ops = do_shift(test, 1000, 5900, -900, 14, 6);
	KUNIT_EXPECT_GT(test, ops, 1);
	expect_model(test);
	clear_map(test);
}

/* Returns the length of the hole that begins at @first, at most 300. */
static s64 hole_at(const u64 *ptr, u64 first, u64 end)
{
	s64 len = 0;

	while (len < 300 && first + len < end && !ptr[first + len])
		len++;
	return len;
}

/* Each operation gets the credits that the caller computes, and is enough. */
static void shift_random(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;
	struct rnd_state rnd;
	unsigned int round;
	u64 i, len, first, end, blkno = SOME_BLOCK;
	s64 by;

	prandom_seed_state(&rnd, 7);
	for (i = 0; i < 4500; i += len + prandom_u32_state(&rnd) % 600) {
		len = 1 + prandom_u32_state(&rnd) % 40;
		set_run(test, i, len, blkno);
		blkno += 2 * len;
	}
	for (round = 0; round < 40; round++) {
		KUNIT_ASSERT_EQ(test, 0, msyncfs_map_end(fx->inode, &end));
		first = prandom_u32_state(&rnd) % (end - 1);
		by = 1 + prandom_u32_state(&rnd) % 700;
		if (end + by > SHIFT_PAGES || prandom_u32_state(&rnd) % 2) {
			by = -hole_at(fx->ptr, first, end - 1);
			if (!by)
				continue;
			first -= by;
		}
		KUNIT_EXPECT_EQ(test, 1,
				do_shift(test, first, end, by, MSYNCFS_SHIFT_CREDITS + 2 *
					 msyncfs_map_credits(fx->inode,
							     min(first, first + by),
							     end - first + abs(by)),
					 200));
		expect_model(test);
	}
	clear_map(test);
}

/* A shift over terabytes of holes skips them. */
static void shift_sparse(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;
	struct msyncfs_shift s = { .first = 10, .by = 1ULL << 31 };
	struct msyncfs_extent ext;
	struct msyncfs_op op;
	u64 end;

	set_run(test, 10, 1, SOME_BLOCK);
	set_run(test, 5000, 1, SOME_BLOCK + 9);
	KUNIT_ASSERT_EQ(test, 0, msyncfs_map_end(fx->inode, &s.end));
	KUNIT_ASSERT_EQ(test, 0, msyncfs_op_begin(fx->sb, &op, 250, 100));
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_shift(&op, fx->inode, &s));
	KUNIT_EXPECT_EQ(test, s.first, s.end);
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_lookup(fx->inode, 5000 + s.by, 1, &ext));
	KUNIT_EXPECT_EQ(test, ext.blkno, SOME_BLOCK + 9);
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_end(fx->inode, &end));
	KUNIT_EXPECT_EQ(test, end, 5001 + s.by);

	s = (struct msyncfs_shift) { .first = 100, .end = end, .by = -80 };
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_shift(&op, fx->inode, &s));
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_end(fx->inode, &end));
	KUNIT_EXPECT_EQ(test, end, 4921 + (1ULL << 31));
	s = (struct msyncfs_shift) { .first = 100, .end = end, .by = MSYNCFS_LAST_INDEX };
	KUNIT_EXPECT_EQ(test, -EFBIG, msyncfs_map_shift(&op, fx->inode, &s));
	msyncfs_op_end(&op);
	clear_map(test);
}

/* ---- files ----------------------------------------------------------------- */

static int fallocate_pages(struct file *file, int mode, u64 index, u64 nr)
{
	return vfs_fallocate(file, mode, (loff_t)index << PAGE_SHIFT,
			     (loff_t)nr << PAGE_SHIFT);
}

/* Page i of the file is full of the byte i + 1; 20 pages. */
static void fill_file(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;
	unsigned int i;

	for (i = 0; i < 20; i++)
		files_write(test, fx->file, i, 1, i + 1);
}

static void expect_bytes(struct kunit *test, struct file *file, u64 index,
			 unsigned int nr, u8 first)
{
	for (; nr--; index++, first++)
		KUNIT_EXPECT_EQ_MSG(test, files_read(file, index), first,
				    "page %llu", index);
}

/* Dirty, appended pages are written where they were, and move then. */
static void shift_dirty(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;

	fill_file(test);
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, COLLAPSE, 4, 6));
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 14 * PAGE_SIZE);
	expect_bytes(test, fx->file, 0, 4, 1);
	expect_bytes(test, fx->file, 4, 10, 11);
	files_write(test, fx->file, 2, 1, 99);
	files_write(test, fx->file, 9, 1, 98);
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, INSERT, 2, 500));
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 514 * PAGE_SIZE);
	expect_bytes(test, fx->file, 0, 2, 1);
	files_expect(test, fx->file, 2, 500, 0);
	files_expect(test, fx->file, 502, 1, 99);
	expect_bytes(test, fx->file, 503, 1, 4);
	files_expect(test, fx->file, 509, 1, 98);
	KUNIT_EXPECT_EQ(test, 0, msyncfs_commit_all(fx->sb));
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
}

static void shift_refused(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;
	struct inode *inode = fx->inode;

	fill_file(test);
	KUNIT_EXPECT_EQ(test, -EINVAL, fallocate_pages(fx->file, COLLAPSE, 4, 16));
	KUNIT_EXPECT_EQ(test, -EINVAL, fallocate_pages(fx->file, INSERT, 20, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, vfs_fallocate(fx->file, COLLAPSE, 512, 4096));
	KUNIT_EXPECT_EQ(test, -EINVAL, vfs_fallocate(fx->file, INSERT, 4096, 512));
	KUNIT_EXPECT_EQ(test, -EFBIG,
			vfs_fallocate(fx->file, INSERT, 0,
				      fx->sb->s_maxbytes - 19 * PAGE_SIZE));
	expect_bytes(test, fx->file, 0, 20, 1);
	KUNIT_EXPECT_EQ(test, i_size_read(inode), 20 * PAGE_SIZE);

	set_bit(MSYNCFS_I_ATOMIC, &MSYNCFS_I(inode)->i_flags);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, fallocate_pages(fx->file, COLLAPSE, 4, 1));
	clear_bit(MSYNCFS_I_ATOMIC, &MSYNCFS_I(inode)->i_flags);
}

/* A range in a hole behind the last block: only the size changes. */
static void shift_hole(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;

	fill_file(test);
	KUNIT_ASSERT_EQ(test, 0, files_truncate(fx->file, 100 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, INSERT, 50, 10));
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 110 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, COLLAPSE, 30, 20));
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 90 * PAGE_SIZE);
	expect_bytes(test, fx->file, 0, 20, 1);
	files_expect(test, fx->file, 20, 70, 0);
}

static bool keep_nothing(void *ctx, u64 blkno)
{
	return false;
}

static bool keep_all(void *ctx, u64 blkno)
{
	return true;
}

/* Closes the file, crashes, and opens the file again. */
static void crash(struct kunit *test, bool (*keep)(void *ctx, u64 blkno))
{
	struct shift_fixture *fx = test->priv;

	msyncfs_fake_close(fx->fake, fx->file);
	msyncfs_fake_crash(fx->fake, keep, NULL);
	KUNIT_ASSERT_EQ(test, 0, msyncfs_fake_do_mount(fx->fake, 0, NULL));
	fx->sb = fx->fake->sb;
	fx->file = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	fx->inode = file_inode(fx->file);
}

/* Without a sync nothing has happened after a crash; with a sync, everything. */
static void shift_crash(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;

	fill_file(test);
	KUNIT_ASSERT_EQ(test, 0, files_sync(fx->file));
	files_quiet(fx->fake);
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, COLLAPSE, 4, 6));
	crash(test, keep_nothing);
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 20 * PAGE_SIZE);
	expect_bytes(test, fx->file, 0, 20, 1);

	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, COLLAPSE, 4, 6));
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, INSERT, 1, 2));
	KUNIT_ASSERT_EQ(test, 0, files_sync(fx->file));
	crash(test, keep_all);
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 16 * PAGE_SIZE);
	expect_bytes(test, fx->file, 0, 1, 1);
	files_expect(test, fx->file, 1, 2, 0);
	expect_bytes(test, fx->file, 3, 3, 2);
	expect_bytes(test, fx->file, 6, 10, 11);
}

/*
 * Each change is in one record, also if the file has several leaves. Blocks beyond the
 * end move, too.
 */
static void shift_preallocated(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;
	struct msyncfs_log *log = MSYNCFS_SB(fx->sb)->log;
	u64 block, tid;

	fill_file(test);
	KUNIT_ASSERT_EQ(test, 0, fallocate_pages(fx->file, FALLOC_FL_KEEP_SIZE,
						 0, 2000));
	block = files_block(test, fx->file, 1999);
	KUNIT_ASSERT_NE(test, block, 0);
	KUNIT_ASSERT_EQ(test, 0, files_sync(fx->file));
	files_quiet(fx->fake);
	KUNIT_ASSERT_EQ(test, 0, msyncfs_commit_all(fx->sb));
	tid = log->running->tid;
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, INSERT, 10, 7));
	KUNIT_EXPECT_EQ(test, tid, log->running->tid);
	KUNIT_EXPECT_EQ(test, block, files_block(test, fx->file, 2006));
	KUNIT_EXPECT_EQ(test, 0, files_block(test, fx->file, 2007));
	KUNIT_ASSERT_EQ(test, 0, msyncfs_commit_all(fx->sb));
	tid = log->running->tid;
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, COLLAPSE, 2, 20));
	KUNIT_EXPECT_EQ(test, tid, log->running->tid);
	KUNIT_EXPECT_EQ(test, block, files_block(test, fx->file, 1986));
	expect_bytes(test, fx->file, 0, 2, 1);
	expect_bytes(test, fx->file, 2, 5, 16);
}

/*
 * A leaf that becomes empty is freed, and a later leaf moves there. The record has room for
 * both, so the change is one record.
 */
static void shift_long(struct kunit *test)
{
	struct shift_fixture *fx = test->priv;
	struct msyncfs_log *log = MSYNCFS_SB(fx->sb)->log;
	u64 pages = 150 * MSYNCFS_NODE_PTRS;
	u64 block, tid;

	KUNIT_ASSERT_EQ(test, 0, fallocate_pages(fx->file, 0, 0, pages));
	block = files_block(test, fx->file, pages - 1);
	KUNIT_ASSERT_EQ(test, 0, files_sync(fx->file));
	files_quiet(fx->fake);
	KUNIT_ASSERT_EQ(test, 0, msyncfs_commit_all(fx->sb));
	tid = log->running->tid;
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, COLLAPSE, 100, 600));
	KUNIT_EXPECT_EQ(test, tid, log->running->tid);
	KUNIT_EXPECT_EQ(test, block, files_block(test, fx->file, pages - 601));
	KUNIT_ASSERT_EQ(test, 0, msyncfs_commit_all(fx->sb));
	tid = log->running->tid;
	KUNIT_EXPECT_EQ(test, 0, fallocate_pages(fx->file, INSERT, 100, 1200));
	KUNIT_EXPECT_EQ(test, tid, log->running->tid);
	KUNIT_EXPECT_EQ(test, block, files_block(test, fx->file, pages + 599));
	KUNIT_EXPECT_EQ(test, 0, files_block(test, fx->file, 1299));
	KUNIT_EXPECT_EQ(test, 0, msyncfs_commit_all(fx->sb));
}

static struct kunit_case shift_cases[] = {
	KUNIT_CASE(shift_small),
	KUNIT_CASE(shift_resumes),
	KUNIT_CASE(shift_random),
	KUNIT_CASE(shift_sparse),
	KUNIT_CASE(shift_dirty),
	KUNIT_CASE(shift_refused),
	KUNIT_CASE(shift_hole),
	KUNIT_CASE(shift_crash),
	KUNIT_CASE(shift_preallocated),
	KUNIT_CASE(shift_long),
	{}
};

static struct kunit_suite shift_suite = {
	.name = "msyncfs_shift",
	.init = shift_init,
	.test_cases = shift_cases,
};

kunit_test_suite(shift_suite);
