// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for captures. A capture must be a consistent snapshot (G3) even
 * while threads store to the file. The threads store by write(2), or through a
 * mapping in an address space. A page must become dirty again if a program or a
 * device stores to the page after the capture.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "captures.h"

/* ---- G3: a consistent snapshot ------------------------------------------ */

/**
 * struct storer - a thread that stores a counter to one page, then to another
 * @file: file, for write(2)
 * @mm: address space to store through, NULL: write(2)
 * @addr: address of the file in @mm
 * @a: page that is stored to first
 * @b: page that is stored to next
 * @follow: read @a, which another thread counts up, and store the value to @b
 * @pause: pause between rounds, in microseconds
 * @count: rounds done
 * @err: error that stopped the thread
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

struct snapshot_row {
	const char	*name;
	bool		mmap;
	unsigned int	others;	/* dirty pages that no thread stores to */
	unsigned long	copy_max;
};

static const struct snapshot_row snapshot_rows[] = {
	{ "write(2)", false, 0, ALL },
	{ "write(2), fresh blocks", false, 0, 0 },
	{ "mapping", true, 0, ALL },
	/* The dirty pages have no gaps, so they are protected in one step. */
	{ "mapping, no gaps", true, 12, ALL },
	{ "mapping, fresh blocks", true, 12, 0 },
};

KUNIT_ARRAY_PARAM_DESC(snapshot, snapshot_rows, name);

#define PAGES	256
#define CUT_ROUNDS	80

/*
 * Page @a lies before page @b in half of the rows. Page @a lies behind page @b
 * in the other rows.
 */
static const struct storer snapshot_storers[] = {
	{ .a = 2, .b = 250, .pause = 4000 },
	{ .a = 249, .b = 3, .pause = 4000 },
	{ .a = 2, .b = 248, .follow = true, .pause = 300 },
	{ .a = 249, .b = 4, .follow = true, .pause = 300 },
};

/*
 * Remove the pages @a from the capture, so that they stay clean. The next
 * capture then finds some of these pages clean. A thread may make such a page
 * dirty soon after the capture has passed the page.
 */
static void forget_first_pages(struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(snapshot_storers); i++) {
		img = cap_image(cap, snapshot_storers[i].a);
		if (!img)
			continue;
		folio_clear_checked(img->folio);
		list_del_init(&img->list);
		cap->nr--;
		folio_put(img->folio);
		msyncfs_image_put(img);
	}
}

/* Take a snapshot and remember the value of each page in it. */
static void take_snapshot(struct kunit *test, const struct snapshot_row *row,
			  u64 *seen)
{
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;

	cap = cap_take(fx, 0, ALL, row->copy_max, ALL);
	if (IS_ERR_OR_NULL(cap)) {
		KUNIT_EXPECT_FALSE(test, IS_ERR(cap));
		return;
	}
	if (!cap->copied)
		KUNIT_EXPECT_EQ(test, msyncfs_capture_copy(cap), 0);
	list_for_each_entry(img, &cap->images, list)
		seen[img->index] = *(u64 *)page_address(img->page);
	forget_first_pages(cap);
	cap_give_back(cap, 0);
}

static void check_snapshot(struct kunit *test, const u64 *seen)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(snapshot_storers); i++) {
		const struct storer *s = &snapshot_storers[i];

		/*
		 * If a snapshot has a store to @b, it also has the earlier
		 * store to @a.
		 */
		KUNIT_EXPECT_GE_MSG(test, seen[s->a], seen[s->b],
				    "page %lu before page %lu", s->a, s->b);
		if (!s->follow)
			KUNIT_EXPECT_LE(test, seen[s->a], seen[s->b] + 1);
	}
}

/* The threads must store this often during the captures. */
#define STORES	6

static bool slow_storer(const struct storer *s)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(snapshot_storers); i++)
		if (READ_ONCE(s[i].count) < STORES)
			return true;
	return false;
}

