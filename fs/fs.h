/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stays inside fs/. See include/msyncfs.h for what fs/ and mm/ share and
 * for the order of locks.
 */
#ifndef MSYNCFS_FS_H
#define MSYNCFS_FS_H

#include <linux/iomap.h>

#include "msyncfs.h"

/* Metadata blocks that one namespace operation dirties at most. */
#define MSYNCFS_OP_CREDITS	24

/* Credits left with which msyncfs_map_free() gets on by at least one run. */
#define MSYNCFS_MAP_FREE_CREDITS	16

/* An index beyond which no map can have anything. */
#define MSYNCFS_LAST_INDEX	(msyncfs_map_capacity(MSYNCFS_MAX_DEPTH) - 1)

/* In fs/format.c: pure, shared with tools/ (see format.h) */
#include "fs/disk/format.h"

/* In fs/op.c */
struct msyncfs_txn *msyncfs_txn_alloc(u64 tid);
void msyncfs_txn_free(struct msyncfs_txn *txn);
void msyncfs_txn_settle(struct msyncfs_txn *txn, int err);
bool msyncfs_all_durable(struct msyncfs_sb_info *sbi, u64 *tid);
int msyncfs_op_init(struct msyncfs_sb_info *sbi);
void msyncfs_op_exit(struct msyncfs_sb_info *sbi);

struct buffer_head *msyncfs_block_new(struct super_block *sb, u64 blkno,
				      u32 magic, u32 level, u64 owner);
int msyncfs_block_forget(struct super_block *sb, u64 blkno, u32 magic,
			 u64 owner);

/* In fs/log.c */
int msyncfs_log_start(struct super_block *sb);
void msyncfs_log_stop(struct super_block *sb);

/* In fs/io.c */
int msyncfs_bios_init(void);
void msyncfs_bios_exit(void);

/* In fs/checkpoint.c */
int msyncfs_image_init(void);
void msyncfs_image_exit(void);
void msyncfs_checkpoint_add(struct msyncfs_sb_info *sbi,
			    struct msyncfs_image **images, unsigned int nr,
			    u64 tid, u64 pos, u64 blocks, u64 pad);
int msyncfs_checkpoint_init(struct msyncfs_sb_info *sbi);
void msyncfs_checkpoint_exit(struct msyncfs_sb_info *sbi);

/* In fs/recovery.c: fills in nonce, seq, tail and head of @sbi */
int msyncfs_recover(struct super_block *sb);
int msyncfs_write_slot(struct super_block *sb);

/* In fs/map.c. Callers hold i_commit_lock (regular files) or i_rwsem
 * exclusively (directories).
 */
int msyncfs_map_committed(struct inode *inode, u64 index, u64 max,
			  struct msyncfs_extent *ext);
int msyncfs_map_set(struct msyncfs_op *op, struct inode *inode, u64 index,
		    u64 len, u64 blkno, bool unwritten);
int msyncfs_map_free(struct msyncfs_op *op, struct inode *inode, u64 first,
		     u64 last, u64 *next);
unsigned int msyncfs_map_missing(struct inode *inode, u64 index, int *err);
unsigned int msyncfs_map_missing_locked(struct inode *inode, u64 index,
					int *err);
unsigned int msyncfs_map_path(struct inode *inode, u64 index, int *err);
unsigned int msyncfs_map_credits(struct inode *inode, u64 index, u64 len);

/* In fs/resv.c */
struct msyncfs_resv;
unsigned long msyncfs_resv_key(u64 index);
u64 msyncfs_resv_nodes(const struct list_head *taken);
int msyncfs_resv_paths(struct inode *inode);
u64 msyncfs_resv_end(struct inode *inode, pgoff_t first, pgoff_t last);
int msyncfs_resv_add(struct inode *inode, struct list_head *taken,
		     pgoff_t index, struct msyncfs_resv **hint);

