// SPDX-License-Identifier: GPL-2.0
/*
 * This file reads inodes into memory, writes them back, makes them and deletes
 * them. truncate.c changes sizes and frees blocks, namei.c handles names, and
 * mm/ handles the content of files.
 *
 * The buffer of the inode's block (i_bh) stays referenced while the inode is in
 * memory. Some fields change directly in this buffer. fs/map/ changes the root
 * and the depth of the map, and the block count. orphan.c changes the link of
 * the orphan list. All other fields change in the inode in memory first, and
 * msyncfs_op_add_inode() copies them to the buffer.
 */
#include <linux/fs.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/writeback.h>

#include "xattr.h"

static struct kmem_cache *msyncfs_inode_cache;

/* This function sets the operations of an inode. i_mode and i_bh are valid. */
static void (*msyncfs_inode_set_ops)(struct inode *inode, dev_t rdev);

/* Largest number of metadata blocks that msyncfs_free_inode_block() dirties. */
#define MSYNCFS_DELETE_CREDITS	7

static void msyncfs_inode_once(void *obj)
{
	struct msyncfs_inode_info *mi = obj;

	inode_init_once(&mi->vfs_inode);
	mutex_init(&mi->i_commit_lock);
	init_rwsem(&mi->i_freeze);
	init_rwsem(&mi->i_map_sem);
	seqlock_init(&mi->i_known.lock);
	spin_lock_init(&mi->i_resv_lock);
	xa_init(&mi->i_resv);
	/*
	 * No code searches for gaps in this tree. Set MT_FLAGS_ALLOC_RANGE
	 * nevertheless. With this flag, inner nodes store their metadata
	 * outside the array of children. Without the flag, the metadata would
	 * lie in this array, and mt_free_walk() would treat the metadata as a
	 * child.
	 */
	mt_init_flags(&mi->i_overlay, MT_FLAGS_ALLOC_RANGE | MT_FLAGS_USE_RCU);
	mutex_init(&mi->i_open_lock);
	INIT_LIST_HEAD(&mi->i_orphan);
}

/**
 * msyncfs_alloc_inode - super_operations.alloc_inode
 * @sb: filesystem
 *
 * Context: may sleep.
 * Return: the VFS part of a new inode; NULL if there is no memory.
 */
struct inode *msyncfs_alloc_inode(struct super_block *sb)
{
	struct msyncfs_inode_info *mi;

	mi = alloc_inode_sb(sb, msyncfs_inode_cache, GFP_KERNEL);
	if (!mi)
		return NULL;
	mi->i_bh = NULL;
	mi->i_flags = 0;
	mi->i_attrs = 0;
	mi->i_map_depth = 0;
	msyncfs_known_forget(&mi->vfs_inode);
	memset(mi->i_captured, 0, sizeof(mi->i_captured));
	mi->i_disksize = 0;
	mi->i_tid = 0;
	mi->i_data_tid = 0;
	mi->i_parent = 0;
	mi->i_entries = 0;
	mi->i_dir_depth = 0;
	mi->i_btime = (struct timespec64){};
	atomic_set(&mi->i_dio_reads, 0);
	atomic_set(&mi->i_dio_writes, 0);
	mi->i_dio_seq = 0;
	mi->i_spilled = 0;
	mi->i_opens = 0;
	mi->i_batch = NULL;
	return &mi->vfs_inode;
}

/**
 * msyncfs_free_inode - super_operations.free_inode
 * @inode: evicted inode
 *
 * Context: called through RCU; does not sleep.
 */
void msyncfs_free_inode(struct inode *inode)
{
	kmem_cache_free(msyncfs_inode_cache, MSYNCFS_I(inode));
}

/*
 * Sets i_tid and i_data_tid. They are the transactions for which fsync() waits,
 * and the inode on disk does not store them. The inode may have been evicted
 * before its last change was durable. So assume that every transaction that is
 * not durable yet changes this inode.
 */
