// SPDX-License-Identifier: GPL-2.0
/*
 * This file writes the tail slots, which say where the next recovery begins
 * (R6). checkpoint.c and recovery.c decide when the tail moves.
 */
#include <linux/random.h>
#include <linux/timekeeping.h>

#include "txn.h"

static int write_slot_page(struct super_block *sb, struct page *page,
			   u64 counter)
{
	u64 blkno = MSYNCFS_SLOT_BLKNO + counter % MSYNCFS_NR_SLOTS;

	msyncfs_gate_assert(MSYNCFS_SB(sb));
	/*
	 * Do not use FUA. A failed FUA write counts as a failed flush
	 * (msyncfs_io_end()), but a failed write of a slot can be repeated.
	 */
	return msyncfs_sector_io(sb, blkno, page, REQ_OP_WRITE) ?:
	       msyncfs_flush(sb);
}

/**
 * msyncfs_write_slot() - make the tail of the log durable
 * @log: log whose nonce and tail are written
 *
 * The function writes the slot that is not in force. The home blocks of every
 * record before the new tail must be durable already (R6). log->tail.counter
 * grows only on success. After a failure the content of the written slot is
 * unknown, so the next attempt must write the same slot.
 *
 * Context: process context; may sleep. checkpoint_mutex or the mount serialises
 * the calls. Memory is allocated with GFP_NOFS.
 * Return: 0 if the slot is durable, else a negative errno.
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
	/* If the tail is at the end of the log, write position 0 instead. */
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
 * @log: log of the mount
 * @seq: sequence number of the first record to replay
 * @pos: position of that record, in blocks from log_start; may be log_blocks
 *
 * Context: as msyncfs_write_slot().
 * Return: as msyncfs_write_slot(); after an error the tail in memory is
 * unchanged.
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

/**
 * msyncfs_new_nonce - choose the random number of a mount
 *
 * Context: any.
 * Return: the number, which is not 0, because 0 means that the log is closed.
 */
u64 msyncfs_new_nonce(void)
{
	u64 nonce;

	do {
		nonce = get_random_u64();
	} while (!nonce);
	return nonce;
}

/**
 * msyncfs_log_open - let the log of a mount take records
 * @sb: filesystem; its log is empty
 *
 * A new slot has a new nonce. When it is durable, no record in the log has the
 * nonce that is in force. So no later mount can replay a record behind a torn
 * tail. If the log is open already, the function does nothing.
 *
 * Context: a mount, or a remount that makes the filesystem writable and holds the
 * gate exclusively; may sleep.
 * Return: as msyncfs_write_slot(); after an error the log is closed.
 */
int msyncfs_log_open(struct super_block *sb)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	int err;

	if (log->nonce)
		return 0;
	log->nonce = msyncfs_new_nonce();
	mutex_lock(&log->checkpoint_mutex);
	err = msyncfs_write_slot(log);
	mutex_unlock(&log->checkpoint_mutex);
	if (err)
		log->nonce = 0;
	return err;
}

/**
 * msyncfs_log_close - note on disk that the log is empty
 * @log: log of the mount
 *
 * The next mount then does not read the log. If the log has records, or if it
 * was never opened, the function does nothing.
 *
 * Context: unmount, when nothing runs in the background, or a remount read-only
 * that holds the gate exclusively; sleeps for the device.
 * An error has been logged and does no harm: the next mount reads the log.
 */
void msyncfs_log_close(struct msyncfs_log *log)
{
	struct msyncfs_sb_info *sbi = log->sbi;

	if (!log->nonce || log->used || msyncfs_gate_error(sbi) ||
	    bdev_read_only(sbi->sb->s_bdev))
		return;
	log->nonce = 0;
	mutex_lock(&log->checkpoint_mutex);
	msyncfs_write_slot(log);
	mutex_unlock(&log->checkpoint_mutex);
}
