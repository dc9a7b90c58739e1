// SPDX-License-Identifier: GPL-2.0
/*
 * fsck checks the superblock and its backup here. The backup is in the last block of the
 * filesystem. Without the superblock the size of the filesystem is not known, so fsck looks
 * for the backup: in the last block of the device, then in the last group that has a bitmap
 * block, then everywhere.
 */
#include "fsck.h"

#include <stdio.h>

#define SCAN_BLOCKS	256

static const char *read_super(struct fsck *fs, u64 blkno, u64 dev_blocks,
			      struct msyncfs_disk_super *ds)
{
	if (device_read(&fs->dev, ds, sizeof(*ds),
			blkno << MSYNCFS_BLOCK_SHIFT))
		return "cannot be read";
	return msyncfs_verify_super(ds, dev_blocks, &fs->geo);
}

static void write_super(struct fsck *fs, u64 blkno,
			const struct msyncfs_disk_super *ds)
{
	static char block[BLK];

	if (fs->mode == FSCK_NO)
		return;
	memcpy(block, ds, sizeof(*ds));
	if (device_write(&fs->dev, block, BLK, blkno << MSYNCFS_BLOCK_SHIFT) ||
	    device_sync(&fs->dev))
		fsck_die(fs, "cannot write the superblock");
}

static void check_features(struct fsck *fs,
			   const struct msyncfs_disk_super *ds)
{
	u64 bits = le64_to_cpu(ds->incompat) &
		   ~(MSYNCFS_INCOMPAT_ALL | MSYNCFS_INCOMPAT_OBSCURED);

	if (bits)
		fsck_die(fs, "unknown incompatible features %#llx: a newer fsck.msyncfs is needed",
			 bits);
	bits = le64_to_cpu(ds->ro_compat) & ~MSYNCFS_RO_COMPAT_ALL;
	if (bits && fs->mode != FSCK_NO)
		fsck_die(fs, "unknown features %#llx: a newer fsck.msyncfs is needed to repair",
			 bits);
}

/*
 * Tell whether the filesystem of fs->geo is on the device. The first blocks of a filesystem
 * may be lost together with its superblock, but not all that are looked at here.
 */
static bool is_there(struct fsck *fs)
{
	u64 ino = fs->geo.root_ino;
	static char buf[BLK] __aligned(8);

	return !blk_load(fs, MSYNCFS_ROOT_BLKNO, MSYNCFS_MAGIC_ROOT, 0, buf) ||
	       !blk_load(fs, fs->geo.bitmap_start, MSYNCFS_MAGIC_BITMAP, 0, buf) ||
	       !blk_load(fs, ino, MSYNCFS_MAGIC_INODE, ino, buf);
}

/*
 * Copy @found to @ds if it is a backup in block @blkno and if it is newer than @ds. An older
 * filesystem may have left its backup.
 */
static void take_newer(struct fsck *fs, const void *found, u64 blkno,
		       struct msyncfs_disk_super *ds)
{
	struct msyncfs_disk_super new;

	memcpy(&new, found, sizeof(new));
	if (le64_to_cpu(new.magic) == MSYNCFS_MAGIC_SUPER &&
	    le64_to_cpu(new.blocks) == blkno + 1 &&
	    (!ds->magic || le64_to_cpu(new.mkfs_time) > le64_to_cpu(ds->mkfs_time)) &&
	    !msyncfs_verify_super(&new, blkno + 1, &fs->geo) && is_there(fs))
		*ds = new;
}

/* Search blocks @blkno to @end (exclusive) for the backup. */
static bool scan(struct fsck *fs, u64 blkno, u64 end,
		 struct msyncfs_disk_super *ds)
{
	static char buf[SCAN_BLOCKS * BLK];
	u64 nr, i, most = SCAN_BLOCKS;	/* most blocks to read at once */

	*ds = (struct msyncfs_disk_super){};
	for (;; blkno += nr) {
		blkno = device_next_data(&fs->dev, blkno << MSYNCFS_BLOCK_SHIFT) >>
			MSYNCFS_BLOCK_SHIFT;
		if (blkno >= end)
			return ds->magic;
		progress(fs, 0, blkno, end);
		nr = min(end - blkno, most);
		if (device_read(&fs->dev, buf, nr * BLK, blkno << MSYNCFS_BLOCK_SHIFT)) {
			/* Skip the block that cannot be read, and no other. */
			nr = nr == 1;
			most = 1;
			continue;
		}
		most = min(most * 2, (u64)SCAN_BLOCKS);
		for (i = 0; i < nr; i++)
			take_newer(fs, buf + i * BLK, blkno + i, ds);
	}
}