static void capture_snapshot(struct kunit *test)
{
	const struct snapshot_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct storer s[ARRAY_SIZE(snapshot_storers)];
	struct mm_struct *mm = NULL;
	unsigned long addr = 0;
	u64 *seen;
	unsigned int i, round;

	seen = kunit_kcalloc(test, PAGES, sizeof(*seen), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	files_write(test, fx->file, 0, PAGES, 0);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	files_write(test, fx->file, 10, row->others, 0);
	if (row->mmap) {
		addr = files_map(test, fx->file, PAGES, MAP_SHARED);
		mm = current->mm;
	}

	for (i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = snapshot_storers[i];
		s[i].file = fx->file;
		s[i].mm = mm;
		s[i].addr = addr;
		s[i].task = kthread_run(storer_thread, &s[i], "msyncfs-store%u",
					i);
	}
	for (round = 0; round < CUT_ROUNDS ||
	     (slow_storer(s) && round < 100 * CUT_ROUNDS); round++) {
		take_snapshot(test, row, seen);
		check_snapshot(test, seen);
		cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(s); i++) {
		KUNIT_EXPECT_FALSE(test, IS_ERR(s[i].task));
		if (!IS_ERR(s[i].task))
			kthread_stop(s[i].task);
		KUNIT_EXPECT_EQ(test, s[i].err, 0);
		KUNIT_EXPECT_GE_MSG(test, s[i].count, STORES, "storer %u", i);
	}
	/* The threads must have made progress during the captures. */
	KUNIT_EXPECT_GT(test, seen[2], 2);
	KUNIT_EXPECT_GT(test, seen[249], 2);
	if (mm)
		vm_munmap(addr, PAGES * PAGE_SIZE);
	flush_delayed_fput();
}

/* ---- walks before the freeze -------------------------------------------- */

/*
 * The test holds i_freeze shared while another thread captures. So the capture
 * takes pages before the freeze, and then waits for the freeze. During this
 * wait the test changes pages.
 */
struct taker {
	struct cap_fixture	*fx;
	unsigned long		copy_max;
	struct msyncfs_capture	*cap;
	struct completion	done;
};

#define TAKEN	20	/* dirty pages that lie below the end of the file */
#define PINNED	10
#define AGAIN	4
#define LATER	25	/* a clean page between the dirty pages */
#define LAST	39	/* the end of the file is in this page */

static int taker_thread(void *data)
{
	struct taker *t = data;

	t->cap = cap_take(t->fx, 0, ALL, t->copy_max, ALL);
	complete(&t->done);
	return 0;
}

/* Make a page dirty as write(2) does. The test holds i_freeze shared. */
static void make_dirty(struct kunit *test, pgoff_t index, int fill)
{
	struct cap_fixture *fx = test->priv;
	struct folio *folio = filemap_lock_folio(fx->inode->i_mapping, index);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	memset(folio_address(folio), fill, PAGE_SIZE);
	folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
}

/* Expect that the capture takes only pages that cannot change unnoticed. */
static void expect_taken_early(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	unsigned int i, ms;

	for (ms = 0; ms < 10000 && cap_dirty(fx, TAKEN - 1); ms++)
		usleep_range(1000, 2000);
	for (i = 0; i < TAKEN; i++)
		KUNIT_EXPECT_EQ_MSG(test, cap_dirty(fx, i), i == PINNED,
				    "page %u", i);
	KUNIT_EXPECT_TRUE(test, cap_dirty(fx, LAST));
}

/* Expect the pages in order, each with its content under the freeze. */
static void expect_taken(struct kunit *test, struct msyncfs_capture *cap)
{
	struct msyncfs_image *img;
	pgoff_t next = 0;
	int want;

	KUNIT_EXPECT_EQ(test, cap->nr, TAKEN + 2);
	KUNIT_EXPECT_EQ(test, cap->end, LAST * PAGE_SIZE + 100);
	list_for_each_entry(img, &cap->images, list) {
		KUNIT_EXPECT_EQ(test, img->index, next);
		want = next == AGAIN || next == PINNED || next == LATER ? 3 : 2;
		if (cap->copied && next != LAST)
			KUNIT_EXPECT_EQ_MSG(test, cap_image_fill(img), want,
					    "page %lu", next);
		next = next < TAKEN - 1 ? next + 1 : next < LATER ? LATER : LAST;
	}
}

static const struct early_row {
	const char	*name;
	unsigned long	copy_max;
} early_rows[] = {
	{ "copied", ALL },
	{ "fresh blocks", 0 },
};

KUNIT_ARRAY_PARAM_DESC(early, early_rows, name);

static void capture_early(struct kunit *test)
{
	const struct early_row *row = test->param_value;
	struct cap_fixture *fx = test->priv;
	struct taker t = { .fx = fx, .copy_max = row->copy_max };
	struct task_struct *task;
	unsigned long addr;
	struct page *page;

	files_write(test, fx->file, 0, LAST + 1, 1);
	KUNIT_ASSERT_EQ(test, files_truncate(fx->file, LAST * PAGE_SIZE + 100), 0);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	addr = files_map(test, fx->file, LAST + 1, MAP_SHARED);
	files_write(test, fx->file, 0, TAKEN, 2);
	KUNIT_ASSERT_EQ(test, put_user((u8)2, (u8 __user *)addr + LAST * PAGE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, pin_user_pages_fast(addr + PINNED * PAGE_SIZE, 1,
						  FOLL_WRITE, &page), 1);
	init_completion(&t.done);
	down_read(&fx->mi->i_freeze);
	task = kthread_run(taker_thread, &t, "msyncfs-taker");
	KUNIT_EXPECT_FALSE(test, IS_ERR(task));
	expect_taken_early(test);
	make_dirty(test, AGAIN, row->copy_max ? 3 : 2);
	make_dirty(test, LATER, 3);
	memset(page_address(page), 3, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, completion_done(&t.done));
	up_read(&fx->mi->i_freeze);
	if (!IS_ERR(task))
		wait_for_completion(&t.done);
	unpin_user_page(page);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t.cap);
	/* A page under writeback stays dirty. */
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), row->copy_max ? 0 : 1);
	expect_taken(test, t.cap);
	cap_give_back(t.cap, 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), TAKEN + 2);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	files_expect(test, fx->file, LATER, 1, 3);
	vm_munmap(addr, (LAST + 1) * PAGE_SIZE);
	flush_delayed_fput();
}

