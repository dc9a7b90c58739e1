// SPDX-License-Identifier: GPL-2.0
/*
 * A commit cuts the running transaction, writes the resulting record to the log
 * and reports when the record is durable. Later, checkpoint.c writes the images
 * home. fs/disk/logscan.c decides which records a mount accepts.
 */

/**
 * DOC: one commit
 *
 * All steps run under commit_mutex, so only one record is written at a time.
 * Callers that arrive during these steps join the next record and share its
 * flush. Callers that shared a record will probably ask for another commit
 * soon. So the next commit waits a moment for these callers.
 *
 * GATHER	the commit waits for the callers of the last record, for at most
 *		a quarter of the time that the last record took
 * LOCKED	no new handle opens, and all open handles have ended (R1)
 * CUT		metadata blocks are copied and the next transaction opens; from
 *		here on only callers that need this record wait
 * SEALED	the record has checksums and a position in the log. If the log
 *		has no room, steps of a checkpoint make room
 * WRITTEN	if the device supports FUA and the record fits one request, the
 *		record is one FUA write; otherwise it is a write and a flush. A
 *		device without a volatile cache gets no flush. If the record
 *		makes blocks outside the log visible, a separate flush precedes
 *		the record (R3)
 * DURABLE	callers return; the images are in the index, so the checkpoint
 *		may write them home
 *
 * A caller of msyncfs_commit_start() (MS_ASYNC) waits only until its record has
 * been sent. The caller also returns if a commit already waits for the device.
 * In this case the record of the caller is the next record.
 *
 * If a crash comes before WRITTEN is complete, the record may be torn. Recovery
 * does not accept a torn record, so it finds the state of the previous record.
 * After WRITTEN, recovery finds the state of this record.
 *
 * FAILED: if the record cannot be written, the pages of the record become dirty
 * again, and the mappings of these pages remember the error. The record is kept
 * unchanged, because metadata must never become durable without the data that
 * it makes visible. The next commit writes the failed record once more at the
 * same position, before its own record (R5). If the second write also fails,
 * the filesystem is aborted. If a flush or a FUA write fails, the filesystem is
 * aborted at once.
 */
#include <kunit/visibility.h>
#include <linux/blkdev.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/list_sort.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "fs/disk/trace.h"
#include "txn.h"

/* A commit gathers for at most 1/4 of the time that the last record took. */
#define MSYNCFS_GATHER_PART	4
/*
 * These limits apply to the wait in msyncfs_gather(), in ns. A commit does not
 * sleep for a wait below the minimum.
 */
#define MSYNCFS_GATHER_MIN	(50 * NSEC_PER_USEC)
#define MSYNCFS_GATHER_MAX	(5 * NSEC_PER_MSEC)

/*
 * Note whether the commit waits for the device. While the commit waits, callers
 * of msyncfs_commit_start() may return.
 */
static void msyncfs_log_set_busy(struct msyncfs_log *log, bool busy)
{
	WRITE_ONCE(log->busy, busy);
	if (busy)
		wake_up_all(&log->sbi->wait);
}

/* Note that the record of @tid has been sent, or that @tid has no record. */
static void msyncfs_log_started(struct msyncfs_log *log, u64 tid)
{
	WRITE_ONCE(log->started_tid, max(log->started_tid, tid));
	wake_up_all(&log->sbi->wait);
}

/*
 * Note that a commit has failed. Callers of msyncfs_commit_start() then return.
 */
static void msyncfs_log_failed(struct msyncfs_log *log, int err)
{
	WRITE_ONCE(log->error, err);
	smp_wmb();	/* pairs with msyncfs_commit() */
	WRITE_ONCE(log->fails, log->fails + 1);
	wake_up_all(&log->sbi->wait);
}

/*
 * The allocations of a commit must not fail, because the captured pages are
 * clean by now. The allocations may wait for reclaim. This cannot deadlock,
 * because with GFP_NOFS reclaim does not wait for a commit of this filesystem.
 */
#define MSYNCFS_CUT_GFP		(GFP_NOFS | __GFP_NOFAIL)

