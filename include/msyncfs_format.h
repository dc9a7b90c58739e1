/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * On-disk format of msyncfs, shared by the module and the tools.
 *
 * Everything on disk is little-endian, fixed-width and explicitly padded.
 * A block is 4096 bytes; block numbers count from the start of the device.
 * Documentation/on-disk-format.rst describes each field.
 *
 *	block 0			superblock
 *	block 1, 2		log tail slots (first 512 bytes of each)
 *	block 3			root block: heads of the on-disk lists
 *	bitmap_start ..		one bitmap block per group of 32256 blocks
 *	log_start ..		the log
 *	...			inodes, map nodes, directory blocks, data
 *	last block		backup of the superblock
 */
#ifndef MSYNCFS_FORMAT_H
#define MSYNCFS_FORMAT_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <stddef.h>
#include <linux/types.h>
#endif

#define MSYNCFS_BLOCK_SHIFT	12
#define MSYNCFS_BLOCK_SIZE	4096
#define MSYNCFS_SECTOR_SIZE	512

#define MSYNCFS_SUPER_BLKNO	0
#define MSYNCFS_SLOT_BLKNO	1	/* two of them, 1 and 2 */
#define MSYNCFS_NR_SLOTS	2
#define MSYNCFS_ROOT_BLKNO	3
#define MSYNCFS_BITMAP_BLKNO	4

#define MSYNCFS_SUPER_MAGIC	0x4d53594e	/* "MSYN", statfs f_type */

/* Magic numbers of the structures, ASCII when read as little-endian bytes. */
#define MSYNCFS_MAGIC_SUPER	0x317366636e79736dULL	/* "msyncfs1" */
#define MSYNCFS_MAGIC_SLOT	0x4c494154	/* "TAIL" */
#define MSYNCFS_MAGIC_RECORD	0x4f434552	/* "RECO" */
#define MSYNCFS_MAGIC_ROOT	0x544f4f52	/* "ROOT" */
#define MSYNCFS_MAGIC_BITMAP	0x50414d42	/* "BMAP" */
#define MSYNCFS_MAGIC_INODE	0x444f4e49	/* "INOD" */
#define MSYNCFS_MAGIC_MAP	0x4e50414d	/* "MAPN" */
#define MSYNCFS_MAGIC_DIR	0x42524944	/* "DIRB" */

/* Features. An unknown incompat bit refuses the mount, an unknown ro-compat
 * bit refuses a writable one.
 */
#define MSYNCFS_COMPAT_ALL	0ULL
#define MSYNCFS_RO_COMPAT_ALL	0ULL
#define MSYNCFS_INCOMPAT_ALL	0ULL

#define MSYNCFS_LABEL_LEN	32
#define MSYNCFS_UUID_LEN	16

#define MSYNCFS_LOG_MIN_BLOCKS	256		/* 1 MiB */
#define MSYNCFS_LOG_MAX_BLOCKS	262144		/* 1 GiB */
#define MSYNCFS_LOG_DEF_BLOCKS	16384		/* 64 MiB */

/**
 * struct msyncfs_disk_super - superblock, written by mkfs and never by the module
 * @magic: MSYNCFS_MAGIC_SUPER
 * @csum: xxh64 of the first 512 bytes with this field zero, seed 0
 * @compat: features that any code may ignore
 * @ro_compat: features that a reader may ignore
 * @incompat: features that nobody may ignore
 * @uuid: identity; the seed of all other checksums is the xxh64 of it
 * @label: NUL-padded name
 * @blocks: size of the filesystem in blocks, backup superblock included
 * @log_start: first block of the log
 * @log_blocks: length of the log
 * @bitmap_start: first bitmap block
 * @bitmap_blocks: number of bitmap blocks, one per group
 * @root_ino: inode number of the root directory
 * @mkfs_time: seconds since 1970
 * @block_shift: log2 of the block size, 12
 * @reserved: zero
 */
struct msyncfs_disk_super {
	__le64	magic;
	__le64	csum;
	__le64	compat;
	__le64	ro_compat;
	__le64	incompat;
	__u8	uuid[MSYNCFS_UUID_LEN];
	__u8	label[MSYNCFS_LABEL_LEN];
	__le64	blocks;
	__le64	log_start;
	__le64	log_blocks;
	__le64	bitmap_start;
	__le64	bitmap_blocks;
	__le64	root_ino;
	__le64	mkfs_time;
	__le32	block_shift;
	__u8	reserved[364];
};

/**
 * struct msyncfs_disk_slot - one of the two alternating tail slots, one sector
 * @magic: MSYNCFS_MAGIC_SLOT
 * @reserved0: zero
 * @csum: xxh64 of the sector with this field zero, seeded
 * @counter: writes of the slots so far; the larger valid one is in force, it
 *	lies in slot block counter % 2
 * @nonce: records of this mount carry it
 * @tail_seq: sequence number of the first record to replay
 * @tail_pos: where in the log (blocks from log_start) that record starts
 * @time: seconds since 1970, for people
 * @reserved: zero
 */
