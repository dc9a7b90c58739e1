// SPDX-License-Identifier: GPL-2.0
/*
 * This file finds, adds, replaces, removes and lists the names of a directory.
 * It also keeps i_entries up to date. leaf.c handles the leaves that contain
 * the entries. namei.c implements the operations that the VFS calls, and
 * handles inodes and their link counts.
 */
#include <kunit/visibility.h>
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/iversion.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "leaf.h"

/*
 * The position of an entry in readdir() is its position in the directory plus
 * DIR_POS_FIRST. The positions 0 and 1 belong to "." and "..". DIR_POS_END is
 * the position after the last entry.
 */
#define DIR_POS_FIRST	2
#define DIR_POS_END	((loff_t)((1ULL << MSYNCFS_POS_BITS) + DIR_POS_FIRST))

/*
 * A 32-bit program gets short positions, which have only the upper 30 bits of
 * the position in the directory. So a short position fits in 31 bits, but
 * several entries may share it.
 */
#define DIR_SHORT_SHIFT	(MSYNCFS_POS_BITS - 30)

/**
 * struct dir_file - where a readdir() with short positions has ended
 * @pos: position of the next entry
 * @shown: the short position that the caller got for @pos
 */
struct dir_file {
	loff_t	pos;
	loff_t	shown;
};

/*
 * Largest number of merges during the removal of one name. This limit bounds
 * the cost of a removal.
 */
#define MERGE_LEVELS	4

/*
 * Looks for @name in a leaf, among the entries from position @at to position
 * @end - 1. All of them have the hash of @name. @pos->position is the first
 * position for @name that was free so far.
 */
static void leaf_search(struct dir_pos *pos, const struct qstr *name, u64 at,
			u64 end)
{
	struct msyncfs_disk_dir *disk = pos->leaf.disk;
	unsigned int off = msyncfs_leaf_seek(disk, at);

	if (pos->position == at)
		pos->off = off;
	while (off < leaf_used(disk)) {
		struct msyncfs_disk_dirent *de = leaf_entry(disk, off);
		u64 position = le64_to_cpu(de->position);

		if (position >= end)
			break;
		if (de->name_len == name->len &&
		    !memcmp(de->name, name->name, name->len)) {
			pos->position = position;
			pos->off = off;
			pos->found = true;
			break;
		}
		off += entry_len(de);
		if (position == pos->position) {
			pos->position += MSYNCFS_POS_STEP;
			pos->off = off;
		}
	}
}

/*
 * Finds the position of @name, or a free position for @name. On success the
 * caller drops pos->leaf.
 */
static int dir_seek(struct inode *dir, const struct qstr *name,
		    struct dir_pos *pos)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(dir->i_sb);
	u64 at, end;
	int err;

	memset(pos, 0, sizeof(*pos));
	if (name->len > MSYNCFS_NAME_LEN)
		return -ENAMETOOLONG;
	at = msyncfs_name_hash(&sbi->geo, name->name, name->len);
	end = at + sbi->geo.hash_room;
	pos->position = at;
	do {	/* Nearly always all names with one hash are in one leaf. */
		leaf_put(&pos->leaf);
		err = msyncfs_leaf_find(dir, at, &pos->leaf);
		if (err || !pos->leaf.bh)
			return err;
		leaf_search(pos, name, at, end);
		at = leaf_end(&pos->leaf);
	} while (!pos->found && at < end);

	pos->full = pos->position >= end;
	if (pos->position >= prefix_first_pos(pos->leaf.prefix, pos->leaf.depth))
		return 0;
	/* The free position is in one of the leaves before. */
	leaf_put(&pos->leaf);
	err = msyncfs_leaf_find(dir, pos->position, &pos->leaf);
	if (!err)
		pos->off = msyncfs_leaf_seek(pos->leaf.disk, pos->position);
	return err;
}

/*
 * Does the work of dir_seek(), but returns -ENOENT if @dir does not have @name.
 */
static int dir_seek_present(struct inode *dir, const struct qstr *name,
			    struct dir_pos *pos)
{
	int err;

	err = dir_seek(dir, name, pos);
	if (err)
		return err;
	if (!pos->found) {
		leaf_put(&pos->leaf);
		return -ENOENT;
	}
	return 0;
}

