/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A block device in memory, with a msyncfs mounted on it. A test can lose the
 * content of the volatile write cache, and it can let I/O fail.
 *
 * The end of the test closes the open files, unmounts the filesystem and
 * removes the device, in this order.
 */
#ifndef MSYNCFS_KUNIT_FAKE_H
#define MSYNCFS_KUNIT_FAKE_H

#include <kunit/test.h>
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

/*
 * These headers are private to their floors. The suites check the structures
 * that the headers declare.
 */
#include "fs/log/txn.h"
#include "fs/map/node.h"
#include "fs/space/alloc.h"
#include "fs/vfs/orphan.h"

/*
 * Kinds of I/O, for msyncfs_fake_fail(). A write with REQ_PREFLUSH is both a
 * write and a flush.
 */
#define MSYNCFS_FAKE_READ	1
#define MSYNCFS_FAKE_WRITE	2
#define MSYNCFS_FAKE_FLUSH	4
#define MSYNCFS_FAKE_DISCARD	8

/* Features of the device, for msyncfs_fake_create(). */
#define MSYNCFS_FAKE_CACHE	1	/* a volatile write cache */
#define MSYNCFS_FAKE_FUA	2	/* writes that bypass it */
#define MSYNCFS_FAKE_MMP	4	/* multi-mount protection, short interval */
#define MSYNCFS_FAKE_TRIM	8	/* discards, with granules of a block */
#define MSYNCFS_FAKE_OLD	16	/* no inode bitmap */

/* Byte that fills a discarded block. No file may ever have it. */
#define MSYNCFS_FAKE_POISON	0xdd

/*
 * The ways in which an I/O may end. A hook of the device returns one of them.
 */
enum msyncfs_fake_fate {
	MSYNCFS_FAKE_DONE,	/* it succeeds, unless fail_ops lets it fail */
	MSYNCFS_FAKE_FAILS,	/* it fails and has no effect */
	MSYNCFS_FAKE_LANDS,	/* it is executed, but reports an error */
};

/**
 * struct msyncfs_fake - the device and the filesystem on it
 * @test: test that made the device
 * @disk: the block device
 * @path: path of its device node
 * @geo: layout of the filesystem
 * @mnt: the mount, NULL if the filesystem is not mounted
 * @sb: the mounted filesystem
 * @lock: guards the following members
 * @media: blocks that survive msyncfs_fake_crash(): block number -> page
 * @cache: blocks in the volatile cache: block number -> page
 * @lost: the power has failed, so writes are not stored any more
 * @reads: number of bios that read
 * @writes: number of bios that write data
 * @fuas: number of bios that write data with REQ_FUA
 * @flushes: number of bios that flush the cache
 * @bytes: bytes written
 * @discarded: blocks discarded
 * @fail_ops: kinds of I/O that fail, MSYNCFS_FAKE_*
 * @status: status of a bio that fails; 0 means BLK_STS_IOERR
 * @fail_skip: number of I/Os of the kinds @fail_ops that succeed before the
 *	first I/O fails
 * @fail_nr: number of I/Os of the kinds @fail_ops that fail after the first
 *	@fail_skip I/Os
 * @hold_ops: kinds of I/O that wait for msyncfs_fake_release(), MSYNCFS_FAKE_*
 * @held: bios that wait for msyncfs_fake_release()
 * @hook: is called for each I/O before the device executes it, with @lock held;
 *	returns how the I/O ends, and may set @lost; NULL: no hook
 * @hook_ctx: data of @hook
 */
struct msyncfs_fake {
	struct kunit		*test;
	struct gendisk		*disk;
	char			path[48];
	struct msyncfs_geo	geo;
	struct vfsmount		*mnt;
	struct super_block	*sb;

	struct mutex		lock;		/* guards the members below */
	struct xarray		media;
	struct xarray		cache;
	bool			lost;
	unsigned int		reads;
	unsigned int		writes;
	unsigned int		fuas;
	unsigned int		flushes;
	u64			bytes;
	u64			discarded;
	unsigned int		fail_ops;
	blk_status_t		status;
	unsigned int		fail_skip;
	unsigned int		fail_nr;
	unsigned int		hold_ops;
	struct bio_list		held;
	enum msyncfs_fake_fate	(*hook)(struct msyncfs_fake *fake,
					struct bio *bio, unsigned int ops);
	void			*hook_ctx;
};

/* In main.c */
extern struct fs_struct *msyncfs_kunit_fs;

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
void msyncfs_fake_no_fua(struct msyncfs_fake *fake);
void msyncfs_fake_hold(struct msyncfs_fake *fake, unsigned int ops);
unsigned int msyncfs_fake_held(struct msyncfs_fake *fake);
void msyncfs_fake_release(struct msyncfs_fake *fake);
void msyncfs_fake_reset_counts(struct msyncfs_fake *fake);
struct file *msyncfs_fake_open(struct msyncfs_fake *fake, const char *name,
			       int flags);
void msyncfs_fake_close(struct msyncfs_fake *fake, struct file *file);

#endif /* MSYNCFS_KUNIT_FAKE_H */
