// SPDX-License-Identifier: GPL-2.0
/*
 * This file implements the inode_operations for names: lookup, create, link,
 * unlink, rename and others. Each change is one operation of the log, so after
 * a crash the change is there as a whole or not at all. dir.c finds and changes
 * names, inode.c makes and deletes inodes, and orphan.c keeps the list of
 * inodes without a name.
 *
 * All functions that change names follow one pattern. First they make room for
 * a new name in separate operations. Then one operation makes the change. In
 * this operation, steps that can fail come before steps that cannot fail. The
 * functions drop the last reference to an inode only after the end of the
 * operation, because the eviction begins another operation.
 *
 * MSYNCFS_OP_CREDITS must cover these blocks:
 *
 * - Create dirties 5 blocks: the new inode, a block of each bitmap, the directory,
 *   and a directory leaf. The first leaf of a directory adds 1 block, the
 *   bitmap block of the leaf. If the map of the directory is deep already, the
 *   first leaf also adds 2 * MSYNCFS_MAX_DEPTH blocks: map nodes and their
 *   bitmap blocks. A long symbolic link adds 2 blocks: its rest and the bitmap
 *   block of the rest. Extended attributes with blocks of their own get credits
 *   of their own.
 * - Rename dirties 7 blocks: two directories, two leaves, the moved inode, the
 *   replaced inode and the root block. If the rename makes the first leaf of a
 *   directory, it dirties up to 18 blocks. A whiteout adds 3 blocks: its inode
 *   and a block of each bitmap.
 * - Link dirties 3 blocks: the inode, the directory and a leaf. If the file is
 *   unnamed, link also dirties the block before the inode on the orphan list.
 *
 * msyncfs_dir_remove() uses the remaining credits to merge leaves.
 */
#include <linux/fs.h>

#include "xattr.h"

#define MSYNCFS_LINK_MAX	0x7fffffffU

/*
 * Commits the operation if the directory is synchronous. If the commit fails,
 * the caller returns the error, although the change has been made in memory.
 * Then either the log is dead, or the next commit makes the change durable.
 */
static int namei_sync(struct inode *dir, u64 tid)
{
	return IS_DIRSYNC(dir) ? msyncfs_commit(dir->i_sb, tid) : 0;
}

/*
 * Removes one link of @inode. A damaged link count may be 0 already. This
 * function does not decrement a count of 0, because the count would wrap
 * around.
 */
static void namei_unlink_inode(struct msyncfs_op *op, struct inode *inode)
{
	if (S_ISDIR(inode->i_mode))
		clear_nlink(inode);
	else if (inode->i_nlink)
		drop_nlink(inode);
	else
		msyncfs_err(inode->i_sb, "inode %llu: more names than links",
			    (u64)inode->i_ino);
	inode_set_ctime_current(inode);
	if (!inode->i_nlink)
		msyncfs_orphan_add(op, inode);
	msyncfs_op_add_inode(op, inode, true);
}

/* Counts a subdirectory that @dir has gained (@delta 1) or lost (@delta -1). */
static void namei_subdirs(struct msyncfs_op *op, struct inode *dir, int delta)
{
	if (delta > 0)
		inc_nlink(dir);
	else if (dir->i_nlink > 2)
		drop_nlink(dir);
	else
		msyncfs_err(dir->i_sb, "directory %llu: too few links",
			    (u64)dir->i_ino);
	msyncfs_op_add_inode(op, dir, true);
}

static bool namei_links_full(const struct inode *inode)
{
	return inode->i_nlink >= MSYNCFS_LINK_MAX;
}

static struct dentry *msyncfs_lookup(struct inode *dir, struct dentry *dentry,
				     unsigned int flags)
{
	struct inode *inode;
	u64 ino;
	int err;

	err = msyncfs_dir_find(dir, &dentry->d_name, &ino);
	if (err == -ENOENT)
		return d_splice_alias(NULL, dentry);
	if (err)
		return ERR_PTR(err);

	inode = msyncfs_iget(dir->i_sb, ino);
	if (inode == ERR_PTR(-ESTALE)) {
		msyncfs_err(dir->i_sb,
			    "directory %llu: a name leads to inode %llu, which is deleted",
			    (u64)dir->i_ino, ino);
		return ERR_PTR(-EFSCORRUPTED);
	}
	return d_splice_alias(inode, dentry);
}

