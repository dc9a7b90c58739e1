// SPDX-License-Identifier: GPL-2.0
/*
 * The module msyncfs_hook.ko is a live patch of the 64-bit and the 32-bit entry
 * of the system call msync(2). The patch routes the call to msyncfs_msync() in
 * mm/msync.c and does nothing else.
 *
 * Write 0 to /sys/kernel/livepatch/msyncfs_hook/enabled to disable the patch.
 * The kernel removes this directory when no task uses the patch any more. When
 * the directory is gone, the module can be removed.
 */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/ptrace.h>

#include "mm/sync.h"
#include "msyncfs_version.h"

/*
 * While a task is in msyncfs_msync(), the stack of the task must contain this
 * function. Otherwise livepatch would allow the removal of this module, and
 * then of msyncfs.ko, while the task runs in these modules. A tail call would
 * remove this function from the stack. barrier() prevents a tail call.
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
	{ .funcs = msyncfs_hook_funcs },	/* no name means vmlinux */
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

/*
 * A module without an exit function cannot be removed. This exit function is
 * empty, because the module can be removed only after the patch is disabled.
 */
static void __exit msyncfs_hook_exit(void)
{
}

module_init(msyncfs_hook_init);
module_exit(msyncfs_hook_exit);

MODULE_DESCRIPTION("msync(2) with all its flags on msyncfs");
MODULE_VERSION(MSYNCFS_VERSION);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
