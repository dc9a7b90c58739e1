// SPDX-License-Identifier: GPL-2.0
/*
 * msyncfs_id recognizes an msyncfs, and prints its properties as udev wants
 * them. The udev rule 61-msyncfs.rules calls the program for each block device
 * in which the built-in blkid of udev has found nothing.
 */
#include "../fs/disk/format.h"
#include "device.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Exit codes of blkid(8). */
#define EXIT_ID_NONE	2
#define EXIT_ID_USAGE	4

#define FORMAT_VERSION	"1.0"

__noreturn
static void usage(FILE *to, int status)
{
	fputs("Usage: msyncfs_id DEVICE\n"
	      "\n"
	      "Prints type, UUID and label of the msyncfs on a block device or in an image\n"
	      "file, as KEY=value lines for udev. The exit status is 2 if there is none.\n"
	      "\n"
	      "  -V  print the version\n"
	      "  -h  print this\n", to);
	exit(status);
}

/*
 * Print a text from the device. udev splits lines, and names of links must not
 * have slashes, so libblkid replaces or encodes such characters.
 */
static void print_text(const char *key, const char *text)
{
	char safe[4 * MSYNCFS_LABEL_LEN + 1];

	if (!*text)
		return;
	if (!blkid_safe_string(text, safe, sizeof(safe)))
		printf("%s=%s\n", key, safe);
	if (!blkid_encode_string(text, safe, sizeof(safe)))
		printf("%s_ENC=%s\n", key, safe);
}

/* The device may be mounted, so open it without O_EXCL. */
static bool read_super(const char *path, struct msyncfs_disk_super *ds,
		       struct msyncfs_geo *geo)
{
	struct device dev = { .path = path };
	off_t end;
	bool ok;

	dev.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (dev.fd < 0) {
		fprintf(stderr, "msyncfs_id: %s: %s\n", path, strerror(errno));
		return false;
	}
	end = lseek(dev.fd, 0, SEEK_END);
	ok = end > 0 && !device_read(&dev, ds, sizeof(*ds), 0) &&
	     !msyncfs_verify_super(ds, (u64)end >> MSYNCFS_BLOCK_SHIFT, geo);
	close(dev.fd);
	return ok;
}

int main(int argc, char **argv)
{
	char label[MSYNCFS_LABEL_LEN + 1] = "", uuid[40];
	struct msyncfs_disk_super ds;
	struct msyncfs_geo geo;
	int opt;

	while ((opt = getopt(argc, argv, "Vh")) != -1) {
		switch (opt) {
		case 'V':
			puts("msyncfs_id " MSYNCFS_VERSION);
			return 0;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, EXIT_ID_USAGE);
		}
	}
	if (optind + 1 != argc)
		usage(stderr, EXIT_ID_USAGE);
	if (!read_super(argv[optind], &ds, &geo))
		return EXIT_ID_NONE;

	memcpy(label, ds.label, MSYNCFS_LABEL_LEN);
	puts("ID_FS_USAGE=filesystem\n"
	     "ID_FS_TYPE=msyncfs\n"
	     "ID_FS_VERSION=" FORMAT_VERSION);
	print_text("ID_FS_UUID", uuid_text(ds.uuid, uuid));
	print_text("ID_FS_LABEL", label);
	printf("ID_FS_BLOCKSIZE=%u\n"
	       "ID_FS_SIZE=%llu\n"
	       "ID_FS_LASTBLOCK=%llu\n", MSYNCFS_BLOCK_SIZE,
	       geo.blocks << MSYNCFS_BLOCK_SHIFT, geo.blocks);
	return 0;
}
