// SPDX-License-Identifier: GPL-2.0
/*
 * This file handles page faults. A store through a mapping makes a page dirty
 * only in msyncfs_page_mkwrite(). This function reserves space, takes i_freeze
 * shared (see capture.c) and never begins a commit (P4). write(2) does not use
 * this file, but calls msyncfs_folio_begin() in dirty.c.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "fs/disk/trace.h"
#include "pages.h"

/*
 * Reserves space for a page whose folio remembers no block. Sets *@reserved to
 * false if the page does not need a reservation.
 *
 * Another task may truncate the page before the folio is locked. In this case,
 * the reservation stays. A later fault on this page uses the reservation.
 * Without a later fault, a truncation or the eviction of the inode ends the
 * reservation.
 */
static int msyncfs_fault_reserve(struct inode *inode, pgoff_t index,
				 bool *reserved)
{
	struct msyncfs_extent ext;
	int err;

	/* Each dirty page of an atomic file needs a reservation. */
	*reserved = msyncfs_is_atomic(inode);
	if (!*reserved) {
		err = msyncfs_map_lookup(inode, index, 1, &ext);
		if (err)
			return err;
		*reserved = !ext.blkno;
	}
	return *reserved ? msyncfs_resv_page(inode, index) : 0;
}

/*
 * Makes the faulting page dirty. The caller holds invalidate_lock shared, so a
 * page with a block does not lose its block.
 */
static vm_fault_t msyncfs_make_dirty(struct inode *inode, struct folio *folio)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	bool reserved = false;
	u64 home;
	int err;

	/* A file with large folios is not open for writing. */
	VM_WARN_ON_ONCE_FOLIO(folio_test_large(folio), folio);
again:
	/*
	 * Reserve space before taking i_freeze, because the lookup in the map
	 * may read map nodes (P2).
	 */
	home = msyncfs_is_atomic(inode) ? 0 : msyncfs_folio_home(folio);
	if (!home) {
		err = msyncfs_fault_reserve(inode, folio->index, &reserved);
		if (err)
			return vmf_error(err);
	}

	msyncfs_folio_lock_stable(inode, folio);
	if (reserved && !msyncfs_resv_test(inode, folio->index)) {
		/*
		 * The reservation is gone. Either a capture has taken over the
		 * reservation for the old content of the page, or a failed
		 * write(2) has released the reservation.
		 */
		folio_unlock(folio);
		up_read(&mi->i_freeze);
		reserved = false;
		goto again;
	}
	if (folio->mapping != inode->i_mapping ||
	    folio_pos(folio) >= i_size_read(inode)) {
		folio_unlock(folio);
		up_read(&mi->i_freeze);
		return VM_FAULT_NOPAGE;
	}
	/*
	 * Mark the page dirty before i_freeze is released, so that no capture
	 * misses the page. The folio stays locked until its PTE is set.
	 */
	folio_mark_dirty(folio);
	up_read(&mi->i_freeze);
	if (home)
		msyncfs_home_check(inode, folio->index, home, false);
	return VM_FAULT_LOCKED;
}

static vm_fault_t msyncfs_page_mkwrite(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;
	struct inode *inode = file_inode(file);
	vm_fault_t ret;
	int err;

	if (unlikely(msyncfs_log_dead(MSYNCFS_SB(inode->i_sb))))
		return VM_FAULT_SIGBUS;
	/* The mapping may be older than the flag. */
	if (unlikely(IS_IMMUTABLE(inode)))
		return VM_FAULT_SIGBUS;
	sb_start_pagefault(inode->i_sb);
	err = file_update_time(file);
	if (err) {
		ret = vmf_error(err);
		goto out;
	}
	filemap_invalidate_lock_shared(inode->i_mapping);
	ret = msyncfs_make_dirty(inode, page_folio(vmf->page));
	filemap_invalidate_unlock_shared(inode->i_mapping);
out:
	sb_end_pagefault(inode->i_sb);
	return ret;
}

const struct vm_operations_struct msyncfs_vm_ops = {
	.fault		= filemap_fault,
	.map_pages	= filemap_map_pages,
	.page_mkwrite	= msyncfs_page_mkwrite,
};

/*
 * Zeroes the bytes of the last page that lie beyond the end of the file. Other
 * tasks may have stored to these bytes through a mapping, and a new mapping
 * must not show such stores. This function holds invalidate_lock and the folio
 * lock, so that the file does not grow. Otherwise, the function could zero
 * bytes that have just become valid.
 */
static void msyncfs_zero_tail(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;
	size_t from;
	loff_t size;

	if (!offset_in_page(i_size_read(inode)))
		return;
	filemap_invalidate_lock_shared(mapping);
	folio = filemap_lock_folio(mapping, i_size_read(inode) >> PAGE_SHIFT);
	if (!IS_ERR(folio)) {
		/*
		 * write(2) changes the size while it holds the lock of the last
		 * folio. This function holds that lock now, so read the size
		 * again.
		 */
		size = i_size_read(inode);
		from = offset_in_folio(folio, size);
		if (folio_test_uptodate(folio) && !folio_test_writeback(folio) &&
		    size > folio_pos(folio) &&
		    size < folio_pos(folio) + folio_size(folio))
			folio_zero_segment(folio, from,
					   round_up(from, PAGE_SIZE));
		folio_unlock(folio);
		folio_put(folio);
	}
	filemap_invalidate_unlock_shared(mapping);
}

/**
 * msyncfs_file_mmap - map a file
 * @file: regular file
 * @vma: mapping to set up
 *
 * Context: caller holds mmap_lock exclusively; may sleep.
 * Return: 0, or -EIO after a shutdown.
 */
int msyncfs_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	const vm_flags_t store = VM_SHARED | VM_MAYWRITE;
	struct inode *inode = file_inode(file);

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	/* The capture looks at this bit; see msyncfs_protect(). */
	if ((vma->vm_flags & store) != store)
		set_bit(MSYNCFS_I_READERS, &MSYNCFS_I(inode)->i_flags);
	file_accessed(file);
	msyncfs_zero_tail(inode);
	/*
	 * Do not let the kernel make large folios (msyncfs_folio_begin()). It
	 * would write back the file while it holds folio locks. madvise(2) can
	 * clear this flag.
	 */
	vm_flags_set(vma, VM_NOHUGEPAGE);
	vma->vm_ops = &msyncfs_vm_ops;
	return 0;
}
