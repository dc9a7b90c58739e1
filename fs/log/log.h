/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header declares the log. Operations fill a transaction. A commit writes
 * the transaction as one record. A checkpoint writes the images of the records
 * to their home blocks. The log knows blocks, but no files. The log calls the
 * floors above only through struct msyncfs_member and struct msyncfs_log_hooks.
 */
#ifndef MSYNCFS_LOG_H
#define MSYNCFS_LOG_H

#include <linux/buffer_head.h>
#include <linux/list.h>
#include <linux/list_bl.h>

#include "fs/disk/disk.h"

struct msyncfs_piece;

/**
 * struct msyncfs_image - a copy of one block, for a record
 * @home: home block
 * @page: page that contains the copy; does not change after the record has been
 *	cut; NULL if the block is not copied
 * @piece: piece of memory that contains the image and its page. Captures,
 *	transactions, the index and readers take references to the piece
 * @bh: buffer of a metadata block, referenced until the image is home or
 *	replaced; NULL for a data block
 * @tid: number of the transaction that contains the image
 * @hash: link in the index; not hashed any more if a newer image has replaced
 *	the image, or if the image is home
 * @logged: link in the image list of the transaction
 * @folio: captured folio of a data block, with a reference of the capture until
 *	the record is durable or has failed; NULL for a metadata block
 * @index: page index in the file, only for a data block
 * @convert: true if the commit of this data image changes the map pointer of
 *	the page
 * @writeback: true if @folio is under writeback; then the owner of the capture
 *	must end the writeback
 * @stuck: the last write to the home block has failed
 * @list: link in the image list of a capture
 */
struct msyncfs_image {
	u64			home;
	struct page		*page;
	struct msyncfs_piece	*piece;
	struct buffer_head	*bh;
	u64			tid;
	struct hlist_bl_node	hash;
	struct list_head	logged;
	struct folio		*folio;
	pgoff_t			index;
	bool			convert;
	bool			writeback;
	bool			stuck;
	struct list_head	list;
};

/**
 * struct msyncfs_member - an object that is told how a transaction ends
 * @list: entry in the member list of a transaction
 * @pages: number of pages of the page cache that stay in memory until @settled
 *	is called
 * @settled: called once, when the record is durable (@err is 0) or has failed
 *	(@err is a negative errno); may sleep, but must not wait for commits of
 *	this filesystem
 */
struct msyncfs_member {
	struct list_head	list;
	unsigned int		pages;
	void			(*settled)(struct msyncfs_member *member, int err);
};

/**
 * struct msyncfs_op - the handle of an operation
 * @sb: filesystem
 * @tid: transaction that the operation has joined
 * @credits: number of blocks that the operation may still add to the
 *	transaction
 * @blocks: number of blocks that the operation may still allocate; the hook
 *	hold() has held these blocks
 * @claimed: number of blocks that the operation has taken. The promise for
 *	these blocks counts until the operation ends
 * @fulfilled: number of blocks whose promise ends with the operation. The
 *	number exceeds @claimed if promised map nodes were not needed
 * @promised: true if the blocks were promised before the operation began
 * @nofs: saved allocation context, which msyncfs_op_end() restores
 */
struct msyncfs_op {
	struct super_block	*sb;
	u64			tid;
	unsigned int		credits;
	u64			blocks;
	u64			claimed;
	u64			fulfilled;
	bool			promised;
	unsigned int		nofs;
};

/**
 * struct msyncfs_log_hooks - functions that the log calls in the floor above
 * @hold: holds op->blocks free blocks; may wait for commits; returns 0 or a
 *	negative errno
 * @release: gives back the held blocks that the operation did not use, and ends
 *	the promises of the operation
 * @retired: called when the records of all transactions up to @tid are retired
 * @freed: returns true if block @blkno is free after all transactions up to
 *	@tid
 */
struct msyncfs_log_hooks {
	int	(*hold)(struct msyncfs_op *op);
	void	(*release)(struct msyncfs_op *op);
	void	(*retired)(struct super_block *sb, u64 tid);
	bool	(*freed)(struct super_block *sb, u64 blkno, u64 tid);
};

/**
 * struct msyncfs_log_stat - counters of the log, for sysfs
 * @used: number of log blocks in use
 * @durable_tid: all transactions up to this number are durable
 * @home_tid: the records of all transactions up to this number are retired
 * @commits: number of records written since the mount
 * @fua_commits: how many of these records were one FUA write
 * @callers: number of callers that have waited for these records
 * @full_waits: number of steps of a checkpoint for which records have waited
 * @checkpoints: number of checkpoints since the mount
 * @splits: number of msyncs that needed several records
 */
