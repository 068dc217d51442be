/* Memory files: memfd_create(2), seals, shared anonymous memory. Implemented by tmpfs. */
#ifndef VFS_MEMFD_H
#define VFS_MEMFD_H

#include <vfs/file.h>

/* A fresh unlinked file named "memfd:NAME". seals: initial F_SEAL_* (F_SEAL_SEAL: none can be
 * added). */
struct file *memfd_create_file(const char *name, u32 seals, u32 o_flags) must_check;
/* Memory that processes share: an unlinked file of size bytes. All of it is promised now
 * (vm_commit_pages), so that its pages can be had; with noreserve, which means nothing in strict
 * mode, each as it comes. Error pointer -ENOMEM. */
struct file *shm_create_file(const char *name, u64 size, bool noreserve) must_check;
/* fcntl F_ADD_SEALS, F_GET_SEALS: -EINVAL: not such a file; -EPERM sealed; -EBUSY writable
 * mappings. */
long memfd_add_seals(struct file *f, u32 seals) must_check;
long memfd_get_seals(struct file *f) must_check;

#endif
