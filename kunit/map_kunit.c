// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the file map: growth through all levels, runs, holes, freeing
 * in small steps, and damaged nodes. i_blocks and the number of free blocks
 * must be exact at any time. Many cases set pointers to blocks that are not
 * allocated. They clear these pointers before the file is closed.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/ktime.h>

#include "fake.h"
#include "fs/vfs/vfs.h"

#define MAP_GROUPS	16
#define MAP_BLOCKS	(MAP_GROUPS * MSYNCFS_GROUP_BLOCKS)
#define MAP_LOG_BLOCKS	2048
#define SOME_BLOCK	20000ULL
#define MAP_LAST	(msyncfs_map_capacity(MSYNCFS_MAX_DEPTH) - 1)

struct map_fixture {
	struct msyncfs_fake	*fake;
	struct super_block	*sb;
	struct inode		*inode;
	struct msyncfs_inode_info *mi;
	struct msyncfs_disk_inode *di;
	u64			free;	/* free blocks before a test */
};

static int map_init(struct kunit *test)
{
	struct map_fixture *fx;
	struct file *file;

	fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_mount(test, MAP_BLOCKS, MAP_LOG_BLOCKS);
	fx->sb = fx->fake->sb;
	file = msyncfs_fake_open(fx->fake, "f", O_RDWR | O_CREAT);
	fx->inode = file_inode(file);
	fx->mi = MSYNCFS_I(fx->inode);
	fx->di = (struct msyncfs_disk_inode *)fx->mi->i_bh->b_data;
	fx->free = msyncfs_space_avail(fx->sb);
	test->priv = fx;
	return 0;
}

static u64 map_blocks(struct map_fixture *fx)
{
	return inode_get_bytes(fx->inode) >> MSYNCFS_BLOCK_SHIFT;
}

/*
 * Return the number of blocks that are allocated for nodes of the map, and for
 * data if the case allocates data.
 */
static u64 map_used(struct map_fixture *fx)
{
	return fx->free - msyncfs_space_avail(fx->sb);
}

static int map_set(struct map_fixture *fx, u64 index, u64 len, u64 blkno,
		   bool unwritten)
{
	unsigned int credits = msyncfs_map_credits(fx->inode, index, len);
	struct msyncfs_op op;
	int err;

	/*
	 * Setting a hole makes no nodes, so it needs far fewer credits than
	 * msyncfs_map_credits() returns for @len pages.
	 */
	if (!blkno)
		credits = min(credits, 200);
	mutex_lock(&fx->mi->i_commit_lock);
	err = msyncfs_op_begin(fx->sb, &op, credits, blkno ? credits : 0);
	if (!err) {
		err = msyncfs_map_set(&op, fx->inode, index, len, blkno,
				      unwritten);
		msyncfs_op_add_inode(&op, fx->inode, true);
		msyncfs_op_end(&op);
	}
	mutex_unlock(&fx->mi->i_commit_lock);
	return err;
}

/* Free as many pages of a range as one operation with @credits can free. */
static int map_free_some(struct map_fixture *fx, u64 first, u64 last,
			 unsigned int credits, u64 *next)
{
	struct msyncfs_op op;
	int err;

	mutex_lock(&fx->mi->i_commit_lock);
	err = msyncfs_op_begin(fx->sb, &op, credits, 0);
	if (!err) {
		err = msyncfs_map_free(&op, fx->inode, first, last, next);
		msyncfs_op_add_inode(&op, fx->inode, true);
		msyncfs_op_end(&op);
	}
	mutex_unlock(&fx->mi->i_commit_lock);
	return err;
}

