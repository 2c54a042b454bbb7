// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lease.h"
#include "module.h"

int module_load(const char *parameters)
{
	char path[128];
	int fd, err;

	snprintf(path, sizeof(path), "/devirt/build/%s/devirt.ko",
		 getenv("DEVIRT_KERNEL") ?: "6.12");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return err;
}

int module_unload(void)
{
	int try, err;

	/* Who gave back the last partition may be on the way out of the module still. */
	for (try = 0; try < 100; try++) {
		err = syscall(SYS_delete_module, "devirt", O_NONBLOCK) ? -errno : 0;
		if (err != -EAGAIN)
			break;
		usleep(10000);
	}
	return err;
}

bool module_loaded(void)
{
	return !access("/sys/module/devirt", F_OK);
}

const char *module_parameter(const char *name)
{
	static char text[4096];

	if (file_read(text, sizeof(text), "/sys/module/devirt/parameters/%s", name) < 0)
		return "?";
	text[strcspn(text, "\n")] = '\0';
	return text;
}
