// SPDX-License-Identifier: GPL-2.0
/*
 * The map of a file says which block holds which page. The map of a directory
 * says which block holds which directory leaf. A map is a radix tree in which
 * all leaves have the same level. The root pointers of the map lie in the
 * inode's own block. msyncfs_format.h describes the shape of the map. This file
 * reads maps and counts the blocks and credits that a change of a map needs.
 * change.c changes maps, and fs/place/shadow.c replaces a map as a whole.
 *
 * Levels are counted from the data upwards. A node of level 1 holds pointers to
 * data. The root pointers act as a node of level depth + 1. If the map has no
 * nodes, the root pointers lead to data.
 */
#include <kunit/visibility.h>
#include <linux/math64.h>

#include "node.h"

const u64 msyncfs_span[MSYNCFS_MAX_DEPTH + 1] = {
	1, 504, 254016, 128024064, 64524128256, 32520160641024,
};

/**
 * msyncfs_ptrs - get the pointers of a node on a path
 * @path: from msyncfs_path_walk()
 * @level: level of the node, between path->level and path->top
 *
 * Context: caller holds i_map_sem.
 * Return: the pointers of the node; at path->top, the root pointers.
 */
__le64 *msyncfs_ptrs(const struct msyncfs_path *path, unsigned int level)
{
	if (level == path->top)
		return msyncfs_root_ptrs(path->inode);
	return ((struct msyncfs_disk_map *)path->bh[level]->b_data)->ptr;
}

/**
 * msyncfs_nr_ptrs - count the pointers of a node on a path
 * @path: from msyncfs_path_walk()
 * @level: level of the node
 *
 * Context: any.
 * Return: number of pointers, holes included.
 */
unsigned int msyncfs_nr_ptrs(const struct msyncfs_path *path,
			     unsigned int level)
{
	return level == path->top ? MSYNCFS_INODE_PTRS : MSYNCFS_NODE_PTRS;
}

/**
 * msyncfs_path_end - find the end of the range that a pointer covers
 * @level: level of the node that holds the pointer, at least 1
 * @index: an index that the pointer covers
 *
 * Context: any.
 * Return: the first index after the range (exclusive end).
 */
u64 msyncfs_path_end(unsigned int level, u64 index)
{
	u64 span = msyncfs_span[level - 1];

	return (div64_u64(index, span) + 1) * span;
}

/**
 * msyncfs_hole_end - find the end of the missing subtrees behind a path
 * @path: from msyncfs_path_walk(), with a level above 1
 * @index: index to which the path leads
 *
 * A large file with few blocks has nodes in which most pointers are 0. One step of a walk
 * skips all of them.
 *
 * Context: caller holds i_map_sem.
 * Return: the first index after the missing subtree, and after those that follow it in the
 * last node of the path.
 */
u64 msyncfs_hole_end(const struct msyncfs_path *path, u64 index)
{
	unsigned int level = path->level;
	u64 run = msyncfs_ptr_run(msyncfs_ptrs(path, level), path->nth[level],
				  msyncfs_nr_ptrs(path, level));

	return msyncfs_path_end(level, index) + (run - 1) * msyncfs_span[level - 1];
}

static int msyncfs_bad_map(struct inode *inode, u64 blkno, const char *why)
{
	msyncfs_err(inode->i_sb, "inode %llu: map: block %llu: %s",
		    (u64)inode->i_ino, blkno, why);
	return -EFSCORRUPTED;
}

/*
 * If a node is not in memory, all nodes of its group are read. The groups of
 * leaves cover about 32 MiB of a file each. A group does not begin at the first
 * node that is needed, because accesses may go backwards.
 */
#define MSYNCFS_NODES_AHEAD	16

/*
 * Reads the node at pointer @nth of @nr pointers. If the node is not in memory,
 * the function also begins to read the other nodes of its group.
 */
