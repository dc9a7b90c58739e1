// SPDX-License-Identifier: GPL-2.0
/*
 * Changing a file map: setting pointers, freeing what they lead to, and making
 * and removing the nodes that this takes. How a map is read is in map.c.
 */
#include <kunit/visibility.h>
#include <linux/math64.h>

#include "node.h"

static bool msyncfs_root_empty(struct inode *inode)
{
	return msyncfs_no_ptrs(msyncfs_root_ptrs(inode), MSYNCFS_INODE_PTRS);
}

/* Is a page reserved in [@first, @last]? Its nodes must stay, see resv.c. */
static bool msyncfs_range_reserved(struct inode *inode, u64 first, u64 last)
{
	unsigned long key = msyncfs_resv_key(first);

	return xa_find(&MSYNCFS_I(inode)->i_resv, &key, msyncfs_resv_key(last),
		       XA_PRESENT);
}

/**
 * msyncfs_map_account - bring the inode's block up to date with its map
 * @op: open handle with a credit for it
 * @inode: inode
 * @blocks: blocks that it has gained, or lost
 *
 * The block has the depth and the block count beside the pointers; they are kept
 * in step here, so that no record can hold one without the other.
 */
void msyncfs_map_account(struct msyncfs_op *op, struct inode *inode, s64 blocks)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_disk_inode *di;

	if (blocks > 0)
		inode_add_bytes(inode, blocks << MSYNCFS_BLOCK_SHIFT);
	else if (blocks < 0)
		inode_sub_bytes(inode, -blocks << MSYNCFS_BLOCK_SHIFT);

	msyncfs_op_dirty(op, mi->i_bh);
	di = (struct msyncfs_disk_inode *)mi->i_bh->b_data;
	di->map_depth = cpu_to_le32(mi->i_map_depth);
	di->blocks = cpu_to_le64(inode_get_bytes(inode) >> MSYNCFS_BLOCK_SHIFT);
}

static struct buffer_head *msyncfs_new_node(struct msyncfs_op *op,
					    struct inode *inode,
					    unsigned int level)
{
	u64 blkno, len;
	int err;

	err = msyncfs_alloc(op, inode->i_ino, 1, &blkno, &len);
	if (err)
		return ERR_PTR(err);
	return msyncfs_op_new(op, blkno, MSYNCFS_MAGIC_MAP, level,
			      inode->i_ino);
}

/* One level more: a new node takes the inode's pointers. */
static int msyncfs_grow_once(struct msyncfs_op *op, struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	__le64 *root = msyncfs_root_ptrs(inode);
	struct msyncfs_disk_map *node;
	struct buffer_head *bh;

	bh = msyncfs_new_node(op, inode, mi->i_map_depth + 1);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	node = (struct msyncfs_disk_map *)bh->b_data;
	memcpy(node->ptr, root, MSYNCFS_INODE_PTRS * sizeof(*root));
	memset(root, 0, MSYNCFS_INODE_PTRS * sizeof(*root));
	root[0] = cpu_to_le64(bh->b_blocknr);
	mi->i_map_depth++;
	msyncfs_map_account(op, inode, 1);
	brelse(bh);
	return 0;
}

/*
 * An empty map can be as deep as wanted at no cost. That makes the paths of
 * small indexes longer, so not while one is reserved that did not count on it;
 * those of the leaf of @index pay for the nodes that they share with it.
 */
static bool msyncfs_may_deepen(struct inode *inode, u64 index)
{
	u64 leaf = div64_u64(index, MSYNCFS_NODE_PTRS);
	u64 first = leaf * MSYNCFS_NODE_PTRS;

	return msyncfs_root_empty(inode) &&
	       (!leaf || !msyncfs_range_reserved(inode, 0, first - 1)) &&
	       !msyncfs_range_reserved(inode, first + MSYNCFS_NODE_PTRS,
				       U64_MAX);
}

static int msyncfs_grow(struct msyncfs_op *op, struct inode *inode, u64 index,
			u64 last)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	unsigned int depth = msyncfs_depth_for(mi->i_map_depth, last);
	int err = 0;

	if (last >= msyncfs_map_capacity(depth))
		return -EFBIG;
	if (depth > mi->i_map_depth && msyncfs_may_deepen(inode, index)) {
		mi->i_map_depth = depth;
		msyncfs_map_account(op, inode, 0);
	}
	while (!err && mi->i_map_depth < depth)
		err = msyncfs_grow_once(op, inode);
	return err;
}

