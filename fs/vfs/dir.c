// SPDX-License-Identifier: GPL-2.0
/*
 * Directories: finding, adding, removing and listing names. A directory is a
 * trie of leaves over the hash of the name (see msyncfs_format.h); this file
 * knows leaves and entries and keeps i_size, i_entries and i_dir_depth. Inodes,
 * link counts and what the VFS calls are in namei.c; where a leaf lies on disk
 * is the file map's business.
 */
#include <kunit/visibility.h>
#include <linux/fs.h>
#include <linux/iversion.h>
#include <linux/sched/signal.h>

#include "vfs.h"

/* Position after the last entry: hashes have 62 bits, 0 and 1 are the dots. */
#define DIR_POS_FIRST	2
#define DIR_POS_END	((loff_t)((1ULL << MSYNCFS_HASH_BITS) + DIR_POS_FIRST))

/* What fits in a leaf, in bytes. */
#define LEAF_ROOM	sizeof_field(struct msyncfs_disk_dir, data)

/* Blocks that the caller of msyncfs_dir_remove() may yet dirty: inodes and
 * parents of a rename, the root block. A merge leaves that many credits.
 */
#define MERGE_SPARE	7

/* Merges of one removal at most, so that its cost is bounded. */
#define MERGE_LEVELS	4

/**
 * struct dir_leaf - a leaf of a directory, read and checked
 * @bh: its buffer, referenced; NULL: none
 * @disk: its content
 * @depth: depth in the trie
 * @prefix: the top @depth bits of its hashes
 */
struct dir_leaf {
	struct buffer_head	*bh;
	struct msyncfs_disk_dir	*disk;
	unsigned int		depth;
	u64			prefix;
};

/**
 * struct dir_pos - where a name is in a directory, or would be
 * @leaf: the leaf for its hash; @leaf.bh is NULL in a directory without blocks
 * @hash: of the name
 * @off: offset in the leaf's data of the first entry with that hash or larger
 * @same_hash: the entry at @off has the same hash
 * @same_name: and the same name
 */
struct dir_pos {
	struct dir_leaf		leaf;
	u64			hash;
	unsigned int		off;
	bool			same_hash;
	bool			same_name;
};

/* Index in the directory's map of the leaf with @prefix at @depth. */
static u64 leaf_index(unsigned int depth, u64 prefix)
{
	return (1ULL << depth | prefix) - 1;
}

static u64 hash_prefix(u64 hash, unsigned int depth)
{
	return hash >> (MSYNCFS_HASH_BITS - depth);
}

/* The smallest hash with @prefix at @depth; 1 << 62 past the last prefix. */
static u64 prefix_hash(u64 prefix, unsigned int depth)
{
	return prefix << (MSYNCFS_HASH_BITS - depth);
}

static struct msyncfs_disk_dirent *leaf_entry(struct msyncfs_disk_dir *disk,
					      unsigned int off)
{
	return (struct msyncfs_disk_dirent *)(disk->data + off);
}

static unsigned int leaf_used(const struct msyncfs_disk_dir *disk)
{
	return le32_to_cpu(disk->used);
}

static unsigned int entry_len(const struct msyncfs_disk_dirent *de)
{
	return MSYNCFS_DIRENT_LEN(de->name_len);
}

static const char *check_name(const u8 *name, unsigned int len)
{
	if (memchr(name, '/', len) || memchr(name, 0, len))
		return "forbidden character in a name";
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return "entry named . or ..";
	return NULL;
}

static const char *check_entry(struct msyncfs_disk_dir *disk, unsigned int off,
			       u64 low, u64 end)
{
	struct msyncfs_disk_dirent *de = leaf_entry(disk, off);
	unsigned int room = leaf_used(disk) - off;
	u64 hash;

	if (room < MSYNCFS_DIRENT_HEADER || !de->name_len ||
	    entry_len(de) > room)
		return "entry crosses the end";
	hash = le64_to_cpu(de->hash);
	if (hash < low || hash >= end)
		return "hashes out of order";
	return check_name(de->name, de->name_len);
}

/*
 * Everything that the rest of this file relies on. Returns NULL or what is
 * wrong.
 */
