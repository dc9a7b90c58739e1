// SPDX-License-Identifier: GPL-2.0
/*
 * This file registers the filesystem, parses mount options, mounts and
 * unmounts. It also implements sync, freeze and statfs. A mount starts each
 * part of the lower floors after the parts that it needs. fs/disk/format.c
 * checks the superblock, and fs/log/recovery.c replays the log. fs/disk/state.c
 * prints messages and stops the filesystem when the log can no longer be
 * written.
 */
#include <linux/blkdev.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/module.h>
#include <linux/ratelimit.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>

#include "msyncfs_version.h"
#include "vfs.h"

/* ---- super_operations ---------------------------------------------------- */

static int msyncfs_sync_fs(struct super_block *sb, int wait)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	int err;

	if (msyncfs_is_dead(sbi))
		return -EIO;
	if (!wait)	/* after all data is written, the VFS calls again */
		return 0;
	err = msyncfs_commit_all(sb);
	return err ?: msyncfs_dio_flush_all(sb);
}

/*
 * Brings everything home, so that a copy of the device needs no replay, and
 * closes the gate. If a block cannot be written home, the freeze fails, because
 * later checkpoints would write to the device. The VFS blocks writers until the
 * thaw, but not msync, fsync, writeback and the last close.
 */
static int msyncfs_freeze_fs(struct super_block *sb)
{
	if (msyncfs_is_dead(MSYNCFS_SB(sb)))
		return -EIO;
	return msyncfs_gate_close(sb, MSYNCFS_SB_FROZEN, false);
}

static int msyncfs_unfreeze_fs(struct super_block *sb)
{
	return msyncfs_gate_open(sb, MSYNCFS_SB_FROZEN);
}

static int msyncfs_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct super_block *sb = dentry->d_sb;
	struct msyncfs_geo *geo = &MSYNCFS_SB(sb)->geo;

	if (msyncfs_is_dead(MSYNCFS_SB(sb)))
		return -EIO;
	buf->f_type = MSYNCFS_SUPER_MAGIC;
	buf->f_bsize = MSYNCFS_BLOCK_SIZE;
	buf->f_frsize = MSYNCFS_BLOCK_SIZE;
	/* The backup superblock does not belong to the data area. */
	buf->f_blocks = geo->blocks - geo->root_ino - 1;
	buf->f_bfree = msyncfs_space_avail(sb);
	buf->f_bavail = buf->f_bfree;
	/*
	 * The number of inodes is not fixed, because inodes and data use the
	 * same free blocks.
	 */
	buf->f_files = 0;
	buf->f_ffree = 0;
	buf->f_namelen = MSYNCFS_NAME_LEN;
	buf->f_fsid = uuid_to_fsid(geo->uuid);
	return 0;
}

static const struct constant_table msyncfs_errors_table[] = {
	{ "remount-ro",	MSYNCFS_ERRORS_RO },
	{ "shutdown",	MSYNCFS_ERRORS_SHUTDOWN },
	{ "panic",	MSYNCFS_ERRORS_PANIC },
	{}
};

static const struct constant_table msyncfs_semantics_table[] = {
	{ "posix",	MSYNCFS_MSYNC_POSIX },
	{ "bsd",	MSYNCFS_MSYNC_BSD },
	{}
};

static int msyncfs_show_options(struct seq_file *seq, struct dentry *root)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(root->d_sb);

	if (sbi->options.errors != MSYNCFS_ERRORS_RO)
		seq_printf(seq, ",errors=%s",
			   msyncfs_errors_table[sbi->options.errors].name);
	if (sbi->options.semantics != MSYNCFS_MSYNC_POSIX)
		seq_printf(seq, ",msync=%s",
			   msyncfs_semantics_table[sbi->options.semantics].name);
	if (sbi->options.atomic)
		seq_puts(seq, ",atomic");
	if (sbi->options.discard)
		seq_puts(seq, ",discard");
	if (sbi->options.norecovery)
		seq_puts(seq, ",norecovery");
	return 0;
}

