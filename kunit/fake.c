// SPDX-License-Identifier: GPL-2.0
/*
 * The fake block device of the KUnit suites: see fake.h. The device is a disk
 * without a request queue. Two xarrays have the pages that store its blocks:
 * one xarray is the media, the other xarray is the volatile cache. Blocks that
 * were never written read as zeros.
 */
#include <linux/bio.h>
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/random.h>
#include <linux/sched/task.h>

#include "fake.h"

#define FAKE_SECTORS	(MSYNCFS_BLOCK_SIZE >> SECTOR_SHIFT)

/* ---- blocks ------------------------------------------------------------- */

static void fake_drop(struct xarray *blocks)
{
	struct page *page;
	unsigned long blkno;

	xa_for_each(blocks, blkno, page)
		__free_page(page);
	xa_destroy(blocks);
}

/* Return the newest content of a block, NULL if the block was never written. */
static struct page *fake_newest(struct msyncfs_fake *fake, u64 blkno)
{
	struct page *page = xa_load(&fake->cache, blkno);

	return page ?: xa_load(&fake->media, blkno);
}

/*
 * Return the page that stores a block in @blocks. If there is no such page, add
 * a page with the newest content of the block.
 */
static struct page *fake_page(struct msyncfs_fake *fake, struct xarray *blocks,
			      u64 blkno)
{
	struct page *page = xa_load(blocks, blkno);
	struct page *newest;

	if (page)
		return page;
	page = alloc_page(GFP_NOIO | __GFP_ZERO | __GFP_NOFAIL);
	newest = fake_newest(fake, blkno);
	if (newest)
		copy_page(page_address(page), page_address(newest));
	xa_store(blocks, blkno, page, GFP_NOIO | __GFP_NOFAIL);
	return page;
}

static void fake_move_to_media(struct msyncfs_fake *fake, u64 blkno)
{
	struct page *page = xa_erase(&fake->cache, blkno);
	struct page *old;

	if (!page)
		return;
	old = xa_store(&fake->media, blkno, page, GFP_NOIO | __GFP_NOFAIL);
	if (old)
		__free_page(old);
}

static void fake_flush(struct msyncfs_fake *fake)
{
	struct page *page;
	unsigned long blkno;

	fake->flushes++;
	if (fake->lost)
		return;
	xa_for_each(&fake->cache, blkno, page)
		fake_move_to_media(fake, blkno);
}

/* Transfer data between a bio and one block. The data lies within the block. */
static void fake_copy(struct msyncfs_fake *fake, struct bio *bio, u64 blkno,
		      unsigned int offset, void *data, unsigned int len)
{
	struct page *page;

	if (bio_op(bio) == REQ_OP_READ) {
		page = fake_newest(fake, blkno);
		if (page)
			memcpy(data, page_address(page) + offset, len);
		else
			memset(data, 0, len);
		return;
	}
	fake->bytes += len;
	if (fake->lost)
		return;
	page = fake_page(fake, bdev_write_cache(bio->bi_bdev) ? &fake->cache :
			 &fake->media, blkno);
	memcpy(page_address(page) + offset, data, len);
	if (bio->bi_opf & REQ_FUA)
		fake_move_to_media(fake, blkno);
}

static void fake_transfer(struct msyncfs_fake *fake, struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bvec;

	bio_for_each_segment(bvec, bio, iter) {
		u64 pos = (u64)iter.bi_sector << SECTOR_SHIFT;
		void *data = bvec_kmap_local(&bvec);
		unsigned int done = 0;

		while (done < bvec.bv_len) {
			unsigned int offset = offset_in_page(pos + done);
			unsigned int len = min(bvec.bv_len - done,
					       MSYNCFS_BLOCK_SIZE - offset);

			fake_copy(fake, bio,
				  (pos + done) >> MSYNCFS_BLOCK_SHIFT, offset,
				  data + done, len);
			done += len;
		}
		kunmap_local(data);
	}
}

/*
 * A discard is durable at once, which is the worst case. If a block is discarded
 * too early, somebody will read the poison.
 */
