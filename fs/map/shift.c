// SPDX-License-Identifier: GPL-2.0
/*
 * This file moves a part of a file map to other indexes, so that fallocate(2)
 * can cut a range out of a file or insert one. The data blocks stay where they
 * are: only pointers move, one leaf after the other.
 *
 * A move to lower indexes begins at the lowest leaf, and a move to higher
 * indexes at the highest leaf. So the destination of a leaf has no pointers of
 * the old map any more.
 */
#include <kunit/visibility.h>
#include <linux/math64.h>
#include <linux/slab.h>

#include "node.h"

/*
 * Returns the first index of the missing subtrees that end at @index. It is the
 * counterpart of msyncfs_hole_end(). The level of @path is above 1.
 */
static u64 msyncfs_hole_start(const struct msyncfs_path *path, u64 index)
{
	unsigned int level = path->level;
	const __le64 *ptrs = msyncfs_ptrs(path, level);
	unsigned int nth = path->nth[level];
	u64 span = msyncfs_span[level - 1];
	u64 start = div64_u64(index, span) * span;

	for (; nth && !ptrs[nth - 1]; nth--)
		start -= span;
	return start;
}

/**
 * msyncfs_map_end - find the end of a map
 * @inode: regular file
 * @end: set to the index after the last block, 0 if the map is empty
 *
 * Context: takes i_map_sem shared; may sleep and read map nodes.
 * Return: 0, -EINTR, -EIO, -EUCLEAN (logged).
 */
int msyncfs_map_end(struct inode *inode, u64 *end)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_path path;
	bool found = false;
	u64 steps = 0;
	int err = 0;

	down_read(&mi->i_map_sem);
	*end = msyncfs_map_capacity(mi->i_map_depth);
	while (*end && !found && !err) {
		err = msyncfs_path_walk(inode, *end - 1, &path);
		if (err)
			break;
		if (path.level > 1) {
			*end = msyncfs_hole_start(&path, *end - 1);
		} else {
			const __le64 *ptrs = msyncfs_ptrs(&path, 1);
			int nth = path.nth[1];

			for (; nth >= 0 && !ptrs[nth]; nth--)
				(*end)--;
			found = nth >= 0;
		}
		msyncfs_path_put(&path);
		err = msyncfs_map_count_run(inode, ++steps);
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	up_read(&mi->i_map_sem);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_map_end);

/* Writes @nr pointers to @index and the following indexes. The leaves exist. */
static int msyncfs_put_ptrs(struct inode *inode, u64 index, const __le64 *ptr,
			    unsigned int nr)
{
	struct msyncfs_path path;
	unsigned int n;
	int err;

	for (; nr; nr -= n, index += n, ptr += n) {
		err = msyncfs_path_walk(inode, index, &path);
		if (err)
			return err;
		if (WARN_ON_ONCE(path.level > 1)) {
			msyncfs_path_put(&path);
			return -EFSCORRUPTED;
		}
		n = min(nr, msyncfs_nr_ptrs(&path, 1) - path.nth[1]);
		WARN_ON_ONCE(!msyncfs_no_ptrs(msyncfs_ptrs(&path, 1) +
					      path.nth[1], n));
		memcpy(msyncfs_ptrs(&path, 1) + path.nth[1], ptr,
		       n * sizeof(*ptr));
		msyncfs_path_put(&path);
	}
	return 0;
}

/*
 * Moves the pointers of [@index, @index + @nr) by @by. They lie in the leaf of
 * @path, from position @nth on. The leaf becomes dirty, and if it is empty then,
 * it is freed. @buf has room for the pointers.
 */
static int msyncfs_shift_ptrs(struct msyncfs_op *op, struct msyncfs_path *path,
			      u64 index, unsigned int nth, unsigned int nr,
			      s64 by, __le64 *buf)
{
	struct inode *inode = path->inode;
	__le64 *ptrs = msyncfs_ptrs(path, 1) + nth;
	u64 to = index + by, next;
	int err;

	/* Every step that can fail comes before the first change. */
	for (next = to; next < to + nr;) {
		err = msyncfs_prepare_leaf(op, inode, next, true, &next);
		if (err)
			return err;
	}
	msyncfs_op_dirty(op, path->bh[1]);
	memcpy(buf, ptrs, nr * sizeof(*ptrs));
	memset(ptrs, 0, nr * sizeof(*ptrs));
	err = msyncfs_put_ptrs(inode, to, buf, nr);
	if (err)
		msyncfs_abort(inode->i_sb, "file map half shifted", err);
	else
		msyncfs_prune(op, path, index, false);
	return err;
}

