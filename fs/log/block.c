// SPDX-License-Identifier: GPL-2.0
/*
 * This file handles blocks in memory. It checks metadata buffers before their
 * first use. It makes images, which are copies of blocks for records. For each
 * block, the index contains the newest image that is durable but not home.
 * checkpoint.c writes these images home.
 */
#include <kunit/visibility.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "txn.h"

/* ---- metadata buffers ---------------------------------------------------- */

/*
 * This bit is set when the content of a metadata buffer has been checked by
 * msyncfs_bread() or initialised by msyncfs_block_new().
 */
enum { BH_Msyncfs_Verified = BH_PrivateStart };
BUFFER_FNS(Msyncfs_Verified, msyncfs_verified)

/* Return the name of a kind of metadata block, for messages. */
static const char *msyncfs_magic_name(u32 magic)
{
	switch (magic) {
	case MSYNCFS_MAGIC_ROOT:
		return "root block";
	case MSYNCFS_MAGIC_BITMAP:
		return "bitmap";
	case MSYNCFS_MAGIC_INODE:
		return "inode";
	case MSYNCFS_MAGIC_MAP:
		return "map of inode";
	default:
		return "directory";
	}
}

/*
 * Check that a verified buffer has the kind @magic and the owner @owner. Return
 * NULL, or a text that says what is wrong.
 */
static const char *msyncfs_check_kind(const struct buffer_head *bh, u32 magic,
				      u64 owner)
{
	const struct msyncfs_disk_header *h = (void *)bh->b_data;

	if (le32_to_cpu(h->magic) != magic)
		return "not the kind of block expected here";
	if (le64_to_cpu(h->owner) != owner)
		return "belongs to another owner";
	return NULL;
}

static const char *msyncfs_check_buffer(const struct msyncfs_geo *geo,
					struct buffer_head *bh, u32 magic,
					u64 owner)
{
	const char *why = NULL;

	/*
	 * Verify under the buffer lock. Otherwise one task could finish the
	 * check and modify the block while another task still checks the block.
	 * The checksum would be outdated, and the second check would fail. The
	 * task that has set the verified bit may have expected another kind of
	 * block. So compare the kind even if the bit is set.
	 */
	if (!buffer_msyncfs_verified(bh)) {
		lock_buffer(bh);
		if (!buffer_msyncfs_verified(bh)) {
			why = msyncfs_verify_block(geo, bh->b_data, bh->b_blocknr,
						   magic, owner);
			if (!why)
				set_buffer_msyncfs_verified(bh);
		}
		unlock_buffer(bh);
	}
	return why ?: msyncfs_check_kind(bh, magic, owner);
}

/**
 * msyncfs_bread - read and check a metadata block
 * @sb: filesystem
 * @blkno: block
 * @magic: kind of block expected, MSYNCFS_MAGIC_*
 * @owner: expected owner; see struct msyncfs_disk_header
 *
 * Context: may sleep and do I/O.
 * Return: the buffer, referenced; ERR_PTR(-EIO) if the block cannot be read;
 * ERR_PTR(-EUCLEAN) if the block is not what the caller expects. Both errors
 * have been logged.
 */
struct buffer_head *msyncfs_bread(struct super_block *sb, u64 blkno, u32 magic,
				  u64 owner)
{
	const struct msyncfs_geo *geo = &MSYNCFS_SB(sb)->geo;
	struct buffer_head *bh;
	const char *why;

	if (!msyncfs_is_home(geo, blkno)) {
		msyncfs_err(sb, "block %llu: outside the data area", blkno);
		return ERR_PTR(-EFSCORRUPTED);
	}
	bh = sb_bread(sb, blkno);
	if (!bh) {
		msyncfs_err(sb, "block %llu: %s %llu: cannot be read", blkno,
			    msyncfs_magic_name(magic), owner);
		return ERR_PTR(-EIO);
	}
	why = msyncfs_check_buffer(geo, bh, magic, owner);
	if (why) {
		msyncfs_err(sb, "block %llu: %s %llu: %s", blkno,
			    msyncfs_magic_name(magic), owner, why);
		brelse(bh);
		return ERR_PTR(-EFSCORRUPTED);
	}
	return bh;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_bread);

/**
 * msyncfs_block_new - initialise a block that becomes metadata
 * @sb: filesystem
 * @blkno: block, claimed or newly allocated
 * @magic: kind of block, MSYNCFS_MAGIC_*
 * @level: value of the level field in the header of the block
 * @owner: inode number of the owner
 *
 * Context: may sleep.
 * Return: the buffer, zeroed except for its header, with a reference for the
 * caller; ERR_PTR(-ENOMEM); ERR_PTR(-EUCLEAN) (logged) if the block is already
 * in use as metadata, although the bitmap marks it as free.
 */