static const char *check_leaf(struct msyncfs_disk_dir *disk,
			      unsigned int depth, u64 prefix)
{
	u64 low = prefix_hash(prefix, depth);
	u64 end = prefix_hash(prefix + 1, depth);
	unsigned int off, count = 0;
	const char *why;

	if (le32_to_cpu(disk->h.level) != depth ||
	    le64_to_cpu(disk->prefix) != prefix)
		return "leaf of another place";
	if (leaf_used(disk) > LEAF_ROOM)
		return "more bytes in use than there are";

	for (off = 0; off < leaf_used(disk); count++) {
		struct msyncfs_disk_dirent *de = leaf_entry(disk, off);

		why = check_entry(disk, off, low, end);
		if (why)
			return why;
		low = le64_to_cpu(de->hash) + 1;
		off += entry_len(de);
	}
	if (count != le32_to_cpu(disk->count))
		return "wrong number of entries";
	return NULL;
}

static void leaf_put(struct dir_leaf *leaf)
{
	brelse(leaf->bh);
	leaf->bh = NULL;
}

/*
 * Reads the leaf at a place of the trie. The check of its content is done once
 * per buffer: what changes it later is this file. Returns -ENOENT when there
 * is no leaf at that place.
 */
static int leaf_read(struct inode *dir, unsigned int depth, u64 prefix,
		     struct dir_leaf *leaf)
{
	struct msyncfs_extent ext;
	const char *why;
	int err;

	leaf->bh = NULL;
	err = msyncfs_map_lookup(dir, leaf_index(depth, prefix), 1, &ext);
	if (err)
		return err;
	if (!ext.blkno)
		return -ENOENT;

	leaf->bh = msyncfs_bread(dir->i_sb, ext.blkno, MSYNCFS_MAGIC_DIR,
				 dir->i_ino);
	if (IS_ERR(leaf->bh)) {
		err = PTR_ERR(leaf->bh);
		leaf->bh = NULL;
		/* -ENOENT means "no leaf here" to our callers. */
		return err == -ENOENT ? -EIO : err;
	}
	leaf->disk = (struct msyncfs_disk_dir *)leaf->bh->b_data;
	leaf->depth = depth;
	leaf->prefix = prefix;

	/*
	 * The place is compared each time: a damaged map may show one block at
	 * several places.
	 */
	if (test_bit(MSYNCFS_BH_LEAF, &leaf->bh->b_state) &&
	    le32_to_cpu(leaf->disk->h.level) == depth &&
	    le64_to_cpu(leaf->disk->prefix) == prefix)
		return 0;
	why = check_leaf(leaf->disk, depth, prefix);
	if (why) {
		msyncfs_err(dir->i_sb, "directory %lu, block %llu: %s",
			    dir->i_ino, ext.blkno, why);
		leaf_put(leaf);
		return -EFSCORRUPTED;
	}
	set_bit(MSYNCFS_BH_LEAF, &leaf->bh->b_state);
	return 0;
}

/*
 * Finds the leaf for @hash. Hashes are uniform, so leaves differ little in
 * depth and a few probes from the deepest level upwards find it. A directory
 * without blocks gives 0 and a NULL buffer.
 */
static int leaf_find(struct inode *dir, u64 hash, struct dir_leaf *leaf)
{
	int depth;
	int err;

	leaf->bh = NULL;
	if (!i_size_read(dir))
		return 0;

	depth = min(MSYNCFS_I(dir)->i_dir_depth, MSYNCFS_DIR_MAX_DEPTH);
	for (; depth >= 0; depth--) {
		err = leaf_read(dir, depth, hash_prefix(hash, depth), leaf);
		if (err != -ENOENT)
			return err;
	}
	msyncfs_err(dir->i_sb, "directory %lu: no leaf for hash %llx",
		    dir->i_ino, hash);
	return -EFSCORRUPTED;
}

/* Offset of the first entry of @disk with a hash of at least @hash. */
static unsigned int leaf_seek(struct msyncfs_disk_dir *disk, u64 hash)
{
	unsigned int used = leaf_used(disk);
	unsigned int off = 0;

	while (off < used) {
		struct msyncfs_disk_dirent *de = leaf_entry(disk, off);

		if (le64_to_cpu(de->hash) >= hash)
			break;
		off += entry_len(de);
	}
	return off;
}

