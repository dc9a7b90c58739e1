// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the block allocator: allocation down to the last block,
 * goals, runs, claimed blocks, freed blocks, and the counters of promised
 * blocks. The filesystem has two groups. The device ends within the second
 * group.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "fake.h"
#include "fs/vfs/vfs.h"

#define ALLOC_BLOCKS		40000
#define ALLOC_LOG_BLOCKS	1024
#define GROUP			MSYNCFS_GROUP_BLOCKS

struct alloc_fixture {
	struct msyncfs_fake	*fake;
	struct super_block	*sb;
	struct msyncfs_sb_info	*sbi;
	u64			free;	/* free blocks at the start */
};

static int alloc_init(struct kunit *test)
{
	struct alloc_fixture *fx;

	fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_mount(test, ALLOC_BLOCKS, ALLOC_LOG_BLOCKS);
	fx->sb = fx->fake->sb;
	fx->sbi = MSYNCFS_SB(fx->sb);
	/*
	 * Let the cases use all blocks. alloc_spare() tests the spare blocks.
	 */
	fx->sbi->space->spare = 0;
	fx->free = msyncfs_space_avail(fx->sb);
	test->priv = fx;
	return 0;
}

/*
 * Expect that the case has given all blocks back. No block may be promised or
 * lost.
 */
static void alloc_settled(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;

	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->held, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fx->sb), fx->free);
}

static void begin(struct kunit *test, struct msyncfs_op *op, u64 blocks)
{
	struct alloc_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fx->sb, op, 8, blocks), 0);
}

static void commit_and_checkpoint(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->sb), 0);
}

/* Claim @want blocks in one run. The test fails if no such run is free. */
static u64 claim(struct kunit *test, u64 goal, u64 want)
{
	struct alloc_fixture *fx = test->priv;
	u64 start, len;

	KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, goal, want, &start, &len),
			0);
	KUNIT_ASSERT_EQ(test, len, want);
	return start;
}

/*
 * Claim all free blocks, run by run. The allocator must return each block
 * exactly once.
 */
static void alloc_last_block(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	u64 start, len, total = 0, highest = 0, i;
	unsigned long *seen;

	seen = kunit_kcalloc(test, BITS_TO_LONGS(ALLOC_BLOCKS), sizeof(long),
			     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	KUNIT_ASSERT_EQ(test, msyncfs_hold(fx->sb, fx->free, false), 0);
	while (total < fx->free) {
		KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, 0, 1000, &start,
						    &len), 0);
		for (i = start; i < start + len; i++) {
			KUNIT_ASSERT_TRUE(test, msyncfs_is_data(&fx->sbi->geo,
								i));
			KUNIT_ASSERT_FALSE(test, __test_and_set_bit(i, seen));
		}
		highest = max(highest, start + len - 1);
		total += len;
	}
	KUNIT_EXPECT_EQ(test, total, fx->free);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->free, 0);
	KUNIT_EXPECT_EQ(test, highest, ALLOC_BLOCKS - 2);
	KUNIT_EXPECT_EQ(test, msyncfs_claim(fx->sb, 0, 1, &start, &len),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, msyncfs_claim(fx->sb, ALLOC_BLOCKS - 2, 1,
					    &start, &len), -ENOSPC);

	for (i = 0; i < ALLOC_BLOCKS; i++)
		if (test_bit(i, seen))
			msyncfs_unclaim(fx->sb, i, 1);
	msyncfs_unhold(fx->sb, fx->free, false);
	alloc_settled(test);
}

