// SPDX-License-Identifier: GPL-2.0
/*
 * msyncfs-image copies the metadata of a filesystem into a sparse image file, for a bug
 * report. It lets the checks of fsck.msyncfs read the filesystem, and copies what they have
 * read. So fsck.msyncfs finds the same problems in the image. tools/lib/obscure.c takes
 * names and other private data out of the blocks.
 */
#include "fsck.h"
#include "obscure.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

static struct fsck *fs;
static struct obscure obscure;
static struct device out = { .fd = -1 };
static u64 copied, unreadable;

__printf(1, 2)
__noreturn
static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("msyncfs-image: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* Remove the image if it is not complete, however the program ends. */
static void remove_partial(void)
{
	if (out.fd >= 0)
		unlink(out.path);
}

__noreturn
static void usage(FILE *to, int status)
{
	fputs("Usage: msyncfs-image [-n] DEVICE IMAGE\n"
	      "\n"
	      "Copies the metadata of an msyncfs that is not mounted into a new sparse file.\n"
	      "There is no data of files in it, and names, targets of symbolic links and values\n"
	      "of attributes are replaced. fsck.msyncfs finds the same problems in the image.\n"
	      "\n"
	      "  -n       keep names and targets of symbolic links\n"
	      "  -V       print the version\n"
	      "  -h       print this\n", to);
	exit(status);
}

/* Read a block of the filesystem. Returns false if it cannot be read. */
static bool get(u64 blkno, void *buf)
{
	if (!device_read(&fs->dev, buf, BLK, blkno << MSYNCFS_BLOCK_SHIFT))
		return true;
	unreadable++;
	return false;
}

static void put(u64 blkno, const void *buf)
{
	int err = device_write(&out, buf, BLK, blkno << MSYNCFS_BLOCK_SHIFT);

	if (err)
		die("%s: cannot be written: %s", out.path, strerror(-err));
	copied++;
}

/* ---- superblocks, tail slots, multi-mount protection ---- */

/* Read the first sector of a block, which has all that counts, and clear the rest. */
static bool get_sector(u64 blkno, void *buf)
{
	if (!get(blkno, buf))
		return false;
	memset(buf + MSYNCFS_SECTOR_SIZE, 0, BLK - MSYNCFS_SECTOR_SIZE);
	return true;
}

static void copy_supers(void)
{
	static struct {
		struct msyncfs_disk_super	ds;
		char				rest[BLK - sizeof(struct msyncfs_disk_super)];
	} block[2];
	u64 blkno[2] = { MSYNCFS_SUPER_BLKNO, fs->geo.blocks - 1 };
	bool differ, found[2];
	int i;

	for (i = 0; i < 2; i++)
		found[i] = get_sector(blkno[i], &block[i]) &&
			   le64_to_cpu(block[i].ds.magic) == MSYNCFS_MAGIC_SUPER;
	differ = memcmp(&block[0], &block[1], sizeof(block[0].ds));
	for (i = 0; i < 2; i++)
		if (found[i])
			obscure_super(&obscure, &block[i].ds);
	/* If only their labels or keys differ, something else must. */
	if (differ && !memcmp(&block[0], &block[1], sizeof(block[0].ds)))
		block[1].ds.csum ^= 1;
	for (i = 0; i < 2; i++)
		if (found[i])
			put(blkno[i], &block[i]);
}

static void copy_slots(__le64 nonce[MSYNCFS_NR_SLOTS])
{
	static union {
		struct msyncfs_disk_slot slot;
		char block[BLK];
	} u;
	int i;

	for (i = 0; i < MSYNCFS_NR_SLOTS; i++) {
		nonce[i] = 0;
		if (!get_sector(MSYNCFS_SLOT_BLKNO + i, &u) ||
		    le32_to_cpu(u.slot.magic) != MSYNCFS_MAGIC_SLOT)
			continue;
		nonce[i] = u.slot.nonce;
		obscure_slot(&obscure, &u.slot);
		put(MSYNCFS_SLOT_BLKNO + i, &u);
	}
}

static void copy_mmp(void)
{
	static union {
		struct msyncfs_disk_mmp mmp;
		char block[BLK];
	} u;

	if (!fs->geo.mmp_blkno || !get_sector(fs->geo.mmp_blkno, &u) ||
	    le32_to_cpu(u.mmp.magic) != MSYNCFS_MAGIC_MMP)
		return;
	obscure_mmp(&obscure, &u.mmp);
	put(fs->geo.mmp_blkno, &u);
}

/* ---- the log ---- */

static bool is_record(const struct msyncfs_disk_record *rec)
{
	u32 magic = le32_to_cpu(rec->magic);

	return magic == MSYNCFS_MAGIC_RECORD || magic == MSYNCFS_MAGIC_RECORD_V1;
}

/* Tell whether a record may belong to the mount that wrote the last slots. */
static bool is_recent(const struct msyncfs_disk_record *rec,
		      const __le64 nonce[MSYNCFS_NR_SLOTS])
{
	return !memcmp(rec->uuid, fs->geo.uuid, sizeof(rec->uuid)) && rec->nonce &&
	       (rec->nonce == nonce[0] || rec->nonce == nonce[1]);
}

static __le64 record_csum(const struct msyncfs_disk_record *rec)
{
	return cpu_to_le64(msyncfs_csum(rec, msyncfs_record_used(le32_to_cpu(rec->nr_images)),
					offsetof(struct msyncfs_disk_record, csum),
					fs->geo.seed));
}

/*
 * Read the header of the record in block @blkno. Returns NULL if it is damaged. The caller
 * frees the header.
 */
static struct msyncfs_disk_record *get_header(u64 blkno, const struct msyncfs_disk_record *first)
{
	u64 end = fs->geo.log_start + fs->geo.log_blocks;
	u32 nr = le32_to_cpu(first->nr_images), blocks, i;
	struct msyncfs_disk_record *rec;

	if (le32_to_cpu(first->magic) != MSYNCFS_MAGIC_RECORD || nr > fs->geo.record_images)
		return NULL;
	blocks = msyncfs_record_header_blocks(nr);
	if (blkno + blocks + nr > end)
		return NULL;
	rec = fsck_alloc(blocks * BLK);
	for (i = 0; i < blocks; i++)
		get(blkno + i, (char *)rec + i * BLK);
	if (le32_to_cpu(rec->nr_images) == nr &&
	    le32_to_cpu(rec->header_blocks) == blocks && rec->csum == record_csum(rec))
		return rec;
	free(rec);
	return NULL;
}

/*
 * Copy an image of a record, and set its checksum in the header. Images of data become zeros.
 * A damaged image is left out, and keeps its checksum, which does not fit zeros either.
 */
static void copy_image(u64 blkno, __le64 home, u32 kind, __le32 *csum, struct bits *done)
{
	static char buf[BLK] __aligned(8);
	u64 nr = le64_to_cpu(home) & MSYNCFS_HOME_BLKNO;

	if (!get(blkno, buf) ||
	    le32_to_cpu(*csum) != msyncfs_image_csum(&fs->geo, kind, buf))
		return;
	bit_set(done, blkno);
	if (le64_to_cpu(home) & MSYNCFS_HOME_META && obscure_block(&obscure, buf, nr))
		put(blkno, buf);
	else
		memset(buf, 0, sizeof(buf));
	*csum = cpu_to_le32(msyncfs_image_csum(&fs->geo, kind, buf));
}

static void copy_record(u64 blkno, struct msyncfs_disk_record *rec, struct bits *done)
{
	u32 nr = le32_to_cpu(rec->nr_images), blocks = le32_to_cpu(rec->header_blocks), i;
	__le32 *csum = (void *)((char *)rec + msyncfs_record_csums(nr));

	for (i = 0; i < nr; i++)
		copy_image(blkno + blocks + i, rec->home[i], le32_to_cpu(rec->csum_kind),
			   &csum[i], done);
	obscure_record(&obscure, rec, blocks * BLK, false);
	rec->csum = record_csum(rec);
	for (i = 0; i < blocks; i++) {
		bit_set(done, blkno + i);
		put(blkno + i, (char *)rec + i * BLK);
	}
}

/*
 * Copy the records. Of a damaged header only the first block is copied, and of the records of
 * other mounts only what tells this.
 */
static void copy_log(const __le64 nonce[MSYNCFS_NR_SLOTS])
{
	u64 blkno = fs->geo.log_start, end = blkno + fs->geo.log_blocks;
	struct bits *done = bits_new(fs->geo.bitmap_blocks);
	static char buf[BLK] __aligned(8);
	struct msyncfs_disk_record *rec;

	for (; blkno < end; blkno++) {
		if (bit_test(done, blkno) || !get(blkno, buf) || !is_record((void *)buf))
			continue;
		rec = NULL;
		if (is_recent((void *)buf, nonce))
			rec = get_header(blkno, (void *)buf);
		else
			memset(buf + MSYNCFS_RECORD_HEADER, 0, BLK - MSYNCFS_RECORD_HEADER);
		if (rec) {
			copy_record(blkno, rec, done);
		} else {
			obscure_record(&obscure, (void *)buf, BLK, true);
			put(blkno, buf);
		}
		free(rec);
	}
}

/* ---- everything else ---- */

/* Copy the blocks that the checks have read. The newest image of some is in the log. */
static void copy_seen(void)
{
	static char buf[BLK] __aligned(8);
	u64 g, b, i;

	for (g = 0; g < fs->geo.bitmap_blocks; g++) {
		for (i = 0; fs->seen->group[g] && i < MSYNCFS_GROUP_BLOCKS; i++) {
			b = g * MSYNCFS_GROUP_BLOCKS + i;
			if (bit_test(fs->seen, b) && msyncfs_is_home(&fs->geo, b) &&
			    !umap_get(&fs->replay, b, NULL) && get(b, buf) &&
			    obscure_block(&obscure, buf, b))
				put(b, buf);
		}
	}
}

/* Check the filesystem and note what is read. The messages are not wanted. */
static void check(void)
{
	fs->mode = FSCK_NO;
	progress_start(fs, -1);
	fsck_super(fs);
	fs->seen = bits_new(fs->geo.bitmap_blocks);
	fsck_log(fs);
	fsck_bitmaps_new(fs);
	fsck_tree(fs);
}

static void copy(void)
{
	__le64 nonce[MSYNCFS_NR_SLOTS];

	obscure.geo = fs->geo;
	if (getrandom(&obscure.key, sizeof(obscure.key), 0) != sizeof(obscure.key))
		die("no random numbers: %s", strerror(errno));
	out.fd = open(out.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out.fd < 0)
		die("%s: cannot be made: %s", out.path, strerror(errno));
	if (ftruncate(out.fd, fs->geo.blocks << MSYNCFS_BLOCK_SHIFT))
		die("%s: cannot have the size of the filesystem: %s", out.path,
		    strerror(errno));
	copy_supers();
	copy_slots(nonce);
	copy_mmp();
	copy_log(nonce);
	copy_seen();
	if (device_sync(&out) || close(out.fd))
		die("%s: cannot be written: %s", out.path, strerror(errno));
	out.fd = -1;
}

int main(int argc, char **argv)
{
	FILE *told;
	int c, err;

	while ((c = getopt(argc, argv, "nVh")) != -1) {
		if (c == 'n') {
			obscure.keep_names = true;
		} else if (c == 'V') {
			puts("msyncfs-image " MSYNCFS_VERSION);
			exit(0);
		} else {
			usage(c == 'h' ? stdout : stderr, c != 'h');
		}
	}
	if (optind + 2 != argc)
		usage(stderr, 1);
	out.path = argv[optind + 1];
	fs = fsck_alloc(sizeof(*fs));
	err = device_open(&fs->dev, argv[optind], O_RDONLY);
	if (err)
		die("%s: %s", argv[optind], err == -EBUSY ? "is mounted or in use" :
		    err == -ENOTBLK ? "neither a block device nor a regular file" :
		    strerror(-err));
	atexit(remove_partial);
	told = fdopen(dup(STDOUT_FILENO), "w");
	if (!told || !freopen("/dev/null", "w", stdout))
		die("cannot redirect the output: %s", strerror(errno));
	check();
	copy();
	if (unreadable)
		fprintf(stderr, "msyncfs-image: %s: %llu blocks cannot be read, they are zeros\n",
			fs->dev.path, unreadable);
	fprintf(told, "%s: %llu blocks of metadata in %s\n", fs->dev.path, copied, out.path);
	return 0;
}
