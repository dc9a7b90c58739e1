// SPDX-License-Identifier: GPL-2.0
/*
 * This file contains functions for the on-disk format: the layout, the
 * checksums, and the verification of blocks that have been read. The functions
 * do no I/O, allocate nothing and take no locks. The module, the tools and the
 * KUnit suites share this file.
 *
 * A verify function checks one block without reading any other block. Only fsck
 * checks relations between blocks. For example, it checks that the inode of a
 * directory entry exists.
 */
#include "format.h"

#ifdef __KERNEL__
#include <kunit/visibility.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/stat.h>
#include <linux/string.h>
#endif

#define MSYNCFS_DATA_MIN_BLOCKS	32	/* a smaller data area is useless */
#define MSYNCFS_BLOCKS_MAX	0x0008000000000000ULL /* byte size fits loff_t */
#define MSYNCFS_NSEC_PER_SEC	1000000000U
#define MSYNCFS_LINKS_MAX	0x7fffffffU

static bool all_zero(const void *buf, size_t len)
{
	return !memchr_inv(buf, 0, len);
}

/**
 * msyncfs_csum() - compute the checksum of a structure
 * @buf: the structure
 * @len: its length in bytes
 * @csum_offset: byte offset of the 8-byte checksum field in the structure. The
 *	function treats this field as zero
 * @seed: geo->seed, or 0 for the superblock
 *
 * Context: any.
 * Return: the xxh64, in the byte order of the CPU.
 */
u64 msyncfs_csum(const void *buf, size_t len, size_t csum_offset, u64 seed)
{
	static const u8 zero[sizeof(__le64)];
	struct xxh64_state state;
	const u8 *p = buf;

	xxh64_reset(&state, seed);
	xxh64_update(&state, p, csum_offset);
	xxh64_update(&state, zero, sizeof(zero));
	p += csum_offset + sizeof(zero);
	xxh64_update(&state, p, len - csum_offset - sizeof(zero));
	return xxh64_digest(&state);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_csum);

/* Return the number of images in the largest possible record. */
static u32 record_images(u64 log_blocks)
{
	u32 max = log_blocks / MSYNCFS_RECORD_SHARE, nr = max;

	while (nr + msyncfs_record_header_blocks(nr) > max)
		nr--;
	return nr;
}

/**
 * msyncfs_layout() - compute where the parts of a filesystem lie
 * @blocks: size of the filesystem in blocks, backup superblock included
 * @log_blocks: length of the log in blocks
 * @incompat: feature word of the filesystem, MSYNCFS_INCOMPAT_*
 * @geo: filled in; the function does not change the seed and the UUID
 *
 * mkfs and msyncfs_verify_super() both use this function, so no other layout is
 * valid. The inode of the root directory is the first block of the data area.
 *
 * Context: any.
 * Return: 0; -EINVAL if a size is out of bounds; -ENOSPC if fewer than 32
 * blocks would be left for data. @geo changes only on success.
 */
int msyncfs_layout(u64 blocks, u64 log_blocks, u64 incompat,
		   struct msyncfs_geo *geo)
{
	bool inodes = incompat & MSYNCFS_INCOMPAT_INODES;
	bool mmp = incompat & MSYNCFS_INCOMPAT_MMP;
	u64 bitmaps, log, data;

	if (blocks > MSYNCFS_BLOCKS_MAX || log_blocks < MSYNCFS_LOG_MIN_BLOCKS ||
	    log_blocks > MSYNCFS_LOG_MAX_BLOCKS)
		return -EINVAL;

	bitmaps = div_u64(blocks + MSYNCFS_GROUP_BLOCKS - 1,
			  MSYNCFS_GROUP_BLOCKS);
	log = MSYNCFS_BITMAP_BLKNO + (inodes ? 2 * bitmaps : bitmaps);
	data = log + log_blocks + mmp;
	if (blocks < data + MSYNCFS_DATA_MIN_BLOCKS + 1)
		return -ENOSPC;

	geo->blocks = blocks;
	geo->bitmap_start = MSYNCFS_BITMAP_BLKNO;
	geo->bitmap_blocks = bitmaps;
	geo->inodes_start = inodes ? MSYNCFS_BITMAP_BLKNO + bitmaps : 0;
	geo->log_start = log;
	geo->log_blocks = log_blocks;
	geo->mmp_blkno = mmp ? data - 1 : 0;
	geo->root_ino = data;
	geo->record_images = record_images(log_blocks);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_layout);

