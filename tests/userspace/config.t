#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What is wrong in a partition file is told with the line that it is in.
# shellcheck source=tests/userspace/lib.sh
. "$(dirname "$0")/lib.sh"

# bad NAME LINE PATTERN TEXT
bad() {
	config "$4"
	run plan "$dir/t.conf" --topology "$smt"
	local where="devirt: $dir/t.conf:$2: "
	if [[ $status == 2 && -z $out && $err == "$where"$3 ]]; then
		pass "$1"
	else
		flunk "$1" "status $status" "got: $err" "wanted: $where$3"
	fi
}

good() {
	config "$2"
	run plan "$dir/t.conf" --topology "$smt"
	is "$1" "$status $err" '0 '
}

bad 'unknown section' 2 'unknown section \[cpu\]; there are *' $'\n[cpu]\ncount=2'
bad 'section without a name' 1 '\[vf\] wants a name: \[vf NAME\]' '[vf]'
bad 'section with a name that takes none' 1 '\[cpus\] takes no name' '[cpus a]'
bad 'section twice' 3 'there is a \[cpus\] section already, in line 1; *' $'[cpus]\ncount=2\n[cpus]'
bad 'name twice' 3 "a section is named 'a' already, in line 1; *" $'[vf a]\npf=01:00.0\n[device a]'
bad 'name that is no id' 1 "'1a' can't name a section*" '[vf 1a]'
bad 'name with a comma' 1 "'a,b' can't name a section*" '[vf a,b]'
bad 'name that is too long' 1 "* can't name a section*" "[vf $(printf 'a%.0s' {1..33})]"
bad 'unknown key' 3 "unknown key 'sz' in \[memory\]; \[memory\] has size, page, node" $'[memory]\nsize=2M\nsz=1'
bad 'key twice' 3 'count= is given twice in \[cpus\]' $'[cpus]\ncount=2\ncount=4'
bad 'key before any section' 1 "'count' is before any section" 'count=2'
bad 'neither key nor section' 2 'neither a \[section\] nor key=value' $'[cpus]\nnonsense\ncount=2'
bad 'queues that are no number' 3 'queues=many: a number from 2 to 65535 is wanted' $'[vf a]\npf=01:00.0\nqueues=many'
bad 'a queue is too few' 3 'queues=1: a number from 2 *' $'[vf a]\npf=01:00.0\nqueues=1'
bad 'vram without a unit' 3 'vram=512: a size with its unit*' $'[vf a]\npf=01:00.0\nvram=512'
bad 'vram not in whole megabytes' 3 'vram=1500K: a size with its unit*' $'[vf a]\npf=01:00.0\nvram=1500K'
bad 'quantum of parts of a millisecond' 3 'quantum=0.5ms: a time with its unit*' $'[vf a]\npf=01:00.0\nquantum=0.5ms'
bad 'quantum without a unit' 3 'quantum=20: a time with its unit*' $'[vf a]\npf=01:00.0\nquantum=20'
bad 'doorbells of none' 3 'doorbells=0: a number from 1 is wanted' $'[vf a]\npf=01:00.0\ndoorbells=0'
bad 'settings of two kinds of cards' 1 '\[vf a\]: settings of different kinds of cards*' $'[vf a]\npf=01:00.0\nqueues=4\nmac=52:54:00:12:34:56'
config $'[vf a]\npf=01:00.0\nvgpu-type=A16-2Q'
run plan "$dir/t.conf" --topology "$smt"
like 'a vGPU type by a name that nobody has' "$status $err" \
	'1 devirt: */t.conf:3: vgpu-type=A16-2Q: no VF of * offers that; make its VFs first*'
good 'settings of an NVMe VF' $'[vf a]\npf=01:00.0\nqueues=4\nvectors=3'
good 'settings of a graphics VF' $'[vf a]\npf=01:00.0\nvgpu-type=1414\nvram=4G\ncontexts=64\ndoorbells=8\nquantum=20ms'
good 'a quantum of half a second' $'[vf a]\npf=01:00.0\nquantum=0.5s'
bad 'heading without its end' 3 'neither a \[section\] nor key=value' $'[cpus]\ncount=2\n[memory'
bad 'the first error is told' 2 'count=x: *' $'[cpus]\ncount=x\n[foo]\nnonsense'
bad 'line that is too long' 2 'the line is longer than *' "[partition]
description=$(printf 'x%.0s' {1..300})"

