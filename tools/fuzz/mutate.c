// SPDX-License-Identifier: GPL-2.0
/*
 * This file damages images. It knows the on-disk format: it finds the metadata blocks of
 * a base image and the records of its log, and changes fields, pointers, entries, bits and
 * bytes of them. In most cases it then mends the checksums, so that the damage is found
 * by the checks behind the checksums, or not at all.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#define MAX_TARGETS	2048
#define MAX_RECORDS	64

/* A kind of structure. The log contains images of metadata, so RECORD is not one block. */
enum kind {
	SUPER, SLOT, MMP, ROOT, BITMAP, RECORD, INODE, MAP, DIR, REST, XATTR, VALUE, NR_KINDS
};

static const char * const kind_names[] = {
	"superblock", "tail slot", "mmp block", "root block", "bitmap", "record", "inode",
	"map node", "directory leaf", "rest of a symbolic link", "block of attributes",
	"value of an attribute",
};

/**
 * struct target - a structure that can be damaged
 * @kind: what it is
 * @blkno: block of the image
 * @record: index in base.records plus 1, if the block is part of a record; else 0
 * @index: number of the image in the record
 */
struct target {
	enum kind	kind;
	u64		blkno;
	unsigned int	record;
	unsigned int	index;
};

static struct base {
	struct image		im;
	struct msyncfs_geo	geo;
	struct target		targets[MAX_TARGETS];
	unsigned int		nr;
	u64			records[MAX_RECORDS];
	unsigned int		nr_records;
} bases[NR_BASES];

/* The damage that is being made. */
static struct {
	struct rng	rng;
	struct base	*base;
	struct image	im;
	FILE		*out;
} now;

static u64 below(u64 n)
{
	return rng_below(&now.rng, n);
}

static bool chance(unsigned int percent)
{
	return below(100) < percent;
}

__printf(1, 2)
static void say(const char *fmt, ...)
{
	va_list ap;

	if (!now.out)
		return;
	va_start(ap, fmt);
	vfprintf(now.out, fmt, ap);
	va_end(ap);
}

static u8 *block(u64 blkno)
{
	return now.im.b + blkno * BLK;
}

/* ---- the structures of a base image ---- */

static void add(struct base *b, enum kind what, u64 blkno, unsigned int record,
		unsigned int index)
{
	if (b->nr < MAX_TARGETS)
		b->targets[b->nr++] = (struct target){ what, blkno, record, index };
}

static void add_block(struct base *b, u64 at, u64 home, unsigned int record,
		      unsigned int index)
{
	const struct msyncfs_disk_header *h = (void *)(b->im.b + at * BLK);
	static const struct {
		u32		magic;
		enum kind	kind;
	} kinds[] = {
		{ MSYNCFS_MAGIC_ROOT, ROOT }, { MSYNCFS_MAGIC_BITMAP, BITMAP },
		{ MSYNCFS_MAGIC_INODES, BITMAP },
		{ MSYNCFS_MAGIC_INODE, INODE }, { MSYNCFS_MAGIC_MAP, MAP },
		{ MSYNCFS_MAGIC_DIR, DIR }, { MSYNCFS_MAGIC_REST, REST },
		{ MSYNCFS_MAGIC_XATTR, XATTR }, { MSYNCFS_MAGIC_VALUE, VALUE },
	};
	unsigned int i;

	if (le64_to_cpu(h->blkno) != home)
		return;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (le32_to_cpu(h->magic) == kinds[i].magic)
			add(b, kinds[i].kind, at, record, index);
}

static int read_log(void *ctx, u64 pos, u32 nr, void *buf)
{
	struct base *b = ctx;

	memcpy(buf, b->im.b + (b->geo.log_start + pos) * BLK, (size_t)nr * BLK);
	return 0;
}

static int note_record(void *ctx, const struct msyncfs_disk_record *rec, u64 pos)
{
	struct base *b = ctx;
	u64 at = b->geo.log_start + pos;
	u32 i;

	if (b->nr_records == MAX_RECORDS)
		return 0;
	b->records[b->nr_records++] = at;
	add(b, RECORD, at, 0, 0);
	at += le32_to_cpu(rec->header_blocks);
	for (i = 0; i < le32_to_cpu(rec->nr_images); i++)
		add_block(b, at + i, le64_to_cpu(rec->home[i]) & MSYNCFS_HOME_BLKNO,
			  b->nr_records, i);
	return 0;
}

