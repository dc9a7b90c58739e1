// SPDX-License-Identifier: GPL-2.0
/*
 * This program makes images for tools/fsck-selftest.sh. It fills a new filesystem without
 * a mount, writes log records into the image, and damages the image as DAMAGE says.
 *
 *	fsck-image fill IMAGE
 *	fsck-image break IMAGE DAMAGE
 *	fsck-image list
 */
#include "fsck.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MANY	10000	/* number of names in the large directory */
#define SAME	100	/* number of names with the same hash */

static struct fsck *fs;
static u64 root;
static void mark_inode(u64 ino, bool used);

/* --- fill --- */

static u64 new_block(void)
{
	u64 b = blk_alloc(fs);

	if (!b)
		fsck_die(fs, "full");
	return b;
}

static u64 new_inode(u32 mode, u32 nlink, u64 size)
{
	struct msyncfs_disk_inode di;
	u64 ino = new_block();

	msyncfs_init_block(&di, MSYNCFS_MAGIC_INODE, 0, ino, ino);
	di.mode = cpu_to_le32(mode);
	di.nlink = cpu_to_le32(nlink);
	di.size = cpu_to_le64(size);
	inode_store(fs, &di);
	mark_inode(ino, true);
	return ino;
}

/*
 * Add @nr blocks to inode @ino, for the pages from @index on. @flag marks the
 * blocks as unwritten, or is 0.
 */
static void add_data(u64 ino, u64 index, u64 nr, u64 flag)
{
	struct msyncfs_disk_inode di;
	u64 i;

	blk_read(fs, ino, &di);
	for (i = 0; i < nr; i++)
		if (map_insert(fs, &di, index + i, new_block() | flag))
			fsck_die(fs, "full");
	di.blocks = cpu_to_le64(le64_to_cpu(di.blocks) + nr);
	inode_store(fs, &di);
}

static void add_name(u64 dir, const char *name, u64 ino, u8 type)
{
	names_add(&dir_rebuild(fs, dir)->names, name, strlen(name),
		  msyncfs_name_hash(&fs->geo, name, strlen(name)), ino, type);
}

static u64 new_file(u64 dir, const char *name, u64 size)
{
	u64 ino = new_inode(S_IFREG | 0644, 1, size);

	add_name(dir, name, ino, FT_REG_FILE);
	return ino;
}

static u64 new_dir(u64 dir, const char *name)
{
	struct inode_info *parent = inode_find(fs, dir);
	struct msyncfs_disk_inode di;
	u64 ino = new_block();

	inode_new_dir(fs, ino, dir);
	mark_inode(ino, true);
	add_name(dir, name, ino, FT_DIR);
	blk_read(fs, dir, &di);
	di.nlink = cpu_to_le32(++parent->nlink);
	inode_store(fs, &di);
	return ino;
}

static void new_symlink(u64 dir, const char *name, const char *target)
{
	size_t len = strlen(target), first = min(len, MSYNCFS_SYMLINK_INLINE);
	u64 ino = new_inode(S_IFLNK | 0777, 1, len), blkno;
	struct msyncfs_disk_inode di;
	struct msyncfs_disk_rest rest;

	blk_read(fs, ino, &di);
	memcpy(di.symlink, target, first);
	if (len > first) {
		blkno = new_block();
		msyncfs_init_block(&rest, MSYNCFS_MAGIC_REST, 0, blkno, ino);
		memcpy(rest.target, target + first, len - first);
		blk_write(fs, blkno, &rest);
		di.rest = cpu_to_le64(blkno);
		di.blocks = cpu_to_le64(1);
	}
	inode_store(fs, &di);
	add_name(dir, name, ino, FT_SYMLINK);
}

/* Make two orphans. One has no links. The other has links, and blocks beyond its size. */
static void new_orphans(void)
{
	static struct msyncfs_disk_root rb;
	struct msyncfs_disk_inode di;
	u64 gone = new_inode(S_IFREG | 0600, 0, 100 * BLK);
	u64 cut = new_file(root, "cut", BLK);

	add_data(gone, 0, 100, 0);
	add_data(cut, 0, 5, 0);
	blk_read(fs, gone, &di);
	di.orphan_next = cpu_to_le64(cut);
	inode_store(fs, &di);
	blk_read(fs, MSYNCFS_ROOT_BLKNO, &rb);
	rb.orphan_head = cpu_to_le64(gone);
	blk_write(fs, MSYNCFS_ROOT_BLKNO, &rb);
}

