# shellcheck shell=bash
# What the scripts here share: where the cache is, and how to run something in
# the root file system that it holds. Sourced, never run.

set -euo pipefail

# shellcheck disable=SC2034
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/devirt
root=$cache/root
# Read by the scripts that source this.
# shellcheck disable=SC2034
kernels=(6.1 6.12 7.3 debug)

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# in_root [FROM:TO...] -- COMMAND...: runs COMMAND in the root file system with
# each FROM bound to TO in it, seen by this command only: the mounts are in a
# namespace of their own and go away with it, however it ends.
in_root() {
	(enter_root "$@")
}

# The same, in place of the calling shell: with no process in between, a signal
# reaches COMMAND, and COMMAND can see its caller die.
enter_root() {
	local binds=()
	while [ "$1" != -- ]; do
		binds+=("$1")
		shift
	done
	shift
	# shellcheck disable=SC2016
	exec unshare --mount --propagation private bash -ec '
		root=$1 n=$2
		shift 2
		mount --bind "$root" "$root"
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs tmpfs "$root/tmp"
		for ((; n > 0; n--)); do
			to=$root${1#*:}
			if [ ! -d "$to" ]; then mkdir -p "$to"; fi
			mount --bind "${1%%:*}" "$to"
			shift
		done
		exec chroot "$root" "$@"
	' in_root "$root" "${#binds[@]}" "${binds[@]}" "$@"
}

# The release (uname -r) of the kernel that is called $1 here.
kernel_release() {
	cat "$cache/kernels/$1/release"
}

# The compiler that the kernel called $1 was built with: headers refuse others.
kernel_cc() {
	cat "$cache/kernels/$1/cc"
}

# names_in FILE: the lines of a list that has comments.
names_in() {
	sed 's/#.*//; /^[[:space:]]*$/d' "$1"
}

# Where the image of the root, and the initramfs for the kernel called $1, are.
# Both are named after what they are made of: clones that differ in it have one
# each, and don't undo each other's.
root_image() {
	local digest
	digest=$({
		names_in "$top/tests/vm/packages"
		cat "$cache/kernels/6.12/release" "$top/scripts/guest" "$top/tests/vm/guest-init"
	} | sha256sum)
	echo "$cache/root-${digest:0:12}.img"
}

initramfs() {
	local digest
	digest=$(cat "$cache/kernels/$1/release" "$top/tests/vm/initramfs-init" \
		"$top/tests/vm/mount-root" | sha256sum)
	echo "$cache/kernels/$1/initramfs-${digest:0:12}"
}
