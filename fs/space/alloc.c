// SPDX-License-Identifier: GPL-2.0
/*
 * This file is the block allocator. It changes the bitmaps, and keeps the
 * counters of free and promised blocks. The allocator finds, takes and frees
 * runs of blocks. It does not know what the blocks contain. It never waits for
 * a commit. Only promise.c waits for commits, if its caller may wait.
 *
 * The mount counts the free blocks of each group (space.c). After that, a bitmap
 * block is read when it is needed, and memory reclaim may drop it again. It stays in
 * memory while its group has busy blocks, and while a record that changes it is
 * not retired.
 *
 * A block may be unavailable although its bit in the bitmap is clear. Such a
 * block is busy, for one of two reasons. First, the block may be claimed: a
 * task writes data to the block before a record names the block. Second, a
 * transaction may have freed the block, and the record of this transaction is
 * not yet retired (B3). Busy blocks are known in memory only, so a crash leaves
 * nothing to undo.
 */
#include <kunit/visibility.h>
#include <linux/math64.h>
#include <linux/slab.h>

#include "alloc.h"

/* A search stops after this many groups, unless it has found no run yet. */
#define MSYNCFS_SEARCH_GROUPS	8

/* This structure describes a run of blocks inside one group. */
struct msyncfs_group_run {
	struct msyncfs_group	*group;
	unsigned int		bit;
	unsigned int		len;
};

/**
 * msyncfs_bitmap_read - read the bitmap block of a group
 * @sb: filesystem
 * @nr: number of the group
 *
 * Context: may sleep and do I/O.
 * Return: the buffer, referenced; ERR_PTR(-EIO) or ERR_PTR(-EUCLEAN), both logged.
 */
struct buffer_head *msyncfs_bitmap_read(struct super_block *sb, u64 nr)
{
	/* msyncfs_bread() checks that all free blocks are in the data area. */
	return msyncfs_bread(sb, MSYNCFS_SB(sb)->geo.bitmap_start + nr,
			     MSYNCFS_MAGIC_BITMAP, nr);
}

/*
 * Drops the bitmap block of a group without busy blocks. The group that was used
 * last keeps its bitmap block, because the next allocation probably uses the
 * same group.
 */
static void msyncfs_group_unload(struct msyncfs_space *space,
				 struct msyncfs_group *g)
{
	if (g->nr_busy || g == space->loaded)
		return;
	brelse(g->bh);
	g->bh = NULL;
}

/*
 * Makes sure that the bitmap block of a group is in memory. It stays there
 * until the next call for another group, or longer if the group has busy
 * blocks.
 */
static int msyncfs_group_load(struct msyncfs_space *space,
			      struct msyncfs_group *g)
{
	struct msyncfs_group *last = space->loaded;
	struct buffer_head *bh;

	if (g->bh)
		return 0;
	bh = msyncfs_bitmap_read(space->sb, g - space->groups);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	g->bh = bh;
	space->loaded = g;
	if (last)
		msyncfs_group_unload(space, last);
	return 0;
}

static void *msyncfs_group_bits(const struct msyncfs_group *g)
{
	return ((struct msyncfs_disk_bitmap *)g->bh->b_data)->bits;
}

static u64 msyncfs_group_start(const struct msyncfs_space *space,
			       const struct msyncfs_group *g)
{
	return (g - space->groups) * (u64)MSYNCFS_GROUP_BLOCKS;
}

/*
 * Sets @run to the first part of a run of @len blocks that begins at @start.
 * This part lies in the group of @start.
 */
static void msyncfs_group_of(struct msyncfs_space *space, u64 start, u64 len,
			     struct msyncfs_group_run *run)
{
	run->group = &space->groups[div_u64_rem(start, MSYNCFS_GROUP_BLOCKS,
						&run->bit)];
	run->len = min_t(u64, len, MSYNCFS_GROUP_BLOCKS - run->bit);
}

