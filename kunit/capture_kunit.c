// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for captures: which pages a capture takes, whether it copies
 * them, and which operations of other tasks must wait. snapshot_kunit.c tests
 * that a capture is a consistent snapshot (G3).
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/pagemap.h>

#include "captures.h"

static bool in_writeback(struct cap_fixture *fx, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(fx->inode->i_mapping, index);
	bool ret;

	if (IS_ERR(folio))
		return false;
	ret = folio_test_writeback(folio);
	folio_put(folio);
	return ret;
}

/* ---- choice of pages ---------------------------------------------------- */

/* Pages 0, 1, 5 and 9 of a sparse file are dirty. */
static const pgoff_t dirty_pages[] = { 0, 1, 5, 9 };

struct range_row {
	const char	*name;
	pgoff_t		first;
	pgoff_t		last;
	unsigned long	limit;
	unsigned long	want;	/* bit i: page i is captured */
};

#define P(i)	BIT(i)

static const struct range_row range_rows[] = {
	{ "all",		0, ALL, ALL, P(0) | P(1) | P(5) | P(9) },
	{ "from a hole to a hole", 2, 7, ALL, P(5) },
	{ "both ends inclusive", 1, 5, ALL, P(1) | P(5) },
	{ "one page",		9, 9, ALL, P(9) },
	{ "the first page",	0, 0, ALL, P(0) },
	{ "only a hole",	2, 4, ALL, 0 },
	{ "beyond the end",	10, ALL, ALL, 0 },
	{ "limit",		0, ALL, 2, P(0) | P(1) },
	{ "limit from the middle", 1, ALL, 1, P(1) },
	{ "limit over a hole",	1, ALL, 2, P(1) | P(5) },
	{ "limit not reached",	5, ALL, 3, P(5) | P(9) },
};

KUNIT_ARRAY_PARAM_DESC(range, range_rows, name);

static void write_sparse(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dirty_pages); i++)
		files_write(test, fx->file, dirty_pages[i], 1,
			    100 + dirty_pages[i]);
}

/*
 * Return a mask of the pages in the capture, and store the index of the last
 * page in @last. Expect that the pages are in order, and that each page has its
 * content.
 */
static unsigned long images(struct kunit *test, struct msyncfs_capture *cap,
			    pgoff_t *last)
{
	struct msyncfs_image *img;
	unsigned long got = 0;

	*last = 0;
	list_for_each_entry(img, &cap->images, list) {
		KUNIT_EXPECT_TRUE(test, !got || img->index > *last);
		*last = img->index;
		got |= BIT(img->index);
		KUNIT_EXPECT_EQ(test, cap_image_fill(img), 100 + img->index);
	}
	return got;
}

/*
 * Expect that the pages in @want are clean. The other pages of dirty_pages must
 * be dirty.
 */
static void expect_clean(struct kunit *test, unsigned long want)
{
	struct cap_fixture *fx = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dirty_pages); i++) {
		pgoff_t p = dirty_pages[i];

		KUNIT_EXPECT_EQ(test, cap_dirty(fx, p), !(want & BIT(p)));
		KUNIT_EXPECT_FALSE(test, in_writeback(fx, p));
		/* A page without a block must keep its reservation (P1). */
		KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(fx->inode, p));
	}
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 4 - hweight_long(want));
}

static void expect_sparse(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 4);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	for (i = 0; i < ARRAY_SIZE(dirty_pages); i++) {
		files_expect(test, fx->file, dirty_pages[i], 1,
			     100 + dirty_pages[i]);
		KUNIT_EXPECT_FALSE(test, msyncfs_resv_test(fx->inode,
							   dirty_pages[i]));
	}
	files_expect(test, fx->file, 2, 3, 0);
}

static void capture_range(struct kunit *test)
{
	const struct range_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;
	pgoff_t last;

	write_sparse(test);
	KUNIT_EXPECT_EQ(test, msyncfs_count_dirty(fx->inode, row->first,
						  row->last, row->limit),
			hweight_long(row->want));
	cap = cap_take(fx, row->first, row->last, ALL, row->limit);
	KUNIT_ASSERT_FALSE(test, IS_ERR(cap));
	KUNIT_ASSERT_EQ(test, !cap, !row->want);
	if (!cap) {
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 4);
		return;
	}
	KUNIT_EXPECT_EQ(test, images(test, cap, &last), row->want);
	KUNIT_EXPECT_EQ(test, cap->nr, hweight_long(row->want));
	KUNIT_EXPECT_EQ(test, cap->size, 10 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, cap->end, (last + 1) * PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, cap->copied);
	expect_clean(test, row->want);

	cap_give_back(cap, 0);
	expect_sparse(test);
}

