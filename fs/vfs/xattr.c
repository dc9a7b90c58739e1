// SPDX-License-Identifier: GPL-2.0
/*
 * This file reads and changes the extended attributes of inodes. An attribute lies
 * in the block of the inode, or in the outer block: a second block that the inode
 * has if its own block is full. A long value lies in blocks of its own.
 *
 * A change is one operation. Before the operation, the change is prepared: all
 * blocks that it frees are read and checked, and the place of the new attribute is
 * chosen. In the operation, the new blocks are allocated and filled first. The
 * steps after that cannot fail.
 *
 * i_map_sem guards the areas with attributes. It also guards the count of blocks,
 * which changes with them. A task that changes attributes also holds i_rwsem
 * exclusively, or has the inode to itself. So what it has prepared stays true.
 */
#include <kunit/visibility.h>
#include <linux/fs.h>
#include <linux/xattr.h>

#include "xattr.h"

/**
 * msyncfs_xattr_outer_block - read the outer block of an inode
 * @inode: inode
 *
 * Context: caller holds i_map_sem, or is the only task that changes attributes of
 * the inode; may sleep and do I/O.
 * Return: the buffer, referenced; NULL if the inode has no outer block;
 * ERR_PTR(-EIO) or ERR_PTR(-EUCLEAN), both logged.
 */
struct buffer_head *msyncfs_xattr_outer_block(struct inode *inode)
{
	u64 blkno = le64_to_cpu(msyncfs_iblock(inode)->xattr);

	if (!blkno)
		return NULL;
	return msyncfs_bread(inode->i_sb, blkno, MSYNCFS_MAGIC_XATTR,
			     inode->i_ino);
}

/* Reads block @nth of a value. */
static struct buffer_head *read_value(struct inode *inode,
				      const struct msyncfs_disk_xattr *e,
				      unsigned int nth)
{
	const __le64 *list = msyncfs_xattr_data(e);
	u64 blkno = le64_to_cpu(list[nth]);
	const struct msyncfs_disk_value *value;
	struct buffer_head *bh;

	bh = msyncfs_bread(inode->i_sb, blkno, MSYNCFS_MAGIC_VALUE,
			   inode->i_ino);
	if (IS_ERR(bh))
		return bh;
	value = (void *)bh->b_data;
	if (le32_to_cpu(value->h.level) == nth)
		return bh;
	msyncfs_err(inode->i_sb,
		    "block %llu: value of an attribute of inode %llu: another part of a value",
		    blkno, (u64)inode->i_ino);
	brelse(bh);
	return ERR_PTR(-EFSCORRUPTED);
}

/*
 * Finds an attribute. Sets *@area to the area that has the attribute. Sets *@bh to
 * the buffer of the outer block, referenced, if it had to look there. Otherwise sets
 * *@bh to NULL. Returns NULL if there is no such attribute.
 */
static struct msyncfs_disk_xattr *find_xattr(struct inode *inode,
					     const struct msyncfs_xattr *attr,
					     struct msyncfs_xattr_area *area,
					     struct buffer_head **bh)
{
	struct msyncfs_disk_xattr *e;
	struct buffer_head *outer;

	*bh = NULL;
	*area = msyncfs_xattr_inline(msyncfs_iblock(inode));
	e = msyncfs_xattr_find(area, attr->prefix, attr->name, attr->name_len);
	if (e)
		return e;
	outer = msyncfs_xattr_outer_block(inode);
	if (IS_ERR_OR_NULL(outer))
		return ERR_CAST(outer);
	*bh = outer;
	*area = msyncfs_xattr_outer(outer->b_data);
	return msyncfs_xattr_find(area, attr->prefix, attr->name,
				  attr->name_len);
}

/* ---- reading -------------------------------------------------------------- */

