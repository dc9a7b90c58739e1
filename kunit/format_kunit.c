// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the on-disk format: sizes and offsets of the structures on
 * disk, the layout, checksums, hashes, the superblock and the tail slots.
 * verify_kunit.c tests the metadata blocks.
 *
 * The expected numbers come from Documentation/on-disk-format.rst, not from the
 * headers. So if a header changes the format, the suite fails.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "fs/disk/format.h"

/* ---- sizes and offsets -------------------------------------------------- */

struct place {
	const char	*name;
	size_t		is;
	size_t		want;
};

#define SIZE(type, want)	{ #type, sizeof(struct msyncfs_disk_##type), want }
#define AT(type, field, want) \
	{ #type "." #field, offsetof(struct msyncfs_disk_##type, field), want }

static const struct place places[] = {
	SIZE(super, 512),
	AT(super, magic, 0),
	AT(super, csum, 8),
	AT(super, compat, 16),
	AT(super, ro_compat, 24),
	AT(super, incompat, 32),
	AT(super, uuid, 40),
	AT(super, label, 56),
	AT(super, blocks, 88),
	AT(super, log_start, 96),
	AT(super, log_blocks, 104),
	AT(super, bitmap_start, 112),
	AT(super, bitmap_blocks, 120),
	AT(super, root_ino, 128),
	AT(super, mkfs_time, 136),
	AT(super, block_shift, 144),
	AT(super, reserved0, 148),
	AT(super, name_key, 152),
	AT(super, reserved, 168),
	SIZE(slot, 512),
	AT(slot, magic, 0),
	AT(slot, reserved0, 4),
	AT(slot, csum, 8),
	AT(slot, counter, 16),
	AT(slot, nonce, 24),
	AT(slot, tail_seq, 32),
	AT(slot, tail_pos, 40),
	AT(slot, time, 48),
	AT(slot, reserved, 56),
	SIZE(mmp, 512),
	AT(mmp, magic, 0),
	AT(mmp, interval, 4),
	AT(mmp, csum, 8),
	AT(mmp, owner, 16),
	AT(mmp, seq, 24),
	AT(mmp, time, 32),
	AT(mmp, node, 40),
	AT(mmp, device, 104),
	AT(mmp, reserved, 136),
	SIZE(record, 96),
	AT(record, magic, 0),
	AT(record, header_blocks, 4),
	AT(record, csum, 8),
	AT(record, uuid, 16),
	AT(record, nonce, 32),
	AT(record, seq, 40),
	AT(record, durable_seq, 48),
	AT(record, nr_images, 56),
	AT(record, csum_kind, 60),
	AT(record, time, 64),
	AT(record, reserved, 72),
	AT(record, home, 96),
	SIZE(header, 64),
	AT(header, magic, 0),
	AT(header, level, 4),
	AT(header, csum, 8),
	AT(header, blkno, 16),
	AT(header, owner, 24),
	AT(header, seq, 32),
	AT(header, reserved, 40),
	SIZE(root, 4096),
	AT(root, orphan_head, 64),
	AT(root, dfree_head, 72),
	AT(root, reserved, 80),
	SIZE(bitmap, 4096),
	AT(bitmap, bits, 64),
	SIZE(inode, 4096),
	AT(inode, mode, 64),
	AT(inode, uid, 68),
	AT(inode, gid, 72),
	AT(inode, nlink, 76),
	AT(inode, size, 80),
	AT(inode, blocks, 88),
	AT(inode, atime, 96),
	AT(inode, mtime, 104),
	AT(inode, ctime, 112),
	AT(inode, btime, 120),
	AT(inode, atime_ns, 128),
	AT(inode, mtime_ns, 132),
	AT(inode, ctime_ns, 136),
	AT(inode, btime_ns, 140),
	AT(inode, generation, 144),
	AT(inode, flags, 148),
	AT(inode, rdev, 152),
	AT(inode, orphan_next, 160),
	AT(inode, parent, 168),
	AT(inode, entries, 176),
	AT(inode, map_depth, 184),
	AT(inode, dir_depth, 188),
	AT(inode, rest, 192),
	AT(inode, xattr, 200),
	AT(inode, xattrs, 208),
	AT(inode, ptr, 512),
	AT(inode, symlink, 512),
	SIZE(rest, 4096),
	AT(rest, target, 64),
	SIZE(xattrs, 4096),
	AT(xattrs, area, 64),
	SIZE(value, 4096),
	AT(value, data, 64),
	AT(xattr, value_len, 0),
	AT(xattr, prefix, 4),
	AT(xattr, name_len, 5),
	AT(xattr, name, 8),
	SIZE(map, 4096),
	AT(map, ptr, 64),
	SIZE(dir, 4096),
	AT(dir, prefix, 64),
	AT(dir, used, 72),
	AT(dir, count, 76),
	AT(dir, data, 80),
	AT(dirent, position, 0),
	AT(dirent, ino, 8),
	AT(dirent, type, 16),
	AT(dirent, name_len, 17),
	AT(dirent, name, 18),
	{ "length of an entry with 1 byte", MSYNCFS_DIRENT_LEN(1), 24 },
	{ "length of an entry with 6 bytes", MSYNCFS_DIRENT_LEN(6), 24 },
	{ "length of an entry with 7 bytes", MSYNCFS_DIRENT_LEN(7), 32 },
	{ "length of an entry with 255 bytes", MSYNCFS_DIRENT_LEN(255), 280 },
};

static void format_places(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		KUNIT_EXPECT_EQ_MSG(test, places[i].is, places[i].want, "%s",
				    places[i].name);
}

struct constant {
	const char	*name;
	u64		is;
	u64		want;
};

#define CONSTANT(name, want)	{ #name, MSYNCFS_##name, want }

static const struct constant constants[] = {
	CONSTANT(BLOCK_SIZE, 4096),
	CONSTANT(SUPER_BLKNO, 0),
	CONSTANT(SLOT_BLKNO, 1),
	CONSTANT(NR_SLOTS, 2),
	CONSTANT(ROOT_BLKNO, 3),
	CONSTANT(BITMAP_BLKNO, 4),
	CONSTANT(GROUP_BLOCKS, 32256),
	CONSTANT(INODE_PTRS, 448),
	CONSTANT(NODE_PTRS, 504),
	CONSTANT(MAX_DEPTH, 5),
	CONSTANT(SYMLINK_MAX, 4095),
	CONSTANT(SYMLINK_INLINE, 3583),
	CONSTANT(XATTR_INLINE, 304),
	CONSTANT(XATTR_ROOM, 4032),
	CONSTANT(XATTR_EMBED, 512),
	CONSTANT(XATTR_MAX, 65536),
	CONSTANT(VALUE_ROOM, 4032),
	CONSTANT(VALUE_BLOCKS, 17),
	CONSTANT(XATTR_USER, 1),
	CONSTANT(XATTR_TRUSTED, 2),
	CONSTANT(XATTR_SECURITY, 3),
	CONSTANT(XATTR_ACCESS, 4),
	CONSTANT(XATTR_DEFAULT, 5),
	CONSTANT(NAME_LEN, 255),
	CONSTANT(POS_BITS, 62),
	CONSTANT(SAME_HASH, 256),
	CONSTANT(DIR_MAX_DEPTH, 52),
	CONSTANT(HOME_META, 0x8000000000000000ULL),
	CONSTANT(HOME_BLKNO, 0x00ffffffffffffffULL),
	CONSTANT(PTR_UNWRITTEN, 0x8000000000000000ULL),
	CONSTANT(PTR_BLKNO, 0x00ffffffffffffffULL),
	CONSTANT(LOG_MIN_BLOCKS, 256),
	CONSTANT(LOG_MAX_BLOCKS, 262144),
	CONSTANT(SUPER_MAGIC, 0x4d53594e),
};

/*
 * The magic numbers. @text has the bytes in the order of a hex dump.
 */
static const struct {
	const char	*text;
	u64		is;
} magics[] = {
	{ "msyncfs1",	MSYNCFS_MAGIC_SUPER },
	{ "TAIL",	MSYNCFS_MAGIC_SLOT },
	{ "REC2",	MSYNCFS_MAGIC_RECORD },
	{ "RECO",	MSYNCFS_MAGIC_RECORD_V1 },
	{ "ROOT",	MSYNCFS_MAGIC_ROOT },
	{ "BMAP",	MSYNCFS_MAGIC_BITMAP },
	{ "INOB",	MSYNCFS_MAGIC_INODES },
	{ "INOD",	MSYNCFS_MAGIC_INODE },
	{ "MAPN",	MSYNCFS_MAGIC_MAP },
	{ "DIRB",	MSYNCFS_MAGIC_DIR },
	{ "REST",	MSYNCFS_MAGIC_REST },
	{ "XATR",	MSYNCFS_MAGIC_XATTR },
	{ "XVAL",	MSYNCFS_MAGIC_VALUE },
};

static void format_constants(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(constants); i++)
		KUNIT_EXPECT_EQ_MSG(test, constants[i].is, constants[i].want,
				    "%s", constants[i].name);
	for (i = 0; i < ARRAY_SIZE(magics); i++) {
		__le64 disk = cpu_to_le64(magics[i].is);
		char text[9] = {};

		memcpy(text, &disk, sizeof(disk));
		KUNIT_EXPECT_STREQ(test, text, magics[i].text);
	}
}

