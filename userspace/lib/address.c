// SPDX-License-Identifier: LGPL-2.1-or-later
/* PCI addresses as text. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "libdevirt.h"

/* Takes @least to @most hexadecimal digits; NULL if there are fewer or more. */
static const char *take_hex(const char *text, unsigned int least, unsigned int most,
			    unsigned long *value)
{
	unsigned int digits = 0;

	for (*value = 0; isxdigit((unsigned char)*text); text++) {
		int c = tolower((unsigned char)*text);

		if (++digits > most)
			return NULL;
		*value = *value * 16 + (isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	return digits < least ? NULL : text;
}

int devirt_addr_parse(const char *text, struct devirt_pci_addr *addr)
{
	unsigned long domain = 0, bus, device, function;
	const char *at = text, *colon = strchr(text, ':');

	memset(addr, 0, sizeof(*addr));
	if (colon && strchr(colon + 1, ':')) {
		/* eight digits: Intel's VMD makes domains above 0xffff */
		at = take_hex(at, 1, 8, &domain);
		if (!at || *at++ != ':')
			return -EINVAL;
	}
	at = take_hex(at, 1, 2, &bus);
	if (!at || *at++ != ':')
		return -EINVAL;
	at = take_hex(at, 1, 2, &device);
	if (!at || *at++ != '.' || device > 31)
		return -EINVAL;
	at = take_hex(at, 1, 1, &function);
	if (!at || *at || function > 7)
		return -EINVAL;
	addr->domain = domain;
	addr->bus = bus;
	addr->devfn = device << 3 | function;
	return 0;
}

char *devirt_addr_format(const struct devirt_pci_addr *addr, char text[DEVIRT_ADDR_TEXT])
{
	snprintf(text, DEVIRT_ADDR_TEXT, "%04x:%02x:%02x.%u", addr->domain, addr->bus,
		 addr->devfn >> 3, addr->devfn & 7U);
	return text;
}

bool devirt_addr_equal(const struct devirt_pci_addr *a, const struct devirt_pci_addr *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->devfn == b->devfn;
}
