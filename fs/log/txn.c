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

/* Set once the content of a metadata buffer has been checked, or made here. */
enum { BH_Msyncfs_Verified = BH_PrivateStart };
BUFFER_FNS(Msyncfs_Verified, msyncfs_verified)

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
	INIT_LIST_HEAD(&txn->captures);
	return txn;
}

/**
 * msyncfs_txn_free - free a transaction and drop what it still holds
 * @txn: without captures
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
	WARN_ON_ONCE(!list_empty(&txn->captures));
	kfree(txn);
}

/* May a handle that dirties up to @credits more blocks join @txn? */
static bool msyncfs_txn_room(struct msyncfs_sb_info *sbi,
			     struct msyncfs_txn *txn, unsigned int credits)
{
	return txn->nr + txn->promised + credits <= sbi->record_images;
}

/* Is it @op's turn to look for room? Caller holds txn_lock. */
static bool msyncfs_op_turn(struct msyncfs_sb_info *sbi, struct msyncfs_op *op)
{
	return !sbi->running->locked && (!sbi->next_op || sbi->next_op == op);
}

static bool msyncfs_op_may_try(struct msyncfs_sb_info *sbi,
			       struct msyncfs_op *op)
{
	bool may;

	spin_lock(&sbi->txn_lock);
	may = msyncfs_op_turn(sbi, op);
	spin_unlock(&sbi->txn_lock);
	return may;
}

static int msyncfs_dead_error(struct msyncfs_sb_info *sbi)
{
	if (test_bit(MSYNCFS_SB_SHUTDOWN, &sbi->state))
		return -EIO;
	if (test_bit(MSYNCFS_SB_ABORTED, &sbi->state))
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
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(op->sb);
	struct msyncfs_txn *txn;
	bool joined = false;

	*full = 0;
	spin_lock(&sbi->txn_lock);
	txn = sbi->running;
	if (!msyncfs_op_turn(sbi, op)) {
		;	/* wait */
	} else if (msyncfs_txn_room(sbi, txn, op->credits)) {
		txn->active++;
		txn->promised += op->credits;
		op->tid = txn->tid;
		joined = true;
	} else {
		*full = txn->tid;
		if (first)
			sbi->next_op = op;
	}
	spin_unlock(&sbi->txn_lock);
	return joined;
}

static int msyncfs_op_wait_join(struct msyncfs_op *op)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(op->sb);
	unsigned int tries = 0;
	u64 full;
	int err;

	for (;;) {
		err = msyncfs_dead_error(sbi);
		if (err || msyncfs_op_try_join(op, tries > 0, &full))
			return err;
		if (full) {
			tries++;
			err = msyncfs_commit(op->sb, full);
			if (err)
				return err;
		} else {
			wait_event(sbi->txn_wait, msyncfs_op_may_try(sbi, op));
		}
	}
}

/* Joins the running transaction; waits for room in it. */
static int msyncfs_op_join(struct msyncfs_op *op)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(op->sb);
	bool was_next;
	int err;

	if (WARN_ON_ONCE(op->credits > sbi->record_images))
		return -EFBIG;

	err = msyncfs_op_wait_join(op);

	spin_lock(&sbi->txn_lock);
	was_next = sbi->next_op == op;
	if (was_next)
		sbi->next_op = NULL;
	spin_unlock(&sbi->txn_lock);
	if (was_next)
		wake_up_all(&sbi->txn_wait);
	return err;
}

