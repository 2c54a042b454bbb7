// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lease.h"
#include "pf.h"

long pf_vfs(const char *pf)
{
	return file_number("/sys/bus/pci/devices/%s/sriov_numvfs", pf);
}

int pf_set_vfs(const char *pf, int count)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", count);
	return file_write(text, "/sys/bus/pci/devices/%s/sriov_numvfs", pf);
}

/* Its address, which is good until the next but one call; "" if there is none. */
const char *pf_vf(const char *pf, int index)
{
	static char text[2][256];
	static int turn;
	char path[128];
	ssize_t len;

	turn = !turn;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/virtfn%d", pf, index);
	len = readlink(path, text[turn], sizeof(text[turn]) - 1);
	if (len < 0)
		return "";
	text[turn][len] = '\0';
	return strrchr(text[turn], '/') + 1;
}

/* Of several the one with the first port. */
const char *pf_netif(const char *pf)
{
	static char name[64];

	pci_child(pf, "net", "", name, sizeof(name));
	return name;
}

/* "link/ether ... vlan 5, spoof checking off, ...", as iproute2 has it; or "". */
const char *pf_setting(const char *pf, int vf)
{
	static char text[512];
	char line[512];
	FILE *pipe;
	int index;

	snprintf(line, sizeof(line), "ip link show dev %s", pf_netif(pf));
	pipe = popen(line, "re");
	text[0] = '\0';
	while (pipe && fgets(line, sizeof(line), pipe)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, " vf %d", &index) == 1 && index == vf && strstr(line, "link/"))
			snprintf(text, sizeof(text), "%s", strstr(line, "link/"));
	}
	if (pipe)
		pclose(pipe);
	return text;
}

/* Closed again, so that the module can go. */
static int pool_ioctl(struct devirt_pool_size *arg)
{
	int device = open("/dev/devirt", O_RDWR | O_CLOEXEC), ret;

	if (device < 0)
		return device;
	ret = lease_ioctl(device, DEVIRT_POOL, arg);
	close(device);
	return ret;
}

int pf_pool(const char *pf, unsigned int count, struct devirt_pool_size *out)
{
	struct devirt_pool_size arg = {
		.size = sizeof(arg),
		.pf = pci_addr(pf),
		.count = count,
	};
	int ret = pool_ioctl(&arg);

	if (out)
		*out = arg;
	return ret;
}

/* Who made its VFs: DEVIRT_POOL_*. */
unsigned int pf_origin(const char *pf)
{
	struct devirt_pool_size arg = {
		.size = sizeof(arg),
		.flags = DEVIRT_POOL_LOOK,
		.pf = pci_addr(pf),
	};

	return pool_ioctl(&arg) ? ~0U : arg.origin;
}

/* Without VFs, with that driver, and with no override. */
void pf_reset(const char *pf, const char *driver)
{
	pf_pool(pf, 0, NULL);
	if (pf_vfs(pf) > 0)
		pf_set_vfs(pf, 0);
	file_write("\n", "/sys/bus/pci/devices/%s/driver_override", pf);
	if (strcmp(pci_driver(pf), driver)) {
		pci_bind(pf, NULL);
		pci_bind(pf, driver);
	}
	command("udevadm settle");
}

/* Bind ours to a PF, which pf_reset() undoes. */
int test_driver(const char *pf, int netdevs)
{
	int err;

	if (access("/sys/module/" TEST_DRIVER, F_OK) &&
	    command("insmod /devirt/build/%s/" TEST_DRIVER ".ko", getenv("DEVIRT_KERNEL")))
		return -1;
	test_driver_set("netdevs", netdevs);
	pci_bind(pf, NULL);
	file_write(TEST_DRIVER, "/sys/bus/pci/devices/%s/driver_override", pf);
	err = file_write(pf, "/sys/bus/pci/drivers/" TEST_DRIVER "/bind");
	command("udevadm settle");
	return err;
}

int test_driver_set(const char *param, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	return file_write(text, "/sys/module/" TEST_DRIVER "/parameters/%s", param);
}

long test_driver_get(const char *param)
{
	return file_number("/sys/module/" TEST_DRIVER "/parameters/%s", param);
}

int vgpu_load(void)
{
	return command("insmod /devirt/build/%s/" VGPU_DRIVER ".ko", getenv("DEVIRT_KERNEL"));
}

void vgpu_unload(void)
{
	if (pf_vfs(IGB) > 0)
		pf_set_vfs(IGB, 0);
	if (!access("/sys/module/" VGPU_DRIVER, F_OK))
		command("rmmod " VGPU_DRIVER);
}

struct devirt_record rec_vgpu(unsigned int index, unsigned int type)
{
	struct devirt_record rec = rec_vf(IGB, index, IGB_VFS);

	rec.vf.settings.set = DEVIRT_VF_SET_VGPU;
	rec.vf.settings.gpu.type = type;
	return rec;
}

bool drifted(int part, const char *text)
{
	struct devirt_event event;

	fcntl(part, F_SETFL, O_NONBLOCK);
	while (read(part, &event, sizeof(event)) == sizeof(event)) {
		if (event.type == DEVIRT_EVENT_DRIFT &&
		    !strncmp(event.detail, text, strlen(text)))
			return true;
	}
	return false;
}
