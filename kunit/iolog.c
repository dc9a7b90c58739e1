// SPDX-License-Identifier: GPL-2.0
/*
 * What reaches the fake device, and what goes wrong with it: see iolog.h. The
 * device itself is fake.c's.
 */
#include <linux/hash.h>
#include <linux/slab.h>

#include "iolog.h"

/* Called by the device with its lock held. */
static enum msyncfs_fake_fate iolog_hook(struct msyncfs_fake *fake,
					 struct bio *bio, unsigned int ops)
{
	struct iolog *log = fake->hook_ctx;
	unsigned int i;

	if (log->cut)
		fake->lost = true;
	if (!(ops & log->mask))
		return MSYNCFS_FAKE_DONE;
	i = log->nr++;
	if (i < IOLOG_MAX)
		log->io[i] = (struct iolog_io) {
			.ops	= ops,
			.opf	= bio->bi_opf,
			.blkno	= bio->bi_iter.bi_sector >>
				  (MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT),
			.nr	= DIV_ROUND_UP(bio->bi_iter.bi_size,
					       MSYNCFS_BLOCK_SIZE),
		};
	if (i == log->cut_at) {
		log->cut = true;
		/* Whether it gets any further is for the crash to decide. */
		bio->bi_opf &= ~(blk_opf_t)REQ_FUA;
		if (!(ops & MSYNCFS_FAKE_WRITE))
			fake->lost = true;
	}
	if (i >= log->fail_at && i - log->fail_at < log->fail_nr) {
		log->failed++;
		return log->fate;
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
 * iolog_start - watch a device
 * @fake: device; watched until the end of the test
 * @mask: kinds of I/O to look at, MSYNCFS_FAKE_*
 *
 * Return: the log, empty, with nothing going wrong.
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
 * iolog_reset - count from zero, and nothing goes wrong
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
 * @at: number of the first that fails, counted from the last reset
 * @nr: so many, UINT_MAX for good
 * @fate: how
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
 * iolog_cut - let the power fail
 * @log: log
 * @at: number of the I/O at which it does, counted from the last reset
 */
void iolog_cut(struct iolog *log, unsigned int at)
{
	mutex_lock(&log->fake->lock);
	log->cut_at = at;
	mutex_unlock(&log->fake->lock);
}

/**
 * iolog_power_off - nothing that is written from here on is stored
 * @log: log
 *
 * For files to be closed before msyncfs_fake_crash() without a trace.
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
 * iolog_keep - for msyncfs_fake_crash(): about half of the cache is lost
 * @seed: pointer to an unsigned int; 0: all is lost, UINT_MAX: all is kept
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
 * iolog_text - what happened, to be compared with a string
 * @log: log
 * @buf: for the text
 * @len: of @buf
 *
 * One word for each I/O: R for a read, F for a bare flush, W for a write. Before
 * the W a p for PREFLUSH, after it an f for FUA and where it went: s slot, l
 * log, h home.
 *
 * Return: @buf; the text ends early where @len does.
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
