// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lease.h"

/* ------------------------------------------------------------------ ioctls */

int lease_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

/* /dev/devirt, opened once in each process. */
int lease_device(void)
{
	static int fd = -1;

	if (fd < 0) {
		fd = open("/dev/devirt", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	return fd;
}

int lease_create(const char *name)
{
	struct devirt_create create = { .size = sizeof(create) };

	snprintf(create.name, sizeof(create.name), "%s", name);
	return lease_ioctl(lease_device(), DEVIRT_CREATE, &create);
}

int lease_open(const char *name, unsigned int flags)
{
	struct devirt_open arg = { .size = sizeof(arg), .flags = flags };

	snprintf(arg.name, sizeof(arg.name), "%s", name);
	return lease_ioctl(lease_device(), DEVIRT_OPEN, &arg);
}

int lease_apply(int fd, unsigned int flags, struct devirt_record *recs, unsigned int count,
		unsigned int *failed)
{
	struct devirt_apply apply = {
		.size = sizeof(apply),
		.flags = flags,
		.records = (unsigned long)recs,
		.count = count,
		.record_size = sizeof(*recs),
	};
	int err = lease_ioctl(fd, DEVIRT_APPLY, &apply);

	if (failed)
		*failed = apply.failed;
	return err;
}

int lease_get(int fd, struct devirt_get *get, struct devirt_record *recs, unsigned int count)
{
	memset(get, 0, sizeof(*get));
	get->size = sizeof(*get);
	get->records = (unsigned long)recs;
	get->count = count;
	get->record_size = sizeof(*recs);
	return lease_ioctl(fd, DEVIRT_GET, get);
}

/* DEVIRT_STATE_* of the partition. */
int lease_state(int fd)
{
	struct devirt_get get;
	int err = lease_get(fd, &get, NULL, 0);

	return err && err != -EMSGSIZE ? err : (int)get.state;
}

int lease_attach(int fd, pid_t pid)
{
	struct devirt_attach attach = { .size = sizeof(attach) };
	int err;

	attach.pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (attach.pidfd < 0)
		return -errno;
	err = lease_ioctl(fd, DEVIRT_ATTACH, &attach);
	close(attach.pidfd);
	return err;
}

int lease_release(int fd)
{
	struct devirt_release release = { .size = sizeof(release) };

	return lease_ioctl(fd, DEVIRT_RELEASE, &release);
}

/* A new partition with all of @recs applied: its descriptor. */
int lease_new(const char *name, struct devirt_record *recs, unsigned int count)
{
	int fd = lease_create(name), err;

	if (fd < 0)
		return fd;
	err = lease_apply(fd, 0, recs, count, NULL);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* A lease of all CPUs in @mask, for nobody. */
int lease_mask(const char *name, unsigned long mask)
{
	struct devirt_record recs[CPUS];
	int cpu, count = 0;

	for (cpu = 0; cpu < CPUS; cpu++) {
		if (mask & 1UL << cpu)
			recs[count++] = rec_cpu(cpu, DEVIRT_ROLE_NONE, 0);
	}
	return lease_new(name, recs, count);
}

/* ----------------------------------------------------------------- records */

struct devirt_pci_addr pci_addr(const char *text)
{
	unsigned int domain, bus, slot, fn;

	if (sscanf(text, "%x:%x:%x.%u", &domain, &bus, &slot, &fn) != 4)
		abort();
	return (struct devirt_pci_addr){
		.domain = domain, .bus = bus, .devfn = slot << 3 | fn
	};
}

const char *pci_text(const struct devirt_pci_addr *addr)
{
	static char text[2][32];
	static int turn;

	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]), "%04x:%02x:%02x.%d", addr->domain, addr->bus,
		 addr->devfn >> 3, addr->devfn & 7);
	return text[turn];
}

struct devirt_record rec_pci(const char *addr)
{
	return (struct devirt_record){
		.kind = DEVIRT_KIND_PCI,
		.pci.addr = pci_addr(addr),
	};
}

