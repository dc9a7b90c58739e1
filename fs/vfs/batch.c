// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements the ioctls with which f2fs lets a program write a batch
 * to a file: start, commit and abort. SQLite uses these ioctls in place of a
 * rollback journal. The numbers are in <linux/f2fs.h>.
 *
 * From start to commit, the file is an atomic file (atomic.c), although neither
 * the disk nor the mount option says so. So no change of the file reaches a
 * block that committed state refers to. The commit is the commit of an atomic
 * file: one record. An abort is a rollback.
 *
 * A batch belongs to one open file description. Writes, truncations and
 * fallocate through other descriptions fail meanwhile, because an abort would
 * discard them. fsync and msync of the file fail, too, because they would
 * commit a part of the batch. Stores through mappings become part of the batch.
 */
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <uapi/linux/f2fs.h>

#include "vfs.h"

/* Number of attempts to write the record of a batch after the first has failed. */
#define BATCH_TRIES	2

/* Closes the batch. Caller holds i_rwsem and i_commit_lock. */
static void msyncfs_batch_close(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	WRITE_ONCE(mi->i_batch, NULL);
	/* Under invalidate_lock no page can become dirty. */
	filemap_invalidate_lock(inode->i_mapping);
	clear_bit(MSYNCFS_I_BATCH, &mi->i_flags);
	filemap_invalidate_unlock(inode->i_mapping);
}

/*
 * Opens the batch. Dirty pages of an ordinary file are stores that have come
 * after the sync of msyncfs_batch_start(). They become part of the batch. Caller
 * holds i_rwsem and i_commit_lock.
 */
