// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for commit and checkpoint without failures: the order of I/O in a
 * commit, the content of a record, records that several calls share, and reads
 * of data that is only in the log. logfail_kunit.c tests failures of I/O and
 * power.
 */
#include <kunit/test.h>
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/pagemap.h>

#include "files.h"
#include "fs/log/txn.h"
#include "iolog.h"

#define BLOCKS		4096
#define LOG_BLOCKS	1024
#define FILE_PAGES	240

/* Writes and flushes, as a mask for iolog_start(). */
#define OUT		(MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH)

/**
 * struct log_fixture - a mounted device with a file whose pages are home
 * @fake: device
 * @sbi: the mount
 * @log: trace of the I/O of @fake
 * @file: FILE_PAGES pages full of 1
 */
struct log_fixture {
	struct msyncfs_fake	*fake;
	struct msyncfs_sb_info	*sbi;
	struct iolog		*log;
	struct file		*file;
};

static struct log_fixture *log_setup(struct kunit *test, unsigned int features)
{
	struct log_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_create(test, BLOCKS, LOG_BLOCKS, features);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->sbi = MSYNCFS_SB(fx->fake->sb);
	fx->log = iolog_start(fx->fake, OUT);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_CREAT | O_RDWR);
	files_write(test, fx->file, 0, FILE_PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	files_quiet(fx->fake);
	iolog_reset(fx->log);
	test->priv = fx;
	return fx;
}

/* Cut the power, mount the device again and open the file again. */
static void log_crash(struct kunit *test)
{
	struct log_fixture *fx = test->priv;

	msyncfs_fake_close(fx->fake, fx->file);
	msyncfs_fake_crash(fx->fake, NULL, NULL);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_RDWR);
}

static struct log_fixture *log_default(struct kunit *test)
{
	return log_setup(test, MSYNCFS_FAKE_CACHE | MSYNCFS_FAKE_FUA);
}

/* ---- content of a record ------------------------------------------------ */

/* The first block of a record in the log. */
union header {
	u8				block[MSYNCFS_BLOCK_SIZE];
	struct msyncfs_disk_record	rec;
};

/* Return the record that begins at @pos of the log. */
static struct msyncfs_disk_record *record_at(struct kunit *test, u64 pos)
{
	struct log_fixture *fx = test->priv;
	union header *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, h);
	msyncfs_fake_read(fx->fake, fx->fake->geo.log_start + pos, h->block);
	return &h->rec;
}

static bool has_home(const struct msyncfs_disk_record *rec, u64 home, bool meta)
{
	u64 want = home | (meta ? MSYNCFS_HOME_META : 0);
	u32 i;

	for (i = 0; i < le32_to_cpu(rec->nr_images); i++)
		if (le64_to_cpu(rec->home[i]) == want)
			return true;
	return false;
}

/**
 * struct change_row - a change, and the record that commits it
 * @name: description
 * @index: first page written
 * @nr: number of pages written
 * @full: use fsync, not fdatasync
 * @images: number of images in the record
 * @meta: number of these images that are metadata
 */
struct change_row {
	const char	*name;
	pgoff_t		index;
	unsigned int	nr;
	bool		full;
	u32		images;
	u32		meta;
};

static const struct change_row change_rows[] = {
	{ "one page",			3, 1, false, 1, 0 },
	{ "one page and its times",	3, 1, true, 2, 1 },
	{ "20 pages",			100, 20, false, 20, 0 },
	/* The metadata images are the inode and a bitmap. */
	{ "one new page",		FILE_PAGES, 1, false, 3, 2 },
	{ "a hole and a new page",	FILE_PAGES + 100, 1, false, 3, 2 },
	/* A map node is the third metadata image. */
	{ "a page that needs a node",	500, 1, false, 4, 3 },
};

KUNIT_ARRAY_PARAM_DESC(change, change_rows, name);

