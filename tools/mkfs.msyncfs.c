// SPDX-License-Identifier: GPL-2.0
/*
 * mkfs.msyncfs makes an empty msyncfs on a block device or in an image file. It
 * writes the superblock last, so the device cannot be mounted after an
 * interrupted run.
 */
#include "../fs/disk/format.h"
#include "device.h"

#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/*
 * Other filesystems, RAIDs and partition tables have their signatures in the
 * first or in the last WIPE_BYTES bytes of a device.
 */
#define WIPE_BYTES	(1024 * 1024)

/* A record takes at least so many inodes besides all bitmap blocks. */
#define RECORD_INODES	64

struct options {
	const char	*label;
	u64		bytes;		/* size; 0 means the whole device */
	u64		log_bytes;	/* log size; 0 means the default */
	u64		incompat;	/* features, MSYNCFS_INCOMPAT_* */
	const char	*uuid;		/* text; NULL means a random UUID */
	bool		force;
	bool		quiet;
	bool		dry;		/* write nothing */
};

__printf(1, 2)
__noreturn
static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("mkfs.msyncfs: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

__noreturn
static void usage(FILE *to, int status)
{
	fprintf(to,
		"Usage: mkfs.msyncfs [-L LABEL] [-U UUID] [-l LOGSIZE] [-O FEATURE,...]\n"
		"                    [-b 4096] [-fnq] DEVICE [SIZE]\n"
		"\n"
		"Makes an empty msyncfs on a block device or in a regular file.\n"
		"\n"
		"  SIZE        size of the filesystem in blocks of 4 KiB, or with K, M, G or T\n"
		"              (default: the whole device)\n"
		"  -L LABEL    name of the filesystem, at most %d bytes\n"
		"  -U UUID     identity of the filesystem (default: a random one)\n"
		"  -l LOGSIZE  size of the log in bytes, or with K, M or G: 1M to 1G\n"
		"              (default: 1/16 of the filesystem, 1M to 64M,\n"
		"              and more beyond 500 GiB)\n"
		"  -O mmp      multi-mount protection: two machines that share the device cannot\n"
		"              both mount it (default: ^mmp, without)\n"
		"  -O ^xattr   no extended attributes and ACLs (default: with)\n"
		"  -b 4096     size of a block; there is no other\n"
		"  -f          overwrite a device that already holds data\n"
		"  -n          print what the filesystem would be, but write nothing\n"
		"  -q          print nothing on success\n"
		"  -V          print the version\n"
		"  -h          print this\n", MSYNCFS_LABEL_LEN);
	exit(status);
}

/*
 * Parse a size. A number without a suffix counts units of 1 << @shift bytes.
 * Returns the number of bytes, or 0 for invalid text.
 */
static u64 parse_size(const char *text, unsigned int shift)
{
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	switch (*end) {
	case 'k': case 'K':
		shift = 10;
		break;
	case 'm': case 'M':
		shift = 20;
		break;
	case 'g': case 'G':
		shift = 30;
		break;
	case 't': case 'T':
		shift = 40;
		break;
	default:
		end--;
	}
	if (errno || end[1] || n > ULLONG_MAX >> shift)
		return 0;
	return n << shift;
}

static u64 parse_size_or_die(const char *text, unsigned int shift)
{
	u64 bytes = parse_size(text, shift);

	if (!bytes)
		die("not a size: %s", text);
	return bytes;
}

static u64 feature_bit(const char *name)
{
	if (!strcmp(name, "mmp"))
		return MSYNCFS_INCOMPAT_MMP;
	if (!strcmp(name, "xattr"))
		return MSYNCFS_INCOMPAT_XATTR;
	if (!strcmp(name, "inodes"))
		return MSYNCFS_INCOMPAT_INODES;
	die("unknown feature: %s", name);
}

/* Switch features on, or off after a '^'. @text is a list with commas. */
static void parse_features(char *text, u64 *incompat)
{
	char *name;

	for (name = strtok(text, ","); name; name = strtok(NULL, ",")) {
		bool off = *name == '^';
		u64 bit = feature_bit(name + off);

		*incompat = off ? *incompat & ~bit : *incompat | bit;
	}
}

static void random_bytes(void *buf, size_t len)
{
	if (getrandom(buf, len, 0) != (ssize_t)len)
		die("no random numbers: %s", strerror(errno));
}

/* Parse 32 hexadecimal digits with the hyphens of RFC 9562. */
static void parse_uuid(const char *text, u8 *uuid)
{
	const char *t = text;
	unsigned int i;

	for (i = 0; i < MSYNCFS_UUID_LEN; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *t++ != '-')
			break;
		if (!isxdigit(t[0]) || !isxdigit(t[1]) ||
		    sscanf(t, "%2hhx", &uuid[i]) != 1)
			break;
		t += 2;
	}
	if (i < MSYNCFS_UUID_LEN || *t)
		die("not a UUID: %s", text);
}

