// SPDX-License-Identifier: GPL-2.0
/*
 * A checkpoint writes the durable images of the index (block.c) to their home
 * blocks. Then it moves the tail of the log (tail.c). commit.c writes the
 * records that contain the images.
 */

/**
 * DOC: one checkpoint
 *
 * SNAPSHOT	the newest durable record is the target
 * HOME		the newest image of every block in the index is written home, in
 *		block order. The checkpoint writes the copies, never live
 *		memory, and only after their records are durable (B1)
 * FLUSH	a flush makes the images durable at home
 * TAIL		one tail slot says that replay starts after the target (R6)
 * RETIRE	the log space, the images and the freed blocks of all records up
 *		to the target can be used again
 *
 * If a crash comes before TAIL is complete, recovery replays the records up to
 * the target. Some or all images of these records are home already. Recovery
 * writes the same images home again, which is harmless. After TAIL, recovery
 * does not need these records.
 *
 * If a write fails at HOME or TAIL, the log does not change and the next
 * checkpoint repeats all steps. If a flush fails, the filesystem is aborted
 * (R5).
 */
#include <kunit/visibility.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "fs/disk/trace.h"
#include "txn.h"

/* Number of images that are collected at a time. */
#define MSYNCFS_CHECKPOINT_BATCH	512

/*
 * Write every image of the index to its home block. Put each image into @done.
 * The caller drops the reference of @done to each image.
 */
static int msyncfs_write_home(struct msyncfs_log *log,
			      struct xarray *done)
{
	struct msyncfs_image **batch;
	unsigned long from = 0;
	struct msyncfs_io io;
	struct blk_plug plug;
	unsigned int nr, i;
	int err;

	batch = kvmalloc_array(MSYNCFS_CHECKPOINT_BATCH, sizeof(*batch),
			       GFP_NOFS | __GFP_NOFAIL);
	msyncfs_io_init(&io, log->sbi->sb, false);
	blk_start_plug(&plug);
	while ((nr = msyncfs_index_collect(&log->index, &from, batch,
					   MSYNCFS_CHECKPOINT_BATCH))) {
		for (i = 0; i < nr; i++) {
			xa_store(done, batch[i]->home, batch[i],
				 GFP_NOFS | __GFP_NOFAIL);
			msyncfs_io_add(&io, batch[i]->home, batch[i]->page);
		}
		cond_resched();
	}
	blk_finish_plug(&plug);
	kvfree(batch);
	err = msyncfs_io_wait(&io, 0);
	if (err)
		msyncfs_err(log->sbi->sb, "checkpoint: home blocks %llu+%u: write failed (%d)",
			    io.bad, io.bad_nr, err);
	return err;
}

/*
 * Give back the log space, images and freed blocks of all transactions up to
 * @tid.
 */
static void msyncfs_retire(struct msyncfs_log *log, struct xarray *done,
			   u64 tid)
{
	struct msyncfs_image *img;
	unsigned long home;

	xa_for_each(done, home, img) {
		/*
		 * @done may also contain images of records that became durable
		 * after the target. Recovery would still replay these records.
		 * So their images must stay in the index although they are home
		 * (B2).
		 */
		if (img->tid <= tid)
			msyncfs_index_remove(&log->index, img);
	}
	msyncfs_index_retire(log, tid);
	WRITE_ONCE(log->home_tid, tid);
	log->hooks->retired(log->sbi->sb, tid);
	log->nr_checkpoints++;
}

static int msyncfs_checkpoint_locked(struct msyncfs_log *log)
{
	struct super_block *sb = log->sbi->sb;
	struct msyncfs_image *img;
	struct xarray done;
	unsigned long home;
	u64 tid, seq, pos;
	int err;

	if (!msyncfs_index_newest(&log->index, &tid, &seq, &pos))
		return 0;
	if (msyncfs_is_dead(log->sbi))
		return -EIO;

	xa_init(&done);
	err = msyncfs_write_home(log, &done);
	if (!err)
		err = msyncfs_flush(sb);
	if (!err)
		err = msyncfs_move_tail(log, seq, pos);
	if (!err)
		err = msyncfs_flush_failed(sb, 0);
	if (!err)
		msyncfs_retire(log, &done, tid);
	trace_msyncfs_checkpoint(sb, tid, pos, err);
	xa_for_each(&done, home, img)
		msyncfs_image_put(img);
	xa_destroy(&done);
	return err;
}

/**
 * msyncfs_checkpoint - write all durable images home and retire their records
 * @sb: filesystem
 *
 * Records that become durable during the checkpoint stay in the log.
 *
 * Context: sleeps for the device; may be called under commit_mutex. The caller
 * holds no handle, folio lock or mmap_lock.
 * Return: 0 or a negative errno. After an error, all images are still in the
 * index.
 */
int msyncfs_checkpoint(struct super_block *sb)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	unsigned int nofs = memalloc_nofs_save();
	int err;

	mutex_lock(&log->checkpoint_mutex);
	err = msyncfs_checkpoint_locked(log);
	mutex_unlock(&log->checkpoint_mutex);
	memalloc_nofs_restore(nofs);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_checkpoint);

static void msyncfs_checkpoint_background(struct msyncfs_log *log)
{
	if (!test_bit(MSYNCFS_SB_CKPT_PAUSED, &log->sbi->state))
		msyncfs_checkpoint(log->sbi->sb);
}

/**
 * msyncfs_checkpoint_work - work function of log->checkpoint_work
 * @work: checkpoint_work of a log
 *
 * Context: workqueue; may sleep.
 */
void msyncfs_checkpoint_work(struct work_struct *work)
{
	msyncfs_checkpoint_background(container_of(work, struct msyncfs_log,
						   checkpoint_work));
}

/**
 * msyncfs_checkpoint_timer - work function of log->checkpoint_timer
 * @work: checkpoint_timer of a log
 *
 * Context: workqueue; may sleep.
 */
void msyncfs_checkpoint_timer(struct work_struct *work)
{
	msyncfs_checkpoint_background(container_of(to_delayed_work(work),
						   struct msyncfs_log,
						   checkpoint_timer));
}

/**
 * msyncfs_checkpoint_pause - stop or resume the checkpoint in the background
 * @sbi: filesystem
 * @pause: true to stop it, false to resume it
 *
 * A commit that finds no room in the log runs a checkpoint even while the
 * background checkpoint is stopped.
 *
 * Context: any that may take a spinlock.
 */
void msyncfs_checkpoint_pause(struct msyncfs_sb_info *sbi, bool pause)
{
	if (pause) {
		set_bit(MSYNCFS_SB_CKPT_PAUSED, &sbi->state);
	} else {
		clear_bit(MSYNCFS_SB_CKPT_PAUSED, &sbi->state);
		mod_delayed_work(sbi->wq, &sbi->log->checkpoint_timer, 0);
	}
}
