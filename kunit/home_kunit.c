// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the block that a folio remembers (fs/map/map.h). Each case
 * moves or frees the blocks of cached pages, and then stores to the pages. A
 * folio must never remember a block that its page no longer has: a commit would
 * write the page to this block. The last step of most cases mounts the
 * filesystem again and checks the content of the file.
 */
#include <kunit/test.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/migrate.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/swap.h>
#include <linux/uaccess.h>

#include "captures.h"

#define PAGES		40	/* too many to be copied into a record */

/**
 * struct home_fixture - a mounted device with a file whose pages are cached
 * @cap: device and file
 * @mapping: mapping of the file
 * @buf: one page of memory
 * @want: byte that fills each page of the file
 */
struct home_fixture {
	struct cap_fixture	*cap;
	struct address_space	*mapping;
	void			*buf;
	u8			want[PAGES];
};

/* Write pages by write(2). */
static void home_write(struct kunit *test, pgoff_t index, unsigned int nr,
		       u8 fill)
{
	struct home_fixture *fx = test->priv;

	files_write(test, fx->cap->file, index, nr, fill);
	memset(fx->want + index, fill, nr);
}

/* Store to one page through a mapping. */
static void home_store(struct kunit *test, pgoff_t index, u8 fill)
{
	struct home_fixture *fx = test->priv;
	unsigned long addr;

	addr = files_map(test, fx->cap->file, PAGES, MAP_SHARED);
	memset(fx->buf, fill, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, copy_to_user((u8 __user *)addr + index * PAGE_SIZE,
					   fx->buf, PAGE_SIZE), 0);
	vm_munmap(addr, PAGES * PAGE_SIZE);
	flush_delayed_fput();
	fx->want[index] = fill;
}

static void home_sync(struct kunit *test)
{
	struct home_fixture *fx = test->priv;

	KUNIT_EXPECT_EQ(test, files_sync(fx->cap->file), 0);
}

/* Return the block that the folio of a page remembers. */
static u64 home_of(struct kunit *test, pgoff_t index)
{
	struct home_fixture *fx = test->priv;
	struct folio *folio = filemap_get_folio(fx->mapping, index);
	u64 home;

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	home = msyncfs_folio_home(folio);
	folio_put(folio);
	return home;
}

/* Expect that all folios remember the blocks of their pages. */
static void home_expect_known(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	pgoff_t i;

	for (i = 0; i < PAGES; i++) {
		KUNIT_EXPECT_NE(test, home_of(test, i), 0);
		KUNIT_EXPECT_EQ_MSG(test, home_of(test, i),
				    files_block(test, fx->cap->file, i),
				    "page %lu", i);
	}
}

/*
 * Drop all pages from the cache and read them again. invalidate_bdev() ends the
 * references of per-CPU lists, so that the pages can be dropped.
 */
static void home_reread(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	pgoff_t i;

	invalidate_bdev(fx->cap->fake->sb->s_bdev);
	invalidate_mapping_pages(fx->mapping, 0, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, fx->mapping->nrpages, 0);
	for (i = 0; i < PAGES; i++)
		KUNIT_EXPECT_EQ(test, files_read(fx->cap->file, i),
				fx->want[i]);
}

/* Sync, bring all blocks home, mount again, and check the content. */
static void home_remount(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	struct cap_fixture *cap = fx->cap;
	pgoff_t i;

	home_sync(test);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(cap->fake->sb), 0);
	msyncfs_fake_close(cap->fake, cap->file);
	msyncfs_fake_umount(cap->fake);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(cap->fake, 0, NULL), 0);
	cap->file = msyncfs_fake_open(cap->fake, "f", O_RDWR);
	for (i = 0; i < PAGES; i++)
		KUNIT_EXPECT_EQ_MSG(test, files_read(cap->file, i),
				    fx->want[i], "page %lu", i);
}

static int home_init(struct kunit *test)
{
	struct home_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	int err = cap_init(test);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->cap = test->priv;
	fx->mapping = fx->cap->inode->i_mapping;
	fx->buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx->buf);
	test->priv = fx;
	home_write(test, 0, PAGES, 1);
	home_sync(test);
	home_reread(test);
	home_expect_known(test);
	return err;
}

/* ---- blocks that move --------------------------------------------------- */

/*
 * A large set moves all pages to fresh blocks. The next commit of a page must
 * write the page to its new block.
 */
static void home_moved(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	u64 before = files_block(test, fx->cap->file, 3);

	home_write(test, 0, PAGES, 2);
	home_sync(test);
	KUNIT_EXPECT_NE(test, files_block(test, fx->cap->file, 3), before);
	home_expect_known(test);
	home_store(test, 3, 3);
	home_remount(test);
}