/*
 * Ends the operation after the new inode could not get its name or target. The
 * inode is part of the transaction already, so it is deleted like an unlinked
 * inode.
 */
static void namei_abandon(struct msyncfs_op *op, struct inode *inode)
{
	clear_nlink(inode);
	msyncfs_orphan_add(op, inode);
	msyncfs_op_add_inode(op, inode, true);
	msyncfs_op_end(op);
	discard_new_inode(inode);
}

/*
 * Makes room for a new name in @dir. Then begins an operation that may add the
 * name, allocate @blocks further blocks, and allocate @attrs blocks for extended
 * attributes.
 */
static int namei_begin_add(struct inode *dir, const struct qstr *name,
			   struct msyncfs_op *op, unsigned int blocks,
			   unsigned int attrs)
{
	int err;

	if (!dir->i_nlink)	/* a failed rmdir() has removed @dir */
		return -ENOENT;
	err = msyncfs_dir_prepare(dir, name);
	if (err)
		return err;
	err = msyncfs_dir_blocks(dir);
	if (err < 0)
		return err;
	return msyncfs_op_begin(dir->i_sb, op, MSYNCFS_OP_CREDITS + 2 * attrs,
				blocks + attrs + err);
}

/*
 * Gives a new inode its target, its extended attributes and its name. @target is
 * the target of a symbolic link, or NULL for other types.
 */
static int namei_fill(struct msyncfs_op *op, struct inode *inode,
		      struct inode *dir, const struct qstr *name,
		      const char *target, struct msyncfs_new_xattrs *new)
{
	int err = 0;

	if (target)
		err = msyncfs_set_target(op, inode, target);
	return err ?: msyncfs_new_xattrs_apply(op, inode, new) ?:
	       msyncfs_dir_add(dir, op, name, inode->i_ino, inode->i_mode);
}

/*
 * Gives @inode, from msyncfs_new_inode(), a block and a name, in one operation. Sets
 * *@tid to the transaction. After an error the inode is gone.
 */
static int namei_insert(struct inode *inode, struct inode *dir,
			const struct qstr *name, dev_t rdev,
			const char *target, struct msyncfs_new_xattrs *new,
			u64 *tid)
{
	struct msyncfs_op op;
	int err;

	err = namei_begin_add(dir, name, &op,
			      1 + msyncfs_target_blocks(target), new->blocks);
	if (err)
		goto drop;
	err = msyncfs_insert_inode(&op, inode, dir, rdev);
	if (err) {
		msyncfs_op_end(&op);
		goto drop;
	}
	if (S_ISDIR(inode->i_mode))
		set_nlink(inode, 2);
	err = namei_fill(&op, inode, dir, name, target, new);
	if (err) {
		namei_abandon(&op, inode);
		return err;
	}
	if (S_ISDIR(inode->i_mode))
		namei_subdirs(&op, dir, 1);
	msyncfs_op_add_inode(&op, inode, true);
	*tid = op.tid;
	msyncfs_op_end(&op);
	return 0;
drop:
	msyncfs_drop_new_inode(inode);
	return err;
}

/*
 * Makes an inode in memory and collects its attributes in @new. The caller calls
 * msyncfs_new_xattrs_done() unless this function returns an error.
 */
static struct inode *namei_new_inode(struct mnt_idmap *idmap, struct inode *dir,
				     const struct qstr *name, umode_t mode,
				     struct msyncfs_new_xattrs *new)
{
	struct inode *inode = msyncfs_new_inode(dir, idmap, mode);
	int err;

	if (IS_ERR(inode))
		return inode;
	err = msyncfs_new_xattrs(new, inode, dir, name);
	if (!err)
		return inode;
	msyncfs_drop_new_inode(inode);
	msyncfs_new_xattrs_done(new);
	return ERR_PTR(err);
}

/*
 * Makes an inode of any type and gives it a name. @target is the target of a
 * symbolic link, or NULL for other types.
 */
static int namei_create(struct mnt_idmap *idmap, struct inode *dir,
			struct dentry *dentry, umode_t mode, dev_t rdev,
			const char *target)
{
	struct msyncfs_new_xattrs new;
	struct inode *inode;
	u64 tid;
	int err;

	inode = namei_new_inode(idmap, dir, &dentry->d_name, mode, &new);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	err = namei_insert(inode, dir, &dentry->d_name, rdev, target, &new,
			   &tid);
	msyncfs_new_xattrs_done(&new);
	if (err)
		return err;
	d_instantiate_new(dentry, inode);
	return namei_sync(dir, tid);
}

