// SPDX-License-Identifier: GPL-2.0
/*
 * Helpers of the suites that test failures of I/O and power: see fails.h.
 */
#include "fails.h"
#include "files.h"

/**
 * fail_open - open the file of a mounted fixture
 * @fx: fixture
 */
void fail_open(struct fail_fixture *fx)
{
	fx->sbi = MSYNCFS_SB(fx->fake->sb);
	fx->file = msyncfs_fake_open(fx->fake, "f", O_CREAT | O_RDWR);
	fx->again = msyncfs_fake_open(fx->fake, "f", O_RDWR);
}

/**
 * fail_setup - make a device and mount it
 * @test: test
 * @features: features of the device
 *
 * Return: the fixture; the file is open and empty.
 */
struct fail_fixture *fail_setup(struct kunit *test, unsigned int features)
{
	struct fail_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_create(test, BLOCKS, LOG_BLOCKS, features);
	fx->log = iolog_start(fx->fake, OUT);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fail_open(fx);
	return fx;
}

/**
 * fail_prepare - make all pages full of 1, durable and home
 * @test: test
 * @fx: fixture
 */
void fail_prepare(struct kunit *test, struct fail_fixture *fx)
{
	files_quiet(fx->fake);
	files_write(test, fx->file, 0, FILE_PAGES, 1);
	KUNIT_ASSERT_EQ(test, vfs_fsync(fx->file, 0), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	iolog_reset(fx->log);
}

/**
 * fail_power_off - let the power fail
 * @fx: fixture; not mounted after this call
 * @keep: chooses which blocks of the volatile cache survive, see iolog_keep()
 */
void fail_power_off(struct fail_fixture *fx, unsigned int keep)
{
	iolog_power_off(fx->log);
	msyncfs_fake_close(fx->fake, fx->again);
	msyncfs_fake_close(fx->fake, fx->file);
	msyncfs_fake_crash(fx->fake, iolog_keep, &keep);
	iolog_reset(fx->log);
}

/**
 * fail_crash - let the power fail, and mount the device again
 * @test: test
 * @fx: fixture
 * @keep: as for fail_power_off()
 */
void fail_crash(struct kunit *test, struct fail_fixture *fx, unsigned int keep)
{
	fail_power_off(fx, keep);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, NULL), 0);
	fail_open(fx);
}

/**
 * fail_aborted - tell whether the filesystem has been aborted
 * @fx: fixture
 *
 * Return: true if it has been aborted.
 */
bool fail_aborted(struct fail_fixture *fx)
{
	return test_bit(MSYNCFS_SB_ABORTED, &fx->sbi->state);
}

/**
 * fail_space - count the free blocks, after a commit and a checkpoint
 * @test: test
 * @fx: fixture
 *
 * Return: number of blocks.
 */
u64 fail_space(struct kunit *test, struct fail_fixture *fx)
{
	struct super_block *sb = fx->fake->sb;

	KUNIT_EXPECT_EQ(test, msyncfs_commit_all(sb), 0);
	KUNIT_EXPECT_EQ(test, msyncfs_checkpoint(sb), 0);
	return msyncfs_space_avail(sb);
}