/* Free a range in several operations. Return the number of operations. */
static unsigned int map_free(struct kunit *test, u64 first, u64 last,
			     unsigned int credits)
{
	struct map_fixture *fx = test->priv;
	unsigned int ops = 0;
	u64 next = first;

	while (next <= last) {
		first = next;
		/*
		 * Begin a new transaction, so that each changed block uses a
		 * credit.
		 */
		KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->sb), 0);
		KUNIT_ASSERT_EQ(test, map_free_some(fx, first, last, credits,
						    &next), 0);
		KUNIT_ASSERT_GT(test, next, first);
		ops++;
	}
	KUNIT_EXPECT_EQ(test, next, last + 1);
	return ops;
}

/* Allocate a run of blocks for a range of pages. */
static void map_fill(struct kunit *test, u64 index, u64 len, u64 goal)
{
	struct map_fixture *fx = test->priv;
	unsigned int credits = msyncfs_map_credits(fx->inode, index, len) + 2;
	u64 start, got;
	struct msyncfs_op op;

	mutex_lock(&fx->mi->i_commit_lock);
	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fx->sb, &op, credits,
					       credits + len), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_alloc(&op, goal, len, &start, &got), 0);
	KUNIT_EXPECT_EQ(test, got, len);
	KUNIT_EXPECT_EQ(test, msyncfs_map_set(&op, fx->inode, index, len,
					      start, false), 0);
	msyncfs_op_add_inode(&op, fx->inode, true);
	msyncfs_op_end(&op);
	mutex_unlock(&fx->mi->i_commit_lock);
}

static void expect_run(struct kunit *test, u64 index, u64 max, u64 len,
		       u64 blkno, bool unwritten)
{
	struct map_fixture *fx = test->priv;
	struct msyncfs_extent ext;

	KUNIT_ASSERT_EQ(test, msyncfs_map_lookup(fx->inode, index, max, &ext),
			0);
	KUNIT_EXPECT_EQ_MSG(test, ext.index, index, "at %llu", index);
	KUNIT_EXPECT_EQ_MSG(test, ext.len, len, "at %llu", index);
	KUNIT_EXPECT_EQ_MSG(test, ext.blkno, blkno, "at %llu", index);
	KUNIT_EXPECT_EQ_MSG(test, ext.unwritten, unwritten, "at %llu", index);
}

/* Expect an empty map and no lost block. */
static void expect_empty(struct kunit *test)
{
	struct map_fixture *fx = test->priv;

	KUNIT_EXPECT_EQ(test, map_blocks(fx), 0);
	KUNIT_EXPECT_EQ(test, fx->mi->i_map_depth, 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(fx->di->map_depth), 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fx->di->blocks), 0);
	KUNIT_EXPECT_EQ(test, map_used(fx), 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->sb)->space->reserved, 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->sb)->space->held, 0);
	expect_run(test, 0, MAP_LAST, MAP_LAST, 0, false);
}

/*
 * For each depth, set the last page that the depth covers and the page after
 * it. Begin with depth 0, so that the map grows by one level at a time.
 */
static void map_growth(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	u64 index[2 * (MSYNCFS_MAX_DEPTH + 1)], nodes = 0, missing;
	unsigned int depth, i, n = 0;
	int err;

	for (depth = 0; depth <= MSYNCFS_MAX_DEPTH; depth++) {
		index[n++] = msyncfs_map_capacity(depth) - 1;
		if (depth < MSYNCFS_MAX_DEPTH)
			index[n++] = msyncfs_map_capacity(depth);
	}
	for (i = 0; i < n; i++) {
		missing = msyncfs_map_missing(fx->inode, index[i], &err);
		KUNIT_ASSERT_EQ(test, err, 0);
		KUNIT_ASSERT_EQ(test, map_set(fx, index[i], 1, SOME_BLOCK + i,
					      i & 1), 0);
		KUNIT_EXPECT_EQ(test, fx->mi->i_map_depth, (i + 1) / 2);
		KUNIT_EXPECT_EQ_MSG(test, map_used(fx) - nodes, missing,
				    "index %llu", index[i]);
		nodes = map_used(fx);
		KUNIT_EXPECT_EQ(test, map_blocks(fx), nodes + i + 1);
		KUNIT_EXPECT_EQ(test, 0, msyncfs_map_missing(fx->inode,
							     index[i], &err));
	}
	for (i = 0; i < n; i++)
		expect_run(test, index[i], 1, 1, SOME_BLOCK + i, i & 1);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(fx->di->map_depth),
			MSYNCFS_MAX_DEPTH);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fx->di->blocks), nodes + n);

	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_missing(fx->inode, MAP_LAST + 1,
						     &err));
	KUNIT_EXPECT_EQ(test, err, -EFBIG);
	KUNIT_EXPECT_EQ(test, map_set(fx, MAP_LAST, 2, SOME_BLOCK, false),
			-EFBIG);

	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, map_set(fx, index[i], 1, 0, false), 0);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), nodes);
	map_free(test, 0, MAP_LAST, MSYNCFS_MAP_FREE_CREDITS);
	expect_empty(test);
}

