// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes ranges of files durable. It captures and attaches the dirty
 * pages of the ranges, commits the transaction, and reports errors. fsync(2)
 * makes one range durable. The kernel's own msync(MS_SYNC) calls
 * msyncfs_fsync() once for each mapping in the range of the call. mm/msync.c
 * calls msyncfs_sync_ranges() once for all mappings of a mount.
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
 * page_mkwrite calls this function, and no operation may begin in page_mkwrite
 * (P4). So this function only remembers the change. The next commit or the
 * writeback of the inode puts the change into a transaction.
 *
 * Context: any.
 */
void msyncfs_dirty_inode(struct inode *inode, int flags)
{
	set_bit(MSYNCFS_I_DIRTY, &MSYNCFS_I(inode)->i_flags);
}

/*
 * Puts the times and attributes of an inode into a transaction, if they have
 * changed and no operation has put the change into a transaction yet.
 */
static int msyncfs_sync_attrs(struct inode *inode)
{
	struct msyncfs_op op;
	int err;

	/*
	 * With lazytime, the capture sets only I_DIRTY_TIME when it marks the
	 * times. mark_inode_dirty_sync() calls msyncfs_dirty_inode() for this
	 * change.
	 */
	if (inode_state_read_once(inode) & I_DIRTY_TIME)
		mark_inode_dirty_sync(inode);
	if (!test_bit(MSYNCFS_I_DIRTY, &MSYNCFS_I(inode)->i_flags))
		return 0;
	err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (err)
		return err;
	msyncfs_op_add_inode(&op, inode, false);
	msyncfs_op_end(&op);
	return 0;
}

/*
 * Takes i_commit_lock of every file. The ranges are sorted, so all tasks take
 * the locks in the same order. For several files, this function takes set_mutex
 * first. set_mutex tells lockdep that the order is safe. Because of set_mutex,
 * only one task at a time freezes several files (P6).
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
 * Locks the files for a capture. Sets @whole in the ranges of atomic files, and
 * clears @whole in all other ranges: a file becomes atomic or ordinary only
 * under i_commit_lock. Returns -EAGAIN if a file has a batch that is not
 * complete (fs/vfs/batch.c). The files are locked then, too.
 */
static int msyncfs_ranges_lock(struct msyncfs_range *ranges, unsigned int nr)
{
	int err = 0;

	msyncfs_lock_files(ranges, nr);
	for (; nr--; ranges++) {
		ranges->whole = msyncfs_is_atomic(ranges->inode);
		if (ranges->whole &&
		    READ_ONCE(MSYNCFS_I(ranges->inode)->i_batch) &&
		    !test_bit(MSYNCFS_I_COMMITTING,
			      &MSYNCFS_I(ranges->inode)->i_flags))
			err = -EAGAIN;
	}
	return err;
}

/* Returns the tid of the last transaction that has changes of these files. */
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

/*
 * Returns whether a call is an msync, which marks the times. fsync(2) wants the
 * attributes, and fdatasync(2) covers the whole file.
 */
static bool msyncfs_is_msync(const struct msyncfs_range *range, bool attrs)
{
	return !attrs && range->last < LLONG_MAX >> PAGE_SHIFT;
}

/* Captures the dirty pages and makes them part of the running transaction. */
static int msyncfs_attach_ranges(struct msyncfs_range *ranges, unsigned int nr,
				 struct list_head *set, bool attrs,
				 struct completion *sent)
{
	int err;

	err = msyncfs_ranges_lock(ranges, nr);
	if (!err)
		err = msyncfs_capture_ranges(ranges, nr,
					     msyncfs_copy_max(ranges->inode->i_sb),
					     ULONG_MAX, set,
					     msyncfs_is_msync(ranges, attrs));
	if (!err && !list_empty(set))
		err = msyncfs_attach_set(set, attrs, sent);
	msyncfs_unlock_files(ranges, nr);
	return err;
}

/* Returns the error of a set whose record has failed already, or 0. */
static int msyncfs_set_error(const struct list_head *set)
{
	struct msyncfs_capture *cap;
	int err = 0;

	list_for_each_entry(cap, set, set)
		err = err ?: READ_ONCE(cap->error);
	return err;
}