/* Adds the nodes that a path lacks; each is linked as soon as it exists. */
static int msyncfs_path_fill(struct msyncfs_op *op, struct msyncfs_path *path,
			     u64 index)
{
	struct inode *inode = path->inode;
	struct buffer_head *bh;
	unsigned int level;
	u64 rest;

	while (path->level > 1) {
		level = path->level;
		bh = msyncfs_new_node(op, inode, level - 1);
		if (IS_ERR(bh))
			return PTR_ERR(bh);
		msyncfs_op_dirty(op, path->bh[level]);
		msyncfs_ptrs(path, level)[path->slot[level]] =
			cpu_to_le64(bh->b_blocknr);
		msyncfs_map_account(op, inode, 1);

		path->level = --level;
		path->bh[level] = bh;
		div64_u64_rem(index, msyncfs_span[level], &rest);
		path->slot[level] = div64_u64(rest, msyncfs_span[level - 1]);
	}
	return 0;
}

/*
 * Prepares one leaf: the part of the map that can fail. Being dirty keeps it
 * in memory, so that msyncfs_set_leaf() finds it.
 */
static int msyncfs_prepare_leaf(struct msyncfs_op *op, struct inode *inode,
				u64 index, bool create, u64 *end)
{
	struct msyncfs_path path;
	int err;

	err = msyncfs_path_walk(inode, index, &path);
	if (err)
		return err;
	if (create)
		err = msyncfs_path_fill(op, &path, index);
	if (path.level > 1) {
		*end = msyncfs_path_end(&path, path.level, index);
	} else {
		*end = index + msyncfs_nr_ptrs(&path, 1) - path.slot[1];
		msyncfs_op_dirty(op, path.bh[1]);
	}
	msyncfs_path_put(&path);
	return err;
}

/* Writes up to @len pointers, @ptr and up, into the leaf of @index. */
static int msyncfs_set_leaf(struct msyncfs_op *op, struct inode *inode,
			    u64 index, u64 len, u64 ptr, u64 *end)
{
	struct msyncfs_path path;
	unsigned int slot, nr;
	s64 blocks = 0;
	__le64 *ptrs;
	int err;

	err = msyncfs_path_walk(inode, index, &path);
	if (err)
		return err;
	if (path.level > 1) {
		*end = msyncfs_path_end(&path, path.level, index);
		goto out;
	}
	ptrs = msyncfs_ptrs(&path, 1);
	slot = path.slot[1];
	nr = min_t(u64, msyncfs_nr_ptrs(&path, 1) - slot, len);
	*end = index + nr;
	for (; nr; nr--, slot++) {
		blocks += !!ptr - !!ptrs[slot];
		ptrs[slot] = cpu_to_le64(ptr);
		ptr += !!ptr;
	}
	msyncfs_map_account(op, inode, blocks);
out:
	msyncfs_path_put(&path);
	return 0;
}

static int msyncfs_map_set_locked(struct msyncfs_op *op, struct inode *inode,
				  u64 index, u64 len, u64 ptr)
{
	u64 end = index + len;
	u64 at, next;
	int err;

	if (ptr) {
		err = msyncfs_grow(op, inode, index, end - 1);
		if (err)
			return err;
	} else {
		end = min(end,
			  msyncfs_map_capacity(MSYNCFS_I(inode)->i_map_depth));
	}

	for (at = index; at < end; at = next) {
		err = msyncfs_prepare_leaf(op, inode, at, ptr, &next);
		if (err)
			return err;
	}
	for (at = index; at < end; at = next) {
		err = msyncfs_set_leaf(op, inode, at, end - at,
				       ptr ? ptr + (at - index) : 0, &next);
		if (err) {
			msyncfs_abort(inode->i_sb, "file map half changed",
				      err);
			return err;
		}
	}
	return 0;
}

