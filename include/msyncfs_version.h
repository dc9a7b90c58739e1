/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The version of the modules and of the tools. dkms.conf and debian/changelog
 * name the same version; the test "install" compares them.
 */
#ifndef MSYNCFS_VERSION_H
#define MSYNCFS_VERSION_H

#define MSYNCFS_VERSION	"0.1"

#endif /* MSYNCFS_VERSION_H */
