// SPDX-License-Identifier: GPL-2.0
/* The tools share the code of the module for extended attributes. */
#include "../../fs/disk/xattr.c"
