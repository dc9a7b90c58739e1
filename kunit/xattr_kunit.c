// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for extended attributes. After a power failure at any I/O, a change
 * of an attribute is there as a whole or not at all. The same holds for an error of
 * any I/O and for a full filesystem. No block gets lost, and a block of another
 * owner to which a damaged attribute leads does not change.
 */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/posix_acl.h>
#include <linux/xattr.h>

#include "fails.h"
#include "files.h"
#include "fs/vfs/xattr.h"

#define GONE	UINT_MAX	/* length of an attribute that is not there */
#define MODEL	6

/**
 * struct value - length and content of an attribute
 * @name: name
 * @len: length of the value, or GONE
 * @kind: chooses the content
 */
struct value {
	const char	*name;
	u32		len;
	u8		kind;
};

static struct dentry *dentry_of(struct fail_fixture *fx)
{
	return file_dentry(fx->file);
}

static u8 *pattern(struct kunit *test, u32 len, u8 kind)
{
	u8 *p = kunit_kmalloc(test, len + 1, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < len; i++)
		p[i] = kind + i + i / 251;
	return p;
}

static int set(struct kunit *test, struct dentry *dentry, const struct value *v)
{
	int err;
	u8 *p;

	if (v->len == GONE)
		return vfs_removexattr(&nop_mnt_idmap, dentry, v->name);
	p = pattern(test, v->len, v->kind);
	err = vfs_setxattr(&nop_mnt_idmap, dentry, v->name, p, v->len, 0);
	kunit_kfree(test, p);
	return err;
}

/* Tell whether the inode has the value. */
static bool has(struct kunit *test, struct dentry *dentry, const struct value *v)
{
	u8 *p, *got;
	int len;
	bool same;

	len = vfs_getxattr(&nop_mnt_idmap, dentry, v->name, NULL, 0);
	if (v->len == GONE || len != v->len)
		return v->len == GONE && len == -ENODATA;
	p = pattern(test, len, v->kind);
	got = pattern(test, len, v->kind + 1);
	len = vfs_getxattr(&nop_mnt_idmap, dentry, v->name, got, len + 1);
	same = len == v->len && !memcmp(p, got, len);
	kunit_kfree(test, p);
	kunit_kfree(test, got);
	return same;
}

static bool has_all(struct kunit *test, struct dentry *dentry,
		    const struct value *model)
{
	unsigned int i;

	for (i = 0; i < MODEL && model[i].name; i++)
		if (!has(test, dentry, &model[i]))
			return false;
	return true;
}

static u64 blocks_of(struct file *file)
{
	return inode_get_bytes(file_inode(file)) >> MSYNCFS_BLOCK_SHIFT;
}

/* ---- values --------------------------------------------------------------- */

static const u32 lengths[] = {
	0, 1, 8, 280, 281, 511, 512, 513, 4032, 4033, 8064, 8065, 65535, 65536,
};

static void xattr_values(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct value v = { "user.value", 0, 1 };
	u64 space = fail_space(test, fx);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++, v.kind++) {
		v.len = lengths[i];
		KUNIT_EXPECT_EQ(test, set(test, dentry_of(fx), &v), 0);
		KUNIT_EXPECT_TRUE(test, has(test, dentry_of(fx), &v));
		KUNIT_EXPECT_EQ(test, fail_space(test, fx) + blocks_of(fx->file),
				space);
		msyncfs_fake_close(fx->fake, fx->again);
		msyncfs_fake_close(fx->fake, fx->file);
		msyncfs_fake_umount(fx->fake);
		KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
		fail_open(fx);
		KUNIT_EXPECT_TRUE(test, has(test, dentry_of(fx), &v));
	}
	v.len = GONE;
	KUNIT_EXPECT_EQ(test, set(test, dentry_of(fx), &v), 0);
	KUNIT_EXPECT_TRUE(test, has(test, dentry_of(fx), &v));
	KUNIT_EXPECT_EQ(test, blocks_of(fx->file), 0);
	KUNIT_EXPECT_EQ(test, fail_space(test, fx), space);
}

