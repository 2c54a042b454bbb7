// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: kernel threads of all kinds, which do a little again and again.
 *
 *	insmod devirt_kthreads.ko bound=4 self=4
 *
 * "dvt-free" may run anywhere, "dvt-self" puts itself on a CPU, "dvt-bound" is
 * bound to one before it starts, and "dvt-new" is made, but never started till
 * the module goes. With go=0 dvt-self waits for go to be written, and "gone" says
 * that it has put itself there.
 */
#define pr_fmt(fmt) "devirt_kthreads: " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

static unsigned int bound = 1;
module_param(bound, uint, 0400);
MODULE_PARM_DESC(bound, "CPU of dvt-bound");

static unsigned int self = 1;
module_param(self, uint, 0400);
MODULE_PARM_DESC(self, "CPU on which dvt-self puts itself");

static unsigned int go = 1;
module_param(go, uint, 0600);
MODULE_PARM_DESC(go, "not before this is 1");

static unsigned int gone;
module_param(gone, uint, 0400);
MODULE_PARM_DESC(gone, "it has done so");

enum { FREE, SELF, BOUND, NEW, KTHREADS };

static const char *const names[] = { "dvt-free", "dvt-self", "dvt-bound", "dvt-new" };
static struct task_struct *kthreads[KTHREADS];

static int kthreads_run(void *data)
{
	if ((long)data == SELF) {
		while (!READ_ONCE(go) && !kthread_should_stop())
			msleep_interruptible(5);
		set_cpus_allowed_ptr(current, cpumask_of(self));
		WRITE_ONCE(gone, 1);
	}
	while (!kthread_should_stop())
		msleep_interruptible(5);
	return 0;
}

static void kthreads_exit(void)
{
	int i;

	for (i = 0; i < KTHREADS; i++) {
		if (kthreads[i])
			kthread_stop(kthreads[i]);
	}
}

static int __init kthreads_init(void)
{
	struct task_struct *task;
	long i;

	for (i = 0; i < KTHREADS; i++) {
		task = kthread_create(kthreads_run, (void *)i, "%s", names[i]);
		if (IS_ERR(task)) {
			kthreads_exit();
			return PTR_ERR(task);
		}
		kthreads[i] = task;
		if (i == BOUND)
			kthread_bind(task, bound);
		if (i != NEW)
			wake_up_process(task);
	}
	return 0;
}

module_init(kthreads_init);
module_exit(kthreads_exit);

MODULE_DESCRIPTION("Kernel threads of all kinds, for tests");
MODULE_LICENSE("GPL");
