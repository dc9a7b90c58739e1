// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for I/O errors. The suite tests commits, checkpoints, unmounts,
 * mounts and file reads. Each round runs one of these operations and lets one
 * read, write or flush of the device fail. In some rounds, this I/O fails
 * alone. In other rounds, all later I/O of its kind fails, too. In all cases,
 * acknowledged data must not be lost, and a call must succeed only if its data
 * is durable. The pages of a failed call must stay dirty, and no block may be
 * lost. The kernel log must name the block and the kind of object.
 *
 * logfail_kunit.c tests power failures, and failed records that reach the
 * device. atomic_fail_kunit.c tests atomic files.
 */
#include <kunit/test.h>
#include <linux/pagemap.h>

#include "files.h"
#include "iolog.h"
#include "kmsg.h"

#define BLOCKS		1400
#define LOG_BLOCKS	256	/* 63 images fit a record, 31 copied pages */
#define MAX_SLOTS	72
#define MAX_FILES	2
#define MAX_IO		100
#define LEAF		MSYNCFS_NODE_PTRS

#define READ_IO		MSYNCFS_FAKE_READ
#define WRITE_IO	MSYNCFS_FAKE_WRITE
#define FLUSH_IO	MSYNCFS_FAKE_FLUSH
#define OUT		(WRITE_IO | FLUSH_IO)

#define SAME(test, fx, a, b) \
	KUNIT_EXPECT_EQ_MSG(test, a, b, "%s", (fx)->where)

/**
 * struct model - the content that each file should have
 * @nr: number of pages that are checked, including the last page of the file
 * @fill: byte that fills each of these pages
 */
struct model {
	unsigned int	nr;
	u8		fill[MAX_SLOTS];
};

struct fixture;

/**
 * struct load - an operation whose I/O fails
 * @name: description
 * @features: features of the device
 * @kinds: kinds of I/O that @call does, MSYNCFS_FAKE_*
 * @step: distance between two pages that are checked, in pages
 * @nr: number of checked pages before @change; these pages are full of 1,
 *	durable and home
 * @files: number of files; @change changes all of them in the same way
 * @atomic: the files are atomic
 * @durable: the effect of @change is acknowledged before @call
 * @second: an I/O of an earlier call has failed before @call
 * @once: @call cannot be repeated
 * @change: makes changes
 * @call: the operation that fails
 */
struct load {
	const char	*name;
	unsigned int	features;
	unsigned int	kinds;
	u64		step;
	unsigned int	nr;
	unsigned int	files;
	bool		atomic;
	bool		durable;
	bool		second;
	bool		once;
	void		(*change)(struct kunit *test, struct fixture *fx);
	int		(*call)(struct kunit *test, struct fixture *fx);
};

/**
 * struct fixture - a mounted device and files on it
 * @load: operation that is tested
 * @fake: device
 * @log: trace of the I/O of @fake
 * @sbi: the mount
 * @file: files
 * @again: another open file description of the first file
 * @other: a file that expect_final() writes to
 * @old: acknowledged content
 * @now: present content
 * @half: content of the record that failed first, if the load has @second
 * @space: blocks available at the start of each round; 0: not known yet
 * @rounds: number of rounds
 * @kmsg: the kernel log
 * @where: description of the I/O that fails, for messages
 * @buf: a page
 */
struct fixture {
	const struct load	*load;
	struct msyncfs_fake	*fake;
	struct iolog		*log;
	struct msyncfs_sb_info	*sbi;
	struct file		*file[MAX_FILES];
	struct file		*again;
	struct file		*other;
	struct model		old;
	struct model		now;
	struct model		half;
	u64			space;
	unsigned int		rounds;
	struct kmsg		kmsg;
	char			where[64];
	u8			*buf;
};

/* ---- files and the model ------------------------------------------------ */

static const char * const names[MAX_FILES] = { "f", "g" };

static void store(struct kunit *test, struct fixture *fx, unsigned int first,
		  unsigned int nr, u8 fill)
{
	unsigned int f, i;

	for (f = 0; f < fx->load->files; f++)
		for (i = first; i < first + nr; i++)
			files_write(test, fx->file[f], i * fx->load->step, 1,
				    fill);
	memset(fx->now.fill + first, fill, nr);
	fx->now.nr = max(fx->now.nr, first + nr);
}

static loff_t size_of(const struct fixture *fx, const struct model *m)
{
	return ((m->nr - 1) * fx->load->step + 1) << PAGE_SHIFT;
}

