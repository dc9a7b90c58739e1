// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for recovery: what a mount does if the log has records. The cases
 * write the records themselves, without the filesystem. logscan_kunit.c tests
 * which records are good.
 */
#include <kunit/test.h>
#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "iolog.h"
#include "scans.h"

#define BLOCKS		2048
#define LOG_BLOCKS	256
#define HOME0		600	/* unused blocks begin here */

/* Writes and flushes, as a mask for iolog_start(). */
#define OUT		(MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH)

/**
 * struct rec_fixture - a device with a log made by hand
 * @fake: device
 * @log: trace of the I/O of @fake
 * @buf: one block
 */
struct rec_fixture {
	struct msyncfs_fake	*fake;
	struct iolog		*log;
	u8			*buf;
};

static int rec_init(struct kunit *test)
{
	struct rec_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->buf = kunit_kzalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx->buf);
	fx->fake = msyncfs_fake_create(test, BLOCKS, LOG_BLOCKS,
				       MSYNCFS_FAKE_CACHE | MSYNCFS_FAKE_FUA |
				       MSYNCFS_FAKE_OLD);
	fx->log = iolog_start(fx->fake, OUT);
	test->priv = fx;
	return 0;
}

/* ---- making and reading blocks ------------------------------------------ */

static void put_slot(struct rec_fixture *fx, unsigned int block, u64 counter,
		     u64 nonce, u64 seq, u64 pos)
{
	struct msyncfs_disk_slot *slot = (void *)fx->buf;

	memset(fx->buf, 0, MSYNCFS_BLOCK_SIZE);
	slot->counter = cpu_to_le64(counter);
	slot->nonce = cpu_to_le64(nonce);
	slot->tail_seq = cpu_to_le64(seq);
	slot->tail_pos = cpu_to_le64(pos);
	msyncfs_seal_slot(&fx->fake->geo, slot);
	msyncfs_fake_write(fx->fake, MSYNCFS_SLOT_BLKNO + block, fx->buf);
}

static void put_bad_slot(struct rec_fixture *fx, unsigned int block)
{
	memset(fx->buf, 0x77, MSYNCFS_BLOCK_SIZE);
	msyncfs_fake_write(fx->fake, MSYNCFS_SLOT_BLKNO + block, fx->buf);
}

static bool is_log_read(const struct rec_fixture *fx, const struct iolog_io *io)
{
	u64 first = fx->fake->geo.log_start;

	return io->ops == MSYNCFS_FAKE_READ && io->blkno >= first &&
	       io->blkno < first + LOG_BLOCKS;
}

/*
 * Write both slots. The newer slot says that a replay begins at @pos, with
 * record @seq.
 */
static void put_tail(struct rec_fixture *fx, u64 seq, u64 pos)
{
	put_slot(fx, 0, 10, NONCE, seq, pos);
	put_slot(fx, 1, 9, NONCE - 1, 1, 0);
}

/**
 * struct image - an image in a record
 * @home: home block
 * @fill: byte that fills it
 */
struct image {
	u64	home;
	u8	fill;
};

/*
 * Write a record of up to 63 images at @pos. Return the position behind the
 * record.
 */
