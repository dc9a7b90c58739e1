// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for discards: FITRIM and the mount option discard. The fake device
 * fills discarded blocks with poison, so a block that is discarded although a file,
 * the log or a replay needs it shows in the content of the files.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>

#include "files.h"
#include "fs/vfs/vfs.h"

#define TRIM_BLOCKS	40000	/* two groups */
#define TRIM_LOG_BLOCKS	1024
#define PAGES		40
#define OLD		1
#define NEW		2

struct trim_fixture {
	struct msyncfs_fake	*fake;
	u64			free;	/* free blocks at the start */
};

static void trim_mount(struct kunit *test, const char *options)
{
	struct trim_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, 0, options), 0);
	files_quiet(fx->fake);
}

static int trim_init(struct kunit *test)
{
	struct trim_fixture *fx;

	fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fx);
	test->priv = fx;
	fx->fake = msyncfs_fake_create(test, TRIM_BLOCKS, TRIM_LOG_BLOCKS,
				       MSYNCFS_FAKE_CACHE | MSYNCFS_FAKE_FUA |
				       MSYNCFS_FAKE_TRIM);
	trim_mount(test, NULL);
	fx->free = MSYNCFS_SB(fx->fake->sb)->space->free;
	return 0;
}

/* Write a file of PAGES pages and make it durable. */
static void make(struct kunit *test, const char *name, u8 fill)
{
	struct trim_fixture *fx = test->priv;
	struct file *file = msyncfs_fake_open(fx->fake, name, O_RDWR | O_CREAT);

	files_write(test, file, 0, PAGES, fill);
	KUNIT_ASSERT_EQ(test, files_sync(file), 0);
	msyncfs_fake_close(fx->fake, file);
}

static void expect(struct kunit *test, const char *name, u8 fill)
{
	struct trim_fixture *fx = test->priv;
	struct file *file = msyncfs_fake_open(fx->fake, name, O_RDWR);

	invalidate_mapping_pages(file->f_mapping, 0, ULONG_MAX);
	files_expect(test, file, 0, PAGES, fill);
	msyncfs_fake_close(fx->fake, file);
}

static void remove(struct kunit *test, const char *name)
{
	struct trim_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, files_unlink(fx->fake, name), 0);
	KUNIT_ASSERT_EQ(test, msyncfs_commit_all(fx->fake->sb), 0);
}

static void checkpoint(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, msyncfs_checkpoint(fx->fake->sb), 0);
	flush_work(&MSYNCFS_SB(fx->fake->sb)->space->discard_work);
}

/* Trim a part of the device. Return the number of discarded blocks. */
static u64 trim(struct kunit *test, u64 start, u64 len, u64 least)
{
	struct trim_fixture *fx = test->priv;
	struct fstrim_range range = {
		.start	= start << MSYNCFS_BLOCK_SHIFT,
		.len	= len << MSYNCFS_BLOCK_SHIFT,
		.minlen	= least << MSYNCFS_BLOCK_SHIFT,
	};

	msyncfs_fake_reset_counts(fx->fake);
	KUNIT_EXPECT_EQ(test, msyncfs_trim(fx->fake->sb, &range), 0);
	KUNIT_EXPECT_EQ(test, range.len,
			fx->fake->discarded << MSYNCFS_BLOCK_SHIFT);
	return fx->fake->discarded;
}

static void trim_settled(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;
	struct msyncfs_space *space = MSYNCFS_SB(fx->fake->sb)->space;

	KUNIT_EXPECT_EQ(test, space->freed, 0);
	KUNIT_EXPECT_EQ(test, space->held, 0);
	KUNIT_EXPECT_EQ(test, space->claimed, 0);
	KUNIT_EXPECT_EQ(test, space->reserved, 0);
}

/* All free blocks are discarded, nothing else, and they can be used after that. */
static void trim_all(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;

	KUNIT_EXPECT_EQ(test, trim(test, 0, U64_MAX >> 20, 0), fx->free);
	trim_settled(test);
	make(test, "a", OLD);
	checkpoint(test);
	KUNIT_EXPECT_EQ(test, trim(test, 0, U64_MAX >> 20, 0),
			MSYNCFS_SB(fx->fake->sb)->space->free);
	expect(test, "a", OLD);
	msyncfs_fake_umount(fx->fake);
	trim_mount(test, NULL);
	expect(test, "a", OLD);
	trim_settled(test);
}

