// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the fake device. The other suites rely on the crashes and the
 * I/O errors that the device simulates.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "fake.h"
#include "fs/vfs/vfs.h"

#define FAKE_BLOCKS	4096
#define FAKE_LOG_BLOCKS	1024
#define FAKE_BLKNO	3000

/* Transfer one block through the block layer, without the filesystem. */
static int fake_io(struct msyncfs_fake *fake, blk_opf_t opf, u8 *byte)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NOFAIL);
	struct bio *bio = bio_alloc(fake->disk->part0, 1, opf, GFP_KERNEL);
	int err;

	memset(page_address(page), *byte, PAGE_SIZE);
	bio->bi_iter.bi_sector = FAKE_BLKNO * 8;
	__bio_add_page(bio, page, PAGE_SIZE, 0);
	err = submit_bio_wait(bio);
	*byte = *((u8 *)page_address(page) + 4000);
	bio_put(bio);
	__free_page(page);
	return err;
}

static u8 fake_byte(struct kunit *test, struct msyncfs_fake *fake)
{
	u8 byte = 0;

	KUNIT_EXPECT_EQ(test, fake_io(fake, REQ_OP_READ, &byte), 0);
	return byte;
}

static void fake_put(struct kunit *test, struct msyncfs_fake *fake,
		     blk_opf_t flags, u8 byte)
{
	KUNIT_EXPECT_EQ(test, fake_io(fake, REQ_OP_WRITE | flags, &byte), 0);
}

static bool fake_keep(void *ctx, u64 blkno)
{
	return blkno == *(u64 *)ctx;
}

/*
 * A crash keeps flushed blocks, blocks written with FUA, and blocks that the
 * callback chooses. It loses all other blocks of the cache.
 */
static void fake_cache(struct kunit *test)
{
	struct msyncfs_fake *fake;
	u64 keep = FAKE_BLKNO;

	fake = msyncfs_fake_create(test, FAKE_BLOCKS, FAKE_LOG_BLOCKS,
				   MSYNCFS_FAKE_CACHE | MSYNCFS_FAKE_FUA);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 0);
	fake_put(test, fake, 0, 1);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 1);
	msyncfs_fake_crash(fake, NULL, NULL);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 0);

	fake_put(test, fake, REQ_FUA, 2);
	msyncfs_fake_crash(fake, NULL, NULL);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 2);

	fake_put(test, fake, 0, 3);
	KUNIT_EXPECT_EQ(test, blkdev_issue_flush(fake->disk->part0), 0);
	fake_put(test, fake, 0, 4);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 4);
	msyncfs_fake_crash(fake, NULL, NULL);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 3);

	fake_put(test, fake, 0, 5);
	msyncfs_fake_crash(fake, fake_keep, &keep);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 5);

	KUNIT_EXPECT_EQ(test, fake->writes, 5);
	KUNIT_EXPECT_EQ(test, fake->fuas, 1);
	KUNIT_EXPECT_EQ(test, fake->flushes, 1);
	KUNIT_EXPECT_EQ(test, fake->bytes, 5 * MSYNCFS_BLOCK_SIZE);
	msyncfs_fake_reset_counts(fake);
	KUNIT_EXPECT_EQ(test, fake->writes, 0);
}

/* Without a volatile cache, every write survives a crash. */
static void fake_no_cache(struct kunit *test)
{
	struct msyncfs_fake *fake;

	fake = msyncfs_fake_create(test, FAKE_BLOCKS, FAKE_LOG_BLOCKS, 0);
	fake_put(test, fake, 0, 1);
	msyncfs_fake_crash(fake, NULL, NULL);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 1);
}

static void fake_failures(struct kunit *test)
{
	struct msyncfs_fake *fake;
	u8 byte = 9;

	fake = msyncfs_fake_create(test, FAKE_BLOCKS, FAKE_LOG_BLOCKS,
				   MSYNCFS_FAKE_CACHE);
	/* Let only the second write fail. */
	msyncfs_fake_fail(fake, MSYNCFS_FAKE_WRITE, 1, 1);
	fake_put(test, fake, 0, 1);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 1);
	KUNIT_EXPECT_EQ(test, fake_io(fake, REQ_OP_WRITE, &byte), -EIO);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 1);
	fake_put(test, fake, 0, 2);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 2);

	msyncfs_fake_fail(fake, MSYNCFS_FAKE_FLUSH, 0, 1);
	KUNIT_EXPECT_EQ(test, blkdev_issue_flush(fake->disk->part0), -EIO);
	KUNIT_EXPECT_EQ(test, blkdev_issue_flush(fake->disk->part0), 0);
	msyncfs_fake_fail(fake, MSYNCFS_FAKE_READ, 0, 1);
	KUNIT_EXPECT_EQ(test, fake_io(fake, REQ_OP_READ, &byte), -EIO);
	KUNIT_EXPECT_EQ(test, fake_byte(test, fake), 2);
}

/* A committed file exists after a crash. An uncommitted file does not. */
static void fake_mounted(struct kunit *test)
{
	struct msyncfs_fake *fake;
	struct file *file;
	struct path root;

	fake = msyncfs_fake_mount(test, FAKE_BLOCKS, FAKE_LOG_BLOCKS);
	file = msyncfs_fake_open(fake, "committed", O_CREAT | O_RDWR);
	msyncfs_fake_close(fake, file);
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	file = msyncfs_fake_open(fake, "not", O_CREAT | O_RDWR);
	msyncfs_fake_close(fake, file);
	msyncfs_fake_crash(fake, NULL, NULL);

	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	file = msyncfs_fake_open(fake, "committed", O_RDWR);
	msyncfs_fake_close(fake, file);
	root.mnt = fake->mnt;
	root.dentry = fake->mnt->mnt_root;
	file = file_open_root(&root, "not", O_RDWR, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(file), -ENOENT);
}

static struct kunit_case fake_cases[] = {
	KUNIT_CASE(fake_cache),
	KUNIT_CASE(fake_no_cache),
	KUNIT_CASE(fake_failures),
	KUNIT_CASE(fake_mounted),
	{}
};

static struct kunit_suite fake_suite = {
	.name		= "msyncfs_fake",
	.test_cases	= fake_cases,
};

kunit_test_suite(fake_suite);
