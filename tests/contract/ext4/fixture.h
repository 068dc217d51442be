/* SPDX-License-Identifier: MIT */
/* A fresh ext4 file system on a loop device over a file of the test's directory. */
#pragma once
#include "contract.h"
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/mount.h>
#include <sys/vfs.h>

struct volume {
	int control, number, fd, file;
	char device[32];
};

/* From "/images/NAME.img", which test_contract.py makes: plain (4 KiB blocks), small (inodes of 128
 * bytes), ea (feature ea_inode), 1k (1 KiB blocks). Mounted at "mnt" with flags and data. */
void volume_mount(struct volume *v, const char *image, unsigned long flags, const char *data);
/* The same of the file "copy" beside it, as it is: what a power cut would leave. */
void volume_mount_copy(struct volume *v, const char *at);
void volume_unmount(struct volume *v, const char *at);
void copy_file(const char *from, const char *to);
uint32_t super_word(const char *image, unsigned offset); /* of the super block */
