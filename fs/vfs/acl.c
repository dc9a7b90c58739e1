// SPDX-License-Identifier: GPL-2.0
/*
 * This file keeps POSIX ACLs in extended attributes. The value of such an attribute
 * has the format of getxattr(2), with the IDs of the initial user namespace.
 *
 * An ACL and the mode of its inode change in one operation.
 */
#include <linux/fs.h>
#include <linux/posix_acl_xattr.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "xattr.h"

#ifdef CONFIG_FS_POSIX_ACL

static u8 acl_prefix(int type)
{
	return type == ACL_TYPE_ACCESS ? MSYNCFS_XATTR_ACCESS :
					 MSYNCFS_XATTR_DEFAULT;
}

/* Returns the value of an ACL attribute, allocated; NULL if there is none. */
static void *read_acl(struct inode *inode, int type, size_t *size)
{
	const struct msyncfs_xattr attr = {
		.prefix = acl_prefix(type), .name = "",
	};
	void *value;
	int len;

	for (;;) {
		len = msyncfs_xattr_get(inode, &attr, NULL, 0);
		if (len <= 0)
			break;
		value = kmalloc(len, GFP_KERNEL);
		if (!value)
			return ERR_PTR(-ENOMEM);
		*size = len;
		len = msyncfs_xattr_get(inode, &attr, value, *size);
		if (len == *size)
			return value;
		kfree(value);
		if (len < 0 && len != -ERANGE)
			break;
	}
	return len == -ENODATA ? NULL : ERR_PTR(len < 0 ? len : -EFSCORRUPTED);
}

/**
 * msyncfs_get_acl - inode_operations.get_inode_acl for files and directories
 * @inode: inode
 * @type: ACL_TYPE_ACCESS or ACL_TYPE_DEFAULT
 * @rcu: true in a path walk under RCU
 *
 * Context: takes i_map_sem; may sleep and do I/O, unless @rcu is set.
 * Return: the ACL, referenced; NULL if there is none; ERR_PTR(-ECHILD) if @rcu is
 * set; ERR_PTR(-ENOMEM); ERR_PTR(-EIO) or ERR_PTR(-EUCLEAN), both logged.
 */
struct posix_acl *msyncfs_get_acl(struct inode *inode, int type, bool rcu)
{
	struct posix_acl *acl;
	const char *why;
	size_t size;
	void *value;

	if (rcu)
		return ERR_PTR(-ECHILD);
	value = read_acl(inode, type, &size);
	if (IS_ERR_OR_NULL(value))
		return ERR_CAST(value);
	why = msyncfs_verify_acl(value, size);
	if (why) {
		msyncfs_err(inode->i_sb, "inode %llu: %s", (u64)inode->i_ino,
			    why);
		acl = ERR_PTR(-EFSCORRUPTED);
	} else {
		acl = posix_acl_from_xattr(&init_user_ns, value, size);
	}
	kfree(value);
	return acl;
}

/* Returns the value of the attribute for an ACL, allocated, or NULL. */
static void *acl_value(const struct posix_acl *acl, size_t *size)
{
	struct posix_acl_xattr_header *head;
	struct posix_acl_xattr_entry *to;
	const struct posix_acl_entry *e;
	unsigned int i;

	*size = posix_acl_xattr_size(acl->a_count);
	head = kmalloc(*size, GFP_KERNEL);
	if (!head)
		return NULL;
	head->a_version = cpu_to_le32(POSIX_ACL_XATTR_VERSION);
	to = (void *)(head + 1);
	for (i = 0; i < acl->a_count; i++, to++) {
		u32 id = ACL_UNDEFINED_ID;

		e = &acl->a_entries[i];
		if (e->e_tag == ACL_USER)
			id = from_kuid(&init_user_ns, e->e_uid);
		else if (e->e_tag == ACL_GROUP)
			id = from_kgid(&init_user_ns, e->e_gid);
		to->e_tag = cpu_to_le16(e->e_tag);
		to->e_perm = cpu_to_le16(e->e_perm);
		to->e_id = cpu_to_le32(id);
	}
	return head;
}

/* Prepares to set an ACL, or to remove it if @acl is NULL. */
static int prepare_acl(struct inode *inode, struct posix_acl *acl, int type,
		       struct msyncfs_xattr_change *c)
{
	struct msyncfs_xattr attr = {
		.prefix = acl_prefix(type), .name = "",
	};
	int err;

	if (acl) {
		attr.value = acl_value(acl, &attr.size);
		if (!attr.value)
			return -ENOMEM;
	}
	if (attr.size > MSYNCFS_ACL_MAX)
		err = -ENOSPC;
	else
		err = msyncfs_xattr_prepare(inode, &attr, 0, c);
	if (err) {
		msyncfs_xattr_done(c);
		kfree(attr.value);
	}
	return err == -ENODATA ? 0 : err;
}

