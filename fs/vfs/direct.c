// SPDX-License-Identifier: GPL-2.0
/*
 * O_DIRECT: transfers between user memory and the blocks of a file, past the page
 * cache.
 *
 * While the device works on blocks in place they must stay the file's: a read
 * holds i_dio_sem, a write i_commit_lock. Neither may be held across a page fault,
 * which can take as long as a FUSE server or a userfaultfd likes. Neither may be
 * held while waiting for mmap_lock, which other tasks hold across such faults. So
 * the user's pages are pinned before, some MiB at a time, and iomap only sees the
 * pages.
 */
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
 * @locked: its blocks stay as they are: for a read, i_dio_sem is held shared,
 *	for a write, i_commit_lock
 * @nofs: to restore the allocation context when it is not any more
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
 * May the blocks of [@pos, @end) be accessed behind the page cache's back?
 * Only if they hold the newest durable data and nothing newer is under way.
 * Caller holds i_commit_lock: between capture and attach nothing would tell.
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

/* The block cannot be used in place: the rest goes through the page cache. */
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
	 * Held until the last write is complete: no record can name these
	 * blocks meanwhile (B2). Taken here and not earlier because iomap
	 * writes back and invalidates pages first, which needs it.
	 */
	if (!dio->locked) {
		mutex_lock(&MSYNCFS_I(inode)->i_commit_lock);
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
	return 0;
}

/*
 * i_commit_lock for the look at the map, i_dio_sem from then on. Of a transfer
 * that has i_dio_sem already, the former is only tried: who holds it may be
 * waiting for the latter. (msyncfs_dio_chunk() then comes again without.)
 */
static bool msyncfs_dio_lock_read(struct msyncfs_inode_info *mi,
				  struct msyncfs_dio *dio)
{
	if (dio->locked)
		return mutex_trylock(&mi->i_commit_lock);
	mutex_lock(&mi->i_commit_lock);
	/* Nobody has it exclusively without i_commit_lock: does not wait. */
	down_read(&mi->i_dio_sem);
	msyncfs_dio_locked(dio);
	return true;
}

/*
 * Blocks allocated lately must not show what was in them before. What is
 * captured after this is a store that the read may as well have come before.
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

/* Brings what the page cache and the log have for the range home (B2). */
int msyncfs_dio_home(struct inode *inode, loff_t pos, size_t count)
{
	loff_t end = pos + count - 1;
	int err;

	err = msyncfs_sync_inode(inode, pos, end, true);
	if (err)
		return err;
	return msyncfs_home_range(inode, pos, end);
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
	msyncfs_direct_written(inode);
	mutex_unlock(&mi->i_commit_lock);
}

static int msyncfs_dio_end(struct kiocb *iocb, ssize_t size, int error,
			   unsigned int flags)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (error == -EIO)
		msyncfs_err(inode->i_sb, "inode %lu: O_DIRECT from byte %lld on failed (%d)",
			    inode->i_ino, iocb->ki_pos, error);
	return error;
}

static const struct iomap_dio_ops msyncfs_dio_ops = {
	.end_io		= msyncfs_dio_end,
};

/*
 * One go, as far as blocks can be used in place; 0 if not at all. @iter is not
 * user memory. Asynchronous requests wait too: the locks are this task's.
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
	/* This may call ->fsync, which takes i_commit_lock (P5). */
	ret = PTR_ERR_OR_ZERO(dio);
	if (!IS_ERR_OR_NULL(dio))
		ret = iomap_dio_complete(dio);
	if (ret < 0)
		iocb->ki_pos = pos;
	return ret == -ENOTBLK ? 0 : ret;
}

/* Again and again, until there is no way on. A write holds i_rwsem already. */
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

/* Most pages pinned at a time. */
#define MSYNCFS_PIN_MAX		1024

/**
 * struct msyncfs_pinned - the next part of a user's buffer, pinned
 * @iter: lists it
 * @bytes: how much it is
 * @nr: pages
 * @pages: the same in the form in which they are unpinned
 * @bvec: one for each page
 */
struct msyncfs_pinned {
	struct iov_iter	iter;
	size_t		bytes;
	unsigned int	nr;
	struct page	**pages;
	struct bio_vec	bvec[];
};

/* The pages of one segment, or some of them. */
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

/*
 * Pins what comes next in @iter, which moves on. May take for ever: the caller
 * holds i_rwsem at most.
 */
static struct msyncfs_pinned *msyncfs_pin(struct iov_iter *iter)
{
	unsigned int max = iov_iter_npages(iter, MSYNCFS_PIN_MAX);
	unsigned int dir = iov_iter_rw(iter) == WRITE ? ITER_SOURCE : ITER_DEST;
	struct msyncfs_pinned *pin;
	int err = 0;

	pin = kvmalloc(struct_size(pin, bvec, max) + max * sizeof(*pin->pages),
		       GFP_KERNEL);
	if (!pin)
		return ERR_PTR(-ENOMEM);
	pin->bytes = 0;
	pin->nr = 0;
	pin->pages = (struct page **)&pin->bvec[max];
	while (!err && iov_iter_count(iter) && pin->nr < max)
		err = msyncfs_pin_some(pin, iter, max);
	if (!pin->nr) {
		kvfree(pin);
		return ERR_PTR(err);
	}
	/* A part is good enough: who needs the rest gets the error. */
	iov_iter_bvec(&pin->iter, dir, pin->bvec, pin->nr, pin->bytes);
	return pin;
}

static void msyncfs_unpin(struct msyncfs_pinned *pin, bool dirty)
{
	unpin_user_pages_dirty_lock(pin->pages, pin->nr, dirty);
	kvfree(pin);
}

static ssize_t msyncfs_dio_pinned(struct kiocb *iocb, struct iov_iter *iter)
{
	struct msyncfs_pinned *pin = msyncfs_pin(iter);
	ssize_t ret;

	if (IS_ERR(pin))
		return PTR_ERR(pin);
	ret = msyncfs_dio_chunk(iocb, &pin->iter);
	iov_iter_revert(iter, pin->bytes - max_t(ssize_t, ret, 0));
	msyncfs_unpin(pin, ret > 0 && iov_iter_rw(iter) == READ);
	return ret;
}

/*
 * Listed page by page, memory must be aligned to sectors. The device may be
 * content with less; the page cache is, too.
 */
static bool msyncfs_dio_aligned(struct inode *inode, struct iov_iter *iter)
{
	struct block_device *bdev = inode->i_sb->s_bdev;
	unsigned int mask = bdev_logical_block_size(bdev) - 1;

	return iov_iter_is_aligned(iter, mask, mask) ||
	       !bdev_iter_is_aligned(bdev, iter);	/* -EINVAL */
}

/* Past the page cache, as far as that goes; 0 if not at all. */
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
