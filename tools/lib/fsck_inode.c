// SPDX-License-Identifier: GPL-2.0
/*
 * fsck checks inodes and file maps here, and finds the owner of each block. fsck_dir.c
 * checks the content of directories.
 */
#include "fsck.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct inode_info *inode_find(struct fsck *fs, u64 ino)
{
	u64 val;

	if (!ino || !umap_get(&fs->inodes, ino, &val))
		return NULL;
	return (struct inode_info *)(uintptr_t)val;
}

static struct inode_info *inode_add(struct fsck *fs, u64 ino, u64 dir)
{
	struct inode_info *info = fsck_alloc(sizeof(*info));

	info->ino = ino;
	info->dir = dir;
	umap_set(&fs->inodes, ino, (uintptr_t)info);
	return info;
}

void inode_store(struct fsck *fs, struct msyncfs_disk_inode *di)
{
	blk_write(fs, le64_to_cpu(di->h.blkno), di);
}

/*
 * Find the name of inode @ino in directory @dir. Put "/" and this name before
 * the path that starts at @p in @buf. Returns the new start of the path.
 */
static char *prepend(struct fsck *fs, char *buf, char *p, u64 dir, u64 ino)
{
	struct names n = {};
	size_t i;

	dir_names(fs, dir, &n, NULL);
	for (i = 0; i < n.nr && n.e[i].ino != ino; i++)
		;
	if (i < n.nr && p - buf > n.e[i].len + 1) {
		p -= n.e[i].len;
		memcpy(p, n.pool + n.e[i].name, n.e[i].len);
	} else {
		*--p = '?';
	}
	*--p = '/';
	names_clear(&n);
	return p;
}

/*
 * Returns the path at which an inode was first found, in the form " (/a/b)".
 * Returns "" if no such path is known. Use this function only for messages. It
 * is slow, because it reads the directories again. The function has two
 * buffers, so a third call overwrites the result of the first call.
 */
const char *inode_path(struct fsck *fs, u64 ino)
{
	static char bufs[2][2048];
	static unsigned int turn;
	char *buf = bufs[turn++ % 2], *p = buf + sizeof(bufs[0]);
	unsigned int depth;

	*--p = 0;
	*--p = ')';
	if (ino == fs->geo.root_ino)
		*--p = '/';
	for (depth = 0; ino != fs->geo.root_ino; depth++) {
		struct inode_info *info = inode_find(fs, ino);

		if (!info || !info->dir)
			return "";
		if (depth == 64 || p - buf < 300) {
			p -= 3;
			memcpy(p, "...", 3);
			break;
		}
		p = prepend(fs, buf, p, info->dir, ino);
		ino = info->dir;
	}
	*--p = '(';
	*--p = ' ';
	return p;
}

/* Mark that a block has an owner. Returns false if it was already marked. */
bool blk_claim(struct fsck *fs, u64 blkno, bool gone)
{
	if (bit_test(fs->used, blkno) || bit_test(fs->gone, blkno))
		return false;
	bit_set(gone ? fs->gone : fs->used, blkno);
	fs->claimed++;
	return true;
}

/*
 * Take a free block and mark that it has an owner. Returns the block number, or
 * 0 if no block is free. Before fs->complete is set, a block that is in use
 * in the bitmaps on disk may have an owner that was not found yet. So the
 * function takes such a block only if no other block is free.
 */
u64 blk_alloc(struct fsck *fs)
{
	u64 first = fs->geo.root_ino, end = fs->geo.blocks - 1;
	u64 i, b = fs->next_free;
	int believe;

	for (believe = !fs->complete; believe >= 0; believe--) {
		for (i = first; i < end; i++, b++) {
			if (b < first || b >= end)
				b = first;
			if (bit_test(fs->used, b) || bit_test(fs->gone, b) ||
			    (believe && bit_test(fs->disk, b)))
				continue;
			bit_set(fs->used, b);
			fs->next_free = b + 1;
			return b;
		}
	}
	return 0;
}

/* Clear the invalid pointers among the @nr pointers at @ptr. */
static void salvage_ptrs(struct fsck *fs, __le64 *ptr, unsigned int nr,
			 bool nodes, u64 self)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u64 p = le64_to_cpu(ptr[i]);
		u64 blkno = p & MSYNCFS_PTR_BLKNO;

		if (p & ~(MSYNCFS_PTR_UNWRITTEN | MSYNCFS_PTR_BLKNO) ||
		    (nodes && (p & MSYNCFS_PTR_UNWRITTEN)) ||
		    !msyncfs_is_data(&fs->geo, blkno) || blkno == self)
			ptr[i] = 0;
	}
}

