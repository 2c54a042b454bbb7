// SPDX-License-Identifier: GPL-2.0
/* devirt run: the lease lives as long as the VMM. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "lease.h"
#include "vmm.h"

#define ALL	"@devirt@"
#define ONE	"@devirt."

/* ----------------------------------------------------------- placeholders */

/* Finds the next "@devirt.KEY@". Returns where it begins, or NULL. */
static const char *find_key(const char *text, char key[40], const char **end)
{
	const char *at, *close;

	for (at = text; (at = strstr(at, ONE)); at++) {
		close = strchr(at + strlen(ONE), '@');
		if (!close || close == at + strlen(ONE) || close - at - strlen(ONE) >= 40)
			continue;
		memcpy(key, at + strlen(ONE), close - at - strlen(ONE));
		key[close - at - strlen(ONE)] = '\0';
		*end = close + 1;
		return at;
	}
	return NULL;
}

static const char **plan_sections(const struct plan *plan)
{
	const char **sections = calloc(plan->records.count + 1, sizeof(*sections));

	for (uint32_t i = 0; sections && i < plan->records.count; i++)
		sections[i] = plan->items[i].section;
	return sections;
}

static int add_expanded(struct words *words, const char *argument, const struct plan *plan,
			const char *const *sections)
{
	char *text = NULL, *value, key[40];
	const char *at, *end;
	size_t size;
	FILE *file;
	int ret;

	file = open_memstream(&text, &size);
	if (!file)
		return fail_memory();
	while ((at = find_key(argument, key, &end))) {
		value = qemu_value(&plan->records, sections, key);
		if (!value) {
			fclose(file);
			free(text);
			return fail_usage("%s%s@: '%s' has no [device %s] or [vf %s]; cpus and memory stand for these sections",
					  ONE, key, plan->config->path, key, key);
		}
		fprintf(file, "%.*s%s", (int)(at - argument), argument, value);
		free(value);
		argument = end;
	}
	fprintf(file, "%s", argument);
	fclose(file);
	ret = words_add(words, "%s", text);
	free(text);
	return ret ? fail_memory() : 0;
}

/* The VMM's words with all placeholders replaced. Before the lease (@held
 * false) only to find those that stand for nothing.
 */
static int expand(struct words *words, char **argv, const struct plan *plan, bool held)
{
	const char **sections = plan_sections(plan);
	int status = 0;

	if (!sections)
		return fail_memory();
	for (; *argv && !status; argv++) {
		if (strcmp(*argv, ALL))
			status = add_expanded(words, *argv, plan, sections);
		else if (held)
			status = qemu_options(words, &plan->records, sections, plan->topology);
	}
	free(sections);
	return status;
}

/* ------------------------------------------------------------------- run */

static int fail_exec(int status, int error, const char *program)
{
	struct problem problem = { .error = error };

	if (status == EXIT_NOT_FOUND)
		problem.remedy = "install it, or give its path";
	fail(status, &problem, "%s: %s", program, strerror(error));
	return status;
}

static bool has_vcpus(const struct devirt_records *records)
{
	for (uint32_t i = 0; i < records->count; i++)
		if (records->v[i].kind == DEVIRT_KIND_CPU &&
		    records->v[i].cpu.role == DEVIRT_ROLE_VCPU)
			return true;
	return false;
}

static int attach(int partition, struct vmm *vmm, const struct plan *plan)
{
	struct problem problem = { 0 };
	int ret;

	ret = devirt_attach_process(partition, vmm->pidfd);
	if (ret >= 0)
		return 0;
	/* without vCPUs there is nothing to pin */
	if (ret == -EOPNOTSUPP && !has_vcpus(&plan->records))
		return 0;
	problem.error = -ret;
	if (ret == -EOPNOTSUPP) {
		problem.remedy = "use one with CONFIG_KPROBES, or leave [cpus] out";
		return fail(EXIT_RUN, &problem,
			    "this kernel can't place probes, so that no vCPU could be pinned");
	}
	return fail(EXIT_RUN, &problem, "the VMM can't be attached to partition '%s': %s",
		    plan->config->name, strerror(-ret));
}

static void tell(const struct plan *plan)
{
	struct json_object *object;

	if (opt.quiet)
		return;
	if (!opt.json) {
		fprintf(stderr, "Partition '%s' is leased:\n", plan->config->name);
		lease_print(plan, stderr);
		return;
	}
	object = lease_json(plan, true);
	fprintf(stderr, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static int run_vmm(int partition, const struct plan *plan, char **argv)
{
	struct words words = { 0 };
	struct vmm vmm;
	int status, ret;

	status = expand(&words, argv, plan, true);
	if (status)
		goto out;
	ret = vmm_fork(&vmm, words.v);
	if (ret) {
		status = fail(EXIT_RUN, &(struct problem){ .error = -ret },
			      "no process for the VMM: %s", strerror(-ret));
		goto out;
	}
	status = attach(partition, &vmm, plan);
	if (status)
		goto out_close;
	ret = vmm_start(&vmm);
	if (ret)
		status = fail_exec(ret == -ENOENT ? EXIT_NOT_FOUND : EXIT_NO_EXEC, -ret, argv[0]);
	else
		status = vmm_wait(&vmm);
out_close:
	vmm_close(&vmm);
out:
	words_free(&words);
	return status;
}

static int run(int argc, char **argv)
{
	struct words words = { 0 };
	struct config *config;
	struct plan plan;
	int device, partition, status, error;
	const char *name;

	if (!argc)
		return fail_usage("which partition, and which VMM?");
	name = argv[0];
	/* options may stand behind the name too, as no VMM begins with a dash;
	 * this takes the "--" as well
	 */
	status = parse_options(&command_run, argc, argv);
	if (status)
		return status < 0 ? EXIT_OK : status;
	argv += optind;
	if (!*argv)
		return fail_usage("which VMM shall run in partition '%s'?", name);
	status = config_load(&config, name);
	if (status)
		return status;
	status = vmm_find(argv[0]);
	if (status) {
		error = errno;
		status = fail_exec(status, error, argv[0]);
		goto out_config;
	}
	device = need_module(&status);
	if (device < 0)
		goto out_config;
	status = lease_check_name(device, config->name);
	if (!status)
		status = plan_make(&plan, config, device);
	if (status)
		goto out_device;
	status = expand(&words, argv, &plan, false);
	if (status)
		goto out_plan;
	partition = lease_take(&plan, device, 0, &status);
	if (partition < 0)
		goto out_plan;
	tell(&plan);
	status = run_vmm(partition, &plan, argv);
	/* what can't be given back in time is told; the status is the VMM's */
	lease_give_back(partition, config->name);
	close(partition);
out_plan:
	words_free(&words);
	plan_free(&plan);
out_device:
	close(device);
out_config:
	config_free(config);
	return status;
}

static const char *const options[] = { "--json", "--quiet", "--wait=", NULL };

const struct command command_run = {
	.name = "run",
	.args = "NAME [--] VMM [ARG...]",
	.help = "Lease for as long as a VMM runs",
	.options = options,
	.run = run,
};
