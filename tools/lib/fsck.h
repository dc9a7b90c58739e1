/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files of fsck.msyncfs share these structures and functions.
 *
 * The checks make every repair in memory first, even with -n. So later checks
 * read the repaired block and do not report the same damage again. At the end
 * fsck.msyncfs writes the repairs to the device, except with -n.
 */
#ifndef MSYNCFS_FSCK_H
#define MSYNCFS_FSCK_H

#include "../../fs/disk/format.h"
#include "device.h"

#include <stdint.h>

/* Exit codes of fsck(8). */
#define EXIT_FSCK_OK		0
#define EXIT_FSCK_FIXED		1
#define EXIT_FSCK_LEFT		4
#define EXIT_FSCK_ERROR		8
#define EXIT_FSCK_USAGE		16

enum fsck_mode {
	FSCK_NO,	/* only report problems */
	FSCK_YES,	/* repair everything */
	FSCK_PREEN,	/* make safe repairs; exit at any other problem */
	FSCK_ASK,
};

/* This hash map has a 64-bit value for each 64-bit key. No key is zero. */
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
 * @e: the entries; the field name is the offset of a name in @pool
 * @nr: number of entries
 * @cap: number of entries for which @e has memory
 * @pool: the names
 * @used: number of bytes in use in @pool
 * @room: size of @pool in bytes
 */
struct names {
	struct name {
		u64	hash;
		u64	position;	/* in a directory that is written anew */
		u64	ino;
		size_t	name;
		u8	len;
		u8	type;
	}	*e;
	size_t	nr, cap;
	char	*pool;
	size_t	used, room;
};

/**
 * struct progress - how fsck shows how far it is
 * @fd: file descriptor, or 0 for nowhere
 * @numbers: show numbers for another program, not a line on a terminal
 * @pass: the current pass; calls for earlier passes have no effect
 * @width: length of the line that is on the terminal now
 * @next: time of the next update, in milliseconds
 */
struct progress {
	int	fd;
	bool	numbers;
	unsigned int pass;
	int	width;
	u64	next;
};

#define KINDS	16	/* kinds of problems that the summary counts */

/**
 * struct bits - a set of blocks
 * @group: the bits of each group; NULL for a group without a block in the set
 * @groups: number of groups
 */
struct bits {
	u8	**group;
	u64	groups;
};

/* This is a list of block numbers. */
struct blocks {
	u64	*b;
	size_t	nr, cap;
};

/**
 * struct inode_info - the results of the check of an inode
 * @ino: inode number
 * @dir: directory in which a name of the inode was first found, or 0
 * @parent: parent directory that the inode itself names; used only if the inode
 *	is a directory
 * @nlink: link count in the inode
 * @refs: number of names found
 * @subdirs: number of subdirectories found
 * @mode: file mode
 * @attrs: number of blocks that the attributes have
 * @bad: block @ino is not an inode; only @ino and @dir are valid
 * @gone: the inode has no links and will be freed
 * @ignore: the link count is not checked
 */
struct inode_info {
	u64	ino;
	u64	dir;
	u64	parent;
	u32	nlink;
	u32	refs;
	u32	subdirs;
	u32	mode;
	u32	attrs;
	bool	bad;
	bool	gone;
	bool	ignore;
};

/**
 * struct rebuild - a directory that will be written anew
 * @ino: inode number of the directory
 * @names: entries of the directory
 * @blocks: old leaves and map nodes of the directory
 * @next: next element of fs->rebuilds
 */
struct rebuild {
	u64		ino;
	struct names	names;
	struct blocks	blocks;
	struct rebuild	*next;
};

/**
 * struct fsck - one run of fsck.msyncfs
 * @dev: device
 * @geo: layout of the filesystem, read from its superblock
 * @mode: action on problems
 * @verbose: print each step
 * @protect: use the multi-mount protection, if the filesystem has it
 * @progress: how to show the progress
 * @repaired: number of repairs of each kind, for the summary. The kind is the first word
 *	of the message
 * @fixed: number of problems repaired in this pass
 * @left: number of problems not repaired in this pass
 * @replay: map from a home block to the log block that has the newest image of
 *	the home block; used if the log is not replayed: with -n, or because a
 *	home block cannot be written
 * @dirty: map from a block number to the changed content of the block in memory
 * @disk: the bitmaps that are on disk; an invalid bitmap counts as clear
 * @used: bitmap of the blocks that have an owner
 * @gone: bitmap of the blocks whose owner is an inode that will be freed
 * @bad_group: for each group the reason why its bitmap is invalid, or NULL
 * @inodes: map from an inode number to its struct inode_info
 * @queue: directories that are not checked yet
 * @queue_at: position of the next directory in @queue
 * @orphans: the valid part of the orphan list
 * @on_list: map whose keys are the inode numbers in @orphans
 * @rebuilds: directories that will be written anew
 * @lost_found: inode number of /lost+found, or 0 if it has not been needed yet
 * @next_free: block at which the search for a free block starts
 * @names_lost: names of a directory could not be read
 * @complete: @used and @gone have every block with an owner
 * @why: reason why inode_visit() returned NULL
 * @seen: if set, gets the blocks that blk_read() is asked for
 * @claimed: number of blocks in @used and @gone
 * @marked: number of blocks in @disk
 * @files: number of files that are not directories
 * @dirs: number of directories
 */
