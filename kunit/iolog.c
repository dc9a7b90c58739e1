// SPDX-License-Identifier: GPL-2.0
/*
 * Trace the I/O that reaches the fake device, and let some of it fail: see
 * iolog.h.
 */
#include <linux/hash.h>
#include <linux/slab.h>

#include "iolog.h"

/* Return true if a write covers a block that cannot be written. */
static bool iolog_is_bad(const struct iolog *log, const struct bio *bio,
			 unsigned int ops)
{
	u64 blkno = bio->bi_iter.bi_sector >> (MSYNCFS_BLOCK_SHIFT -
					       SECTOR_SHIFT);

	return log->bad && (ops & MSYNCFS_FAKE_WRITE) &&
	       blkno < log->bad + log->bad_nr &&
	       blkno + bio->bi_iter.bi_size / MSYNCFS_BLOCK_SIZE > log->bad;
}

/* The device calls this with its lock held. */
static enum msyncfs_fake_fate iolog_hook(struct msyncfs_fake *fake,
					 struct bio *bio, unsigned int ops)
{
	struct iolog *log = fake->hook_ctx;
	u64 blkno = bio->bi_iter.bi_sector >>
		    (MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT);
	unsigned int nr = DIV_ROUND_UP(bio->bi_iter.bi_size,
				       MSYNCFS_BLOCK_SIZE);
	unsigned int i;

	if (log->cut)
		fake->lost = true;
	if (ops & MSYNCFS_FAKE_READ &&
	    blkno < log->unreadable + log->unreadable_nr &&
	    blkno + nr > log->unreadable)
		return MSYNCFS_FAKE_FAILS;
	if (!(ops & log->mask))
		return MSYNCFS_FAKE_DONE;
	i = log->nr++;
	if (i < IOLOG_MAX)
		log->io[i] = (struct iolog_io) {
			.ops	= ops,
			.opf	= bio->bi_opf,
			.blkno	= blkno,
			.nr	= nr,
		};
	if (i == log->cut_at) {
		log->cut = true;
		/*
		 * Write to the volatile cache only. msyncfs_fake_crash()
		 * decides if the block reaches the media.
		 */
		bio->bi_opf &= ~(blk_opf_t)REQ_FUA;
		if (!(ops & MSYNCFS_FAKE_WRITE))
			fake->lost = true;
	}
	if (i >= log->fail_at && i - log->fail_at < log->fail_nr) {
		log->failed++;
		return log->fate;
	}
	if (iolog_is_bad(log, bio, ops)) {
		log->failed++;
		return MSYNCFS_FAKE_FAILS;
	}
	return MSYNCFS_FAKE_DONE;
}

static void iolog_stop(void *data)
{
	struct iolog *log = data;

	mutex_lock(&log->fake->lock);
	log->fake->hook = NULL;
	mutex_unlock(&log->fake->lock);
	kvfree(log);
}

/**
 * iolog_start - trace the I/O of a device
 * @fake: device; its I/O is traced until the end of the test
 * @mask: kinds of I/O to trace, MSYNCFS_FAKE_*
 *
 * Return: the log. It is empty, and no I/O fails.
 */