static void msyncfs_inherit_tid(struct inode *inode)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	msyncfs_dio_inherit(inode);
	if (msyncfs_all_durable(sbi, &mi->i_tid))
		mi->i_tid = 0;
	mi->i_data_tid = mi->i_tid;
}

/* Tells whether an inode has no extended attribute. */
static bool msyncfs_no_xattrs(struct inode *inode)
{
	struct msyncfs_xattr_area area =
		msyncfs_xattr_inline(msyncfs_iblock(inode));

	return !msyncfs_iblock(inode)->xattr && !msyncfs_xattr_used(&area);
}

static int msyncfs_read_inode(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(sb);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct buffer_head *bh;

	bh = msyncfs_bread(sb, inode->i_ino, MSYNCFS_MAGIC_INODE, inode->i_ino);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	mi->i_bh = bh;
	if (!msyncfs_iblock(inode)->nlink &&
	    !test_bit(MSYNCFS_SB_RECLAIMING, &sbi->state))
		return -ESTALE;
	if (S_ISREG(le32_to_cpu(msyncfs_iblock(inode)->mode)) &&
	    le64_to_cpu(msyncfs_iblock(inode)->size) > sb->s_maxbytes) {
		msyncfs_err(sb, "inode %llu: too large for this kernel",
			    (u64)inode->i_ino);
		return -EFBIG;
	}
	msyncfs_iblock_decode(inode);
	if (msyncfs_no_xattrs(inode))
		cache_no_acl(inode);
	msyncfs_inherit_tid(inode);
	msyncfs_inode_set_ops(inode,
			      new_decode_dev(le64_to_cpu(msyncfs_iblock(inode)->rdev)));
	return 0;
}

/* Gets inode @ino. If it is not in memory, @read reads it. */
static struct inode *msyncfs_iget_read(struct super_block *sb, u64 ino,
				       int (*read)(struct inode *inode))
{
	struct inode *inode;
	int err;

	inode = iget_locked(sb, ino);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!(inode_state_read_once(inode) & I_NEW))
		return inode;
	err = read(inode);
	if (err) {
		iget_failed(inode);
		return ERR_PTR(err);
	}
	unlock_new_inode(inode);
	return inode;
}

/**
 * msyncfs_iget - get an inode by number
 * @sb: filesystem
 * @ino: inode number, from disk
 *
 * Context: may sleep and do I/O.
 * Return: the inode, referenced; ERR_PTR(-ESTALE) if the inode has no links,
 * except during msyncfs_reclaim(); ERR_PTR(-EIO), ERR_PTR(-EUCLEAN) or
 * ERR_PTR(-EFBIG), all logged; ERR_PTR(-ENOMEM).
 */
struct inode *msyncfs_iget(struct super_block *sb, u64 ino)
{
	if (!msyncfs_is_data(&MSYNCFS_SB(sb)->geo, ino)) {
		msyncfs_err(sb, "inode %llu: outside the data area", ino);
		return ERR_PTR(-EFSCORRUPTED);
	}
	return msyncfs_iget_read(sb, ino, msyncfs_read_inode);
}

/* Reads an inode that the inode bitmap must name. */
static int msyncfs_read_handle(struct inode *inode)
{
	int ret = msyncfs_inodes_test(inode->i_sb, inode->i_ino);

	if (ret <= 0)
		return ret ?: -ESTALE;
	ret = msyncfs_read_inode(inode);
	if (ret)
		return ret;
	/* A handle does not lead to an inode that waits for msyncfs_reclaim(). */
	return msyncfs_iblock(inode)->nlink ? 0 : -ESTALE;
}

