/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mm/pages works on pages in the page cache. It makes pages dirty, captures a
 * consistent snapshot of the dirty pages, and zeroes and drops pages. fs/place
 * chooses the blocks for captured pages.
 */
#ifndef MSYNCFS_PAGES_H
#define MSYNCFS_PAGES_H

#include <linux/mm.h>

#include "fs/map/map.h"

struct msyncfs_placing;

/**
 * struct msyncfs_range - the pages of a file that a call covers
 * @inode: file
 * @file: open file to which errors are reported, with a reference; or NULL
 * @first: first page
 * @last: last page, inclusive; if it is before @first, the range is empty
 * @whole: the file is atomic, so the call covers all its pages, not only those
 *	from @first to @last
 */
struct msyncfs_range {
	struct inode		*inode;
	struct file		*file;
	pgoff_t			first;
	pgoff_t			last;
	bool			whole;
};

/**
 * struct msyncfs_capture - the dirty pages of one file, cleaned together
 * @inode: file; the capture has no reference to it, so the caller must keep
 *	the inode in memory
 * @set: link in the list of a set
 * @images: list of struct msyncfs_image, in ascending order of the pages
 * @nr: number of @images
 * @size: i_size under the freeze, in bytes
 * @end: byte after the last captured page, at most @size
 * @copied: true if the record is to have copies of the pages; false if the
 *	pages are to be written to fresh blocks
 * @stored: a store through a mapping has changed at least one captured page
 * @whole: the capture contains all changes of an atomic file, for a commit
 * @resvs: reservations that the capture has taken over from the file; empty
 *	unless @whole is set
 * @placing: data of fs/place while fs/place gives the pages their blocks; else
 *	NULL
 * @member: link in the transaction, with the callback for the end of the
 *	transaction
 * @error: error of the record that contained the capture; 0 until that record
 *	fails
 * @ref: number of references; the caller has one, and the transaction has one
 */
struct msyncfs_capture {
	struct inode		*inode;
	struct list_head	set;
	struct list_head	images;
	unsigned int		nr;
	loff_t			size;
	loff_t			end;
	bool			copied;
	bool			stored;
	bool			whole;
	struct list_head	resvs;
	struct msyncfs_placing	*placing;
	struct msyncfs_member	member;
	int			error;
	refcount_t		ref;
};

/**
 * msyncfs_down_write_of - take an rw_semaphore of a file for writing
 * @several: the caller locks several files, and holds set_mutex (P6)
 * @sbi: filesystem
 * @sem: rw_semaphore of one file
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
 * @cap: capture; either its copies are in the transaction, or its fresh blocks
 *	are in the map or the overlay
 *
 * After this call, memory reclaim may free the captured pages, because a read
 * finds their content in the transaction or on the fresh blocks. Before this
 * call, msyncfs_release_folio() keeps the pages in the cache (B4).
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
int msyncfs_capture_ranges(const struct msyncfs_range *ranges, unsigned int nr,
			   unsigned long copy_max, unsigned long limit,
			   struct list_head *set, bool mark);

/* In captured.c */
struct msyncfs_capture *msyncfs_capture_alloc(struct inode *inode, gfp_t gfp);
int msyncfs_capture_copy(struct msyncfs_capture *cap);
void msyncfs_capture_redirty(struct msyncfs_capture *cap, int err);
void msyncfs_drop_images(struct list_head *images);
void msyncfs_capture_put(struct msyncfs_capture *cap);
struct msyncfs_capture *msyncfs_capture_pages(struct inode *inode,
					      pgoff_t first, pgoff_t last,
					      unsigned long copy_max,
					      unsigned long limit);
bool msyncfs_atomic_dirty(struct inode *inode);

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
void msyncfs_wait_fills(struct inode *inode);
void msyncfs_discard_pages(struct inode *inode, bool keep);

#endif /* MSYNCFS_PAGES_H */