/**
 * msyncfs_dir_find - look up a name
 * @dir: directory
 * @name: name
 * @ino: set to the inode number; the number is not checked here, only in
 *	msyncfs_iget()
 *
 * Context: caller holds i_rwsem of @dir, at least shared; may sleep and do I/O.
 * Return: 0; -ENOENT; -ENAMETOOLONG; -EIO; -EUCLEAN (logged).
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

/* Updates mtime, ctime and i_version of @dir after a change of its names. */
static void dir_touch(struct msyncfs_op *op, struct inode *dir)
{
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
	inode_inc_iversion(dir);
	msyncfs_op_add_inode(op, dir, true);
}

/* Returns 0 if the name at @pos may be added, else the error. */
static int dir_may_add(struct inode *dir, struct dir_pos *pos)
{
	if (pos->found)
		return -EEXIST;
	if (pos->full) {
		msyncfs_warn(dir->i_sb, "directory %llu: no room for a name with this hash",
			     (u64)dir->i_ino);
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
 * @name: name that the caller will add before it releases i_rwsem
 *
 * Splits the leaf for the name until the leaf has room for the name. Each split
 * is an operation of its own. A crash between two splits leaves a correct
 * directory with more leaves than it needs.
 *
 * Context: caller holds i_rwsem of @dir exclusively and has no open operation;
 * may wait for a commit.
 * Return: 0; -EEXIST; -ENAMETOOLONG; -ENOSPC if there is no free block, or if
 * MSYNCFS_SAME_HASH names have the hash of @name; -ENOMEM; -EIO; -EUCLEAN
 * (logged); -EROFS.
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
			err = msyncfs_leaf_split(dir, &pos.leaf);
		leaf_put(&pos.leaf);
	} while (!err && !fits);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_dir_prepare);

/**
 * msyncfs_dir_blocks - count the blocks that msyncfs_dir_add() may allocate
 * @dir: directory, after msyncfs_dir_prepare()
 *
 * Context: caller holds i_rwsem of @dir exclusively; may sleep.
 * Return: the number of blocks, for msyncfs_op_begin(); or a negative errno.
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

/**
 * msyncfs_dir_add - add a name
 * @dir: directory
 * @op: operation that may allocate msyncfs_dir_blocks() blocks
 * @name: name for which msyncfs_dir_prepare() has made room
 * @ino: inode number
 * @mode: mode of the inode; the entry stores only the file type
 *
 * Sets mtime and ctime of @dir. After an error the names are unchanged.
 *
 * Context: caller has held i_rwsem of @dir exclusively since
 * msyncfs_dir_prepare(); inside @op; may sleep.
 * Return: 0; -EEXIST; -ENOSPC; -ENOMEM; -EIO; -EUCLEAN (logged).
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
		err = msyncfs_leaf_first(op, dir, &pos.leaf);
		if (err)
			goto out;
	}
	msyncfs_op_dirty(op, pos.leaf.bh);
	msyncfs_leaf_insert(&pos, name, ino, mode);
	MSYNCFS_I(dir)->i_entries++;
	dir_touch(op, dir);
out:
	leaf_put(&pos.leaf);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_dir_add);

/**
 * msyncfs_dir_remove - remove a name
 * @op: operation; only a merge of leaves may allocate blocks in it
 * @dir: directory
 * @name: name
 *
 * Sets mtime and ctime of @dir. If @op has enough credits, merges leaves that
 * have become small. After an error nothing has changed.
 *
 * Context: caller holds i_rwsem of @dir exclusively; inside @op; may sleep.
 * Return: 0; -ENOENT; -ENAMETOOLONG; -EIO; -EUCLEAN (logged).
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
		msyncfs_err(dir->i_sb, "directory %llu: more names than counted",
			    (u64)dir->i_ino);
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
		if (!msyncfs_leaf_merge(op, dir, depth, prefix))
			break;
		depth--;
		prefix >>= 1;
	}
	dir_touch(op, dir);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_dir_remove);

/**
 * msyncfs_dir_replace - make an existing name lead to another inode
 * @op: operation; the function allocates no blocks
 * @dir: directory
 * @name: name
 * @ino: new inode number
 * @mode: mode of the new inode; the entry stores only the file type
 *
 * Sets mtime and ctime of @dir. After an error nothing has changed.
 *
 * Context: caller holds i_rwsem of @dir exclusively; inside @op; may sleep.
 * Return: 0; -ENOENT; -ENAMETOOLONG; -EIO; -EUCLEAN (logged).
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

/* ---- readdir() ----------------------------------------------------------- */

/* Returns whether the caller can only use positions of 31 bits. */
static bool dir_short(const struct file *file)
{
	if (file->f_mode & FMODE_64BITHASH)
		return false;
	return file->f_mode & FMODE_32BITHASH || in_compat_syscall() ||
	       BITS_PER_LONG == 32;
}

