/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers of the suites that test captures. They make a file on the fake device
 * and capture its pages.
 */
#ifndef MSYNCFS_KUNIT_CAPTURES_H
#define MSYNCFS_KUNIT_CAPTURES_H

#include "files.h"
#include "iolog.h"

#define ALL		ULONG_MAX

/**
 * struct cap_fixture - a mounted device with an empty file
 * @fake: device
 * @log: trace of the I/O of @fake
 * @file: the file
 * @inode: inode of @file
 * @mi: msyncfs's part of @inode
 */
struct cap_fixture {
	struct msyncfs_fake		*fake;
	struct iolog			*log;
	struct file			*file;
	struct inode			*inode;
	struct msyncfs_inode_info	*mi;
};

int cap_init(struct kunit *test);
struct msyncfs_capture *cap_take(struct cap_fixture *fx, pgoff_t first,
				 pgoff_t last, unsigned long copy_max,
				 unsigned long limit);
void cap_give_back(struct msyncfs_capture *cap, int err);
int cap_image_fill(struct msyncfs_image *img);
struct msyncfs_image *cap_image(struct msyncfs_capture *cap, pgoff_t index);
bool cap_dirty(struct cap_fixture *fx, pgoff_t index);

#endif /* MSYNCFS_KUNIT_CAPTURES_H */