static struct buffer_head *msyncfs_read_nodes(struct inode *inode,
					      const __le64 *ptrs,
					      unsigned int nth, unsigned int nr,
					      unsigned int level)
{
	unsigned int first = round_down(nth, MSYNCFS_NODES_AHEAD);
	u64 blkno = le64_to_cpu(ptrs[nth]);
	const struct msyncfs_disk_header *h;
	struct buffer_head *bh;

	if (!msyncfs_is_data(&MSYNCFS_SB(inode->i_sb)->geo, blkno))
		return ERR_PTR(msyncfs_bad_map(inode, blkno,
					       "node outside the data area"));
	bh = msyncfs_bread_ahead(inode->i_sb, blkno, MSYNCFS_MAGIC_MAP,
				 inode->i_ino, ptrs + first,
				 min(nr - first, MSYNCFS_NODES_AHEAD));
	if (IS_ERR(bh))
		return bh;
	h = (const struct msyncfs_disk_header *)bh->b_data;
	if (le32_to_cpu(h->level) != level) {
		brelse(bh);
		return ERR_PTR(msyncfs_bad_map(inode, blkno,
					       "node of the wrong level"));
	}
	return bh;
}

/**
 * msyncfs_read_node - read a node of a map
 * @inode: inode of the map
 * @blkno: block
 * @level: level that the node must have
 *
 * Context: may sleep and do I/O.
 * Return: the buffer, referenced; ERR_PTR(-EIO), ERR_PTR(-EUCLEAN) (logged).
 */
struct buffer_head *msyncfs_read_node(struct inode *inode, u64 blkno,
				      unsigned int level)
{
	__le64 ptr = cpu_to_le64(blkno);

	return msyncfs_read_nodes(inode, &ptr, 0, 1, level);
}

/**
 * msyncfs_path_put - drop the references of a path
 * @path: from msyncfs_path_walk(); the caller does not use it after this call
 *
 * Context: any.
 */
void msyncfs_path_put(struct msyncfs_path *path)
{
	for (; path->level < path->top; path->level++)
		brelse(path->bh[path->level]);
}

/**
 * msyncfs_path_walk - walk from the root of a map to an index
 * @inode: inode of the map
 * @index: index below the capacity of the map
 * @path: set to the path. If no node is missing, the path ends at the leaf that
 *	covers @index. Otherwise the path ends at the parent of the first
 *	missing node
 *
 * If the function succeeds, the caller must call msyncfs_path_put() later.
 *
 * Context: caller holds i_map_sem; may sleep and read map nodes.
 * Return: 0, -EIO, -EUCLEAN (logged).
 */
int msyncfs_path_walk(struct inode *inode, u64 index, struct msyncfs_path *path)
{
	struct buffer_head *bh;
	unsigned int level;
	u64 nth, rest;

	level = MSYNCFS_I(inode)->i_map_depth + 1;
	path->inode = inode;
	path->top = level;
	path->bh[level] = MSYNCFS_I(inode)->i_bh;
	rest = index;
	for (;;) {
		path->level = level;
		nth = div64_u64(rest, msyncfs_span[level - 1]);
		rest -= nth * msyncfs_span[level - 1];
		path->nth[level] = nth;
		if (level == 1)
			return 0;
		if (!msyncfs_ptrs(path, level)[nth])
			return 0;
		bh = msyncfs_read_nodes(inode, msyncfs_ptrs(path, level), nth,
					msyncfs_nr_ptrs(path, level), level - 1);
		if (IS_ERR(bh)) {
			msyncfs_path_put(path);
			return PTR_ERR(bh);
		}
		path->bh[--level] = bh;
	}
}

/* ---- lookup -------------------------------------------------------------- */

/**
 * msyncfs_check_ptr - check a pointer to data
 * @inode: inode of the map
 * @ptr: pointer that is not a hole
 *
 * Context: any.
 * Return: 0; -EUCLEAN (logged) if the block lies outside the data area.
 */
