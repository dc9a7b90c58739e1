// SPDX-License-Identifier: GPL-2.0
/*
 * This file tells the device which blocks are free, so that a thin volume or an
 * SSD can use them otherwise. FITRIM discards free blocks on request. With the
 * mount option discard, a worker of alloc.c calls this file before freed blocks
 * become available (B3). Then no replay needs them.
 *
 * Blocks are busy while the device discards them. So nobody can allocate them,
 * and no write can overtake the discard. They count as freed: a task that needs
 * them waits in msyncfs_hold() and does not get -ENOSPC.
 */
#include <kunit/visibility.h>
#include <linux/blkdev.h>
#include <linux/freezer.h>
#include <linux/sched/signal.h>

#include "alloc.h"

/* FITRIM takes at most 32 MiB at a time away from those who allocate. */
#define MSYNCFS_TRIM_MAX	8192

static void msyncfs_discard(struct super_block *sb, u64 start, u64 len,
			    struct bio **bio)
{
	unsigned int shift = MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT;

	__blkdev_issue_discard(sb->s_bdev, (sector_t)start << shift,
			       (sector_t)len << shift, GFP_NOFS, bio);
}

/* Waits for the chain of bios that msyncfs_discard() has begun. */
static int msyncfs_discard_wait(struct bio *bio)
{
	int err;

	if (!bio)
		return 0;
	err = submit_bio_wait(bio);
	bio_put(bio);
	/* A part of a device may be unable to discard. */
	return err == -EOPNOTSUPP ? 0 : err;
}

/**
 * msyncfs_discard_freed - discard blocks that become available
 * @sb: filesystem
 * @start: first block of the group
 * @bits: one bit for each block of the group; the blocks to discard are busy
 *
 * Blocks that the device cannot discard become available, too. So this function
 * returns no error.
 *
 * Context: passed the gate; sleeps for the device.
 */
void msyncfs_discard_freed(struct super_block *sb, u64 start,
			   const unsigned long *bits)
{
	unsigned long bit, end;
	struct bio *bio = NULL;
	struct blk_plug plug;

	if (!bdev_max_discard_sectors(sb->s_bdev))
		return;
	blk_start_plug(&plug);
	for_each_set_bitrange(bit, end, bits, MSYNCFS_GROUP_BLOCKS)
		msyncfs_discard(sb, start + bit, end - bit, &bio);
	blk_finish_plug(&plug);
	msyncfs_discard_wait(bio);
}

/*
 * Discards the next run of at least @least free blocks in [*@next, @end), or the
 * first part of it. Adds the number of blocks to *@trimmed. *@next advances
 * behind the run, or to the next group.
 */
static int msyncfs_trim_next(struct super_block *sb, u64 *next, u64 end,
			     u64 least, u64 *trimmed)
{
	u64 granule = max(bdev_discard_granularity(sb->s_bdev) >>
			  MSYNCFS_BLOCK_SHIFT, 1U);
	u64 most = max3(least, (u64)MSYNCFS_TRIM_MAX, 2 * granule);
	struct bio *bio = NULL;
	u64 start, len;
	int err;

	err = msyncfs_gate_enter(MSYNCFS_SB(sb));
	if (err)
		return err;
	err = msyncfs_withhold(sb, *next, end, least, most, granule, &start,
			       &len);
	if (err)
		goto out;
	*next = start + len;
	if (len) {
		msyncfs_discard(sb, start, len, &bio);
		err = msyncfs_discard_wait(bio);
		msyncfs_give_back(sb, start, len);
		if (!err)
			*trimmed += len;
	}
out:
	msyncfs_gate_leave(MSYNCFS_SB(sb));
	return err;
}

/**
 * msyncfs_trim - discard free blocks
 * @sb: filesystem
 * @range: bytes of the device to look at, and the shortest run in bytes; @len is
 *	set to the number of discarded bytes
 *
 * A block that the log may still write home is not free yet. A full filesystem
 * may have promised free blocks to operations under way; they are left out.
 *
 * Context: passes the gate for each run, so a freeze waits only for one run;
 * sleeps for the device.
 * Return: 0; -EOPNOTSUPP if the device cannot discard; -EINVAL for a range
 * outside the filesystem; -ERESTARTSYS after a fatal signal, or if a suspend
 * freezes the task; the error of the gate, of a bitmap block or of the device.
 * @len is set after an error, too, except -EOPNOTSUPP and -EINVAL.
 */
int msyncfs_trim(struct super_block *sb, struct fstrim_range *range)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);
	u64 next = range->start >> MSYNCFS_BLOCK_SHIFT;
	u64 end = space->geo->blocks;
	u64 least = max_t(u64, range->minlen,
			  bdev_discard_granularity(sb->s_bdev));
	u64 trimmed = 0;
	int err = 0;

	if (!bdev_max_discard_sectors(sb->s_bdev))
		return -EOPNOTSUPP;
	if (next >= end || range->len < MSYNCFS_BLOCK_SIZE ||
	    range->minlen >> MSYNCFS_BLOCK_SHIFT > MSYNCFS_GROUP_BLOCKS)
		return -EINVAL;
	end = min(end, next + (range->len >> MSYNCFS_BLOCK_SHIFT));
	least = max(DIV_ROUND_UP_ULL(least, MSYNCFS_BLOCK_SIZE), 1ULL);
	while (next < end && least <= MSYNCFS_GROUP_BLOCKS && !err) {
		err = msyncfs_trim_next(sb, &next, end, least, &trimmed);
		cond_resched();
		if (!err && (fatal_signal_pending(current) ||
			     freezing(current)))
			err = -ERESTARTSYS;
	}
	range->len = trimmed << MSYNCFS_BLOCK_SHIFT;
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_trim);
