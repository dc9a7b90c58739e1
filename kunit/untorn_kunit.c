// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for untorn writes (RWF_ATOMIC). After a crash or a failure at any
 * moment, the file has all data of a write, or nothing of it.
 */
#include <kunit/test.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/msyncfs.h>
#include <uapi/linux/f2fs.h>

#include "model.h"

#define MAX_IO	40
#define MAX_RUN	8	/* pages of the largest untorn write of this device */
#define TAIL	5000

/* ---- the calls ----------------------------------------------------------- */

/* Transfer @len bytes at @pos from or to user memory. */
static ssize_t transfer(struct file *file, loff_t pos, unsigned long at,
			size_t len, int flags, int dir)
{
	struct iov_iter iter;
	struct kiocb iocb;
	ssize_t ret;

	init_sync_kiocb(&iocb, file);
	iocb.ki_pos = pos;
	iocb.ki_flags |= flags;
	iov_iter_ubuf(&iter, dir, (void __user *)at, len);
	if (dir == ITER_DEST)
		return file->f_op->read_iter(&iocb, &iter);
	file_start_write(file);
	ret = file->f_op->write_iter(&iocb, &iter);
	file_end_write(file);
	if (ret > 0 && iocb.ki_pos != pos + ret)
		ret = -ESPIPE;
	return ret;
}

#define UNTORN	(IOCB_DIRECT | IOCB_ATOMIC)
#define DSYNC	(UNTORN | IOCB_DSYNC)

/* Map user memory whose pages are full of @fill. */
static unsigned long memory(struct kunit *test, unsigned int nr, u8 fill)
{
	unsigned long at = files_map(test, NULL, nr,
				     MAP_PRIVATE | MAP_ANONYMOUS);
	u8 *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	memset(buf, fill, PAGE_SIZE);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)at +
						   i * PAGE_SIZE, buf,
						   PAGE_SIZE), 0);
	kunit_kfree(test, buf);
	return at;
}

/* Write pages to the file, and to the model if the write succeeds. */
static int untorn(struct kunit *test, struct atomic_fixture *fx,
		  unsigned int first, unsigned int nr, u8 fill, int flags)
{
	unsigned long at = memory(test, nr, fill);
	ssize_t ret;

	ret = transfer(fx->file, (loff_t)first << PAGE_SHIFT, at,
		       nr * PAGE_SIZE, flags, ITER_SOURCE);
	vm_munmap(at, nr * PAGE_SIZE);
	if (ret < 0)
		return ret;
	KUNIT_EXPECT_EQ(test, ret, nr * PAGE_SIZE);
	memset(fx->now.fill + first, fill, nr);
	fx->now.pages = max(fx->now.pages, first + nr);
	return 0;
}

/* Expect that an O_DIRECT read finds pages full of @fill. */
static void read_direct(struct kunit *test, struct atomic_fixture *fx,
			unsigned int first, unsigned int nr, u8 fill)
{
	unsigned long at = memory(test, nr, 0);
	unsigned int i;
	u8 value;

	KUNIT_EXPECT_EQ(test, transfer(fx->file, (loff_t)first << PAGE_SHIFT,
				       at, nr * PAGE_SIZE, IOCB_DIRECT,
				       ITER_DEST), nr * PAGE_SIZE);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(test, get_user(value, (u8 __user *)at +
					       i * PAGE_SIZE), 0);
		KUNIT_EXPECT_EQ(test, value, fill);
	}
	vm_munmap(at, nr * PAGE_SIZE);
}

/* ---- states of the file -------------------------------------------------- */

