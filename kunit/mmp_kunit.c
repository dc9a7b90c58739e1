// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit suite for the multi-mount protection. The other machine is this test,
 * which writes the block behind the back of the filesystem.
 */
#include <kunit/test.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/utsname.h>
#include <linux/workqueue.h>

#include "kmsg.h"

#define INTERVAL	MSYNCFS_MMP_INTERVAL_MIN
#define NODE		"the-other-machine"

/* Writes and flushes, as a mask for iolog_start(). */
#define OUT		(MSYNCFS_FAKE_WRITE | MSYNCFS_FAKE_FLUSH)

/**
 * struct mmp_fixture - a device that another machine can use, too
 * @fake: device
 * @log: trace of the writes of @fake
 * @kmsg: reader of the kernel log
 * @disk: the block of the multi-mount protection that was read or written last
 * @other: lets the other machine write @seq later
 * @seq: see @other
 */
struct mmp_fixture {
	struct msyncfs_fake	*fake;
	struct iolog		*log;
	struct kmsg		kmsg;
	union {
		struct msyncfs_disk_mmp	mmp;
		u8			block[MSYNCFS_BLOCK_SIZE];
	} disk;
	struct delayed_work	other;
	u64			seq;
};

/* Write the block as the other machine. */
static void other_writes(struct mmp_fixture *fx, u64 seq, u32 interval)
{
	memset(&fx->disk, 0, sizeof(fx->disk));
	fx->disk.mmp.interval = cpu_to_le32(interval);
	fx->disk.mmp.owner = cpu_to_le64(4711);
	fx->disk.mmp.seq = cpu_to_le64(seq);
	strscpy((char *)fx->disk.mmp.node, NODE, sizeof(fx->disk.mmp.node));
	strscpy((char *)fx->disk.mmp.device, "sdz", sizeof(fx->disk.mmp.device));
	msyncfs_seal_mmp(&fx->fake->geo, &fx->disk.mmp);
	msyncfs_fake_write(fx->fake, fx->fake->geo.mmp_blkno, &fx->disk);
}

static void other_work(struct work_struct *work)
{
	struct mmp_fixture *fx = container_of(to_delayed_work(work),
					      struct mmp_fixture, other);

	other_writes(fx, fx->seq, INTERVAL);
}

static void other_later(struct mmp_fixture *fx, u64 seq, unsigned int ms)
{
	fx->seq = seq;
	schedule_delayed_work(&fx->other, msecs_to_jiffies(ms));
}

static int mmp_init(struct kunit *test)
{
	struct mmp_fixture *fx = kunit_kzalloc(test, sizeof(*fx), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fx);
	fx->fake = msyncfs_fake_create(test, 2048, 256, MSYNCFS_FAKE_CACHE |
				       MSYNCFS_FAKE_FUA | MSYNCFS_FAKE_MMP);
	fx->log = iolog_start(fx->fake, OUT);
	INIT_DELAYED_WORK(&fx->other, other_work);
	kmsg_start(&fx->kmsg);
	kmsg_skip(&fx->kmsg);
	test->priv = fx;
	return 0;
}

static void mmp_exit(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;

	if (fx)
		cancel_delayed_work_sync(&fx->other);
}

static int mount_it(struct mmp_fixture *fx)
{
	return msyncfs_fake_do_mount(fx->fake, 0, NULL);
}

/* Read the block. Return its seq. */
static u64 seq_now(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;

	msyncfs_fake_read(fx->fake, fx->fake->geo.mmp_blkno, &fx->disk);
	KUNIT_EXPECT_NULL(test, msyncfs_verify_mmp(&fx->fake->geo,
						   &fx->disk.mmp));
	return le64_to_cpu(fx->disk.mmp.seq);
}

/* Wait until the next heartbeat has begun, or for a long time. */
static bool beats(struct kunit *test)
{
	u64 seq = seq_now(test);
	unsigned int i;

	for (i = 0; i < 100; i++) {
		msleep(INTERVAL / 2);
		if (seq_now(test) != seq)
			return true;
	}
	return false;
}