const char * const msyncfs_unknown_features = "unknown incompatible features";

static u64 super_csum(const struct msyncfs_disk_super *ds)
{
	return msyncfs_csum(ds, sizeof(*ds),
			    offsetof(struct msyncfs_disk_super, csum), 0);
}

/**
 * msyncfs_verify_super() - check a superblock, but not all of its feature words
 * @ds: the 512 bytes as read
 * @dev_blocks: size of the device in whole blocks
 * @geo: filled in on success, seed, UUID and key included
 *
 * An unknown incompatible feature may change the layout and the use of the
 * reserved bytes, so these are checked only without such a feature. The caller
 * must check the other feature words, because it knows whether it wants to write.
 *
 * Context: any.
 * Return: NULL, or a text that says what is wrong. It is
 * msyncfs_unknown_features if the superblock is that of a newer version; the
 * caller can name the bits.
 */
const char *msyncfs_verify_super(const struct msyncfs_disk_super *ds,
				 u64 dev_blocks, struct msyncfs_geo *geo)
{
	struct msyncfs_geo want = {};

	if (le64_to_cpu(ds->magic) != MSYNCFS_MAGIC_SUPER)
		return "no msyncfs superblock";
	if (le64_to_cpu(ds->csum) != super_csum(ds))
		return "wrong checksum of the superblock";
	if (le64_to_cpu(ds->incompat) &
	    ~(MSYNCFS_INCOMPAT_ALL | MSYNCFS_INCOMPAT_OBSCURED))
		return msyncfs_unknown_features;
	if (le32_to_cpu(ds->block_shift) != MSYNCFS_BLOCK_SHIFT)
		return "unsupported block size";
	if (ds->reserved0 || !all_zero(ds->reserved, sizeof(ds->reserved)))
		return "reserved bytes of the superblock are not zero";
	if (le64_to_cpu(ds->blocks) > dev_blocks)
		return "filesystem is larger than the device";
	if (msyncfs_layout(le64_to_cpu(ds->blocks), le64_to_cpu(ds->log_blocks),
			   le64_to_cpu(ds->incompat), &want))
		return "impossible size of the filesystem or of the log";
	if (le64_to_cpu(ds->bitmap_start) != want.bitmap_start ||
	    le64_to_cpu(ds->bitmap_blocks) != want.bitmap_blocks)
		return "bitmaps are not where they belong";
	if (le64_to_cpu(ds->log_start) != want.log_start)
		return "log is not where it belongs";
	if (le64_to_cpu(ds->root_ino) != want.root_ino)
		return "root directory is not where it belongs";

	memcpy(want.uuid, ds->uuid, sizeof(want.uuid));
	want.seed = xxh64(ds->uuid, sizeof(ds->uuid), 0);
	want.name_key.key[0] = le64_to_cpu(ds->name_key[0]);
	want.name_key.key[1] = le64_to_cpu(ds->name_key[1]);
	want.obscured = le64_to_cpu(ds->incompat) & MSYNCFS_INCOMPAT_OBSCURED;
	want.hash_room = 1;
	if (le64_to_cpu(ds->incompat) & MSYNCFS_INCOMPAT_NAME_KEY)
		want.hash_room = MSYNCFS_HASH_ROOM;
	*geo = want;
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_verify_super);

/**
 * msyncfs_seal_super() - set the checksum of a superblock
 * @ds: superblock, complete except for its checksum
 *
 * Context: any.
 */
void msyncfs_seal_super(struct msyncfs_disk_super *ds)
{
	ds->csum = cpu_to_le64(super_csum(ds));
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_seal_super);

static u64 slot_csum(const struct msyncfs_geo *geo,
		     const struct msyncfs_disk_slot *slot)
{
	return msyncfs_csum(slot, sizeof(*slot),
			    offsetof(struct msyncfs_disk_slot, csum),
			    geo->seed);
}

/**
 * msyncfs_verify_slot() - check a tail slot
 * @geo: geometry of the filesystem
 * @slot: the 512 bytes as read
 *
 * The caller must check that the counter belongs to the block from which the
 * slot was read.
 *
 * Context: any.
 * Return: NULL, or a text that says what is wrong.
 */
