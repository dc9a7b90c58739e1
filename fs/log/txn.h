/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The transaction: what fs/op.c collects and fs/log.c writes as one record.
 */
#ifndef MSYNCFS_FS_TXN_H
#define MSYNCFS_FS_TXN_H

#include "fs/fs.h"

/* A change becomes durable without a commit asked for after that long. */
#define MSYNCFS_COMMIT_DELAY	(5 * HZ)

/**
 * struct msyncfs_txn - blocks that go into the next record
 * @tid: number in memory; one with nothing in it leaves no record
 * @active: handles open
 * @promised: credits of open handles not used yet
 * @nr: blocks in @meta and @data
 * @callers: how many wait for it to be durable
 * @locked: being cut; no handle may open
 * @preflush: it makes blocks visible that were written outside the log (R3)
 * @meta: home block -> buffer, referenced
 * @data: home block -> struct msyncfs_image, referenced
 * @captures: struct msyncfs_capture, to settle when the record is done
 *
 * All but the xarrays' contents is guarded by sbi->txn_lock; @meta and @data
 * change only under an open handle, or locked with none open.
 */
struct msyncfs_txn {
	u64			tid;
	unsigned int		active;
	unsigned int		promised;
	unsigned int		nr;
	unsigned int		callers;
	bool			locked;
	bool			preflush;
	struct xarray		meta;
	struct xarray		data;
	struct list_head	captures;
};

/**
 * struct msyncfs_cut - a record between its cut and its end
 * @txn: what it was cut from; no longer the running one
 * @images: all of them, ascending by home block
 * @nr: how many
 * @header: header blocks
 * @nr_header: how many
 * @pos: where in the log it goes
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

/* In txn.c */
struct msyncfs_txn *msyncfs_txn_lock(struct msyncfs_sb_info *sbi);
void msyncfs_txn_switch(struct msyncfs_sb_info *sbi, struct msyncfs_txn *next);
void msyncfs_txn_end(struct msyncfs_sb_info *sbi);

/* In commit.c */
int msyncfs_log_invalidate(struct msyncfs_sb_info *sbi);
void msyncfs_cut_end(struct msyncfs_sb_info *sbi, struct msyncfs_cut *cut);

/* In tail.c */
int msyncfs_move_tail(struct msyncfs_sb_info *sbi, u64 seq, u64 pos);

/* In checkpoint.c */
void msyncfs_checkpoint_work(struct work_struct *work);
void msyncfs_checkpoint_timer(struct work_struct *work);

#endif /* MSYNCFS_FS_TXN_H */