/* ---- power failures and errors --------------------------------------------- */

/*
 * The attributes before a change. In the first state, the inode is full, and the
 * outer block has two attributes. In the second state, the outer block has one. In
 * the third state, the inode has room for a shorter one of the outer block.
 */
static const struct value states[3][MODEL] = {
	{ { "user.small", 10, 1 }, { "user.mid", 250, 2 }, { "user.outer", 100, 3 },
	  { "user.big", 9000, 4 }, { "user.new", GONE } },
	{ { "user.small", 10, 1 }, { "user.mid", 250, 2 }, { "user.outer", 100, 3 },
	  { "user.big", GONE }, { "user.new", GONE } },
	{ { "user.small", 10, 1 }, { "user.mid", 300, 2 }, { "user.outer", GONE },
	  { "user.big", GONE }, { "user.new", GONE } },
};

static const struct change {
	const char	*name;
	unsigned int	state;
	struct value	v;
} changes[] = {
	{ "new one in the outer block", 0, { "user.new", 20, 9 } },
	{ "new one of 64 KiB", 0, { "user.new", 65536, 9 } },
	{ "new one of 64 KiB in the inode", 2, { "user.new", 65536, 9 } },
	{ "from the inode to the outer block", 0, { "user.small", 40, 9 } },
	{ "from the inode to blocks", 0, { "user.mid", 5000, 9 } },
	{ "from blocks to the outer block", 0, { "user.big", 8, 9 } },
	{ "more blocks", 0, { "user.big", 65536, 9 } },
	{ "fewer blocks", 0, { "user.big", 600, 9 } },
	{ "other blocks", 0, { "user.big", 9000, 9 } },
	{ "remove from the inode", 0, { "user.mid", GONE } },
	{ "remove from the outer block", 0, { "user.outer", GONE } },
	{ "remove with blocks", 0, { "user.big", GONE } },
	{ "remove the outer block", 1, { "user.outer", GONE } },
	{ "from the outer block to the inode", 2, { "user.mid", 30, 9 } },
};

KUNIT_ARRAY_PARAM_DESC(change, changes, name);

/* Sets *@now to the attributes after @change. */
static void after_change(const struct change *change, struct value *now)
{
	unsigned int i;

	memcpy(now, states[change->state], sizeof(states[0]));
	for (i = 0; i < MODEL; i++)
		if (now[i].name && !strcmp(now[i].name, change->v.name))
			now[i] = change->v;
}

/* Give the file the attributes of a state, durable and home. */
static void prepare(struct kunit *test, struct fail_fixture *fx,
		    const struct value *state)
{
	unsigned int i;
	struct value v;

	for (i = 0; i < MODEL && state[i].name; i++) {
		v = state[i];
		v.len = GONE;
		set(test, dentry_of(fx), &v);
	}
	for (i = 0; i < MODEL && state[i].name; i++)
		if (state[i].len != GONE)
			KUNIT_ASSERT_EQ(test, set(test, dentry_of(fx), &state[i]),
					0);
	files_quiet(fx->fake);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	iolog_reset(fx->log);
}

/* Expect that no block is lost. */
static void expect_space(struct kunit *test, struct fail_fixture *fx, u64 *space)
{
	u64 all = fail_space(test, fx) + blocks_of(fx->file);

	if (!*space)
		*space = all;
	KUNIT_EXPECT_EQ(test, all, *space);
}

