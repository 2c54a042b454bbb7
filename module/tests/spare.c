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

static struct kretprobe probes[SPARE_MAX];
static struct kretprobe *list[SPARE_MAX];

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

static int __init spare_init(void)
{
	int i;

	for (i = 0; i < count; i++) {
		probes[i].kp.symbol_name = symbols[i];
		probes[i].entry_handler = spare_enter;
		probes[i].handler = spare_leave;
		probes[i].data_size = sizeof(unsigned int);
		probes[i].maxactive = 16;
		list[i] = &probes[i];
	}
	return register_kretprobes(list, count);
}

static void __exit spare_exit(void)
{
	unregister_kretprobes(list, count);
}

module_init(spare_init);
module_exit(spare_exit);

MODULE_DESCRIPTION("Spare kernel functions from faults, for tests");
MODULE_LICENSE("GPL");
