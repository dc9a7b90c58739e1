// SPDX-License-Identifier: GPL-2.0
/*
 * The module with the KUnit suites. The suites run when the module is loaded.
 * Each *_kunit.c file registers one suite.
 */
#include <linux/module.h>

#include "compat_kunit.h"

MODULE_DESCRIPTION("KUnit suites of msyncfs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(MSYNCFS_KUNIT_NS);
