// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for blocks with two owners, as in a damaged or hostile
 * filesystem. The map of a file or directory points to a block of another
 * owner, or the bitmap says that a block in use is free. The filesystem must
 * neither free nor reuse the block, and the block must not change.
 */
#include <kunit/test.h>
#include <linux/buffer_head.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/namei.h>

#include "files.h"
#include "fs/log/txn.h"

#define BLOCKS		2048
#define LOG_BLOCKS	512

/* The kinds of block to which the bad pointer leads. */
enum foreign {
	F_INODE,	/* an inode in memory */
	F_COLD,		/* an inode that is not in memory */
	F_NODE,		/* a node of the map of another inode */
	F_LEAF,		/* a block of another directory */
	F_DATA,		/* data of another file */
	F_NR,
};

struct owner_fixture {
	struct msyncfs_fake	*fake;
	struct super_block	*sb;
	struct file		*file;
	u64			block[F_NR];
};

static struct msyncfs_disk_inode *disk_inode(struct file *file)
{
	return (void *)MSYNCFS_I(file_inode(file))->i_bh->b_data;
}

static struct file *open_new(struct owner_fixture *fx, const char *name)
{
	return msyncfs_fake_open(fx->fake, name, O_CREAT | O_RDWR);
}

/*
 * Make two files and mount again, so that no block of the files is in memory.
 */
static void remount(struct kunit *test, struct owner_fixture *fx)
{
	struct file *file = open_new(fx, "file");

	files_write(test, file, 0, 1, 'f');
	files_write(test, file, 600, 1, 'g');
	msyncfs_fake_close(fx->fake, file);
	file = open_new(fx, "cold");
	fx->block[F_COLD] = file_inode(file)->i_ino;
	msyncfs_fake_close(fx->fake, file);
	msyncfs_fake_umount(fx->fake);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->sb = fx->fake->sb;
	files_quiet(fx->fake);
}

static int owner_init(struct kunit *test)
{
	struct msyncfs_inode_info *root;
	struct owner_fixture *fx;

	fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_mount(test, BLOCKS, LOG_BLOCKS);
	remount(test, fx);
	fx->file = msyncfs_fake_open(fx->fake, "file", O_RDWR);
	fx->block[F_INODE] = file_inode(fx->file)->i_ino;
	fx->block[F_DATA] = files_block(test, fx->file, 600);
	fx->block[F_NODE] = le64_to_cpu(disk_inode(fx->file)->ptr[1]);
	root = MSYNCFS_I(d_inode(fx->sb->s_root));
	fx->block[F_LEAF] = le64_to_cpu(((struct msyncfs_disk_inode *)
					 root->i_bh->b_data)->ptr[0]);
	test->priv = fx;
	return 0;
}

/* Return true if the bitmap says that the block is in use. */
static bool in_use(struct kunit *test, u64 blkno)
{
	struct owner_fixture *fx = test->priv;
	u64 group = blkno / MSYNCFS_GROUP_BLOCKS;
	struct msyncfs_disk_bitmap *bm;
	struct buffer_head *bh;
	bool used;

	bh = sb_bread(fx->sb, fx->fake->geo.bitmap_start + group);
	KUNIT_ASSERT_NOT_NULL(test, bh);
	bm = (void *)bh->b_data;
	used = test_bit_le(blkno % MSYNCFS_GROUP_BLOCKS, bm->bits);
	brelse(bh);
	return used;
}

/* Commit and checkpoint, so that freed blocks can be allocated. */
static void settle(struct kunit *test)
{
	struct owner_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->sb), 0);
}

/* Set the first pointer of an empty map to @blkno. 0 empties the map again. */
static void point(struct file *file, u64 blkno)
{
	struct msyncfs_disk_inode *di = disk_inode(file);

	msyncfs_known_forget(file_inode(file));
	di->ptr[0] = cpu_to_le64(blkno);
	di->blocks = cpu_to_le64(!!blkno);
	inode_set_bytes(file_inode(file), blkno ? MSYNCFS_BLOCK_SIZE : 0);
}

