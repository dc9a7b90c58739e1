// SPDX-License-Identifier: GPL-2.0
/*
 * This file takes private data out of metadata blocks, in a way that fsck finds the same
 * problems as before. Bytes whose value does not matter become 'x', and zeros stay zeros,
 * because some zeros are checked. A wrong checksum stays wrong.
 *
 * A new name has the length of the old one, so all entries stay where they are. Equal names
 * stay equal, and different names stay different. The hash of a new name does not fit its
 * position any more. So the superblock gets a feature bit, and the lowest bit of the position
 * tells whether the hash of the old name was wrong.
 */
#include "obscure.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#define PLAIN "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ._-#+~"

/* Replace all bytes except zeros. */
static void blank(void *buf, size_t len)
{
	u8 *p = buf;

	for (; len; len--, p++)
		if (*p)
			*p = 'x';
}

/*
 * Damaged pointers may be the bytes of something else. A pointer past the end of the
 * filesystem stays one.
 */
static void obscure_ptrs(const struct obscure *o, __le64 *ptr, unsigned int nr)
{
	unsigned int i;
	u64 p;

	for (i = 0; i < nr; i++) {
		p = le64_to_cpu(ptr[i]);
		if (p & ~(MSYNCFS_PTR_UNWRITTEN | MSYNCFS_PTR_BLKNO))
			memset(&ptr[i], 'x', sizeof(*ptr));
		else if ((p & MSYNCFS_PTR_BLKNO) >= o->geo.blocks)
			ptr[i] |= cpu_to_le64(MSYNCFS_PTR_BLKNO);
	}
}

/* ---- names ---- */

static bool is_plain(const u8 *name, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		if (!name[i] || !strchr(PLAIN, name[i]))
			return false;
	return true;
}

/*
 * Return the place of a byte in its alphabet, or the byte in place @n. The other alphabet has
 * all bytes except 0 and '/'.
 */
static unsigned int to_number(bool plain, u8 byte)
{
	return plain ? strchr(PLAIN, byte) - PLAIN : byte - 1 - (byte > '/');
}

static u8 to_byte(bool plain, unsigned int n)
{
	if (plain)
		return PLAIN[n];
	return n + 1 + (n + 1 >= '/');
}

/* Add to each byte a number that depends on the bytes before it. */
static void chain(const struct obscure *o, u8 *name, unsigned int len, bool plain,
		  bool back)
{
	unsigned int room = plain ? strlen(PLAIN) : 254, i;
	u64 state[2] = { len, back };

	for (i = 0; i < len; i++) {
		u8 *p = &name[back ? len - 1 - i : i];

		state[0] = siphash(state, sizeof(state), &o->key);
		if (*p != '/')
			*p = to_byte(plain, (to_number(plain, *p) + state[0] % room) % room);
		state[1] = *p;
	}
}

