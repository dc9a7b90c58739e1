/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What compat.h is for the module, this header is for the KUnit suites: code that
 * depends on the kernel version.
 */
#ifndef MSYNCFS_COMPAT_KUNIT_H
#define MSYNCFS_COMPAT_KUNIT_H

#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/pagemap.h>

#include "compat.h"

/* Since 6.13 the name of a namespace is a string. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define MSYNCFS_KUNIT_NS	EXPORTED_FOR_KUNIT_TESTING
#else
#define MSYNCFS_KUNIT_NS	"EXPORTED_FOR_KUNIT_TESTING"
#endif

/* Since 6.17 a freeze by the kernel has an owner. */
static inline int msyncfs_kunit_freeze(struct super_block *sb)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
	return freeze_super(sb, FREEZE_HOLDER_KERNEL);
#else
	return freeze_super(sb, FREEZE_HOLDER_KERNEL, NULL);
#endif
}

static inline int msyncfs_kunit_thaw(struct super_block *sb)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
	return thaw_super(sb, FREEZE_HOLDER_KERNEL);
#else
	return thaw_super(sb, FREEZE_HOLDER_KERNEL, NULL);
#endif
}

/* lookup_one_len() is lookup_noperm() since 6.16. The caller holds i_rwsem of @dir. */
static inline struct dentry *msyncfs_kunit_lookup(struct dentry *dir,
						  const char *name)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
	return lookup_one_len(name, dir, strlen(name));
#else
	return lookup_noperm(&QSTR(name), dir);
#endif
}

/* Since 6.15 vfs_mkdir() returns a dentry, and since 6.19 both get a delegation. */
static inline int msyncfs_kunit_mkdir(struct inode *dir, struct dentry *dentry,
				      umode_t mode)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
	return vfs_mkdir(&nop_mnt_idmap, dir, dentry, mode);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
	return PTR_ERR_OR_ZERO(vfs_mkdir(&nop_mnt_idmap, dir, dentry, mode));
#else
	return PTR_ERR_OR_ZERO(vfs_mkdir(&nop_mnt_idmap, dir, dentry, mode,
					 NULL));
#endif
}

static inline int msyncfs_kunit_rmdir(struct inode *dir, struct dentry *dentry)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
	return vfs_rmdir(&nop_mnt_idmap, dir, dentry);
#else
	return vfs_rmdir(&nop_mnt_idmap, dir, dentry, NULL);
#endif
}

/* Since 6.19 the caller may give a memory policy. */
static inline struct folio *msyncfs_kunit_folio(unsigned int order)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
	return filemap_alloc_folio(GFP_KERNEL, order);
#else
	return filemap_alloc_folio(GFP_KERNEL, order, NULL);
#endif
}

/*
 * Since 6.18 a generator of parameters also gets the test. MSYNCFS_GEN_PARAMS(NAME)
 * begins the definition of a generator, MSYNCFS_GEN_NEXT(NAME) calls one from there.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define MSYNCFS_GEN_PARAMS(name) \
	static const void *name##_gen_params(const void *prev, char *desc)
#define MSYNCFS_GEN_NEXT(name)	name##_gen_params(prev, desc)
#else
#define MSYNCFS_GEN_PARAMS(name) \
	static const void *name##_gen_params(struct kunit *test, \
					     const void *prev, char *desc)
#define MSYNCFS_GEN_NEXT(name)	name##_gen_params(test, prev, desc)
#endif

#endif /* MSYNCFS_COMPAT_KUNIT_H */
