// SPDX-License-Identifier: GPL-2.0
/* The tools share the format code of the module. */
#include "../../fs/disk/format.c"
