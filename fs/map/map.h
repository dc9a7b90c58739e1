/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header declares the inode in memory, its file map, its reservations and
 * its overlay. The map says which block holds which page. The overlay says what
 * the next commit of an atomic file changes in the map. fs/vfs/inode.c reads,
 * makes and evicts inodes.
 *
 * The list below shows the lock order, outermost lock first. A task takes only
 * locks that stand below all the locks that it holds. A task may take a lock
 * with a plus for several files at once, but only while it holds sbi->set_mutex
 * (P6).
 *
 *	i_open_lock			[open, last close]
 *	inode->i_rwsem
 *	  sbi->set_mutex		[msync of several files]
 *	  i_commit_lock +		[fsync, writepages, truncate, fallocate]
 *	    sbi->gate			[see below]
 *	    operation handle		[msyncfs_op_begin(); waits for a commit]
 *	      orphans->lock
 *	      mapping->invalidate_lock
 *	        i_freeze +		[excl.: capture; shared: store, write]
 *	          folio lock
 *	      i_map_sem
 *	        space->lock
 *	log->commit_mutex		[msyncfs_commit(); never in a handle]
 *	  sbi->gate			[shared: whoever changes the device]
 *	    log->checkpoint_mutex
 *	      index->lock
 *
 * A task must not begin an operation or wait for a commit while it holds a
 * folio lock, i_freeze, mmap_lock or invalidate_lock (P4).
 */
#ifndef MSYNCFS_MAP_H
#define MSYNCFS_MAP_H

#include <linux/maple_tree.h>
#include <linux/mm_types.h>
#include <linux/seqlock.h>
#include <linux/xarray.h>

#include "fs/space/space.h"

/* msyncfs_map_free() frees at least one run if it gets this many credits. */
#define MSYNCFS_MAP_FREE_CREDITS	16

/*
 * msyncfs_map_shift() moves at least one leaf if it gets these many credits and
 * blocks.
 */
#define MSYNCFS_SHIFT_CREDITS	(8 * MSYNCFS_MAX_DEPTH + 3)
#define MSYNCFS_SHIFT_BLOCKS	(3 * MSYNCFS_MAX_DEPTH)

/* This is the last index that a map of the greatest depth can hold. */
#define MSYNCFS_LAST_INDEX	(msyncfs_map_capacity(MSYNCFS_MAX_DEPTH) - 1)

/*
 * These are the bits of mi->i_flags. If a lock guards a bit, the comment of the
 * bit begins with the name of the lock.
 */
enum {
	MSYNCFS_I_DIRTY,	/* no transaction has the latest attributes */
	MSYNCFS_I_ORPHAN,	/* on the orphan list */
	MSYNCFS_I_RESV_NEW,	/* i_rwsem: write(2) reserved its page */
	MSYNCFS_I_ATOMIC,	/* the disk flag is MSYNCFS_INODE_ATOMIC */
	MSYNCFS_I_SPILLED,	/* i_commit_lock: blocks of i_overlay written */
	MSYNCFS_I_READERS,	/* had a mapping that can never store */
	MSYNCFS_I_STORED,	/* stores that msync has not marked in mtime */
	MSYNCFS_I_BATCH,	/* a batch makes the file atomic; see fs/vfs/batch.c */
	MSYNCFS_I_COMMITTING,	/* the batch may be committed by any sync */
};

#define MSYNCFS_KNOWN_RUNS	4

/**
 * struct msyncfs_known - runs of a file that lookups have found, see known.c
 * @lock: guards @run; a task that changes @run also holds i_map_sem
 * @run: runs of written blocks. An entry with the length 0 is free
 */
struct msyncfs_known {
	seqlock_t	lock;
	struct msyncfs_known_run {
		u64	index;
		u64	len;
		u64	blkno;
	}		run[MSYNCFS_KNOWN_RUNS];
};

