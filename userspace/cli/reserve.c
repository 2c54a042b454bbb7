// SPDX-License-Identifier: GPL-2.0
/* devirt reserve: which functions are kept off host drivers from boot on. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/sysfs.h"
#include "cli.h"
#include "reserve.h"

#define PCI_DIR		"/sys/bus/pci/devices"
#define PARAMETERS	"/sys/module/devirt/parameters"
/* What the kernel takes as the text of a parameter. */
#define PARAMETER_MAX	1024
#define CAP_SERIAL	3	/* extended capability */

/* ----------------------------------------------------------- the functions */

static uint64_t read_serial(const char *addr)
{
	unsigned char space[4096];
	char path[PATH_MAX];
	unsigned int at = 0x100, tries;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), PCI_DIR "/%s/config", addr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = pread(fd, space, sizeof(space), 0);
	close(fd);
	if (got != sizeof(space))
		return 0;
	for (tries = 0; at >= 0x100 && at <= sizeof(space) - 12 && tries < 1024; tries++) {
		uint64_t serial = 0;

		if ((space[at] | space[at + 1] << 8) == CAP_SERIAL) {
			for (int i = 11; i >= 4; i--)
				serial = serial << 8 | space[at + i];
			return serial;
		}
		at = (space[at + 2] | space[at + 3] << 8) >> 4 & ~3U;
	}
	return 0;
}

static uint16_t read_id(const char *addr, const char *name)
{
	long long number;

	return dv_read_number(&number, PCI_DIR "/%s/%s", addr, name) ? 0 : number;
}

