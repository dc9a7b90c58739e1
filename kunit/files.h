/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Most suites use these helpers to change and check files on the fake device.
 * Each write fills its pages with one byte value. If two writes use different
 * values, a suite can tell which of them a page has.
 */
#ifndef MSYNCFS_KUNIT_FILES_H
#define MSYNCFS_KUNIT_FILES_H

#include "fake.h"

void files_quiet(struct msyncfs_fake *fake);
void files_write(struct kunit *test, struct file *file, pgoff_t index,
		 unsigned int nr, u8 fill);
int files_read(struct file *file, pgoff_t index);
void files_expect(struct kunit *test, struct file *file, pgoff_t index,
		  unsigned int nr, int fill);
int files_sync(struct file *file);
unsigned long files_dirty(struct file *file);
u64 files_block(struct kunit *test, struct file *file, pgoff_t index);
int files_truncate(struct file *file, loff_t size);
int files_punch(struct file *file, pgoff_t index, u64 nr);
int files_unlink(struct msyncfs_fake *fake, const char *name);
unsigned long files_map(struct kunit *test, struct file *file, unsigned int nr,
			int flags);
void files_flush_fput(struct kunit *test);
void files_settled(struct kunit *test, struct super_block *sb);

#endif /* MSYNCFS_KUNIT_FILES_H */
