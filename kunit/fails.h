/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers of the suites that test failures of I/O and power. They make a device
 * with a file whose pages are home.
 */
#ifndef MSYNCFS_KUNIT_FAILS_H
#define MSYNCFS_KUNIT_FAILS_H

#include "iolog.h"

#define BLOCKS		1024
#define LOG_BLOCKS	256
#define FILE_PAGES	64

/* Writes and flushes, as a mask for iolog_start(). */
#define OUT		(MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH)

/**
 * struct fail_fixture - a mounted device with a file whose pages are home
 * @fake: device
 * @sbi: the mount
 * @log: trace of the I/O of @fake
 * @file: FILE_PAGES pages full of 1
 * @again: another open file description of the file
 */
struct fail_fixture {
	struct msyncfs_fake	*fake;
	struct msyncfs_sb_info	*sbi;
	struct iolog		*log;
	struct file		*file;
	struct file		*again;
};

struct fail_fixture *fail_setup(struct kunit *test, unsigned int features);
void fail_open(struct fail_fixture *fx);
void fail_prepare(struct kunit *test, struct fail_fixture *fx);
void fail_power_off(struct fail_fixture *fx, unsigned int keep);
void fail_crash(struct kunit *test, struct fail_fixture *fx, unsigned int keep);
bool fail_aborted(struct fail_fixture *fx);
u64 fail_space(struct kunit *test, struct fail_fixture *fx);

#endif /* MSYNCFS_KUNIT_FAILS_H */
