// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for single calls of msync: which calls fail, and which pages a
 * call makes durable, even if its range has a part that is not mapped. Each
 * case mounts its own device.
 */
#include <kunit/test.h>
#include <linux/mman.h>

#include "calls.h"

/* ---- refused calls, and their effects ----------------------------------- */

/**
 * struct call_row - a call while page 0 of each file is dirty
 * @name: description
 * @options: mount options
 * @start: offset of the first byte from fx->base
 * @len: length in bytes
 * @flags: MS_*
 * @ret: expected result
 * @f: page 0 of f must be clean after the call
 * @g: page 0 of g must be clean after the call
 */
struct call_row {
	const char	*name;
	const char	*options;
	long		start;
	size_t		len;
	int		flags;
	int		ret;
	bool		f;
	bool		g;
};

static const struct call_row call_rows[] = {
	{ "not aligned", "", 1, 4096, MS_SYNC, -EINVAL },
	{ "unknown flag", "", 0, 4096, MS_SYNC | 8, -EINVAL },
	{ "negative flags", "", 0, 4096, -1, -EINVAL },
	{ "both", "", 0, 4096, MS_SYNC | MS_ASYNC, -EINVAL },
	{ "all three", "", 0, 4096, MS_SYNC | MS_ASYNC | MS_INVALIDATE,
	  -EINVAL },
	{ "one page", "", 0, 1, MS_SYNC, 0, true, false },
	{ "rounded up", "", 0, 4 * PAGE_SIZE + 1, MS_SYNC, 0, true, true },
	{ "both files", "", 0, 8 * PAGE_SIZE, MS_SYNC, 0, true, true },
	{ "a hole at the end", "", 0, 10 * PAGE_SIZE, MS_SYNC, -ENOMEM, true,
	  true },
	{ "a hole in the middle", "", 0, 12 * PAGE_SIZE, MS_SYNC, -ENOMEM,
	  true, true },
	{ "async, a hole in the middle", "", 0, 12 * PAGE_SIZE, MS_ASYNC,
	  -ENOMEM, true, true },
	{ "leaves the address space", "", 0, 1UL << 47, MS_SYNC, -ENOMEM,
	  true, true },
	{ "only a hole", "", HOLE_AT * PAGE_SIZE, PAGE_SIZE, MS_SYNC,
	  -ENOMEM },
	{ "wraps", "", 0, -3 * PAGE_SIZE, MS_SYNC, -ENOMEM },
	{ "wraps when rounded up", "", 0, SIZE_MAX, MS_SYNC, -ENOMEM },
	{ "nothing", "", 0, 0, MS_SYNC, 0 },
	{ "nothing in a hole", "", HOLE_AT * PAGE_SIZE, 0, MS_SYNC, 0 },
	{ "nothing, all", "msync=bsd", PAGE_SIZE, 0, MS_SYNC, 0, true, false },
	{ "nothing in a hole, BSD", "msync=bsd", HOLE_AT * PAGE_SIZE, 0,
	  MS_SYNC, 0 },
	{ "no flags", "", 0, 8 * PAGE_SIZE, 0, 0, true, true },
	{ "no flags, BSD", "msync=bsd", 0, 8 * PAGE_SIZE, 0, 0, true, true },
	{ "async", "", 0, 4 * PAGE_SIZE, MS_ASYNC, 0, true, false },
	{ "async and invalidate", "", 0, 4 * PAGE_SIZE,
	  MS_ASYNC | MS_INVALIDATE, 0, true, false },
	{ "async and invalidate, BSD", "msync=bsd", 0, 4 * PAGE_SIZE,
	  MS_ASYNC | MS_INVALIDATE, -EINVAL },
	{ "invalidate", "", 0, 8 * PAGE_SIZE, MS_INVALIDATE, 0, true, true },
	{ "sync and invalidate", "msync=bsd", 0, 8 * PAGE_SIZE,
	  MS_SYNC | MS_INVALIDATE, 0, true, true },
	{ "anonymous memory", "", ANON_AT * PAGE_SIZE, 2 * PAGE_SIZE, MS_SYNC,
	  0 },
	{ "private", "", PRIVATE_AT * PAGE_SIZE, 4 * PAGE_SIZE,
	  MS_SYNC | MS_INVALIDATE, 0 },
};

KUNIT_ARRAY_PARAM_DESC(call, call_rows, name);

static void msync_calls(struct kunit *test)
{
	const struct call_row *row = test->param_value;
	struct call_fixture *fx = call_setup(test, row->options);

	call_store(test, F_AT, 2);
	call_store(test, G_AT, 3);
	KUNIT_EXPECT_EQ(test, msyncfs_msync(fx->base + row->start, row->len,
					    row->flags), row->ret);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->f), !row->f);
	KUNIT_EXPECT_EQ(test, files_dirty(fx->g), !row->g);
	if (row->flags & (MS_ASYNC | MS_INVALIDATE))
		msyncfs_commit_all(fx->fake->sb);
	/*
	 * The content of pages that the call did not sync must not be on the
	 * device.
	 */
	call_crash(test);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->f, 0), row->f ? 2 : 1);
	KUNIT_EXPECT_EQ(test, call_first_byte(fx->g, 0), row->g ? 3 : 1);
}

#define MANY	16

/*
 * Sync many new files on a large device. Each file needs some bitmap blocks.
 * All files together cannot need more bitmap blocks than the device has. All
 * bitmap blocks of the device fit a small record. So the set must not be split.
 */
static void msync_many_files(struct kunit *test)
{
	struct msyncfs_range *ranges;
	struct msyncfs_sb_info *sbi;
	struct msyncfs_fake *fake;
	struct file *files[MANY];
	unsigned int i, j;
	char name[8];
	u64 records;

	/* There are 20 bitmap blocks. A record has at most 64 blocks. */
	fake = msyncfs_fake_mount(test, 20 * MSYNCFS_GROUP_BLOCKS, 256);
	sbi = MSYNCFS_SB(fake->sb);
	ranges = kunit_kcalloc(test, MANY, sizeof(*ranges), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ranges);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		files[i] = msyncfs_fake_open(fake, name, O_CREAT | O_RDWR);
		files_write(test, files[i], 0, 1, i);
		ranges[i].inode = file_inode(files[i]);
		for (j = i; j && ranges[j].inode < ranges[j - 1].inode; j--)
			swap(ranges[j], ranges[j - 1]);
	}
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fake->sb), 0);
	records = sbi->log->nr_commits;
	KUNIT_EXPECT_EQ(test, msyncfs_sync_ranges(ranges, MANY, true), 0);
	KUNIT_EXPECT_EQ(test, sbi->log->nr_commits, records + 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&sbi->log->nr_split), 0);
	for (i = 0; i < MANY; i++) {
		KUNIT_EXPECT_EQ(test, files_dirty(files[i]), 0);
		msyncfs_fake_close(fake, files[i]);
	}
}

static struct kunit_case calls_cases[] = {
	KUNIT_CASE_PARAM(msync_calls, call_gen_params),
	KUNIT_CASE(msync_many_files),
	{}
};

static struct kunit_suite calls_suite = {
	.name		= "msyncfs_msync_calls",
	.test_cases	= calls_cases,
};

kunit_test_suite(calls_suite);
