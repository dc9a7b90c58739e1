// SPDX-License-Identifier: GPL-2.0
/*
 * This file reads and writes batches of blocks. It writes records, home blocks
 * and fresh blocks, and it reads the log for recovery. Consecutive blocks of a
 * batch share a bio. Single sectors are read and written without a batch. All
 * this I/O bypasses the page cache of the device.
 *
 * This file does not know the content of the blocks. The callers decide in
 * which order batches become durable.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/pagemap.h>

#include "disk.h"

/**
 * struct msyncfs_bio - a bio and the blocks that it reads or writes
 * @blkno: first block
 * @nr: number of blocks, 0 for a flush
 * @bio: the bio. The block layer changes the sector of a bio, so @blkno
 *	remembers the first block
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
	if (atomic_dec_and_test(&io->in_flight))
		complete(&io->done);
}

static void msyncfs_io_end(struct bio *bio)
{
	struct msyncfs_bio *mb = container_of(bio, struct msyncfs_bio, bio);
	struct msyncfs_io *io = bio->bi_private;
	int err;

	if (bio->bi_status) {
		err = blk_status_to_errno(bio->bi_status);
		/* This value has its own meaning: see msyncfs_gate_enter(). */
		if (err == -EFSFROZEN)
			err = -EIO;
		if (!cmpxchg(&io->error, 0, err)) {
			io->bad = mb->blkno;
			io->bad_nr = mb->nr;
		}
		/*
		 * A later flush may succeed although this flush has lost
		 * blocks. So set the bit here, before a later flush can
		 * complete. A FUA write may be a flush, too, because the
		 * device or a layer below it may emulate FUA by a write and a
		 * flush. md and virtual disks do, for example.
		 */
		if (bio->bi_opf & (REQ_PREFLUSH | REQ_FUA))
			set_bit(MSYNCFS_SB_FLUSH_FAILED,
				&MSYNCFS_SB(io->sb)->state);
	}
	if (io->writeback)
		msyncfs_end_writeback(bio);
	bio_put(bio);
	msyncfs_io_put(io);
}

/**
 * msyncfs_io_init - set up a batch of block I/O
 * @io: batch to set up, usually on the stack
 * @sb: filesystem
 * @writeback: true if the pages belong to folios under writeback; then the
 *	writeback of each folio ends when the write of the folio is done
 *
 * The function sets @io->opf to a write. A caller that wants to read changes
 * @io->opf after this call.
 *
 * Context: any.
 */
void msyncfs_io_init(struct msyncfs_io *io, struct super_block *sb,
		     bool writeback)
{
	io->sb = sb;
	io->opf = REQ_OP_WRITE | REQ_SYNC;
	io->vecs = BIO_MAX_VECS;
	io->bio = NULL;
	io->next = 0;
	io->writeback = writeback;
	atomic_set(&io->in_flight, 1);
	io->error = 0;
	io->bad = 0;
	io->bad_nr = 0;
	init_completion(&io->done);
}

/**
 * msyncfs_io_submit - send all blocks that have been added, and do not wait
 * @io: batch
 * @flags: REQ_FUA and REQ_PREFLUSH, only for a batch that is one bio
 *
 * Context: may sleep.
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
		if (op_is_write(bio_op(bio)))
			msyncfs_gate_assert(MSYNCFS_SB(io->sb));
	}
	bio->bi_opf |= flags;
	atomic_inc(&io->in_flight);
	submit_bio(bio);
}

/**
 * msyncfs_io_add_run - add consecutive blocks to a batch
 * @io: batch
 * @blkno: first block to write or read
 * @page: first of the pages to write from or to read into; the pages are
 *	physically contiguous, and must stay unchanged until msyncfs_io_wait()
 *	returns
 * @nr: number of blocks, at least 1
 *
 * Consecutive blocks share a bio if they are added in ascending order.
 *
 * Context: may sleep. The function cannot fail: bios come from a reserve, and
 * each bio goes back to the reserve when its I/O ends.
 */
void msyncfs_io_add_run(struct msyncfs_io *io, u64 blkno, struct page *page,
			unsigned int nr)
{
	unsigned int bytes = nr << MSYNCFS_BLOCK_SHIFT;

	if (io->bio && (blkno != io->next ||
			bio_add_page(io->bio, page, bytes, 0) != bytes))
		msyncfs_io_submit(io, 0);

	if (!io->bio) {
		io->bio = msyncfs_bio_alloc(io, blkno, io->vecs);
		io->bio->bi_iter.bi_sector =
			blkno << (MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT);
		io->bio->bi_end_io = msyncfs_io_end;
		io->bio->bi_private = io;
		__bio_add_page(io->bio, page, bytes, 0);
	}
	io->next = blkno + nr;
}

