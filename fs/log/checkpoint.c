// SPDX-License-Identifier: GPL-2.0
/*
 * From the log to the home blocks: keeps the index of images that are durable
 * but not yet home, writes them home in the background and moves the tail of
 * the log. It never decides what a record holds.
 */

/**
 * DOC: one checkpoint
 *
 * SNAPSHOT	the newest durable record is the target
 * HOME		the newest image of every block in the index is written home, in
 *		block order (B1: from the copies, after their record is durable)
 * FLUSH	they are durable at home
 * TAIL		one tail slot says that replay starts after the target (R6)
 * RETIRED	only now are log space, freed blocks and the images given back
 *
 * A crash before TAIL replays records whose images are home already, in part or
 * all: replay writes the same blocks again. After TAIL it does not need them.
 * An error at HOME or TAIL leaves everything as it was and is tried again with
 * the next checkpoint; an error at FLUSH is final (R5).
 */
#include <kunit/visibility.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "fs/disk/trace.h"
#include "txn.h"

/* Images that are collected at a time. */
#define MSYNCFS_CHECKPOINT_BATCH	512

/* Writes every image in the index home; the ones written are put on @done. */
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

/* Log space, images and freed blocks up to @tid are free for reuse. */
static void msyncfs_retire(struct msyncfs_log *log, struct xarray *done,
			   u64 tid)
{
	struct msyncfs_image *img;
	unsigned long home;

	xa_for_each(done, home, img) {
		/*
		 * An image of a record that became durable meanwhile is home,
		 * too, but a crash would replay it. It must stay visible (B2).
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
 * msyncfs_checkpoint - bring every durable image home and empty the log
 * @sb: filesystem
 *
 * Records that become durable meanwhile stay in the log.
 *
 * Context: sleeps for the device; may be called under commit_mutex, with no
 * handle open and no folio lock or mmap_lock held.
 * Return: 0, or the error of the device; nothing is lost then.
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
 * @work: in the log
 */
void msyncfs_checkpoint_work(struct work_struct *work)
{
	msyncfs_checkpoint_background(container_of(work, struct msyncfs_log,
						   checkpoint_work));
}

/**
 * msyncfs_checkpoint_timer - work function of log->checkpoint_timer
 * @work: in the log
 */
void msyncfs_checkpoint_timer(struct work_struct *work)
{
	msyncfs_checkpoint_background(container_of(to_delayed_work(work),
						   struct msyncfs_log,
						   checkpoint_timer));
}

/**
 * msyncfs_checkpoint_pause - stop the checkpoint in the background, or resume it
 * @sbi: filesystem
 * @pause: stop it
 *
 * A commit that finds the log full still makes a checkpoint.
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
