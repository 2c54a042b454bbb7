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

# made_up_host: from here on /sys and /etc are folders in $dir, for this test only:
# it begins anew in a mount namespace of its own. Who isn't root is skipped where that
# isn't permitted; root, as in 'make check', fails.
made_up_host() {
	local how=(unshare --mount --propagation private)
	if [[ -z ${MADE_UP-} ]]; then
		rm -rf "$dir"
		if [[ $UID != 0 ]]; then how+=(--map-root-user); fi
		if [[ $UID == 0 ]] || "${how[@]}" true 2>/dev/null; then
			MADE_UP=1 exec "${how[@]}" bash "$0"
		fi
		echo '1..0 # SKIP no mount namespace may be made here'
		exit
	fi
	mkdir -p "$dir/etc/devirt" "$dir"/sys/{bus/pci/devices,class/block,class/net,devices}
	cp /etc/ld.so.* "$dir/etc/" 2>/dev/null || true
	mount --bind "$dir/etc" /etc && mount --bind "$dir/sys" /sys || exit
	export HWLOC_SYNTHETIC='core:4 pu:1'
}

# function_at PLACE VENDOR DEVICE CLASS [SERIAL]: a PCI function, PLACE being the
# addresses from the root bus to it, "0000:00:02.0/0000:01:00.0"; the SERIAL 16 digits
function_at() {
	local folder=$dir/sys/devices/pci0000:00/$1 bytes
	mkdir -p "$folder"
	ln -sfn "../../../devices/pci0000:00/$1" "$dir/sys/bus/pci/devices/${1##*/}"
	echo "0x$2" >"$folder/vendor"
	echo "0x$3" >"$folder/device"
	echo "0x$4" >"$folder/class"
	truncate -s 4096 "$folder/config"
	if [[ -n ${5-} ]]; then
		# an extended capability, in which a number's lowest byte is first
		# shellcheck disable=SC2046
		bytes=$(printf '\\x%s' $(fold -w2 <<<"$5" | tac))
		printf '%b' "\\x03\\x00\\x01\\x00$bytes" |
			dd of="$folder/config" bs=1 seek=256 conv=notrunc status=none
	fi
}

# disk_of PLACE NAME [HOLDER]: a disk of that function, in use as a part of HOLDER
disk_of() {
	local folder=$dir/sys/devices/pci0000:00/$1/block/$2
	mkdir -p "$folder/holders${3:+/$3}"
	# a number that nothing is mounted from
	echo 511:1 >"$folder/dev"
	ln -sfn "../../devices/pci0000:00/$1/block/$2" "$dir/sys/class/block/$2"
}

# vf_of PLACE INDEX ADDRESS DRIVER: the VF of that function, on its bus
vf_of() {
	local parent=${1%/*} folder
	folder=$dir/sys/devices/pci0000:00/$parent/$3
	function_at "$parent/$3" 10de 2236 030200
	mkdir -p "$dir/sys/bus/pci/drivers/$4"
	ln -sfn "../../../../bus/pci/drivers/$4" "$folder/driver"
	ln -sfn "../${1##*/}" "$folder/physfn"
	ln -sfn "../$3" "$dir/sys/devices/pci0000:00/$1/virtfn$2"
}

# jq PROGRAM: of $out
query() { jq -c "$1" <<<"$out"; }

finish() { echo "1..$tests"; }
