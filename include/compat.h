/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code that depends on the kernel version belongs in this header. The tests run on
 * Linux 6.12 and 7.3. The versions between them should work too. For any other
 * kernel the build fails here, because a module for that kernel could fail at
 * run time.
 */
#ifndef MSYNCFS_COMPAT_H
#define MSYNCFS_COMPAT_H

#include <asm/byteorder.h>
#include <linux/backing-dev.h>
#include <linux/blkdev.h>
#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/memcontrol.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/uio.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>	/* declares the batches of folios in any version */

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(7, 4, 0)
#error "msyncfs supports Linux 6.12 to 7.3"
#endif

/*
 * Page indexes and file offsets are mixed in many places where 32 bits would be
 * too few, and the project has no test on a big-endian machine.
 */
#if !defined(CONFIG_64BIT) || defined(CONFIG_CPU_BIG_ENDIAN) || \
	!defined(__LITTLE_ENDIAN)
#error "msyncfs supports 64-bit little-endian kernels"
#endif

/*
 * msyncfs_wb_end_quiet() repeats what folio_end_writeback() of this kernel does.
 * Other kernels end the writeback of each folio on its own.
 */
#define MSYNCFS_END_BATCHES \
	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0))

/*
 * MSYNCFS_DEFINE_CREATE(name, func) and MSYNCFS_DEFINE_MKDIR(name, func) define
 * the functions of inode_operations. @func has no argument "excl" and returns 0 or
 * a negative errno. Since 6.15, mkdir returns a dentry, or NULL for success. Since
 * 7.3, create has no argument "excl".
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#define MSYNCFS_DEFINE_CREATE(name, func) \
static int name(struct mnt_idmap *idmap, struct inode *dir, \
		struct dentry *dentry, umode_t mode, bool excl) \
{ \
	return func(idmap, dir, dentry, mode); \
}
#else
#define MSYNCFS_DEFINE_CREATE(name, func) \
static int name(struct mnt_idmap *idmap, struct inode *dir, \
		struct dentry *dentry, umode_t mode) \
{ \
	return func(idmap, dir, dentry, mode); \
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#define MSYNCFS_DEFINE_MKDIR(name, func) \
static int name(struct mnt_idmap *idmap, struct inode *dir, \
		struct dentry *dentry, umode_t mode) \
{ \
	return func(idmap, dir, dentry, mode); \
}
#else
#define MSYNCFS_DEFINE_MKDIR(name, func) \
static struct dentry *name(struct mnt_idmap *idmap, struct inode *dir, \
			   struct dentry *dentry, umode_t mode) \
{ \
	return ERR_PTR(func(idmap, dir, dentry, mode)); \
}
#endif

/*
 * Since 6.17, a buffered write gets the functions for its folios as an argument.
 * Before, each iomap pointed to them.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define iomap_write_ops		iomap_folio_ops
static inline void msyncfs_set_write_ops(struct iomap *iomap,
					 const struct iomap_write_ops *ops)
{
	iomap->folio_ops = ops;
}

static inline ssize_t
msyncfs_iomap_write(struct kiocb *iocb, struct iov_iter *from,
		    const struct iomap_ops *ops,
		    const struct iomap_write_ops *write_ops)
{
	return iomap_file_buffered_write(iocb, from, ops, NULL);
}
#else
static inline void msyncfs_set_write_ops(struct iomap *iomap,
					 const struct iomap_write_ops *ops)
{
}

static inline ssize_t
msyncfs_iomap_write(struct kiocb *iocb, struct iov_iter *from,
		    const struct iomap_ops *ops,
		    const struct iomap_write_ops *write_ops)
{
	return iomap_file_buffered_write(iocb, from, ops, write_ops, NULL);
}
#endif

/*
 * Since 6.16, statx(2) can name a length up to which an untorn write is fast. 0
 * means that all lengths are alike.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define msyncfs_fill_untorn(stat, min, max) \
	generic_fill_statx_atomic_writes(stat, min, max)
#else
#define msyncfs_fill_untorn(stat, min, max) \
	generic_fill_statx_atomic_writes(stat, min, max, 0)
#endif

/* 6.17 has renamed the flags of chattr(1). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define file_kattr		fileattr
#endif

/*
 * Since 6.18, the block layer accepts memory if all addresses and lengths are
 * aligned as the device needs it. Before, it needed lengths of whole sectors.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
static inline bool iov_iter_is_aligned(const struct iov_iter *iter,
				       unsigned int addr_mask,
				       unsigned int len_mask)
{
	return !(iov_iter_alignment(iter) & (addr_mask | len_mask));
}

static inline bool bdev_iter_is_aligned(struct block_device *bdev,
					struct iov_iter *iter)
{
	unsigned int mask = bdev_dma_alignment(bdev);

	return iov_iter_is_aligned(iter, mask, mask);
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define inode_state_read(inode)		((inode)->i_state)
#define inode_state_read_once(inode)	((inode)->i_state)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define msyncfs_update_mtime(inode) \
	generic_update_time(inode, S_MTIME | S_CTIME)
#else
#define msyncfs_update_mtime(inode) \
	generic_update_time(inode, FS_UPD_CMTIME, 0)
#endif

/*
 * filemap_nr_thps() counts large folios that khugepaged has made although the
 * filesystem supports none. This needs a config option, which 7.2 does not have.
 */
