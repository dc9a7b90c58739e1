// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements read, write, seek and FIEMAP of regular files. It uses
 * iomap. direct.c transfers data for O_DIRECT, untorn.c writes for RWF_ATOMIC.
 * read.c fills the page cache.
 * fallocate.c and truncate.c change blocks and sizes. mm/ implements mappings,
 * msync and fsync.
 *
 * In a buffered write, iomap copies the data into folios. Before each copy,
 * iomap calls msyncfs_get_folio(), which locks i_freeze (shared) and the folio.
 * After the copy, iomap calls msyncfs_put_folio(), which unlocks both. Page
 * faults are disabled during the copy (P3). iomap must not read a page for a
 * partial write, because iomap does not know images that are not home (B4). A
 * task must not do I/O while it holds i_freeze, because a capture waits for
 * i_freeze (P2). So msyncfs_get_folio() reads the page before it locks the
 * folio.
 */
#include <linux/fiemap.h>
#include <linux/iomap.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>
#include <linux/writeback.h>

#include "vfs.h"

static bool msyncfs_file_dead(struct inode *inode)
{
	return unlikely(msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)));
}

/* ---- buffered write ------------------------------------------------------ */

/*
 * Locks i_freeze (shared) and a folio. If @old is true, the write keeps some
 * old data of the page, and the returned folio is up to date.
 */
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
		/* The page was reclaimed between the read and the lock. */
		msyncfs_folio_end(inode, folio);
		if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
	}
}

/**
 * msyncfs_has_block - tell whether a dirty page needs no reservation
 * @inode: regular file
 * @index: page
 * @has: set to true if the page of an ordinary file has a block, else to false
 *
 * A cached folio may remember the block, and then the map need not be read.
 *
 * Context: may sleep and read map nodes.
 * Return: 0 or a negative errno.
 */
int msyncfs_has_block(struct inode *inode, pgoff_t index, bool *has)
{
	struct msyncfs_extent ext;
	struct folio *folio;
	u64 home = 0;
	int err;

	*has = false;
	if (msyncfs_is_atomic(inode))
		return 0;
	folio = filemap_get_folio(inode->i_mapping, index);
	if (!IS_ERR(folio)) {
		home = msyncfs_folio_home(folio);
		folio_put(folio);
	}
	*has = home;
	if (home)
		return 0;
	err = msyncfs_map_lookup(inode, index, 1, &ext);
	if (!err)
		*has = ext.blkno;
	return err;
}

/*
 * iomap takes folio->private for a pointer, so the folio forgets its block
 * until msyncfs_put_folio().
 */
static void msyncfs_hide_home(struct inode *inode, struct folio *folio)
{
	MSYNCFS_I(inode)->i_write_home = msyncfs_folio_home(folio);
	msyncfs_folio_set_home(folio, 0);
}

/*
 * Caller holds i_rwsem, so the page cannot lose its block between the lookup in
 * the map and the folio lock. But the page may gain a block in this time. Then
 * this function makes a reservation that the page does not need. The
 * reservation ends when the page is written or dropped.
 */
static struct folio *msyncfs_get_folio(struct iomap_iter *iter, loff_t pos,
				       unsigned int len)
{
	struct inode *inode = iter->inode;
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	pgoff_t index = pos >> PAGE_SHIFT;
	bool partial = offset_in_page(pos) || len < PAGE_SIZE;
	bool old = partial && (loff_t)index << PAGE_SHIFT < i_size_read(inode);
	struct folio *folio;
	bool has;
	int err;

	err = msyncfs_has_block(inode, index, &has);
	if (err)
		return ERR_PTR(err);
	folio = msyncfs_lock_folio(inode, index, old);
	if (IS_ERR(folio))
		return folio;
	if (!has && !msyncfs_resv_test(inode, index)) {
		err = msyncfs_resv_page(inode, index);
		if (err) {
			msyncfs_folio_end(inode, folio);
			return ERR_PTR(err);
		}
		set_bit(MSYNCFS_I_RESV_NEW, &mi->i_flags);
	}
	msyncfs_hide_home(inode, folio);
	return folio;
}

static void msyncfs_put_folio(struct inode *inode, loff_t pos,
			      unsigned int copied, struct folio *folio)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	/* If the copy failed, the page does not need its new reservation. */
	if (test_and_clear_bit(MSYNCFS_I_RESV_NEW, &mi->i_flags) &&
	    !folio_test_dirty(folio))
		msyncfs_resv_release(inode, folio->index, folio->index);
	msyncfs_folio_set_home(folio, mi->i_write_home);
	msyncfs_folio_end(inode, folio);
}

static const struct iomap_write_ops msyncfs_write_ops = {
	.get_folio	= msyncfs_get_folio,
	.put_folio	= msyncfs_put_folio,
};

/*
 * This function does not read the map, because msyncfs_get_folio() looks up
 * each page. If a folio is not up to date, the type IOMAP_DELALLOC makes iomap
 * zero the part of the folio that the write does not cover.
 */