static int msyncfs_image_cmp(void *priv, const struct list_head *a,
			     const struct list_head *b)
{
	const struct msyncfs_image *x, *y;

	x = list_entry(a, struct msyncfs_image, logged);
	y = list_entry(b, struct msyncfs_image, logged);
	return x->home < y->home ? -1 : x->home > y->home;
}

/* Count images. Set *@sorted to true if they ascend by home block. */
static unsigned int msyncfs_images_count(const struct list_head *images,
					 bool *sorted)
{
	const struct msyncfs_image *img;
	unsigned int nr = 0;
	u64 last = 0;

	*sorted = true;
	list_for_each_entry(img, images, logged) {
		if (img->home < last)
			*sorted = false;
		last = img->home;
		nr++;
	}
	return nr;
}

/*
 * Collect the images of the record. Each metadata block is copied into a new
 * image. Images of data exist already, because the capture has copied the
 * pages.
 */
static void msyncfs_cut(struct msyncfs_log *log, struct msyncfs_txn *txn)
{
	LIST_HEAD(copies);
	unsigned int nr;
	bool sorted;

	if (txn->replaced)
		msyncfs_images_prune(&txn->images);
	if (txn->nr_meta)
		msyncfs_images_alloc(log->sbi, &copies, txn->nr_meta, true,
				     MSYNCFS_CUT_GFP);
	msyncfs_txn_copy(txn, &copies);
	nr = msyncfs_images_count(&txn->images, &sorted);
	if (!sorted)
		list_sort(NULL, &txn->images, msyncfs_image_cmp);
	if (WARN_ON_ONCE(nr != txn->nr))
		txn->nr = nr;
}

/*
 * On a damaged filesystem, a block can be both metadata and data of a file.
 * Recovery would refuse a record with two images of one block. The data of all
 * callers would be lost with this record. So do not write such a record.
 */
static int msyncfs_cut_check(struct msyncfs_log *log,
			     const struct msyncfs_txn *txn)
{
	const struct msyncfs_image *img;
	u64 last = U64_MAX;

	list_for_each_entry(img, &txn->images, logged) {
		if (img->home == last) {
			msyncfs_err(log->sbi->sb,
				    "block %llu: both data and metadata", last);
			msyncfs_abort(log->sbi->sb,
				      "a log record cannot be made",
				      -EFSCORRUPTED);
			return -EFSCORRUPTED;
		}
		last = img->home;
	}
	return 0;
}

/* Make sure that there is memory for a header of @nr blocks. */
static void msyncfs_header_grow(struct msyncfs_header *header, unsigned int nr)
{
	for (; header->nr < nr; header->nr++)
		header->blocks[header->nr] =
			(void *)get_zeroed_page(MSYNCFS_CUT_GFP);
}

/*
 * Write an element of the table in the header. @at is the byte offset of the
 * element. The elements are aligned, so none crosses the end of a block.
 */
static void *msyncfs_header_at(struct msyncfs_header *header, unsigned int at)
{
	return header->blocks[at / MSYNCFS_BLOCK_SIZE] + at % MSYNCFS_BLOCK_SIZE;
}

/*
 * Zero the rest of the last block. The header has @used bytes. In a header of
 * one block, only the bytes that the last header has used can be other than
 * zero.
 */
static void msyncfs_header_end(struct msyncfs_header *header, unsigned int used)
{
	unsigned int end = round_up(used, MSYNCFS_BLOCK_SIZE);

	if (end == MSYNCFS_BLOCK_SIZE)
		end = header->used;
	if (used < end)
		memset(msyncfs_header_at(header, used), 0, end - used);
	header->used = min(used, MSYNCFS_BLOCK_SIZE);
}

/*
 * Fill in the tables of home blocks and checksums. Return the number of bytes
 * up to the end of the tables.
 */
static unsigned int msyncfs_seal_images(struct msyncfs_log *log,
					struct msyncfs_txn *txn)
{
	unsigned int home_at = MSYNCFS_RECORD_HEADER;
	unsigned int csum_at = msyncfs_record_csums(txn->nr);
	const struct msyncfs_geo *geo = &log->sbi->geo;
	u32 kind = msyncfs_csum_kind;
	struct msyncfs_image *img;
	void *block;