static int msyncfs_op_start(struct super_block *sb, struct msyncfs_op *op,
			    unsigned int credits, u64 blocks, bool resv)
{
	int err;

	/*
	 * For lockdep a handle is a shared lock that a commit waits for: it
	 * sees who begins one under a lock that a holder of one may want (P4).
	 * It is not held yet while the below waits for commits itself.
	 */
	might_sleep();
	rwsem_acquire_read(&MSYNCFS_SB(sb)->op_map, 0, 0, _THIS_IP_);
	rwsem_release(&MSYNCFS_SB(sb)->op_map, _THIS_IP_);
	op->sb = sb;
	op->credits = credits;
	op->blocks = blocks;
	op->claimed = 0;
	op->kept = 0;
	op->resv = resv;

	if (blocks) {
		err = msyncfs_firm(sb, blocks, resv);
		if (err)
			return err;
	}
	op->nofs = memalloc_nofs_save();
	err = msyncfs_op_join(op);
	if (err) {
		memalloc_nofs_restore(op->nofs);
		if (blocks)
			msyncfs_unfirm(sb, blocks, resv);
		return err;
	}
	rwsem_acquire_read(&MSYNCFS_SB(sb)->op_map, 0, 1, _THIS_IP_);
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
 * msyncfs_op_begin_resv - the same for blocks that dirty pages have reserved
 * @sb: filesystem
 * @op: handle to fill in
 * @credits: blocks that go into the record at most
 * @blocks: blocks to allocate, already counted by msyncfs_resv_page()
 *
 * Context: as msyncfs_op_begin().
 * Return: as msyncfs_op_begin().
 */
int msyncfs_op_begin_resv(struct super_block *sb, struct msyncfs_op *op,
			  unsigned int credits, u64 blocks)
{
	return msyncfs_op_start(sb, op, credits, blocks, true);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_op_begin_resv);

/**
 * msyncfs_op_end - end an atomic change
 * @op: from msyncfs_op_begin()
 *
 * The change is durable after msyncfs_commit(sb, op->tid); without one, after
 * some seconds.
 */
void msyncfs_op_end(struct msyncfs_op *op)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(op->sb);
	struct msyncfs_txn *txn;
	bool drained, work;

	spin_lock(&sbi->txn_lock);
	txn = sbi->running;
	txn->promised -= op->credits;
	drained = !--txn->active && txn->locked;
	work = txn->nr > 0;
	spin_unlock(&sbi->txn_lock);

	if (drained)
		wake_up_all(&sbi->txn_wait);
	if (op->blocks)
		msyncfs_unfirm(op->sb, op->blocks, op->resv);
	if (op->claimed || op->kept)
		msyncfs_claim_done(op->sb, op->claimed, op->kept);
	if (work)
		queue_delayed_work(sbi->wq, &sbi->commit_work,
				   MSYNCFS_COMMIT_DELAY);
	memalloc_nofs_restore(op->nofs);
	rwsem_release(&sbi->op_map, _THIS_IP_);
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
	bool durable;

	spin_lock(&sbi->txn_lock);
	*tid = sbi->running->tid;
	durable = !sbi->running->nr && !sbi->running->active && !sbi->cutting;
	spin_unlock(&sbi->txn_lock);
	return durable;
}

/* The handle is open, so the running transaction is the handle's. */
static struct msyncfs_txn *msyncfs_op_txn(struct msyncfs_op *op)
{
	struct msyncfs_txn *txn = MSYNCFS_SB(op->sb)->running;

	WARN_ON_ONCE(txn->tid != op->tid || !txn->active);
	return txn;
}

static void msyncfs_op_charge(struct msyncfs_op *op, struct msyncfs_txn *txn)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(op->sb);

	spin_lock(&sbi->txn_lock);
	txn->nr++;
	if (!WARN_ON_ONCE(!op->credits)) {
		op->credits--;
		txn->promised--;
	}
	spin_unlock(&sbi->txn_lock);
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

/* What a block of metadata is, in a message. */
static const char *msyncfs_magic_name(u32 magic)
{
	switch (magic) {
	case MSYNCFS_MAGIC_ROOT:
		return "root block";
	case MSYNCFS_MAGIC_BITMAP:
		return "bitmap";
	case MSYNCFS_MAGIC_INODE:
		return "inode";
	case MSYNCFS_MAGIC_MAP:
		return "map of inode";
	default:
		return "directory";
	}
}

/* Is a buffer whose content has been checked what is expected? Else why not. */
static const char *msyncfs_check_kind(const struct buffer_head *bh, u32 magic,
				      u64 owner)
{
	const struct msyncfs_disk_header *h = (void *)bh->b_data;

	if (le32_to_cpu(h->magic) != magic)
		return "not the kind of block expected here";
	if (le64_to_cpu(h->owner) != owner)
		return "belongs to another owner";
	return NULL;
}

