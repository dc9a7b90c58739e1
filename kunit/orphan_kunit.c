// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the orphan list. The list on disk must have the same inodes
 * as the list in memory, in whatever order inodes leave the list. After a
 * crash, the mount must free the space of inodes without a name. A mount must
 * refuse a damaged list.
 */
#include <kunit/test.h>
#include <linux/buffer_head.h>
#include <linux/fs.h>
#include <linux/namei.h>

#include "fake.h"
#include "fs/vfs/vfs.h"

#define ORPHAN_BLOCKS		2048
#define ORPHAN_LOG_BLOCKS	512
#define ORPHAN_FILES		5

static int orphan_init(struct kunit *test)
{
	test->priv = msyncfs_fake_mount(test, ORPHAN_BLOCKS, ORPHAN_LOG_BLOCKS);
	return test->priv ? 0 : -ENOMEM;
}

static struct file *unnamed(struct msyncfs_fake *fake)
{
	return msyncfs_fake_open(fake, ".", O_TMPFILE | O_RDWR);
}

static u64 disk_head(struct super_block *sb)
{
	struct msyncfs_disk_root *root;

	root = (void *)MSYNCFS_SB(sb)->orphans->root_bh->b_data;
	return le64_to_cpu(root->orphan_head);
}

/*
 * Expect that the list on disk has the inodes of @files, the last file first.
 * Skip the entries of @files that are NULL.
 */
static void expect_chain(struct kunit *test, struct super_block *sb,
			 struct file **files, unsigned int nr)
{
	u64 ino = disk_head(sb);

	while (nr--) {
		struct msyncfs_disk_inode *di;
		struct inode *inode;

		if (!files[nr])
			continue;
		inode = file_inode(files[nr]);
		KUNIT_EXPECT_EQ(test, ino, inode->i_ino);
		KUNIT_EXPECT_TRUE(test, test_bit(MSYNCFS_I_ORPHAN,
						 &MSYNCFS_I(inode)->i_flags));
		di = (void *)MSYNCFS_I(inode)->i_bh->b_data;
		ino = le64_to_cpu(di->orphan_next);
	}
	KUNIT_EXPECT_EQ(test, ino, 0);
}

/* The inodes leave the list in these orders. */
static const struct leaving {
	const char *name;
	unsigned char order[ORPHAN_FILES];
} leavings[] = {
	{ "oldest first", { 0, 1, 2, 3, 4 } },
	{ "newest first", { 4, 3, 2, 1, 0 } },
	{ "middle first", { 2, 1, 3, 0, 4 } },
	{ "inside out", { 2, 3, 1, 4, 0 } },
	{ "outside in", { 0, 4, 1, 3, 2 } },
};

KUNIT_ARRAY_PARAM_DESC(leaving, leavings, name);

static void orphan_order(struct kunit *test)
{
	const struct leaving *leaving = test->param_value;
	struct msyncfs_fake *fake = test->priv;
	struct file *files[ORPHAN_FILES];
	unsigned int i;

	for (i = 0; i < ORPHAN_FILES; i++) {
		files[i] = unnamed(fake);
		expect_chain(test, fake->sb, files, i + 1);
	}
	for (i = 0; i < ORPHAN_FILES; i++) {
		unsigned int who = leaving->order[i];

		msyncfs_fake_close(fake, files[who]);
		files[who] = NULL;
		expect_chain(test, fake->sb, files, ORPHAN_FILES);
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&MSYNCFS_SB(fake->sb)->orphans->list));
}

static struct dentry *lookup(struct kunit *test, struct dentry *dir,
			     const char *name)
{
	struct dentry *dentry;

	inode_lock(d_inode(dir));
	dentry = msyncfs_kunit_lookup(dir, name);
	inode_unlock(d_inode(dir));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dentry);
	return dentry;
}

static int unlink(struct kunit *test, struct msyncfs_fake *fake,
		  const char *name)
{
	struct dentry *root = fake->sb->s_root;
	struct dentry *dentry = lookup(test, root, name);
	int err;

	inode_lock(d_inode(root));
	err = vfs_unlink(&nop_mnt_idmap, d_inode(root), dentry, NULL);
	inode_unlock(d_inode(root));
	dput(dentry);
	return err;
}

/*
 * An inode without a name leaves the list when it gets a name. The inode joins
 * the list again when this name is removed.
 */