static void fake_discard(struct msyncfs_fake *fake, struct bio *bio)
{
	u64 blkno = bio->bi_iter.bi_sector / FAKE_SECTORS;
	u64 end = blkno + bio_sectors(bio) / FAKE_SECTORS;

	fake->discarded += end - blkno;
	if (fake->lost)
		return;
	for (; blkno < end; blkno++) {
		fake_move_to_media(fake, blkno);
		memset(page_address(fake_page(fake, &fake->media, blkno)),
		       MSYNCFS_FAKE_POISON, MSYNCFS_BLOCK_SIZE);
	}
}

static bool fake_fails(struct msyncfs_fake *fake, unsigned int ops)
{
	if (!(fake->fail_ops & ops))
		return false;
	if (fake->fail_skip) {
		fake->fail_skip--;
		return false;
	}
	if (!fake->fail_nr)
		return false;
	fake->fail_nr--;
	return true;
}

static unsigned int fake_ops(struct bio *bio)
{
	unsigned int ops = 0;

	if (bio_op(bio) == REQ_OP_READ)
		ops |= MSYNCFS_FAKE_READ;
	else if (bio_op(bio) == REQ_OP_DISCARD)
		ops |= MSYNCFS_FAKE_DISCARD;
	else if (bio_sectors(bio))
		ops |= MSYNCFS_FAKE_WRITE;
	if (bio->bi_opf & REQ_PREFLUSH)
		ops |= MSYNCFS_FAKE_FLUSH;
	return ops;
}

/* Execute a bio, or let the bio fail. End the bio in both cases. */
static void fake_do_bio(struct msyncfs_fake *fake, struct bio *bio,
			enum msyncfs_fake_fate fate)
{
	unsigned int ops = fake_ops(bio);

	mutex_lock(&fake->lock);
	if (fake_fails(fake, ops))
		fate = MSYNCFS_FAKE_FAILS;
	if (fate != MSYNCFS_FAKE_FAILS) {
		if (ops & MSYNCFS_FAKE_FLUSH)
			fake_flush(fake);
		fake->reads += !!(ops & MSYNCFS_FAKE_READ);
		fake->writes += !!(ops & MSYNCFS_FAKE_WRITE);
		fake->fuas += (ops & MSYNCFS_FAKE_WRITE) &&
			      (bio->bi_opf & REQ_FUA);
		if (ops & (MSYNCFS_FAKE_READ | MSYNCFS_FAKE_WRITE))
			fake_transfer(fake, bio);
		if (ops & MSYNCFS_FAKE_DISCARD)
			fake_discard(fake, bio);
	}
	mutex_unlock(&fake->lock);

	if (fate != MSYNCFS_FAKE_DONE)
		bio->bi_status = fake->status ?: BLK_STS_IOERR;
	bio_endio(bio);
}

static void fake_submit_bio(struct bio *bio)
{
	struct msyncfs_fake *fake = bio->bi_bdev->bd_disk->private_data;
	enum msyncfs_fake_fate fate = MSYNCFS_FAKE_DONE;
	unsigned int ops = fake_ops(bio);
	bool hold;

	mutex_lock(&fake->lock);
	if (fake->hook)
		fate = fake->hook(fake, bio, ops);
	hold = fate == MSYNCFS_FAKE_DONE && (fake->hold_ops & ops);
	if (hold)
		bio_list_add(&fake->held, bio);
	mutex_unlock(&fake->lock);
	if (!hold)
		fake_do_bio(fake, bio, fate);
}

static const struct block_device_operations fake_fops = {
	.owner		= THIS_MODULE,
	.submit_bio	= fake_submit_bio,
};

/**
 * msyncfs_fake_read - read a block without the block layer
 * @fake: device
 * @blkno: block
 * @buf: room for a block
 */
void msyncfs_fake_read(struct msyncfs_fake *fake, u64 blkno, void *buf)
{
	struct page *page;

	mutex_lock(&fake->lock);
	page = fake_newest(fake, blkno);
	if (page)
		memcpy(buf, page_address(page), MSYNCFS_BLOCK_SIZE);
	else
		memset(buf, 0, MSYNCFS_BLOCK_SIZE);
	mutex_unlock(&fake->lock);
}

/**
 * msyncfs_fake_write - write a block to the media without the block layer
 * @fake: device
 * @blkno: block
 * @buf: content
 *
 * If the page cache of the device has a copy of the block, the copy does not
 * change.
 */