static int copy_value(struct inode *inode, const struct msyncfs_disk_xattr *e,
		      void *buf)
{
	size_t size = le32_to_cpu(e->value_len), done, n;
	struct buffer_head *bh;
	unsigned int nth = 0;

	if (!msyncfs_xattr_blocks(size)) {
		memcpy(buf, msyncfs_xattr_data(e), size);
		return 0;
	}
	for (done = 0; done < size; done += n) {
		n = min(size - done, MSYNCFS_VALUE_ROOM);
		bh = read_value(inode, e, nth++);
		if (IS_ERR(bh))
			return PTR_ERR(bh);
		memcpy(buf + done, ((struct msyncfs_disk_value *)bh->b_data)->data,
		       n);
		brelse(bh);
	}
	return 0;
}

/**
 * msyncfs_xattr_get - read an attribute
 * @inode: inode
 * @attr: name of the attribute
 * @buf: gets the value
 * @size: length of @buf in bytes; 0 asks only for the length of the value
 *
 * Context: takes i_map_sem; may sleep and do I/O.
 * Return: length of the value; -ENODATA; -ERANGE if @buf is too short; -EIO or
 * -EUCLEAN, both logged.
 */
int msyncfs_xattr_get(struct inode *inode, const struct msyncfs_xattr *attr,
		      void *buf, size_t size)
{
	struct msyncfs_xattr_area area;
	struct msyncfs_disk_xattr *e;
	struct buffer_head *bh;
	int ret;

	down_read(&MSYNCFS_I(inode)->i_map_sem);
	e = find_xattr(inode, attr, &area, &bh);
	if (IS_ERR_OR_NULL(e)) {
		ret = e ? PTR_ERR(e) : -ENODATA;
	} else {
		ret = le32_to_cpu(e->value_len);
		if (size && size < ret)
			ret = -ERANGE;
		else if (size)
			ret = copy_value(inode, e, buf) ?: ret;
	}
	up_read(&MSYNCFS_I(inode)->i_map_sem);
	brelse(bh);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_get);

static bool may_list(struct inode *inode, u8 prefix)
{
	if (prefix == MSYNCFS_XATTR_TRUSTED)
		return capable(CAP_SYS_ADMIN);
	if (prefix == MSYNCFS_XATTR_ACCESS || prefix == MSYNCFS_XATTR_DEFAULT)
		return IS_POSIXACL(inode);
	return true;
}

/* Adds the names of an area to @buf. *@len is the length of all names so far. */
static int list_area(struct inode *inode, struct msyncfs_xattr_area area,
		     char *buf, size_t size, size_t *len)
{
	struct msyncfs_disk_xattr *e = NULL;

	while ((e = msyncfs_xattr_next(&area, e))) {
		const char *prefix = msyncfs_xattr_prefixes[e->prefix];
		size_t plen = strlen(prefix), n = plen + e->name_len + 1;

		if (!may_list(inode, e->prefix))
			continue;
		if (size) {
			if (n > size - *len)
				return -ERANGE;
			memcpy(buf + *len, prefix, plen);
			memcpy(buf + *len + plen, e->name, e->name_len);
			buf[*len + n - 1] = 0;
		}
		*len += n;
	}
	return 0;
}

/**
 * msyncfs_listxattr - inode_operations.listxattr for every type
 * @dentry: dentry of the inode
 * @buf: gets the names, each with a NUL
 * @size: length of @buf in bytes; 0 asks only for the length of all names
 *
 * Context: takes i_map_sem; may sleep and do I/O.
 * Return: length of all names; -ERANGE if @buf is too short; -EIO or -EUCLEAN,
 * both logged.
 */
