// SPDX-License-Identifier: GPL-2.0
/*
 * This file builds shadows of file maps. A large set may change more map nodes
 * than a record takes. For such a set, this file writes a new version of each
 * changed node, and of each node above a changed node, to fresh blocks. The
 * record has only bitmap blocks and the block of the inode, which contains the
 * new root. attach.c and fresh.c decide when a map is shadowed. fs/map/change.c
 * changes a map in place.
 *
 * The builder makes a shadow from the map in memory and the changes of one
 * capture. The changes come in ascending order, so the builder has incomplete
 * nodes on only one path from the root at a time. The builder also collects the
 * blocks that the file gives up, and the blocks of the new nodes. One operation
 * stores the new root, frees the blocks that the file gives up, and allocates
 * the blocks of the new nodes.
 *
 * The builder drops nodes that become empty. If the changes replace the whole
 * old map, the builder starts with an empty map. The empty map is only as deep
 * as the changes need.
 */
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "plan.h"

/* The builder writes up to this number of nodes together. */
#define MSYNCFS_SHADOW_BATCH	128

/* A page with an array of runs of blocks. */
struct msyncfs_runs {
	struct list_head	list;
	unsigned int		nr;
	struct {
		u64		start;
		u64		len;
	}			run[];
};

#define MSYNCFS_RUNS_NR \
	((PAGE_SIZE - sizeof(struct msyncfs_runs)) / (2 * sizeof(u64)))

/**
 * struct msyncfs_shadow - the new map of a file
 * @depth: depth of the new map
 * @anew: true if the changes replace the whole old map
 * @root: pointers of the new root
 * @blocks: number of blocks that the file gains; negative if the file loses
 *	blocks
 * @nodes: claimed blocks for the new nodes, as runs
 * @used: number of blocks in @nodes
 * @promised: number of blocks that are held for nodes, and that reservations
 *	have promised
 * @extra: number of blocks that are held for nodes, and that no reservation has
 *	promised
 * @old_data: data blocks that the file gives up, as runs
 * @old_nodes: blocks of map nodes that the file gives up, as runs
 */
struct msyncfs_shadow {
	unsigned int		depth;
	bool			anew;
	__le64			root[MSYNCFS_INODE_PTRS];
	s64			blocks;
	struct list_head	nodes;
	u64			used;
	u64			promised;
	u64			extra;
	struct list_head	old_data;
	struct list_head	old_nodes;
};

/**
 * struct msyncfs_changes - iterator over the changes of a map, in page order
 * @cap: capture whose pages have their blocks
 * @run: the run of images that @cur was made from; used only for ordinary files
 * @cur: rest of the current change: a run of pages with their blocks, or a hole
 * @more: false after the last change
 */
struct msyncfs_changes {
	struct msyncfs_capture	*cap;
	struct msyncfs_run	run;
	struct msyncfs_extent	cur;
	bool			more;
};

/**
 * struct msyncfs_builder - a shadow that is being built
 * @inode: file
 * @shadow: shadow
 * @ch: changes that are not made yet
 * @goal: the next node gets this block if it is free
 * @left: number of blocks that the file can still give up; without this limit,
 *	a crafted map could name any number of blocks
 * @bh: complete nodes that are not written yet
 * @nr: number of nodes in @bh
 */
struct msyncfs_builder {
	struct inode		*inode;
	struct msyncfs_shadow	*shadow;
	struct msyncfs_changes	ch;
	u64			goal;
	u64			left;
	struct buffer_head	*bh[MSYNCFS_SHADOW_BATCH];
	unsigned int		nr;
};

/* ---- runs of blocks ------------------------------------------------------ */

static int msyncfs_runs_add(struct list_head *list, u64 start, u64 len)
{
	struct msyncfs_runs *r;

	r = list_empty(list) ? NULL :
			       list_last_entry(list, struct msyncfs_runs, list);
	if (r && r->run[r->nr - 1].start + r->run[r->nr - 1].len == start) {
		r->run[r->nr - 1].len += len;
		return 0;
	}
	if (!r || r->nr == MSYNCFS_RUNS_NR) {
		r = kmalloc(PAGE_SIZE, GFP_NOFS);
		if (!r)
			return -ENOMEM;
		r->nr = 0;
		list_add_tail(&r->list, list);
	}
	r->run[r->nr].start = start;
	r->run[r->nr++].len = len;
	return 0;
}