const char *msyncfs_verify_slot(const struct msyncfs_geo *geo,
				const struct msyncfs_disk_slot *slot)
{
	if (le32_to_cpu(slot->magic) != MSYNCFS_MAGIC_SLOT)
		return "no tail slot";
	if (le64_to_cpu(slot->csum) != slot_csum(geo, slot))
		return "wrong checksum of the tail slot";
	if (slot->reserved0 || !all_zero(slot->reserved, sizeof(slot->reserved)))
		return "reserved bytes of the tail slot are not zero";
	if (!slot->counter || le64_to_cpu(slot->counter) > MSYNCFS_SEQ_MAX)
		return "counter of the tail slot is out of range";
	if (!slot->tail_seq || le64_to_cpu(slot->tail_seq) > MSYNCFS_SEQ_MAX)
		return "impossible sequence number of the tail";
	if (le64_to_cpu(slot->tail_pos) >= geo->log_blocks)
		return "tail lies outside the log";
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_verify_slot);

/**
 * msyncfs_seal_slot() - set magic and checksum of a tail slot
 * @geo: geometry of the filesystem
 * @slot: tail slot, complete except for its magic and checksum
 *
 * Context: any.
 */
void msyncfs_seal_slot(const struct msyncfs_geo *geo,
		       struct msyncfs_disk_slot *slot)
{
	slot->magic = cpu_to_le32(MSYNCFS_MAGIC_SLOT);
	slot->csum = cpu_to_le64(slot_csum(geo, slot));
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_seal_slot);

static u64 mmp_csum(const struct msyncfs_geo *geo,
		    const struct msyncfs_disk_mmp *mmp)
{
	return msyncfs_csum(mmp, sizeof(*mmp),
			    offsetof(struct msyncfs_disk_mmp, csum), geo->seed);
}

/**
 * msyncfs_verify_mmp() - check the block of the multi-mount protection
 * @geo: geometry of the filesystem
 * @mmp: the 512 bytes as read
 *
 * Context: any.
 * Return: NULL, or a text that says what is wrong.
 */
const char *msyncfs_verify_mmp(const struct msyncfs_geo *geo,
			       const struct msyncfs_disk_mmp *mmp)
{
	u32 interval = le32_to_cpu(mmp->interval);

	if (le32_to_cpu(mmp->magic) != MSYNCFS_MAGIC_MMP)
		return "no multi-mount protection";
	if (le64_to_cpu(mmp->csum) != mmp_csum(geo, mmp))
		return "wrong checksum";
	if (!all_zero(mmp->reserved, sizeof(mmp->reserved)))
		return "reserved bytes are not zero";
	if (interval < MSYNCFS_MMP_INTERVAL_MIN ||
	    interval > MSYNCFS_MMP_INTERVAL_MAX)
		return "impossible interval of the heartbeats";
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_verify_mmp);

/**
 * msyncfs_seal_mmp() - set magic and checksum of a multi-mount protection
 * @geo: geometry of the filesystem
 * @mmp: the sector, complete except for its magic and checksum
 *
 * Context: any.
 */
void msyncfs_seal_mmp(const struct msyncfs_geo *geo,
		      struct msyncfs_disk_mmp *mmp)
{
	mmp->magic = cpu_to_le32(MSYNCFS_MAGIC_MMP);
	mmp->csum = cpu_to_le64(mmp_csum(geo, mmp));
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_seal_mmp);

/**
 * msyncfs_init_block() - initialise a new metadata block
 * @buf: 4096 bytes, 8-byte aligned; the function fills in the header and zeroes
 *	the rest
 * @magic: kind of block, MSYNCFS_MAGIC_*
 * @level: see struct msyncfs_disk_header
 * @blkno: number of the block
 * @owner: see struct msyncfs_disk_header
 *
 * Context: any.
 */
void msyncfs_init_block(void *buf, u32 magic, u32 level, u64 blkno, u64 owner)
{
	struct msyncfs_disk_header *h = buf;

	memset(buf, 0, MSYNCFS_BLOCK_SIZE);
	h->magic = cpu_to_le32(magic);
	h->level = cpu_to_le32(level);
	h->blkno = cpu_to_le64(blkno);
	h->owner = cpu_to_le64(owner);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_init_block);

static u64 block_csum(const struct msyncfs_geo *geo, const void *buf)
{
	return msyncfs_csum(buf, MSYNCFS_BLOCK_SIZE,
			    offsetof(struct msyncfs_disk_header, csum),
			    geo->seed);
}