/*
 * Moves the pointers of one leaf, or skips the missing subtrees of one node.
 * Then takes what it has moved or skipped out of @shift.
 */
static int msyncfs_shift_step(struct msyncfs_op *op, struct inode *inode,
			      struct msyncfs_shift *shift, __le64 *buf)
{
	u64 at = shift->by < 0 ? shift->first : shift->end - 1;
	unsigned int nth, nr;
	struct msyncfs_path path;
	const __le64 *ptrs;
	u64 first, end;
	int err;

	err = msyncfs_map_count_run(inode, ++shift->steps) ?:
	      msyncfs_path_walk(inode, at, &path);
	if (err)
		return err;
	if (path.level > 1) {
		first = msyncfs_hole_start(&path, at);
		end = msyncfs_hole_end(&path, at);
	} else {
		first = max(shift->first, at - path.nth[1]);
		end = min(shift->end, at - path.nth[1] +
				      msyncfs_nr_ptrs(&path, 1));
		nth = path.nth[1] - (at - first);
		nr = end - first;
		ptrs = msyncfs_ptrs(&path, 1) + nth;
		while (nr && !ptrs[nr - 1])
			nr--;
		while (nr && !*ptrs)
			ptrs++, nth++, nr--;
		if (nr)
			err = msyncfs_shift_ptrs(op, &path,
						 at - path.nth[1] + nth, nth,
						 nr, shift->by, buf);
	}
	msyncfs_path_put(&path);
	if (!err && shift->by < 0)
		shift->first = min(end, shift->end);
	else if (!err)
		shift->end = max(first, shift->first);
	return err;
}

/*
 * Returns how many credits one step needs: for two leaves with the paths to
 * them, for the leaf that becomes empty with the nodes above it, and for a
 * bitmap block for each of these nodes.
 */
static unsigned int msyncfs_shift_step_credits(unsigned int depth)
{
	return 6 * depth + 2;
}

/*
 * One operation visits at most this number of leaves and holes. In a crafted map,
 * many pointers may lead to the same few leaves, so that the visits need no
 * credits. Commits wait for the end of the operation.
 */
#define MSYNCFS_SHIFT_STEPS	4096

static int msyncfs_shift_locked(struct msyncfs_op *op, struct inode *inode,
				struct msyncfs_shift *shift, __le64 *buf)
{
	unsigned int steps = MSYNCFS_SHIFT_STEPS;
	unsigned int keep, depth;
	int err = 0;

	if (shift->by > 0)
		err = msyncfs_grow(op, inode, shift->first,
				   shift->end - 1 + shift->by);
	depth = MSYNCFS_I(inode)->i_map_depth;
	keep = msyncfs_shift_step_credits(depth);
	while (!err && shift->first < shift->end && op->credits >= keep &&
	       op->blocks >= 2 * depth && steps--)
		err = msyncfs_shift_step(op, inode, shift, buf);
	return err;
}

/**
 * msyncfs_map_shift - move the pointers of a range of indexes
 * @op: open handle with at least MSYNCFS_SHIFT_CREDITS credits and
 *	MSYNCFS_SHIFT_BLOCKS blocks left
 * @inode: regular file
 * @shift: range and distance. The destination must have no pointers, except
 *	where the range itself lies. The function takes what it has moved out of
 *	the range. If the range is not empty then, another operation must
 *	continue
 *
 * The function stops when the credits or the blocks run low, or after very many
 * leaves, but not before it has moved one leaf. It frees each map node that becomes
 * empty, and updates i_blocks. After this call, the caller calls
 * msyncfs_op_add_inode(), even if this function failed.
 *
 * Context: inside @op; caller holds i_commit_lock; takes i_map_sem exclusively;
 * may sleep and read map nodes.
 * Return: 0, -ENOSPC, -EIO, -EUCLEAN, -ENOMEM, or -EFBIG if the map cannot hold
 * the destination; the map is consistent in each case, unless the filesystem is
 * aborted.
 */
int msyncfs_map_shift(struct msyncfs_op *op, struct inode *inode,
		      struct msyncfs_shift *shift)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	__le64 *buf;
	int err;

	if (shift->first >= shift->end)
		return 0;
	buf = kmalloc_array(MSYNCFS_NODE_PTRS, sizeof(*buf), GFP_NOFS);
	if (!buf)
		return -ENOMEM;
	down_write(&mi->i_map_sem);
	msyncfs_known_forget(inode);
	err = msyncfs_shift_locked(op, inode, shift, buf);
	up_write(&mi->i_map_sem);
	kfree(buf);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_map_shift);
