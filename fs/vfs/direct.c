// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements O_DIRECT. It transfers data between memory and the
 * blocks of a file without the page cache. file.c calls msyncfs_dio_home() and
 * msyncfs_dio_transfer(). If a part of a transfer must go through the page
 * cache, file.c transfers this part.
 *
 * A transfer sends one bio for each run of blocks. It takes i_commit_lock to
 * look at the map and to count the bio in i_dio_reads or i_dio_writes. Then it
 * releases the lock and sends the bio, whose end ends the count. A commit that
 * changes which blocks the file has, or that adds images of these blocks to a
 * transaction, waits for the counts under i_commit_lock. So it waits for no more
 * than the device. A truncation waits for whole requests, in i_dio_count
 * (locking.rst).
 *
 * Before a bio is counted, its memory is pinned without a lock except i_rwsem of
 * a write. The reason is that a FUSE server or a userfaultfd can delay a page
 * fault without limit, and other tasks hold mmap_lock across such faults.
 */
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/task_io_accounting_ops.h>
#include <linux/uio.h>

#include "vfs.h"

/**
 * struct msyncfs_dio - an O_DIRECT request under way
 * @iocb: the request
 * @inode: file
 * @write: the request writes
 * @wait: the submitting task waits for the bios, else the last bio completes
 *	the request; valid when that task has dropped its reference
 * @dsync: the request is synced when its data is written
 * @counted: i_dio_count counts the request
 * @isize: size of the file at the beginning, in bytes
 * @size: number of bytes that have been sent or zeroed
 * @ref: one for the submitting task and one for each bio that has not ended
 * @error: error of a bio, or 0
 * @bios: bios that have ended, linked by bi_next
 * @done: completed by the last bio if @wait is set
 * @work: completes the request in a task if an interrupt must not do it
 */
struct msyncfs_dio {
	struct kiocb		*iocb;
	struct inode		*inode;
	bool			write;
	bool			wait;
	bool			dsync;
	bool			counted;
	loff_t			isize;
	size_t			size;
	atomic_t		ref;
	int			error;
	struct bio		*bios;
	struct completion	done;
	struct work_struct	work;
};

/* Returns the counter of the bios of this kind that are at the device. */
static atomic_t *msyncfs_dio_bios(const struct msyncfs_dio *dio)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(dio->inode);

	return dio->write ? &mi->i_dio_writes : &mi->i_dio_reads;
}

/* ---- the end ------------------------------------------------------------- */

/* Returns whether a page may have to be marked dirty, which takes its lock. */
static bool msyncfs_dio_undirty(const struct msyncfs_dio *dio)
{
	struct folio_iter fi;
	struct bio *bio;

	for (bio = dio->bios; bio; bio = bio->bi_next) {
		if (!bio_flagged(bio, BIO_PAGE_PINNED))
			continue;
		bio_for_each_folio_all(fi, bio)
			if (!folio_test_dirty(fi.folio))
				return true;
	}
	return false;
}

/*
 * Returns whether only a task can complete the request. A read of a page that
 * begins after the end of a write finds the new data, so pages are dropped only
 * if the file has pages at the end.
 */
static bool msyncfs_dio_needs_task(const struct msyncfs_dio *dio)
{
	if (dio->error)
		return true;
	if (dio->write)
		return dio->dsync || dio->inode->i_mapping->nrpages;
	return msyncfs_dio_undirty(dio);
}

/* Releases the memory. In a task, also marks the pages of a read dirty. */
static void msyncfs_dio_release(struct msyncfs_dio *dio, bool task)
{
	struct bio *bio;

	while ((bio = dio->bios)) {
		dio->bios = bio->bi_next;
		bio_release_pages(bio, task && !dio->write);
		bio_put(bio);
	}
}

/*
 * Drops pages that were read into the cache while the device wrote their blocks.
 * If a page is dirty, a store has raced with the write, and later the page
 * overwrites the data. As in other filesystems, fsync() reports this.
 */