void msyncfs_fake_write(struct msyncfs_fake *fake, u64 blkno, const void *buf)
{
	mutex_lock(&fake->lock);
	fake_move_to_media(fake, blkno);
	memcpy(page_address(fake_page(fake, &fake->media, blkno)), buf,
	       MSYNCFS_BLOCK_SIZE);
	mutex_unlock(&fake->lock);
}

/**
 * msyncfs_fake_fail - make I/O fail
 * @fake: device
 * @ops: kinds of I/O, MSYNCFS_FAKE_*; 0: no I/O fails any more
 * @skip: number of I/Os of the kinds @ops that succeed before the first I/O
 *	fails
 * @nr: number of I/Os of the kinds @ops that fail after the first @skip I/Os
 */
void msyncfs_fake_fail(struct msyncfs_fake *fake, unsigned int ops,
		       unsigned int skip, unsigned int nr)
{
	mutex_lock(&fake->lock);
	fake->fail_ops = ops;
	fake->fail_skip = skip;
	fake->fail_nr = nr;
	mutex_unlock(&fake->lock);
}

/**
 * msyncfs_fake_no_fua - make a device without FUA
 * @fake: device
 *
 * Without FUA, a failed write of a record may be repeated.
 */
void msyncfs_fake_no_fua(struct msyncfs_fake *fake)
{
	fake->disk->queue->limits.features &= ~BLK_FEAT_FUA;
}

/**
 * msyncfs_fake_hold - let I/O wait, as on an infinitely slow device
 * @fake: device
 * @ops: kinds of I/O that wait for msyncfs_fake_release(), MSYNCFS_FAKE_*
 */
void msyncfs_fake_hold(struct msyncfs_fake *fake, unsigned int ops)
{
	mutex_lock(&fake->lock);
	fake->hold_ops = ops;
	mutex_unlock(&fake->lock);
}

/**
 * msyncfs_fake_held - count the bios that wait
 * @fake: device
 *
 * Return: the number of bios.
 */
unsigned int msyncfs_fake_held(struct msyncfs_fake *fake)
{
	unsigned int nr;

	mutex_lock(&fake->lock);
	nr = bio_list_size(&fake->held);
	mutex_unlock(&fake->lock);
	return nr;
}

/**
 * msyncfs_fake_release - execute the bios that wait, and let no more bios wait
 * @fake: device
 */
void msyncfs_fake_release(struct msyncfs_fake *fake)
{
	struct bio_list held;
	struct bio *bio;

	mutex_lock(&fake->lock);
	fake->hold_ops = 0;
	held = fake->held;
	bio_list_init(&fake->held);
	mutex_unlock(&fake->lock);
	while ((bio = bio_list_pop(&held)))
		fake_do_bio(fake, bio, MSYNCFS_FAKE_DONE);
}

/**
 * msyncfs_fake_reset_counts - set all counts of I/O to zero
 * @fake: device
 */
void msyncfs_fake_reset_counts(struct msyncfs_fake *fake)
{
	mutex_lock(&fake->lock);
	fake->reads = 0;
	fake->writes = 0;
	fake->fuas = 0;
	fake->flushes = 0;
	fake->bytes = 0;
	fake->discarded = 0;
	mutex_unlock(&fake->lock);
}

/* ---- mkfs --------------------------------------------------------------- */

static void fake_format_bitmaps(struct msyncfs_fake *fake,
				struct msyncfs_disk_bitmap *bm, u32 magic)
{
	const struct msyncfs_geo *geo = &fake->geo;
	u64 group, blkno;

	for (group = 0; group < geo->bitmap_blocks; group++) {
		blkno = msyncfs_init_bitmap(geo, bm, magic, group);
		msyncfs_seal_block(geo, bm, 0);
		msyncfs_fake_write(fake, blkno, bm);
	}
}

