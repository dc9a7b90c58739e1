// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for MS_INVALIDATE: which pages it drops from the page cache, and
 * which pages stay because they are dirty, locked or referenced. A rollback keeps
 * referenced pages, too.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

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

/**
 * struct hold_row - a reference with which the kernel stores to a page
 * @name: description
 * @get: gets the reference, as pin_user_pages_fast() does
 * @put: drops the reference of one dirty page
 */
struct hold_row {
	const char	*name;
	int		(*get)(unsigned long addr, int nr, unsigned int flags,
			       struct page **pages);
	void		(*put)(struct page *page);
};

static void put_pinned(struct page *page)
{
	unpin_user_pages_dirty_lock(&page, 1, true);
}

static void put_got(struct page *page)
{
	set_page_dirty_lock(page);
	put_page(page);
}

static const struct hold_row hold_rows[] = {
	{ "pinned, as for O_DIRECT", pin_user_pages_fast, put_pinned },
	{ "got, as by ptrace", get_user_pages_fast, put_got },
};

KUNIT_ARRAY_PARAM_DESC(hold, hold_rows, name);

/* No store is lost that a task makes through its reference to a page. */
static void msync_invalidate_held(struct kunit *test)
{
	const struct hold_row *row = test->param_value;
	struct call_fixture *fx = test->priv;
	struct page *page;

	call_store(test, F_AT + 2, 2);
	KUNIT_ASSERT_EQ(test, row->get(call_at(fx, F_AT + 2), 1, FOLL_WRITE,
				       &page), 1);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 1));
	KUNIT_EXPECT_TRUE(test, call_cached(fx->f, 2));
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 3));
	/* The mapping shows the data that a device writes by DMA. */
	*(u8 *)page_address(page) = 7;
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT + 2), 7);
	row->put(page);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_INVALIDATE), 0);
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 2));
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT + 2), 7);
}

/*
 * A rollback keeps a page to which a task has a reference, with the committed
 * content. A later store through the reference reaches the file.
 */
static void atomic_rollback_held(struct kunit *test)
{
	const struct hold_row *row = test->param_value;
	struct call_fixture *fx = test->priv;
	u8 __user *at = (u8 __user *)call_at(fx, F_AT + 2) + 1;
	struct inode *inode = file_inode(fx->f);
	struct page *page;
	u8 value;

	KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(inode, true), 0);
	call_store(test, F_AT + 1, 2);
	call_store(test, F_AT + 2, 2);
	KUNIT_ASSERT_EQ(test, row->get(call_at(fx, F_AT + 2), 1, FOLL_WRITE,
				       &page), 1);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(inode), 0);
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT + 1), 1);
	KUNIT_EXPECT_EQ(test, call_load(fx, F_AT + 2), 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	((u8 *)page_address(page))[1] = 7;
	row->put(page);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	call_store(test, F_AT + 2, 3);
	KUNIT_EXPECT_EQ(test, get_user(value, at), 0);
	KUNIT_EXPECT_EQ(test, value, 7);
	KUNIT_EXPECT_EQ(test, files_sync(fx->f), 0);
	call_unmap(fx);
	invalidate_mapping_pages(fx->f->f_mapping, 0, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 2), 3);
	files_settled(test, fx->fake->sb);
}

/* If the write fails, no page is dropped. */
static void msync_invalidate_error(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	call_store(test, F_AT, 2);
	msyncfs_fake_no_fua(fx->fake);
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
	KUNIT_CASE_PARAM(msync_invalidate_held, hold_gen_params),
	KUNIT_CASE_PARAM(atomic_rollback_held, hold_gen_params),
	KUNIT_CASE(msync_invalidate_error),
	{}
};

static struct kunit_suite invalidate_suite = {
	.name		= "msyncfs_invalidate",
	.init		= call_init,
	.test_cases	= invalidate_cases,
};

kunit_test_suite(invalidate_suite);
