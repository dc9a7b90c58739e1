/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pure functions over the on-disk format: encode, seal, verify, and the scan of
 * the log. They do no I/O of their own and allocate nothing, so the module, the
 * tools and the KUnit suites share them. See format.c and logscan.c.
 */
#ifndef MSYNCFS_DISK_FORMAT_H
#define MSYNCFS_DISK_FORMAT_H

#include "break.h"
#include "msyncfs_format.h"

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/xxhash.h>
#else
#include "userspace.h"		/* tools/lib: u64, le64_to_cpu(), xxh64() ... */
#endif

/* A record takes at most this part of the log. */
#define MSYNCFS_RECORD_SHARE	4

/**
 * struct msyncfs_geo - where things lie; from the superblock, checked
 * @seed: seed of all checksums
 * @uuid: of the filesystem
 * @blocks: size in blocks
 * @log_start: first block of the log
 * @log_blocks: blocks of the log
 * @bitmap_start: first bitmap block
 * @bitmap_blocks: number of bitmap blocks (groups)
 * @root_ino: inode number of the root directory
 * @record_images: images that the largest record holds
 */
struct msyncfs_geo {
	u64	seed;
	u8	uuid[MSYNCFS_UUID_LEN];
	u64	blocks;
	u64	log_start;
	u64	log_blocks;
	u64	bitmap_start;
	u64	bitmap_blocks;
	u64	root_ino;
	u32	record_images;
};

/* Why a log record was not accepted; the names are the test matrix. */
enum msyncfs_reject {
	MSYNCFS_REC_OK,
	MSYNCFS_REC_MAGIC,	/* no record here */
	MSYNCFS_REC_UUID,	/* of another filesystem */
	MSYNCFS_REC_NONCE,	/* of another mount */
	MSYNCFS_REC_SEQ,	/* not the record that comes next */
	MSYNCFS_REC_SHAPE,	/* counts or lengths that cannot be */
	MSYNCFS_REC_HOME,	/* a home block outside the data area */
	MSYNCFS_REC_CSUM,	/* header or payload damaged or torn */
	MSYNCFS_REC_IO,		/* could not be read */
	MSYNCFS_NR_REC
};

/* In format.c. The verify functions return NULL or the reason in words. */
u64 msyncfs_csum(const void *buf, size_t len, size_t csum_offset, u64 seed);
int msyncfs_layout(u64 blocks, u64 log_blocks, struct msyncfs_geo *geo);
const char *msyncfs_verify_super(const struct msyncfs_disk_super *ds,
				 u64 dev_blocks, struct msyncfs_geo *geo);
void msyncfs_seal_super(struct msyncfs_disk_super *ds);
const char *msyncfs_verify_slot(const struct msyncfs_geo *geo,
				const struct msyncfs_disk_slot *slot);
void msyncfs_seal_slot(const struct msyncfs_geo *geo,
		       struct msyncfs_disk_slot *slot);
void msyncfs_init_block(void *buf, u32 magic, u32 level, u64 blkno, u64 owner);
void msyncfs_seal_block(const struct msyncfs_geo *geo, void *buf, u64 seq);
const char *msyncfs_verify_block(const struct msyncfs_geo *geo,
				 const void *buf, u64 blkno, u32 magic,
				 u64 owner);
u64 msyncfs_name_hash(const struct msyncfs_geo *geo, const char *name,
		      unsigned int len);

/* Blocks of header for @nr_images images. */
static inline u32 msyncfs_record_header_blocks(u32 nr_images)
{
	return (MSYNCFS_RECORD_HEADER + 8ULL * nr_images +
		MSYNCFS_BLOCK_SIZE - 1) / MSYNCFS_BLOCK_SIZE;
}

/**
 * msyncfs_is_data() - does a block lie in the data area
 * @geo: of the filesystem
 * @blkno: any number
 *
 * The data area holds inodes, map nodes, directory blocks and data. It starts
 * behind the log and ends before the backup superblock.
 *
 * Context: any.
 * Return: true if it does.
 */
static inline bool msyncfs_is_data(const struct msyncfs_geo *geo, u64 blkno)
{
	return blkno >= geo->log_start + geo->log_blocks &&
	       blkno < geo->blocks - 1;
}

/**
 * msyncfs_is_home() - may a log record hold an image of this block
 * @geo: of the filesystem
 * @blkno: any number
 *
 * Context: any.
 * Return: true for the data area, the bitmaps and the root block; never for the
 * superblocks, the tail slots and the log itself.
 */
static inline bool msyncfs_is_home(const struct msyncfs_geo *geo, u64 blkno)
{
	return blkno == MSYNCFS_ROOT_BLKNO ||
	       (blkno >= geo->bitmap_start &&
		blkno < geo->bitmap_start + geo->bitmap_blocks) ||
	       msyncfs_is_data(geo, blkno);
}

/**
 * msyncfs_map_capacity() - how many indexes a file map can hold
 * @depth: levels of map nodes, 0..MSYNCFS_MAX_DEPTH
 *
 * Context: any.
 * Return: number of indexes, in blocks; index 0 up to it (exclusive) fit.
 */
static inline u64 msyncfs_map_capacity(unsigned int depth)
{
	u64 nr = MSYNCFS_INODE_PTRS;

	while (depth--)
		nr *= MSYNCFS_NODE_PTRS;
	return nr;
}

/**
 * struct msyncfs_log_reader - how the scan reads the log
 * @geo: of the filesystem
 * @read: reads @nr blocks of the log from position @pos (blocks from log_start,
 *	never across the end) into @buf; 0 or a negative errno
 * @ctx: for @read
 * @buf: room for one block
 * @record: room for the largest record, log_blocks / 4 blocks
 */
struct msyncfs_log_reader {
	const struct msyncfs_geo *geo;
	int (*read)(void *ctx, u64 pos, u32 nr, void *buf);
	void *ctx;
	void *buf;
	void *record;
};

/**
 * struct msyncfs_log_end - where the good records of a log end
 * @pos: position after the last good record, below log_blocks
 * @seq: sequence number after the last good record
 * @why: why the next record is not good
 */
struct msyncfs_log_end {
	u64			pos;
	u64			seq;
	enum msyncfs_reject	why;
};

/* In logscan.c */
const char *msyncfs_reject_name(enum msyncfs_reject why);
enum msyncfs_reject msyncfs_log_next(struct msyncfs_log_reader *r,
				     u64 nonce, u64 seq, u64 pos, u64 *found);
int msyncfs_log_scan(struct msyncfs_log_reader *r,
		     const struct msyncfs_disk_slot *slot,
		     int (*apply)(void *ctx, const struct msyncfs_disk_record *rec,
				  u64 pos),
		     struct msyncfs_log_end *end);

#endif /* MSYNCFS_DISK_FORMAT_H */
