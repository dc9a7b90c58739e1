/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In-memory structures of msyncfs and the functions through which its files
 * call each other; fs/fs.h holds what stays inside fs/. Here mm/ and fs/ meet:
 * mm/ captures dirty pages of a mapping, fs/ gives them blocks and makes them
 * durable.
 *
 * Lock order, outermost first. A function takes what stands below, never what
 * stands above, of what its caller holds:
 *
 *	i_open_lock			[open, last close]
 *	inode->i_rwsem
 *	  sb_internal			[commit of an atomic file: frozen?]
 *	  sbi->set_mutex		[msync of several files, for the three
 *					 locks of a file marked with a plus]
 *	  i_commit_lock +		[fsync, writepages, truncate, fallocate]
 *	    i_dio_sem +			[O_DIRECT read; excl. fresh blocks]
 *	    operation handle		[msyncfs_op_begin(); waits for a commit]
 *	      sbi->orphan_lock
 *	      mapping->invalidate_lock
 *	        i_freeze +		[excl. capture; shared: store, write]
 *	          folio lock
 *	      i_map_sem
 *	        sbi->alloc_lock
 *	sbi->commit_mutex		[msyncfs_commit(); never inside a handle]
 *	  sbi->checkpoint_mutex
 *
 * Nobody who holds a folio lock, i_freeze, mmap_lock or invalidate_lock (and no
 * operation handle yet) may begin an operation or wait for a commit.
 */
#ifndef MSYNCFS_H
#define MSYNCFS_H

#include <linux/blkdev.h>
#include <linux/buffer_head.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/ktime.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/ratelimit_types.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "compat.h"
#include "fs/disk/format.h"

#define EFSCORRUPTED	EUCLEAN

enum msyncfs_errors {		/* mount option errors= */
	MSYNCFS_ERRORS_RO,
	MSYNCFS_ERRORS_SHUTDOWN,
	MSYNCFS_ERRORS_PANIC,
};

enum msyncfs_semantics {	/* mount option msync= */
	MSYNCFS_MSYNC_POSIX,
	MSYNCFS_MSYNC_BSD,
};

/* Bits of sbi->state. */
enum {
	MSYNCFS_SB_ABORTED,	/* the log can no longer be written: read-only */
	MSYNCFS_SB_SHUTDOWN,	/* nothing may touch the device any more */
	MSYNCFS_SB_FLUSH_FAILED, /* a flush failed: what is durable is unknown */
	MSYNCFS_SB_CKPT_PAUSED,	/* sysfs: background checkpoint is paused */
	MSYNCFS_SB_ORPHANS_TODO, /* mounted read-only: orphans not looked at */
	MSYNCFS_SB_RECLAIMING,	/* inodes without links may be read */
};

struct msyncfs_cut;
struct msyncfs_txn;
struct msyncfs_group;