static int namei_file(struct mnt_idmap *idmap, struct inode *dir,
		      struct dentry *dentry, umode_t mode)
{
	return namei_create(idmap, dir, dentry, mode, 0, NULL);
}

MSYNCFS_DEFINE_CREATE(msyncfs_create, namei_file)

static int msyncfs_mknod(struct mnt_idmap *idmap, struct inode *dir,
			 struct dentry *dentry, umode_t mode, dev_t rdev)
{
	return namei_create(idmap, dir, dentry, mode, rdev, NULL);
}

static int namei_mkdir(struct mnt_idmap *idmap, struct inode *dir,
		       struct dentry *dentry, umode_t mode)
{
	if (namei_links_full(dir))
		return -EMLINK;
	return namei_create(idmap, dir, dentry, S_IFDIR | mode, 0, NULL);
}

MSYNCFS_DEFINE_MKDIR(msyncfs_mkdir, namei_mkdir)

static int msyncfs_symlink(struct mnt_idmap *idmap, struct inode *dir,
			   struct dentry *dentry, const char *target)
{
	if (strlen(target) > MSYNCFS_SYMLINK_MAX)
		return -ENAMETOOLONG;
	return namei_create(idmap, dir, dentry, S_IFLNK | 0777, 0, target);
}

static int msyncfs_link(struct dentry *old_dentry, struct inode *dir,
			struct dentry *dentry)
{
	struct inode *inode = d_inode(old_dentry);
	bool unnamed = !inode->i_nlink;		/* made with O_TMPFILE */
	struct msyncfs_op op;
	u64 tid;
	int err;

	if (namei_links_full(inode))
		return -EMLINK;
	err = namei_begin_add(dir, &dentry->d_name, &op, 0, 0);
	if (err)
		return err;
	if (unnamed)
		err = msyncfs_orphan_del(&op, inode);
	if (err)
		goto end;
	err = msyncfs_dir_add(dir, &op, &dentry->d_name, inode->i_ino,
			      inode->i_mode);
	if (err) {
		if (unnamed)
			msyncfs_orphan_add(&op, inode);
		goto end;
	}
	inc_nlink(inode);
	inode_set_ctime_current(inode);
	msyncfs_op_add_inode(&op, inode, true);
	tid = op.tid;
	msyncfs_op_end(&op);
	ihold(inode);
	d_instantiate(dentry, inode);
	return namei_sync(dir, tid);
end:
	msyncfs_op_end(&op);
	return err;
}

/* Removes the name and the link of @dentry. The caller has done all checks. */
static int namei_remove(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	struct msyncfs_op op;
	u64 tid;
	int err;

	err = msyncfs_op_begin(dir->i_sb, &op, MSYNCFS_OP_CREDITS, 0);
	if (err)
		return err;
	err = msyncfs_dir_remove(&op, dir, &dentry->d_name);
	if (err) {
		msyncfs_op_end(&op);
		return err;
	}
	namei_unlink_inode(&op, inode);
	if (S_ISDIR(inode->i_mode))
		namei_subdirs(&op, dir, -1);
	tid = op.tid;
	msyncfs_op_end(&op);

	err = namei_sync(dir, tid);
	if (err)	/* the VFS assumes that the name still exists */
		d_drop(dentry);
	return err;
}

static int msyncfs_unlink(struct inode *dir, struct dentry *dentry)
{
	return namei_remove(dir, dentry);
}

/*
 * Checks that a directory may be removed. When the directory is deleted,
 * fs/map/change.c reads the last leaf to free its block. This function reads
 * the leaf before the removal, so that it finds a damaged leaf while the
 * directory still has its name.
 */
static int namei_check_empty(struct inode *dir)
{
	struct msyncfs_extent ext;
	struct buffer_head *bh;
	int err;

	if (MSYNCFS_I(dir)->i_entries)
		return -ENOTEMPTY;
	err = msyncfs_map_lookup(dir, 0, 1, &ext);
	if (err || !ext.blkno)
		return err;
	bh = msyncfs_bread(dir->i_sb, ext.blkno, MSYNCFS_MAGIC_DIR, dir->i_ino);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	brelse(bh);
	return 0;
}