static u64 put_record(struct kunit *test, u64 pos, u64 seq,
		      const struct image *img, u32 nr)
{
	struct rec_fixture *fx = test->priv;
	size_t len = (1 + nr) * MSYNCFS_BLOCK_SIZE;
	u8 *all = kvzalloc(len, GFP_KERNEL);
	struct msyncfs_disk_record *rec = (void *)all;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, all);
	rec->magic = cpu_to_le32(MSYNCFS_MAGIC_RECORD);
	rec->header_blocks = cpu_to_le32(1);
	memcpy(rec->uuid, fx->fake->geo.uuid, sizeof(rec->uuid));
	rec->nonce = cpu_to_le64(NONCE);
	rec->seq = cpu_to_le64(seq);
	rec->durable_seq = cpu_to_le64(seq - 1);
	rec->nr_images = cpu_to_le32(nr);
	for (i = 0; i < nr; i++) {
		rec->home[i] = cpu_to_le64(img[i].home);
		memset(all + (1 + i) * MSYNCFS_BLOCK_SIZE, img[i].fill,
		       MSYNCFS_BLOCK_SIZE);
	}
	record_seal(rec, nr, &fx->fake->geo);
	for (i = 0; i <= nr; i++)
		msyncfs_fake_write(fx->fake,
				   fx->fake->geo.log_start + pos + i,
				   all + i * MSYNCFS_BLOCK_SIZE);
	kvfree(all);
	return pos + 1 + nr;
}

static void spoil_block(struct rec_fixture *fx, u64 pos)
{
	u64 blkno = fx->fake->geo.log_start + pos;

	msyncfs_fake_read(fx->fake, blkno, fx->buf);
	fx->buf[MSYNCFS_BLOCK_SIZE - 1] ^= 1;
	msyncfs_fake_write(fx->fake, blkno, fx->buf);
}

/* Return the byte that fills a block, or -1 if the bytes differ. */
static int fill_of(struct rec_fixture *fx, u64 blkno)
{
	msyncfs_fake_read(fx->fake, blkno, fx->buf);
	return memchr_inv(fx->buf, fx->buf[0], MSYNCFS_BLOCK_SIZE) ?
	       -1 : fx->buf[0];
}

static u64 slot_counter(struct rec_fixture *fx, unsigned int block)
{
	const struct msyncfs_disk_slot *slot = (void *)fx->buf;

	msyncfs_fake_read(fx->fake, MSYNCFS_SLOT_BLKNO + block, fx->buf);
	return msyncfs_verify_slot(&fx->fake->geo, slot) ?
	       0 : le64_to_cpu(slot->counter);
}

static int mount_it(struct rec_fixture *fx)
{
	return msyncfs_fake_do_mount(fx->fake, 0, NULL);
}

/* ---- replay ------------------------------------------------------------- */

static const struct image first[] = {
	{ HOME0, 1 }, { HOME0 + 10, 1 }, { HOME0 + 11, 1 }, { HOME0 + 20, 1 },
};

static const struct image second[] = {
	{ HOME0 + 5, 2 }, { HOME0 + 10, 2 },
};

static const struct image third[] = {
	{ HOME0, 3 }, { HOME0 + 30, 3 },
};

/* The content of the home blocks after the replay of the three records. */
static const struct image newest[] = {
	{ HOME0, 3 }, { HOME0 + 5, 2 }, { HOME0 + 10, 2 }, { HOME0 + 11, 1 },
	{ HOME0 + 20, 1 }, { HOME0 + 30, 3 },
};

static void put_three(struct kunit *test, u64 tail)
{
	struct rec_fixture *fx = test->priv;
	u64 pos = tail;

	put_tail(fx, 40, tail);
	pos = put_record(test, pos, 40, first, ARRAY_SIZE(first));
	pos = put_record(test, pos, 41, second, ARRAY_SIZE(second));
	put_record(test, pos, 42, third, ARRAY_SIZE(third));
}

static void expect_newest(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(newest); i++)
		KUNIT_EXPECT_EQ_MSG(test, fill_of(fx, newest[i].home),
				    newest[i].fill, "block %llu",
				    newest[i].home);
}

/*
 * Expect one write of each home block, in block order. Then expect a flush, and
 * after the flush the write of the other slot and its flush (R6).
 */
