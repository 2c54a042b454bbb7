// SPDX-License-Identifier: GPL-2.0
/*
 * Where a leased device's interrupts are handled: as /proc/irq and
 * /proc/interrupts tell, for MSI-X (a VF), MSI and a legacy line (edu, e1000).
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "device.h"
#include "minivm.h"
#include "tap.h"

#define MSIX	VFIO_PCI_MSIX_IRQ_INDEX
#define MSI	VFIO_PCI_MSI_IRQ_INDEX
#define INTX	VFIO_PCI_INTX_IRQ_INDEX

static struct vfio vfio;
static int fds[VECTORS_MAX];

static void reset(void)
{
	pci_bind(PAIR_A, "e1000");
	pci_bind(PAIR_B, "e1000");
	minivm_reset();
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

static void eventfds(int count)
{
	int i;

	for (i = 0; i < count; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		REQUIRE(fds[i] >= 0);
	}
}

/* One VF, and CPUs 2 and 3 for the vCPUs 0 and 1; CPUs 4 and 5 are the host's. */
static int lease_vf(const char *name, unsigned int policy, unsigned int cpu, char *addr)
{
	struct devirt_record recs[] = {
		rec_vf(IGB, 0, 2), rec_cpu(2, DEVIRT_ROLE_VCPU, 0), rec_cpu(3, DEVIRT_ROLE_VCPU, 1),
	};
	int part;

	recs[0].vf.irq.policy = policy;
	recs[0].vf.irq.cpu = cpu;
	part = lease_new(name, recs, 3);
	REQUIRE(part >= 0, "%s", strerror(-part));
	REQUIRE_EQ(lease_get(part, &(struct devirt_get){}, recs, 3), 0);
	strcpy(addr, pci_text(&recs[0].vf.addr));
	eventfds(VECTORS_MAX);
	REQUIRE_EQ(vfio_open(&vfio, addr), 0);
	return part;
}

static int lease_edu(const char *name, unsigned int policy, unsigned int cpu)
{
	struct devirt_record recs[] = {
		rec_pci(EDU), rec_cpu(2, DEVIRT_ROLE_VCPU, 0), rec_cpu(3, DEVIRT_ROLE_VCPU, 1),
	};
	int part;

	recs[0].pci.irq.policy = policy;
	recs[0].pci.irq.cpu = cpu;
	part = lease_new(name, recs, 3);
	REQUIRE(part >= 0, "%s", strerror(-part));
	eventfds(1);
	REQUIRE_EQ(vfio_open(&vfio, EDU), 0);
	return part;
}

/* All vectors of a function are each on the one CPU that is due. */
static void on(const char *addr, int count, const int *cpus)
{
	int irqs[VECTORS_MAX], i;

	REQUIRE_EQ(irqs_of(addr, irqs), count);
	for (i = 0; i < count; i++) {
		CHECK(irq_affinity(irqs[i]) == 1UL << cpus[i], "vector %d: %#lx instead of CPU %d",
		      i, irq_affinity(irqs[i]), cpus[i]);
		CHECK_EQ(irq_effective(irqs[i]), cpus[i]);
	}
}

static int refused_write(int irq)
{
	return file_write("1", "/proc/irq/%d/smp_affinity", irq);
}

/* How many events of a type a partition had: the last one is kept. */
static int events_of(int part, unsigned int type, struct devirt_event *last)
{
	struct devirt_event event;
	int count = 0;

	fcntl(part, F_SETFL, O_NONBLOCK);
	while (read(part, &event, sizeof(event)) == sizeof(event)) {
		if (event.type != type)
			continue;
		count++;
		*last = event;
	}
	return count;
}

TEST("follow, with nothing known of the guest: the vectors take turns on the vCPUs' CPUs")
{
	char addr[32];
	int part = lease_vf("turns", DEVIRT_IRQ_FOLLOW, 0, addr), irqs[VECTORS_MAX];
	struct devirt_event event = {};

	REQUIRE_EQ(device_irq_count(&vfio, MSIX), 3);
	REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 3, fds), 0);
	on(addr, 3, (int[]){ 2, 3, 2 });
	REQUIRE_EQ(irqs_of(addr, irqs), 3);
	CHECK(refused_write(irqs[0]) < 0);
	CHECK(refused_write(irqs[2]) < 0);
	on(addr, 3, (int[]){ 2, 3, 2 });
	CHECK_EQ(events_of(part, DEVIRT_EVENT_IRQS, &event), 1);
	CHECK_EQ(event.record, 0);
	CHECK_EQ(event.value, 3);
}

