// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements O_DIRECT. It transfers data between memory and the
 * blocks of a file without the page cache. file.c calls msyncfs_dio_home() and
 * msyncfs_dio_transfer(). If a part of a transfer must go through the page
 * cache, file.c transfers this part.
 *
 * While the device reads or writes blocks of a file, the file must keep these
 * blocks. So a read holds i_dio_sem, and a write holds i_commit_lock. A task
 * must not hold either lock across a page fault, because a FUSE server or a
 * userfaultfd can delay the fault without limit. A task must not hold either
 * lock while it waits for mmap_lock, because other tasks hold mmap_lock across
 * such faults. So this file pins the user's pages, some MiB at a time, before
 * it takes either lock. iomap gets only the pinned pages.
 */
#include <linux/blkdev.h>
#include <linux/iomap.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "vfs.h"

/**
 * struct msyncfs_dio - an O_DIRECT transfer under way
 * @locked: true while the transfer holds its lock: i_dio_sem (shared) for a
 *	read, i_commit_lock for a write. A write has also passed the gate
 * @nofs: result of memalloc_nofs_save() at the lock, for the unlock
 */
struct msyncfs_dio {
	bool		locked;
	unsigned int	nofs;
};

static void msyncfs_dio_locked(struct msyncfs_dio *dio)
{
	dio->nofs = memalloc_nofs_save();
	dio->locked = true;
}

/*
 * Returns whether a transfer may access the blocks of [@pos, @end) without the
 * page cache. The blocks must contain the newest data of the range, and this
 * data must be durable. Caller holds i_commit_lock. Without this lock, the
 * function would overlook pages that are captured but not attached yet.
 */
static bool msyncfs_dio_safe(struct inode *inode, loff_t pos, loff_t end,
			     const struct msyncfs_extent *ext)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);

	lockdep_assert_held(&MSYNCFS_I(inode)->i_commit_lock);

	return msyncfs_durable(sbi, MSYNCFS_I(inode)->i_data_tid) &&
	       !filemap_range_needs_writeback(inode->i_mapping, pos, end - 1) &&
	       (!ext->blkno ||
		!msyncfs_image_in(sbi, ext->blkno, ext->blkno + ext->len - 1));
}

/*
 * Finds a run of blocks that a write may overwrite directly. Returns -ENOTBLK
 * if the block at @pos needs the page cache. Then the rest of the write goes
 * through the page cache.
 */
static int msyncfs_dio_begin_write(struct inode *inode, loff_t pos, u64 max,
				   struct msyncfs_dio *dio, struct iomap *iomap)
{
	struct msyncfs_extent ext;
	u64 whole = i_size_read(inode) >> MSYNCFS_BLOCK_SHIFT;
	u64 index = pos >> MSYNCFS_BLOCK_SHIFT;
	int err;

	if (msyncfs_is_atomic(inode))
		return -ENOTBLK;
	/*
	 * Hold i_commit_lock until the transfer is complete. While this task
	 * holds the lock, no record can get images of these blocks (B2). Do not
	 * take the lock before the call of __iomap_dio_rw(). At its start,
	 * __iomap_dio_rw() writes back pages, and this writeback takes
	 * i_commit_lock.
	 */
	if (!dio->locked) {
		mutex_lock(&MSYNCFS_I(inode)->i_commit_lock);
		err = msyncfs_gate_enter(MSYNCFS_SB(inode->i_sb));
		if (err) {
			mutex_unlock(&MSYNCFS_I(inode)->i_commit_lock);
			return err;
		}
		msyncfs_dio_locked(dio);
	}
	if (index >= whole)
		return -ENOTBLK;
	err = msyncfs_map_lookup(inode, index, min(max, whole - index), &ext);
	if (err)
		return err;
	if (!ext.blkno || ext.unwritten ||
	    !msyncfs_dio_safe(inode, index << PAGE_SHIFT,
			      (index + ext.len) << PAGE_SHIFT, &ext))
		return -ENOTBLK;
	msyncfs_set_iomap(inode, iomap, &ext);
	/*
	 * Without this flag iomap would use FUA for O_DSYNC. A failed FUA write
	 * may be a failed flush (msyncfs_io_end()). Then one bad block of this
	 * file would abort the filesystem. With this flag iomap calls ->fsync,
	 * which flushes.
	 */
	if (bdev_write_cache(inode->i_sb->s_bdev))
		iomap->flags |= IOMAP_F_DIRTY;
	return 0;
}

