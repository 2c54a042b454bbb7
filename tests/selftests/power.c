// SPDX-License-Identifier: GPL-2.0
/*
 * Power of leased cores, by the kernel's own quality of service: its trace tells
 * of latencies, and its cpufreq core, over a driver without hardware, of
 * frequencies.
 */
#include "lease.h"
#include "tap.h"
#include "trace.h"

#define DRIVER		"devirt_cpufreq"

static void reset(void)
{
	trace_event("power/dev_pm_qos_add_request", false);
	trace_event("power/dev_pm_qos_remove_request", false);
	command("rmmod " DRIVER);
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

static void trace(void)
{
	REQUIRE_EQ(trace_event("power/dev_pm_qos_add_request", true), 0);
	REQUIRE_EQ(trace_event("power/dev_pm_qos_remove_request", true), 0);
	trace_clear();
}

static void load_driver(void)
{
	REQUIRE_EQ(command("insmod /devirt/build/%s/" DRIVER ".ko", getenv("DEVIRT_KERNEL")), 0);
}

static long min_khz(int cpu)
{
	return file_number("/sys/devices/system/cpu/cpu%d/cpufreq/scaling_min_freq", cpu);
}

static struct devirt_record rec_power(int cpu, unsigned int latency_us, unsigned int khz)
{
	struct devirt_record rec = rec_cpu(cpu, DEVIRT_ROLE_NONE, 0);

	rec.cpu.latency_us = latency_us;
	rec.cpu.min_khz = khz;
	return rec;
}

static void refused(struct devirt_record *recs, int err, unsigned int reason, const char *detail)
{
	int part = lease_create("refused");
	unsigned int failed = 99;

	CHECK_EQ(lease_apply(part, 0, recs, 2, &failed), err);
	CHECK_EQ(failed, 1);
	CHECK_EQ(recs[1].reason, reason);
	CHECK_STR(recs[1].detail, detail);
	close(part);
}

TEST("a wake-up latency is asked of each CPU that has one, and of none after")
{
	struct devirt_record recs[] = { rec_power(4, 20, 0), rec_power(5, 0, 0),
					rec_power(2, 1, 0), rec_power(3, 0x7ffffffe, 0) };
	int part;

	trace();
	part = lease_new("latency", recs, 4);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK_EQ(trace_count("dev_pm_qos_add_request", "device=cpu4 type=DEV_PM_QOS_RESUME_LATENCY new_value=20"), 1);
	CHECK_EQ(trace_count("dev_pm_qos_add_request", "device=cpu2 type=DEV_PM_QOS_RESUME_LATENCY new_value=1"), 1);
	CHECK_EQ(trace_count("dev_pm_qos_add_request", "device=cpu3 type=DEV_PM_QOS_RESUME_LATENCY new_value=2147483646"), 1);
	CHECK_EQ(trace_count("dev_pm_qos_add_request", "device=cpu"), 3);
	CHECK_EQ(trace_count("dev_pm_qos_remove_request", "device=cpu"), 0);
	close(part);
	CHECK_EQ(trace_count("dev_pm_qos_remove_request", "device=cpu"), 3);
	CHECK_EQ(trace_count("dev_pm_qos_add_request", "device=cpu"), 3);
}

TEST("what was asked is taken back when a later resource can't be had")
{
	struct devirt_record recs[] = { rec_power(4, 20, 2000000), rec_power(5, 30, 0),
					rec_memory(2 * MIB, 1 << 20, 0) };
	int part = lease_create("late");

	load_driver();
	trace();
	CHECK(lease_apply(part, 0, recs, 3, NULL) < 0);
	CHECK_EQ(trace_count("dev_pm_qos_add_request", "device=cpu"),
		 trace_count("dev_pm_qos_remove_request", "device=cpu"));
	CHECK_EQ(min_khz(4), 1000000);
}

TEST("a frequency needs a driver, and one that can do it")
{
	struct devirt_record recs[] = { rec_power(4, 0, 0), rec_power(5, 0, 2000000) };

	refused(recs, -EOPNOTSUPP, DEVIRT_REASON_NO_CPUFREQ, "5");
	load_driver();
	recs[1] = rec_power(5, 0, 3000001);
	refused(recs, -ERANGE, DEVIRT_REASON_FREQUENCY, "1000000 3000000");
	recs[1] = rec_power(5, 0, 999999);
	refused(recs, -ERANGE, DEVIRT_REASON_FREQUENCY, "1000000 3000000");
	CHECK_EQ(min_khz(5), 1000000);
}

TEST("a CPU doesn't run slower than asked for, until it is given back")
{
	struct devirt_record recs[] = { rec_power(4, 0, 2000000), rec_power(5, 0, 3000000) };
	int part;

	load_driver();
	CHECK_EQ(min_khz(4), 1000000);
	part = lease_new("fast", recs, 2);
	REQUIRE(part >= 0, "%s", strerror(-part));
	/* The two share a policy: the stricter one counts. */
	CHECK(EVENTUALLY(min_khz(4) == 3000000), "%ld", min_khz(4));
	CHECK_EQ(min_khz(5), 3000000);
	CHECK_EQ(min_khz(3), 1000000);
	close(part);
	CHECK(EVENTUALLY(min_khz(4) == 1000000), "%ld", min_khz(4));
	/* Another's wish isn't ours to take back. */
	REQUIRE_EQ(file_write("2000000", "/sys/devices/system/cpu/cpu4/cpufreq/scaling_min_freq"), 0);
	recs[0] = rec_power(4, 0, 0);
	part = lease_new("fast", recs, 2);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK(EVENTUALLY(min_khz(4) == 3000000), "%ld", min_khz(4));
	close(part);
	CHECK(EVENTUALLY(min_khz(4) == 2000000), "%ld", min_khz(4));
}

TEST("the driver may go during a lease, and the wish is there when it comes again")
{
	struct devirt_record recs[] = { rec_power(4, 5, 2000000), rec_power(5, 0, 0) };
	int part;

	load_driver();
	part = lease_new("gone", recs, 2);
	REQUIRE(part >= 0, "%s", strerror(-part));
	CHECK(EVENTUALLY(min_khz(4) == 2000000), "%ld", min_khz(4));
	CHECK_EQ(command("rmmod " DRIVER), 0);
	load_driver();
	CHECK(EVENTUALLY(min_khz(4) == 2000000), "%ld", min_khz(4));
	/* And it may be given back while it is gone. */
	CHECK_EQ(command("rmmod " DRIVER), 0);
	close(part);
	load_driver();
	CHECK_EQ(min_khz(4), 1000000);
}