/*
 * Drops the captures of a set. Returns @err, or an error of the captures if
 * @err is 0. If a capture has pages, msyncfs_capture_redirty() has already
 * reported the error to the mapping. A capture of an atomic file may have no
 * pages, because the commit may have only a new size, holes or spilled pages.
 * This function reports the error to the mapping of such a file.
 */
static int msyncfs_put_set(struct super_block *sb, struct list_head *set,
			   int err)
{
	struct msyncfs_capture *cap, *next;

	/*
	 * If the log is dead, no operation can begin. Callers that sync data get
	 * -EIO instead of -EROFS.
	 */
	if (err == -EROFS && msyncfs_log_dead(MSYNCFS_SB(sb)))
		err = -EIO;
	list_for_each_entry_safe(cap, next, set, set) {
		if (!err)
			err = READ_ONCE(cap->error);
		if (err && !cap->nr && !msyncfs_refused(err))
			mapping_set_error(cap->inode->i_mapping, err);
		list_del_init(&cap->set);
		msyncfs_capture_put(cap);
	}
	return err;
}

/* Makes the ranges durable, unless the gate is closed (msyncfs_gate_enter()). */
static int msyncfs_try_sync_ranges(struct msyncfs_range *ranges,
				   unsigned int nr, bool datasync)
{
	struct super_block *sb = ranges->inode->i_sb;
	unsigned int i;
	LIST_HEAD(set);
	int err;

	err = msyncfs_attach_ranges(ranges, nr, &set, !datasync, NULL);
	for (i = 0; i < nr && !err && !datasync; i++)
		err = msyncfs_sync_attrs(ranges[i].inode);
	/* A call that is too late for a commit must not begin the next one. */
	if (!err)
		err = msyncfs_set_error(&set);
	if (!err)
		err = msyncfs_commit(sb, msyncfs_ranges_tid(ranges, nr,
							    datasync));
	return msyncfs_put_set(sb, &set, err);
}

/**
 * msyncfs_sync_ranges - make ranges of files on one mount durable together
 * @ranges: sorted by inode, then by first page; at least one
 * @nr: number of ranges
 * @datasync: leave out times and other changes that fdatasync(2) may leave out
 *
 * All dirty pages of all ranges become durable in one record, together with the
 * metadata that is needed to read these pages (G1, G2). If no page is dirty,
 * and all changes of the inodes are durable already, this function sends no
 * command to the device.
 *
 * An atomic file is committed as a whole: all dirty pages, its size and its
 * holes.
 *
 * Pages can be dirty on a frozen filesystem: pages of an atomic file, and pages
 * into which an O_DIRECT read from another file has just transferred data. Then
 * this function waits for the thaw. Meanwhile it holds no lock.
 *
 * Context: sleeps for the device. The caller holds neither i_commit_lock nor a
 * lock that P4 forbids, nor a lock that the task needs which thaws the
 * filesystem. The caller may hold i_rwsem in a write, which no freeze
 * interrupts (P5).
 * Return: 0; -EAGAIN if a file has a batch (fs/vfs/batch.c); or another negative
 * errno. After an error, the pages that are not durable are dirty again.
 */
int msyncfs_sync_ranges(struct msyncfs_range *ranges, unsigned int nr,
			bool datasync)
{
	struct super_block *sb = ranges->inode->i_sb;
	int err;

	while ((err = msyncfs_try_sync_ranges(ranges, nr, datasync)) ==
	       -EFSFROZEN)
		msyncfs_wait_thaw(sb);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_sync_ranges);

/**
 * msyncfs_sync_metadata - export_operations.commit_metadata
 * @inode: file or directory
 *
 * Makes all operations on the inode durable, but not its dirty pages. The NFS server
 * calls this function after an operation. Its changes of names and attributes must
 * be durable before it replies.
 *
 * Context: sleeps for the device; the caller may hold i_rwsem.
 * Return: 0 or a negative errno.
 */
