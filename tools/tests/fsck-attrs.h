/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Part of fsck-image.c: extended attributes of the images, and their damages.
 *
 * /attrs has attributes in its inode and in an outer block, and values in blocks of
 * their own. /attrs2 has one long value. The directory /adir, the symbolic link
 * /alink and the pipe /apipe have attributes, too.
 */
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#define LARGE	9000	/* length of user.large, which has 3 value blocks */
#define BIG	5000	/* length of trusted.big, which has 2 value blocks */

static struct msyncfs_disk_inode di;
static u64 find(const char *path);
static void get(const char *path);
static void put(void);
static void poke(u64 blkno, unsigned int off, const char *text);

/* --- fill --- */

static struct msyncfs_disk_xattrs outer;

/* Return the area for an attribute of @len bytes. It is in di or in outer. */
static struct msyncfs_xattr_area area_get(u64 ino, u32 len)
{
	struct msyncfs_xattr_area area = msyncfs_xattr_inline(&di);

	blk_read(fs, ino, &di);
	if (msyncfs_xattr_used(&area) + len <= area.room)
		return area;
	if (di.xattr) {
		blk_read(fs, le64_to_cpu(di.xattr), &outer);
	} else {
		di.xattr = cpu_to_le64(new_block());
		di.blocks = cpu_to_le64(le64_to_cpu(di.blocks) + 1);
		msyncfs_init_block(&outer, MSYNCFS_MAGIC_XATTR, 0, le64_to_cpu(di.xattr), ino);
	}
	return msyncfs_xattr_outer(&outer);
}

/* Make an ACL of @len bytes, which has entries for the users 0, 1, 2, ... */
static void fill_acl(void *buf, u32 len)
{
	struct posix_acl_xattr_header *head = buf;
	struct posix_acl_xattr_entry *e = (void *)(head + 1);
	u32 nr = (len - sizeof(*head)) / sizeof(*e), i;

	head->a_version = cpu_to_le32(POSIX_ACL_XATTR_VERSION);
	for (i = 0; i < nr; i++) {
		static const u16 last[] = { ACL_OTHER, ACL_MASK, ACL_GROUP_OBJ };
		u16 tag = !i ? ACL_USER_OBJ : nr - 1 - i < 3 ? last[nr - 1 - i] : ACL_USER;

		e[i].e_tag = cpu_to_le16(tag);
		e[i].e_perm = cpu_to_le16(5);
		e[i].e_id = cpu_to_le32(tag == ACL_USER ? i : ACL_UNDEFINED_ID);
	}
}

/* Give @ino an attribute. The value has the letter v @len times. */
static void set_attr(u64 ino, u8 prefix, const char *name, u32 len)
{
	struct msyncfs_xattr_area area = area_get(ino, msyncfs_xattr_len(strlen(name), len));
	u32 nr = msyncfs_xattr_blocks(len), i;
	static struct msyncfs_disk_value value;
	struct msyncfs_disk_xattr *e;
	__le64 *list;

	e = msyncfs_xattr_append(&area, prefix, name, strlen(name), len);
	list = msyncfs_xattr_data(e);
	if (!nr && prefix == MSYNCFS_XATTR_DEFAULT)
		fill_acl(list, len);
	else if (!nr)
		memset(list, 'v', len);
	for (i = 0; i < nr; i++) {
		list[i] = cpu_to_le64(new_block());
		msyncfs_init_block(&value, MSYNCFS_MAGIC_VALUE, i, le64_to_cpu(list[i]), ino);
		memset(value.data, 'v', min(len - i * MSYNCFS_VALUE_ROOM, MSYNCFS_VALUE_ROOM));
		if (prefix == MSYNCFS_XATTR_ACCESS)
			fill_acl(value.data, len);
		blk_write(fs, le64_to_cpu(list[i]), &value);
	}
	di.blocks = cpu_to_le64(le64_to_cpu(di.blocks) + nr);
	if (area.room == MSYNCFS_XATTR_ROOM)
		blk_write(fs, le64_to_cpu(di.xattr), &outer);
	put();
	if (inode_find(fs, ino))	/* a directory */
		inode_find(fs, ino)->attrs = le64_to_cpu(di.blocks);
}

