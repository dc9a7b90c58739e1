// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements msync(2) with all its flags. It checks the call, walks
 * the mappings in the range of addresses, and turns mappings of msyncfs into
 * ranges of files. mm/sync.c makes these ranges durable together, and
 * mm/pages/invalidate.c drops their pages. This file treats mappings of other
 * filesystems as the kernel's own msync(2) does, with one difference: a call
 * may fail earlier, as msyncfs_call_locked() explains.
 *
 * The ioctl MSYNCFS_IOC_MSYNC calls msyncfs_msync(). msyncfs_hook.ko calls
 * msyncfs_msync() in place of the system call. Without the hook, the system
 * call runs the kernel's own msync(2), which calls msyncfs_fsync() for MS_SYNC,
 * and no other function of msyncfs.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "fs/disk/trace.h"
#include "sync.h"

/*
 * A call with at most this many ranges of files allocates no memory for the
 * ranges.
 */
#define MSYNCFS_CALL_FEW	4

/**
 * struct msyncfs_call - an msync under way
 * @flags: MS_*
 * @unmapped: -ENOMEM if a page of the range is not mapped, else 0
 * @refused: the call fails without any work on the ranges that it has found
 * @looked: msyncfs_call_locked() has already run in this call
 * @ranges: ranges of files of msyncfs, each with a reference of its open file
 * @nr: number of ranges
 * @max: number of ranges for which @ranges has room
 * @few: memory of @ranges while they are at most MSYNCFS_CALL_FEW
 */
struct msyncfs_call {
	int			flags;
	int			unmapped;
	bool			refused;
	bool			looked;
	struct msyncfs_range	*ranges;
	unsigned int		nr;
	unsigned int		max;
	struct msyncfs_range	few[MSYNCFS_CALL_FEW];
};

static bool msyncfs_vma(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &msyncfs_vm_ops;
}

static bool msyncfs_bsd(struct inode *inode)
{
	return MSYNCFS_SB(inode->i_sb)->options.semantics == MSYNCFS_MSYNC_BSD;
}

static int msyncfs_call_grow(struct msyncfs_call *call)
{
	struct msyncfs_range *more;

	more = kvmalloc_array(call->max, 2 * sizeof(*more), GFP_KERNEL);
	if (!more)
		return -ENOMEM;
	memcpy(more, call->ranges, call->nr * sizeof(*more));
	if (call->ranges != call->few)
		kvfree(call->ranges);
	call->ranges = more;
	call->max *= 2;
	return 0;
}

/*
 * Adds [@start, @end) of a shared mapping to the ranges. If the file is open
 * only for reading, its shared mapping lacks VM_SHARED, but this function adds
 * the mapping, too. Stores through other mappings may have made its pages
 * dirty, and MS_INVALIDATE drops clean pages, too. mprotect() may have divided
 * one mapping into several mappings. This function makes one range of them.
 */
static int msyncfs_call_add(struct msyncfs_call *call,
			    struct vm_area_struct *vma, unsigned long start,
			    unsigned long end)
{
	pgoff_t first = vma->vm_pgoff + ((start - vma->vm_start) >> PAGE_SHIFT);
	pgoff_t last = first + ((end - start) >> PAGE_SHIFT) - 1;
	struct msyncfs_range *range;
	int err;

	if (msyncfs_bsd(file_inode(vma->vm_file)) &&
	    (call->flags & MS_ASYNC) && (call->flags & MS_INVALIDATE)) {
		call->refused = true;
		return -EINVAL;
	}
	if (!(vma->vm_flags & VM_MAYSHARE))
		return 0;
	range = &call->ranges[call->nr];
	if (call->nr && range[-1].file == vma->vm_file &&
	    range[-1].last + 1 == first) {
		range[-1].last = last;
		return 0;
	}
	if (call->nr == call->max) {
		err = msyncfs_call_grow(call);
		if (err)
			return err;
	}
	call->ranges[call->nr++] = (struct msyncfs_range) {
		.inode = file_inode(vma->vm_file),
		.file = get_file(vma->vm_file),
		.first = first,
		.last = last,
	};
	return 0;
}

/*
 * Returns true if the rest of the range has a locked mapping (mlock), and if
 * any part of the whole range belongs to msyncfs. A call with MS_INVALIDATE
 * makes this check before it syncs the first mapping of another filesystem.
 * Without the check, the call would sync some mappings, and then find the
 * locked mapping and fail, as the kernel's own msync(2) does. Only the first
 * check in a call walks the mappings. Later checks would find nothing new, so
 * this function returns false for them.
 */