struct iolog *iolog_start(struct msyncfs_fake *fake, unsigned int mask)
{
	struct iolog *log = kvzalloc(sizeof(*log), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(fake->test, log);
	log->fake = fake;
	log->mask = mask;
	log->fail_at = IOLOG_NEVER;
	log->cut_at = IOLOG_NEVER;
	KUNIT_ASSERT_EQ(fake->test,
			kunit_add_action_or_reset(fake->test, iolog_stop, log),
			0);
	mutex_lock(&fake->lock);
	fake->hook_ctx = log;
	fake->hook = iolog_hook;
	mutex_unlock(&fake->lock);
	return log;
}

/**
 * iolog_reset - empty the trace, and let no I/O fail
 * @log: log
 */
void iolog_reset(struct iolog *log)
{
	mutex_lock(&log->fake->lock);
	log->nr = 0;
	log->fail_at = IOLOG_NEVER;
	log->cut_at = IOLOG_NEVER;
	log->failed = 0;
	log->cut = false;
	mutex_unlock(&log->fake->lock);
}

/**
 * iolog_fail - make I/O fail
 * @log: log
 * @at: number of the first I/O that fails, counted from the last reset
 * @nr: number of I/Os that fail; UINT_MAX: all I/Os from @at on
 * @fate: how these I/Os fail
 */
void iolog_fail(struct iolog *log, unsigned int at, unsigned int nr,
		enum msyncfs_fake_fate fate)
{
	mutex_lock(&log->fake->lock);
	log->fail_at = at;
	log->fail_nr = nr;
	log->fate = fate;
	mutex_unlock(&log->fake->lock);
}

/**
 * iolog_unreadable - let all reads of some blocks fail
 * @log: log
 * @blkno: first block
 * @nr: number of blocks; 0: no read fails any more
 */
void iolog_unreadable(struct iolog *log, u64 blkno, unsigned int nr)
{
	mutex_lock(&log->fake->lock);
	log->unreadable = blkno;
	log->unreadable_nr = nr;
	mutex_unlock(&log->fake->lock);
}

/**
 * iolog_bad - choose blocks that cannot be written
 * @log: log
 * @blkno: first block; 0: all blocks can be written
 * @nr: number of blocks
 *
 * iolog_reset() does not change the choice.
 */
void iolog_bad(struct iolog *log, u64 blkno, unsigned int nr)
{
	mutex_lock(&log->fake->lock);
	log->bad = blkno;
	log->bad_nr = nr;
	mutex_unlock(&log->fake->lock);
}

/**
 * iolog_cut - let the power fail at an I/O
 * @log: log
 * @at: number of the I/O, counted from the last reset
 */
void iolog_cut(struct iolog *log, unsigned int at)
{
	mutex_lock(&log->fake->lock);
	log->cut_at = at;
	mutex_unlock(&log->fake->lock);
}

/**
 * iolog_power_off - lose all writes from now on
 * @log: log
 *
 * A test must close its files before it calls msyncfs_fake_crash(). The close
 * may write, and these writes must be lost, too. So call iolog_power_off()
 * before the files are closed.
 */
void iolog_power_off(struct iolog *log)
{
	mutex_lock(&log->fake->lock);
	log->cut = true;
	log->fake->lost = true;
	log->fail_at = IOLOG_NEVER;
	mutex_unlock(&log->fake->lock);
}

/**
 * iolog_keep - choose the blocks that survive msyncfs_fake_crash()
 * @seed: pointer to an unsigned int; 0: no block survives, UINT_MAX: all blocks
 *	survive, any other seed: about half of the blocks survive
 * @blkno: block
 *
 * Return: true if the block's newest content survives.
 */
bool iolog_keep(void *seed, u64 blkno)
{
	unsigned int s = *(unsigned int *)seed;

	if (!s || s == UINT_MAX)
		return s;
	return hash_64(blkno * 31 + s, 1);
}

/**
 * iolog_text - format the trace as a string
 * @log: log
 * @buf: buffer for the text
 * @len: size of @buf
 *
 * There is one word for each I/O: R for a read, F for a bare flush, W for a
 * write. A "p" before the W means PREFLUSH. An "f" after the W means FUA. The
 * last letter of a write names the area that is written: s for a slot, l for
 * the log, h for home blocks.
 *
 * Return: @buf. The I/Os that do not fit @len are left out.
 */
const char *iolog_text(struct iolog *log, char *buf, size_t len)
{
	const struct msyncfs_geo *geo = &log->fake->geo;
	unsigned int i;
	size_t at = 0;

	buf[0] = 0;
	mutex_lock(&log->fake->lock);
	for (i = 0; i < min(log->nr, IOLOG_MAX) && at + 8 < len; i++) {
		const struct iolog_io *io = &log->io[i];

		if (i)
			buf[at++] = ' ';
		if (io->ops == MSYNCFS_FAKE_FLUSH)
			buf[at++] = 'F';
		if (io->ops & MSYNCFS_FAKE_READ)
			buf[at++] = 'R';
		if (io->ops & MSYNCFS_FAKE_WRITE) {
			if (io->ops & MSYNCFS_FAKE_FLUSH)
				buf[at++] = 'p';
			buf[at++] = 'W';
			if (io->opf & REQ_FUA)
				buf[at++] = 'f';
			if (io->blkno < MSYNCFS_ROOT_BLKNO)
				buf[at++] = 's';
			else if (io->blkno - geo->log_start < geo->log_blocks)
				buf[at++] = 'l';
			else
				buf[at++] = 'h';
		}
		buf[at] = 0;
	}
	mutex_unlock(&log->fake->lock);
	return buf;
}