static int msyncfs_rmdir(struct inode *dir, struct dentry *dentry)
{
	return namei_check_empty(d_inode(dentry)) ?: namei_remove(dir, dentry);
}

/* Makes @inode, from msyncfs_new_inode(), an inode without a name. */
static int tmpfile_insert(struct inode *inode, struct inode *dir,
			  struct msyncfs_new_xattrs *new)
{
	struct msyncfs_op op;
	int err;

	err = msyncfs_op_begin(dir->i_sb, &op,
			       MSYNCFS_OP_CREDITS + 2 * new->blocks,
			       1 + new->blocks);
	if (err)
		goto drop;
	err = msyncfs_insert_inode(&op, inode, dir, 0);
	if (err) {
		msyncfs_op_end(&op);
		goto drop;
	}
	err = msyncfs_new_xattrs_apply(&op, inode, new);
	if (err) {
		namei_abandon(&op, inode);
		return err;
	}
	clear_nlink(inode);
	msyncfs_orphan_add(&op, inode);
	msyncfs_op_add_inode(&op, inode, true);
	msyncfs_op_end(&op);
	return 0;
drop:
	msyncfs_drop_new_inode(inode);
	return err;
}

static int msyncfs_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
			   struct file *file, umode_t mode)
{
	struct msyncfs_new_xattrs new;
	struct inode *inode;
	int err;

	inode = namei_new_inode(idmap, dir, NULL, mode, &new);
	if (IS_ERR(inode))
		return finish_open_simple(file, PTR_ERR(inode));
	err = tmpfile_insert(inode, dir, &new);
	msyncfs_new_xattrs_done(&new);
	if (err)
		return finish_open_simple(file, err);

	/* Do not call d_tmpfile(): it would drop a link that does not exist. */
	d_mark_tmpfile(file, inode);
	d_instantiate(file->f_path.dentry, inode);
	unlock_new_inode(inode);
	return finish_open_simple(file, 0);
}

/*
 * Updates an inode after a rename. The inode of a directory stores the number
 * of its parent directory.
 */
static void namei_moved(struct msyncfs_op *op, struct inode *inode,
			struct inode *new_dir)
{
	if (S_ISDIR(inode->i_mode))
		MSYNCFS_I(inode)->i_parent = new_dir->i_ino;
	inode_set_ctime_current(inode);
	msyncfs_op_add_inode(op, inode, true);
}

/*
 * Ends a rename whose second half has failed with @err. The caller has tried to
 * undo the first half, and @undone is 0 or the error of this attempt. If the
 * attempt has failed, calls msyncfs_abort(). Returns @err.
 */
static int rename_undo(struct super_block *sb, int err, int undone)
{
	if (undone)
		msyncfs_abort(sb, "rename cannot be taken back", undone);
	return err;
}

/*
 * Gives the inode its new name. Then removes the old name, or gives the old name
 * to @whiteout if it is not NULL.
 */
static int rename_names(struct msyncfs_op *op, struct inode *old_dir,
			struct dentry *old_dentry, struct inode *new_dir,
			struct dentry *new_dentry, struct inode *whiteout)
{
	const struct qstr *new_name = &new_dentry->d_name;
	struct inode *inode = d_inode(old_dentry);
	struct inode *target = d_inode(new_dentry);
	int err, undone;

	if (target)
		err = msyncfs_dir_replace(op, new_dir, new_name, inode->i_ino,
					  inode->i_mode);
	else
		err = msyncfs_dir_add(new_dir, op, new_name, inode->i_ino,
				      inode->i_mode);
	if (err)
		return err;
	if (whiteout)
		err = msyncfs_dir_replace(op, old_dir, &old_dentry->d_name,
					  whiteout->i_ino, whiteout->i_mode);
	else
		err = msyncfs_dir_remove(op, old_dir, &old_dentry->d_name);
	if (!err)
		return 0;

	if (target)
		undone = msyncfs_dir_replace(op, new_dir, new_name,
					     target->i_ino, target->i_mode);
	else
		undone = msyncfs_dir_remove(op, new_dir, new_name);
	return rename_undo(op->sb, err, undone);
}

/*
 * Begins an operation that may also allocate @blocks blocks, and @attrs blocks for
 * extended attributes.
 */