static void find_records(struct base *b)
{
	struct msyncfs_log_reader r = {
		.geo = &b->geo, .read = read_log, .ctx = b,
		.buf = malloc(MSYNCFS_SCAN_BLOCKS * BLK),
		.header = malloc(msyncfs_record_header_blocks(b->geo.record_images) * BLK),
	};
	const struct msyncfs_disk_slot *s, *best = NULL;
	struct msyncfs_log_end end;
	u64 i;

	for (i = 1; i < 3; i++) {
		s = (void *)(b->im.b + i * BLK);
		if (!msyncfs_verify_slot(&b->geo, s) &&
		    (!best || le64_to_cpu(s->counter) > le64_to_cpu(best->counter)))
			best = s;
	}
	if (best)
		msyncfs_log_scan(&r, best, note_record, &end);
	free(r.buf);
	free(r.header);
}

/* fsck waits for some intervals, in real time. */
static void shorten_interval(struct base *b, u8 *at)
{
	struct msyncfs_disk_mmp *mmp = (void *)at;

	mmp->interval = cpu_to_le32(MSYNCFS_MMP_INTERVAL_MIN);
	msyncfs_seal_mmp(&b->geo, mmp);
}

static void find_targets(struct base *b)
{
	u64 i;

	if (msyncfs_verify_super((void *)b->im.b, b->im.blocks, &b->geo))
		die("a base image has no superblock");
	add(b, SUPER, 0, 0, 0);
	add(b, SUPER, b->geo.blocks - 1, 0, 0);
	add(b, SLOT, 1, 0, 0);
	add(b, SLOT, 2, 0, 0);
	if (b->geo.mmp_blkno) {
		add(b, MMP, b->geo.mmp_blkno, 0, 0);
		shorten_interval(b, b->im.b + b->geo.mmp_blkno * BLK);
	}
	find_records(b);
	for (i = 3; i < b->geo.blocks - 1; i++)
		if (i < b->geo.log_start || msyncfs_is_data(&b->geo, i))
			add_block(b, i, i, 0, 0);
}

/* Make an image of zeros. Its memory suits O_DIRECT. Nobody frees the memory. */
struct image image_new(u64 blocks)
{
	struct image im = { .b = aligned_alloc(BLK, blocks * BLK), .blocks = blocks };

	if (!im.b)
		die("out of memory");
	memset(im.b, 0, blocks * BLK);
	return im;
}

/* Read an image file into memory. */
struct image image_read(const char *path)
{
	struct image im;
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	im = image_new(st.st_size / BLK);
	if (read(fd, im.b, im.blocks * BLK) != (ssize_t)(im.blocks * BLK))
		die("%s: cannot be read", path);
	close(fd);
	return im;
}

/* Read the base images of a directory. */
void bases_load(const char *dir)
{
	char path[256];
	int i;

	for (i = 0; i < NR_BASES; i++) {
		snprintf(path, sizeof(path), "%s/base%d.img", dir, i);
		bases[i].im = image_read(path);
		find_targets(&bases[i]);
	}
}

/* ---- checksums ---- */

static void mend_record(u64 at)
{
	struct msyncfs_disk_record *rec = (void *)block(at);
	size_t used = msyncfs_record_used(le32_to_cpu(rec->nr_images));

	if (used > (now.base->geo.blocks - at) * BLK)
		return;
	rec->csum = cpu_to_le64(msyncfs_csum(rec, used, offsetof(typeof(*rec), csum),
					     now.base->geo.seed));
}

static void mend_image(const struct target *t)
{
	u64 at = now.base->records[t->record - 1];
	struct msyncfs_disk_record *rec = (void *)block(at);
	u32 nr = le32_to_cpu(rec->nr_images);
	size_t off = msyncfs_record_csums(nr) + 4 * (size_t)t->index;

	/* The number of images may be damaged already. */
	if (t->index >= nr || off + 4 > (t->blkno - at) * BLK)
		return;
	*(__le32 *)(block(at) + off) =
		cpu_to_le32(msyncfs_image_csum(&now.base->geo, le32_to_cpu(rec->csum_kind),
					       block(t->blkno)));
	mend_record(at);
}