/* A later store to the page must not change the copy. */
static void capture_is_a_copy(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;

	files_write(test, fx->file, 0, 2, 1);
	cap = cap_take(fx, 0, ALL, ALL, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	files_write(test, fx->file, 0, 1, 2);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	KUNIT_EXPECT_EQ(test, cap_image_fill(cap_image(cap, 0)), 1);
	KUNIT_EXPECT_EQ(test, cap_image_fill(cap_image(cap, 1)), 1);
	cap_give_back(cap, 0);
	files_expect(test, fx->file, 0, 1, 2);
}

/* ---- the end of the file ------------------------------------------------ */

static const struct copied_row {
	const char	*name;
	bool		copied;
} copied_rows[] = {
	{ "copied", true },
	{ "for fresh blocks", false },
};

KUNIT_ARRAY_PARAM_DESC(copied, copied_rows, name);

/*
 * Store junk beyond the end of the file, as a program can do through a mapping.
 */
static void store_beyond_end(struct kunit *test, pgoff_t index, unsigned int at)
{
	struct cap_fixture *fx = test->priv;
	struct folio *folio;

	folio = read_mapping_folio(fx->inode->i_mapping, index, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, folio);
	folio_lock(folio);
	memset(folio_address(folio) + at, 0xee, PAGE_SIZE - at);
	folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
}

/* A captured page has zeros beyond the end of the file (G1). */
static void capture_tail(struct kunit *test)
{
	const struct copied_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	loff_t size = 2 * PAGE_SIZE + 100;
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;
	u8 *p;

	files_write(test, fx->file, 0, 3, 1);
	KUNIT_ASSERT_EQ(test, files_truncate(fx->file, size), 0);
	store_beyond_end(test, 2, 100);

	cap = cap_take(fx, 0, ALL, row->copied ? ALL : 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, cap->copied, row->copied);
	KUNIT_EXPECT_EQ(test, cap->size, size);
	KUNIT_EXPECT_EQ(test, cap->end, size);
	img = cap_image(cap, 2);
	KUNIT_ASSERT_NOT_NULL(test, img);
	p = row->copied ? page_address(img->page) : folio_address(img->folio);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 1, 100));
	KUNIT_EXPECT_NULL(test, memchr_inv(p + 100, 0, PAGE_SIZE - 100));
	if (!row->copied)
		KUNIT_EXPECT_EQ(test, msyncfs_capture_copy(cap), 0);
	KUNIT_EXPECT_EQ(test, cap_image_fill(cap_image(cap, 1)), 1);
	cap_give_back(cap, 0);
}

/* A dirty page beyond the end of the file is cleaned, but not captured. */
static void capture_beyond_end(struct kunit *test)
{
	const struct copied_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;

	files_write(test, fx->file, 0, 4, 1);
	i_size_write(fx->inode, 2 * PAGE_SIZE);
	cap = cap_take(fx, 0, ALL, row->copied ? ALL : 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, cap->nr, 2);
	KUNIT_EXPECT_EQ(test, cap->end, 2 * PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, in_writeback(fx, 2));
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	cap_give_back(cap, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 2);

	/* If all dirty pages are beyond the end, nothing is captured. */
	i_size_write(fx->inode, 4 * PAGE_SIZE);
	files_write(test, fx->file, 3, 1, 1);
	i_size_write(fx->inode, 2 * PAGE_SIZE);
	cap = cap_take(fx, 3, 3, ALL, ALL);
	KUNIT_EXPECT_PTR_EQ(test, cap, NULL);
	i_size_write(fx->inode, 4 * PAGE_SIZE);
}

/* ---- pages that are not copied ------------------------------------------ */

struct max_row {
	const char	*name;
	unsigned long	copy_max;
	bool		copied;
};

