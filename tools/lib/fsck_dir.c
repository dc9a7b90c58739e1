// SPDX-License-Identifier: GPL-2.0
/*
 * fsck checks directories here: their leaves, entries and sizes. It corrects
 * wrong counts in place. If a directory has any other damage, fsck writes the
 * directory anew from its good entries, after all other checks.
 */
#include "fsck.h"

#include <stdio.h>
#include <stdlib.h>

/* This is the position of a leaf in the trie. load_leaf() sets the fields. */
struct leaf {
	u64		prefix;
	unsigned int	depth;
};

/* This is the state of the check of one directory. */
struct dir_walk {
	struct names	names;
	struct leaf	*leaves;
	size_t		nr, cap;
	bool		rebuild;
};

u8 mode_type(u32 mode)
{
	return S_ISREG(mode) ? FT_REG_FILE : S_ISDIR(mode) ? FT_DIR :
	       S_ISCHR(mode) ? FT_CHRDEV : S_ISBLK(mode) ? FT_BLKDEV :
	       S_ISFIFO(mode) ? FT_FIFO : S_ISSOCK(mode) ? FT_SOCK : FT_SYMLINK;
}

void names_add(struct names *n, const char *name, u8 len, u64 hash, u64 ino,
	       u8 type)
{
	n->e = fsck_grow(n->e, &n->cap, n->nr, sizeof(*n->e));
	n->pool = fsck_grow(n->pool, &n->room, n->used + len, 1);
	n->e[n->nr++] = (struct name){
		.hash = hash, .ino = ino, .name = n->used, .len = len, .type = type,
	};
	memcpy(n->pool + n->used, name, len);
	n->used += len;
}

void names_clear(struct names *n)
{
	free(n->e);
	free(n->pool);
	*n = (struct names){};
}

/*
 * Take the entries of a leaf. If the leaf is damaged, take an entry only if the
 * hash in the position of the entry fits the name in the entry. The hash of a
 * damaged entry almost never fits.
 */
static void take_entries(struct fsck *fs, const struct msyncfs_disk_dir *d,
			 struct names *n)
{
	u32 pos = 0, used = le32_to_cpu(d->used);

	if (used > sizeof(d->data))
		used = sizeof(d->data);
	while (used - pos >= MSYNCFS_DIRENT_HEADER) {
		const struct msyncfs_disk_dirent *de =
			(const struct msyncfs_disk_dirent *)(d->data + pos);
		const char *name = (const char *)de->name;
		u32 len = MSYNCFS_DIRENT_LEN(de->name_len);
		u64 position;

		if (len > used - pos)
			break;
		position = le64_to_cpu(de->position);
		if (msyncfs_pos_fits(&fs->geo, position, name, de->name_len) &&
		    msyncfs_name_legal(name, de->name_len))
			names_add(n, name, de->name_len,
				  msyncfs_pos_hash(&fs->geo, position),
				  le64_to_cpu(de->ino), de->type);
		pos += len;
	}
}

static const char *load_leaf(struct fsck *fs, u64 ino, u64 index, u64 ptr,
			     struct msyncfs_disk_dir *d, struct leaf *leaf)
{
	const char *why;

	leaf->depth = 63 - __builtin_clzll(index + 1);
	leaf->prefix = index + 1 - (1ULL << leaf->depth);
	why = blk_load(fs, ptr & MSYNCFS_PTR_BLKNO, MSYNCFS_MAGIC_DIR, ino, d);
	if (why)
		return why;
	if (ptr & MSYNCFS_PTR_UNWRITTEN)
		return "pointer to a directory block is marked unwritten";
	if (leaf->depth > MSYNCFS_DIR_MAX_DEPTH ||
	    le32_to_cpu(d->h.level) != leaf->depth ||
	    le64_to_cpu(d->prefix) != leaf->prefix)
		return "directory block in another one's place";
	return NULL;
}

