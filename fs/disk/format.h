/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header declares the functions of format.c and logscan.c. These functions
 * encode, seal and verify structures on disk, and scan the log. The functions
 * allocate nothing and do I/O only through a callback. So the module, the tools
 * and the KUnit suites can share these functions.
 */
#ifndef MSYNCFS_DISK_FORMAT_H
#define MSYNCFS_DISK_FORMAT_H

#include "break.h"
#include "msyncfs_format.h"

#ifdef __KERNEL__
#include <asm/byteorder.h>
#include <linux/crc32c.h>
#include <linux/siphash.h>
#include <linux/types.h>
#include <linux/xxhash.h>
#else
#include "userspace.h"		/* tools/lib: u64, le64_to_cpu(), xxh64() ... */
#endif

/* Size limit of a regular file: the largest loff_t, rounded down to whole blocks. */
#define MSYNCFS_FILE_MAX	0x7ffffffffffff000ULL

/*
 * Counters of slots and sequence numbers are at most MSYNCFS_SEQ_MAX, so the next number
 * fits into 64 bits. A mount is refused if they are larger than MSYNCFS_SEQ_MOUNT. No
 * mount lives long enough to use the numbers between the two.
 */
#define MSYNCFS_SEQ_MAX		0x7fffffffffffffffULL
#define MSYNCFS_SEQ_MOUNT	(MSYNCFS_SEQ_MAX - (1ULL << 48))

/* A record takes at most 1/4 of the log. */
#define MSYNCFS_RECORD_SHARE	4

/**
 * struct msyncfs_geo - where the parts of a filesystem lie
 * @seed: seed of all checksums except the checksum of the superblock
 * @uuid: UUID of the filesystem
 * @name_key: key of the hashes of names
 * @obscured: the names are not those of their hashes, see MSYNCFS_INCOMPAT_OBSCURED
 * @hash_room: number of positions that belong to one hash of a name:
 *	MSYNCFS_HASH_ROOM, or 1 in a filesystem without a key
 * @blocks: size of the filesystem in blocks
 * @log_start: block number of the first log block
 * @log_blocks: length of the log in blocks
 * @bitmap_start: block number of the first bitmap block
 * @bitmap_blocks: number of bitmap blocks, one for each group
 * @inodes_start: first block of the inode bitmap, which has as many blocks; or 0
 * @mmp_blkno: block of the multi-mount protection, or 0
 * @root_ino: inode number of the root directory, the first block of the data area
 * @record_images: number of images in the largest possible record
 */
struct msyncfs_geo {
	u64	seed;
	u8	uuid[MSYNCFS_UUID_LEN];
	siphash_key_t	name_key;
	bool	obscured;
	u64	hash_room;
	u64	blocks;
	u64	log_start;
	u64	log_blocks;
	u64	bitmap_start;
	u64	bitmap_blocks;
	u64	inodes_start;
	u64	mmp_blkno;
	u64	root_ino;
	u32	record_images;
};

/**
 * struct msyncfs_xattr_area - where attributes of an inode lie
 * @data: struct msyncfs_disk_xattr, one after the other; 8-byte aligned
 * @room: length of @data in bytes
 */
struct msyncfs_xattr_area {
	u8	*data;
	u32	room;
};

/*
 * Reasons why the scan of the log rejects a record. The KUnit suites test each
 * reason by its name.
 */
enum msyncfs_reject {
	MSYNCFS_REC_OK,
	MSYNCFS_REC_MAGIC,	/* there is no record at this position */
	MSYNCFS_REC_UUID,	/* a record of another filesystem */
	MSYNCFS_REC_NONCE,	/* a record of another mount */
	MSYNCFS_REC_SEQ,	/* not the next sequence number */
	MSYNCFS_REC_SHAPE,	/* a count or a length is impossible */
	MSYNCFS_REC_HOME,	/* a home block is impossible or out of order */
	MSYNCFS_REC_CSUM,	/* header or payload is damaged or torn */
	MSYNCFS_REC_IO,		/* the record cannot be read */
	MSYNCFS_REC_OLD,	/* a record in the format of an old version */
	MSYNCFS_NR_REC
};

