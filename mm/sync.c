// SPDX-License-Identifier: GPL-2.0
/*
 * Making ranges of files durable: capture, commit, and an honest answer. This
 * is what fsync(2) is, and what the kernel's own msync(MS_SYNC) calls once for
 * each mapping in its range; mm/msync.c calls it once for all of them.
 */
#include <kunit/visibility.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "fs/disk/trace.h"
#include "sync.h"

/**
 * msyncfs_dirty_inode - super_operations.dirty_inode
 * @inode: inode whose times or attributes have changed
 * @flags: I_DIRTY_*
 *
 * Only remembers it: this is called from page_mkwrite, where no operation may
 * begin (P4). The next commit of the inode or its writeback takes it along.
 */
void msyncfs_dirty_inode(struct inode *inode, int flags)
{
	set_bit(MSYNCFS_I_DIRTY, &MSYNCFS_I(inode)->i_flags);
}

/* Attributes that changed without an operation of their own. */
static int msyncfs_sync_attrs(struct inode *inode)
{
	struct msyncfs_op op;
	int err;

	/* With lazytime, what the capture has marked is not there yet. */
	if (inode->i_state & I_DIRTY_TIME)
		mark_inode_dirty_sync(inode);
	if (!test_bit(MSYNCFS_I_DIRTY, &MSYNCFS_I(inode)->i_flags))
		return 0;
	err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (err)
		return err;
	msyncfs_inode_dirty(&op, inode, false);
	msyncfs_op_end(&op);
	return 0;
}

/*
 * i_commit_lock of every file. The ranges are sorted, so who has several takes
 * them in one order; set_mutex says so to lockdep, and serialises freezes (P6).
 */
static void msyncfs_lock_files(struct msyncfs_range *ranges, unsigned int nr)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(ranges->inode->i_sb);
	unsigned int i;

	if (ranges[0].inode == ranges[nr - 1].inode) {
		mutex_lock(&MSYNCFS_I(ranges->inode)->i_commit_lock);
		return;
	}
	mutex_lock(&sbi->set_mutex);
	for (i = 0; i < nr; i++) {
		if (!i || ranges[i].inode != ranges[i - 1].inode)
			mutex_lock_nest_lock(&MSYNCFS_I(ranges[i].inode)->i_commit_lock,
					     &sbi->set_mutex);
	}
}

static void msyncfs_unlock_files(struct msyncfs_range *ranges, unsigned int nr)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(ranges->inode->i_sb);
	bool several = ranges[0].inode != ranges[nr - 1].inode;

	while (nr--) {
		if (!nr || ranges[nr].inode != ranges[nr - 1].inode)
			mutex_unlock(&MSYNCFS_I(ranges[nr].inode)->i_commit_lock);
	}
	if (several)
		mutex_unlock(&sbi->set_mutex);
}

/*
 * Marks the ranges of atomic files; returns whether there are any. A file becomes
 * atomic or ordinary under i_commit_lock. Without this lock the marks are hints.
 */
static bool msyncfs_mark_whole(struct msyncfs_range *ranges, unsigned int nr)
{
	bool any = false;

	for (; nr--; ranges++) {
		ranges->whole = msyncfs_is_atomic(ranges->inode);
		any |= ranges->whole;
	}
	return any;
}

/* Has any atomic file something to commit? A hint unless the files are locked. */
static bool msyncfs_atomic_dirty_in(const struct msyncfs_range *ranges,
				    unsigned int nr)
{
	for (; nr--; ranges++)
		if (ranges->whole &&
		    (msyncfs_overlay_uncommitted(ranges->inode) ||
		     msyncfs_count_dirty(ranges->inode, 0, ULONG_MAX, 1)))
			return true;
	return false;
}

/*
 * Keeps the filesystem from being frozen, for the sake of atomic files. If it is
 * frozen, waits for the thaw, unless there is nothing to commit: nothing gets
 * dirty on a frozen filesystem, but an atomic file may have been dirty before.
 * Returns false if nothing is to be done.
 */
