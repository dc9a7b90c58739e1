// SPDX-License-Identifier: GPL-2.0
/*
 * This file handles images, which are copies of blocks for records. The index
 * finds the newest image of a block. An image is on the list of its
 * transaction, and stays on this list when the transaction has become a durable
 * record. checkpoint.c writes the images of durable records home.
 *
 * An image leaves the index and its list when a newer image of the block is
 * durable, or when the image is home.
 */
#include <kunit/visibility.h>
#include <linux/hash.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>

#include "txn.h"

/* ---- memory -------------------------------------------------------------- */

/**
 * struct msyncfs_piece - memory of some images
 * @ref: number of references to the images
 * @order: binary logarithm of the number of images
 * @memcg: number of the cgroup to which the memory is charged
 * @log: log to which the piece returns
 * @list: link in the list of free pieces
 * @pages: pages of the images, physically contiguous; or NULL
 * @images: the images
 */
struct msyncfs_piece {
	refcount_t		ref;
	unsigned int		order;
	u64			memcg;
	struct msyncfs_log	*log;
	struct list_head	list;
	struct page		*pages;
	struct msyncfs_image	images[];
};

/* Return the number of the cgroup to which allocations are charged now. */
static u64 msyncfs_current_memcg(void)
{
	u64 id;

	rcu_read_lock();
	id = mem_cgroup_id(mem_cgroup_from_task(current));
	rcu_read_unlock();
	return id;
}

static struct msyncfs_piece *msyncfs_piece_alloc(unsigned int order, gfp_t gfp)
{
	struct msyncfs_piece *piece;

	piece = kvmalloc(struct_size(piece, images, 1UL << order), gfp);
	if (piece)
		piece->order = order;
	return piece;
}

/*
 * Allocate 2^*@order pages. If there is no contiguous memory, lower *@order.
 */
static struct page *msyncfs_piece_pages(unsigned int *order, gfp_t gfp)
{
	gfp_t high = (gfp & ~__GFP_NOFAIL) | __GFP_COMP | __GFP_NORETRY |
		     __GFP_NOWARN;
	struct page *pages;

	for (; *order; --*order) {
		pages = alloc_pages(high, *order);
		if (pages)
			return pages;
	}
	return alloc_page(gfp);
}

static void msyncfs_piece_free(struct msyncfs_piece *piece)
{
	unsigned int i;

	if (piece->pages)
		__free_pages(piece->pages, piece->order);
	for (i = 0; !piece->pages && i < 1U << piece->order; i++)
		if (piece->images[i].page)
			__free_page(piece->images[i].page);
	kvfree(piece);
}

/* Make a piece of 2^@order images, or of fewer images with pages. */
static struct msyncfs_piece *msyncfs_piece_new(struct msyncfs_log *log,
					       unsigned int order, bool pages,
					       gfp_t gfp)
{
	struct msyncfs_piece *piece;
	struct page *page = NULL;

	if (pages) {
		page = msyncfs_piece_pages(&order, gfp);
		if (!page)
			return NULL;
	}
	piece = msyncfs_piece_alloc(order, gfp);
	if (!piece) {
		if (page)
			__free_pages(page, order);
		return NULL;
	}
	piece->pages = page;
	piece->log = log;
	piece->memcg = msyncfs_current_memcg();
	return piece;
}

/*
 * Take a free piece of at most 2^@order images, with pages, or return NULL. The
 * piece is charged to the cgroup of the caller already.
 */
static struct msyncfs_piece *msyncfs_pool_get(struct msyncfs_log *log,
					      unsigned int order)
{
	u64 memcg = msyncfs_current_memcg();
	struct msyncfs_pool *pool = &log->pool;
	struct msyncfs_piece *piece;

	spin_lock(&pool->lock);
	WRITE_ONCE(pool->asked[order], pool->asked[order] + 1);
	WRITE_ONCE(pool->asker, memcg);
	piece = list_first_entry_or_null(&pool->free[order],
					 struct msyncfs_piece, list);
	if (piece && piece->memcg == memcg) {
		list_del(&piece->list);
		pool->nr[order]--;
		WRITE_ONCE(pool->pages, pool->pages - (1UL << order));
	} else {
		piece = NULL;
	}
	spin_unlock(&pool->lock);
	return piece;
}

