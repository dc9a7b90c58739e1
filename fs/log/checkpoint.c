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
 * If an image cannot be written home, it is stuck. A new record carries the
 * stuck images of the chosen records (msyncfs_log_carry()) between HOME and
 * FLUSH. So the chosen records can be retired, and the step that chooses the new
 * record tries to write the images home again.
 *
 * If too many images are stuck, or if a write fails at TAIL, the log does not
 * change and the next step chooses the same records. If a flush fails, the
 * filesystem is aborted (R5).
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
 * Note that the home block of an image cannot be written, unless a durable
 * transaction has freed the block. Nobody will read such a block before it is
 * written again.
 */
static void msyncfs_step_stuck(struct msyncfs_log *log,
			       struct msyncfs_image *img)
{
	img->stuck = !log->hooks->freed(log->sbi->sb, img->home,
					READ_ONCE(log->durable_tid));
	log->step.stuck += img->stuck;
}

/*
 * A write of the images from @first to @end of the batch has failed. Write each
 * of them alone, so that only images whose own block fails are stuck. Return the
 * error if there are too many. Set *@news to false if all blocks that fail have
 * failed before.
 */
static int msyncfs_step_alone(struct msyncfs_log *log, unsigned int first,
			      unsigned int end, bool *news)
{
	struct msyncfs_step *step = &log->step;
	unsigned int known = 0, failed = 0;
	struct msyncfs_image *img;
	struct msyncfs_io io;
	int err = 0;

	for (; first < end && step->stuck <= log->stuck_max; first++) {
		img = step->batch[first];
		if (hlist_bl_unhashed(&img->hash))
			continue;
		msyncfs_io_init(&io, log->sbi->sb, false);
		io.opf |= REQ_META;
		msyncfs_io_add(&io, img->home, img->page);
		if (!msyncfs_io_wait(&io, 0)) {
			img->stuck = false;
			continue;
		}
		err = io.error;
		known += img->stuck;
		failed++;
		msyncfs_step_stuck(log, img);
	}
	*news = !failed || failed > known;
	return step->stuck > log->stuck_max ? err : 0;
}

/*
 * Write the next images of a step to their home blocks, at most @max, and wait.
 * An image that was replaced since it was collected is left out: recovery finds
 * the newer image in a later record.
 */
static int msyncfs_step_write(struct msyncfs_log *log, unsigned int max)
{
	struct super_block *sb = log->sbi->sb;
	struct msyncfs_step *step = &log->step;
	struct msyncfs_image **batch = step->batch + step->done;
	unsigned int i, writes = msyncfs_home_writes(sb);
	unsigned int nr = min(max, step->nr - step->done);
	struct msyncfs_io io;
	struct blk_plug plug;
	bool news;
	int err, ret;

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
	if (!err) {
		while (i--)
			batch[i]->stuck = false;
		return 0;
	}
	ret = msyncfs_step_alone(log, step->done - i, step->done, &news);
	if (news)
		msyncfs_err(sb, "checkpoint: home blocks %llu+%u: write failed (%d)",
			    io.bad, io.bad_nr, err);
	return ret;
}

/* ---- images that cannot be written home ---------------------------------- */

/*
 * Count the durable images of blocks from @first to @last that are stuck. The
 * caller holds checkpoint_mutex, because no record has an image while
 * msyncfs_step_carry() carries it.
 */
static unsigned int msyncfs_count_stuck(struct msyncfs_log *log, u64 first,
					u64 last)
{
	struct msyncfs_index *index = &log->index;
	struct msyncfs_image *img;
	struct msyncfs_txn *txn;
	unsigned int nr = 0;

	mutex_lock(&index->lock);
	list_for_each_entry(txn, &index->records, list)
		list_for_each_entry(img, &txn->images, logged)
			nr += img->stuck && img->home >= first &&
			      img->home <= last;
	mutex_unlock(&index->lock);
	return nr;
}