/**
 * msyncfs_map_set - set a range of pointers
 * @op: open handle with msyncfs_map_credits() left and, unless @blkno is 0,
 *	blocks for the nodes that are missing
 * @inode: regular file or directory
 * @index: first index
 * @len: indexes, at least 1
 * @blkno: block of @index, the others follow it; 0 makes a hole
 * @unwritten: the blocks read as zeros
 *
 * Data blocks that were there before are not freed. Nodes that a hole leaves
 * empty stay. i_blocks is brought up to date; the caller follows with
 * msyncfs_inode_dirty(), after an error too.
 *
 * Context: takes i_map_sem exclusively; may sleep and read map nodes.
 * Return: 0; else no pointer of the range has changed (nodes without pointers
 * may have been added): -ENOSPC, -EIO, -EUCLEAN, -ENOMEM, -EFBIG.
 */
int msyncfs_map_set(struct msyncfs_op *op, struct inode *inode, u64 index,
		    u64 len, u64 blkno, bool unwritten)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 ptr = blkno;
	int err;

	if (WARN_ON_ONCE(!len || index + len < index ||
			 (blkno & ~MSYNCFS_PTR_BLKNO)))
		return -EINVAL;
	if (blkno && unwritten)
		ptr |= MSYNCFS_PTR_UNWRITTEN;

	down_write(&mi->i_map_sem);
	err = msyncfs_map_set_locked(op, inode, index, len, ptr);
	up_write(&mi->i_map_sem);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_map_set);

/* ---- freeing ------------------------------------------------------------ */

/* May the node at @level of the path go? Nobody may count on it (resv.c). */
static bool msyncfs_node_unused(struct msyncfs_path *path, unsigned int level,
				u64 index)
{
	u64 end;

	if (level == path->top ||
	    !msyncfs_no_ptrs(msyncfs_ptrs(path, level), MSYNCFS_NODE_PTRS))
		return false;
	end = msyncfs_path_end(path, level + 1, index);
	return !msyncfs_range_reserved(path->inode, end - msyncfs_span[level],
				       end - 1);
}

/*
 * Frees the leaf if it has become empty, then its parent, and so on; what
 * remains is dirtied. A leaf that goes was never dirtied for its pointers.
 */
static void msyncfs_prune(struct msyncfs_op *op, struct msyncfs_path *path,
			  u64 index, bool changed)
{
	unsigned int level = path->level;

	while (msyncfs_node_unused(path, level, index)) {
		msyncfs_op_free(op, path->bh[level]);
		level++;
		msyncfs_ptrs(path, level)[path->slot[level]] = 0;
		msyncfs_map_account(op, path->inode, -1);
		changed = true;
	}
	if (changed)
		msyncfs_op_dirty(op, path->bh[level]);
}

/* Length of the contiguous run at @slot, which is not a hole; all checked. */
static int msyncfs_run_at(struct msyncfs_path *path, unsigned int slot,
			  unsigned int end)
{
	const __le64 *ptrs = msyncfs_ptrs(path, 1);
	u64 first = le64_to_cpu(ptrs[slot]) & ~MSYNCFS_PTR_UNWRITTEN;
	unsigned int n;
	int err;

	for (n = 0; slot + n < end; n++) {
		u64 ptr = le64_to_cpu(ptrs[slot + n]) & ~MSYNCFS_PTR_UNWRITTEN;

		if (ptr != first + n)
			break;
		err = msyncfs_check_ptr(path->inode, ptr);
		if (err)
			return n ? n : err;
	}
	return n;
}

/*
 * Credits to keep for what follows the data of a leaf: the leaf or its parent
 * up to the root, the bitmap blocks of the nodes, and the next run's two.
 */
static bool msyncfs_free_may_go_on(const struct msyncfs_op *op,
				   const struct msyncfs_path *path)
{
	return op->credits >= 2 * path->top + 2;
}

/*
 * Frees the run at @slot of a leaf; of a directory one block of it.
 * Return: how many blocks, or an error, and nothing has been freed then.
 */
static int msyncfs_free_run_at(struct msyncfs_op *op, struct msyncfs_path *path,
			       unsigned int slot, unsigned int end)
{
	__le64 *ptrs = msyncfs_ptrs(path, 1);
	u64 blkno = le64_to_cpu(ptrs[slot]) & MSYNCFS_PTR_BLKNO;
	bool dir = S_ISDIR(path->inode->i_mode);
	int n, err;

	n = msyncfs_run_at(path, slot, dir ? slot + 1 : end);
	if (n < 0)
		return n;
	if (dir)
		err = msyncfs_op_free_at(op, blkno, MSYNCFS_MAGIC_DIR,
					 path->inode->i_ino);
	else
		err = msyncfs_op_free_data(op, blkno, n);
	if (err)
		return err;
	memset(ptrs + slot, 0, n * sizeof(*ptrs));
	return n;
}

