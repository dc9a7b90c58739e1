// SPDX-License-Identifier: GPL-2.0
/*
 * fsck checks the filesystem as a whole here: the root block, the orphan list, all inodes
 * with a name, the inodes without a name, the link counts, and the bitmaps.
 */
#include "fsck.h"

#include <stdio.h>
#include <stdlib.h>

static void store_root(struct fsck *fs, u64 head)
{
	static struct msyncfs_disk_root root;

	msyncfs_init_block(&root, MSYNCFS_MAGIC_ROOT, 0, MSYNCFS_ROOT_BLKNO, 0);
	root.orphan_head = cpu_to_le64(head);
	blk_write(fs, MSYNCFS_ROOT_BLKNO, &root);
}

/* Write the orphan list with the inodes in @b, in their order. */
static void store_orphans(struct fsck *fs, const struct blocks *b)
{
	struct msyncfs_disk_inode di;
	size_t i;

	for (i = 0; i < b->nr; i++) {
		u64 next = i + 1 < b->nr ? b->b[i + 1] : 0;

		if (blk_read(fs, b->b[i], &di) ||
		    le64_to_cpu(di.orphan_next) == next)
			continue;
		di.orphan_next = cpu_to_le64(next);
		inode_store(fs, &di);
	}
	store_root(fs, b->nr ? b->b[0] : 0);
}

/* Read the orphan list into fs->orphans and fs->on_list. */
static void load_orphans(struct fsck *fs)
{
	static struct msyncfs_disk_root root;
	struct msyncfs_disk_inode di;
	const char *why;
	u64 ino;

	why = blk_load(fs, MSYNCFS_ROOT_BLKNO, MSYNCFS_MAGIC_ROOT, 0, &root);
	if (why) {
		if (problem(fs, false, "make it anew",
			    "Root block (block %u): %s", MSYNCFS_ROOT_BLKNO,
			    why))
			store_root(fs, 0);
		return;
	}
	for (ino = le64_to_cpu(root.orphan_head); ino;
	     ino = le64_to_cpu(di.orphan_next)) {
		why = umap_get(&fs->on_list, ino, NULL) ? "is on it twice" :
		      blk_load(fs, ino, MSYNCFS_MAGIC_INODE, ino, &di);
		if (why) {
			if (problem(fs, false, "end the list before it",
				    "Orphan list: inode %llu: %s", ino, why))
				store_orphans(fs, &fs->orphans);
			return;
		}
		umap_set(&fs->on_list, ino, 1);
		blocks_add(&fs->orphans, ino);
	}
}

/* Check all directories in the queue. */
static void run_queue(struct fsck *fs)
{
	while (fs->queue_at < fs->queue.nr)
		dir_check(fs, fs->queue.b[fs->queue_at++]);
}

static void check_root_dir(struct fsck *fs)
{
	u64 root = fs->geo.root_ino;

	if (!inode_visit(fs, root, root, false)) {
		if (!problem(fs, false, "make an empty one",
			     "Root directory (inode %llu): %s", root, fs->why))
			fsck_die(fs, "cannot go on without a root directory");
		bit_set(fs->used, root);
		fs->names_lost = true;
		inode_new_dir(fs, root, root);
	}
	run_queue(fs);
}

/* --- inodes without a name --- */

/*
 * Tell whether block @b may be a lost inode. If the bitmap is damaged, any block without an
 * owner may be one. But removed files would come back, so look there only if names are lost.
 */
static bool maybe_lost(struct fsck *fs, u64 b)
{
	if (bit_test(fs->used, b) || bit_test(fs->gone, b))
		return false;
	return bit_test(fs->disk, b) ||
	       (fs->names_lost && fs->bad_group[b / MSYNCFS_GROUP_BLOCKS]);
}

/*
 * Find the lost inodes of a group: their link count is not 0, and their block is in use on
 * disk but has no owner.
 */
static void find_lost(struct fsck *fs, u64 group, struct umap *lost)
{
	static struct msyncfs_disk_inode di;
	u64 b = group * MSYNCFS_GROUP_BLOCKS, end = b + MSYNCFS_GROUP_BLOCKS;
	bool search = fs->names_lost && fs->bad_group[group];
	unsigned int i;

	if (!search && !fs->disk->group[group])
		return;
	for (; b < end && b < fs->geo.blocks - 1; b++) {
		i = b % MSYNCFS_GROUP_BLOCKS;
		/* Skip eight blocks at once if each of them is free or has an owner. */
		if (!(i % 8) && !search &&
		    !(bits_byte(fs->disk, group, i / 8) &
		      ~(bits_byte(fs->used, group, i / 8) |
			bits_byte(fs->gone, group, i / 8)))) {
			b += 7;
			continue;
		}
		if (maybe_lost(fs, b) &&
		    !blk_load(fs, b, MSYNCFS_MAGIC_INODE, b, &di) && di.nlink)
			umap_set(lost, b, 0);
	}
}

