// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for directories. Names are added and removed, and the shape of
 * the trie is checked after splits and merges. A listing must have each name
 * once, even if other names are added and removed during the listing. Damaged
 * leaves must be refused. The inode numbers are invented, because no test reads
 * these inodes.
 */
#include <kunit/test.h>
#include <linux/buffer_head.h>
#include <linux/file.h>
#include <linux/fs.h>

#include "fake.h"
#include "fs/vfs/vfs.h"

#define DIR_BLOCKS	4096
#define DIR_LOG_BLOCKS	1024
#define DIR_NAMES	10000
#define DIR_POS_END	((loff_t)((1ULL << MSYNCFS_POS_BITS) + 2))

/* Inode number for name number @i. No test reads the inode. */
#define INO(i)		(2000 + (u64)(i))

struct dir_fixture {
	struct msyncfs_fake	*fake;
	struct inode		*dir;
};

static int dir_init(struct kunit *test)
{
	struct dir_fixture *fx;

	fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_mount(test, DIR_BLOCKS, DIR_LOG_BLOCKS);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fx->fake);
	fx->dir = d_inode(fx->fake->sb->s_root);
	test->priv = fx;
	return 0;
}

/* Make name number @i. The lengths vary from 7 to 42 bytes. */
static struct qstr short_name(char *buf, unsigned int i)
{
	unsigned int len = sprintf(buf, "n%05u-%.*s", i, i % 36,
				   "abcdefghijklmnopqrstuvwxyz0123456789");

	return (struct qstr)QSTR_INIT(buf, len);
}

/* Make name number @i with the maximum length. 14 such names fill a leaf. */
static struct qstr long_name(char *buf, unsigned int i)
{
	memset(buf, 'x', MSYNCFS_NAME_LEN);
	snprintf(buf, 7, "%06u", i);
	buf[6] = '-';
	return (struct qstr)QSTR_INIT(buf, MSYNCFS_NAME_LEN);
}

static int add_locked(struct inode *dir, const struct qstr *name, u64 ino)
{
	struct msyncfs_op op;
	int err;

	err = msyncfs_dir_prepare(dir, name);
	if (err)
		return err;
	err = msyncfs_dir_blocks(dir);
	if (err < 0)
		return err;
	err = msyncfs_op_begin(dir->i_sb, &op, MSYNCFS_OP_CREDITS, err);
	if (err)
		return err;
	err = msyncfs_dir_add(dir, &op, name, ino, S_IFREG);
	msyncfs_op_end(&op);
	return err;
}

static int add(struct inode *dir, const struct qstr name, u64 ino)
{
	int err;

	inode_lock(dir);
	err = add_locked(dir, &name, ino);
	inode_unlock(dir);
	return err;
}

static int del(struct inode *dir, const struct qstr name)
{
	struct msyncfs_op op;
	int err;

	inode_lock(dir);
	err = msyncfs_op_begin(dir->i_sb, &op, MSYNCFS_OP_CREDITS, 0);
	if (!err) {
		err = msyncfs_dir_remove(&op, dir, &name);
		msyncfs_op_end(&op);
	}
	inode_unlock(dir);
	return err;
}

static int replace(struct inode *dir, const struct qstr name, u64 ino)
{
	struct msyncfs_op op;
	int err;

	inode_lock(dir);
	err = msyncfs_op_begin(dir->i_sb, &op, MSYNCFS_OP_CREDITS, 0);
	if (!err) {
		err = msyncfs_dir_replace(&op, dir, &name, ino, S_IFDIR);
		msyncfs_op_end(&op);
	}
	inode_unlock(dir);
	return err;
}

static int find(struct inode *dir, const struct qstr name, u64 *ino)
{
	int err;

	inode_lock_shared(dir);
	err = msyncfs_dir_find(dir, &name, ino);
	inode_unlock_shared(dir);
	return err;
}

/*
 * Return the buffer of the leaf at map index @index, NULL if there is no leaf.
 */