static void expect_order(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	struct iolog *log = fx->log;
	unsigned int i, nr = 0;
	u64 last = 0;

	for (i = 0; i < log->nr && log->io[i].ops == MSYNCFS_FAKE_WRITE &&
	     log->io[i].blkno >= HOME0; i++) {
		KUNIT_EXPECT_GT(test, log->io[i].blkno, last);
		last = log->io[i].blkno + log->io[i].nr - 1;
		nr += log->io[i].nr;
	}
	KUNIT_EXPECT_EQ(test, nr, ARRAY_SIZE(newest));
	KUNIT_ASSERT_EQ(test, log->nr, i + 3);
	KUNIT_EXPECT_EQ(test, log->io[i].ops, MSYNCFS_FAKE_FLUSH);
	KUNIT_EXPECT_EQ(test, log->io[i + 1].ops, MSYNCFS_FAKE_WRITE);
	KUNIT_EXPECT_FALSE(test, log->io[i + 1].opf & REQ_FUA);
	KUNIT_EXPECT_EQ(test, log->io[i + 1].blkno, 2);
	KUNIT_EXPECT_EQ(test, log->io[i + 2].ops, MSYNCFS_FAKE_FLUSH);
}

static void recovery_replay(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;

	put_three(test, 7);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	expect_newest(test);
	expect_order(test);
	KUNIT_EXPECT_EQ(test, slot_counter(fx, 1), 11);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->fake->sb)->log->seq, 43);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->fake->sb)->log->head_pos, 0);
	KUNIT_EXPECT_NE(test, MSYNCFS_SB(fx->fake->sb)->log->nonce, NONCE);
}

#define MOUNT_FEATURES \
	(MSYNCFS_INCOMPAT_DEFAULT & ~MSYNCFS_INCOMPAT_MKFS)

static u64 super_features(struct rec_fixture *fx, u64 blkno)
{
	struct msyncfs_disk_super *ds = (void *)fx->buf;

	msyncfs_fake_read(fx->fake, blkno, fx->buf);
	return le64_to_cpu(ds->incompat);
}

/* Make both superblocks look as an old version has made them. */
static void put_old_super(struct rec_fixture *fx, u64 incompat)
{
	struct msyncfs_disk_super *ds = (void *)fx->buf;

	msyncfs_fake_read(fx->fake, MSYNCFS_SUPER_BLKNO, fx->buf);
	ds->incompat = cpu_to_le64(incompat);
	msyncfs_seal_super(ds);
	msyncfs_fake_write(fx->fake, MSYNCFS_SUPER_BLKNO, fx->buf);
	msyncfs_fake_write(fx->fake, BLOCKS - 1, fx->buf);
}

/*
 * An old version has made the filesystem. If its log is empty, the mount sets
 * the feature bits in both superblocks. If its log has a record, the mount
 * fails and changes nothing.
 */
static void recovery_upgrade(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	struct msyncfs_disk_record *rec = (void *)fx->buf;
	u64 log_start = fx->fake->geo.log_start;

	put_old_super(fx, 0);
	put_tail(fx, 40, 7);
	put_record(test, 7, 40, first, ARRAY_SIZE(first));
	msyncfs_fake_read(fx->fake, log_start + 7, fx->buf);
	rec->magic = cpu_to_le32(MSYNCFS_MAGIC_RECORD_V1);
	msyncfs_fake_write(fx->fake, log_start + 7, fx->buf);
	KUNIT_EXPECT_EQ(test, mount_it(fx), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, super_features(fx, MSYNCFS_SUPER_BLKNO), 0);

	put_tail(fx, 41, 7);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	KUNIT_EXPECT_EQ(test, super_features(fx, MSYNCFS_SUPER_BLKNO),
			MOUNT_FEATURES);
	KUNIT_EXPECT_EQ(test, super_features(fx, BLOCKS - 1),
			MOUNT_FEATURES);
}

