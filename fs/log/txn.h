/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header is private to fs/log. It defines the transaction, the record that
 * a commit makes from a transaction, and the log of a mount.
 */
#ifndef MSYNCFS_TXN_H
#define MSYNCFS_TXN_H

#include <linux/processor.h>	/* list_bl.h needs it, on User-mode Linux */
#include <linux/list_bl.h>
#include <linux/lockdep.h>

#include "log.h"

/*
 * The background commit runs this long after a change, in jiffies, unless a
 * task asks for a commit earlier.
 */
#define MSYNCFS_COMMIT_DELAY	(5 * HZ)

/*
 * All records are brought home this long after a record has become durable, in
 * jiffies. If commits keep the log crowded, the checkpoint waits once more.
 */
#define MSYNCFS_CHECKPOINT_DELAY	(10 * HZ)

/*
 * A commit starts early when the pages that wait for it are this part of the
 * memory. At most two records wait at a time, and each of them may keep twice
 * as many pages, so these pages are at most 1/8 of the memory. This is less
 * than the dirty pages that the kernel allows by default (1/5).
 */
#define MSYNCFS_PIN_SHARE	32

/**
 * struct msyncfs_txn - a transaction, and the record that is made from it
 * @tid: number of the transaction, which is never on disk. It differs from the
 *	sequence number of the record, because an empty transaction has no
 *	record
 * @active: number of open handles
 * @credits: number of credits that the open handles have not used yet
 * @nr_meta: number of buffers in @meta
 * @nr: number of blocks that the record contains: the buffers in @meta, and the
 *	images that no newer image of the same transaction has replaced
 * @callers: number of tasks that have asked for the commit of the transaction
 * @pinned: number of pages that the members keep in memory
 * @early: a commit has been started because of @pinned or @nr
 * @locked: no handle may open, because the transaction is being cut
 * @preflush: the transaction makes blocks visible that were written outside the
 *	log, so a flush must precede its record (R3)
 * @replaced: @images contains images that newer images have replaced
 * @meta: list of metadata buffers, linked by b_assoc_buffers; the transaction
 *	has a reference to each buffer. Empty after the cut
 * @images: list of images; the transaction has a reference to each image. From
 *	the cut on, the list ascends by home block and contains the metadata
 * @members: list of struct msyncfs_member; each member is told how the
 *	transaction ends
 * @seq: sequence number of the record
 * @pos: position of the record, in blocks from the start of the log
 * @pad: number of blocks at the end of the log that stay unused, because the
 *	record did not fit there
 * @fua: true if the record is one FUA write; the record is durable when this
 *	write completes
 * @list: link in the list of durable records
 *
 * log->txn_lock guards the fields up to @members, as long as the transaction
 * is not cut. After the cut, commit_mutex guards all fields. When the record is
 * durable, the lock of the index guards @images and @list.
 */
struct msyncfs_txn {
	u64			tid;
	unsigned int		active;
	unsigned int		credits;
	unsigned int		nr_meta;
	unsigned int		nr;
	unsigned int		callers;
	unsigned long		pinned;
	bool			early;
	bool			locked;
	bool			preflush;
	bool			replaced;
	struct list_head	meta;
	struct list_head	images;
	struct list_head	members;

	/* the record */
	bool			fua;
	u64			seq;
	u64			pos;
	u64			pad;
	struct list_head	list;
};

/**
 * struct msyncfs_index - where to find the images of a mount (image.c)
 * @buckets: hash table of images by home block. It contains the images of data
 *	in the transactions that are not durable, and the newest durable image
 *	of each block. In a bucket, a newer image of a block comes before an
 *	older image of this block
 * @bits: binary logarithm of the number of buckets
 * @lock: guards @records, the image lists of the records, and log->used
 * @records: durable records that the log still needs, oldest first
 */
struct msyncfs_index {
	struct hlist_bl_head	*buckets;
	unsigned int		bits;
	struct mutex		lock;		/* records, log->used */
	struct list_head	records;
};

