// SPDX-License-Identifier: GPL-2.0
/* The tools share the code of the module for the bitmaps. */
#include "../../fs/disk/bitmap.c"
