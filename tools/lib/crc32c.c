// SPDX-License-Identifier: GPL-2.0
/*
 * This file computes CRC-32C as the kernel function crc32c() does. It uses the
 * instruction of the CPU if there is one. Debian has no static library with
 * this function.
 */
#include "crc32c.h"

#include <string.h>

#define CRC32C_POLY	0x82f63b78U	/* bits of the polynomial, reversed */

static __u32 table[256];

__attribute__((constructor))
static void fill_table(void)
{
	unsigned int i, bit;

	for (i = 0; i < 256; i++) {
		table[i] = i;
		for (bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? CRC32C_POLY : 0);
	}
}

static __u32 crc32c_table(__u32 crc, const unsigned char *p, size_t len)
{
	for (; len; len--, p++)
		crc = crc >> 8 ^ table[(crc ^ *p) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static __u32 crc32c_sse42(__u32 crc, const unsigned char *p, size_t len)
{
	unsigned long long c = crc, word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		c = __builtin_ia32_crc32di(c, word);
	}
	return crc32c_table(c, p, len);
}
#endif

/* Return the remainder of @len bytes. @crc is the remainder of the bytes before. */
__u32 crc32c(__u32 crc, const void *buf, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(crc, buf, len);
#endif
	return crc32c_table(crc, buf, len);
}
