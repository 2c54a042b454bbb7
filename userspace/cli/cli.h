/* SPDX-License-Identifier: GPL-2.0 */
/* What all commands share. */
#ifndef DEVIRT_CLI_H
#define DEVIRT_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "libdevirt.h"

#ifndef DEVIRT_VERSION
#define DEVIRT_VERSION	"unknown"
#endif

#define DEVIRT_CONF_DIR	"/etc/devirt"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* Exit statuses; devirt(8) documents them. */
#define EXIT_OK		0
#define EXIT_REFUSED	1	/* the kernel or the host said no */
#define EXIT_USAGE	2	/* bad command line or partition file */
#define EXIT_NO_MODULE	3	/* the module isn't loaded, or isn't ours to use */
#define EXIT_RUN	125	/* run: devirt itself failed, the VMM wasn't started */
#define EXIT_NO_EXEC	126	/* run: the VMM can't be executed */
#define EXIT_NOT_FOUND	127	/* run: the VMM isn't there */

/**
 * struct command - one entry of the command table
 * @name: as typed
 * @args: synopsis after the name
 * @help: one line
 * @options: long options, "--name" or "--name=", closed with NULL; used for
 *	the usage text, for shell completion and to refuse those it hasn't
 * @run: returns an exit status
 */
struct command {
	const char *name;
	const char *args;
	const char *help;
	const char *const *options;
	int (*run)(int argc, char **argv);
};

extern const struct command command_check, command_devices, command_plan, command_run,
	command_create, command_show, command_release, command_args, command_stat,
	command_events, command_cpus, command_reserve, command_vfs;

/**
 * struct options - those that more than one command knows
 * @json: print JSON
 * @quiet: run: don't tell what was leased
 * @follow: events: wait for more
 * @past: events: also those before
 * @watch: stat: seconds between two tables; 0: one is enough
 * @conf: vfs: what the file says
 * @all: devices: also VFs and bridges; show: also what is free
 * @one_line: args: all on one line
 * @modprobe: reserve: print the module's options
 * @write: reserve: write them
 * @arrive: create, vfs: wait for what isn't there yet
 * @topology: plan, args, cpus: an hwloc file instead of this machine
 * @max_wait: run, release: seconds to wait for a draining VMM
 */
struct options {
	bool json;
	bool quiet;
	bool follow;
	bool past;
	double watch;
	bool all;
	bool conf;
	bool one_line;
	bool modprobe;
	bool write;
	bool arrive;
	const char *topology;
	int max_wait;
};

extern struct options opt;
/* The command that is running, for errors; NULL before it is known. */
extern const struct command *current;

/* Parses the options of @command; what is left is argv[optind...]. With
 * @stop_early the first argument that is no option ends them.
 * Returns 0, or the exit status to end with.
 */
int parse_options(const struct command *command, int argc, char **argv);
void print_command_usage(FILE *file, const struct command *command);

/* ----------------------------------------------------------------- errors */

struct json_object;

/**
 * struct problem - all that can be known of an error; start with zero
 * @error: errno, or 0
 * @reason: DEVIRT_REASON_*, or 0
 * @record: index of the refused record plus one, 0 for none
 * @file: partition file it is in
 * @line: and the line; 0 for none
 * @remedy: what to do about it
 */
struct problem {
	int error;
	uint32_t reason;
	uint32_t record;
	const char *file;
	int line;
	const char *remedy;
};

/* Tells the user, on stderr, or as JSON where that was asked for. Returns
 * @status, so that it can be returned.
 */
int fail(int status, const struct problem *problem, const char *format, ...) PRINTF_LIKE(3, 4);
int fail_usage(const char *format, ...) PRINTF_LIKE(1, 2);
int fail_memory(void);
/* From here on errors that would be printed as JSON are added to that array, for who
 * prints several as one document; NULL: no longer.
 */
void fail_collect(struct json_object *errors);
/* Not an error, but worth telling; on stderr. */
void warn(const char *format, ...) PRINTF_LIKE(1, 2);

/* ----------------------------------------------------------------- module */