static void msyncfs_runs_free(struct list_head *list)
{
	struct msyncfs_runs *r, *next;

	list_for_each_entry_safe(r, next, list, list)
		kfree(r);
	INIT_LIST_HEAD(list);
}

/* ---- changes ------------------------------------------------------------- */

/* Finds the first change at or after @index. */
static void msyncfs_changes_find(struct msyncfs_changes *ch, u64 index)
{
	ch->more = ch->cap->placing->ops->change(ch->cap, &ch->run, index,
						 &ch->cur);
}

static void msyncfs_changes_begin(struct msyncfs_changes *ch,
				  struct msyncfs_capture *cap)
{
	ch->cap = cap;
	ch->run = (struct msyncfs_run){};
	msyncfs_changes_find(ch, 0);
}

/* Skips the first @nr indexes of the current change. */
static void msyncfs_changes_eat(struct msyncfs_changes *ch, u64 nr)
{
	ch->cur.index += nr;
	ch->cur.len -= nr;
	if (ch->cur.blkno)
		ch->cur.blkno += nr;
	if (!ch->cur.len)
		msyncfs_changes_find(ch, ch->cur.index);
}

/* ---- the size of a shadow ------------------------------------------------ */

/*
 * Computes @depth and @anew of a shadow.
 */
static void msyncfs_shadow_count(struct msyncfs_capture *cap,
				 struct msyncfs_shadow *s)
{
	unsigned int depth = 0;
	struct msyncfs_changes ch;
	u64 next = 0;

	s->anew = true;
	msyncfs_changes_begin(&ch, cap);
	while (ch.more) {
		s->anew = s->anew && ch.cur.index == next;
		next = ch.cur.index + ch.cur.len;
		if (ch.cur.blkno)
			depth = msyncfs_depth_for(depth, next - 1);
		msyncfs_changes_eat(&ch, ch.cur.len);
	}
	s->anew = s->anew && next > MSYNCFS_LAST_INDEX;
	s->depth = s->anew ? depth :
			     max(depth, MSYNCFS_I(cap->inode)->i_map_depth);
}

/**
 * struct msyncfs_node_count - counts of the nodes that changes of a map affect
 * @seen: for each level, the last node that @runs counts
 * @counted: for each level, the last node that @holes counts
 * @runs: number of nodes that runs of blocks change
 * @holes: number of nodes that holes cover in part
 */
struct msyncfs_node_count {
	u64	seen[MSYNCFS_MAX_DEPTH + 1];
	u64	counted[MSYNCFS_MAX_DEPTH + 1];
	u64	runs;
	u64	holes;
};

/*
 * Counts the nodes of a level that a run of blocks changes. A run changes each
 * node that covers a part of the run.
 */
static void msyncfs_count_run(struct msyncfs_node_count *count,
			      const struct msyncfs_extent *run,
			      unsigned int level)
{
	u64 first = div64_u64(run->index, msyncfs_span[level]);
	u64 last = div64_u64(run->index + run->len - 1, msyncfs_span[level]);

	count->runs += last - first + (first != count->seen[level]);
	count->seen[level] = last;
}

/*
 * Counts the nodes of a level that a hole changes. A hole changes only nodes
 * that it covers in part. These nodes lie at the two ends of the hole. The
 * builder drops nodes that the hole covers completely.
 */
static void msyncfs_count_hole(struct msyncfs_node_count *count,
			       const struct msyncfs_extent *hole,
			       unsigned int level)
{
	u64 first, last, head, tail;

	first = div64_u64_rem(hole->index, msyncfs_span[level], &head);
	last = div64_u64_rem(hole->index + hole->len, msyncfs_span[level],
			     &tail);
	if (head && first != count->counted[level]) {
		count->counted[level] = first;
		count->holes++;
	}
	if (tail && last != count->counted[level]) {
		count->counted[level] = last;
		count->holes++;
	}
}