static bool msyncfs_hold_thawed(struct msyncfs_range *ranges, unsigned int nr)
{
	struct super_block *sb = ranges->inode->i_sb;
	bool dirty;

	if (sb_start_intwrite_trylock(sb))
		return true;
	if (ranges->nowait)
		return false;
	dirty = msyncfs_atomic_dirty_in(ranges, nr);
	if (!dirty) {
		/*
		 * Captured pages are neither dirty nor in the overlay. Check
		 * again under i_commit_lock, when they are attached or dirty
		 * again. A file may have become atomic meanwhile.
		 */
		msyncfs_lock_files(ranges, nr);
		msyncfs_mark_whole(ranges, nr);
		dirty = msyncfs_atomic_dirty_in(ranges, nr);
		msyncfs_unlock_files(ranges, nr);
	}
	if (dirty)
		sb_start_intwrite(sb);
	return dirty;
}

/*
 * Locks the files for a capture. For atomic files, *@held says that the filesystem
 * is kept from being frozen. Returns false, with nothing locked, if there is
 * nothing to capture.
 */
static bool msyncfs_ranges_lock(struct msyncfs_range *ranges, unsigned int nr,
				bool *held)
{
	for (;;) {
		/* The freeze protection comes before the locks. */
		*held = msyncfs_mark_whole(ranges, nr);
		if (*held && !msyncfs_hold_thawed(ranges, nr))
			return false;
		msyncfs_lock_files(ranges, nr);
		if (!msyncfs_mark_whole(ranges, nr) || *held)
			return true;
		/* A file has become atomic before it was locked. */
		msyncfs_unlock_files(ranges, nr);
	}
}

static void msyncfs_ranges_unlock(struct msyncfs_range *ranges,
				  unsigned int nr, bool held)
{
	msyncfs_unlock_files(ranges, nr);
	if (held)
		sb_end_intwrite(ranges->inode->i_sb);
}

/* The transaction after which all that is in the ranges is durable. */
static u64 msyncfs_ranges_tid(const struct msyncfs_range *ranges,
			      unsigned int nr, bool datasync)
{
	u64 tid = 0;

	for (; nr--; ranges++) {
		struct msyncfs_inode_info *mi = MSYNCFS_I(ranges->inode);

		tid = max(tid, datasync ? READ_ONCE(mi->i_data_tid) :
					  READ_ONCE(mi->i_tid));
	}
	return tid;
}

/* Captures what is dirty and makes it part of the running transaction. */
static int msyncfs_attach_ranges(struct msyncfs_range *ranges, unsigned int nr,
				 struct list_head *set, bool attrs,
				 struct completion *sent)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(ranges->inode->i_sb);
	bool held;
	int err;

	if (!msyncfs_ranges_lock(ranges, nr, &held))
		return 0;
	err = msyncfs_capture_ranges(ranges, nr, sbi->geo.record_images / 2,
				     ULONG_MAX, set);
	if (!err && !list_empty(set))
		err = msyncfs_attach_set(set, attrs, sent);
	msyncfs_ranges_unlock(ranges, nr, held);
	return err;
}

/*
 * Lets go of the captures; what went wrong with them, if nothing else did. Pages
 * that get dirty again tell their mapping; of an atomic file there may be none, but
 * only a new size, holes, or pages that are spilled.
 */
static int msyncfs_put_set(struct list_head *set, int err)
{
	struct msyncfs_capture *cap, *next;

	/* From an operation that the end of the log has forestalled. */
	if (err == -EROFS)
		err = -EIO;
	list_for_each_entry_safe(cap, next, set, set) {
		if (!err)
			err = cap->incomplete ? -ENOMEM :
						READ_ONCE(cap->error);
		if (err && !cap->nr)
			mapping_set_error(cap->inode->i_mapping, err);
		list_del_init(&cap->set);
		msyncfs_capture_put(cap);
	}
	return err;
}

