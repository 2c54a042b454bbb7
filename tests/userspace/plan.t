#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the planner chooses, on machines that hwloc describes.
# shellcheck source=tests/userspace/lib.sh
. "$(dirname "$0")/lib.sh"

plan() {
	config "$2"
	run plan --json --topology "$1" "$dir/t.conf"
}

# cpus NAME WANTED: "CPU:role[vcpu]" in order
cpus() {
	is "$1" "$(jq -r '[.records[] | select(.kind == "cpu") |
		"\(.cpu):\(.role)\(.vcpu // "")"] | join(" ")' <<<"$out" 2>&1)$err" "$2"
}
notes() { like "$1" "$(jq -r '.notes | join("; ")' <<<"$out")" "$2"; }
memory() {
	is "$1" "$(jq -r '[.records[] | select(.kind == "memory") |
		"\(.pages)x\(.page_size / 1048576)@\(.node)"] | join(" ")' <<<"$out")" "$2"
}

plan "$smt" $'[cpus]\ncount=4'
cpus 'an even count goes on siblings, off the node of CPU 0' '8:vcpu0 9:vcpu1 10:vcpu2 11:vcpu3'
notes 'nothing to note' ''
plan "$smt" $'[cpus]\ncount=3'
cpus 'an odd count gets whole cores' '8:vcpu0 10:vcpu1 12:vcpu2 9:none 11:none 13:none'
plan "$smt" $'[cpus]\ncount=2\nthreads=1'
cpus 'threads=1' '8:vcpu0 10:vcpu1 9:none 11:none'
plan "$smt" $'[cpus]\ncores=2'
cpus 'cores' '8:vcpu0 9:vcpu1 10:vcpu2 11:vcpu3'
plan "$smt" $'[cpus]\ncores=2\nthreads=1'
cpus 'cores, one thread each' '8:vcpu0 10:vcpu1 9:none 11:none'
plan "$smt" $'[cpus]\ncount=2\nthreads=1\nshare-core=yes'
cpus 'share-core leaves siblings to the host' '8:vcpu0 10:vcpu1'
plan "$smt" $'[cpus]\ncount=2\nemulator=1'
cpus 'a CPU for the emulator' '8:vcpu0 9:vcpu1 10:emulator 11:none'
plan "$smt" $'[cpus]\ncount=2\nemulator=2'
cpus 'two CPUs for the emulator are one core' '8:vcpu0 9:vcpu1 10:emulator 11:emulator'
plan "$smt" $'[cpus]\ncount=4\nnode=0'
cpus "node=0, but not CPU 0's core" '2:vcpu0 3:vcpu1 4:vcpu2 5:vcpu3'
plan "$smt" $'[cpus]\ncount=8\nnode=0'
cpus "node=0 and all its cores: CPU 0's is last" '2:vcpu0 3:vcpu1 4:vcpu2 5:vcpu3 6:vcpu4 7:vcpu5 0:vcpu6 1:vcpu7'
notes 'and that is noted' "CPU 0's core is among them: node 0 has no other left"
plan "$smt" $'[cpus]\ncores=6'
is 'several nodes' "$(query '[.records[].node] | group_by(.) | map(length)')" '[4,8]'
notes 'which is noted' '*several nodes*'
plan "$smt" $'[cpus]\ncount=14'
is "not CPU 0's core even so" "$(query '[.records[].cpu] | min')" 2
plan "$smt" $'[cpus]\ncount=16'
like 'the host keeps a core' "$status $(query .error.message)" '1 *but the host needs one of the 8 that are free*'
plan "$smt" $'[cpus]\ncores=9'
like 'more than there is' "$status $(query .error.message)" '1 *9 whole cores with two threads are wanted, but 8 are free*'
plan "$smt" $'[cpus]\ncores=5\nnode=1'
like 'more than the node has' "$status $(query .error.message)" '1 *5 whole cores with two threads are wanted, but 4 are free on node 1*'
plan "$smt" $'[cpus]\ncount=2\nnode=7'
like 'no such node' "$status $(query .error.message) $(query .error.line)" '1 "there is no node 7" 3'