void reserve_facts(const struct devirt_device *device, struct devirt_facts *facts)
{
	char text[DEVIRT_ADDR_TEXT], link[64], target[PATH_MAX], *part, *rest;
	struct devirt_pci_addr addr;
	unsigned int domain, bus;
	size_t hops = 0;

	memset(facts, 0, sizeof(*facts));
	devirt_addr_format(&device->addr, text);
	facts->at.domain = device->addr.domain;
	facts->at.bus = device->addr.bus;
	facts->at.devfn = device->addr.devfn;
	facts->root.domain = device->addr.domain;
	facts->vendor = device->vendor;
	facts->device = device->device;
	facts->subvendor = read_id(text, "subsystem_vendor");
	facts->subdevice = read_id(text, "subsystem_device");
	facts->serial = read_serial(text);
	snprintf(link, sizeof(link), PCI_DIR "/%s", text);
	if (!realpath(link, target))
		return;
	/* /sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0 */
	for (part = strtok_r(target, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
		if (sscanf(part, "pci%x:%x", &domain, &bus) == 2)
			facts->root.bus = bus;
		else if (!devirt_addr_parse(part, &addr) && hops++ < DEVIRT_MATCH_HOPS)
			facts->path[hops - 1] = addr.devfn;
	}
	facts->hops = hops <= DEVIRT_MATCH_HOPS ? hops : 0;
}

char *reserve_path(const struct devirt_facts *facts)
{
	char *text = NULL;

	if (!facts->hops)
		return NULL;
	if (facts->root.domain)
		dv_append(&text, "path:%04x:%02x:", facts->root.domain, facts->root.bus);
	else
		dv_append(&text, "path:%02x:", facts->root.bus);
	for (int i = 0; i < facts->hops; i++)
		dv_append(&text, "%s%02x.%d", i ? "/" : "", facts->path[i] >> 3,
			  facts->path[i] & 7);
	return text;
}

char *reserve_serial(const struct devirt_facts *facts)
{
	char *text = NULL;

	if (!facts->serial)
		return NULL;
	dv_append(&text, "serial:");
	for (int i = 7; i >= 0; i--)
		dv_append(&text, "%02x%s", (unsigned int)(facts->serial >> 8 * i & 0xff),
			  i ? "-" : "");
	return text;
}

bool reserve_active(const struct devirt_pci_addr *addr)
{
	char text[4096], one[DEVIRT_ADDR_TEXT], *at;
	size_t length;

	devirt_addr_format(addr, one);
	length = strlen(one);
	if (dv_read(text, sizeof(text), PARAMETERS "/reserved") < 0)
		return false;
	for (at = text; (at = strstr(at, one)); at += length)
		if ((at == text || at[-1] == ' ') && (!at[length] || at[length] == ' '))
			return true;
	return false;
}

/* What the host needs it for: a file system that is mounted from it, swap, a
 * disk that is a part of another. NULL if nothing; free()
 */
static char *needed_for(const struct devirt_device *device)
{
	char *users = NULL;

	/* an interface's address is the admin's to give up */
	if (!strcmp(device->kind, "net") || !strcmp(device->kind, "wireless") ||
	    !strcmp(device->kind, "display") || device->is_vf ||
	    !strcmp(device->driver, "vfio-pci"))
		return NULL;
	return devirt_device_users(&device->addr, &users) ? NULL : users;
}

/* ---------------------------------------------------------------- the file */

static int fail_line(int line, const char *text, const char *why)
{
	struct problem problem = { .error = EINVAL, .file = RESERVE_CONF, .line = line };

	problem.remedy = "'devirt reserve DEVICE' prints entries that mean it";
	return fail(EXIT_USAGE, &problem, "'%s': %s", text, why);
}

static int add_entry(struct reserve *reserve, const char *text, int line)
{
	struct reserve_entry *entry = reallocarray(reserve->v, reserve->count + 1,
						   sizeof(*entry));
	const char *why;

	if (!entry)
		return fail_memory();
	reserve->v = entry;
	entry += reserve->count;
	memset(entry, 0, sizeof(*entry));
	if (devirt_match_parse(&entry->match, text, strlen(text), &why))
		return fail_line(line, text, why);
	entry->line = line;
	entry->text = strdup(text);
	if (!entry->text)
		return fail_memory();
	reserve->count++;
	return 0;
}

int reserve_load(struct reserve *reserve)
{
	static const char blanks[] = " \t\r\n";
	struct problem problem = { .file = RESERVE_CONF };
	char *text = NULL;
	size_t space = 0;
	int line = 0, status = 0;
	FILE *file;

	memset(reserve, 0, sizeof(*reserve));
	file = fopen(RESERVE_CONF, "re");
	if (!file && errno == ENOENT)
		return 0;
	if (!file) {
		problem.error = errno;
		return fail(EXIT_USAGE, &problem, "%s", strerror(errno));
	}
	while (!status && getline(&text, &space, file) >= 0) {
		char *at = text + strspn(text, blanks), *end;

		line++;
		at[strcspn(at, "#")] = '\0';
		for (end = at + strlen(at); end > at && strchr(blanks, end[-1]); end--)
			end[-1] = '\0';
		if (*at)
			status = add_entry(reserve, at, line);
	}
	if (!status && ferror(file)) {
		problem.error = errno;
		status = fail(EXIT_USAGE, &problem, "%s", strerror(errno));
	}
	free(text);
	fclose(file);
	if (status)
		reserve_free(reserve);
	return status;
}

void reserve_free(struct reserve *reserve)
{
	for (size_t i = 0; i < reserve->count; i++)
		free(reserve->v[i].text);
	free(reserve->v);
	memset(reserve, 0, sizeof(*reserve));
}

char *reserve_parameter(const struct reserve *reserve)
{
	char *text = NULL;

	for (size_t i = 0; i < reserve->count; i++)
		if (!reserve->v[i].refused)
			dv_append(&text, "%s%s", text ? "," : "", reserve->v[i].text);
	return text;
}

/* --------------------------------------------------------------- the check */

struct view {
	struct reserve reserve;
	struct devirt_device *devices;
	struct devirt_facts *facts;
	size_t count;
	bool refused;
};

static int look(struct view *view)
{
	int ret = devirt_device_list(&view->devices, &view->count);

	if (ret)
		return fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			    "the PCI functions can't be listed: %s", strerror(-ret));
	view->facts = calloc(view->count + 1, sizeof(*view->facts));
	if (!view->facts)
		return fail_memory();
	for (size_t i = 0; i < view->count; i++)
		reserve_facts(&view->devices[i], &view->facts[i]);
	return 0;
}

