// SPDX-License-Identifier: GPL-2.0
/*
 * This file sets up, starts, stops and frees the log of a mount, and reads the
 * counters of the log. commit.c writes records. checkpoint.c writes the images
 * of the records home. recovery.c sets the position of the next record at
 * mount.
 */
#include <kunit/visibility.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "txn.h"

static void msyncfs_commit_work(struct work_struct *work)
{
	struct msyncfs_log *log = container_of(to_delayed_work(work),
					       struct msyncfs_log, commit_work);

	/*
	 * Ignore the error: the commit has logged it, and the mappings remember
	 * it.
	 */
	msyncfs_commit_all(log->sbi->sb);
}

static void msyncfs_log_free(struct msyncfs_log *log)
{
	while (log->header.nr)
		free_page((unsigned long)log->header.blocks[--log->header.nr]);
	kvfree(log->header.blocks);
	kfree(log);
}

static struct msyncfs_log *msyncfs_log_alloc(struct msyncfs_sb_info *sbi)
{
	u32 max = msyncfs_record_header_blocks(sbi->geo.record_images);
	struct msyncfs_log *log = kzalloc(sizeof(*log), GFP_KERNEL);

	if (!log)
		return NULL;
	log->sbi = sbi;
	log->stuck_max = sbi->geo.log_blocks / MSYNCFS_STUCK_SHARE;
	log->room = sbi->geo.log_blocks -
		    4 * (msyncfs_record_header_blocks(log->stuck_max) +
			 log->stuck_max);
	msyncfs_pool_init(log);
	log->header.blocks = kvcalloc(max, sizeof(*log->header.blocks),
				      GFP_KERNEL);
	if (log->header.blocks && !msyncfs_index_init(log))
		return log;
	msyncfs_log_free(log);
	return NULL;
}

/**
 * msyncfs_log_init - make the log of a mount in memory
 * @sb: filesystem whose superblock has been read
 * @hooks: functions that the log calls in the floor above
 *
 * The caller must then call msyncfs_recover(), which sets the tail and the
 * position of the next record.
 *
 * Context: mount; may sleep.
 * Return: 0 or -ENOMEM.
 */
int msyncfs_log_init(struct super_block *sb,
		     const struct msyncfs_log_hooks *hooks)
{
	static struct lock_class_key key;
	struct msyncfs_log *log = msyncfs_log_alloc(MSYNCFS_SB(sb));

	if (!log)
		return -ENOMEM;
	log->hooks = hooks;
	spin_lock_init(&log->txn_lock);
	lockdep_init_map(&log->op_map, "msyncfs_op", &key, 0);
	log->running = msyncfs_txn_alloc(1);
	log->pin_max = totalram_pages() / MSYNCFS_PIN_SHARE;
	mutex_init(&log->commit_mutex);
	init_waitqueue_head(&log->commit_wait);
	mutex_init(&log->checkpoint_mutex);
	INIT_DELAYED_WORK(&log->commit_work, msyncfs_commit_work);
	INIT_WORK(&log->checkpoint_work, msyncfs_checkpoint_work);
	INIT_DELAYED_WORK(&log->checkpoint_timer, msyncfs_checkpoint_timer);
	log->sbi->log = log;
	return 0;
}

/**
 * msyncfs_log_start - make a recovered log ready for commits
 * @sb: filesystem; the hooks of the log can be called from now on
 *
 * If recovery has kept images that cannot be written home, a checkpoint writes
 * them to a new log.
 *
 * Context: mount; may sleep.
 * Return: 0, -ENOMEM, or the error of the checkpoint.
 */
int msyncfs_log_start(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct msyncfs_log *log = sbi->log;
	u64 seq = msyncfs_index_newest(&log->index);
	int err = 0;

	/* Nothing runs in the background yet, so nobody has to pass the gate. */
	mutex_lock(&log->commit_mutex);
	while (!err && msyncfs_index_has(&log->index, seq))
		err = msyncfs_checkpoint_step(log);
	mutex_unlock(&log->commit_mutex);
	if (err)
		return err;
	/*
	 * Nothing may be written after the snapshot of a hibernation. The kernel
	 * in the snapshot would not know of a later record or a later tail.
	 */
	sbi->wq = alloc_workqueue("msyncfs-%s", WQ_MEM_RECLAIM | WQ_UNBOUND |
				  WQ_FREEZABLE, 0, sb->s_id);
	return sbi->wq ? msyncfs_pool_start(log) : -ENOMEM;
}

/**
 * msyncfs_log_stop - end all work in the background
 * @sb: filesystem; the caller has committed all changes that should become
 *	durable
 *
 * If the write of the last record failed, the record may still be whole on the
 * device. So this function invalidates the record. The error of the write was
 * reported, so the next mount must not replay the record (R5). If all records
 * are home, the function closes the log.
 *
 * Context: unmount, or a mount that has failed at any point; may sleep.
 */
void msyncfs_log_stop(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct msyncfs_log *log = sbi->log;
	struct msyncfs_txn *failed;

	/* Recovery may have used the pool although the mount has failed. */
	if (log)
		msyncfs_pool_stop(log);
	if (!sbi->wq)
		return;
	cancel_delayed_work_sync(&log->commit_work);
	cancel_delayed_work_sync(&log->checkpoint_timer);
	cancel_work_sync(&log->checkpoint_work);
	msyncfs_step_drop(log);
	destroy_workqueue(sbi->wq);
	sbi->wq = NULL;
	if (log->retry) {
		if (log->failed && !msyncfs_gate_error(sbi))
			msyncfs_log_invalidate(log, log->cutting->pos);
		log->retry = false;
		failed = log->cutting;
		msyncfs_txn_end(log);
		msyncfs_txn_free(log, failed);
	}
	msyncfs_log_close(log);
}