/* The version before had the CRC-32C only, so its records can be replayed. */
static void recovery_upgrade_kind(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	unsigned int i;

	put_old_super(fx, MSYNCFS_INCOMPAT_CSUMS);
	put_tail(fx, 40, 7);
	put_record(test, 7, 40, first, ARRAY_SIZE(first));
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	for (i = 0; i < ARRAY_SIZE(first); i++)
		KUNIT_EXPECT_EQ(test, fill_of(fx, first[i].home), first[i].fill);
	KUNIT_EXPECT_EQ(test, super_features(fx, MSYNCFS_SUPER_BLKNO),
			MOUNT_FEATURES);
}

static void recovery_wraps(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;

	/* The second record does not fit before the end of the log. */
	put_tail(fx, 40, 249);
	put_record(test, 249, 40, first, ARRAY_SIZE(first));
	put_record(test, 0, 41, second, ARRAY_SIZE(second));
	put_record(test, 3, 42, third, ARRAY_SIZE(third));
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	expect_newest(test);
}

/* Replay more images than recovery keeps in memory at a time. */
static void recovery_many(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	struct image img[60];
	unsigned int r, i;
	u64 pos = 0;

	put_tail(fx, 40, 0);
	for (r = 0; r < 4; r++) {
		/*
		 * No two home blocks of a record are adjacent.
		 */
		for (i = 0; i < ARRAY_SIZE(img); i++)
			img[i] = (struct image){ HOME0 + 5 * i + r, 100 + r };
		pos = put_record(test, pos, 40 + r, img, ARRAY_SIZE(img));
	}
	KUNIT_ASSERT_EQ(test, pos, 244);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	for (i = 0; i < 5 * ARRAY_SIZE(img); i++)
		KUNIT_EXPECT_EQ_MSG(test, fill_of(fx, HOME0 + i),
				    i % 5 < 4 ? 100 + i % 5 : 0, "block %u",
				    HOME0 + i);
}

/* A record is never replayed twice, because each mount makes a new nonce. */
static void recovery_once(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	unsigned int i;

	put_three(test, 0);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	msyncfs_fake_crash(fx->fake, NULL, NULL);
	expect_newest(test);
	memset(fx->buf, 99, MSYNCFS_BLOCK_SIZE);
	for (i = 0; i < ARRAY_SIZE(newest); i++)
		msyncfs_fake_write(fx->fake, newest[i].home, fx->buf);
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	for (i = 0; i < ARRAY_SIZE(newest); i++)
		KUNIT_EXPECT_EQ(test, fill_of(fx, newest[i].home), 99);
	/* The second mount finds an empty log. It writes a slot and flushes. */
	KUNIT_EXPECT_EQ(test, fx->log->nr, 2);
}

/* ---- refused mounts, which write nothing -------------------------------- */

static const struct refuse_row {
	const char	*name;
	int		err;
	bool		slots_bad;
	bool		damaged;	/* the second record is damaged */
	bool		readonly;	/* the device is read-only */
} refuse_rows[] = {
	{ "both slots bad",		-EUCLEAN, .slots_bad = true },
	{ "damaged but durable",	-EUCLEAN, .damaged = true },
	{ "read-only device",		-EROFS, .readonly = true },
	{ "read-only and damaged",	-EUCLEAN, .damaged = true,
	  .readonly = true },
};

KUNIT_ARRAY_PARAM_DESC(refuse, refuse_rows, name);

static void recovery_refuse(struct kunit *test)
{
	const struct refuse_row *row = test->param_value;
	struct rec_fixture *fx = test->priv;

	put_three(test, 0);
	if (row->slots_bad) {
		put_bad_slot(fx, 0);
		put_bad_slot(fx, 1);
	}
	if (row->damaged)
		spoil_block(fx, 5 + 1);
	set_disk_ro(fx->fake->disk, row->readonly);
	KUNIT_EXPECT_EQ(test, msyncfs_fake_do_mount(fx->fake, row->readonly ?
						    SB_RDONLY : 0, NULL),
			row->err);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0), 0);
}

/*
 * A read-only device with an empty log can be mounted. The mount writes
 * nothing.
 */
