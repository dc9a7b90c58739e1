// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for reservations: how many blocks are reserved for a page and
 * given back. A reservation must suffice for its page, in whatever order pages
 * are written.
 */
#include <kunit/test.h>

#include "fake.h"
#include "fs/vfs/vfs.h"

#define RESV_BLOCKS	8192
#define RESV_LOG_BLOCKS	1024
#define LEAF		MSYNCFS_NODE_PTRS
#define SOME_BLOCK	5000ULL

struct resv_fixture {
	struct msyncfs_fake	*fake;
	struct msyncfs_sb_info	*sbi;
	struct inode		*inode;
};

static int resv_init(struct kunit *test)
{
	struct resv_fixture *fx;
	struct file *file;

	fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_mount(test, RESV_BLOCKS, RESV_LOG_BLOCKS);
	fx->sbi = MSYNCFS_SB(fx->fake->sb);
	file = msyncfs_fake_open(fx->fake, "f", O_RDWR | O_CREAT);
	fx->inode = file_inode(file);
	test->priv = fx;
	return 0;
}

static void resv_page(struct kunit *test, pgoff_t index)
{
	struct resv_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, msyncfs_resv_page(fx->inode, index), 0);
	KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(fx->inode, index));
}

/*
 * Set the pointer of a reserved page. The map nodes get their blocks from the
 * reservation of the page.
 */
static void resv_use(struct kunit *test, u64 index)
{
	struct resv_fixture *fx = test->priv;
	u64 blocks = msyncfs_resv_blocks(fx->inode, index);
	struct msyncfs_op op;

	KUNIT_ASSERT_GT(test, blocks, 0);
	KUNIT_ASSERT_EQ(test, msyncfs_op_begin_promised(fx->fake->sb, &op, 40,
							blocks - 1), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_map_set(&op, fx->inode, index, 1,
					      SOME_BLOCK, false), 0);
	msyncfs_op_add_inode(&op, fx->inode, true);
	msyncfs_resv_release(fx->inode, index, index);
	msyncfs_op_end(&op);
	KUNIT_EXPECT_FALSE(test, msyncfs_resv_test(fx->inode, index));
}

static void resv_clear(struct kunit *test)
{
	struct resv_fixture *fx = test->priv;
	u64 last = msyncfs_map_capacity(MSYNCFS_MAX_DEPTH) - 1, next;
	struct msyncfs_op op;

	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 0);
	KUNIT_EXPECT_TRUE(test, xa_empty(&MSYNCFS_I(fx->inode)->i_resv));
	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fx->fake->sb, &op, 100, 0), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_map_set(&op, fx->inode, 0, last, 0,
					      false), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_map_free(&op, fx->inode, 0, last, &next),
			0);
	KUNIT_EXPECT_EQ(test, next, last + 1);
	msyncfs_op_add_inode(&op, fx->inode, true);
	msyncfs_op_end(&op);
	KUNIT_EXPECT_EQ(test, inode_get_bytes(fx->inode), 0);
}

static void resv_counts(struct kunit *test)
{
	struct resv_fixture *fx = test->priv;

	KUNIT_EXPECT_FALSE(test, msyncfs_resv_test(fx->inode, 5));
	msyncfs_resv_release(fx->inode, 0, ULONG_MAX);

	/* The pointer of page 5 is in the inode, so the map needs no node. */
	resv_page(test, 5);
	resv_page(test, 5);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 1);
	resv_page(test, 7);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 2);
	KUNIT_EXPECT_FALSE(test, msyncfs_resv_test(fx->inode, 6));

	/* Page 450 has no pointer in the inode, so the map needs a leaf. */
	resv_page(test, 450);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 4);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_range(fx->inode, 0, 503), 4);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, 8, 503), 450);
	msyncfs_resv_release(fx->inode, 8, 503);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 2);

	/*
	 * A page in the second leaf needs the first leaf, too. Each leaf is
	 * reserved once.
	 */
	resv_page(test, LEAF + 1);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 5);
	resv_page(test, LEAF + 400);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 6);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_blocks(fx->inode, LEAF + 400), 3);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_blocks(fx->inode, LEAF + 2), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_blocks(fx->inode, 5), 1);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_range(fx->inode, 0, ULONG_MAX), 6);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_range(fx->inode, 6, LEAF + 1), 4);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_count(fx->inode, 0, 100), 4);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_count(fx->inode, 6, 100), 3);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_count(fx->inode, 0, 2), 2);

	/*
	 * The nodes stay reserved until the last page of the leaf is released.
	 */
	msyncfs_resv_release(fx->inode, LEAF, LEAF + 399);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 5);
	msyncfs_resv_release(fx->inode, LEAF, LEAF + 399);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 5);
	msyncfs_resv_release(fx->inode, 6, LEAF + 400);
	KUNIT_EXPECT_EQ(test, fx->sbi->space->reserved, 1);
	KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(fx->inode, 5));
	msyncfs_resv_release(fx->inode, 5, ULONG_MAX);
	resv_clear(test);
}