static void msyncfs_dio_drop(struct msyncfs_dio *dio)
{
	struct address_space *mapping = dio->inode->i_mapping;
	loff_t pos = dio->iocb->ki_pos;

	if (dio->size && mapping->nrpages &&
	    invalidate_inode_pages2_range(mapping, pos >> PAGE_SHIFT,
					  (pos + dio->size - 1) >> PAGE_SHIFT)) {
		errseq_set(&mapping->wb_err, -EIO);
		msyncfs_err(dio->inode->i_sb, "inode %llu: O_DIRECT write at byte %lld collided with a store",
			    (u64)dio->inode->i_ino, pos);
	}
}

/*
 * Ends a request without I/O under way, and frees @dio. Returns the result of
 * the request. An interrupt calls this function only if
 * msyncfs_dio_needs_task() is false.
 */
static ssize_t msyncfs_dio_finish(struct msyncfs_dio *dio, bool task)
{
	struct kiocb *iocb = dio->iocb;
	bool dsync = dio->dsync;
	ssize_t ret = dio->error;

	msyncfs_dio_release(dio, task);
	if (ret == -EIO)
		msyncfs_err(dio->inode->i_sb, "inode %llu: O_DIRECT from byte %lld on failed (%zd)",
			    (u64)dio->inode->i_ino, iocb->ki_pos, ret);
	if (dio->write && task)
		msyncfs_dio_drop(dio);
	/*
	 * A truncation waits for this. It must not zero a part of an old page, and
	 * make the page dirty. A sync may take long, so it comes later.
	 */
	if (dio->counted)
		inode_dio_end(dio->inode);
	if (!ret) {
		ret = dio->size;
		if (!dio->write)
			ret = min_t(loff_t, ret, dio->isize - iocb->ki_pos);
		iocb->ki_pos += ret;
	}
	kfree(dio);
	return dsync && ret > 0 ? generic_write_sync(iocb, ret) : ret;
}

static void msyncfs_dio_complete(struct msyncfs_dio *dio, bool task)
{
	struct kiocb *iocb = dio->iocb;

	iocb->ki_complete(iocb, msyncfs_dio_finish(dio, task));
}

static void msyncfs_dio_work(struct work_struct *work)
{
	msyncfs_dio_complete(container_of(work, struct msyncfs_dio, work), true);
}

/*
 * Ends a bio. Everything that a commit waits for ends here, and not in a work
 * item, because a work item may wait for a commit. An interrupt may call this
 * function.
 */
static void msyncfs_dio_end_io(struct bio *bio)
{
	struct msyncfs_dio *dio = bio->bi_private;
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(dio->inode->i_sb);
	struct bio *first = READ_ONCE(dio->bios);

	if (bio->bi_status)
		cmpxchg(&dio->error, 0, blk_status_to_errno(bio->bi_status));
	if (dio->write) {
		msyncfs_dio_written(dio->inode);
		msyncfs_gate_leave_bio(sbi);
	}
	if (atomic_dec_and_test(msyncfs_dio_bios(dio)))
		wake_up_var(msyncfs_dio_bios(dio));
	do
		bio->bi_next = first;
	while (!try_cmpxchg(&dio->bios, &first, bio));
	if (!atomic_dec_and_test(&dio->ref))
		return;
	if (dio->wait) {
		complete(&dio->done);
	} else if (msyncfs_dio_needs_task(dio)) {
		INIT_WORK(&dio->work, msyncfs_dio_work);
		queue_work(sbi->wq, &dio->work);
	} else {
		msyncfs_dio_complete(dio, false);
	}
}

/* ---- pinning ------------------------------------------------------------- */

/* Number of pages that are pinned in one step. */
#define MSYNCFS_PIN_STEP	32

