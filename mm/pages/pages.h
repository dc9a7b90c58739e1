/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages of the page cache: how they become dirty, how a consistent cut of the
 * dirty ones is captured, and how they are zeroed and dropped.
 */
#ifndef MSYNCFS_PAGES_H
#define MSYNCFS_PAGES_H

#include <linux/mm.h>

#include "fs/map/map.h"

struct msyncfs_placing;

/**
 * struct msyncfs_range - pages of a file that a call is about
 * @inode: file
 * @file: open file that is told of errors, referenced; NULL: none
 * @first: first page
 * @last: last page, inclusive; before @first: none
 * @whole: the file is atomic: capture all of it, whatever the range
 * @nowait: do nothing rather than wait for the filesystem to thaw; of the first
 *	range
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
 * @inode: the file, while the caller of the capture has it
 * @set: captures as of the same moment, of other files
 * @images: struct msyncfs_image, ascending by index
 * @nr: images in it
 * @size: i_size under the freeze
 * @end: byte after the last page captured, at most @size
 * @copied: the images are copies; false: the pages are under writeback, to be
 *	written themselves
 * @incomplete: a page could not be taken for want of memory
 * @stored: at least one page had been stored to through a mapping
 * @whole: of an atomic file, all of it, to become the file
 * @resvs: @whole: the reservations of the file as of the capture
 * @placing: of fs/place, while it gives the pages their blocks; else NULL
 * @member: in the transaction
 * @error: why the record failed that held it; 0 while open or when durable
 * @ref: the caller and the transaction
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

/*
 * Takes a lock that each file has. Several files nest in set_mutex, which the
 * caller holds then (P6).
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

/* Is an image the end of the list of a capture's images? */
static inline bool msyncfs_images_end(const struct msyncfs_capture *cap,
				      const struct msyncfs_image *img)
{
	return list_entry_is_head(img, &cap->images, list);
}

/**
 * msyncfs_capture_publish - the pages can be read elsewhere
 * @cap: capture: its images are in the transaction, or its fresh blocks in the map
 *
 * Until then msyncfs_release_folio() keeps the pages in the cache (B4).
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