struct buffer_head *msyncfs_block_new(struct super_block *sb, u64 blkno,
				      u32 magic, u32 level, u64 owner)
{
	struct buffer_head *bh = sb_getblk(sb, blkno);

	if (!bh)
		return ERR_PTR(-ENOMEM);
	lock_buffer(bh);
	if (buffer_msyncfs_verified(bh)) {
		/* The block is in use, so its content must not change. */
		unlock_buffer(bh);
		brelse(bh);
		msyncfs_err(sb, "block %llu: free in the bitmap, but in use",
			    blkno);
		return ERR_PTR(-EFSCORRUPTED);
	}
	msyncfs_init_block(bh->b_data, magic, level, blkno, owner);
	clear_bit(MSYNCFS_BH_LEAF, &bh->b_state);
	set_buffer_uptodate(bh);
	set_buffer_msyncfs_verified(bh);
	unlock_buffer(bh);
	return bh;
}

/**
 * msyncfs_block_release - note that the block of a buffer is no longer metadata
 * @bh: the buffer; the caller keeps its reference
 *
 * Context: any; the caller knows that nobody else uses the block.
 */
void msyncfs_block_release(struct buffer_head *bh)
{
	clear_buffer_msyncfs_verified(bh);
	clear_bit(MSYNCFS_BH_LEAF, &bh->b_state);
}

/**
 * msyncfs_block_forget - note that a block is no longer metadata
 * @sb: filesystem
 * @blkno: block
 * @magic: kind of the block until now, MSYNCFS_MAGIC_*
 * @owner: owner of the block until now
 *
 * Context: may sleep, does no I/O.
 * Return: 0; -EUCLEAN (logged) if the block in memory has another kind or
 * another owner. After this error nothing has changed, because another task may
 * use the block.
 */
int msyncfs_block_forget(struct super_block *sb, u64 blkno, u32 magic, u64 owner)
{
	struct buffer_head *bh = sb_find_get_block(sb, blkno);
	const char *why = NULL;

	if (!bh)
		return 0;
	if (buffer_msyncfs_verified(bh))
		why = msyncfs_check_kind(bh, magic, owner);
	if (!why)
		msyncfs_block_release(bh);
	brelse(bh);
	if (!why)
		return 0;
	msyncfs_err(sb, "block %llu: %s %llu: not to be freed: %s", blkno,
		    msyncfs_magic_name(magic), owner, why);
	return -EFSCORRUPTED;
}

/**
 * msyncfs_block_find - find metadata in a run of blocks
 * @sb: filesystem
 * @start: first block
 * @len: number of blocks
 *
 * The function finds only metadata that is in memory.
 *
 * Context: may sleep, does no I/O.
 * Return: the first block that is metadata, or 0 if there is none.
 */
u64 msyncfs_block_find(struct super_block *sb, u64 start, u64 len)
{
	loff_t from = (loff_t)start << MSYNCFS_BLOCK_SHIFT;
	loff_t to = (loff_t)(start + len) << MSYNCFS_BLOCK_SHIFT;
	struct buffer_head *bh;
	bool meta;

	if (!filemap_range_has_page(sb->s_bdev->bd_mapping, from, to - 1))
		return 0;
	for (; len; start++, len--) {
		bh = sb_find_get_block(sb, start);
		if (!bh)
			continue;
		meta = buffer_msyncfs_verified(bh);
		brelse(bh);
		if (meta)
			return start;
	}
	return 0;
}

/**
 * msyncfs_seal_unlogged - seal a metadata block that is written outside the log
 * @sb: filesystem
 * @buf: the block, MSYNCFS_BLOCK_SIZE bytes
 *
 * Context: any.
 */
void msyncfs_seal_unlogged(struct super_block *sb, void *buf)
{
	msyncfs_seal_block(&MSYNCFS_SB(sb)->geo, buf,
			   READ_ONCE(MSYNCFS_LOG(sb)->seq));
}

/* ---- images -------------------------------------------------------------- */

static struct kmem_cache *msyncfs_image_cache;

/**
 * msyncfs_image_alloc - make an image
 * @gfp: allocation flags
 * @page: true to allocate a page for the copy, too
 *
 * Context: may sleep if @gfp allows it.
 * Return: the image with one reference, or NULL.
 */
struct msyncfs_image *msyncfs_image_alloc(gfp_t gfp, bool page)
{
	struct msyncfs_image *img = kmem_cache_zalloc(msyncfs_image_cache, gfp);

