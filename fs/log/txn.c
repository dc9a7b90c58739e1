// SPDX-License-Identifier: GPL-2.0
/*
 * This file begins and ends operations, and manages the running transaction.
 * Metadata changes only under the handle of an operation. The changed blocks
 * join the running transaction. commit.c cuts the transaction only while no
 * handle is open (R1), and writes the record. block.c reads and checks metadata
 * blocks.
 */
#include <kunit/visibility.h>
#include <linux/highmem.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "txn.h"

/**
 * msyncfs_txn_alloc - make an empty transaction
 * @tid: number of the transaction
 *
 * Context: may sleep.
 * Return: the transaction. The allocation does not fail, because a commit
 * cannot be undone half way.
 */
struct msyncfs_txn *msyncfs_txn_alloc(u64 tid)
{
	struct msyncfs_txn *txn;

	txn = kzalloc(sizeof(*txn), GFP_NOFS | __GFP_NOFAIL);
	txn->tid = tid;
	INIT_LIST_HEAD(&txn->meta);
	INIT_LIST_HEAD(&txn->images);
	INIT_LIST_HEAD(&txn->members);
	return txn;
}

/* Take a buffer out of its transaction, without dropping the reference. */
static void msyncfs_txn_remove(struct buffer_head *bh)
{
	list_del_init(&bh->b_assoc_buffers);
	clear_bit(MSYNCFS_BH_TXN, &bh->b_state);
}

/**
 * msyncfs_txn_free - free a transaction and drop its references
 * @log: log of the mount
 * @txn: transaction without members
 *
 * Context: may sleep; nobody else uses @txn.
 */
void msyncfs_txn_free(struct msyncfs_log *log, struct msyncfs_txn *txn)
{
	struct buffer_head *bh, *next;

	list_for_each_entry_safe(bh, next, &txn->meta, b_assoc_buffers) {
		msyncfs_txn_remove(bh);
		put_bh(bh);
	}
	msyncfs_images_drop(log, &txn->images);
	WARN_ON_ONCE(!list_empty(&txn->members));
	kfree(txn);
}

/**
 * msyncfs_txn_settle - tell the members of a transaction how it ended
 * @txn: transaction
 * @err: 0 if the transaction is durable, else a negative errno
 *
 * Context: under commit_mutex, or when nobody uses the filesystem any more; may
 * sleep.
 */
void msyncfs_txn_settle(struct msyncfs_txn *txn, int err)
{
	struct msyncfs_member *member, *next;

	list_for_each_entry_safe(member, next, &txn->members, list) {
		list_del(&member->list);
		member->settled(member, err);
	}
}

/**
 * msyncfs_txn_lock - close the running transaction for new handles
 * @log: log of the mount
 *
 * The function waits until all open handles have ended. Then the transaction
 * can be cut (R1).
 *
 * Context: under commit_mutex, without an open handle; may sleep.
 * Return: the running transaction, locked.
 */
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

/**
 * msyncfs_txn_switch - replace the running transaction
 * @log: log of the mount
 * @next: empty transaction, which handles join from now on
 *
 * The transaction that was running until now becomes log->cutting.
 *
 * Context: under commit_mutex, with the running transaction locked.
 */
void msyncfs_txn_switch(struct msyncfs_log *log, struct msyncfs_txn *next)
{
	spin_lock(&log->txn_lock);
	log->cutting = log->running;
	log->running = next;
	spin_unlock(&log->txn_lock);
	wake_up_all(&log->sbi->wait);
}

/**
 * msyncfs_txn_copy - copy the metadata of a transaction into images
 * @txn: transaction that is being cut
 * @images: at least nr_meta images with pages; the function takes images from
 *	this list, with their references
 *
 * An image takes over the transaction's reference to its buffer.
 *
 * Context: under commit_mutex, with the transaction locked.
 */
void msyncfs_txn_copy(struct msyncfs_txn *txn, struct list_head *images)
{
	struct buffer_head *bh, *next;
	struct msyncfs_image *img;

	list_for_each_entry_safe(bh, next, &txn->meta, b_assoc_buffers) {
		img = list_first_entry(images, struct msyncfs_image, list);
		list_del_init(&img->list);
		img->home = bh->b_blocknr;
		img->tid = txn->tid;
		img->bh = bh;
		memcpy_to_page(img->page, 0, bh->b_data, MSYNCFS_BLOCK_SIZE);
		list_add_tail(&img->logged, &txn->images);
		msyncfs_txn_remove(bh);
	}
}

