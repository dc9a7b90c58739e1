/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The msync path makes a range of addresses, or a range of a file, durable. It
 * captures the dirty pages (mm/pages), attaches the captures (fs/place) and
 * commits the transaction (fs/log).
 */
#ifndef MSYNCFS_SYNC_H
#define MSYNCFS_SYNC_H

#include <linux/migrate_mode.h>

#include "fs/place/place.h"

struct writeback_control;

/*
 * Background writeback takes at most this number of pages at a time, and lets
 * go of i_commit_lock before it takes the next pages. An msync of the same file
 * waits for at most two portions: if a task has waited for a mutex, has woken
 * up and has found the mutex taken again, the mutex is handed to this task
 * next. On a disk of 150 MB/s, an msync of one page took 17 ms with 256 pages,
 * 25 ms with 512 and 43 ms with 1,024. With 256 pages, writeback was slower.
 */
#define MSYNCFS_PORTION	512UL

/**
 * msyncfs_copy_max - compute how many pages of a set may be copied
 * @sb: filesystem
 *
 * Context: any.
 * Return: half of the images of a record. The other half is for metadata and
 * for other sets.
 */
static inline unsigned long msyncfs_copy_max(struct super_block *sb)
{
	return MSYNCFS_SB(sb)->geo.record_images / 2;
}

/* In msync.c */
int msyncfs_msync(unsigned long start, size_t len, int flags);

/* In sync.c */
int msyncfs_sync_ranges(struct msyncfs_range *ranges, unsigned int nr,
			bool datasync);
int msyncfs_sync_metadata(struct inode *inode);
int msyncfs_start_ranges(struct msyncfs_range *ranges, unsigned int nr);
int msyncfs_sync_inode(struct inode *inode, loff_t start, loff_t end,
		       bool datasync);
int msyncfs_try_sync_inode(struct inode *inode);
int msyncfs_fsync(struct file *file, loff_t start, loff_t end, int datasync);
void msyncfs_dirty_inode(struct inode *inode, int flags);

/* In writeback.c */
int msyncfs_write_freezable(struct inode *inode, struct writeback_control *wbc,
			    int (*fn)(struct inode *inode,
				      struct writeback_control *wbc));
int msyncfs_writepages(struct address_space *mapping,
		       struct writeback_control *wbc);
bool msyncfs_release_folio(struct folio *folio, gfp_t gfp);
#ifdef CONFIG_MIGRATION
int msyncfs_migrate_folio(struct address_space *mapping, struct folio *dst,
			  struct folio *src, enum migrate_mode mode);
#else
#define msyncfs_migrate_folio NULL
#endif

#endif /* MSYNCFS_SYNC_H */
