// SPDX-License-Identifier: GPL-2.0
/*
 * An atomic file and its model: see model.h.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/pagemap.h>

#include "model.h"

#define BLOCKS		1400
#define LOG_BLOCKS	256	/* 63 images fit a record, 31 copied pages */
#define OUT		(MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH)

/* ---- the file and the model --------------------------------------------- */

/**
 * model_write - write whole pages to the file and to the model
 * @test: test, which fails if this function fails
 * @fx: fixture
 * @first: first page
 * @nr: number of pages
 * @fill: the byte that fills them
 */
void model_write(struct kunit *test, struct atomic_fixture *fx,
		 unsigned int first, unsigned int nr, u8 fill)
{
	files_write(test, fx->file, first, nr, fill);
	memset(fx->now.fill + first, fill, nr);
	fx->now.pages = max(fx->now.pages, first + nr);
}

static void set_size(struct kunit *test, struct atomic_fixture *fx,
		     unsigned int pages)
{
	KUNIT_ASSERT_EQ(test, files_truncate(fx->file, (loff_t)pages *
					     PAGE_SIZE), 0);
	if (pages < fx->now.pages)
		memset(fx->now.fill + pages, 0, fx->now.pages - pages);
	fx->now.pages = pages;
}

static void punch(struct kunit *test, struct atomic_fixture *fx,
		  unsigned int first, unsigned int nr)
{
	KUNIT_ASSERT_EQ(test, files_punch(fx->file, first, nr), 0);
	memset(fx->now.fill + first, 0, nr);
}

/**
 * model_differs - compare the file with a model
 * @fx: fixture
 * @m: model, @fx->old or @fx->now or a copy of one of these models
 *
 * Return: -1 if the file has the content of the model; MODEL_MAX if their sizes
 * differ; otherwise the number of the first page that differs.
 */
int model_differs(struct atomic_fixture *fx, const struct model *m)
{
	unsigned int i;

	if (i_size_read(file_inode(fx->file)) != (loff_t)m->pages * PAGE_SIZE)
		return MODEL_MAX;
	for (i = 0; i < m->pages; i++)
		if (files_read(fx->file, i) != m->fill[i])
			return i;
	return -1;
}

/**
 * model_settled - commit and checkpoint, then expect that no block is promised
 * @test: test
 * @fx: fixture
 * @space: also expect as many available blocks as after model_prepare()
 */
void model_settled(struct kunit *test, struct atomic_fixture *fx, bool space)
{
	struct super_block *sb = fx->fake->sb;

	files_settled(test, sb);
	if (space)
		KUNIT_EXPECT_EQ(test, msyncfs_space_avail(sb), fx->space);
}

/**
 * model_open - open the file after a mount
 * @fx: fixture
 */
void model_open(struct atomic_fixture *fx)
{
	fx->sbi = MSYNCFS_SB(fx->fake->sb);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_CREAT | O_RDWR);
}

/**
 * model_prepare - bring the file and the model into their initial state
 * @test: test, which fails if this function fails
 * @fx: fixture
 *
 * The file is atomic. It has MODEL_PAGES pages full of 1. All pages are durable
 * and home.
 */
void model_prepare(struct kunit *test, struct atomic_fixture *fx)
{
	files_quiet(fx->fake);
	set_size(test, fx, 0);
	model_write(test, fx, 0, MODEL_PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
	if (!fx->sbi->options.atomic)
		KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(file_inode(fx->file),
							 true), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	fx->old = fx->now;
	fx->space = msyncfs_space_avail(fx->fake->sb);
	iolog_reset(fx->log);
}

/**
 * model_setup - make a device, mount it and make an atomic file
 * @test: test, which fails if this function fails
 * @features: features of the device, MSYNCFS_FAKE_*
 * @options: mount options, NULL for none
 *
 * Return: the fixture, after model_prepare().
 */
struct atomic_fixture *model_setup(struct kunit *test, unsigned int features,
				   const char *options)
{
	struct atomic_fixture *fx = kunit_kzalloc(test, sizeof(*fx),
						  GFP_KERNEL);
	char opts[32] = "";

	KUNIT_ASSERT_NOT_NULL(test, fx);
	if (options)
		strscpy(opts, options, sizeof(opts));
	fx->fake = msyncfs_fake_create(test, BLOCKS, LOG_BLOCKS, features);
	fx->log = iolog_start(fx->fake, OUT);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, opts), 0);
	model_open(fx);
	model_prepare(test, fx);
	return fx;
}

/**
 * model_crash - let the power fail, and mount the device again
 * @test: test, which fails if the device cannot be mounted
 * @fx: fixture; the function opens its file again
 * @keep: seed that chooses which blocks of the volatile cache survive, see
 *	iolog_keep()
 */
void model_crash(struct kunit *test, struct atomic_fixture *fx,
		 unsigned int keep)
{
	iolog_power_off(fx->log);
	msyncfs_fake_close(fx->fake, fx->file);
	msyncfs_fake_crash(fx->fake, iolog_keep, &keep);
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	model_open(fx);
}

