// SPDX-License-Identifier: GPL-2.0
/*
 * The log of a mount, from its making to its end.
 */
#include <linux/slab.h>

#include "txn.h"

static void msyncfs_commit_work(struct work_struct *work)
{
	struct msyncfs_sb_info *sbi = container_of(to_delayed_work(work),
						   struct msyncfs_sb_info,
						   commit_work);

	/* An error has been logged and waits in the mappings it concerns. */
	msyncfs_commit_all(sbi->sb);
}

/**
 * msyncfs_op_init - set up the running transaction of a mount
 * @sbi: with @record_max set
 *
 * Return: 0.
 */
int msyncfs_op_init(struct msyncfs_sb_info *sbi)
{
	static struct lock_class_key key;
	unsigned int n = sbi->record_max;

	lockdep_init_map(&sbi->op_map, "msyncfs_op", &key, 0);
	while (n + msyncfs_record_header_blocks(n) > sbi->record_max)
		n--;
	sbi->record_images = n;
	spin_lock_init(&sbi->txn_lock);
	init_waitqueue_head(&sbi->txn_wait);
	INIT_DELAYED_WORK(&sbi->commit_work, msyncfs_commit_work);
	sbi->running = msyncfs_txn_alloc(1);
	return 0;
}

/**
 * msyncfs_op_exit - drop the running transaction
 * @sbi: of a filesystem that nobody uses any more
 *
 * What is still in it, after an error, is lost with the mount.
 */
void msyncfs_op_exit(struct msyncfs_sb_info *sbi)
{
	if (!sbi->running)
		return;
	msyncfs_txn_settle(sbi->running, -EIO);
	msyncfs_txn_free(sbi->running);
	sbi->running = NULL;
}

/**
 * msyncfs_log_start - make a recovered log ready for commits
 * @sb: filesystem
 *
 * Return: 0 or -ENOMEM.
 */
int msyncfs_log_start(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);

	mutex_init(&sbi->commit_mutex);
	init_waitqueue_head(&sbi->commit_wait);
	sbi->wq = alloc_workqueue("msyncfs-%s", WQ_MEM_RECLAIM | WQ_UNBOUND, 0,
				  sb->s_id);
	return sbi->wq ? 0 : -ENOMEM;
}

/**
 * msyncfs_log_stop - no background work any more
 * @sb: filesystem; everything that was to be committed is
 *
 * A failed record that nothing has overwritten is invalidated: the error was
 * reported, and its content must not come back with the next mount (R5).
 */
void msyncfs_log_stop(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);

	if (!sbi->wq)
		return;
	cancel_delayed_work_sync(&sbi->commit_work);
	cancel_delayed_work_sync(&sbi->checkpoint_timer);
	cancel_work_sync(&sbi->checkpoint_work);
	destroy_workqueue(sbi->wq);
	sbi->wq = NULL;
	if (!sbi->retry)
		return;
	if (sbi->failed && !msyncfs_log_dead(sbi))
		msyncfs_log_invalidate(sbi);
	msyncfs_cut_end(sbi, sbi->retry);
	sbi->retry = NULL;
}