/*
 * In format.c. The verify functions return NULL, or a text that says what is
 * wrong.
 */
u64 msyncfs_csum(const void *buf, size_t len, size_t csum_offset, u64 seed);
int msyncfs_layout(u64 blocks, u64 log_blocks, u64 incompat,
		   struct msyncfs_geo *geo);
extern const char * const msyncfs_unknown_features;
const char *msyncfs_verify_super(const struct msyncfs_disk_super *ds,
				 u64 dev_blocks, struct msyncfs_geo *geo);
void msyncfs_seal_super(struct msyncfs_disk_super *ds);
const char *msyncfs_verify_slot(const struct msyncfs_geo *geo,
				const struct msyncfs_disk_slot *slot);
void msyncfs_seal_slot(const struct msyncfs_geo *geo,
		       struct msyncfs_disk_slot *slot);
const char *msyncfs_verify_mmp(const struct msyncfs_geo *geo,
			       const struct msyncfs_disk_mmp *mmp);
void msyncfs_seal_mmp(const struct msyncfs_geo *geo,
		      struct msyncfs_disk_mmp *mmp);
unsigned int msyncfs_ptr_run(const __le64 *ptr, unsigned int nth,
			     unsigned int nr);
void msyncfs_init_block(void *buf, u32 magic, u32 level, u64 blkno, u64 owner);
void msyncfs_seal_block(const struct msyncfs_geo *geo, void *buf, u64 seq);
const char *msyncfs_verify_block(const struct msyncfs_geo *geo,
				 const void *buf, u64 blkno, u32 magic,
				 u64 owner);
u32 msyncfs_inode_flags(u32 mode);
bool msyncfs_name_legal(const char *name, unsigned int len);
u64 msyncfs_name_hash(const struct msyncfs_geo *geo, const char *name,
		      unsigned int len);

/* In bitmap.c */
u64 msyncfs_init_bitmap(const struct msyncfs_geo *geo,
			struct msyncfs_disk_bitmap *bm, u32 magic, u64 group);
const char *msyncfs_verify_bitmap(const struct msyncfs_geo *geo,
				  const struct msyncfs_disk_bitmap *bm, u64 blkno,
				  u32 magic);

/* In xattr.c: areas with extended attributes */
extern const char * const msyncfs_xattr_prefixes[MSYNCFS_XATTR_PREFIXES];
u32 msyncfs_xattr_blocks(u32 value_len);
u32 msyncfs_xattr_len(u32 name_len, u32 value_len);
struct msyncfs_disk_xattr *
msyncfs_xattr_next(const struct msyncfs_xattr_area *area,
		   const struct msyncfs_disk_xattr *e);
u32 msyncfs_xattr_used(const struct msyncfs_xattr_area *area);
struct msyncfs_disk_xattr *
msyncfs_xattr_find(const struct msyncfs_xattr_area *area, u8 prefix,
		   const void *name, u32 len);
void *msyncfs_xattr_data(const struct msyncfs_disk_xattr *e);
void msyncfs_xattr_erase(const struct msyncfs_xattr_area *area,
			 struct msyncfs_disk_xattr *e);
struct msyncfs_disk_xattr *
msyncfs_xattr_append(const struct msyncfs_xattr_area *area, u8 prefix,
		     const void *name, u32 name_len, u32 value_len);
const char *msyncfs_verify_xattrs(const struct msyncfs_geo *geo,
				  const struct msyncfs_xattr_area *area,
				  u64 self, u32 *off);
const char *msyncfs_verify_acl(const void *value, u32 size);
bool msyncfs_xattr_is_acl(const struct msyncfs_disk_xattr *e);
u32 msyncfs_xattr_total(const struct msyncfs_xattr_area *area);

