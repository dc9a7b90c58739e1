/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inode in memory and its file map: which block holds which page, which
 * pages have been promised a block, and how an atomic file's next commit is
 * going to change its map.
 *
 * Lock order, outermost first. A function takes only locks that stand below
 * those which its caller holds:
 *
 *	i_open_lock			[open, last close]
 *	inode->i_rwsem
 *	  sb_internal			[commit of an atomic file: frozen?]
 *	  sbi->set_mutex		[msync of several files, for the three
 *					 locks of a file marked with a plus]
 *	  i_commit_lock +		[fsync, writepages, truncate, fallocate]
 *	    i_dio_sem +			[O_DIRECT read; excl. fresh blocks]
 *	    operation handle		[msyncfs_op_begin(); waits for a commit]
 *	      orphans->lock
 *	      mapping->invalidate_lock
 *	        i_freeze +		[excl. capture; shared: store, write]
 *	          folio lock
 *	      i_map_sem
 *	        space->lock
 *	log->commit_mutex		[msyncfs_commit(); never inside a handle]
 *	  log->checkpoint_mutex
 *
 * A task that holds a folio lock, i_freeze, mmap_lock or invalidate_lock, and no
 * operation handle yet, may not begin an operation or wait for a commit.
 */
#ifndef MSYNCFS_MAP_H
#define MSYNCFS_MAP_H

#include <linux/maple_tree.h>
#include <linux/xarray.h>

#include "fs/space/space.h"

/* Credits left with which msyncfs_map_free() gets on by at least one run. */
#define MSYNCFS_MAP_FREE_CREDITS	16

/* An index beyond which no map can have anything. */
#define MSYNCFS_LAST_INDEX	(msyncfs_map_capacity(MSYNCFS_MAX_DEPTH) - 1)

/* Bits of mi->i_flags. */
enum {
	MSYNCFS_I_DIRTY,	/* times or attributes not yet in a transaction */
	MSYNCFS_I_ORPHAN,	/* on the orphan list */
	MSYNCFS_I_RESV_NEW,	/* i_rwsem: write(2) reserved its current page */
	MSYNCFS_I_ATOMIC,	/* MSYNCFS_INODE_ATOMIC on disk */
	MSYNCFS_I_SPILLED,	/* i_commit_lock: i_overlay names written blocks */
};

/**
 * struct msyncfs_inode_info - an inode in memory
 * @vfs_inode: the VFS part
 * @i_bh: the inode's own block, pinned while the inode is in memory; its
 *	pointers are the root of the file map
 * @i_flags: MSYNCFS_I_* bits
 * @i_commit_lock: held from the start of a capture until its blocks are fixed
 *	in a transaction; truncate, punch and fallocate hold it too. Guards
 *	@i_disksize and every change of the map of a regular file
 * @i_dio_sem: held shared by O_DIRECT reads from their look at the map to the
 *	end of their I/O; exclusively, under @i_commit_lock, where the file
 *	gives up blocks while such reads may be under way. Not taken under
 *	a handle: it waits for the device
 * @i_freeze: held exclusively while dirty pages are captured; shared, per
 *	folio, by tasks that make one dirty
 * @i_map_sem: guards the map (pointers and @i_map_depth)
 * @i_map_depth: levels of map nodes
 * @i_disksize: size in bytes that the next record will hold
 * @i_tid: last transaction that holds a change of this inode
 * @i_data_tid: the same without changes that fdatasync may ignore
 * @i_resv_lock: guards @i_resv and the entries in it
 * @i_resv: reservations of dirty pages that have no block yet; of an atomic
 *	file, of all pages that are dirty or spilled
 * @i_overlay: atomic files: how the next commit changes the map, see overlay.c;
 *	changed under @i_commit_lock, read under RCU
 * @i_spilled: blocks in it
 * @i_open_lock: guards @i_opens; held while the last close discards or commits
 * @i_opens: open file descriptions, those of mappings included
 * @i_orphan: link in the list of orphans
 * @i_parent: directories: inode number of the parent
 * @i_entries: directories: number of entries
 * @i_dir_depth: directories: deepest leaf of the trie
 * @i_btime: time of creation
 * @i_dio_seq: number of the last O_DIRECT write to it, 0: none; see home.c
 */
struct msyncfs_inode_info {
	struct inode		vfs_inode;
	struct buffer_head	*i_bh;
	unsigned long		i_flags;

	/* capture and map */
	struct mutex		i_commit_lock;
	struct rw_semaphore	i_dio_sem;
	struct rw_semaphore	i_freeze;
	struct rw_semaphore	i_map_sem;
	unsigned int		i_map_depth;
	loff_t			i_disksize;
	u64			i_tid;
	u64			i_data_tid;

	/* dirty pages without a block: resv.c */
	spinlock_t		i_resv_lock;
	struct xarray		i_resv;

	/* atomic files: overlay.c, fs/vfs/atomic.c */
	struct maple_tree	i_overlay;
	unsigned long		i_spilled;
	struct mutex		i_open_lock;	/* @i_opens; the last close */
	unsigned int		i_opens;

	/* the rest of what is on disk */
	struct list_head	i_orphan;
	u64			i_parent;
	u64			i_entries;
	unsigned int		i_dir_depth;
	struct timespec64	i_btime;
	u64			i_dio_seq;
};

static inline struct msyncfs_inode_info *MSYNCFS_I(struct inode *inode)
{
	return container_of(inode, struct msyncfs_inode_info, vfs_inode);
}

/* Does the file change on the device at msync and fsync only? */
static inline bool msyncfs_is_atomic(struct inode *inode)
{
	return S_ISREG(inode->i_mode) &&
	       (MSYNCFS_SB(inode->i_sb)->options.atomic ||
		test_bit(MSYNCFS_I_ATOMIC, &MSYNCFS_I(inode)->i_flags));
}

