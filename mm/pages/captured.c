// SPDX-License-Identifier: GPL-2.0
/*
 * This file keeps captures from the capture (capture.c) until their records are
 * durable or have failed. If a record fails, its captured pages become dirty
 * again. The file also captures a single range, for callers that have no set.
 */
#include <kunit/visibility.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "pages.h"

/*
 * Drops the references to the folios, so that memory reclaim can free the
 * folios. The images keep their copies.
 */
static void msyncfs_capture_release(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list) {
		if (!img->folio)
			continue;
		folio_put(img->folio);
		img->folio = NULL;
	}
}

/*
 * Is called when the transaction of the capture has ended. If the record of the
 * transaction has failed, this function makes the captured pages dirty again.
 */
static void msyncfs_capture_settled(struct msyncfs_member *member, int err)
{
	struct msyncfs_capture *cap = container_of(member,
						   struct msyncfs_capture,
						   member);

	if (err)
		msyncfs_capture_redirty(cap, err);
	msyncfs_capture_release(cap);
	WRITE_ONCE(cap->error, err);
	msyncfs_capture_put(cap);
}

/**
 * msyncfs_capture_alloc - make an empty capture
 * @inode: file
 * @gfp: flags of the allocation
 *
 * Context: as @gfp says.
 * Return: the capture, with one reference, or NULL.
 */
struct msyncfs_capture *msyncfs_capture_alloc(struct inode *inode, gfp_t gfp)
{
	struct msyncfs_capture *cap = kzalloc(sizeof(*cap), gfp);

	if (!cap)
		return NULL;
	cap->inode = inode;
	INIT_LIST_HEAD(&cap->set);
	INIT_LIST_HEAD(&cap->images);
	INIT_LIST_HEAD(&cap->resvs);
	cap->member.settled = msyncfs_capture_settled;
	refcount_set(&cap->ref, 1);
	return cap;
}

/**
 * msyncfs_drop_images - drop the references to the images of a capture
 * @images: list of images; empty after this call
 *
 * Context: may sleep.
 */
void msyncfs_drop_images(struct list_head *images)
{
	struct msyncfs_image *img, *next;

	list_for_each_entry_safe(img, next, images, list) {
		if (img->folio)
			folio_put(img->folio);
		msyncfs_image_put(img);
	}
	INIT_LIST_HEAD(images);
}

/**
 * msyncfs_capture_put - drop a reference to a capture
 * @cap: capture
 *
 * Context: may sleep.
 */
void msyncfs_capture_put(struct msyncfs_capture *cap)
{
	if (!refcount_dec_and_test(&cap->ref))
		return;
	msyncfs_drop_images(&cap->images);
	/*
	 * A capture that was never attached may still have reservations. End
	 * these reservations.
	 */
	if (!list_empty(&cap->resvs))
		msyncfs_unreserve(cap->inode->i_sb,
				  msyncfs_resv_drop(&cap->resvs));
	kfree(cap);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_put);

/* Lets the mapping of a folio remember the error of a record. */
static void msyncfs_captured_error(struct address_space *mapping, int err)
{
	if (mapping && err && !msyncfs_refused(err))
		mapping_set_error(mapping, err);
}

/*
 * Locks a folio whose record has failed, or returns false and reports @err to
 * the mapping. The function never waits for a task that waits for the writeback
 * of the folio: the writeback may belong to a later capture, and this capture
 * may be waiting for the commit that calls this function. The folio need not
 * become dirty then, because the later capture has its newer content, and makes
 * it dirty if it fails.
 */
