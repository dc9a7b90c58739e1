// SPDX-License-Identifier: GPL-2.0
/*
 * This file contains functions for areas with extended attributes. It checks an
 * area that has been read, and finds, removes and adds attributes in an area that
 * has been checked. The functions do no I/O and take no locks. The module, the
 * tools and the KUnit suites share this file.
 */
#include "format.h"

#ifdef __KERNEL__
#include <kunit/visibility.h>
#include <linux/fs.h>
#include <linux/string.h>
#endif
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

const char * const msyncfs_xattr_prefixes[MSYNCFS_XATTR_PREFIXES] = {
	[MSYNCFS_XATTR_USER]	 = "user.",
	[MSYNCFS_XATTR_TRUSTED]	 = "trusted.",
	[MSYNCFS_XATTR_SECURITY] = "security.",
	[MSYNCFS_XATTR_ACCESS]	 = "system.posix_acl_access",
	[MSYNCFS_XATTR_DEFAULT]	 = "system.posix_acl_default",
};

static u32 padded(u32 len)
{
	return (len + 7) & ~7U;
}

/**
 * msyncfs_xattr_blocks() - count the value blocks of an attribute
 * @value_len: length of the value in bytes, at most MSYNCFS_XATTR_MAX
 *
 * Context: any.
 * Return: the number of blocks; 0 if the value lies in the entry.
 */
u32 msyncfs_xattr_blocks(u32 value_len)
{
	if (value_len <= MSYNCFS_XATTR_EMBED)
		return 0;
	return (value_len + MSYNCFS_VALUE_ROOM - 1) / MSYNCFS_VALUE_ROOM;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_blocks);

/**
 * msyncfs_xattr_len() - compute the length of an entry
 * @name_len: length of the name after the prefix, in bytes
 * @value_len: length of the value in bytes, at most MSYNCFS_XATTR_MAX
 *
 * Context: any.
 * Return: the length in bytes, a multiple of 8.
 */
u32 msyncfs_xattr_len(u32 name_len, u32 value_len)
{
	u32 blocks = msyncfs_xattr_blocks(value_len);

	return MSYNCFS_XATTR_HEADER + padded(name_len) +
	       (blocks ? 8 * blocks : padded(value_len));
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_len);

/**
 * msyncfs_xattr_next() - go through the attributes of an area
 * @area: area that has been checked
 * @e: an attribute, or NULL for the first call
 *
 * Context: any.
 * Return: the attribute after @e, or NULL if @e is the last one.
 */
struct msyncfs_disk_xattr *
msyncfs_xattr_next(const struct msyncfs_xattr_area *area,
		   const struct msyncfs_disk_xattr *e)
{
	u32 off = 0;

	if (e)
		off = (const u8 *)e - area->data +
		      msyncfs_xattr_len(e->name_len, le32_to_cpu(e->value_len));
	e = (const struct msyncfs_disk_xattr *)(area->data + off);
	if (area->room - off < MSYNCFS_XATTR_HEADER || !e->prefix)
		return NULL;
	return (struct msyncfs_disk_xattr *)e;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_next);

/**
 * msyncfs_xattr_used() - tell how much of an area is in use
 * @area: area that has been checked
 *
 * Context: any.
 * Return: number of bytes at the start of the area.
 */
u32 msyncfs_xattr_used(const struct msyncfs_xattr_area *area)
{
	struct msyncfs_disk_xattr *e = NULL;
	u32 used = 0;

	while ((e = msyncfs_xattr_next(area, e)))
		used += msyncfs_xattr_len(e->name_len, le32_to_cpu(e->value_len));
	return used;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_used);

/**
 * msyncfs_xattr_find() - find an attribute in an area
 * @area: area that has been checked
 * @prefix: MSYNCFS_XATTR_*
 * @name: name after the prefix
 * @len: length of @name in bytes
 *
 * Context: any.
 * Return: the attribute, or NULL if the area does not have it.
 */
struct msyncfs_disk_xattr *
msyncfs_xattr_find(const struct msyncfs_xattr_area *area, u8 prefix,
		   const void *name, u32 len)
{
	struct msyncfs_disk_xattr *e = NULL;

	while ((e = msyncfs_xattr_next(area, e)))
		if (e->prefix == prefix && e->name_len == len &&
		    !memcmp(e->name, name, len))
			return e;
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_find);

/**
 * msyncfs_xattr_data() - find the value of an attribute, or the list of its blocks
 * @e: attribute
 *
 * Context: any.
 * Return: the bytes of the value. If msyncfs_xattr_blocks() is not 0, an array of
 * __le64 with the numbers of the value blocks.
 */