static bool wait_abort(struct mmp_fixture *fx)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		if (msyncfs_log_dead(MSYNCFS_SB(fx->fake->sb)))
			return true;
		msleep(INTERVAL / 2);
	}
	return false;
}

static void expect_message(struct kunit *test, const char *text)
{
	struct mmp_fixture *fx = test->priv;

	while (kmsg_next(&fx->kmsg, fx->fake))
		if (strstr(fx->kmsg.line, text))
			return;
	KUNIT_FAIL(test, "not in the kernel log: %s", text);
}

static void mmp_mount(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;
	u64 blkno = fx->fake->geo.mmp_blkno;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	/* The claim is the first write. */
	KUNIT_EXPECT_EQ(test, fx->log->io[0].blkno, blkno);
	KUNIT_EXPECT_TRUE(test, beats(test));
	KUNIT_EXPECT_EQ(test, strncmp((char *)fx->disk.mmp.node,
				      init_utsname()->nodename,
				      MSYNCFS_MMP_NODE_LEN), 0);
	KUNIT_EXPECT_STREQ(test, (char *)fx->disk.mmp.device,
			   fx->fake->disk->disk_name);
	iolog_reset(fx->log);
	msyncfs_fake_umount(fx->fake);
	KUNIT_EXPECT_EQ(test, seq_now(test), MSYNCFS_MMP_CLEAN);
	/* What other writes are in the cache of the device is durable before. */
	i = fx->log->nr - 1;
	KUNIT_ASSERT_GE(test, fx->log->nr, 2);
	KUNIT_EXPECT_EQ(test, fx->log->io[i].blkno, blkno);
	while (i && fx->log->io[i].blkno == blkno)
		i--;
	KUNIT_EXPECT_EQ(test, fx->log->io[i].ops, MSYNCFS_FAKE_FLUSH);
}

/* The other machine lives: nothing is written here. */
static void mmp_busy(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;

	other_writes(fx, 7, INTERVAL);
	other_later(fx, 8, INTERVAL);
	KUNIT_EXPECT_EQ(test, mount_it(fx), -EBUSY);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	expect_message(test, "in use on another machine: node " NODE
		       ", device sdz, last heartbeat 1970-01-01 00:00:00 UTC");
	KUNIT_EXPECT_EQ(test, seq_now(test), 8);

	other_writes(fx, MSYNCFS_MMP_FSCK, INTERVAL);
	KUNIT_EXPECT_EQ(test, mount_it(fx), -EBUSY);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	expect_message(test, "fsck.msyncfs runs");
}

/* Both machines claim the filesystem, and the other one writes last. */
static void mmp_race(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;

	other_writes(fx, MSYNCFS_MMP_CLEAN, 10000);
	other_later(fx, 1, 500);
	KUNIT_EXPECT_EQ(test, mount_it(fx), -EBUSY);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 1);
	KUNIT_EXPECT_EQ(test, fx->log->io[0].blkno, fx->fake->geo.mmp_blkno);
	expect_message(test, "node " NODE);
	KUNIT_EXPECT_EQ(test, seq_now(test), 1);
}

/* The other machine has crashed. Then this machine crashes, too. */
static void mmp_stale(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;
	unsigned long start = jiffies;

	other_writes(fx, 7, INTERVAL);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	KUNIT_EXPECT_GE(test, jiffies - start, msecs_to_jiffies(2 * INTERVAL));
	expect_message(test, "was not unmounted");
	KUNIT_ASSERT_TRUE(test, beats(test));
	msyncfs_fake_crash(fx->fake, NULL, NULL);
	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);

	/* After a shutdown, there are no heartbeats, and the unmount writes nothing. */
	msyncfs_shutdown(fx->fake->sb);
	KUNIT_EXPECT_FALSE(test, beats(test));
	iolog_reset(fx->log);
	msyncfs_fake_umount(fx->fake);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_NE(test, seq_now(test), MSYNCFS_MMP_CLEAN);
	KUNIT_EXPECT_EQ(test, mount_it(fx), 0);
}

