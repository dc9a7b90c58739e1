/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * This header defines the on-disk format of msyncfs. The module and the tools
 * share this header.
 *
 * All structures on disk are little-endian, of fixed width and explicitly padded.
 * A block is 4096 bytes. Block numbers count from the start of the device.
 * Documentation/on-disk-format.rst describes each field.
 *
 *	block 0			superblock
 *	block 1, 2		log tail slots (first 512 bytes of each)
 *	block 3			root block: heads of the on-disk lists
 *	bitmap_start ..		one bitmap block for each group of 32256 blocks
 *	...			one block of the inode bitmap for each group
 *	log_start ..		the log
 *	root_ino - 1		multi-mount protection, if the feature is set
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
#define MSYNCFS_SLOT_BLKNO	1	/* two slots, in blocks 1 and 2 */
#define MSYNCFS_NR_SLOTS	2
#define MSYNCFS_ROOT_BLKNO	3
#define MSYNCFS_BITMAP_BLKNO	4

#define MSYNCFS_SUPER_MAGIC	0x4d53594e	/* "MSYN", statfs f_type */

/* Magic numbers of the structures. Their little-endian bytes are ASCII text. */
#define MSYNCFS_MAGIC_SUPER	0x317366636e79736dULL	/* "msyncfs1" */
#define MSYNCFS_MAGIC_SLOT	0x4c494154	/* "TAIL" */
#define MSYNCFS_MAGIC_RECORD	0x32434552	/* "REC2" */
#define MSYNCFS_MAGIC_RECORD_V1	0x4f434552	/* "RECO", not read any more */
#define MSYNCFS_MAGIC_ROOT	0x544f4f52	/* "ROOT" */
#define MSYNCFS_MAGIC_BITMAP	0x50414d42	/* "BMAP" */
#define MSYNCFS_MAGIC_INODES	0x424f4e49	/* "INOB" */
#define MSYNCFS_MAGIC_INODE	0x444f4e49	/* "INOD" */
#define MSYNCFS_MAGIC_MAP	0x4e50414d	/* "MAPN" */
#define MSYNCFS_MAGIC_DIR	0x42524944	/* "DIRB" */
#define MSYNCFS_MAGIC_REST	0x54534552	/* "REST" */
#define MSYNCFS_MAGIC_XATTR	0x52544158	/* "XATR" */
#define MSYNCFS_MAGIC_VALUE	0x4c415658	/* "XVAL" */
#define MSYNCFS_MAGIC_MMP	0x504d4d53	/* "SMMP" */

/*
 * These macros contain the feature bits that this version knows. An unknown
 * incompat bit makes every mount fail. An unknown ro-compat bit makes a
 * writable mount fail.
 */
#define MSYNCFS_COMPAT_ALL	0ULL
#define MSYNCFS_RO_COMPAT_ALL	0ULL
#define MSYNCFS_INCOMPAT_CSUMS	1ULL	/* records have a checksum per image */
#define MSYNCFS_INCOMPAT_CSUM_KIND	2ULL	/* records say which checksum */
#define MSYNCFS_INCOMPAT_NAME_KEY	4ULL	/* hashes of names have a key */
#define MSYNCFS_INCOMPAT_REST	8ULL	/* a symbolic link can have a rest */
#define MSYNCFS_INCOMPAT_ATTRS	16ULL	/* flags of chattr(1) */
#define MSYNCFS_INCOMPAT_MMP	32ULL	/* there is a block against double mounts */
#define MSYNCFS_INCOMPAT_XATTR	64ULL	/* inodes can have extended attributes */
#define MSYNCFS_INCOMPAT_INODES	128ULL	/* there is an inode bitmap */
/*
 * msyncfs-image has replaced the names. The lowest bit of a position tells whether the
 * hash of the old name was wrong. Only fsck.msyncfs knows this bit.
 */
#define MSYNCFS_INCOMPAT_OBSCURED	256ULL
/* A new filesystem has these bits, unless mkfs is asked for other ones. */
#define MSYNCFS_INCOMPAT_DEFAULT \
	(MSYNCFS_INCOMPAT_CSUMS | MSYNCFS_INCOMPAT_CSUM_KIND | \
	 MSYNCFS_INCOMPAT_NAME_KEY | MSYNCFS_INCOMPAT_REST | \
	 MSYNCFS_INCOMPAT_ATTRS | MSYNCFS_INCOMPAT_XATTR | \
	 MSYNCFS_INCOMPAT_INODES)