static void orphan_link(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	struct dentry *root = fake->sb->s_root;
	struct file *files[3];
	struct dentry *dentry;
	struct inode *inode;
	unsigned int i;

	for (i = 0; i < 3; i++)
		files[i] = unnamed(fake);
	inode = file_inode(files[1]);
	dentry = lookup(test, root, "named");
	inode_lock(d_inode(root));
	KUNIT_EXPECT_EQ(test, vfs_link(file_dentry(files[1]), &nop_mnt_idmap,
				       d_inode(root), dentry, NULL), 0);
	inode_unlock(d_inode(root));
	dput(dentry);
	KUNIT_EXPECT_EQ(test, inode->i_nlink, 1);
	KUNIT_EXPECT_FALSE(test, test_bit(MSYNCFS_I_ORPHAN,
					  &MSYNCFS_I(inode)->i_flags));
	KUNIT_EXPECT_EQ(test, disk_head(fake->sb), file_inode(files[2])->i_ino);

	KUNIT_EXPECT_EQ(test, unlink(test, fake, "named"), 0);
	KUNIT_EXPECT_EQ(test, inode->i_nlink, 0);
	KUNIT_EXPECT_EQ(test, disk_head(fake->sb), inode->i_ino);
	for (i = 0; i < 3; i++)
		msyncfs_fake_close(fake, files[i]);
	KUNIT_EXPECT_EQ(test, disk_head(fake->sb), 0);
}

/* Lose all writes from now on, but report success for them. */
static void lose_power(struct msyncfs_fake *fake)
{
	mutex_lock(&fake->lock);
	fake->lost = true;
	mutex_unlock(&fake->lock);
}

/*
 * Crash with @nr inodes on the durable list. Some of these inodes had a name
 * before, the rest never had a name.
 */
static void crash_with_orphans(struct kunit *test, struct msyncfs_fake *fake,
			       unsigned int nr)
{
	struct file *files[ORPHAN_FILES];
	char data[64] = "what an orphan holds";
	unsigned int i;
	char name[8];
	loff_t pos;

	for (i = 0; i < nr; i++) {
		if (i & 1) {
			files[i] = unnamed(fake);
		} else {
			sprintf(name, "f%u", i);
			files[i] = msyncfs_fake_open(fake, name,
						     O_CREAT | O_RDWR);
		}
		pos = 0;
		KUNIT_EXPECT_EQ(test, kernel_write(files[i], data, sizeof(data),
						   &pos), sizeof(data));
		KUNIT_EXPECT_EQ(test, vfs_fsync(files[i], 0), 0);
		if (!(i & 1))
			KUNIT_EXPECT_EQ(test, unlink(test, fake, name), 0);
	}
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fake->sb), 0);
	lose_power(fake);
	for (i = 0; i < nr; i++)
		msyncfs_fake_close(fake, files[i]);
	msyncfs_fake_crash(fake, NULL, NULL);
}

static void orphan_crash(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	u64 avail;

	/*
	 * Let the root directory get its first leaf. The directory keeps the
	 * leaf, so it takes no block after @avail is set.
	 */
	msyncfs_fake_close(fake, msyncfs_fake_open(fake, "x", O_CREAT));
	KUNIT_ASSERT_EQ(test, unlink(test, fake, "x"), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fake->sb), 0);
	avail = msyncfs_space_avail(fake->sb);

	crash_with_orphans(test, fake, ORPHAN_FILES);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, disk_head(fake->sb), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&MSYNCFS_SB(fake->sb)->orphans->list));
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fake->sb), avail);
	/* Another mount finds the list empty. */
	msyncfs_fake_umount(fake);
	KUNIT_EXPECT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fake->sb), avail);
}

/* ---- damage ------------------------------------------------------------- */

static void edit_root(struct msyncfs_fake *fake, void *buf, u64 head)
{
	struct msyncfs_disk_root *root = buf;

	msyncfs_fake_read(fake, MSYNCFS_ROOT_BLKNO, buf);
	root->orphan_head = cpu_to_le64(head);
	msyncfs_seal_block(&fake->geo, buf, le64_to_cpu(root->h.seq));
	msyncfs_fake_write(fake, MSYNCFS_ROOT_BLKNO, buf);
}

