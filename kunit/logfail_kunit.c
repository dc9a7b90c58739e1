// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for failures of I/O and power in commits, checkpoints and the
 * orphan list. It checks which open files get the error, which pages are dirty,
 * and which content the next mount finds. Many cases repeat a sequence of
 * operations in rounds. In each round another I/O fails, until each I/O has
 * failed in one round.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/pagemap.h>

#include "fails.h"
#include "files.h"
#include "fs/log/txn.h"
#include "fs/map/map.h"

#define COPIED		5	/* pages that go into the record */
#define FRESH		40	/* pages that go to fresh blocks */
#define MAX_IO		40	/* no case does more I/Os */

/* ---- an error at every I/O of a commit ---------------------------------- */

/**
 * struct error_row - a kind of commit, and how its I/O fails
 * @name: description
 * @features: features of the device
 * @pages: number of pages in the commit
 * @nr: number of I/Os that fail
 * @fate: how these I/Os fail
 * @ios: minimum number of I/Os; with fewer I/Os, the case would prove nothing
 */
struct error_row {
	const char		*name;
	unsigned int		features;
	unsigned int		pages;
	unsigned int		nr;
	enum msyncfs_fake_fate	fate;
	unsigned int		ios;
};

static const struct error_row error_rows[] = {
	{ "FUA once", 3, COPIED, 1, MSYNCFS_FAKE_FAILS, 1 },
	{ "FUA once, lands", 3, COPIED, 1, MSYNCFS_FAKE_LANDS, 1 },
	{ "FUA for good", 3, COPIED, UINT_MAX, MSYNCFS_FAKE_FAILS, 1 },
	{ "FUA for good, lands", 3, COPIED, UINT_MAX, MSYNCFS_FAKE_LANDS, 1 },
	{ "cache once", 1, COPIED, 1, MSYNCFS_FAKE_FAILS, 2 },
	{ "cache once, lands", 1, COPIED, 1, MSYNCFS_FAKE_LANDS, 2 },
	{ "cache for good", 1, COPIED, UINT_MAX, MSYNCFS_FAKE_FAILS, 2 },
	{ "no cache once", 0, COPIED, 1, MSYNCFS_FAKE_FAILS, 1 },
	{ "FUA, fresh blocks, once", 3, FRESH, 1, MSYNCFS_FAKE_FAILS, 2 },
	{ "FUA, fresh blocks, lands", 3, FRESH, 1, MSYNCFS_FAKE_LANDS, 2 },
	{ "cache, fresh blocks, once", 1, FRESH, 1, MSYNCFS_FAKE_FAILS, 4 },
	{ "cache, fresh blocks, for good", 1, FRESH, UINT_MAX,
	  MSYNCFS_FAKE_FAILS, 4 },
};

KUNIT_ARRAY_PARAM_DESC(error, error_rows, name);

/*
 * Expect that all pages of the commit have one version (G2). Return this
 * version.
 */
static int version_of(struct kunit *test, struct file *file, unsigned int nr)
{
	int fill = files_read(file, 0);

	files_expect(test, file, 0, nr, fill);
	files_expect(test, file, nr, FILE_PAGES - nr, 1);
	return fill;
}

static void expect_told_once(struct kunit *test, struct fail_fixture *fx,
			     bool final)
{
	if (final) {
		KUNIT_EXPECT_NE(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_TRUE(test, sb_rdonly(fx->fake->sb));
		return;
	}
	/*
	 * The next sync writes the pages (G4). Each open file gets the error
	 * once.
	 */
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->again), -EIO);
	KUNIT_EXPECT_EQ(test, files_sync(fx->again), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
}