plan "$smt" $'[cpus]\ncpus=5,4,10'
cpus 'named CPUs keep their order' '5:vcpu0 4:vcpu1 10:vcpu2 11:none'
notes 'nodes of named CPUs' 'the CPUs that are named are on several nodes'
plan "$smt" $'[cpus]\ncpus=1'
notes "CPU 0's core by name" "CPU 1 is on CPU 0's core*"
cpus "with CPU 0 as its sibling" '1:vcpu0 0:none'
plan "$smt" $'[cpus]\ncpus=2,3\nemulator-cpus=4'
cpus 'named emulator' '2:vcpu0 3:vcpu1 4:emulator 5:none'
plan "$smt" $'[cpus]\ncount=2\nnode=1\nemulator-cpus=8'
cpus 'counted vCPUs beside a named emulator' '10:vcpu0 11:vcpu1 8:emulator 9:none'
plan "$smt" $'[cpus]\ncpus=2,99'
like 'no such CPU' "$status $(query .error.message) $(query .error.line)" '1 *there is no CPU 99* 2'
plan "$smt" $'[cpus]\ncpus=0-15'
like 'all by name' "$status $(query .error.message)" '1 *without a CPU*'

plan "$nosmt" $'[cpus]\ncount=2'
cpus 'no SMT' '4:vcpu0 5:vcpu1'
plan "$nosmt" $'[cpus]\ncores=2'
cpus 'no SMT, cores' '4:vcpu0 5:vcpu1'
plan "$nosmt" $'[cpus]\ncount=2\nthreads=2'
like 'no SMT, threads=2' "$status $(query .error.message)" "1 *threads=2 can't be had*"
plan 'synthetic:pu:1' $'[cpus]\ncount=1'
is 'one CPU only' "$status" 1
plan 'synthetic:core:2 pu:1' $'[cpus]\ncount=1'
cpus 'two CPUs' '1:vcpu0'

plan "$smt" $'[memory]\nsize=64M'
is 'memory alone is somewhere' "$(query '.records[0].pages')" 32
plan "$smt" $'[cpus]\ncount=2\nnode=0\n[memory]\nsize=64M'
memory 'memory is with the CPUs' '32x2@0'
plan "$smt" $'[cpus]\ncount=2\nnode=0\n[memory]\nsize=1G\npage=1G\nnode=1'
memory 'memory where it is told to be' '1x1024@1'
plan "$smt" $'[cpus]\ncount=12\n[memory]\nsize=64M'
memory 'memory is spread as the CPUs are' '10x2@0 22x2@1'
plan "$smt" $'[memory]\nsize=64M\nnode=3'
like 'memory on no node' "$(query .error.message)" '"there is no node 3"'
plan "$smt" $'[memory]\nsize=64G\nnode=1'
notes 'more memory than there is' '*less than is asked for'

# This file was made in the emulated machine that has two nodes with a NIC each.
plan "$here/numa.xml" $'[device nic]\naddress=0000:81:00.0\n[cpus]\ncount=2\n[memory]\nsize=64M'
cpus 'CPUs near the device' '4:vcpu0 5:vcpu1'
memory 'memory near the device' '32x2@1'
is 'the why of it' "$(query '.records[0].why')" '"whole core, near nic"'
is 'records are in order' "$(query '[.records[].kind]')" '["cpu","cpu","memory","pci"]'
plan "$here/numa.xml" $'[device a]\naddress=81:00.0\n[vf b]\npf=41:00.0\n[cpus]\ncount=2\nnear=b'
cpus 'near= another than the first' '2:vcpu0 3:vcpu1'
plan "$here/numa.xml" $'[vf b]\npf=41:00.0\n[device a]\naddress=81:00.0\n[cpus]\ncount=4'
cpus 'a node that has all of them is better than a near one' '4:vcpu0 5:vcpu1 6:vcpu2 7:vcpu3'
notes 'which is noted' 'CPUs are on node 1: node 0 (near b) has only 1 of 2 cores free'
plan "$here/numa.xml" $'[vf b]\npf=41:00.0\n[memory]\nsize=2M'
memory 'memory alone is near the device' '1x2@0'
is 'VFs are last' "$(query '[.records[].kind]')" '["memory","vf"]'
plan "$smt" $'[vf a]\npf=41:00.0\n[vf b]\npf=41:00.0\npool=3'
is 'pool= counts for all of a function' "$(query '[.records[].pool]')" '[3,3]'
plan "$smt" $'[vf a]\npf=41:00.0\n[vf b]\npf=41:00.0\npool=1'
like 'pool= that is too small' "$(query '.error.message, .error.line')" '"pool=1 is less than the 2 VFs that are asked for"*5'
plan "$smt" $'[vf a]\npf=41:00.0\nvlan=7\nqos=2\nmac=52:54:00:12:34:5F\ntrust=no\nmax-rate=2.5Gbit\nlink=down'
is 'settings of a VF' "$(query '.records[0].settings')" \
	'{"mac":"52:54:00:12:34:5f","vlan":7,"qos":2,"trust":false,"min_mbps":0,"max_mbps":2500,"link":"down"}'