for value in '' 0 -1 1.5 2x 99999 0x2 '2 3'; do
	bad "count=$value" 2 "count=$value: a number from 1 to 1024 is wanted" $'[cpus]\ncount='"$value"
done
for value in '' ',' '2,' ',2' 2-1 a '2,,3' 1-2-3 70000; do
	bad "cpus=$value" 2 "cpus=$value: a list like 2,3,6-7 is wanted" $'[cpus]\ncpus='"$value"
done
bad 'CPU twice in a list' 2 'cpus=2-4,3: CPU 3 is named twice' $'[cpus]\ncpus=2-4,3'
for value in '' 2 2X 0M -1M 1.5G 999999999999T M; do
	bad "size=$value" 2 "size=$value: a size with its unit is wanted*" $'[memory]\nsize='"$value"
done
bad 'page that is no power of two' 3 'page=3M: a page size is wanted*' $'[memory]\nsize=6M\npage=3M'
bad 'size that is no multiple of the page' 2 "size= isn't a multiple of the page size, 2M*" $'[memory]\nsize=3M'
bad 'memory without a size' 1 '\[memory\] wants size=' $'[memory]\npage=2M'
bad 'threads=3' 3 'threads=3: *' $'[cpus]\ncount=2\nthreads=3'
bad 'threads=2 with an odd count' 3 "threads=2 can't be had with count=3; *" $'[cpus]\ncount=3\nthreads=2'
bad 'threads= with a list' 3 'threads= goes with *' $'[cpus]\ncpus=2,3\nthreads=2'
bad 'no count' 1 '\[cpus\] wants count=, cores= or cpus=' $'[cpus]\nthreads=1'
bad 'empty section' 1 '\[cpus\] wants *' '[cpus]'
bad 'count and cores' 1 'count=, cores= and cpus= say the same*' $'[cpus]\ncount=2\ncores=1'
bad 'emulator twice' 4 'emulator= and emulator-cpus= *' $'[cpus]\ncount=2\nemulator=1\nemulator-cpus=3'
bad 'CPU in both lists' 3 'CPU 3 is in cpus= and in emulator-cpus=' $'[cpus]\ncpus=2,3\nemulator-cpus=3'
bad 'near nothing' 3 'near=x: no \[device x\] or \[vf x\] is in this file' $'[cpus]\ncount=2\nnear=x'
bad 'near and node' 6 'near= and node= *' $'[vf a]\npf=1:0.0\n[cpus]\ncount=2\nnear=a\nnode=0'
bad 'share-core=maybe' 3 'share-core=maybe: yes or no is wanted' $'[cpus]\ncount=1\nshare-core=maybe'
bad 'device without an address' 1 '\[device a\] wants address=' '[device a]'
bad 'VF without a PF' 1 '\[vf a\] wants pf=' $'[vf a]\nindex=1'
for value in '' 0000:01:00 0000:01:00.8 0000:01:20.0 0:0:0:0.0 01:00.0x g1:00.0 ../x abcdefghijklmnopq; do
	bad "address=$value" 2 "address=$value: neither a PCI address*" $'[device a]\naddress='"$value"
done
bad 'same function twice' 4 '\[a\] in line 1 names that function already; *' $'[device a]\naddress=01:00.0\n[device b]\naddress=0000:01:00.0'
bad 'function and its VF' 4 '\[a\] in line 1 names that function already; *' $'[device a]\naddress=01:00.0\n[vf b]\npf=01:00.0'
bad 'same VF twice' 4 'VF 1 is in \[vf a\] already, in line 1; *' $'[vf a]\npf=1:0.0\nindex=1\n[vf b]\npf=1:0.0\nindex=1'
bad 'pools that differ' 6 'pool=3, but line 3 says 2*' $'[vf a]\npf=1:0.0\npool=2\n[vf b]\npf=1:0.0\npool=3'
for value in '' 52:54:00:12:34 52:54:00:12:34:5g 5254.0012.3456 01:54:00:12:34:56 00:00:00:00:00:00 \
	52:54:00:12:34:56:78; do
	bad "mac=$value" 3 "mac=$value: the address of one card, *" $'[vf a]\npf=1:0.0\nmac='"$value"