static void alloc_goal(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	u64 goal = 20000, start, len;

	KUNIT_ASSERT_EQ(test, msyncfs_hold(fx->sb, 1000, false), 0);
	/* The goal is free. */
	KUNIT_EXPECT_EQ(test, claim(test, goal, 10), goal);
	/* The next run begins where the first run ends. */
	KUNIT_EXPECT_EQ(test, claim(test, goal + 10, 10), goal + 10);
	/* The goal is in use, so the run begins at the next free block. */
	KUNIT_EXPECT_EQ(test, claim(test, goal + 5, 10), goal + 20);
	/* A short run at the goal is better than a long run elsewhere. */
	KUNIT_EXPECT_EQ(test, claim(test, goal + 33, 1), goal + 33);
	KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, goal + 30, 10, &start,
					    &len), 0);
	KUNIT_EXPECT_EQ(test, start, goal + 30);
	KUNIT_EXPECT_EQ(test, len, 3);
	msyncfs_unclaim(fx->sb, goal, 34);

	/* A run does not continue into the next group. */
	KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, GROUP - 3, 10, &start,
					    &len), 0);
	KUNIT_EXPECT_EQ(test, start, GROUP - 3);
	KUNIT_EXPECT_EQ(test, len, 3);
	KUNIT_EXPECT_EQ(test, claim(test, GROUP, 10), GROUP);
	msyncfs_unclaim(fx->sb, GROUP - 3, 13);

	/* A goal may be beyond the device, or a block that is never free. */
	KUNIT_EXPECT_EQ(test, msyncfs_claim(fx->sb, U64_MAX, 1, &start, &len),
			0);
	msyncfs_unclaim(fx->sb, start, len);
	KUNIT_EXPECT_EQ(test, msyncfs_claim(fx->sb, ALLOC_BLOCKS - 1, 1, &start,
					    &len), 0);
	KUNIT_EXPECT_LT(test, start, ALLOC_BLOCKS - 1);
	msyncfs_unclaim(fx->sb, start, len);
	msyncfs_unhold(fx->sb, 1000, false);
	alloc_settled(test);
}

/*
 * The goal is in use, and three short runs behind the goal are free. The
 * allocator must take the first run that is long enough.
 */
static void alloc_runs(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	u64 base = 10000, start, len;

	KUNIT_ASSERT_EQ(test, msyncfs_hold(fx->sb, 300, false), 0);
	KUNIT_ASSERT_EQ(test, claim(test, base, 200), base);
	msyncfs_unclaim(fx->sb, base + 10, 1);
	msyncfs_unclaim(fx->sb, base + 20, 12);
	msyncfs_unclaim(fx->sb, base + 40, 30);

	KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, base, 12, &start, &len), 0);
	KUNIT_EXPECT_EQ(test, start, base + 20);
	KUNIT_EXPECT_EQ(test, len, 12);
	KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, base, 13, &start, &len), 0);
	KUNIT_EXPECT_EQ(test, start, base + 40);
	KUNIT_EXPECT_EQ(test, len, 13);
	KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, base, 1, &start, &len), 0);
	KUNIT_EXPECT_EQ(test, start, base + 10);

	msyncfs_unclaim(fx->sb, base, 53);
	msyncfs_unclaim(fx->sb, base + 70, 130);
	msyncfs_unhold(fx->sb, 300, false);
	alloc_settled(test);
}

/* If no free run is long enough, the allocator takes the longest free run. */
static void alloc_fragmented(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	u64 start, len, total = 0, hole[] = { 9000, 11000, 35000 };
	unsigned int size[] = { 5, 3, 7 }, i;

	KUNIT_ASSERT_EQ(test, msyncfs_hold(fx->sb, fx->free, false), 0);
	while (total < fx->free) {
		KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, 0, GROUP, &start,
						    &len), 0);
		total += len;
	}
	for (i = 0; i < ARRAY_SIZE(hole); i++)
		msyncfs_unclaim(fx->sb, hole[i], size[i]);

	KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, 8000, 100, &start, &len),
			0);
	KUNIT_EXPECT_EQ(test, start, 35000);
	KUNIT_EXPECT_EQ(test, len, 7);
	KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, 8000, 100, &start, &len),
			0);
	KUNIT_EXPECT_EQ(test, start, 9000);
	KUNIT_EXPECT_EQ(test, len, 5);
	/*
	 * The last free run is in the first group. The goal is in the second
	 * group.
	 */
	KUNIT_ASSERT_EQ(test, msyncfs_claim(fx->sb, 39000, 100, &start, &len),
			0);
	KUNIT_EXPECT_EQ(test, start, 11000);
	KUNIT_EXPECT_EQ(test, len, 3);
	KUNIT_EXPECT_EQ(test, msyncfs_claim(fx->sb, 0, 1, &start, &len),
			-ENOSPC);

	/* Give all data blocks back, except the inode of the root directory. */
	for (start = 0; start < ALLOC_BLOCKS - 1; start++)
		if (msyncfs_is_data(&fx->sbi->geo, start) &&
		    start != fx->sbi->geo.root_ino)
			msyncfs_unclaim(fx->sb, start, 1);
	msyncfs_unhold(fx->sb, fx->free, false);
	alloc_settled(test);
}