static struct buffer_head *leaf_at(struct kunit *test, struct inode *dir,
				   u64 index)
{
	struct msyncfs_extent ext;
	struct buffer_head *bh;

	KUNIT_ASSERT_EQ(test, msyncfs_map_lookup(dir, index, 1, &ext), 0);
	if (!ext.blkno)
		return NULL;
	bh = sb_bread(dir->i_sb, ext.blkno);
	KUNIT_ASSERT_NOT_NULL(test, bh);
	return bh;
}

/*
 * Check a leaf. It must have the right depth and prefix, and must not be
 * overfull. Return the number of its entries.
 */
static u32 check_leaf(struct kunit *test, struct buffer_head *bh,
		      unsigned int depth, u64 prefix)
{
	struct msyncfs_disk_dir *disk = (void *)bh->b_data;
	u32 used = le32_to_cpu(disk->used);

	KUNIT_EXPECT_EQ(test, le32_to_cpu(disk->h.level), depth);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(disk->prefix), prefix);
	KUNIT_ASSERT_LE(test, used, sizeof(disk->data));
	KUNIT_EXPECT_TRUE(test, !memchr_inv(disk->data + used, 0,
					    sizeof(disk->data) - used));
	return le32_to_cpu(disk->count);
}

/*
 * Visit all leaves of the trie. Exactly one leaf must lie on the path of each
 * position. The numbers of entries of the leaves must add up to the number of
 * entries of the directory. Return the number of leaves.
 */
static unsigned int check_shape(struct kunit *test, struct inode *dir)
{
	struct msyncfs_inode_info *mi = MSYNCFS_I(dir);
	unsigned int leaves = 0;
	u64 entries = 0, at = 0;

	while (at < 1ULL << MSYNCFS_POS_BITS) {
		unsigned int found = 0;
		u64 next = at;
		int depth;

		for (depth = mi->i_dir_depth; depth >= 0; depth--) {
			u64 prefix = at >> (MSYNCFS_POS_BITS - depth);
			struct buffer_head *bh;

			bh = leaf_at(test, dir, (1ULL << depth | prefix) - 1);
			if (!bh)
				continue;
			entries += check_leaf(test, bh, depth, prefix);
			next = (prefix + 1) << (MSYNCFS_POS_BITS - depth);
			found++;
			brelse(bh);
		}
		KUNIT_ASSERT_EQ_MSG(test, found, 1, "position %llx", at);
		leaves++;
		at = next;
	}
	KUNIT_EXPECT_EQ(test, entries, mi->i_entries);
	KUNIT_EXPECT_EQ(test, i_size_read(dir),
			(loff_t)leaves * MSYNCFS_BLOCK_SIZE);
	return leaves;
}

/* ---- adding and removing names ------------------------------------------ */

static void dir_empty(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	u64 ino;

	KUNIT_EXPECT_EQ(test, find(fx->dir, (struct qstr)QSTR_INIT("a", 1),
				   &ino), -ENOENT);
	KUNIT_EXPECT_EQ(test, del(fx->dir, (struct qstr)QSTR_INIT("a", 1)),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, replace(fx->dir, (struct qstr)QSTR_INIT("a", 1),
				      5), -ENOENT);
	KUNIT_EXPECT_EQ(test, i_size_read(fx->dir), 0);
}

static void dir_many(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	struct inode *dir = fx->dir;
	unsigned int i, wrong = 0;
	char buf[64];
	u64 ino;

	for (i = 0; i < DIR_NAMES; i++)
		KUNIT_ASSERT_EQ(test, add(dir, short_name(buf, i), INO(i)), 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(dir)->i_entries, DIR_NAMES);
	/*
	 * An entry has 48 bytes on average, and a leaf is about two thirds
	 * full.
	 */
	KUNIT_EXPECT_LT(test, check_shape(test, dir), DIR_NAMES / 40);

	for (i = 0; i < DIR_NAMES; i++)
		if (find(dir, short_name(buf, i), &ino) || ino != INO(i))
			wrong++;
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, find(dir, short_name(buf, i), &ino), -ENOENT);
	KUNIT_EXPECT_EQ(test, add(dir, short_name(buf, 7), 1), -EEXIST);

	/*
	 * Remove every other name. Then remove the remaining names. Both steps
	 * merge leaves.
	 */
	for (i = 0; i < DIR_NAMES; i += 2)
		KUNIT_ASSERT_EQ(test, del(dir, short_name(buf, i)), 0);
	check_shape(test, dir);
	for (i = 0; i < DIR_NAMES; i++) {
		int err = find(dir, short_name(buf, i), &ino);

		if (i % 2 ? err || ino != INO(i) : err != -ENOENT)
			wrong++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	for (i = 1; i < DIR_NAMES; i += 2)
		KUNIT_ASSERT_EQ(test, del(dir, short_name(buf, i)), 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(dir)->i_entries, 0);
	KUNIT_EXPECT_LE(test, check_shape(test, dir), 4);
}

