// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for pages that are filled while a file loses data (P0). Old data
 * must not come back. The suite also puts a large folio into the page cache, as
 * the kernel does for the text of programs.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/falloc.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/pagemap.h>

#include "files.h"

#define PAGES		8
#define FILLED		3	/* page that is filled during the change */
#define RESERVED	9	/* dirty page without a block */

/**
 * struct fill_row - a change that discards data
 * @name: description
 * @atomic: the file is atomic
 * @change: makes the change
 * @want: first byte of the page FILLED after the change
 */
struct fill_row {
	const char	*name;
	bool		atomic;
	int		(*change)(struct file *file);
	int		want;
};

static int cut(struct file *file)
{
	return files_truncate(file, 0);
}

static int punch(struct file *file)
{
	return files_punch(file, 0, RESERVED + 1);
}

static int roll_back(struct file *file)
{
	return msyncfs_atomic_rollback(file_inode(file));
}

static const struct fill_row fill_rows[] = {
	{ "truncation", false, cut, 0 },
	{ "hole", false, punch, 0 },
	{ "truncation of an atomic file", true, cut, 0 },
	{ "hole in an atomic file", true, punch, 0 },
	{ "rollback", true, roll_back, 1 },
};

KUNIT_ARRAY_PARAM_DESC(fill, fill_rows, name);

/**
 * struct fill_thread - a change that another thread makes
 * @row: the change
 * @file: the file
 * @ret: the result
 * @done: the change has ended
 */
struct fill_thread {
	const struct fill_row	*row;
	struct file		*file;
	int			ret;
	struct completion	done;
};

static int fill_thread(void *data)
{
	struct fill_thread *t = data;

	t->ret = t->row->change(t->file);
	complete(&t->done);
	return 0;
}

/* Makes a file with PAGES pages full of 1. */
static struct file *fill_file(struct kunit *test, struct msyncfs_fake *fake,
			      bool atomic)
{
	struct file *file = msyncfs_fake_open(fake, "f", O_CREAT | O_RDWR);

	files_quiet(fake);
	files_write(test, file, 0, PAGES, 1);
	KUNIT_ASSERT_EQ(test, files_sync(file), 0);
	if (atomic)
		KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(file_inode(file),
							 true), 0);
	return file;
}

/* Lets another task read a page, as uprobes does. It takes no lock. */
static void fill(struct kunit *test, struct file *file, pgoff_t index)
{
	struct folio *folio;

	folio = read_mapping_folio(file->f_mapping, index, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	folio_put(folio);
}

/*
 * The newest content of the page is an image in the log, or on the block to
 * which the page was spilled. While the test holds space->lock, the change cannot
 * end the reservation of the dirty page, nor give the block of the spilled page
 * back. The page is filled at this moment.
 */
static void fill_during(struct kunit *test)
{
	const struct fill_row *row = test->param_value;
	struct msyncfs_fake *fake = msyncfs_fake_mount(test, 2048, 256);
	struct file *file = fill_file(test, fake, row->atomic);
	struct mutex *lock = &MSYNCFS_SB(fake->sb)->space->lock;
	struct fill_thread t = { .row = row, .file = file };

	init_completion(&t.done);
	files_write(test, file, FILLED, 1, 2);
	if (row->atomic)
		KUNIT_ASSERT_EQ(test, filemap_flush(file->f_mapping), 0);
	else
		KUNIT_ASSERT_EQ(test, files_sync(file), 0);
	invalidate_mapping_pages(file->f_mapping, 0, ULONG_MAX);
	files_write(test, file, RESERVED, 1, 2);

	mutex_lock(lock);
	if (!IS_ERR(kthread_run(fill_thread, &t, "msyncfs-fill"))) {
		msleep(300);
		KUNIT_EXPECT_FALSE(test, completion_done(&t.done));
		/* Another task would not have the lock. */
		lockdep_off();
		fill(test, file, FILLED);
		lockdep_on();
	}
	mutex_unlock(lock);
	wait_for_completion(&t.done);
	KUNIT_EXPECT_EQ(test, t.ret, 0);
	KUNIT_ASSERT_EQ(test, files_truncate(file, PAGES * PAGE_SIZE), 0);
	files_expect(test, file, FILLED, 1, row->want);
	KUNIT_EXPECT_EQ(test, files_sync(file), 0);
	files_expect(test, file, FILLED, 1, row->want);
}

/*
 * The block of the last page has other bytes than zeros beyond the end of the
 * file, for example because a crash has lost the zeros. No mapping may show these
 * bytes.
 */
static void fill_tail(struct kunit *test)
{
	struct msyncfs_fake *fake = msyncfs_fake_mount(test, 2048, 256);
	struct file *file = fill_file(test, fake, false);
	u8 *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct folio *folio;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, files_truncate(file, 2 * PAGE_SIZE + 100), 0);
	KUNIT_ASSERT_EQ(test, files_sync(file), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fake->sb), 0);
	invalidate_mapping_pages(file->f_mapping, 0, ULONG_MAX);
	memset(buf, 1, PAGE_SIZE);
	msyncfs_fake_write(fake, files_block(test, file, 2), buf);

	folio = read_mapping_folio(file->f_mapping, 2, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	memcpy(buf, folio_address(folio), PAGE_SIZE);
	folio_put(folio);
	KUNIT_EXPECT_NULL(test, memchr_inv(buf, 1, 100));
	KUNIT_EXPECT_NULL(test, memchr_inv(buf + 100, 0, PAGE_SIZE - 100));
}