struct devirt_record rec_vf(const char *pf, unsigned int index, unsigned int pool)
{
	return (struct devirt_record){
		.kind = DEVIRT_KIND_VF,
		.vf = { .pf = pci_addr(pf), .index = index, .pool = pool },
	};
}

/* How many events of a type since the last time: the last one is kept. */
int lease_events(int part, unsigned int type, struct devirt_event *last)
{
	struct devirt_event event;
	int count = 0;

	while (read(part, &event, sizeof(event)) == sizeof(event)) {
		if (event.type != type)
			continue;
		count++;
		*last = event;
	}
	return count;
}

/* A UUID as people write it. */
const char *uuid_text(const __u8 *uuid)
{
	static char text[2][40];
	static int turn;
	int i, len = 0;

	turn = !turn;
	for (i = 0; i < 16; i++)
		len += sprintf(text[turn] + len, "%s%02x",
			       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
	return text[turn];
}

/* @uuid: NULL for a random one. */
struct devirt_record rec_mdev(const char *parent, const char *type, const char *uuid)
{
	struct devirt_record rec = { .kind = DEVIRT_KIND_MDEV };
	unsigned int byte;
	int i;

	snprintf(rec.mdev.parent, sizeof(rec.mdev.parent), "%s", parent);
	snprintf(rec.mdev.type, sizeof(rec.mdev.type), "%s", type);
	for (i = 0; uuid && i < 16; i++, uuid += 2) {
		uuid += *uuid == '-';
		if (sscanf(uuid, "%2x", &byte) != 1)
			abort();
		rec.mdev.uuid[i] = byte;
	}
	return rec;
}

struct devirt_record rec_memory(unsigned long long page_size, unsigned long long pages, int node)
{
	return (struct devirt_record){
		.kind = DEVIRT_KIND_MEMORY,
		.node = node,
		.memory = { .page_size = page_size, .pages = pages },
	};
}

struct devirt_record rec_cpu(unsigned int cpu, unsigned int role, unsigned int vcpu)
{
	return (struct devirt_record){
		.kind = DEVIRT_KIND_CPU,
		.cpu = { .cpu = cpu, .role = role, .vcpu = vcpu },
	};
}

/* -------------------------------------------------------------------- host */

#define FORMAT(buf, fmt) do {				\
	va_list args;					\
	va_start(args, fmt);				\
	vsnprintf(buf, sizeof(buf), fmt, args);		\
	va_end(args);					\
} while (0)

static int read_path(char *buf, size_t size, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	ssize_t len;

	buf[0] = '\0';
	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	err = len < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	buf[len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

/* The first line of a file. */
int file_read(char *buf, size_t size, const char *fmt, ...)
{
	char path[512];

	FORMAT(path, fmt);
	return read_path(buf, size, path);
}

long file_number(const char *fmt, ...)
{
	char path[512], buf[64];
	int err;

	FORMAT(path, fmt);
	err = read_path(buf, sizeof(buf), path);
	return err ?: strtol(buf, NULL, 0);
}

int file_write(const char *text, const char *fmt, ...)
{
	char path[512];
	int fd, err;

	FORMAT(path, fmt);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* Runs a shell's command, quietly; its status. */
int command(const char *fmt, ...)
{
	char line[1024], quiet[1100];
	int status;

	FORMAT(line, fmt);
	snprintf(quiet, sizeof(quiet), "{ %s; } >/dev/null 2>&1", line);
	status = system(quiet);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Its driver's name, "" for none. */
const char *pci_driver(const char *addr)
{
	static char text[512];
	char path[128];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", addr);
	len = readlink(path, text, sizeof(text) - 1);
	if (len < 0)
		return "";
	text[len] = '\0';
	return strrchr(text, '/') + 1;
}

const char *pci_override(const char *addr)
{
	static char text[512];

	file_read(text, sizeof(text), "/sys/bus/pci/devices/%s/driver_override", addr);
	return text;
}

/* Gives a function to a driver, NULL for none, as an admin does. */
int pci_bind(const char *addr, const char *driver)
{
	int err;

	if (!strcmp(pci_driver(addr), driver ?: ""))
		return 0;
	if (pci_driver(addr)[0]) {
		err = file_write(addr, "/sys/bus/pci/devices/%s/driver/unbind", addr);
		if (err)
			return err;
	}
	if (!driver)
		return 0;
	err = file_write(driver, "/sys/bus/pci/devices/%s/driver_override", addr);
	if (!err)
		err = file_write(addr, "/sys/bus/pci/drivers/%s/bind", driver);
	file_write("\n", "/sys/bus/pci/devices/%s/driver_override", addr);
	return err;
}

static int group_of(const char *bus, const char *name)
{
	char path[128], text[256];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/iommu_group", bus, name);
	len = readlink(path, text, sizeof(text) - 1);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	return atoi(strrchr(text, '/') + 1);
}

/* Its IOMMU group's number. */
int pci_group(const char *addr)
{
	return group_of("pci", addr);
}

int mdev_group(const char *uuid)
{
	return group_of("mdev", uuid);
}

/* The first thing below a function, in @path, whose name begins with @prefix. */
void pci_child(const char *addr, const char *path, const char *prefix, char *name, size_t size)
{
	struct dirent *entry;
	char dir[256];
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s/%s", addr, path);
	name[0] = '\0';
	d = opendir(dir);
	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] != '.' && !strncmp(entry->d_name, prefix, strlen(prefix)))
			snprintf(name, size, "%s", entry->d_name);
	}
	if (d)
		closedir(d);
}

/* The number after @key in a file of lines like /proc/meminfo, or -errno. */
long long file_value(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	long long value = -ENOENT;
	char line[256];

	if (!file)
		return -errno;
	while (value < 0 && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), "%*[: ]%lld", &value);
	}
	fclose(file);
	return value;
}

