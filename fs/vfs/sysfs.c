// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes the files under /sys/fs/msyncfs/. The directory <device>/
 * shows the state of a mount. A write to <device>/checkpoint starts a
 * checkpoint. A write to <device>/checkpoint_pause pauses checkpoints or ends
 * the pause. The directory features/ shows the features of this module. Each
 * file contains one value. msyncfs(5) describes the files. fs/log/ and
 * fs/space/ count the values that the files show.
 */
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "vfs.h"

/**
 * struct msyncfs_sysfs - the sysfs directory of a mount
 * @kobj: kobject of the directory
 * @sbi: filesystem that the directory describes
 * @gone: completed when the last reference to @kobj has been dropped
 */
struct msyncfs_sysfs {
	struct kobject		kobj;
	struct msyncfs_sb_info	*sbi;
	struct completion	gone;
};

static struct msyncfs_sb_info *msyncfs_kobj_sbi(struct kobject *kobj)
{
	return container_of(kobj, struct msyncfs_sysfs, kobj)->sbi;
}

/* ---- the files of a mount ------------------------------------------------ */

struct msyncfs_attr {
	struct attribute attr;
	ssize_t (*show)(struct msyncfs_sb_info *sbi, char *buf);
	ssize_t (*store)(struct msyncfs_sb_info *sbi, const char *buf,
			 size_t len);
};

#define MSYNCFS_ATTR_RO(name) \
	static struct msyncfs_attr msyncfs_attr_##name = __ATTR_RO(name)
#define MSYNCFS_ATTR_RW(name) \
	static struct msyncfs_attr msyncfs_attr_##name = __ATTR_RW(name)
#define MSYNCFS_ATTR_WO(name) \
	static struct msyncfs_attr msyncfs_attr_##name = __ATTR_WO(name)

#define MSYNCFS_ATTR_COUNTER(name, value) \
static ssize_t name##_show(struct msyncfs_sb_info *sbi, char *buf) \
{ \
	struct msyncfs_log_stat stat; \
\
	msyncfs_log_get_stat(sbi, &stat); \
	return sysfs_emit(buf, "%llu\n", (u64)(value)); \
} \
MSYNCFS_ATTR_RO(name)

MSYNCFS_ATTR_COUNTER(log_blocks, sbi->geo.log_blocks);
MSYNCFS_ATTR_COUNTER(log_used, stat.used);
MSYNCFS_ATTR_COUNTER(durable_tid, stat.durable_tid);
MSYNCFS_ATTR_COUNTER(home_tid, stat.home_tid);
MSYNCFS_ATTR_COUNTER(commits, stat.commits);
MSYNCFS_ATTR_COUNTER(fua_commits, stat.fua_commits);
MSYNCFS_ATTR_COUNTER(commit_callers, stat.callers);
MSYNCFS_ATTR_COUNTER(log_full_waits, stat.full_waits);
MSYNCFS_ATTR_COUNTER(checkpoints, stat.checkpoints);
MSYNCFS_ATTR_COUNTER(split_msyncs, stat.splits);

static ssize_t free_blocks_show(struct msyncfs_sb_info *sbi, char *buf)
{
	return sysfs_emit(buf, "%llu\n", msyncfs_space_avail(sbi->sb));
}
MSYNCFS_ATTR_RO(free_blocks);

static ssize_t checkpoint_pause_show(struct msyncfs_sb_info *sbi, char *buf)
{
	return sysfs_emit(buf, "%d\n",
			  test_bit(MSYNCFS_SB_CKPT_PAUSED, &sbi->state));
}

static ssize_t checkpoint_pause_store(struct msyncfs_sb_info *sbi,
				      const char *buf, size_t len)
{
	bool pause;
	int err = kstrtobool(buf, &pause);

	if (err)
		return err;
	msyncfs_checkpoint_pause(sbi, pause);
	return len;
}
MSYNCFS_ATTR_RW(checkpoint_pause);

static ssize_t checkpoint_store(struct msyncfs_sb_info *sbi, const char *buf,
				size_t len)
{
	int err = msyncfs_checkpoint(sbi->sb) ?: msyncfs_log_stuck(sbi->sb);

	return err ?: len;
}
MSYNCFS_ATTR_WO(checkpoint);

static struct attribute *msyncfs_attrs[] = {
	&msyncfs_attr_checkpoint_pause.attr,
	&msyncfs_attr_checkpoint.attr,
	&msyncfs_attr_free_blocks.attr,
	&msyncfs_attr_log_blocks.attr,
	&msyncfs_attr_log_used.attr,
	&msyncfs_attr_durable_tid.attr,
	&msyncfs_attr_home_tid.attr,
	&msyncfs_attr_commits.attr,
	&msyncfs_attr_fua_commits.attr,
	&msyncfs_attr_commit_callers.attr,
	&msyncfs_attr_log_full_waits.attr,
	&msyncfs_attr_checkpoints.attr,
	&msyncfs_attr_split_msyncs.attr,
	NULL,
};
ATTRIBUTE_GROUPS(msyncfs);