static int rename_begin(struct inode *new_dir, struct dentry *new_dentry,
			struct msyncfs_op *op, unsigned int blocks,
			unsigned int attrs)
{
	if (!d_inode(new_dentry))
		return namei_begin_add(new_dir, &new_dentry->d_name, op, blocks,
				       attrs);
	return msyncfs_op_begin(new_dir->i_sb, op,
				MSYNCFS_OP_CREDITS + 2 * attrs, blocks + attrs);
}

/*
 * Moves a name in an operation under way. Then counts links and subdirectories.
 */
static int rename_in_op(struct msyncfs_op *op, struct inode *old_dir,
			struct dentry *old_dentry, struct inode *new_dir,
			struct dentry *new_dentry, struct inode *whiteout)
{
	struct inode *inode = d_inode(old_dentry);
	struct inode *target = d_inode(new_dentry);
	bool is_dir = S_ISDIR(inode->i_mode);
	int err;

	err = rename_names(op, old_dir, old_dentry, new_dir, new_dentry,
			   whiteout);
	if (err)
		return err;
	namei_moved(op, inode, new_dir);
	if (target)
		namei_unlink_inode(op, target);
	/* Replacing a directory does not change the new parent's link count. */
	if (is_dir && (target || new_dir != old_dir))
		namei_subdirs(op, old_dir, -1);
	if (is_dir && !target && new_dir != old_dir)
		namei_subdirs(op, new_dir, 1);
	return 0;
}

/*
 * Moves a name. If @whiteout is not NULL, the old name gets this inode, which is
 * from msyncfs_new_inode() and has the attributes @new. After an error the whiteout
 * is gone. If @whiteout is NULL, @new has no attributes.
 */
static int rename_move(struct inode *old_dir, struct dentry *old_dentry,
		       struct inode *new_dir, struct dentry *new_dentry,
		       struct inode *whiteout, struct msyncfs_new_xattrs *new,
		       u64 *tid)
{
	struct msyncfs_op op;
	int err;

	err = rename_begin(new_dir, new_dentry, &op, whiteout ? 1 : 0,
			   new->blocks);
	if (err)
		goto drop;
	if (whiteout) {
		err = msyncfs_insert_inode(&op, whiteout, old_dir,
					   WHITEOUT_DEV);
		if (err) {
			msyncfs_op_end(&op);
			goto drop;
		}
		err = msyncfs_new_xattrs_apply(&op, whiteout, new);
		msyncfs_op_add_inode(&op, whiteout, true);
	}
	if (!err)
		err = rename_in_op(&op, old_dir, old_dentry, new_dir,
				   new_dentry, whiteout);
	if (err && whiteout) {
		namei_abandon(&op, whiteout);
		return err;
	}
	*tid = op.tid;
	msyncfs_op_end(&op);
	if (whiteout) {
		unlock_new_inode(whiteout);
		iput(whiteout);
	}
	return err;
drop:
	if (whiteout)
		msyncfs_drop_new_inode(whiteout);
	return err;
}

/* Checks that a name may be moved. */
static int rename_check(struct inode *old_dir, struct dentry *old_dentry,
			struct inode *new_dir, struct dentry *new_dentry)
{
	struct inode *inode = d_inode(old_dentry);
	struct inode *target = d_inode(new_dentry);

	if (!S_ISDIR(inode->i_mode))
		return 0;
	if (target)
		return namei_check_empty(target);
	if (new_dir != old_dir && namei_links_full(new_dir))
		return -EMLINK;
	return 0;
}

/*
 * Moves a name. With @idmap, which is not NULL, makes a whiteout for the old name: a
 * device with which overlayfs hides a name of a lower layer.
 */
static int rename_whiteout(struct mnt_idmap *idmap, struct inode *old_dir,
			   struct dentry *old_dentry, struct inode *new_dir,
			   struct dentry *new_dentry, u64 *tid)
{
	struct msyncfs_new_xattrs new;
	struct inode *whiteout;
	int err;

	whiteout = namei_new_inode(idmap, old_dir, &old_dentry->d_name,
				   S_IFCHR | WHITEOUT_MODE, &new);
	if (IS_ERR(whiteout))
		return PTR_ERR(whiteout);
	err = rename_move(old_dir, old_dentry, new_dir, new_dentry, whiteout,
			  &new, tid);
	msyncfs_new_xattrs_done(&new);
	return err;
}