struct msyncfs_disk_slot {
	__le32	magic;
	__le32	reserved0;
	__le64	csum;
	__le64	counter;
	__le64	nonce;
	__le64	tail_seq;
	__le64	tail_pos;
	__le64	time;
	__u8	reserved[456];
};

/* An entry of the table of home blocks in a record header. */
#define MSYNCFS_HOME_META	(1ULL << 63)	/* the image is metadata */
#define MSYNCFS_HOME_BLKNO	((1ULL << 56) - 1)

/**
 * struct msyncfs_disk_record - header of a log record
 * @magic: MSYNCFS_MAGIC_RECORD
 * @header_blocks: blocks of header, the table of homes included
 * @csum: xxh64 of header and payload with this field zero, seeded
 * @uuid: of the filesystem
 * @nonce: of the mount that wrote it
 * @seq: one more than the record before
 * @durable_seq: every record up to this one was durable when this was written
 * @nr_images: block images that follow the header
 * @reserved0: zero
 * @time: seconds since 1970, for people
 * @reserved: zero
 * @home: home block of each image, with MSYNCFS_HOME_META; ascending, each
 *	block at most once; the rest of the last header block is zero
 *
 * A record is contiguous in the log. One that does not fit before the end of
 * the log starts at position 0; the blocks left over are not used.
 */
struct msyncfs_disk_record {
	__le32	magic;
	__le32	header_blocks;
	__le64	csum;
	__u8	uuid[MSYNCFS_UUID_LEN];
	__le64	nonce;
	__le64	seq;
	__le64	durable_seq;
	__le32	nr_images;
	__le32	reserved0;
	__le64	time;
	__le64	reserved[3];
	__le64	home[];
};

#define MSYNCFS_RECORD_HEADER	96

/**
 * struct msyncfs_disk_header - start of every metadata block but the superblock
 * @magic: kind of block, MSYNCFS_MAGIC_*
 * @level: map node: levels from the data, 1 for a leaf; directory block: its
 *	depth in the trie; else zero
 * @csum: xxh64 of the block with this field zero, seeded
 * @blkno: the block's own number
 * @owner: inode number; the group of a bitmap block; 0 for the root block
 * @seq: record that last wrote it, 0 for mkfs
 * @reserved: zero
 */
struct msyncfs_disk_header {
	__le32	magic;
	__le32	level;
	__le64	csum;
	__le64	blkno;
	__le64	owner;
	__le64	seq;
	__le64	reserved[3];
};

/**
 * struct msyncfs_disk_root - the heads of the on-disk lists
 * @h: header
 * @orphan_head: first inode of the orphan list, 0 for none
 * @dfree_head: first block of the deferred-free list, 0: not used yet
 * @reserved: zero
 */
struct msyncfs_disk_root {
	struct msyncfs_disk_header h;
	__le64	orphan_head;
	__le64	dfree_head;
	__u8	reserved[4016];
};

#define MSYNCFS_GROUP_BLOCKS	32256	/* blocks of one bitmap block */

/**
 * struct msyncfs_disk_bitmap - one bit per block of the group, set = in use
 * @h: header; owner is the number of the group
 * @bits: bit i of byte n is block owner * 32256 + n * 8 + i; bits beyond the
 *	end of the filesystem are set
 */
struct msyncfs_disk_bitmap {
	struct msyncfs_disk_header h;
	__u8	bits[4032];
};

/*
 * File map: a radix tree of uniform depth. A pointer is a block number, 0 for
 * a hole; MSYNCFS_PTR_UNWRITTEN marks an allocated block that reads as zeros
 * (only in pointers to data). Depth 0: the inode's pointers are data. At
 * depth d the inode's pointers lead to nodes of level d, and nodes of level 1
 * hold data pointers. The tree grows when an index does not fit: a new node
 * takes the inode's pointers, and the inode's first pointer leads to it.
 */
#define MSYNCFS_PTR_UNWRITTEN	(1ULL << 63)
#define MSYNCFS_PTR_BLKNO	((1ULL << 56) - 1)
#define MSYNCFS_INODE_PTRS	448
#define MSYNCFS_NODE_PTRS	504
#define MSYNCFS_MAX_DEPTH	5

/* Inode flags. */
#define MSYNCFS_INODE_ATOMIC	0x1	/* changes at msync and fsync only */
#define MSYNCFS_INODE_FLAGS_ALL	0x1	/* those that this version knows */

#define MSYNCFS_SYMLINK_MAX	3583	/* bytes, without the NUL */