int msyncfs_check_ptr(struct inode *inode, u64 ptr)
{
	u64 blkno = ptr & ~MSYNCFS_PTR_UNWRITTEN;

	if (likely(msyncfs_is_data(&MSYNCFS_SB(inode->i_sb)->geo, blkno)))
		return 0;
	return msyncfs_bad_map(inode, blkno, "data outside the data area");
}

/*
 * Adds @nr indexes to @ext if they continue the run of @ext. @ptr is the
 * pointer of the first added index. Returns false if the indexes do not
 * continue the run.
 */
static bool msyncfs_ext_append(struct msyncfs_extent *ext, u64 ptr, u64 nr)
{
	u64 blkno = ptr & MSYNCFS_PTR_BLKNO;
	bool unwritten = ptr & MSYNCFS_PTR_UNWRITTEN;

	if (!ext->len) {
		ext->blkno = blkno;
		ext->unwritten = unwritten;
	} else if (ext->unwritten != unwritten ||
		   blkno != (ext->blkno ? ext->blkno + ext->len : 0)) {
		return false;
	}
	ext->len += nr;
	return true;
}

/*
 * Makes a run of a leaf known, with the pointers before it that belong to the
 * same run. The @len pointers from @index on lead to @blkno and the next blocks,
 * and have been checked. The first of them is at position @nth of the leaf.
 */
static void msyncfs_learn_run(struct inode *inode, const __le64 *ptrs,
			      unsigned int nth, u64 index, u64 len, u64 blkno)
{
	const struct msyncfs_geo *geo = &MSYNCFS_SB(inode->i_sb)->geo;
	u64 max = min(nth, blkno - geo->root_ino);
	u64 n = 0;

	while (n < max && le64_to_cpu(ptrs[nth - n - 1]) == blkno - n - 1)
		n++;
	msyncfs_known_add(inode, index - n, len + n, blkno - n);
}

/*
 * Extends @ext by the pointers of a leaf, up to index @end (exclusive).
 * Return: 1 if the run may go on in the next leaf, 0 if it has ended, or an
 * error.
 */
static int msyncfs_run_leaf(struct msyncfs_path *path, u64 end,
			    struct msyncfs_extent *ext)
{
	const __le64 *ptrs = msyncfs_ptrs(path, 1);
	unsigned int nr = msyncfs_nr_ptrs(path, 1), nth = path->nth[1];
	u64 index = ext->index + ext->len, ptr = le64_to_cpu(ptrs[nth]), run;
	int err;

	run = msyncfs_ptr_run(ptrs, nth, ptr ? nr : min(nr, nth + end - index));
	if (ptr) {
		err = msyncfs_check_ptr(path->inode, ptr);
		if (err)
			return ext->len ? 0 : err;
		/* If the run leaves the data area, the next lookup fails. */
		run = min(run, MSYNCFS_SB(path->inode->i_sb)->geo.blocks - 1 -
			       (ptr & MSYNCFS_PTR_BLKNO));
		if (!(ptr & MSYNCFS_PTR_UNWRITTEN))
			msyncfs_learn_run(path->inode, ptrs, nth, index, run,
					  ptr);
	}
	run = min(run, end - index);
	return msyncfs_ext_append(ext, ptr, run) && nth + run == nr;
}

/*
 * Extends @ext by the pointers of one leaf, or by the missing subtrees of one node.
 * Return: as msyncfs_run_leaf().
 */
static int msyncfs_ext_next(struct inode *inode, u64 end,
			    struct msyncfs_extent *ext)
{
	u64 index = ext->index + ext->len;
	struct msyncfs_path path;
	int err;
	u64 to;

	err = msyncfs_path_walk(inode, index, &path);
	if (err)
		return ext->len ? 0 : err;
	if (path.level > 1) {
		to = min(end, msyncfs_hole_end(&path, index));
		err = msyncfs_ext_append(ext, 0, to - index);
	} else {
		err = msyncfs_run_leaf(&path, end, ext);
	}
	msyncfs_path_put(&path);
	return err;
}