static void dir_full_leaf(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	unsigned int i;
	char *buf;

	buf = kunit_kmalloc(test, MSYNCFS_NAME_LEN + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (i = 0; i < 14; i++)
		KUNIT_ASSERT_EQ(test, add(fx->dir, long_name(buf, i), INO(i)),
				0);
	KUNIT_EXPECT_EQ(test, check_shape(test, fx->dir), 1);
	KUNIT_ASSERT_EQ(test, add(fx->dir, long_name(buf, i), INO(i)), 0);
	KUNIT_EXPECT_GE(test, check_shape(test, fx->dir), 2);

	/*
	 * Leaves that are more than half full must not be merged. Otherwise, if
	 * one name is added and removed repeatedly, each call would split or
	 * merge leaves.
	 */
	KUNIT_ASSERT_EQ(test, del(fx->dir, long_name(buf, i)), 0);
	KUNIT_EXPECT_GE(test, check_shape(test, fx->dir), 2);
	for (i = 0; i < 14; i++)
		KUNIT_ASSERT_EQ(test, del(fx->dir, long_name(buf, i)), 0);
	KUNIT_EXPECT_EQ(test, check_shape(test, fx->dir), 1);
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(fx->dir)->i_dir_depth, 0);
}

static void dir_replace(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	struct qstr name = QSTR_INIT("name", 4);
	u64 ino;

	KUNIT_ASSERT_EQ(test, add(fx->dir, name, 77), 0);
	KUNIT_EXPECT_EQ(test, replace(fx->dir, name, 78), 0);
	KUNIT_EXPECT_EQ(test, find(fx->dir, name, &ino), 0);
	KUNIT_EXPECT_EQ(test, ino, 78);
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(fx->dir)->i_entries, 1);
	KUNIT_EXPECT_EQ(test, del(fx->dir, name), 0);
	KUNIT_EXPECT_EQ(test, del(fx->dir, name), -ENOENT);
}