ssize_t msyncfs_listxattr(struct dentry *dentry, char *buf, size_t size)
{
	struct inode *inode = d_inode(dentry);
	struct buffer_head *bh = NULL;
	size_t len = 0;
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	if (!inode->i_sb->s_xattr)
		return 0;
	down_read(&MSYNCFS_I(inode)->i_map_sem);
	err = list_area(inode, msyncfs_xattr_inline(msyncfs_iblock(inode)), buf,
			size, &len);
	if (!err)
		bh = msyncfs_xattr_outer_block(inode);
	if (IS_ERR(bh))
		err = PTR_ERR(bh);
	else if (bh)
		err = list_area(inode, msyncfs_xattr_outer(bh->b_data), buf,
				size, &len);
	up_read(&MSYNCFS_I(inode)->i_map_sem);
	if (!IS_ERR(bh))
		brelse(bh);
	return err ?: len;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_listxattr);

/* ---- changing ------------------------------------------------------------- */

/* Reads the blocks that the change frees, and the bitmaps that describe them. */
static int prepare_frees(struct msyncfs_xattr_change *c)
{
	struct super_block *sb = c->inode->i_sb;
	unsigned int nr = 0;
	struct buffer_head *bh;
	int err = 0;

	if (c->old)
		nr = msyncfs_xattr_blocks(le32_to_cpu(c->old->value_len));
	while (!err && c->nr_old < nr) {
		bh = read_value(c->inode, c->old, c->nr_old);
		if (IS_ERR(bh))
			return PTR_ERR(bh);
		c->old_values[c->nr_old++] = bh;
		err = msyncfs_load_bitmaps(sb, bh->b_blocknr, 1);
	}
	if (!err && c->empties)
		err = msyncfs_load_bitmaps(sb, c->bh->b_blocknr, 1);
	return err;
}

/* Returns the number of bytes that are free in @area after @c->old is gone. */
static u32 room_after(const struct msyncfs_xattr_change *c,
		      const struct msyncfs_xattr_area *area)
{
	u32 room = area->room - msyncfs_xattr_used(area);

	if (c->old && c->old_area.data == area->data)
		room += msyncfs_xattr_len(c->old->name_len,
					  le32_to_cpu(c->old->value_len));
	return room;
}

/* Chooses the area for the new attribute. */
static int prepare_place(struct msyncfs_xattr_change *c)
{
	struct msyncfs_xattr_area inner, outer;
	u32 len = 0;

	inner = msyncfs_xattr_inline(msyncfs_iblock(c->inode));
	if (c->attr.value) {
		len = msyncfs_xattr_len(c->attr.name_len, c->attr.size);
		c->outer = len > room_after(c, &inner);
		c->blocks = msyncfs_xattr_blocks(c->attr.size);
	}
	if (!c->bh) {
		c->blocks += c->outer;
		return 0;
	}
	outer = msyncfs_xattr_outer(c->bh->b_data);
	if (c->outer && len > room_after(c, &outer))
		return -ENOSPC;
	c->empties = !c->outer && room_after(c, &outer) == outer.room;
	return 0;
}

/**
 * msyncfs_xattr_prepare - prepare a change of an attribute
 * @inode: inode
 * @attr: the new attribute
 * @flags: XATTR_CREATE, XATTR_REPLACE or 0
 * @c: filled in; the caller calls msyncfs_xattr_done() later, after an error too
 *
 * Context: caller holds i_rwsem exclusively, or has the inode to itself; may sleep
 * and do I/O.
 * Return: 0; -EEXIST; -ENODATA; -ENOSPC; -E2BIG; -ERANGE; -EIO or -EUCLEAN, both
 * logged. After an error, @c changes nothing.
 */
