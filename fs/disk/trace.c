// SPDX-License-Identifier: GPL-2.0
/*
 * The one file in which the trace events of fs/disk/trace.h become code.
 */
#include <linux/fs.h>

#define CREATE_TRACE_POINTS
#include "fs/disk/trace.h"