/* Adds pages of one segment of @iter to @bio. */
static int msyncfs_pin_some(struct bio *bio, struct iov_iter *iter)
{
	struct page *pages[MSYNCFS_PIN_STEP], **page = pages;
	size_t offset, len;
	ssize_t left;

	left = iov_iter_extract_pages(iter, &page, SIZE_MAX,
				      min(MSYNCFS_PIN_STEP,
					  bio->bi_max_vecs - bio->bi_vcnt),
				      0, &offset);
	if (left <= 0)
		return left ?: -EFAULT;
	for (page = pages; left; left -= len, offset = 0) {
		len = min_t(size_t, left, PAGE_SIZE - offset);
		__bio_add_page(bio, *page++, len, offset);
	}
	return 0;
}

/*
 * Marks the pages of a read dirty before the read. So the end of the read rarely
 * has to do this, and an interrupt can complete the request.
 */
static void msyncfs_pin_dirty(struct bio *bio)
{
	struct folio_iter fi;

	bio_for_each_folio_all(fi, bio) {
		if (folio_test_dirty(fi.folio))
			continue;
		folio_lock(fi.folio);
		folio_mark_dirty(fi.folio);
		folio_unlock(fi.folio);
	}
}

/*
 * Makes a bio for at most @len bytes of @iter, pins its memory, and advances
 * @iter. A page fault may delay this function without limit. If an error comes
 * after some pages were pinned, uses these pages. The next call gets the error
 * again.
 */
static struct bio *msyncfs_dio_pin(struct msyncfs_dio *dio,
				   struct iov_iter *iter, size_t len)
{
	blk_opf_t opf = dio->write ? REQ_OP_WRITE | REQ_SYNC | REQ_IDLE :
				     REQ_OP_READ;
	size_t count = iov_iter_count(iter);
	struct bio *bio;
	int err = 0;

	iov_iter_truncate(iter, len);
	bio = bio_alloc(dio->inode->i_sb->s_bdev,
			iov_iter_npages(iter, BIO_MAX_VECS), opf, GFP_KERNEL);
	if (iov_iter_extract_will_pin(iter))
		bio_set_flag(bio, BIO_PAGE_PINNED);
	while (!err && iov_iter_count(iter) && bio->bi_vcnt < bio->bi_max_vecs)
		err = msyncfs_pin_some(bio, iter);
	iov_iter_reexpand(iter, count - bio->bi_iter.bi_size);
	if (!bio->bi_vcnt) {
		bio_put(bio);
		return ERR_PTR(err);
	}
	if (!dio->write && bio_flagged(bio, BIO_PAGE_PINNED))
		msyncfs_pin_dirty(bio);
	bio->bi_end_io = msyncfs_dio_end_io;
	bio->bi_private = dio;
	bio->bi_ioprio = dio->iocb->ki_ioprio;
	bio->bi_write_hint = dio->inode->i_write_hint;
	return bio;
}

/* ---- the beginning ------------------------------------------------------- */

/*
 * Returns whether a transfer may access the blocks of @ext without the page
 * cache. The blocks must contain the newest data of the range, and this data
 * must be durable. Caller holds i_commit_lock. Without this lock, the function
 * would overlook pages that are captured but not attached yet.
 */
static bool msyncfs_dio_safe(struct inode *inode,
			     const struct msyncfs_extent *ext)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	loff_t pos = ext->index << PAGE_SHIFT;
	loff_t end = (ext->index + ext->len) << PAGE_SHIFT;

	lockdep_assert_held(&MSYNCFS_I(inode)->i_commit_lock);

	return !msyncfs_is_atomic(inode) &&
	       msyncfs_durable(sbi, MSYNCFS_I(inode)->i_data_tid) &&
	       !filemap_range_needs_writeback(inode->i_mapping, pos, end - 1) &&
	       (!ext->blkno ||
		!msyncfs_image_in(sbi, ext->blkno, ext->blkno + ext->len - 1));
}

/* Finds the run of blocks at @pos, up to @end. */
static int msyncfs_dio_lookup(struct msyncfs_dio *dio, loff_t pos, loff_t end,
			      struct msyncfs_extent *ext)
{
	u64 index = pos >> MSYNCFS_BLOCK_SHIFT;