/* Check a leaf. The walk of the map calls this function. */
static void check_leaf(struct map_walk *w, u64 index, u64 ptr)
{
	struct msyncfs_disk_dir d;
	struct dir_walk *dw = w->ctx;
	struct fsck *fs = w->fs;
	const char *why;
	struct leaf leaf;
	bool salvage;

	memset(&d, 0, sizeof(d));
	why = load_leaf(fs, w->info->ino, index, ptr, &d, &leaf);
	if (!why) {
		dw->leaves = fsck_grow(dw->leaves, &dw->cap, dw->nr,
				       sizeof(*dw->leaves));
		dw->leaves[dw->nr++] = leaf;
		take_entries(fs, &d, &dw->names);
		return;
	}
	salvage = le32_to_cpu(d.h.magic) == MSYNCFS_MAGIC_DIR &&
		  le64_to_cpu(d.h.owner) == w->info->ino;
	if (!problem(fs, false, salvage ? "keep the entries that are good" :
		     "drop it", "Directory %llu%s, block %llu: %s",
		     w->info->ino, inode_path(fs, w->info->ino),
		     ptr & MSYNCFS_PTR_BLKNO, why))
		return;
	dw->rebuild = true;
	fs->names_lost = true;
	if (salvage)
		take_entries(fs, &d, &dw->names);
}

static int cmp_leaf(const void *a, const void *b)
{
	const struct leaf *x = a, *y = b;
	u64 p = x->prefix << (MSYNCFS_DIR_MAX_DEPTH - x->depth);
	u64 q = y->prefix << (MSYNCFS_DIR_MAX_DEPTH - y->depth);

	return p < q ? -1 : p > q ? 1 : (int)x->depth - (int)y->depth;
}

/*
 * Check that every position belongs to exactly one leaf. Returns NULL or the
 * problem.
 */
static const char *check_partition(struct dir_walk *dw)
{
	u64 at = 0;
	size_t i;

	if (!dw->nr)
		return NULL;
	qsort(dw->leaves, dw->nr, sizeof(*dw->leaves), cmp_leaf);
	for (i = 0; i < dw->nr; i++) {
		unsigned int shift = MSYNCFS_DIR_MAX_DEPTH -
				     dw->leaves[i].depth;
		u64 first = dw->leaves[i].prefix << shift;

		if (first < at)
			return "blocks overlap";
		if (first > at)
			return "a block is missing";
		at = first + (1ULL << shift);
	}
	if (at != 1ULL << MSYNCFS_DIR_MAX_DEPTH)
		return "a block is missing";
	return NULL;
}

/*
 * Check an entry for a subdirectory. The subdirectory must have only this name,
 * and its inode must name @dir as the parent.
 */
static bool check_subdir(struct fsck *fs, u64 dir, struct name *e,
			 const char *name, struct inode_info *info)
{
	struct inode_info *parent = inode_find(fs, dir);
	struct msyncfs_disk_inode di;

	if ((info->refs || e->ino == fs->geo.root_ino) &&
	    problem(fs, false, "remove the entry",
		    "Entry \"%.*s\" in directory %llu%s: second name of directory %llu",
		    e->len, name, dir, inode_path(fs, dir), e->ino))
		return false;
	info->refs++;
	info->dir = dir;
	parent->subdirs++;
	if (info->parent != dir &&
	    problem(fs, true, "correct it",
		    "Directory %llu%s: says its parent is %llu, but it is %llu",
		    e->ino, inode_path(fs, e->ino), info->parent, dir) &&
	    !blk_read(fs, e->ino, &di)) {
		di.parent = cpu_to_le64(dir);
		inode_store(fs, &di);
	}
	return true;
}

/*
 * Check one entry. Returns false if the entry must be dropped. Sets *@changed if the type
 * of the entry was corrected.
 */
