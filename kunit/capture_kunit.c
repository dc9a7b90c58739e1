// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for mm/capture.c: which pages a capture takes and what it makes
 * of them, and that it is a consistent cut (G3) while threads store, through
 * write(2) and through a mapping of a real address space.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "files.h"
#include "iolog.h"

#define BLOCKS		1024
#define LOG_BLOCKS	256
#define ALL		ULONG_MAX

/**
 * struct cap_fixture - a mounted device with an empty file
 * @fake: device
 * @log: what it sees
 * @file: the file
 * @inode: of it
 * @mi: of it
 */
struct cap_fixture {
	struct msyncfs_fake		*fake;
	struct iolog			*log;
	struct file			*file;
	struct inode			*inode;
	struct msyncfs_inode_info	*mi;
};

/* Mappings drop their file from a work item; it is needed before unmount. */
static void cap_flush_fput(void *unused)
{
	flush_delayed_fput();
}

static int cap_init(struct kunit *test)
{
	struct cap_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_mount(test, BLOCKS, LOG_BLOCKS);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, cap_flush_fput,
							NULL), 0);
	files_quiet(fx->fake);
	fx->log = iolog_start(fx->fake, MSYNCFS_FAKE_WRITE |
					MSYNCFS_FAKE_FLUSH);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_CREAT | O_RDWR);
	fx->inode = file_inode(fx->file);
	fx->mi = MSYNCFS_I(fx->inode);
	test->priv = fx;
	return 0;
}

static struct msyncfs_capture *take(struct cap_fixture *fx, pgoff_t first,
				    pgoff_t last, unsigned long copy_max,
				    unsigned long limit)
{
	struct msyncfs_capture *cap;

	mutex_lock(&fx->mi->i_commit_lock);
	cap = msyncfs_capture(fx->inode, first, last, copy_max, limit);
	mutex_unlock(&fx->mi->i_commit_lock);
	return cap;
}

/* Gives a capture back as if its commit had failed. */
static void give_back(struct msyncfs_capture *cap, int err)
{
	msyncfs_capture_redirty(cap, err);
	msyncfs_capture_put(cap);
}

static int image_fill(struct msyncfs_image *img)
{
	const u8 *p = page_address(img->page);

	return memchr_inv(p, p[0], PAGE_SIZE) ? -EILSEQ : p[0];
}

static struct msyncfs_image *image_of(struct msyncfs_capture *cap,
				      pgoff_t index)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list)
		if (img->index == index)
			return img;
	return NULL;
}

static bool page_has(struct cap_fixture *fx, pgoff_t index,
		     bool (*what)(const struct folio *folio))
{
	struct folio *folio = filemap_get_folio(fx->inode->i_mapping, index);
	bool ret;

	if (IS_ERR(folio))
		return false;
	ret = what(folio);
	folio_put(folio);
	return ret;
}

static bool is_dirty(const struct folio *folio)
{
	return folio_test_dirty(folio);
}

static bool is_writeback(const struct folio *folio)
{
	return folio_test_writeback(folio);
}

/* ---- which pages ------------------------------------------------------------ */

/* Pages 0, 1, 5 and 9 of a sparse file are dirty. */
static const pgoff_t dirty_pages[] = { 0, 1, 5, 9 };

struct range_row {
	const char	*name;
	pgoff_t		first;
	pgoff_t		last;
	unsigned long	limit;
	unsigned long	want;	/* bit i: page i */
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

static void capture_range(struct kunit *test)
{
	const struct range_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;
	unsigned long got = 0;
	pgoff_t last = 0;
	unsigned int i;

	write_sparse(test);
	KUNIT_EXPECT_EQ(test, msyncfs_count_dirty(fx->inode, row->first,
						  row->last, row->limit),
			hweight_long(row->want));
	cap = take(fx, row->first, row->last, ALL, row->limit);
	KUNIT_ASSERT_FALSE(test, IS_ERR(cap));
	KUNIT_ASSERT_EQ(test, !cap, !row->want);
	if (!cap) {
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 4);
		return;
	}

	list_for_each_entry(img, &cap->images, list) {
		KUNIT_EXPECT_TRUE(test, !got || img->index > last);
		last = img->index;
		got |= BIT(img->index);
		KUNIT_EXPECT_EQ(test, image_fill(img), 100 + img->index);
	}
	KUNIT_EXPECT_EQ(test, got, row->want);
	KUNIT_EXPECT_EQ(test, cap->nr, hweight_long(row->want));
	KUNIT_EXPECT_EQ(test, cap->size, 10 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, cap->end, (last + 1) * PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, cap->copied);