/*
 * Claimed blocks are still free in the bitmap. msyncfs_claim_commit() marks the
 * blocks as in use in the bitmap. After this call, only msyncfs_free() can give
 * the blocks back.
 */
static void alloc_claim_commit(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	u64 start, used = fx->sbi->space->free;
	struct msyncfs_op op;

	KUNIT_ASSERT_EQ(test, msyncfs_hold(fx->sb, 20, false), 0);
	start = claim(test, 12000, 20);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->free, used - 20);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->held, 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 20);

	begin(test, &op, 0);
	msyncfs_claim_commit(&op, start, 20);
	msyncfs_unreserve(fx->sb, 20);
	/* A block that is both promised and claimed counts only once. */
	msyncfs_claim_done(fx->sb, 20, 0);
	msyncfs_op_end(&op);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fx->sb), fx->free - 20);
	commit_and_checkpoint(test);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fx->sb), fx->free - 20);

	begin(test, &op, 0);
	msyncfs_free(&op, start, 20);
	msyncfs_op_end(&op);
	alloc_settled(test);
}

/*
 * Freed blocks are not reused before the record that frees them is durable and
 * home (B3).
 */
static void alloc_freed(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	u64 start, len, other, tid;
	struct msyncfs_op op;

	begin(test, &op, 8);
	KUNIT_ASSERT_EQ(test, msyncfs_alloc(&op, 15000, 8, &start, &len), 0);
	KUNIT_EXPECT_EQ(test, start, 15000);
	KUNIT_EXPECT_EQ(test, len, 8);
	KUNIT_EXPECT_EQ(test, op.blocks, 0);
	msyncfs_op_end(&op);

	begin(test, &op, 0);
	msyncfs_free(&op, start, 5);
	msyncfs_free(&op, start + 5, 3);
	tid = op.tid;
	msyncfs_op_end(&op);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 8);
	alloc_settled(test);

	KUNIT_ASSERT_EQ(test, msyncfs_hold(fx->sb, 8, false), 0);
	other = claim(test, start, 8);
	KUNIT_EXPECT_EQ(test, other, start + 8);
	msyncfs_unclaim(fx->sb, other, 8);
	msyncfs_space_retired(fx->sb, tid - 1);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 8);
	KUNIT_EXPECT_EQ(test, claim(test, start, 8), start + 8);
	msyncfs_unclaim(fx->sb, start + 8, 8);

	commit_and_checkpoint(test);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 0);
	KUNIT_EXPECT_EQ(test, claim(test, start, 8), start);
	msyncfs_unclaim(fx->sb, start, 8);
	msyncfs_unhold(fx->sb, 8, false);
	alloc_settled(test);
}

#define SCATTERED	3000	/* blocks that are freed one at a time */

/* Free every second block of a run, from @start on, in one operation. */
static u64 free_scattered(struct kunit *test, u64 start)
{
	struct msyncfs_op op;
	unsigned int i;

	begin(test, &op, 0);
	for (i = 0; i < SCATTERED; i++)
		msyncfs_free(&op, start + 2 * i, 1);
	msyncfs_op_end(&op);
	return op.tid;
}

