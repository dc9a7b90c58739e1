// SPDX-License-Identifier: GPL-2.0
/*
 * These functions read and write a block device or an image file. Each function
 * transfers all bytes or returns a negative errno. This file does not know the
 * meaning of the bytes.
 */
#include "device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <blkid/blkid.h>
#include <linux/fs.h>

/*
 * Open @path. With O_EXCL the kernel refuses a block device that is mounted or otherwise
 * claimed (-EBUSY). Returns 0, a negative errno, or -ENOTBLK if @path is neither a block
 * device nor a regular file.
 */
int device_open(struct device *dev, const char *path, int flags)
{
	struct stat st;
	int sector;

	*dev = (struct device){ .path = path, .fd = -1, .sector = 512 };
	if (stat(path, &st))
		return -errno;
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return -ENOTBLK;
	dev->is_block = S_ISBLK(st.st_mode);
	dev->fd = open(path, flags | O_CLOEXEC | (dev->is_block ? O_EXCL : 0));
	if (dev->fd < 0)
		return -errno;
	if (!dev->is_block) {
		dev->bytes = st.st_size;
		return 0;
	}
	if (ioctl(dev->fd, BLKGETSIZE64, &dev->bytes) ||
	    ioctl(dev->fd, BLKSSZGET, &sector))
		return -errno;
	dev->sector = sector;
	return 0;
}

/* Read all of @len bytes at @pos. Returns 0 or a negative errno. */
int device_read(const struct device *dev, void *buf, size_t len, u64 pos)
{
	while (len) {
		ssize_t n = pread(dev->fd, buf, len, pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (char *)buf + n;
		len -= n;
		pos += n;
	}
	return 0;
}

/* Write all of @len bytes at @pos. Returns 0 or a negative errno. */
int device_write(const struct device *dev, const void *buf, size_t len,
		 u64 pos)
{
	while (len) {
		ssize_t n = pwrite(dev->fd, buf, len, pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (const char *)buf + n;
		len -= n;
		pos += n;
	}
	return 0;
}

/* Write @len zeros at @pos. Returns 0 or a negative errno. */
int device_zero(const struct device *dev, u64 pos, u64 len)
{
	static const char zero[65536];

	while (len) {
		size_t n = len < sizeof(zero) ? len : sizeof(zero);
		int err = device_write(dev, zero, n, pos);

		if (err)
			return err;
		pos += n;
		len -= n;
	}
	return 0;
}

/*
 * Return the first position from @pos on that may have other bytes than zeros, or the size of
 * the device if there is none. A block device does not tell, so the result is @pos.
 */
u64 device_next_data(const struct device *dev, u64 pos)
{
	off_t data = lseek(dev->fd, pos, SEEK_DATA);

	if (data >= 0)
		return data;
	return errno == ENXIO ? dev->bytes : pos;
}

/* Make all written data durable. Returns 0 or a negative errno. */
int device_sync(const struct device *dev)
{
	return fsync(dev->fd) ? -errno : 0;
}

/*
 * Return the name of what libblkid finds on the device, which stays valid, or NULL if it finds
 * nothing. It does not know msyncfs.
 */
const char *device_holds(const struct device *dev)
{
	blkid_probe pr = blkid_new_probe();
	const char *what = NULL;
	int ret;

	if (!pr || blkid_probe_set_device(pr, dev->fd, 0, 0))
		return "what libblkid cannot read";
	blkid_probe_enable_superblocks(pr, true);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE |
					  BLKID_SUBLKS_MAGIC);
	blkid_probe_enable_partitions(pr, true);
	ret = blkid_do_safeprobe(pr);
	if (ret == -2)
		what = "more than one filesystem";
	else if (ret < 0)
		what = "what libblkid cannot read";
	else if (!ret && blkid_probe_lookup_value(pr, "TYPE", &what, NULL) &&
		 blkid_probe_lookup_value(pr, "PTTYPE", &what, NULL))
		what = "something";
	if (what)	/* the probe has the name */
		return what;
	blkid_free_probe(pr);
	return NULL;
}
