// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for fs/place/plan.c: devices with more bitmap blocks than a
 * record takes images. A set whose blocks lie side by side still fits one
 * record, and the nodes of its map are changed in place. A set whose blocks lie
 * in too many groups does not fit.
 */
#include <kunit/test.h>
#include <linux/pagemap.h>

#include "files.h"
#include "iolog.h"

#define LOG_BLOCKS	256	/* 63 images fit a record */
#define LARGE		80	/* bitmap blocks */
#define LARGER		400	/* bitmap blocks, more than the spare blocks */
#define PAGES		600	/* their pointers are in two leaves */
#define SCATTERED	100

/**
 * struct large_row - a file, and the number of its pages that are written
 * @name: description
 * @before: size of the file before the write, in pages
 * @nr: number of pages that are written, from page 0 on
 */
struct large_row {
	const char	*name;
	unsigned int	before;
	unsigned int	nr;
};

static const struct large_row large_rows[] = {
	{ "new", 0, PAGES },
	{ "overwritten", PAGES, PAGES },
	{ "both", PAGES / 2, PAGES },
	{ "new, few", 0, 31 },
	{ "overwritten, few", PAGES, 31 },
};

KUNIT_ARRAY_PARAM_DESC(large, large_rows, name);

static struct file *open_file(struct msyncfs_fake *fake, const char *name)
{
	return msyncfs_fake_open(fake, name, O_CREAT | O_RDWR | O_LARGEFILE);
}

/* Return the block of the topmost map node, 0 if the map has no node. */
static u64 top_node(struct file *file)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(file_inode(file));
	struct msyncfs_disk_inode *di = (void *)mi->i_bh->b_data;

	return mi->i_map_depth ? le64_to_cpu(di->ptr[0]) : 0;
}

static void power_off(struct kunit *test, struct msyncfs_fake *fake,
		      struct iolog *log)
{
	msyncfs_fake_crash(fake, NULL, NULL);
	iolog_reset(log);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
}

static struct msyncfs_fake *mount_large(struct kunit *test, u64 groups,
					struct iolog **log)
{
	struct msyncfs_fake *fake;

	fake = msyncfs_fake_create(test, groups * MSYNCFS_GROUP_BLOCKS,
				   LOG_BLOCKS, MSYNCFS_FAKE_CACHE);
	*log = iolog_start(fake, MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	KUNIT_ASSERT_GT(test, MSYNCFS_SB(fake->sb)->space->nr_groups,
			MSYNCFS_SB(fake->sb)->geo.record_images);
	files_quiet(fake);
	return fake;
}

/*
 * The set of one file goes into one record. The topmost map node keeps its
 * block.
 */
static void large_one(struct kunit *test)
{
	const struct large_row *row = test->param_value;
	struct msyncfs_sb_info *sbi;
	struct msyncfs_fake *fake;
	struct iolog *log;
	struct file *file;
	u64 records, node;

	fake = mount_large(test, LARGE, &log);
	sbi = MSYNCFS_SB(fake->sb);
	file = open_file(fake, "f");
	files_write(test, file, 0, row->before, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(file, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	node = top_node(file);
	records = sbi->log->nr_commits;

	files_write(test, file, 0, row->nr, 2);
	KUNIT_EXPECT_EQ(test, files_sync(file), 0);
	KUNIT_EXPECT_EQ(test, sbi->log->nr_commits, records + 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&sbi->log->nr_split), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(file), 0);
	if (node)
		KUNIT_EXPECT_EQ(test, top_node(file), node);
	KUNIT_EXPECT_EQ(test, sbi->space->reserved, 0);
	KUNIT_EXPECT_EQ(test, sbi->space->claimed, 0);

	iolog_power_off(log);
	msyncfs_fake_close(fake, file);
	power_off(test, fake, log);
	file = open_file(fake, "f");
	files_expect(test, file, 0, row->nr, 2);
	if (row->before > row->nr)
		files_expect(test, file, row->nr, row->before - row->nr, 1);
	msyncfs_fake_close(fake, file);
}

/* The set of an ordinary file and an atomic file goes into one record, too. */
static void large_set(struct kunit *test)
{
	struct msyncfs_range ranges[2] = {};
	struct msyncfs_sb_info *sbi;
	struct msyncfs_fake *fake;
	struct file *f, *g;
	struct iolog *log;
	u64 records, node;

	fake = mount_large(test, LARGE, &log);
	sbi = MSYNCFS_SB(fake->sb);
	f = open_file(fake, "f");
	g = open_file(fake, "g");
	KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(file_inode(g), true), 0);
	files_write(test, f, 0, PAGES, 1);
	files_write(test, g, 0, PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(f, 0), 0);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	node = top_node(f);
	records = sbi->log->nr_commits;

	files_write(test, f, 0, PAGES, 2);
	files_write(test, g, 0, PAGES, 2);
	ranges[0].inode = file_inode(f);
	ranges[1].inode = file_inode(g);
	ranges[0].last = ULONG_MAX;
	ranges[1].last = ULONG_MAX;
	if (ranges[0].inode > ranges[1].inode)
		swap(ranges[0], ranges[1]);
	KUNIT_EXPECT_EQ(test, msyncfs_sync_ranges(ranges, 2, true), 0);
	KUNIT_EXPECT_EQ(test, sbi->log->nr_commits, records + 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&sbi->log->nr_split), 0);
	KUNIT_EXPECT_EQ(test, top_node(f), node);