/* Let I/O number @at of a commit fail. Return false if there is no such I/O. */
static bool fail_commit(struct kunit *test, struct fail_fixture *fx,
			const struct error_row *row, unsigned int at)
{
	bool final, acked;
	int err, fill;

	fail_prepare(test, fx);
	files_write(test, fx->file, 0, row->pages, 2);
	iolog_fail(fx->log, at, row->nr, row->fate);
	err = files_sync(fx->file);
	if (!fx->log->failed) {
		KUNIT_EXPECT_EQ(test, err, 0);
		return false;
	}
	KUNIT_EXPECT_EQ_MSG(test, err, -EIO, "I/O %u", at);
	KUNIT_EXPECT_EQ_MSG(test, files_dirty(fx->file), row->pages, "I/O %u",
			    at);
	files_expect(test, fx->file, 0, row->pages, 2);

	/* A failed flush cannot be repeated (R5). A FUA write may be a flush. */
	final = row->nr > 1 || (fx->log->io[at].ops & MSYNCFS_FAKE_FLUSH) ||
		(fx->log->io[at].opf & REQ_FUA);
	if (row->nr > 1)	/* a second failure is final */
		KUNIT_EXPECT_NE(test, files_sync(fx->file), 0);
	/*
	 * If all I/O fails, a commit with fresh blocks fails before it writes
	 * a record. So the filesystem need not abort.
	 */
	if (row->nr == 1 || row->pages == COPIED)
		expect_told_once(test, fx, final);
	acked = !final;

	fail_crash(test, fx, acked ? 0 : at % 2 ? UINT_MAX : 0);
	fill = version_of(test, fx->file, row->pages);
	if (acked)
		KUNIT_EXPECT_EQ_MSG(test, fill, 2, "I/O %u", at);
	else if (row->fate == MSYNCFS_FAKE_FAILS && row->nr > 1 && !at)
		KUNIT_EXPECT_EQ_MSG(test, fill, 1, "I/O %u", at);
	else
		KUNIT_EXPECT_TRUE_MSG(test, fill == 1 || fill == 2,
				      "I/O %u: %d", at, fill);
	return true;
}

static void fail_every_io(struct kunit *test)
{
	const struct error_row *row = test->param_value;
	struct fail_fixture *fx = fail_setup(test, row->features);
	unsigned int at = 0;

	while (fail_commit(test, fx, row, at))
		KUNIT_ASSERT_LT(test, at++, MAX_IO);
	KUNIT_EXPECT_GE(test, at, row->ios);
}

/* ---- a failed record must not be replayed (R5) -------------------------- */

/*
 * The write of a record reports an error, but the record is on the device. The
 * next commit writes this record again, and then its own record.
 */
static void fail_lands_overwritten(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);

	fail_prepare(test, fx);
	files_write(test, fx->file, 0, COPIED, 2);
	iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_LANDS);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
	files_write(test, fx->file, 0, COPIED, 3);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	fail_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, version_of(test, fx->file, COPIED), 3);
}

static void fail_lands_truncated(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);

	fail_prepare(test, fx);
	files_write(test, fx->file, 0, COPIED, 2);
	iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_LANDS);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
	KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 0), 0);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	fail_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, i_size_read(file_inode(fx->file)), 0);
}

/* Move the head to 2 to 10 blocks before the end of the log. Empty the log. */
static void head_to_end(struct kunit *test, struct fail_fixture *fx)
{
	for (;;) {
		u64 left = LOG_BLOCKS - fx->sbi->log->head_pos;

		if (left >= 2 && left <= 10)
			break;
		files_write(test, fx->file, 20, left > 40 ? 30 : 1, 1);
		KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
	}
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	iolog_reset(fx->log);
}

/*
 * The failed record is on the device, at the end of the log. The next record
 * does not fit there, so it goes to the start of the log. The next record must
 * not have the number of the failed record. Otherwise a replay would apply the
 * failed record and would not find the next record.
 */
static void fail_lands_elsewhere(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);

	fail_prepare(test, fx);
	head_to_end(test, fx);
	files_write(test, fx->file, 0, 1, 2);
	iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_LANDS);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
	files_write(test, fx->file, 0, 20, 3);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_EQ(test, fx->sbi->log->head_pos, 21);
	fail_crash(test, fx, 0);
	KUNIT_EXPECT_EQ(test, version_of(test, fx->file, 20), 3);
}

/* The second write of a failed record fails, too. The filesystem must abort. */
static void fail_twice(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int at;

	/*
	 * I/O 0 writes the record, I/O 1 writes it again, and I/O 2 is a flush.
	 */
	for (at = 1; at < 3; at++) {
		fail_prepare(test, fx);
		head_to_end(test, fx);
		files_write(test, fx->file, 0, 1, 2);
		iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_LANDS);
		KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
		iolog_fail(fx->log, at, 1, MSYNCFS_FAKE_FAILS);
		files_write(test, fx->file, 0, 20, 3);
		KUNIT_EXPECT_NE(test, files_sync(fx->file), 0);
		KUNIT_EXPECT_TRUE_MSG(test, fail_aborted(fx), "I/O %u", at);
		KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 20);
		KUNIT_EXPECT_NE(test, files_sync(fx->file), 0);
		fail_crash(test, fx, 0);
		files_expect(test, fx->file, 1, 19, 1);
	}
}