static void xattr_power(struct kunit *test)
{
	const struct change *change = test->param_value;
	static const unsigned int keeps[] = { 0, UINT_MAX, 5 };
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int cut = 0, keep = 0;
	struct value now[MODEL];
	bool durable, over;
	u64 space = 0;

	after_change(change, now);
	while (keep < ARRAY_SIZE(keeps)) {
		prepare(test, fx, states[change->state]);
		expect_space(test, fx, &space);
		iolog_cut(fx->log, cut);
		KUNIT_ASSERT_EQ(test, set(test, dentry_of(fx), &change->v), 0);
		KUNIT_EXPECT_TRUE(test, has_all(test, dentry_of(fx), now));
		durable = !vfs_fsync(fx->file, 0) && !fx->log->cut;
		msyncfs_checkpoint(fx->fake->sb);
		over = !fx->log->cut;
		fail_crash(test, fx, keeps[keep]);
		if (!has_all(test, dentry_of(fx), now))
			KUNIT_EXPECT_TRUE_MSG(test, !durable &&
					      has_all(test, dentry_of(fx),
						      states[change->state]),
					      "power off at I/O %u, keep %u",
					      cut, keeps[keep]);
		expect_space(test, fx, &space);
		cut++;
		if (over) {
			KUNIT_EXPECT_GT(test, cut, 3);
			cut = 0;
			keep++;
		}
	}
}

/* An I/O fails. If the filesystem goes on, a second fsync makes the change durable. */
static void xattr_errors(struct kunit *test)
{
	const struct change *change = test->param_value;
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct value now[MODEL];
	unsigned int at, failed;
	bool durable;
	u64 space = 0;

	after_change(change, now);
	for (at = 0; ; at++) {
		prepare(test, fx, states[change->state]);
		expect_space(test, fx, &space);
		iolog_fail(fx->log, at, 1, at % 2 ? MSYNCFS_FAKE_LANDS :
						    MSYNCFS_FAKE_FAILS);
		KUNIT_ASSERT_EQ(test, set(test, dentry_of(fx), &change->v), 0);
		durable = !vfs_fsync(fx->file, 0);
		failed = fx->log->failed;
		KUNIT_EXPECT_TRUE(test, has_all(test, dentry_of(fx), now));
		if (!durable && !fail_aborted(fx))
			durable = !vfs_fsync(fx->file, 0);
		fail_crash(test, fx, 0);
		if (!has_all(test, dentry_of(fx), now))
			KUNIT_EXPECT_TRUE_MSG(test, !durable &&
					      has_all(test, dentry_of(fx),
						      states[change->state]),
					      "I/O %u failed", at);
		expect_space(test, fx, &space);
		if (!failed)
			break;
	}
	KUNIT_EXPECT_GE(test, at, 2);
}

/* The filesystem has room for only some of the blocks. */
static void xattr_full(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	const struct value huge = { "user.big", 65536, 9 };
	struct super_block *sb = fx->fake->sb;
	u64 avail, left, space = 0;

	prepare(test, fx, states[0]);
	expect_space(test, fx, &space);
	avail = msyncfs_space_avail(sb);
	for (left = 0; left < MSYNCFS_VALUE_BLOCKS; left++) {
		KUNIT_ASSERT_EQ(test, msyncfs_reserve(sb, avail - left), 0);
		KUNIT_EXPECT_EQ(test, set(test, dentry_of(fx), &huge), -ENOSPC);
		msyncfs_unreserve(sb, avail - left);
		KUNIT_EXPECT_TRUE(test, has_all(test, dentry_of(fx), states[0]));
	}
	expect_space(test, fx, &space);
	KUNIT_ASSERT_EQ(test, msyncfs_reserve(sb, avail - left), 0);
	KUNIT_EXPECT_EQ(test, set(test, dentry_of(fx), &huge), 0);
	msyncfs_unreserve(sb, avail - left);
	KUNIT_EXPECT_TRUE(test, has(test, dentry_of(fx), &huge));
	expect_space(test, fx, &space);
}

/* ---- deletion --------------------------------------------------------------- */

/* So many attributes with values of their own that they do not fit a record. */
static void set_many(struct kunit *test, struct fail_fixture *fx)
{
	struct value v = { .len = 20000, .kind = 1 };
	char name[16];
	unsigned int i;

	v.name = name;
	for (i = 0; i < 20; i++, v.kind++) {
		sprintf(name, "user.%u", i);
		KUNIT_ASSERT_EQ(test, set(test, dentry_of(fx), &v), 0);
	}
}

