// SPDX-License-Identifier: GPL-2.0
/*
 * Two files and their mappings: see calls.h.
 */
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "calls.h"

#define BLOCKS		4096
#define LOG_BLOCKS	512	/* a record has up to 128 blocks */
#define RW		(PROT_READ | PROT_WRITE)

/**
 * call_at - get the address of a mapped page
 * @fx: fixture
 * @page: number of the page; 0 is the page at fx->base
 *
 * Return: the address.
 */
unsigned long call_at(struct call_fixture *fx, unsigned int page)
{
	return fx->base + ((unsigned long)page << PAGE_SHIFT);
}

/**
 * call_map - map pages of a file at a fixed address
 * @test: test, which fails if this function fails
 * @file: file
 * @index: first page of the file
 * @page: number of the page at the address; 0 is the page at fx->base
 * @nr: number of pages
 * @flags: MAP_SHARED or MAP_PRIVATE, and other flags of mmap(2)
 */
void call_map(struct kunit *test, struct file *file, pgoff_t index,
	      unsigned int page, unsigned int nr, int flags)
{
	struct call_fixture *fx = test->priv;
	unsigned long addr;

	addr = vm_mmap(file, call_at(fx, page), nr * PAGE_SIZE, RW,
		       flags | MAP_FIXED, index << PAGE_SHIFT);
	KUNIT_ASSERT_EQ(test, addr, call_at(fx, page));
}

static struct file *make_file(struct kunit *test, const char *name)
{
	struct call_fixture *fx = test->priv;
	struct file *file;

	file = msyncfs_fake_open(fx->fake, name, O_CREAT | O_RDWR);
	files_write(test, file, 0, CALL_PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(file, 0), 0);
	return file;
}

/**
 * call_unmap - remove all mappings, and wait until their files are dropped
 * @fx: fixture
 */
void call_unmap(struct call_fixture *fx)
{
	vm_munmap(fx->base, MAP_PAGES * PAGE_SIZE);
	flush_delayed_fput();
}

/**
 * call_setup - make a device with two files and map them
 * @test: test, which fails if this function fails; its priv is the fixture
 * @options: mount options
 *
 * Return: the fixture.
 */
struct call_fixture *call_setup(struct kunit *test, const char *options)
{
	struct call_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	char opts[32];

	KUNIT_ASSERT_NOT_NULL(test, fx);
	test->priv = fx;
	strscpy(opts, options, sizeof(opts));
	fx->fake = msyncfs_fake_create(test, BLOCKS, LOG_BLOCKS,
				       MSYNCFS_FAKE_CACHE | MSYNCFS_FAKE_FUA);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, opts), 0);
	files_flush_fput(test);
	fx->log = iolog_start(fx->fake, CALL_OUT);
	fx->f = make_file(test, "f");
	fx->g = make_file(test, "g");
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	files_quiet(fx->fake);
	iolog_reset(fx->log);

	fx->base = files_map(test, NULL, MAP_PAGES, MAP_PRIVATE | MAP_ANONYMOUS);
	call_map(test, fx->f, 0, F_AT, 4, MAP_SHARED);
	call_map(test, fx->g, 0, G_AT, 4, MAP_SHARED);
	call_map(test, fx->f, 100, F2_AT, 4, MAP_SHARED);
	call_map(test, fx->f, 20, PRIVATE_AT, 4, MAP_PRIVATE);
	vm_munmap(call_at(fx, HOLE_AT), 2 * PAGE_SIZE);
	return fx;
}

/**
 * call_init - init function of a suite; mounts without options
 * @test: test; its priv is the fixture
 *
 * Return: 0.
 */
int call_init(struct kunit *test)
{
	call_setup(test, "");
	return 0;
}

/**
 * call_store - store a byte through the mapping, as a program does
 * @test: test, which fails if this function fails
 * @page: number of the page; 0 is the page at fx->base
 * @value: new value of the first byte of the page
 */
void call_store(struct kunit *test, unsigned int page, u8 value)
{
	struct call_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, put_user(value, (u8 __user *)call_at(fx, page)),
			0);
}

/**
 * call_load - load a byte through the mapping, as a program does
 * @fx: fixture
 * @page: number of the page; 0 is the page at fx->base
 *
 * Return: the first byte of the page or -EFAULT.
 */
int call_load(struct call_fixture *fx, unsigned int page)
{
	u8 value;
	int err = get_user(value, (u8 __user *)call_at(fx, page));

	return err ?: value;
}

/**
 * call_msync - call msync as the ioctl and the hook do
 * @test: test
 * @page: number of the first page; 0 is the page at fx->base
 * @nr: number of pages
 * @flags: MS_*
 *
 * Return: the result of msync.
 */
int call_msync(struct kunit *test, unsigned int page, unsigned int nr,
	       int flags)
{
	return msyncfs_msync(call_at(test->priv, page), nr * PAGE_SIZE, flags);
}

/**
 * call_cached - check if a page is in the page cache
 * @file: file
 * @index: page
 *
 * Return: true if the page is in the page cache.
 */
bool call_cached(struct file *file, pgoff_t index)
{
	return filemap_range_has_page(file->f_mapping,
				      (loff_t)index << PAGE_SHIFT,
				      ((loff_t)(index + 1) << PAGE_SHIFT) - 1);
}

/**
 * call_crash - let the power fail, and mount the device again
 * @test: test, which fails if the device cannot be mounted
 *
 * The content of the volatile cache is lost. The function opens the files
 * again, but does not map them again.
 */
void call_crash(struct kunit *test)
{
	struct call_fixture *fx = test->priv;

	iolog_power_off(fx->log);
	call_unmap(fx);
	msyncfs_fake_close(fx->fake, fx->f);
	msyncfs_fake_close(fx->fake, fx->g);
	msyncfs_fake_crash(fx->fake, NULL, NULL);
	iolog_reset(fx->log);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->f = msyncfs_fake_open(fx->fake, "f", O_RDWR);
	fx->g = msyncfs_fake_open(fx->fake, "g", O_RDWR);
}

/**
 * call_first_byte - read the first byte of a page
 * @file: file
 * @index: page
 *
 * Return: the byte or -EIO.
 */
int call_first_byte(struct file *file, pgoff_t index)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	u8 value;

	return kernel_read(file, &value, 1, &pos) == 1 ? value : -EIO;
}