/*
 * Images are allocated in pieces of at most 2^MSYNCFS_PIECE_ORDER images. The
 * pages of a piece are contiguous, so that a record has few segments. The order
 * is limited, because the kernel seldom has free memory of a higher order.
 */
#define MSYNCFS_PIECE_ORDER	6

/**
 * struct msyncfs_step - step of a checkpoint that is under way
 * @last: newest record of the step; NULL if no step is under way
 * @batch: images of the records in block order, each with a reference
 * @nr: number of images in @batch
 * @done: number of images that have been written home or replaced
 * @stuck: number of images that could not be written home
 * @flush: an image has been written home
 */
struct msyncfs_step {
	struct msyncfs_txn	*last;
	struct msyncfs_image	**batch;
	unsigned int		nr;
	unsigned int		done;
	unsigned int		stuck;
	bool			flush;
};

/*
 * At most this part of the blocks of the log may be images that cannot be
 * written home. The log keeps room for four records with so many images.
 */
#define MSYNCFS_STUCK_SHARE	128

/**
 * struct msyncfs_pool - memory for images that is not in use (image.c)
 * @lock: guards @free, @nr, @asked, @asker and @pages
 * @free: free pieces with pages, by the order of the piece
 * @nr: number of pieces on each list of @free
 * @asked: number of pieces of each order that were asked for since the last
 *	call of msyncfs_pool_refill()
 * @asker: number of the cgroup of the last task that asked for a piece
 * @pages: number of pages of all free pieces
 * @max: largest number of pages to keep
 * @wanted: the system needs the memory of durable records
 * @shrinker: gives memory back when the system needs it; NULL before the log is
 *	started
 *
 * The kernel may have to zero each page that it allocates, and a record needs a
 * page for each image. So pieces are used again, and new pieces are allocated
 * while the device writes a record.
 */
struct msyncfs_pool {
	spinlock_t		lock;		/* free ... asker, pages */
	struct list_head	free[MSYNCFS_PIECE_ORDER + 1];
	unsigned int		nr[MSYNCFS_PIECE_ORDER + 1];
	unsigned int		asked[MSYNCFS_PIECE_ORDER + 1];
	u64			asker;
	unsigned long		pages;
	unsigned long		max;
	bool			wanted;
	struct shrinker		*shrinker;
};

/**
 * struct msyncfs_header - memory for the header of a record
 * @blocks: header blocks in memory, in the order of the record
 * @nr: number of @blocks
 * @used: number of bytes of the first block that the last header has used; the
 *	bytes after them are zero
 *
 * commit_mutex guards this structure. Only one record is written at a time, so
 * all records use the same memory.
 */
struct msyncfs_header {
	void			**blocks;
	unsigned int		nr;
	unsigned int		used;
};

/**
 * struct msyncfs_tail - where the next recovery begins (tail.c)
 * @seq: sequence number of the first record to replay
 * @pos: position of that record in the log
 * @counter: number of slot writes so far, as on disk
 *
 * log->checkpoint_mutex guards this structure.
 */
struct msyncfs_tail {
	u64	seq;
	u64	pos;
	u64	counter;
};

