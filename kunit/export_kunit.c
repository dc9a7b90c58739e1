// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for file handles and the inode bitmap (B8). A handle leads to its inode
 * after an unmount and after a crash. It never leads to a block that is not an inode,
 * whatever the block contains, and a wrong handle leaves no message.
 */
#include <kunit/test.h>
#include <linux/buffer_head.h>
#include <linux/exportfs.h>
#include <linux/fs.h>
#include <linux/namei.h>

#include "files.h"
#include "fs/vfs/vfs.h"
#include "kmsg.h"

#define BLOCKS		2048
#define LOG_BLOCKS	256

/* A handle with a parent. The parent is all zeros in a handle without one. */
struct handle {
	u64	ino;
	u32	gen;
	u64	parent;
	u32	parent_gen;
} __packed;

static_assert(sizeof(struct handle) == 24);

static int export_init(struct kunit *test)
{
	struct msyncfs_fake *fake = msyncfs_fake_mount(test, BLOCKS, LOG_BLOCKS);

	files_quiet(fake);
	test->priv = fake;
	return 0;
}

static struct handle handle_of(struct kunit *test, struct inode *inode)
{
	struct handle h = {};
	int len = 3;

	KUNIT_EXPECT_EQ(test, msyncfs_export_ops.encode_fh(inode, (u32 *)&h, &len,
							   NULL),
			FILEID_INO64_GEN);
	KUNIT_EXPECT_EQ(test, len, 3);
	return h;
}

/* Make a file that is durable and home, and return its handle. */
static struct handle make_file(struct kunit *test, const char *name)
{
	struct msyncfs_fake *fake = test->priv;
	struct file *file = msyncfs_fake_open(fake, name, O_CREAT | O_RDWR);
	struct handle h = handle_of(test, file_inode(file));

	msyncfs_fake_close(fake, file);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fake->sb), 0);
	return h;
}

/* Follow a handle. Return 0 if it leads to its inode, or a negative errno. */
static int follow_type(struct kunit *test, struct handle h, int len, int type)
{
	struct msyncfs_fake *fake = test->priv;
	struct dentry *dentry;

	dentry = msyncfs_export_ops.fh_to_dentry(fake->sb, (struct fid *)&h, len,
						 type);
	if (!dentry)
		return -EINVAL;
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	KUNIT_EXPECT_EQ(test, d_inode(dentry)->i_ino, h.ino);
	KUNIT_EXPECT_EQ(test, d_inode(dentry)->i_generation, h.gen);
	dput(dentry);
	return 0;
}

static int follow(struct kunit *test, struct handle h)
{
	return follow_type(test, h, 3, FILEID_INO64_GEN);
}

static void remount(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;

	msyncfs_fake_umount(fake);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	files_quiet(fake);
}

static void crash(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;

	msyncfs_fake_crash(fake, NULL, NULL);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	files_quiet(fake);
}

static void export_follow(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	struct handle h = make_file(test, "f"), wrong = h;
	struct handle root = handle_of(test, d_inode(fake->sb->s_root));
	struct file *file;

	KUNIT_EXPECT_EQ(test, follow(test, h), 0);
	remount(test);
	KUNIT_EXPECT_EQ(test, follow(test, h), 0);
	KUNIT_EXPECT_EQ(test, follow(test, root), 0);
	wrong.gen++;
	KUNIT_EXPECT_EQ(test, follow(test, wrong), -ESTALE);

	/* The inode is only in the log. */
	file = msyncfs_fake_open(fake, "logged", O_CREAT | O_RDWR);
	h = handle_of(test, file_inode(file));
	KUNIT_EXPECT_EQ(test, vfs_fsync(file, 0), 0);
	msyncfs_fake_close(fake, file);
	crash(test);
	KUNIT_EXPECT_EQ(test, follow(test, h), 0);

	/* The inode was never durable. */
	file = msyncfs_fake_open(fake, "lost", O_CREAT | O_RDWR);
	h = handle_of(test, file_inode(file));
	msyncfs_fake_close(fake, file);
	crash(test);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
}

