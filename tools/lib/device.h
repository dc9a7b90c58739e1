/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This file declares the functions that open, read and write a device or an
 * image file, and the functions that write sizes and UUIDs as text.
 */
#ifndef MSYNCFS_DEVICE_H
#define MSYNCFS_DEVICE_H

#include "msyncfs_version.h"
#include "userspace.h"

/**
 * struct device - an open block device or image file
 * @path: path as the user gave it
 * @fd: open file descriptor
 * @bytes: size in bytes
 * @sector: sector size in bytes, 512 for a file
 * @is_block: true for a block device
 */
struct device {
	const char	*path;
	int		fd;
	u64		bytes;
	unsigned int	sector;
	bool		is_block;
};

int device_open(struct device *dev, const char *path, int flags);
int device_read(const struct device *dev, void *buf, size_t len, u64 pos);
int device_write(const struct device *dev, const void *buf, size_t len,
		 u64 pos);
int device_zero(const struct device *dev, u64 pos, u64 len);
u64 device_next_data(const struct device *dev, u64 pos);
int device_sync(const struct device *dev);
const char *device_holds(const struct device *dev);
const char *size_text(u64 bytes, char buf[32]);
const char *uuid_text(const u8 uuid[16], char buf[40]);

#endif /* MSYNCFS_DEVICE_H */
