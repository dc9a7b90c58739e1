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

#include "fs/fs.h"
#include "fs/disk/trace.h"

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

/* What there is to commit of atomic files. */
enum msyncfs_atomics { MSYNCFS_NO_ATOMIC, MSYNCFS_ATOMIC_IDLE, MSYNCFS_ATOMIC };

static enum msyncfs_atomics msyncfs_ranges_atomics(struct msyncfs_range *ranges,
						   unsigned int nr)
{
	enum msyncfs_atomics found = MSYNCFS_NO_ATOMIC;

	for (; nr--; ranges++) {
		if (!msyncfs_is_atomic(ranges->inode))
			continue;
		found = MSYNCFS_ATOMIC_IDLE;
		if (msyncfs_overlay_pending(ranges->inode) ||
		    msyncfs_count_dirty(ranges->inode, 0, ULONG_MAX, 1))
			return MSYNCFS_ATOMIC;
	}
	return found;
}

/*
 * Keeps the filesystem from being frozen, *@held, or waits for it to thaw: unlike
 * others, an atomic file may have dirty pages then. Returns false if there is
 * nothing to capture, since nothing gets dirty on a frozen filesystem. But while a
 * freeze still waits for who has captured pages, these are seen only under the
 * lock: then they are part of a transaction, or dirty again.
 */
static bool msyncfs_ranges_hold(struct msyncfs_range *ranges, unsigned int nr,
				bool *held)
{
	struct super_block *sb = ranges->inode->i_sb;
	enum msyncfs_atomics found = msyncfs_ranges_atomics(ranges, nr);

	*held = found != MSYNCFS_NO_ATOMIC;
	if (!*held || sb_start_intwrite_trylock(sb))
		return true;
	if (found == MSYNCFS_ATOMIC_IDLE && !ranges->nowait) {
		msyncfs_lock_files(ranges, nr);
		found = msyncfs_ranges_atomics(ranges, nr);
		msyncfs_unlock_files(ranges, nr);
	}
	*held = found == MSYNCFS_ATOMIC && !ranges->nowait;
	if (*held)
		sb_start_intwrite(sb);
	return *held;
}

static void msyncfs_ranges_end(struct msyncfs_range *ranges, unsigned int nr,
			       bool held)
{
	msyncfs_unlock_files(ranges, nr);
	if (held)
		sb_end_intwrite(ranges->inode->i_sb);
}

/* Locks the files; false if there is nothing to capture, and they are not. */
static bool msyncfs_ranges_start(struct msyncfs_range *ranges, unsigned int nr,
				 bool *held)
{
	unsigned int i, whole;

	for (;;) {
		if (!msyncfs_ranges_hold(ranges, nr, held))
			return false;
		msyncfs_lock_files(ranges, nr);
		/* Files become atomic, or are it no longer, under the lock. */
		for (i = 0, whole = 0; i < nr; i++) {
			ranges[i].whole = msyncfs_is_atomic(ranges[i].inode);
			whole += ranges[i].whole;
		}
		if (!whole || *held)
			return true;
		msyncfs_ranges_end(ranges, nr, false);
	}
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
				 struct list_head *set, bool attrs)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(ranges->inode->i_sb);
	bool held;
	int err;

	if (!msyncfs_ranges_start(ranges, nr, &held))
		return 0;
	err = msyncfs_capture_set(ranges, nr, sbi->record_images / 2, ULONG_MAX,
				  set);
	if (!err && !list_empty(set))
		err = msyncfs_attach_set(set, attrs);
	msyncfs_ranges_end(ranges, nr, held);
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

	err = msyncfs_attach_ranges(ranges, nr, &set, !datasync);
	for (i = 0; i < nr && !err && !datasync; i++)
		err = msyncfs_sync_attrs(ranges[i].inode);
	if (!err)
		err = msyncfs_commit(sb, msyncfs_ranges_tid(ranges, nr,
							    datasync));
	return msyncfs_put_set(&set, err);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_sync_ranges);

/**
 * struct msyncfs_start - a large set that is written on behalf of MS_ASYNC
 * @work: in sbi->wq
 * @sent: the caller may go
 * @ref: the caller and the work
 * @err: why nothing is sent; to be read after @sent
 * @nr: entries of @ranges
 * @ranges: sorted; with a reference of each inode
 */
struct msyncfs_start {
	struct work_struct	work;
	struct completion	sent;
	refcount_t		ref;
	int			err;
	unsigned int		nr;
	struct msyncfs_range	ranges[] __counted_by(nr);
};

static void msyncfs_start_put(struct msyncfs_start *start)
{
	if (refcount_dec_and_test(&start->ref))
		kvfree(start);
}

static void msyncfs_start_work(struct work_struct *work)
{
	struct msyncfs_start *start = container_of(work, struct msyncfs_start,
						   work);
	struct super_block *sb = start->ranges->inode->i_sb;
	struct msyncfs_capture *cap;
	unsigned int i;
	LIST_HEAD(set);
	int err = 0;
	bool held;

	if (!msyncfs_ranges_start(start->ranges, start->nr, &held))
		goto sent;
	err = msyncfs_capture_set(start->ranges, start->nr,
				  MSYNCFS_SB(sb)->record_images / 2, ULONG_MAX,
				  &set);
	list_for_each_entry(cap, &set, set)
		cap->sent = &start->sent;
	if (!err && !list_empty(&set))
		err = msyncfs_attach_set(&set, false);
	msyncfs_ranges_end(start->ranges, start->nr, held);
sent:
	start->err = msyncfs_put_set(&set, err);
	complete_all(&start->sent);
	/* What goes wrong from here on is known to the mappings. */
	if (!err)
		msyncfs_commit(sb, msyncfs_ranges_tid(start->ranges, start->nr,
						      true));
	for (i = 0; i < start->nr; i++)
		iput(start->ranges[i].inode);
	msyncfs_start_put(start);
}

/*
 * More than a record takes: that is written to fresh blocks before the record,
 * and somebody has to wait in between. Returns when these writes are sent.
 */
static int msyncfs_start_large(struct msyncfs_range *ranges, unsigned int nr)
{
	struct super_block *sb = ranges->inode->i_sb;
	struct msyncfs_start *start;
	unsigned int i;
	int err = 0;

	start = kvmalloc(struct_size(start, ranges, nr), GFP_KERNEL);
	if (!start)
		return -ENOMEM;
	start->err = 0;
	INIT_WORK(&start->work, msyncfs_start_work);
	init_completion(&start->sent);
	refcount_set(&start->ref, 2);
	start->nr = nr;
	for (i = 0; i < nr; i++) {
		start->ranges[i] = ranges[i];
		start->ranges[i].file = NULL;
		ihold(ranges[i].inode);
	}
	queue_work(MSYNCFS_SB(sb)->wq, &start->work);
	if (!wait_for_completion_killable(&start->sent)) {
		err = READ_ONCE(start->err);
		msyncfs_commit_start(sb, msyncfs_ranges_tid(ranges, nr, true));
	}
	msyncfs_start_put(start);
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
	unsigned long max = MSYNCFS_SB(sb)->record_images / 4;
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

	err = msyncfs_attach_ranges(ranges, nr, &set, false);
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
		err = msyncfs_dio_flush(inode);
	err2 = file_check_and_advance_wb_err(file);
	if (!err)
		err = err2;
	trace_msyncfs_fsync_exit(inode, start, end, err);
	return err;
}