	return msyncfs_map_lookup(dio->inode, index,
				  DIV_ROUND_UP_ULL(end, MSYNCFS_BLOCK_SIZE) -
				  index, ext);
}

static bool msyncfs_dio_mapped(const struct msyncfs_extent *ext)
{
	return ext->blkno && !ext->unwritten;
}

/*
 * Counts a bio until its end. From then on, no record can get images of its
 * blocks (B2), and the file keeps the blocks. Caller holds i_rwsem and
 * i_commit_lock. i_rwsem keeps truncations away, which wait for the counts
 * before they take i_commit_lock.
 */
static int msyncfs_dio_count(struct msyncfs_dio *dio)
{
	int err;

	if (dio->write) {
		err = msyncfs_gate_enter_bio(MSYNCFS_SB(dio->inode->i_sb));
		if (err)
			return err;
	}
	atomic_inc(msyncfs_dio_bios(dio));
	if (!dio->counted)
		inode_dio_begin(dio->inode);
	dio->counted = true;
	return 0;
}

/*
 * Finds the run at @pos again and counts the bio, if there is a bio. Returns
 * -ENOTBLK if the block at @pos needs the page cache.
 */
static int msyncfs_dio_begin_locked(struct msyncfs_dio *dio, bool bio,
				    loff_t pos, loff_t end,
				    struct msyncfs_extent *ext)
{
	int err = msyncfs_dio_lookup(dio, pos, end, ext);

	if (err)
		return err;
	/* Before a read, the file may have become shorter. */
	if (i_size_read(dio->inode) < dio->isize ||
	    msyncfs_dio_mapped(ext) != bio || !msyncfs_dio_safe(dio->inode, ext))
		return -ENOTBLK;
	return bio ? msyncfs_dio_count(dio) : 0;
}

/* As msyncfs_dio_begin_locked(). Returns -EAGAIN if IOCB_NOWAIT forbids to wait. */
static int msyncfs_dio_begin(struct msyncfs_dio *dio, bool bio, loff_t pos,
			     loff_t end, struct msyncfs_extent *ext)
{
	bool nowait = dio->iocb->ki_flags & IOCB_NOWAIT;
	struct inode *inode = dio->inode;
	int err = -EAGAIN;

	if (!dio->write && !nowait)
		inode_lock_shared(inode);
	else if (!dio->write && !inode_trylock_shared(inode))
		return err;
	if (!nowait)
		mutex_lock(&MSYNCFS_I(inode)->i_commit_lock);
	else if (!mutex_trylock(&MSYNCFS_I(inode)->i_commit_lock))
		goto out;
	err = msyncfs_dio_begin_locked(dio, bio, pos, end, ext);
	mutex_unlock(&MSYNCFS_I(inode)->i_commit_lock);
out:
	if (!dio->write)
		inode_unlock_shared(inode);
	return err;
}

/* Zeroes memory. The file has a hole or unwritten blocks from @pos to @end. */
static int msyncfs_dio_zero(struct msyncfs_dio *dio, struct iov_iter *iter,
			    loff_t pos, loff_t end)
{
	struct msyncfs_extent ext;
	size_t n;
	int err = msyncfs_dio_begin(dio, false, pos, end, &ext);

	if (err)
		return err;
	end = min_t(loff_t, end, (ext.index + ext.len) << MSYNCFS_BLOCK_SHIFT);
	n = iov_iter_zero(end - pos, iter);
	dio->size += n;
	return n ? 0 : -EFAULT;
}

/* Sends a bio for bytes from @pos on. Trims the bio to the run of blocks. */
static int msyncfs_dio_send(struct msyncfs_dio *dio, struct bio *bio,
			    struct iov_iter *iter, loff_t pos, loff_t stop)
{
	size_t bytes = bio->bi_iter.bi_size, len;
	struct msyncfs_extent ext;
	int err = -EAGAIN;