	list_for_each_entry(img, &txn->images, logged) {
		block = page_address(img->page);
		if (img->bh)
			msyncfs_seal_block(geo, block, txn->seq);
		*(__le64 *)msyncfs_header_at(&log->header, home_at) =
			cpu_to_le64(img->home |
				    (img->bh ? MSYNCFS_HOME_META : 0));
		*(__le32 *)msyncfs_header_at(&log->header, csum_at) =
			cpu_to_le32(msyncfs_image_csum(geo, kind, block));
		home_at += sizeof(__le64);
		csum_at += sizeof(__le32);
	}
	msyncfs_header_end(&log->header, csum_at);
	return csum_at;
}

/* Fill in the header and the checksums. */
static void msyncfs_seal(struct msyncfs_log *log, struct msyncfs_txn *txn)
{
	unsigned int nr = msyncfs_record_header_blocks(txn->nr), len, i;
	struct msyncfs_disk_record *rec;
	struct xxh64_state hash;

	msyncfs_header_grow(&log->header, nr);
	rec = log->header.blocks[0];
	memset(rec, 0, MSYNCFS_RECORD_HEADER);
	rec->magic = cpu_to_le32(MSYNCFS_MAGIC_RECORD);
	rec->header_blocks = cpu_to_le32(nr);
	memcpy(rec->uuid, log->sbi->geo.uuid, sizeof(rec->uuid));
	rec->nonce = cpu_to_le64(log->nonce);
	rec->seq = cpu_to_le64(txn->seq);
	rec->durable_seq = cpu_to_le64(txn->seq - 1);
	rec->nr_images = cpu_to_le32(txn->nr);
	rec->csum_kind = cpu_to_le32(msyncfs_csum_kind);
	rec->time = cpu_to_le64(ktime_get_real_seconds());
	len = msyncfs_seal_images(log, txn);

	xxh64_reset(&hash, log->sbi->geo.seed);
	for (i = 0; i < nr; i++, len -= MSYNCFS_BLOCK_SIZE)
		xxh64_update(&hash, log->header.blocks[i],
			     min(len, MSYNCFS_BLOCK_SIZE));
	rec->csum = cpu_to_le64(xxh64_digest(&hash));
}

/*
 * Find the position of the record. Return true if at most @limit - 1 blocks of
 * the log are in use with the record. The log is never filled to the last block,
 * so head == tail always means that the log is empty.
 */
static bool msyncfs_log_fits(struct msyncfs_log *log, struct msyncfs_txn *txn,
			     u64 limit)
{
	u64 left = log->sbi->geo.log_blocks - log->head_pos;
	u64 need = msyncfs_record_blocks(txn);

	txn->pad = left < need ? left : 0;
	txn->pos = left < need ? 0 : log->head_pos;
	return READ_ONCE(log->used) + txn->pad + need < limit;
}

/*
 * Find the position of the record. If the log has no room, bring the oldest
 * records home until it has.
 */
static int msyncfs_log_position(struct msyncfs_log *log,
				struct msyncfs_txn *txn)
{
	int err;

	while (!msyncfs_log_fits(log, txn, log->room)) {
		if (WARN_ON_ONCE(!READ_ONCE(log->used)))
			return -EFBIG;
		log->nr_full++;
		msyncfs_log_set_busy(log, true);
		err = msyncfs_checkpoint_step(log);
		msyncfs_log_set_busy(log, false);
		if (err)
			return err;
	}
	return 0;
}

/* Return true if a record of @nr blocks can be one FUA write. */
static bool msyncfs_log_one_fua(struct msyncfs_log *log, unsigned int nr)
{
	struct request_queue *q = bdev_get_queue(log->sbi->sb->s_bdev);

	return bdev_fua(log->sbi->sb->s_bdev) && nr <= BIO_MAX_VECS &&
	       nr <= queue_max_segments(q) &&
	       nr <= queue_max_sectors(q) >>
			(MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT);
}

