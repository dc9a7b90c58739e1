/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header describes changes of extended attributes. It is private to the files
 * of this folder that change attributes or make inodes.
 */
#ifndef MSYNCFS_XATTR_H
#define MSYNCFS_XATTR_H

#include <linux/posix_acl.h>

#include "vfs.h"

/**
 * struct msyncfs_xattr - name and value of an attribute
 * @prefix: MSYNCFS_XATTR_*
 * @name: name after the prefix
 * @name_len: length of @name in bytes
 * @value: the value, or NULL to remove the attribute
 * @size: length of the value in bytes
 */
struct msyncfs_xattr {
	u8		prefix;
	const char	*name;
	size_t		name_len;
	const void	*value;
	size_t		size;
};

/**
 * struct msyncfs_xattr_change - a change of an attribute that has been prepared
 * @inode: inode, or NULL if nothing changes
 * @attr: the new attribute
 * @credits: number of credits that the change needs
 * @blocks: number of blocks that the change allocates
 * @outer: the new attribute lies in the outer block
 * @empties: the change frees the outer block
 * @old: the attribute that the change replaces or removes, or NULL
 * @old_area: area with @old
 * @bh: buffer of the outer block, referenced, or NULL
 * @old_values: buffers of the value blocks of @old, referenced
 * @nr_old: number of @old_values
 * @new: buffers of the allocated blocks, referenced
 * @nr_new: number of @new
 *
 * The outer block is the block with the attributes that do not fit into the block
 * of the inode.
 */
struct msyncfs_xattr_change {
	struct inode		*inode;
	struct msyncfs_xattr	attr;
	unsigned int		credits;
	unsigned int		blocks;
	bool			outer;
	bool			empties;
	struct msyncfs_disk_xattr *old;
	struct msyncfs_xattr_area old_area;
	struct buffer_head	*bh;
	struct buffer_head	*old_values[MSYNCFS_VALUE_BLOCKS];
	unsigned int		nr_old;
	struct buffer_head	*new[MSYNCFS_VALUE_BLOCKS + 1];
	unsigned int		nr_new;
};

#define MSYNCFS_NEW_XATTRS	8

/**
 * struct msyncfs_new_xattrs - the attributes that an inode gets when it is made
 * @attr: attributes; each value is in memory of its own
 * @nr: number of @attr
 * @blocks: number of blocks that the attributes need
 * @acl: access ACL, or NULL
 * @default_acl: default ACL, or NULL
 */
struct msyncfs_new_xattrs {
	struct msyncfs_xattr	attr[MSYNCFS_NEW_XATTRS];
	unsigned int		nr;
	unsigned int		blocks;
	struct posix_acl	*acl;
	struct posix_acl	*default_acl;
};

/* In xattr.c */
int msyncfs_xattr_get(struct inode *inode, const struct msyncfs_xattr *attr,
		      void *buf, size_t size);
int msyncfs_xattr_prepare(struct inode *inode, const struct msyncfs_xattr *attr,
			  int flags, struct msyncfs_xattr_change *c);
int msyncfs_xattr_apply(struct msyncfs_op *op, struct msyncfs_xattr_change *c);
int msyncfs_xattr_in_op(struct inode *inode, umode_t mode,
			struct msyncfs_xattr_change *c, u64 *tid);
void msyncfs_xattr_done(struct msyncfs_xattr_change *c);
int msyncfs_xattr_change(struct inode *inode, const struct msyncfs_xattr *attr,
			 int flags);
struct buffer_head *msyncfs_xattr_outer_block(struct inode *inode);
int msyncfs_xattr_free_values(struct inode *inode);

/* In newattr.c */
int msyncfs_new_xattrs_add(struct msyncfs_new_xattrs *new, u8 prefix,
			   const char *name, void *value, size_t size);
int msyncfs_new_xattrs(struct msyncfs_new_xattrs *new, struct inode *inode,
		       struct inode *dir, const struct qstr *name);
int msyncfs_new_xattrs_apply(struct msyncfs_op *op, struct inode *inode,
			     struct msyncfs_new_xattrs *new);
void msyncfs_new_xattrs_done(struct msyncfs_new_xattrs *new);

/* In acl.c */
#ifdef CONFIG_FS_POSIX_ACL
int msyncfs_new_acls(struct msyncfs_new_xattrs *new, struct inode *inode,
		     struct inode *dir);
void msyncfs_cache_acls(struct inode *inode,
			const struct msyncfs_new_xattrs *new);
int msyncfs_acl_chmod(struct inode *inode, umode_t mode,
		      struct msyncfs_xattr_change *c, struct posix_acl **acl);
void msyncfs_acl_changed(struct inode *inode, struct msyncfs_xattr_change *c,
			 struct posix_acl *acl, int err);
#else
static inline int msyncfs_new_acls(struct msyncfs_new_xattrs *new,
				   struct inode *inode, struct inode *dir)
{
	return 0;
}

static inline void msyncfs_cache_acls(struct inode *inode,
				      const struct msyncfs_new_xattrs *new)
{
}

static inline int msyncfs_acl_chmod(struct inode *inode, umode_t mode,
				    struct msyncfs_xattr_change *c,
				    struct posix_acl **acl)
{
	return 0;
}

static inline void msyncfs_acl_changed(struct inode *inode,
				       struct msyncfs_xattr_change *c,
				       struct posix_acl *acl, int err)
{
}
#endif

#endif /* MSYNCFS_XATTR_H */