/*
 * An empty map gets its depth without nodes. Only the path to a page with a
 * block needs nodes.
 */
static void map_sparse(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	ktime_t start;

	KUNIT_ASSERT_EQ(test, map_set(fx, MAP_LAST, 1, SOME_BLOCK, false), 0);
	KUNIT_EXPECT_EQ(test, map_used(fx), MSYNCFS_MAX_DEPTH);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), MSYNCFS_MAX_DEPTH + 1);

	/* The lookup crosses a hole of 60 exabytes in a few steps. */
	start = ktime_get();
	expect_run(test, 0, U64_MAX, MAP_LAST, 0, false);
	KUNIT_EXPECT_LT(test, ktime_ms_delta(ktime_get(), start), 5000);
	expect_run(test, MAP_LAST - 1000000, U64_MAX, 1000000, 0, false);
	expect_run(test, MAP_LAST, U64_MAX, 1, SOME_BLOCK, false);
	expect_run(test, MAP_LAST + 1, 7, 7, 0, false);

	KUNIT_EXPECT_EQ(test, map_set(fx, MAP_LAST, 1, 0, false), 0);
	start = ktime_get();
	map_free(test, 0, MAP_LAST, MSYNCFS_MAP_FREE_CREDITS);
	KUNIT_EXPECT_LT(test, ktime_ms_delta(ktime_get(), start), 5000);
	expect_empty(test);
}

static void map_runs(struct kunit *test)
{
	struct map_fixture *fx = test->priv;

	expect_run(test, 0, 1, 1, 0, false);
	expect_run(test, 3, 100, 100, 0, false);

	/*
	 * Two calls make one run. Its pointers are in the inode. A run ends
	 * where the unwritten flag changes.
	 */
	KUNIT_ASSERT_EQ(test, map_set(fx, 10, 20, SOME_BLOCK, false), 0);
	KUNIT_ASSERT_EQ(test, map_set(fx, 30, 10, SOME_BLOCK + 20, false), 0);
	KUNIT_ASSERT_EQ(test, map_set(fx, 40, 5, SOME_BLOCK + 30, true), 0);
	KUNIT_ASSERT_EQ(test, map_set(fx, 45, 5, SOME_BLOCK + 100, true), 0);
	expect_run(test, 0, 100, 10, 0, false);
	expect_run(test, 10, 100, 30, SOME_BLOCK, false);
	expect_run(test, 12, 3, 3, SOME_BLOCK + 2, false);
	expect_run(test, 39, 100, 1, SOME_BLOCK + 29, false);
	expect_run(test, 40, 100, 5, SOME_BLOCK + 30, true);
	expect_run(test, 45, 100, 5, SOME_BLOCK + 100, true);
	expect_run(test, 50, 100, 100, 0, false);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), 40);

	/* Clear the unwritten flag, and make a hole within the run. */
	KUNIT_ASSERT_EQ(test, map_set(fx, 40, 5, SOME_BLOCK + 30, false), 0);
	expect_run(test, 10, 100, 35, SOME_BLOCK, false);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), 40);
	KUNIT_ASSERT_EQ(test, map_set(fx, 15, 10, 0, false), 0);
	expect_run(test, 10, 100, 5, SOME_BLOCK, false);
	expect_run(test, 15, 100, 10, 0, false);
	expect_run(test, 25, 100, 20, SOME_BLOCK + 15, false);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), 30);
	KUNIT_EXPECT_EQ(test, map_used(fx), 0);

	/* A hole that reaches far beyond the last page needs no nodes. */
	KUNIT_ASSERT_EQ(test, map_set(fx, 0, MAP_LAST, 0, false), 0);
	expect_empty(test);
}