/* Opens /dev/devirt. Returns a descriptor, or -1 with *status set, told. */
int need_module(int *status);
/* The same, but without a word: -errno. */
int try_module(void);
/* What was refused, and why, in words. Returns the exit status. */
int fail_apply(int device, int error, const struct devirt_record *records, uint32_t count,
	       uint32_t failed);
int fail_open(int error, const char *name);

/* --------------------------------------------------------------- printing */

struct libscols_table;
struct libscols_line;

/* A table that fits the terminal, or 80 columns. The heading's last character
 * says how: '>' aligned right, '~' may be wrapped.
 */
struct libscols_table *table_new(const char *const headings[]);
struct libscols_line *table_line(struct libscols_table *table);
void table_cell(struct libscols_line *line, size_t column, const char *format, ...)
	PRINTF_LIKE(3, 4);
void table_print(struct libscols_table *table, FILE *file);
void table_color(struct libscols_line *line, size_t column, const char *color);
/* How wide and high the terminal is that @file is; 80 (or $COLUMNS) wide and 0
 * high where it is none.
 */
size_t output_width(FILE *file);
size_t output_height(FILE *file);
bool colors_wanted(FILE *file);
/* A copy without what would steer a terminal; free() */
char *plain_text(const char *text);

/* Prints on stdout, for people as well as programs, and frees it. */
int json_print(struct json_object *object);
/* The same on one line, at once, for a program that reads them as they come. */
int json_print_line(struct json_object *object);
/* null for NULL. What isn't UTF-8 becomes '?': tasks' names are any bytes. */
struct json_object *json_text(const char *text);
struct json_object *json_addr(const struct devirt_pci_addr *addr);
struct json_object *json_record(const struct devirt_record *record, const char *section,
				bool held);

/* "2G", "2M", "512K": the largest unit that divides it; free() */
char *size_text(uint64_t bytes);
/* "2,3,6-7" of a sorted array; free() */
char *list_text(const unsigned int *numbers, size_t count);
/* "node 1", or "any node" */
const char *node_text(int node, char text[24]);
/* What a record is, for a table: "cpu", "2M pages", ...; free() */
char *record_resource(const struct devirt_record *record);
char *record_choice(const struct devirt_record *record);
/* What is asked for beside the default: "interrupts on CPU 3", "wakes in 20us, at
 * least 2.4GHz"; free(). NULL where there is nothing.
 */
char *record_wishes(const struct devirt_record *record);
/* ------------------------------------------------------- settings of a VF */

/* qos= was given, until setting_conflict() has seen it: a part of the VLAN's setting
 * has no bit of its own in the module.
 */
#define SETTING_QOS	(1U << 31)
/* The bits of each kind of card. */
#define SETTING_NET	(0xffU | SETTING_QOS)
#define SETTING_NVME	0xff00U
#define SETTING_GPU	0xff0000U

/* Takes KEY=TEXT of a [vf] section. Returns 1; 0 where the text is no value, with
 * *wanted set to what is; or -1 for another key.
 */
int setting_take(struct devirt_vf_settings *settings, const char *key, const char *text,
		 const char **wanted);
/* What is wrong with them together; or NULL, and they are as the module takes them. */
const char *setting_conflict(struct devirt_vf_settings *settings);
/* "vlan 42, trusted"; free(). NULL where nothing is set. */
char *setting_text(const struct devirt_vf_settings *settings);
struct json_object *setting_json(const struct devirt_vf_settings *settings);

/* The same of NVMe controllers and graphics cards, for setting.c. */
int setting_card_take(struct devirt_vf_settings *settings, const char *key, const char *text,
		      const char **wanted);
const char *setting_card_conflict(uint32_t set);
void setting_card_text(FILE *file, const struct devirt_vf_settings *settings);
void setting_card_json(struct json_object *object, const struct devirt_vf_settings *settings);
/* vgpu-type=: false: it isn't a number but a name. */
bool setting_card_type(struct devirt_vf_settings *settings, const char *text);

/* "2.4GHz", "800MHz" */
const char *frequency_text(unsigned long khz, char text[32]);

#endif
