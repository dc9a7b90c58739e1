// SPDX-License-Identifier: GPL-2.0
/*
 * This file gives a new inode its first extended attributes: the labels of security
 * modules, and the ACLs that it inherits from its directory. They are collected
 * before the operation that makes the inode, and are part of this operation.
 */
#include <kunit/visibility.h>
#include <linux/fs.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "xattr.h"

/**
 * msyncfs_new_xattrs_add - note an attribute for a new inode
 * @new: attributes of the inode
 * @prefix: MSYNCFS_XATTR_*
 * @name: name after the prefix, which stays valid
 * @value: value, allocated; the function takes it over, after an error too
 * @size: length of the value in bytes
 *
 * Context: any.
 * Return: 0; -ENOMEM if @value is NULL; -ENOSPC if there are too many attributes.
 */
int msyncfs_new_xattrs_add(struct msyncfs_new_xattrs *new, u8 prefix,
			   const char *name, void *value, size_t size)
{
	if (!value)
		return -ENOMEM;
	if (new->nr == MSYNCFS_NEW_XATTRS || size > MSYNCFS_XATTR_MAX) {
		kfree(value);
		return -ENOSPC;
	}
	new->attr[new->nr++] = (struct msyncfs_xattr){
		.prefix	  = prefix,
		.name	  = name,
		.name_len = strlen(name),
		.value	  = value,
		.size	  = size,
	};
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_new_xattrs_add);

/* Called by security_inode_init_security() with the labels of the inode. */
static int note_labels(struct inode *inode, const struct xattr *label, void *ctx)
{
	int err = 0;

	if (!inode->i_sb->s_xattr)
		return -EOPNOTSUPP;
	for (; !err && label->name; label++)
		err = msyncfs_new_xattrs_add(ctx, MSYNCFS_XATTR_SECURITY,
					     label->name,
					     kmemdup(label->value,
						     label->value_len,
						     GFP_KERNEL),
					     label->value_len);
	return err;
}

/* Counts the blocks that the attributes need. */
static unsigned int count_blocks(const struct msyncfs_new_xattrs *new)
{
	u32 len = 0, blocks = 0, i;

	for (i = 0; i < new->nr; i++) {
		const struct msyncfs_xattr *attr = &new->attr[i];

		len += msyncfs_xattr_len(attr->name_len, attr->size);
		blocks += msyncfs_xattr_blocks(attr->size);
	}
	return blocks + (len > MSYNCFS_XATTR_INLINE);
}

/**
 * msyncfs_new_xattrs - collect the attributes of a new inode
 * @new: filled in; the caller calls msyncfs_new_xattrs_done() later, after an error
 *	too
 * @inode: inode, which has no block yet
 * @dir: directory in which the inode is made
 * @name: name of the inode, or NULL
 *
 * An ACL of the directory may change i_mode.
 *
 * Context: caller holds i_rwsem of @dir, and no operation; may sleep and do I/O.
 * Return: 0; -ENOSPC if the attributes are too large; -ENOMEM; -EIO; -EUCLEAN; or
 * an error of a security module.
 */
int msyncfs_new_xattrs(struct msyncfs_new_xattrs *new, struct inode *inode,
		       struct inode *dir, const struct qstr *name)
{
	int err;

	new->nr = 0;
	new->acl = NULL;
	new->default_acl = NULL;
	err = msyncfs_new_acls(new, inode, dir);
	if (!err)
		err = security_inode_init_security(inode, dir, name,
						   note_labels, new);
	if (err)
		return err;
	new->blocks = count_blocks(new);
	return new->blocks > MSYNCFS_VALUE_BLOCKS + 1 ? -ENOSPC : 0;
}

/**
 * msyncfs_new_xattrs_apply - give a new inode its attributes
 * @op: operation with two credits left for each block, and that may allocate
 *	@new->blocks blocks
 * @inode: new inode, part of the transaction of @op; its target is set
 * @new: attributes
 *
 * Afterwards the caller calls msyncfs_op_add_inode().
 *
 * Context: inside @op; may sleep; the caller has the inode to itself.
 * Return: 0; -ENOSPC; -ENOMEM; -EIO; -EUCLEAN (logged).
 */
int msyncfs_new_xattrs_apply(struct msyncfs_op *op, struct inode *inode,
			     struct msyncfs_new_xattrs *new)
{
	struct msyncfs_xattr_change c;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < new->nr; i++) {
		err = msyncfs_xattr_prepare(inode, &new->attr[i], 0, &c);
		if (!err)
			err = msyncfs_xattr_apply(op, &c);
		msyncfs_xattr_done(&c);
	}
	if (!err)
		msyncfs_cache_acls(inode, new);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_new_xattrs_apply);

/**
 * msyncfs_new_xattrs_done - free the attributes of a new inode
 * @new: attributes
 *
 * Context: may sleep.
 */
void msyncfs_new_xattrs_done(struct msyncfs_new_xattrs *new)
{
	while (new->nr)
		kfree(new->attr[--new->nr].value);
	posix_acl_release(new->acl);
	posix_acl_release(new->default_acl);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_new_xattrs_done);
