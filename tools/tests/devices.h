/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tests of msync use these helpers to control device-mapper devices and to
 * read the counters of a disk. The environment names the devices, see msync.h.
 */
#ifndef MSYNCFS_TESTS_DEVICES_H
#define MSYNCFS_TESTS_DEVICES_H

#include "check.h"

#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

static inline const char *need_env(const char *name)
{
	const char *value = getenv(name);

	if (!value || !*value) {
		fprintf(stderr, "$%s is not set\n", name);
		exit(2);
	}
	return value;
}

/*
 * Call device-mapper directly, without dmsetup. On a slow machine dmsetup takes
 * seconds. A test must not keep a device suspended for so long.
 */
struct dm_request {
	struct dm_ioctl head;
	struct dm_target_spec spec;
	char params[256];
};

/* @size is the size of @head and of the target descriptions behind it. */
static inline void dm_send(unsigned long cmd, const char *name, __u32 flags,
			   struct dm_ioctl *head, size_t size)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	head->version[0] = DM_VERSION_MAJOR;
	head->data_size = size;
	head->data_start = sizeof(*head);
	head->flags = flags;
	snprintf(head->name, sizeof(head->name), "%s", name);
	CHECK(fd >= 0);
	CHECK(!ioctl(fd, cmd, head));
	CHECK(!close(fd));
}

static inline void dm_request(unsigned long cmd, const char *name, __u32 flags,
			      struct dm_request *r)
{
	dm_send(cmd, name, flags, &r->head, sizeof(*r));
}

/* The suspended device, or NULL. A test that fails must resume this device. */
static const char *stopped_device;
static pid_t stopped_by;

static inline void dm_suspend(const char *name, __u32 how)
{
	struct dm_request r = { };

	stopped_device = name;
	stopped_by = getpid();
	dm_request(DM_DEV_SUSPEND, name, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG |
		   how, &r);
}

/* Suspend the device. From now on all I/O of the device waits. */
static inline void dm_stop(const char *name)
{
	dm_suspend(name, DM_NOFLUSH_FLAG);
}

static inline void dm_resume(const char *name)
{
	struct dm_request r = { };

	dm_request(DM_DEV_SUSPEND, name, 0, &r);
	stopped_device = NULL;
}

/*
 * Resume the device that this process has suspended, if any. Without this, the
 * process could not exit. A signal handler calls this function, too.
 */
static inline void dm_let_go(void)
{
	if (stopped_device && getpid() == stopped_by)
		dm_resume(stopped_device);
}

/*
 * Replace the target of the mounted device, e.g. by "linear" with @params
 * "/dev/vda 0".
 */
static inline void dm_table(const char *type, const char *params)
{
	struct dm_request r = { };

	r.head.target_count = 1;
	r.spec.length = strtoull(need_env("SECTORS"), NULL, 0);
	snprintf(r.spec.target_type, sizeof(r.spec.target_type), "%s", type);
	snprintf(r.params, sizeof(r.params), "%s", params);
	dm_request(DM_TABLE_LOAD, need_env("DM"), 0, &r);
	dm_suspend(need_env("DM"), 0);
	dm_resume(need_env("DM"));
}

/* Read the status that the target reports. */
static inline void dm_status(struct dm_request *r)
{
	memset(r, 0, sizeof(*r));
	dm_request(DM_TABLE_STATUS, need_env("DM"), 0, r);
}

static inline void dm_healthy(void)
{
	char params[64];

	snprintf(params, sizeof(params), "%s 0", need_env("DISK"));
	dm_table("linear", params);
}

struct io {
	unsigned long writes, kib, flushes;
};

/*
 * Read the counters that the kernel's Documentation/block/stat.rst describes.
 * The kernel also counts each flush as a write, so subtract the flushes.
 */
static inline struct io disk_io(const char *disk)
{
	unsigned long f[17] = { };
	const char *base = strrchr(disk, '/');
	char path[128];
	struct io io;
	FILE *s;
	int i;

	snprintf(path, sizeof(path), "/sys/class/block/%s/stat",
		 base ? base + 1 : disk);
	s = fopen(path, "r");
	CHECK(s);
	for (i = 0; i < 17; i++)
		SAME(fscanf(s, "%lu", &f[i]), 1);
	fclose(s);
	io.flushes = f[15];
	io.writes = f[4] - f[15];
	io.kib = f[6] / 2;
	return io;
}

#endif /* MSYNCFS_TESTS_DEVICES_H */