/**
 * msyncfs_block_new - initialise a block that is to become metadata
 * @sb: filesystem
 * @blkno: block, claimed or newly allocated
 * @magic: MSYNCFS_MAGIC_*
 * @level: for the header
 * @owner: inode number
 *
 * Return: the buffer, zeroed but for its header, referenced for the caller;
 * ERR_PTR(-ENOMEM), or ERR_PTR(-EUCLEAN) if the block is in use as metadata,
 * whatever the bitmap says.
 */
struct buffer_head *msyncfs_block_new(struct super_block *sb, u64 blkno,
				      u32 magic, u32 level, u64 owner)
{
	struct buffer_head *bh = sb_getblk(sb, blkno);

	if (!bh)
		return ERR_PTR(-ENOMEM);
	lock_buffer(bh);
	if (buffer_msyncfs_verified(bh)) {
		/* Somebody uses it: not to be changed under them. */
		unlock_buffer(bh);
		brelse(bh);
		msyncfs_err(sb, "block %llu: free in the bitmap, but in use",
			    blkno);
		return ERR_PTR(-EFSCORRUPTED);
	}
	msyncfs_init_block(bh->b_data, magic, level, blkno, owner);
	clear_bit(MSYNCFS_BH_LEAF, &bh->b_state);
	set_buffer_uptodate(bh);
	set_buffer_msyncfs_verified(bh);
	unlock_buffer(bh);
	return bh;
}

static void msyncfs_forget_buffer(struct buffer_head *bh)
{
	clear_buffer_msyncfs_verified(bh);
	clear_bit(MSYNCFS_BH_LEAF, &bh->b_state);
}

/**
 * msyncfs_block_forget - a block is no longer metadata
 * @sb: filesystem
 * @blkno: block
 * @magic: MSYNCFS_MAGIC_*, what it was
 * @owner: whose it was
 *
 * Return: 0; -EUCLEAN (logged) if the block in memory is other metadata; nothing
 * has changed then, because somebody may be using it.
 */
int msyncfs_block_forget(struct super_block *sb, u64 blkno, u32 magic, u64 owner)
{
	struct buffer_head *bh = sb_find_get_block(sb, blkno);
	const char *why = NULL;

	if (!bh)
		return 0;
	if (buffer_msyncfs_verified(bh))
		why = msyncfs_check_kind(bh, magic, owner);
	if (!why)
		msyncfs_forget_buffer(bh);
	brelse(bh);
	if (!why)
		return 0;
	msyncfs_err(sb, "block %llu: %s %llu: not to be freed: %s", blkno,
		    msyncfs_magic_name(magic), owner, why);
	return -EFSCORRUPTED;
}

/**
 * msyncfs_op_new - initialise a newly allocated metadata block
 * @op: open handle
 * @blkno: block
 * @magic: MSYNCFS_MAGIC_*
 * @level: for the header
 * @owner: inode number
 *
 * If the block turns out to be in use, it stays allocated: the bitmap was wrong,
 * and must not offer it again. After any other error it is free again.
 *
 * Return: as msyncfs_block_new(); the buffer is dirty in @op.
 */
struct buffer_head *msyncfs_op_new(struct msyncfs_op *op, u64 blkno, u32 magic,
				   u32 level, u64 owner)
{
	struct buffer_head *bh;

	bh = msyncfs_block_new(op->sb, blkno, magic, level, owner);
	if (!IS_ERR(bh))
		msyncfs_op_dirty(op, bh);
	else if (PTR_ERR(bh) != -EFSCORRUPTED)
		msyncfs_free(op, blkno, 1);
	return bh;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_op_new);

/* The content of a block that is freed need not be written any more. */
static void msyncfs_op_undirty(struct msyncfs_op *op, u64 blkno)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(op->sb);
	struct msyncfs_txn *txn = msyncfs_op_txn(op);
	struct buffer_head *bh;

	bh = xa_erase(&txn->meta, blkno);
	if (!bh)
		return;
	put_bh(bh);
	spin_lock(&sbi->txn_lock);
	txn->nr--;
	spin_unlock(&sbi->txn_lock);
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
 * msyncfs_op_free - free a metadata block
 * @op: open handle with a credit for its bitmap block
 * @bh: its buffer, which its owner has from msyncfs_bread() or msyncfs_op_new()
 *
 * It takes the buffer, not a number: a number from a map made by an enemy may be
 * that of a block which somebody else is using. The reference stays the caller's.
 * For the rest see msyncfs_op_forget().
 */