/* Finds @name or its place; on success the caller drops pos->leaf. */
static int dir_seek(struct inode *dir, const struct qstr *name,
		    struct dir_pos *pos)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(dir->i_sb);
	struct msyncfs_disk_dirent *de;
	int err;

	memset(pos, 0, sizeof(*pos));
	if (name->len > MSYNCFS_NAME_LEN)
		return -ENAMETOOLONG;
	pos->hash = msyncfs_name_hash(&sbi->geo, name->name, name->len);
	err = leaf_find(dir, pos->hash, &pos->leaf);
	if (err || !pos->leaf.bh)
		return err;

	pos->off = leaf_seek(pos->leaf.disk, pos->hash);
	if (pos->off == leaf_used(pos->leaf.disk))
		return 0;
	de = leaf_entry(pos->leaf.disk, pos->off);
	pos->same_hash = le64_to_cpu(de->hash) == pos->hash;
	pos->same_name = pos->same_hash && de->name_len == name->len &&
			 !memcmp(de->name, name->name, name->len);
	return 0;
}

/* Like dir_seek(), and the name must be there. */
static int dir_seek_present(struct inode *dir, const struct qstr *name,
			    struct dir_pos *pos)
{
	int err;

	err = dir_seek(dir, name, pos);
	if (err)
		return err;
	if (!pos->same_name) {
		leaf_put(&pos->leaf);
		return -ENOENT;
	}
	return 0;
}

/**
 * msyncfs_dir_find - look a name up
 * @dir: directory
 * @name: name
 * @ino: where the inode number goes; not checked, msyncfs_iget() does that
 *
 * Context: i_rwsem of @dir, shared is enough; may sleep.
 * Return: 0; -ENOENT; -ENAMETOOLONG; -EIO; -EUCLEAN, having said what is wrong
 */
int msyncfs_dir_find(struct inode *dir, const struct qstr *name, u64 *ino)
{
	struct dir_pos pos;
	int err;

	err = dir_seek_present(dir, name, &pos);
	if (err)
		return err;
	*ino = le64_to_cpu(leaf_entry(pos.leaf.disk, pos.off)->ino);
	leaf_put(&pos.leaf);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_dir_find);

/* Sets the pointer at a leaf's place; block 0 takes the leaf away. */
static int dir_point(struct msyncfs_op *op, struct inode *dir,
		     unsigned int depth, u64 prefix, u64 blkno)
{
	return msyncfs_map_set(op, dir, leaf_index(depth, prefix), 1, blkno,
			       false);
}

/* Allocates a block for a leaf and puts it at its place. */
static struct buffer_head *leaf_new(struct msyncfs_op *op, struct inode *dir,
				    u64 goal, unsigned int depth, u64 prefix)
{
	struct msyncfs_disk_dir *disk;
	struct buffer_head *bh;
	u64 blkno, len;
	int err;

	err = msyncfs_alloc(op, goal, 1, &blkno, &len);
	if (err)
		return ERR_PTR(err);
	bh = msyncfs_op_new(op, blkno, MSYNCFS_MAGIC_DIR, depth, dir->i_ino);
	if (IS_ERR(bh))
		return bh;
	err = dir_point(op, dir, depth, prefix, blkno);
	if (err) {
		msyncfs_op_free(op, bh);
		brelse(bh);
		return ERR_PTR(err);
	}
	disk = (struct msyncfs_disk_dir *)bh->b_data;
	disk->prefix = cpu_to_le64(prefix);
	set_bit(MSYNCFS_BH_LEAF, &bh->b_state);
	return bh;
}

/* Takes a leaf that is no longer of use away from its place. */
static int leaf_drop(struct msyncfs_op *op, struct inode *dir,
		     unsigned int depth, u64 prefix, struct buffer_head *bh)
{
	int err;

	err = dir_point(op, dir, depth, prefix, 0);
	if (err)
		return err;
	msyncfs_op_free(op, bh);
	return 0;
}

static void dir_grow(struct inode *dir, int leaves)
{
	loff_t size = i_size_read(dir) + leaves * MSYNCFS_BLOCK_SIZE;

	i_size_write(dir, size);
	MSYNCFS_I(dir)->i_disksize = size;
}

/* The names of @dir have changed. */
static void dir_touch(struct msyncfs_op *op, struct inode *dir)
{
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
	inode_inc_iversion(dir);
	msyncfs_inode_dirty(op, dir, true);
}

static void set_place(struct msyncfs_disk_dir *disk, unsigned int depth,
		      u64 prefix)
{
	disk->h.level = cpu_to_le32(depth);
	disk->prefix = cpu_to_le64(prefix);
}

