// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for msyncfs_verify_block(). Each reason to refuse a block has a
 * row. Each bound also has a row with the last good value. A row takes a good
 * block, changes some fields, updates the checksum, and names the expected
 * verdict.
 */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/posix_acl_xattr.h>
#include <linux/stat.h>
#include <linux/string.h>

#include "fs/disk/format.h"

/*
 * A device of 65000 blocks has its bitmaps in blocks 4..6, the log in blocks
 * 7..262, data in blocks 263..64998, and the backup superblock in block 64999.
 * The last group begins at block 64512 and has 488 blocks.
 */
#define ROOT_INO	263
#define INO		300
#define DIR_INO		301
#define NODE		400
#define LEAF		500
#define DATA		600

enum base {
	B_ROOT,		/* the root block */
	B_BITMAP0,	/* bitmap of the superblock and the log */
	B_BITMAP2,	/* bitmap of the last group */
	B_REG,		/* regular file with two blocks */
	B_DEEP,		/* regular file with a map node */
	B_ROOTDIR,
	B_DIR,
	B_LNK,
	B_LONG,		/* symbolic link with a rest */
	B_CHR,
	B_FIFO,
	B_MAP1,		/* map node over data */
	B_MAP2,		/* map node over map nodes */
	B_EMPTY,	/* directory leaf without entries */
	B_LEAF,		/* leaf with three entries of one letter */
	B_SWAPPED,	/* leaf with its entries out of order */
	B_TWICE,	/* leaf that has an entry twice */
	B_MISPLACED,	/* depth 1, names of the other half */
	B_PLACED,	/* depth 1, names of its own half */
	B_REST,		/* rest of a symbolic link */
	B_ATTRS,	/* regular file with three attributes */
	B_XATTR,	/* block with an attribute */
	B_VALUE,	/* block of a value */
};

static const struct {
	u64	blkno;
	u32	magic;
} bases[] = {
	[B_ROOT]	= { 3, MSYNCFS_MAGIC_ROOT },
	[B_BITMAP0]	= { 4, MSYNCFS_MAGIC_BITMAP },
	[B_BITMAP2]	= { 6, MSYNCFS_MAGIC_BITMAP },
	[B_REG]		= { INO, MSYNCFS_MAGIC_INODE },
	[B_DEEP]	= { INO, MSYNCFS_MAGIC_INODE },
	[B_ROOTDIR]	= { ROOT_INO, MSYNCFS_MAGIC_INODE },
	[B_DIR]		= { DIR_INO, MSYNCFS_MAGIC_INODE },
	[B_LNK]		= { INO, MSYNCFS_MAGIC_INODE },
	[B_LONG]	= { INO, MSYNCFS_MAGIC_INODE },
	[B_CHR]		= { INO, MSYNCFS_MAGIC_INODE },
	[B_FIFO]	= { INO, MSYNCFS_MAGIC_INODE },
	[B_MAP1]	= { NODE, MSYNCFS_MAGIC_MAP },
	[B_MAP2]	= { NODE, MSYNCFS_MAGIC_MAP },
	[B_EMPTY]	= { LEAF, MSYNCFS_MAGIC_DIR },
	[B_LEAF]	= { LEAF, MSYNCFS_MAGIC_DIR },
	[B_SWAPPED]	= { LEAF, MSYNCFS_MAGIC_DIR },
	[B_TWICE]	= { LEAF, MSYNCFS_MAGIC_DIR },
	[B_MISPLACED]	= { LEAF, MSYNCFS_MAGIC_DIR },
	[B_PLACED]	= { LEAF, MSYNCFS_MAGIC_DIR },
	[B_REST]	= { DATA, MSYNCFS_MAGIC_REST },
	[B_ATTRS]	= { INO, MSYNCFS_MAGIC_INODE },
	[B_XATTR]	= { DATA, MSYNCFS_MAGIC_XATTR },
	[B_VALUE]	= { DATA, MSYNCFS_MAGIC_VALUE },
};

struct poke {
	u16	at;
	u16	width;
	u64	value;
};

/**
 * struct row - changes of a good block, and the expected verdict
 * @name: description
 * @base: the good block
 * @why: the verdict, or a part of it; NULL: the block is good
 * @poke: bytes to change
 * @raw: do not update the checksum
 * @blkno: block number that the caller gives; 0: the right number
 * @magic: magic number that the caller expects; 0: the right number
 * @owner: owner that the caller expects; 0: any owner
 */
struct row {
	const char	*name;
	enum base	base;
	const char	*why;
	struct poke	poke[3];
	bool		raw;
	u64		blkno;
	u32		magic;
	u64		owner;
};

