// SPDX-License-Identifier: GPL-2.0
/*
 * Changing a file map: setting pointers, freeing the blocks of a range, and
 * adding and removing the nodes that this takes. map.c reads maps.
 * fs/place/shadow.c builds a new map for a large change.
 */
#include <kunit/visibility.h>
#include <linux/math64.h>

#include "node.h"

static bool msyncfs_root_empty(struct inode *inode)
{
	return msyncfs_no_ptrs(msyncfs_root_ptrs(inode), MSYNCFS_INODE_PTRS);
}

/*
 * Returns whether any leaf of the pages [@first, @last] has reservations. The
 * nodes on the path of such a leaf must stay, see resv.c.
 */
static bool msyncfs_range_reserved(struct inode *inode, u64 first, u64 last)
{
	unsigned long key = msyncfs_resv_key(first);

	return xa_find(&MSYNCFS_I(inode)->i_resv, &key, msyncfs_resv_key(last),
		       XA_PRESENT);
}

/**
 * msyncfs_map_account - write depth and block count into the inode's own block
 * @op: open handle with a credit for the block
 * @inode: inode
 * @blocks: number of blocks that the inode has gained; negative if it has lost
 *	blocks
 *
 * The block also holds the root pointers. Depth and block count change together
 * with the pointers, so that no record holds one without the other.
 *
 * Context: inside @op; caller holds i_map_sem exclusively; may sleep.
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

/* Adds a level: a new node takes over the inode's pointers. */
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
 * Returns whether the depth of the map may be set to a larger value without new
 * nodes. The map must be empty for that. The larger depth makes the paths of
 * small indexes longer. A page that is reserved in another leaf than that of
 * @index has no promise for the additional nodes, so there must be no such
 * page. Pages of the leaf of @index share the new nodes of that leaf.
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

/*
 * Adds the nodes that a path lacks. Each node is linked as soon as it exists,
 * so the map is consistent after an error too.
 */
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
		msyncfs_ptrs(path, level)[path->nth[level]] =
			cpu_to_le64(bh->b_blocknr);
		msyncfs_map_account(op, inode, 1);

		path->level = --level;
		path->bh[level] = bh;
		div64_u64_rem(index, msyncfs_span[level], &rest);
		path->nth[level] = div64_u64(rest, msyncfs_span[level - 1]);
	}
	return 0;
}

/*
 * Prepares one leaf for msyncfs_set_leaf(). All steps that can fail are done
 * here. The leaf becomes dirty, which keeps it in memory until
 * msyncfs_set_leaf() needs it. *@end is the first index after the leaf or the
 * missing subtree.
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
		*end = msyncfs_path_end(path.level, index);
	} else {
		*end = index + msyncfs_nr_ptrs(&path, 1) - path.nth[1];
		msyncfs_op_dirty(op, path.bh[1]);
	}
	msyncfs_path_put(&path);
	return err;
}

/*
 * Writes up to @len pointers into the leaf of @index. The first pointer is @ptr
 * and the others follow it; 0 makes a hole. *@end is the first index after
 * them.
 */