static void log_record(struct kunit *test)
{
	const struct change_row *row = test->param_value;
	struct log_fixture *fx = log_default(test);
	struct msyncfs_disk_record *rec;
	u64 seq = fx->sbi->log->seq, pos = fx->sbi->log->head_pos;
	u64 bitmap;
	u32 i, meta = 0;

	files_write(test, fx->file, row->index, row->nr, 2);
	KUNIT_ASSERT_EQ(test, row->full ? vfs_fsync(fx->file, 0) :
					  files_sync(fx->file), 0);

	/* There is one write, of the header and the images. */
	KUNIT_ASSERT_EQ(test, fx->log->nr, 1);
	KUNIT_EXPECT_EQ(test, fx->log->io[0].nr, 1 + row->images);
	KUNIT_EXPECT_EQ(test, fx->log->io[0].blkno,
			fx->fake->geo.log_start + pos);

	rec = record_at(test, pos);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(rec->magic), MSYNCFS_MAGIC_RECORD);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(rec->nonce), fx->sbi->log->nonce);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(rec->seq), seq);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(rec->durable_seq), seq - 1);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(rec->header_blocks), 1);
	KUNIT_ASSERT_EQ(test, le32_to_cpu(rec->nr_images), row->images);
	for (i = 0; i < row->images; i++)
		meta += !!(le64_to_cpu(rec->home[i]) & MSYNCFS_HOME_META);
	KUNIT_EXPECT_EQ(test, meta, row->meta);
	for (i = 0; i < row->nr; i++)
		KUNIT_EXPECT_TRUE(test, has_home(rec, files_block(test, fx->file,
								  row->index + i),
						 false));
	KUNIT_EXPECT_EQ(test, has_home(rec, file_inode(fx->file)->i_ino, true),
			row->meta > 0);
	bitmap = fx->fake->geo.bitmap_start;
	KUNIT_EXPECT_EQ(test, has_home(rec, bitmap, true), row->meta > 1);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->seq, seq + 1);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->head_pos, pos + 1 + row->images);
}

static void restore_kind(void *kind)
{
	msyncfs_csum_kind = (uintptr_t)kind;
}

/* A mount finds records of each kind of checksum in one log. */
static void log_csum_kinds(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);
	struct msyncfs_disk_record *rec;
	u64 pos;
	u32 kind;

	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, restore_kind,
						  (void *)(uintptr_t)msyncfs_csum_kind));
	for (kind = 0; kind < MSYNCFS_CSUM_KINDS; kind++) {
		msyncfs_csum_kind = kind;
		pos = fx->sbi->log->head_pos;
		files_write(test, fx->file, kind, 1, 2 + kind);
		KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
		rec = record_at(test, pos);
		KUNIT_EXPECT_EQ(test, le32_to_cpu(rec->csum_kind), kind);
	}
	log_crash(test);
	for (kind = 0; kind < MSYNCFS_CSUM_KINDS; kind++)
		files_expect(test, fx->file, kind, 1, 2 + kind);
}

static void log_nothing(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);

	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, vfs_fsync(fx->file, 0), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);

	/* This page is dirty, but not in the range. */
	files_write(test, fx->file, 9, 1, 2);
	KUNIT_EXPECT_EQ(test, vfs_fsync_range(fx->file, 10 * PAGE_SIZE,
					      LLONG_MAX, 1), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
}

/* ---- order on the device ------------------------------------------------ */

#define FITS		1000	/* stands for the pages of one request */

/**
 * struct device_row - a device and a number of pages
 * @name: description
 * @features: features of the device
 * @pages: number of pages in the commit
 * @want: iolog_text() of the commit
 */
struct device_row {
	const char	*name;
	unsigned int	features;
	unsigned int	pages;
	const char	*want;
};

static const struct device_row device_rows[] = {
	{ "FUA", 3, 1, "Wfl" },
	{ "FUA, one request", 3, FITS, "Wfl" },
	{ "FUA, more than a request", 3, FITS + 1, "Wl F" },
	{ "FUA, fresh blocks", 3, 200, "Wh F Wfl" },
	{ "cache", 1, 1, "Wl F" },
	{ "cache, 20 pages", 1, 20, "Wl F" },
	/*
	 * Fresh blocks must be durable before the record that makes them
	 * visible (R3).
	 */
	{ "cache, fresh blocks", 1, 200, "Wh F Wl F" },
	{ "no cache", 0, 1, "Wl" },
	{ "no cache, 100 pages", 0, 100, "Wl" },
	{ "no cache, fresh blocks", 0, 200, "Wh Wl" },
};

KUNIT_ARRAY_PARAM_DESC(device, device_rows, name);

static_assert(MSYNCFS_FAKE_CACHE == 1 && MSYNCFS_FAKE_FUA == 2);