/* Overwrite the block of the log at @pos with zeros. */
static int msyncfs_log_zero(struct msyncfs_log *log, u64 pos)
{
	struct msyncfs_io io;

	msyncfs_io_init(&io, log->sbi->sb, false);
	msyncfs_io_add(&io, log->sbi->geo.log_start + pos, ZERO_PAGE(0));
	return msyncfs_io_wait(&io, 0);
}

/**
 * msyncfs_log_invalidate - keep recovery from finding a failed record
 * @log: log of the mount
 * @pos: position of the failed record
 *
 * The function overwrites the first block of the record with zeros. A commit
 * does not need this function, because the next commit overwrites the failed
 * record.
 *
 * Context: unmount, when nothing runs in the background; or the caller holds the
 * gate exclusively, or commit_mutex; sleeps for the device.
 * Return: 0, or the error of the device (logged). After an error the filesystem
 * is aborted.
 */
int msyncfs_log_invalidate(struct msyncfs_log *log, u64 pos)
{
	int err = msyncfs_log_zero(log, pos) ?: msyncfs_flush(log->sbi->sb);

	if (err) {
		msyncfs_err(log->sbi->sb,
			    "log record %llu at block %llu: cannot be invalidated (%d)",
			    log->seq, log->sbi->geo.log_start + pos, err);
		msyncfs_abort(log->sbi->sb, "a failed log record cannot be invalidated",
			      err);
	}
	return err;
}

/* If a test breaks rule B1, write the images home before their record. */
static void msyncfs_break_home(struct super_block *sb,
			       const struct msyncfs_txn *txn)
{
	struct msyncfs_image *img;
	struct msyncfs_io io;

	if (!msyncfs_breaks(HOME))
		return;
	msyncfs_io_init(&io, sb, false);
	list_for_each_entry(img, &txn->images, logged)
		msyncfs_io_add(&io, img->home, img->page);
	msyncfs_io_wait(&io, 0);
}

/*
 * Count the images from @img on whose pages are physically contiguous. Set
 * *@img to the last of them.
 */
static unsigned int msyncfs_images_run(const struct msyncfs_txn *txn,
				       struct msyncfs_image **img)
{
	unsigned int nr = 1;
	struct msyncfs_image *next;

	while (nr < 1U << MSYNCFS_PIECE_ORDER &&
	       !list_is_last(&(*img)->logged, &txn->images)) {
		next = list_next_entry(*img, logged);
		if (next->page != (*img)->page + 1)
			break;
		*img = next;
		nr++;
	}
	return nr;
}

/* Send the record to the device. */
static void msyncfs_log_send(struct msyncfs_log *log, struct msyncfs_txn *txn,
			     struct msyncfs_io *io)
{
	u64 blkno = log->sbi->geo.log_start + txn->pos;
	unsigned int i, nr = msyncfs_record_header_blocks(txn->nr);
	struct msyncfs_image *img;
	struct blk_plug plug;
	struct page *first;

	blk_start_plug(&plug);
	msyncfs_io_init(io, log->sbi->sb, false);
	/* Somebody waits for the record, so writeback must not delay it. */
	io->opf |= REQ_META | REQ_IDLE;
	io->vecs = min(msyncfs_record_blocks(txn), BIO_MAX_VECS);
	for (i = 0; i < nr; i++)
		msyncfs_io_add(io, blkno++, virt_to_page(log->header.blocks[i]));
	list_for_each_entry(img, &txn->images, logged) {
		first = img->page;
		nr = msyncfs_images_run(txn, &img);
		msyncfs_io_add_run(io, blkno, first, nr);
		blkno += nr;
	}
	msyncfs_io_submit(io, txn->fua ? REQ_FUA : 0);
	blk_finish_plug(&plug);
}

