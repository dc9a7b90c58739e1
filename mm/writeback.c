// SPDX-License-Identifier: GPL-2.0
/*
 * This file writes dirty pages back, and releases clean pages. Background
 * writeback captures and attaches pages as msync does, but does not wait for a
 * commit. It starts a commit if the captured pages take too much memory. No
 * function in this file writes to a block that committed state refers to (B1).
 * fs/vfs/read.c has the address_space_operations.
 */
#include <linux/migrate.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "sync.h"

/*
 * A copied page is written twice: first to the record, later to its home block.
 * A page that goes to a fresh block is written once, but the device must be
 * flushed before the record. If at least this number of pages is dirty, the
 * flush costs less than the second writes.
 */
#define MSYNCFS_FRESH_MIN	64

/*
 * Returns how many pages background writeback may copy into the record, if @nr
 * pages are to be written. Writeback may take these pages in several portions.
 * It must copy none of them if they are too many for a record, or if many pages
 * are dirty and at least half of them have no block yet. It writes these pages
 * directly to fresh blocks, which saves the second write of each page.
 */
static unsigned long msyncfs_background_max(struct inode *inode, pgoff_t first,
					    unsigned long nr)
{
	unsigned long max = msyncfs_copy_max(inode->i_sb);

	if (nr > max)
		return 0;
	if (nr >= MSYNCFS_FRESH_MIN &&
	    msyncfs_resv_count(inode, first, nr) >= nr / 2)
		return 0;
	return max;
}

/* Writes back at most @limit pages of an ordinary file. */
static int msyncfs_write_ordinary(struct inode *inode,
				  struct writeback_control *wbc, pgoff_t first,
				  pgoff_t last, unsigned long copy_max,
				  unsigned long limit)
{
	struct msyncfs_capture *cap;
	unsigned int nr;
	int err;

	cap = msyncfs_capture_pages(inode, first, last, copy_max, limit);
	if (IS_ERR_OR_NULL(cap))
		return PTR_ERR_OR_ZERO(cap);
	nr = cap->nr;
	inode->i_mapping->writeback_index = DIV_ROUND_UP_ULL(cap->end,
							     PAGE_SIZE);
	err = msyncfs_attach(cap, false);
	if (err)
		wbc->pages_skipped += nr;
	else
		wbc->nr_to_write -= nr;
	msyncfs_capture_put(cap);
	return err;
}

/*
 * Writes back at most @limit pages of an atomic file. After a crash, the file
 * must have the content of its last commit, so writeback must not commit the
 * dirty pages. The pages stay dirty until memory is needed. When memory is
 * needed, this function spills the pages to blocks that no committed state
 * refers to.
 */
static int msyncfs_write_atomic(struct inode *inode,
				struct writeback_control *wbc, pgoff_t first,
				pgoff_t last, unsigned long limit)
{
	unsigned long nr = 0;
	int err = 0;

	/* A batch that is being committed must have no change but its own. */
	if (wbc->sync_mode == WB_SYNC_NONE && !wbc->for_kupdate &&
	    !test_bit(MSYNCFS_I_COMMITTING, &MSYNCFS_I(inode)->i_flags))
		err = msyncfs_spill(inode, first, last, limit, &nr);
	wbc->nr_to_write -= nr;
	/* Report a skipped page, so that the flusher does not retry at once. */
	if (!nr)
		wbc->pages_skipped++;
	return err;
}

/*
 * Takes and writes one portion of at most @limit pages. Sets *@first to the
 * page where the next portion begins.
 */
static int msyncfs_write_portion(struct inode *inode,
				 struct writeback_control *wbc, pgoff_t *first,
				 pgoff_t last, unsigned long copy_max,
				 unsigned long limit)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err;

	mutex_lock(&mi->i_commit_lock);
	if (msyncfs_is_atomic(inode))
		err = msyncfs_write_atomic(inode, wbc, *first, last, limit);
	else
		err = msyncfs_write_ordinary(inode, wbc, *first, last, copy_max,
					     limit);
	*first = inode->i_mapping->writeback_index;
	mutex_unlock(&mi->i_commit_lock);
	return err;
}

/*
 * Writes back as many pages as are dirty now, up to wbc->nr_to_write. Pages
 * that become dirty later must not keep this function going for ever.
 */
static int msyncfs_write_background(struct inode *inode,
				    struct writeback_control *wbc,
				    pgoff_t first, pgoff_t last)
{
	unsigned long left = msyncfs_count_dirty(inode, first, last,
						 wbc->nr_to_write);
	unsigned long copy_max = msyncfs_background_max(inode, first, left);
	long before;
	int err;

	do {
		before = wbc->nr_to_write;
		err = msyncfs_write_portion(inode, wbc, &first, last, copy_max,
					    min(left, MSYNCFS_PORTION));
		before -= wbc->nr_to_write;
		left -= min_t(unsigned long, left, before);
		msyncfs_commit_early(inode->i_sb);
	} while (!err && before && left);
	return err;
}

/**
 * struct msyncfs_write - a call of the flusher that runs in the workqueue
 * @work: work item
 * @inode: inode to write
 * @wbc: what to write
 * @fn: function that writes
 * @err: result of @fn
 */
struct msyncfs_write {
	struct work_struct	 work;
	struct inode		 *inode;
	struct writeback_control *wbc;
	int			 (*fn)(struct inode *inode,
				       struct writeback_control *wbc);
	int			 err;
};