#define F(type, field, value) \
	{ offsetof(struct msyncfs_disk_##type, field), \
	  sizeof_field(struct msyncfs_disk_##type, field), value }
#define BYTE(at, value)		{ at, 1, value }
#define PTR(type, i, value) \
	{ offsetof(struct msyncfs_disk_##type, ptr) + 8 * (i), 8, value }

/* ---- good blocks -------------------------------------------------------- */

static void test_geo(struct kunit *test, struct msyncfs_geo *geo)
{
	memset(geo, 0, sizeof(*geo));
	KUNIT_ASSERT_EQ(test, msyncfs_layout(65000, 256, 0, geo), 0);
	memset(geo->uuid, 0x42, sizeof(geo->uuid));
	geo->seed = xxh64(geo->uuid, sizeof(geo->uuid), 0);
	geo->hash_room = MSYNCFS_HASH_ROOM;
}

static void make_bitmap(const struct msyncfs_geo *geo,
			struct msyncfs_disk_bitmap *bm, u64 group)
{
	unsigned int i;

	bm->h.owner = cpu_to_le64(group);
	for (i = 0; i < MSYNCFS_GROUP_BLOCKS; i++)
		if (!msyncfs_is_data(geo, group * MSYNCFS_GROUP_BLOCKS + i))
			bm->bits[i / 8] |= 1U << i % 8;
}

/* The attributes are at the bytes ATTR1, ATTR2 and ATTR3 of the block. */
#define ATTR1	208
#define ATTR2	(ATTR1 + 8 + 8 + 8)
#define LIST2	(ATTR2 + 8 + 8)
#define ATTR3	(LIST2 + 16)
#define NO_ATTR	(ATTR3 + 8 + 32)

#define ACE(tag, perm)	{ cpu_to_le16(tag), cpu_to_le16(perm), cpu_to_le32(~0U) }

static void make_attrs(struct msyncfs_disk_inode *di)
{
	static const struct {
		struct posix_acl_xattr_header	head;
		struct posix_acl_xattr_entry	e[3];
	} acl = {
		{ cpu_to_le32(POSIX_ACL_XATTR_VERSION) },
		{ ACE(ACL_USER_OBJ, 7), ACE(ACL_GROUP_OBJ, 5), ACE(ACL_OTHER, 0) },
	};
	struct msyncfs_xattr_area area = msyncfs_xattr_inline(di);
	struct msyncfs_disk_xattr *e;
	__le64 *list;

	e = msyncfs_xattr_append(&area, MSYNCFS_XATTR_USER, "one", 3, 4);
	memcpy(msyncfs_xattr_data(e), "1234", 4);
	e = msyncfs_xattr_append(&area, MSYNCFS_XATTR_TRUSTED, "large", 5, 4033);
	list = msyncfs_xattr_data(e);
	list[0] = cpu_to_le64(DATA);
	list[1] = cpu_to_le64(DATA + 1);
	e = msyncfs_xattr_append(&area, MSYNCFS_XATTR_ACCESS, "", 0, 28);
	memcpy(msyncfs_xattr_data(e), &acl, sizeof(acl));
	di->blocks = cpu_to_le64(2);
}

static void make_inode(struct msyncfs_disk_inode *di, enum base base)
{
	static const u32 mode[] = {
		[B_REG]		= S_IFREG | 0644,
		[B_DEEP]	= S_IFREG | 07777,
		[B_ROOTDIR]	= S_IFDIR | 0755,
		[B_DIR]		= S_IFDIR | 01777,
		[B_LNK]		= S_IFLNK | 0777,
		[B_LONG]	= S_IFLNK | 0777,
		[B_CHR]		= S_IFCHR | 0600,
		[B_FIFO]	= S_IFIFO,
		[B_ATTRS]	= S_IFREG | 0644,
	};

	di->h.owner = di->h.blkno;
	di->mode = cpu_to_le32(mode[base]);
	di->nlink = cpu_to_le32(1);
	switch (base) {
	case B_REG:
		di->size = cpu_to_le64(5000);
		di->blocks = cpu_to_le64(2);
		di->ptr[0] = cpu_to_le64(DATA);
		di->ptr[447] = cpu_to_le64(DATA | MSYNCFS_PTR_UNWRITTEN);
		break;
	case B_DEEP:
		di->map_depth = cpu_to_le32(1);
		di->ptr[0] = cpu_to_le64(NODE);
		break;
	case B_ROOTDIR:
	case B_DIR:
		di->nlink = cpu_to_le32(2);
		di->parent = cpu_to_le64(ROOT_INO);
		di->size = cpu_to_le64(2 * MSYNCFS_BLOCK_SIZE);
		di->entries = cpu_to_le64(3);
		break;
	case B_LNK:
		di->size = cpu_to_le64(6);
		memcpy(di->symlink, "target", 6);
		break;
	case B_LONG:
		di->size = cpu_to_le64(4095);
		di->blocks = cpu_to_le64(1);
		di->rest = cpu_to_le64(DATA);
		memset(di->symlink, 't', MSYNCFS_SYMLINK_INLINE);
		break;
	case B_CHR:
		di->rdev = cpu_to_le64(0x103);
		break;
	case B_ATTRS:
		make_attrs(di);
		break;
	default:
		break;
	}
}

struct entry {
	char	name;
	u64	hash;
};

/*
 * Pick three names of one letter. Their hashes are in the lower half if @half
 * is 0, in the upper half if @half is 1, and in any half if @half is 2.
 */
static void pick_names(const struct msyncfs_geo *geo, unsigned int half,
		       struct entry *e)
{
	unsigned int nr = 0, i, j;
	char c;

	for (c = 'a'; nr < 3; c++) {
		u64 hash = msyncfs_name_hash(geo, &c, 1);

		if (half < 2 && hash >> (MSYNCFS_POS_BITS - 1) != half)
			continue;
		e[nr].name = c;
		e[nr++].hash = hash;
	}
	for (i = 0; i < 3; i++)
		for (j = i + 1; j < 3; j++)
			if (e[j].hash < e[i].hash)
				swap(e[i], e[j]);
}

/* Entries have 24 bytes. The first entry is at byte 80 of the block. */
#define ENTRY(i)	(80 + 24 * (i))

static void make_leaf(const struct msyncfs_geo *geo,
		      struct msyncfs_disk_dir *dir, enum base base)
{
	bool half = base == B_MISPLACED || base == B_PLACED;
	struct entry e[3];
	unsigned int i;

	dir->h.owner = cpu_to_le64(DIR_INO);
	if (base == B_EMPTY)
		return;
	pick_names(geo, half ? 1 : 2, e);
	if (half) {
		dir->h.level = cpu_to_le32(1);
		dir->prefix = cpu_to_le64(base == B_PLACED);
	}
	if (base == B_SWAPPED)
		swap(e[1], e[2]);
	if (base == B_TWICE)
		e[1] = e[0];
	dir->used = cpu_to_le32(3 * 24);
	dir->count = cpu_to_le32(3);
	for (i = 0; i < 3; i++) {
		struct msyncfs_disk_dirent *de = (void *)dir + ENTRY(i);

		de->position = cpu_to_le64(e[i].hash);
		de->ino = cpu_to_le64(INO + i);
		de->type = FT_REG_FILE;
		de->name_len = 1;
		de->name[0] = e[i].name;
	}
}

static void make_block(const struct msyncfs_geo *geo, void *buf, enum base base)
{
	struct msyncfs_disk_map *map = buf;
	struct msyncfs_xattr_area area;

	msyncfs_init_block(buf, bases[base].magic, 0, bases[base].blkno, 0);
	switch (base) {
	case B_ROOT:
		break;
	case B_BITMAP0:
		make_bitmap(geo, buf, 0);
		break;
	case B_BITMAP2:
		make_bitmap(geo, buf, 2);
		break;
	case B_REST:
		map->h.owner = cpu_to_le64(INO);
		memset(((struct msyncfs_disk_rest *)buf)->target, 't', 512);
		break;
	case B_XATTR:
		map->h.owner = cpu_to_le64(INO);
		area = msyncfs_xattr_outer(buf);
		msyncfs_xattr_append(&area, MSYNCFS_XATTR_USER, "x", 1, 0);
		break;
	case B_VALUE:
		map->h.owner = cpu_to_le64(INO);
		break;
	case B_MAP1:
	case B_MAP2:
		map->h.owner = cpu_to_le64(INO);
		map->h.level = cpu_to_le32(base == B_MAP1 ? 1 : 2);
		map->ptr[0] = cpu_to_le64(DATA);
		map->ptr[503] = cpu_to_le64(64998);
		break;
	case B_EMPTY:
	case B_LEAF:
	case B_SWAPPED:
	case B_TWICE:
	case B_MISPLACED:
	case B_PLACED:
		make_leaf(geo, buf, base);
		break;
	default:
		make_inode(buf, base);
	}
}

/* ---- verdicts ----------------------------------------------------------- */

static const struct row rows[] = {
	{ "good root block", B_ROOT },
	{ "good first bitmap", B_BITMAP0 },
	{ "good last bitmap", B_BITMAP2 },
	{ "good regular file", B_REG },
	{ "good regular file with nodes", B_DEEP },
	{ "good root directory", B_ROOTDIR },
	{ "good directory", B_DIR },
	{ "good symbolic link", B_LNK },
	{ "good long symbolic link", B_LONG },
	{ "good rest", B_REST },
	{ "good inode with attributes", B_ATTRS },
	{ "good block of attributes", B_XATTR },
	{ "good value", B_VALUE },
	{ "good device", B_CHR },
	{ "good fifo", B_FIFO },
	{ "good map leaf", B_MAP1 },
	{ "good map node", B_MAP2 },
	{ "good empty directory block", B_EMPTY },
	{ "good directory block", B_LEAF },
	{ "good directory block of depth 1", B_PLACED },

	/* header */
	{ "magic", B_REG, "wrong magic number", { F(header, magic, 0) } },
	{ "other kind", B_REG, "wrong magic number",
	  .magic = MSYNCFS_MAGIC_MAP },
	{ "checksum", B_REG, "wrong checksum", { F(header, csum, 0) }, true },
	{ "torn", B_REG, "wrong checksum", { BYTE(4095, 1) }, true },
	{ "misdirected", B_REG, "belongs elsewhere", .blkno = INO + 1 },
	{ "blkno", B_REG, "belongs elsewhere", { F(header, blkno, INO + 1) } },
	{ "owner wanted", B_MAP1, NULL, .owner = INO },
	{ "other owner wanted", B_MAP1, "another owner", .owner = INO + 1 },
	{ "header reserved", B_REG, "reserved bytes of the header",
	  { BYTE(40, 1) } },
	{ "header reserved end", B_REG, "reserved bytes of the header",
	  { BYTE(63, 1) } },
	{ "level of an inode", B_REG, "level of a block that has none",
	  { F(header, level, 1) } },
	{ "level of a bitmap", B_BITMAP0, "level of a block that has none",
	  { F(header, level, 1) } },
	{ "seq", B_REG, NULL, { F(header, seq, U64_MAX) } },
	{ "inode in a bitmap's place", B_REG, "outside the data area",
	  { F(header, blkno, 5), F(header, owner, 5) }, .blkno = 5 },
	{ "inode in the backup's place", B_REG, "outside the data area",
	  { F(header, blkno, 64999), F(header, owner, 64999) },
	  .blkno = 64999 },
	{ "kind unknown", B_REG, "unknown kind of block",
	  { F(header, magic, MSYNCFS_MAGIC_RECORD) },
	  .magic = MSYNCFS_MAGIC_RECORD },

	/* root block */
	{ "root elsewhere", B_ROOT, "root block in the wrong place",
	  { F(header, blkno, INO) }, .blkno = INO },
	{ "root owner", B_ROOT, "root block in the wrong place",
	  { F(header, owner, 1) } },
	{ "orphans outside", B_ROOT, "head of the orphan list",
	  { F(root, orphan_head, 262) } },
	{ "orphans at the end", B_ROOT, NULL,
	  { F(root, orphan_head, 64998) } },
	{ "dfree head", B_ROOT, "reserved bytes of the root block",
	  { F(root, dfree_head, INO) } },
	{ "root reserved", B_ROOT, "reserved bytes of the root block",
	  { BYTE(80, 1) } },
	{ "root reserved end", B_ROOT, "reserved bytes of the root block",
	  { BYTE(4095, 1) } },

	/* bitmap */
	{ "group too large", B_BITMAP0, "bitmap of another group",
	  { F(header, owner, 3) } },
	{ "group huge", B_BITMAP0, "bitmap of another group",
	  { F(header, owner, U64_MAX) } },
	{ "group of another block", B_BITMAP0, "bitmap of another group",
	  { F(header, owner, 1) } },
	{ "superblock free", B_BITMAP0, "superblock, a bitmap or the log",
	  { BYTE(64, 0xfe) } },
	{ "last log block free", B_BITMAP0, "superblock, a bitmap or the log",
	  { BYTE(64 + 32, 0x3f) } },
	{ "first data block in use", B_BITMAP0, NULL, { BYTE(64 + 32, 0xff) } },
	{ "group in use", B_BITMAP0, NULL, { BYTE(4095, 0xff) } },
	{ "backup free", B_BITMAP2, "past the end", { BYTE(64 + 60, 0) } },
	{ "after the end free", B_BITMAP2, "past the end",
	  { BYTE(64 + 61, 0xfe) } },
	{ "last bit free", B_BITMAP2, "past the end", { BYTE(4095, 0x7f) } },
	{ "last data block in use", B_BITMAP2, NULL, { BYTE(64 + 60, 0xc0) } },

	/* inodes of any kind */
	{ "inode of another number", B_REG, "belongs to another number",
	  { F(header, owner, INO + 1) } },
	{ "mode 0", B_REG, "impossible mode", { F(inode, mode, 0) } },
	{ "mode without type", B_REG, "impossible mode",
	  { F(inode, mode, 0644) } },
	{ "mode of all types", B_REG, "impossible mode",
	  { F(inode, mode, S_IFMT) } },
	{ "mode beyond 16 bits", B_REG, "impossible mode",
	  { F(inode, mode, 0x10000 | S_IFREG) } },
	{ "nlink", B_REG, "impossible number of links",
	  { F(inode, nlink, 0x80000000) } },
	{ "nlink largest", B_REG, NULL, { F(inode, nlink, 0x7fffffff) } },
	{ "no links", B_REG, NULL, { F(inode, nlink, 0) } },
	{ "size", B_REG, "impossible size of an inode",
	  { F(inode, size, 1ULL << 63) } },
	{ "size of a file", B_REG, "impossible size of a file",
	  { F(inode, size, MSYNCFS_FILE_MAX + 1) } },
	{ "size largest", B_REG, NULL, { F(inode, size, MSYNCFS_FILE_MAX) } },
	{ "blocks", B_REG, "more blocks than the filesystem",
	  { F(inode, blocks, 65001) } },
	{ "flags", B_REG, "impossible flags", { F(inode, flags, 2) } },
	{ "flag atomic", B_REG, NULL, { F(inode, flags, 1) } },
	{ "all flags of a file", B_REG, NULL, { F(inode, flags, 0xf9) } },
	{ "flag dirsync of a file", B_REG, "impossible flags",
	  { F(inode, flags, 0x10000) } },
	{ "all flags of a directory", B_DIR, NULL, { F(inode, flags, 0x100f8) } },
	{ "flags of a link", B_LNK, "impossible flags",
	  { F(inode, flags, 0x40) } },
	{ "flag atomic, directory", B_DIR, "impossible flags",
	  { F(inode, flags, 1) } },
	{ "map depth", B_REG, "impossible depth of a file map",
	  { F(inode, map_depth, 6) } },
	{ "orphan itself", B_REG, "successor on the orphan list",
	  { F(inode, orphan_next, INO) } },
	{ "orphan outside", B_REG, "successor on the orphan list",
	  { F(inode, orphan_next, 262) } },
	{ "orphan", B_REG, NULL, { F(inode, orphan_next, INO + 1) } },
	{ "bytes instead of attributes", B_REG, "bytes after the last attribute",
	  { BYTE(208, 1) } },
	{ "last byte for attributes", B_REG, "bytes after the last attribute",
	  { BYTE(511, 1) } },
	{ "root inode a file", B_ROOTDIR, "root inode is no directory",
	  { F(inode, mode, S_IFREG) } },
	{ "atime_ns", B_REG, "nanoseconds", { F(inode, atime_ns, 1000000000) } },
	{ "mtime_ns", B_REG, "nanoseconds", { F(inode, mtime_ns, 1000000000) } },
	{ "ctime_ns", B_REG, "nanoseconds", { F(inode, ctime_ns, 1000000000) } },
	{ "btime_ns", B_REG, "nanoseconds", { F(inode, btime_ns, 1000000000) } },
	{ "times at their ends", B_REG, NULL,
	  { F(inode, btime_ns, 999999999), F(inode, mtime, U64_MAX) } },
	{ "parent of a file", B_REG, "directory fields",
	  { F(inode, parent, ROOT_INO) } },
	{ "entries of a file", B_REG, "directory fields",
	  { F(inode, entries, 1) } },
	{ "depth of a file", B_REG, "directory fields",
	  { F(inode, dir_depth, 1) } },
	{ "rdev", B_CHR, "impossible device number",
	  { F(inode, rdev, 1ULL << 32) } },
	{ "rdev of a file", B_REG, "no device", { F(inode, rdev, 1) } },

	/* file map */
	{ "pointer bit 56", B_REG, "unknown bits",
	  { PTR(inode, 3, 1ULL << 56 | DATA) } },
	{ "pointer bit 62", B_REG, "unknown bits",
	  { PTR(inode, 3, 1ULL << 62 | DATA) } },
	{ "pointer to the log", B_REG, "outside the data area",
	  { PTR(inode, 3, 262) } },
	{ "pointer to the backup", B_REG, "outside the data area",
	  { PTR(inode, 447, 64999) } },
	{ "unwritten block 0", B_REG, "outside the data area",
	  { PTR(inode, 3, MSYNCFS_PTR_UNWRITTEN) } },
	{ "pointer to itself", B_REG, "stands in", { PTR(inode, 3, INO) } },
	{ "unwritten node", B_DEEP, "marked unwritten",
	  { PTR(inode, 1, MSYNCFS_PTR_UNWRITTEN | DATA) } },
	{ "last pointer", B_REG, NULL, { PTR(inode, 447, 64998) } },
	{ "node of level 0", B_MAP1, "impossible level",
	  { F(header, level, 0) } },
	{ "node of level 5", B_MAP2, NULL, { F(header, level, 5) } },
	{ "node of level 6", B_MAP2, "impossible level",
	  { F(header, level, 6) } },
	{ "node of nobody", B_MAP1, "owner of a map node",
	  { F(header, owner, 0) } },
	{ "node to the log", B_MAP1, "outside the data area",
	  { PTR(map, 503, 7) } },
	{ "node to itself", B_MAP2, "stands in", { PTR(map, 9, NODE) } },
	{ "run over itself", B_MAP1, "stands in",
	  { PTR(map, 5, NODE - 1), PTR(map, 6, NODE), PTR(map, 7, NODE + 1) } },
	{ "unwritten run over itself", B_MAP1, "stands in",
	  { PTR(map, 5, MSYNCFS_PTR_UNWRITTEN | (NODE - 1)),
	    PTR(map, 6, MSYNCFS_PTR_UNWRITTEN | NODE) } },
	{ "run beside itself", B_MAP1, NULL,
	  { PTR(map, 5, NODE - 2), PTR(map, 6, NODE - 1),
	    PTR(map, 7, NODE + 1) } },
	{ "run past the data area", B_MAP1, "outside the data area",
	  { PTR(map, 5, 64998), PTR(map, 6, 64999) } },
	{ "block 1 after holes", B_MAP1, "outside the data area",
	  { PTR(map, 5, 1) } },
	{ "unwritten in a leaf", B_MAP1, NULL,
	  { PTR(map, 1, MSYNCFS_PTR_UNWRITTEN | DATA) } },
	{ "unwritten in a node", B_MAP2, "marked unwritten",
	  { PTR(map, 1, MSYNCFS_PTR_UNWRITTEN | DATA) } },
	{ "bits in a node", B_MAP2, "unknown bits",
	  { PTR(map, 1, 1ULL << 57 | DATA) } },

	/* symbolic links and special files */
	{ "blocks of a link", B_LNK, "can have none", { F(inode, blocks, 1) } },
	{ "map depth of a fifo", B_FIFO, "can have none",
	  { F(inode, map_depth, 1) } },
	{ "empty link", B_LNK, "length of a symbolic link",
	  { F(inode, size, 0) } },
	{ "link too long", B_LONG, "length of a symbolic link",
	  { F(inode, size, 4096) } },
	{ "link without its rest", B_LNK, "does not fit its blocks",
	  { F(inode, size, 3584) } },
	{ "short link with a rest", B_LONG, "does not fit its blocks",
	  { F(inode, size, 3583) } },
	{ "shortest link with a rest", B_LONG, NULL, { F(inode, size, 3584) } },
	{ "rest in the log", B_LONG, "outside the data area",
	  { F(inode, rest, 262) } },
	{ "rest in the inode", B_LONG, "outside the data area",
	  { F(inode, rest, INO) } },
	{ "rest of a fifo", B_FIFO, "no symbolic link", { F(inode, rest, DATA) } },
	{ "rest that does not count", B_LONG, "can have none",
	  { F(inode, blocks, 0) } },
	{ "NUL in a long link", B_LONG, "shorter than its size",
	  { BYTE(4094, 0) } },
	{ "no NUL after a long link", B_LONG, "bytes after the target",
	  { BYTE(4095, 't') } },
	{ "rest of nobody", B_REST, "owner", { F(header, owner, 1) } },
	{ "empty rest", B_REST, "length", { BYTE(64, 0) } },
	{ "rest too long", B_REST, "length", { BYTE(64 + 512, 't') } },
	{ "shortest rest", B_REST, "bytes after the target", { BYTE(65, 0) } },
	{ "junk after a rest", B_REST, "bytes after the target",
	  { BYTE(4095, 1) } },
	{ "link with a NUL", B_LNK, "shorter than its size",
	  { BYTE(512 + 2, 0) } },
	{ "link longer than its size", B_LNK, "bytes after the target",
	  { F(inode, size, 5) } },
	{ "junk after the link", B_LNK, "bytes after the target",
	  { BYTE(4095, 1) } },
	{ "size of a fifo", B_FIFO, "special file", { F(inode, size, 1) } },
	{ "pointer of a fifo", B_FIFO, "special file", { PTR(inode, 0, DATA) } },
	{ "pointer of a device", B_CHR, "special file",
	  { PTR(inode, 447, 1) } },

	/* attributes */
	{ "unknown prefix", B_ATTRS, "unknown kind", { BYTE(ATTR1 + 4, 6) } },
	{ "attribute reserved", B_ATTRS, "reserved bytes of an attribute",
	  { BYTE(ATTR1 + 6, 1) } },
	{ "attribute reserved end", B_ATTRS, "reserved bytes of an attribute",
	  { BYTE(ATTR1 + 7, 1) } },
	{ "value of 65537 bytes", B_ATTRS, "too long",
	  { { ATTR1, 4, 65537 } } },
	{ "value of 4 GiB", B_ATTRS, "too long", { { ATTR1, 4, U32_MAX } } },
	{ "value crosses the end", B_ATTRS, "crosses the end",
	  { { ATTR1, 4, 512 } } },
	{ "list crosses the end", B_ATTRS, "crosses the end",
	  { { ATTR3, 4, 65536 }, BYTE(ATTR3 + 4, 1), BYTE(ATTR3 + 5, 120) } },
	{ "name of an ACL", B_ATTRS, "name of an ACL", { BYTE(ATTR3 + 5, 3) } },
	{ "default ACL", B_ATTRS, NULL, { BYTE(ATTR3 + 4, 5) } },
	{ "version of an ACL", B_ATTRS, "damaged ACL", { BYTE(ATTR3 + 8, 1) } },
	{ "permissions of an ACL", B_ATTRS, "damaged ACL",
	  { BYTE(ATTR3 + 14, 8) } },
	{ "ACL without the group", B_ATTRS, "damaged ACL",
	  { BYTE(ATTR3 + 20, 0x20) } },
	{ "ACL without others", B_ATTRS, "damaged ACL",
	  { { ATTR3, 4, 20 }, { ATTR3 + 28, 8, 0 } } },
	{ "ACL of an odd length", B_ATTRS, "damaged ACL", { { ATTR3, 4, 32 } } },
	{ "ACL without entries", B_ATTRS, "damaged ACL", { { ATTR3, 4, 4 },
	  { ATTR3 + 12, 4, 0 }, { NO_ATTR - 24, 8, 0 } } },
	{ "ACL that is too long", B_ATTRS, "too long", { { ATTR3, 4, 4033 } } },
	{ "attribute without a name", B_ATTRS, "illegal name",
	  { BYTE(ATTR1 + 5, 0) } },
	{ "attribute with a NUL", B_ATTRS, "illegal name",
	  { BYTE(ATTR1 + 9, 0) } },
	{ "attribute with a slash", B_ATTRS, NULL, { BYTE(ATTR1 + 9, '/') } },
	{ "junk after a name", B_ATTRS, "padding", { BYTE(ATTR1 + 11, 1) } },
	{ "junk after a value", B_ATTRS, "padding", { BYTE(ATTR1 + 20, 1) } },
	{ "value in the log", B_ATTRS, "value of an attribute is outside",
	  { { LIST2, 8, 262 } } },
	{ "value in a hole", B_ATTRS, "value of an attribute is outside",
	  { { LIST2 + 8, 8, 0 } } },
	{ "value in the inode", B_ATTRS, "value of an attribute is outside",
	  { { LIST2, 8, INO } } },
	{ "block twice in a value", B_ATTRS, "block twice",
	  { { LIST2 + 8, 8, DATA } } },
	{ "attribute twice", B_ATTRS, "exists twice",
	  { BYTE(ATTR2 + 4, 1), BYTE(ATTR2 + 5, 3), { ATTR2 + 8, 8, 0x656e6f } } },
	{ "junk after the attributes", B_ATTRS, "bytes after the last attribute",
	  { BYTE(NO_ATTR, 1) } },
	{ "attributes in the log", B_ATTRS, "block of attributes is outside",
	  { F(inode, xattr, 262) } },
	{ "attributes in the inode", B_ATTRS, "block of attributes is outside",
	  { F(inode, xattr, INO) } },
	{ "attributes of a fifo", B_FIFO, NULL,
	  { F(inode, xattr, DATA), F(inode, blocks, 1) } },
	{ "values of a fifo", B_FIFO, NULL,
	  { F(inode, xattr, DATA), F(inode, blocks, 5) } },
	{ "attributes that do not count", B_FIFO, "can have none",
	  { F(inode, xattr, DATA) } },
	{ "no attribute", B_XATTR, "without an attribute",
	  { { 64, 8, 0 }, { 72, 8, 0 } } },
	{ "junk after the last attribute", B_XATTR,
	  "bytes after the last attribute", { BYTE(4095, 1) } },
	{ "attributes of nobody", B_XATTR, "owner of attributes",
	  { F(header, owner, 1) } },
	{ "level of attributes", B_XATTR, "level of a block that has none",
	  { F(header, level, 1) } },
	{ "last value block", B_VALUE, NULL, { F(header, level, 16) } },
	{ "one value block too many", B_VALUE, "impossible position",
	  { F(header, level, 17) } },
	{ "value of nobody", B_VALUE, "owner of a value",
	  { F(header, owner, 1) } },

	/* directories */
	{ "one link", B_DIR, "directory with one link", { F(inode, nlink, 1) } },
	{ "deleted directory", B_DIR, NULL, { F(inode, nlink, 0) } },
	{ "odd size", B_DIR, "size of a directory", { F(inode, size, 4097) } },
	{ "size beyond the filesystem", B_DIR, "size of a directory",
	  { F(inode, size, 65001ULL * 4096) } },
	{ "entries", B_DIR, "more entries than fit", { F(inode, entries, 342) } },
	{ "entries that fit", B_DIR, NULL, { F(inode, entries, 341) } },
	{ "depth", B_DIR, "impossible depth of a directory",
	  { F(inode, dir_depth, 53) } },
	{ "depth largest", B_DIR, NULL, { F(inode, dir_depth, 52) } },
	{ "no parent", B_DIR, "parent of a directory", { F(inode, parent, 0) } },
	{ "its own parent", B_DIR, "wrong parent",
	  { F(inode, parent, DIR_INO) } },
	{ "root with a parent", B_ROOTDIR, "wrong parent",
	  { F(inode, parent, DIR_INO) } },
	{ "root deleted", B_ROOTDIR, "without links", { F(inode, nlink, 0) } },

	/* directory blocks */
	{ "leaf depth", B_EMPTY, "depth of a directory block",
	  { F(header, level, 53) } },
	{ "leaf depth largest", B_EMPTY, NULL, { F(header, level, 52) } },
	{ "leaf of nobody", B_EMPTY, "owner of a directory block",
	  { F(header, owner, 1) } },
	{ "prefix of depth 0", B_EMPTY, "impossible prefix",
	  { F(dir, prefix, 1) } },
	{ "prefix of depth 1", B_EMPTY, "impossible prefix",
	  { F(header, level, 1), F(dir, prefix, 2) } },
	{ "used", B_EMPTY, "more than full", { F(dir, used, 4017) } },
	{ "used huge", B_EMPTY, "more than full", { F(dir, used, U32_MAX) } },
	{ "no room for an entry", B_LEAF, "crosses the end",
	  { F(dir, used, 2 * 24 + 17) } },
	{ "no room for a name", B_LEAF, "crosses the end",
	  { F(dir, used, 2 * 24 + 18) } },
	{ "name crosses the end", B_LEAF, "crosses the end",
	  { BYTE(ENTRY(2) + 17, 7) } },
	{ "no name", B_LEAF, "illegal name", { BYTE(ENTRY(0) + 17, 0) } },
	{ "name NUL", B_LEAF, "illegal name", { BYTE(ENTRY(0) + 18, 0) } },
	{ "name slash", B_LEAF, "illegal name", { BYTE(ENTRY(0) + 18, '/') } },
	{ "name dot", B_LEAF, "illegal name", { BYTE(ENTRY(0) + 18, '.') } },
	{ "name dot dot", B_LEAF, "illegal name",
	  { BYTE(ENTRY(0) + 17, 2), BYTE(ENTRY(0) + 18, '.'),
	    BYTE(ENTRY(0) + 19, '.') } },
	{ "name dot x", B_LEAF, "wrong hash",
	  { BYTE(ENTRY(0) + 17, 2), BYTE(ENTRY(0) + 18, '.'),
	    BYTE(ENTRY(0) + 19, 'x') } },
	{ "padding", B_LEAF, "padding", { BYTE(ENTRY(0) + 23, 1) } },
	{ "padding after the name", B_LEAF, "padding",
	  { BYTE(ENTRY(2) + 19, 1) } },
	{ "hash", B_LEAF, "wrong hash", { { ENTRY(1), 8, 1 } } },
	{ "number", B_LEAF, NULL, { BYTE(ENTRY(1) + 1, 0xfc) } },
	{ "between numbers", B_LEAF, "impossible position",
	  { BYTE(ENTRY(1), 1) } },
	{ "hash of 64 bits", B_LEAF, "wrong hash",
	  { BYTE(ENTRY(1) + 7, 0xff) } },
	{ "other half", B_MISPLACED, "wrong directory block" },
	{ "entry to the log", B_LEAF, "entry outside the data area",
	  { { ENTRY(1) + 8, 8, 262 } } },
	{ "type 0", B_LEAF, "unknown type", { BYTE(ENTRY(1) + 16, 0) } },
	{ "type largest", B_LEAF, NULL, { BYTE(ENTRY(1) + 16, 7) } },
	{ "type too large", B_LEAF, "unknown type", { BYTE(ENTRY(1) + 16, 8) } },
	{ "order", B_SWAPPED, "not in order" },
	{ "name twice", B_TWICE, "not in order" },
	{ "count too small", B_LEAF, "wrong number of entries",
	  { F(dir, count, 2) } },
	{ "count too large", B_LEAF, "wrong number of entries",
	  { F(dir, count, 4) } },
	{ "count of nothing", B_EMPTY, "wrong number of entries",
	  { F(dir, count, 1) } },
	{ "junk at the end", B_LEAF, "bytes after the last",
	  { BYTE(4095, 1) } },
	{ "junk behind the entries", B_LEAF, "bytes after the last",
	  { BYTE(ENTRY(3), 1) } },
};

KUNIT_ARRAY_PARAM_DESC(row, rows, name);

static void verify_row(struct kunit *test)
{
	const struct row *row = test->param_value;
	struct msyncfs_geo geo;
	unsigned int i;
	const char *why;
	void *buf;

	buf = kunit_kzalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	test_geo(test, &geo);
	make_block(&geo, buf, row->base);
	msyncfs_seal_block(&geo, buf, 1);
	for (i = 0; i < ARRAY_SIZE(row->poke); i++) {
		__le64 value = cpu_to_le64(row->poke[i].value);

		memcpy(buf + row->poke[i].at, &value, row->poke[i].width);
	}
	if (!row->raw) {
		u64 seq = le64_to_cpu(((struct msyncfs_disk_header *)buf)->seq);

		msyncfs_seal_block(&geo, buf, seq);
	}

	why = msyncfs_verify_block(&geo, buf,
				   row->blkno ?: bases[row->base].blkno,
				   row->magic ?: bases[row->base].magic,
				   row->owner ?: (u64)-1);
	if (!row->why)
		KUNIT_EXPECT_TRUE_MSG(test, !why, "refused: %s", why);
	else if (!why)
		KUNIT_FAIL(test, "accepted, expected \"%s\"", row->why);
	else
		KUNIT_EXPECT_TRUE_MSG(test, strstr(why, row->why),
				      "\"%s\" is not \"%s\"", why, row->why);
}

/*
 * Seal each kind of block. If any byte is changed after that,
 * msyncfs_verify_block() must notice the change.
 */
static void verify_sealed(struct kunit *test)
{
	struct msyncfs_disk_header *h;
	struct msyncfs_geo geo;
	enum base base;
	unsigned int i;
	u8 *buf;

	buf = kunit_kzalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	h = (void *)buf;
	test_geo(test, &geo);
	for (base = B_ROOT; base <= B_EMPTY; base++) {
		u64 blkno = bases[base].blkno;
		u32 magic = bases[base].magic;
		const char *why;

		make_block(&geo, buf, base);
		msyncfs_seal_block(&geo, buf, 77);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(h->seq), 77);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(h->csum),
				msyncfs_csum(buf, MSYNCFS_BLOCK_SIZE, 8,
					     geo.seed));
		for (i = 0; i < MSYNCFS_BLOCK_SIZE; i += i < 64 ? 1 : 509) {
			buf[i] ^= 0x40;
			why = msyncfs_verify_block(&geo, buf, blkno, magic, -1);
			KUNIT_EXPECT_NOT_NULL_MSG(test, why, "base %d byte %u",
						  base, i);
			buf[i] ^= 0x40;
		}
		/*
		 * The seed belongs to the filesystem, so a block of another
		 * filesystem must not verify.
		 */
		geo.seed++;
		KUNIT_EXPECT_STREQ(test, "wrong checksum",
				   msyncfs_verify_block(&geo, buf, blkno, magic,
							-1));
		geo.seed--;
	}
}

static void verify_init_block(struct kunit *test)
{
	struct msyncfs_disk_header *h;
	u8 *buf;

	buf = kunit_kmalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	memset(buf, 0x5a, MSYNCFS_BLOCK_SIZE);
	msyncfs_init_block(buf, MSYNCFS_MAGIC_MAP, 3, NODE, INO);
	h = (void *)buf;
	KUNIT_EXPECT_EQ(test, le32_to_cpu(h->magic), MSYNCFS_MAGIC_MAP);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(h->level), 3);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(h->blkno), NODE);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(h->owner), INO);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(h->csum), 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(h->seq), 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(buf + 40, 0,
					   MSYNCFS_BLOCK_SIZE - 40));
}