/**
 * model_spill - write and drop pages, as memory pressure does
 * @fx: fixture
 *
 * Return: 0 or the negative errno of the write.
 */
int model_spill(struct atomic_fixture *fx)
{
	int err = filemap_flush(fx->file->f_mapping);

	invalidate_mapping_pages(fx->file->f_mapping, 0, ULONG_MAX);
	return err;
}

/* ---- changes ------------------------------------------------------------ */

/**
 * model_overwrite - change a run of five pages, and one page far from it
 * @test: test, which fails if this function fails
 * @fx: fixture
 * @fill: the byte that fills the new pages
 */
void model_overwrite(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	model_write(test, fx, 3, 5, fill);
	model_write(test, fx, 40, 1, fill);
}

static void do_overwrite_all(struct kunit *test, struct atomic_fixture *fx,
			     u8 fill)
{
	model_write(test, fx, 0, MODEL_PAGES, fill);
}

static void do_append(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	model_write(test, fx, MODEL_PAGES, 7, fill);
}

static void do_sparse(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	model_write(test, fx, 1, 1, fill);
	model_write(test, fx, 440, 20, fill);
	model_write(test, fx, 520, 1, fill);
}

/**
 * model_large - change more pages than fit a record
 * @test: test, which fails if this function fails
 * @fx: fixture
 * @fill: the byte that fills the new pages
 */
void model_large(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	model_write(test, fx, 20, 150, fill);
	model_write(test, fx, 500, 10, fill);
}

static void do_shrink(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_size(test, fx, 10);
}

static void do_rewrite(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	set_size(test, fx, 0);
	model_write(test, fx, 2, 4, fill);
}

/**
 * model_regrow - truncate the file and extend it again
 * @test: test, which fails if this function fails
 * @fx: fixture
 * @fill: the byte that fills the new pages
 */
void model_regrow(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	model_write(test, fx, 10, 10, fill);
	set_size(test, fx, 15);
	set_size(test, fx, MODEL_PAGES + 6);
	model_write(test, fx, 30, 2, fill);
}

/**
 * model_punch - write pages, punch a hole, and write some of its pages again
 * @test: test, which fails if this function fails
 * @fx: fixture
 * @fill: the byte that fills the new pages
 */
void model_punch(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	model_write(test, fx, 20, 10, fill);
	punch(test, fx, 5, 20);
	model_write(test, fx, 8, 2, fill);
}

static void do_empty(struct kunit *test, struct atomic_fixture *fx, u8 fill)
{
	model_write(test, fx, 20, 10, fill);
	set_size(test, fx, 0);
}

/* Most cases for atomic files run once with each of these changes. */
const struct change_row model_changes[] = {
	{ "overwrite", model_overwrite },
	{ "overwrite all", do_overwrite_all },
	{ "append", do_append },
	{ "sparse", do_sparse },
	{ "large", model_large },
	{ "shrink", do_shrink },
	{ "rewrite", do_rewrite },
	{ "regrow", model_regrow },
	{ "punch", model_punch },
	{ "empty", do_empty },
};

/**
 * model_change - change the file and the model
 * @test: test, which fails if this function fails
 * @fx: fixture
 * @row: the change
 * @mode: how often the pages are spilled during the change, SPILL_*
 */
void model_change(struct kunit *test, struct atomic_fixture *fx,
		  const struct change_row *row, unsigned int mode)
{
	row->make(test, fx, 2);
	if (mode == SPILL_NEVER)
		return;
	model_spill(fx);
	if (mode == SPILL_TWICE) {
		row->make(test, fx, 3);
		model_spill(fx);
	}
	/* Make a spilled page dirty again. */
	if (fx->now.pages > 4)
		model_write(test, fx, 4, 1, 4);
}

/* ---- another thread ------------------------------------------------------ */

static int other_thread(void *data)
{
	struct other *o = data;

	o->ret = o->what(o->fx);
	WRITE_ONCE(o->done, true);
	while (!kthread_should_stop())
		usleep_range(500, 1000);
	return 0;
}

/**
 * other_start - start the operation of another thread
 * @test: test, which fails if there is no thread
 * @o: the thread
 */
void other_start(struct kunit *test, struct other *o)
{
	o->task = kthread_run(other_thread, o, "msyncfs-other");
	KUNIT_ASSERT_FALSE(test, IS_ERR(o->task));
}

/**
 * other_end - wait for the operation of another thread
 * @test: test, which fails if the operation does not end
 * @o: the thread
 * @want: expected return value
 */
void other_end(struct kunit *test, struct other *o, loff_t want)
{
	unsigned int i;

	for (i = 0; i < 2000 && !READ_ONCE(o->done); i++)
		msleep(20);
	KUNIT_EXPECT_TRUE(test, o->done);
	kthread_stop(o->task);
	KUNIT_EXPECT_EQ(test, o->ret, want);
}
