// SPDX-License-Identifier: GPL-2.0
/*
 * This file recovers the log at mount. Recovery runs after the check of the
 * superblock and before the mount reads any other block. It finds the tail slot
 * in force, writes the images of the log home and starts a new, empty log.
 * fs/disk/logscan.c decides which records are good. tail.c writes the new tail
 * slot. fs/vfs/reclaim.c deletes orphans later.
 */

/**
 * DOC: steps of recovery, and the state after a crash in each step
 *
 * 1. Read both slots and the log. Nothing is written.
 * 2. Write the newest image of each block home, in block order. After a crash
 *    the old slot is in force and the log is unchanged, so the next mount
 *    repeats this step. Each image is a copy of a whole block, so the
 *    repetition is harmless.
 * 3. Flush the device. The slot of step 4 says that the log is not needed any
 *    more, so the home blocks must be durable before that slot (R6).
 *    Images whose home blocks cannot be written stay in the index. After step 3
 *    the rest of the mount reads them from there, and msyncfs_log_start() does
 *    step 4. A checkpoint carries them to a record with the new nonce behind the
 *    old records, before it writes the slot.
 * 4. Write the other slot with a new nonce, and make it durable. If a crash
 *    tears this write, the old slot is in force and the next mount begins with
 *    step 1. When the new slot is durable, the log is empty, because no record
 *    in the log has the new nonce. A read-only mount writes a slot without a
 *    nonce, unless the old slot has none.
 */
#include <linux/blkdev.h>
#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "txn.h"

#define REPLAY_BATCH	256	/* images in memory at a time */

/**
 * struct replay - one recovery
 * @sb: filesystem that is being mounted
 * @slot: the tail slot in force
 * @homes: for each home block, twice the log position of the newest image of
 *	the block, plus one for an image of metadata
 * @records: number of good records
 * @images: number of home blocks in @homes
 * @end: position behind the last good record
 * @stuck: record for the images whose home blocks cannot be written, or NULL
 */
struct replay {
	struct super_block		*sb;
	struct msyncfs_disk_slot	slot;
	struct xarray			homes;
	u64				records;
	u64				images;
	u64				end;
	struct msyncfs_txn		*stuck;
};

/*
 * One batch of images, which are read together and then written home together.
 */
struct batch {
	unsigned int	nr;
	struct {
		u64		home;
		u64		pos;
		struct page	*page;
	} e[REPLAY_BATCH];
};

static struct page *buf_page(const void *buf)
{
	return is_vmalloc_addr(buf) ? vmalloc_to_page(buf) : virt_to_page(buf);
}

/* Read @nr blocks into page-aligned memory, without the buffer cache. */
static int read_blocks(struct super_block *sb, u64 blkno, u32 nr, void *buf)
{
	struct msyncfs_io io;
	int err;
	u32 i;

	msyncfs_io_init(&io, sb, false);
	io.opf = REQ_OP_READ | REQ_META;
	for (i = 0; i < nr; i++)
		msyncfs_io_add(&io, blkno + i,
			       buf_page(buf + i * MSYNCFS_BLOCK_SIZE));
	err = msyncfs_io_wait(&io, 0);
	if (is_vmalloc_addr(buf))
		invalidate_kernel_vmap_range(buf, nr * MSYNCFS_BLOCK_SIZE);
	return err;
}

static int read_log(void *ctx, u64 pos, u32 nr, void *buf)
{
	struct replay *rp = ctx;
	struct msyncfs_geo *geo = &MSYNCFS_SB(rp->sb)->geo;

	cond_resched();
	return read_blocks(rp->sb, geo->log_start + pos, nr, buf);
}

/*
 * Check slot @i, which has been read into @buf. Return NULL if the slot is
 * valid, else a text that says what is wrong.
 */
static const char *check_slot(struct super_block *sb, unsigned int i,
			      const void *buf)
{
	const struct msyncfs_disk_slot *slot = buf;
	const char *why;

	why = msyncfs_verify_slot(&MSYNCFS_SB(sb)->geo, slot);
	if (!why && le64_to_cpu(slot->counter) % MSYNCFS_NR_SLOTS != i)
		why = "tail slot in the wrong block";
	return why;
}

/*
 * Find the slot in force: the valid slot with the larger counter. One invalid
 * slot is normal, because a crash may have torn its write. The other slot then
 * still describes the log, because log space is reused only after a new slot is
 * durable. A slot that cannot be read is an error. The unreadable slot may be
 * the slot in force, and a replay from the other slot would undo later changes.
 */