/* Expect that no block of the other owners has been freed or changed. */
static void expect_intact(struct kunit *test)
{
	struct owner_fixture *fx = test->priv;
	unsigned int i;

	settle(test);
	for (i = 0; i < F_NR; i++)
		KUNIT_EXPECT_TRUE_MSG(test, in_use(test, fx->block[i]),
				      "block %llu, kind %u", fx->block[i], i);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(disk_inode(fx->file)->h.magic),
			MSYNCFS_MAGIC_INODE);
	truncate_inode_pages(fx->file->f_mapping, 0);
	files_expect(test, fx->file, 0, 1, 'f');
	files_expect(test, fx->file, 600, 1, 'g');
	msyncfs_fake_open(fx->fake, "cold", O_RDWR);
}

/* ---- names -------------------------------------------------------------- */

static struct dentry *lookup(struct kunit *test, struct dentry *dir,
			     const char *name)
{
	struct dentry *dentry;

	inode_lock_nested(d_inode(dir), I_MUTEX_PARENT);
	dentry = msyncfs_kunit_lookup(dir, name);
	inode_unlock(d_inode(dir));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dentry);
	return dentry;
}

/* Make a directory in the root directory, or remove it. */
static int change_dir(struct kunit *test, const char *name, bool make)
{
	struct owner_fixture *fx = test->priv;
	struct dentry *root = fx->sb->s_root;
	struct dentry *dentry = lookup(test, root, name);
	int err;

	inode_lock_nested(d_inode(root), I_MUTEX_PARENT);
	err = make ? msyncfs_kunit_mkdir(d_inode(root), dentry, 0700) :
		     msyncfs_kunit_rmdir(d_inode(root), dentry);
	inode_unlock(d_inode(root));
	dput(dentry);
	return err;
}

static struct file *open_dir(struct kunit *test, const char *name)
{
	struct owner_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, change_dir(test, name, true), 0);
	return msyncfs_fake_open(fx->fake, name, O_RDONLY | O_DIRECTORY);
}

/* Give a file a second name, in @dir. */
static int link_into(struct kunit *test, struct file *file, struct file *dir)
{
	struct dentry *dentry = lookup(test, dir->f_path.dentry, "link");
	struct inode *inode = file_inode(dir);
	int err;

	inode_lock_nested(inode, I_MUTEX_PARENT);
	err = vfs_link(file->f_path.dentry, &nop_mnt_idmap, inode, dentry,
		       NULL);
	inode_unlock(inode);
	dput(dentry);
	return err;
}

/* ---- freeing ------------------------------------------------------------ */

static const struct foreign_row {
	const char	*name;
	enum foreign	kind;
} foreign_rows[] = {
	{ "inode in memory", F_INODE },
	{ "node of a map", F_NODE },
	{ "directory block", F_LEAF },
	/*
	 * These blocks are not in memory as metadata. A directory reads a block
	 * before it frees the block. A file frees data without reading it, so
	 * the cases for files leave these rows out.
	 */
	{ "inode on disk", F_COLD },
	{ "data", F_DATA },
};

KUNIT_ARRAY_PARAM_DESC(foreign, foreign_rows, name);

/* Return only the rows whose block is in memory as metadata. */
MSYNCFS_GEN_PARAMS(known)
{
	const struct foreign_row *row = MSYNCFS_GEN_NEXT(foreign);

	return row && row->kind != F_COLD && row->kind != F_DATA ? row : NULL;
}

/* rmdir(2) fails if the block of the directory cannot be freed. */
static void owner_rmdir(struct kunit *test)
{
	const struct foreign_row *row = test->param_value;
	struct owner_fixture *fx = test->priv;
	struct file *victim = open_dir(test, "victim");

	point(victim, fx->block[row->kind]);
	KUNIT_EXPECT_EQ(test, change_dir(test, "victim", false), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, file_inode(victim)->i_nlink, 2);
	expect_intact(test);
	point(victim, 0);
	KUNIT_EXPECT_EQ(test, change_dir(test, "victim", false), 0);
}