/*
 * A synchronous O_DIRECT write fails. A FUA write may be a flush, so the write
 * is no FUA write. Only its caller gets an error.
 */
static void fail_direct(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE |
					     MSYNCFS_FAKE_FUA);
	void *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct file *file;
	loff_t pos = 0;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	fail_prepare(test, fx);
	file = msyncfs_fake_open(fx->fake, "f", O_RDWR | O_DIRECT | O_DSYNC);
	iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_FAILS);
	KUNIT_EXPECT_EQ(test, kernel_write(file, buf, PAGE_SIZE, &pos), -EIO);
	KUNIT_EXPECT_FALSE(test, fail_aborted(fx));

	iolog_reset(fx->log);
	KUNIT_EXPECT_EQ(test, kernel_write(file, buf, PAGE_SIZE, &pos),
			PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, fx->log->nr, 2);
	KUNIT_EXPECT_EQ(test, fx->log->io[0].ops, MSYNCFS_FAKE_WRITE);
	KUNIT_EXPECT_FALSE(test, fx->log->io[0].opf & REQ_FUA);
	KUNIT_EXPECT_EQ(test, fx->log->io[1].ops, MSYNCFS_FAKE_FLUSH);
	msyncfs_fake_close(fx->fake, file);

	files_write(test, fx->file, 1, 1, 2);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), 0);
}

/* ---- checkpoint --------------------------------------------------------- */

/*
 * An error at each I/O of a checkpoint loses nothing. A home write that fails
 * once is repeated at once.
 */
static void fail_checkpoint(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int at, i;
	bool flush, home;
	int err;

	for (at = 0; at < MAX_IO; at++) {
		fail_prepare(test, fx);
		for (i = 0; i < 3; i++) {
			files_write(test, fx->file, 10 * i, 1, 40 + i);
			KUNIT_ASSERT_EQ(test, files_sync(fx->file), 0);
		}
		iolog_reset(fx->log);
		iolog_fail(fx->log, at, 1, MSYNCFS_FAKE_FAILS);
		err = msyncfs_checkpoint(fx->fake->sb);
		if (!fx->log->failed)
			break;
		flush = fx->log->io[at].ops & MSYNCFS_FAKE_FLUSH;
		home = msyncfs_is_data(&fx->sbi->geo, fx->log->io[at].blkno);
		KUNIT_EXPECT_EQ_MSG(test, err, home ? 0 : -EIO, "I/O %u", at);
		KUNIT_EXPECT_EQ(test, fx->sbi->log->used, home ? 0 : 6);
		KUNIT_EXPECT_EQ_MSG(test, fail_aborted(fx), flush, "I/O %u", at);

		/* Reads still return the images (B4). */
		KUNIT_EXPECT_EQ(test,
				invalidate_inode_pages2(fx->file->f_mapping),
				0);
		for (i = 0; i < 3; i++)
			files_expect(test, fx->file, 10 * i, 1, 40 + i);
		if (!flush && at) {
			KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fx->fake->sb),
					0);
			KUNIT_EXPECT_EQ(test, fx->sbi->log->used, 0);
		}
		fail_crash(test, fx, at % 3 ? at : UINT_MAX);
		for (i = 0; i < 3; i++)
			files_expect(test, fx->file, 10 * i, 1, 40 + i);
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GE(test, at, 5);
}

/* ---- power failures ----------------------------------------------------- */

static const struct cut_row {
	const char	*name;
	unsigned int	features;
	unsigned int	pages;
} cut_rows[] = {
	{ "FUA", 3, COPIED },
	{ "cache", 1, COPIED },
	{ "cache, fresh blocks", 1, FRESH },
};

KUNIT_ARRAY_PARAM_DESC(cut, cut_rows, name);

/*
 * Write the versions 2 to 5 in order, and checkpoint after version 3. Stop when
 * the power fails. Return the newest version that was acknowledged before the
 * power failure.
 */