/*
 * Takes i_commit_lock for the lookup in the map, and i_dio_sem for the
 * transfer. If the transfer holds i_dio_sem already, this function only tries
 * to take i_commit_lock, because the holder of i_commit_lock may be waiting for
 * i_dio_sem. If the attempt fails, this transfer ends and releases i_dio_sem.
 * Then msyncfs_dio_chunk() begins a new transfer.
 */
static bool msyncfs_dio_lock_read(struct msyncfs_inode_info *mi,
				  struct msyncfs_dio *dio)
{
	if (dio->locked)
		return mutex_trylock(&mi->i_commit_lock);
	mutex_lock(&mi->i_commit_lock);
	/*
	 * down_read() never waits here, because a task that holds i_dio_sem
	 * exclusively also holds i_commit_lock.
	 */
	down_read(&mi->i_dio_sem);
	msyncfs_dio_locked(dio);
	return true;
}

/*
 * Finds a run of blocks that a transfer may read directly. The transfer must
 * not return the old content of a newly allocated block. If a store is captured
 * after this check, the transfer may return the data from before the store.
 */
static int msyncfs_dio_begin_read(struct inode *inode, u64 index, u64 max,
				  struct msyncfs_dio *dio, struct iomap *iomap)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_extent ext;
	int err;

	if (!msyncfs_dio_lock_read(mi, dio))
		return -ENOTBLK;
	err = msyncfs_map_lookup(inode, index, max, &ext);
	if (!err && msyncfs_is_atomic(inode))
		err = -ENOTBLK;
	if (!err && !msyncfs_dio_safe(inode, index << PAGE_SHIFT,
				      (index + ext.len) << PAGE_SHIFT, &ext))
		err = -ENOTBLK;
	mutex_unlock(&mi->i_commit_lock);
	if (err)
		return err;
	msyncfs_set_iomap(inode, iomap, &ext);
	return 0;
}

static int msyncfs_dio_begin(struct inode *inode, loff_t pos, loff_t length,
			     unsigned int flags, struct iomap *iomap,
			     struct iomap *srcmap)
{
	struct iomap_iter *iter = container_of(iomap, struct iomap_iter, iomap);
	u64 index = pos >> MSYNCFS_BLOCK_SHIFT;
	u64 max = DIV_ROUND_UP_ULL(pos + length, MSYNCFS_BLOCK_SIZE) - index;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	if (flags & IOMAP_WRITE)
		return msyncfs_dio_begin_write(inode, pos, max, iter->private,
					       iomap);
	return msyncfs_dio_begin_read(inode, index, max, iter->private, iomap);
}

static const struct iomap_ops msyncfs_dio_iomap_ops = {
	.iomap_begin	= msyncfs_dio_begin,
};

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

static void msyncfs_dio_unlock(struct inode *inode, bool write,
			       struct msyncfs_dio *dio)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	if (!dio->locked)
		return;
	memalloc_nofs_restore(dio->nofs);
	if (!write) {
		up_read(&mi->i_dio_sem);
		return;
	}
	msyncfs_dio_written(inode);
	msyncfs_gate_leave(MSYNCFS_SB(inode->i_sb));
	mutex_unlock(&mi->i_commit_lock);
}

static int msyncfs_dio_end(struct kiocb *iocb, ssize_t size, int error,
			   unsigned int flags)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (error == -EIO)
		msyncfs_err(inode->i_sb, "inode %llu: O_DIRECT from byte %lld on failed (%d)",
			    (u64)inode->i_ino, iocb->ki_pos, error);
	return error;
}

static const struct iomap_dio_ops msyncfs_dio_ops = {
	.end_io		= msyncfs_dio_end,
};