static int msyncfs_write_begin(struct inode *inode, loff_t pos, loff_t length,
			       unsigned int flags, struct iomap *iomap,
			       struct iomap *srcmap)
{
	u64 index = pos >> MSYNCFS_BLOCK_SHIFT;
	struct msyncfs_extent ext = {
		.index = index,
		.len = DIV_ROUND_UP_ULL(pos + length, MSYNCFS_BLOCK_SIZE) - index,
	};

	if (msyncfs_file_dead(inode))
		return -EIO;
	msyncfs_set_iomap(inode, iomap, &ext);
	iomap->type = IOMAP_DELALLOC;
	msyncfs_set_write_ops(iomap, &msyncfs_write_ops);
	return 0;
}

static const struct iomap_ops msyncfs_write_iomap_ops = {
	.iomap_begin	= msyncfs_write_begin,
};

/**
 * msyncfs_find_space - try to find space before a write fails with ENOSPC
 * @inode: regular file
 *
 * The promises of dirty pages may count more blocks than the pages need.
 * Writeback ends these promises. A commit and a checkpoint make freed blocks
 * usable (B3).
 *
 * Context: the caller may hold i_rwsem; waits for commits and for the device.
 * Return: 0 or a negative errno.
 */
int msyncfs_find_space(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;

	try_to_writeback_inodes_sb(sb, WB_REASON_FS_FREE_SPACE);
	return filemap_fdatawrite(inode->i_mapping) ?: msyncfs_log_empty(sb);
}

/* Caller holds i_rwsem and has done all checks. */
static ssize_t msyncfs_buffered_write(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret;

	ret = msyncfs_iomap_write(iocb, from, &msyncfs_write_iomap_ops,
				  &msyncfs_write_ops);
	if (ret == -ENOSPC && !msyncfs_find_space(file_inode(iocb->ki_filp)))
		ret = msyncfs_iomap_write(iocb, from, &msyncfs_write_iomap_ops,
					  &msyncfs_write_ops);
	return ret;
}

/* ---- O_DIRECT ------------------------------------------------------------ */

/*
 * Writes as much as possible without the page cache. A transfer stops at a block
 * whose newest data is not home. Then this function brings the rest of the range
 * home, and makes one more transfer.
 */
static ssize_t msyncfs_dio_try(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t done, more;

	done = msyncfs_dio_transfer(iocb, from, true);
	if (done < 0 || !iov_iter_count(from))
		return done;
	more = msyncfs_dio_home(inode, iocb->ki_pos, iov_iter_count(from));
	if (!more)
		more = msyncfs_dio_transfer(iocb, from, true);
	if (more < 0)
		return done ?: more;
	return done + more;
}

/* Caller holds i_rwsem and has done all checks. */
static ssize_t msyncfs_dio_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	ssize_t direct, buffered;

	if (test_bit(MSYNCFS_SB_ABORTED, &sbi->state))
		return -EROFS;
	direct = msyncfs_dio_try(iocb, from);
	if (direct < 0 || !iov_iter_count(from))
		return direct;
	buffered = msyncfs_buffered_write(iocb, from);
	buffered = direct_write_fallback(iocb, from, direct, buffered);
	return buffered > direct ? generic_write_sync(iocb, buffered) : buffered;
}

/* After -EIOCBQUEUED the request may be complete, and @iocb gone. */
static ssize_t msyncfs_dio_read(struct kiocb *iocb, struct iov_iter *to)
{
	if (iocb->ki_pos >= i_size_read(file_inode(iocb->ki_filp)))
		return 0;
	file_accessed(iocb->ki_filp);
	return msyncfs_dio_transfer(iocb, to, false);
}

/* ---- file operations ----------------------------------------------------- */

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
		ret = msyncfs_dio_read(iocb, to);
		/* Read the rest of the range through the page cache. */
		if (ret < 0 || !iov_iter_count(to) ||
		    iocb->ki_pos >= i_size_read(inode))
			return ret;
	}
	return filemap_read(iocb, to, ret);
}

/* For O_DIRECT, the VFS calls copy_splice_read() instead of this function. */
static ssize_t msyncfs_splice_read(struct file *in, loff_t *ppos,
				   struct pipe_inode_info *pipe, size_t len,
				   unsigned int flags)
{
	if (msyncfs_file_dead(file_inode(in)))
		return -EIO;
	return filemap_splice_read(in, ppos, pipe, len, flags);
}

/*
 * Checks a write as generic_write_checks(), and returns the same. Caller holds
 * i_rwsem.
 */
static ssize_t msyncfs_write_checks(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	/* The descriptor may be older than the flag. */
	if (IS_IMMUTABLE(inode))
		return -EPERM;
	if (msyncfs_batch_denies(inode, iocb->ki_filp))
		return -EBUSY;
	return generic_write_checks(iocb, from);
}

