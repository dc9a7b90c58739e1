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

#define MSYNCFS_CHECKPOINT_DELAY	(10 * HZ)
#define MSYNCFS_CHECKPOINT_BATCH	512

/**
 * struct msyncfs_record - a durable record that the log still needs
 * @list: in sbi->records, oldest first
 * @tid: transaction that it was cut from
 * @seq: sequence number
 * @end: where in the log it ends, exclusive
 * @blocks: what it takes of the log, unused blocks before it included
 */
struct msyncfs_record {
	struct list_head	list;
	u64			tid;
	u64			seq;
	u64			end;
	u64			blocks;
};

/* Background checkpoint: now if the log is half full, else in a while. */
static void msyncfs_checkpoint_kick(struct msyncfs_sb_info *sbi, u64 used)
{
	if (test_bit(MSYNCFS_SB_CKPT_PAUSED, &sbi->state))
		return;
	if (used > sbi->geo.log_blocks / 2)
		queue_work(sbi->wq, &sbi->checkpoint_work);
	else
		queue_delayed_work(sbi->wq, &sbi->checkpoint_timer,
				   MSYNCFS_CHECKPOINT_DELAY);
}

/**
 * msyncfs_checkpoint_add - a record has become durable
 * @sbi: filesystem
 * @images: its images; the index takes references of its own
 * @nr: how many
 * @tid: its transaction
 * @pos: where in the log it starts
 * @blocks: its length
 * @pad: blocks left unused before it
 *
 * Context: under commit_mutex; does not fail.
 */
void msyncfs_checkpoint_add(struct msyncfs_sb_info *sbi,
			    struct msyncfs_image **images, unsigned int nr,
			    u64 tid, u64 pos, u64 blocks, u64 pad)
{
	gfp_t gfp = GFP_NOFS | __GFP_NOFAIL;
	struct msyncfs_record *rec;
	struct msyncfs_image *old;
	unsigned int i;
	u64 used;

	for (i = 0; i < nr; i++) {
		images[i]->tid = tid;
		refcount_inc(&images[i]->ref);
		old = xa_store(&sbi->images, images[i]->home, images[i], gfp);
		if (old)
			msyncfs_image_put(old);
	}
	rec = kmalloc(sizeof(*rec), gfp);
	rec->tid = tid;
	rec->seq = sbi->seq;
	rec->end = pos + blocks;
	rec->blocks = blocks + pad;

	/* Last: from here on a checkpoint may retire the record. */
	spin_lock(&sbi->log_lock);
	list_add_tail(&rec->list, &sbi->records);
	sbi->log_used += rec->blocks;
	used = sbi->log_used;
	spin_unlock(&sbi->log_lock);
	msyncfs_checkpoint_kick(sbi, used);
}

/* Collects images from *@from on, ascending; each with a reference. */
static unsigned int msyncfs_collect(struct msyncfs_sb_info *sbi,
				    unsigned long *from,
				    struct msyncfs_image **batch)
{
	struct msyncfs_image *img;
	unsigned long index;
	unsigned int nr = 0;

	xa_lock(&sbi->images);
	xa_for_each_start(&sbi->images, index, img, *from) {
		refcount_inc(&img->ref);
		batch[nr++] = img;
		*from = index + 1;
		if (nr == MSYNCFS_CHECKPOINT_BATCH)
			break;
	}
	xa_unlock(&sbi->images);
	return nr;
}