/*
 * Make names that have the same hash. There are SAME such names if the program
 * was built with a weak hash, and only one with the true hash. They are long, so
 * they need several leaves.
 */
static void new_same(u64 dir)
{
	char name[201];
	int i, nr = 0;
	u64 hash = 0;

	for (i = 0; nr < SAME && i < 1000 * SAME; i++) {
		sprintf(name, "%0200d", i);
		if (!i)
			hash = msyncfs_name_hash(&fs->geo, name, 200);
		if (msyncfs_name_hash(&fs->geo, name, 200) != hash)
			continue;
		new_file(dir, name, 0);
		nr++;
	}
}

#include "fsck-attrs.h"
#include "fsck-bitmaps.h"

static void fill(void)
{
	char name[48], target[MSYNCFS_SYMLINK_MAX + 1];
	struct msyncfs_disk_inode inode;
	u64 dir, ino, shared;
	int i;

	ino = new_file(root, "file", 600 * BLK - 5);
	add_data(ino, 0, 600, 0);
	blk_read(fs, ino, &inode);
	inode.flags = cpu_to_le32(MSYNCFS_INODE_FILE_FLAGS);
	inode_store(fs, &inode);
	ino = new_file(root, "sparse", 300000ULL * BLK);
	add_data(ino, 3, 2, 0);
	add_data(ino, 299998, 2, 0);
	add_data(ino, 300000, 7, MSYNCFS_PTR_UNWRITTEN);
	new_symlink(root, "symlink", "some/where");
	sprintf(target, "%0*d", (int)MSYNCFS_SYMLINK_MAX, 0);
	new_symlink(root, "longlink", target);
	new_symlink(root, "longlink2", target);
	add_name(root, "fifo", new_inode(S_IFIFO | 0600, 1, 0), FT_FIFO);

	dir = new_dir(root, "many");
	shared = new_inode(S_IFREG | 0644, MANY - 100, 0);
	for (i = 0; i < MANY; i++) {
		sprintf(name, "a name in a large directory %d", i);
		if (i < 100)
			new_file(dir, name, 0);
		else
			add_name(dir, name, shared, FT_REG_FILE);
	}
	dir = new_dir(new_dir(root, "a"), "b");
	add_data(new_file(dir, "x", 10 * BLK), 0, 10, 0);
	new_dir(dir, "c");
	new_same(new_dir(root, "same"));
	new_orphans();
	fill_attrs();

	dir_rebuild_all(fs);
	fsck_bitmaps(fs);
	blk_flush(fs);
}

/* --- find --- */

/* Return the inode number of a path without a leading slash. */
static u64 find(const char *path)
{
	u64 ino = root;

	while (*path) {
		size_t len = strcspn(path, "/"), i;
		struct names n = {};

		dir_names(fs, ino, &n, NULL);
		for (i = 0; i < n.nr; i++)
			if (n.e[i].len == len && !memcmp(n.pool + n.e[i].name, path, len))
				break;
		if (i == n.nr)
			fsck_die(fs, "no %s", path);
		ino = n.e[i].ino;
		names_clear(&n);
		path += len + (path[len] == '/');
	}
	return ino;
}

/* Return pointer @n of a block, counted from 0. Pointers that are zero do not count. */
static __le64 *nth_ptr(__le64 *ptr, unsigned int n)
{
	for (;; ptr++)
		if (*ptr && !n--)
			return ptr;
}

static struct msyncfs_disk_inode di;
static struct msyncfs_disk_map node;
static struct msyncfs_disk_dir leaf;

static void get(const char *path)
{
	u64 ino = find(path);

	if (blk_load(fs, ino, MSYNCFS_MAGIC_INODE, ino, &di))
		fsck_die(fs, "no inode %llu", ino);
}

