// SPDX-License-Identifier: GPL-2.0
/*
 * This file cuts a range out of a file, or inserts a range of zeros into it:
 * FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE. Only pointers of the map
 * move (fs/map/shift.c). The data stays in its blocks.
 *
 * If one record has room for all blocks that change, the whole change is in this
 * record. So it is complete after a crash, or it has not happened. Otherwise
 * several operations move one part of the file each, and after a crash only some
 * of the parts may have moved.
 *
 * Pages of the page cache cannot move. So the pages that change their place are
 * written and dropped first.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "vfs.h"

/*
 * A task that stores through a mapping can make pages dirty again and again. The
 * call fails if it has found dirty pages so often.
 */
#define MSYNCFS_SHIFT_TRIES	16

/**
 * struct msyncfs_move - a change under way
 * @from: first byte that moves or goes away
 * @size: size of the file after the change, in bytes
 * @shift: pointers that have not moved yet
 * @changed: whether an operation has changed the file
 * @cleared: whether the destination of the next pointers is a hole
 */
struct msyncfs_move {
	loff_t			from;
	loff_t			size;
	struct msyncfs_shift	shift;
	bool			changed;
	bool			cleared;
};

/*
 * Returns the first index of the gap between what has moved and what has not. The
 * gap is as long as the distance. At first it is the range that is cut out, or it
 * lies behind the end. Later, a store may have put a page into it.
 */
static u64 move_gap(const struct msyncfs_move *m)
{
	return m->shift.by < 0 ? m->shift.first + m->shift.by : m->shift.end;
}

static bool move_done(const struct msyncfs_move *m)
{
	return m->cleared && m->shift.first >= m->shift.end;
}

/*
 * Returns how many credits the rest of the shift needs. A leaf may become empty and
 * be freed, and then a later leaf may move there. So each node counts twice.
 */
static u64 move_shift_credits(struct inode *inode, const struct msyncfs_move *m)
{
	const struct msyncfs_shift *s = &m->shift;

	if (s->first >= s->end)
		return 0;
	return MSYNCFS_SHIFT_CREDITS + 2ULL *
	       msyncfs_map_credits(inode, min(s->first, s->first + s->by),
				   s->end - s->first + abs(s->by));
}

/* Returns how many credits it needs to free the blocks in the gap. */
static u64 move_gap_credits(struct inode *inode, const struct msyncfs_move *m)
{
	u64 len = abs(m->shift.by);

	if (m->shift.by > 0 && !m->changed)
		return 0;
	return MSYNCFS_MAP_FREE_CREDITS +
	       msyncfs_map_credits(inode, move_gap(m), len) +
	       min(len, MSYNCFS_SB(inode->i_sb)->geo.bitmap_blocks);
}

/*
 * Begins an operation. If one record has room for the rest of the change, the
 * operation has this room, and *@keep is the number of credits for the shift.
 */
static int move_op_begin(struct inode *inode, const struct msyncfs_move *m,
			 struct msyncfs_op *op, unsigned int *keep)
{
	struct super_block *sb = inode->i_sb;
	u64 most = MSYNCFS_SB(sb)->geo.record_images;
	u64 shift = move_shift_credits(inode, m);
	/* If there is nothing to free or to move, the inode changes anyway. */
	u64 all = 1 + shift + move_gap_credits(inode, m);
	int err;

	if (all > most) {
		shift = min_t(u64, shift, MSYNCFS_SHIFT_CREDITS);
		all = max_t(u64, most / 2, 1 + shift + MSYNCFS_MAP_FREE_CREDITS);
	}
	*keep = shift;
	err = msyncfs_op_begin(sb, op, all, shift ? all : 0);
	if (err == -ENOSPC)
		err = msyncfs_op_begin(sb, op, all, MSYNCFS_SHIFT_BLOCKS);
	return err;
}

/*
 * Sets the end of what moves to the end of the map. If blocks have been allocated
 * beyond the end of the file, they move, too. What has moved to higher indexes
 * lies behind the end already. Caller holds i_commit_lock, so the map gets no other
 * block.
 */
static int move_find_end(struct inode *inode, struct msyncfs_move *m)
{
	int err;

	if (m->changed && m->shift.by > 0)
		return 0;
	err = msyncfs_map_end(inode, &m->shift.end);
	if (!err && m->shift.by > 0 &&
	    m->shift.end > MSYNCFS_LAST_INDEX + 1 - m->shift.by)
		err = -EFBIG;
	return err;
}

/* Returns whether a page that moves is dirty or under writeback. */
static bool move_has_dirty(struct address_space *mapping, loff_t from)
{
	unsigned long dirty = from >> PAGE_SHIFT, written = dirty;

	return xa_find(&mapping->i_pages, &dirty, ULONG_MAX,
		       PAGECACHE_TAG_DIRTY) ||
	       xa_find(&mapping->i_pages, &written, ULONG_MAX,
		       PAGECACHE_TAG_WRITEBACK);
}

/* Ends what move_begin() has begun. */
static void move_end(struct inode *inode, struct msyncfs_op *op)
{
	filemap_invalidate_unlock(inode->i_mapping);
	msyncfs_op_end(op);
	mutex_unlock(&MSYNCFS_I(inode)->i_commit_lock);
}

/*
 * Writes the pages that move, and begins an operation. After success the caller
 * holds i_commit_lock and invalidate_lock, and calls move_end(). No page that
 * moves is dirty or under writeback then, and none is mapped.
 */