static void log_device(struct kunit *test)
{
	const struct device_row *row = test->param_value;
	struct log_fixture *fx = log_setup(test, row->features);
	unsigned int pages = row->pages;
	char text[128];

	/*
	 * Replace FITS by the number of pages that fit one request. The header
	 * of the record needs one block of the request.
	 */
	if (pages >= FITS)
		pages += (queue_max_sectors(fx->fake->disk->queue) >> 3) - 1 -
			 FITS;
	files_write(test, fx->file, 0, pages, 2);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_STREQ(test, iolog_text(fx->log, text, sizeof(text)),
			   row->want);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);

	log_crash(test);
	files_expect(test, fx->file, 0, pages, 2);
	files_expect(test, fx->file, pages, FILE_PAGES - pages, 1);
}

/* ---- sharing of records ------------------------------------------------- */

static void log_two_files(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);
	struct msyncfs_disk_record *rec;
	u64 pos = fx->sbi->log->head_pos;
	struct file *g;

	g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	files_write(test, g, 0, 1, 3);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	iolog_reset(fx->log);
	pos = fx->sbi->log->head_pos;

	/* Writeback attaches the dirty page, and does not wait for a commit. */
	files_write(test, fx->file, 7, 1, 2);
	KUNIT_EXPECT_EQ(test, filemap_fdatawrite(fx->file->f_mapping), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	files_write(test, g, 0, 1, 4);
	KUNIT_EXPECT_EQ(test, files_sync(g), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
	rec = record_at(test, pos);
	KUNIT_EXPECT_TRUE(test, has_home(rec, files_block(test, fx->file, 7),
					 false));
	KUNIT_EXPECT_TRUE(test, has_home(rec, files_block(test, g, 0), false));

	/* The record also has the page of the first file (P1). */
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
}

struct syncer {
	struct file		*file;
	int			err;
	struct completion	done;
};

static int sync_thread(void *data)
{
	struct syncer *s = data;

	s->err = files_sync(s->file);
	complete(&s->done);
	return 0;
}

static unsigned int running_blocks(struct msyncfs_sb_info *sbi)
{
	unsigned int nr;

	spin_lock(&sbi->log->txn_lock);
	nr = sbi->log->running->nr;
	spin_unlock(&sbi->log->txn_lock);
	return nr;
}

/*
 * Let two threads sync while a commit is under way. Then end this commit, let
 * the next @fails I/Os fail, and wait for both threads.
 */
static void sync_together(struct kunit *test, struct log_fixture *fx,
			  struct syncer *s, unsigned int fails)
{
	unsigned int i, tries;

	s[0].file = fx->file;
	s[1].file = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	files_write(test, s[1].file, 0, 1, 3);
	KUNIT_ASSERT_EQ(test, vfs_fsync(s[1].file, 0), 0);
	iolog_reset(fx->log);
	if (fails)
		iolog_fail(fx->log, 0, fails, MSYNCFS_FAKE_FAILS);
	for (i = 0; i < 2; i++)
		files_write(test, s[i].file, 0, 1, 5);

	mutex_lock(&fx->sbi->log->commit_mutex);
	for (i = 0; i < 2; i++) {
		init_completion(&s[i].done);
		if (IS_ERR(kthread_run(sync_thread, &s[i], "sync%u", i)))
			complete(&s[i].done);
	}
	for (tries = 0; tries < 1000 && running_blocks(fx->sbi) < 2; tries++)
		msleep(20);
	msleep(100);	/* both threads wait for the commit */
	mutex_unlock(&fx->sbi->log->commit_mutex);
	wake_up_all(&fx->sbi->log->commit_wait);
	for (i = 0; i < 2; i++)
		wait_for_completion(&s[i].done);
}

/*
 * While the device writes a record, the pool gets the memory for the next one.
 * If the device is fast, nothing is allocated after the write.
 */
static void log_refill(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);
	struct msyncfs_pool *pool = &fx->sbi->log->pool;
	struct syncer s = { .file = fx->file };
	unsigned int tries;

	msyncfs_pool_shrink(fx->sbi->log, ULONG_MAX);
	files_write(test, fx->file, 0, 64, 5);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, pool->pages, 0);

	files_write(test, fx->file, 0, 64, 6);
	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_WRITE);
	init_completion(&s.done);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(sync_thread, &s, "sync")));
	for (tries = 0; tries < 1000 && READ_ONCE(pool->pages) < 64; tries++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, pool->pages, 64);
	msyncfs_fake_release(fx->fake);
	wait_for_completion(&s.done);
	KUNIT_EXPECT_EQ(test, s.err, 0);
}