int msyncfs_xattr_prepare(struct inode *inode, const struct msyncfs_xattr *attr,
			  int flags, struct msyncfs_xattr_change *c)
{
	size_t plen = strlen(msyncfs_xattr_prefixes[attr->prefix]);
	struct msyncfs_disk_xattr *e;
	int err;

	memset(c, 0, sizeof(*c));
	if (plen + attr->name_len > MSYNCFS_NAME_LEN)
		return -ERANGE;
	if (attr->size > MSYNCFS_XATTR_MAX)
		return -E2BIG;
	e = find_xattr(inode, attr, &c->old_area, &c->bh);
	if (IS_ERR(e))
		return PTR_ERR(e);
	if (e && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!e && (!attr->value || (flags & XATTR_REPLACE)))
		return -ENODATA;
	if (e && !c->bh) {
		struct buffer_head *bh = msyncfs_xattr_outer_block(inode);

		if (IS_ERR(bh))
			return PTR_ERR(bh);
		c->bh = bh;
	}

	c->inode = inode;
	c->attr = *attr;
	c->old = e;
	err = prepare_place(c) ?: prepare_frees(c);
	/* The inode, the outer block, and bitmap blocks. */
	c->credits = 2 + 2 * c->blocks + c->nr_old + c->empties;
	if (err)
		c->inode = NULL;
	return err;
}

/* Allocates and fills the new blocks. After an error, there are no new blocks. */
static int new_blocks(struct msyncfs_op *op, struct msyncfs_xattr_change *c)
{
	u32 values = msyncfs_xattr_blocks(c->attr.value ? c->attr.size : 0);
	u64 goal = c->inode->i_ino + 1, blkno, len;
	const void *from = c->attr.value;
	size_t left = c->attr.size, n;
	struct buffer_head *bh;
	int err;

	while (c->nr_new < c->blocks) {
		bool value = c->nr_new < values;

		err = msyncfs_alloc(op, goal, 1, &blkno, &len);
		if (err)
			goto free;
		bh = msyncfs_op_new(op, blkno, value ? MSYNCFS_MAGIC_VALUE :
				    MSYNCFS_MAGIC_XATTR, value ? c->nr_new : 0,
				    c->inode->i_ino);
		err = PTR_ERR_OR_ZERO(bh);
		if (err)
			goto free;
		c->new[c->nr_new++] = bh;
		goal = blkno + 1;
		if (!value)
			continue;
		n = min(left, MSYNCFS_VALUE_ROOM);
		memcpy(((struct msyncfs_disk_value *)bh->b_data)->data, from, n);
		from += n;
		left -= n;
	}
	return 0;
free:
	while (c->nr_new) {
		bh = c->new[--c->nr_new];
		msyncfs_op_free(op, bh);
		brelse(bh);
	}
	return err;
}

/* Adds the new attribute to its area. The blocks of its value are full already. */
static void append_xattr(struct msyncfs_xattr_change *c)
{
	struct msyncfs_disk_inode *di = msyncfs_iblock(c->inode);
	struct msyncfs_xattr_area area = msyncfs_xattr_inline(di);
	u32 values = msyncfs_xattr_blocks(c->attr.size), i;
	struct buffer_head *bh = c->bh;
	struct msyncfs_disk_xattr *e;
	__le64 *list;

	if (c->outer) {
		if (!bh) {
			bh = c->new[c->nr_new - 1];
			di->xattr = cpu_to_le64(bh->b_blocknr);
		}
		area = msyncfs_xattr_outer(bh->b_data);
	}
	e = msyncfs_xattr_append(&area, c->attr.prefix, c->attr.name,
				 c->attr.name_len, c->attr.size);
	list = msyncfs_xattr_data(e);
	for (i = 0; i < values; i++)
		list[i] = cpu_to_le64(c->new[i]->b_blocknr);
	if (!values)
		memcpy(list, c->attr.value, c->attr.size);
}

/**
 * msyncfs_xattr_apply - make a prepared change
 * @op: operation with @c->credits credits left that may allocate @c->blocks blocks
 * @c: change
 *
 * Afterwards the caller calls msyncfs_op_add_inode().
 *
 * Context: inside @op; as for msyncfs_xattr_prepare(); takes i_map_sem.
 * Return: 0; -ENOSPC; -ENOMEM; -EIO; -EUCLEAN (logged). After an error the inode
 * has not changed.
 */
