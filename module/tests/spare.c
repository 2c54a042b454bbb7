// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: no fault of fail-nth hits what some kernel functions do. The task's
 * count is put aside when it calls one, and put back when that returns. For
 * functions that the kernel itself doesn't expect to run out of memory, and
 * warns or stops when they do.
 *
 *	insmod devirt_spare.ko symbols=pci_device_add,vfio_create_group
 *
 * The fault attributes' own filter by stack takes one function only.
 *
 * With only=FUNCTION the faults hit nothing but what that one does for the task
 * that has written "nth": which of its allocations is to fail. "calls" is how often
 * it was called until then, and "left" how far the count has come down: to 0 if one
 * has failed.
 */
#define pr_fmt(fmt) "devirt_spare: " fmt

#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>

#define SPARE_MAX	8

static char *symbols[SPARE_MAX];
static int count;
module_param_array(symbols, charp, &count, 0400);
MODULE_PARM_DESC(symbols, "the functions");

static unsigned int spared;
module_param(spared, uint, 0400);
MODULE_PARM_DESC(spared, "how many of their calls came while faults were counted");

static char *only;
module_param(only, charp, 0400);
MODULE_PARM_DESC(only, "the one function that faults hit");

static unsigned int nth, left, calls;
static struct task_struct *task;

static int spare_set_nth(const char *text, const struct kernel_param *kp)
{
	int err = param_set_uint(text, kp);

	left = nth;
	calls = 0;
	/* Only ever compared. */
	WRITE_ONCE(task, err ? NULL : current);
	return err;
}

static const struct kernel_param_ops spare_nth_ops = {
	.set = spare_set_nth,
	.get = param_get_uint,
};
module_param_cb(nth, &spare_nth_ops, &nth, 0600);
MODULE_PARM_DESC(nth, "which of its allocations fails");
module_param(left, uint, 0400);
MODULE_PARM_DESC(left, "0: it has failed");
module_param(calls, uint, 0400);
MODULE_PARM_DESC(calls, "how often it was called with faults");

static struct kretprobe probes[SPARE_MAX];
static struct kretprobe *list[SPARE_MAX];
static struct kretprobe only_probe;

static int spare_enter(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	unsigned int *nth = (unsigned int *)instance->data;

	*nth = READ_ONCE(current->fail_nth);
	if (!*nth)
		return 1;
	WRITE_ONCE(current->fail_nth, 0);
	WRITE_ONCE(spared, spared + 1);
	return 0;
}
NOKPROBE_SYMBOL(spare_enter);

static int spare_leave(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	WRITE_ONCE(current->fail_nth, *(unsigned int *)instance->data);
	return 0;
}
NOKPROBE_SYMBOL(spare_leave);

static int spare_only_enter(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (READ_ONCE(task) != current || !left)
		return 1;
	calls++;
	WRITE_ONCE(current->fail_nth, left);
	return 0;
}
NOKPROBE_SYMBOL(spare_only_enter);

static int spare_only_leave(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	left = READ_ONCE(current->fail_nth);
	WRITE_ONCE(current->fail_nth, 0);
	return 0;
}
NOKPROBE_SYMBOL(spare_only_leave);

static int __init spare_init(void)
{
	int i, err;

	for (i = 0; i < count; i++) {
		probes[i].kp.symbol_name = symbols[i];
		probes[i].entry_handler = spare_enter;
		probes[i].handler = spare_leave;
		probes[i].data_size = sizeof(unsigned int);
		probes[i].maxactive = 16;
		list[i] = &probes[i];
	}
	err = register_kretprobes(list, count);
	if (err || !only)
		return err;
	only_probe.kp.symbol_name = only;
	only_probe.entry_handler = spare_only_enter;
	only_probe.handler = spare_only_leave;
	only_probe.maxactive = 16;
	err = register_kretprobe(&only_probe);
	if (err)
		unregister_kretprobes(list, count);
	return err;
}

static void __exit spare_exit(void)
{
	if (only)
		unregister_kretprobe(&only_probe);
	unregister_kretprobes(list, count);
}

module_init(spare_init);
module_exit(spare_exit);

MODULE_DESCRIPTION("Spare kernel functions from faults, for tests");
MODULE_LICENSE("GPL");
