/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header describes the orphan list in memory. It is private to orphan.c
 * and reclaim.c.
 */
#ifndef MSYNCFS_ORPHAN_H
#define MSYNCFS_ORPHAN_H

#include <linux/xarray.h>

#include "vfs.h"

/**
 * struct msyncfs_orphans - the orphan list of a mount
 * @lock: guards the list, in memory and on disk
 * @list: inodes on the list, newest first
 * @left: numbers of inodes that the list on disk has, but @list does not have
 * @root_bh: buffer of the root block, referenced; the root block contains the
 *	head of the list
 */
struct msyncfs_orphans {
	struct mutex		lock;	/* the list, in memory and on disk */
	struct list_head	list;
	struct xarray		left;
	struct buffer_head	*root_bh;
};

/* Returns the content of the root block. */
static inline struct msyncfs_disk_root *
msyncfs_orphan_root(struct msyncfs_orphans *orphans)
{
	return (struct msyncfs_disk_root *)orphans->root_bh->b_data;
}

#endif /* MSYNCFS_ORPHAN_H */
