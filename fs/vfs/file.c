// SPDX-License-Identifier: GPL-2.0
/*
 * Regular files: read, write, O_DIRECT, seek and fiemap, over iomap. The page
 * cache's own operations, mappings and fsync are mm/'s; fallocate and size
 * changes have files of their own.
 *
 * Buffered writes. iomap copies the data; here a folio is got and put back:
 * under the freeze, per folio, while the copy runs with page faults off (P3).
 * iomap itself never reads a page for a partial write, since it knows nothing
 * of images that are not home (B4), and no I/O may happen under the freeze
 * (P2): the folio is brought up to date before it is locked.
 *
 * O_DIRECT. While the device works on blocks in place they must stay the
 * file's: a read holds i_dio_sem, a write i_commit_lock. Neither may be held
 * across a page fault, which can take as long as a FUSE server or a
 * userfaultfd likes, nor while waiting for mmap_lock, which others hold across
 * such faults. So the user's pages are pinned before, some MiB at a time, and
 * iomap only sees the pages.
 */
#include <linux/fiemap.h>
#include <linux/iomap.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include <linux/writeback.h>

#include "fs/fs.h"

static bool msyncfs_file_dead(struct inode *inode)
{
	return unlikely(msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)));
}

/* ---- the map, as iomap sees it ------------------------------------------ */

static void msyncfs_set_iomap(struct inode *inode, struct iomap *iomap,
			      const struct msyncfs_extent *ext)
{
	iomap->offset = ext->index << MSYNCFS_BLOCK_SHIFT;
	iomap->length = ext->len << MSYNCFS_BLOCK_SHIFT;
	iomap->bdev = inode->i_sb->s_bdev;
	iomap->addr = IOMAP_NULL_ADDR;
	iomap->type = IOMAP_HOLE;
	if (ext->blkno) {
		iomap->addr = ext->blkno << MSYNCFS_BLOCK_SHIFT;
		iomap->type = ext->unwritten ? IOMAP_UNWRITTEN : IOMAP_MAPPED;
	}
}

/* A hole may hold pages that are dirty and have no block yet: data. */
static void msyncfs_report_delalloc(struct inode *inode, struct iomap *iomap,
				    const struct msyncfs_extent *ext)
{
	u64 last = ext->index + ext->len - 1;
	u64 next = msyncfs_resv_next(inode, ext->index, last);

	if (next > ext->index) {
		iomap->length = (next - ext->index) << MSYNCFS_BLOCK_SHIFT;
		return;
	}
	while (next <= last && msyncfs_resv_test(inode, next))
		next++;
	iomap->type = IOMAP_DELALLOC;
	iomap->length = (next - ext->index) << MSYNCFS_BLOCK_SHIFT;
}

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

	return READ_ONCE(sbi->durable_tid) >= MSYNCFS_I(inode)->i_data_tid &&
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

/*
 * For seeking and FIEMAP, which may go through very many runs. A commit of an
 * atomic file takes reservations over before their pages have blocks in the map:
 * they must not look like holes in between. Caller holds i_rwsem.
 */
static int msyncfs_iomap_report(struct inode *inode, u64 index, u64 max,
				struct iomap *iomap)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	bool atomic = msyncfs_is_atomic(inode);
	struct msyncfs_extent ext;
	int err;

	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	if (atomic)
		mutex_lock(&mi->i_commit_lock);
	err = msyncfs_map_lookup(inode, index, max, &ext);
	if (!err) {
		msyncfs_set_iomap(inode, iomap, &ext);
		if (iomap->type == IOMAP_HOLE)
			msyncfs_report_delalloc(inode, iomap, &ext);
	}
	if (atomic)
		mutex_unlock(&mi->i_commit_lock);
	return err;
}

static const struct iomap_folio_ops msyncfs_folio_ops;

static int msyncfs_iomap_begin(struct inode *inode, loff_t pos, loff_t length,
			       unsigned int flags, struct iomap *iomap,
			       struct iomap *srcmap)
{
	u64 index = pos >> MSYNCFS_BLOCK_SHIFT;
	u64 max = DIV_ROUND_UP_ULL(pos + length, MSYNCFS_BLOCK_SIZE) - index;
	struct iomap_iter *iter = container_of(iomap, struct iomap_iter, iomap);
	struct msyncfs_extent ext;
	int err;