/*
 * Frees the data of the leaf at @index from there up to slot @end, as far as
 * credits go, the first run in any case. *@next is the index where it stopped.
 */
static int msyncfs_free_leaf(struct msyncfs_op *op, struct msyncfs_path *path,
			     unsigned int end, u64 index, u64 *next)
{
	__le64 *ptrs = msyncfs_ptrs(path, 1);
	unsigned int slot = path->slot[1];
	bool first = true;
	s64 freed = 0;
	int n = 0;

	while (slot < end) {
		if (!ptrs[slot]) {
			slot++;
			continue;
		}
		if (!first && !msyncfs_free_may_go_on(op, path))
			break;
		first = false;
		n = msyncfs_free_run_at(op, path, slot, end);
		if (n < 0)
			break;
		freed += n;
		slot += n;
	}
	*next = index + slot - path->slot[1];
	if (freed)
		msyncfs_map_account(op, path->inode, -freed);
	msyncfs_prune(op, path, index, freed);
	return min(n, 0);
}

/* Frees up to @last within the leaf or gap at @index; *@next is where it got. */
static int msyncfs_free_step(struct msyncfs_op *op, struct inode *inode,
			     u64 index, u64 last, u64 *next)
{
	struct msyncfs_path path;
	unsigned int end;
	int err;

	err = msyncfs_path_walk(inode, index, &path);
	if (err)
		return err;
	if (path.level > 1) {
		*next = min(last + 1,
			    msyncfs_path_end(&path, path.level, index));
		/* A gap in a node that is empty altogether: it may go. */
		msyncfs_prune(op, &path, index, false);
	} else {
		end = min_t(u64, msyncfs_nr_ptrs(&path, 1),
			    path.slot[1] + (last - index) + 1);
		err = msyncfs_free_leaf(op, &path, end, index, next);
	}
	msyncfs_path_put(&path);
	return err;
}

static int msyncfs_map_free_locked(struct msyncfs_op *op, struct inode *inode,
				   u64 first, u64 last, u64 *next)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	unsigned int keep = 2 * (mi->i_map_depth + 1) + 4;
	int err = 0;

	while (*next <= last) {
		if (*next > first && op->credits < keep)
			break;
		err = msyncfs_free_step(op, inode, *next, last, next);
		if (err)
			break;
	}
	if (mi->i_map_depth && msyncfs_root_empty(inode) &&
	    xa_empty(&mi->i_resv)) {
		mi->i_map_depth = 0;
		msyncfs_map_account(op, inode, 0);
	}
	return err;
}

/**
 * msyncfs_map_free - free the data of a range of indexes
 * @op: open handle with at least MSYNCFS_MAP_FREE_CREDITS left, which include
 *	the inode's block
 * @inode: regular file or directory
 * @first: first index
 * @last: last index, inclusive, below U64_MAX
 * @next: index where to continue with another operation, @last + 1 when all is
 *	done; after an error the index that could not be freed
 *
 * Frees the blocks from @first upwards, and map nodes that become empty unless
 * a reserved page counts on them. Stops when credits run low, having got on by
 * at least one run. i_blocks is brought up to date; the caller follows with
 * msyncfs_inode_dirty(), after an error too.
 *
 * Context: takes i_map_sem exclusively; may sleep and read map nodes.
 * Return: 0, -EIO, -EUCLEAN; the map is consistent in each case.
 */
int msyncfs_map_free(struct msyncfs_op *op, struct inode *inode, u64 first,
		     u64 last, u64 *next)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 capacity;
	int err = 0;

	*next = first;
	if (WARN_ON_ONCE(last == U64_MAX))
		last--;
	down_write(&mi->i_map_sem);
	capacity = msyncfs_map_capacity(mi->i_map_depth);
	if (first < capacity)
		err = msyncfs_map_free_locked(op, inode, first,
					      min(last, capacity - 1), next);
	if (!err && *next >= capacity)
		*next = last + 1;
	up_write(&mi->i_map_sem);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_map_free);
