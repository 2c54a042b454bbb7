// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel probes, each in place only while somebody waits for it.
 *
 * Some of the functions are in modules, which may come after us, or go and come
 * again, so a probe is placed when there are both a wish for it and the function.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/ptrace.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vfio.h>
#include <linux/workqueue.h>

#include "arrival.h"
#include "compat/compat.h"
#include "hook.h"
#include "hostirq.h"
#include "nvme.h"
#include "partition.h"
#include "user.h"
#include "vcpu.h"

/**
 * struct devirt_probe - a probe and who waits for it
 * @kprobe: calls the one that is concerned
 * @module: that has the function; NULL if it is the kernel's own
 * @wishes: how many wait for it
 * @placed: it is there
 * @stays: it isn't taken out when nobody waits any more: placing it takes longer
 *	than leasing a device, and what it is at is called when a device is opened or
 *	set up, and not on the way into a guest
 */
struct devirt_probe {
	struct kprobe kprobe;
	const char *module;
	unsigned int wishes;
	bool placed;
	bool stays;
};

static int devirt_hook_run_vcpu(struct kprobe *probe, struct pt_regs *regs)
{
	const struct kvm_vcpu *vcpu = (void *)regs_get_kernel_argument(regs, 0);

	devirt_vcpu_entering(vcpu->vcpu_id);
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_run_vcpu);

static int devirt_hook_new_vcpu(struct kprobe *probe, struct pt_regs *regs)
{
	const struct kvm_vcpu *vcpu = (void *)regs_get_kernel_argument(regs, 0);

	devirt_vcpu_created(vcpu->vcpu_id);
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_new_vcpu);

static int devirt_hook_irq_affinity(struct kprobe *probe, struct pt_regs *regs)
{
	const struct cpumask *mask = (void *)regs_get_kernel_argument(regs, 1);

	mask = devirt_hostirq_asked(regs_get_kernel_argument(regs, 0), mask);
	devirt_regs_set_argument_1(regs, (unsigned long)mask);
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_irq_affinity);

static int devirt_hook_irq_request(struct kprobe *probe, struct pt_regs *regs)
{
	devirt_hostirq_requested();
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_irq_request);

static int devirt_hook_vfio_ioctl(struct kprobe *probe, struct pt_regs *regs)
{
	const struct vfio_device *vdev = (void *)regs_get_kernel_argument(regs, 0);

	devirt_user_ioctl(vdev->dev, regs_get_kernel_argument(regs, 1),
			  regs_get_kernel_argument(regs, 2));
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_vfio_ioctl);

static int devirt_hook_vfio_close(struct kprobe *probe, struct pt_regs *regs)
{
	const struct vfio_device *vdev = (void *)regs_get_kernel_argument(regs, 0);

	devirt_user_closing(vdev->dev);
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_vfio_close);

static int devirt_hook_irq_routing(struct kprobe *probe, struct pt_regs *regs)
{
	devirt_user_rerouted();
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_irq_routing);

static int devirt_hook_allowed(struct kprobe *probe, struct pt_regs *regs)
{
	devirt_arrival_allowed((void *)regs_get_kernel_argument(regs, 0),
			       (void *)regs_get_kernel_argument(regs, 1));
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_allowed);

static int devirt_hook_affinity(struct kprobe *probe, struct pt_regs *regs)
{
	devirt_arrival_affinity(regs_get_kernel_argument(regs, 0),
				(void *)regs_get_kernel_argument(regs, 1));
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_affinity);

static int devirt_hook_block_request(struct kprobe *probe, struct pt_regs *regs)
{
	devirt_nvme_requested((void *)regs_get_kernel_argument(regs, 0));
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_block_request);