/*
 * Returns an upper bound for the number of nodes in a shadow. If both a run and
 * a hole change a node, this function counts the node twice. A hole changes
 * only nodes that the file already has. So holes change at most as many nodes
 * as the file has blocks.
 */
static u64 msyncfs_shadow_nodes(struct msyncfs_capture *cap,
				const struct msyncfs_shadow *s)
{
	u64 blocks = inode_get_bytes(cap->inode) >> MSYNCFS_BLOCK_SHIFT;
	unsigned int old = MSYNCFS_I(cap->inode)->i_map_depth;
	struct msyncfs_node_count count = {};
	struct msyncfs_changes ch;
	unsigned int level;

	/*
	 * If the map becomes deeper, each new level needs a node above the old
	 * nodes.
	 */
	if (!s->anew)
		count.runs = s->depth - old;
	for (level = 0; level <= MSYNCFS_MAX_DEPTH; level++) {
		count.seen[level] = s->anew || level <= old ? U64_MAX : 0;
		count.counted[level] = U64_MAX;
	}
	for (msyncfs_changes_begin(&ch, cap); ch.more;
	     msyncfs_changes_eat(&ch, ch.cur.len)) {
		for (level = 1; level <= s->depth; level++) {
			if (ch.cur.blkno)
				msyncfs_count_run(&count, &ch.cur, level);
			else if (!s->anew)
				msyncfs_count_hole(&count, &ch.cur, level);
		}
	}
	return count.runs + min(count.holes, blocks);
}

/**
 * msyncfs_shadow_alloc - prepare the shadow of a map
 * @cap: capture whose pages have their blocks
 *
 * This function holds the blocks for the new nodes, so that
 * msyncfs_shadow_build() cannot fail for lack of space.
 *
 * Context: as msyncfs_attach_set().
 * Return: 0, -ENOMEM, or an error of msyncfs_hold() or msyncfs_hold_spare().
 * After success, the caller must call msyncfs_shadow_free() later.
 */
int msyncfs_shadow_alloc(struct msyncfs_capture *cap)
{
	struct super_block *sb = cap->inode->i_sb;
	struct msyncfs_shadow *s;
	u64 nodes, promised;
	int err = 0;

	s = kzalloc(sizeof(*s), GFP_NOFS);
	if (!s)
		return -ENOMEM;
	INIT_LIST_HEAD(&s->nodes);
	INIT_LIST_HEAD(&s->old_data);
	INIT_LIST_HEAD(&s->old_nodes);
	msyncfs_shadow_count(cap, s);
	nodes = msyncfs_shadow_nodes(cap, s);
	promised = min(nodes, msyncfs_resv_nodes(&cap->resvs));
	if (promised)
		err = msyncfs_hold(sb, promised, true);
	if (err)
		goto fail;
	s->promised = promised;
	nodes -= promised;
	/*
	 * Only atomic files may use spare blocks. Sets of ordinary files can be
	 * split instead.
	 */
	if (nodes && msyncfs_is_atomic(cap->inode))
		err = msyncfs_hold_spare(sb, nodes);
	else if (nodes)
		err = msyncfs_hold(sb, nodes, false);
	if (err)
		goto fail;
	s->extra = nodes;
	cap->placing->shadow = s;
	return 0;
fail:
	if (s->promised)
		msyncfs_unhold(sb, s->promised, true);
	kfree(s);
	return err;
}

/* ---- building ------------------------------------------------------------ */

static int msyncfs_bh_cmp(const void *a, const void *b)
{
	const struct buffer_head *x = *(const struct buffer_head **)a;
	const struct buffer_head *y = *(const struct buffer_head **)b;

	return x->b_blocknr < y->b_blocknr ? -1 : x->b_blocknr > y->b_blocknr;
}

/*
 * Writes the complete nodes that are not written yet. A node becomes complete
 * only after all nodes below it are complete.
 */