static void xattr_delete(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	unsigned int cut;
	bool over;
	u64 space;

	prepare(test, fx, states[2]);
	space = fail_space(test, fx) + blocks_of(fx->file) + 1;
	for (cut = 0; ; cut++) {
		set_many(test, fx);
		KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
		KUNIT_ASSERT_EQ(test, files_unlink(fx->fake, "f"), 0);
		KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
		iolog_reset(fx->log);
		iolog_cut(fx->log, cut);
		msyncfs_fake_close(fx->fake, fx->again);
		msyncfs_fake_close(fx->fake, fx->file);
		KUNIT_EXPECT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
		over = !fx->log->cut;
		iolog_power_off(fx->log);
		msyncfs_fake_crash(fx->fake, iolog_keep, &cut);
		iolog_reset(fx->log);
		KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
		KUNIT_EXPECT_EQ(test, fail_space(test, fx), space);
		fail_open(fx);
		files_quiet(fx->fake);
		if (over)
			break;
	}
	KUNIT_EXPECT_GE(test, cut, 2);
}

/* ---- default ACLs ------------------------------------------------------------ */

/* An ACL with @users named users. */
static struct posix_acl *make_acl(struct kunit *test, unsigned int users)
{
	struct posix_acl *acl = posix_acl_alloc(users + 4, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, acl);
	for (i = 0; i < users + 4; i++) {
		acl->a_entries[i].e_perm = 7;
		acl->a_entries[i].e_tag = ACL_USER;
		acl->a_entries[i].e_uid = KUIDT_INIT(1000 + i);
	}
	acl->a_entries[0].e_tag = ACL_USER_OBJ;
	acl->a_entries[users + 1].e_tag = ACL_GROUP_OBJ;
	acl->a_entries[users + 2].e_tag = ACL_MASK;
	acl->a_entries[users + 3].e_tag = ACL_OTHER;
	return acl;
}

static struct file *open_quietly(struct msyncfs_fake *fake, const char *name,
				 int flags)
{
	struct path root = { .mnt = fake->mnt, .dentry = fake->mnt->mnt_root };

	return file_open_root(&root, name, flags, 0600);
}

/* A new file has its ACL, or the file is not there. */
static void xattr_inherit(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 40, 100, 499 };
	struct fail_fixture *fx;
	struct posix_acl *acl;
	struct file *file;
	unsigned int i, cut;
	bool durable, over;

	if (!IS_ENABLED(CONFIG_FS_POSIX_ACL))
		kunit_skip(test, "the kernel has no ACLs");
	fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		acl = make_acl(test, sizes[i]);
		KUNIT_ASSERT_EQ(test, vfs_set_acl(&nop_mnt_idmap,
						  fx->fake->mnt->mnt_root,
						  XATTR_NAME_POSIX_ACL_DEFAULT,
						  acl), 0);
		posix_acl_release(acl);
		for (cut = 0, over = false; !over; cut++) {
			files_quiet(fx->fake);
			KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
			iolog_reset(fx->log);
			iolog_cut(fx->log, cut);
			file = msyncfs_fake_open(fx->fake, "new", O_CREAT | O_RDWR);
			durable = !vfs_fsync(file, 0) && !fx->log->cut;
			msyncfs_checkpoint(fx->fake->sb);
			over = !fx->log->cut;
			iolog_power_off(fx->log);
			msyncfs_fake_close(fx->fake, file);
			fail_crash(test, fx, cut % 3 ? UINT_MAX : 0);
			file = open_quietly(fx->fake, "new", O_RDWR);
			KUNIT_EXPECT_TRUE(test, !IS_ERR(file) || !durable);
			if (IS_ERR(file))
				continue;
			acl = get_inode_acl(file_inode(file), ACL_TYPE_ACCESS);
			KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(acl));
			if (!IS_ERR_OR_NULL(acl))
				KUNIT_EXPECT_EQ(test, acl->a_count, sizes[i] + 4);
			posix_acl_release(IS_ERR(acl) ? NULL : acl);
			__fput_sync(file);
			KUNIT_EXPECT_EQ(test, files_unlink(fx->fake, "new"), 0);
		}
		KUNIT_EXPECT_GT(test, cut, 3);
	}
}