static int msyncfs_batch_open(struct inode *inode, struct file *file)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err;

	/* An abort must not discard what others did to an atomic file before. */
	if (msyncfs_is_atomic(inode) && msyncfs_atomic_dirty(inode))
		return -EBUSY;
	filemap_invalidate_lock(inode->i_mapping);
	err = msyncfs_atomic_reserve(inode);
	if (!err) {
		set_bit(MSYNCFS_I_BATCH, &mi->i_flags);
		mi->i_batch_owner = current->files;
		WRITE_ONCE(mi->i_batch, file);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

/*
 * Makes the file durable, and opens a batch. As in f2fs, a second start of the
 * same open file has no effect. Caller holds i_rwsem.
 */
static int msyncfs_batch_start(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err;

	if (mi->i_batch)
		return mi->i_batch == file ? 0 : -EBUSY;
	/* These writes would have to be durable before the commit. */
	if ((file->f_flags & (O_DIRECT | O_DSYNC)) || IS_SYNC(inode))
		return -EINVAL;
	inode_dio_wait(inode);
	if (msyncfs_is_atomic(inode))
		err = msyncfs_commit(inode->i_sb, READ_ONCE(mi->i_data_tid));
	else
		err = msyncfs_fsync(file, 0, LLONG_MAX, true);
	if (err)
		return err;
	mutex_lock(&mi->i_commit_lock);
	err = msyncfs_batch_open(inode, file);
	mutex_unlock(&mi->i_commit_lock);
	return err;
}

/*
 * Decides what becomes of a batch whose commit has failed. If the batch is in no
 * transaction, it stays open, and can be aborted. Otherwise a later commit would
 * write it, even after an abort. So this function commits it now. If the log
 * cannot do that, the filesystem is aborted. @before is the value of i_data_tid
 * before the commit. Caller holds i_rwsem and i_commit_lock.
 */
static int msyncfs_batch_decide(struct file *file, u64 before, int err)
{
	struct inode *inode = file_inode(file);
	struct super_block *sb = inode->i_sb;
	u64 tid = MSYNCFS_I(inode)->i_data_tid;
	unsigned int i;

	if (tid == before)
		return err;
	for (i = 0; err && i < BATCH_TRIES && !msyncfs_log_dead(MSYNCFS_SB(sb)); i++)
		err = msyncfs_commit(sb, tid);
	if (err && !msyncfs_log_dead(MSYNCFS_SB(sb)))
		msyncfs_abort(sb, "a batch can be neither committed nor aborted",
			      err);
	if (err)
		return -EIO;
	/* The batch is durable, so fsync() need not report the first error. */
	spin_lock(&file->f_lock);
	errseq_check_and_advance(&inode->i_mapping->wb_err, &file->f_wb_err);
	spin_unlock(&file->f_lock);
	return 0;
}

/*
 * Commits and closes the batch. Nobody can write now, so a sync by any task
 * commits the whole batch. No page is spilled meanwhile, so after the commit the
 * file has nothing that only an atomic file can have. Caller holds i_rwsem.
 */
static int msyncfs_batch_commit(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	u64 before = mi->i_data_tid;
	int err;

	if (mi->i_batch != file)
		return mi->i_batch ? -EBUSY : -EINVAL;
	set_bit(MSYNCFS_I_COMMITTING, &mi->i_flags);
	err = msyncfs_sync_inode(inode, 0, LLONG_MAX, true);
	mutex_lock(&mi->i_commit_lock);
	if (err)
		err = msyncfs_batch_decide(file, before, err);
	if (!err) {
		WARN_ON_ONCE(!mtree_empty(&mi->i_overlay));
		msyncfs_batch_close(inode);
	}
	clear_bit(MSYNCFS_I_COMMITTING, &mi->i_flags);
	mutex_unlock(&mi->i_commit_lock);
	return err;
}

/*
 * Discards and closes the batch. The last commit becomes durable first, as in
 * msyncfs_atomic_rollback(). Caller holds i_rwsem.
 */
static int msyncfs_batch_abort(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err;

	if (mi->i_batch != file)
		return mi->i_batch ? -EBUSY : 0;
	mutex_lock(&mi->i_commit_lock);
	err = msyncfs_commit(inode->i_sb, mi->i_data_tid);
	if (!err) {
		msyncfs_atomic_discard(inode, true);
		msyncfs_batch_close(inode);
	}
	mutex_unlock(&mi->i_commit_lock);
	return err;
}

/**
 * msyncfs_batch_ioctl - start, commit or abort a batch
 * @file: open file
 * @cmd: F2FS_IOC_START_ATOMIC_WRITE, F2FS_IOC_COMMIT_ATOMIC_WRITE or
 *	F2FS_IOC_ABORT_ATOMIC_WRITE
 *
 * Context: takes i_rwsem, i_commit_lock and invalidate_lock; waits for the
 * device, and for the thaw of a frozen filesystem.
 * Return: 0; -EBADF, -EACCES, -EINVAL or -EPERM if the file is not open for
 * writing, the caller is not the owner, the file is not a regular file or its
 * flags forbid a batch; -EBUSY if another open file has a batch, or if an atomic
 * file has uncommitted changes; -EINVAL for a commit without a batch; or another
 * negative errno. After a failed commit, the batch is still open.
 */
int msyncfs_batch_ioctl(struct file *file, unsigned int cmd)
{
	struct inode *inode = file_inode(file);
	int err;

	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!inode_owner_or_capable(file_mnt_idmap(file), inode))
		return -EACCES;
	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	err = mnt_want_write_file(file);
	if (err)
		return err;
	inode_lock(inode);
	if (cmd == F2FS_IOC_ABORT_ATOMIC_WRITE)
		err = msyncfs_batch_abort(file);
	else if (IS_IMMUTABLE(inode) || IS_APPEND(inode))
		err = -EPERM;
	else if (cmd == F2FS_IOC_START_ATOMIC_WRITE)
		err = msyncfs_batch_start(file);
	else
		err = msyncfs_batch_commit(file);
	inode_unlock(inode);
	mnt_drop_write_file(file);
	return err;
}

/**
 * msyncfs_batch_release - abort the batch of an open file that goes away
 * @file: open regular file
 *
 * The device is not changed, so this function does not wait for a thaw.
 *
 * Context: takes i_rwsem, i_commit_lock and invalidate_lock.
 */
void msyncfs_batch_release(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	if (READ_ONCE(mi->i_batch) != file)
		return;
	inode_lock(inode);
	if (mi->i_batch == file) {
		mutex_lock(&mi->i_commit_lock);
		msyncfs_atomic_discard(inode, true);
		msyncfs_batch_close(inode);
		mutex_unlock(&mi->i_commit_lock);
	}
	inode_unlock(inode);
}

/**
 * msyncfs_file_flush - file_operations.flush
 * @file: open regular file, of which a process closes a descriptor
 * @id: table of the descriptors of that process
 *
 * When a process closes a descriptor, it loses its POSIX locks. Then other
 * processes may read the file, and they must not find an unfinished batch. So
 * the batch ends here, and not in ->release, which may come later.
 *
 * Context: as msyncfs_batch_release().
 * Return: 0.
 */
int msyncfs_file_flush(struct file *file, fl_owner_t id)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(file_inode(file));

	if (READ_ONCE(mi->i_batch) == file && mi->i_batch_owner == id)
		msyncfs_batch_release(file);
	return 0;
}
