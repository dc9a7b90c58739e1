// SPDX-License-Identifier: GPL-2.0
/*
 * Read, write and change files from within the kernel: see files.h.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include "files.h"

/**
 * files_quiet - stop all I/O in the background
 * @fake: device, mounted
 *
 * Until the unmount, no checkpoint runs in the background. The function also
 * cancels the background commit. The next change schedules a new background
 * commit, which runs some seconds later.
 */
void files_quiet(struct msyncfs_fake *fake)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(fake->sb);

	set_bit(MSYNCFS_SB_CKPT_PAUSED, &sbi->state);
	cancel_delayed_work_sync(&sbi->log->checkpoint_timer);
	cancel_work_sync(&sbi->log->checkpoint_work);
	cancel_delayed_work_sync(&sbi->log->commit_work);
}

/**
 * files_write - write whole pages
 * @test: test, which fails if this function fails
 * @file: file
 * @index: first page
 * @nr: number of pages
 * @fill: byte that fills these pages
 */
void files_write(struct kunit *test, struct file *file, pgoff_t index,
		 unsigned int nr, u8 fill)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	void *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	memset(buf, fill, PAGE_SIZE);
	while (nr--)
		KUNIT_ASSERT_EQ(test, kernel_write(file, buf, PAGE_SIZE, &pos),
				PAGE_SIZE);
	kunit_kfree(test, buf);
}

/**
 * files_read - get the byte that fills a page
 * @file: file
 * @index: page
 *
 * Return: the byte; -ENODATA if the file ends before the page; -EILSEQ if the
 * bytes differ, or if the file ends within the page; the error of the read if
 * the read fails.
 */
int files_read(struct file *file, pgoff_t index)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	u8 *buf = kmalloc(PAGE_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	ssize_t ret = kernel_read(file, buf, PAGE_SIZE, &pos);

	if (!ret)
		ret = -ENODATA;
	if (ret > 0)
		ret = ret < PAGE_SIZE || memchr_inv(buf, buf[0], PAGE_SIZE) ?
		      -EILSEQ : buf[0];
	kfree(buf);
	return ret;
}

/**
 * files_expect - expect pages to be full of a byte
 * @test: test
 * @file: file
 * @index: first page
 * @nr: number of pages
 * @fill: expected result of files_read() for each page
 */
void files_expect(struct kunit *test, struct file *file, pgoff_t index,
		  unsigned int nr, int fill)
{
	for (; nr--; index++)
		KUNIT_EXPECT_EQ_MSG(test, files_read(file, index), fill,
				    "page %lu", index);
}

/**
 * files_sync - sync a whole file in the way that msync(MS_SYNC) does
 * @file: file
 *
 * Return: 0 or a negative errno.
 */
int files_sync(struct file *file)
{
	return vfs_fsync_range(file, 0, LLONG_MAX, 1);
}

/**
 * files_dirty - count the dirty pages
 * @file: file
 *
 * Return: number of pages of the file that are tagged dirty.
 */
unsigned long files_dirty(struct file *file)
{
	return msyncfs_count_dirty(file_inode(file), 0, ULONG_MAX, ULONG_MAX);
}

/**
 * files_block - get the home block of a page
 * @test: test, which fails if the map cannot be read
 * @file: file
 * @index: page
 *
 * Return: the block, 0 for a hole.
 */
u64 files_block(struct kunit *test, struct file *file, pgoff_t index)
{
	struct msyncfs_extent ext;

	KUNIT_ASSERT_EQ(test, msyncfs_map_lookup(file_inode(file), index, 1,
						 &ext), 0);
	return ext.blkno;
}

/**
 * files_truncate - change the size of a file, as ftruncate(2) does
 * @file: file
 * @size: in bytes
 *
 * Return: 0 or a negative errno.
 */
int files_truncate(struct file *file, loff_t size)
{
	struct iattr attr = {
		.ia_valid = ATTR_SIZE | ATTR_FILE,
		.ia_size = size,
		.ia_file = file,
	};
	int err = mnt_want_write_file(file);

	if (err)
		return err;
	inode_lock(file_inode(file));
	err = notify_change(&nop_mnt_idmap, file->f_path.dentry, &attr, NULL);
	inode_unlock(file_inode(file));
	mnt_drop_write_file(file);
	return err;
}

/**
 * files_punch - make a hole in a file, whose size stays
 * @file: file
 * @index: first page of the hole
 * @nr: number of pages
 *
 * Return: 0 or a negative errno.
 */
int files_punch(struct file *file, pgoff_t index, u64 nr)
{
	return vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     (loff_t)index << PAGE_SHIFT, nr << PAGE_SHIFT);
}

/**
 * files_unlink - remove a name from the root directory
 * @fake: device, mounted
 * @name: name
 *
 * Return: 0 or a negative errno.
 */
int files_unlink(struct msyncfs_fake *fake, const char *name)
{
	struct dentry *root = fake->mnt->mnt_root, *dentry;
	int err;

	err = mnt_want_write(fake->mnt);
	if (err)
		return err;
	inode_lock_nested(d_inode(root), I_MUTEX_PARENT);
	dentry = msyncfs_kunit_lookup(root, name);
	if (IS_ERR(dentry)) {
		err = PTR_ERR(dentry);
	} else {
		err = d_is_negative(dentry) ? -ENOENT :
		      vfs_unlink(&nop_mnt_idmap, d_inode(root), dentry, NULL);
		dput(dentry);
	}
	inode_unlock(d_inode(root));
	mnt_drop_write(fake->mnt);
	return err;
}

/**
 * files_map - map the first pages of a file, readable and writable
 * @test: test
 * @file: file, or NULL for anonymous memory
 * @nr: number of pages
 * @flags: MAP_*
 *
 * Return: address of the first page.
 */
unsigned long files_map(struct kunit *test, struct file *file, unsigned int nr,
			int flags)
{
	unsigned long addr = kunit_vm_mmap(test, file, 0, nr * PAGE_SIZE,
					   PROT_READ | PROT_WRITE, flags, 0);

	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return addr;
}

static void flush_fput(void *unused)
{
	flush_delayed_fput();
}

/**
 * files_flush_fput - let the end of a test wait until files are dropped
 * @test: test
 *
 * When a mapping ends, a work item drops its file. The unmount fails if it runs
 * before this work item. Call this function after the mount and before the
 * first mmap. Then the end of the test removes the mappings, waits for the work
 * items and unmounts the filesystem, in this order.
 */
void files_flush_fput(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, flush_fput, NULL),
			0);
}

/**
 * files_settled - commit and checkpoint, then expect that no block is promised
 * @test: test, which fails if a block is promised, held, claimed or freed
 * @sb: filesystem
 */
void files_settled(struct kunit *test, struct super_block *sb)
{
	struct msyncfs_space *space = MSYNCFS_SPACE(sb);

	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(sb), 0);
	KUNIT_EXPECT_EQ(test, space->reserved, 0);
	KUNIT_EXPECT_EQ(test, space->held, 0);
	KUNIT_EXPECT_EQ(test, space->claimed, 0);
	KUNIT_EXPECT_EQ(test, space->freed, 0);
}
