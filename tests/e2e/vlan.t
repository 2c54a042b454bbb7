#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Two guests on VFs of one card, each with the address and the VLAN of its lease.

The first has a VF in VLAN 10. The second has two, in VLAN 10 and in VLAN 20, and
answers on each for that one's address only. The host's PF has an interface in each
VLAN and one in none. Who is in the same VLAN is reached; who isn't, isn't, although
all have the addresses for it; and neither guest knows of a VLAN or could choose its
address. When they have ended nothing of that is set any more.

What is shown is what the card does with it, which here is QEMU's igb: it puts the
tags on, takes them off, and passes frames on between its VFs.
"""
import json
import os
import sys

sys.dont_write_bytecode = True
from e2e import (PF, SYSFS, Guest, address_pf, conf, gone, loads, main, must, netif, read,
                 restored, run, snapshot, write)

ONE, TWO, THREE = '52:54:00:0a:00:01', '52:54:00:0a:00:02', '52:54:00:14:00:02'

COMMON = '''
at() { for i in /sys/class/net/eth*; do [ $(cat $i/address) = $1 ] && basename $i; done; }
up() {
	i=$(at $1); [ $i ] || exit 8
	ip link set $i up; ip addr add $2 dev $i
	n=0
	until [ "$(cat /sys/class/net/$i/carrier)" = 1 ]; do
		n=$((n+1)); [ $n -lt 600 ] || exit 9
		usleep 50000
	done
}
reach() { ping -c 3 -W 2 $2 >/dev/null && echo $1=yes || echo $1=no; }
'''

FIRST = COMMON + f'''
up {ONE} 10.9.10.1/24
ip addr add 10.9.20.1/24 dev $i
ip addr add 10.9.0.1/24 dev $i
echo ready
read go </dev/ttyS0
reach same 10.9.10.2
reach host 10.9.10.9
reach other 10.9.20.2
reach none 10.9.0.9
ip link set $i down; ip link set $i address 52:54:00:66:66:66; echo forged=$?
echo done
read off </dev/ttyS0
'''

SECOND = COMMON + f'''
echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
up {TWO} 10.9.10.2/24
up {THREE} 10.9.20.2/24
echo ready
read go </dev/ttyS0
reach same 10.9.10.1
reach host 10.9.20.9
echo done
read off </dev/ttyS0
'''


def settings(vf):
    """What iproute2 says of a VF of the PF."""
    for line in json.loads(must('ip', '-json', 'link', 'show', 'dev', netif(PF)))[0]['vfinfo_list']:
        if line['vf'] == vf:
            vlans = line.get('vlan_list') or [{}]
            return line['address'], vlans[0].get('vlan', 0), line['trust']
    return None


def refused(tap):
    """What the card can't do is told in words, and nothing is made."""
    path = conf('refused', vf_a={'pf': PF, 'pool': 1, 'link': 'down'})
    result = run('devirt', 'create', path)
    tap.equal(result.returncode, 1, 'a setting that igb has not is refused')
    tap.ok("'link' can't be set" in result.stderr and PF in result.stderr, 'in words',
           result.stderr)
    result = run('devirt', 'create', '--json', path)
    tap.equal((loads(result.stdout) or {}).get('error', {}).get('reason'), 'setting-kind',
              'and in JSON')


def by_file(tap):
    """Pools by /etc/devirt/vfs.conf: what is wrong with one keeps none from the others."""
    path = '/etc/devirt/vfs.conf'
    os.makedirs('/etc/devirt', exist_ok=True)
    write(path, f'{PF} many\n0000:1f:1f.7 2\n{PF} 2\n')
    result = run('devirt', 'vfs', '--conf', '--json')
    shown = loads(result.stdout)
    tap.equal((result.returncode, [(one['line'], one['vfs'], one['made_by'])
                                   for one in shown['pools']],
               [one['line'] for one in shown['errors']]),
              (2, [(3, 2, 'ahead')], [1, 2]), 'vfs.conf: the pool is made, and two lines are told')
    write(path, f'{PF} 0\n')
    result = run('devirt', 'vfs', '--conf', '--json')
    tap.equal((result.returncode, [one['made_by'] for one in loads(result.stdout)['pools']]),
              (0, ['none']), 'and removed')
    os.remove(path)
    os.mkdir(path)
    result = run('devirt', 'vfs', '--conf')
    tap.ok(result.returncode == 2 and path in result.stderr, 'a folder is no file', result.stderr)
    os.rmdir(path)


