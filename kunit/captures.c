// SPDX-License-Identifier: GPL-2.0
/*
 * Make a file and capture its pages: see captures.h.
 */
#include <linux/pagemap.h>

#include "captures.h"

#define BLOCKS		1024
#define LOG_BLOCKS	256

/**
 * cap_init - init function of a suite
 * @test: test; its priv is the fixture
 *
 * Return: 0.
 */
int cap_init(struct kunit *test)
{
	struct cap_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_mount(test, BLOCKS, LOG_BLOCKS);
	files_flush_fput(test);
	files_quiet(fx->fake);
	fx->log = iolog_start(fx->fake, MSYNCFS_FAKE_WRITE |
					MSYNCFS_FAKE_FLUSH);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_CREAT | O_RDWR);
	fx->inode = file_inode(fx->file);
	fx->mi = MSYNCFS_I(fx->inode);
	test->priv = fx;
	return 0;
}

/**
 * cap_take - capture dirty pages of the file
 * @fx: fixture
 * @first: first page of the range
 * @last: last page of the range
 * @copy_max: largest number of pages to copy; if more pages are dirty, none is
 *	copied
 * @limit: maximum number of pages to capture
 *
 * Return: the result of msyncfs_capture_pages().
 */
struct msyncfs_capture *cap_take(struct cap_fixture *fx, pgoff_t first,
				 pgoff_t last, unsigned long copy_max,
				 unsigned long limit)
{
	struct msyncfs_capture *cap;

	mutex_lock(&fx->mi->i_commit_lock);
	cap = msyncfs_capture_pages(fx->inode, first, last, copy_max, limit);
	mutex_unlock(&fx->mi->i_commit_lock);
	return cap;
}

/**
 * cap_give_back - give a capture back as if its commit had failed
 * @cap: capture
 * @err: error of the commit; 0: no open file gets an error
 */
void cap_give_back(struct msyncfs_capture *cap, int err)
{
	msyncfs_capture_redirty(cap, err);
	msyncfs_capture_put(cap);
}

/**
 * cap_image_fill - get the byte that fills the copy of a page
 * @img: image
 *
 * Return: the byte; -EILSEQ: the bytes differ.
 */
int cap_image_fill(struct msyncfs_image *img)
{
	const u8 *p = page_address(img->page);

	return memchr_inv(p, p[0], PAGE_SIZE) ? -EILSEQ : p[0];
}

/**
 * cap_image - find a page in a capture
 * @cap: capture
 * @index: page
 *
 * Return: the image of the page, NULL if the page is not in the capture.
 */
struct msyncfs_image *cap_image(struct msyncfs_capture *cap, pgoff_t index)
{
	struct msyncfs_image *img;

	list_for_each_entry(img, &cap->images, list)
		if (img->index == index)
			return img;
	return NULL;
}

/**
 * cap_dirty - check if a page is in memory and dirty
 * @fx: fixture
 * @index: page
 *
 * Return: true if the page is in memory and dirty.
 */
bool cap_dirty(struct cap_fixture *fx, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(fx->inode->i_mapping, index);
	bool ret;

	if (IS_ERR(folio))
		return false;
	ret = folio_test_dirty(folio);
	folio_put(folio);
	return ret;
}