/*
 * One lookup visits at most this many leaves and holes. In a crafted
 * image, many pointers may lead to the same few nodes. Such a map is small on
 * disk, but it can have as many paths as the map of a file of the greatest
 * size. Without a limit, a lookup could visit all these paths.
 */
#define MSYNCFS_LOOKUP_STEPS	4096

/* Finds a run below index @end in the map; @ext->len is 0. */
static int msyncfs_map_run(struct inode *inode, u64 end,
			   struct msyncfs_extent *ext)
{
	u64 capacity = msyncfs_map_capacity(MSYNCFS_I(inode)->i_map_depth);
	unsigned int steps = MSYNCFS_LOOKUP_STEPS;
	int err = 1;

	while (err > 0 && steps-- && ext->index + ext->len < min(end, capacity))
		err = msyncfs_ext_next(inode, min(end, capacity), ext);
	if (err > 0 && ext->index + ext->len >= capacity &&
	    ext->index + ext->len < end)
		msyncfs_ext_append(ext, 0, end - ext->index - ext->len);
	return min(err, 0);
}

/*
 * On a test kernel, compares a known run with the map. So every suite
 * notices a change of the map that does not forget the known runs.
 */
static void msyncfs_known_check(struct inode *inode, u64 index, u64 max)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_extent map = { .index = index }, ext;

	/* Distributions have KUnit as a module. */
	if (!IS_BUILTIN(CONFIG_KUNIT))
		return;
	down_read(&mi->i_map_sem);
	if (msyncfs_known_find(inode, index, max, &ext) &&
	    !msyncfs_map_run(inode, index + max, &map))
		WARN(map.blkno != ext.blkno || map.unwritten,
		     "msyncfs: inode %llu page %llu: known block %llu, map has %llu\n",
		     (u64)inode->i_ino, index, ext.blkno, map.blkno);
	up_read(&mi->i_map_sem);
}

/**
 * msyncfs_map_committed - find a run of blocks in the map, without the overlay
 * @inode: regular file or directory
 * @index: first index
 * @max: longest run wanted, in blocks, at least 1
 * @ext: set to the run, see msyncfs_map_lookup(). The run of an atomic file
 *	omits changes that are only in the overlay
 *
 * Context: as msyncfs_map_lookup().
 * Return: as msyncfs_map_lookup().
 */
int msyncfs_map_committed(struct inode *inode, u64 index, u64 max,
			  struct msyncfs_extent *ext)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err;

	if (msyncfs_known_find(inode, index, max, ext)) {
		msyncfs_known_check(inode, index, max);
		return 0;
	}
	if (WARN_ON_ONCE(!max || index == U64_MAX))
		return -EINVAL;
	ext->index = index;
	ext->len = 0;
	ext->blkno = 0;
	ext->unwritten = false;

	down_read(&mi->i_map_sem);
	err = msyncfs_map_run(inode, index + min(max, U64_MAX - index), ext);
	up_read(&mi->i_map_sem);
	return err;
}

/**
 * msyncfs_map_count_run - check that a walk over a file will end
 * @inode: file
 * @runs: number of runs that the walk has looked up so far
 *
 * Each block of the device ends at most a few runs. A damaged map can have many more runs,
 * if its pointers lead to the same nodes again and again.
 *
 * Context: any.
 * Return: 0 or -EUCLEAN (logged).
 */
int msyncfs_map_count_run(struct inode *inode, u64 runs)
{
	if (runs <= 4 * MSYNCFS_SB(inode->i_sb)->geo.blocks)
		return 0;
	msyncfs_err(inode->i_sb, "inode %llu: the map leads to the same blocks again and again",
		    (u64)inode->i_ino);
	return -EFSCORRUPTED;
}