static struct devirt_probe probes[DEVIRT_HOOKS] = {
	[DEVIRT_HOOK_RUN_VCPU] = {
		.kprobe.symbol_name = "kvm_arch_vcpu_ioctl_run",
		.kprobe.pre_handler = devirt_hook_run_vcpu,
		.module = "kvm",
	},
	[DEVIRT_HOOK_NEW_VCPU] = {
		.kprobe.symbol_name = "kvm_arch_vcpu_create",
		.kprobe.pre_handler = devirt_hook_new_vcpu,
		.module = "kvm",
	},
	[DEVIRT_HOOK_IRQ_AFFINITY] = {
		.kprobe.symbol_name = "irq_set_affinity",
		.kprobe.pre_handler = devirt_hook_irq_affinity,
	},
	[DEVIRT_HOOK_IRQ_REQUEST] = {
		.kprobe.symbol_name = "request_threaded_irq",
		.kprobe.pre_handler = devirt_hook_irq_request,
	},
	[DEVIRT_HOOK_VFIO_IOCTL] = {
		.kprobe.symbol_name = "vfio_pci_core_ioctl",
		.kprobe.pre_handler = devirt_hook_vfio_ioctl,
		.stays = true,
		.module = "vfio_pci_core",
	},
	[DEVIRT_HOOK_VFIO_CLOSE] = {
		.kprobe.symbol_name = "vfio_pci_core_close_device",
		.kprobe.pre_handler = devirt_hook_vfio_close,
		.stays = true,
		.module = "vfio_pci_core",
	},
	[DEVIRT_HOOK_IRQ_ROUTING] = {
		.kprobe.symbol_name = "kvm_set_irq_routing",
		.kprobe.pre_handler = devirt_hook_irq_routing,
		.module = "kvm",
	},
	[DEVIRT_HOOK_ALLOWED] = {
		.kprobe.symbol_name = "set_cpus_allowed_ptr",
		.kprobe.pre_handler = devirt_hook_allowed,
	},
	[DEVIRT_HOOK_AFFINITY] = {
		.kprobe.symbol_name = "sched_setaffinity",
		.kprobe.pre_handler = devirt_hook_affinity,
	},
	[DEVIRT_HOOK_BLOCK_REQUEST] = {
		.kprobe.symbol_name = "blk_mq_alloc_request",
		.kprobe.pre_handler = devirt_hook_block_request,
	},
};

/* Guards all probes. Inside vcpu.c's lock, and inside the module loader's. */
static DEFINE_MUTEX(hook_lock);
/* Is there a KVM? Placing a probe tells, and takes 40 ms; modules change it. */
static enum { HOOK_KVM_UNKNOWN, HOOK_KVM_ABSENT, HOOK_KVM_PRESENT } hook_kvm;

static int devirt_hook_place(struct devirt_probe *probe)
{
	int err;

	lockdep_assert_held(&hook_lock);
	if (probe->placed)
		return 0;
	/* What the last registration left there would be refused. */
	probe->kprobe.addr = NULL;
	probe->kprobe.flags = 0;
	err = register_kprobe(&probe->kprobe);
	if (!err)
		probe->placed = true;
	return err;
}

static void devirt_hook_unplace(struct devirt_probe *probe)
{
	lockdep_assert_held(&hook_lock);
	if (probe->placed)
		unregister_kprobe(&probe->kprobe);
	probe->placed = false;
}

/**
 * devirt_hook_arm - somebody waits for a function to be called
 * @id: which
 *
 * May sleep. Return: 0, also if the module that has it isn't loaded yet;
 * -EOPNOTSUPP if the kernel can't place the probe; -ENOMEM.
 */
int devirt_hook_arm(enum devirt_hook id)
{
	struct devirt_probe *probe = &probes[id];
	int err;

	mutex_lock(&hook_lock);
	err = devirt_hook_place(probe);
	/* No such function: its module isn't loaded. The notifier sees it come. */
	if (err == -ENOENT && probe->module)
		err = 0;
	if (err && err != -ENOMEM)
		err = -EOPNOTSUPP;
	if (!err)
		probe->wishes++;
	mutex_unlock(&hook_lock);
	return err;
}

static void devirt_hook_tidy(struct work_struct *work)
{
	int id;

	mutex_lock(&hook_lock);
	for (id = 0; id < DEVIRT_HOOKS; id++) {
		if (!probes[id].wishes && !probes[id].stays)
			devirt_hook_unplace(&probes[id]);
	}
	mutex_unlock(&hook_lock);
}
static DECLARE_WORK(hook_tidy_work, devirt_hook_tidy);

/**
 * devirt_hook_disarm - one devirt_hook_arm() less
 * @id: which
 *
 * The probe goes a moment later, in a worker: taking it out waits for every CPU,
 * which the vCPU's thread that calls this shouldn't. May sleep.
 */
void devirt_hook_disarm(enum devirt_hook id)
{
	mutex_lock(&hook_lock);
	if (!--probes[id].wishes)
		queue_work(devirt_wq, &hook_tidy_work);
	mutex_unlock(&hook_lock);
}