/* Moves the entries of @from, those at @off and behind it, to the end of @to. */
static void move_entries(struct msyncfs_disk_dir *from, unsigned int off,
			 struct msyncfs_disk_dir *to)
{
	unsigned int len = leaf_used(from) - off;
	unsigned int pos, count = 0;

	for (pos = off; pos < off + len; count++)
		pos += entry_len(leaf_entry(from, pos));

	memcpy(to->data + leaf_used(to), from->data + off, len);
	memset(from->data + off, 0, len);
	le32_add_cpu(&to->used, len);
	le32_add_cpu(&to->count, count);
	le32_add_cpu(&from->used, -len);
	le32_add_cpu(&from->count, -count);
}

/*
 * The block of the leaf becomes its lower child, a new one the upper child: one
 * block to allocate and none to free. All that can fail comes first.
 */
static int split_in_op(struct msyncfs_op *op, struct inode *dir,
		       struct dir_leaf *leaf)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(dir);
	struct msyncfs_disk_dir *disk = leaf->disk;
	u64 blkno = leaf->bh->b_blocknr;
	unsigned int depth = leaf->depth + 1;
	u64 low = leaf->prefix << 1, high = low | 1;
	struct buffer_head *bh;
	int err;

	bh = leaf_new(op, dir, blkno + 1, depth, high);
	if (IS_ERR(bh)) {
		err = PTR_ERR(bh);
		bh = NULL;
		goto out;
	}
	err = dir_point(op, dir, depth, low, blkno);
	if (err) {
		if (leaf_drop(op, dir, depth, high, bh))
			goto abort;
		goto out;
	}
	err = dir_point(op, dir, leaf->depth, leaf->prefix, 0);
	if (err)
		goto abort;

	msyncfs_op_dirty(op, leaf->bh);
	set_place(disk, depth, low);
	move_entries(disk, leaf_seek(disk, prefix_hash(high, depth)),
		     (struct msyncfs_disk_dir *)bh->b_data);
	mi->i_dir_depth = max(mi->i_dir_depth, depth);
	dir_grow(dir, 1);
	goto out;
abort:
	msyncfs_abort(dir->i_sb, "directory cannot be split", err);
out:
	msyncfs_inode_dirty(op, dir, true);
	brelse(bh);
	return err;
}

/* A leaf below another would lose its pointer in a split. */
static int check_children(struct inode *dir, u64 child)
{
	struct msyncfs_extent ext;
	int err;

	err = msyncfs_map_lookup(dir, child, 2, &ext);
	if (err || (!ext.blkno && ext.len == 2))
		return err;
	msyncfs_err(dir->i_sb, "directory %lu: leaf below a leaf, place %llu",
		    dir->i_ino, child);
	return -EFSCORRUPTED;
}

static int dir_split(struct inode *dir, struct dir_leaf *leaf)
{
	u64 child = leaf_index(leaf->depth + 1, leaf->prefix << 1);
	unsigned int blocks, credits;
	struct msyncfs_op op;
	int err;

	if (leaf->depth >= MSYNCFS_DIR_MAX_DEPTH) {
		msyncfs_warn(dir->i_sb, "directory %lu: no room at depth %u",
			     dir->i_ino, leaf->depth);
		return -ENOSPC;
	}
	err = check_children(dir, child);
	if (err)
		return err;
	/* The children may lie to either side of the end of a map node. */
	blocks = 1 + msyncfs_map_missing(dir, child, &err);
	if (err)
		return err;
	blocks += msyncfs_map_missing(dir, child + 1, &err);
	if (err)
		return err;
	/*
	 * Two leaves, the inode, the paths of three pointers, and a bitmap
	 * block for each block that is allocated.
	 */
	credits = 3 + blocks + msyncfs_map_credits(dir, child, 2) +
		  msyncfs_map_credits(dir, leaf_index(leaf->depth,
						      leaf->prefix), 1);
	err = msyncfs_op_begin(dir->i_sb, &op, credits, blocks);
	if (err)
		return err;
	err = split_in_op(&op, dir, leaf);
	msyncfs_op_end(&op);
	return err;
}