/* A run continues from one leaf to the next, but not through a gap. */
static void map_across_leaves(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	u64 edge = 3 * MSYNCFS_NODE_PTRS;

	KUNIT_ASSERT_EQ(test, map_set(fx, edge - 700, 1400, SOME_BLOCK, false),
			0);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), 1400 + map_used(fx));
	KUNIT_EXPECT_EQ(test, map_used(fx), 4);
	expect_run(test, edge - 700, U64_MAX, 1400, SOME_BLOCK, false);
	expect_run(test, edge - 1, 2, 2, SOME_BLOCK + 699, false);
	expect_run(test, 0, U64_MAX, edge - 700, 0, false);
	expect_run(test, edge + 700, 5000000, 5000000, 0, false);

	KUNIT_ASSERT_EQ(test, map_set(fx, edge - 1, 2, 0, false), 0);
	expect_run(test, edge - 700, U64_MAX, 699, SOME_BLOCK, false);
	expect_run(test, edge - 1, U64_MAX, 2, 0, false);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), 1398 + map_used(fx));

	KUNIT_ASSERT_EQ(test, map_set(fx, edge - 700, 1400, 0, false), 0);
	map_free(test, 0, MAP_LAST, MSYNCFS_MAP_FREE_CREDITS);
	expect_empty(test);
}

/* Free a map of 40 leaves with 3 runs each, with the minimum of credits. */
static void map_free_resumes(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	unsigned int i, j;

	for (i = 0; i < 40; i++)
		for (j = 0; j < 3; j++)
			map_fill(test, i * MSYNCFS_NODE_PTRS + 7 * j, 4,
				 10000 + 100 * i + 10 * j +
				 i % MAP_GROUPS * MSYNCFS_GROUP_BLOCKS);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), 40 * 12 + 40);
	KUNIT_EXPECT_EQ(test, map_used(fx), 40 * 12 + 40);

	/* If only some pages of a leaf are freed, the leaf stays. */
	map_free(test, 1, 15, MSYNCFS_MAP_FREE_CREDITS);
	expect_run(test, 0, 4, 1, 10000, false);
	expect_run(test, 1, U64_MAX, 15, 0, false);
	expect_run(test, 16, 4, 2, 10022, false);
	KUNIT_EXPECT_EQ(test, map_used(fx), 40 * 12 + 40 - 9);

	/* Ten leaves in the middle are freed, with all their data blocks. */
	map_free(test, 10 * MSYNCFS_NODE_PTRS, 20 * MSYNCFS_NODE_PTRS - 1,
		 MSYNCFS_MAP_FREE_CREDITS);
	KUNIT_EXPECT_EQ(test, map_used(fx), 40 * 12 + 40 - 9 - 130);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), map_used(fx));
	expect_run(test, 10 * MSYNCFS_NODE_PTRS, U64_MAX,
		   10 * MSYNCFS_NODE_PTRS, 0, false);

	KUNIT_EXPECT_GT(test, map_free(test, 0, MAP_LAST,
				       MSYNCFS_MAP_FREE_CREDITS), 2);
	expect_empty(test);
}

