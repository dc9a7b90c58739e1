/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to fs/log: the transaction, the record that is made of it, and the
 * structure that holds the log of a mount together.
 */
#ifndef MSYNCFS_TXN_H
#define MSYNCFS_TXN_H

#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/xarray.h>

#include "log.h"

/* A change becomes durable after this time even if nobody asks for a commit. */
#define MSYNCFS_COMMIT_DELAY	(5 * HZ)

/**
 * struct msyncfs_txn - blocks that go into the next record
 * @tid: number in memory; an empty transaction leaves no record
 * @active: handles open
 * @credits: credits of open handles that are not used yet
 * @nr: blocks in @meta and @data
 * @callers: tasks that wait for it to be durable
 * @locked: being cut; no handle may open
 * @preflush: it makes blocks visible that were written outside the log (R3)
 * @meta: home block -> buffer, referenced
 * @data: home block -> struct msyncfs_image, referenced
 * @members: struct msyncfs_member, to be told when the record is done
 *
 * log->txn_lock guards all but the contents of the xarrays. @meta and @data
 * change only under an open handle, or when the transaction is locked and no
 * handle is open.
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
 * struct msyncfs_cut - a record between its cut and its end
 * @txn: transaction that it was cut from; no longer the running one
 * @images: all of them, ascending by home block
 * @nr: images
 * @header: header blocks
 * @nr_header: header blocks
 * @pos: position in the log, blocks from its start
 * @pad: blocks left unused before it, at the end of the log
 * @fua: it is one write that is durable when it completes
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
 * @list: in the index, oldest first
 * @tid: transaction that it was cut from
 * @seq: sequence number
 * @end: position after it
 * @blocks: blocks of the log that it takes, unused blocks before it included
 */
struct msyncfs_record {
	struct list_head	list;
	u64			tid;
	u64			seq;
	u64			end;
	u64			blocks;
};

/**
 * struct msyncfs_index - durable images that are not home: block.c
 * @images: home block -> newest durable image
 * @lock: guards @records and log->used
 * @records: records that hold them, oldest first
 */
struct msyncfs_index {
	struct xarray		images;
	spinlock_t		lock;		/* records, log->used */
	struct list_head	records;
};

/**
 * struct msyncfs_tail - where the next recovery begins: tail.c
 * @seq: sequence number of the first record to replay
 * @pos: its position in the log
 * @counter: writes of the tail slots so far, as on disk
 *
 * log->checkpoint_mutex guards it.
 */
struct msyncfs_tail {
	u64	seq;
	u64	pos;
	u64	counter;
};

/**
 * struct msyncfs_log - the log of a mount
 * @sbi: the mount
 * @hooks: what the log asks of the floor above
 * @txn_lock: guards @running, its counters, @cutting and @next_op
 * @running: transaction that operations join
 * @cutting: the one before it until its record is durable, else NULL
 * @next_op: a large operation that found no room twice; it is let in next
 * @op_map: lockdep's picture of an open handle: operations hold it, a commit
 *	waits for it
 * @commit_mutex: serialises the cutting and writing of records; guards @seq,
 *	@head_pos, @failed and @retry
 * @commit_wait: tasks that wait for @commit_mutex or for a durable transaction
 * @durable_tid: every transaction up to this one is durable
 * @started_tid: the record of every transaction up to this one has been sent to
 *	the device, or there is none
 * @busy: a commit waits for the device
 * @fails: attempts to commit that have failed
 * @expected: callers that will probably wait for the running transaction: the
 *	waiters of the last record, and those that waited when it finished
 * @ended: when the last record was done, ns
 * @took: how long its write and flush took, ns
 * @nonce: random number of this mount, in each of its records
 * @seq: sequence number of the next record
 * @head_pos: position of the next record if it fits before the end of the log
 * @used: blocks of the log from the tail to the head, unused ends included
 * @failed: writes that failed in a row
 * @retry: a record that could not be written and will be tried once more
 * @nr_commits: records written since the mount
 * @checkpoint_mutex: serialises checkpoints; guards @tail, @nr_checkpoints
 * @home_tid: every transaction up to this one is home and off the log
 * @nr_checkpoints: checkpoints since the mount
 * @index: images that are not home
 * @tail: where the next recovery begins
 * @commit_work: commits after a delay what nobody has asked for
 * @checkpoint_work: a checkpoint in the background, now
 * @checkpoint_timer: a checkpoint in the background, in a while
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

	/* the way home: checkpoint.c */
	struct mutex		checkpoint_mutex;
	u64			home_tid;
	u64			nr_checkpoints;
	struct msyncfs_index	index;
	struct msyncfs_tail	tail;

	/* in the background: log.c */
	struct delayed_work	commit_work;
	struct work_struct	checkpoint_work;
	struct delayed_work	checkpoint_timer;
};

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

static inline unsigned int msyncfs_cut_blocks(const struct msyncfs_cut *cut)
{
	return cut->nr_header + cut->nr;
}

#endif /* MSYNCFS_TXN_H */