	if (!img)
		return NULL;
	refcount_set(&img->ref, 1);
	INIT_LIST_HEAD(&img->list);
	if (page) {
		img->page = alloc_page(gfp);
		if (!img->page) {
			kmem_cache_free(msyncfs_image_cache, img);
			return NULL;
		}
	}
	return img;
}

/**
 * msyncfs_image_put - drop a reference to an image
 * @img: image
 *
 * Context: any that may take a spinlock.
 */
void msyncfs_image_put(struct msyncfs_image *img)
{
	if (!refcount_dec_and_test(&img->ref))
		return;
	if (img->bh)
		put_bh(img->bh);
	if (img->folio)
		folio_put(img->folio);
	if (img->page)
		__free_page(img->page);
	kmem_cache_free(msyncfs_image_cache, img);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_image_put);

/*
 * Find the image of block @home in @xa and take a reference to it. @xa has its
 * own reference to each image.
 */
static struct msyncfs_image *msyncfs_image_find(struct xarray *xa, u64 home)
{
	struct msyncfs_image *img;

	xa_lock(xa);
	img = xa_load(xa, home);
	if (img)
		refcount_inc(&img->ref);
	xa_unlock(xa);
	return img;
}

/**
 * msyncfs_image_get - find the newest image of a data block
 * @sbi: filesystem
 * @home: home block of the image; a data block
 *
 * The function also finds images that are not durable yet, because their pages
 * may have left the page cache. An image enters the index before the image
 * leaves the transaction. This function searches the transactions before the
 * index, so it misses no image.
 *
 * Context: any that may take a spinlock.
 * Return: the image with a reference for the caller, or NULL if there is no
 * image. Then a reader must read the home block (B4).
 */
struct msyncfs_image *msyncfs_image_get(struct msyncfs_sb_info *sbi, u64 home)
{
	struct msyncfs_log *log = sbi->log;
	struct msyncfs_image *img;

	spin_lock(&log->txn_lock);
	img = msyncfs_image_find(&log->running->data, home);
	if (!img && log->cutting)
		img = msyncfs_image_find(&log->cutting->data, home);
	spin_unlock(&log->txn_lock);
	return img ?: msyncfs_image_find(&log->index.images, home);
}

static bool msyncfs_any_in(struct xarray *xa, u64 first, u64 last)
{
	unsigned long index = first;

	return xa_find(xa, &index, last, XA_PRESENT);
}

/**
 * msyncfs_image_in - tell whether any block of a run has an image that is not
 * home
 * @sbi: filesystem
 * @first: first block
 * @last: last block, inclusive
 *
 * Context: any that may take a spinlock.
 * Return: true if at least one of the blocks has an image that is not home.
 */
bool msyncfs_image_in(struct msyncfs_sb_info *sbi, u64 first, u64 last)
{
	struct msyncfs_log *log = sbi->log;
	bool in;

	spin_lock(&log->txn_lock);
	in = msyncfs_any_in(&log->running->data, first, last) ||
	     (log->cutting && msyncfs_any_in(&log->cutting->data, first, last));
	spin_unlock(&log->txn_lock);
	return in || msyncfs_any_in(&log->index.images, first, last);
}

/* ---- the index ----------------------------------------------------------- */

/**
 * msyncfs_index_init - make an empty index
 * @index: index to set up
 *
 * Context: any.
 */
void msyncfs_index_init(struct msyncfs_index *index)
{
	xa_init(&index->images);
	spin_lock_init(&index->lock);
	INIT_LIST_HEAD(&index->records);
}

/**
 * msyncfs_index_exit - drop all images and records
 * @index: index of a log that nobody uses any more
 *
 * Context: any.
 */
void msyncfs_index_exit(struct msyncfs_index *index)
{
	struct msyncfs_record *rec, *next;
	struct msyncfs_image *img;
	unsigned long home;

	xa_for_each(&index->images, home, img)
		msyncfs_image_put(img);
	xa_destroy(&index->images);
	list_for_each_entry_safe(rec, next, &index->records, list) {
		list_del(&rec->list);
		kfree(rec);
	}
}

/**
 * msyncfs_index_add - add a durable record to the index
 * @log: log of the mount
 * @cut: the record; the index takes a reference to each of its images
 *
 * Context: under commit_mutex; may sleep; cannot fail.
 */
