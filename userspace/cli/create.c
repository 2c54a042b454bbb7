// SPDX-License-Identifier: GPL-2.0
/* devirt create, devirt release: partitions that outlive the tool. */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "arrival.h"
#include "cli.h"
#include "lease.h"

/* A service that is stopped must not leave a lease behind. */
static void hold_signals(int how)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(how, &signals, NULL);
}

static bool signal_came(void)
{
	sigset_t signals;

	return !sigpending(&signals) &&
	       (sigismember(&signals, SIGTERM) || sigismember(&signals, SIGINT));
}

/* The first function that isn't there. */
static char *look(void *data, bool *soon)
{
	const struct config *config = data;
	char *what = NULL;

	for (size_t i = 0; i < config->device_count && !what; i++)
		what = arrival_missing(&config->devices[i], soon);
	return what;
}

static int wait_for_functions(struct config *config)
{
	char who[DEVIRT_NAME_MAX + 16];

	snprintf(who, sizeof(who), "partition '%s'", config->name);
	return arrival_wait(who, look, config);
}

static int create(int argc, char **argv)
{
	int device, partition, status;
	struct config *config;
	struct plan plan;

	if (argc != 1)
		return fail_usage("%s", argc ? "one partition at a time" : "which partition?");
	status = config_load(&config, argv[0]);
	if (status)
		return status;
	device = need_module(&status);
	if (device < 0)
		goto out_config;
	status = lease_check_name(device, config->name);
	if (!status && opt.arrive)
		status = wait_for_functions(config);
	if (!status)
		status = plan_make(&plan, config, device);
	if (status)
		goto out_device;
	hold_signals(SIG_BLOCK);
	partition = lease_take(&plan, device, DEVIRT_APPLY_PERSIST, &status);
	if (partition >= 0 && signal_came())
		devirt_release_partition(partition);
	hold_signals(SIG_UNBLOCK);
	if (partition < 0)
		goto out_plan;
	close(partition);
	if (opt.arrive)
		arrival_notify("READY=1\nSTATUS=leased");
	if (opt.json)
		json_print(lease_json(&plan, true));
	else
		lease_print(&plan, stdout);
out_plan:
	plan_free(&plan);
out_device:
	close(device);
out_config:
	config_free(config);
	return status;
}

/* Who holds a partition that isn't persistent, and so how to end it. */
static int fail_held(int device, const char *name)
{
	struct problem problem = { .error = EBUSY };
	struct devirt_get get = { 0 };
	char *owner = NULL;
	int fd, status;

	fd = devirt_open_partition(device, name, DEVIRT_OPEN_OBSERVE);
	if (fd >= 0) {
		devirt_get_partition(fd, &get, NULL);
		close(fd);
	}
	owner = get.owner ? devirt_process_name(get.owner) : NULL;
	problem.remedy = "end that process, and all of it is given back";
	status = fail(EXIT_REFUSED, &problem, "partition '%s' is held by %s for as long as that runs",
		      name, owner ? owner : "a process");
	free(owner);
	return status;
}

static int release(int argc, char **argv)
{
	char name[DEVIRT_NAME_MAX], *path;
	int device, partition, status;
	struct json_object *object;

	if (argc != 1)
		return fail_usage("%s", argc ? "one partition at a time" : "which partition?");
	status = config_name(argv[0], &path, name);
	free(path);
	if (status)
		return status;
	device = need_module(&status);
	if (device < 0)
		return status;
	partition = devirt_open_partition(device, name, 0);
	if (partition < 0) {
		status = partition == -EBUSY ? fail_held(device, name) :
					       fail_open(partition, name);
		close(device);
		return status;
	}
	status = lease_give_back(partition, name);
	if (!status && opt.json) {
		object = json_object_new_object();
		json_object_object_add(object, "name", json_text(name));
		json_object_object_add(object, "released", json_object_new_boolean(true));
		json_print(object);
	}
	close(partition);
	close(device);
	return status;
}

static const char *const create_options[] = { "--arrive", "--json", "--wait=", NULL };
static const char *const release_options[] = { "--json", "--wait=", NULL };

const struct command command_create = {
	.name = "create",
	.args = "NAME",
	.help = "Lease until it is released",
	.options = create_options,
	.run = create,
};

const struct command command_release = {
	.name = "release",
	.args = "NAME",
	.help = "Give back what 'create' leased",
	.options = release_options,
	.run = release,
};
