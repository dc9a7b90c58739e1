// SPDX-License-Identifier: GPL-2.0
/*
 * Operations: the handles under which metadata changes, and the running
 * transaction that they fill. The transaction is cut and written by fs/log.c,
 * only while no handle is open (R1). Metadata blocks are read here too, so that
 * no block is used before it has been checked.
 */
#include <kunit/visibility.h>
#include <linux/blkdev.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "txn.h"

/**
 * msyncfs_txn_alloc - make an empty transaction
 * @tid: its number
 *
 * Context: may sleep.
 * Return: the transaction; never NULL, a commit under way has no way back.
 */
struct msyncfs_txn *msyncfs_txn_alloc(u64 tid)
{
	struct msyncfs_txn *txn;

	txn = kzalloc(sizeof(*txn), GFP_NOFS | __GFP_NOFAIL);
	txn->tid = tid;
	xa_init(&txn->meta);
	xa_init(&txn->data);
	INIT_LIST_HEAD(&txn->members);
	return txn;
}

/**
 * msyncfs_txn_free - free a transaction and drop what it still holds
 * @txn: without members
 */
void msyncfs_txn_free(struct msyncfs_txn *txn)
{
	struct buffer_head *bh;
	struct msyncfs_image *img;
	unsigned long blkno;

	xa_for_each(&txn->meta, blkno, bh)
		put_bh(bh);
	xa_for_each(&txn->data, blkno, img)
		msyncfs_image_put(img);
	xa_destroy(&txn->meta);
	xa_destroy(&txn->data);
	WARN_ON_ONCE(!list_empty(&txn->members));
	kfree(txn);
}

/**
 * msyncfs_txn_settle - tell the members of a transaction how it ended
 * @txn: transaction
 * @err: 0 if it is durable, else the reason why it is not
 *
 * Context: under commit_mutex, or nobody uses the filesystem any more.
 */
void msyncfs_txn_settle(struct msyncfs_txn *txn, int err)
{
	struct msyncfs_member *member, *next;

	list_for_each_entry_safe(member, next, &txn->members, list) {
		list_del(&member->list);
		member->settled(member, err);
	}
}

/* Closes the running transaction for handles and waits for those open. */
struct msyncfs_txn *msyncfs_txn_lock(struct msyncfs_log *log)
{
	struct msyncfs_txn *txn;

	rwsem_acquire(&log->op_map, 0, 0, _THIS_IP_);
	rwsem_release(&log->op_map, _THIS_IP_);

	spin_lock(&log->txn_lock);
	txn = log->running;
	txn->locked = true;
	spin_unlock(&log->txn_lock);
	wait_event(log->sbi->wait, !READ_ONCE(txn->active));
	return txn;
}

/* Opens @next for handles in place of a transaction that has been cut. */
void msyncfs_txn_switch(struct msyncfs_log *log,
			       struct msyncfs_txn *next)
{
	spin_lock(&log->txn_lock);
	log->cutting = log->running;
	log->running = next;
	spin_unlock(&log->txn_lock);
	wake_up_all(&log->sbi->wait);
}

/* The record of a cut transaction is done: its images are found elsewhere. */
void msyncfs_txn_end(struct msyncfs_log *log)
{
	struct msyncfs_txn *txn = log->cutting;

	spin_lock(&log->txn_lock);
	log->cutting = NULL;
	spin_unlock(&log->txn_lock);
	msyncfs_txn_free(txn);
}

/**
 * msyncfs_cut_end - free a record that is durable or has been given up
 * @log: of the mount
 * @cut: record
 *
 * Context: under commit_mutex, or nobody uses the filesystem any more.
 */
void msyncfs_cut_end(struct msyncfs_log *log,
			    struct msyncfs_cut *cut)
{
	unsigned int i;