	if (msyncfs_file_dead(inode))
		return -EIO;
	if (flags & IOMAP_DIRECT) {
		if (flags & IOMAP_WRITE)
			return msyncfs_dio_begin_write(inode, pos, max,
						       iter->private, iomap);
		return msyncfs_dio_begin_read(inode, index, max, iter->private,
					      iomap);
	}
	if (flags & IOMAP_WRITE) {
		/*
		 * Whatever it is: what iomap has to know of each page is
		 * looked up for that page, in get_folio. Delalloc means that
		 * it fills with zeros what is not up to date then.
		 */
		ext = (struct msyncfs_extent){ .index = index, .len = max };
		msyncfs_set_iomap(inode, iomap, &ext);
		iomap->type = IOMAP_DELALLOC;
		iomap->folio_ops = &msyncfs_folio_ops;
		return 0;
	}

	if (flags & IOMAP_REPORT)
		return msyncfs_iomap_report(inode, index, max, iomap);
	err = msyncfs_map_lookup(inode, index, max, &ext);
	if (!err)
		msyncfs_set_iomap(inode, iomap, &ext);
	return err;
}

const struct iomap_ops msyncfs_iomap_ops = {
	.iomap_begin	= msyncfs_iomap_begin,
};

/* ---- buffered write ----------------------------------------------------- */

/* Locks the folio under the freeze, up to date if @old data must be kept. */
static struct folio *msyncfs_lock_folio(struct inode *inode, pgoff_t index,
					bool old)
{
	struct folio *folio;

	for (;;) {
		if (old) {
			folio = read_mapping_folio(inode->i_mapping, index,
						   NULL);
			if (IS_ERR(folio))
				return folio;
			folio_put(folio);
		}
		folio = msyncfs_folio_begin(inode, index);
		if (IS_ERR(folio) || !old || folio_test_uptodate(folio))
			return folio;
		/* Reclaimed in between. */
		msyncfs_folio_end(inode, folio);
		if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
	}
}

/*
 * i_rwsem is held, so a block does not go away between the look at the map and
 * the lock. One may come: then the reservation is one too many, until the page
 * is written or dropped.
 */
static struct folio *msyncfs_get_folio(struct iomap_iter *iter, loff_t pos,
				       unsigned int len)
{
	struct inode *inode = iter->inode;
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	pgoff_t index = pos >> PAGE_SHIFT;
	bool partial = offset_in_page(pos) || len < PAGE_SIZE;
	bool old = partial && (loff_t)index << PAGE_SHIFT < i_size_read(inode);
	struct msyncfs_extent ext;
	struct folio *folio;
	int err;

	err = msyncfs_map_lookup(inode, index, 1, &ext);
	if (err)
		return ERR_PTR(err);
	folio = msyncfs_lock_folio(inode, index, old);
	if (IS_ERR(folio) || msyncfs_resv_test(inode, index) ||
	    (ext.blkno && !msyncfs_is_atomic(inode)))
		return folio;
	err = msyncfs_resv_page(inode, index);
	if (err) {
		msyncfs_folio_end(inode, folio);
		return ERR_PTR(err);
	}
	set_bit(MSYNCFS_I_RESV_NEW, &mi->i_flags);
	return folio;
}

static void msyncfs_put_folio(struct inode *inode, loff_t pos,
			      unsigned int copied, struct folio *folio)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	/* Reserved for nothing: the copy failed. */
	if (test_and_clear_bit(MSYNCFS_I_RESV_NEW, &mi->i_flags) &&
	    !folio_test_dirty(folio))
		msyncfs_resv_release(inode, folio->index, folio->index);
	msyncfs_folio_end(inode, folio);
}

static const struct iomap_folio_ops msyncfs_folio_ops = {
	.get_folio	= msyncfs_get_folio,
	.put_folio	= msyncfs_put_folio,
};

/*
 * Before ENOSPC: what dirty pages and the writeback under way hold back beyond
 * what they need in the end, and what is freed but not reusable yet (B3).
 */
static int msyncfs_find_space(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	int err;

	try_to_writeback_inodes_sb(sb, WB_REASON_FS_FREE_SPACE);
	err = filemap_fdatawrite(inode->i_mapping);
	if (!err)
		err = msyncfs_commit_all(sb);
	return err ?: msyncfs_checkpoint(sb);
}