/* A replay may need freed blocks until the checkpoint (B3). */
static void trim_freed(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;
	struct msyncfs_space *space = MSYNCFS_SB(fx->fake->sb)->space;
	u64 free;

	make(test, "a", OLD);
	make(test, "b", OLD);
	checkpoint(test);
	free = space->free;
	remove(test, "b");
	KUNIT_EXPECT_EQ(test, trim(test, 0, U64_MAX >> 20, 0), free);
	KUNIT_EXPECT_GE(test, space->freed, (u64)PAGES);
	checkpoint(test);
	KUNIT_EXPECT_GE(test, space->free, free + PAGES);
	KUNIT_EXPECT_EQ(test, trim(test, 0, U64_MAX >> 20, 0), space->free);
	expect(test, "a", OLD);
	trim_settled(test);
}

static void trim_arguments(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;
	struct super_block *sb = fx->fake->sb;
	u64 first = TRIM_BLOCKS - 1000;		/* all free but the last one */
	struct fstrim_range range;

	KUNIT_EXPECT_EQ(test, trim(test, first, 10, 0), 10);
	KUNIT_EXPECT_EQ(test, trim(test, first, 10, 10), 10);
	KUNIT_EXPECT_EQ(test, trim(test, first, 10, 11), 0);
	KUNIT_EXPECT_EQ(test, trim(test, first, 5000, 0), 999);
	KUNIT_EXPECT_EQ(test, trim(test, 0, MSYNCFS_BITMAP_BLKNO, 0), 0);
	KUNIT_EXPECT_EQ(test, trim(test, 0, U64_MAX >> 20, MSYNCFS_GROUP_BLOCKS), 0);

	range = (struct fstrim_range){
		.start = (u64)TRIM_BLOCKS << MSYNCFS_BLOCK_SHIFT,
		.len = U64_MAX,
	};
	KUNIT_EXPECT_EQ(test, msyncfs_trim(sb, &range), -EINVAL);
	range = (struct fstrim_range){ .len = MSYNCFS_BLOCK_SIZE - 1 };
	KUNIT_EXPECT_EQ(test, msyncfs_trim(sb, &range), -EINVAL);
	range = (struct fstrim_range){
		.len = U64_MAX,
		.minlen = (u64)(MSYNCFS_GROUP_BLOCKS + 1) << MSYNCFS_BLOCK_SHIFT,
	};
	KUNIT_EXPECT_EQ(test, msyncfs_trim(sb, &range), -EINVAL);
	range = (struct fstrim_range){
		.start = U64_MAX, .len = U64_MAX, .minlen = U64_MAX,
	};
	KUNIT_EXPECT_EQ(test, msyncfs_trim(sb, &range), -EINVAL);
	trim_settled(test);
}

/* Blocks that operations hold stay available. */
static void trim_held(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;
	struct super_block *sb = fx->fake->sb;

	KUNIT_ASSERT_EQ(test, msyncfs_hold(sb, fx->free - 300, false), 0);
	/* Each step may take 300 blocks, and gives them back. */
	msyncfs_fake_reset_counts(fx->fake);
	trim(test, 0, 3000, 0);
	msyncfs_unhold(sb, fx->free - 300, false);

	MSYNCFS_SB(sb)->space->spare = 0;
	KUNIT_ASSERT_EQ(test, msyncfs_hold(sb, fx->free, false), 0);
	KUNIT_EXPECT_EQ(test, trim(test, 0, U64_MAX >> 20, 0), 0);
	msyncfs_unhold(sb, fx->free, false);
	trim_settled(test);
}

static int holder_thread(void *arg)
{
	struct kunit *test = arg;
	struct trim_fixture *fx = test->priv;
	u64 nr = fx->free - 10;
	int err;

	err = msyncfs_hold(fx->fake->sb, nr, false);
	if (!err)
		msyncfs_unhold(fx->fake->sb, nr, false);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 100);
	return err;
}

static int trimmer_thread(void *arg)
{
	struct kunit *test = arg;
	struct trim_fixture *fx = test->priv;
	struct fstrim_range range = { .len = U64_MAX };
	int err;

	err = msyncfs_trim(fx->fake->sb, &range);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 100);
	return err;
}

/* A task that needs the blocks of a discard under way waits for them. */
static void trim_waits(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;
	struct task_struct *trimmer, *holder;

	MSYNCFS_SB(fx->fake->sb)->space->spare = 0;
	msyncfs_fake_hold(fx->fake, MSYNCFS_FAKE_DISCARD);
	trimmer = kthread_run(trimmer_thread, test, "msyncfs-trimmer");
	while (!msyncfs_fake_held(fx->fake))
		msleep(20);
	holder = kthread_run(holder_thread, test, "msyncfs-holder");
	msleep(200);
	msyncfs_fake_release(fx->fake);
	KUNIT_EXPECT_EQ(test, kthread_stop(holder), 0);
	KUNIT_EXPECT_EQ(test, kthread_stop(trimmer), 0);
	trim_settled(test);
}