static int change_mode(struct file *file, umode_t mode)
{
	struct iattr attr = { .ia_valid = ATTR_MODE, .ia_mode = mode };
	struct inode *inode = file_inode(file);
	int err;

	inode_lock(inode);
	err = notify_change(&nop_mnt_idmap, file->f_path.dentry, &attr, NULL);
	inode_unlock(inode);
	return err;
}

/*
 * On a full filesystem a new mode fails if the long ACL needs another block, but the
 * set-user-ID bit can go: a write or a truncation by another user must clear it.
 */
static void xattr_setuid(struct kunit *test)
{
	struct fail_fixture *fx;
	struct posix_acl *acl;
	struct file *file;
	u64 room;

	if (!IS_ENABLED(CONFIG_FS_POSIX_ACL))
		kunit_skip(test, "the kernel has no ACLs");
	fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	file = msyncfs_fake_open(fx->fake, "setuid", O_CREAT | O_RDWR);
	acl = make_acl(test, 100);
	KUNIT_ASSERT_EQ(test, vfs_set_acl(&nop_mnt_idmap, file->f_path.dentry,
					  XATTR_NAME_POSIX_ACL_ACCESS, acl), 0);
	posix_acl_release(acl);
	KUNIT_ASSERT_EQ(test, change_mode(file, 04777), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	room = msyncfs_space_avail(fx->fake->sb);
	KUNIT_ASSERT_EQ(test, msyncfs_reserve(fx->fake->sb, room), 0);
	KUNIT_EXPECT_EQ(test, change_mode(file, 04700), -ENOSPC);
	KUNIT_EXPECT_EQ(test, change_mode(file, 0777), 0);
	KUNIT_EXPECT_EQ(test, file_inode(file)->i_mode & 07777, 0777);
	msyncfs_unreserve(fx->fake->sb, room);
}

static void add_label(struct kunit *test, struct msyncfs_new_xattrs *new,
		      const char *name, u32 size, u8 kind)
{
	u8 *value = kmemdup(pattern(test, size, kind), size, GFP_KERNEL);

	KUNIT_EXPECT_EQ(test, msyncfs_new_xattrs_add(new, MSYNCFS_XATTR_SECURITY,
						     name, value, size), 0);
}

/* The labels of a new inode are part of its operation. */
static void xattr_labels(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	static const u32 sizes[] = { 30, 700, 20000, 65536 };
	struct msyncfs_new_xattrs new;
	struct value v[MODEL] = { { "security.one" }, { "security.two", 200, 2 } };
	struct msyncfs_op op;
	struct inode *inode;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		inode = file_inode(fx->file);
		memset(&new, 0, sizeof(new));
		v[0].len = sizes[i];
		v[0].kind = i;
		add_label(test, &new, "one", sizes[i], i);
		add_label(test, &new, "two", 200, 2);
		KUNIT_ASSERT_EQ(test, msyncfs_op_begin(fx->fake->sb, &op, 60, 20),
				0);
		err = msyncfs_new_xattrs_apply(&op, inode, &new);
		KUNIT_EXPECT_EQ(test, err, 0);
		msyncfs_op_add_inode(&op, inode, true);
		msyncfs_op_end(&op);
		msyncfs_new_xattrs_done(&new);
		KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
		fail_crash(test, fx, 0);
		KUNIT_EXPECT_TRUE(test, has_all(test, dentry_of(fx), v));
		v[0].len = GONE;
		KUNIT_EXPECT_EQ(test, set(test, dentry_of(fx), &v[0]), 0);
		v[1].len = GONE;
		KUNIT_EXPECT_EQ(test, set(test, dentry_of(fx), &v[1]), 0);
		v[1].len = 200;
	}
	KUNIT_EXPECT_EQ(test, blocks_of(fx->file), 0);
	memset(&new, 0, sizeof(new));
	KUNIT_EXPECT_EQ(test, msyncfs_new_xattrs_add(&new, MSYNCFS_XATTR_SECURITY,
						     "one", NULL, 9), -ENOMEM);
	for (i = 0; i < MSYNCFS_NEW_XATTRS; i++)
		add_label(test, &new, "one", 9, i);
	KUNIT_EXPECT_EQ(test, msyncfs_new_xattrs_add(&new, MSYNCFS_XATTR_SECURITY,
						     "one", kmalloc(9, GFP_KERNEL),
						     9), -ENOSPC);
	msyncfs_new_xattrs_done(&new);
}