/**
 * msyncfs_seal_block() - set sequence number and checksum of a metadata block
 * @geo: geometry of the filesystem
 * @buf: the block, complete except for its sequence number and checksum
 * @seq: sequence number for the header: the number of the record that contains
 *	the block, or 0 in mkfs. For a block that is written outside the log,
 *	@seq is the number of the next record
 *
 * Context: any.
 */
void msyncfs_seal_block(const struct msyncfs_geo *geo, void *buf, u64 seq)
{
	struct msyncfs_disk_header *h = buf;

	h->seq = cpu_to_le64(seq);
	h->csum = cpu_to_le64(block_csum(geo, buf));
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_seal_block);

#if IS_ENABLED(CONFIG_KUNIT)
u64 msyncfs_hash_mask = ~0ULL;
EXPORT_SYMBOL_IF_KUNIT(msyncfs_hash_mask);
#endif

/**
 * msyncfs_name_hash() - compute the hash of a name in a directory
 * @geo: geometry of the filesystem
 * @name: the name, not NUL-terminated
 * @len: its length in bytes
 *
 * Nobody can compute names with the same hash without the key. A filesystem that
 * an older version has made has no key.
 *
 * Context: any.
 * Return: the hash, as the first position for names that have it; see
 * msyncfs_pos_hash().
 */
u64 msyncfs_name_hash(const struct msyncfs_geo *geo, const char *name,
		      unsigned int len)
{
	u64 hash;

	if (geo->hash_room == 1)
		hash = xxh64(name, len, geo->seed);
	else
		hash = siphash(name, len, &geo->name_key) & MSYNCFS_HASH_MASK;
	return msyncfs_pos_hash(geo, hash >> (64 - MSYNCFS_POS_BITS));
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_name_hash);

/**
 * msyncfs_ptr_run() - count pointers of a file map that form one run
 * @ptr: pointers of a map node
 * @nth: position of the first pointer of the run
 * @nr: position at which the function stops counting
 *
 * A run has only holes, or it has pointers to consecutive blocks that are all
 * written or all unwritten. This function checks no pointer. It compares four
 * pointers at a time, because most runs are long.
 *
 * Context: any.
 * Return: number of pointers, at least 1.
 */
unsigned int msyncfs_ptr_run(const __le64 *ptr, unsigned int nth,
			     unsigned int nr)
{
	u64 want = le64_to_cpu(ptr[nth]);
	u64 step = want ? 1 : 0;
	unsigned int i = nth + 1;

	want += step;
	for (; i + 4 <= nr; i += 4, want += 4 * step)
		if ((le64_to_cpu(ptr[i]) ^ want) |
		    (le64_to_cpu(ptr[i + 1]) ^ (want + step)) |
		    (le64_to_cpu(ptr[i + 2]) ^ (want + 2 * step)) |
		    (le64_to_cpu(ptr[i + 3]) ^ (want + 3 * step)))
			break;
	for (; i < nr && le64_to_cpu(ptr[i]) == want; i++)
		want += step;
	return i - nth;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_ptr_run);

/* Verify a pointer of a file map that is not a hole; see verify_ptrs(). */
static const char *verify_ptr(const struct msyncfs_geo *geo, u64 p, bool nodes)
{
	if (p & ~(MSYNCFS_PTR_UNWRITTEN | MSYNCFS_PTR_BLKNO))
		return "unknown bits in a map pointer";
	if (nodes && (p & MSYNCFS_PTR_UNWRITTEN))
		return "pointer to a map node is marked unwritten";
	if (!msyncfs_is_data(geo, p & MSYNCFS_PTR_BLKNO))
		return "map pointer outside the data area";
	return NULL;
}

/*
 * Verify @nr pointers of a file map. @nodes is true for pointers to map nodes
 * and false for pointers to data. @self is the block that contains the
 * pointers, so a pointer to @self is a cycle. The readers of a map notice a
 * longer cycle, because the level must decrease from node to node.
 */
