/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Read new messages of the kernel log. Check if a message names a block, and
 * the kind of object to which the block belongs.
 */
#ifndef MSYNCFS_KUNIT_KMSG_H
#define MSYNCFS_KUNIT_KMSG_H

#include <linux/kmsg_dump.h>

#include "iolog.h"

/**
 * struct kmsg - a reader of the kernel log
 * @iter: position in the kernel log
 * @line: the last line read
 */
struct kmsg {
	struct kmsg_dump_iter	iter;
	char			line[256];
};

void kmsg_start(struct kmsg *kmsg);
void kmsg_skip(struct kmsg *kmsg);
bool kmsg_next(struct kmsg *kmsg, struct msyncfs_fake *fake);
bool kmsg_names(const struct kmsg *kmsg, const struct iolog_io *io);

#endif /* MSYNCFS_KUNIT_KMSG_H */