/*
 * Undoes msyncfs_mount_log() and frees the structures of the mount. If a mount
 * has failed before it started a part, the step that stops this part does
 * nothing.
 */
static void msyncfs_release(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);

	msyncfs_log_stop(sb);
	/*
	 * msyncfs_log_exit() settles the running transaction, whose captures
	 * may still have promises. So call msyncfs_log_exit() before
	 * msyncfs_space_exit().
	 */
	msyncfs_log_exit(sb);
	msyncfs_space_exit(sb);
	msyncfs_orphans_exit(sb);
	msyncfs_dio_exit(sb);
	/* Wait for inodes that are being freed through RCU. */
	rcu_barrier();
	/*
	 * After an abort, buffers contain changes that never became durable.
	 * The next mount and other users of the device must not find these
	 * changes.
	 */
	msyncfs_drop_cache(sb);
	/* From now on another machine may mount the filesystem. */
	msyncfs_mmp_stop(sb);
	sb->s_fs_info = NULL;
	kfree(sbi->ds);
	kfree(sbi);
}

/* Empties the log at unmount, or reports why that is not possible. */
static void msyncfs_put_log(struct super_block *sb)
{
	int err = msyncfs_commit_all(sb);

	if (err) {
		msyncfs_err(sb, "unmount: what was not durable yet is lost (%d)",
			    err);
		return;
	}
	err = msyncfs_checkpoint(sb) ?: msyncfs_log_stuck(sb);
	if (err)
		msyncfs_err(sb, "unmount: the log could not be emptied (%d), the next mount replays it",
			    err);
}

static void msyncfs_put_super(struct super_block *sb)
{
	msyncfs_sysfs_del(sb);
	if (!msyncfs_log_dead(MSYNCFS_SB(sb)) && !sb_rdonly(sb))
		msyncfs_put_log(sb);
	msyncfs_release(sb);
}

const struct super_operations msyncfs_super_ops = {
	.alloc_inode	= msyncfs_alloc_inode,
	.free_inode	= msyncfs_free_inode,
	.dirty_inode	= msyncfs_dirty_inode,
	.write_inode	= msyncfs_write_inode,
	.evict_inode	= msyncfs_evict_inode,
	.put_super	= msyncfs_put_super,
	.sync_fs	= msyncfs_sync_fs,
	.freeze_fs	= msyncfs_freeze_fs,
	.unfreeze_fs	= msyncfs_unfreeze_fs,
	.statfs		= msyncfs_statfs,
	.show_options	= msyncfs_show_options,
	.shutdown	= msyncfs_shutdown,
};

/* ---- mount --------------------------------------------------------------- */

/*
 * Reads and checks the superblock. Only fsck.msyncfs repairs a damaged
 * superblock from the backup.
 */
static int msyncfs_read_super(struct super_block *sb, bool silent)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 blocks = bdev_nr_bytes(sb->s_bdev) >> MSYNCFS_BLOCK_SHIFT;
	struct buffer_head *bh;
	const char *why;
	int err;

	/*
	 * Other programs may have written through the page cache of the device.
	 * The recovery bypasses this cache.
	 */
	err = msyncfs_drop_cache(sb);
	if (err)
		return err;

	bh = sb_bread(sb, MSYNCFS_SUPER_BLKNO);
	if (!bh) {
		msyncfs_err(sb, "block 0: the superblock cannot be read; fsck.msyncfs can use the backup superblock");
		return -EIO;
	}
	sbi->ds = kmemdup(bh->b_data, sizeof(*sbi->ds), GFP_KERNEL);
	brelse(bh);
	if (!sbi->ds)
		return -ENOMEM;

	if (le64_to_cpu(sbi->ds->magic) != MSYNCFS_MAGIC_SUPER) {
		if (!silent)
			msyncfs_err(sb, "block 0: no msyncfs superblock; if there was one, fsck.msyncfs knows of a backup");
		return -EINVAL;
	}
	why = msyncfs_verify_super(sbi->ds, blocks, &sbi->geo);
	/* msyncfs_check_features() names the features. */
	if (why && why != msyncfs_unknown_features) {
		msyncfs_err(sb, "block 0: %s; fsck.msyncfs can use the backup superblock",
			    why);
		return -EFSCORRUPTED;
	}
	return 0;
}