/* Writes every image in the index home; the ones written are put on @done. */
static int msyncfs_write_home(struct msyncfs_sb_info *sbi,
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
	msyncfs_io_init(&io, sbi->sb, false);
	blk_start_plug(&plug);
	while ((nr = msyncfs_collect(sbi, &from, batch))) {
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
		msyncfs_err(sbi->sb, "checkpoint: home blocks %llu+%u: write failed (%d)",
			    io.bad, io.bad_nr, err);
	return err;
}

/* Log space, images and freed blocks up to @tid are free for reuse. */
static void msyncfs_retire(struct msyncfs_sb_info *sbi, struct xarray *done,
			   u64 tid)
{
	struct msyncfs_record *rec, *next;
	struct msyncfs_image *img;
	unsigned long home;
	LIST_HEAD(retired);

	xa_for_each(done, home, img) {
		/*
		 * Of a record that became durable meanwhile: home already, but
		 * a crash would replay it. Others must see that (B2).
		 */
		if (img->tid > tid)
			continue;
		if (xa_cmpxchg(&sbi->images, home, img, NULL, GFP_NOFS) == img)
			msyncfs_image_put(img);
	}
	spin_lock(&sbi->log_lock);
	list_for_each_entry_safe(rec, next, &sbi->records, list) {
		if (rec->tid > tid)
			break;
		sbi->log_used -= rec->blocks;
		list_move_tail(&rec->list, &retired);
	}
	spin_unlock(&sbi->log_lock);
	list_for_each_entry_safe(rec, next, &retired, list)
		kfree(rec);

	WRITE_ONCE(sbi->home_tid, tid);
	msyncfs_alloc_home(sbi->sb, tid);
	sbi->nr_checkpoints++;
}

static int msyncfs_checkpoint_locked(struct msyncfs_sb_info *sbi)
{
	struct msyncfs_record *last;
	u64 tid = 0, seq, pos;
	struct msyncfs_image *img;
	struct xarray done;
	unsigned long home;
	int err;

	spin_lock(&sbi->log_lock);
	if (!list_empty(&sbi->records)) {
		last = list_last_entry(&sbi->records, struct msyncfs_record,
				       list);
		tid = last->tid;
		seq = last->seq + 1;
		pos = last->end;
	}
	spin_unlock(&sbi->log_lock);
	if (!tid)
		return 0;
	if (msyncfs_is_dead(sbi))
		return -EIO;

	xa_init(&done);
	err = msyncfs_write_home(sbi, &done);
	if (err)
		goto out;
	err = msyncfs_flush(sbi->sb);
	if (err)
		goto out;
	err = msyncfs_move_tail(sbi, seq, pos);
	if (!err)
		err = msyncfs_flush_failed(sbi->sb, 0);
	if (err)
		goto out;
	msyncfs_retire(sbi, &done, tid);
out:
	trace_msyncfs_checkpoint(sbi->sb, tid, pos, err);
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
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	unsigned int nofs = memalloc_nofs_save();
	int err;

	mutex_lock(&sbi->checkpoint_mutex);
	err = msyncfs_checkpoint_locked(sbi);
	mutex_unlock(&sbi->checkpoint_mutex);
	memalloc_nofs_restore(nofs);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_checkpoint);

static void msyncfs_checkpoint_fn(struct msyncfs_sb_info *sbi)
{
	if (!test_bit(MSYNCFS_SB_CKPT_PAUSED, &sbi->state))
		msyncfs_checkpoint(sbi->sb);
}

void msyncfs_checkpoint_work(struct work_struct *work)
{
	msyncfs_checkpoint_fn(container_of(work, struct msyncfs_sb_info,
					   checkpoint_work));
}

void msyncfs_checkpoint_timer(struct work_struct *work)
{
	msyncfs_checkpoint_fn(container_of(to_delayed_work(work),
					   struct msyncfs_sb_info,
					   checkpoint_timer));
}

/**
 * msyncfs_checkpoint_init - set up the index of a mount
 * @sbi: filesystem
 *
 * Return: 0.
 */
int msyncfs_checkpoint_init(struct msyncfs_sb_info *sbi)
{
	mutex_init(&sbi->checkpoint_mutex);
	spin_lock_init(&sbi->log_lock);
	INIT_LIST_HEAD(&sbi->records);
	xa_init(&sbi->images);
	INIT_WORK(&sbi->checkpoint_work, msyncfs_checkpoint_work);
	INIT_DELAYED_WORK(&sbi->checkpoint_timer, msyncfs_checkpoint_timer);
	return 0;
}

/**
 * msyncfs_checkpoint_exit - drop the index
 * @sbi: filesystem, with msyncfs_log_stop() done
 *
 * Images that are not home stay in the log for the next mount's recovery.
 */
void msyncfs_checkpoint_exit(struct msyncfs_sb_info *sbi)
{
	struct msyncfs_record *rec, *next;
	struct msyncfs_image *img;
	unsigned long home;

	xa_for_each(&sbi->images, home, img)
		msyncfs_image_put(img);
	xa_destroy(&sbi->images);
	list_for_each_entry_safe(rec, next, &sbi->records, list) {
		list_del(&rec->list);
		kfree(rec);
	}
}