	/* Those are clean now, the others are not; nobody is in writeback. */
	for (i = 0; i < ARRAY_SIZE(dirty_pages); i++) {
		pgoff_t p = dirty_pages[i];

		KUNIT_EXPECT_EQ(test, page_has(fx, p, is_dirty),
				!(row->want & BIT(p)));
		KUNIT_EXPECT_FALSE(test, page_has(fx, p, is_writeback));
		/* No block yet, so the promise of one is kept (P1). */
		KUNIT_EXPECT_TRUE(test, msyncfs_resv_test(fx->inode, p));
	}
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 4 - cap->nr);

	give_back(cap, 0);
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

/* A stale copy must not change with the page, nor with what is stored later. */
static void capture_is_a_copy(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;

	files_write(test, fx->file, 0, 2, 1);
	cap = take(fx, 0, ALL, ALL, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	files_write(test, fx->file, 0, 1, 2);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	KUNIT_EXPECT_EQ(test, image_fill(image_of(cap, 0)), 1);
	KUNIT_EXPECT_EQ(test, image_fill(image_of(cap, 1)), 1);
	give_back(cap, 0);
	files_expect(test, fx->file, 0, 1, 2);
}

/* ---- the end of the file --------------------------------------------------- */

static const struct copied_row {
	const char	*name;
	bool		copied;
} copied_rows[] = {
	{ "copied", true },
	{ "for fresh blocks", false },
};

KUNIT_ARRAY_PARAM_DESC(copied, copied_rows, name);

/* Leaves junk behind the end of the file, as a store to a mapping does. */
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

/* What becomes durable ends in zeros (G1). */
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

	cap = take(fx, 0, ALL, row->copied ? ALL : 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, cap->copied, row->copied);
	KUNIT_EXPECT_EQ(test, cap->size, size);
	KUNIT_EXPECT_EQ(test, cap->end, size);
	img = image_of(cap, 2);
	KUNIT_ASSERT_NOT_NULL(test, img);
	p = row->copied ? page_address(img->page) : folio_address(img->folio);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 1, 100));
	KUNIT_EXPECT_NULL(test, memchr_inv(p + 100, 0, PAGE_SIZE - 100));
	if (!row->copied)
		KUNIT_EXPECT_EQ(test, msyncfs_capture_copy(cap), 0);
	KUNIT_EXPECT_EQ(test, image_fill(image_of(cap, 1)), 1);
	give_back(cap, 0);
}

/* A page that lies beyond the end altogether is not taken, and not dirty. */
static void capture_beyond_end(struct kunit *test)
{
	const struct copied_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;

	files_write(test, fx->file, 0, 4, 1);
	i_size_write(fx->inode, 2 * PAGE_SIZE);
	cap = take(fx, 0, ALL, row->copied ? ALL : 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, cap->nr, 2);
	KUNIT_EXPECT_EQ(test, cap->end, 2 * PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, page_has(fx, 2, is_writeback));
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	give_back(cap, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 2);

	/* Nothing but such pages: nothing to commit. */
	i_size_write(fx->inode, 4 * PAGE_SIZE);
	files_write(test, fx->file, 3, 1, 1);
	i_size_write(fx->inode, 2 * PAGE_SIZE);
	cap = take(fx, 3, 3, ALL, ALL);
	KUNIT_EXPECT_PTR_EQ(test, cap, NULL);
	i_size_write(fx->inode, 4 * PAGE_SIZE);
}

/* ---- pages that are not copied --------------------------------------------- */

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
	cap = take(fx, 0, ALL, row->copy_max, ALL);
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
		KUNIT_EXPECT_EQ(test, image_fill(img), 9);
		KUNIT_EXPECT_FALSE(test, folio_test_writeback(img->folio));
	}
	give_back(cap, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 5);
	KUNIT_EXPECT_FALSE(test, mapping_tagged(fx->inode->i_mapping,
						PAGECACHE_TAG_WRITEBACK));
}