static int find_slot(struct replay *rp, void *buf)
{
	const struct msyncfs_disk_slot *slot = buf;
	const char *why[MSYNCFS_NR_SLOTS];
	bool any = false;
	unsigned int i;
	int err;

	for (i = 0; i < MSYNCFS_NR_SLOTS; i++) {
		err = read_blocks(rp->sb, MSYNCFS_SLOT_BLKNO + i, 1, buf);
		if (err) {
			msyncfs_err(rp->sb, "block %u: log tail: cannot be read (%d)",
				    MSYNCFS_SLOT_BLKNO + i, err);
			return err;
		}
		why[i] = check_slot(rp->sb, i, buf);
		if (why[i])
			continue;
		if (!any || le64_to_cpu(slot->counter) >
			    le64_to_cpu(rp->slot.counter))
			rp->slot = *slot;
		any = true;
	}
	if (any)
		return 0;
	msyncfs_err(rp->sb, "no valid log tail: block %u: %s; block %u: %s",
		    MSYNCFS_SLOT_BLKNO, why[0], MSYNCFS_SLOT_BLKNO + 1, why[1]);
	return -EFSCORRUPTED;
}

/*
 * Remember where the images of a good record are. An image in a later record
 * replaces the earlier image of the same block.
 */
static int note_record(void *ctx, const struct msyncfs_disk_record *rec,
		       u64 pos)
{
	struct replay *rp = ctx;
	u32 nr = le32_to_cpu(rec->nr_images);
	u64 at = pos + le32_to_cpu(rec->header_blocks);
	u32 i;

	for (i = 0; i < nr; i++) {
		u64 home = le64_to_cpu(rec->home[i]) & MSYNCFS_HOME_BLKNO;
		bool meta = le64_to_cpu(rec->home[i]) & MSYNCFS_HOME_META;
		void *old = xa_store(&rp->homes, home,
				     xa_mk_value(2 * (at + i) + meta),
				     GFP_KERNEL);

		if (xa_is_err(old))
			return xa_err(old);
		if (!old)
			rp->images++;
	}
	rp->records++;
	return 0;
}

/* Say why the scan of the log has failed, and which blocks are unreadable. */
static void report_scan(struct super_block *sb,
			const struct msyncfs_log_end *end, int err)
{
	u64 log_start = MSYNCFS_SB(sb)->geo.log_start;

	if (end->unreadable)
		msyncfs_warn(sb, "log: block %llu cannot be read; unreadable blocks: %llu",
			     log_start + end->unreadable_pos, end->unreadable);
	if (err == -EUCLEAN && end->why == MSYNCFS_REC_OLD)
		msyncfs_err(sb, "the log has records of an older version: mount the filesystem once with that version");
	else if (err == -EUCLEAN)
		msyncfs_err(sb, "log record %llu is damaged (%s) but was durable: block %llu; run fsck.msyncfs",
			    end->seq, msyncfs_reject_name(end->why),
			    log_start + end->pos);
	else if (err && err != -ENOMEM)
		msyncfs_err(sb, "the log cannot be read (%d)", err);
}

static int scan_log(struct replay *rp, u64 *end_seq)
{
	struct msyncfs_geo *geo = &MSYNCFS_SB(rp->sb)->geo;
	struct msyncfs_log_reader r = {
		.geo = geo,
		.read = read_log,
		.ctx = rp,
		.buf = kvmalloc(MSYNCFS_SCAN_BLOCKS * MSYNCFS_BLOCK_SIZE,
				GFP_KERNEL),
		.header = kvmalloc(msyncfs_record_header_blocks(geo->record_images) *
				   MSYNCFS_BLOCK_SIZE, GFP_KERNEL),
	};
	struct msyncfs_log_end end;
	int err = -ENOMEM;

	if (r.buf && r.header) {
		err = msyncfs_log_scan(&r, &rp->slot, note_record, &end);
		*end_seq = end.seq;
		rp->end = end.pos;
		report_scan(rp->sb, &end, err);
	}
	kvfree(r.header);
	kvfree(r.buf);
	return err;
}

static int batch_io(struct replay *rp, const struct batch *b, bool home)
{
	u64 log_start = MSYNCFS_SB(rp->sb)->geo.log_start;
	struct msyncfs_io io;
	unsigned int i;
	int err;

	msyncfs_io_init(&io, rp->sb, false);
	io.opf = (home ? REQ_OP_WRITE | REQ_SYNC : REQ_OP_READ) | REQ_META;
	for (i = 0; i < b->nr; i++)
		msyncfs_io_add(&io, home ? b->e[i].home : log_start + b->e[i].pos,
			       b->e[i].page);
	err = msyncfs_io_wait(&io, 0);
	if (err)
		msyncfs_err(rp->sb, home ?
			    "replay: home blocks %llu+%u: write failed (%d)" :
			    "replay: log blocks %llu+%u: cannot be read (%d)",
			    io.bad, io.bad_nr, err);
	return err;
}

