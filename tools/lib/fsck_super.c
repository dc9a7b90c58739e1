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

/* What was found of a backup. */
struct found {
	struct msyncfs_disk_super ds;	/* the newest backup whose filesystem is there */
	bool	sure;			/* nothing speaks against it */
	u64	stray;			/* a backup whose filesystem is not there, or 0 */
};

/*
 * Look at a block that each mkfs.msyncfs writes in the same place. Returns 1 if it belongs to
 * the filesystem of fs->geo, -1 if it seems to belong to another one, and 0 if it is lost.
 */
static int evidence(struct fsck *fs, u64 blkno, u32 magic)
{
	static struct msyncfs_disk_bitmap buf;

	if (!blk_load(fs, blkno, magic, 0, &buf))
		return 1;
	return le32_to_cpu(buf.h.magic) == magic && le64_to_cpu(buf.h.blkno) == blkno ? -1 : 0;
}

/*
 * Tell whether the filesystem of fs->geo is on the device. A later filesystem need not have
 * written over all of its blocks, so no block alone tells. With the superblock one of
 * the root block and the first bitmap block may be lost. Clears *@sure if one of them seems to
 * belong to another filesystem.
 */
static bool is_there(struct fsck *fs, bool *sure)
{
	u64 ino = fs->geo.root_ino, last = fs->geo.bitmap_blocks - 1;
	int root = evidence(fs, MSYNCFS_ROOT_BLKNO, MSYNCFS_MAGIC_ROOT);
	int bitmap = evidence(fs, fs->geo.bitmap_start, MSYNCFS_MAGIC_BITMAP);
	static char buf[BLK] __aligned(8);

	*sure = root >= 0 && bitmap >= 0;
	return (root > 0 || bitmap > 0) &&
	       !blk_load(fs, ino, MSYNCFS_MAGIC_INODE, ino, buf) &&
	       !blk_load(fs, fs->geo.bitmap_start + last, MSYNCFS_MAGIC_BITMAP, last, buf);
}

/*
 * Note what is in block @blkno if it is a backup. An older filesystem may have left its
 * backup. If the filesystems of two backups seem to be there, the newer one counts.
 */
static void take_newer(struct fsck *fs, const void *block, u64 blkno, struct found *found)
{
	struct msyncfs_disk_super new;
	bool sure;

	memcpy(&new, block, sizeof(new));
	if (le64_to_cpu(new.magic) != MSYNCFS_MAGIC_SUPER ||
	    le64_to_cpu(new.blocks) != blkno + 1 ||
	    !memcmp(&new, &found->ds, sizeof(new)) ||
	    msyncfs_verify_super(&new, blkno + 1, &fs->geo))
		return;
	if (!is_there(fs, &sure)) {
		found->stray = blkno;
		return;
	}
	found->sure = sure && !found->ds.magic;
	if (le64_to_cpu(new.mkfs_time) >= le64_to_cpu(found->ds.mkfs_time))
		found->ds = new;
}

/* Search blocks @blkno to @end (exclusive) for the backup. */
static bool scan(struct fsck *fs, u64 blkno, u64 end, struct found *found)
{
	static char buf[SCAN_BLOCKS * BLK];
	u64 nr, i, most = SCAN_BLOCKS;	/* most blocks to read at once */

	for (;; blkno += nr) {
		blkno = device_next_data(&fs->dev, blkno << MSYNCFS_BLOCK_SHIFT) >>
			MSYNCFS_BLOCK_SHIFT;
		if (blkno >= end)
			return found->ds.magic;
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
			take_newer(fs, buf + i * BLK, blkno + i, found);
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
 * Find the backup. Returns false if there is none. Reads the whole device only if
 * @everywhere is set: not with -p, because the boot must go on, and not if the superblock
 * is as somebody wrote it.
 */
static bool find_backup(struct fsck *fs, u64 dev_blocks, bool everywhere,
			struct found *found)
{
	u64 groups = 0, most = dev_blocks / MSYNCFS_GROUP_BLOCKS + 1, mid;

	scan(fs, dev_blocks - 1, dev_blocks, found);
	while (groups < most) {
		mid = (groups + most + 1) / 2;
		if (has_bitmap(fs, mid - 1))
			groups = mid;
		else
			most = mid - 1;
	}
	if (groups)
		scan(fs, (groups - 1) * MSYNCFS_GROUP_BLOCKS,
		     min(groups * MSYNCFS_GROUP_BLOCKS, dev_blocks), found);
	if (found->ds.magic)
		return true;
	if (!everywhere)
		return false;
	say(fs, "%s: no superblock: looking for its backup in the whole device\n",
	    fs->dev.path);
	return scan(fs, 0, dev_blocks, found);
}

/* Tell whether what was read is what was written, which may be a newer version. */
static bool is_intact(const struct msyncfs_disk_super *ds)
{
	return le64_to_cpu(ds->magic) == MSYNCFS_MAGIC_SUPER &&
	       le64_to_cpu(ds->csum) == msyncfs_csum(ds, sizeof(*ds),
						     offsetof(struct msyncfs_disk_super, csum), 0);
}

/* Tell whether block 0 is still that of an msyncfs: only the superblock writes to it. */
static bool is_ours(struct fsck *fs, const struct msyncfs_disk_super *ds)
{
	static char block[BLK];

	return le64_to_cpu(ds->magic) == MSYNCFS_MAGIC_SUPER ||
	       (!device_read(&fs->dev, block, BLK, 0) && !memchr_inv(block, 0, BLK));
}

__noreturn
static void no_backup(struct fsck *fs, const char *why, u64 stray)
{
	if (stray)
		fsck_die(fs, "block 0: %s; nothing on the device fits the backup in block %llu",
			 why, stray);
	fsck_die(fs, "no msyncfs: block 0: %s, and no backup of a superblock found", why);
}

/*
 * Restore the superblock from its backup. @why is what is wrong with the superblock, and
 * @ds is what was read. It is safe if only one filesystem is there, if block 0 has not been
 * given to something else, and if its checksum does not say that it is as somebody wrote it.
 */
static void restore(struct fsck *fs, u64 dev_blocks,
		    const struct msyncfs_disk_super *ds, const char *why)
{
	const char *other = device_holds(&fs->dev);
	struct found found = {};
	u64 blkno;

	if (!find_backup(fs, dev_blocks, fs->mode != FSCK_PREEN && !is_intact(ds), &found))
		no_backup(fs, why, found.stray);
	msyncfs_verify_super(&found.ds, dev_blocks, &fs->geo);
	blkno = fs->geo.blocks - 1;
	check_features(fs, &found.ds);
	if (!problem(fs, found.sure && !other && is_ours(fs, ds) && !is_intact(ds),
		     "restore it from the backup",
		     "Superblock: %s%s%s; it has a backup in block %llu", why,
		     other ? ", the device holds " : "", other ?: "", blkno))
		fsck_die(fs, "cannot go on without a superblock");
	fsck_mmp(fs);
	write_super(fs, MSYNCFS_SUPER_BLKNO, &found.ds);
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
	if (why && why != msyncfs_unknown_features) {
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
