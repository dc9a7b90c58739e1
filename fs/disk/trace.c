// SPDX-License-Identifier: GPL-2.0
/* This file alone turns the trace events of fs/disk/trace.h into code. */
#include <linux/fs.h>

#define CREATE_TRACE_POINTS
#include "fs/disk/trace.h"
