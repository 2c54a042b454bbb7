// SPDX-License-Identifier: GPL-2.0
/* devirt: the command table, options and usage. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"

struct options opt = { .max_wait = 30 };
const struct command *current;

static const struct command *const commands[] = {
	&command_check, &command_devices, &command_plan, &command_run, &command_create,
	&command_show, &command_release, &command_args, &command_stat, &command_events,
	&command_cpus, &command_reserve, &command_vfs,
};

/* -------------------------------------------------------------- the usage */

static void print_usage(FILE *file)
{
	fprintf(file, "Usage: devirt COMMAND [OPTION...] [ARGUMENT...]\n"
		"Lease host hardware to a virtual machine.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(file, "  %-8s %-22s %s\n", commands[i]->name, commands[i]->args,
			commands[i]->help);
	fprintf(file, "\n"
		"NAME is a partition, described in " DEVIRT_CONF_DIR "/NAME.conf; with a '/' it\n"
		"is the path of such a file. 'devirt COMMAND --help' lists a command's options.\n"
		"\n  --help      this text\n  --version   version of the tool and of the module\n\n"
		"Exit status: 0 done, 1 refused, 2 bad usage or partition file, 3 no module;\n"
		"'run' ends with the VMM's, or 125 to 127. See devirt(8), devirt.conf(5).\n");
}

static const struct {
	const char *name;
	const char *help;
} option_help[] = {
	{ "--json", "print JSON, errors too" },
	{ "--quiet", "don't say what was leased" },
	{ "--follow", "go on with what happens, until all is released" },
	{ "--past", "begin with what has happened, as far as it is kept" },
	{ "--watch", "again every 2 seconds, or every SECONDS with --watch=SECONDS" },
	{ "--all", "list virtual functions and bridges too" },
	{ "--conf", "what /etc/devirt/vfs.conf says, for all PFs in it" },
	{ "--one-line", "print everything on one line, quoted for the shell" },
	{ "--topology=", "of another machine: hwloc XML, or synthetic:..." },
	{ "--modprobe", "print the module's options instead, for modprobe.d" },
	{ "--write", "write them to /etc/modprobe.d/devirt-reserve.conf" },
	{ "--arrive", "wait for what isn't there yet, however long" },
	{ "--wait=", "seconds to wait: for a VMM that uses a device, for an event (30)" },
};

void print_command_usage(FILE *file, const struct command *command)
{
	fprintf(file, "Usage: devirt %s%s%s%s\n%s.\n", command->name,
		command->options[0] ? " [OPTION...]" : "", command->args[0] ? " " : "",
		command->args, command->help);
	if (command->options[0])
		fprintf(file, "\n");
	for (const char *const *o = command->options; *o; o++)
		for (size_t i = 0; i < ARRAY_SIZE(option_help); i++)
			if (!strcmp(option_help[i].name, *o))
				fprintf(file, "  %-13s %s\n", *o, option_help[i].help);
	fprintf(file, "  %-13s %s\n", "--help", "this text");
}

/* One line for each command and its options: what shell completion is made
 * from, and what the tests compare with the manual.
 */
static void print_table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		printf("%s", commands[i]->name);
		for (const char *const *o = commands[i]->options; *o; o++)
			printf(" %s", *o);
		printf("\n");
	}
}

static int print_version(void)
{
	struct devirt_query query;
	int device, ret;

	printf("devirt %s, API version %d\n", DEVIRT_VERSION, DEVIRT_API_VERSION);
	device = devirt_open_device();
	if (device < 0) {
		printf("module: %s\n", device == -EACCES ? "not permitted to ask" : "not loaded");
		return EXIT_OK;
	}
	ret = devirt_query_module(device, &query);
	if (ret < 0)
		printf("module: %s\n", strerror(-ret));
	else
		printf("module: API version %u\n", query.api_version);
	close(device);
	return EXIT_OK;
}

/* ---------------------------------------------------------------- options */

static bool known_option(const struct command *command, const char *name)
{
	size_t length = strlen(name);

	for (const char *const *o = command->options; *o; o++)
		if (!strncmp(*o + 2, name, length) && strspn(*o + 2 + length, "=") ==
		    strlen(*o + 2 + length))
			return true;
	return false;
}

static int take_wait(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0 || value > 86400)
		return fail_usage("--wait=%s: a number of seconds is wanted, 0 to 86400", text);
	opt.max_wait = value;
	return 0;
}

/* "2", "0.5" */
static int take_watch(const char *text)
{
	char *end;
	double value;

	errno = 0;
	value = strtod(text, &end);
	if (errno || end == text || *end || !(value >= 0.1 && value <= 86400) ||
	    strspn(text, "0123456789.") != strlen(text))
		return fail_usage("--watch=%s: a number of seconds is wanted, 0.1 to 86400", text);
	opt.watch = value;
	return 0;
}