/**
 * msyncfs_sync_ranges - make ranges of files of one mount durable, together
 * @ranges: sorted by inode, then by first page; at least one
 * @nr: how many
 * @datasync: leave out times and the like
 *
 * Of an atomic file all dirty pages count, and its size and holes; if the
 * filesystem is frozen, they wait for the thaw.
 *
 * All dirty pages of all ranges become durable in one record, together with what
 * is needed to read them (G1, G2). Nothing dirty, and nothing of these inodes on
 * its way: no device command.
 *
 * Context: sleeps for the device. Caller holds none of what P4 forbids, and not
 * i_commit_lock; it may hold i_rwsem (P5).
 * Return: 0, or why the ranges are not durable; their pages are dirty then.
 */
int msyncfs_sync_ranges(struct msyncfs_range *ranges, unsigned int nr,
			bool datasync)
{
	struct super_block *sb = ranges->inode->i_sb;
	unsigned int i;
	LIST_HEAD(set);
	int err;

	err = msyncfs_attach_ranges(ranges, nr, &set, !datasync, NULL);
	for (i = 0; i < nr && !err && !datasync; i++)
		err = msyncfs_sync_attrs(ranges[i].inode);
	if (!err)
		err = msyncfs_commit(sb, msyncfs_ranges_tid(ranges, nr,
							    datasync));
	return msyncfs_put_set(&set, err);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_sync_ranges);

/**
 * struct msyncfs_async - a large set that is written on behalf of MS_ASYNC
 * @work: in sbi->wq
 * @sent: the caller may go
 * @ref: the caller and the work
 * @err: why nothing is sent; to be read after @sent
 * @nr: entries of @ranges
 * @ranges: sorted; with a reference of each inode
 */
struct msyncfs_async {
	struct work_struct	work;
	struct completion	sent;
	refcount_t		ref;
	int			err;
	unsigned int		nr;
	struct msyncfs_range	ranges[] __counted_by(nr);
};

static void msyncfs_async_put(struct msyncfs_async *async)
{
	if (refcount_dec_and_test(&async->ref))
		kvfree(async);
}

static void msyncfs_async_work(struct work_struct *work)
{
	struct msyncfs_async *async = container_of(work, struct msyncfs_async,
						   work);
	struct super_block *sb = async->ranges->inode->i_sb;
	unsigned int i;
	LIST_HEAD(set);
	int err;

	err = msyncfs_attach_ranges(async->ranges, async->nr, &set, false,
				    &async->sent);
	async->err = msyncfs_put_set(&set, err);
	complete_all(&async->sent);
	/* The mappings know of errors from here on. */
	if (!err)
		msyncfs_commit(sb, msyncfs_ranges_tid(async->ranges, async->nr,
						      true));
	for (i = 0; i < async->nr; i++)
		iput(async->ranges[i].inode);
	msyncfs_async_put(async);
}

/*
 * More than a record takes: that is written to fresh blocks before the record,
 * and somebody has to wait in between. Returns when these writes are sent.
 */
static int msyncfs_start_large(struct msyncfs_range *ranges, unsigned int nr)
{
	struct super_block *sb = ranges->inode->i_sb;
	struct msyncfs_async *async;
	unsigned int i;
	int err = 0;

	async = kvmalloc(struct_size(async, ranges, nr), GFP_KERNEL);
	if (!async)
		return -ENOMEM;
	async->err = 0;
	INIT_WORK(&async->work, msyncfs_async_work);
	init_completion(&async->sent);
	refcount_set(&async->ref, 2);
	async->nr = nr;
	for (i = 0; i < nr; i++) {
		async->ranges[i] = ranges[i];
		async->ranges[i].file = NULL;
		ihold(ranges[i].inode);
	}
	queue_work(MSYNCFS_SB(sb)->wq, &async->work);
	if (!wait_for_completion_killable(&async->sent)) {
		err = READ_ONCE(async->err);
		msyncfs_commit_start(sb, msyncfs_ranges_tid(ranges, nr, true));
	}
	msyncfs_async_put(async);
	return err;
}