static void dir_name_lengths(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	unsigned int len;
	char *buf;
	u64 ino;

	buf = kunit_kmalloc(test, MSYNCFS_NAME_LEN + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	memset(buf, 'l', MSYNCFS_NAME_LEN + 1);
	for (len = 1; len <= MSYNCFS_NAME_LEN; len++)
		KUNIT_ASSERT_EQ(test, add(fx->dir,
					  (struct qstr)QSTR_INIT(buf, len),
					  INO(len)), 0);
	for (len = 1; len <= MSYNCFS_NAME_LEN; len++) {
		KUNIT_EXPECT_EQ(test, find(fx->dir,
					   (struct qstr)QSTR_INIT(buf, len),
					   &ino), 0);
		KUNIT_EXPECT_EQ(test, ino, INO(len));
	}
	KUNIT_EXPECT_EQ(test, add(fx->dir, (struct qstr)QSTR_INIT(buf, len), 1),
			-ENAMETOOLONG);
	KUNIT_EXPECT_EQ(test, find(fx->dir, (struct qstr)QSTR_INIT(buf, len),
				   &ino), -ENAMETOOLONG);
	check_shape(test, fx->dir);
	for (len = 1; len <= MSYNCFS_NAME_LEN; len++)
		KUNIT_EXPECT_EQ(test, del(fx->dir,
					  (struct qstr)QSTR_INIT(buf, len)), 0);
}

/* On a full filesystem, no name is lost, and names can be removed. */
static void dir_no_space(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	unsigned int i, n, wrong = 0;
	int err = 0;
	char *buf;
	u64 ino, avail;

	buf = kunit_kmalloc(test, MSYNCFS_NAME_LEN + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	/* Promise all blocks except 100, so that the names fill the rest. */
	avail = msyncfs_space_avail(fx->fake->sb);
	KUNIT_ASSERT_GT(test, avail, 200);
	avail -= 100;
	KUNIT_ASSERT_EQ(test, msyncfs_reserve(fx->fake->sb, avail), 0);

	for (n = 0; !err && n < 4000; n++)
		err = add(fx->dir, long_name(buf, n), INO(n));
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	n--;
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(fx->dir)->i_entries, n);
	check_shape(test, fx->dir);
	for (i = 0; i < n; i++)
		if (find(fx->dir, long_name(buf, i), &ino) || ino != INO(i))
			wrong++;
	KUNIT_EXPECT_EQ(test, wrong, 0);
	for (i = 0; i < n; i++)
		if (del(fx->dir, long_name(buf, i)))
			wrong++;
	KUNIT_EXPECT_EQ(test, wrong, 0);
	check_shape(test, fx->dir);
	msyncfs_unreserve(fx->fake->sb, avail);
}

/* ---- listing ------------------------------------------------------------ */

/**
 * struct listing - a reader of a directory
 * @ctx: for iterate_dir()
 * @file: the directory, open
 * @seen: how often the listing has returned each name
 * @room: number of entries that still fit the buffer
 * @total: number of entries, without the dots
 * @last: position of the last entry
 * @disorder: number of entries whose position is not above the position of the
 *	previous entry
 * @first: inode number of the first entry of a call, 0 for none
 */
struct listing {
	struct dir_context	ctx;
	struct file		*file;
	u8			*seen;
	unsigned int		room;
	unsigned int		total;
	loff_t			last;
	unsigned int		disorder;
	u64			first;
};

static bool take_entry(struct dir_context *ctx, const char *name, int len,
		       loff_t pos, u64 ino, unsigned int type)
{
	struct listing *ls = container_of(ctx, struct listing, ctx);

	if (!ls->room)
		return false;
	ls->room--;
	if (name[0] == '.')
		return true;
	if (pos <= ls->last)
		ls->disorder++;
	ls->last = pos;
	if (!ls->first)
		ls->first = ino;
	ls->total++;
	ls->seen[ino - INO(0)]++;
	return true;
}

static void list_open(struct kunit *test, struct listing *ls, unsigned int max)
{
	struct dir_fixture *fx = test->priv;
	struct path path = {
		.mnt	= fx->fake->mnt,
		.dentry	= fx->fake->sb->s_root,
	};

	memset(ls, 0, sizeof(*ls));
	ls->ctx.actor = take_entry;
	ls->seen = kunit_kzalloc(test, max, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ls->seen);
	ls->file = dentry_open(&path, O_RDONLY | O_DIRECTORY, current_cred());
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ls->file);
}

/* Read up to @room entries. Return false at the end of the directory. */
static bool list_step(struct kunit *test, struct listing *ls, unsigned int room)
{
	ls->room = room;
	ls->first = 0;
	KUNIT_ASSERT_EQ(test, iterate_dir(ls->file, &ls->ctx), 0);
	return ls->room < room;
}

static void list_close(struct listing *ls)
{
	__fput_sync(ls->file);
}

static unsigned int count_not(const u8 *seen, unsigned int from,
			      unsigned int to, u8 times)
{
	unsigned int i, wrong = 0;

	for (i = from; i < to; i++)
		wrong += seen[i] != times;
	return wrong;
}

