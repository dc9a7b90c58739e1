// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements operations on atomic files. After a crash an atomic file
 * has the content and the size of its last msync or fsync. The functions here
 * change the size of atomic files, make holes in them and roll them back. Other
 * functions count opens, handle the last close, and set or clear the flag that
 * makes a file atomic.
 *
 * fs/map/overlay.c keeps the uncommitted changes of the map. mm/sync.c and
 * fs/place/ commit the file. fs/place/spill.c spills pages that must leave
 * memory. Documentation/atomicity.rst explains atomic files.
 */
#include <kunit/visibility.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "vfs.h"

/* ---- size and holes ------------------------------------------------------ */

/**
 * msyncfs_atomic_extend - make an atomic file longer by a hole
 * @inode: atomic file
 * @newsize: size in bytes, at least the present size
 *
 * If @newsize is the present size, this function only prepares the range beyond
 * the end for a write. The next commit makes the new size durable.
 *
 * Context: caller holds i_rwsem and i_commit_lock; may sleep and do I/O.
 * Return: 0 or a negative errno. After an error the size is unchanged.
 */
int msyncfs_atomic_extend(struct inode *inode, loff_t newsize)
{
	loff_t size = i_size_read(inode);
	int err;

	/*
	 * An unfinished truncation may have left blocks beyond the end. These
	 * blocks must not become visible when the file grows.
	 */
	if (msyncfs_unfinished(inode))
		msyncfs_overlay_hole(inode, DIV_ROUND_UP_ULL(size, PAGE_SIZE),
				     MSYNCFS_LAST_INDEX);
	err = msyncfs_zero_partial(inode, size, round_up(size, PAGE_SIZE));
	if (err || newsize <= size)
		return err;
	i_size_write(inode, newsize);
	pagecache_isize_extended(inode, size, newsize);
	return 0;
}

