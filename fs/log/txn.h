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

#endif /* MSYNCFS_FS_TXN_H */