static int exchange_names(struct msyncfs_op *op, struct inode *old_dir,
			  struct dentry *old_dentry, struct inode *new_dir,
			  struct dentry *new_dentry)
{
	struct inode *a = d_inode(old_dentry), *b = d_inode(new_dentry);
	int err;

	err = msyncfs_dir_replace(op, old_dir, &old_dentry->d_name, b->i_ino,
				  b->i_mode);
	if (err)
		return err;
	err = msyncfs_dir_replace(op, new_dir, &new_dentry->d_name, a->i_ino,
				  a->i_mode);
	if (!err)
		return 0;
	return rename_undo(op->sb, err,
			   msyncfs_dir_replace(op, old_dir, &old_dentry->d_name,
					       a->i_ino, a->i_mode));
}

static int rename_exchange(struct inode *old_dir, struct dentry *old_dentry,
			   struct inode *new_dir, struct dentry *new_dentry,
			   u64 *tid)
{
	struct inode *a = d_inode(old_dentry), *b = d_inode(new_dentry);
	int delta = (int)S_ISDIR(a->i_mode) - (int)S_ISDIR(b->i_mode);
	struct msyncfs_op op;
	int err;

	if (old_dir == new_dir)
		delta = 0;
	if ((delta > 0 && namei_links_full(new_dir)) ||
	    (delta < 0 && namei_links_full(old_dir)))
		return -EMLINK;

	err = msyncfs_op_begin(old_dir->i_sb, &op, MSYNCFS_OP_CREDITS, 0);
	if (err)
		return err;
	err = exchange_names(&op, old_dir, old_dentry, new_dir, new_dentry);
	if (err)
		goto end;
	namei_moved(&op, a, new_dir);
	namei_moved(&op, b, old_dir);
	if (delta) {
		namei_subdirs(&op, new_dir, delta);
		namei_subdirs(&op, old_dir, -delta);
	}
	*tid = op.tid;
end:
	msyncfs_op_end(&op);
	return err;
}

static int msyncfs_rename(struct mnt_idmap *idmap, struct inode *old_dir,
			  struct dentry *old_dentry, struct inode *new_dir,
			  struct dentry *new_dentry, unsigned int flags)
{
	struct msyncfs_new_xattrs none = {};
	u64 tid = 0;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;

	if (flags & RENAME_EXCHANGE)
		err = rename_exchange(old_dir, old_dentry, new_dir, new_dentry,
				      &tid);
	else
		err = rename_check(old_dir, old_dentry, new_dir, new_dentry);
	if (!err && (flags & RENAME_WHITEOUT))
		err = rename_whiteout(idmap, old_dir, old_dentry, new_dir,
				      new_dentry, &tid);
	else if (!err && !(flags & RENAME_EXCHANGE))
		err = rename_move(old_dir, old_dentry, new_dir, new_dentry,
				  NULL, &none, &tid);
	if (err)
		return err;

	err = namei_sync(IS_DIRSYNC(old_dir) ? old_dir : new_dir, tid);
	if (err) {	/* the VFS assumes that nothing has moved */
		d_drop(old_dentry);
		d_drop(new_dentry);
	}
	return err;
}

const struct inode_operations msyncfs_dir_inode_operations = {
	.lookup		= msyncfs_lookup,
	.create		= msyncfs_create,
	.link		= msyncfs_link,
	.unlink		= msyncfs_unlink,
	.symlink	= msyncfs_symlink,
	.mkdir		= msyncfs_mkdir,
	.rmdir		= msyncfs_rmdir,
	.mknod		= msyncfs_mknod,
	.rename		= msyncfs_rename,
	.tmpfile	= msyncfs_tmpfile,
	.getattr	= msyncfs_getattr,
	.setattr	= msyncfs_setattr,
	.fileattr_get	= msyncfs_fileattr_get,
	.fileattr_set	= msyncfs_fileattr_set,
	.listxattr	= msyncfs_listxattr,
	.get_inode_acl	= msyncfs_get_acl,
	.set_acl	= msyncfs_set_acl,
};

const struct inode_operations msyncfs_special_inode_operations = {
	.getattr	= msyncfs_getattr,
	.setattr	= msyncfs_setattr,
	.listxattr	= msyncfs_listxattr,
	.get_inode_acl	= msyncfs_get_acl,
	.set_acl	= msyncfs_set_acl,
};