#ifndef CONFIG_READ_ONLY_THP_FOR_FS
#define filemap_nr_thps		msyncfs_filemap_nr_thps
static inline int filemap_nr_thps(struct address_space *mapping)
{
	return 0;
}
#endif

/*
 * What counts a folio that is locked or under writeback: its cgroup. Since 7.2,
 * only the objcg of such a folio stays the same.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0) && defined(CONFIG_MEMCG)
#define msyncfs_counted_by(folio)	folio_objcg(folio)
#else
#define msyncfs_counted_by(folio)	folio_memcg(folio)
#endif

/* Runs @fn on a CPU, unless the CPU goes offline. */
#if defined(CONFIG_SMP) && !defined(work_on_cpu_safe)
static inline long work_on_cpu_safe(int cpu, long (*fn)(void *), void *arg)
{
	long ret = -ENODEV;

	cpus_read_lock();
	if (cpu_online(cpu))
		ret = work_on_cpu(cpu, fn, arg);
	cpus_read_unlock();
	return ret;
}
#endif

/*
 * Counts a page as written. 7.3 has no function for this. There the estimate of
 * the device's bandwidth has these pages, but not the estimate of its share of
 * the writes of all devices.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
#define wb_writeout_inc(wb)		wb_stat_mod(wb, WB_WRITTEN, 1)
#endif

/* Since 7.1 PAGEVEC_SIZE has this name. */
#ifndef FOLIO_BATCH_SIZE
#define FOLIO_BATCH_SIZE	PAGEVEC_SIZE
#endif

/* ---- what only the KUnit suites call -------------------------------------- */

/* Since 6.13 the name of a namespace is a string. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define MSYNCFS_KUNIT_NS	EXPORTED_FOR_KUNIT_TESTING
#else
#define MSYNCFS_KUNIT_NS	"EXPORTED_FOR_KUNIT_TESTING"
#endif

/* Since 6.17 a freeze by the kernel has an owner. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define msyncfs_kunit_freeze(sb)	freeze_super(sb, FREEZE_HOLDER_KERNEL)
#define msyncfs_kunit_thaw(sb)	thaw_super(sb, FREEZE_HOLDER_KERNEL)
#else
#define msyncfs_kunit_freeze(sb)	freeze_super(sb, FREEZE_HOLDER_KERNEL, NULL)
#define msyncfs_kunit_thaw(sb)	thaw_super(sb, FREEZE_HOLDER_KERNEL, NULL)
#endif

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

/* Since 6.19 the caller of filemap_alloc_folio() may give a memory policy. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define msyncfs_kunit_rmdir(dir, dentry) vfs_rmdir(&nop_mnt_idmap, dir, dentry)
#define msyncfs_kunit_folio(order)	filemap_alloc_folio(GFP_KERNEL, order)
#else
#define msyncfs_kunit_rmdir(dir, dentry) vfs_rmdir(&nop_mnt_idmap, dir, dentry, NULL)
#define msyncfs_kunit_folio(order)	filemap_alloc_folio(GFP_KERNEL, order, NULL)
#endif

/* Since 7.0 the caller of page_cache_ra_unbounded() holds invalidate_lock. */
static inline void msyncfs_kunit_readahead(struct readahead_control *ractl,
					   unsigned long nr)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
	page_cache_ra_unbounded(ractl, nr, 0);
#else
	filemap_invalidate_lock_shared(ractl->mapping);
	page_cache_ra_unbounded(ractl, nr, 0);
	filemap_invalidate_unlock_shared(ractl->mapping);
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

#endif /* MSYNCFS_COMPAT_H */