/**
 * msyncfs_io_wait - send the rest of a batch and wait for all of it
 * @io: batch; the caller may pass it to msyncfs_io_init() again afterwards
 * @flags: REQ_FUA and REQ_PREFLUSH, only for a batch that is one bio
 *
 * Context: sleeps for the device.
 * Return: 0, or the first error in the batch. After an error, @io->bad and
 * @io->bad_nr name the blocks of the bio that failed.
 */
int msyncfs_io_wait(struct msyncfs_io *io, blk_opf_t flags)
{
	msyncfs_io_submit(io, flags);
	msyncfs_io_put(io);
	wait_for_completion_io(&io->done);
	return io->error;
}

/**
 * msyncfs_sector_io - read or write the first sector of a block
 * @sb: filesystem
 * @blkno: block
 * @page: content of the sector, at the start of the page
 * @opf: operation and flags
 *
 * The write of a sector is atomic. A sector can have more than 512 bytes.
 *
 * Context: sleeps for the device.
 * Return: 0 or the error of the device.
 */
int msyncfs_sector_io(struct super_block *sb, u64 blkno, struct page *page,
		      blk_opf_t opf)
{
	struct bio *bio = bio_alloc(sb->s_bdev, 1, opf | REQ_SYNC | REQ_META,
				    GFP_NOIO);
	int err;

	bio->bi_iter.bi_sector = (sector_t)blkno << (MSYNCFS_BLOCK_SHIFT -
						     SECTOR_SHIFT);
	__bio_add_page(bio, page, bdev_logical_block_size(sb->s_bdev), 0);
	err = submit_bio_wait(bio);
	bio_put(bio);
	return err;
}

/**
 * msyncfs_flush - flush the volatile cache of the device
 * @sb: filesystem
 *
 * If this flush or any earlier flush has failed, nobody knows which blocks of
 * the cache are lost. So the filesystem is aborted (R5). The function sends no
 * command to a device without a volatile cache.
 *
 * Context: may sleep.
 * Return: 0, or the error. After an error, blocks may be lost that were written
 * before this call and that no earlier flush has made durable.
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
 * msyncfs_flush_failed - tell whether any flush has failed
 * @sb: filesystem
 * @err: negative errno of a flush that has failed, or 0
 *
 * Callers use this function before each step that cannot be undone.
 *
 * Context: any that may take a spinlock.
 * Return: 0 if no flush has failed and @err is 0; else @err, or -EIO if @err is
 * 0. On an error, the filesystem is aborted.
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
 * msyncfs_drop_cache - empty the page cache of the device
 * @sb: filesystem; nobody uses its metadata
 *
 * Metadata is read through this page cache, and other programs read the device
 * through it. The replay of the log bypasses the cache, and an abort leaves
 * buffers whose changes never become durable. invalidate_bdev() would keep the
 * pages that a process has mapped. This function drops these pages, too: a
 * process that loads from its mapping again gets a new page.
 *
 * Changes of other programs in the cache are written to the device first.
 *
 * Context: mount and unmount; sleeps for the device.
 * Return: 0, or the error of these writes (logged).
 */
int msyncfs_drop_cache(struct super_block *sb)
{
	struct address_space *mapping = sb->s_bdev->bd_mapping;
	int err;

	inode_lock(mapping->host);
	filemap_invalidate_lock(mapping);
	err = sync_blockdev(sb->s_bdev);
	/* Each CPU remembers buffers, even if their page is dropped. */
	invalidate_bh_lrus();
	truncate_inode_pages(mapping, 0);
	filemap_invalidate_unlock(mapping);
	inode_unlock(mapping->host);
	if (err)
		msyncfs_err(sb, "cannot write back the device's cache: error %d",
			    err);
	return err;
}

/**
 * msyncfs_bios_init - set up the reserve of bios that all mounts share
 *
 * Context: module init; may sleep.
 * Return: 0 or -ENOMEM.
 */
int msyncfs_bios_init(void)
{
	return bioset_init(&msyncfs_bios, BIO_POOL_SIZE,
			   offsetof(struct msyncfs_bio, bio),
			   BIOSET_NEED_BVECS);
}

/**
 * msyncfs_bios_exit - free the reserve of bios
 *
 * Context: module exit; may sleep.
 */
void msyncfs_bios_exit(void)
{
	bioset_exit(&msyncfs_bios);
}
