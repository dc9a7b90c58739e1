// SPDX-License-Identifier: GPL-2.0
/*
 * This file runs workloads. Each workload has a recorded disk of its own.
 */
#include "explore.h"

#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static char workload[80];		/* name and variant */
static const char *device;		/* the recorded disk */
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

void ack(const char *text)
{
	disk_ack(workload, text);
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
	} else if (load->databases) {
		databases_work(load->name);
	} else if (load->work) {
		load->work();
	} else {
		threads_work(3);
	}
}

/* Run the workload @spec, which may end with a variant. */
static void work_one(FILE *record, const char *spec, uint64_t seed)
{
	size_t len = strcspn(spec, "!@+");
	const char *variant = spec[len] ? spec + len : "-", *dev;
	const struct load *load;
	char name[32];
	int status, dm;
	pid_t child;

	snprintf(name, sizeof(name), "%.*s", (int)len, spec);
	load = load_find(name);
	CHECK(load);
	snprintf(workload, sizeof(workload), "%s %s", name, variant);
	device = disk_start(record, !strcmp(variant + 1, "fua"), seed);
	make_fs(variant_fs(variant), device, load->log);
	dm = load->flakey || !strcmp(variant, "+dm");
	dev = device;
	if (dm) {
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
	break_rule("-");
	if (dm)
		shell("dmsetup remove flakey");
	disk_stop();
}

/**
 * work - run workloads, one after another
 * @record: recording
 * @seed: seed of the choices that workloads make
 * @argc: number of workloads
 * @argv: names of the workloads, which may end with a variant; the disk has FUA
 *	if the variant is +fua or !fua; with the variant +dm the filesystem is
 *	on a device-mapper device above a disk without FUA
 */
void work(FILE *record, uint64_t seed, int argc, char **argv)
{
	int i;

	setenv("DM_DISABLE_UDEV", "1", 1);
	for (i = 0; i < argc; i++) {
		work_one(record, argv[i], seed);
		printf("recorded %s\n", argv[i]);
	}
}

/**
 * state_write - write a state to a file or device that has only zeros
 * @fd: file descriptor, which the function closes
 * @st: state
 */
void state_write(int fd, const struct state *st)
{
	static unsigned char buf[BLOCK] __attribute__((aligned(4096)));
	uint64_t i, k;
	int any;

	CHECK(fd >= 0);
	for (i = 0; i < FS_SECTORS; i += BLOCK / SECTOR) {
		memset(buf, 0, BLOCK);
		for (any = 0, k = 0; k < BLOCK / SECTOR; k++) {
			if (!st->src[i + k])
				continue;
			memcpy(buf + k * SECTOR, st->src[i + k], SECTOR);
			any = 1;
		}
		if (any)
			CHECK(pwrite(fd, buf, BLOCK, i * SECTOR) == (ssize_t)BLOCK);
	}
	CHECK(!fsync(fd) && !close(fd));
}

/**
 * work_recover - record the recovery of a state
 * @record: recording
 * @st: state
 */
void work_recover(FILE *record, const struct state *st)
{
	snprintf(workload, sizeof(workload), "%s +recovery", st->slice->load);
	device = disk_start(record, 0, st->number);
	state_write(open(device, O_WRONLY | O_DIRECT), st);
	ack(st->acked);
	CHECK(!mount(device, mnt, "msyncfs", 0, NULL));
	CHECK(!umount(mnt));
	disk_stop();
}