static const char *verify_ptrs(const struct msyncfs_geo *geo,
			       const __le64 *ptr, unsigned int nr, bool nodes,
			       u64 self)
{
	unsigned int i, run;
	const char *why;
	u64 p;

	for (i = 0; i < nr; i += run) {
		p = le64_to_cpu(ptr[i]);
		run = msyncfs_ptr_run(ptr, i, nr);
		if (!p)
			continue;
		why = verify_ptr(geo, p, nodes) ?:
		      verify_ptr(geo, p + run - 1, nodes);
		if (why)
			return why;
		if (self - (p & MSYNCFS_PTR_BLKNO) < run)
			return "map pointer to the block that it stands in";
	}
	return NULL;
}

static const char *verify_map(const struct msyncfs_geo *geo, const void *buf,
			      u64 blkno)
{
	const struct msyncfs_disk_map *map = buf;
	u32 level = le32_to_cpu(map->h.level);

	if (level < 1 || level > MSYNCFS_MAX_DEPTH)
		return "impossible level of a map node";
	if (!msyncfs_is_data(geo, le64_to_cpu(map->h.owner)))
		return "owner of a map node is outside the data area";
	return verify_ptrs(geo, map->ptr, MSYNCFS_NODE_PTRS, level > 1, blkno);
}

static const char *verify_times(const struct msyncfs_disk_inode *di)
{
	if (le32_to_cpu(di->atime_ns) >= MSYNCFS_NSEC_PER_SEC ||
	    le32_to_cpu(di->mtime_ns) >= MSYNCFS_NSEC_PER_SEC ||
	    le32_to_cpu(di->ctime_ns) >= MSYNCFS_NSEC_PER_SEC ||
	    le32_to_cpu(di->btime_ns) >= MSYNCFS_NSEC_PER_SEC)
		return "nanoseconds of a time stamp out of range";
	return NULL;
}

static const char *verify_symlink(const struct msyncfs_geo *geo,
				  const struct msyncfs_disk_inode *di, u64 ino)
{
	u64 size = le64_to_cpu(di->size), rest = le64_to_cpu(di->rest);
	u64 len = min(size, MSYNCFS_SYMLINK_INLINE);

	if (!size || size > MSYNCFS_SYMLINK_MAX)
		return "impossible length of a symbolic link";
	if (rest ? size == len : size > len)
		return "length of a symbolic link does not fit its blocks";
	if (rest && (rest == ino || !msyncfs_is_data(geo, rest)))
		return "rest of a symbolic link is outside the data area";
	if (strnlen((const char *)di->symlink, len) != len)
		return "symbolic link is shorter than its size";
	if (!all_zero(di->symlink + len, sizeof(di->symlink) - len))
		return "bytes after the target of a symbolic link";
	return NULL;
}

static const char *verify_rest(const struct msyncfs_geo *geo, const void *buf)
{
	const struct msyncfs_disk_rest *rest = buf;
	size_t len = strnlen((const char *)rest->target, sizeof(rest->target));

	if (!msyncfs_is_data(geo, le64_to_cpu(rest->h.owner)))
		return "owner of a symbolic link's rest is outside the data area";
	if (!len || len > MSYNCFS_SYMLINK_MAX - MSYNCFS_SYMLINK_INLINE)
		return "impossible length of a symbolic link's rest";
	if (!all_zero(rest->target + len, sizeof(rest->target) - len))
		return "bytes after the target of a symbolic link";
	return NULL;
}

static const char *verify_dir_inode(const struct msyncfs_geo *geo,
				    const struct msyncfs_disk_inode *di,
				    u64 ino)
{
	u64 size = le64_to_cpu(di->size);
	bool own_parent = le64_to_cpu(di->parent) == ino;
	bool root = ino == geo->root_ino;
	u32 nlink = le32_to_cpu(di->nlink);

	if (nlink == 1)
		return "directory with one link";
	if (size % MSYNCFS_BLOCK_SIZE ||
	    size / MSYNCFS_BLOCK_SIZE > geo->blocks)
		return "impossible size of a directory";
	if (le64_to_cpu(di->entries) > div_u64(size, MSYNCFS_DIRENT_LEN(1)))
		return "more entries than fit into the directory";
	if (le32_to_cpu(di->dir_depth) > MSYNCFS_DIR_MAX_DEPTH)
		return "impossible depth of a directory";
	if (!msyncfs_is_data(geo, le64_to_cpu(di->parent)))
		return "parent of a directory is outside the data area";
	if (own_parent != root)
		return "wrong parent of a directory";
	if (root && !nlink)
		return "root directory without links";
	return NULL;
}