/* The mount option discards exactly what a checkpoint makes available. */
static void trim_option(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;
	u64 free;

	make(test, "a", OLD);
	make(test, "b", OLD);
	msyncfs_fake_umount(fx->fake);
	trim_mount(test, "discard");
	free = MSYNCFS_SB(fx->fake->sb)->space->free;
	msyncfs_fake_reset_counts(fx->fake);
	remove(test, "b");
	KUNIT_EXPECT_EQ(test, fx->fake->discarded, 0);
	checkpoint(test);
	KUNIT_EXPECT_GE(test, fx->fake->discarded, (u64)PAGES);
	KUNIT_EXPECT_EQ(test, fx->fake->discarded,
			MSYNCFS_SB(fx->fake->sb)->space->free - free);
	expect(test, "a", OLD);
	make(test, "c", NEW);
	expect(test, "c", NEW);
	checkpoint(test);
	msyncfs_fake_umount(fx->fake);
	trim_mount(test, "nodiscard");
	msyncfs_fake_reset_counts(fx->fake);
	remove(test, "c");
	checkpoint(test);
	KUNIT_EXPECT_EQ(test, fx->fake->discarded, 0);
	expect(test, "a", OLD);
}

/* If the device cannot discard, freed blocks become available anyway. */
static void trim_error(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;
	struct fstrim_range range = { .len = U64_MAX };
	struct msyncfs_space *space;
	u64 free;

	msyncfs_fake_umount(fx->fake);
	trim_mount(test, "discard");
	space = MSYNCFS_SB(fx->fake->sb)->space;
	msyncfs_fake_fail(fx->fake, MSYNCFS_FAKE_DISCARD, 0, UINT_MAX);
	make(test, "a", OLD);
	checkpoint(test);
	free = space->free;
	remove(test, "a");
	checkpoint(test);
	KUNIT_EXPECT_GE(test, space->free, free + PAGES);
	KUNIT_EXPECT_EQ(test, msyncfs_trim(fx->fake->sb, &range), -EIO);
	KUNIT_EXPECT_EQ(test, range.len, 0);
	msyncfs_fake_fail(fx->fake, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, trim(test, 0, U64_MAX >> 20, 0), space->free);
	trim_settled(test);
}

static enum msyncfs_fake_fate power_fails(struct msyncfs_fake *fake,
					  struct bio *bio, unsigned int ops)
{
	unsigned int *left = fake->hook_ctx;

	if (!*left)
		fake->lost = true;
	else
		(*left)--;
	return MSYNCFS_FAKE_DONE;
}

/*
 * The power fails at each I/O of a load that frees and reuses blocks. Before and
 * after the crash no file may have poison. Returns false if the load has ended
 * before the power failed.
 */
static bool crash_at(struct kunit *test, unsigned int nr)
{
	struct trim_fixture *fx = test->priv;
	struct fstrim_range range = { .len = U64_MAX };
	struct msyncfs_fake *fake = fx->fake;
	unsigned int left = nr;
	bool lost;

	fake->hook_ctx = &left;
	WRITE_ONCE(fake->hook, power_fails);
	files_unlink(fake, "b");
	msyncfs_commit_all(fake->sb);
	msyncfs_checkpoint(fake->sb);
	make(test, "c", NEW);
	files_unlink(fake, "c");
	msyncfs_trim(fake->sb, &range);
	msyncfs_commit_all(fake->sb);
	msyncfs_checkpoint(fake->sb);
	make(test, "b", OLD);
	WRITE_ONCE(fake->hook, NULL);
	lost = fake->lost;
	msyncfs_fake_crash(fake, NULL, NULL);
	trim_mount(test, "discard");
	expect(test, "a", OLD);
	return lost;
}

static void trim_crash(struct kunit *test)
{
	struct trim_fixture *fx = test->priv;
	unsigned int nr;

	msyncfs_fake_umount(fx->fake);
	trim_mount(test, "discard");
	make(test, "a", OLD);
	for (nr = 0; nr < 200; nr++) {
		make(test, "b", OLD);
		checkpoint(test);
		if (!crash_at(test, nr))
			break;
	}
	KUNIT_EXPECT_LT(test, nr, 200);
	KUNIT_EXPECT_GT(test, nr, 20);
	expect(test, "a", OLD);
	expect(test, "b", OLD);
}

static struct kunit_case trim_cases[] = {
	KUNIT_CASE(trim_all),
	KUNIT_CASE(trim_freed),
	KUNIT_CASE(trim_arguments),
	KUNIT_CASE(trim_held),
	KUNIT_CASE(trim_waits),
	KUNIT_CASE(trim_option),
	KUNIT_CASE(trim_error),
	KUNIT_CASE(trim_crash),
	{}
};

static struct kunit_suite trim_suite = {
	.name		= "msyncfs_trim",
	.init		= trim_init,
	.test_cases	= trim_cases,
};

kunit_test_suite(trim_suite);