static int msyncfs_atomic_shrink(struct inode *inode, loff_t newsize)
{
	u64 first = DIV_ROUND_UP_ULL(newsize, PAGE_SIZE);
	int err = 0;

	filemap_invalidate_lock(inode->i_mapping);
	if (newsize < i_size_read(inode))
		err = msyncfs_zero_partial(inode, newsize,
					   round_up(newsize, PAGE_SIZE));
	if (!err) {
		truncate_setsize(inode, newsize);
		msyncfs_overlay_hole(inode, first, MSYNCFS_LAST_INDEX);
		msyncfs_resv_release(inode, first, ULONG_MAX);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

/**
 * msyncfs_atomic_setsize - truncate an atomic file, or extend it by a hole
 * @inode: atomic file
 * @newsize: size in bytes
 *
 * The next commit makes the new size durable.
 *
 * Context: caller holds i_rwsem and i_commit_lock; takes invalidate_lock; may
 * sleep and do I/O.
 * Return: 0; -ENOSPC if an edge must be zeroed and no block is free for the
 * edge; or another negative errno.
 */
int msyncfs_atomic_setsize(struct inode *inode, loff_t newsize)
{
	if (newsize > i_size_read(inode))
		return msyncfs_atomic_extend(inode, newsize);
	return msyncfs_atomic_shrink(inode, newsize);
}

/**
 * msyncfs_atomic_punch - make a range of an atomic file read as zeros
 * @inode: atomic file
 * @start: first byte
 * @end: byte after the last byte
 *
 * The next commit makes the hole durable.
 *
 * Context: caller holds i_rwsem and i_commit_lock; takes invalidate_lock; may
 * sleep and do I/O.
 * Return: 0; -ENOSPC if an edge must be zeroed and no block is free for the
 * edge; or another negative errno.
 */
int msyncfs_atomic_punch(struct inode *inode, loff_t start, loff_t end)
{
	u64 first = DIV_ROUND_UP_ULL(start, PAGE_SIZE);
	u64 stop = end >> PAGE_SHIFT;	/* page after the last whole page */
	loff_t from = first << PAGE_SHIFT, last = (stop << PAGE_SHIFT) - 1;
	int err;

	filemap_invalidate_lock(inode->i_mapping);
	err = msyncfs_zero_edges(inode, start, end);
	if (!err && first < stop) {
		truncate_pagecache_range(inode, from, last);
		msyncfs_overlay_hole(inode, first, stop - 1);
		msyncfs_resv_release(inode, first, stop - 1);
		/* read_mapping_folio() takes no lock and may have filled pages. */
		truncate_inode_pages_range(inode->i_mapping, from, last);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

/* ---- rollback ------------------------------------------------------------ */

/**
 * msyncfs_atomic_discard - discard all changes since the last commit
 * @inode: atomic file
 * @keep: as for msyncfs_discard_pages()
 *
 * Restores the size and the map before it drops the pages, because
 * read_mapping_folio() fills pages without invalidate_lock.
 *
 * Context: caller holds i_rwsem and i_commit_lock; takes invalidate_lock.
 */
void msyncfs_atomic_discard(struct inode *inode, bool keep)
{
	struct address_space *mapping = inode->i_mapping;

	if (!msyncfs_atomic_dirty(inode))
		return;
	filemap_invalidate_lock(mapping);
	i_size_write(inode, MSYNCFS_I(inode)->i_disksize);
	msyncfs_wait_fills(inode);
	msyncfs_overlay_discard(inode);
	msyncfs_resv_release(inode, 0, ULONG_MAX);
	msyncfs_discard_pages(inode, keep);
	filemap_invalidate_unlock(mapping);
}

/**
 * msyncfs_atomic_rollback - discard all changes since the last commit
 * @inode: regular file
 *
 * This function makes the last commit durable before it discards anything.
 * Otherwise the record of the last commit could fail after the function has
 * returned. Then a crash could restore an older state than the one to which the
 * file was rolled back.
 *
 * Context: takes i_rwsem, i_commit_lock and invalidate_lock; waits for the
 * device.
 * Return: 0; -EINVAL if the file is not atomic; -EBUSY in a batch; or the error
 * of the last commit. After an error nothing has been discarded.
 */
int msyncfs_atomic_rollback(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err = -EINVAL;

	inode_lock(inode);
	mutex_lock(&mi->i_commit_lock);
	if (mi->i_batch)
		err = -EBUSY;
	else if (msyncfs_is_atomic(inode))
		err = msyncfs_commit(inode->i_sb, mi->i_data_tid);
	if (!err)
		msyncfs_atomic_discard(inode, true);
	mutex_unlock(&mi->i_commit_lock);
	inode_unlock(inode);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_atomic_rollback);

/* ---- open and close ------------------------------------------------------ */

/**
 * msyncfs_atomic_open - count an open file
 * @inode: regular file
 *
 * If another task is in the last close of the file, this function waits until
 * the last close has ended. Otherwise the last close could discard a store that
 * comes after this open.
 *
 * Context: takes i_open_lock; may sleep.
 */
void msyncfs_atomic_open(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	mutex_lock(&mi->i_open_lock);
	mi->i_opens++;
	mutex_unlock(&mi->i_open_lock);
}

/*
 * Discards or commits the uncommitted changes of a file that nobody has open.
 * If the commit fails, the caller marks the inode dirty. So the inode stays in
 * memory, and writeback tries the commit again.
 */
static int msyncfs_atomic_last(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct super_block *sb = inode->i_sb;
	bool dirty;
	int err;

	/*
	 * Without the lock, this check would overlook pages that are being
	 * spilled.
	 */
	mutex_lock(&mi->i_commit_lock);
	dirty = msyncfs_atomic_dirty(inode);
	mutex_unlock(&mi->i_commit_lock);
	if (!dirty)
		return 0;
	if (inode->i_nlink && !test_bit(MSYNCFS_I_ATOMIC, &mi->i_flags)) {
		/* An open of the file waits for this close, so do not wait. */
		err = msyncfs_try_sync_inode(inode);
		if (err && err != -EFSFROZEN &&
		    !msyncfs_log_dead(MSYNCFS_SB(sb)))
			msyncfs_err(sb, "inode %llu: closed, but not committed yet (%d)",
				    (u64)inode->i_ino, err);
		return err;
	}
	inode_lock(inode);
	mutex_lock(&mi->i_commit_lock);
	msyncfs_atomic_discard(inode, false);
	mutex_unlock(&mi->i_commit_lock);
	inode_unlock(inode);
	return 0;
}

/**
 * msyncfs_atomic_release - file_operations.release
 * @inode: regular file
 * @file: open file that no descriptor and no mapping uses any more
 *
 * The release of an open file aborts its batch (batch.c).
 *
 * The last close of an atomic file discards all uncommitted changes, with one
 * exception. If the file has links and is atomic by the mount option alone, the
 * last close commits the changes. On a frozen filesystem, they are committed
 * after the thaw.
 *
 * Context: takes i_open_lock, i_rwsem and i_commit_lock; waits for the device,
 * but not for a thaw.
 * Return: 0.
 */
int msyncfs_atomic_release(struct inode *inode, struct file *file)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err = 0;

	msyncfs_batch_release(file);
	mutex_lock(&mi->i_open_lock);
	mi->i_opens--;
	for (;;) {
		if (!mi->i_opens && msyncfs_is_atomic(inode))
			err = msyncfs_atomic_last(inode);
		mutex_unlock(&mi->i_open_lock);
		if (err) {
			/* Writeback tries the commit again. */
			mark_inode_dirty(inode);
			return 0;
		}
		/*
		 * While this close held i_open_lock, truncate(2) may have
		 * failed to take it. Then truncate(2) has not committed its
		 * change. So check for changes again after the unlock. This
		 * barrier pairs with the barrier in msyncfs_atomic_unopened().
		 */
		smp_mb();
		if (READ_ONCE(mi->i_opens) || !msyncfs_is_atomic(inode) ||
		    !msyncfs_atomic_dirty(inode))
			return 0;
		mutex_lock(&mi->i_open_lock);
	}
}

/**
 * msyncfs_atomic_unopened - commit an atomic file if nobody has it open
 * @inode: inode
 *
 * truncate(2) opens no file, so no last close commits the truncation.
 * msyncfs_setattr() calls this function to commit the truncation. If a last
 * close could not commit the file, writeback calls this function to try the
 * commit again.
 *
 * On a frozen filesystem, the changes are committed after the thaw.
 *
 * Context: may wait for commits. The caller may hold i_rwsem, and a last close
 * may wait for i_rwsem while it holds i_open_lock. So this function only tries
 * to take i_open_lock. If another task holds i_open_lock, the last close of the
 * file handles the changes. The last close checks for changes again after it
 * has released i_open_lock.
 * Return: 0 or a negative errno.
 */
int msyncfs_atomic_unopened(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	bool again = true;
	int err = 0;

	if (!msyncfs_is_atomic(inode) || !msyncfs_atomic_dirty(inode) ||
	    msyncfs_log_dead(MSYNCFS_SB(inode->i_sb)))
		return 0;
	/* This barrier pairs with the barrier in msyncfs_atomic_release(). */
	smp_mb();
	if (mutex_trylock(&mi->i_open_lock)) {
		again = !mi->i_opens;
		if (again)
			err = msyncfs_try_sync_inode(inode);
		mutex_unlock(&mi->i_open_lock);
	}
	/*
	 * A dirty inode stays in memory, and writeback calls this function
	 * again.
	 */
	if (again && msyncfs_atomic_dirty(inode))
		mark_inode_dirty(inode);
	return err == -EFSFROZEN ? 0 : err;
}

/**
 * msyncfs_atomic_lost - report uncommitted changes that an eviction loses
 * @inode: inode that is being evicted
 *
 * Reports only files that are atomic by the mount option alone. For other
 * atomic files the loss is intended.
 *
 * Context: any.
 */
void msyncfs_atomic_lost(struct inode *inode)
{
	if (msyncfs_is_atomic(inode) && msyncfs_atomic_dirty(inode) &&
	    !test_bit(MSYNCFS_I_ATOMIC, &MSYNCFS_I(inode)->i_flags))
		msyncfs_err(inode->i_sb,
			    "inode %llu: could not be committed, is as it was before",
			    (u64)inode->i_ino);
}

/**
 * msyncfs_atomic_uncommitted - find an atomic file with uncommitted changes
 * @sb: filesystem
 *
 * While other tasks can write, the result is only a hint.
 *
 * Context: takes spinlocks; does not sleep.
 * Return: the number of an inode with uncommitted changes; 0 if no inode has
 * any.
 */
unsigned long msyncfs_atomic_uncommitted(struct super_block *sb)
{
	unsigned long ino = 0;
	struct inode *inode;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		spin_lock(&inode->i_lock);
		if (!(inode_state_read(inode) &
		      (I_FREEING | I_WILL_FREE | I_NEW)) &&
		    msyncfs_is_atomic(inode) &&
		    (msyncfs_overlay_uncommitted(inode) ||
		     mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY) ||
		     mapping_tagged(inode->i_mapping,
				    PAGECACHE_TAG_WRITEBACK)))
			ino = inode->i_ino;
		spin_unlock(&inode->i_lock);
		if (ino)
			break;
	}
	spin_unlock(&sb->s_inode_list_lock);
	return ino;
}

/* ---- the flag ------------------------------------------------------------ */

/* Reserves blocks for pages that have become dirty since the last commit. */
static int msyncfs_reserve_dirty(struct inode *inode)
{
	struct folio_batch fbatch;
	pgoff_t index = 0;
	unsigned int i;
	int err = 0;

	folio_batch_init(&fbatch);
	while (!err && filemap_get_folios_tag(inode->i_mapping, &index,
					      ULONG_MAX, PAGECACHE_TAG_DIRTY,
					      &fbatch)) {
		for (i = 0; !err && i < folio_batch_count(&fbatch); i++)
			err = msyncfs_resv_page(inode,
						fbatch.folios[i]->index);
		folio_batch_release(&fbatch);
		cond_resched();
	}
	return err;
}

/**
 * msyncfs_atomic_reserve - reserve what the dirty pages of an atomic file need
 * @inode: regular file that is about to become atomic
 *
 * Context: caller holds i_commit_lock and invalidate_lock; may sleep and read
 * map nodes.
 * Return: 0, -ENOSPC or another negative errno.
 */
int msyncfs_atomic_reserve(struct inode *inode)
{
	return msyncfs_reserve_dirty(inode) ?: msyncfs_resv_paths(inode);
}

/*
 * Sets or clears the flag in one operation. Sets *@tid to the transaction of
 * this operation. Caller holds i_rwsem and i_commit_lock.
 */
static int msyncfs_atomic_set_flag(struct inode *inode, bool on, u64 *tid)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_op op;
	int err;

	err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (err)
		return err;
	/* Under invalidate_lock no page can become dirty. */
	filemap_invalidate_lock(inode->i_mapping);
	if (on)
		err = msyncfs_atomic_reserve(inode);
	if (!err)
		assign_bit(MSYNCFS_I_ATOMIC, &mi->i_flags, on);
	filemap_invalidate_unlock(inode->i_mapping);
	if (!err)
		msyncfs_op_add_inode(&op, inode, true);
	*tid = op.tid;
	msyncfs_op_end(&op);
	return err;
}