	msyncfs_txn_end(log);
	for (i = 0; i < cut->nr; i++)
		msyncfs_image_put(cut->images[i]);
	for (i = 0; i < cut->nr_header; i++)
		__free_page(cut->header[i]);
	kvfree(cut->images);
	kvfree(cut->header);
	kfree(cut);
}

/* May a handle that dirties up to @credits more blocks join @txn? */
static bool msyncfs_txn_room(struct msyncfs_log *log,
			     struct msyncfs_txn *txn, unsigned int credits)
{
	return txn->nr + txn->credits + credits <= log->sbi->geo.record_images;
}

/* Is it @op's turn to look for room? Caller holds txn_lock. */
static bool msyncfs_op_turn(struct msyncfs_log *log, struct msyncfs_op *op)
{
	return !log->running->locked && (!log->next_op || log->next_op == op);
}

static bool msyncfs_op_may_try(struct msyncfs_log *log,
			       struct msyncfs_op *op)
{
	bool may;

	spin_lock(&log->txn_lock);
	may = msyncfs_op_turn(log, op);
	spin_unlock(&log->txn_lock);
	return may;
}

static int msyncfs_dead_error(struct msyncfs_log *log)
{
	if (test_bit(MSYNCFS_SB_SHUTDOWN, &log->sbi->state))
		return -EIO;
	if (test_bit(MSYNCFS_SB_ABORTED, &log->sbi->state))
		return -EROFS;
	return 0;
}

/*
 * Joins the running transaction if there is room in it, else sets *@full to its
 * tid. Small operations would fill a new transaction before a large one gets a
 * chance, so who found no room twice (@first) is let in before all others.
 */
static bool msyncfs_op_try_join(struct msyncfs_op *op, bool first, u64 *full)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);
	struct msyncfs_txn *txn;
	bool joined = false;

	*full = 0;
	spin_lock(&log->txn_lock);
	txn = log->running;
	if (!msyncfs_op_turn(log, op)) {
		;	/* wait */
	} else if (msyncfs_txn_room(log, txn, op->credits)) {
		txn->active++;
		txn->credits += op->credits;
		op->tid = txn->tid;
		joined = true;
	} else {
		*full = txn->tid;
		if (first)
			log->next_op = op;
	}
	spin_unlock(&log->txn_lock);
	return joined;
}

static int msyncfs_op_wait_join(struct msyncfs_op *op)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);
	unsigned int tries = 0;
	u64 full;
	int err;

	for (;;) {
		err = msyncfs_dead_error(log);
		if (err || msyncfs_op_try_join(op, tries > 0, &full))
			return err;
		if (full) {
			tries++;
			err = msyncfs_commit(op->sb, full);
			if (err)
				return err;
		} else {
			wait_event(log->sbi->wait, msyncfs_op_may_try(log, op));
		}
	}
}

/* Joins the running transaction; waits for room in it. */
static int msyncfs_op_join(struct msyncfs_op *op)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);
	bool was_next;
	int err;

	if (WARN_ON_ONCE(op->credits > log->sbi->geo.record_images))
		return -EFBIG;

	err = msyncfs_op_wait_join(op);

	spin_lock(&log->txn_lock);
	was_next = log->next_op == op;
	if (was_next)
		log->next_op = NULL;
	spin_unlock(&log->txn_lock);
	if (was_next)
		wake_up_all(&log->sbi->wait);
	return err;
}

static int msyncfs_op_start(struct super_block *sb, struct msyncfs_op *op,
			    unsigned int credits, u64 blocks, bool promised)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);
	int err;

	/*
	 * For lockdep a handle is a shared lock that a commit waits for. So it
	 * sees a handle that begins under a lock which a holder of another one
	 * may want (P4). It is not held yet while the code below waits for
	 * commits itself.
	 */
	might_sleep();
	rwsem_acquire_read(&log->op_map, 0, 0, _THIS_IP_);
	rwsem_release(&log->op_map, _THIS_IP_);
	op->sb = sb;
	op->credits = credits;
	op->blocks = blocks;
	op->claimed = 0;
	op->fulfilled = 0;
	op->promised = promised;

	if (blocks) {
		err = log->hooks->hold(op);
		if (err)
			return err;
	}
	op->nofs = memalloc_nofs_save();
	err = msyncfs_op_join(op);
	if (err) {
		memalloc_nofs_restore(op->nofs);
		if (blocks)
			log->hooks->release(op);
		return err;
	}
	rwsem_acquire_read(&log->op_map, 0, 1, _THIS_IP_);
	return 0;
}

