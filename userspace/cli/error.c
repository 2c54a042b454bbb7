// SPDX-License-Identifier: GPL-2.0
/* Telling what went wrong: for people on stderr, for programs as JSON. */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"

/* Where errors are collected, or NULL. */
static struct json_object *collected;

void fail_collect(struct json_object *errors)
{
	collected = errors;
}

static void print_json(int status, const struct problem *problem, const char *message)
{
	struct json_object *error = json_object_new_object(), *object;
	/* stdout is the VMM's in a run */
	FILE *file = current == &command_run ? stderr : stdout;

	json_object_object_add(error, "command", json_text(current ? current->name : NULL));
	json_object_object_add(error, "status", json_object_new_int(status));
	json_object_object_add(error, "message", json_text(message));
	if (problem->error) {
		json_object_object_add(error, "errno", json_object_new_int(problem->error));
		json_object_object_add(error, "error",
				       json_text(strerrorname_np(problem->error)));
	}
	if (problem->reason)
		json_object_object_add(error, "reason",
				       json_text(devirt_reason_name(problem->reason)));
	if (problem->record)
		json_object_object_add(error, "record",
				       json_object_new_int64(problem->record - 1));
	if (problem->file)
		json_object_object_add(error, "file", json_text(problem->file));
	if (problem->line)
		json_object_object_add(error, "line", json_object_new_int(problem->line));
	if (problem->remedy)
		json_object_object_add(error, "remedy", json_text(problem->remedy));
	if (collected) {
		json_object_array_add(collected, error);
		return;
	}
	object = json_object_new_object();
	json_object_object_add(object, "error", error);
	fprintf(file, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

int fail(int status, const struct problem *problem, const char *format, ...)
{
	static const struct problem none;
	char *message = NULL;
	va_list args;
	int ret;

	if (!problem)
		problem = &none;
	/* programs that start a VMM tell devirt's failure from the VMM's */
	if (current == &command_run && status < EXIT_RUN)
		status = EXIT_RUN;
	va_start(args, format);
	ret = vasprintf(&message, format, args);
	va_end(args);
	if (ret < 0)
		message = NULL;
	fflush(stdout);
	if (opt.json) {
		print_json(status, problem, message ? message : "out of memory");
	} else {
		fprintf(stderr, "devirt: ");
		if (problem->file && problem->line)
			fprintf(stderr, "%s:%d: ", problem->file, problem->line);
		else if (problem->file)
			fprintf(stderr, "%s: ", problem->file);
		fprintf(stderr, "%s%s%s\n", message ? message : "out of memory",
			problem->remedy ? "; " : "", problem->remedy ? problem->remedy : "");
	}
	free(message);
	return status;
}

int fail_usage(const char *format, ...)
{
	struct problem problem = { .error = EINVAL };
	char *message = NULL, *remedy = NULL;
	va_list args;
	int ret;

	va_start(args, format);
	ret = vasprintf(&message, format, args);
	va_end(args);
	if (ret < 0)
		return fail_memory();
	if (asprintf(&remedy, "see 'devirt %s%s--help'", current ? current->name : "",
		     current ? " " : "") < 0)
		remedy = NULL;
	problem.remedy = remedy;
	ret = fail(EXIT_USAGE, &problem, "%s", message);
	free(message);
	free(remedy);
	return ret;
}

int fail_memory(void)
{
	return fail(EXIT_REFUSED, &(struct problem){ .error = ENOMEM }, "out of memory");
}

void warn(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "devirt: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
}

/* ----------------------------------------------------------------- module */

static int fail_device(int error)
{
	struct problem problem = { .error = -error };

	switch (-error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		problem.remedy = "load it with 'modprobe devirt'";
		return fail(EXIT_NO_MODULE, &problem,
			    "the devirt module isn't loaded (there is no " DEVIRT_DEVICE ")");
	case EACCES:
	case EPERM:
		problem.remedy = "run this as root";
		return fail(EXIT_NO_MODULE, &problem, "not permitted to use " DEVIRT_DEVICE);
	case ENOTTY:
		problem.remedy = "load the module with 'modprobe devirt'";
		return fail(EXIT_NO_MODULE, &problem, DEVIRT_DEVICE " isn't devirt's device");
	default:
		return fail(EXIT_NO_MODULE, &problem, DEVIRT_DEVICE ": %s", strerror(-error));
	}
}

int try_module(void)
{
	struct devirt_query query;
	int device, ret;

	device = devirt_open_device();
	if (device < 0)
		return device;
	ret = devirt_query_module(device, &query);
	if (ret < 0) {
		close(device);
		return ret;
	}
	return device;
}

int need_module(int *status)
{
	int device = try_module();

	if (device >= 0)
		return device;
	*status = fail_device(device);
	return -1;
}

int fail_open(int error, const char *name)
{
	struct problem problem = { .error = -error };

	switch (-error) {
	case ENOENT:
		problem.remedy = "'devirt show' lists those that do";
		return fail(EXIT_REFUSED, &problem, "no partition named '%s' exists", name);
	case EINVAL:
		problem.remedy = "1 to 63 letters, digits, '_', '-' and '.', not first a '-' or '.'";
		return fail(EXIT_USAGE, &problem, "'%s' isn't a partition's name", name);
	case EPERM:
		problem.remedy = "run this as root";
		return fail(EXIT_NO_MODULE, &problem, "partition '%s': not permitted", name);
	default:
		return fail(EXIT_REFUSED, &problem, "partition '%s': %s", name, strerror(-error));
	}
}

int fail_apply(int device, int error, const struct devirt_record *records, uint32_t count,
	       uint32_t failed)
{
	struct problem problem = { .error = -error };
	char *message = NULL, *remedy = NULL;
	int status;

	if (failed >= count || !records[failed].reason)
		return fail(EXIT_REFUSED, &problem, "the module refused it as a whole: %s",
			    strerror(-error));
	problem.reason = records[failed].reason;
	problem.record = failed + 1;
	if (devirt_explain_record(device, &records[failed], &message, &remedy))
		status = fail_memory();
	else {
		problem.remedy = remedy;
		status = fail(EXIT_REFUSED, &problem, "%s", message);
	}
	free(message);
	free(remedy);
	return status;
}