TEST("fixed: every vector on that CPU")
{
	char addr[32];
	int part = lease_vf("fixed", DEVIRT_IRQ_FIXED, 3, addr);

	REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 3, fds), 0);
	on(addr, 3, (int[]){ 3, 3, 3 });
	close(part);
}

TEST("housekeeping: on CPUs that nobody leases, also when more are leased later")
{
	struct devirt_record more[] = { rec_cpu(4, 0, 0), rec_cpu(5, 0, 0) };
	char addr[32];
	int part = lease_vf("keep", DEVIRT_IRQ_HOUSEKEEPING, 0, addr), irqs[VECTORS_MAX], i, other;

	REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 3, fds), 0);
	REQUIRE_EQ(irqs_of(addr, irqs), 3);
	for (i = 0; i < 3; i++)
		CHECK(irq_affinity(irqs[i]) && !(irq_affinity(irqs[i]) & 0xc), "%#lx",
		      irq_affinity(irqs[i]));
	other = lease_new("more", more, 2);
	REQUIRE(other >= 0);
	for (i = 0; i < 3; i++)
		CHECK(irq_affinity(irqs[i]) && !(irq_affinity(irqs[i]) & 0x3c), "%#lx",
		      irq_affinity(irqs[i]));
	/* And vectors that are new. */
	REQUIRE_EQ(device_irqs_off(&vfio, MSIX), 0);
	REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 3, fds), 0);
	REQUIRE_EQ(irqs_of(addr, irqs), 3);
	for (i = 0; i < 3; i++)
		CHECK(irq_affinity(irqs[i]) && !(irq_affinity(irqs[i]) & 0x3c), "%#lx",
		      irq_affinity(irqs[i]));
	close(other);
	close(part);
}

TEST("what is no policy, and a CPU that isn't of the description, are refused")
{
	struct devirt_record vf[] = { rec_vf(IGB, 0, 1), rec_cpu(2, DEVIRT_ROLE_VCPU, 0),
				      rec_cpu(3, 0, 0) };
	struct devirt_record pci[] = { rec_pci(EDU), vf[1], vf[2] };
	struct {
		struct devirt_irq irq;
		int error;
		unsigned int reason;
		const char *detail;
	} cases[] = {
		{ { DEVIRT_IRQ_FIXED + 1, 0 }, -EOPNOTSUPP, DEVIRT_REASON_UNSUPPORTED, "irq.policy" },
		{ { DEVIRT_IRQ_FOLLOW, 2 }, -EINVAL, DEVIRT_REASON_INVALID, "irq.cpu" },
		{ { DEVIRT_IRQ_HOUSEKEEPING, 2 }, -EINVAL, DEVIRT_REASON_INVALID, "irq.cpu" },
		{ { DEVIRT_IRQ_FIXED, 4 }, -EINVAL, DEVIRT_REASON_IRQ_CPU, "4" },
		{ { DEVIRT_IRQ_FIXED, 0 }, -EINVAL, DEVIRT_REASON_IRQ_CPU, "0" },
		{ { DEVIRT_IRQ_FIXED, ~0U }, -EINVAL, DEVIRT_REASON_IRQ_CPU, "4294967295" },
	};
	int part = lease_create("refused");
	unsigned int i, failed;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		vf[0].vf.irq = cases[i].irq;
		CHECK_EQ(lease_apply(part, 0, vf, 3, &failed), cases[i].error);
		CHECK_EQ(failed, 0);
		CHECK_EQ(vf[0].reason, cases[i].reason);
		CHECK_STR(vf[0].detail, cases[i].detail);
		pci[0].pci.irq = cases[i].irq;
		CHECK_EQ(lease_apply(part, 0, pci, 3, &failed), cases[i].error);
		CHECK_EQ(failed, 0);
		CHECK_EQ(pci[0].reason, cases[i].reason);
		CHECK_STR(pci[0].detail, cases[i].detail);
	}
}