void *msyncfs_xattr_data(const struct msyncfs_disk_xattr *e)
{
	return (u8 *)e->name + padded(e->name_len);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_data);

/**
 * msyncfs_xattr_erase() - remove an attribute from an area
 * @area: area that has been checked
 * @e: attribute of this area
 *
 * Context: caller may change the area.
 */
void msyncfs_xattr_erase(const struct msyncfs_xattr_area *area,
			 struct msyncfs_disk_xattr *e)
{
	u32 len = msyncfs_xattr_len(e->name_len, le32_to_cpu(e->value_len));
	u32 used = msyncfs_xattr_used(area);
	u32 end = (u8 *)e - area->data + len;

	memmove(e, area->data + end, used - end);
	memset(area->data + used - len, 0, len);
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_erase);

/**
 * msyncfs_xattr_append() - add an attribute to an area
 * @area: area that has been checked; it has room for the attribute
 * @prefix: MSYNCFS_XATTR_*
 * @name: name after the prefix
 * @name_len: length of @name in bytes
 * @value_len: length of the value in bytes
 *
 * The caller fills in the value or the list of blocks, see msyncfs_xattr_data().
 *
 * Context: caller may change the area.
 * Return: the attribute.
 */
struct msyncfs_disk_xattr *
msyncfs_xattr_append(const struct msyncfs_xattr_area *area, u8 prefix,
		     const void *name, u32 name_len, u32 value_len)
{
	struct msyncfs_disk_xattr *e;

	e = (struct msyncfs_disk_xattr *)(area->data + msyncfs_xattr_used(area));
	e->value_len = cpu_to_le32(value_len);
	e->prefix = prefix;
	e->name_len = name_len;
	memcpy(e->name, name, name_len);
	return e;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_append);

static bool all_zero(const void *buf, size_t len)
{
	return !memchr_inv(buf, 0, len);
}

/* What verify_ace() expects next. */
enum acl_state { AT_USER_OBJ, AT_USER, AT_GROUP, AT_MASK, AT_OTHER, AT_END };

/* Verify an entry of an ACL. Return the next state, or -1. */
static int verify_ace(const struct posix_acl_xattr_entry *e, int state)
{
	bool named = le32_to_cpu(e->e_id) != (u32)ACL_UNDEFINED_ID;

	if (le16_to_cpu(e->e_perm) & ~(ACL_READ | ACL_WRITE | ACL_EXECUTE))
		return -1;
	switch (le16_to_cpu(e->e_tag)) {
	case ACL_USER_OBJ:
		return state == AT_USER_OBJ ? AT_USER : -1;
	case ACL_USER:
		return state == AT_USER && named ? AT_USER : -1;
	case ACL_GROUP_OBJ:
		return state == AT_USER ? AT_GROUP : -1;
	case ACL_GROUP:
		return (state == AT_GROUP || state == AT_MASK) && named ?
		       AT_MASK : -1;
	case ACL_MASK:
		return state == AT_GROUP || state == AT_MASK ? AT_OTHER : -1;
	case ACL_OTHER:
		return state == AT_GROUP || state == AT_OTHER ? AT_END : -1;
	default:
		return -1;
	}
}

/**
 * msyncfs_verify_acl() - check the value of an ACL
 * @value: the value
 * @size: its length in bytes
 *
 * The entries are in the order of their tags. There is one for the owner, one for the
 * group and one for others, and one for the mask if a user or a group is named.
 *
 * Context: any.
 * Return: NULL, or a text that says what is wrong.
 */
const char *msyncfs_verify_acl(const void *value, u32 size)
{
	const struct posix_acl_xattr_header *head = value;
	const struct posix_acl_xattr_entry *e = (const void *)(head + 1);
	bool named = false, mask = false;
	int state = AT_USER_OBJ;

	if (size < sizeof(*head) || (size - sizeof(*head)) % sizeof(*e) ||
	    le32_to_cpu(head->a_version) != POSIX_ACL_XATTR_VERSION)
		return "damaged ACL";
	for (size -= sizeof(*head); size; size -= sizeof(*e), e++) {
		named |= le16_to_cpu(e->e_tag) == ACL_USER ||
			 le16_to_cpu(e->e_tag) == ACL_GROUP;
		mask |= le16_to_cpu(e->e_tag) == ACL_MASK;
		state = verify_ace(e, state);
		if (state < 0)
			break;
	}
	return state == AT_END && (mask || !named) ? NULL : "damaged ACL";
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_verify_acl);

/**
 * msyncfs_xattr_is_acl() - tell whether an attribute is an ACL
 * @e: attribute
 *
 * Context: any.
 * Return: true for an ACL.
 */
