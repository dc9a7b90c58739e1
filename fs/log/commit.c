// SPDX-License-Identifier: GPL-2.0
/*
 * The commit: cuts the running transaction into one record, writes it to the
 * log and says when it is durable. What happens to the images afterwards is
 * fs/checkpoint.c's; what a record looks like to a mount is fs/logscan.c's.
 */

/**
 * DOC: one commit
 *
 * All under commit_mutex, so that one record is on its way at a time; callers
 * that arrive meanwhile join the next one and share its flush. Where several did,
 * the next commit waits a moment for those that have just been served: they are
 * likely to come again.
 *
 * GATHER	waits for them: no longer than a quarter of what a record takes
 * LOCKED	no new handle opens; the open ones end (R1)
 * CUT		metadata blocks are copied; the next transaction opens, and
 *		everybody but the waiters for this one goes on
 * SEALED	log space found (a checkpoint makes it), checksum computed
 * WRITTEN	one FUA write; or write, then FLUSH; or just the write, as the
 *		device needs. A record that makes blocks outside the log visible
 *		goes out after a flush of its own (R3)
 * DURABLE	waiters return; images are in the index, the checkpoint may take
 *		them home
 *
 * Who only wants the writes to be started (MS_ASYNC) waits until the record has
 * been sent, or until the commit is found waiting for the device: then its record
 * is the next one.
 *
 * A crash before WRITTEN is complete leaves a torn record, which recovery does
 * not accept: the state of the record before. After it: the state of this one.
 *
 * FAILED: pages are dirty again and mappings know the error. The record is kept
 * whole, since metadata must never become durable without the data that it makes
 * visible, and the next commit writes it once more, over its slot, before its
 * own (R5). A second failure in a row, or a failed flush, is final.
 */
#include <kunit/visibility.h>
#include <linux/blkdev.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "fs/disk/trace.h"
#include "txn.h"

/* Of the time that the last record took, a commit waits this part for others. */
#define MSYNCFS_GATHER_PART	4
/* Not if that is shorter than a sleep is worth, and no longer, in ns. */
#define MSYNCFS_GATHER_MIN	(50 * NSEC_PER_USEC)
#define MSYNCFS_GATHER_MAX	(5 * NSEC_PER_MSEC)

static unsigned int msyncfs_cut_blocks(const struct msyncfs_cut *cut)
{
	return cut->nr_header + cut->nr;
}

/*
 * The commit is going to wait for the device, or has done so; who waits for no
 * more than that may go (msyncfs_commit_start()).
 */
static void msyncfs_log_set_busy(struct msyncfs_sb_info *sbi, bool busy)
{
	WRITE_ONCE(sbi->log_busy, busy);
	if (busy)
		wake_up_all(&sbi->txn_wait);
}

/* The record of @tid is on its way, or there is none. */
static void msyncfs_log_started(struct msyncfs_sb_info *sbi, u64 tid)
{
	WRITE_ONCE(sbi->started_tid, max(sbi->started_tid, tid));
	wake_up_all(&sbi->txn_wait);
}

/* A commit has failed, perhaps before anything was sent. */
static void msyncfs_log_failed(struct msyncfs_sb_info *sbi)
{
	WRITE_ONCE(sbi->commit_fails, sbi->commit_fails + 1);
	wake_up_all(&sbi->txn_wait);
}

/* The record is durable, or given up. */
void msyncfs_cut_end(struct msyncfs_sb_info *sbi,
			    struct msyncfs_cut *cut)
{
	unsigned int i;

	msyncfs_txn_end(sbi);
	for (i = 0; i < cut->nr; i++)
		msyncfs_image_put(cut->images[i]);
	for (i = 0; i < cut->nr_header; i++)
		__free_page(cut->header[i]);
	kvfree(cut->images);
	kvfree(cut->header);
	kfree(cut);
}

/*
 * Room for a record of @txn. Nobody can dirty more: it is locked.
 *
 * Memory comes without failure: the caller's pages are clean by now, and
 * reclaim never waits for this filesystem's commit (GFP_NOFS).
 */