static void fake_format_root(struct msyncfs_fake *fake, void *buf)
{
	const struct msyncfs_geo *geo = &fake->geo;
	struct msyncfs_disk_inode *di = buf;

	msyncfs_init_block(buf, MSYNCFS_MAGIC_INODE, 0, geo->root_ino,
			   geo->root_ino);
	di->mode = cpu_to_le32(S_IFDIR | 0755);
	di->nlink = cpu_to_le32(2);
	di->parent = cpu_to_le64(geo->root_ino);
	msyncfs_seal_block(geo, buf, 0);
	msyncfs_fake_write(fake, geo->root_ino, buf);

	msyncfs_init_block(buf, MSYNCFS_MAGIC_ROOT, 0, MSYNCFS_ROOT_BLKNO, 0);
	msyncfs_seal_block(geo, buf, 0);
	msyncfs_fake_write(fake, MSYNCFS_ROOT_BLKNO, buf);
}

static void fake_format_slot(struct msyncfs_fake *fake, void *buf)
{
	struct msyncfs_disk_slot *slot = buf;

	memset(buf, 0, MSYNCFS_BLOCK_SIZE);
	slot->counter = cpu_to_le64(1);
	slot->nonce = cpu_to_le64(get_random_u64());
	slot->tail_seq = cpu_to_le64(1);
	msyncfs_seal_slot(&fake->geo, slot);
	msyncfs_fake_write(fake, MSYNCFS_SLOT_BLKNO + 1 % MSYNCFS_NR_SLOTS,
			   buf);
}

static void fake_format_mmp(struct msyncfs_fake *fake, void *buf)
{
	struct msyncfs_disk_mmp *mmp = buf;

	memset(buf, 0, MSYNCFS_BLOCK_SIZE);
	mmp->interval = cpu_to_le32(MSYNCFS_MMP_INTERVAL_MIN);
	msyncfs_seal_mmp(&fake->geo, mmp);
	msyncfs_fake_write(fake, fake->geo.mmp_blkno, buf);
}

static void fake_format_super(struct msyncfs_fake *fake, void *buf,
			      u64 incompat)
{
	const struct msyncfs_geo *geo = &fake->geo;
	struct msyncfs_disk_super *ds = buf;

	memset(buf, 0, MSYNCFS_BLOCK_SIZE);
	ds->magic = cpu_to_le64(MSYNCFS_MAGIC_SUPER);
	memcpy(ds->uuid, geo->uuid, sizeof(ds->uuid));
	ds->blocks = cpu_to_le64(geo->blocks);
	ds->log_start = cpu_to_le64(geo->log_start);
	ds->log_blocks = cpu_to_le64(geo->log_blocks);
	ds->bitmap_start = cpu_to_le64(geo->bitmap_start);
	ds->bitmap_blocks = cpu_to_le64(geo->bitmap_blocks);
	ds->root_ino = cpu_to_le64(geo->root_ino);
	ds->block_shift = cpu_to_le32(MSYNCFS_BLOCK_SHIFT);
	ds->name_key[0] = cpu_to_le64(geo->name_key.key[0]);
	ds->name_key[1] = cpu_to_le64(geo->name_key.key[1]);
	ds->incompat = cpu_to_le64(incompat);
	msyncfs_seal_super(ds);
	msyncfs_fake_write(fake, geo->blocks - 1, buf);
	msyncfs_fake_write(fake, MSYNCFS_SUPER_BLKNO, buf);
}