/**
 * msyncfs_acl_changed - end a change of an ACL
 * @inode: inode
 * @c: change, from msyncfs_acl_chmod() or prepare_acl()
 * @acl: the new ACL or NULL; the function drops the reference
 * @err: 0 if the change is part of the transaction
 *
 * Context: caller holds i_rwsem exclusively, and no operation.
 */
void msyncfs_acl_changed(struct inode *inode, struct msyncfs_xattr_change *c,
			 struct posix_acl *acl, int err)
{
	if (!err && acl)
		set_cached_acl(inode, ACL_TYPE_ACCESS, acl);
	posix_acl_release(acl);
	kfree(c->attr.value);
	msyncfs_xattr_done(c);
}

/**
 * msyncfs_set_acl - inode_operations.set_acl for files and directories
 * @idmap: idmap of the mount
 * @dentry: dentry of the inode
 * @acl: new ACL, or NULL to remove the ACL
 * @type: ACL_TYPE_ACCESS or ACL_TYPE_DEFAULT
 *
 * Context: caller holds i_rwsem exclusively; begins an operation; commits it if the
 * inode is synchronous.
 * Return: 0; -ENOSPC; or another negative errno.
 */
int msyncfs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry,
		    struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	struct msyncfs_xattr_change c = {};
	umode_t mode = inode->i_mode;
	u64 tid;
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	if (type == ACL_TYPE_ACCESS && acl) {
		err = posix_acl_update_mode(idmap, inode, &mode, &acl);
		if (err)
			return err;
	}
	err = prepare_acl(inode, acl, type, &c) ?:
	      msyncfs_xattr_in_op(inode, mode, &c, &tid);
	if (!err)
		set_cached_acl(inode, type, acl);
	msyncfs_acl_changed(inode, &c, NULL, err);
	if (!err && IS_SYNC(inode))
		err = msyncfs_commit(inode->i_sb, tid);
	return err;
}

/**
 * msyncfs_acl_chmod - prepare the change of an ACL that goes with a new mode
 * @inode: inode
 * @mode: new mode
 * @c: filled in if the inode has an ACL, else left alone
 * @acl: set to the new ACL
 *
 * The caller calls msyncfs_acl_changed() later, after an error too.
 *
 * Context: caller holds i_rwsem exclusively, and no operation; may do I/O.
 * Return: 0, or a negative errno.
 */
int msyncfs_acl_chmod(struct inode *inode, umode_t mode,
		      struct msyncfs_xattr_change *c, struct posix_acl **acl)
{
	int err;

	if (!IS_POSIXACL(inode) || S_ISLNK(inode->i_mode))
		return 0;
	/*
	 * The ACL has these bits only. A truncation that clears S_ISUID must not
	 * fail because there is no room for another copy of the same ACL.
	 */
	if (!((mode ^ inode->i_mode) & 0777))
		return 0;
	*acl = get_inode_acl(inode, ACL_TYPE_ACCESS);
	if (IS_ERR_OR_NULL(*acl)) {
		err = PTR_ERR_OR_ZERO(*acl);
		*acl = NULL;
		return err;
	}
	return __posix_acl_chmod(acl, GFP_KERNEL, mode) ?:
	       prepare_acl(inode, *acl, ACL_TYPE_ACCESS, c);
}

static int note_acl(struct msyncfs_new_xattrs *new, int type,
		    struct posix_acl *acl)
{
	size_t size;
	void *value;

	if (!acl)
		return 0;
	value = acl_value(acl, &size);
	return msyncfs_new_xattrs_add(new, acl_prefix(type), "", value, size);
}

/**
 * msyncfs_new_acls - collect the ACLs that a new inode inherits
 * @new: gets the ACLs
 * @inode: inode, whose i_mode may change
 * @dir: directory in which the inode is made
 *
 * Context: as for msyncfs_new_xattrs().
 * Return: 0, or a negative errno.
 */
int msyncfs_new_acls(struct msyncfs_new_xattrs *new, struct inode *inode,
		     struct inode *dir)
{
	return posix_acl_create(dir, &inode->i_mode, &new->default_acl,
				&new->acl) ?:
	       note_acl(new, ACL_TYPE_ACCESS, new->acl) ?:
	       note_acl(new, ACL_TYPE_DEFAULT, new->default_acl);
}

/**
 * msyncfs_cache_acls - tell the VFS the ACLs of a new inode
 * @inode: new inode
 * @new: its attributes
 *
 * Context: the caller has the inode to itself.
 */
void msyncfs_cache_acls(struct inode *inode,
			const struct msyncfs_new_xattrs *new)
{
	if (new->acl || new->default_acl) {
		set_cached_acl(inode, ACL_TYPE_ACCESS, new->acl);
		set_cached_acl(inode, ACL_TYPE_DEFAULT, new->default_acl);
	} else {
		cache_no_acl(inode);
	}
}

#endif /* CONFIG_FS_POSIX_ACL */