static void put(void)
{
	inode_store(fs, &di);
}

/* Return the first node of a map of depth 1. */
static u64 get_node(const char *path)
{
	u64 b;

	get(path);
	b = le64_to_cpu(*nth_ptr(di.ptr, 0));
	blk_read(fs, b, &node);
	return b;
}

/* Return leaf @n of a directory, counted in the order of depths. */
static u64 get_leaf(const char *path, unsigned int n)
{
	__le64 *ptr = di.ptr;
	unsigned int level;
	u64 b;

	get(path);
	for (level = le32_to_cpu(di.map_depth); level; level--) {
		blk_read(fs, le64_to_cpu(*nth_ptr(ptr, 0)), &node);
		ptr = node.ptr;
	}
	b = le64_to_cpu(*nth_ptr(ptr, n));
	blk_read(fs, b, &leaf);
	return b;
}

/* Return the last leaf of a directory, which has the largest depth. */
static u64 get_deepest(const char *path)
{
	unsigned int level, n = MSYNCFS_INODE_PTRS;
	__le64 *ptr = di.ptr;
	u64 b;

	get(path);
	for (level = le32_to_cpu(di.map_depth); ; level--) {
		while (!ptr[n - 1])
			n--;
		b = le64_to_cpu(ptr[n - 1]);
		if (!level)
			break;
		blk_read(fs, b, &node);
		ptr = node.ptr;
		n = MSYNCFS_NODE_PTRS;
	}
	blk_read(fs, b, &leaf);
	return b;
}

static struct msyncfs_disk_dirent *first_entry(void)
{
	return (struct msyncfs_disk_dirent *)leaf.data;
}

/* Change bytes on disk without updating the checksum. */
static void poke(u64 blkno, unsigned int off, const char *text)
{
	if (device_write(&fs->dev, text, strlen(text), blkno * BLK + off))
		fsck_die(fs, "cannot write");
}

/* --- log --- */

/* Write record @seq with one image. The image has the inode of /file with changed times. */
static void put_record(u64 pos, u64 seq, u64 durable, u64 nonce)
{
	static union {
		struct msyncfs_disk_record rec;
		char block[2 * BLK];
	} u;
	__le32 *csum;

	memset(&u, 0, sizeof(u));
	get("file");
	di.mtime = cpu_to_le64(seq);
	msyncfs_seal_block(&fs->geo, &di, seq);
	u.rec.magic = cpu_to_le32(MSYNCFS_MAGIC_RECORD);
	u.rec.header_blocks = cpu_to_le32(1);
	memcpy(u.rec.uuid, fs->geo.uuid, sizeof(u.rec.uuid));
	u.rec.nonce = nonce;
	u.rec.seq = cpu_to_le64(seq);
	u.rec.durable_seq = cpu_to_le64(durable);
	u.rec.nr_images = cpu_to_le32(1);
	u.rec.home[0] = di.h.blkno | cpu_to_le64(MSYNCFS_HOME_META);
	memcpy(u.block + BLK, &di, BLK);
	csum = (__le32 *)(u.block + msyncfs_record_csums(1));
	*csum = cpu_to_le32(msyncfs_image_csum(&fs->geo, MSYNCFS_CSUM_CRC32C, &di));
	u.rec.csum = cpu_to_le64(msyncfs_csum(&u, msyncfs_record_used(1),
					      offsetof(struct msyncfs_disk_record,
						       csum), fs->geo.seed));
	if (device_write(&fs->dev, &u, sizeof(u), (fs->geo.log_start + pos) * BLK))
		fsck_die(fs, "cannot write");
}

/*
 * Write three records. The tail slot that mkfs wrote names record 1 at position
 * 0. Give this slot a nonce.
 */
static void log_good(void)
{
	struct msyncfs_disk_slot slot;

	device_read(&fs->dev, &slot, sizeof(slot), 2 * BLK);
	slot.nonce = cpu_to_le64(7);
	msyncfs_seal_slot(&fs->geo, &slot);
	if (device_write(&fs->dev, &slot, sizeof(slot), 2 * BLK))
		fsck_die(fs, "cannot write");
	put_record(0, 1, 0, slot.nonce);
	put_record(2, 2, 0, slot.nonce);
	put_record(4, 3, 2, slot.nonce);
}

