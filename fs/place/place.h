/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fs/place gives captured pages their blocks, and makes the pages part of a
 * transaction. This header is for the floors above; plan.h is private to
 * fs/place.
 */
#ifndef MSYNCFS_PLACE_H
#define MSYNCFS_PLACE_H

#include "mm/pages/pages.h"

/* In attach.c */
int msyncfs_attach_set(struct list_head *set, bool attrs,
		       struct completion *sent);
int msyncfs_attach(struct msyncfs_capture *cap, bool attrs);
unsigned int msyncfs_attach_run_max(struct super_block *sb);
int msyncfs_attach_run(struct msyncfs_capture *cap);
void msyncfs_attach_edge(struct msyncfs_op *op, struct inode *inode,
			 struct msyncfs_capture *cap);

/* In spill.c */
int msyncfs_spill(struct inode *inode, pgoff_t first, pgoff_t last,
		  unsigned long limit, unsigned long *nr);

#endif /* MSYNCFS_PLACE_H */
