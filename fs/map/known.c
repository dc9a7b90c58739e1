// SPDX-License-Identifier: GPL-2.0
/*
 * This file keeps the known runs of a file: a few runs of written blocks that
 * lookups have found in the map. A lookup whose pages all lie in a known run
 * need not walk through the nodes of the map.
 *
 * A known run equals the map at any time. A task that holds i_map_sem shared
 * adds runs, and a task that holds i_map_sem exclusively forgets all runs before
 * it changes a pointer. Readers need no lock except the seqlock. A lookup
 * without i_map_sem may return a run just before a task changes the map, but a
 * lookup with i_map_sem may do so, too.
 *
 * Holes and unwritten blocks are never known. Only pointers that have passed the
 * checks of a lookup become a known run.
 */
#include <kunit/visibility.h>

#include "node.h"

/* Finds the known run that contains @index. */
static struct msyncfs_known_run msyncfs_known_get(const struct msyncfs_known *k,
						  u64 index)
{
	unsigned int i;

	for (i = 0; i < MSYNCFS_KNOWN_RUNS - 1; i++)
		if (index - k->run[i].index < k->run[i].len)
			break;
	return k->run[i];
}

/**
 * msyncfs_known_find - look up a range in the known runs
 * @inode: regular file or directory
 * @index: first index
 * @max: number of indexes
 * @ext: set to the blocks of the range if the function returns true
 *
 * Context: any.
 * Return: true if a known run contains the whole range.
 */
bool msyncfs_known_find(struct inode *inode, u64 index, u64 max,
			struct msyncfs_extent *ext)
{
	struct msyncfs_known *known = &MSYNCFS_I(inode)->i_known;
	struct msyncfs_known_run run;
	unsigned int seq;
	u64 nth;

	/*
	 * The caller may have found an empty overlay, because a commit has
	 * changed the map and then emptied the overlay. Then this function must
	 * not find runs that the commit forgot before.
	 */
	smp_rmb();
	do {
		seq = read_seqbegin(&known->lock);
		run = msyncfs_known_get(known, index);
	} while (read_seqretry(&known->lock, seq));

	nth = index - run.index;
	if (nth >= run.len || max - 1 >= run.len - nth)
		return false;
	ext->index = index;
	ext->len = max;
	ext->blkno = run.blkno + nth;
	ext->unwritten = false;
	return true;
}

/* Adds @from to @run if both are parts of one run. */
static bool msyncfs_known_join(struct msyncfs_known_run *run,
			       const struct msyncfs_known_run *from)
{
	u64 end = run->index + run->len, from_end = from->index + from->len;

	if (run->blkno - run->index != from->blkno - from->index ||
	    run->index > from_end || from->index > end)
		return false;
	run->index = min(run->index, from->index);
	run->blkno = min(run->blkno, from->blkno);
	run->len = max(end, from_end) - run->index;
	return true;
}

/**
 * msyncfs_known_add - add a run to the known runs
 * @inode: regular file or directory
 * @index: first index
 * @len: number of indexes
 * @blkno: first block; all blocks of the run are written blocks in the data
 *	area
 *
 * If there is no room, the new run replaces the shortest one.
 *
 * Context: caller holds i_map_sem; takes a spinlock.
 */
void msyncfs_known_add(struct inode *inode, u64 index, u64 len, u64 blkno)
{
	struct msyncfs_known *known = &MSYNCFS_I(inode)->i_known;
	struct msyncfs_known_run new = { index, len, blkno };
	struct msyncfs_known_run *run, *least = known->run;

	write_seqlock(&known->lock);
	for (run = known->run; run < known->run + MSYNCFS_KNOWN_RUNS; run++) {
		if (run->len && msyncfs_known_join(&new, run))
			run->len = 0;
		if (run->len < least->len)
			least = run;
	}
	*least = new;
	write_sequnlock(&known->lock);
}

/**
 * msyncfs_known_forget - forget all known runs
 * @inode: inode of any type
 *
 * A function that changes pointers of a map calls this function first.
 *
 * Context: caller holds i_map_sem exclusively, or has the inode to itself; takes
 * a spinlock.
 */
void msyncfs_known_forget(struct inode *inode)
{
	struct msyncfs_known *known = &MSYNCFS_I(inode)->i_known;

	write_seqlock(&known->lock);
	memset(known->run, 0, sizeof(known->run));
	write_sequnlock(&known->lock);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_known_forget);
