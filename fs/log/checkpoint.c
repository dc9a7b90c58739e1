// SPDX-License-Identifier: GPL-2.0
/*
 * A checkpoint writes the durable images of the index (image.c) to their home
 * blocks. Then it moves the tail of the log (tail.c). commit.c writes the
 * records that contain the images.
 */

/**
 * DOC: one step of a checkpoint
 *
 * CHOOSE	the oldest records are chosen, up to a limited number of images
 * HOME		those of their images that no newer durable image has replaced
 *		are written home, in block order. The checkpoint writes the
 *		copies, never live memory, and only after their records are
 *		durable (B1)
 * FLUSH	a flush makes the images durable at home
 * TAIL		one tail slot says that replay starts after the chosen records
 *		(R6)
 * RETIRE	the log space, the images and the freed blocks of the chosen
 *		records can be used again
 *
 * If a crash comes before TAIL is complete, recovery replays the chosen
 * records. Some or all of their images are home already. Recovery writes the
 * same images home again, which is harmless. After TAIL, recovery does not need
 * these records.
 *
 * If a write fails at HOME or TAIL, the log does not change and the next step
 * chooses the same records. If a flush fails, the filesystem is aborted (R5).
 */
#include <kunit/visibility.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "fs/disk/trace.h"
#include "txn.h"

/*
 * A step writes about this part of the log. If a step were larger, a commit
 * that finds the log full would wait longer. If it were smaller, there would be
 * more flushes.
 */
#define MSYNCFS_STEP_SHARE	8

static int msyncfs_home_cmp(const void *a, const void *b)
{
	const struct msyncfs_image *x = *(const struct msyncfs_image **)a;
	const struct msyncfs_image *y = *(const struct msyncfs_image **)b;

	return x->home < y->home ? -1 : x->home > y->home;
}

/* Count the images from @i on whose home blocks are consecutive. */
static unsigned int msyncfs_home_run(struct msyncfs_image **batch,
				     unsigned int nr, unsigned int i)
{
	unsigned int run = 1;

	while (run < BIO_MAX_VECS && i + run < nr &&
	       batch[i + run]->home == batch[i]->home + run)
		run++;
	return run;
}

/*
 * Write images to their home blocks. An image that was replaced since it was
 * collected is left out: recovery finds the newer image in a later record.
 */
static int msyncfs_write_home(struct super_block *sb,
			      struct msyncfs_image **batch, unsigned int nr)
{
	struct msyncfs_io io;
	struct blk_plug plug;
	unsigned int i;
	int err;

	sort(batch, nr, sizeof(*batch), msyncfs_home_cmp, NULL);
	msyncfs_io_init(&io, sb, false);
	io.opf |= REQ_META;
	blk_start_plug(&plug);
	for (i = 0; i < nr; i++) {
		if (hlist_bl_unhashed(&batch[i]->hash))
			continue;
		if (batch[i]->home != io.next)
			io.vecs = msyncfs_home_run(batch, nr, i);
		msyncfs_io_add(&io, batch[i]->home, batch[i]->page);
	}
	msyncfs_io_submit(&io, 0);
	blk_finish_plug(&plug);
	err = msyncfs_io_wait(&io, 0);
	if (err)
		msyncfs_err(sb, "checkpoint: home blocks %llu+%u: write failed (%d)",
			    io.bad, io.bad_nr, err);
	return err;
}

/* Bring home all records up to @last. @batch contains their images. */
static int msyncfs_bring_home(struct msyncfs_log *log,
			      const struct msyncfs_txn *last,
			      struct msyncfs_image **batch, unsigned int nr)
{
	u64 tid = last->tid, end = last->pos + msyncfs_record_blocks(last);
	struct super_block *sb = log->sbi->sb;
	int err;