/*
 * The memory for freed blocks does not depend on their number: one bitmap for
 * each transaction and each group. The blocks of a transaction become available
 * without those of the next transaction.
 */
static void alloc_freed_memory(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	struct list_head *freed = &fx->sbi->space->freed_list;
	u64 start, len, left, tid, at;
	struct msyncfs_op op;

	begin(test, &op, 2 * SCATTERED);
	start = GROUP - SCATTERED;	/* half of the blocks in each group */
	for (at = start, left = 2 * SCATTERED; left; left -= len, at += len) {
		KUNIT_ASSERT_EQ(test, msyncfs_alloc(&op, at, left, &at, &len),
				0);
		KUNIT_ASSERT_EQ(test, at, start + 2 * SCATTERED - left);
	}
	msyncfs_op_end(&op);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->sb), 0);

	tid = free_scattered(test, start);
	KUNIT_EXPECT_EQ(test, list_count_nodes(freed), 2);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->sb), 0);
	KUNIT_EXPECT_GT(test, free_scattered(test, start + 1), tid);
	KUNIT_EXPECT_EQ(test, list_count_nodes(freed), 4);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 2 * SCATTERED);

	msyncfs_space_retired(fx->sb, tid);
	KUNIT_EXPECT_EQ(test, list_count_nodes(freed), 2);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, SCATTERED);
	KUNIT_ASSERT_EQ(test, msyncfs_hold(fx->sb, 2, false), 0);
	KUNIT_EXPECT_EQ(test, claim(test, start, 1), start);
	KUNIT_EXPECT_EQ(test, claim(test, start + 1, 1), start + 2);
	msyncfs_unclaim(fx->sb, start, 1);
	msyncfs_unclaim(fx->sb, start + 2, 1);
	msyncfs_unhold(fx->sb, 2, false);

	commit_and_checkpoint(test);
	KUNIT_EXPECT_TRUE(test, list_empty(freed));
	KUNIT_EXPECT_EQ(test, fx->sbi->space->free, fx->free);
	alloc_settled(test);
}

/*
 * msyncfs_free() refuses blocks that nobody owns, and blocks of the filesystem
 * itself.
 */
static void alloc_bad_free(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	struct msyncfs_op op;
	u64 start, len;

	begin(test, &op, 4);
	KUNIT_ASSERT_EQ(test, msyncfs_alloc(&op, 16000, 4, &start, &len), 0);
	msyncfs_free(&op, start + 3, 2);		/* last block is free */
	msyncfs_free(&op, 0, 1);			/* the superblock */
	msyncfs_free(&op, fx->sbi->geo.log_start, 8);
	msyncfs_free(&op, ALLOC_BLOCKS - 2, 2);		/* backup superblock */
	msyncfs_free(&op, U64_MAX - 1, 4);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 0);
	msyncfs_free(&op, start, 4);
	msyncfs_free(&op, start, 4);			/* already free */
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 4);
	msyncfs_op_end(&op);
	alloc_settled(test);
}

/* Free a range that crosses the end of a group: two bitmap blocks change. */
static void alloc_across_groups(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	struct msyncfs_op op;
	u64 start, len;

	begin(test, &op, 10);
	KUNIT_ASSERT_EQ(test, msyncfs_alloc(&op, GROUP - 4, 10, &start, &len),
			0);
	KUNIT_ASSERT_EQ(test, len, 4);
	KUNIT_ASSERT_EQ(test, msyncfs_alloc(&op, GROUP, 6, &start, &len), 0);
	KUNIT_ASSERT_EQ(test, len, 6);
	msyncfs_free(&op, GROUP - 4, 10);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 10);
	msyncfs_op_end(&op);
	commit_and_checkpoint(test);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->free, fx->free);
	alloc_settled(test);
}