static int msyncfs_shadow_flush(struct msyncfs_builder *b)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(b->inode->i_sb);
	int err = msyncfs_gate_enter(sbi);
	struct msyncfs_io io;
	unsigned int i;

	if (err)
		goto drop;
	sort(b->bh, b->nr, sizeof(*b->bh), msyncfs_bh_cmp, NULL);
	msyncfs_io_init(&io, sbi->sb, false);
	for (i = 0; i < b->nr; i++)
		msyncfs_io_add(&io, b->bh[i]->b_blocknr, b->bh[i]->b_page);
	err = msyncfs_io_wait(&io, 0);
	msyncfs_gate_leave(sbi);
	if (err)
		msyncfs_err(io.sb,
			    "inode %llu: map: blocks %llu+%u: write failed (%d)",
			    (u64)b->inode->i_ino, io.bad, io.bad_nr, err);
drop:
	while (b->nr)
		brelse(b->bh[--b->nr]);
	return err;
}

/*
 * Drops a new node that has become empty, and unclaims its block. The builder
 * has already dropped all nodes below this node, because they were empty, too.
 * So the block of this node is the last block in the list nodes of the shadow.
 */
static void msyncfs_shadow_empty(struct msyncfs_builder *b,
				 struct buffer_head *bh)
{
	struct super_block *sb = b->inode->i_sb;
	struct msyncfs_shadow *s = b->shadow;
	u64 blkno = bh->b_blocknr;
	struct msyncfs_runs *r;

	brelse(bh);
	r = list_last_entry(&s->nodes, struct msyncfs_runs, list);
	if (WARN_ON_ONCE(r->run[r->nr - 1].start + r->run[r->nr - 1].len !=
			 blkno + 1))
		return;
	if (!--r->run[r->nr - 1].len && !--r->nr) {
		list_del(&r->list);
		kfree(r);
	}
	s->used--;
	b->goal = blkno;
	msyncfs_block_forget(sb, blkno, MSYNCFS_MAGIC_MAP, b->inode->i_ino);
	msyncfs_unclaim(sb, blkno, 1);
}

/*
 * Seals a complete node and makes *@ptr point to the node. Adds the node to the
 * nodes that msyncfs_shadow_flush() writes. Takes over the caller's reference
 * to @bh.
 */
static int msyncfs_shadow_write(struct msyncfs_builder *b,
				struct buffer_head *bh, __le64 *ptr)
{
	*ptr = cpu_to_le64(bh->b_blocknr);
	msyncfs_seal_unlogged(b->inode->i_sb, bh->b_data);
	b->bh[b->nr++] = bh;
	b->shadow->blocks++;
	return b->nr == MSYNCFS_SHADOW_BATCH ? msyncfs_shadow_flush(b) : 0;
}

/* Makes a new, empty node. */
static struct buffer_head *msyncfs_shadow_new(struct msyncfs_builder *b,
					      unsigned int level)
{
	struct super_block *sb = b->inode->i_sb;
	struct msyncfs_shadow *s = b->shadow;
	struct buffer_head *bh;
	u64 blkno, len;
	int err;

	if (s->used == s->promised + s->extra) {
		msyncfs_err(sb, "inode %llu: map: more nodes than blocks",
			    (u64)b->inode->i_ino);
		return ERR_PTR(-EFSCORRUPTED);
	}
	err = msyncfs_claim(sb, b->goal, 1, &blkno, &len);
	if (err)
		return ERR_PTR(err);
	bh = msyncfs_block_new(sb, blkno, MSYNCFS_MAGIC_MAP, level,
			       b->inode->i_ino);
	if (IS_ERR(bh)) {
		msyncfs_unclaim(sb, blkno, 1);
		return bh;
	}
	err = msyncfs_runs_add(&s->nodes, blkno, 1);
	if (err) {
		brelse(bh);
		msyncfs_block_forget(sb, blkno, MSYNCFS_MAGIC_MAP,
				     b->inode->i_ino);
		msyncfs_unclaim(sb, blkno, 1);
		return ERR_PTR(err);
	}
	s->used++;
	b->goal = blkno + 1;
	return bh;
}