static void export_types(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	struct inode *root = d_inode(fake->sb->s_root);
	struct handle h = make_file(test, "f");
	int type, len;

	for (type = 0; type < 0x100; type++)
		for (len = 0; len <= 6; len++)
			KUNIT_EXPECT_EQ_MSG(test, follow_type(test, h, len, type),
					    (type == FILEID_INO64_GEN && len >= 3) ||
					    (type == FILEID_INO64_GEN_PARENT && len >= 6) ?
					    0 : -EINVAL, "type %d, length %d", type, len);
	for (len = 0; len < 6; len++) {
		int max = len, want = len < 3 ? 3 : 6;

		KUNIT_EXPECT_EQ(test, msyncfs_export_ops.encode_fh(root, (u32 *)&h,
								   &max,
								   len < 3 ? NULL : root),
				FILEID_INVALID);
		KUNIT_EXPECT_EQ(test, max, want);
	}
}

/* Numbers of anything but an inode lead nowhere, and leave no message. */
static void export_hostile(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	struct file *file = msyncfs_fake_open(fake, "f", O_CREAT | O_RDWR);
	struct msyncfs_geo geo = fake->geo;
	const u64 far[] = {
		geo.blocks, geo.blocks + 5, 1ULL << 32 | geo.root_ino,
		1ULL << 56 | geo.root_ino, 1ULL << 63 | geo.root_ino, U64_MAX,
	};
	struct handle h = { .gen = 4711 };
	u64 data, node, inode;
	struct kmsg kmsg;
	unsigned int i;

	files_write(test, file, 0, 1, 1);
	files_write(test, file, 100000, 1, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(file, 0), 0);
	data = files_block(test, file, 0);
	node = le64_to_cpu(msyncfs_iblock(file_inode(file))->ptr[0]);
	inode = file_inode(file)->i_ino;
	msyncfs_fake_close(fake, file);
	remount(test);

	kmsg_start(&kmsg);
	for (h.ino = 0; h.ino < geo.blocks; h.ino++)
		KUNIT_EXPECT_EQ_MSG(test, follow(test, h), -ESTALE, "%llu", h.ino);
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		h.ino = far[i];
		KUNIT_EXPECT_EQ_MSG(test, follow(test, h), -ESTALE, "%llu", h.ino);
	}
	KUNIT_EXPECT_FALSE_MSG(test, kmsg_next(&kmsg, fake), "%s", kmsg.line);
	KUNIT_EXPECT_EQ(test, msyncfs_inodes_test(fake->sb, inode), 1);
	KUNIT_EXPECT_EQ(test, msyncfs_inodes_test(fake->sb, data), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_inodes_test(fake->sb, node), 0);

	/* All blocks can still become inodes and data. */
	file = msyncfs_fake_open(fake, "all", O_CREAT | O_RDWR);
	files_write(test, file, 0, 200, 3);
	KUNIT_EXPECT_EQ(test, vfs_fsync(file, 0), 0);
	for (i = 0; i < 200; i++) {
		char name[8];

		sprintf(name, "n%u", i);
		msyncfs_fake_close(fake, msyncfs_fake_open(fake, name,
							   O_CREAT | O_RDWR));
	}
	files_expect(test, file, 0, 200, 3);
}

/* A block of data looks like an inode, with the right checksum. */
static void export_crafted(struct kunit *test)
{
	struct msyncfs_disk_inode *di = kunit_kzalloc(test, sizeof(*di), GFP_KERNEL);
	struct msyncfs_fake *fake = test->priv;
	struct file *file = msyncfs_fake_open(fake, "f", O_CREAT | O_RDWR);
	struct handle h = { .gen = 4711 };
	loff_t pos = 0;

	KUNIT_ASSERT_NOT_NULL(test, di);
	files_write(test, file, 0, 1, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(file, 0), 0);
	h.ino = files_block(test, file, 0);
	msyncfs_init_block(di, MSYNCFS_MAGIC_INODE, 0, h.ino, h.ino);
	di->mode = cpu_to_le32(S_IFREG | S_ISUID | 0777);
	di->nlink = cpu_to_le32(1);
	di->generation = cpu_to_le32(h.gen);
	msyncfs_seal_block(&fake->geo, di, 1);
	KUNIT_ASSERT_EQ(test, kernel_write(file, di, sizeof(*di), &pos),
			sizeof(*di));
	KUNIT_ASSERT_EQ(test, vfs_fsync(file, 0), 0);
	KUNIT_ASSERT_EQ(test, files_block(test, file, 0), h.ino);
	msyncfs_fake_close(fake, file);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	remount(test);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	msyncfs_fake_read(fake, h.ino, di);
	KUNIT_EXPECT_NULL(test, msyncfs_verify_block(&fake->geo, di, h.ino,
						     MSYNCFS_MAGIC_INODE, h.ino));
}

