/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to fs/map: paths through the nodes of a file map. Callers hold
 * i_map_sem.
 */
#ifndef MSYNCFS_NODE_H
#define MSYNCFS_NODE_H

#include "map.h"

/**
 * struct msyncfs_path - the path from the root of a map towards one index
 * @inode: inode of the map
 * @top: level of the root, depth + 1
 * @level: level at which the path ends: 1, or the level of a pointer that is 0
 * @bh: nodes on the path by level, each with a reference; at @top the inode's
 *	own block, without one
 * @nth: by level: position in the node of the pointer that the path follows
 */
struct msyncfs_path {
	struct inode		*inode;
	unsigned int		top;
	unsigned int		level;
	struct buffer_head	*bh[MSYNCFS_MAX_DEPTH + 2];
	unsigned int		nth[MSYNCFS_MAX_DEPTH + 2];
};

/* In map.c */
__le64 *msyncfs_ptrs(const struct msyncfs_path *path, unsigned int level);
unsigned int msyncfs_nr_ptrs(const struct msyncfs_path *path,
			     unsigned int level);
u64 msyncfs_path_end(unsigned int level, u64 index);
int msyncfs_path_walk(struct inode *inode, u64 index,
		      struct msyncfs_path *path);
void msyncfs_path_put(struct msyncfs_path *path);
unsigned int msyncfs_map_missing_locked(struct inode *inode, u64 index,
					int *err);
unsigned int msyncfs_map_path(struct inode *inode, u64 index, int *err);

/* In resv.c */
u64 msyncfs_resv_blocks(struct inode *inode, pgoff_t index);

#endif /* MSYNCFS_NODE_H */
