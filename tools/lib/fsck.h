/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of fsck.msyncfs share.
 *
 * All repairs are made in memory first, also with -n, so that the checks that
 * come later see them and do not report the same damage again. They reach the
 * device at the end, and never with -n.
 */
#ifndef MSYNCFS_FSCK_H
#define MSYNCFS_FSCK_H

#include "../../fs/format.h"
#include "device.h"

#include <stdint.h>

/* Exit codes of fsck(8). */
#define EXIT_FSCK_OK		0
#define EXIT_FSCK_FIXED		1
#define EXIT_FSCK_LEFT		4
#define EXIT_FSCK_ERROR		8
#define EXIT_FSCK_USAGE		16

enum fsck_mode {
	FSCK_NO,	/* look only */
	FSCK_YES,	/* repair everything */
	FSCK_PREEN,	/* repair what is safe, give up on anything else */
	FSCK_ASK,
};

/* A map of 64-bit numbers, keys not zero. */
struct umap {
	u64	*key;
	u64	*val;
	size_t	cap;
	size_t	nr;
};

bool umap_get(const struct umap *m, u64 key, u64 *val);
void umap_set(struct umap *m, u64 key, u64 val);
u64 *umap_keys(const struct umap *m);
void umap_clear(struct umap *m);

/**
 * struct names - entries of one directory
 * @e: the entries; @name is an offset in @pool
 * @nr: how many
 * @cap: room in @e
 * @pool: the names
 * @used: bytes of @pool in use
 * @room: bytes of @pool
 */
struct names {
	struct name {
		u64	hash;
		u64	ino;
		size_t	name;
		u8	len;
		u8	type;
	}	*e;
	size_t	nr, cap;
	char	*pool;
	size_t	used, room;
};

/* Block numbers. */
struct blocks {
	u64	*b;
	size_t	nr, cap;
};

/**
 * struct inode_info - what is known of an inode
 * @ino: its number
 * @dir: directory that holds its first name; 0: none
 * @parent: directories: what the inode says its parent is
 * @nlink: what the inode says
 * @refs: names found
 * @subdirs: directories in this one
 * @mode: file mode
 * @bad: not an inode; nothing else is valid
 * @gone: without links, to be freed
 * @ignore: its links are not judged
 */
struct inode_info {
	u64	ino;
	u64	dir;
	u64	parent;
	u32	nlink;
	u32	refs;
	u32	subdirs;
	u32	mode;
	bool	bad;
	bool	gone;
	bool	ignore;
};

/**
 * struct rebuild - a directory that is to be written anew
 * @ino: directory
 * @names: its entries
 * @blocks: its leaves and map nodes so far
 * @next: in fs->rebuilds
 */
struct rebuild {
	u64		ino;
	struct names	names;
	struct blocks	blocks;
	struct rebuild	*next;
};

/**
 * struct fsck - the run
 * @dev: device
 * @geo: from its superblock
 * @mode: what to do about problems
 * @verbose: say what is being done
 * @fixed: problems repaired in this pass
 * @left: problems not repaired in this pass
 * @replay: home block -> block that holds its image in a log that is not
 *	replayed, because nothing may be written
 * @dirty: block -> changed content, in memory
 * @disk: the bitmaps as on disk; a bitmap that is not valid counts as clear
 * @used: blocks found to belong to something
 * @gone: blocks of inodes that are to be freed
 * @bad_group: why the bitmap of a group is not valid, or NULL
 * @inodes: inode number -> struct inode_info
 * @queue: directories still to be looked into
 * @queue_at: the next of them
 * @orphans: the orphan list as far as it is sound
 * @on_list: its inodes
 * @rebuilds: directories to be written anew
 * @lost_found: inode number of /lost+found once needed
 * @next_free: where to look for a free block
 * @complete: every block that belongs to something has been claimed
 * @why: reason why msyncfs_fsck_visit() found no inode
 * @files: everything that is no directory
 * @dirs: directories
 */