static void dir_list_order(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	const unsigned int n = 2000;
	struct listing ls;
	unsigned int i;
	char buf[64];

	for (i = 0; i < n; i++)
		KUNIT_ASSERT_EQ(test, add(fx->dir, short_name(buf, i), INO(i)),
				0);
	list_open(test, &ls, n);
	while (list_step(test, &ls, 37))
		;
	KUNIT_EXPECT_EQ(test, ls.total, n);
	KUNIT_EXPECT_EQ(test, count_not(ls.seen, 0, n, 1), 0);
	KUNIT_EXPECT_EQ(test, ls.disorder, 0);
	KUNIT_EXPECT_EQ(test, ls.file->f_pos, DIR_POS_END);
	/* A further call returns no entry. */
	KUNIT_EXPECT_FALSE(test, list_step(test, &ls, 37));
	list_close(&ls);
}

static void dir_list_seek(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	const unsigned int n = 500;
	struct listing ls;
	unsigned int i;
	char buf[64];
	loff_t pos;
	u64 ino;

	for (i = 0; i < n; i++)
		KUNIT_ASSERT_EQ(test, add(fx->dir, short_name(buf, i), INO(i)),
				0);
	list_open(test, &ls, n);
	for (i = 0; i < 20; i++) {
		list_step(test, &ls, 11);
		pos = ls.file->f_pos;
		list_step(test, &ls, 1);
		ino = ls.first;
		KUNIT_EXPECT_EQ(test, vfs_llseek(ls.file, pos, SEEK_SET), pos);
		ls.last = 0;
		list_step(test, &ls, 1);
		KUNIT_EXPECT_EQ(test, ls.first, ino);
	}
	KUNIT_EXPECT_EQ(test, vfs_llseek(ls.file, 0, SEEK_SET), 0);
	memset(ls.seen, 0, n);
	ls.last = 0;
	while (list_step(test, &ls, n + 2))
		;
	KUNIT_EXPECT_EQ(test, count_not(ls.seen, 0, n, 1), 0);
	KUNIT_EXPECT_EQ(test, vfs_llseek(ls.file, -1, SEEK_SET), -EINVAL);
	list_close(&ls);
}

/*
 * List a directory of names, @room entries at a time. Between two steps, the names
 * from @stay to @all come or go. The names before @stay must be listed once.
 */
static void list_churn(struct kunit *test, struct listing *ls,
		       unsigned int stay, unsigned int all, unsigned int room)
{
	struct dir_fixture *fx = test->priv;
	unsigned int i, step = 0;
	char buf[64];

	for (i = 0; i < stay; i++)
		KUNIT_ASSERT_EQ(test, add(fx->dir, short_name(buf, i), INO(i)),
				0);
	list_open(test, ls, all);
	while (list_step(test, ls, room)) {
		for (i = stay; i < all; i++) {
			if (step & 1)
				del(fx->dir, short_name(buf, i));
			else
				add(fx->dir, short_name(buf, i), INO(i));
		}
		step++;
		KUNIT_ASSERT_LT(test, step, 200);
	}
	KUNIT_EXPECT_GT(test, step, 10);
	KUNIT_EXPECT_EQ(test, count_not(ls->seen, 0, stay, 1), 0);
}

/*
 * A thousand names stay. Between two calls of iterate_dir(), two thousand other
 * names are added or removed. So leaves split and merge during the listing.
 */
static void dir_list_churn(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	const unsigned int stay = 1000, all = 3000;
	struct listing ls;
	unsigned int i;

	list_churn(test, &ls, stay, all, 97);
	for (i = stay; i < all; i++)
		KUNIT_EXPECT_LE(test, ls.seen[i], 1);
	KUNIT_EXPECT_EQ(test, ls.disorder, 0);
	list_close(&ls);
	check_shape(test, fx->dir);
}

/* ---- damage ------------------------------------------------------------- */

static struct msyncfs_disk_dirent *second(struct msyncfs_disk_dir *disk)
{
	struct msyncfs_disk_dirent *de = (void *)disk->data;

	return (void *)(disk->data + MSYNCFS_DIRENT_LEN(de->name_len));
}

static void bad_level(struct msyncfs_disk_dir *disk)
{
	disk->h.level = cpu_to_le32(1);
}

static void bad_prefix(struct msyncfs_disk_dir *disk)
{
	disk->prefix = cpu_to_le64(1);
}