/* Returns the first bit of [@bit, @end) that is available, or @end. */
static unsigned int msyncfs_next_free(const struct msyncfs_group *g,
				      unsigned int bit, unsigned int end)
{
	unsigned int next;

	while (bit < end) {
		bit = find_next_zero_bit_le(msyncfs_group_bits(g), end, bit);
		if (bit >= end || !g->busy)
			break;
		next = find_next_zero_bit(g->busy, end, bit);
		if (next == bit)
			break;
		bit = next;
	}
	return min(bit, end);
}

/* Returns the first bit of [@bit, @end) that is not available, or @end. */
static unsigned int msyncfs_next_used(const struct msyncfs_group *g,
				      unsigned int bit, unsigned int end)
{
	end = find_next_bit_le(msyncfs_group_bits(g), end, bit);
	if (g->busy)
		end = find_next_bit(g->busy, end, bit);
	return end;
}

/*
 * Searches [@bit, @end) of a group and keeps the longest run in @best. Returns
 * true as soon as a run has @want blocks.
 */
static bool msyncfs_search_group(struct msyncfs_group *g, unsigned int bit,
				 unsigned int end, unsigned int want,
				 struct msyncfs_group_run *best)
{
	unsigned int stop;

	for (;;) {
		bit = msyncfs_next_free(g, bit, end);
		if (bit >= end)
			return false;
		stop = msyncfs_next_used(g, bit, min(end, bit + want));
		if (stop - bit > best->len) {
			best->group = g;
			best->bit = bit;
			best->len = stop - bit;
			if (best->len >= want)
				return true;
		}
		bit = stop;
	}
}

/*
 * Chooses a run of at most @want blocks. If the block @goal is available, the
 * run begins at @goal, even if the run is short. So files stay contiguous.
 * Otherwise the function searches the group of @goal first, and the next groups
 * after it, for a run of @want blocks. If no group has such a run, the function
 * chooses the longest run. The function stops early if its longest run has at
 * least a quarter of @want blocks, or if it has searched MSYNCFS_SEARCH_GROUPS
 * groups. It leaves out groups whose bitmap block cannot be read.
 */
static int msyncfs_search(struct msyncfs_space *space, u64 goal,
			  unsigned int want, struct msyncfs_group_run *best)
{
	unsigned int tried = 0, bit, end;
	int err = -ENOSPC, err2;
	struct msyncfs_group *g;
	u64 nr, i;

	best->len = 0;
	nr = div_u64_rem(goal, MSYNCFS_GROUP_BLOCKS, &bit);
	end = min(bit + want, MSYNCFS_GROUP_BLOCKS);
	for (i = 0; i < space->nr_groups; i++, bit = 0) {
		if (best->len && (best->len >= want / 4 ||
				  tried >= MSYNCFS_SEARCH_GROUPS))
			break;
		g = &space->groups[nr];
		if (++nr == space->nr_groups)
			nr = 0;
		if (!g->free)
			continue;
		err2 = msyncfs_group_load(space, g);
		if (err2) {
			err = err2;
			continue;
		}
		if (!i && msyncfs_next_free(g, bit, bit + 1) == bit) {
			best->group = g;
			best->bit = bit;
			best->len = msyncfs_next_used(g, bit, end) - bit;
			break;
		}
		tried++;
		if (msyncfs_search_group(g, bit, MSYNCFS_GROUP_BLOCKS, want,
					 best) ||
		    msyncfs_search_group(g, 0, bit, want, best))
			break;
	}
	return best->len ? 0 : err;
}

/**
 * msyncfs_subtract - subtract from a counter of blocks
 * @counter: counter
 * @nr: number of blocks
 *
 * If the counter is less than @nr, there is a bug somewhere, and the counter
 * becomes 0. If the counter wrapped around, blocks that do not exist would be
 * promised.
 *
 * Context: caller holds space->lock.
 */
