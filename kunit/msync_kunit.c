// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for msync: one record for the whole range, MS_ASYNC, errors,
 * times and the order of stores. The cases call msyncfs_msync() as the ioctl
 * and the hook do, on mappings in an address space of the test.
 * Documentation/msync.rst has the table of the flags. msync_calls_kunit.c tests
 * refused calls. invalidate_kunit.c tests MS_INVALIDATE.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "calls.h"

#define RW		(PROT_READ | PROT_WRITE)

/* ---- one record --------------------------------------------------------- */

/*
 * A call over several mappings of two files writes one record with one
 * snapshot. One page is mapped twice.
 */
static void msync_one_record(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	/* Page 2 of f is in the range twice. */
	call_map(test, fx->f, 2, HOLE_AT, 2, MAP_SHARED);
	call_store(test, F_AT, 2);
	call_store(test, F_AT + 2, 3);
	call_store(test, G_AT + 1, 4);
	call_store(test, F2_AT + 3, 5);
	call_store(test, PRIVATE_AT, 6);
	KUNIT_EXPECT_EQ(test, call_msync(test, 0, MAP_PAGES, MS_SYNC), 0);
	KUNIT_ASSERT_EQ(test, fx->log->nr, 1);
	KUNIT_EXPECT_EQ(test, fx->log->io[0].nr, 1 + 4);
	KUNIT_EXPECT_TRUE(test, fx->log->io[0].opf & REQ_FUA);

	/* Nothing is dirty, so nothing is written. */
	KUNIT_EXPECT_EQ(test, call_msync(test, 0, MAP_PAGES, MS_SYNC), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
	KUNIT_EXPECT_EQ(test, call_load(fx, PRIVATE_AT), 6);

	call_crash(test);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 0), 2);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 2), 3);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->g, 1), 4);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 103), 5);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 20), 1);
}

/*
 * Two files go into one record even if they have too many dirty pages to copy,
 * or if pages need new blocks.
 */
static void msync_two_large(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	u64 records = MSYNCFS_SB(fx->fake->sb)->log->nr_commits;
	struct msyncfs_range ranges[2] = {
		{ .inode = file_inode(fx->f), .last = ULONG_MAX },
		{ .inode = file_inode(fx->g), .last = ULONG_MAX },
	};

	files_write(test, fx->f, 0, 80, 7);
	files_write(test, fx->g, 10, 80, 8);
	files_write(test, fx->g, CALL_PAGES + 5, 3, 9);
	if (ranges[0].inode > ranges[1].inode)
		swap(ranges[0], ranges[1]);
	KUNIT_EXPECT_EQ(test, msyncfs_sync_ranges(ranges, 2, true), 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->fake->sb)->log->nr_commits,
			records + 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&MSYNCFS_SB(fx->fake->sb)->log->nr_split), 0);
	call_crash(test);
	files_expect(test, fx->f, 0, 80, 7);
	files_expect(test, fx->f, 80, 5, 1);
	files_expect(test, fx->g, 10, 80, 8);
	files_expect(test, fx->g, CALL_PAGES + 5, 3, 9);
}

/*
 * The range maps the same two pages many times. Each page must be captured only
 * once. The list of the mappings needs more than one page of memory.
 */