/* A mount does not give these bits to a filesystem of an older version. */
#define MSYNCFS_INCOMPAT_MKFS \
	(MSYNCFS_INCOMPAT_NAME_KEY | MSYNCFS_INCOMPAT_XATTR | \
	 MSYNCFS_INCOMPAT_INODES)
#define MSYNCFS_INCOMPAT_ALL \
	(MSYNCFS_INCOMPAT_DEFAULT | MSYNCFS_INCOMPAT_MMP)

#define MSYNCFS_LABEL_LEN	32
#define MSYNCFS_UUID_LEN	16

#define MSYNCFS_LOG_MIN_BLOCKS	256		/* 1 MiB */
#define MSYNCFS_LOG_MAX_BLOCKS	262144		/* 1 GiB */
#define MSYNCFS_LOG_DEF_BLOCKS	16384		/* 64 MiB */

/**
 * struct msyncfs_disk_super - superblock
 * @magic: MSYNCFS_MAGIC_SUPER
 * @csum: xxh64 of the first 512 bytes with this field zero, seed 0
 * @compat: features that every mount may ignore
 * @ro_compat: features that a read-only mount may ignore
 * @incompat: features that every mount must know
 * @uuid: identity of the filesystem; the xxh64 of @uuid is the seed of all
 *	other checksums
 * @label: NUL-padded name
 * @blocks: size of the filesystem in blocks, backup superblock included
 * @log_start: first block of the log
 * @log_blocks: length of the log
 * @bitmap_start: first bitmap block
 * @bitmap_blocks: number of bitmap blocks, one for each group
 * @root_ino: inode number of the root directory
 * @mkfs_time: time of mkfs, in seconds since 1970
 * @block_shift: log2 of the block size, 12
 * @reserved0: zero
 * @name_key: random key of the hashes of names. It is a secret of those who can
 *	read the device. Whoever knows it can make names whose hashes are equal
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
	__le32	reserved0;
	__le64	name_key[2];
	__u8	reserved[344];
};

/**
 * struct msyncfs_disk_slot - one of the two tail slots, which are written in turn
 * @magic: MSYNCFS_MAGIC_SLOT
 * @reserved0: zero
 * @csum: xxh64 of the sector with this field zero, with the seed of the
 *	filesystem
 * @counter: number of slot writes so far. The slot with counter c lies in block
 *	1 + c % 2. If both slots are valid, the slot with the larger counter is
 *	in force
 * @nonce: random number that is in all records of this mount; 0 if there is no
 *	record, and none will be written before another slot
 * @tail_seq: sequence number of the first record to replay
 * @tail_pos: position of the record @tail_seq, in blocks from log_start
 * @time: seconds since 1970, only for information
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

#define MSYNCFS_MMP_CLEAN	0ULL	/* @seq: nobody uses the filesystem */
#define MSYNCFS_MMP_FSCK	(~0ULL)	/* @seq: fsck.msyncfs repairs it */
#define MSYNCFS_MMP_INTERVAL	5000u	/* @interval: what mkfs writes */
#define MSYNCFS_MMP_INTERVAL_MIN	100u
#define MSYNCFS_MMP_INTERVAL_MAX	60000u
#define MSYNCFS_MMP_NODE_LEN	64
#define MSYNCFS_MMP_DEVICE_LEN	32

/**
 * struct msyncfs_disk_mmp - the block of the multi-mount protection, one sector
 * @magic: MSYNCFS_MAGIC_MMP
 * @interval: milliseconds from one heartbeat to the next
 * @csum: xxh64 of the sector with this field zero, with the seed of the
 *	filesystem
 * @owner: random number of the mount or of the fsck.msyncfs that wrote the block
 * @seq: MSYNCFS_MMP_CLEAN, MSYNCFS_MMP_FSCK, or the number of the heartbeat of the
 *	mount, from 1 on
 * @time: time of the heartbeat, in seconds since 1970
 * @node: name of the machine that wrote the block, NUL-padded
 * @device: name of the device on that machine, NUL-padded
 * @reserved: zero
 */