static bool msyncfs_captured_lock(struct folio *folio, int err)
{
	bool later;

	while (!folio_trylock(folio)) {
		/* The writeback keeps the inode, RCU keeps its memory. */
		rcu_read_lock();
		later = folio_test_writeback(folio);
		if (later)
			msyncfs_captured_error(READ_ONCE(folio->mapping), err);
		rcu_read_unlock();
		if (later)
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

/**
 * msyncfs_capture_redirty - make captured pages dirty again
 * @cap: capture that did not become durable
 * @err: the reason; 0 if nobody needs to know
 *
 * If a page was truncated after the capture, this function does not make it
 * dirty. The mapping remembers the error for every open file description, unless
 * only the gate is closed (msyncfs_refused()). Pages of an atomic file get a new
 * reservation if there is space.
 *
 * Context: takes folio locks, but waits for no writeback of another capture.
 */
void msyncfs_capture_redirty(struct msyncfs_capture *cap, int err)
{
	struct msyncfs_image *img;
	struct folio *folio;

	list_for_each_entry(img, &cap->images, list) {
		folio = img->folio;
		if (!folio)
			continue;
		/*
		 * End the writeback before taking the folio lock, because the
		 * holder of the folio lock may be waiting for the end of the
		 * writeback. PG_checked still keeps the page in the cache.
		 */
		if (img->writeback) {
			img->writeback = false;
			folio_end_writeback(folio);
		}
		if (!msyncfs_captured_lock(folio, err))
			continue;
		folio_clear_checked(folio);
		/* fs/vfs/untorn.c has not yet filled a page without content. */
		if (folio->mapping && folio_test_uptodate(folio)) {
			if (msyncfs_is_atomic(folio->mapping->host))
				msyncfs_resv_page(folio->mapping->host,
						  folio->index);
			folio_mark_dirty(folio);
		}
		msyncfs_captured_error(folio->mapping, err);
		folio_unlock(folio);
	}
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_redirty);

/**
 * msyncfs_capture_copy - copy pages that were captured without copies
 * @cap: capture; pages without a copy are under writeback
 *
 * Context: may sleep to allocate memory.
 * Return: 0 or -ENOMEM; after an error, some pages may be copied.
 */
int msyncfs_capture_copy(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;
	int err;

	list_for_each_entry(img, &cap->images, list) {
		if (img->page)
			continue;
		err = msyncfs_image_add_page(img, GFP_NOFS);
		if (err)
			return err;
		copy_highpage(img->page, folio_page(img->folio, 0));
		img->writeback = false;
		folio_end_writeback(img->folio);
	}
	cap->copied = true;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_copy);

/**
 * msyncfs_capture_pages - capture the dirty pages of one range
 * @inode: file
 * @first: first page
 * @last: last page, inclusive
 * @copy_max: as for msyncfs_capture_ranges()
 * @limit: as for msyncfs_capture_ranges()
 *
 * The function does not mark the times of the file.
 *
 * Context: caller holds i_commit_lock, and no lock that P4 forbids.
 * Return: the capture; NULL if no page is dirty; or ERR_PTR(-ENOMEM). The
 * caller attaches or redirties the capture, and then drops its reference.
 */
struct msyncfs_capture *msyncfs_capture_pages(struct inode *inode,
					      pgoff_t first, pgoff_t last,
					      unsigned long copy_max,
					      unsigned long limit)
{
	struct msyncfs_range range = {
		.inode = inode, .first = first, .last = last,
	};
	struct msyncfs_capture *cap;
	LIST_HEAD(set);
	int err;

	err = msyncfs_capture_ranges(&range, 1, copy_max, limit, &set, false);
	if (err)
		return ERR_PTR(err);
	cap = list_first_entry_or_null(&set, struct msyncfs_capture, set);
	if (cap)
		list_del_init(&cap->set);
	return cap;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_capture_pages);

/**
 * msyncfs_atomic_dirty - test whether an atomic file has anything to commit
 * @inode: atomic file
 *
 * Context: may sleep. The result is only a hint unless the caller holds
 * i_commit_lock, because captured pages are neither dirty nor in the overlay.
 * Return: true if the file has a dirty page or an uncommitted overlay.
 */
bool msyncfs_atomic_dirty(struct inode *inode)
{
	return msyncfs_overlay_uncommitted(inode) ||
	       msyncfs_count_dirty(inode, 0, ULONG_MAX, 1);
}
