// SPDX-License-Identifier: GPL-2.0-only
/*
 * Power: how fast a leased CPU wakes up, and how slowly it may run. Requests of
 * the kernel's own quality of service, beside those of others; the strictest
 * counts, and without ours the CPU is as it was.
 *
 * A frequency is asked of the CPU's cpufreq policy, which may go with its driver,
 * and come again. We don't keep it, so that it can; the request goes and comes
 * with it.
 */
#include <linux/cpu.h>
#include <linux/cpufreq.h>
#include <linux/mutex.h>
#include <linux/notifier.h>

#include "compat/compat.h"
#include "power.h"
#include "resource.h"

/* Guards the list and the requests in it. Inside cpufreq's locks and cpu.c's. */
static DEFINE_MUTEX(power_lock);
static LIST_HEAD(powers);

static int devirt_power_no_driver(struct devirt_resource *res)
{
	return devirt_refuse(res, DEVIRT_REASON_NO_CPUFREQ, -EOPNOTSUPP, "%u", res->rec.cpu.cpu);
}

/**
 * devirt_power_check - can a CPU do what its record asks for?
 * @res: of kind cpu; the CPU is there
 *
 * May sleep. Return: 0 or what devirt_refuse() made of it.
 */
int devirt_power_check(struct devirt_resource *res)
{
	struct devirt_record_cpu *rec = &res->rec.cpu;
	struct cpufreq_policy *policy;
	int err = 0;

	/* The kernel's values are signed, and the highest means no limit. */
	if (rec->latency_us >= PM_QOS_RESUME_LATENCY_NO_CONSTRAINT)
		return devirt_refuse(res, DEVIRT_REASON_INVALID, -EINVAL, "cpu.latency_us");
	if (!rec->min_khz)
		return 0;
	policy = cpufreq_cpu_get(rec->cpu);
	if (!policy)
		return devirt_power_no_driver(res);
	if (rec->min_khz < policy->cpuinfo.min_freq || rec->min_khz > policy->cpuinfo.max_freq)
		err = devirt_refuse(res, DEVIRT_REASON_FREQUENCY, -ERANGE, "%u %u",
				    policy->cpuinfo.min_freq, policy->cpuinfo.max_freq);
	cpufreq_cpu_put(policy);
	return err;
}

static int devirt_power_ask(struct devirt_power *power, struct cpufreq_policy *policy)
{
	int ret;

	lockdep_assert_held(&power_lock);
	if (freq_qos_request_active(&power->freq))
		return 0;
	ret = freq_qos_add_request(&policy->constraints, &power->freq, FREQ_QOS_MIN,
				   power->min_khz);
	return ret < 0 ? ret : 0;
}

static void devirt_power_unask(struct devirt_power *power)
{
	lockdep_assert_held(&power_lock);
	if (freq_qos_request_active(&power->freq))
		freq_qos_remove_request(&power->freq);
}

/* A policy comes or goes. */
static int devirt_power_policy(struct notifier_block *nb, unsigned long event, void *data)
{
	struct cpufreq_policy *policy = data;
	struct devirt_power *power;

	mutex_lock(&power_lock);
	list_for_each_entry(power, &powers, node) {
		if (event == CPUFREQ_REMOVE_POLICY && power->freq.qos == &policy->constraints)
			devirt_power_unask(power);
		if (event == CPUFREQ_CREATE_POLICY && power->min_khz &&
		    cpumask_test_cpu(power->cpu, policy->related_cpus) &&
		    devirt_power_ask(power, policy))
			pr_warn("devirt: CPU %u has its own minimum frequency\n", power->cpu);
	}
	mutex_unlock(&power_lock);
	return NOTIFY_OK;
}

static struct notifier_block power_nb = {
	.notifier_call = devirt_power_policy,
};

/**
 * devirt_power_acquire - ask for what a record asks for
 * @power: all zero, or released
 * @res: of kind cpu
 *
 * May sleep. Return: 0; -ENOMEM, or what devirt_refuse() made of it: nothing is
 * asked for then.
 */
int devirt_power_acquire(struct devirt_power *power, struct devirt_resource *res)
{
	struct devirt_record_cpu *rec = &res->rec.cpu;
	struct cpufreq_policy *policy;
	int ret;

	INIT_LIST_HEAD(&power->node);
	power->cpu = rec->cpu;
	power->min_khz = rec->min_khz;
	if (rec->latency_us) {
		ret = dev_pm_qos_add_request(get_cpu_device(rec->cpu), &power->latency,
					     DEV_PM_QOS_RESUME_LATENCY, rec->latency_us);
		if (ret < 0)
			return ret;
	}
	if (!rec->min_khz)
		return 0;

	mutex_lock(&power_lock);
	policy = cpufreq_cpu_get(rec->cpu);
	if (policy) {
		ret = devirt_power_ask(power, policy);
		cpufreq_cpu_put(policy);
	} else {
		/* It was there when it was checked. */
		ret = devirt_power_no_driver(res);
	}
	if (!ret)
		list_add(&power->node, &powers);
	mutex_unlock(&power_lock);
	if (ret)
		devirt_power_release(power);
	return ret;
}

/**
 * devirt_power_release - ask for nothing any more
 * @power: of devirt_power_acquire()
 *
 * May sleep. Allocates nothing.
 */
void devirt_power_release(struct devirt_power *power)
{
	mutex_lock(&power_lock);
	list_del_init(&power->node);
	devirt_power_unask(power);
	mutex_unlock(&power_lock);
	if (dev_pm_qos_request_active(&power->latency))
		dev_pm_qos_remove_request(&power->latency);
}

int devirt_power_init(void)
{
	return cpufreq_register_notifier(&power_nb, CPUFREQ_POLICY_NOTIFIER);
}

void devirt_power_exit(void)
{
	cpufreq_unregister_notifier(&power_nb, CPUFREQ_POLICY_NOTIFIER);
}