/* Given back without having been written: the writeback ends all the same. */
static void capture_give_back_fresh(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;

	files_write(test, fx->file, 0, 5, 9);
	cap = take(fx, 0, ALL, 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	give_back(cap, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 5);
	KUNIT_EXPECT_FALSE(test, mapping_tagged(fx->inode->i_mapping,
						PAGECACHE_TAG_WRITEBACK));
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	files_expect(test, fx->file, 0, 5, 9);
}

/* ---- somebody else at the same time ---------------------------------------- */

/**
 * struct other - something that another thread does once
 * @file: file
 * @index: page to write
 * @fill: what with
 * @size: to truncate to, -1: write instead
 * @err: how it ended
 * @done: it has
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
 * A store to a page that is being written itself waits for that write; a store
 * to one that is not does not.
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
	cap = take(fx, 0, ALL, 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);

	/* Not at once: write(2) holds i_rwsem while it waits. */
	start_other(test, &out);
	KUNIT_EXPECT_TRUE(test, wait_for_completion_timeout(&out.done, 5 * HZ));
	start_other(test, &in);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&in.done, SOON));
	KUNIT_EXPECT_EQ(test, msyncfs_capture_copy(cap), 0);
	wait_for_completion(&in.done);
	KUNIT_EXPECT_EQ(test, in.err, 64);
	KUNIT_EXPECT_EQ(test, image_fill(image_of(cap, 1)), 1);
	KUNIT_EXPECT_TRUE(test, page_has(fx, 1, is_dirty));
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 2);
	give_back(cap, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 5);
}

/* Pages that have been truncated since do not become dirty again (P1). */
static void capture_truncated_since(struct kunit *test)
{
	const struct copied_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct other cut = { .file = fx->file, .size = PAGE_SIZE };
	struct msyncfs_capture *cap;
	struct file *again;
	unsigned long left;

	again = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	files_write(test, fx->file, 0, 4, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	files_write(test, fx->file, 0, 4, 2);
	cap = take(fx, 0, ALL, row->copied ? ALL : 0, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);

	/* Truncation waits for pages under writeback, and only for those. */
	start_other(test, &cut);
	left = wait_for_completion_timeout(&cut.done,
					   row->copied ? 5 * HZ : SOON);
	KUNIT_EXPECT_EQ(test, !!left, row->copied);
	if (!row->copied)
		KUNIT_EXPECT_EQ(test, msyncfs_capture_copy(cap), 0);
	wait_for_completion(&cut.done);
	KUNIT_EXPECT_EQ(test, cut.err, 0);
	KUNIT_EXPECT_EQ(test, image_fill(image_of(cap, 3)), 2);

	give_back(cap, -EIO);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	/* Whoever has it open is told, once. */
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_sync(again), -EIO);
	KUNIT_EXPECT_EQ(test, files_sync(again), 0);
	files_expect(test, fx->file, 0, 1, 2);
	files_expect(test, fx->file, 1, 1, -ENODATA);
}

/* Truncation comes before the capture or after its blocks are fixed. */
static void capture_truncation_waits(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	struct other cut = { .file = fx->file, .size = 0 };
	struct msyncfs_capture *cap;

	files_write(test, fx->file, 0, 4, 1);
	mutex_lock(&fx->mi->i_commit_lock);
	cap = msyncfs_capture(fx->inode, 0, ALL, ALL, ALL);
	start_other(test, &cut);
	KUNIT_EXPECT_FALSE(test, wait_for_completion_timeout(&cut.done, SOON));
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 4 * PAGE_SIZE);
	if (!IS_ERR_OR_NULL(cap)) {
		KUNIT_EXPECT_EQ(test, cap->nr, 4);
		KUNIT_EXPECT_EQ(test, msyncfs_attach(cap, true), 0);
	}
	mutex_unlock(&fx->mi->i_commit_lock);
	wait_for_completion(&cut.done);
	KUNIT_EXPECT_EQ(test, cut.err, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	if (!IS_ERR_OR_NULL(cap))
		msyncfs_capture_put(cap);

	/* Both are in the record, in that order. */
	KUNIT_EXPECT_EQ(test, i_size_read(fx->inode), 0);
	iolog_power_off(fx->log);
	msyncfs_fake_close(fx->fake, fx->file);
	msyncfs_fake_crash(fx->fake, NULL, NULL);
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(fx->file)), 0);
}

/* ---- G3: a consistent cut --------------------------------------------------- */

/**
 * struct storer - a thread that counts up in one page, then in another
 * @file: file, to write(2) to
 * @mm: address space to store through, NULL: write(2)
 * @addr: where the file is mapped in it
 * @a: page that is stored to first
 * @b: page that is stored to next
 * @follow: what is stored to @b is what is found in @a, which is another's
 * @pause: between rounds, in microseconds
 * @count: rounds done
 * @err: why it gave up
 * @task: the thread
 */
