// SPDX-License-Identifier: GPL-2.0
/* The tools share the log scan of the module. */
#include "../../fs/disk/logscan.c"