int parse_options(const struct command *command, int argc, char **argv)
{
	enum { JSON = 256, QUIET, FOLLOW, PAST, ALL, CONF, ONE_LINE, TOPOLOGY, WAIT, WATCH,
	       MODPROBE, WRITE, ARRIVE, HELP };
	static const struct option options[] = {
		{ "json", no_argument, NULL, JSON },
		{ "quiet", no_argument, NULL, QUIET },
		{ "follow", no_argument, NULL, FOLLOW },
		{ "past", no_argument, NULL, PAST },
		{ "all", no_argument, NULL, ALL },
		{ "conf", no_argument, NULL, CONF },
		{ "one-line", no_argument, NULL, ONE_LINE },
		{ "topology", required_argument, NULL, TOPOLOGY },
		{ "wait", required_argument, NULL, WAIT },
		{ "watch", optional_argument, NULL, WATCH },
		{ "modprobe", no_argument, NULL, MODPROBE },
		{ "write", no_argument, NULL, WRITE },
		{ "arrive", no_argument, NULL, ARRIVE },
		{ "help", no_argument, NULL, HELP },
		{ 0 },
	};
	int c, index, status;

	/* so that a usage error is JSON too, wherever --json stands */
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--json"))
			opt.json = known_option(command, "json");
		if (command == &command_run && argv[i][0] != '-')
			break;
	}
	opterr = 0;
	optind = 1;
	/* "run NAME VMM --json": what comes after the name is the VMM's */
	while ((c = getopt_long(argc, argv, command == &command_run ? "+:" : ":", options,
				&index)) != -1) {
		/* a long option's number, where it is known */
		if (c == '?' && optopt >= JSON)
			return fail_usage("option '%s' takes no value", argv[optind - 1]);
		if (c == '?' && optopt)
			return fail_usage("unknown option '-%c'", optopt);
		if (c == '?')
			return fail_usage("unknown option '%s'", argv[optind - 1]);
		if (c == ':')
			return fail_usage("option '%s' wants a value", argv[optind - 1]);
		if (c == HELP) {
			print_command_usage(stdout, command);
			return -1;
		}
		if (!known_option(command, options[index].name))
			return fail_usage("'%s' has no option '--%s'", command->name,
					  options[index].name);
		switch (c) {
		case JSON:
			opt.json = true;
			break;
		case QUIET:
			opt.quiet = true;
			break;
		case FOLLOW:
			opt.follow = true;
			break;
		case PAST:
			opt.past = true;
			break;
		case ALL:
			opt.all = true;
			break;
		case CONF:
			opt.conf = true;
			break;
		case ONE_LINE:
			opt.one_line = true;
			break;
		case MODPROBE:
			opt.modprobe = true;
			break;
		case WRITE:
			opt.write = true;
			break;
		case ARRIVE:
			opt.arrive = true;
			break;
		case TOPOLOGY:
			opt.topology = optarg;
			break;
		case WATCH:
			status = take_watch(optarg ? optarg : "2");
			if (status)
				return status;
			break;
		case WAIT:
			status = take_wait(optarg);
			if (status)
				return status;
			break;
		}
	}
	return 0;
}

/* ------------------------------------------------------------ suggestions */

/* Edit distance, with two swapped letters as one edit. */
static size_t distance(const char *a, const char *b)
{
	size_t rows = strlen(a) + 1, columns = strlen(b) + 1;
	size_t d[16][16];

	if (rows > 16 || columns > 16)
		return 16;
	for (size_t i = 0; i < rows; i++) {
		for (size_t j = 0; j < columns; j++) {
			size_t best;

			if (!i || !j) {
				d[i][j] = i + j;
				continue;
			}
			best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[rows - 1][columns - 1];
}

static int unknown_command(const char *name)
{
	const struct command *best = NULL;
	size_t least = 3;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		size_t edits = distance(name, commands[i]->name);

		if (edits < least) {
			least = edits;
			best = commands[i];
		}
	}
	if (best)
		return fail_usage("unknown command '%s'; did you mean '%s'?", name, best->name);
	return fail_usage("unknown command '%s'", name);
}

static int dispatch(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	int status;

	if (!name) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_usage(stdout);
		return EXIT_OK;
	}
	if (!strcmp(name, "--version"))
		return print_version();
	if (!strcmp(name, "--command-table")) {
		print_table();
		return EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands) && !current; i++)
		if (!strcmp(name, commands[i]->name))
			current = commands[i];
	if (!current) {
		for (int i = 1; i < argc; i++)
			opt.json |= !strcmp(argv[i], "--json");
		if (name[0] == '-')
			return fail_usage("unknown option '%s'", name);
		return unknown_command(name);
	}
	status = parse_options(current, argc - 1, argv + 1);
	if (status)
		return status < 0 ? EXIT_OK : status;
	return current->run(argc - 1 - optind, argv + 1 + optind);
}

int main(int argc, char **argv)
{
	int status;

	/* lines of the tool and of a VMM that share it must not mix */
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	status = dispatch(argc, argv);

	/* a full disk must not look like success */
	if (fflush(stdout) || ferror(stdout)) {
		warn("writing the output: %s", strerror(errno));
		return status ? status : EXIT_REFUSED;
	}
	return status;
}