/* Adds a block to the blocks that the file gives up. */
static int msyncfs_shadow_old(struct msyncfs_builder *b, struct list_head *list,
			      u64 blkno)
{
	if (!b->left--) {
		msyncfs_err(b->inode->i_sb,
			    "inode %llu: map: more blocks than there are",
			    (u64)b->inode->i_ino);
		return -EFSCORRUPTED;
	}
	b->shadow->blocks--;
	return msyncfs_runs_add(list, blkno, 1);
}

static int msyncfs_shadow_old_data(struct msyncfs_builder *b, u64 ptr)
{
	int err = msyncfs_check_ptr(b->inode, ptr);

	return err ?: msyncfs_shadow_old(b, &b->shadow->old_data,
					 ptr & MSYNCFS_PTR_BLKNO);
}

/*
 * Adds a node, and all nodes and data blocks below the node, to the blocks that
 * the file gives up.
 */
static int msyncfs_shadow_drop(struct msyncfs_builder *b, unsigned int level,
			       u64 blkno)
{
	struct buffer_head *bh = msyncfs_read_node(b->inode, blkno, level);
	const __le64 *ptr;
	unsigned int i;
	int err = 0;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	ptr = ((struct msyncfs_disk_map *)bh->b_data)->ptr;
	for (i = 0; !err && i < MSYNCFS_NODE_PTRS; i++) {
		if (!ptr[i])
			continue;
		if (level == 1)
			err = msyncfs_shadow_old_data(b, le64_to_cpu(ptr[i]));
		else
			err = msyncfs_shadow_drop(b, level - 1,
						  le64_to_cpu(ptr[i]));
	}
	brelse(bh);
	cond_resched();
	return err ?: msyncfs_shadow_old(b, &b->shadow->old_nodes, blkno);
}

/*
 * Makes the changes that affect @nr data pointers. The first pointer is for the
 * page with the index @base.
 */
static int msyncfs_shadow_leaf(struct msyncfs_builder *b, __le64 *ptr,
			       unsigned int nr, u64 base)
{
	struct msyncfs_changes *ch = &b->ch;
	unsigned int nth;
	u64 blkno;
	int err;

	while (ch->more && ch->cur.index < base + nr) {
		nth = ch->cur.index - base;
		blkno = ch->cur.blkno;
		if (ptr[nth]) {
			err = msyncfs_shadow_old_data(b, le64_to_cpu(ptr[nth]));
			if (err)
				return err;
		}
		ptr[nth] = cpu_to_le64(blkno);
		b->shadow->blocks += !!blkno;
		msyncfs_changes_eat(ch, 1);
	}
	return 0;
}

static int msyncfs_shadow_ptrs(struct msyncfs_builder *b, __le64 *ptr,
			       unsigned int nr, unsigned int level, u64 base);

/*
 * Makes a new node of @level. The first page that the node covers has the index
 * @base. If *@ptr points to an old node, the new node starts as a copy of the
 * old node. Then this function makes the changes in the new node, and makes
 * *@ptr point to the new node. If the new node has no pointers after the
 * changes, the function drops the new node and sets *@ptr to 0.
 */
static int msyncfs_shadow_child(struct msyncfs_builder *b, __le64 *ptr,
				unsigned int level, u64 base)
{
	struct buffer_head *bh, *old;
	struct msyncfs_disk_map *node;
	u64 blkno = le64_to_cpu(*ptr);
	int err = 0;

	bh = msyncfs_shadow_new(b, level);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	node = (struct msyncfs_disk_map *)bh->b_data;
	if (blkno) {
		old = msyncfs_read_node(b->inode, blkno, level);
		if (IS_ERR(old)) {
			brelse(bh);
			return PTR_ERR(old);
		}
		memcpy(node->ptr,
		       ((struct msyncfs_disk_map *)old->b_data)->ptr,
		       sizeof(node->ptr));
		brelse(old);
		err = msyncfs_shadow_old(b, &b->shadow->old_nodes, blkno);
	}
	if (!err)
		err = msyncfs_shadow_ptrs(b, node->ptr, MSYNCFS_NODE_PTRS,
					  level, base);
	if (err) {
		brelse(bh);
		return err;
	}
	if (msyncfs_no_ptrs(node->ptr, MSYNCFS_NODE_PTRS)) {
		msyncfs_shadow_empty(b, bh);
		*ptr = 0;
		return 0;
	}
	return msyncfs_shadow_write(b, bh, ptr);
}

