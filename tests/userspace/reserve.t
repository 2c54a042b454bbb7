#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# devirt reserve, on a host that is made up: a card, and disks.
# shellcheck source=tests/userspace/lib.sh
. "$(dirname "$0")/lib.sh"
made_up_host
written=$dir/etc/modprobe.d/devirt-reserve.conf

# entries LINE...: the file
entries() { printf '%s\n' "$@" >"$dir/etc/devirt/reserve.conf"; }

# option NAME: the module's option in what was printed
option() { sed -n "s/^options devirt.* $1=\([^ ]*\).*/\1/p" <<<"$out"; }

function_at 0000:00:02.0/0000:01:00.0 8086 10c9 020000 001b21ffff8a0c4e
function_at 0000:00:03.0/0000:02:00.0 144d a80a 010802 0025385b91b1a0f1
disk_of 0000:00:03.0/0000:02:00.0 nvme0n1 dm-0
function_at 0000:00:04.0 1af4 1001 010000
disk_of 0000:00:04.0 vda dm-1
function_at 0000:00:05.0 1af4 1001 010000
disk_of 0000:00:05.0 vdb

# What an entry could mean at the next boot, however the host is plugged together then.
vd=path:00:04.0
nvme=path:00:03.0/00.0,serial:00-25-38-5b-91-b1-a0-f1.0
# keeps NAME ENTRY WANTED
keeps() {
	entries "$2"
	run reserve --modprobe
	is "keep= for $1" "$status $(option reserve) $(option keep)" "0 $2 $3"
}
keeps 'an id that no disk has' 8086:10c9 ''
keeps 'a place with such an id' path:00:02.0/00.0+8086:10c9 ''
keeps 'a place' path:00:02.0/00.0 "$vd,$nvme"
keeps 'an address' 01:00.0 "$vd,$nvme"
keeps 'a place, empty now, with the id of a disk' path:00:06.0+1af4:1001 "$vd"
keeps 'and with the subsystem of another' path:00:06.0+1af4:1001:1028:0001 ''
keeps "a card's serial number" serial:00-1b-21-ff-ff-8a-0c-4e ''
keeps "a disk's, of another function" serial:00-25-38-5b-91-b1-a0-f1.1 ''
keeps "a disk's, elsewhere" serial:00-25-38-5b-91-b1-a0-f1+path:00:09.0 "$nvme"
entries 8086:10c9 00:04.0
run reserve --modprobe
is 'what is refused needs no keep=' "$status $(option reserve) $(option keep)" '1 8086:10c9 '

# What 'devirt check' has to say of the file.
parameters=$dir/sys/module/devirt/parameters
mkdir -p "$parameters"
# checks NAME LOADED PATTERN: the state and what is found
checks() {
	echo "$2" >"$parameters/reserve"
	run check --json
	like "check: $1" "$(query '[.items[] | select(.item == "reserved") | .state, .found, .remedy]')" "$3"
}
echo 0000:01:00.0 >"$parameters/reserved"
entries 8086:10c9
checks 'in force' 8086:10c9 '\["ok","1 function",null\]'
checks 'not in force' '(null)' '\["warn","the module was loaded without *"run *'
entries 8086:10c9 00:04.0
checks 'a refused entry is no difference' 8086:10c9 "\\[\"warn\",\"1 function; line 2 of *, '00:04.0', is\
 refused: the host needs 0000:00:04.0: vda is a part of dm-1\",\"unmount it, *"
checks 'beside one' '(null)' '\["warn","the module was loaded without *; line 2 of * is refused: *","run *'
entries 8086:10c9 igb
checks 'a broken file' 8086:10c9 '\["fail","/etc/devirt/reserve.conf:2: '"'igb': neither "'*","*'
is 'check: which counts, and is all in one document' "$status $err $(query .ready | wc -l) $(query .ready)" \
	'1  1 false'