/*
 * The block of a deleted inode still has an image with a link, because the inode was
 * unlinked and deleted in one transaction. Later the block is an unwritten block.
 */
static void export_deleted(struct kunit *test)
{
	struct msyncfs_disk_inode *di = kunit_kzalloc(test, sizeof(*di), GFP_KERNEL);
	struct msyncfs_fake *fake = test->priv;
	struct handle other = make_file(test, "other"), h = make_file(test, "f");
	struct file *file;
	u64 i, nr = 500;

	KUNIT_ASSERT_NOT_NULL(test, di);
	remount(test);
	KUNIT_EXPECT_EQ(test, files_unlink(fake, "f"), 0);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	crash(test);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	KUNIT_EXPECT_EQ(test, follow(test, other), 0);
	msyncfs_fake_read(fake, h.ino, di);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(di->nlink), 1);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(di->generation), h.gen);

	file = msyncfs_fake_open(fake, "other", O_RDWR);
	KUNIT_ASSERT_EQ(test, vfs_fallocate(file, 0, 0, nr << PAGE_SHIFT), 0);
	for (i = 0; i < nr && files_block(test, file, i) != h.ino; i++)
		;
	KUNIT_ASSERT_LT(test, i, nr);
	KUNIT_EXPECT_EQ(test, vfs_fsync(file, 0), 0);
	msyncfs_fake_close(fake, file);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	remount(test);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
}

/* A handle leads to an unlinked file while it is open, and not to its successor. */
static void export_reused(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	struct handle h = make_file(test, "f"), next;
	struct file *file = msyncfs_fake_open(fake, "f", O_RDWR);

	KUNIT_EXPECT_EQ(test, files_unlink(fake, "f"), 0);
	KUNIT_EXPECT_EQ(test, follow(test, h), 0);
	msyncfs_fake_close(fake, file);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fake->sb), 0);
	next = make_file(test, "next");
	KUNIT_ASSERT_EQ(test, next.ino, h.ino);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	KUNIT_EXPECT_EQ(test, follow(test, next), 0);
	remount(test);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	KUNIT_EXPECT_EQ(test, follow(test, next), 0);
}

static struct inode *make_dir(struct kunit *test, struct inode *dir,
			      struct dentry *parent, const char *name)
{
	struct dentry *dentry;
	struct inode *inode;

	inode_lock(dir);
	dentry = msyncfs_kunit_lookup(parent, name);
	KUNIT_EXPECT_EQ(test, msyncfs_kunit_mkdir(dir, dentry, 0700), 0);
	inode_unlock(dir);
	inode = igrab(d_inode(dentry));
	dput(dentry);
	return inode;
}

/* The NFS server makes a new directory durable; a handle leads to its parent. */
static void export_directory(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	struct dentry *root = fake->sb->s_root, *child, *parent;
	struct inode *dir = make_dir(test, d_inode(root), root, "d");
	struct handle h = handle_of(test, dir), both;
	int len = 6;

	KUNIT_EXPECT_EQ(test,
			msyncfs_export_ops.encode_fh(dir, (u32 *)&both, &len,
						     d_inode(root)),
			FILEID_INO64_GEN_PARENT);
	KUNIT_EXPECT_EQ(test, both.parent, fake->geo.root_ino);
	KUNIT_EXPECT_EQ(test, msyncfs_export_ops.commit_metadata(dir), 0);
	iput(dir);
	crash(test);
	KUNIT_ASSERT_EQ(test, follow(test, h), 0);
	KUNIT_EXPECT_EQ(test, follow_type(test, both, 6, FILEID_INO64_GEN_PARENT),
			0);
	root = fake->sb->s_root;
	child = msyncfs_export_ops.fh_to_dentry(fake->sb, (struct fid *)&h, 3,
						FILEID_INO64_GEN);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, child);
	parent = msyncfs_export_ops.get_parent(child);
	KUNIT_EXPECT_PTR_EQ(test, parent, root);
	dput(parent);
	dput(child);
	parent = msyncfs_export_ops.fh_to_parent(fake->sb, (struct fid *)&both, 6,
						 FILEID_INO64_GEN_PARENT);
	KUNIT_EXPECT_PTR_EQ(test, parent, root);
	dput(parent);
	KUNIT_EXPECT_NULL(test,
			  msyncfs_export_ops.fh_to_parent(fake->sb,
							  (struct fid *)&h, 3,
							  FILEID_INO64_GEN));
}

