// SPDX-License-Identifier: GPL-2.0
/* Settings of VFs: from the words of a partition file, and back into words. */
#define _GNU_SOURCE
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "value.h"

static const char *const links[] = { "auto", "up", "down" };

static bool take_mac(const char *text, uint8_t mac[6])
{
	for (int i = 0; i < 6; i++) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = strtoul(text, NULL, 16);
		text += i < 5 ? 3 : 2;
	}
	/* that of a group, or none */
	return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

static bool take_yes(const char *text, uint8_t *value)
{
	bool yes;

	if (!value_yes(text, &yes))
		return false;
	*value = yes;
	return true;
}

/* "100Mbit", "2.5Gbit": in Mbit/s */
static bool take_rate(const char *text, uint32_t *mbps)
{
	static const struct value_unit units[] = { { "Gbit", 1000 }, { "Mbit", 1 }, { NULL, 0 } };

	*mbps = value_units(text, units, 1000000);
	return *mbps;
}

int setting_take(struct devirt_vf_settings *settings, const char *key, const char *text,
		 const char **wanted)
{
	struct devirt_vf_net *net = &settings->net;
	uint32_t number;

	if (!strcmp(key, "mac")) {
		*wanted = "the address of one card, such as 52:54:00:12:34:56,";
		settings->set |= DEVIRT_VF_SET_MAC;
		return take_mac(text, net->mac);
	}
	if (!strcmp(key, "vlan")) {
		*wanted = "'none' or a number from 1 to 4094";
		settings->set |= DEVIRT_VF_SET_VLAN;
		if (!strcmp(text, "none"))
			return 1;
		if (!value_number(text, 1, 4094, &number))
			return 0;
		net->vlan = number;
		return 1;
	}
	if (!strcmp(key, "qos")) {
		*wanted = "a number from 0 to 7";
		settings->set |= SETTING_QOS;
		if (!value_number(text, 0, 7, &number))
			return 0;
		net->qos = number;
		return 1;
	}
	if (!strcmp(key, "spoof-check")) {
		*wanted = "yes or no";
		settings->set |= DEVIRT_VF_SET_SPOOFCHK;
		return take_yes(text, &net->spoofchk);
	}
	if (!strcmp(key, "trust")) {
		*wanted = "yes or no";
		settings->set |= DEVIRT_VF_SET_TRUST;
		return take_yes(text, &net->trust);
	}
	if (!strcmp(key, "min-rate") || !strcmp(key, "max-rate")) {
		*wanted = "a rate with its unit, such as 100Mbit or 2.5Gbit,";
		settings->set |= DEVIRT_VF_SET_RATE;
		return take_rate(text, key[1] == 'i' ? &net->min_mbps : &net->max_mbps);
	}
	if (!strcmp(key, "link")) {
		*wanted = "auto, up or down";
		settings->set |= DEVIRT_VF_SET_LINK;
		for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
			if (!strcmp(text, links[i])) {
				net->link = i;
				return 1;
			}
		}
		return 0;
	}
	return setting_card_take(settings, key, text, wanted);
}

const char *setting_conflict(struct devirt_vf_settings *settings)
{
	const struct devirt_vf_net *net = &settings->net;
	bool qos = settings->set & SETTING_QOS;

	if (setting_card_conflict(settings->set))
		return setting_card_conflict(settings->set);
	/* that of other kinds is another part of the union */
	if (!(settings->set & SETTING_NET) && settings->set)
		return NULL;
	settings->set &= ~SETTING_QOS;
	if ((qos && !(settings->set & DEVIRT_VF_SET_VLAN)) || (net->qos && !net->vlan))
		return "qos= is a part of a VLAN's tag: it wants vlan= too";
	if (net->max_mbps && net->min_mbps > net->max_mbps)
		return "min-rate= is more than max-rate=";
	return NULL;
}

static void net_text(FILE *file, uint32_t set, const struct devirt_vf_net *net)
{
	if (set & DEVIRT_VF_SET_MAC)
		fprintf(file, ", mac %02x:%02x:%02x:%02x:%02x:%02x", net->mac[0], net->mac[1],
			net->mac[2], net->mac[3], net->mac[4], net->mac[5]);
	if (set & DEVIRT_VF_SET_VLAN && net->vlan)
		fprintf(file, ", vlan %u", net->vlan);
	else if (set & DEVIRT_VF_SET_VLAN)
		fprintf(file, ", no vlan");
	if (net->qos)
		fprintf(file, " qos %u", net->qos);
	if (set & DEVIRT_VF_SET_SPOOFCHK)
		fprintf(file, ", spoof check %s", net->spoofchk ? "on" : "off");
	if (set & DEVIRT_VF_SET_TRUST)
		fprintf(file, ", %strusted", net->trust ? "" : "not ");
	if (set & DEVIRT_VF_SET_RATE && net->min_mbps)
		fprintf(file, ", at least %uMbit", net->min_mbps);
	if (set & DEVIRT_VF_SET_RATE && net->max_mbps)
		fprintf(file, ", at most %uMbit", net->max_mbps);
	if (set & DEVIRT_VF_SET_LINK && net->link < ARRAY_SIZE(links))
		fprintf(file, ", link %s", links[net->link]);
}

char *setting_text(const struct devirt_vf_settings *settings)
{
	char *text = NULL;
	size_t size;
	FILE *file;

	if (!settings->set)
		return NULL;
	file = open_memstream(&text, &size);
	if (!file)
		return NULL;
	if (settings->set & SETTING_NET)
		net_text(file, settings->set, &settings->net);
	else
		setting_card_text(file, settings);
	fclose(file);
	if (text && size > 2)
		memmove(text, text + 2, size - 1);
	return text;
}

static void net_json(struct json_object *object, uint32_t set, const struct devirt_vf_net *net)
{
	char mac[18];

	if (set & DEVIRT_VF_SET_MAC) {
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", net->mac[0],
			 net->mac[1], net->mac[2], net->mac[3], net->mac[4], net->mac[5]);
		json_object_object_add(object, "mac", json_text(mac));
	}
	if (set & DEVIRT_VF_SET_VLAN) {
		json_object_object_add(object, "vlan", net->vlan ?
				       json_object_new_int(net->vlan) : NULL);
		json_object_object_add(object, "qos", json_object_new_int(net->qos));
	}
	if (set & DEVIRT_VF_SET_SPOOFCHK)
		json_object_object_add(object, "spoof_check",
				       json_object_new_boolean(net->spoofchk));
	if (set & DEVIRT_VF_SET_TRUST)
		json_object_object_add(object, "trust", json_object_new_boolean(net->trust));
	if (set & DEVIRT_VF_SET_RATE) {
		json_object_object_add(object, "min_mbps", json_object_new_int64(net->min_mbps));
		json_object_object_add(object, "max_mbps", net->max_mbps ?
				       json_object_new_int64(net->max_mbps) : NULL);
	}
	if (set & DEVIRT_VF_SET_LINK && net->link < ARRAY_SIZE(links))
		json_object_object_add(object, "link", json_text(links[net->link]));
}

struct json_object *setting_json(const struct devirt_vf_settings *settings)
{
	struct json_object *object;

	if (!settings->set)
		return NULL;
	object = json_object_new_object();
	if (settings->set & SETTING_NET)
		net_json(object, settings->set, &settings->net);
	else
		setting_card_json(object, settings);
	return object;
}