/* Keep an image in the index, because its home block cannot be written. */
static int keep_image(struct replay *rp, u64 home, struct page *page)
{
	struct msyncfs_log *log = MSYNCFS_LOG(rp->sb);
	struct msyncfs_image *img;
	LIST_HEAD(images);
	int err;

	if (!rp->stuck)
		rp->stuck = msyncfs_txn_alloc(0);
	if (rp->stuck->nr == log->stuck_max)
		return -EIO;
	err = msyncfs_images_alloc(log->sbi, &images, 1, true, GFP_KERNEL);
	if (err)
		return err;
	img = list_first_entry(&images, struct msyncfs_image, list);
	img->home = home;
	img->stuck = true;
	copy_highpage(img->page, page);
	msyncfs_images_join(log, 0, &images, &rp->stuck->images);
	rp->stuck->nr++;
	list_del_init(&img->list);
	msyncfs_image_put(img);
	return 0;
}

/*
 * Write each image of a batch alone, and keep the images whose home blocks
 * cannot be written.
 */
static int batch_alone(struct replay *rp, const struct batch *b)
{
	struct msyncfs_io io;
	unsigned int i;
	int err = 0;

	for (i = 0; i < b->nr && !err; i++) {
		msyncfs_io_init(&io, rp->sb, false);
		io.opf |= REQ_META;
		msyncfs_io_add(&io, b->e[i].home, b->e[i].page);
		if (msyncfs_io_wait(&io, 0))
			err = keep_image(rp, b->e[i].home, b->e[i].page);
	}
	return err;
}

/*
 * Read the images of a batch from the log and write them home. The batch
 * ascends by home block.
 */
static int batch_home(struct replay *rp, struct batch *b)
{
	int err;

	if (!b->nr)
		return 0;
	err = batch_io(rp, b, false);
	if (!err && batch_io(rp, b, true))
		err = batch_alone(rp, b);
	b->nr = 0;
	return err;
}

static void batch_free(struct batch *b)
{
	unsigned int i;

	for (i = 0; i < REPLAY_BATCH; i++)
		if (b->e[i].page)
			__free_page(b->e[i].page);
	kvfree(b);
}

static struct batch *batch_alloc(void)
{
	struct batch *b = kvzalloc(sizeof(*b), GFP_KERNEL);
	unsigned int i;

	if (!b)
		return NULL;
	for (i = 0; i < REPLAY_BATCH; i++) {
		b->e[i].page = alloc_page(GFP_KERNEL);
		if (!b->e[i].page) {
			batch_free(b);
			return NULL;
		}
	}
	return b;
}

static int write_homes(struct replay *rp)
{
	struct batch *b = batch_alloc();
	unsigned long home;
	void *entry;
	int err = 0;

	if (!b)
		return -ENOMEM;
	xa_for_each(&rp->homes, home, entry) {
		b->e[b->nr].home = home;
		b->e[b->nr].pos = xa_to_value(entry) / 2;
		if (++b->nr < REPLAY_BATCH)
			continue;
		err = batch_home(rp, b);
		if (err)
			break;
		cond_resched();
	}
	if (!err)
		err = batch_home(rp, b);
	batch_free(b);
	return err;
}

/* Do steps 2 and 3 of the list at the top of this file. */
static int replay_log(struct replay *rp)
{
	struct super_block *sb = rp->sb;
	int err;

	if (!rp->records)
		return 0;
	err = write_homes(rp);
	if (err)
		return err;
	err = blkdev_issue_flush(sb->s_bdev);
	if (err) {
		msyncfs_err(sb, "cannot flush the device after the replay: error %d",
			    err);
		return err;
	}
	msyncfs_info(sb, "replayed the log: %llu records, %llu blocks",
		     rp->records, rp->images);
	if (rp->stuck)
		msyncfs_warn(sb, "replay: %u home blocks cannot be written, their content stays in the log",
			     rp->stuck->nr);
	return 0;
}

/*
 * Make buffers with the content of metadata blocks that cannot be written,
 * because the blocks on the device are old. The images keep the buffers in
 * memory.
 */
static int keep_buffers(struct replay *rp)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &rp->stuck->images, logged) {
		if (!(xa_to_value(xa_load(&rp->homes, img->home)) % 2))
			continue;
		img->bh = sb_getblk(rp->sb, img->home);
		if (!img->bh)
			return -ENOMEM;
		lock_buffer(img->bh);
		memcpy_from_page(img->bh->b_data, img->page, 0,
				 MSYNCFS_BLOCK_SIZE);
		set_buffer_uptodate(img->bh);
		unlock_buffer(img->bh);
	}
	return 0;
}