/* In fs/overlay.c: callers hold i_commit_lock to change it */
bool msyncfs_overlay_next(struct inode *inode, u64 index, u64 last,
			  struct msyncfs_extent *ext);
int msyncfs_overlay_claim(struct inode *inode, struct list_head *images,
			  u64 nr);
void msyncfs_overlay_hole(struct inode *inode, u64 first, u64 last);
u64 msyncfs_overlay_clear(struct inode *inode);
void msyncfs_overlay_discard(struct inode *inode);

/* In fs/atomic.c */
int msyncfs_atomic_setsize(struct inode *inode, loff_t newsize);
int msyncfs_atomic_punch(struct inode *inode, loff_t start, loff_t end);
int msyncfs_atomic_extend(struct inode *inode, loff_t newsize);
int msyncfs_atomic_unopened(struct inode *inode, bool wait);
void msyncfs_atomic_lost(struct inode *inode);
unsigned long msyncfs_atomic_uncommitted(struct super_block *sb);
int msyncfs_atomic_set(struct inode *inode, bool on);
int msyncfs_atomic_rollback(struct inode *inode);
void msyncfs_atomic_open(struct inode *inode);
int msyncfs_atomic_release(struct inode *inode, struct file *file);

/* In fs/alloc.c */
int msyncfs_alloc_init(struct super_block *sb);
void msyncfs_alloc_exit(struct super_block *sb);
int msyncfs_claim(struct super_block *sb, u64 goal, u64 want, u64 *start,
		  u64 *len);
void msyncfs_claim_done(struct super_block *sb, u64 claimed, u64 kept);
void msyncfs_claim_commit(struct msyncfs_op *op, u64 start, u64 len);
void msyncfs_unclaim(struct super_block *sb, u64 start, u64 len);
int msyncfs_alloc(struct msyncfs_op *op, u64 goal, u64 want, u64 *start,
		  u64 *len);
void msyncfs_free(struct msyncfs_op *op, u64 start, u64 len);
int msyncfs_reserve(struct super_block *sb, u64 nr);
int msyncfs_firm(struct super_block *sb, u64 nr, bool resv);
int msyncfs_firm_spare(struct super_block *sb, u64 nr);
void msyncfs_unfirm(struct super_block *sb, u64 nr, bool resv);
void msyncfs_alloc_home(struct super_block *sb, u64 home_tid);
u64 msyncfs_alloc_avail(struct super_block *sb);

/* In fs/super.c */
extern const struct super_operations msyncfs_super_ops;
void msyncfs_shutdown(struct super_block *sb);

/* In fs/inode.c */
struct inode *msyncfs_alloc_inode(struct super_block *sb);
void msyncfs_free_inode(struct inode *inode);
void msyncfs_dirty_inode(struct inode *inode, int flags);
int msyncfs_write_inode(struct inode *inode, struct writeback_control *wbc);
void msyncfs_evict_inode(struct inode *inode);
struct inode *msyncfs_iget(struct super_block *sb, u64 ino);
struct inode *msyncfs_new_inode(struct msyncfs_op *op, struct inode *dir,
				struct mnt_idmap *idmap, umode_t mode,
				dev_t rdev);
int msyncfs_getattr(struct mnt_idmap *idmap, const struct path *path,
		    struct kstat *stat, u32 mask, unsigned int flags);
int msyncfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
		    struct iattr *attr);
int msyncfs_inode_init(void);
void msyncfs_inode_exit(void);

/* In fs/truncate.c */
bool msyncfs_unfinished(struct inode *inode);
int msyncfs_zero_edges(struct inode *inode, loff_t start, loff_t end);
int msyncfs_zero_partial(struct inode *inode, loff_t from, loff_t to);
int msyncfs_truncate_blocks(struct inode *inode, u64 first);
int msyncfs_prepare_extend(struct inode *inode);
int msyncfs_extend(struct inode *inode, loff_t newsize);
int msyncfs_setsize(struct inode *inode, loff_t newsize);
int msyncfs_punch(struct inode *inode, loff_t start, loff_t end);