	iolog_power_off(log);
	msyncfs_fake_close(fake, f);
	msyncfs_fake_close(fake, g);
	power_off(test, fake, log);
	f = open_file(fake, "f");
	g = open_file(fake, "g");
	files_expect(test, f, 0, PAGES, 2);
	files_expect(test, g, 0, PAGES, 2);
	msyncfs_fake_close(fake, f);
	msyncfs_fake_close(fake, g);
}

/* Claim all free blocks, except one in each group. */
static void leave_one_each(struct kunit *test, struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 nr = msyncfs_space_avail(sb), start, len;
	unsigned int groups = 0, last = UINT_MAX;

	KUNIT_ASSERT_EQ(test, msyncfs_hold_spare(sb, nr + sbi->space->spare), 0);
	for (nr += sbi->space->spare; nr; nr -= len) {
		KUNIT_ASSERT_EQ(test, msyncfs_claim(sb, 0, nr, &start, &len), 0);
		if (div_u64(start, MSYNCFS_GROUP_BLOCKS) == last)
			continue;
		last = div_u64(start, MSYNCFS_GROUP_BLOCKS);
		msyncfs_unclaim(sb, start + len - 1, 1);
		groups++;
		len--;
		nr--;
	}
	msyncfs_unhold(sb, groups, false);
	KUNIT_ASSERT_GE(test, groups, SCATTERED + sbi->space->spare);
}

static void scattered(struct kunit *test, bool atomic, int err)
{
	struct msyncfs_sb_info *sbi;
	struct msyncfs_fake *fake;
	struct iolog *log;
	struct file *file;

	fake = mount_large(test, LARGER, &log);
	sbi = MSYNCFS_SB(fake->sb);
	file = open_file(fake, "f");
	if (atomic)
		KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(file_inode(file), true),
				0);
	files_write(test, file, 0, SCATTERED, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(file, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fake->sb), 0);

	leave_one_each(test, fake->sb);
	files_write(test, file, 0, SCATTERED, 2);
	KUNIT_EXPECT_EQ(test, files_sync(file), err);
	KUNIT_EXPECT_EQ(test, atomic64_read(&sbi->log->nr_split), err ? 0 : 1);
	KUNIT_EXPECT_EQ(test, files_dirty(file), err ? SCATTERED : 0);
	files_expect(test, file, 0, SCATTERED, 2);

	iolog_power_off(log);
	msyncfs_fake_close(fake, file);
	power_off(test, fake, log);
	file = open_file(fake, "f");
	files_expect(test, file, 0, SCATTERED, err ? 1 : 2);
	msyncfs_fake_close(fake, file);
}

/*
 * The set needs blocks in very many groups. The bitmap blocks of these groups
 * do not fit a record. So the set is split, and nr_split counts the split.
 */
static void large_scattered(struct kunit *test)
{
	scattered(test, false, 0);
}

/*
 * The set of an atomic file must not be split. The call fails, and a crash
 * leaves the old content.
 */
static void large_scattered_atomic(struct kunit *test)
{
	scattered(test, true, -EFBIG);
}

/*
 * The old blocks of the file lie in very many groups. A record that frees all
 * these blocks would need the bitmap blocks of all these groups. These bitmap
 * blocks do not fit a record, so the set is split.
 */
static void large_scattered_old(struct kunit *test)
{
	struct msyncfs_fake *fake;
	struct iolog *log;
	struct file *file;

	fake = mount_large(test, LARGER, &log);
	file = open_file(fake, "f");
	leave_one_each(test, fake->sb);
	files_write(test, file, 0, SCATTERED, 1);
	KUNIT_EXPECT_EQ(test, vfs_fsync(file, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&MSYNCFS_SB(fake->sb)->log->nr_split), 1);
	msyncfs_fake_close(fake, file);

	/* The mount has dropped the claims, so new blocks lie side by side. */
	power_off(test, fake, log);
	files_quiet(fake);
	file = open_file(fake, "f");
	files_write(test, file, 0, SCATTERED, 2);
	KUNIT_EXPECT_EQ(test, files_sync(file), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&MSYNCFS_SB(fake->sb)->log->nr_split), 1);
	files_expect(test, file, 0, SCATTERED, 2);
	msyncfs_fake_close(fake, file);
}