/**
 * msyncfs_op_begin - begin an atomic change of metadata
 * @sb: filesystem
 * @op: handle to fill in
 * @credits: metadata blocks that the change dirties at most
 * @blocks: blocks that it allocates at most
 *
 * All that happens up to msyncfs_op_end() is in one record. Handles do not
 * nest. Memory is allocated without filesystem reclaim until the end.
 *
 * Context: may wait for a commit and a checkpoint; the caller holds no handle,
 * folio lock, i_freeze, mmap_lock or invalidate_lock (P4).
 * Return: 0, -ENOSPC, -EROFS or -EIO when the log is dead, or the error of the
 * commit that had to make room.
 */
int msyncfs_op_begin(struct super_block *sb, struct msyncfs_op *op,
		     unsigned int credits, u64 blocks)
{
	return msyncfs_op_start(sb, op, credits, blocks, false);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_op_begin);

/**
 * msyncfs_op_begin_promised - the same for blocks that dirty pages have reserved
 * @sb: filesystem
 * @op: handle to fill in
 * @credits: blocks that go into the record at most
 * @blocks: blocks to allocate, already counted by msyncfs_resv_page()
 *
 * Context: as msyncfs_op_begin().
 * Return: as msyncfs_op_begin().
 */
int msyncfs_op_begin_promised(struct super_block *sb, struct msyncfs_op *op,
			  unsigned int credits, u64 blocks)
{
	return msyncfs_op_start(sb, op, credits, blocks, true);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_op_begin_promised);

/**
 * msyncfs_op_end - end an atomic change
 * @op: from msyncfs_op_begin()
 *
 * The change is durable after msyncfs_commit(sb, op->tid); without one, after
 * some seconds.
 */
void msyncfs_op_end(struct msyncfs_op *op)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);
	struct msyncfs_txn *txn;
	bool drained, work;

	spin_lock(&log->txn_lock);
	txn = log->running;
	txn->credits -= op->credits;
	drained = !--txn->active && txn->locked;
	work = txn->nr > 0;
	spin_unlock(&log->txn_lock);

	if (drained)
		wake_up_all(&log->sbi->wait);
	if (op->blocks || op->claimed || op->fulfilled)
		log->hooks->release(op);
	if (work)
		queue_delayed_work(log->sbi->wq, &log->commit_work,
				   MSYNCFS_COMMIT_DELAY);
	memalloc_nofs_restore(op->nofs);
	rwsem_release(&log->op_map, _THIS_IP_);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_op_end);

/**
 * msyncfs_all_durable - is there nothing that a commit would write?
 * @sbi: filesystem
 * @tid: transaction after which there will not be, as of now
 *
 * Return: true if so.
 */
bool msyncfs_all_durable(struct msyncfs_sb_info *sbi, u64 *tid)
{
	struct msyncfs_log *log = sbi->log;
	bool durable;

	spin_lock(&log->txn_lock);
	*tid = log->running->tid;
	durable = !log->running->nr && !log->running->active && !log->cutting;
	spin_unlock(&log->txn_lock);
	return durable;
}

/* The handle is open, so the running transaction is the handle's. */
static struct msyncfs_txn *msyncfs_op_txn(struct msyncfs_op *op)
{
	struct msyncfs_txn *txn = MSYNCFS_LOG(op->sb)->running;

	WARN_ON_ONCE(txn->tid != op->tid || !txn->active);
	return txn;
}