static void fake_format(struct msyncfs_fake *fake, u64 blocks, u64 log_blocks,
			unsigned int features)
{
	u64 incompat = MSYNCFS_INCOMPAT_DEFAULT;
	struct msyncfs_geo *geo = &fake->geo;
	void *buf = kunit_kzalloc(fake->test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(fake->test, buf);
	if (features & MSYNCFS_FAKE_MMP)
		incompat |= MSYNCFS_INCOMPAT_MMP;
	if (features & MSYNCFS_FAKE_OLD)
		incompat &= ~MSYNCFS_INCOMPAT_INODES;
	KUNIT_ASSERT_EQ(fake->test,
			msyncfs_layout(blocks, log_blocks, incompat, geo), 0);
	get_random_bytes(geo->uuid, sizeof(geo->uuid));
	geo->seed = xxh64(geo->uuid, sizeof(geo->uuid), 0);
	geo->hash_room = MSYNCFS_HASH_ROOM;
	get_random_bytes(&geo->name_key, sizeof(geo->name_key));

	fake_format_bitmaps(fake, buf, MSYNCFS_MAGIC_BITMAP);
	if (geo->inodes_start)
		fake_format_bitmaps(fake, buf, MSYNCFS_MAGIC_INODES);
	fake_format_root(fake, buf);
	fake_format_slot(fake, buf);
	if (geo->mmp_blkno)
		fake_format_mmp(fake, buf);
	fake_format_super(fake, buf, incompat);
	kunit_kfree(fake->test, buf);
}

/* ---- device and mount --------------------------------------------------- */

static struct gendisk *fake_alloc_disk(struct msyncfs_fake *fake, u64 blocks,
				       unsigned int features)
{
	static atomic_t nr = ATOMIC_INIT(0);
	struct queue_limits lim = {
		.logical_block_size	= SECTOR_SIZE,
		.physical_block_size	= MSYNCFS_BLOCK_SIZE,
	};
	struct gendisk *disk;

	if (features & MSYNCFS_FAKE_TRIM) {
		lim.max_hw_discard_sectors = UINT_MAX >> SECTOR_SHIFT;
		lim.discard_granularity = MSYNCFS_BLOCK_SIZE;
	}
	if (features & MSYNCFS_FAKE_CACHE)
		lim.features |= BLK_FEAT_WRITE_CACHE;
	if (features & MSYNCFS_FAKE_FUA)
		lim.features |= BLK_FEAT_FUA;
	disk = blk_alloc_disk(&lim, NUMA_NO_NODE);
	if (IS_ERR(disk))
		return disk;
	disk->flags |= GENHD_FL_NO_PART;
	disk->fops = &fake_fops;
	disk->private_data = fake;
	snprintf(disk->disk_name, DISK_NAME_LEN, "msyncfake%d",
		 atomic_inc_return(&nr));
	set_capacity(disk, blocks * FAKE_SECTORS);
	return disk;
}

static void fake_destroy(void *data)
{
	struct msyncfs_fake *fake = data;

	msyncfs_fake_umount(fake);
	if (fake->disk) {
		del_gendisk(fake->disk);
		put_disk(fake->disk);
	}
	fake_drop(&fake->cache);
	fake_drop(&fake->media);
	mutex_destroy(&fake->lock);
	kfree(fake);
}

/**
 * msyncfs_fake_create - make a device with an empty msyncfs on it
 * @test: test, which fails if this function fails
 * @blocks: size of the device
 * @log_blocks: size of the log
 * @features: MSYNCFS_FAKE_CACHE, MSYNCFS_FAKE_FUA, MSYNCFS_FAKE_MMP,
 *	MSYNCFS_FAKE_TRIM
 *
 * Return: the device, not mounted.
 */
struct msyncfs_fake *msyncfs_fake_create(struct kunit *test, u64 blocks,
					 u64 log_blocks, unsigned int features)
{
	struct msyncfs_fake *fake = kzalloc(sizeof(*fake), GFP_KERNEL);
	struct gendisk *disk;

	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->test = test;
	mutex_init(&fake->lock);
	bio_list_init(&fake->held);
	xa_init(&fake->media);
	xa_init(&fake->cache);
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, fake_destroy, fake), 0);
	fake_format(fake, blocks, log_blocks, features);

	disk = fake_alloc_disk(fake, blocks, features);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, disk);
	if (add_disk(disk)) {
		put_disk(disk);
		KUNIT_FAIL_AND_ABORT(test, "the fake disk cannot be added");
	}
	fake->disk = disk;
	snprintf(fake->path, sizeof(fake->path), "/dev/%s", disk->disk_name);
	return fake;
}

/* Exchange the root directory of this task, in which the mount looks for the device. */
static void fake_swap_fs(struct fs_struct **fs)
{
	task_lock(current);
	swap(current->fs, *fs);
	task_unlock(current);
}

/**
 * msyncfs_fake_do_mount - mount the device
 * @fake: device, not mounted
 * @sb_flags: SB_RDONLY or 0
 * @options: mount options, NULL for none
 *
 * Return: 0 or the error of mount(2).
 */