/* Make an orphan with an attribute. It becomes the head of the list. */
static void new_attr_orphan(void)
{
	u64 ino = new_inode(S_IFREG | 0600, 0, 0);
	static struct msyncfs_disk_root rb;

	set_attr(ino, MSYNCFS_XATTR_USER, "lost", LARGE);
	blk_read(fs, MSYNCFS_ROOT_BLKNO, &rb);
	di.orphan_next = rb.orphan_head;
	put();
	rb.orphan_head = cpu_to_le64(ino);
	blk_write(fs, MSYNCFS_ROOT_BLKNO, &rb);
}

static void fill_attrs(void)
{
	u64 file = new_file(root, "attrs", 0), dir = new_dir(root, "adir"), ino;
	char name[8];
	int i;

	add_data(file, 0, 3, MSYNCFS_PTR_UNWRITTEN);
	set_attr(file, MSYNCFS_XATTR_USER, "small", 5);
	set_attr(file, MSYNCFS_XATTR_USER, "large", LARGE);
	for (i = 0; i < 8; i++) {
		sprintf(name, "n%d", i);
		set_attr(file, MSYNCFS_XATTR_SECURITY, name, 200);
	}
	set_attr(file, MSYNCFS_XATTR_TRUSTED, "big", BIG);
	set_attr(new_file(root, "attrs2", 0), MSYNCFS_XATTR_USER, "large", LARGE);

	blk_read(fs, dir, &di);
	di.mode = cpu_to_le32(S_IFDIR | 0770);
	put();
	set_attr(dir, MSYNCFS_XATTR_USER, "label", 600);
	set_attr(dir, MSYNCFS_XATTR_DEFAULT, "", 4 + 60 * 8);
	set_attr(dir, MSYNCFS_XATTR_ACCESS, "", MSYNCFS_ACL_MAX - 4);
	for (i = 0; i < 100; i++) {
		sprintf(name, "f%d", i);
		new_file(dir, name, 0);
	}
	ino = new_inode(S_IFLNK | 0777, 1, 1);
	blk_read(fs, ino, &di);
	di.symlink[0] = 'x';
	put();
	set_attr(ino, MSYNCFS_XATTR_TRUSTED, "large", LARGE);
	add_name(root, "alink", ino, FT_SYMLINK);
	ino = new_inode(S_IFIFO | 0600, 1, 0);
	set_attr(ino, MSYNCFS_XATTR_SECURITY, "capability", 400);
	set_attr(ino, MSYNCFS_XATTR_TRUSTED, "large", LARGE);
	add_name(root, "apipe", ino, FT_FIFO);
	new_attr_orphan();
}

/* --- damage --- */

static struct msyncfs_disk_xattr *attr_get(const char *path, u8 prefix, const char *name)
{
	struct msyncfs_xattr_area area = msyncfs_xattr_inline(&di);
	struct msyncfs_disk_xattr *e;

	get(path);
	e = msyncfs_xattr_find(&area, prefix, name, strlen(name));
	if (e || !di.xattr)
		return e;
	blk_read(fs, le64_to_cpu(di.xattr), &outer);
	area = msyncfs_xattr_outer(&outer);
	return msyncfs_xattr_find(&area, prefix, name, strlen(name));
}

static __le64 *attr_list(const char *path, u8 prefix, const char *name)
{
	return msyncfs_xattr_data(attr_get(path, prefix, name));
}

static void outer_put(void)
{
	blk_write(fs, le64_to_cpu(di.xattr), &outer);
}

static void attr_csum(void)
{
	poke(le64_to_cpu(attr_list("attrs", MSYNCFS_XATTR_USER, "large")[1]), 100, "rotten");
}

/* The value blocks belong to another file. */
static void attr_shared(void)
{
	__le64 blkno = attr_list("attrs", MSYNCFS_XATTR_USER, "large")[2];

	attr_list("attrs2", MSYNCFS_XATTR_USER, "large")[2] = blkno;
	put();
}