static void mend(const struct target *t)
{
	struct msyncfs_disk_header *h = (void *)block(t->blkno);

	switch (t->kind) {
	case SUPER:
		msyncfs_seal_super((void *)h);
		return;
	case SLOT: {
		struct msyncfs_disk_slot *s = (void *)h;

		s->csum = cpu_to_le64(msyncfs_csum(s, sizeof(*s), offsetof(typeof(*s), csum),
						   now.base->geo.seed));
		return;
	}
	case MMP: {
		struct msyncfs_disk_mmp *m = (void *)h;

		m->csum = cpu_to_le64(msyncfs_csum(m, sizeof(*m), offsetof(typeof(*m), csum),
						   now.base->geo.seed));
		if (!msyncfs_verify_mmp(&now.base->geo, m))
			shorten_interval(now.base, (u8 *)m);
		return;
	}
	case RECORD:
		mend_record(t->blkno);
		return;
	default:
		h->csum = cpu_to_le64(msyncfs_csum(h, BLK, offsetof(typeof(*h), csum),
						   now.base->geo.seed));
		if (t->record)
			mend_image(t);
	}
}

/* ---- values ---- */

static const struct target *pick(enum kind kind)
{
	const struct target *t, *found = NULL;
	unsigned int i, n = 0;

	for (i = 0; i < now.base->nr; i++) {
		t = &now.base->targets[i];
		if (t->kind == kind && !below(++n))
			found = t;
	}
	return found;
}

/* Return the block number of some structure, data, or any number near the device. */
static u64 some_block(void)
{
	const struct msyncfs_geo *geo = &now.base->geo;
	const struct target *t;

	switch (below(8)) {
	case 0:
		return below(geo->blocks + 8);
	case 1:
		return geo->log_start + below(geo->log_blocks);
	case 2: case 3:
		return geo->root_ino + below(geo->blocks - geo->root_ino);
	default:
		t = pick(chance(50) ? INODE : chance(60) ? MAP : DIR);
		if (!t)
			return geo->root_ino;
		/* The number is in the header, also if this is an image in the log. */
		return le64_to_cpu(((struct msyncfs_disk_header *)block(t->blkno))->blkno);
	}
}

static u64 some_value(u64 old)
{
	static const u64 bounds[] = {
		~0ULL, ~0ULL >> 1, (~0ULL >> 1) - 1, 1ULL << 63, 1ULL << 62, 1ULL << 56,
		(1ULL << 56) - 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe,
		448ULL * BLK, 448ULL * 504 * BLK, 448ULL * BLK + 1, 52, 53, 5, 6, 62, 504,
		MSYNCFS_SYMLINK_INLINE, MSYNCFS_SYMLINK_INLINE + 1,
		MSYNCFS_SYMLINK_MAX, MSYNCFS_SYMLINK_MAX + 1, 4016, 4017, 1000000000,
	};

	switch (below(12)) {
	case 0: case 1:
		return 0;
	case 2:
		return old + 1;
	case 3:
		return old - 1;
	case 4:
		return old ^ 1ULL << below(64);
	case 5:
		return old ^ 1ULL << below(16);
	case 6:
		return rng_next(&now.rng);
	case 7: case 8:
		return some_block();
	case 9:
		return below(20);
	default:
		return bounds[below(ARRAY_SIZE(bounds))];
	}
}

static void put_value(u8 *p, unsigned int size, u64 v)
{
	__le64 le = cpu_to_le64(v);

	memcpy(p, &le, size);
}

static u64 get_value(const u8 *p, unsigned int size)
{
	__le64 le = 0;

	memcpy(&le, p, size);
	return le64_to_cpu(le);
}

/* ---- kinds of damage ---- */

struct field {
	const char	*name;
	unsigned int	off;
	unsigned int	size;
};

