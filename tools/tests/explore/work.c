// SPDX-License-Identifier: GPL-2.0
/*
 * This file runs workloads on a disk that is being recorded. Each workload has
 * a slice of its own.
 */
#include "explore.h"

#include <linux/blkpg.h>
#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static const char *disk;
static int stacked;			/* the disk is a device-mapper device */
static unsigned int slice;
static char workload[80];		/* name and variant */
static char device[100];		/* the mounted device */
static char work_id[64];		/* name of the device in sysfs */
static const char mnt[] = "/mnt";

__attribute__((format(printf, 1, 2)))
static void shell(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	errno = 0;
	if (system(line)) {
		fprintf(stderr, "%s: failed\n", line);
		exit(1);
	}
}

void put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(!close(fd));
}

/* Write @text to attribute @name of the mounted filesystem in sysfs. */
void put_setting(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/fs/msyncfs/%s/%s", work_id, name);
	put_text(path, text);
}

/*
 * Write a line to the sector behind the filesystem. So the recording shows the
 * order of the line and the writes of the filesystem. dm-log-writes records a
 * write without FUA only at the next flush. So the function uses FUA if
 * dm-log-writes makes the recording.
 */
static void put_line(const char *word, const char *text)
{
	static char buf[BLOCK] __attribute__((aligned(4096)));
	static int fd = -1;

	if (fd < 0)
		fd = open(disk, O_WRONLY | O_DIRECT | (stacked ? O_DSYNC : 0));
	CHECK(fd >= 0);
	memset(buf, 0, SECTOR);
	snprintf(buf, SECTOR, "%s %s %s", word, workload, text);
	CHECK(pwrite(fd, buf, SECTOR, (slice_start(slice) + FS_SECTORS) * SECTOR) ==
	      (ssize_t)SECTOR);
}

void ack(const char *text)
{
	put_line("ack", text);
}

/*
 * Write a mark at the end of the slice. Without the mark, nobody would notice
 * that a recording ends early.
 */
static void put_end(void)
{
	put_line("end", "");
}

/*
 * Make a device for the slice. The device is a partition. If the disk cannot
 * have partitions, the device is a device-mapper device.
 */
static void make_device(void)
{
	struct blkpg_partition part = {
		.start = slice_start(slice) * SECTOR,
		.length = FS_SECTORS * SECTOR,
		.pno = slice + 1,
	};
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_ADD_PARTITION,
		.datalen = sizeof(part),
		.data = &part,
	};
	int fd;

	if (stacked) {
		shell("dmsetup create slice%u --table '0 %lu linear %s %lu'", slice,
		      FS_SECTORS, disk, slice_start(slice));
		sprintf(device, "/dev/mapper/slice%u", slice);
		return;
	}
	fd = open(disk, O_RDONLY);
	CHECK(fd >= 0);
	CHECK(!ioctl(fd, BLKPG, &arg));
	CHECK(!close(fd));
	snprintf(device, sizeof(device), "%s%u", disk, slice + 1);
}

/*
 * Put dm-flakey above the device. I/O that fails does not reach the recorded
 * disk.
 */
static void make_flakey(void)
{
	shell("dmsetup create flakey --table '0 %lu linear %s 0'", FS_SECTORS, device);
}

static void suspend_flakey(int fd, unsigned int flags)
{
	struct dm_ioctl arg = {
		.version = { DM_VERSION_MAJOR },
		.data_size = sizeof(arg),
		.flags = flags,
		.name = "flakey",
	};

	CHECK(!ioctl(fd, DM_DEV_SUSPEND, &arg));
}

/* Make the device-mapper table that was loaded last the current table. */
static void swap_tables(void)
{
	int fd = open("/dev/mapper/control", O_RDWR);

	CHECK(fd >= 0);
	suspend_flakey(fd, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG);
	suspend_flakey(fd, 0);	/* resumes the device */
	CHECK(!close(fd));
}