void msyncfs_subtract(u64 *counter, u64 nr)
{
	if (WARN_ON_ONCE(*counter < nr))
		nr = *counter;
	*counter -= nr;
}

/*
 * Finds a run and takes it from the blocks that the caller holds. After this
 * call, the caller marks the run, either in the bitmap or as busy.
 */
static int msyncfs_take_run(struct msyncfs_space *space, u64 goal, u64 want,
			    struct msyncfs_group_run *run, u64 *start)
{
	bool rotor = !goal || goal >= space->geo->blocks;
	int err;

	lockdep_assert_held(&space->lock);
	if (rotor)
		goal = space->rotor;
	want = min_t(u64, want, MSYNCFS_GROUP_BLOCKS);
	err = msyncfs_search(space, goal, want, run);
	if (!err)
		err = msyncfs_group_load(space, run->group);
	if (err)
		return err;

	run->group->free -= run->len;
	msyncfs_subtract(&space->free, run->len);
	msyncfs_subtract(&space->held, run->len);
	*start = msyncfs_group_start(space, run->group) + run->bit;
	if (rotor && *start + run->len < space->geo->blocks)
		space->rotor = *start + run->len;
	return 0;
}

/*
 * Makes the blocks of @run busy. An operation that frees blocks cannot be
 * undone, so this function must not fail for lack of memory.
 */
static void msyncfs_set_busy(const struct msyncfs_group_run *run)
{
	struct msyncfs_group *g = run->group;

	if (!g->busy)
		g->busy = kcalloc(BITS_TO_LONGS(MSYNCFS_GROUP_BLOCKS),
				  sizeof(long), GFP_NOFS | __GFP_NOFAIL);
	bitmap_set(g->busy, run->bit, run->len);
	g->nr_busy += run->len;
}

/* Notes that @nr blocks, whose bits are clear now, are not busy any more. */
static void msyncfs_less_busy(struct msyncfs_group *g, unsigned int nr)
{
	g->nr_busy -= nr;
	if (g->nr_busy)
		return;
	kfree(g->busy);
	g->busy = NULL;
}

/*
 * Ends the busy state of @run. If a block of @run was not busy, returns false
 * and changes nothing. Otherwise the caller calls msyncfs_group_unload() when it
 * does not need the bitmap block any more.
 */
static bool msyncfs_clear_busy(const struct msyncfs_group_run *run)
{
	struct msyncfs_group *g = run->group;
	unsigned int end = run->bit + run->len;

	if (WARN_ON_ONCE(!g->busy ||
			 find_next_zero_bit(g->busy, end, run->bit) < end))
		return false;
	bitmap_clear(g->busy, run->bit, run->len);
	msyncfs_less_busy(g, run->len);
	return true;
}

/*
 * Makes the busy blocks of @run available. If a block of @run was not busy, returns
 * false and changes nothing.
 */
static bool msyncfs_make_available(struct msyncfs_space *space,
				   const struct msyncfs_group_run *run)
{
	if (!msyncfs_clear_busy(run))
		return false;
	run->group->free += run->len;
	space->free += run->len;
	msyncfs_group_unload(space, run->group);
	return true;
}

static void msyncfs_set_bits(const struct msyncfs_group_run *run)
{
	void *bits = msyncfs_group_bits(run->group);
	unsigned int i;

	for (i = 0; i < run->len; i++)
		__set_bit_le(run->bit + i, bits);
}

/**
 * msyncfs_claim - claim free blocks
 * @sb: filesystem
 * @goal: preferred first block, 0 for no preference
 * @want: number of blocks wanted, at least 1
 * @start: set to the first block claimed
 * @len: set to the number of blocks claimed, 1..@want; they are contiguous
 *
 * The function takes the claimed blocks from the blocks that the caller holds
 * (msyncfs_hold()). The function does not set the bits of the claimed blocks in
 * the bitmap. Later the caller must call msyncfs_claim_commit(), which sets
 * these bits, or msyncfs_unclaim().
 *
 * Context: takes space->lock; may sleep, does not wait for a commit.
 * Return: 0; -ENOSPC if no block is free; -EINVAL if @want is 0; -EIO or
 * -EUCLEAN (logged) if the bitmaps of all free blocks cannot be read.
 */