/* Freeing scattered blocks of a deep map must not exceed the credits. */
static void map_free_deep(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	unsigned int i;

	for (i = 0; i < 60; i++)
		map_fill(test, MAP_LAST - i * 300, 1, 8000 + 8400 * i);
	KUNIT_EXPECT_EQ(test, fx->mi->i_map_depth, MSYNCFS_MAX_DEPTH);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), map_used(fx));
	/*
	 * Free every other page, so that some leaves keep a part of their
	 * pages. Then free the remaining pages.
	 */
	for (i = 0; i < 60; i += 2)
		map_free(test, MAP_LAST - i * 300, MAP_LAST - i * 300,
			 MSYNCFS_MAP_FREE_CREDITS);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), map_used(fx));
	KUNIT_EXPECT_GT(test, map_free(test, 0, MAP_LAST,
				       MSYNCFS_MAP_FREE_CREDITS), 10);
	expect_empty(test);
}

/* Free holes, and pages beyond the largest possible map. */
static void map_free_nothing(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	u64 next;

	KUNIT_EXPECT_EQ(test, map_free_some(fx, 0, 5, 16, &next), 0);
	KUNIT_EXPECT_EQ(test, next, 6);
	KUNIT_EXPECT_EQ(test, map_free_some(fx, MAP_LAST, MAP_LAST + 9, 16,
					    &next), 0);
	KUNIT_EXPECT_EQ(test, next, MAP_LAST + 10);
	KUNIT_EXPECT_EQ(test, map_free_some(fx, 100, 99, 16, &next), 0);
	KUNIT_EXPECT_EQ(test, next, 100);
	expect_empty(test);
}

/*
 * A leaf must stay while one of its pages is reserved, even if all other pages
 * of the leaf are freed. The reservation of the page has no block for a new
 * leaf.
 */
static void map_keeps_reserved(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	u64 index = 700 * MSYNCFS_NODE_PTRS;

	map_fill(test, index, 1, 12000);
	KUNIT_ASSERT_EQ(test, fx->mi->i_map_depth, 2);
	KUNIT_ASSERT_EQ(test, msyncfs_resv_page(fx->inode, index + 1), 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->sb)->space->reserved, 1);
	map_free(test, 0, MAP_LAST, MSYNCFS_MAP_FREE_CREDITS);
	KUNIT_EXPECT_EQ(test, map_blocks(fx), 2);
	KUNIT_EXPECT_EQ(test, fx->mi->i_map_depth, 2);

	msyncfs_resv_release(fx->inode, 0, ULONG_MAX);
	map_free(test, 0, MAP_LAST, MSYNCFS_MAP_FREE_CREDITS);
	expect_empty(test);
}

/*
 * If a pointer leads to a block that is no node of this map, all functions must
 * return an error and change nothing. The case restores the pointer before the
 * file is closed.
 */
static void map_bad_node(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	u64 edge = MSYNCFS_NODE_PTRS, next, used;
	struct msyncfs_extent ext;
	__le64 saved;
	int err;

	KUNIT_ASSERT_EQ(test, map_set(fx, edge - 2, 4, SOME_BLOCK, false), 0);
	KUNIT_ASSERT_EQ(test, fx->mi->i_map_depth, 1);
	saved = fx->di->ptr[1];
	used = map_used(fx);

	fx->di->ptr[1] = cpu_to_le64(fx->inode->i_ino);
	KUNIT_EXPECT_EQ(test, msyncfs_map_lookup(fx->inode, edge, 1, &ext),
			-EUCLEAN);
	fx->di->ptr[1] = cpu_to_le64(3);
	KUNIT_EXPECT_EQ(test, msyncfs_map_lookup(fx->inode, edge, 1, &ext),
			-EUCLEAN);
	KUNIT_EXPECT_EQ(test, 0, msyncfs_map_missing(fx->inode, edge, &err));
	KUNIT_EXPECT_EQ(test, err, -EUCLEAN);
	/* A run ends before the bad node. */
	expect_run(test, edge - 2, 100, 2, SOME_BLOCK, false);
	/* A failed call sets or frees no page of its range. */
	KUNIT_EXPECT_EQ(test, map_set(fx, edge - 2, 4, SOME_BLOCK + 50, false),
			-EUCLEAN);
	expect_run(test, edge - 2, 2, 2, SOME_BLOCK, false);
	KUNIT_EXPECT_EQ(test, map_free_some(fx, edge, edge + 1, 16, &next),
			-EUCLEAN);
	KUNIT_EXPECT_EQ(test, next, edge);

	/*
	 * With depth 2, the node has the wrong level: it is a leaf, but must
	 * lead to leaves.
	 */
	fx->di->ptr[1] = saved;
	fx->mi->i_map_depth = 2;
	KUNIT_EXPECT_EQ(test, msyncfs_map_lookup(fx->inode, 0, 1, &ext),
			-EUCLEAN);
	fx->mi->i_map_depth = 1;

	KUNIT_EXPECT_EQ(test, map_used(fx), used);
	expect_run(test, edge - 2, 100, 4, SOME_BLOCK, false);
	KUNIT_EXPECT_EQ(test, map_set(fx, edge - 2, 4, 0, false), 0);
	map_free(test, 0, MAP_LAST, MSYNCFS_MAP_FREE_CREDITS);
	expect_empty(test);
}

