// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes: from disk into memory and back, their making, and their end. Size
 * changes and the freeing of blocks are fs/truncate.c's, names are
 * fs/namei.c's, and what is in a file is mm/'s.
 *
 * The inode's block (i_bh) stays referenced while the inode is in memory. The
 * map's root in it, the depth of the map and the count of blocks are kept by
 * fs/map.c, the link of the orphan list by fs/orphan.c; everything else is
 * authoritative in memory and written by msyncfs_inode_dirty().
 */
#include <kunit/visibility.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/writeback.h>

#include "vfs.h"

static struct kmem_cache *msyncfs_inode_cache;

/* Sets the operations of an inode, whose mode and block are there. */
static void (*msyncfs_inode_set_ops)(struct inode *inode, dev_t rdev);

/* Metadata blocks that deleting the inode itself dirties. */
#define MSYNCFS_DELETE_CREDITS	4

static void msyncfs_inode_once(void *obj)
{
	struct msyncfs_inode_info *mi = obj;

	inode_init_once(&mi->vfs_inode);
	mutex_init(&mi->i_commit_lock);
	init_rwsem(&mi->i_dio_sem);
	init_rwsem(&mi->i_freeze);
	init_rwsem(&mi->i_map_sem);
	spin_lock_init(&mi->i_resv_lock);
	xa_init(&mi->i_resv);
	/*
	 * ALLOC_RANGE not for the gaps, but for inner nodes that keep their
	 * metadata out of their slots: mt_free_walk() takes it for a child.
	 */
	mt_init_flags(&mi->i_overlay, MT_FLAGS_ALLOC_RANGE | MT_FLAGS_USE_RCU);
	mutex_init(&mi->i_open_lock);
	INIT_LIST_HEAD(&mi->i_orphan);
}

/**
 * msyncfs_alloc_inode - super_operations.alloc_inode
 * @sb: filesystem
 *
 * Return: the VFS part of a new inode, or NULL.
 */
struct inode *msyncfs_alloc_inode(struct super_block *sb)
{
	struct msyncfs_inode_info *mi;

	mi = alloc_inode_sb(sb, msyncfs_inode_cache, GFP_KERNEL);
	if (!mi)
		return NULL;
	mi->i_bh = NULL;
	mi->i_flags = 0;
	mi->i_map_depth = 0;
	mi->i_disksize = 0;
	mi->i_tid = 0;
	mi->i_data_tid = 0;
	mi->i_parent = 0;
	mi->i_entries = 0;
	mi->i_dir_depth = 0;
	mi->i_btime = (struct timespec64){};
	mi->i_dio_seq = 0;
	mi->i_spilled = 0;
	mi->i_opens = 0;
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
 * What fsync() has to wait for is not on disk, and an earlier life of the inode
 * may have ended before its last change was durable: take all that is not.
 */
static void msyncfs_inherit_tid(struct inode *inode)
{
	struct msyncfs_sb_info *sbi = MSYNCFS_SB(inode->i_sb);
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);

	msyncfs_direct_inherit(inode);
	if (msyncfs_all_durable(sbi, &mi->i_tid))
		mi->i_tid = 0;
	mi->i_data_tid = mi->i_tid;
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
		msyncfs_err(sb, "inode %lu: too large for this kernel",
			    inode->i_ino);
		return -EFBIG;
	}
	msyncfs_iblock_decode(inode);
	msyncfs_inherit_tid(inode);
	msyncfs_inode_set_ops(inode, new_decode_dev(le64_to_cpu(msyncfs_iblock(inode)->rdev)));
	return 0;
}

/**
 * msyncfs_iget - get an inode by number
 * @sb: filesystem
 * @ino: inode number, from disk
 *
 * Context: may sleep and do I/O.
 * Return: the inode, referenced; ERR_PTR(-ESTALE) if it has no links, which
 * only the working off of orphans may read; -EIO, -EUCLEAN, -EFBIG, all logged;
 * -ENOMEM.
 */
struct inode *msyncfs_iget(struct super_block *sb, u64 ino)
{
	struct inode *inode;
	int err;

	if (!msyncfs_is_data(&MSYNCFS_SB(sb)->geo, ino)) {
		msyncfs_err(sb, "inode %llu: outside the data area", ino);
		return ERR_PTR(-EFSCORRUPTED);
	}
	inode = iget_locked(sb, ino);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!(inode->i_state & I_NEW))
		return inode;
	err = msyncfs_read_inode(inode);
	if (err) {
		iget_failed(inode);
		return ERR_PTR(err);
	}
	unlock_new_inode(inode);
	return inode;
}

/* Gives the new inode its block and its place in the hash. */
static int msyncfs_new_block(struct msyncfs_op *op, struct inode *inode,
			     struct inode *dir)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct buffer_head *bh;
	u64 blkno, len;
	int err;

	err = msyncfs_alloc(op, dir->i_ino + 1, 1, &blkno, &len);
	if (err)
		return err;
	inode->i_ino = blkno;
	if (insert_inode_locked(inode) < 0) {
		/* Before the block is touched: it is not free, whatever the
		 * bitmap said.
		 */
		msyncfs_err(op->sb, "block %llu: free, but an inode in use",
			    blkno);
		return -EFSCORRUPTED;
	}
	bh = msyncfs_op_new(op, blkno, MSYNCFS_MAGIC_INODE, 0, blkno);
	if (IS_ERR(bh))
		return PTR_ERR(bh);
	mi->i_bh = bh;
	return 0;
}

/**
 * msyncfs_new_inode - make an inode
 * @op: open handle with credits for two blocks and one block to allocate
 * @dir: directory that it is made in
 * @idmap: of the mount
 * @mode: type and permissions
 * @rdev: of a device node
 *
 * The inode has one link and is dirty in @op, but a caller that goes on to
 * change it calls msyncfs_inode_dirty() again. It is locked (I_NEW).
 *
 * Context: inside @op; may sleep.
 * Return: the inode or ERR_PTR().
 */
