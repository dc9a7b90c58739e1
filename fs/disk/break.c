// SPDX-License-Identifier: GPL-2.0
/*
 * The switch that breaks a rule, and what breaking one needs besides the line
 * where the rule is kept. Not part of the stock build; see fs/disk/break.h.
 */
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/string.h>

#include "fs/disk/break.h"
#include "fs/fs.h"

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

/**
 * msyncfs_break_home - write images home before their record, if that is broken
 * @sb: filesystem
 * @images: images, ascending by home block
 * @nr: how many
 */
void msyncfs_break_home(struct super_block *sb, struct msyncfs_image **images,
			unsigned int nr)
{
	struct msyncfs_io io;
	unsigned int i;

	if (!msyncfs_breaks(HOME))
		return;
	msyncfs_io_init(&io, sb, false);
	for (i = 0; i < nr; i++)
		msyncfs_io_add(&io, images[i]->home, images[i]->page);
	msyncfs_io_wait(&io, 0);
}

/**
 * msyncfs_break_thaw - let stores to a page go on before the others are captured
 * @img: its image, with the copy; nothing happens unless the freeze is broken
 */
void msyncfs_break_thaw(struct msyncfs_image *img)
{
	if (!msyncfs_breaks(FREEZE))
		return;
	img->writeback = false;
	folio_end_writeback(img->folio);
}