void msyncfs_op_free(struct msyncfs_op *op, struct buffer_head *bh)
{
	u64 blkno = bh->b_blocknr;

	msyncfs_forget_buffer(bh);
	msyncfs_op_undirty(op, blkno);
	msyncfs_free(op, blkno, 1);
}

/**
 * msyncfs_op_attach - make captured pages part of the transaction
 * @op: open handle with a credit for each copied page
 * @cap: capture whose images have their home blocks, or whose pages are on
 *	their fresh blocks already
 *
 * The transaction takes a reference of the capture, and of each image if the
 * pages were copied. A newer image of the same block replaces an older one.
 */
void msyncfs_op_attach(struct msyncfs_op *op, struct msyncfs_capture *cap)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(op->sb);
	struct msyncfs_txn *txn = msyncfs_op_txn(op);
	struct msyncfs_image *img, *old;

	if (cap->copied) {
		list_for_each_entry(img, &cap->images, list) {
			refcount_inc(&img->ref);
			old = xa_store(&txn->data, img->home, img,
				       GFP_NOFS | __GFP_NOFAIL);
			if (old)
				msyncfs_image_put(old);
			else
				msyncfs_op_charge(op, txn);
		}
	}
	refcount_inc(&cap->ref);
	spin_lock(&sbi->txn_lock);
	list_add_tail(&cap->list, &txn->captures);
	spin_unlock(&sbi->txn_lock);
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
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(op->sb);

	spin_lock(&sbi->txn_lock);
	msyncfs_op_txn(op)->preflush = true;
	spin_unlock(&sbi->txn_lock);
}

static const char *msyncfs_check_buffer(struct msyncfs_sb_info *sbi,
					struct buffer_head *bh, u32 magic,
					u64 owner)
{
	const char *why = NULL;

	/*
	 * Under the buffer lock, so that nobody modifies (and outdates the
	 * checksum of) what another is still checking. The other one may have
	 * expected something else: compare even if it has found nothing wrong.
	 */
	if (!buffer_msyncfs_verified(bh)) {
		lock_buffer(bh);
		if (!buffer_msyncfs_verified(bh)) {
			why = msyncfs_verify_block(&sbi->geo, bh->b_data,
						   bh->b_blocknr, magic, owner);
			if (!why)
				set_buffer_msyncfs_verified(bh);
		}
		unlock_buffer(bh);
	}
	return why ?: msyncfs_check_kind(bh, magic, owner);
}

/**
 * msyncfs_bread - read and check a metadata block
 * @sb: filesystem
 * @blkno: block
 * @magic: kind of block expected
 * @owner: owner expected
 *
 * Context: may sleep and do I/O.
 * Return: the buffer, referenced; ERR_PTR(-EIO) if it cannot be read,
 * ERR_PTR(-EUCLEAN) if it is not what it should be. Both have been logged.
 */
struct buffer_head *msyncfs_bread(struct super_block *sb, u64 blkno, u32 magic,
				  u64 owner)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct buffer_head *bh;
	const char *why;

	if (!msyncfs_is_home(&sbi->geo, blkno)) {
		msyncfs_err(sb, "block %llu: outside the data area", blkno);
		return ERR_PTR(-EFSCORRUPTED);
	}
	bh = sb_bread(sb, blkno);
	if (!bh) {
		msyncfs_err(sb, "block %llu: %s %llu: cannot be read", blkno,
			    msyncfs_magic_name(magic), owner);
		return ERR_PTR(-EIO);
	}
	why = msyncfs_check_buffer(sbi, bh, magic, owner);
	if (why) {
		msyncfs_err(sb, "block %llu: %s %llu: %s", blkno,
			    msyncfs_magic_name(magic), owner, why);
		brelse(bh);
		return ERR_PTR(-EFSCORRUPTED);
	}
	return bh;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_bread);