struct inode *msyncfs_new_inode(struct msyncfs_op *op, struct inode *dir,
				struct mnt_idmap *idmap, umode_t mode,
				dev_t rdev)
{
	struct msyncfs_inode_info *mi;
	struct inode *inode;
	int err;

	inode = new_inode(op->sb);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	mi = MSYNCFS_I(inode);
	inode_init_owner(idmap, inode, dir, mode);
	inode->i_generation = get_random_u32();
	mi->i_btime = simple_inode_init_ts(inode);

	err = msyncfs_new_block(op, inode, dir);
	if (err) {
		/* Without a block it just goes. */
		if (inode->i_state & I_NEW) {
			remove_inode_hash(inode);
			discard_new_inode(inode);
		} else {
			iput(inode);
		}
		return ERR_PTR(err);
	}
	if (S_ISDIR(mode))
		mi->i_parent = dir->i_ino;
	msyncfs_inode_set_ops(inode, rdev);
	msyncfs_iblock(inode)->rdev = cpu_to_le64(new_encode_dev(inode->i_rdev));
	msyncfs_inode_dirty(op, inode, true);
	return inode;
}

/**
 * msyncfs_write_inode - super_operations.write_inode
 * @inode: inode
 * @wbc: what kind of writeback
 *
 * Context: begins an operation; with WB_SYNC_ALL waits for the commit, unless
 * sync_fs follows and commits for all inodes together.
 * Return: 0 or a negative errno.
 */
int msyncfs_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	struct msyncfs_op op;
	int err;

	if (!inode->i_nlink)
		return 0;
	err = msyncfs_atomic_unopened(inode, false);
	if (err || !test_bit(MSYNCFS_I_DIRTY, &mi->i_flags))
		return err;
	/* What could not be committed before a freeze stays as it is until the thaw. */
	if (!sb_start_intwrite_trylock(inode->i_sb)) {
		mark_inode_dirty_sync(inode);
		return 0;
	}
	err = msyncfs_op_begin(inode->i_sb, &op, 1, 0);
	if (!err) {
		msyncfs_inode_dirty(&op, inode, false);
		msyncfs_op_end(&op);
	}
	sb_end_intwrite(inode->i_sb);
	if (!err && wbc->sync_mode == WB_SYNC_ALL && !wbc->for_sync)
		err = msyncfs_commit(inode->i_sb, op.tid);
	return err;
}

/* Frees the inode's own block; the file has no blocks any more. */
static int msyncfs_free_inode_block(struct inode *inode)
{
	struct msyncfs_op op;
	int err;

	err = msyncfs_op_begin(inode->i_sb, &op, MSYNCFS_DELETE_CREDITS, 0);
	if (err)
		return err;
	err = msyncfs_orphan_del(&op, inode);
	if (!err)
		msyncfs_op_free(&op, MSYNCFS_I(inode)->i_bh);
	msyncfs_op_end(&op);
	return err;
}

/*
 * Deletes an inode that has no links left. If it cannot be done, the inode
 * stays on the orphan list on disk, and the next mount tries again.
 */
static void msyncfs_delete_inode(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	struct msyncfs_inode_info *mi = MSYNCFS_I(inode);
	int err = 0;

	sb_start_intwrite(sb);
	/*
	 * Nobody else has this inode; the locks are taken for those who check
	 * that they are held. A class of its own: the last reference may go
	 * under another file's lock.
	 */
	mutex_lock_nested(&mi->i_commit_lock, SINGLE_DEPTH_NESTING);
	if (S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode))
		err = msyncfs_truncate_blocks(inode, 0);
	if (!err)
		err = msyncfs_free_inode_block(inode);
	mutex_unlock(&mi->i_commit_lock);
	sb_end_intwrite(sb);

	if (err && !msyncfs_log_dead(MSYNCFS_SB(sb)))
		msyncfs_err(sb, "inode %lu: cannot be deleted (%d), left to the next mount",
			    inode->i_ino, err);
}

/*
 * An inode that stays on disk leaves memory. What of it is on its way to the log
 * stays in the transaction, also when a record fails, and is read from there;
 * so there is nothing to wait for, and memory reclaim may come here.
 */
static void msyncfs_save_times(struct inode *inode)
{
	struct super_block *sb = inode->i_sb;
	struct msyncfs_op op;

	/* Times only, and not while somebody waits for memory. */
	if (!test_bit(MSYNCFS_I_DIRTY, &MSYNCFS_I(inode)->i_flags) ||
	    (current->flags & PF_MEMALLOC) || sb_rdonly(sb) ||
	    msyncfs_log_dead(MSYNCFS_SB(sb)))
		return;
	/* Frozen: the thaw may be waiting for who drops the caches. */
	if (!sb_start_intwrite_trylock(sb))
		return;
	if (!msyncfs_op_begin(sb, &op, 1, 0)) {
		msyncfs_inode_dirty(&op, inode, false);
		msyncfs_op_end(&op);
	}
	sb_end_intwrite(sb);
}

/**
 * msyncfs_evict_inode - super_operations.evict_inode
 * @inode: inode that nobody has a reference to
 *
 * Context: deleting it may wait for a commit; that is never memory reclaim's to
 * do, which finds only inodes with links.
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
 * @set_ops: sets the operations of an inode, whose mode and block are there
 *
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
 * msyncfs_inode_exit - the reverse, on module exit
 */
void msyncfs_inode_exit(void)
{
	rcu_barrier();	/* inodes are freed through RCU */
	kmem_cache_destroy(msyncfs_inode_cache);
}
