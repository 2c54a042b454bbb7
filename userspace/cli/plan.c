// SPDX-License-Identifier: GPL-2.0
/* devirt plan: what would be leased, and why. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "lease.h"

/* Asks the module without changing anything. The partition's own name may be in
 * use, by the partition that is running, so this takes one of its own. Returns
 * 0, or the exit status after it has told.
 */
static int dry_run(const struct plan *plan, int device)
{
	struct devirt_records records = plan->records;
	char name[DEVIRT_NAME_MAX];
	uint32_t failed;
	int fd, ret, status = 0;

	snprintf(name, sizeof(name), "devirt-plan-%d", (int)getpid());
	fd = devirt_create_partition(device, name);
	if (fd < 0)
		return fail_open(fd, name);
	/* on a copy: outputs would make a plan look leased */
	records.v = calloc(records.count, sizeof(*records.v));
	if (!records.v) {
		close(fd);
		return fail_memory();
	}
	memcpy(records.v, plan->records.v, records.count * sizeof(*records.v));
	ret = devirt_apply_records(fd, DEVIRT_APPLY_DRY_RUN, records.v, records.count, &failed);
	if (ret < 0)
		status = fail_apply(device, ret, records.v, records.count, failed);
	free(records.v);
	close(fd);
	return status;
}

/* Without the module: what can be seen from here. */
static void note_users(struct plan *plan)
{
	char text[DEVIRT_ADDR_TEXT], *users;

	for (uint32_t i = 0; i < plan->records.count; i++) {
		const struct devirt_record *record = &plan->records.v[i];

		if (record->kind != DEVIRT_KIND_PCI ||
		    devirt_device_users(&record->pci.addr, &users))
			continue;
		if (users)
			plan_note(plan, "%s is in use and would be refused: %s",
				  devirt_addr_format(&record->pci.addr, text), users);
		free(users);
	}
}

static int plan_command(int argc, char **argv)
{
	struct json_object *object;
	const char *verdict = NULL;
	struct config *config;
	struct plan plan;
	int device, status;

	if (argc != 1)
		return fail_usage("%s", argc ? "one partition at a time" : "which partition?");
	status = config_load(&config, argv[0]);
	if (status)
		return status;
	device = try_module();
	status = plan_make(&plan, config, device);
	if (status)
		goto out;
	if (!devirt_topology_is_host(plan.topology)) {
		verdict = "not checked: it is for another machine";
	} else if (device < 0) {
		note_users(&plan);
		verdict = device == -EACCES || device == -EPERM ?
			  "not checked: that takes root" :
			  "not checked: the devirt module isn't loaded (modprobe devirt)";
	}
	/* the choice is of use also where the module then refuses it */
	if (!opt.json)
		lease_print(&plan, stdout);
	if (!verdict) {
		status = dry_run(&plan, device);
		if (status)
			goto out_plan;
		verdict = "the module would take it as it is";
	}
	if (opt.json) {
		object = lease_json(&plan, false);
		json_object_object_add(object, "checked", json_object_new_boolean(
				       strncmp(verdict, "not", 3) != 0));
		json_object_object_add(object, "verdict", json_text(verdict));
		status = json_print(object);
	} else {
		printf("%c%s.\n", verdict[0] - 'a' + 'A', verdict + 1);
	}
out_plan:
	plan_free(&plan);
out:
	if (device >= 0)
		close(device);
	config_free(config);
	return status;
}

static const char *const options[] = { "--json", "--topology=", NULL };

const struct command command_plan = {
	.name = "plan",
	.args = "NAME",
	.help = "Show what would be leased, and why",
	.options = options,
	.run = plan_command,
};