struct storer {
	struct file		*file;
	struct mm_struct	*mm;
	unsigned long		addr;
	pgoff_t			a;
	pgoff_t			b;
	bool			follow;
	unsigned int		pause;
	u64			count;
	int			err;
	struct task_struct	*task;
};

static u64 __user *user_page(struct storer *s, pgoff_t index)
{
	return (u64 __user *)(s->addr + (index << PAGE_SHIFT));
}

static int store(struct storer *s, pgoff_t index, u64 value)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	ssize_t ret;

	if (s->mm)
		return put_user(value, user_page(s, index));
	ret = kernel_write(s->file, &value, sizeof(value), &pos);
	return ret == sizeof(value) ? 0 : -EIO;
}

static int load(struct storer *s, pgoff_t index, u64 *value)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	ssize_t ret;

	if (s->mm)
		return get_user(*value, user_page(s, index));
	ret = kernel_read(s->file, value, sizeof(*value), &pos);
	return ret == sizeof(*value) ? 0 : -EIO;
}

static int storer_thread(void *data)
{
	struct storer *s = data;
	u64 value = 0;

	if (s->mm)
		kthread_use_mm(s->mm);
	while (!kthread_should_stop()) {
		if (s->err) {
			schedule_timeout_interruptible(1);
			continue;
		}
		if (s->follow) {
			s->err = load(s, s->a, &value);
		} else {
			value++;
			s->err = store(s, s->a, value);
		}
		if (!s->err)
			s->err = store(s, s->b, value);
		s->count++;
		usleep_range(s->pause, 3 * s->pause);
	}
	if (s->mm)
		kthread_unuse_mm(s->mm);
	return 0;
}

struct cut_row {
	const char	*name;
	bool		mmap;
	unsigned int	others;	/* more dirty pages around those stored to */
	unsigned long	copy_max;
};

static const struct cut_row cut_rows[] = {
	{ "write(2)", false, 0, ALL },
	{ "write(2), fresh blocks", false, 0, 0 },
	{ "mapping", true, 0, ALL },
	/* Enough of them to be write-protected in one go. */
	{ "mapping, dense", true, 12, ALL },
	{ "mapping, fresh blocks", true, 12, 0 },
};

KUNIT_ARRAY_PARAM_DESC(cut, cut_rows, name);

#define CUT_PAGES	256
#define CUT_ROUNDS	80

/* Both ways: the page that is stored to first lies before, and behind. */
static const struct storer cut_storers[] = {
	{ .a = 2, .b = 250, .pause = 4000 },
	{ .a = 249, .b = 3, .pause = 4000 },
	{ .a = 2, .b = 248, .follow = true, .pause = 300 },
	{ .a = 249, .b = 4, .follow = true, .pause = 300 },
};

/*
 * The pages that are stored to first stay clean, for the next cut to meet some
 * of them clean when it passes and dirty soon after.
 */
static void forget_first_pages(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cut_storers); i++) {
		img = image_of(cap, cut_storers[i].a);
		if (!img)
			continue;
		folio_clear_checked(img->folio);
		list_del_init(&img->list);
		cap->nr--;
		msyncfs_image_put(img);
	}
}

/* Takes a cut and remembers what it holds of each page. */
static void take_cut(struct kunit *test, const struct cut_row *row, u64 *seen)
{
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;

	cap = take(fx, 0, ALL, row->copy_max, ALL);
	if (IS_ERR_OR_NULL(cap)) {
		KUNIT_EXPECT_FALSE(test, IS_ERR(cap));
		return;
	}
	if (!cap->copied)
		KUNIT_EXPECT_EQ(test, msyncfs_capture_copy(cap), 0);
	list_for_each_entry(img, &cap->images, list)
		seen[img->index] = *(u64 *)page_address(img->page);
	forget_first_pages(cap);
	give_back(cap, 0);
}

static void check_cut(struct kunit *test, const u64 *seen)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cut_storers); i++) {
		const struct storer *s = &cut_storers[i];

		/* If the later store is in, so is the earlier one. */
		KUNIT_EXPECT_GE_MSG(test, seen[s->a], seen[s->b],
				    "page %lu before page %lu", s->a, s->b);
		if (!s->follow)
			KUNIT_EXPECT_LE(test, seen[s->a], seen[s->b] + 1);
	}
}