static void log_torn(void)
{
	log_good();
	poke(fs->geo.log_start + 5, 700, "torn");
}

static void log_damaged(void)
{
	log_good();
	poke(fs->geo.log_start + 3, 700, "rotten");
}

/* --- break --- */

static void super(void)
{
	poke(0, 100, "rotten");
}

/* A newer version has made the filesystem. */
static void newer(void)
{
	struct msyncfs_disk_super ds;

	device_read(&fs->dev, &ds, sizeof(ds), 0);
	ds.incompat |= cpu_to_le64(1ULL << 40);
	ds.log_start = cpu_to_le64(le64_to_cpu(ds.log_start) + 1);
	msyncfs_seal_super(&ds);
	if (device_write(&fs->dev, &ds, sizeof(ds), 0))
		fsck_die(fs, "cannot write");
}

static void backup(void)
{
	poke(fs->geo.blocks - 1, 100, "rotten");
}

static void slots(void)
{
	poke(1, 100, "rotten");
	poke(2, 100, "rotten");
}

static void root_block(void)
{
	poke(MSYNCFS_ROOT_BLKNO, 100, "rotten");
}

static void root_inode(void)
{
	poke(root, 0, "rotten");
}

static void inode_csum(void)
{
	poke(find("file"), 200, "rotten");
}

static void inode_dead(void)
{
	poke(find("a/b/x"), 0, "rotten");
}

static void inode_fields(void)
{
	get("file");
	di.mtime_ns = cpu_to_le32(2000000000);
	di.ptr[100] = cpu_to_le64(5);
	put();
}

static void links(void)
{
	get("file");
	di.nlink = cpu_to_le32(7);
	put();
}

static void dir_links(void)
{
	get("a");
	di.nlink = cpu_to_le32(2);
	put();
}

static void file_blocks(void)
{
	get("file");
	di.blocks = cpu_to_le64(3);
	put();
}

static void map_csum(void)
{
	poke(get_node("file"), 4000, "rotten");
}

static void map_dead(void)
{
	poke(get_node("file"), 0, "rotten");
}

static void map_level(void)
{
	u64 b = get_node("file");

	node.h.level = cpu_to_le32(3);
	blk_write(fs, b, &node);
}

static void shared_block(void)
{
	u64 b = get_node("file");

	node.ptr[7] = node.ptr[9];
	blk_write(fs, b, &node);
}

static void shared_inode(void)
{
	u64 b = get_node("file");

	node.ptr[7] = cpu_to_le64(find("many"));
	blk_write(fs, b, &node);
}

static void beyond(void)
{
	get("file");
	di.size = cpu_to_le64(500 * BLK);
	put();
}

static void entry_inode(void)
{
	u64 b = get_leaf("a/b", 0);

	first_entry()->ino = cpu_to_le64(fs->geo.blocks - 3);
	blk_write(fs, b, &leaf);
}

/* A flag that only a directory can have, beside flags that the file keeps. */
static void inode_flags(void)
{
	get("file");
	di.flags = cpu_to_le32(MSYNCFS_INODE_DIRSYNC | MSYNCFS_INODE_NODUMP);
	put();
}

/* The block with the rest of /longlink is damaged. */
static void rest_csum(void)
{
	get("longlink");
	poke(le64_to_cpu(di.rest), 100, "rotten");
}

/* The rest of /longlink has a good checksum, but is too short. */
static void rest_short(void)
{
	static struct msyncfs_disk_rest rest;

	get("longlink");
	blk_read(fs, le64_to_cpu(di.rest), &rest);
	rest.target[strlen((char *)rest.target) - 1] = 0;
	blk_write(fs, le64_to_cpu(di.rest), &rest);
}

/* Two symbolic links have the same rest. */
static void rest_shared(void)
{
	__le64 rest;

	get("longlink");
	rest = di.rest;
	get("longlink2");
	di.rest = rest;
	put();
}