/**
 * struct devirt_hook_at - a probe for one device of a driver that has no name here
 * @kprobe: calls the one that is concerned
 */
struct devirt_hook_at {
	struct kprobe kprobe;
};

/**
 * devirt_hook_vfio_ioctl_at - wait for a VFIO driver's ioctl to be called
 * @ioctl: its ioctl, as struct vfio_device_ops has it
 *
 * devirt_user_ioctl() is called then, as with DEVIRT_HOOK_VFIO_IOCTL. The module
 * that has it must not go before devirt_hook_at_free(). May sleep. Return: the
 * probe; or an ERR_PTR: -EOPNOTSUPP if the kernel can't place it, -ENOMEM.
 */
struct devirt_hook_at *devirt_hook_vfio_ioctl_at(void *ioctl)
{
	struct devirt_hook_at *at = kzalloc(sizeof(*at), GFP_KERNEL);
	int err;

	if (!at)
		return ERR_PTR(-ENOMEM);
	at->kprobe.addr = ioctl;
	at->kprobe.pre_handler = devirt_hook_vfio_ioctl;
	err = ioctl ? register_kprobe(&at->kprobe) : -EOPNOTSUPP;
	if (!err)
		return at;
	kfree(at);
	return ERR_PTR(err == -ENOMEM ? err : -EOPNOTSUPP);
}

/**
 * devirt_hook_at_free - undo devirt_hook_vfio_ioctl_at()
 * @at: the probe, or NULL
 *
 * May sleep, and waits for every CPU.
 */
void devirt_hook_at_free(struct devirt_hook_at *at)
{
	if (!at)
		return;
	unregister_kprobe(&at->kprobe);
	kfree(at);
}

/**
 * devirt_hook_facts - is there a KVM whose vCPUs can be pinned?
 *
 * May sleep. Return: DEVIRT_FACT_KVM or 0.
 */
u32 devirt_hook_facts(void)
{
	struct devirt_probe *probe = &probes[DEVIRT_HOOK_RUN_VCPU];
	u32 facts = 0;

	mutex_lock(&hook_lock);
	if (hook_kvm == HOOK_KVM_UNKNOWN) {
		int err = devirt_hook_place(probe);

		if (err != -ENOMEM)
			hook_kvm = err ? HOOK_KVM_ABSENT : HOOK_KVM_PRESENT;
		if (!probe->wishes)
			devirt_hook_unplace(probe);
	}
	if (hook_kvm == HOOK_KVM_PRESENT)
		facts |= DEVIRT_FACT_KVM;
	mutex_unlock(&hook_lock);
	return facts;
}

static int devirt_hook_module(struct notifier_block *nb, unsigned long action, void *data)
{
	struct module *mod = data;
	bool known = false;
	int id;

	for (id = 0; id < DEVIRT_HOOKS; id++)
		known |= probes[id].module && !strcmp(mod->name, probes[id].module);
	if (!known)
		return NOTIFY_DONE;
	mutex_lock(&hook_lock);
	if (!strcmp(mod->name, "kvm"))
		hook_kvm = HOOK_KVM_UNKNOWN;
	for (id = 0; id < DEVIRT_HOOKS; id++) {
		struct devirt_probe *probe = &probes[id];

		if (!probe->module || strcmp(mod->name, probe->module))
			continue;
		if (action == MODULE_STATE_COMING && probe->wishes) {
			if (devirt_hook_place(probe) == 0)
				pr_info("%s is here, so is the probe at %s\n", mod->name,
					probe->kprobe.symbol_name);
		} else if (action == MODULE_STATE_GOING) {
			devirt_hook_unplace(probe);
		}
	}
	mutex_unlock(&hook_lock);
	return NOTIFY_OK;
}

static struct notifier_block hook_nb = {
	.notifier_call = devirt_hook_module,
	/* After kprobes' own, which makes the module's text probeable. */
	.priority = -1,
};

int devirt_hook_init(void)
{
	return register_module_notifier(&hook_nb);
}

void devirt_hook_exit(void)
{
	int id;

	unregister_module_notifier(&hook_nb);
	flush_work(&hook_tidy_work);
	mutex_lock(&hook_lock);
	for (id = 0; id < DEVIRT_HOOKS; id++)
		devirt_hook_unplace(&probes[id]);
	mutex_unlock(&hook_lock);
	/* What the probes may have seen is freed by RCU, by our code. */
	rcu_barrier();
}
