/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to orphan.c and reclaim.c: the orphan list in memory.
 */
#ifndef MSYNCFS_ORPHAN_H
#define MSYNCFS_ORPHAN_H

#include "vfs.h"

/**
 * struct msyncfs_orphans - the orphan list of a mount
 * @lock: guards the list, in memory and on disk
 * @list: inodes on it, newest first
 * @left: inodes have left memory that are still on the list on disk
 * @root_bh: the root block, which holds the head of the list; pinned
 */
struct msyncfs_orphans {
	struct mutex		lock;
	struct list_head	list;
	bool			left;
	struct buffer_head	*root_bh;
};

static inline struct msyncfs_disk_root *
msyncfs_orphan_root(struct msyncfs_orphans *orphans)
{
	return (struct msyncfs_disk_root *)orphans->root_bh->b_data;
}

#endif /* MSYNCFS_ORPHAN_H */