/* Caller holds i_rwsem and has done the checks. */
static ssize_t msyncfs_buffered_write(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret;

	ret = iomap_file_buffered_write(iocb, from, &msyncfs_iomap_ops, NULL);
	if (ret == -ENOSPC && !msyncfs_find_space(file_inode(iocb->ki_filp)))
		ret = iomap_file_buffered_write(iocb, from, &msyncfs_iomap_ops,
						NULL);
	return ret;
}

/* ---- O_DIRECT ----------------------------------------------------------- */

/* An O_DIRECT write may be in the device's cache; fsync() has to flush it. */
static void msyncfs_dio_written(struct inode *inode)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);

	WRITE_ONCE(MSYNCFS_I(inode)->i_dio_seq,
		   atomic64_inc_return(&sbi->dio_seq));
}

/**
 * msyncfs_dio_flush_sb - make completed O_DIRECT writes durable
 * @sb: filesystem
 * @seq: value of sbi->dio_seq that has to be durable
 *
 * A flush that fails is final, as for the log: what the cache held may be gone,
 * and the next flush would not tell.
 *
 * Context: may sleep.
 * Return: 0, at once if @seq is durable already; or the device's error.
 */
int msyncfs_dio_flush_sb(struct super_block *sb, s64 seq)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	s64 old = atomic64_read(&sbi->dio_flushed);
	s64 now = atomic64_read(&sbi->dio_seq);
	int err;

	if (old >= seq)
		return 0;
	err = msyncfs_flush(sb);
	if (err)
		return err;
	while (old < now &&
	       !atomic64_try_cmpxchg(&sbi->dio_flushed, &old, now))
		;
	return 0;
}

/**
 * msyncfs_dio_flush - make completed O_DIRECT writes to a file durable
 * @inode: file
 *
 * No record holds their data, so no commit does this; fsync() does, after its
 * commit.
 *
 * Context: may sleep.
 * Return: 0, at once if there was no such write since the last flush; or the
 * device's error.
 */
int msyncfs_dio_flush(struct inode *inode)
{
	return msyncfs_dio_flush_sb(inode->i_sb,
				    READ_ONCE(MSYNCFS_I(inode)->i_dio_seq));
}

/* Brings what the page cache and the log have for the range home (B2). */
static int msyncfs_dio_settle(struct inode *inode, loff_t pos, size_t count)
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
	msyncfs_dio_written(inode);
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

	dio = __iomap_dio_rw(iocb, iter, &msyncfs_iomap_ops, &msyncfs_dio_ops,
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
static ssize_t msyncfs_direct(struct kiocb *iocb, struct iov_iter *iter)
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

static ssize_t msyncfs_direct_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	ssize_t direct, buffered;

	if (test_bit(MSYNCFS_SB_ABORTED, &sbi->state))
		return -EROFS;
	direct = msyncfs_dio_settle(inode, iocb->ki_pos, iov_iter_count(from));
	if (!direct)
		direct = msyncfs_direct(iocb, from);
	if (direct < 0 || !iov_iter_count(from))
		return direct;
	buffered = msyncfs_buffered_write(iocb, from);
	buffered = direct_write_fallback(iocb, from, direct, buffered);
	return buffered > direct ? generic_write_sync(iocb, buffered) : buffered;
}

static ssize_t msyncfs_direct_read(struct kiocb *iocb, struct iov_iter *to)
{
	ssize_t ret;

	if (iocb->ki_pos >= i_size_read(file_inode(iocb->ki_filp)))
		return 0;
	ret = msyncfs_direct(iocb, to);
	file_accessed(iocb->ki_filp);
	return ret;
}

/* ---- file operations ---------------------------------------------------- */

static ssize_t msyncfs_file_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret = 0;

	if (msyncfs_file_dead(inode))
		return -EIO;
	if (!iov_iter_count(to))
		return 0;
	if (msyncfs_is_atomic(inode))
		iocb->ki_flags &= ~IOCB_DIRECT;
	if (iocb->ki_flags & IOCB_DIRECT) {
		ret = msyncfs_direct_read(iocb, to);
		/* The rest is data that has not gone home yet. */
		if (ret < 0 || !iov_iter_count(to) ||
		    iocb->ki_pos >= i_size_read(inode))
			return ret;
	}
	return filemap_read(iocb, to, ret);
}