/*
 * Returns whether the header of a damaged block has the right type, block
 * number and owner. Clears the reserved bytes of such a header.
 */
bool salvage_header(struct msyncfs_disk_header *h, u32 magic, u64 blkno,
		    u64 owner)
{
	if (le32_to_cpu(h->magic) != magic || le64_to_cpu(h->blkno) != blkno ||
	    le64_to_cpu(h->owner) != owner)
		return false;
	memset(h->reserved, 0, sizeof(h->reserved));
	return true;
}

static void salvage_time(__le32 *ns)
{
	if (le32_to_cpu(*ns) >= 1000000000)
		*ns = 0;
}

static void salvage_dir_fields(struct fsck *fs, struct msyncfs_disk_inode *di,
			       u64 dir)
{
	u64 ino = le64_to_cpu(di->h.blkno);
	u64 parent = le64_to_cpu(di->parent);
	bool root = ino == fs->geo.root_ino;
	bool own_parent = parent == ino;

	if (le32_to_cpu(di->nlink) == 1 || (root && !di->nlink))
		di->nlink = cpu_to_le32(2);
	if (!msyncfs_is_data(&fs->geo, parent) || own_parent != root)
		di->parent = cpu_to_le64(dir);
	if (le32_to_cpu(di->dir_depth) > MSYNCFS_DIR_MAX_DEPTH)
		di->dir_depth = cpu_to_le32(MSYNCFS_DIR_MAX_DEPTH);
	/*
	 * The check of the leaves later finds the true size and number of
	 * entries.
	 */
	di->size = 0;
	di->entries = 0;
}

/*
 * Repair a damaged inode as far as possible. Reset each field that is not
 * needed, and each field whose value the later checks find. Returns NULL if the
 * repaired inode passes verification. Otherwise returns the problem.
 */
static const char *salvage_inode(struct fsck *fs,
				 struct msyncfs_disk_inode *di, u64 ino,
				 u64 dir, const char *why)
{
	u32 mode = le32_to_cpu(di->mode);
	u64 next = le64_to_cpu(di->orphan_next);
	struct msyncfs_xattr_area area;

	if (!salvage_header(&di->h, MSYNCFS_MAGIC_INODE, ino, ino))
		return why;
	di->h.level = 0;
	xattr_salvage(fs, di);
	di->flags &= cpu_to_le32(msyncfs_inode_flags(mode));
	salvage_time(&di->atime_ns);
	salvage_time(&di->mtime_ns);
	salvage_time(&di->ctime_ns);
	salvage_time(&di->btime_ns);
	if (le32_to_cpu(di->nlink) > INT_MAX)
		di->nlink = cpu_to_le32(1);
	if (next && (next == ino || !msyncfs_is_data(&fs->geo, next)))
		di->orphan_next = 0;
	if (S_ISDIR(mode)) {
		salvage_dir_fields(fs, di, dir);
	} else {
		di->parent = 0;
		di->entries = 0;
		di->dir_depth = 0;
	}
	if (S_ISREG(mode) && le64_to_cpu(di->size) > MSYNCFS_FILE_MAX)
		di->size = cpu_to_le64(MSYNCFS_FILE_MAX);
	if (S_ISDIR(mode) || S_ISREG(mode)) {
		if (le64_to_cpu(di->blocks) > fs->geo.blocks)
			di->blocks = 0;
		salvage_ptrs(fs, di->ptr, MSYNCFS_INODE_PTRS, di->map_depth,
			     ino);
	} else {
		if (!S_ISLNK(mode))
			di->rest = 0;
		area = msyncfs_xattr_inline(di);
		di->blocks = cpu_to_le64(!!di->rest + !!di->xattr +
					 msyncfs_xattr_total(&area));
		di->map_depth = 0;
	}
	if (!S_ISCHR(mode) && !S_ISBLK(mode))
		di->rdev = 0;
	msyncfs_seal_block(&fs->geo, di, le64_to_cpu(di->h.seq));
	return msyncfs_verify_block(&fs->geo, di, ino, MSYNCFS_MAGIC_INODE,
				    ino);
}

static const char *inode_load(struct fsck *fs, u64 ino, u64 dir,
			      struct msyncfs_disk_inode *di)
{
	const char *why;

	if (blk_read(fs, ino, di))
		return "cannot be read";
	why = msyncfs_verify_block(&fs->geo, di, ino, MSYNCFS_MAGIC_INODE, ino);
	if (!why)
		return NULL;
	if (salvage_inode(fs, di, ino, dir, why))
		return why;
	if (!problem(fs, false, "repair it", "Inode %llu%s: %s", ino,
		     inode_path(fs, ino), why))
		return why;
	inode_store(fs, di);
	return NULL;
}