int msyncfs_sync_metadata(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(sb)))
		return -EIO;
	err = msyncfs_sync_attrs(inode);
	return err ?: msyncfs_commit(sb, READ_ONCE(MSYNCFS_I(inode)->i_tid));
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_sync_metadata);

/**
 * struct msyncfs_async - a large set that is written for MS_ASYNC
 * @work: work item, queued in sbi->wq
 * @sent: completed when the caller may return
 * @ref: number of references; the caller has one, and the work item has one
 * @err: error that the caller returns, if the set failed before @sent was
 *	completed
 * @nr: number of @ranges
 * @ranges: sorted; each with a reference of its inode
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

/*
 * As msyncfs_put_set(). If the filesystem is frozen, background writeback writes
 * the pages after the thaw, so MS_ASYNC need not fail.
 */
static int msyncfs_put_async(struct super_block *sb, struct list_head *set,
			     int err)
{
	err = msyncfs_put_set(sb, set, err);
	return err == -EFSFROZEN ? 0 : err;
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
	async->err = msyncfs_put_async(sb, &set, err);
	complete_all(&async->sent);
	/* From here on, errors are reported only to the mappings. */
	if (!err)
		msyncfs_commit(sb, msyncfs_ranges_tid(async->ranges, async->nr,
						      true));
	for (i = 0; i < async->nr; i++)
		iput(async->ranges[i].inode);
	msyncfs_async_put(async);
}

/*
 * Starts to write a set that is too large for a record. The pages of the set
 * are written to fresh blocks, and the record must wait for these writes. A
 * work item waits for the writes and commits the set. This function returns
 * when the writes have been sent to the device.
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
 * msyncfs_start_ranges - start to write ranges of files, without waiting
 * @ranges: sorted by inode, then by first page; at least one; of one mount
 * @nr: number of ranges
 *
 * This function attaches the pages that are dirty when it is called, and starts
 * the commit of their transaction. It does not wait for the end of the commit.
 * For a large set, it only sends the writes of the pages to the device. A work
 * item attaches and commits the large set later.
 *
 * Context: as msyncfs_sync_ranges(), but does not wait until the pages are
 * durable.
 * Return: 0, or a negative errno if the pages are still dirty. Later errors are
 * reported to the mappings.
 */
int msyncfs_start_ranges(struct msyncfs_range *ranges, unsigned int nr)
{
	struct super_block *sb = ranges->inode->i_sb;
	unsigned long max = MSYNCFS_SB(sb)->geo.record_images / 4;
	unsigned long dirty = nr > 1 ? 4 * nr : 0;	/* metadata of ranges */
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
	err = msyncfs_put_async(sb, &set, err);
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
 * @datasync: as for msyncfs_sync_ranges()
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
 * msyncfs_try_sync_inode - make a file durable without waiting for a thaw
 * @inode: file
 *
 * This function is for callers that must not wait for a thaw. The task that
 * thaws the filesystem may be waiting for such a caller.
 *
 * Context: as msyncfs_sync_ranges(), but never waits for a thaw.
 * Return: as msyncfs_sync_ranges(); also -EFSFROZEN. After this error, the pages
 * may be in the running transaction already.
 */
int msyncfs_try_sync_inode(struct inode *inode)
{
	struct msyncfs_range range = {
		.inode = inode,
		.last = LLONG_MAX >> PAGE_SHIFT,
	};

	return msyncfs_try_sync_ranges(&range, 1, true);
}

/**
 * msyncfs_fsync - file_operations: fsync, fdatasync and msync(MS_SYNC)
 * @file: open file
 * @start: first byte
 * @end: last byte, inclusive
 * @datasync: true for fdatasync(2) and msync(2)
 *
 * Context: sleeps for the device. O_DSYNC direct writes call this function with
 * i_rwsem held (P5).
 * Return: 0, or -EIO, -ENOSPC or another error that kept the range from
 * becoming durable. If an earlier writeback failed, and its error was not yet
 * reported to this open file, the function returns this error (G4).
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
		err = msyncfs_dio_flush(inode);
	err2 = file_check_and_advance_wb_err(file);
	if (!err)
		err = err2;
	trace_msyncfs_fsync_exit(inode, start, end, err);
	return err;
}
