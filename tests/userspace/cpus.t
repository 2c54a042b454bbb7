#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The picture of a machine: all CPUs are in it, and it fits.
# shellcheck source=tests/userspace/lib.sh
. "$(dirname "$0")/lib.sh"

# Characters of each line of $out, which awk may count in bytes.
widths() { while IFS= read -r line; do echo "${#line}"; done <<<"$out"; }

# Every line is as wide as the first, in characters: the frame is closed.
is_even() {
	is "$1: an even frame" "$status $(widths | sort -u | wc -l)" '0 1'
}
numbers() { grep -oE '[0-9]+ host' <<<"$out" | cut -d' ' -f1 | sort -n | tr '\n' ' '; }

for machine in "$smt" "$nosmt" 'synthetic:core:1 pu:1' 'synthetic:core:8 pu:2' \
	'synthetic:node:4 core:10 pu:2' 'synthetic:node:2 core:64 pu:2' "$here/numa.xml"; do
	name=${machine##*/}
	run cpus --json --topology "$machine"
	cpus=$(query '[.nodes[].cores[].cpus[].cpu] | sort | map(tostring) | join(" ")' | tr -d '"')
	wanted=$(query '[.nodes[].cores[].cpus[].cpu] | sort | .[]' | sort -n | tr '\n' ' ')
	if [[ $cpus && $(query '.devices') == '[]' ]]; then
		pass "$name: JSON"
	else
		flunk "$name: JSON" "$out"
	fi
	for columns in 80 132 40; do
		COLUMNS=$columns run cpus --topology "$machine"
		is_even "$name, $columns columns"
		is "$name: as wide as $columns columns, or as it is good to look at" \
			"$(widths | head -n 1)" $((columns > 120 ? 120 : columns))
		[[ $machine == *core:64* ]] || is "$name, $columns columns: all CPUs" "$(numbers)" "$wanted"
	done
	run cpus --topology "$machine"
	is "$name: no colours without a terminal" "$(grep -c $'\e' <<<"$out")" 0
	LC_ALL=C run cpus --topology "$machine"
	is "$name: ASCII where the locale has no more" "$(LC_ALL=C grep -c '[^ -~]' <<<"$out") ${out:0:1}" '0 +'
	is_even "$name, ASCII"
done
run cpus --topology 'synthetic:node:2 core:64 pu:2'
is 'many cores: a line a node' "$(wc -l <<<"$out") $(grep -c 'host  *CPUs ' <<<"$out")" '6 2'
run cpus --topology "$here/lib.sh"
is 'no topology' "$status" 2
run cpus x
is 'it takes no argument' "$status" 2

# On a terminal, unless NO_COLOR says otherwise; script(1) provides one.
if command -v script >/dev/null; then
	tty() { env TERM=xterm "$@" script -qec "$devirt cpus --topology '$smt'" /dev/null </dev/null; }
	is 'colours on a terminal' "$(tty | grep -c $'\e\[2m')" 4
	is 'no colours with NO_COLOR' "$(tty NO_COLOR=1 | grep -c $'\e')" 0
	is 'no colours on a dumb terminal' "$(tty TERM=dumb | grep -c $'\e')" 0
else
	echo "ok $((++tests)) - colours # SKIP no script(1)"
fi
finish