/**
 * struct msyncfs_inode_info - an inode in memory
 * @vfs_inode: the VFS part
 * @i_bh: the inode's own block, pinned while the inode is in memory; its
 *	pointers are the root of the file map
 * @i_flags: MSYNCFS_I_* bits
 * @i_attrs: MSYNCFS_INODE_* flags except MSYNCFS_INODE_ATOMIC; a task that
 *	changes them holds i_rwsem
 * @i_commit_lock: guards @i_disksize. In a regular file, it also guards every
 *	change of the map. A commit holds this lock from the start of a capture
 *	until the capture is attached. Truncation, hole punching and fallocate
 *	hold this lock too
 * @i_dio_reads: number of O_DIRECT reads that the device has not completed. It
 *	grows only under i_rwsem and @i_commit_lock. i_dio_count of @vfs_inode
 *	counts whole requests, until pages that a write made old are dropped
 * @i_dio_writes: number of O_DIRECT writes that the device has not completed,
 *	as @i_dio_reads
 * @i_freeze: a capture holds @i_freeze exclusively. A task that makes a folio
 *	dirty holds @i_freeze shared
 * @i_map_sem: guards the pointers of the map, @i_map_depth and the extended
 *	attributes
 * @i_map_depth: number of levels of map nodes
 * @i_known: known runs, see known.c
 * @i_captured: number of pages in each of the last two captures of the file;
 *	guarded by @i_commit_lock
 * @i_disksize: size in bytes; the next record that contains the inode has this
 *	size
 * @i_tid: number of the last transaction that changes this inode
 * @i_data_tid: number of the last transaction for which fdatasync waits
 * @i_resv_lock: guards @i_resv and its entries
 * @i_resv: reservations. In an ordinary file, each dirty page without a block
 *	has a reservation. In an atomic file, each dirty or spilled page has a
 *	reservation
 * @i_overlay: atomic files: the overlay, see overlay.c. A task that changes the
 *	overlay holds @i_commit_lock. A task that reads the overlay uses RCU
 * @i_spilled: number of blocks in @i_overlay
 * @i_open_lock: guards @i_opens. The last close of an atomic file holds
 *	@i_open_lock while it discards or commits changes
 * @i_opens: number of open file descriptions. A mapping keeps its file
 *	description open
 * @i_batch: open file whose batch a sync must not commit, except with
 *	MSYNCFS_I_COMMITTING; a task that changes @i_batch holds i_rwsem
 * @i_batch_owner: files_struct of the process that started the batch
 * @i_orphan: link in the list of orphans
 * @i_parent: directories: inode number of the parent
 * @i_entries: directories: number of entries
 * @i_dir_depth: directories: no directory leaf has a greater depth than this
 * @i_btime: time of creation
 * @i_dio_seq: number of the last O_DIRECT write to the file, or 0 if there was
 *	no such write; see home.c
 * @i_write_home: remembered block of the folio that write(2) has locked;
 *	guarded by i_rwsem
 */
struct msyncfs_inode_info {
	struct inode		vfs_inode;
	struct buffer_head	*i_bh;
	unsigned long		i_flags;
	u32			i_attrs;

	/* capture and map */
	struct mutex		i_commit_lock;
	atomic_t		i_dio_reads;
	atomic_t		i_dio_writes;
	struct rw_semaphore	i_freeze;
	struct rw_semaphore	i_map_sem;
	unsigned int		i_map_depth;
	struct msyncfs_known	i_known;
	unsigned int		i_captured[2];
	loff_t			i_disksize;
	u64			i_tid;
	u64			i_data_tid;

	/* reservations: resv.c */
	spinlock_t		i_resv_lock;
	struct xarray		i_resv;

	/* atomic files: overlay.c and fs/vfs/atomic.c */
	struct maple_tree	i_overlay;
	unsigned long		i_spilled;
	struct mutex		i_open_lock;	/* guards i_opens */
	unsigned int		i_opens;
	struct file		*i_batch;	/* fs/vfs/batch.c */
	void			*i_batch_owner;

	/* orphans, directories, creation time, O_DIRECT (home.c) */
	struct list_head	i_orphan;
	u64			i_parent;
	u64			i_entries;
	unsigned int		i_dir_depth;
	struct timespec64	i_btime;
	u64			i_dio_seq;
	u64			i_write_home;
};

/**
 * MSYNCFS_I - get the msyncfs part of an inode
 * @inode: inode
 *
 * Context: any.
 * Return: the structure that contains @inode.
 */
static inline struct msyncfs_inode_info *MSYNCFS_I(struct inode *inode)
{
	return container_of(inode, struct msyncfs_inode_info, vfs_inode);
}

/**
 * msyncfs_is_atomic - tell whether a file is an atomic file
 * @inode: inode of any type
 *
 * An atomic file changes on the device only by msync and fsync. The mount
 * option "atomic" makes all regular files atomic. The flag MSYNCFS_I_ATOMIC
 * makes a single regular file atomic, and the flag MSYNCFS_I_BATCH does so for
 * the time of a batch.
 *
 * Context: any. The answer does not change while the caller holds
 * i_commit_lock.
 * Return: true if @inode is an atomic file.
 */
static inline bool msyncfs_is_atomic(struct inode *inode)
{
	return S_ISREG(inode->i_mode) &&
	       (MSYNCFS_SB(inode->i_sb)->options.atomic ||
		READ_ONCE(MSYNCFS_I(inode)->i_flags) &
		(BIT(MSYNCFS_I_ATOMIC) | BIT(MSYNCFS_I_BATCH)));
}

/*
 * This structure describes a run of indexes in a file map. The run is either a
 * hole, or it has contiguous blocks that are all written or all unwritten.
 */
