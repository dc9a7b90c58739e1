// SPDX-License-Identifier: GPL-2.0
/*
 * vm_operations: page faults, and the one place through which pages become
 * dirty. Reserves space, honours the freeze (see mm/capture.c) and never waits
 * for a commit (P4).
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "msyncfs.h"
#include "fs/disk/trace.h"

/* Joins the freeze; who has to wait shows up in the trace. */
static void msyncfs_freeze_shared(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 start;

	if (down_read_trylock(&mi->i_freeze))
		return;
	start = ktime_get_ns();
	down_read(&mi->i_freeze);
	trace_msyncfs_freeze_wait(inode, ktime_get_ns() - start);
}

/*
 * Locks @folio under the freeze, when it is not under writeback: pages that are
 * written to fresh blocks are not copied, so a store waits for that one write,
 * and it waits outside the freeze.
 */
static void msyncfs_folio_lock_stable(struct inode *inode, struct folio *folio)
{
	for (;;) {
		folio_wait_writeback(folio);
		msyncfs_freeze_shared(inode);
		folio_lock(folio);
		if (!folio_test_writeback(folio))
			return;
		folio_unlock(folio);
		up_read(&MSYNCFS_I(inode)->i_freeze);
	}
}

/**
 * msyncfs_folio_begin - get a folio of the page cache to modify it
 * @inode: file
 * @index: page
 *
 * The caller makes sure that a page over a hole, and any page of an atomic file,
 * has a reservation, fills it (it
 * need not be uptodate), marks it dirty and calls
 * msyncfs_folio_end(). In between it must not touch user memory other than with
 * page faults off (P3), and do no I/O (P2).
 *
 * Context: may sleep, never for a commit.
 * Return: the folio, locked, referenced and not under writeback, with i_freeze
 * held shared; ERR_PTR(-ENOMEM).
 */
struct folio *msyncfs_folio_begin(struct inode *inode, pgoff_t index)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;

	for (;;) {
		folio = __filemap_get_folio(mapping, index,
					    FGP_LOCK | FGP_CREAT | FGP_NOFS,
					    mapping_gfp_mask(mapping));
		if (IS_ERR(folio))
			return folio;
		folio_unlock(folio);
		msyncfs_folio_lock_stable(inode, folio);
		if (folio->mapping == mapping)
			return folio;
		msyncfs_folio_end(inode, folio);
	}
}

/**
 * msyncfs_folio_end - give back what msyncfs_folio_begin() returned
 * @inode: file
 * @folio: folio, marked dirty by now if it was modified
 */
void msyncfs_folio_end(struct inode *inode, struct folio *folio)
{
	folio_unlock(folio);
	up_read(&MSYNCFS_I(inode)->i_freeze);
	folio_put(folio);
}

/* Dirties the faulting page; the caller holds invalidate_lock shared. */
static vm_fault_t msyncfs_make_dirty(struct inode *inode, struct folio *folio)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	bool atomic = msyncfs_is_atomic(inode);
	struct msyncfs_extent ext;
	int err;

	/* Outside the freeze: this may read map nodes. */
	err = msyncfs_map_lookup(inode, folio->index, 1, &ext);
	if (err)
		return vmf_error(err);

again:
	/*
	 * A page that turns out to be gone keeps its reservation: it is faulted
	 * in again right away, or its file is truncated or closed.
	 */
	if (!ext.blkno || atomic) {
		err = msyncfs_resv_page(inode, folio->index);
		if (err)
			return vmf_error(err);
	}

	msyncfs_folio_lock_stable(inode, folio);
	if ((!ext.blkno || atomic) && !msyncfs_resv_test(inode, folio->index)) {
		/*
		 * A capture has taken it over, for the page as it was; or it was
		 * that of a write that has come to nothing.
		 */
		folio_unlock(folio);
		up_read(&mi->i_freeze);
		goto again;
	}
	if (folio->mapping != inode->i_mapping ||
	    folio_pos(folio) >= i_size_read(inode)) {
		folio_unlock(folio);
		up_read(&mi->i_freeze);
		return VM_FAULT_NOPAGE;
	}
	/* Dirty before the freeze can start; locked until the PTE is set. */
	folio_mark_dirty(folio);
	up_read(&mi->i_freeze);
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
 * A new mapping does not show what others have stored beyond the end of the
 * file. invalidate_lock keeps the end from moving up, and i_size from being read
 * too low, while a store to what is valid then could be undone.
 */
static void msyncfs_zero_tail(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;
	loff_t size;

	if (!offset_in_page(i_size_read(inode)))
		return;
	filemap_invalidate_lock_shared(mapping);
	folio = filemap_lock_folio(mapping, i_size_read(inode) >> PAGE_SHIFT);
	if (!IS_ERR(folio)) {
		/* write(2) moves the end under the lock of its last page. */
		size = i_size_read(inode);
		if (folio_test_uptodate(folio) && !folio_test_writeback(folio) &&
		    size > folio_pos(folio) &&
		    size < folio_pos(folio) + PAGE_SIZE)
			folio_zero_segment(folio, offset_in_page(size),
					   PAGE_SIZE);
		folio_unlock(folio);
		folio_put(folio);
	}
	filemap_invalidate_unlock_shared(mapping);
}

/**
 * msyncfs_file_mmap - map a file
 * @file: regular file
 * @vma: where
 *
 * Return: 0, or -EIO after a shutdown.
 */
int msyncfs_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (msyncfs_is_dead(MSYNCFS_SB(file_inode(file)->i_sb)))
		return -EIO;
	file_accessed(file);
	msyncfs_zero_tail(file_inode(file));
	vma->vm_ops = &msyncfs_vm_ops;
	return 0;
}