static void msync_many_mappings(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	unsigned int i, nr = 300;
	unsigned long addr;

	addr = files_map(test, NULL, 2 * nr, MAP_PRIVATE | MAP_ANONYMOUS);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, vm_mmap(fx->f, addr + 2 * i * PAGE_SIZE,
					      2 * PAGE_SIZE, RW,
					      MAP_SHARED | MAP_FIXED, 0),
				addr + 2 * i * PAGE_SIZE);
	call_store(test, F_AT, 2);
	call_store(test, F_AT + 1, 3);
	/*
	 * If the call made copies for each mapping, the copies would not fit a
	 * record.
	 */
	KUNIT_EXPECT_EQ(test, msyncfs_msync(addr, 2 * nr * PAGE_SIZE, MS_SYNC),
			0);
	KUNIT_ASSERT_EQ(test, fx->log->nr, 1);
	KUNIT_EXPECT_EQ(test, fx->log->io[0].nr, 1 + 2);
	call_store(test, F_AT, 4);
	KUNIT_EXPECT_EQ(test, msyncfs_msync(addr, 2 * nr * PAGE_SIZE, MS_ASYNC),
			0);
	KUNIT_EXPECT_EQ(test, msyncfs_msync(addr, 2 * nr * PAGE_SIZE,
					    MS_INVALIDATE), 0);
	KUNIT_EXPECT_FALSE(test, call_cached(fx->f, 1));
	vm_munmap(addr, 2 * nr * PAGE_SIZE);
	call_crash(test);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 0), 4);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 1), 3);
}

/* ---- MS_ASYNC ----------------------------------------------------------- */

/* MS_ASYNC sends the write of the record and returns before the write ends. */
static void msync_async(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	msyncfs_fake_hold(fx->fake, CALL_OUT);
	call_store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_ASYNC), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_fake_held(fx->fake), 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	/*
	 * A store makes the page dirty again. The next call captures the page.
	 */
	call_store(test, F_AT, 3);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_ASYNC), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_ASYNC), 0);
	msyncfs_fake_release(fx->fake);

	/* The second commit follows the first commit without another call. */
	flush_workqueue(MSYNCFS_SB(fx->fake->sb)->wq);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 2);
	call_crash(test);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 0), 3);
}

/* A sync waits for the commit that MS_ASYNC started, and writes nothing. */
static void msync_async_fsync(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	call_store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_ASYNC), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->f), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
	call_crash(test);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 0), 2);
}

/*
 * If the pages do not fit a record, MS_ASYNC sends writes to fresh blocks.
 */
static void msync_async_large(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct msyncfs_range range = {
		.inode = file_inode(fx->f), .last = ULONG_MAX,
	};

	files_write(test, fx->f, 0, 200, 7);
	msyncfs_fake_hold(fx->fake, CALL_OUT);
	KUNIT_EXPECT_EQ(test, msyncfs_start_ranges(&range, 1), 0);
	KUNIT_EXPECT_GE(test, msyncfs_fake_held(fx->fake), 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	msyncfs_fake_release(fx->fake);
	flush_workqueue(MSYNCFS_SB(fx->fake->sb)->wq);
	call_crash(test);
	files_expect(test, fx->f, 0, 200, 7);
	files_expect(test, fx->f, 200, 2, 1);
}

/* An unmount waits for the commit that MS_ASYNC started. */
static void msync_async_unmount(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct msyncfs_range range = {
		.inode = file_inode(fx->f), .last = ULONG_MAX,
	};

	files_write(test, fx->f, 0, 200, 7);
	call_unmap(fx);
	KUNIT_EXPECT_EQ(test, msyncfs_start_ranges(&range, 1), 0);
	msyncfs_fake_close(fx->fake, fx->f);
	msyncfs_fake_close(fx->fake, fx->g);
	msyncfs_fake_umount(fx->fake);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->f = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	files_expect(test, fx->f, 0, 200, 7);
}

/* If the commit that MS_ASYNC started fails, the next sync gets the error. */
static void msync_async_error(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	call_store(test, F_AT, 2);
	msyncfs_fake_no_fua(fx->fake);
	msyncfs_fake_fail(fx->fake, MSYNCFS_FAKE_WRITE, 0, 1);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 4, MS_ASYNC), 0);
	flush_workqueue(MSYNCFS_SB(fx->fake->sb)->wq);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_EQ(test, files_sync(fx->f), -EIO);
	KUNIT_EXPECT_EQ(test, files_sync(fx->f), 0);
	call_crash(test);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 0), 2);
}