/*
 * The eviction of a directory finds the damage, after the name has been
 * removed. The inode stays allocated.
 */
static void owner_evict_dir(struct kunit *test)
{
	const struct foreign_row *row = test->param_value;
	struct owner_fixture *fx = test->priv;
	struct file *victim = open_dir(test, "victim");
	u64 ino = file_inode(victim)->i_ino;

	KUNIT_ASSERT_EQ(test, change_dir(test, "victim", false), 0);
	point(victim, fx->block[row->kind]);
	msyncfs_fake_close(fx->fake, victim);
	expect_intact(test);
	KUNIT_EXPECT_TRUE(test, in_use(test, ino));
}

/*
 * The map of a deleted directory points to the block of an open inode. If the
 * eviction freed this block, another directory would take it for its names.
 * Then the inode and the directory would both write to the block.
 */
static void owner_reused(struct kunit *test)
{
	struct owner_fixture *fx = test->priv;
	struct file *victim = open_dir(test, "victim");
	struct file *dir = open_dir(test, "dir");
	struct file *file = open_new(fx, "open");
	u64 ino = file_inode(file)->i_ino;
	struct iattr attr = {
		.ia_valid = ATTR_MODE,
		.ia_mode = S_IFREG | 0645,
	};
	int err;

	/*
	 * The block of the inode of @file follows the block of the inode of
	 * @dir. So if the block of @file were free, the first leaf of @dir
	 * would get it.
	 */
	KUNIT_ASSERT_EQ(test, ino, file_inode(dir)->i_ino + 1);
	KUNIT_ASSERT_EQ(test, change_dir(test, "victim", false), 0);
	point(victim, ino);
	msyncfs_fake_close(fx->fake, victim);
	settle(test);

	KUNIT_EXPECT_EQ(test, link_into(test, fx->file, dir), 0);
	inode_lock(file_inode(file));
	err = notify_change(&nop_mnt_idmap, file->f_path.dentry, &attr, NULL);
	inode_unlock(file_inode(file));
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(disk_inode(file)->h.magic),
			MSYNCFS_MAGIC_INODE);
	KUNIT_EXPECT_NE(test, le64_to_cpu(disk_inode(dir)->ptr[0]), ino);
	expect_intact(test);
}

/* A truncation frees no block that is in memory as metadata. */
static void owner_truncate(struct kunit *test)
{
	const struct foreign_row *row = test->param_value;
	struct owner_fixture *fx = test->priv;
	struct file *file = open_new(fx, "victim");

	point(file, fx->block[row->kind]);
	i_size_write(file_inode(file), MSYNCFS_BLOCK_SIZE);
	MSYNCFS_I(file_inode(file))->i_disksize = MSYNCFS_BLOCK_SIZE;
	KUNIT_EXPECT_EQ(test, files_truncate(file, 0), -EUCLEAN);
	expect_intact(test);
	KUNIT_EXPECT_EQ(test, inode_get_bytes(file_inode(file)),
			MSYNCFS_BLOCK_SIZE);
	point(file, 0);
}

/*
 * The eviction of a deleted file frees no block that is in memory as metadata.
 */
static void owner_evict_file(struct kunit *test)
{
	const struct foreign_row *row = test->param_value;
	struct owner_fixture *fx = test->priv;
	struct file *file = open_new(fx, "victim");

	KUNIT_ASSERT_EQ(test, files_unlink(fx->fake, "victim"), 0);
	point(file, fx->block[row->kind]);
	msyncfs_fake_close(fx->fake, file);
	expect_intact(test);
}

