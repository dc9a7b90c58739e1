// SPDX-License-Identifier: GPL-2.0
/*
 * This file brings images of file blocks home, and checks the blocks that
 * folios remember (map.h). It also numbers O_DIRECT writes. The numbers tell
 * fsync() whether the cache of the device may still have data of an O_DIRECT
 * write. fs/log/checkpoint.c writes images to their home blocks.
 * fs/vfs/direct.c does the O_DIRECT transfers.
 */
#include <kunit/visibility.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "map.h"

/**
 * msyncfs_home_range - bring the images of a file range home
 * @inode: file
 * @start: first byte
 * @end: last byte, inclusive
 *
 * The function runs a checkpoint if a block of the range has an image that is
 * not home. A checkpoint writes only durable images. So a caller that needs the
 * newest data at home must sync the range before this call.
 *
 * Context: as msyncfs_checkpoint(); takes i_map_sem shared and may read map
 * nodes.
 * Return: 0, -EINTR after a fatal signal, -EUCLEAN if the map has too many runs,
 * -EIO if a block of the range cannot be written, the error of a lookup in the
 * map, or the error of msyncfs_checkpoint().
 */
int msyncfs_home_range(struct inode *inode, loff_t start, loff_t end)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	u64 index = start >> MSYNCFS_BLOCK_SHIFT;
	u64 last = min_t(u64, end, inode->i_sb->s_maxbytes) >>
		   MSYNCFS_BLOCK_SHIFT;
	struct msyncfs_extent ext;
	bool home = false;
	u64 runs = 0, end_blkno;
	int err;

	while (index <= last) {
		err = msyncfs_map_count_run(inode, ++runs);
		if (err)
			return err;
		err = msyncfs_map_lookup(inode, index, last - index + 1, &ext);
		if (err)
			return err;
		end_blkno = ext.blkno + ext.len - 1;
		if (!home && ext.blkno &&
		    msyncfs_image_in(sbi, ext.blkno, end_blkno)) {
			err = msyncfs_checkpoint(inode->i_sb);
			if (err || !msyncfs_log_stuck(inode->i_sb))
				return err;
			home = true;
		}
		if (home && ext.blkno &&
		    msyncfs_image_stuck(sbi, ext.blkno, end_blkno)) {
			msyncfs_err(inode->i_sb,
				    "inode %llu: page %llu: blocks %llu+%llu: cannot be written home",
				    (u64)inode->i_ino, index, ext.blkno, ext.len);
			return -EIO;
		}
		index += ext.len;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_home_range);

#if IS_ENABLED(CONFIG_KUNIT)
/**
 * msyncfs_home_check - check a block that a folio has remembered
 * @inode: file
 * @index: page
 * @home: block that the folio of the page has remembered, not 0
 * @exact: true: the map must have this block; false: the map must have any
 *	written block
 *
 * Kernels without KUnit do not check the block.
 *
 * Context: if @exact is true, caller holds i_commit_lock; takes i_map_sem
 * shared; may read map nodes.
 */
void msyncfs_home_check(struct inode *inode, pgoff_t index, u64 home,
			bool exact)
{
	struct msyncfs_extent ext;

	/* After an abort the map may be wrong, but nobody can commit. */
	if (msyncfs_map_lookup(inode, index, 1, &ext) ||
	    msyncfs_log_dead(MSYNCFS_SB(inode->i_sb)))
		return;
	WARN(!ext.blkno || ext.unwritten || (exact && ext.blkno != home),
	     "msyncfs: inode %llu page %lu: remembers block %llu, map has %s%llu\n",
	     (u64)inode->i_ino, index, home, ext.unwritten ? "unwritten " : "",
	     ext.blkno);
}
#endif

/* ---- O_DIRECT ------------------------------------------------------------ */

/**
 * struct msyncfs_dio_count - count of the O_DIRECT writes of a mount
 * @seq: number of the last completed O_DIRECT write
 * @flushed: all O_DIRECT writes up to this number are durable
 */