/* Returns the bits of ro_compat that this version does not know. */
static u64 msyncfs_unknown_ro(struct msyncfs_sb_info *sbi)
{
	return le64_to_cpu(sbi->ds->ro_compat) & ~MSYNCFS_RO_COMPAT_ALL;
}

static int msyncfs_check_features(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 incompat = le64_to_cpu(sbi->ds->incompat) & ~MSYNCFS_INCOMPAT_ALL;

	if (incompat) {
		msyncfs_err(sb, "unknown incompatible features %#llx", incompat);
		return -EINVAL;
	}
	if (msyncfs_unknown_ro(sbi) && !sb_rdonly(sb)) {
		msyncfs_err(sb, "unknown features %#llx: can only be mounted read-only",
			    msyncfs_unknown_ro(sbi));
		return -EROFS;
	}
	return 0;
}

/*
 * Sets the features that this version uses in a filesystem of an older version.
 * The log is empty. An older module would not see the records that this version
 * writes, and would take long symbolic links and flags for damage. So it must
 * not mount the filesystem any more. The names keep their hashes without a key,
 * inodes get no extended attributes, and there are no file handles.
 */
static int msyncfs_set_features(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 incompat = le64_to_cpu(sbi->ds->incompat);
	u64 want = incompat |
		   (MSYNCFS_INCOMPAT_DEFAULT & ~MSYNCFS_INCOMPAT_MKFS);

	if (incompat == want || bdev_read_only(sb->s_bdev) ||
	    sbi->options.norecovery)
		return 0;
	sbi->ds->incompat = cpu_to_le64(want);
	return msyncfs_write_supers(sb);
}

static void msyncfs_setup_sb(struct super_block *sb)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	u64 capacity = msyncfs_map_capacity(MSYNCFS_MAX_DEPTH);

	sb->s_maxbytes = MAX_LFS_FILESIZE & ~(loff_t)(MSYNCFS_BLOCK_SIZE - 1);
	if (capacity < MAX_LFS_FILESIZE >> MSYNCFS_BLOCK_SHIFT)
		sb->s_maxbytes = capacity << MSYNCFS_BLOCK_SHIFT;
	sb->s_time_gran = 1;
	sb->s_time_min = S64_MIN;
	sb->s_time_max = S64_MAX;
	sb->s_magic = MSYNCFS_SUPER_MAGIC;
	sb->s_op = &msyncfs_super_ops;
	if (le64_to_cpu(sbi->ds->incompat) & MSYNCFS_INCOMPAT_XATTR) {
		sb->s_xattr = msyncfs_xattr_handlers;
		sb->s_flags |= SB_POSIXACL;
	} else {
		/* mount(2) can set the flag, but there is no room for ACLs. */
		sb->s_flags &= ~SB_POSIXACL;
	}
	/* Without a recovery, the inode bitmap may be older than the inodes. */
	if (sbi->geo.inodes_start && !sbi->options.norecovery)
		sb->s_export_op = &msyncfs_export_ops;
	sb->s_flags |= SB_NOSEC;
	super_set_uuid(sb, sbi->geo.uuid, sizeof(sbi->geo.uuid));
	super_set_sysfs_name_bdev(sb);
}

static int msyncfs_make_root(struct super_block *sb)
{
	u64 ino = MSYNCFS_SB(sb)->geo.root_ino;
	struct inode *inode = msyncfs_iget(sb, ino);

	if (IS_ERR(inode)) {
		msyncfs_err(sb, "root directory (inode %llu): cannot be read (%ld)",
			    ino, PTR_ERR(inode));
		return PTR_ERR(inode) == -ESTALE ? -EFSCORRUPTED :
						   PTR_ERR(inode);
	}
	if (!S_ISDIR(inode->i_mode)) {
		msyncfs_err(sb, "inode %llu: the root is not a directory", ino);
		iput(inode);
		return -EFSCORRUPTED;
	}
	sb->s_root = d_make_root(inode);
	return sb->s_root ? 0 : -ENOMEM;
}