/**
 * struct msyncfs_sb_info - a mounted filesystem
 * @sb: back pointer
 * @ds: superblock as read from disk, checked
 * @geo: where things lie
 * @record_max: blocks of the largest record, header included
 * @record_images: images that such a record holds
 * @root_bh: the root block, pinned
 * @errors: what errors= says
 * @semantics: what msync= says
 * @atomic: mount option atomic: every regular file is
 * @state: MSYNCFS_SB_* bits
 * @messages: limits what is said in a short time
 * @set_mutex: held by whoever locks or freezes several files (P6)
 * @txn_lock: guards @running and its counters
 * @txn_wait: for room in, or the draining of, the running transaction
 * @running: the transaction that operations join
 * @next_op: a large operation that found no room twice: it is next
 * @cutting: the one before it until its record is durable, else NULL
 * @commit_mutex: serialises cutting and writing of records; guards @seq,
 *	@head_pos, @failed, @retry
 * @commit_wait: for @commit_mutex, or for a transaction to be durable
 * @commit_expected: how many might wait for the running transaction soon: who did
 *	when the last record was done, and who waited for that one
 * @commit_ended: when that was, ns
 * @commit_took: how long its write and flush took, ns
 * @durable_tid: every transaction up to this one is durable
 * @home_tid: every transaction up to this one is home and off the log
 * @started_tid: of every transaction up to this one, the record has been sent to
 *	the device, or there is none
 * @log_busy: a commit waits for the device
 * @commit_fails: attempts to commit that have failed
 * @commit_work: commits what nobody asked for, some seconds later
 * @op_map: lockdep's picture of an open handle: held by operations, waited for
 *	by a commit
 * @nonce: this mount's, in each of its records
 * @seq: sequence number of the next record
 * @head_pos: position in the log (blocks from its start) where that record
 *	goes if it fits before the end
 * @failed: writes that failed in a row
 * @retry: a record that could not be written, to be tried once more, or NULL
 * @nr_commits: records written since the mount
 * @nr_split: msyncs that took several records
 * @checkpoint_mutex: serialises checkpoints; guards @slot_counter and
 *	@nr_checkpoints
 * @log_lock: guards @records, @tail_pos, @tail_seq and @log_used
 * @records: durable and not yet off the log, oldest first
 * @tail_pos: position of the first record that a recovery would replay
 * @tail_seq: its sequence number
 * @log_used: blocks of the log from the tail to the head, with those left
 *	unused at its end
 * @slot_counter: writes of the tail slots so far, as on disk
 * @images: newest durable image of each block that is not yet home, by home
 *	block
 * @checkpoint_work: a checkpoint in the background, now
 * @checkpoint_timer: the same, in a while
 * @wq: where the three of them run
 * @nr_checkpoints: checkpoints since the mount
 * @alloc_lock: guards the bitmaps and all from here to @alloc_wait
 * @groups: state of each bitmap block
 * @nr_groups: entries of @groups
 * @free: blocks that can be allocated now
 * @pending: blocks freed, but not reusable yet (B3)
 * @reserved: blocks promised to dirty pages and operations
 * @firm: the part of @free that running operations hold
 * @claimed: blocks taken from @free that are still counted in @reserved
 * @spare: blocks of @free that are kept back for atomic files' map nodes
 * @pending_list: extents that make up @pending, oldest transaction first
 * @alloc_rotor: block at which a search without a goal starts
 * @alloc_wait: for blocks that other operations hold
 * @orphan_lock: guards @orphans and the list on disk
 * @orphans: inodes on the orphan list, newest first
 * @orphans_left: inodes have left memory that are still on the list on disk
 * @dio_seq: counts O_DIRECT writes that the device's cache may still hold
 * @dio_flushed: value of @dio_seq up to which they are durable
 * @kobj: /sys/fs/msyncfs/<id>
 * @kobj_gone: the last reference to @kobj has been dropped
 */
struct msyncfs_sb_info {
	struct super_block	*sb;
	struct msyncfs_disk_super *ds;
	struct msyncfs_geo	geo;
	unsigned int		record_max;
	unsigned int		record_images;
	struct buffer_head	*root_bh;
	enum msyncfs_errors	errors;
	enum msyncfs_semantics	semantics;
	bool			atomic;
	unsigned long		state;
	struct ratelimit_state	messages;
	struct mutex		set_mutex;	/* locks of several files */

	/* running transaction: fs/op.c */
	spinlock_t		txn_lock;
	wait_queue_head_t	txn_wait;
	struct msyncfs_txn	*running;
	struct msyncfs_txn	*cutting;
	struct msyncfs_op	*next_op;
	u64			durable_tid;
	u64			home_tid;
	u64			started_tid;
	bool			log_busy;
	unsigned int		commit_fails;
	struct delayed_work	commit_work;
	struct lockdep_map	op_map;		/* open handles, for lockdep */

	/* log: fs/log.c */
	struct mutex		commit_mutex;
	wait_queue_head_t	commit_wait;
	unsigned int		commit_expected;
	u64			commit_ended;
	u64			commit_took;
	u64			nonce;
	u64			seq;		/* of the next record */
	u64			head_pos;	/* where it goes, if it fits */
	unsigned int		failed;		/* writes that failed in a row */
	struct msyncfs_cut	*retry;		/* the record to be written again */
	u64			nr_commits;
	u64			nr_split;	/* msyncs not in one record */

	/* images not yet home: fs/checkpoint.c */
	struct mutex		checkpoint_mutex;
	spinlock_t		log_lock;	/* records, tail */
	struct list_head	records;	/* durable, oldest first */
	u64			tail_pos;
	u64			tail_seq;
	u64			log_used;	/* blocks, unused ends included */
	u64			slot_counter;
	struct xarray		images;		/* home block -> newest image */
	struct work_struct	checkpoint_work;
	struct delayed_work	checkpoint_timer;
	struct workqueue_struct	*wq;
	u64			nr_checkpoints;

