// SPDX-License-Identifier: GPL-2.0
/*
 * A checkpoint writes the durable images of the index (image.c) to their home
 * blocks. Then it moves the tail of the log (tail.c). commit.c writes the
 * records that contain the images.
 */

/**
 * DOC: one step of a checkpoint
 *
 * CHOOSE	the oldest records are chosen, up to a limited part of the log
 * HOME		those of their images that no newer durable image has replaced
 *		are written home, in block order. The checkpoint writes the
 *		copies, never live memory, and only after their records are
 *		durable (B1)
 * FLUSH	a flush makes the images durable at home; if no image was written
 *		home, there is no flush
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
 * A step frees at most this part of the log, unless it has a single record. If a
 * step were larger, a commit that finds the log full would wait longer. If it
 * were smaller, there would be more flushes.
 */
#define MSYNCFS_STEP_SHARE	16

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
 * Return the largest number of writes that the checkpoint has under way. Half of
 * the requests of the device stay free. Otherwise the record of a commit would
 * wait for a request.
 */
static unsigned int msyncfs_home_writes(struct super_block *sb)
{
	return max(bdev_get_queue(sb->s_bdev)->nr_requests / 2, 1UL);
}

/*
 * Write the next images of a step to their home blocks, at most @max, and wait.
 * An image that was replaced since it was collected is left out: recovery finds
 * the newer image in a later record.
 */
static int msyncfs_step_write(struct super_block *sb, struct msyncfs_step *step,
			      unsigned int max)
{
	struct msyncfs_image **batch = step->batch + step->done;
	unsigned int i, writes = msyncfs_home_writes(sb);
	unsigned int nr = min(max, step->nr - step->done);
	struct msyncfs_io io;
	struct blk_plug plug;
	int err;

	msyncfs_io_init(&io, sb, false);
	io.opf |= REQ_META;
	blk_start_plug(&plug);
	for (i = 0; i < nr; i++) {
		if (hlist_bl_unhashed(&batch[i]->hash))
			continue;
		if (batch[i]->home != io.next) {
			if (!writes--)
				break;
			io.vecs = msyncfs_home_run(batch, nr, i);
		}
		msyncfs_io_add(&io, batch[i]->home, batch[i]->page);
		step->flush = true;
	}
	step->done += i;
	msyncfs_io_submit(&io, 0);
	blk_finish_plug(&plug);
	err = msyncfs_io_wait(&io, 0);
	if (err)
		msyncfs_err(sb, "checkpoint: home blocks %llu+%u: write failed (%d)",
			    io.bad, io.bad_nr, err);
	return err;
}

/*
 * Retire the records of a step, up to transaction @tid. The records end at block
 * @end of the log. All images of the step are written or replaced.
 */
static int msyncfs_step_end(struct msyncfs_log *log, u64 tid, u64 end)
{
	struct msyncfs_step *step = &log->step;
	struct super_block *sb = log->sbi->sb;
	int err;

	/* If newer images have replaced all images, nothing was written. */
	err = (step->flush ? msyncfs_flush(sb) : msyncfs_flush_failed(sb, 0)) ?:
	      msyncfs_move_tail(log, step->last->seq + 1, end) ?:
	      msyncfs_flush_failed(sb, 0);
	if (err)
		return err;
	msyncfs_index_remove(log, step->batch, step->nr);
	msyncfs_index_retire(log, tid);
	WRITE_ONCE(log->home_tid, tid);
	log->hooks->retired(sb, tid);
	log->nr_checkpoints++;
	return 0;
}

/* Choose the oldest records. Return false if there is no record. */
static bool msyncfs_step_begin(struct msyncfs_log *log)
{
	u64 max = log->sbi->geo.log_blocks / MSYNCFS_STEP_SHARE;
	struct msyncfs_step *step = &log->step;
	unsigned int nr;

	step->last = msyncfs_index_oldest(&log->index, max, &nr);
	if (!step->last)
		return false;
	step->batch = kvmalloc_array(nr, sizeof(*step->batch),
				     GFP_NOFS | __GFP_NOFAIL);
	step->nr = msyncfs_index_collect(&log->index, step->last, step->batch);
	step->done = 0;
	step->flush = false;
	sort(step->batch, step->nr, sizeof(*step->batch), msyncfs_home_cmp,
	     NULL);
	return true;
}

/**
 * msyncfs_step_drop - forget the step that is under way
 * @log: log of the mount
 *
 * Context: under checkpoint_mutex, or nothing runs in the background; may sleep.
 */
void msyncfs_step_drop(struct msyncfs_log *log)
{
	struct msyncfs_step *step = &log->step;
	unsigned int i;

	if (!step->last)
		return;
	for (i = 0; i < step->nr; i++)
		msyncfs_image_put(step->batch[i]);
	kvfree(step->batch);
	step->last = NULL;
}

/*
 * Go on with the step under way, or begin a step, and write at most @max images
 * home. If no image of the step is left, end the step. The caller holds
 * checkpoint_mutex.
 */