static void bad_used(struct msyncfs_disk_dir *disk)
{
	disk->used = cpu_to_le32(sizeof(disk->data) + 8);
}

static void bad_used_short(struct msyncfs_disk_dir *disk)
{
	le32_add_cpu(&disk->used, -8);
}

static void bad_count(struct msyncfs_disk_dir *disk)
{
	le32_add_cpu(&disk->count, 1);
}

static void bad_no_name(struct msyncfs_disk_dir *disk)
{
	((struct msyncfs_disk_dirent *)disk->data)->name_len = 0;
}

static void bad_long_name(struct msyncfs_disk_dir *disk)
{
	second(disk)->name_len = 255;
}

static void bad_order(struct msyncfs_disk_dir *disk)
{
	second(disk)->position = 0;
}

static void bad_same_position(struct msyncfs_disk_dir *disk)
{
	second(disk)->position =
		((struct msyncfs_disk_dirent *)disk->data)->position;
}

static void bad_range(struct msyncfs_disk_dir *disk)
{
	second(disk)->position = cpu_to_le64(1ULL << MSYNCFS_POS_BITS);
}

static void bad_slash(struct msyncfs_disk_dir *disk)
{
	((struct msyncfs_disk_dirent *)disk->data)->name[1] = '/';
}

static void bad_nul(struct msyncfs_disk_dir *disk)
{
	((struct msyncfs_disk_dirent *)disk->data)->name[1] = 0;
}

static void bad_dotdot(struct msyncfs_disk_dir *disk)
{
	memcpy(((struct msyncfs_disk_dirent *)disk->data)->name, "..", 2);
}

static const struct damage {
	const char *name;
	void (*harm)(struct msyncfs_disk_dir *disk);
} damages[] = {
	{ "level of another place", bad_level },
	{ "prefix of another place", bad_prefix },
	{ "used beyond the block", bad_used },
	{ "used ends inside an entry", bad_used_short },
	{ "count", bad_count },
	{ "name of no length", bad_no_name },
	{ "name crosses the end", bad_long_name },
	{ "positions descend", bad_order },
	{ "two equal positions", bad_same_position },
	{ "position of 63 bits", bad_range },
	{ "slash in a name", bad_slash },
	{ "NUL in a name", bad_nul },
	{ "entry named ..", bad_dotdot },
};

KUNIT_ARRAY_PARAM_DESC(damage, damages, name);

/* Each case damages a leaf with two entries in its own way. */
static void dir_damaged(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	const struct damage *damage = test->param_value;
	struct qstr a = QSTR_INIT("aa", 2), b = QSTR_INIT("bb", 2);
	struct buffer_head *bh;
	void *copy;
	u64 ino;

	KUNIT_ASSERT_EQ(test, add(fx->dir, a, INO(0)), 0);
	KUNIT_ASSERT_EQ(test, add(fx->dir, b, INO(1)), 0);
	bh = leaf_at(test, fx->dir, 0);
	KUNIT_ASSERT_NOT_NULL(test, bh);
	copy = kunit_kmalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, copy);
	memcpy(copy, bh->b_data, MSYNCFS_BLOCK_SIZE);

	/* Clear the flag, so that the next access verifies the buffer again. */
	clear_bit(MSYNCFS_BH_LEAF, &bh->b_state);
	damage->harm((void *)bh->b_data);
	KUNIT_EXPECT_EQ(test, find(fx->dir, a, &ino), -EFSCORRUPTED);
	KUNIT_EXPECT_EQ(test, add(fx->dir, (struct qstr)QSTR_INIT("c", 1), 1),
			-EFSCORRUPTED);
	KUNIT_EXPECT_EQ(test, del(fx->dir, b), -EFSCORRUPTED);
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(fx->dir)->i_entries, 2);

	memcpy(bh->b_data, copy, MSYNCFS_BLOCK_SIZE);
	KUNIT_EXPECT_EQ(test, find(fx->dir, a, &ino), 0);
	KUNIT_EXPECT_EQ(test, del(fx->dir, a), 0);
	KUNIT_EXPECT_EQ(test, del(fx->dir, b), 0);
	brelse(bh);
}