	/* allocator: fs/alloc.c */
	struct mutex		alloc_lock;
	struct msyncfs_group	*groups;
	u64			nr_groups;
	u64			free;		/* allocatable now */
	u64			pending;	/* freed, not yet reusable */
	u64			reserved;	/* promised to dirty pages and ops */
	u64			firm;		/* part of free held by operations */
	u64			claimed;	/* taken from free, still in reserved */
	u64			spare;		/* kept back for map nodes */
	struct list_head	pending_list;	/* extents, oldest tid first */
	u64			alloc_rotor;	/* where to look without a goal */
	wait_queue_head_t	alloc_wait;	/* for blocks that others hold */

	/* orphans: fs/orphan.c */
	struct mutex		orphan_lock;
	struct list_head	orphans;
	bool			orphans_left;

	/* O_DIRECT writes that may be in the device's cache: fs/file.c */
	atomic64_t		dio_seq;	/* counts such writes */
	atomic64_t		dio_flushed;	/* up to which they are durable */

	struct kobject		kobj;		/* /sys/fs/msyncfs/<id> */
	struct completion	kobj_gone;
};

/* Bits of i_state of struct msyncfs_inode_info. */
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
 *	folio, by whoever dirties one
 * @i_map_sem: guards the map (pointers and @i_map_depth)
 * @i_map_depth: levels of map nodes
 * @i_disksize: size in bytes that the next record will hold
 * @i_tid: last transaction that holds a change of this inode
 * @i_data_tid: the same, leaving out changes that fdatasync may ignore
 * @i_resv_lock: guards @i_resv and what hangs from it
 * @i_resv: reservations of dirty pages that have no block yet; of an atomic
 *	file, of all that are dirty or spilled
 * @i_overlay: atomic files: what the next commit does to the map, see
 *	fs/overlay.c; changed under @i_commit_lock, read under RCU
 * @i_spilled: blocks in it
 * @i_open_lock: guards @i_opens; held while the last close discards or commits
 * @i_opens: open file descriptions, those that mappings hold included
 * @i_orphan: link in sbi->orphans
 * @i_parent: directories: inode number of the parent
 * @i_entries: directories: number of entries
 * @i_dir_depth: directories: deepest leaf of the trie
 * @i_btime: time of creation
 * @i_dio_seq: sbi->dio_seq after the last O_DIRECT write to it
 */
struct msyncfs_inode_info {
	struct inode		vfs_inode;
	struct buffer_head	*i_bh;
	unsigned long		i_flags;

	/* capture and map: mm/capture.c, fs/map.c */
	struct mutex		i_commit_lock;
	struct rw_semaphore	i_dio_sem;
	struct rw_semaphore	i_freeze;
	struct rw_semaphore	i_map_sem;
	unsigned int		i_map_depth;
	loff_t			i_disksize;
	u64			i_tid;
	u64			i_data_tid;

	/* dirty pages without a block: fs/resv.c */
	spinlock_t		i_resv_lock;
	struct xarray		i_resv;