/* Verify the attributes in an inode, and the number of the block with others. */
static const char *verify_inode_xattrs(const struct msyncfs_geo *geo,
				       const struct msyncfs_disk_inode *di,
				       u64 ino)
{
	struct msyncfs_xattr_area area = msyncfs_xattr_inline(di);
	u64 blkno = le64_to_cpu(di->xattr);
	u32 off;

	if (blkno && (blkno == ino || !msyncfs_is_data(geo, blkno)))
		return "block of attributes is outside the data area";
	return msyncfs_verify_xattrs(geo, &area, ino, &off);
}

static const char *verify_xattr_block(const struct msyncfs_geo *geo,
				      const void *buf, u64 blkno)
{
	struct msyncfs_xattr_area area = msyncfs_xattr_outer(buf);
	const struct msyncfs_disk_header *h = buf;
	u32 off;

	if (!msyncfs_is_data(geo, le64_to_cpu(h->owner)))
		return "owner of attributes is outside the data area";
	return msyncfs_verify_xattrs(geo, &area, blkno, &off) ?:
	       (off ? NULL : "block of attributes without an attribute");
}

static const char *verify_value(const struct msyncfs_geo *geo, const void *buf)
{
	const struct msyncfs_disk_header *h = buf;

	if (!msyncfs_is_data(geo, le64_to_cpu(h->owner)))
		return "owner of a value is outside the data area";
	if (le32_to_cpu(h->level) >= MSYNCFS_VALUE_BLOCKS)
		return "impossible position of a value block";
	return NULL;
}

/*
 * Tell whether an inode without a map may have @blocks blocks. Its own block does
 * not tell how many blocks the attributes in another block have.
 */
static bool blocks_possible(const struct msyncfs_disk_inode *di, u64 blocks)
{
	struct msyncfs_xattr_area area = msyncfs_xattr_inline(di);
	u64 known = !!di->rest + !!di->xattr + msyncfs_xattr_total(&area);

	return di->xattr ? blocks >= known : blocks == known;
}

/*
 * Verify that only a directory uses the directory fields, that only a device
 * node has a device number, and that only a symbolic link has a rest.
 */
static const char *verify_unused(const struct msyncfs_disk_inode *di,
				 u32 mode)
{
	if (!S_ISDIR(mode) && (di->parent || di->entries || di->dir_depth))
		return "directory fields of an inode that is none";
	if (S_ISCHR(mode) || S_ISBLK(mode)) {
		if (le64_to_cpu(di->rdev) > 0xffffffffULL)
			return "impossible device number";
	} else if (di->rdev) {
		return "device number of an inode that is no device";
	}
	if (!S_ISLNK(mode) && di->rest)
		return "rest of an inode that is no symbolic link";
	return NULL;
}

/*
 * Verify the map of a regular file or directory, or the content of any other
 * inode.
 */
static const char *verify_content(const struct msyncfs_geo *geo,
				  const struct msyncfs_disk_inode *di,
				  u32 mode, u64 ino)
{
	u32 depth = le32_to_cpu(di->map_depth);

	if (S_ISREG(mode) && le64_to_cpu(di->size) > MSYNCFS_FILE_MAX)
		return "impossible size of a file";
	if (S_ISREG(mode) || S_ISDIR(mode))
		return verify_ptrs(geo, di->ptr, MSYNCFS_INODE_PTRS, depth > 0,
				   ino);
	if (depth || !blocks_possible(di, le64_to_cpu(di->blocks)))
		return "blocks of an inode that can have none";
	if (S_ISLNK(mode))
		return verify_symlink(geo, di, ino);
	if (di->size || !all_zero(di->ptr, sizeof(di->ptr)))
		return "size or blocks of a special file";
	return NULL;
}

/**
 * msyncfs_inode_flags() - tell which flags an inode can have
 * @mode: mode of the inode
 *
 * Context: any.
 * Return: MSYNCFS_INODE_* bits.
 */
u32 msyncfs_inode_flags(u32 mode)
{
	if (S_ISREG(mode))
		return MSYNCFS_INODE_FILE_FLAGS;
	return S_ISDIR(mode) ? MSYNCFS_INODE_DIR_FLAGS : 0;
}

static bool mode_valid(u32 mode)
{
	return !(mode & ~(S_IFMT | S_IALLUGO)) &&
	       (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) ||
		S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) ||
		S_ISSOCK(mode));
}