/**
 * msyncfs_start_ranges - have ranges of files written, without waiting for it
 * @ranges: sorted by inode, then by first page; at least one; of one mount
 * @nr: how many
 *
 * What is dirty now becomes durable as by msyncfs_sync_ranges(), soon. When this
 * returns, it has been sent to the device, or it is the next to be sent after
 * a record that is on its way.
 *
 * Context: as msyncfs_sync_ranges(), but does not wait for these writes.
 * Return: 0, or why the pages are still dirty; what goes wrong later is known to
 * the mappings.
 */
int msyncfs_start_ranges(struct msyncfs_range *ranges, unsigned int nr)
{
	struct super_block *sb = ranges->inode->i_sb;
	unsigned long max = MSYNCFS_SB(sb)->geo.record_images / 4;
	unsigned long dirty = nr > 1 ? 4 * nr : 0;	/* metadata of each */
	unsigned int i;
	LIST_HEAD(set);
	int err;

	for (i = 0; i < nr && dirty <= max; i++) {
		bool whole = msyncfs_is_atomic(ranges[i].inode);

		dirty += msyncfs_count_dirty(ranges[i].inode,
					     whole ? 0 : ranges[i].first,
					     whole ? ULONG_MAX : ranges[i].last,
					     max + 1);
	}
	if (dirty > max)
		return msyncfs_start_large(ranges, nr);

	err = msyncfs_attach_ranges(ranges, nr, &set, false, NULL);
	err = msyncfs_put_set(&set, err);
	if (!err)
		msyncfs_commit_start(sb, msyncfs_ranges_tid(ranges, nr, true));
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_start_ranges);

/**
 * msyncfs_sync_inode - make a range of a file durable
 * @inode: file
 * @start: first byte
 * @end: last byte, inclusive
 * @datasync: leave out times and the like
 *
 * Context: as msyncfs_sync_ranges().
 * Return: as msyncfs_sync_ranges().
 */
int msyncfs_sync_inode(struct inode *inode, loff_t start, loff_t end,
		       bool datasync)
{
	struct msyncfs_range range = {
		.inode = inode,
		.first = start >> PAGE_SHIFT,
		.last = end >> PAGE_SHIFT,
	};

	return msyncfs_sync_ranges(&range, 1, datasync);
}

/**
 * msyncfs_try_sync_inode - make a file durable, unless the filesystem is frozen
 * @inode: file
 *
 * For who must not wait for the thaw, which may wait for him.
 *
 * Context: as msyncfs_sync_ranges().
 * Return: as msyncfs_sync_ranges(); 0 too if nothing has been done.
 */
int msyncfs_try_sync_inode(struct inode *inode)
{
	struct msyncfs_range range = {
		.inode = inode,
		.last = LLONG_MAX >> PAGE_SHIFT,
		.nowait = true,
	};

	return msyncfs_sync_ranges(&range, 1, true);
}

/**
 * msyncfs_fsync - file_operations: fsync, fdatasync and msync(MS_SYNC)
 * @file: open file
 * @start: first byte
 * @end: last byte, inclusive
 * @datasync: as fdatasync(2); msync(2) sets it
 *
 * Context: may be called with i_rwsem held, by O_DSYNC direct writes (P5).
 * Return: 0; -EIO, -ENOSPC or whatever kept the range, or an earlier write-back
 * that this open file has not been told about, from becoming durable (G4).
 */
int msyncfs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err, err2;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	trace_msyncfs_fsync_enter(inode, start, end, datasync);
	err = msyncfs_sync_inode(inode, start, end, datasync);
	if (!err)
		err = msyncfs_direct_flush(inode);
	err2 = file_check_and_advance_wb_err(file);
	if (!err)
		err = err2;
	trace_msyncfs_fsync_exit(inode, start, end, err);
	return err;
}