/* ---- layout ------------------------------------------------------------- */

struct layout_row {
	const char	*name;
	u64		blocks;
	u64		log;
	int		err;
	u64		bitmaps;
};

static const struct layout_row layout_rows[] = {
	{ "nothing",			0, 256, -ENOSPC },
	{ "one block too small",	293, 256, -ENOSPC },
	{ "smallest",			294, 256, 0, 1 },
	{ "log takes it all",		4096, 4095, -ENOSPC },
	{ "one full group",		32256, 256, 0, 1 },
	{ "a group of one block",	32257, 256, 0, 2 },
	{ "two full groups",		64512, 256, 0, 2 },
	{ "last group partial",		65000, 256, 0, 3 },
	{ "log one block too short",	65000, 255, -EINVAL },
	{ "no log",			65000, 0, -EINVAL },
	{ "longest log",		1048576, 262144, 0, 33 },
	{ "log one block too long",	1048576, 262145, -EINVAL },
	{ "largest",			1ULL << 51, 16384, 0, 69810262082ULL },
	{ "one block too large",	(1ULL << 51) + 1, 16384, -EINVAL },
	{ "all bits",			U64_MAX, U64_MAX, -EINVAL },
	{ "sum wraps",			U64_MAX, 256, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(layout, layout_rows, name);

static void format_layout(struct kunit *test)
{
	const struct layout_row *row = test->param_value;
	struct msyncfs_geo geo, before;
	int err;

	memset(&geo, 0x5a, sizeof(geo));
	before = geo;
	err = msyncfs_layout(row->blocks, row->log, 0, &geo);
	KUNIT_ASSERT_EQ(test, err, row->err);
	if (err) {
		KUNIT_EXPECT_MEMEQ(test, &geo, &before, sizeof(geo));
		return;
	}
	KUNIT_EXPECT_EQ(test, geo.blocks, row->blocks);
	KUNIT_EXPECT_EQ(test, geo.bitmap_start, 4);
	KUNIT_EXPECT_EQ(test, geo.bitmap_blocks, row->bitmaps);
	KUNIT_EXPECT_EQ(test, geo.log_start, 4 + row->bitmaps);
	KUNIT_EXPECT_EQ(test, geo.log_blocks, row->log);
	KUNIT_EXPECT_EQ(test, geo.root_ino, 4 + row->bitmaps + row->log);
	/* At least 32 data blocks lie before the backup superblock. */
	KUNIT_EXPECT_GE(test, geo.blocks, geo.root_ino + 33);
	KUNIT_EXPECT_EQ(test, geo.seed, before.seed);
	KUNIT_EXPECT_MEMEQ(test, geo.uuid, before.uuid, sizeof(geo.uuid));
}

/*
 * A device of 65000 blocks has its bitmaps in blocks 4..6, the log in blocks
 * 7..262, data in blocks 263..64998, and the backup superblock in block 64999.
 */
struct area_row {
	const char	*name;
	u64		blkno;
	bool		data;
	bool		home;
};

static const struct area_row area_rows[] = {
	{ "superblock",		0, false, false },
	{ "first slot",		1, false, false },
	{ "second slot",	2, false, false },
	{ "root block",		3, false, true },
	{ "first bitmap",	4, false, true },
	{ "last bitmap",	6, false, true },
	{ "first of the log",	7, false, false },
	{ "last of the log",	262, false, false },
	{ "first of the data",	263, true, true },
	{ "last of the data",	64998, true, true },
	{ "backup superblock",	64999, false, false },
	{ "past the end",	65000, false, false },
	{ "bit 56",		(1ULL << 56) | 263, false, false },
	{ "bit 63",		(1ULL << 63) | 263, false, false },
	{ "all bits",		U64_MAX, false, false },
};

KUNIT_ARRAY_PARAM_DESC(area, area_rows, name);

static void format_area(struct kunit *test)
{
	const struct area_row *row = test->param_value;
	struct msyncfs_geo geo = {};

	KUNIT_ASSERT_EQ(test, msyncfs_layout(65000, 256, 0, &geo), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_is_data(&geo, row->blkno), row->data);
	KUNIT_EXPECT_EQ(test, msyncfs_is_home(&geo, row->blkno), row->home);
}

static void format_map_capacity(struct kunit *test)
{
	static const u64 want[] = {
		448, 225792, 113799168, 57354780672ULL, 28906809458688ULL,
		14569031967178752ULL,
	};
	unsigned int depth;

	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(want), MSYNCFS_MAX_DEPTH + 1);
	for (depth = 0; depth < ARRAY_SIZE(want); depth++)
		KUNIT_EXPECT_EQ(test, msyncfs_map_capacity(depth), want[depth]);
	/*
	 * A map of the maximum depth has a pointer for each page that a loff_t
	 * can address.
	 */
	KUNIT_EXPECT_GE(test, want[MSYNCFS_MAX_DEPTH], 1ULL << 51);
}

/*
 * For each image, a record header has a home block number of 8 bytes and a
 * checksum of 4 bytes.
 */
static void format_record_header(struct kunit *test)
{
	static const struct { u32 nr; u32 want; } rows[] = {
		{ 0, 1 }, { 1, 1 }, { 333, 1 }, { 334, 2 }, { 674, 2 },
		{ 675, 3 }, { 65535, 193 }, { U32_MAX, 12582913 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    msyncfs_record_header_blocks(rows[i].nr),
				    rows[i].want, "%u images", rows[i].nr);
}

/* ---- checksums and hashes ----------------------------------------------- */

static void test_geo(struct kunit *test, struct msyncfs_geo *geo)
{
	unsigned int i;

	memset(geo, 0, sizeof(*geo));
	KUNIT_ASSERT_EQ(test, msyncfs_layout(65000, 256, 0, geo), 0);
	for (i = 0; i < sizeof(geo->uuid); i++)
		geo->uuid[i] = i + 1;
	geo->seed = xxh64(geo->uuid, sizeof(geo->uuid), 0);
	geo->hash_room = MSYNCFS_HASH_ROOM;
	geo->name_key.key[0] = 0x0706050403020100ULL;
	geo->name_key.key[1] = 0x0f0e0d0c0b0a0908ULL;
}

/* The expected values come from the reference implementation of xxHash. */
static void format_csum(struct kunit *test)
{
	struct msyncfs_geo geo;
	u8 zero[8] = {}, *buf;
	unsigned int i;
	u64 csum;

	test_geo(test, &geo);
	KUNIT_EXPECT_EQ(test, geo.seed, 0x3b90396ee396dd85ULL);
	KUNIT_EXPECT_EQ(test, msyncfs_csum(zero, 8, 0, 0),
			0x34c96acdcadb1bbbULL);

	buf = kunit_kzalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (i = 0; i < MSYNCFS_BLOCK_SIZE; i++)
		buf[i] = i % 251;
	csum = msyncfs_csum(buf, MSYNCFS_BLOCK_SIZE, 8, geo.seed);
	KUNIT_EXPECT_EQ(test, csum, 0xb161ed4ef40329e8ULL);

	KUNIT_EXPECT_EQ(test, msyncfs_image_csum(&geo, MSYNCFS_CSUM_CRC32C, buf),
			0x8e6f8803);
	KUNIT_EXPECT_EQ(test, msyncfs_image_csum(&geo, MSYNCFS_CSUM_XXH64, buf),
			0xf2ce290b);

	/* The checksum covers everything except its own field. */
	memset(buf + 8, 0xff, 8);
	KUNIT_EXPECT_EQ(test, msyncfs_csum(buf, MSYNCFS_BLOCK_SIZE, 8,
					   geo.seed), csum);
	for (i = 0; i < MSYNCFS_BLOCK_SIZE; i = i < 20 ? i + 1 : i * 2 + 1) {
		if (i >= 8 && i < 16)
			continue;
		buf[i] ^= 0x10;
		KUNIT_EXPECT_NE_MSG(test, csum,
				    msyncfs_csum(buf, MSYNCFS_BLOCK_SIZE, 8,
						 geo.seed), "byte %u", i);
		buf[i] ^= 0x10;
	}
	KUNIT_EXPECT_NE(test, msyncfs_csum(buf, MSYNCFS_BLOCK_SIZE, 8, 0),
			csum);
}

/* The expected values come from the SipHash of the tools. */
static void format_name_hash(struct kunit *test)
{
	struct msyncfs_geo geo;

	test_geo(test, &geo);
	KUNIT_EXPECT_EQ(test, msyncfs_name_hash(&geo, "a", 1),
			0xae8fa3a69c40000ULL);
	KUNIT_EXPECT_EQ(test, msyncfs_name_hash(&geo, "hello", 5),
			0x13ece615d80000ULL);
	/* The hash covers only the given number of bytes. */
	KUNIT_EXPECT_EQ(test, msyncfs_name_hash(&geo, "hello, world", 5),
			0x13ece615d80000ULL);
	/* The hash depends on the key, but not on the UUID, which is no secret. */
	geo.seed = 0;
	memset(geo.uuid, 0, sizeof(geo.uuid));
	KUNIT_EXPECT_EQ(test, msyncfs_name_hash(&geo, "a", 1),
			0xae8fa3a69c40000ULL);
	geo.name_key.key[1]++;
	KUNIT_EXPECT_EQ(test, msyncfs_name_hash(&geo, "a", 1),
			0x3db315099d840000ULL);
	/* A position is a hash and a number of 8 bits. */
	KUNIT_EXPECT_EQ(test, msyncfs_pos_hash(&geo, 0x3db315099d840000ULL + 0x3fc00),
			0x3db315099d840000ULL);
	KUNIT_EXPECT_EQ(test, msyncfs_pos_hash(&geo, 0x3db315099d840000ULL + 0x40000),
			0x3db315099d880000ULL);
	/* An older version has made the filesystem: xxh64, which the seed changes. */
	test_geo(test, &geo);
	geo.hash_room = 1;
	KUNIT_EXPECT_EQ(test, msyncfs_name_hash(&geo, "hello", 5),
			0x3c15084b03a309abULL);
	geo.seed = 0;
	KUNIT_EXPECT_EQ(test, msyncfs_name_hash(&geo, "a", 1),
			0x3493b13c6a631b96ULL);
}

/* ---- superblock and tail slots ------------------------------------------ */

struct field_row {
	const char	*name;
	u16		at;
	u16		width;
	u64		value;
	bool		raw;	/* do not update the checksum */
	const char	*why;	/* NULL: the block is still valid */
};

#define FIELD(type, field, value, why) \
	{ #field " = " #value, offsetof(struct msyncfs_disk_##type, field), \
	  sizeof_field(struct msyncfs_disk_##type, field), value, false, why }
#define BYTE(at, value, why) \
	{ "byte " #at " = " #value, at, 1, value, false, why }

static void poke(void *buf, const struct field_row *row)
{
	__le64 value = cpu_to_le64(row->value);

	memcpy(buf + row->at, &value, row->width);
}

static void expect_reason(struct kunit *test, const char *got, const char *want)
{
	if (!want)
		KUNIT_EXPECT_PTR_EQ_MSG(test, got, NULL, "%s", got);
	else if (got)
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(got, want),
					  "\"%s\" is not \"%s\"", got, want);
	else
		KUNIT_FAIL(test, "accepted, expected \"%s\"", want);
}

static const struct field_row super_rows[] = {
	{ "good" },
	FIELD(super, magic, MSYNCFS_MAGIC_SUPER + 1, "no msyncfs superblock"),
	{ "checksum", 8, 8, 1, true, "wrong checksum" },
	{ "damaged label", 56, 1, 'x', true, "wrong checksum" },
	FIELD(super, block_shift, 13, "unsupported block size"),
	BYTE(148, 1, "reserved bytes"),
	BYTE(168, 1, "reserved bytes"),
	BYTE(511, 1, "reserved bytes"),
	FIELD(super, blocks, 65001, "larger than the device"),
	FIELD(super, blocks, U64_MAX, "larger than the device"),
	FIELD(super, blocks, 280, "impossible size"),
	FIELD(super, log_blocks, 255, "impossible size"),
	FIELD(super, log_blocks, 1ULL << 63, "impossible size"),
	FIELD(super, blocks, 64512, "bitmaps are not"),
	FIELD(super, bitmap_start, 5, "bitmaps are not"),
	FIELD(super, bitmap_blocks, 2, "bitmaps are not"),
	FIELD(super, log_start, 8, "log is not"),
	FIELD(super, log_blocks, 257, "root directory is not"),
	FIELD(super, root_ino, 264, "root directory is not"),
	FIELD(super, incompat, MSYNCFS_INCOMPAT_MMP, "root directory is not"),
	FIELD(super, incompat, MSYNCFS_INCOMPAT_INODES, "log is not"),
	FIELD(super, incompat, MSYNCFS_INCOMPAT_INODES | 1ULL << 40,
	      "unknown incompatible"),
	/*
	 * The superblocks in the following rows are valid. The filesystem may
	 * be smaller than the device. msyncfs_verify_super() does not check the
	 * other feature words, because its caller checks them.
	 */
	FIELD(super, blocks, 64999, NULL),
	FIELD(super, compat, 1, NULL),
	FIELD(super, ro_compat, 2, NULL),
	FIELD(super, incompat, 15, NULL),
	FIELD(super, mkfs_time, U64_MAX, NULL),
};

KUNIT_ARRAY_PARAM_DESC(super, super_rows, name);

static void make_super(struct kunit *test, struct msyncfs_disk_super *ds)
{
	struct msyncfs_geo geo;

	test_geo(test, &geo);
	memset(ds, 0, sizeof(*ds));
	ds->magic = cpu_to_le64(MSYNCFS_MAGIC_SUPER);
	memcpy(ds->uuid, geo.uuid, sizeof(ds->uuid));
	ds->blocks = cpu_to_le64(geo.blocks);
	ds->log_start = cpu_to_le64(geo.log_start);
	ds->log_blocks = cpu_to_le64(geo.log_blocks);
	ds->bitmap_start = cpu_to_le64(geo.bitmap_start);
	ds->bitmap_blocks = cpu_to_le64(geo.bitmap_blocks);
	ds->root_ino = cpu_to_le64(geo.root_ino);
	ds->block_shift = cpu_to_le32(MSYNCFS_BLOCK_SHIFT);
	ds->incompat = cpu_to_le64(MSYNCFS_INCOMPAT_DEFAULT &
				   ~MSYNCFS_INCOMPAT_INODES);
	ds->name_key[0] = cpu_to_le64(geo.name_key.key[0]);
	ds->name_key[1] = cpu_to_le64(geo.name_key.key[1]);
	msyncfs_seal_super(ds);
}

static void format_super(struct kunit *test)
{
	const struct field_row *row = test->param_value;
	struct msyncfs_geo geo, want, before;
	struct msyncfs_disk_super *ds;
	const char *why;

	ds = kunit_kzalloc(test, sizeof(*ds), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ds);
	make_super(test, ds);
	poke(ds, row);
	if (!row->raw)
		msyncfs_seal_super(ds);

	memset(&geo, 0x5a, sizeof(geo));
	before = geo;
	why = msyncfs_verify_super(ds, 65000, &geo);
	expect_reason(test, why, row->why);
	if (why) {
		KUNIT_EXPECT_MEMEQ(test, &geo, &before, sizeof(geo));
		return;
	}
	test_geo(test, &want);
	want.blocks = le64_to_cpu(ds->blocks);
	KUNIT_EXPECT_MEMEQ(test, &geo, &want, sizeof(geo));
}

/* If any single bit is flipped, the check must notice the error. */
static void format_super_bits(struct kunit *test)
{
	struct msyncfs_disk_super *ds;
	struct msyncfs_geo geo;
	unsigned int bit;

	ds = kunit_kzalloc(test, sizeof(*ds), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ds);
	make_super(test, ds);
	for (bit = 0; bit < 8 * sizeof(*ds); bit++) {
		((u8 *)ds)[bit / 8] ^= 1U << bit % 8;
		KUNIT_EXPECT_NOT_NULL_MSG(test,
					  msyncfs_verify_super(ds, 65000, &geo),
					  "bit %u", bit);
		((u8 *)ds)[bit / 8] ^= 1U << bit % 8;
	}
	KUNIT_EXPECT_NULL(test, msyncfs_verify_super(ds, 65000, &geo));
}

static const struct field_row slot_rows[] = {
	{ "good" },
	{ "magic", 0, 4, MSYNCFS_MAGIC_RECORD, true, "no tail slot" },
	{ "checksum", 8, 8, 1, true, "wrong checksum" },
	{ "damaged time", 48, 8, 1, true, "wrong checksum" },
	FIELD(slot, reserved0, 1, "reserved bytes"),
	BYTE(56, 1, "reserved bytes"),
	BYTE(511, 1, "reserved bytes"),
	FIELD(slot, counter, 0, "counter of the tail slot"),
	FIELD(slot, tail_seq, 0, "impossible sequence"),
	FIELD(slot, tail_seq, 1ULL << 63, "impossible sequence"),
	FIELD(slot, tail_pos, 256, "outside the log"),
	FIELD(slot, tail_pos, U64_MAX, "outside the log"),
	FIELD(slot, tail_pos, 255, NULL),
	FIELD(slot, tail_seq, S64_MAX, NULL),
	FIELD(slot, counter, S64_MAX, NULL),
	FIELD(slot, counter, U64_MAX, "out of range"),
	FIELD(slot, nonce, 0, NULL),
};

KUNIT_ARRAY_PARAM_DESC(slot, slot_rows, name);

static void make_slot(const struct msyncfs_geo *geo,
		      struct msyncfs_disk_slot *slot)
{
	memset(slot, 0, sizeof(*slot));
	slot->counter = cpu_to_le64(7);
	slot->nonce = cpu_to_le64(0x1122334455667788ULL);
	slot->tail_seq = cpu_to_le64(12);
	slot->tail_pos = cpu_to_le64(34);
	msyncfs_seal_slot(geo, slot);
}

static void format_slot(struct kunit *test)
{
	const struct field_row *row = test->param_value;
	struct msyncfs_disk_slot *slot;
	struct msyncfs_geo geo;

	slot = kunit_kzalloc(test, sizeof(*slot), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, slot);
	test_geo(test, &geo);
	make_slot(&geo, slot);
	poke(slot, row);
	if (!row->raw)
		msyncfs_seal_slot(&geo, slot);
	expect_reason(test, msyncfs_verify_slot(&geo, slot), row->why);
}

static const struct field_row mmp_rows[] = {
	{ "good" },
	{ "magic", 0, 4, MSYNCFS_MAGIC_SLOT, true, "no multi-mount" },
	{ "checksum", 8, 8, 1, true, "wrong checksum" },
	{ "damaged time", 32, 8, 1, true, "wrong checksum" },
	BYTE(136, 1, "reserved bytes"),
	BYTE(511, 1, "reserved bytes"),
	FIELD(mmp, interval, 99, "impossible interval"),
	FIELD(mmp, interval, 60001, "impossible interval"),
	FIELD(mmp, interval, 60000, NULL),
	FIELD(mmp, seq, U64_MAX, NULL),
	FIELD(mmp, owner, U64_MAX, NULL),
};

KUNIT_ARRAY_PARAM_DESC(mmp, mmp_rows, name);

static void format_mmp(struct kunit *test)
{
	const struct field_row *row = test->param_value;
	struct msyncfs_disk_mmp *mmp;
	struct msyncfs_geo geo;

	mmp = kunit_kzalloc(test, sizeof(*mmp), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mmp);
	test_geo(test, &geo);
	mmp->interval = cpu_to_le32(MSYNCFS_MMP_INTERVAL_MIN);
	msyncfs_seal_mmp(&geo, mmp);
	poke(mmp, row);
	if (!row->raw)
		msyncfs_seal_mmp(&geo, mmp);
	expect_reason(test, msyncfs_verify_mmp(&geo, mmp), row->why);
}

/* The block of the multi-mount protection lies between the log and the data. */
static void format_mmp_layout(struct kunit *test)
{
	struct msyncfs_geo geo;

	KUNIT_ASSERT_EQ(test, msyncfs_layout(294, 256, MSYNCFS_INCOMPAT_MMP,
					     &geo), -ENOSPC);
	KUNIT_ASSERT_EQ(test, msyncfs_layout(65000, 256, MSYNCFS_INCOMPAT_MMP,
					     &geo), 0);
	KUNIT_EXPECT_EQ(test, geo.mmp_blkno, 263);
	KUNIT_EXPECT_EQ(test, geo.root_ino, 264);
	KUNIT_EXPECT_FALSE(test, msyncfs_is_home(&geo, 263));
	KUNIT_EXPECT_TRUE(test, msyncfs_is_data(&geo, 264));
	KUNIT_ASSERT_EQ(test, msyncfs_layout(65000, 256,
					     MSYNCFS_INCOMPAT_DEFAULT, &geo), 0);
	KUNIT_EXPECT_EQ(test, geo.mmp_blkno, 0);
}

/* Set one more bit in the inode bitmap, and return what is wrong with the block. */
static const char *with_bit(const struct msyncfs_geo *geo,
			    struct msyncfs_disk_bitmap *bm, u64 bit)
{
	const char *why;

	__set_bit_le(bit % MSYNCFS_GROUP_BLOCKS, bm->bits);
	msyncfs_seal_block(geo, bm, 0);
	why = msyncfs_verify_block(geo, bm, le64_to_cpu(bm->h.blkno),
				   MSYNCFS_MAGIC_INODES,
				   div_u64(bit, MSYNCFS_GROUP_BLOCKS));
	__clear_bit_le(bit % MSYNCFS_GROUP_BLOCKS, bm->bits);
	return why;
}

/* The inode bitmap lies before the log. Only blocks of the data area are inodes. */
static void format_inode_bitmap(struct kunit *test)
{
	struct msyncfs_disk_bitmap *bm = kunit_kzalloc(test, sizeof(*bm),
						       GFP_KERNEL);
	struct msyncfs_geo geo = {};
	u64 i;

	KUNIT_ASSERT_NOT_NULL(test, bm);
	KUNIT_ASSERT_EQ(test, msyncfs_layout(294, 256, MSYNCFS_INCOMPAT_INODES,
					     &geo), -ENOSPC);
	KUNIT_ASSERT_EQ(test, msyncfs_layout(65000, 256, MSYNCFS_INCOMPAT_INODES,
					     &geo), 0);
	KUNIT_EXPECT_EQ(test, geo.inodes_start, 7);
	KUNIT_EXPECT_EQ(test, geo.log_start, 10);
	KUNIT_EXPECT_EQ(test, geo.root_ino, 266);
	KUNIT_EXPECT_TRUE(test, msyncfs_is_home(&geo, 9));
	KUNIT_EXPECT_FALSE(test, msyncfs_is_home(&geo, 10));

	KUNIT_EXPECT_EQ(test, msyncfs_init_bitmap(&geo, bm, MSYNCFS_MAGIC_INODES,
						  0), 7);
	KUNIT_EXPECT_NULL(test, with_bit(&geo, bm, 266));
	KUNIT_EXPECT_NULL(test, with_bit(&geo, bm, 32255));
	for (i = 0; i < 266; i++)
		KUNIT_EXPECT_NOT_NULL_MSG(test, with_bit(&geo, bm, i), "%llu", i);
	bm->h.blkno = cpu_to_le64(4);
	expect_reason(test, with_bit(&geo, bm, 266), "bitmap of another group");

	KUNIT_EXPECT_EQ(test, msyncfs_init_bitmap(&geo, bm, MSYNCFS_MAGIC_INODES,
						  2), 9);
	KUNIT_EXPECT_NULL(test, with_bit(&geo, bm, 64998));
	for (i = 64999; i < 65000 + 100; i++)
		KUNIT_EXPECT_NOT_NULL_MSG(test, with_bit(&geo, bm, i), "%llu", i);
	geo.inodes_start = 0;
	expect_reason(test, with_bit(&geo, bm, 64998), "bitmap of another group");
}

static void format_slot_bits(struct kunit *test)
{
	struct msyncfs_disk_slot *slot;
	struct msyncfs_geo geo;
	unsigned int bit;

	slot = kunit_kzalloc(test, sizeof(*slot), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, slot);
	test_geo(test, &geo);
	make_slot(&geo, slot);
	for (bit = 0; bit < 8 * sizeof(*slot); bit++) {
		((u8 *)slot)[bit / 8] ^= 1U << bit % 8;
		KUNIT_EXPECT_NOT_NULL_MSG(test,
					  msyncfs_verify_slot(&geo, slot),
					  "bit %u", bit);
		((u8 *)slot)[bit / 8] ^= 1U << bit % 8;
	}
	KUNIT_EXPECT_NULL(test, msyncfs_verify_slot(&geo, slot));
	/*
	 * The seed of the checksum belongs to the filesystem, so a slot of
	 * another filesystem is not valid.
	 */
	geo.seed++;
	KUNIT_EXPECT_NOT_NULL(test, msyncfs_verify_slot(&geo, slot));
}

static struct kunit_case format_cases[] = {
	KUNIT_CASE(format_places),
	KUNIT_CASE(format_constants),
	KUNIT_CASE_PARAM(format_layout, layout_gen_params),
	KUNIT_CASE_PARAM(format_area, area_gen_params),
	KUNIT_CASE(format_map_capacity),
	KUNIT_CASE(format_record_header),
	KUNIT_CASE(format_csum),
	KUNIT_CASE(format_name_hash),
	KUNIT_CASE_PARAM(format_super, super_gen_params),
	KUNIT_CASE(format_super_bits),
	KUNIT_CASE_PARAM(format_slot, slot_gen_params),
	KUNIT_CASE(format_slot_bits),
	KUNIT_CASE_PARAM(format_mmp, mmp_gen_params),
	KUNIT_CASE(format_mmp_layout),
	KUNIT_CASE(format_inode_bitmap),
	{}
};

static struct kunit_suite format_suite = {
	.name		= "msyncfs_format",
	.test_cases	= format_cases,
};

kunit_test_suite(format_suite);