/* Drop what memory reclaim may drop. Return how many bitmap blocks are left. */
static unsigned int bitmaps_left(struct msyncfs_fake *fake)
{
	const struct msyncfs_geo *geo = &MSYNCFS_SB(fake->sb)->geo;
	struct address_space *mapping = fake->sb->s_bdev->bd_mapping;
	struct folio *folio;
	unsigned int left = 0;
	u64 i;

	invalidate_bdev(fake->sb->s_bdev);
	for (i = 0; i < geo->bitmap_blocks; i++) {
		folio = filemap_get_folio(mapping, geo->bitmap_start + i);
		if (IS_ERR(folio))
			continue;
		left++;
		folio_put(folio);
	}
	return left;
}

/*
 * Only the bitmap block that was used last, and those of claimed blocks and of
 * records that are not home, must stay in memory.
 */
static void large_memory(struct kunit *test)
{
	struct msyncfs_fake *fake;
	struct iolog *log;
	struct file *file;
	u64 space;
	u8 round;

	fake = mount_large(test, LARGE, &log);
	KUNIT_EXPECT_LE(test, bitmaps_left(fake), 1);
	file = open_file(fake, "f");
	space = msyncfs_space_avail(fake->sb);
	for (round = 1; round < 4; round++) {
		files_write(test, file, 0, PAGES, round);
		KUNIT_EXPECT_EQ(test, files_sync(file), 0);
		KUNIT_EXPECT_LE(test, bitmaps_left(fake), 2);
	}
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fake->sb), 0);
	KUNIT_EXPECT_LE(test, bitmaps_left(fake), 1);
	files_expect(test, file, 0, PAGES, 3);
	KUNIT_ASSERT_EQ(test, files_truncate(file, 0), 0);
	files_settled(test, fake->sb);
	KUNIT_EXPECT_LE(test, bitmaps_left(fake), 1);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fake->sb), space);
	msyncfs_fake_close(fake, file);
}

/* Let the reads of the first bitmap block fail. */
static enum msyncfs_fake_fate fail_bitmap(struct msyncfs_fake *fake,
					  struct bio *bio, unsigned int ops)
{
	u64 blkno = bio->bi_iter.bi_sector >>
		    (MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT);

	return ops == MSYNCFS_FAKE_READ && blkno == fake->geo.bitmap_start ?
		MSYNCFS_FAKE_FAILS : MSYNCFS_FAKE_DONE;
}

/*
 * The bitmap block of a group cannot be read. New blocks come from other
 * groups. Whoever must free blocks of the group fails before anything has
 * changed, and succeeds when the block can be read again.
 */
static void large_bitmap_error(struct kunit *test)
{
	struct msyncfs_sb_info *sbi;
	struct msyncfs_fake *fake;
	struct file *file, *g;
	struct iolog *log;
	u64 space, records;

	fake = mount_large(test, LARGE, &log);
	file = open_file(fake, "f");
	files_write(test, file, 0, PAGES, 1);
	KUNIT_ASSERT_EQ(test, files_sync(file), 0);
	msyncfs_fake_close(fake, file);
	msyncfs_fake_umount(fake);
	fake->hook = NULL;
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	files_quiet(fake);
	sbi = MSYNCFS_SB(fake->sb);
	space = msyncfs_space_avail(fake->sb);

	KUNIT_ASSERT_EQ(test, bitmaps_left(fake), 0);
	fake->hook = fail_bitmap;
	file = open_file(fake, "f");
	g = open_file(fake, "g");
	files_write(test, g, 0, 3, 1);
	KUNIT_EXPECT_EQ(test, files_sync(g), 0);
	KUNIT_EXPECT_GE(test, files_block(test, g, 0), MSYNCFS_GROUP_BLOCKS);
	files_write(test, file, 0, PAGES, 2);
	KUNIT_EXPECT_EQ(test, files_sync(file), -EIO);
	KUNIT_EXPECT_EQ(test, files_dirty(file), PAGES);
	KUNIT_EXPECT_EQ(test, files_truncate(file, 0), -EIO);

	fake->hook = NULL;
	files_write(test, file, 0, PAGES, 3);
	records = sbi->log->nr_commits;
	KUNIT_EXPECT_EQ(test, files_sync(file), 0);
	KUNIT_EXPECT_GE(test, sbi->log->nr_commits, records + 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&sbi->log->nr_split), 0);
	files_expect(test, file, 0, PAGES, 3);
	KUNIT_ASSERT_EQ(test, files_truncate(g, 0), 0);
	msyncfs_fake_close(fake, g);
	KUNIT_EXPECT_EQ(test, files_unlink(fake, "g"), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fake->sb), 0);
	files_settled(test, fake->sb);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fake->sb), space);
	msyncfs_fake_close(fake, file);
}

static struct kunit_case large_cases[] = {
	KUNIT_CASE(large_memory),
	KUNIT_CASE(large_bitmap_error),
	KUNIT_CASE_PARAM(large_one, large_gen_params),
	KUNIT_CASE(large_set),
	KUNIT_CASE_SLOW(large_scattered),
	KUNIT_CASE_SLOW(large_scattered_atomic),
	KUNIT_CASE_SLOW(large_scattered_old),
	{}
};

static struct kunit_suite large_suite = {
	.name = "msyncfs_large",
	.test_cases = large_cases,
};

kunit_test_suite(large_suite);
