// SPDX-License-Identifier: GPL-2.0
/*
 * This file has SipHash-2-4, which the kernel has in lib/siphash.c. Without the
 * key nobody can compute two inputs with the same hash.
 */
#include "userspace.h"

static inline u64 rol64(u64 x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static void rounds(u64 v[4], unsigned int nr)
{
	while (nr--) {
		v[0] += v[1];
		v[1] = rol64(v[1], 13) ^ v[0];
		v[0] = rol64(v[0], 32);
		v[2] += v[3];
		v[3] = rol64(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rol64(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rol64(v[1], 17) ^ v[2];
		v[2] = rol64(v[2], 32);
	}
}

/* Take 8 bytes of the input. */
static void take(u64 v[4], u64 m)
{
	v[3] ^= m;
	rounds(v, 2);
	v[0] ^= m;
}

u64 siphash(const void *data, size_t len, const siphash_key_t *key)
{
	u64 v[4] = {
		key->key[0] ^ 0x736f6d6570736575ULL,
		key->key[1] ^ 0x646f72616e646f6dULL,
		key->key[0] ^ 0x6c7967656e657261ULL,
		key->key[1] ^ 0x7465646279746573ULL,
	};
	const u8 *p = data;
	size_t left;
	__le64 m;

	for (left = len; left >= sizeof(m); left -= sizeof(m)) {
		memcpy(&m, p, sizeof(m));
		take(v, le64_to_cpu(m));
		p += sizeof(m);
	}
	m = 0;
	memcpy(&m, p, left);
	take(v, le64_to_cpu(m) | (u64)len << 56);
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