static void put(const struct device *dev, const void *buf, size_t len,
		u64 blkno)
{
	int err = device_write(dev, buf, len, blkno << MSYNCFS_BLOCK_SHIFT);

	if (err)
		die("%s: cannot write block %llu: %s", dev->path, blkno,
		    strerror(-err));
}

/*
 * End the program if blkid or this program recognises the content of the
 * device.
 */
static void refuse_if_used(const struct device *dev)
{
	struct msyncfs_disk_super ds;
	const char *what;

	if (!device_read(dev, &ds, sizeof(ds), 0) &&
	    le64_to_cpu(ds.magic) == MSYNCFS_MAGIC_SUPER)
		die("%s holds an msyncfs already; -f overwrites it", dev->path);

	what = device_holds(dev);
	if (what)
		die("%s holds %s already; -f overwrites it", dev->path, what);
}

/*
 * Return the size of a log whose records take all bitmap blocks of the
 * filesystem, and some inodes. With such a log, no set has too many bitmap blocks for one
 * record.
 */
static u64 log_for_bitmaps(u64 blocks)
{
	u64 images = (blocks + MSYNCFS_GROUP_BLOCKS - 1) / MSYNCFS_GROUP_BLOCKS +
		     RECORD_INODES;

	if (images > MSYNCFS_LOG_MAX_BLOCKS)
		return MSYNCFS_LOG_MAX_BLOCKS;
	return MSYNCFS_RECORD_SHARE *
	       (images + msyncfs_record_header_blocks(images));
}

static u64 default_log(u64 size)
{
	u64 blocks = size / 16, least;

	if (blocks < MSYNCFS_LOG_MIN_BLOCKS)
		return MSYNCFS_LOG_MIN_BLOCKS;
	if (blocks <= MSYNCFS_LOG_DEF_BLOCKS)
		return blocks;
	least = log_for_bitmaps(size);
	if (least < MSYNCFS_LOG_DEF_BLOCKS)
		return MSYNCFS_LOG_DEF_BLOCKS;
	return least < MSYNCFS_LOG_MAX_BLOCKS ? least : MSYNCFS_LOG_MAX_BLOCKS;
}

static u64 choose_log(u64 bytes, const struct options *opt)
{
	u64 blocks = opt->log_bytes >> MSYNCFS_BLOCK_SHIFT;

	if (!opt->log_bytes)
		blocks = default_log(bytes >> MSYNCFS_BLOCK_SHIFT);
	if (blocks < MSYNCFS_LOG_MIN_BLOCKS || blocks > MSYNCFS_LOG_MAX_BLOCKS)
		die("the log takes 1 MiB to 1 GiB");
	return blocks;
}

static void plan(const struct device *dev, const struct options *opt,
		 struct msyncfs_geo *geo)
{
	u64 bytes = opt->bytes ?: dev->bytes;
	u64 log = choose_log(bytes, opt);
	char a[32], b[32];
	int err;