/*
 * Claims the filesystem for this machine before anything is written. Recovers the
 * log. Then starts the log and the parts that need the log.
 */
static int msyncfs_mount_log(struct super_block *sb)
{
	int err;

	err = msyncfs_mmp_start(sb);
	if (!err)
		err = msyncfs_log_init(sb, &msyncfs_space_hooks);
	if (!err)
		err = msyncfs_recover(sb);
	if (!err)
		err = msyncfs_set_features(sb);
	if (!err)
		err = msyncfs_dio_init(sb);
	if (!err)
		err = msyncfs_orphans_init(sb);
	if (!err)
		err = msyncfs_space_init(sb);
	if (!err)
		err = msyncfs_log_start(sb);
	if (err)
		return err;
	set_bit(MSYNCFS_SB_ORPHANS_TODO, &MSYNCFS_SB(sb)->state);
	return sb_rdonly(sb) ? 0 : msyncfs_reclaim(sb);
}

static void msyncfs_warn_discard(struct super_block *sb,
				 const struct msyncfs_options *opts)
{
	if (opts->discard && !bdev_max_discard_sectors(sb->s_bdev))
		msyncfs_warn(sb, "option discard: the device cannot discard");
}

static int msyncfs_alloc_sbi(struct super_block *sb,
			     const struct msyncfs_options *opts)
{
	struct msyncfs_sb_info *sbi = kzalloc(sizeof(*sbi), GFP_KERNEL);

	if (!sbi)
		return -ENOMEM;
	sbi->sb = sb;
	sbi->options = *opts;
	ratelimit_state_init(&sbi->messages, DEFAULT_RATELIMIT_INTERVAL,
			     2 * DEFAULT_RATELIMIT_BURST);
	mutex_init(&sbi->set_mutex);
	init_waitqueue_head(&sbi->wait);
	init_rwsem(&sbi->gate);
	if (sb_rdonly(sb))
		set_bit(MSYNCFS_SB_RDONLY, &sbi->state);
	sb->s_fs_info = sbi;
	return 0;
}

/*
 * If a step fails, this function undoes its own work. d_make_root() must be the
 * last step that can fail. If a later step failed, the VFS would also call
 * put_super, which would undo the work a second time.
 */
static int msyncfs_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct msyncfs_options *opts = fc->fs_private;
	struct msyncfs_sb_info *sbi;
	int err;

	if (PAGE_SIZE != MSYNCFS_BLOCK_SIZE) {
		errorf(fc, "msyncfs: needs pages of %u bytes, this kernel has %lu",
		       MSYNCFS_BLOCK_SIZE, PAGE_SIZE);
		return -EINVAL;
	}
	if (opts->norecovery && !sb_rdonly(sb)) {
		errorf(fc, "msyncfs: norecovery needs a read-only mount");
		return -EINVAL;
	}
	if (!sb_set_blocksize(sb, MSYNCFS_BLOCK_SIZE)) {
		errorf(fc, "msyncfs: the device cannot have blocks of %u bytes",
		       MSYNCFS_BLOCK_SIZE);
		return -EINVAL;
	}
	err = msyncfs_alloc_sbi(sb, opts);
	if (err)
		return err;
	sbi = MSYNCFS_SB(sb);

	err = msyncfs_read_super(sb, fc->sb_flags & SB_SILENT);
	if (!err)
		err = msyncfs_check_features(sb);
	if (err) {
		sb->s_fs_info = NULL;
		kfree(sbi->ds);
		kfree(sbi);
		return err;
	}

	msyncfs_setup_sb(sb);
	msyncfs_warn_discard(sb, opts);
	err = msyncfs_mount_log(sb);
	if (err)
		goto release;
	err = msyncfs_sysfs_add(sb);
	if (err)
		goto release;
	err = msyncfs_make_root(sb);
	if (err)
		goto sysfs_del;
	return 0;