static bool meant(const struct view *view, const struct reserve_entry *entry, size_t i)
{
	return view->devices[i].is_endpoint && !view->devices[i].is_vf &&
	       devirt_match_fits(&entry->match, &view->facts[i]);
}

/* Entries that would take a disk from the host are refused, each with a word. */
static void refuse_needed(struct view *view, struct json_object *errors)
{
	char addr[DEVIRT_ADDR_TEXT];

	for (size_t i = 0; i < view->reserve.count; i++) {
		struct reserve_entry *entry = &view->reserve.v[i];

		for (size_t k = 0; k < view->count && !entry->refused; k++) {
			char *users, *text = NULL;

			if (!meant(view, entry, k))
				continue;
			users = needed_for(&view->devices[k]);
			if (!users)
				continue;
			entry->refused = true;
			view->refused = true;
			dv_append(&text, RESERVE_CONF ":%d: '%s' isn't reserved: the host needs %s: %s",
				  entry->line, entry->text,
				  devirt_addr_format(&view->devices[k].addr, addr), users);
			if (errors)
				json_object_array_add(errors, json_text(text));
			else
				warn("%s; unmount it, or take the line out", text ? text : users);
			free(text);
			free(users);
		}
	}
}

static char *state_of(const struct view *view, const struct reserve_entry *entry, size_t i)
{
	const struct devirt_device *device = &view->devices[i];
	char *users = NULL, *text = NULL;

	if (reserve_active(&device->addr))
		return strdup("reserved");
	if (entry->refused) {
		users = needed_for(device);
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

		for (size_t k = 0; k < view->count; k++) {
			char *state;

			if (!meant(view, entry, k))
				continue;
			state = state_of(view, entry, k);
			line = table_line(table);
			table_cell(line, 0, "%s", found ? "" : entry->text);
			table_cell(line, 1, "%s", devirt_addr_format(&view->devices[k].addr, addr));
			table_cell(line, 2, "%s", view->devices[k].driver[0] ?
				   view->devices[k].driver : "-");
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
		for (size_t k = 0; k < view->count; k++) {
			const struct devirt_device *device = &view->devices[k];
			struct json_object *function;

			if (!meant(view, entry, k))
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

/* --------------------------------------------------- the module's parameters */

/* What must stay the host's, however it is called at the next boot: "path:..."
 * and "serial:..." of each function that a disk in use hangs on.
 */
static char *keep_parameter(const struct view *view)
{
	char *text = NULL;

	for (size_t i = 0; i < view->count; i++) {
		char *users, *path, *serial;

		if (!view->devices[i].is_endpoint)
			continue;
		users = needed_for(&view->devices[i]);
		if (!users)
			continue;
		path = reserve_path(&view->facts[i]);
		serial = reserve_serial(&view->facts[i]);
		if (path)
			dv_append(&text, "%s%s", text ? "," : "", path);
		if (serial)
			dv_append(&text, "%s%s.%x", text ? "," : "", serial,
				  view->devices[i].addr.devfn & 7);
		free(serial);
		free(path);
		free(users);
	}
	return text;
}

static int write_option(const struct view *view, FILE *file)
{
	char *wanted = reserve_parameter(&view->reserve), *keep = keep_parameter(view);
	int status = 0;

	if ((wanted && strlen(wanted) > PARAMETER_MAX) || (keep && strlen(keep) > PARAMETER_MAX))
		status = fail(EXIT_USAGE, &(struct problem){ .error = E2BIG, .file = RESERVE_CONF,
			      .remedy = "ids and serial numbers are shorter than paths, and an id means all of a sort" },
			      "the kernel takes no parameter of more than %d bytes", PARAMETER_MAX);
	else if (fprintf(file, "# made of " RESERVE_CONF " by 'devirt reserve': don't edit\n") < 0 ||
		 (wanted && fprintf(file, "options devirt reserve=%s%s%s\n", wanted,
				    keep ? " keep=" : "", keep ? keep : "") < 0))
		status = fail(EXIT_REFUSED, &(struct problem){ .error = errno }, "writing: %s",
			      strerror(errno));
	free(wanted);
	free(keep);
	return status;
}

static int write_file(const struct view *view)
{
	static const char fresh[] = RESERVE_OUTPUT ".new";
	struct problem problem = { .file = RESERVE_OUTPUT };
	int status;
	FILE *file;

	mkdir("/etc/modprobe.d", 0755);
	file = fopen(fresh, "we");
	if (!file) {
		problem.error = errno;
		return fail(EXIT_REFUSED, &problem, "%s", strerror(errno));
	}
	status = write_option(view, file);
	if (fclose(file) && !status) {
		problem.error = errno;
		status = fail(EXIT_REFUSED, &problem, "%s", strerror(errno));
	}
	if (!status && rename(fresh, RESERVE_OUTPUT)) {
		problem.error = errno;
		status = fail(EXIT_REFUSED, &problem, "%s", strerror(errno));
	}
	if (status) {
		unlink(fresh);
		return status;
	}
	if (!opt.json && !opt.quiet)
		printf("Written: " RESERVE_OUTPUT ".\n"
		       "Make the initramfs anew (update-initramfs -u), and boot.\n");
	return 0;
}

/* ----------------------------------------------------- names of one function */

static int fail_device(const char *text)
{
	struct problem problem = { .error = ENODEV,
				   .remedy = "'devirt devices' lists what there is" };

	return fail(EXIT_REFUSED, &problem,
		    "'%s' is neither a PCI function's address nor a network interface", text);
}

static int print_names(const struct view *view, const char *text)
{
	struct devirt_pci_addr addr;
	size_t at, same = 0;
	char *path, *serial, address[DEVIRT_ADDR_TEXT];
	const struct devirt_facts *facts;

	if (devirt_addr_parse(text, &addr) && devirt_device_by_netif(text, &addr))
		return fail_device(text);
	for (at = 0; at < view->count; at++)
		if (devirt_addr_equal(&view->devices[at].addr, &addr))
			break;
	if (at == view->count)
		return fail_device(text);
	facts = &view->facts[at];
	for (size_t i = 0; i < view->count; i++)
		same += view->facts[i].vendor == facts->vendor &&
			view->facts[i].device == facts->device;
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
	int status;

	if (argc > 1)
		return fail_usage("one function at a time");
	if (argc && (opt.write || opt.modprobe || opt.json))
		return fail_usage("with a function there are no options");
	status = look(&view);
	if (!status && argc) {
		status = print_names(&view, argv[0]);
		goto out;
	}
	if (!status)
		status = reserve_load(&view.reserve);
	if (status)
		goto out;
	if (opt.json)
		errors = json_object_new_array();
	refuse_needed(&view, errors);
	if (opt.modprobe)
		status = write_option(&view, stdout);
	else if (opt.write)
		status = write_file(&view);
	else if (!opt.json && !view.reserve.count)
		printf("Nothing is to be reserved: " RESERVE_CONF " has no entries.\n");
	else if (!opt.json)
		print_view(&view);
	if (opt.json && !opt.modprobe)
		print_view_json(&view, errors);
	if (!status && view.refused)
		status = EXIT_REFUSED;
out:
	reserve_free(&view.reserve);
	free(view.devices);
	free(view.facts);
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