/* Two attributes of the file have the same value blocks. */
static void attr_same(void)
{
	__le64 blkno = attr_list("attrs", MSYNCFS_XATTR_USER, "large")[0];

	attr_list("attrs", MSYNCFS_XATTR_TRUSTED, "big")[0] = blkno;
	outer_put();
}

static void attr_order(void)
{
	__le64 *list = attr_list("attrs", MSYNCFS_XATTR_USER, "large"), first = list[0];

	list[0] = list[1];
	list[1] = first;
	put();
}

static void attr_log(void)
{
	attr_list("attrs", MSYNCFS_XATTR_USER, "large")[0] = cpu_to_le64(fs->geo.log_start);
	put();
}

static void attr_bitmap(void)
{
	attr_list("attrs", MSYNCFS_XATTR_TRUSTED, "big")[1] = cpu_to_le64(fs->geo.bitmap_start);
	outer_put();
}

static void attr_length(void)
{
	attr_get("attrs", MSYNCFS_XATTR_USER, "small")->value_len = cpu_to_le32(~0U);
	put();
}

static void attr_end(void)
{
	attr_get("attrs", MSYNCFS_XATTR_SECURITY, "n7")->name_len = 250;
	outer_put();
}

static void attr_twice(void)
{
	struct msyncfs_disk_xattr *e = attr_get("attrs", MSYNCFS_XATTR_SECURITY, "n7");

	memcpy(e->name, "n1", 2);
	outer_put();
}

/* An attribute is in the inode and in the outer block. */
static void attr_both(void)
{
	struct msyncfs_xattr_area area = msyncfs_xattr_outer(&outer);

	attr_get("attrs", MSYNCFS_XATTR_SECURITY, "n7");
	msyncfs_xattr_append(&area, MSYNCFS_XATTR_USER, "small", 5, 0);
	outer_put();
}

static void open_image(const char *path);

/* Print the mode of an inode. open_image() closes stdout. */
static int show_mode(const char *image, const char *path)
{
	open_image(image);
	get(path);
	fprintf(stderr, "%o\n", le32_to_cpu(di.mode));
	return 0;
}

static void attr_acl(void)
{
	struct msyncfs_disk_xattr *e = attr_get("adir", MSYNCFS_XATTR_DEFAULT, "");

	((u8 *)msyncfs_xattr_data(e))[4]++;
	outer_put();
}

/* The ACL has a block of its own. */
static void attr_long_acl(void)
{
	static struct msyncfs_disk_value value;
	u64 blkno = le64_to_cpu(attr_list("adir", MSYNCFS_XATTR_ACCESS, "")[0]);

	blk_read(fs, blkno, &value);
	value.data[4] = ACL_OTHER;
	blk_write(fs, blkno, &value);
}

static void outer_csum(void)
{
	get("attrs");
	poke(le64_to_cpu(di.xattr), 100, "rotten");
}

static void outer_dead(void)
{
	get("attrs");
	poke(le64_to_cpu(di.xattr), 0, "dead");
}

static void outer_empty(void)
{
	attr_get("attrs", MSYNCFS_XATTR_SECURITY, "n7");
	memset(outer.area, 0, sizeof(outer.area));
	outer_put();
}

static void outer_log(void)
{
	get("attrs");
	di.xattr = cpu_to_le64(fs->geo.log_start);
	put();
}

static void outer_shared(void)
{
	__le64 blkno;

	get("attrs");
	blkno = di.xattr;
	get("attrs2");
	di.xattr = blkno;
	put();
}

static void attr_count(void)
{
	get("apipe");
	di.blocks = cpu_to_le64(le64_to_cpu(di.blocks) + 3);
	put();
}

static void attr_count_dir(void)
{
	get("adir");
	di.blocks = cpu_to_le64(1);
	put();
}

/* The directory is written anew and keeps its attributes. */
static void attr_anew(void)
{
	get("adir");
	poke(le64_to_cpu(di.ptr[0]), 0, "dead");
}
