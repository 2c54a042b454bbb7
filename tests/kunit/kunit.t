#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The module's KUnit suites, where the kernel has KUnit: they are a module of
# their own, which needs devirt.ko to be loaded.
set -u
ko=/devirt/build/${DEVIRT_KERNEL:-debug}/devirt_kunit.ko
results=/sys/kernel/debug/kunit

if [ ! -d /sys/module/kunit ] && ! modprobe -q kunit; then
	echo "1..0 # SKIP this kernel has no KUnit"
	exit 0
fi
if ! insmod "$ko"; then
	echo "Bail out! $ko can't be loaded"
	exit 1
fi
# KTAP, as the kernel prints it: a subtest a suite.
number=0 failed=0
for suite in "$results"/devirt_*; do
	number=$((number + 1))
	sed -e 's/^KTAP version.*/# &/' -e 's/^[0-9]*\.\.[0-9]*$/# &/' \
		-e 's/^ok .*/# &/' -e 's/^not ok .*/# &/' "$suite/results"
	if grep -q '^not ok\|^ *not ok' "$suite/results" ||
		! grep -q '^ok' "$suite/results"; then
		echo "not ok $number - ${suite##*/}"
		failed=1
	else
		echo "ok $number - ${suite##*/}"
	fi
done
rmmod devirt_kunit
echo "1..$number"
[ "$number" -gt 0 ] && [ "$failed" = 0 ]
