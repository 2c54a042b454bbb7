// SPDX-License-Identifier: GPL-2.0
/* devirt vfs: a PF's pool of VFs: who has made it, who has which; and its size. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "arrival.h"
#include "cli.h"
#include "held.h"
#include "value.h"

#define VFS_CONF	DEVIRT_CONF_DIR "/vfs.conf"

/* An address, or the name of a network interface. Tells what is wrong. */
static int find_pf(const char *text, struct problem *problem, struct devirt_pci_addr *addr)
{
	int ret;

	if (!devirt_addr_parse(text, addr))
		return 0;
	ret = devirt_device_by_netif(text, addr);
	if (!ret)
		return 0;
	problem->error = -ret;
	problem->remedy = "'devirt devices' lists those that can have VFs";
	return fail(EXIT_REFUSED, problem,
		    "%s: neither a PCI address like 0000:01:00.0 nor a network interface of one",
		    text);
}

/* What the module has against it, in the words of a refused record. */
static int fail_pool(int device, int error, const struct devirt_pool_size *pool,
		     struct problem *problem)
{
	struct devirt_record record = { .kind = DEVIRT_KIND_VF };
	char *message = NULL, *remedy = NULL;
	int status;

	problem->error = -error;
	if (!pool->reason) {
		if (error == -ENOTTY)
			problem->remedy = "use a module of the same release as this tool";
		return fail(EXIT_REFUSED, problem, "the pool can't be sized: %s",
			    strerror(-error));
	}
	record.vf.pf = pool->pf;
	record.vf.index = DEVIRT_VF_ANY;
	/* whose they are says what is wrong with them */
	if (pool->origin != DEVIRT_POOL_NONE && pool->origin != DEVIRT_POOL_HOST)
		record.vf.flags = DEVIRT_VF_POOL_MADE;
	record.reason = pool->reason;
	record.error = pool->error;
	memcpy(record.detail, pool->detail, sizeof(record.detail));
	devirt_explain_record(device, &record, &message, &remedy);
	problem->reason = pool->reason;
	problem->remedy = remedy;
	status = fail(EXIT_REFUSED, problem, "%s", message ? message : strerror(-error));
	free(message);
	free(remedy);
	return status;
}

/* ------------------------------------------------------------------- to show */

static const char *origin_text(uint32_t origin)
{
	switch (origin) {
	case DEVIRT_POOL_NONE:
		return "there are none now";
	case DEVIRT_POOL_HOST:
		return "made by the host";
	case DEVIRT_POOL_LEASES:
		return "made for the first lease, they go with the last";
	case DEVIRT_POOL_AHEAD:
		return "made ahead by devirt";
	}
	return "made by whom isn't known";
}

static const char *origin_name(uint32_t origin)
{
	static const char *const names[] = { "none", "host", "leases", "ahead" };

	return origin < ARRAY_SIZE(names) ? names[origin] : "unknown";
}

/* Its lease, or NULL; *partition is set to whose. */
static const struct devirt_record *lease_of(const struct held *held,
					    const struct devirt_pci_addr *pf,
					    unsigned int index, const char **partition)
{
	for (size_t i = 0; i < held->count; i++) {
		const struct devirt_records *records = &held->v[i].records;

		for (uint32_t k = 0; k < records->count; k++) {
			const struct devirt_record *record = &records->v[k];

			if (record->kind != DEVIRT_KIND_VF ||
			    record->state == DEVIRT_STATE_RELEASED ||
			    record->vf.index != index || !devirt_addr_equal(&record->vf.pf, pf))
				continue;
			*partition = held->v[i].get.name;
			return record;
		}
	}
	*partition = NULL;
	return NULL;
}

static void print_table(const struct devirt_device *pf, const struct devirt_pool_size *pool,
			const struct held *held)
{
	static const char *const headings[] = { "VF>", "ADDRESS", "DRIVER", "LEASED TO", "STATE",
						"SETTINGS~", NULL };
	char addr[DEVIRT_ADDR_TEXT];
	struct libscols_table *table;

	printf("%s%s%s%s: %u of %u VFs; %s\n", devirt_addr_format(&pf->addr, addr),
	       pf->names[0] ? " (" : "", pf->names, pf->names[0] ? ")" : "", pool->count,
	       pf->vfs_total, origin_text(pool->origin));
	if (!pool->count)
		return;
	table = table_new(headings);
	for (unsigned int i = 0; i < pool->count; i++) {
		const struct devirt_record *record;
		struct libscols_line *line;
		struct devirt_device vf;
		const char *partition;
		char *settings;

		if (devirt_device_vf(&pf->addr, i, &vf.addr) ||
		    devirt_device_read(&vf.addr, &vf))
			continue;
		record = lease_of(held, &pf->addr, i, &partition);
		settings = record ? setting_text(&record->vf.settings) : NULL;
		line = table_line(table);
		table_cell(line, 0, "%u", i);
		table_cell(line, 1, "%s", devirt_addr_format(&vf.addr, addr));
		table_cell(line, 2, "%s", vf.driver[0] ? vf.driver : "-");
		table_cell(line, 3, "%s", partition ? partition : "-");
		table_cell(line, 4, "%s", record ? devirt_state_name(record->state) : "free");
		table_cell(line, 5, "%s", settings ? settings : "-");
		free(settings);
	}
	table_print(table, stdout);
}