/* --------------------------------------------------------------- processes */

/* The CPUs that a task may use; 0 if it has ended. */
unsigned long mask_of(pid_t tid)
{
	unsigned long mask = 0;
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(tid, sizeof(set), &set))
		return 0;
	for (cpu = 0; cpu < CPUS; cpu++)
		mask |= (unsigned long)!!CPU_ISSET(cpu, &set) << cpu;
	return mask;
}

/* The CPUs in @mask, and no others, for a task; 0 is the caller. */
int set_mask(pid_t tid, unsigned long mask)
{
	cpu_set_t set;
	int cpu;

	CPU_ZERO(&set);
	for (cpu = 0; cpu < CPUS; cpu++) {
		if (mask & 1UL << cpu)
			CPU_SET(cpu, &set);
	}
	return sched_setaffinity(tid, sizeof(set), &set) ? -errno : 0;
}

/* Runs @fn in a process of its own, which dies with this one. */
pid_t spawn(void (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn(arg);
		_exit(0);
	}
	return pid;
}

int send_fd(int sock, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) < 0 ? -errno : 0;
}

int recv_fd(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* xorshift64*: the same numbers in every run. */
unsigned long long prng(unsigned long long *state)
{
	unsigned long long x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/* -------------------------------------------------------------------- VFIO */

static int open_group(struct vfio *vfio, int group, const char *name)
{
	char path[64];
	int err;

	vfio->group = -1;
	vfio->device = -1;
	vfio->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (vfio->container < 0)
		return -errno;
	snprintf(path, sizeof(path), "/dev/vfio/%d", group);
	vfio->group = open(path, O_RDWR | O_CLOEXEC);
	if (vfio->group < 0 ||
	    ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container) ||
	    ioctl(vfio->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		goto err_close;
	vfio->device = ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (vfio->device < 0)
		goto err_close;
	return 0;

err_close:
	err = -errno;
	vfio_close(vfio);
	return err;
}

int vfio_open(struct vfio *vfio, const char *addr)
{
	return open_group(vfio, pci_group(addr), addr);
}

int vfio_open_mdev(struct vfio *vfio, const char *uuid)
{
	return open_group(vfio, mdev_group(uuid), uuid);
}

void vfio_close(struct vfio *vfio)
{
	if (vfio->device >= 0)
		close(vfio->device);
	if (vfio->group >= 0)
		close(vfio->group);
	close(vfio->container);
}