/**
 * msyncfs_iget_handle - get an inode whose number is not known to be one
 * @sb: filesystem
 * @ino: any number, for example from a file handle
 *
 * No block is believed because of its content: an inode that is not in memory must
 * be in the inode bitmap. While this function looks at the bitmap and reads the
 * block, an inode of this number is in the inode hash and is new (I_NEW). So no other
 * task can read, delete or make an inode of this number: msyncfs_evict_inode() has
 * ended before, and msyncfs_inode_block() marks a new inode after it has added the
 * inode to the hash, for which it waits until the new inode here is gone. An inode
 * without links may be returned if it is in memory.
 *
 * Context: may sleep and do I/O.
 * Return: the inode, referenced; ERR_PTR(-ESTALE) if there is no such inode;
 * ERR_PTR(-ENOMEM), also if another task is just making an inode of this number;
 * ERR_PTR(-EIO), ERR_PTR(-EUCLEAN) or ERR_PTR(-EFBIG), all logged.
 */
struct inode *msyncfs_iget_handle(struct super_block *sb, u64 ino)
{
	if (!msyncfs_is_data(&MSYNCFS_SB(sb)->geo, ino))
		return ERR_PTR(-ESTALE);
	return msyncfs_iget_read(sb, ino, msyncfs_read_handle);
}

/*
 * Gives the new inode its block, adds the inode to the inode hash, and marks it in
 * the inode bitmap.
 */
static int msyncfs_inode_block(struct msyncfs_op *op, struct inode *inode,
			       struct inode *dir)
{
	struct buffer_head *inodes, *bh;
	u64 blkno, len;
	int err;

	err = msyncfs_alloc(op, dir->i_ino + 1, 1, &blkno, &len);
	if (err)
		return err;
	inodes = msyncfs_inodes_read(op->sb, blkno);
	if (IS_ERR(inodes)) {
		msyncfs_free(op, blkno, 1);
		return PTR_ERR(inodes);
	}
	inode->i_ino = blkno;
	if (insert_inode_locked(inode) < 0) {
		/*
		 * The bitmap is wrong. The block belongs to another inode, so
		 * do not change the block.
		 */
		msyncfs_err(op->sb, "block %llu: free, but an inode in use",
			    blkno);
		brelse(inodes);
		return -EFSCORRUPTED;
	}
	bh = msyncfs_op_new(op, blkno, MSYNCFS_MAGIC_INODE, 0, blkno);
	if (!IS_ERR(bh)) {
		msyncfs_inodes_mark(op, inodes, blkno, true);
		MSYNCFS_I(inode)->i_bh = bh;
	}
	brelse(inodes);
	return PTR_ERR_OR_ZERO(bh);
}

/**
 * msyncfs_new_inode - make an inode in memory
 * @dir: directory in which the inode is made
 * @idmap: idmap of the mount
 * @mode: type and permissions
 *
 * The new inode has one link. The caller calls msyncfs_insert_inode() or
 * msyncfs_drop_new_inode().
 *
 * Context: may sleep.
 * Return: the inode, or ERR_PTR(-ENOMEM).
 */
struct inode *msyncfs_new_inode(struct inode *dir, struct mnt_idmap *idmap,
				umode_t mode)
{
	u32 attrs = MSYNCFS_I(dir)->i_attrs & MSYNCFS_INODE_INHERITED;
	struct inode *inode = new_inode(dir->i_sb);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode_init_owner(idmap, inode, dir, mode);
	if (attrs)
		msyncfs_set_attrs(inode, attrs & msyncfs_inode_flags(mode));
	inode->i_generation = get_random_u32();
	MSYNCFS_I(inode)->i_btime = simple_inode_init_ts(inode);
	return inode;
}

/**
 * msyncfs_insert_inode - give a new inode its block
 * @op: operation with three credits left that may allocate one block
 * @inode: inode from msyncfs_new_inode()
 * @dir: directory in which the inode is made
 * @rdev: device number of a device node
 *
 * The inode gets locked (I_NEW). This function makes the inode part of the
 * transaction. After a further change of the inode, the caller calls
 * msyncfs_op_add_inode(). After an error, the caller calls msyncfs_drop_new_inode().
 *
 * Context: inside @op; may sleep.
 * Return: 0; -ENOMEM; -ENOSPC; -EIO; -EUCLEAN (logged).
 */