/* ---- errors ------------------------------------------------------------- */

/*
 * If the record fails, the pages of both files become dirty again. Each open
 * file gets the error once.
 */
static void msync_error(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct file *other = msyncfs_fake_open(fx->fake, "g", O_RDWR);

	call_store(test, F_AT, 2);
	call_store(test, G_AT, 3);
	msyncfs_fake_no_fua(fx->fake);
	msyncfs_fake_fail(fx->fake, MSYNCFS_FAKE_WRITE, 0, 1);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 8, MS_SYNC), -EIO);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->g), 1);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 8, MS_SYNC), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->g), 0);
	KUNIT_EXPECT_EQ(test, files_sync(other), -EIO);
	KUNIT_EXPECT_EQ(test, files_sync(other), 0);
	msyncfs_fake_close(fx->fake, other);
	call_crash(test);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 0), 2);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->g, 0), 3);
}

/* ---- times -------------------------------------------------------------- */

static struct timespec64 mtime(struct file *file)
{
	return inode_get_mtime(file_inode(file));
}

static struct timespec64 ctime(struct file *file)
{
	return inode_get_ctime(file_inode(file));
}

static bool same_time(struct timespec64 a, struct timespec64 b)
{
	return timespec64_equal(&a, &b);
}

static const struct way_row {
	const char	*name;
	int		flags;	/* -1: fsync */
	unsigned int	pages;	/* 1, or several without gaps */
} way_rows[] = {
	{ "sync", MS_SYNC, 1 },
	{ "sync, no gaps", MS_SYNC, 8 },
	{ "async", MS_ASYNC, 1 },
	{ "invalidate", MS_INVALIDATE, 1 },
	{ "fsync", -1, 1 },
};

KUNIT_ARRAY_PARAM_DESC(way, way_rows, name);

static int sync_by(struct kunit *test, const struct way_row *row)
{
	struct call_fixture *fx = test->priv;

	return row->flags < 0 ? vfs_fsync(fx->f, 0) :
				call_msync(test, F_AT, 8, row->flags);
}

/*
 * A store may change a page without a fault. msync must update the times for
 * such a store.
 */
static void msync_times(struct kunit *test)
{
	const struct way_row *row = test->param_value;
	struct call_fixture *fx = test->priv;
	struct timespec64 first, second;
	unsigned int i;

	call_map(test, fx->f, 0, F_AT, 8, MAP_SHARED);
	for (i = 0; i < row->pages; i++)
		call_store(test, F_AT + i, 2);
	first = mtime(fx->f);
	msleep(30);
	call_store(test, F_AT, 3);
	KUNIT_EXPECT_TRUE(test, same_time(mtime(fx->f), first));
	KUNIT_EXPECT_EQ(test, sync_by(test, row), 0);
	if (row->flags < 0) {
		/* fsync leaves the times to the next msync. */
		KUNIT_EXPECT_TRUE(test, same_time(mtime(fx->f), first));
		KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 8, MS_SYNC), 0);
	}
	second = mtime(fx->f);
	KUNIT_EXPECT_GT(test, timespec64_compare(&second, &first), 0);
	KUNIT_EXPECT_TRUE(test, same_time(second, ctime(fx->f)));
	msleep(30);
	/* There was no store since the last sync, so no time changes. */
	KUNIT_EXPECT_EQ(test, sync_by(test, row), 0);
	KUNIT_EXPECT_TRUE(test, same_time(mtime(fx->f), second));
	/* Pages that write(2) made dirty do not change the times either. */
	files_write(test, fx->f, 0, row->pages, 5);
	first = mtime(fx->f);
	msleep(30);
	KUNIT_EXPECT_EQ(test, sync_by(test, row), 0);
	KUNIT_EXPECT_TRUE(test, same_time(mtime(fx->f), first));
}

/*
 * Store to a page that is clean, and some time later once more. Only the first
 * store faults. Return mtime after the first store.
 */
