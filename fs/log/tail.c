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
 * @log: its nonce and tail are written
 *
 * Writes the slot that is not in force. What the new tail relies on, the home
 * blocks of every record before it, must be durable already (R6). Counts
 * tail.counter up on success only: after a failure the content of that slot is
 * unknown, and the next attempt must go to the same one.
 *
 * Context: process context, may sleep; serialised by the caller
 * (checkpoint_mutex, or recovery, which is alone). Allocates with GFP_NOFS.
 * Return: 0 when the slot is durable, else a negative errno.
 */
int msyncfs_write_slot(struct msyncfs_log *log)
{
	struct super_block *sb = log->sbi->sb;
	u64 counter = log->tail.counter + 1;
	struct msyncfs_disk_slot *slot;
	struct page *page;
	int err;

	page = alloc_page(GFP_NOFS | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	slot = page_address(page);
	slot->counter = cpu_to_le64(counter);
	slot->nonce = cpu_to_le64(log->nonce);
	slot->tail_seq = cpu_to_le64(log->tail.seq);
	/* A tail at the very end of the log is one at its start. */
	slot->tail_pos = cpu_to_le64(log->tail.pos < log->sbi->geo.log_blocks ?
				     log->tail.pos : 0);
	slot->time = cpu_to_le64(ktime_get_real_seconds());
	msyncfs_seal_slot(&log->sbi->geo, slot);

	err = write_slot_page(sb, page, counter);
	if (err)
		msyncfs_err(sb, "cannot write the log tail to block %llu: error %d",
			    MSYNCFS_SLOT_BLKNO + counter % MSYNCFS_NR_SLOTS,
			    err);
	else
		log->tail.counter = counter;
	__free_page(page);
	return err;
}

/**
 * msyncfs_move_tail - make the next recovery start later in the log
 * @log: of the mount
 * @seq: sequence number of the first record to replay
 * @pos: its position
 *
 * Context: as msyncfs_write_slot().
 * Return: as msyncfs_write_slot(); after an error the tail is where it was.
 */
int msyncfs_move_tail(struct msyncfs_log *log, u64 seq, u64 pos)
{
	u64 old_seq = log->tail.seq, old_pos = log->tail.pos;
	int err;

	log->tail.seq = seq;
	log->tail.pos = pos;
	err = msyncfs_write_slot(log);
	if (err) {
		log->tail.seq = old_seq;
		log->tail.pos = old_pos;
	}
	return err;
}
