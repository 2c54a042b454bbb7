// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot: prints the host's state, as lines KEY = VALUE, sorted.
 * snapshot diff A B: prints how two of them differ. Exits with 0 if they don't,
 * 1 if they do, 2 if one of them isn't a snapshot.
 */
#include <string.h>

#include "host.h"

static bool load(struct host *host, const char *path)
{
	FILE *file = fopen(path, "r");
	bool good;

	if (!file) {
		perror(path);
		return false;
	}
	good = host_read(host, file);
	fclose(file);
	if (!good)
		fprintf(stderr, "%s: not a snapshot\n", path);
	return good;
}

int main(int argc, char **argv)
{
	struct host a, b;

	if (argc == 1) {
		host_take(&a, true);
		host_write(&a, stdout);
		return fflush(stdout) ? 2 : 0;
	}
	if (argc != 4 || strcmp(argv[1], "diff")) {
		fprintf(stderr, "usage: snapshot [diff A B]\n");
		return 2;
	}
	if (!load(&a, argv[2]) || !load(&b, argv[3]))
		return 2;
	return host_diff(&a, &b, stdout, "") ? 1 : 0;
}