int msyncfs_xattr_apply(struct msyncfs_op *op, struct msyncfs_xattr_change *c)
{
	struct msyncfs_inode_info *mi;
	unsigned int i;
	int err;

	if (!c->inode)
		return 0;
	mi = MSYNCFS_I(c->inode);
	err = new_blocks(op, c);
	if (err)
		return err;

	down_write(&mi->i_map_sem);
	msyncfs_op_dirty(op, mi->i_bh);
	if (c->bh && !c->empties)
		msyncfs_op_dirty(op, c->bh);
	if (c->old)
		msyncfs_xattr_erase(&c->old_area, c->old);
	if (c->attr.value)
		append_xattr(c);
	if (c->empties)
		msyncfs_iblock(c->inode)->xattr = 0;
	msyncfs_map_account(op, c->inode,
			    (s64)c->nr_new - c->nr_old - c->empties);
	up_write(&mi->i_map_sem);

	for (i = 0; i < c->nr_old; i++)
		msyncfs_op_free(op, c->old_values[i]);
	if (c->empties)
		msyncfs_op_free(op, c->bh);
	return 0;
}

/**
 * msyncfs_xattr_done - drop the buffers of a change
 * @c: change
 *
 * Context: may sleep.
 */
void msyncfs_xattr_done(struct msyncfs_xattr_change *c)
{
	brelse(c->bh);
	while (c->nr_old)
		brelse(c->old_values[--c->nr_old]);
	while (c->nr_new)
		brelse(c->new[--c->nr_new]);
	memset(c, 0, sizeof(*c));
}

/**
 * msyncfs_xattr_in_op - make a prepared change in an operation of its own
 * @inode: inode
 * @mode: new mode of the inode
 * @c: change; it may change nothing
 * @tid: set to the number of the transaction
 *
 * Context: as for msyncfs_xattr_prepare(); begins an operation.
 * Return: as msyncfs_xattr_apply() and msyncfs_op_begin().
 */
int msyncfs_xattr_in_op(struct inode *inode, umode_t mode,
			struct msyncfs_xattr_change *c, u64 *tid)
{
	struct msyncfs_op op;
	int err;

	err = msyncfs_op_begin(inode->i_sb, &op, 1 + c->credits, c->blocks);
	if (err)
		return err;
	err = msyncfs_xattr_apply(&op, c);
	if (!err) {
		inode->i_mode = mode;
		inode_set_ctime_current(inode);
		msyncfs_op_add_inode(&op, inode, false);
	}
	*tid = op.tid;
	msyncfs_op_end(&op);
	return err;
}

/* Prepares a change and makes it. The caller calls msyncfs_xattr_done(). */
static int change_in_op(struct msyncfs_xattr_change *c, struct inode *inode,
			const struct msyncfs_xattr *attr, int flags, u64 *tid)
{
	return msyncfs_xattr_prepare(inode, attr, flags, c) ?:
	       msyncfs_xattr_in_op(inode, inode->i_mode, c, tid);
}

/**
 * msyncfs_xattr_change - set or remove an attribute
 * @inode: inode
 * @attr: the new attribute
 * @flags: XATTR_CREATE, XATTR_REPLACE or 0
 *
 * Context: as for msyncfs_xattr_prepare(); begins an operation; commits it if the
 * inode is synchronous.
 * Return: as msyncfs_xattr_prepare() and msyncfs_op_begin(), or the error of the
 * commit.
 */
int msyncfs_xattr_change(struct inode *inode, const struct msyncfs_xattr *attr,
			 int flags)
{
	struct msyncfs_xattr_change c;
	u64 tid;
	int err;

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	err = change_in_op(&c, inode, attr, flags, &tid);
	msyncfs_xattr_done(&c);
	if (!err && IS_SYNC(inode))
		err = msyncfs_commit(inode->i_sb, tid);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_change);