static void msyncfs_write_work(struct work_struct *work)
{
	struct msyncfs_write *w = container_of(work, struct msyncfs_write,
					       work);

	w->err = w->fn(w->inode, w->wbc);
}

/**
 * msyncfs_write_freezable - write an inode, but not while all tasks are frozen
 * @inode: inode
 * @wbc: what to write
 * @fn: function that writes
 *
 * The kernel does not freeze the flusher for a hibernation. But nothing may be
 * written after the snapshot (msyncfs_log_start()). So the flusher lets the
 * freezable workqueue write, and waits without a lock of msyncfs. A user task
 * calls @fn itself, because it is frozen only when it returns to user space.
 * For WB_SYNC_ALL a user task waits, so the flusher calls @fn itself, too.
 *
 * Context: as @fn; the flusher waits until the tasks are thawed.
 * Return: the result of @fn.
 */
int msyncfs_write_freezable(struct inode *inode, struct writeback_control *wbc,
			    int (*fn)(struct inode *inode,
				      struct writeback_control *wbc))
{
	struct msyncfs_write w = { .inode = inode, .wbc = wbc, .fn = fn };

	if (wbc->sync_mode != WB_SYNC_NONE || !(current->flags & PF_KTHREAD))
		return fn(inode, wbc);
	INIT_WORK_ONSTACK(&w.work, msyncfs_write_work);
	queue_work(MSYNCFS_SB(inode->i_sb)->wq, &w.work);
	flush_work(&w.work);
	destroy_work_on_stack(&w.work);
	return w.err;
}

static int msyncfs_write_pages(struct inode *inode,
			       struct writeback_control *wbc)
{
	struct address_space *mapping = inode->i_mapping;
	bool background = wbc->sync_mode == WB_SYNC_NONE;
	pgoff_t first = wbc->range_start >> PAGE_SHIFT;
	pgoff_t last = wbc->range_end >> PAGE_SHIFT;
	int err = msyncfs_gate_error(MSYNCFS_SB(inode->i_sb));

	/*
	 * If the log is dead or read-only, no page can become clean. Return an
	 * error, because the flusher would otherwise count the call as progress.
	 */
	if (err && err != -EFSFROZEN)
		return err;
	if (wbc->nr_to_write <= 0)
		return 0;

	if (!background && msyncfs_is_atomic(inode)) {
		wbc->pages_skipped++;
		return 0;
	}
	if (msyncfs_breaks(SPILL) && msyncfs_is_atomic(inode))
		return msyncfs_sync_inode(inode, 0, LLONG_MAX, true);

	if (wbc->range_cyclic) {
		first = mapping->writeback_index;
		if (!msyncfs_count_dirty(inode, first, ULONG_MAX, 1))
			first = 0;
		last = ULONG_MAX;
	}
	if (background)
		err = msyncfs_write_background(inode, wbc, first, last);
	else
		err = msyncfs_write_portion(inode, wbc, &first, last,
					    msyncfs_copy_max(inode->i_sb),
					    ULONG_MAX);
	/* Pages that need a write to the device stay dirty until the thaw. */
	return err == -EFSFROZEN ? 0 : err;
}

/**
 * msyncfs_writepages - address_space_operations.writepages
 * @mapping: mapping of a regular file
 * @wbc: what to write
 *
 * This function attaches the dirty pages of an ordinary file to the running
 * transaction. It does not commit the transaction, unless the transaction keeps
 * too many pages in memory. It spills the dirty pages of an atomic file, or
 * leaves these pages dirty.
 *
 * Context: caller holds no lock that P4 forbids; may wait for the device, and
 * for a commit.
 * Return: 0 or a negative errno; after an error the pages are still dirty.
 */
int msyncfs_writepages(struct address_space *mapping,
		       struct writeback_control *wbc)
{
	return msyncfs_write_freezable(mapping->host, wbc, msyncfs_write_pages);
}

/**
 * msyncfs_release_folio - address_space_operations.release_folio
 * @folio: clean folio, locked
 * @gfp: not used
 *
 * A captured page stays in the cache until its newest content can be found in a
 * transaction or on its fresh block (B4). A page that may leave the cache loses
 * the block that it remembers, because splice(2) may give the folio to another
 * filesystem.
 *
 * Context: any.
 * Return: true if the page may leave the cache.
 */
bool msyncfs_release_folio(struct folio *folio, gfp_t gfp)
{
	if (folio_test_checked(folio))
		return false;
	msyncfs_folio_set_home(folio, 0);
	return true;
}

#ifdef CONFIG_MIGRATION
/**
 * msyncfs_migrate_folio - address_space_operations.migrate_folio
 * @mapping: mapping of a regular file
 * @dst: new folio, locked
 * @src: old folio, locked
 * @mode: how to migrate
 *
 * filemap_migrate_folio() would take the remembered block for private data with
 * a reference.
 *
 * Context: as migrate_folio().
 * Return: as migrate_folio().
 */
int msyncfs_migrate_folio(struct address_space *mapping, struct folio *dst,
			  struct folio *src, enum migrate_mode mode)
{
	u64 home = msyncfs_folio_home(src);
	int err = migrate_folio(mapping, dst, src, mode);

	if (!err)
		msyncfs_folio_set_home(dst, home);
	return err;
}
#endif
