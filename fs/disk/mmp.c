// SPDX-License-Identifier: GPL-2.0
/*
 * Multi-mount protection: two machines that share a block device must not mount
 * the filesystem on it at the same time. A mount claims the filesystem in a
 * block of its own, and then changes this block again and again (heartbeats). If
 * the block changes while another mount watches it, that mount fails.
 *
 * This is no fencing. A machine that stands still for a long time may write once
 * more before its next heartbeat finds that another machine has taken over.
 *
 * All I/O of this file bypasses the page cache of the device, and it writes one
 * sector only, because the write of a sector is atomic.
 */
#include <linux/blkdev.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/utsname.h>

#include "disk.h"

/* These bits of sbi->state forbid a heartbeat. A read-only mount has heartbeats. */
#define MMP_SILENT	(MSYNCFS_SB_CLOSED & ~BIT(MSYNCFS_SB_RDONLY))

/**
 * struct msyncfs_mmp - the claim of a mount
 * @sb: filesystem
 * @page: memory for the I/O; its users hold the gate, or nothing runs in the
 *	background
 * @owner: random number of this mount
 * @seq: number of the next heartbeat
 * @interval: milliseconds between two heartbeats
 * @held: the filesystem belongs to this mount
 * @failed: the last I/O has failed, and a message has said so
 * @work: the next heartbeat
 */
struct msyncfs_mmp {
	struct super_block	*sb;
	struct page		*page;
	u64			owner;
	u64			seq;
	u32			interval;
	bool			held;
	bool			failed;
	struct delayed_work	work;
};

static int mmp_io(struct msyncfs_mmp *mmp, blk_opf_t opf)
{
	struct super_block *sb = mmp->sb;
	u64 blkno = MSYNCFS_SB(sb)->geo.mmp_blkno;
	int err = msyncfs_sector_io(sb, blkno, mmp->page, opf | REQ_PRIO);

	if (err && !mmp->failed)
		msyncfs_err(sb, "block %llu: multi-mount protection: cannot be %s (%d)",
			    blkno, op_is_write(opf) ? "written" : "read", err);
	mmp->failed = err;
	return err ? -EIO : 0;
}

/* Read and verify the block. The result is in the page. */
static int mmp_read(struct msyncfs_mmp *mmp)
{
	struct msyncfs_geo *geo = &MSYNCFS_SB(mmp->sb)->geo;
	int err = mmp_io(mmp, REQ_OP_READ);
	const char *why;

	if (err)
		return err;
	why = msyncfs_verify_mmp(geo, page_address(mmp->page));
	if (!why)
		return 0;
	msyncfs_err(mmp->sb, "block %llu: multi-mount protection: %s; fsck.msyncfs can repair it",
		    geo->mmp_blkno, why);
	return -EFSCORRUPTED;
}

/* Write the block for this mount. A write that fails may have an effect. */
static int mmp_write(struct msyncfs_mmp *mmp, u64 seq)
{
	struct msyncfs_disk_mmp *disk = page_address(mmp->page);
	const char *node = init_utsname()->nodename;

	clear_page(disk);
	disk->interval = cpu_to_le32(mmp->interval);
	disk->owner = cpu_to_le64(mmp->owner);
	disk->seq = cpu_to_le64(seq);
	disk->time = cpu_to_le64(ktime_get_real_seconds());
	memcpy(disk->node, node, strnlen(node, sizeof(disk->node)));
	snprintf(disk->device, sizeof(disk->device), "%pg", mmp->sb->s_bdev);
	msyncfs_seal_mmp(&MSYNCFS_SB(mmp->sb)->geo, disk);
	return mmp_io(mmp, REQ_OP_WRITE);
}

/* Report who has written the block that was read last. */
static int mmp_busy(struct msyncfs_mmp *mmp)
{
	const struct msyncfs_disk_mmp *disk = page_address(mmp->page);
	time64_t time = le64_to_cpu(disk->time);
	const char *what = "in use on another machine";

	if (le64_to_cpu(disk->seq) == MSYNCFS_MMP_CLEAN)
		what = "used on another machine meanwhile";
	if (le64_to_cpu(disk->seq) == MSYNCFS_MMP_FSCK)
		what = "fsck.msyncfs runs, or was interrupted and must run again";
	msyncfs_err(mmp->sb, "%s: node %*pE, device %*pE, last heartbeat %ptTs UTC",
		    what, (int)strnlen(disk->node, sizeof(disk->node)),
		    disk->node, (int)strnlen(disk->device, sizeof(disk->device)),
		    disk->device, &time);
	return -EBUSY;
}

/* Wait, and then read the block. */
static int mmp_watch(struct msyncfs_mmp *mmp, u32 ms)
{
	if (schedule_timeout_killable(msecs_to_jiffies(ms)))
		return -EINTR;
	return mmp_read(mmp);
}

/* Wait until a mount that lives must have written another heartbeat. */
static int mmp_watch_others(struct msyncfs_mmp *mmp)
{
	struct msyncfs_disk_mmp *disk = page_address(mmp->page), seen = *disk;
	u32 ms = msyncfs_mmp_wait(disk);
	int err;

	msyncfs_info(mmp->sb, "was not unmounted, or is in use on another machine: waiting for %u ms",
		     ms);
	err = mmp_watch(mmp, ms);
	if (!err && memcmp(disk, &seen, sizeof(seen)))
		err = mmp_busy(mmp);
	return err;
}

/* Tell from the block that was read last whether this mount has written it. */
static int mmp_check_owner(struct msyncfs_mmp *mmp)
{
	const struct msyncfs_disk_mmp *disk = page_address(mmp->page);

	return le64_to_cpu(disk->owner) == mmp->owner ? 0 : mmp_busy(mmp);
}