/**
 * struct msyncfs_disk_inode - an inode; its number is the number of its block
 * @h: header; owner is the inode number
 * @mode: as st_mode
 * @uid: owner
 * @gid: group
 * @nlink: links; 0 only on the orphan list
 * @size: bytes; of a directory: its blocks * 4096
 * @blocks: blocks allocated to it, map nodes included, the inode's own not
 * @atime: seconds
 * @mtime: seconds
 * @ctime: seconds
 * @btime: seconds, time of creation
 * @atime_ns: nanoseconds
 * @mtime_ns: nanoseconds
 * @ctime_ns: nanoseconds
 * @btime_ns: nanoseconds
 * @generation: told apart from an earlier inode in the same block
 * @flags: MSYNCFS_INODE_*
 * @rdev: device nodes: new_encode_dev()
 * @orphan_next: next on the orphan list, 0 at its end or when not on it
 * @parent: directories: inode number of the parent, of itself for the root
 * @entries: directories: number of entries
 * @map_depth: levels of map nodes, 0..5
 * @dir_depth: directories: the deepest block of the trie
 * @reserved: zero
 * @ptr: root of the file map (regular files and directories)
 * @symlink: target of a symbolic link, NUL-terminated, rest zero
 */
struct msyncfs_disk_inode {
	struct msyncfs_disk_header h;
	__le32	mode;
	__le32	uid;
	__le32	gid;
	__le32	nlink;
	__le64	size;
	__le64	blocks;
	__le64	atime;
	__le64	mtime;
	__le64	ctime;
	__le64	btime;
	__le32	atime_ns;
	__le32	mtime_ns;
	__le32	ctime_ns;
	__le32	btime_ns;
	__le32	generation;
	__le32	flags;
	__le64	rdev;
	__le64	orphan_next;
	__le64	parent;
	__le64	entries;
	__le32	map_depth;
	__le32	dir_depth;
	__u8	reserved[320];
	union {
		__le64	ptr[MSYNCFS_INODE_PTRS];
		__u8	symlink[MSYNCFS_INODE_PTRS * 8];
	};
};

/**
 * struct msyncfs_disk_map - a node of a file map
 * @h: header; owner is the inode number, level counts from 1 at the leaves
 * @ptr: pointers to nodes of the level below, or to data
 */
struct msyncfs_disk_map {
	struct msyncfs_disk_header h;
	__le64	ptr[MSYNCFS_NODE_PTRS];
};

/*
 * Directory: a trie over the top bits of a 62-bit hash of the name (the seeded
 * xxh64 of its bytes, shifted right by 2). The leaf of depth d for the prefix
 * p (the top d bits) is block (1 << d | p) - 1 of the directory's map. The
 * leaves present partition the hash space: exactly one lies on the path of
 * each hash; a leaf may be empty. A directory that never had a name has no
 * blocks. Two names of one directory never share a hash.
 */
#define MSYNCFS_HASH_BITS	62
#define MSYNCFS_DIR_MAX_DEPTH	40
#define MSYNCFS_NAME_LEN	255

/**
 * struct msyncfs_disk_dir - a leaf of a directory
 * @h: header; owner is the directory, level the depth of the leaf
 * @prefix: the top @level bits of the hashes in it
 * @used: bytes of @data in use
 * @count: entries
 * @data: struct msyncfs_disk_dirent, ascending by hash, rest zero
 */
struct msyncfs_disk_dir {
	struct msyncfs_disk_header h;
	__le64	prefix;
	__le32	used;
	__le32	count;
	__u8	data[4016];
};

/**
 * struct msyncfs_disk_dirent - an entry, padded with zeros to a multiple of 8
 * @hash: of the name
 * @ino: inode number
 * @type: FT_* of the kernel's fs_types.h
 * @name_len: bytes, 1..255
 * @name: not NUL-terminated; no '/', no NUL, not "." or ".."
 */
struct msyncfs_disk_dirent {
	__le64	hash;
	__le64	ino;
	__u8	type;
	__u8	name_len;
	__u8	name[];
};

#define MSYNCFS_DIRENT_HEADER	18
#define MSYNCFS_DIRENT_LEN(namelen) \
	((MSYNCFS_DIRENT_HEADER + (namelen) + 7u) & ~7u)

static_assert(sizeof(struct msyncfs_disk_super) == MSYNCFS_SECTOR_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_slot) == MSYNCFS_SECTOR_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_record) == MSYNCFS_RECORD_HEADER, "");
static_assert(sizeof(struct msyncfs_disk_header) == 64, "");
static_assert(sizeof(struct msyncfs_disk_root) == MSYNCFS_BLOCK_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_bitmap) == MSYNCFS_BLOCK_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_inode) == MSYNCFS_BLOCK_SIZE, "");
static_assert(offsetof(struct msyncfs_disk_inode, ptr) == 512, "");
static_assert(sizeof(struct msyncfs_disk_map) == MSYNCFS_BLOCK_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_dir) == MSYNCFS_BLOCK_SIZE, "");
static_assert(offsetof(struct msyncfs_disk_dirent, name) ==
	      MSYNCFS_DIRENT_HEADER, "");

#endif /* MSYNCFS_FORMAT_H */
