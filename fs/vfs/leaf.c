// SPDX-License-Identifier: GPL-2.0
/*
 * This file handles the leaves of a directory and the entries in them. It reads
 * and checks leaves, and finds the leaf for a position. It also inserts
 * entries, and splits and merges leaves. It keeps i_size and i_dir_depth up to
 * date. dir.c handles names, and fs/map/ finds the block of a leaf.
 *
 * A directory is a trie of leaves. The keys of the trie are the positions of the
 * names. msyncfs_format.h describes the trie.
 */
#include <linux/fs.h>

#include "leaf.h"

/*
 * A merge leaves at least this many credits in the operation. The caller of
 * msyncfs_dir_remove() may need these credits for the root block, and for the
 * inodes and directories of a rename.
 */
#define MERGE_SPARE	7

/* Returns the index of a leaf in the directory's map. */
static u64 leaf_index(unsigned int depth, u64 prefix)
{
	return (1ULL << depth | prefix) - 1;
}

static u64 pos_prefix(u64 position, unsigned int depth)
{
	return position >> (MSYNCFS_POS_BITS - depth);
}

static const char *check_entry(struct msyncfs_disk_dir *disk, unsigned int off,
			       u64 low, u64 end)
{
	struct msyncfs_disk_dirent *de = leaf_entry(disk, off);
	unsigned int room = leaf_used(disk) - off;
	u64 position;

	if (room < MSYNCFS_DIRENT_HEADER || !de->name_len ||
	    entry_len(de) > room)
		return "entry crosses the end";
	position = le64_to_cpu(de->position);
	if (position < low || position >= end)
		return "positions out of order";
	return msyncfs_name_legal(de->name, de->name_len) ? NULL :
							    "illegal name";
}

/*
 * Checks all properties of a leaf that this file and dir.c rely on. Returns
 * NULL, or a text that names the defect.
 */
static const char *check_leaf(struct msyncfs_disk_dir *disk,
			      unsigned int depth, u64 prefix)
{
	u64 low = prefix_first_pos(prefix, depth);
	u64 end = prefix_first_pos(prefix + 1, depth);
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
		low = le64_to_cpu(de->position) + 1;
		off += entry_len(de);
	}
	if (count != le32_to_cpu(disk->count))
		return "wrong number of entries";
	return NULL;
}

/*
 * Reads the leaf with @depth and @prefix. Checks the content of each buffer
 * only once, because only this file and dir.c change the content later. Returns
 * -ENOENT if there is no such leaf.
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
		/*
		 * Do not return -ENOENT, because it tells the caller that the
		 * leaf does not exist.
		 */
		return err == -ENOENT ? -EIO : err;
	}
	leaf->disk = (struct msyncfs_disk_dir *)leaf->bh->b_data;
	leaf->depth = depth;
	leaf->prefix = prefix;

	/*
	 * Compare depth and prefix on each read, because a damaged map may have
	 * one block at several indexes.
	 */
	if (test_bit(MSYNCFS_BH_LEAF, &leaf->bh->b_state) &&
	    le32_to_cpu(leaf->disk->h.level) == depth &&
	    le64_to_cpu(leaf->disk->prefix) == prefix)
		return 0;
	why = check_leaf(leaf->disk, depth, prefix);
	if (why) {
		msyncfs_err(dir->i_sb, "directory %llu, block %llu: %s",
			    (u64)dir->i_ino, ext.blkno, why);
		leaf_put(leaf);
		return -EFSCORRUPTED;
	}
	set_bit(MSYNCFS_BH_LEAF, &leaf->bh->b_state);
	return 0;
}

/**
 * msyncfs_leaf_find - find the leaf for a position
 * @dir: directory
 * @position: position of a name
 * @leaf: filled in; @leaf->bh is NULL if the directory has no blocks
 *
 * Hashes are evenly distributed, so the leaves of a directory differ little in
 * depth. The search begins at the largest depth and goes up. So the search ends
 * after a few lookups. The caller drops the leaf with leaf_put().
 *
 * Context: caller holds i_rwsem of @dir, at least shared; may sleep and do I/O.
 * Return: 0; -EIO; -EUCLEAN (logged) if the directory is damaged. After an
 * error there is no leaf to drop.
 */