/* Write the record and make it durable. */
static int msyncfs_log_write(struct msyncfs_log *log, struct msyncfs_txn *txn)
{
	struct msyncfs_io io;
	int err;

	/*
	 * Send the flush as its own command, because the record must not be
	 * written if the flush fails.
	 */
	if (txn->preflush && !msyncfs_breaks(FUA)) {
		msyncfs_log_set_busy(log, true);
		err = msyncfs_flush(log->sbi->sb);
		msyncfs_log_set_busy(log, false);
		if (err)
			return err;
	}
	msyncfs_break_home(log->sbi->sb, txn);
	txn->fua = msyncfs_log_one_fua(log, msyncfs_record_blocks(txn));
	trace_msyncfs_commit_send(log->sbi->sb, txn->tid,
				  msyncfs_record_blocks(txn));
	msyncfs_log_send(log, txn, &io);
	msyncfs_log_set_busy(log, true);
	msyncfs_log_started(log, txn->tid);
	msyncfs_pool_refill(log, &io);
	err = msyncfs_io_wait(&io, 0);
	if (err) {
		msyncfs_err(log->sbi->sb,
			    "log record %llu at block %llu: write failed (%d)",
			    txn->seq, log->sbi->geo.log_start + txn->pos, err);
		/* A failed FUA write counts as a failed flush. */
		msyncfs_flush_failed(log->sbi->sb, 0);
		if (++log->failed > 1)
			msyncfs_abort(log->sbi->sb, "the log cannot be written", err);
		return err;
	}
	return txn->fua ? msyncfs_flush_failed(log->sbi->sb, 0) :
			  msyncfs_flush(log->sbi->sb);
}

/**
 * msyncfs_log_carry - write images that are durable already once more
 * @log: log of the mount, without a failed record
 * @txn: transaction whose images are in the index; it belongs to the index
 *	after success
 *
 * The checkpoint carries images that cannot be written home to a new record, so
 * that it can retire their old records. If the whole device fails, the first
 * write of this function fails, and this error has no consequence.
 *
 * Context: under commit_mutex and checkpoint_mutex; sleeps for the device.
 * Return: 0, or the error of the device. After an error, recovery does not find
 * the new record, or the filesystem is aborted. If the log is full, -EIO.
 */
int msyncfs_log_carry(struct msyncfs_log *log, struct msyncfs_txn *txn)
{
	struct msyncfs_io io;
	int err;

	/* If the slot cannot be written, such records may fill the log. */
	if (!msyncfs_log_fits(log, txn, log->sbi->geo.log_blocks))
		return -EIO;
	err = msyncfs_log_zero(log, txn->pos);
	if (err)
		return err;
	txn->seq = log->seq;
	msyncfs_seal(log, txn);
	msyncfs_log_send(log, txn, &io);
	err = msyncfs_io_wait(&io, 0);
	if (err) {
		msyncfs_log_invalidate(log, txn->pos);
		return err;
	}
	err = msyncfs_flush(log->sbi->sb);
	if (err)
		return err;
	log->nr_commits++;
	log->seq++;
	log->head_pos = txn->pos + msyncfs_record_blocks(txn);
	mutex_lock(&log->index.lock);
	msyncfs_index_append(log, txn);
	mutex_unlock(&log->index.lock);
	return 0;
}

/*
 * Start a background checkpoint after a delay, and at once if the log is more
 * than five eighths full.
 */
static void msyncfs_log_kick(struct msyncfs_log *log)
{
	if (test_bit(MSYNCFS_SB_CKPT_PAUSED, &log->sbi->state))
		return;
	if (msyncfs_log_excess(log))
		queue_work(log->sbi->wq, &log->checkpoint_work);
	queue_delayed_work(log->sbi->wq, &log->checkpoint_timer,
			   MSYNCFS_CHECKPOINT_DELAY);
}

/*
 * Note that the record is durable. Add its images to the index, and tell the
 * members of its transaction.
 */
static void msyncfs_log_done(struct msyncfs_log *log, struct msyncfs_txn *txn)
{
	u64 tid = txn->tid;

	log->failed = 0;
	log->nr_commits++;
	log->nr_fua += txn->fua;
	log->nr_callers += txn->callers;
	log->seq++;
	log->head_pos = txn->pos + msyncfs_record_blocks(txn);
	/* A checkpoint may free the transaction once it is in the index. */
	msyncfs_txn_settle(txn, 0);
	msyncfs_index_add(log, txn);
	msyncfs_txn_end(log);
	msyncfs_log_kick(log);
	/* A task that sees this tid also sees the images in the index. */
	smp_store_release(&log->durable_tid, tid);
}