/*
 * Put the images whose home blocks cannot be written into the index, in place of
 * all good records.
 */
static int keep_stuck(struct replay *rp)
{
	struct msyncfs_log *log = MSYNCFS_LOG(rp->sb);
	struct msyncfs_txn *txn = rp->stuck;
	u64 used;

	log->nonce = msyncfs_new_nonce();
	log->tail.pos = le64_to_cpu(rp->slot.tail_pos);
	used = rp->end - log->tail.pos;
	if (rp->end < log->tail.pos)
		used += log->sbi->geo.log_blocks;
	/* msyncfs never fills the log, so this log is damaged. */
	if (!used)
		return -EFSCORRUPTED;
	log->head_pos = rp->end;
	txn->seq = log->seq - 1;
	/* The record ends at the head, and it counts as @used blocks. */
	txn->pos = rp->end - msyncfs_record_blocks(txn);
	txn->pad = used - msyncfs_record_blocks(txn);
	mutex_lock(&log->index.lock);
	msyncfs_index_append(log, txn);
	mutex_unlock(&log->index.lock);
	rp->stuck = NULL;
	return 0;
}

/*
 * Set the tail and the position of the next record. On a writable device, do
 * step 4 of the list at the top of this file, unless there are images whose home
 * blocks cannot be written. This step makes the log empty.
 */
static int start_log(struct replay *rp, u64 end_seq)
{
	struct super_block *sb = rp->sb;
	struct msyncfs_log *log = MSYNCFS_LOG(sb);

	log->tail.counter = le64_to_cpu(rp->slot.counter);
	log->tail.seq = end_seq;
	log->tail.pos = 0;
	log->seq = end_seq;
	log->head_pos = 0;
	log->used = 0;
	log->nonce = 0;
	if (rp->stuck)
		return keep_stuck(rp);
	if (bdev_read_only(sb->s_bdev) || MSYNCFS_SB(sb)->options.norecovery)
		return 0;
	if (!sb_rdonly(sb))
		return msyncfs_log_open(sb);
	return rp->slot.nonce ? msyncfs_write_slot(log) : 0;
}

static int recover(struct replay *rp, void *block)
{
	struct super_block *sb = rp->sb;
	u64 end_seq;
	int err;

	err = find_slot(rp, block);
	/* Without a valid slot, rp->slot is zero. Nothing will be written. */
	if (MSYNCFS_SB(sb)->options.norecovery)
		return start_log(rp, le64_to_cpu(rp->slot.tail_seq));
	if (err)
		return err;
	err = scan_log(rp, &end_seq);
	if (err)
		return err;
	if (le64_to_cpu(rp->slot.counter) > MSYNCFS_SEQ_MOUNT ||
	    end_seq > MSYNCFS_SEQ_MOUNT) {
		msyncfs_err(sb, "the numbers of the log are used up; run fsck.msyncfs");
		return -EFSCORRUPTED;
	}
	if (rp->records && bdev_read_only(sb->s_bdev)) {
		msyncfs_err(sb, "the log must be replayed, but the device is read-only");
		return -EROFS;
	}
	/*
	 * Other programs may have read blocks that the replay has overwritten, so
	 * empty the page cache of the device once more.
	 */
	err = replay_log(rp) ?: msyncfs_drop_cache(sb);
	if (!err && rp->stuck)
		err = keep_buffers(rp);
	return err ?: start_log(rp, end_seq);
}

/**
 * msyncfs_recover() - replay the log and start a new one
 * @sb: filesystem that is being mounted; its superblock is verified, and no
 *	other block has been read yet
 *
 * The function bypasses the page cache of the device. The caller must empty the
 * cache before the call, and the function empties it after the replay.
 *
 * The function sets nonce, seq, head_pos, used and tail of struct msyncfs_log.
 * A read-only mount of a writable device replays the log, too. It leaves the log
 * closed. A read-only device with an empty log stays as it is. A torn tail is
 * not replayed. With the mount option norecovery, nothing is replayed and nothing
 * is written.
 *
 * Context: process context; may sleep; no other task uses @sb.
 * Return: 0; -EUCLEAN if no tail slot is valid, the log is damaged or its
 * numbers are used up; -EROFS if a read-only device needs a replay; -ENOMEM; or
 * the error of the device. All errors except -ENOMEM are logged.
 */
int msyncfs_recover(struct super_block *sb)
{
	struct replay rp = { .sb = sb };
	struct page *page;
	int err;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	xa_init(&rp.homes);
	err = recover(&rp, page_address(page));
	if (rp.stuck)
		msyncfs_txn_free(MSYNCFS_LOG(sb), rp.stuck);
	xa_destroy(&rp.homes);
	__free_page(page);
	return err;
}