/**
 * msyncfs_atomic_set - make a file atomic or ordinary
 * @inode: regular file
 * @on: true: atomic; false: ordinary
 *
 * Commits the content of the file before it changes the flag. A store during
 * this call may come too late for this commit. If @on is true, the next commit
 * of the file makes the late store durable. If @on is false, writeback writes
 * the late store like any store to an ordinary file.
 *
 * Context: takes i_rwsem, i_commit_lock and invalidate_lock; waits for O_DIRECT
 * and for the device.
 * Return: 0 if the flag is durable; -EBUSY in a batch; or another negative
 * errno. If only the commit of the flag fails, the flag has changed in memory.
 */
int msyncfs_atomic_set(struct inode *inode, bool on)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 tid;
	int err;

	inode_lock(inode);
	inode_dio_wait(inode);
	for (;;) {
		err = mi->i_batch ? -EBUSY : 0;
		if (err)
			break;
		err = msyncfs_sync_inode(inode, 0, LLONG_MAX, false);
		/*
		 * The cache of the device may contain data of O_DIRECT writes.
		 */
		if (!err)
			err = msyncfs_dio_flush(inode);
		if (err)
			break;
		mutex_lock(&mi->i_commit_lock);
		/* If pages have been spilled since the commit, commit again. */
		if (on || mtree_empty(&mi->i_overlay)) {
			tid = mi->i_tid;
			if (test_bit(MSYNCFS_I_ATOMIC, &mi->i_flags) != on)
				err = msyncfs_atomic_set_flag(inode, on, &tid);
			mutex_unlock(&mi->i_commit_lock);
			break;
		}
		mutex_unlock(&mi->i_commit_lock);
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
	}
	inode_unlock(inode);
	return err ?: msyncfs_commit(inode->i_sb, tid);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_atomic_set);