	if (bytes > dev->bytes)
		die("%s has only %s, not %s", dev->path,
		    size_text(dev->bytes, a), size_text(bytes, b));
	err = msyncfs_layout(bytes >> MSYNCFS_BLOCK_SHIFT, log, opt->incompat,
			     geo);
	if (err == -ENOSPC)
		die("%s is too small: the log of %llu KiB leaves no room for data",
		    opt->bytes ? "the filesystem" : dev->path, log * 4);
	if (err)
		die("%s: cannot make a filesystem of this size", dev->path);

	if (opt->uuid) {
		parse_uuid(opt->uuid, geo->uuid);
	} else {
		random_bytes(geo->uuid, sizeof(geo->uuid));
		geo->uuid[6] = (geo->uuid[6] & 0x0f) | 0x40;	/* version 4 */
		geo->uuid[8] = (geo->uuid[8] & 0x3f) | 0x80;
	}
	geo->seed = xxh64(geo->uuid, sizeof(geo->uuid), 0);
	random_bytes(&geo->name_key, sizeof(geo->name_key));
}

/*
 * Wipe old signatures. Also wipe the first block of the log. What is behind the
 * filesystem stays, except an old backup of a superblock in the last block of
 * the device, where fsck looks for it.
 */
static void wipe(const struct device *dev, const struct msyncfs_geo *geo)
{
	u64 log = geo->log_start << MSYNCFS_BLOCK_SHIFT;
	u64 bytes = geo->blocks << MSYNCFS_BLOCK_SHIFT;
	u64 tail = bytes < WIPE_BYTES ? bytes : WIPE_BYTES;
	u64 last = ((dev->bytes >> MSYNCFS_BLOCK_SHIFT) - 1) << MSYNCFS_BLOCK_SHIFT;
	struct msyncfs_disk_super ds;
	int err;

	err = device_zero(dev, 0, tail);
	if (!err)
		err = device_zero(dev, log, MSYNCFS_BLOCK_SIZE);
	if (!err)
		err = device_zero(dev, bytes - tail, tail);
	if (!err)
		err = device_read(dev, &ds, sizeof(ds), last);
	if (!err && le64_to_cpu(ds.magic) == MSYNCFS_MAGIC_SUPER)
		err = device_zero(dev, last, MSYNCFS_BLOCK_SIZE);
	if (!err)
		err = device_sync(dev);
	if (err)
		die("%s: cannot write: %s", dev->path, strerror(-err));
}

/* Write all blocks of one of the bitmaps, many at a time. */
static void write_bitmap(const struct device *dev,
			 const struct msyncfs_geo *geo, u32 magic)
{
	static struct msyncfs_disk_bitmap bm[256];
	u64 group, nr, i, blkno;

	for (group = 0; group < geo->bitmap_blocks; group += nr) {
		nr = geo->bitmap_blocks - group;
		if (nr > ARRAY_SIZE(bm))
			nr = ARRAY_SIZE(bm);
		for (i = nr; i-- > 0;) {
			blkno = msyncfs_init_bitmap(geo, &bm[i], magic, group + i);
			msyncfs_seal_block(geo, &bm[i], 0);
		}
		put(dev, bm, nr * sizeof(*bm), blkno);
	}
}

static void write_root(const struct device *dev, const struct msyncfs_geo *geo)
{
	static struct msyncfs_disk_inode di;
	static struct msyncfs_disk_root root;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	msyncfs_init_block(&di, MSYNCFS_MAGIC_INODE, 0, geo->root_ino,
			   geo->root_ino);
	di.mode = cpu_to_le32(S_IFDIR | 0755);
	di.nlink = cpu_to_le32(2);
	di.parent = cpu_to_le64(geo->root_ino);
	di.atime = cpu_to_le64(now.tv_sec);
	di.mtime = di.atime;
	di.ctime = di.atime;
	di.btime = di.atime;
	di.atime_ns = cpu_to_le32(now.tv_nsec);
	di.mtime_ns = di.atime_ns;
	di.ctime_ns = di.atime_ns;
	di.btime_ns = di.atime_ns;
	msyncfs_seal_block(geo, &di, 0);
	put(dev, &di, sizeof(di), geo->root_ino);

	msyncfs_init_block(&root, MSYNCFS_MAGIC_ROOT, 0, MSYNCFS_ROOT_BLKNO, 0);
	msyncfs_seal_block(geo, &root, 0);
	put(dev, &root, sizeof(root), MSYNCFS_ROOT_BLKNO);
}