/* Keep a piece for later, or free it if there are enough free pieces. */
static void msyncfs_pool_put(struct msyncfs_piece *piece)
{
	struct msyncfs_pool *pool = &piece->log->pool;
	unsigned long nr = 1UL << piece->order;
	bool keep;

	spin_lock(&pool->lock);
	keep = piece->pages && pool->pages + nr <= pool->max;
	if (keep) {
		list_add(&piece->list, &pool->free[piece->order]);
		pool->nr[piece->order]++;
		WRITE_ONCE(pool->pages, pool->pages + nr);
	}
	spin_unlock(&pool->lock);
	if (!keep)
		msyncfs_piece_free(piece);
}

/**
 * msyncfs_pool_refill - allocate memory for the next record
 * @log: log of the mount
 * @io: batch under way; the function returns when the device has finished it
 *
 * The next record is likely to need as much as this one. The kernel may have to
 * zero the memory, and does so while the device works. The function takes only
 * memory that is free, and none if the log is crowded: then the checkpoint
 * fills the pool, and the memory of the log stays below the size of the log. It
 * takes none either if the caller writes the record for another cgroup.
 *
 * Context: any that may take a spinlock. The memory is charged to the cgroup of
 * the caller.
 */
void msyncfs_pool_refill(struct msyncfs_log *log, const struct msyncfs_io *io)
{
	struct msyncfs_pool *pool = &log->pool;
	struct msyncfs_piece *piece;
	unsigned int lacks;
	int order;

	if (msyncfs_log_excess(log) ||
	    READ_ONCE(pool->asker) != msyncfs_current_memcg())
		return;
	for (order = MSYNCFS_PIECE_ORDER; order >= 0; order--) {
		if (!READ_ONCE(pool->asked[order]))
			continue;
		spin_lock(&pool->lock);
		lacks = max(pool->asked[order], pool->nr[order]) -
			pool->nr[order];
		WRITE_ONCE(pool->asked[order], 0);
		spin_unlock(&pool->lock);
		for (; lacks && msyncfs_io_busy(io); lacks--) {
			if (READ_ONCE(pool->pages) + (1UL << order) > pool->max)
				return;
			piece = msyncfs_piece_new(log, order, true,
						  __GFP_ACCOUNT | __GFP_NOWARN |
						  __GFP_NOMEMALLOC);
			if (!piece)
				return;
			msyncfs_pool_put(piece);
		}
	}
}

/**
 * msyncfs_pool_shrink - free memory that no image uses
 * @log: log of the mount
 * @nr: number of pages to free
 *
 * Context: any that may take a spinlock.
 * Return: number of pages that were freed; the last piece may exceed @nr.
 */
unsigned long msyncfs_pool_shrink(struct msyncfs_log *log, unsigned long nr)
{
	struct msyncfs_pool *pool = &log->pool;
	struct msyncfs_piece *piece, *next;
	unsigned long freed = 0;
	LIST_HEAD(free);
	int order;

	spin_lock(&pool->lock);
	for (order = MSYNCFS_PIECE_ORDER; order >= 0; order--) {
		while (freed < nr && !list_empty(&pool->free[order])) {
			list_move(pool->free[order].prev, &free);
			pool->nr[order]--;
			freed += 1UL << order;
		}
	}
	WRITE_ONCE(pool->pages, pool->pages - freed);
	spin_unlock(&pool->lock);
	list_for_each_entry_safe(piece, next, &free, list)
		msyncfs_piece_free(piece);
	return freed;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_pool_shrink);

/* Memory of a log: the free pieces, and the images of durable records. */
static unsigned long msyncfs_pool_count(struct shrinker *shrinker,
					struct shrink_control *sc)
{
	struct msyncfs_log *log = shrinker->private_data;