static void recovery_readonly_empty(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;

	put_tail(fx, 40, 12);
	set_disk_ro(fx->fake->disk, true);
	KUNIT_EXPECT_EQ(test, msyncfs_fake_do_mount(fx->fake, SB_RDONLY, NULL),
			0);
	msyncfs_fake_umount(fx->fake);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
}

/* A read-only mount of a writable device replays the log, too (R6). */
static void recovery_readonly_mount(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;

	put_three(test, 0);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, SB_RDONLY, NULL),
			0);
	expect_newest(test);
	expect_order(test);
}

/*
 * With norecovery a mount writes nothing, whether the device is writable or not.
 * It shows the files as they are without the log, also if the tail slots, the root
 * block and the bitmaps are damaged.
 */
static void recovery_norecovery(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;

	put_three(test, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, "norecovery"),
			-EINVAL);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, SB_RDONLY,
						    "norecovery"), 0);
	KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0), 0);
	msyncfs_fake_umount(fx->fake);
	set_disk_ro(fx->fake->disk, true);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, SB_RDONLY,
						    "norecovery"), 0);
	msyncfs_fake_umount(fx->fake);
	set_disk_ro(fx->fake->disk, false);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);

	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	expect_newest(test);
	msyncfs_fake_umount(fx->fake);

	put_bad_slot(fx, 0);
	put_bad_slot(fx, 1);
	msyncfs_fake_write(fx->fake, MSYNCFS_ROOT_BLKNO, fx->buf);
	msyncfs_fake_write(fx->fake, MSYNCFS_BITMAP_BLKNO, fx->buf);
	KUNIT_EXPECT_LT(test, msyncfs_fake_do_mount(fx->fake, SB_RDONLY, NULL),
			0);
	KUNIT_EXPECT_EQ(test, msyncfs_fake_do_mount(fx->fake, SB_RDONLY,
						    "norecovery"), 0);
}

/*
 * The third record is torn. The mount replays two records. No later mount may
 * replay the third record.
 */
static void recovery_torn(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;

	put_three(test, 0);
	spoil_block(fx, 5 + 3 + 2);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0), 1);
	KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0 + 10), 2);
	KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0 + 30), 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->fake->sb)->log->seq, 42);
	msyncfs_fake_umount(fx->fake);

	/*
	 * The record is whole again, but the next mount must not replay the
	 * record.
	 */
	spoil_block(fx, 5 + 3 + 2);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0 + 30), 0);
}

/* ---- blocks of the log that cannot be read ------------------------------ */

/*
 * Each block of the log is unreadable in turn. The mount fails only if the block
 * belongs to a record that is known to be durable. The last record may be torn.
 */
static void recovery_unreadable(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	u64 pos;

	for (pos = 0; pos < LOG_BLOCKS; pos += pos < 12 ? 1 : 61) {
		put_three(test, 0);
		memset(fx->buf, 0, MSYNCFS_BLOCK_SIZE);
		msyncfs_fake_write(fx->fake, HOME0 + 30, fx->buf);
		iolog_unreadable(fx->log, fx->fake->geo.log_start + pos, 1);
		iolog_reset(fx->log);
		if (pos < 8) {
			KUNIT_EXPECT_EQ_MSG(test, mount_it(fx), -EUCLEAN,
					    "block %llu", pos);
			KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
			continue;
		}
		KUNIT_ASSERT_EQ_MSG(test, mount_it(fx), 0, "block %llu", pos);
		KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0 + 10), 2);
		KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0 + 30), pos < 11 ? 0 : 3);
		msyncfs_fake_umount(fx->fake);
	}
}

