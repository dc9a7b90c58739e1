/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files of the fuzzer share these declarations. mutate.c damages an image. inside.c runs
 * fsck.msyncfs on an image in memory. exercise.c uses a mounted filesystem. guest.c is process
 * 1 of a guest, which mounts damaged images. host.c lets fsck.msyncfs check and repair damaged
 * images.
 */
#ifndef MSYNCFS_FUZZ_H
#define MSYNCFS_FUZZ_H

#include "../../fs/disk/format.h"

#include <stdio.h>
#include <stdlib.h>

#define BLK	MSYNCFS_BLOCK_SIZE

/* Number of base images; see populate.c. */
#define NR_BASES	5

/* The same seed always gives the same numbers. */
struct rng {
	u64	x;
};

static inline u64 rng_next(struct rng *r)
{
	u64 x = r->x += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* Return a number from 0 to @n - 1. */
static inline u64 rng_below(struct rng *r, u64 n)
{
	return rng_next(r) % n;
}

/**
 * struct image - an image in memory
 * @b: the bytes
 * @blocks: number of blocks
 */
struct image {
	u8	*b;
	u64	blocks;
};

/* host.c and guest.c */
__printf(1, 2)
__noreturn void die(const char *fmt, ...);

/* mutate.c */
struct image image_new(u64 blocks);
struct image image_read(const char *path);
void bases_load(const char *dir);
const struct image *image_damaged(u64 seed, FILE *out);
int image_write(const struct image *im, const char *path, int flags);

/* inside.c */
int fsck_image(const struct image *im, char *mode, const char *report);
void device_is(const struct image *im);
void in_batches(u64 first, u64 count, void (*one)(u64 seed),
		void (*ended)(u64 seed, int status));

/* exercise.c */
unsigned int exercise(const char *mnt, u64 seed, bool strict);

/* populate.c */
void populate(const char *mnt, const char *dir);

/* fsck.msyncfs.c and mkfs.msyncfs.c, whose main() has another name here */
int fsck_main(int argc, char **argv);
int mkfs_main(int argc, char **argv);

#endif /* MSYNCFS_FUZZ_H */