/* ---- damage ------------------------------------------------------------------ */

/* The blocks to which a damaged attribute leads. */
enum foreign { LOG, BITMAP, INODE, DATA, LEAF, VALUE, OUTER, FREE, NR_FOREIGN };

static const char * const foreign_names[] = {
	"the log", "a bitmap", "another inode", "data of another file",
	"a block of a directory", "a value of another file",
	"the attributes of another file", "a free block",
};

static void foreign_desc(const enum foreign *f, char *desc)
{
	strscpy(desc, foreign_names[*f], KUNIT_PARAM_DESC_SIZE);
}

static const enum foreign foreigns[] = {
	LOG, BITMAP, INODE, DATA, LEAF, VALUE, OUTER, FREE,
};

KUNIT_ARRAY_PARAM(foreign, foreigns, foreign_desc);

/* Find the blocks of another file "g", and of the root directory. */
static void find_foreign(struct kunit *test, struct fail_fixture *fx, u64 *b)
{
	struct file *g = msyncfs_fake_open(fx->fake, "g", O_CREAT | O_RDWR);
	struct msyncfs_xattr_area area;
	struct msyncfs_disk_xattr *e;

	files_write(test, g, 0, 1, 'g');
	swap(fx->file, g);
	prepare(test, fx, states[2]);
	set_many(test, fx);
	swap(fx->file, g);
	KUNIT_ASSERT_EQ(test, vfs_fsync(g, 0), 0);
	area = msyncfs_xattr_inline(msyncfs_iblock(file_inode(g)));
	e = msyncfs_xattr_find(&area, MSYNCFS_XATTR_USER, "0", 1);
	KUNIT_ASSERT_NOT_NULL(test, e);
	b[LOG] = fx->fake->geo.log_start + 3;
	b[BITMAP] = fx->fake->geo.bitmap_start;
	b[INODE] = file_inode(g)->i_ino;
	b[DATA] = files_block(test, g, 0);
	b[LEAF] = le64_to_cpu(msyncfs_iblock(d_inode(fx->fake->sb->s_root))->ptr[0]);
	b[VALUE] = le64_to_cpu(*(__le64 *)msyncfs_xattr_data(e));
	b[OUTER] = le64_to_cpu(msyncfs_iblock(file_inode(g))->xattr);
	b[FREE] = fx->fake->geo.blocks - 3;
	msyncfs_fake_close(fx->fake, g);
}

/* Let the inode lead to block @to: a value, or with @outer the outer block. */
static void point_to(struct kunit *test, struct fail_fixture *fx, u64 ino,
		     u64 to, bool outer)
{
	struct msyncfs_disk_inode *di = kunit_kmalloc(test, sizeof(*di),
						      GFP_KERNEL);
	struct msyncfs_xattr_area area = msyncfs_xattr_inline(di);
	struct msyncfs_disk_xattr *e;

	KUNIT_ASSERT_NOT_NULL(test, di);
	msyncfs_fake_read(fx->fake, ino, di);
	if (outer) {
		di->xattr = cpu_to_le64(to);
	} else {
		e = msyncfs_xattr_find(&area, MSYNCFS_XATTR_USER, "new", 3);
		KUNIT_ASSERT_NOT_NULL(test, e);
		((__le64 *)msyncfs_xattr_data(e))[1] = cpu_to_le64(to);
	}
	msyncfs_seal_block(&fx->fake->geo, di, le64_to_cpu(di->h.seq));
	msyncfs_fake_write(fx->fake, ino, di);
	kunit_kfree(test, di);
}