static void cut(struct kunit *test, struct fixture *fx, unsigned int nr)
{
	unsigned int f;

	fx->now.nr = nr;
	for (f = 0; f < fx->load->files; f++)
		KUNIT_ASSERT_EQ(test, files_truncate(fx->file[f],
						     size_of(fx, &fx->now)), 0);
}

/*
 * Compare all files with the model. Return the number of the first checked page
 * that differs, MAX_SLOTS for a wrong size, or -1.
 */
static int differs(struct fixture *fx, const struct model *m)
{
	unsigned int f, i;

	for (f = 0; f < fx->load->files; f++) {
		if (i_size_read(file_inode(fx->file[f])) != size_of(fx, m))
			return MAX_SLOTS;
		for (i = 0; i < m->nr; i++)
			if (files_read(fx->file[f], i * fx->load->step) !=
			    m->fill[i])
				return i;
	}
	return -1;
}

static unsigned long dirty_pages(struct fixture *fx)
{
	unsigned long nr = 0;
	unsigned int f;

	for (f = 0; f < fx->load->files; f++)
		nr += files_dirty(fx->file[f]);
	return nr;
}

static void open_all(struct fixture *fx)
{
	int flags = O_CREAT | O_RDWR | O_LARGEFILE;
	unsigned int f;

	fx->sbi = MSYNCFS_SB(fx->fake->sb);
	for (f = 0; f < fx->load->files; f++)
		fx->file[f] = msyncfs_fake_open(fx->fake, names[f], flags);
	fx->again = msyncfs_fake_open(fx->fake, names[0], flags);
	fx->other = msyncfs_fake_open(fx->fake, "other", flags);
	files_quiet(fx->fake);
}

static void close_all(struct fixture *fx)
{
	unsigned int f;

	msyncfs_fake_close(fx->fake, fx->other);
	msyncfs_fake_close(fx->fake, fx->again);
	for (f = 0; f < fx->load->files; f++)
		msyncfs_fake_close(fx->fake, fx->file[f]);
}

/*
 * Commit and checkpoint. Expect that no block is still promised or held. Return
 * the number of available blocks.
 */
static u64 settle(struct kunit *test, struct fixture *fx)
{
	struct super_block *sb = fx->fake->sb;

	SAME(test, fx, msyncfs_commit_all(sb), 0);
	SAME(test, fx, msyncfs_checkpoint(sb), 0);
	SAME(test, fx, fx->sbi->space->reserved, 0);
	SAME(test, fx, fx->sbi->space->held, 0);
	SAME(test, fx, fx->sbi->space->claimed, 0);
	SAME(test, fx, fx->sbi->space->freed, 0);
	return msyncfs_space_avail(sb);
}

/*
 * Make new files with load->nr pages. Expect as many available blocks as after
 * the first call of prepare(). If fewer blocks are available, the previous
 * round has lost blocks.
 */
static void prepare(struct kunit *test, struct fixture *fx)
{
	unsigned int f;
	u64 space;

	close_all(fx);
	for (f = 0; f < fx->load->files; f++)
		KUNIT_ASSERT_EQ(test, files_unlink(fx->fake, names[f]), 0);
	KUNIT_ASSERT_EQ(test, files_unlink(fx->fake, "other"), 0);
	open_all(fx);
	for (f = 0; f < fx->load->files && fx->load->atomic; f++)
		KUNIT_ASSERT_EQ(test,
				msyncfs_atomic_set(file_inode(fx->file[f]),
						   true), 0);
	fx->now.nr = 0;
	store(test, fx, 0, fx->load->nr, 1);
	for (f = 0; f < fx->load->files; f++)
		KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file[f], 0), 0);
	space = settle(test, fx);
	if (!fx->space)
		fx->space = space;
	KUNIT_EXPECT_EQ_MSG(test, space, fx->space, "after %s", fx->where);
	fx->old = fx->now;
}

/*
 * Let the power fail. @keep chooses the blocks of the cache that survive. The
 * caller may have unmounted the filesystem.
 */
static void power_fails(struct fixture *fx, unsigned int keep)
{
	if (fx->fake->mnt) {
		iolog_power_off(fx->log);
		close_all(fx);
	}
	msyncfs_fake_crash(fx->fake, iolog_keep, &keep);
	iolog_reset(fx->log);
}