sysfs_del:
	msyncfs_sysfs_del(sb);
release:
	msyncfs_release(sb);
	return err;
}

/* ---- mount options ------------------------------------------------------- */

enum {
	opt_errors,
	opt_msync,
	opt_atomic,
	opt_discard,
	opt_norecovery,
};

static const struct fs_parameter_spec msyncfs_parameters[] = {
	fsparam_enum("errors", opt_errors, msyncfs_errors_table),
	fsparam_enum("msync", opt_msync, msyncfs_semantics_table),
	fsparam_flag_no("atomic", opt_atomic),
	fsparam_flag_no("discard", opt_discard),
	fsparam_flag("norecovery", opt_norecovery),
	{}
};

static int msyncfs_parse_param(struct fs_context *fc,
			       struct fs_parameter *param)
{
	struct msyncfs_options *opts = fc->fs_private;
	struct fs_parse_result result;
	int opt;

	opt = fs_parse(fc, msyncfs_parameters, param, &result);
	if (opt < 0)
		return opt;
	switch (opt) {
	case opt_errors:
		opts->errors = result.uint_32;
		break;
	case opt_msync:
		opts->semantics = result.uint_32;
		break;
	case opt_atomic:
		opts->atomic = !result.negated;
		break;
	case opt_discard:
		opts->discard = !result.negated;
		break;
	case opt_norecovery:
		opts->norecovery = true;
		break;
	}
	return 0;
}

static int msyncfs_get_tree(struct fs_context *fc)
{
	return get_tree_bdev(fc, msyncfs_fill_super);
}

static int msyncfs_make_rw(struct super_block *sb, struct fs_context *fc)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	int err;

	if (msyncfs_log_dead(sbi)) {
		errorf(fc, "msyncfs: the log has failed, unmount and mount again");
		return -EROFS;
	}
	if (bdev_read_only(sb->s_bdev)) {
		errorf(fc, "msyncfs: the device is read-only");
		return -EROFS;
	}
	if (msyncfs_unknown_ro(sbi)) {
		errorf(fc, "msyncfs: unknown features %#llx: read-only",
		       msyncfs_unknown_ro(sbi));
		return -EROFS;
	}
	/* The device may have been read-only when it was mounted. */
	err = msyncfs_set_features(sb);
	if (err)
		return err;
	err = msyncfs_gate_open(sb, MSYNCFS_SB_RDONLY);
	if (err || !test_bit(MSYNCFS_SB_ORPHANS_TODO, &sbi->state))
		return err;
	/*
	 * msyncfs_reclaim() must be able to write. The VFS blocks writers until
	 * reconfigure is done.
	 */
	sb->s_flags &= ~SB_RDONLY;
	err = msyncfs_reclaim(sb);
	if (err) {
		sb->s_flags |= SB_RDONLY;
		msyncfs_gate_close(sb, MSYNCFS_SB_RDONLY, true);
	}
	return err;
}

/*
 * A forced remount (SysRq-U) closes the gate in any case, although there may be
 * open files with changes. These changes stay in memory.
 */
static int msyncfs_make_ro(struct super_block *sb, struct fs_context *fc)
{
	int err = sync_filesystem(sb);
	unsigned long ino;

	if (fc->sb_flags & SB_FORCE)
		return msyncfs_gate_close(sb, MSYNCFS_SB_RDONLY, true);
	if (err)
		return err;
	/*
	 * A read-only mount could neither commit nor spill uncommitted changes.
	 */
	ino = msyncfs_atomic_uncommitted(sb);
	if (ino) {
		errorf(fc, "msyncfs: inode %lu: has changes that are not committed",
		       ino);
		return -EBUSY;
	}
	return msyncfs_gate_close(sb, MSYNCFS_SB_RDONLY, false);
}