/* Use and delete the file whose attribute is damaged. */
static void use_damaged(struct kunit *test, struct fail_fixture *fx, bool outer)
{
	struct value v = { outer ? "user.other" : "user.new", 20, 3 };
	struct file *file = open_quietly(fx->fake, "f", O_RDWR);
	char buf[64];

	if (IS_ERR(file)) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(file), -EFSCORRUPTED);
		return;
	}
	KUNIT_EXPECT_EQ(test, vfs_getxattr(&nop_mnt_idmap, file_dentry(file),
					   v.name, buf, 64),
			outer ? -EFSCORRUPTED : -ERANGE);
	KUNIT_EXPECT_EQ(test, set(test, file_dentry(file), &v), -EFSCORRUPTED);
	v.len = 600;
	KUNIT_EXPECT_EQ(test, set(test, file_dentry(file), &v), -EFSCORRUPTED);
	v.len = GONE;
	KUNIT_EXPECT_EQ(test, set(test, file_dentry(file), &v), -EFSCORRUPTED);
	if (outer)
		KUNIT_EXPECT_EQ(test, msyncfs_listxattr(file_dentry(file), buf, 64),
				-EFSCORRUPTED);
	KUNIT_EXPECT_EQ(test, files_unlink(fx->fake, "f"), 0);
	__fput_sync(file);
}

static bool in_use(struct kunit *test, struct fail_fixture *fx, u64 blkno)
{
	struct msyncfs_disk_bitmap *bm = kunit_kmalloc(test, sizeof(*bm),
						       GFP_KERNEL);
	bool used;

	KUNIT_ASSERT_NOT_NULL(test, bm);
	msyncfs_fake_read(fx->fake, fx->fake->geo.bitmap_start, bm);
	used = test_bit_le(blkno, bm->bits);
	kunit_kfree(test, bm);
	return used;
}

/* Two attributes of a file have the same value blocks. */
static void xattr_same_blocks(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	struct value a = { "user.a", 600, 1 }, b = { "user.b", 700, 2 };
	u64 ino = file_inode(fx->file)->i_ino, space = 0;
	struct msyncfs_disk_inode *di;
	struct msyncfs_xattr_area area;
	__le64 *list[2];

	KUNIT_ASSERT_EQ(test, set(test, dentry_of(fx), &a), 0);
	KUNIT_ASSERT_EQ(test, set(test, dentry_of(fx), &b), 0);
	expect_space(test, fx, &space);
	fail_power_off(fx, 0);
	di = kunit_kmalloc(test, sizeof(*di), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, di);
	msyncfs_fake_read(fx->fake, ino, di);
	area = msyncfs_xattr_inline(di);
	list[0] = msyncfs_xattr_data(msyncfs_xattr_find(&area, MSYNCFS_XATTR_USER,
							"a", 1));
	list[1] = msyncfs_xattr_data(msyncfs_xattr_find(&area, MSYNCFS_XATTR_USER,
							"b", 1));
	*list[1] = *list[0];
	msyncfs_seal_block(&fx->fake->geo, di, le64_to_cpu(di->h.seq));
	msyncfs_fake_write(fx->fake, ino, di);

	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fail_open(fx);
	a.len = GONE;
	b.len = GONE;
	KUNIT_EXPECT_EQ(test, set(test, dentry_of(fx), &a), 0);
	set(test, dentry_of(fx), &b);
	/* The block is free once, and the other block belongs to nothing. */
	KUNIT_EXPECT_EQ(test, fail_space(test, fx), space - 1);
}