	return READ_ONCE(log->pool.pages) + READ_ONCE(log->used);
}

/*
 * Free pieces. If there is none, start a step of a checkpoint, which frees the
 * images of the oldest records.
 */
static unsigned long msyncfs_pool_scan(struct shrinker *shrinker,
				       struct shrink_control *sc)
{
	struct msyncfs_log *log = shrinker->private_data;
	unsigned long freed = msyncfs_pool_shrink(log, sc->nr_to_scan);

	if (freed)
		return freed;
	WRITE_ONCE(log->pool.wanted, true);
	queue_work(log->sbi->wq, &log->checkpoint_work);
	return SHRINK_STOP;
}

/**
 * msyncfs_pool_init - make the memory of a log
 * @log: log of the mount
 *
 * Context: may sleep.
 */
void msyncfs_pool_init(struct msyncfs_log *log)
{
	struct msyncfs_pool *pool = &log->pool;
	unsigned int order;

	spin_lock_init(&pool->lock);
	for (order = 0; order <= MSYNCFS_PIECE_ORDER; order++)
		INIT_LIST_HEAD(&pool->free[order]);
	/* A checkpoint frees as much at once, and later commits use it again. */
	pool->max = log->sbi->geo.log_blocks / 4;
}

/**
 * msyncfs_pool_start - give memory back when the system needs it
 * @log: log of the mount, with a work queue
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int msyncfs_pool_start(struct msyncfs_log *log)
{
	struct shrinker *s;

	s = shrinker_alloc(0, "msyncfs-log:%s", log->sbi->sb->s_id);
	if (!s)
		return -ENOMEM;
	s->count_objects = msyncfs_pool_count;
	s->scan_objects = msyncfs_pool_scan;
	s->private_data = log;
	log->pool.shrinker = s;
	shrinker_register(s);
	return 0;
}

/**
 * msyncfs_pool_stop - undo msyncfs_pool_start(), and free all free pieces
 * @log: log of the mount
 *
 * Context: may sleep.
 */
void msyncfs_pool_stop(struct msyncfs_log *log)
{
	if (log->pool.shrinker)
		shrinker_free(log->pool.shrinker);
	log->pool.shrinker = NULL;
	log->pool.max = 0;
	msyncfs_pool_shrink(log, ULONG_MAX);
}

/* Add the images of a piece to a list, each with a reference. */
static void msyncfs_piece_fill(struct msyncfs_piece *piece,
			       struct list_head *images)
{
	struct msyncfs_image *img;
	unsigned int i;

	refcount_set(&piece->ref, 1U << piece->order);
	for (i = 0; i < 1U << piece->order; i++) {
		img = &piece->images[i];
		memset(img, 0, sizeof(*img));
		img->piece = piece;
		img->page = piece->pages ? piece->pages + i : NULL;
		list_add_tail(&img->list, images);
	}
}

/**
 * msyncfs_images_alloc - make images
 * @sbi: filesystem
 * @images: list to which the images are added, each with a reference
 * @nr: number of images
 * @pages: true to allocate a page for each copy, too
 * @gfp: allocation flags; the memory is charged to the cgroup of the caller
 *
 * Context: may sleep if @gfp allows it.
 * Return: 0 or -ENOMEM. After an error, @images may have some images.
 */
int msyncfs_images_alloc(struct msyncfs_sb_info *sbi, struct list_head *images,
			 unsigned int nr, bool pages, gfp_t gfp)
{
	struct msyncfs_piece *piece;
	unsigned int order;

	/* An allocation that must not fail must not call the OOM killer. */
	if (!(gfp & __GFP_NOFAIL))
		gfp |= __GFP_ACCOUNT;
	for (; nr; nr -= 1U << piece->order) {
		order = min(ilog2(nr), MSYNCFS_PIECE_ORDER);
		piece = pages ? msyncfs_pool_get(sbi->log, order) : NULL;
		if (!piece)
			piece = msyncfs_piece_new(sbi->log, order, pages, gfp);
		if (!piece)
			return -ENOMEM;
		msyncfs_piece_fill(piece, images);
	}
	return 0;
}

