// SPDX-License-Identifier: GPL-2.0
/* This file generates the code of the trace events in fs/disk/trace.h. */
#include <linux/fs.h>

#define CREATE_TRACE_POINTS
#include "fs/disk/trace.h"
