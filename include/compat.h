/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code that depends on the kernel version belongs in this header. The project
 * supports only Linux 6.12. For any other version the build fails here, because
 * a module for that version could fail at run time.
 */
#ifndef MSYNCFS_COMPAT_H
#define MSYNCFS_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "msyncfs supports Linux 6.12"
#endif

#endif /* MSYNCFS_COMPAT_H */