int msyncfs_leaf_find(struct inode *dir, u64 position, struct dir_leaf *leaf)
{
	int depth;
	int err;

	leaf->bh = NULL;
	if (!i_size_read(dir))
		return 0;

	depth = min(MSYNCFS_I(dir)->i_dir_depth, MSYNCFS_DIR_MAX_DEPTH);
	for (; depth >= 0; depth--) {
		err = leaf_read(dir, depth, pos_prefix(position, depth), leaf);
		if (err != -ENOENT)
			return err;
	}
	msyncfs_err(dir->i_sb, "directory %llu: no leaf for position %llx",
		    (u64)dir->i_ino, position);
	return -EFSCORRUPTED;
}

/**
 * msyncfs_leaf_seek - find the first entry with a position or a larger position
 * @disk: content of a leaf
 * @position: position
 *
 * Context: caller holds i_rwsem of the directory, at least shared.
 * Return: the offset of the entry in @disk->data, in bytes. If there is no such
 * entry, the number of used bytes.
 */
unsigned int msyncfs_leaf_seek(struct msyncfs_disk_dir *disk, u64 position)
{
	unsigned int used = leaf_used(disk);
	unsigned int off = 0;

	while (off < used) {
		struct msyncfs_disk_dirent *de = leaf_entry(disk, off);

		if (le64_to_cpu(de->position) >= position)
			break;
		off += entry_len(de);
	}
	return off;
}

/*
 * Sets the block of the leaf with @depth and @prefix in the directory's map. If
 * @blkno is 0, removes the leaf from the map.
 */
static int dir_point(struct msyncfs_op *op, struct inode *dir,
		     unsigned int depth, u64 prefix, u64 blkno)
{
	return msyncfs_map_set(op, dir, leaf_index(depth, prefix), 1, blkno,
			       false);
}

/* Allocates a block for a new leaf and adds the leaf to the map. */
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

/* Removes a leaf from the map and frees its block. */
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

static void set_place(struct msyncfs_disk_dir *disk, unsigned int depth,
		      u64 prefix)
{
	disk->h.level = cpu_to_le32(depth);
	disk->prefix = cpu_to_le64(prefix);
}

/*
 * Moves the entries of @from that lie at the offset @off or later. Appends
 * these entries to @to.
 */
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
 * Splits a leaf. The block of the leaf becomes the lower child, and a new block
 * becomes the upper child. So a split needs only one new leaf block and frees
 * none. All steps that can fail come before the first change of an entry.
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
	move_entries(disk, msyncfs_leaf_seek(disk, prefix_first_pos(high, depth)),
		     (struct msyncfs_disk_dir *)bh->b_data);
	mi->i_dir_depth = max(mi->i_dir_depth, depth);
	dir_grow(dir, 1);
	goto out;
abort:
	msyncfs_abort(dir->i_sb, "directory cannot be split", err);
out:
	msyncfs_op_add_inode(op, dir, true);
	brelse(bh);
	return err;
}

/*
 * Checks that the map has no block for the two children of a leaf. @child is
 * the index of the lower child. If there were such a block, a split would
 * overwrite the pointer to it.
 */
static int check_children(struct inode *dir, u64 child)
{
	struct msyncfs_extent ext;
	int err;

	err = msyncfs_map_lookup(dir, child, 2, &ext);
	if (err || (!ext.blkno && ext.len == 2))
		return err;
	msyncfs_err(dir->i_sb, "directory %llu: leaf below a leaf, place %llu",
		    (u64)dir->i_ino, child);
	return -EFSCORRUPTED;
}

/**
 * msyncfs_leaf_split - split a leaf into two children
 * @dir: directory
 * @leaf: leaf; the caller drops it after the split and searches again
 *
 * A leaf of the largest depth cannot be split. In a filesystem with a key its only
 * name fits.
 *
 * Context: caller holds i_rwsem of @dir exclusively and has no open operation;
 * may wait for a commit.
 * Return: 0; -ENOSPC if there is no free block, or if the leaf has the largest
 * depth; -EIO; -EUCLEAN (logged); -EROFS; -ENOMEM.
 */
