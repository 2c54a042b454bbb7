// SPDX-License-Identifier: LGPL-2.1-or-later
/* Words for the numbers of the contract. Once published they don't change. */
#include <stddef.h>
#include "libdevirt.h"

static const char *word(const char *const words[], size_t count, uint32_t number)
{
	return number < count && words[number] ? words[number] : "unknown";
}

#define WORD(words, number) word(words, sizeof(words) / sizeof(*(words)), number)

const char *devirt_kind_name(uint32_t kind)
{
	static const char *const words[] = {
		[DEVIRT_KIND_PCI] = "pci",
		[DEVIRT_KIND_VF] = "vf",
		[DEVIRT_KIND_MDEV] = "mdev",
		[DEVIRT_KIND_MEMORY] = "memory",
		[DEVIRT_KIND_CPU] = "cpu",
	};

	return WORD(words, kind);
}

const char *devirt_state_name(uint32_t state)
{
	static const char *const words[] = {
		[DEVIRT_STATE_NEW] = "new",
		[DEVIRT_STATE_HELD] = "held",
		[DEVIRT_STATE_DRAINING] = "draining",
		[DEVIRT_STATE_QUARANTINE] = "quarantine",
		[DEVIRT_STATE_RELEASED] = "released",
	};

	return WORD(words, state);
}

const char *devirt_role_name(uint32_t role)
{
	static const char *const words[] = {
		[DEVIRT_ROLE_NONE] = "none",
		[DEVIRT_ROLE_VCPU] = "vcpu",
		[DEVIRT_ROLE_EMULATOR] = "emulator",
	};

	return WORD(words, role);
}

const char *devirt_reason_name(uint32_t reason)
{
	static const char *const words[] = {
		[DEVIRT_REASON_NONE] = "none",
		[DEVIRT_REASON_INVALID] = "invalid",
		[DEVIRT_REASON_UNSUPPORTED] = "unsupported",
		[DEVIRT_REASON_OWNED] = "owned",
		[DEVIRT_REASON_DUPLICATE] = "duplicate",
		[DEVIRT_REASON_NO_MEMORY] = "no-memory",
		[DEVIRT_REASON_QUARANTINED] = "quarantined",
		[DEVIRT_REASON_INTERNAL] = "internal",
		[DEVIRT_REASON_NO_DEVICE] = "no-device",
		[DEVIRT_REASON_NOT_ENDPOINT] = "not-endpoint",
		[DEVIRT_REASON_IS_VF] = "is-vf",
		[DEVIRT_REASON_NO_IOMMU] = "no-iommu",
		[DEVIRT_REASON_NO_INTREMAP] = "no-intremap",
		[DEVIRT_REASON_GROUP_SHARED] = "group-shared",
		[DEVIRT_REASON_VFS_ENABLED] = "vfs-enabled",
		[DEVIRT_REASON_BLOCK_CLAIMED] = "block-claimed",
		[DEVIRT_REASON_BLOCK_OPEN] = "block-open",
		[DEVIRT_REASON_NET_ADDRESS] = "net-address",
		[DEVIRT_REASON_NET_UPPER] = "net-upper",
		[DEVIRT_REASON_DISPLAY] = "display",
		[DEVIRT_REASON_VFIO_BUSY] = "vfio-busy",
		[DEVIRT_REASON_NO_VFIO] = "no-vfio",
		[DEVIRT_REASON_BIND] = "bind",
		[DEVIRT_REASON_IRQ_CPU] = "irq-cpu",
		[DEVIRT_REASON_NOT_PF] = "not-pf",
		[DEVIRT_REASON_PF_DRIVER] = "pf-driver",
		[DEVIRT_REASON_PF_OWNED] = "pf-owned",
		[DEVIRT_REASON_VF_INDEX] = "vf-index",
		[DEVIRT_REASON_POOL_SMALL] = "pool-small",
		[DEVIRT_REASON_POOL_FAILED] = "pool-failed",
		[DEVIRT_REASON_SETTING_KIND] = "setting-kind",
		[DEVIRT_REASON_SETTING_VALUE] = "setting-value",
		[DEVIRT_REASON_SETTING_FAILED] = "setting-failed",
		[DEVIRT_REASON_POOL_BUSY] = "pool-busy",
		[DEVIRT_REASON_POOL_SIZE] = "pool-size",
		[DEVIRT_REASON_NO_NODE] = "no-node",
		[DEVIRT_REASON_PAGE_SIZE] = "page-size",
		[DEVIRT_REASON_PAGES_SHORT] = "pages-short",
		[DEVIRT_REASON_NO_CPU] = "no-cpu",
		[DEVIRT_REASON_CPU_OFFLINE] = "cpu-offline",
		[DEVIRT_REASON_SIBLING] = "sibling",
		[DEVIRT_REASON_LAST_CPU] = "last-cpu",
		[DEVIRT_REASON_VCPU_TWICE] = "vcpu-twice",
		[DEVIRT_REASON_NO_CPUFREQ] = "no-cpufreq",
		[DEVIRT_REASON_FREQUENCY] = "frequency",
		[DEVIRT_REASON_NO_PARENT] = "no-parent",
		[DEVIRT_REASON_NO_TYPE] = "no-type",
		[DEVIRT_REASON_TYPE_FULL] = "type-full",
		[DEVIRT_REASON_UUID_TAKEN] = "uuid-taken",
		[DEVIRT_REASON_MDEV_FAILED] = "mdev-failed",
	};

	return WORD(words, reason);
}

const char *devirt_event_name(uint32_t type)
{
	static const char *const words[] = {
		[DEVIRT_EVENT_LOST] = "lost",
		[DEVIRT_EVENT_APPLIED] = "applied",
		[DEVIRT_EVENT_ATTACHED] = "attached",
		[DEVIRT_EVENT_PINNED] = "pinned",
		[DEVIRT_EVENT_RELEASED] = "released",
		[DEVIRT_EVENT_DRAINING] = "draining",
		[DEVIRT_EVENT_QUARANTINE] = "quarantine",
		[DEVIRT_EVENT_DRIFT] = "drift",
		[DEVIRT_EVENT_INTRUSION] = "intrusion",
		[DEVIRT_EVENT_IRQS] = "irqs",
		[DEVIRT_EVENT_USER] = "user",
	};

	return WORD(words, type);
}

const char *devirt_irq_policy_name(uint32_t policy)
{
	static const char *const words[] = {
		[DEVIRT_IRQ_FOLLOW] = "follow",
		[DEVIRT_IRQ_HOUSEKEEPING] = "housekeeping",
		[DEVIRT_IRQ_FIXED] = "fixed",
	};

	return WORD(words, policy);
}

const char *devirt_intruder_name(uint32_t kind)
{
	static const char *const words[] = {
		[DEVIRT_INTRUDER_USER] = "user",
		[DEVIRT_INTRUDER_KTHREAD] = "kthread",
		[DEVIRT_INTRUDER_BOUND] = "bound",
		[DEVIRT_INTRUDER_IRQ] = "irq",
		[DEVIRT_INTRUDER_MANAGED] = "managed",
		[DEVIRT_INTRUDER_TICK] = "tick",
	};

	return WORD(words, kind);
}

bool devirt_intruder_movable(uint32_t kind)
{
	return kind == DEVIRT_INTRUDER_USER || kind == DEVIRT_INTRUDER_KTHREAD ||
	       kind == DEVIRT_INTRUDER_IRQ;
}