/**
 * msyncfs_image_add_page - allocate the page of one image
 * @img: image that was made without a page
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it.
 * Return: 0 or -ENOMEM.
 */
int msyncfs_image_add_page(struct msyncfs_image *img, gfp_t gfp)
{
	img->page = alloc_page(gfp | __GFP_ACCOUNT);
	return img->page ? 0 : -ENOMEM;
}

static void msyncfs_image_hold(struct msyncfs_image *img)
{
	refcount_inc(&img->piece->ref);
}

/**
 * msyncfs_image_put - drop a reference to an image
 * @img: image
 *
 * Context: may sleep.
 */
void msyncfs_image_put(struct msyncfs_image *img)
{
	if (refcount_dec_and_test(&img->piece->ref))
		msyncfs_pool_put(img->piece);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_image_put);

/* Drop the reference of a transaction. The image is on no list any more. */
static void msyncfs_image_dead(struct msyncfs_image *img)
{
	if (img->bh)
		put_bh(img->bh);
	img->bh = NULL;
	msyncfs_image_put(img);
}

/* ---- the hash table ------------------------------------------------------ */

static struct hlist_bl_head *msyncfs_bucket(struct msyncfs_log *log, u64 home)
{
	return &log->index.buckets[hash_64(home, log->index.bits)];
}

/*
 * Find the newest image of @home whose transaction number is at most @tid. The
 * caller holds the lock of the bucket.
 */
static struct msyncfs_image *msyncfs_bucket_find(struct hlist_bl_head *b,
						 u64 home, u64 tid)
{
	struct hlist_bl_node *node;
	struct msyncfs_image *img;

	hlist_bl_for_each_entry(img, node, b, hash)
		if (img->home == home && img->tid <= tid)
			return img;
	return NULL;
}

/*
 * Insert an image. If the hash table has an older image of the block in the
 * same transaction, remove the older image from the hash table.
 * Return: true if an older image was removed.
 */
static bool msyncfs_hash_join(struct msyncfs_log *log,
			      struct msyncfs_image *img)
{
	struct hlist_bl_head *b = msyncfs_bucket(log, img->home);
	struct msyncfs_image *old;

	hlist_bl_lock(b);
	old = msyncfs_bucket_find(b, img->home, img->tid);
	if (old && old->tid != img->tid)
		old = NULL;
	if (old)
		hlist_bl_del_init(&old->hash);
	hlist_bl_add_head(&img->hash, b);
	hlist_bl_unlock(b);
	return old;
}

/*
 * Note that an image has become durable. Images of metadata enter the hash
 * table here, because metadata is read from its buffer. Remove an older durable
 * image of the block from the hash table and return it, or return NULL.
 */
static struct msyncfs_image *msyncfs_hash_durable(struct msyncfs_log *log,
						  struct msyncfs_image *img)
{
	struct hlist_bl_head *b = msyncfs_bucket(log, img->home);
	struct msyncfs_image *old;

	hlist_bl_lock(b);
	old = msyncfs_bucket_find(b, img->home, img->tid - 1);
	if (old)
		hlist_bl_del_init(&old->hash);
	if (img->bh)
		hlist_bl_add_head(&img->hash, b);
	hlist_bl_unlock(b);
	return old;
}

/* Remove an image. Return false if it was not in the hash table any more. */
static bool msyncfs_hash_remove(struct msyncfs_log *log,
				struct msyncfs_image *img)
{
	struct hlist_bl_head *b = msyncfs_bucket(log, img->home);
	bool hashed;

	hlist_bl_lock(b);
	hashed = !hlist_bl_unhashed(&img->hash);
	if (hashed)
		hlist_bl_del_init(&img->hash);
	hlist_bl_unlock(b);
	return hashed;
}