static u64 span(unsigned int level)
{
	u64 nr = 1;

	while (level--)
		nr *= MSYNCFS_NODE_PTRS;
	return nr;
}

/*
 * Read a map node, and repair the node if possible. Returns NULL or the
 * problem.
 */
static const char *node_load(struct map_walk *w, u64 blkno, unsigned int level,
			     struct msyncfs_disk_map *node)
{
	struct fsck *fs = w->fs;
	u64 ino = w->info->ino;
	const char *why;

	progress(fs, 1, fs->claimed, fs->marked);
	why = blk_load(fs, blkno, MSYNCFS_MAGIC_MAP, ino, node);
	if (!why && le32_to_cpu(node->h.level) != level)
		return "node of another level";
	if (!why || w->quiet)
		return why;
	if (le32_to_cpu(node->h.level) != level ||
	    !salvage_header(&node->h, MSYNCFS_MAGIC_MAP, blkno, ino))
		return why;
	salvage_ptrs(fs, node->ptr, MSYNCFS_NODE_PTRS, level > 1, blkno);
	if (!problem(fs, false, "repair it",
		     "Block %llu, map of inode %llu%s: %s", blkno, ino,
		     inode_path(fs, ino), why))
		return why;
	blk_write(fs, blkno, node);
	return msyncfs_verify_block(&fs->geo, node, blkno, MSYNCFS_MAGIC_MAP,
				    ino);
}

/*
 * Mark that block @blkno has an owner. The pointer for page @index names this
 * block. Returns false if the caller must clear the pointer.
 */
static bool walk_claim(struct map_walk *w, u64 blkno, u64 index)
{
	struct fsck *fs = w->fs;
	u64 ino = w->info->ino;

	if (!w->quiet && !blk_claim(fs, blkno, w->info->gone)) {
		w->nr++;
		if (!problem(fs, false, "take it away from this one",
			     "Inode %llu%s: block %llu (index %llu) belongs to something else already",
			     ino, inode_path(fs, ino), blkno, index))
			return true;
		w->nr--;
		return false;
	}
	w->nr++;
	if (w->list)
		blocks_add(w->list, blkno);
	return true;
}

/*
 * Decide whether blocks behind the end of the file are freed. Returns true if
 * the caller must free the block of page @index.
 */
static bool walk_beyond(struct map_walk *w, u64 index)
{
	struct fsck *fs = w->fs;

	if (!w->asked)
		w->drop_beyond = problem(fs, true, "free them",
					 "Inode %llu%s: written blocks behind its end, from index %llu on",
					 w->info->ino,
					 inode_path(fs, w->info->ino), index);
	w->asked = true;
	return w->drop_beyond;
}

/* Check a data pointer. Returns false if the caller must clear the pointer. */
static bool walk_data(struct map_walk *w, u64 index, u64 p)
{
	u64 blkno = p & MSYNCFS_PTR_BLKNO;
	bool unwritten = p & MSYNCFS_PTR_UNWRITTEN;

	if (!walk_claim(w, blkno, index))
		return false;
	if (w->leaf) {
		w->leaf(w, index, p);
		return true;
	}
	if (w->quiet || w->beyond_ok || unwritten || index < w->limit)
		return true;
	if (!walk_beyond(w, index))
		return true;
	bit_clear(w->fs->used, blkno);
	w->nr--;
	return false;
}

static bool walk_ptrs(struct map_walk *w, __le64 *ptr, unsigned int nr,
		      unsigned int level, u64 base);

/* Tell whether a node has been visited. A quiet walk marks no blocks, and keeps a list. */
static bool walk_met(const struct map_walk *w, u64 blkno)
{
	if (w->quiet)
		return umap_get(&w->met, blkno, NULL);
	return bit_test(w->fs->used, blkno) || bit_test(w->fs->gone, blkno);
}

/*
 * Check a pointer to a node. Returns false if the caller must clear the
 * pointer.
 */
static bool walk_node(struct map_walk *w, u64 blkno, unsigned int level,
		      u64 base)
{
	struct msyncfs_disk_map node;
	struct fsck *fs = w->fs;
	const char *why;

	/*
	 * Visit a node only once, because damaged nodes can point to each
	 * other.
	 */
	if (walk_met(w, blkno))
		return w->quiet || walk_claim(w, blkno, base);
	if (w->quiet)
		umap_set(&w->met, blkno, 1);

	why = node_load(w, blkno, level, &node);
	if (why && w->quiet)
		return true;
	if (why)
		return !problem(fs, false, "clear the pointer",
				"Block %llu, map of inode %llu%s, from index %llu on: %s",
				blkno, w->info->ino,
				inode_path(fs, w->info->ino), base, why);
	walk_claim(w, blkno, base);
	if (walk_ptrs(w, node.ptr, MSYNCFS_NODE_PTRS, level - 1, base))
		blk_write(fs, blkno, &node);
	return true;
}