static struct msyncfs_cut *msyncfs_cut_alloc(struct msyncfs_txn *txn)
{
	gfp_t gfp = GFP_NOFS | __GFP_NOFAIL;
	struct msyncfs_cut *cut = kzalloc(sizeof(*cut), gfp);
	unsigned int i;

	cut->txn = txn;
	cut->images = kvcalloc(txn->nr, sizeof(*cut->images), gfp);
	cut->nr_header = msyncfs_record_header_blocks(txn->nr);
	cut->header = kvcalloc(cut->nr_header, sizeof(*cut->header), gfp);
	for (i = 0; i < cut->nr_header; i++)
		cut->header[i] = alloc_page(gfp | __GFP_ZERO);
	return cut;
}

static int msyncfs_image_cmp(const void *a, const void *b)
{
	const struct msyncfs_image *x = *(const struct msyncfs_image **)a;
	const struct msyncfs_image *y = *(const struct msyncfs_image **)b;

	return x->home < y->home ? -1 : x->home > y->home;
}

/*
 * Moves the content of the transaction into images: metadata is copied now,
 * the buffer's reference goes with it; data was copied when it was captured.
 */
static void msyncfs_cut_copy(struct msyncfs_cut *cut)
{
	struct msyncfs_txn *txn = cut->txn;
	struct msyncfs_image *img;
	struct buffer_head *bh;
	unsigned long blkno;

	/* Readers find them in @data until they are in the index (B4). */
	xa_for_each(&txn->data, blkno, img) {
		refcount_inc(&img->ref);
		cut->images[cut->nr++] = img;
	}

	xa_for_each(&txn->meta, blkno, bh) {
		img = msyncfs_image_alloc(GFP_NOFS | __GFP_NOFAIL, true);
		img->home = blkno;
		img->bh = bh;
		memcpy_to_page(img->page, 0, bh->b_data, MSYNCFS_BLOCK_SIZE);
		cut->images[cut->nr++] = img;
	}
	xa_destroy(&txn->meta);

	if (WARN_ON_ONCE(cut->nr != txn->nr))
		txn->nr = cut->nr;
	sort(cut->images, cut->nr, sizeof(*cut->images), msyncfs_image_cmp,
	     NULL);
}

/*
 * A block that is both metadata and a file's data, as only a damaged filesystem
 * has it, would make a record that recovery refuses, and all others' data with it.
 */
static int msyncfs_cut_check(struct msyncfs_sb_info *sbi,
			     const struct msyncfs_cut *cut)
{
	unsigned int i;

	for (i = 1; i < cut->nr; i++) {
		if (cut->images[i]->home != cut->images[i - 1]->home)
			continue;
		msyncfs_err(sbi->sb, "block %llu: both data and metadata",
			    cut->images[i]->home);
		msyncfs_abort(sbi->sb, "a log record cannot be made",
			      -EFSCORRUPTED);
		return -EFSCORRUPTED;
	}
	return 0;
}

/* Fills in the header and the checksums. */
static void msyncfs_cut_seal(struct msyncfs_sb_info *sbi,
			     struct msyncfs_cut *cut)
{
	struct msyncfs_disk_record *rec = page_address(cut->header[0]);
	struct xxh64_state hash;
	unsigned int i, at;
	__le64 *home;

	rec->magic = cpu_to_le32(MSYNCFS_MAGIC_RECORD);
	rec->header_blocks = cpu_to_le32(cut->nr_header);
	memcpy(rec->uuid, sbi->geo.uuid, sizeof(rec->uuid));
	rec->nonce = cpu_to_le64(sbi->nonce);
	rec->seq = cpu_to_le64(sbi->seq);
	rec->durable_seq = cpu_to_le64(sbi->seq - 1);
	rec->nr_images = cpu_to_le32(cut->nr);
	rec->time = cpu_to_le64(ktime_get_real_seconds());