/*
 * Makes one transfer, which stops at the first block that needs the page cache.
 * Returns the number of transferred bytes, which may be 0, or an error. @iter
 * must not refer to user addresses. The function waits for the device even if
 * the request is asynchronous, because only this task can release the locks.
 */
static ssize_t msyncfs_dio_once(struct kiocb *iocb, struct iov_iter *iter)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct msyncfs_dio state = {};
	loff_t pos = iocb->ki_pos;
	struct iomap_dio *dio;
	ssize_t ret;

	dio = __iomap_dio_rw(iocb, iter, &msyncfs_dio_iomap_ops, &msyncfs_dio_ops,
			     IOMAP_DIO_FORCE_WAIT, &state, 0);
	msyncfs_dio_unlock(inode, iov_iter_rw(iter) == WRITE, &state);
	/*
	 * iomap_dio_complete() may call ->fsync, which takes i_commit_lock but
	 * no i_rwsem (P5). So call iomap_dio_complete() after the unlock.
	 */
	ret = PTR_ERR_OR_ZERO(dio);
	if (!IS_ERR_OR_NULL(dio))
		ret = iomap_dio_complete(dio);
	if (ret < 0)
		iocb->ki_pos = pos;
	return ret == -ENOTBLK ? 0 : ret;
}

/*
 * Makes transfers until @iter is empty or a transfer moves no bytes. For a
 * write the caller holds i_rwsem.
 */
static ssize_t msyncfs_dio_chunk(struct kiocb *iocb, struct iov_iter *iter)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	bool write = iov_iter_rw(iter) == WRITE;
	ssize_t ret, done = 0;

	if (!write)
		inode_lock_shared(inode);
	do {
		ret = msyncfs_dio_once(iocb, iter);
		if (ret > 0)
			done += ret;
	} while (ret > 0 && iov_iter_count(iter));
	if (!write)
		inode_unlock_shared(inode);
	return done ?: ret;
}

/* Largest number of pages that are pinned at a time. */
#define MSYNCFS_PIN_MAX		1024

/* A transfer of at most this number of pages allocates no memory for pinning. */
#define MSYNCFS_PIN_FEW		4

/**
 * struct msyncfs_pinned - pinned pages of one part of a user's buffer
 * @iter: iterator over @bvec
 * @bytes: length of the part in bytes
 * @nr: number of pinned pages
 * @pages: the pinned pages, for unpin_user_pages_dirty_lock()
 * @bvec: one entry for each pinned page
 * @few_pages: memory of @pages if there are few pages
 * @few_bvec: memory of @bvec if there are few pages
 */
struct msyncfs_pinned {
	struct iov_iter	iter;
	size_t		bytes;
	unsigned int	nr;
	struct page	**pages;
	struct bio_vec	*bvec;
	struct page	*few_pages[MSYNCFS_PIN_FEW];
	struct bio_vec	few_bvec[MSYNCFS_PIN_FEW];
};

/* Pins pages of one segment of @iter. @pin gets at most @max pages in total. */
static int msyncfs_pin_some(struct msyncfs_pinned *pin, struct iov_iter *iter,
			    unsigned int max)
{
	struct page **pages = pin->pages + pin->nr;
	size_t offset, len;
	ssize_t left;

	left = iov_iter_extract_pages(iter, &pages, SIZE_MAX, max - pin->nr, 0,
				      &offset);
	if (left <= 0)
		return left ?: -EFAULT;
	pin->bytes += left;
	for (; left; left -= len, offset = 0) {
		len = min_t(size_t, left, PAGE_SIZE - offset);
		bvec_set_page(&pin->bvec[pin->nr], pin->pages[pin->nr], len,
			      offset);
		pin->nr++;
	}
	return 0;
}

