// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for mm/msync.c, sync.c and invalidate.c: the rows of the table in
 * Documentation/msync.rst, called as the ioctl and the hook do, on mappings of
 * an address space of the test's own.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "files.h"
#include "iolog.h"

#define BLOCKS		4096
#define LOG_BLOCKS	512	/* a record: 128 */
#define FILE_PAGES	256
#define OUT		(MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH)

/* Where the files are mapped, in pages from the base; [8, 10) is a hole. */
#define F_AT		0
#define G_AT		4
#define HOLE_AT		8
#define F2_AT		10	/* page 100 of f on */
#define PRIVATE_AT	14	/* page 20 of f on, MAP_PRIVATE */
#define ANON_AT		18
#define MAP_PAGES	20

#define RW		(PROT_READ | PROT_WRITE)

/**
 * struct call_fixture - two files, home and clean, and where they are mapped
 * @fake: device
 * @log: what it sees
 * @f: FILE_PAGES pages full of 1
 * @g: the same
 * @base: address of the first mapping
 */
struct call_fixture {
	struct msyncfs_fake	*fake;
	struct iolog		*log;
	struct file		*f;
	struct file		*g;
	unsigned long		base;
};

static unsigned long at(struct call_fixture *fx, unsigned int page)
{
	return fx->base + ((unsigned long)page << PAGE_SHIFT);
}

static unsigned long map(struct kunit *test, struct file *file, pgoff_t index,
			 unsigned int page, unsigned int nr, int flags)
{
	struct call_fixture *fx = test->priv;
	unsigned long addr;

	addr = vm_mmap(file, at(fx, page), nr * PAGE_SIZE, RW,
		       flags | MAP_FIXED, index << PAGE_SHIFT);
	KUNIT_ASSERT_EQ(test, addr, at(fx, page));
	return addr;
}

static struct file *make_file(struct kunit *test, const char *name)
{
	struct call_fixture *fx = test->priv;
	struct file *file;

	file = msyncfs_fake_open(fx->fake, name, O_CREAT | O_RDWR);
	files_write(test, file, 0, FILE_PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(file, 0), 0);
	return file;
}

static void unmap_all(struct call_fixture *fx)
{
	vm_munmap(fx->base, MAP_PAGES * PAGE_SIZE);
	flush_delayed_fput();
}

/* Mappings drop their file from a work item; it is needed before unmount. */
static void call_flush_fput(void *unused)
{
	flush_delayed_fput();
}

static struct call_fixture *call_setup(struct kunit *test, const char *options)
{
	struct call_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	char opts[32];

	KUNIT_ASSERT_NOT_NULL(test, fx);
	test->priv = fx;
	strscpy(opts, options, sizeof(opts));
	fx->fake = msyncfs_fake_create(test, BLOCKS, LOG_BLOCKS,
				       MSYNCFS_FAKE_CACHE | MSYNCFS_FAKE_FUA);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, opts), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, call_flush_fput,
							NULL), 0);
	fx->log = iolog_start(fx->fake, OUT);
	fx->f = make_file(test, "f");
	fx->g = make_file(test, "g");
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	files_quiet(fx->fake);
	iolog_reset(fx->log);

	fx->base = kunit_vm_mmap(test, NULL, 0, MAP_PAGES * PAGE_SIZE, RW,
				 MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(fx->base));
	KUNIT_ASSERT_NE(test, fx->base, 0);
	map(test, fx->f, 0, F_AT, 4, MAP_SHARED);
	map(test, fx->g, 0, G_AT, 4, MAP_SHARED);
	map(test, fx->f, 100, F2_AT, 4, MAP_SHARED);
	map(test, fx->f, 20, PRIVATE_AT, 4, MAP_PRIVATE);
	vm_munmap(at(fx, HOLE_AT), 2 * PAGE_SIZE);
	return fx;
}

static int call_init(struct kunit *test)
{
	call_setup(test, "");
	return 0;
}

static void store(struct kunit *test, unsigned int page, u8 value)
{
	struct call_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, put_user(value, (u8 __user *)at(fx, page)), 0);
}