	for (i = 0; i < cut->nr; i++) {
		struct msyncfs_image *img = cut->images[i];

		at = MSYNCFS_RECORD_HEADER + i * sizeof(*home);
		home = page_address(cut->header[at / MSYNCFS_BLOCK_SIZE]) +
		       at % MSYNCFS_BLOCK_SIZE;
		*home = cpu_to_le64(img->home |
				    (img->bh ? MSYNCFS_HOME_META : 0));
		if (img->bh)
			msyncfs_seal_block(&sbi->geo, page_address(img->page),
					   sbi->seq);
	}

	rec->csum = 0;
	xxh64_reset(&hash, sbi->geo.seed);
	for (i = 0; i < cut->nr_header; i++)
		xxh64_update(&hash, page_address(cut->header[i]),
			     MSYNCFS_BLOCK_SIZE);
	for (i = 0; i < cut->nr; i++)
		xxh64_update(&hash, page_address(cut->images[i]->page),
			     MSYNCFS_BLOCK_SIZE);
	rec->csum = cpu_to_le64(xxh64_digest(&hash));
}

/*
 * Finds the place of the record, and makes room if there is none. The log is
 * never filled to the last block, so that head == tail always means empty.
 */
static int msyncfs_log_place(struct msyncfs_sb_info *sbi,
			     struct msyncfs_cut *cut)
{
	u64 need = msyncfs_cut_blocks(cut), used, left;
	int err;

	for (;;) {
		spin_lock(&sbi->log_lock);
		used = sbi->log_used;
		spin_unlock(&sbi->log_lock);

		left = sbi->geo.log_blocks - sbi->head_pos;
		cut->pad = left < need ? left : 0;
		cut->pos = left < need ? 0 : sbi->head_pos;
		if (used + cut->pad + need < sbi->geo.log_blocks)
			return 0;
		if (WARN_ON_ONCE(!used))
			return -EFBIG;
		msyncfs_log_set_busy(sbi, true);
		err = msyncfs_checkpoint(sbi->sb);
		msyncfs_log_set_busy(sbi, false);
		if (err)
			return err;
	}
}

/* May a record of @nr blocks be one FUA write? */
static bool msyncfs_log_one_fua(struct msyncfs_sb_info *sbi, unsigned int nr)
{
	struct request_queue *q = bdev_get_queue(sbi->sb->s_bdev);

	return bdev_fua(sbi->sb->s_bdev) && nr <= BIO_MAX_VECS &&
	       nr <= queue_max_segments(q) &&
	       nr <= queue_max_sectors(q) >>
			(MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT);
}

/*
 * Makes sure that a failed record will not be found by recovery, when no other
 * is going to overwrite it.
 */
int msyncfs_log_invalidate(struct msyncfs_sb_info *sbi)
{
	struct msyncfs_io io;
	int err;

	msyncfs_io_init(&io, sbi->sb, false);
	msyncfs_io_add(&io, sbi->geo.log_start + sbi->retry->pos, ZERO_PAGE(0));
	err = msyncfs_io_wait(&io, 0);
	if (!err)
		err = msyncfs_flush(sbi->sb);
	if (err) {
		msyncfs_err(sbi->sb,
			    "log record %llu at block %llu: cannot be invalidated (%d)",
			    sbi->seq, sbi->geo.log_start + sbi->retry->pos,
			    err);
		msyncfs_abort(sbi->sb, "a failed log record cannot be invalidated",
			      err);
	}
	return err;
}

/* With the rule B1 broken, writes images home before their record. */
static void msyncfs_break_home(struct super_block *sb,
			       struct msyncfs_image **images, unsigned int nr)
{
	struct msyncfs_io io;
	unsigned int i;

	if (!msyncfs_breaks(HOME))
		return;
	msyncfs_io_init(&io, sb, false);
	for (i = 0; i < nr; i++)
		msyncfs_io_add(&io, images[i]->home, images[i]->page);
	msyncfs_io_wait(&io, 0);
}

/* Writes the record and makes it durable. */
static int msyncfs_log_write(struct msyncfs_sb_info *sbi,
			     struct msyncfs_cut *cut)
{
	u64 blkno = sbi->geo.log_start + cut->pos;
	struct msyncfs_io io;
	struct blk_plug plug;
	blk_opf_t flags = 0;
	unsigned int i;
	int err;