struct msyncfs_log_stat {
	u64	used;
	u64	durable_tid;
	u64	home_tid;
	u64	commits;
	u64	fua_commits;
	u64	callers;
	u64	full_waits;
	u64	checkpoints;
	u64	splits;
};

/* These are the bits of bh->b_state that msyncfs uses. */
enum {
	MSYNCFS_BH_VERIFIED = BH_PrivateStart,	/* checked or initialised */
	MSYNCFS_BH_TXN,				/* in the running transaction */
	MSYNCFS_BH_LEAF,			/* a checked directory leaf */
};

/* In txn.c: operations */
int msyncfs_op_begin(struct super_block *sb, struct msyncfs_op *op,
		     unsigned int credits, u64 blocks);
int msyncfs_op_begin_promised(struct super_block *sb, struct msyncfs_op *op,
			      unsigned int credits, u64 blocks);
void msyncfs_op_end(struct msyncfs_op *op);
void msyncfs_op_dirty(struct msyncfs_op *op, struct buffer_head *bh);
void msyncfs_op_undirty(struct msyncfs_op *op, u64 blkno);
int msyncfs_op_forget(struct msyncfs_op *op, u64 blkno, u32 magic, u64 owner);
void msyncfs_op_add(struct msyncfs_op *op, struct list_head *images,
		    unsigned int nr, struct msyncfs_member *member);
void msyncfs_op_preflush(struct msyncfs_op *op);
bool msyncfs_all_durable(struct msyncfs_sb_info *sbi, u64 *tid);

/* In block.c: metadata buffers */
struct buffer_head *msyncfs_bread_ahead(struct super_block *sb, u64 blkno,
					u32 magic, u64 owner,
					const __le64 *ahead, unsigned int nr);
struct buffer_head *msyncfs_bread(struct super_block *sb, u64 blkno, u32 magic,
				  u64 owner);
struct buffer_head *msyncfs_block_new(struct super_block *sb, u64 blkno,
				      u32 magic, u32 level, u64 owner);
int msyncfs_block_forget(struct super_block *sb, u64 blkno, u32 magic,
			 u64 owner);
void msyncfs_block_release(struct buffer_head *bh);
u64 msyncfs_block_find(struct super_block *sb, u64 start, u64 len);
void msyncfs_seal_unlogged(struct super_block *sb, void *buf);

/* In image.c */
int msyncfs_images_alloc(struct msyncfs_sb_info *sbi, struct list_head *images,
			 unsigned int nr, bool pages, gfp_t gfp);
int msyncfs_image_add_page(struct msyncfs_image *img, gfp_t gfp);
struct msyncfs_image *msyncfs_image_get(struct msyncfs_sb_info *sbi, u64 home);
void msyncfs_image_put(struct msyncfs_image *img);
bool msyncfs_image_in(struct msyncfs_sb_info *sbi, u64 first, u64 last);

/* In commit.c */
int msyncfs_commit(struct super_block *sb, u64 tid);
int msyncfs_commit_all(struct super_block *sb);
void msyncfs_commit_start(struct super_block *sb, u64 tid);
void msyncfs_commit_early(struct super_block *sb);
bool msyncfs_durable(struct msyncfs_sb_info *sbi, u64 tid);

/* In checkpoint.c */
int msyncfs_checkpoint(struct super_block *sb);
unsigned int msyncfs_image_stuck(struct msyncfs_sb_info *sbi, u64 first,
				 u64 last);
int msyncfs_log_stuck(struct super_block *sb);
void msyncfs_checkpoint_pause(struct msyncfs_sb_info *sbi, bool pause);

/* In recovery.c */
int msyncfs_recover(struct super_block *sb);

/* In log.c */
void msyncfs_csum_init(void);
int msyncfs_log_init(struct super_block *sb,
		     const struct msyncfs_log_hooks *hooks);
int msyncfs_log_start(struct super_block *sb);
int msyncfs_log_empty(struct super_block *sb);
int msyncfs_gate_close(struct super_block *sb, unsigned int bit, bool force);
int msyncfs_gate_open(struct super_block *sb, unsigned int bit);
void msyncfs_log_stop(struct super_block *sb);
void msyncfs_log_exit(struct super_block *sb);
u64 msyncfs_log_count_split(struct msyncfs_sb_info *sbi);
void msyncfs_log_get_stat(struct msyncfs_sb_info *sbi,
			  struct msyncfs_log_stat *stat);

#endif /* MSYNCFS_LOG_H */
