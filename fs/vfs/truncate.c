// SPDX-License-Identifier: GPL-2.0
/*
 * This file changes the size of files and makes holes. It changes the page
 * cache, the map and the size in the right order. atomic.c changes the size of
 * atomic files and makes holes in them. fs/map/ changes the map, fs/space/
 * frees blocks, and fallocate.c allocates blocks ahead.
 *
 * A large range is freed in several operations, because one record must contain
 * all blocks that one operation dirties. A truncation sets its final size in
 * the first operation. The inode is on the orphan list until the last
 * operation. So if there is a crash before the last operation, the next mount
 * finishes the truncation.
 *
 * A store through a mapping can change the last page of a file beyond the end
 * of the file. So the part beyond the end is zeroed when the size of the file
 * changes. A truncation puts the zeros into the same record as the new size.
 */
#include <linux/mm.h>

#include "vfs.h"

/*
 * Number of blocks that an operation dirties in addition to the blocks that
 * msyncfs_map_free() dirties: the inode, two edges, the root block, and a
 * neighbour on the orphan list.
 */
#define MSYNCFS_EDGE_CREDITS	5

/* Returns the credits for an operation that frees a part of a file. */
static unsigned int msyncfs_free_credits(struct super_block *sb)
{
	return clamp(MSYNCFS_SB(sb)->geo.record_images / 4,
		     (unsigned int)MSYNCFS_MAP_FREE_CREDITS + MSYNCFS_EDGE_CREDITS,
		     64U);
}

/* Calls msyncfs_map_free() and leaves MSYNCFS_EDGE_CREDITS in @op. */
static int msyncfs_free_some(struct msyncfs_op *op, struct inode *inode,
			     u64 first, u64 last, u64 *next)
{
	int err;

	op->credits -= MSYNCFS_EDGE_CREDITS;
	err = msyncfs_map_free(op, inode, first, last, next);
	op->credits += MSYNCFS_EDGE_CREDITS;
	return err;
}

/*
 * Makes the edge at @index part of the operation. The caller has zeroed the
 * edge. If the page cannot be captured, it stays dirty for a later record.
 */
static void msyncfs_take_edge(struct msyncfs_op *op, struct inode *inode,
			      pgoff_t index)
{
	struct msyncfs_capture *cap;

	cap = msyncfs_capture_pages(inode, index, index, 1, 1);
	if (!IS_ERR_OR_NULL(cap))
		msyncfs_attach_edge(op, inode, cap);
}

/**
 * msyncfs_truncate_blocks - free the blocks from an index to the end
 * @inode: regular file or directory
 * @first: index of the first block to free
 *
 * If the inode has links, the last operation removes the inode from the orphan
 * list.
 *
 * Context: caller holds i_commit_lock, or no other task uses the inode; begins
 * operations; may wait for commits.
 * Return: 0 or a negative errno. After an error some blocks are still
 * allocated.
 */
int msyncfs_truncate_blocks(struct inode *inode, u64 first)
{
	struct super_block *sb = inode->i_sb;
	struct msyncfs_op op;
	u64 next = first;
	int err;

	do {
		err = msyncfs_op_begin(sb, &op, msyncfs_free_credits(sb), 0);
		if (err)
			return err;
		err = msyncfs_free_some(&op, inode, next, MSYNCFS_LAST_INDEX,
					&next);
		if (!err && next > MSYNCFS_LAST_INDEX && inode->i_nlink)
			err = msyncfs_orphan_del(&op, inode);
		msyncfs_op_add_inode(&op, inode, true);
		msyncfs_op_end(&op);
		cond_resched();
	} while (!err && next <= MSYNCFS_LAST_INDEX);
	return err;
}

/*
 * Frees the blocks that an unfinished truncation has left beyond the end. These
 * blocks must not become visible when the file grows. An unfinished truncation
 * is the only reason why an inode with links is on the orphan list.
 */
static int msyncfs_finish_truncate(struct inode *inode)
{
	if (!msyncfs_unfinished(inode))
		return 0;
	return msyncfs_truncate_blocks(inode, DIV_ROUND_UP_ULL(i_size_read(inode),
							       PAGE_SIZE));
}