/*
 * Mark each lost inode that has a name in a lost directory. Such an inode needs
 * no name in /lost+found.
 */
static void find_lost_roots(struct fsck *fs, struct umap *lost,
			    const u64 *inos)
{
	size_t i, j;

	for (i = 0; i < lost->nr; i++) {
		struct names n = {};

		dir_names(fs, inos[i], &n, NULL);
		for (j = 0; j < n.nr; j++)
			if (n.e[j].ino != inos[i] &&
			    umap_get(lost, n.e[j].ino, NULL))
				umap_set(lost, n.e[j].ino, 1);
		names_clear(&n);
	}
}

/* Add one to the link count in an inode, and store the inode. */
static void add_link(struct fsck *fs, struct inode_info *info)
{
	struct msyncfs_disk_inode di;

	if (blk_read(fs, info->ino, &di))
		return;
	info->nlink++;
	di.nlink = cpu_to_le32(info->nlink);
	inode_store(fs, &di);
}

/*
 * Returns the inode number of /lost+found. Makes the directory /lost+found if
 * it does not exist. If the directory cannot be made, returns the inode number
 * of the root directory.
 */
static u64 lost_found(struct fsck *fs)
{
	static const char name[] = "lost+found";
	u64 root = fs->geo.root_ino, ino;
	struct inode_info *info, *top = inode_find(fs, root);
	struct rebuild *rb;
	size_t i;

	if (fs->lost_found)
		return fs->lost_found;
	rb = dir_rebuild(fs, root);
	fs->lost_found = root;
	for (i = 0; i < rb->names.nr; i++) {
		struct name *e = &rb->names.e[i];

		if (e->len != strlen(name) ||
		    memcmp(rb->names.pool + e->name, name, e->len))
			continue;
		info = inode_find(fs, e->ino);
		if (info && !info->bad && S_ISDIR(info->mode))
			fs->lost_found = e->ino;
		return fs->lost_found;
	}

	ino = blk_alloc(fs);
	if (!ino)
		return root;
	info = inode_new_dir(fs, ino, root);
	info->refs = 1;
	names_add(&rb->names, name, strlen(name),
		  msyncfs_name_hash(&fs->geo, name, strlen(name)), ino, FT_DIR);
	top->subdirs++;
	add_link(fs, top);
	fs->lost_found = ino;
	return ino;
}

static bool name_taken(const struct names *n, u64 hash)
{
	size_t i;

	for (i = 0; i < n->nr; i++)
		if (n->e[i].hash == hash)
			return true;
	return false;
}

static void name_lost(struct fsck *fs, struct inode_info *info, u64 dir)
{
	struct names *n = &dir_rebuild(fs, dir)->names;
	struct msyncfs_disk_inode di;
	unsigned int i = 0;
	char name[48];
	u64 hash;

	sprintf(name, "#%llu", info->ino);
	while (hash = msyncfs_name_hash(&fs->geo, name, strlen(name)),
	       name_taken(n, hash))
		sprintf(name, "#%llu.%u", info->ino, ++i);
	names_add(n, name, strlen(name), hash, info->ino, mode_type(info->mode));
	info->refs++;
	info->dir = dir;
	if (!S_ISDIR(info->mode))
		return;
	inode_find(fs, dir)->subdirs++;
	add_link(fs, inode_find(fs, dir));
	if (info->parent != dir && !blk_read(fs, info->ino, &di)) {
		di.parent = cpu_to_le64(dir);
		inode_store(fs, &di);
	}
}

static void reconnect(struct fsck *fs, u64 ino)
{
	struct inode_info *info = inode_visit(fs, ino, 0, false);

	if (!info)
		return;
	if (problem(fs, false, "put it into /lost+found",
		    "Inode %llu: %s in use, but in no directory", ino,
		    S_ISDIR(info->mode) ? "directory" : "file"))
		name_lost(fs, info, lost_found(fs));
	else
		info->ignore = true;
	run_queue(fs);
}

/*
 * Check an inode of the orphan list. Free it if it has neither links nor names, as a mount
 * does. Leave a file with links on the list, because a mount finishes its truncation.
 * Returns false if the inode must leave the list.
 */