done
for value in '' 0 4095 -1 ten 1.5; do
	bad "vlan=$value" 3 "vlan=$value: 'none' or a number from 1 to 4094 is wanted" $'[vf a]\npf=1:0.0\nvlan='"$value"
done
bad 'qos=8' 4 'qos=8: a number from 0 to 7 is wanted' $'[vf a]\npf=1:0.0\nvlan=3\nqos=8'
bad 'qos without a VLAN' 1 '\[vf a\]: qos= is a part of a VLAN*' $'[vf a]\npf=1:0.0\nqos=1'
bad 'qos in no VLAN' 1 '\[vf a\]: qos= is a part of a VLAN*' $'[vf a]\npf=1:0.0\nvlan=none\nqos=1'
bad 'qos of zero without a VLAN' 1 '\[vf a\]: qos= is a part of a VLAN*' $'[vf a]\npf=1:0.0\nqos=0'
bad 'qos beside a MAC address only' 1 '\[vf a\]: qos= is a part of a VLAN*' $'[vf a]\npf=1:0.0\nqos=1\nmac=52:54:00:12:34:56'
for key in doorbells=256 queues=4 vgpu-type=1414 vram=4G; do
	for value in 0 3; do
		bad "qos=$value and $key" 1 '\[vf a\]: settings of different kinds*' $'[vf a]\npf=1:0.0\nqos='"$value"$'\n'"$key"
		bad "$key and qos=$value" 1 '\[vf a\]: settings of different kinds*' $'[vf a]\npf=1:0.0\n'"$key"$'\nqos='"$value"
	done
done
good 'qos before its VLAN' $'[vf a]\npf=1:0.0\nqos=3\nvlan=7'
good 'qos of zero in no VLAN' $'[vf a]\npf=1:0.0\nqos=0\nvlan=none'
for key in trust spoof-check; do
	bad "$key=on" 3 "$key=on: yes or no is wanted" $'[vf a]\npf=1:0.0\n'"$key=on"
done
for value in '' 100 0Mbit 1.5Mbit 100M x 5000000Mbit; do
	bad "max-rate=$value" 3 "max-rate=$value: a rate with its unit, *" $'[vf a]\npf=1:0.0\nmax-rate='"$value"
done
bad 'rates the wrong way round' 1 '\[vf a\]: min-rate= is more than max-rate=' $'[vf a]\npf=1:0.0\nmin-rate=2Gbit\nmax-rate=100Mbit'
bad 'link=on' 3 'link=on: auto, up or down is wanted' $'[vf a]\npf=1:0.0\nlink=on'
bad 'a setting of a whole function' 3 "unknown key 'vlan' in \[device a\]; *" $'[device a]\naddress=1:0.0\nvlan=3'
good 'all settings' $'[vf a]\npf=1:0.0\nmac=52:54:00:12:34:5F\nvlan=4094\nqos=7\nspoof-check=no\ntrust=yes\nmin-rate=10Mbit\nmax-rate=2.5Gbit\nlink=auto'
bad 'index=first' 3 "index=first: 'any' or a number*" $'[vf a]\npf=1:0.0\nindex=first'

for value in '' 20 20s us 0us 0.5us -1us 1e3us 0x10us 1..2us 5.us 1001ms 20usx '1 0us'; do
	bad "latency=$value" 3 "latency=$value: a time with its unit is wanted*; leave it out *" $'[cpus]\ncount=2\nlatency='"$value"
done
for value in '' 2 2G 2400000 Hz 0MHz -1GHz 1000GHz 2.4.1GHz infGHz; do
	bad "min-frequency=$value" 3 "min-frequency=$value: a frequency with its unit is wanted*" $'[cpus]\ncount=2\nmin-frequency='"$value"