#define FIELD(s, f)	{ #f, offsetof(struct msyncfs_disk_##s, f), \
			  sizeof(((struct msyncfs_disk_##s *)0)->f) }

static const struct field super_fields[] = {
	FIELD(super, magic), FIELD(super, compat), FIELD(super, ro_compat),
	FIELD(super, incompat), FIELD(super, blocks), FIELD(super, log_start),
	FIELD(super, log_blocks), FIELD(super, bitmap_start), FIELD(super, bitmap_blocks),
	FIELD(super, root_ino), FIELD(super, block_shift),
};

static const struct field slot_fields[] = {
	FIELD(slot, magic), FIELD(slot, counter), FIELD(slot, nonce), FIELD(slot, tail_seq),
	FIELD(slot, tail_pos), FIELD(slot, time),
};

static const struct field mmp_fields[] = {
	FIELD(mmp, magic), FIELD(mmp, interval), FIELD(mmp, owner), FIELD(mmp, seq),
	FIELD(mmp, time),
};

static const struct field record_fields[] = {
	FIELD(record, magic), FIELD(record, header_blocks), FIELD(record, nonce),
	FIELD(record, seq), FIELD(record, durable_seq), FIELD(record, nr_images),
	FIELD(record, csum_kind),
	{ "home[0]", 96, 8 }, { "home[1]", 104, 8 }, { "home[2]", 112, 8 },
};

static const struct field header_fields[] = {
	FIELD(header, magic), FIELD(header, level), FIELD(header, blkno),
	FIELD(header, owner), FIELD(header, seq),
};

static const struct field root_fields[] = {
	FIELD(root, orphan_head), FIELD(root, dfree_head),
};

static const struct field inode_fields[] = {
	FIELD(inode, mode), FIELD(inode, uid), FIELD(inode, nlink), FIELD(inode, size),
	FIELD(inode, blocks), FIELD(inode, atime), FIELD(inode, mtime), FIELD(inode, atime_ns),
	FIELD(inode, mtime_ns), FIELD(inode, generation), FIELD(inode, flags),
	FIELD(inode, rdev), FIELD(inode, orphan_next), FIELD(inode, parent),
	FIELD(inode, entries), FIELD(inode, map_depth), FIELD(inode, dir_depth),
	FIELD(inode, size), FIELD(inode, blocks), FIELD(inode, map_depth),
	FIELD(inode, rest), FIELD(inode, xattr),
};

static const struct field xattr_fields[] = {
	FIELD(xattr, value_len), FIELD(xattr, prefix), FIELD(xattr, name_len),
	FIELD(xattr, reserved), { "name[0]", MSYNCFS_XATTR_HEADER, 1 },
};

static const struct field dir_fields[] = {
	FIELD(dir, prefix), FIELD(dir, used), FIELD(dir, count),
};

#define FIELDS(k)	{ k##_fields, ARRAY_SIZE(k##_fields) }

static const struct {
	const struct field	*f;
	unsigned int		nr;
} fields[NR_KINDS] = {
	[SUPER] = FIELDS(super), [SLOT] = FIELDS(slot), [MMP] = FIELDS(mmp), [ROOT] = FIELDS(root),
	[RECORD] = FIELDS(record), [INODE] = FIELDS(inode), [DIR] = FIELDS(dir),
};

static void damage_field(const struct target *t)
{
	const struct field *f = NULL;
	u64 old, new;
	u8 *p;

	if (fields[t->kind].nr && (t->kind <= MMP || t->kind == RECORD || chance(85)))
		f = &fields[t->kind].f[below(fields[t->kind].nr)];
	else
		f = &header_fields[below(ARRAY_SIZE(header_fields))];
	p = block(t->blkno) + f->off;
	old = get_value(p, f->size);
	new = some_value(old);
	put_value(p, f->size, new);
	say("%s = %#llx (was %#llx)", f->name, get_value(p, f->size), old);
}

static void damage_bytes(const struct target *t)
{
	unsigned int n = 1 + below(8), off = below(BLK - n), i;

	say("%u bytes at %u", n, off);
	for (i = 0; i < n; i++)
		block(t->blkno)[off + i] = rng_next(&now.rng);
}

/* Overwrite the whole block: with another structure of the same kind, zeros or noise. */
static void damage_block(const struct target *t)
{
	const struct target *other = pick(t->kind);
	struct msyncfs_disk_header *h = (void *)block(t->blkno), old = *h;
	unsigned int i;

	switch (below(6)) {
	case 0:
		say("zeros");
		memset(h, 0, BLK);
		break;
	case 1:
		say("noise");
		for (i = 0; i < BLK; i++)
			block(t->blkno)[i] = rng_next(&now.rng);
		break;
	default:
		say("content of block %llu", other->blkno);
		memmove(h, block(other->blkno), BLK);
		if (t->kind < ROOT || t->kind == RECORD || chance(30))
			break;
		say(", own number");
		h->blkno = old.blkno;
		if (chance(50))
			h->owner = old.owner;
	}
}

/* Return the pointers of an inode or of a map node. */
static __le64 *ptrs(const struct target *t, unsigned int *nr)
{
	if (t->kind == MAP) {
		*nr = MSYNCFS_NODE_PTRS;
		return ((struct msyncfs_disk_map *)block(t->blkno))->ptr;
	}
	*nr = MSYNCFS_INODE_PTRS;
	return ((struct msyncfs_disk_inode *)block(t->blkno))->ptr;
}

static void damage_ptr(const struct target *t)
{
	unsigned int nr, i, n, to, tries = 0;
	__le64 *p = ptrs(t, &nr);
	u64 v;

	do
		i = below(chance(60) ? 16 : nr);
	while (!p[i] && ++tries < 20);
	v = chance(70) ? some_block() : some_value(le64_to_cpu(p[i]));
	if (chance(10))
		v ^= MSYNCFS_PTR_UNWRITTEN;
	if (chance(15))
		v = le64_to_cpu(p[below(nr)]);
	n = chance(85) ? 1 : chance(50) ? 16 : nr;
	to = i + n < nr ? i + n : nr;
	say("ptr[%u..%u] = %#llx (was %#llx)", i, to - 1, v, le64_to_cpu(p[i]));
	for (; i < to; i++)
		p[i] = cpu_to_le64(v);
}

/*
 * Give an inode a map of several levels in which all pointers of a node lead to the same
 * block. Each node takes a block of the data area.
 */
static void damage_tower(const struct target *t)
{
	struct msyncfs_disk_inode *di = (void *)block(t->blkno);
	u64 ino = le64_to_cpu(di->h.blkno), next = some_block(), b;
	unsigned int depth = 1 + below(MSYNCFS_MAX_DEPTH), level, i;
	struct msyncfs_disk_map *node;

	for (level = 1; level <= depth; level++) {
		b = now.base->geo.blocks - 2 - below(40);
		node = (void *)block(b);
		msyncfs_init_block(node, MSYNCFS_MAGIC_MAP, level, b, ino);
		for (i = 0; i < MSYNCFS_NODE_PTRS; i++)
			node->ptr[i] = cpu_to_le64(next);
		msyncfs_seal_block(&now.base->geo, node, 0);
		next = b;
	}
	for (i = 0; i < MSYNCFS_INODE_PTRS; i++)
		di->ptr[i] = cpu_to_le64(next);
	di->map_depth = cpu_to_le32(depth);
	if (chance(70))
		di->size = cpu_to_le64(chance(50) ? ~0ULL >> 1 : 1ULL << (12 + below(50)));
	say("map of depth %u, all pointers equal, size %#llx", depth, le64_to_cpu(di->size));
}

static void damage_bits(const struct target *t)
{
	struct msyncfs_disk_bitmap *bm = (void *)block(t->blkno);
	unsigned int n = 1 + below(chance(70) ? 4 : 200), i;
	u64 bit;

	if (chance(20)) {
		i = chance(50) ? 0xff : 0;
		say("all bits %s", i ? "set" : "clear");
		memset(bm->bits, i, sizeof(bm->bits));
		return;
	}
	say("%u bits", n);
	while (n--) {
		bit = chance(90) ? some_block() : below(MSYNCFS_GROUP_BLOCKS);
		if (bit < MSYNCFS_GROUP_BLOCKS)
			bm->bits[bit / 8] ^= 1 << bit % 8;
	}
}

static struct msyncfs_disk_dirent *some_entry(struct msyncfs_disk_dir *leaf)
{
	unsigned int used = le32_to_cpu(leaf->used), off = 0, n = 0, found = 0;
	struct msyncfs_disk_dirent *de;

	while (off + MSYNCFS_DIRENT_HEADER <= used && off < sizeof(leaf->data) - 280) {
		de = (void *)(leaf->data + off);
		if (!below(++n))
			found = off;
		off += MSYNCFS_DIRENT_LEN(de->name_len);
	}
	return n ? (void *)(leaf->data + found) : NULL;
}

static void damage_entry(const struct target *t)
{
	struct msyncfs_disk_dir *leaf = (void *)block(t->blkno);
	struct msyncfs_disk_dirent *de = some_entry(leaf);
	u64 at;

	if (!de) {
		damage_field(t);
		return;
	}
	say("entry at %td: ", (u8 *)de - leaf->data);
	switch (below(6)) {
	case 0: case 1:
		de->ino = cpu_to_le64(chance(80) ? some_block() : some_value(de->ino));
		say("ino %llu", le64_to_cpu(de->ino));
		break;
	case 2:
		de->type = chance(80) ? below(FT_MAX + 1) : rng_next(&now.rng);
		say("type %u", de->type);
		break;
	case 3:
		de->name_len = chance(50) ? de->name_len - 1 + 2 * below(2) : rng_next(&now.rng);
		say("name_len %u", de->name_len);
		break;
	case 4:
		at = le64_to_cpu(de->position);
		at = chance(50) ? some_value(at) : msyncfs_pos_hash(&now.base->geo, at) +
						   below(MSYNCFS_SAME_HASH) * MSYNCFS_POS_STEP;
		de->position = cpu_to_le64(at);
		say("position");
		break;
	default:
		de->name[below(de->name_len + 1)] = "./\0ab\xff"[below(6)];
		if (de->name_len == 2 && chance(50))
			memcpy(de->name, "..", 2);
		say("name");
		if (chance(80))
			de->position = cpu_to_le64(below(MSYNCFS_SAME_HASH) * MSYNCFS_POS_STEP +
						   msyncfs_name_hash(&now.base->geo,
								     (char *)de->name,
								     de->name_len));
	}
}

/* Put an inode on the orphan list. */
static void damage_orphans(const struct target *t)
{
	struct msyncfs_disk_root *root = (void *)block(t->blkno);
	const struct target *in = pick(INODE);
	struct msyncfs_disk_inode *di = (void *)block(in->blkno);

	if (chance(60))
		di->orphan_next = chance(40) ? di->h.blkno : chance(60) ? root->orphan_head :
			cpu_to_le64(some_block());
	if (chance(40))
		di->nlink = 0;
	if (chance(20))
		di->size = cpu_to_le64(some_value(le64_to_cpu(di->size)));
	root->orphan_head = di->h.blkno;
	say("orphan_head %llu, its next %llu, links %u", le64_to_cpu(di->h.blkno),
	    le64_to_cpu(di->orphan_next), le32_to_cpu(di->nlink));
	mend(in);
}

/* Return an attribute of an inode or of a block of attributes, or NULL. */
static struct msyncfs_disk_xattr *some_xattr(const struct target *t,
					     struct msyncfs_xattr_area *area)
{
	struct msyncfs_disk_xattr *e = NULL, *found = NULL;
	void *b = block(t->blkno);
	unsigned int n = 0;
	u32 off;

	*area = t->kind == INODE ? msyncfs_xattr_inline(b) : msyncfs_xattr_outer(b);
	if (msyncfs_verify_xattrs(&now.base->geo, area, t->blkno, &off))
		return NULL;
	while ((e = msyncfs_xattr_next(area, e)))
		if (!below(++n))
			found = e;
	return found;
}

/* Change the number of the block with attributes, or a number in the list of a value. */
static void damage_xattr_block(const struct target *t, struct msyncfs_disk_xattr *e)
{
	u32 nr = msyncfs_xattr_blocks(le32_to_cpu(e->value_len)), i, j;
	struct msyncfs_disk_inode *di = (void *)block(t->blkno);
	const struct target *other = pick(chance(50) ? XATTR : VALUE);
	u64 v = chance(50) || !other ? some_block() : other->blkno;
	__le64 *list = msyncfs_xattr_data(e), first;

	if (t->kind == INODE && (!nr || chance(30))) {
		other = pick(INODE);
		if (chance(40))
			v = le64_to_cpu(((struct msyncfs_disk_inode *)block(other->blkno))->xattr);
		say("xattr = %#llx (was %#llx)", v, le64_to_cpu(di->xattr));
		di->xattr = cpu_to_le64(v);
		return;
	}
	i = below(nr ? nr : 1);
	j = below(nr ? nr : 1);
	first = list[i];
	list[i] = chance(50) ? list[j] : cpu_to_le64(v);
	say("block %u of the value = %#llx (was %#llx)", i, le64_to_cpu(list[i]),
	    le64_to_cpu(first));
	if (chance(30))
		list[j] = first;
}

static void damage_xattr(const struct target *t)
{
	struct msyncfs_xattr_area area;
	struct msyncfs_disk_xattr *e = some_xattr(t, &area), *copy;
	const struct field *f;
	u32 len, used;
	u64 old;

	if (!e) {
		damage_field(t);
		return;
	}
	if (chance(40)) {
		damage_xattr_block(t, e);
		return;
	}
	used = msyncfs_xattr_used(&area);
	len = msyncfs_xattr_len(e->name_len, le32_to_cpu(e->value_len));
	if (used + len <= area.room && chance(30)) {
		copy = (void *)(area.data + used);
		memcpy(copy, e, len);
		if (chance(50) && copy->name_len)
			copy->name[0]++;
		say("the attribute at %td again", (u8 *)e - block(t->blkno));
		return;
	}
	f = &xattr_fields[below(ARRAY_SIZE(xattr_fields))];
	old = get_value((u8 *)e + f->off, f->size);
	put_value((u8 *)e + f->off, f->size, chance(40) ? old + below(5) - 2 : some_value(old));
	say("attribute at %td: %s = %#llx (was %#llx)", (u8 *)e - block(t->blkno), f->name,
	    get_value((u8 *)e + f->off, f->size), old);
}

static void damage_one(const struct target *t)
{
	unsigned int how = below(100);

	if (how < 6)
		damage_bytes(t);
	else if (how < 12)
		damage_block(t);
	else if (t->kind == BITMAP && how < 85)
		damage_bits(t);
	else if (t->kind == DIR && how < 70)
		damage_entry(t);
	else if ((t->kind == MAP && how < 90) || (t->kind == INODE && how < 45))
		damage_ptr(t);
	else if (t->kind == INODE && how < 49)
		damage_tower(t);
	else if ((t->kind == XATTR && how < 90) || (t->kind == INODE && how < 60))
		damage_xattr(t);
	else if (t->kind == ROOT && how < 75)
		damage_orphans(t);
	else
		damage_field(t);
}

static enum kind some_kind(void)
{
	static const unsigned char share[NR_KINDS] = {
		[SUPER] = 2, [SLOT] = 4, [MMP] = 3, [ROOT] = 8, [BITMAP] = 10, [RECORD] = 4,
		[INODE] = 33, [MAP] = 12, [DIR] = 16, [REST] = 2, [XATTR] = 5, [VALUE] = 1,
	};
	unsigned int n = below(100), kind = 0;

	while (n >= share[kind])
		n -= share[kind++];
	return kind;
}

/**
 * image_damaged() - make a damaged image
 * @seed: number of the image; the same seed and the same base images give the same image
 * @out: gets a line for each change, or NULL
 *
 * Return: the image, which stays valid until the next call.
 */
const struct image *image_damaged(u64 seed, FILE *out)
{
	const struct target *t;
	unsigned int n;

	now.rng.x = seed * 0x2545f4914f6cdd1dULL;
	now.base = &bases[below(NR_BASES)];
	now.out = out;
	say("base image %td\n", now.base - bases);
	free(now.im.b);
	now.im = image_new(now.base->im.blocks);
	memcpy(now.im.b, now.base->im.b, now.im.blocks * BLK);
	for (n = 1 + below(chance(60) ? 2 : 8); n; n--) {
		t = pick(some_kind());
		if (!t)
			continue;
		say("%s in block %llu%s: ", kind_names[t->kind], t->blkno,
		    t->record ? " (in the log)" : "");
		damage_one(t);
		if (chance(92)) {
			mend(t);
			say("\n");
		} else {
			say(", checksum not mended\n");
		}
	}
	return &now.im;
}

/* Write an image. Returns 0 or -1 with errno. */
int image_write(const struct image *im, const char *path, int flags)
{
	int fd = open(path, O_WRONLY | flags, 0644);
	size_t len = im->blocks * BLK, done = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while (done < len) {
		n = pwrite(fd, im->b + done, len - done, done);
		if (n <= 0)
			break;
		done += n;
	}
	if (close(fd) || done < len)
		return -1;
	return 0;
}