/* New attributes and names are durable when the NFS server replies. */
static void export_durable(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	struct iattr attr = { .ia_valid = ATTR_MODE, .ia_mode = S_IFREG | 0642 };
	struct file *file;

	make_file(test, "f");
	file = msyncfs_fake_open(fake, "f", O_RDWR);
	inode_lock(file_inode(file));
	KUNIT_EXPECT_EQ(test, notify_change(&nop_mnt_idmap, file_dentry(file),
					    &attr, NULL), 0);
	inode_unlock(file_inode(file));
	KUNIT_EXPECT_EQ(test, msyncfs_export_ops.commit_metadata(file_inode(file)),
			0);
	msyncfs_fake_close(fake, file);
	crash(test);
	file = msyncfs_fake_open(fake, "f", O_RDWR);
	KUNIT_EXPECT_EQ(test, file_inode(file)->i_mode, S_IFREG | 0642);
	msyncfs_fake_close(fake, file);

	KUNIT_EXPECT_EQ(test, files_unlink(fake, "f"), 0);
	KUNIT_EXPECT_EQ(test,
			msyncfs_export_ops.commit_metadata(d_inode(fake->sb->s_root)),
			0);
	crash(test);
	KUNIT_EXPECT_EQ(test, files_unlink(fake, "f"), -ENOENT);
}

/* If the inode bitmap cannot be read, no inode is made or deleted. */
static enum msyncfs_fake_fate bad_inodes(struct msyncfs_fake *fake,
					 struct bio *bio, unsigned int ops)
{
	return bio->bi_iter.bi_sector >> 3 == fake->geo.inodes_start ?
	       MSYNCFS_FAKE_FAILS : MSYNCFS_FAKE_DONE;
}

static void export_unreadable(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;
	struct path root;
	struct handle h = make_file(test, "f");
	struct file *file;
	u64 free;

	remount(test);
	root.mnt = fake->mnt;
	root.dentry = fake->mnt->mnt_root;
	free = msyncfs_space_avail(fake->sb);
	fake->hook = bad_inodes;
	KUNIT_EXPECT_EQ(test, follow(test, h), -EIO);
	file = file_open_root(&root, "new", O_CREAT | O_RDWR, 0600);
	KUNIT_EXPECT_PTR_EQ(test, file, ERR_PTR(-EIO));
	KUNIT_EXPECT_EQ(test, files_unlink(fake, "f"), 0);
	KUNIT_EXPECT_EQ(test, follow(test, h), -EIO);
	fake->hook = NULL;
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	file = msyncfs_fake_open(fake, "new", O_CREAT | O_RDWR);
	msyncfs_fake_close(fake, file);
	/* The next mount deletes the inode. */
	remount(test);
	KUNIT_EXPECT_EQ(test, follow(test, h), -ESTALE);
	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(fake->sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_space_avail(fake->sb), free);
}

/* There are no handles without an inode bitmap, or if it may be out of date. */
static void export_none(struct kunit *test)
{
	struct msyncfs_fake *fake = test->priv;

	KUNIT_EXPECT_PTR_EQ(test, fake->sb->s_export_op, &msyncfs_export_ops);
	msyncfs_fake_umount(fake);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, SB_RDONLY,
						    "norecovery"), 0);
	KUNIT_EXPECT_NULL(test, fake->sb->s_export_op);
	msyncfs_fake_umount(fake);

	fake = msyncfs_fake_create(test, BLOCKS, LOG_BLOCKS, MSYNCFS_FAKE_OLD);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fake, 0, NULL), 0);
	KUNIT_EXPECT_NULL(test, fake->sb->s_export_op);
	msyncfs_fake_close(fake, msyncfs_fake_open(fake, "f", O_CREAT | O_RDWR));
	KUNIT_EXPECT_EQ(test, files_unlink(fake, "f"), 0);
}

static struct kunit_case export_cases[] = {
	KUNIT_CASE(export_follow),
	KUNIT_CASE(export_types),
	KUNIT_CASE(export_hostile),
	KUNIT_CASE(export_crafted),
	KUNIT_CASE(export_deleted),
	KUNIT_CASE(export_reused),
	KUNIT_CASE(export_directory),
	KUNIT_CASE(export_durable),
	KUNIT_CASE(export_unreadable),
	KUNIT_CASE(export_none),
	{}
};

static struct kunit_suite export_suite = {
	.name		= "msyncfs_export",
	.init		= export_init,
	.test_cases	= export_cases,
};

kunit_test_suite(export_suite);