/* ---- stores through a mapping ------------------------------------------- */

/*
 * A store makes one page dirty. The first store after a capture faults again.
 */
static void capture_mapping(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	struct msyncfs_capture *cap;
	unsigned long addr;
	u8 __user *p;
	u8 got = 0;

	files_write(test, fx->file, 0, 8, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	addr = files_map(test, fx->file, 8, MAP_SHARED);
	p = (u8 __user *)addr;

	KUNIT_EXPECT_EQ(test, get_user(got, p + 5 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, got, 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	KUNIT_EXPECT_EQ(test, put_user((u8)7, p + 5 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	KUNIT_EXPECT_TRUE(test, cap_dirty(fx, 5));

	cap = cap_take(fx, 0, ALL, ALL, ALL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, cap->nr, 1);
	KUNIT_EXPECT_EQ(test, *(u8 *)page_address(cap_image(cap, 5)->page), 7);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	KUNIT_EXPECT_EQ(test, put_user((u8)8, p + 5 * PAGE_SIZE + 1), 0);
	KUNIT_EXPECT_EQ_MSG(test, files_dirty(fx->file), 1,
			    "a store to a captured page was not noticed");
	KUNIT_EXPECT_EQ(test, ((u8 *)page_address(cap_image(cap, 5)->page))[1],
			1);
	cap_give_back(cap, 0);

	/* A store beyond the end of the file fails. */
	KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 2 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, put_user((u8)9, p + 5 * PAGE_SIZE), -EFAULT);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	vm_munmap(addr, 8 * PAGE_SIZE);
	flush_delayed_fput();
}

/*
 * A file may also have a mapping that can never store. A store to a captured
 * page must be noticed even then.
 */
static void capture_readers(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	unsigned long reader, addr;
	u8 __user *p;
	u8 got = 0;

	files_write(test, fx->file, 0, 8, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	reader = files_map(test, fx->file, 8, MAP_PRIVATE);
	addr = files_map(test, fx->file, 8, MAP_SHARED);
	p = (u8 __user *)addr;

	KUNIT_EXPECT_EQ(test, get_user(got, (u8 __user *)reader), 0);
	KUNIT_EXPECT_EQ(test, got, 1);
	KUNIT_EXPECT_EQ(test, put_user((u8)7, p), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	KUNIT_EXPECT_EQ(test, put_user((u8)8, p), 0);
	KUNIT_EXPECT_EQ_MSG(test, files_dirty(fx->file), 1,
			    "a store to a captured page was not noticed");
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	vm_munmap(addr, 8 * PAGE_SIZE);
	vm_munmap(reader, 8 * PAGE_SIZE);
	flush_delayed_fput();
}

/*
 * A device stores to a pinned page without a fault. A capture copies the
 * present content of the page. The page becomes dirty again when it is
 * unpinned.
 */
static void capture_pinned(struct kunit *test)
{
	struct cap_fixture *fx = test->priv;
	unsigned long addr;
	struct page *page;
	u8 *data;

	files_write(test, fx->file, 0, 2, 1);
	KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	addr = files_map(test, fx->file, 2, MAP_SHARED);

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

	/* A long-term pin is refused. */
	KUNIT_EXPECT_LT(test, pin_user_pages_fast(addr, 1, FOLL_WRITE |
						  FOLL_LONGTERM, &page), 0);
	vm_munmap(addr, 2 * PAGE_SIZE);
	flush_delayed_fput();
}

static struct kunit_case snapshot_cases[] = {
	KUNIT_CASE_PARAM_ATTR(capture_snapshot, snapshot_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(capture_early, early_gen_params),
	KUNIT_CASE(capture_mapping),
	KUNIT_CASE(capture_readers),
	KUNIT_CASE(capture_pinned),
	{}
};

static struct kunit_suite snapshot_suite = {
	.name		= "msyncfs_snapshot",
	.init		= cap_init,
	.test_cases	= snapshot_cases,
};

kunit_test_suite(snapshot_suite);
