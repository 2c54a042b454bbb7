// SPDX-License-Identifier: GPL-2.0
/* devirt reserve: which functions are kept off host drivers from boot on. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/sysfs.h"
#include "cli.h"
#include "reserve.h"

struct view {
	struct reserve reserve;
	struct reserve_host host;
};

/* --------------------------------------------------------------- the check */

/* A word for each entry that is refused. */
static void tell_refused(const struct view *view, struct json_object *errors)
{
	for (size_t i = 0; i < view->reserve.count; i++) {
		const struct reserve_entry *entry = &view->reserve.v[i];
		char *text = NULL;

		if (!entry->refused)
			continue;
		dv_append(&text, RESERVE_CONF ":%d: '%s' isn't reserved: %s", entry->line,
			  entry->text, entry->why ? entry->why : "the host needs it");
		if (errors)
			json_object_array_add(errors, json_text(text));
		else
			warn("%s; unmount it, or take the line out", text ? text : entry->text);
		free(text);
	}
}

static char *state_of(const struct view *view, const struct reserve_entry *entry, size_t i)
{
	const struct devirt_device *device = &view->host.devices[i];
	char *users = NULL, *text = NULL;

	if (reserve_active(&device->addr))
		return strdup("reserved");
	if (entry->refused) {
		users = reserve_needed(device);
		dv_append(&text, "refused%s%s", users ? ": " : "", users ? users : "");
	} else {
		devirt_device_users(&device->addr, &users);
		dv_append(&text, "the host's until the next boot%s%s",
			  users ? "; " : "", users ? users : "");
	}
	free(users);
	return text;
}

static void print_view(const struct view *view)
{
	static const char *const headings[] = { "ENTRY", "FUNCTION", "DRIVER", "STATE~", NULL };
	struct libscols_table *table = table_new(headings);
	struct libscols_line *line;
	char addr[DEVIRT_ADDR_TEXT];

	for (size_t i = 0; i < view->reserve.count; i++) {
		const struct reserve_entry *entry = &view->reserve.v[i];
		bool found = false;

		for (size_t k = 0; k < view->host.count; k++) {
			const struct devirt_device *device = &view->host.devices[k];
			char *state;

			if (!reserve_means(entry, &view->host, k))
				continue;
			state = state_of(view, entry, k);
			line = table_line(table);
			table_cell(line, 0, "%s", found ? "" : entry->text);
			table_cell(line, 1, "%s", devirt_addr_format(&device->addr, addr));
			table_cell(line, 2, "%s", device->driver[0] ? device->driver : "-");
			table_cell(line, 3, "%s", state ? state : "");
			if (entry->refused)
				table_color(line, 3, "red");
			free(state);
			found = true;
		}
		if (found)
			continue;
		line = table_line(table);
		table_cell(line, 0, "%s", entry->text);
		table_cell(line, 1, "-");
		table_cell(line, 2, "-");
		table_cell(line, 3, "no such function is there");
	}
	table_print(table, stdout);
}

static void print_view_json(const struct view *view, struct json_object *errors)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < view->reserve.count; i++) {
		const struct reserve_entry *entry = &view->reserve.v[i];
		struct json_object *one = json_object_new_object();
		struct json_object *functions = json_object_new_array();

		json_object_object_add(one, "entry", json_text(entry->text));
		json_object_object_add(one, "line", json_object_new_int(entry->line));
		json_object_object_add(one, "refused", json_object_new_boolean(entry->refused));
		for (size_t k = 0; k < view->host.count; k++) {
			const struct devirt_device *device = &view->host.devices[k];
			struct json_object *function;

			if (!reserve_means(entry, &view->host, k))
				continue;
			function = json_object_new_object();
			json_object_object_add(function, "address", json_addr(&device->addr));
			json_object_object_add(function, "driver",
					       json_text(device->driver[0] ? device->driver : NULL));
			json_object_object_add(function, "reserved",
					       json_object_new_boolean(reserve_active(&device->addr)));
			json_object_array_add(functions, function);
		}
		json_object_object_add(one, "functions", functions);
		json_object_array_add(array, one);
	}
	json_object_object_add(object, "entries", array);
	json_object_object_add(object, "refused", errors);
	json_print(object);
}

/* ----------------------------------------------------- names of one function */