/**
 * msyncfs_image_get - find the newest image of a data block
 * @sbi: filesystem
 * @home: home block of the image; a data block
 *
 * The function also finds images that are not durable yet, because their pages
 * may have left the page cache.
 *
 * The function takes no lock if the bucket is empty. This is safe. An image is
 * inserted before its page can leave the page cache, and the reader has found
 * that the page is not in the page cache. An image is removed when its home
 * block has the newest content.
 *
 * Context: any that may take a spinlock.
 * Return: the image with a reference for the caller, or NULL if there is no
 * image. Then a reader must read the home block (B4).
 */
struct msyncfs_image *msyncfs_image_get(struct msyncfs_sb_info *sbi, u64 home)
{
	struct hlist_bl_head *b = msyncfs_bucket(sbi->log, home);
	struct msyncfs_image *img;

	if (hlist_bl_empty(b))
		return NULL;
	hlist_bl_lock(b);
	img = msyncfs_bucket_find(b, home, U64_MAX);
	if (img)
		msyncfs_image_hold(img);
	hlist_bl_unlock(b);
	return img;
}

/* Return true if a bucket has an image of a block from @first to @last. */
static bool msyncfs_bucket_in(struct hlist_bl_head *b, u64 first, u64 last)
{
	struct hlist_bl_node *node;
	struct msyncfs_image *img;
	bool in = false;

	if (hlist_bl_empty(b))
		return false;
	hlist_bl_lock(b);
	hlist_bl_for_each_entry(img, node, b, hash)
		in |= img->home >= first && img->home <= last;
	hlist_bl_unlock(b);
	return in;
}

/**
 * msyncfs_image_in - tell whether any block of a run has an image that is not
 * home
 * @sbi: filesystem
 * @first: first block
 * @last: last block, inclusive
 *
 * Context: may sleep.
 * Return: true if at least one of the blocks has an image that is not home.
 */
bool msyncfs_image_in(struct msyncfs_sb_info *sbi, u64 first, u64 last)
{
	struct msyncfs_index *index = &sbi->log->index;
	struct hlist_bl_head *buckets = index->buckets, *b;
	unsigned int bits = index->bits;
	u64 nr = 1ULL << bits, i;

	/* A bucket is looked at once, even if the run is long. */
	if (last - first < nr) {
		for (i = first; i <= last; i++) {
			b = &buckets[hash_64(i, bits)];
			if (!hlist_bl_empty(b) && msyncfs_bucket_in(b, i, i))
				return true;
		}
		return false;
	}
	for (i = 0; i < nr; i++) {
		if (msyncfs_bucket_in(&index->buckets[i], first, last))
			return true;
		cond_resched();
	}
	return false;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_image_in);

/* ---- images of a transaction --------------------------------------------- */

/**
 * msyncfs_images_join - make images findable as part of a transaction
 * @log: log of the mount
 * @tid: the transaction
 * @images: images of a capture, with their home blocks
 * @joined: list to which the images are added, each with a new reference
 *
 * An image replaces an older image of the same block in the same transaction.
 *
 * Context: any that may take a spinlock.
 * Return: the number of images that have replaced older images.
 */
unsigned int msyncfs_images_join(struct msyncfs_log *log, u64 tid,
				 struct list_head *images,
				 struct list_head *joined)
{
	struct msyncfs_image *img;
	unsigned int replaced = 0;

	list_for_each_entry(img, images, list) {
		img->tid = tid;
		msyncfs_image_hold(img);
		replaced += msyncfs_hash_join(log, img);
		list_add_tail(&img->logged, joined);
	}
	return replaced;
}

/**
 * msyncfs_images_prune - remove the images that newer images have replaced
 * @images: images of data in a transaction; nobody else uses the list
 *
 * Context: may sleep.
 */
void msyncfs_images_prune(struct list_head *images)
{
	struct msyncfs_image *img, *next;

	list_for_each_entry_safe(img, next, images, logged) {
		if (!hlist_bl_unhashed(&img->hash))
			continue;
		list_del(&img->logged);
		msyncfs_image_dead(img);
	}
}