static int msyncfs_set_leaf(struct msyncfs_op *op, struct inode *inode,
			    u64 index, u64 len, u64 ptr, u64 *end)
{
	struct msyncfs_path path;
	unsigned int nth, nr;
	s64 blocks = 0;
	__le64 *ptrs;
	int err;

	err = msyncfs_path_walk(inode, index, &path);
	if (err)
		return err;
	if (path.level > 1) {
		*end = msyncfs_path_end(path.level, index);
		goto out;
	}
	ptrs = msyncfs_ptrs(&path, 1);
	nth = path.nth[1];
	nr = min_t(u64, msyncfs_nr_ptrs(&path, 1) - nth, len);
	*end = index + nr;
	for (; nr; nr--, nth++) {
		blocks += !!ptr - !!ptrs[nth];
		ptrs[nth] = cpu_to_le64(ptr);
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
 * @op: open handle with msyncfs_map_credits() credits left; unless @blkno is 0,
 *	also with blocks for the missing nodes
 * @inode: regular file or directory
 * @index: first index
 * @len: number of indexes, at least 1
 * @blkno: block of @index; the blocks of the other indexes follow it; 0 makes a
 *	hole
 * @unwritten: the blocks read as zeros
 *
 * The function does not free the data blocks of the old pointers. Nodes that a
 * hole leaves empty stay. The function updates i_blocks. The caller then calls
 * msyncfs_op_add_inode(), also after an error.
 *
 * Context: inside @op; takes i_map_sem exclusively; may sleep and read map
 * nodes.
 * Return: 0, -ENOSPC, -EIO, -EUCLEAN, -ENOMEM, -EFBIG, or -EINVAL for arguments
 * out of range. After an error no pointer of the range has changed, unless the
 * filesystem is aborted. Nodes without pointers may have been added.
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

/* ---- freeing ------------------------------------------------------------- */

/*
 * Returns whether the node at @level of the path may be freed. The node must be
 * empty, and no reservation may rely on it (resv.c).
 */
static bool msyncfs_node_unused(struct msyncfs_path *path, unsigned int level,
				u64 index)
{
	u64 end;

	if (level == path->top ||
	    !msyncfs_no_ptrs(msyncfs_ptrs(path, level), MSYNCFS_NODE_PTRS))
		return false;
	end = msyncfs_path_end(level + 1, index);
	return !msyncfs_range_reserved(path->inode, end - msyncfs_span[level],
				       end - 1);
}

/*
 * Frees the node at the end of the path if it is empty, then its parent, and so
 * on. The first node that stays becomes dirty if @changed, or if a node below
 * it was freed. A freed node does not become dirty here, so it needs no credit.
 */
static void msyncfs_prune(struct msyncfs_op *op, struct msyncfs_path *path,
			  u64 index, bool changed)
{
	unsigned int level = path->level;

	while (msyncfs_node_unused(path, level, index)) {
		msyncfs_op_free(op, path->bh[level]);
		level++;
		msyncfs_ptrs(path, level)[path->nth[level]] = 0;
		msyncfs_map_account(op, path->inode, -1);
		changed = true;
	}
	if (changed)
		msyncfs_op_dirty(op, path->bh[level]);
}

/*
 * Returns the number of contiguous blocks at pointer @nth, which is not a hole,
 * or an error. All pointers of the run have been checked.
 */
static int msyncfs_run_at(struct msyncfs_path *path, unsigned int nth,
			  unsigned int end)
{
	const __le64 *ptrs = msyncfs_ptrs(path, 1);
	u64 first = le64_to_cpu(ptrs[nth]) & ~MSYNCFS_PTR_UNWRITTEN;
	unsigned int n;
	int err;

	for (n = 0; nth + n < end; n++) {
		u64 ptr = le64_to_cpu(ptrs[nth + n]) & ~MSYNCFS_PTR_UNWRITTEN;

		if (ptr != first + n)
			break;
		err = msyncfs_check_ptr(path->inode, ptr);
		if (err)
			return n ? n : err;
	}
	return n;
}

/*
 * Returns whether there are credits for one more run of a leaf. The run touches
 * two bitmap blocks at most. Other credits must be left for the work after the
 * data: the leaf or a node above it becomes dirty, and freed nodes touch their
 * bitmap blocks.
 */
static bool msyncfs_free_may_go_on(const struct msyncfs_op *op,
				   const struct msyncfs_path *path)
{
	return op->credits >= 2 * path->top + 2;
}

/*
 * Frees the run of blocks at pointer @nth of a leaf. In a directory it frees only
 * one block, because each block is read and checked first.
 * Return: the number of blocks; or an error, and nothing has been freed.
 */
static int msyncfs_free_run_at(struct msyncfs_op *op, struct msyncfs_path *path,
			       unsigned int nth, unsigned int end)
{
	__le64 *ptrs = msyncfs_ptrs(path, 1);
	u64 blkno = le64_to_cpu(ptrs[nth]) & MSYNCFS_PTR_BLKNO;
	bool dir = S_ISDIR(path->inode->i_mode);
	int n, err;

	n = msyncfs_run_at(path, nth, dir ? nth + 1 : end);
	if (n < 0)
		return n;
	if (dir)
		err = msyncfs_op_free_at(op, blkno, MSYNCFS_MAGIC_DIR,
					 path->inode->i_ino);
	else
		err = msyncfs_op_free_data(op, blkno, n);
	if (err)
		return err;
	memset(ptrs + nth, 0, n * sizeof(*ptrs));
	return n;
}

/*
 * Frees the data of a leaf from @index up to pointer @end (exclusive). It stops
 * when the credits run low, but it frees the first run in any case. *@next is
 * the index at which it stopped.
 */
static int msyncfs_free_leaf(struct msyncfs_op *op, struct msyncfs_path *path,
			     unsigned int end, u64 index, u64 *next)
{
	__le64 *ptrs = msyncfs_ptrs(path, 1);
	unsigned int nth = path->nth[1];
	bool first = true;
	s64 freed = 0;
	int n = 0;

	while (nth < end) {
		if (!ptrs[nth]) {
			nth++;
			continue;
		}
		if (!first && !msyncfs_free_may_go_on(op, path))
			break;
		first = false;
		n = msyncfs_free_run_at(op, path, nth, end);
		if (n < 0)
			break;
		freed += n;
		nth += n;
	}
	*next = index + nth - path->nth[1];
	if (freed)
		msyncfs_map_account(op, path->inode, -freed);
	msyncfs_prune(op, path, index, freed);
	return min(n, 0);
}

/*
 * Frees the part of [@index, @last] that lies in the leaf or missing subtree at
 * @index. *@next is the index at which it stopped.
 */
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
			    msyncfs_path_end(path.level, index));
		/* The node above the missing subtree may be empty. */
		msyncfs_prune(op, &path, index, false);
	} else {
		end = min_t(u64, msyncfs_nr_ptrs(&path, 1),
			    path.nth[1] + (last - index) + 1);
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
 * @op: open handle with at least MSYNCFS_MAP_FREE_CREDITS left, including a
 *	credit for the inode's block
 * @inode: regular file or directory
 * @first: first index
 * @last: last index, inclusive, below U64_MAX
 * @next: set to the index at which another operation continues; @last + 1 when
 *	all is done; after an error, the index that could not be freed
 *
 * Frees the blocks from @first upwards. Frees map nodes that become empty,
 * unless a reservation relies on them. Stops when the credits run low, but not
 * before it has freed one run. The function updates i_blocks. The caller then
 * calls msyncfs_op_add_inode(), also after an error.
 *
 * Context: inside @op; takes i_map_sem exclusively; may sleep and read map
 * nodes.
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