/* In a group that lies within the log, all blocks must be in use. */
static void verify_bitmap_long_log(struct kunit *test)
{
	struct msyncfs_disk_bitmap *bm;
	struct msyncfs_geo geo = {};
	u64 group;

	bm = kunit_kzalloc(test, sizeof(*bm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bm);
	KUNIT_ASSERT_EQ(test, msyncfs_layout(200000, 70000, 0, &geo), 0);
	for (group = 0; group < geo.bitmap_blocks; group++) {
		bool all = (group + 1) * MSYNCFS_GROUP_BLOCKS <=
			   geo.log_start + geo.log_blocks;

		msyncfs_init_block(bm, MSYNCFS_MAGIC_BITMAP, 0, 4 + group, 0);
		make_bitmap(&geo, bm, group);
		msyncfs_seal_block(&geo, bm, 0);
		KUNIT_EXPECT_NULL(test,
				  msyncfs_verify_block(&geo, bm, 4 + group,
						       MSYNCFS_MAGIC_BITMAP,
						       group));
		bm->bits[4031] &= 0x7f;
		msyncfs_seal_block(&geo, bm, 0);
		KUNIT_EXPECT_EQ(test, all || group == geo.bitmap_blocks - 1,
				!!msyncfs_verify_block(&geo, bm, 4 + group,
						       MSYNCFS_MAGIC_BITMAP,
						       group));
	}
}

/* A run ends at the pointer that does not continue it, and nowhere else. */
static void verify_ptr_run(struct kunit *test)
{
	static const u64 first[] = { 0, DATA, MSYNCFS_PTR_UNWRITTEN | DATA };
	unsigned int i, at, n;
	__le64 ptr[24];

	for (i = 0; i < ARRAY_SIZE(first); i++) {
		for (at = 1; at < ARRAY_SIZE(ptr); at++) {
			for (n = 0; n < ARRAY_SIZE(ptr); n++)
				ptr[n] = cpu_to_le64(first[i] ? first[i] + n : 0);
			KUNIT_EXPECT_EQ(test, msyncfs_ptr_run(ptr, 0, at), at);
			ptr[at] = cpu_to_le64(first[i] + at + 1);
			for (n = 0; n < at; n++)
				KUNIT_EXPECT_EQ(test, msyncfs_ptr_run(ptr, n, 24),
						at - n);
		}
	}
}

static struct kunit_case verify_cases[] = {
	KUNIT_CASE_PARAM(verify_row, row_gen_params),
	KUNIT_CASE(verify_ptr_run),
	KUNIT_CASE(verify_sealed),
	KUNIT_CASE(verify_init_block),
	KUNIT_CASE(verify_bitmap_long_log),
	{}
};

static struct kunit_suite verify_suite = {
	.name		= "msyncfs_verify",
	.test_cases	= verify_cases,
};

kunit_test_suite(verify_suite);
