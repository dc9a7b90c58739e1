// SPDX-License-Identifier: GPL-2.0
/*
 * This file defines the module parameter "broken", which break.h describes.
 * Only builds with MSYNCFS_BREAK compile this file.
 */
#include <linux/module.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "break.h"

unsigned int msyncfs_broken;

static const char * const msyncfs_broken_name[MSYNCFS_NR_BROKEN] = {
	[MSYNCFS_BROKEN_NONE]		= "none",
	[MSYNCFS_BROKEN_FLUSH]		= "flush",
	[MSYNCFS_BROKEN_CHECKSUM]	= "checksum",
	[MSYNCFS_BROKEN_REUSE]		= "reuse",
	[MSYNCFS_BROKEN_HOME]		= "home",
	[MSYNCFS_BROKEN_ACK]		= "ack",
	[MSYNCFS_BROKEN_FUA]		= "fua",
	[MSYNCFS_BROKEN_FREEZE]		= "freeze",
	[MSYNCFS_BROKEN_FAILED]		= "failed",
	[MSYNCFS_BROKEN_ORPHAN]		= "orphan",
	[MSYNCFS_BROKEN_SPILL]		= "spill",
};

static int msyncfs_broken_set(const char *val, const struct kernel_param *kp)
{
	int i = __sysfs_match_string(msyncfs_broken_name, MSYNCFS_NR_BROKEN,
				     val);

	if (i < 0)
		return i;
	WRITE_ONCE(msyncfs_broken, i);
	return 0;
}

static int msyncfs_broken_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n",
			  msyncfs_broken_name[READ_ONCE(msyncfs_broken)]);
}

static const struct kernel_param_ops msyncfs_broken_ops = {
	.set	= msyncfs_broken_set,
	.get	= msyncfs_broken_get,
};

module_param_cb(broken, &msyncfs_broken_ops, NULL, 0644);
MODULE_PARM_DESC(broken, "rule to break");
