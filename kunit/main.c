// SPDX-License-Identifier: GPL-2.0
/*
 * The module with the KUnit suites. Loading it runs them. Each *_kunit.c file
 * has one suite and registers it.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("KUnit suites of msyncfs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