/**
 * msyncfs_prepare_extend - prepare a file for a write beyond its end
 * @inode: regular file
 *
 * Frees the blocks beyond the present end of the file, and zeroes the bytes
 * beyond the end in the last page. Old data in them must not become visible
 * when the file grows.
 *
 * Context: caller holds i_rwsem exclusively; may take i_commit_lock; may sleep
 * and do I/O.
 * Return: 0 or a negative errno. After an error the file must not grow.
 */
int msyncfs_prepare_extend(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	loff_t size = i_size_read(inode);
	int err;

	if (msyncfs_is_atomic(inode)) {
		mutex_lock(&mi->i_commit_lock);
		err = msyncfs_atomic_extend(inode, size);
		mutex_unlock(&mi->i_commit_lock);
		return err;
	}
	if (msyncfs_unfinished(inode)) {
		mutex_lock(&mi->i_commit_lock);
		err = msyncfs_finish_truncate(inode);
		mutex_unlock(&mi->i_commit_lock);
		if (err)
			return err;
	}
	return msyncfs_zero_partial(inode, size, round_up(size, PAGE_SIZE));
}

/**
 * msyncfs_extend - make a file longer by a hole
 * @inode: regular file
 * @newsize: size in bytes, larger than the present size
 *
 * Context: caller holds i_rwsem and i_commit_lock; takes invalidate_lock;
 * begins operations.
 * Return: 0 or a negative errno. After an error the size is unchanged.
 */
int msyncfs_extend(struct inode *inode, loff_t newsize)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	loff_t size = i_size_read(inode);
	struct msyncfs_op op;
	int err;

	lockdep_assert_held(&mi->i_commit_lock);

	err = msyncfs_finish_truncate(inode);
	if (err)
		return err;
	err = msyncfs_op_begin(inode->i_sb, &op, MSYNCFS_EDGE_CREDITS, 0);
	if (err)
		return err;
	filemap_invalidate_lock(inode->i_mapping);
	err = msyncfs_zero_partial(inode, size, round_up(size, PAGE_SIZE));
	if (!err) {
		i_size_write(inode, newsize);
		mi->i_disksize = newsize;
		pagecache_isize_extended(inode, size, newsize);
		if (offset_in_page(size))
			msyncfs_take_edge(&op, inode, size >> PAGE_SHIFT);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	if (!err)
		msyncfs_op_add_inode(&op, inode, true);
	msyncfs_op_end(&op);
	return err;
}

/*
 * Does the first operation of a truncation. Sets *@next to the index at which
 * the next operation continues.
 */
static int msyncfs_shrink(struct inode *inode, loff_t newsize, u64 *next)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct super_block *sb = inode->i_sb;
	u64 first = DIV_ROUND_UP_ULL(newsize, PAGE_SIZE);
	struct msyncfs_op op;
	int err;

	*next = MSYNCFS_LAST_INDEX + 1;
	err = msyncfs_op_begin(sb, &op, msyncfs_free_credits(sb), 0);
	if (err)
		return err;
	filemap_invalidate_lock(inode->i_mapping);
	if (newsize < i_size_read(inode))
		err = msyncfs_zero_partial(inode, newsize,
					   round_up(newsize, PAGE_SIZE));
	if (err) {
		filemap_invalidate_unlock(inode->i_mapping);
		msyncfs_op_end(&op);
		return err;
	}
	truncate_setsize(inode, newsize);
	msyncfs_resv_release(inode, first, ULONG_MAX);
	mi->i_disksize = newsize;
	err = msyncfs_free_some(&op, inode, first, MSYNCFS_LAST_INDEX, next);
	if (*next <= MSYNCFS_LAST_INDEX)
		msyncfs_orphan_add(&op, inode);
	if (offset_in_page(newsize))
		msyncfs_take_edge(&op, inode, newsize >> PAGE_SHIFT);
	filemap_invalidate_unlock(inode->i_mapping);
	msyncfs_op_add_inode(&op, inode, true);
	msyncfs_op_end(&op);
	return err;
}

