// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: a cpufreq driver, which emulated machines don't have. The CPUs run
 * at 1 to 3 GHz, as far as it tells; two share a policy, as two threads of a core
 * may. What limits there are is up to the kernel's own cpufreq core.
 */
#include <linux/cpufreq.h>
#include <linux/module.h>
#include <linux/topology.h>

static struct cpufreq_frequency_table table[] = {
	{ .frequency = 1000000 },
	{ .frequency = 2000000 },
	{ .frequency = 3000000 },
	{ .frequency = CPUFREQ_TABLE_END },
};

static int test_init(struct cpufreq_policy *policy)
{
	cpumask_copy(policy->cpus, topology_sibling_cpumask(policy->cpu));
	policy->freq_table = table;
	policy->cpuinfo.transition_latency = 1000;
	policy->cur = table[0].frequency;
	return 0;
}

static int test_target(struct cpufreq_policy *policy, unsigned int index)
{
	return 0;
}

static struct cpufreq_driver driver = {
	.name = "devirt_test",
	.init = test_init,
	.verify = cpufreq_generic_frequency_table_verify,
	.target_index = test_target,
};

static int __init test_module_init(void)
{
	return cpufreq_register_driver(&driver);
}

static void __exit test_module_exit(void)
{
	cpufreq_unregister_driver(&driver);
}

module_init(test_module_init);
module_exit(test_module_exit);

MODULE_DESCRIPTION("A cpufreq driver without hardware, for tests");
MODULE_LICENSE("GPL");