static void print_json(const struct devirt_device *pf, const struct devirt_pool_size *pool,
		       const struct held *held)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	json_object_object_add(object, "pf", json_addr(&pf->addr));
	json_object_object_add(object, "names", json_text(pf->names));
	json_object_object_add(object, "vfs_total", json_object_new_int(pf->vfs_total));
	json_object_object_add(object, "vfs", json_object_new_int(pool->count));
	json_object_object_add(object, "made_by", json_text(origin_name(pool->origin)));
	for (unsigned int i = 0; i < pool->count; i++) {
		struct json_object *one = json_object_new_object();
		const struct devirt_record *record;
		struct devirt_device vf;
		const char *partition;

		record = lease_of(held, &pf->addr, i, &partition);
		json_object_object_add(one, "index", json_object_new_int(i));
		if (!devirt_device_vf(&pf->addr, i, &vf.addr) &&
		    !devirt_device_read(&vf.addr, &vf)) {
			json_object_object_add(one, "address", json_addr(&vf.addr));
			json_object_object_add(one, "driver",
					       json_text(vf.driver[0] ? vf.driver : NULL));
		}
		json_object_object_add(one, "partition", json_text(partition));
		json_object_object_add(one, "state", json_text(record ?
				       devirt_state_name(record->state) : "free"));
		json_object_object_add(one, "settings", record ?
				       setting_json(&record->vf.settings) : NULL);
		json_object_array_add(array, one);
	}
	json_object_object_add(object, "list", array);
	json_print(object);
}

static int show_pool(int device, const struct devirt_pci_addr *addr)
{
	struct devirt_pool_size pool;
	struct devirt_device pf;
	struct problem problem = { 0 };
	struct held held;
	int ret;

	ret = devirt_look_pool(device, addr, &pool);
	if (ret < 0)
		return fail_pool(device, ret, &pool, &problem);
	ret = devirt_device_read(addr, &pf);
	if (!ret)
		ret = held_read(&held, device);
	if (ret < 0)
		return fail(EXIT_REFUSED, &(struct problem){ .error = -ret },
			    "the VFs can't be listed: %s", strerror(-ret));
	if (opt.json)
		print_json(&pf, &pool, &held);
	else
		print_table(&pf, &pool, &held);
	held_free(&held);
	return EXIT_OK;
}

/* ------------------------------------------------------------------- to size */

static int size_pool(int device, const char *text, unsigned int count,
		     struct devirt_pool_size *pool, struct problem *problem)
{
	struct devirt_pci_addr addr;
	int ret;

	ret = find_pf(text, problem, &addr);
	if (ret)
		return ret;
	ret = devirt_size_pool(device, &addr, count, pool);
	return ret < 0 ? fail_pool(device, ret, pool, problem) : EXIT_OK;
}

/* A line of the file: how many VFs a PF shall have. */
struct wanted {
	char pf[64];
	unsigned int count;
	int line;
	bool done;
};

struct all {
	int device;
	int status;
	size_t count;
	struct wanted *list;
	struct json_object *pools;	/* those that are as wanted, or NULL */
};

/* What is refused doesn't keep the rest from being made. */
static void failed(struct all *all, int status)
{
	if (!all->status)
		all->status = status;
}

/* Returns 0, or the exit status if there is nothing to be made of it at all. */
static int read_conf(struct all *all)
{
	char *text = NULL, number[16], more[2];
	struct wanted one = { 0 }, *list;
	size_t space = 0;
	FILE *file;
	int ret;

	file = fopen(VFS_CONF, "re");
	if (!file && errno == ENOENT)
		return 0;
	if (!file)
		return fail(EXIT_USAGE, &(struct problem){ .error = errno }, "%s: %s", VFS_CONF,
			    strerror(errno));
	while (getline(&text, &space, file) > 0) {
		one.line++;
		text[strcspn(text, "#\n")] = '\0';
		ret = sscanf(text, " %63s %15s %1s", one.pf, number, more);
		if (ret <= 0)
			continue;
		if (ret != 2 || !value_number(number, 0, 65535, &one.count)) {
			failed(all, fail(EXIT_USAGE,
					 &(struct problem){ .file = VFS_CONF, .line = one.line },
					 "a PF and how many VFs it shall have are wanted, such as 'eth2 4'"));
			continue;
		}
		list = realloc(all->list, (all->count + 1) * sizeof(*list));
		if (!list) {
			failed(all, fail(EXIT_REFUSED, &(struct problem){ .error = ENOMEM },
					 "%s: out of memory", VFS_CONF));
			break;
		}
		all->list = list;
		list[all->count++] = one;
	}
	/* a folder can be opened */
	if (ferror(file))
		failed(all, fail(EXIT_USAGE, &(struct problem){ .error = errno }, "%s: %s",
				 VFS_CONF, strerror(errno)));
	free(text);
	fclose(file);
	return 0;
}