/**
 * msyncfs_xattr_inline() - get the area with attributes of an inode's own block
 * @di: inode
 *
 * Context: any.
 * Return: the area.
 */
static inline struct msyncfs_xattr_area
msyncfs_xattr_inline(const struct msyncfs_disk_inode *di)
{
	return (struct msyncfs_xattr_area){
		(u8 *)di->xattrs, MSYNCFS_XATTR_INLINE
	};
}

/**
 * msyncfs_xattr_outer() - get the area of a block of attributes
 * @disk: the block
 *
 * Context: any.
 * Return: the area.
 */
static inline struct msyncfs_xattr_area
msyncfs_xattr_outer(const void *disk)
{
	return (struct msyncfs_xattr_area){
		(u8 *)((const struct msyncfs_disk_xattrs *)disk)->area,
		MSYNCFS_XATTR_ROOM
	};
}

/*
 * The bits of a SipHash that msyncfs_name_hash() uses. Tests use few bits, so
 * that many names have the same hash.
 */
#if IS_ENABLED(CONFIG_KUNIT)
extern u64 msyncfs_hash_mask;
#define MSYNCFS_HASH_MASK	msyncfs_hash_mask
#elif !defined(MSYNCFS_HASH_MASK)
#define MSYNCFS_HASH_MASK	(~0ULL)
#endif

/**
 * msyncfs_pos_hash() - tell the hash of a name from its position
 * @geo: geometry of the filesystem
 * @position: position of a name in a directory
 *
 * Context: any.
 * Return: the first of the positions for names with the same hash.
 */
static inline u64 msyncfs_pos_hash(const struct msyncfs_geo *geo, u64 position)
{
	return position & ~(geo->hash_room - 1);
}

/**
 * msyncfs_pos_fits() - tell whether a name may have a position
 * @geo: geometry of the filesystem
 * @position: position of the name in its directory
 * @name: the name, not NUL-terminated
 * @len: its length in bytes
 *
 * Context: any.
 * Return: true if @position has the hash of the name.
 */
static inline bool msyncfs_pos_fits(const struct msyncfs_geo *geo, u64 position,
				    const char *name, unsigned int len)
{
	if (geo->obscured)
		return !(position & 1);
	return msyncfs_pos_hash(geo, position) ==
	       msyncfs_name_hash(geo, name, len);
}

/**
 * msyncfs_record_header_blocks() - compute the length of a record header
 * @nr_images: number of images in the record
 *
 * Context: any.
 * Return: the number of header blocks.
 */
static inline u32 msyncfs_record_header_blocks(u32 nr_images)
{
	return (MSYNCFS_RECORD_HEADER + 12ULL * nr_images +
		MSYNCFS_BLOCK_SIZE - 1) / MSYNCFS_BLOCK_SIZE;
}

/**
 * msyncfs_record_csums() - find the table of checksums in a record header
 * @nr_images: number of images in the record
 *
 * Context: any.
 * Return: byte offset of the table from the start of the header. The table has
 * one __le32 for each image.
 */
static inline size_t msyncfs_record_csums(u32 nr_images)
{
	return MSYNCFS_RECORD_HEADER + 8 * (size_t)nr_images;
}

/**
 * msyncfs_record_used() - compute the length of a record header in bytes
 * @nr_images: number of images in the record
 *
 * Context: any.
 * Return: byte offset of the end of the tables. The rest of the last header
 * block is zero, and the checksum of the header does not cover the rest.
 */
static inline size_t msyncfs_record_used(u32 nr_images)
{
	return MSYNCFS_RECORD_HEADER + 12 * (size_t)nr_images;
}

/**
 * msyncfs_image_csum() - compute the checksum of an image in a record
 * @geo: layout of the filesystem
 * @kind: MSYNCFS_CSUM_*
 * @image: MSYNCFS_BLOCK_SIZE bytes
 *
 * Context: any.
 * Return: the checksum, in the byte order of the CPU.
 */
