// SPDX-License-Identifier: GPL-2.0
/*
 * What is home: brings the blocks of a file home, and knows which O_DIRECT writes
 * the device's cache may still hold.
 */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "fs/fs.h"

/**
 * msyncfs_home_range - bring the blocks of a file's range home
 * @inode: file
 * @start: first byte
 * @end: last byte, inclusive
 *
 * Only what is durable: callers that want the newest data sync it first.
 *
 * Context: as msyncfs_checkpoint().
 * Return: as msyncfs_checkpoint(), or the error of a lookup in the map.
 */
int msyncfs_home_range(struct inode *inode, loff_t start, loff_t end)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	u64 index = start >> MSYNCFS_BLOCK_SHIFT;
	u64 last = min_t(u64, end, inode->i_sb->s_maxbytes) >>
		   MSYNCFS_BLOCK_SHIFT;
	struct msyncfs_extent ext;
	int err;

	while (index <= last) {
		err = msyncfs_map_lookup(inode, index, last - index + 1, &ext);
		if (err)
			return err;
		if (ext.blkno && msyncfs_image_in(sbi, ext.blkno,
						  ext.blkno + ext.len - 1))
			return msyncfs_checkpoint(inode->i_sb);
		index += ext.len;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* An O_DIRECT write may be in the device's cache; fsync() has to flush it. */
void msyncfs_dio_written(struct inode *inode)
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