/* A run of a file map, in blocks. */
struct msyncfs_extent {
	u64	index;		/* first index */
	u64	len;		/* at least 1 */
	u64	blkno;		/* first block, 0: a hole */
	bool	unwritten;
};

struct msyncfs_resv;

/* Indexes that one pointer of level n + 1 covers: a node of level n holds. */
extern const u64 msyncfs_span[MSYNCFS_MAX_DEPTH + 1];

static inline struct msyncfs_disk_inode *msyncfs_iblock(struct inode *inode)
{
	return (struct msyncfs_disk_inode *)MSYNCFS_I(inode)->i_bh->b_data;
}

static inline __le64 *msyncfs_root_ptrs(struct inode *inode)
{
	return msyncfs_iblock(inode)->ptr;
}

static inline bool msyncfs_no_ptrs(const __le64 *ptr, unsigned int nr)
{
	return !memchr_inv(ptr, 0, nr * sizeof(*ptr));
}

/*
 * In map.c. Callers hold i_commit_lock (regular files) or i_rwsem exclusively
 * (directories).
 */
int msyncfs_map_lookup(struct inode *inode, u64 index, u64 max,
		       struct msyncfs_extent *ext);
int msyncfs_map_committed(struct inode *inode, u64 index, u64 max,
			  struct msyncfs_extent *ext);
unsigned int msyncfs_map_missing(struct inode *inode, u64 index, int *err);
unsigned int msyncfs_map_missing_locked(struct inode *inode, u64 index,
					int *err);
unsigned int msyncfs_map_path(struct inode *inode, u64 index, int *err);
unsigned int msyncfs_map_credits(struct inode *inode, u64 index, u64 len);
unsigned long msyncfs_resv_key(u64 index);
struct buffer_head *msyncfs_read_node(struct inode *inode, u64 blkno,
				      unsigned int level);
int msyncfs_check_ptr(struct inode *inode, u64 ptr);
unsigned int msyncfs_depth_for(unsigned int depth, u64 index);

/* In change.c: callers hold the same locks */
int msyncfs_map_set(struct msyncfs_op *op, struct inode *inode, u64 index,
		    u64 len, u64 blkno, bool unwritten);
int msyncfs_map_free(struct msyncfs_op *op, struct inode *inode, u64 first,
		     u64 last, u64 *next);
void msyncfs_map_account(struct msyncfs_op *op, struct inode *inode,
			 s64 blocks);

/* In iblock.c */
void msyncfs_iblock_decode(struct inode *inode);
void msyncfs_inode_dirty(struct msyncfs_op *op, struct inode *inode, bool data);

/* In home.c */
int msyncfs_home_range(struct inode *inode, loff_t start, loff_t end);
int msyncfs_direct_init(struct super_block *sb);
void msyncfs_direct_exit(struct super_block *sb);
void msyncfs_direct_written(struct inode *inode);
void msyncfs_direct_inherit(struct inode *inode);
int msyncfs_direct_flush_to(struct super_block *sb, u64 seq);
int msyncfs_direct_flush_all(struct super_block *sb);

/**
 * msyncfs_direct_flush - make completed O_DIRECT writes to a file durable
 * @inode: file
 *
 * No record holds their data, so no commit makes them durable. fsync() does it,
 * after its commit.
 *
 * Context: may sleep.
 * Return: 0, at once if there was no such write since the last flush; or the
 * device's error.
 */
static inline int msyncfs_direct_flush(struct inode *inode)
{
	u64 seq = READ_ONCE(MSYNCFS_I(inode)->i_dio_seq);

	return seq ? msyncfs_direct_flush_to(inode->i_sb, seq) : 0;
}

/* In resv.c: reservations of dirty pages without a block */
int msyncfs_resv_page(struct inode *inode, pgoff_t index);
bool msyncfs_resv_test(struct inode *inode, pgoff_t index);
void msyncfs_resv_release(struct inode *inode, pgoff_t first, pgoff_t last);
u64 msyncfs_resv_end(struct inode *inode, pgoff_t first, pgoff_t last);
u64 msyncfs_resv_count(struct inode *inode, pgoff_t first, u64 nr);
u64 msyncfs_resv_next(struct inode *inode, pgoff_t first, pgoff_t last);
u64 msyncfs_resv_blocks(struct inode *inode, pgoff_t index);
u64 msyncfs_resv_range(struct inode *inode, pgoff_t first, pgoff_t last);
int msyncfs_resv_paths(struct inode *inode);
void msyncfs_resv_take(struct inode *inode, struct list_head *taken);
void msyncfs_resv_return(struct inode *inode, struct list_head *taken);
u64 msyncfs_resv_drop(struct list_head *taken);
u64 msyncfs_resv_nodes(const struct list_head *taken);
int msyncfs_resv_add(struct inode *inode, struct list_head *taken,
		     pgoff_t index, struct msyncfs_resv **hint);

/* In overlay.c: callers hold i_commit_lock to change it */
bool msyncfs_overlay_next(struct inode *inode, u64 index, u64 last,
			  struct msyncfs_extent *ext);
bool msyncfs_overlay_uncommitted(struct inode *inode);
void msyncfs_overlay_enter(struct inode *inode, u64 index, u64 blkno, u64 len);
void msyncfs_overlay_hole(struct inode *inode, u64 first, u64 last);
u64 msyncfs_overlay_clear(struct inode *inode);
void msyncfs_overlay_discard(struct inode *inode);

#endif /* MSYNCFS_MAP_H */