static inline u32 msyncfs_image_csum(const struct msyncfs_geo *geo, u32 kind,
				     const void *image)
{
	if (kind == MSYNCFS_CSUM_XXH64)
		return xxh64(image, MSYNCFS_BLOCK_SIZE, geo->seed);
	return crc32c(~0U, image, MSYNCFS_BLOCK_SIZE);
}

/**
 * msyncfs_mmp_wait() - tell how long an unchanged block shows that nobody beats
 * @mmp: valid block of the multi-mount protection
 *
 * Context: any.
 * Return: time in milliseconds: two heartbeats, and some time for their writes.
 */
static inline u32 msyncfs_mmp_wait(const struct msyncfs_disk_mmp *mmp)
{
	u32 interval = le32_to_cpu(mmp->interval);

	return 2 * interval + interval / 5;
}

/**
 * msyncfs_is_data() - tell whether a block lies in the data area
 * @geo: geometry of the filesystem
 * @blkno: any number
 *
 * The data area holds inodes, map nodes, directory blocks and data. It starts
 * with the root directory and ends before the backup superblock.
 *
 * Context: any.
 * Return: true if the block lies in the data area.
 */
static inline bool msyncfs_is_data(const struct msyncfs_geo *geo, u64 blkno)
{
	return blkno >= geo->root_ino && blkno < geo->blocks - 1;
}

/**
 * msyncfs_is_home() - tell whether a record may contain an image of a block
 * @geo: geometry of the filesystem
 * @blkno: any number
 *
 * Context: any.
 * Return: true for the data area, both bitmaps and the root block; false for the
 * superblocks, the tail slots, the log, the block of the multi-mount protection
 * and numbers past the end of the filesystem.
 */
static inline bool msyncfs_is_home(const struct msyncfs_geo *geo, u64 blkno)
{
	return blkno == MSYNCFS_ROOT_BLKNO ||
	       (blkno >= geo->bitmap_start && blkno < geo->log_start) ||
	       msyncfs_is_data(geo, blkno);
}

/**
 * msyncfs_map_capacity() - compute how many pages a file map can cover
 * @depth: levels of map nodes, 0..MSYNCFS_MAX_DEPTH
 *
 * Context: any.
 * Return: the number of pages; the map covers index 0 up to this number
 * (exclusive).
 */
static inline u64 msyncfs_map_capacity(unsigned int depth)
{
	u64 nr = MSYNCFS_INODE_PTRS;

	while (depth--)
		nr *= MSYNCFS_NODE_PTRS;
	return nr;
}

#define MSYNCFS_SCAN_BLOCKS	256	/* blocks that the scan reads at once */

/**
 * struct msyncfs_log_reader - how the scan reads the log
 * @geo: geometry of the filesystem
 * @read: reads @nr blocks of the log from position @pos into @buf; @pos counts
 *	blocks from log_start, and the blocks never extend past the end of the
 *	log; returns 0 or a negative errno. -EIO, -ENODATA and -EILSEQ mean that
 *	a block is unreadable. The scan goes on after these errors
 * @ctx: first argument of @read
 * @buf: room for MSYNCFS_SCAN_BLOCKS blocks
 * @header: room for the header of the largest record
 */
struct msyncfs_log_reader {
	const struct msyncfs_geo *geo;
	int (*read)(void *ctx, u64 pos, u32 nr, void *buf);
	void *ctx;
	void *buf;
	void *header;
};

/**
 * struct msyncfs_log_end - where the good records of a log end
 * @pos: position after the last good record, less than log_blocks
 * @seq: sequence number of the first record that is not good
 * @why: reason why the record with this sequence number is not good
 * @unreadable: number of blocks behind the good records that cannot be read
 * @unreadable_pos: position of the first of them; only if there is one
 */
struct msyncfs_log_end {
	u64			pos;
	u64			seq;
	enum msyncfs_reject	why;
	u64			unreadable;
	u64			unreadable_pos;
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
