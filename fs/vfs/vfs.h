/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header belongs to the top floor. It declares the functions and tables
 * that the VFS uses. It also declares the functions that the files of this
 * folder share.
 */
#ifndef MSYNCFS_VFS_H
#define MSYNCFS_VFS_H

#include <linux/iomap.h>

#include "mm/sync.h"

/*
 * Largest number of metadata blocks that one namespace operation dirties. The
 * comment at the top of namei.c lists these blocks.
 */
#define MSYNCFS_OP_CREDITS	25

/* In super.c */
extern const struct super_operations msyncfs_super_ops;

/* In sysfs.c */
int msyncfs_sysfs_init(void);
void msyncfs_sysfs_exit(void);
int msyncfs_sysfs_add(struct super_block *sb);
void msyncfs_sysfs_del(struct super_block *sb);

/* In ioctl.c */
long msyncfs_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* In ops.c */
void msyncfs_set_ops(struct inode *inode, dev_t rdev);

/* In inode.c */
struct inode *msyncfs_alloc_inode(struct super_block *sb);
void msyncfs_free_inode(struct inode *inode);
int msyncfs_write_inode(struct inode *inode, struct writeback_control *wbc);
void msyncfs_evict_inode(struct inode *inode);
struct inode *msyncfs_iget(struct super_block *sb, u64 ino);
struct inode *msyncfs_iget_handle(struct super_block *sb, u64 ino);
struct inode *msyncfs_new_inode(struct inode *dir, struct mnt_idmap *idmap,
				umode_t mode);
int msyncfs_insert_inode(struct msyncfs_op *op, struct inode *inode,
			 struct inode *dir, dev_t rdev);
void msyncfs_drop_new_inode(struct inode *inode);
int msyncfs_inode_init(void (*set_ops)(struct inode *inode, dev_t rdev));
void msyncfs_inode_exit(void);

/* In attr.c */
int msyncfs_getattr(struct mnt_idmap *idmap, const struct path *path,
		    struct kstat *stat, u32 mask, unsigned int flags);
int msyncfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
		    struct iattr *attr);
int msyncfs_fileattr_get(struct dentry *dentry, struct file_kattr *fa);
int msyncfs_fileattr_set(struct mnt_idmap *idmap, struct dentry *dentry,
			 struct file_kattr *fa);

/* In shift.c */
int msyncfs_shift_range(struct file *file, loff_t offset, loff_t len,
			bool insert);

/* In truncate.c */
int msyncfs_truncate_blocks(struct inode *inode, u64 first);
int msyncfs_prepare_extend(struct inode *inode);
int msyncfs_extend(struct inode *inode, loff_t newsize);
int msyncfs_setsize(struct inode *inode, loff_t newsize);
int msyncfs_punch(struct inode *inode, loff_t start, loff_t end);

/* In fallocate.c */
long msyncfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len);

/* In orphan.c */
int msyncfs_orphans_init(struct super_block *sb);
void msyncfs_orphans_exit(struct super_block *sb);
void msyncfs_orphan_add(struct msyncfs_op *op, struct inode *inode);
int msyncfs_orphan_del(struct msyncfs_op *op, struct inode *inode);
void msyncfs_orphan_leave(struct inode *inode);
bool msyncfs_unfinished(struct inode *inode);

/* In reclaim.c */
int msyncfs_reclaim(struct super_block *sb);

/* In atomic.c */
int msyncfs_atomic_setsize(struct inode *inode, loff_t newsize);
int msyncfs_atomic_punch(struct inode *inode, loff_t start, loff_t end);
int msyncfs_atomic_extend(struct inode *inode, loff_t newsize);
int msyncfs_atomic_unopened(struct inode *inode);
void msyncfs_atomic_lost(struct inode *inode);
unsigned long msyncfs_atomic_uncommitted(struct super_block *sb);
int msyncfs_atomic_reserve(struct inode *inode);
int msyncfs_atomic_set(struct inode *inode, bool on);
void msyncfs_atomic_discard(struct inode *inode, bool keep);
int msyncfs_atomic_rollback(struct inode *inode);
void msyncfs_atomic_open(struct inode *inode);
int msyncfs_atomic_release(struct inode *inode, struct file *file);

/* In batch.c */
int msyncfs_batch_ioctl(struct file *file, unsigned int cmd);
void msyncfs_batch_release(struct file *file);
int msyncfs_file_flush(struct file *file, fl_owner_t id);

/**
 * msyncfs_batch_denies - tell whether a batch forbids a change of the file
 * @inode: regular file
 * @file: open file that makes the change, or NULL
 *
 * Context: caller holds i_rwsem.
 * Return: true if another open file than @file has a batch.
 */
static inline bool msyncfs_batch_denies(struct inode *inode, struct file *file)
{
	struct file *batch = MSYNCFS_I(inode)->i_batch;

	return batch && batch != file;
}

/* In dir.c: names of a directory. Callers hold i_rwsem of the directory. */
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

/* In namei.c */
extern const struct inode_operations msyncfs_dir_inode_operations;
extern const struct inode_operations msyncfs_special_inode_operations;

/* In symlink.c */
unsigned int msyncfs_target_blocks(const char *target);
int msyncfs_set_target(struct msyncfs_op *op, struct inode *inode,
		       const char *target);
struct buffer_head *msyncfs_read_rest(struct inode *inode);
extern const struct inode_operations msyncfs_symlink_inode_operations;

/* In xattr.c */
ssize_t msyncfs_listxattr(struct dentry *dentry, char *buf, size_t size);
extern const struct xattr_handler * const msyncfs_xattr_handlers[];

/* In acl.c */
#ifdef CONFIG_FS_POSIX_ACL
struct posix_acl *msyncfs_get_acl(struct inode *inode, int type, bool rcu);
int msyncfs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry,
		    struct posix_acl *acl, int type);
#else
#define msyncfs_get_acl	NULL
#define msyncfs_set_acl	NULL
#endif

/* In export.c */
extern const struct export_operations msyncfs_export_ops;

/* In file.c */
int msyncfs_has_block(struct inode *inode, pgoff_t index, bool *has);
int msyncfs_find_space(struct inode *inode);
extern const struct file_operations msyncfs_file_operations;
extern const struct inode_operations msyncfs_file_inode_operations;

/* In read.c */
extern const struct address_space_operations msyncfs_aops;

/* In iomap.c */
extern const struct iomap_ops msyncfs_iomap_ops;
void msyncfs_set_iomap(struct inode *inode, struct iomap *iomap,
		       const struct msyncfs_extent *ext);

/* In direct.c */
int msyncfs_dio_home(struct inode *inode, loff_t pos, size_t count);
ssize_t msyncfs_dio_transfer(struct kiocb *iocb, struct iov_iter *iter,
			     bool wait);

/* In untorn.c */
unsigned int msyncfs_untorn_max(struct super_block *sb);
int msyncfs_untorn_check(struct kiocb *iocb, struct iov_iter *from,
			 size_t count);
ssize_t msyncfs_untorn_write(struct kiocb *iocb, struct iov_iter *from);

#endif /* MSYNCFS_VFS_H */
