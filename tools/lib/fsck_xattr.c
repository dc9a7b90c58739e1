// SPDX-License-Identifier: GPL-2.0
/*
 * fsck checks extended attributes here. It drops an attribute whose value is not
 * there, and all attributes behind a damaged one in the same area, because they
 * cannot be found any more.
 */
#include "fsck.h"

/*
 * If an inode loses its access ACL, the group bits of its mode, which were the mask of
 * the ACL, would become the rights of the owning group. Take these rights away.
 */
static void lose_acl(struct msyncfs_disk_inode *di)
{
	di->mode &= cpu_to_le32(~(__u32)0070);
}

/*
 * Clear an area from the first damaged attribute on. Set *@lost to true if there was
 * something to clear. Returns what is left, in bytes.
 */
static u32 area_salvage(struct fsck *fs, const struct msyncfs_xattr_area *area,
			u64 self, bool *lost)
{
	u32 off, i;

	msyncfs_verify_xattrs(&fs->geo, area, self, &off);
	for (i = off; i < area->room; i++)
		if (area->data[i])
			*lost = true;
	memset(area->data + off, 0, area->room - off);
	return off;
}

/* Drop the damaged attributes of an inode. */
void xattr_salvage(struct fsck *fs, struct msyncfs_disk_inode *di)
{
	struct msyncfs_xattr_area area = msyncfs_xattr_inline(di);
	u64 ino = le64_to_cpu(di->h.blkno), blkno = le64_to_cpu(di->xattr);

	bool lost = false;

	area_salvage(fs, &area, ino, &lost);
	if (blkno && (blkno == ino || !msyncfs_is_data(&fs->geo, blkno))) {
		di->xattr = 0;
		lost = true;
	}
	if (lost)
		lose_acl(di);
}

static bool claimed(struct fsck *fs, u64 blkno)
{
	return bit_test(fs->used, blkno) || bit_test(fs->gone, blkno);
}

/* Check the value blocks of an attribute. Returns NULL or the problem. */
static const char *check_value(struct fsck *fs, u64 ino,
			       const struct msyncfs_disk_xattr *e)
{
	u32 nr = msyncfs_xattr_blocks(le32_to_cpu(e->value_len)), i;
	const __le64 *list = msyncfs_xattr_data(e);
	struct msyncfs_disk_value value;
	const char *why;

	for (i = 0; i < nr; i++) {
		u64 blkno = le64_to_cpu(list[i]);

		why = blk_load(fs, blkno, MSYNCFS_MAGIC_VALUE, ino, &value);
		if (why)
			return why;
		if (le32_to_cpu(value.h.level) != i)
			return "another part of a value";
		if (claimed(fs, blkno))
			return "a block of it belongs to something else";
	}
	/* The value of a long ACL has one block. */
	if (nr && msyncfs_xattr_is_acl(e))
		return msyncfs_verify_acl(value.data, le32_to_cpu(e->value_len));
	return NULL;
}

static void claim_value(struct fsck *fs, struct inode_info *info,
			const struct msyncfs_disk_xattr *e)
{
	u32 nr = msyncfs_xattr_blocks(le32_to_cpu(e->value_len)), i;
	const __le64 *list = msyncfs_xattr_data(e);

	for (i = 0; i < nr; i++)
		blk_claim(fs, le64_to_cpu(list[i]), info->gone);
	info->attrs += nr;
}

/*
 * Check the attributes of an area that has passed verification. @inner is another area
 * that must not have the same attributes, or NULL. Returns true if the area has
 * changed.
 */
static bool check_area(struct fsck *fs, struct inode_info *info,
		       struct msyncfs_disk_inode *di,
		       const struct msyncfs_xattr_area *area,
		       const struct msyncfs_xattr_area *inner)
{
	struct msyncfs_disk_xattr *last = NULL, *e;
	bool changed = false;
	const char *why;

	while ((e = msyncfs_xattr_next(area, last))) {
		why = check_value(fs, info->ino, e);
		if (!why && inner && msyncfs_xattr_find(inner, e->prefix, e->name,
							e->name_len))
			why = "exists twice";
		if (why && problem(fs, false, "drop the attribute",
				   "Inode %llu%s: attribute %s%.*s: %s", info->ino,
				   inode_path(fs, info->ino),
				   msyncfs_xattr_prefixes[e->prefix],
				   (int)e->name_len, (char *)e->name, why)) {
			if (e->prefix == MSYNCFS_XATTR_ACCESS)
				lose_acl(di);
			msyncfs_xattr_erase(area, e);
			changed = true;
			continue;
		}
		if (!why)
			claim_value(fs, info, e);
		last = e;
	}
	return changed;
}

/* Read the outer block, and repair it if possible. Returns NULL or the problem. */
static const char *outer_load(struct fsck *fs, struct inode_info *info,
			      struct msyncfs_disk_inode *di,
			      struct msyncfs_disk_xattrs *outer)
{
	struct msyncfs_xattr_area area = msyncfs_xattr_outer(outer);
	u64 blkno = le64_to_cpu(di->xattr);
	bool lost = false;
	const char *why;

	why = blk_load(fs, blkno, MSYNCFS_MAGIC_XATTR, info->ino, outer);
	if (why && !salvage_header(&outer->h, MSYNCFS_MAGIC_XATTR, blkno,
				   info->ino))
		return why;
	if (claimed(fs, blkno))
		return "belongs to something else";
	if (!why)
		return NULL;
	outer->h.level = 0;
	if (!area_salvage(fs, &area, blkno, &lost) ||
	    !problem(fs, false, "drop the damaged attributes",
		     "Block %llu, attributes of inode %llu%s: %s", blkno,
		     info->ino, inode_path(fs, info->ino), why))
		return why;
	if (lost)
		lose_acl(di);
	blk_write(fs, blkno, outer);
	return NULL;
}

/*
 * Check the block with the attributes that do not fit into the inode. Returns true if
 * @di has changed.
 */
static bool check_outer(struct fsck *fs, struct inode_info *info,
			struct msyncfs_disk_inode *di)
{
	struct msyncfs_xattr_area inner = msyncfs_xattr_inline(di), area;
	u64 blkno = le64_to_cpu(di->xattr);
	struct msyncfs_disk_xattrs outer;
	const char *why;

	if (!blkno)
		return false;
	area = msyncfs_xattr_outer(&outer);
	why = outer_load(fs, info, di, &outer);
	if (why) {
		if (!problem(fs, false, "drop these attributes",
			     "Block %llu, attributes of inode %llu%s: %s", blkno,
			     info->ino, inode_path(fs, info->ino), why))
			return false;
		di->xattr = 0;
		lose_acl(di);
		return true;
	}
	blk_claim(fs, blkno, info->gone);
	info->attrs++;
	if (!check_area(fs, info, di, &area, &inner))
		return false;
	if (msyncfs_xattr_used(&area)) {
		blk_write(fs, blkno, &outer);
		return false;
	}
	bit_clear(info->gone ? fs->gone : fs->used, blkno);
	info->attrs--;
	di->xattr = 0;
	return true;
}

/*
 * Check the attributes of an inode that has passed verification, and count their
 * blocks in @info. Returns true if @di has changed; the caller must store @di.
 */
bool xattr_check(struct fsck *fs, struct inode_info *info,
		 struct msyncfs_disk_inode *di)
{
	struct msyncfs_xattr_area inner = msyncfs_xattr_inline(di);
	__le32 mode = di->mode;
	bool changed = check_area(fs, info, di, &inner, NULL);

	return check_outer(fs, info, di) || changed || di->mode != mode;
}
