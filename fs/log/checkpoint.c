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

static struct kmem_cache *msyncfs_image_cache;

/**
 * msyncfs_image_alloc - make an image
 * @gfp: how to allocate
 * @page: with a page for the copy
 *
 * Return: the image, with one reference, or NULL.
 */
struct msyncfs_image *msyncfs_image_alloc(gfp_t gfp, bool page)
{
	struct msyncfs_image *img = kmem_cache_zalloc(msyncfs_image_cache, gfp);

	if (!img)
		return NULL;
	refcount_set(&img->ref, 1);
	INIT_LIST_HEAD(&img->list);
	if (page) {
		img->page = alloc_page(gfp);
		if (!img->page) {
			kmem_cache_free(msyncfs_image_cache, img);
			return NULL;
		}
	}
	return img;
}

/**
 * msyncfs_image_put - drop a reference of an image
 * @img: image
 */
void msyncfs_image_put(struct msyncfs_image *img)
{
	if (!refcount_dec_and_test(&img->ref))
		return;
	if (img->bh)
		put_bh(img->bh);
	if (img->folio)
		folio_put(img->folio);
	if (img->page)
		__free_page(img->page);
	kmem_cache_free(msyncfs_image_cache, img);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_image_put);

/* The image of @home in an xarray that holds a reference of it. */
static struct msyncfs_image *msyncfs_image_find(struct xarray *xa, u64 home)
{
	struct msyncfs_image *img;

	xa_lock(xa);
	img = xa_load(xa, home);
	if (img)
		refcount_inc(&img->ref);
	xa_unlock(xa);
	return img;
}

/**
 * msyncfs_image_get - the newest image of a block that is not home
 * @sbi: filesystem
 * @home: home block, of data
 *
 * Images that are not durable yet count: their pages may have left the cache.
 * Looks in the order opposite to the one in which an image moves on, so that
 * none is missed.
 *
 * Return: the image, referenced for the caller, or NULL when the home block
 * itself is what a reader must see (B4).
 */
struct msyncfs_image *msyncfs_image_get(struct msyncfs_sb_info *sbi, u64 home)
{
	struct msyncfs_image *img;

	spin_lock(&sbi->txn_lock);
	img = msyncfs_image_find(&sbi->running->data, home);
	if (!img && sbi->cutting)
		img = msyncfs_image_find(&sbi->cutting->data, home);
	spin_unlock(&sbi->txn_lock);
	return img ?: msyncfs_image_find(&sbi->images, home);
}

static bool msyncfs_any_in(struct xarray *xa, u64 first, u64 last)
{
	unsigned long index = first;

	return xa_find(xa, &index, last, XA_PRESENT);
}

/**
 * msyncfs_image_in - is the newest image of any of these blocks not home?
 * @sbi: filesystem
 * @first: first block
 * @last: last block, inclusive
 *
 * Context: any that may take a spinlock.
 * Return: true if at least one of them has an image that is not yet home.
 */
bool msyncfs_image_in(struct msyncfs_sb_info *sbi, u64 first, u64 last)
{
	bool in;

	spin_lock(&sbi->txn_lock);
	in = msyncfs_any_in(&sbi->running->data, first, last) ||
	     (sbi->cutting && msyncfs_any_in(&sbi->cutting->data, first, last));
	spin_unlock(&sbi->txn_lock);
	return in || msyncfs_any_in(&sbi->images, first, last);
}

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

/* Makes the next replay start with record @seq, at @pos. */
static int msyncfs_move_tail(struct msyncfs_sb_info *sbi, u64 seq, u64 pos)
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

/**
 * msyncfs_home_range - bring the blocks of a file's range home
 * @inode: file
 * @start: first byte
 * @end: last byte, inclusive
 *
 * Only what is durable: callers that want the newest data sync it first.
 *
 * Context: as msyncfs_checkpoint().
 * Return: as msyncfs_checkpoint(), or the error of a lookup in the map.
 */
int msyncfs_home_range(struct inode *inode, loff_t start, loff_t end)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	u64 index = start >> MSYNCFS_BLOCK_SHIFT;
	u64 last = min_t(u64, end, inode->i_sb->s_maxbytes) >>
		   MSYNCFS_BLOCK_SHIFT;
	struct msyncfs_extent ext;
	int err;

	while (index <= last) {
		err = msyncfs_map_lookup(inode, index, last - index + 1, &ext);
		if (err)
			return err;
		if (ext.blkno && msyncfs_image_in(sbi, ext.blkno,
						  ext.blkno + ext.len - 1))
			return msyncfs_checkpoint(inode->i_sb);
		index += ext.len;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static void msyncfs_checkpoint_fn(struct msyncfs_sb_info *sbi)
{
	if (!test_bit(MSYNCFS_SB_CKPT_PAUSED, &sbi->state))
		msyncfs_checkpoint(sbi->sb);
}

static void msyncfs_checkpoint_work(struct work_struct *work)
{
	msyncfs_checkpoint_fn(container_of(work, struct msyncfs_sb_info,
					   checkpoint_work));
}

static void msyncfs_checkpoint_timer(struct work_struct *work)
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

/**
 * msyncfs_image_init - set up what all mounts share
 *
 * Return: 0 or -ENOMEM.
 */
int msyncfs_image_init(void)
{
	msyncfs_image_cache = KMEM_CACHE(msyncfs_image, SLAB_RECLAIM_ACCOUNT |
							SLAB_NO_MERGE);
	return msyncfs_image_cache ? 0 : -ENOMEM;
}

/**
 * msyncfs_image_exit - the reverse, on module exit
 */
void msyncfs_image_exit(void)
{
	kmem_cache_destroy(msyncfs_image_cache);
}