/* After an unmount, no mount reads the log until a mount is writable. */
static void recovery_closed(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	msyncfs_fake_umount(fx->fake);
	iolog_unreadable(fx->log, fx->fake->geo.log_start, LOG_BLOCKS);
	fx->log->mask = OUT | MSYNCFS_FAKE_READ;
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	msyncfs_fake_umount(fx->fake);
	for (i = 0; i < fx->log->nr; i++)
		KUNIT_EXPECT_FALSE(test, is_log_read(fx, &fx->log->io[i]));

	/* A read-only mount leaves the log closed. */
	fx->log->mask = OUT;
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, SB_RDONLY, NULL),
			0);
	msyncfs_fake_crash(fx->fake, NULL, NULL);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);

	/* After a crash of a writable mount, the log must be read. */
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	msyncfs_fake_crash(fx->fake, NULL, NULL);
	KUNIT_EXPECT_EQ(test, mount_it(fx), -EIO);
}

/* ---- the page cache of the device --------------------------------------- */

static void hold_end(void *folio)
{
	folio_put(folio);
}

/*
 * Read block HOME0 through the page cache of the device, and keep a reference to
 * the page, as a process does that maps the device.
 */
static void hold_page(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	struct file *file;
	struct folio *folio;

	file = bdev_file_open_by_path(fx->fake->path, BLK_OPEN_READ, NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	folio = read_mapping_folio(file->f_mapping, HOME0, NULL);
	bdev_fput(file);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, folio);
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, hold_end, folio), 0);
}

/* Expect that a read of metadata finds what the device has in block HOME0. */
static struct buffer_head *expect_home0(struct kunit *test, int fill)
{
	struct rec_fixture *fx = test->priv;
	struct buffer_head *bh = sb_bread(fx->fake->sb, HOME0);

	KUNIT_ASSERT_NOT_NULL(test, bh);
	KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0), fill);
	KUNIT_EXPECT_EQ(test, (u8)bh->b_data[0], fill);
	KUNIT_EXPECT_FALSE(test, test_bit(MSYNCFS_BH_VERIFIED, &bh->b_state));
	return bh;
}

/* Before the mount, a process has read a block that the replay overwrites. */
static void recovery_old_page(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;

	put_three(test, 0);
	hold_page(test);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	brelse(expect_home0(test, 3));
}

/*
 * A mount leaves a changed buffer that never became durable, in a page that a
 * process keeps. The next mount must not find the buffer.
 */
static void recovery_old_buffer(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	struct buffer_head *bh;

	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	hold_page(test);
	bh = expect_home0(test, 0);
	memset(bh->b_data, 55, MSYNCFS_BLOCK_SIZE);
	set_bit(MSYNCFS_BH_VERIFIED, &bh->b_state);
	brelse(bh);
	msyncfs_fake_umount(fx->fake);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	brelse(expect_home0(test, 0));
}

/* ---- slots -------------------------------------------------------------- */

enum slot_state { GOOD, BAD, MISPLACED, OLDER };

static const struct slot_row {
	const char	*name;
	enum slot_state	a;	/* the slot that refers to the records */
	enum slot_state	b;	/* the other slot */
	bool		replayed;
} slot_rows[] = {
	{ "other one older",	GOOD, OLDER, true },
	{ "other one torn",	GOOD, BAD, true },
	{ "other one newer",	GOOD, GOOD, false },
	{ "newer but misplaced", GOOD, MISPLACED, true },
	{ "torn",		BAD, OLDER, false },
	{ "misplaced",		MISPLACED, OLDER, false },
};

KUNIT_ARRAY_PARAM_DESC(slot, slot_rows, name);

static void put_one_slot(struct rec_fixture *fx, unsigned int block,
			 u64 counter, enum slot_state state, u64 nonce,
			 u64 seq, u64 pos)
{
	/*
	 * A slot with an even counter belongs in the first block, a slot with
	 * an odd counter in the second block.
	 */
	put_slot(fx, block, counter + (state == MISPLACED), nonce, seq, pos);
	if (state == BAD)
		put_bad_slot(fx, block);
}

