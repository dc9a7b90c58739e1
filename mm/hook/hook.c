// SPDX-License-Identifier: GPL-2.0
/*
 * msyncfs_hook.ko: routes the system call msync(2) to mm/msync.c, by a live
 * patch of its 64-bit and its 32-bit entry. Nothing else happens here.
 *
 * It is taken away by writing 0 to /sys/kernel/livepatch/msyncfs_hook/enabled;
 * when that directory is gone, the module can be removed.
 */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/ptrace.h>

#include "mm/sync.h"

/*
 * Not by a tail call: that a task is in here is what keeps the module, and
 * through it msyncfs.ko, from being removed; it has to show on its stack.
 */
static __always_inline long msyncfs_hook_call(unsigned long start, size_t len,
					      int flags)
{
	long ret = msyncfs_msync(start, len, flags);

	barrier();
	return ret;
}

static long msyncfs_hook_msync(const struct pt_regs *regs)
{
	return msyncfs_hook_call(regs->di, regs->si, regs->dx);
}

#ifdef CONFIG_IA32_EMULATION
static long msyncfs_hook_msync_32(const struct pt_regs *regs)
{
	return msyncfs_hook_call((u32)regs->bx, (u32)regs->cx, regs->dx);
}
#endif

static struct klp_func msyncfs_hook_funcs[] = {
	{
		.old_name = "__x64_sys_msync",
		.new_func = msyncfs_hook_msync,
	},
#ifdef CONFIG_IA32_EMULATION
	{
		.old_name = "__ia32_sys_msync",
		.new_func = msyncfs_hook_msync_32,
	},
#endif
	{}
};

static struct klp_object msyncfs_hook_objects[] = {
	{ .funcs = msyncfs_hook_funcs },	/* no name: the kernel itself */
	{}
};

static struct klp_patch msyncfs_hook_patch = {
	.mod = THIS_MODULE,
	.objs = msyncfs_hook_objects,
};

static int __init msyncfs_hook_init(void)
{
	return klp_enable_patch(&msyncfs_hook_patch);
}

/* There must be one; the patch has been disabled before it is called. */
static void __exit msyncfs_hook_exit(void)
{
}

module_init(msyncfs_hook_init);
module_exit(msyncfs_hook_exit);

MODULE_DESCRIPTION("msync(2) with all its flags on msyncfs");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
