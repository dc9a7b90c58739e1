/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Part of fsck-image.c: the bitmaps of the images, and their damages.
 */
static __le64 *nth_ptr(__le64 *ptr, unsigned int n);

/* Say in the inode bitmap whether block @ino is an inode. */
static void mark_inode(u64 ino, bool used)
{
	u64 group = ino / MSYNCFS_GROUP_BLOCKS, bit = ino % MSYNCFS_GROUP_BLOCKS;
	static struct msyncfs_disk_bitmap bm;

	if (!fs->geo.inodes_start)
		return;
	if (blk_load(fs, fs->geo.inodes_start + group, MSYNCFS_MAGIC_INODES, group, &bm))
		fsck_die(fs, "no inode bitmap");
	if (used)
		bm.bits[bit / 8] |= 1U << bit % 8;
	else
		bm.bits[bit / 8] &= ~(1U << bit % 8);
	blk_write(fs, fs->geo.inodes_start + group, &bm);
}

static void inodes_csum(void)
{
	poke(fs->geo.inodes_start, 3000, "rotten");
}

static void inodes_missing(void)
{
	mark_inode(find("file"), false);
}

/* A block of data, and a free block. */
static void inodes_wrong(void)
{
	get("file");
	mark_inode(le64_to_cpu(*nth_ptr(di.ptr, 0)) & MSYNCFS_PTR_BLKNO, true);
	mark_inode(fs->geo.blocks - 9, true);
}

static void bitmap_csum(void)
{
	poke(fs->geo.bitmap_start, 3000, "rotten");
}

static void bitmap_leak(void)
{
	bit_set(fs->used, fs->geo.blocks - 10);
	bit_set(fs->used, fs->geo.blocks - 9);
	fsck_bitmaps(fs);
}

static void bitmap_free(void)
{
	bit_clear(fs->used, find("file"));
	fsck_bitmaps(fs);
}