rm "$dir/etc/devirt/reserve.conf"
mkdir "$dir/etc/devirt/reserve.conf"
checks 'a file that is none' 8086:10c9 '\["fail","/etc/devirt/reserve.conf: Is a directory"*'
rmdir "$dir/etc/devirt/reserve.conf"

# The entries that mean a function.
function_at 0000:00:07.0/0000:04:00.0 10de 2236 030200
vf_of 0000:00:07.0/0000:04:00.0 0 0000:04:00.4 vfio-pci
function_at 0000:00:07.0 8086 a340 060400
function_at 0000:00:00.0 8086 29c0 060000
run reserve 01:00.0
is 'names of a card' "$status $(cut -d' ' -f1 <<<"$out" | tr '\n' ' ')" "0 path:00:02.0/00.0+8086:10c9\
 serial:00-1b-21-ff-ff-8a-0c-4e.0+8086:10c9 8086:10c9 0000:01:00.0 "
run reserve 04:00.0
like 'VFs are none of its sort' "$status $out" '0 *10de:2236  # all of this sort: 1 now*'
run reserve 04:00.4
is 'a VF has none' "$status $out$err" "1 devirt: 0000:04:00.4 is a VF, which can't be reserved;\
 reserve its PF, or lease it by a [vf NAME] section"
for bridge in 00:07.0 00:00.0; do
	run reserve "$bridge"
	like 'nor has a bridge' "$status $out$err" "1 devirt: 0000:$bridge is a bridge, which can't be reserved; *"
done

# One JSON document.
entries 8086:10c9 00:04.0
run reserve --json
is '--json' "$status $(query '[.entries[].refused]') $(query '.refused | length')" '1 [false,true] 1'
ln -sfn none "$dir/etc/modprobe.d"
run reserve --write --json
is '--write that fails' "$status $(query 'keys') $(query '.error.file')" \
	'1 ["error"] "/etc/modprobe.d/devirt-reserve.conf"'
rm "$dir/etc/modprobe.d"
run reserve --write --json
is '--write that succeeds' "$(query 'keys')" '["entries","refused"]'
run reserve --modprobe --json
like '--modprobe is no JSON' "$status $(query '.error.message')" '2 "--modprobe prints *'

# A host with many disks.
for ((i = 0; i < 80; i++)); do
	place=$(printf '0000:00:08.0/0000:03:%02x.%d' $((i / 8)) $((i % 8)))
	function_at "$place" 144d a80a 010802 "$(printf '0025385b91b1b0%02x' "$i")"
	disk_of "$place" "sd$i" md0
done
entries '# mine' path:00:02.0/00.0+8086:10c9
run reserve --write
is 'many disks that no entry could mean' "$status $(<"$written")" \
	"0 # made of /etc/devirt/reserve.conf by 'devirt reserve': don't edit
options devirt reserve=path:00:02.0/00.0+8086:10c9"
entries '# mine' 8086:10c9 path:00:02.0/00.0
run reserve --write
is 'many that one could' "$status $err" "2 devirt: /etc/devirt/reserve.conf:3: keep= is too long,\
 the kernel takes 4094 bytes: 82 functions with disks in use would have to be named;\
 add an id (+8086:10c9) to the entry, so that it can't mean a disk"
entries path:00:02.0/00.0+144d:a80a
run reserve --write
like 'or by their id' "$status $err" "2 *reserve.conf:1: keep= is too long*: 81 *; add a serial number *"
is 'and what was written is still there' "$(tail -n1 "$written")" \
	'options devirt reserve=path:00:02.0/00.0+8086:10c9'
# shellcheck disable=SC2046
entries $(printf '8086:%04x ' {0..408})
run reserve --modprobe
is 'as much as the kernel takes' "$status $(option reserve | wc -c)" '0 4090'
# shellcheck disable=SC2046
entries $(printf '8086:%04x ' {0..409})
run reserve --modprobe
like 'and more' "$status $err" '2 devirt: /etc/devirt/reserve.conf: reserve= is too long, the kernel takes 4094 bytes; ids and*'
finish