done
for value in '' foll 1.5 -1 vcpu vcpux 'vcpu 0 1' cpu3 0x3 70000; do
	bad "irqs=$value" 3 "irqs=$value: follow, housekeeping, *" $'[vf a]\npf=1:0.0\nirqs='"$value"
done
bad 'irqs= on a CPU, but no CPUs' 3 'irqs=3, but this partition has no CPUs; *' $'[vf a]\npf=1:0.0\nirqs=3'
bad 'irqs= on a vCPU, but no CPUs' 3 'irqs=vcpu3, but this partition has no CPUs; *' $'[device a]\naddress=1:0.0\nirqs=vcpu3'

bad 'mdev without a type' 1 '\[mdev a\] wants type= or memory-at-least=' $'[mdev a]\nparent=mbochs'
bad 'mdev by type and by memory' 3 'type= and memory-at-least= *' $'[mdev a]\ntype=vgpu-8\nmemory-at-least=4M'
bad 'memory without a unit' 2 'memory-at-least=4: a size with its unit is wanted*' $'[mdev a]\nmemory-at-least=4'
for value in '' ../x a/b .x 'a b' "$(printf 'a%.0s' {1..32})"; do
	bad "parent=$value" 2 "parent=*" $'[mdev a]\nparent='"$value"
	bad "type=$value" 2 "type=*" $'[mdev a]\ntype='"$value"
done
for value in '' 1 7b1bd2c4-3f5e-4a1d-9d3c-0a1b2c3d4e5 7b1bd2c4-3f5e-4a1d-9d3c-0a1b2c3d4e5g \
	7b1bd2c43f5e-4a1d-9d3c-0a1b-2c3d4e5f 00000000-0000-0000-0000-000000000000; do
	bad "uuid=$value" 2 "uuid=$value: a UUID is wanted; leave it out *" $'[mdev a]\nuuid='"$value"
done
bad 'UUID twice' 5 '\[mdev a\] has that UUID already, in line 3; *' $'[mdev a]\ntype=x\nuuid=7b1bd2c4-3f5e-4a1d-9d3c-0a1b2c3d4e5f\n[mdev b]\nuuid=7B1BD2C4-3F5E-4A1D-9D3C-0A1B2C3D4E5F\ntype=x'
bad 'key of another section' 2 "unknown key 'pf' in *; \[mdev\] has parent, type, *" $'[mdev a]\npf=1:0.0'

good 'comments and blanks' '# one
; two
  [cpus]   # three
  count = 2 # four
	threads = 1 ; five
  # six'
good 'two VFs of one function' $'[vf a]\npf=1:0.0\n[vf b]\npf=1:0.0'
good 'CRLF' $'[cpus]\r\ncount=2\r'
printf '\357\273\277[cpus]\ncount=2\n' >"$dir/t.conf"
run plan "$dir/t.conf" --topology "$smt"
is 'byte order mark' "$status" 0

config ''
run plan "$dir/t.conf"
is 'empty file' "$err" "devirt: $dir/t.conf: it asks for nothing; add a [device NAME], [vf NAME], [mdev NAME], [cpus] or [memory] section"
printf '[cpus]\n\0count=2\n' >"$dir/t.conf"
run plan "$dir/t.conf"
like 'NUL' "$err" '*: a NUL byte: *'
run plan "$dir/none.conf"
like 'no file' "$status $err" "2 devirt: $dir/none.conf: No such file*"
run plan "$dir/"
is 'no name' "$status" 2
mkdir "$dir/d.conf"
run plan "$dir/d.conf"
like 'directory' "$status $err" "2 *: Is a directory"
run plan -- -x
is 'a name begins with no dash' "$status" 2

config $'[cpus]\ncount=x'
run plan --json "$dir/t.conf"
is 'JSON error' "$(query '[.error.command, .error.status, .error.line, .error.file]')" "[\"plan\",2,2,\"$dir/t.conf\"]"
is 'JSON error is all there is' "$status $err" '2 '
finish