static bool walk_ptrs(struct map_walk *w, __le64 *ptr, unsigned int nr,
		      unsigned int level, u64 base)
{
	bool keep, changed = false;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u64 p = le64_to_cpu(ptr[i]);
		u64 index = base + i * span(level);

		if (!p)
			continue;
		if (level)
			keep = walk_node(w, p, level, index);
		else
			keep = walk_data(w, index, p);
		if (!keep) {
			ptr[i] = 0;
			changed = true;
		}
	}
	return changed;
}

/*
 * Walk the map of @di. Returns true if @di has changed; the caller must store
 * @di.
 */
bool map_walk(struct map_walk *w, struct msyncfs_disk_inode *di)
{
	u64 size = le64_to_cpu(di->size);
	bool changed;

	w->limit = size / BLK + !!(size % BLK);
	changed = walk_ptrs(w, di->ptr, MSYNCFS_INODE_PTRS,
			    le32_to_cpu(di->map_depth), 0);
	umap_clear(&w->met);
	return changed;
}

/*
 * Make a map node in memory. Returns its block number, or 0 if no block is
 * free.
 */
static u64 node_new(struct fsck *fs, struct msyncfs_disk_inode *di,
		    unsigned int level, struct msyncfs_disk_map *node)
{
	u64 blkno = blk_alloc(fs);

	if (!blkno)
		return 0;
	msyncfs_init_block(node, MSYNCFS_MAGIC_MAP, level, blkno,
			   le64_to_cpu(di->h.owner));
	di->blocks = cpu_to_le64(le64_to_cpu(di->blocks) + 1);
	return blkno;
}

static int map_grow(struct fsck *fs, struct msyncfs_disk_inode *di)
{
	u32 depth = le32_to_cpu(di->map_depth);
	struct msyncfs_disk_map node;
	u64 blkno;

	if (memchr_inv(di->ptr, 0, sizeof(di->ptr))) {
		blkno = node_new(fs, di, depth + 1, &node);
		if (!blkno)
			return -ENOSPC;
		memcpy(node.ptr, di->ptr, sizeof(di->ptr));
		blk_write(fs, blkno, &node);
		memset(di->ptr, 0, sizeof(di->ptr));
		di->ptr[0] = cpu_to_le64(blkno);
	}
	di->map_depth = cpu_to_le32(depth + 1);
	return 0;
}

/*
 * Let the map of @di lead from page @index to block @blkno. The page must be a
 * hole before the call. The caller stores @di.
 */
int map_insert(struct fsck *fs, struct msyncfs_disk_inode *di, u64 index,
	       u64 blkno)
{
	u64 ino = le64_to_cpu(di->h.owner), at = 0, next;
	struct msyncfs_disk_map node, child;
	__le64 *ptr = di->ptr;
	unsigned int level;

	while (index >= msyncfs_map_capacity(le32_to_cpu(di->map_depth)))
		if (map_grow(fs, di))
			return -ENOSPC;

	for (level = le32_to_cpu(di->map_depth); level; level--) {
		__le64 *p = ptr + index / span(level);

		index %= span(level);
		next = le64_to_cpu(*p);
		if (!next) {
			next = node_new(fs, di, level, &child);
			if (!next)
				return -ENOSPC;
			*p = cpu_to_le64(next);
			if (at)
				blk_write(fs, at, &node);
			blk_write(fs, next, &child);
		} else if (blk_load(fs, next, MSYNCFS_MAGIC_MAP, ino, &child)) {
			return -EIO;
		}
		node = child;
		ptr = node.ptr;
		at = next;
	}
	ptr[index] = cpu_to_le64(blkno);
	if (at)
		blk_write(fs, at, &node);
	return 0;
}

/* Check the map of a file, or of an inode that will be freed. Returns its blocks. */
static u64 check_map(struct fsck *fs, struct inode_info *info,
		     struct msyncfs_disk_inode *di, bool *changed)
{
	struct map_walk w = {
		.fs = fs,
		.info = info,
		.beyond_ok = info->gone || umap_get(&fs->on_list, info->ino,
						    NULL),
	};