static bool check_entry(struct fsck *fs, u64 dir, struct name *e,
			const char *name, bool *changed)
{
	struct inode_info *info = inode_visit(fs, e->ino, dir, false);

	if (!info && e->type == FT_DIR)
		fs->names_lost = true;
	if (!info)
		return !problem(fs, false, "remove the entry",
				"Entry \"%.*s\" in directory %llu%s: inode %llu: %s",
				e->len, name, dir, inode_path(fs, dir), e->ino,
				fs->why);
	if (e->type != mode_type(info->mode) &&
	    problem(fs, true, "correct it",
		    "Entry \"%.*s\" in directory %llu%s: wrong type of file",
		    e->len, name, dir, inode_path(fs, dir))) {
		e->type = mode_type(info->mode);
		*changed = true;
	}
	if (S_ISDIR(info->mode))
		return check_subdir(fs, dir, e, name, info);
	info->refs++;
	return true;
}

/* Order names by hash. Names that are equal become neighbors, in the order of reading. */
static int cmp_name(const void *a, const void *b, void *pool)
{
	const struct name *x = a, *y = b;
	int diff;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->len != y->len)
		return x->len - y->len;
	diff = memcmp((char *)pool + x->name, (char *)pool + y->name, x->len);
	return diff ?: x->name < y->name ? -1 : x->name > y->name;
}

static void sort_names(struct names *n)
{
	if (n->nr)
		qsort_r(n->e, n->nr, sizeof(*n->e), cmp_name, n->pool);
}

static bool same_name(const struct names *n, const struct name *x,
		      const struct name *y)
{
	return x->len == y->len &&
	       !memcmp(n->pool + x->name, n->pool + y->name, x->len);
}

static void check_entries(struct fsck *fs, u64 dir, struct dir_walk *dw)
{
	struct names *n = &dw->names;
	size_t i, kept = 0;

	sort_names(n);
	for (i = 0; i < n->nr; i++) {
		struct name *e = &n->e[i];
		const char *name = n->pool + e->name;

		if (kept && same_name(n, e, &n->e[kept - 1]) &&
		    problem(fs, false, "remove it",
			    "Entry \"%.*s\" in directory %llu%s: there is another entry with this name",
			    e->len, name, dir, inode_path(fs, dir)))
			dw->rebuild = true;
		else if (check_entry(fs, dir, e, name, &dw->rebuild))
			n->e[kept++] = *e;
		else
			dw->rebuild = true;
	}
	n->nr = kept;
}

static bool fix_count(struct fsck *fs, u64 ino, const char *what, u64 is,
		      u64 want)
{
	return is != want &&
	       problem(fs, true, "correct it",
		       "Directory %llu%s: says %llu %s, has %llu", ino,
		       inode_path(fs, ino), is, what, want);
}

/*
 * Check the counts in the inode of a directory. If the directory is written
 * anew, the writer sets the counts and this check is not needed.
 */
static bool check_counts(struct fsck *fs, struct dir_walk *dw, u64 nr_blocks,
			 struct msyncfs_disk_inode *di)
{
	u64 ino = le64_to_cpu(di->h.blkno);
	bool changed = false;
	u32 depth = 0;
	size_t i;

	for (i = 0; i < dw->nr; i++)
		if (dw->leaves[i].depth > depth)
			depth = dw->leaves[i].depth;
	if (fix_count(fs, ino, "entries", le64_to_cpu(di->entries),
		      dw->names.nr)) {
		di->entries = cpu_to_le64(dw->names.nr);
		changed = true;
	}
	if (fix_count(fs, ino, "bytes", le64_to_cpu(di->size), dw->nr * BLK)) {
		di->size = cpu_to_le64(dw->nr * BLK);
		changed = true;
	}
	if (fix_count(fs, ino, "blocks", le64_to_cpu(di->blocks), nr_blocks)) {
		di->blocks = cpu_to_le64(nr_blocks);
		changed = true;
	}
	/*
	 * The depth in the inode may be larger than the depth of the trie. When
	 * the kernel removes a leaf, it does not compute the new depth.
	 */
	if (le32_to_cpu(di->dir_depth) < depth &&
	    fix_count(fs, ino, "levels", le32_to_cpu(di->dir_depth), depth)) {
		di->dir_depth = cpu_to_le32(depth);
		changed = true;
	}
	return changed;
}

static struct rebuild *rebuild_add(struct fsck *fs, u64 ino)
{
	struct rebuild *rb = fsck_alloc(sizeof(*rb));

