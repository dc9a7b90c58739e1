// SPDX-License-Identifier: GPL-2.0
/*
 * fsck uses the multi-mount protection here. If another machine uses the filesystem,
 * fsck ends. While fsck can change the filesystem, it writes heartbeats, so that no
 * machine mounts it. A timer writes them, because fsck may wait for an answer.
 */
#include "fsck.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* What this program has written last. The handler of the signal uses it, too. */
static struct {
	struct fsck	*fs;
	union {
		struct msyncfs_disk_mmp	mmp;
		char			block[BLK];
	} u;
} mine;

static u64 mmp_pos(const struct fsck *fs)
{
	return fs->geo.mmp_blkno << MSYNCFS_BLOCK_SHIFT;
}

/*
 * Read and verify the block. Returns NULL or the problem. The page cache of this machine
 * does not know what other machines write, so do not read from it.
 */
static const char *read_mmp(const struct fsck *fs, struct msyncfs_disk_mmp *mmp)
{
	posix_fadvise(fs->dev.fd, mmp_pos(fs), BLK, POSIX_FADV_DONTNEED);
	if (device_read(&fs->dev, mmp, sizeof(*mmp), mmp_pos(fs)))
		return "cannot be read";
	return msyncfs_verify_mmp(&fs->geo, mmp);
}

/* Write the block. Returns false after an error. A handler of a signal may call this. */
static bool write_mine(const struct fsck *fs)
{
	struct msyncfs_disk_mmp *mmp = &mine.u.mmp;

	mmp->time = cpu_to_le64(time(NULL));
	msyncfs_seal_mmp(&fs->geo, mmp);
	return !device_write(&fs->dev, mine.u.block, BLK, mmp_pos(fs)) &&
	       !device_sync(&fs->dev);
}

/* The heartbeat. Errors are ignored; other writes will find them, too. */
static void beat(int sig)
{
	int err = errno;

	(void)sig;
	mine.u.mmp.owner = cpu_to_le64(le64_to_cpu(mine.u.mmp.owner) + 1);
	write_mine(mine.fs);
	errno = err;
}

static void set_timer(u32 ms)
{
	struct itimerval timer = {
		.it_interval = { ms / 1000, ms % 1000 * 1000 },
		.it_value = { ms / 1000, ms % 1000 * 1000 },
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Give the filesystem back, at the end of the program. */
void fsck_mmp_end(struct fsck *fs)
{
	struct msyncfs_disk_mmp now;

	if (mine.fs != fs)
		return;
	set_timer(0);
	mine.fs = NULL;
	if (read_mmp(fs, &now) || memcmp(&now, &mine.u.mmp, sizeof(now))) {
		fprintf(stderr, "fsck.msyncfs: %s: used elsewhere meanwhile (block %llu)\n",
			fs->dev.path, fs->geo.mmp_blkno);
		return;
	}
	mine.u.mmp.seq = cpu_to_le64(MSYNCFS_MMP_CLEAN);
	if (!write_mine(fs))
		fprintf(stderr, "fsck.msyncfs: %s: cannot write block %llu\n",
			fs->dev.path, fs->geo.mmp_blkno);
}

__noreturn
static void in_use(struct fsck *fs, const struct msyncfs_disk_mmp *mmp)
{
	time_t t = le64_to_cpu(mmp->time);
	struct tm *tm = gmtime(&t);
	char when[64] = "at an impossible time";

	if (tm)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", tm);
	fsck_die(fs, "is in use on another machine: node %.*s, device %.*s, last heartbeat %s",
		 MSYNCFS_MMP_NODE_LEN, mmp->node, MSYNCFS_MMP_DEVICE_LEN,
		 mmp->device, when);
}

/* Wait @ms, and read the block into @now. */
static void watch(struct fsck *fs, u32 ms, struct msyncfs_disk_mmp *now)
{
	const char *why;

	usleep(ms * 1000);
	why = read_mmp(fs, now);
	if (why)
		fsck_die(fs, "multi-mount protection: %s", why);
}

/*
 * Take the filesystem. If another machine takes it at the same time, the one that writes
 * last wins. So look again after a while.
 */
static void claim(struct fsck *fs, u32 interval)
{
	struct sigaction sa = { .sa_handler = beat, .sa_flags = SA_RESTART };
	struct msyncfs_disk_mmp now, *mmp = &mine.u.mmp;

	memset(&mine.u, 0, sizeof(mine.u));
	mmp->interval = cpu_to_le32(interval);
	mmp->seq = cpu_to_le64(MSYNCFS_MMP_FSCK);
	if (getrandom(&mmp->owner, sizeof(mmp->owner), 0) != sizeof(mmp->owner))
		fsck_die(fs, "no random numbers");
	gethostname((char *)mmp->node, sizeof(mmp->node));
	memcpy(mmp->device, fs->dev.path,
	       strnlen(fs->dev.path, sizeof(mmp->device)));
	if (!write_mine(fs))
		fsck_die(fs, "cannot write block %llu", fs->geo.mmp_blkno);
	watch(fs, interval / 5, &now);
	if (memcmp(&now, mmp, sizeof(now)))
		in_use(fs, &now);
	mine.fs = fs;
	sigaction(SIGALRM, &sa, NULL);
	set_timer(interval);
}

/*
 * End the program if another machine uses the filesystem. Otherwise, unless nothing may be
 * written, tell other machines that fsck uses it.
 */
void fsck_mmp(struct fsck *fs)
{
	struct msyncfs_disk_mmp mmp, now;
	u32 interval = MSYNCFS_MMP_INTERVAL;
	const char *why;

	if (!fs->protect || !fs->geo.mmp_blkno)
		return;
	why = read_mmp(fs, &mmp);
	if (why) {
		if (!problem(fs, false, "write it anew, if no other machine uses it",
			     "Multi-mount protection (block %llu): %s",
			     fs->geo.mmp_blkno, why) && fs->mode != FSCK_NO)
			fsck_die(fs, "cannot go on without the multi-mount protection");
	} else {
		interval = le32_to_cpu(mmp.interval);
		if (le64_to_cpu(mmp.seq) != MSYNCFS_MMP_CLEAN) {
			say(fs, "%s: not unmounted, or in use elsewhere: waiting for %u ms\n",
			    fs->dev.path, msyncfs_mmp_wait(&mmp));
			watch(fs, msyncfs_mmp_wait(&mmp), &now);
			if (memcmp(&now, &mmp, sizeof(now)))
				in_use(fs, &now);
		}
	}
	if (fs->mode != FSCK_NO)
		claim(fs, interval);
}