static int load(struct call_fixture *fx, unsigned int page)
{
	u8 value;
	int err = get_user(value, (u8 __user *)at(fx, page));

	return err ?: value;
}

static int call(struct kunit *test, unsigned int page, unsigned int nr,
		int flags)
{
	return msyncfs_msync(at(test->priv, page), nr * PAGE_SIZE, flags);
}

static bool cached(struct file *file, pgoff_t index)
{
	return filemap_range_has_page(file->f_mapping,
				      (loff_t)index << PAGE_SHIFT,
				      ((loff_t)(index + 1) << PAGE_SHIFT) - 1);
}

/* The first byte of a page, as a mount after a power failure finds it. */
static void crash(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	iolog_power_off(fx->log);
	unmap_all(fx);
	msyncfs_fake_close(fx->fake, fx->f);
	msyncfs_fake_close(fx->fake, fx->g);
	msyncfs_fake_crash(fx->fake, NULL, NULL);
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->f = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	fx->g = msyncfs_fake_open(fx->fake, "g", O_RDWR);
}

static int first_byte(struct file *file, pgoff_t index)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	u8 value;

	return kernel_read(file, &value, 1, &pos) == 1 ? value : -EIO;
}

/* ---- which calls are refused, and what they do all the same ----------------- */

/**
 * struct call_row - a call on pages 0 of both files, stored to before
 * @name: what it is
 * @options: of the mount
 * @start: first byte, from the base on
 * @len: in bytes
 * @flags: MS_*
 * @ret: what it returns
 * @f: page 0 of f is not dirty any more
 * @g: page 0 of g is not
 */
struct call_row {
	const char	*name;
	const char	*options;
	long		start;
	size_t		len;
	int		flags;
	int		ret;
	bool		f;
	bool		g;
};

static const struct call_row call_rows[] = {
	{ "not aligned", "", 1, 4096, MS_SYNC, -EINVAL },
	{ "unknown flag", "", 0, 4096, MS_SYNC | 8, -EINVAL },
	{ "negative flags", "", 0, 4096, -1, -EINVAL },
	{ "both", "", 0, 4096, MS_SYNC | MS_ASYNC, -EINVAL },
	{ "all three", "", 0, 4096, MS_SYNC | MS_ASYNC | MS_INVALIDATE,
	  -EINVAL },
	{ "one page", "", 0, 1, MS_SYNC, 0, true, false },
	{ "rounded up", "", 0, 4 * PAGE_SIZE + 1, MS_SYNC, 0, true, true },
	{ "both files", "", 0, 8 * PAGE_SIZE, MS_SYNC, 0, true, true },
	{ "a hole at the end", "", 0, 10 * PAGE_SIZE, MS_SYNC, -ENOMEM, true,
	  true },
	{ "a hole in the middle", "", 0, 12 * PAGE_SIZE, MS_SYNC, -ENOMEM,
	  true, true },
	{ "async, a hole in the middle", "", 0, 12 * PAGE_SIZE, MS_ASYNC,
	  -ENOMEM, true, true },
	{ "leaves the address space", "", 0, 1UL << 47, MS_SYNC, -ENOMEM,
	  true, true },
	{ "only a hole", "", HOLE_AT * PAGE_SIZE, PAGE_SIZE, MS_SYNC,
	  -ENOMEM },
	{ "wraps", "", 0, -3 * PAGE_SIZE, MS_SYNC, -ENOMEM },
	{ "wraps when rounded up", "", 0, SIZE_MAX, MS_SYNC, -ENOMEM },
	{ "nothing", "", 0, 0, MS_SYNC, 0 },
	{ "nothing in a hole", "", HOLE_AT * PAGE_SIZE, 0, MS_SYNC, 0 },
	{ "nothing, all", "msync=bsd", PAGE_SIZE, 0, MS_SYNC, 0, true, false },
	{ "nothing in a hole, BSD", "msync=bsd", HOLE_AT * PAGE_SIZE, 0,
	  MS_SYNC, 0 },
	{ "no flags", "", 0, 8 * PAGE_SIZE, 0, 0, true, true },
	{ "no flags, BSD", "msync=bsd", 0, 8 * PAGE_SIZE, 0, 0, true, true },
	{ "async", "", 0, 4 * PAGE_SIZE, MS_ASYNC, 0, true, false },
	{ "async and invalidate", "", 0, 4 * PAGE_SIZE,
	  MS_ASYNC | MS_INVALIDATE, 0, true, false },
	{ "async and invalidate, BSD", "msync=bsd", 0, 4 * PAGE_SIZE,
	  MS_ASYNC | MS_INVALIDATE, -EINVAL },
	{ "invalidate", "", 0, 8 * PAGE_SIZE, MS_INVALIDATE, 0, true, true },
	{ "sync and invalidate", "msync=bsd", 0, 8 * PAGE_SIZE,
	  MS_SYNC | MS_INVALIDATE, 0, true, true },
	{ "anonymous memory", "", ANON_AT * PAGE_SIZE, 2 * PAGE_SIZE, MS_SYNC,
	  0 },
	{ "private", "", PRIVATE_AT * PAGE_SIZE, 4 * PAGE_SIZE,
	  MS_SYNC | MS_INVALIDATE, 0 },
};