static void begin(struct kunit *test, struct atomic_fixture *fx)
{
	struct inode *inode = file_inode(fx->file);

	KUNIT_ASSERT_EQ(test, msyncfs_atomic_set(inode, false), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	iolog_reset(fx->log);
}

static struct atomic_fixture *setup(struct kunit *test, unsigned int features)
{
	struct atomic_fixture *fx = model_setup(test, features, NULL);

	begin(test, fx);
	return fx;
}

static void no_change(struct kunit *test, struct atomic_fixture *fx)
{
}

static void make_hole(struct kunit *test, struct atomic_fixture *fx)
{
	KUNIT_ASSERT_EQ(test, files_punch(fx->file, 8, 32), 0);
	memset(fx->now.fill + 8, 0, 32);
}

static void make_unwritten(struct kunit *test, struct atomic_fixture *fx)
{
	make_hole(test, fx);
	KUNIT_ASSERT_EQ(test, vfs_fallocate(fx->file, FALLOC_FL_KEEP_SIZE,
					    16 * PAGE_SIZE, 4 * PAGE_SIZE), 0);
}

static void make_end(struct kunit *test, struct atomic_fixture *fx)
{
	KUNIT_ASSERT_EQ(test, vfs_fallocate(fx->file, FALLOC_FL_KEEP_SIZE,
					    MODEL_PAGES * PAGE_SIZE,
					    4 * PAGE_SIZE), 0);
}

static const struct row {
	const char	*name;
	void		(*make)(struct kunit *test, struct atomic_fixture *fx);
	unsigned int	first;
	bool		cached;
	bool		dirty;
} rows[] = {
	{ "data", no_change, 16 },
	{ "data, cached", no_change, 16, true },
	{ "data, dirty", no_change, 16, true, true },
	{ "hole", make_hole, 16 },
	{ "hole, dirty", make_hole, 16, true, true },
	{ "unwritten", make_unwritten, 16 },
	{ "append", no_change, MODEL_PAGES },
	{ "append, unwritten", make_end, MODEL_PAGES },
	{ "append, dirty", no_change, MODEL_PAGES - 8, true, true },
	{ "far", no_change, 512 },
};

KUNIT_ARRAY_PARAM_DESC(state, rows, name);

/* Bring the file into the state of a row. */
static void prepare(struct kunit *test, struct atomic_fixture *fx,
		    const struct row *row)
{
	struct address_space *mapping = fx->file->f_mapping;

	row->make(test, fx);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	fx->old = fx->now;
	if (!row->cached)
		invalidate_mapping_pages(mapping, 0, ULONG_MAX);
	/* These pages are part of no record before the untorn write. */
	if (row->dirty)
		files_write(test, fx->file, row->first + 1, 5, 9);
	iolog_reset(fx->log);
}

static void again(struct kunit *test, struct atomic_fixture *fx,
		  const struct row *row)
{
	model_prepare(test, fx);
	begin(test, fx);
	prepare(test, fx, row);
}

/* Expect the old or the new content, after a crash. Make it the new content. */
static void either(struct kunit *test, struct atomic_fixture *fx, bool acked,
		   unsigned int at)
{
	if (!acked && model_differs(fx, &fx->old) < 0)
		fx->now = fx->old;
	KUNIT_EXPECT_EQ_MSG(test, model_differs(fx, &fx->now), -1, "I/O %u",
			    at);
	model_settled(test, fx, false);
}

/* ---- success ------------------------------------------------------------- */

static void untorn_crash(struct kunit *test)
{
	const struct row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int nr;

	prepare(test, fx, row);
	for (nr = 1; nr <= MAX_RUN; nr *= 2) {
		/* Without O_DSYNC no I/O is necessary, and a crash loses it. */
		KUNIT_EXPECT_EQ(test, untorn(test, fx, row->first, nr, 2,
					     UNTORN), 0);
		KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
		if (!row->dirty) {
			KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
			KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
		}
		read_direct(test, fx, row->first, nr, 2);
		model_crash(test, fx, UINT_MAX);
		KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
		model_settled(test, fx, false);

		again(test, fx, row);
		KUNIT_EXPECT_EQ(test, untorn(test, fx, row->first, nr, 2,
					     DSYNC), 0);
		KUNIT_EXPECT_EQ(test, atomic64_read(&fx->sbi->log->nr_split), 0);
		read_direct(test, fx, row->first, nr, 2);
		model_crash(test, fx, 0);
		KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
		model_settled(test, fx, false);
		again(test, fx, row);
	}
}

/* A durable write is one write that bypasses the cache, also if the file grows. */
static void untorn_cost(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE |
					  MSYNCFS_FAKE_FUA);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		prepare(test, fx, &rows[i]);
		KUNIT_EXPECT_EQ(test, untorn(test, fx, rows[i].first, MAX_RUN,
					     2, DSYNC), 0);
		KUNIT_EXPECT_EQ_MSG(test, fx->log->nr, 1, "%s", rows[i].name);
		KUNIT_EXPECT_TRUE(test, fx->log->io[0].opf & REQ_FUA);
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
		/* The pages are home, so the read bypasses the page cache. */
		KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
		read_direct(test, fx, rows[i].first, MAX_RUN, 2);
		model_settled(test, fx, false);
		model_prepare(test, fx);
		begin(test, fx);
	}
}

