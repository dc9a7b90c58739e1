/* SPDX-License-Identifier: GPL-2.0 */
/* This header declares the CRC-32C of the tools. */
#ifndef MSYNCFS_CRC32C_H
#define MSYNCFS_CRC32C_H

#include <stddef.h>

#include <linux/types.h>

__u32 crc32c(__u32 crc, const void *buf, size_t len);

#endif /* MSYNCFS_CRC32C_H */