int msyncfs_insert_inode(struct msyncfs_op *op, struct inode *inode,
			 struct inode *dir, dev_t rdev)
{
	int err = msyncfs_inode_block(op, inode, dir);

	if (err)
		return err;
	if (S_ISDIR(inode->i_mode))
		MSYNCFS_I(inode)->i_parent = dir->i_ino;
	msyncfs_inode_set_ops(inode, rdev);
	msyncfs_iblock(inode)->rdev = cpu_to_le64(new_encode_dev(inode->i_rdev));
	msyncfs_op_add_inode(op, inode, true);
	return 0;
}

/**
 * msyncfs_drop_new_inode - free a new inode that has no block
 * @inode: inode from msyncfs_new_inode()
 *
 * Context: may sleep.
 */
void msyncfs_drop_new_inode(struct inode *inode)
{
	/* An inode that is not in the hash needs only iput(). */
	if (inode_state_read_once(inode) & I_NEW) {
		remove_inode_hash(inode);
		discard_new_inode(inode);
	} else {
		iput(inode);
	}
}

static int msyncfs_write_attrs(struct inode *inode,
			       struct writeback_control *wbc)
{
	struct msyncfs_op op;
	int err;

	err = msyncfs_atomic_unopened(inode);
	if (err || !test_bit(MSYNCFS_I_DIRTY, &MSYNCFS_I(inode)->i_flags))
		return err;
	err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (!err) {
		msyncfs_op_add_inode(&op, inode, false);
		msyncfs_op_end(&op);
	}
	if (!err && wbc->sync_mode == WB_SYNC_ALL && !wbc->for_sync)
		err = msyncfs_commit(inode->i_sb, op.tid);
	return err;
}

/**
 * msyncfs_write_inode - super_operations.write_inode
 * @inode: inode
 * @wbc: kind of writeback
 *
 * Context: begins an operation; may sleep. With WB_SYNC_ALL, waits for the
 * commit. But if a call of sync_fs follows, this function does not wait,
 * because sync_fs makes one commit for all inodes.
 * Return: 0 or a negative errno.
 */
int msyncfs_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	if (!inode->i_nlink)
		return 0;
	return msyncfs_write_freezable(inode, wbc, msyncfs_write_attrs);
}

/*
 * Frees the inode's own block, the rest of a symbolic link, and the outer block of
 * the attributes. The inode has no other block left.
 */
static int msyncfs_free_inode_block(struct inode *inode)
{
	struct buffer_head *bh[] = {
		MSYNCFS_I(inode)->i_bh,
		msyncfs_read_rest(inode),
		msyncfs_xattr_outer_block(inode),
	};
	struct buffer_head *inodes = msyncfs_inodes_read(inode->i_sb,
							 inode->i_ino);
	int err = PTR_ERR_OR_ZERO(inodes);
	struct msyncfs_op op;
	unsigned int i;

	for (i = 0; !err && i < ARRAY_SIZE(bh); i++)
		if (IS_ERR_OR_NULL(bh[i]))
			err = PTR_ERR_OR_ZERO(bh[i]);
		else
			err = msyncfs_load_bitmaps(inode->i_sb,
						   bh[i]->b_blocknr, 1);
	if (!err)
		err = msyncfs_op_begin(inode->i_sb, &op, MSYNCFS_DELETE_CREDITS,
				       0);
	if (err)
		goto out;
	err = msyncfs_orphan_del(&op, inode);
	if (!err)
		msyncfs_inodes_mark(&op, inodes, inode->i_ino, false);
	for (i = ARRAY_SIZE(bh); !err && i-- > 0;)
		if (bh[i])
			msyncfs_op_free(&op, bh[i]);
	msyncfs_op_end(&op);
out:
	for (i = 1; i < ARRAY_SIZE(bh); i++)
		if (!IS_ERR(bh[i]))
			brelse(bh[i]);
	if (!IS_ERR(inodes))
		brelse(inodes);
	return err;
}

