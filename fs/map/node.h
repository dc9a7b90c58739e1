/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fs/map.c and fs/shadow.c share: the nodes of a file map. Callers hold
 * i_commit_lock of a regular file, i_rwsem exclusively of a directory, or
 * i_map_sem.
 */
#ifndef MSYNCFS_FS_MAP_H
#define MSYNCFS_FS_MAP_H

#include "fs/fs.h"

/* Indexes that one pointer of level n + 1 covers: a node of level n holds. */
extern const u64 msyncfs_span[MSYNCFS_MAX_DEPTH + 1];

static inline __le64 *msyncfs_root_ptrs(struct inode *inode)
{
	struct msyncfs_disk_inode *di;

	di = (struct msyncfs_disk_inode *)MSYNCFS_I(inode)->i_bh->b_data;
	return di->ptr;
}

static inline bool msyncfs_all_zero(const __le64 *ptr, unsigned int nr)
{
	return !memchr_inv(ptr, 0, nr * sizeof(*ptr));
}

/**
 * struct msyncfs_path - the way from the root to one index
 * @inode: whose map
 * @top: level of the root, depth + 1
 * @level: where it ends: 1, or the level whose pointer is missing
 * @bh: nodes on the way by level, referenced; at @top the inode's block
 * @slot: pointer to follow at each level
 */
struct msyncfs_path {
	struct inode		*inode;
	unsigned int		top;
	unsigned int		level;
	struct buffer_head	*bh[MSYNCFS_MAX_DEPTH + 2];
	unsigned int		slot[MSYNCFS_MAX_DEPTH + 2];
};

__le64 *msyncfs_ptrs(const struct msyncfs_path *path, unsigned int level);
unsigned int msyncfs_nr_ptrs(const struct msyncfs_path *path,
			     unsigned int level);
u64 msyncfs_path_end(const struct msyncfs_path *path, unsigned int level,
		     u64 index);
int msyncfs_path_walk(struct inode *inode, u64 index, struct msyncfs_path *path);
void msyncfs_path_put(struct msyncfs_path *path);
struct buffer_head *msyncfs_read_node(struct inode *inode, u64 blkno,
				      unsigned int level);
int msyncfs_check_ptr(struct inode *inode, u64 ptr);
unsigned int msyncfs_depth_for(unsigned int depth, u64 index);
void msyncfs_map_account(struct msyncfs_op *op, struct inode *inode,
			 s64 blocks);

#endif /* MSYNCFS_FS_MAP_H */
