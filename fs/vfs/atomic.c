// SPDX-License-Identifier: GPL-2.0
/*
 * Atomic files: after a crash such a file, content and size, is what it was at
 * its last msync or fsync. Here are its own ways to do what other files do by
 * operations: spilling pages that must leave memory, committing, changing size,
 * making holes; and going back to the last commit. Documentation/atomicity.rst
 * tells the whole; fs/overlay.c holds what is not committed.
 */
#include <kunit/visibility.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/sched/signal.h>

#include "vfs.h"

static bool msyncfs_atomic_dirty(struct inode *inode)
{
	return msyncfs_overlay_uncommitted(inode) ||
	       msyncfs_count_dirty(inode, 0, ULONG_MAX, 1);
}

/* ---- size and holes ------------------------------------------------------- */

/**
 * msyncfs_atomic_extend - make an atomic file longer by a hole
 * @inode: atomic file
 * @newsize: size in bytes; if it is the one that there is, only what lies behind
 *	the end is made ready
 *
 * Context: caller holds i_rwsem and i_commit_lock.
 * Return: 0 or a negative errno; nothing has changed then.
 */
int msyncfs_atomic_extend(struct inode *inode, loff_t newsize)
{
	loff_t size = i_size_read(inode);
	int err;

	/* What a truncation has left there is not to come into sight. */
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
 * In memory only: it becomes durable with the next commit.
 *
 * Context: caller holds i_rwsem and i_commit_lock.
 * Return: 0; -ENOSPC if a page has to be zeroed in part and there is no space to
 * write it; or another negative errno.
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
 * @end: byte after the last one
 *
 * In memory only: it becomes durable with the next commit.
 *
 * Context: caller holds i_rwsem and i_commit_lock.
 * Return: 0 or a negative errno.
 */
int msyncfs_atomic_punch(struct inode *inode, loff_t start, loff_t end)
{
	u64 first = DIV_ROUND_UP_ULL(start, PAGE_SIZE);
	u64 stop = end >> PAGE_SHIFT;	/* after the last whole page */
	int err;

	filemap_invalidate_lock(inode->i_mapping);
	err = msyncfs_zero_edges(inode, start, end);
	if (!err && first < stop) {
		truncate_pagecache_range(inode, first << PAGE_SHIFT,
					 (stop << PAGE_SHIFT) - 1);
		msyncfs_overlay_hole(inode, first, stop - 1);
		msyncfs_resv_release(inode, first, stop - 1);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

/* ---- back to the last commit ----------------------------------------------- */

/* Caller holds i_rwsem and i_commit_lock. */
static void msyncfs_atomic_discard(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;

	if (!msyncfs_atomic_dirty(inode))
		return;
	filemap_invalidate_lock(mapping);
	/* Private copies of pages stay: they are their owners'. */
	unmap_mapping_range(mapping, 0, 0, 0);
	truncate_inode_pages(mapping, 0);
	i_size_write(inode, MSYNCFS_I(inode)->i_disksize);
	msyncfs_overlay_discard(inode);
	msyncfs_resv_release(inode, 0, ULONG_MAX);
	filemap_invalidate_unlock(mapping);
}

/**
 * msyncfs_atomic_rollback - an atomic file becomes what it was at its last commit
 * @inode: regular file
 *
 * That one is made durable first, should it not be yet: a record that failed must
 * not come back after this has been acknowledged, nor fail to (R5).
 *
 * Context: sleeps for the device.
 * Return: 0; -EINVAL if the file is not atomic; or why the last commit is not
 * durable, and nothing has been discarded.
 */
int msyncfs_atomic_rollback(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err = -EINVAL;

	inode_lock(inode);
	mutex_lock(&mi->i_commit_lock);
	if (msyncfs_is_atomic(inode))
		err = msyncfs_commit(inode->i_sb, mi->i_data_tid);
	if (!err)
		msyncfs_atomic_discard(inode);
	mutex_unlock(&mi->i_commit_lock);
	inode_unlock(inode);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_atomic_rollback);

/* ---- open and close -------------------------------------------------------- */

/**
 * msyncfs_atomic_open - count an open file
 * @inode: regular file
 *
 * Waits for a last close that is under way: what is stored from here on is not
 * what that one discards.
 */
void msyncfs_atomic_open(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	mutex_lock(&mi->i_open_lock);
	mi->i_opens++;
	mutex_unlock(&mi->i_open_lock);
}

/*
 * Nobody has the file open: what is not committed is discarded, or committed. If
 * that fails the inode stays dirty, which keeps it in memory, and writeback tries
 * again.
 */
static int msyncfs_atomic_last(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct super_block *sb = inode->i_sb;
	bool dirty;
	int err;

	/* Pages that are being spilled are not seen without the lock. */
	mutex_lock(&mi->i_commit_lock);
	dirty = msyncfs_atomic_dirty(inode);
	mutex_unlock(&mi->i_commit_lock);
	if (!dirty)
		return 0;
	if (inode->i_nlink && !test_bit(MSYNCFS_I_ATOMIC, &mi->i_flags)) {
		err = msyncfs_sync_inode(inode, 0, LLONG_MAX, true);
		if (err && !msyncfs_log_dead(MSYNCFS_SB(sb)))
			msyncfs_err(sb, "inode %lu: closed, but not committed yet (%d)",
				    inode->i_ino, err);
		return err;
	}
	inode_lock(inode);
	mutex_lock(&mi->i_commit_lock);
	msyncfs_atomic_discard(inode);
	mutex_unlock(&mi->i_commit_lock);
	inode_unlock(inode);
	return 0;
}

/**
 * msyncfs_atomic_release - file_operations.release
 * @inode: regular file
 * @file: open file, mappings included, that nobody has any more
 *
 * After the last one, what has not been committed is discarded; or committed, if
 * the file is atomic by the mount option alone.
 *
 * Context: sleeps for the device, perhaps for a thaw.
 * Return: 0.
 */
int msyncfs_atomic_release(struct inode *inode, struct file *file)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err = 0;

	mutex_lock(&mi->i_open_lock);
	mi->i_opens--;
	for (;;) {
		if (!mi->i_opens && msyncfs_is_atomic(inode))
			err = msyncfs_atomic_last(inode);
		mutex_unlock(&mi->i_open_lock);
		if (err) {
			/* Writeback tries again; it can have the lock now. */
			mark_inode_dirty(inode);
			return 0;
		}
		/*
		 * A truncation by name may have found the lock taken, and left
		 * its commit to this close. Pairs with the barrier in
		 * msyncfs_atomic_unopened().
		 */
		smp_mb();
		if (READ_ONCE(mi->i_opens) || !msyncfs_is_atomic(inode) ||
		    !msyncfs_atomic_dirty(inode))
			return 0;
		mutex_lock(&mi->i_open_lock);
	}
}

/**
 * msyncfs_atomic_unopened - see to an atomic file that nobody may have open
 * @inode: inode
 * @wait: if the filesystem is frozen, wait for the thaw; else it stays dirty
 *
 * There may be no last close for what has been done to it: a truncation by name is
 * a commit of its own; and what a last close could not commit is tried again.
 *
 * Context: caller may hold i_rwsem, so who closes the file may be waiting for that
 * with i_open_lock held: then the closer looks again.
 * Return: 0 or a negative errno.
 */
int msyncfs_atomic_unopened(struct inode *inode, bool wait)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	bool again = true;
	int err = 0;

	if (!msyncfs_is_atomic(inode) || !msyncfs_atomic_dirty(inode) ||
	    msyncfs_log_dead(MSYNCFS_SB(inode->i_sb)))
		return 0;
	/* Pairs with the one in msyncfs_atomic_release(). */
	smp_mb();
	if (mutex_trylock(&mi->i_open_lock)) {
		again = !mi->i_opens;
		if (again && wait)
			err = msyncfs_sync_inode(inode, 0, LLONG_MAX, true);
		else if (again)
			err = msyncfs_try_sync_inode(inode);
		mutex_unlock(&mi->i_open_lock);
	}
	/* Only what is dirty to the VFS stays in memory, and comes here again. */
	if (again && msyncfs_atomic_dirty(inode))
		mark_inode_dirty(inode);
	return err;
}

/**
 * msyncfs_atomic_lost - say what leaves memory without having been committed
 * @inode: inode that is being evicted
 *
 * Of a file that is atomic by the mount option alone: nobody has asked for it.
 */
void msyncfs_atomic_lost(struct inode *inode)
{
	if (msyncfs_is_atomic(inode) && msyncfs_atomic_dirty(inode) &&
	    !test_bit(MSYNCFS_I_ATOMIC, &MSYNCFS_I(inode)->i_flags))
		msyncfs_err(inode->i_sb,
			    "inode %lu: could not be committed, is as it was before",
			    inode->i_ino);
}

/**
 * msyncfs_atomic_uncommitted - has any file something that is not committed?
 * @sb: filesystem
 *
 * Context: takes spinlocks. A hint, unless nobody can write.
 * Return: the number of one such inode, or 0.
 */
unsigned long msyncfs_atomic_uncommitted(struct super_block *sb)
{
	unsigned long ino = 0;
	struct inode *inode;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		spin_lock(&inode->i_lock);
		if (!(inode->i_state & (I_FREEING | I_WILL_FREE | I_NEW)) &&
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

/* ---- the flag --------------------------------------------------------------- */

/* Pages that have become dirty since they were committed. */
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

/* Caller holds i_rwsem and i_commit_lock. */
static int msyncfs_atomic_set_flag(struct inode *inode, bool on, u64 *tid)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_op op;
	int err;

	err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (err)
		return err;
	/* Nobody makes a page dirty meanwhile. */
	filemap_invalidate_lock(inode->i_mapping);
	if (on)
		err = msyncfs_reserve_dirty(inode);
	if (!err && on)
		err = msyncfs_resv_paths(inode);
	if (!err && on)
		set_bit(MSYNCFS_I_ATOMIC, &mi->i_flags);
	else if (!err)
		clear_bit(MSYNCFS_I_ATOMIC, &mi->i_flags);
	filemap_invalidate_unlock(inode->i_mapping);
	if (!err)
		msyncfs_inode_dirty(&op, inode, true);
	*tid = op.tid;
	msyncfs_op_end(&op);
	return err;
}

/**
 * msyncfs_atomic_set - make a file atomic, or ordinary
 * @inode: regular file
 * @on: atomic
 *
 * What it holds is committed first. What is stored meanwhile is part of the next
 * commit of an atomic file, or goes the way of an ordinary one's.
 *
 * Context: sleeps for the device.
 * Return: 0 if it is durable; or a negative errno. If it is only not known to be
 * durable, it is in force all the same.
 */
int msyncfs_atomic_set(struct inode *inode, bool on)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 tid;
	int err;

	inode_lock(inode);
	inode_dio_wait(inode);
	for (;;) {
		err = msyncfs_sync_inode(inode, 0, LLONG_MAX, false);
		/* What O_DIRECT has written may be in the device's cache. */
		if (!err)
			err = msyncfs_direct_flush(inode);
		if (err)
			break;
		mutex_lock(&mi->i_commit_lock);
		/* Pages may have been spilled since. */
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