static int fail_device(const char *text)
{
	struct problem problem = { .error = ENODEV,
				   .remedy = "'devirt devices' lists what there is" };

	return fail(EXIT_REFUSED, &problem,
		    "'%s' is neither a PCI function's address nor a network interface", text);
}

/* Entries never mean these. */
static int fail_kind(const struct devirt_device *device)
{
	struct problem problem = { .error = EINVAL };
	char addr[DEVIRT_ADDR_TEXT];

	problem.remedy = device->is_vf ?
		"reserve its PF, or lease it by a [vf NAME] section" :
		"reserve the functions behind it; 'devirt devices' lists them";
	return fail(EXIT_REFUSED, &problem, "%s is a %s, which can't be reserved",
		    devirt_addr_format(&device->addr, addr), device->is_vf ? "VF" : "bridge");
}

static int print_names(const struct view *view, const char *text)
{
	struct reserve_entry sort = { .match.what = DEVIRT_MATCH_ID };
	struct devirt_pci_addr addr;
	size_t at, same = 0;
	char *path, *serial, address[DEVIRT_ADDR_TEXT];
	const struct devirt_facts *facts;

	if (devirt_addr_parse(text, &addr) && devirt_device_by_netif(text, &addr))
		return fail_device(text);
	for (at = 0; at < view->host.count; at++)
		if (devirt_addr_equal(&view->host.devices[at].addr, &addr))
			break;
	if (at == view->host.count)
		return fail_device(text);
	if (view->host.devices[at].is_vf || !view->host.devices[at].is_endpoint)
		return fail_kind(&view->host.devices[at]);
	facts = &view->host.facts[at];
	sort.match.facts = *facts;
	for (size_t i = 0; i < view->host.count; i++)
		same += reserve_means(&sort, &view->host, i);
	path = reserve_path(facts);
	serial = reserve_serial(facts);
	if (path)
		printf("%s+%04x:%04x  # this slot, while such a card is in it\n", path,
		       facts->vendor, facts->device);
	if (serial)
		printf("%s.%x+%04x:%04x  # this card, in whatever slot\n", serial,
		       addr.devfn & 7, facts->vendor, facts->device);
	printf("%04x:%04x  # all of this sort: %zu now\n", facts->vendor, facts->device, same);
	printf("%s  # what is at this address, which may be another at the next boot\n",
	       devirt_addr_format(&addr, address));
	free(serial);
	free(path);
	return 0;
}

static int reserve_command(int argc, char **argv)
{
	struct json_object *errors = NULL;
	struct view view = { 0 };
	size_t refused;
	int status, ret;

	if (argc > 1)
		return fail_usage("one function at a time");
	if (argc && (opt.write || opt.modprobe || opt.json))
		return fail_usage("with a function there are no options");
	if (opt.modprobe && opt.json)
		return fail_usage("--modprobe prints lines for modprobe.d, which aren't JSON");
	ret = reserve_host_read(&view.host);
	if (ret)
		return fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			    "the PCI functions can't be listed: %s", strerror(-ret));
	if (argc) {
		status = print_names(&view, argv[0]);
		goto out;
	}
	status = reserve_load(&view.reserve);
	if (status)
		goto out;
	if (opt.json)
		errors = json_object_new_array();
	refused = reserve_refuse(&view.reserve, &view.host);
	tell_refused(&view, errors);
	if (opt.modprobe)
		status = reserve_write_option(&view.reserve, &view.host, stdout);
	else if (opt.write)
		status = reserve_write(&view.reserve, &view.host);
	else if (!opt.json && !view.reserve.count)
		printf("Nothing is to be reserved: " RESERVE_CONF " has no entries.\n");
	else if (!opt.json)
		print_view(&view);
	if (opt.json && !status)
		print_view_json(&view, errors);
	else
		json_object_put(errors);
	if (!status && refused)
		status = EXIT_REFUSED;
out:
	reserve_free(&view.reserve);
	reserve_host_free(&view.host);
	return status;
}

static const char *const options[] = { "--json", "--modprobe", "--quiet", "--write", NULL };

const struct command command_reserve = {
	.name = "reserve",
	.args = "[DEVICE]",
	.help = "Check what is kept off host drivers at boot",
	.options = options,
	.run = reserve_command,
};