static int msyncfs_reconfigure(struct fs_context *fc)
{
	struct super_block *sb = fc->root->d_sb;
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct msyncfs_options *opts = fc->fs_private;
	bool ro = fc->sb_flags & SB_RDONLY;
	int err = 0;

	if (sbi->options.norecovery ? !ro : opts->norecovery) {
		errorf(fc, "msyncfs: norecovery can only be changed by unmounting and mounting");
		return -EINVAL;
	}
	/*
	 * The reservations of dirty pages depend on the option atomic, so do
	 * not change it while the filesystem is mounted.
	 */
	if (opts->atomic != sbi->options.atomic) {
		errorf(fc, "msyncfs: atomic can only be changed by unmounting and mounting");
		return -EINVAL;
	}
	if (ro && !sb_rdonly(sb))
		err = msyncfs_make_ro(sb, fc);
	else if (!ro && sb_rdonly(sb))
		err = msyncfs_make_rw(sb, fc);
	else
		sync_filesystem(sb);
	if (err)
		return err;
	if (!sbi->options.discard)
		msyncfs_warn_discard(sb, opts);
	sbi->options = *opts;
	return 0;
}

static void msyncfs_free_fc(struct fs_context *fc)
{
	kfree(fc->fs_private);
}

static const struct fs_context_operations msyncfs_context_ops = {
	.parse_param	= msyncfs_parse_param,
	.get_tree	= msyncfs_get_tree,
	.reconfigure	= msyncfs_reconfigure,
	.free		= msyncfs_free_fc,
};

static int msyncfs_init_fs_context(struct fs_context *fc)
{
	struct msyncfs_options *opts = kzalloc(sizeof(*opts), GFP_KERNEL);

	if (!opts)
		return -ENOMEM;
	opts->errors = MSYNCFS_ERRORS_RO;
	if (fc->purpose == FS_CONTEXT_FOR_RECONFIGURE)
		*opts = MSYNCFS_SB(fc->root->d_sb)->options;
	fc->fs_private = opts;
	fc->ops = &msyncfs_context_ops;
	return 0;
}

static void msyncfs_kill_sb(struct super_block *sb)
{
	/*
	 * Workers that write for MS_ASYNC have references to inodes. Wait for
	 * these workers before the inodes are evicted.
	 */
	if (sb->s_root)
		flush_workqueue(MSYNCFS_SB(sb)->wq);
	kill_block_super(sb);
}

static struct file_system_type msyncfs_fs_type = {
	.owner			= THIS_MODULE,
	.name			= "msyncfs",
	.init_fs_context	= msyncfs_init_fs_context,
	.parameters		= msyncfs_parameters,
	.kill_sb		= msyncfs_kill_sb,
	.fs_flags		= FS_REQUIRES_DEV | FS_ALLOW_IDMAP,
};
MODULE_ALIAS_FS("msyncfs");

/* ---- module -------------------------------------------------------------- */

static int __init msyncfs_init(void)
{
	int err;

	err = msyncfs_inode_init(msyncfs_set_ops);
	if (err)
		return err;
	err = msyncfs_bios_init();
	if (err)
		goto inode_exit;
	err = msyncfs_sysfs_init();
	if (err)
		goto bios_exit;
	msyncfs_csum_init();
	err = register_filesystem(&msyncfs_fs_type);
	if (err)
		goto sysfs_exit;
	return 0;

sysfs_exit:
	msyncfs_sysfs_exit();
bios_exit:
	msyncfs_bios_exit();
inode_exit:
	msyncfs_inode_exit();
	return err;
}

static void __exit msyncfs_exit(void)
{
	unregister_filesystem(&msyncfs_fs_type);
	msyncfs_sysfs_exit();
	msyncfs_bios_exit();
	msyncfs_inode_exit();
}

module_init(msyncfs_init);
module_exit(msyncfs_exit);

MODULE_DESCRIPTION("filesystem whose msync() is one atomic, durable record");
MODULE_VERSION(MSYNCFS_VERSION);
MODULE_LICENSE("GPL");
