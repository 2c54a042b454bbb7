// SPDX-License-Identifier: GPL-2.0
/*
 * Two owners never: processes that lease overlapping partitions, and a table of
 * who believes to own what, which knows nothing of the kernel's.
 */
#include <dirent.h>
#include <fcntl.h>

#include "lease.h"
#define TAP_SECONDS	400
#include "rounds.h"
#include "tap.h"

#define PROCESSES	16
#define ROUNDS		200

/* What can be owned: CPUs 1 to 5, the VFs of a pool, and two functions. */
#define THING_CPU	0
#define THING_VF	CPUS
#define THING_EDU	(THING_VF + IGB_VFS)
#define THINGS		(THING_EDU + 1)

struct table {
	int owner[THINGS];
	unsigned long taken[THINGS];
	unsigned long twice;
	unsigned long disagreed;
	unsigned long applied;
	unsigned long refused;
	unsigned long other;
	int error;
	unsigned int reason;
};

static struct table *table;

static void reset(void)
{
	if (file_number("/sys/bus/pci/devices/" IGB "/sriov_numvfs") > 0)
		file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_numvfs");
	file_write("1", "/sys/bus/pci/devices/" IGB "/sriov_drivers_autoprobe");
}

static void __attribute__((constructor)) set_up(void)
{
	tap_reset = reset;
}

static int thing_of(const struct devirt_record *rec)
{
	switch (rec->kind) {
	case DEVIRT_KIND_CPU:
		return THING_CPU + rec->cpu.cpu;
	case DEVIRT_KIND_VF:
		return THING_VF + rec->vf.index;
	case DEVIRT_KIND_PCI:
		return THING_EDU;
	default:
		return -1;
	}
}

static unsigned int describe(unsigned long long *state, struct devirt_record *recs)
{
	unsigned int count = 0, i, some;

	switch (prng(state) % 8) {
	case 0:
		some = 1 + prng(state) % 3;
		for (i = 0; i < some; i++) {
			recs[count] = rec_cpu(1 + prng(state) % 5, DEVIRT_ROLE_NONE, 0);
			recs[count++].flags = DEVIRT_RECORD_SHARE_CORE;
		}
		break;
	case 1:
		recs[count++] = rec_pci(EDU);
		break;
	case 2:
		break;
	default:
		some = 1 + prng(state) % 3;
		for (i = 0; i < some; i++)
			recs[count++] = rec_vf(IGB, prng(state) % 2 ? DEVIRT_VF_ANY :
					       prng(state) % IGB_VFS, 0);
	}
	if (prng(state) % 8 == 0 || !count)
		recs[count++] = rec_memory(2 * MIB, 1 + prng(state) % 3, 0);
	return count;
}

static bool expected(const struct devirt_record *rec)
{
	switch (rec->reason) {
	case DEVIRT_REASON_OWNED:
	case DEVIRT_REASON_DUPLICATE:
	case DEVIRT_REASON_POOL_SMALL:
	case DEVIRT_REASON_LAST_CPU:
		return true;
	default:
		return false;
	}
}

/*
 * Does the kernel's own record say that this and no other partition has them?
 * It holds them all the while, so a partition that shows one of them as well
 * has it too.
 */
static bool record_agrees(const char *mine, const struct devirt_record *recs, unsigned int count)
{
	char path[300], text[4096], line[64];
	bool agrees = true, found;
	struct dirent *entry;
	unsigned int i;
	ssize_t len;
	DIR *dir;
	int fd;

	dir = opendir("/sys/class/devirt");
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/devirt/%s/resources", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		len = fd < 0 ? -1 : read(fd, text + 1, sizeof(text) - 2);
		if (fd >= 0)
			close(fd);
		if (len < 0)
			continue;
		text[0] = '\n';
		text[1 + len] = '\0';
		for (i = 0; i < count; i++) {
			switch (recs[i].kind) {
			case DEVIRT_KIND_CPU:
				snprintf(line, sizeof(line), "\ncpu %u ", recs[i].cpu.cpu);
				break;
			case DEVIRT_KIND_VF:
				snprintf(line, sizeof(line), "\nvf %s ",
					 pci_text(&recs[i].vf.addr));
				break;
			case DEVIRT_KIND_PCI:
				snprintf(line, sizeof(line), "\npci " EDU " ");
				break;
			default:
				continue;
			}
			found = strstr(text, line);
			/* Released ones are only history. */
			if (found && strcmp(entry->d_name, mine)) {
				char *end = strchr(strstr(text, line) + 1, '\n');

				found = !end || memcmp(end - 8, "released", 8);
			}
			if (found != !strcmp(entry->d_name, mine))
				agrees = false;
		}
	}
	if (dir)
		closedir(dir);
	return agrees;
}