struct msyncfs_disk_mmp {
	__le32	magic;
	__le32	interval;
	__le64	csum;
	__le64	owner;
	__le64	seq;
	__le64	time;
	__u8	node[MSYNCFS_MMP_NODE_LEN];
	__u8	device[MSYNCFS_MMP_DEVICE_LEN];
	__u8	reserved[376];
};

/*
 * A record header has a table of home blocks. These masks select the two parts
 * of an entry.
 */
#define MSYNCFS_HOME_META	(1ULL << 63)	/* the image is metadata */
#define MSYNCFS_HOME_BLKNO	((1ULL << 56) - 1)

/* The checksums that the images of a record can have */
#define MSYNCFS_CSUM_CRC32C	0	/* starts with ~0, not inverted at the end */
#define MSYNCFS_CSUM_XXH64	1	/* the low 32 bits, seed of the filesystem */
#define MSYNCFS_CSUM_KINDS	2

/**
 * struct msyncfs_disk_record - header of a log record
 * @magic: MSYNCFS_MAGIC_RECORD
 * @header_blocks: number of header blocks, including the table of home blocks
 * @csum: xxh64 of the header up to the end of its tables, with this field zero,
 *	with the seed of the filesystem
 * @uuid: UUID of the filesystem
 * @nonce: nonce of the mount that wrote the record
 * @seq: sequence number, one more than in the previous record
 * @durable_seq: when this record was written, every record up to this sequence
 *	number was durable
 * @nr_images: number of block images that follow the header
 * @csum_kind: MSYNCFS_CSUM_*, the checksum of the images
 * @time: seconds since 1970, only for information
 * @reserved: zero
 * @home: home block of each image, with MSYNCFS_HOME_META for metadata. The
 *	numbers ascend and no block appears twice
 *
 * After @home, the header has a table with one __le32 for each image: its
 * checksum. The rest of the last header block is zero. @csum covers the table,
 * so it covers the images, too.
 *
 * A record is contiguous in the log. A record that does not fit before the end
 * of the log starts at position 0, and the blocks at the end of the log stay
 * unused.
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
	__le32	csum_kind;
	__le64	time;
	__le64	reserved[3];
	__le64	home[];
};

#define MSYNCFS_RECORD_HEADER	96

/**
 * struct msyncfs_disk_header - start of every metadata block except the superblock
 * @magic: kind of block, MSYNCFS_MAGIC_*
 * @level: level of a map node, 1 for a leaf; depth of a directory leaf in the
 *	trie; position of a value block in its value; zero in any other block
 * @csum: xxh64 of the block with this field zero, with the seed of the
 *	filesystem
 * @blkno: number of this block
 * @owner: number of the group in a block of a bitmap; 0 in the root block; inode
 *	number of the owner in any other block
 * @seq: sequence number of the last record that contains this block; 0 after
 *	mkfs. If the block was written outside the log, @seq is the number of
 *	the record that came next
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
 * @dfree_head: reserved for the first block of a deferred-free list; zero
 * @reserved: zero
 */
struct msyncfs_disk_root {
	struct msyncfs_disk_header h;
	__le64	orphan_head;
	__le64	dfree_head;
	__u8	reserved[4016];
};

#define MSYNCFS_GROUP_BLOCKS	32256	/* bits of one bitmap block */

/**
 * struct msyncfs_disk_bitmap - the part of a bitmap that describes a group
 * @h: header; owner is the number of the group
 * @bits: bit i of byte n stands for block owner * 32256 + n * 8 + i
 *
 * There are two bitmaps. With MSYNCFS_MAGIC_BITMAP, the bit of a block in use is set,
 * and so are the bits of blocks outside the data area. With MSYNCFS_MAGIC_INODES,
 * the bit of a block that is an inode is set, and the bits of blocks outside the
 * data area are clear.
 */
struct msyncfs_disk_bitmap {
	struct msyncfs_disk_header h;
	__u8	bits[4032];
};