KUNIT_ARRAY_PARAM_DESC(call, call_rows, name);

static void msync_calls(struct kunit *test)
{
	const struct call_row *row = test->param_value;
	struct call_fixture *fx = call_setup(test, row->options);

	store(test, F_AT, 2);
	store(test, G_AT, 3);
	KUNIT_EXPECT_EQ(test, msyncfs_msync(fx->base + row->start, row->len,
					    row->flags), row->ret);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), !row->f);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->g), !row->g);
	if (row->flags & (MS_ASYNC | MS_INVALIDATE))
		msyncfs_commit_all(fx->fake->sb);
	/* What a call has not taken may not be on the disk either. */
	crash(test);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 0), row->f ? 2 : 1);
	KUNIT_EXPECT_EQ(test, first_byte(fx->g, 0), row->g ? 3 : 1);
}

/* ---- one record ----------------------------------------------------------- */

/* Several mappings of two files, one of them twice: one write, as of one moment. */
static void msync_one_record(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	/* Page 2 of f is in the range twice. */
	map(test, fx->f, 2, HOLE_AT, 2, MAP_SHARED);
	store(test, F_AT, 2);
	store(test, F_AT + 2, 3);
	store(test, G_AT + 1, 4);
	store(test, F2_AT + 3, 5);
	store(test, PRIVATE_AT, 6);
	KUNIT_EXPECT_EQ(test, call(test, 0, MAP_PAGES, MS_SYNC), 0);
	KUNIT_ASSERT_EQ(test, fx->log->nr, 1);
	KUNIT_EXPECT_EQ(test, fx->log->io[0].nr, 1 + 4);
	KUNIT_EXPECT_TRUE(test, fx->log->io[0].opf & REQ_FUA);

	/* Nothing dirty: nothing done. */
	KUNIT_EXPECT_EQ(test, call(test, 0, MAP_PAGES, MS_SYNC), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
	KUNIT_EXPECT_EQ(test, load(fx, PRIVATE_AT), 6);

	crash(test);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 0), 2);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 2), 3);
	KUNIT_EXPECT_EQ(test, first_byte(fx->g, 1), 4);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 103), 5);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 20), 1);
}

/* Also when they are too many for copies, or need new blocks. */
static void msync_two_large(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	u64 records = MSYNCFS_SB(fx->fake->sb)->nr_commits;
	struct msyncfs_range ranges[2] = {
		{ .inode = file_inode(fx->f), .last = ULONG_MAX },
		{ .inode = file_inode(fx->g), .last = ULONG_MAX },
	};

	files_write(test, fx->f, 0, 80, 7);
	files_write(test, fx->g, 10, 80, 8);
	files_write(test, fx->g, FILE_PAGES + 5, 3, 9);
	if (ranges[0].inode > ranges[1].inode)
		swap(ranges[0], ranges[1]);
	KUNIT_EXPECT_EQ(test, msyncfs_sync_ranges(ranges, 2, true), 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->fake->sb)->nr_commits,
			records + 1);
	KUNIT_EXPECT_EQ(test, MSYNCFS_SB(fx->fake->sb)->nr_split, 0);
	crash(test);
	files_expect(test, fx->f, 0, 80, 7);
	files_expect(test, fx->f, 80, 5, 1);
	files_expect(test, fx->g, 10, 80, 8);
	files_expect(test, fx->g, FILE_PAGES + 5, 3, 9);
}