/*
 * Write a slot whose counter is 1. It has no nonce, because the log is empty.
 * The other slot stays zero, and a slot of zeros is not valid.
 */
static void write_slot(const struct device *dev, const struct msyncfs_geo *geo)
{
	static char block[MSYNCFS_BLOCK_SIZE] __aligned(8);
	struct msyncfs_disk_slot *slot = (struct msyncfs_disk_slot *)block;

	slot->counter = cpu_to_le64(1);
	slot->tail_seq = cpu_to_le64(1);
	slot->time = cpu_to_le64(time(NULL));
	msyncfs_seal_slot(geo, slot);
	put(dev, block, sizeof(block),
	    MSYNCFS_SLOT_BLKNO + 1 % MSYNCFS_NR_SLOTS);
}

/* Write the block of the multi-mount protection: nobody uses the filesystem. */
static void write_mmp(const struct device *dev, const struct msyncfs_geo *geo)
{
	static char block[MSYNCFS_BLOCK_SIZE] __aligned(8);
	struct msyncfs_disk_mmp *mmp = (struct msyncfs_disk_mmp *)block;

	mmp->interval = cpu_to_le32(MSYNCFS_MMP_INTERVAL);
	mmp->time = cpu_to_le64(time(NULL));
	msyncfs_seal_mmp(geo, mmp);
	put(dev, block, sizeof(block), geo->mmp_blkno);
}

static void write_super(const struct device *dev,
			const struct msyncfs_geo *geo,
			const struct options *opt)
{
	static char block[MSYNCFS_BLOCK_SIZE] __aligned(8);
	struct msyncfs_disk_super *ds = (struct msyncfs_disk_super *)block;

	ds->magic = cpu_to_le64(MSYNCFS_MAGIC_SUPER);
	memcpy(ds->uuid, geo->uuid, sizeof(ds->uuid));
	memcpy(ds->label, opt->label, strlen(opt->label));
	ds->blocks = cpu_to_le64(geo->blocks);
	ds->log_start = cpu_to_le64(geo->log_start);
	ds->log_blocks = cpu_to_le64(geo->log_blocks);
	ds->bitmap_start = cpu_to_le64(geo->bitmap_start);
	ds->bitmap_blocks = cpu_to_le64(geo->bitmap_blocks);
	ds->root_ino = cpu_to_le64(geo->root_ino);
	ds->mkfs_time = cpu_to_le64(time(NULL));
	ds->block_shift = cpu_to_le32(MSYNCFS_BLOCK_SHIFT);
	ds->name_key[0] = cpu_to_le64(geo->name_key.key[0]);
	ds->name_key[1] = cpu_to_le64(geo->name_key.key[1]);
	ds->incompat = cpu_to_le64(opt->incompat);
	msyncfs_seal_super(ds);
	put(dev, block, sizeof(block), geo->blocks - 1);
	put(dev, block, sizeof(block), MSYNCFS_SUPER_BLKNO);
}

static void sync_or_die(const struct device *dev)
{
	int err = device_sync(dev);

	if (err)
		die("%s: cannot write: %s", dev->path, strerror(-err));
}