TEST("vectors that are added while others are in use, and all that are set up anew")
{
	char addr[32];
	int part = lease_vf("added", DEVIRT_IRQ_FOLLOW, 0, addr), irqs[VECTORS_MAX], err, round;

	REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 1, fds), 0);
	on(addr, 1, (int[]){ 2 });
	err = device_irqs(&vfio, MSIX, 1, 2, fds + 1);
	/* Older kernels can't: a VMM sets up all of them anew there. */
	if (err == -EINVAL) {
		REQUIRE_EQ(device_irqs_off(&vfio, MSIX), 0);
		err = device_irqs(&vfio, MSIX, 0, 3, fds);
	}
	REQUIRE_EQ(err, 0);
	on(addr, 3, (int[]){ 2, 3, 2 });
	/* One gets another eventfd, one loses it: they stay. */
	REQUIRE_EQ(device_irqs(&vfio, MSIX, 1, 1, fds + 5), 0);
	REQUIRE_EQ(device_irqs(&vfio, MSIX, 2, 1, (int[]){ -1 }), 0);
	REQUIRE_EQ(irqs_of(addr, irqs), 3);
	CHECK_EQ(irq_affinity(irqs[1]), 1 << 3);
	for (round = 0; round < 20; round++) {
		REQUIRE_EQ(device_irqs_off(&vfio, MSIX), 0);
		CHECK_EQ(irqs_of(addr, irqs), 0);
		REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 2, fds), 0);
		on(addr, 2, (int[]){ 2, 3 });
	}
	close(part);
}

/* edu fires, and waits until the eventfd tells. */
static void fire(int times)
{
	struct pollfd poll_fd = { .fd = fds[0], .events = POLLIN };
	unsigned long long value;

	while (times--) {
		REQUIRE_EQ(device_write(&vfio, EDU_RAISE, 1), 0);
		REQUIRE(poll(&poll_fd, 1, 20000) == 1, "no interrupt");
		REQUIRE(read(fds[0], &value, 8) == 8);
		REQUIRE_EQ(device_write(&vfio, EDU_ACK, 1), 0);
	}
}

TEST("MSI: what fires is handled on the CPU, and nowhere else")
{
	int part = lease_edu("msi", DEVIRT_IRQ_FIXED, 3), irqs[VECTORS_MAX], i;

	REQUIRE_EQ(device_enable(&vfio), 0);
	REQUIRE_EQ(device_irqs(&vfio, MSI, 0, 1, fds), 0);
	on(EDU, 1, (int[]){ 3 });
	fire(50);
	REQUIRE_EQ(irqs_of(EDU, irqs), 1);
	for (i = 0; i < CPUS; i++)
		CHECK_EQ(irq_handled(irqs[0], i), i == 3 ? 50 : 0);
	CHECK(refused_write(irqs[0]) < 0);
	close(part);
}

static void unmask(void)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK,
		.index = INTX, .count = 1,
	};

	REQUIRE_EQ(ioctl(vfio.device, VFIO_DEVICE_SET_IRQS, &set), 0);
}

TEST("a legacy line: handled on the CPU; the line gets back what it had, at every end")
{
	int part, i, round, line;
	unsigned long before[CPUS];

	for (round = 0; round < 3; round++) {
		part = lease_edu("line", DEVIRT_IRQ_FIXED, 2);
		/* It is there while the device is in use, once somebody had it. */
		line = line_of(EDU);
		REQUIRE_EQ(device_irqs(&vfio, INTX, 0, 1, fds), 0);
		REQUIRE_EQ(device_irqs_off(&vfio, INTX), 0);
		REQUIRE_EQ(file_write("13", "/proc/irq/%d/smp_affinity", line), 0);
		REQUIRE_EQ(device_enable(&vfio), 0);
		REQUIRE_EQ(device_irqs(&vfio, INTX, 0, 1, fds), 0);
		CHECK_EQ(irq_affinity(line), 1 << 2);
		CHECK(refused_write(line) < 0);
		for (i = 0; i < CPUS; i++)
			before[i] = irq_handled(line, i);
		for (i = 0; i < 20; i++) {
			fire(1);
			unmask();
		}
		for (i = 0; i < CPUS; i++)
			CHECK_EQ(irq_handled(line, i) - before[i], i == 2 ? 20 : 0);
		/* The VMM turns it off, or closes the device, or the lease ends. */
		if (round == 0) {
			REQUIRE_EQ(device_irqs_off(&vfio, INTX), 0);
			CHECK_EQ(irq_affinity(line), 0x13);
			CHECK_EQ(file_write("13", "/proc/irq/%d/smp_affinity", line), 0);
			vfio_close(&vfio);
		} else if (round == 1) {
			vfio_close(&vfio);
			/* Nobody else has it, so it may be gone. */
			CHECK(EVENTUALLY(!irq_affinity(line) || irq_affinity(line) == 0x13),
			      "%#lx", irq_affinity(line));
		} else {
			REQUIRE_EQ(lease_release(part), 0);
			REQUIRE_EQ(lease_state(part), DEVIRT_STATE_DRAINING);
			CHECK_EQ(irq_affinity(line), 0x13);
			CHECK_EQ(file_write("3f", "/proc/irq/%d/smp_affinity", line), 0);
			fire(1);
			vfio_close(&vfio);
		}
		close(part);
		CHECK(EVENTUALLY(!tap_partitions()));
	}
}