run plan "$dir/t.conf" --topology "$smt"
like 'settings in words' "$(tr -s ' \n' ' ' <<<"$out")" '*mac 52:54:00:12:34:5f, vlan 7 qos 2, not trusted, at most 2500Mbit, link down*'
plan "$smt" $'[vf a]\npf=41:00.0\nvlan=none'
is 'no VLAN is a setting too' "$(query '.records[0].settings')" '{"vlan":null,"qos":0}'
plan "$here/numa.xml" $'[vf b]\npf=eth0'
like 'an interface of another machine' "$(query .error.message)" "*can't be looked up on another machine*"
plan "$here/lib.sh" $'[cpus]\ncount=1'
is 'no topology' "$status" 2

# wishes TEXT: "CPU:latency_us:min_khz" of what [cpus] asks for
wishes() {
	plan "$smt" "[cpus]
$2"
	is "$1" "$(jq -r '[.records[] | "\(.cpu):\(.latency_us // "-"):\(.min_khz // "-")"] | join(" ")' <<<"$out" 2>&1)" "$3"
}
wishes 'power is for the vCPUs only' $'count=1\nemulator=1\nlatency=20us\nmin-frequency=2GHz' '8:20:2000000 10:-:- 9:-:- 11:-:-'
wishes 'none if none is asked for' 'count=2' '8:-:- 9:-:-'
for pair in 1us=1 '20 us=20' 1ms=1000 1.5ms=1500 1000ms=1000000 20US=20; do
	wishes "latency=${pair%=*}" $'cpus=9\nlatency='"${pair%=*}" "9:${pair#*=}:- 8:-:-"
done
for pair in 2GHz=2000000 2.4GHz=2400000 2.133GHz=2133000 1800MHz=1800000 800000kHz=800000 '2.4 ghz=2400000'; do
	wishes "min-frequency=${pair%=*}" $'cpus=9\nmin-frequency='"${pair%=*}" "9:-:${pair#*=} 8:-:-"
done

# irqs NAME VALUE WANTED: "policy CPU" of a VF beside vCPUs 0 and 1 on CPUs 9 and 5
irqs() {
	plan "$smt" $'[vf a]\npf=1:0.0\nirqs='"$2"$'\n[device b]\naddress=2:0.0\n[cpus]\ncpus=9,5\nemulator-cpus=6'
	is "$1" "$(jq -r '.records[]? | select(.kind == "vf") | "\(.irqs) \(.irqs_cpu // "-")"' <<<"$out" 2>&1)" "$3"
}
irqs 'irqs=follow' follow 'follow -'
is 'which is the default' "$(query '.records[] | select(.kind == "pci") | [.irqs, .irqs_cpu]')" '["follow",null]'
irqs 'irqs=housekeeping' housekeeping 'housekeeping -'
irqs 'on a CPU' 5 'fixed 5'
irqs "on the emulator's" 6 'fixed 6'
irqs 'on an idle sibling' 8 'fixed 8'
irqs 'on a vCPU, wherever that is' vcpu0 'fixed 9'
irqs 'on the other one' 'vCPU 1' 'fixed 5'
irqs 'no CPU of this partition' 2 ''
like 'which says why' "$status $(query '[.error.message, .error.line]')" '1 *CPU 2 isn*one of this partition*9,5*,3]'
irqs 'no such vCPU' vcpu2 ''
like 'which says why too' "$status $(query '[.error.message, .error.line]')" '1 *irqs=vcpu2, but this partition has 2 vCPUs*,3]'
run plan --topology "$smt" "$dir/t.conf"
is 'and in words' "$err" "devirt: $dir/t.conf:3: irqs=vcpu2, but this partition has 2 vCPUs; vCPUs are counted from 0"
config $'[vf a]\npf=1:0.0\nirqs=vcpu0\n[cpus]\ncpus=4\nlatency=20us\nmin-frequency=2.4GHz'
run plan --topology "$smt" "$dir/t.conf"
like 'a table says all of it' "$status $(tr -s ' \n' ' ' <<<"$out")" '0 *wakes in 20us, at least 2.4GHz*interrupts on CPU 4*'

config $'[cpus]\ncount=1'
HWLOC_SYNTHETIC='core:4 pu:1' run plan --json "$dir/t.conf"
cpus 'HWLOC_SYNTHETIC' '1:vcpu0'
config $'[partition]\ndescription=x\n[device nic]\naddress=0000:81:00.0\n[vf b]\npf=41:00.0\n[cpus]\ncount=3\n[memory]\nsize=64M'
run plan --topology "$here/numa.xml" "$dir/t.conf"
is 'tables fit 80 columns' "$status $(awk 'length > 80' <<<"$out")" '0 '
is 'no escapes' "$(grep -c $'\e' <<<"$out")" 0
finish