static void size_one(struct all *all, struct wanted *one)
{
	struct problem problem = { .file = VFS_CONF, .line = one->line };
	struct devirt_pool_size pool;
	struct json_object *object;
	int status;

	status = size_pool(all->device, one->pf, one->count, &pool, &problem);
	if (status)
		failed(all, status);
	one->done = true;
	if (status || !all->pools)
		return;
	object = json_object_new_object();
	json_object_object_add(object, "line", json_object_new_int(one->line));
	json_object_object_add(object, "pf", json_addr(&pool.pf));
	json_object_object_add(object, "vfs", json_object_new_int(pool.count));
	json_object_object_add(object, "made_by", json_text(origin_name(pool.origin)));
	json_object_array_add(all->pools, object);
}

/* Makes those whose PF is there. What is missing of another: rather of one that
 * won't be there soon.
 */
static char *look(void *data, bool *soon)
{
	struct all *all = data;
	char *missing = NULL;

	*soon = true;
	for (size_t i = 0; i < all->count; i++) {
		struct config_device pf = { .is_vf = true };
		struct wanted *one = &all->list[i];
		bool comes;
		char *what;

		if (one->done)
			continue;
		if (devirt_addr_parse(one->pf, &pf.addr))
			pf.netif = one->pf;
		what = arrival_missing(&pf, &comes);
		if (!what) {
			size_one(all, one);
		} else if (!missing || (*soon && !comes)) {
			free(missing);
			missing = what;
			*soon = comes;
		} else {
			free(what);
		}
	}
	return missing;
}

/* All that the file says. */
static int size_all(int device)
{
	struct json_object *errors = NULL, *object;
	struct all all = { .device = device };
	int status;

	/* one document, however many lines are wrong */
	if (opt.json) {
		errors = json_object_new_array();
		all.pools = json_object_new_array();
		fail_collect(errors);
	}
	status = read_conf(&all);
	if (!status && opt.arrive) {
		status = arrival_wait(VFS_CONF, look, &all);
		if (!status && !all.status)
			arrival_notify("READY=1\nSTATUS=made");
	}
	for (size_t i = 0; !status && !opt.arrive && i < all.count; i++)
		size_one(&all, &all.list[i]);
	free(all.list);
	if (opt.json) {
		fail_collect(NULL);
		object = json_object_new_object();
		json_object_object_add(object, "pools", all.pools);
		json_object_object_add(object, "errors", errors);
		json_print(object);
	}
	return status ? status : all.status;
}

static int vfs(int argc, char **argv)
{
	struct problem problem = { 0 };
	struct devirt_pool_size pool;
	struct devirt_pci_addr addr;
	unsigned int count;
	int device, status;

	if (opt.conf && argc)
		return fail_usage("--conf has it all from " VFS_CONF);
	if (opt.arrive && !opt.conf)
		return fail_usage("--arrive is about what " VFS_CONF " says: with --conf");
	if (!opt.conf && (argc < 1 || argc > 2))
		return fail_usage("%s", argc ? "a PF and a number, no more" : "which PF?");
	if (argc == 2 && !value_number(argv[1], 0, 65535, &count))
		return fail_usage("%s: how many VFs? 0 to 65535", argv[1]);
	device = need_module(&status);
	if (device < 0)
		return status;
	if (opt.conf)
		status = size_all(device);
	else if (argc == 2)
		status = size_pool(device, argv[0], count, &pool, &problem);
	else
		status = 0;
	if (!status && argc && (argc == 1 || opt.json))
		status = find_pf(argv[0], &problem, &addr);
	if (!status && argc && (argc == 1 || opt.json))
		status = show_pool(device, &addr);
	close(device);
	return status;
}

static const char *const options[] = { "--json", "--conf", "--arrive", "--wait=", NULL };

const struct command command_vfs = {
	.name = "vfs",
	.args = "PF [COUNT]",
	.help = "Show a PF's VFs, or make so many ahead",
	.options = options,
	.run = vfs,
};
