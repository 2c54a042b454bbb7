#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A vGPU type's name, looked up on a card that is made up.
# shellcheck source=tests/userspace/lib.sh
. "$(dirname "$0")/lib.sh"
made_up_host
card=0000:00:02.0/0000:01:00.0
config $'[vf a]\npf=01:00.0\nvgpu-type=A16-2Q'

# plans NAME STATUS PATTERN: what 'devirt plan' has against it
plans() {
	run plan "$dir/t.conf" --topology "$smt"
	like "$1" "$status $err" "$2 $3"
}

# offers INDEX [LINE...]: the types of that VF
offers() {
	local list=$dir/sys/devices/pci0000:00/$card/virtfn$1/nvidia
	mkdir -p "$list"
	shift
	printf '%s\n' 'ID    : vGPU Name' "$@" >"$list/creatable_vgpu_types"
}

where="devirt: $dir/t.conf:3: vgpu-type=A16-2Q:"
function_at "$card" 10de 2236 030200
plans 'a card without VFs' 1 "$where no VF of 0000:01:00.0 offers that; make its VFs first*"
vf_of "$card" 0 0000:01:00.4 nvidia
vf_of "$card" 1 0000:01:00.5 vfio-pci
offers 0 '1101  : NVIDIA A16-2Q' '1102  : NVIDIA A16-4Q'
plans 'a name that one of them offers' 0 ''
offers 0 '1102  : NVIDIA A16-4Q' '1104  : NVIDIA A16-8Q'
plans 'one that none offers' 1 "$where no VF of 0000:01:00.0 offers that;\
 they offer NVIDIA A16-4Q (1102), NVIDIA A16-8Q (1104); the card may have no room for this one now"
offers 0
plans 'a card that is full' 1 "$where the name can't be looked up now: the VFs of 0000:01:00.0\
 offer no type, since the card is full *; say the type's number"
vf_of "$card" 0 0000:01:00.4 vfio-pci
rm -r "$dir/sys/devices/pci0000:00/$card/virtfn0/nvidia"
plans 'VFs that were made ahead' 1 "$where the name can't be looked up now: all VFs of\
 0000:01:00.0 are with vfio-pci, *; say the type's number"
config $'[vf a]\npf=01:00.0\nvgpu-type=1101'
plans 'a number needs no looking up' 0 ''
finish
