/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Not part of the library's interface. */
#ifndef DEVIRT_REASON_CARD_H
#define DEVIRT_REASON_CARD_H

#include <stdbool.h>
#include <linux/devirt.h>

/* Explains the refusal of a setting of such a card's VF. False: it is about another. */
bool dv_explain_card(const struct devirt_record *record, const char *what, const char *detail,
		     char **message, char **remedy);

#endif