	/* A request that must not wait goes as a whole or not at all. */
	if (!(dio->iocb->ki_flags & IOCB_NOWAIT) || pos + bytes == stop)
		err = msyncfs_dio_begin(dio, true, pos, pos + bytes, &ext);
	if (err) {
		iov_iter_revert(iter, bytes);
		bio_release_pages(bio, false);
		bio_put(bio);
		return err;
	}
	len = min_t(loff_t, bytes, ((ext.index + ext.len) <<
				    MSYNCFS_BLOCK_SHIFT) - pos);
	iov_iter_revert(iter, bytes - len);
	bio->bi_iter.bi_size = len;
	bio->bi_iter.bi_sector = ((ext.blkno - ext.index) <<
				  (MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT)) +
				 (pos >> SECTOR_SHIFT);
	dio->size += len;
	atomic_inc(&dio->ref);
	if (dio->write)
		task_io_account_write(len);
	submit_bio(bio);
	return 0;
}

/*
 * Transfers a part of the request, from dio->size on and at most up to the byte
 * @stop of the file. First looks up the run without a lock, so that no more
 * memory is pinned than the run has.
 */
static int msyncfs_dio_some(struct msyncfs_dio *dio, struct iov_iter *iter,
			    loff_t stop)
{
	loff_t pos = dio->iocb->ki_pos + dio->size, end;
	struct msyncfs_extent ext;
	struct bio *bio;
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(dio->inode->i_sb)))
		return -EIO;
	err = msyncfs_dio_lookup(dio, pos, stop, &ext);
	if (err)
		return err;
	end = min_t(loff_t, stop,
		    (ext.index + ext.len) << MSYNCFS_BLOCK_SHIFT);
	if (!msyncfs_dio_mapped(&ext))
		return dio->write ? -ENOTBLK :
				    msyncfs_dio_zero(dio, iter, pos, end);
	bio = msyncfs_dio_pin(dio, iter, end - pos);
	if (IS_ERR(bio))
		return PTR_ERR(bio);
	return msyncfs_dio_send(dio, bio, iter, pos, stop);
}

/*
 * Writes dirty pages of the range back. Before a write, also drops the pages,
 * which get old. Returns -ENOTBLK if this fails before a write.
 */
static int msyncfs_dio_clean(struct kiocb *iocb, size_t count, bool write)
{
	int err;

	if (!write)
		return kiocb_write_and_wait(iocb, count);
	err = kiocb_invalidate_pages(iocb, count);
	return err && err != -EAGAIN ? -ENOTBLK : err;
}

/*
 * Transfers data up to the byte @stop of the file, then waits for the bios or
 * leaves the request to them. Frees @dio.
 */
static ssize_t msyncfs_dio_run(struct msyncfs_dio *dio, struct iov_iter *iter,
			       loff_t stop, bool wait)
{
	loff_t start = dio->iocb->ki_pos;
	bool write = dio->write;
	struct blk_plug plug;
	ssize_t ret, size;
	int err;

	err = msyncfs_dio_clean(dio->iocb, stop - start, dio->write);
	blk_start_plug(&plug);
	while (!err && start + dio->size < stop && !fatal_signal_pending(current))
		err = msyncfs_dio_some(dio, iter, stop);
	blk_finish_plug(&plug);
	wait |= start + dio->size < stop;
	dio->wait = wait;
	/* If another task or an interrupt drops the last reference, it may free @dio. */
	if (!atomic_dec_and_test(&dio->ref)) {
		if (!wait)
			return -EIOCBQUEUED;
		wait_for_completion_io(&dio->done);
	}
	size = dio->size;
	ret = msyncfs_dio_finish(dio, true);
	/* The file has grown. The caller reads the rest behind the old end. */
	if (!write && ret >= 0)
		iov_iter_revert(iter, size - ret);
	return ret ?: err == -ENOTBLK ? 0 : err;
}