/* What stands in the way of adding the name for which @pos was found. */
static int dir_may_add(struct inode *dir, struct dir_pos *pos)
{
	if (pos->same_name)
		return -EEXIST;
	if (pos->same_hash) {
		msyncfs_warn(dir->i_sb,
			     "directory %lu: another name has hash %llx",
			     dir->i_ino, pos->hash);
		return -ENOSPC;
	}
	return 0;
}

static bool leaf_fits(const struct dir_leaf *leaf, const struct qstr *name)
{
	return !leaf->bh || leaf_used(leaf->disk) +
			    MSYNCFS_DIRENT_LEN(name->len) <= LEAF_ROOM;
}

/**
 * msyncfs_dir_prepare - make room for a name
 * @dir: directory
 * @name: name that will be added before i_rwsem is released
 *
 * Splits the leaf of the name, one level per operation, until one more entry
 * fits. A crash in between leaves a directory that is merely larger.
 *
 * Context: i_rwsem of @dir, exclusive; no operation; may sleep.
 * Return: 0; -EEXIST; -ENAMETOOLONG; -ENOSPC: no block, or the trie is at its
 *	deepest, or another name has the same hash; -EIO; -EUCLEAN; -EROFS
 */
int msyncfs_dir_prepare(struct inode *dir, const struct qstr *name)
{
	struct dir_pos pos;
	bool fits;
	int err;

	do {
		err = dir_seek(dir, name, &pos);
		if (err)
			return err;
		err = dir_may_add(dir, &pos);
		fits = leaf_fits(&pos.leaf, name);
		if (!err && !fits)
			err = dir_split(dir, &pos.leaf);
		leaf_put(&pos.leaf);
	} while (!err && !fits);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_dir_prepare);

/**
 * msyncfs_dir_blocks - blocks that adding a name may allocate
 * @dir: directory, after msyncfs_dir_prepare()
 *
 * Context: i_rwsem of @dir, exclusive; may sleep.
 * Return: the number, for msyncfs_op_begin(); a negative errno
 */
int msyncfs_dir_blocks(struct inode *dir)
{
	unsigned int missing;
	int err = 0;

	if (i_size_read(dir))
		return 0;
	missing = msyncfs_map_missing(dir, 0, &err);
	return err ? err : 1 + missing;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_dir_blocks);

static void insert_entry(struct dir_pos *pos, const struct qstr *name, u64 ino,
			 umode_t mode)
{
	unsigned int len = MSYNCFS_DIRENT_LEN(name->len);
	struct msyncfs_disk_dir *disk = pos->leaf.disk;
	u8 *at = disk->data + pos->off;
	struct msyncfs_disk_dirent *de = leaf_entry(disk, pos->off);

	memmove(at + len, at, leaf_used(disk) - pos->off);
	memset(at, 0, len);
	de->hash = cpu_to_le64(pos->hash);
	de->ino = cpu_to_le64(ino);
	de->type = fs_umode_to_ftype(mode);
	de->name_len = name->len;
	memcpy(de->name, name->name, name->len);
	le32_add_cpu(&disk->used, len);
	le32_add_cpu(&disk->count, 1);
}

/* The first leaf of a directory. */
static int first_leaf(struct msyncfs_op *op, struct inode *dir,
		      struct dir_leaf *leaf)
{
	struct buffer_head *bh;

	bh = leaf_new(op, dir, dir->i_ino + 1, 0, 0);
	if (IS_ERR(bh)) {
		/* The map may have got nodes. */
		msyncfs_inode_dirty(op, dir, true);
		return PTR_ERR(bh);
	}
	leaf->bh = bh;
	leaf->disk = (struct msyncfs_disk_dir *)bh->b_data;
	MSYNCFS_I(dir)->i_dir_depth = 0;
	dir_grow(dir, 1);
	return 0;
}

/**
 * msyncfs_dir_add - add a name for which room was made
 * @dir: directory
 * @op: operation; needs msyncfs_dir_blocks() blocks
 * @name: name that was given to msyncfs_dir_prepare()
 * @ino: inode number
 * @mode: its mode, of which the type is kept
 *
 * Sets mtime and ctime of @dir. When it fails nothing has changed.
 *
 * Context: i_rwsem of @dir, exclusive, since msyncfs_dir_prepare(); may sleep.
 * Return: 0; -EEXIST; -ENOSPC; -ENOMEM; -EIO; -EUCLEAN
 */
