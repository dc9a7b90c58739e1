// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks in memory: metadata buffers, which are checked before they are used;
 * images, the copies that records hold; and the index of the newest image of
 * each block that is durable but not yet home.
 */
#include <kunit/visibility.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "txn.h"

/* Set once the content of a metadata buffer has been checked, or made here. */
enum { BH_Msyncfs_Verified = BH_PrivateStart };
BUFFER_FNS(Msyncfs_Verified, msyncfs_verified)

/* What a block of metadata is, in a message. */
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

/* Is a buffer whose content has been checked what is expected? Else why not. */
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
	 * Under the buffer lock, so that nobody modifies (and outdates the
	 * checksum of) what another is still checking. The other one may have
	 * expected something else: compare even if it has found nothing wrong.
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
 * @magic: kind of block expected
 * @owner: owner expected
 *
 * Context: may sleep and do I/O.
 * Return: the buffer, referenced; ERR_PTR(-EIO) if it cannot be read,
 * ERR_PTR(-EUCLEAN) if it is not what it should be. Both have been logged.
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
 * msyncfs_block_new - initialise a block that is to become metadata
 * @sb: filesystem
 * @blkno: block, claimed or newly allocated
 * @magic: MSYNCFS_MAGIC_*
 * @level: for the header
 * @owner: inode number
 *
 * Return: the buffer, zeroed but for its header, referenced for the caller;
 * ERR_PTR(-ENOMEM), or ERR_PTR(-EUCLEAN) if the block is in use as metadata,
 * whatever the bitmap says.
 */
struct buffer_head *msyncfs_block_new(struct super_block *sb, u64 blkno,
				      u32 magic, u32 level, u64 owner)
{
	struct buffer_head *bh = sb_getblk(sb, blkno);

	if (!bh)
		return ERR_PTR(-ENOMEM);
	lock_buffer(bh);
	if (buffer_msyncfs_verified(bh)) {
		/* Somebody uses it: not to be changed under them. */
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
 * msyncfs_block_release - a buffer's block is no longer metadata
 * @bh: its buffer; the reference stays the caller's
 *
 * Context: any; the caller knows that nobody else uses the block.
 */
void msyncfs_block_release(struct buffer_head *bh)
{
	clear_buffer_msyncfs_verified(bh);
	clear_bit(MSYNCFS_BH_LEAF, &bh->b_state);
}

/**
 * msyncfs_block_forget - a block is no longer metadata
 * @sb: filesystem
 * @blkno: block
 * @magic: MSYNCFS_MAGIC_*, what it was
 * @owner: whose it was
 *
 * Return: 0; -EUCLEAN (logged) if the block in memory is other metadata; nothing
 * has changed then, because somebody may be using it.
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
 * @len: blocks
 *
 * It finds only what is in memory as metadata.
 *
 * Context: may sleep, does no I/O.
 * Return: the first such block, or 0.
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
 * msyncfs_block_seal - make a block ready to be written outside the log
 * @sb: filesystem
 * @buf: block of metadata
 *
 * Context: any.
 */
void msyncfs_block_seal(struct super_block *sb, void *buf)
{
	msyncfs_seal_block(&MSYNCFS_SB(sb)->geo, buf,
			   READ_ONCE(MSYNCFS_LOG(sb)->seq));
}

/* ---- images ------------------------------------------------------------- */

static struct kmem_cache *msyncfs_image_cache;

/**
 * msyncfs_image_alloc - make an image
 * @gfp: how to allocate
 * @page: with a page for the copy
 *
 * Return: the image, with one reference, or NULL.
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
 * msyncfs_image_put - drop a reference of an image
 * @img: image
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

/* The image of @home in an xarray that holds a reference of it. */
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
 * msyncfs_image_get - the newest image of a block that is not home
 * @sbi: filesystem
 * @home: home block, of data
 *
 * Images that are not durable yet count: their pages may have left the cache.
 * Looks in the order opposite to the one in which an image moves on, so that
 * none is missed.
 *
 * Return: the image, referenced for the caller, or NULL when the home block
 * itself is what a reader must see (B4).
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
 * msyncfs_image_in - is the newest image of any of these blocks not home?
 * @sbi: filesystem
 * @first: first block
 * @last: last block, inclusive
 *
 * Context: any that may take a spinlock.
 * Return: true if at least one of them has an image that is not yet home.
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

/* ---- the index ---------------------------------------------------------- */

/**
 * msyncfs_index_init - make an empty index
 * @index: to set up
 */
void msyncfs_index_init(struct msyncfs_index *index)
{
	xa_init(&index->images);
	spin_lock_init(&index->lock);
	INIT_LIST_HEAD(&index->records);
}

/**
 * msyncfs_index_exit - drop all images and records
 * @index: of a log that nobody uses any more
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
 * msyncfs_index_add - a record has become durable
 * @log: of the mount
 * @cut: the record; the index takes references of its images
 *
 * Context: under commit_mutex; may sleep; does not fail.
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

	/* Last: from here on a checkpoint may retire the record. */
	spin_lock(&index->lock);
	list_add_tail(&rec->list, &index->records);
	WRITE_ONCE(log->used, log->used + rec->blocks);
	spin_unlock(&index->lock);
}

/**
 * msyncfs_index_collect - take references of images, ascending by home block
 * @index: index
 * @from: home block to begin with; set to where to go on
 * @batch: filled in
 * @max: room in @batch
 *
 * Context: takes a spinlock.
 * Return: images in @batch; 0 if there are no more.
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
 * @tid: set to its transaction
 * @seq: set to the sequence number of the record after it
 * @end: set to the position after it
 *
 * Context: takes a spinlock.
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
 * msyncfs_index_remove - an image is home
 * @index: index
 * @img: image; nothing is done if a newer one has taken its place
 *
 * Context: takes a spinlock.
 */
void msyncfs_index_remove(struct msyncfs_index *index,
			  struct msyncfs_image *img)
{
	if (xa_cmpxchg(&index->images, img->home, img, NULL, GFP_NOFS) == img)
		msyncfs_image_put(img);
}

/**
 * msyncfs_index_retire - records are off the log; their space is free
 * @log: of the mount
 * @tid: transaction of the newest of them
 *
 * Context: takes a spinlock.
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

/* ---- the module --------------------------------------------------------- */

/**
 * msyncfs_image_init - set up what all mounts share
 *
 * Return: 0 or -ENOMEM.
 */
int msyncfs_image_init(void)
{
	msyncfs_image_cache = KMEM_CACHE(msyncfs_image, SLAB_RECLAIM_ACCOUNT |
							SLAB_NO_MERGE);
	return msyncfs_image_cache ? 0 : -ENOMEM;
}

/**
 * msyncfs_image_exit - the reverse, on module exit
 */
void msyncfs_image_exit(void)
{
	kmem_cache_destroy(msyncfs_image_cache);
}
