// SPDX-License-Identifier: GPL-2.0
/* Settings of VFs of NVMe controllers and graphics cards: words, and back. */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "value.h"

/* "512M", "8G": in bytes; cards share whole megabytes. */
static bool take_bytes(const char *text, uint64_t *bytes)
{
	return value_size(text, bytes) && !(*bytes & ((1 << 20) - 1));
}

int setting_card_take(struct devirt_vf_settings *settings, const char *key, const char *text,
		      const char **wanted)
{
	static const struct value_unit times[] = { { "s", 1000 }, { "ms", 1 }, { NULL, 0 } };
	uint64_t bytes = 0;
	int ret;

	*wanted = "a number from 1";
	if (!strcmp(key, "queues")) {
		*wanted = "a number from 2 to 65535";
		settings->set |= DEVIRT_VF_SET_QUEUES;
		return value_number(text, 2, 65535, &settings->nvme.queues);
	}
	if (!strcmp(key, "vectors")) {
		*wanted = "a number from 1 to 65535";
		settings->set |= DEVIRT_VF_SET_VECTORS;
		return value_number(text, 1, 65535, &settings->nvme.vectors);
	}
	if (!strcmp(key, "vram")) {
		*wanted = "a size with its unit, such as 512M or 4G,";
		settings->set |= DEVIRT_VF_SET_VRAM;
		ret = take_bytes(text, &bytes);
		settings->gpu.vram = bytes;
		return ret;
	}
	if (!strcmp(key, "contexts")) {
		settings->set |= DEVIRT_VF_SET_CONTEXTS;
		return value_number(text, 1, 0xffffffff, &settings->gpu.contexts);
	}
	if (!strcmp(key, "doorbells")) {
		settings->set |= DEVIRT_VF_SET_DOORBELLS;
		return value_number(text, 1, 0xffffffff, &settings->gpu.doorbells);
	}
	if (!strcmp(key, "quantum")) {
		*wanted = "a time with its unit, such as 20ms,";
		settings->set |= DEVIRT_VF_SET_QUANTUM;
		settings->gpu.quantum_ms = value_units(text, times, 1000000);
		return settings->gpu.quantum_ms != 0;
	}
	return -1;
}

bool setting_card_type(struct devirt_vf_settings *settings, const char *text)
{
	settings->set |= DEVIRT_VF_SET_VGPU;
	return value_number(text, 1, 0xffffffff, &settings->gpu.type);
}

const char *setting_card_conflict(uint32_t set)
{
	if (!!(set & SETTING_NET) + !!(set & SETTING_NVME) + !!(set & SETTING_GPU) > 1)
		return "settings of different kinds of cards: of a network card (mac to link), an NVMe controller (queues, vectors), a graphics card (vgpu-type to quantum)";
	return NULL;
}

void setting_card_text(FILE *file, const struct devirt_vf_settings *settings)
{
	const struct devirt_vf_gpu *gpu = &settings->gpu;
	uint32_t set = settings->set;
	char *size;

	if (set & DEVIRT_VF_SET_QUEUES)
		fprintf(file, ", %u queues", settings->nvme.queues);
	if (set & DEVIRT_VF_SET_VECTORS)
		fprintf(file, ", %u vector%s", settings->nvme.vectors,
			settings->nvme.vectors == 1 ? "" : "s");
	if (set & DEVIRT_VF_SET_VGPU)
		fprintf(file, ", vGPU type %u", gpu->type);
	if (set & DEVIRT_VF_SET_VRAM) {
		size = size_text(gpu->vram);
		fprintf(file, ", %s of video memory", size ? size : "?");
		free(size);
	}
	if (set & DEVIRT_VF_SET_CONTEXTS)
		fprintf(file, ", %u contexts", gpu->contexts);
	if (set & DEVIRT_VF_SET_DOORBELLS)
		fprintf(file, ", %u doorbells", gpu->doorbells);
	if (set & DEVIRT_VF_SET_QUANTUM)
		fprintf(file, ", %ums at a time", gpu->quantum_ms);
}

void setting_card_json(struct json_object *object, const struct devirt_vf_settings *settings)
{
	const struct devirt_vf_gpu *gpu = &settings->gpu;
	const struct {
		uint32_t bit;
		const char *name;
		uint64_t value;
	} all[] = {
		{ DEVIRT_VF_SET_QUEUES, "queues", settings->nvme.queues },
		{ DEVIRT_VF_SET_VECTORS, "vectors", settings->nvme.vectors },
		{ DEVIRT_VF_SET_VGPU, "vgpu_type", gpu->type },
		{ DEVIRT_VF_SET_VRAM, "vram", gpu->vram },
		{ DEVIRT_VF_SET_CONTEXTS, "contexts", gpu->contexts },
		{ DEVIRT_VF_SET_DOORBELLS, "doorbells", gpu->doorbells },
		{ DEVIRT_VF_SET_QUANTUM, "quantum_ms", gpu->quantum_ms },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (settings->set & all[i].bit)
			json_object_object_add(object, all[i].name,
					       json_object_new_int64(all[i].value));
}