/* Return the first inode of the list on disk. */
static u64 read_head(struct msyncfs_fake *fake, void *buf)
{
	struct msyncfs_disk_root *root = buf;

	msyncfs_fake_read(fake, MSYNCFS_ROOT_BLKNO, buf);
	return le64_to_cpu(root->orphan_head);
}

static void head_outside(struct msyncfs_fake *fake, void *buf)
{
	edit_root(fake, buf, fake->geo.blocks + 5);
}

static void head_in_log(struct msyncfs_fake *fake, void *buf)
{
	edit_root(fake, buf, fake->geo.log_start + 1);
}

static void head_no_inode(struct msyncfs_fake *fake, void *buf)
{
	edit_root(fake, buf, fake->geo.blocks - 2);
}

/* Let the last inode of the list refer to the first inode. */
static void cycle(struct msyncfs_fake *fake, void *buf)
{
	u64 head = read_head(fake, buf);
	struct msyncfs_disk_inode *di = buf;
	u64 ino, next;

	for (ino = head; ; ino = next) {
		msyncfs_fake_read(fake, ino, buf);
		next = le64_to_cpu(di->orphan_next);
		if (!next)
			break;
	}
	di->orphan_next = cpu_to_le64(head);
	msyncfs_seal_block(&fake->geo, buf, le64_to_cpu(di->h.seq));
	msyncfs_fake_write(fake, ino, buf);
}

static void bad_checksum(struct msyncfs_fake *fake, void *buf)
{
	u64 head = read_head(fake, buf);

	msyncfs_fake_read(fake, head, buf);
	((u8 *)buf)[MSYNCFS_BLOCK_SIZE - 1] ^= 1;
	msyncfs_fake_write(fake, head, buf);
}

static const struct damage {
	const char *name;
	void (*harm)(struct msyncfs_fake *fake, void *buf);
} damages[] = {
	{ "head beyond the end", head_outside },
	{ "head in the log", head_in_log },
	{ "head is no inode", head_no_inode },
	{ "a list that bites its tail", cycle },
	{ "inode with a wrong checksum", bad_checksum },
};

KUNIT_ARRAY_PARAM_DESC(damage, damages, name);

static void orphan_damaged(struct kunit *test)
{
	const struct damage *damage = test->param_value;
	struct msyncfs_fake *fake = test->priv;
	void *buf = kunit_kmalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	crash_with_orphans(test, fake, 3);
	damage->harm(fake, buf);
	KUNIT_EXPECT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL),
			-EFSCORRUPTED);
}

/*
 * An inode that could not be deleted stays on the list on disk after it has left
 * memory. Only this inode may have blocks beyond its end, and it is on the list
 * only once if it comes back.
 */
static void orphan_left(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	struct file *file = msyncfs_fake_open(fake, "f", O_CREAT | O_RDWR);
	struct file *other = msyncfs_fake_open(fake, "g", O_CREAT | O_RDWR);
	struct inode *inode = file_inode(file);
	struct msyncfs_op op;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fake->sb, &op, 8, 0), 0);
		msyncfs_orphan_add(&op, inode);
		msyncfs_op_end(&op);
		expect_chain(test, fake->sb, &file, 1);
		msyncfs_orphan_leave(inode);
		KUNIT_EXPECT_TRUE(test, msyncfs_unfinished(inode));
		KUNIT_EXPECT_FALSE(test, msyncfs_unfinished(file_inode(other)));
	}
	/* Put it on the list in memory again, so that it can be deleted. */
	KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fake->sb, &op, 8, 0), 0);
	msyncfs_orphan_add(&op, inode);
	KUNIT_EXPECT_EQ(test, msyncfs_orphan_del(&op, inode), 0);
	msyncfs_op_end(&op);
	KUNIT_EXPECT_FALSE(test, msyncfs_unfinished(inode));
	KUNIT_EXPECT_EQ(test, disk_head(fake->sb), 0);
}

static struct kunit_case orphan_cases[] = {
	KUNIT_CASE_PARAM(orphan_order, leaving_gen_params),
	KUNIT_CASE(orphan_link),
	KUNIT_CASE(orphan_crash),
	KUNIT_CASE(orphan_left),
	KUNIT_CASE_PARAM(orphan_damaged, damage_gen_params),
	{}
};

static struct kunit_suite orphan_suite = {
	.name		= "msyncfs_orphan",
	.init		= orphan_init,
	.test_cases	= orphan_cases,
};

kunit_test_suite(orphan_suite);
