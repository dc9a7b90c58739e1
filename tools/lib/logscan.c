// SPDX-License-Identifier: GPL-2.0
/* The module's own scan of the log, for the tools. */
#include "../../fs/logscan.c"
