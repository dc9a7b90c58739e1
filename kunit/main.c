// SPDX-License-Identifier: GPL-2.0
/*
 * The module that holds the KUnit suites. Loading it runs them; each suite is
 * one file and registers itself. The tests themselves are not here.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("KUnit suites of msyncfs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