/* The old end of the file lies within a page. */
static void untorn_tail(struct kunit *test)
{
	static const unsigned int first[] = { 0, 1, 8 };
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	struct inode *inode;
	unsigned int i, nr;
	loff_t pos = 4096;
	u8 buf[1000];

	for (i = 0; i < ARRAY_SIZE(first) * 2; i++) {
		nr = first[i / 2] % 8 ? 1 : 8;
		KUNIT_ASSERT_EQ(test, files_truncate(fx->file, TAIL), 0);
		KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_EQ(test, untorn(test, fx, first[i / 2], nr, 2,
					     i % 2 ? DSYNC : UNTORN), 0);
		model_crash(test, fx, i % 2 ? 0 : UINT_MAX);
		inode = file_inode(fx->file);
		KUNIT_EXPECT_EQ(test, i_size_read(inode), i % 2 ?
				(loff_t)(first[i / 2] + nr) * PAGE_SIZE : TAIL);
		if (i % 2)
			files_expect(test, fx->file, first[i / 2], nr, 2);
		if (first[i / 2] < 8 && i % 2)
			goto next;
		pos = 4096;
		KUNIT_EXPECT_EQ(test, kernel_read(fx->file, buf, 1000, &pos),
				i % 2 ? 1000 : TAIL - 4096);
		KUNIT_EXPECT_NULL(test, memchr_inv(buf, 1, TAIL - 4096));
		if (i % 2)
			KUNIT_EXPECT_NULL(test, memchr_inv(buf + TAIL - 4096, 0,
							   1000 + 4096 - TAIL));
next:
		model_prepare(test, fx);
		begin(test, fx);
	}
}

/* Stores through a mapping come before or after the write, and are not lost. */
static void untorn_mapping(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	unsigned long at;
	unsigned int i;
	u8 value;

	files_flush_fput(test);
	at = files_map(test, fx->file, 8, MAP_SHARED);
	for (i = 1; i < 3; i++)
		KUNIT_ASSERT_EQ(test, put_user((u8)7, (u8 __user *)at +
					       i * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, untorn(test, fx, 0, 8, 2, DSYNC), 0);
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_EQ(test, get_user(value, (u8 __user *)at +
					       i * PAGE_SIZE), 0);
		KUNIT_EXPECT_EQ(test, value, 2);
	}
	KUNIT_EXPECT_EQ(test, untorn(test, fx, 0, 8, 3, UNTORN), 0);
	for (i = 2; i < 5; i++)
		KUNIT_ASSERT_EQ(test, put_user((u8)8, (u8 __user *)at +
					       i * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 3);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	vm_munmap(at, 8 * PAGE_SIZE);
	flush_delayed_fput();
	model_crash(test, fx, 0);
	for (i = 0; i < 8; i++) {
		loff_t pos = i * PAGE_SIZE;

		KUNIT_EXPECT_EQ(test, kernel_read(fx->file, &value, 1, &pos),
				1);
		KUNIT_EXPECT_EQ(test, value, i < 2 || i > 4 ? 3 : 8);
	}
}

/* ---- atomic files -------------------------------------------------------- */

static int batch(struct file *file, unsigned int cmd)
{
	return file->f_op->unlocked_ioctl(file, cmd, 0);
}

/* In an atomic file, the write is part of the next commit. */
static void untorn_atomic(struct kunit *test)
{
	struct atomic_fixture *fx = model_setup(test, MSYNCFS_FAKE_CACHE, NULL);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, untorn(test, fx, 8, 8, 2, UNTORN), 0);
		KUNIT_EXPECT_EQ(test, untorn(test, fx, MODEL_PAGES, 4, 2,
					     UNTORN), 0);
		KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
		if (i == 1)
			model_spill(fx);
		if (i == 2)
			KUNIT_EXPECT_EQ(test, msyncfs_atomic_rollback
					(file_inode(fx->file)), 0);
		else
			model_crash(test, fx, UINT_MAX);
		KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
		fx->now = fx->old;
		model_settled(test, fx, true);
	}
	model_write(test, fx, 30, 1, 3);
	KUNIT_EXPECT_EQ(test, untorn(test, fx, MODEL_PAGES, 8, 2, DSYNC), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	model_settled(test, fx, false);
}