int msyncfs_claim(struct super_block *sb, u64 goal, u64 want, u64 *start,
		  u64 *len)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	struct msyncfs_group_run run;
	int err;

	if (WARN_ON_ONCE(!want))
		return -EINVAL;

	mutex_lock(&space->lock);
	err = msyncfs_take_run(space, goal, want, &run, start);
	if (!err) {
		msyncfs_set_busy(&run);
		space->claimed += run.len;
		*len = run.len;
	}
	mutex_unlock(&space->lock);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_claim);

/**
 * msyncfs_claim_commit - allocate claimed blocks in an operation
 * @op: open handle with a credit for each bitmap block involved
 * @start: first block
 * @len: number of blocks, all claimed
 *
 * The bitmaps change in @op. The promises of the blocks still count until
 * msyncfs_claim_done() ends them.
 *
 * Context: inside @op; takes space->lock; may sleep.
 */
void msyncfs_claim_commit(struct msyncfs_op *op, u64 start, u64 len)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(op->sb);
	struct msyncfs_group_run run;

	mutex_lock(&space->lock);
	for (; len; start += run.len, len -= run.len) {
		msyncfs_group_of(space, start, len, &run);
		if (!msyncfs_clear_busy(&run))
			continue;
		msyncfs_op_dirty(op, run.group->bh);
		msyncfs_set_bits(&run);
		msyncfs_group_unload(space, run.group);
	}
	mutex_unlock(&space->lock);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_claim_commit);

/**
 * msyncfs_unclaim - give claimed blocks back
 * @sb: filesystem
 * @start: first block
 * @len: number of blocks, all claimed and none allocated
 *
 * After this call, the caller holds the blocks, as it did before
 * msyncfs_claim().
 *
 * Context: takes space->lock; may sleep.
 */
void msyncfs_unclaim(struct super_block *sb, u64 start, u64 len)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	struct msyncfs_group_run run;

	mutex_lock(&space->lock);
	for (; len; start += run.len, len -= run.len) {
		msyncfs_group_of(space, start, len, &run);
		if (!msyncfs_make_available(space, &run))
			continue;
		space->held += run.len;
		msyncfs_subtract(&space->claimed, run.len);
	}
	mutex_unlock(&space->lock);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_unclaim);

/**
 * msyncfs_alloc - allocate blocks in an operation
 * @op: open handle with op->blocks left and a credit for a bitmap block
 * @goal: preferred first block, 0 for no preference
 * @want: number of blocks wanted, at least 1
 * @start: set to the first block allocated
 * @len: set to the number of blocks allocated, 1..@want; they are contiguous
 *	and in one group
 *
 * Context: inside @op; takes space->lock; may sleep, does not wait for a
 * commit.
 * Return: 0; -ENOSPC if @op has no blocks left, which is a bug of the caller;
 * -EIO or -EUCLEAN (logged) if the bitmaps of all free blocks cannot be read.
 */
int msyncfs_alloc(struct msyncfs_op *op, u64 goal, u64 want, u64 *start,
		  u64 *len)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(op->sb);
	struct msyncfs_group_run run;
	int err;

	want = min(want, op->blocks);
	if (WARN_ON_ONCE(!want))
		return -ENOSPC;

	mutex_lock(&space->lock);
	err = msyncfs_take_run(space, goal, want, &run, start);
	if (!err) {
		if (op->promised) {
			space->claimed += run.len;
			op->claimed += run.len;
		} else {
			msyncfs_subtract(&space->reserved, run.len);
		}
		msyncfs_op_dirty(op, run.group->bh);
		msyncfs_set_bits(&run);
		op->blocks -= run.len;
		*len = run.len;
	}
	mutex_unlock(&space->lock);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_alloc);

