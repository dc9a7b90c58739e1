// SPDX-License-Identifier: GPL-2.0
/*
 * This program writes the block of the multi-mount protection as another machine, for
 * tools/fsck-selftest.sh.
 *
 *	fsck-mmp IMAGE SEQ
 *
 * SEQ is the number of the heartbeat (0: nobody uses the filesystem), "fsck" or "damaged".
 */
#include "fsck.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct msyncfs_disk_mmp mmp = {
		.interval = cpu_to_le32(1000), .owner = cpu_to_le64(4711),
		.node = "other-machine", .device = "sdz",
	};
	struct msyncfs_disk_super ds;
	struct msyncfs_geo geo = {};
	struct device dev;

	if (argc != 3 || device_open(&dev, argv[1], O_RDWR) ||
	    device_read(&dev, &ds, sizeof(ds), 0) ||
	    msyncfs_verify_super(&ds, dev.bytes >> MSYNCFS_BLOCK_SHIFT, &geo) ||
	    !geo.mmp_blkno) {
		fputs("Usage: fsck-mmp IMAGE SEQ\n", stderr);
		return 2;
	}
	mmp.seq = cpu_to_le64(strtoull(argv[2], NULL, 10));
	if (!strcmp(argv[2], "fsck"))
		mmp.seq = cpu_to_le64(MSYNCFS_MMP_FSCK);
	msyncfs_seal_mmp(&geo, &mmp);
	if (!strcmp(argv[2], "damaged"))
		mmp.magic = 0;
	return device_write(&dev, &mmp, sizeof(mmp), geo.mmp_blkno * BLK) ? 1 : 0;
}