/* Finds an attribute with value blocks. Returns NULL if there is none. */
static struct msyncfs_disk_xattr *
find_large(const struct msyncfs_xattr_area *area)
{
	struct msyncfs_disk_xattr *e = NULL;

	while ((e = msyncfs_xattr_next(area, e)))
		if (msyncfs_xattr_blocks(le32_to_cpu(e->value_len)))
			break;
	return e;
}

/* Removes one attribute with value blocks. Returns -ENODATA if there is none. */
static int free_one_value(struct inode *inode)
{
	struct buffer_head *bh = msyncfs_xattr_outer_block(inode);
	struct msyncfs_xattr attr = {};
	struct msyncfs_xattr_change c;
	struct msyncfs_xattr_area area;
	struct msyncfs_disk_xattr *e;
	int err = -ENODATA;
	u64 tid;

	if (IS_ERR(bh))
		return PTR_ERR(bh);
	area = msyncfs_xattr_inline(msyncfs_iblock(inode));
	e = find_large(&area);
	if (!e && bh) {
		area = msyncfs_xattr_outer(bh->b_data);
		e = find_large(&area);
	}
	if (e) {
		attr.prefix = e->prefix;
		attr.name = e->name;
		attr.name_len = e->name_len;
		err = change_in_op(&c, inode, &attr, 0, &tid);
		msyncfs_xattr_done(&c);
	}
	brelse(bh);
	return err;
}

/**
 * msyncfs_xattr_free_values - free the value blocks of an inode
 * @inode: inode without links, on the orphan list
 *
 * Removes the attributes that have value blocks, each in an operation of its own,
 * because all blocks together may be too many for a record.
 *
 * Context: caller has the inode to itself; begins operations.
 * Return: 0, or a negative errno as from msyncfs_xattr_change().
 */
int msyncfs_xattr_free_values(struct inode *inode)
{
	int err;

	do
		err = free_one_value(inode);
	while (!err);
	return err == -ENODATA ? 0 : err;
}

/* ---- handlers of the VFS --------------------------------------------------- */

static int msyncfs_handler_get(const struct xattr_handler *handler,
			       struct dentry *dentry, struct inode *inode,
			       const char *name, void *buf, size_t size)
{
	const struct msyncfs_xattr attr = {
		.prefix	  = handler->flags,
		.name	  = name,
		.name_len = strlen(name),
	};

	if (msyncfs_is_dead(MSYNCFS_SB(inode->i_sb)))
		return -EIO;
	return msyncfs_xattr_get(inode, &attr, buf, size);
}

static int msyncfs_handler_set(const struct xattr_handler *handler,
			       struct mnt_idmap *idmap, struct dentry *dentry,
			       struct inode *inode, const char *name,
			       const void *value, size_t size, int flags)
{
	const struct msyncfs_xattr attr = {
		.prefix	  = handler->flags,
		.name	  = name,
		.name_len = strlen(name),
		.value	  = value,
		.size	  = size,
	};

	return msyncfs_xattr_change(inode, &attr, flags);
}

static const struct xattr_handler msyncfs_user_handler = {
	.prefix	= XATTR_USER_PREFIX,
	.flags	= MSYNCFS_XATTR_USER,
	.get	= msyncfs_handler_get,
	.set	= msyncfs_handler_set,
};

static const struct xattr_handler msyncfs_trusted_handler = {
	.prefix	= XATTR_TRUSTED_PREFIX,
	.flags	= MSYNCFS_XATTR_TRUSTED,
	.get	= msyncfs_handler_get,
	.set	= msyncfs_handler_set,
};

static const struct xattr_handler msyncfs_security_handler = {
	.prefix	= XATTR_SECURITY_PREFIX,
	.flags	= MSYNCFS_XATTR_SECURITY,
	.get	= msyncfs_handler_get,
	.set	= msyncfs_handler_set,
};

const struct xattr_handler * const msyncfs_xattr_handlers[] = {
	&msyncfs_user_handler,
	&msyncfs_trusted_handler,
	&msyncfs_security_handler,
	NULL
};
