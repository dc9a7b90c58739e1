// SPDX-License-Identifier: GPL-2.0
/*
 * The tail slots: where the next recovery begins (R6).
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/timekeeping.h>

#include "txn.h"

static int write_slot_page(struct super_block *sb, struct page *page,
			   u64 counter)
{
	struct block_device *bdev = sb->s_bdev;
	u64 blkno = MSYNCFS_SLOT_BLKNO + counter % MSYNCFS_NR_SLOTS;
	struct bio *bio;
	int err;

	/*
	 * Where FUA is not the device's own, the block layer would flush, and
	 * not say whether it was that or the write that failed.
	 */
	bio = bio_alloc(bdev, 1, REQ_OP_WRITE | REQ_SYNC | REQ_META |
			(bdev_fua(bdev) ? REQ_FUA : 0), GFP_NOFS);
	bio->bi_iter.bi_sector = (sector_t)blkno << (MSYNCFS_BLOCK_SHIFT -
						     SECTOR_SHIFT);
	/* One sector, so that the write of it is atomic. */
	__bio_add_page(bio, page, bdev_logical_block_size(bdev), 0);
	err = submit_bio_wait(bio);
	bio_put(bio);
	if (err || bdev_fua(bdev))
		return err;
	return msyncfs_flush(sb);
}

/**
 * msyncfs_write_slot() - make the tail of the log durable
 * @sb: filesystem; nonce, tail_seq and tail_pos of its sb_info are written
 *
 * Writes the slot that is not in force. What the new tail relies on, the home
 * blocks of every record before it, must be durable already (R6). Counts
 * slot_counter up on success only: after a failure the content of that slot is
 * unknown, and the next attempt must go to the same one.
 *
 * Context: process context, may sleep; serialised by the caller
 * (checkpoint_mutex, or recovery, which is alone). Allocates with GFP_NOFS.
 * Return: 0 when the slot is durable, else a negative errno.
 */
int msyncfs_write_slot(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 counter = sbi->slot_counter + 1;
	struct msyncfs_disk_slot *slot;
	struct page *page;
	int err;

	page = alloc_page(GFP_NOFS | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	slot = page_address(page);
	slot->counter = cpu_to_le64(counter);
	slot->nonce = cpu_to_le64(sbi->nonce);
	slot->tail_seq = cpu_to_le64(sbi->tail_seq);
	/* A tail at the very end of the log is one at its start. */
	slot->tail_pos = cpu_to_le64(sbi->tail_pos < sbi->geo.log_blocks ?
				     sbi->tail_pos : 0);
	slot->time = cpu_to_le64(ktime_get_real_seconds());
	msyncfs_seal_slot(&sbi->geo, slot);

	err = write_slot_page(sb, page, counter);
	if (err)
		msyncfs_err(sb, "cannot write the log tail to block %llu: error %d",
			    MSYNCFS_SLOT_BLKNO + counter % MSYNCFS_NR_SLOTS,
			    err);
	else
		sbi->slot_counter = counter;
	__free_page(page);
	return err;
}

/* Makes the next replay start with record @seq, at @pos. */
int msyncfs_move_tail(struct msyncfs_sb_info *sbi, u64 seq, u64 pos)
{
	u64 old_seq = sbi->tail_seq, old_pos = sbi->tail_pos;
	int err;

	sbi->tail_seq = seq;
	sbi->tail_pos = pos;
	err = msyncfs_write_slot(sbi->sb);
	if (err) {
		sbi->tail_seq = old_seq;
		sbi->tail_pos = old_pos;
	}
	return err;
}