static void recovery_slots(struct kunit *test)
{
	const struct slot_row *row = test->param_value;
	struct rec_fixture *fx = test->priv;
	unsigned int a;

	/* Either block may have the slot that refers to the records. */
	for (a = 0; a < 2; a++) {
		u64 counter = 20 + a;

		put_three(test, 0);
		put_one_slot(fx, a, counter, row->a, NONCE, 40, 0);
		put_one_slot(fx, !a, counter + (row->b == OLDER ? -1 : 1),
			     row->b, NONCE + 1, 7, 9);

		KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
		KUNIT_EXPECT_EQ_MSG(test, fill_of(fx, HOME0 + 30),
				    row->replayed ? 3 : 0, "slot %u", a);
		KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->fake->sb)->log->seq,
				row->replayed ? 43 : 7);
		msyncfs_fake_umount(fx->fake);
		memset(fx->buf, 0, MSYNCFS_BLOCK_SIZE);
		msyncfs_fake_write(fx->fake, HOME0 + 30, fx->buf);
	}
}

/*
 * Mounts and unmounts write the two slots in turn, each time with the next
 * counter.
 */
static void recovery_slots_alternate(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	u64 counter;

	for (counter = 2; counter < 8; counter++) {
		iolog_reset(fx->log);
		if (fx->fake->mnt)
			msyncfs_fake_umount(fx->fake);
		else
			KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
		/* the slot and a flush */
		KUNIT_EXPECT_EQ(test, fx->log->nr, 2);
		KUNIT_EXPECT_EQ(test, fx->log->io[0].blkno, 1 + counter % 2);
		KUNIT_EXPECT_EQ(test, slot_counter(fx, counter % 2), counter);
		KUNIT_EXPECT_EQ(test, slot_counter(fx, !(counter % 2)),
				counter - 1);
	}
}

/*
 * A mount must leave enough numbers for its own slots and records. MSYNCFS_SEQ_MAX
 * and MSYNCFS_SEQ_MOUNT are odd, so a slot with this counter is in the second block.
 */
static void recovery_numbers(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;

	put_slot(fx, 1, MSYNCFS_SEQ_MAX, NONCE, 1, 0);
	KUNIT_EXPECT_EQ(test, mount_it(fx), -EUCLEAN);
	put_slot(fx, 1, 11, NONCE, MSYNCFS_SEQ_MAX, 0);
	KUNIT_EXPECT_EQ(test, mount_it(fx), -EUCLEAN);
	put_slot(fx, 1, MSYNCFS_SEQ_MOUNT, NONCE, MSYNCFS_SEQ_MOUNT, 0);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	msyncfs_fake_umount(fx->fake);
}

/*
 * If a slot cannot be read, the mount must fail. The readable slot may be the
 * older slot. A replay from the older slot would undo later changes.
 */
static void recovery_slot_unreadable(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	unsigned int i;

	put_three(test, 0);
	put_slot(fx, 1, 11, NONCE + 1, 50, 0);
	fx->log->mask = MSYNCFS_FAKE_READ;
	for (i = 0; i < 3; i++) {
		iolog_reset(fx->log);
		iolog_fail(fx->log, i, 1, MSYNCFS_FAKE_FAILS);
		KUNIT_EXPECT_EQ_MSG(test, mount_it(fx), -EIO, "read %u", i);
		KUNIT_EXPECT_EQ(test, fill_of(fx, HOME0 + 30), 0);
	}
}

/* ---- interruptions ------------------------------------------------------ */

/*
 * Let the power fail at each I/O of a recovery in turn. Each time, other blocks
 * of the volatile cache survive. The next mount must complete the recovery.
 */