/* An older version has made the filesystem: the position of a name is its hash. */
static void dir_old_version(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	struct msyncfs_geo *geo = &MSYNCFS_SB(fx->fake->sb)->geo;
	struct qstr name = QSTR_INIT("name", 4);
	struct msyncfs_disk_dirent *de;
	struct buffer_head *bh;
	u64 ino;

	geo->hash_room = 1;
	KUNIT_ASSERT_EQ(test, add(fx->dir, name, INO(0)), 0);
	KUNIT_EXPECT_EQ(test, add(fx->dir, name, INO(0)), -EEXIST);
	bh = leaf_at(test, fx->dir, 0);
	KUNIT_ASSERT_NOT_NULL(test, bh);
	de = (void *)((struct msyncfs_disk_dir *)bh->b_data)->data;
	KUNIT_EXPECT_EQ(test, le64_to_cpu(de->position),
			msyncfs_name_hash(geo, "name", 4));
	/* Clear the flag, so that the next access verifies the buffer again. */
	clear_bit(MSYNCFS_BH_LEAF, &bh->b_state);
	KUNIT_EXPECT_EQ(test, find(fx->dir, name, &ino), 0);
	brelse(bh);
	KUNIT_EXPECT_EQ(test, del(fx->dir, name), 0);
	geo->hash_room = MSYNCFS_HASH_ROOM;
}

/* ---- names with the same hash -------------------------------------------- */

#define SAME	MSYNCFS_SAME_HASH

static void restore_mask(void *unused)
{
	msyncfs_hash_mask = ~0ULL;
}

/* Until the test ends, hashes have only their top @bits bits. */
static void weaken(struct kunit *test, unsigned int bits)
{
	msyncfs_hash_mask = bits ? ~0ULL << (64 - bits) : 0;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, restore_mask,
							NULL), 0);
}

