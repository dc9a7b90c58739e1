/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header is private to fs/map. It declares the paths through the nodes of
 * a file map. A caller that uses a path holds i_map_sem.
 */
#ifndef MSYNCFS_NODE_H
#define MSYNCFS_NODE_H

#include "map.h"

/**
 * struct msyncfs_path - the path from the root of a map to one index
 * @inode: inode of the map
 * @top: level of the root, depth + 1
 * @level: level of the last node of the path. If the path reaches a leaf,
 *	@level is 1. If @level is higher, the next node is missing, and the
 *	pointer that should lead to it is 0
 * @bh: buffers of the nodes on the path. Element n is the node of level n, and
 *	element @top is the inode's own block. The path has a reference to each
 *	buffer except element @top
 * @nth: positions of the pointers that the path follows. Element n is a
 *	position in the node of level n
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
u64 msyncfs_hole_end(const struct msyncfs_path *path, u64 index);
int msyncfs_path_walk(struct inode *inode, u64 index,
		      struct msyncfs_path *path);
void msyncfs_path_put(struct msyncfs_path *path);
unsigned int msyncfs_map_missing_locked(struct inode *inode, u64 index,
					int *err);
unsigned int msyncfs_map_path(struct inode *inode, u64 index, int *err);

/* In change.c */
int msyncfs_grow(struct msyncfs_op *op, struct inode *inode, u64 index,
		 u64 last);
int msyncfs_prepare_leaf(struct msyncfs_op *op, struct inode *inode, u64 index,
			 bool create, u64 *end);
void msyncfs_prune(struct msyncfs_op *op, struct msyncfs_path *path, u64 index,
		   bool changed);

/* In known.c */
bool msyncfs_known_find(struct inode *inode, u64 index, u64 max,
			struct msyncfs_extent *ext);
void msyncfs_known_add(struct inode *inode, u64 index, u64 len, u64 blkno);

/* In resv.c */
u64 msyncfs_resv_blocks(struct inode *inode, pgoff_t index);

#endif /* MSYNCFS_NODE_H */