/**
 * msyncfs_map_lookup - find the run of blocks that begins at an index
 * @inode: regular file or directory
 * @index: first index (page of the file)
 * @max: longest run wanted, in blocks, at least 1
 * @ext: set to the run: a hole, or contiguous blocks that are all written or
 *	all unwritten. The run may end early in three cases: the next part of
 *	the map cannot be read, the lookup has visited very many nodes, or an
 *	entry of the overlay begins or ends
 *
 * A page is read from the block that this function finds. If the overlay of an
 * atomic file has an entry for an index, the result comes from this entry.
 * Otherwise the result comes from the map. Indexes beyond the capacity of the
 * map are a hole.
 *
 * The overlay may change between the lookup in the overlay and the lookup in
 * the map. There are three cases, and all of them are safe. First, a spill or a
 * commit enters the block of a page. This page is in the page cache, so nobody
 * reads it from the device. Second, a task makes a hole or discards changes.
 * This task holds invalidate_lock, so nobody reads pages of the file from the
 * device. Third, a commit empties the overlay. The commit changes the map
 * first, so the map already leads to the blocks that the overlay had.
 *
 * Context: takes i_map_sem shared; may sleep and read map nodes.
 * Return: 0, -EIO, -EUCLEAN (logged).
 */
int msyncfs_map_lookup(struct inode *inode, u64 index, u64 max,
		       struct msyncfs_extent *ext)
{
	struct msyncfs_extent over;
	u64 last;

	if (likely(mtree_empty(&MSYNCFS_I(inode)->i_overlay)) || !max ||
	    index > MSYNCFS_LAST_INDEX)
		return msyncfs_map_committed(inode, index, max, ext);
	last = index + min(max - 1, MSYNCFS_LAST_INDEX - index);
	if (!msyncfs_overlay_next(inode, index, last, &over))
		return msyncfs_map_committed(inode, index, max, ext);
	if (over.index > index)
		return msyncfs_map_committed(inode, index, over.index - index,
					     ext);
	*ext = over;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_map_lookup);

/* ---- counting ------------------------------------------------------------ */

/**
 * msyncfs_resv_key - compute the key under which i_resv has the entry of a page
 * @index: page
 *
 * The keys are in the order of the pages: the key never decreases when the
 * index increases.
 *
 * Context: any.
 * Return: 0 for the first MSYNCFS_INODE_PTRS pages; for any other page the
 * number of its leaf, counted from 1.
 */
unsigned long msyncfs_resv_key(u64 index)
{
	if (index < MSYNCFS_INODE_PTRS)
		return 0;
	return div64_u64(index, MSYNCFS_NODE_PTRS) + 1;
}

/**
 * msyncfs_depth_for - find the depth that a map needs to hold an index
 * @depth: current depth of the map
 * @index: index
 *
 * Context: any.
 * Return: @depth or more, at most MSYNCFS_MAX_DEPTH. The caller checks whether
 * a map of this depth can hold @index.
 */
unsigned int msyncfs_depth_for(unsigned int depth, u64 index)
{
	while (depth < MSYNCFS_MAX_DEPTH &&
	       index >= msyncfs_map_capacity(depth))
		depth++;
	return depth;
}

/*
 * Counts the nodes that a map of depth @depth needs to grow to depth @to and to
 * get a path to @index. Growth adds one node for each new level, above the old
 * pointers. Some of these nodes may cover @index, so they are part of the path
 * to @index. On each level that has no such node, the path needs one more node.
 * An empty map may need fewer nodes. The function ignores this, because other
 * tasks may fill the map before the caller uses the result.
 */
static unsigned int msyncfs_grow_missing(unsigned int depth, unsigned int to,
					 u64 index)
{
	unsigned int missing = to - depth;
	unsigned int level;

	for (level = 1; level <= to; level++)
		if (level <= depth || index >= msyncfs_span[level])
			missing++;
	return missing;
}

/**
 * msyncfs_map_missing_locked - count the nodes that the path to an index lacks
 * @inode: regular file or directory
 * @index: index (page of the file)
 * @err: set to 0, -EIO, -EUCLEAN or -EFBIG; -EFBIG means that no map can hold
 *	@index
 *
 * The result is an upper bound until a task removes nodes from the map. If
 * other tasks add nodes, the result may be too large, but never too small.
 *
 * Context: i_map_sem held, shared or exclusively; may sleep and read map nodes.
 * Return: upper bound for the number of missing nodes, 0 on error.
 */