/* Return the known run that begins at @index, or an empty run. */
static struct msyncfs_known_run known_at(struct map_fixture *fx, u64 index)
{
	unsigned int i;

	for (i = 0; i < MSYNCFS_KNOWN_RUNS; i++)
		if (fx->mi->i_known.run[i].len &&
		    fx->mi->i_known.run[i].index == index)
			return fx->mi->i_known.run[i];
	return (struct msyncfs_known_run){};
}

static void expect_known(struct kunit *test, u64 index, u64 len, u64 blkno)
{
	struct msyncfs_known_run run = known_at(test->priv, index);

	KUNIT_EXPECT_EQ_MSG(test, run.len, len, "at %llu", index);
	if (len)
		KUNIT_EXPECT_EQ_MSG(test, run.blkno, blkno, "at %llu", index);
}

/* Make all pages holes, and free all nodes. */
static void map_clear(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, map_set(test->priv, 0, MAP_LAST, 0, false), 0);
	map_free(test, 0, MAP_LAST, MSYNCFS_MAP_FREE_CREDITS);
	expect_empty(test);
}

/*
 * A lookup of one page makes the whole run in its leaf known. Runs of adjacent
 * leaves become one. Holes and unwritten blocks are never known.
 */
static void map_known(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	u64 leaf = MSYNCFS_NODE_PTRS, i;

	KUNIT_ASSERT_EQ(test, map_set(fx, 10, 3 * leaf, SOME_BLOCK, false), 0);
	KUNIT_ASSERT_EQ(test, map_set(fx, 3 * leaf + 20, 5, SOME_BLOCK, true),
			0);
	expect_known(test, 10, 0, 0);
	expect_run(test, 2 * leaf + 7, 1, 1, SOME_BLOCK + 2 * leaf - 3, false);
	expect_known(test, 2 * leaf, leaf, SOME_BLOCK + 2 * leaf - 10);
	expect_run(test, 17, 1, 1, SOME_BLOCK + 7, false);
	expect_known(test, 10, leaf - 10, SOME_BLOCK);
	expect_run(test, leaf + 7, 1, 1, SOME_BLOCK + leaf - 3, false);
	expect_known(test, 10, 3 * leaf - 10, SOME_BLOCK);
	expect_run(test, 10, U64_MAX, 3 * leaf, SOME_BLOCK, false);
	expect_known(test, 10, 3 * leaf, SOME_BLOCK);
	expect_known(test, 2 * leaf, 0, 0);

	expect_run(test, 0, 10, 10, 0, false);
	expect_run(test, 3 * leaf + 20, 5, 5, SOME_BLOCK, true);
	expect_run(test, 0, 11, 10, 0, false);
	expect_known(test, 0, 0, 0);
	expect_known(test, 3 * leaf + 20, 0, 0);
	map_clear(test);

	/* The shortest run makes room for a new run. */
	for (i = 0; i < MSYNCFS_KNOWN_RUNS + 1; i++)
		KUNIT_ASSERT_EQ(test, map_set(fx, 20 * i, 10 - i,
					      SOME_BLOCK + 500 * i, false), 0);
	for (i = 0; i < MSYNCFS_KNOWN_RUNS + 1; i++)
		expect_run(test, 20 * i, 1, 1, SOME_BLOCK + 500 * i, false);
	for (i = 0; i < MSYNCFS_KNOWN_RUNS - 1; i++)
		expect_known(test, 20 * i, 10 - i, SOME_BLOCK + 500 * i);
	expect_known(test, 20 * i, 0, 0);
	expect_known(test, 20 * i + 20, 10 - i - 1, SOME_BLOCK + 500 * i + 500);
	map_clear(test);
}