int msyncfs_dir_add(struct inode *dir, struct msyncfs_op *op,
		    const struct qstr *name, u64 ino, umode_t mode)
{
	struct dir_pos pos;
	int err;

	err = dir_seek(dir, name, &pos);
	if (err)
		return err;
	err = dir_may_add(dir, &pos);
	if (err)
		goto out;
	if (WARN_ON_ONCE(!leaf_fits(&pos.leaf, name))) {
		err = -ENOSPC;
		goto out;
	}
	if (!pos.leaf.bh) {
		err = first_leaf(op, dir, &pos.leaf);
		if (err)
			goto out;
	}
	msyncfs_op_dirty(op, pos.leaf.bh);
	insert_entry(&pos, name, ino, mode);
	MSYNCFS_I(dir)->i_entries++;
	dir_touch(op, dir);
out:
	leaf_put(&pos.leaf);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_dir_add);

/*
 * May the children @low and @high become one leaf with what is left of @op?
 * Half a block at most, so that adding a few names does not split it again.
 */
static bool may_merge(struct msyncfs_op *op, struct inode *dir,
		      struct dir_leaf *low, struct dir_leaf *high)
{
	u64 parent = leaf_index(low->depth - 1, low->prefix >> 1);
	unsigned int missing, credits;
	int err = 0;

	if (leaf_used(low->disk) + leaf_used(high->disk) > LEAF_ROOM / 2)
		return false;
	missing = msyncfs_map_missing(dir, parent, &err);
	if (err || missing > op->blocks)
		return false;
	credits = 3 + missing + msyncfs_map_credits(dir, parent, 1) +
		  msyncfs_map_credits(dir, leaf_index(low->depth, low->prefix),
				      2);
	return op->credits >= credits + MERGE_SPARE;
}

/* The block of @low becomes the parent, that of @high is freed. */
static bool merge_pair(struct msyncfs_op *op, struct inode *dir,
		       struct dir_leaf *low, struct dir_leaf *high)
{
	unsigned int depth = low->depth - 1;
	u64 prefix = low->prefix >> 1;
	int err;

	if (dir_point(op, dir, depth, prefix, low->bh->b_blocknr))
		return false;
	err = dir_point(op, dir, low->depth, low->prefix, 0);
	if (!err)
		err = leaf_drop(op, dir, high->depth, high->prefix, high->bh);
	if (err) {
		msyncfs_abort(dir->i_sb, "directory cannot be merged", err);
		return false;
	}
	msyncfs_op_dirty(op, low->bh);
	set_place(low->disk, depth, prefix);
	move_entries(high->disk, 0, low->disk);
	dir_grow(dir, -1);
	if (!depth)
		MSYNCFS_I(dir)->i_dir_depth = 0;
	return true;
}

/*
 * Merges the leaf at a place with its sibling when both are small. It is an
 * economy: whatever stands in its way, the directory is right without it.
 */
static bool dir_merge(struct msyncfs_op *op, struct inode *dir,
		      unsigned int depth, u64 prefix)
{
	struct dir_leaf low, high;
	bool merged = false;

	if (leaf_read(dir, depth, prefix & ~1ULL, &low))
		return false;
	if (!leaf_read(dir, depth, prefix | 1, &high)) {
		merged = may_merge(op, dir, &low, &high) &&
			 merge_pair(op, dir, &low, &high);
		leaf_put(&high);
	}
	leaf_put(&low);
	return merged;
}

/**
 * msyncfs_dir_remove - remove a name
 * @op: operation; no blocks needed
 * @dir: directory
 * @name: name
 *
 * Sets mtime and ctime of @dir. When it fails nothing has changed. Leaves that
 * have become small are merged as far as the credits of @op go.
 *
 * Context: i_rwsem of @dir, exclusive; may sleep.
 * Return: 0; -ENOENT; -EIO; -EUCLEAN
 */