static int write_versions(struct kunit *test, struct fail_fixture *fx,
			  unsigned int pages)
{
	int fill, acked = 1;

	for (fill = 2; fill < 6 && !fx->log->cut; fill++) {
		files_write(test, fx->file, 0, pages, fill);
		if (!files_sync(fx->file) && !fx->log->cut)
			acked = fill;
		if (fill == 3)
			msyncfs_checkpoint(fx->fake->sb);
	}
	return acked;
}

static void fail_power(struct kunit *test)
{
	const struct cut_row *row = test->param_value;
	struct fail_fixture *fx = fail_setup(test, row->features);
	unsigned int at, seed;
	int acked, fill;
	bool cut = true;

	for (at = 0; cut; at++) {
		KUNIT_ASSERT_LT(test, at, MAX_IO);
		for (seed = 0; seed < 3; seed++) {
			fail_prepare(test, fx);
			iolog_cut(fx->log, at);
			acked = write_versions(test, fx, row->pages);
			cut = fx->log->cut;
			fail_crash(test, fx, seed == 2 ? UINT_MAX :
					     seed * (at + 1));
			fill = version_of(test, fx->file, row->pages);
			KUNIT_EXPECT_GE_MSG(test, fill, acked,
					    "cut at %u, seed %u", at, seed);
			KUNIT_EXPECT_LE(test, fill, 5);
			if (!cut)
				break;
		}
	}
	KUNIT_EXPECT_EQ(test, acked, 5);
	KUNIT_EXPECT_GE(test, at, 6);
}

/* ---- freed blocks, and inodes without a name ---------------------------- */

/*
 * Truncate one file to size 0, and write another file. The device is so small
 * that the second file needs the blocks of the first file. The second file must
 * not get these blocks before the truncation is durable and home (B3).
 */
static void fail_reuse(struct kunit *test)
{
	struct fail_fixture *fx;
	unsigned int at, size;
	struct file *g;
	bool cut = true, acked;

	for (at = 0; cut; at++) {
		KUNIT_ASSERT_LT(test, at, MAX_IO);
		fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, fx);
		fx->fake = msyncfs_fake_create(test, 390, LOG_BLOCKS,
					       MSYNCFS_FAKE_CACHE);
		fx->log = iolog_start(fx->fake, OUT);
		KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL),
				0);
		fail_open(fx);
		fail_prepare(test, fx);

		iolog_cut(fx->log, at);
		g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
		KUNIT_EXPECT_EQ(test, files_truncate(fx->file, 0), 0);
		files_write(test, g, 0, FILE_PAGES, 2);
		acked = !files_sync(g) && !fx->log->cut;
		cut = fx->log->cut;
		iolog_power_off(fx->log);
		msyncfs_fake_close(fx->fake, g);
		fail_crash(test, fx, at % 2 ? UINT_MAX : 0);

		size = i_size_read(file_inode(fx->file)) >> PAGE_SHIFT;
		KUNIT_EXPECT_TRUE_MSG(test, !size || size == FILE_PAGES,
				      "cut at %u: %u pages", at, size);
		files_expect(test, fx->file, 0, size, 1);
		if (acked) {
			g = msyncfs_fake_open(fx->fake, "g", O_RDWR);
			files_expect(test, g, 0, FILE_PAGES, 2);
			KUNIT_EXPECT_EQ(test, size, 0);
		}
	}
	KUNIT_EXPECT_TRUE(test, acked);
	KUNIT_EXPECT_GE(test, at, 4);
}

/**
 * struct orphan_row - an inode that has no name when the power fails
 * @name: description
 * @tmpfile: the inode never had a name
 * @commit: the last change of the inode is durable
 * @left: the inode exists after the crash, with its name
 */
struct orphan_row {
	const char	*name;
	bool		tmpfile;
	bool		commit;
	bool		left;
};

static const struct orphan_row orphan_rows[] = {
	{ "unlinked", false, true, false },
	{ "unlinked, not durable", false, false, true },
	{ "O_TMPFILE", true, true, false },
	{ "O_TMPFILE, not durable", true, false, false },
};

KUNIT_ARRAY_PARAM_DESC(orphan, orphan_rows, name);

