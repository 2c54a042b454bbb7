#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154 # initdir, moddir are dracut's
#
# For dracut: what /etc/devirt/reserve.conf names is kept off host drivers by an
# initramfs that loads devirt before udev starts.

check() {
	require_binaries devirt || return 1
	[[ -s /etc/devirt/reserve.conf ]]
}

depends() {
	return 0
}

installkernel() {
	hostonly='' instmods devirt vfio-pci
}

install() {
	local list="$initdir/etc/modprobe.d/devirt-reserve.conf"

	mkdir -p "${list%/*}"
	# What it says on standard error names the line.
	devirt reserve --modprobe >"$list" ||
		dwarn "devirt: not all of /etc/devirt/reserve.conf is reserved at boot"
	inst_hook pre-udev 01 "$moddir/devirt-load.sh"
}