/**
 * msyncfs_op_free_at - free a metadata block that a map leads to
 * @op: open handle with a credit for its bitmap block
 * @blkno: block
 * @magic: MSYNCFS_MAGIC_*, what it must be
 * @owner: whose it must be
 *
 * It is read first: a map made by an enemy may lead to a block that somebody else
 * is using.
 *
 * Context: may sleep and do I/O.
 * Return: 0; -EIO, -EUCLEAN (logged): nothing has been freed.
 */
int msyncfs_op_free_at(struct msyncfs_op *op, u64 blkno, u32 magic, u64 owner)
{
	struct buffer_head *bh = msyncfs_bread(op->sb, blkno, magic, owner);

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	msyncfs_op_free(op, bh);
	brelse(bh);
	return 0;
}

/* The first block of a run that memory knows as metadata, or 0. */
static u64 msyncfs_find_meta(struct super_block *sb, u64 start, u64 len)
{
	loff_t from = (loff_t)start << MSYNCFS_BLOCK_SHIFT;
	loff_t to = (loff_t)(start + len) << MSYNCFS_BLOCK_SHIFT;
	struct buffer_head *bh;
	bool meta;

	if (!filemap_range_has_page(sb->s_bdev->bd_mapping, from, to - 1))
		return 0;
	for (; len; start++, len--) {
		bh = sb_find_get_block(sb, start);
		if (!bh)
			continue;
		meta = buffer_msyncfs_verified(bh);
		brelse(bh);
		if (meta)
			return start;
	}
	return 0;
}

/**
 * msyncfs_op_free_data - free blocks of a file that has become shorter
 * @op: open handle with a credit for each bitmap block involved
 * @start: first block
 * @len: blocks, all in the data area
 *
 * Data does not say whose it is. But a block that memory knows as metadata is no
 * data, whatever the map says. If it were freed, it would get a second owner.
 * When none of the blocks is in the device's page cache, the check is one lookup.
 *
 * Context: may sleep, does no I/O.
 * Return: 0; -EUCLEAN (logged): nothing has been freed.
 */
int msyncfs_op_free_data(struct msyncfs_op *op, u64 start, u64 len)
{
	u64 meta = msyncfs_find_meta(op->sb, start, len);

	if (!meta) {
		msyncfs_free(op, start, len);
		return 0;
	}
	msyncfs_err(op->sb, "block %llu: data of a file, but in use as metadata",
		    meta);
	return -EFSCORRUPTED;
}

static void msyncfs_commit_work(struct work_struct *work)
{
	struct msyncfs_sb_info *sbi = container_of(to_delayed_work(work),
						   struct msyncfs_sb_info,
						   commit_work);

	/* An error has been logged and waits in the mappings it concerns. */
	msyncfs_commit_all(sbi->sb);
}

/**
 * msyncfs_op_init - set up the running transaction of a mount
 * @sbi: with @record_max set
 *
 * Return: 0.
 */
int msyncfs_op_init(struct msyncfs_sb_info *sbi)
{
	static struct lock_class_key key;
	unsigned int n = sbi->record_max;

	lockdep_init_map(&sbi->op_map, "msyncfs_op", &key, 0);
	while (n + msyncfs_record_header_blocks(n) > sbi->record_max)
		n--;
	sbi->record_images = n;
	spin_lock_init(&sbi->txn_lock);
	init_waitqueue_head(&sbi->txn_wait);
	INIT_DELAYED_WORK(&sbi->commit_work, msyncfs_commit_work);
	sbi->running = msyncfs_txn_alloc(1);
	return 0;
}

/**
 * msyncfs_op_exit - drop the running transaction
 * @sbi: of a filesystem that nobody uses any more
 *
 * What is still in it, after an error, is lost with the mount.
 */
void msyncfs_op_exit(struct msyncfs_sb_info *sbi)
{
	if (!sbi->running)
		return;
	msyncfs_txn_settle(sbi->running, -EIO);
	msyncfs_txn_free(sbi->running);
	sbi->running = NULL;
}
