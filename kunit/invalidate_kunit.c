// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for MS_INVALIDATE: which pages it drops from the page cache, and
 * which pages stay because they are dirty, locked or pinned.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "calls.h"

/* ---- MS_INVALIDATE ------------------------------------------------------ */

static void change_underneath(struct kunit *test, pgoff_t index, u8 value)
{
	struct call_fixture *fx = test->priv;
	u8 *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	memset(buf, value, PAGE_SIZE);
	msyncfs_fake_write(fx->fake, files_block(test, fx->f, index), buf);
}

/*
 * After MS_INVALIDATE, the next access reads the page from the device. After
 * MS_SYNC alone, the next access uses the page cache.
 */
static void msync_invalidate(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	unsigned int i;

	call_store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), 0);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_FALSE(test, call_cached(fx->f, i));
	KUNIT_EXPECT_TRUE(test, call_cached(fx->f, 4));
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT), 2);
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT + 1), 1);

	change_underneath(test, 0, 9);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_SYNC), 0);
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT), 2);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), 0);
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT), 9);
}

/*
 * A page that is dirty again after the sync is newer than its block. The page
 * stays in the page cache, so that the store is not lost.
 */
static void msync_invalidate_dirty(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	call_store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, msyncfs_invalidate(file_inode(fx->f), 0, 3), 0);
	KUNIT_EXPECT_TRUE(test, call_cached(fx->f, 0));
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 1));
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT), 2);
	KUNIT_EXPECT_EQ(test, files_sync(fx->f), 0);
	call_crash(test);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 0), 2);
}

/* If a page of the range is locked, the call writes and drops nothing. */
static void msync_invalidate_locked(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	call_map(test, fx->g, 0, G_AT, 4, MAP_SHARED | MAP_LOCKED);
	call_store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 8,
					 MS_SYNC | MS_INVALIDATE), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	/* Without MS_INVALIDATE, the lock does not matter. */
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 8, MS_SYNC), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
}

/*
 * A mapping outside the range locks two pages of the file. The call makes the
 * data durable and drops all pages except the locked pages.
 */
static void msync_invalidate_locked_elsewhere(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	call_map(test, fx->f, 1, HOLE_AT, 2, MAP_SHARED | MAP_LOCKED);
	call_store(test, F_AT, 2);
	call_store(test, F_AT + 1, 3);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 0));
	KUNIT_EXPECT_TRUE(test, call_cached(fx->f, 1));
	KUNIT_EXPECT_TRUE(test, call_cached(fx->f, 2));
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 3));
	KUNIT_EXPECT_EQ(test, call_load(fx, HOLE_AT), 3);
	vm_munmap(call_at(fx, HOLE_AT), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), 0);
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 1));
	call_crash(test);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 0), 2);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 1), 3);
}

static void msync_invalidate_pinned(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct page *page;

	call_store(test, F_AT + 2, 2);
	KUNIT_ASSERT_EQ(test, pin_user_pages_fast(call_at(fx, F_AT + 2), 1,
						  FOLL_WRITE, &page), 1);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 1));
	KUNIT_EXPECT_TRUE(test, call_cached(fx->f, 2));
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 3));
	/* The mapping shows the data that a device writes by DMA. */
	*(u8 *)page_address(page) = 7;
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT + 2), 7);
	unpin_user_pages_dirty_lock(&page, 1, true);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), 0);
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 2));
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT + 2), 7);
}

/* If the write fails, no page is dropped. */
static void msync_invalidate_error(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	call_store(test, F_AT, 2);
	msyncfs_fake_fail(fx->fake, MSYNCFS_FAKE_WRITE, 0, 1);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), -EIO);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_TRUE(test, call_cached(fx->f, 1));
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), 0);
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 1));
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT), 2);
}

static struct kunit_case invalidate_cases[] = {
	KUNIT_CASE(msync_invalidate),
	KUNIT_CASE(msync_invalidate_dirty),
	KUNIT_CASE(msync_invalidate_locked),
	KUNIT_CASE(msync_invalidate_locked_elsewhere),
	KUNIT_CASE(msync_invalidate_pinned),
	KUNIT_CASE(msync_invalidate_error),
	{}
};

static struct kunit_suite invalidate_suite = {
	.name		= "msyncfs_invalidate",
	.init		= call_init,
	.test_cases	= invalidate_cases,
};

kunit_test_suite(invalidate_suite);