/**
 * msyncfs_setsize - truncate a file, or extend it by a hole
 * @inode: regular file
 * @newsize: size in bytes
 *
 * If @newsize is the present size, this function frees the blocks beyond the
 * end.
 *
 * Context: caller holds i_rwsem exclusively; takes i_commit_lock and
 * invalidate_lock; waits for O_DIRECT; may wait for commits.
 * Return: 0 or a negative errno. After an error the size may have changed. Then
 * the next truncation or the next mount frees the remaining blocks.
 */
int msyncfs_setsize(struct inode *inode, loff_t newsize)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 next;
	int err;

	inode_dio_wait(inode);
	mutex_lock(&mi->i_commit_lock);
	if (msyncfs_is_atomic(inode)) {
		err = msyncfs_atomic_setsize(inode, newsize);
	} else if (newsize > i_size_read(inode)) {
		err = msyncfs_extend(inode, newsize);
	} else {
		err = msyncfs_shrink(inode, newsize, &next);
		if (!err && next <= MSYNCFS_LAST_INDEX)
			err = msyncfs_truncate_blocks(inode, next);
	}
	mutex_unlock(&mi->i_commit_lock);
	return err;
}

/*
 * Makes the edges of [@start, @end) part of the operation. If @start and @end
 * lie in one page, takes this page only once.
 */
static void msyncfs_take_edges(struct msyncfs_op *op, struct inode *inode,
			       loff_t start, loff_t end)
{
	pgoff_t head = start >> PAGE_SHIFT, tail = end >> PAGE_SHIFT;

	if (offset_in_page(start))
		msyncfs_take_edge(op, inode, head);
	if (offset_in_page(end) && (tail != head || !offset_in_page(start)))
		msyncfs_take_edge(op, inode, tail);
}

/*
 * Does one operation of a punch. Frees the blocks of pages in [*@next, @stop)
 * and advances *@next. The first operation also zeroes the edges.
 */
static int msyncfs_punch_some(struct inode *inode, loff_t start, loff_t end,
			      u64 stop, u64 *next)
{
	struct super_block *sb = inode->i_sb;
	bool edges = *next == DIV_ROUND_UP_ULL(start, PAGE_SIZE);
	loff_t first = *next << PAGE_SHIFT, last = (stop << PAGE_SHIFT) - 1;
	struct msyncfs_op op;
	int err = 0;

	err = msyncfs_op_begin(sb, &op, msyncfs_free_credits(sb), 0);
	if (err)
		return err;
	filemap_invalidate_lock(inode->i_mapping);
	if (edges)
		err = msyncfs_zero_edges(inode, start, end);
	if (!err && *next < stop) {
		/*
		 * Drop all remaining pages in each operation. Between two
		 * operations no task holds invalidate_lock, so a reader may
		 * fill pages from blocks that are not freed yet. These pages
		 * must not stay in the cache.
		 */
		truncate_pagecache_range(inode, first, last);
		msyncfs_resv_release(inode, *next, stop - 1);
		err = msyncfs_free_some(&op, inode, *next, stop - 1, next);
		/* read_mapping_folio() takes no lock and may have filled pages. */
		truncate_inode_pages_range(inode->i_mapping, first, last);
	}
	if (edges)
		msyncfs_take_edges(&op, inode, start, end);
	filemap_invalidate_unlock(inode->i_mapping);
	msyncfs_op_add_inode(&op, inode, true);
	msyncfs_op_end(&op);
	return err;
}

/**
 * msyncfs_punch - make a range of a file read as zeros and free its blocks
 * @inode: regular file
 * @start: first byte
 * @end: byte after the last byte, at most s_maxbytes
 *
 * Context: caller holds i_rwsem and i_commit_lock; no O_DIRECT is under way;
 * takes invalidate_lock; may wait for commits.
 * Return: 0 or a negative errno. After an error a part of the range may have
 * been freed.
 */
int msyncfs_punch(struct inode *inode, loff_t start, loff_t end)
{
	u64 next = DIV_ROUND_UP_ULL(start, PAGE_SIZE);
	u64 stop = end >> PAGE_SHIFT;	/* page after the last whole page */
	int err;

	lockdep_assert_held(&MSYNCFS_I(inode)->i_commit_lock);

	do {
		err = msyncfs_punch_some(inode, start, end, stop, &next);
	} while (!err && next < stop);
	return err;
}