/* A page over a hole and a page over an unwritten block get their blocks. */
static void home_found(struct kunit *test)
{
	struct home_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, files_punch(fx->cap->file, 4, 1), 0);
	KUNIT_ASSERT_EQ(test, vfs_fallocate(fx->cap->file, FALLOC_FL_ZERO_RANGE,
					    5 * PAGE_SIZE, PAGE_SIZE), 0);
	memset(fx->want + 4, 0, 2);
	home_sync(test);
	home_reread(test);
	KUNIT_EXPECT_EQ(test, home_of(test, 4), 0);
	KUNIT_EXPECT_EQ(test, home_of(test, 5), 0);
	home_store(test, 4, 2);
	home_store(test, 5, 3);
	home_sync(test);
	home_expect_known(test);
	home_store(test, 4, 4);
	home_store(test, 5, 5);
	home_remount(test);
}

/* write(2) keeps the value, although iomap must not see it. */
static void home_written(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	loff_t pos = 3 * PAGE_SIZE + 100;

	home_write(test, 3, 1, 2);
	memset(fx->buf, 2, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, kernel_write(fx->cap->file, fx->buf, 100, &pos),
			100);
	home_expect_known(test);
	home_remount(test);
}

/*
 * A memory failure cannot remove a captured page before its capture is attached.
 * Otherwise a read would fill the page with the old content of its block.
 */
static void home_poisoned(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	struct cap_fixture *cap = fx->cap;
	struct msyncfs_capture *taken;
	struct folio *folio;

	home_write(test, 0, 8, 2);
	taken = cap_take(cap, 0, ALL, ALL, ALL);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(taken));
	folio = filemap_lock_folio(fx->mapping, 3);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_EQ(test, fx->mapping->a_ops->error_remove_folio(fx->mapping,
								     folio),
			-EBUSY);
	folio_unlock(folio);
	KUNIT_EXPECT_EQ(test, files_read(cap->file, 3), 2);

	mutex_lock(&cap->mi->i_commit_lock);
	taken->copied = false;	/* as if one record did not take the pages */
	KUNIT_EXPECT_EQ(test, msyncfs_attach(taken, false), 0);
	mutex_unlock(&cap->mi->i_commit_lock);
	msyncfs_capture_put(taken);
	folio_lock(folio);
	KUNIT_EXPECT_EQ(test, fx->mapping->a_ops->error_remove_folio(fx->mapping,
								     folio), 0);
	folio_unlock(folio);
	folio_put(folio);
	KUNIT_EXPECT_EQ(test, files_read(cap->file, 3), 2);
	home_store(test, 3, 3);
	home_sync(test);
	home_expect_known(test);
	home_remount(test);
}

/* ---- blocks that are freed ---------------------------------------------- */

static void home_truncated(struct kunit *test)
{
	struct home_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, files_truncate(fx->cap->file, PAGE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, files_truncate(fx->cap->file, PAGES * PAGE_SIZE),
			0);
	memset(fx->want + 1, 0, PAGES - 1);
	home_store(test, 3, 2);
	KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(fx->cap->inode, 3));
	home_remount(test);
}

static void home_punched(struct kunit *test)
{
	struct home_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, files_punch(fx->cap->file, 2, 8), 0);
	memset(fx->want + 2, 0, 8);
	home_store(test, 3, 2);
	KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(fx->cap->inode, 3));
	home_write(test, 4, 2, 3);
	home_remount(test);
}

/*
 * After an unfinished truncation, the map may have blocks beyond the end of the
 * file. Readahead may fill pages there with zeros. These pages must not
 * remember the blocks.
 */
static void home_beyond(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	struct file *file = fx->cap->file;
	DEFINE_READAHEAD(ractl, file, &file->f_ra, fx->mapping, 10);

	truncate_setsize(fx->cap->inode, 10 * PAGE_SIZE);
	msyncfs_kunit_readahead(&ractl, 4);
	KUNIT_EXPECT_NE(test, home_of(test, 9), 0);
	KUNIT_EXPECT_EQ(test, home_of(test, 10), 0);
	KUNIT_EXPECT_EQ(test, home_of(test, 13), 0);
	i_size_write(fx->cap->inode, PAGES * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, files_read(file, 10), 0);
	home_reread(test);
}

/* ---- atomic files ------------------------------------------------------- */

/* While the file is atomic, a large commit moves its pages to fresh blocks. */
static void home_atomic(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	u64 before = files_block(test, fx->cap->file, 3);

	KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(fx->cap->inode, true), 0);
	KUNIT_EXPECT_EQ(test, home_of(test, 3), before);
	home_write(test, 0, PAGES, 2);
	home_sync(test);
	KUNIT_EXPECT_NE(test, files_block(test, fx->cap->file, 3), before);
	KUNIT_EXPECT_EQ(test, home_of(test, 3),
			files_block(test, fx->cap->file, 3));
	KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(fx->cap->inode, false), 0);
	home_store(test, 3, 3);
	home_sync(test);
	KUNIT_EXPECT_EQ(test, home_of(test, 3),
			files_block(test, fx->cap->file, 3));
	home_remount(test);
}