/*
 * Note the number of callers to expect for the next record, and the time that
 * the record of @txn took.
 */
static void msyncfs_gather_expect(struct msyncfs_log *log,
				  struct msyncfs_txn *txn, u64 began)
{
	spin_lock(&log->txn_lock);
	log->expected = txn->callers + log->running->callers;
	spin_unlock(&log->txn_lock);
	WRITE_ONCE(log->ended, ktime_get_ns());
	log->took = log->ended - began;
}

/*
 * Wait a limited time until the expected callers have joined the running
 * transaction. Return at once if the last record became durable long ago or if
 * all expected callers have joined.
 */
static void msyncfs_gather(struct msyncfs_log *log)
{
	u64 most = min_t(u64, log->took / MSYNCFS_GATHER_PART,
			 MSYNCFS_GATHER_MAX);
	u64 gone = ktime_get_ns() - log->ended;

	lockdep_assert_held(&log->commit_mutex);

	if (most < MSYNCFS_GATHER_MIN || gone >= most)
		return;
	wait_event_hrtimeout(log->sbi->wait,
			     READ_ONCE(log->running->callers) >=
				     log->expected ||
			     msyncfs_log_dead(log->sbi),
			     ns_to_ktime(most - gone));
}

/* Count a caller that is going to wait until @tid is durable. */
static void msyncfs_gather_join(struct msyncfs_log *log, u64 tid)
{
	bool last = false;

	spin_lock(&log->txn_lock);
	if (log->running->tid == tid)
		last = ++log->running->callers == log->expected;
	spin_unlock(&log->txn_lock);
	if (last)
		wake_up_all(&log->sbi->wait);
}

/*
 * Reopen a transaction that could not be cut, and tell its members and callers.
 */
static void msyncfs_txn_reopen(struct msyncfs_log *log,
			       struct msyncfs_txn *txn, int err)
{
	msyncfs_txn_settle(txn, err);
	spin_lock(&log->txn_lock);
	txn->pinned = 0;
	txn->early = false;
	txn->locked = false;
	spin_unlock(&log->txn_lock);
	msyncfs_log_failed(log, err);
}

/*
 * Note that the record could not be made durable.
 *
 * The data of the failed record is in dirty pages again. The metadata of the
 * failed record is only in this record. So make sure that a later commit writes
 * the record again. Until then the running transaction cannot be committed, so
 * its members are told, too.
 */
static void msyncfs_cut_failed(struct msyncfs_log *log, struct msyncfs_txn *txn,
			       int err)
{
	msyncfs_txn_settle(txn, err);
	msyncfs_log_failed(log, err);
	log->retry = true;
	if (msyncfs_breaks(FAILED))
		log->head_pos = txn->pos + msyncfs_record_blocks(txn);
	queue_delayed_work(log->sbi->wq, &log->commit_work,
			   MSYNCFS_COMMIT_DELAY);
	msyncfs_txn_reopen(log, msyncfs_txn_lock(log), err);
}

/* Write the record in log->cutting, for the first time or after a failure. */
static int msyncfs_cut_commit(struct msyncfs_log *log)
{
	struct msyncfs_txn *txn = log->cutting;
	u64 began;
	int err;

	err = msyncfs_cut_check(log, txn) ?: msyncfs_log_position(log, txn);
	txn->seq = log->seq;
	began = ktime_get_ns();
	if (!err) {
		msyncfs_seal(log, txn);
		err = msyncfs_log_write(log, txn);
	}
	trace_msyncfs_commit(log->sbi->sb, txn->tid, txn->seq, txn->pos,
			     msyncfs_record_blocks(txn), txn->preflush,
			     txn->fua, err);
	msyncfs_log_set_busy(log, false);
	if (err) {
		msyncfs_cut_failed(log, txn, err);
		return err;
	}
	log->retry = false;
	msyncfs_gather_expect(log, txn, began);
	msyncfs_log_done(log, txn);
	return 0;
}

/*
 * Cut the running transaction. It becomes log->cutting, unless it is empty.
 * Return -EIO if the log is dead. In this case an operation may have stopped
 * half way, and the changes of this operation must not become durable.
 */
