/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This header holds the differences between kernel versions, and nothing else.
 * The project supports 6.12. Any other version fails here, at compile time,
 * instead of at run time.
 */
#ifndef MSYNCFS_COMPAT_H
#define MSYNCFS_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "msyncfs supports Linux 6.12"
#endif

#endif /* MSYNCFS_COMPAT_H */