	/* A flush of its own: one that fails must keep the record away. */
	if (cut->txn->preflush && !msyncfs_breaks(FUA)) {
		msyncfs_log_set_busy(sbi, true);
		err = msyncfs_flush(sbi->sb);
		msyncfs_log_set_busy(sbi, false);
		if (err)
			return err;
	}
	msyncfs_break_home(sbi->sb, cut->images, cut->nr);
	cut->fua = msyncfs_log_one_fua(sbi, msyncfs_cut_blocks(cut));
	if (cut->fua)
		flags = REQ_FUA;

	blk_start_plug(&plug);
	msyncfs_io_init(&io, sbi->sb, false);
	for (i = 0; i < cut->nr_header; i++)
		msyncfs_io_add(&io, blkno++, cut->header[i]);
	for (i = 0; i < cut->nr; i++)
		msyncfs_io_add(&io, blkno++, cut->images[i]->page);
	msyncfs_io_submit(&io, flags);
	blk_finish_plug(&plug);
	msyncfs_log_set_busy(sbi, true);
	msyncfs_log_started(sbi, cut->txn->tid);
	err = msyncfs_io_wait(&io, 0);
	if (err) {
		msyncfs_err(sbi->sb,
			    "log record %llu at block %llu: write failed (%d)",
			    sbi->seq, sbi->geo.log_start + cut->pos, err);
		if (++sbi->failed > 1)
			msyncfs_abort(sbi->sb, "the log cannot be written", err);
		return err;
	}
	return cut->fua ? msyncfs_flush_failed(sbi->sb, 0) :
			  msyncfs_flush(sbi->sb);
}

/* The record is durable: says so, and hands its images to the checkpoint. */
static void msyncfs_log_done(struct msyncfs_sb_info *sbi,
			     struct msyncfs_cut *cut)
{
	sbi->failed = 0;
	sbi->nr_commits++;
	msyncfs_checkpoint_add(sbi, cut->images, cut->nr, cut->txn->tid,
			       cut->pos, msyncfs_cut_blocks(cut), cut->pad);
	sbi->seq++;
	sbi->head_pos = cut->pos + msyncfs_cut_blocks(cut);
	/* Who sees this also sees the images in the index. */
	smp_store_release(&sbi->durable_tid, cut->txn->tid);
	msyncfs_txn_settle(cut->txn, 0);
}

/* Who will probably wait for the next record, and how long is that worth? */
static void msyncfs_gather_expect(struct msyncfs_sb_info *sbi,
				  struct msyncfs_txn *txn, u64 began)
{
	spin_lock(&sbi->txn_lock);
	sbi->commit_expected = txn->callers + sbi->running->callers;
	spin_unlock(&sbi->txn_lock);
	sbi->commit_ended = ktime_get_ns();
	sbi->commit_took = sbi->commit_ended - began;
}

/*
 * Waits for callers that the last record was for to join the running transaction.
 * If the last commit is long ago, or nobody else was there, this does nothing.
 */
static void msyncfs_gather(struct msyncfs_sb_info *sbi)
{
	u64 most = min_t(u64, sbi->commit_took / MSYNCFS_GATHER_PART,
			 MSYNCFS_GATHER_MAX);
	u64 gone = ktime_get_ns() - sbi->commit_ended;

	lockdep_assert_held(&sbi->commit_mutex);

	if (most < MSYNCFS_GATHER_MIN || gone >= most)
		return;
	wait_event_hrtimeout(sbi->txn_wait,
			     READ_ONCE(sbi->running->callers) >=
				     sbi->commit_expected ||
			     msyncfs_log_dead(sbi),
			     ns_to_ktime(most - gone));
}

