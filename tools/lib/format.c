// SPDX-License-Identifier: GPL-2.0
/* The module's own format code, for the tools. */
#include "../../fs/format.c"
