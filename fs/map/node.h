/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to fs/map: the way through the nodes of a file map. Callers hold
 * i_commit_lock of a regular file, i_rwsem exclusively of a directory, or
 * i_map_sem.
 */
#ifndef MSYNCFS_NODE_H
#define MSYNCFS_NODE_H

#include "map.h"

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

/* In map.c */
__le64 *msyncfs_ptrs(const struct msyncfs_path *path, unsigned int level);
unsigned int msyncfs_nr_ptrs(const struct msyncfs_path *path,
			     unsigned int level);
u64 msyncfs_path_end(const struct msyncfs_path *path, unsigned int level,
		     u64 index);
int msyncfs_path_walk(struct inode *inode, u64 index, struct msyncfs_path *path);
void msyncfs_path_put(struct msyncfs_path *path);

#endif /* MSYNCFS_NODE_H */
