// SPDX-License-Identifier: GPL-2.0
/*
 * The module with the KUnit suites. The suites run when the module is loaded.
 * Each *_kunit.c file registers one suite.
 */
#include <linux/module.h>
#include <linux/sched.h>

#include "fake.h"

/*
 * A suite runs in a kernel thread, which sees no device nodes since 7.0. Remember what
 * the task that loads the module sees. This task waits for the suites.
 */
struct fs_struct *msyncfs_kunit_fs;

static int __init msyncfs_kunit_init(void)
{
	msyncfs_kunit_fs = current->fs;
	return 0;
}
module_init(msyncfs_kunit_init);

static void __exit msyncfs_kunit_exit(void)
{
}
module_exit(msyncfs_kunit_exit);

MODULE_DESCRIPTION("KUnit suites of msyncfs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(MSYNCFS_KUNIT_NS);
