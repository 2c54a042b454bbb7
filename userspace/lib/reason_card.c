// SPDX-License-Identifier: LGPL-2.1-or-later
/* Why a setting of an NVMe controller's or a graphics card's VF was refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libdevirt.h"
#include "reason_card.h"
#include "sysfs.h"

#define SET_NVME	(DEVIRT_VF_SET_QUEUES | DEVIRT_VF_SET_VECTORS)
#define SET_GPU		(DEVIRT_VF_SET_VGPU | DEVIRT_VF_SET_VRAM | DEVIRT_VF_SET_CONTEXTS | \
			 DEVIRT_VF_SET_DOORBELLS | DEVIRT_VF_SET_QUANTUM)

/* "lab has 6, 0000:02:00.0 itself has 8", of pairs "HOLDER AMOUNT". A partition's
 * name has no ':'; "PF/INDEX" is a VF that nobody leases.
 */
static void holders(char **text, const char *pairs, const char *of)
{
	char copy[DEVIRT_DETAIL_MAX], *who, *amount, *next = NULL;
	bool first = true;

	snprintf(copy, sizeof(copy), "%s", pairs);
	for (who = strtok_r(copy, " ", &next); who; who = strtok_r(NULL, " ", &next)) {
		amount = strtok_r(NULL, " ", &next);
		if (!amount)
			return;
		dv_append(text, first ? "" : ", ");
		first = false;
		if (!strchr(who, ':'))
			dv_append(text, "partition '%s' has ", who);
		else if (strchr(who, '/'))
			dv_append(text, "VF %s, which isn't leased, has ", strchr(who, '/') + 1);
		else
			dv_append(text, "%s itself has ", who);
		dv_append(text, "%s%s", of, amount);
	}
}

static void nvme_value(const struct devirt_record *record, const char *what, const char *detail,
		       const char *pf, char **message, char **remedy)
{
	unsigned int limit = 0, asked;
	char name[16] = "";
	int end = 0;

	sscanf(detail, "%15s %u %n", name, &limit, &end);
	asked = !strcmp(name, "queues") ? record->vf.settings.nvme.queues :
					  record->vf.settings.nvme.vectors;
	if (asked && asked < limit) {
		dv_append(message, "%s can't work with %u %s: it needs %u", what, asked, name, limit);
		dv_append(remedy, "ask for more");
		return;
	}
	if (!end || !detail[end]) {
		dv_append(message, "%s can't have %u %s: %s gives a VF %u at most", what, asked,
			  name, pf, limit);
		dv_append(remedy, "ask for %u", limit);
		return;
	}
	if (asked)
		dv_append(message, "%s can't have %u %s: %s has %u left for it; ", what, asked,
			  name, pf, limit);
	else
		dv_append(message, "%s needs %s to work, of which %s has %u left; ", what, name,
			  pf, limit);
	holders(message, detail + end, "");
	if (strstr(detail + end, pf) && !strstr(detail + end, "/"))
		dv_append(remedy,
			  "make the controller share its own: nvme virt-mgmt DEVICE -c 0 -r %d -a 1 -n 0, then reset it",
			  !strcmp(name, "vectors"));
	else
		dv_append(remedy, "ask for less, or wait until others have given theirs back");
}

static void failed(const struct devirt_record *record, const char *what, const char *detail,
		   const char *pf, char **message, char **remedy)
{
	unsigned int status = 0;
	char name[16] = "";

	sscanf(detail, "%15s status %x", name, &status);
	if (status) {
		dv_append(message, "%s: its '%s' couldn't be set: the controller %s answers with NVMe status 0x%x",
			  what, name, pf, status);
		dv_append(remedy, "'nvme list-secondary' shows what its VFs have");
		return;
	}
	switch (-record->error) {
	case EBUSY:
	case EPERM:
		dv_append(message, "%s: its '%s' can't be changed now: the card's driver refuses (%s), as it does while the VF is in use",
			  what, name, strerror(-record->error));
		dv_append(remedy, "end the VM that has it, or take another VF");
		break;
	case ENOSPC:
	case EDQUOT:
		dv_append(message, "%s: its '%s' can't be as asked: the card hasn't that much left",
			  what, name);
		dv_append(remedy, "ask for less, or wait until others have given theirs back");
		break;
	case EINVAL:
	case ERANGE:
		dv_append(message, "%s: its '%s' can't be as asked: the card's driver doesn't take that value",
			  what, name);
		dv_append(remedy, "see the driver's documentation for what it takes");
		break;
	case EIO:
		dv_append(message, "%s: its '%s' couldn't be set: the card itself refused", what,
			  name);
		dv_append(remedy, "the kernel log says more (dmesg)");
		break;
	default:
		dv_append(message, "%s: its '%s' couldn't be set: the card's driver says: %s", what,
			  name, strerror(-record->error));
		dv_append(remedy, "the kernel log says more (dmesg)");
	}
}

static void type_unknown(const struct devirt_record *record, const char *what,
			 const char *detail, char **message, char **remedy)
{
	struct devirt_vgpu_type *types;
	size_t count, i;

	dv_append(message, "%s offers no vGPU type %u", what, record->vf.settings.gpu.type);
	dv_append(remedy, detail[0] ? "it offers " : "it offers none now: see the driver's log");
	if (devirt_vgpu_types(&record->vf.pf, &types, &count) || !count)
		dv_append(remedy, "%s", detail);
	else
		for (i = 0; i < count; i++)
			dv_append(remedy, "%s%u (%s)", i ? ", " : "", types[i].id, types[i].name);
	free(types);
}

bool dv_explain_card(const struct devirt_record *record, const char *what, const char *detail,
		     char **message, char **remedy)
{
	uint32_t set = record->vf.settings.set;
	char pf[DEVIRT_ADDR_TEXT];

	devirt_addr_format(&record->vf.pf, pf);
	switch (record->reason) {
	case DEVIRT_REASON_SETTING_VALUE:
		if (!(set & SET_NVME))
			return false;
		nvme_value(record, what, detail, pf, message, remedy);
		return true;
	case DEVIRT_REASON_SETTING_FAILED:
		if (!(set & (SET_NVME | SET_GPU)))
			return false;
		failed(record, what, detail, pf, message, remedy);
		return true;
	case DEVIRT_REASON_VGPU_TYPE:
		type_unknown(record, what, detail, message, remedy);
		return true;
	case DEVIRT_REASON_VGPU_FULL:
		dv_append(message, "%s can't have vGPU type %u: the card has no room left for it; ",
			  what, record->vf.settings.gpu.type);
		holders(message, detail, "type ");
		dv_append(remedy, "ask for a smaller type ('devirt devices' lists those that fit), or wait until others have given theirs back");
		return true;
	default:
		return false;
	}
}