int msyncfs_dir_remove(struct msyncfs_op *op, struct inode *dir,
		       const struct qstr *name)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(dir);
	struct msyncfs_disk_dir *disk;
	unsigned int len, rest, depth, levels;
	struct dir_pos pos;
	u64 prefix;
	int err;

	err = dir_seek_present(dir, name, &pos);
	if (err)
		return err;
	if (!mi->i_entries) {
		msyncfs_err(dir->i_sb, "directory %lu: more names than counted",
			    dir->i_ino);
		leaf_put(&pos.leaf);
		return -EFSCORRUPTED;
	}

	disk = pos.leaf.disk;
	len = entry_len(leaf_entry(disk, pos.off));
	rest = leaf_used(disk) - pos.off - len;
	msyncfs_op_dirty(op, pos.leaf.bh);
	memmove(disk->data + pos.off, disk->data + pos.off + len, rest);
	memset(disk->data + pos.off + rest, 0, len);
	le32_add_cpu(&disk->used, -len);
	le32_add_cpu(&disk->count, -1);
	mi->i_entries--;

	depth = pos.leaf.depth;
	prefix = pos.leaf.prefix;
	leaf_put(&pos.leaf);
	for (levels = 0; depth && levels < MERGE_LEVELS; levels++) {
		if (!dir_merge(op, dir, depth, prefix))
			break;
		depth--;
		prefix >>= 1;
	}
	dir_touch(op, dir);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_dir_remove);

/**
 * msyncfs_dir_replace - let a name that exists lead to another inode
 * @op: operation; no blocks needed
 * @dir: directory
 * @name: name
 * @ino: new inode number
 * @mode: its mode, of which the type is kept
 *
 * Sets mtime and ctime of @dir. When it fails nothing has changed.
 *
 * Context: i_rwsem of @dir, exclusive; may sleep.
 * Return: 0; -ENOENT; -EIO; -EUCLEAN
 */
int msyncfs_dir_replace(struct msyncfs_op *op, struct inode *dir,
			const struct qstr *name, u64 ino, umode_t mode)
{
	struct msyncfs_disk_dirent *de;
	struct dir_pos pos;
	int err;

	err = dir_seek_present(dir, name, &pos);
	if (err)
		return err;
	msyncfs_op_dirty(op, pos.leaf.bh);
	de = leaf_entry(pos.leaf.disk, pos.off);
	de->ino = cpu_to_le64(ino);
	de->type = fs_umode_to_ftype(mode);
	leaf_put(&pos.leaf);
	dir_touch(op, dir);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_dir_replace);

/*
 * Emits the entries of @leaf from ctx->pos on. Returns false when the caller's
 * buffer is full; ctx->pos is then that of the entry that did not fit.
 */
static bool emit_leaf(struct dir_context *ctx, struct dir_leaf *leaf)
{
	unsigned int off = leaf_seek(leaf->disk, ctx->pos - DIR_POS_FIRST);

	while (off < leaf_used(leaf->disk)) {
		struct msyncfs_disk_dirent *de = leaf_entry(leaf->disk, off);

		ctx->pos = le64_to_cpu(de->hash) + DIR_POS_FIRST;
		if (!dir_emit(ctx, de->name, de->name_len,
			      le64_to_cpu(de->ino),
			      fs_ftype_to_dtype(de->type)))
			return false;
		ctx->pos++;
		off += entry_len(de);
	}
	return true;
}

/*
 * The position is the hash and nothing else, so that it stays right whatever
 * is split, merged, added or removed between two calls; and it only grows, so
 * that a reader comes to an end while others add names.
 */
static int msyncfs_readdir(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	struct dir_leaf leaf;
	bool more;
	int err;

	if (!dir_emit_dots(file, ctx))
		return 0;

	while (ctx->pos < DIR_POS_END) {
		if (fatal_signal_pending(current))
			return -EINTR;
		err = leaf_find(dir, ctx->pos - DIR_POS_FIRST, &leaf);
		if (err)
			return err;
		if (!leaf.bh) {
			ctx->pos = DIR_POS_END;
			break;
		}
		more = emit_leaf(ctx, &leaf);
		if (more)
			ctx->pos = prefix_hash(leaf.prefix + 1, leaf.depth) +
				   DIR_POS_FIRST;
		leaf_put(&leaf);
		if (!more)
			break;
		cond_resched();
	}
	return 0;
}

static loff_t msyncfs_dir_llseek(struct file *file, loff_t offset, int whence)
{
	return generic_file_llseek_size(file, offset, whence, DIR_POS_END,
					DIR_POS_END);
}

const struct file_operations msyncfs_dir_operations = {
	.llseek		= msyncfs_dir_llseek,
	.read		= generic_read_dir,
	.iterate_shared	= msyncfs_readdir,
	.fsync		= msyncfs_fsync,
	.unlocked_ioctl	= msyncfs_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};