/* Tell whether the bitmap block of a group seems to be there. The checksum is not known. */
static bool has_bitmap(struct fsck *fs, u64 group)
{
	u64 blkno = MSYNCFS_BITMAP_BLKNO + group;
	struct msyncfs_disk_header h;

	return !device_read(&fs->dev, &h, sizeof(h), blkno << MSYNCFS_BLOCK_SHIFT) &&
	       le32_to_cpu(h.magic) == MSYNCFS_MAGIC_BITMAP &&
	       le64_to_cpu(h.blkno) == blkno && le64_to_cpu(h.owner) == group;
}

/*
 * Find the backup. Returns false if there is none. With -p, do not read the whole device,
 * because the boot must go on.
 */
static bool find_backup(struct fsck *fs, u64 dev_blocks,
			struct msyncfs_disk_super *ds)
{
	u64 groups = 0, most = dev_blocks / MSYNCFS_GROUP_BLOCKS + 1, mid;

	if (!read_super(fs, dev_blocks - 1, dev_blocks, ds))
		return true;
	while (groups < most) {
		mid = (groups + most + 1) / 2;
		if (has_bitmap(fs, mid - 1))
			groups = mid;
		else
			most = mid - 1;
	}
	if (groups &&
	    scan(fs, (groups - 1) * MSYNCFS_GROUP_BLOCKS,
		 min(groups * MSYNCFS_GROUP_BLOCKS, dev_blocks), ds))
		return true;
	if (fs->mode == FSCK_PREEN)
		return false;
	say(fs, "%s: no superblock: looking for its backup in the whole device\n",
	    fs->dev.path);
	return scan(fs, 0, dev_blocks, ds);
}

/*
 * Restore the superblock from its backup. @why is what is wrong with the superblock, and
 * @ds is what was read. It is safe if the filesystem is there, and if block 0 has not been
 * given to something else.
 */
static void restore(struct fsck *fs, u64 dev_blocks,
		    struct msyncfs_disk_super *ds, const char *why)
{
	bool ours = le64_to_cpu(ds->magic) == MSYNCFS_MAGIC_SUPER ||
		    !memchr_inv(ds, 0, sizeof(*ds));
	u64 blkno;

	if (!msyncfs_verify_super(ds, MSYNCFS_PTR_BLKNO, &fs->geo) ||
	    !find_backup(fs, dev_blocks, ds))
		fsck_die(fs, "no msyncfs: block 0: %s, and no backup of a superblock found",
			 why);
	msyncfs_verify_super(ds, dev_blocks, &fs->geo);
	blkno = fs->geo.blocks - 1;
	check_features(fs, ds);
	fsck_mmp(fs);
	if (!problem(fs, ours && is_there(fs), "restore it from the backup",
		     "Superblock: %s; it has a backup in block %llu", why,
		     blkno))
		fsck_die(fs, "cannot go on without a superblock");
	write_super(fs, MSYNCFS_SUPER_BLKNO, ds);
}

/* Check both superblocks, and set fs->geo from a valid one. */
void fsck_super(struct fsck *fs)
{
	u64 dev_blocks = fs->dev.bytes >> MSYNCFS_BLOCK_SHIFT, last;
	struct msyncfs_disk_super ds = {}, backup;
	const char *why;

	if (fs->dev.bytes < BLK)
		fsck_die(fs, "no msyncfs: the device is too small");
	why = read_super(fs, MSYNCFS_SUPER_BLKNO, dev_blocks, &ds);
	if (why) {
		restore(fs, dev_blocks, &ds, why);
		return;
	}

	check_features(fs, &ds);
	fsck_mmp(fs);
	last = fs->geo.blocks - 1;
	if (!device_read(&fs->dev, &backup, sizeof(backup),
			 last << MSYNCFS_BLOCK_SHIFT) &&
	    !memcmp(&ds, &backup, sizeof(ds)))
		return;
	if (problem(fs, true, "write it anew",
		    "Backup of the superblock (block %llu) differs from the superblock",
		    last))
		write_super(fs, last, &ds);
}