/* A short symbolic link has a rest. */
static void rest_needless(void)
{
	__le64 rest;

	get("longlink");
	rest = di.rest;
	get("symlink");
	di.rest = rest;
	di.blocks = cpu_to_le64(1);
	put();
}

static void entry_zero(void)
{
	u64 b = get_leaf("a/b", 0);

	first_entry()->ino = 0;
	blk_write(fs, b, &leaf);
}

static void entry_type(void)
{
	u64 b = get_leaf("many", 2);

	first_entry()->type = FT_SOCK;
	blk_write(fs, b, &leaf);
}

static void entry_dir(void)
{
	u64 b = get_leaf("many", 2);

	first_entry()->ino = cpu_to_le64(find("a/b"));
	first_entry()->type = FT_DIR;
	blk_write(fs, b, &leaf);
}

static void entry_hash(void)
{
	u64 b = get_leaf("many", 2);

	first_entry()->name[0] ^= 1;
	blk_write(fs, b, &leaf);
}

static void entry_dot(void)
{
	u64 b = get_leaf("a/b", 0);
	struct msyncfs_disk_dirent *de = first_entry();

	while (de->name_len != 1)
		de = (void *)((u8 *)de + MSYNCFS_DIRENT_LEN(de->name_len));
	de->name[0] = '.';
	de->position = cpu_to_le64(msyncfs_name_hash(&fs->geo, ".", 1));
	blk_write(fs, b, &leaf);
}

/* The entries of /a/b have the same name. Their hashes and numbers are good. */
static void entry_twice(void)
{
	u64 b = get_leaf("a/b", 0);
	struct msyncfs_disk_dirent *one = first_entry(), *two = one;

	while (one->name_len != 1)
		one = (void *)((u8 *)one + MSYNCFS_DIRENT_LEN(one->name_len));
	two = (void *)((u8 *)one + MSYNCFS_DIRENT_LEN(1));
	two->name[0] = one->name[0];
	two->position = cpu_to_le64(le64_to_cpu(one->position) + MSYNCFS_POS_STEP);
	blk_write(fs, b, &leaf);
}

/* A name has a large number, because names with its hash were removed. */
static void entry_number(void)
{
	u64 b = get_leaf("a", 0);

	first_entry()->position |= cpu_to_le64(200 * MSYNCFS_POS_STEP);
	blk_write(fs, b, &leaf);
}

static void parent(void)
{
	get("a/b");
	di.parent = cpu_to_le64(root);
	put();
}

static void leaf_csum(void)
{
	poke(get_leaf("many", 1), 90, "rotten");
}

static void leaf_dead(void)
{
	poke(get_leaf("many", 1), 0, "rotten");
}

static void leaf_missing(void)
{
	get_leaf("many", 1);
	*nth_ptr(node.ptr, 1) = 0;
	blk_write(fs, le64_to_cpu(node.h.blkno), &node);
}

static void deepest_csum(void)
{
	poke(get_deepest("same"), 90, "rotten");
}

static void leaf_place(void)
{
	__le64 *p, *q, t;

	get_leaf("many", 1);
	p = nth_ptr(node.ptr, 1);
	q = nth_ptr(node.ptr, 2);
	t = *p;
	*p = *q;
	*q = t;
	blk_write(fs, le64_to_cpu(node.h.blkno), &node);
}

static void dir_size(void)
{
	get("many");
	di.size = cpu_to_le64(le64_to_cpu(di.size) + BLK);
	put();
}

static void dir_entries(void)
{
	get("many");
	di.entries = cpu_to_le64(5);
	put();
}

static void dir_depth(void)
{
	get("many");
	di.dir_depth = 0;
	put();
}

static void drop_name(const char *dir, const char *name)
{
	struct rebuild *rb = dir_rebuild(fs, find(dir));
	struct names *n = &rb->names;
	size_t i;

	for (i = 0; i < n->nr; i++)
		if (n->e[i].len == strlen(name) &&
		    !memcmp(n->pool + n->e[i].name, name, n->e[i].len))
			n->e[i] = n->e[--n->nr];
	dir_rebuild_all(fs);
	fsck_bitmaps(fs);
}