/**
 * msyncfs_txn_end - note that a record is durable or has been given up
 * @log: log of the mount
 *
 * Context: under commit_mutex, or when nobody uses the filesystem any more.
 */
void msyncfs_txn_end(struct msyncfs_log *log)
{
	spin_lock(&log->txn_lock);
	log->cutting = NULL;
	spin_unlock(&log->txn_lock);
}

/*
 * Return true if a handle with @credits has room in @txn. The caller holds
 * txn_lock.
 */
static bool msyncfs_txn_room(struct msyncfs_log *log,
			     struct msyncfs_txn *txn, unsigned int credits)
{
	return txn->nr + txn->credits + credits <= log->sbi->geo.record_images;
}

/* Return true if @op may look for room now. The caller holds txn_lock. */
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

/*
 * Return the error of an operation that must not begin. On a frozen filesystem,
 * operations go on, because they change only memory.
 */
static int msyncfs_dead_error(struct msyncfs_log *log)
{
	if (test_bit(MSYNCFS_SB_SHUTDOWN, &log->sbi->state))
		return -EIO;
	if (log->sbi->state & (BIT(MSYNCFS_SB_ABORTED) | BIT(MSYNCFS_SB_RDONLY)))
		return -EROFS;
	return 0;
}

/*
 * Try to join the running transaction. Return true if @op has joined it. If the
 * transaction has no room, set *@full to its tid. If @op must wait for its
 * turn, set *@full to 0. If @first is true and the transaction has no room, @op
 * becomes next_op and joins before all others. Without next_op, small
 * operations could fill every new transaction before a large operation finds
 * room.
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
		;	/* Let the caller wait. */
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

/* Wait for room in the running transaction, and join it. */
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
	 * For lockdep, a handle is a shared lock, and a commit waits for this
	 * lock. So lockdep reports a task that begins an operation under a lock
	 * which another task takes inside an operation (P4). The code below
	 * waits for commits itself. So release the lock here, and take the lock
	 * again when the operation has begun.
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
 * @credits: largest number of blocks that the change adds to its transaction
 * @blocks: largest number of blocks that the change allocates
 *
 * All changes up to msyncfs_op_end() are in one record. Handles do not nest.
 * Until msyncfs_op_end(), all allocations of the task are GFP_NOFS.
 *
 * Context: may wait for a commit and a checkpoint; the caller holds no handle,
 * folio lock, i_freeze, mmap_lock or invalidate_lock (P4).
 * Return: 0; -ENOSPC; -EROFS after an abort or if the filesystem is read-only;
 * -EIO after a shutdown; -EFBIG if no record has room for @credits; or the error
 * of the commit that should make room.
 */
int msyncfs_op_begin(struct super_block *sb, struct msyncfs_op *op,
		     unsigned int credits, u64 blocks)
{
	return msyncfs_op_start(sb, op, credits, blocks, false);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_op_begin);

/**
 * msyncfs_op_begin_promised - begin an operation whose blocks are promised
 * @sb: filesystem
 * @op: handle to fill in
 * @credits: largest number of blocks that the change adds to its transaction
 * @blocks: largest number of blocks that the change allocates, all of them
 *	promised
 *
 * An earlier promise counts the blocks of the operation already, so the
 * function does not count them again. For example, msyncfs_resv_page() promises
 * blocks for dirty pages.
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
 * msyncfs_op_end - end an atomic change of metadata
 * @op: handle from msyncfs_op_begin()
 *
 * The change is durable after msyncfs_commit(sb, op->tid). Without that call,
 * the background commit makes the change durable after some seconds.
 *
 * Context: may sleep, does not wait for a commit.
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
 * msyncfs_all_durable - tell whether a commit would have nothing to write
 * @sbi: filesystem
 * @tid: set to the number of the running transaction. When this transaction is
 *	durable, every change made before this call is durable
 *
 * Context: any that may take a spinlock.
 * Return: true if a commit would have nothing to write.
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

/*
 * Return the transaction of an open handle. While a handle is open, its
 * transaction is the running transaction.
 */
static struct msyncfs_txn *msyncfs_op_txn(struct msyncfs_op *op)
{
	struct msyncfs_txn *txn = MSYNCFS_LOG(op->sb)->running;

	/* Other handles begin and end meanwhile. */
	WARN_ON_ONCE(txn->tid != op->tid || !data_race(txn->active));
	return txn;
}

/*
 * Count @nr blocks that an operation has added to the transaction. The caller
 * holds txn_lock.
 */