struct msyncfs_dio_count {
	atomic64_t	seq;
	atomic64_t	flushed;
};

/**
 * msyncfs_dio_init - begin to count the O_DIRECT writes of a mount
 * @sb: filesystem
 *
 * Context: mount; may sleep.
 * Return: 0 or -ENOMEM.
 */
int msyncfs_dio_init(struct super_block *sb)
{
	struct msyncfs_dio_count *count = kzalloc(sizeof(*count), GFP_KERNEL);

	MSYNCFS_SB(sb)->dio_count = count;
	return count ? 0 : -ENOMEM;
}

/**
 * msyncfs_dio_exit - stop counting the O_DIRECT writes of a mount
 * @sb: filesystem that nobody uses any more, or whose mount has failed
 *
 * Context: unmount or failed mount.
 */
void msyncfs_dio_exit(struct super_block *sb)
{
	kfree(MSYNCFS_SB(sb)->dio_count);
	MSYNCFS_SB(sb)->dio_count = NULL;
}

/**
 * msyncfs_dio_written - note that an O_DIRECT write to a file is complete
 * @inode: file
 *
 * The data may be in the device's cache, so the next fsync() must flush this
 * cache.
 *
 * Context: any.
 */
void msyncfs_dio_written(struct inode *inode)
{
	struct msyncfs_dio_count *count = MSYNCFS_SB(inode->i_sb)->dio_count;
	u64 seq = atomic64_inc_return(&count->seq);
	u64 old = READ_ONCE(MSYNCFS_I(inode)->i_dio_seq);

	/* Other writes to the file may end at the same time. */
	while (old < seq &&
	       !try_cmpxchg(&MSYNCFS_I(inode)->i_dio_seq, &old, seq))
		;
}

/**
 * msyncfs_dio_inherit - set i_dio_seq of an inode that enters memory
 * @inode: inode that is being read from the device
 *
 * An inode that leaves memory loses its i_dio_seq. When the inode enters memory
 * again, its last O_DIRECT write is unknown. So the function assumes that the
 * last O_DIRECT write of the mount was to this inode. Otherwise fsync() could
 * omit a necessary flush.
 *
 * Context: any.
 */
void msyncfs_dio_inherit(struct inode *inode)
{
	MSYNCFS_I(inode)->i_dio_seq =
		atomic64_read(&MSYNCFS_SB(inode->i_sb)->dio_count->seq);
}

/**
 * msyncfs_dio_flush_to - make completed O_DIRECT writes durable
 * @sb: filesystem
 * @seq: number of the last O_DIRECT write that must be durable
 *
 * A failed flush is final: msyncfs_flush() aborts the filesystem. The device
 * may have lost data of its cache, and a later flush would not report this
 * loss.
 *
 * Context: may sleep.
 * Return: 0 or the error of the device. The function returns 0 at once if all
 * writes up to @seq are durable already.
 */
int msyncfs_dio_flush_to(struct super_block *sb, u64 seq)
{
	struct msyncfs_dio_count *count = MSYNCFS_SB(sb)->dio_count;
	s64 old = atomic64_read(&count->flushed);
	s64 now = atomic64_read(&count->seq);
	int err;

	if (old >= (s64)seq)
		return 0;
	err = msyncfs_flush(sb);
	if (err)
		return err;
	while (old < now &&
	       !atomic64_try_cmpxchg(&count->flushed, &old, now))
		;
	return 0;
}

/**
 * msyncfs_dio_flush_all - make all completed O_DIRECT writes durable
 * @sb: filesystem
 *
 * Context: may sleep.
 * Return: as msyncfs_dio_flush_to().
 */
int msyncfs_dio_flush_all(struct super_block *sb)
{
	struct msyncfs_dio_count *count = MSYNCFS_SB(sb)->dio_count;

	return msyncfs_dio_flush_to(sb, atomic64_read(&count->seq));
}