	/* atomic files: fs/overlay.c, fs/atomic.c */
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

static inline struct msyncfs_sb_info *MSYNCFS_SB(struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline struct msyncfs_inode_info *MSYNCFS_I(struct inode *inode)
{
	return container_of(inode, struct msyncfs_inode_info, vfs_inode);
}

/* Does the file change on the device at msync and fsync only? */
static inline bool msyncfs_is_atomic(struct inode *inode)
{
	return S_ISREG(inode->i_mode) &&
	       (MSYNCFS_SB(inode->i_sb)->atomic ||
		test_bit(MSYNCFS_I_ATOMIC, &MSYNCFS_I(inode)->i_flags));
}

static inline bool msyncfs_is_dead(struct msyncfs_sb_info *sbi)
{
	return test_bit(MSYNCFS_SB_SHUTDOWN, &sbi->state);
}

/* Nothing can become durable any more. */
static inline bool msyncfs_log_dead(struct msyncfs_sb_info *sbi)
{
	return msyncfs_is_dead(sbi) ||
	       test_bit(MSYNCFS_SB_ABORTED, &sbi->state);
}

/**
 * struct msyncfs_image - the copy of one block that a record holds
 * @home: home block
 * @page: the copy; immutable once the record is cut
 * @bh: metadata: the buffer, referenced until the image is home; NULL for data
 * @ref: references: the record, the index sbi->images, and readers
 * @tid: transaction it was cut in
 * @folio: data: the captured folio, referenced until durable or failed; else NULL
 * @index: data: page index in the file
 * @convert: data: the map pointer changes with this commit
 * @writeback: data: @folio is under writeback, which whoever has the capture
 *	must end
 * @list: in the capture, then in the transaction
 */
struct msyncfs_image {
	u64			home;
	struct page		*page;
	struct buffer_head	*bh;
	refcount_t		ref;
	u64			tid;
	struct folio		*folio;
	pgoff_t			index;
	bool			convert;
	bool			writeback;
	struct list_head	list;
};

/**
 * struct msyncfs_range - pages of a file that a call is about
 * @inode: of the file
 * @file: who gets to know of errors, referenced; NULL: nobody
 * @first: first page
 * @last: last page, inclusive; before @first: none
 * @whole: the file is atomic: capture all of it, whatever the range
 * @nowait: nothing, rather than wait for the filesystem to thaw; of the first one
 */
struct msyncfs_range {
	struct inode		*inode;
	struct file		*file;
	pgoff_t			first;
	pgoff_t			last;
	bool			whole;
	bool			nowait;
};

/**
 * struct msyncfs_capture - the dirty pages of one file, cleaned together
 * @inode: the file, while the caller of msyncfs_capture() has it
 * @set: captures as of the same moment, of other files
 * @ranges: while capturing: what to look at, ascending
 * @nr_ranges: how many
 * @pool: while capturing: images to be used, @room of them at first
 * @room: see @pool
 * @images: struct msyncfs_image, ascending by index; pages copied
 * @nr: images in it
 * @size: i_size under the freeze
 * @end: byte after the last page captured, at most @size
 * @copied: the copies go into the record; false: the set goes to fresh blocks,
 *	from the pages themselves, under writeback, or from copies
 * @incomplete: a page could not be taken for want of memory
 * @stored: at least one page had been stored to through a mapping
 * @changes: the map of the file changes with it
 * @whole: of an atomic file, all of it, to become the file
 * @pending: @whole, and the size or the map differs from what is committed
 * @shadow: fs/shadow.c: the map that the file is to have, or NULL
 * @resv: @whole: the reservations of the file as of the capture
 * @sent: completed as soon as the writes to fresh blocks are sent, or NULL
 * @error: why the record failed that held it, 0 while open or when durable
 * @ref: the caller and the transaction
 * @list: in the transaction
 */
struct msyncfs_capture {
	struct inode		*inode;
	struct list_head	set;
	const struct msyncfs_range *ranges;
	unsigned int		nr_ranges;
	struct list_head	pool;
	unsigned long		room;
	struct list_head	images;
	unsigned int		nr;
	loff_t			size;
	loff_t			end;
	bool			copied;
	bool			incomplete;
	bool			stored;
	bool			changes;
	bool			whole;
	bool			pending;
	struct msyncfs_shadow	*shadow;
	struct list_head	resv;
	struct completion	*sent;
	int			error;
	refcount_t		ref;
	struct list_head	list;
};

/**
 * struct msyncfs_op - a handle: one atomic change of metadata under way
 * @sb: filesystem
 * @tid: transaction that it is part of
 * @credits: metadata blocks it may still dirty for the first time
 * @blocks: blocks it may still allocate (held in sbi->firm)
 * @claimed: blocks taken, and still promised until the handle ends
 * @kept: blocks whose promise ends with it; those of pages are more at times
 * @resv: the blocks are also counted in inode reservations
 * @nofs: to restore the allocation context
 */
struct msyncfs_op {
	struct super_block	*sb;
	u64			tid;
	unsigned int		credits;
	u64			blocks;
	u64			claimed;
	u64			kept;
	bool			resv;
	unsigned int		nofs;
};

/**
 * struct msyncfs_io - a batch of block I/O under way
 * @sb: filesystem
 * @opf: operation and flags of its bios; writes, unless the caller says otherwise
 * @bio: the one being filled
 * @next: block that would extend it
 * @writeback: end the writeback of each folio as its write completes
 * @pending: bios under way, and one for the submitter
 * @error: first error, 0
 * @bad: first block of the bio that had it
 * @bad_nr: blocks of that bio; 0: it was a flush
 * @done: nothing is under way any more
 */
struct msyncfs_io {
	struct super_block	*sb;
	blk_opf_t		opf;
	struct bio		*bio;
	u64			next;
	bool			writeback;
	atomic_t		pending;
	int			error;
	u64			bad;
	unsigned int		bad_nr;
	struct completion	done;
};

/* A run of a file map, in blocks. */
struct msyncfs_extent {
	u64	index;		/* first index */
	u64	len;		/* at least 1 */
	u64	blkno;		/* first block, 0: a hole */
	bool	unwritten;
};

/*
 * One of the locks that a file has, of the files of a set: those of several nest
 * in set_mutex, which the caller holds then (P6).
 */
static inline void msyncfs_set_down_write(struct list_head *set,
					  struct msyncfs_sb_info *sbi,
					  struct rw_semaphore *sem)
{
	if (list_is_singular(set))
		down_write(sem);
	else
		down_write_nest_lock(sem, &sbi->set_mutex);
}

/* In fs/super.c */
__printf(2, 3) void msyncfs_err(struct super_block *sb, const char *fmt, ...);
__printf(2, 3) void msyncfs_warn(struct super_block *sb, const char *fmt, ...);
__printf(2, 3) void msyncfs_info(struct super_block *sb, const char *fmt, ...);
void msyncfs_abort(struct super_block *sb, const char *why, int err);

/* In fs/op.c */
int msyncfs_op_begin(struct super_block *sb, struct msyncfs_op *op,
		     unsigned int credits, u64 blocks);
int msyncfs_op_begin_resv(struct super_block *sb, struct msyncfs_op *op,
			  unsigned int credits, u64 blocks);
void msyncfs_op_end(struct msyncfs_op *op);
void msyncfs_op_dirty(struct msyncfs_op *op, struct buffer_head *bh);
struct buffer_head *msyncfs_op_new(struct msyncfs_op *op, u64 blkno, u32 magic,
				   u32 level, u64 owner);
int msyncfs_op_forget(struct msyncfs_op *op, u64 blkno, u32 magic, u64 owner);
void msyncfs_op_free(struct msyncfs_op *op, struct buffer_head *bh);
int msyncfs_op_free_at(struct msyncfs_op *op, u64 blkno, u32 magic, u64 owner);
int msyncfs_op_free_data(struct msyncfs_op *op, u64 start, u64 len);
struct buffer_head *msyncfs_bread(struct super_block *sb, u64 blkno, u32 magic,
				  u64 owner);
void msyncfs_op_attach(struct msyncfs_op *op, struct msyncfs_capture *cap);
void msyncfs_op_preflush(struct msyncfs_op *op);

/* In fs/io.c */
void msyncfs_io_init(struct msyncfs_io *io, struct super_block *sb,
		     bool writeback);
void msyncfs_io_add(struct msyncfs_io *io, u64 blkno, struct page *page);
void msyncfs_io_submit(struct msyncfs_io *io, blk_opf_t flags);
int msyncfs_io_wait(struct msyncfs_io *io, blk_opf_t flags);
int msyncfs_flush(struct super_block *sb);
int msyncfs_flush_failed(struct super_block *sb, int err);

/* In fs/log.c */
int msyncfs_commit(struct super_block *sb, u64 tid);
int msyncfs_commit_all(struct super_block *sb);
void msyncfs_commit_start(struct super_block *sb, u64 tid);

/* In fs/attach.c */
int msyncfs_attach(struct msyncfs_capture *cap, bool attrs);
int msyncfs_attach_set(struct list_head *set, bool attrs);
void msyncfs_attach_op(struct msyncfs_op *op, struct inode *inode,
		       struct msyncfs_capture *cap);

/* In fs/checkpoint.c */
struct msyncfs_image *msyncfs_image_alloc(gfp_t gfp, bool page);
struct msyncfs_image *msyncfs_image_get(struct msyncfs_sb_info *sbi, u64 home);
void msyncfs_image_put(struct msyncfs_image *img);
bool msyncfs_image_in(struct msyncfs_sb_info *sbi, u64 first, u64 last);
int msyncfs_checkpoint(struct super_block *sb);
int msyncfs_home_range(struct inode *inode, loff_t start, loff_t end);

/* In fs/overlay.c */
int msyncfs_map_lookup(struct inode *inode, u64 index, u64 max,
		       struct msyncfs_extent *ext);
bool msyncfs_overlay_pending(struct inode *inode);

/* In fs/atomic.c */
int msyncfs_spill(struct inode *inode, pgoff_t first, pgoff_t last,
		  unsigned long limit, unsigned long *nr);

/* In fs/resv.c: reservations of dirty pages without a block */
int msyncfs_resv_page(struct inode *inode, pgoff_t index);
bool msyncfs_resv_test(struct inode *inode, pgoff_t index);
void msyncfs_resv_release(struct inode *inode, pgoff_t first, pgoff_t last);
void msyncfs_unreserve(struct super_block *sb, u64 nr);
u64 msyncfs_resv_count(struct inode *inode, pgoff_t first, u64 nr);
u64 msyncfs_resv_next(struct inode *inode, pgoff_t first, pgoff_t last);
u64 msyncfs_resv_blocks(struct inode *inode, pgoff_t index);
u64 msyncfs_resv_range(struct inode *inode, pgoff_t first, pgoff_t last);
void msyncfs_resv_take(struct inode *inode, struct list_head *taken);
void msyncfs_resv_return(struct inode *inode, struct list_head *taken);
u64 msyncfs_resv_drop(struct list_head *taken);

/* In fs/inode.c */
void msyncfs_inode_dirty(struct msyncfs_op *op, struct inode *inode, bool data);

/* In fs/file.c */
int msyncfs_dio_flush(struct inode *inode);

/* In mm/capture.c */
struct msyncfs_capture *msyncfs_capture(struct inode *inode, pgoff_t first,
					pgoff_t last, unsigned long copy_max,
					unsigned long limit);
int msyncfs_capture_set(const struct msyncfs_range *ranges, unsigned int nr,
			unsigned long copy_max, unsigned long limit,
			struct list_head *set);
unsigned long msyncfs_count_dirty(struct inode *inode, pgoff_t first,
				  pgoff_t last, unsigned long limit);
struct msyncfs_capture *msyncfs_capture_alloc(struct inode *inode, gfp_t gfp);
int msyncfs_capture_copy(struct msyncfs_capture *cap);
void msyncfs_capture_put(struct msyncfs_capture *cap);
void msyncfs_capture_release(struct msyncfs_capture *cap);
void msyncfs_capture_publish(struct msyncfs_capture *cap);
void msyncfs_capture_redirty(struct msyncfs_capture *cap, int err);

/* In mm/writeback.c */
extern const struct address_space_operations msyncfs_aops;

/* In fs/file.c */
extern const struct iomap_ops msyncfs_iomap_ops;

/* In mm/read.c */
int msyncfs_read_folio(struct file *file, struct folio *folio);
void msyncfs_readahead(struct readahead_control *rac);

/* In mm/fault.c */
extern const struct vm_operations_struct msyncfs_vm_ops;
int msyncfs_file_mmap(struct file *file, struct vm_area_struct *vma);
struct folio *msyncfs_folio_begin(struct inode *inode, pgoff_t index);
void msyncfs_folio_end(struct inode *inode, struct folio *folio);

/* In mm/sync.c */
int msyncfs_sync_ranges(struct msyncfs_range *ranges, unsigned int nr,
			bool datasync);
int msyncfs_start_ranges(struct msyncfs_range *ranges, unsigned int nr);
int msyncfs_sync_inode(struct inode *inode, loff_t start, loff_t end,
		       bool datasync);
int msyncfs_try_sync_inode(struct inode *inode);
int msyncfs_fsync(struct file *file, loff_t start, loff_t end, int datasync);

/* In mm/invalidate.c */
int msyncfs_invalidate(struct inode *inode, pgoff_t first, pgoff_t last);

/* In mm/msync.c */
int msyncfs_msync(unsigned long start, size_t len, int flags);

#endif /* MSYNCFS_H */