static void msyncfs_op_charge(struct msyncfs_op *op, struct msyncfs_txn *txn,
			      unsigned int nr)
{
	unsigned int credits = min(nr, op->credits);

	txn->nr += nr;
	WARN_ON_ONCE(nr > credits);
	op->credits -= credits;
	txn->credits -= credits;
}

/**
 * msyncfs_op_dirty - make a metadata block part of the transaction
 * @op: open handle
 * @bh: buffer from msyncfs_bread() or msyncfs_block_new()
 *
 * The caller modifies the block in the same operation, before or after this
 * call. The transaction takes its own reference to the buffer. The call uses a
 * credit if the block is new to the transaction.
 *
 * Context: inside @op; may sleep.
 */
void msyncfs_op_dirty(struct msyncfs_op *op, struct buffer_head *bh)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);
	struct msyncfs_txn *txn = msyncfs_op_txn(op);

	if (test_bit(MSYNCFS_BH_TXN, &bh->b_state))
		return;
	spin_lock(&log->txn_lock);
	if (!test_and_set_bit(MSYNCFS_BH_TXN, &bh->b_state)) {
		get_bh(bh);
		list_add_tail(&bh->b_assoc_buffers, &txn->meta);
		txn->nr_meta++;
		msyncfs_op_charge(op, txn, 1);
	}
	spin_unlock(&log->txn_lock);
}

/**
 * msyncfs_op_undirty - take a metadata block out of the transaction
 * @op: open handle, which frees the block
 * @blkno: block
 *
 * The content of a freed block need not be written any more. The credit that
 * the block used does not come back.
 *
 * Context: inside @op; may sleep, does no I/O.
 */
void msyncfs_op_undirty(struct msyncfs_op *op, u64 blkno)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);
	struct msyncfs_txn *txn = msyncfs_op_txn(op);
	struct buffer_head *bh = sb_find_get_block(op->sb, blkno);
	bool found;

	/* The transaction has a reference, so its buffers are in memory. */
	if (!bh)
		return;
	spin_lock(&log->txn_lock);
	found = test_bit(MSYNCFS_BH_TXN, &bh->b_state);
	if (found) {
		msyncfs_txn_remove(bh);
		txn->nr_meta--;
		txn->nr--;
	}
	spin_unlock(&log->txn_lock);
	if (found)
		put_bh(bh);
	brelse(bh);
}

/**
 * msyncfs_op_forget - note that a metadata block is being freed
 * @op: open handle, which frees the block
 * @blkno: block
 * @magic: kind of the block when it was last read, MSYNCFS_MAGIC_*
 * @owner: owner of the block when it was last read
 *
 * After this call the block is not metadata any more, and the running
 * transaction does not write its content. A checkpoint may still write home an
 * older image of the block, from an earlier record. That is safe, because the
 * block is not reused before the earlier record is retired (B3).
 *
 * Context: inside @op; may sleep.
 * Return: 0; -EUCLEAN (logged) if the kind or the owner of the block has
 * changed. Then the block must not be freed. After this error nothing has
 * changed.
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
 * @images: list of images whose home blocks are set
 * @nr: number of images in @images, or 0 to add no image
 * @member: object that is told how the transaction ends
 *
 * The transaction takes a reference to each image. A newer image of a block
 * replaces an older one.
 *
 * Context: inside @op; may sleep.
 */
void msyncfs_op_add(struct msyncfs_op *op, struct list_head *images,
		    unsigned int nr, struct msyncfs_member *member)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);
	struct msyncfs_txn *txn = msyncfs_op_txn(op);
	unsigned int replaced = 0;
	LIST_HEAD(joined);

	if (nr)
		replaced = msyncfs_images_join(log, txn->tid, images, &joined);
	spin_lock(&log->txn_lock);
	list_splice_tail(&joined, &txn->images);
	msyncfs_op_charge(op, txn, nr - replaced);
	txn->replaced |= replaced;
	list_add_tail(&member->list, &txn->members);
	txn->pinned += member->pages;
	spin_unlock(&log->txn_lock);
}

/**
 * msyncfs_op_preflush - request a flush before the record
 * @op: open handle of an operation that makes fresh blocks visible
 *
 * The writes of the fresh blocks have completed before this call, but the
 * blocks may be in the volatile cache of the device. So a flush must precede
 * the record (R3).
 *
 * Context: inside @op.
 */
void msyncfs_op_preflush(struct msyncfs_op *op)
{
	struct msyncfs_log *log = MSYNCFS_LOG(op->sb);

	spin_lock(&log->txn_lock);
	msyncfs_op_txn(op)->preflush = true;
	spin_unlock(&log->txn_lock);
}