def test(tap):
    """All of it."""
    pf = address_pf('10.9.0.9/24')
    for vlan in (10, 20):
        must('ip', 'link', 'add', 'link', pf, 'name', f'vlan{vlan}', 'type', 'vlan', 'id', str(vlan))
        # The host would answer for all of its addresses on each.
        write(f'/proc/sys/net/ipv4/conf/vlan{vlan}/arp_ignore', 1)
        must('ip', 'address', 'add', f'10.9.{vlan}.9/24', 'dev', f'vlan{vlan}')
        must('ip', 'link', 'set', f'vlan{vlan}', 'up')
    write(f'/proc/sys/net/ipv4/conf/{pf}/arp_ignore', 1)
    refused(tap)
    must('devirt', 'vfs', PF, '3')
    before = snapshot()
    plain = [settings(vf) for vf in range(3)]
    one = Guest(conf('first', vf_a={'pf': PF, 'mac': ONE, 'vlan': 10, 'trust': 'no'},
                     memory={'size': '128M'}), FIRST, 'igbvf')
    two = Guest(conf('second', vf_a={'pf': PF, 'mac': TWO, 'vlan': 10, 'trust': 'no'},
                     vf_b={'pf': PF, 'mac': THREE, 'vlan': 20, 'trust': 'no'},
                     memory={'size': '128M'}), SECOND, 'igbvf')
    one.wait_for('\nready\n')
    two.wait_for('\nready\n')
    shown = loads(must('devirt', 'vfs', '--json', PF))
    found = sorted((vf['settings']['mac'], vf['settings']['vlan'], vf['partition'])
                   for vf in shown['list'])
    tap.equal(found, [(ONE, 10, 'first'), (TWO, 10, 'second'), (THREE, 20, 'second')],
              "'devirt vfs' says who has what")
    tap.equal(sorted(settings(vf) for vf in range(3)),
              [(ONE, 10, False), (TWO, 10, False), (THREE, 20, False)], 'and so does iproute2')
    for vm in (two, one):
        vm.say('go')
        vm.wait_for('\ndone\n')
    tap.equal(one.value('same'), 'yes', 'the first reaches the second in its VLAN')
    tap.equal(two.value('same'), 'yes', 'and is reached')
    tap.equal(one.value('other'), 'no', 'but not in the other VLAN')
    tap.equal(one.value('host'), 'yes', 'it reaches the host in its VLAN')
    tap.equal(two.value('host'), 'yes', 'as the second does in its other one')
    tap.equal(one.value('none'), 'no', 'but not the host in no VLAN')
    tap.ok(one.value('forged') not in ('0', None), "it can't take another address",
           one.value('forged'))
    for vm in (one, two):
        vm.say('off')
        tap.equal((vm.wait(), vm.status), (0, 0), 'a guest ends well')
    gone('first')
    gone('second')
    tap.equal([settings(vf) for vf in range(3)], plain, 'nothing is set any more')
    restored(tap, before, 'after both')
    must('devirt', 'vfs', PF, '0')
    tap.equal(read(f'{SYSFS}/{PF}/sriov_numvfs'), '0', 'the pool is gone')
    by_file(tap)
    for vlan in (10, 20):
        must('ip', 'link', 'del', f'vlan{vlan}')
    must('ip', 'address', 'flush', 'dev', pf)


main(test)
