# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# TAP for the tests of the tool. They need neither root nor the module: what the
# module does is tested in the emulated machine.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
devirt=${BUILD:-$top/build/host}/devirt
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset COLUMNS HWLOC_XMLFILE HWLOC_SYNTHETIC
export LC_ALL=C.UTF-8

tests=0
# Two nodes, four cores a node, two threads a core: node 0 has CPUs 0-7.
smt='synthetic:node:2 core:4 pu:2'
nosmt='synthetic:node:2 core:4 pu:1'

pass() { echo "ok $((++tests)) - $1"; }
flunk() { echo "not ok $((++tests)) - $1"; shift; printf '%s\n' "$@" | sed 's/^/# /'; }

# config TEXT: writes the partition file t.conf
config() { printf '%s\n' "$1" >"$dir/t.conf"; }

# run ARG...: runs devirt; $status, $out and $err
run() {
	status=0
	"$devirt" "$@" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
	out=$(<"$dir/out") err=$(<"$dir/err")
}

# is NAME GOT WANTED
is() {
	if [[ $2 == "$3" ]]; then
		pass "$1"
	else
		flunk "$1" "got: $2" "wanted: $3"
	fi
}

# like NAME GOT PATTERN
like() {
	# shellcheck disable=SC2053
	if [[ $2 == $3 ]]; then
		pass "$1"
	else
		flunk "$1" "got: $2" "wanted: $3"
	fi
}

# jq PROGRAM: of $out
query() { jq -c "$1" <<<"$out"; }

finish() { echo "1..$tests"; }