static const char *verify_inode(const struct msyncfs_geo *geo,
				const void *buf, u64 ino)
{
	const struct msyncfs_disk_inode *di = buf;
	u32 mode = le32_to_cpu(di->mode);
	u64 next = le64_to_cpu(di->orphan_next);
	const char *why;

	if (le64_to_cpu(di->h.owner) != ino)
		return "inode belongs to another number";
	if (!mode_valid(mode))
		return "impossible mode of an inode";
	if (le32_to_cpu(di->nlink) > MSYNCFS_LINKS_MAX)
		return "impossible number of links";
	if (le64_to_cpu(di->size) > LLONG_MAX)
		return "impossible size of an inode";
	if (le64_to_cpu(di->blocks) > geo->blocks)
		return "more blocks than the filesystem has";
	if (le32_to_cpu(di->flags) & ~msyncfs_inode_flags(mode))
		return "impossible flags of an inode";
	if (le32_to_cpu(di->map_depth) > MSYNCFS_MAX_DEPTH)
		return "impossible depth of a file map";
	if (next && (next == ino || !msyncfs_is_data(geo, next)))
		return "impossible successor on the orphan list";
	if (ino == geo->root_ino && !S_ISDIR(mode))
		return "root inode is no directory";

	why = verify_times(di);
	if (!why)
		why = verify_inode_xattrs(geo, di, ino);
	if (!why)
		why = verify_unused(di, mode);
	if (!why && S_ISDIR(mode))
		why = verify_dir_inode(geo, di, ino);
	if (!why)
		why = verify_content(geo, di, mode, ino);
	return why;
}

/**
 * msyncfs_name_legal() - tell whether a directory may have a name
 * @name: name, without a zero byte at its end
 * @len: length of @name in bytes
 *
 * Context: any.
 * Return: false for an empty name, for "." and "..", and for a name with a slash
 * or a zero byte.
 */
bool msyncfs_name_legal(const char *name, unsigned int len)
{
	if (!len || memchr(name, 0, len) || memchr(name, '/', len))
		return false;
	return name[0] != '.' || len > 2 || (len == 2 && name[1] != '.');
}

/*
 * Verify the entry at byte @pos of a leaf. Set *@len to the padded length of
 * the entry.
 */
static const char *verify_dirent(const struct msyncfs_geo *geo,
				 const struct msyncfs_disk_dir *dir, u32 pos,
				 u32 used, u32 *len)
{
	const struct msyncfs_disk_dirent *de =
		(const struct msyncfs_disk_dirent *)(dir->data + pos);
	u32 level = le32_to_cpu(dir->h.level);
	const char *name = (const char *)de->name;
	u64 position;

	if (used - pos < MSYNCFS_DIRENT_HEADER)
		return "directory entry crosses the end of its block";
	*len = MSYNCFS_DIRENT_LEN(de->name_len);
	if (used - pos < *len)
		return "directory entry crosses the end of its block";
	if (!msyncfs_name_legal(name, de->name_len))
		return "illegal name in a directory";
	if (!all_zero(name + de->name_len,
		      *len - MSYNCFS_DIRENT_HEADER - de->name_len))
		return "padding of a directory entry is not zero";
	position = le64_to_cpu(de->position);
	if (!msyncfs_pos_fits(geo, position, name, de->name_len))
		return "wrong hash of a name";
	if (geo->hash_room > 1 && position % MSYNCFS_POS_STEP)
		return "impossible position of a name";
	if (position >> (MSYNCFS_POS_BITS - level) != le64_to_cpu(dir->prefix))
		return "name in the wrong directory block";
	if (!msyncfs_is_data(geo, le64_to_cpu(de->ino)))
		return "directory entry outside the data area";
	if (de->type == FT_UNKNOWN || de->type >= FT_MAX)
		return "unknown type of a directory entry";
	return NULL;
}