/*
 * Makes the changes that affect @nr pointers of @level. The first page that the
 * first pointer covers has the index @base.
 */
static int msyncfs_shadow_ptrs(struct msyncfs_builder *b, __le64 *ptr,
			       unsigned int nr, unsigned int level, u64 base)
{
	u64 span = msyncfs_span[level - 1];
	struct msyncfs_changes *ch = &b->ch;
	u64 nth, at, end;
	int err = 0;

	if (level == 1)
		return msyncfs_shadow_leaf(b, ptr, nr, base);
	while (!err && ch->more && ch->cur.index < base + nr * span) {
		nth = div64_u64(ch->cur.index - base, span);
		at = base + nth * span;
		end = min(ch->cur.index + ch->cur.len, at + span);
		if (!ch->cur.blkno && !ptr[nth]) {
			msyncfs_changes_eat(ch, end - ch->cur.index);
		} else if (!ch->cur.blkno && ch->cur.index == at &&
			   end == at + span) {
			err = msyncfs_shadow_drop(b, level - 1,
						  le64_to_cpu(ptr[nth]));
			ptr[nth] = 0;
			msyncfs_changes_eat(ch, span);
		} else {
			err = msyncfs_shadow_child(b, &ptr[nth], level - 1,
						   at);
		}
	}
	return err;
}

/*
 * If the map becomes deeper, each new level needs a node that covers index 0.
 * This function makes this node for @level, and calls itself for the new levels
 * below. The node of the lowest new level gets the pointers of the old root.
 *
 * The function keeps these nodes even if they are empty. A page may have got
 * its reservation before the map became deeper, and such a reservation promises
 * no blocks for these nodes (fs/map/resv.c).
 */
static int msyncfs_shadow_grow(struct msyncfs_builder *b, __le64 *ptr,
			       unsigned int level)
{
	struct msyncfs_disk_map *node;
	struct buffer_head *bh;
	int err = 0;

	bh = msyncfs_shadow_new(b, level);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	node = (struct msyncfs_disk_map *)bh->b_data;
	if (level == MSYNCFS_I(b->inode)->i_map_depth + 1)
		memcpy(node->ptr, msyncfs_root_ptrs(b->inode),
		       MSYNCFS_INODE_PTRS * sizeof(*ptr));
	else
		err = msyncfs_shadow_grow(b, node->ptr, level - 1);
	if (!err)
		err = msyncfs_shadow_ptrs(b, node->ptr, MSYNCFS_NODE_PTRS,
					  level, 0);
	if (err) {
		brelse(bh);
		return err;
	}
	return msyncfs_shadow_write(b, bh, ptr);
}

/* Adds all blocks below the old root to the blocks that the file gives up. */
static int msyncfs_shadow_drop_all(struct msyncfs_builder *b)
{
	unsigned int depth = MSYNCFS_I(b->inode)->i_map_depth;
	const __le64 *ptr = msyncfs_root_ptrs(b->inode);
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < MSYNCFS_INODE_PTRS; i++) {
		if (!ptr[i])
			continue;
		if (depth)
			err = msyncfs_shadow_drop(b, depth,
						  le64_to_cpu(ptr[i]));
		else
			err = msyncfs_shadow_old_data(b, le64_to_cpu(ptr[i]));
	}
	return err;
}

static int msyncfs_runs_touch(struct super_block *sb, struct msyncfs_plan *plan,
			      struct list_head *list)
{
	struct msyncfs_runs *r;
	unsigned int i;
	int err = 0;

