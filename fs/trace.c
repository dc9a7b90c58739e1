// SPDX-License-Identifier: GPL-2.0
/*
 * The one file in which the trace events of include/trace.h become code.
 */
#include <linux/fs.h>

#define CREATE_TRACE_POINTS
#include "trace.h"