/* Two threads that sync during another commit share the next record. */
static void log_group(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);
	struct syncer s[2] = {};

	sync_together(test, fx, s, 0);
	KUNIT_EXPECT_EQ(test, s[0].err, 0);
	KUNIT_EXPECT_EQ(test, s[1].err, 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
	KUNIT_EXPECT_EQ(test, fx->log->io[0].nr, 3);
}

/*
 * If the record of both threads fails, both get the error. Neither of them may
 * write the record again, because a second failure is final.
 */
static void log_group_fails(struct kunit *test)
{
	struct log_fixture *fx = log_setup(test, MSYNCFS_FAKE_CACHE);
	struct syncer s[2] = {};

	sync_together(test, fx, s, 2);
	KUNIT_EXPECT_EQ(test, s[0].err, -EIO);
	KUNIT_EXPECT_EQ(test, s[1].err, -EIO);
	KUNIT_EXPECT_EQ(test, fx->log->failed, 1);
	KUNIT_EXPECT_FALSE(test, msyncfs_log_dead(fx->sbi));
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	iolog_reset(fx->log);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_sync(s[1].file), 0);
}

/* ---- checkpoint --------------------------------------------------------- */

/*
 * A checkpoint writes home blocks in block order, flushes, and then writes the
 * tail (R6). After the checkpoint, the log is empty.
 */
static void log_checkpoint(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);
	u8 *buf = kunit_kzalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	u64 last = 0, counter = fx->sbi->log->tail.counter;
	static const pgoff_t pages[] = { 90, 10, 50, 10 };
	unsigned int i;
	char text[128];

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		files_write(test, fx->file, pages[i], 1, 20 + i);
		KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	}
	KUNIT_EXPECT_EQ(test, fx->sbi->log->used, 8);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		msyncfs_fake_read(fx->fake, files_block(test, fx->file,
							pages[i]), buf);
		KUNIT_EXPECT_EQ(test, buf[0], 1);
	}

	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	KUNIT_EXPECT_STREQ(test, iolog_text(fx->log, text, sizeof(text)),
			   "Wh Wh Wh F Ws F");
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_GT(test, fx->log->io[i].blkno, last);
		last = fx->log->io[i].blkno;
	}
	/* The home block gets the newest image. */
	msyncfs_fake_read(fx->fake, files_block(test, fx->file, 10), buf);
	KUNIT_EXPECT_EQ(test, buf[0], 23);
	msyncfs_fake_read(fx->fake, files_block(test, fx->file, 90), buf);
	KUNIT_EXPECT_EQ(test, buf[0], 20);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->used, 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->tail.seq, fx->sbi->log->seq);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->tail.pos, fx->sbi->log->head_pos);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->tail.counter, counter + 1);
	KUNIT_EXPECT_FALSE(test, msyncfs_image_in(fx->sbi, 0, U64_MAX - 1));
	KUNIT_EXPECT_EQ(test, fx->sbi->log->home_tid, fx->sbi->log->durable_tid);
}

/*
 * The commits need more blocks than the log has. A commit that finds the log
 * full makes room by a checkpoint.
 */
static void log_full(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);
	u64 before = fx->sbi->log->nr_checkpoints;
	unsigned int i, nr = 3 * LOG_BLOCKS / 101;

	for (i = 0; i < nr; i++) {
		files_write(test, fx->file, i, 100, 50 + i);
		KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_LT(test, fx->sbi->log->used, LOG_BLOCKS);
	}
	KUNIT_EXPECT_GE(test, fx->sbi->log->nr_checkpoints, before + 2);
	KUNIT_EXPECT_GT(test, fx->sbi->log->nr_full, 0);

	log_crash(test);
	for (i = 0; i < nr; i++)
		files_expect(test, fx->file, i, 1, 50 + i);
	files_expect(test, fx->file, nr, 99, 50 + nr - 1);
	files_expect(test, fx->file, nr + 99, 1, 1);
}

