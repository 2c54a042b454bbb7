// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel probes, in place only while somebody waits for them. One so far:
 * at the function of KVM that runs a vCPU.
 *
 * KVM is a module and may come after us, or go and come again, so the probe is
 * placed when there is both a wish for it and a KVM.
 */
#define pr_fmt(fmt) "devirt: " fmt

#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/ptrace.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "hook.h"
#include "vcpu.h"

static int devirt_hook_run_vcpu(struct kprobe *probe, struct pt_regs *regs)
{
	const struct kvm_vcpu *vcpu = (void *)regs_get_kernel_argument(regs, 0);

	devirt_vcpu_entering(vcpu->vcpu_id);
	return 0;
}
NOKPROBE_SYMBOL(devirt_hook_run_vcpu);

static struct kprobe hook_probe = {
	.symbol_name = "kvm_arch_vcpu_ioctl_run",
	.pre_handler = devirt_hook_run_vcpu,
};

/* Inside vcpu.c's lock, and inside the module loader's. */
static DEFINE_MUTEX(hook_lock);
static unsigned int hook_wishes;
static bool hook_placed;
/* Is there a KVM? Placing a probe tells, and takes 40 ms; modules change it. */
static enum { HOOK_KVM_UNKNOWN, HOOK_KVM_ABSENT, HOOK_KVM_PRESENT } hook_kvm;

static int devirt_hook_place(void)
{
	int err;

	lockdep_assert_held(&hook_lock);
	if (hook_placed)
		return 0;
	/* What the last registration left there would be refused. */
	hook_probe.addr = NULL;
	hook_probe.flags = 0;
	err = register_kprobe(&hook_probe);
	if (!err)
		hook_placed = true;
	return err;
}

static void devirt_hook_unplace(void)
{
	lockdep_assert_held(&hook_lock);
	if (hook_placed)
		unregister_kprobe(&hook_probe);
	hook_placed = false;
}

/**
 * devirt_hook_arm - somebody waits for a vCPU to be run
 *
 * May sleep. Return: 0, also if there is no KVM yet; -EOPNOTSUPP if the kernel
 * can't place the probe; -ENOMEM.
 */
int devirt_hook_arm(void)
{
	int err;

	mutex_lock(&hook_lock);
	err = devirt_hook_place();
	/* No such function: KVM isn't loaded. The notifier sees it come. */
	if (err == -ENOENT)
		err = 0;
	if (err && err != -ENOMEM)
		err = -EOPNOTSUPP;
	if (!err)
		hook_wishes++;
	mutex_unlock(&hook_lock);
	return err;
}

static void devirt_hook_tidy(struct work_struct *work)
{
	mutex_lock(&hook_lock);
	if (!hook_wishes)
		devirt_hook_unplace();
	mutex_unlock(&hook_lock);
}
static DECLARE_WORK(hook_tidy_work, devirt_hook_tidy);

/**
 * devirt_hook_disarm - one devirt_hook_arm() less
 *
 * The probe goes a moment later, in a worker: taking it out waits for every CPU,
 * which the vCPU's thread that calls this shouldn't. May sleep.
 */
void devirt_hook_disarm(void)
{
	mutex_lock(&hook_lock);
	if (!--hook_wishes)
		schedule_work(&hook_tidy_work);
	mutex_unlock(&hook_lock);
}

/**
 * devirt_hook_facts - is there a KVM whose vCPUs can be pinned?
 *
 * May sleep. Return: DEVIRT_FACT_KVM or 0.
 */
u32 devirt_hook_facts(void)
{
	u32 facts = 0;

	mutex_lock(&hook_lock);
	if (hook_kvm == HOOK_KVM_UNKNOWN) {
		int err = devirt_hook_place();

		if (err != -ENOMEM)
			hook_kvm = err ? HOOK_KVM_ABSENT : HOOK_KVM_PRESENT;
		if (!hook_wishes)
			devirt_hook_unplace();
	}
	if (hook_kvm == HOOK_KVM_PRESENT)
		facts |= DEVIRT_FACT_KVM;
	mutex_unlock(&hook_lock);
	return facts;
}

static int devirt_hook_module(struct notifier_block *nb, unsigned long action, void *data)
{
	struct module *mod = data;

	/* Only KVM has the function: don't try at every other module. */
	if (strncmp(mod->name, "kvm", 3))
		return NOTIFY_DONE;
	mutex_lock(&hook_lock);
	hook_kvm = HOOK_KVM_UNKNOWN;
	if (action == MODULE_STATE_COMING && hook_wishes) {
		if (devirt_hook_place() == 0)
			pr_info("KVM is here, vCPUs are pinned from now on\n");
	} else if (action == MODULE_STATE_GOING && hook_placed) {
		/* If another of KVM's modules goes, the probe just comes again. */
		devirt_hook_unplace();
		if (hook_wishes && strcmp(mod->name, "kvm"))
			devirt_hook_place();
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
	unregister_module_notifier(&hook_nb);
	flush_work(&hook_tidy_work);
	mutex_lock(&hook_lock);
	devirt_hook_unplace();
	mutex_unlock(&hook_lock);
	/* VMMs that the probe may have seen are freed by RCU, by our code. */
	rcu_barrier();
}