/* Returns the position that the caller gets for @pos. */
static loff_t dir_show(const struct file *file, loff_t pos)
{
	if (pos < DIR_POS_FIRST || !dir_short(file))
		return pos;
	return ((pos - DIR_POS_FIRST) >> DIR_SHORT_SHIFT) + DIR_POS_FIRST;
}

/*
 * Returns the position that belongs to the position @shown of the caller. A
 * short position leads to the first of the entries that share it. But a caller
 * that goes on where the last call has ended gets the next entry.
 */
static loff_t dir_find_pos(const struct file *file, loff_t shown)
{
	const struct dir_file *df = file->private_data;

	if (shown < DIR_POS_FIRST || !dir_short(file))
		return shown;
	if (df && df->shown == shown)
		return df->pos;
	if (shown >= dir_show(file, DIR_POS_END))
		return DIR_POS_END;
	return ((shown - DIR_POS_FIRST) << DIR_SHORT_SHIFT) + DIR_POS_FIRST;
}

/*
 * Emits the entries of @leaf, beginning at position *@pos. Returns false if the
 * caller's buffer is full. Then *@pos is the position of the entry that did not
 * fit.
 */
static bool emit_leaf(struct file *file, struct dir_context *ctx,
		      struct dir_leaf *leaf, loff_t *pos)
{
	unsigned int off = msyncfs_leaf_seek(leaf->disk, *pos - DIR_POS_FIRST);

	while (off < leaf_used(leaf->disk)) {
		struct msyncfs_disk_dirent *de = leaf_entry(leaf->disk, off);

		*pos = le64_to_cpu(de->position) + DIR_POS_FIRST;
		ctx->pos = dir_show(file, *pos);
		if (!dir_emit(ctx, de->name, de->name_len,
			      le64_to_cpu(de->ino),
			      fs_ftype_to_dtype(de->type)))
			return false;
		++*pos;
		off += entry_len(de);
	}
	return true;
}

/* Emits the entries from *@pos on, and advances *@pos. */
static int dir_emit_all(struct file *file, struct dir_context *ctx, loff_t *pos)
{
	struct inode *dir = file_inode(file);
	struct dir_leaf leaf;
	bool more = true;
	int err;

	while (more && *pos < DIR_POS_END) {
		if (fatal_signal_pending(current))
			return -EINTR;
		err = msyncfs_leaf_find(dir, *pos - DIR_POS_FIRST, &leaf);
		if (err)
			return err;
		if (!leaf.bh) {
			*pos = DIR_POS_END;
			break;
		}
		more = emit_leaf(file, ctx, &leaf, pos);
		if (more)
			*pos = leaf_end(&leaf) + DIR_POS_FIRST;
		leaf_put(&leaf);
		cond_resched();
	}
	return 0;
}

/* Remembers the position at which a call with short positions has ended. */
static int dir_remember(struct file *file, loff_t pos, loff_t shown)
{
	struct dir_file *df = file->private_data;

	if (!dir_short(file))
		return 0;
	if (!df)
		df = kmalloc(sizeof(*df), GFP_KERNEL_ACCOUNT);
	if (!df)
		return -ENOMEM;
	df->pos = pos;
	df->shown = shown;
	file->private_data = df;
	return 0;
}

/*
 * An entry keeps its position until it is removed. So ctx->pos stays valid if
 * other tasks change the directory between two calls. ctx->pos
 * never decreases, so a reader reaches the end even while other tasks add names.
 */
static int msyncfs_readdir(struct file *file, struct dir_context *ctx)
{
	loff_t pos;
	int err;

	if (!dir_emit_dots(file, ctx))
		return 0;
	pos = dir_find_pos(file, ctx->pos);
	err = dir_emit_all(file, ctx, &pos);
	ctx->pos = dir_show(file, pos);
	return dir_remember(file, pos, ctx->pos) ?: err;
}

static loff_t msyncfs_dir_llseek(struct file *file, loff_t offset, int whence)
{
	return generic_file_llseek_size(file, offset, whence, DIR_POS_END,
					dir_show(file, DIR_POS_END));
}

static int msyncfs_dir_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

const struct file_operations msyncfs_dir_operations = {
	.llseek		= msyncfs_dir_llseek,
	.read		= generic_read_dir,
	.iterate_shared	= msyncfs_readdir,
	.release	= msyncfs_dir_release,
	.fsync		= msyncfs_fsync,
	.unlocked_ioctl	= msyncfs_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};
