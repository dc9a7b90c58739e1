// SPDX-License-Identifier: GPL-2.0
/*
 * This file changes file maps. It sets pointers, frees the blocks of a range,
 * adds missing nodes and removes empty nodes. map.c reads maps.
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
 * Returns whether any page in [@first, @last] lies in a leaf that has
 * reservations. All nodes on the path to such a leaf must stay, see resv.c.
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
 * The inode's own block also holds the root pointers. Depth, block count and
 * pointers change in the same operation. Otherwise a record could have new
 * pointers with an old depth or an old block count.
 *
 * Context: inside @op; caller holds i_map_sem exclusively; may sleep.
 */
void msyncfs_map_account(struct msyncfs_op *op, struct inode *inode, s64 blocks)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_disk_inode *di;

	/* A damaged inode may have counted too few blocks. */
	blocks = max(blocks, -(s64)(inode_get_bytes(inode) >> MSYNCFS_BLOCK_SHIFT));
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

/*
 * Adds a level to the map. A new node gets the root pointers, and the first
 * root pointer leads to the new node.
 */
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
 * Returns whether the map can grow without new nodes. An empty map needs only a
 * larger value of its depth. But a larger depth makes the paths to all small
 * indexes longer. A page that is already reserved has no promise for the
 * additional nodes of its path. So the function returns false if a leaf that
 * does not cover @index has reserved pages. Reserved pages in the leaf that
 * covers @index do no harm: the nodes that lead to @index also lead to these
 * pages.
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

/**
 * msyncfs_grow - make a map deep enough
 * @op: open handle with two credits and a block left for each new level, and a
 *	credit for the inode's own block
 * @inode: regular file or directory
 * @index: first index that the caller will set
 * @last: last index that the caller will set
 *
 * Context: inside @op; caller holds i_map_sem exclusively; may sleep.
 * Return: 0; -EFBIG if no map can hold @last; -ENOSPC or another negative errno.
 */
