/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code that depends on the kernel version belongs in this header. The project
 * supports only Linux 6.12 on 64-bit little-endian machines. For any other
 * kernel the build fails here, because a module for that kernel could fail at
 * run time.
 */
#ifndef MSYNCFS_COMPAT_H
#define MSYNCFS_COMPAT_H

#include <asm/byteorder.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "msyncfs supports Linux 6.12"
#endif

/*
 * Page indexes and file offsets are mixed in many places where 32 bits would be
 * too few, and the project has no test on a big-endian machine.
 */
#if !defined(CONFIG_64BIT) || defined(CONFIG_CPU_BIG_ENDIAN) || \
	!defined(__LITTLE_ENDIAN)
#error "msyncfs supports 64-bit little-endian kernels"
#endif

#endif /* MSYNCFS_COMPAT_H */