/* Counts a caller that is going to wait for @tid. */
static void msyncfs_gather_join(struct msyncfs_sb_info *sbi, u64 tid)
{
	bool last = false;

	spin_lock(&sbi->txn_lock);
	if (sbi->running->tid == tid)
		last = ++sbi->running->callers == sbi->commit_expected;
	spin_unlock(&sbi->txn_lock);
	if (last)
		wake_up_all(&sbi->txn_wait);
}

/* Writes a cut record, for the first time or again. */
static int msyncfs_cut_commit(struct msyncfs_sb_info *sbi,
			      struct msyncfs_cut *cut)
{
	u64 began;
	int err;

	err = msyncfs_cut_check(sbi, cut) ?: msyncfs_log_place(sbi, cut);
	began = ktime_get_ns();
	if (!err) {
		msyncfs_cut_seal(sbi, cut);
		err = msyncfs_log_write(sbi, cut);
	}
	trace_msyncfs_commit(sbi->sb, cut->txn->tid, sbi->seq, cut->pos,
			     msyncfs_cut_blocks(cut), cut->txn->preflush,
			     cut->fua, err);
	msyncfs_log_set_busy(sbi, false);
	if (err) {
		msyncfs_txn_settle(cut->txn, err);
		msyncfs_log_failed(sbi);
		sbi->retry = cut;
		if (msyncfs_breaks(FAILED))
			sbi->head_pos = cut->pos + msyncfs_cut_blocks(cut);
		/* Data comes back through dirty pages, metadata only so. */
		queue_delayed_work(sbi->wq, &sbi->commit_work,
				   MSYNCFS_COMMIT_DELAY);
		return err;
	}
	msyncfs_gather_expect(sbi, cut->txn, began);
	msyncfs_log_done(sbi, cut);
	sbi->retry = NULL;
	msyncfs_cut_end(sbi, cut);
	return 0;
}

/* Opens a transaction again that could not be cut; who waits for it is told. */
static void msyncfs_txn_reopen(struct msyncfs_sb_info *sbi,
			       struct msyncfs_txn *txn, int err)
{
	msyncfs_txn_settle(txn, err);
	spin_lock(&sbi->txn_lock);
	txn->locked = false;
	spin_unlock(&sbi->txn_lock);
	msyncfs_log_failed(sbi);
}

/*
 * Cuts the running transaction; NULL if there is nothing in it, -EIO if an
 * operation in it has been given up half way: that must not become durable.
 */
static struct msyncfs_cut *msyncfs_cut_running(struct msyncfs_sb_info *sbi)
{
	struct msyncfs_txn *txn, *next;
	struct msyncfs_cut *cut;

	next = msyncfs_txn_alloc(sbi->running->tid + 1);
	txn = msyncfs_txn_lock(sbi);
	if (msyncfs_log_dead(sbi)) {
		msyncfs_txn_free(next);
		msyncfs_txn_reopen(sbi, txn, -EIO);
		return ERR_PTR(-EIO);
	}
	if (!txn->nr) {
		WARN_ON_ONCE(!list_empty(&txn->captures));
		msyncfs_txn_switch(sbi, next);
		WRITE_ONCE(sbi->durable_tid, txn->tid);
		msyncfs_log_started(sbi, txn->tid);
		msyncfs_txn_end(sbi);
		return NULL;
	}
	cut = msyncfs_cut_alloc(txn);
	msyncfs_cut_copy(cut);
	msyncfs_txn_switch(sbi, next);
	return cut;
}

/* Commits the running transaction, and first one that has failed before. */
static int msyncfs_commit_running(struct msyncfs_sb_info *sbi, u64 tid)
{
	struct msyncfs_cut *cut;
	int err;

	lockdep_assert_held(&sbi->commit_mutex);

	if (msyncfs_log_dead(sbi))
		return -EIO;
	if (sbi->retry) {
		err = msyncfs_cut_commit(sbi, sbi->retry);
		/* Who waits for the running one waits in vain, for now. */
		if (err)
			msyncfs_txn_reopen(sbi, msyncfs_txn_lock(sbi), err);
		if (err || sbi->durable_tid >= tid)
			return err;
	}
	cut = msyncfs_cut_running(sbi);
	if (IS_ERR_OR_NULL(cut))
		return PTR_ERR_OR_ZERO(cut);
	return msyncfs_cut_commit(sbi, cut);
}