TEST("a host's line that was moved off leased cores comes back as it was, also after a guest")
{
	struct devirt_record cpus[] = { rec_cpu(4, 0, 0), rec_cpu(5, 0, 0) };
	struct devirt_record recs[] = { rec_pci(PAIR_A), rec_pci(PAIR_B),
					rec_cpu(2, DEVIRT_ROLE_VCPU, 0), rec_cpu(3, 0, 0) };
	int line = line_of(PAIR_A), first, part;
	char netif[32];

	command("udevadm settle");
	pci_child(PAIR_A, "net", "", netif, sizeof(netif));
	REQUIRE_EQ(command("ip link set %s up", netif), 0);
	REQUIRE(irq_affinity(line));
	REQUIRE_EQ(file_write("3c", "/proc/irq/%d/smp_affinity", line), 0);
	first = lease_new("first", cpus, 2);
	REQUIRE(first >= 0);
	CHECK_EQ(irq_affinity(line), 0xc);
	REQUIRE_EQ(command("ip link set %s down", netif), 0);
	part = lease_new("second", recs, 4);
	REQUIRE(part >= 0, "%s", strerror(-part));
	eventfds(1);
	REQUIRE_EQ(vfio_open(&vfio, PAIR_A), 0);
	line = line_of(PAIR_A);
	REQUIRE_EQ(device_irqs(&vfio, INTX, 0, 1, fds), 0);
	CHECK_EQ(irq_affinity(line), 1 << 2);
	vfio_close(&vfio);
	CHECK_EQ(lease_release(first), 0);
	CHECK_EQ(lease_release(part), 0);
	command("udevadm settle");
	pci_child(PAIR_A, "net", "", netif, sizeof(netif));
	REQUIRE_EQ(command("ip link set %s up", netif), 0);
	CHECK_EQ(line_of(PAIR_A), line);
	CHECK_EQ(irq_affinity(line), 0x3c);
	REQUIRE_EQ(command("ip link set %s down", netif), 0);
	CHECK_EQ(file_write("3f", "/proc/irq/%d/smp_affinity", line), 0);
}

TEST("two partitions: each one's vectors on its own CPUs, whoever comes and goes")
{
	struct devirt_record recs[] = { rec_vf(IGB, 1, 2), rec_cpu(4, DEVIRT_ROLE_VCPU, 0),
					rec_cpu(5, DEVIRT_ROLE_VCPU, 1) };
	char addr[32], addr2[32];
	int part = lease_vf("one", DEVIRT_IRQ_FOLLOW, 0, addr), other;
	struct vfio vfio2;

	REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 3, fds), 0);
	other = lease_new("two", recs, 3);
	REQUIRE(other >= 0, "%s", strerror(-other));
	on(addr, 3, (int[]){ 2, 3, 2 });
	REQUIRE_EQ(lease_get(other, &(struct devirt_get){}, recs, 3), 0);
	strcpy(addr2, pci_text(&recs[0].vf.addr));
	REQUIRE_EQ(vfio_open(&vfio2, addr2), 0);
	REQUIRE_EQ(device_irqs(&vfio2, MSIX, 0, 3, fds + 3), 0);
	on(addr2, 3, (int[]){ 4, 5, 4 });
	on(addr, 3, (int[]){ 2, 3, 2 });
	vfio_close(&vfio);
	CHECK_EQ(lease_release(part), 0);
	on(addr2, 3, (int[]){ 4, 5, 4 });
	vfio_close(&vfio2);
	close(other);
	close(part);
}

