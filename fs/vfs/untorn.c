// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements untorn writes: O_DIRECT writes with RWF_ATOMIC. After a
 * crash, a file has all data of an untorn write, or nothing of it.
 *
 * In an ordinary file, the data goes into one record. A failure must not leave a
 * part of the data in dirty pages, because writeback would make this part
 * durable. So the data first goes into the images of a capture, which nobody
 * else sees. The capture becomes part of the running transaction, in one
 * operation. From here on nothing can fail, and the data goes into the page
 * cache. The task holds i_commit_lock meanwhile, so no other record gets old or
 * new data of these pages. A clean page stays clean, because the transaction has
 * its content. A page that was dirty stays dirty, because a mapping may store to
 * it without a fault.
 *
 * In an atomic file, also during a batch, the data only goes into the page cache,
 * and becomes part of the next commit. The task holds i_commit_lock, so no commit
 * gets a part of the data.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "vfs.h"

/* Number of pages of the largest untorn write, even if a record takes more. */
#define UNTORN_MAX	256U

/**
 * struct msyncfs_untorn - an untorn write under way
 * @inode: regular file
 * @first: first page
 * @nr: number of pages
 * @cap: capture whose images have the data
 * @reserved: one bit for each page, set if the write has reserved the page
 * @folios: folio of each page, with a reference; NULL if the folio is not known
 *	yet
 */
struct msyncfs_untorn {
	struct inode		*inode;
	pgoff_t			first;
	unsigned int		nr;
	struct msyncfs_capture	*cap;
	DECLARE_BITMAP(reserved, UNTORN_MAX);
	struct folio		*folios[] __counted_by(nr);
};

/**
 * msyncfs_untorn_max - compute the length of the largest untorn write
 * @sb: filesystem
 *
 * Context: any.
 * Return: a power of two, in bytes, at least PAGE_SIZE.
 */
unsigned int msyncfs_untorn_max(struct super_block *sb)
{
	return rounddown_pow_of_two(min(msyncfs_attach_run_max(sb),
					UNTORN_MAX)) << PAGE_SHIFT;
}

/**
 * msyncfs_untorn_check - check whether a write can be untorn
 * @iocb: request with IOCB_ATOMIC, after generic_write_checks()
 * @from: memory
 * @count: length of the write before generic_write_checks(), in bytes
 *
 * Context: any.
 * Return: 0; -EFBIG if generic_write_checks() has made the write shorter; or the
 * errors of the kernel's convention: -EINVAL for a wrong length or position or
 * for several buffers, -EOPNOTSUPP without O_DIRECT.
 */
int msyncfs_untorn_check(struct kiocb *iocb, struct iov_iter *from,
			 size_t count)
{
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	if (!iter_is_ubuf(from) || !is_power_of_2(count) || count < PAGE_SIZE ||
	    count > msyncfs_untorn_max(sb) || !IS_ALIGNED(iocb->ki_pos, count))
		return -EINVAL;
	if (iov_iter_count(from) != count)
		return -EFBIG;
	return iocb->ki_flags & IOCB_DIRECT ? 0 : -EOPNOTSUPP;
}

static void msyncfs_untorn_free(struct msyncfs_untorn *u)
{
	if (u->cap)
		msyncfs_capture_put(u->cap);
	kfree(u);
}

static struct msyncfs_untorn *msyncfs_untorn_alloc(struct inode *inode,
						   loff_t pos, size_t count)
{
	unsigned int nr = count >> PAGE_SHIFT;
	struct msyncfs_untorn *u;

	u = kzalloc(struct_size(u, folios, nr), GFP_KERNEL);
	if (!u)
		return NULL;
	u->inode = inode;
	u->first = pos >> PAGE_SHIFT;
	u->nr = nr;
	u->cap = msyncfs_capture_alloc(inode, GFP_KERNEL);
	if (!u->cap ||
	    msyncfs_images_alloc(MSYNCFS_SB(inode->i_sb), &u->cap->images, nr,
				 true, GFP_KERNEL)) {
		msyncfs_untorn_free(u);
		return NULL;
	}
	u->cap->nr = nr;
	u->cap->copied = true;
	u->cap->end = pos + count;
	u->cap->size = max(u->cap->end, i_size_read(inode));
	return u;
}

/*
 * Copies the data from user memory. A page fault may delay this function without
 * limit, so the caller holds no lock except i_rwsem.
 */
static int msyncfs_untorn_copy(struct msyncfs_untorn *u, struct iov_iter *from)
{
	struct msyncfs_image *img;
	pgoff_t index = u->first;

	list_for_each_entry(img, &u->cap->images, list) {
		img->index = index++;
		if (copy_page_from_iter(img->page, 0, PAGE_SIZE, from) !=
		    PAGE_SIZE)
			return -EFAULT;
	}
	return 0;
}