/* In fs/fallocate.c */
long msyncfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len);

/* In fs/orphan.c */
void msyncfs_orphan_add(struct msyncfs_op *op, struct inode *inode);
int msyncfs_orphan_del(struct msyncfs_op *op, struct inode *inode);
void msyncfs_orphan_leave(struct inode *inode);
int msyncfs_orphan_recover(struct super_block *sb);

/* Bits of bh->b_state; BH_PrivateStart itself is fs/op.c's. */
enum {
	MSYNCFS_BH_LEAF = BH_PrivateStart + 1,	/* fs/dir.c: leaf checked */
};

/* In fs/dir.c: names and leaves; callers hold i_rwsem of @dir */
int msyncfs_dir_find(struct inode *dir, const struct qstr *name, u64 *ino);
int msyncfs_dir_add(struct inode *dir, struct msyncfs_op *op,
		    const struct qstr *name, u64 ino, umode_t mode);
int msyncfs_dir_remove(struct msyncfs_op *op, struct inode *dir,
		       const struct qstr *name);
int msyncfs_dir_replace(struct msyncfs_op *op, struct inode *dir,
			const struct qstr *name, u64 ino, umode_t mode);
int msyncfs_dir_prepare(struct inode *dir, const struct qstr *name);
int msyncfs_dir_blocks(struct inode *dir);
extern const struct file_operations msyncfs_dir_operations;

/* In fs/namei.c */
extern const struct inode_operations msyncfs_dir_inode_operations;
extern const struct inode_operations msyncfs_symlink_inode_operations;
extern const struct inode_operations msyncfs_special_inode_operations;

/* In fs/file.c */
extern const struct file_operations msyncfs_file_operations;
extern const struct inode_operations msyncfs_file_inode_operations;
int msyncfs_dio_flush_sb(struct super_block *sb, s64 seq);

/* In fs/ioctl.c */
long msyncfs_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* In fs/sysfs.c */
int msyncfs_sysfs_init(void);
void msyncfs_sysfs_exit(void);
int msyncfs_sysfs_add(struct super_block *sb);
void msyncfs_sysfs_del(struct super_block *sb);

/* In fs/log/block.c */
u64 msyncfs_find_meta(struct super_block *sb, u64 start, u64 len);
void msyncfs_forget_buffer(struct buffer_head *bh);

/* In fs/log/txn.c */
void msyncfs_op_undirty(struct msyncfs_op *op, u64 blkno);

/* In fs/space/alloc.c */
void msyncfs_take(u64 *counter, u64 nr);

/* In fs/map/iblock.c */
struct msyncfs_disk_inode *msyncfs_raw(struct msyncfs_inode_info *mi);
void msyncfs_decode(struct inode *inode);

/* In fs/map/home.c */
void msyncfs_dio_written(struct inode *inode);

/* In mm/pages/dirty.c */
void msyncfs_folio_lock_stable(struct inode *inode, struct folio *folio);

/* In mm/writeback.c */
int msyncfs_writepages(struct address_space *mapping,
		       struct writeback_control *wbc);
bool msyncfs_release_folio(struct folio *folio, gfp_t gfp);

/* In fs/vfs/iomap.c */
void msyncfs_set_iomap(struct inode *inode, struct iomap *iomap,
		       const struct msyncfs_extent *ext);

/* In fs/vfs/direct.c */
int msyncfs_dio_settle(struct inode *inode, loff_t pos, size_t count);
ssize_t msyncfs_direct(struct kiocb *iocb, struct iov_iter *iter);

/* In fs/vfs/ops.c */
void msyncfs_set_ops(struct inode *inode, dev_t rdev);

/* In fs/vfs/orphan.c */
struct msyncfs_disk_inode *orphan_disk(struct buffer_head *bh);
struct msyncfs_disk_root *orphan_root(struct msyncfs_sb_info *sbi);

#endif /* MSYNCFS_FS_H */