bool msyncfs_xattr_is_acl(const struct msyncfs_disk_xattr *e)
{
	return e->prefix == MSYNCFS_XATTR_ACCESS ||
	       e->prefix == MSYNCFS_XATTR_DEFAULT;
}

static const char *verify_name(const struct msyncfs_disk_xattr *e)
{
	u32 len = e->name_len;

	if (msyncfs_xattr_is_acl(e))
		return len ? "name of an ACL" : NULL;
	if (!len || len + strlen(msyncfs_xattr_prefixes[e->prefix]) >
	    MSYNCFS_NAME_LEN || memchr(e->name, 0, len))
		return "illegal name of an attribute";
	return NULL;
}

/* Verify the list of value blocks. @self is the block that contains the list. */
static const char *verify_list(const struct msyncfs_geo *geo,
			       const struct msyncfs_disk_xattr *e, u64 self)
{
	u32 nr = msyncfs_xattr_blocks(le32_to_cpu(e->value_len)), i, j;
	const __le64 *list = msyncfs_xattr_data(e);

	for (i = 0; i < nr; i++) {
		u64 blkno = le64_to_cpu(list[i]);

		if (blkno == self || !msyncfs_is_data(geo, blkno))
			return "value of an attribute is outside the data area";
		for (j = 0; j < i; j++)
			if (list[j] == list[i])
				return "block twice in the value of an attribute";
	}
	return NULL;
}

/* Verify the attribute at @off. The attributes before it are good. */
static const char *verify_xattr(const struct msyncfs_geo *geo,
				const struct msyncfs_xattr_area *area, u32 off,
				u64 self)
{
	const struct msyncfs_disk_xattr *e = (const void *)(area->data + off);
	u32 size = le32_to_cpu(e->value_len), len;
	const char *why;

	if (e->prefix >= MSYNCFS_XATTR_PREFIXES)
		return "unknown kind of attribute";
	if (!all_zero(e->reserved, sizeof(e->reserved)))
		return "reserved bytes of an attribute are not zero";
	if (size > (msyncfs_xattr_is_acl(e) ? MSYNCFS_ACL_MAX :
					      MSYNCFS_XATTR_MAX))
		return "value of an attribute is too long";
	len = msyncfs_xattr_len(e->name_len, size);
	if (len > area->room - off)
		return "attribute crosses the end of its area";
	why = verify_name(e);
	if (why)
		return why;
	if (!all_zero(e->name + e->name_len,
		      padded(e->name_len) - e->name_len))
		return "padding of an attribute is not zero";
	if (msyncfs_xattr_blocks(size))
		why = verify_list(geo, e, self);
	else if (!all_zero((u8 *)msyncfs_xattr_data(e) + size,
			   padded(size) - size))
		why = "padding of an attribute is not zero";
	else if (msyncfs_xattr_is_acl(e))
		why = msyncfs_verify_acl(msyncfs_xattr_data(e), size);
	if (!why && msyncfs_xattr_find(area, e->prefix, e->name,
				       e->name_len) != e)
		why = "attribute exists twice";
	return why;
}

/**
 * msyncfs_verify_xattrs() - check an area with attributes
 * @geo: geometry of the filesystem
 * @area: area as read
 * @self: block that contains the area
 * @off: set to the number of bytes that good attributes have in front of the
 *	first bad one, or to the number of bytes in use
 *
 * Context: any.
 * Return: NULL, or a text that says what is wrong.
 */
const char *msyncfs_verify_xattrs(const struct msyncfs_geo *geo,
				  const struct msyncfs_xattr_area *area,
				  u64 self, u32 *off)
{
	for (*off = 0; area->room - *off >= MSYNCFS_XATTR_HEADER;) {
		const struct msyncfs_disk_xattr *e =
			(const void *)(area->data + *off);
		const char *why;

		if (!e->prefix)
			break;
		why = verify_xattr(geo, area, *off, self);
		if (why)
			return why;
		*off += msyncfs_xattr_len(e->name_len,
					  le32_to_cpu(e->value_len));
	}
	if (!all_zero(area->data + *off, area->room - *off))
		return "bytes after the last attribute";
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_verify_xattrs);

/**
 * msyncfs_xattr_total() - count the value blocks of all attributes of an area
 * @area: area that has been checked
 *
 * Context: any.
 * Return: number of blocks.
 */
u32 msyncfs_xattr_total(const struct msyncfs_xattr_area *area)
{
	struct msyncfs_disk_xattr *e = NULL;
	u32 nr = 0;

	while ((e = msyncfs_xattr_next(area, e)))
		nr += msyncfs_xattr_blocks(le32_to_cpu(e->value_len));
	return nr;
}
EXPORT_SYMBOL_IF_KUNIT(msyncfs_xattr_total);
