// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes file handles for name_to_handle_at(2) and the NFS server, and finds
 * the inodes that handles name. A handle has the number and the generation of an inode,
 * and if the caller wants to, those of a directory that has a name of the inode.
 *
 * Anybody may make up a handle. msyncfs_iget_handle() finds out whether its number is
 * an inode. The generation is a random number that each new inode gets, so a handle
 * does not lead to a later inode in the same block.
 */
#include <kunit/visibility.h>
#include <linux/exportfs.h>
#include <linux/fs.h>
#include <linux/unaligned.h>

#include "vfs.h"

/* Words of a handle: a number has two, a generation has one. */
#define EXPORT_WORDS		3
#define EXPORT_PARENT_WORDS	6

static void export_encode(__u32 *fh, const struct inode *inode)
{
	put_unaligned((u64)inode->i_ino, (u64 *)fh);
	fh[2] = inode->i_generation;
}

static int msyncfs_encode_fh(struct inode *inode, __u32 *fh, int *max_len,
			     struct inode *parent)
{
	int len = parent ? EXPORT_PARENT_WORDS : EXPORT_WORDS;

	if (*max_len < len) {
		*max_len = len;
		return FILEID_INVALID;
	}
	*max_len = len;
	export_encode(fh, inode);
	if (!parent)
		return FILEID_INO64_GEN;
	export_encode(fh + EXPORT_WORDS, parent);
	return FILEID_INO64_GEN_PARENT;
}

/* Finds the inode whose number and generation begin at @fh. */
static struct dentry *export_decode(struct super_block *sb, const __u32 *fh)
{
	struct inode *inode;

	if (msyncfs_is_dead(MSYNCFS_SB(sb)))
		return ERR_PTR(-EIO);
	inode = msyncfs_iget_handle(sb, get_unaligned((const u64 *)fh));
	if (!IS_ERR(inode) && inode->i_generation != fh[2]) {
		iput(inode);
		return ERR_PTR(-ESTALE);
	}
	return d_obtain_alias(inode);
}

static struct dentry *msyncfs_fh_to_dentry(struct super_block *sb,
					   struct fid *fid, int fh_len,
					   int fh_type)
{
	if (fh_type == FILEID_INO64_GEN ? fh_len < EXPORT_WORDS :
	    fh_type != FILEID_INO64_GEN_PARENT || fh_len < EXPORT_PARENT_WORDS)
		return NULL;
	return export_decode(sb, fid->raw);
}

static struct dentry *msyncfs_fh_to_parent(struct super_block *sb,
					   struct fid *fid, int fh_len,
					   int fh_type)
{
	if (fh_type != FILEID_INO64_GEN_PARENT || fh_len < EXPORT_PARENT_WORDS)
		return NULL;
	return export_decode(sb, fid->raw + EXPORT_WORDS);
}

/*
 * Another task may move the directory meanwhile, and delete its old parent. So the
 * number may name any block when it is used. The caller looks for the name of the
 * directory in the result, so a wrong result does no harm.
 */
static struct dentry *msyncfs_get_parent(struct dentry *child)
{
	struct inode *dir = d_inode(child);

	if (msyncfs_is_dead(MSYNCFS_SB(dir->i_sb)))
		return ERR_PTR(-EIO);
	return d_obtain_alias(msyncfs_iget_handle(dir->i_sb,
				READ_ONCE(MSYNCFS_I(dir)->i_parent)));
}

const struct export_operations msyncfs_export_ops = {
	.encode_fh	 = msyncfs_encode_fh,
	.fh_to_dentry	 = msyncfs_fh_to_dentry,
	.fh_to_parent	 = msyncfs_fh_to_parent,
	.get_parent	 = msyncfs_get_parent,
	.commit_metadata = msyncfs_sync_metadata,
};
EXPORT_SYMBOL_IF_KUNIT(msyncfs_export_ops);