/**
 * msyncfs_images_drop - drop the images of a transaction that is given up
 * @log: log of the mount
 * @images: images of the transaction; empty after this call
 *
 * Context: may sleep; nobody else uses the list.
 */
void msyncfs_images_drop(struct msyncfs_log *log, struct list_head *images)
{
	struct msyncfs_image *img, *next;

	list_for_each_entry_safe(img, next, images, logged) {
		msyncfs_hash_remove(log, img);
		list_del(&img->logged);
		msyncfs_image_dead(img);
	}
}

/* ---- the index ----------------------------------------------------------- */

/**
 * msyncfs_index_init - make an empty index
 * @log: log of the mount
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int msyncfs_index_init(struct msyncfs_log *log)
{
	struct msyncfs_index *index = &log->index;

	/* In a full log, a bucket has about two images. */
	index->bits = ilog2(log->sbi->geo.log_blocks) - 1;
	index->buckets = kvcalloc(1UL << index->bits, sizeof(*index->buckets),
				  GFP_KERNEL);
	mutex_init(&index->lock);
	INIT_LIST_HEAD(&index->records);
	return index->buckets ? 0 : -ENOMEM;
}

/**
 * msyncfs_index_exit - drop all durable records and free the index
 * @log: log that nobody uses any more
 *
 * Context: may sleep.
 */
void msyncfs_index_exit(struct msyncfs_log *log)
{
	struct msyncfs_txn *txn, *next;

	list_for_each_entry_safe(txn, next, &log->index.records, list) {
		msyncfs_images_drop(log, &txn->images);
		kfree(txn);
	}
	kvfree(log->index.buckets);
}

/*
 * Drop a durable image that has left the hash table. The task that has removed
 * the image from the hash table calls this function, with the lock of the
 * index.
 */
static void msyncfs_index_drop(struct msyncfs_image *img)
{
	list_del(&img->logged);
	msyncfs_image_dead(img);
}

/**
 * msyncfs_index_append - note that a record is durable whose images are in the
 * index already
 * @log: log of the mount
 * @txn: transaction of the record; belongs to the index after this call
 *
 * Context: under commit_mutex and the lock of the index.
 */
void msyncfs_index_append(struct msyncfs_log *log, struct msyncfs_txn *txn)
{
	lockdep_assert_held(&log->index.lock);

	list_add_tail(&txn->list, &log->index.records);
	WRITE_ONCE(log->used,
		   log->used + msyncfs_record_blocks(txn) + txn->pad);
}

/**
 * msyncfs_index_add - note that a record is durable
 * @log: log of the mount
 * @txn: transaction of the record; belongs to the index after this call
 *
 * Context: under commit_mutex; may sleep; cannot fail.
 */
void msyncfs_index_add(struct msyncfs_log *log, struct msyncfs_txn *txn)
{
	struct msyncfs_index *index = &log->index;
	struct msyncfs_image *img, *old;

	mutex_lock(&index->lock);
	list_for_each_entry(img, &txn->images, logged) {
		old = msyncfs_hash_durable(log, img);
		if (old)
			msyncfs_index_drop(old);
	}
	msyncfs_index_append(log, txn);
	mutex_unlock(&index->lock);
}

/**
 * msyncfs_index_newest - find the newest durable record
 * @index: index
 *
 * Context: may sleep.
 * Return: sequence number of the record, or 0 if there is no record.
 */
u64 msyncfs_index_newest(struct msyncfs_index *index)
{
	u64 seq = 0;

	mutex_lock(&index->lock);
	if (!list_empty(&index->records))
		seq = list_last_entry(&index->records, struct msyncfs_txn,
				      list)->seq;
	mutex_unlock(&index->lock);
	return seq;
}

/**
 * msyncfs_index_has - tell whether the log still needs old records
 * @index: index
 * @seq: sequence number of a record
 *
 * Context: may sleep.
 * Return: true if a record up to @seq is not retired.
 */