static bool check_orphan(struct fsck *fs, struct msyncfs_disk_inode *di,
			 u64 *freed)
{
	u64 ino = le64_to_cpu(di->h.blkno);
	struct inode_info *info = inode_find(fs, ino);

	if (di->nlink && S_ISREG(le32_to_cpu(di->mode))) {
		if (!info)
			reconnect(fs, ino);
		info = inode_find(fs, ino);
		if (info && !info->bad)
			return true;
		return !problem(fs, false, "take it off the list",
				"Inode %llu: is on the orphan list, but %s",
				ino, fs->why);
	}
	if (di->nlink)
		return !problem(fs, false, "take it off the list",
				"Inode %llu%s: is on the orphan list, but is no file and has links",
				ino, inode_path(fs, ino));
	if (!info) {
		if (inode_visit(fs, ino, 0, true))
			++*freed;
		return false;
	}
	return !problem(fs, false, "take it off the list",
			"Inode %llu%s: is on the orphan list without links, but has a name",
			ino, inode_path(fs, ino));
}

static void check_orphans(struct fsck *fs)
{
	struct blocks keep = {};
	struct msyncfs_disk_inode di;
	u64 freed = 0;
	size_t i;

	for (i = 0; i < fs->orphans.nr; i++) {
		u64 ino = fs->orphans.b[i];

		if (blk_read(fs, ino, &di))
			continue;
		if (check_orphan(fs, &di, &freed)) {
			blocks_add(&keep, ino);
			continue;
		}
		/* The check may have changed the inode. */
		if (!inode_find(fs, ino) || inode_find(fs, ino)->bad ||
		    inode_find(fs, ino)->gone || blk_read(fs, ino, &di) ||
		    !di.orphan_next)
			continue;
		di.orphan_next = 0;
		inode_store(fs, &di);
	}
	if (keep.nr != fs->orphans.nr)
		store_orphans(fs, &keep);
	if (freed)
		say(fs, "Orphan list: %llu inodes without a name%s\n", freed,
		    fs->mode == FSCK_NO ? " (a mount frees them)" : ", freed");
	blocks_clear(&keep);
}

static void check_lost(struct fsck *fs)
{
	struct umap lost = {};
	u64 *inos, lead, group;
	size_t i;

	for (group = 0; group < fs->geo.bitmap_blocks; group++) {
		progress(fs, 2, group, fs->geo.bitmap_blocks);
		find_lost(fs, group, &lost);
	}
	inos = umap_keys(&lost);
	find_lost_roots(fs, &lost, inos);
	for (i = 0; i < lost.nr; i++)
		if (umap_get(&lost, inos[i], &lead) && !lead)
			reconnect(fs, inos[i]);
	/*
	 * A directory that is still lost lies in or below a ring of
	 * directories.
	 */
	for (i = 0; i < lost.nr; i++)
		if (!inode_find(fs, inos[i]) && !bit_test(fs->used, inos[i]))
			reconnect(fs, inos[i]);
	free(inos);
	umap_clear(&lost);
}

/* --- counts --- */

static void check_links(struct fsck *fs)
{
	u64 *inos = umap_keys(&fs->inodes);
	struct msyncfs_disk_inode di;
	size_t i;

	for (i = 0; i < fs->inodes.nr; i++) {
		struct inode_info *info = inode_find(fs, inos[i]);
		u32 want = S_ISDIR(info->mode) ? 2 + info->subdirs :
			   info->refs;

		progress(fs, 4, i, fs->inodes.nr);
		if (info->bad || info->gone || info->ignore ||
		    info->nlink == want ||
		    !problem(fs, true, "correct it",
			     "Inode %llu%s: says %u links, has %u", info->ino,
			     inode_path(fs, info->ino), info->nlink, want) ||
		    blk_read(fs, info->ino, &di))
			continue;
		di.nlink = cpu_to_le32(want);
		inode_store(fs, &di);
	}
	free(inos);
}

/* Check everything except the log, and make repairs in memory. */
void fsck_tree(struct fsck *fs)
{
	fsck_bitmaps_load(fs);
	load_orphans(fs);
	check_root_dir(fs);
	check_orphans(fs);
	progress_end(fs, 1);
	check_lost(fs);
	progress_end(fs, 2);
	fs->complete = true;
	dir_rebuild_all(fs);
	progress_end(fs, 3);
	check_links(fs);
	progress_end(fs, 4);
	fsck_bitmaps(fs);
	fsck_inode_bitmap(fs);
	progress_end(fs, 5);
	progress_hide(fs);
}