	*changed |= map_walk(&w, di);
	return w.nr;
}

/*
 * Check the attributes and the blocks of an inode. dir_check() counts the blocks of
 * a directory that stays.
 */
static void check_blocks(struct fsck *fs, struct inode_info *info,
			 struct msyncfs_disk_inode *di)
{
	bool changed = xattr_check(fs, info, di);
	u64 nr = info->attrs + !!di->rest;

	if (S_ISDIR(info->mode) && !info->gone) {
		blocks_add(&fs->queue, info->ino);
	} else {
		if (S_ISDIR(info->mode) || S_ISREG(info->mode))
			nr += check_map(fs, info, di, &changed);
		if (nr != le64_to_cpu(di->blocks) &&
		    problem(fs, true, "correct it",
			    "Inode %llu%s: says %llu blocks, has %llu", info->ino,
			    inode_path(fs, info->ino), le64_to_cpu(di->blocks),
			    nr)) {
			di->blocks = cpu_to_le64(nr);
			changed = true;
		}
	}
	if (changed)
		inode_store(fs, di);
}

/* Check the block with the rest of a symbolic link. Returns NULL or the problem. */
static const char *check_rest(struct fsck *fs,
			      const struct msyncfs_disk_inode *di)
{
	u64 ino = le64_to_cpu(di->h.blkno), blkno = le64_to_cpu(di->rest);
	struct msyncfs_disk_rest rest;
	const char *why;

	if (!blkno)
		return NULL;
	why = blk_load(fs, blkno, MSYNCFS_MAGIC_REST, ino, &rest);
	if (!why && strlen((char *)rest.target) !=
		    le64_to_cpu(di->size) - MSYNCFS_SYMLINK_INLINE)
		why = "symbolic link is shorter than its size";
	if (!why && (bit_test(fs->used, blkno) || bit_test(fs->gone, blkno)))
		why = "its rest belongs to something else";
	return why;
}

/*
 * Check an inode at the first call. Later calls for the same inode only return
 * the results of the first call. @dir is the directory in which a name of the
 * inode was found, or 0. @gone means that the inode has no name and will be
 * freed. If the block is not an inode, the function returns NULL and sets
 * fs->why.
 */
struct inode_info *inode_visit(struct fsck *fs, u64 ino, u64 dir, bool gone)
{
	struct inode_info *info = inode_find(fs, ino);
	struct msyncfs_disk_inode di;

	if (info) {
		fs->why = "it is no inode, as said before";
		return info->bad ? NULL : info;
	}
	/* fs->inodes cannot have a result for number 0. */
	if (!msyncfs_is_data(&fs->geo, ino)) {
		fs->why = "outside the data area";
		return NULL;
	}
	progress(fs, 1, fs->claimed, fs->marked);
	info = inode_add(fs, ino, dir);
	fs->why = inode_load(fs, ino, dir, &di);
	if (!fs->why)
		fs->why = check_rest(fs, &di);
	if (!fs->why && !blk_claim(fs, ino, gone))
		fs->why = "its block belongs to something else";
	if (fs->why) {
		info->bad = true;
		return NULL;
	}

	if (di.rest)
		blk_claim(fs, le64_to_cpu(di.rest), gone);
	info->mode = le32_to_cpu(di.mode);
	info->nlink = le32_to_cpu(di.nlink);
	info->parent = le64_to_cpu(di.parent);
	info->gone = gone;
	check_blocks(fs, info, &di);
	if (!gone && S_ISDIR(info->mode))
		fs->dirs++;
	else if (!gone)
		fs->files++;
	return info;
}

/*
 * Make an empty directory. Its inode is in block @ino, which the caller has
 * taken.
 */
struct inode_info *inode_new_dir(struct fsck *fs, u64 ino, u64 parent)
{
	struct inode_info *info = inode_find(fs, ino);
	struct msyncfs_disk_inode di;

	msyncfs_init_block(&di, MSYNCFS_MAGIC_INODE, 0, ino, ino);
	di.mode = cpu_to_le32(S_IFDIR | (ino == parent ? 0755 : 0700));
	di.nlink = cpu_to_le32(2);
	di.parent = cpu_to_le64(parent);
	di.atime = cpu_to_le64(time(NULL));
	di.mtime = di.atime;
	di.ctime = di.atime;
	di.btime = di.atime;
	inode_store(fs, &di);

	if (!info)
		info = inode_add(fs, ino, parent);
	*info = (struct inode_info){
		.ino = ino, .dir = parent, .parent = parent, .nlink = 2,
		.mode = le32_to_cpu(di.mode),
	};
	fs->dirs++;
	return info;
}
