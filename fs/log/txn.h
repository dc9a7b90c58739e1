/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header is private to fs/log. It defines the transaction, the record that
 * a commit makes from a transaction, and the log of a mount.
 */
#ifndef MSYNCFS_TXN_H
#define MSYNCFS_TXN_H

#include <linux/lockdep.h>
#include <linux/xarray.h>

#include "log.h"

/*
 * The background commit runs this long after a change, in jiffies, unless a
 * task asks for a commit earlier.
 */
#define MSYNCFS_COMMIT_DELAY	(5 * HZ)

/**
 * struct msyncfs_txn - the blocks that go into the next record
 * @tid: number of the transaction, which is never on disk. It differs from the
 *	sequence number of the record, because an empty transaction has no
 *	record
 * @active: number of open handles
 * @credits: number of credits that the open handles have not used yet
 * @nr: number of blocks in @meta and @data
 * @callers: number of tasks that have asked for the commit of the transaction
 * @locked: no handle may open, because the transaction is being cut
 * @preflush: the transaction makes blocks visible that were written outside the
 *	log, so a flush must precede its record (R3)
 * @meta: metadata buffers, indexed by home block; the transaction has a
 *	reference to each buffer
 * @data: images of data, indexed by home block; the transaction has a reference
 *	to each image
 * @members: list of struct msyncfs_member; each member is told how the
 *	transaction ends
 *
 * log->txn_lock guards all fields except the contents of the two xarrays.
 * @meta and @data change only under an open handle, or when the transaction is
 * locked and no handle is open.
 */
struct msyncfs_txn {
	u64			tid;
	unsigned int		active;
	unsigned int		credits;
	unsigned int		nr;
	unsigned int		callers;
	bool			locked;
	bool			preflush;
	struct xarray		meta;
	struct xarray		data;
	struct list_head	members;
};

/**
 * struct msyncfs_cut - a record that was cut and is neither durable nor given
 * up
 * @txn: transaction from which the record was cut; not the running transaction
 * @images: images of the record, ascending by home block
 * @nr: number of images
 * @header: pages of the header
 * @nr_header: number of header blocks
 * @pos: position of the record, in blocks from the start of the log
 * @pad: number of blocks at the end of the log that stay unused, because the
 *	record did not fit there
 * @fua: true if the record is one FUA write; the record is durable when this
 *	write completes
 */
struct msyncfs_cut {
	struct msyncfs_txn	*txn;
	struct msyncfs_image	**images;
	unsigned int		nr;
	struct page		**header;
	unsigned int		nr_header;
	u64			pos;
	u64			pad;
	bool			fua;
};

/**
 * struct msyncfs_record - a durable record that the log still needs
 * @list: entry in the index, oldest first
 * @tid: transaction from which the record was cut
 * @seq: sequence number
 * @end: position after the record, in blocks from the start of the log
 * @blocks: number of log blocks that the record takes, including the blocks at
 *	the end of the log that stay unused because of the record
 */
struct msyncfs_record {
	struct list_head	list;
	u64			tid;
	u64			seq;
	u64			end;
	u64			blocks;
};

/**
 * struct msyncfs_index - the durable images that are not home (block.c)
 * @images: newest durable image of each block, indexed by home block
 * @lock: guards @records and log->used
 * @records: the records that contain the images, oldest first
 */
struct msyncfs_index {
	struct xarray		images;
	spinlock_t		lock;		/* records, log->used */
	struct list_head	records;
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
 * @expected: number of tasks that will probably ask for the next commit. These
 *	are the callers of the last record, and the tasks that already waited
 *	for a later record when the last record became durable
 * @ended: time at which the last record became durable, in ns
 * @took: time that the write and the flush of the last record took, in ns
 * @nonce: random number of this mount, which is in the header of each record
 * @seq: sequence number of the next record
 * @head_pos: position of the next record if it fits before the end of the log
 * @used: number of log blocks from the tail to the head, including unused
 *	blocks at the end of the log
 * @failed: number of record writes that have failed since the last successful
 *	write
 * @retry: failed record that the next commit writes again, or NULL
 * @nr_commits: number of records written since the mount
 * @checkpoint_mutex: serialises checkpoints; guards @tail and @nr_checkpoints
 * @home_tid: the records of all transactions up to this number are retired
 * @nr_checkpoints: number of checkpoints since the mount
 * @index: durable images that are not home
 * @tail: where the next recovery begins
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
	struct msyncfs_op	*next_op;
	struct lockdep_map	op_map;		/* open handles, for lockdep */

	/* records: commit.c */
	struct mutex		commit_mutex;
	wait_queue_head_t	commit_wait;
	u64			durable_tid;
	u64			started_tid;
	bool			busy;
	unsigned int		fails;
	unsigned int		expected;
	u64			ended;
	u64			took;
	u64			nonce;
	u64			seq;
	u64			head_pos;
	u64			used;
	unsigned int		failed;
	struct msyncfs_cut	*retry;
	u64			nr_commits;

	/* checkpoints: checkpoint.c */
	struct mutex		checkpoint_mutex;
	u64			home_tid;
	u64			nr_checkpoints;
	struct msyncfs_index	index;
	struct msyncfs_tail	tail;

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
void msyncfs_txn_free(struct msyncfs_txn *txn);
void msyncfs_txn_settle(struct msyncfs_txn *txn, int err);
struct msyncfs_txn *msyncfs_txn_lock(struct msyncfs_log *log);
void msyncfs_txn_switch(struct msyncfs_log *log, struct msyncfs_txn *next);
void msyncfs_txn_end(struct msyncfs_log *log);
void msyncfs_cut_end(struct msyncfs_log *log, struct msyncfs_cut *cut);

/* In block.c */
void msyncfs_index_init(struct msyncfs_index *index);
void msyncfs_index_exit(struct msyncfs_index *index);
void msyncfs_index_add(struct msyncfs_log *log, const struct msyncfs_cut *cut);
unsigned int msyncfs_index_collect(struct msyncfs_index *index,
				   unsigned long *from,
				   struct msyncfs_image **batch,
				   unsigned int max);
bool msyncfs_index_newest(struct msyncfs_index *index, u64 *tid, u64 *seq,
			  u64 *end);
void msyncfs_index_remove(struct msyncfs_index *index,
			  struct msyncfs_image *img);
void msyncfs_index_retire(struct msyncfs_log *log, u64 tid);

/* In commit.c */
int msyncfs_log_invalidate(struct msyncfs_log *log);

/* In tail.c */
int msyncfs_write_slot(struct msyncfs_log *log);
int msyncfs_move_tail(struct msyncfs_log *log, u64 seq, u64 pos);

/* In checkpoint.c */
void msyncfs_checkpoint_work(struct work_struct *work);
void msyncfs_checkpoint_timer(struct work_struct *work);

/**
 * msyncfs_cut_blocks() - compute the length of a record
 * @cut: the record
 *
 * Context: any.
 * Return: the number of blocks of the header and the images. Unused blocks at
 * the end of the log do not count.
 */
static inline unsigned int msyncfs_cut_blocks(const struct msyncfs_cut *cut)
{
	return cut->nr_header + cut->nr;
}

#endif /* MSYNCFS_TXN_H */