int msyncfs_grow(struct msyncfs_op *op, struct inode *inode, u64 index,
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
 * Adds the nodes that a path lacks. As soon as a new node exists, its parent
 * gets a pointer to it. So the map is consistent even after an error.
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

/**
 * msyncfs_prepare_leaf - prepare a leaf of a map for new pointers
 * @op: open handle with credits for the leaf; if @create is true, also with
 *	credits and blocks for the missing nodes of the path
 * @inode: regular file or directory
 * @index: index that the leaf covers
 * @create: whether to add missing nodes
 * @end: set to the first index after the leaf. If the leaf is still missing, set
 *	to the first index after the missing subtrees
 *
 * This function does all steps that can fail. It makes the leaf dirty, so the
 * leaf stays in memory until the caller needs it.
 *
 * Context: inside @op; caller holds i_map_sem exclusively; may sleep and read map
 * nodes.
 * Return: 0 or a negative errno.
 */
int msyncfs_prepare_leaf(struct msyncfs_op *op, struct inode *inode, u64 index,
			 bool create, u64 *end)
{
	struct msyncfs_path path;
	int err;

	err = msyncfs_path_walk(inode, index, &path);
	if (err)
		return err;
	if (create)
		err = msyncfs_path_fill(op, &path, index);
	if (path.level > 1) {
		*end = msyncfs_hole_end(&path, index);
	} else {
		*end = index + msyncfs_nr_ptrs(&path, 1) - path.nth[1];
		msyncfs_op_dirty(op, path.bh[1]);
	}
	msyncfs_path_put(&path);
	return err;
}

/*
 * Writes up to @len pointers into the leaf of @index. The first pointer is
 * @ptr, and the next pointers lead to the next blocks. If @ptr is 0, all
 * pointers become holes. Sets *@end to the first index after the written
 * pointers. If the leaf is missing, the function writes nothing and sets *@end
 * to the first index after the missing subtrees.
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
		*end = msyncfs_hole_end(&path, index);
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
 * @op: open handle with msyncfs_map_credits() credits left. Unless @blkno is 0,
 *	the handle also has blocks left for the missing nodes
 * @inode: regular file or directory
 * @index: first index
 * @len: number of indexes, at least 1
 * @blkno: block of @index; the next indexes get the next blocks. If it is 0,
 *	the range becomes a hole
 * @unwritten: true if the blocks are unwritten, so that they read as zeros
 *
 * The function does not free the data blocks of the old pointers. If a hole
 * makes a node empty, the node stays in the map. The function updates i_blocks.
 * After this call, the caller calls msyncfs_op_add_inode(), even if this
 * function failed.
 *
 * Context: inside @op; takes i_map_sem exclusively; may sleep and read map
 * nodes.
 * Return: 0, -ENOSPC, -EIO, -EUCLEAN, -ENOMEM, -EFBIG, or -EINVAL for arguments
 * out of range. After an error no pointer of the range has changed, unless the
 * filesystem is aborted. The map may have new nodes that are empty.
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
	msyncfs_known_forget(inode);
	err = msyncfs_map_set_locked(op, inode, index, len, ptr);
	up_write(&mi->i_map_sem);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_map_set);

/* ---- freeing ------------------------------------------------------------- */

/*
 * Returns whether the caller may free the node at @level of the path. The node
 * must be empty, and no reservation may rely on the node (see resv.c).
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

/**
 * msyncfs_prune - free the nodes at the end of a path that are not used any more
 * @op: open handle with a credit for the lowest node that stays, and for a
 *	bitmap block for each freed node
 * @path: from msyncfs_path_walk()
 * @index: index to which the path leads
 * @changed: whether the caller has changed the last node of the path
 *
 * Frees the last node of the path if it is empty and no reservation relies on
 * it. If the parent becomes unused, the function frees the parent too, and so
 * on. The function never frees the root. The lowest node that stays becomes
 * dirty if @changed is true or if a node below it was freed. A freed node does
 * not become dirty here, so no credit is needed for it.
 *
 * Context: inside @op; caller holds i_map_sem exclusively; may sleep.
 */
void msyncfs_prune(struct msyncfs_op *op, struct msyncfs_path *path, u64 index,
		   bool changed)
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
 * Returns the length of the run of blocks that begins at pointer @nth, or an
 * error. Pointer @nth is not a hole. The function checks all pointers of the
 * run.
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
 * Returns whether there are enough credits to free one more run of a leaf. The
 * run needs credits for two bitmap blocks at most. msyncfs_prune() then needs
 * more credits: it makes the leaf or a node above the leaf dirty, and a bitmap
 * block for each node that it frees.
 */
static bool msyncfs_free_may_go_on(const struct msyncfs_op *op,
				   const struct msyncfs_path *path)
{
	return op->credits >= 2 * path->top + 2;
}

/*
 * Frees the run of blocks at pointer @nth of a leaf. In a directory the
 * function frees only one block, because it reads and checks each block first.
 * Return: the number of freed blocks, or an error. After an error, no block has
 * been freed.
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
 * Frees the data of a leaf. The range begins at @index, and it ends before
 * position @end of the leaf. The function stops when the credits run low, but
 * it frees the first run in any case. Sets *@next to the index at which the
 * function stopped.
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
 * Frees the part of [@index, @last] that lies in the leaf of @index. If this
 * leaf is missing, the function skips the missing subtrees. Sets *@next to the
 * index at which the function stopped.
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
		*next = min(last + 1, msyncfs_hole_end(&path, index));
		/* If the parent of the missing subtree is empty, free it. */
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
 * @next: set to the index at which another operation must continue. If the
 *	whole range is free, @next is set to @last + 1. After an error, @next is
 *	set to the index at which the error occurred
 *
 * The function frees the blocks from @first upwards. It also frees each map
 * node that becomes empty, unless a reservation relies on this node. The
 * function stops when the credits run low, but not before it has freed one run.
 * The function updates i_blocks. After this call, the caller calls
 * msyncfs_op_add_inode(), even if this function failed.
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
	msyncfs_known_forget(inode);
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