static bool msyncfs_durable(struct msyncfs_sb_info *sbi, u64 tid)
{
	/* Pairs with the release in msyncfs_log_done(). */
	return smp_load_acquire(&sbi->durable_tid) >= tid;
}

/*
 * Waits until @tid is durable, and returns false then, or until it is the caller's
 * turn to commit. Not in line for commit_mutex: who is done would wait behind who
 * commits the next record, and would not be there to share the one after it.
 */
static bool msyncfs_commit_lock(struct msyncfs_sb_info *sbi, u64 tid)
{
	bool mine = false;

	might_lock(&sbi->commit_mutex);
	wait_event(sbi->commit_wait, msyncfs_durable(sbi, tid) ||
		   (mine = mutex_trylock(&sbi->commit_mutex)));
	return mine;
}

static void msyncfs_commit_unlock(struct msyncfs_sb_info *sbi)
{
	mutex_unlock(&sbi->commit_mutex);
	wake_up_all(&sbi->commit_wait);
}

/**
 * msyncfs_commit - make a transaction durable
 * @sb: filesystem
 * @tid: transaction; nothing to do if it is durable already
 *
 * Context: sleeps for the device; the caller holds no handle, folio lock,
 * i_freeze or mmap_lock (P4).
 * Return: 0, or why it is not durable. The next commit tries it once more.
 */
int msyncfs_commit(struct super_block *sb, u64 tid)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	unsigned int nofs;
	int err = 0;

	if (msyncfs_durable(sbi, tid))
		return 0;
	if (msyncfs_breaks(ACK) && !(current->flags & PF_WQ_WORKER)) {
		msyncfs_commit_start(sb, tid);
		return 0;
	}
	/* Nobody waits for what is committed in the background. */
	if (!(current->flags & PF_WQ_WORKER))
		msyncfs_gather_join(sbi, tid);
	nofs = memalloc_nofs_save();
	if (msyncfs_commit_lock(sbi, tid)) {
		if (sbi->durable_tid < tid) {
			msyncfs_gather(sbi);
			err = msyncfs_commit_running(sbi, tid);
		}
		msyncfs_commit_unlock(sbi);
	}
	memalloc_nofs_restore(nofs);
	return err;
}

/* May who waits for no more than the start of a commit go? */
static bool msyncfs_commit_started(struct msyncfs_sb_info *sbi, u64 tid,
				   unsigned int fails)
{
	return READ_ONCE(sbi->started_tid) >= tid || READ_ONCE(sbi->log_busy) ||
	       READ_ONCE(sbi->commit_fails) != fails || msyncfs_log_dead(sbi);
}

/**
 * msyncfs_commit_start - have a transaction made durable, without waiting for it
 * @sb: filesystem
 * @tid: transaction
 *
 * When this returns, its record has been sent to the device; or the commit waits
 * for the device because of an earlier one, or to make room in the log, and this
 * record comes next. An error is known to the mappings it concerns.
 *
 * Context: may sleep, but not for the device, unless a handle that is open does;
 * the caller holds none of what P4 forbids.
 */
void msyncfs_commit_start(struct super_block *sb, u64 tid)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	unsigned int fails = READ_ONCE(sbi->commit_fails);

	if (msyncfs_durable(sbi, tid))
		return;
	mod_delayed_work(sbi->wq, &sbi->commit_work, 0);
	wait_event(sbi->txn_wait, msyncfs_commit_started(sbi, tid, fails));
}

/**
 * msyncfs_commit_all - make everything durable that has been changed so far
 * @sb: filesystem
 *
 * Context: as msyncfs_commit().
 * Return: as msyncfs_commit().
 */
int msyncfs_commit_all(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 tid;

	spin_lock(&sbi->txn_lock);
	tid = sbi->running->tid;
	spin_unlock(&sbi->txn_lock);
	return msyncfs_commit(sb, tid);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_commit_all);