static int move_begin(struct inode *inode, struct msyncfs_move *m,
		      struct msyncfs_op *op, unsigned int *keep)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct address_space *mapping = inode->i_mapping;
	unsigned int tries = 0;
	loff_t from;
	int err;

	for (;;) {
		/* A record with pages at the end of the file also sets its size. */
		from = READ_ONCE(mi->i_disksize) < i_size_read(inode) ? 0 : m->from;
		err = msyncfs_sync_inode(inode, from, LLONG_MAX, true);
		if (err)
			return err;
		mutex_lock(&mi->i_commit_lock);
		err = move_find_end(inode, m) ?: move_op_begin(inode, m, op, keep);
		if (err) {
			mutex_unlock(&mi->i_commit_lock);
			return err;
		}
		filemap_invalidate_lock(mapping);
		unmap_mapping_range(mapping, m->from, 0, 0);
		if (!move_has_dirty(mapping, m->from))
			return 0;
		move_end(inode, op);
		if (fatal_signal_pending(current))
			return -EINTR;
		if (++tries == MSYNCFS_SHIFT_TRIES && !m->changed)
			return -EBUSY;
	}
}

/*
 * Does as much of the change as fits into @op. @keep of its credits are for the
 * shift.
 */
static int move_in_op(struct msyncfs_op *op, struct inode *inode,
		      struct msyncfs_move *m, unsigned int keep)
{
	u64 gap = move_gap(m), len = abs(m->shift.by), next = gap;
	int err = 0;

	if (m->shift.by < 0 || m->changed) {
		op->credits -= keep;
		err = msyncfs_map_free(op, inode, gap, gap + len - 1, &next);
		op->credits += keep;
		m->cleared = !err && next == gap + len;
	}
	if (m->cleared && op->credits >= MSYNCFS_SHIFT_CREDITS)
		err = msyncfs_map_shift(op, inode, &m->shift);
	return err;
}

static void move_set_size(struct inode *inode, loff_t size)
{
	i_size_write(inode, size);
	MSYNCFS_I(inode)->i_disksize = size;
}

/*
 * Does one operation of the change. The file gets its larger size in the first
 * operation, and its smaller size in the last operation.
 */
static int move_some(struct inode *inode, struct msyncfs_move *m)
{
	struct address_space *mapping = inode->i_mapping;
	struct msyncfs_op op;
	unsigned int keep;
	u64 end;
	int err;

	err = move_begin(inode, m, &op, &keep);
	if (err)
		return err;
	end = m->shift.end;
	truncate_pagecache(inode, m->from);
	msyncfs_resv_release(inode, m->from >> PAGE_SHIFT, ULONG_MAX);
	err = move_in_op(&op, inode, m, keep);
	if (m->size < i_size_read(inode) ? !err && move_done(m) :
					    !err || m->shift.end < end)
		move_set_size(inode, m->size);
	/* read_mapping_folio() takes no lock and may have filled pages. */
	truncate_inode_pages(mapping, m->from);
	msyncfs_op_add_inode(&op, inode, true);
	move_end(inode, &op);
	m->changed = true;
	return err;
}

/* Checks the arguments, and sets @m to what must be done. */
static int move_prepare(struct inode *inode, loff_t offset, loff_t len,
			bool insert, struct msyncfs_move *m)
{
	u64 index = offset >> PAGE_SHIFT, pages = len >> PAGE_SHIFT;
	loff_t size = i_size_read(inode);

	if (offset_in_page(offset) || offset_in_page(len) ||
	    offset >= size || (!insert && offset + len >= size))
		return -EINVAL;
	if (insert && len > inode->i_sb->s_maxbytes - size)
		return -EFBIG;
	*m = (struct msyncfs_move) {
		.from = offset,
		.size = insert ? size + len : size - len,
		.shift.first = insert ? index : index + pages,
		.shift.by = insert ? pages : -pages,
		.cleared = insert,
	};
	return 0;
}

/**
 * msyncfs_shift_range - cut a range out of a file, or insert one
 * @file: regular file, open for writing
 * @offset: first byte of the range
 * @len: length of the range in bytes
 * @insert: whether to insert a hole; otherwise the range is cut out
 *
 * Context: caller holds i_rwsem exclusively; takes i_commit_lock and
 * invalidate_lock; waits for O_DIRECT and for commits.
 * Return: 0; -EOPNOTSUPP for an atomic file; -EINVAL if the range is not aligned
 * to blocks, or does not lie before the end of the file; -EFBIG; -EBUSY if a task
 * makes the pages dirty all the time; -ENOSPC, -EINTR or another negative errno.
 * After an error a part of the file may have moved if one record had no room for
 * the change.
 */
int msyncfs_shift_range(struct file *file, loff_t offset, loff_t len,
			bool insert)
{
	struct inode *inode = file_inode(file);
	struct msyncfs_move m;
	int err;

	if (msyncfs_is_atomic(inode))
		return -EOPNOTSUPP;
	err = move_prepare(inode, offset, len, insert, &m);
	if (!err && insert)
		err = inode_newsize_ok(inode, m.size);
	if (!err)
		err = file_modified(file);
	/* Zero the bytes beyond the end. They move with the last page. */
	if (!err)
		err = msyncfs_prepare_extend(inode);
	if (err)
		return err;
	inode_dio_wait(inode);
	do {
		err = move_some(inode, &m);
		if (!err && fatal_signal_pending(current) && !move_done(&m))
			err = -EINTR;
		cond_resched();
	} while (!err && !move_done(&m));
	return err;
}