static void capture_cut(struct kunit *test)
{
	const struct cut_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct storer s[ARRAY_SIZE(cut_storers)];
	struct mm_struct *mm = NULL;
	unsigned long addr = 0;
	u64 *seen;
	unsigned int i, round;

	seen = kunit_kcalloc(test, CUT_PAGES, sizeof(*seen), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	files_write(test, fx->file, 0, CUT_PAGES, 0);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	files_write(test, fx->file, 10, row->others, 0);
	if (row->mmap) {
		addr = kunit_vm_mmap(test, fx->file, 0, CUT_PAGES * PAGE_SIZE,
				     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
		KUNIT_ASSERT_NE(test, addr, 0);
		KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
		mm = current->mm;
	}

	for (i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = cut_storers[i];
		s[i].file = fx->file;
		s[i].mm = mm;
		s[i].addr = addr;
		s[i].task = kthread_run(storer_thread, &s[i], "msyncfs-store%u",
					i);
	}
	for (round = 0; round < CUT_ROUNDS; round++) {
		take_cut(test, row, seen);
		check_cut(test, seen);
		cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		KUNIT_EXPECT_FALSE(test, IS_ERR(s[i].task));
		if (!IS_ERR(s[i].task))
			kthread_stop(s[i].task);
		KUNIT_EXPECT_EQ(test, s[i].err, 0);
		KUNIT_EXPECT_GT_MSG(test, s[i].count, 5, "storer %u", i);
	}
	/* The storers got on while the cuts were taken. */
	KUNIT_EXPECT_GT(test, seen[2], 2);
	KUNIT_EXPECT_GT(test, seen[249], 2);
	if (mm)
		vm_munmap(addr, CUT_PAGES * PAGE_SIZE);
	flush_delayed_fput();
}

/* ---- a mapping's stores ------------------------------------------------------- */

/* Each store makes 4 KiB dirty, and faults again after each capture. */
static void capture_mapping(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;
	unsigned long addr;
	u8 __user *p;
	u8 got = 0;

	files_write(test, fx->file, 0, 8, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	addr = kunit_vm_mmap(test, fx->file, 0, 8 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	p = (u8 __user *)addr;

	KUNIT_EXPECT_EQ(test, get_user(got, p + 5 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, got, 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	KUNIT_EXPECT_EQ(test, put_user((u8)7, p + 5 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	KUNIT_EXPECT_TRUE(test, page_has(fx, 5, is_dirty));

	cap = take(fx, 0, ALL, ALL, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, cap->nr, 1);
	KUNIT_EXPECT_EQ(test, *(u8 *)page_address(image_of(cap, 5)->page), 7);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	KUNIT_EXPECT_EQ(test, put_user((u8)8, p + 5 * PAGE_SIZE + 1), 0);
	KUNIT_EXPECT_EQ_MSG(test, files_dirty(fx->file), 1,
			    "a store to a captured page was not noticed");
	KUNIT_EXPECT_EQ(test, ((u8 *)page_address(image_of(cap, 5)->page))[1],
			1);
	give_back(cap, 0);

	/* Beyond the end there is nothing to store to. */
	KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 2 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, put_user((u8)9, p + 5 * PAGE_SIZE), -EFAULT);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	vm_munmap(addr, 8 * PAGE_SIZE);
	flush_delayed_fput();
}

/*
 * A device stores to a page that it has pinned, without a fault: the page is
 * captured as it is, and dirty again when the device is done.
 */
static void capture_pinned(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	unsigned long addr;
	struct page *page;
	u8 *data;

	files_write(test, fx->file, 0, 2, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	addr = kunit_vm_mmap(test, fx->file, 0, 2 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));

	KUNIT_ASSERT_EQ(test, pin_user_pages_fast(addr, 1, FOLL_WRITE, &page), 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	data = page_address(page);
	memset(data, 2, PAGE_SIZE / 2);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	memset(data, 2, PAGE_SIZE);
	unpin_user_pages_dirty_lock(&page, 1, true);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_invalidate(file_inode(fx->file), 0, 1), 0);
	files_expect(test, fx->file, 0, 1, 2);

	/* For good, it is refused. */
	KUNIT_EXPECT_LT(test, pin_user_pages_fast(addr, 1, FOLL_WRITE |
						  FOLL_LONGTERM, &page), 0);
	vm_munmap(addr, 2 * PAGE_SIZE);
	flush_delayed_fput();
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
	KUNIT_CASE_PARAM_ATTR(capture_cut, cut_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(capture_mapping),
	KUNIT_CASE(capture_pinned),
	{}
};

static struct kunit_suite cap_suite = {
	.name		= "msyncfs_capture",
	.init		= cap_init,
	.test_cases	= cap_cases,
};

kunit_test_suite(cap_suite);