/* msyncfs_op_forget() refuses a block of another kind or another owner. */
static void owner_forget(struct kunit *test)
{
	struct owner_fixture *fx = test->priv;
	u64 ino = fx->block[F_INODE], node = fx->block[F_NODE];
	struct msyncfs_op op;
	int err;

	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fx->sb, &op, 1, 0), 0);
	msyncfs_op_add_inode(&op, file_inode(fx->file), true);
	err = msyncfs_op_forget(&op, ino, MSYNCFS_MAGIC_MAP, ino);
	KUNIT_EXPECT_EQ(test, err, -EUCLEAN);
	/* The node belongs to the file, not to the root directory. */
	err = msyncfs_op_forget(&op, node, MSYNCFS_MAGIC_MAP,
				fx->fake->geo.root_ino);
	KUNIT_EXPECT_EQ(test, err, -EUCLEAN);
	KUNIT_EXPECT_TRUE(test, test_bit(MSYNCFS_BH_TXN,
					 &MSYNCFS_I(file_inode(fx->file))->i_bh->b_state));
	msyncfs_op_end(&op);
	expect_intact(test);
}

/* ---- allocating --------------------------------------------------------- */

/*
 * The bitmap says that a block is free, but the block is in memory as metadata.
 * msyncfs_op_new() refuses the block.
 */
static void owner_new(struct kunit *test)
{
	const struct foreign_row *row = test->param_value;
	struct owner_fixture *fx = test->priv;
	u64 blkno = fx->block[row->kind], start, len;
	struct buffer_head *bh;
	struct msyncfs_op op;

	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fx->sb, &op, 1, 0), 0);
	msyncfs_free(&op, blkno, 1);
	msyncfs_op_end(&op);
	settle(test);

	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fx->sb, &op, 2, 1), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_alloc(&op, blkno, 1, &start, &len), 0);
	KUNIT_EXPECT_EQ(test, start, blkno);
	bh = msyncfs_op_new(&op, start, MSYNCFS_MAGIC_DIR, 0,
			    fx->fake->geo.root_ino);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(bh), -EUCLEAN);
	if (!IS_ERR(bh))
		brelse(bh);
	msyncfs_op_end(&op);
	expect_intact(test);
}

/*
 * The bitmap says that the block of an open inode is free. A directory
 * allocates this block for its first leaf, and the call fails. The next call
 * gets another block, because the first block stays in use.
 */
static void owner_bitmap(struct kunit *test)
{
	struct owner_fixture *fx = test->priv;
	struct file *dir = open_dir(test, "dir");
	struct file *file = open_new(fx, "open");
	u64 ino = file_inode(file)->i_ino;
	struct msyncfs_op op;

	/*
	 * The block of the inode of @file follows the block of the inode of
	 * @dir. So if the block of @file were free, the first leaf of @dir
	 * would get it.
	 */
	KUNIT_ASSERT_EQ(test, ino, file_inode(dir)->i_ino + 1);
	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fx->sb, &op, 1, 0), 0);
	msyncfs_free(&op, ino, 1);
	msyncfs_op_end(&op);
	settle(test);

	KUNIT_EXPECT_EQ(test, link_into(test, fx->file, dir), -EUCLEAN);
	settle(test);
	KUNIT_EXPECT_TRUE(test, in_use(test, ino));
	KUNIT_EXPECT_EQ(test, link_into(test, fx->file, dir), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(disk_inode(file)->h.magic),
			MSYNCFS_MAGIC_INODE);
	expect_intact(test);
}

/* ---- reading ------------------------------------------------------------ */

struct reader {
	struct super_block	*sb;
	u64			blkno;
	u32			magic;
	int			err;
	struct completion	done;
};

static int reader_run(void *data)
{
	struct reader *r = data;
	struct buffer_head *bh;

	bh = msyncfs_bread(r->sb, r->blkno, r->magic, r->blkno);
	r->err = PTR_ERR_OR_ZERO(bh);
	if (!IS_ERR(bh))
		brelse(bh);
	complete(&r->done);
	return 0;
}

/* Start a reader of a locked buffer, and return when the reader waits. */
static void reader_start(struct kunit *test, struct reader *r, u32 magic)
{
	struct owner_fixture *fx = test->priv;
	struct task_struct *task;
	bool waits = false;
	unsigned int i;

	r->sb = fx->sb;
	r->blkno = fx->block[F_COLD];
	r->magic = magic;
	init_completion(&r->done);
	task = kthread_create(reader_run, r, "msyncfs_reader");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);
	wake_up_process(task);
	for (i = 0; i < 1000 && !waits; i++) {
		msleep(20);
		waits = READ_ONCE(task->__state) & TASK_UNINTERRUPTIBLE;
	}
	KUNIT_EXPECT_TRUE(test, waits);
	put_task_struct(task);
}