/*
 * Notes that transaction @tid has freed @run. All open handles belong to one
 * transaction, so space->freed_list is in the order of the transactions.
 */
static void msyncfs_freed_add(struct msyncfs_space *space, u64 tid,
			      const struct msyncfs_group_run *run)
{
	struct msyncfs_freed *f = run->group->freed;

	if (!f || f->tid != tid) {
		f = kzalloc(sizeof(*f), GFP_NOFS | __GFP_NOFAIL);
		f->group = run->group;
		f->tid = tid;
		run->group->freed = f;
		list_add_tail(&f->list, &space->freed_list);
	}
	bitmap_set(f->bits, run->bit, run->len);
	f->nr += run->len;
	space->freed += run->len;
}

/* The data area is contiguous, so it is enough to check both ends of a run. */
static bool msyncfs_all_data(struct msyncfs_space *space, u64 start, u64 len)
{
	return len && start + len > start &&
	       msyncfs_is_data(space->geo, start) &&
	       msyncfs_is_data(space->geo, start + len - 1);
}

/* Frees a run. Returns NULL, or the reason why the run stays allocated. */
static const char *msyncfs_free_run(struct msyncfs_op *op,
				    const struct msyncfs_group_run *run)
{
	unsigned int end = run->bit + run->len;
	unsigned int i;
	void *bits;

	if (msyncfs_group_load(MSYNCFS_SPACE(op->sb), run->group))
		return "their bitmap cannot be read";
	bits = msyncfs_group_bits(run->group);
	if (find_next_zero_bit_le(bits, end, run->bit) < end)
		return "not all allocated";
	msyncfs_op_dirty(op, run->group->bh);
	for (i = run->bit; i < end; i++)
		__clear_bit_le(i, bits);
	msyncfs_set_busy(run);
	msyncfs_freed_add(MSYNCFS_SPACE(op->sb), op->tid, run);
	return NULL;
}

/**
 * msyncfs_free - free blocks in an operation
 * @op: open handle with a credit for each bitmap block involved
 * @start: first block
 * @len: number of blocks
 *
 * The blocks become available when the log calls msyncfs_space_retired() for
 * the transaction of @op. A damaged map may lead to a wrong range. If a block
 * of the range is outside the data area, the function frees nothing. If a block
 * of the range is not allocated, or if a bitmap block cannot be read, the
 * function frees no block of the range that lies in the group of this block. In
 * each case the function prints a message. A block that stays allocated by
 * mistake does less harm than a block with two owners. A caller that can still
 * fail calls msyncfs_load_bitmaps() before.
 *
 * Context: inside @op; takes space->lock; may sleep and read bitmap blocks.
 */
void msyncfs_free(struct msyncfs_op *op, u64 start, u64 len)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(op->sb);
	struct msyncfs_group_run run;
	const char *why;

	if (!msyncfs_all_data(space, start, len)) {
		msyncfs_err(op->sb,
			    "blocks %llu+%llu: freed, but outside the data area",
			    start, len);
		return;
	}

	mutex_lock(&space->lock);
	for (; len; start += run.len, len -= run.len) {
		msyncfs_group_of(space, start, len, &run);
		why = msyncfs_free_run(op, &run);
		if (why)
			msyncfs_err(op->sb, "blocks %llu+%u: freed, but %s",
				    start, run.len, why);
	}
	mutex_unlock(&space->lock);
	if (msyncfs_breaks(REUSE))
		msyncfs_space_retired(op->sb, op->tid);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_free);

static void msyncfs_freed_done(struct msyncfs_space *space,
			       struct msyncfs_freed *f)
{
	struct msyncfs_group *g = f->group;