/* The mount frees the inode and its blocks. It frees no other block (B5). */
static void fail_orphan(struct kunit *test)
{
	const struct orphan_row *row = test->param_value;
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct msyncfs_disk_root *root;
	struct file *g;
	u64 space;

	root = kunit_kzalloc(test, sizeof(*root), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, root);
	fail_prepare(test, fx);
	space = fail_space(test, fx);
	if (row->tmpfile) {
		g = msyncfs_fake_open(fx->fake, ".", O_TMPFILE | O_RDWR);
		files_write(test, g, 0, FRESH, 7);
	} else {
		g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
		files_write(test, g, 0, FRESH, 7);
		KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
		KUNIT_ASSERT_EQ(test, files_unlink(fx->fake, "g"), 0);
	}
	if (row->commit)
		KUNIT_EXPECT_EQ(test, vfs_fsync(g, 0), 0);
	/* The file has no name, but it can be read while it is open. */
	files_expect(test, g, 0, FRESH, 7);

	iolog_power_off(fx->log);
	msyncfs_fake_close(fx->fake, g);
	fail_crash(test, fx, UINT_MAX);
	version_of(test, fx->file, 0);
	if (row->left) {
		g = msyncfs_fake_open(fx->fake, "g", O_RDWR);
		files_expect(test, g, 0, FRESH, 7);
		return;
	}
	KUNIT_EXPECT_EQ(test, fail_space(test, fx), space);
	KUNIT_EXPECT_EQ(test, files_unlink(fx->fake, "g"), -ENOENT);
	msyncfs_fake_read(fx->fake, MSYNCFS_ROOT_BLKNO, root);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(root->orphan_head), 0);
}

/* If the inode is closed without a crash, its blocks become available. */
static void fail_orphan_closed(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct file *g;
	u64 space;

	fail_prepare(test, fx);
	space = fail_space(test, fx);
	g = msyncfs_fake_open(fx->fake, ".", O_TMPFILE | O_RDWR);
	files_write(test, g, 0, FRESH, 7);
	KUNIT_EXPECT_EQ(test, files_sync(g), 0);
	KUNIT_EXPECT_LE(test, fail_space(test, fx), space - FRESH);
	msyncfs_fake_close(fx->fake, g);
	KUNIT_EXPECT_EQ(test, fail_space(test, fx), space);
}

/* ---- an abort inside an operation --------------------------------------- */

/**
 * struct waiter - a commit that waits for the end of an operation
 * @sb: filesystem
 * @err: result of the commit
 * @done: completed when the commit has returned
 */
struct waiter {
	struct super_block	*sb;
	int			err;
	struct completion	done;
};

static int waiter_thread(void *data)
{
	struct waiter *w = data;

	w->err = msyncfs_commit_all(w->sb);
	complete(&w->done);
	return 0;
}

/*
 * A commit waits for the end of an operation, and the filesystem aborts before
 * the operation ends. The commit must not write a record with half of the
 * operation.
 */
static void fail_abort_inside(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct waiter w = { .sb = fx->fake->sb };
	struct msyncfs_op op;
	unsigned int i;

	fail_prepare(test, fx);
	init_completion(&w.done);
	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(w.sb, &op, 1, 0), 0);
	msyncfs_op_add_inode(&op, file_inode(fx->file), true);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(waiter_thread, &w,
						    "msyncfs-waiter")));
	for (i = 0; i < 500 && !READ_ONCE(fx->sbi->log->running)->locked; i++)
		msleep(20);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(fx->sbi->log->running)->locked);
	msyncfs_abort(w.sb, "half an operation", -EIO);
	msyncfs_op_end(&op);
	wait_for_completion(&w.done);
	KUNIT_EXPECT_EQ(test, w.err, -EIO);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
}

/**
 * struct locker - a task that locks a folio and waits for its writeback
 * @folio: the folio
 * @locked: completed when the folio is locked
 * @done: completed when the folio is unlocked again
 */
struct locker {
	struct folio		*folio;
	struct completion	locked;
	struct completion	done;
};

static int locker_thread(void *data)
{
	struct locker *l = data;

	folio_lock(l->folio);
	complete(&l->locked);
	folio_wait_writeback(l->folio);
	folio_unlock(l->folio);
	complete(&l->done);
	return 0;
}