/**
 * struct msyncfs_log - the log of a mount
 * @sbi: the mount
 * @hooks: functions that the log calls in the floor above
 * @txn_lock: guards @running, its counters, @cutting, @next_op and @expected
 * @running: transaction that operations join
 * @cutting: the transaction that was running before @running; NULL when its
 *	record is durable or given up
 * @pin_max: number of pinned pages at which a commit starts early
 * @next_op: operation that joins before all others, because it has tried to
 *	join twice and both times the running transaction had no room; or NULL
 * @op_map: lockdep map of open handles. Lockdep treats an open handle as a
 *	shared lock, and a commit as a task that waits for this lock
 * @commit_mutex: serialises the cutting and writing of records; guards @seq,
 *	@head_pos, @failed and @retry
 * @commit_wait: tasks that wait for @commit_mutex or for a durable transaction
 * @durable_tid: all transactions up to this number are durable
 * @started_tid: each transaction up to this number is empty, or its record has
 *	been sent to the device
 * @busy: true while a commit waits for the device
 * @fails: number of attempts to commit that have failed
 * @error: error of the last of these attempts
 * @expected: number of tasks that will probably ask for the next commit. These
 *	are the callers of the last record, and the tasks that already waited
 *	for a later record when the last record became durable
 * @ended: time at which the last record became durable, in ns
 * @took: time that the write and the flush of the last record took, in ns
 * @nonce: random number of this mount, which is in the header of each record; 0
 *	while the log is closed, which means that no record may be written
 * @seq: sequence number of the next record
 * @head_pos: position of the next record if it fits before the end of the log
 * @stuck_max: largest number of images that cannot be written home
 * @room: number of log blocks that the records of transactions may use. The
 *	other blocks are for records of msyncfs_log_carry()
 * @used: number of log blocks from the tail to the head, including unused
 *	blocks at the end of the log
 * @failed: number of record writes that have failed since the last successful
 *	write
 * @retry: the record of @cutting has failed, and the next commit writes it
 *	again
 * @header: memory for the header of the record that is being written
 * @nr_commits: number of records written since the mount
 * @nr_fua: how many of these records were one FUA write
 * @nr_callers: number of callers that have waited for these records
 * @nr_full: number of steps of a checkpoint for which records have waited
 * @nr_split: number of msyncs that needed several records
 * @checkpoint_mutex: serialises checkpoints; guards @tail, @step and
 *	@nr_checkpoints
 * @home_tid: the records of all transactions up to this number are retired
 * @nr_checkpoints: number of checkpoints since the mount
 * @index: images, and the durable records that contain them
 * @tail: where the next recovery begins
 * @step: step of a checkpoint that is under way
 * @pool: memory for images
 * @commit_work: runs a commit in the background after a delay
 * @checkpoint_work: runs a checkpoint in the background at once
 * @checkpoint_timer: runs a checkpoint in the background after a delay
 */
struct msyncfs_log {
	struct msyncfs_sb_info	*sbi;
	const struct msyncfs_log_hooks *hooks;

	/* the running transaction: txn.c */
	spinlock_t		txn_lock;
	struct msyncfs_txn	*running;
	struct msyncfs_txn	*cutting;
	unsigned long		pin_max;
	struct msyncfs_op	*next_op;
	struct lockdep_map	op_map;		/* open handles, for lockdep */

	/* records: commit.c */
	struct mutex		commit_mutex;
	wait_queue_head_t	commit_wait;
	u64			durable_tid;
	u64			started_tid;
	bool			busy;
	unsigned int		fails;
	int			error;
	unsigned int		expected;
	u64			ended;
	u64			took;
	u64			nonce;
	u64			seq;
	u64			head_pos;
	unsigned int		stuck_max;
	u64			room;
	u64			used;
	unsigned int		failed;
	bool			retry;
	struct msyncfs_header	header;
	u64			nr_commits;
	u64			nr_fua;
	u64			nr_callers;
	u64			nr_full;
	atomic64_t		nr_split;

	/* checkpoints: checkpoint.c */
	struct mutex		checkpoint_mutex;
	u64			home_tid;
	u64			nr_checkpoints;
	struct msyncfs_index	index;
	struct msyncfs_tail	tail;
	struct msyncfs_step	step;
	struct msyncfs_pool	pool;

	/* background work: log.c */
	struct delayed_work	commit_work;
	struct work_struct	checkpoint_work;
	struct delayed_work	checkpoint_timer;
};

/**
 * MSYNCFS_LOG() - get the log of a superblock
 * @sb: VFS superblock of this filesystem
 *
 * Context: any.
 * Return: the log.
 */
static inline struct msyncfs_log *MSYNCFS_LOG(struct super_block *sb)
{
	return MSYNCFS_SB(sb)->log;
}