static const struct max_row max_rows[] = {
	{ "none may be", 0, false },
	{ "one too many", 4, false },
	{ "just so", 5, true },
};

KUNIT_ARRAY_PARAM_DESC(max, max_rows, name);

static void capture_copy_max(struct kunit *test)
{
	const struct max_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;

	files_write(test, fx->file, 3, 5, 9);
	cap = cap_take(fx, 0, ALL, row->copy_max, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, cap->nr, 5);
	KUNIT_EXPECT_EQ(test, cap->copied, row->copied);
	list_for_each_entry(img, &cap->images, list) {
		KUNIT_EXPECT_EQ(test, !!img->page, row->copied);
		KUNIT_EXPECT_EQ(test, img->writeback, !row->copied);
		KUNIT_EXPECT_EQ(test, folio_test_writeback(img->folio),
				!row->copied);
	}
	KUNIT_EXPECT_EQ(test, mapping_tagged(fx->inode->i_mapping,
					     PAGECACHE_TAG_WRITEBACK),
			!row->copied);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);

	if (!row->copied)
		KUNIT_EXPECT_EQ(test, msyncfs_capture_copy(cap), 0);
	KUNIT_EXPECT_TRUE(test, cap->copied);
	list_for_each_entry(img, &cap->images, list) {
		KUNIT_EXPECT_EQ(test, cap_image_fill(img), 9);
		KUNIT_EXPECT_FALSE(test, folio_test_writeback(img->folio));
	}
	cap_give_back(cap, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 5);
	KUNIT_EXPECT_FALSE(test, mapping_tagged(fx->inode->i_mapping,
						PAGECACHE_TAG_WRITEBACK));
}

/*
 * If a capture is given back before its pages are written, the writeback of the
 * pages ends.
 */
static void capture_give_back_fresh(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;

	files_write(test, fx->file, 0, 5, 9);
	cap = cap_take(fx, 0, ALL, 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	cap_give_back(cap, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 5);
	KUNIT_EXPECT_FALSE(test, mapping_tagged(fx->inode->i_mapping,
						PAGECACHE_TAG_WRITEBACK));
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	files_expect(test, fx->file, 0, 5, 9);
}

/* ---- other tasks at the same time --------------------------------------- */

/**
 * struct other - an operation that another thread executes once
 * @file: file
 * @index: page to write
 * @fill: byte to write
 * @size: size to truncate to, -1: write instead
 * @err: result of the operation
 * @done: completed when the operation has returned
 */
struct other {
	struct file		*file;
	pgoff_t			index;
	u8			fill;
	loff_t			size;
	int			err;
	struct completion	done;
};

static int other_thread(void *data)
{
	struct other *o = data;
	loff_t pos = (loff_t)o->index << PAGE_SHIFT;
	u8 buf[64];

	if (o->size >= 0) {
		o->err = files_truncate(o->file, o->size);
	} else {
		memset(buf, o->fill, sizeof(buf));
		o->err = kernel_write(o->file, buf, sizeof(buf), &pos);
	}
	complete_all(&o->done);
	return 0;
}

static void start_other(struct kunit *test, struct other *o)
{
	struct task_struct *task;

	init_completion(&o->done);
	task = kthread_run(other_thread, o, "msyncfs-other");
	KUNIT_EXPECT_FALSE(test, IS_ERR(task));
	if (IS_ERR(task))
		complete_all(&o->done);
}

#define SOON	(HZ / 10)

/*
 * A store to a page that is being written waits for the end of the write. A
 * store to another page does not wait.
 */
static void capture_store_waits(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	struct other in = { .file = fx->file, .index = 1, .fill = 2,
			    .size = -1 };
	struct other out = { .file = fx->file, .index = 8, .fill = 2,
			     .size = -1 };
	struct msyncfs_capture *cap;

	files_write(test, fx->file, 0, 10, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	files_write(test, fx->file, 0, 4, 1);
	cap = cap_take(fx, 0, ALL, 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);

	/*
	 * Run @out before @in: the write(2) in @in keeps i_rwsem locked while
	 * it waits.
	 */
	start_other(test, &out);
	KUNIT_EXPECT_TRUE(test, wait_for_completion_timeout(&out.done, 5 * HZ));
	start_other(test, &in);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&in.done, SOON));
	KUNIT_EXPECT_EQ(test, msyncfs_capture_copy(cap), 0);
	wait_for_completion(&in.done);
	KUNIT_EXPECT_EQ(test, in.err, 64);
	KUNIT_EXPECT_EQ(test, cap_image_fill(cap_image(cap, 1)), 1);
	KUNIT_EXPECT_TRUE(test, cap_dirty(fx, 1));
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 2);
	cap_give_back(cap, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 5);
}