static int msyncfs_step_go_on(struct msyncfs_log *log, unsigned int max)
{
	struct msyncfs_step *step = &log->step;
	unsigned int before;
	u64 tid, end;
	int err = 0;

	if (!step->last && !msyncfs_step_begin(log))
		return 0;
	while (!err && max && step->done < step->nr) {
		before = step->done;
		err = msyncfs_step_write(log->sbi->sb, step, max);
		max -= step->done - before;
	}
	if (!err && step->done < step->nr)
		return 0;
	tid = step->last->tid;
	end = step->last->pos + msyncfs_record_blocks(step->last);
	if (!err)
		err = msyncfs_step_end(log, tid, end);
	trace_msyncfs_checkpoint(log->sbi->sb, tid, end, err);
	msyncfs_step_drop(log);
	return err;
}

/*
 * Write at most @max images of the oldest records home. If no image of the step
 * is left, retire the records. The caller has passed the gate.
 */
static int msyncfs_checkpoint_some(struct msyncfs_log *log, unsigned int max)
{
	unsigned int nofs = memalloc_nofs_save();
	int err;

	mutex_lock(&log->checkpoint_mutex);
	err = msyncfs_step_go_on(log, max);
	mutex_unlock(&log->checkpoint_mutex);
	memalloc_nofs_restore(nofs);
	return err;
}

/**
 * msyncfs_checkpoint_step - bring the oldest records home and retire them
 * @log: log of the mount
 *
 * Context: sleeps for the device; may be called under commit_mutex. The caller
 * has passed the gate, and holds no handle, folio lock or mmap_lock.
 * Return: 0 or a negative errno. After an error, all images are still in the
 * index.
 */
int msyncfs_checkpoint_step(struct msyncfs_log *log)
{
	return msyncfs_checkpoint_some(log, UINT_MAX);
}

/* Pass the gate, and write at most @max images home. */
static int msyncfs_checkpoint_pass(struct msyncfs_log *log, unsigned int max)
{
	int err = msyncfs_gate_enter(log->sbi);

	if (err)
		return err;
	err = msyncfs_checkpoint_some(log, max);
	msyncfs_gate_leave(log->sbi);
	return err;
}

/**
 * msyncfs_checkpoint - write all durable images home and retire their records
 * @sb: filesystem
 *
 * Records that become durable during the checkpoint stay in the log.
 *
 * Context: sleeps for the device. The caller holds no handle, folio lock or
 * mmap_lock, and has not passed the gate.
 * Return: 0; the error of a closed gate (msyncfs_gate_enter()), unless there is
 * nothing to write; or another negative errno. After an error, all images are
 * still in the index.
 */
int msyncfs_checkpoint(struct super_block *sb)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	u64 tid = msyncfs_index_newest(&log->index);
	int err = 0;

	while (!err && READ_ONCE(log->home_tid) < tid)
		err = msyncfs_checkpoint_pass(log, UINT_MAX);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_checkpoint);

static bool msyncfs_checkpoint_paused(struct msyncfs_log *log)
{
	return test_bit(MSYNCFS_SB_CKPT_PAUSED, &log->sbi->state);
}

/*
 * Return the number of images to write home after a commit. The number is small,
 * so that no later commit waits for many images. The fuller the log is, the more
 * images are written, so the checkpoint becomes as fast as the commits. If three
 * quarters of the log are in use, bring a whole step home.
 */
static unsigned int msyncfs_checkpoint_share(const struct msyncfs_log *log)
{
	u64 excess = msyncfs_log_excess(log);

	return excess > log->sbi->geo.log_blocks / 8 ? UINT_MAX :
						       1 + excess / 64;
}

/**
 * msyncfs_checkpoint_work - work function of log->checkpoint_work
 * @work: checkpoint_work of a log
 *
 * If more than five eighths of the log are in use, the function goes on with a
 * step. If the system needs memory, the function brings a whole step home.
 *
 * Context: workqueue; may sleep.
 */
void msyncfs_checkpoint_work(struct work_struct *work)
{
	struct msyncfs_log *log = container_of(work, struct msyncfs_log,
					       checkpoint_work);

	if (msyncfs_checkpoint_paused(log))
		return;
	if (xchg(&log->pool.wanted, false))
		msyncfs_checkpoint_pass(log, UINT_MAX);
	if (msyncfs_log_excess(log))
		msyncfs_checkpoint_pass(log, msyncfs_checkpoint_share(log));
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

	/* In a crowded log, some images are written home after each commit. */
	if (msyncfs_log_excess(log) &&
	    ktime_get_ns() - READ_ONCE(log->ended) < NSEC_PER_SEC) {
		queue_delayed_work(log->sbi->wq, &log->checkpoint_timer,
				   MSYNCFS_CHECKPOINT_DELAY);
		return;
	}
	if (!msyncfs_checkpoint_paused(log))
		msyncfs_checkpoint(log->sbi->sb);
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