TEST("released while it is in use: the vectors are the host's, and leave cores that are leased")
{
	struct devirt_record recs[] = { rec_cpu(2, 0, 0), rec_cpu(3, 0, 0) };
	char addr[32], text[32];
	int part = lease_vf("drain", DEVIRT_IRQ_FOLLOW, 0, addr), irqs[VECTORS_MAX], i, next;

	REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 3, fds), 0);
	on(addr, 3, (int[]){ 2, 3, 2 });
	REQUIRE_EQ(lease_release(part), 0);
	REQUIRE_EQ(lease_state(part), DEVIRT_STATE_DRAINING);
	REQUIRE_EQ(irqs_of(addr, irqs), 3);
	for (i = 0; i < 3; i++) {
		CHECK(irq_affinity(irqs[i]) & 0x33, "%#lx", irq_affinity(irqs[i]));
		snprintf(text, sizeof(text), "%x", 0xc);
		CHECK_EQ(file_write(text, "/proc/irq/%d/smp_affinity", irqs[i]), 0);
	}
	next = lease_new("next", recs, 2);
	REQUIRE(next >= 0);
	for (i = 0; i < 3; i++)
		CHECK(irq_affinity(irqs[i]) && !(irq_affinity(irqs[i]) & 0xc), "%#lx",
		      irq_affinity(irqs[i]));
	/* Nothing is placed any more. */
	REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 1, fds + 4), 0);
	CHECK(!(irq_affinity(irqs[0]) & 0xc), "%#lx", irq_affinity(irqs[0]));
	vfio_close(&vfio);
	CHECK(EVENTUALLY(lease_state(part) == DEVIRT_STATE_RELEASED));
	close(next);
}

/* A guest with two vCPUs, whose interrupt @gsi goes where @vcpu is. */
static void route(int vm, const int *vcpus, int count)
{
	char room[sizeof(struct kvm_irq_routing) + 4 * sizeof(struct kvm_irq_routing_entry)] = {};
	struct kvm_irq_routing *routing = (void *)room;
	int i;

	routing->nr = count;
	for (i = 0; i < count; i++) {
		routing->entries[i].gsi = 24 + i;
		routing->entries[i].type = KVM_IRQ_ROUTING_MSI;
		routing->entries[i].u.msi.address_lo = 0xfee00000 | vcpus[i] << 12;
		routing->entries[i].u.msi.data = 0x40 + i;
	}
	REQUIRE(!ioctl(vm, KVM_SET_GSI_ROUTING, routing), "%s", strerror(errno));
}

static int guest(int vcpus)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, i;

	REQUIRE(kvm >= 0);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	REQUIRE(vm >= 0);
	REQUIRE_EQ(ioctl(vm, KVM_CREATE_IRQCHIP, 0), 0);
	for (i = 0; i < vcpus; i++)
		REQUIRE(ioctl(vm, KVM_CREATE_VCPU, i) >= 0);
	return vm;
}

static void irqfd(int vm, int gsi, int fd)
{
	struct kvm_irqfd arg = { .fd = fd, .gsi = gsi };

	REQUIRE(!ioctl(vm, KVM_IRQFD, &arg), "%s", strerror(errno));
}

TEST("follow: each vector is where the guest wants it, and goes where the guest moves it")
{
	char addr[32];
	int part = lease_vf("follow", DEVIRT_IRQ_FOLLOW, 0, addr), vm = guest(2);
	struct devirt_event event = {};

	route(vm, (int[]){ 1, 0, 1 }, 3);
	irqfd(vm, 24, fds[0]);
	irqfd(vm, 25, fds[1]);
	irqfd(vm, 26, fds[2]);
	REQUIRE_EQ(device_irqs(&vfio, MSIX, 0, 3, fds), 0);
	on(addr, 3, (int[]){ 3, 2, 3 });
	events_of(part, DEVIRT_EVENT_IRQS, &event);
	route(vm, (int[]){ 1, 1, 0 }, 3);
	on(addr, 3, (int[]){ 3, 3, 2 });
	CHECK_EQ(events_of(part, DEVIRT_EVENT_IRQS, &event), 1);
	CHECK_EQ(event.value, 3);
	/* What changes nothing is nothing to tell. */
	route(vm, (int[]){ 1, 1, 0 }, 3);
	CHECK_EQ(events_of(part, DEVIRT_EVENT_IRQS, &event), 0);
	/* A vCPU that the description doesn't name: their turn. A logical destination. */
	route(vm, (int[]){ 7, 7, 7 }, 3);
	on(addr, 3, (int[]){ 2, 3, 2 });
	route(vm, (int[]){ 0, 0, 0 }, 3);
	on(addr, 3, (int[]){ 2, 2, 2 });
	close(vm);
	close(part);
}