/* The name of the directory that fsck looks for stays, and names that are no names of files. */
static bool stays(const u8 *name, unsigned int len)
{
	static const char * const names[] = { ".", "..", "lost+found" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (len == strlen(names[i]) && !memcmp(name, names[i], len))
			return true;
	return false;
}

/*
 * Make a name unreadable. Names of simple characters become such names. The two passes let
 * each byte depend on all. The steps can be undone, so different names stay different. A name
 * that must not come out goes through the passes again.
 */
static void obscure_name(const struct obscure *o, u8 *name, unsigned int len)
{
	bool plain = is_plain(name, len);

	if (o->keep_names || stays(name, len))
		return;
	do {
		chain(o, name, len, plain, false);
		chain(o, name, len, plain, true);
	} while (is_plain(name, len) != plain || stays(name, len));
}

/* ---- directories ---- */

static void obscure_entry(const struct obscure *o, struct msyncfs_disk_dirent *de)
{
	const char *name = (const char *)de->name;
	u64 position = le64_to_cpu(de->position);
	bool fits = msyncfs_pos_fits(&o->geo, position, name, de->name_len);
	unsigned int i, len = de->name_len;

	/* Nothing uses these numbers of an entry that is none. */
	if (!fits || !msyncfs_name_legal(name, len)) {
		position = 0;
		de->position = 0;
		obscure_ptrs(o, &de->ino, 1);
	}
	if (o->keep_names)
		return;
	blank(de->name + len, MSYNCFS_DIRENT_LEN(len) - MSYNCFS_DIRENT_HEADER - len);
	if (msyncfs_name_legal(name, len)) {
		obscure_name(o, de->name, len);
	} else if (len > 2) {
		for (i = 0; i < len; i++)	/* what is illegal stays illegal */
			if (de->name[i] != '/')
				blank(&de->name[i], 1);
	}
	/* A position that is impossible stays impossible. */
	if (position & 1 && o->geo.hash_room > 1)
		position |= 2;
	de->position = cpu_to_le64((position & ~1ULL) | !fits);
}

static void obscure_dir(const struct obscure *o, struct msyncfs_disk_dir *d)
{
	u32 used = le32_to_cpu(d->used), pos = 0, len;

	if (le64_to_cpu(d->prefix) >> (MSYNCFS_POS_BITS - 1))
		memset(&d->prefix, 'x', sizeof(d->prefix));
	if (used > sizeof(d->data))
		used = sizeof(d->data);
	for (; used - pos >= MSYNCFS_DIRENT_HEADER; pos += len) {
		struct msyncfs_disk_dirent *de =
			(struct msyncfs_disk_dirent *)(d->data + pos);

		len = MSYNCFS_DIRENT_LEN(de->name_len);
		if (len > used - pos) {		/* damaged */
			pos += MSYNCFS_DIRENT_HEADER;
			break;
		}
		obscure_entry(o, de);
	}
	blank(d->data + pos, sizeof(d->data) - pos);
}

/* ---- attributes ---- */

static void obscure_xattr(const struct obscure *o, struct msyncfs_disk_xattr *e)
{
	u32 size = le32_to_cpu(e->value_len);
	u8 *value = msyncfs_xattr_data(e), *end = e->name + e->name_len;
	__le64 *list = (__le64 *)value;

	if (!e->name_len || memchr(e->name, 0, e->name_len))
		blank(e->name, e->name_len);
	else
		obscure_name(o, e->name, e->name_len);
	blank(end, value - end);
	if (msyncfs_xattr_blocks(size)) {
		obscure_ptrs(o, list, msyncfs_xattr_blocks(size));
		return;
	}
	if (!msyncfs_xattr_is_acl(e) || msyncfs_verify_acl(value, size))
		memset(value, 'x', size);
	blank(value + size, -size & 7);
}

/* An ACL has numbers only, so it stays. */
static void obscure_area(const struct obscure *o, struct msyncfs_xattr_area area)
{
	u32 off = 0, len;

	for (; area.room - off >= MSYNCFS_XATTR_HEADER; off += len) {
		struct msyncfs_disk_xattr *e = (void *)(area.data + off);
		u32 size = le32_to_cpu(e->value_len);

		if (!e->prefix)
			break;
		len = msyncfs_xattr_len(e->name_len, min(size, MSYNCFS_XATTR_MAX));
		if (e->prefix >= MSYNCFS_XATTR_PREFIXES || size > MSYNCFS_XATTR_MAX ||
		    len > area.room - off) {	/* damaged */
			off += MSYNCFS_XATTR_HEADER;
			break;
		}
		obscure_xattr(o, e);
	}
	blank(area.data + off, area.room - off);
}

/* A value block does not tell whether its value is an ACL. If it is one, it stays. */
static void obscure_value(struct msyncfs_disk_value *v)
{
	const struct posix_acl_xattr_entry *e;
	u32 len = sizeof(struct posix_acl_xattr_header);
	u16 tag;

	do {
		e = (const void *)(v->data + len);
		tag = le16_to_cpu(e->e_tag);
		len += sizeof(*e);
	} while (tag != ACL_OTHER && len + sizeof(*e) <= sizeof(v->data));
	if (msyncfs_verify_acl(v->data, len))
		len = 0;
	memset(v->data + len, 0, sizeof(v->data) - len);
}

/* ---- blocks ---- */

static void obscure_inode(const struct obscure *o, struct msyncfs_disk_inode *di)
{
	u32 mode = le32_to_cpu(di->mode);

	obscure_ptrs(o, &di->orphan_next, 1);
	obscure_ptrs(o, &di->parent, 1);
	obscure_ptrs(o, &di->rest, 1);
	obscure_ptrs(o, &di->xattr, 1);
	obscure_area(o, msyncfs_xattr_inline(di));
	if (S_ISREG(mode) || S_ISDIR(mode))
		obscure_ptrs(o, di->ptr, MSYNCFS_INODE_PTRS);
	else if (!S_ISLNK(mode) || !o->keep_names)
		blank(di->symlink, sizeof(di->symlink));
}

static void obscure_root(const struct obscure *o, struct msyncfs_disk_root *root)
{
	obscure_ptrs(o, &root->orphan_head, 1);
	blank(&root->dfree_head, sizeof(root->dfree_head));
	blank(root->reserved, sizeof(root->reserved));
}

/* What fsck finds in a damaged header is only that it is not the right one. */
static void obscure_header(const struct obscure *o, struct msyncfs_disk_header *h)
{
	if (le32_to_cpu(h->level) > MSYNCFS_POS_BITS)
		memset(&h->level, 'x', sizeof(h->level));
	obscure_ptrs(o, &h->blkno, 1);
	obscure_ptrs(o, &h->owner, 1);
	blank(h->reserved, sizeof(h->reserved));
}

/* Returns false if the block is no metadata. fsck uses no bit of a damaged bitmap. */
static bool obscure_content(const struct obscure *o, struct msyncfs_disk_header *h,
			    bool damaged)
{
	void *buf = h;

	obscure_header(o, h);
	switch (le32_to_cpu(h->magic)) {
	case MSYNCFS_MAGIC_ROOT:
		obscure_root(o, buf);
		return true;
	case MSYNCFS_MAGIC_BITMAP:
	case MSYNCFS_MAGIC_INODES:
		if (damaged)
			memset(h + 1, 0, MSYNCFS_BLOCK_SIZE - sizeof(*h));
		return true;
	case MSYNCFS_MAGIC_INODE:
		obscure_inode(o, buf);
		return true;
	case MSYNCFS_MAGIC_MAP:
		obscure_ptrs(o, ((struct msyncfs_disk_map *)buf)->ptr, MSYNCFS_NODE_PTRS);
		return true;
	case MSYNCFS_MAGIC_DIR:
		obscure_dir(o, buf);
		return true;
	case MSYNCFS_MAGIC_REST:
		if (!o->keep_names)
			blank(h + 1, MSYNCFS_BLOCK_SIZE - sizeof(*h));
		return true;
	case MSYNCFS_MAGIC_XATTR:
		obscure_area(o, msyncfs_xattr_outer(buf));
		return true;
	case MSYNCFS_MAGIC_VALUE:
		obscure_value(buf);
		return true;
	}
	return false;
}

/*
 * Take private data out of a block that was read for block @blkno. Returns false if the
 * block is not metadata; then nothing of it may be shown.
 */
bool obscure_block(const struct obscure *o, void *buf, u64 blkno)
{
	struct msyncfs_disk_header *h = buf;
	u64 seq = le64_to_cpu(h->seq);
	__le64 wrong = h->csum;

	msyncfs_seal_block(&o->geo, buf, seq);
	wrong ^= h->csum;
	/*
	 * Without checksum and number it may be data that looks like metadata. fsck can use
	 * nothing of it, except the entries of a directory.
	 */
	if (wrong && le64_to_cpu(h->blkno) != blkno) {
		seq = 0;
		if (le32_to_cpu(h->magic) != MSYNCFS_MAGIC_DIR)
			memset(h + 1, 0, MSYNCFS_BLOCK_SIZE - sizeof(*h));
	}
	if (!obscure_content(o, h, wrong))
		return false;
	msyncfs_seal_block(&o->geo, buf, seq);
	h->csum ^= wrong;
	return true;
}

/*
 * Take what no record has out of its header, of which @rec has @len bytes. The rest of the
 * last block should be zero. A torn or damaged header may have the bytes of an older image,
 * so only numbers of blocks that are possible stay.
 */
void obscure_record(const struct obscure *o, struct msyncfs_disk_record *rec, size_t len,
		    bool damaged)
{
	u32 nr = le32_to_cpu(rec->nr_images), i;
	size_t used = MSYNCFS_RECORD_HEADER;

	if (!damaged) {
		used = msyncfs_record_used(nr);
	} else if (nr <= o->geo.record_images) {
		nr = min(nr, (len - used) / sizeof(*rec->home));
		for (i = 0; i < nr; i++)
			if (!msyncfs_is_home(&o->geo,
					     le64_to_cpu(rec->home[i]) & ~MSYNCFS_HOME_META))
				memset(&rec->home[i], 'x', sizeof(rec->home[i]));
		used += nr * sizeof(*rec->home);
	}
	blank(rec->reserved, sizeof(rec->reserved));
	blank((char *)rec + used, len - used);
}

/* Take the label and the key of the hashes out of a superblock, or all out of a damaged one. */
void obscure_super(const struct obscure *o, struct msyncfs_disk_super *ds)
{
	__le64 wrong = ds->csum;

	if (o->keep_names)
		return;
	msyncfs_seal_super(ds);
	wrong ^= ds->csum;
	if (wrong)
		memset(&ds->compat, 0, sizeof(*ds) - offsetof(struct msyncfs_disk_super, compat));
	memset(ds->label, 0, sizeof(ds->label));
	memset(ds->name_key, 0, sizeof(ds->name_key));
	ds->incompat |= cpu_to_le64(MSYNCFS_INCOMPAT_OBSCURED);
	blank(ds->reserved, sizeof(ds->reserved));
	msyncfs_seal_super(ds);
	ds->csum ^= wrong;
}

/* Take all that fsck does not use out of a tail slot. */
void obscure_slot(const struct obscure *o, struct msyncfs_disk_slot *slot)
{
	__le64 wrong = slot->csum;

	msyncfs_seal_slot(&o->geo, slot);
	wrong ^= slot->csum;
	if (wrong)
		memset(&slot->counter, 0,
		       sizeof(*slot) - offsetof(struct msyncfs_disk_slot, counter));
	blank(slot->reserved, sizeof(slot->reserved));
	msyncfs_seal_slot(&o->geo, slot);
	slot->csum ^= wrong;
}

/* Take the names of machine and device out of the multi-mount protection, and free it. */
void obscure_mmp(const struct obscure *o, struct msyncfs_disk_mmp *mmp)
{
	__le64 wrong = mmp->csum;

	msyncfs_seal_mmp(&o->geo, mmp);
	wrong ^= mmp->csum;
	mmp->seq = cpu_to_le64(MSYNCFS_MMP_CLEAN);
	blank(mmp->node, sizeof(mmp->node));
	blank(mmp->device, sizeof(mmp->device));
	blank(mmp->reserved, sizeof(mmp->reserved));
	msyncfs_seal_mmp(&o->geo, mmp);
	mmp->csum ^= wrong;
}