	rb->ino = ino;
	rb->next = fs->rebuilds;
	fs->rebuilds = rb;
	return rb;
}

/* Check the content of a directory. inode_visit() has checked the inode. */
void dir_check(struct fsck *fs, u64 ino)
{
	struct dir_walk dw = {};
	struct blocks list = {};
	struct map_walk w = {
		.fs = fs, .info = inode_find(fs, ino), .list = &list,
		.leaf = check_leaf, .ctx = &dw,
	};
	struct msyncfs_disk_inode di;
	const char *why;
	bool changed;

	if (blk_read(fs, ino, &di))
		return;
	changed = map_walk(&w, &di);
	why = dw.rebuild ? NULL : check_partition(&dw);
	if (why && problem(fs, false, "write the directory anew",
			   "Directory %llu%s: %s", ino, inode_path(fs, ino),
			   why))
		dw.rebuild = true;
	check_entries(fs, ino, &dw);

	if (dw.rebuild) {
		struct rebuild *rb = rebuild_add(fs, ino);

		rb->names = dw.names;
		rb->blocks = list;
	} else {
		changed |= check_counts(fs, &dw, w.nr + w.info->attrs, &di);
		names_clear(&dw.names);
		blocks_clear(&list);
	}
	/*
	 * @di is still the newest content of this inode, because no check has
	 * stored the inode since blk_read(). The checks above store only
	 * inodes of subdirectories. check_subdir() can store this inode, but
	 * it ran before dir_check().
	 */
	if (changed)
		inode_store(fs, &di);
	free(dw.leaves);
}

static void quiet_leaf(struct map_walk *w, u64 index, u64 ptr)
{
	struct msyncfs_disk_dir d;
	struct leaf leaf;

	if (!load_leaf(w->fs, w->info->ino, index, ptr, &d, &leaf))
		take_entries(w->fs, &d, w->ctx);
}

/*
 * Add the entries of a directory to @n. Unless @b is NULL, add the numbers of
 * the blocks of the directory to @b. The function checks nothing.
 */
void dir_names(struct fsck *fs, u64 ino, struct names *n, struct blocks *b)
{
	struct inode_info info = { .ino = ino };
	struct map_walk w = {
		.fs = fs, .info = &info, .list = b, .leaf = quiet_leaf,
		.ctx = n, .quiet = true,
	};
	struct msyncfs_disk_inode di;

	if (!blk_load(fs, ino, MSYNCFS_MAGIC_INODE, ino, &di) &&
	    S_ISDIR(le32_to_cpu(di.mode)))
		map_walk(&w, &di);
}

/*
 * Prepare to write a directory anew at the end. Returns the structure with the
 * entries of the directory. The caller may add entries to the structure.
 */
struct rebuild *dir_rebuild(struct fsck *fs, u64 ino)
{
	struct rebuild *rb;

	for (rb = fs->rebuilds; rb; rb = rb->next)
		if (rb->ino == ino)
			return rb;
	rb = rebuild_add(fs, ino);
	dir_names(fs, ino, &rb->names, &rb->blocks);
	return rb;
}

static int write_leaf(struct fsck *fs, struct msyncfs_disk_inode *di,
		      const struct names *n, size_t from, size_t to,
		      unsigned int depth, u64 prefix)
{
	u64 blkno = blk_alloc(fs);
	struct msyncfs_disk_dir d;
	u32 pos = 0;

	if (!blkno)
		return -ENOSPC;
	msyncfs_init_block(&d, MSYNCFS_MAGIC_DIR, depth, blkno,
			   le64_to_cpu(di->h.blkno));
	d.prefix = cpu_to_le64(prefix);
	d.count = cpu_to_le32(to - from);
	for (; from < to; from++) {
		struct msyncfs_disk_dirent *de =
			(struct msyncfs_disk_dirent *)(d.data + pos);
		const struct name *e = &n->e[from];

		de->position = cpu_to_le64(e->position);
		de->ino = cpu_to_le64(e->ino);
		de->type = e->type;
		de->name_len = e->len;
		memcpy(de->name, n->pool + e->name, e->len);
		pos += MSYNCFS_DIRENT_LEN(e->len);
	}
	d.used = cpu_to_le32(pos);
	blk_write(fs, blkno, &d);
	di->blocks = cpu_to_le64(le64_to_cpu(di->blocks) + 1);
	di->size = cpu_to_le64(le64_to_cpu(di->size) + BLK);
	if (depth > le32_to_cpu(di->dir_depth))
		di->dir_depth = cpu_to_le32(depth);
	return map_insert(fs, di, (1ULL << depth | prefix) - 1, blkno);
}