/*
 * Claim the filesystem. If two machines do this at the same time, each finds that
 * nobody uses the filesystem, and the claim that is written last overwrites the
 * other one. So a claim counts only if it is still there after a while.
 */
static int mmp_claim(struct msyncfs_mmp *mmp)
{
	struct msyncfs_disk_mmp *disk = page_address(mmp->page);
	int err = mmp_read(mmp);
	u64 seq;

	if (err)
		return err;
	mmp->interval = le32_to_cpu(disk->interval);
	seq = le64_to_cpu(disk->seq);
	if (seq == MSYNCFS_MMP_FSCK)
		return mmp_busy(mmp);
	if (seq != MSYNCFS_MMP_CLEAN)
		err = mmp_watch_others(mmp);
	if (err || bdev_read_only(mmp->sb->s_bdev))
		return err;
	mmp->owner = get_random_u64();
	mmp->seq = MSYNCFS_MMP_CLEAN + 1;
	err = mmp_write(mmp, mmp->seq++) ?:
	      mmp_watch(mmp, mmp->interval / 5) ?: mmp_check_owner(mmp);
	mmp->held = !err;
	return err;
}

/*
 * Check that the filesystem still belongs to this mount. If it does not, another
 * machine may write to the device already, so nothing may be written here any
 * more. An error of the device decides nothing.
 */
static int mmp_confirm(struct msyncfs_mmp *mmp)
{
	int err = mmp_read(mmp) ?: mmp_check_owner(mmp);

	if (err && err != -EIO) {
		mmp->held = false;
		msyncfs_abort(mmp->sb, "the filesystem does not belong to this mount any more",
			      err);
	}
	return err;
}

static void mmp_schedule(struct msyncfs_mmp *mmp)
{
	/* Nothing may be written after the snapshot of a hibernation. */
	queue_delayed_work(system_freezable_wq, &mmp->work,
			   msecs_to_jiffies(mmp->interval));
}

static void mmp_beat(struct work_struct *work)
{
	struct msyncfs_mmp *mmp = container_of(to_delayed_work(work),
					       struct msyncfs_mmp, work);
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(mmp->sb);

	down_read(&sbi->gate);
	if (!(READ_ONCE(sbi->state) & MMP_SILENT) && !mmp_confirm(mmp))
		mmp_write(mmp, mmp->seq++);
	up_read(&sbi->gate);
	if (!msyncfs_log_dead(sbi))
		mmp_schedule(mmp);
}

/**
 * msyncfs_mmp_start - claim the filesystem for this mount
 * @sb: filesystem whose superblock is verified; nothing has been written yet
 *
 * If the filesystem was not unmounted, the function watches the block for more
 * than two heartbeats first. On a read-only device it only does this. Without
 * multi-mount protection, and with the mount option norecovery, the function does
 * nothing.
 *
 * Context: mount; sleeps. After an error the caller calls msyncfs_mmp_stop().
 * Return: 0; -EBUSY if another machine uses the filesystem; -EUCLEAN if the block
 * is damaged; -EINTR; -ENOMEM; or the error of the device. All errors except
 * -EINTR and -ENOMEM are logged.
 */
int msyncfs_mmp_start(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct msyncfs_mmp *mmp;
	int err;

	if (!sbi->geo.mmp_blkno || sbi->options.norecovery)
		return 0;
	mmp = kzalloc(sizeof(*mmp), GFP_KERNEL);
	if (!mmp)
		return -ENOMEM;
	mmp->sb = sb;
	INIT_DELAYED_WORK(&mmp->work, mmp_beat);
	sbi->mmp = mmp;
	mmp->page = alloc_page(GFP_KERNEL);
	if (!mmp->page)
		return -ENOMEM;
	err = mmp_claim(mmp);
	if (mmp->held)
		mmp_schedule(mmp);
	return err;
}

/**
 * msyncfs_mmp_check - check that no other machine has taken the filesystem
 * @sb: filesystem
 *
 * If another machine has, the function aborts the filesystem.
 *
 * Context: the caller holds the gate exclusively; sleeps for the device.
 * Return: 0; -EBUSY or -EUCLEAN after the abort; -EIO if the block cannot be read;
 * -EROFS if the device was read-only at the mount. All errors are logged.
 */
int msyncfs_mmp_check(struct super_block *sb)
{
	struct msyncfs_mmp *mmp = MSYNCFS_SB(sb)->mmp;

	if (!mmp || msyncfs_log_dead(MSYNCFS_SB(sb)))
		return 0;
	if (mmp->held)
		return mmp_confirm(mmp);
	msyncfs_err(sb, "the device was read-only: unmount and mount again");
	return -EROFS;
}

/**
 * msyncfs_mmp_stop - give the filesystem back
 * @sb: filesystem that nobody uses any more; everything that should be durable is
 *	durable
 *
 * After an abort, the block stays as it is. The next mount then watches the block
 * first.
 *
 * Context: unmount, or a mount that has failed at any point; may sleep.
 */
void msyncfs_mmp_stop(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct msyncfs_mmp *mmp = sbi->mmp;

	if (!mmp)
		return;
	cancel_delayed_work_sync(&mmp->work);
	if (mmp->held && !msyncfs_log_dead(sbi) && !mmp_confirm(mmp))
		mmp_write(mmp, MSYNCFS_MMP_CLEAN);
	sbi->mmp = NULL;
	if (mmp->page)
		__free_page(mmp->page);
	kfree(mmp);
}