/*
 * If a truncation removes captured pages, a failed commit does not make these
 * pages dirty again (P1).
 */
static void capture_truncated_since(struct kunit *test)
{
	const struct copied_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct other shrink = { .file = fx->file, .size = PAGE_SIZE };
	struct msyncfs_capture *cap;
	struct file *again;
	unsigned long left;

	again = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	files_write(test, fx->file, 0, 4, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	files_write(test, fx->file, 0, 4, 2);
	cap = cap_take(fx, 0, ALL, row->copied ? ALL : 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);

	/*
	 * A truncation waits for pages under writeback. It does not wait for
	 * copied pages, because they are not under writeback.
	 */
	start_other(test, &shrink);
	left = wait_for_completion_timeout(&shrink.done,
					   row->copied ? 5 * HZ : SOON);
	KUNIT_EXPECT_EQ(test, !!left, row->copied);
	if (!row->copied)
		KUNIT_EXPECT_EQ(test, msyncfs_capture_copy(cap), 0);
	wait_for_completion(&shrink.done);
	KUNIT_EXPECT_EQ(test, shrink.err, 0);
	KUNIT_EXPECT_EQ(test, cap_image_fill(cap_image(cap, 3)), 2);

	cap_give_back(cap, -EIO);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	/* Each open file gets the error once. */
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_sync(again), -EIO);
	KUNIT_EXPECT_EQ(test, files_sync(again), 0);
	files_expect(test, fx->file, 0, 1, 2);
	files_expect(test, fx->file, 1, 1, -ENODATA);
}

/* A truncation waits until the captured pages are attached. */
static void capture_truncation_waits(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	struct other shrink = { .file = fx->file, .size = 0 };
	struct msyncfs_capture *cap;

	files_write(test, fx->file, 0, 4, 1);
	mutex_lock(&fx->mi->i_commit_lock);
	cap = msyncfs_capture_pages(fx->inode, 0, ALL, ALL, ALL);
	start_other(test, &shrink);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&shrink.done, SOON));
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 4 * PAGE_SIZE);
	if (!IS_ERR_OR_NULL(cap)) {
		KUNIT_EXPECT_EQ(test, cap->nr, 4);
		KUNIT_EXPECT_EQ(test, msyncfs_attach(cap, true), 0);
	}
	mutex_unlock(&fx->mi->i_commit_lock);
	wait_for_completion(&shrink.done);
	KUNIT_EXPECT_EQ(test, shrink.err, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	if (!IS_ERR_OR_NULL(cap))
		msyncfs_capture_put(cap);

	/*
	 * The commit has made the truncation durable. After a crash, the file
	 * must be empty.
	 */
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 0);
	iolog_power_off(fx->log);
	msyncfs_fake_close(fx->fake, fx->file);
	msyncfs_fake_crash(fx->fake, NULL, NULL);
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(fx->file)), 0);
}

static struct kunit_case cap_cases[] = {
	KUNIT_CASE_PARAM(capture_range, range_gen_params),
	KUNIT_CASE(capture_is_a_copy),
	KUNIT_CASE_PARAM(capture_tail, copied_gen_params),
	KUNIT_CASE_PARAM(capture_beyond_end, copied_gen_params),
	KUNIT_CASE_PARAM(capture_copy_max, max_gen_params),
	KUNIT_CASE(capture_give_back_fresh),
	KUNIT_CASE(capture_store_waits),
	KUNIT_CASE_PARAM(capture_truncated_since, copied_gen_params),
	KUNIT_CASE(capture_truncation_waits),
	{}
};

static struct kunit_suite cap_suite = {
	.name		= "msyncfs_capture",
	.init		= cap_init,
	.test_cases	= cap_cases,
};

kunit_test_suite(cap_suite);