static void untorn_batch(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	struct file *other, *file = fx->file;

	KUNIT_EXPECT_EQ(test, batch(file, F2FS_IOC_START_ATOMIC_WRITE), 0);
	KUNIT_EXPECT_EQ(test, untorn(test, fx, 8, 8, 2, UNTORN), 0);
	model_write(test, fx, 20, 1, 2);
	other = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	fx->file = other;
	KUNIT_EXPECT_EQ(test, untorn(test, fx, 0, 1, 3, UNTORN), -EBUSY);
	fx->file = file;
	msyncfs_fake_close(fx->fake, other);
	KUNIT_EXPECT_EQ(test, batch(file, F2FS_IOC_ABORT_ATOMIC_WRITE), 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	fx->now = fx->old;

	KUNIT_EXPECT_EQ(test, batch(file, F2FS_IOC_START_ATOMIC_WRITE), 0);
	KUNIT_EXPECT_EQ(test, untorn(test, fx, 8, 8, 2, UNTORN), 0);
	KUNIT_EXPECT_EQ(test, batch(file, F2FS_IOC_COMMIT_ATOMIC_WRITE), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	model_settled(test, fx, false);
}

/* ---- refusals ------------------------------------------------------------ */

static void untorn_refused(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	unsigned long at = memory(test, 2 * MAX_RUN, 2);
	struct file *f = fx->file;
	struct kstat stat;
	static const struct {
		loff_t	pos;
		size_t	len;
		int	flags, want;
	} bad[] = {
		{ 0, 2048, UNTORN, -EINVAL },
		{ 0, 3 * 4096, UNTORN, -EINVAL },
		{ 0, 2 * MAX_RUN * 4096, UNTORN, -EINVAL },
		{ 2048, 4096, UNTORN, -EINVAL },
		{ 4096, 8192, UNTORN, -EINVAL },
		{ 0, 4096, IOCB_ATOMIC, -EOPNOTSUPP },
		{ 0, 4096, UNTORN | IOCB_NOWAIT, -EAGAIN },
	};
	unsigned int i;

	KUNIT_ASSERT_EQ(test, vfs_getattr(&f->f_path, &stat,
					  STATX_WRITE_ATOMIC, 0), 0);
	KUNIT_EXPECT_TRUE(test, stat.attributes & STATX_ATTR_WRITE_ATOMIC);
	KUNIT_EXPECT_EQ(test, stat.atomic_write_unit_min, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, stat.atomic_write_unit_max, MAX_RUN * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, stat.atomic_write_segments_max, 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, transfer(f, bad[i].pos, at, bad[i].len,
						   bad[i].flags, ITER_SOURCE),
				    bad[i].want, "row %u", i);
	/* Memory of the last page cannot be read. */
	KUNIT_EXPECT_EQ(test, vm_munmap(at + 7 * PAGE_SIZE, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, transfer(f, 0, at, 8 * PAGE_SIZE, UNTORN,
				       ITER_SOURCE), -EFAULT);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
	KUNIT_EXPECT_EQ(test, files_dirty(f), 0);
	/* Memory need not be aligned. */
	KUNIT_EXPECT_EQ(test, transfer(f, 0, at + 7, 4 * PAGE_SIZE, UNTORN,
				       ITER_SOURCE), 4 * PAGE_SIZE);
	files_expect(test, f, 0, 4, 2);
	/* An append goes to the end, which may be no good position. */
	KUNIT_ASSERT_EQ(test, files_truncate(f, 4 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, transfer(f, 0, at, 8192, UNTORN | IOCB_APPEND,
				       ITER_SOURCE), -ESPIPE);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(f)), 6 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, transfer(f, 0, at, 16384, UNTORN | IOCB_APPEND,
				       ITER_SOURCE), -EINVAL);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(f)), 6 * PAGE_SIZE);
	vm_munmap(at, 2 * MAX_RUN * PAGE_SIZE);
}