int msyncfs_fake_do_mount(struct msyncfs_fake *fake, unsigned int sb_flags,
			  const char *options)
{
	struct file_system_type *type = get_fs_type("msyncfs");
	struct fs_struct *fs = msyncfs_kunit_fs;
	struct vfsmount *mnt;
	char *data = NULL;

	KUNIT_ASSERT_NOT_NULL(fake->test, type);
	if (options)
		data = kstrdup(options, GFP_KERNEL);
	/* With SB_KERNMOUNT, mntput() unmounts before it returns. */
	fake_swap_fs(&fs);
	mnt = vfs_kern_mount(type, sb_flags | SB_KERNMOUNT, fake->path, data);
	fake_swap_fs(&fs);
	module_put(type->owner);
	kfree(data);
	if (IS_ERR(mnt))
		return PTR_ERR(mnt);
	fake->mnt = mnt;
	fake->sb = mnt->mnt_sb;
	return 0;
}

/**
 * msyncfs_fake_mount - make a device and mount it
 * @test: test, which fails if this function fails
 * @blocks: size of the device
 * @log_blocks: size of the log
 *
 * Return: the device, which has a volatile cache and FUA.
 */
struct msyncfs_fake *msyncfs_fake_mount(struct kunit *test, u64 blocks,
					u64 log_blocks)
{
	struct msyncfs_fake *fake;

	fake = msyncfs_fake_create(test, blocks, log_blocks,
				   MSYNCFS_FAKE_CACHE | MSYNCFS_FAKE_FUA);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	return fake;
}

/**
 * msyncfs_fake_umount - unmount the device
 * @fake: device; the caller has closed all its files
 */
void msyncfs_fake_umount(struct msyncfs_fake *fake)
{
	struct vfsmount *mnt = fake->mnt;

	msyncfs_fake_release(fake);
	fake->mnt = NULL;
	fake->sb = NULL;
	mntput(mnt);
}

/**
 * msyncfs_fake_crash - let the power fail
 * @fake: device; the caller has closed all its files
 * @keep: returns true for a block of the volatile cache that reaches the media;
 *	NULL: no block reaches the media
 * @ctx: data of @keep
 *
 * The function unmounts the filesystem. The writes of the unmount are lost.
 * Then msyncfs_fake_do_mount() can mount the device again.
 */
void msyncfs_fake_crash(struct msyncfs_fake *fake,
			bool (*keep)(void *ctx, u64 blkno), void *ctx)
{
	struct page *page;
	unsigned long blkno;
	unsigned int i;

	mutex_lock(&fake->lock);
	xa_for_each(&fake->cache, blkno, page)
		if (keep && keep(ctx, blkno))
			fake_move_to_media(fake, blkno);
	fake_drop(&fake->cache);
	fake->lost = true;
	mutex_unlock(&fake->lock);

	msyncfs_fake_umount(fake);
	/*
	 * An open file or a mapping would keep the filesystem with all that is in
	 * memory. Work items may keep it for a moment.
	 */
	for (i = 0; i < 100 && READ_ONCE(fake->disk->part0->bd_holder); i++)
		msleep(20);
	KUNIT_EXPECT_NULL_MSG(fake->test, fake->disk->part0->bd_holder,
			      "a crash with an open file");
	invalidate_bdev(fake->disk->part0);

	mutex_lock(&fake->lock);
	fake->lost = false;
	mutex_unlock(&fake->lock);
}

static void fake_fput(void *file)
{
	__fput_sync(file);
}

/**
 * msyncfs_fake_open - open a file of the mounted filesystem
 * @fake: device, mounted
 * @name: path from the root directory, without a leading slash
 * @flags: as for open(2); a new file gets mode 0600
 *
 * Return: the file. The end of the test closes the file before it unmounts the
 * filesystem. If the file cannot be opened, the test fails.
 */
struct file *msyncfs_fake_open(struct msyncfs_fake *fake, const char *name,
			       int flags)
{
	struct path root = { .mnt = fake->mnt, .dentry = fake->mnt->mnt_root };
	struct file *file = file_open_root(&root, name, flags, 0600);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(fake->test, file);
	KUNIT_ASSERT_EQ(fake->test,
			kunit_add_action_or_reset(fake->test, fake_fput, file),
			0);
	return file;
}

/**
 * msyncfs_fake_close - close a file before the end of the test
 * @fake: device
 * @file: from msyncfs_fake_open()
 */
void msyncfs_fake_close(struct msyncfs_fake *fake, struct file *file)
{
	kunit_release_action(fake->test, fake_fput, file);
}