void msyncfs_index_add(struct msyncfs_log *log, const struct msyncfs_cut *cut)
{
	struct msyncfs_index *index = &log->index;
	gfp_t gfp = GFP_NOFS | __GFP_NOFAIL;
	struct msyncfs_image *img, *old;
	struct msyncfs_record *rec;
	unsigned int i;

	for (i = 0; i < cut->nr; i++) {
		img = cut->images[i];
		img->tid = cut->txn->tid;
		refcount_inc(&img->ref);
		old = xa_store(&index->images, img->home, img, gfp);
		if (old)
			msyncfs_image_put(old);
	}
	rec = kmalloc(sizeof(*rec), gfp);
	rec->tid = cut->txn->tid;
	rec->seq = log->seq;
	rec->end = cut->pos + msyncfs_cut_blocks(cut);
	rec->blocks = msyncfs_cut_blocks(cut) + cut->pad;

	/*
	 * Add the record last: from here on a checkpoint may retire the record.
	 */
	spin_lock(&index->lock);
	list_add_tail(&rec->list, &index->records);
	WRITE_ONCE(log->used, log->used + rec->blocks);
	spin_unlock(&index->lock);
}

/**
 * msyncfs_index_collect - take references to images, ascending by home block
 * @index: index
 * @from: lowest home block to collect; set to the value that the next call
 *	needs
 * @batch: filled in
 * @max: number of images for which @batch has room
 *
 * Context: any that may take a spinlock.
 * Return: the number of images in @batch; 0 if there are no more.
 */
unsigned int msyncfs_index_collect(struct msyncfs_index *index,
				   unsigned long *from,
				   struct msyncfs_image **batch,
				   unsigned int max)
{
	struct msyncfs_image *img;
	unsigned long home;
	unsigned int nr = 0;

	xa_lock(&index->images);
	xa_for_each_start(&index->images, home, img, *from) {
		refcount_inc(&img->ref);
		batch[nr++] = img;
		*from = home + 1;
		if (nr == max)
			break;
	}
	xa_unlock(&index->images);
	return nr;
}

/**
 * msyncfs_index_newest - find the newest record in the index
 * @index: index
 * @tid: set to the transaction of the record
 * @seq: set to the sequence number of the record, plus one
 * @end: set to the position after the record, in blocks from log_start
 *
 * Context: any that may take a spinlock.
 * Return: false if there is no record.
 */
bool msyncfs_index_newest(struct msyncfs_index *index, u64 *tid, u64 *seq,
			  u64 *end)
{
	struct msyncfs_record *rec;
	bool found;

	spin_lock(&index->lock);
	found = !list_empty(&index->records);
	if (found) {
		rec = list_last_entry(&index->records, struct msyncfs_record,
				      list);
		*tid = rec->tid;
		*seq = rec->seq + 1;
		*end = rec->end;
	}
	spin_unlock(&index->lock);
	return found;
}

/**
 * msyncfs_index_remove - remove an image that is home
 * @index: index
 * @img: image; stays in memory until its last reference is dropped
 *
 * If the index has a newer image of the block, the function does nothing.
 *
 * Context: any that may take a spinlock.
 */
void msyncfs_index_remove(struct msyncfs_index *index,
			  struct msyncfs_image *img)
{
	if (xa_cmpxchg(&index->images, img->home, img, NULL, GFP_NOFS) == img)
		msyncfs_image_put(img);
}

/**
 * msyncfs_index_retire - remove records that need no replay any more
 * @log: log of the mount
 * @tid: transaction of the newest record to remove
 *
 * The log space of the records becomes free.
 *
 * Context: under checkpoint_mutex; takes a spinlock.
 */
void msyncfs_index_retire(struct msyncfs_log *log, u64 tid)
{
	struct msyncfs_index *index = &log->index;
	struct msyncfs_record *rec, *next;
	LIST_HEAD(retired);

	spin_lock(&index->lock);
	list_for_each_entry_safe(rec, next, &index->records, list) {
		if (rec->tid > tid)
			break;
		WRITE_ONCE(log->used, log->used - rec->blocks);
		list_move_tail(&rec->list, &retired);
	}
	spin_unlock(&index->lock);
	list_for_each_entry_safe(rec, next, &retired, list)
		kfree(rec);
}

/* ---- the module ---------------------------------------------------------- */

/**
 * msyncfs_image_init - set up the cache of images that all mounts share
 *
 * Context: module init; may sleep.
 * Return: 0 or -ENOMEM.
 */
int msyncfs_image_init(void)
{
	msyncfs_image_cache = KMEM_CACHE(msyncfs_image, SLAB_RECLAIM_ACCOUNT |
							SLAB_NO_MERGE);
	return msyncfs_image_cache ? 0 : -ENOMEM;
}

/**
 * msyncfs_image_exit - free the cache of images
 *
 * Context: module exit; may sleep.
 */
void msyncfs_image_exit(void)
{
	kmem_cache_destroy(msyncfs_image_cache);
}