/**
 * msyncfs_image_stuck - count the images that cannot be written home
 * @sbi: filesystem
 * @first: first home block
 * @last: last home block, inclusive
 *
 * Context: waits for a step of a checkpoint; may sleep.
 * Return: number of durable images of blocks from @first to @last whose last
 * write to the home block has failed.
 */
unsigned int msyncfs_image_stuck(struct msyncfs_sb_info *sbi, u64 first,
				 u64 last)
{
	unsigned int nr;

	mutex_lock(&sbi->log->checkpoint_mutex);
	nr = msyncfs_count_stuck(sbi->log, first, last);
	mutex_unlock(&sbi->log->checkpoint_mutex);
	return nr;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_image_stuck);

/**
 * msyncfs_log_stuck - tell whether the log can be emptied
 * @sb: filesystem
 *
 * Context: waits for a step of a checkpoint; may sleep.
 * Return: -EIO if an image cannot be written home, else 0.
 */
int msyncfs_log_stuck(struct super_block *sb)
{
	return msyncfs_image_stuck(MSYNCFS_SB(sb), 0, U64_MAX) ? -EIO : 0;
}

/*
 * Move the stuck images of the step to @txn. The step then contains only images
 * that are home or replaced.
 */
static void msyncfs_step_split(struct msyncfs_log *log, struct msyncfs_txn *txn)
{
	struct msyncfs_step *step = &log->step;
	unsigned int i, nr = 0;

	mutex_lock(&log->index.lock);
	for (i = 0; i < step->nr; i++) {
		if (!step->batch[i]->stuck ||
		    hlist_bl_unhashed(&step->batch[i]->hash)) {
			step->batch[nr++] = step->batch[i];
			continue;
		}
		list_move_tail(&step->batch[i]->logged, &txn->images);
		txn->nr++;
		msyncfs_image_put(step->batch[i]);
	}
	step->nr = nr;
	step->done = nr;
	mutex_unlock(&log->index.lock);
}

/*
 * Forget the stuck images of the step whose blocks a transaction has freed since
 * the write failed. A record behind the record that frees a block must not have
 * an image of the block (B3). The caller holds commit_mutex, so no transaction
 * becomes durable meanwhile.
 */
static void msyncfs_step_freed(struct msyncfs_log *log)
{
	struct msyncfs_step *step = &log->step;
	unsigned int i;

	for (i = 0; i < step->nr; i++)
		if (step->batch[i]->stuck &&
		    !hlist_bl_unhashed(&step->batch[i]->hash) &&
		    log->hooks->freed(log->sbi->sb, step->batch[i]->home,
				      log->durable_tid))
			step->batch[i]->stuck = false;
}

/*
 * Carry the stuck images of the step to a new record. The new record gets the
 * number of the last durable transaction, because all earlier records can then
 * be retired before it. The caller holds commit_mutex, so no image of the step
 * can be replaced.
 */