static struct timespec64 store_twice(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct timespec64 first;

	call_map(test, fx->f, 0, F_AT, 8, MAP_SHARED);
	call_store(test, F_AT, 2);
	first = mtime(fx->f);
	msleep(30);
	call_store(test, F_AT, 3);
	return first;
}

/*
 * A spill must also update the times, because a later msync finds the page
 * clean.
 */
static void msync_times_spilled(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct timespec64 first, second;

	KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(file_inode(fx->f), true), 0);
	first = store_twice(test);
	KUNIT_EXPECT_EQ(test, filemap_flush(fx->f->f_mapping), 0);
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 8, MS_SYNC), 0);
	second = mtime(fx->f);
	KUNIT_EXPECT_GT(test, timespec64_compare(&second, &first), 0);
}

/*
 * Background writeback leaves the times as they are, and so does a later msync
 * after utimensat(2) has set them.
 */
static void msync_times_background(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct iattr attr = { .ia_valid = ATTR_MTIME | ATTR_MTIME_SET };
	struct timespec64 first, second;

	first = store_twice(test);
	KUNIT_EXPECT_EQ(test, filemap_write_and_wait(fx->f->f_mapping), 0);
	second = mtime(fx->f);
	KUNIT_EXPECT_EQ(test, timespec64_compare(&second, &first), 0);

	attr.ia_mtime = (struct timespec64){ .tv_sec = 1000 };
	inode_lock(file_inode(fx->f));
	KUNIT_EXPECT_EQ(test, notify_change(&nop_mnt_idmap, fx->f->f_path.dentry,
					    &attr, NULL), 0);
	inode_unlock(file_inode(fx->f));
	KUNIT_EXPECT_EQ(test, call_msync(test, F_AT, 8, MS_SYNC), 0);
	second = mtime(fx->f);
	KUNIT_EXPECT_EQ(test, second.tv_sec, 1000);
}

/* ---- G3 across files ---------------------------------------------------- */

/**
 * struct pair - a thread that stores a counter to one file, then to another
 * @mm: address space
 * @first: address of its first store
 * @then: address of its second store
 * @count: rounds done
 * @err: error that stopped the thread
 * @task: the thread
 */
struct pair {
	struct mm_struct	*mm;
	unsigned long		first;
	unsigned long		then;
	u64			count;
	int			err;
	struct task_struct	*task;
};

static int pair_thread(void *data)
{
	struct pair *p = data;

	kthread_use_mm(p->mm);
	while (!kthread_should_stop()) {
		p->count++;
		if (!p->err)
			p->err = put_user(p->count, (u64 __user *)p->first);
		if (!p->err)
			p->err = put_user(p->count, (u64 __user *)p->then);
		usleep_range(300, 900);
	}
	kthread_unuse_mm(p->mm);
	return 0;
}

/*
 * Return the value of a page in the captures of two files, or @old if the page
 * was not captured.
 */
static u64 captured(struct list_head *set, struct file *file, pgoff_t index,
		    u64 old)
{
	struct msyncfs_capture *cap;
	struct msyncfs_image *img;

	list_for_each_entry(cap, set, set) {
		if (cap->inode != file_inode(file))
			continue;
		list_for_each_entry(img, &cap->images, list)
			if (img->index == index)
				return *(u64 *)page_address(img->page);
	}
	return old;
}