/*
 * A file map is a radix tree of uniform depth. A pointer is a block number, or
 * 0 for a hole. MSYNCFS_PTR_UNWRITTEN marks an allocated block that reads as
 * zeros; only pointers to data may have this bit. At depth 0 the inode's
 * pointers lead to data. At depth d the inode's pointers lead to nodes of level
 * d. Nodes of level 1 contain pointers to data. The tree grows when an index
 * does not fit: a new node takes over the inode's pointers, and the inode's
 * first pointer leads to the new node.
 */
#define MSYNCFS_PTR_UNWRITTEN	(1ULL << 63)
#define MSYNCFS_PTR_BLKNO	((1ULL << 56) - 1)
#define MSYNCFS_INODE_PTRS	448
#define MSYNCFS_NODE_PTRS	504
#define MSYNCFS_MAX_DEPTH	5

/* Inode flags. All but the first have the values of FS_*_FL in linux/fs.h. */
#define MSYNCFS_INODE_ATOMIC	0x1	/* an atomic file */
#define MSYNCFS_INODE_SYNC	0x8	/* changes are synchronous */
#define MSYNCFS_INODE_IMMUTABLE	0x10	/* no change is allowed */
#define MSYNCFS_INODE_APPEND	0x20	/* only appending is allowed */
#define MSYNCFS_INODE_NODUMP	0x40	/* dump(8) leaves the file out */
#define MSYNCFS_INODE_NOATIME	0x80	/* reads do not change atime */
#define MSYNCFS_INODE_DIRSYNC	0x10000	/* changes of names are synchronous */

#define MSYNCFS_INODE_FILE_FLAGS \
	(MSYNCFS_INODE_ATOMIC | MSYNCFS_INODE_SYNC | MSYNCFS_INODE_IMMUTABLE | \
	 MSYNCFS_INODE_APPEND | MSYNCFS_INODE_NODUMP | MSYNCFS_INODE_NOATIME)
#define MSYNCFS_INODE_DIR_FLAGS \
	((MSYNCFS_INODE_FILE_FLAGS & ~MSYNCFS_INODE_ATOMIC) | \
	 MSYNCFS_INODE_DIRSYNC)
/* A new inode gets these flags from its directory, if it can have them. */
#define MSYNCFS_INODE_INHERITED \
	(MSYNCFS_INODE_SYNC | MSYNCFS_INODE_NODUMP | MSYNCFS_INODE_NOATIME | \
	 MSYNCFS_INODE_DIRSYNC)

/* Lengths of the target of a symbolic link, in bytes, without the NUL */
#define MSYNCFS_SYMLINK_MAX	4095u
#define MSYNCFS_SYMLINK_INLINE	3583u	/* the rest has a block of its own */

/*
 * Extended attributes. An inode has an area for attributes in its own block. The
 * attributes that do not fit there are in the area of a second block. An area is a
 * sequence of struct msyncfs_disk_xattr in any order, without gaps. Zeros fill the
 * rest of the area. No two attributes of an inode have the same prefix and name.
 *
 * A value of more than MSYNCFS_XATTR_EMBED bytes lies in value blocks, and the
 * entry has the numbers of these blocks. The value of an ACL has the format of
 * linux/posix_acl_xattr.h, with the IDs of the initial user namespace.
 */
#define MSYNCFS_XATTR_INLINE	304u	/* area in the inode */
#define MSYNCFS_XATTR_ROOM	4032u	/* area in the second block */
#define MSYNCFS_XATTR_EMBED	512u	/* longest value in an entry */
#define MSYNCFS_XATTR_MAX	65536u	/* longest value */
#define MSYNCFS_ACL_MAX		4032u	/* longest value of an ACL */
#define MSYNCFS_VALUE_ROOM	4032u	/* bytes of a value in a value block */
#define MSYNCFS_VALUE_BLOCKS	17u	/* blocks of the longest value */

/* @prefix of an attribute; an area ends where the prefix is 0 */
#define MSYNCFS_XATTR_USER	1	/* "user." */
#define MSYNCFS_XATTR_TRUSTED	2	/* "trusted." */
#define MSYNCFS_XATTR_SECURITY	3	/* "security." */
#define MSYNCFS_XATTR_ACCESS	4	/* "system.posix_acl_access", no name */
#define MSYNCFS_XATTR_DEFAULT	5	/* "system.posix_acl_default", no name */
#define MSYNCFS_XATTR_PREFIXES	6