/*
 * Mapped again and again: a page in the range is looked at once, and there are
 * more mappings than an allocation of one page remembers.
 */
static void msync_many_mappings(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	unsigned int i, nr = 300;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, 2 * nr * PAGE_SIZE, RW,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, vm_mmap(fx->f, addr + 2 * i * PAGE_SIZE,
					      2 * PAGE_SIZE, RW,
					      MAP_SHARED | MAP_FIXED, 0),
				addr + 2 * i * PAGE_SIZE);
	store(test, F_AT, 2);
	store(test, F_AT + 1, 3);
	/* Twice 300 pages would be more than a record takes. */
	KUNIT_EXPECT_EQ(test, msyncfs_msync(addr, 2 * nr * PAGE_SIZE, MS_SYNC),
			0);
	KUNIT_ASSERT_EQ(test, fx->log->nr, 1);
	KUNIT_EXPECT_EQ(test, fx->log->io[0].nr, 1 + 2);
	store(test, F_AT, 4);
	KUNIT_EXPECT_EQ(test, msyncfs_msync(addr, 2 * nr * PAGE_SIZE, MS_ASYNC),
			0);
	KUNIT_EXPECT_EQ(test, msyncfs_msync(addr, 2 * nr * PAGE_SIZE,
					    MS_INVALIDATE), 0);
	KUNIT_EXPECT_FALSE(test, cached(fx->f, 1));
	vm_munmap(addr, 2 * nr * PAGE_SIZE);
	crash(test);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 0), 4);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 1), 3);
}

/* ---- MS_ASYNC ------------------------------------------------------------- */

/* The device does nothing: the calls return all the same, with the write sent. */
static void msync_async(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	msyncfs_fake_hold(fx->fake, OUT);
	store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_ASYNC), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_fake_held(fx->fake), 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	/* The page can be stored to, and is taken once more. */
	store(test, F_AT, 3);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_ASYNC), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_ASYNC), 0);
	msyncfs_fake_release(fx->fake);

	/* Nobody asks for it: the second one comes by itself, at once. */
	flush_workqueue(MSYNCFS_SB(fx->fake->sb)->wq);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 2);
	crash(test);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 0), 3);
}

/* An fsync after it waits for what is under way, and writes nothing itself. */
static void msync_async_fsync(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_ASYNC), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->f), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
	crash(test);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 0), 2);
}

/* More than a record takes: the writes to fresh blocks have been sent. */
static void msync_async_large(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct msyncfs_range range = {
		.inode = file_inode(fx->f), .last = ULONG_MAX,
	};

	files_write(test, fx->f, 0, 200, 7);
	msyncfs_fake_hold(fx->fake, OUT);
	KUNIT_EXPECT_EQ(test, msyncfs_start_ranges(&range, 1), 0);
	KUNIT_EXPECT_GE(test, msyncfs_fake_held(fx->fake), 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	msyncfs_fake_release(fx->fake);
	flush_workqueue(MSYNCFS_SB(fx->fake->sb)->wq);
	crash(test);
	files_expect(test, fx->f, 0, 200, 7);
	files_expect(test, fx->f, 200, 2, 1);
}

/* It holds the file: the unmount waits for it. */
static void msync_async_unmount(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct msyncfs_range range = {
		.inode = file_inode(fx->f), .last = ULONG_MAX,
	};

	files_write(test, fx->f, 0, 200, 7);
	unmap_all(fx);
	KUNIT_EXPECT_EQ(test, msyncfs_start_ranges(&range, 1), 0);
	msyncfs_fake_close(fx->fake, fx->f);
	msyncfs_fake_close(fx->fake, fx->g);
	msyncfs_fake_umount(fx->fake);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->f = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	files_expect(test, fx->f, 0, 200, 7);
}

/* What goes wrong is told to the next one who asks. */
static void msync_async_error(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	store(test, F_AT, 2);
	msyncfs_fake_fail(fx->fake, MSYNCFS_FAKE_WRITE, 0, 1);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_ASYNC), 0);
	flush_workqueue(MSYNCFS_SB(fx->fake->sb)->wq);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_EQ(test, files_sync(fx->f), -EIO);
	KUNIT_EXPECT_EQ(test, files_sync(fx->f), 0);
	crash(test);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 0), 2);
}