/* A set that one record does not take fails, and its pages do not get dirty. */
static void untorn_too_large(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	struct inode *inode = file_inode(fx->file);
	struct msyncfs_capture *cap;

	KUNIT_EXPECT_GE(test, msyncfs_attach_run_max(fx->fake->sb), MAX_RUN);
	model_write(test, fx, 0, MODEL_PAGES, 2);
	mutex_lock(&MSYNCFS_I(inode)->i_commit_lock);
	cap = msyncfs_capture_pages(inode, 0, MODEL_PAGES, MODEL_PAGES,
				    ULONG_MAX);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	KUNIT_EXPECT_EQ(test, msyncfs_attach_run(cap), -EFBIG);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	msyncfs_capture_redirty(cap, 0);
	mutex_unlock(&MSYNCFS_I(inode)->i_commit_lock);
	msyncfs_capture_put(cap);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	model_settled(test, fx, false);
}

/* ---- failures ------------------------------------------------------------ */

/* Let the power fail at each I/O of a write in turn. */
static void untorn_power(struct kunit *test)
{
	const struct row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	loff_t pos = (loff_t)row->first << PAGE_SHIFT;
	unsigned int at, mode;
	bool cut, acked;

	prepare(test, fx, row);
	for (mode = 0; mode < 4; mode++) {
		unsigned int nr = mode % 2 ? MAX_RUN : 1;

		for (at = 0, cut = true; cut; at++) {
			KUNIT_ASSERT_LT(test, at, MAX_IO);
			iolog_cut(fx->log, at);
			acked = !untorn(test, fx, row->first, nr, 2,
					mode < 2 ? DSYNC : UNTORN);
			/* A sync of one page makes all pages durable. */
			if (mode >= 2)
				acked &= !vfs_fsync_range(fx->file, pos, pos,
							  1);
			acked &= !fx->log->cut;
			cut = fx->log->cut;
			model_crash(test, fx, at % 3 == 2 ? UINT_MAX :
				    at % 3 * (at + 7));
			either(test, fx, acked, at);
			again(test, fx, row);
		}
	}
}

/*
 * Let each I/O of several writes fail in turn. The last writes find a transaction
 * without room, so they begin with a commit.
 */
static void untorn_errors(struct kunit *test)
{
	const struct row *row = test->param_value;
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int at, i;
	bool failed;
	int err;

	prepare(test, fx, row);
	for (at = 0, failed = true; failed; at++) {
		KUNIT_ASSERT_LT(test, at, MAX_IO);
		iolog_fail(fx->log, at, 1 + at % 2, at % 2 ?
			   MSYNCFS_FAKE_FAILS : MSYNCFS_FAKE_LANDS);
		for (i = 0; i < 9; i++) {
			fx->old = fx->now;
			err = untorn(test, fx, row->first + i % 3 * MAX_RUN,
				     MAX_RUN, 2 + i, i == 8 ? DSYNC : UNTORN);
			if (err)
				break;
		}
		failed = fx->log->failed;
		iolog_fail(fx->log, IOLOG_NEVER, 0, MSYNCFS_FAKE_FAILS);
		if (err && model_differs(fx, &fx->now) >= 0) {
			/* Only the last write can be visible after an error. */
			memset(fx->now.fill + row->first + i % 3 * MAX_RUN,
			       2 + i, MAX_RUN);
			fx->now.pages = max(fx->now.pages, row->first +
					    (i % 3 + 1) * MAX_RUN);
		}
		if (!row->dirty || i == 8)
			KUNIT_EXPECT_EQ_MSG(test,
					    model_differs(fx, &fx->now), -1,
					    "in memory, I/O %u", at);
		if (msyncfs_log_dead(fx->sbi)) {
			KUNIT_EXPECT_NE(test, err, 0);
			model_crash(test, fx, 0);
			/* At most one record is in doubt. */
			for (i = 0; i < 3; i++) {
				unsigned int p = row->first + i * MAX_RUN, k;

				for (k = 1; k < MAX_RUN; k++)
					KUNIT_EXPECT_EQ_MSG(test,
							    files_read(fx->file, p + k),
							    files_read(fx->file, p),
							    "I/O %u", at);
			}
		} else {
			/* Each open file gets an error once (G4). */
			files_sync(fx->file);
			KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
			fx->old = fx->now;
			if (!row->dirty)
				model_settled(test, fx, false);
			model_crash(test, fx, 0);
			if (!row->dirty)
				KUNIT_EXPECT_EQ_MSG(test,
						    model_differs(fx, &fx->now),
						    -1, "I/O %u: %d", at, err);
		}
		again(test, fx, row);
	}
}