/**
 * struct msyncfs_disk_xattr - an extended attribute
 * @value_len: length of the value in bytes
 * @prefix: MSYNCFS_XATTR_USER ... MSYNCFS_XATTR_DEFAULT, the first part of the name
 * @name_len: length of @name in bytes
 * @reserved: zero
 * @name: the second part of the name, without a NUL, padded with zeros to a
 *	multiple of 8 bytes; then the value, padded in the same way, or the numbers
 *	of the value blocks, each of them a __le64
 */
struct msyncfs_disk_xattr {
	__le32	value_len;
	__u8	prefix;
	__u8	name_len;
	__u8	reserved[2];
	__u8	name[];
};

#define MSYNCFS_XATTR_HEADER	8

/**
 * struct msyncfs_disk_inode - an inode; the block number is the inode number
 * @h: header; owner is the inode number
 * @mode: file type and permissions, as in st_mode
 * @uid: user ID of the owner, as in st_uid
 * @gid: group ID, as in st_gid
 * @nlink: number of links; 0 only for inodes on the orphan list
 * @size: size in bytes; a directory has 4096 bytes for each leaf
 * @blocks: number of allocated blocks, including map nodes and the blocks of
 *	attributes, but without the block of the inode
 * @atime: time of last access, seconds
 * @mtime: time of last modification, seconds
 * @ctime: time of last status change, seconds
 * @btime: time of creation, seconds
 * @atime_ns: nanoseconds of @atime
 * @mtime_ns: nanoseconds of @mtime
 * @ctime_ns: nanoseconds of @ctime
 * @btime_ns: nanoseconds of @btime
 * @generation: distinguishes the inode from earlier inodes in the same block
 * @flags: MSYNCFS_INODE_*; see msyncfs_inode_flags()
 * @rdev: device number of a device node, in the encoding of new_encode_dev()
 * @orphan_next: next inode on the orphan list; 0 for the last inode of the list
 *	and for inodes that are not on the list
 * @parent: inode number of the parent of a directory; the root directory is its
 *	own parent
 * @entries: number of entries of a directory
 * @map_depth: number of levels of map nodes, 0..5
 * @dir_depth: upper bound for the depth of the leaves of a directory
 * @rest: block with the rest of the target of a symbolic link, if the target is
 *	longer than MSYNCFS_SYMLINK_INLINE; otherwise zero
 * @xattr: block with the attributes that do not fit into @xattrs, or 0
 * @xattrs: area with attributes
 * @ptr: root of the file map (regular files and directories)
 * @symlink: target of a symbolic link, or its first MSYNCFS_SYMLINK_INLINE bytes;
 *	NUL-terminated, followed by zeros
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
	__le64	rest;
	__le64	xattr;
	__u8	xattrs[MSYNCFS_XATTR_INLINE];
	union {
		__le64	ptr[MSYNCFS_INODE_PTRS];
		__u8	symlink[MSYNCFS_INODE_PTRS * 8];
	};
};

/**
 * struct msyncfs_disk_rest - the rest of the target of a symbolic link
 * @h: header; owner is the inode number
 * @target: bytes of the target after the first MSYNCFS_SYMLINK_INLINE;
 *	NUL-terminated, followed by zeros
 */
struct msyncfs_disk_rest {
	struct msyncfs_disk_header h;
	__u8	target[4032];
};

/**
 * struct msyncfs_disk_xattrs - the attributes that do not fit into the inode
 * @h: header; owner is the inode number
 * @area: area with at least one attribute
 */
struct msyncfs_disk_xattrs {
	struct msyncfs_disk_header h;
	__u8	area[MSYNCFS_XATTR_ROOM];
};

/**
 * struct msyncfs_disk_value - a part of the value of an attribute
 * @h: header; owner is the inode number, level is the position of the block in the
 *	value, from 0 on
 * @data: bytes of the value; zeros follow the last byte
 */
struct msyncfs_disk_value {
	struct msyncfs_disk_header h;
	__u8	data[MSYNCFS_VALUE_ROOM];
};