static void xattr_foreign(struct kunit *test)
{
	const enum foreign *f = test->param_value;
	struct value v = { "user.new", 9000, 7 };
	u64 block[NR_FOREIGN], ino;
	struct fail_fixture *fx;
	u8 *before, *after;
	unsigned int outer;

	before = kunit_kmalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	after = kunit_kmalloc(test, MSYNCFS_BLOCK_SIZE, GFP_KERNEL);
	for (outer = 0; outer < 2; outer++) {
		fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
		find_foreign(test, fx, block);
		KUNIT_ASSERT_EQ(test, set(test, dentry_of(fx), &v), 0);
		ino = file_inode(fx->file)->i_ino;
		msyncfs_fake_close(fx->fake, fx->again);
		msyncfs_fake_close(fx->fake, fx->file);
		msyncfs_fake_umount(fx->fake);
		point_to(test, fx, ino, block[*f], outer);
		msyncfs_fake_read(fx->fake, block[*f], before);
		KUNIT_EXPECT_EQ(test, in_use(test, fx, block[*f]), *f != FREE);

		KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
		use_damaged(test, fx, outer);
		msyncfs_fake_umount(fx->fake);
		msyncfs_fake_read(fx->fake, block[*f], after);
		KUNIT_EXPECT_EQ(test, in_use(test, fx, block[*f]), *f != FREE);
		/* The name of the file may have gone from the directory. */
		if (*f != LEAF && *f != LOG && *f != BITMAP)
			KUNIT_EXPECT_MEMEQ(test, before, after, MSYNCFS_BLOCK_SIZE);
		KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	}
}

/* A block with attributes, or of a value, cannot be read. */
static void xattr_unreadable(struct kunit *test)
{
	struct fail_fixture *fx = fail_setup(test, MSYNCFS_FAKE_CACHE);
	const struct value v = { "user.big", 20, 9 };
	struct msyncfs_xattr_area area;
	struct buffer_head *bh;
	unsigned int i;
	__le64 *list;
	u64 blkno[2];
	char *buf;

	buf = kunit_kmalloc(test, 9000, GFP_KERNEL);
	prepare(test, fx, states[0]);
	blkno[0] = le64_to_cpu(msyncfs_iblock(file_inode(fx->file))->xattr);
	bh = sb_bread(fx->fake->sb, blkno[0]);
	KUNIT_ASSERT_NOT_NULL(test, bh);
	area = msyncfs_xattr_outer(bh->b_data);
	list = msyncfs_xattr_data(msyncfs_xattr_find(&area, MSYNCFS_XATTR_USER,
						     "big", 3));
	blkno[1] = le64_to_cpu(list[2]);
	brelse(bh);
	for (i = 0; i < 2; i++) {
		msyncfs_fake_close(fx->fake, fx->again);
		msyncfs_fake_close(fx->fake, fx->file);
		msyncfs_fake_umount(fx->fake);
		iolog_unreadable(fx->log, blkno[i], 1);
		KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
		fail_open(fx);
		KUNIT_EXPECT_TRUE(test, has(test, dentry_of(fx), &states[0][0]));
		KUNIT_EXPECT_EQ(test, vfs_getxattr(&nop_mnt_idmap, dentry_of(fx),
						   "user.big", buf, 9000), -EIO);
		KUNIT_EXPECT_EQ(test, set(test, dentry_of(fx), &v), -EIO);
		iolog_unreadable(fx->log, 0, 0);
		KUNIT_EXPECT_TRUE(test, has_all(test, dentry_of(fx), states[0]));
	}
}

static struct kunit_case xattr_cases[] = {
	KUNIT_CASE(xattr_values),
	KUNIT_CASE_PARAM(xattr_power, change_gen_params),
	KUNIT_CASE_PARAM(xattr_errors, change_gen_params),
	KUNIT_CASE(xattr_full),
	KUNIT_CASE(xattr_delete),
	KUNIT_CASE(xattr_inherit),
	KUNIT_CASE(xattr_setuid),
	KUNIT_CASE(xattr_labels),
	KUNIT_CASE(xattr_same_blocks),
	KUNIT_CASE_PARAM(xattr_foreign, foreign_gen_params),
	KUNIT_CASE(xattr_unreadable),
	{}
};

static struct kunit_suite xattr_suite = {
	.name		= "msyncfs_xattr",
	.test_cases	= xattr_cases,
};

kunit_test_suite(xattr_suite);
