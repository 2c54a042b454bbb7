// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: make calls of a kernel function fail. They return @value at once
 * and do nothing. So a test can see what becomes of a device whose reset fails,
 * or of a driver that refuses, which no emulated device does by itself.
 *
 *	insmod devirt_fail_call.ko symbol=pci_reset_function value=-5
 *
 * The kernel has this as well (CONFIG_FUNCTION_ERROR_INJECTION), but not for
 * these functions and not in distributions' kernels.
 */
#define pr_fmt(fmt) "devirt_fail_call: " fmt

#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <asm/ibt.h>
#include <asm/linkage.h>

static char *symbol = "";
module_param(symbol, charp, 0400);
MODULE_PARM_DESC(symbol, "the function");

static int value = -EIO;
module_param(value, int, 0400);
MODULE_PARM_DESC(value, "what it returns");

static unsigned int count;
module_param(count, uint, 0400);
MODULE_PARM_DESC(count, "how many calls have failed");

/* Where the function goes on instead of its first instruction: it returns. */
asm(".pushsection .text\n"
	".type devirt_fail_call_return, @function\n"
	"devirt_fail_call_return:\n"
	ASM_ENDBR
	ASM_RET
	".size devirt_fail_call_return, .-devirt_fail_call_return\n"
	".popsection\n");

static int fail_call(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long back;

	asm("lea devirt_fail_call_return(%%rip), %0" : "=r" (back));
	regs_set_return_value(regs, value);
	instruction_pointer_set(regs, back);
	WRITE_ONCE(count, count + 1);
	return 1;
}
NOKPROBE_SYMBOL(fail_call);

static struct kprobe probe = {
	.pre_handler = fail_call,
};

static int __init fail_call_init(void)
{
	probe.symbol_name = symbol;
	return register_kprobe(&probe);
}

static void __exit fail_call_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(fail_call_init);
module_exit(fail_call_exit);

MODULE_DESCRIPTION("Make calls of a kernel function fail, for tests");
MODULE_LICENSE("GPL");