/*
 * If @on is set, make the device fail. Otherwise end the failure. While the
 * device fails, the background checkpoint is paused. The failure must be short,
 * because a commit in the background would fail, too. So the function already
 * loads the table for the end of the failure when the failure begins. To end
 * the failure, it only swaps the tables and need not run a program.
 */
void device_fails(int on)
{
	if (!on) {
		swap_tables();
		put_setting("checkpoint_pause", "0");
		return;
	}
	put_setting("checkpoint_pause", "1");
	shell("dmsetup load flakey --table '0 %lu flakey %s 0 0 3600 1 error_writes'",
	      FS_SECTORS, device);
	swap_tables();
	shell("dmsetup load flakey --table '0 %lu linear %s 0'", FS_SECTORS, device);
}

static void find_id(const char *dev)
{
	struct stat st = stat_of(dev);
	char path[64], link[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
	n = readlink(path, link, sizeof(link) - 1);
	CHECK(n > 0);
	link[n] = 0;
	snprintf(work_id, sizeof(work_id), "%s", strrchr(link, '/') + 1);
}

static void make_fs(const char *fs, const char *dev, const char *log)
{
	if (!strcmp(fs, "msyncfs"))
		shell("mkfs.msyncfs -f -q -l %s %s", log ? log : "1M", dev);
	else
		shell("mkfs.%s -q -F -E nodiscard -m 0 %s", fs, dev);
}

static void run_load(const struct load *load, uint64_t seed)
{
	CHECK(!chdir(mnt));
	if (load->run) {
		model_start(load, seed, 1);
		load->run();
	} else {
		threads_work(3);
	}
}

/* Run the workload @spec, which may end with a variant. */
static void work_one(const char *spec, uint64_t seed)
{
	size_t len = strcspn(spec, "!@+");
	const char *variant = spec[len] ? spec + len : "-", *dev;
	const struct load *load;
	char name[32];
	int status;
	pid_t child;

	snprintf(name, sizeof(name), "%.*s", (int)len, spec);
	load = load_find(name);
	CHECK(load);
	snprintf(workload, sizeof(workload), "%s %s", name, variant);
	make_device();
	make_fs(variant_fs(variant), device, load->log);
	dev = device;
	if (load->flakey) {
		make_flakey();
		dev = "/dev/mapper/flakey";
	}
	find_id(dev);
	CHECK(!mount(dev, mnt, variant_fs(variant), 0, load->atomic ? "atomic" : NULL));
	break_rule(variant);
	/*
	 * Run the workload in a child, because the exit of the child closes all
	 * files.
	 */
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		run_load(load, seed);
		exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	if (status) {
		fprintf(stderr, "%s: exit status %#x\n", spec, status);
		exit(1);
	}
	CHECK(!umount(mnt));
	put_end();
	break_rule("-");
	if (load->flakey)
		shell("dmsetup remove flakey");
}

/**
 * work - run workloads, one after another
 * @path: path of the disk that is being recorded
 * @seed: seed of the choices that workloads make
 * @argc: number of workloads
 * @argv: names of the workloads, which may end with a variant
 */
void work(const char *path, uint64_t seed, int argc, char **argv)
{
	int i;

	disk = path;
	stacked = !strncmp(path, "/dev/mapper/", 12);
	setenv("DM_DISABLE_UDEV", "1", 1);
	for (i = 0; i < argc; i++, slice++) {
		work_one(argv[i], seed);
		printf("recorded %s\n", argv[i]);
	}
}

/**
 * work_recover - record the recovery of a state
 * @path: path of the disk that is being recorded
 * @nr: number of the slice that gets the state
 * @load: workload of the state
 * @acked: text of the last acknowledgment of the state
 */
void work_recover(const char *path, unsigned int nr, const char *load, const char *acked)
{
	disk = path;
	slice = nr;
	snprintf(workload, sizeof(workload), "%s +recovery", load);
	make_device();
	ack(acked);
	CHECK(!mount(device, mnt, "msyncfs", 0, NULL));
	CHECK(!umount(mnt));
	put_end();
}