static int msyncfs_cut_running(struct msyncfs_log *log)
{
	struct msyncfs_txn *txn, *next;

	next = msyncfs_txn_alloc(log->running->tid + 1);
	txn = msyncfs_txn_lock(log);
	if (msyncfs_log_dead(log->sbi)) {
		msyncfs_txn_free(log, next);
		msyncfs_txn_reopen(log, txn, -EIO);
		return -EIO;
	}
	if (txn->nr)
		msyncfs_cut(log, txn);
	msyncfs_txn_switch(log, next);
	if (txn->nr)
		return 0;
	msyncfs_txn_end(log);
	WARN_ON_ONCE(!list_empty(&txn->members));
	WRITE_ONCE(log->durable_tid, txn->tid);
	msyncfs_log_started(log, txn->tid);
	msyncfs_txn_free(log, txn);
	return 0;
}

/*
 * If there is a failed record, write it again. Then commit the running
 * transaction, unless @tid is durable already.
 */
static int msyncfs_commit_running(struct msyncfs_log *log, u64 tid)
{
	int err = msyncfs_gate_enter(log->sbi);

	lockdep_assert_held(&log->commit_mutex);

	if (err)
		return err;
	if (log->retry)
		err = msyncfs_cut_commit(log);
	if (!err && log->durable_tid < tid) {
		err = msyncfs_cut_running(log);
		if (!err && log->cutting)
			err = msyncfs_cut_commit(log);
	}
	msyncfs_gate_leave(log->sbi);
	return err;
}

static bool msyncfs_log_durable(struct msyncfs_log *log, u64 tid)
{
	/* Pairs with the release in msyncfs_log_done(). */
	return smp_load_acquire(&log->durable_tid) >= tid;
}

/**
 * msyncfs_durable - tell whether a transaction is durable
 * @sbi: filesystem
 * @tid: transaction
 *
 * Context: any.
 * Return: true if the transaction is durable. Then the caller also sees the
 * images of the transaction in the index.
 */
bool msyncfs_durable(struct msyncfs_sb_info *sbi, u64 tid)
{
	return msyncfs_log_durable(sbi->log, tid);
}

/*
 * Wait until @tid is durable, until a commit has failed, or until commit_mutex
 * is free. In the last case take commit_mutex and return true: the caller must
 * commit. @fails is the value of log->fails when the caller began.
 *
 * After a failure the caller gets the error. If each waiting caller wrote the
 * failed record again at once, a short failure of the device would make two
 * attempts fail, and the second failure is final.
 *
 * Do not use mutex_lock(). In mutex_lock(), a task would wait for the whole next
 * commit even if the record of the task is durable already.
 */
static bool msyncfs_commit_lock(struct msyncfs_log *log, u64 tid,
				unsigned int fails)
{
	bool mine = false;

	might_lock(&log->commit_mutex);
	wait_event(log->commit_wait, msyncfs_log_durable(log, tid) ||
		   READ_ONCE(log->fails) != fails ||
		   (mine = mutex_trylock(&log->commit_mutex)));
	return mine;
}

static void msyncfs_commit_unlock(struct msyncfs_log *log)
{
	mutex_unlock(&log->commit_mutex);
	wake_up_all(&log->commit_wait);
}

/**
 * msyncfs_commit - make a transaction durable
 * @sb: filesystem
 * @tid: transaction; if it is durable already, nothing happens
 *
 * Context: sleeps for the device; the caller holds no handle, folio lock,
 * i_freeze or mmap_lock (P4).
 * Return: 0; the error of a closed gate (msyncfs_gate_enter()); or another error
 * because of which the transaction is not durable. After an error, the next
 * commit tries again.
 */
