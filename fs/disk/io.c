// SPDX-License-Identifier: GPL-2.0
/*
 * Batches of block I/O: the one way in which log, checkpoint and fresh blocks
 * reach the device, and recovery reads. Neighbouring blocks share a bio. Nothing
 * here knows what the blocks mean or in which order batches must become durable.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/pagemap.h>

#include "disk.h"

/**
 * struct msyncfs_bio - a bio that knows where it was sent
 * @blkno: first block
 * @nr: blocks, 0 for a flush
 * @bio: the bio, whose own position does not survive the way down
 */
struct msyncfs_bio {
	u64		blkno;
	unsigned int	nr;
	struct bio	bio;
};

static struct bio_set msyncfs_bios;

static struct bio *msyncfs_bio_alloc(struct msyncfs_io *io, u64 blkno,
				     unsigned short vecs)
{
	struct bio *bio = bio_alloc_bioset(io->sb->s_bdev, vecs, io->opf,
					   GFP_NOIO, &msyncfs_bios);
	struct msyncfs_bio *mb = container_of(bio, struct msyncfs_bio, bio);

	mb->blkno = blkno;
	mb->nr = 0;
	return bio;
}

static void msyncfs_io_put(struct msyncfs_io *io)
{
	if (atomic_dec_and_test(&io->inflight))
		complete(&io->done);
}

static void msyncfs_io_end(struct bio *bio)
{
	struct msyncfs_bio *mb = container_of(bio, struct msyncfs_bio, bio);
	struct msyncfs_io *io = bio->bi_private;

	if (bio->bi_status) {
		if (!cmpxchg(&io->error, 0,
			     blk_status_to_errno(bio->bi_status))) {
			io->bad = mb->blkno;
			io->bad_nr = mb->nr;
		}
		/*
		 * Here, before any later flush can complete: that one may well
		 * succeed, with what this one lost gone.
		 */
		if (bio->bi_opf & REQ_PREFLUSH)
			set_bit(MSYNCFS_SB_FLUSH_FAILED,
				&MSYNCFS_SB(io->sb)->state);
	}
	if (io->writeback) {
		struct folio_iter fi;

		bio_for_each_folio_all(fi, bio)
			folio_end_writeback(fi.folio);
	}
	bio_put(bio);
	msyncfs_io_put(io);
}

/**
 * msyncfs_io_init - start a batch, of writes unless @io->opf is set after it
 * @io: to set up, usually on the stack
 * @sb: filesystem
 * @writeback: the pages belong to folios under writeback, which ends for each
 *	as soon as its own write is done
 */
void msyncfs_io_init(struct msyncfs_io *io, struct super_block *sb,
		     bool writeback)
{
	io->sb = sb;
	io->opf = REQ_OP_WRITE | REQ_SYNC;
	io->bio = NULL;
	io->next = 0;
	io->writeback = writeback;
	atomic_set(&io->inflight, 1);
	io->error = 0;
	io->bad = 0;
	io->bad_nr = 0;
	init_completion(&io->done);
}

/**
 * msyncfs_io_submit - send what has been gathered, without waiting
 * @io: batch
 * @flags: REQ_FUA and REQ_PREFLUSH, only for a batch that is one bio
 */
void msyncfs_io_submit(struct msyncfs_io *io, blk_opf_t flags)
{
	struct bio *bio = io->bio;

	if (!bio)
		return;
	io->bio = NULL;
	if (bio_has_data(bio)) {
		struct msyncfs_bio *mb = container_of(bio, struct msyncfs_bio,
						      bio);

		mb->nr = io->next - mb->blkno;
	}
	bio->bi_opf |= flags;
	atomic_inc(&io->inflight);
	submit_bio(bio);
}

/**
 * msyncfs_io_add - write one block, or read it
 * @io: batch
 * @blkno: where to
 * @page: what; must stay unchanged until msyncfs_io_wait() returns
 *
 * Blocks added in ascending order share bios. May sleep, cannot fail: bios come
 * from a reserve, which a filled bio on its way refills.
 */
void msyncfs_io_add(struct msyncfs_io *io, u64 blkno, struct page *page)
{
	if (io->bio && (blkno != io->next ||
			bio_add_page(io->bio, page, MSYNCFS_BLOCK_SIZE, 0) !=
				MSYNCFS_BLOCK_SIZE))
		msyncfs_io_submit(io, 0);

	if (!io->bio) {
		io->bio = msyncfs_bio_alloc(io, blkno, BIO_MAX_VECS);
		io->bio->bi_iter.bi_sector =
			blkno << (MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT);
		io->bio->bi_end_io = msyncfs_io_end;
		io->bio->bi_private = io;
		__bio_add_page(io->bio, page, MSYNCFS_BLOCK_SIZE, 0);
	}
	io->next = blkno + 1;
}

/**
 * msyncfs_io_wait - send what is left of a batch and wait for all of it
 * @io: batch; may be given to msyncfs_io_init() again afterwards
 * @flags: REQ_FUA and REQ_PREFLUSH, only for a batch that is one bio
 *
 * Return: 0, or the first error of any of its bios; @io->bad and @io->bad_nr say
 * which blocks it concerns.
 */
int msyncfs_io_wait(struct msyncfs_io *io, blk_opf_t flags)
{
	msyncfs_io_submit(io, flags);
	msyncfs_io_put(io);
	wait_for_completion_io(&io->done);
	return io->error;
}

/**
 * msyncfs_flush - empty the device's volatile cache
 * @sb: filesystem
 *
 * A flush that failed, this or another one under way, is final: nothing is known
 * of what the cache held, and the filesystem is aborted (R5).
 *
 * Context: may sleep. Costs nothing on a device without a volatile cache.
 * Return: 0, or the error; all that was written before and not known durable
 * may be lost then.
 */
int msyncfs_flush(struct super_block *sb)
{
	struct msyncfs_io io;
	int err = 0;

	if (bdev_write_cache(sb->s_bdev) && !msyncfs_breaks(FLUSH)) {
		msyncfs_io_init(&io, sb, false);
		io.bio = msyncfs_bio_alloc(&io, 0, 0);
		io.bio->bi_end_io = msyncfs_io_end;
		io.bio->bi_private = &io;
		err = msyncfs_io_wait(&io, REQ_PREFLUSH);
	}
	return msyncfs_flush_failed(sb, err);
}

/**
 * msyncfs_flush_failed - has any flush failed?
 * @sb: filesystem
 * @err: error known already, or 0
 *
 * To be asked at every point of no return.
 *
 * Return: @err, or -EIO; the filesystem is aborted then.
 */
int msyncfs_flush_failed(struct super_block *sb, int err)
{
	if (!err && test_bit(MSYNCFS_SB_FLUSH_FAILED, &MSYNCFS_SB(sb)->state))
		err = -EIO;
	if (err)
		msyncfs_abort(sb, "the device failed to flush its cache", err);
	return err;
}

/**
 * msyncfs_bios_init - set up what all mounts share
 *
 * Return: 0 or -ENOMEM.
 */
int msyncfs_bios_init(void)
{
	return bioset_init(&msyncfs_bios, BIO_POOL_SIZE,
			   offsetof(struct msyncfs_bio, bio),
			   BIOSET_NEED_BVECS);
}

/**
 * msyncfs_bios_exit - the reverse, on module exit
 */
void msyncfs_bios_exit(void)
{
	bioset_exit(&msyncfs_bios);
}
