// SPDX-License-Identifier: GPL-2.0
/*
 * This file fills the page cache. It reads home blocks. If the newest image of
 * a block is not home yet, this file fills the page from the image (B4). A folio
 * remembers the block of its page (fs/map/map.h). mm/ makes pages dirty and
 * writes them.
 */
#include <linux/bio.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/writeback.h>

#include "vfs.h"

/**
 * struct msyncfs_read - a read of pages
 * @inode: file
 * @ra: the read is readahead
 * @remember: the folios remember their blocks
 * @images: a block of @ext may have an image that is not home
 * @ext: run of the map; its length is 0 before the first lookup
 * @size: size of the file before the lookup of @ext, in bytes
 * @bio: read of the last pages, not sent yet; or NULL
 */
struct msyncfs_read {
	struct inode		*inode;
	bool			ra;
	bool			remember;
	bool			images;
	struct msyncfs_extent	ext;
	loff_t			size;
	struct bio		*bio;
};

/*
 * Finds the block of a page. Sets *@blkno to 0 if the page must be filled with
 * zeros: it has no written block, or it lies beyond the end of the file (P0). The
 * page must also lie before the end at the time of the lookup. Otherwise, an
 * unfinished truncation could free the block, and then the file could grow.
 * @max is the number of pages that the caller reads from @index on. All these
 * pages are locked and not uptodate, so they are not dirty, and no new image of
 * their blocks can appear.
 */
static int msyncfs_read_map(struct msyncfs_read *read, pgoff_t index, u64 max,
			    u64 *blkno)
{
	struct msyncfs_extent *ext = &read->ext;
	int err;

	*blkno = 0;
	if (msyncfs_is_dead(MSYNCFS_SB(read->inode->i_sb)))
		return -EIO;
	if (index - ext->index >= ext->len) {
		ext->len = 0;
		read->size = i_size_read(read->inode);
		err = msyncfs_map_lookup(read->inode, index, max, ext);
		if (err)
			return err;
		read->images = ext->blkno && !ext->unwritten &&
			       msyncfs_image_in(MSYNCFS_SB(read->inode->i_sb),
						ext->blkno,
						ext->blkno + ext->len - 1);
	}
	if (ext->blkno && !ext->unwritten &&
	    (loff_t)index << PAGE_SHIFT < min(read->size,
					      i_size_read(read->inode)))
		*blkno = ext->blkno + (index - ext->index);
	return 0;
}

/*
 * Zeroes the part of a filled page that lies beyond the end of the file (P0). A
 * block may have other bytes there, for example after a crash. The file cannot
 * grow in this page before the page is filled, since its growth zeroes this part.
 */
static void msyncfs_fill_tail(struct folio *folio)
{
	loff_t size = i_size_read(folio->mapping->host);
	loff_t pos = folio_pos(folio);

	if (size < pos + PAGE_SIZE)
		folio_zero_segment(folio, max(size - pos, 0), PAGE_SIZE);
}

/*
 * Fills @folio from the newest image of its block. Returns false if the block
 * has no image. An image can disappear after msyncfs_read_map(). Then the home
 * block has the newest content.
 */
static bool msyncfs_fill_from_image(struct inode *inode, struct folio *folio,
				    u64 blkno)
{
	struct msyncfs_image *img;

	img = msyncfs_image_get(MSYNCFS_SB(inode->i_sb), blkno);
	if (!img)
		return false;
	memcpy_page(folio_page(folio, 0), 0, img->page, 0, PAGE_SIZE);
	flush_dcache_folio(folio);
	msyncfs_fill_tail(folio);
	msyncfs_image_put(img);
	return true;
}

static void msyncfs_read_end(struct bio *bio)
{
	struct folio_iter fi;

	bio_for_each_folio_all(fi, bio) {
		msyncfs_fill_tail(fi.folio);
		folio_end_read(fi.folio, !bio->bi_status);
	}
	bio_put(bio);
}

/* Sends the read of the last pages. */
static void msyncfs_read_submit(struct msyncfs_read *read)
{
	if (read->bio)
		submit_bio(read->bio);
	read->bio = NULL;
}

/*
 * Adds a page to the bio, or begins a new bio. The end of the bio unlocks the
 * page. @max is the number of pages that may follow on consecutive blocks.
 */
static void msyncfs_read_add(struct msyncfs_read *read, struct folio *folio,
			     u64 blkno, u64 max)
{
	sector_t sector = blkno << (MSYNCFS_BLOCK_SHIFT - SECTOR_SHIFT);
	gfp_t gfp = mapping_gfp_constraint(folio->mapping, GFP_KERNEL);
	struct bio *bio = read->bio;

	if (bio && bio_end_sector(bio) == sector &&
	    bio->bi_vcnt < bio->bi_max_vecs) {
		bio_add_folio_nofail(bio, folio, PAGE_SIZE, 0);
		return;
	}
	msyncfs_read_submit(read);
	bio = bio_alloc(read->inode->i_sb->s_bdev,
			bio_max_segs(min_t(u64, max, BIO_MAX_VECS)),
			REQ_OP_READ | (read->ra ? REQ_RAHEAD : 0), gfp);
	bio->bi_iter.bi_sector = sector;
	bio->bi_end_io = msyncfs_read_end;
	bio_add_folio_nofail(bio, folio, PAGE_SIZE, 0);
	read->bio = bio;
}

