#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The options for QEMU.
# shellcheck source=tests/userspace/lib.sh
. "$(dirname "$0")/lib.sh"

args() {
	config "$2"
	run args --topology "$1" "$dir/t.conf"
}

args "$here/numa.xml" $'[device nic]\naddress=81:00.0\n[cpus]\ncount=4\nnode=1\n[memory]\nsize=64M'
is 'all of it' "$out$err" '-smp 4,sockets=1,cores=2,threads=2
-m 64M
-object memory-backend-memfd,id=devirt-mem0,size=64M,hugetlb=on,hugetlbsize=2M,prealloc=on,host-nodes=1,policy=bind
-machine memory-backend=devirt-mem0
-device vfio-pci,host=0000:81:00.0,id=nic'
run args --one-line --topology "$here/numa.xml" "$dir/t.conf"
is 'one line' "$(wc -l <<<"$out")" 1
run args --json --topology "$here/numa.xml" "$dir/t.conf"
is 'JSON' "$(query '[length, .[0], .[1]]')" '[10,"-smp","4,sockets=1,cores=2,threads=2"]'

args "$smt" $'[cpus]\ncount=3'
is 'an odd count has no threads' "$out" '-smp 3,sockets=1,cores=3,threads=1'
args "$smt" $'[cpus]\ncpus=5,4,6,7'
is 'siblings in any order' "$out" '-smp 4,sockets=1,cores=2,threads=2'
args "$smt" $'[cpus]\ncpus=4,6,5,7'
is 'siblings that are no pairs' "$out" '-smp 4,sockets=1,cores=4,threads=1'
args "$smt" $'[cpus]\ncpus=4-11\n[memory]\nsize=64M\npage=2M'
is 'two nodes: a socket each where that leaves no gaps in ids' "$out" '-smp 8,sockets=2,cores=2,threads=2
-m 64M
-object memory-backend-memfd,id=devirt-mem0,size=32M,hugetlb=on,hugetlbsize=2M,prealloc=on,host-nodes=0,policy=bind
-object memory-backend-memfd,id=devirt-mem1,size=32M,hugetlb=on,hugetlbsize=2M,prealloc=on,host-nodes=1,policy=bind
-numa node,nodeid=0,cpus=0-3,memdev=devirt-mem0
-numa node,nodeid=1,cpus=4-7,memdev=devirt-mem1'
args "$smt" $'[cpus]\ncpus=6-11\n[memory]\nsize=12M'
like 'two nodes: one socket otherwise' "$out" '-smp 6,sockets=1,cores=3,threads=2*-numa node,nodeid=0,cpus=0-1,*-numa node,nodeid=1,cpus=2-5,*'
args "$smt" $'[memory]\nsize=2G\npage=1G\nnode=0'
like 'pages of 1G' "$out" '*hugetlbsize=1G*'
args "$smt" $'[vf a]\npf=01:00.0'
like 'a VF that is yet to be chosen' "$status $err" "1 *'a' is a VF that is chosen when it is leased*"
finish
