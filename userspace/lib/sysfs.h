/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading sysfs and procfs. Not part of the library's interface. */
#ifndef DEVIRT_SYSFS_H
#define DEVIRT_SYSFS_H

#include <stddef.h>
#include <stdbool.h>

struct devirt_pci_addr;

#define PRINTF(f, a)	__attribute__((format(printf, f, a)))

/* Reads a short file, without its last newline. Returns its length or -errno. */
int dv_read(char *text, size_t size, const char *format, ...) PRINTF(3, 4);
/* Reads a number in decimal or with 0x. */
int dv_read_number(long long *number, const char *format, ...) PRINTF(2, 3);
/* The last component of what a symbolic link points to. */
int dv_link_name(char *text, size_t size, const char *format, ...) PRINTF(3, 4);
bool dv_exists(const char *format, ...) PRINTF(1, 2);

/* Sorted names in a directory, without those that begin with a dot. Free with
 * devirt_free_names(). A directory that isn't there has none.
 */
int dv_list(char ***names, size_t *count, const char *format, ...) PRINTF(3, 4);

/* Is the class device /sys/class/<class>/<name> a part of the PCI function? */
bool dv_belongs_to(const char *class_name, const char *name,
		   const struct devirt_pci_addr *addr);

/* Appends to a malloc()ed string, which may be NULL at first. A failed
 * allocation leaves it as it was and returns -ENOMEM.
 */
int dv_append(char **text, const char *format, ...) PRINTF(2, 3);

/* What a block device (a disk or a partition: "nvme0n1p2") is used for, as
 * "is mounted on /", "is swap"; NULL if nothing is known.
 */
char *dv_disk_use(const char *name);

#endif