/* The counters explain a slow msync: who waited, and for which commands. */
static void log_counters(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);
	struct msyncfs_log_stat before, after;
	unsigned int i;

	msyncfs_log_get_stat(fx->sbi, &before);
	for (i = 0; i < 4; i++) {
		if (i == 3)
			msyncfs_fake_no_fua(fx->fake);
		files_write(test, fx->file, i, 1, i + 2);
		KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	}
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);	/* nothing is dirty */
	msyncfs_log_get_stat(fx->sbi, &after);
	KUNIT_EXPECT_EQ(test, after.commits, before.commits + 4);
	KUNIT_EXPECT_EQ(test, after.fua_commits, before.fua_commits + 3);
	KUNIT_EXPECT_EQ(test, after.callers, before.callers + 4);
	KUNIT_EXPECT_EQ(test, after.full_waits, before.full_waits);
}

/* ---- data only in the log (B4) ------------------------------------------ */

static void log_read_image(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);
	struct address_space *mapping = fx->file->f_mapping;
	u8 *buf = kunit_kzalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	loff_t pos = 5 * PAGE_SIZE + 10;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	files_write(test, fx->file, 5, 1, 2);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	KUNIT_ASSERT_EQ(test, invalidate_inode_pages2(mapping), 0);
	KUNIT_ASSERT_EQ(test, mapping->nrpages, 0);

	/*
	 * The page is read from its image. Its neighbours are read ahead from
	 * their home blocks.
	 */
	files_expect(test, fx->file, 0, 5, 1);
	files_expect(test, fx->file, 5, 1, 2);
	files_expect(test, fx->file, 6, 5, 1);
	msyncfs_fake_read(fx->fake, files_block(test, fx->file, 5), buf);
	KUNIT_EXPECT_EQ_MSG(test, buf[0], 1, "the test proves nothing");

	/* A write to a part of the page must read the image first. */
	KUNIT_ASSERT_EQ(test, invalidate_inode_pages2(mapping), 0);
	KUNIT_ASSERT_EQ(test, kernel_write(fx->file, "x", 1, &pos), 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	KUNIT_ASSERT_EQ(test, invalidate_inode_pages2(mapping), 0);
	pos = 5 * PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, kernel_read(fx->file, buf, PAGE_SIZE, &pos),
			PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, buf[10], 'x');
	buf[10] = 2;
	KUNIT_EXPECT_NULL(test, memchr_inv(buf, 2, PAGE_SIZE));

	/* After the checkpoint, the page is read from its home block. */
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	KUNIT_ASSERT_EQ(test, invalidate_inode_pages2(mapping), 0);
	files_expect(test, fx->file, 5, 1, -EILSEQ);
	files_expect(test, fx->file, 6, 1, 1);
}

/*
 * Metadata whose newest content is only in memory and in the log must stay in
 * memory. invalidate_bdev() must not drop such metadata.
 */
static void log_read_metadata(struct kunit *test)
{
	struct log_fixture *fx = log_default(test);
	struct super_block *sb = fx->fake->sb;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		files_write(test, fx->file, FILE_PAGES + i, 1, 8);
		KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
		msyncfs_fake_close(fx->fake, fx->file);
		shrink_dcache_sb(sb);
		invalidate_bdev(sb->s_bdev);
		fx->file = msyncfs_fake_open(fx->fake, "f", O_RDWR);
		KUNIT_EXPECT_EQ(test, i_size_read(file_inode(fx->file)),
				(FILE_PAGES + i + 1) * PAGE_SIZE);
		files_expect(test, fx->file, FILE_PAGES, i + 1, 8);
	}
}

static struct kunit_case log_cases[] = {
	KUNIT_CASE_PARAM(log_record, change_gen_params),
	KUNIT_CASE(log_csum_kinds),
	KUNIT_CASE(log_nothing),
	KUNIT_CASE_PARAM(log_device, device_gen_params),
	KUNIT_CASE(log_two_files),
	KUNIT_CASE(log_refill),
	KUNIT_CASE(log_group),
	KUNIT_CASE(log_group_fails),
	KUNIT_CASE(log_checkpoint),
	KUNIT_CASE_SLOW(log_full),
	KUNIT_CASE(log_counters),
	KUNIT_CASE(log_read_image),
	KUNIT_CASE(log_read_metadata),
	{}
};

static struct kunit_suite log_suite = {
	.name		= "msyncfs_log",
	.test_cases	= log_cases,
};

kunit_test_suite(log_suite);