/* A run that leaves the data area is known only inside of the data area. */
static void map_known_area(struct kunit *test)
{
	const struct msyncfs_geo *geo = &MSYNCFS_SB(((struct map_fixture *)
						     test->priv)->sb)->geo;
	u64 first = geo->log_start + geo->log_blocks, end = geo->blocks - 1;
	struct map_fixture *fx = test->priv;
	struct msyncfs_extent ext;

	KUNIT_ASSERT_EQ(test, map_set(fx, 20, 9, first - 3, false), 0);
	KUNIT_ASSERT_EQ(test, map_set(fx, 40, 9, end - 4, false), 0);
	expect_run(test, 25, 1, 1, first + 2, false);
	expect_run(test, 42, 1, 1, end - 2, false);
	expect_known(test, 23, 6, first);
	expect_known(test, 40, 4, end - 4);
	KUNIT_EXPECT_EQ(test, msyncfs_map_lookup(fx->inode, 22, 1, &ext),
			-EUCLEAN);
	KUNIT_EXPECT_EQ(test, msyncfs_map_lookup(fx->inode, 44, 1, &ext),
			-EUCLEAN);
	map_clear(test);
}

/* After each change of the map, lookups find the new blocks. */
static void map_known_changes(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	u64 index = 3 * MSYNCFS_NODE_PTRS;

	map_fill(test, index, 20, 12000);
	expect_run(test, index, 20, 20, 12000, false);
	expect_known(test, index, 20, 12000);

	map_free(test, index + 5, index + 9, MSYNCFS_MAP_FREE_CREDITS);
	expect_known(test, index, 0, 0);
	expect_run(test, index + 5, 1, 1, 0, false);
	expect_run(test, index + 10, 1, 1, 12010, false);
	expect_known(test, index + 10, 10, 12010);
	map_free(test, 0, MAP_LAST, MSYNCFS_MAP_FREE_CREDITS);
	expect_run(test, index + 10, 1, 1, 0, false);
	expect_empty(test);

	KUNIT_ASSERT_EQ(test, map_set(fx, index, 20, SOME_BLOCK, false), 0);
	expect_run(test, index, 20, 20, SOME_BLOCK, false);
	KUNIT_ASSERT_EQ(test, map_set(fx, index + 1, 1, SOME_BLOCK + 99, false),
			0);
	expect_known(test, index, 0, 0);
	expect_run(test, index + 1, 1, 1, SOME_BLOCK + 99, false);
	expect_run(test, index + 2, 1, 1, SOME_BLOCK + 2, false);
	KUNIT_ASSERT_EQ(test, map_set(fx, index + 2, 1, SOME_BLOCK + 2, true),
			0);
	expect_run(test, index + 2, 1, 1, SOME_BLOCK + 2, true);
	expect_run(test, index + 3, 1, 1, SOME_BLOCK + 3, false);
	KUNIT_ASSERT_EQ(test, map_set(fx, index + 3, 1, 0, false), 0);
	expect_run(test, index + 3, 1, 1, 0, false);
	map_clear(test);
}