struct msyncfs_extent {
	u64	index;		/* first index */
	u64	len;		/* number of blocks, at least 1 */
	u64	blkno;		/* first block, 0 for a hole */
	bool	unwritten;	/* blocks are allocated, but read as zeros */
};

/*
 * A folio of a regular file remembers the block of its page in folio->private.
 * The value 0 means that the block is not known. Any other value is a written
 * block in the map of the file. PG_private is not set, and the value needs no
 * reference.
 *
 * These rules keep the value right:
 *
 * - The value changes only under the folio lock. A read of the page looks the
 *   block up and sets the value while it holds invalidate_lock shared, and
 *   before the page becomes uptodate. The page cannot be captured then, so its
 *   block does not move.
 * - Only a commit moves the block of a cached page. It moves captured pages, and
 *   stores their new values after it has changed the map and before it releases
 *   i_commit_lock. In an atomic file it also moves pages that the overlay has,
 *   and sets their values to 0 before it changes the map.
 * - A task that frees a block drops the page first, and holds invalidate_lock
 *   until the block is free. A page beyond the end of the file gets no value,
 *   because an unfinished truncation may free its block later.
 * - In an atomic file, the value says nothing about uncommitted changes. It is
 *   used only while the overlay is empty. A read sets it only while the overlay
 *   is empty. So a page gets no value while the overlay has a hole or another
 *   block for it.
 * - iomap takes folio->private for a pointer. So the value is 0 while iomap
 *   works on the folio, and the tasks that fill pages do not use iomap.
 *
 * While a task holds i_commit_lock, a value equals the map. In an ordinary file,
 * while a task holds invalidate_lock shared or i_rwsem, a value means that the
 * page has a written block, but a commit may be moving the page to another
 * block.
 */

/**
 * msyncfs_folio_home - get the block that a folio remembers
 * @folio: folio of a regular file
 *
 * Context: any. The comment above says which locks give the value a meaning.
 * Return: the block, or 0 if the folio remembers no block.
 */
static inline u64 msyncfs_folio_home(const struct folio *folio)
{
	return (unsigned long)READ_ONCE(folio->private);
}

/**
 * msyncfs_folio_set_home - let a folio remember a block
 * @folio: folio of a regular file
 * @home: written block of the page, or 0
 *
 * Context: caller holds the folio lock.
 */
static inline void msyncfs_folio_set_home(struct folio *folio, u64 home)
{
	WRITE_ONCE(folio->private, (void *)(unsigned long)home);
}

struct msyncfs_resv;

/**
 * struct msyncfs_shift - a part of a map that moves to other indexes
 * @first: first index that has not moved yet
 * @end: index after the last index that has not moved yet
 * @by: distance, not 0; a negative distance leads to lower indexes
 * @steps: number of leaves and holes that have been visited
 */
struct msyncfs_shift {
	u64	first;
	u64	end;
	s64	by;
	u64	steps;
};

/*
 * Element n is the number of indexes that a node of level n covers. Level 0 is
 * a data block, which covers one index.
 */
extern const u64 msyncfs_span[MSYNCFS_MAX_DEPTH + 1];

/**
 * msyncfs_iblock - get the content of an inode's own block
 * @inode: inode that has been read
 *
 * Context: any.
 * Return: the content of the block, in the format on disk.
 */
static inline struct msyncfs_disk_inode *msyncfs_iblock(struct inode *inode)
{
	return (struct msyncfs_disk_inode *)MSYNCFS_I(inode)->i_bh->b_data;
}

/**
 * msyncfs_root_ptrs - get the root of a file map
 * @inode: inode that has been read
 *
 * Context: caller holds i_map_sem, or has the inode to itself.
 * Return: MSYNCFS_INODE_PTRS pointers in the inode's own block.
 */
static inline __le64 *msyncfs_root_ptrs(struct inode *inode)
{
	return msyncfs_iblock(inode)->ptr;
}

/**
 * msyncfs_no_ptrs - tell whether all pointers are holes
 * @ptr: first pointer
 * @nr: number of pointers
 *
 * Context: any.
 * Return: true if all @nr pointers are holes.
 */
static inline bool msyncfs_no_ptrs(const __le64 *ptr, unsigned int nr)
{
	return !memchr_inv(ptr, 0, nr * sizeof(*ptr));
}

/*
 * These functions are in map.c. A function that walks through a map takes
 * i_map_sem, unless its comment says that the caller holds i_map_sem.
 */
int msyncfs_map_count_run(struct inode *inode, u64 runs);
int msyncfs_map_lookup(struct inode *inode, u64 index, u64 max,
		       struct msyncfs_extent *ext);
int msyncfs_map_committed(struct inode *inode, u64 index, u64 max,
			  struct msyncfs_extent *ext);