static bool msyncfs_call_locked(struct msyncfs_call *call, unsigned long start,
				unsigned long end)
{
	bool ours = call->nr, locked = false;
	struct vm_area_struct *vma;

	if (call->looked)
		return false;
	call->looked = true;
	while (start < end && !(ours && locked)) {
		vma = find_vma(current->mm, start);
		if (!vma || vma->vm_start >= end)
			break;
		ours |= msyncfs_vma(vma);
		locked |= !!(vma->vm_flags & VM_LOCKED);
		start = vma->vm_end;
	}
	return ours && locked;
}

/*
 * Returns whether the call must sync the file of a mapping that belongs to
 * another filesystem. The call need not sync a file whose fsync function does
 * nothing, for example a file on tmpfs.
 */
static bool msyncfs_call_fsyncs(struct msyncfs_call *call,
				struct vm_area_struct *vma)
{
	return (call->flags & MS_SYNC) && vma->vm_file &&
	       (vma->vm_flags & VM_SHARED) &&
	       vma->vm_file->f_op->fsync != noop_fsync;
}

/* Drops mmap_lock, and then syncs a mapping of another filesystem. */
static int msyncfs_call_fsync(struct vm_area_struct *vma, unsigned long start,
			      unsigned long end)
{
	loff_t pos = ((loff_t)vma->vm_pgoff << PAGE_SHIFT) + start -
		     vma->vm_start;
	struct file *file = get_file(vma->vm_file);
	int err;

	mmap_read_unlock(current->mm);
	err = vfs_fsync_range(file, pos, pos + (end - start) - 1, 1);
	fput(file);
	return err;
}

/*
 * Walks the mappings as the kernel's msync(2) does. Collects the mappings of
 * msyncfs. Syncs the mappings of other filesystems one by one.
 */
static int msyncfs_call_walk(struct msyncfs_call *call, unsigned long start,
			     unsigned long end)
{
	bool invalidate = call->flags & MS_INVALIDATE;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long from;
	int err = 0;

	mmap_read_lock(mm);
	while (start < end) {
		vma = find_vma(mm, start);
		if (!vma || start < vma->vm_start)
			call->unmapped = -ENOMEM;
		if (!vma || end <= vma->vm_start)
			break;
		from = max(start, vma->vm_start);
		start = min(end, vma->vm_end);
		if (invalidate && (vma->vm_flags & VM_LOCKED)) {
			call->refused = true;
			err = -EBUSY;
			break;
		}
		if (msyncfs_vma(vma)) {
			err = msyncfs_call_add(call, vma, from, start);
			if (err)
				break;
		} else if (msyncfs_call_fsyncs(call, vma)) {
			if (invalidate &&
			    msyncfs_call_locked(call, start, end)) {
				call->refused = true;
				err = -EBUSY;
				break;
			}
			err = msyncfs_call_fsync(vma, from, start);
			if (err || start == end)
				return err;
			mmap_read_lock(mm);
		}
	}
	mmap_read_unlock(mm);
	return err;
}

static int msyncfs_range_cmp(const void *a, const void *b)
{
	const struct msyncfs_range *x = a, *y = b;

	if (x->inode->i_sb != y->inode->i_sb)
		return x->inode->i_sb < y->inode->i_sb ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/*
 * Removes from each range the pages that an earlier range contains. Ranges can
 * overlap if a file is mapped more than once. The function keeps a range that
 * becomes empty, because the call must still report errors to the open file of
 * the range.
 */
static void msyncfs_clip_ranges(struct msyncfs_range *ranges, unsigned int nr)
{
	pgoff_t next = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct msyncfs_range *r = &ranges[i];

		if (i && r->inode != ranges[i - 1].inode)
			next = 0;
		r->first = max(r->first, next);
		next = max(next, r->last + 1);
	}
}

/* Makes ranges durable, and reports errors to each open file (G4). */
static int msyncfs_sync_files(struct msyncfs_range *ranges, unsigned int nr)
{
	int err = msyncfs_sync_ranges(ranges, nr, true), err2;
	unsigned int i;

	for (i = 0; i < nr && !err; i++)
		err = msyncfs_dio_flush(ranges[i].inode);
	for (i = 0; i < nr; i++) {
		err2 = file_check_and_advance_wb_err(ranges[i].file);
		if (!err)
			err = err2;
	}
	return err;
}

/*
 * Makes sure that the durable pages of the ranges are home, and then drops the
 * pages from the cache (P7).
 */
static int msyncfs_invalidate_files(struct msyncfs_range *ranges,
				    unsigned int nr)
{
	unsigned int i;
	int err = 0, err2;

	for (i = 0; i < nr && !err; i++)
		err = msyncfs_home_range(ranges[i].inode,
					 (loff_t)ranges[i].first << PAGE_SHIFT,
					 ((loff_t)(ranges[i].last + 1) <<
					  PAGE_SHIFT) - 1);
	if (err)
		return err;
	for (i = 0; i < nr; i++) {
		if (ranges[i].first > ranges[i].last)
			continue;
		if (fatal_signal_pending(current))
			return -EINTR;
		err2 = msyncfs_invalidate(ranges[i].inode, ranges[i].first,
					  ranges[i].last);
		if (!err)
			err = err2;
	}
	return err;
}