/*
 * A commit moves spilled pages to the blocks of the spill. The pages are clean
 * and stay in the cache, and must not remember their old blocks.
 */
static void home_spilled(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	struct cap_fixture *cap = fx->cap;
	u64 before = files_block(test, cap->file, 3);

	KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(cap->inode, true), 0);
	home_write(test, 0, 8, 2);
	KUNIT_EXPECT_EQ(test, write_inode_now(cap->inode, 0), 0);
	home_store(test, 20, 2);
	home_sync(test);
	KUNIT_EXPECT_NE(test, files_block(test, cap->file, 3), before);
	KUNIT_EXPECT_NE(test, home_of(test, 3), before);
	KUNIT_EXPECT_EQ(test, home_of(test, 20),
			files_block(test, cap->file, 20));
	home_store(test, 3, 3);
	home_sync(test);
	KUNIT_EXPECT_EQ(test, home_of(test, 3),
			files_block(test, cap->file, 3));
	home_remount(test);
}

/* A rollback discards stores to pages that have been spilled or not. */
static void home_discarded(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	struct cap_fixture *cap = fx->cap;
	u64 before = files_block(test, cap->file, 3);
	u8 want[PAGES];
	pgoff_t i;

	memcpy(want, fx->want, PAGES);
	KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(cap->inode, true), 0);
	home_write(test, 0, 8, 2);
	KUNIT_EXPECT_EQ(test, write_inode_now(cap->inode, 0), 0);
	home_store(test, 3, 3);
	KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback(cap->inode), 0);
	memcpy(fx->want, want, PAGES);
	for (i = 0; i < PAGES; i++)
		KUNIT_EXPECT_EQ(test, files_read(cap->file, i), want[i]);
	KUNIT_EXPECT_EQ(test, home_of(test, 3), before);
	KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(cap->inode, false), 0);
	home_store(test, 3, 4);
	home_remount(test);
}

/* ---- folios that leave -------------------------------------------------- */

/* A folio that has left the file may be used by another filesystem. */
static void home_released(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	struct folio *folio = filemap_lock_folio(fx->mapping, 3);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_EXPECT_TRUE(test, filemap_release_folio(folio, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, msyncfs_folio_home(folio), 0);
	folio_unlock(folio);
	folio_put(folio);
	home_store(test, 3, 2);
	home_remount(test);
}

/*
 * Replace the folio of a page by a new folio that is on no LRU list. Return the
 * new folio, locked and with a reference. Only such a folio can be migrated.
 */
static struct folio *home_off_lru(struct kunit *test, pgoff_t index)
{
	struct home_fixture *fx = test->priv;
	struct folio *old = filemap_lock_folio(fx->mapping, index);
	struct folio *new = msyncfs_kunit_folio(0);

	KUNIT_ASSERT_FALSE(test, IS_ERR(old));
	KUNIT_ASSERT_NOT_NULL(test, new);
	folio_lock(new);
	memset(folio_address(new), fx->want[index], PAGE_SIZE);
	folio_mark_uptodate(new);
	msyncfs_folio_set_home(new, msyncfs_folio_home(old));
	replace_page_cache_folio(old, new);
	folio_unlock(old);
	folio_put(old);
	return new;
}

/* If a page moves to another folio, this folio remembers the block. */
static void home_migrated(struct kunit *test)
{
	struct home_fixture *fx = test->priv;
	struct folio *dst = msyncfs_kunit_folio(0);
	struct folio *src = home_off_lru(test, 3);

	KUNIT_ASSERT_NOT_NULL(test, dst);
	folio_lock(dst);
	KUNIT_EXPECT_EQ(test, fx->mapping->a_ops->migrate_folio(fx->mapping, dst,
								src, MIGRATE_SYNC),
			0);
	KUNIT_EXPECT_EQ(test, msyncfs_folio_home(src), 0);
	KUNIT_EXPECT_FALSE(test, folio_test_private(dst));
	folio_unlock(dst);
	src->mapping = NULL;	/* as the callers of migrate_folio() do */
	folio_unlock(src);
	folio_add_lru(dst);
	folio_put(dst);
	folio_put(src);
	home_expect_known(test);
	home_store(test, 3, 2);
	home_remount(test);
}

static struct kunit_case home_cases[] = {
	KUNIT_CASE(home_moved),
	KUNIT_CASE(home_found),
	KUNIT_CASE(home_written),
	KUNIT_CASE(home_poisoned),
	KUNIT_CASE(home_truncated),
	KUNIT_CASE(home_punched),
	KUNIT_CASE(home_beyond),
	KUNIT_CASE(home_atomic),
	KUNIT_CASE(home_spilled),
	KUNIT_CASE(home_discarded),
	KUNIT_CASE(home_released),
	KUNIT_CASE(home_migrated),
	{}
};

static struct kunit_suite home_suite = {
	.name		= "msyncfs_home",
	.init		= home_init,
	.test_cases	= home_cases,
};

kunit_test_suite(home_suite);