static int fill_disk(struct kunit *test, struct atomic_fixture *fx, u64 left)
{
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	u64 nr = msyncfs_space_avail(fx->fake->sb) - left;
	int err;

	files_write(test, g, 0, nr, 1);
	err = vfs_fsync(g, 0);
	msyncfs_fake_close(fx->fake, g);
	return err;
}

/* On a full filesystem, the write changes nothing. */
static void untorn_nospace(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int i;

	prepare(test, fx, &rows[3]);
	KUNIT_ASSERT_EQ(test, fill_disk(test, fx, 6), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, untorn(test, fx, i ? MODEL_PAGES : 16, 8,
					     2, UNTORN), -ENOSPC);
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
		KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->old), -1);
		files_settled(test, fx->fake->sb);
	}
	/* Pages that have blocks need no space. */
	KUNIT_EXPECT_EQ(test, untorn(test, fx, 0, 8, 2, DSYNC), 0);
	/* A dirty page keeps its reservation. */
	model_write(test, fx, 17, 1, 3);
	KUNIT_EXPECT_EQ(test, untorn(test, fx, 16, 8, 2, UNTORN), -ENOSPC);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	model_settled(test, fx, false);

	KUNIT_ASSERT_EQ(test, files_unlink(fx->fake, "g"), 0);
	KUNIT_EXPECT_EQ(test, untorn(test, fx, 16, 8, 2, DSYNC), 0);
	model_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
	model_settled(test, fx, false);
}

/* ---- other tasks --------------------------------------------------------- */

static bool stop;

static loff_t sync_often(struct atomic_fixture *fx)
{
	struct address_space *mapping = fx->file->f_mapping;
	unsigned int i;

	for (i = 0; !READ_ONCE(stop); i++) {
		loff_t pos = (loff_t)get_random_u32_below(64) << PAGE_SHIFT;

		if (i % 3)
			vfs_fsync_range(fx->file, pos, pos + PAGE_SIZE, 1);
		else
			filemap_flush(mapping);
		if (!(i % 16))
			msyncfs_checkpoint(fx->fake->sb);
		if (i % 5 == 4)
			invalidate_mapping_pages(mapping, 0, ULONG_MAX);
		cond_resched();
	}
	return 0;
}

/* Other tasks sync parts of the range at the same time, until the power fails. */
static void untorn_others(struct kunit *test)
{
	struct atomic_fixture *fx = setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int round, i, run;
	int value;

	for (round = 0; round < 24; round++) {
		struct other o = { .fx = fx, .what = sync_often };

		prepare(test, fx, &rows[round % 2 * 3]);
		if (round % 3)
			iolog_cut(fx->log, 3 + get_random_u32_below(60));
		WRITE_ONCE(stop, false);
		other_start(test, &o);
		for (i = 0; i < 40; i++) {
			run = get_random_u32_below(10);
			KUNIT_EXPECT_EQ(test, untorn(test, fx, run * 8, 8,
						     2 + i, i % 4 ? UNTORN :
						     DSYNC), 0);
		}
		WRITE_ONCE(stop, true);
		other_end(test, &o, 0);
		/* After the power has failed, pages are read from old blocks. */
		if (!fx->log->cut)
			KUNIT_EXPECT_EQ(test, model_differs(fx, &fx->now), -1);
		model_crash(test, fx, round % 2 ? UINT_MAX : round);
		for (run = 0; run < 10; run++) {
			value = files_read(fx->file, run * 8);
			files_expect(test, fx->file, run * 8, 8, value);
		}
		model_settled(test, fx, false);
		model_prepare(test, fx);
		begin(test, fx);
	}
}

static struct kunit_case untorn_cases[] = {
	KUNIT_CASE_PARAM(untorn_crash, state_gen_params),
	KUNIT_CASE(untorn_cost),
	KUNIT_CASE(untorn_tail),
	KUNIT_CASE(untorn_mapping),
	KUNIT_CASE(untorn_atomic),
	KUNIT_CASE(untorn_batch),
	KUNIT_CASE(untorn_refused),
	KUNIT_CASE(untorn_too_large),
	KUNIT_CASE_PARAM_ATTR(untorn_power, state_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(untorn_errors, state_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE(untorn_nospace),
	KUNIT_CASE(untorn_others),
	{}
};

static struct kunit_suite untorn_suite = {
	.name		= "msyncfs_untorn",
	.test_cases	= untorn_cases,
};

kunit_test_suite(untorn_suite);