static void alloc_reserve_exact(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;

	KUNIT_EXPECT_EQ(test, msyncfs_reserve(fx->sb, fx->free + 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msyncfs_reserve(fx->sb, U64_MAX), -ENOSPC);
	KUNIT_ASSERT_EQ(test, msyncfs_reserve(fx->sb, fx->free), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fx->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_reserve(fx->sb, 1), -ENOSPC);
	/* Only the owner of the promise can hold the promised blocks. */
	KUNIT_EXPECT_EQ(test, msyncfs_hold(fx->sb, 1, false), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msyncfs_hold(fx->sb, fx->free, true), 0);
	msyncfs_unhold(fx->sb, fx->free, true);
	msyncfs_unreserve(fx->sb, fx->free);

	KUNIT_EXPECT_EQ(test, msyncfs_hold(fx->sb, fx->free + 1, false),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, msyncfs_hold(fx->sb, fx->free, false), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_reserve(fx->sb, 1), -ENOSPC);
	msyncfs_unhold(fx->sb, fx->free, false);
	alloc_settled(test);
}

/* Only a caller that asks for spare blocks gets spare blocks. */
static void alloc_spare(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	u64 nr = fx->free - 10;

	fx->sbi->space->spare = 10;
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fx->sb), nr);
	KUNIT_EXPECT_EQ(test, msyncfs_reserve(fx->sb, nr + 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msyncfs_hold(fx->sb, nr + 1, false), -ENOSPC);
	KUNIT_ASSERT_EQ(test, msyncfs_hold(fx->sb, nr, false), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_hold(fx->sb, 1, false), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msyncfs_hold_spare(fx->sb, 11), -ENOSPC);
	KUNIT_ASSERT_EQ(test, msyncfs_hold_spare(fx->sb, 10), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fx->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_hold_spare(fx->sb, 1), -ENOSPC);
	/* Blocks that are given back are spare again. */
	msyncfs_unhold(fx->sb, 10, false);
	KUNIT_EXPECT_EQ(test, msyncfs_reserve(fx->sb, 1), -ENOSPC);
	msyncfs_unhold(fx->sb, nr, false);
	fx->sbi->space->spare = 0;
	alloc_settled(test);
}

/*
 * An operation allocates fewer blocks than it has held. Check the counters
 * during the operation and after its end.
 */
static void alloc_op_accounting(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	struct msyncfs_op op;
	u64 start, len;

	begin(test, &op, 100);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->held, 100);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 100);
	KUNIT_ASSERT_EQ(test, msyncfs_alloc(&op, 0, 40, &start, &len), 0);
	KUNIT_ASSERT_EQ(test, len, 40);
	KUNIT_EXPECT_EQ(test, op.blocks, 60);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->held, 60);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 60);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->free, fx->free - 40);
	msyncfs_free(&op, start, 40);
	msyncfs_op_end(&op);
	alloc_settled(test);

	/*
	 * If the caller has promised the blocks, the operation does not end the
	 * promise.
	 */
	KUNIT_ASSERT_EQ(test, msyncfs_reserve(fx->sb, 10), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_op_begin_promised(fx->sb, &op, 8, 10), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_alloc(&op, 0, 4, &start, &len), 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->held, 6);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 10);
	msyncfs_free(&op, start, len);
	msyncfs_op_end(&op);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 10);
	msyncfs_unreserve(fx->sb, 10);
	alloc_settled(test);
}

/*
 * A task needs blocks that were just freed. msyncfs_hold() must commit and
 * checkpoint, so that these blocks can be used.
 */
static void alloc_hold_waits(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	struct msyncfs_op op;
	u64 start, len;

	begin(test, &op, 50);
	KUNIT_ASSERT_EQ(test, msyncfs_alloc(&op, 17000, 50, &start, &len), 0);
	msyncfs_op_end(&op);
	begin(test, &op, 0);
	msyncfs_free(&op, start, len);
	msyncfs_op_end(&op);
	KUNIT_ASSERT_EQ(test, fx->sbi->space->freed, 50);

	/*
	 * msyncfs_reserve() counts freed blocks as available. msyncfs_hold()
	 * must first make the freed blocks usable.
	 */
	KUNIT_ASSERT_EQ(test, msyncfs_reserve(fx->sb, fx->free), 0);
	msyncfs_unreserve(fx->sb, fx->free);
	KUNIT_ASSERT_EQ(test, msyncfs_hold(fx->sb, fx->free, false), 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 0);
	KUNIT_EXPECT_EQ(test, claim(test, start, len), start);
	msyncfs_unclaim(fx->sb, start, len);
	msyncfs_unhold(fx->sb, fx->free, false);
	alloc_settled(test);
}

