/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The floor fs/space knows which blocks are free and how many blocks are
 * promised. It allocates and frees blocks in operations. It does not know what
 * data blocks contain.
 */
#ifndef MSYNCFS_SPACE_H
#define MSYNCFS_SPACE_H

#include "fs/log/log.h"

/* In alloc.c: the bitmaps */
int msyncfs_space_init(struct super_block *sb);
void msyncfs_space_exit(struct super_block *sb);
int msyncfs_claim(struct super_block *sb, u64 goal, u64 want, u64 *start,
		  u64 *len);
void msyncfs_claim_commit(struct msyncfs_op *op, u64 start, u64 len);
void msyncfs_unclaim(struct super_block *sb, u64 start, u64 len);
int msyncfs_alloc(struct msyncfs_op *op, u64 goal, u64 want, u64 *start,
		  u64 *len);
void msyncfs_free(struct msyncfs_op *op, u64 start, u64 len);
int msyncfs_load_bitmaps(struct super_block *sb, u64 start, u64 len);

/* In promise.c: promised and held blocks */
extern const struct msyncfs_log_hooks msyncfs_space_hooks;
int msyncfs_reserve(struct super_block *sb, u64 nr);
void msyncfs_unreserve(struct super_block *sb, u64 nr);
int msyncfs_hold(struct super_block *sb, u64 nr, bool promised);
int msyncfs_hold_spare(struct super_block *sb, u64 nr);
void msyncfs_make_room(struct super_block *sb, u64 pages);
void msyncfs_unhold(struct super_block *sb, u64 nr, bool promised);
u64 msyncfs_space_avail(struct super_block *sb);

/* In inodes.c: the inode bitmap */
struct buffer_head *msyncfs_inodes_read(struct super_block *sb, u64 ino);
void msyncfs_inodes_mark(struct msyncfs_op *op, struct buffer_head *bh, u64 ino,
			 bool used);
int msyncfs_inodes_test(struct super_block *sb, u64 ino);

/* In trim.c: discarding free blocks */
int msyncfs_trim(struct super_block *sb, struct fstrim_range *range);

/* In meta.c: metadata blocks in an operation */
struct buffer_head *msyncfs_op_new(struct msyncfs_op *op, u64 blkno, u32 magic,
				   u32 level, u64 owner);
void msyncfs_op_free(struct msyncfs_op *op, struct buffer_head *bh);
int msyncfs_op_free_at(struct msyncfs_op *op, u64 blkno, u32 magic, u64 owner);
int msyncfs_op_free_data(struct msyncfs_op *op, u64 start, u64 len);

#endif /* MSYNCFS_SPACE_H */