static int msyncfs_try_delete(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err = 0;

	/*
	 * No other task uses this inode. Take i_commit_lock nevertheless,
	 * because some functions check that the caller holds it. Lockdep must
	 * accept a nested lock, because this task may hold i_commit_lock of
	 * another file.
	 */
	mutex_lock_nested(&mi->i_commit_lock, SINGLE_DEPTH_NESTING);
	if (S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode))
		err = msyncfs_truncate_blocks(inode, 0);
	if (!err)
		err = msyncfs_xattr_free_values(inode);
	if (!err)
		err = msyncfs_free_inode_block(inode);
	mutex_unlock(&mi->i_commit_lock);
	return err;
}

/*
 * Deletes an inode that has no links left. If the deletion fails, the inode
 * stays on the orphan list on disk, and the next mount deletes the inode. If the
 * filesystem is frozen and the transaction has no room, the deletion waits for
 * the thaw, without a lock.
 */
static void msyncfs_delete_inode(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	int err;

	while ((err = msyncfs_try_delete(inode)) == -EFSFROZEN)
		msyncfs_wait_thaw(sb);
	if (err && !msyncfs_log_dead(MSYNCFS_SB(sb)))
		msyncfs_err(sb, "inode %llu: cannot be deleted (%d), left to the next mount",
			    (u64)inode->i_ino, err);
}

/*
 * Saves the times of an inode that leaves memory and stays on disk. All other
 * changes are part of a transaction already. The transaction keeps these
 * changes even if a record fails, and a later read of the inode finds them. So
 * the eviction does not wait for a commit, and memory reclaim may evict the
 * inode.
 */
static void msyncfs_save_times(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	struct msyncfs_op op;

	/* Only times can get lost, so do nothing during memory reclaim. */
	if (!test_bit(MSYNCFS_I_DIRTY, &MSYNCFS_I(inode)->i_flags) ||
	    (current->flags & PF_MEMALLOC))
		return;
	if (!msyncfs_op_begin(sb, &op, 1, 0)) {
		msyncfs_op_add_inode(&op, inode, false);
		msyncfs_op_end(&op);
	}
}

/**
 * msyncfs_evict_inode - super_operations.evict_inode
 * @inode: inode without references
 *
 * Deletes the inode if it has no links.
 *
 * Context: may sleep. A deletion may wait for a commit. Memory reclaim never
 * waits for a commit here, because it evicts only inodes that have links.
 */
void msyncfs_evict_inode(struct inode *inode)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	bool good = mi->i_bh && !is_bad_inode(inode);

	if (good && inode->i_nlink) {
		msyncfs_save_times(inode);
		msyncfs_atomic_lost(inode);
	}
	truncate_inode_pages_final(&inode->i_data);
	msyncfs_overlay_discard(inode);
	msyncfs_resv_release(inode, 0, ULONG_MAX);
	if (good && !inode->i_nlink)
		msyncfs_delete_inode(inode);
	msyncfs_orphan_leave(inode);
	clear_inode(inode);
	brelse(mi->i_bh);
	mi->i_bh = NULL;
}

/**
 * msyncfs_inode_init - make the inode cache, on module load
 * @set_ops: function that sets the operations of an inode; i_mode and i_bh are
 *	valid
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int msyncfs_inode_init(void (*set_ops)(struct inode *inode, dev_t rdev))
{
	msyncfs_inode_set_ops = set_ops;
	msyncfs_inode_cache =
		kmem_cache_create("msyncfs_inode",
				  sizeof(struct msyncfs_inode_info), 0,
				  SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
				  msyncfs_inode_once);
	return msyncfs_inode_cache ? 0 : -ENOMEM;
}

/**
 * msyncfs_inode_exit - destroy the inode cache, on module exit
 *
 * Context: may sleep.
 */
void msyncfs_inode_exit(void)
{
	rcu_barrier();	/* inodes are freed through RCU */
	kmem_cache_destroy(msyncfs_inode_cache);
}