/*
 * Expect that the kernel log names the blocks of a failed I/O, and the kind of
 * object. The I/Os from number @at on have failed.
 */
static void expect_named(struct kunit *test, struct fixture *fx, unsigned int at)
{
	unsigned int i, said = 0;
	bool named = false;

	for (; kmsg_next(&fx->kmsg, fx->fake); said++)
		for (i = at; i < at + fx->log->failed && i < IOLOG_MAX; i++)
			named |= kmsg_names(&fx->kmsg, &fx->log->io[i]);
	KUNIT_EXPECT_TRUE_MSG(test, named,
			      "%s: %u lines, none of them names block %llu",
			      fx->where, said, fx->log->io[at].blkno);
}

/* ---- operations --------------------------------------------------------- */

static void change_few(struct kunit *test, struct fixture *fx)
{
	store(test, fx, 2, 4, 2);
	store(test, fx, 8, 1, 2);
}

static void change_append(struct kunit *test, struct fixture *fx)
{
	store(test, fx, 7, 8, 2);
}

static void change_all(struct kunit *test, struct fixture *fx)
{
	store(test, fx, 0, fx->load->nr, 2);
}

/* Spill some pages, and then write one of these pages again. */
static void change_spilled(struct kunit *test, struct fixture *fx)
{
	store(test, fx, 0, 6, 2);
	KUNIT_ASSERT_EQ(test, filemap_flush(fx->file[0]->f_mapping), 0);
	invalidate_mapping_pages(fx->file[0]->f_mapping, 0, ULONG_MAX);
	store(test, fx, 3, 1, 3);
}

static void change_cut(struct kunit *test, struct fixture *fx)
{
	store(test, fx, 1, 2, 2);
	cut(test, fx, 5);
}

static void change_size_only(struct kunit *test, struct fixture *fx)
{
	cut(test, fx, 5);
}

static int call_sync(struct kunit *test, struct fixture *fx)
{
	struct msyncfs_range ranges[MAX_FILES];
	unsigned int f;

	if (fx->load->files == 1)
		return files_sync(fx->file[0]);
	for (f = 0; f < MAX_FILES; f++)
		ranges[f] = (struct msyncfs_range) {
			.inode	= file_inode(fx->file[f]),
			.last	= ULONG_MAX,
		};
	if (ranges[0].inode > ranges[1].inode)
		swap(ranges[0], ranges[1]);
	return msyncfs_sync_ranges(ranges, MAX_FILES, true);
}

static void change_after_error(struct kunit *test, struct fixture *fx)
{
	store(test, fx, 2, 4, 2);
	iolog_reset(fx->log);
	fx->log->mask = WRITE_IO;
	iolog_fail(fx->log, 0, 1, MSYNCFS_FAKE_FAILS);
	KUNIT_ASSERT_EQ(test, call_sync(test, fx), -EIO);
	iolog_reset(fx->log);
	fx->half = fx->now;
	store(test, fx, 4, 3, 3);
}

/* Write two records. Both records have an image of one block. */
static void change_logged(struct kunit *test, struct fixture *fx)
{
	change_few(test, fx);
	KUNIT_ASSERT_EQ(test, call_sync(test, fx), 0);
	store(test, fx, 4, 6, 3);
	KUNIT_ASSERT_EQ(test, call_sync(test, fx), 0);
}

static void change_crashed(struct kunit *test, struct fixture *fx)
{
	change_logged(test, fx);
	power_fails(fx, 0);
}

