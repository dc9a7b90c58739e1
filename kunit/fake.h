/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A block device in memory, with a volatile write cache that can be lost and
 * I/O that can be made to fail, and an msyncfs mounted on it for real.
 *
 * Everything here ends by itself with the test, in reverse order of creation.
 */
#ifndef MSYNCFS_KUNIT_FAKE_H
#define MSYNCFS_KUNIT_FAKE_H

#include <kunit/test.h>
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "fs/fs.h"

/* What an I/O is, for msyncfs_fake_fail(). A write may be a flush as well. */
#define MSYNCFS_FAKE_READ	1
#define MSYNCFS_FAKE_WRITE	2
#define MSYNCFS_FAKE_FLUSH	4

/* What the device has, for msyncfs_fake_create(). */
#define MSYNCFS_FAKE_CACHE	1	/* a volatile write cache */
#define MSYNCFS_FAKE_FUA	2	/* writes that go past it */

/* What a hook makes of an I/O. */
enum msyncfs_fake_fate {
	MSYNCFS_FAKE_DONE,	/* it is done, unless fail_ops says otherwise */
	MSYNCFS_FAKE_FAILS,	/* it fails, and nothing has happened */
	MSYNCFS_FAKE_LANDS,	/* it fails, but has been done all the same */
};

/**
 * struct msyncfs_fake - the device and what is on it
 * @test: whose it is
 * @disk: the block device
 * @path: its node
 * @geo: where things lie on it
 * @mnt: the mount, NULL: not mounted
 * @sb: the filesystem mounted
 * @lock: guards what follows
 * @media: block number -> page, survives msyncfs_fake_crash()
 * @cache: the same for what is in the volatile cache
 * @lost: power has failed: writes are not stored any more
 * @reads: bios that read
 * @writes: bios that write data
 * @fuas: those of them that had REQ_FUA
 * @flushes: bios that flush the cache
 * @bytes: bytes written
 * @fail_ops: kinds of I/O that fail, MSYNCFS_FAKE_*
 * @fail_skip: of these, so many succeed first
 * @fail_nr: and then so many fail
 * @hold_ops: kinds of I/O that wait for msyncfs_fake_release(), MSYNCFS_FAKE_*
 * @held: those that do
 * @hook: sees each I/O before it is done and decides its fate, with @lock held;
 *	it may set @lost. NULL for none
 * @hook_ctx: for @hook
 */
struct msyncfs_fake {
	struct kunit		*test;
	struct gendisk		*disk;
	char			path[48];
	struct msyncfs_geo	geo;
	struct vfsmount		*mnt;
	struct super_block	*sb;

	struct mutex		lock;		/* all below */
	struct xarray		media;
	struct xarray		cache;
	bool			lost;
	unsigned int		reads;
	unsigned int		writes;
	unsigned int		fuas;
	unsigned int		flushes;
	u64			bytes;
	unsigned int		fail_ops;
	unsigned int		fail_skip;
	unsigned int		fail_nr;
	unsigned int		hold_ops;
	struct bio_list		held;
	enum msyncfs_fake_fate	(*hook)(struct msyncfs_fake *fake,
					struct bio *bio, unsigned int ops);
	void			*hook_ctx;
};

struct msyncfs_fake *msyncfs_fake_create(struct kunit *test, u64 blocks,
					 u64 log_blocks, unsigned int features);
struct msyncfs_fake *msyncfs_fake_mount(struct kunit *test, u64 blocks,
					u64 log_blocks);
int msyncfs_fake_do_mount(struct msyncfs_fake *fake, unsigned int sb_flags,
			  const char *options);
void msyncfs_fake_umount(struct msyncfs_fake *fake);
void msyncfs_fake_crash(struct msyncfs_fake *fake,
			bool (*keep)(void *ctx, u64 blkno), void *ctx);
void msyncfs_fake_read(struct msyncfs_fake *fake, u64 blkno, void *buf);
void msyncfs_fake_write(struct msyncfs_fake *fake, u64 blkno, const void *buf);
void msyncfs_fake_fail(struct msyncfs_fake *fake, unsigned int ops,
		       unsigned int skip, unsigned int nr);
void msyncfs_fake_hold(struct msyncfs_fake *fake, unsigned int ops);
unsigned int msyncfs_fake_held(struct msyncfs_fake *fake);
void msyncfs_fake_release(struct msyncfs_fake *fake);
void msyncfs_fake_reset_counts(struct msyncfs_fake *fake);
struct file *msyncfs_fake_open(struct msyncfs_fake *fake, const char *name,
			       int flags);
void msyncfs_fake_close(struct msyncfs_fake *fake, struct file *file);

#endif /* MSYNCFS_KUNIT_FAKE_H */