/* ---- MS_INVALIDATE -------------------------------------------------------- */

static void change_underneath(struct kunit *test, pgoff_t index, u8 value)
{
	struct call_fixture *fx = test->priv;
	u8 *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	memset(buf, value, PAGE_SIZE);
	msyncfs_fake_write(fx->fake, files_block(test, fx->f, index), buf);
}

/* The next reference reads the storage; without the call it does not. */
static void msync_invalidate(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	unsigned int i;

	store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_INVALIDATE), 0);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_FALSE(test, cached(fx->f, i));
	KUNIT_EXPECT_TRUE(test, cached(fx->f, 4));
	KUNIT_EXPECT_EQ(test, load(fx, F_AT), 2);
	KUNIT_EXPECT_EQ(test, load(fx, F_AT + 1), 1);

	change_underneath(test, 0, 9);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_SYNC), 0);
	KUNIT_EXPECT_EQ(test, load(fx, F_AT), 2);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_INVALIDATE), 0);
	KUNIT_EXPECT_EQ(test, load(fx, F_AT), 9);
}

/* Stored to since: newer than the storage, so it stays; nothing is lost. */
static void msync_invalidate_dirty(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, msyncfs_invalidate(file_inode(fx->f), 0, 3), 0);
	KUNIT_EXPECT_TRUE(test, cached(fx->f, 0));
	KUNIT_EXPECT_FALSE(test, cached(fx->f, 1));
	KUNIT_EXPECT_EQ(test, load(fx, F_AT), 2);
	KUNIT_EXPECT_EQ(test, files_sync(fx->f), 0);
	crash(test);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 0), 2);
}

/* Locked in the range itself: nothing is written, nothing dropped. */
static void msync_invalidate_locked(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	map(test, fx->g, 0, G_AT, 4, MAP_SHARED | MAP_LOCKED);
	store(test, F_AT, 2);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 8, MS_SYNC | MS_INVALIDATE),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	/* Without the flag that does not matter. */
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 8, MS_SYNC), 0);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
}

/* Locked by another mapping: durable, and all others are dropped. */
static void msync_invalidate_locked_elsewhere(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	map(test, fx->f, 1, HOLE_AT, 2, MAP_SHARED | MAP_LOCKED);
	store(test, F_AT, 2);
	store(test, F_AT + 1, 3);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_INVALIDATE), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	KUNIT_EXPECT_FALSE(test, cached(fx->f, 0));
	KUNIT_EXPECT_TRUE(test, cached(fx->f, 1));
	KUNIT_EXPECT_TRUE(test, cached(fx->f, 2));
	KUNIT_EXPECT_FALSE(test, cached(fx->f, 3));
	KUNIT_EXPECT_EQ(test, load(fx, HOLE_AT), 3);
	vm_munmap(at(fx, HOLE_AT), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_INVALIDATE), 0);
	KUNIT_EXPECT_FALSE(test, cached(fx->f, 1));
	crash(test);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 0), 2);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 1), 3);
}

static void msync_invalidate_pinned(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct page *page;

	store(test, F_AT + 2, 2);
	KUNIT_ASSERT_EQ(test, pin_user_pages_fast(at(fx, F_AT + 2), 1,
						  FOLL_WRITE, &page), 1);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_INVALIDATE), -EBUSY);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 0);
	KUNIT_EXPECT_FALSE(test, cached(fx->f, 1));
	KUNIT_EXPECT_TRUE(test, cached(fx->f, 2));
	KUNIT_EXPECT_FALSE(test, cached(fx->f, 3));
	/* What DMA writes is seen by all. */
	*(u8 *)page_address(page) = 7;
	KUNIT_EXPECT_EQ(test, load(fx, F_AT + 2), 7);
	unpin_user_pages_dirty_lock(&page, 1, true);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_INVALIDATE), 0);
	KUNIT_EXPECT_FALSE(test, cached(fx->f, 2));
	KUNIT_EXPECT_EQ(test, load(fx, F_AT + 2), 7);
}