	err = msyncfs_write_home(sb, batch, nr) ?: msyncfs_flush(sb) ?:
	      msyncfs_move_tail(log, last->seq + 1, end) ?:
	      msyncfs_flush_failed(sb, 0);
	trace_msyncfs_checkpoint(sb, tid, end, err);
	if (err)
		return err;
	msyncfs_index_remove(log, batch, nr);
	msyncfs_index_retire(log, tid);
	WRITE_ONCE(log->home_tid, tid);
	log->hooks->retired(sb, tid);
	log->nr_checkpoints++;
	return 0;
}

/* Do one step. The caller holds checkpoint_mutex. */
static int msyncfs_step(struct msyncfs_log *log)
{
	unsigned int max = log->sbi->geo.log_blocks / MSYNCFS_STEP_SHARE;
	struct msyncfs_image **batch;
	struct msyncfs_txn *last;
	unsigned int nr, i;
	int err;

	last = msyncfs_index_oldest(&log->index, max, &nr);
	if (!last)
		return 0;
	if (msyncfs_is_dead(log->sbi))
		return -EIO;
	batch = kvmalloc_array(nr, sizeof(*batch), GFP_NOFS | __GFP_NOFAIL);
	nr = msyncfs_index_collect(&log->index, last, batch);
	err = msyncfs_bring_home(log, last, batch, nr);
	for (i = 0; i < nr; i++)
		msyncfs_image_put(batch[i]);
	kvfree(batch);
	return err;
}

/**
 * msyncfs_checkpoint_step - bring the oldest records home and retire them
 * @log: log of the mount
 *
 * Context: sleeps for the device; may be called under commit_mutex. The caller
 * holds no handle, folio lock or mmap_lock.
 * Return: 0 or a negative errno. After an error, all images are still in the
 * index.
 */
int msyncfs_checkpoint_step(struct msyncfs_log *log)
{
	unsigned int nofs = memalloc_nofs_save();
	int err;

	mutex_lock(&log->checkpoint_mutex);
	err = msyncfs_step(log);
	mutex_unlock(&log->checkpoint_mutex);
	memalloc_nofs_restore(nofs);
	return err;
}

/**
 * msyncfs_checkpoint - write all durable images home and retire their records
 * @sb: filesystem
 *
 * Records that become durable during the checkpoint stay in the log.
 *
 * Context: as msyncfs_checkpoint_step().
 * Return: as msyncfs_checkpoint_step().
 */
int msyncfs_checkpoint(struct super_block *sb)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	u64 tid = msyncfs_index_newest(&log->index);
	int err = 0;

	while (!err && READ_ONCE(log->home_tid) < tid)
		err = msyncfs_checkpoint_step(log);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_checkpoint);

static bool msyncfs_checkpoint_paused(struct msyncfs_log *log)
{
	return test_bit(MSYNCFS_SB_CKPT_PAUSED, &log->sbi->state);
}

/**
 * msyncfs_checkpoint_work - work function of log->checkpoint_work
 * @work: checkpoint_work of a log
 *
 * The function makes half of the log free. The newest records stay in the log,
 * because newer images may soon replace their images. If the system needs
 * memory, the function also brings the oldest records home.
 *
 * Context: workqueue; may sleep.
 */
void msyncfs_checkpoint_work(struct work_struct *work)
{
	struct msyncfs_log *log = container_of(work, struct msyncfs_log,
					       checkpoint_work);

	while (xchg(&log->pool.wanted, false) ||
	       READ_ONCE(log->used) > log->sbi->geo.log_blocks / 2)
		if (msyncfs_checkpoint_paused(log) ||
		    msyncfs_checkpoint_step(log))
			break;
}

/**
 * msyncfs_checkpoint_timer - work function of log->checkpoint_timer
 * @work: checkpoint_timer of a log
 *
 * Context: workqueue; may sleep.
 */
void msyncfs_checkpoint_timer(struct work_struct *work)
{
	struct msyncfs_log *log = container_of(to_delayed_work(work),
					       struct msyncfs_log,
					       checkpoint_timer);

	if (!msyncfs_checkpoint_paused(log))
		msyncfs_checkpoint(log->sbi->sb);
	/* Nothing was committed for a while. */
	msyncfs_pool_shrink(log, ULONG_MAX);
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