/**
 * msyncfs_log_empty - make all changes durable and bring them home
 * @sb: filesystem
 *
 * After success, blocks that were freed before the call can be used again (B3),
 * and a copy of the device needs no replay.
 *
 * Context: as msyncfs_commit().
 * Return: 0 or the error of the commit or of the checkpoint.
 */
int msyncfs_log_empty(struct super_block *sb)
{
	return msyncfs_commit_all(sb) ?: msyncfs_checkpoint(sb);
}

/**
 * msyncfs_gate_close - close the gate, so that nothing changes the device
 * @sb: filesystem
 * @bit: MSYNCFS_SB_FROZEN or MSYNCFS_SB_RDONLY
 * @force: close the gate even if the log cannot be emptied, or if other tasks
 *	commit again and again
 *
 * Before the gate closes, all changes become durable and are brought home. What
 * joins the running transaction later stays in memory until the gate opens.
 *
 * Context: under s_umount; waits for commits and for all tasks that have passed
 * the gate.
 * Return: 0 or, unless @force is set, the error of msyncfs_log_empty() or
 * msyncfs_log_stuck(). If a block cannot be written home, the gate stays open,
 * because later checkpoints have to write the block.
 */
int msyncfs_gate_close(struct super_block *sb, unsigned int bit, bool force)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct msyncfs_log *log = sbi->log;
	int err;

	for (;;) {
		err = msyncfs_log_empty(sb) ?: msyncfs_log_stuck(sb);
		if (err && !force)
			return err;
		down_write(&sbi->gate);
		if (force || !READ_ONCE(log->used))
			break;
		/* Another task has committed in between. */
		up_write(&sbi->gate);
	}
	/* No record can overwrite a failed record while the gate is closed (R5). */
	if (log->failed && !msyncfs_gate_error(sbi))
		msyncfs_log_invalidate(log, log->cutting->pos);
	if (bit == MSYNCFS_SB_RDONLY)
		msyncfs_log_close(log);
	set_bit(bit, &sbi->state);
	up_write(&sbi->gate);
	wake_up_all(&sbi->wait);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_gate_close);

/**
 * msyncfs_gate_open - open the gate again
 * @sb: filesystem
 * @bit: as for msyncfs_gate_close()
 *
 * What could not be written while the gate was closed is written soon. If the
 * filesystem was read-only, the function first opens the log.
 *
 * Context: under s_umount; does not wait for a commit.
 * Return: 0, or the error of msyncfs_mmp_check() or msyncfs_log_open(). An error
 * leaves the gate closed.
 */
int msyncfs_gate_open(struct super_block *sb, unsigned int bit)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	int err;

	down_write(&sbi->gate);
	/*
	 * A frozen filesystem has no heartbeat, so another machine may have taken
	 * it. The thaw succeeds nevertheless, and finds the filesystem aborted.
	 */
	err = msyncfs_mmp_check(sb);
	if (bit == MSYNCFS_SB_FROZEN)
		err = 0;
	else if (!err)
		err = msyncfs_log_open(sb);
	if (!err)
		clear_bit(bit, &sbi->state);
	up_write(&sbi->gate);
	if (err)
		return err;
	mod_delayed_work(sbi->wq, &sbi->log->commit_work, 0);
	queue_delayed_work(sbi->wq, &sbi->log->checkpoint_timer,
			   MSYNCFS_CHECKPOINT_DELAY);
	return 0;
}

/**
 * msyncfs_log_exit - free the log of a mount
 * @sb: filesystem that nobody uses any more; msyncfs_log_stop() has been called
 *
 * An error may have left changes in the running transaction. These changes are
 * lost. Durable images that are not home stay in the log on disk for the next
 * recovery.
 *
 * Context: may sleep.
 */
void msyncfs_log_exit(struct super_block *sb)
{
	struct msyncfs_log *log = MSYNCFS_LOG(sb);

	if (!log)
		return;
	msyncfs_txn_settle(log->running, -EIO);
	msyncfs_txn_free(log, log->running);
	msyncfs_index_exit(log);
	MSYNCFS_SB(sb)->log = NULL;
	msyncfs_log_free(log);
}

/**
 * msyncfs_log_count_split - count an msync that needs several records
 * @sbi: filesystem
 *
 * Context: any.
 * Return: number of such calls since the mount, with this one.
 */
u64 msyncfs_log_count_split(struct msyncfs_sb_info *sbi)
{
	return atomic64_inc_return(&sbi->log->nr_split);
}

/**
 * msyncfs_log_get_stat - read the counters of the log
 * @sbi: filesystem
 * @stat: filled in; the counters are read without a lock, one after another
 *
 * Context: any.
 */
void msyncfs_log_get_stat(struct msyncfs_sb_info *sbi,
			  struct msyncfs_log_stat *stat)
{
	struct msyncfs_log *log = sbi->log;

	stat->used = READ_ONCE(log->used);
	stat->durable_tid = READ_ONCE(log->durable_tid);
	stat->home_tid = READ_ONCE(log->home_tid);
	stat->commits = READ_ONCE(log->nr_commits);
	stat->fua_commits = READ_ONCE(log->nr_fua);
	stat->callers = READ_ONCE(log->nr_callers);
	stat->full_waits = READ_ONCE(log->nr_full);
	stat->checkpoints = READ_ONCE(log->nr_checkpoints);
	stat->splits = atomic64_read(&log->nr_split);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_log_get_stat);