static int msyncfs_pin_alloc(struct msyncfs_pinned *pin, unsigned int max)
{
	pin->bytes = 0;
	pin->nr = 0;
	pin->bvec = pin->few_bvec;
	pin->pages = pin->few_pages;
	if (max <= MSYNCFS_PIN_FEW)
		return 0;
	pin->bvec = kvmalloc(max * (sizeof(*pin->bvec) + sizeof(*pin->pages)),
			     GFP_KERNEL);
	if (!pin->bvec)
		return -ENOMEM;
	pin->pages = (struct page **)&pin->bvec[max];
	return 0;
}

static void msyncfs_unpin(struct msyncfs_pinned *pin, bool dirty)
{
	unpin_user_pages_dirty_lock(pin->pages, pin->nr, dirty);
	if (pin->bvec != pin->few_bvec)
		kvfree(pin->bvec);
}

/*
 * Pins the next part of @iter and advances @iter. A page fault may delay this
 * function without limit, so the caller holds no lock except i_rwsem.
 */
static int msyncfs_pin(struct msyncfs_pinned *pin, struct iov_iter *iter)
{
	unsigned int max = iov_iter_npages(iter, MSYNCFS_PIN_MAX);
	unsigned int dir = iov_iter_rw(iter) == WRITE ? ITER_SOURCE : ITER_DEST;
	int err = msyncfs_pin_alloc(pin, max);

	while (!err && iov_iter_count(iter) && pin->nr < max)
		err = msyncfs_pin_some(pin, iter, max);
	if (!pin->nr) {
		msyncfs_unpin(pin, false);
		return err;
	}
	/*
	 * If an error came after some pages were pinned, use these pages. The
	 * next call gets the error again.
	 */
	iov_iter_bvec(&pin->iter, dir, pin->bvec, pin->nr, pin->bytes);
	return 0;
}

static ssize_t msyncfs_dio_pinned(struct kiocb *iocb, struct iov_iter *iter)
{
	struct msyncfs_pinned pin;
	ssize_t ret;

	ret = msyncfs_pin(&pin, iter);
	if (ret)
		return ret;
	ret = msyncfs_dio_chunk(iocb, &pin.iter);
	iov_iter_revert(iter, pin.bytes - max_t(ssize_t, ret, 0));
	msyncfs_unpin(&pin, ret > 0 && iov_iter_rw(iter) == READ);
	return ret;
}

/*
 * Returns whether to transfer the data of @iter without the page cache. iomap
 * gets the memory as a list of pages. In each page, the address and the length
 * of the data must be aligned to sectors. If they are not aligned, the result
 * depends on the device. If the device accepts the memory, the result is false,
 * and the data goes through the page cache. If the device rejects the memory,
 * the result is true, and iomap returns -EINVAL.
 */
static bool msyncfs_dio_aligned(struct inode *inode, struct iov_iter *iter)
{
	struct block_device *bdev = inode->i_sb->s_bdev;
	unsigned int mask = bdev_logical_block_size(bdev) - 1;

	return iov_iter_is_aligned(iter, mask, mask) ||
	       !bdev_iter_is_aligned(bdev, iter);
}

/**
 * msyncfs_dio_transfer - transfer data without the page cache
 * @iocb: request; ki_pos advances by the number of transferred bytes
 * @iter: memory; advances by the number of transferred bytes
 *
 * The transfer stops at the first block that needs the page cache. The caller
 * transfers the rest through the page cache.
 *
 * Context: for a write, caller holds i_rwsem exclusively; for a read, takes
 * i_rwsem shared. Takes i_commit_lock and i_dio_sem; waits for the device.
 * Return: the number of transferred bytes, which may be 0; or a negative errno.
 */
ssize_t msyncfs_dio_transfer(struct kiocb *iocb, struct iov_iter *iter)
{
	ssize_t ret, done = 0;

	if (!user_backed_iter(iter))
		return msyncfs_dio_chunk(iocb, iter);
	if (!msyncfs_dio_aligned(file_inode(iocb->ki_filp), iter))
		return 0;
	do {
		ret = msyncfs_dio_pinned(iocb, iter);
		if (ret > 0)
			done += ret;
	} while (ret > 0 && iov_iter_count(iter) &&
		 !fatal_signal_pending(current));
	return done ?: ret;
}