static void work(void *arg)
{
	unsigned long id = (unsigned long)arg;
	unsigned long long state = 0x9e3779b97f4a7c15ULL * id;
	unsigned int count, i, failed;
	struct devirt_record recs[8];
	char name[16];
	int part, err, thing, round, rounds = rounds_of(ROUNDS);

	snprintf(name, sizeof(name), "owner%lu", id);
	for (round = 0; round < rounds; round++) {
		count = describe(&state, recs);
		part = lease_create(name);
		err = part < 0 ? part : lease_apply(part, 0, recs, count, &failed);
		if (err) {
			if (part >= 0 && failed < count && expected(&recs[failed])) {
				__sync_fetch_and_add(&table->refused, 1);
			} else {
				__sync_fetch_and_add(&table->other, 1);
				table->error = err;
				table->reason = part >= 0 && failed < count ?
					recs[failed].reason : 0;
			}
			close(part);
			tap_pause(prng(&state) % 60);
			continue;
		}
		__sync_fetch_and_add(&table->applied, 1);
		for (i = 0; i < count; i++) {
			thing = thing_of(&recs[i]);
			if (thing < 0)
				continue;
			__sync_fetch_and_add(&table->taken[thing], 1);
			if (!__sync_bool_compare_and_swap(&table->owner[thing], 0, (int)id))
				__sync_fetch_and_add(&table->twice, 1);
		}
		/*
		 * Keeps them for a while: it is being held that is fought for,
		 * and taking and returning is what takes the machine's time.
		 */
		if (prng(&state) % 2) {
			if (!record_agrees(name, recs, count))
				__sync_fetch_and_add(&table->disagreed, 1);
		}
		if (count > 1 || recs[0].kind != DEVIRT_KIND_MEMORY)
			tap_pause(prng(&state) % 500);
		for (i = 0; i < count; i++) {
			thing = thing_of(&recs[i]);
			if (thing >= 0 &&
			    !__sync_bool_compare_and_swap(&table->owner[thing], (int)id, 0))
				__sync_fetch_and_add(&table->twice, 1);
		}
		close(part);
	}
}

TEST("16 processes, round after round, of partitions that overlap: nothing has two owners")
{
	unsigned int i, never = 0;
	int status;

	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	REQUIRE(table != MAP_FAILED);
	/* A pool that is there, of VFs without a driver, takes no seconds to make. */
	REQUIRE_EQ(file_write("0", "/sys/bus/pci/devices/" IGB "/sriov_drivers_autoprobe"), 0);
	REQUIRE_EQ(file_write("7", "/sys/bus/pci/devices/" IGB "/sriov_numvfs"), 0);
	for (i = 0; i < PROCESSES; i++)
		REQUIRE(spawn(work, (void *)(i + 1UL)) > 0);
	for (i = 0; i < PROCESSES; i++)
		CHECK(wait(&status) > 0 && status == 0, "status %#x", status);
	CHECK_EQ(table->twice, 0);
	CHECK_EQ(table->disagreed, 0);
	CHECK(!table->other, "%lu failed otherwise, last %s, reason %u", table->other,
	      strerror(-table->error), table->reason);
	CHECK_EQ(table->applied + table->refused, (unsigned long)(PROCESSES * rounds_of(ROUNDS)));
	/* It must have been possible to go wrong. */
	CHECK(table->applied > 100 && table->refused > 100, "%lu applied, %lu refused",
	      table->applied, table->refused);
	for (i = 0; i < THINGS; i++)
		never += i && !table->taken[i];
	CHECK(!never, "%u things were never leased", never);
	printf("# %lu applied, %lu refused, %lu held twice, %lu times the kernel's record differed\n",
	       table->applied, table->refused, table->twice, table->disagreed);
}