	list_for_each_entry(r, list, list)
		for (i = 0; !err && i < r->nr; i++)
			err = msyncfs_plan_touch(sb, plan, r->run[i].start,
						 r->run[i].len);
	return err;
}

/*
 * Adds to the plan the blocks that are allocated and freed when the shadow
 * becomes the map.
 */
static int msyncfs_shadow_touch(struct msyncfs_capture *cap,
				struct msyncfs_plan *plan)
{
	struct super_block *sb = cap->inode->i_sb;
	struct msyncfs_shadow *s = cap->placing->shadow;
	struct msyncfs_changes ch;
	int err = 0;

	for (msyncfs_changes_begin(&ch, cap); !err && ch.more;
	     msyncfs_changes_eat(&ch, ch.cur.len))
		if (ch.cur.blkno)
			err = msyncfs_plan_touch(sb, plan, ch.cur.blkno,
						 ch.cur.len);
	return err ?: msyncfs_runs_touch(sb, plan, &s->nodes) ?:
		      msyncfs_runs_touch(sb, plan, &s->old_data) ?:
		      msyncfs_runs_touch(sb, plan, &s->old_nodes);
}

/**
 * msyncfs_shadow_build - build the shadow of a map and write its nodes
 * @cap: capture, after msyncfs_shadow_alloc()
 * @plan: plan to which the function adds the blocks that msyncfs_shadow_apply()
 *	allocates and frees
 *
 * When this function returns, nothing refers to the new nodes yet. The nodes
 * may still be in the volatile cache of the device. So the device must be
 * flushed before the record is written.
 *
 * Context: caller holds i_commit_lock, so the map does not change; waits for
 * the device.
 * Return: 0, -EIO, -EUCLEAN or -ENOMEM.
 */
int msyncfs_shadow_build(struct msyncfs_capture *cap,
			 struct msyncfs_plan *plan)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(cap->inode);
	struct msyncfs_shadow *s = cap->placing->shadow;
	struct msyncfs_builder *b;
	int err = 0, err2;

	b = kzalloc(sizeof(*b), GFP_NOFS);
	if (!b)
		return -ENOMEM;
	b->inode = cap->inode;
	b->shadow = s;
	b->left = min_t(u64, MSYNCFS_SB(cap->inode->i_sb)->geo.blocks,
			inode_get_bytes(cap->inode) >> MSYNCFS_BLOCK_SHIFT);
	b->goal = cap->inode->i_ino + 1;
	msyncfs_changes_begin(&b->ch, cap);

	if (s->anew)
		err = msyncfs_shadow_drop_all(b);
	else if (s->depth == mi->i_map_depth)
		memcpy(s->root, msyncfs_root_ptrs(cap->inode),
		       sizeof(s->root));
	else
		err = msyncfs_shadow_grow(b, s->root, s->depth);
	if (!err)
		err = msyncfs_shadow_ptrs(b, s->root, MSYNCFS_INODE_PTRS,
					  s->depth + 1, 0);
	err2 = msyncfs_shadow_flush(b);
	kfree(b);
	return err ?: err2 ?: msyncfs_shadow_touch(cap, plan);
}

/* ---- the shadow becomes the map ------------------------------------------ */

/*
 * Frees @len consecutive blocks of map nodes. These blocks belonged to the file
 * when the shadow was built. On a damaged filesystem, one of these blocks may
 * belong to another file or directory now. This function does not free such a
 * block.
 */
static void msyncfs_nodes_give_up(struct msyncfs_op *op, u64 ino, u64 start,
				  u64 len)
{
	u64 end = start + len, at;

	for (at = start; at < end; at++) {
		if (!msyncfs_op_forget(op, at, MSYNCFS_MAGIC_MAP, ino))
			continue;
		if (at > start)
			msyncfs_free(op, start, at - start);
		start = at + 1;
	}
	if (end > start)
		msyncfs_free(op, start, end - start);
}

static void msyncfs_runs_give_up(struct msyncfs_op *op, struct list_head *list,
				 struct inode *inode, bool nodes)
{
	struct msyncfs_runs *r;
	unsigned int i;