/*
 * A record fails while a later capture has one of its pages under writeback, and
 * another task holds the lock of this page and waits for the writeback. The
 * commit must not wait for the lock, because the later capture may be waiting
 * for the commit.
 */
static void fail_later_capture(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct address_space *mapping = fx->file->f_mapping;
	struct msyncfs_inode_info *mi = MSYNCFS_I(mapping->host);
	struct waiter w = { .sb = fx->fake->sb };
	struct msyncfs_capture *cap;
	struct locker l = {};

	fail_prepare(test, fx);
	init_completion(&w.done);
	init_completion(&l.locked);
	init_completion(&l.done);
	files_write(test, fx->file, 0, 1, 2);
	KUNIT_ASSERT_EQ(test, filemap_flush(mapping), 0);
	files_write(test, fx->file, 0, 1, 3);
	mutex_lock(&mi->i_commit_lock);
	cap = msyncfs_capture_pages(mapping->host, 0, ULONG_MAX, 0, ULONG_MAX);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cap);
	l.folio = filemap_get_folio(mapping, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(l.folio));
	KUNIT_EXPECT_TRUE(test, folio_test_writeback(l.folio));
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(locker_thread, &l,
						    "msyncfs-locker")));
	wait_for_completion(&l.locked);

	iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_FAILS);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(waiter_thread, &w,
						    "msyncfs-waiter")));
	if (wait_for_completion_timeout(&w.done, 5 * HZ))
		complete(&w.done);
	else
		KUNIT_FAIL(test, "the commit waits for a page under writeback");
	/* The later capture fails, too. */
	msyncfs_capture_redirty(cap, 0);
	msyncfs_capture_put(cap);
	mutex_unlock(&mi->i_commit_lock);
	wait_for_completion(&w.done);
	wait_for_completion(&l.done);
	folio_put(l.folio);
	KUNIT_EXPECT_EQ(test, w.err, -EIO);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->file), 1);
	KUNIT_EXPECT_EQ(test, files_sync(fx->file), -EIO);
	expect_told_once(test, fx, false);
	fail_crash(test, fx, 0);
	files_expect(test, fx->file, 0, 1, 3);
}

/*
 * A damaged map makes a block both data of one file and the inode of another
 * file. No record may have two images of this block, one as data and one as an
 * inode. Recovery would refuse such a record and all later records.
 */
static void fail_two_things(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	struct inode *inode = file_inode(fx->file);
	struct msyncfs_op op;

	fail_prepare(test, fx);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	msyncfs_root_ptrs(inode)[0] = cpu_to_le64(file_inode(g)->i_ino);
	/* The cached page remembers its old block, so drop the page. */
	invalidate_mapping_pages(inode->i_mapping, 0, 0);
	files_write(test, fx->file, 0, 1, 2);
	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(inode->i_sb, &op, 1, 0), 0);
	msyncfs_op_add_inode(&op, file_inode(g), true);
	msyncfs_op_end(&op);
	KUNIT_EXPECT_NE(test, files_sync(fx->file), 0);
	KUNIT_EXPECT_TRUE(test, fail_aborted(fx));
	msyncfs_fake_close(fx->fake, g);
	fail_crash(test, fx, UINT_MAX);
	files_expect(test, fx->file, 0, FILE_PAGES, 1);
}

static struct kunit_case fail_cases[] = {
	KUNIT_CASE_PARAM(fail_every_io, error_gen_params),
	KUNIT_CASE(fail_two_things),
	KUNIT_CASE(fail_lands_overwritten),
	KUNIT_CASE(fail_lands_truncated),
	KUNIT_CASE(fail_lands_elsewhere),
	KUNIT_CASE(fail_twice),
	KUNIT_CASE(fail_direct),
	KUNIT_CASE_SLOW(fail_checkpoint),
	KUNIT_CASE_PARAM_ATTR(fail_power, cut_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_SLOW(fail_reuse),
	KUNIT_CASE_PARAM(fail_orphan, orphan_gen_params),
	KUNIT_CASE(fail_orphan_closed),
	KUNIT_CASE(fail_abort_inside),
	KUNIT_CASE(fail_later_capture),
	{}
};

static struct kunit_suite fail_suite = {
	.name		= "msyncfs_logfail",
	.test_cases	= fail_cases,
};

kunit_test_suite(fail_suite);