/*
 * Write the leaves for the positions that begin with @prefix. The leaves get the
 * sorted entries of @n from @from to @to - 1.
 */
static int write_trie(struct fsck *fs, struct msyncfs_disk_inode *di,
		      const struct names *n, size_t from, size_t to,
		      unsigned int depth, u64 prefix)
{
	size_t i, mid, bytes = 0;
	u64 high;
	int err;

	for (i = from; i < to; i++)
		bytes += MSYNCFS_DIRENT_LEN(n->e[i].len);
	if (bytes <= sizeof(((struct msyncfs_disk_dir *)NULL)->data))
		return write_leaf(fs, di, n, from, to, depth, prefix);
	if (depth == MSYNCFS_DIR_MAX_DEPTH)
		return -ENOSPC;

	depth++;
	high = (prefix << 1 | 1) << (MSYNCFS_POS_BITS - depth);
	for (mid = from; mid < to && n->e[mid].position < high; mid++)
		;
	err = write_trie(fs, di, n, from, mid, depth, prefix << 1);
	if (!err)
		err = write_trie(fs, di, n, mid, to, depth, prefix << 1 | 1);
	return err;
}

/*
 * Sort the names and give them their positions. Drop a name that is there twice.
 * Also drop names if there are too many of one hash; this does not happen on an
 * honest disk.
 */
static void place_names(struct fsck *fs, struct names *n)
{
	size_t i, kept = 0;
	u64 position = 0;

	sort_names(n);
	for (i = 0; i < n->nr; i++) {
		struct name *e = &n->e[i];

		if (kept && same_name(n, e, &n->e[kept - 1]))
			continue;
		if (!kept || e->hash != n->e[kept - 1].hash)
			position = e->hash;
		if (position - e->hash >= fs->geo.hash_room)
			continue;
		e->position = position;
		position += MSYNCFS_POS_STEP;
		n->e[kept++] = *e;
	}
	n->nr = kept;
}

static int rebuild_one(struct fsck *fs, struct rebuild *rb)
{
	struct inode_info *info = inode_find(fs, rb->ino);
	struct names *n = &rb->names;
	struct msyncfs_disk_inode di;
	int err = 0;
	size_t i;

	if (blk_read(fs, rb->ino, &di))
		return -EIO;
	for (i = 0; i < rb->blocks.nr; i++)
		bit_clear(fs->used, rb->blocks.b[i]);
	if (rb->blocks.nr)
		fs->next_free = rb->blocks.b[0];
	memset(di.ptr, 0, sizeof(di.ptr));
	di.map_depth = 0;
	di.dir_depth = 0;
	di.blocks = cpu_to_le64(info ? info->attrs : 0);
	di.size = 0;

	place_names(fs, n);
	di.entries = cpu_to_le64(n->nr);
	if (n->nr)
		err = write_trie(fs, &di, n, 0, n->nr, 0, 0);
	inode_store(fs, &di);
	return err;
}

void dir_rebuild_all(struct fsck *fs)
{
	while (fs->rebuilds) {
		struct rebuild *rb = fs->rebuilds;
		int err = rebuild_one(fs, rb);

		if (err) {
			say(fs, "Directory %llu%s: cannot be written anew: %s\n",
			    rb->ino, inode_path(fs, rb->ino), strerror(-err));
			fs->left++;
		}
		fs->rebuilds = rb->next;
		names_clear(&rb->names);
		blocks_clear(&rb->blocks);
		free(rb);
	}
}