/* Puts a large folio with the pages 4 to 7 into the page cache. */
static void add_large(struct kunit *test, struct file *file)
{
	struct address_space *mapping = file->f_mapping;
	struct folio *folio = msyncfs_kunit_folio(2);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	KUNIT_ASSERT_EQ(test, invalidate_inode_pages2(mapping), 0);
	memset(folio_address(folio), 1, 4 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, filemap_add_folio(mapping, folio, 4, GFP_KERNEL),
			0);
	folio_mark_uptodate(folio);
	folio_unlock(folio);
	folio_put(folio);
}

static void expect_after_large(struct kunit *test, struct file *file, int last)
{
	u8 *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	loff_t pos = 6 * PAGE_SIZE;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	files_expect(test, file, 0, 6, 1);
	KUNIT_EXPECT_EQ(test, kernel_read(file, buf, PAGE_SIZE, &pos),
			PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, memchr_inv(buf, 1, 100));
	KUNIT_EXPECT_NULL(test, memchr_inv(buf + 100, 0, PAGE_SIZE - 100));
	files_expect(test, file, 7, 1, last);
}

/*
 * A truncation in the middle of a large folio zeroes the right page, and so does
 * a write.
 */
static void fill_large(struct kunit *test)
{
	struct msyncfs_fake *fake = msyncfs_fake_mount(test, 2048, 256);
	struct file *file = fill_file(test, fake, false);

	add_large(test, file);
	KUNIT_ASSERT_EQ(test, files_truncate(file, 6 * PAGE_SIZE + 100), 0);
	KUNIT_ASSERT_EQ(test, files_truncate(file, 8 * PAGE_SIZE), 0);
	expect_after_large(test, file, 0);
	files_write(test, file, 6, 2, 1);
	KUNIT_EXPECT_EQ(test, files_sync(file), 0);

	add_large(test, file);
	KUNIT_ASSERT_EQ(test, vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE |
					    FALLOC_FL_KEEP_SIZE,
					    6 * PAGE_SIZE + 100,
					    PAGE_SIZE - 100), 0);
	files_write(test, file, 7, 1, 3);
	expect_after_large(test, file, 3);
	KUNIT_EXPECT_EQ(test, files_sync(file), 0);
	invalidate_mapping_pages(file->f_mapping, 0, ULONG_MAX);
	expect_after_large(test, file, 3);
}

/*
 * An append makes the file larger, and a hole drops the page before it is
 * committed. After an fsync the file has its size nevertheless.
 */
static void fill_appended(struct kunit *test)
{
	static const int mode[] = {
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};
	struct msyncfs_fake *fake;
	struct file *file;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mode); i++) {
		fake = msyncfs_fake_mount(test, 2048, 256);
		file = fill_file(test, fake, false);
		files_write(test, file, PAGES, 1, 2);
		KUNIT_ASSERT_EQ(test, vfs_fallocate(file, mode[i],
						    PAGES * PAGE_SIZE,
						    PAGE_SIZE), 0);
		KUNIT_ASSERT_EQ(test, files_sync(file), 0);
		msyncfs_fake_close(fake, file);
		msyncfs_fake_crash(fake, NULL, NULL);
		KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
		file = msyncfs_fake_open(fake, "f", O_RDWR);
		KUNIT_EXPECT_EQ(test, i_size_read(file_inode(file)),
				(PAGES + 1) * PAGE_SIZE);
		files_expect(test, file, PAGES, 1, 0);
	}
}

static struct kunit_case fill_cases[] = {
	KUNIT_CASE_PARAM(fill_during, fill_gen_params),
	KUNIT_CASE(fill_tail),
	KUNIT_CASE(fill_large),
	KUNIT_CASE(fill_appended),
	{}
};

static struct kunit_suite fill_suite = {
	.name		= "msyncfs_fill",
	.test_cases	= fill_cases,
};

kunit_test_suite(fill_suite);