/*
 * Returns whether to transfer the data of @iter without the page cache. A bio
 * gets the memory as a list of pages. In each page, the address and the length
 * of the data must be aligned to sectors. If they are not aligned, the result
 * depends on the device. If the device accepts the memory, the data goes through
 * the page cache. If the device rejects the memory, *@err is set to -EINVAL.
 */
static bool msyncfs_dio_aligned(struct inode *inode, loff_t pos,
				struct iov_iter *iter, int *err)
{
	struct block_device *bdev = inode->i_sb->s_bdev;
	unsigned int mask = bdev_logical_block_size(bdev) - 1;

	if (((pos | iov_iter_count(iter)) & mask) ||
	    !bdev_iter_is_aligned(bdev, iter)) {
		*err = -EINVAL;
		return false;
	}
	return iov_iter_is_aligned(iter, mask, mask);
}

/**
 * msyncfs_dio_transfer - transfer data without the page cache
 * @iocb: request; ki_pos advances by the number of transferred bytes
 * @iter: memory; advances by the number of transferred bytes
 * @wait: wait for the device even if the request is asynchronous
 *
 * The transfer stops at the first block that needs the page cache. The caller
 * transfers the rest through the page cache.
 *
 * Context: for a write, caller holds i_rwsem; for a read, takes i_rwsem shared.
 * Takes i_commit_lock. Waits for the device, if the request is synchronous, or
 * stops early, or if @wait is set.
 * Return: the number of transferred bytes, which may be 0; -EIOCBQUEUED if the
 * device works on the whole request, then the caller must not touch @iocb any
 * more; -EAGAIN if IOCB_NOWAIT is set and the transfer would have to wait; or
 * another negative errno.
 */
ssize_t msyncfs_dio_transfer(struct kiocb *iocb, struct iov_iter *iter,
			     bool wait)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t stop = iocb->ki_pos + iov_iter_count(iter), isize;
	bool write = iov_iter_rw(iter) == WRITE;
	struct msyncfs_dio *dio;
	int err = 0;

	if (!msyncfs_dio_aligned(inode, iocb->ki_pos, iter, &err))
		return err;
	isize = i_size_read(inode);
	if (!write) {
		stop = min(stop, round_up(isize, bdev_logical_block_size(inode->i_sb->s_bdev)));
	} else if (stop > round_down(isize, MSYNCFS_BLOCK_SIZE)) {
		if (iocb->ki_flags & IOCB_NOWAIT)
			return -EAGAIN;
		/* The caller writes a last block that is not full. */
		stop = round_down(isize, MSYNCFS_BLOCK_SIZE);
		wait = true;
	}
	if (stop <= iocb->ki_pos)
		return 0;
	dio = kzalloc(sizeof(*dio), GFP_KERNEL);
	if (!dio)
		return -ENOMEM;
	dio->iocb = iocb;
	dio->inode = inode;
	dio->write = write;
	dio->dsync = write && iocb_is_dsync(iocb);
	dio->isize = isize;
	atomic_set(&dio->ref, 1);
	init_completion(&dio->done);
	return msyncfs_dio_run(dio, iter, stop, wait || is_sync_kiocb(iocb));
}

/**
 * msyncfs_dio_home - bring the newest data of a range home
 * @inode: regular file
 * @pos: first byte
 * @count: length in bytes, at least 1
 *
 * Makes dirty pages of the range durable. Then brings images of the range home,
 * so that no later checkpoint overwrites the data of an O_DIRECT write (B2). If
 * that fails, the blocks that still have images go through the page cache.
 *
 * Context: caller holds i_rwsem; waits for commits and for the device.
 * Return: 0 or a negative errno.
 */
int msyncfs_dio_home(struct inode *inode, loff_t pos, size_t count)
{
	loff_t end = pos + count - 1;
	int err;

	err = msyncfs_sync_inode(inode, pos, end, true);
	if (err)
		return err;
	err = msyncfs_home_range(inode, pos, end);
	return err == -EIO ? 0 : err;
}