static void report(const struct device *dev, const struct msyncfs_geo *geo,
		   const struct options *opt)
{
	u64 free = geo->blocks - 1 - geo->root_ino - 1;
	char a[40];

	printf("msyncfs on %s\n", dev->path);
	printf("  label   %s\n", *opt->label ? opt->label : "(none)");
	printf("  uuid    %s\n", uuid_text(geo->uuid, a));
	printf("  size    %s, %llu blocks of 4 KiB\n",
	       size_text(geo->blocks << MSYNCFS_BLOCK_SHIFT, a), geo->blocks);
	printf("  log     %s, %llu blocks\n",
	       size_text(geo->log_blocks << MSYNCFS_BLOCK_SHIFT, a),
	       geo->log_blocks);
	printf("  groups  %llu\n", geo->bitmap_blocks);
	if (geo->mmp_blkno)
		printf("  mmp     block %llu\n", geo->mmp_blkno);
	printf("  free    %s, %llu blocks\n",
	       size_text(free << MSYNCFS_BLOCK_SHIFT, a), free);
}

static const char *parse_options(int argc, char **argv, struct options *opt)
{
	bool version = false;
	int c;

	while ((c = getopt(argc, argv, "L:U:l:O:b:fnqvVh")) != -1) {
		switch (c) {
		case 'b':
			if (parse_size(optarg, 0) != MSYNCFS_BLOCK_SIZE)
				die("a block has 4096 bytes, not %s", optarg);
			break;
		case 'L':
			opt->label = optarg;
			if (strlen(optarg) > MSYNCFS_LABEL_LEN)
				die("the label is longer than %d bytes",
				    MSYNCFS_LABEL_LEN);
			break;
		case 'l':
			opt->log_bytes = parse_size_or_die(optarg, 0);
			break;
		case 'O':
			parse_features(optarg, &opt->incompat);
			break;
		case 'U':
			opt->uuid = optarg;
			break;
		case 'f':
			opt->force = true;
			break;
		case 'n':
			opt->dry = true;
			break;
		case 'q':
			opt->quiet = true;
			break;
		case 'v':		/* mkfs(8) may pass this option */
			break;
		case 'V':
			version = true;
			break;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 1);
		}
	}
	if (version) {
		puts("mkfs.msyncfs " MSYNCFS_VERSION);
		if (optind == argc)
			exit(0);
	}
	if (optind + 2 == argc)
		opt->bytes = parse_size_or_die(argv[--argc], MSYNCFS_BLOCK_SHIFT);
	if (optind + 1 != argc)
		usage(stderr, 1);
	return argv[optind];
}

static void write_all(const struct device *dev, const struct msyncfs_geo *geo,
		      const struct options *opt)
{
	wipe(dev, geo);
	write_bitmap(dev, geo, MSYNCFS_MAGIC_BITMAP);
	if (geo->inodes_start)
		write_bitmap(dev, geo, MSYNCFS_MAGIC_INODES);
	write_root(dev, geo);
	write_slot(dev, geo);
	if (geo->mmp_blkno)
		write_mmp(dev, geo);
	sync_or_die(dev);
	write_super(dev, geo, opt);
	sync_or_die(dev);
}

int main(int argc, char **argv)
{
	struct options opt = {
		.label = "", .incompat = MSYNCFS_INCOMPAT_DEFAULT,
	};
	struct msyncfs_geo geo = {};
	const char *path;
	struct device dev;
	int err;

	path = parse_options(argc, argv, &opt);
	err = device_open(&dev, path, opt.dry ? O_RDONLY : O_RDWR);
	if (err == -EBUSY)
		die("%s is mounted or in use", path);
	if (err)
		die("cannot open %s: %s", path, err == -ENOTBLK ?
		    "neither a block device nor a regular file" :
		    strerror(-err));
	if (dev.sector > MSYNCFS_BLOCK_SIZE)
		die("%s has sectors of %u bytes; 4096 at most", path,
		    dev.sector);

	plan(&dev, &opt, &geo);
	if (!opt.force)
		refuse_if_used(&dev);
	if (!opt.dry)
		write_all(&dev, &geo, &opt);
	if (close(dev.fd))
		die("%s: cannot write: %s", path, strerror(errno));
	if (!opt.quiet)
		report(&dev, &geo, &opt);
	return 0;
}