/* Nothing is dropped that is not in storage. */
static void msync_invalidate_error(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	store(test, F_AT, 2);
	msyncfs_fake_fail(fx->fake, MSYNCFS_FAKE_WRITE, 0, 1);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_INVALIDATE), -EIO);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_TRUE(test, cached(fx->f, 1));
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 4, MS_INVALIDATE), 0);
	KUNIT_EXPECT_FALSE(test, cached(fx->f, 1));
	KUNIT_EXPECT_EQ(test, load(fx, F_AT), 2);
}

/* ---- errors ------------------------------------------------------------- */

/* The pages of both files are dirty again, each open file is told once. */
static void msync_error(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct file *other = msyncfs_fake_open(fx->fake, "g", O_RDWR);

	store(test, F_AT, 2);
	store(test, G_AT, 3);
	msyncfs_fake_fail(fx->fake, MSYNCFS_FAKE_WRITE, 0, 1);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 8, MS_SYNC), -EIO);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), 1);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->g), 1);
	KUNIT_EXPECT_EQ(test, call(test, F_AT, 8, MS_SYNC), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->g), 0);
	KUNIT_EXPECT_EQ(test, files_sync(other), -EIO);
	KUNIT_EXPECT_EQ(test, files_sync(other), 0);
	msyncfs_fake_close(fx->fake, other);
	crash(test);
	KUNIT_EXPECT_EQ(test, first_byte(fx->f, 0), 2);
	KUNIT_EXPECT_EQ(test, first_byte(fx->g, 0), 3);
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
	unsigned int	pages;	/* stored to: few, or enough for a stretch */
} way_rows[] = {
	{ "sync", MS_SYNC, 1 },
	{ "sync, dense", MS_SYNC, 8 },
	{ "async", MS_ASYNC, 1 },
	{ "invalidate", MS_INVALIDATE, 1 },
	{ "fsync", -1, 1 },
};

KUNIT_ARRAY_PARAM_DESC(way, way_rows, name);

static int sync_by(struct kunit *test, const struct way_row *row)
{
	struct call_fixture *fx = test->priv;

	return row->flags < 0 ? vfs_fsync(fx->f, 0) :
				call(test, F_AT, 8, row->flags);
}

/* A store that does not fault is marked by the write that msync causes. */
static void msync_times(struct kunit *test)
{
	const struct way_row *row = test->param_value;
	struct call_fixture *fx = test->priv;
	struct timespec64 first, second;
	unsigned int i;

	map(test, fx->f, 0, F_AT, 8, MAP_SHARED);
	for (i = 0; i < row->pages; i++)
		store(test, F_AT + i, 2);
	first = mtime(fx->f);
	msleep(30);
	store(test, F_AT, 3);
	KUNIT_EXPECT_TRUE(test, same_time(mtime(fx->f), first));
	KUNIT_EXPECT_EQ(test, sync_by(test, row), 0);
	second = mtime(fx->f);
	KUNIT_EXPECT_GT(test, timespec64_compare(&second, &first), 0);
	KUNIT_EXPECT_TRUE(test, same_time(second, ctime(fx->f)));
	msleep(30);
	/* Nothing written, nothing marked. */
	KUNIT_EXPECT_EQ(test, sync_by(test, row), 0);
	KUNIT_EXPECT_TRUE(test, same_time(mtime(fx->f), second));
	/* Nor does it touch the times of pages that write(2) has made dirty. */
	files_write(test, fx->f, 0, row->pages, 5);
	first = mtime(fx->f);
	msleep(30);
	KUNIT_EXPECT_EQ(test, sync_by(test, row), 0);
	KUNIT_EXPECT_TRUE(test, same_time(mtime(fx->f), first));
}

/* ---- G3 across files -------------------------------------------------------- */

