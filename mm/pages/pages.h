/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages in the page cache: how they become dirty, how a consistent snapshot of
 * the dirty pages is captured, and how pages are zeroed and dropped. fs/place
 * decides to which blocks captured pages go.
 */
#ifndef MSYNCFS_PAGES_H
#define MSYNCFS_PAGES_H

#include <linux/mm.h>

#include "fs/map/map.h"

struct msyncfs_placing;

/**
 * struct msyncfs_range - the pages of a file that a call covers
 * @inode: file
 * @file: open file that is told of errors, with a reference; or NULL
 * @first: first page
 * @last: last page, inclusive; if it is before @first, the range is empty
 * @whole: the file is atomic: capture all its pages, whatever the range
 * @nowait: do nothing instead of waiting for a frozen filesystem to thaw; only
 *	in the first range of a call
 */
struct msyncfs_range {
	struct inode		*inode;
	struct file		*file;
	pgoff_t			first;
	pgoff_t			last;
	bool			whole;
	bool			nowait;
};

/**
 * struct msyncfs_capture - the dirty pages of one file, cleaned together
 * @inode: file, without a reference; valid as long as the caller keeps the
 *	inode
 * @set: link in the set of captures as of the same moment
 * @images: struct msyncfs_image, in ascending order of their pages
 * @nr: number of @images
 * @size: i_size under the freeze, in bytes
 * @end: byte after the last captured page, at most @size
 * @copied: the images are copies; false: the pages are under writeback, and are
 *	written themselves
 * @incomplete: some pages were not captured for lack of memory
 * @stored: at least one page was stored to through a mapping
 * @whole: the capture holds all changes of an atomic file, and commits them
 * @resvs: if @whole: the reservations of the file, taken over by the capture
 * @placing: private to fs/place while it gives the pages their blocks; else
 *	NULL
 * @member: link in the transaction, with the callback at its end
 * @error: error of the record that held the capture; 0 until a record fails
 * @ref: references of the caller and of the transaction
 */
struct msyncfs_capture {
	struct inode		*inode;
	struct list_head	set;
	struct list_head	images;
	unsigned int		nr;
	loff_t			size;
	loff_t			end;
	bool			copied;
	bool			incomplete;
	bool			stored;
	bool			whole;
	struct list_head	resvs;
	struct msyncfs_placing	*placing;
	struct msyncfs_member	member;
	int			error;
	refcount_t		ref;
};

/**
 * msyncfs_down_write_of - take a lock that each file has, for writing
 * @several: the caller takes it for several files, and holds set_mutex (P6)
 * @sbi: filesystem
 * @sem: lock
 *
 * set_mutex lets lockdep accept several locks of one class.
 *
 * Context: may sleep.
 */
static inline void msyncfs_down_write_of(bool several,
					 struct msyncfs_sb_info *sbi,
					 struct rw_semaphore *sem)
{
	if (several)
		down_write_nest_lock(sem, &sbi->set_mutex);
	else
		down_write(sem);
}

/**
 * msyncfs_capture_publish - let captured pages leave the page cache
 * @cap: capture; its copies are in the transaction, or its fresh blocks in the
 *	map
 *
 * From now on, the pages can be read elsewhere. Before that,
 * msyncfs_release_folio() keeps them in the cache (B4).
 *
 * Context: any.
 */
static inline void msyncfs_capture_publish(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list)
		folio_clear_checked(img->folio);
}

/* In capture.c */
unsigned long msyncfs_count_dirty(struct inode *inode, pgoff_t first,
				  pgoff_t last, unsigned long limit);
struct msyncfs_capture *msyncfs_capture_pages(struct inode *inode,
					      pgoff_t first, pgoff_t last,
					      unsigned long copy_max,
					      unsigned long limit);
int msyncfs_capture_ranges(const struct msyncfs_range *ranges, unsigned int nr,
			   unsigned long copy_max, unsigned long limit,
			   struct list_head *set);
struct msyncfs_capture *msyncfs_capture_alloc(struct inode *inode, gfp_t gfp);
int msyncfs_capture_copy(struct msyncfs_capture *cap);
void msyncfs_capture_redirty(struct msyncfs_capture *cap, int err);
void msyncfs_capture_put(struct msyncfs_capture *cap);

/* In dirty.c */
struct folio *msyncfs_folio_begin(struct inode *inode, pgoff_t index);
void msyncfs_folio_end(struct inode *inode, struct folio *folio);
void msyncfs_folio_lock_stable(struct inode *inode, struct folio *folio);

/* In fault.c */
extern const struct vm_operations_struct msyncfs_vm_ops;
int msyncfs_file_mmap(struct file *file, struct vm_area_struct *vma);

/* In zero.c */
int msyncfs_zero_partial(struct inode *inode, loff_t from, loff_t to);
int msyncfs_zero_edges(struct inode *inode, loff_t start, loff_t end);

/* In invalidate.c */
int msyncfs_invalidate(struct inode *inode, pgoff_t first, pgoff_t last);

#endif /* MSYNCFS_PAGES_H */