/* In txn.c */
struct msyncfs_txn *msyncfs_txn_alloc(u64 tid);
void msyncfs_txn_free(struct msyncfs_log *log, struct msyncfs_txn *txn);
void msyncfs_txn_settle(struct msyncfs_txn *txn, int err);
struct msyncfs_txn *msyncfs_txn_lock(struct msyncfs_log *log);
void msyncfs_txn_switch(struct msyncfs_log *log, struct msyncfs_txn *next);
void msyncfs_txn_copy(struct msyncfs_txn *txn, struct list_head *images);
void msyncfs_txn_end(struct msyncfs_log *log);

/* In image.c */
unsigned long msyncfs_pool_shrink(struct msyncfs_log *log, unsigned long nr);
void msyncfs_pool_refill(struct msyncfs_log *log, const struct msyncfs_io *io);
void msyncfs_pool_init(struct msyncfs_log *log);
int msyncfs_pool_start(struct msyncfs_log *log);
void msyncfs_pool_stop(struct msyncfs_log *log);
int msyncfs_index_init(struct msyncfs_log *log);
void msyncfs_index_exit(struct msyncfs_log *log);
unsigned int msyncfs_images_join(struct msyncfs_log *log, u64 tid,
				 struct list_head *images,
				 struct list_head *joined);
void msyncfs_images_prune(struct list_head *images);
void msyncfs_images_drop(struct msyncfs_log *log, struct list_head *images);
void msyncfs_index_add(struct msyncfs_log *log, struct msyncfs_txn *txn);
struct msyncfs_txn *msyncfs_index_oldest(struct msyncfs_index *index,
					 u64 max, unsigned int *nr);
u64 msyncfs_index_newest(struct msyncfs_index *index);
bool msyncfs_index_has(struct msyncfs_index *index, u64 seq);
void msyncfs_index_append(struct msyncfs_log *log, struct msyncfs_txn *txn);
unsigned int msyncfs_index_collect(struct msyncfs_index *index,
				   const struct msyncfs_txn *last,
				   struct msyncfs_image **batch);
void msyncfs_index_remove(struct msyncfs_log *log,
			  struct msyncfs_image **batch, unsigned int nr);
void msyncfs_index_retire(struct msyncfs_log *log, u64 seq);

/* In csum.c: MSYNCFS_CSUM_*, for the images of new records */
extern u32 msyncfs_csum_kind;

/* In commit.c */
int msyncfs_log_invalidate(struct msyncfs_log *log, u64 pos);
int msyncfs_log_carry(struct msyncfs_log *log, struct msyncfs_txn *txn);

/* In tail.c */
int msyncfs_write_slot(struct msyncfs_log *log);
int msyncfs_move_tail(struct msyncfs_log *log, u64 seq, u64 pos);
u64 msyncfs_new_nonce(void);
int msyncfs_log_open(struct super_block *sb);
void msyncfs_log_close(struct msyncfs_log *log);

/* In checkpoint.c */
int msyncfs_checkpoint_step(struct msyncfs_log *log);
void msyncfs_step_drop(struct msyncfs_log *log);
void msyncfs_checkpoint_work(struct work_struct *work);
void msyncfs_checkpoint_timer(struct work_struct *work);

/**
 * msyncfs_log_excess - compute how much log space a checkpoint should free
 * @log: log of the mount
 *
 * Context: any.
 * Return: number of blocks that are in use beyond five eighths of the log; if it
 * is not 0, the log is crowded.
 */
static inline u64 msyncfs_log_excess(const struct msyncfs_log *log)
{
	u64 limit = log->sbi->geo.log_blocks / 8 * 5;

	return max(READ_ONCE(log->used), limit) - limit;
}

/**
 * msyncfs_record_blocks() - compute the length of a record
 * @txn: transaction that has been cut
 *
 * Context: any.
 * Return: the number of blocks of the header and the images. Unused blocks at
 * the end of the log do not count.
 */
static inline unsigned int msyncfs_record_blocks(const struct msyncfs_txn *txn)
{
	return msyncfs_record_header_blocks(txn->nr) + txn->nr;
}

#endif /* MSYNCFS_TXN_H */
