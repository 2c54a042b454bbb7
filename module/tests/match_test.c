// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the entries of reserve=, what they mean and what is none.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "match.h"

/* A card with two functions behind a bridge; the second of two such cards. */
static const struct devirt_facts card = {
	.at = { 0, 0x42, 0x01 },
	.root = { 0, 0x40, 0 },
	.path = { 0x18, 0x01 },
	.hops = 2,
	.vendor = 0x8086, .device = 0x10c9, .subvendor = 0x1028, .subdevice = 0x00ab,
	.serial = 0x525400ffffde0100,
};

static bool fits(struct kunit *test, const char *text, const struct devirt_facts *facts)
{
	struct devirt_match match;
	const char *why;
	int err = devirt_match_parse(&match, text, strlen(text), &why);

	KUNIT_EXPECT_EQ_MSG(test, err, 0, "%s: %s", text, why);
	return !err && devirt_match_fits(&match, facts);
}

static void match_finds(struct kunit *test)
{
	static const char *const texts[] = {
		"0000:42:00.1", "42:00.1", "00000000:42:00.1",
		"path:40:03.0/00.1", "path:0000:40:03.0/00.1",
		"8086:10c9", "8086:10C9", "8086:10c9:1028:00ab",
		"serial:52-54-00-ff-ff-de-01-00", "serial:52-54-00-FF-FF-DE-01-00.1",
		"path:40:03.0/00.1+8086:10c9", "8086:10c9+serial:52-54-00-ff-ff-de-01-00.1",
		"42:00.1+path:40:03.0/00.1+8086:10c9:1028:00ab+serial:52-54-00-ff-ff-de-01-00",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		KUNIT_EXPECT_TRUE_MSG(test, fits(test, texts[i], &card), "%s", texts[i]);
}

/* Each differs in one thing: no part of an entry is without effect. */
static void match_confuses_nothing(struct kunit *test)
{
	static const char *const texts[] = {
		"0001:42:00.1", "0000:41:00.1", "42:01.1", "42:00.0", "42:00.2",
		"path:0001:40:03.0/00.1", "path:42:03.0/00.1", "path:40:04.0/00.1",
		"path:40:03.1/00.1", "path:40:03.0/00.0", "path:40:03.0", "path:40:03.0/00.1/00.1",
		"8087:10c9", "8086:10ca", "8086:10c9:1029:00ab", "8086:10c9:1028:00ac",
		"serial:52-54-00-ff-ff-de-01-01", "serial:53-54-00-ff-ff-de-01-00",
		"serial:52-54-00-ff-ff-de-01-00.0",
		/* The slot is right and the card another, and the other way round. */
		"path:40:03.0/00.1+8086:1533", "path:40:02.0/00.1+8086:10c9",
		"42:00.1+serial:52-54-00-ff-ff-de-01-01",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		KUNIT_EXPECT_FALSE_MSG(test, fits(test, texts[i], &card), "%s", texts[i]);
}

/* What a function doesn't have can't be what an entry wants. */
static void match_of_little(struct kunit *test)
{
	struct devirt_facts facts = card;

	facts.serial = 0;
	KUNIT_EXPECT_FALSE(test, fits(test, "serial:52-54-00-ff-ff-de-01-00", &facts));
	facts = card;
	/* Behind more bridges than can be told. */
	facts.hops = 0;
	KUNIT_EXPECT_FALSE(test, fits(test, "path:40:03.0/00.1", &facts));
	facts = card;
	facts.at.domain = 0x10000;
	facts.root.domain = 0x10000;
	KUNIT_EXPECT_TRUE(test, fits(test, "10000:42:00.1+path:10000:40:03.0/00.1", &facts));
	KUNIT_EXPECT_FALSE(test, fits(test, "42:00.1", &facts));
	KUNIT_EXPECT_FALSE(test, fits(test, "path:40:03.0/00.1", &facts));
}

static void match_refuses(struct kunit *test)
{
	static const char *const texts[] = {
		"", " ", "+", "igb", "8086", "8086:", "8086:10c", "8086:10c90", "8086:10cg",
		"808:10c9", "8086:10c9:", "8086:10c9:1028", "8086:10c9:1028:", "8086:10c9:1028:1",
		"8086:10c9:1028:00ab:", "8086:10c9 ", " 8086:10c9", "8086:*",
		"0000:01:00", "0000:01:00.", "0000:01:00.8", "0000:01:20.0", "0000:1:00.0",
		"01:0.0", "001:00:00.0", "000000000:01:00.0", "0000:01:00.0.0", "01:00.0/00.0",
		"0000:01:00.0-", "0x1:00.0", "-1:00.0",
		"path:", "path:01", "path:01:", "path:01:00", "path:01:00.0/", "path:01:00.0//00.0",
		"path:01:00.0/20.0", "path:01:00.0/00.8", "path:/01:00.0", "PATH:01:00.0",
		"path:00:01.0/01.0/01.0/01.0/01.0/01.0/01.0/01.0/01.0", "path:01:00.0 ",
		"serial:", "serial:52", "serial:52-54-00-ff-ff-de-01", "serial:525400ffffde0100",
		"serial:52-54-00-ff-ff-de-01-00-00", "serial:52-54-00-ff-ff-de-01-0",
		"serial:52-54-00-ff-ff-de-01-000", "serial:00-00-00-00-00-00-00-00",
		"serial:52-54-00-ff-ff-de-01-00.8", "serial:52-54-00-ff-ff-de-01-00.",
		"serial:52-54-00-ff-ff-de-01-00.1.1",
		"8086:10c9+", "+8086:10c9", "8086:10c9++01:00.0", "8086:10c9+8086:10c9",
		"01:00.0+02:00.0", "path:00:01.0+path:00:02.0", "8086:10c9+igb",
	};
	struct devirt_match match;
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		KUNIT_EXPECT_EQ_MSG(test, devirt_match_parse(&match, texts[i], strlen(texts[i]),
							     &why), -EINVAL, "%s", texts[i]);
		KUNIT_EXPECT_TRUE_MSG(test, why && *why, "%s", texts[i]);
	}
}

/* An entry ends where it is said to, and nothing behind that is read. */
static void match_has_an_end(struct kunit *test)
{
	char *text = kunit_kzalloc(test, 9, GFP_KERNEL);
	struct devirt_match match;
	const char *why;

	KUNIT_ASSERT_NOT_NULL(test, text);
	memcpy(text, "8086:10c9", 9);
	KUNIT_EXPECT_EQ(test, devirt_match_parse(&match, text, 9, &why), 0);
	KUNIT_EXPECT_EQ(test, devirt_match_parse(&match, text, 8, &why), -EINVAL);
	memcpy(text, "01:00.0,x", 9);
	KUNIT_EXPECT_EQ(test, devirt_match_parse(&match, text, 7, &why), 0);
	KUNIT_EXPECT_EQ(test, match.facts.at.bus, 1);
	KUNIT_EXPECT_EQ(test, devirt_match_parse(&match, text, 8, &why), -EINVAL);
}

static struct kunit_case match_test_cases[] = {
	KUNIT_CASE(match_finds),
	KUNIT_CASE(match_confuses_nothing),
	KUNIT_CASE(match_of_little),
	KUNIT_CASE(match_refuses),
	KUNIT_CASE(match_has_an_end),
	{}
};

static struct kunit_suite match_test_suite = {
	.name = "devirt_match",
	.test_cases = match_test_cases,
};
kunit_test_suite(match_test_suite);