static void lost_file(void)
{
	drop_name("a/b", "x");
}

static void lost_tree(void)
{
	drop_name("", "a");
}

/* Give /a/b/c an entry "up" for directory a, and remove the entry for a from the root directory. */
static void ring(void)
{
	u64 a = find("a");

	add_name(find("a/b/c"), "up", a, FT_DIR);
	drop_name("", "a");
}

/*
 * Take the name of a directory whose map has five levels. All pointers of a node lead to the
 * same block, the lowest to a block that is no node. So no walk may try each path.
 */
static void dir_tower(void)
{
	u64 ino = find("a"), to = root, b;
	unsigned int level, i;

	for (level = 2; level <= MSYNCFS_MAX_DEPTH; level++, to = b) {
		b = new_block();
		msyncfs_init_block(&node, MSYNCFS_MAGIC_MAP, level, b, ino);
		for (i = 0; i < MSYNCFS_NODE_PTRS; i++)
			node.ptr[i] = cpu_to_le64(to);
		blk_write(fs, b, &node);
	}
	get("a");
	for (i = 0; i < MSYNCFS_INODE_PTRS; i++)
		di.ptr[i] = cpu_to_le64(to);
	di.map_depth = cpu_to_le32(MSYNCFS_MAX_DEPTH);
	put();
	drop_name("", "a");
}

static void orphan_bad(void)
{
	poke(find("cut"), offsetof(struct msyncfs_disk_inode, orphan_next), "\x01");
}

static void orphan_twice(void)
{
	static struct msyncfs_disk_root rb;

	blk_read(fs, MSYNCFS_ROOT_BLKNO, &rb);
	get("cut");
	di.orphan_next = rb.orphan_head;
	put();
}

static void orphan_named(void)
{
	static struct msyncfs_disk_root rb;

	blk_read(fs, MSYNCFS_ROOT_BLKNO, &rb);
	add_name(root, "undead", le64_to_cpu(rb.orphan_head), FT_REG_FILE);
	dir_rebuild_all(fs);
}

static void orphan_head(u64 ino)
{
	static struct msyncfs_disk_root rb;

	blk_read(fs, MSYNCFS_ROOT_BLKNO, &rb);
	rb.orphan_head = cpu_to_le64(ino);
	blk_write(fs, MSYNCFS_ROOT_BLKNO, &rb);
}

/* A mount only truncates files. */
static void orphan_dir(void)
{
	orphan_head(find("a/b"));
}

/* A file with links that is on the list, but in no directory and not in the bitmap. */
static void orphan_lost(void)
{
	u64 ino = find("a/b/x");

	drop_name("a/b", "x");
	orphan_head(ino);
	bit_clear(fs->used, ino);
	fsck_bitmaps(fs);
}

static void file_size(void)
{
	get("file");
	di.size = cpu_to_le64(MSYNCFS_FILE_MAX + 1);
	put();
}

/* The numbers of the log are used up, so the next slot would be invalid. */
static void slot_max(void)
{
	struct msyncfs_disk_slot slot;

	device_read(&fs->dev, &slot, sizeof(slot), 2 * BLK);
	slot.counter = cpu_to_le64(MSYNCFS_SEQ_MAX);
	msyncfs_seal_slot(&fs->geo, &slot);
	if (device_write(&fs->dev, &slot, sizeof(slot), 2 * BLK))
		fsck_die(fs, "cannot write");
}

/* The names of all files are lost, and the bitmap does not say which blocks are in use. */
static void root_and_bitmap(void)
{
	root_inode();
	bitmap_csum();
}

#define DAMAGE(f)	{ #f, f }