struct fsck {
	struct device	dev;
	struct msyncfs_geo geo;
	enum fsck_mode	mode;
	bool		verbose;
	bool		protect;
	struct progress	progress;
	struct {
		const char	*kind;
		int		len;
		u64		nr;
	}		repaired[KINDS];
	u64		fixed;
	u64		left;
	struct umap	replay;
	struct umap	dirty;
	struct bits	*disk;
	struct bits	*used;
	struct bits	*gone;
	const char	**bad_group;
	struct umap	inodes;
	struct blocks	queue;
	size_t		queue_at;
	struct blocks	orphans;
	struct umap	on_list;
	struct rebuild	*rebuilds;
	u64		lost_found;
	u64		next_free;
	bool		names_lost;
	bool		complete;
	const char	*why;
	struct bits	*seen;
	u64		claimed;
	u64		marked;
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
__printf(2, 3)
void say(struct fsck *fs, const char *fmt, ...);
void *fsck_alloc(size_t len);
void *fsck_grow(void *p, size_t *cap, size_t nr, size_t size);
void blocks_add(struct blocks *b, u64 blkno);
void blocks_clear(struct blocks *b);
int blk_read(struct fsck *fs, u64 blkno, void *buf);
void blk_write(struct fsck *fs, u64 blkno, void *buf);
void blk_flush(struct fsck *fs);
const char *blk_load(struct fsck *fs, u64 blkno, u32 magic, u64 owner,
		     void *buf);

/* fsck_bitmap.c */
#define BITS_BYTES	(MSYNCFS_GROUP_BLOCKS / 8)	/* of a group */

struct bits *bits_new(u64 groups);
void bits_free(struct bits *s);
bool bit_test(const struct bits *s, u64 nr);
void bit_set(struct bits *s, u64 nr);
void bit_clear(struct bits *s, u64 nr);
u8 bits_byte(const struct bits *s, u64 group, unsigned int byte);
u64 bits_count(const struct bits *s);
void fsck_bitmaps_new(struct fsck *fs);
void fsck_bitmaps_load(struct fsck *fs);
void fsck_bitmaps(struct fsck *fs);

/* fsck_progress.c */
void progress_start(struct fsck *fs, int fd);
void progress_hide(struct fsck *fs);
void progress(struct fsck *fs, unsigned int pass, u64 done, u64 all);
void progress_end(struct fsck *fs, unsigned int pass);

/* fsck_super.c */
void fsck_super(struct fsck *fs);

/* fsck_log.c */
void fsck_log(struct fsck *fs);

/* fsck_mmp.c */
void fsck_mmp(struct fsck *fs);
void fsck_mmp_end(struct fsck *fs);

/* fsck_inode.c */
struct inode_info *inode_find(struct fsck *fs, u64 ino);
struct inode_info *inode_visit(struct fsck *fs, u64 ino, u64 dir, bool gone);
struct inode_info *inode_new_dir(struct fsck *fs, u64 ino, u64 parent);
void inode_store(struct fsck *fs, struct msyncfs_disk_inode *di);
const char *inode_path(struct fsck *fs, u64 ino);
bool blk_claim(struct fsck *fs, u64 blkno, bool gone);
bool salvage_header(struct msyncfs_disk_header *h, u32 magic, u64 blkno,
		    u64 owner);
u64 blk_alloc(struct fsck *fs);

/*
 * This structure has the parameters and results of map_walk(). The walk
 * follows the map of an inode, marks the blocks in fs->used or fs->gone, and
 * repairs the pointers. It calls @leaf for each data pointer of a directory.
 */
struct map_walk {
	struct fsck	*fs;
	struct inode_info *info;
	u64		limit;		/* first page index behind the end */
	bool		beyond_ok;	/* written blocks behind the end are allowed */
	bool		drop_beyond;
	bool		asked;
	bool		quiet;		/* mark and repair nothing */
	struct umap	met;		/* the nodes of a quiet walk */
	u64		nr;		/* number of blocks found */
	struct blocks	*list;		/* if set, gets all blocks */
	void		(*leaf)(struct map_walk *w, u64 index, u64 ptr);
	void		*ctx;
};

bool map_walk(struct map_walk *w, struct msyncfs_disk_inode *di);
int map_insert(struct fsck *fs, struct msyncfs_disk_inode *di, u64 index,
	       u64 blkno);

/* fsck_xattr.c */
void xattr_salvage(struct fsck *fs, struct msyncfs_disk_inode *di);
bool xattr_check(struct fsck *fs, struct inode_info *info,
		 struct msyncfs_disk_inode *di);

/* fsck_dir.c */
void dir_check(struct fsck *fs, u64 ino);
void names_add(struct names *n, const char *name, u8 len, u64 hash, u64 ino,
	       u8 type);
void names_clear(struct names *n);
struct rebuild *dir_rebuild(struct fsck *fs, u64 ino);
void dir_rebuild_all(struct fsck *fs);
void dir_names(struct fsck *fs, u64 ino, struct names *n, struct blocks *b);
u8 mode_type(u32 mode);

/* fsck_tree.c */
void fsck_tree(struct fsck *fs);

/* fsck_inodes.c */
void fsck_inode_bitmap(struct fsck *fs);

#endif /* MSYNCFS_FSCK_H */