/**
 * struct pair - a thread that counts up in one file, then in another
 * @mm: address space
 * @first: where it stores first
 * @then: where it stores next
 * @count: rounds done
 * @err: why it gave up
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

/* What a capture of two files holds of a page; @old if it is not in it. */
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

/* One cut of both files; the pages stay clean, as if it had become durable. */
static void cut_both(struct kunit *test, struct msyncfs_range *ranges,
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
	KUNIT_EXPECT_EQ(test, msyncfs_capture_set(ranges, 2, ULONG_MAX,
						  ULONG_MAX, &set), 0);
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

static void msync_cut_files(struct kunit *test)
{
	struct call_fixture *fx = test->priv;
	struct pair pairs[2] = {
		{ .first = at(fx, F_AT), .then = at(fx, G_AT) },
		{ .first = at(fx, G_AT + 1), .then = at(fx, F_AT + 1) },
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
		/* What is counted, of which a store of one byte leaves a rest. */
		KUNIT_ASSERT_EQ(test, put_user(0ULL, (u64 __user *)at(fx, F_AT + i)), 0);
		KUNIT_ASSERT_EQ(test, put_user(0ULL, (u64 __user *)at(fx, G_AT + i)), 0);
		pairs[i].mm = current->mm;
		pairs[i].task = kthread_run(pair_thread, &pairs[i],
					    "msyncfs-pair%d", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(pairs[i].task));
	}
	for (round = 0; round < 300; round++) {
		cut_both(test, ranges, seen);
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
	KUNIT_CASE(msync_invalidate),
	KUNIT_CASE(msync_invalidate_dirty),
	KUNIT_CASE(msync_invalidate_locked),
	KUNIT_CASE(msync_invalidate_locked_elsewhere),
	KUNIT_CASE(msync_invalidate_pinned),
	KUNIT_CASE(msync_invalidate_error),
	KUNIT_CASE(msync_error),
	KUNIT_CASE_PARAM(msync_times, way_gen_params),
	KUNIT_CASE(msync_cut_files),
	{}
};

static struct kunit_suite call_suite = {
	.name		= "msyncfs_msync",
	.init		= call_init,
	.test_cases	= call_cases,
};

#define MANY	16

/*
 * New files on a large device: each needs some blocks of the bitmaps, but all of
 * them together no more than there are, and that fits a small record.
 */
static void msync_many_files(struct kunit *test)
{
	struct msyncfs_range *ranges;
	struct msyncfs_sb_info *sbi;
	struct msyncfs_fake *fake;
	struct file *files[MANY];
	unsigned int i, j;
	char name[8];
	u64 records;

	/* 20 bitmap blocks; a record: 64 blocks. */
	fake = msyncfs_fake_mount(test, 20 * MSYNCFS_GROUP_BLOCKS, 256);
	sbi = MSYNCFS_SB(fake->sb);
	ranges = kunit_kcalloc(test, MANY, sizeof(*ranges), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ranges);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		files[i] = msyncfs_fake_open(fake, name, O_CREAT | O_RDWR);
		files_write(test, files[i], 0, 1, i);
		ranges[i].inode = file_inode(files[i]);
		for (j = i; j && ranges[j].inode < ranges[j - 1].inode; j--)
			swap(ranges[j], ranges[j - 1]);
	}
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	records = sbi->nr_commits;
	KUNIT_EXPECT_EQ(test, msyncfs_sync_ranges(ranges, MANY, true), 0);
	KUNIT_EXPECT_EQ(test, sbi->nr_commits, records + 1);
	KUNIT_EXPECT_EQ(test, sbi->nr_split, 0);
	for (i = 0; i < MANY; i++) {
		KUNIT_EXPECT_EQ(test, files_dirty(files[i]), 0);
		msyncfs_fake_close(fake, files[i]);
	}
}

static struct kunit_case flag_cases[] = {
	KUNIT_CASE_PARAM(msync_calls, call_gen_params),
	KUNIT_CASE(msync_many_files),
	{}
};

/* Each row mounts by itself. */
static struct kunit_suite flag_suite = {
	.name		= "msyncfs_msync_calls",
	.test_cases	= flag_cases,
};

kunit_test_suites(&call_suite, &flag_suite);
