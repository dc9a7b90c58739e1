/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Read new messages of the kernel log, and check if a line names a block and
 * the kind of object that the block belongs to.
 */
#ifndef MSYNCFS_KUNIT_KMSG_H
#define MSYNCFS_KUNIT_KMSG_H

#include <linux/kmsg_dump.h>

#include "iolog.h"

/**
 * struct kmsg - a reader of the kernel log
 * @iter: position
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