static void expect_names(struct kunit *test, struct qstr (*make)(char *buf,
								 unsigned int i),
			 char *buf, unsigned int from, unsigned int to)
{
	struct dir_fixture *fx = test->priv;
	unsigned int i, wrong = 0;
	u64 ino;

	for (i = from; i < to; i++)
		if (find(fx->dir, make(buf, i), &ino) || ino != INO(i))
			wrong++;
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* List the directory, @room entries at a time. Each of @n names comes once. */
static void expect_list(struct kunit *test, unsigned int n, unsigned int room,
			bool compat)
{
	struct listing ls;

	list_open(test, &ls, n);
	if (compat)
		ls.file->f_mode |= FMODE_32BITHASH;
	while (list_step(test, &ls, room))
		;
	KUNIT_EXPECT_EQ(test, ls.total, n);
	KUNIT_EXPECT_EQ(test, count_not(ls.seen, 0, n, 1), 0);
	if (!compat)
		KUNIT_EXPECT_EQ(test, ls.disorder, 0);
	list_close(&ls);
}

/*
 * All names have the same hash. The leaves are split all the same, down to the
 * last level. There is an error only when the numbers are used up. A removed
 * name gives its number back.
 */
static void same_hash_fill(struct kunit *test, struct qstr (*make)(char *buf,
								   unsigned int i))
{
	struct dir_fixture *fx = test->priv;
	unsigned int i;
	char *buf;

	buf = kunit_kmalloc(test, MSYNCFS_NAME_LEN + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	weaken(test, 0);
	for (i = 0; i < SAME; i++)
		KUNIT_ASSERT_EQ(test, add(fx->dir, make(buf, i), INO(i)), 0);
	KUNIT_EXPECT_EQ(test, add(fx->dir, make(buf, i), INO(i)), -ENOSPC);
	KUNIT_EXPECT_EQ(test, add(fx->dir, make(buf, 200), INO(i)), -EEXIST);
	check_shape(test, fx->dir);
	expect_names(test, make, buf, 0, SAME);
	expect_list(test, SAME, 1, false);
	expect_list(test, SAME, 7, true);

	KUNIT_EXPECT_EQ(test, replace(fx->dir, make(buf, 123), 7), 0);
	KUNIT_EXPECT_EQ(test, replace(fx->dir, make(buf, 123), INO(123)), 0);
	for (i = 0; i < SAME; i += 3) {
		KUNIT_ASSERT_EQ(test, del(fx->dir, make(buf, i)), 0);
		KUNIT_ASSERT_EQ(test, del(fx->dir, make(buf, i)), -ENOENT);
		KUNIT_ASSERT_EQ(test, add(fx->dir, make(buf, SAME + i), 7), 0);
		KUNIT_ASSERT_EQ(test, del(fx->dir, make(buf, SAME + i)), 0);
		KUNIT_ASSERT_EQ(test, add(fx->dir, make(buf, i), INO(i)), 0);
	}
	check_shape(test, fx->dir);
	expect_names(test, make, buf, 0, SAME);
	for (i = 0; i < SAME; i++)
		KUNIT_ASSERT_EQ(test, del(fx->dir, make(buf, i)), 0);
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(fx->dir)->i_entries, 0);
	check_shape(test, fx->dir);
}

static void dir_same_hash_short(struct kunit *test)
{
	same_hash_fill(test, short_name);
}

static void dir_same_hash_long(struct kunit *test)
{
	same_hash_fill(test, long_name);
}

/* Eight hashes for all names. The names survive a crash. */
static void dir_same_hash_crash(struct kunit *test)
{
	struct dir_fixture *fx = test->priv;
	const unsigned int n = 1000;
	unsigned int i;
	char buf[64];

	weaken(test, 3);
	for (i = 0; i < n; i++)
		KUNIT_ASSERT_EQ(test, add(fx->dir, short_name(buf, i), INO(i)),
				0);
	for (i = 0; i < n; i += 2)
		KUNIT_ASSERT_EQ(test, del(fx->dir, short_name(buf, i)), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	for (i = 0; i < n; i += 2)
		KUNIT_ASSERT_EQ(test, add(fx->dir, short_name(buf, i), INO(i)),
				0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	/* Few, because a timer commits after some seconds. */
	for (i = 0; i < 20; i += 2)
		KUNIT_ASSERT_EQ(test, del(fx->dir, short_name(buf, i)), 0);

	msyncfs_fake_crash(fx->fake, NULL, NULL);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fx->dir = d_inode(fx->fake->sb->s_root);
	check_shape(test, fx->dir);
	KUNIT_EXPECT_EQ(test, MSYNCFS_I(fx->dir)->i_entries, n);
	expect_names(test, short_name, buf, 0, n);
	expect_list(test, n, 3, false);
}

/*
 * While a reader lists names with the same hash, other such names come and go.
 * The names that stay are listed once.
 */
static void dir_same_hash_churn(struct kunit *test)
{
	struct listing ls;

	weaken(test, 3);
	list_churn(test, &ls, 300, 600, 11);
	KUNIT_EXPECT_EQ(test, ls.disorder, 0);
	list_close(&ls);
}

static struct kunit_case dir_cases[] = {
	KUNIT_CASE(dir_empty),
	KUNIT_CASE(dir_replace),
	KUNIT_CASE(dir_name_lengths),
	KUNIT_CASE(dir_full_leaf),
	KUNIT_CASE_SLOW(dir_many),
	KUNIT_CASE_SLOW(dir_no_space),
	KUNIT_CASE(dir_list_order),
	KUNIT_CASE(dir_list_seek),
	KUNIT_CASE_SLOW(dir_list_churn),
	KUNIT_CASE(dir_old_version),
	KUNIT_CASE_PARAM(dir_damaged, damage_gen_params),
	KUNIT_CASE(dir_same_hash_short),
	KUNIT_CASE_SLOW(dir_same_hash_long),
	KUNIT_CASE(dir_same_hash_crash),
	KUNIT_CASE(dir_same_hash_churn),
	{}
};

static struct kunit_suite dir_suite = {
	.name		= "msyncfs_dir",
	.init		= dir_init,
	.test_cases	= dir_cases,
};

kunit_test_suite(dir_suite);