unsigned int msyncfs_map_missing(struct inode *inode, u64 index, int *err);
unsigned int msyncfs_map_credits(struct inode *inode, u64 index, u64 len);
unsigned long msyncfs_resv_key(u64 index);
struct buffer_head *msyncfs_read_node(struct inode *inode, u64 blkno,
				      unsigned int level);
int msyncfs_check_ptr(struct inode *inode, u64 ptr);
unsigned int msyncfs_depth_for(unsigned int depth, u64 index);

/*
 * These functions are in change.c. The caller holds i_commit_lock if the inode
 * is a regular file. The caller holds i_rwsem exclusively if the inode is a
 * directory. A caller that has the inode to itself needs neither lock.
 */
int msyncfs_map_set(struct msyncfs_op *op, struct inode *inode, u64 index,
		    u64 len, u64 blkno, bool unwritten);
int msyncfs_map_free(struct msyncfs_op *op, struct inode *inode, u64 first,
		     u64 last, u64 *next);
void msyncfs_map_account(struct msyncfs_op *op, struct inode *inode,
			 s64 blocks);

/* In shift.c: moving a part of a map to other indexes */
int msyncfs_map_end(struct inode *inode, u64 *end);
int msyncfs_map_shift(struct msyncfs_op *op, struct inode *inode,
		      struct msyncfs_shift *shift);

/* In known.c: runs that lookups have found */
void msyncfs_known_forget(struct inode *inode);

/* In iblock.c: the inode's own block */
void msyncfs_set_attrs(struct inode *inode, u32 attrs);
void msyncfs_iblock_decode(struct inode *inode);
void msyncfs_op_add_inode(struct msyncfs_op *op, struct inode *inode,
			  bool data);

/* In home.c: home blocks and O_DIRECT writes */
#if IS_ENABLED(CONFIG_KUNIT)
void msyncfs_home_check(struct inode *inode, pgoff_t index, u64 home,
			bool exact);
#else
static inline void msyncfs_home_check(struct inode *inode, pgoff_t index,
				      u64 home, bool exact)
{
}
#endif
int msyncfs_home_range(struct inode *inode, loff_t start, loff_t end);
int msyncfs_dio_init(struct super_block *sb);
void msyncfs_dio_exit(struct super_block *sb);
void msyncfs_dio_written(struct inode *inode);
void msyncfs_dio_inherit(struct inode *inode);
int msyncfs_dio_flush_to(struct super_block *sb, u64 seq);
int msyncfs_dio_flush_all(struct super_block *sb);

/**
 * msyncfs_dio_flush - make completed O_DIRECT writes to a file durable
 * @inode: file
 *
 * No record holds the data of O_DIRECT writes, so a commit does not make the
 * data durable. fsync() calls this function after its commit.
 *
 * Context: may sleep.
 * Return: 0 or the error of the device. The function returns 0 at once if no
 * O_DIRECT write to the file has completed since the last flush.
 */
static inline int msyncfs_dio_flush(struct inode *inode)
{
	u64 seq = READ_ONCE(MSYNCFS_I(inode)->i_dio_seq);

	return seq ? msyncfs_dio_flush_to(inode->i_sb, seq) : 0;
}

/* In resv.c: reservations of dirty pages */
int msyncfs_resv_page(struct inode *inode, pgoff_t index);
bool msyncfs_resv_test(struct inode *inode, pgoff_t index);
void msyncfs_resv_release(struct inode *inode, pgoff_t first, pgoff_t last);
u64 msyncfs_resv_end(struct inode *inode, pgoff_t first, pgoff_t last);
u64 msyncfs_resv_count(struct inode *inode, pgoff_t first, u64 nr);
u64 msyncfs_resv_next(struct inode *inode, pgoff_t first, pgoff_t last);
u64 msyncfs_resv_range(struct inode *inode, pgoff_t first, pgoff_t last);
int msyncfs_resv_paths(struct inode *inode);
void msyncfs_resv_take(struct inode *inode, struct list_head *taken);
void msyncfs_resv_return(struct inode *inode, struct list_head *taken);
u64 msyncfs_resv_drop(struct list_head *taken);
u64 msyncfs_resv_nodes(const struct list_head *taken);
int msyncfs_resv_add(struct inode *inode, struct list_head *taken,
		     pgoff_t index, struct msyncfs_resv **hint);

/* In overlay.c. A caller that changes an overlay holds i_commit_lock. */
bool msyncfs_overlay_next(struct inode *inode, u64 index, u64 last,
			  struct msyncfs_extent *ext);
bool msyncfs_overlay_uncommitted(struct inode *inode);
void msyncfs_overlay_enter(struct inode *inode, u64 index, u64 blkno, u64 len);
void msyncfs_overlay_hole(struct inode *inode, u64 first, u64 last);
u64 msyncfs_overlay_clear(struct inode *inode);
void msyncfs_overlay_discard(struct inode *inode);

#endif /* MSYNCFS_MAP_H */