/* Take one snapshot of both files. The pages stay clean, as after a commit. */
static void snapshot_both(struct kunit *test, struct msyncfs_range *ranges,
			  u64 (*seen)[2])
{
	struct call_fixture *fx = test->priv;
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(fx->fake->sb);
	struct msyncfs_capture *cap, *next;
	LIST_HEAD(set);
	int i;

	mutex_lock(&sbi->set_mutex);
	for (i = 0; i < 2; i++)
		mutex_lock_nest_lock(&MSYNCFS_I(ranges[i].inode)->i_commit_lock,
				     &sbi->set_mutex);
	KUNIT_EXPECT_EQ(test, msyncfs_capture_ranges(ranges, 2, ULONG_MAX,
						     ULONG_MAX, &set, true), 0);
	for (i = 1; i >= 0; i--)
		mutex_unlock(&MSYNCFS_I(ranges[i].inode)->i_commit_lock);
	mutex_unlock(&sbi->set_mutex);

	seen[0][0] = captured(&set, fx->f, 0, seen[0][0]);
	seen[0][1] = captured(&set, fx->g, 0, seen[0][1]);
	seen[1][0] = captured(&set, fx->g, 1, seen[1][0]);
	seen[1][1] = captured(&set, fx->f, 1, seen[1][1]);
	list_for_each_entry_safe(cap, next, &set, set) {
		list_del_init(&cap->set);
		msyncfs_capture_publish(cap);
		msyncfs_capture_put(cap);
	}
}

static void msync_snapshot(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct pair pairs[2] = {
		{ .first = call_at(fx, F_AT), .then = call_at(fx, G_AT) },
		{ .first = call_at(fx, G_AT + 1), .then = call_at(fx, F_AT + 1) },
	};
	struct msyncfs_range ranges[2] = {
		{ .inode = file_inode(fx->f), .last = 3 },
		{ .inode = file_inode(fx->g), .last = 3 },
	};
	u64 seen[2][2] = {};
	int i, round;

	if (ranges[0].inode > ranges[1].inode)
		swap(ranges[0], ranges[1]);
	for (i = 0; i < 2; i++) {
		/*
		 * Set all 8 bytes of the counters to 0. A store of one byte
		 * would leave the old value in the other bytes.
		 */
		KUNIT_ASSERT_EQ(test, put_user(0ULL, (u64 __user *)call_at(fx, F_AT + i)), 0);
		KUNIT_ASSERT_EQ(test, put_user(0ULL, (u64 __user *)call_at(fx, G_AT + i)), 0);
		pairs[i].mm = current->mm;
		pairs[i].task = kthread_run(pair_thread, &pairs[i],
					    "msyncfs-pair%d", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(pairs[i].task));
	}
	for (round = 0; round < 30000; round++) {
		/* On a busy machine the threads need more rounds to get ahead. */
		if (round >= 300 && min(seen[0][1], seen[1][1]) > 5)
			break;
		snapshot_both(test, ranges, seen);
		for (i = 0; i < 2; i++)
			KUNIT_EXPECT_GE_MSG(test, seen[i][0], seen[i][1],
					    "pair %d", i);
		cond_resched();
	}
	for (i = 0; i < 2; i++) {
		kthread_stop(pairs[i].task);
		KUNIT_EXPECT_EQ(test, pairs[i].err, 0);
		KUNIT_EXPECT_GT(test, pairs[i].count, 5);
		KUNIT_EXPECT_GT(test, seen[i][1], 2);
	}
}

static struct kunit_case call_cases[] = {
	KUNIT_CASE(msync_one_record),
	KUNIT_CASE(msync_two_large),
	KUNIT_CASE(msync_many_mappings),
	KUNIT_CASE(msync_async),
	KUNIT_CASE(msync_async_fsync),
	KUNIT_CASE(msync_async_large),
	KUNIT_CASE(msync_async_unmount),
	KUNIT_CASE(msync_async_error),
	KUNIT_CASE(msync_error),
	KUNIT_CASE_PARAM(msync_times, way_gen_params),
	KUNIT_CASE(msync_times_spilled),
	KUNIT_CASE(msync_times_background),
	KUNIT_CASE(msync_snapshot),
	{}
};

static struct kunit_suite call_suite = {
	.name		= "msyncfs_msync",
	.init		= call_init,
	.test_cases	= call_cases,
};

kunit_test_suite(call_suite);