bool msyncfs_index_has(struct msyncfs_index *index, u64 seq)
{
	struct msyncfs_txn *oldest;
	bool has;

	mutex_lock(&index->lock);
	oldest = list_first_entry_or_null(&index->records, struct msyncfs_txn,
					  list);
	has = oldest && oldest->seq <= seq;
	mutex_unlock(&index->lock);
	return has;
}

/**
 * msyncfs_index_oldest - choose the oldest records
 * @index: index
 * @max: largest number of log blocks of the records; but at least one record is
 *	chosen
 * @nr: set to an upper bound of the number of images that are not home
 *
 * Context: under checkpoint_mutex, so that no record is retired; may sleep.
 * Return: the newest of the chosen records, or NULL if there is no record.
 */
struct msyncfs_txn *msyncfs_index_oldest(struct msyncfs_index *index,
					 u64 max, unsigned int *nr)
{
	struct msyncfs_txn *txn, *last = NULL;
	u64 blocks = 0;

	*nr = 0;
	mutex_lock(&index->lock);
	list_for_each_entry(txn, &index->records, list) {
		blocks += msyncfs_record_blocks(txn) + txn->pad;
		if (last && blocks > max)
			break;
		*nr += txn->nr;
		last = txn;
	}
	mutex_unlock(&index->lock);
	return last;
}

/**
 * msyncfs_index_collect - take references to the images of the oldest records
 * @index: index
 * @last: newest of these records
 * @batch: filled in
 *
 * Context: under checkpoint_mutex; may sleep.
 * Return: the number of images in @batch.
 */
unsigned int msyncfs_index_collect(struct msyncfs_index *index,
				   const struct msyncfs_txn *last,
				   struct msyncfs_image **batch)
{
	struct msyncfs_image *img;
	struct msyncfs_txn *txn;
	unsigned int nr = 0;

	mutex_lock(&index->lock);
	list_for_each_entry(txn, &index->records, list) {
		list_for_each_entry(img, &txn->images, logged) {
			msyncfs_image_hold(img);
			batch[nr++] = img;
		}
		if (txn == last)
			break;
	}
	mutex_unlock(&index->lock);
	return nr;
}

/**
 * msyncfs_index_remove - remove images that are home
 * @log: log of the mount
 * @batch: images of durable records; an image stays in memory until its last
 *	reference is dropped
 * @nr: number of images in @batch
 *
 * An image that a newer image has replaced is not in the index any more.
 *
 * Context: may sleep.
 */
void msyncfs_index_remove(struct msyncfs_log *log,
			  struct msyncfs_image **batch, unsigned int nr)
{
	mutex_lock(&log->index.lock);
	for (; nr--; batch++)
		if (msyncfs_hash_remove(log, *batch))
			msyncfs_index_drop(*batch);
	mutex_unlock(&log->index.lock);
}

/**
 * msyncfs_index_retire - remove records that need no replay any more
 * @log: log of the mount
 * @seq: sequence number of the newest record to remove; the images of the
 *	records have been removed
 *
 * The log space of the records becomes free.
 *
 * Context: under checkpoint_mutex; may sleep.
 */
void msyncfs_index_retire(struct msyncfs_log *log, u64 seq)
{
	struct msyncfs_index *index = &log->index;
	struct msyncfs_txn *txn, *next;
	LIST_HEAD(retired);

	mutex_lock(&index->lock);
	list_for_each_entry_safe(txn, next, &index->records, list) {
		if (txn->seq > seq)
			break;
		WRITE_ONCE(log->used, log->used - txn->pad -
				      msyncfs_record_blocks(txn));
		list_move_tail(&txn->list, &retired);
	}
	mutex_unlock(&index->lock);
	list_for_each_entry_safe(txn, next, &retired, list) {
		WARN_ON_ONCE(!list_empty(&txn->images));
		kfree(txn);
	}
}