static ssize_t msyncfs_attr_show(struct kobject *kobj, struct attribute *attr,
				 char *buf)
{
	struct msyncfs_sb_info *sbi = msyncfs_kobj_sbi(kobj);
	struct msyncfs_attr *a = container_of(attr, struct msyncfs_attr, attr);

	return a->show ? a->show(sbi, buf) : -EIO;
}

static ssize_t msyncfs_attr_store(struct kobject *kobj, struct attribute *attr,
				  const char *buf, size_t len)
{
	struct msyncfs_sb_info *sbi = msyncfs_kobj_sbi(kobj);
	struct msyncfs_attr *a = container_of(attr, struct msyncfs_attr, attr);

	return a->store ? a->store(sbi, buf, len) : -EIO;
}

static const struct sysfs_ops msyncfs_sysfs_ops = {
	.show	= msyncfs_attr_show,
	.store	= msyncfs_attr_store,
};

static void msyncfs_kobj_release(struct kobject *kobj)
{
	complete(&container_of(kobj, struct msyncfs_sysfs, kobj)->gone);
}

static const struct kobj_type msyncfs_ktype = {
	.default_groups	= msyncfs_groups,
	.sysfs_ops	= &msyncfs_sysfs_ops,
	.release	= msyncfs_kobj_release,
};

/* ---- features ------------------------------------------------------------ */

#define MSYNCFS_FEATURE(name) \
static ssize_t name##_show(struct kobject *kobj, struct kobj_attribute *attr, \
			   char *buf) \
{ \
	return sysfs_emit(buf, "supported\n"); \
} \
static struct kobj_attribute msyncfs_feature_##name = __ATTR_RO(name)

/* The pages of one msync(MS_SYNC) or fsync() become durable together. */
MSYNCFS_FEATURE(one_record_msync);
/* MSYNCFS_IOC_SET_ATOMIC and the mount option atomic make files atomic. */
MSYNCFS_FEATURE(atomic_files);

static struct attribute *msyncfs_feature_attrs[] = {
	&msyncfs_feature_one_record_msync.attr,
	&msyncfs_feature_atomic_files.attr,
	NULL,
};

static const struct attribute_group msyncfs_feature_group = {
	.attrs	= msyncfs_feature_attrs,
};

/* ---- directories --------------------------------------------------------- */

static struct kset *msyncfs_kset;
static struct kobject *msyncfs_features;

/*
 * Drops the mount's reference to the directory, waits until all other
 * references are gone, and frees the directory.
 */
static void msyncfs_sysfs_put(struct msyncfs_sysfs *sysfs)
{
	kobject_put(&sysfs->kobj);
	wait_for_completion(&sysfs->gone);
	sysfs->sbi->sysfs = NULL;
	kfree(sysfs);
}

/**
 * msyncfs_sysfs_add - make the directory of a mount
 * @sb: filesystem whose mount is complete except for the root inode
 *
 * Context: mount; may sleep.
 * Return: 0 or a negative errno. After an error there is no directory.
 */
int msyncfs_sysfs_add(struct super_block *sb)
{
	struct msyncfs_sysfs *sysfs = kzalloc(sizeof(*sysfs), GFP_KERNEL);
	int err;

	if (!sysfs)
		return -ENOMEM;
	sysfs->sbi = MSYNCFS_SB(sb);
	sysfs->sbi->sysfs = sysfs;
	init_completion(&sysfs->gone);
	sysfs->kobj.kset = msyncfs_kset;
	err = kobject_init_and_add(&sysfs->kobj, &msyncfs_ktype, NULL, "%s",
				   sb->s_id);
	if (err)
		msyncfs_sysfs_put(sysfs);
	return err;
}

/**
 * msyncfs_sysfs_del - remove the directory of a mount
 * @sb: filesystem for which msyncfs_sysfs_add() has succeeded
 *
 * Context: may sleep; waits for tasks that read or write one of the files.
 */
void msyncfs_sysfs_del(struct super_block *sb)
{
	struct msyncfs_sysfs *sysfs = MSYNCFS_SB(sb)->sysfs;

	kobject_del(&sysfs->kobj);
	msyncfs_sysfs_put(sysfs);
}

/**
 * msyncfs_sysfs_init - make /sys/fs/msyncfs, on module load
 *
 * Context: may sleep.
 * Return: 0 or a negative errno. After an error there is no directory.
 */
int msyncfs_sysfs_init(void)
{
	int err = -ENOMEM;

	msyncfs_kset = kset_create_and_add("msyncfs", NULL, fs_kobj);
	if (!msyncfs_kset)
		return -ENOMEM;
	msyncfs_features = kobject_create_and_add("features",
						  &msyncfs_kset->kobj);
	if (msyncfs_features)
		err = sysfs_create_group(msyncfs_features,
					 &msyncfs_feature_group);
	if (err)
		msyncfs_sysfs_exit();
	return err;
}

/**
 * msyncfs_sysfs_exit - remove /sys/fs/msyncfs, on module exit
 *
 * Context: may sleep.
 */
void msyncfs_sysfs_exit(void)
{
	kobject_put(msyncfs_features);
	kset_unregister(msyncfs_kset);
}