/* Processes the ranges of one mount as @flags require. */
static int msyncfs_call_mount(struct msyncfs_range *ranges, unsigned int nr,
			      int flags)
{
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(ranges->inode->i_sb)))
		return -EIO;
	if (!flags)
		flags = msyncfs_bsd(ranges->inode) ? MS_SYNC : MS_ASYNC;
	if (flags == MS_ASYNC)
		return msyncfs_start_ranges(ranges, nr);
	err = msyncfs_sync_files(ranges, nr);
	if (!err && (flags & MS_INVALIDATE))
		err = msyncfs_invalidate_files(ranges, nr);
	return err;
}

/* Processes the collected ranges, one mount after the other. */
static int msyncfs_call_ranges(struct msyncfs_call *call)
{
	struct msyncfs_range *range = call->ranges, *end = range + call->nr;
	struct msyncfs_range *next;
	int err = 0, err2;

	if (call->nr > 1)
		sort(range, call->nr, sizeof(*range), msyncfs_range_cmp, NULL);
	msyncfs_clip_ranges(range, call->nr);
	for (; range < end; range = next) {
		for (next = range; next < end; next++)
			if (next->inode->i_sb != range->inode->i_sb)
				break;
		err2 = msyncfs_call_mount(range, next - range, call->flags);
		if (!err)
			err = err2;
	}
	return err;
}

static int msyncfs_call_run(unsigned long start, unsigned long end, int flags)
{
	struct msyncfs_call call;
	int err, err2 = 0;

	/*
	 * Do not initialise @few: a call without mappings of msyncfs must stay
	 * cheap.
	 */
	call.flags = flags;
	call.unmapped = 0;
	call.refused = false;
	call.looked = false;
	call.ranges = call.few;
	call.nr = 0;
	call.max = MSYNCFS_CALL_FEW;
	err = msyncfs_call_walk(&call, start, end);
	if (call.nr) {
		if (!call.refused)
			err2 = msyncfs_call_ranges(&call);
		while (call.nr--)
			fput(call.ranges[call.nr].file);
		if (call.ranges != call.few)
			kvfree(call.ranges);
	}
	return err ?: err2 ?: call.unmapped;
}

/*
 * Processes a call whose length is 0, or so large that it becomes 0 when it is
 * rounded up to pages. The kernel's own msync(2) does nothing in both cases. On
 * msyncfs, a length that is too large in this way is an error, because the
 * range wraps around the end of the address space. With msync=bsd, a length of
 * 0 means the whole mapping.
 */
static int msyncfs_call_empty(unsigned long start, size_t len, int flags)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool ours = false, bsd = false;
	unsigned long end = 0;

	mmap_read_lock(mm);
	vma = find_vma(mm, start);
	if (vma && vma->vm_start <= start && msyncfs_vma(vma)) {
		ours = true;
		bsd = msyncfs_bsd(file_inode(vma->vm_file));
		start = vma->vm_start;
		end = vma->vm_end;
	}
	mmap_read_unlock(mm);
	if (len)
		return ours ? -ENOMEM : 0;
	return bsd ? msyncfs_call_run(start, end, flags) : 0;
}

/**
 * msyncfs_msync - msync(2)
 * @start: first byte, in the address space of the caller
 * @len: length in bytes
 * @flags: MS_ASYNC, MS_SYNC, MS_INVALIDATE
 *
 * Documentation/msync.rst describes each case, and gives reasons and sources.
 *
 * Context: process context; caller holds no locks; sleeps for the device.
 * Return: 0; -EINVAL, -ENOMEM, -EBUSY or -EAGAIN as msync.rst says; -EINTR; or
 * -EIO, -ENOSPC or another error that kept the range from becoming durable.
 */
int msyncfs_msync(unsigned long start, size_t len, int flags)
{
	unsigned long end;
	int err;

	start = untagged_addr(start);
	trace_msyncfs_msync_enter(start, len, flags);
	err = -EINVAL;
	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
	    offset_in_page(start) || (flags & MS_ASYNC && flags & MS_SYNC))
		goto out;
	end = start + PAGE_ALIGN(len);
	if (end < start)
		err = -ENOMEM;
	else if (end == start)
		err = msyncfs_call_empty(start, len, flags);
	else
		err = msyncfs_call_run(start, end, flags);
out:
	trace_msyncfs_msync_exit(start, len, flags, err);
	return err;
}
EXPORT_SYMBOL_GPL(msyncfs_msync);