static const struct {
	const char	*name;
	void		(*f)(void);
} damages[] = {
	DAMAGE(newer),
	DAMAGE(super), DAMAGE(backup), DAMAGE(slots), DAMAGE(log_good), DAMAGE(log_torn),
	DAMAGE(log_damaged), DAMAGE(root_block), DAMAGE(root_inode), DAMAGE(inode_csum),
	DAMAGE(inode_dead), DAMAGE(inode_fields), DAMAGE(links), DAMAGE(dir_links),
	DAMAGE(file_blocks), DAMAGE(map_csum), DAMAGE(map_dead), DAMAGE(map_level),
	DAMAGE(shared_block), DAMAGE(shared_inode), DAMAGE(beyond), DAMAGE(entry_inode),
	DAMAGE(entry_type), DAMAGE(entry_dir), DAMAGE(entry_hash), DAMAGE(entry_dot),
	DAMAGE(entry_zero), DAMAGE(orphan_dir), DAMAGE(orphan_lost), DAMAGE(file_size),
	DAMAGE(slot_max), DAMAGE(parent), DAMAGE(leaf_csum), DAMAGE(leaf_dead),
	DAMAGE(leaf_missing), DAMAGE(leaf_place), DAMAGE(deepest_csum), DAMAGE(entry_twice),
	DAMAGE(entry_number), DAMAGE(dir_size), DAMAGE(dir_entries), DAMAGE(dir_depth),
	DAMAGE(lost_file), DAMAGE(lost_tree), DAMAGE(ring), DAMAGE(dir_tower), DAMAGE(orphan_bad),
	DAMAGE(orphan_twice), DAMAGE(orphan_named), DAMAGE(inode_flags), DAMAGE(rest_csum),
	DAMAGE(rest_short), DAMAGE(rest_shared), DAMAGE(rest_needless), DAMAGE(bitmap_csum),
	DAMAGE(root_and_bitmap), DAMAGE(bitmap_leak), DAMAGE(bitmap_free),
	DAMAGE(inodes_csum), DAMAGE(inodes_missing), DAMAGE(inodes_wrong),
	DAMAGE(attr_csum), DAMAGE(attr_shared), DAMAGE(attr_same), DAMAGE(attr_order),
	DAMAGE(attr_log), DAMAGE(attr_bitmap), DAMAGE(attr_length), DAMAGE(attr_end),
	DAMAGE(attr_twice), DAMAGE(attr_both), DAMAGE(attr_count), DAMAGE(attr_count_dir),
	DAMAGE(attr_anew), DAMAGE(attr_acl), DAMAGE(attr_long_acl), DAMAGE(outer_csum),
	DAMAGE(outer_dead), DAMAGE(outer_empty), DAMAGE(outer_log), DAMAGE(outer_shared),
};

static void open_image(const char *path)
{
	u64 b, g;

	fs = fsck_alloc(sizeof(*fs));
	fs->mode = FSCK_YES;
	if (device_open(&fs->dev, path, O_RDWR)) {
		fprintf(stderr, "fsck-image: cannot open %s\n", path);
		exit(1);
	}
	if (!freopen("/dev/null", "w", stdout))	/* no messages of the library */
		exit(1);
	fsck_super(fs);
	root = fs->geo.root_ino;
	fsck_bitmaps_new(fs);
	fsck_bitmaps_load(fs);
	inode_visit(fs, root, root, false);
	for (g = 0; g < fs->geo.bitmap_blocks; g++)
		for (b = 0; fs->disk->group[g] && b < MSYNCFS_GROUP_BLOCKS; b++)
			if (bit_test(fs->disk, g * MSYNCFS_GROUP_BLOCKS + b))
				bit_set(fs->used, g * MSYNCFS_GROUP_BLOCKS + b);
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (i = 0; i < ARRAY_SIZE(damages); i++)
			puts(damages[i].name);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "fill")) {
		open_image(argv[2]);
		fill();
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "break")) {
		for (i = 0; i < ARRAY_SIZE(damages); i++) {
			if (strcmp(damages[i].name, argv[3]))
				continue;
			open_image(argv[2]);
			damages[i].f();
			blk_flush(fs);
			return 0;
		}
	}
	if (argc == 4 && !strcmp(argv[1], "mode"))
		return show_mode(argv[2], argv[3]);
	fputs("Usage: fsck-image fill IMAGE|break IMAGE DAMAGE|mode IMAGE PATH|list\n", stderr);
	return 2;
}