int msyncfs_commit(struct super_block *sb, u64 tid)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	unsigned int nofs, fails = READ_ONCE(log->fails);
	int err = 0;

	if (msyncfs_log_durable(log, tid))
		return 0;
	if (msyncfs_breaks(ACK) && !(current->flags & PF_WQ_WORKER)) {
		msyncfs_commit_start(sb, tid);
		return 0;
	}
	/* Do not count the background commit: nobody waits for it. */
	if (!(current->flags & PF_WQ_WORKER))
		msyncfs_gather_join(log, tid);
	nofs = memalloc_nofs_save();
	if (msyncfs_commit_lock(log, tid, fails)) {
		if (log->durable_tid < tid && log->fails == fails) {
			msyncfs_gather(log);
			err = msyncfs_commit_running(log, tid);
		}
		msyncfs_commit_unlock(log);
	}
	if (!err && !msyncfs_log_durable(log, tid)) {
		smp_rmb();	/* pairs with msyncfs_log_failed() */
		err = READ_ONCE(log->error);
	}
	memalloc_nofs_restore(nofs);
	return err;
}

/* Return true if msyncfs_commit_start() need not wait any longer. */
static bool msyncfs_commit_started(struct msyncfs_log *log, u64 tid,
				   unsigned int fails)
{
	return READ_ONCE(log->started_tid) >= tid || READ_ONCE(log->busy) ||
	       READ_ONCE(log->fails) != fails || msyncfs_gate_error(log->sbi);
}

/**
 * msyncfs_commit_start - start the commit of a transaction
 * @sb: filesystem
 * @tid: transaction
 *
 * The function returns in four cases. First, the record of @tid has been sent
 * to the device. Second, a commit already waits for the device, and the record
 * of @tid is the next record. The commit may wait for another record, or for a
 * checkpoint that makes room in the log. Third, a commit has failed, and the
 * mappings remember the error. Fourth, the gate is closed.
 *
 * Context: may sleep, until all open handles have ended. The function waits for
 * the device only if a task with an open handle waits for the device. The
 * caller holds no handle, folio lock, i_freeze or mmap_lock (P4).
 */
void msyncfs_commit_start(struct super_block *sb, u64 tid)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	unsigned int fails = READ_ONCE(log->fails);

	if (msyncfs_log_durable(log, tid))
		return;
	mod_delayed_work(log->sbi->wq, &log->commit_work, 0);
	wait_event(log->sbi->wait, msyncfs_commit_started(log, tid, fails));
}

/**
 * msyncfs_commit_early - start a commit that should not wait for its time
 * @sb: filesystem
 *
 * The pages of a transaction can be freed only when its record is durable. So
 * background writeback calls this function each time after it has attached
 * pages. The function starts a commit when the running transaction keeps many
 * pages in memory. It also starts one when the transaction has half of the
 * images that a record takes. Otherwise an operation would find no room, and
 * would wait for the commit under i_commit_lock. The function does not wait for
 * the commit it starts.
 *
 * But the commit of the previous record may take long, for example if the
 * device is slow to flush its cache. Then the running transaction goes on to
 * grow. When it is twice as large, the caller has to wait.
 *
 * Context: as msyncfs_commit(). The caller holds no lock for which msync waits.
 */
void msyncfs_commit_early(struct super_block *sb)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	unsigned int images = log->sbi->geo.record_images;
	bool start = false, wait = false;
	struct msyncfs_txn *txn;
	u64 tid;

	spin_lock(&log->txn_lock);
	txn = log->running;
	tid = txn->tid;
	if (txn->pinned >= log->pin_max || txn->nr >= images / 2) {
		start = !txn->early;
		txn->early = true;
		wait = txn->pinned >= 2 * log->pin_max ||
		       txn->nr >= images / 4 * 3;
	}
	spin_unlock(&log->txn_lock);
	/* Ignore the error, as msyncfs_commit_work() does. */
	if (wait)
		msyncfs_commit(sb, tid);
	else if (start)
		mod_delayed_work(log->sbi->wq, &log->commit_work, 0);
}

/**
 * msyncfs_commit_all - make all changes durable that were made before the call
 * @sb: filesystem
 *
 * Context: as msyncfs_commit().
 * Return: as msyncfs_commit().
 */
int msyncfs_commit_all(struct super_block *sb)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	u64 tid;

	spin_lock(&log->txn_lock);
	tid = log->running->tid;
	spin_unlock(&log->txn_lock);
	return msyncfs_commit(sb, tid);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_commit_all);