/* The credits that msyncfs_map_credits() returns must always suffice. */
static void map_credits_suffice(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	const struct {
		u64 index;
		u64 len;
	} rows[] = {
		{ 0, 1 }, { 447, 2 }, { 448, 1 }, { 503, 2 }, { 5000, 3000 },
		{ 225791, 2 }, { 500000, 1500 }, { 113799167, 2 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int credits = msyncfs_map_credits(fx->inode,
							   rows[i].index,
							   rows[i].len);
		struct msyncfs_op op;

		/*
		 * Use a new transaction for each row, so that each dirty block
		 * counts against the credits.
		 */
		KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->sb), 0);
		KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fx->sb, &op,
						       credits + 1, credits),
				0);
		KUNIT_EXPECT_EQ(test, 0,
				msyncfs_map_set(&op, fx->inode, rows[i].index,
						rows[i].len, SOME_BLOCK,
						false));
		KUNIT_EXPECT_GT_MSG(test, op.credits, 0, "index %llu",
				    rows[i].index);
		msyncfs_op_end(&op);
	}
	KUNIT_ASSERT_EQ(test, map_set(fx, 0, MAP_LAST, 0, false), 0);
	map_free(test, 0, MAP_LAST, MSYNCFS_MAP_FREE_CREDITS);
	expect_empty(test);
}

/* ---- the overlay ---------------------------------------------------------- */

#define OVERLAY_ENTRIES	64	/* enough for a tree with several levels */
#define OVERLAY_ROUNDS	3000

static int overlay_reader(void *arg)
{
	struct map_fixture *fx = arg;
	struct msyncfs_extent ext;
	u64 index = 0;

	while (!kthread_should_stop()) {
		index = (index + 1) % (2 * OVERLAY_ENTRIES);
		WARN_ON_ONCE(msyncfs_map_lookup(fx->inode, index, 1, &ext));
		/* Entries have even indexes, and the map is a hole. */
		WARN_ON_ONCE(ext.blkno &&
			     (index % 2 || ext.blkno != SOME_BLOCK + index));
		cond_resched();
	}
	return 0;
}

/* Another task reads the overlay while it grows and while a commit empties it. */
static void map_overlay_race(struct kunit *test)
{
	struct map_fixture *fx = test->priv;
	struct task_struct *reader;
	unsigned int i, k;

	reader = kthread_run(overlay_reader, fx, "msyncfs-reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader));
	for (i = 0; i < OVERLAY_ROUNDS; i++) {
		mutex_lock(&fx->mi->i_commit_lock);
		for (k = 0; k < OVERLAY_ENTRIES; k++)
			msyncfs_overlay_enter(fx->inode, 2 * k,
					      SOME_BLOCK + 2 * k, 1);
		msyncfs_overlay_clear(fx->inode);
		mutex_unlock(&fx->mi->i_commit_lock);
		cond_resched();
	}
	kthread_stop(reader);
	expect_empty(test);
}

static struct kunit_case map_cases[] = {
	KUNIT_CASE(map_growth),
	KUNIT_CASE(map_sparse),
	KUNIT_CASE(map_runs),
	KUNIT_CASE(map_across_leaves),
	KUNIT_CASE(map_free_resumes),
	KUNIT_CASE(map_free_deep),
	KUNIT_CASE(map_free_nothing),
	KUNIT_CASE(map_keeps_reserved),
	KUNIT_CASE(map_bad_node),
	KUNIT_CASE(map_known),
	KUNIT_CASE(map_known_area),
	KUNIT_CASE(map_known_changes),
	KUNIT_CASE(map_credits_suffice),
	KUNIT_CASE(map_overlay_race),
	{}
};

static struct kunit_suite map_suite = {
	.name		= "msyncfs_map",
	.init		= map_init,
	.test_cases	= map_cases,
};

kunit_test_suite(map_suite);