	bitmap_andnot(g->busy, g->busy, f->bits, MSYNCFS_GROUP_BLOCKS);
	msyncfs_less_busy(g, f->nr);
	msyncfs_subtract(&space->freed, f->nr);
	space->free += f->nr;
	g->free += f->nr;
	if (g->freed == f)
		g->freed = NULL;
	msyncfs_group_unload(space, g);
	list_del(&f->list);
	kfree(f);
}

/* Moves @f to the list of the worker, or into an entry of the same group there. */
static void msyncfs_discard_later(struct msyncfs_space *space,
				  struct msyncfs_freed *f)
{
	struct msyncfs_freed *other;

	if (f->group->freed == f)
		f->group->freed = NULL;
	list_for_each_entry(other, &space->discard_list, list) {
		if (other->group != f->group)
			continue;
		bitmap_or(other->bits, other->bits, f->bits,
			  MSYNCFS_GROUP_BLOCKS);
		other->nr += f->nr;
		list_del(&f->list);
		kfree(f);
		return;
	}
	list_move_tail(&f->list, &space->discard_list);
}

/**
 * msyncfs_discard_work - discard freed blocks and make them available
 * @work: space->discard_work
 *
 * The worker passes the gate for each group, so that a freeze, a heartbeat or an
 * abort need not wait for long. If the gate is closed, the blocks become available
 * without a discard: somebody else may use the device.
 *
 * Context: worker; takes the gate and space->lock; sleeps for the device.
 */
void msyncfs_discard_work(struct work_struct *work)
{
	struct msyncfs_space *space = container_of(work, struct msyncfs_space,
						   discard_work);
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(space->sb);
	struct msyncfs_freed *f;

	mutex_lock(&space->lock);
	while ((f = list_first_entry_or_null(&space->discard_list,
					     struct msyncfs_freed, list))) {
		list_del_init(&f->list);
		mutex_unlock(&space->lock);
		if (!msyncfs_gate_enter(sbi)) {
			msyncfs_discard_freed(space->sb,
					      msyncfs_group_start(space, f->group),
					      f->bits);
			msyncfs_gate_leave(sbi);
		}
		mutex_lock(&space->lock);
		msyncfs_freed_done(space, f);
		wake_up_all(&space->wait);
	}
	mutex_unlock(&space->lock);
}

/**
 * msyncfs_space_retired - make freed blocks available
 * @sb: filesystem
 * @tid: number of a transaction; its record and the records of all earlier
 *	transactions have been retired
 *
 * With the mount option discard, a worker discards the blocks first.
 *
 * Context: takes space->lock; may sleep.
 */
void msyncfs_space_retired(struct super_block *sb, u64 tid)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	struct msyncfs_freed *f, *next;

	mutex_lock(&space->lock);
	list_for_each_entry_safe(f, next, &space->freed_list, list) {
		if (f->tid > tid)
			break;
		if (MSYNCFS_SB(sb)->options.discard)
			msyncfs_discard_later(space, f);
		else
			msyncfs_freed_done(space, f);
	}
	if (!list_empty(&space->discard_list))
		queue_work(MSYNCFS_SB(sb)->wq, &space->discard_work);
	mutex_unlock(&space->lock);
	wake_up_all(&space->wait);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_space_retired);

/**
 * msyncfs_space_freed - tell whether a block is free
 * @sb: filesystem
 * @blkno: block
 * @tid: number of a transaction
 *
 * Context: takes space->lock; may sleep and do I/O.
 * Return: true if the block is free after all transactions up to @tid; false if
 * its bitmap block cannot be read.
 */
bool msyncfs_space_freed(struct super_block *sb, u64 blkno, u64 tid)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	struct msyncfs_group_run run;
	struct msyncfs_freed *f;
	bool freed;

	mutex_lock(&space->lock);
	msyncfs_group_of(space, blkno, 1, &run);
	freed = !msyncfs_group_load(space, run.group) &&
		!test_bit_le(run.bit, msyncfs_group_bits(run.group));
	list_for_each_entry(f, &space->freed_list, list)
		if (f->tid > tid && f->group == run.group &&
		    test_bit(run.bit, f->bits))
			freed = false;
	mutex_unlock(&space->lock);
	return freed;
}