/*
 * Reads one page. @max is the number of pages that the caller reads from this
 * page on. The page is unlocked when it is filled or when its read fails.
 */
static int msyncfs_read_one(struct msyncfs_read *read, struct folio *folio,
			    u64 max)
{
	u64 blkno, left;
	int err;

	err = msyncfs_read_map(read, folio->index, max, &blkno);
	if (err) {
		folio_end_read(folio, false);
		return err;
	}
	if (!blkno) {
		folio_zero_segment(folio, 0, PAGE_SIZE);
		folio_end_read(folio, true);
		return 0;
	}
	if (read->remember && mtree_empty(&MSYNCFS_I(read->inode)->i_overlay))
		msyncfs_folio_set_home(folio, blkno);
	if (read->images && msyncfs_fill_from_image(read->inode, folio, blkno)) {
		folio_end_read(folio, true);
		return 0;
	}
	left = read->ext.index + read->ext.len - folio->index;
	msyncfs_read_add(read, folio, blkno, left);
	return 0;
}

/*
 * Reports a page that cannot be read. The messages of iomap and of the block
 * layer do not name the file. With device mapper, these messages do not name
 * the block of this filesystem either.
 */
static void msyncfs_read_failed(struct inode *inode, struct folio *folio)
{
	struct msyncfs_extent ext;

	if (folio->mapping == inode->i_mapping &&
	    !msyncfs_map_lookup(inode, folio->index, 1, &ext))
		msyncfs_err(inode->i_sb, "inode %llu: page %lu: block %llu: cannot be read",
			    (u64)inode->i_ino, folio->index, ext.blkno);
}

/**
 * msyncfs_read_folio - address_space_operations.read_folio
 * @file: unused
 * @folio: locked folio; the end of the read unlocks it, also if the read fails
 *
 * Waits for the device, so that it can report a failed read. All callers wait
 * for the page anyway. If readahead could not read a page, the kernel calls
 * this function for the page.
 *
 * Context: may sleep and do I/O.
 * Return: 0 or a negative errno.
 */
static int msyncfs_read_folio(struct file *file, struct folio *folio)
{
	struct address_space *mapping = folio->mapping;
	struct inode *inode = mapping->host;
	struct msyncfs_read read = { .inode = inode };
	int err;

	/*
	 * Most callers hold invalidate_lock, but read_mapping_folio() does not.
	 * Without the lock, the block might be freed before the folio remembers
	 * it. This task must not wait for the lock, because it may hold the
	 * lock already.
	 */
	read.remember = filemap_invalidate_trylock_shared(mapping);
	err = msyncfs_read_one(&read, folio, 1);
	if (read.remember)
		filemap_invalidate_unlock_shared(mapping);
	msyncfs_read_submit(&read);
	if (!err && !folio_wait_locked_killable(folio) &&
	    !folio_test_uptodate(folio))
		msyncfs_read_failed(inode, folio);
	return err;
}

/**
 * msyncfs_readahead - address_space_operations.readahead
 * @rac: pages to fill; a page that cannot be filled is not uptodate afterwards
 *
 * Context: caller holds invalidate_lock shared; may sleep and do I/O.
 */
static void msyncfs_readahead(struct readahead_control *rac)
{
	struct msyncfs_read read = {
		.inode = rac->mapping->host,
		.ra = true,
		.remember = true,
	};
	u64 left = readahead_count(rac);
	struct folio *folio;

	while ((folio = readahead_folio(rac)))
		msyncfs_read_one(&read, folio, left--);
	msyncfs_read_submit(&read);
}

/*
 * address_space_operations.error_remove_folio: drops a page whose memory has
 * failed. A captured page must stay in the cache: until its capture is
 * attached, a read would find old content on the device.
 */
static int msyncfs_error_remove_folio(struct address_space *mapping,
				      struct folio *folio)
{
	if (folio_test_checked(folio))
		return -EBUSY;
	return generic_error_remove_folio(mapping, folio);
}

const struct address_space_operations msyncfs_aops = {
	.read_folio		= msyncfs_read_folio,
	.readahead		= msyncfs_readahead,
	.writepages		= msyncfs_writepages,
	.dirty_folio		= filemap_dirty_folio,
	.release_folio		= msyncfs_release_folio,
	.migrate_folio		= msyncfs_migrate_folio,
	.error_remove_folio	= msyncfs_error_remove_folio,
	.direct_IO		= noop_direct_IO,
};