int msyncfs_leaf_split(struct inode *dir, struct dir_leaf *leaf)
{
	u64 child = leaf_index(leaf->depth + 1, leaf->prefix << 1);
	unsigned int blocks, credits;
	struct msyncfs_op op;
	int err;

	if (leaf->depth >= MSYNCFS_DIR_MAX_DEPTH) {
		msyncfs_warn(dir->i_sb, "directory %llu: no room at depth %u",
			     (u64)dir->i_ino, leaf->depth);
		return -ENOSPC;
	}
	err = check_children(dir, child);
	if (err)
		return err;
	/* The pointers of the two children may lie in different map nodes. */
	blocks = 1 + msyncfs_map_missing(dir, child, &err);
	if (err)
		return err;
	blocks += msyncfs_map_missing(dir, child + 1, &err);
	if (err)
		return err;
	/*
	 * The credits are for two leaves, the inode, the map nodes on the paths
	 * to three pointers, and a bitmap block for each allocated block.
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

/**
 * msyncfs_leaf_insert - insert an entry into a leaf
 * @pos: position of the name; the leaf has room for the entry
 * @name: name
 * @ino: inode number
 * @mode: mode of the inode; the entry holds only the file type
 *
 * The caller makes the leaf part of the transaction with msyncfs_op_dirty().
 *
 * Context: caller holds i_rwsem of the directory exclusively; inside an
 * operation.
 */
void msyncfs_leaf_insert(struct dir_pos *pos, const struct qstr *name, u64 ino,
			 umode_t mode)
{
	unsigned int len = MSYNCFS_DIRENT_LEN(name->len);
	struct msyncfs_disk_dir *disk = pos->leaf.disk;
	u8 *at = disk->data + pos->off;
	struct msyncfs_disk_dirent *de = leaf_entry(disk, pos->off);

	memmove(at + len, at, leaf_used(disk) - pos->off);
	memset(at, 0, len);
	de->position = cpu_to_le64(pos->position);
	de->ino = cpu_to_le64(ino);
	de->type = fs_umode_to_ftype(mode);
	de->name_len = name->len;
	memcpy(de->name, name->name, name->len);
	le32_add_cpu(&disk->used, len);
	le32_add_cpu(&disk->count, 1);
}

/**
 * msyncfs_leaf_first - make the first leaf of a directory
 * @op: operation that may allocate msyncfs_dir_blocks() blocks
 * @dir: directory without blocks
 * @leaf: zeroed by the caller; this function sets @leaf->bh and @leaf->disk
 *
 * Context: caller holds i_rwsem of @dir exclusively; inside @op; may sleep.
 * Return: 0; -ENOSPC; -ENOMEM; -EIO; -EUCLEAN (logged). After an error @dir has
 * no leaf.
 */
int msyncfs_leaf_first(struct msyncfs_op *op, struct inode *dir,
		       struct dir_leaf *leaf)
{
	struct buffer_head *bh;

	bh = leaf_new(op, dir, dir->i_ino + 1, 0, 0);
	if (IS_ERR(bh)) {
		/* The map may have gained nodes before the error. */
		msyncfs_op_add_inode(op, dir, true);
		return PTR_ERR(bh);
	}
	leaf->bh = bh;
	leaf->disk = (struct msyncfs_disk_dir *)bh->b_data;
	MSYNCFS_I(dir)->i_dir_depth = 0;
	dir_grow(dir, 1);
	return 0;
}

/*
 * Returns whether the children @low and @high may become one leaf. The entries
 * of both children must fill at most half of a leaf, so that a few new names do
 * not cause a split of the merged leaf. @op must have enough blocks and credits
 * left.
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

/* Makes the block of @low the parent leaf and frees the block of @high. */
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

/**
 * msyncfs_leaf_merge - merge a leaf with its sibling if both are small
 * @op: operation; a merge leaves MERGE_SPARE credits in it
 * @dir: directory
 * @depth: depth of the leaf, at least 1
 * @prefix: prefix of the leaf
 *
 * A merge only saves space. The directory is correct without the merge. So the
 * function returns no error if a merge is not possible.
 *
 * Context: caller holds i_rwsem of @dir exclusively; inside @op; may sleep and
 * do I/O.
 * Return: true if the two leaves have become one leaf of depth @depth - 1.
 */
bool msyncfs_leaf_merge(struct msyncfs_op *op, struct inode *dir,
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
