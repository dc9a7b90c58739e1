/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernel versions, and nothing else. This project supports
 * 6.12; another version is refused here rather than found out at run time.
 */
#ifndef MSYNCFS_COMPAT_H
#define MSYNCFS_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "msyncfs supports Linux 6.12"
#endif

#endif /* MSYNCFS_COMPAT_H */