/**
 * struct msyncfs_disk_map - a node of a file map
 * @h: header; owner is the inode number; a leaf has level 1, and each node is
 *	one level above its children
 * @ptr: pointers to nodes of the level below; at level 1, pointers to data
 */
struct msyncfs_disk_map {
	struct msyncfs_disk_header h;
	__le64	ptr[MSYNCFS_NODE_PTRS];
};

/*
 * Each name of a directory has a position of its own, a number of 62 bits. The
 * upper 44 bits are the hash of the name: the top bits of its SipHash-2-4 with
 * the key of the filesystem. The next 8 bits distinguish names that have the
 * same hash. The lowest 10 bits are zero.
 *
 * Without MSYNCFS_INCOMPAT_NAME_KEY, all 62 bits are the hash: the top bits of the
 * seeded xxh64 of the name. No two names of a directory have the same hash.
 *
 * A directory is a trie over the positions. A leaf of depth d with prefix p
 * contains the names whose positions have the top d bits p. This leaf has index
 * (1 << d | p) - 1 in the directory's map. The leaves partition the positions:
 * exactly one leaf lies on the path of each position. A leaf of the largest depth
 * has room for its only name. A leaf may be empty. A directory that never had a
 * name has no blocks.
 */
#define MSYNCFS_POS_BITS	62
#define MSYNCFS_DIR_MAX_DEPTH	52
#define MSYNCFS_POS_STEP	(1ULL << (MSYNCFS_POS_BITS - MSYNCFS_DIR_MAX_DEPTH))
#define MSYNCFS_SAME_HASH	256	/* names that can have the same hash */
#define MSYNCFS_HASH_ROOM	(MSYNCFS_SAME_HASH * MSYNCFS_POS_STEP)
#define MSYNCFS_NAME_LEN	255

/**
 * struct msyncfs_disk_dir - a leaf of a directory
 * @h: header; owner is the inode number of the directory, level is the depth of the
 *	leaf
 * @prefix: top bits of the positions of all names in this leaf; a leaf of depth d
 *	has a prefix of d bits
 * @used: number of bytes of @data in use
 * @count: number of entries
 * @data: struct msyncfs_disk_dirent, ascending by position; the rest is zero
 */
struct msyncfs_disk_dir {
	struct msyncfs_disk_header h;
	__le64	prefix;
	__le32	used;
	__le32	count;
	__u8	data[4016];
};

/**
 * struct msyncfs_disk_dirent - an entry, padded with zeros to a multiple of 8 bytes
 * @position: position of the name; no other name of the directory has it
 * @ino: inode number
 * @type: type of the file, FT_* of the kernel's fs_types.h
 * @name_len: length of the name in bytes, 1..255
 * @name: the name, not NUL-terminated; contains no '/' and no NUL, and is neither
 *	"." nor ".."
 */
struct msyncfs_disk_dirent {
	__le64	position;
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
static_assert(sizeof(struct msyncfs_disk_mmp) == MSYNCFS_SECTOR_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_record) == MSYNCFS_RECORD_HEADER, "");
static_assert(sizeof(struct msyncfs_disk_header) == 64, "");
static_assert(sizeof(struct msyncfs_disk_root) == MSYNCFS_BLOCK_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_bitmap) == MSYNCFS_BLOCK_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_inode) == MSYNCFS_BLOCK_SIZE, "");
static_assert(offsetof(struct msyncfs_disk_inode, ptr) == 512, "");
static_assert(sizeof(struct msyncfs_disk_rest) == MSYNCFS_BLOCK_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_xattr) == MSYNCFS_XATTR_HEADER, "");
static_assert(sizeof(struct msyncfs_disk_xattrs) == MSYNCFS_BLOCK_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_value) == MSYNCFS_BLOCK_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_map) == MSYNCFS_BLOCK_SIZE, "");
static_assert(sizeof(struct msyncfs_disk_dir) == MSYNCFS_BLOCK_SIZE, "");
static_assert(offsetof(struct msyncfs_disk_dirent, name) ==
	      MSYNCFS_DIRENT_HEADER, "");

#endif /* MSYNCFS_FORMAT_H */