static void recovery_cut(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	unsigned int at, seed, nr = 1;

	for (at = 0; at < nr; at++) {
		for (seed = 0; seed < 3; seed++) {
			unsigned int i, keep = seed == 2 ? UINT_MAX :
					       seed * (at + 1);

			memset(fx->buf, 0, MSYNCFS_BLOCK_SIZE);
			for (i = 0; i < ARRAY_SIZE(newest); i++)
				msyncfs_fake_write(fx->fake, newest[i].home,
						   fx->buf);
			put_three(test, 100);
			iolog_reset(fx->log);
			iolog_cut(fx->log, at);
			KUNIT_EXPECT_EQ(test, mount_it(fx), 0);
			msyncfs_fake_crash(fx->fake, iolog_keep, &keep);
			nr = max(nr, fx->log->nr);

			iolog_reset(fx->log);
			KUNIT_ASSERT_EQ_MSG(test, mount_it(fx), 0,
					    "cut at %u", at);
			expect_newest(test);
			msyncfs_fake_umount(fx->fake);
		}
	}
	KUNIT_EXPECT_GE(test, nr, 7);
}

/*
 * Let each I/O of a mount fail in turn. The mount must return the error, and
 * the next mount must complete the recovery.
 */
static void recovery_errors(struct kunit *test)
{
	struct rec_fixture *fx = test->priv;
	unsigned int at, i;
	int err;

	fx->log->mask = OUT | MSYNCFS_FAKE_READ;
	for (at = 0; at < 60; at++) {
		memset(fx->buf, 0, MSYNCFS_BLOCK_SIZE);
		for (i = 0; i < ARRAY_SIZE(newest); i++)
			msyncfs_fake_write(fx->fake, newest[i].home, fx->buf);
		put_three(test, 100);
		iolog_reset(fx->log);
		iolog_fail(fx->log, at, 1, MSYNCFS_FAKE_FAILS);
		err = mount_it(fx);
		if (!fx->log->failed)
			break;
		/*
		 * A failed readahead and a failed home write are no errors,
		 * because they are repeated. The scan of the log reads a block
		 * again, too.
		 */
		if (!err && (fx->log->io[at].opf & REQ_RAHEAD ||
			     is_log_read(fx, &fx->log->io[at]) ||
			     (fx->log->io[at].ops == MSYNCFS_FAKE_WRITE &&
			      fx->log->io[at].blkno >= HOME0)))
			err = -EIO;
		KUNIT_EXPECT_EQ_MSG(test, err, -EIO, "error at %u", at);
		msyncfs_fake_umount(fx->fake);

		iolog_reset(fx->log);
		KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
		expect_newest(test);
		msyncfs_fake_umount(fx->fake);
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GE(test, at, 12);
}

static struct kunit_case rec_cases[] = {
	KUNIT_CASE(recovery_replay),
	KUNIT_CASE(recovery_upgrade),
	KUNIT_CASE(recovery_upgrade_kind),
	KUNIT_CASE(recovery_wraps),
	KUNIT_CASE(recovery_many),
	KUNIT_CASE(recovery_once),
	KUNIT_CASE_PARAM(recovery_refuse, refuse_gen_params),
	KUNIT_CASE(recovery_readonly_empty),
	KUNIT_CASE(recovery_readonly_mount),
	KUNIT_CASE(recovery_norecovery),
	KUNIT_CASE(recovery_torn),
	KUNIT_CASE(recovery_unreadable),
	KUNIT_CASE(recovery_closed),
	KUNIT_CASE(recovery_old_page),
	KUNIT_CASE(recovery_old_buffer),
	KUNIT_CASE_PARAM(recovery_slots, slot_gen_params),
	KUNIT_CASE(recovery_slots_alternate),
	KUNIT_CASE(recovery_numbers),
	KUNIT_CASE(recovery_slot_unreadable),
	KUNIT_CASE_SLOW(recovery_cut),
	KUNIT_CASE_SLOW(recovery_errors),
	{}
};

static struct kunit_suite rec_suite = {
	.name		= "msyncfs_recovery",
	.init		= rec_init,
	.test_cases	= rec_cases,
};

kunit_test_suite(rec_suite);