static void resv_next(struct kunit *test)
{
	struct resv_fixture *fx = test->priv;

	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, 0, 9), 10);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, 0, ULONG_MAX),
			U64_MAX);
	resv_page(test, 3);
	resv_page(test, LEAF - 1);
	resv_page(test, 5 * LEAF);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, 0, 9), 3);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, 3, 3), 3);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, 0, 2), 3);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, 4, ULONG_MAX),
			LEAF - 1);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, LEAF, 5 * LEAF),
			5 * LEAF);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, LEAF, 5 * LEAF - 1),
			5 * LEAF);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_next(fx->inode, 5 * LEAF + 1,
						ULONG_MAX), U64_MAX);
	msyncfs_resv_release(fx->inode, 0, ULONG_MAX);
	resv_clear(test);
}

/* Reserve the last free blocks for a page. The next reservation must fail. */
static void resv_exact(struct kunit *test)
{
	struct resv_fixture *fx = test->priv;
	u64 avail = msyncfs_space_avail(fx->fake->sb);
	struct msyncfs_resv *hint = NULL;
	LIST_HEAD(taken);

	KUNIT_ASSERT_EQ(test, msyncfs_reserve(fx->fake->sb, avail - 3), 0);
	resv_page(test, LEAF);			/* one page, two leaves */
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fx->fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_page(fx->inode, LEAF + 1), -ENOSPC);
	KUNIT_EXPECT_FALSE(test, msyncfs_resv_test(fx->inode, LEAF + 1));
	KUNIT_EXPECT_EQ(test, msyncfs_resv_page(fx->inode, LEAF), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_resv_page(fx->inode, 0), -ENOSPC);
	KUNIT_EXPECT_FALSE(test, msyncfs_resv_test(fx->inode, 0));
	/*
	 * msyncfs_resv_add(), which is for a captured page, must also fail. It
	 * must leave nothing in @taken.
	 */
	KUNIT_EXPECT_EQ(test, msyncfs_resv_add(fx->inode, &taken, LEAF + 1,
					       &hint), -ENOSPC);
	KUNIT_EXPECT_TRUE(test, list_empty(&taken));
	msyncfs_unreserve(fx->fake->sb, avail - 3);
	msyncfs_resv_release(fx->inode, 0, ULONG_MAX);

	KUNIT_EXPECT_EQ(test, -EFBIG,
			msyncfs_resv_page(fx->inode,
					  msyncfs_map_capacity(5)));
	resv_clear(test);
}

/*
 * Reserve pages of an empty file at every depth, and write them in ascending
 * and in descending order. Each page must use at most its reservation.
 * Otherwise msyncfs_alloc() warns and fails.
 */
static void resv_suffices(struct kunit *test)
{
	static const u64 index[] = {
		0, 447, 448, 504, 225792, 500000, 113799167, 113799168,
		64524128256, 14569031962214399ULL,
	};
	int i, n = ARRAY_SIZE(index);

	for (i = 0; i < n; i++)
		resv_page(test, index[i]);
	for (i = 0; i < n; i++)
		resv_use(test, index[i]);
	resv_clear(test);

	for (i = 0; i < n; i++)
		resv_page(test, index[i]);
	for (i = n - 1; i >= 0; i--)
		resv_use(test, index[i]);
	resv_clear(test);
}

static struct kunit_case resv_cases[] = {
	KUNIT_CASE(resv_counts),
	KUNIT_CASE(resv_next),
	KUNIT_CASE(resv_exact),
	KUNIT_CASE(resv_suffices),
	{}
};

static struct kunit_suite resv_suite = {
	.name		= "msyncfs_resv",
	.init		= resv_init,
	.test_cases	= resv_cases,
};

kunit_test_suite(resv_suite);