static int msyncfs_step_carry(struct msyncfs_log *log)
{
	struct msyncfs_step *step = &log->step;
	struct msyncfs_txn *txn;
	int err = 0;

	lockdep_assert_held(&log->commit_mutex);

	msyncfs_step_freed(log);
	/* A failed record must be written again before any other record (R5). */
	if (log->failed ||
	    msyncfs_count_stuck(log, 0, U64_MAX) > log->stuck_max)
		return -EIO;
	txn = msyncfs_txn_alloc(log->durable_tid);
	msyncfs_step_split(log, txn);
	if (txn->nr) {
		err = msyncfs_log_carry(log, txn);
		if (!err)
			return 0;
		mutex_lock(&log->index.lock);
		list_splice_tail_init(&txn->images, &step->last->images);
		mutex_unlock(&log->index.lock);
	}
	msyncfs_txn_free(log, txn);
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
	u64 seq = step->last->seq;
	int err;

	/* If newer images have replaced all images, nothing was written. */
	err = (step->flush ? msyncfs_flush(sb) : msyncfs_flush_failed(sb, 0)) ?:
	      msyncfs_move_tail(log, seq + 1, end) ?:
	      msyncfs_flush_failed(sb, 0);
	if (err)
		return err;
	msyncfs_index_remove(log, step->batch, step->nr);
	msyncfs_index_retire(log, seq);
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
	step->stuck = 0;
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
 * checkpoint_mutex, and commit_mutex if @commit is true. If @commit is false and
 * images are stuck, return -EAGAIN.
 */
static int msyncfs_step_go_on(struct msyncfs_log *log, unsigned int max,
			      bool commit)
{
	struct msyncfs_step *step = &log->step;
	unsigned int before;
	u64 tid, end;
	int err = 0;

	if (!step->last && !msyncfs_step_begin(log))
		return 0;
	while (!err && max && step->done < step->nr) {
		before = step->done;
		err = msyncfs_step_write(log, max);
		max -= step->done - before;
	}
	if (!err && step->done < step->nr)
		return 0;
	if (!err && step->stuck && !commit)
		return -EAGAIN;
	tid = step->last->tid;
	end = step->last->pos + msyncfs_record_blocks(step->last);
	if (!err && step->stuck)
		err = msyncfs_step_carry(log);
	if (!err)
		err = msyncfs_step_end(log, tid, end);
	trace_msyncfs_checkpoint(log->sbi->sb, tid, end, err);
	msyncfs_step_drop(log);
	return err;
}

/* Pass the gate and go on with the step, as msyncfs_step_go_on(). */
static int msyncfs_checkpoint_pass(struct msyncfs_log *log, unsigned int max,
				   bool commit)
{
	int err = msyncfs_gate_enter(log->sbi);

	if (err)
		return err;
	mutex_lock(&log->checkpoint_mutex);
	err = msyncfs_step_go_on(log, max, commit);
	mutex_unlock(&log->checkpoint_mutex);
	msyncfs_gate_leave(log->sbi);
	return err;
}

/*
 * Write at most @max images of the oldest records home. If no image of the step
 * is left, retire the records. A task passes the gate under commit_mutex, so it
 * must not take commit_mutex behind the gate.
 */
static int msyncfs_checkpoint_some(struct msyncfs_log *log, unsigned int max)
{
	unsigned int nofs = memalloc_nofs_save();
	int err;

	err = msyncfs_checkpoint_pass(log, max, false);
	if (err == -EAGAIN) {
		mutex_lock(&log->commit_mutex);
		err = msyncfs_checkpoint_pass(log, 0, true);
		mutex_unlock(&log->commit_mutex);
		wake_up_all(&log->commit_wait);
	}
	memalloc_nofs_restore(nofs);
	return err;
}

/**
 * msyncfs_checkpoint_step - bring the oldest records home and retire them
 * @log: log of the mount
 *
 * Context: under commit_mutex; sleeps for the device. The caller has passed the
 * gate, and holds no handle, folio lock or mmap_lock.
 * Return: 0 or a negative errno. After an error, all images are still in the
 * index.
 */
int msyncfs_checkpoint_step(struct msyncfs_log *log)
{
	int err;

	mutex_lock(&log->checkpoint_mutex);
	err = msyncfs_step_go_on(log, UINT_MAX, true);
	mutex_unlock(&log->checkpoint_mutex);
	return err;
}

/**
 * msyncfs_checkpoint - write all durable images home and retire their records
 * @sb: filesystem
 *
 * Records that become durable during the checkpoint stay in the log. So do
 * images that cannot be written home, see msyncfs_image_stuck().
 *
 * Context: as msyncfs_commit(); the caller has not passed the gate.
 * Return: 0; the error of a closed gate (msyncfs_gate_enter()), unless there is
 * nothing to write; or another negative errno. After an error, all images are
 * still in the index.
 */
int msyncfs_checkpoint(struct super_block *sb)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	u64 seq = msyncfs_index_newest(&log->index);
	int err = 0;

	while (!err && msyncfs_index_has(&log->index, seq))
		err = msyncfs_checkpoint_some(log, UINT_MAX);
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
		msyncfs_checkpoint_some(log, UINT_MAX);
	if (msyncfs_log_excess(log))
		msyncfs_checkpoint_some(log, msyncfs_checkpoint_share(log));
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