/* An unmount and a mount do not change which blocks are free. */
static void alloc_remount(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	struct msyncfs_op op;
	u64 start, len;

	begin(test, &op, 30);
	KUNIT_ASSERT_EQ(test, msyncfs_alloc(&op, 18000, 30, &start, &len), 0);
	msyncfs_free(&op, start, 10);
	msyncfs_op_end(&op);
	msyncfs_fake_umount(fx->fake);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->sb = fx->fake->sb;
	fx->sbi = MSYNCFS_SB(fx->sb);
	fx->sbi->space->spare = 0;
	KUNIT_EXPECT_EQ(test, fx->sbi->space->free, fx->free - 20);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->freed, 0);

	begin(test, &op, 0);
	msyncfs_free(&op, start + 10, 20);
	msyncfs_op_end(&op);
	alloc_settled(test);
}

/*
 * A bitmap must mark two kinds of blocks as in use: blocks of the filesystem
 * itself, and blocks beyond the device. The mount refuses a bitmap in which
 * such a block is free.
 */
static void alloc_bad_bitmap(struct kunit *test)
{
	struct alloc_fixture *fx = test->priv;
	const struct msyncfs_geo *geo = &fx->fake->geo;
	struct msyncfs_disk_bitmap *bm;
	const struct {
		u64 group;
		u64 blkno;
	} rows[] = {
		{ 0, 0 }, { 0, geo->bitmap_start }, { 0, geo->log_start + 5 },
		{ 1, ALLOC_BLOCKS - 1 }, { 1, 2 * GROUP - 1 },
	};
	unsigned int i;

	bm = kunit_kzalloc(test, sizeof(*bm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bm);
	msyncfs_fake_umount(fx->fake);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 at = geo->bitmap_start + rows[i].group;

		msyncfs_fake_read(fx->fake, at, bm);
		__clear_bit_le(rows[i].blkno % GROUP, bm->bits);
		msyncfs_seal_block(geo, bm, 0);
		msyncfs_fake_write(fx->fake, at, bm);
		KUNIT_EXPECT_EQ_MSG(test, -EUCLEAN,
				    msyncfs_fake_do_mount(fx->fake, 0, NULL),
				    "block %llu", rows[i].blkno);
		msyncfs_fake_umount(fx->fake);
		__set_bit_le(rows[i].blkno % GROUP, bm->bits);
		msyncfs_seal_block(geo, bm, 0);
		msyncfs_fake_write(fx->fake, at, bm);
	}
	KUNIT_EXPECT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
}

static struct kunit_case alloc_cases[] = {
	KUNIT_CASE(alloc_last_block),
	KUNIT_CASE(alloc_goal),
	KUNIT_CASE(alloc_runs),
	KUNIT_CASE(alloc_fragmented),
	KUNIT_CASE(alloc_claim_commit),
	KUNIT_CASE(alloc_freed),
	KUNIT_CASE(alloc_freed_memory),
	KUNIT_CASE(alloc_bad_free),
	KUNIT_CASE(alloc_across_groups),
	KUNIT_CASE(alloc_reserve_exact),
	KUNIT_CASE(alloc_spare),
	KUNIT_CASE(alloc_op_accounting),
	KUNIT_CASE(alloc_hold_waits),
	KUNIT_CASE(alloc_remount),
	KUNIT_CASE(alloc_bad_bitmap),
	{}
};

static struct kunit_suite alloc_suite = {
	.name		= "msyncfs_alloc",
	.init		= alloc_init,
	.test_cases	= alloc_cases,
};

kunit_test_suite(alloc_suite);