/*
 * Two readers read a block at the same time. Each reader expects another kind
 * of block.
 */
static void owner_two_readers(struct kunit *test)
{
	struct owner_fixture *fx = test->priv;
	static struct reader inode, map;
	struct buffer_head *bh;

	bh = sb_bread(fx->sb, fx->block[F_COLD]);
	KUNIT_ASSERT_NOT_NULL(test, bh);
	lock_buffer(bh);
	reader_start(test, &inode, MSYNCFS_MAGIC_INODE);
	reader_start(test, &map, MSYNCFS_MAGIC_MAP);
	unlock_buffer(bh);
	wait_for_completion(&inode.done);
	wait_for_completion(&map.done);
	KUNIT_EXPECT_EQ(test, inode.err, 0);
	KUNIT_EXPECT_EQ(test, map.err, -EUCLEAN);
	brelse(bh);
}

/*
 * All pointers of a map lead to one node, and all pointers of the node to one block. The
 * map has many more runs than the device has blocks. Calls that walk through all runs
 * must end early.
 */
static void owner_ring(struct kunit *test)
{
	struct owner_fixture *fx = test->priv;
	struct msyncfs_disk_inode *di = disk_inode(fx->file), *old;
	struct msyncfs_disk_map *node, *old_node;
	loff_t size = i_size_read(file_inode(fx->file));
	struct buffer_head *bh;

	bh = sb_bread(fx->sb, fx->block[F_NODE]);
	KUNIT_ASSERT_NOT_NULL(test, bh);
	node = (void *)bh->b_data;
	old = kunit_kmalloc(test, sizeof(*old), GFP_KERNEL);
	old_node = kunit_kmalloc(test, sizeof(*old_node), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, old && old_node);
	memcpy(old, di, sizeof(*old));
	memcpy(old_node, node, sizeof(*old_node));
	memset64((u64 *)di->ptr, fx->block[F_NODE], MSYNCFS_INODE_PTRS);
	memset64((u64 *)node->ptr, fx->block[F_DATA], MSYNCFS_NODE_PTRS);
	i_size_write(file_inode(fx->file),
		     msyncfs_map_capacity(1) << MSYNCFS_BLOCK_SHIFT);

	KUNIT_EXPECT_EQ(test, vfs_llseek(fx->file, 0, SEEK_HOLE), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, msyncfs_home_range(file_inode(fx->file), 0, S64_MAX),
			-EUCLEAN);
	KUNIT_EXPECT_EQ(test, vfs_fallocate(fx->file, FALLOC_FL_KEEP_SIZE, 0,
					    i_size_read(file_inode(fx->file))),
			-EUCLEAN);

	i_size_write(file_inode(fx->file), size);
	memcpy(di, old, sizeof(*di));
	memcpy(node, old_node, sizeof(*node));
	brelse(bh);
	expect_intact(test);
}

static struct kunit_case owner_cases[] = {
	KUNIT_CASE_PARAM(owner_rmdir, foreign_gen_params),
	KUNIT_CASE_PARAM(owner_evict_dir, foreign_gen_params),
	KUNIT_CASE(owner_reused),
	KUNIT_CASE_PARAM(owner_truncate, known_gen_params),
	KUNIT_CASE_PARAM(owner_evict_file, known_gen_params),
	KUNIT_CASE(owner_forget),
	KUNIT_CASE_PARAM(owner_new, known_gen_params),
	KUNIT_CASE(owner_bitmap),
	KUNIT_CASE(owner_two_readers),
	KUNIT_CASE(owner_ring),
	{}
};

static struct kunit_suite owner_suite = {
	.name		= "msyncfs_owner",
	.init		= owner_init,
	.test_cases	= owner_cases,
};

kunit_test_suite(owner_suite);