static const char *verify_dir(const struct msyncfs_geo *geo, const void *buf)
{
	const struct msyncfs_disk_dir *dir = buf;
	u32 level = le32_to_cpu(dir->h.level);
	u32 used = le32_to_cpu(dir->used);
	u32 pos, len, count = 0;
	u64 last = 0;

	if (level > MSYNCFS_DIR_MAX_DEPTH)
		return "impossible depth of a directory block";
	if (!msyncfs_is_data(geo, le64_to_cpu(dir->h.owner)))
		return "owner of a directory block is outside the data area";
	if (le64_to_cpu(dir->prefix) >> level)
		return "impossible prefix of a directory block";
	if (used > sizeof(dir->data))
		return "directory block is more than full";

	for (pos = 0; pos < used; pos += len, count++) {
		const char *why = verify_dirent(geo, dir, pos, used, &len);
		u64 position;

		if (why)
			return why;
		position = le64_to_cpu(*(const __le64 *)(dir->data + pos));
		if (count && position <= last)
			return "directory entries are not in order";
		last = position;
	}
	if (count != le32_to_cpu(dir->count))
		return "wrong number of entries in a directory block";
	if (!all_zero(dir->data + used, sizeof(dir->data) - used))
		return "bytes after the last directory entry";
	return NULL;
}

static const char *verify_root(const struct msyncfs_geo *geo, const void *buf,
			       u64 blkno)
{
	const struct msyncfs_disk_root *root = buf;
	u64 orphan = le64_to_cpu(root->orphan_head);

	if (blkno != MSYNCFS_ROOT_BLKNO || root->h.owner)
		return "root block in the wrong place";
	if (orphan && !msyncfs_is_data(geo, orphan))
		return "head of the orphan list is outside the data area";
	if (root->dfree_head ||
	    !all_zero(root->reserved, sizeof(root->reserved)))
		return "reserved bytes of the root block are not zero";
	return NULL;
}

static const char *verify_header(const struct msyncfs_geo *geo,
				 const struct msyncfs_disk_header *h,
				 u64 blkno, u32 magic, u64 owner)
{
	if (le32_to_cpu(h->magic) != magic)
		return "wrong magic number";
	if (le64_to_cpu(h->csum) != block_csum(geo, h))
		return "wrong checksum";
	if (le64_to_cpu(h->blkno) != blkno)
		return "block belongs elsewhere";
	if (owner != (u64)-1 && le64_to_cpu(h->owner) != owner)
		return "block belongs to another owner";
	if (!all_zero(h->reserved, sizeof(h->reserved)))
		return "reserved bytes of the header are not zero";
	if (h->level && magic != MSYNCFS_MAGIC_MAP &&
	    magic != MSYNCFS_MAGIC_DIR && magic != MSYNCFS_MAGIC_VALUE)
		return "level of a block that has none";
	return NULL;
}

/**
 * msyncfs_verify_block() - check a metadata block
 * @geo: geometry of the filesystem
 * @buf: the 4096 bytes as read, 8-byte aligned
 * @blkno: number of the block that was read into @buf
 * @magic: kind of block expected, MSYNCFS_MAGIC_*
 * @owner: expected owner, see struct msyncfs_disk_header; (u64)-1 accepts any
 *	owner
 *
 * If a block passes, the caller can use the fields of the block without a
 * further check. Every block number in the block lies in the data area, and
 * every length is within bounds.
 *
 * Context: any. The function reads the block about twice.
 * Return: NULL, or a text that says what is wrong.
 */
const char *msyncfs_verify_block(const struct msyncfs_geo *geo,
				 const void *buf, u64 blkno, u32 magic,
				 u64 owner)
{
	const char *why = verify_header(geo, buf, blkno, magic, owner);

	if (why)
		return why;
	if (magic == MSYNCFS_MAGIC_BITMAP || magic == MSYNCFS_MAGIC_INODES)
		return msyncfs_verify_bitmap(geo, buf, blkno, magic);
	if (magic == MSYNCFS_MAGIC_ROOT)
		return verify_root(geo, buf, blkno);
	if (!msyncfs_is_data(geo, blkno))
		return "block lies outside the data area";
	if (magic == MSYNCFS_MAGIC_INODE)
		return verify_inode(geo, buf, blkno);
	if (magic == MSYNCFS_MAGIC_MAP)
		return verify_map(geo, buf, blkno);
	if (magic == MSYNCFS_MAGIC_DIR)
		return verify_dir(geo, buf);
	if (magic == MSYNCFS_MAGIC_REST)
		return verify_rest(geo, buf);
	if (magic == MSYNCFS_MAGIC_XATTR)
		return verify_xattr_block(geo, buf, blkno);
	if (magic == MSYNCFS_MAGIC_VALUE)
		return verify_value(geo, buf);
	return "unknown kind of block";
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_verify_block);
