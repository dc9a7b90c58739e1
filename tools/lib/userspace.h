/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This file replaces the kernel functions that the shared format code and the
 * shared log scan use. The tools include this header. Nothing in this file
 * depends on msyncfs.
 */
#ifndef MSYNCFS_USERSPACE_H
#define MSYNCFS_USERSPACE_H

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/types.h>

#define XXH_STATIC_LINKING_ONLY		/* to get XXH64_state_s */
#include <xxhash.h>

#include "crc32c.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

/*
 * The macros cast their results to u64, because %llu fits u64 on every machine.
 * %llu does not fit uint64_t on every machine.
 */
#define le64_to_cpu(x)	((u64)le64toh(x))
#define le32_to_cpu(x)	((u32)le32toh(x))
#define le16_to_cpu(x)	le16toh(x)
#define cpu_to_le64(x)	((__le64)htole64(x))
#define cpu_to_le32(x)	((__le32)htole32(x))
#define cpu_to_le16(x)	((__le16)htole16(x))

#define div_u64(n, d)		((u64)(n) / (d))

/* In the kernel, linux/minmax.h defines these macros. */
#define min(a, b) ({		\
	typeof(a) a_ = (a);	\
	typeof(b) b_ = (b);	\
	a_ < b_ ? a_ : b_;	\
})

/* In the kernel, linux/compiler_attributes.h defines these macros. */
#define __noreturn		__attribute((noreturn))
#define __aligned(x)		__attribute((aligned(x)))
#define __printf(fmt, args)	__attribute((format(printf, fmt, args)))

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#ifndef S_IALLUGO
#define S_IALLUGO	07777
#endif

/* Types of directory entries, as in the kernel's linux/fs_types.h. */
#define FT_UNKNOWN	0
#define FT_REG_FILE	1
#define FT_DIR		2
#define FT_CHRDEV	3
#define FT_BLKDEV	4
#define FT_FIFO		5
#define FT_SOCK		6
#define FT_SYMLINK	7
#define FT_MAX		8

#define IS_ENABLED(...)		0
#define EXPORT_SYMBOL_IF_KUNIT(sym)

/* In the kernel, linux/xxhash.h defines these names. */
#define xxh64_state	XXH64_state_s
#define xxh64(buf, len, seed)		((u64)XXH64(buf, len, seed))
#define xxh64_reset(state, seed)	((void)XXH64_reset(state, seed))
#define xxh64_update(state, buf, len)	XXH64_update(state, buf, len)
#define xxh64_digest(state)		((u64)XXH64_digest(state))

/* In the kernel, linux/siphash.h declares the type and the function. */
struct siphash_key {
	u64	key[2];
};

#define siphash_key_t	struct siphash_key

u64 siphash(const void *data, size_t len, const siphash_key_t *key);

/* Find the first byte of @s that is not @c. Returns NULL if there is none. */
static inline const void *memchr_inv(const void *s, int c, size_t n)
{
	const u8 *p = s;

	if (n && *p == (u8)c && !memcmp(p, p + 1, n - 1))
		return NULL;
	for (; n; n--, p++)
		if (*p != (u8)c)
			return p;
	return NULL;
}

#endif /* MSYNCFS_USERSPACE_H */