/* Gets the folio of a page, and reserves the blocks that the page will need. */
static int msyncfs_untorn_get(struct msyncfs_untorn *u,
			      struct msyncfs_image *img)
{
	unsigned int i = img->index - u->first;
	struct folio *folio;
	bool has;
	int err;

	folio = msyncfs_folio_begin(u->inode, img->index);
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	/* The end of the transaction may drop the reference of the image. */
	folio_get(folio);
	img->folio = folio;
	folio_get(folio);
	u->folios[i] = folio;
	msyncfs_folio_end(u->inode, folio);

	err = msyncfs_has_block(u->inode, img->index, &has);
	if (err || has || msyncfs_resv_test(u->inode, img->index))
		return err;
	err = msyncfs_resv_page(u->inode, img->index);
	if (!err)
		__set_bit(i, u->reserved);
	return err;
}

/* Undoes msyncfs_untorn_get(). A dirty page needs its reservation. */
static void msyncfs_untorn_undo(struct msyncfs_untorn *u)
{
	struct msyncfs_image *img;
	struct folio *folio;

	list_for_each_entry(img, &u->cap->images, list) {
		unsigned int i = img->index - u->first;

		folio = u->folios[i];
		if (!folio)
			return;
		folio_put(img->folio);
		img->folio = NULL;
		u->folios[i] = NULL;
		msyncfs_folio_lock_stable(u->inode, folio);
		if (__test_and_clear_bit(i, u->reserved) &&
		    !folio_test_dirty(folio))
			msyncfs_resv_release(u->inode, img->index, img->index);
		msyncfs_folio_end(u->inode, folio);
	}
}

/*
 * Copies the data into the page cache. The size grows under the lock of each
 * folio, because msyncfs_zero_tail() zeroes what lies beyond the size.
 */
static void msyncfs_untorn_fill(struct msyncfs_untorn *u, bool dirty)
{
	struct inode *inode = u->inode;
	struct msyncfs_image *img;
	loff_t end;

	list_for_each_entry(img, &u->cap->images, list) {
		struct folio *folio = u->folios[img->index - u->first];

		msyncfs_folio_lock_stable(inode, folio);
		/* Everybody who drops pages needs one of the caller's locks. */
		if (!WARN_ON_ONCE(folio->mapping != inode->i_mapping)) {
			copy_highpage(folio_page(folio, 0), img->page);
			flush_dcache_folio(folio);
			folio_mark_uptodate(folio);
			if (dirty)
				folio_mark_dirty(folio);
		}
		end = folio_pos(folio) + PAGE_SIZE;
		if (end > i_size_read(inode))
			i_size_write(inode, end);
		msyncfs_folio_end(inode, folio);
	}
}

/* Caller holds i_rwsem. After an error the file is unchanged. */
static int msyncfs_untorn_try(struct msyncfs_untorn *u)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(u->inode);
	struct msyncfs_image *img;
	bool whole;
	int err = 0;

	mutex_lock(&mi->i_commit_lock);
	whole = msyncfs_is_atomic(u->inode);
	list_for_each_entry(img, &u->cap->images, list) {
		err = msyncfs_untorn_get(u, img);
		if (err)
			break;
	}
	if (!err && !whole)
		err = msyncfs_attach_run(u->cap);
	if (err)
		msyncfs_untorn_undo(u);
	else
		msyncfs_untorn_fill(u, whole);
	mutex_unlock(&mi->i_commit_lock);
	return err;
}

/**
 * msyncfs_untorn_write - make an untorn write
 * @iocb: request that has passed msyncfs_untorn_check(); ki_pos advances, and
 *	IOCB_DIRECT is cleared, because the data is in the page cache
 * @from: memory
 *
 * After success, the data is in the running transaction. In an atomic file it
 * becomes part of the next commit instead. The caller makes it durable if the
 * request asks for this. If the record fails, the mapping remembers the error,
 * and the log writes the same record once more before any later record.
 *
 * Context: caller holds i_rwsem and has done all checks; takes i_commit_lock; may
 * wait for a commit and a checkpoint.
 * Return: the length of the write, or a negative errno. After an error the data
 * of the file is unchanged.
 */
ssize_t msyncfs_untorn_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t count = iov_iter_count(from);
	struct msyncfs_untorn *u;
	int err;

	u = msyncfs_untorn_alloc(inode, iocb->ki_pos, count);
	if (!u)
		return -ENOMEM;
	/* The end of such a write drops pages. */
	inode_dio_wait(inode);
	err = msyncfs_untorn_copy(u, from);
	if (!err)
		err = msyncfs_untorn_try(u);
	if (err == -ENOSPC && !msyncfs_find_space(inode))
		err = msyncfs_untorn_try(u);
	msyncfs_untorn_free(u);
	if (err)
		return err;
	iocb->ki_pos += count;
	iocb->ki_flags &= ~IOCB_DIRECT;
	return count;
}