/* Let the power fail while an inode without a name is open. */
static void change_orphan(struct kunit *test, struct fixture *fx)
{
	struct file *o = msyncfs_fake_open(fx->fake, "o", O_CREAT | O_RDWR |
					   O_LARGEFILE);
	unsigned int i;

	for (i = 0; i < 3; i++)
		files_write(test, o, i * LEAF, 2, 9);
	KUNIT_ASSERT_EQ(test, vfs_fsync(o, 0), 0);
	KUNIT_ASSERT_EQ(test, files_unlink(fx->fake, "o"), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	iolog_power_off(fx->log);
	msyncfs_fake_close(fx->fake, o);
	power_fails(fx, 0);
}

static void change_nothing(struct kunit *test, struct fixture *fx)
{
}

static int call_checkpoint(struct kunit *test, struct fixture *fx)
{
	return msyncfs_checkpoint(fx->fake->sb);
}

/* An unmount cannot return an error. Only the kernel log reports the error. */
static int call_umount(struct kunit *test, struct fixture *fx)
{
	close_all(fx);
	msyncfs_fake_umount(fx->fake);
	return fx->log->failed ? -EIO : 0;
}

static int call_mount(struct kunit *test, struct fixture *fx)
{
	int err = msyncfs_fake_do_mount(fx->fake, 0, NULL);

	iolog_fail(fx->log, IOLOG_NEVER, 0, MSYNCFS_FAKE_FAILS);
	if (!err)
		open_all(fx);
	return err;
}

/* A read must return the right data or an error. */
static int call_read(struct kunit *test, struct fixture *fx)
{
	unsigned int i;
	int ret, err = 0;

	for (i = 0; i < fx->now.nr; i++) {
		ret = files_read(fx->file[0], i * fx->load->step);
		if (ret == -EIO)
			err = ret;
		else
			KUNIT_EXPECT_EQ_MSG(test, ret, fx->now.fill[i],
					    "%s: page %u", fx->where, i);
	}
	return err;
}

static const struct load loads[] = {
	{ "copied, FUA", 3, WRITE_IO, 1, 10, 1,
	  .change = change_few, .call = call_sync },
	{ "copied", 1, OUT, 1, 10, 1,
	  .change = change_few, .call = call_sync },
	{ "copied, no cache", 0, WRITE_IO, 1, 10, 1,
	  .change = change_few, .call = call_sync },
	{ "allocating", 1, READ_IO | OUT, LEAF, 10, 1,
	  .change = change_append, .call = call_sync },
	{ "fresh blocks", 1, OUT, 1, 40, 1,
	  .change = change_all, .call = call_sync },
	{ "wide", 1, READ_IO | OUT, LEAF, MAX_SLOTS, 1,
	  .change = change_all, .call = call_sync },
	{ "atomic, copied", 1, OUT, 1, 10, 1, .atomic = true,
	  .change = change_few, .call = call_sync },
	{ "atomic, spilled", 1, READ_IO | OUT, LEAF, 10, 1, .atomic = true,
	  .change = change_spilled, .call = call_sync },
	{ "atomic, cut", 1, READ_IO | OUT, LEAF, 10, 1, .atomic = true,
	  .change = change_cut, .call = call_sync },
	{ "atomic, size only", 3, WRITE_IO, 1, 10, 1, .atomic = true,
	  .change = change_size_only, .call = call_sync },
	{ "two files", 1, OUT, 1, 10, 2,
	  .change = change_few, .call = call_sync },
	{ "two files, fresh blocks", 1, OUT, 1, 24, 2,
	  .change = change_all, .call = call_sync },
	{ "after an error", 1, OUT, 1, 10, 1, .second = true,
	  .change = change_after_error, .call = call_sync },
	{ "checkpoint", 1, OUT, 1, 10, 1, .durable = true,
	  .change = change_logged, .call = call_checkpoint },
	{ "checkpoint, FUA", 3, OUT, 1, 10, 1, .durable = true,
	  .change = change_logged, .call = call_checkpoint },
	{ "unmount", 1, OUT, 1, 10, 1, .durable = true, .once = true,
	  .change = change_logged, .call = call_umount },
	{ "mount", 1, READ_IO | OUT, 1, 10, 1, .durable = true, .once = true,
	  .change = change_crashed, .call = call_mount },
	{ "mount, orphans", 3, READ_IO | OUT, 1, 10, 1, .durable = true,
	  .once = true, .change = change_orphan, .call = call_mount },
	{ "read", 1, READ_IO, LEAF, 6, 1, .durable = true,
	  .change = change_nothing, .call = call_read },
	{ "read, log not empty", 1, READ_IO, LEAF, 10, 1, .durable = true,
	  .change = change_logged, .call = call_read },
};

KUNIT_ARRAY_PARAM_DESC(load, loads, name);

/* ---- checks ------------------------------------------------------------- */

static bool aborted(struct fixture *fx)
{
	return test_bit(MSYNCFS_SB_ABORTED, &fx->sbi->state);
}

/*
 * The device fails for good. Call sync up to three times. Then the filesystem
 * must have aborted in the way that the mount option errors= sets.
 */
static void expect_final(struct kunit *test, struct fixture *fx)
{
	unsigned int i;
	loff_t pos = 0;

	for (i = 0; i < 3 && !aborted(fx); i++) {
		KUNIT_EXPECT_EQ(test, kernel_write(fx->other, fx->buf,
						   PAGE_SIZE, &pos), PAGE_SIZE);
		KUNIT_EXPECT_NE_MSG(test, files_sync(fx->other), 0, "%s",
				    fx->where);
	}
	KUNIT_EXPECT_TRUE_MSG(test, aborted(fx), "%s", fx->where);
	KUNIT_EXPECT_TRUE(test, sb_rdonly(fx->fake->sb));
	SAME(test, fx, test_bit(MSYNCFS_SB_SHUTDOWN, &fx->sbi->state),
	     fx->sbi->options.errors == MSYNCFS_ERRORS_SHUTDOWN);
	KUNIT_EXPECT_LT(test, kernel_write(fx->other, fx->buf, PAGE_SIZE, &pos),
			0);
	if (fx->load->durable)
		return;
	SAME(test, fx, call_sync(test, fx), -EIO);
	SAME(test, fx, files_sync(fx->again), -EIO);
}

/*
 * Repeat the failed call on a device that works again. The repeated call must
 * succeed, and @again must get the error of the failed call once.
 */
static void expect_retry(struct kunit *test, struct fixture *fx, u64 *space)
{
	SAME(test, fx, fx->load->call(test, fx), 0);
	SAME(test, fx, differs(fx, &fx->now), -1);
	SAME(test, fx, dirty_pages(fx), 0);
	if (!fx->load->durable) {
		SAME(test, fx, files_sync(fx->again), -EIO);
		SAME(test, fx, files_sync(fx->again), 0);
	}
	*space = settle(test, fx);
}

/*
 * The call has failed, and the filesystem is still mounted. Repeat the call if
 * the load allows this and the filesystem has not aborted. Return true if the
 * repeated call has succeeded.
 */
static bool expect_failed(struct kunit *test, struct fixture *fx,
			  unsigned int kind, bool good, unsigned long dirty,
			  u64 *space)
{
	const struct load *load = fx->load;

	SAME(test, fx, dirty_pages(fx), dirty);
	if (!(kind == READ_IO && good) &&
	    !test_bit(MSYNCFS_SB_SHUTDOWN, &fx->sbi->state))
		SAME(test, fx, differs(fx, &fx->now), -1);
	if (load->once)
		return false;
	if (good) {
		SAME(test, fx, load->call(test, fx), -EIO);
		SAME(test, fx, dirty_pages(fx), dirty);
	}
	if (good && kind == READ_IO) {
		iolog_reset(fx->log);
	} else if (good || aborted(fx)) {
		/*
		 * The filesystem does not repeat a failed flush. It does not
		 * write a record a third time if two writes of the record have
		 * failed.
		 */
		KUNIT_EXPECT_TRUE_MSG(test, good || kind == FLUSH_IO ||
				      load->second, "%s", fx->where);
		expect_final(test, fx);
		SAME(test, fx, dirty_pages(fx), dirty);
		return false;
	}
	KUNIT_EXPECT_TRUE_MSG(test, kind != FLUSH_IO && !aborted(fx), "%s",
			      fx->where);
	expect_retry(test, fx, space);
	return true;
}

/*
 * Mount the device, which works again. Expect the new content if the new
 * content was acknowledged. Otherwise expect the old or the new content, not a
 * mixture.
 */
static void expect_state(struct kunit *test, struct fixture *fx, bool acked,
			 u64 space)
{
	const char *options = fx->rounds++ & 1 ? "errors=shutdown" : NULL;
	int old, now;
	u64 after;

	KUNIT_ASSERT_EQ_MSG(test, msyncfs_fake_do_mount(fx->fake, 0, options),
			    0, "%s", fx->where);
	open_all(fx);
	now = differs(fx, &fx->now);
	old = differs(fx, &fx->old);
	/*
	 * The record that failed first may be durable although the next record
	 * is not durable.
	 */
	if (old >= 0 && fx->load->second)
		old = differs(fx, &fx->half);
	if (acked)
		SAME(test, fx, now, -1);
	else
		KUNIT_EXPECT_TRUE_MSG(test, old < 0 || now < 0,
				      "%s: page %d is not old, page %d not new",
				      fx->where, old, now);
	after = settle(test, fx);
	if (space)
		SAME(test, fx, after, space);
}

/* Let I/O number @at of @kind fail. Return false if there is no such I/O. */
static bool fail_at(struct kunit *test, struct fixture *fx, unsigned int kind,
		    bool good, unsigned int at)
{
	const struct load *load = fx->load;
	unsigned long dirty = 0;
	unsigned int f, keep = 0;
	bool failed, acked;
	u64 space = 0;
	int err;

	prepare(test, fx);
	snprintf(fx->where, sizeof(fx->where), "%s %u %s",
		 kind == READ_IO ? "read" : kind == WRITE_IO ? "write" : "flush",
		 at, good ? "for good" : "once");
	load->change(test, fx);
	if (load->durable)
		fx->old = fx->now;
	if (fx->fake->mnt) {
		dirty = dirty_pages(fx);
		for (f = 0; f < load->files && kind == READ_IO; f++)
			invalidate_mapping_pages(fx->file[f]->f_mapping, 0,
						 ULONG_MAX);
		invalidate_bdev(fx->fake->sb->s_bdev);
	}
	kmsg_skip(&fx->kmsg);

	iolog_reset(fx->log);
	fx->log->mask = kind;
	iolog_fail(fx->log, at, good ? UINT_MAX : 1, MSYNCFS_FAKE_FAILS);
	err = load->call(test, fx);
	failed = fx->log->failed;
	acked = load->durable || !err;
	/* A failed FUA write counts as a failed flush (R3). */
	if (failed && fx->log->io[at].opf & REQ_FUA)
		kind = FLUSH_IO;
	if (!failed) {
		SAME(test, fx, err, 0);
	} else if (err) {
		SAME(test, fx, err, -EIO);
		expect_named(test, fx, at);
		if (fx->fake->mnt && expect_failed(test, fx, kind, good, dirty,
						   &space))
			acked = true;
	} else {
		/*
		 * A failed readahead is no error, because the page is read
		 * again. A checkpoint repeats a failed home write.
		 */
		KUNIT_EXPECT_TRUE_MSG(test, kind == READ_IO ||
				      (load->durable && kind == WRITE_IO),
				      "%s", fx->where);
	}

	/* In half of the rounds, unmount while the device still fails. */
	if (good && (fx->rounds & 2) && fx->fake->mnt) {
		close_all(fx);
		msyncfs_fake_umount(fx->fake);
	}
	if (!acked && at % 3)
		keep = UINT_MAX;
	power_fails(fx, keep);
	expect_state(test, fx, acked, space);
	return failed;
}

/*
 * Return the distance to the next I/O to test. Test all writes and flushes, but
 * only some of the many reads.
 */
static unsigned int step_from(struct fixture *fx, unsigned int kind, bool good,
			      unsigned int at)
{
	if (kind != READ_IO)
		return 1;
	if (fx->load->nr == MAX_SLOTS)
		return good ? MAX_SLOTS + 1 : 1 + 3 * at;
	return good ? 2 + at : 1 + at / 4;
}

static void ioerr_sweep(struct kunit *test)
{
	struct fixture *fx = test->priv;
	unsigned int at, kind, good;

	fx->load = test->param_value;
	fx->fake = msyncfs_fake_create(test, fx->load->nr == MAX_SLOTS ?
				       2 * BLOCKS : BLOCKS, LOG_BLOCKS,
				       fx->load->features);
	fx->log = iolog_start(fx->fake, OUT);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	open_all(fx);
	for (good = 0; good < 2; good++) {
		for (kind = READ_IO; kind <= FLUSH_IO; kind <<= 1) {
			if (!(fx->load->kinds & kind))
				continue;
			for (at = 0; fail_at(test, fx, kind, good, at);
			     at += step_from(fx, kind, good, at))
				KUNIT_ASSERT_LT(test, at, 3 * MAX_IO);
			KUNIT_EXPECT_GT_MSG(test, at, 0, "%s", fx->where);
		}
	}
}

/* ---- suite -------------------------------------------------------------- */

static int ioerr_init(struct kunit *test)
{
	struct fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx->buf);
	kmsg_start(&fx->kmsg);
	test->priv = fx;
	return 0;
}

static struct kunit_case ioerr_cases[] = {
	KUNIT_CASE_PARAM_ATTR(ioerr_sweep, load_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	{}
};

static struct kunit_suite ioerr_suite = {
	.name		= "msyncfs_ioerr",
	.init		= ioerr_init,
	.test_cases	= ioerr_cases,
};

kunit_test_suite(ioerr_suite);