	list_for_each_entry(r, list, list) {
		for (i = 0; i < r->nr; i++) {
			if (nodes)
				msyncfs_nodes_give_up(op, inode->i_ino,
						      r->run[i].start,
						      r->run[i].len);
			else
				msyncfs_free(op, r->run[i].start,
					     r->run[i].len);
		}
	}
}

/**
 * msyncfs_shadow_apply - replace the map of a file by its shadow
 * @op: open handle with credits for the inode and for the bitmap blocks
 * @cap: capture, after msyncfs_shadow_build()
 *
 * This function also sets the bits of the claimed data blocks in the bitmap.
 * The caller ends the promises of these data blocks.
 *
 * Context: inside @op; caller holds i_commit_lock; takes i_map_sem exclusively.
 */
void msyncfs_shadow_apply(struct msyncfs_op *op, struct msyncfs_capture *cap)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(cap->inode);
	struct msyncfs_shadow *s = cap->placing->shadow;
	struct msyncfs_changes ch;
	struct msyncfs_runs *r;
	unsigned int i;

	for (msyncfs_changes_begin(&ch, cap); ch.more;
	     msyncfs_changes_eat(&ch, ch.cur.len))
		if (ch.cur.blkno)
			msyncfs_claim_commit(op, ch.cur.blkno, ch.cur.len);
	list_for_each_entry(r, &s->nodes, list)
		for (i = 0; i < r->nr; i++)
			msyncfs_claim_commit(op, r->run[i].start,
					     r->run[i].len);

	down_write(&mi->i_map_sem);
	msyncfs_known_forget(cap->inode);
	memcpy(msyncfs_root_ptrs(cap->inode), s->root, sizeof(s->root));
	mi->i_map_depth = s->depth;
	msyncfs_map_account(op, cap->inode, s->blocks);
	msyncfs_runs_give_up(op, &s->old_data, cap->inode, false);
	msyncfs_runs_give_up(op, &s->old_nodes, cap->inode, true);
	up_write(&mi->i_map_sem);
	msyncfs_runs_free(&s->nodes);
	if (s->used)
		msyncfs_op_preflush(op);
	/*
	 * Reservations have promised the blocks of the first s->promised nodes.
	 * The caller ends these reservations. So end only the promises for the
	 * blocks of all further nodes here.
	 */
	op->claimed += s->used;
	if (s->used > s->promised)
		op->fulfilled += s->used - s->promised;
}

/**
 * msyncfs_shadow_free - free the shadow of a file
 * @cap: capture; the function does nothing if the capture has no shadow
 *
 * If the shadow has not become the map, this function unclaims the blocks of
 * the new nodes.
 *
 * Context: may sleep; takes space->lock.
 */
void msyncfs_shadow_free(struct msyncfs_capture *cap)
{
	struct super_block *sb = cap->inode->i_sb;
	struct msyncfs_shadow *s = cap->placing->shadow;
	struct msyncfs_runs *r;
	u64 n, promised, extra;
	unsigned int i;

	if (!s)
		return;
	cap->placing->shadow = NULL;
	list_for_each_entry(r, &s->nodes, list) {
		for (i = 0; i < r->nr; i++) {
			for (n = 0; n < r->run[i].len; n++)
				msyncfs_block_forget(sb, r->run[i].start + n,
						     MSYNCFS_MAGIC_MAP,
						     cap->inode->i_ino);
			msyncfs_unclaim(sb, r->run[i].start, r->run[i].len);
			s->used -= r->run[i].len;
		}
	}
	/*
	 * The shadow has used s->used of the held blocks, and these blocks are
	 * not held any more. Unhold only the unused blocks.
	 */
	promised = min(s->used, s->promised);
	extra = s->used - promised;
	if (s->promised > promised)
		msyncfs_unhold(sb, s->promised - promised, true);
	if (s->extra > extra)
		msyncfs_unhold(sb, s->extra - extra, false);
	msyncfs_runs_free(&s->nodes);
	msyncfs_runs_free(&s->old_data);
	msyncfs_runs_free(&s->old_nodes);
	kfree(s);
}