/**
 * msyncfs_load_bitmaps - read the bitmap blocks of a range of blocks
 * @sb: filesystem
 * @start: first block, in the data area
 * @len: number of blocks, at least 1
 *
 * So an operation notices early that a bitmap block cannot be read. Memory
 * reclaim may drop the blocks again.
 *
 * Context: takes space->lock; may sleep and do I/O.
 * Return: 0, -EIO, -EUCLEAN (logged).
 */
int msyncfs_load_bitmaps(struct super_block *sb, u64 start, u64 len)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	struct msyncfs_group_run run;
	int err = 0;

	mutex_lock(&space->lock);
	for (; len && !err; start += run.len, len -= run.len) {
		msyncfs_group_of(space, start, len, &run);
		err = msyncfs_group_load(space, run.group);
	}
	mutex_unlock(&space->lock);
	return err;
}

/**
 * msyncfs_withhold - make free blocks busy for a while
 * @sb: filesystem
 * @first: first block to look at
 * @end: block behind the last one to look at
 * @least: shortest run wanted, in blocks, at least 1
 * @most: largest number of blocks to take, at least @least and twice @granule
 * @granule: the device discards only whole granules of so many blocks
 * @start: set to the first block taken; or, if *@len is 0, to the block from
 *	which the caller goes on
 * @len: set to the number of blocks taken; 0 if the group of @first has no such
 *	run in the range
 *
 * The function takes no block that an operation holds, and at most half of the
 * other free blocks. The blocks count as freed until msyncfs_give_back(). A run
 * that is longer than @most ends at a multiple of @granule.
 *
 * Context: takes space->lock; may sleep and read a bitmap block.
 * Return: 0, -EIO, -EUCLEAN (logged).
 */
int msyncfs_withhold(struct super_block *sb, u64 first, u64 end, u64 least,
		     u64 most, u64 granule, u64 *start, u64 *len)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	struct msyncfs_group_run run, got = {};
	unsigned int stop;
	int err = 0;

	mutex_lock(&space->lock);
	msyncfs_group_of(space, first, end - first, &run);
	*start = first + run.len;
	*len = 0;
	stop = run.bit + run.len;
	if (!run.group->free || space->free <= space->held)
		goto out;
	err = msyncfs_group_load(space, run.group);
	if (err)
		goto out;
	if (!msyncfs_search_group(run.group, run.bit, stop, least, &got))
		goto out;
	got.len = msyncfs_next_used(got.group, got.bit,
				    min(stop, got.bit + most)) - got.bit;
	*start = msyncfs_group_start(space, got.group) + got.bit;
	if (got.len == most)
		got.len -= (*start + got.len) % granule;
	got.len = min(got.len, DIV_ROUND_UP(space->free - space->held, 2));
	msyncfs_set_busy(&got);
	got.group->free -= got.len;
	space->free -= got.len;
	space->freed += got.len;
	*len = got.len;
out:
	mutex_unlock(&space->lock);
	return err;
}

/**
 * msyncfs_give_back - make blocks available again
 * @sb: filesystem
 * @start: first block
 * @len: number of blocks, all from one call of msyncfs_withhold()
 *
 * Context: takes space->lock; may sleep.
 */
void msyncfs_give_back(struct super_block *sb, u64 start, u64 len)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	struct msyncfs_group_run run;

	mutex_lock(&space->lock);
	msyncfs_group_of(space, start, len, &run);
	if (msyncfs_make_available(space, &run))
		msyncfs_subtract(&space->freed, run.len);
	mutex_unlock(&space->lock);
	wake_up_all(&space->wait);
}