struct fsck {
	struct device	dev;
	struct msyncfs_geo geo;
	enum fsck_mode	mode;
	bool		verbose;
	u64		fixed;
	u64		left;
	struct umap	replay;
	struct umap	dirty;
	u8		*disk;
	u8		*used;
	u8		*gone;
	const char	**bad_group;
	struct umap	inodes;
	struct blocks	queue;
	size_t		queue_at;
	struct blocks	orphans;
	struct umap	on_list;
	struct rebuild	*rebuilds;
	u64		lost_found;
	u64		next_free;
	bool		complete;
	const char	*why;
	u64		files;
	u64		dirs;
};

#define BLK	MSYNCFS_BLOCK_SIZE
#define ANY	((u64)-1)

/* fsck_io.c */
__printf(2, 3)
__noreturn void fsck_die(struct fsck *fs, const char *fmt, ...);
__printf(4, 5)
bool problem(struct fsck *fs, bool safe, const char *fix, const char *fmt, ...);
void *fsck_alloc(size_t len);
void *fsck_grow(void *p, size_t *cap, size_t nr, size_t size);
void blocks_add(struct blocks *b, u64 blkno);
void blocks_clear(struct blocks *b);
int blk_read(struct fsck *fs, u64 blkno, void *buf);
void blk_write(struct fsck *fs, u64 blkno, void *buf);
void blk_flush(struct fsck *fs);
const char *blk_load(struct fsck *fs, u64 blkno, u32 magic, u64 owner,
		     void *buf);
bool bit_test(const u8 *map, u64 nr);
void bit_set(u8 *map, u64 nr);
void bit_clear(u8 *map, u64 nr);

/* fsck_log.c */
void fsck_super(struct fsck *fs);
void fsck_log(struct fsck *fs);

/* fsck_inode.c */
struct inode_info *inode_find(struct fsck *fs, u64 ino);
struct inode_info *inode_visit(struct fsck *fs, u64 ino, u64 dir, bool gone);
struct inode_info *inode_new_dir(struct fsck *fs, u64 ino, u64 parent);
void inode_store(struct fsck *fs, struct msyncfs_disk_inode *di);
const char *inode_path(struct fsck *fs, u64 ino);
bool blk_claim(struct fsck *fs, u64 blkno, bool gone);
u64 blk_alloc(struct fsck *fs);

/*
 * Walks the map of an inode, claims its blocks and repairs pointers in @di.
 * @leaf is called for the data pointers of a directory.
 */
struct map_walk {
	struct fsck	*fs;
	struct inode_info *info;
	u64		limit;		/* first index behind the size */
	bool		beyond_ok;	/* written blocks behind it are fine */
	bool		drop_beyond;
	bool		asked;
	bool		quiet;		/* no claims, no repairs */
	u64		nr;		/* blocks found */
	struct blocks	*list;		/* put them here, too */
	void		(*leaf)(struct map_walk *w, u64 index, u64 ptr);
	void		*ctx;
};

bool map_walk(struct map_walk *w, struct msyncfs_disk_inode *di);
int map_insert(struct fsck *fs, struct msyncfs_disk_inode *di, u64 index,
	       u64 blkno);

/* fsck_dir.c */
void dir_check(struct fsck *fs, u64 ino);
void names_add(struct fsck *fs, struct names *n, const char *name, u8 len,
	       u64 ino, u8 type);
void names_clear(struct names *n);
struct rebuild *dir_rebuild(struct fsck *fs, u64 ino);
void dir_rebuild_all(struct fsck *fs);
void dir_names(struct fsck *fs, u64 ino, struct names *n, struct blocks *b);
u8 mode_type(u32 mode);

/* fsck_tree.c */
void fsck_tree(struct fsck *fs);
void fsck_bitmaps_load(struct fsck *fs);
void fsck_bitmaps(struct fsck *fs);

#endif /* MSYNCFS_FSCK_H */