static void mmp_damaged(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;
	char text[64];

	seq_now(test);
	fx->disk.block[300] ^= 1;
	msyncfs_fake_write(fx->fake, fx->fake->geo.mmp_blkno, &fx->disk);
	KUNIT_EXPECT_EQ(test, mount_it(fx), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	snprintf(text, sizeof(text), "block %llu: multi-mount protection: wrong checksum",
		 fx->fake->geo.mmp_blkno);
	expect_message(test, text);
}

/* A heartbeat finds that the other machine has taken the filesystem. */
static void mmp_lost(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	other_writes(fx, 1, INTERVAL);
	KUNIT_EXPECT_TRUE(test, wait_abort(fx));
	expect_message(test, "node " NODE);
	iolog_reset(fx->log);
	msyncfs_fake_umount(fx->fake);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, seq_now(test), 1);
}

/* The other machine takes a frozen filesystem. The thaw finds this first. */
static void mmp_frozen(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;
	struct super_block *sb;

	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	sb = fx->fake->sb;
	KUNIT_ASSERT_EQ(test, msyncfs_kunit_freeze(sb), 0);
	iolog_reset(fx->log);
	msleep(5 * INTERVAL);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, msyncfs_kunit_thaw(sb), 0);
	KUNIT_EXPECT_TRUE(test, beats(test));

	KUNIT_ASSERT_EQ(test, msyncfs_kunit_freeze(sb), 0);
	iolog_reset(fx->log);
	other_writes(fx, 1, INTERVAL);
	KUNIT_EXPECT_EQ(test, msyncfs_kunit_thaw(sb), 0);
	KUNIT_EXPECT_TRUE(test, msyncfs_log_dead(MSYNCFS_SB(sb)));
	msleep(5 * INTERVAL);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
}

/* A read-only mount has heartbeats, too, unless the device is read-only. */
static void mmp_readonly(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, SB_RDONLY, NULL),
			0);
	KUNIT_EXPECT_TRUE(test, beats(test));
	msyncfs_fake_umount(fx->fake);
	KUNIT_EXPECT_EQ(test, seq_now(test), MSYNCFS_MMP_CLEAN);

	set_disk_ro(fx->fake->disk, true);
	iolog_reset(fx->log);
	other_writes(fx, 7, INTERVAL);
	KUNIT_ASSERT_EQ(test, msyncfs_fake_do_mount(fx->fake, SB_RDONLY, NULL),
			0);
	msleep(3 * INTERVAL);
	msyncfs_fake_umount(fx->fake);
	KUNIT_EXPECT_EQ(test, fx->log->nr, 0);
	KUNIT_EXPECT_EQ(test, seq_now(test), 7);
	set_disk_ro(fx->fake->disk, false);
}

/* Errors of the device end nothing, even if the write has had an effect. */
static void mmp_errors(struct kunit *test)
{
	struct mmp_fixture *fx = test->priv;

	KUNIT_ASSERT_EQ(test, mount_it(fx), 0);
	iolog_reset(fx->log);
	iolog_fail(fx->log, 0, 2, MSYNCFS_FAKE_LANDS);
	KUNIT_EXPECT_TRUE(test, beats(test));
	KUNIT_EXPECT_TRUE(test, beats(test));
	KUNIT_EXPECT_TRUE(test, beats(test));
	KUNIT_EXPECT_EQ(test, fx->log->failed, 2);
	KUNIT_EXPECT_FALSE(test, msyncfs_log_dead(MSYNCFS_SB(fx->fake->sb)));
	expect_message(test, "multi-mount protection: cannot be written");
}

static struct kunit_case mmp_cases[] = {
	KUNIT_CASE(mmp_mount),
	KUNIT_CASE(mmp_busy),
	KUNIT_CASE(mmp_race),
	KUNIT_CASE(mmp_stale),
	KUNIT_CASE(mmp_damaged),
	KUNIT_CASE(mmp_lost),
	KUNIT_CASE(mmp_frozen),
	KUNIT_CASE(mmp_readonly),
	KUNIT_CASE(mmp_errors),
	{}
};

static struct kunit_suite mmp_suite = {
	.name		= "msyncfs_mmp",
	.init		= mmp_init,
	.exit		= mmp_exit,
	.test_cases	= mmp_cases,
};

kunit_test_suite(mmp_suite);