/* O_DIRECT does not come here: the VFS copies for it. */
static ssize_t msyncfs_splice_read(struct file *in, loff_t *ppos,
				   struct pipe_inode_info *pipe, size_t len,
				   unsigned int flags)
{
	if (msyncfs_file_dead(file_inode(in)))
		return -EIO;
	return filemap_splice_read(in, ppos, pipe, len, flags);
}

/* Caller holds i_rwsem. */
static ssize_t msyncfs_write_locked(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	ret = kiocb_modified(iocb);
	if (!ret && iocb->ki_pos > i_size_read(inode))
		ret = msyncfs_prepare_extend(inode);
	if (ret)
		return ret;
	/* B2: only the page cache knows what is not committed. */
	if (msyncfs_is_atomic(inode))
		iocb->ki_flags &= ~IOCB_DIRECT;
	if (iocb->ki_flags & IOCB_DIRECT)
		return msyncfs_direct_write(iocb, from);
	return msyncfs_buffered_write(iocb, from);
}

static ssize_t msyncfs_file_write_iter(struct kiocb *iocb,
				       struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (msyncfs_file_dead(inode))
		return -EIO;
	if (msyncfs_log_dead(MSYNCFS_SB(inode->i_sb)))
		return -EROFS;
	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	inode_lock(inode);
	ret = msyncfs_write_locked(iocb, from);
	inode_unlock(inode);
	/* O_DIRECT has done its own. */
	if (ret > 0 && !(iocb->ki_flags & IOCB_DIRECT))
		ret = generic_write_sync(iocb, ret);
	return ret;
}

static loff_t msyncfs_file_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);

	if (whence != SEEK_HOLE && whence != SEEK_DATA)
		return generic_file_llseek(file, offset, whence);

	inode_lock_shared(inode);
	if (whence == SEEK_HOLE)
		offset = iomap_seek_hole(inode, offset, &msyncfs_iomap_ops);
	else
		offset = iomap_seek_data(inode, offset, &msyncfs_iomap_ops);
	inode_unlock_shared(inode);
	return offset < 0 ? offset :
	       vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

static int msyncfs_file_open(struct inode *inode, struct file *file)
{
	int err;

	if (msyncfs_file_dead(inode))
		return -EIO;
	file->f_mode |= FMODE_CAN_ODIRECT;
	err = generic_file_open(inode, file);
	if (!err)
		msyncfs_atomic_open(inode);
	return err;
}

/* What is reported is where the data is on the device now (P7). */
static int msyncfs_fiemap(struct inode *inode, struct fiemap_extent_info *info,
			  u64 start, u64 len)
{
	loff_t end = start + min_t(u64, len, LLONG_MAX - start) - 1;
	int err;

	if (msyncfs_file_dead(inode))
		return -EIO;
	if (start >= inode->i_sb->s_maxbytes || !len)
		return iomap_fiemap(inode, info, start, len,
				    &msyncfs_iomap_ops);
	/* Who just looks must not commit an atomic file half way. */
	if (msyncfs_is_atomic(inode))
		err = msyncfs_commit(inode->i_sb,
				     READ_ONCE(MSYNCFS_I(inode)->i_data_tid));
	else
		err = msyncfs_sync_inode(inode, start, end, true);
	if (!err)
		err = msyncfs_home_range(inode, start, end);
	if (err)
		return err;
	inode_lock_shared(inode);
	err = iomap_fiemap(inode, info, start, len, &msyncfs_iomap_ops);
	inode_unlock_shared(inode);
	return err;
}

const struct file_operations msyncfs_file_operations = {
	.llseek		= msyncfs_file_llseek,
	.read_iter	= msyncfs_file_read_iter,
	.write_iter	= msyncfs_file_write_iter,
	.mmap		= msyncfs_file_mmap,
	.open		= msyncfs_file_open,
	.release	= msyncfs_atomic_release,
	.fsync		= msyncfs_fsync,
	.splice_read	= msyncfs_splice_read,
	.splice_write	= iter_file_splice_write,
	.fallocate	= msyncfs_fallocate,
	.unlocked_ioctl	= msyncfs_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

const struct inode_operations msyncfs_file_inode_operations = {
	.getattr	= msyncfs_getattr,
	.setattr	= msyncfs_setattr,
	.fiemap		= msyncfs_fiemap,
};