unsigned int msyncfs_map_missing_locked(struct inode *inode, u64 index,
					int *err)
{
	unsigned int depth = MSYNCFS_I(inode)->i_map_depth;
	unsigned int to = msyncfs_depth_for(depth, index);
	struct msyncfs_path path;
	unsigned int missing;

	lockdep_assert_held(&MSYNCFS_I(inode)->i_map_sem);
	*err = 0;
	if (index >= msyncfs_map_capacity(to)) {
		*err = -EFBIG;
		return 0;
	}
	if (to > depth)
		return msyncfs_grow_missing(depth, to, index);

	*err = msyncfs_path_walk(inode, index, &path);
	if (*err)
		return 0;
	missing = path.level - 1;
	msyncfs_path_put(&path);
	return missing;
}

/**
 * msyncfs_map_missing - count the nodes that the path to an index lacks
 * @inode: regular file or directory
 * @index: index (page of the file)
 * @err: set as by msyncfs_map_missing_locked()
 *
 * Context: takes i_map_sem shared; may sleep and read map nodes.
 * Return: upper bound for the number of missing nodes, 0 on error.
 */
unsigned int msyncfs_map_missing(struct inode *inode, u64 index, int *err)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	unsigned int missing;

	down_read(&mi->i_map_sem);
	missing = msyncfs_map_missing_locked(inode, index, err);
	up_read(&mi->i_map_sem);
	return missing;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_map_missing);

/**
 * msyncfs_map_path - count all nodes on the path to an index
 * @inode: regular file
 * @index: index (page of the file)
 * @err: set to 0, or to -EFBIG if no map can hold @index
 *
 * The commit of an atomic file may write all nodes on the path to fresh blocks.
 * So the result includes nodes that exist and nodes that are missing. If the
 * map must grow to hold @index, the new nodes above the old pointers count too.
 *
 * Context: i_map_sem held, shared or exclusively.
 * Return: number of nodes, 0 on error.
 */
unsigned int msyncfs_map_path(struct inode *inode, u64 index, int *err)
{
	unsigned int depth = MSYNCFS_I(inode)->i_map_depth;
	unsigned int to = msyncfs_depth_for(depth, index);

	lockdep_assert_held(&MSYNCFS_I(inode)->i_map_sem);
	*err = index < msyncfs_map_capacity(to) ? 0 : -EFBIG;
	return *err ? 0 : to + to - depth;
}

/**
 * msyncfs_map_credits - count the credits for msyncfs_map_set() over a range
 * @inode: regular file or directory
 * @index: first index
 * @len: number of indexes, at least 1
 *
 * The result includes the inode's own block, the nodes on the paths to all
 * indexes of the range, and the nodes that the map adds when it grows. It also
 * includes one bitmap block for each of these nodes. It does not include bitmap
 * blocks for the data. The result is larger than the number of new nodes. So
 * the result is also an upper bound for the blocks to allocate for nodes.
 *
 * Context: any context in which the depth of the map cannot change.
 * Return: highest number of metadata blocks that become dirty.
 */
unsigned int msyncfs_map_credits(struct inode *inode, u64 index, u64 len)
{
	unsigned int depth = READ_ONCE(MSYNCFS_I(inode)->i_map_depth);
	u64 last = index + len - 1;
	unsigned int to = msyncfs_depth_for(depth, last);
	u64 nodes = to - depth;
	unsigned int level;
	u64 bitmaps;

	for (level = 1; level <= to; level++)
		nodes += div64_u64(last, msyncfs_span[level]) -
			 div64_u64(index, msyncfs_span[level]) + 1;
	bitmaps = min(nodes, MSYNCFS_SB(inode->i_sb)->geo.bitmap_blocks);
	return min_t(u64, 1 + nodes + bitmaps, UINT_MAX);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_map_credits);