static void msyncfs_op_charge(struct msyncfs_op *op, struct msyncfs_txn *txn)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);

	spin_lock(&log->txn_lock);
	txn->nr++;
	if (!WARN_ON_ONCE(!op->credits)) {
		op->credits--;
		txn->credits--;
	}
	spin_unlock(&log->txn_lock);
}

/**
 * msyncfs_op_dirty - make a metadata block part of the transaction
 * @op: open handle
 * @bh: from msyncfs_bread() or msyncfs_op_new()
 *
 * To be called in the same operation as the modification, before or after it.
 * Takes a reference of its own; uses a credit if the block is new to the
 * transaction.
 */
void msyncfs_op_dirty(struct msyncfs_op *op, struct buffer_head *bh)
{
	struct msyncfs_txn *txn = msyncfs_op_txn(op);

	if (xa_load(&txn->meta, bh->b_blocknr))
		return;
	get_bh(bh);
	if (xa_cmpxchg(&txn->meta, bh->b_blocknr, NULL, bh,
		       GFP_NOFS | __GFP_NOFAIL))
		put_bh(bh);	/* another handle was faster */
	else
		msyncfs_op_charge(op, txn);
}

/* The content of a block that is freed need not be written any more. */
void msyncfs_op_undirty(struct msyncfs_op *op, u64 blkno)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);
	struct msyncfs_txn *txn = msyncfs_op_txn(op);
	struct buffer_head *bh;

	bh = xa_erase(&txn->meta, blkno);
	if (!bh)
		return;
	put_bh(bh);
	spin_lock(&log->txn_lock);
	txn->nr--;
	spin_unlock(&log->txn_lock);
}

/**
 * msyncfs_op_forget - a metadata block is being freed
 * @op: open handle, the one that frees it
 * @blkno: block
 * @magic: MSYNCFS_MAGIC_*, what it was when it was last read
 * @owner: whose it was
 *
 * It may become a new block of metadata, and its content need not be written
 * any more. An image in an earlier record may still go home: nobody reuses the
 * block before (B3).
 *
 * Return: 0; -EUCLEAN (logged) if it is other metadata by now and must not be
 * freed; nothing has changed then.
 */
int msyncfs_op_forget(struct msyncfs_op *op, u64 blkno, u32 magic, u64 owner)
{
	int err = msyncfs_block_forget(op->sb, blkno, magic, owner);

	if (!err)
		msyncfs_op_undirty(op, blkno);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_op_forget);

/**
 * msyncfs_op_add - make images of data part of the transaction
 * @op: open handle with a credit for each image
 * @images: list of images that have their home blocks, or NULL
 * @member: told how the transaction ends
 *
 * The transaction takes a reference of each image. A newer image of a block
 * replaces an older one.
 *
 * Context: inside @op; may sleep.
 */
void msyncfs_op_add(struct msyncfs_op *op, struct list_head *images,
		       struct msyncfs_member *member)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);
	struct msyncfs_txn *txn = msyncfs_op_txn(op);
	struct msyncfs_image *img, *old;

	if (images) {
		list_for_each_entry(img, images, list) {
			refcount_inc(&img->ref);
			old = xa_store(&txn->data, img->home, img,
				       GFP_NOFS | __GFP_NOFAIL);
			if (old)
				msyncfs_image_put(old);
			else
				msyncfs_op_charge(op, txn);
		}
	}
	spin_lock(&log->txn_lock);
	list_add_tail(&member->list, &txn->members);
	spin_unlock(&log->txn_lock);
}

/**
 * msyncfs_op_preflush - the record makes blocks visible that lie outside the log
 * @op: open handle
 *
 * Those blocks have been written (completed, not flushed) before this call; the
 * record goes out after a flush (R3).
 */
void msyncfs_op_preflush(struct msyncfs_op *op)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);

	spin_lock(&log->txn_lock);
	msyncfs_op_txn(op)->preflush = true;
	spin_unlock(&log->txn_lock);
}