/*
 * Returns whether an O_DIRECT write may be one that changes neither the size of
 * the file nor its privileges. Caller holds i_rwsem.
 */
static bool msyncfs_may_overwrite(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	return !msyncfs_is_atomic(inode) && IS_NOSEC(inode) &&
	       iocb->ki_pos + iov_iter_count(from) <= i_size_read(inode);
}

/*
 * Overwrites blocks directly, in parallel with other tasks. Stops at the first
 * block that needs the page cache. Returns as msyncfs_dio_transfer().
 */
static ssize_t msyncfs_overwrite(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (!(iocb->ki_flags & IOCB_NOWAIT))
		inode_lock_shared(inode);
	else if (!inode_trylock_shared(inode))
		return -EAGAIN;
	ret = msyncfs_write_checks(iocb, from);
	/* Unlike kiocb_modified(), file_modified() never returns -EAGAIN. */
	if (ret > 0)
		ret = !msyncfs_may_overwrite(iocb, from) ? 0 :
		      file_modified(iocb->ki_filp) ?:
		      msyncfs_dio_transfer(iocb, from, false);
	inode_unlock_shared(inode);
	return ret;
}

/* Caller holds i_rwsem exclusively. */
static ssize_t msyncfs_write_locked(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t count = iov_iter_count(from);
	ssize_t ret;

	ret = msyncfs_write_checks(iocb, from);
	if (ret <= 0)
		return ret;
	ret = 0;
	if (iocb->ki_flags & IOCB_ATOMIC)
		ret = msyncfs_untorn_check(iocb, from, count);
	if (!ret)
		ret = kiocb_modified(iocb);
	if (!ret && iocb->ki_pos > i_size_read(inode))
		ret = msyncfs_prepare_extend(inode);
	if (ret)
		return ret;
	if (iocb->ki_flags & IOCB_ATOMIC)
		return msyncfs_untorn_write(iocb, from);
	/* An O_DIRECT write would change an atomic file without a commit. */
	if (msyncfs_is_atomic(inode))
		iocb->ki_flags &= ~IOCB_DIRECT;
	if (iocb->ki_flags & IOCB_DIRECT)
		return msyncfs_dio_write(iocb, from);
	return msyncfs_buffered_write(iocb, from);
}

static ssize_t msyncfs_file_write_iter(struct kiocb *iocb,
				       struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret, done = 0;

	if (msyncfs_file_dead(inode))
		return -EIO;
	if (msyncfs_log_dead(MSYNCFS_SB(inode->i_sb)))
		return -EROFS;
	if ((iocb->ki_flags & (IOCB_DIRECT | IOCB_ATOMIC)) == IOCB_DIRECT) {
		done = msyncfs_overwrite(iocb, from);
		if (done < 0 || !iov_iter_count(from))
			return done;
	}
	if (iocb->ki_flags & IOCB_NOWAIT)
		return done ?: -EAGAIN;
	inode_lock(inode);
	ret = msyncfs_write_locked(iocb, from);
	inode_unlock(inode);
	/* An O_DIRECT write has been synced already. */
	if (ret > 0 && !(iocb->ki_flags & IOCB_DIRECT))
		ret = generic_write_sync(iocb, ret);
	return ret < 0 ? done ?: ret : done + ret;
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
	file->f_mode |= FMODE_CAN_ODIRECT | FMODE_CAN_ATOMIC_WRITE |
			FMODE_NOWAIT;
	/*
	 * If a file with large folios is opened for writing, the kernel drops all
	 * its pages, also dirty ones. So drop the large folios first, which are
	 * clean.
	 */
	if ((file->f_mode & FMODE_WRITE) && filemap_nr_thps(inode->i_mapping))
		invalidate_inode_pages2(inode->i_mapping);
	err = generic_file_open(inode, file);
	if (!err)
		msyncfs_atomic_open(inode);
	return err;
}

/*
 * Makes the data of the range durable and brings it home (P7). Then reports the
 * blocks that contain the data.
 */
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
	/* FIEMAP must not commit the unfinished update of an atomic file. */
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
	.flush		= msyncfs_file_flush,
	.release	= msyncfs_atomic_release,
	.fsync		= msyncfs_fsync,
	.splice_read	= msyncfs_splice_read,
	.splice_write	= iter_file_splice_write,
	.fallocate	= msyncfs_fallocate,
	.unlocked_ioctl	= msyncfs_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.fop_flags	= FOP_DIO_PARALLEL_WRITE,
};

const struct inode_operations msyncfs_file_inode_operations = {
	.getattr	= msyncfs_getattr,
	.setattr	= msyncfs_setattr,
	.fiemap		= msyncfs_fiemap,
	.fileattr_get	= msyncfs_fileattr_get,
	.fileattr_set	= msyncfs_fileattr_set,
	.listxattr	= msyncfs_listxattr,
	.get_inode_acl	= msyncfs_get_acl,
	.set_acl	= msyncfs_set_acl,
};
